"""What a gateway uses over time: samples, a table, a plot, and whether anything grows.

While the load is on, memory and descriptors go up and down with it. So the load rests now and then
until all is settled, and what is judged is what is used at rest: descriptors and threads must come
back to the same, memory must have no trend. The first third of the run is warm-up: caches fill."""

import os
import pathlib
import re
import statistics
import threading
import time

from world import NAMES

FDS, THREADS = 6, 6         # more at the last rest than at the first judged one: pools, keep-alive
MEMORY_MB, MEMORY_PART = 4, 0.10    # by which memory may have grown over the judged time ...
CACHE_MB = 12               # ... and the store's page caches, as far as the store has grown


def figures(gateway):
    """What a process uses now, from /proc."""
    proc = pathlib.Path(f'/proc/{gateway.pid}')
    kb = dict(re.findall(r'^(\w+):\s+(\d+) kB', (proc / 'smaps_rollup').read_text(), re.M))
    data = gateway.data / 'waybill.db'
    cpu = (proc / 'stat').read_text().rsplit(')', 1)[1].split()
    return {
        'rss': int(kb['Rss']) / 1024, 'pss': int(kb['Pss']) / 1024,
        'anon': int(kb['Anonymous']) / 1024,
        'fds': len(os.listdir(proc / 'fd')), 'threads': len(os.listdir(proc / 'task')),
        'cpu': (int(cpu[11]) + int(cpu[12])) / os.sysconf('SC_CLK_TCK'),
        'store': sum(p.stat().st_size for p in data.parent.glob('waybill.db*')) / 1e6}


class Sampler(threading.Thread):
    """Takes a sample of each gateway every so many seconds. sample(rest=True): one at rest."""

    def __init__(self, world, books, every):
        super().__init__(daemon=True)
        self.world, self.books, self.every = world, books, every
        self.begun = time.monotonic()
        self.rows, self.stopped = [], threading.Event()
        self.state = 'load'

    def run(self):
        while not self.stopped.wait(self.every):
            self.sample()

    def sample(self, rest=False):
        documents, delivered, octets = self.books.totals()
        row = {'at': time.monotonic() - self.begun, 'state': 'rest' if rest else self.state,
               'documents': documents, 'delivered': delivered, 'octets': octets}
        try:
            for n in NAMES:
                row[n] = figures(self.world.gateways[n])
        except (OSError, KeyError, AttributeError):
            return          # being restarted
        self.rows.append(row)

    def rests(self):
        return [r for r in self.rows if r['state'] == 'rest']


def table(rows, every=1):
    """The samples as text: one line for every so many, and all of those at rest."""
    head = ['  time state       docs docs/s   MB/s']
    for n in NAMES:
        head.append(f'{n:>8}: RSS   PSS  anon fds thr store')
    out, last = [' |'.join(head)], None
    for i, r in enumerate(rows):
        if r['state'] != 'rest' and i % every:
            continue
        took = r['at'] - last['at'] if last else r['at']
        documents = r['documents'] - (last['documents'] if last else 0)
        octets = r['octets'] - (last['octets'] if last else 0)
        parts = [f'{r["at"]:5.0f}s {r["state"]:8} {r["documents"]:7} '
                 f'{documents / max(took, 0.1):6.1f} {octets / max(took, 0.1) / 1e6:6.1f}']
        for n in NAMES:
            f = r[n]
            parts.append(f'{f["rss"]:13.1f} {f["pss"]:5.1f} {f["anon"]:5.1f} {f["fds"]:3} '
                         f'{f["threads"]:3} {f["store"]:5.1f}')
        out.append(' |'.join(parts))
        last = r
    return '\n'.join(out)


def slope(points):
    """Theil-Sen: the median of the slopes between all pairs, which single outliers do not move."""
    found = [(y2 - y1) / (x2 - x1) for i, (x1, y1) in enumerate(points)
             for x2, y2 in points[i + 1:] if x2 > x1]
    return statistics.median(found) if found else 0.0


def growth(rests):
    """(lines that tell the trend, what grows beyond its bound)."""
    said, wrong = [], []
    if len(rests) < 3:
        return ['too few rests to tell a trend'], []
    end = rests[-1]['at']
    judged = [r for r in rests if r['at'] >= end / 3]
    first, last = judged[0], judged[-1]
    hours = (last['at'] - first['at']) / 3600
    documents = max(1, last['documents'] - first['documents'])
    for n in NAMES:
        points = [(r['at'] / 3600, r[n]['anon']) for r in judged]
        grown = slope(points) * hours
        cached = min(CACHE_MB, max(0, last[n]['store'] - first[n]['store']))
        bound = MEMORY_MB + cached + MEMORY_PART * statistics.median(y for _, y in points)
        said.append(f'{n}: memory at rest {first[n]["anon"]:.1f} to {last[n]["anon"]:.1f} MB over '
                    f'{len(judged)} rests; trend {grown:+.1f} MB in {hours * 60:.1f} min '
                    f'({grown * 1024 / documents:+.2f} KB a document), bound {bound:.1f} MB')
        if grown > bound:
            wrong.append(f'{n}: memory grows: {said[-1]}')
        for what, most in (('fds', FDS), ('threads', THREADS)):
            # the least of the last three: one connection may just be closing
            then = max(r[n][what] for r in judged[:3])
            now = min(r[n][what] for r in judged[-3:])
            said.append(f'{n}: {what} at rest {then} to {now}')
            if now > then + most:
                wrong.append(f'{n}: {what} grow from {then} to {now}')
    return said, wrong


def plot(rows, path, title):
    """A PNG of the samples. False where there is no matplotlib."""
    try:
        import matplotlib
        matplotlib.use('Agg')
        from matplotlib import pyplot
    except ImportError:
        return False
    figure, axes = pyplot.subplots(5, 1, figsize=(11, 13), sharex=True)
    minutes = [r['at'] / 60 for r in rows]
    rests = [r for r in rows if r['state'] == 'rest']
    for n, colour in zip(NAMES, ('tab:blue', 'tab:orange')):
        axes[0].plot(minutes, [r[n]['rss'] for r in rows], colour, lw=0.8, label=f'{n} resident')
        axes[0].plot([r['at'] / 60 for r in rests], [r[n]['anon'] for r in rests], 'o-',
                     color=colour, ms=4, label=f'{n} own memory at rest')
        axes[1].plot(minutes, [r[n]['fds'] for r in rows], colour, lw=0.8, label=f'{n} descriptors')
        axes[2].plot(minutes, [r[n]['threads'] for r in rows], colour, lw=0.8, label=f'{n} threads')
        axes[3].plot(minutes, [r[n]['store'] for r in rows], colour, lw=0.8, label=f'{n} store, MB')
    pairs = [(a, b) for a, b in zip(rows, rows[1:]) if b['at'] - a['at'] > 0.5]
    at = [b['at'] / 60 for _, b in pairs]
    axes[4].plot(at, [(b['documents'] - a['documents']) / (b['at'] - a['at']) for a, b in pairs],
                 lw=0.8, label='documents/s')
    axes[4].plot(at, [(b['octets'] - a['octets']) / (b['at'] - a['at']) / 1e6 for a, b in pairs],
                 lw=0.8, label='MB/s')
    axes[0].set_ylabel('MB')
    axes[4].set_xlabel('minutes')
    axes[0].set_title(title)
    for a in axes:
        a.grid(alpha=0.3)
        a.legend(loc='upper left', fontsize=8)
        a.set_ylim(bottom=0)
    figure.tight_layout()
    figure.savefig(path, dpi=80)
    pyplot.close(figure)
    return True
