#!/usr/bin/env python3
"""Asserts that each test docs/proof.md names exists. Prints what is missing; exit status 1 then."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]


def main():
    text = (ROOT / 'docs' / 'proof.md').read_text()
    named = set(re.findall(r'(tests/[\w/]+\.py)::(\w+)', text))
    missing = 0
    for path, test in sorted(named):
        file = ROOT / path
        if not file.exists() or not re.search(rf'^(?:async )?def {test}\(', file.read_text(), re.M):
            print(f'docs/proof.md: there is no {path}::{test}')
            missing += 1
    rows = [line for line in text.splitlines() if line.startswith('| ') and '---' not in line]
    bare = [r for r in rows if '::' not in r and not r.endswith('| Test |')]
    for row in bare:
        print(f'docs/proof.md: no test proves: {row}')
    if not missing and not bare:
        print(f'{len(named)} tests prove {sum("::" in r for r in rows)} promises')
    sys.exit(bool(missing or bare))


if __name__ == '__main__':
    main()
