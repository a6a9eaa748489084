"""Backups of a running gateway: what was acknowledged before is in them, and a restored store works."""

import hashlib
import json
import os
import threading
import urllib.parse

import pytest
import scene
import waybill
from oftp import File
from scene import Relation


def feed(g, n, sums):
    """One document handed over for sending; its digest, once it is acknowledged."""
    octets = (b'%06d ' % n) * (9000 if n % 5 == 0 else 3)
    status, answer = g.request('POST', '/api/v1/documents?' + urllib.parse.urlencode(
        {'partner': 'them', 'name': f'F{n}'}), octets)
    assert status == 201, answer
    sums[json.loads(answer)['id']] = hashlib.sha256(octets).hexdigest()


def partner():
    return [scene.identity(), {'partner': 'them', 'oftp2': {
        'odette_id': 'O0013THEM', 'password': 'PW', 'identity': 'us'}}]


def restore(backup, g, name):
    """A gateway of the same settings on a data directory made of the backup."""
    directory = g.directory.parent / name
    directory.mkdir()
    config = waybill.merge(g.config, {
        'runtime': {'data_directory': str(directory / 'data')},
        'admin': {'listen': '127.0.0.1:0', 'socket': str(directory / 's')},
        'oftp2_server': {'endpoints': [{'host': '127.0.0.1', 'port': 0}]}, 'retention': None})
    (directory / 'waybill.yaml').write_text(waybill.to_yaml(config))
    result = waybill.run('--json', 'restore', backup, '--config', directory / 'waybill.yaml')
    return directory / 'data', json.loads(result.stdout), result.stderr


def opened_of(data, sums, gateway, name):
    """Starts a gateway on that data directory; the digests of these documents."""
    g = gateway(name, run=False)
    waybill.shutil.copytree(data, g.data, dirs_exist_ok=True)
    g.start()
    found = {}
    for number in sums:
        status, octets = g.request('GET', f'/api/v1/documents/{number}/opened')
        found[number] = hashlib.sha256(octets).hexdigest() if status == 200 else status
    return g, found


def test_what_was_acknowledged_before_a_backup_under_load_is_in_it(gateway, tmp_path):
    g = gateway(components=partner(), settings={'retention': {
        'settled': {'payloads': '100ms'}, 'every': '100ms'}})
    r = Relation(g)
    sums, enough, problem = {}, threading.Event(), []

    def run():
        n = 0
        try:
            while not enough.is_set():
                feed(g, n, sums)
                n += 1
        except BaseException as e:
            problem.append(e)

    def receive():              # and what comes in is purged while the backups are made
        try:
            n = 0
            while not enough.is_set():
                r.deliver(*[File(b'in' * 30000, dsn=f'IN{n}-{i}') for i in range(5)])
                n += 1
        except BaseException as e:
            problem.append(e)

    threads = [threading.Thread(target=t) for t in (run, receive)]
    for t in threads:
        t.start()
    backups = []
    try:
        waybill.wait_until(lambda: len(sums) > 100, 30, 'some documents')
        for n in range(4):
            before = dict(sums)
            said = g.cli('backup', tmp_path / f'backup-{n}')
            assert said['documents'] >= len(before) and said['linked'] > 0
            backups.append(before)
            waybill.time.sleep(0.2)
    finally:
        enough.set()
        for t in threads:
            t.join()
    assert not problem, problem
    g.wait_log(r'backup\.made directory=', 4)
    for n, before in enumerate(backups):
        data, said, _ = restore(tmp_path / f'backup-{n}', g, f'again-{n}')
        if n % 3 == 0:
            again, found = opened_of(data, before, gateway, f'restored-{n}')
            assert found == before
            assert again.get('/api/v1/components/partner/them')
            feed(again, 9999, {})
    # The files of the backup are not those of the gateway: what happens to these, happens to these.
    g.stop()
    for p in (g.data / 'payload').rglob('*.raw'):
        p.unlink()
    assert list((tmp_path / 'backup-3/payload').rglob('*.raw'))


def test_a_half_received_file_goes_on_after_a_restore(gateway, tmp_path):
    g = gateway()
    r = Relation(g)
    f = File(os.urandom(1_500_000), dsn='LARGE')
    with r.call() as me:
        me.send_file(f, stop_after=1_000_000)
        scene.break_off(r, me, 900_000)
    scene.sessions_gone(g)
    kept, = r.documents(state='receiving')
    g.cli('backup', tmp_path / 'backup')
    # It goes on here: the copy must not see that.
    with r.call() as me:
        assert me.send_file(f).taken
        assert me.run() == 0
    inode = {p.stat().st_ino for p in (g.data / 'payload').rglob('*.raw')}
    assert not inode & {p.stat().st_ino for p in (tmp_path / 'backup').rglob('*.raw')}
    data, _, _ = restore(tmp_path / 'backup', g, 'again')
    again, _ = opened_of(data, {}, gateway, 'restored')
    assert scene.document(again, kept['id'])['state'] == 'receiving'


def test_a_backup_goes_where_nothing_is_and_a_restore_where_no_store_is(gateway, tmp_path):
    g = gateway(components=partner())
    assert g.cli('backup', tmp_path / 'one')['documents'] == 0
    assert oct((tmp_path / 'one').stat().st_mode)[-3:] == '700'
    again = g.cli('backup', tmp_path / 'one', check=None)
    assert again.returncode == 1 and 'must be an empty folder' in again.stderr
    nowhere = g.cli('backup', tmp_path / 'no' / 'where', check=None)
    assert nowhere.returncode == 1 and 'No such file' in nowhere.stderr
    running = waybill.run('restore', tmp_path / 'one', '--config', g.config_file, check=1)
    assert 'a runtime answers' in running.stderr
    g.stop()
    full = waybill.run('restore', tmp_path / 'one', '--config', g.config_file, check=1)
    assert 'without a store' in full.stderr
    (tmp_path / 'one' / 'waybill.backup').unlink()
    (tmp_path / 'new').mkdir()
    config = waybill.merge(g.config, {'runtime': {'data_directory': str(tmp_path / 'new')}})
    (tmp_path / 'new.yaml').write_text(waybill.to_yaml(config))
    half = waybill.run('restore', tmp_path / 'one', '--config', tmp_path / 'new.yaml', check=1)
    assert 'no backup, or not a whole one' in half.stderr
    assert list((tmp_path / 'new').iterdir()) == []


def test_a_restored_store_with_keys_asks_for_the_store_key(gateway, tmp_path, authority):
    c = authority.issue('backup keys')
    g = gateway()
    g.cli('certificates', 'import', 'our-sign', c.cert, '--key', c.key)
    said = g.cli('backup', tmp_path / 'backup')
    assert said['sealed_keys'] and not list((tmp_path / 'backup').rglob('*.key'))
    _, said, errors = restore(tmp_path / 'backup', g, 'again')
    assert said['sealed_keys'] and not said['store_key']
    assert 'put the store key back' in errors


@pytest.mark.parametrize('damage', ['a file is missing', 'killed in between'])
def test_a_restore_that_fails_leaves_no_store_to_start_from(gateway, tmp_path, damage):
    g = gateway(components=partner())
    for n in range(20):
        feed(g, n, {})
    g.cli('backup', tmp_path / 'backup')
    if damage == 'a file is missing':
        next((tmp_path / 'backup').rglob('*.raw')).unlink()
    else:
        (tmp_path / 'backup' / 'waybill.db').unlink()
    with pytest.raises(waybill.Failed):
        restore(tmp_path / 'backup', g, 'again')
    assert not (tmp_path / 'again' / 'data' / 'waybill.db').exists()
