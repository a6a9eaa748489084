#!/usr/bin/env python3
"""Runs the test groups and ends with the true totals, "N passed, N failed" alone on a line.

    scripts/run-tests.py [-j JOBS] [GROUP...]      --list shows the groups

Groups that need one another run in order, up to JOBS (default 2) at a time. A group that cannot
start, crashes or takes too long counts as one failure; one whose files do not exist yet is
absent. Exit status 0 only when something ran and nothing failed. Logs are in build/test-logs.

A few tests that failed while two groups shared the machine run once more when all is quiet. One
that passes then was unsteady: it counts as passed, and is named with what it said, to be mended.
What a sanitizer found, a crash and what took too long never get that second run."""

import argparse
import json
import os
import pathlib
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[1]
LOGS = ROOT / 'build' / 'test-logs'
PYTHON = '/usr/bin/python3' if os.path.exists('/usr/bin/python3') else sys.executable
# Seconds for everything. Two quiet cores need half of it; it ends what hangs, and does not refuse a
# change because a machine had other work.
TOTAL_LIMIT = int(os.environ.get('WAYBILL_TEST_LIMIT', 50 * 60))
STARTED = time.monotonic()

SANITIZE = {
    'ASAN_OPTIONS': 'halt_on_error=1:exitcode=99:detect_leaks=1:strict_string_checks=1:'
                    'detect_stack_use_after_return=1:allocator_may_return_null=1',
    'UBSAN_OPTIONS': 'halt_on_error=1:exitcode=99:print_stacktrace=1',
    'TSAN_OPTIONS': 'halt_on_error=1:exitcode=66:second_deadlock_stack=1:suppressions='
                    + str(ROOT / 'tests' / 'tsan.supp'),
}
# Folders whose unit tests run under the thread sanitizer.
THREADED = ('base', 'store', 'net', 'gateway', 'api')


class Group:
    """name, what it needs, and a function that fills in the result."""

    def __init__(self, name, run, after=(), limit=2400):
        self.name, self.run, self.after, self.limit = name, run, tuple(after), limit
        self.state = 'waiting'      # running, done, absent
        self.passed = self.failed = self.skipped = 0
        self.seconds = 0.0
        self.problems = []          # one line each
        self.again = []             # Again: failed tests that may run once more
        self.unsteady = []          # one line each: passed at the second run
        self.excerpt = []           # lines to show instead of the end of the log
        self.deadline = None
        self.broken = False         # what it makes is not there for those that need it

    @property
    def log(self):
        return LOGS / f'{self.name}.log'

    def fail(self, what):
        self.failed += 1
        self.problems.append(what)

    def command(self, args, env=None, prefix=()):
        """Runs a command with its output added to the group's log. The exit status; None when it
        had to be killed at the group's time limit."""
        args = [*prefix, *map(str, args)]
        with open(self.log, 'a') as log:
            log.write(f'$ {" ".join(args)}\n')
            log.flush()
            try:
                p = subprocess.Popen(args, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log,
                                     stderr=log, env={**os.environ, **(env or {})},
                                     start_new_session=True)
            except OSError as e:
                log.write(f'{e}\n')
                return 127
            try:
                return p.wait(max(1, self.deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                # The whole process group: gateways that tests have started are in it.
                os.killpg(p.pid, signal.SIGTERM)
                try:
                    p.wait(5)
                except subprocess.TimeoutExpired:
                    pass
                try:
                    os.killpg(p.pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
                p.wait()
                log.write('killed: time limit\n')
                return None


class Again:
    """A failed test: its name, what it said, and run(g), True when it passes by itself."""

    def __init__(self, name, said, run):
        self.name, self.said, self.run = name, said, run

    @property
    def line(self):
        """The name and the line of its words that says the most, where it says anything."""
        lines = [x.strip() for x in self.said.splitlines() if x.strip()]
        errors = [x for x in lines if x.startswith('E ') or '[   LINE   ]' in x]
        return ': '.join([self.name, *(errors or lines)[:1]])

    def about(self, problem):
        return problem == self.name or problem.startswith(f'{self.name}: ')


# What is no matter of time: it is wrong however quiet the machine was.
FINAL = re.compile(r'(Address|Leak|Thread)Sanitizer|runtime error:|Assertion .* failed|'
                   r'(exit status|ended with status) (-\d|66|99)|died of signal|SIGSEGV|SIGABRT|'
                   r'did not end|does not end')
SECOND_RUNS = 8     # more failures than this in all are no accident


def second_runs(todo):
    """Runs what failed beside other groups once more, alone."""
    waiting = [(g, a) for g in todo for a in g.again if not FINAL.search(a.said)]
    if not waiting or len(waiting) > SECOND_RUNS:
        return
    for g, a in waiting:
        g.deadline = min(time.monotonic() + 300, STARTED + TOTAL_LIMIT)
        if g.deadline - time.monotonic() > 30 and a.run(g):
            g.failed -= 1
            g.passed += 1
            g.unsteady.append(a.line)
            g.problems = [p for p in g.problems if not a.about(p)]


def status_text(status):
    if status is None:
        return 'took too long and was killed'
    if status < 0:
        return f'died of signal {-status}'
    return f'exit status {status}'


# ---- builds --------------------------------------------------------------------------------


def build(directory, *options, needs_thread_sanitizer=False):
    def run(g):
        if needs_thread_sanitizer and thread_sanitizer_prefix() is None:
            g.broken = True
            g.fail('a program built with -fsanitize=thread does not run on this system')
            return
        d = ROOT / directory
        if not (d / 'build.ninja').exists():
            shutil.rmtree(d / 'meson-private', ignore_errors=True)
            if g.command(['meson', 'setup', directory, '-Dtests=enabled', *options]) != 0:
                g.broken = True
                g.fail('meson setup failed')
                return
        status = g.command(['ninja', '-C', directory])
        if status != 0:
            g.broken = True
            g.fail(f'the build failed: {status_text(status)}')
    return run


_prefix = []


def thread_sanitizer_prefix():
    """What to put before a command so that the thread sanitizer works under this kernel's address
    space layout: nothing, or setarch -R. None when neither helps."""
    if _prefix:
        return _prefix[0]
    found = None
    with tempfile.TemporaryDirectory() as d:
        source, program = os.path.join(d, 'x.c'), os.path.join(d, 'x')
        pathlib.Path(source).write_text('int main(void) { return 0; }\n')
        if subprocess.run(['cc', '-fsanitize=thread', '-o', program, source],
                          capture_output=True).returncode == 0:
            for prefix in [], ['setarch', platform.machine(), '-R']:
                try:
                    # The layout is drawn anew at each start: some starts may work by luck.
                    if all(subprocess.run([*prefix, program], capture_output=True).returncode == 0
                           for _ in range(20)):
                        found = prefix
                        break
                except OSError:
                    pass
    _prefix.append(found)
    return found


# ---- C tests -------------------------------------------------------------------------------


def meson_tests(directory):
    """(name, path of the program below the build directory) of all tests."""
    out = subprocess.run(['meson', 'introspect', '--tests', directory], cwd=ROOT,
                         capture_output=True, text=True, check=True).stdout
    tests = []
    for t in json.loads(out):
        program = os.path.relpath(t['cmd'][0], ROOT / directory)
        tests.append((t['name'], program))
    return tests


CMOCKA = re.compile(r'^\[  (PASSED|FAILED|SKIPPED)  \] (\d+) test\(s\)', re.MULTILINE)
CMOCKA_NAME = re.compile(r'^\[  FAILED  \] (?!\d+ test\(s\))(.*)$', re.MULTILINE)


def count_program(g, t, again):
    """Adds one program's result; a cmocka program counts each of its tests. again(g, name): runs
    the program once more."""
    text = (t.get('stdout') or '') + '\n' + (t.get('stderr') or '')
    passed = failed = skipped = 0
    for kind, n in CMOCKA.findall(text):
        if kind == 'PASSED':
            passed += int(n)
        elif kind == 'FAILED':
            failed += int(n)
        else:
            skipped += int(n)
    ok = t['result'] in ('OK', 'EXPECTEDFAIL')
    if t['result'] == 'SKIP':
        skipped += 1
    elif ok and not failed:
        passed = passed or (0 if skipped else 1)
    elif not failed:
        failed = 1
    g.passed += passed
    g.failed += failed
    g.skipped += skipped
    if failed:
        names = list(dict.fromkeys(CMOCKA_NAME.findall(text)))
        g.problems.append(f'{t["name"]}: {t["result"]} ' + ', '.join(names[:10]))
        if failed == 1 and t['result'] == 'FAIL':
            g.again.append(Again(t['name'], text, lambda g: again(g, t['name'])))
        with open(g.log, 'a') as log:
            log.write(f'\n---- {t["name"]} ----\n{text[-20000:]}\n')


def meson_run(g, directory, names, env, slow, thread, jobs=2):
    """Runs these programs: the exit status, and what testlog.json says of each that ran."""
    result = ROOT / directory / 'meson-logs' / 'testlog.json'
    result.unlink(missing_ok=True)
    status = g.command(['meson', 'test', '-C', directory, '--no-rebuild', '--no-suite', 'bench',
                        '-t', str(slow), '--num-processes', jobs, *names], env=env,
                       prefix=(thread_sanitizer_prefix() or []) if thread else [])
    lines = result.read_text(errors='replace').splitlines() if result.exists() else []
    return status, [json.loads(line) for line in lines]


def c_test_again(g, directory, name, env=None, slow=1, thread=False):
    """Whether the program, named as testlog.json does ("project:suite / name"), ran and passed.
    Meson takes a name it does not know for nothing to do."""
    status, ran = meson_run(g, directory, [name.split(' / ')[-1]], env, slow, thread, jobs=1)
    return status == 0 and [(t['name'], t['result']) for t in ran] == [(name, 'OK')]


def c_tests(directory, env=None, only=None, slow=1, thread=False):
    def run(g):
        tests = [name for name, program in meson_tests(directory)
                 if only is None or only(program)]
        if not tests:
            g.state = 'absent'
            return
        status, ran = meson_run(g, directory, sorted(set(tests)), env, slow, thread)
        for t in ran:
            count_program(g, t, lambda g, name: c_test_again(g, directory, name, env, slow, thread))
        if not ran or status is None or (status != 0 and not g.failed):
            g.fail(f'meson test: {status_text(status)}, {len(ran)} programs ran')
    return run


# ---- Python tests --------------------------------------------------------------------------


def has_tests(folder):
    return any((ROOT / folder).rglob('test_*.py'))


def python_tests(folders, binary, env=None, slow=1, extra=(), thread=False):
    def pytest(g, report, *what):
        base = tempfile.mkdtemp(prefix='wbt-')
        status = g.command(
            [PYTHON, '-m', 'pytest', '-q', '-rfE', '-p', 'no:cacheprovider', '--tb=short',
             f'--junit-xml={report}', f'--basetemp={base}/t', *what],
            env={'WAYBILL_BINARY': str(ROOT / binary), 'WAYBILL_TEST_SLOW': str(slow),
                 'PYTHONDONTWRITEBYTECODE': '1', **(env or {})},
            prefix=(thread_sanitizer_prefix() or []) if thread else [])
        shutil.rmtree(base, ignore_errors=True)
        return status

    def run(g):
        there = [f for f in folders if has_tests(f)]
        if not there:
            g.state = 'absent'
            return
        report = LOGS / f'{g.name}.xml'
        report.unlink(missing_ok=True)
        status = pytest(g, report, *extra, *there)
        if report.exists():
            for case in xml.etree.ElementTree.parse(report).iter('testcase'):
                wrong = [c for c in case if c.tag in ('failure', 'error')]
                if wrong:
                    name = f'{case.get("classname").replace(".", "/")}.py::{case.get("name")}'
                    g.fail(name)
                    g.again.append(Again(
                        name, '\n'.join(c.text or '' for c in wrong),
                        lambda g, name=name: pytest(g, LOGS / f'{g.name}-again.xml', name) == 0))
                elif any(c.tag == 'skipped' for c in case):
                    g.skipped += 1
                else:
                    g.passed += 1
        if status == 5 and extra:
            g.state = 'absent'      # nothing was selected
        elif status != 0 and not g.failed:
            g.fail(f'pytest: {status_text(status)}')
    return run


# ---- checks --------------------------------------------------------------------------------

CHECKS = [
    ('folder rule', [PYTHON, 'scripts/check-folders.py', '--build-dir', 'build']),
    ('folder rule, self-test', [PYTHON, 'scripts/check-folders.py', '--self-test']),
    ('checklist', [PYTHON, 'scripts/check-coverage.py']),
    ('proof', [PYTHON, 'scripts/check-proof.py']),
    ('docs', [PYTHON, 'scripts/check-docs.py']),
    ('checklist, self-test', [PYTHON, 'scripts/check-coverage.py', '--self-test']),
    ('second runs, self-test', [PYTHON, 'scripts/run-tests.py', '--self-test']),
    ('troubleshooting', [PYTHON, 'scripts/check-trouble.py']),
    ('format', ['scripts/check-format.sh']),
    ('paths', ['scripts/check-paths.sh']),
    ('warnings, gcc', [PYTHON, 'scripts/check-warnings.py', 'cc']),
    ('warnings, clang', [PYTHON, 'scripts/check-warnings.py', 'clang-14']),
]


def checks(g):
    scripts = sorted(str(p.relative_to(ROOT)) for p in (ROOT / 'scripts').glob('*.sh'))
    for name, args in [*CHECKS, *((f'{s} parses', ['bash', '-n', s]) for s in scripts)]:
        at = g.log.stat().st_size if g.log.exists() else 0
        status = g.command(args)
        if status == 0:
            g.passed += 1
        else:
            g.fail(f'{name}: {status_text(status)}')
            g.excerpt += g.log.read_bytes()[at:].decode(errors='replace').splitlines()[-25:]


# ---- all of it -----------------------------------------------------------------------------


def groups():
    # The sanitizers' own optimisation level, and frames that their traces can follow.
    options = ['-Doptimization=1', '-Dc_args=-fno-omit-frame-pointer', '-Dconsole=disabled']
    # These run no gateway.
    def without(*names):
        return [f'--ignore=tests/integration/{n}.py' for n in names]
    no_peer = without('test_peer', 'test_as2_peer')
    # These run a tool with one thread, hundreds of times.
    no_tool = without('test_cms_openssl', 'test_as2_openssl')
    # What these try lies in what one thread reads and answers, not in threads that meet: the slow
    # thread sanitizer has no more to find in them than in the rest, the address sanitizer has.
    one_thread = without('test_as2_attacks', 'test_as2_packaging', 'test_as2_sender',
                         'test_as2_tolerances', 'test_attacks', 'test_bad_input',
                         'test_certificates', 'test_command_line', 'test_exchange',
                         'test_files_in', 'test_openapi', 'test_package', 'test_trust_list',
                         'test_users')
    return [
        Group('build', build('build')),
        Group('build-asan', build('build-asan', '-Db_sanitize=address,undefined', *options),
              ['build']),
        Group('integration', python_tests(['tests/integration'], 'build/waybill'), ['build']),
        Group('unit', c_tests('build'), ['build']),
        Group('build-tsan', build('build-tsan', '-Db_sanitize=thread', *options,
                                  needs_thread_sanitizer=True), ['build']),
        Group('fault', python_tests(['tests/fault'], 'build/waybill'), ['build']),
        Group('console', python_tests(['tests/console'], 'build/waybill'), ['build']),
        Group('unit-asan', c_tests('build-asan', SANITIZE, slow=4), ['build-asan']),
        Group('integration-asan', python_tests(['tests/integration'], 'build-asan/waybill',
                                               SANITIZE, slow=3, extra=no_peer),
              ['build-asan']),
        Group('unit-tsan', c_tests(
            'build-tsan', SANITIZE, slow=6, thread=True,
            only=lambda p: any(p.startswith(f'tests/unit/{f}/') for f in THREADED)),
            ['build-tsan']),
        Group('integration-tsan', python_tests(
            ['tests/integration'], 'build-tsan/waybill', SANITIZE, slow=5,
            thread=True, extra=['-m', 'not no_tsan', *no_peer, *no_tool,
                                *one_thread]), ['build-tsan']),
        Group('checks', checks, ['build', 'unit']),
    ]


def play(todo, jobs, started):
    """Runs the groups, up to `jobs` at a time, in the order listed once what they need is done."""
    by_name = {g.name: g for g in todo}
    changed = threading.Condition()

    def one(g):
        begin = time.monotonic()
        g.deadline = min(begin + g.limit, started + TOTAL_LIMIT)
        try:
            g.run(g)
        except Exception as e:     # the runner's own fault must not hide the group
            g.fail(f'could not run: {type(e).__name__}: {e}')
            g.broken = True
        g.seconds = time.monotonic() - begin
        with changed:
            if g.state == 'running':
                g.state = 'done'
            show(g)
            changed.notify_all()

    threads = []
    with changed:
        while any(g.state == 'waiting' for g in todo):
            busy = sum(g.state == 'running' for g in todo)
            ready = None
            for g in todo:
                needs = [by_name[n] for n in g.after if n in by_name]
                if g.state != 'waiting' or any(n.state in ('waiting', 'running') for n in needs):
                    continue
                ready = g
                break
            if ready is None or busy >= jobs:
                changed.wait()
                continue
            broken = [n for n in ready.after if n in by_name and by_name[n].broken]
            if broken:
                ready.fail(f'not run: {broken[0]} failed')
                ready.broken, ready.state = True, 'done'
                show(ready)
                continue
            if time.monotonic() > started + TOTAL_LIMIT:
                ready.fail('not run: no time left')
                ready.broken, ready.state = True, 'done'
                show(ready)
                continue
            ready.state = 'running'
            thread = threading.Thread(target=one, args=(ready,))
            threads.append(thread)
            thread.start()
    for thread in threads:
        thread.join()


def failures(g):
    """A line for each thing that failed, with its words where they are known."""
    return [next((a.line for a in g.again if a.about(p)), p) for p in g.problems]


def show(g):
    if g.state == 'absent':
        return
    counts = f'{g.passed:6} passed {g.failed:4} failed'
    if g.skipped:
        counts += f' {g.skipped:4} skipped'
    if g.name.startswith('build'):
        counts = 'FAILED' if g.failed else 'built'
    print(f'{g.name:18} {g.seconds:6.0f} s {counts}', flush=True)
    for p in g.problems[:20]:
        print(f'    {p[:300]}')
    if len(g.problems) > 20:
        print(f'    ... and {len(g.problems) - 20} more')
    if g.failed and g.log.exists():
        lines = g.excerpt or g.log.read_text(errors='replace').splitlines()[-40:]
        print(f'    ---- from {g.log.relative_to(ROOT)} ----')
        for line in lines:
            print(f'    {line[:300]}')
    sys.stdout.flush()


def self_test():
    """What gets a second run and what does not, with tests that are wrong in each way."""
    global LOGS
    with tempfile.TemporaryDirectory() as d:
        LOGS = pathlib.Path(d)
        (LOGS / 'test_it.py').write_text(
            'import os, pathlib\n'
            'def first(name):\n'
            '    mark = pathlib.Path(__file__).with_name(name)\n'
            '    there = mark.exists()\n'
            '    mark.touch()\n'
            '    return not there\n'
            'def test_good(): pass\n'
            'def test_bad(): assert 1 == 2\n'
            'def test_late(): assert not first("late"), "it came too late"\n'
            'def test_race(): assert not first("race"), "WARNING: ThreadSanitizer: data race"\n'
            'def test_dead(): assert not first("dead"), "exit status -11 after SIGTERM"\n')
        g = Group('self', python_tests([d], 'build/waybill', extra=['--rootdir', d, '-c',
                                                                     os.devnull]))
        g.deadline = time.monotonic() + 60
        g.run(g)
        before = g.passed, g.failed
        for a in g.again:       # outside the tree the names are relative to the folder
            a.run = lambda g, name=a.name: subprocess.run(
                [PYTHON, '-m', 'pytest', '-q', '-p', 'no:cacheprovider', name], cwd=d,
                capture_output=True).returncode == 0
        second_runs([g])
        print(g.log.read_text() if before != (1, 4) else '', end='')
        assert before == (1, 4), before
        assert (g.passed, g.failed) == (2, 3), (g.passed, g.failed)
        assert [x.split('::')[1].split(':')[0] for x in g.unsteady] == ['test_late'], g.unsteady
        assert 'it came too late' in g.unsteady[0], g.unsteady
        left = failures(g)
        assert len(left) == 3 and 'assert 1 == 2' in left[0], left
        g.log.unlink()
        assert c_test_again(g, 'build', 'waybill:unit / base-base'), g.log.read_text()
        assert not c_test_again(g, 'build', 'waybill:unit / base that is none')
        many = Group('many', None)
        many.again = [Again(str(i), '', lambda g: True) for i in range(SECOND_RUNS + 1)]
        many.failed = len(many.again)
        second_runs([many])
        assert many.failed == SECOND_RUNS + 1 and not many.unsteady
    print('self-test: what is late gets through at the second run, and nothing else')
    return 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('-j', '--jobs', type=int,
                        default=int(os.environ.get('WAYBILL_TEST_JOBS', 2)))
    parser.add_argument('--list', action='store_true')
    parser.add_argument('--self-test', action='store_true')
    parser.add_argument('group', nargs='*')
    options = parser.parse_args()

    if options.self_test:
        return self_test()
    everything = groups()
    known = {g.name: g for g in everything}
    if options.list:
        print('\n'.join(known))
        return 0
    unknown = [n for n in options.group if n not in known]
    if unknown:
        parser.error(f'no group {unknown[0]}; there are {", ".join(known)}')
    todo = [known[n] for n in options.group] or everything

    started = STARTED
    LOGS.mkdir(parents=True, exist_ok=True)
    for g in todo:
        g.log.unlink(missing_ok=True)
    play(todo, max(1, options.jobs), started)
    second_runs(todo)

    passed = sum(g.passed for g in todo)
    failed = sum(g.failed for g in todo)
    skipped = sum(g.skipped for g in todo)
    if options.group and all(g.state == 'absent' for g in todo if g.name != 'build'):
        print(f'no tests yet in {", ".join(g.name for g in todo if g.name != "build")}')
        return 1 if failed else 0
    print(f'{time.monotonic() - started:.0f} s in all; logs in {LOGS.relative_to(ROOT)}')
    # Once more at the very end, where a reader of the last lines alone finds them.
    for g in todo:
        for word, lines in ('unsteady', g.unsteady), ('failed', failures(g)):
            for line in lines[:6]:
                print(f'{word}: {g.name}: {line[:300]}')
    print(f'{passed} passed, {failed} failed' + (f', {skipped} skipped' if skipped else ''))
    return 0 if passed and not failed else 1


if __name__ == '__main__':
    sys.exit(main())
