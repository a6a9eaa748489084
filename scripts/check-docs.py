#!/usr/bin/env python3
"""What the pages say about the tree is so: every link leads to a file and every anchor to a heading, every
page of docs/ is reached from the README, and each path, `make` target, event, metric and source named in
them exists."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGES = [ROOT / 'README.md', ROOT / 'CONTRIBUTING.md', *sorted((ROOT / 'docs').glob('*.md'))]
LINK = re.compile(r'\]\(([^)\s]+)\)')
CODE = re.compile(r'`([^`\n]+)`')
# below these folders a path in backquotes must exist
FOLDERS = 'src tests scripts docs examples packaging bench fuzz console'.split()


def without_code(text):
    return re.sub(r'^```.*?^```', '', text, flags=re.M | re.S)


def anchors(path):
    """As GitHub makes them of headings."""
    found = {}
    for title in re.findall(r'^#+ +(.*)$', without_code(path.read_text()), re.M):
        name = re.sub(r'[^\w\- ]', '', title.strip().lower()).replace(' ', '-')
        n = found.get(name, -1) + 1
        found[name] = n
        if n:
            found[f'{name}-{n}'] = 0
    return found


def links(page):
    for target in LINK.findall(without_code(page.read_text())):
        if re.match(r'[a-z]+:', target):
            continue
        name, _, anchor = target.partition('#')
        path = (page.parent / name).resolve() if name else page
        if not path.exists():
            yield f'{target}: no such file'
        elif anchor and anchor not in anchors(path):
            yield f'{target}: no such heading'


def paths(page):
    text = page.read_text()
    for code in CODE.findall(text):
        m = re.fullmatch(r'((?:%s)/[\w./-]*?)/?' % '|'.join(FOLDERS), code)
        if m and not (ROOT / m[1]).exists():
            yield f'`{code}`: no such file'


def targets(page):
    known = set(re.findall(r'^([a-z]+):', (ROOT / 'Makefile').read_text(), re.M))
    for name in re.findall(r'(?:^|`)(?:[A-Z_]+=\S+ )*make ([a-z]+)\b', page.read_text(), re.M):
        if name not in known:
            yield f'make {name}: no such target'


def unreached():
    reached, todo = set(), [ROOT / 'README.md']
    while todo:
        page = todo.pop()
        if page in reached:
            continue
        reached.add(page)
        for target in LINK.findall(without_code(page.read_text())):
            path = (page.parent / target.partition('#')[0]).resolve()
            if path.suffix == '.md' and path.exists():
                todo.append(path)
    return [p for p in PAGES if p not in reached]


def main():
    problems = []
    for page in PAGES:
        for check in links, paths, targets:
            problems += [f'{page.relative_to(ROOT)}: {p}' for p in check(page)]
    problems += [f'{p.relative_to(ROOT)}: no link leads to it' for p in unreached()]
    for p in problems:
        print(p)
    if problems:
        sys.exit(1)
    print(f'check-docs: {len(PAGES)} pages')


main()
