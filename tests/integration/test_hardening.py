"""What the program and its files are like before anybody attacks: how it was built and linked, who may
read what it keeps, and that its memory goes into no core dump. Running it shut in is in test_package
(the unit)."""

import os
import pathlib
import re
import signal
import stat
import subprocess

import pytest

import scene
import waybill
from oftp import File

BINARY = str(waybill.binary())
SANITIZED = b'__asan_init' in pathlib.Path(BINARY).read_bytes() or \
    b'__tsan_init' in pathlib.Path(BINARY).read_bytes()


def readelf(*flags):
    return subprocess.run(['readelf', '-W', *flags, BINARY], capture_output=True, text=True,
                          check=True).stdout


@pytest.mark.skipif(SANITIZED, reason='a sanitizer links it otherwise')
def test_the_program_is_built_as_checksec_wants_it():
    heads = readelf('-h', '-l', '-d')
    assert re.search(r'Type:\s+DYN', heads), 'no position independent executable'
    assert 'GNU_RELRO' in heads and re.search(r'FLAGS_1\).*NOW', heads), 'no full RELRO'
    assert re.search(r'GNU_STACK.* RW ', heads), 'the stack can be executed'
    assert not re.search(r'^\s+LOAD\s.* (?:RWE|WE) ', heads, re.M), 'memory to write and execute'
    assert 'RPATH' not in heads and 'RUNPATH' not in heads
    symbols = readelf('--dyn-syms')
    assert '__stack_chk_fail' in symbols, 'no stack protector'
    assert len(re.findall(r'__\w+_chk@', symbols)) > 3, 'not fortified'
    for unsafe in 'gets', 'strcpy', 'strcat', 'sprintf', 'vsprintf', 'system', 'popen', 'tmpnam':
        assert not re.search(rf'\b{unsafe}@', symbols), f'it calls {unsafe}'


def test_nobody_else_can_read_what_it_keeps(tmp_path):
    """Folders 0700, files 0600 or less, below the data directory, whatever the umask was."""
    was = os.umask(0)
    try:
        with waybill.Gateway(tmp_path / 'g') as g:
            r = scene.Relation(g)
            with r.call() as me:
                assert me.send_file(File(os.urandom(100_000), dsn='BIG')).taken
                assert me.run() == 0
            r.wait_document('processed')
            scene.sessions_gone(g)
            waybill.wait_until(lambda: not g.get('/api/v1/jobs')['jobs'], 20, 'all to be done')
            open_to_others = [
                f'{p}: {stat.filemode(p.stat().st_mode)}' for p in [g.data, *g.data.rglob('*')]
                if not p.is_symlink() and p.stat().st_mode & 0o077]
            assert not open_to_others
            assert pathlib.Path(g.socket).stat().st_mode & 0o007 == 0
    finally:
        os.umask(was)


@pytest.mark.skipif(SANITIZED, reason='the leak checker needs what is hidden')
def test_its_memory_goes_into_no_core_dump(tmp_path):
    with waybill.Gateway(tmp_path / 'g') as g:
        limits = pathlib.Path(f'/proc/{g.process.pid}/limits').read_text()
        assert re.search(r'Max core file size\s+0\s+0\s', limits), limits
        if os.getuid() != 0:
            with pytest.raises(PermissionError):
                pathlib.Path(f'/proc/{g.process.pid}/mem').open('rb')
        g.killed = True
        g.process.send_signal(signal.SIGABRT)
        _, status = os.waitpid(g.process.pid, 0)
        assert os.WIFSIGNALED(status) and not os.WCOREDUMP(status)
        g.process.returncode = -signal.SIGABRT
