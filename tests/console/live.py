#!/usr/bin/env python3
"""Whether the console stays live beside a load: documents go between two gateways at RATE a second, in
both protocols, while its pages are looked at in headless Chromium.

    tests/console/live.py [RATE] [SECONDS]      default: 100, 20

Needs what tests/console needs. Not a test: frames depend on the machine."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / 'lib'))

import sample  # noqa: E402


def load(s, rate, stop, count):
    """Half of the documents this way, half that; each is in the books of both."""
    begin, n = time.monotonic(), 0
    while not stop.is_set():
        while n < (time.monotonic() - begin) * rate / 2 and not stop.is_set():
            n += 1
            g, partner = ((s.acme, 'plant-7'), (s.plant, 'acme'))[n % 2]
            s.send(g, sample.order(n), partner=partner, protocol=('oftp2', 'as2')[n // 2 % 2],
                   **({'name': f'LOAD{n}'} if n // 2 % 2 == 0 else {'file_name': f'load-{n}.edi'}))
        count[0] = n
        time.sleep(0.002)


def main():
    rate = float(sys.argv[1]) if len(sys.argv) > 1 else 100
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 20
    with tempfile.TemporaryDirectory(prefix='wb-live-') as d, sample.Sample(d) as s:
        s.user('zoe', 'admin')
        s.fill()
        stop, count = threading.Event(), [0]
        thread = threading.Thread(target=load, args=(s, rate, stop, count))
        begin, cpu = time.monotonic(), s.plant.cpu_seconds()
        thread.start()
        done = subprocess.run(
            ['node', HERE / 'live.mjs', str(seconds)], capture_output=True, text=True, env={
                **os.environ, 'WAYBILL_CONSOLE': s.url, 'WAYBILL_PASSWORD': sample.PASSWORD,
                'WAYBILL_CHROMIUM': shutil.which('chromium')})
        took, cpu = time.monotonic() - begin, s.plant.cpu_seconds() - cpu
        stop.set()
        thread.join()
        if done.returncode != 0:
            raise SystemExit(done.stderr)
        result = json.loads(done.stdout)
        result.update(handed_in_per_s=count[0] / took, documents_per_s=2 * count[0] / took,
                      gateway_cpu_percent=100 * cpu / took,
                      gateway_rss_mb=s.plant.resident_kb(False) / 1024)
        print(json.dumps(result, indent=1))


if __name__ == '__main__':
    main()
