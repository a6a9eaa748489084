"""Transfers that are cut: they go on where they were, from either side."""

import random

import pytest

import oftp
import scene
import waybill
from oftp import BLOCK, File, Server
from scene import Relation, post, sessions_gone

PLANT = {'settings': {'oftp2_server': {'buffer_compression': True}}}
RNG = random.Random(42)
DATA = RNG.randbytes(1_500_000)


def make(fmt):
    if fmt == 'F':
        return File(DATA[:1_200_000], fmt='F', lrecl=80, dsn='FIXED')
    if fmt == 'V':
        records, at = [], 0
        while at < 1_200_000:
            n = RNG.choice([0, 1, 63, 64, 200, 2000])
            records.append(DATA[at:at + n].replace(b'\n', b'.'))
            at += n + 1
        return File(records=records, fmt='V', dsn='VARIABLE')
    return File(DATA, fmt=fmt, dsn='STREAM')


def units(file, octets):
    """Complete units among the first `octets` of a file."""
    if not file.counts_records:
        return octets // BLOCK
    n, at = 0, 0
    for r in file.records:
        if at + len(r) > octets:
            break
        at += len(r)
        n += 1
    return n


def content(file):
    return b''.join(r + b'\n' for r in file.records) if file.fmt == 'V' else file.data


def cut(relation, file, octets, rest=0, **options):
    """Sends a file up to some point and breaks the connection; what the gateway keeps of it."""
    with relation.call(**options) as me:
        me.send_file(file, rest=rest, stop_after=octets)
        start = sum(map(len, file.records[:rest])) if file.counts_records else rest * BLOCK
        scene.break_off(relation, me, start + octets * 0.9)
    sessions_gone(relation.gateway)
    kept = relation.documents(state='receiving')
    return kept[0] if kept else None


@pytest.mark.parametrize('fmt', 'UTFV')
@pytest.mark.parametrize('at', [5000, 300_000, 1_100_000])
@pytest.mark.parametrize('cmpr', 'NY')
def test_a_partner_goes_on(plant, fmt, at, cmpr):
    """OFTP2-C101 OFTP2-C102 OFTP2-C104: the answer is what is kept, in units of the format, never
    more than the offer; the counts at the end are of the whole file."""
    r = Relation(plant)
    file = make(fmt)
    kept = cut(r, file, at, cmpr=cmpr)
    assert kept['progress'] > at * 0.8
    have = kept['records'] if file.counts_records else kept['progress'] // BLOCK
    whole = units(file, len(file.data) + len(file.records))
    with r.call(cmpr=cmpr) as me:
        outcome = me.send_file(file, rest=whole)
        assert outcome.answer.acnt == have and outcome.taken
        assert me.run() == 0
    assert r.delivered()[0].read_bytes() == content(file)
    d = r.wait_document('processed')
    assert d['id'] == kept['id'] and len(r.documents()) == 1
    if file.counts_records:
        assert d['records'] == len(file.records)


@pytest.mark.parametrize('fmt', 'UFV')
def test_a_partner_offers_less_than_is_kept(plant, fmt):
    """OFTP2-C102: the kept part is cut to exactly that point."""
    r = Relation(plant)
    file = make(fmt)
    cut(r, file, 700_000)
    offer = units(file, 200_000)
    with r.call() as me:
        outcome = me.send_file(file, rest=offer)
        assert outcome.answer.acnt == offer and outcome.taken
        assert me.run() == 0
    assert r.delivered()[0].read_bytes() == content(file)


@pytest.mark.parametrize('fmt', 'UV')
def test_cut_again_and_again(plant, fmt):
    r = Relation(plant)
    file = make(fmt)
    rest = 0
    for _ in range(6):
        kept = cut(r, file, 150_000, rest=rest)
        have = kept['records'] if file.counts_records else kept['progress'] // BLOCK
        assert have > rest
        rest = have
    with r.call() as me:
        outcome = me.send_file(file, rest=rest + 7)
        assert outcome.answer.acnt == rest and outcome.taken
        assert me.run() == 0
    assert r.delivered()[0].read_bytes() == content(file)


def test_nothing_kept(plant):
    """OFTP2-C103 OFTP2-C59"""
    r = Relation(plant)
    with r.call() as me:
        outcome = me.send_file(File(DATA[:5000]), rest=4)
        assert outcome.answer.acnt == 0 and outcome.taken
        assert me.run() == 0
    assert r.delivered()[0].read_bytes() == DATA[:5000]


def test_starting_over(plant):
    """OFTP2-C103: an offer of 0 is taken although something is kept."""
    r = Relation(plant)
    file = make('U')
    cut(r, file, 300_000)
    with r.call() as me:
        assert me.send_file(file, rest=0).taken
        assert me.run() == 0
    assert r.delivered()[0].read_bytes() == DATA
    assert len(r.documents()) == 1


@pytest.mark.parametrize('fmt', 'UV')
def test_seventeen_nines(plant, fmt):
    """OFTP2-C109"""
    r = Relation(plant)
    file = make(fmt)
    kept = cut(r, file, 300_000)
    have = kept['records'] if file.counts_records else kept['progress'] // BLOCK
    with r.call() as me:
        outcome = me.send_file(file, rest=99999999999999999)
        assert outcome.answer.acnt == have and outcome.taken
        assert me.run() == 0
    assert r.delivered()[0].read_bytes() == content(file)


@pytest.mark.parametrize('other', [{'fmt': 'T'}, {'fsiz': 1}, {'fmt': 'F', 'lrecl': 100}])
def test_other_attributes_start_at_zero(plant, other):
    """oftp2.md 8.2 and 8.3: the same name and stamp, yet not the same file."""
    r = Relation(plant)
    stamp = {'dsn': 'SAME', 'date': '20261121', 'time': '1015300001'}
    cut(r, File(DATA[:500_000], **stamp), 300_000)
    other = File(DATA[500_000:600_000], **{**stamp, **other})
    with r.call() as me:
        outcome = me.send_file(other, rest=100)
        assert outcome.answer.acnt == 0 and outcome.taken
        assert me.run() == 0
    assert r.delivered()[0].read_bytes() == DATA[500_000:600_000]


def test_another_stamp_is_another_file(plant):
    r = Relation(plant)
    cut(r, File(DATA[:500_000], dsn='SAME', date='20261121', time='1015300001'), 300_000)
    with r.call() as me:
        outcome = me.send_file(File(DATA[:500_000], dsn='SAME', date='20261121',
                                    time='1015300002'), rest=100)
        assert outcome.answer.acnt == 0 and outcome.taken
        assert me.run() == 0


def test_restart_that_was_not_agreed(plant):
    """OFTP2-C108 OFTP2-C39"""
    r = Relation(plant)
    with r.call(rest='N') as me:
        me.send('SFID', **File(b'x' * 3000, dest=scene.OWN, orig=r.code).sfid(5, rest=1))
        me.expect_esid(2)


def test_without_restart_nothing_is_kept_for_the_partner(plant):
    r = Relation(plant, restart=False)
    file = make('U')
    with r.call() as me:
        me.send_file(file, stop_after=300_000)
        me.reset()
    sessions_gone(plant)
    r.deliver(file)
    assert r.delivered()[0].read_bytes() == DATA


@pytest.mark.parametrize('how', ['stop', 'kill'])
def test_a_partner_goes_on_after_the_runtime_was_restarted(gateway, how):
    """OFTP2-C100: an ordered stop in the middle of a transfer says ESID 05 and keeps the part."""
    g = gateway(settings={'runtime': {'stop_timeout': '100ms'}})
    r = Relation(g)
    file = File(DATA * 8, dsn='BIG')
    with r.call(sdeb=99999, cred=999) as me:
        me.send_file(file, stop_after=10_000_000)
        waybill.wait_until(lambda: g.get('/api/v1/sessions')['sessions'][0]['done'] > 9_000_000)
        if how == 'stop':
            g.signal(15)
            me.expect_esid(5)
            assert g.exit_status() == 0
        else:
            g.kill9()
    g.start()
    with r.call(sdeb=99999, cred=999) as me:
        outcome = me.send_file(file, rest=len(file.data) // BLOCK)
        assert outcome.taken
        # After a power cut it is the last restart point, after an ordered stop all that came.
        assert outcome.answer.acnt * BLOCK >= (9_000_000 if how == 'stop' else 8_000_000)
        assert me.run() == 0
    assert r.delivered()[0].read_bytes() == file.data


@pytest.mark.parametrize('size', [10, 1_000_000])
def test_what_was_taken_survives(gateway, size):
    """OFTP2-C86: the power is cut right after EFPA; the file is delivered once, and answered."""
    g = gateway()
    r = Relation(g)
    file = File(DATA[:size], dsn='TAKEN')
    with r.call() as me:
        me.offer_file(file)
        me.send_data([file.data])
        assert me.end_file(*file.counts()).name == 'EFPA'
        g.kill9()
    g.start()
    assert r.delivered()[0].read_bytes() == file.data
    with r.call() as me:
        assert me.offer_file(file).reas == 13
        assert me.run() == 0
        assert [x.dsn for x in me.responses] == ['TAKEN']


def test_a_stop_lets_a_transfer_finish(gateway):
    """OFTP2-C100: up to the stop timeout. New sessions are not taken, idle ones end with ESID 05."""
    g = gateway()
    r, idle = Relation(g), Relation(g)
    file = File(DATA, dsn='FINISH')
    with r.call() as me, idle.call() as waiting:
        me.offer_file(file)
        g.signal(15)
        waiting.expect_esid(5)
        me.send_data([DATA])
        assert me.end_file(0, len(DATA)).name == 'EFPA'
        assert me.run() == 5
    assert g.exit_status() == 0
    g.start()
    with r.call() as me:
        me.run()
        assert [x.name for x in me.responses] == ['EERP'] or r.wait_document('processed')
    assert r.delivered()[0].read_bytes() == DATA


def test_the_same_file_on_a_second_line(plant):
    """The partner's connection broke and we have not noticed: the newcomer goes on with it."""
    r = Relation(plant)
    file = make('U')
    first = r.peer()
    first.log_on()
    first.send_file(file, stop_after=400_000)
    waybill.wait_until(lambda: any(s['done'] > 300_000
                                   for s in plant.get('/api/v1/sessions')['sessions']))
    with r.call() as me:
        outcome = me.send_file(file, rest=2000)
        assert 300 <= outcome.answer.acnt and outcome.taken
        assert me.run() == 0
    first.close()
    assert r.delivered()[0].read_bytes() == DATA
    assert len(r.documents()) == 1


# ---- our own sending -----------------------------------------------------------------------

def api_file(fmt):
    """What to hand in, its parameters, and the records the partner must get."""
    if fmt == 'F':
        data = DATA[:1_200_000]
        return data, {'format': 'F', 'record_length': 80}, oftp.cut(data, 80)
    if fmt == 'V':
        records = make('V').records
        return content(File(records=records, fmt='V')), {'format': 'V',
                                                         'record_length': 2000}, records
    return DATA, {'format': fmt}, [DATA]


@pytest.mark.parametrize('fmt', 'UTFV')
@pytest.mark.parametrize('cmpr', 'NY')
def test_we_go_on(plant, fmt, cmpr):
    """OFTP2-C101 OFTP2-C104: what we offer is no more than was sent; SFPAACNT decides; cut twice."""
    data, parameters, records = api_file(fmt)
    with Server(f'O0013CUT{fmt}{cmpr}', 'PW', cmpr=cmpr) as server:
        r = Relation(plant, server=server)
        number = r.send(data, name='GOES-ON', **parameters)
        partial = None
        for stop in 200_000, 700_000:
            with server.accept() as peer:
                peer.log_on()
                sfid = peer.expect_file()
                if partial is not None:
                    assert 0 < sfid.rest
                partial = peer.take_file(sfid, partial=partial, stop_after=stop)
                assert not partial.complete
                peer.reset()
        with server.accept() as peer:
            peer.log_on()
            sfid = peer.expect_file()
            assert sfid.rest >= partial.units() - 1000
            assert (sfid.date, sfid.time) == (partial.sfid.date, partial.sfid.time)
            got = peer.take_file(sfid, partial=partial)
            assert got.data == b''.join(records)
            if fmt in 'FV':
                assert got.records == records
            peer.run()
        d = scene.wait_document(plant, number, 'sent', 'acknowledged')
        assert scene.events(d).count('interrupted') == 2


def test_a_partner_that_kept_less(plant):
    """OFTP2-C101: half of what we offer, and nothing at all."""
    for position in 100, 0:
        with Server(f'O0013LESS{position}', 'PW') as server:
            r = Relation(plant, server=server)
            r.send(DATA, name='LESS')
            with server.accept() as peer:
                peer.log_on()
                partial = peer.take_file(peer.expect_file(), stop_after=600_000)
                peer.reset()
            with server.accept() as peer:
                peer.log_on()
                sfid = peer.expect_file()
                assert sfid.rest > position
                assert peer.take_file(sfid, partial=partial, position=position).data == DATA
                peer.run()


def test_a_partner_without_restart(plant):
    """OFTP2-C39"""
    with Server('O0013NOREST', 'PW', rest='N') as server:
        r = Relation(plant, server=server)
        r.send(DATA, name='OVER')
        with server.accept() as peer:
            peer.log_on()
            peer.take_file(peer.expect_file(), stop_after=600_000)
            peer.reset()
        with server.accept() as peer:
            peer.log_on()
            assert peer.expect_file().rest == 0
            peer.reset()


@pytest.mark.parametrize('damage', ['a record too long', 'a record too short', 'one missing'])
def test_a_damaged_record_index_ends_the_session_and_says_so(plant, damage):
    """It neither sends on for ever nor less than the file; the runtime still stops."""
    r = Relation(plant)
    before = set((plant.data / 'payload').rglob('*'))
    number = r.send(b'ten octets\n' * 20_000, name='DAMAGED', format='V', record_length=80)
    scene.wait_document(plant, number, 'sealed')
    index, = (p for p in set((plant.data / 'payload').rglob('*')) - before
              if p.is_file() and p.stat().st_size == 4 * 20_000)
    octets = index.read_bytes()
    index.write_bytes({'a record too long': octets[:-1] + b'\x0d',
                       'a record too short': octets[:-1] + b'\x08',
                       'one missing': octets[:-4]}[damage])
    with r.call() as me:
        with pytest.raises(oftp.Ended) as ended:
            me.run()
        assert ended.value.reason == 8
    r.log(f'session.end.*record index of document {number} does not fit its payload')
    d = scene.wait_document(plant, number, 'sealed')
    assert scene.events(d)[-1] == 'interrupted'
    post(plant, f'/api/v1/documents/{number}/cancel')
    answer = post(plant, f'/api/v1/documents/{number}/resend', 500)
    assert 'payload' in str(answer), answer


def test_a_damaged_record_index_keeps_a_file_that_came_from_its_process(gateway, tmp_path):
    """It is neither given on without its end nor acknowledged; with its index it goes on."""
    g = gateway(settings={'runtime': {'workers': 1}})
    gate = scene.Gate(tmp_path)
    busy = Relation(g, steps=[gate.step])
    busy.deliver(File(b'keeps the only worker', dsn='BUSY'))
    busy.wait_document('processing')
    r = Relation(g)
    records = [b'ten octets'] * 20_000
    with r.call() as me:
        for n in range(4):
            assert me.send_file(File(records=records, fmt='V', lrecl=80, dsn=f'F{n}')).taken
    indexes = list((g.data / 'payload').rglob('*.idx'))
    octets = indexes[0].read_bytes()
    indexes[0].write_bytes(octets[:-1] + b'\x0d')      # a record too long
    indexes[1].write_bytes(octets[:-1] + b'\x08')      # or too short
    indexes[2].write_bytes(octets[:-4])                # one missing
    indexes[3].unlink()                                # all missing
    gate.open()
    waybill.wait_until(lambda: len(g.log_lines('job.later.*payload')) >= 4, 20)
    assert {d['state'] for d in r.documents()} == {'received'}
    for index in indexes:
        index.write_bytes(octets)
    r.wait_document('processed', count=4, timeout=40)
    for got in r.delivered(4):
        assert got.read_bytes() == b''.join(x + b'\n' for x in records)


def test_an_answer_beyond_the_offer(plant):
    """OFTP2-C66"""
    with Server('O0013MORE', 'PW') as server:
        r = Relation(plant, server=server)
        number = r.send(DATA, name='MORE')
        with server.accept() as peer:
            peer.log_on()
            peer.expect_file()
            peer.send('SFPA', acnt=1)
            peer.expect_esid(2)
        r.log('session.end.*ESID 02')
        post(plant, f'/api/v1/documents/{number}/cancel')


def test_we_go_on_after_our_own_restart(gateway):
    g = gateway(settings={'runtime': {'stop_timeout': '100ms'}})
    with Server('O0013PARTNER', 'PW', sdeb=99999, cred=10) as server:
        r = Relation(g, server=server)
        r.send(DATA * 8, name='BIG')
        with server.accept() as peer:
            peer.log_on()
            partial = peer.take_file(peer.expect_file(), stop_after=9_000_000)
            g.signal(15)
            try:
                while True:
                    partial.unpacker.add(peer.expect('DATA').oeb)
            except oftp.Ended as e:
                assert e.reason == 5
        g.exit_status()
        g.start()
        with server.accept() as peer:
            peer.log_on()
            sfid = peer.expect_file()
            assert sfid.rest * BLOCK >= 8_000_000
            assert peer.take_file(sfid, partial=partial).data == DATA * 8
            peer.run()
