"""Whether the books of a soak run balance: what was handed over on one side against what the other
has, octet by octet, and each receipt against what it is for."""

import collections
import datetime
import time

import scene
import waybill
from world import NAMES, RELATIONS

PAGE = 1000
TELL = 15       # seconds after which it is said what is waited for


def all_documents(gateway, **filters):
    found, before = [], None
    while True:
        answer = gateway.get(scene.query('/api/v1/documents', limit=PAGE, before=before, **filters))
        found += answer['documents']
        before = answer['next']
        if not before:
            return found


def far(job):
    """Whether a job waits because the partner has asked for it (Retry-After)."""
    if job['not_before'] is None:
        return False
    at = datetime.datetime.fromisoformat(job['not_before'].replace('Z', '+00:00'))
    return (at - datetime.datetime.now(datetime.timezone.utc)).total_seconds() > 2


def unsettled(gateway, all_of_it):
    jobs = gateway.get('/api/v1/jobs')['jobs']
    return [j for j in jobs if all_of_it or not far(j)] + \
        gateway.get('/api/v1/sessions')['sessions']


def wait_settled(world, seconds, all_of_it=True):
    """Waits until neither gateway has anything to do; or, all_of_it=False, nothing now."""
    tell = [time.monotonic() + TELL]

    def left():
        return [f'{g.name}: {x}' for g in world.gateways.values() for x in unsettled(g, all_of_it)]

    def settled():
        still = left()
        if still and time.monotonic() > tell[0]:
            tell[0] += 2 * TELL
            print(f'{time.strftime("%H:%M:%S")} still waiting for {len(still)}, as for {still[0]}',
                  flush=True)
        return not still
    try:
        waybill.wait_until(settled, seconds, 'all to settle', 0.2)
    except AssertionError as e:
        raise AssertionError(f'{e}; left are\n' + '\n'.join(left()[:20])) from None


class Check:
    """All relations from one gateway to the other. .wrong: one line for each thing amiss."""

    def __init__(self, world, books, name):
        self.sender, self.receiver = world.gateways[name], world.other(name)
        self.name, self.there, self.books = name, self.receiver.name, books
        self.wrong = []
        self.counts = collections.Counter()
        self.out, self.came = collections.defaultdict(dict), collections.defaultdict(dict)
        for d in all_documents(self.sender, direction='out'):
            self.out[d['partner']][d['id']] = d
        for d in all_documents(self.receiver, direction='in'):
            self.came[d['partner']][d['id']] = d
        for kind in RELATIONS:
            self.relation(kind)

    def miss(self, kind, text):
        self.wrong.append(f'{self.name} to {self.there}, {kind.name}: {text}')

    def relation(self, kind):
        sent, got = self.books.sent[self.name, kind.name], self.books.got[self.there, kind.name]
        for digest in set(sent) - set(got):
            self.miss(kind, f'document {sent[digest]} {digest[:12]} was not delivered')
        for digest, times in got.items():
            if digest not in sent:
                self.miss(kind, f'{digest[:12]} was delivered {times} times and not sent')
            elif times > 1:
                self.miss(kind, f'document {sent[digest]} was delivered {times} times')
        self.senders(kind, sent)
        self.receivers(kind, sent)
        self.counts['documents'] += len(sent)

    def senders(self, kind, sent):
        """Each document that was handed over is acknowledged by one receipt of the right kind."""
        out = self.out[kind.name]
        for number in set(sent.values()) - set(out):
            # what retention has removed was acknowledged before
            if not kind.process.get('retention'):
                self.miss(kind, f'document {number} is not in the store')
        for number in set(out) - set(sent.values()):
            self.miss(kind, f'document {number} was not handed over')
        for d in out.values():
            if d['state'] != 'acknowledged':
                self.miss(kind, f'document {d["id"]} is {d["state"]}: {d["reason"]}')
                continue
            whole = scene.document(self.sender, d['id'])
            good = [r for r in whole['receipts'] if r['kind'] == kind.receipt
                    and r['direction'] == 'in' and r['state'] == 'received']
            if not good:
                self.miss(kind, f'document {d["id"]} has receipts '
                          f'{[(r["kind"], r["state"]) for r in whole["receipts"]]}')
            else:
                self.proof(kind, whole, good[0])

    def proof(self, kind, d, receipt):
        """The hash or the MIC in the receipt is that of what was sent."""
        octets, properties = bytes.fromhex(receipt['octets']), d['properties']
        if kind.receipt == 'MDN':
            mics = [v for k, v in properties.items() if k.startswith('as2.mic')]
            if kind.secured and not any(m.encode() in octets for m in mics):
                self.miss(kind, f'document {d["id"]}: its MIC is not in its MDN')
            self.counts['MICs'] += bool(mics)
        elif kind.secured:
            expected = bytes.fromhex(properties['oftp2.hash'])
            if expected not in octets:
                self.miss(kind, f'document {d["id"]}: its hash is not in its EERP')
            self.counts['hashes'] += 1
        self.counts[kind.receipt] += 1

    def receivers(self, kind, sent):
        came = self.came[kind.name]
        if not kind.process.get('retention'):
            processed = [d for d in came.values() if d['state'] == 'processed']
            if len(processed) != len(sent):
                self.miss(kind, f'{len(processed)} were processed of {len(sent)}')
        for d in came.values():
            if d['state'] == 'refused' and d['listener'] is None:
                continue            # while the listener was paused
            if d['state'] != 'processed':
                self.miss(kind, f'{self.there}: document {d["id"]} is {d["state"]}: {d["reason"]}')


def ledgers(world, books):
    """What the programs of the processes saw: each content once, or again only when marked."""
    wrong = []
    for name in NAMES:
        there = world.other(name)
        runs = collections.defaultdict(list)
        for line in (there.directory / 'ledger').read_text().splitlines():
            number, again, digest = line.split()
            runs[digest].append((number, again))
        expected = {d: n for k in RELATIONS if k.run for d, n in books.sent[name, k.name].items()}
        for digest in expected:
            if not runs[digest]:
                wrong.append(f'{there.name}: {digest[:12]} was never processed')
            elif [again for _, again in runs[digest]].count('false') > 1:
                wrong.append(f'{there.name}: {digest[:12]} processed unmarked: {runs[digest]}')
        for digest in set(runs) - set(expected):
            wrong.append(f'{there.name}: {digest[:12]} was processed and never sent')
    return wrong


def check(world, books):
    """(what is wrong, counts)."""
    wrong, counts = ledgers(world, books), collections.Counter()
    for name in NAMES:
        c = Check(world, books, name)
        wrong += c.wrong
        counts += c.counts
    return wrong, counts
