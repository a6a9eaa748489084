"""Two gateways that point at each other, both with documents without end, while partners send in
twenty sessions and operators do what operators do. At the end the books of both sides agree, and
memory has not grown.

WAYBILL_SECONDS   how long (15)"""

import os
import pathlib
import random
import signal
import threading
import time

import oftp
import scene
import waybill
from test_kill9 import Feeder, check, components, settled

SECONDS = float(os.environ.get('WAYBILL_SECONDS', '15'))
SEED = int(os.environ.get('WAYBILL_SEED', '7'))
PARTNERS, SESSIONS = 4, 5


class Worker(threading.Thread):
    """Calls `once` again and again until told to stop."""

    def __init__(self, once):
        super().__init__(daemon=True)
        self.once, self.enough, self.problem, self.rounds = once, threading.Event(), None, 0

    def run(self):
        try:
            while not self.enough.is_set():
                self.once()
                self.rounds += 1
        except BaseException as e:
            self.problem = e


def resident(g):
    """Octets of the program that are in memory now, in MB."""
    for line in pathlib.Path(f'/proc/{g.pid}/status').read_text().splitlines():
        if line.startswith('VmRSS'):
            return int(line.split()[1]) / 1024
    return 0


class Outside:
    """A partner of its own that sends small files in several sessions at once; some are cut."""

    def __init__(self, gateway, seed):
        self.relation = scene.Relation(gateway, operation={'acknowledge': 'processed'})
        self.random = random.Random(seed)
        self.lock = threading.Lock()
        self.sent = []

    def once(self):
        with self.lock:
            data = self.random.randbytes(self.random.choice((0, 100, 5000, 70000, 300000)))
            cut = self.random.random() < 0.1 and len(data) > 1000
            n = len(self.sent)
        file = oftp.File(data, dsn=f'O{n % 50}')
        try:
            with self.relation.call(sdeb=99999, cred=999) as me:
                if cut:
                    if me.offer_file(file).name == 'SFPA':
                        me.send_data(file.rest(0), stop_after=len(data) // 2)
                    me.reset()
                    return
                if me.send_file(file).taken:
                    with self.lock:
                        self.sent.append(data)
                me.run()
        except (oftp.Ended, oftp.Closed, ConnectionError) as e:
            # paused listeners and full houses say so
            assert not isinstance(e, oftp.Ended) or e.reason == 8, e


def operate(g, other, dice):
    """What must not lose anything: pause, resume, apply, delete of what nobody uses, reload, and
    every list there is."""
    # once: it writes the program that the process runs
    process = next(c for c in components(g, other) if 'process' in c)

    def once():
        name = f'from-{other.name}'
        what = dice.randrange(8)
        if what == 0:
            scene.post(g, f'/api/v1/listeners/{name}/pause')
            time.sleep(dice.uniform(0, 0.1))
            scene.post(g, f'/api/v1/listeners/{name}/resume')
        elif what == 1:
            process['start']['operation']['tracking'] = [
                {'field': f'f{dice.randrange(3)}', 'value': '{{oftp2.sfiddsn}}'}]
            scene.apply(g, process)
        elif what == 2:
            scene.apply(g, scene.process('nobody', {'odette_id': 'O0013NOBODY', 'password': 'X'}))
            status, _ = g.request('DELETE', '/api/v1/components/process/nobody')
            assert status in (200, 204), status
        elif what == 3:
            g.signal(signal.SIGHUP)
        elif what == 4:
            assert g.request('POST', f'/api/v1/partners/{other.name}/test')[0] == 200
        elif what == 5:
            g.request('POST', f'/api/v1/partners/{other.name}/call')
        else:
            for path in ('sessions', 'listeners', 'documents?limit=5', 'receipts', 'runtime',
                         'components'):
                g.get(f'/api/v1/{path}')
            assert g.request('GET', '/metrics')[0] == 200
        time.sleep(dice.uniform(0, 0.05))
    return once


def test_the_books_balance(gateway):
    print(f'seed {SEED}, {SECONDS:.0f} s')
    more = {'oftp2_server': {'max_sessions_per_partner': 30}}
    a, b = gateway('acme', settings=more), gateway('plant-7', settings=more)
    outside = [Outside(a, SEED + 10 + n) for n in range(PARTNERS)]
    a.apply(components(a, b))   # last: they share the identity `us`
    b.apply(components(b, a))
    feeders = [Feeder(a, 'plant-7', SEED + 1), Feeder(b, 'acme', SEED + 2)]
    workers = [Worker(o.once) for o in outside for _ in range(SESSIONS)]
    workers += [Worker(operate(a, b, random.Random(SEED + 3))),
                Worker(operate(b, a, random.Random(SEED + 4)))]
    memory = {}
    for t in feeders + workers:
        t.start()
    begun = time.monotonic()
    while time.monotonic() - begun < SECONDS:
        time.sleep(0.5)
        broken = [t.problem for t in feeders + workers if t.problem]
        assert not broken, broken
        if time.monotonic() - begun > SECONDS / 3:
            for g in (a, b):
                memory.setdefault(g.name, resident(g))
    for t in feeders + workers:
        t.enough.set()
    for t in feeders + workers:
        t.join(waybill.patient(90))
        assert not t.is_alive() and t.problem is None, t.problem
    grown = {g.name: (memory[g.name], resident(g)) for g in (a, b)}
    print(f'memory in MB after a third and at the end: {grown}')
    for o in outside:       # what is left to fetch
        def empty():
            with o.relation.call() as me:
                me.run()
            # a receipt comes only when its document is processed, which after minutes takes a while
            return not any(j['kind'] in ('open', 'process') or j['peer'] == o.relation.code
                           for j in a.get('/api/v1/jobs')['jobs'])
        waybill.wait_until(empty, 120, 'receipts to be fetched')
    try:
        waybill.wait_until(lambda: settled(a) and settled(b), 200, 'all to settle', 0.2)
    except AssertionError as e:
        left = [f'{g.name}: {x}' for g in (a, b)
                for x in g.get('/api/v1/jobs')['jobs'] + g.get('/api/v1/sessions')['sessions']]
        raise AssertionError(f'{e}; left are {len(left)}\n' + '\n'.join(left[:20])) from None
    for o in outside:
        got = sorted(p.read_bytes() for p in o.relation.inbox.iterdir())
        assert got == sorted(o.sent), f'{len(got)} of {len(o.sent)}'
    print(f'{sum(len(o.sent) for o in outside)} files from outside, '
          f'{[w.rounds for w in workers[-2:]]} acts of operators')
    # what was refused while the listener was paused belongs to none
    wrong = (check(b, a, feeders[1], listener='from-plant-7')
             + check(a, b, feeders[0], listener='from-acme'))
    assert not wrong, '\n'.join(wrong[:60])
    if waybill.slow() == 1:     # sanitizers keep what is freed
        assert all(last < first + 40 for first, last in grown.values()), grown
