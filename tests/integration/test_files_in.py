"""Files from a partner: every format and size arrives as it was sent, in the process's folder."""

import random
import threading

import pytest

import oftp
import scene
import waybill
from oftp import File
from scene import Relation

PLANT = {'settings': {'oftp2_server': {'buffer_compression': True}}}


@pytest.fixture(scope='module')
def acme(shared_gateway):
    return Relation(shared_gateway)


def names_of(relation):
    return {p.name: p for p in relation.inbox.iterdir() if not p.name.startswith('.')}


def arrives(relation, file, want=None, **options):
    """Sends a file in a session of its own; its content as the process got it must be `want`."""
    file.dsn = f'F{random.getrandbits(60):X}'
    me = relation.deliver(file, **options)
    assert [r.name for r in me.responses] == ['EERP']
    got = waybill.wait_until(lambda: names_of(relation).get(file.dsn), 20, file.dsn).read_bytes()
    assert got == (file.data if want is None else want), (len(got), len(file.data))


EDI = (b"UNA:+.? 'UNB+UNOA:3+ACME+PLANT7+261121:1015+42'" + b' ' * 300 + b"UNZ+1+42'\r\n") * 40


@pytest.mark.parametrize('data', [b'', b'x', EDI, bytes(range(256)) * 100, b'\0' * 70000],
                         ids=['empty', 'one', 'edi', 'binary', 'zeros'])
@pytest.mark.parametrize('cmpr', 'NY')
@pytest.mark.parametrize('sdeb, cred', [(128, 1), (2048, 3), (99999, 999)])
def test_unstructured(plant, acme, data, cmpr, sdeb, cred):
    """OFTP2-C73 OFTP2-C78 OFTP2-C38"""
    arrives(acme, File(data), cmpr=cmpr, sdeb=sdeb, cred=cred)


@pytest.mark.parametrize('size', [62, 63, 64, 125, 126, 1023, 1024, 1025, 4031, 4032, 98435, 98436,
                                  262143, 262144, 262145, 524288])
def test_sizes_about_the_limits(plant, acme, size):
    """Subrecords, buffers, blocks, what is kept in the row and what in a file."""
    data = random.Random(size).randbytes(size)
    arrives(acme, File(data))
    arrives(acme, File(data), sdeb=99999, cred=999)


def test_megabytes(plant, acme):
    """Several restart points of the receiver lie within."""
    data = random.Random(7).randbytes(1 << 20) * 20
    arrives(acme, File(data), sdeb=99999, cred=999)


def test_credit_one_and_the_smallest_buffer(plant, acme):
    """OFTP2-C84"""
    arrives(acme, File(random.Random(3).randbytes(1 << 20)), sdeb=128, cred=1)


def test_empty_file_without_any_data(plant, acme):
    """OFTP2-C78"""
    f = File(b'', dsn='NO-DATA')
    with acme.call() as me:
        me.offer_file(f)
        assert me.end_file(0, 0).name == 'EFPA'
        assert me.run() == 0
    assert waybill.wait_until(lambda: names_of(acme).get('NO-DATA'), 20).read_bytes() == b''


def test_text_keeps_its_line_ends(plant, acme):
    """OFTP2-C75"""
    arrives(acme, File(b'first\r\nsecond\r\n\r\nlast without end' * 50, fmt='T'))


RECORDS = [b'first', b'', b'x' * 64, b'y' * 700, b'', b'last']


@pytest.mark.parametrize('delimiter, end', [(None, b'\n'), ('lf', b'\n'), ('crlf', b'\r\n'),
                                            ('none', b'')])
@pytest.mark.parametrize('level', [2, 5])
def test_variable_records(plant, delimiter, end, level):
    """OFTP2-C77"""
    r = Relation(plant, operation={'record_delimiter': delimiter} if delimiter else {})
    arrives(r, File(records=RECORDS, fmt='V'), b''.join(x + end for x in RECORDS), level=level)
    d = r.wait_document('processed')
    assert (d['records'], d['raw_size']) == (len(RECORDS), sum(map(len, RECORDS)))
    assert d['size'] == sum(len(x + end) for x in RECORDS)


@pytest.mark.parametrize('delimiter, end', [(None, b''), ('none', b''), ('lf', b'\n'),
                                            ('crlf', b'\r\n')])
@pytest.mark.parametrize('level', [2, 5])
def test_fixed_records(plant, delimiter, end, level):
    """OFTP2-C76"""
    r = Relation(plant, operation={'record_delimiter': delimiter} if delimiter else {})
    f = File(b'0123456789ABCDEFGHIJ' * 60, fmt='F', lrecl=20)
    arrives(r, f, b''.join(x + end for x in f.records), level=level)
    assert r.wait_document('processed')['records'] == 60


@pytest.mark.parametrize('fmt, lrecl', [('F', 10), ('V', 10)])
def test_no_records_at_all(plant, acme, fmt, lrecl):
    """OFTP2-C78"""
    arrives(acme, File(records=[], fmt=fmt, lrecl=lrecl), b'')


def test_one_empty_variable_record(plant, acme):
    arrives(acme, File(records=[b''], fmt='V', lrecl=10), b'\n')


@pytest.mark.parametrize('sdeb, cred, cmpr', [(128, 1, 'Y'), (99999, 999, 'N'), (200, 7, 'Y')])
def test_many_records(plant, sdeb, cred, cmpr):
    """More records than any table inside has places, some longer than a buffer."""
    r = Relation(plant)
    rng = random.Random(sdeb)
    records = [bytes([rng.randrange(65, 70)]) * rng.randrange(0, 40) for _ in range(6000)]
    records += [rng.randbytes(5000).replace(b'\n', b'.') for _ in range(3)]
    arrives(r, File(records=records, fmt='V'), b''.join(x + b'\n' for x in records),
            sdeb=sdeb, cred=cred, cmpr=cmpr)


@pytest.mark.parametrize('sdeb', [128, 2048, 99999])
@pytest.mark.parametrize('cmpr', 'NY')
def test_random_files(plant, sdeb, cmpr):
    """OFTP2-C73: 0 to 5000 octets with long runs, many in one session."""
    r = Relation(plant)
    rng = random.Random(sdeb + ord(cmpr))
    files = []
    for i in range(25):
        data = b''
        while rng.random() < 0.8 and len(data) < 5000:
            data += bytes([rng.randrange(3)]) * rng.randrange(300) + rng.randbytes(
                rng.randrange(200))
        files.append(File(data[:5000], dsn=f'R{i}'))
    r.deliver(*files, sdeb=sdeb, cmpr=cmpr, cred=rng.choice([1, 2, 999]))
    r.delivered(len(files))
    for f in files:
        assert (r.inbox / f.dsn).read_bytes() == f.data


def test_buffers_as_some_partners_fill_them(plant, acme):
    """OFTP2-C71: no end of record, empty subrecords at the end of a full buffer, buffers that carry
    nothing, an end of record of its own; octets are the same in any case."""
    for oebs in ([b'D\x05hello'], [b'D\x05hello' + b'\0' * 100], [b'D', b'D\x03hel', b'D', b'D\x82lo'],
                 [b'D\x05hello', b'D\x80'], [b'D\x80\x05hello'], [b'D\x03hel\x42l\x81o'.replace(
                     b'\x42l', b'\x41l')]):
        f = File(b'hello', dsn=f'FILL{random.getrandbits(40):X}')
        with acme.call() as me:
            me.offer_file(f)
            for oeb in oebs:
                me.send_oeb(oeb)
            assert me.end_file(0, 5).name == 'EFPA'
            assert me.run() == 0
        got = waybill.wait_until(lambda: names_of(acme).get(f.dsn), 20, str(oebs))
        assert got.read_bytes() == b'hello'


def test_one_octet_beyond_the_buffer(plant, acme):
    """OFTP2-C10: refused, unless the partner is known for it."""
    whole, over = b'D' + b'\x3f' + b'x' * 63 + b'\xbe' + b'y' * 62, None
    assert len(whole) == 128
    over = whole + b'\0'
    with acme.call(sdeb=128) as me:
        me.offer_file(File(b'x' * 63 + b'y' * 62, dsn=f'B{random.getrandbits(40):X}'))
        me.send_oeb(whole)
        assert me.end_file(0, 125).name == 'EFPA'
        assert me.run() == 0
    with acme.call(sdeb=128) as me:
        me.offer_file(File(b'x' * 63 + b'y' * 62, dsn=f'B{random.getrandbits(40):X}'))
        me.send_oeb(over)
        me.expect_esid(7)
    tolerant = Relation(plant, tolerate_buffer_plus_one=True)
    with tolerant.call(sdeb=128) as me:
        me.offer_file(File(b'x' * 63 + b'y' * 62, dsn='OVER'))
        me.send_oeb(over)
        assert me.end_file(0, 125).name == 'EFPA'
        assert me.run() == 0
    assert len(tolerant.delivered()[0].read_bytes()) == 125


def test_credit_is_renewed_exactly_when_used_up(plant, acme):
    """OFTP2-C81: also when the file ends there; nothing comes before."""
    with acme.call(sdeb=128, cred=3) as me:
        oebs = list(oftp.pack([b'x' * 125 * 6], 128))
        assert len(oebs) == 6
        f = File(b'x' * 125 * 6, dsn=f'C{random.getrandbits(40):X}')
        me.offer_file(f)
        for i, oeb in enumerate(oebs):
            if i % 3 == 2:
                me.silent(0.05)
            me.send_oeb(oeb)
            if i % 3 == 2:
                me.expect('CDT')
        assert me.end_file(0, 750).name == 'EFPA'
        assert me.run() == 0


def test_end_of_file_without_waiting_for_credit(plant, acme):
    """OFTP2-C83: some partners send EFID at zero credit."""
    f = File(b'x' * 125, dsn=f'E{random.getrandbits(40):X}')
    with acme.call(sdeb=128, cred=1) as me:
        me.offer_file(f)
        me.send_bytes(b''.join(map(oftp.frame, oftp.pack([f.data], 128))) +
                      oftp.frame(oftp.encode('EFID', rcnt=0, ucnt=125)))
        got = me.expect('CDT', 'EFPA')
        if got.name == 'CDT':
            me.expect('EFPA')
        assert me.run() == 0


def test_every_property_is_kept(plant):
    """design.md section 7: what an OFTP2 document carries."""
    r = Relation(plant)
    f = File(b'octets', dsn='DELFOR.EDI', date='20261121', time='1015300042', user='BILATERA',
             desc='Lieferabruf März')
    r.deliver(f)
    d = r.wait_document('processed')
    p = {k.removeprefix('oftp2.'): v for k, v in d['properties'].items()}
    assert {k: p[k] for k in ('sfiddsn', 'sfiddate', 'sfidtime', 'sfidorig', 'sfiddest', 'sfidsec',
                              'sfidcomp', 'sfidciph', 'sfidenv', 'sfidsign', 'sfidosiz',
                              'sfiddesc', 'initiator_ssidcode', 'responder_ssidcode')} == {
        'sfiddsn': 'DELFOR.EDI', 'sfiddate': '20261121', 'sfidtime': '1015300042',
        'sfidorig': r.code, 'sfiddest': scene.OWN, 'sfidsec': '00', 'sfidcomp': '0',
        'sfidciph': '00', 'sfidenv': '0', 'sfidsign': 'N', 'sfidosiz': '1',
        'sfiddesc': 'Lieferabruf März', 'initiator_ssidcode': r.code,
        'responder_ssidcode': scene.OWN}
    assert p['sfiduser'] == 'BILATERA'
    for form in 'raw', 'opened':
        assert plant.request('GET', f'/api/v1/documents/{d["id"]}/{form}')[1] == b'octets'
    kinds = scene.events(d)
    assert [k for k in kinds if k != 'receipt sent'] == [
        'receiving', 'received', 'opened', 'processing', 'write', 'processed']


def test_many_sessions_at_once(plant):
    """Twelve partners at the same time, ten files each."""
    relations = [Relation(plant) for _ in range(12)]
    problems = []

    def play(r):
        try:
            r.deliver(*[File(b'%d ' % i + r.code.encode() * 500, dsn=f'F{i}')
                        for i in range(10)])
        except BaseException as e:
            problems.append(e)

    threads = [threading.Thread(target=play, args=(r,)) for r in relations]
    for t in threads:
        t.start()
    for t in threads:
        t.join(waybill.patient(60))
    assert not problems
    for r in relations:
        for p in r.delivered(10, timeout=40):
            assert p.read_bytes() == p.name[1:].encode() + b' ' + r.code.encode() * 500
