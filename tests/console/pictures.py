"""Makes the pictures of docs/console.md: a gateway with documents, looked at in headless Chromium.

    scripts/screenshots.sh [DIRECTORY]      default: docs/images

WAYBILL_PICTURE_MINUTES: so long documents come and go before (2), for the chart."""

import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / 'lib'))

import oftp  # noqa: E402
import sample  # noqa: E402
import scene  # noqa: E402


def traffic(s, minutes):
    """Orders and invoices, now more, now fewer."""
    end = time.time() + 60 * minutes
    n = 1000
    while time.time() < end:
        for g, partner in (s.acme, 'plant-7'), (s.plant, 'acme'):
            for _ in range(random.choice((0, 0, 1, 1, 2, 3))):
                n += 1
                protocol, name = random.choice((('oftp2', f'ORDERS{n}'), ('as2', f'INVOIC-{n}.edi')))
                s.send(g, sample.order(n), partner=partner, protocol=protocol,
                       **{'name' if protocol == 'oftp2' else 'file_name': name})
        if random.random() < 0.03:
            s.send(s.plant, sample.order(n), partner='acme', name='PRICAT', destination='O0013NOBODY')
        time.sleep(random.choice((0.5, 1, 2)))


def slow_session(s):
    """A session in the middle of a file; it is kept open."""
    me = oftp.Peer.connect(s.plant.host, s.plant.port, 'O0942BOREALIS', 'BOREPW', timeout=600, sdeb=4096)
    me.log_on()
    data = os.urandom(3 << 20)
    me.send_file(oftp.File(data, dsn='CATALOGUE.ZIP', dest=sample.CODES['plant-7'], orig='O0942BOREALIS'),
                 stop_after=1_900_000)
    return me


def shrink(path):
    """256 colours are enough for a page."""
    from PIL import Image
    Image.open(path).convert('RGB').quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(path, optimize=True)


def main():
    out = pathlib.Path(sys.argv[1]).resolve()
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix='wb-pictures-') as d, sample.Sample(d) as s:
        for name, role in ('zoe', 'admin'), ('ole', 'operator'), ('vic', 'viewer'):
            s.user(name, role)
        scene.post(s.plant, '/api/v1/tokens', 201, {'name': 'erp', 'role': 'operator'})
        s.fill()
        traffic(s, float(os.environ.get('WAYBILL_PICTURE_MINUTES', 2)))
        peer = slow_session(s)
        env = {**os.environ, 'WAYBILL_CONSOLE': s.url, 'WAYBILL_PASSWORD': sample.PASSWORD,
               'WAYBILL_CHROMIUM': shutil.which('chromium'), 'WAYBILL_TOKEN': s.plant.token}
        subprocess.run(['node', HERE / 'pictures.mjs', out], env=env, check=True)
        peer.reset()
    for path in sorted(out.glob('console-*.png')):
        shrink(path)
        print(f'{path.name:32} {path.stat().st_size:8}')


if __name__ == '__main__':
    main()
