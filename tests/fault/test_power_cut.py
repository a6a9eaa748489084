"""The power is cut at every sync of a scripted run, before and after it, and after each answer to
the partner. The disk is then as strict as it can be (tests/lib/power.py): what was not synced is
there, missing, there in part or garbage. The program is started on it, and the partner, which saw
the acknowledgements that had gone out by then, finds everything acknowledged there exactly once
and identical; the rest it sends again.

WAYBILL_FAULTS   how many cuts a way (30); `all`: every point, each several times (make fault)
WAYBILL_SEED     of the sample and of what is lost (printed)"""

import os
import random

import books
import faulty
import oftp
import power
import pytest
from faulty import E_OPEN, E_SEND, E_SYNC

FAULTS = os.environ.get('WAYBILL_FAULTS', '30')
SEED = int(os.environ.get('WAYBILL_SEED', '6'))
# How often each point is tried when all are.
WAYS = {'drop': 1, 'keep': 1, 'any': 3}


def commands(octets):
    """The letters of the OFTP2 commands in what one call sent; '' when it is something else."""
    found, at = '', 0
    while at < len(octets):
        n = int.from_bytes(octets[at + 1:at + 4], 'big')
        if octets[at] != 0x10 or n < 5 or at + n > len(octets):
            return ''
        found += chr(octets[at + 4])
        at += n
    return found


class Run:
    """The script, played once with a journal, and what the partner knew at each point of it."""

    def __init__(self, b, shim):
        self.books = b
        b.begin()
        shim.put(mask=0)
        assert b.start(shim.env)
        b.run(30)
        assert b.settled()
        b.stop()
        self.entries = shim.journal()
        self.stamps = {name: w.stamps for name, w in b.out.items()}
        self.sfid = b.taken['FILEOUT']
        self.things = {name: w.thing for name, w in b.into.items()}     # with their stamps
        self.message_id, = self.stamps['message-out']
        self.at = {}
        count = {}
        for i, e in enumerate(self.entries):
            if e.kind == E_SEND:
                for event in self.events(e.text):
                    n = count[event] = count.get(event, 0) + 1
                    self.at[event, n] = i
        self.syncs = [i for i, e in enumerate(self.entries) if e.kind == E_SYNC]
        said = [self.at[x] for x in (('4', 1), ('4', 2), ('MDN', 1), ('201', 1), ('201', 2),
                                     ('P', 1))]
        self.points = sorted({*self.syncs, *(i + 1 for i in self.syncs), *(i + 1 for i in said),
                              len(self.entries)})

    def events(self, octets):
        yield from commands(octets)
        if b'MDN-sent-automatically; processed' in octets:
            yield 'MDN'
        if octets.startswith(b'HTTP/1.1 201'):
            yield '201'
        if self.message_id.encode() in octets and octets.startswith(b'POST'):
            yield 'POST'

    def path_at(self, i):
        """Of the file that entry i is about, by its last open; '' when there was none."""
        fd = self.entries[i].fd
        return next((e.text.decode() for e in reversed(self.entries[:i])
                     if e.kind == E_OPEN and e.fd == fd), '')

    def before(self, point, event, n=1):
        return self.at[event, n] < point

    def begin(self, point, dice, how, deaf=None):
        """The disk as it may be after a cut there, and the partner as it was then. deaf: syncs of
        files whose path ends so do nothing."""
        b = self.books
        b.begin()
        disk = power.Disk(b.template)
        disk.path = b.live
        mute = set()
        for e in self.entries[:point]:
            if e.kind == E_OPEN:
                (mute.add if deaf and e.text.decode().endswith(deaf) else mute.discard)(e.fd)
            if e.kind != E_SYNC or e.fd not in mute:
                disk.apply(e)
        disk.image(b.live, dice, how)
        for name, event, n in (('plain', '4', 1), ('secured', '4', 2), ('message', 'MDN', 1)):
            b.into[name].thing = self.things[name]
            b.into[name].said = self.before(point, event, n)
        out, message = b.out['file-out'], b.out['message-out']
        out.said, message.said = self.before(point, '201', 1), self.before(point, '201', 2)
        if self.before(point, 'T'):         # EFID: the partner has it
            out.stamps |= self.stamps['file-out']
            out.settled = self.before(point, 'P')
            if not out.settled:
                b.owed.append(self.sfid)
        if self.before(point, 'POST'):
            message.stamps |= self.stamps['message-out']
        for name, n in ('PLAIN', 1), ('SECURED', 2):
            b.eerps[name] = int(self.before(point, 'E', n))

    def twice(self):
        """What the partner had its acknowledgement of, sent again: it may not have come."""
        wrong = []
        for w in self.books.into.values():
            if w.said and isinstance(w.thing, oftp.File):
                w.known = False
                self.books.hand_file(w)
                if not w.known:
                    wrong.append(f'{w.name} was acknowledged and is not known: {w.answers[-1]}')
            elif w.said:
                self.books.hand_message(w)
        return wrong


@pytest.fixture(scope='module')
def run(tmp_path_factory):
    directory = tmp_path_factory.mktemp('power')
    faulty.library()
    with books.Books(directory) as b:
        shim = faulty.Shim(directory / 'shim', [b.live], journal=True)
        yield Run(b, shim)


def test_the_model_of_a_disk_keeps_what_was_synced_and_nothing_else(tmp_path):
    """The model itself: it must be able to lose what it may lose."""
    (tmp_path / 'd').mkdir()
    (tmp_path / 'd' / 'old').write_bytes(b'old')
    E, path = faulty.Entry, lambda n: str(tmp_path / 'd' / n).encode()
    create = os.O_CREAT | os.O_WRONLY
    disk = power.Disk(tmp_path / 'd')
    for e in [E(faulty.E_OPEN, 3, os.O_RDONLY, str(tmp_path / 'd').encode()),
              E(faulty.E_OPEN, 4, create, path('new')), E(faulty.E_WRITE, 4, 0, b'abc'),
              E(faulty.E_SYNC, 4, 0, b''), E(faulty.E_SYNC, 3, 0, b''),
              E(faulty.E_WRITE, 4, 3, b'def'), E(faulty.E_OPEN, 5, create, path('nameless')),
              E(faulty.E_WRITE, 5, 0, b'synced'), E(faulty.E_SYNC, 5, 0, b''),
              E(faulty.E_UNLINK, -1, 0, path('old')),
              E(faulty.E_RENAME, -1, 0, path('new') + b'\0' + path('renamed'))]:
        disk.apply(e)

    def found(how):
        disk.image(tmp_path / 'image', random.Random(1), how)
        return {p.name: p.read_bytes() for p in (tmp_path / 'image').iterdir()}
    assert found('drop') == {'old': b'old', 'new': b'abc'}
    assert found('keep') == {'nameless': b'synced', 'renamed': b'abcdef'}
    dice = random.Random(2)
    seen = set()
    for _ in range(200):
        disk.image(tmp_path / 'image', dice)
        names = {p.name for p in (tmp_path / 'image').iterdir()}
        assert len(names & {'new', 'renamed'}) == 1, 'a rename is one change'
        seen.add(frozenset(names))
        octets = (tmp_path / 'image' / (names & {'new', 'renamed'}).pop()).read_bytes()
        assert octets.startswith(b'abc')
    assert len(seen) == 8


@pytest.mark.parametrize('how', WAYS)
def test_a_power_cut_loses_nothing_acknowledged(run, how):
    """EFPA, RTR, MDN, the API's 201: none goes out before what it acknowledges is synced."""
    points = run.points
    if FAULTS == 'all':
        points = points * WAYS[how]
    else:
        dice, n = random.Random(f'{SEED} {how}'), min(int(FAULTS) // 3, len(points))
        points = [points[dice.randrange(i * len(points) // n, (i + 1) * len(points) // n)]
                  for i in range(n)]
    wrong, b, again = [], run.books, 0
    for n, point in enumerate(points):
        dice = random.Random(f'{SEED} {how} {n}')
        run.begin(point, dice, how)
        what = f'cut at entry {point} of {len(run.entries)}, {how}, round {n}'
        if not b.start():
            wrong.append(f'{what}: it does not start: {b.gateway.log(True)[-1000:]}')
            continue
        try:
            found = run.twice() if dice.random() < 0.5 else []
            again += b.finish()
            found += b.check()
        except AssertionError as e:
            found = [f'{e}\n{b.gateway.log(True)[-2000:]}']
        wrong += [f'{what}: {x}' for x in found + b.close()]
    print(f'{how}: {len(run.entries)} entries, {len(run.syncs)} syncs, {len(run.points)} points, '
          f'{len(points)} cuts, seed {SEED}; {again} documents run again by hand')
    assert not wrong, f'{len(wrong)} wrong\n' + '\n'.join(wrong[:40])


def lost(run, point, deaf):
    """What is wrong after a cut there, when the first file had its EFPA by then."""
    b = run.books
    run.begin(point, random.Random(SEED), 'drop', deaf)
    b.into['plain'].said = True
    assert b.start()
    try:
        b.finish(3)
        found = b.check()
    except AssertionError as e:
        found = [str(e)]
    b.stop()
    return found


@pytest.mark.parametrize('deaf,event,n', [
    ('waybill.db-wal', '4', 1), ('waybill.db-wal', '201', 2), ('.raw', '4', 1),
    ('/000/000', '4', 1), ('.tmp', '201', 2), ('/inbox', '201', 2)])
def test_a_sync_that_did_not_happen_would_be_noticed(run, deaf, event, n):
    """The test above sees what it is there for: without one kind of sync it finds a loss."""
    begun, end = 0, run.at[event, n] + 1
    if event == '4':
        # The process may have been faster than the EFPA, and what is in its folder nobody misses:
        # from the first moment on at which the file is in custody.
        begun = next(i for i in run.syncs if run.path_at(i).endswith('.raw'))
    points = [i + 1 for i in run.syncs if begun < i < end] if begun else []
    point = next((p for p in points if not lost(run, p, None)), end)
    found = lost(run, point, deaf)
    assert found, f'nobody missed the syncs of *{deaf}'
