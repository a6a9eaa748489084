"""The console in headless Chromium: the tests are in *.test.mjs, driven by Playwright (t.mjs, run.mjs)
against two real gateways with documents (tests/lib/sample.py). Each test there is one here."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request

import pytest

import sample
import waybill
from patience import patient, slow

HERE = pathlib.Path(__file__).resolve().parent
FILES = sorted(HERE.glob('*.test.mjs'))
NAMES = [(f, name) for f in FILES
         for name in re.findall(r"^test\('((?:[^'\\]|\\.)+)'", f.read_text(), re.MULTILINE)]


@pytest.fixture(scope='session')
def modules(tmp_path_factory):
    """Where what package-lock.json names is installed: beside the program, made once."""
    for tool in 'chromium', 'node', 'npm':
        if shutil.which(tool) is None:
            pytest.skip(f'{tool} is not installed: scripts/install-deps.sh console browser')
    beside = pathlib.Path(waybill.binary()).resolve().parent
    where = beside / 'console-tests' if os.access(beside, os.W_OK) else tmp_path_factory.mktemp('npm')
    where.mkdir(exist_ok=True)
    lock = (HERE / 'package-lock.json').read_bytes()
    stamp = where / 'installed'
    if not stamp.exists() or stamp.read_bytes() != lock:
        for name in 'package.json', 'package-lock.json', '.npmrc':
            shutil.copy(HERE / name, where / name)
        done = subprocess.run(['npm', 'ci', '--no-progress'], cwd=where, capture_output=True, text=True,
                              timeout=patient(200))
        assert done.returncode == 0, f'npm ci: {done.stdout}{done.stderr}'
        stamp.write_bytes(lock)
    return where / 'node_modules'


@pytest.fixture(scope='session')
def scene(modules):
    with tempfile.TemporaryDirectory(prefix='wb-console-') as d, sample.Sample(d) as s:
        try:
            urllib.request.urlopen(s.url, timeout=patient(20)).close()
        except urllib.error.HTTPError:
            pytest.skip('this waybill was built without the console')
        for name, role in ('zoe', 'admin'), ('ole', 'operator'), ('vic', 'viewer'):
            s.user(name, role)
        s.fill()
        yield s


@pytest.fixture(scope='session')
def results(scene, modules):
    """Runs a file of tests when it is first asked for; {name: (error, seconds)}."""
    done = {}

    def of(file):
        if file not in done:
            env = {**os.environ, 'WAYBILL_TEST_MODULES': str(modules), 'WAYBILL_CONSOLE': scene.url,
                   'WAYBILL_CONSOLE_EMPTY': 'http://%s:%d/console/' % scene.acme.admin,
                   'WAYBILL_PASSWORD': sample.PASSWORD, 'WAYBILL_TOKEN': scene.plant.token,
                   'WAYBILL_TEST_SLOW': str(slow()), 'WAYBILL_CHROMIUM': shutil.which('chromium'),
                   'WAYBILL_INBOX': str(pathlib.Path(scene.plant.directory) / 'in'),
                   'WAYBILL_KEYS': str(scene.top / 'ca')}
            run = subprocess.run(['node', 'run.mjs', file], cwd=HERE, env=env, capture_output=True, text=True,
                                 timeout=patient(240))
            lines = [json.loads(x) for x in run.stdout.splitlines() if x.startswith('{')]
            done[file] = {x['name']: (x['error'], x['seconds']) for x in lines}
            done[file][None] = run.stdout[-3000:] + run.stderr[-6000:]
        return done[file]
    return of


@pytest.mark.parametrize('file,name', NAMES, ids=[f'{f.name.split(".")[0]}: {n}' for f, n in NAMES])
def test_console(results, file, name):
    got = results(file)
    assert name in got, f'it did not run\n{got[None]}'
    error, seconds = got[name]
    print(f'{seconds:.1f} s')
    assert error is None, error
