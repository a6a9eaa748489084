"""SIGTERM in every phase: the program ends with status 0 within runtime.stop_timeout and a few
seconds, whatever a partner, a program or a server does; what was cut short goes on afterwards."""

import contextlib
import os
import signal
import socket
import threading
import time

import oftp
import pytest
import scene
import waybill

STOP_TIMEOUT = 1
GRACE = 7       # ESID, its answer, the end of threads
SETTINGS = {'runtime': {'stop_timeout': f'{STOP_TIMEOUT}s'}}


@pytest.fixture
def plant(gateway):
    return gateway('plant-7', settings=SETTINGS)


def stop(g, limit=STOP_TIMEOUT + GRACE):
    """What they wait for here would take more than a minute; a loaded machine takes longer than the
    limit, too, but not that long."""
    g.signal(signal.SIGTERM)
    assert g.exit_status(limit) == 0


@contextlib.contextmanager
def silent_server():
    """Takes connections and says nothing. Yields (port, event of the first connection)."""
    came = threading.Event()
    held = []
    with socket.create_server(('127.0.0.1', 0)) as s:
        def run():
            with contextlib.suppress(OSError):
                while True:
                    held.append(s.accept()[0])
                    came.set()
        threading.Thread(target=run, daemon=True).start()
        yield s.getsockname()[1], came
        s.shutdown(socket.SHUT_RDWR)
    for c in held:
        c.close()


def program(*lines):
    return {'exec': {'command': ['/bin/sh', '-c', '; '.join(lines)], 'timeout': '10m'}}


def test_clients_that_never_speak(gateway, authority):
    """Neither one in the TLS handshake nor one before SSID holds the program."""
    own = authority.issue('plant.example')
    g = gateway('plant-7', settings=SETTINGS, tls='our-tls', components=[
        {'certificate': 'our-tls', 'file': str(own.cert), 'key_file': str(own.key)}])
    with socket.create_connection((g.host, g.tls_port)), \
            socket.create_connection((g.host, g.port)):
        time.sleep(0.3)
        stop(g)


@pytest.mark.parametrize('tls', [False, True])
def test_a_partner_that_does_not_answer_our_call(plant, authority, tls):
    with silent_server() as (port, called):
        scene.apply(plant, {'certificate': 'ca', 'file': str(authority.cert)})
        more = {'session_level_encryption': True, 'server_ssl_certificate': 'ca'} if tls else {}
        r = scene.Relation(plant, host='127.0.0.1', port=port, identity='us', **more)
        number = r.send(b'octets')
        assert called.wait(waybill.patient(10))
        stop(plant)
    plant.start()
    assert scene.document(plant, number)['state'] == 'sealed'


def test_a_connection_test_under_way(plant):
    with silent_server() as (port, called):
        r = scene.Relation(plant, host='127.0.0.1', port=port, identity='us')

        def ask():
            with contextlib.suppress(Exception):
                plant.request('POST', f'/api/v1/partners/{r.name}/test')

        t = threading.Thread(target=ask, daemon=True)
        t.start()
        assert called.wait(waybill.patient(10))
        stop(plant)
        t.join(waybill.patient(10))


@pytest.mark.parametrize('acknowledge', ['received', 'processed'])
def test_a_program_that_takes_long(plant, tmp_path, acknowledge):
    """It is stopped, but the document has not failed: it comes again, as a redelivery. The partner
    hears nothing of it."""
    runs = tmp_path / 'runs'
    r = scene.Relation(plant, operation={'acknowledge': acknowledge}, steps=[program(
        f'echo $WAYBILL_EXECUTION_REDELIVERED >> {runs}',
        f'test -e {tmp_path}/go || exec sleep 100')])
    with r.call() as me:
        assert me.send_file(oftp.File(b'x' * 50000)).taken
        waybill.wait_until(runs.exists)
        stop(plant)
    (tmp_path / 'go').touch()
    plant.start()
    d = r.wait_document('processed')
    assert runs.read_text().split() == ['false', 'true'] and d['redelivered']
    assert 'failed' not in scene.events(d)
    assert [x['kind'] for x in d['receipts']] == ['EERP']


def test_a_server_that_does_not_answer(plant):
    with silent_server() as (port, called):
        r = scene.Relation(plant, operation={'acknowledge': 'processed'}, steps=[
            {'http': {'url': f'http://127.0.0.1:{port}/', 'timeout': '5m'}}])
        with r.call() as me:
            assert me.send_file(oftp.File(b'x' * 50000)).taken
            assert called.wait(waybill.patient(10))
            stop(plant)
        plant.start()
        d = r.wait_document('processing')
        assert 'failed' not in scene.events(d) and not d['receipts']
        stop(plant)


@pytest.mark.parametrize('octets', [1000, 3 << 20])
def test_a_partner_that_stops_in_the_middle_of_a_file(plant, octets):
    """The transfer gets its time, then ESID 05; what came is kept for the restart."""
    r = scene.Relation(plant)
    file = oftp.File(os.urandom(octets * 2), dsn='HALF')
    with r.call(sdeb=99999, cred=999) as me:
        me.send_file(file, stop_after=octets)
        scene_done(plant, octets // 2)
        stop(plant)
        me.expect_esid(5)
    plant.start()
    kept = scene.partial(r, 1)['progress']
    with r.call(sdeb=99999, cred=999) as me:
        assert me.send_file(file, rest=kept // 1024).taken
        me.run()
    assert r.delivered(1)[0].read_bytes() == file.data


def scene_done(g, octets):
    waybill.wait_until(lambda: any(s['done'] >= octets
                                   for s in g.get('/api/v1/sessions')['sessions']), 20,
                       'octets to come')


def test_a_partner_that_does_not_read(plant):
    """We send a large file to somebody who takes the SFID and then reads no more."""
    with oftp.Server('O0013SLOW', 'PW', sdeb=99999, cred=999) as server:
        r = scene.Relation(plant, server=server)
        number = r.send(os.urandom(30 << 20))
        me = server.accept()
        me.log_on()
        sfid = me.expect_file()
        me.send('SFPA', acnt=0)
        time.sleep(0.5)
        stop(plant)
        me.close()
        assert sfid
    plant.start()
    assert scene.document(plant, number)['state'] in ('sealed', 'sending')
