"""Who may log on, and to whom: codes, passwords, listeners that collide, limits."""

import threading

import pytest

import oftp
import scene
import waybill
from oftp import File
from scene import OWN, Relation, apply, post, process, sessions_gone

ACME = 'O0013000001ACME'


def refused(relation, reason, **over):
    """Logs on with SSID fields overridden; must be refused with this reason. The ESID."""
    with relation.peer() as me:
        me.expect('SSRM')
        me.send('SSID', **{**me.own, **over})
        return me.expect_esid(reason)


def test_unknown_code_and_wrong_password(plant):
    """OFTP2-C42: the same search is made in both cases; what may differ is the reason, nothing
    else that the caller sees. The log names the setting to look at."""
    r = Relation(plant)
    wrong = refused(r, 4, pswd='WRONG')
    unknown = refused(r, 3, code=r.code + 'X')
    assert 'password' in wrong.reast and 'code' in unknown.reast
    line, = r.log('logon.refused.*esid=4')
    assert 'from.password' in line and 'WRONG' not in line and r.password not in line.split()
    line, = r.log('logon.refused.*esid=3')
    assert 'from.odette_id' in line
    r.deliver(b'right')


@pytest.mark.parametrize('password', ['', 'pw', 'PWX', 'PW2', ' PW'])
def test_passwords_are_compared_whole_and_by_case(plant, password):
    refused(Relation(plant), 4, pswd=password)


def test_any_password(plant):
    r = Relation(plant, password={'any': True})
    r.password = 'WHATEVER'
    r.deliver(b'x')
    r.password = ''
    r.deliver(b'y')


def test_password_from_a_file_and_from_the_environment(gateway):
    g = gateway(env={'WAYBILL_SECRET_B_PASSWORD': 'FROMENV'}, run=False)
    secrets = g.data / 'secrets'
    secrets.mkdir(parents=True)
    (secrets / 'a_password').write_text('FROMFILE\nsecond line\n')
    g.start()
    a = Relation(g, password={'secret': 'a_password'})
    b = Relation(g, password={'secret': 'b_password'})
    a.password, b.password = 'FROMFILE', 'FROMENV'
    a.deliver(b'a')
    b.deliver(b'b')
    c = Relation(g, password={'secret': 'not-there'})
    state = c.listener_state()
    assert state['state'] == 'errored' and 'not-there' in state['reason']
    refused(c, 3, pswd='')
    (secrets / 'not-there').write_text('LATE\n')
    assert post(g, f'/api/v1/listeners/{c.listener}/restart')['state'] == 'listening'
    c.password = 'LATE'
    c.deliver(b'c')


def acme_process(name, password, to, directory):
    return process(name, {'odette_id': ACME, 'password': password},
                   [{'write': {'directory': directory, 'name': '{{oftp2.sfiddsn}}'}}],
                   to={'odette_id': to, 'password': f'PW{to[-3:]}'})


def test_same_code_reaches_two_identities_by_password(plant, tmp_path):
    """design.md section 7: OFTP2-C44, the answer has the code of the identity that the password
    selects, and the file goes there."""
    apply(plant, acme_process('acme-one', 'SECRET', 'O0013OURONE', tmp_path / 'one'),
          acme_process('acme-two', 'DONTTELL', 'O0013OURTWO', tmp_path / 'two'))
    (tmp_path / 'one').mkdir()
    (tmp_path / 'two').mkdir()
    assert {entry['name']: entry['state'] for entry in
            plant.get('/api/v1/listeners')['listeners']
            if entry['name'].startswith('acme-')} == {'acme-one': 'listening',
                                                      'acme-two': 'listening'}
    for password, to, folder in (('SECRET', 'O0013OURONE', 'one'),
                                 ('DONTTELL', 'O0013OURTWO', 'two')):
        with oftp.Peer.connect(plant.host, plant.port, ACME, password) as me:
            assert me.log_on().code == to
            assert me.peer.pswd == f'PW{to[-3:]}'
            assert me.send_file(File(folder.encode(), dsn='ORDERS')).taken
            me.run()
            eerp, = me.responses
            assert (eerp.orig, eerp.dest) == (to, ACME)
        found, = plant.wait_files(tmp_path / folder)
        assert found.read_bytes() == folder.encode()
    with oftp.Peer.connect(plant.host, plant.port, ACME, 'NEITHER') as me:
        me.expect('SSRM')
        me.send('SSID', **me.own)
        me.expect_esid(4)
    # By the door of one, nothing comes in for the other.
    with oftp.Peer.connect(plant.host, plant.port, ACME, 'SECRET') as me:
        me.log_on()
        no = me.send_file(File(b'x', dsn='ORDERS', dest='O0013OURTWO')).answer
        assert (no.name, no.reas, no.rrtr) == ('SFNA', 2, 'N')
        assert me.send_file(File(b'x', dsn='MORE')).taken


def test_collision_of_code_and_password(gateway, tmp_path):
    """The listener deployed later does not start and says with which one it collides; a restart
    takes it up once that is mended. Neither a change of the earlier one's steps nor a restart of
    the runtime changes who was first."""
    g = gateway()
    first = acme_process('first', 'SECRET', 'O0013OURONE', tmp_path)
    apply(g, first)
    apply(g, acme_process('second', 'SECRET', 'O0013OURTWO', tmp_path))

    def states():
        return {e['name']: e for e in g.get('/api/v1/listeners')['listeners']}

    def must_be(first_state, second_state):
        now = states()
        assert (now['first']['state'], now['second']['state']) == (first_state, second_state)
        return now

    now = must_be('listening', 'errored')
    assert "'first'" in now['second']['reason'] and ACME in now['second']['reason']
    assert 'SECRET' not in now['second']['reason']
    g.wait_log("listener.errored.*listener=second.*first")
    with oftp.Peer.connect(g.host, g.port, ACME, 'SECRET') as me:
        assert me.log_on().code == 'O0013OURONE'

    first['steps'][0]['write']['name'] = 'other-{{oftp2.sfiddsn}}'
    apply(g, first)
    must_be('listening', 'errored')
    g.restart()
    must_be('listening', 'errored')
    post(g, '/api/v1/listeners/second/restart')
    must_be('listening', 'errored')

    apply(g, acme_process('first', 'CHANGED', 'O0013OURONE', tmp_path))
    post(g, '/api/v1/listeners/second/restart')
    must_be('listening', 'listening')
    with oftp.Peer.connect(g.host, g.port, ACME, 'SECRET') as me:
        assert me.log_on().code == 'O0013OURTWO'
    with oftp.Peer.connect(g.host, g.port, ACME, 'CHANGED') as me:
        assert me.log_on().code == 'O0013OURONE'

    # Changed back, it is now the later one.
    apply(g, first)
    must_be('errored', 'listening')
    g.request('DELETE', '/api/v1/components/process/second')
    assert states()['first']['state'] == 'listening'


def test_files_for_one_session_go_where_origin_and_destination_say(plant, tmp_path):
    """Two partners, one of them brings files of the other, as agreed with `via`."""
    relay = Relation(plant)
    behind = Relation(plant, via=[relay.code])
    alone = Relation(plant)
    with relay.call() as me:
        assert me.send_file(File(b'own', dsn='OWN')).taken
        assert me.send_file(File(b'relayed', dsn='RELAYED', orig=behind.code)).taken
        no = me.send_file(File(b'x', dsn='NO', orig=alone.code)).answer
        assert (no.reas, no.rrtr) == (2, 'N')
        me.run()
    assert relay.delivered()[0].read_bytes() == b'own'
    assert behind.delivered()[0].read_bytes() == b'relayed'
    d = behind.wait_document('processed')
    assert d['from'] == behind.code
    assert d['properties']['oftp2.initiator_ssidcode'] == relay.code
    # The receipt is for the originator and goes by the relay that brought the file.
    assert [r.dest for r in me.responses if r.dsn == 'RELAYED'] == [behind.code]
    line, = relay.log('file.refused')
    assert 'from.via' in line


def test_only_the_relay_agreed_brings_files(plant):
    relay, behind = Relation(plant), Relation(plant)
    with relay.call() as me:
        no = me.send_file(File(b'x', dsn='NO', orig=behind.code)).answer
        assert (no.name, no.rrtr) == ('SFNA', 'N')


# ---- limits --------------------------------------------------------------------------------

def room_again(relation, data):
    """Delivers once the gateway has room for a connection: one that ended counts until its thread is
    gone, which is after its session."""
    def taken_up():
        try:
            relation.deliver(data)
            return True
        except oftp.Ended as e:
            assert e.reason == 8, e
            return False
    waybill.wait_until(taken_up, 20, 'room for a connection')


def test_limits_of_connections(gateway):
    """OFTP2-C45: in all and per address; what is beyond is told to come again later."""
    for setting, value in (('max_connections', 3), ('max_connections_per_address', 3)):
        g = gateway(setting, settings={'oftp2_server': {setting: value}})
        r = Relation(g)
        open_now = [r.peer() for _ in range(value)]
        for p in open_now:
            p.expect('SSRM')
        with r.peer() as me:
            me.expect_esid(8)
        line, = g.wait_log('connection.refused')
        assert f'oftp2_server.{setting}' in line
        open_now.pop().close()
        room_again(r, b'room again')
        for p in open_now:
            p.close()


def test_limit_of_sessions_of_a_partner(gateway):
    """OFTP2-C45: a partner at its limit does not keep others out."""
    g = gateway(settings={'oftp2_server': {'max_sessions_per_partner': 2}})
    r, other = Relation(g), Relation(g)
    with r.call(), r.call():
        refused(r, 8)
        line, = r.log('logon.refused')
        assert 'oftp2_server.max_sessions_per_partner' in line
        other.deliver(b'not held up')
    sessions_gone(g)
    r.deliver(b'room again')


def test_limits_hold_when_many_come_at_once(gateway):
    g = gateway(settings={'oftp2_server': {'max_connections': 5}})
    r = Relation(g)
    taken, barrier, lock = [], threading.Barrier(20), threading.Lock()

    def call():
        barrier.wait()
        with r.peer() as me:
            try:
                me.expect('SSRM')
                with lock:
                    taken.append(1)
                barrier.wait()
            except oftp.Ended as e:
                assert e.reason == 8
                barrier.wait()
            except oftp.Closed:
                barrier.wait()

    threads = [threading.Thread(target=call) for _ in range(20)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(waybill.patient(30))
    assert not any(t.is_alive() for t in threads) and len(taken) == 5
    sessions_gone(g)
    room_again(r, b'afterwards')


# ---- time ----------------------------------------------------------------------------------

def test_silence_before_and_after_the_start(gateway):
    """OFTP2-C99: a caller that never speaks, one that stops after the log-on, one in the middle of
    a file, one that takes the file end and then sleeps."""
    for ms in 400, 3000, 20000:
        g = gateway(f'silent-{ms}', settings={'oftp2_server': {
            'start_timeout': f'{ms}ms', 'inactivity_timeout': f'{2 * ms}ms',
            'disconnect_timeout': '300ms'}})
        if fell_silent(g):
            return
        g.stop()
    raise AssertionError('twenty seconds were not enough to log on')


def fell_silent(g):
    """False: one was cut off before it had come to where it falls silent."""
    r = Relation(g)
    never, started, within, between = (r.peer() for _ in range(4))
    try:
        never.expect('SSRM')
        for p in started, within, between:
            p.log_on()
        within.offer_file(File(b'x' * 5000, dsn='HALF'))
        within.send_data([b'x' * 3000], oebs=list(oftp.pack([b'x' * 3000], 1000)))
        assert between.send_file(File(b'whole', dsn='WHOLE')).taken
    except (oftp.Ended, oftp.Closed) as e:
        assert not isinstance(e, oftp.Ended) or e.reason == 9
        for p in never, started, within, between:
            p.close()
        return False
    for p in never, started, within, between:
        p.expect_esid(9)
    assert len(r.log('session.end.*ESID 09', 3)) == 3
    assert len(g.wait_log('session.end.*ESID 09', 4)) == 4
    sessions_gone(g)
    return True


def test_who_does_not_disconnect_is_disconnected(gateway):
    """OFTP2-C95 OFTP2-C96: after its ESID the gateway listens to nothing, waits, then closes."""
    g = gateway(settings={'oftp2_server': {'disconnect_timeout': '300ms'}})
    r = Relation(g)
    with r.call() as me:
        me.send('CDT')
        assert me.expect('ESID').reas == 2
        me.send('SFID', **File(b'x', dest=OWN, orig=r.code).sfid(5))
        me.expect_closed()
    assert r.documents() == []


def test_a_paused_listener_asks_to_come_later(plant):
    """OFTP2-C45: ESID 08 at log-on; SFNA with retry when the session had begun before."""
    r = Relation(plant)
    with r.call() as me:
        post(plant, f'/api/v1/listeners/{r.listener}/pause')
        assert r.listener_state()['state'] == 'paused'
        no = me.send_file(File(b'x', dsn='LATER')).answer
        assert (no.reas, no.rrtr) == (12, 'Y')
        refused(r, 8)
        post(plant, f'/api/v1/listeners/{r.listener}/resume')
        assert me.send_file(File(b'x', dsn='NOW')).taken
        assert me.run() == 0
    assert [p.name for p in r.delivered()] == ['NOW']
    assert r.wait_document('processed')
