"""`GET /api/v1/overview`: what the console's first page shows. (Its form is held against the OpenAPI
document with every answer these tests get.)"""
import datetime
import os

import waybill
from oftp import File
from scene import Relation, apply

FAILS = [{'exec': {'command': ['/bin/false']}}]


def stamp(days):
    end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days, hours=1)
    return end.strftime('%Y%m%d%H%M%SZ')


def hour(gateway):
    """Sums of the last 60 minutes: {'in.received': 2, ...}."""
    o = gateway.get('/api/v1/overview')
    assert len(o['minutes']) == 60
    assert [m['at'] for m in o['minutes']] == sorted(m['at'] for m in o['minutes'])
    return {f'{d}.{k}': sum(m[d][k] for m in o['minutes'])
            for d in ('in', 'out') for k in o['minutes'][0][d]}


def wait_hour(gateway, **expected):
    """Waits for in_received=2 and so on; all other outcomes are 0."""
    want = {k.replace('_', '.', 1): n for k, n in expected.items()}

    def there():
        now = hour(gateway)
        return all(now[k] == want.get(k, 0) for k in now)
    waybill.wait_until(there, 20, f'{want}')


def test_documents_are_counted_by_minute_and_outcome_and_again_after_a_restart(gateway):
    g = gateway()
    wait_hour(g)
    good, bad = Relation(g), Relation(g, steps=FAILS)
    good.deliver(File(b'one', dsn='ONE'), File(b'two', dsn='TWO'))
    with bad.call() as me:
        me.send_file(File(b'three', dsn='THREE'))
        me.run()
    good.send(b'nobody can be called', name='OUT')
    wait_hour(g, in_received=3, in_processed=2, in_failed=1, out_queued=1)
    waybill.wait_until(lambda: g.get('/api/v1/overview')['documents']['sealed'], 20, 'OUT sealed')
    o = g.get('/api/v1/overview')
    assert o['failures_hour']['in'] == o['failures_day']['in'] == {'refused': 0, 'failed': 1}
    assert o['documents']['failed'] == 1 and o['documents']['sealed'] == 1
    g.restart()
    wait_hour(g, in_received=3, in_processed=2, in_failed=1, out_queued=1)
    o = g.get('/api/v1/overview')
    assert o['failures_day']['in'] == {'refused': 0, 'failed': 1}
    assert o['documents']['failed'] == 1 and o['documents']['sealed'] == 1
    Relation(g).deliver(File(b'four', dsn='FOUR'))
    wait_hour(g, in_received=4, in_processed=3, in_failed=1, out_queued=1)


def test_listeners_jobs_store_and_disk_are_told(plant):
    r = Relation(plant)
    number = r.send(b'nobody can be called')
    o = plant.get('/api/v1/overview')
    listeners = plant.get('/api/v1/listeners')['listeners']
    for state in 'listening', 'paused', 'errored':
        assert o['listeners'][state] == sum(x['state'] == state for x in listeners)
    assert o['ready'] and o['started'] < o['now'] and o['version'] and o['name'] == plant.name
    assert sum(k['open'] for k in o['jobs']['kinds']) == o['jobs']['open'] >= 1
    assert o['started'] < o['jobs']['oldest'] <= o['now']
    s = o['store']
    assert 0 < s['commits'] <= s['batches'] and s['failed'] == 0
    v = os.statvfs(plant.directory)
    assert s['disk_total'] == v.f_blocks * v.f_frsize and 0 < s['disk_free'] <= s['disk_total']
    assert sum(m['commits'] for m in o['minutes']) <= s['batches']
    plant.cli('cancel', str(number), json_output=False)
    plant.cli('listeners', 'pause', r.listener, json_output=False)
    assert plant.get('/api/v1/overview')['listeners']['paused'] == o['listeners']['paused'] + 1


def test_certificates_that_end_soon_are_told_the_first_to_end_first(plant, tmp_path):
    ca = waybill.Authority(tmp_path)
    ends = {'later': stamp(20), 'soon': stamp(3), 'fine': stamp(400)}
    certificates = [ca.issue(n, end=end).component(n) for n, end in ends.items()]
    apply(plant, *certificates, ca.expired('ended').component('ended'))
    told = plant.get('/api/v1/overview')['certificates_expiring']
    assert [c['name'] for c in told] == ['ended', 'soon', 'later']
    assert told[0]['days_left'] < 0 and [c['days_left'] for c in told[1:]] == [3, 20]
