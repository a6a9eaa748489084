"""The disk with the data directory is full: before, in and after a transfer. The partner is told,
the log says it in a line, others are served on, and nothing acknowledged is lost.

The disk is a small tmpfs, which takes root (or sudo without a password)."""

import os
import pathlib
import shutil
import subprocess

import as2_scene
import oftp
import pytest
import scene
import waybill

SIZE = 48 << 20
BIG = {'sdeb': 99999, 'cred': 999}


class Disk:
    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.filler = self.path / 'filler'

    def free(self):
        return shutil.disk_usage(self.path).free

    def fill(self, leave=0):
        """Takes all but so many octets."""
        with open(self.filler, 'ab', buffering=0) as f:
            while self.free() > leave:
                try:
                    f.write(bytes(min(1 << 20, self.free() - leave)))
                except OSError:
                    return

    def clear(self):
        self.filler.unlink()


@pytest.fixture
def disk(tmp_path):
    """A small file system where the gateway's data directory will be."""
    path = tmp_path / 'plant-7' / 'data'
    path.mkdir(parents=True)
    command = ['mount', '-t', 'tmpfs', '-o', f'size={SIZE}', 'waybill-test', str(path)]
    for prefix in [], ['sudo', '-n']:
        try:
            if subprocess.run([*prefix, *command], capture_output=True).returncode == 0:
                break
        except FileNotFoundError:
            pass
    else:
        pytest.skip('mounting a small tmpfs takes root or sudo without a password')
    if prefix:
        subprocess.run([*prefix, 'chown', f'{os.getuid()}', str(path)], check=True)
    yield Disk(path)
    subprocess.run([*prefix, 'umount', '-l', str(path)], check=True)


@pytest.fixture
def plant(disk, gateway):
    return gateway('plant-7')


def test_a_file_announced_larger_than_the_disk_is_put_off(disk, plant):
    r = scene.Relation(plant)
    with r.call() as me:
        answer = me.offer_file(oftp.File(b'x', fsiz=(SIZE >> 10) * 2))
        assert (answer.name, answer.reas, answer.rrtr) == ('SFNA', 6, 'Y')
        assert me.send_file(b'small').taken        # the session goes on
        me.run()
    assert len(r.log('oftp2.file.refused.*look_at=.*data_directory')) == 1


def test_full_in_the_middle_of_a_transfer(disk, plant):
    """The file says it is small and is not: ESID 08, one line, others are served on, and the
    file comes through once there is space."""
    one, other = scene.Relation(plant), scene.Relation(plant)
    disk.fill(leave=16 << 20)
    file = oftp.File(os.urandom(30 << 20), dsn='LONG', fsiz=1, osiz=1)
    with one.call(**BIG) as me:
        with pytest.raises((oftp.Ended, oftp.Closed)) as ended:
            me.send_file(file)
    assert not isinstance(ended.value, oftp.Ended) or ended.value.reason == 8
    lines = one.log('oftp2.file.cut')
    assert len(lines) == 1 and 'esid=8' in lines[0] and 'disk full' in lines[0], lines
    scene.sessions_gone(plant)
    # Others are served on: what was beyond the restart point has been given back.
    other.deliver(oftp.File(os.urandom(5000), dsn='OTHER'))
    assert len(other.delivered(1)) == 1
    disk.clear()
    with one.call(**BIG) as me:
        outcome = me.send_file(file, rest=8000)
        assert outcome.taken
        assert me.run() == 0
    assert one.delivered(1)[0].read_bytes() == file.data


def test_full_to_the_last_octet_nothing_acknowledged_is_lost(disk, plant):
    r = scene.Relation(plant, operation={'acknowledge': 'processed'})
    other = scene.Relation(plant)
    before = [oftp.File(os.urandom(60000), dsn=f'BEFORE{n}') for n in range(3)]
    r.deliver(*before)
    disk.fill()
    taken, refused = list(before), 0
    for n in range(6):
        size = (500, 60000, 3 << 20)[n % 3]
        file = oftp.File(os.urandom(size), dsn=f'FULL{n}')
        try:
            with (r, other)[n % 2].call(**BIG) as me:
                outcome = me.send_file(file)
                refused += not outcome.taken
                if outcome.taken:
                    taken.append(file)
                else:
                    no = outcome.answer if outcome.answer.name == 'SFNA' else outcome.end
                    assert no.reas in (6, 12), no
                me.run()
        except oftp.Ended as e:
            assert e.reason == 8, e
            refused += 1
    assert refused >= 4, 'the disk was not full'
    status, answer = plant.request('POST', f'/api/v1/documents?partner={r.name}&name=X', b'x' * 99999)
    assert status >= 500 and b'error' in answer, (status, answer)
    assert plant.running() and plant.get('/healthz')['status'] == 'ok'
    lines = plant.log_lines(' (warn|error) ')
    print(f'{refused} refused, {len(lines)} warnings and errors')
    assert len(lines) <= 4 * refused + 10, 'more lines than anybody reads'
    disk.clear()
    again = oftp.File(os.urandom(60000), dsn='AFTER')
    r.deliver(again)
    taken.append(again)
    mine = {f.data for f in taken if f.orig == r.code}
    waybill.wait_until(lambda: len(list(r.inbox.iterdir())) >= len(mine), 30, 'all to be processed')
    assert sorted(p.read_bytes() for p in r.inbox.iterdir()) == sorted(mine)
    plant.restart()
    for f in mine:
        assert r.wait_document('processed', count=len(mine))


@pytest.fixture
def one_worker(disk, gateway, tmp_path):
    """A gateway whose only worker is busy until `one_worker.go()`."""
    plant = gateway('plant-7', settings={'runtime': {'workers': 1},
                                         'as2_server': as2_scene.SERVER})
    gate = scene.Gate(tmp_path)
    busy = scene.Relation(plant, steps=[gate.step])
    busy.deliver(oftp.File(b'keeps the only worker', dsn='BUSY'))
    busy.wait_document('processing')
    plant.go = gate.open
    return plant


def test_what_cannot_be_sealed_nor_be_put_off_on_a_full_disk_waits(disk, one_worker):
    """It is tried again every ten seconds, not without end, and goes out once there is space."""
    plant = one_worker
    r = scene.Relation(plant, send={'compressed': True})
    number = r.send(b'waits to be sealed')
    assert scene.document(plant, number)['state'] == 'queued'
    disk.fill()
    plant.go()
    waybill.wait_until(lambda: plant.log_lines('job.later'), 20)
    scene.settled(lambda: len(plant.log_lines('job.later')) > 2, 2)
    disk.clear()
    scene.wait_document(plant, number, 'sealed', timeout=40)


def test_what_cannot_be_sealed_for_want_of_space_is_sealed_once_there_is_some(disk, one_worker):
    """Both protocols: no `waybill retry` is needed, the timeline tells why it waits, nothing of
    the attempt stays on the disk. Takes the ten seconds to the next attempt."""
    plant = one_worker
    there = as2_scene.Relation(plant, listen=False, url='http://127.0.0.1:9/')
    numbers = [scene.Relation(plant, send={'compressed': True}).send(os.urandom(8 << 20)),
               scene.post(plant, scene.query('/api/v1/documents', partner=there.name), 201,
                          os.urandom(8 << 20))['id']]
    disk.fill(leave=3 << 20)
    plant.go()
    for number in numbers:
        d = waybill.wait_until(lambda n=number: next(
            (d for d in [scene.document(plant, n)] if 'sealing later' in scene.events(d)), None),
            20, 'the timeline to tell of it')
        assert d['state'] == 'queued' and 'disk full' in d['jobs'][0]['last_error'], d
        told = next(e['text'] for e in d['events'] if e['kind'] == 'sealing later')
        assert told.startswith('attempt 1 of 12: disk full: could not write'), told
    assert disk.free() > 1 << 20
    disk.clear()
    for number in numbers:
        d = scene.wait_document(plant, number, 'sealed', 'sending', timeout=60)
        assert 'failed' not in scene.events(d)


def test_started_on_a_full_disk_it_serves_once_there_is_space(disk, plant):
    r = scene.Relation(plant)
    r.deliver(b'before')
    plant.stop()
    disk.fill()
    plant.start(wait=False)
    try:
        plant.wait_ready()
    except AssertionError:
        assert 'disk full' in plant.log(True), plant.log(True)
        disk.clear()
        plant.process.wait(waybill.patient(10))
        plant.start()
    else:
        disk.clear()
    r.deliver(oftp.File(b'after', dsn='AFTER'))
    assert len(r.delivered(2)) == 2
