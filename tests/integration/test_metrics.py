"""`GET /metrics` by the rules of the Prometheus text format, and whether what it counts moves."""
import pathlib
import re

import pytest
import waybill
from oftp import File
from scene import Relation

MANUAL = pathlib.Path(__file__).parents[2] / 'docs/operations.md'
NAME = r'[a-zA-Z_:][a-zA-Z0-9_:]*'
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\n"])*"'
SAMPLE = re.compile(rf'({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})? '
                    r'(-?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Inf)|NaN)')
TYPES = {'counter', 'gauge', 'histogram'}


def parse(text):
    """{(name, frozenset of (label, value)): number}; fails on what the format forbids."""
    assert text.endswith('\n')
    samples, kinds, helps, closed, family = {}, {}, set(), set(), None
    for line in text[:-1].split('\n'):
        if line.startswith('# '):
            _, what, name, rest = line.split(' ', 3)
            assert re.fullmatch(NAME, name) and rest.strip()
            if what == 'HELP':
                assert name not in helps and name not in closed, f'{name}: twice'
                helps.add(name)
                if family is not None:
                    closed.add(family)
                family = name
            else:
                assert what == 'TYPE' and rest in TYPES and name == family and name not in kinds
                kinds[name] = rest
            continue
        m = SAMPLE.fullmatch(line)
        assert m, line
        name, labels, value = m.groups()
        assert family in kinds and (name == family or kinds[family] == 'histogram' and name in (
            f'{family}_bucket', f'{family}_sum', f'{family}_count')), line
        pairs = re.findall(rf'({NAME})="((?:[^"\\]|\\.)*)"', labels or '')
        assert len({k for k, _ in pairs}) == len(pairs), line
        key = name, frozenset(pairs)
        assert key not in samples, f'{line}: twice'
        samples[key] = float(value)
        if kinds[family] == 'counter':
            assert family.endswith('_total') and samples[key] >= 0, line
    assert set(kinds) == helps
    for name, kind in kinds.items():
        if kind == 'histogram':
            check_histogram(samples, name)
    return samples


def check_histogram(samples, name):
    buckets = sorted((float(dict(k)['le']), v) for (n, k), v in samples.items()
                     if n == f'{name}_bucket')
    values = [v for _, v in buckets]
    assert buckets[-1][0] == float('inf') and values == sorted(values)
    assert values[-1] == samples[f'{name}_count', frozenset()]
    assert samples[f'{name}_sum', frozenset()] >= 0


def metrics(gateway):
    status, body = gateway.request('GET', '/metrics')
    assert status == 200
    return parse(body.decode())


def value(m, name, **labels):
    return m.get((name, frozenset(labels.items())), 0)


def test_the_text_keeps_the_rules_and_has_what_the_manual_lists(plant):
    m = metrics(plant)
    names = {re.sub('_(bucket|sum|count)$', '', n) for n, _ in m}
    manual = set(re.findall(r'^\| `((?:waybill|process)_\w+)', MANUAL.read_text(), re.M))
    optional = {'waybill_failures_total', 'waybill_certificate_days_left',
                'waybill_crl_seconds_left'}
    assert manual - optional <= names <= manual, (manual - names, names - manual)
    assert value(m, 'waybill_store_broken') == 0
    assert value(m, 'process_resident_memory_bytes') > 1e6
    assert 3 < value(m, 'process_open_fds') < value(m, 'process_max_fds')
    assert value(m, 'process_start_time_seconds') > 1.7e9
    assert [k for k in m if k[0] == 'waybill_build_info']


def test_documents_sessions_commits_and_octets_move(plant):
    r = Relation(plant)
    before = metrics(plant)
    r.deliver(File(b'x' * 5000, dsn='ONE'))
    r.wait_document('processed')

    def moved(name, **labels):
        return value(after, name, **labels) - value(before, name, **labels)

    def session_over():
        nonlocal after
        after = metrics(plant)
        return moved('waybill_sessions_in_total') and moved(
            'waybill_octets_total', protocol='oftp2', direction='in') and moved(
            'waybill_documents_total', protocol='oftp2', direction='in', outcome='processed')
    after = before
    waybill.wait_until(session_over, 20, 'the session to be counted')
    for outcome in 'received', 'processed':
        assert moved('waybill_documents_total', protocol='oftp2', direction='in',
                     outcome=outcome) == 1
    assert moved('waybill_documents_total', protocol='as2', direction='in',
                 outcome='received') == 0
    assert moved('waybill_octets_total', protocol='oftp2', direction='in') > 5000
    assert moved('waybill_octets_total', protocol='as2', direction='in') == 0
    assert moved('waybill_sessions_in_total') == 1
    assert moved('waybill_store_commit_seconds_count') > 0
    assert moved('waybill_store_commit_seconds_sum') > 0
    assert moved('waybill_store_commit_batches_count') > 0
    assert moved('process_cpu_seconds_total') >= 0


def test_failures_are_counted_by_event_and_code(plant):
    r = Relation(plant)
    before = metrics(plant)
    with r.call() as me:
        me.send_file(File(b'x', dest='O0013NOBODY'))
        me.run()
    labels = {'level': 'warn', 'event': 'oftp2.file.refused', 'code': 'sfna 2'}
    waybill.wait_until(lambda: value(metrics(plant), 'waybill_documents_refused_total') >
                       value(before, 'waybill_documents_refused_total'), 20, 'the refusal')
    r.log('oftp2.file.refused')
    after = metrics(plant)
    assert value(after, 'waybill_failures_total', **labels) == value(
        before, 'waybill_failures_total', **labels) + 1
    assert value(after, 'waybill_documents_refused_total') == value(
        before, 'waybill_documents_refused_total') + 1


def test_jobs_that_wait_have_an_age(plant):
    r = Relation(plant)
    number = r.send(b'nobody can be called')

    def waits():
        m = metrics(plant)
        return value(m, 'waybill_jobs', kind='send') >= 1 and value(
            m, 'waybill_job_oldest_seconds', kind='send') > 0
    waybill.wait_until(waits)
    waybill.wait_until(lambda: value(metrics(plant), 'waybill_documents', state='sealed') >= 1)
    plant.cli('cancel', str(number), json_output=False)


def test_listeners_are_counted_by_state(plant):
    r = Relation(plant)
    before = metrics(plant)
    plant.cli('listeners', 'pause', r.listener, json_output=False)
    after = metrics(plant)
    for state, more in ('listening', -1), ('paused', 1), ('errored', 0):
        assert value(after, 'waybill_listeners', state=state) == value(
            before, 'waybill_listeners', state=state) + more


@pytest.mark.parametrize('text', [
    'waybill_x 1\n', '# HELP waybill_x x\n# TYPE waybill_x gauge\nwaybill_x 1\nwaybill_x 1\n',
    '# HELP waybill_x x\n# TYPE waybill_x counter\nwaybill_x 1\n',
    '# HELP waybill_x x\n# TYPE waybill_x gauge\nwaybill_x{a="b"c="d"} 1\n'])
def test_the_parser_here_is_strict(text):
    with pytest.raises(AssertionError):
        parse(text)
