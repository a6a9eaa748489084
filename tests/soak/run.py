#!/usr/bin/env python3
"""Two gateways trade by OFTP2 and AS2, small documents and large ones, while listeners are paused,
components deployed, certificates rolled over, settings reloaded, payloads purged and connections
cut. At the end their books must balance and nothing may have grown. `make soak`

SOAK_MINUTES   how long (10)
SOAK_RATE      small documents a second from each side (15)
SOAK_LARGE     size of large documents in MB, from-to (50-300); 0: none
SOAK_SEED      of all that is random (a new one each time, printed)
SOAK_DIR       where the gateways live; kept then. Else below build/soak, removed when all is well

Results: build/soak/table.txt, figures.json, soak.png. Exit status 0 when the books balance and
nothing grows."""

import json
import os
import pathlib
import random
import shutil
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent), str(ROOT / 'tests' / 'lib')]

import books as balance     # noqa: E402
import figures              # noqa: E402
import load                 # noqa: E402
import waybill              # noqa: E402
from world import NAMES, world      # noqa: E402

MINUTES = float(os.environ.get('SOAK_MINUTES', '10'))
RATE = float(os.environ.get('SOAK_RATE', '15'))
LARGE = [int(n) * 1000000 for n in os.environ.get('SOAK_LARGE', '50-300').split('-')]
SEED = int(os.environ.get('SOAK_SEED') or random.randrange(1 << 30))
RESULTS = ROOT / 'build' / 'soak'
RESTARTS = 0.12             # the part of the time, the last, in which gateways are restarted


def say(text):
    print(f'{time.strftime("%H:%M:%S")} {text}', flush=True)


class Soak:
    def __init__(self, w):
        self.world, self.books, self.pause = w, load.Books(), threading.Event()
        self.seconds = MINUTES * 60
        self.rest_every = min(60, max(6, self.seconds / 14))
        self.sampler = figures.Sampler(w, self.books, min(5, max(1, self.seconds / 120)))
        dice = random.Random(SEED)
        self.dice = random.Random(dice.random())
        self.feeders, self.operators, self.readers = [], [], []
        for n in NAMES:
            more = (w, n, self.books, self.pause)
            self.feeders.append(load.Small(*more, dice.random(), rate=RATE))
            if LARGE[0] > 0:
                self.feeders.append(load.Large(*more, dice.random(), size=(LARGE[0], LARGE[-1])))
            self.readers.append(load.Reader(w, n, self.books))
            self.operators.append(load.Operator(w, n, self.pause, dice.random(),
                                                max(5, self.seconds / 8),
                                                time.monotonic() + self.seconds))

    @property
    def workers(self):
        return self.feeders + self.operators + self.readers

    def sound(self):
        broken = [f'{t}: {t.problem!r}' for t in self.workers if t.problem]
        if broken:
            raise AssertionError('\n'.join(broken))

    def hold(self):
        """The load stops, all is settled."""
        self.sampler.state = 'settling'
        self.pause.set()
        for t in self.feeders + self.operators:
            if not t.idle.wait(180 * waybill.slow()):
                raise AssertionError(f'{t} does not pause')
        self.sound()
        balance.wait_settled(self.world, 120, all_of_it=False)

    def go_on(self):
        self.sampler.state = 'load'
        self.pause.clear()

    def rest(self):
        self.hold()
        time.sleep(2)           # sessions and connections close
        self.sampler.sample(rest=True)
        self.go_on()

    def spend(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(min(0.5, max(0, end - time.monotonic())))
            self.sound()

    def steady(self, until):
        """Load and rests in turn."""
        while time.monotonic() < until:
            self.spend(min(self.rest_every, max(1, until - time.monotonic())))
            self.rest()
            r = self.sampler.rows[-1]
            say(f'{r["documents"]} documents, {r["octets"] / 1e6:.0f} MB; at rest ' + ', '.join(
                f'{n} {r[n]["anon"]:.1f} MB, {r[n]["fds"]} fds, {r[n]["threads"]} threads'
                for n in NAMES))

    def restarts(self, until):
        """SIGTERM under load. Operators hold: what they ask would fail."""
        n = 0
        for t in self.operators:
            t.enough.set()
        for t in self.operators:
            t.join(120 * waybill.slow())
        self.sampler.state = 'restarts'
        while n < 2 or time.monotonic() < until:
            self.spend(self.dice.uniform(1, 4))
            self.world.gateways[NAMES[n % 2]].restart(timeout=60)
            n += 1
        return n

    def run(self):
        begun = time.monotonic()
        for t in self.workers:
            t.start()
        self.sampler.start()
        self.steady(begun + self.seconds * (1 - RESTARTS))
        self.sampler.stopped.set()
        self.sampler.join()
        restarts = self.restarts(begun + self.seconds)
        for t in self.feeders:
            t.finish(180)
        balance.wait_settled(self.world, 180)
        for t in self.readers:
            t.finish(60)
            t.sweep()
        self.sound()
        return restarts


def report(soak, restarts, directory):
    wrong, counts = balance.check(soak.world, soak.books)
    rows, rests = soak.sampler.rows, soak.sampler.rests()
    said, grows = figures.growth(rests)
    documents, _, octets = soak.books.totals()
    acts = sum((o.acts for o in soak.operators), load.collections.Counter())
    cuts = sum(p.cuts for p in soak.world.proxies.values())
    text = figures.table(rows, max(1, len(rows) // 60))
    lines = [
        f'seed {SEED}, {MINUTES:g} minutes, {documents} documents, {octets / 1e6:.0f} MB, '
        f'{soak.books.large} large; {soak.books.repeated} hand-overs repeated',
        f'{cuts} connections cut of {sum(p.connections for p in soak.world.proxies.values())} '
        f'through proxies; {restarts} restarts; operators: '
        + ', '.join(f'{k} {v}' for k, v in sorted(acts.items())),
        'receipts: ' + ', '.join(f'{v} {k}' for k, v in sorted(counts.items()) if v), *said,
        'the books balance' if not wrong else f'THE BOOKS DO NOT BALANCE: {len(wrong)} things',
        *wrong[:20], *grows]
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / 'table.txt').write_text('\n'.join([text, '', *lines, '']))
    (RESULTS / 'figures.json').write_text(json.dumps(
        {'minutes': MINUTES, 'seed': SEED, 'documents': documents, 'octets': octets,
         'wrong': wrong, 'grows': grows, 'summary': lines, 'samples': rows}, indent=1))
    plotted = figures.plot(rows, RESULTS / 'soak.png', lines[0])
    print('\n'.join([text, '', *lines]))
    print(f'results in {RESULTS.relative_to(ROOT)}' + ('' if plotted else
                                                       '; no plot: python3-matplotlib is missing'))
    return not wrong and not grows


def main():
    kept = os.environ.get('SOAK_DIR')
    directory = pathlib.Path(kept) if kept else RESULTS / 'run'
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    say(f'seed {SEED}, {MINUTES:g} minutes, {RATE:g} small documents/s from each side')
    with world(directory, SEED) as w:
        soak = Soak(w)
        restarts = soak.run()
        good = report(soak, restarts, directory)
    if good and not kept:
        shutil.rmtree(directory, ignore_errors=True)
    elif not good:
        print(f'stores and logs are left in {directory}')
    return 0 if good else 1


if __name__ == '__main__':
    sys.exit(main())
