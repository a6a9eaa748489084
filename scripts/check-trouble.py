#!/usr/bin/env python3
"""Every event that is logged as a warning or an error, and every HTTP status that the AS2 server gives,
has its row in the table of src/base/trouble_*.c; no row is of an event that does not exist."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
STATUS_FILES = ['src/net/http_parse.c', 'src/net/http_server.c', 'src/net/http_body.c']


def calls(text, names):
    """The arguments of each call of one of these functions."""
    for m in re.finditer(r'\b(?:%s)\(' % '|'.join(names), text):
        depth, at = 1, m.end()
        while depth and at < len(text):
            depth += {'(': 1, ')': -1}.get(text[at], 0)
            at += 1
        yield text[m.end():at - 1]


def events():
    """{event: file}; those that are also logged as information are events all the same."""
    found = {}
    for path in sorted(ROOT.glob('src/**/*.c')):
        text = path.read_text()
        for call in calls(text, ['log_event']):
            level = call.split(',', 1)[0]
            names = re.findall(r'"([a-z0-9_]+(?:\.[a-z0-9_]+)+)"', ','.join(call.split(',')[:3]))
            if 'LOG_WARN' not in call and 'LOG_ERROR' not in call:
                continue
            if not names:
                sys.exit(f'{path.name}: an event whose name is not written out: {call[:60]}'
                         ) if level.strip().startswith('LOG_') else None
            for name in names:
                found[name] = path.name
    # the acceptor puts the protocol before the name
    for call in calls((ROOT / 'src/gateway/acceptor.c').read_text(), ['event']):
        m = re.match(r's, LOG_(?:WARN|ERROR), "([a-z.]+)"', call)
        if m:
            for protocol in 'oftp2', 'as2':
                found[f'{protocol}.{m.group(1)}'] = 'acceptor.c'
    return found


def statuses():
    found = {}
    for path in [*sorted(ROOT.glob('src/gateway/as2_*.c')), *(ROOT / f for f in STATUS_FILES)]:
        if path.name in ('as2_send.c', 'as2_url.c', 'as2_test.c'):  # what the admin API answers
            continue
        for call in calls(path.read_text(), ['as2_refuse', 'answer_empty', 'refuse', 'FAIL',
                                             'http_answer', 'as2_range_refuse']):
            for code in re.findall(r'(?<![\w.])([45]\d\d)(?![\w.])', call.split('"', 1)[0]):
                found[code] = path.name
    return found


def rows(kind):
    text = ''.join(p.read_text() for p in ROOT.glob('src/base/trouble_*.c'))
    return re.findall(r'^\s*%s\("([^"]+)"' % kind, text, re.M)


# What stands in backquotes and is no setting: fields of the log, and of what other programs say.
FIELDS = set('disposition efna esid https look_at matched nerp peer sfna status unknown_signer why '
             'manual'.split())


def unknown_words():
    """Settings and commands that the table names and that do not exist."""
    text = ''.join(p.read_text() for p in ROOT.glob('src/base/trouble_*.c'))
    settings = (ROOT / 'docs/configuration.md').read_text()
    commands = re.findall(r'^## (\S+)', (ROOT / 'docs/cli.md').read_text(), re.M)
    for word in sorted(set(re.findall(r'`([^`]+)`', text))):
        if word.startswith('waybill '):
            if word.split()[1] not in commands:
                yield f'`{word}`: there is no such command'
        elif re.fullmatch(r'[a-z0-9_.]+', word) and word not in FIELDS:
            if f'`{word.split(".")[-1]}`' not in settings:
                yield f'`{word}`: there is no such setting'


def main():
    problems = list(unknown_words())
    for kind, needed in ('EVENT', events()), ('HTTP', statuses()):
        have = rows(kind)
        problems += [f'{k} is there twice' for k in set(have) if have.count(k) > 1]
        problems += [f'{where}: {what} has no row in src/base/trouble_*.c: say its cause and its cure'
                     for what, where in sorted(needed.items()) if what not in have]
        if kind == 'EVENT':
            problems += [f'{k}: there is no such event any more' for k in have if k not in needed]
    for p in problems:
        print(p)
    print(f'{len(rows("EVENT"))} events, {len(rows("HTTP"))} statuses, {len(problems)} problems')
    return 1 if problems else 0


sys.exit(main())
