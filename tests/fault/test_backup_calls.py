"""A signal comes in the middle of each call that a backup, a restore and `waybill check --store` make on
their files: nothing changes.

WAYBILL_FAULTS   `all`: not only all opens, but many reads and writes"""

import errno
import os
import shutil

import faulty
import pytest
import scene
import waybill
from oftp import File

ALL = os.environ.get('WAYBILL_FAULTS') == 'all'


@pytest.fixture
def calls(tmp_path):
    """A shim that watches all that is below tmp_path, the data directory too; and how often it did."""
    faulty.library()
    return faulty.Shim(tmp_path / 'shim', [tmp_path])


def each_interrupted(shim, work):
    """Runs `work`, a function of a number, without a fault and then with each call interrupted; what
    it returned the first time must not change."""
    shim.fail(0, errno.EINTR, mask=faulty.OPEN | faulty.READ | faulty.WRITE)
    right = work(0)
    # Each open; reads and writes are many and alike: some, spread over all
    for mask, most in ((faulty.OPEN, 60), (faulty.READ | faulty.WRITE, 60 if ALL else 2)):
        shim.fail(0, errno.EINTR, mask=mask)
        work(1)
        assert shim.calls > 1, 'no call was seen'
        print(f'{shim.calls} calls')
        for at in range(1, shim.calls + 1, -(-shim.calls // most)):
            shim.fail(at, errno.EINTR, mask=mask)
            found = work(at)
            assert found == right, (found, shim.last)


def told(r):
    return r.returncode, r.stdout, r.stderr


def test_a_backup_a_check_and_a_restore_that_are_interrupted_change_nothing(
        gateway, calls, tmp_path):
    g = gateway('plant-7', env=calls.env)
    r = scene.Relation(g)
    r.deliver(*(File(bytes([n]) * 100_000, dsn=f'F{n}') for n in range(3)))
    r.delivered(3)

    def backup(n):
        shutil.rmtree(tmp_path / 'backup', ignore_errors=True)
        answer = g.cli('backup', tmp_path / 'backup')
        return answer['documents'], answer['files']
    each_interrupted(calls, backup)
    assert backup(0) == (3, 3)
    g.stop()
    config = waybill.merge(g.config, {'runtime': {'data_directory': str(tmp_path / 'new')}})
    (tmp_path / 'new.yaml').write_text(waybill.to_yaml(config))

    def restore(n):
        shutil.rmtree(tmp_path / 'new', ignore_errors=True)
        return told(waybill.run('restore', tmp_path / 'backup', '--config', tmp_path / 'new.yaml',
                                check=None, env=calls.env))
    each_interrupted(calls, restore)
    each_interrupted(calls, lambda n: told(waybill.run(
        'check', '--store', '--config', g.config_file, check=None, env=calls.env)))
