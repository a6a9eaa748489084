"""Deploying, replacing, deleting, pausing, resuming and restarting, with sessions under way."""

import json
import threading

import scene
import waybill
from oftp import File, pack
from scene import Relation, apply, post


def delete(plant, kind, name, status=200):
    got, body = plant.request('DELETE', f'/api/v1/components/{kind}/{name}')
    assert got == status, body
    return json.loads(body)


def test_replaced_in_the_middle_of_a_file(plant, tmp_path):
    """The session goes on; the file that ends after the change goes the new way."""
    r = Relation(plant)
    data = b'0123456789' * 20_000
    with r.call(cred=999) as me:
        me.offer_file(File(data, dsn='MIDDLE'))
        half = len(data) // 2 // 1007 * 1007
        me.send_data(None, oebs=list(pack([data], 1024))[:half // 1007])
        apply(plant, r.process_component([{'write': {'directory': tmp_path,
                                                     'name': 'new-{{oftp2.sfiddsn}}'}}]))
        me.send_data(None, oebs=list(pack([data[half:]], 1024)))
        assert me.end_file(0, len(data)).name == 'EFPA'
        assert me.run() == 0
    found, = plant.wait_files(tmp_path)
    assert found.name == 'new-MIDDLE' and found.read_bytes() == data
    assert not list(r.inbox.iterdir())
    assert r.listener_state()['version'] == 2


def test_others_are_not_disturbed(plant):
    """While components come and go, sessions of others run on and none is lost."""
    steady, problems, stop = Relation(plant), [], threading.Event()
    sent = []

    def play():
        try:
            with steady.call() as me:
                while not stop.is_set():
                    name = f'S{len(sent)}'
                    assert me.send_file(File(name.encode() * 3000, dsn=name)).taken
                    sent.append(name)
                assert me.run() == 0
        except BaseException as e:
            problems.append(e)

    t = threading.Thread(target=play)
    t.start()
    for _ in range(8):
        r = Relation(plant)
        r.deliver(b'x')
        for what in 'pause', 'resume', 'restart':
            post(plant, f'/api/v1/listeners/{r.listener}/{what}')
        apply(plant, r.partner_component(credit=5))
        delete(plant, 'process', r.listener)
        delete(plant, 'partner', r.name)
    stop.set()
    t.join(waybill.patient(60))
    assert not t.is_alive() and not problems and sent, problems
    steady.delivered(len(sent))


def test_deleted_during_a_session(plant):
    """The log-on stays, the files do not."""
    r = Relation(plant)
    with r.call() as me:
        assert me.send_file(File(b'x', dsn='BEFORE')).taken
        delete(plant, 'process', r.listener)
        no = me.send_file(File(b'x', dsn='AFTER')).answer
        assert no.name == 'SFNA' and no.reas in (2, 3)
        assert me.run() == 0
    with r.peer() as me:
        me.expect('SSRM')
        me.send('SSID', **me.own)
        me.expect_esid(3)


def test_deleted_in_the_middle_of_a_file(plant):
    r = Relation(plant)
    data = b'x' * 50_000
    with r.call() as me:
        me.offer_file(File(data, dsn='ORPHAN'))
        me.send_data([data], stop_after=20_000)
        delete(plant, 'process', r.listener)
        me.reset()
    r2 = Relation(plant)
    with r2.call() as me:
        me.offer_file(File(b'abc', dsn='ORPHAN'))
        me.send_data([b'abc'])
        delete(plant, 'process', r2.listener)
        end = me.end_file(0, 3)
        assert end.name == 'EFNA'
        me.run()
    assert r2.documents(state='processed') == []


def test_documents_of_a_deleted_process(plant, tmp_path):
    """They fail with the reason, and run again once it is back."""
    r = Relation(plant, steps=[{'http': {'url': 'http://127.0.0.1:9/', 'retry_delay': '300ms',
                                         'retries': 1000}}])
    r.deliver(b'x')
    number = r.documents()[0]['id']
    waybill.wait_until(lambda: 'step later' in scene.events(scene.document(plant, number)))
    delete(plant, 'process', r.listener)
    d = r.wait_document('failed')
    assert 'no longer deployed' in d['reason']
    apply(plant, r.process_component([{'write': {'directory': tmp_path}}]))
    post(plant, f'/api/v1/documents/{d["id"]}/retry')
    r.wait_document('processed')
    assert plant.wait_files(tmp_path)


def test_references_are_kept_whole(plant):
    r = Relation(plant)
    assert r.listener in delete(plant, 'partner', r.name, 409)['error']
    assert 'identity' in delete(plant, 'identity', 'us', 409)['error']
    apply(plant, scene.process('broken', 'nobody'), status=422)
    r.deliver(b'still works')


def test_paused_over_a_restart_of_the_runtime(gateway):
    g = gateway()
    r, other = Relation(g), Relation(g)
    post(g, f'/api/v1/listeners/{r.listener}/pause')
    g.restart()
    assert r.listener_state()['state'] == 'paused'
    with r.peer() as me:
        me.expect('SSRM')
        me.send('SSID', **me.own)
        me.expect_esid(8)
    other.deliver(b'x')
    apply(g, r.process_component(acknowledge='none'))
    assert r.listener_state()['state'] == 'paused'    # a change is no resume
    post(g, f'/api/v1/listeners/{r.listener}/resume')
    r.deliver(b'x')


def test_everything_is_there_after_a_restart(gateway):
    g = gateway()
    r = Relation(g)
    r.deliver(File(b'x', dsn='KEPT'))
    # a receipt is noted as sent when the session is over
    d = scene.wait_told(g, r.wait_document('processed')['id'])
    before = g.get('/api/v1/components')
    g.restart()
    assert g.get('/api/v1/components') == before
    assert scene.document(g, d['id']) == d
    assert r.listener_state()['version'] == 1
    r.deliver(File(b'y', dsn='NEXT'))
    assert r.documents()[0]['id'] > d['id']


def test_counters_of_a_listener(plant):
    r = Relation(plant, steps=[{'exec': {'command': ['/bin/false']}}])
    r.deliver(b'x')
    r.wait_document('failed')
    state = waybill.wait_until(lambda: r.listener_state()['failures'] and r.listener_state())
    assert (state['documents'], state['failures']) == (1, 1) and state['last']
    assert (state['server'], state['from_name'], state['to_name']) == ('oftp2-server', r.name,
                                                                      'us')


def test_reload_keeps_sessions_and_refuses_bad_settings(gateway):
    g = gateway()
    r = Relation(g)
    with r.call() as me:
        g.config_file.write_text(g.config_file.read_text() + 'nonsense: true\n')
        status, body = g.request('POST', '/api/v1/reload')
        assert status == 422 and 'nonsense' in body.decode()
        g.signal(1)
        g.wait_log('reload.problem.*nonsense')
        g.write_config()
        assert post(g, '/api/v1/reload')['reloaded']
        assert me.send_file(b'undisturbed').taken
        assert me.run() == 0


def test_partner_settings_changed_under_a_session(plant):
    """What was agreed at log-on holds; the next session has the new settings."""
    r = Relation(plant, credit=3)
    with r.call() as me:
        apply(plant, r.partner_component(credit=9, password='NEWPW'))
        assert me.credit == 3
        me.own['sdeb'] = 128
        assert me.send_file(File(b'x' * 20_000, dsn='OLD')).taken
        assert me.run() == 0
    with r.peer() as me:
        me.expect('SSRM')
        me.send('SSID', **me.own)
        me.expect_esid(4)
    r.password = 'NEWPW'
    with r.call() as me:
        assert me.peer.cred == 9
