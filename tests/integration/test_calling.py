"""We call partners: what is queued goes out, what they have comes in, failures are tried again."""

import datetime
import time

import pytest

import oftp
import scene
import waybill
from oftp import File, Server, encode
from scene import OWN, OWN_PASSWORD, Relation, events, post


def listening(code, **options):
    return Server(code, 'THEIRPW', **options)


# ---- one session ---------------------------------------------------------------------------

def test_smallest_call(plant):
    """OFTP2-C3 OFTP2-C4 OFTP2-C13: nothing is said before SSRM; each command has its length."""
    with listening('O0013CALL1') as server:
        r = Relation(plant, server=server)
        number = r.send(b'HELLO OFTP2\r\n', name='HELLO')
        with server.accept() as peer:
            with pytest.raises(oftp.Silent):
                peer.receive(0.2)
            peer.log_on()
            assert (peer.peer.code, peer.peer.pswd) == (OWN, OWN_PASSWORD)
            assert peer.run() == 0
            assert peer.files[0].data == b'HELLO OFTP2\r\n'
        d = scene.wait_document(plant, number, 'acknowledged')
    assert peer.names('<') == ['SSID', 'SFID', 'DATA', 'EFID', 'CD', 'RTR', 'ESID']
    assert [len(c.oeb) + 4 for way, c in peer.trace if way == '<' and c.name != 'DATA'] == [
        65, 169, 39, 5, 5, 11]
    assert events(d) == ['queued', 'sealed', 'sent', 'acknowledged']
    assert d['properties']['oftp2.initiator_ssidcode'] == OWN
    assert d['properties']['oftp2.responder_ssidcode'] == r.code


def test_files_both_ways_in_one_call(plant):
    """What the partner has for us comes after CD in the same session, and receipts of both."""
    with listening('O0013CALL2') as server:
        r = Relation(plant, server=server)
        numbers = [r.send(b'out %d' % i, name=f'OUT{i}') for i in range(3)]
        server.outgoing.extend(File(b'in %d' % i, dsn=f'IN{i}') for i in range(3))
        server.start()
        for n in numbers:
            scene.wait_document(plant, n, 'acknowledged')
        assert sorted(p.read_bytes() for p in r.delivered(3)) == [b'in 0', b'in 1', b'in 2']
        assert [server.next_response().name for _ in range(3)] == ['EERP'] * 3
    assert server.problems == []


def test_files_go_in_the_order_they_were_handed_in(plant):
    with listening('O0013CALL3') as server:
        r = Relation(plant, server=server)
        r.send(b'first', name='F0')
        with server.accept() as peer:
            for i in range(1, 8):
                r.send(b'x', name=f'F{i}')
            peer.log_on()
            peer.run()
            names = [f.sfid.dsn for f in peer.files]
        while len(names) < 8:
            with server.accept() as peer:
                peer.log_on()
                peer.run()
                names += [f.sfid.dsn for f in peer.files]
        assert names == [f'F{i}' for i in range(8)]
        stamps = {(f.sfid.date, f.sfid.time) for f in peer.files}
        assert len(stamps) == len(peer.files)


@pytest.mark.parametrize('data, fsiz', [(b'', 0), (b'x', 1), (b'x' * 1024, 1), (b'x' * 1025, 2)])
def test_announced_sizes(plant, data, fsiz):
    """OFTP2-C67 OFTP2-C68 OFTP2-C78: blocks rounded up, record length 0, an empty file goes."""
    with listening(f'O0013SIZE{len(data)}') as server:
        r = Relation(plant, server=server)
        for fmt in 'UT':
            number = r.send(data, name='SIZE', format=fmt)
            with server.accept() as peer:
                peer.log_on()
                peer.run()
                got, = peer.files
            assert (got.sfid.fsiz, got.sfid.osiz, got.sfid.lrecl) == (fsiz, fsiz, 0)
            assert got.data == data and got.oebs == ([2] if not data else got.oebs)
            scene.wait_document(plant, number, 'acknowledged')


@pytest.mark.parametrize('sdeb, cred, cmpr', [(128, 1, 'N'), (128, 1, 'Y'), (2048, 3, 'N'),
                                              (99999, 999, 'Y')])
def test_all_formats_go(plant, sdeb, cred, cmpr):
    """OFTP2-C74 OFTP2-C75 OFTP2-C76 OFTP2-C77 OFTP2-C80: the strict partner checks ends of record,
    counts, credit and buffer sizes."""
    with listening(f'O0013FMT{sdeb}{cmpr}', sdeb=sdeb, cred=cred, cmpr=cmpr) as server:
        r = Relation(plant, server=server, buffer_compression=True)
        text = b'one\r\ntwo\r\n' * 99
        records = [b'', b'a' * 300, b'', b'b', b'xyz' * 50] * 9
        r.send(b'U' * 3000 + bytes(range(256)) * 20, name='U')
        r.send(text, name='T', format='T')
        r.send(b'0123456789' * 100, name='F', format='F', record_length=10)
        r.send(b''.join(x + b'\n' for x in records), name='V', format='V', record_length=300)
        r.send(b''.join(x + b'\r\n' for x in records), name='V2', format='V', record_length=300,
               record_delimiter='crlf')
        server.start()
        got = {}
        while len(got) < 5:
            f = server.next_file()
            got[f.sfid.dsn] = f
    assert got['U'].data == b'U' * 3000 + bytes(range(256)) * 20
    assert got['T'].data == text and got['T'].unpacker.ends == 1
    assert got['F'].records == [b'0123456789'] * 100
    assert got['V'].records == got['V2'].records == records
    assert (got['V'].unpacker.compressed > 0) == (cmpr == 'Y')
    assert server.problems == []


@pytest.mark.parametrize('level', [1, 2, 4])
def test_a_partner_of_a_lower_level(plant, level):
    with listening(f'O0013LEVEL{level}', level=level) as server:
        r = Relation(plant, server=server)
        number = r.send(b'x' * 3000, name='LOWER', description='is not sent')
        server.start()
        assert server.next_file().data == b'x' * 3000
        scene.wait_document(plant, number, 'acknowledged')


def test_the_turn_asked_for(plant):
    """OFTP2-C87 OFTP2-C93: EFPA(Y) is answered by CD at once, with files still waiting."""
    with listening('O0013TURN') as server:
        r = Relation(plant, server=server)
        numbers = [r.send(b'%d' % i, name=f'F{i}') for i in range(3)]
        server.start(want_turn=True)
        for n in numbers:
            scene.wait_document(plant, n, 'acknowledged')
    assert server.problems == []


def test_credit_is_kept(plant):
    """OFTP2-C80: exactly the window, then silence, also when the file ended there."""
    with listening('O0013CREDIT', sdeb=128, cred=3) as server:
        r = Relation(plant, server=server)
        r.send(b'x' * 125 * 6, name='CREDIT')
        with server.accept() as peer:
            peer.log_on()
            sfid = peer.expect_file()
            got = peer.take_file(sfid, grant=False)
            assert len(got.oebs) == 3
            peer.silent(0.2)
            peer.send('CDT')
            for _ in range(3):
                peer.expect('DATA')
            peer.silent(0.2)
            peer.send('CDT')
            assert peer.expect('EFID').ucnt == 750
            peer.send('EFPA', cd='N')
            peer.run()


def test_credit_granted_early_and_late(plant):
    """OFTP2-C26 OFTP2-C83: CDT of one octet; one that crosses EFID is borne."""
    with listening('O0013EARLY', sdeb=128, cred=3) as server:
        r = Relation(plant, server=server)
        number = r.send(b'x' * 125 * 5, name='EARLY')
        with server.accept() as peer:
            peer.log_on()
            peer.take_file(peer.expect_file(), grant=False)
            peer.send_oeb(b'C')
            peer.expect('DATA')
            peer.expect('DATA')
            peer.expect('EFID')
            peer.send('CDT')
            peer.send('EFPA', cd='N')
            peer.run()
        scene.wait_document(plant, number, 'sent', 'acknowledged')


# ---- the other side's log-on ---------------------------------------------------------------

@pytest.mark.parametrize('answer, reason, text', [
    ({'code': 'O0013SOMEBODY'}, 3, 'O0013SOMEBODY'),
    ({'pswd': 'WRONG'}, 4, 'password'),
    ({'lev': b'9'}, 10, 'level'),
    ({'cred': 999}, (2, 10), 'credit'),
    ({'sdeb': b'00100'}, (6, 10), ''),
    ({'auth': 'Y'}, 12, 'authentication'),
    ({'spec': 'Y'}, 10, 'special'),
])
def test_answers_that_do_not_fit(plant, answer, reason, text):
    """OFTP2-C29 OFTP2-C33 OFTP2-C34 OFTP2-C41 OFTP2-C43: nothing is sent; the reason is told in the
    log and at the document, which waits for the next call."""
    with listening('O0013' + ''.join(answer).upper()) as server:
        r = Relation(plant, server=server, credit=10)
        number = r.send(b'secret', name='NOT-FOR-THEM')
        with server.accept() as peer:
            peer.send_oeb(encode('SSRM'))
            ssid = peer.expect('SSID')
            peer.level = 5
            peer.send('SSID', **{**peer.own, 'sdeb': 4096, 'cred': 10, **answer})
            peer.peer = ssid
            esid = peer.expect_esid(*(reason if isinstance(reason, tuple) else (reason,)))
        line = r.log('call.failed')[0]
        assert f'ESID {esid.reas:02d}' in line and text in line
        assert 'WRONG' not in line and 'THEIRPW' not in line
        assert 'SFID' not in peer.names('<')
        server.start()
        scene.wait_document(plant, number, 'acknowledged')


def test_a_partner_held_to_2_0_answers_less(plant):
    """OFTP2-C30"""
    with listening('O0013LESS', level=4) as server:
        r = Relation(plant, server=server, level_min='2.0')
        number = r.send(b'x', name='NO')
        with server.accept() as peer:
            peer.log_on()
            peer.expect_esid(10)
        post(plant, f'/api/v1/documents/{number}/cancel')


@pytest.mark.parametrize('greeting', [b'IODETTE FTP BUSY  \r', b'220 mail.example ESMTP\r\n', b''])
def test_who_greets_otherwise(plant, greeting):
    """OFTP2-C18: our code and password are not sent to whoever answers there."""
    with listening(f'O0013GREET{len(greeting)}') as server:
        r = Relation(plant, server=server)
        number = r.send(b'x', name='NO')
        with server.accept() as peer:
            peer.send_bytes(oftp.frame(greeting) if greeting[:1] == b'I' else greeting)
            if not greeting:
                peer.close()
            else:
                with pytest.raises((oftp.Closed, oftp.Ended)):
                    peer.receive()
                assert 'SSID' not in peer.names('<')
        assert r.log('call.failed')
        post(plant, f'/api/v1/documents/{number}/cancel')


def test_the_partner_refuses_us(plant):
    """OFTP2-C98: its reason and text are kept at the document."""
    with listening('O0013REFUSES') as server:
        r = Relation(plant, server=server)
        number = r.send(b'x', name='NO')
        with server.accept() as peer:
            peer.send_oeb(encode('SSRM'))
            peer.expect('SSID')
            peer.send_esid(4, 'your password has expired')
            peer.expect_closed()
        assert 'your password has expired' in r.log('call.failed')[0]
        server.start()
        scene.wait_document(plant, number, 'acknowledged')


# ---- again and again -----------------------------------------------------------------------

@pytest.fixture
def port():
    """Nobody listens there."""
    with waybill.nobody() as port:
        yield port


def test_refused_connections_are_tried_again(plant, port):
    """With growing intervals, until the partner is there; the document tells why it waits."""
    r = Relation(plant, code='O0013BACKOFF', host='127.0.0.1', port=port, identity='us',
                 retry={'first': '50ms', 'max': '400ms'})
    begin = time.time()
    number = r.send(b'patience', name='PATIENCE')
    lines = r.log('call.failed', 5)
    # From the begin on: a line may come late, and then the next one is nearer to it.
    times = [moment(line.split()[0]).timestamp() - begin for line in lines[:5]]
    for at, pauses in zip(times[1:], (0.05, 0.15, 0.35, 0.75)):
        assert at >= 0.9 * pauses, times
    assert 'refused' in lines[0] and 'waybill test' in lines[0]
    assert scene.document(plant, number)['state'] == 'sealed'
    with Server(r.code, r.password, port=port) as server:
        server.start()
        scene.wait_document(plant, number, 'acknowledged')


def test_what_waits_tells_when_the_next_call_is(plant, port):
    r = Relation(plant, code='O0013NEXT', host='127.0.0.1', port=port, identity='us',
                 retry={'first': '1h', 'max': '1h'})
    number = r.send(b'later', name='LATER')
    line = r.log('call.failed', 1)[0]
    assert 'in_s=3600' in line
    # also what was handed in after the call
    for n in number, r.send(b'later, too', name='LATER-TOO'):
        d = scene.wait_document(plant, n, 'sealed')
        job, = (j for j in plant.get('/api/v1/jobs')['jobs'] if j['document'] == n)
        wait = moment(job['not_before']) - moment(d['created'])
        assert wait.total_seconds() > 3000, (d['created'], job)


def moment(text):
    return datetime.datetime.fromisoformat(text.replace('Z', '+00:00'))


def test_attempts_that_are_used_up(plant, port):
    r = Relation(plant, code='O0013USEDUP', host='127.0.0.1', port=port, identity='us',
                 retry={'first': '20ms', 'max': '20ms', 'attempts': 3})
    number = r.send(b'x', name='GIVE-UP')
    d = scene.wait_document(plant, number, 'failed')
    assert 'refused' in d['reason']
    assert len(r.log('call.failed', 3)) == 3
    with Server(r.code, r.password, port=r.settings['port']) as server:
        server.start()
        plant.cli('retry', str(number))
        scene.wait_document(plant, number, 'acknowledged')


def test_refused_for_now(plant):
    """OFTP2-C64: SFNA with retry: not again in this session, but in a later one; OFTP2-C65: the next
    file goes at once."""
    with listening('O0013FORNOW') as server:
        r = Relation(plant, server=server)
        with listening_after(server, r, 'LATER', 'NEXT') as peer:
            sfid = peer.expect_file()
            assert sfid.dsn == 'LATER'
            peer.refuse_file(12, 'Y', 'no room just now')
            peer.take_file(peer.expect_file())
            peer.run(receipt=None)
            assert [f.sfid.dsn for f in peer.files] == ['NEXT']
        with server.accept() as peer:
            peer.log_on()
            again = peer.expect_file()
            assert (again.dsn, again.date, again.time) == (sfid.dsn, sfid.date, sfid.time)
            peer.take_file(again)
            peer.run()
        number = [d['id'] for d in r.documents() if d['name'] == 'LATER'][0]
        d = scene.document(plant, number)
        assert 'refused for now' in events(d)
        assert any('no room just now' in e['text'] for e in d['events'])


def listening_after(server, relation, *names):
    """A session in which all of these files wait."""
    post(relation.gateway, f'/api/v1/listeners/{relation.listener}/pause')
    for n in names:
        relation.send(b'x', name=n)
    peer = server.accept()
    post(relation.gateway, f'/api/v1/listeners/{relation.listener}/resume')
    peer.log_on()
    return peer


def test_refused_for_good(plant):
    """OFTP2-C64: SFNA without retry is never tried again by itself; `waybill retry` does."""
    with listening('O0013FORGOOD') as server:
        r = Relation(plant, server=server)
        number = r.send(b'x', name='NEVER')
        with server.accept() as peer:
            peer.log_on()
            peer.expect_file()
            peer.refuse_file(2, 'N', 'nobody of that name')
            assert peer.run() == 0
        d = scene.wait_document(plant, number, 'failed')
        assert 'SFNA 02' in d['reason'] and 'nobody of that name' in d['reason']
        assert d['properties']['oftp2.nareas'] == '02'
        assert d['properties']['oftp2.nareast'] == 'nobody of that name'
        with pytest.raises(oftp.Silent):
            server.accept(timeout=0.6)
        plant.cli('retry', str(number))
        with server.accept() as peer:
            peer.log_on()
            peer.run()
        scene.wait_document(plant, number, 'acknowledged')


def test_already_there(plant):
    """oftp2.md 9.3: SFNA 13 after EFPA was lost means that the partner has it."""
    with listening('O0013LOSTEFPA') as server:
        r = Relation(plant, server=server)
        number = r.send(b'x' * 5000, name='LOST')
        with server.accept() as peer:
            peer.log_on()
            sfid = peer.expect_file()
            peer.send('SFPA', acnt=0)
            while peer.expect('DATA', 'EFID').name != 'EFID':
                pass
            peer.reset()
        with server.accept() as peer:
            peer.log_on()
            peer.expect_file()
            peer.refuse_file(13, 'N', 'duplicate')
            peer.run(responses=[('EERP', sfid, {})])
        scene.wait_document(plant, number, 'acknowledged')


@pytest.mark.parametrize('reason, again', [(11, True), (12, True), (99, True), (6, False)])
def test_end_of_file_refused(plant, reason, again):
    """OFTP2-C88: EFNA leaves the turn; transient ones are tried again from the start."""
    with listening(f'O0013EFNA{reason}') as server:
        r = Relation(plant, server=server)
        number = r.send(b'x' * 9000, name='EFNA')
        with server.accept() as peer:
            peer.log_on()
            peer.take_file(peer.expect_file(), refuse_end=(reason, 'no'))
            peer.run(receipt=None)
            assert peer.files == []
        if not again:
            assert f'EFNA {reason:02d}' in scene.wait_document(plant, number, 'failed')['reason']
            return
        with server.accept() as peer:
            peer.log_on()
            sfid = peer.expect_file()
            assert sfid.rest == 0
            peer.take_file(sfid)
            peer.run()
        scene.wait_document(plant, number, 'sent')


# ---- by schedule and by hand ---------------------------------------------------------------

def test_polling(plant):
    """A partner is called on its schedule also when nothing waits for it; no faster."""
    with listening('O0013POLL') as server:
        server.start()
        begin = time.monotonic()
        r = Relation(plant, server=server, poll='300ms')
        for i in range(3):
            server.outgoing.append(File(b'%d' % i, dsn=f'P{i}'))
            server.next_session()
        assert time.monotonic() - begin > 0.5
        assert r.delivered(3)
        scene.apply(plant, r.partner_component(poll='0'))


def test_called_by_hand(plant):
    with listening('O0013BYHAND') as server:
        r = Relation(plant, server=server)
        post(plant, f'/api/v1/partners/{r.name}/call', 202)
        with server.accept() as peer:
            peer.log_on()
            peer.run(files=[File(b'here you are', dsn='FETCHED')])
        assert r.delivered()[0].read_bytes() == b'here you are'
        plant.cli('call', r.name)
        with server.accept() as peer:
            peer.log_on()
            assert peer.run() == 0
        passive = Relation(plant)
        post(plant, f'/api/v1/partners/{passive.name}/call', 422)
        post(plant, '/api/v1/partners/nobody/call', 404)


def test_a_password_of_ours_that_is_missing(gateway):
    """Nothing is taken to be sent, and nobody is called, with a blank one."""
    g = gateway()
    with listening('O0013NOSECRET') as server:
        scene.apply(g, scene.identity('secretive', 'O0013SECRETIVE', {'secret': 'our-password'}))
        r = Relation(g, server=server, identity='secretive')
        assert 'our-password' in r.send(b'x', status=422)['error']
        post(g, f'/api/v1/partners/{r.name}/call', 202)
        assert 'our-password' in r.log('call.failed')[0]
        (g.data / 'secrets').mkdir(exist_ok=True)
        (g.data / 'secrets' / 'our-password').write_text('HERE\n')
        post(g, '/api/v1/reload')
        number = r.send(b'x', name='WAITS')
        with server.accept() as peer:
            peer.log_on()
            assert (peer.peer.code, peer.peer.pswd) == ('O0013SECRETIVE', 'HERE')
            assert peer.run() == 0
        scene.wait_document(g, number, 'acknowledged')


def test_over_ipv6(plant):
    """OFTP2-C11"""
    with listening('O0013SIX', host='::1') as server:
        r = Relation(plant, server=server)
        number = r.send(b'six', name='SIX')
        server.start()
        scene.wait_document(plant, number, 'acknowledged')


def test_a_partner_that_falls_silent(gateway):
    """OFTP2-C99: in the start, in a file and after it; the document is tried again."""
    g = gateway(settings={'oftp2_server': {'inactivity_timeout': '400ms', 'start_timeout': '400ms',
                                           'end_file_timeout': '600ms'}})
    with listening('O0013SILENT') as server:
        r = Relation(g, server=server)
        number = r.send(b'x' * 9000, name='SILENT')
        stage = 0
        for _ in range(40):
            with server.accept() as peer:
                try:
                    if stage > 0:
                        peer.log_on()
                        peer.expect_file()
                    if stage > 1:
                        peer.send('SFPA', acnt=0)
                    if stage > 2:
                        while peer.expect('DATA', 'EFID').name != 'EFID':
                            pass
                except (oftp.Ended, oftp.Closed):
                    continue        # it took too long to come to where it falls silent
                try:
                    while peer.expect('DATA', 'EFID'):
                        pass
                except oftp.Ended as e:
                    assert e.reason == 9 and stage > 0
                except oftp.Closed:
                    assert stage == 0
                stage += 1
                if stage == 4:
                    break
        assert stage == 4
        server.start()
        scene.wait_document(g, number, 'acknowledged')
