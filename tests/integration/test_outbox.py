"""Watched folders: what is put there goes to the partner, each file once."""

import os
import random
import threading

import pytest
import scene
import waybill

AS2 = {'as2_id': 'THEM', 'url': 'http://127.0.0.1:1/as2', 'identity': 'us',
       'send': {'signed': False, 'encrypted': False, 'mdn': 'none'}}
OFTP2 = {'odette_id': 'O0013THEM', 'password': 'PW', 'identity': 'us'}


def components(directory, protocol=None, **outbox):
    return [{'identity': 'us', 'oftp2': {'odette_id': scene.OWN, 'password': 'OURPW'},
             'as2': {'as2_id': 'WAYBILL'}},
            {'partner': 'them', 'oftp2': OFTP2, 'as2': AS2,
             'outbox': [{'directory': str(directory), 'settle': '300ms', 'scan': '200ms',
                         **({'protocol': protocol} if protocol else {}), **outbox}]}]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / 'out').mkdir()
    return tmp_path / 'out'


def documents(g):
    found = g.get('/api/v1/documents?direction=out&limit=1000')['documents']
    return sorted(found, key=lambda d: d['id'])


def opened(g, d):
    status, octets = g.request('GET', f'/api/v1/documents/{d["id"]}/opened')
    assert status == 200, (status, octets)
    return octets


def wait_documents(g, n):
    return waybill.wait_until(lambda: len(documents(g)) >= n and documents(g), 20,
                              f'{n} documents')


def put(folder, name, octets):
    """As well-behaved programs do: whole under its name, or not at all."""
    (folder / f'.{name}').write_bytes(octets)
    (folder / f'.{name}').rename(folder / name)


def left(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob('*') if p.is_file())


@pytest.mark.parametrize('protocol', ['oftp2', 'as2'])
def test_a_file_renamed_into_the_folder_is_sent_at_once_and_removed(gateway, folder, protocol):
    g = gateway(components=components(folder, protocol, settle='1h', scan='1h'))
    waybill.wait_until(lambda: (folder / '.waybill-them').is_dir(), 10, 'the folder to be watched')
    put(folder, 'orders.edi', b'UNA of ' + protocol.encode())
    d, = wait_documents(g, 1)
    assert (d['protocol'], d['partner'], d['listener']) == (protocol, 'them', 'outbox')
    assert opened(g, d) == b'UNA of ' + protocol.encode()
    g.wait_log(r'outbox\.taken partner=them .* file=orders\.edi document=\d+ octets=')
    waybill.wait_until(lambda: left(folder) == [], 10, 'the folder to be empty')
    waybill.wait_until(lambda: 'waybill_outbox_files_total 1\n' in
                       g.request('GET', '/metrics')[1].decode(), 10, 'the counter')


def test_a_file_that_grows_is_taken_when_it_no_longer_does(gateway, folder):
    g = gateway(components=components(folder))
    for settle in 0.3, 2, 10:
        if grew(g, folder, settle):
            return
    raise AssertionError('a line took ten seconds')


def grew(g, folder, settle):
    """False: between two lines the file may have been as it is longer than it needs to be taken."""
    g.apply(components(folder, settle=f'{settle * 1000:.0f}ms'))
    seen = len(documents(g))
    lines = [b'%d line\n' % n for n in range(12)]
    with open(folder / 'slow.edi', 'wb') as f:
        last = waybill.time.monotonic()
        for n, line in enumerate(lines):
            before = waybill.time.monotonic()
            f.write(line)
            f.flush()
            late = waybill.time.monotonic() - last > settle * 0.9
            last = before
            waybill.time.sleep(settle / 3)
            taken = len(documents(g)) > seen
            if late or waybill.time.monotonic() - before > settle * 0.9:
                waybill.wait_until(lambda: left(folder) == [], 20, 'it to be taken')
                return False
            assert not taken, f'taken after line {n}'
    d = wait_documents(g, seen + 1)[-1]
    assert opened(g, d) == b''.join(lines)
    return True


def test_only_files_of_the_agreed_names_are_taken_oldest_first(gateway, folder):
    for n, name in enumerate(['b.edi', 'a.edi', 'notes.txt', '.hidden.edi', 'c.edi.tmp']):
        (folder / name).write_bytes(name.encode())
        os.utime(folder / name, (1000 + n, 1000 + n))
    (folder / 'dir.edi').mkdir()
    (folder / 'link.edi').symlink_to(folder / 'notes.txt')
    g = gateway(components=components(folder, 'oftp2', names=['*.edi'], done='move'))
    assert [opened(g, d) for d in wait_documents(g, 2)] == [b'b.edi', b'a.edi']
    waybill.wait_until(lambda: left(folder) == [
        '.hidden.edi', 'c.edi.tmp', 'link.edi', 'notes.txt', 'sent/a.edi', 'sent/b.edi'], 10,
        'both to be moved')
    scene.settled(lambda: len(documents(g)) != 2, 0.6)
    put(folder, 'a.edi', b'another of that name')
    wait_documents(g, 3)
    waybill.wait_until(lambda: len(list((folder / 'sent').iterdir())) == 3, 10, 'it to be moved')
    assert (folder / 'sent/a.edi').read_bytes() == b'a.edi'


def test_what_cannot_be_sent_is_set_aside_with_the_reason(gateway, folder):
    g = gateway(components=components(folder, 'oftp2', format='F', record_length=80))
    put(folder, 'short.edi', b'not eighty octets')
    g.wait_log(r'outbox\.failed partner=them .*file=short\.edi')
    waybill.wait_until(lambda: left(folder) == ['failed/short.edi', 'failed/short.edi.reason'], 10,
                       'the file and the reason')
    text = (folder / 'failed/short.edi.reason').read_text()
    assert 'partner: them' in text and '80' in text and str(folder) in text, text
    assert (folder / 'failed/short.edi').read_bytes() == b'not eighty octets'
    assert documents(g) == []
    # Once the settings are right it is put back.
    g.apply(components(folder, 'oftp2'))
    (folder / 'failed/short.edi').rename(folder / 'short.edi')
    d, = wait_documents(g, 1)
    assert opened(g, d) == b'not eighty octets'


def test_the_same_file_put_there_again_is_another_document(gateway, folder):
    g = gateway(components=components(folder))
    source = folder.parent / 'source.edi'
    source.write_bytes(b'same octets, same time')
    for n in range(1, 4):
        waybill.subprocess.run(['cp', '-p', source, folder / '.x'], check=True)
        (folder / '.x').rename(folder / 'source.edi')
        wait_documents(g, n)
        waybill.wait_until(lambda: left(folder) == [], 10, 'it to be taken')
    assert len(documents(g)) == 3


def test_a_folder_that_is_missing_is_told_once_and_watched_when_it_comes(gateway, tmp_path):
    folder = tmp_path / 'later'
    g = gateway(components=components(folder))
    g.wait_log(r'outbox\.unusable partner=them directory=\S*later reason="No such file')
    waybill.time.sleep(0.5)
    assert len(g.log_lines(r'outbox\.unusable')) == 1
    folder.mkdir()
    (folder / 'x.edi').write_bytes(b'x')
    wait_documents(g, 1)


def test_settings_that_make_no_sense_are_refused(gateway, folder):
    g = gateway()
    for outbox, wanted in ((dict(format='F'), 'record_length'),
                           (dict(protocol='as2', format='T'), 'no meaning with protocol: as2'),
                           (dict(directory='out'), 'absolute'),
                           (dict(names=[]), "'names' is empty"),
                           (dict(identity='nobody'), 'nobody')):
        where = outbox.pop('directory', folder)
        text = waybill.components_text(components(where, **outbox))
        status, body = g.request('POST', '/api/v1/components', text.encode())
        assert status == 422 and wanted in body.decode(), (outbox, body)


@pytest.mark.parametrize('protocol', ['oftp2', 'as2'])
def test_killed_at_random_moments_each_file_is_sent_once(gateway, folder, protocol):
    g = gateway(components=components(folder, protocol, settle='0', done='move'))
    dice = random.Random(7)
    enough, written = threading.Event(), []

    def feed():
        while not enough.is_set():
            # a slow machine is not to have more to do for it
            if sum(len(os.listdir(d)) for d in (folder, folder / '.waybill-them') if d.is_dir()) > 300:
                enough.wait(0.05)
                continue
            n = len(written)
            octets = b'%06d' % n + (b'x' * 90000 if n % 7 == 0 else b'')
            put(folder, f'f{n:06d}.edi', octets)
            written.append(octets)
            enough.wait(0.001)

    feeder = threading.Thread(target=feed)
    feeder.start()
    try:
        for _ in range(12):
            waybill.time.sleep(dice.uniform(0.01, 0.3))
            g.kill9()
            g.start()
    finally:
        enough.set()
        feeder.join()
    wait = 60
    waybill.wait_until(lambda: not list(folder.glob('f*.edi')) and
                       not list((folder / '.waybill-them').iterdir()), wait, 'all to be taken')
    found, before = [], None
    while True:
        page = g.get('/api/v1/documents?direction=out&limit=1000' +
                     (f'&before={before}' if before else ''))
        found += page['documents']
        before = page['next']
        if not before:
            break
    assert sorted(opened(g, d) for d in found) == sorted(written)
    assert len(list((folder / 'sent').iterdir())) == len(written)
