"""A store that is locked, damaged, cut or missing: one clear line that names the way out, and never a
start that goes on without what was acknowledged."""

import contextlib
import json
import shutil
import sqlite3
import struct
import urllib.parse

import pytest

import scene
import waybill
from oftp import File

COMPONENTS = [scene.identity(), scene.partner('them', 'O0013THEM', identity='us')]
FRAME = 24 + 4096


def put(g, name, octets):
    status, answer = g.request('POST', '/api/v1/documents?' + urllib.parse.urlencode(
        {'partner': 'them', 'name': name}), octets)
    assert status == 201, answer
    return json.loads(answer)['id']


def filled(gateway):
    """A gateway that was killed with documents in its store; their numbers. One payload is a
    file."""
    g = gateway(components=COMPONENTS)
    numbers = [put(g, f'F{i}', b'octets' * (20000 if i == 0 else 10)) for i in range(6)]
    g.kill9()
    return g, numbers


def emptied_log(g):
    """All that is in the log goes into the file."""
    with contextlib.closing(sqlite3.connect(g.data / 'waybill.db')) as db:
        db.execute('PRAGMA wal_checkpoint(TRUNCATE)')
    assert not (g.data / 'waybill.db-wal').exists()


def refused(g):
    """A start that is refused; what it says. Nothing is changed by it."""
    before = {p.relative_to(g.data): p.stat().st_size for p in g.data.rglob('*')
              if p.is_file() and p.name not in ('lock', 'waybill.db-shm')}
    result = waybill.run('serve', '--config', g.config_file, check=1, timeout=90)
    after = {p.relative_to(g.data): p.stat().st_size for p in g.data.rglob('*')
             if p.is_file() and p.name not in ('lock', 'waybill.db-shm')}
    assert after == before
    return result.stderr


def whole(g, numbers):
    g.start()
    for n in numbers:
        assert scene.document(g, n)['id'] == n
        assert g.request('GET', f'/api/v1/documents/{n}/opened')[0] == 200


def check_store(g, status=0):
    result = waybill.run('--json', 'check', '--store', '--config', g.config_file, check=status,
                         timeout=90)
    return json.loads(result.stdout)


# -- whole ------------------------------------------------------------------------------------------


def test_check_store_says_that_a_store_is_whole_also_beside_the_runtime(gateway):
    g, numbers = filled(gateway)
    log = (g.data / 'waybill.db-wal').read_bytes()
    k = check_store(g)
    assert k['ok'] and not k['running'] and k['documents'] == 6 and k['files'] >= 1
    assert (g.data / 'waybill.db-wal').read_bytes() == log
    whole(g, numbers)
    k = check_store(g)
    assert k['ok'] and k['running'] and k['problems'] == []


# -- locked -----------------------------------------------------------------------------------------


def test_a_store_that_another_program_locks_is_named(gateway):
    g, numbers = filled(gateway)
    with contextlib.closing(sqlite3.connect(g.data / 'waybill.db', isolation_level=None)) as db:
        db.execute('BEGIN IMMEDIATE')
        text = refused(g)
        assert 'another program locks' in text and 'fuser waybill.db' in text
        db.execute('ROLLBACK')
    whole(g, numbers)


def test_nothing_is_acknowledged_while_another_program_locks_the_store(gateway):
    g = gateway(components=COMPONENTS)
    with contextlib.closing(sqlite3.connect(g.data / 'waybill.db', isolation_level=None)) as db:
        db.execute('BEGIN IMMEDIATE')
        status, answer = g.request('POST', '/api/v1/documents?partner=them&name=F', b'x',
                                   timeout=90)
        assert status >= 500 and 'another program locks' in json.loads(answer)['error']
        db.execute('ROLLBACK')
    assert g.get('/api/v1/documents')['documents'] == []
    whole_number = put(g, 'F', b'x')
    assert scene.document(g, whole_number)['state'] in ('queued', 'sealed', 'sending')


# -- damaged pages ------------------------------------------------------------------------------------


def spoil(g, table):
    """Junk in the first page of a table."""
    emptied_log(g)
    path = g.data / 'waybill.db'
    with contextlib.closing(sqlite3.connect(path)) as db:
        root, = db.execute('SELECT rootpage FROM sqlite_master WHERE name = ?', (table,)).fetchone()
    with open(path, 'r+b') as f:
        f.seek((root - 1) * 4096)
        f.write(b'junk' * 1024)


def test_a_damaged_page_of_the_documents_ends_the_start_with_the_way_out(gateway):
    g, _ = filled(gateway)
    spoil(g, 'document')
    text = refused(g)
    assert 'waybill.db is damaged' in text
    for way in ('restore a backup', 'sqlite3 waybill.db .dump', 'waybill check --store'):
        assert way in text, text
    assert not check_store(g, 1)['ok']


def test_a_damaged_page_elsewhere_is_told_when_it_is_read(gateway):
    g, numbers = filled(gateway)
    spoil(g, 'event')
    found = check_store(g, 1)
    assert found['found'] > 0 and any('waybill.db' in p for p in found['problems'])
    g.start()
    status, answer = g.request('GET', f'/api/v1/documents/{numbers[0]}')
    assert status == 500 and 'waybill.db is damaged' in json.loads(answer)['error']
    assert len(g.get('/api/v1/documents')['documents']) == 6


def test_a_file_that_was_cut_is_refused(gateway):
    g, _ = filled(gateway)
    emptied_log(g)
    with open(g.data / 'waybill.db', 'r+b') as f:
        f.truncate(3 * 4096)
    assert 'waybill.db is damaged' in refused(g)
    assert not check_store(g, 1)['ok']


# -- the log ------------------------------------------------------------------------------------------


def frames(g):
    return ((g.data / 'waybill.db-wal').stat().st_size - 32) // FRAME


@pytest.mark.parametrize('left', ['nothing', 'the head', 'half', 'all but one octet', 'no file'])
def test_a_log_that_was_cut_is_noticed_and_nothing_goes_on_without_it(gateway, left):
    g, numbers = filled(gateway)
    path = g.data / 'waybill.db-wal'
    kept = path.read_bytes()
    size = {'nothing': 0, 'the head': 32, 'half': 32 + frames(g) // 2 * FRAME,
            'all but one octet': len(kept) - 1, 'no file': None}[left]
    if size is None:
        path.unlink()
    else:
        path.write_bytes(kept[:size])
    text = refused(g)
    assert 'waybill.db-wal' in text and 'restore a backup' in text and 'truncate -s' in text
    problems = check_store(g, 1)['problems']
    assert any('waybill.db-wal' in p for p in problems)
    path.write_bytes(kept)
    whole(g, numbers)


def test_the_way_out_of_a_cut_log_goes_on_with_what_is_left(gateway):
    g, numbers = filled(gateway)
    path = g.data / 'waybill.db-wal'
    path.write_bytes(path.read_bytes()[:32 + (frames(g) - 3) * FRAME])
    text = refused(g)
    size = int(text.split('truncate -s ')[1].split()[0])
    path.write_bytes(path.read_bytes()[:size])
    (g.data / 'waybill.db-shm').unlink()
    g.start()
    assert 0 < len(g.get('/api/v1/documents')['documents']) <= 6


def test_a_damaged_frame_with_commits_behind_it_is_noticed_without_the_index(gateway):
    g, numbers = filled(gateway)
    (g.data / 'waybill.db-shm').unlink()
    path = g.data / 'waybill.db-wal'
    kept = path.read_bytes()
    spoilt = bytearray(kept)
    spoilt[32 + frames(g) // 2 * FRAME + 1000] ^= 1
    path.write_bytes(spoilt)
    assert 'cut or damaged' in refused(g)
    path.write_bytes(kept)
    whole(g, numbers)


@pytest.mark.parametrize('tail', [b'\0' * 3000, b'junk' * 5000, None])
def test_a_torn_end_as_a_power_cut_leaves_it_is_no_damage(gateway, tail):
    """Frames of a transaction that was under way: never synced, never acknowledged."""
    g, numbers = filled(gateway)
    (g.data / 'waybill.db-shm').unlink()
    path = g.data / 'waybill.db-wal'
    kept = path.read_bytes()
    salt = kept[16:24]
    if tail is None:
        page = struct.pack('>II', 2, 0) + salt + bytes(8) + bytes(4096)
        tail = page + struct.pack('>II', 3, 9) + salt + bytes(8) + bytes(2000)
    path.write_bytes(kept + tail)
    whole(g, numbers)


# -- missing ------------------------------------------------------------------------------------------


def test_a_missing_database_is_not_made_anew_beside_its_payloads(gateway):
    g, numbers = filled(gateway)
    for left in 'waybill.db-wal', None:
        kept = g.data.parent / 'kept'
        shutil.copytree(g.data, kept)
        for path in g.data.glob('waybill.db*'):
            if path.name != left:
                path.unlink()
        text = refused(g)
        assert 'waybill.db is missing' in text and 'restore a backup' in text
        assert list(g.data.glob('payload/*/*/*'))
        (g.data / 'waybill.db').touch()
        assert 'missing or empty' in refused(g)
        shutil.rmtree(g.data)
        shutil.move(kept, g.data)
    whole(g, numbers)


def test_check_store_names_payloads_that_are_missing_or_short(gateway):
    g, numbers = filled(gateway)
    files = sorted(p for p in g.data.glob('payload/*/*/*') if p.suffix in ('.raw', '.opened'))
    assert files
    with open(files[0], 'r+b') as f:
        f.truncate(100)
    problems = check_store(g, 1)['problems']
    assert any(f'document {numbers[0]}' in p and 'too short' in p for p in problems), problems
    files[0].unlink()
    result = waybill.run('check', '--store', '--config', g.config_file, check=1)
    assert f'document {numbers[0]}' in result.stderr and 'is missing' in result.stderr
    assert files[0].name in result.stderr and 'restore' in result.stderr


@pytest.mark.parametrize('how', ['deleted', 'moved', 'replaced'])
def test_nothing_is_acknowledged_once_the_data_directory_is_gone(gateway, how):
    """What is written to files without a name would not be there after the next start."""
    g = gateway()
    r = scene.Relation(g)
    r.deliver(b'before')
    away = g.data.with_name('away')
    if how == 'deleted':
        shutil.rmtree(g.data)
    elif how == 'moved':
        g.data.rename(away)
    else:
        g.data.rename(away)
        shutil.copytree(away, g.data)
    with r.call() as me:
        end = me.send_file(File(b'small', dsn='GONE'))
        assert not end.taken, end
    g.wait_log('failed to sync.*until Waybill is restarted')
    assert g.request('GET', '/readyz')[0] == 503
    if how == 'moved':
        g.stop()
        away.rename(g.data)
        g.start()
        r.deliver(File(b'small', dsn='GONE'))
        r.wait_document('processed', count=2)
