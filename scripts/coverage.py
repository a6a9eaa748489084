#!/usr/bin/env python3
"""Measures which lines and branches of the engines and the configuration their own tests run:
unit tests, replayed sessions and the corpora of the fuzz targets. Writes docs/coverage.md.

    scripts/coverage.py [-j JOBS] [--limit PERCENT] [--all] [--no-report]

Prints the lines that no test ran of each file below the limit (default 90 % of its lines; with
--all of every file), and ends with exit status 1 when there is one, or when a test fails. What
integration tests run besides is not counted: they take minutes, and look at few of the octets."""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import textwrap

ROOT = pathlib.Path(__file__).resolve().parents[1]
BUILD = 'build-coverage'
FOLDERS = ('oftp', 'as2', 'cms', 'mime', 'config')
LIMIT = 90.0


def run(args, **more):
    """Ends the program when the command fails."""
    done = subprocess.run([str(a) for a in args], cwd=ROOT, **more)
    if done.returncode != 0:
        if done.stdout:
            sys.stdout.write(done.stdout[-4000:])
        sys.exit(f'coverage: {" ".join(map(str, args[:3]))}: exit status {done.returncode}')
    return done.stdout


def our_tests():
    """The names of the tests of the folders, of replayed sessions and of the corpora."""
    tests = json.loads(run(['meson', 'introspect', '--tests', BUILD], capture_output=True, text=True))
    below = tuple(f'tests/unit/{f}/' for f in ('base', *FOLDERS)) + ('tests/replay/', 'fuzz/')
    names = {t['name'] for t in tests
             if os.path.relpath(t['cmd'][0], ROOT / BUILD).startswith(below)
             or t['name'] == 'config reference program'}
    if not names:
        sys.exit('coverage: there are no tests')
    return sorted(names)


def measure(jobs):
    """What gcovr tells of each file, in the order of their names."""
    if not (ROOT / BUILD / 'build.ninja').exists():
        run(['meson', 'setup', BUILD, '-Db_coverage=true', '-Doptimization=0',
             '-Dtests=enabled', '-Dconsole=disabled'], capture_output=True, text=True)
    for old in (ROOT / BUILD).rglob('*.gcda'):
        old.unlink()
    tests = our_tests()
    run(['meson', 'test', '-C', BUILD, '--num-processes', jobs, '-t', 4, *tests],
        capture_output=True, text=True)
    out = ROOT / BUILD / 'coverage.json'
    run(['gcovr', '-r', '.', '-j', jobs, '--filter', f'src/({"|".join(FOLDERS)})/',
         '--exclude', r'.*\.h$', '--json', out, BUILD], stderr=subprocess.DEVNULL)
    return [File(f) for f in sorted(json.loads(out.read_text())['files'], key=lambda f: f['file'])]


class File:
    def __init__(self, told):
        self.name = told['file']
        lines = [n for n in told['lines'] if not n.get('gcovr/noncode')]
        branches = [b for n in lines for b in n['branches']]
        self.lines, self.branches = len(lines), len(branches)
        self.missing = [n['line_number'] for n in lines if n['count'] == 0]
        self.branches_run = sum(b['count'] > 0 for b in branches)
        self.lines_run = self.lines - len(self.missing)


def percent(part, whole):
    """Rounded down: 90.0 is never less than nine tenths."""
    return part * 1000 // whole / 10 if whole else 100.0


def row(name, files):
    total = [sum(getattr(f, a) for f in files)
             for a in ('lines', 'lines_run', 'branches', 'branches_run')]
    return (f'| {name} | {total[0]} | {percent(total[1], total[0]):.1f} | '
            f'{total[2]} | {percent(total[3], total[2]):.1f} |')


def page(files, limit):
    head = ['Lines', '% run', 'Branches', '% taken']
    rule = '|---|---:|---:|---:|---:|'
    text = ['# Coverage', '', *textwrap.wrap(
            'Which lines and branches of the engines and of the configuration their own tests run: '
            'unit tests, replayed sessions and the corpora of the fuzz targets, built with gcc '
            'without optimisation. `make coverage` writes this page, and fails when a file has less '
            f'than {limit:g} % of its lines run. A branch is one way out of a condition as the '
            'compiler lays it out, `&&` and `||` apart, those of `assert` included. Files without '
            'code (tables) have no row.', 100), '',
            '| Folder | ' + ' | '.join(head) + ' |', rule]
    folders = {f: [x for x in files if x.name.startswith(f'src/{f}/')] for f in FOLDERS}
    text += [row(f'`src/{f}`', inside) for f, inside in folders.items()]
    text += [row('all', files)]
    for f, inside in folders.items():
        text += ['', f'## src/{f}', '', '| File | ' + ' | '.join(head) + ' |', rule]
        text += [row(f'`{x.name.rpartition("/")[2]}`', [x]) for x in inside]
    return '\n'.join(text) + '\n'


def show_missing(f):
    print(f'{f.name}: {percent(f.lines_run, f.lines):.1f} % of {f.lines} lines; not run:')
    source = (ROOT / f.name).read_text().splitlines()
    for n in f.missing:
        print(f'{n:6}: {source[n - 1]}')


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('-j', '--jobs', type=int, default=2)
    parser.add_argument('--limit', type=float, default=LIMIT)
    parser.add_argument('--all', action='store_true')
    parser.add_argument('--no-report', action='store_true')
    options = parser.parse_args()

    files = measure(options.jobs)
    absent = [f for f in FOLDERS if not any(x.name.startswith(f'src/{f}/') for x in files)]
    if absent:
        sys.exit(f'coverage: nothing was measured of src/{absent[0]}')
    for f in files:
        print(f'{f.name:32} {f.lines:5} lines {percent(f.lines_run, f.lines):5.1f} %  '
              f'{f.branches:5} branches {percent(f.branches_run, f.branches):5.1f} %')
    low = [f for f in files if percent(f.lines_run, f.lines) < options.limit]
    for f in files if options.all else low:
        if f.missing:
            show_missing(f)
    if not options.no_report:
        (ROOT / 'docs' / 'coverage.md').write_text(page(files, options.limit))
    print(f'{len(files)} files, {len(low)} with less than {options.limit:g} % of their lines run')
    return 1 if low else 0


if __name__ == '__main__':
    sys.exit(main())
