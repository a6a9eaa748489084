"""Partners that are broken or mean: what they do stays theirs. The store, the log and the disk do
not grow with it, others are served on, and nobody settles what is not his."""

import os
import pathlib
import signal
import threading
import time

import oftp
import pytest
import scene
import waybill
from scene import Relation, document, query

BIG = {'sdeb': 99999, 'cred': 999}
TOLD = 200      # refusals and odd responses of one session that are kept


def payloads(g):
    return [p for p in (pathlib.Path(g.data) / 'payload').rglob('*') if p.is_file()]


def test_a_flood_of_refused_files_fills_nothing(plant):
    r = Relation(plant)
    with r.call() as me:
        for n in range(TOLD + 60):
            answer = me.offer_file(oftp.File(b'x', dsn=f'F{n}', dest='O0013NOBODY'))
            assert (answer.name, answer.reas) == ('SFNA', 2)
        assert me.send_file(oftp.File(b'good', dsn='GOOD')).taken
        me.run()
    assert len(r.delivered(1)) == 1
    found = plant.get(query('/api/v1/documents', partner=r.name, state='refused', limit=1000))
    assert len(found['documents']) == TOLD
    assert len(plant.log_lines(f'oftp2.file.refused.*{r.name} ')) == TOLD
    assert len(r.log('oftp2.refusals ')) == 1


def test_a_flood_of_responses_to_nothing_fills_nothing(plant):
    r = Relation(plant)
    with r.call() as me:
        for n in range(TOLD + 60):
            # answered by RTR all the same
            me.send('EERP', dsn=f'N{n}', date='20260101', time='1200000001', user='', dest=r.own,
                    orig=r.code, hsh=b'', sig=b'')
            me.expect('RTR')
        me.run()
    found = [x for x in r.gateway.log_lines('oftp2.receipt.received.*matched=no')
             if f'partner={r.name} ' in x]
    assert len(found) == TOLD


def test_records_without_octets_have_a_weight(plant):
    """A V file of empty records has no octets, but an index that grows by four for each."""
    r = Relation(plant, operation={'max_file_size': 1 << 20})
    before = len(payloads(plant))
    file = oftp.File(records=[b''], dsn='EMPTY', fmt='V', lrecl=80)
    empty = b'D' + b'\x80' * 99998                    # so many ends of records
    with r.call(**BIG) as me:
        assert me.offer_file(file).name == 'SFPA'
        try:
            me.send_data(None, oebs=[empty] * 100)
            me.expect_esid(8)
        except (oftp.Ended, oftp.Closed) as e:
            assert not isinstance(e, oftp.Ended) or e.reason == 8, e
    d = r.wait_document('refused')
    assert 'larger than agreed' in d['reason']
    waybill.wait_until(lambda: len(payloads(plant)) == before, 20, 'its files to be gone')


def test_a_file_beyond_the_limit_leaves_nothing(plant):
    """Kept for a restart it would be too large again, as long as the partner tries."""
    r = Relation(plant, operation={'max_file_size': 12 << 20})
    before = len(payloads(plant))
    file = oftp.File(os.urandom(16 << 20), dsn='HUGE', fsiz=1, osiz=1)
    with r.call(**BIG) as me:
        try:
            assert not me.send_file(file).taken
        except (oftp.Ended, oftp.Closed) as e:
            assert not isinstance(e, oftp.Ended) or e.reason == 8, e
    r.wait_document('refused')
    assert not r.documents(state='receiving')
    waybill.wait_until(lambda: len(payloads(plant)) == before, 20, 'its file to be gone')


def test_nobody_else_settles_a_document(plant):
    """An EERP or NERP counts from the station the file went to, its final recipient, or a relay."""
    with oftp.Server('O0013VICTIM', 'PW') as server:
        victim, thief = Relation(plant, server=server), Relation(plant)
        server.start(receipt=None)
        number = victim.send(b'octets')
        sfid = server.next_file().sfid
        scene.wait_document(plant, number, 'sent')
        with thief.call() as me:
            me.send_nerp(sfid)
            me.run()
        d = document(plant, number)
        assert d['state'] == 'sent'
        assert [x['state'] for x in d['receipts']] == ['refused']
        assert 'from.via' in thief.log('oftp2.receipt.received.*from somebody else')[0]
        scene.apply(plant, victim.partner_component(via=[thief.code]))
        with thief.call() as me:
            me.send_eerp(sfid)
            me.run()
        assert document(plant, number)['state'] == 'acknowledged'


def at_once(count, call):
    results = []
    threads = [threading.Thread(target=lambda: results.append(call())) for _ in range(count)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return results


def test_two_operators_at_once(plant):
    """One receipt, one job: the second hears that the first was there."""
    r = Relation(plant, operation={'acknowledge': 'manual'})
    r.deliver(oftp.File(b'x'))
    d = r.wait_document('processed')
    got = at_once(6, lambda: plant.request(
        'POST', f'/api/v1/documents/{d["id"]}/acknowledge', b'{"positive": true}')[0])
    assert sorted(got) == [200] + [409] * 5
    assert len(document(plant, d['id'])['receipts']) == 1
    failing = Relation(plant, steps=[{'exec': {'command': ['/bin/false']}}])
    failing.deliver(oftp.File(b'x'))
    d = failing.wait_document('failed')
    got = at_once(6, lambda: plant.request('POST', f'/api/v1/documents/{d["id"]}/retry')[0])
    assert 200 in got and set(got) <= {200, 409}
    failing.wait_document('failed')
    runs = document(plant, d['id'])['executions']
    assert len(runs) == 1 + got.count(200)


def test_what_is_being_sent_cannot_be_cancelled(plant):
    with oftp.Server('O0013BUSY', 'PW') as server:
        r = Relation(plant, server=server)
        number = r.send(b'octets')
        with server.accept() as me:
            me.log_on()
            sfid = me.expect_file()
            status, answer = plant.request('POST', f'/api/v1/documents/{number}/cancel')
            assert status == 409 and b'being sent' in answer, answer
            assert me.take_file(sfid)
            me.run()
        assert scene.wait_document(plant, number, 'sent', 'acknowledged')


def test_a_payload_that_cannot_be_read_holds_up_nobody(plant):
    with waybill.nobody() as port:
        r = Relation(plant, code='O0013LATER', host='127.0.0.1', port=port, identity='us',
                     retry={'first': '1h', 'max': '1h'})
        before = set(payloads(plant))
        number = r.send(os.urandom(100000))
        lost, = set(payloads(plant)) - before
        lost.unlink()
        second = r.send(b'fine')
        with oftp.Server(r.code, r.password, port=port) as server:
            server.start()
            waybill.wait_until(lambda: plant.request('POST', f'/api/v1/partners/{r.name}/call')[0]
                               in (200, 202), 10, 'the call to be taken')
            assert server.next_file().data == b'fine'
            assert scene.wait_document(plant, second, 'sent', 'acknowledged')
    d = waybill.wait_until(lambda: (lambda x: x if 'payload' in (x['jobs'][0]['last_error'] or '')
                                    else None)(document(plant, number)), 20,
                           'the payload to be missed')
    assert d['state'] == 'sealed'


def test_a_payload_that_cannot_be_read_in_the_middle_ends_the_session_with_esid_08(plant):
    """The partner is told, the document waits with the reason and goes on from where it was."""
    data = os.urandom((3 << 20) + 7)
    with oftp.Server('O0013MIDDLE', 'PW') as server:
        before = set(payloads(plant))
        r = Relation(plant, server=server)
        number = r.send(data)
        path, = set(payloads(plant)) - before
        with server.accept(cred=2) as me:
            me.log_on()
            sfid = me.expect_file()
            part = me.take_file(sfid, stop_after=1)
            os.truncate(path, 0)
            with pytest.raises(oftp.Ended) as ended:
                while True:
                    if len(part.oebs) % 2 == 0:
                        me.send('CDT')
                    command = me.expect('DATA')
                    part.oebs.append(len(command.oeb))
                    part.unpacker.add(command.oeb)
            assert ended.value.reason == 8, ended.value
        assert len(part.data) < len(data)
        waybill.wait_until(lambda: document(plant, number)['jobs'][0]['last_error'], 20)
        d = document(plant, number)
        assert d['state'] == 'sealed' and 'we sent ESID 08: the payload' in str(d['events']), d
        assert r.log('oftp2.send.unreadable.*look_at="the folder `payload`')
        path.write_bytes(data)
        with server.accept() as me:
            me.log_on()
            sfid = me.expect_file()
            assert sfid.rest > 0
            assert me.take_file(sfid, partial=part).data == data
            assert me.run() == 0
        scene.wait_document(plant, number, 'sent', 'acknowledged')


def test_waiting_for_a_receipt_costs_no_processor(plant):
    gate = scene.Gate(plant.directory)
    r = Relation(plant, operation={'acknowledge': 'processed'}, steps=[gate.step])
    with r.call() as me:
        assert me.send_file(oftp.File(b'x')).taken
        r.wait_document('processing')
        me.change_direction()
        used = plant.cpu_seconds()
        time.sleep(1.5)         # nothing but the wait is going on now
        used = plant.cpu_seconds() - used
        gate.open()
        me.run()
        got = me.responses
    r.wait_document('processed')
    assert used < 0.6
    if not got:         # a machine that took more than three seconds for it
        with r.call() as me:
            me.run()
            got = me.responses
    assert [x.name for x in got] == ['EERP']


def test_a_program_whose_child_prints_for_ever(plant, tmp_path):
    r = Relation(plant, steps=[{'exec': {
        'command': ['/bin/sh', '-c', f'yes & echo $! > {tmp_path}/child; sleep 0.3'],
        'timeout': '10m'}}])
    r.deliver(oftp.File(b'x'))
    try:
        r.wait_document('processed')
    finally:
        try:
            os.kill(int((tmp_path / 'child').read_text()), signal.SIGKILL)
        except (FileNotFoundError, ProcessLookupError):
            pass
