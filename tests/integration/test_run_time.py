"""What is looked at and set while the gateway runs: one session and its trace, levels of the log; and
the commands for what was applied."""

import http.client
import json
import threading

import pytest

import scene
import waybill
from oftp import File
from scene import Relation


class Trace:
    """Lines of GET /api/v1/trace, read by a thread."""

    def __init__(self, gateway, **query):
        self.connection = waybill.UnixConnection(str(gateway.socket), waybill.patient(60))
        self.connection.request('GET', scene.query('/api/v1/trace', **query))
        self.response = self.connection.getresponse()
        self.lines = []
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        try:
            while line := self.response.readline():
                self.lines.append(line.decode())
        except (OSError, ValueError, AttributeError, http.client.HTTPException):
            pass

    def wait(self, text):
        return waybill.wait_until(lambda: any(text in line for line in self.lines), 20, text)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.sock.shutdown(2)
        self.thread.join(20)


def running(plant, r):
    return [s for s in plant.get('/api/v1/sessions')['sessions'] if s['partner'] == r.name]


def test_one_session_and_its_trace_from_here_on(plant):
    """The trace begins in the middle of the session, and has nothing of another one."""
    r, other = Relation(plant), Relation(plant)
    with r.call() as me, other.call() as they:
        they.offer_file(File(b'abc', dsn='ELSEWHERE'))
        session, = waybill.wait_until(lambda: running(plant, r), 20, 'the session')
        one = plant.get(f'/api/v1/sessions/{session["id"]}')
        assert (one['id'], one['protocol'], one['partner']) == (session['id'], 'oftp2', r.name)
        with Trace(plant, session=session['id']) as trace:
            assert trace.response.status == 200

            def seen():
                assert me.send_file(File(b'x' * 10, dsn='SEEN')).taken
                return any('SFID' in line for line in trace.lines)
            waybill.wait_until(seen, 20, 'a line of the session', every=0.6)
            trace.wait('SEEN')
            assert not any('ELSEWHERE' in line for line in trace.lines)
        they.close()
    waybill.wait_until(lambda: not running(plant, r), 20, 'the session to end')
    plant.get(f'/api/v1/sessions/{session["id"]}', 404)
    for status, path in (404, f'/api/v1/trace?session={session["id"]}'), (400, '/api/v1/trace?session=x'), \
            (400, '/api/v1/sessions/x'), (404, '/api/v1/sessions/999999'):
        assert plant.request('GET', path)[0] == status, path


def set_level(plant, status=200, **body):
    return scene.post(plant, '/api/v1/log', status, json.dumps(body))


def test_debug_for_one_partner_tells_its_commands(plant):
    """Until it is taken back; nothing of another partner, and no passwords."""
    a, b = Relation(plant, password='GEHEIM'), Relation(plant)
    set_level(plant, partner=a.name, level='debug')
    assert [s['partner'] for s in plant.get('/api/v1/log')['set']] == [a.name]
    b.deliver(File(b'x', dsn='QUIET'))
    a.deliver(File(b'x', dsn='LOUD'))
    plant.wait_log(r'debug trace partner=' + a.name + r' .*SFID.*LOUD')
    assert not plant.log_lines(r'debug trace partner=' + b.name)
    assert 'GEHEIM' not in plant.log()
    assert set_level(plant, partner=a.name, level='default')['set'] == []
    assert any(a.name in line['what'] and 'debug' in line['what']
               for line in plant.get('/api/v1/audit')['audit'])


def test_fewer_lines_of_one_partner(plant):
    a, b = Relation(plant), Relation(plant)
    set_level(plant, partner=a.name, level='error')
    a.deliver(b'x')
    b.deliver(b'x')
    plant.wait_log(f'oftp2.session.end .*partner={b.name}')
    assert not plant.log_lines(f'oftp2.file.received .*partner={a.name}')
    set_level(plant, partner=a.name, level='default')


def test_a_level_ends_by_itself(plant):
    assert set_level(plant, level='error', **{'for': 1})['level'] == 'error'
    waybill.wait_until(lambda: plant.get('/api/v1/log') == {
        'level': 'info', 'configured': 'info', 'set': []}, 20, 'the level to end')


def test_a_level_does_not_outlive_the_runtime(gateway):
    g = gateway()
    set_level(g, level='debug')
    g.restart()
    assert g.get('/api/v1/log') == {'level': 'info', 'configured': 'info', 'set': []}


@pytest.mark.parametrize('status, body', [
    (400, {}), (400, {'level': 'loud'}), (400, {'level': 1}), (400, {'level': 'info', 'for': 0}),
    (400, {'level': 'info', 'for': 'x'}), (400, {'level': 'info', 'for': 1 << 60}),
    (404, {'level': 'info', 'partner': 'nobody'}), (404, {'level': 'info', 'partner': 'x' * 5000})])
def test_levels_that_are_none(plant, status, body):
    assert set_level(plant, status, **body)['error']
    assert plant.get('/api/v1/log')['set'] == []


def test_the_commands(plant):
    r = Relation(plant)
    scene.apply(plant, r.partner_component(host='127.0.0.1'))
    names = plant.cli('components', '--kind', 'partner')['components']
    assert r.name in [c['name'] for c in names] and {c['kind'] for c in names} == {'partner'}
    assert [v['version'] for v in plant.cli('versions', 'partner', r.name)['versions']] == [2, 1]
    assert 'host' not in plant.cli('versions', 'partner', r.name, 1)['text']
    assert any('host' in line for line in plant.cli('diff', 'partner', r.name)['lines'])
    same = plant.cli('diff', 'partner', r.name, '--from', 1, '--to', 1)['lines']
    assert {line[0] for line in same} == {' '}
    assert 'oftp2_server' in plant.cli('settings')['text']
    assert plant.cli('log-level', 'debug', '--partner', r.name, '--for', '10m')['set'][0]['until']
    assert plant.cli('log-level')['set'][0]['partner'] == r.name
    assert plant.cli('log-level', 'default', '-p', r.name)['set'] == []
    plant.cli('log-level', 'loud', check=1)
    plant.cli('log-level', 'info', '--for', 'x', check=2)
    for command in ('components',), ('versions', 'partner', r.name), ('diff', 'partner', r.name), \
            ('settings',), ('log-level',):
        assert plant.cli(*command, json_output=False).strip()
