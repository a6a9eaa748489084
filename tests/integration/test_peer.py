"""The Python partner against itself and against the worked examples of RFC 5024's encoding, so
that a failing integration test can be held against the program under test. No gateway runs."""

import random
import threading

import pytest

import oftp
from oftp import File, Peer, Server, decode, encode, frame, hexdump, pack, unpack

ALPHA, BETA = 'O0013000000ALPHA', 'O0013000000BETA'
INVOICE = {'dsn': 'INVOIC-4711.EDI', 'date': '20260131', 'time': '1015300001', 'dest': BETA,
           'orig': ALPHA, 'fmt': 'U', 'fsiz': 5}

STAMP_20 = """
0000  10 00 00 bb 48 49 4e 56 4f 49 43 2d 34 37 31 31
0010  2e 45 44 49 20 20 20 20 20 20 20 20 20 20 20 20
0020  20 20 32 30 32 36 30 31 33 31 31 30 31 35 33 30
0030  30 30 30 31 20 20 20 20 20 20 20 20 4f 30 30 31
0040  33 30 30 30 30 30 30 42 45 54 41 20 20 20 20 20
0050  20 20 20 20 20 4f 30 30 31 33 30 30 30 30 30 30
0060  41 4c 50 48 41 20 20 20 20 20 20 20 20 20 55 30
"""

EXAMPLES = {
    'SSRM': ('SSRM', 5, {}, """
0000  10 00 00 17 49 4f 44 45 54 54 45 20 46 54 50 20
0010  52 45 41 44 59 20 0d"""),
    'SSID of the initiator': ('SSID', 5, {
        'lev': 5, 'code': ALPHA, 'pswd': 'ALPHAPW1', 'sdeb': 4096, 'sr': 'B', 'cmpr': 'Y',
        'rest': 'Y', 'cred': 32}, """
0000  10 00 00 41 58 35 4f 30 30 31 33 30 30 30 30 30
0010  30 41 4c 50 48 41 20 20 20 20 20 20 20 20 20 41
0020  4c 50 48 41 50 57 31 30 34 30 39 36 42 59 59 4e
0030  30 33 32 4e 20 20 20 20 20 20 20 20 20 20 20 20
0040  0d"""),
    'SSID of the responder': ('SSID', 5, {
        'lev': 5, 'code': BETA, 'pswd': 'BETAPW', 'sdeb': 2048, 'sr': 'B', 'cmpr': 'Y',
        'rest': 'Y', 'cred': 8}, """
0000  10 00 00 41 58 35 4f 30 30 31 33 30 30 30 30 30
0010  30 42 45 54 41 20 20 20 20 20 20 20 20 20 20 42
0020  45 54 41 50 57 20 20 30 32 30 34 38 42 59 59 4e
0030  30 30 38 4e 20 20 20 20 20 20 20 20 20 20 20 20
0040  0d"""),
    'SFID with a description': ('SFID', 5, {
        **INVOICE, 'osiz': 5, 'desc': 'Rechnung März.edi'}, STAMP_20 + """
0070  30 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30
0080  35 30 30 30 30 30 30 30 30 30 30 30 30 35 30 30
0090  30 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30
00a0  30 30 30 30 30 4e 30 31 38 52 65 63 68 6e 75 6e
00b0  67 20 4d c3 a4 72 7a 2e 65 64 69"""),
    'SFID secured': ('SFID', 5, {
        **INVOICE, 'fsiz': 3, 'osiz': 5, 'sec': 3, 'ciph': 4, 'comp': 1, 'env': 1,
        'sign': 'Y'}, STAMP_20.replace('00 00 bb', '00 00 a9') + """
0070  30 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30
0080  33 30 30 30 30 30 30 30 30 30 30 30 30 35 30 30
0090  30 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30
00a0  33 30 34 31 31 59 30 30 30"""),
    'SFID at level 4': ('SFID', 4, INVOICE, STAMP_20.replace('00 00 bb', '00 00 84') + """
0070  30 30 30 30 30 30 30 30 30 30 35 30 30 30 30 30
0080  30 30 30 30"""),
    'SFID at level 2': ('SFID', 2, {**INVOICE, 'date': '260131', 'time': '101530'}, """
0000  10 00 00 84 48 49 4e 56 4f 49 43 2d 34 37 31 31
0010  2e 45 44 49 20 20 20 20 20 20 20 20 20 20 20 20
0020  20 20 20 20 20 20 20 20 32 36 30 31 33 31 31 30
0030  31 35 33 30 20 20 20 20 20 20 20 20 4f 30 30 31
0040  33 30 30 30 30 30 30 42 45 54 41 20 20 20 20 20
0050  20 20 20 20 20 4f 30 30 31 33 30 30 30 30 30 30
0060  41 4c 50 48 41 20 20 20 20 20 20 20 20 20 55 30
0070  30 30 30 30 30 30 30 30 30 30 35 30 30 30 30 30
0080  30 30 30 30"""),
    'SFPA': ('SFPA', 5, {'acnt': 0}, """
0000  10 00 00 16 32 30 30 30 30 30 30 30 30 30 30 30
0010  30 30 30 30 30 30"""),
    'SFNA': ('SFNA', 5, {'reas': 13, 'rrtr': 'N', 'reast': 'Duplicate'}, """
0000  10 00 00 14 33 31 33 4e 30 30 39 44 75 70 6c 69
0010  63 61 74 65"""),
    'EFID of a U file': ('EFID', 5, {'rcnt': 0, 'ucnt': 83}, """
0000  10 00 00 27 54 30 30 30 30 30 30 30 30 30 30 30
0010  30 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30
0020  30 30 30 30 30 38 33"""),
    'EFID of an F file': ('EFID', 5, {'rcnt': 3, 'ucnt': 30}, """
0000  10 00 00 27 54 30 30 30 30 30 30 30 30 30 30 30
0010  30 30 30 30 30 33 30 30 30 30 30 30 30 30 30 30
0020  30 30 30 30 30 33 30"""),
    'EFPA(N)': ('EFPA', 5, {'cd': 'N'}, '0000  10 00 00 06 34 4e'),
    'EFPA(Y)': ('EFPA', 5, {'cd': 'Y'}, '0000  10 00 00 06 34 59'),
    'CD': ('CD', 5, {}, '0000  10 00 00 05 52'),
    'RTR': ('RTR', 5, {}, '0000  10 00 00 05 50'),
    'CDT': ('CDT', 5, {}, '0000  10 00 00 07 43 20 20'),
    'SECD': ('SECD', 5, {}, '0000  10 00 00 05 4a'),
    'EFNA': ('EFNA', 5, {'reas': 11}, '0000  10 00 00 0a 35 31 31 30 30 30'),
    'EERP': ('EERP', 5, {'dsn': INVOICE['dsn'], 'date': '20260131', 'time': '1015300001',
                         'dest': ALPHA, 'orig': BETA}, """
0000  10 00 00 72 45 49 4e 56 4f 49 43 2d 34 37 31 31
0010  2e 45 44 49 20 20 20 20 20 20 20 20 20 20 20 20
0020  20 20 32 30 32 36 30 31 33 31 31 30 31 35 33 30
0030  30 30 30 31 20 20 20 20 20 20 20 20 4f 30 30 31
0040  33 30 30 30 30 30 30 41 4c 50 48 41 20 20 20 20
0050  20 20 20 20 20 4f 30 30 31 33 30 30 30 30 30 30
0060  42 45 54 41 20 20 20 20 20 20 20 20 20 20 00 00
0070  00 00"""),
    'NERP': ('NERP', 5, {'dsn': INVOICE['dsn'], 'date': '20260131', 'time': '1015300001',
                         'dest': ALPHA, 'orig': BETA, 'crea': BETA, 'reas': 34,
                         'reast': 'Bad syntax'}, """
0000  10 00 00 95 4e 49 4e 56 4f 49 43 2d 34 37 31 31
0010  2e 45 44 49 20 20 20 20 20 20 20 20 20 20 20 20
0020  20 20 20 20 20 32 30 32 36 30 31 33 31 31 30 31
0030  35 33 30 30 30 30 31 4f 30 30 31 33 30 30 30 30
0040  30 30 41 4c 50 48 41 20 20 20 20 20 20 20 20 20
0050  4f 30 30 31 33 30 30 30 30 30 30 42 45 54 41 20
0060  20 20 20 20 20 20 20 20 20 4f 30 30 31 33 30 30
0070  30 30 30 30 42 45 54 41 20 20 20 20 20 20 20 20
0080  20 20 33 34 30 31 30 42 61 64 20 73 79 6e 74 61
0090  78 00 00 00 00"""),
    'ESID(00)': ('ESID', 5, {'reas': 0}, '0000  10 00 00 0b 46 30 30 30 30 30 0d'),
    'ESID(02)': ('ESID', 5, {'reas': 2, 'reast': 'EFID in IDLELI'}, """
0000  10 00 00 19 46 30 32 30 31 34 45 46 49 44 20 69
0010  6e 20 49 44 4c 45 4c 49 0d"""),
    'ESID(00) at level 4': ('ESID', 4, {'reas': 0}, '0000  10 00 00 08 46 30 30 0d'),
    'AURP': ('AURP', 5, {'rsp': bytes(range(20))}, """
0000  10 00 00 19 53 00 01 02 03 04 05 06 07 08 09 0a
0010  0b 0c 0d 0e 0f 10 11 12 13"""),
}


@pytest.mark.parametrize('example', EXAMPLES)
def test_command_is_built_octet_for_octet(example):
    name, level, fields, dump = EXAMPLES[example]
    assert frame(encode(name, level, **fields)) == hexdump(dump)


@pytest.mark.parametrize('example', EXAMPLES)
def test_command_is_read_back(example):
    name, level, fields, dump = EXAMPLES[example]
    got = decode(hexdump(dump)[4:], level)
    assert got.name == name
    for field, want in fields.items():
        assert got[field] == want, field


@pytest.mark.parametrize('example', EXAMPLES)
def test_truncated_and_lengthened_commands_are_refused(example):
    name, level, fields, dump = EXAMPLES[example]
    oeb = hexdump(dump)[4:]
    for n in range(len(oeb)):
        with pytest.raises(oftp.FormatError):
            decode(oeb[:n], level)
    with pytest.raises(oftp.FormatError):
        decode(oeb + b' ', level)


@pytest.mark.parametrize('oeb, level', [
    (b'?', 5),
    (encode('SSRM').replace(b'\r', b'\x8d'), 5),
    (encode('CDT', rsv1=b'\0\0'), 5),
    (encode('EFID', rcnt=b' ' * 16 + b'0', ucnt=0), 5),
    (encode('EFPA', cd=b'?'), 5),
    (encode('SFID', **{**INVOICE, 'dsn': b' PADDED-LEFT'.ljust(26)}), 5),
    (encode('SFID', **{**INVOICE, 'dsn': 'under_score'}), 5),
    (encode('SFID', **{**INVOICE, 'fmt': b'Z'}), 5),
    (encode('SFNA', reas=1, reast=b'\xc3'), 5),
    (encode('NERP', dsn='A', date='20260131', time='1015300001', dest=ALPHA, orig=BETA,
            crea=BETA, reas=34, level=4), 2),
    (encode('SECD'), 4),
])
def test_strict_reader_refuses(oeb, level):
    with pytest.raises(oftp.FormatError):
        decode(oeb, level)


def test_embedded_blanks_are_kept_in_identification_codes():
    plant = 'O0013ACME          PLANT1'
    got = decode(encode('SFID', **{**INVOICE, 'dest': plant}))
    assert got.dest == plant


def test_compressed_data_example():
    want = hexdump("""
0000  10 00 00 16 44 03 41 42 43 7f 20 47 20 03 44 45
0010  46 45 30 82 58 59""")
    data = b'ABC' + b' ' * 70 + b'DEF' + b'00000' + b'XY'
    assert [frame(o) for o in pack([data], 4096, compress=True)] == [want]
    assert unpack([want[4:]]).data == data
    plain = list(pack([data], 4096))
    assert [len(o) for o in plain] == [86]
    assert plain[0][1:2] + plain[0][65:66] == b'\x3f\x94'


def test_fixed_records_example():
    want = hexdump("""
0000  10 00 00 1e 44 04 52 45 43 2d 45 30 81 31 05 52
0010  45 43 2d 32 c5 20 05 52 45 43 2d 33 c5 41""")
    records = [b'REC-000001', b'REC-2     ', b'REC-3AAAAA']
    assert [frame(o) for o in pack(records, 4096, compress=True)] == [want]
    assert unpack([want[4:]]).records == records


def test_empty_file_is_one_empty_end_of_record():
    assert [frame(o) for o in pack([b''], 128)] == [hexdump('0000  10 00 00 06 44 80')]
    assert list(pack([], 128)) == []


@pytest.mark.parametrize('sdeb', [128, 129, 190, 2048, 99999])
@pytest.mark.parametrize('compress', [False, True])
def test_data_round_trip(sdeb, compress):
    rng = random.Random(sdeb * 2 + compress)
    for _ in range(60):
        records = []
        for _ in range(rng.randrange(1, 6)):
            r = b''
            for _ in range(rng.randrange(0, 8)):
                r += bytes([rng.randrange(4)]) * rng.randrange(200) + rng.randbytes(
                    rng.randrange(300))
            records.append(r)
        oebs = list(pack(records, sdeb, compress))
        assert all(2 <= len(o) <= sdeb for o in oebs)
        u = unpack(oebs)
        assert u.records == records
        assert u.ends == len(records) and u.last_eor and not u.open
        assert compress or u.compressed == 0


@pytest.mark.parametrize('sdeb, room', [(128, 125), (1024, 1007), (2048, 2015), (4096, 4031),
                                        (65535, 64510), (99999, 98435)])
def test_capacity_of_a_buffer(sdeb, room):
    oebs = list(pack([b'x' * (room * 2)], sdeb))
    assert [sum(len(p) for _, _, p in oftp.subrecords(o)) for o in oebs] == [room, room]


def test_malformed_subrecords_are_refused():
    for oeb in (b'D\x05AB', b'D\x40A', b'D\x41', b'D\xc5'):
        with pytest.raises(oftp.FormatError):
            unpack([oeb])


# ---- two partners --------------------------------------------------------------------------


class Line:
    """A caller's session against a Server whose part runs in a thread."""

    def __init__(self, answer, caller=None, **server):
        self.server = Server(BETA, 'BETAPW', **server)
        self.error = None
        self.peer = None

        def play():
            try:
                with self.server.accept() as peer:
                    self.peer = peer
                    answer(peer)
            except BaseException as e:
                self.error = e

        self.thread = threading.Thread(target=play)
        self.thread.start()
        self.caller = Peer.connect('127.0.0.1', self.server.port, ALPHA, 'ALPHAPW1',
                                   **(caller or {}))

    def __enter__(self):
        return self.caller

    def __exit__(self, kind, *_):
        self.caller.close()
        self.thread.join(20)
        self.server.stop()
        if self.error is not None and kind is None:
            raise self.error


def serve(peer, **run):
    peer.log_on()
    peer.run(**run)


def test_smallest_complete_session():
    line = Line(lambda p: serve(p, receipt=None))
    with line as me:
        me.log_on()
        outcome = me.send_file(b'HELLO OFTP2\r\n')
        assert outcome.taken
        assert me.run() == 0
    assert me.names() == ['SSRM', 'SSID', 'SSID', 'SFID', 'SFPA', 'DATA', 'EFID', 'EFPA', 'CD',
                          'ESID']
    assert line.peer.files[0].data == b'HELLO OFTP2\r\n'
    lengths = [len(c.oeb) + 4 for d, c in me.trace if c.name not in ('DATA', 'SFID')]
    assert lengths == [23, 65, 65, 22, 39, 6, 5, 11]


@pytest.mark.parametrize('level', oftp.LEVELS)
def test_receipt_comes_in_the_same_session(level):
    line = Line(serve, caller={'level': level})
    with line as me:
        assert me.log_on().lev == level
        outcome = me.send_file(File(b'x' * 5000, dsn='ORDERS'))
        me.run()
    assert me.names()[-5:] == ['CD', 'EERP', 'RTR', 'CD', 'ESID']
    eerp, = me.responses
    sfid = line.peer.files[0].sfid
    assert (eerp.dsn, eerp.date, eerp.time) == (sfid.dsn, sfid.date, sfid.time)
    assert (eerp.dest, eerp.orig) == (sfid.orig, sfid.dest)
    assert outcome.taken


@pytest.mark.parametrize('fmt, options', [
    ('U', {'data': bytes(range(256)) * 300}),
    ('U', {'data': b''}),
    ('T', {'data': b'line one\r\nline two\r\n' * 90}),
    ('F', {'data': b'0123456789' * 500, 'lrecl': 10}),
    ('F', {'data': b'', 'lrecl': 10}),
    ('V', {'records': [b'', b'a', b'', b'b' * 700, b'c' * 64, b'']}),
])
@pytest.mark.parametrize('compress', 'NY')
@pytest.mark.parametrize('sdeb, cred', [(128, 1), (2048, 3), (99999, 999)])
def test_every_format_arrives(fmt, options, compress, sdeb, cred):
    line = Line(serve, caller={'cmpr': compress, 'sdeb': sdeb, 'cred': cred}, cmpr='Y',
                sdeb=99999, cred=999)
    file = File(fmt=fmt, **options)
    with line as me:
        me.log_on()
        assert me.send_file(file).taken
        me.run()
    got = line.peer.files[0]
    assert got.data == file.data
    if fmt in 'FV':
        assert got.records == file.records


def test_files_in_both_directions_and_the_turn_asked_for():
    line = Line(lambda p: serve(p, files=[File(b'back')], want_turn=True))
    with line as me:
        me.log_on()
        me.run(files=[File(b'one'), File(b'two')])
    assert [g.data for g in line.peer.files] == [b'one', b'two']
    assert [g.data for g in me.files] == [b'back']
    assert len(me.responses) == 2 and len(line.peer.responses) == 1


def test_refused_file_leaves_the_turn():
    line = Line(lambda p: serve(p, refuse=lambda s: (2, 'N', 'who?') if s.dest != BETA else None))
    with line as me:
        me.log_on()
        no = me.send_file(File(b'x', dest='O0013NOBODY'))
        assert (no.answer.reas, no.answer.rrtr, no.answer.reast) == (2, 'N', 'who?')
        assert me.send_file(File(b'y')).taken
        me.run()


@pytest.mark.parametrize('fmt, options', [('U', {'data': random.Random(1).randbytes(300000)}),
                                          ('F', {'data': b'0123456789' * 30000, 'lrecl': 100}),
                                          ('V', {'records': [b'r' * (i % 90) for i in
                                                             range(9000)]})])
def test_cut_transfer_is_restarted(fmt, options):
    file = File(fmt=fmt, **options)
    kept = []

    def first(peer):
        peer.log_on()
        kept.append(peer.take_file(peer.expect_file(), stop_after=100000))
        peer.reset()

    with Line(first) as me:
        me.log_on()
        with pytest.raises((oftp.Closed, ConnectionError)):
            me.send_file(file)
    partial = kept[0]
    assert not partial.complete and 0 < partial.units()

    def second(peer):
        peer.log_on()
        peer.take_file(peer.expect_file(), partial=partial)
        peer.run(receipt=None)

    units = len(file.records) if fmt in 'FV' else oftp.blocks(len(file.data)) - 1
    with Line(second) as me:
        me.log_on()
        outcome = me.send_file(file, rest=units)
        assert 0 < outcome.answer.acnt < units
        assert outcome.taken
        me.run()
    assert partial.complete and partial.data == file.data
    if fmt in 'FV':
        assert partial.records == file.records


def bad_listener_finds(play, match, **options):
    """play(me) sends something wrong; the listener's strict half must say so."""
    line = Line(lambda p: (p.log_on(), p.receive_file()), **options)
    with pytest.raises(oftp.FormatError, match=match):
        with line as me:
            me.log_on()
            try:
                play(me)
            except (oftp.Closed, OSError):
                pass


def test_listener_finds_wrong_counts():
    def play(me):
        me.offer_file(File(b'abc'))
        me.send_data([b'abc'])
        me.end_file(0, 4)
    bad_listener_finds(play, 'EFIDUCNT')


def test_listener_finds_missing_end_of_record():
    def play(me):
        me.offer_file(File(b'abc'))
        me.send_data(None, oebs=[b'D\x03abc'])
        me.end_file(0, 3)
    bad_listener_finds(play, 'ends of record')


def test_listener_finds_compression_not_agreed():
    def play(me):
        me.offer_file(File(b'aaa'))
        me.send_data(None, oebs=[b'D\xc3a'])
        me.end_file(0, 3)
    bad_listener_finds(play, 'compression')


def test_listener_finds_buffers_too_large():
    def play(me):
        me.offer_file(File(b'a' * 300))
        me.send_data(None, oebs=list(pack([b'a' * 300], 4096)))
        me.end_file(0, 300)
    bad_listener_finds(play, 'agreed', caller={'sdeb': 128})


def test_speaker_that_ignores_credit_is_found():
    """The listener never sends CDT early, so a buffer beyond the window is seen as DATA where
    EFID or nothing may come."""
    def listener(peer):
        peer.log_on()
        peer.take_file(peer.expect_file(), grant=False)
        peer.silent(0.3)

    line = Line(listener, caller={'sdeb': 128, 'cred': 2})
    with pytest.raises(oftp.Unexpected, match='nothing may come'):
        with line as me:
            me.log_on()
            me.offer_file(File(b'x' * 1000))
            try:
                for oeb in pack([b'x' * 1000], 128):
                    me.send_oeb(oeb)
            except oftp.Closed:
                pass


def test_answers_above_the_offer_are_found():
    line = Line(lambda p: p.log_on(sdeb=9999, cred=999), caller={'sdeb': 2048, 'cred': 8})
    with line as me:
        with pytest.raises(oftp.FormatError, match='buffer 9999 .* credit 999'):
            me.log_on()


def test_abort_is_reported_with_its_reason():
    def listener(peer):
        peer.log_on()
        peer.receive()
        peer.send_esid(2, 'no such thing')
    with Line(listener) as me:
        me.log_on()
        with pytest.raises(oftp.Ended) as e:
            me.send_file(b'x')
        assert (e.value.reason, e.value.text) == (2, 'no such thing')


def test_server_thread_collects_and_sends():
    with Server(BETA, 'BETAPW').start() as server:
        server.outgoing.append(File(b'waiting for you'))
        with Peer.connect('127.0.0.1', server.port, ALPHA, 'ALPHAPW1') as me:
            me.log_on()
            me.run(files=[File(b'to you')])
            assert me.files[0].data == b'waiting for you'
        assert server.next_file().data == b'to you'
        assert server.next_response().name == 'EERP'
        assert server.next_session().peer.pswd == 'ALPHAPW1'
    assert server.problems == []


def test_session_over_tls(authority):
    cert = authority.issue('beta', names=['localhost'])
    mine = authority.issue('alpha')
    tls = oftp.server_tls(cert.cert, cert.key, ca=authority.cert, require=True)
    line = None
    try:
        line = Line(serve, tls=tls, caller={'tls': oftp.client_tls(
            authority.cert, mine.cert, mine.key)})
        with line as me:
            me.log_on()
            assert me.send_file(b'secret' * 10000).taken
            me.run()
    finally:
        if line is not None:
            line.server.stop()
    assert line.peer.files[0].data == b'secret' * 10000
