"""The other programs: installed by name from their registries into a folder of the build, started
with a driver of ours, spoken to in JSON lines."""

import json
import os
import pathlib
import queue
import shutil
import subprocess
import sys
import threading

HERE = pathlib.Path(__file__).resolve().parent
SYSTEM_PYTHON = '/usr/bin/python3' if os.path.exists('/usr/bin/python3') else sys.executable


class Missing(Exception):
    """It could not be had; says what was tried."""


def command(args, cwd, log):
    """Runs one installer command, with its output in the log."""
    with open(log, 'a') as f:
        f.write(f'$ {" ".join(map(str, args))}\n')
        f.flush()
        try:
            status = subprocess.run([str(a) for a in args], cwd=cwd, stdout=f, stderr=f,
                                    stdin=subprocess.DEVNULL, timeout=300).returncode
        except (OSError, subprocess.TimeoutExpired) as e:
            raise Missing(f'{args[0]}: {e}') from None
    if status != 0:
        raise Missing(f'`{" ".join(map(str, args))}` failed, see {log.name}')


class Program:
    """One of the other programs. `folder` is where it is installed."""

    name = version = ''

    def __init__(self, build):
        self.folder = build / self.name
        self.log = build / f'{self.name}.log'
        self.folder.mkdir(parents=True, exist_ok=True)
        self.process = None

    def stamp(self):
        """What is wanted, to know whether what is there will do."""
        return f'{self.name} {self.version}'

    def install(self):
        mark = self.folder / 'installed'
        if mark.exists() and mark.read_text() == self.stamp():
            return
        self.fetch()
        mark.write_text(self.stamp())

    def start(self, keys, ours, directory):
        """keys: (certificate, key) of the peer; ours: our certificate."""
        pair = directory / 'peer.pem'
        pair.write_text(pathlib.Path(keys[1]).read_text() + pathlib.Path(keys[0]).read_text())
        with open(self.log, 'a') as log:
            self.process = subprocess.Popen(
                [str(a) for a in self.arguments()] + [str(pair), str(ours), str(directory)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
                env={**os.environ, **self.environment()}, cwd=directory)
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        ready = self.answer(60)
        if not ready.get('ready'):
            raise Missing(f'{self.name} does not start, see {self.log.name}')
        self.url, self.mdn_url = ready['url'], ready['mdn_url']

    def environment(self):
        return {}

    def _read(self):
        for line in self.process.stdout:
            if line.startswith('{'):
                self.lines.put(json.loads(line))
        self.lines.put({'error': 'it ended'})

    def answer(self, timeout=60):
        try:
            return self.lines.get(timeout=timeout)
        except queue.Empty:
            return {'error': f'no answer within {timeout} s'}

    def ask(self, op, **more):
        try:
            self.process.stdin.write(json.dumps({'op': op, **more}) + '\n')
            self.process.stdin.flush()
        except OSError as e:
            return {'error': str(e)}
        return self.answer()

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.stdin.close()
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Pyas2lib(Program):
    name, version = 'pyas2lib', '1.4.4'

    def fetch(self):
        # Debian's python3-oscrypto knows OpenSSL versions like 3.0.22; the one of the registry
        # does not. So the environment sees the system's packages.
        shutil.rmtree(self.folder / 'venv', ignore_errors=True)
        command([SYSTEM_PYTHON, '-m', 'venv', '--system-site-packages', 'venv'], self.folder,
                self.log)
        command([self.folder / 'venv/bin/python', '-m', 'pip', 'install', '-q',
                 f'pyas2lib=={self.version}'], self.folder, self.log)

    def arguments(self):
        return [self.folder / 'venv/bin/python', HERE / 'pyas2_peer.py']


class Libas2(Program):
    name, version = 'libas2', '0.8.2'
    PINNED = {'asn1js': '2.0.26', 'pkijs': '2.1.90', '@peculiar/webcrypto': '1.1.3'}
    OVERRIDES = {'webcrypto-core': '1.1.8', '@peculiar/asn1-schema': '2.0.17'}

    def stamp(self):
        return json.dumps([self.version, self.PINNED, self.OVERRIDES])

    def fetch(self):
        shutil.rmtree(self.folder / 'node_modules', ignore_errors=True)
        (self.folder / 'package.json').write_text(json.dumps({
            'name': 'interop', 'private': True, 'version': '0.0.0',
            'dependencies': {'libas2': self.version, **self.PINNED},
            'overrides': {**self.OVERRIDES, **self.PINNED}}, indent=1))
        command(['npm', 'install', '--no-audit', '--no-fund', '--ignore-scripts'], self.folder,
                self.log)

    def arguments(self):
        # RSA with PKCS#1 v1.5 padding, which AS2 needs, is switched off in newer Node releases.
        return ['node', '--security-revert=CVE-2023-46809', HERE / 'libas2_peer.mjs']

    def environment(self):
        return {'LIBAS2': str(self.folder / 'node_modules')}


class As2Lib(Program):
    name, version = 'as2-lib', '5.1.3'

    def stamp(self):
        return (f'{self.version} {(HERE / "java/pom.xml").read_text()}'
                f'{(HERE / "java/As2LibPeer.java").read_text()}')

    def fetch(self):
        shutil.rmtree(self.folder / 'classes', ignore_errors=True)
        command(['mvn', '-q', '-B', '-f', HERE / 'java/pom.xml',
                 'dependency:copy-dependencies', f'-Das2.version={self.version}',
                 f'-DoutputDirectory={self.folder / "lib"}'], self.folder, self.log)
        command(['javac', '-nowarn', '-cp', f'{self.folder / "lib"}/*', '-d',
                 self.folder / 'classes', HERE / 'java/As2LibPeer.java'], self.folder, self.log)

    def arguments(self):
        return ['java', '-Xmx1g', '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn', '-cp',
                f'{self.folder / "classes"}:{self.folder / "lib"}/*', 'As2LibPeer']


PROGRAMS = [Pyas2lib, Libas2, As2Lib]
