#!/usr/bin/env python3
"""Shows that the tests notice: puts one deliberate fault after another into a copy of the sources,
builds it, and runs the tests named for it (faults.py) until one fails. A fault none of them notices
is a promise that nothing checks. At the end each test that noticed must pass on the unchanged copy:
one that fails anyway notices nothing.

    tests/mutation/run.py [--only NAME]... [--jobs N] [--directory build/mutation] [--list]

One line a fault on standard output: its name, the test that noticed it, the seconds this took; then
the totals. What the compiler and the tests said is in DIRECTORY/N/mutation.log, the results as JSON
in DIRECTORY/mutation.json. Exit status 0 only when every fault was noticed."""

import argparse
import fnmatch
import json
import os
import pathlib
import queue
import re
import signal
import subprocess
import sys
import threading
import time

import faults

ROOT = pathlib.Path(__file__).resolve().parents[2]
PYTHON = '/usr/bin/python3' if os.path.exists('/usr/bin/python3') else sys.executable
LIMIT = 900         # seconds of one test file; a fault may well make it hang
# What the tests of tests/integration and tests/fault start.
PROGRAMS = ['waybill', 'tests/fault/shim/libfaultshim.so', 'tests/unit/cms/cms_tool',
            'tests/unit/as2/as2_tool']
CAUGHT = re.compile(r'^(?:FAILED|ERROR) (tests/\S+\.py(?:::[^\s\[]+(?:\[.*?\])?)?)(?: - |$)', re.M)
CAUGHT_UNIT = re.compile(r'^\[  FAILED  \] (\w+)$', re.M)


class Useless(Exception):
    """The fault cannot be tried, and why."""


def changed(text, fault):
    """The text of the file with the fault."""
    old, new = ((f,) if isinstance(f, str) else f for f in fault[3:5])
    for o, n in zip(old, new, strict=True):
        if text.count(o) != 1:
            raise Useless(f'does not apply: {fault[2]} has {text.count(o)} times: {o!r}')
        text = text.replace(o, n)
    return text


class Tree:
    """A copy of the sources with a build directory, and a log."""

    def __init__(self, directory):
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.log = open(directory / 'mutation.log', 'w')

    def copy(self):
        """The sources as they are here, committed or not."""
        listed = subprocess.run(['git', 'ls-files', '-z', '--cached', '--others',
                                 '--exclude-standard'], cwd=ROOT, capture_output=True, check=True)
        names = [n for n in listed.stdout.decode().split('\0') if n and (ROOT / n).is_file()]
        for name in names:
            target, data = self.directory / name, (ROOT / name).read_bytes()
            if not target.exists() or target.read_bytes() != data:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(data)
                target.chmod((ROOT / name).stat().st_mode & 0o777)
        if not (self.directory / 'build' / 'build.ninja').exists():
            # The compiler's warnings about what a fault leaves over must not hide it.
            self.run(['meson', 'setup', 'build', '-Dtests=enabled', '-Dconsole=disabled',
                      '-Dwerror=false'])

    def run(self, command, limit=None, env=None):
        """(exit status, what it said); None as the status when it took too long."""
        self.log.write(f'$ {" ".join(map(str, command))}\n')
        self.log.flush()
        p = subprocess.Popen(command, cwd=self.directory, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                             errors='replace', start_new_session=True, env=env)
        try:
            said, _ = p.communicate(timeout=limit)
            status = p.returncode
        except subprocess.TimeoutExpired:
            # It and what it started: they share its session.
            os.killpg(p.pid, signal.SIGKILL)
            said, _ = p.communicate()
            status = None
        self.log.write(said)
        self.log.flush()
        return status, said

    def build(self, targets):
        status, said = self.run(['ninja', '-C', 'build', *targets])
        if status != 0:
            why = re.search(r'error: .*', said)
            raise Useless('does not build' + (f': {why.group(0)}' if why else ''))

    def targets(self):
        text = (self.directory / 'build' / 'build.ninja').read_text()
        return re.findall(r'^build (\S+?)(?: \|.*)?: (?:c|cpp)_LINKER', text, re.M)

    def programs(self, pattern):
        found = fnmatch.filter(self.targets(), 'tests/' + pattern)
        if not found:
            raise Useless(f'there is no {pattern}')
        return found

    def unit(self, pattern):
        programs = self.programs(pattern)
        self.build(programs)
        for program in programs:
            status, said = self.run([str(self.directory / 'build' / program)], LIMIT)
            if status != 0:
                caught = CAUGHT_UNIT.search(said)
                name = program.removeprefix('tests/')
                return f'{name}: {caught.group(1)}' if caught else name
        return None

    def pytest(self, tests):
        existing = self.targets()
        self.build([t for t in PROGRAMS if t in existing])
        status, said = self.run(
            [PYTHON, '-m', 'pytest', '-q', '-x', '-p', 'no:cacheprovider', *tests], LIMIT,
            {**os.environ, 'WAYBILL_BINARY': str(self.directory / 'build' / 'waybill')})
        if status is None:
            return f'{" ".join(tests)}: no end within {LIMIT} s'
        if status > 1:
            raise Useless(f'{" ".join(tests)}: pytest ended with {status}')
        caught = CAUGHT.search(said)
        return None if status == 0 else caught.group(1) if caught else ' '.join(tests)

    def first_to_fail(self, tests):
        """The name of the first test that fails, or None."""
        for test in tests:
            by = self.unit(test) if test.startswith('unit/') else self.pytest([test])
            if by:
                return by
        return None

    def with_fault(self, fault):
        file = self.directory / fault[2]
        was = file.read_text()
        self.log.write(f'\n==== {fault[0]}\n')
        file.write_text(changed(was, fault))
        try:
            return self.first_to_fail(fault[5])
        finally:
            file.write_text(was)


class Run:
    def __init__(self, wanted, directory, jobs):
        self.wanted, self.lock, self.results = wanted, threading.Lock(), []
        self.trees = [Tree(directory / str(i)) for i in range(jobs)]

    def say(self, name, said, seconds):
        with self.lock:
            print(f'{name:30} {said} ({seconds:.0f} s)', flush=True)

    def one(self, tree, fault):
        begin, by, why = time.monotonic(), None, 'NOT NOTICED'
        try:
            by = tree.with_fault(fault)
        except Useless as e:
            why = f'NOT TRIED: {e}'
        seconds = time.monotonic() - begin
        self.say(fault[0], f'noticed by {by}' if by else why, seconds)
        self.results.append({'fault': fault[0], 'promise': fault[1], 'file': fault[2],
                             'noticed_by': by, 'seconds': round(seconds, 1),
                             **({} if by else {'why': why})})

    def on_trees(self, things, what):
        """what(tree, thing) for each, as many at a time as there are trees."""
        left = queue.Queue()
        for thing in things:
            left.put(thing)

        def work(tree):
            while True:
                try:
                    thing = left.get_nowait()
                except queue.Empty:
                    return
                what(tree, thing)
        threads = [threading.Thread(target=work, args=(t,)) for t in self.trees]
        for t in threads:
            t.start()
        for t in threads:
            t.join()

    def all(self):
        for tree in self.trees:
            tree.copy()
        self.on_trees(self.wanted, self.one)

    def sound(self):
        """Whether each test that noticed passes without a fault; says which does not."""
        begin, failing = time.monotonic(), []
        by = sorted({r['noticed_by'].split(': ')[0] for r in self.results if r['noticed_by']})

        def without(tree, test):
            tree.log.write(f'\n==== no fault, {test}\n')
            try:
                if tree.first_to_fail([test]):
                    failing.append(test)
            except Useless as e:
                failing.append(f'{test} ({e})')
        self.on_trees(by, without)
        for test in failing:
            self.say('no fault', f'FAILS ANYWAY: {test}', 0)
        if by and not failing:
            self.say('no fault', f'the {len(by)} tests that noticed pass', time.monotonic() - begin)
        return not failing


def main():
    p = argparse.ArgumentParser(description='puts deliberate faults into a copy of the sources')
    p.add_argument('--only', action='append', help='name of a fault; may be given again')
    p.add_argument('--jobs', type=int, default=2, help='copies worked on at a time (2)')
    p.add_argument('--directory', default=str(ROOT / 'build' / 'mutation'))
    p.add_argument('--list', action='store_true', help='say which faults there are')
    args = p.parse_args()
    if args.list:
        for f in faults.FAULTS:
            print(f'{f[0]:30} {f[1]} ({f[2]})')
        return
    wanted = [f for f in faults.FAULTS if not args.only or f[0] in args.only]
    directory, begin = pathlib.Path(args.directory).resolve(), time.monotonic()
    run = Run(wanted, directory, max(1, min(args.jobs, len(wanted))))
    run.all()
    sound = run.sound()
    (directory / 'mutation.json').write_text(json.dumps(run.results, indent=1) + '\n')
    noticed = sum(bool(r['noticed_by']) for r in run.results)
    print(f'{noticed} of {len(wanted)} faults were noticed, '
          f'in {(time.monotonic() - begin) / 60:.0f} minutes')
    sys.exit(not (sound and wanted and noticed == len(wanted)))


if __name__ == '__main__':
    main()
