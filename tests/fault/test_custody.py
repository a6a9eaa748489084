"""What was said to a partner survives a kill -9 of the next instant: EFPA, RTR, EERP; and what was
not said yet is neither lost nor doubled."""

import os

import oftp
import pytest
import scene
import waybill

@pytest.fixture
def plant(gateway):
    return gateway('plant-7')


def receipts_until(relation, count, **options):
    """Calls until so many responses have come; they."""
    found = []

    def there():
        with relation.call(**options) as me:
            me.run()
            found.extend(me.responses)
        return len(found) >= count
    waybill.wait_until(there, 30, f'{count} receipts')
    return found


FILES = {
    'in the row': lambda: oftp.File(os.urandom(900), dsn='ROW'),
    'empty': lambda: oftp.File(b'', dsn='EMPTY'),
    'in a file': lambda: oftp.File(os.urandom(300000), dsn='FILE'),
    'beyond a restart point': lambda: oftp.File(os.urandom(12 << 20), dsn='LONG'),
    'of records': lambda: oftp.File(records=[b'A' * 80, b'', b'BC'], fmt='V', dsn='RECORDS'),
}


@pytest.mark.parametrize('acknowledge', ['received', 'processed'])
@pytest.mark.parametrize('kind', FILES)
def test_a_file_is_there_after_a_kill_at_the_efpa(plant, kind, acknowledge):
    r = scene.Relation(plant, operation={'acknowledge': acknowledge})
    file = FILES[kind]()
    with r.call(sdeb=99999, cred=999) as me:
        outcome = me.send_file(file)
        plant.kill9()
        assert outcome.taken
    plant.start()
    d = r.wait_document('processed')
    content = r.delivered(1)[0].read_bytes()
    assert content == (file.data if file.fmt == 'U' else b''.join(x + b'\n' for x in file.records))
    eerp, = receipts_until(r, 1)
    assert (eerp.name, eerp.dsn, eerp.date, eerp.time) == ('EERP', file.dsn, file.date, file.time)
    with r.call() as me:       # and the same file again is the same file
        again = me.send_file(file)
        assert (again.answer.name, again.answer.reas) == ('SFNA', 13)
        me.run()
    assert len(r.documents(direction='in')) == 1
    assert [x['state'] for x in scene.wait_told(plant, d['id'])['receipts']] == ['sent']


@pytest.mark.parametrize('wait', [0, 0.001, 0.002, 0.004, 0.008, 0.02, 0.05])
@pytest.mark.parametrize('size', [900, 300000])
def test_a_kill_around_the_efpa_neither_loses_nor_doubles_a_file(plant, size, wait):
    r = scene.Relation(plant, operation={'acknowledge': 'processed'})
    file = oftp.File(os.urandom(size), dsn='ONCE')
    with r.call(sdeb=99999, cred=999) as me:
        me.offer_file(file)
        me.send_data(file.records)
        me.send('EFID', rcnt=0, ucnt=size)
        waybill.time.sleep(wait)
        plant.kill9()
        try:
            said = me.receive(1).name == 'EFPA'
        except (oftp.Closed, oftp.Silent):
            said = False
    plant.start()
    with r.call(sdeb=99999, cred=999) as me:
        again = me.send_file(file)
        assert again.taken or again.answer.reas == 13, again
        assert not (said and again.taken), 'taken a second time after EFPA'
        me.run()
    r.wait_document('processed')
    assert len(r.delivered(1)) == 1
    assert len(r.documents(direction='in')) == 1


def test_a_process_that_was_cut_off_runs_again_and_is_told_so(plant, tmp_path):
    out = tmp_path / 'runs'
    r = scene.Relation(plant, steps=[
        {'exec': {'command': ['/bin/sh', '-c',
                              f'cat > /dev/null; echo $WAYBILL_EXECUTION_REDELIVERED >> {out}; '
                              f'until test -e {tmp_path}/go; do sleep 0.05; done']}}])
    with r.call() as me:
        assert me.send_file(b'octets').taken
        waybill.wait_until(out.exists, 10, 'the first run')
        plant.kill9()
    (tmp_path / 'go').touch()
    plant.start()
    d = r.wait_document('processed')
    assert out.read_text().split() == ['false', 'true']
    assert d['redelivered'] and [x['redelivered'] for x in d['executions']].count(True) == 1


def test_a_receipt_is_there_after_a_kill_at_the_rtr(plant):
    r = scene.Relation(plant)
    number = r.send(b'an invoice', name='INVOICE')
    with r.call() as me:
        me.change_direction()
        got = me.receive_file(want_turn=True)
        me.send_eerp(got.sfid)
        plant.kill9()
    plant.start()
    d = scene.document(plant, number)
    assert d['state'] == 'acknowledged'
    assert [(x['kind'], x['state']) for x in d['receipts']] == [('EERP', 'received')]


def test_a_rejection_is_there_after_a_kill_at_the_rtr(plant):
    r = scene.Relation(plant)
    number = r.send(b'an invoice', name='INVOICE')
    with r.call() as me:
        me.change_direction()
        got = me.receive_file(want_turn=True)
        me.send_nerp(got.sfid, reas=34, reast='no such order')
        plant.kill9()
    plant.start()
    d = scene.document(plant, number)
    assert d['state'] == 'rejected' and 'no such order' in d['reason']


def test_a_receipt_without_rtr_is_sent_again(plant):
    r = scene.Relation(plant)
    with r.call() as me:
        assert me.send_file(oftp.File(b'octets', dsn='ASKED')).taken
        me.change_direction()
        assert me.expect('EERP').dsn == 'ASKED'
        plant.kill9()          # before RTR
    plant.start()
    assert [x.dsn for x in receipts_until(r, 1)] == ['ASKED']
    with r.call() as me:
        assert me.run() == 0 and not me.responses


def test_a_handed_in_document_is_there_after_a_kill(plant):
    r = scene.Relation(plant)
    numbers = [r.send(os.urandom(size), name=f'N{size}') for size in (10, 200000)]
    plant.kill9()
    plant.start()
    with r.call() as me:
        me.change_direction()
        got = [me.receive_file(), me.receive_file(want_turn=True)]
        assert [len(g.data) for g in got] == [10, 200000]
        me.run(responses=[('EERP', g.sfid, {}) for g in got])
    assert all(scene.wait_document(plant, n, 'acknowledged') for n in numbers)


def test_files_of_one_name_sent_around_a_kill_are_different_files(plant):
    """SFIDTIME must be new even when the program starts again in the same second."""
    r = scene.Relation(plant)
    for _ in range(4):
        r.send(b'one', name='STOCK')
        r.send(b'two', name='STOCK')
        plant.kill9()
        plant.start()
    with r.call() as me:
        me.change_direction()
        assert me.run() == 0
    assert len(me.files) == 8
    assert len({(f.sfid.date, f.sfid.time) for f in me.files}) == 8


def test_files_of_one_name_and_second_differ_at_a_level_without_counter(plant):
    r = scene.Relation(plant)
    numbers = [r.send(b'octets', name='STOCK') for _ in range(5)]
    with r.call(level=2) as me:
        me.change_direction()
        assert me.run() == 0       # with an EERP for each
    assert len({(f.sfid.date, f.sfid.time) for f in me.files}) == 5
    for n in numbers:
        scene.wait_document(plant, n, 'acknowledged')


def test_a_restart_from_less_than_we_have_survives_a_kill(plant):
    """The partner is sure of less than came: the file is cut there, and a crash right after that
    leaves something to go on with."""
    r = scene.Relation(plant)
    file = oftp.File(os.urandom(24 << 20), dsn='CUT')
    big = {'sdeb': 99999, 'cred': 999}
    with r.call(**big) as me:
        me.offer_file(file)
        me.send_data(file.records, stop_after=20 << 20)
        me.close()
    scene.partial(r, 15 << 20)
    with r.call(**big) as me:
        assert me.offer_file(file, rest=5000).acnt == 5000
        me.send_data(file.rest(5000), stop_after=1 << 20)
        plant.kill9()
    plant.start()
    with r.call(**big) as me:
        outcome = me.send_file(file, rest=24000)
        assert outcome.taken and outcome.answer.acnt <= 5000 + 1100
    r.wait_document('processed')
    assert r.delivered(1)[0].read_bytes() == file.data


def test_a_partial_file_that_vanished_is_taken_from_its_beginning(plant):
    r = scene.Relation(plant)
    file = oftp.File(os.urandom(12 << 20), dsn='CUT')
    big = {'sdeb': 99999, 'cred': 999}
    with r.call(**big) as me:
        me.offer_file(file)
        me.send_data(file.records, stop_after=10 << 20)
        me.close()
    scene.partial(r, 9 << 20)
    for p in plant.data.rglob('*.raw'):
        p.unlink()
    with r.call(**big) as me:
        outcome = me.send_file(file, rest=9000)
        assert outcome.taken and outcome.answer.acnt == 0
    r.wait_document('processed')
    assert r.delivered(1)[0].read_bytes() == file.data
    plant.wait_log('oftp2.file.anew')
