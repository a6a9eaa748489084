#!/usr/bin/env python3
"""Holds every C file of the build against a compiler with warnings as errors, without making
code: the tree is clean under gcc 12 and clang 14.

    scripts/check-warnings.py COMPILER [BUILD_DIR]"""

import concurrent.futures
import json
import os
import pathlib
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
# Options of one compiler that the other does not know.
NOT_CLANG = ('-fstack-clash-protection',)


def main():
    compiler = sys.argv[1] if len(sys.argv) > 1 else 'cc'
    build = ROOT / (sys.argv[2] if len(sys.argv) > 2 else 'build')
    entries = json.loads((build / 'compile_commands.json').read_text())
    seen, jobs = set(), []
    for e in entries:
        path = os.path.normpath(os.path.join(e['directory'], e['file']))
        if path in seen or not path.endswith('.c') or not os.path.exists(path):
            continue
        seen.add(path)
        args, skip = [compiler], False
        for a in shlex.split(e['command'])[1:]:
            if skip:
                skip = False
            elif a in ('-o', '-MF', '-MQ'):
                skip = True
            elif a not in ('-c', '-MD', '-Werror', '-fdiagnostics-color=always') and not (
                    'clang' in compiler and a in NOT_CLANG):
                args.append(a)
        jobs.append((path, [*args, '-fsyntax-only', '-Werror'], e['directory']))

    def one(job):
        path, args, where = job
        return path, subprocess.run(args, cwd=where, capture_output=True, text=True)

    bad = 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for path, result in pool.map(one, jobs):
            if result.returncode != 0:
                bad += 1
                print(result.stderr.rstrip())
    print(f'check-warnings: {compiler}, {len(jobs)} files, {bad} with warnings')
    return 1 if bad or not jobs else 0


if __name__ == '__main__':
    sys.exit(main())
