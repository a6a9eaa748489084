#!/usr/bin/env python3
"""Lists the statements of tests/checklist-oftp2.txt that no test names. A test names statement 17
with OFTP2-C17, anywhere in a file below tests/ or fuzz/.

Fails when a statement marked "now" is not named, or when a test names one that does not exist.

    scripts/check-coverage.py [--root DIR] [--verbose]"""

import argparse
import collections
import pathlib
import re
import sys

NAME = re.compile(r'OFTP2-C0*(\d+)(?!\d)')
SUFFIXES = {'.c', '.h', '.py', '.txt', '.sh', '.build', '.dict', '.md'}


def read_checklist(path):
    items = {}
    for n, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.startswith('#'):
            continue
        parts = [p.strip() for p in line.split('|', 2)]
        if len(parts) != 3 or not parts[0].isdigit() or not re.match(
                r'now\Z|(next|later): \w', parts[1]) or not parts[2]:
            sys.exit(f'{path}:{n}: not "number | when | what"')
        number = int(parts[0])
        if number in items:
            sys.exit(f'{path}:{n}: {number} is there twice')
        items[number] = parts[1], parts[2]
    if sorted(items) != list(range(1, len(items) + 1)):
        sys.exit(f'{path}: numbers are missing')
    return items


def named_in(root, checklist):
    found = collections.defaultdict(set)
    for folder in 'tests', 'fuzz':
        for path in sorted((root / folder).rglob('*')):
            if path == checklist or path.suffix not in SUFFIXES or not path.is_file():
                continue
            for n, line in enumerate(path.read_text(errors='replace').splitlines(), 1):
                for number in NAME.findall(line):
                    found[int(number)].add(f'{path.relative_to(root)}:{n}')
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--root', default=pathlib.Path(__file__).resolve().parents[1],
                        type=pathlib.Path)
    parser.add_argument('--verbose', action='store_true', help='also where each is named')
    options = parser.parse_args()
    checklist = options.root / 'tests' / 'checklist-oftp2.txt'
    items = read_checklist(checklist)
    named = named_in(options.root, checklist)

    wrong = sorted(n for n in named if n not in items)
    for n in wrong:
        print(f'OFTP2-C{n} does not exist: {", ".join(sorted(named[n]))}')
    if options.verbose:
        for n in sorted(set(named) & set(items)):
            print(f'OFTP2-C{n}: {", ".join(sorted(named[n]))}')
    open_items = collections.defaultdict(list)
    for n, (when, what) in items.items():
        if n not in named:
            open_items[when].append(f'  OFTP2-C{n}  {what}')
    missing = open_items.pop('now', [])
    for when, lines in sorted(open_items.items(), reverse=True):
        print(f'not covered yet, {when}:')
        print('\n'.join(lines))
    if missing:
        print('no test names:')
        print('\n'.join(missing))
    print(f'check-coverage: {len(set(named) & set(items))} of {len(items)} statements are named '
          f'by tests, {len(missing)} of those due are missing')
    return 1 if missing or wrong else 0


if __name__ == '__main__':
    sys.exit(main())
