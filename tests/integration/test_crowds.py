"""Hundreds of connections at once, and crowds that mean no good: whoever is not of them is served
on, and what is too much is told so in the protocol's own words. `make scale` does it with
thousands."""

import pathlib
import sys

import pytest

import scene
import waybill

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'scale'))

import crowd    # noqa: E402

IDLE, PARTNERS, PER_ADDRESS = 300, 10, 350
PROTOCOLS = ['oftp2', 'as2']
LONG = 600      # seconds; a crowd that is ended before


@pytest.fixture(scope='module')
def program(tmp_path_factory):
    return crowd.build(tmp_path_factory.mktemp('crowd'))


@pytest.fixture(scope='module')
def plant(tmp_path_factory):
    # Nobody is sent away for his slowness here: on a slow machine all are slow.
    limits = {'max_connections_per_address': PER_ADDRESS}
    oftp2 = {'start_timeout': f'{LONG}s', 'inactivity_timeout': f'{LONG}s'}
    as2 = {'header_timeout': f'{LONG}s', 'idle_timeout': f'{LONG}s'}
    parts = [{'identity': 'us', 'oftp2': {'odette_id': 'O0013WAYBILL', 'password': 'PW'},
              'as2': {'as2_id': 'WAYBILL'}}]
    for n in range(PARTNERS):
        parts += [{'partner': f'crowd-{n}', 'oftp2': {'odette_id': f'O0013CROWD{n:04}',
                                                      'password': 'PW'},
                   'as2': {'as2_id': f'CROWD{n:04}'}},
                  scene.process(f'files-{n}', f'crowd-{n}'),
                  {'process': f'messages-{n}', 'start': {'listen': 'as2-server', 'operation': {
                      'from': {'partner': f'crowd-{n}'}, 'to': {'identity': 'us'}}}}]
    with waybill.Gateway(tmp_path_factory.mktemp('plant') / 'plant-7', settings={
            'oftp2_server': {**limits, **oftp2, 'max_sessions_per_partner': 100},
            'as2_server': {**limits, **as2, 'endpoints': [{'host': '127.0.0.1', 'port': 0}]},
            'log': {'level': 'warn'}}, components=parts) as g:
        yield g


def settings(plant, protocol, **more):
    port = next(e['port'] for e in plant.get('/api/v1/runtime')['endpoints']
                if e['protocol'] == protocol)
    names = {'code': 'O0013CROWD', 'own': 'O0013WAYBILL'} if protocol == 'oftp2' else \
        {'code': 'CROWD', 'own': 'WAYBILL'}
    return {'protocol': protocol, 'port': port, 'partners': PARTNERS, 'seconds': LONG, **names,
            **more}


def served(plant, program, protocol, source='127.0.0.1'):
    """Ten clients from this address send five documents each, which are all taken and answered."""
    done = crowd.run(program, **settings(plant, protocol, source=source, count=10, active=10,
                                         documents=5))
    assert (done['refused'], done['failed'], done['negative']) == (0, 0, 0), done
    assert done['documents'] == done['receipts'] == 50, done


@pytest.mark.parametrize('protocol', PROTOCOLS)
def test_hundreds_of_idle_connections_leave_the_others_served(plant, program, protocol):
    threads = plant.threads()
    with crowd.Crowd(program, **settings(plant, protocol, source='127.0.0.2', count=IDLE)) as c:
        opened = c.open()
        assert opened['opened'] == IDLE, opened
        assert plant.threads() >= IDLE
        served(plant, program, protocol)
        assert c.end(now=True)['open'] == IDLE
    waybill.wait_until(lambda: plant.threads() < threads + 20, 30, 'their threads to end')


@pytest.mark.parametrize('protocol', PROTOCOLS)
def test_slow_clients_leave_the_others_served(plant, program, protocol):
    """Heads and buffers that never end, and clients that say nothing, as many as may come in."""
    with crowd.Crowd(program, **settings(plant, protocol, source='127.0.0.3', mode='slow',
                                         slow_ms=200, count=IDLE, window=IDLE)), \
            crowd.Crowd(program, **settings(plant, protocol, source='127.0.0.4', mode='silent',
                                            count=IDLE, window=IDLE)):
        waybill.wait_until(lambda: plant.threads() > 2 * IDLE * 0.9, 30, 'them to come in')
        served(plant, program, protocol)


@pytest.mark.parametrize('protocol', PROTOCOLS)
def test_a_flood_from_one_address_is_refused_in_the_words_of_the_protocol(plant, program, protocol):
    """ESID 08 in place of SSRM; 503 with Retry-After. The log does not grow with the flood. The
    address has its fill of idle ones first, so that a slow gateway refuses just as well."""
    flood = settings(plant, protocol, source='127.0.0.5', mode='flood', count=PER_ADDRESS,
                     window=PER_ADDRESS, hold_ms=LONG * 1000)
    pattern = rf'{protocol}.connection.refused.*127.0.0.5.*max_connections_per_address'
    with crowd.Crowd(program, **settings(plant, protocol, source='127.0.0.5',
                                         count=PER_ADDRESS)) as full:
        assert full.open()['opened'] == PER_ADDRESS
        with crowd.Crowd(program, **flood) as c:
            waybill.wait_until(lambda: any('not told' in x for x in plant.log_lines(pattern)), 30,
                               'the flood to be refused')
            served(plant, program, protocol)
            end = c.end(now=True)
    assert len(plant.log_lines(pattern)) < end['refused'], end
    said = end['said']
    assert said.startswith('F08' if protocol == 'oftp2' else 'HTTP/1.1 503'), said
    assert protocol == 'oftp2' or 'Retry-After:' in said, said


def test_a_stop_ends_idle_connections_of_both_protocols(plant, program):
    with crowd.Crowd(program, **settings(plant, 'oftp2', source='127.0.0.6', count=50)) as a, \
            crowd.Crowd(program, **settings(plant, 'as2', source='127.0.0.6', count=50)) as b:
        assert a.open()['opened'] == b.open()['opened'] == 50
        plant.stop()
        assert a.end(now=True)['closed'] == b.end(now=True)['closed'] == 50
    plant.start()
