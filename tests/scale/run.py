#!/usr/bin/env python3
"""Sessions at scale: thousands of connections, idle and active, fairness beside a large transfer, and
floods, each against a gateway of its own. `make scale`

SCALE_COUNT    connections that idle (5000)         SCALE_ACTIVE   of them active (500)
SCALE_BIG_MB   the large transfer (2000)            SCALE_ONLY     names of parts, by comma
SCALE_SECONDS  of each measurement (10)

Prints a table; figures go to build/scale/NAME.json. Exit status 0 when all that is promised held."""

import json
import os
import pathlib
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent), str(ROOT / 'tests' / 'lib')]

import crowd        # noqa: E402
import scene        # noqa: E402
import waybill      # noqa: E402

COUNT = int(os.environ.get('SCALE_COUNT', '5000'))
ACTIVE = int(os.environ.get('SCALE_ACTIVE', '500'))
BIG = int(os.environ.get('SCALE_BIG_MB', '2000')) * 1000000
SECONDS = int(os.environ.get('SCALE_SECONDS', '10'))
ONLY = [n for n in os.environ.get('SCALE_ONLY', '').split(',') if n]
RESULTS = ROOT / 'build' / 'scale'
RATIO = 2.0                 # by which a large transfer may slow the p99 of small ones
PARTNERS = 250              # the crowd's connections are shared out among them
ROUNDS = 3                  # of each, with and without, in turn

PEER, AS2_PEER = 'O0013CROWD', 'CROWD'
OWN, AS2_OWN = 'O0013WAYBILL', 'WAYBILL'


def note(text):
    print(f'{time.strftime("%H:%M:%S")} {text}', flush=True)


class Plant:
    """A gateway that trades with the crowd by both protocols, with TLS and without."""

    def __init__(self, name, connections=None, per_address=None, **settings):
        many = connections or COUNT + 1000
        limits = {'max_connections': many, 'max_connections_per_address': per_address or many}
        directory = RESULTS / 'run' / name
        crowd.clean(directory)
        authority = waybill.Authority(directory / 'ca', algorithm='rsa:2048')
        tls = authority.issue('tls', key_usage='digitalSignature,keyEncipherment')
        self.g = waybill.Gateway(directory / 'plant', 'plant', tls='tls', settings=waybill.merge({
            'oftp2_server': {**limits, 'inactivity_timeout': '1h', 'start_timeout': '60s',
                             'max_sessions_per_partner': 10000},
            'as2_server': {**limits, 'idle_timeout': '1h', 'endpoints': [
                {'host': '127.0.0.1', 'port': 0},
                {'host': '127.0.0.1', 'port': 0, 'ssl': True, 'ssl_certificate': 'tls'}]},
            'retention': {'settled': {'payloads': '5s'}, 'every': '1s'},
            'log': {'level': 'error'}}, settings), components=[
                tls.component('tls'),
                {'identity': 'us', 'oftp2': {'odette_id': OWN, 'password': 'PW'},
                 'as2': {'as2_id': AS2_OWN}},
                *(c for n in range(PARTNERS) for c in self.partner(n))])

    @staticmethod
    def partner(n):
        return [{'partner': f'crowd-{n}', 'oftp2': {'odette_id': f'{PEER}{n:04}', 'password': 'PW'},
                 'as2': {'as2_id': f'{AS2_PEER}{n:04}'}},
                scene.process(f'files-{n}', f'crowd-{n}'),
                {'process': f'messages-{n}', 'start': {'listen': 'as2-server', 'operation': {
                    'from': {'partner': f'crowd-{n}'}, 'to': {'identity': 'us'}}}}]

    def __enter__(self):
        self.g.__enter__()
        return self

    def __exit__(self, *args):
        self.g.__exit__(*args)
        crowd.clean(self.g.directory.parent)

    def settings(self, protocol, tls=False, **more):
        port = next(e['port'] for e in self.g.get('/api/v1/runtime')['endpoints']
                    if e['protocol'] == protocol and bool(e['tls']) == tls)
        codes = {'code': PEER, 'own': OWN} if protocol == 'oftp2' else {'code': AS2_PEER,
                                                                        'own': AS2_OWN}
        return {'protocol': protocol, 'port': port, 'tls': tls, 'partners': PARTNERS, **codes,
                **more}

    def crowd(self, protocol, tls=False, **more):
        return crowd.Crowd(PROGRAM, **self.settings(protocol, tls, **more))

    def usage(self):
        return crowd.usage(self.g.pid)


def keep(name, figures):
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f'{name}.json').write_text(json.dumps({'benchmark': 'scale', 'name': name,
                                                      **figures}, indent=1) + '\n')
    return figures


class Trouble(Exception):
    pass


def must(what, true):
    if not true:
        raise Trouble(what)


# ---- the parts -----------------------------------------------------------------------------


def idle_then_active(protocol, tls):
    """COUNT connections that idle; then ACTIVE of them send documents."""
    with Plant(f'{protocol}-sessions') as p:
        with p.crowd(protocol, tls, count=50, seconds=1) as first:
            first.end()                 # what is only needed once
        time.sleep(1)
        before, kernel = p.usage(), crowd.kernel_kb()
        with p.crowd(protocol, tls, count=COUNT, seconds=3 * SECONDS + 60) as c:
            opened = c.open()
            must(f'{opened["opened"]} of {COUNT} were opened: {opened}', opened['opened'] == COUNT)
            time.sleep(2)
            there, held = p.usage(), crowd.kernel_kb()
            load = crowd.busy(p.g.pid, SECONDS)
            status, _ = p.g.request('GET', '/api/v1/sessions')
            must('the API answers', status == 200)
            with p.crowd(protocol, tls, count=ACTIVE, active=ACTIVE, every_ms=2000,
                         seconds=SECONDS) as a:
                active = a.end()
            most = p.usage()
            closed = c.end(now=True)
        waybill.wait_until(lambda: p.usage()['threads'] < before['threads'] + 20, 60,
                           'connections to be gone')
        time.sleep(17)                  # free memory is handed back every 15 s
        after = p.usage()
    each = lambda k: (there[k] - before[k]) / COUNT
    must(f'{closed["closed"]} connections were lost', closed['open'] == COUNT)
    must(f'active: {active}', active['documents'] > 0 and active['negative'] == 0
         and active['failed'] == active['refused'] == 0)
    return {
        'protocol': protocol, 'tls': tls, 'connections': COUNT, 'active': ACTIVE,
        'own_kb_each': round(each('own_kb'), 1), 'rss_kb_each': round(each('rss_kb'), 1),
        'page_tables_kb_each': round(each('page_tables_kb'), 1),
        'kernel_kb_each': round((held - kernel) / COUNT, 1),
        'maps_each': round(each('maps'), 2), 'fds_each': round(each('fds'), 2),
        'rss_mb': round(there['rss_kb'] / 1024, 1), 'opened_per_s': round(
            COUNT / opened['seconds']),
        'accept_p50_ms': opened['accept_p50_ms'], 'accept_p99_ms': opened['accept_p99_ms'],
        'idle_cpu_percent': round(100 * load, 1),
        'active_documents_per_s': round(active['documents'] / active['seconds'], 1),
        'taken_p50_ms': active['taken_p50_ms'], 'taken_p99_ms': active['taken_p99_ms'],
        'settled_p50_ms': active['settled_p50_ms'], 'settled_p99_ms': active['settled_p99_ms'],
        'peak_rss_mb': round(most['rss_kb'] / 1024, 1),
        'rss_mb_before': round(before['rss_kb'] / 1024, 1),
        'rss_mb_after': round(after['rss_kb'] / 1024, 1)}


SMALL = {'count': 8, 'active': 8, 'every_ms': 20, 'size': 4096}


def p99(results):
    """The middle one of the rounds."""
    return sorted(r['taken_p99_ms'] for r in results)[len(results) // 2]


def fairness(protocol):
    """Small documents with and without a large transfer beside them, in turn."""
    alone, beside, speeds = [], [], []
    with Plant(f'{protocol}-fair') as p:
        with p.crowd(protocol, **SMALL, seconds=2) as warm:
            warm.end()
        for _ in range(ROUNDS):
            with p.crowd(protocol, **SMALL, seconds=SECONDS) as c:
                alone.append(c.end())
            with p.crowd(protocol, count=1, active=1, documents=1, size=BIG,
                         seconds=600) as big:
                begun = big.open()
                time.sleep(0.3)
                with p.crowd(protocol, **SMALL, seconds=SECONDS) as c:
                    beside.append(c.open())
                    # as long as the large one goes on, at most as long as without it
                    end = time.monotonic() + SECONDS
                    while big.process.poll() is None and time.monotonic() < end:
                        time.sleep(0.02)
                    still = big.process.poll() is None
                    beside[-1] = c.end(now=True)
                done = big.end()
            must(f'the large one: {done}', done['documents'] == 1)
            speeds.append(BIG / 1e6 / done['seconds'])
            must(f'{begun} {still}', beside[-1]['documents'] > 0)
    return {'protocol': protocol, 'big_mb': BIG // 1000000, 'rounds': ROUNDS,
            'alone_p50_ms': sorted(r['taken_p50_ms'] for r in alone)[ROUNDS // 2],
            'alone_p99_ms': p99(alone), 'beside_p99_ms': p99(beside),
            'beside_p50_ms': sorted(r['taken_p50_ms'] for r in beside)[ROUNDS // 2],
            'ratio': round(p99(beside) / p99(alone), 2),
            'alone_per_s': round(sum(r['documents'] for r in alone)
                                 / sum(r['seconds'] for r in alone)),
            'beside_per_s': round(sum(r['documents'] for r in beside)
                                  / sum(r['seconds'] for r in beside)),
            'big_mb_per_s': round(sum(speeds) / len(speeds))}


def slow_flood(protocol):
    """Connections of one address that send an octet a second, or nothing, TLS or not, as many as it
    may have: others must not notice."""
    with Plant(f'{protocol}-slow', connections=2000, per_address=500) as p:
        def small():
            with p.crowd(protocol, source='127.0.0.1', **SMALL, seconds=SECONDS) as c:
                return c.end()
        small()
        alone = small()
        with p.crowd(protocol, mode='slow', source='127.0.0.2', count=500, window=500,
                     seconds=600) as a, \
                p.crowd(protocol, mode='silent', source='127.0.0.3', count=250, window=250,
                        seconds=600) as b, \
                p.crowd(protocol, tls=True, mode='silent', source='127.0.0.4', count=250,
                        window=250, seconds=600) as d, \
                p.crowd(protocol, tls=True, mode='slow', source='127.0.0.5', count=250,
                        window=250, slow_ms=1000, seconds=600) as e:
            time.sleep(3)
            threads = p.usage()['threads']
            beside = small()
            load = crowd.busy(p.g.pid, 3)
            for c in (a, b, d, e):
                c.end(now=True)
    must(f'others are served: {beside}', beside['opened'] == SMALL['count']
         and beside['refused'] == beside['failed'] == 0)
    return {'protocol': protocol, 'slow': 1250, 'threads': threads,
            'alone_p99_ms': alone['taken_p99_ms'], 'beside_p99_ms': beside['taken_p99_ms'],
            'ratio': round(beside['taken_p99_ms'] / alone['taken_p99_ms'], 2),
            'accept_p99_ms': beside['accept_p99_ms'], 'cpu_percent_beside': round(100 * load, 1)}


def flood(protocol):
    """One address connects as fast as it can."""
    with Plant(f'{protocol}-flood', connections=2000, per_address=100) as p:
        def small():
            with p.crowd(protocol, source='127.0.0.1', **SMALL, seconds=SECONDS) as c:
                return c.end()
        small()
        alone = small()
        with p.crowd(protocol, mode='flood', source='127.0.0.2', count=2000, window=2000,
                     seconds=600) as c:
            time.sleep(1)
            beside = small()
            flooded = c.end(now=True)
        lines = p.g.log_lines('connection.refused')
    must(f'others are served: {beside}', beside['opened'] == SMALL['count']
         and beside['refused'] == beside['failed'] == 0)
    word = 'F08' if protocol == 'oftp2' else 'HTTP/1.1 503'
    must(f'refused in the words of the protocol: {flooded}', flooded['said'].startswith(word)
         and (protocol == 'oftp2' or 'Retry-After' in flooded['said']))
    return {'protocol': protocol, 'attempts_per_s': round(flooded['attempts']
                                                          / max(flooded['seconds'], 0.1)),
            'refused': flooded['refused'], 'said': flooded['said'][:60],
            'alone_p99_ms': alone['taken_p99_ms'], 'beside_p99_ms': beside['taken_p99_ms'],
            'ratio': round(beside['taken_p99_ms'] / alone['taken_p99_ms'], 2),
            'accept_p99_ms': beside['accept_p99_ms'], 'log_lines': len(lines)}


PARTS = {
    'oftp2': lambda: idle_then_active('oftp2', False),
    'oftp2-tls': lambda: idle_then_active('oftp2', True),
    'as2': lambda: idle_then_active('as2', False),
    'as2-tls': lambda: idle_then_active('as2', True),
    'oftp2-fairness': lambda: fairness('oftp2'),
    'as2-fairness': lambda: fairness('as2'),
    'oftp2-slow': lambda: slow_flood('oftp2'),
    'as2-slow': lambda: slow_flood('as2'),
    'oftp2-flood': lambda: flood('oftp2'),
    'as2-flood': lambda: flood('as2'),
}


def main():
    global PROGRAM
    wrong = []
    RESULTS.mkdir(parents=True, exist_ok=True)
    PROGRAM = crowd.build(RESULTS)
    wanted = COUNT + 2000
    got = crowd.descriptors(wanted)
    note(f'{COUNT} connections, {ACTIVE} active; open files: {got}')
    if got < wanted:
        print(f'the limit of open files is {got}, and {wanted} are needed: ulimit -n {wanted}')
        return 1
    for name, part in PARTS.items():
        if ONLY and name not in ONLY:
            continue
        try:
            figures = keep(name, part())
        except (Trouble, AssertionError) as e:
            wrong.append(f'{name}: {e}')
            note(f'{name}: FAILED: {e}')
            continue
        note(name)
        for k, v in figures.items():
            print(f'    {k:24} {v}')
        if name.endswith('fairness') and figures['ratio'] > RATIO:
            wrong.append(f'{name}: small ones are {figures["ratio"]} times as slow')
    crowd.clean(RESULTS / 'run')
    print('\n'.join(['', *wrong] if wrong else ['', 'all held']))
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
