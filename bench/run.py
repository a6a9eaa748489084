#!/usr/bin/env python3
"""Runs all benchmarks on the machine at hand and writes docs/benchmarks.md with its plots.

    bench/run.py [--size 1G] [--large 5G] [--documents 1000000] [--peers] [--output docs]

Each figure stands beside the machine's own limit, measured in the same run by the same program, as far
as there is one. What the project asked for is checked against what came out; nothing on the page is
typed in by hand but the reasons, which are in REASONS and shown only beside a figure that was missed.
--peers measures other AS2 programs too (see tests/interop)."""

import argparse
import glob
import json
import os
import pathlib
import platform
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
BINARY = os.environ.get('WAYBILL_BINARY', str(ROOT / 'build' / 'waybill'))

# Why a figure may be missed, by its key.
REASONS = {
    'as2-4k-ratio': 'Of the CPU time two RSA operations are nearly six tenths. The rest is shared '
                    'by the commit (B-trees, log, sync), TCP, waking up threads and many small '
                    'steps; the octets of message, payload and MDN, which are stored before the '
                    'answer, cost the most of it.',
    'oftp2-secured-ratio': 'One session sends one file at a time, so each has a commit and a sync '
                           'of its own, which cost as much as an RSA operation; on a RAM disk the '
                           'ratio is nearer. Several sessions share their syncs.',
    'oftp2-tls-ratio': 'Raw TLS writes nothing to disk. The receiver also copies each octet into '
                       'the file system, whose pages are slow to touch the first time on a '
                       'virtual machine.',
    'oftp2-plain': 'As for TLS: first use of file system pages on a virtual machine.',
    'as2-1m': 'A large message makes two files. Right after many files were removed, as by the run '
              'before, ext4 without a journal passes over their inodes one by one, which costs up '
              'to half as much again; with the store in memory it takes 3.0 to 3.7 ms.',
    'large-in': 'Each octet is written twice, as it came and opened, and read once more by the '
                'bench on the same processors.',
}


class Page:
    def __init__(self):
        self.rows, self.bars, self.missed = [], [], []

    def add(self, what, value, limit='', asked='', ok=None, key=''):
        verdict = '' if ok is None else 'yes' if ok else 'no'
        self.rows.append((what, value, limit, asked, verdict))
        if ok is False:
            self.missed.append((what, REASONS.get(key, 'not explained yet')))

    def bar(self, group, what, ratio):
        self.bars.append((group, what, ratio))


def run(*args):
    """The JSON lines a command prints."""
    print('$', ' '.join(map(str, args)), flush=True)
    begin = time.monotonic()
    p = subprocess.run(list(map(str, args)), stdout=subprocess.PIPE, text=True, cwd=ROOT,
                       env={**os.environ, 'WAYBILL_BINARY': BINARY})
    print(f'  {time.monotonic() - begin:.0f} s', flush=True)
    if p.returncode != 0:
        raise SystemExit(f'{args[0]}: exit status {p.returncode}')
    return [json.loads(line) for line in p.stdout.splitlines() if line.startswith('{')]


def best(key, *args):
    """Of three runs, line by line, the one that was disturbed least: key, higher is better; with a
    minus, lower."""
    lines = zip(*(run(*args) for _ in range(3)))
    down = key.startswith('-')
    return [(min if down else max)(line, key=lambda x: x[key.lstrip('-')]) for line in lines]


def oftp2(page, size):
    for tls in (), ('--tls',):
        for x in run(BINARY, 'bench', 'oftp2', '--size', size, *tls, '--runs', 3, '--json'):
            ram = x['directory'].startswith('/dev/shm')
            what = f'OFTP2 {size}{" over TLS" if tls else ""}, payloads ' + (
                'in memory' if ram else 'on disk')
            page.add(what, f'{x["mb_per_s"]:.0f} MB/s; CPU {x["sender_cpu_s_per_gb"]:.2f} and '
                           f'{x["receiver_cpu_s_per_gb"]:.2f} s/GB',
                     f'{x["limit"]:.0f} {x["limit_unit"]}; ratio {x["ratio"]:.2f}; the directory '
                     f'takes {x["store_mb_per_s"]:.0f} MB/s',
                     'TLS: half of raw TLS' if tls and ram else
                     'plain: 700 MB/s where raw TLS does 1,600' if ram else '',
                     (x['ratio'] >= 0.5 if tls else x['mb_per_s'] >= 700) if ram else None,
                     'oftp2-tls-ratio' if tls else 'oftp2-plain')
            page.add(what + ': memory',
                     f'{x["sender_rss_mb"]:.1f} and {x["receiver_rss_mb"]:.1f} MB', '',
                     'under 32 MB', x['peak_rss_mb'] < 32)
            page.bar('share of the raw connection', what, x['ratio'])


def secured(page):
    for where in None, '/dev/shm':
        for x in best('-ratio', BINARY, 'bench', 'oftp2', '--secured', '--json',
                     *(('--directory', where) if where else ())):
            page.add(f'OFTP2 4 KB signed, encrypted, signed EERP, one session, '
                     f'{"in memory" if where else "on disk"}',
                     f'{x["cpu_ms_per_message"]:.2f} CPU-ms, {x["messages_per_s"]:.0f} files/s',
                     f'{x["limit"]:.2f} ms {x["limit_unit"][3:]}; ratio {x["ratio"]:.2f}',
                     '' if where else 'at most 1.7 times',
                     None if where else x['ratio'] <= 1.7, 'oftp2-secured-ratio')


def as2_small(page):
    for x in best('-cpu_ms_per_message', BINARY, 'bench', 'as2', '--json'):
        small = x['size'] < 100000
        what = f'AS2 {x["size"] / 1000:g} KB signed, encrypted, signed MDN, {x["clients"]} clients'
        page.add(what, f'{x["messages_per_s"]:.0f} messages/s, {x["cpu_ms_per_message"]:.2f} '
                 'CPU-ms each', f'{x["limit"]:.2f} {x["limit_unit"]}; ratio {x["ratio"]:.2f}',
                 'at most 1.5 times' if small else 'at most 5 CPU-ms',
                 x['ratio'] <= 1.5 if small else x['cpu_ms_per_message'] <= 5,
                 'as2-4k-ratio' if small else 'as2-1m')
        page.add(what + ': latency and memory', f'p50 {x["p50_ms"]:.1f} ms, p99 {x["p99_ms"]:.1f} '
                 f'ms, peak {x["peak_rss_mb"]:.1f} MB')
        page.add(what + ': an idle connection', f'{x["idle_connection_kb"]:.0f} KB', '',
                 'under 100 KB', x['idle_connection_kb'] < 100)


def as2_large(page, size):
    x, = run(sys.executable, 'bench/as2_large.py', '--size', size, '--json')
    for kind, text in ('in_der', 'DER'), ('in_ber', 'BER of indefinite length'):
        y = x[kind]
        page.add(f'AS2 {size} in, signed, encrypted, {text}',
                 f'{y["mb_per_s"]:.0f} MB/s, {y["cpu_s"]:.1f} CPU-s, peak '
                 f'{y["peak_rss_mb"]:.1f} MB', '', 'above 200 MB/s, under 64 MB',
                 y['mb_per_s'] > 200 and y['peak_rss_mb'] < 64, 'large-in')
    y = x['out']
    page.add(f'AS2 {size} out: sealed', f'{y["mb_per_s_seal"]:.0f} MB/s, peak '
             f'{y["sender_peak_rss_mb"]:.1f} MB', '', 'above 200 MB/s, under 64 MB',
             y['mb_per_s_seal'] > 200 and y['sender_peak_rss_mb'] < 64, 'large-in')
    page.add(f'AS2 {size} out: posted, opened by the other side, acknowledged',
             f'{y["mb_per_s_post"]:.0f} MB/s, peak {y["receiver_peak_rss_mb"]:.1f} MB', '',
             'above 200 MB/s, under 64 MB',
             y['mb_per_s_post'] > 200 and y['receiver_peak_rss_mb'] < 64, 'large-in')


def cms(page, size):
    for x in best('ratio', BINARY, 'bench', 'cms', '--size', size, '--json'):
        what = f'CMS {size} of {x["content"]}, signed + compressed + encrypted'
        page.add(what + ': sealing', f'{x["mb_per_s"]:.0f} MB/s; by CPU time '
                 f'{x["cpu_mb_per_s"]:.0f}', f'{x["limit"]:.0f} {x["limit_unit"]}; ratio '
                 f'{x["ratio"]:.2f}', '0.7 of the single steps', x['ratio'] >= 0.7)
        page.add(what + ': opening', f'{x["open_mb_per_s"]:.0f} MB/s; by CPU time '
                 f'{x["open_cpu_mb_per_s"]:.0f}', f'{x["open_limit"]:.0f}; ratio '
                 f'{x["open_ratio"]:.2f}', '0.7 of the single steps', x['open_ratio'] >= 0.7)
        page.add(what + ': memory', f'{x["peak_rss_mb"]:.1f} MB', '', 'under 16 MB',
                 x['peak_rss_mb'] < 16)
        page.bar('share of the single steps', what.split(',')[0] + ' sealed', x['ratio'])
        page.bar('share of the single steps', what.split(',')[0] + ' opened', x['open_ratio'])


def search(page, documents):
    x, = run(BINARY, 'bench', 'search', '--documents', documents, '--json')
    single = [f for f in x['filters'] if f['single']]
    worst = max(single, key=lambda f: max(f['p95_ms'], f['deep_p95_ms']))
    p95 = max(worst['p95_ms'], worst['deep_p95_ms'])
    page.add(f'Search over {x["documents"]:,} documents, {len(single)} filters, first pages and '
             'deep ones', f'slowest p95 {p95:.1f} ms ({worst["filter"]}: {worst["what"]})', '',
             'p95 within 50 ms', p95 <= 50, 'search')
    page.add('The store, per document', f'{x["octets_per_document"]} octets')


def scale(page):
    """What the last `make scale` left, if there was one."""
    for name in sorted(glob.glob(str(ROOT / 'build' / 'scale' / '*.json'))):
        with open(name) as f:
            x = json.load(f)
        flat = {k: v for k, v in x.items()
                if isinstance(v, (int, float)) and not isinstance(v, bool)}
        page.add(f'`make scale`: {pathlib.Path(name).stem}',
                 ', '.join(f'{k.replace("_", " ")} {v:g}' if isinstance(v, float) else
                           f'{k.replace("_", " ")} {v}' for k, v in flat.items()))


def peers():
    print('$ tests/interop/run.py --speed', flush=True)
    p = subprocess.run([sys.executable, 'tests/interop/run.py', '--speed', '--no-report',
                        '--match', 'no such permutation'], cwd=ROOT, text=True,
                       stdout=subprocess.PIPE, env={**os.environ, 'WAYBILL_BINARY': BINARY})
    return re.findall(r'^.*(?:messages/s|  ratio).*$', p.stdout, re.M)


def svg(groups, path):
    """Bars from 0 to 1, a group at a time."""
    height, y, parts = 18, 8, []
    for group, bars in groups.items():
        parts.append(f'<text x="0" y="{y + 13}" font-weight="bold">{group}</text>')
        y += height + 4
        for what, ratio in bars:
            width = round(300 * min(ratio, 1.2))
            parts.append(f'<text x="0" y="{y + 13}">{what}</text>'
                         f'<rect x="330" y="{y + 2}" width="{width}" height="13" fill="#2a78b8"/>'
                         f'<text x="{338 + width}" y="{y + 13}">{ratio:.2f}</text>')
            y += height
        y += 10
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'<svg xmlns="http://www.w3.org/2000/svg" width="740" height="{y}" '
                    'font-family="sans-serif" font-size="12" fill="#444">' + ''.join(parts)
                    + '<line x1="630" y1="0" x2="630" y2="%d" stroke="#999" '
                      'stroke-dasharray="3"/></svg>\n' % y)


def machine():
    model = re.search(r'model name\s*:\s*(.*)', pathlib.Path('/proc/cpuinfo').read_text())
    memory = re.search(r'MemTotal:\s+(\d+)', pathlib.Path('/proc/meminfo').read_text())
    return (f'{os.cpu_count()} x {model.group(1) if model else platform.machine()}, '
            f'{int(memory.group(1)) // 1024 // 1024} GB of memory, Linux {platform.release()}, '
            f'load {os.getloadavg()[0]:.1f} when it began')


def write(page, args, head, beside):
    out = ROOT / args.output
    groups = {}
    for group, what, ratio in page.bars:
        groups.setdefault(group, []).append((what, ratio))
    svg(groups, out / 'images' / 'benchmarks.svg')
    version = subprocess.run([BINARY, 'version'], capture_output=True, text=True).stdout.strip()
    lines = ['# Benchmarks', '',
             'Written by `make bench`, all in one run. Machines differ and this one may have had '
             'company: what counts are the ratios to its own limits. Figures of runs of a few '
             'seconds are the best of three.', '',
             f'{version.splitlines()[0] if version else "waybill"}; {head}.', '',
             '| What | Reached | Limit of the machine | Asked for | Held |',
             '| --- | --- | --- | --- | --- |']
    lines += ['| ' + ' | '.join(row) + ' |' for row in page.rows]
    lines += ['', '![ratios](images/benchmarks.svg)', '', '## What was missed, and why', '']
    lines += [f'- {what}: {why}' for what, why in page.missed] or ['Nothing.']
    if beside:
        lines += ['', '## Beside other programs', '',
                  'The same messages, on the same machine, in the same run: tests/interop/run.py '
                  '--speed.', '', '```', *beside, '```']
    (out / 'benchmarks.md').write_text('\n'.join(lines) + '\n')
    print(f'{out / "benchmarks.md"}: {len(page.rows)} figures, {len(page.missed)} missed')


def main():
    p = argparse.ArgumentParser()
    p.add_argument('--size', default='1G')
    p.add_argument('--large', default='5G')
    p.add_argument('--documents', type=int, default=1000000)
    p.add_argument('--peers', action='store_true')
    p.add_argument('--output', default='docs')
    args = p.parse_args()
    page, head = Page(), machine()
    oftp2(page, args.size)
    secured(page)
    as2_small(page)
    as2_large(page, args.large)
    cms(page, args.size)
    search(page, args.documents)
    scale(page)
    write(page, args, head, peers() if args.peers else [])


if __name__ == '__main__':
    main()
