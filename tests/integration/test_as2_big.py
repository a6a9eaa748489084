"""AS2-C49: AS2 messages of more than 4 GiB through the real server, in memory that does not grow. They
take minutes and 15 GB of disk, and so run when WAYBILL_BIG is set; a smaller one proves the memory each
time. Nothing of them is held here either: content is made, sealed by openssl and posted in passing."""

import hashlib
import os
import subprocess
import threading

import pytest

import as2
import as2_scene
import waybill
from as2_http import Connection
from as2_scene import Relation

PLANT = as2_scene.PLANT
PIECE = 1 << 20
MEMORY_KB = 64 * 1024
BIG = pytest.mark.skipif('WAYBILL_BIG' not in os.environ, reason='WAYBILL_BIG is not set')
SIZES = [pytest.param(96 * PIECE + 11, id='96 MiB'),
         pytest.param((4 << 30) + 12345, id='over 4 GiB', marks=BIG)]


def content(size):
    """Pieces that differ, in no time."""
    piece = bytes(range(256)) * 4096
    for n in range(size // PIECE):
        yield n.to_bytes(8, 'big') + piece[8:]
    yield piece[:size % PIECE]


def through(command, pieces):
    """What the openssl command makes of pieces, in pieces."""
    p = subprocess.Popen(['openssl', 'cms', *command], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE)

    def feed():
        with p.stdin:
            for piece in pieces:
                p.stdin.write(piece)
    feeder = threading.Thread(target=feed)
    feeder.start()
    while piece := p.stdout.read(PIECE):
        yield piece
    feeder.join()
    assert p.wait() == 0


def signed(keys, size):
    """(header, function that gives pieces) of S(P)."""
    part = b'Content-Type: application/octet-stream\r\n\r\n'

    def entity():
        yield part
        yield from content(size)
    signature = b''.join(through(['-sign', '-binary', '-outform', 'DER', '-signer', keys.cert,
                                  '-inkey', keys.key, '-md', 'sha256'], entity()))

    def pieces():
        yield b'--=_big\r\n'
        yield from entity()
        yield (b'\r\n--=_big\r\nContent-Type: application/pkcs7-signature\r\n\r\n' + signature
               + b'\r\n--=_big--\r\n')
    return ('multipart/signed; protocol="application/pkcs7-signature"; micalg=sha-256; '
            'boundary="=_big"'), pieces


def encrypted(cert, kind, pieces):
    def entity():
        yield f'Content-Type: {kind}\r\n\r\n'.encode()
        yield from pieces()
    return ('application/pkcs7-mime; smime-type=enveloped-data',
            lambda: through(['-encrypt', '-binary', '-stream', '-outform', 'DER', '-aes-256-cbc',
                             '-recip', cert], entity()))


def post(r, m, pieces):
    """Chunked, whatever the size."""
    with Connection(r.url, timeout=600) as c:
        c.send(c.head(m.fields, chunks=1))
        for piece in pieces:
            c.send(b'%x\r\n' % len(piece))
            c.send(piece)
            c.send(b'\r\n')
        c.send(b'0\r\n\r\n')
        return c.response()


def digest(pieces):
    h = hashlib.sha256()
    for piece in pieces:
        h.update(piece)
    return h.digest()


@pytest.mark.parametrize('size', SIZES)
@pytest.mark.parametrize('nesting', ['S', 'ES'])
def test_memory_does_not_follow_the_size(tmp_path, nesting, size):
    """AS2-C49"""
    with waybill.Gateway(tmp_path / 'g', settings=PLANT['settings']) as g:
        r = Relation(g, steps=[{'exec': {'command': ['/bin/true']}}])
        kind, pieces = signed(r.peer.keys, size)
        if nesting == 'ES':
            kind, pieces = encrypted(r.peer.partner_cert, kind, pieces)
        m = r.message(b'', '', change={'Content-Type': kind, 'Content-Disposition': None})
        response = post(r, m, pieces())
        mdn = as2.Mdn(response.fields, response.body).verify(as2_scene.keys('us').cert)
        assert mdn.disposition == 'processed'
        wanted = hashlib.sha256(b'Content-Type: application/octet-stream\r\n\r\n')
        for piece in content(size):
            wanted.update(piece)
        assert mdn.mic == (wanted.digest(), 'sha-256')
        assert r.document()['size'] == size
        path, = [p for p in (g.data / 'payload').rglob('*')
                 if p.is_file() and p.stat().st_size == size]
        with open(path, 'rb') as f:
            assert digest(iter(lambda: f.read(PIECE), b'')) == digest(content(size))
        assert g.resident_kb() < MEMORY_KB * waybill.slow()
