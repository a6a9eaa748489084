"""What all Python tests share: the modules of tests/lib and fixtures for gateways and
certificates."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / 'lib'))

import waybill  # noqa: E402


@pytest.fixture(scope='session')
def authority(tmp_path_factory):
    """A certification authority, made once a run."""
    return waybill.Authority(tmp_path_factory.mktemp('ca'))


@pytest.fixture
def gateway(tmp_path):
    """A function that starts a Gateway in the test's directory; all are stopped at the end, and
    an exit status other than 0 or a sanitizer's finding fails the test. When the test failed
    their logs are shown by pytest as captured output."""
    started = []

    def start(name='plant-7', run=True, **options):
        g = waybill.Gateway(tmp_path / name, name, **options)
        started.append(g)
        return g.start() if run else g

    yield start
    problems = []
    for g in started:
        if g.log_file.exists():
            print(f'---- log of {g.name} ----')
            print(g.log()[-20000:])
        try:
            g.__exit__(None)
        except AssertionError as e:
            problems.append(str(e))
    assert not problems, '\n'.join(problems)
