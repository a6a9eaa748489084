"""What a disk holds after a power cut, by the strictest reading of POSIX: the octets of a file are
there that were synced by its own fsync or fdatasync, and a name is there once its folder was
synced. Of everything else each write, each change of size and each name may be there, may be
missing, and writes may be there in part or as garbage, in any order.

    disk = Disk(folder)            as it is now: all durable
    for e in shim.journal(): disk.apply(e)
    disk.image(target, dice)       one of the states it may be found in"""

import os
import pathlib
import shutil

from faulty import (E_CLOSE, E_LINK, E_MKDIR, E_OPEN, E_RENAME, E_SEND, E_SIZE, E_SYNC, E_UNLINK,
                    E_WRITE)

SECTOR = 512


def put(octets, at, more):
    """Writes into a bytearray as into a file."""
    if len(octets) < at:
        octets.extend(bytes(at - len(octets)))
    octets[at:at + len(more)] = more


def size(octets, n):
    if n < len(octets):
        del octets[n:]
    else:
        octets.extend(bytes(n - len(octets)))


class File:
    def __init__(self, octets=b''):
        self.durable = bytearray(octets)
        self.pending = []       # (offset, octets), or (size, None)

    def sync(self):
        for at, more in self.pending:
            size(self.durable, at) if more is None else put(self.durable, at, more)
        self.pending.clear()

    def found(self, dice, how):
        """Its octets after the cut."""
        octets = bytearray(self.durable)
        for at, more in self.pending:
            fate = how if how != 'any' else dice.choice(('keep', 'drop', 'part', 'garble'))
            if fate == 'drop':
                continue
            if more is None:
                size(octets, at)
                continue
            if fate == 'part':      # up to the end of a sector
                end = (at // SECTOR + dice.randint(0, len(more) // SECTOR + 1)) * SECTOR
                more = more[:max(0, end - at)]
            elif fate == 'garble':
                more = dice.randbytes(len(more))
            if more:
                put(octets, at, more)
        return octets


class Folder:
    def __init__(self):
        self.live, self.durable = {}, {}
        self.pending = []       # [(name, what is there then or None), ...]: one change

    def change(self, *names):
        for name, what in names:
            if what is None:
                self.live.pop(name, None)
            else:
                self.live[name] = what
        self.pending.append(names)

    def sync(self):
        self.durable = dict(self.live)
        self.pending.clear()

    def found(self, dice, how):
        names = dict(self.durable)
        for change in self.pending:
            if (how if how != 'any' else dice.choice(('keep', 'drop'))) == 'drop':
                continue
            for name, what in change:
                if what is None:
                    names.pop(name, None)
                else:
                    names[name] = what
        return names


class Disk:
    def __init__(self, root):
        self.path = pathlib.Path(root)
        self.root = self._read(self.path)
        self.open = {}          # descriptor -> File or Folder
        self.syncs = 0

    def _read(self, path):
        folder = Folder()
        for p in path.iterdir():
            folder.live[p.name] = self._read(p) if p.is_dir() else File(p.read_bytes())
        folder.sync()
        return folder

    def _find(self, path):
        """(the folder a path is in, its name there)"""
        parts = pathlib.PurePath(path).relative_to(self.path).parts
        folder = self.root
        for part in parts[:-1]:
            folder = folder.live[part]
        return folder, parts[-1] if parts else None

    def apply(self, e):
        text = e.text
        if e.kind == E_OPEN:
            folder, name = self._find(text.decode())
            thing = folder if name is None else folder.live.get(name)
            if thing is None:
                assert e.a & os.O_CREAT, text
                thing = File()
                folder.change((name, thing))
            if e.a & os.O_TRUNC and isinstance(thing, File):
                thing.pending.append((0, None))
            self.open[e.fd] = thing
        elif e.kind == E_CLOSE:
            self.open.pop(e.fd, None)
        elif e.kind == E_WRITE:
            self.open[e.fd].pending.append((e.a, text))
        elif e.kind == E_SIZE:
            self.open[e.fd].pending.append((e.a, None))
        elif e.kind == E_SYNC:
            self.open[e.fd].sync()
            self.syncs += 1
        elif e.kind == E_MKDIR:
            folder, name = self._find(text.decode())
            folder.change((name, Folder()))
        elif e.kind == E_UNLINK:
            folder, name = self._find(text.decode())
            folder.change((name, None))
        elif e.kind in (E_RENAME, E_LINK):
            old, new = (self._find(x.decode()) for x in text.split(b'\0'))
            thing = old[0].live[old[1]]
            if e.kind == E_LINK:
                new[0].change((new[1], thing))
            elif old[0] is new[0]:
                new[0].change((old[1], None), (new[1], thing))
            else:
                new[0].change((new[1], thing))
                old[0].change((old[1], None))
        else:
            assert e.kind == E_SEND, e

    def image(self, target, dice, how='any'):
        """Writes one of the possible states. how: 'keep', 'drop' or 'any' for all that is
        pending. Shared memory of SQLite is nothing that lasts: it is garbage."""
        shutil.rmtree(target, ignore_errors=True)
        self._image(self.root, pathlib.Path(target), dice, how, {})

    def _image(self, folder, target, dice, how, made):
        target.mkdir(mode=0o700)
        for name, thing in folder.found(dice, how).items():
            path = target / name
            if isinstance(thing, Folder):
                self._image(thing, path, dice, how, made)
            elif thing in made:
                os.link(made[thing], path)
            else:
                made[thing] = path
                octets = thing.found(dice, how)
                if name.endswith('-shm'):
                    octets = dice.randbytes(dice.choice((0, 100, 32768)))
                path.write_bytes(octets)
                path.chmod(0o600)
