"""kill -9 of either of two gateways at random moments of a run of many small and a few large files
in both directions, restarted each time. Nothing may be missing, nothing processed twice unmarked.

WAYBILL_KILLS   how many kills (50)      WAYBILL_SEED   of the random moments (printed)"""

import collections
import hashlib
import os
import random
import threading
import time
import urllib.parse

import pytest
import waybill

KILLS = int(os.environ.get('WAYBILL_KILLS', '50'))
SEED = int(os.environ.get('WAYBILL_SEED', '5024'))
LARGE_EVERY = 80            # every so many files one is large
LARGE = (12 << 20, 48 << 20)   # beyond the first restart point
SMALL = (0, 90000)          # some live in a row of the store, others in files
CODES = {'acme': 'O0013000001ACME', 'plant-7': 'O0013000002PLANT7'}

LEDGER = """#!/bin/sh
# What was processed: name, document, redelivered, SHA-256 of the content.
sum=$(sha256sum)
printf '%s %s %s %s\\n' "$WAYBILL_DOCUMENT_NAME" "$WAYBILL_DOCUMENT_ID" \\
    "$WAYBILL_EXECUTION_REDELIVERED" "${sum%% *}" >> "$1"
"""


def components(g, other):
    """Small buffers and little credit: large files take a while and have many answers in them."""
    inbox = g.directory / 'inbox'
    inbox.mkdir(exist_ok=True)
    script = g.directory / 'ledger.sh'
    script.write_text(LEDGER)
    script.chmod(0o755)
    return [
        {'identity': 'us', 'oftp2': {'odette_id': CODES[g.name], 'password': 'PW'}},
        {'partner': other.name, 'oftp2': {
            'odette_id': CODES[other.name], 'password': 'PW', 'host': '127.0.0.1',
            'port': other.port, 'identity': 'us', 'buffer_size': 1024, 'credit': 3,
            'retry': {'first': '100ms', 'max': '500ms'}}},
        {'process': f'from-{other.name}', 'start': {'listen': 'oftp2-server', 'operation': {
            'from': {'partner': other.name}, 'to': {'identity': 'us'},
            'acknowledge': 'processed'}},
         'steps': [{'write': {'directory': str(inbox)}},
                   {'exec': {'command': [str(script), str(g.directory / 'ledger')]}}]}]


class Feeder(threading.Thread):
    """Hands one gateway files until told to stop. A hand-over that was cut is repeated with the
    same key, so it counts once. All files have one of two names, as real ones do."""

    def __init__(self, gateway, partner, seed):
        super().__init__(daemon=True)
        self.gateway, self.partner = gateway, partner
        self.random = random.Random(seed)
        self.enough = threading.Event()
        self.sums = {}              # SHA-256 -> size of what was handed over
        self.ids = collections.Counter()
        self.large = self.repeated = 0
        self.problem = None

    def run(self):
        try:
            n = 0
            while not self.enough.is_set():
                self.one(n)
                n += 1
                time.sleep(self.random.uniform(0, 0.02))
        except BaseException as e:
            self.problem = e

    def one(self, n):
        head = b'%s %d\n' % (self.gateway.name.encode(), n)
        large = n % LARGE_EVERY == LARGE_EVERY // 3
        size = self.random.randint(*(LARGE if large else SMALL))
        body = head + self.random.randbytes(min(size, 65536))
        body = (body * (size // len(body) + 1))[:max(size, len(head))]
        path = '/api/v1/documents?' + urllib.parse.urlencode({
            'partner': self.partner, 'name': 'LARGE' if large else 'ORDERS',
            'key': f'{self.gateway.name}-{n}'})
        end = time.monotonic() + waybill.patient(60)
        while True:
            try:
                status, answer = self.gateway.request('POST', path, body)
                if status == 201:
                    break
                assert status in (500, 503), (status, answer)
            except (OSError, waybill.http.client.HTTPException):
                pass
            assert time.monotonic() < end, 'the gateway takes nothing'
            self.repeated += 1
            time.sleep(0.05)
        self.ids[waybill.json.loads(answer)['id']] += 1
        self.sums[hashlib.sha256(body).hexdigest()] = len(body)
        self.large += large


def all_documents(g, **filters):
    """Every document, page by page."""
    found, before = [], None
    while True:
        query = {**filters, 'limit': 1000, **({'before': before} if before else {})}
        answer = g.get('/api/v1/documents?' + urllib.parse.urlencode(query))
        found += answer['documents']
        before = answer['next']
        if not before:
            return found


def receipts(g, number):
    found = g.get(f'/api/v1/receipts?document={number}')['receipts']
    assert all(r['kind'] == 'EERP' for r in found), found
    return found


def wait_large(gateways, seconds):
    """Waits until a large file has passed a restart point, or for so long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for g in gateways:
            if any(s['done'] > 10 << 20 for s in g.get('/api/v1/sessions')['sessions']):
                return
        time.sleep(0.002)


def settled(g):
    return not g.get('/api/v1/jobs')['jobs'] and not g.get('/api/v1/sessions')['sessions']


def check(sender, receiver, feeder, **inbound):
    """Both sides' books against what was handed over. A list of what is wrong. inbound: which of
    the receiver's documents."""
    wrong = []
    out = all_documents(sender, direction='out')
    if sorted(d['id'] for d in out) != sorted(feeder.ids):
        wrong.append(f'{sender.name}: {len(feeder.ids)} handed over, {len(out)} in the store')
    for d in out:
        if d['state'] != 'acknowledged':
            wrong.append(f'{sender.name}: document {d["id"]} is {d["state"]}: {d["reason"]}')
    received = all_documents(receiver, direction='in', **inbound)
    for d in received:
        if d['state'] != 'processed':
            wrong.append(f'{receiver.name}: document {d["id"]} is {d["state"]}: {d["reason"]}')
    if len(received) != len(out):
        wrong.append(f'{receiver.name}: {len(received)} documents of {len(out)}')
    for d in received:
        sent = [r['state'] for r in receipts(receiver, d['id'])]
        if sent != ['sent']:
            wrong.append(f'{receiver.name}: document {d["id"]} has EERPs {sent}')
    for d in out:
        if not receipts(sender, d['id']):
            wrong.append(f'{sender.name}: document {d["id"]} has no EERP')
    # What the process saw.
    runs = collections.defaultdict(list)
    for line in (receiver.directory / 'ledger').read_text().splitlines():
        _, document, again, digest = line.split()
        runs[digest].append((document, again))
    for digest, size in feeder.sums.items():
        if not runs[digest]:
            wrong.append(f'{receiver.name}: {digest[:12]} of {size} octets was never processed')
        if [again for _, again in runs[digest]].count('false') > 1:
            wrong.append(f'{receiver.name}: {digest[:12]} processed unmarked: {runs[digest]}')
        if len({document for document, _ in runs[digest]}) > 1:
            wrong.append(f'{receiver.name}: {digest[:12]} is several documents: {runs[digest]}')
    for digest in set(runs) - set(feeder.sums):
        wrong.append(f'{receiver.name}: {digest[:12]} was processed and never sent: {runs[digest]}')
    # What the step `write` left.
    files = collections.Counter()
    for p in (receiver.directory / 'inbox').iterdir():
        files[hashlib.sha256(p.read_bytes()).hexdigest()] += 1
    if files != collections.Counter(feeder.sums.keys()):
        wrong.append(f'{receiver.name}: {sum(files.values())} files in the inbox, '
                     f'{len(files)} different, of {len(feeder.sums)}')
    more = sum(len(r) - 1 for r in runs.values())
    marked = sum(again == 'true' for r in runs.values() for _, again in r)
    print(f'{sender.name} to {receiver.name}: {len(out)} documents, {feeder.large} of them large, '
          f'{sum(feeder.sums.values()) / 1e6:.0f} MB; {feeder.repeated} hand-overs repeated; '
          f'{marked} runs marked redelivered, {more} of them second runs; '
          f'{len(receiver.log_lines("oftp2.file.start.* from_octet="))} restarts in the middle; '
          f'{len(receiver.log_lines("sfna=13"))} recognised as received before')
    return wrong


@pytest.mark.no_tsan
def test_killed_at_random_moments_nothing_is_lost_or_doubled(gateway):
    dice = random.Random(SEED)
    print(f'seed {SEED}, {KILLS} kills')
    a, b = gateway('acme'), gateway('plant-7')
    a.apply(components(a, b))
    b.apply(components(b, a))
    feeders = [Feeder(a, 'plant-7', SEED + 1), Feeder(b, 'acme', SEED + 2)]
    begun = time.monotonic()
    for f in feeders:
        f.start()
    for n in range(KILLS):
        if n % 3 == 0:          # chance alone would seldom meet them
            wait_large((a, b), 2)
            time.sleep(dice.uniform(0, 0.05))
        else:
            time.sleep(dice.uniform(0.02, 0.9))
        victim = dice.choice((a, b))
        victim.kill9()
        time.sleep(dice.choice((0, 0, 0.2)))
        victim.start()
        assert not any(f.problem for f in feeders), [f.problem for f in feeders]
    for f in feeders:
        f.enough.set()
        f.join(waybill.patient(60))
        assert not f.is_alive() and f.problem is None, f.problem
    try:
        waybill.wait_until(lambda: settled(a) and settled(b), 200, 'all to settle', 0.2)
    except AssertionError as e:
        left = [f'{g.name}: {x}' for g in (a, b)
                for x in g.get('/api/v1/jobs')['jobs'] + g.get('/api/v1/sessions')['sessions']]
        raise AssertionError(f'{e}; left are {len(left)}\n' + '\n'.join(left[:20])) from None
    print(f'{time.monotonic() - begun:.0f} s until all was settled')
    wrong = check(a, b, feeders[0]) + check(b, a, feeders[1])
    assert not wrong, '\n'.join(wrong[:60])
