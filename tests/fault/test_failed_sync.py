"""A disk that fails to sync. What the system could not write it may have dropped, and a later sync
that works proves nothing: nothing more is acknowledged until the program is started anew."""

import os
import subprocess

import pytest

import as2_scene
import oftp
import waybill
from scene import Relation

FAILING = r'''
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static int fails(void)
{
    const char *flag = getenv("SYNC_FAILS");
    int old = errno, there = flag != NULL && access(flag, F_OK) == 0;

    errno = there ? EIO : old;
    return there;
}

int fdatasync(int fd)
{
    return fails() ? -1 : ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(fd);
}

int fsync(int fd)
{
    return fails() ? -1 : ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd);
}
'''


@pytest.fixture
def plant(tmp_path):
    """The gateway with a library before libc whose syncs fail while a file is there."""
    if 'asan' in str(waybill.binary()) or 'tsan' in str(waybill.binary()):
        pytest.skip('a sanitizer must be the first library')
    (tmp_path / 'failing.c').write_text(FAILING)
    library = tmp_path / 'failing.so'
    subprocess.run(['cc', '-shared', '-fPIC', '-o', library, tmp_path / 'failing.c', '-ldl'],
                   check=True)
    flag = tmp_path / 'flag'
    with waybill.Gateway(tmp_path / 'plant', settings={'as2_server': as2_scene.SERVER},
                         env={'LD_PRELOAD': str(library), 'SYNC_FAILS': str(flag)}) as g:
        g.flag = flag
        yield g


def test_after_a_failed_sync_all_is_for_later_until_the_restart(plant):
    r = Relation(plant)
    r.deliver(oftp.File(b'before', dsn='BEFORE'))
    r.delivered(1)
    plant.flag.touch()
    with r.call() as me:
        outcome = me.send_file(oftp.File(b'lost', dsn='LOST'))
        assert not outcome.taken, outcome
    plant.wait_log('failed to sync.*until Waybill is restarted')
    os.unlink(plant.flag)                               # syncs work again, and prove nothing
    with r.call() as me:
        answer = me.offer_file(oftp.File(b'later', dsn='LATER'))
        assert (answer.name, answer.reas, answer.rrtr) == ('SFNA', 12, 'Y'), answer
    assert plant.request('GET', '/readyz')[0] == 503
    plant.restart()
    assert plant.request('GET', '/readyz')[0] == 200
    r.deliver(oftp.File(b'later', dsn='LATER'))
    waybill.wait_until(lambda: any(p.read_bytes() == b'later' for p in r.inbox.iterdir()), 20)


def refused_for_now(answer):
    return answer.status == 503 and answer.get('Retry-After') \
        and b'disposition' not in answer.body.lower()


def test_no_mdn_goes_out_for_a_message_whose_sync_failed(plant):
    """AS2-C91: it is small, so that only the database is synced"""
    r = as2_scene.Relation(plant)
    r.exchange(r.message(b'before', 'S'))
    m = r.message(b'lost', 'S')
    plant.flag.touch()
    assert refused_for_now(m.post(r.url))
    plant.wait_log('failed to sync.*until Waybill is restarted')
    os.unlink(plant.flag)
    assert refused_for_now(m.post(r.url))
    plant.restart()
    r.exchange(m)
    waybill.wait_until(lambda: len(list(r.inbox.iterdir())) == 2, 20, 'the message, once')


def test_a_payload_that_could_not_be_synced_is_written_anew(plant):
    """It has a file of its own: what the failed sync was of is thrown away."""
    r = as2_scene.Relation(plant)
    content = os.urandom(1 << 20)
    m = r.message(content, 'S')
    plant.flag.touch()
    assert refused_for_now(m.post(r.url))
    os.unlink(plant.flag)
    assert r.documents() == []
    r.exchange(m)
    assert r.content() == content
