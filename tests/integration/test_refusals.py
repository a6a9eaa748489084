"""Files that are not taken: the reason, the retry flag, the log line that names the setting, and a
session that goes on."""

import contextlib
import random
import resource

import pytest

import oftp
import scene
import waybill
from oftp import File
from scene import Relation


def offer(me, file, **over):
    """Offers a file that must be refused; the SFNA. The turn stays with the caller."""
    answer = me.offer_file(file, **over)
    assert answer.name == 'SFNA', answer
    assert me.level < 5 or answer.reast
    return answer.reas, answer.rrtr


def usable(me, relation):
    """OFTP2-C65: after a refusal the Speaker keeps the turn, and the next file is taken."""
    before = len(list(relation.inbox.glob('NEXT*')))
    assert me.send_file(File(b'the next one', dsn='NEXT')).taken
    assert me.run() == 0
    assert len(relation.gateway.wait_files(relation.inbox, before + 1, 'NEXT*')) == before + 1


def logged(relation, *settings):
    line = relation.log('file.refused')[-1]
    for text in settings:
        assert text in line, line
    return line


def test_unknown_destination(plant):
    """OFTP2-C55 OFTP2-C65"""
    r = Relation(plant)
    with r.call() as me:
        assert offer(me, File(b'x', dest='O0013NOBODY')) == (2, 'N')
        usable(me, r)
    logged(r, 'sfna=2', 'dest=O0013NOBODY', 'to.odette_id')
    refused, = r.documents(state='refused')
    assert refused['name'] == 'TEST-FILE' and 'SFNA 02' in refused['reason']
    assert refused['properties']['oftp2.nareas'] == '02'


def test_originator_that_is_not_allowed(plant):
    """OFTP2-C56"""
    r = Relation(plant)
    with r.call() as me:
        assert offer(me, File(b'x', orig='O0013STRANGER')) == (3, 'N')
        usable(me, r)
    logged(r, 'sfna=3', 'from.odette_id')


@pytest.mark.parametrize('operation, file, answer, setting', [
    ({'formats': 'U'}, {'data': b'x', 'fmt': 'T'}, (4, 'N'), 'operation.formats'),
    ({'formats': 'UT'}, {'data': b'x' * 10, 'fmt': 'F', 'lrecl': 10}, (4, 'N'),
     'operation.formats'),
    ({'max_record_length': 80}, {'data': b'x' * 81, 'fmt': 'F', 'lrecl': 81}, (5, 'N'),
     'max_record_length'),
    ({'max_record_length': 80}, {'records': [b'x'], 'fmt': 'V', 'lrecl': 81}, (5, 'N'),
     'max_record_length'),
    ({}, {'records': [b''], 'fmt': 'F', 'lrecl': 0}, (5, 'N'), 'SFIDLRECL'),
    ({'max_file_size': 4096}, {'data': b'x' * 4097}, (6, 'N'), 'max_file_size'),
    ({'file_name': 'ORDERS-*'}, {'data': b'x', 'dsn': 'INVOICE-1'}, (1, 'N'), 'file_name'),
])
def test_what_was_not_agreed(plant, operation, file, answer, setting):
    """OFTP2-C57"""
    r = Relation(plant, operation=operation)
    with r.call() as me:
        assert offer(me, File(**file)) == answer
        assert me.send_file(File(b'fine', dsn='ORDERS-1')).taken
        assert me.run() == 0
    logged(r, setting)
    assert [p.name for p in r.delivered()] == ['ORDERS-1']


def test_what_was_agreed_passes(plant):
    r = Relation(plant, operation={'formats': 'FV', 'max_record_length': 80, 'max_file_size': 4096,
                                   'file_name': 'ORDERS-?'})
    r.deliver(File(b'x' * 4000, fmt='F', lrecl=80, dsn='ORDERS-1'),
              File(records=[b'y' * 80], fmt='V', dsn='ORDERS-2'))
    r.delivered(2)


def test_size_that_the_disk_has_no_room_for(plant):
    """OFTP2-C57: a lack of space is for later."""
    r = Relation(plant)
    with r.call() as me:
        assert offer(me, File(b'x', fsiz=9999999999999)) == (6, 'Y')
        usable(me, r)
    logged(r, 'data_directory')


@pytest.mark.parametrize('fsiz', [0, 1, 999])
def test_wrong_announced_size(plant, fsiz):
    """OFTP2-C69"""
    r = Relation(plant)
    r.deliver(File(b'x' * 5000, fsiz=fsiz))
    assert len(r.delivered()[0].read_bytes()) == 5000


def test_more_octets_than_the_limit_whatever_was_announced(plant):
    """Nothing of it stays; a small excess is EFNA, a large one is not waited for."""
    r = Relation(plant, operation={'max_file_size': 4096})
    with r.call() as me:
        end = me.send_file(File(b'x' * 5000, fsiz=1, dsn='LIAR')).end
        assert (end.name, end.reas) == ('EFNA', 6)
        usable(me, r)
    with r.call(sdeb=99999, cred=999) as me:
        with pytest.raises((oftp.Ended, oftp.Closed)):
            me.send_file(File(b'x' * 30_000_000, fsiz=1, dsn='BIG-LIAR'))
    # Beyond the limit nothing is kept either: all there is are the parts up to where it was cut.
    assert not r.documents(state='processed', name='LIAR')
    assert [p.name for p in r.delivered()] == ['NEXT']


SECURE = {'ciph': 4, 'env': 1}


@pytest.mark.parametrize('require, fields, answer, setting', [
    ({'compressed': True}, {}, (99, 'N'), 'require.compressed'),
    ({}, {'sec': 1, **SECURE}, (16, 'N'), 'to.decryption_certificate'),
    ({}, {'sec': 3, **SECURE}, (16, 'N'), 'to.decryption_certificate'),
    ({}, {'sec': 2, **SECURE}, (19, 'N'), 'from.signature_verification_certificate'),
    ({}, {'env': 1}, (99, 'N'), 'certificates'),
])
def test_policy_on_security(plant, require, fields, answer, setting):
    """OFTP2-C60. Where no certificate is configured no file service is agreed (17 and 20, where one
    is asked for: test_security.py)."""
    r = Relation(plant, operation={'require': require} if require else {})
    with r.call() as me:
        assert offer(me, File(b'x', **fields)) == answer
        assert me.run() == 0
    logged(r, setting)


def test_unknown_cipher_suite(plant):
    """OFTP2-C61 where only a signed receipt is asked for; signed files: test_security.py."""
    r = Relation(plant)
    with r.call() as me:
        assert offer(me, File(b'x', ciph=77, sign='Y')) == (15, 'N')
        usable(me, r)


def test_security_without_envelope(plant):
    """OFTP2-C62"""
    r = Relation(plant)
    with r.call() as me:
        for fields in {'sec': 2, 'ciph': 4}, {'comp': 1}:
            assert offer(me, File(b'x', **fields)) == (99, 'N')
        usable(me, r)


@pytest.mark.parametrize('level', [2, 4])
def test_refusals_below_2_0_have_no_text(plant, level):
    r = Relation(plant)
    with r.call(level=level) as me:
        answer = me.offer_file(File(b'x', dest='O0013NOBODY'))
        assert (answer.name, answer.reas, answer.rrtr) == ('SFNA', 2, 'N')
        assert 'reast' not in answer
        usable(me, r)


# ---- duplicates ----------------------------------------------------------------------------

def test_duplicates(plant):
    """OFTP2-C58: the same identification again is refused, in the same session, in another, at
    another level's layout and after a restart of the runtime; one count more is another file."""
    r = Relation(plant)
    first = File(b'first', dsn='DUP', date='20261121', time='1015300001')

    def again(**over):
        return File(b'again', **{'dsn': 'DUP', 'date': '20261121', 'time': '1015300001', **over})

    with r.call() as me:
        assert me.send_file(first).taken
        assert offer(me, again()) == (13, 'N')
        assert me.run() == 0
    logged(r, 'sfna=13', 'reject_duplicates')
    with r.call(level=4) as me:
        assert offer(me, again()) == (13, 'N')
        assert me.send_file(again(time='1015300002')).taken
        assert me.send_file(again(date='20261122')).taken
        assert me.send_file(again(dsn='DUP2')).taken
        assert me.run() == 0
    assert len(r.delivered(4)) == 4
    original = [d for d in r.documents() if d['properties']['oftp2.sfidtime'] == '1015300001'
                and d['name'] == 'DUP' and d['properties']['oftp2.sfiddate'] == '20261121']
    assert len(original) == 1
    waybill.wait_until(lambda: scene.events(scene.document(plant, original[0]['id'])).count(
        'duplicate') >= 2, 20, 'both to be in the timeline')
    assert scene.events(scene.document(plant, original[0]['id'])).count('duplicate') == 2


def test_duplicates_are_known_after_a_restart(gateway):
    """OFTP2-C58"""
    g = gateway()
    r = Relation(g)
    f = File(b'x', dsn='DUP')
    r.deliver(f)
    g.restart()
    with r.call() as me:
        assert offer(me, f) == (13, 'N')
        assert me.run() == 0


def test_duplicates_of_another_partner_are_none(plant):
    a, b = Relation(plant), Relation(plant)
    stamp = {'dsn': 'SAME', 'date': '20261121', 'time': '1200000001'}
    a.deliver(File(b'a', **stamp))
    b.deliver(File(b'b', **stamp))
    assert a.delivered()[0].read_bytes() == b'a' and b.delivered()[0].read_bytes() == b'b'


def test_duplicates_where_they_are_wanted(plant):
    r = Relation(plant, operation={'reject_duplicates': False})
    f = File(b'x', dsn='AGAIN')
    r.deliver(f)
    r.deliver(f)
    assert len(r.delivered(2)) == 2


def test_a_file_that_failed_is_no_duplicate(plant):
    """OFTP2-C59 and after EFNA"""
    r = Relation(plant)
    f = File(b'x' * 3000, dsn='SECOND-TRY')
    with r.call() as me:
        me.offer_file(f)
        me.send_data([b'x' * 2000])
        assert me.end_file(0, 3000).reas == 11
        assert me.send_file(f).taken
        assert me.run() == 0
    with r.call() as me:
        f = File(b'y' * 3000, dsn='CUT')
        me.send_file(f, stop_after=2000)
        me.reset()
    with r.call() as me:
        assert me.send_file(f).taken
        assert me.run() == 0
    assert {p.name: len(p.read_bytes()) for p in r.delivered(2)} == {'SECOND-TRY': 3000,
                                                                    'CUT': 3000}


# ---- the end of the file -------------------------------------------------------------------

@pytest.mark.parametrize('file, rcnt, ucnt, reason', [
    ({'data': b'x' * 2000}, 0, 1999, 11),
    ({'data': b'x' * 2000}, 0, 2001, 11),
    ({'data': b'x' * 2000}, 0, 99999999999999999, 11),
    ({'data': b'x' * 2000, 'fmt': 'F', 'lrecl': 20}, 99, 2000, 10),
    ({'data': b'x' * 2000, 'fmt': 'F', 'lrecl': 20}, 100, 1980, 11),
    ({'records': [b'a', b'', b'c'], 'fmt': 'V'}, 2, 2, 10),
    ({'records': [b'a', b'', b'c'], 'fmt': 'V'}, 3, 3, 11),
])
def test_wrong_counts(plant, file, rcnt, ucnt, reason):
    """OFTP2-C85 OFTP2-C88 OFTP2-C89: nothing is delivered, the turn stays."""
    r = Relation(plant)
    f = File(**file)
    with r.call() as me:
        me.offer_file(f)
        me.send_data(f.records)
        end = me.end_file(rcnt, ucnt)
        assert (end.name, end.reas) == ('EFNA', reason) and str(ucnt) in end.reast
        usable(me, r)
    assert [p.name for p in r.delivered()] == ['NEXT']
    r.log('file.failed.*efna=%d' % reason)
    assert 'EFNA' in r.documents(state='refused')[0]['reason']


@pytest.mark.parametrize('fmt, records', [('F', [b'x' * 20, b'x' * 19, b'x' * 20]),
                                          ('F', [b'x' * 20, b'x' * 21]),
                                          ('V', [b'x' * 20, b'x' * 21])])
def test_records_of_another_length_than_announced(plant, fmt, records):
    """OFTP2-C85: the counts are right, and the text does not say that they are wrong."""
    r = Relation(plant)
    with r.call() as me:
        me.offer_file(File(records=records, fmt=fmt, lrecl=20))
        me.send_data(records)
        end = me.end_file(len(records), sum(map(len, records)))
        assert end.reas == 11 and '20 octets of SFIDLRECL' in end.reast
        usable(me, r)


def test_a_record_without_its_end(plant):
    """OFTP2-C85"""
    r = Relation(plant)
    with r.call() as me:
        me.offer_file(File(records=[b'a', b'b'], fmt='V'))
        me.send_data(None, oebs=[b'D\x81a\x01b'])
        end = me.end_file(1, 2)
        assert end.name == 'EFNA' and 'no end' in end.reast
        usable(me, r)


def test_record_count_of_a_file_without_records_does_not_matter(plant):
    """oftp2.md 8.4: for U and T expect 0, accept others."""
    r = Relation(plant)
    with r.call() as me:
        me.offer_file(File(b'abc'))
        me.send_data([b'abc'])
        assert me.end_file(7, 3).name == 'EFPA'
        assert me.run() == 0


def test_names(plant):
    """OFTP2-C70: lower case, underscores and blanks are taken, and no name leads out of the
    process's folder. What we send is legal."""
    r = Relation(plant, operation={'acknowledge': 'none'})
    names = ['lower_case.edi', 'With Blank', 'A' * 26, '%7B..%2F', '../../etc/x', '.hidden', '-rf']
    r.deliver(*[File(n.encode(), dsn=n) for n in names])
    r.wait_document('processed', count=len(names))
    found = {p.read_bytes().decode(): p.name for p in r.inbox.iterdir()}
    assert set(found) == set(names)
    for n in names:
        assert '/' not in found[n] and not found[n].startswith('.')
    for n in 'lower_case.edi', 'Größe  ü.xml', 'x' * 60, '*?':
        r.send(b'x', name=n)
    with r.call() as me:
        me.run()
    sent = [f.sfid.dsn for f in me.files]
    assert len(sent) == 4 and sent[0] == 'LOWER-CASE.EDI' and len(sent[2]) == 26


@contextlib.contextmanager
def no_more_files(g):
    """The program can open no file and take no connection for a while."""
    soft, hard = resource.prlimit(g.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(g.pid, resource.RLIMIT_NOFILE, (4, hard))
    try:
        yield
    finally:
        resource.prlimit(g.pid, resource.RLIMIT_NOFILE, (soft, hard))


def test_no_storage(gateway):
    """OFTP2-C63: the partner is told to come again, by SFNA 12 or, once it has been let in, by ESID
    08 or EFNA 12; and then the file is taken."""
    g = gateway()
    r = Relation(g)
    f = File(random.Random(1).randbytes(900_000), dsn='LATER')
    with r.call() as me:
        me.send_file(f, stop_after=700_000)
        scene.break_off(r, me, 650_000)
    kept = scene.partial(r, 600_000)['progress'] // oftp.BLOCK
    with r.call() as me, no_more_files(g):
        try:
            outcome = me.send_file(f, rest=kept)
            no = outcome.end or outcome.answer
            assert (no.reas, no.get('rrtr', 'Y')) == (12, 'Y')
        except oftp.Ended as e:
            assert e.reason == 8
    with r.call() as me:
        assert me.send_file(f, rest=kept).taken
        assert me.run() == 0
    assert r.delivered()[0].read_bytes() == f.data
    r.log('Too many open files')


def test_storage_that_fails_in_the_middle(gateway):
    """The session ends for later (ESID 08) and the file is taken then; other sessions go on, and
    new ones are taken up as soon as there is room again."""
    g = gateway()
    r, other = Relation(g), Relation(g)
    f = File(random.Random(2).randbytes(900_000), dsn='LATER')
    with other.call() as unharmed:
        with r.call() as me, no_more_files(g):
            with pytest.raises(oftp.Ended) as e:
                me.send_file(f)
            assert e.value.reason == 8
        assert unharmed.send_file(File(b'small', dsn='SMALL')).taken
        assert unharmed.run() == 0
    r.deliver(f)
    assert r.delivered()[0].read_bytes() == f.data
    assert 'Too many open files' in r.log('file.cut')[0]
