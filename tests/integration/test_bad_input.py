"""Octets nobody should send. Each connection costs one line in the log at most, and the gateway
goes on serving others."""

import os
import random
import socket

import pytest

import oftp
import waybill
from oftp import File, Server, encode, frame
from scene import OWN, Relation, post, sessions_gone

PLANT = {'settings': {'oftp2_server': {'disconnect_timeout': '200ms'}}}


@pytest.fixture
def serves(plant):
    """After the test the gateway must serve: files, and the API."""
    start = len(plant.log())
    resident = plant.resident_kb(peak=False)
    yield
    sessions_gone(plant)
    r = Relation(plant)
    r.deliver(File(b'still serving', dsn='SERVES'))
    assert r.delivered()[0].read_bytes() == b'still serving'
    if waybill.slow() == 1:
        assert plant.resident_kb(peak=False) < resident + 30_000
    assert all('PW' not in line.split() for line in plant.log()[start:].splitlines())


def lines(plant, start):
    return [x for x in plant.log()[start:].splitlines() if ' warn ' in x or ' error ' in x]


def one_line(plant, start):
    """The only warning or error since then, once it is there."""
    waybill.wait_until(lambda: lines(plant, start), 20, 'a line in the log')
    line, = lines(plant, start)
    return line


def throw(plant, octets, half_close=False):
    """Sends octets to the port and reads until the gateway closes; what it said."""
    with socket.create_connection((plant.host, plant.port), waybill.patient(20)) as s:
        said = b''
        try:
            s.sendall(octets)
            if half_close:
                s.shutdown(socket.SHUT_WR)
            while piece := s.recv(65536):
                said += piece
        except (ConnectionResetError, BrokenPipeError):
            pass
    return said


GARBAGE = {
    'http': b'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
    'tls': bytes.fromhex('16030100c8010000c40303') + b'x' * 200,
    'ssh': b'SSH-2.0-OpenSSH_9.6\r\n',
    'zeros': b'\0' * 5000,
    'ones': b'\xff' * 5000,
    'random': random.Random(1).randbytes(100_000),
    'text': b'hello\r\n',
    'length 4': b'\x10\0\0\x04',
    'length 100004': b'\x10\x01\x86\xa4' + b'X' * 100_000,
    'length 16M': b'\x10\xff\xff\xff' + b'X' * 300_000,
}


@pytest.mark.parametrize('octets', GARBAGE.values(), ids=GARBAGE)
def test_garbage_on_the_port(plant, serves, octets):
    start = len(plant.log())
    said = throw(plant, octets)
    assert said.startswith(b'\x10\0\0\x17IODETTE FTP READY ') and len(said) < 300
    sessions_gone(plant)
    assert '127.0.0.1' in one_line(plant, start)


def test_a_session_that_never_speaks(gateway):
    g = gateway(settings={'oftp2_server': {'start_timeout': '500ms', **PLANT['settings'][
        'oftp2_server']}})
    start = len(g.log())
    said = throw(g, b'')
    assert said[23:].startswith(b'\x10\0\0') and said[27:30] == b'F09'
    sessions_gone(g)
    one_line(g, start)


def test_half_closed_and_half_a_command(plant, serves):
    for octets in (b'', b'\x10', b'\x10\0\0\x41X5', frame(encode('SSID', lev=5, code='X'))):
        throw(plant, octets, half_close=True)
    sessions_gone(plant)


@pytest.mark.parametrize('field', ['code', 'pswd', 'user'])
def test_fields_of_ten_thousand_characters(plant, serves, field):
    """The command is too long then; it is refused and not quoted in full."""
    r = Relation(plant)
    start = len(plant.log())
    with r.peer() as me:
        me.expect('SSRM')
        me.send_oeb(encode('SSID', **{**me.own, field: b'A' * 10_000}))
        me.expect('ESID')
    sessions_gone(plant)
    assert len(one_line(plant, start)) < 1000


@pytest.mark.parametrize('oeb', [
    b'H' + b'A' * 10_000, b'E' + b'A' * 10_000, b'N' + b'A' * 10_000, b'F99' + b'9' * 10_000,
    b'E' + b' ' * 105 + b'\xff\xff' + b'x' * 90_000, b'N' + b'9' * 130 + b'999' + b'x' * 10_000,
    b'H' + b'9' * 161 + b'999' + b'\xff' * 999, b'D' * 99_999, b'4' * 99_999, b'R' * 99_999],
    ids=lambda o: f'{o[:1].decode()}{len(o)}')
def test_long_commands_in_a_session(plant, serves, oeb):
    r = Relation(plant)
    start = len(plant.log())
    with r.call() as me:
        me.send_bytes(frame(oeb))
        try:
            while me.receive().name != 'ESID':
                pass
        except (oftp.Closed, ConnectionError):
            pass
    sessions_gone(plant)
    found = lines(plant, start)
    assert len(found) <= 2 and all(len(x) < 2500 for x in found), found


def test_names_that_terminals_and_logs_would_act_on(plant, serves):
    """One line stays one line, whatever a partner calls its files and itself."""
    r = Relation(plant)
    start = len(plant.log())
    refused = 0
    for dsn in (b'A\nB level=error x=y', b'\x1b[2J\x1b[31mRED', b'"quoted" \\ back = x',
                b'\xff\xfe\x80latin', b'\0' * 26, b'%s%n{{document.id}}'):
        with r.call() as me:
            me.send('SFID', **{**File(b'x', dest='O0013NOBODY', orig=r.code).sfid(5),
                               'dsn': dsn.ljust(26), 'desc': '\x1b]0;title\x07\r\nBEL'})
            got = me.expect('SFNA', 'ESID')
            assert got.name == 'SFNA' or got.reas == 6
            refused += got.name == 'SFNA'
    assert refused >= 2
    sessions_gone(plant)
    for line in plant.log()[start:].splitlines():
        assert line[:2] == '20' and line.isprintable(), line
    text = plant.cli('documents', '--partner', r.name, json_output=False)
    assert '"quoted"' in text and all(x.isprintable() for x in text.splitlines())
    found = plant.cli('documents', '--partner', r.name)['documents']
    assert len(found) == refused
    text = plant.cli('show', str(found[0]['id']), json_output=False)
    assert all(x.isprintable() for x in text.splitlines())


def test_a_flood_of_commands_without_reading_answers(plant, serves):
    """A partner must not make us store answers without end."""
    r = Relation(plant)
    with r.call() as me:
        refused = frame(encode('SFID', **File(b'x', dest='O0013NOBODY', orig=r.code).sfid(5)))
        me.sock.settimeout(waybill.patient(2))      # it need not end: it must not store
        try:
            for _ in range(60):
                me.sock.sendall(refused * 50)
        except (OSError, oftp.Closed):
            pass
    if waybill.slow() == 1:
        assert plant.resident_kb() < 200_000


def good_session(relation):
    """What a partner sends in a session with a file, with some room for what goes wrong."""
    f = File(b'0123456789' * 50, dsn='MUTANT', dest=OWN, orig=relation.code)
    sfid = f.sfid(5)
    return [encode('SSID', lev=5, code=relation.code, pswd=relation.password, sdeb=256, cred=2,
                   cmpr='Y', rest='Y'),
            encode('SFID', **sfid), *oftp.pack([f.data], 256, True), encode('EFID', ucnt=500),
            encode('EERP', dsn='X', date='20260101', time='0000000001', dest=OWN,
                   orig=relation.code), encode('CD'), encode('RTR'), encode('CD'), encode('ESID')]


def mutate(rng, oebs):
    oebs = [bytearray(o) for o in oebs]
    for _ in range(rng.choice([1, 1, 1, 2, 5])):
        i = rng.randrange(len(oebs))
        o, kind = oebs[i], rng.randrange(8)
        if kind == 0 and o:
            o[rng.randrange(len(o))] = rng.randrange(256)
        elif kind == 1 and o:
            o[rng.randrange(len(o))] ^= 1 << rng.randrange(8)
        elif kind == 2:
            del o[rng.randrange(len(o) + 1):]
        elif kind == 3:
            o += rng.randbytes(rng.choice([1, 10, 5000]))
        elif kind == 4:
            oebs.insert(i, bytearray(o))
        elif kind == 5 and len(oebs) > 1:
            del oebs[i]
        elif kind == 6:
            j = rng.randrange(len(oebs))
            oebs[i], oebs[j] = oebs[j], oebs[i]
        else:
            at = rng.randrange(len(o) + 1)
            o[at:at + rng.randrange(9)] = rng.choice([b'9' * 8, b'\0' * 4, b'\xff' * 8, b'0', b''])
    stream = bytearray(b''.join(frame(bytes(o)) for o in oebs if o))
    if rng.random() < 0.15 and stream:
        stream[rng.randrange(len(stream))] ^= 1 << rng.randrange(8)
    if rng.random() < 0.1:
        del stream[rng.randrange(len(stream) + 1):]
    return bytes(stream)


@pytest.mark.parametrize('seed', range(8))
def test_mutated_sessions(plant, serves, seed):
    """Good sessions with octets, buffers and order changed at random: forty a seed."""
    rng = random.Random(int(os.environ.get('WAYBILL_TEST_SEED', '0')) * 1000 + seed)
    r = Relation(plant)
    good = good_session(r)
    for _ in range(40):
        said = throw(plant, mutate(rng, good), half_close=True)
        assert said[:23] == b'\x10\0\0\x17IODETTE FTP READY \r'
        stream = said[23:]
        while stream:     # whatever it says is framed
            n = int.from_bytes(stream[1:4], 'big')
            assert stream[:1] == b'\x10' and 5 <= n <= len(stream), stream[:50]
            stream = stream[n:]
    for d in r.documents(state='processed'):
        assert d['size'] <= 500 * 3


def test_the_unmutated_session_is_a_good_one(plant):
    r = Relation(plant)
    said = throw(plant, b''.join(map(frame, good_session(r)[:6])), half_close=True)
    assert b'2' + b'0' * 17 in said


@pytest.mark.parametrize('seed', range(3))
def test_mutated_answers_of_a_partner_we_call(plant, serves, seed):
    """The same for what answers our calls."""
    rng = random.Random(int(os.environ.get('WAYBILL_TEST_SEED', '0')) * 1000 + seed)
    with Server(f'O0013MUTANT{seed}', 'PW') as server:
        r = Relation(plant, server=server, retry={'first': '10ms', 'max': '10ms'})
        number = r.send(b'x' * 2000, name='MUTANT')
        good = [encode('SSRM'), encode('SSID', lev=5, code=server.code, pswd='PW', sdeb=128,
                                       cred=4, rest='Y'), encode('SFPA'),
                *[encode('CDT')] * 4, encode('EFPA'), encode('EERP', dsn='X', date='20260101',
                                                             time='0000000001', dest=OWN,
                                                             orig=server.code), encode('CD')]
        for _ in range(30):
            try:
                peer = server.accept(timeout=3 * waybill.slow())
            except oftp.Silent:
                break       # it has what it wanted: sent, or refused for good
            with peer:
                try:
                    peer.sock.sendall(mutate(rng, good))
                    peer.sock.shutdown(socket.SHUT_WR)
                    while peer.sock.recv(65536):
                        pass
                except OSError:
                    pass
        plant.request('POST', f'/api/v1/documents/{number}/cancel')
    plant.request('DELETE', f'/api/v1/components/process/{r.listener}')
    plant.request('DELETE', f'/api/v1/components/partner/{r.name}')
    assert post(plant, '/api/v1/reload')['reloaded']
