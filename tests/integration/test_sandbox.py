"""The sandbox of `waybill serve` (runtime.sandbox): a program that a step runs tries each way out that
breakout.c knows. The same program outside of the gateway, and in one with `sandbox: false`, shows that
the ways are open on this machine, so that the first test can fail."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import pytest

import waybill
from scene import Relation

SOURCE = pathlib.Path(__file__).with_name('breakout.c')
BINARY = pathlib.Path(waybill.binary()).read_bytes()
SANITIZED = b'__asan_init' in BINARY or b'__tsan_init' in BINARY
ACTIONS = pathlib.Path('/proc/sys/kernel/seccomp/actions_avail')
pytestmark = [
    pytest.mark.skipif(not shutil.which('cc'), reason='there is no compiler here'),
    pytest.mark.skipif(not ACTIONS.exists() or 'errno' not in ACTIONS.read_text(),
                       reason='this kernel has no seccomp filters')]

# What a sanitizer needs: its leak checker traces its own process, whose memory is not hidden then.
FOR_SANITIZERS = {'open_memory', 'open_memory_map', 'open_environment', 'open_descriptor',
                  'trace_gateway', 'trace_child', 'read_memory', 'write_memory', 'take_descriptor',
                  'compare', 'same_addresses'}
OTHER_ABI = {'mount_x32', 'mount_i386'}     # not every kernel has them
REFUSED = {'EPERM', 'EACCES'}


@pytest.fixture(scope='module')
def breakout(tmp_path_factory):
    program = tmp_path_factory.mktemp('breakout') / 'breakout'
    subprocess.run(['cc', '-std=gnu17', '-D_GNU_SOURCE', '-pthread', '-o', program, SOURCE], check=True)
    return program


@pytest.fixture
def folder(breakout):
    """Where everybody may run the copy of the program that is root's, if we are root."""
    with tempfile.TemporaryDirectory(prefix='wb-') as name:
        os.chmod(name, 0o755)
        copy = pathlib.Path(name, 'setuid')
        shutil.copy(breakout, copy)
        copy.chmod(0o4755)
        yield name


def read(path):
    tried = dict(line.split() for line in path.read_text().splitlines())
    assert len(tried) > 60
    return tried


def outside(breakout, g, folder, tmp_path):
    subprocess.run([breakout, tmp_path / 'outside', str(g.pid), folder], check=True)
    return read(tmp_path / 'outside')


def inside(breakout, g, folder, tmp_path):
    """By a step of a process."""
    r = Relation(g, steps=[{'exec': {'command': [str(breakout), str(tmp_path / 'inside'), str(g.pid),
                                                 folder], 'timeout': '60s'}}])
    r.deliver(b'content')
    r.wait_document('processed')
    return read(tmp_path / 'inside')


def ways_out(tried):
    """Those that led further than to a refusal."""
    return {name for name, said in tried.items() if not name.startswith('still_') and
            said not in REFUSED | {'ENOSYS', 'signal'}}


def test_no_program_of_a_step_breaks_out(breakout, folder, tmp_path):
    """System calls are refused whether the kernel has them or not; what all programs need works on."""
    with waybill.Gateway(tmp_path / 'g') as g:
        g.wait_log(r'info serve\.sandbox state=on calls_refused=[5-9]\d capabilities_dropped=\d+')
        without, within = outside(breakout, g, folder, tmp_path), inside(breakout, g, folder, tmp_path)
        if 'become_root' not in ways_out(without) or os.geteuid() != 0:
            within.pop('become_root')       # a disk on which nothing is set-user-ID
        for name in OTHER_ABI & set(within):
            if within[name] in ('ENOSYS', 'signal'):
                within.pop(name)
        assert within.pop('clone3_user') == 'ENOSYS'    # libc goes on with clone then
        still = {name: said for name, said in within.items() if name.startswith('still_')}
        assert len(still) >= 4 and still == {name: without[name] for name in still}
        got_out = {name: said for name, said in within.items()
                   if name not in still and said not in REFUSED}
        assert not [name for name in got_out if not SANITIZED or name not in FOR_SANITIZERS], got_out
        status = pathlib.Path(f'/proc/{g.pid}/status').read_text()
        assert re.search(r'^NoNewPrivs:\s+1$', status, re.M) and re.search(r'^Seccomp:\s+2$', status, re.M)
        assert not int(re.search(r'^CapEff:\s+(\w+)$', status, re.M).group(1), 16) & 1 << 21    # SYS_ADMIN


def test_without_the_sandbox_the_same_program_gets_out(breakout, folder, tmp_path):
    """The control: what works outside of the gateway works in it, too."""
    with waybill.Gateway(tmp_path / 'g', settings={'runtime': {'sandbox': False}}) as g:
        g.wait_log(r'info serve\.sandbox state=off')
        open_ways = ways_out(outside(breakout, g, folder, tmp_path))
        if len(open_ways) < 10:
            pytest.skip(f'this machine refuses nearly all by itself: {sorted(open_ways)}')
        assert not open_ways - ways_out(inside(breakout, g, folder, tmp_path))


def test_where_the_kernel_refuses_the_filter_it_runs_with_a_warning(breakout, tmp_path, monkeypatch):
    script = tmp_path / 'waybill'
    script.write_text(f'#!/bin/sh\nexec {breakout} without-seccomp {waybill.binary()} "$@"\n')
    script.chmod(0o755)
    with monkeypatch.context() as m:
        m.setattr(waybill, 'binary', lambda: str(script))
        g = waybill.Gateway(tmp_path / 'g').start()
    with g:
        g.wait_log(r'warn serve\.sandbox state=partly calls_refused=0 .*error="?seccomp: .*'
                   r'look_at=runtime\.sandbox')
        r = Relation(g)
        r.deliver(b'content')
        r.wait_document('processed')
