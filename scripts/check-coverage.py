#!/usr/bin/env python3
"""Lists the statements of tests/checklist-oftp2.txt and tests/checklist-as2.txt that no test names.
A test names statement 17 with OFTP2-C17 or AS2-C17, anywhere in a file below tests/ or fuzz/.

Fails when a statement marked "now" is not named, or when a test names one that does not exist.

    scripts/check-coverage.py [--root DIR] [--verbose]
    scripts/check-coverage.py --self-test"""

import argparse
import collections
import pathlib
import re
import sys
import tempfile

PROTOCOLS = 'OFTP2', 'AS2'
NAME = re.compile(r'(?<![A-Z0-9])(OFTP2|AS2)-C0*(\d+)(?!\d)')
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


def checklist_of(root, protocol):
    return root / 'tests' / f'checklist-{protocol.lower()}.txt'


def named_in(root):
    """protocol -> number -> where."""
    found = {p: collections.defaultdict(set) for p in PROTOCOLS}
    checklists = [checklist_of(root, p) for p in PROTOCOLS]
    for folder in 'tests', 'fuzz':
        for path in sorted((root / folder).rglob('*')):
            if path in checklists or path.suffix not in SUFFIXES or not path.is_file():
                continue
            for n, line in enumerate(path.read_text(errors='replace').splitlines(), 1):
                for protocol, number in NAME.findall(line):
                    found[protocol][int(number)].add(f'{path.relative_to(root)}:{n}')
    return found


def check_one(protocol, items, named, verbose, out):
    """Prints what is not covered; True when all that is due is."""
    wrong = sorted(n for n in named if n not in items)
    for n in wrong:
        out(f'{protocol}-C{n} does not exist: {", ".join(sorted(named[n]))}')
    if verbose:
        for n in sorted(set(named) & set(items)):
            out(f'{protocol}-C{n}: {", ".join(sorted(named[n]))}')
    uncovered = collections.defaultdict(list)
    for n, (when, what) in items.items():
        if n not in named:
            uncovered[when].append(f'  {protocol}-C{n}  {what}')
    missing = uncovered.pop('now', [])
    for when, lines in sorted(uncovered.items(), reverse=True):
        out(f'not covered yet, {when}:')
        out('\n'.join(lines))
    if missing:
        out('no test names:')
        out('\n'.join(missing))
    out(f'check-coverage: {protocol}: {len(set(named) & set(items))} of {len(items)} statements are '
        f'named by tests, {len(missing)} of those due are missing')
    return not missing and not wrong


def check(root, verbose=False, out=print):
    named = named_in(root)
    good = [check_one(p, read_checklist(checklist_of(root, p)), named[p], verbose, out)
            for p in PROTOCOLS]
    return all(good)


def self_test():
    with tempfile.TemporaryDirectory() as d:
        root = pathlib.Path(d)
        (root / 'tests').mkdir()
        (root / 'tests' / 'checklist-oftp2.txt').write_text(
            '# OFTP2-C1 OFTP2-C9\n1 | now | one\n2 | next: more | two\n3 | now | x\n')
        (root / 'tests' / 'checklist-as2.txt').write_text(
            '# AS2-C1 AS2-C9\n1 | next: more | one\n2 | now | two\n')
        oftp2 = 'OFTP2-C1 OFTP2-C3 '
        cases = [('', False), ('/* OFTP2-C1 AS2-C2 */', False), (oftp2 + 'AS2-C2', True),
                 (oftp2 + 'AS2-C2 OFTP2-C4', False), ('OFTP2-C31 OFTP2-C1 AS2-C2', False),
                 ('oftp2_c01: OFTP2-C01 OFTP2-C3 OFTP2-C2 AS2-C02', True), (oftp2, False),
                 (oftp2 + 'AS2-C1', False), (oftp2 + 'AS2-C1 AS2-C2', True),
                 (oftp2 + 'AS2-C2 AS2-C3', False), (oftp2 + 'XAS2-C2', False)]
        failed = 0
        for text, want in cases:
            (root / 'tests' / 'x_test.c').write_text(text)
            if check(root, out=lambda _: None) != want:
                failed += 1
                print(f'self-test: {text!r}: wanted {want}')
    print(f'check-coverage: self-test, {len(cases)} cases, {failed} wrong')
    return not failed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--root', default=pathlib.Path(__file__).resolve().parents[1],
                        type=pathlib.Path)
    parser.add_argument('--verbose', action='store_true', help='also where each is named')
    parser.add_argument('--self-test', action='store_true')
    options = parser.parse_args()
    good = self_test() if options.self_test else check(options.root, options.verbose)
    return 0 if good else 1


if __name__ == '__main__':
    sys.exit(main())
