#!/usr/bin/env python3
"""Two Waybill gateways, acme and plant-7, on this machine: files both ways over OFTP2 with TLS and
their receipts, a refusal, a transfer that is cut and goes on; then messages over AS2 with
synchronous and asynchronous MDNs, a duplicate and a stranger. Exit status 0 when all balanced.

Everything lies below one temporary directory, which is removed at the end (KEEP=1 keeps it).
DEMO_MB (default 200) is the size of each of the two large files."""

import hashlib
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[1]
WAYBILL = os.path.abspath(os.environ.get('WAYBILL_BINARY') or ROOT / 'build' / 'waybill')
LARGE = int(os.environ.get('DEMO_MB', '200')) * 1000 * 1000
CODES = {'acme': 'O0013000001ACME', 'plant-7': 'O0013000002PLANT7'}
PASSWORDS = {'acme': 'ACMEPW', 'plant-7': 'PLANTPW'}
AS2_IDS = {'acme': 'ACME-AS2', 'plant-7': 'PLANT7-AS2'}
NOBODY = 'O0013000002PLANT9'

ORDERS = """UNB+UNOC:3+{acme}+{plant}+261121:1015+4711'
UNH+1+ORDERS:D:96A:UN:A14051'
BGM+220+4500012345+9'
DTM+137:20261121:102'
NAD+BY+ACME::92'
NAD+SU+PLANT7::92'
LIN+1++8K0407271AA:IN'
QTY+21:1200:PCE'
DTM+2:20261128:102'
LIN+2++8K0407272AA:IN'
QTY+21:800:PCE'
DTM+2:20261128:102'
UNS+S'
CNT+2:2'
UNT+14+1'
UNZ+1+4711'
"""

DESADV = """UNB+UNOC:3+{plant}+{acme}+261122:0830+0815'
UNH+1+DESADV:D:96A:UN:A01051'
BGM+351+LS80021+9'
DTM+137:20261122:102'
RFF+ON:4500012345'
NAD+SE+PLANT7::92'
NAD+BY+ACME::92'
CPS+1'
LIN+1++8K0407271AA:IN'
QTY+12:1200:PCE'
UNT+10+1'
UNZ+1+0815'
"""


class Trouble(Exception):
    """Something did not go as the demonstration says it should."""


# ---- what is printed -----------------------------------------------------------------------

BOLD, DIM, OFF = ('\033[1m', '\033[2m', '\033[0m') if sys.stdout.isatty() else ('', '', '')
begun = time.monotonic()
steps = 0


def step(title):
    global steps
    steps += 1
    print(f'\n{BOLD}{steps}. {title}{OFF} {DIM}({time.monotonic() - begun:.0f} s){OFF}', flush=True)


def say(text):
    print(f'   {text}', flush=True)


def shown(text):
    for line in text.rstrip().splitlines():
        print(f'     {line}', flush=True)


def wait(check, what, seconds=30.0, every=0.05):
    """Calls check() until it gives something true, and gives that."""
    end = time.monotonic() + seconds
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > end:
            raise Trouble(f'waited {seconds:.0f} s for {what}')
        time.sleep(every)


def sha256(path):
    digest = hashlib.sha256()
    with open(path, 'rb') as f:
        while piece := f.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def openssl(*args, cwd):
    result = subprocess.run(['openssl', *args], cwd=cwd, capture_output=True, text=True,
                            stdin=subprocess.DEVNULL)
    if result.returncode != 0:
        raise Trouble(f'openssl {" ".join(args)}\n{result.stderr}')


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


# ---- a gateway -----------------------------------------------------------------------------


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__('localhost', timeout=10)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Gateway:
    def __init__(self, top, name, other):
        self.name, self.other = name, other
        self.top = top / name
        self.inbox = self.top / 'inbox'
        self.inbox.mkdir(parents=True)
        self.config = self.top / 'waybill.yaml'
        self.log = self.top / 'waybill.log'
        self.socket = str(self.top / 's')
        self.port, self.process = 0, None
        self.as2_port = free_port()
        self.as2_url = f'https://127.0.0.1:{self.as2_port}/as2'

    def start(self):
        """The port is the system's choice at first and then stays."""
        self.config.write_text(
            f'runtime: {{name: {self.name}, data_directory: {self.top}/data}}\n'
            'oftp2_server:\n'
            '  endpoints:\n'
            f'    - {{host: 127.0.0.1, port: {self.port}, session_level_encryption: true,\n'
            f'       server_ssl_certificate: our-tls}}\n'
            'as2_server:\n'
            f'  mdn_url: "{self.as2_url}"\n'
            '  endpoints:\n'
            f'    - {{host: 127.0.0.1, port: {self.as2_port}, ssl: true, ssl_certificate: our-tls}}\n'
            f'admin: {{listen: "", socket: {self.socket}}}\n')
        with open(self.log, 'ab') as log:
            # A session of its own: Ctrl-C is for the demonstration, which then stops all.
            self.process = subprocess.Popen([WAYBILL, 'serve', '--config', str(self.config)],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True)
        wait(self.ready, f'{self.name} to be ready')
        self.port = next(e['port'] for e in self.get('/api/v1/runtime')['endpoints']
                         if e['protocol'] == 'oftp2')

    def ready(self):
        if self.process.poll() is not None:
            raise Trouble(f'{self.name}: waybill serve ended with {self.process.returncode}\n'
                          + self.log.read_text()[-2000:])
        try:
            return self.get('/readyz')
        except (OSError, http.client.HTTPException, Trouble):
            return None

    def kill9(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def get(self, path):
        connection = UnixConnection(self.socket)
        try:
            connection.request('GET', path)
            response = connection.getresponse()
            body = response.read()
            if response.status != 200:
                raise Trouble(f'{self.name}: GET {path}: {response.status} {body[:300]}')
            return json.loads(body)
        finally:
            connection.close()

    def run(self, *args, echo=True, good=(0,)):
        """A command on this gateway, shown with what it prints; gives its standard output."""
        if echo:
            print(f'   {BOLD}{self.name}${OFF} waybill {" ".join(map(str, args))}', flush=True)
        result = subprocess.run([WAYBILL, *map(str, args)], capture_output=True, text=True,
                                stdin=subprocess.DEVNULL, cwd=self.top.parent,
                                env={**os.environ, 'WAYBILL_SOCKET': self.socket})
        if echo:
            shown(result.stdout + result.stderr)
        if result.returncode not in good:
            raise Trouble(f'exit status {result.returncode} of waybill {" ".join(map(str, args))}\n'
                          f'{result.stdout}{result.stderr}')
        return result.stdout

    def components(self, other_port, other_url):
        other = self.other
        mdn = 'sync' if self.name == 'acme' else 'async'
        return f"""\
certificate: our-tls
file: {self.top}/tls.crt
key_file: {self.top}/tls.key
---
certificate: authority
file: {self.top.parent}/ca/ca.crt
---
certificate: our-files
file: {self.top}/files.crt
key_file: {self.top}/files.key
---
certificate: {other}-files
file: {self.top.parent}/{other}/files.crt
---
identity: us
oftp2:
  odette_id: {CODES[self.name]}
  password: {PASSWORDS[self.name]}
  signing_certificate: our-files
  decryption_certificate: our-files
  acknowledgment_signing_certificate: our-files
  session_authentication_challenge_certificate: our-files
as2:
  as2_id: {AS2_IDS[self.name]}
  signing_certificate: our-files
  decryption_certificate: our-files
  mdn_signing_certificate: our-files
---
partner: {other}
oftp2:
  odette_id: {CODES[other]}
  password: {PASSWORDS[other]}
  host: 127.0.0.1
  port: {other_port}
  session_level_encryption: true
  server_ssl_certificate: authority
  identity: us
  retry: {{first: 200ms, max: 1s}}
  require_secure_authentication: true
  encryption_certificate: {other}-files
  signature_verification_certificate: {other}-files
  acknowledgment_verification_certificate: {other}-files
  session_authentication_encrypting_certificate: {other}-files
  send: {{signed: true, compressed: true, encrypted: true, signed_receipt: true}}
as2:
  as2_id: {AS2_IDS[other]}
  url: "{other_url}"
  server_ssl_certificate: authority
  signing_certificate: {other}-files
  encryption_certificate: {other}-files
  identity: us
  retry: {{first: 200ms, max: 1s}}
  send: {{signed: true, compressed: before_signing, encrypted: true, mdn: {mdn},
         content_type: application/EDIFACT}}
---
process: files-from-{other}
start:
  listen: oftp2-server
  operation:
    from: {{partner: {other}}}
    to: {{identity: us}}
    acknowledge: processed
    require: {{signed: true, encrypted: true}}
    tracking:
      - {{field: File, value: "{{{{oftp2.sfiddsn}}}}"}}
steps:
  - write: {{directory: {self.inbox}, name: "{{{{document.name}}}}"}}
---
process: messages-from-{other}
start:
  listen: as2-server
  operation:
    from: {{partner: {other}}}
    to: {{identity: us}}
    require: {{signed: true, encrypted: true}}
    tracking:
      - {{field: Message-ID, value: "{{{{as2.message_id}}}}"}}
steps:
  - write: {{directory: {self.inbox}, name: "{{{{document.name}}}}"}}
"""

    def documents(self, **filters):
        query = '&'.join(f'{k}={v}' for k, v in filters.items())
        return self.get(f'/api/v1/documents?{query}')['documents']

    def document(self, number):
        return self.get(f'/api/v1/documents/{number}')

    def logged(self, pattern):
        found = re.findall(pattern, self.log.read_text())
        return found[-1] if found else None


# ---- the story -----------------------------------------------------------------------------


def make_certificates(top, gateways):
    ca = top / 'ca'
    ca.mkdir()
    key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-sha256']
    openssl('req', '-x509', *key, '-keyout', 'ca.key', '-out', 'ca.crt', '-days', '2',
            '-subj', '/CN=Demo authority', '-addext', 'keyUsage=critical,keyCertSign', cwd=ca)
    for g in gateways:
        (ca / f'{g.name}.ext').write_text(
            'basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth,clientAuth\n'
            'subjectAltName=IP:127.0.0.1,DNS:localhost\n')
        openssl('req', *key, '-keyout', str(g.top / 'tls.key'), '-out', f'{g.name}.csr',
                '-subj', f'/CN={g.name}', cwd=ca)
        openssl('x509', '-req', '-in', f'{g.name}.csr', '-CA', 'ca.crt', '-CAkey', 'ca.key',
                '-CAcreateserial', '-days', '2', '-sha256', '-extfile', f'{g.name}.ext', '-out',
                str(g.top / 'tls.crt'), cwd=ca)
        # What signs, decrypts and authenticates: cipher suites of OFTP2 want RSA.
        (ca / f'{g.name}-files.ext').write_text(
            'basicConstraints=CA:FALSE\nkeyUsage=digitalSignature,keyEncipherment\n')
        openssl('req', '-newkey', 'rsa:2048', '-nodes', '-sha256', '-keyout',
                str(g.top / 'files.key'), '-out', f'{g.name}-files.csr', '-subj',
                f'/CN={g.name} files', cwd=ca)
        openssl('x509', '-req', '-in', f'{g.name}-files.csr', '-CA', 'ca.crt', '-CAkey', 'ca.key',
                '-CAcreateserial', '-days', '2', '-sha256', '-extfile', f'{g.name}-files.ext',
                '-out', str(g.top / 'files.crt'), cwd=ca)


def make_large(path, size, mark):
    """A file of `size` octets that looks like a very long message, no two segments alike."""
    with open(path, 'wb') as f:
        number, left = 0, size
        while left > 0:
            block = b''.join(b"LIN+%d++%s%09d:IN'\nQTY+21:%d:PCE'\n" %
                             (n, mark, n * 7919 % 999999937, n % 5000)
                             for n in range(number, number + 20000))
            # One block is made octet by octet, then repeated under numbers of its own.
            for again in range(16):
                piece = (b'RFF+%d-%d\n' % (number, again) + block)[:left]
                f.write(piece)
                left -= len(piece)
            number += 20000


def make_random(path, size):
    """Octets that do not compress, so that there is time to cut the transfer."""
    with open(path, 'wb') as f:
        for _ in range(size // 1000000):
            f.write(os.urandom(1000000))


def await_delivery(g, name, source):
    """Waits for the file in the inbox and compares the content."""
    path = g.inbox / name
    wait(path.exists, f'{path}')
    same = sha256(path) == source['sha256']
    say(f'{g.name}: {path.name} is in the inbox, {path.stat().st_size:,} octets, '
        f'SHA-256 {"the same" if same else "DIFFERENT"} ({source["sha256"][:16]}...)')
    if not same:
        raise Trouble(f'{path} differs from what was sent')


def source_of(path):
    return {'path': path, 'sha256': sha256(path)}


def cut_and_go_on(acme, plant, source):
    sent = json.loads(acme.run('--json', 'send', '--partner', 'plant-7', '--name', 'CUT.DAT',
                               source['path'], echo=False))['id']
    say(f'acme sends {source["path"].name} as document {sent}')
    connection = UnixConnection(plant.socket)
    goal = LARGE // 2

    def far_enough():
        connection.request('GET', '/api/v1/sessions')
        for s in json.loads(connection.getresponse().read())['sessions']:
            if s['document'] and s['done'] > goal:
                return s['done']
        if acme.document(sent)['state'] not in ('queued', 'sealed', 'sending'):
            raise Trouble('the transfer was over before it could be cut: try a larger DEMO_MB')
        return 0

    done = wait(far_enough, 'half of the file to be with plant-7', every=0.001)
    plant.kill9()
    connection.close()
    say(f'kill -9 of plant-7 when it had received {done:,} octets')
    d = wait(lambda: (lambda d: d if 'interrupted' in [e['kind'] for e in d['events']] else None)
             (acme.document(sent)), 'acme to notice')
    say(f'acme: document {sent} is {d["state"]}, kept to be sent on')
    plant.start()
    say('plant-7 is started again, on the data it had')
    wait(lambda: acme.document(sent)['state'] == 'acknowledged', 'the receipt of the cut file', 60)
    octet = plant.logged(r'oftp2\.file\.start .*dsn=CUT\.DAT.* from_octet=(\d+)')
    if not octet:
        raise Trouble('the file was sent from its beginning again')
    say(f'{BOLD}it went on from octet {int(octet):,}{OFF}: {int(octet) * 100 // LARGE} percent '
        'were not sent again')
    acme.run('show', sent)
    return sent


def refused(acme, plant, source):
    number = json.loads(acme.run('--json', 'send', '--partner', 'plant-7', '--destination', NOBODY,
                                 '--name', 'MISDIRECTED', source['path'], echo=False))['id']
    d = wait(lambda: (lambda d: d if d['state'] == 'failed' else None)(acme.document(number)),
             'the refusal')
    say(f'acme:    document {number} is {d["state"]}: {d["reason"]}')
    if not d['reason'].startswith('SFNA 02'):
        raise Trouble('that is not SFNA 02')
    line = plant.logged(r'(oftp2\.file\.refused .*)')
    say(f'plant-7: {line}')


def post(top, url, headers, body):
    """One request as any program could send it; gives status, header fields and body."""
    context = ssl.create_default_context(cafile=str(top / 'ca' / 'ca.crt'))
    address = urllib.parse.urlsplit(url)
    connection = http.client.HTTPSConnection(address.hostname, address.port, context=context,
                                             timeout=20)
    try:
        connection.request('POST', address.path, body, headers)
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    finally:
        connection.close()


def send_again(top, acme, plant, number):
    """The octets of a message that went before, posted by hand: the same Message-ID."""
    before = len(plant.documents(direction='in', limit=1000))
    headers = dict(line.split(': ', 1) for line in
                   acme.document(number)['properties']['as2.headers'].split('\r\n') if line)
    raw = top / 'again.raw'
    acme.run('download', number, '--raw', '-o', raw, echo=False)
    first = post(top, plant.as2_url, headers, raw.read_bytes())
    again = post(top, plant.as2_url, headers, raw.read_bytes())
    say(f'the octets of document {number} are posted twice more, Message-ID {headers["Message-ID"]}')
    say(f'HTTP {first[0]} and {again[0]}; the stored MDN comes back, octet for octet '
        f'{"the same" if first[2] == again[2] else "DIFFERENT"} ({len(again[2])} octets)')
    if first[0] != 200 or first[2] != again[2] or b'; processed\r\n' not in first[2]:
        raise Trouble('that is not the MDN of the first time')
    if len(plant.documents(direction='in', limit=1000)) != before:
        raise Trouble('the duplicate became a document')
    say(f'plant-7: {plant.logged("(as2.duplicate .*)")}')


def stranger(top, plant):
    status, _, body = post(top, plant.as2_url, {
        'AS2-Version': '1.2', 'AS2-From': 'MALLORY', 'AS2-To': AS2_IDS['plant-7'],
        'Message-ID': '<1@mallory>', 'Content-Type': 'application/EDIFACT',
        'Disposition-Notification-To': 'mallory'}, b'UNB+UNOC:3')
    say(f'AS2-From: MALLORY is answered HTTP {status}, {len(body)} octets')
    say(f'plant-7: {plant.logged("(as2.request.refused .*)")}')
    if status != 403:
        raise Trouble('a stranger was not refused')


def messages(top, acme, plant, sources):
    step('AS2: an order as a message, signed, compressed and encrypted; the signed MDN is in the answer')
    acme.run('send', '--partner', 'plant-7', '--protocol', 'as2', '--wait', 'order-as2.edi')
    await_delivery(plant, 'order-as2.edi', sources['order-as2.edi'])
    sent = acme.documents(direction='out', protocol='as2')[0]['id']
    acme.run('show', sent)

    step('AS2: an invoice the other way; the MDN comes later, in a request of its own')
    plant.run('send', '--partner', 'acme', '--protocol', 'as2', '--wait', 'invoice-as2.edi')
    await_delivery(acme, 'invoice-as2.edi', sources['invoice-as2.edi'])
    say(f'acme: {acme.logged("(as2.mdn.sent .*)")}')

    step('AS2: the same message again is answered with the stored MDN and not delivered again')
    send_again(top, acme, plant, sent)

    step('AS2: a stranger is refused')
    stranger(top, plant)


def balance(acme, plant, sources):
    """Compares both sides' books; gives the differences found."""
    wrong = []

    def settled():
        return not any(g.get('/api/v1/jobs')['jobs'] for g in (acme, plant))
    try:
        wait(settled, 'all jobs to end', 10)
    except Trouble:
        wrong.append('there are jobs left')
    for sender, receiver in (acme, plant), (plant, acme):
        out = [d for d in sender.documents(direction='out', limit=1000)
               if d['name'] != 'MISDIRECTED']
        received = {d['name']: d for d in receiver.documents(direction='in', limit=1000)
                    if d['state'] != 'refused'}
        for d in out:
            there = received.pop(d['name'], None)
            if d['state'] != 'acknowledged':
                wrong.append(f'{sender.name}: document {d["id"]} is {d["state"]}')
            if there is None or there['state'] != 'processed':
                wrong.append(f'{receiver.name}: {d["name"]} is '
                             f'{there["state"] if there else "missing"}')
                continue
            for g, number, state in (sender, d['id'], 'received'), (receiver, there['id'], 'sent'):
                receipts = g.document(number)['receipts']
                kind = 'MDN' if d['protocol'] == 'as2' else 'EERP'
                if [(r['kind'], r['state']) for r in receipts] != [(kind, state)]:
                    wrong.append(f'{g.name}: document {number} has receipts {receipts}')
            if sha256(receiver.inbox / d['name']) != sources[d['name']]['sha256']:
                wrong.append(f'{d["name"]} differs')
        wrong += [f'{receiver.name}: {name} was not sent by {sender.name}' for name in received]
    return wrong


def demonstrate(top):
    acme, plant = gateways = [Gateway(top, 'acme', 'plant-7'), Gateway(top, 'plant-7', 'acme')]
    running.extend(gateways)
    version = subprocess.run([WAYBILL, 'version'], capture_output=True, text=True).stdout
    print(f'{BOLD}Two gateways on this machine exchange files over OFTP2 and messages over AS2: TLS, secure\n'
          f'authentication, all of it signed, compressed and encrypted, receipts signed.{OFF}\n'
          f'{version.splitlines()[0] if version else ""}; everything lies below {top}')

    step('Certificates: one authority, for each gateway one for TLS and one for files')
    make_certificates(top, gateways)
    say('made with the openssl command; each side trusts the authority only')

    step('Both gateways start, and get to know each other with `waybill apply`')
    for g in gateways:
        g.start()
        say(f'{g.name}: pid {g.process.pid}, OFTP2 with TLS on 127.0.0.1:{g.port}, AS2 at {g.as2_url}')
    for g, other in (acme, plant), (plant, acme):
        (g.top / 'components.yaml').write_text(g.components(other.port, other.as2_url))
        g.run('apply', '-f', f'{g.name}/components.yaml')
    plant.run('listeners')
    acme.run('test', 'plant-7')

    codes = {'acme': CODES['acme'], 'plant': CODES['plant-7']}
    (top / 'orders.edi').write_text(ORDERS.format(**codes))
    (top / 'desadv.edi').write_text(DESADV.format(**codes))
    (top / 'order-as2.edi').write_text(ORDERS.format(**codes))
    (top / 'invoice-as2.edi').write_text(DESADV.format(**codes).replace('DESADV', 'INVOIC'))
    make_large(top / 'large.dat', LARGE, b'A')
    make_random(top / 'cut.dat', LARGE)
    sources = {'ORDERS.EDI': source_of(top / 'orders.edi'),
               'DESADV.EDI': source_of(top / 'desadv.edi'),
               'LARGE.DAT': source_of(top / 'large.dat'), 'CUT.DAT': source_of(top / 'cut.dat'),
               'order-as2.edi': source_of(top / 'order-as2.edi'),
               'invoice-as2.edi': source_of(top / 'invoice-as2.edi')}

    step('An order goes from acme to plant-7; the receipt (EERP) comes back when it is processed')
    acme.run('send', '--partner', 'plant-7', '--wait', 'orders.edi')
    await_delivery(plant, 'ORDERS.EDI', sources['ORDERS.EDI'])

    step('A despatch advice goes the other way')
    plant.run('send', '--partner', 'acme', '--wait', 'desadv.edi')
    await_delivery(acme, 'DESADV.EDI', sources['DESADV.EDI'])

    step(f'A file of {LARGE // 1000000} MB; memory does not grow with it')
    clock = time.monotonic()
    acme.run('send', '--partner', 'plant-7', '--wait', 'large.dat')
    clock = time.monotonic() - clock
    await_delivery(plant, 'LARGE.DAT', sources['LARGE.DAT'])
    memory = [int(re.search(r'VmHWM:\s+(\d+)', pathlib.Path(f'/proc/{g.process.pid}/status')
                            .read_text()).group(1)) // 1024 for g in gateways]
    say(f'{clock:.1f} s from hand-over to receipt, with four copies on disk; peak memory '
        f'{memory[0]} MB (acme), {memory[1]} MB (plant-7)')

    step('A file for a destination that plant-7 does not know is refused, with the reason')
    refused(acme, plant, sources['ORDERS.EDI'])

    step('plant-7 loses its power in the middle of a transfer; the file goes on where it was')
    cut_and_go_on(acme, plant, sources['CUT.DAT'])
    await_delivery(plant, 'CUT.DAT', sources['CUT.DAT'])

    messages(top, acme, plant, sources)

    step('What both sides have in their books')
    wrong = balance(acme, plant, sources)
    for g in gateways:
        g.run('documents')
        g.run('receipts')
        print()
    if wrong:
        raise Trouble('the books do not agree:\n   ' + '\n   '.join(wrong))
    print(f'{BOLD}Everything balanced{OFF}: 6 documents sent, 6 processed, 6 receipts given and taken, '
          f'1 file and 1 stranger refused as they should; {time.monotonic() - begun:.0f} s.')


running = []


def main():
    if not os.access(WAYBILL, os.X_OK):
        sys.exit(f'{WAYBILL} is not there: build it first, with `make`')
    if shutil.which('openssl') is None:
        sys.exit('the openssl command is missing: `scripts/install-deps.sh build` installs it')
    top = pathlib.Path(tempfile.mkdtemp(prefix='waybill-demo-'))
    need = 9 * LARGE + (100 << 20)
    keep = os.environ.get('KEEP', '') not in ('', '0')
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))
    status = 1
    try:
        if shutil.disk_usage(top).free < need:
            sys.exit(f'{top.parent} has not the {need / 1e9:.1f} GB this takes: set TMPDIR to a '
                     'directory with more room, or DEMO_MB to less than 200')
        demonstrate(top)
        status = 0
    except KeyboardInterrupt:
        print('\ninterrupted')
        status = 130
    except Trouble as e:
        print(f'\n{BOLD}It failed:{OFF} {e}')
        for g in running:
            if g.log.exists():
                print(f'--- the end of the log of {g.name}')
                shown('\n'.join(g.log.read_text().splitlines()[-15:]))
    finally:
        # A second Ctrl-C must not leave a gateway behind.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for g in running:
            g.stop()
        if keep:
            print(f'kept: {top}')
        else:
            shutil.rmtree(top, ignore_errors=True)
    return status


if __name__ == '__main__':
    sys.exit(main())
