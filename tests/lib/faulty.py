"""The test's half of tests/fault/shim: a library before libc that fails system calls of a gateway,
writes what changes its files into a journal, and sets its wall clock.

    shim = faulty.Shim(directory, roots=[g.data, inbox])
    g.env.update(shim.env)
    shim.fail(at=17, error=errno.EIO)"""

import collections
import errno
import mmap
import os
import pathlib
import struct

import pytest
import waybill

OPEN, READ, WRITE, SYNC, SIZE, NAME, CLOSE, HINT, MAP = (1 << n for n in range(9))
ALL = OPEN | READ | WRITE | SYNC | SIZE | NAME | CLOSE | HINT | MAP
SHORT = -1
# What each fault may meet. EINTR: calls that a caller has to repeat; a sync cut off is a failure.
CLASSES = {errno.ENOSPC: OPEN | WRITE | SYNC | SIZE | NAME | HINT | MAP, errno.EIO: ALL,
           errno.EINTR: OPEN | READ | WRITE | SIZE | CLOSE, SHORT: READ | WRITE}
NAMES = {errno.ENOSPC: 'ENOSPC', errno.EIO: 'EIO', errno.EINTR: 'EINTR', SHORT: 'short'}
FIELDS = {name: (8 * n, 'q' if name in ('error', 'clock_ns') else 'Q') for n, name in enumerate(
    ('calls', 'fail_at', 'fail_for', 'mask', 'error', 'failed', 'clock_ns', 'entries'))}
LAST = 8 * len(FIELDS)
Entry = collections.namedtuple('Entry', 'kind fd a text')
(E_OPEN, E_CLOSE, E_WRITE, E_SIZE, E_SYNC, E_RENAME, E_LINK, E_UNLINK, E_MKDIR,
 E_SEND) = range(1, 11)


def library():
    """The path of the shim, made with the program. Skips where it cannot be used."""
    built = pathlib.Path(waybill.binary()).resolve().parent
    path = built / 'tests' / 'fault' / 'shim' / 'libfaultshim.so'
    if not path.exists():
        pytest.skip('a sanitizer must be the first library')
    return path


class Shim:
    """roots: folders whose files are watched. journal: write one (journal.bin)."""

    def __init__(self, directory, roots, journal=False):
        directory = pathlib.Path(directory)
        directory.mkdir(parents=True, exist_ok=True)
        self.file, self.journal_file = directory / 'control', directory / 'journal.bin'
        self.file.write_bytes(bytes(4096))
        with open(self.file, 'r+b') as f:
            self.map = mmap.mmap(f.fileno(), 4096)
        self.env = {'LD_PRELOAD': str(library()), 'FAULT_CONTROL': str(self.file),
                    'FAULT_ROOTS': ':'.join(map(str, roots))}
        if journal:
            self.env['FAULT_JOURNAL'] = str(self.journal_file)

    def __getattr__(self, name):
        if name not in FIELDS:
            raise AttributeError(name)
        at, kind = FIELDS[name]
        return struct.unpack_from(kind, self.map, at)[0]

    def put(self, **values):
        for name, value in values.items():
            at, kind = FIELDS[name]
            struct.pack_into(kind, self.map, at, value)

    def fail(self, at, error, count=1, mask=None):
        """From the start of the count on: the call number `at`, and the next, to `count` of
        them, fail. at 0: none, they are only counted."""
        self.map[LAST:LAST + 256] = bytes(256)
        self.put(calls=0, failed=0, fail_at=at, fail_for=count, error=error,
                 mask=CLASSES[error] if mask is None else mask)

    @property
    def last(self):
        """The first call that failed and its path."""
        return bytes(self.map[LAST:LAST + 256]).split(b'\0')[0].decode()

    def shift(self, seconds):
        """The wall clock of the program runs so far ahead from now on."""
        self.put(clock_ns=int(seconds * 1e9))

    def journal(self):
        """All entries."""
        octets, at, found = self.journal_file.read_bytes(), 0, []
        while at < len(octets):
            kind, fd, a, n = struct.unpack_from('=IiQQ', octets, at)
            at += 24
            found.append(Entry(kind, fd, a, octets[at:at + n]))
            at += n
        return found

    def environment(self):
        return {**os.environ, **self.env}
