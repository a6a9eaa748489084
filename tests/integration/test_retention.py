"""Retention: what is done goes when its time is over; what somebody waits for stays."""

import re
import signal
import sqlite3

import scene
import waybill
from oftp import File
from scene import Relation, post

SOON = {'settings': {'retention': {
    'settled': {'payloads': '300ms', 'documents': '1500ms'},
    'failed': {'payloads': '300ms', 'documents': '1500ms'},
    'every': '100ms'}, 'oftp2_server': {'duplicate_memory': '1s'}}}
BIG = b'a line of a large document\n' * 40000


def payload_files(g):
    return sorted(p for p in (g.data / 'payload').rglob('*') if p.is_file())


def documents(g):
    return g.get('/api/v1/documents?limit=1000')['documents']


def purged(g, what):
    text = g.request('GET', '/metrics')[1].decode()
    return int(re.search(r'waybill_purged_total\{what="%s"\} (\d+)' % what, text).group(1))


def test_octets_go_first_and_the_document_later_with_its_files(gateway):
    g = gateway(settings={'oftp2_server': SOON['settings']['oftp2_server']})
    r = Relation(g)
    r.deliver(File(BIG, dsn='LARGE'), File(b'small', dsn='SMALL'))
    r.wait_document('processed', count=2)
    ids = [d['id'] for d in documents(g)]
    assert len(ids) == 2 and payload_files(g)
    g.config = waybill.merge(g.config, SOON['settings'])
    g.restart()
    waybill.wait_until(lambda: purged(g, 'payloads') == 2, 20, 'the octets to go')
    waybill.wait_until(lambda: payload_files(g) == [], 20, 'the files to go')
    waybill.wait_until(lambda: purged(g, 'documents') == 2, 20, 'the documents to go')
    assert documents(g) == []
    assert g.request('GET', f'/api/v1/documents/{ids[0]}')[0] == 404
    g.wait_log(r'retention\.purged documents=\d+ payloads=')
    assert len(list(r.inbox.iterdir())) == 2


def test_nothing_goes_without_the_setting(gateway):
    g = gateway(settings={'retention': {'every': '50ms'}})
    Relation(g).deliver(File(BIG, dsn='LARGE'))
    waybill.time.sleep(0.5)
    assert len(documents(g)) == 1 and payload_files(g)
    assert purged(g, 'documents') == purged(g, 'payloads') == 0


def test_what_somebody_waits_for_stays(gateway):
    """A receipt that is not fetched yet, one an operator has to release (also when the process says
    something else since), a failed document."""
    g = gateway(**SOON)
    unfetched, manual = Relation(g), Relation(g, operation={'acknowledge': 'manual'})
    broken = Relation(g, steps=[{'exec': {'command': ['/bin/false']}}])
    with unfetched.call() as me:
        assert me.send_file(File(b'one', dsn='ONE')).taken
    manual.deliver(File(b'two', dsn='TWO'))
    changed = Relation(g, operation={'acknowledge': 'manual'})
    changed.deliver(File(b'five', dsn='FIVE'))
    changed.operation = {'acknowledge': 'none'}
    scene.apply(g, changed.process_component())
    broken.deliver(File(b'three', dsn='THREE'))
    other = Relation(g)
    other.deliver(File(b'four', dsn='FOUR'))
    waybill.wait_until(lambda: 'FOUR' not in [d['name'] for d in documents(g)], 20, 'FOUR to go')
    left = {d['name']: d for d in documents(g)}
    assert sorted(left) == ['FIVE', 'ONE', 'THREE', 'TWO']
    scene.wait_document(g, left['THREE']['id'], 'failed')
    scene.wait_document(g, left['TWO']['id'], 'processed')
    for d in left.values():
        status, octets = g.request('GET', f'/api/v1/documents/{d["id"]}/raw')
        assert status == 200 and octets in (b'one', b'two', b'three', b'five'), (status, octets)
    # Each goes once nobody waits for it any more.
    post(g, f'/api/v1/documents/{left["TWO"]["id"]}/acknowledge')
    post(g, f'/api/v1/documents/{left["FIVE"]["id"]}/acknowledge')
    post(g, f'/api/v1/documents/{left["THREE"]["id"]}/cancel')
    with unfetched.call() as me:
        assert me.run() == 0
    for r in manual, changed:
        with r.call() as me:
            assert me.run() == 0
    waybill.wait_until(lambda: documents(g) == [], 20, 'all to go')


def test_what_we_sent_stays_until_it_is_settled(gateway):
    """It may have to go again, and its receipt is compared with it."""
    g = gateway(**SOON)
    waiting, answered = Relation(g), Relation(g)
    queued, sent = waiting.send(b'one', name='QUEUED'), answered.send(b'two', name='SENT')
    with answered.call() as me:
        assert me.run(receipt=None) == 0
    scene.wait_document(g, sent, 'sent')
    Relation(g).deliver(File(b'three', dsn='SETTLED'))
    waybill.wait_until(lambda: {d['name'] for d in documents(g)} == {'QUEUED', 'SENT'}, 20,
                       'what is settled to go')
    for number, octets in (queued, b'one'), (sent, b'two'):
        assert 'octets removed' not in scene.events(scene.document(g, number))
        assert g.request('GET', f'/api/v1/documents/{number}/raw') == (200, octets)
    with answered.call() as again:
        again.send_eerp(me.files[0].sfid)
        assert again.run() == 0
    with waiting.call() as me:
        assert me.run() == 0                            # takes it, and says so
    waybill.wait_until(lambda: documents(g) == [], 20, 'both to go')


def test_a_failed_document_that_was_given_up_can_still_be_run_again(gateway):
    g = gateway(settings={'retention': {'failed': {'payloads': '1h'}, 'every': '100ms'}})
    r = Relation(g, steps=[{'exec': {'command': ['/bin/false']}}])
    r.deliver(File(b'three', dsn='THREE'))
    number = documents(g)[0]['id']
    scene.wait_document(g, number, 'failed')
    post(g, f'/api/v1/documents/{number}/cancel')
    d = scene.document(g, number)
    assert d['state'] == 'failed' and 'given up' in scene.events(d)
    scene.apply(g, r.process_component(steps=[{'write': {'directory': str(r.inbox)}}]))
    post(g, f'/api/v1/documents/{number}/retry')
    d = scene.wait_document(g, number, 'processed')
    assert not d['properties'].get('waybill.closed')


def test_a_duplicate_is_recognised_though_the_time_of_its_document_is_over(gateway):
    g = gateway(settings={'retention': {'settled': {'payloads': '100ms', 'documents': '100ms'},
                                        'every': '100ms'}})
    r = Relation(g)
    f = File(b'the same', dsn='SAME')
    r.deliver(f)
    waybill.wait_until(lambda: purged(g, 'payloads') == 1, 20, 'the octets to go')
    waybill.time.sleep(0.5)
    with r.call() as me:
        outcome = me.send_file(f)
        assert not outcome.taken
    assert len(list(r.inbox.iterdir())) == 1 and purged(g, 'documents') == 0
    number = [d['id'] for d in documents(g) if d['state'] == 'processed'][0]
    assert g.request('GET', f'/api/v1/documents/{number}/raw')[0] in (404, 409)


def test_a_process_has_a_time_of_its_own(gateway):
    g = gateway(settings={'retention': {'settled': {'payloads': '10d'}, 'every': '100ms'}})
    short, long = Relation(g), Relation(g)
    scene.apply(g, {**short.process_component(),
                    'retention': {'settled': {'payloads': '100ms'}}})
    short.deliver(File(b'short', dsn='SHORT'))
    long.deliver(File(b'long', dsn='LONG'))
    waybill.wait_until(lambda: purged(g, 'payloads') == 1, 20, 'one to go')
    waybill.time.sleep(0.4)
    assert purged(g, 'payloads') == 1
    by_name = {d['name']: d['id'] for d in documents(g)}
    assert g.request('GET', f'/api/v1/documents/{by_name["LONG"]}/raw') == (200, b'long')


def test_killed_while_it_purges_neither_files_nor_octets_are_astray(gateway):
    g = gateway(settings={'retention': {'every': '10h'}})
    r = Relation(g, steps=[{'exec': {'command': ['/bin/true']}}])
    for n in range(8):
        for m in range(4):
            r.deliver(*[File(BIG if i % 2 else b'small', dsn=f'F{n}-{m}-{i}') for i in range(40)])
        waybill.wait_until(lambda: not g.get('/api/v1/jobs')['jobs'], 30, 'all to be processed')
        before = len(payload_files(g))
        assert before >= 80
        g.stop()
        g.config['retention'] = {'settled': {'payloads': '1ms'}, 'every': '50ms'}
        g.start(wait=False)

        def some_went():        # it stands still while we look, or on a slow machine all are gone then
            g.signal(signal.SIGSTOP)
            some = len(payload_files(g)) < before - 4
            if not some:
                g.signal(signal.SIGCONT)
            return some
        waybill.wait_until(some_went, 20, 'some to go', 0.0005)
        g.kill9()
        left = len(payload_files(g))
        g.config['retention'] = {'every': '10h'}
        g.start()
        if 0 < left:        # in the midst of it
            break
    assert 0 < left < before
    g.stop()
    with sqlite3.connect(g.data / 'waybill.db') as db:
        named = {row[0]: row[1] for kind in ('raw', 'opened') for row in db.execute(
            f'SELECT {kind}_path, {kind}_size FROM document WHERE {kind}_kind = 2')}
        rows = db.execute('SELECT count(*) FROM octets WHERE key / 4 NOT IN '
                          '(SELECT id FROM document WHERE raw_kind = 1 OR opened_kind = 1)')
        assert rows.fetchone()[0] == 0
        for kind, role in (('raw', 0), ('opened', 1)):
            rows = db.execute(f'SELECT count(*) FROM document WHERE {kind}_kind = 1 AND NOT '
                              f'EXISTS (SELECT 1 FROM octets WHERE key IN (id * 4, id * 4 + 1))')
            assert rows.fetchone()[0] == 0
    there = {str(p.relative_to(g.data / 'payload')): p.stat().st_size for p in payload_files(g)}
    assert there == named
