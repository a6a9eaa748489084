#!/usr/bin/env python3
"""Shows that the tests notice: puts one deliberate fault after another into a copy of the sources,
builds it, and runs the tests named for it (faults.py). A fault none of them notices is a promise
that nothing checks.

    tests/mutation/run.py [--only NAME] [--directory build/mutation]

Exit status 0 only when every fault was noticed, and the unchanged copy passes the same tests."""

import argparse
import glob
import json
import os
import pathlib
import subprocess
import sys
import time

import faults

ROOT = pathlib.Path(__file__).resolve().parents[2]
PYTHON = '/usr/bin/python3' if os.path.exists('/usr/bin/python3') else sys.executable
LIMIT = 900


def copy_tree(to):
    """The sources as they are here, committed or not."""
    listed = subprocess.run(['git', 'ls-files', '-z', '--cached', '--others',
                             '--exclude-standard'], cwd=ROOT, capture_output=True, check=True)
    names = [n for n in listed.stdout.decode().split('\0') if n and (ROOT / n).is_file()]
    for name in names:
        target, data = to / name, (ROOT / name).read_bytes()
        if not target.exists() or target.read_bytes() != data:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
            target.chmod((ROOT / name).stat().st_mode & 0o777)


def build(tree, log):
    return subprocess.run(['ninja', '-C', 'build'], cwd=tree, stdout=log, stderr=log).returncode == 0


def run_test(tree, test, log):
    """True when it passes."""
    try:
        if test.startswith('unit/'):
            programs = [p for p in glob.glob(str(tree / 'build' / 'tests' / test))
                        if os.path.isfile(p) and os.access(p, os.X_OK)]
            if not programs:
                raise SystemExit(f'no unit test {test}')
            return all(subprocess.run([p], cwd=tree, stdout=log, stderr=log,
                                      timeout=LIMIT).returncode == 0 for p in programs)
        done = subprocess.run([PYTHON, '-m', 'pytest', '-q', '-x', '-p', 'no:cacheprovider', test],
                              cwd=tree, stdout=log, stderr=log, timeout=LIMIT, env={
                                  **os.environ, 'WAYBILL_BINARY': str(tree / 'build' / 'waybill')})
        if done.returncode > 1:
            raise SystemExit(f'{test}: pytest ended with {done.returncode}')
        return done.returncode == 0
    except subprocess.TimeoutExpired:
        return False


def fault_of(tree, fault, log):
    """The test that noticed; None: none did; False: it does not build."""
    name, promise, path, text, instead, tests = fault
    file = tree / path
    was = file.read_text()
    if was.count(text) != 1:
        raise SystemExit(f'{name}: {path} has the text {was.count(text)} times: {text!r}')
    file.write_text(was.replace(text, instead))
    try:
        if not build(tree, log):
            return False
        for test in tests:
            if not run_test(tree, test, log):
                return test
        return None
    finally:
        file.write_text(was)


def main():
    p = argparse.ArgumentParser()
    p.add_argument('--only', action='append', help='name of a fault; may be given again')
    p.add_argument('--directory', default=str(ROOT / 'build' / 'mutation'))
    args = p.parse_args()
    tree = pathlib.Path(args.directory).resolve()
    tree.mkdir(parents=True, exist_ok=True)
    wanted = [f for f in faults.FAULTS if not args.only or f[0] in args.only]
    results, unnoticed = [], 0
    with open(tree / 'mutation.log', 'w') as log:
        copy_tree(tree)
        if not (tree / 'build' / 'build.ninja').exists():
            # The compiler's warnings about what a fault leaves over must not hide it.
            subprocess.run(['meson', 'setup', 'build', '-Dtests=enabled', '-Dconsole=disabled',
                            '-Dwerror=false'], cwd=tree, stdout=log, stderr=log, check=True)
        if not build(tree, log):
            raise SystemExit(f'the unchanged sources do not build: {tree}/mutation.log')
        for test in sorted({t for f in wanted for t in f[5]}):
            if not run_test(tree, test, log):
                raise SystemExit(f'{test} fails without any fault: {tree}/mutation.log')
        print('the unchanged sources pass', flush=True)
        for fault in wanted:
            begin = time.monotonic()
            by = fault_of(tree, fault, log)
            unnoticed += not by
            said = 'does not build' if by is False else f'noticed by {by}' if by else 'NOT NOTICED'
            print(f'{fault[0]:32} {said} ({time.monotonic() - begin:.0f} s)', flush=True)
            results.append({'fault': fault[0], 'promise': fault[1], 'file': fault[2],
                            'noticed_by': by or None})
    (tree / 'mutation.json').write_text(json.dumps(results, indent=1) + '\n')
    print(f'{len(results) - unnoticed} of {len(results)} faults were noticed')
    sys.exit(unnoticed > 0)


if __name__ == '__main__':
    main()
