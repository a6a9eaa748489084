#!/usr/bin/env python3
"""One large AS2 message in and out: speed, CPU time and memory of the gateway.

    bench/as2_large.py [--size 1G] [--directory DIR] [--json]

In: signed and encrypted messages made by the openssl command, once in DER and once in BER of
indefinite length with octet strings of 16 KB, posted from a file; the time runs from the first octet to
the signed MDN, by when the message was decrypted, verified, stored and synced. Out: a file handed in
by `waybill send`, signed and encrypted, posted to a second gateway. Takes four times the size on
disk."""

import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / 'tests' / 'lib'))
os.environ.setdefault('WAYBILL_BINARY', str(ROOT / 'build' / 'waybill'))

import as2                                     # noqa: E402
import as2_scene                               # noqa: E402
import scene                                   # noqa: E402
import waybill                                 # noqa: E402
from as2_http import Connection                # noqa: E402

PIECE = 1 << 20
SEGMENT = 16 * 1024
USAGE = 'digitalSignature,keyEncipherment'
PART = b'Content-Type: application/EDIFACT\r\n\r\n'


def size_of(text):
    m = re.fullmatch(r'([0-9.]+)([KMG]?)', text)
    if not m:
        raise argparse.ArgumentTypeError('a number with K, M or G, such as 5G')
    return int(float(m.group(1)) * {'': 1, 'K': 1e3, 'M': 1e6, 'G': 1e9}[m.group(2)])


def write_content(path, size):
    """Lines of EDI text that differ."""
    lines = b''.join(b"LIN+%06d++ABC%05d:IN'QTY+21:%d'PIA+1+X%07d:SA'\r\n"
                     % (i, i * 7 % 99999, i % 977, i * 31) for i in range(20000))
    with open(path, 'wb') as f:
        left = size
        while left > 0:
            left -= f.write(lines[:left])


def pieces_of(path):
    with open(path, 'rb') as f:
        while piece := f.read(PIECE):
            yield piece
            # A page cache full of what was read once would slow what is measured.
            os.posix_fadvise(f.fileno(), 0, f.tell(), os.POSIX_FADV_DONTNEED)


def through(command, pieces):
    p = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def feed():
        with p.stdin:
            for piece in pieces:
                p.stdin.write(piece)
    feeder = threading.Thread(target=feed)
    feeder.start()
    while piece := p.stdout.read(PIECE):
        yield piece
    feeder.join()
    if p.wait() != 0:
        raise SystemExit(f'{command[0]} {command[1]} failed')


def signed(keys, content):
    """The entity that is encrypted."""
    def part():
        yield PART
        yield from pieces_of(content)
    signature = b''.join(through(
        ['openssl', 'cms', '-sign', '-binary', '-outform', 'DER', '-signer', keys.cert, '-inkey',
         keys.key, '-md', 'sha256'], part()))
    head = (b'Content-Type: multipart/signed; protocol="application/pkcs7-signature"; '
            b'micalg=sha-256; boundary="=_large"\r\n\r\n')
    tail = (b'\r\n--=_large\r\nContent-Type: application/pkcs7-signature\r\n\r\n' + signature
            + b'\r\n--=_large--\r\n')
    size = len(head) + 12 + len(PART) + os.path.getsize(content) + len(tail)

    def pieces():
        yield head + b'--=_large\r\n'
        yield from part()
        yield tail
    return size, pieces


def recipients(cert, key):
    """(RecipientInfos, algorithm with its IV, IV), taken from a message of openssl's whose key is
    exchanged for ours."""
    small = as2.cms_encrypt(b'x', [cert])
    _, info, _ = as2._element(small, 0)
    (_, data), = info[1][1]
    public = subprocess.run(['openssl', 'x509', '-in', cert, '-noout', '-pubkey'],
                            capture_output=True, check=True).stdout
    with tempfile.NamedTemporaryFile() as f:
        f.write(public)
        f.flush()
        sealed = as2.openssl('pkeyutl', '-encrypt', '-pubin', '-inkey', f.name, data=key)

    def build(e):
        tag, inner = e
        return as2.der(tag, *map(build, inner)) if tag & 0x20 else as2.der(tag, inner)
    infos = build(data[1])
    algorithm = build(data[2][1][1])
    return infos[:-len(sealed)] + sealed, algorithm, algorithm[-16:]


def write_message(path, cert, size, pieces, indefinite):
    """An EnvelopedData around the pieces."""
    key = os.urandom(32)
    infos, algorithm, iv = recipients(cert, key)
    cipher = through(['openssl', 'enc', '-aes-256-cbc', '-K', key.hex(), '-iv', iv.hex()],
                     pieces())
    oid = bytes.fromhex('06092a864886f70d010703')
    data = bytes.fromhex('06092a864886f70d010701')
    with open(path, 'wb') as f:
        if indefinite:
            f.write(b'\x30\x80' + oid + b'\xa0\x80\x30\x80\2\1\0' + infos + b'\x30\x80' + data
                    + algorithm + b'\xa0\x80')
            for piece in cipher:
                f.write(b''.join(as2.der(4, piece[i:i + SEGMENT])
                                 for i in range(0, len(piece), SEGMENT)))
            f.write(b'\0\0' * 5)
        else:
            padded = size // 16 * 16 + 16

            def head(tag, n):
                k = (n.bit_length() + 7) // 8
                return bytes([tag, 0x80 | k]) + n.to_bytes(k, 'big')
            content = head(0x80, padded)
            inner = data + algorithm + content
            inner = head(0x30, len(inner) + padded) + inner
            inner = b'\2\1\0' + infos + inner
            inner = head(0x30, len(inner) + padded) + inner
            inner = oid + head(0xa0, len(inner) + padded) + inner
            f.write(head(0x30, len(inner) + padded) + inner)
            for piece in cipher:
                f.write(piece)
        f.flush()
        os.fsync(f.fileno())
        os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def deploy(g, ours, theirs, me, you, url):
    scene.apply(
        g, ours.component('ours'), theirs.component('theirs', key=False),
        {'identity': 'us', 'as2': {'as2_id': me, 'decryption_certificate': 'ours',
                                   'mdn_signing_certificate': 'ours',
                                   'signing_certificate': 'ours'}},
        {'partner': 'them', 'as2': {
            'as2_id': you, 'url': url, 'identity': 'us', 'signing_certificate': 'theirs',
            'encryption_certificate': 'theirs', 'answer_timeout': '15m',
            'send': {'signed': True, 'encrypted': True, 'mdn': 'sync'}}},
        {'process': 'in', 'start': {'listen': 'as2-server', 'operation': {
            'from': {'partner': 'them'}, 'to': {'identity': 'us'},
            'require': {'signed': True, 'encrypted': True}}},
         'steps': [{'exec': {'command': ['/bin/true']}}]})


def posted(g, peer, path, check):
    """Figures of one message in."""
    fields = peer.envelope('large') + [
        ('Content-Type', 'application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m'),
        ('Content-Transfer-Encoding', 'binary'), ('Disposition-Notification-To', 'a@b.example'),
        ('Disposition-Notification-Options', as2.OPTIONS + 'sha-256')]
    size = os.path.getsize(path)
    cpu, begin = g.cpu_seconds(), time.monotonic()
    with Connection(as2_scene.url(g), timeout=3600) as c, open(path, 'rb') as f:
        c.send(c.head(fields, length=size))
        c.sock.settimeout(None)
        at = 0
        while at < size:
            at += os.sendfile(c.sock.fileno(), f.fileno(), at, 8 * PIECE)
            os.posix_fadvise(f.fileno(), 0, at, os.POSIX_FADV_DONTNEED)
        response = c.response()
    seconds = time.monotonic() - begin
    mdn = as2.Mdn(response.fields, response.body).verify(check)
    if mdn.disposition != 'processed':
        raise SystemExit(f'the message was not processed: {mdn.disposition}')
    return seconds, g.cpu_seconds() - cpu


def sent(a, b, content):
    """Figures of one message out: (until it is sealed, from there to its MDN, CPU of both)."""
    cpu = a.cpu_seconds(), b.cpu_seconds()
    begin, sealed = time.monotonic(), None
    number = int(a.cli('send', '--protocol', 'as2', '--partner', 'them', str(content),
                       timeout=3600)['id'])
    handed = time.monotonic()
    while True:
        d = scene.document(a, number)
        now = time.monotonic()
        if sealed is None and d['state'] in ('sealed', 'sending', 'acknowledged'):
            sealed = now
        if d['state'] == 'acknowledged':
            return (handed - begin, sealed - handed, now - sealed,
                    a.cpu_seconds() - cpu[0], b.cpu_seconds() - cpu[1])
        if d['state'] in ('failed', 'rejected', 'overdue') or now - begin > 3600:
            raise SystemExit(f'{d["state"]}: {d["reason"]}')
        time.sleep(0.05)


def measure(directory, size):
    ca = waybill.Authority(directory / 'ca', algorithm='rsa:2048')
    acme, bolt = (ca.issue(n, key_usage=USAGE) for n in ('acme', 'bolt'))
    keys = [as2.Keys(
        directory / 'ca' / f'{n}.crt', directory / 'ca' / f'{n}.key')
        for n in ('acme', 'bolt')]
    content, message = directory / 'content', directory / 'message'
    settings = as2_scene.PLANT['settings']
    results = {'benchmark': 'as2-large', 'size': size}
    write_content(content, size)
    peer = as2.Peer('A-LARGE', keys[0], 'B-LARGE', keys[1].cert)
    whole, pieces = signed(keys[0], content)
    for kind in 'der', 'ber':
        write_message(message, keys[1].cert, whole, pieces, kind == 'ber')
        with waybill.Gateway(directory / kind, kind, settings=settings) as g:
            deploy(g, bolt, acme, 'B-LARGE', 'A-LARGE', 'http://127.0.0.1:1/as2')
            seconds, cpu = posted(g, peer, message, keys[1].cert)
            results[f'in_{kind}'] = {'seconds': seconds, 'cpu_s': cpu,
                                     'mb_per_s': size / 1e6 / seconds,
                                     'peak_rss_mb': g.resident_kb() / 1024}
        shutil.rmtree(directory / kind)
        message.unlink()
    with waybill.Gateway(directory / 'a', 'a', settings=settings) as a, \
            waybill.Gateway(directory / 'b', 'b', settings=settings) as b:
        deploy(a, acme, bolt, 'A-LARGE', 'B-LARGE', as2_scene.url(b))
        deploy(b, bolt, acme, 'B-LARGE', 'A-LARGE', as2_scene.url(a))
        hand, seal, post, cpu_a, cpu_b = sent(a, b, content)
        results['out'] = {
            'hand_in_s': hand, 'seal_s': seal, 'post_s': post, 'sender_cpu_s': cpu_a,
            'receiver_cpu_s': cpu_b, 'mb_per_s_seal': size / 1e6 / seal,
            'mb_per_s_post': size / 1e6 / post,
            'sender_peak_rss_mb': a.resident_kb() / 1024,
            'receiver_peak_rss_mb': b.resident_kb() / 1024}
    return results


def main():
    p = argparse.ArgumentParser()
    p.add_argument('--size', type=size_of, default=size_of('1G'))
    p.add_argument('--directory', default='/var/tmp')
    p.add_argument('--json', action='store_true')
    args = p.parse_args()
    directory = pathlib.Path(tempfile.mkdtemp(prefix='waybill-large-', dir=args.directory))
    try:
        r = measure(directory, args.size)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    if args.json:
        print(json.dumps(r))
        return
    gb = args.size / 1e9
    for kind, text in ('der', 'DER'), ('ber', 'BER, indefinite length'):
        x = r[f'in_{kind}']
        print(f'as2 {gb:g} GB in, signed + encrypted, {text}: {x["seconds"]:.1f} s, '
              f'{x["mb_per_s"]:.0f} MB/s, {x["cpu_s"]:.1f} CPU-s, peak memory '
              f'{x["peak_rss_mb"]:.1f} MB')
    x = r['out']
    print(f'as2 {gb:g} GB out: taken over in {x["hand_in_s"]:.1f} s, sealed in {x["seal_s"]:.1f} s '
          f'({x["mb_per_s_seal"]:.0f} MB/s), posted, opened and acknowledged in {x["post_s"]:.1f} s '
          f'({x["mb_per_s_post"]:.0f} MB/s); {x["sender_cpu_s"]:.1f} and '
          f'{x["receiver_cpu_s"]:.1f} CPU-s; peak memory {x["sender_peak_rss_mb"]:.1f} and '
          f'{x["receiver_peak_rss_mb"]:.1f} MB')


if __name__ == '__main__':
    main()
