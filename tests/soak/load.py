"""What a soak run does to its gateways: feeders that hand over documents, readers that take what
the processes delivered, and operators that do what operators do."""

import collections
import hashlib
import http.client
import itertools
import json
import random
import signal
import threading
import time

import scene
import waybill
from world import CUT_EVERY, NAMES, RELATIONS

SMALL = (200, 64 * 1024)
WAITING_MAX = 200           # jobs of a gateway beyond which no small document is added
PIECE = 1 << 20
EDI = b"LIN+1++8K0407271AA:IN'QTY+21:1200:PCE'DTM+2:20261128:102'NAD+BY+ACME::92'\r\n"


class Worker(threading.Thread):
    """Calls once() again and again until told to stop; holds while `pause` is set."""

    def __init__(self, pause):
        super().__init__(daemon=True)
        self.pause, self.enough = pause, threading.Event()
        self.idle = threading.Event()   # set while it holds
        self.problem = None

    def run(self):
        try:
            while not self.enough.is_set():
                if self.pause.is_set():
                    self.idle.set()
                    time.sleep(0.05)
                    continue
                self.idle.clear()
                self.once()
        except BaseException as e:
            self.problem = e
        self.idle.set()

    def once(self):
        raise NotImplementedError

    def finish(self, seconds):
        self.enough.set()
        self.join(seconds * waybill.slow())
        if self.is_alive():
            raise AssertionError(f'{self} does not end')


def pieces(head, filler, size):
    """A document's octets, so many, of which the first are its own."""
    yield head
    left = size - len(head)
    while left > 0:
        part = filler[:min(left, len(filler))]
        yield part
        left -= len(part)


class Books:
    """What was handed over, by gateway and relation: SHA-256 -> number of the document; and what was
    delivered there: SHA-256 -> times."""

    def __init__(self):
        self.lock = threading.Lock()
        self.sent = {(n, k.name): {} for n in NAMES for k in RELATIONS}
        self.got = {(n, k.name): collections.Counter() for n in NAMES for k in RELATIONS}
        self.octets = self.large = self.repeated = 0

    def handed_over(self, name, kind, digest, number, size, large):
        with self.lock:
            self.sent[name, kind.name][digest] = number
            self.octets += size
            self.large += large

    def delivered(self, name, kind, digest):
        with self.lock:
            self.got[name, kind.name][digest] += 1

    def totals(self):
        with self.lock:
            return (sum(map(len, self.sent.values())), sum(sum(c.values()) for c in
                                                          self.got.values()), self.octets)


class Feeder(Worker):
    """Hands documents over the API. One that was cut is handed over again under the same key, so it
    counts once."""

    numbers = itertools.count(1)

    def __init__(self, world, name, books, pause, seed):
        super().__init__(pause)
        self.gateway, self.name, self.books = world.gateways[name], name, books
        self.dice = random.Random(seed)
        self.noise = self.dice.randbytes(PIECE)
        self.edi = EDI * (PIECE // len(EDI))

    def hand_over(self, kind, size, large=False):
        n = next(Feeder.numbers)
        head = b'%s %s %d\r\n' % (self.name.encode(), kind.name.encode(), n)
        # EDI compresses to nothing: half of it is noise, so that what travels is large, too
        filler = self.noise if large and self.dice.random() < 0.7 else self.edi
        path = scene.query('/api/v1/documents', partner=kind.name,
                           name='LARGE' if large else 'ORDERS', key=f'{self.name}-{n}')
        digest = hashlib.sha256()
        for p in pieces(head, filler, size):
            digest.update(p)
        end = time.monotonic() + 120
        while True:
            status, answer = self.post(path, pieces(head, filler, size), max(size, len(head)))
            if status == 201:
                break
            if status not in (0, 500, 503):
                raise AssertionError((status, answer))
            assert time.monotonic() < end, f'{self.name} takes nothing: {status} {answer}'
            self.books.repeated += 1
            time.sleep(0.1)
        number = json.loads(answer)['id']
        self.books.handed_over(self.name, kind, digest.hexdigest(), number, size, large)
        return number

    def post(self, path, body, length):
        """The status, 0 when the gateway was not there to the end, and the answer."""
        c = waybill.UnixConnection(self.gateway.socket, 60 * waybill.slow())
        try:
            c.request('POST', path, body, {'Content-Length': str(length)})
            answer = c.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException) as e:
            return 0, str(e)
        finally:
            c.close()


class Small(Feeder):
    """Documents of 200 octets to 64 KB, `rate` a second, over all relations by their share."""

    def __init__(self, *args, rate):
        super().__init__(*args)
        self.every, self.next, self.looked = 1 / rate, time.monotonic(), 0
        self.kinds = [k for k in RELATIONS for _ in range(k.share)]

    def once(self):
        now = time.monotonic()
        if now < self.next:
            time.sleep(min(self.next - now, 0.1))
            return
        self.next = max(self.next + self.every, now - 1)
        self.looked += 1
        if self.looked % 20 == 0 and waiting(self.gateway) > WAITING_MAX:
            time.sleep(0.5)
            return
        self.hand_over(self.dice.choice(self.kinds), self.dice.randint(*SMALL))


class Large(Feeder):
    """One large document after the other, each once the one before is settled."""

    def __init__(self, *args, size):
        super().__init__(*args)
        self.size = size
        self.kinds = itertools.cycle(RELATIONS)

    def once(self):
        kind, size = next(self.kinds), self.dice.randint(*self.size)
        if kind.protocol == 'as2' and kind.proxied:
            size = min(size, CUT_EVERY)     # it goes from its beginning each time: it must get through
        number = self.hand_over(kind, size, True)
        while not (self.enough.is_set() or self.pause.is_set()):
            try:
                if scene.document(self.gateway, number)['state'] not in ('queued', 'sealed',
                                                                         'sending', 'sent'):
                    return
            except (OSError, http.client.HTTPException):
                pass        # being restarted
            time.sleep(0.2)


def waiting(gateway):
    try:
        return len(gateway.get('/api/v1/jobs')['jobs'])
    except (OSError, http.client.HTTPException):
        return 0


class Reader(Worker):
    """Takes what the step `write` left, counts it by its content, and removes it."""

    def __init__(self, world, name, books):
        super().__init__(threading.Event())
        self.books, self.name = books, name
        self.boxes = [(k, world.inbox(name, k)) for k in RELATIONS]

    def once(self):
        if not self.sweep():
            time.sleep(0.3)

    def sweep(self):
        n = 0
        for kind, box in self.boxes:
            for p in box.iterdir():
                if p.name.startswith('.') or p.name.endswith('.tmp'):
                    continue
                digest = hashlib.sha256()
                with open(p, 'rb') as f:
                    while piece := f.read(PIECE):
                        digest.update(piece)
                self.books.delivered(self.name, kind, digest.hexdigest())
                p.unlink()
                n += 1
        return n


class Operator(Worker):
    """Pauses and resumes, reads the configuration again, deploys, tests partners, looks at lists,
    and rolls certificates over: none of it may lose anything."""

    def __init__(self, world, name, pause, seed, roll_every, end):
        """end: of the run, by time.monotonic()."""
        super().__init__(pause)
        self.end = end
        self.world, self.name, self.gateway = world, name, world.gateways[name]
        self.dice = random.Random(seed)
        self.acts = collections.Counter()
        self.roll_every, self.rolled = roll_every, time.monotonic()

    def once(self):
        if time.monotonic() - self.rolled > self.roll_every:
            self.rolled = time.monotonic()
            what = self.roll_files
        else:
            what = self.dice.choice((self.hold, self.deploy, self.use_and_drop, self.reload,
                                     self.test, self.roll_tls, self.look, self.look))
        what()
        self.acts[what.__name__] += 1
        time.sleep(self.dice.uniform(0.1, 1.5))

    def hold(self):
        """A paused AS2 listener says Retry-After: 300, which the other side heeds."""
        long = time.monotonic() < self.end - 330 and self.dice.random() < 0.1
        kind = self.dice.choice([k for k in RELATIONS if k.protocol == ('as2' if long else 'oftp2')])
        listener = f'from-{kind.name}'
        scene.post(self.gateway, f'/api/v1/listeners/{listener}/pause')
        time.sleep(self.dice.uniform(0, 1))
        scene.post(self.gateway, f'/api/v1/listeners/{listener}/resume')

    def deploy(self):
        kind = self.dice.choice(RELATIONS)
        scene.apply(self.gateway, self.world.process(self.name, kind, f'f{self.dice.randrange(3)}'))

    def use_and_drop(self):
        scene.apply(self.gateway, scene.process('nobody', {'odette_id': 'O0013NOBODY',
                                                           'password': 'X'}, to='us-o-plain'))
        status, _ = self.gateway.request('DELETE', '/api/v1/components/process/nobody')
        assert status in (200, 204), status

    def reload(self):
        self.gateway.signal(signal.SIGHUP)

    def test(self):
        kind = self.dice.choice(RELATIONS)
        status, answer = self.gateway.request('POST', f'/api/v1/partners/{kind.name}/test',
                                              timeout=60)
        assert status == 200, (status, answer)

    def roll_tls(self):
        """Another certificate of the same authority for both servers."""
        keys = self.world.keys[self.name]
        keys.tls = keys.issue('tls')
        scene.apply(self.gateway, self.world.tls(self.name))

    def roll_files(self):
        """As docs/certificates.md says: both open and accept the new one, then it signs."""
        keys, there = self.world.keys[self.name], self.world.other(self.name)
        new = keys.issue('files')
        old = keys.files[:2]
        scene.apply(self.gateway, keys.ours([*old, new]))
        scene.apply(there, keys.theirs([*old, new]))
        time.sleep(0.5)
        keys.files = [new, *old]
        scene.apply(self.gateway, keys.ours())
        scene.apply(there, keys.theirs())

    def look(self):
        for path in ('sessions', 'listeners', 'documents?limit=5', 'receipts?limit=20', 'runtime',
                     'components', 'certificates'):
            self.gateway.get(f'/api/v1/{path}')
        assert self.gateway.request('GET', '/metrics')[0] == 200
