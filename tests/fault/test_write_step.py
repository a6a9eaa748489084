"""The step `write`, interrupted between naming a file and knowing that it is there for good: the next
run recognises its own file, writes over nothing that has been delivered, and leaves nothing else."""

import os
import subprocess

import pytest

import oftp
import scene
import waybill
from scene import Relation, post

# While the file $WRITE_FAULT is there it says what fails: `unlink1` the first removal of a hidden
# file, `unlink` all, `sync` the sync of a directory named inbox-*. With `hold` the first sync of a hidden
# file waits, and says so in $WRITE_FAULT.held.
FAILING = r'''
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int is_on(const char *what)
{
    char text[32] = "";
    const char *path = getenv("WRITE_FAULT");
    int old = errno;
    FILE *f = path == NULL ? NULL : fopen(path, "r");

    if (f != NULL) {
        if (fgets(text, sizeof(text), f) == NULL)
            text[0] = 0;
        fclose(f);
    }
    errno = old;
    return strcmp(text, what) == 0;
}

int unlinkat(int dir, const char *name, int flags)
{
    static int times;

    if (name[0] == '.' && strstr(name, ".tmp") != NULL &&
        (is_on("unlink") || (is_on("unlink1") && times++ == 0))) {
        errno = EIO;
        return -1;
    }
    return ((int (*)(int, const char *, int))dlsym(RTLD_NEXT, "unlinkat"))(dir, name, flags);
}

int fsync(int fd)
{
    char link[4096], path[4096];
    ssize_t n;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof(path) - 1);
    path[n < 0 ? 0 : n] = 0;
    if (strstr(path, ".tmp") != NULL && is_on("hold")) {
        static int held;

        if (held++ == 0) {
            snprintf(link, sizeof(link), "%s.held", getenv("WRITE_FAULT"));
            close(creat(link, 0600));
            while (is_on("hold"))
                usleep(20000);
        }
    }
    if (strstr(path, "/inbox-") != NULL && strchr(strstr(path, "/inbox-") + 1, '/') == NULL &&
        is_on("sync")) {
        errno = EIO;
        return -1;
    }
    return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd);
}
'''


@pytest.fixture
def plant(tmp_path):
    if 'asan' in str(waybill.binary()) or 'tsan' in str(waybill.binary()):
        pytest.skip('a sanitizer must be the first library')
    (tmp_path / 'failing.c').write_text(FAILING)
    library = tmp_path / 'failing.so'
    subprocess.run(['cc', '-shared', '-fPIC', '-o', library, tmp_path / 'failing.c', '-ldl'],
                   check=True)
    flag = tmp_path / 'flag'
    with waybill.Gateway(tmp_path / 'plant', env={'LD_PRELOAD': str(library),
                                                  'WRITE_FAULT': str(flag)}) as g:
        g.flag = flag
        yield g


def named(r):
    """One name for all, as what recognises a file must not be its number."""
    return [{'write': {'directory': str(r.inbox), 'name': '{{document.name}}'}}]


@pytest.mark.parametrize('what', ['sync', 'unlink'])
def test_a_file_that_has_its_name_though_the_step_failed_is_recognised(plant, what):
    r = Relation(plant)
    scene.apply(plant, r.process_component(steps=named(r)))
    plant.flag.write_text(what)
    r.deliver(oftp.File(b'octets', dsn='ONCE'))
    d = r.wait_document('failed')
    assert 'step 1 (write)' in d['reason']
    file = r.inbox / 'ONCE'
    inode = file.stat().st_ino
    os.unlink(plant.flag)
    post(plant, f'/api/v1/documents/{d["id"]}/retry')
    d = r.wait_document('processed')
    assert os.listdir(r.inbox) == ['ONCE'] and file.stat().st_ino == inode
    assert file.read_bytes() == b'octets' and d['redelivered']


def test_a_numbered_file_that_has_its_name_though_the_step_failed_is_recognised(plant):
    r = Relation(plant)
    step = named(r)
    step[0]['write']['existing'] = 'number'
    scene.apply(plant, r.process_component(steps=step))
    for name in 'ONCE', 'ONCE.1':
        (r.inbox / name).write_bytes(b'somebody else\'s')
    plant.flag.write_text('sync')
    r.deliver(oftp.File(b'octets', dsn='ONCE'))
    d = r.wait_document('failed')
    assert 'cannot sync' in d['reason'] and 'unique' not in d['reason']
    os.unlink(plant.flag)
    post(plant, f'/api/v1/documents/{d["id"]}/retry')
    d = r.wait_document('processed')
    assert sorted(os.listdir(r.inbox)) == ['ONCE', 'ONCE.1', 'ONCE.2'] and d['redelivered']
    assert (r.inbox / 'ONCE.2').read_bytes() == b'octets'


def test_a_removal_that_fails_once_is_made_again(plant):
    r = Relation(plant)
    scene.apply(plant, r.process_component(steps=named(r)))
    plant.flag.write_text('unlink1')
    r.deliver(oftp.File(b'octets', dsn='ONCE'))
    r.wait_document('processed')
    assert os.listdir(r.inbox) == ['ONCE']


def test_what_was_delivered_is_not_written_over_by_the_next_run(plant):
    """The hidden name that a crash left is another name of the delivered file."""
    r = Relation(plant)
    scene.apply(plant, r.process_component(steps=named(r)))
    plant.flag.write_text('unlink')
    r.deliver(oftp.File(b'octets', dsn='ONCE'))
    d = r.wait_document('failed')
    hidden, = (p for p in r.inbox.iterdir() if p.name.startswith('.'))
    assert hidden.samefile(r.inbox / 'ONCE')
    with open(r.inbox / 'ONCE', 'rb') as taken:         # the process that takes it has it open
        os.unlink(r.inbox / 'ONCE')
        os.unlink(plant.flag)
        post(plant, f'/api/v1/documents/{d["id"]}/retry')
        r.wait_document('processed')
        assert taken.read() == b'octets' and os.fstat(taken.fileno()).st_nlink == 0
    assert os.listdir(r.inbox) == ['ONCE']


def test_a_receipt_is_archived_beside_its_document_that_is_being_archived(plant, tmp_path):
    """An operator acknowledges while the document is on its way into the archive."""
    archive = tmp_path / 'archive'
    r = Relation(plant, operation={'acknowledge': 'manual', 'archiving': {
        'enabled': True, 'directory': str(archive), 'raw': True}})
    plant.flag.write_text('hold')
    r.deliver(oftp.File(b'octets', dsn='KEPT'))
    waybill.wait_until(plant.flag.with_name('flag.held').exists, 20)
    d, = r.documents()
    post(plant, f'/api/v1/documents/{d["id"]}/acknowledge')
    os.unlink(plant.flag)
    r.wait_document('processed')
    kept = {p.suffix: p.read_bytes() for p in archive.iterdir()}
    assert kept['.dat'] == kept['.raw'] == b'octets' and kept['.eerp'][:1] == b'E'
    assert set(kept) == {'.dat', '.raw', '.eerp'}
