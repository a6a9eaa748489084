"""Certificates in the runtime: imported with their keys sealed in the store, listed, exported, rolled
over, revoked, and trusted through authorities."""

import datetime
import os
import pathlib
import re
import sqlite3
import ssl
import subprocess

import pytest

import oftp
import waybill
from scene import apply, post

BOTH = 'digitalSignature,keyEncipherment'


def openssl(*args, data=None):
    result = subprocess.run(['openssl', *map(str, args)], input=data, capture_output=True)
    assert result.returncode == 0, result.stderr.decode()
    return result.stdout


def stamp(days=0, seconds=0):
    at = datetime.datetime.utcnow() + datetime.timedelta(days=days, seconds=seconds)
    return at.strftime('%Y%m%d%H%M%SZ')


@pytest.fixture(scope='module')
def ca(tmp_path_factory):
    return waybill.Authority(tmp_path_factory.mktemp('ca'), algorithm='rsa:2048')


@pytest.fixture
def gateway(tmp_path):
    with waybill.Gateway(tmp_path / 'plant', settings={'runtime': {'crl_check': '1s'}}) as g:
        yield g


def listed(gateway, name, number=1):
    for c in gateway.cli('certificates', 'list')['certificates']:
        if (c['name'], c['number']) == (name, number):
            return c
    raise AssertionError(f'{name} {number} is not in the list')


def store_key(gateway):
    return gateway.data / 'keys' / 'store.key'


def everything_kept(gateway):
    """All octets below the data directory, and the log."""
    files = [p for p in gateway.data.rglob('*') if p.is_file() and p != store_key(gateway)]
    assert any(p.name == 'waybill.db-wal' for p in files)
    return b''.join(p.read_bytes() for p in files) + gateway.log_file.read_bytes()


def secret_parts(key_file):
    """What of a key must not be found anywhere: primes and exponent, in octets, hex and PEM."""
    text = openssl('pkey', '-in', key_file, '-noout', '-text').decode()
    for name in ('privateExponent', 'prime1', 'prime2', 'exponent1', 'coefficient'):
        digits = re.search(name + r':\s*((?:\s+[0-9a-f:]+\n?)+)', text).group(1)
        octets = bytes.fromhex(re.sub(r'[^0-9a-f]', '', digits))
        yield octets[2:34]
        yield octets[2:34].hex().encode()
        yield octets[2:34].hex().upper().encode()
    lines = pathlib.Path(key_file).read_text().splitlines()[1:-1]
    yield from (line.encode() for line in lines if len(line) == 64 and line != lines[0])


def forms(cert, where):
    """The arguments to import it from each kind of file."""
    der, p12, both = where / 'c.der', where / 'c.p12', where / 'both.pem'
    locked, key_der = where / 'locked.pem', where / 'key.der'
    password = where / 'password'
    password.write_text('correct horse\n')
    der.write_bytes(openssl('x509', '-in', cert.cert, '-outform', 'DER'))
    key_der.write_bytes(openssl('pkey', '-in', cert.key, '-outform', 'DER'))
    p12.write_bytes(openssl('pkcs12', '-export', '-in', cert.cert, '-inkey', cert.key,
                            '-passout', f'file:{password}'))
    locked.write_bytes(openssl('pkey', '-in', cert.key, '-aes256', '-passout',
                               f'file:{password}'))
    both.write_text(pathlib.Path(cert.key).read_text() + cert.pem())
    opens = ('--password-file', password)
    return {'pem': (cert.cert, '--key', cert.key), 'der': (der, '--key', key_der),
            'pkcs12': (p12, *opens), 'locked': (cert.cert, '--key', locked, *opens),
            'one-file': (both,)}


# ---- import ---------------------------------------------------------------------------------


@pytest.mark.parametrize('form', ['pem', 'der', 'pkcs12', 'locked', 'one-file'])
def test_an_imported_key_is_used_and_never_kept_in_the_clear(gateway, ca, tmp_path, form):
    cert = ca.issue(f'us-{form}', key_usage=BOTH)
    answer = gateway.cli('certificates', 'import', 'our-sign', *forms(cert, tmp_path)[form])
    assert answer['has_key'] and answer['version'] == 1 and answer['problem'] == ''
    got = listed(gateway, 'our-sign')
    assert got['state'] == 'ok' and got['has_key'] and got['where'] == 'store'
    assert store_key(gateway).stat().st_mode & 0o777 == 0o600
    assert store_key(gateway).parent.stat().st_mode & 0o777 == 0o700
    assert len(store_key(gateway).read_bytes()) == 32
    text = gateway.cli('get', 'certificate', 'our-sign', json_output=False)
    assert 'sealed_key' in text and 'PRIVATE KEY' not in text
    kept = everything_kept(gateway) + text.encode()
    for secret in secret_parts(cert.key):
        assert secret not in kept
    assert b'PRIVATE KEY' not in kept and b'correct horse' not in kept
    # it works, and is still there after a restart
    gateway.restart()
    assert listed(gateway, 'our-sign')['has_key']
    out = tmp_path / 'out.pem'
    gateway.cli('certificates', 'export', 'our-sign', '--with-key', '--password-stdin', '--out',
                out, stdin='long enough\n', json_output=False)
    assert openssl('pkey', '-in', out, '-passin', 'pass:long enough') == \
        openssl('pkey', '-in', cert.key)


def test_the_store_key_may_lie_elsewhere(tmp_path, ca):
    key = tmp_path / 'mounted' / 'waybill.key'
    with waybill.Gateway(tmp_path / 'g', settings={'runtime': {'key_file': str(key)}}) as g:
        key.parent.mkdir()
        key.write_bytes(os.urandom(32))
        key.chmod(0o640)
        c = ca.issue('elsewhere')
        g.cli('certificates', 'import', 'c', c.cert, '--key', c.key)
        assert not store_key(g).exists()
        g.wait_log(r'store\.key\.readable.*waybill\.key')
        assert listed(g, 'c')['has_key']


def test_a_certificate_without_key_is_imported_and_a_renewal_finds_its_key(gateway, ca):
    c = ca.issue('renewed')
    gateway.cli('certificates', 'import', 'theirs', c.cert)
    assert not listed(gateway, 'theirs')['has_key']
    gateway.cli('certificates', 'import', 'ours', c.cert, '--key', c.key)
    answer = gateway.cli('certificates', 'import', 'ours', c.cert)
    assert answer['has_key'], 'the key of the certificate was there already'


@pytest.mark.parametrize('form', ['DER', 'PEM'])
def test_a_bag_of_certificates_is_shown_and_imported(gateway, ca, tmp_path, form):
    """What authorities send: .p7b, the issuer first; with our key when it is the answer to a request."""
    c, bag = ca.issue(f'bag-{form}'), tmp_path / 'c.p7b'
    openssl('crl2pkcs7', '-nocrl', '-certfile', ca.cert, '-certfile', c.cert, '-outform', form,
            '-out', bag)
    assert [s['subject'] for s in gateway.cli('certificates', 'show', bag)] == [
        f'CN=bag-{form}', 'CN=Test CA']
    assert not gateway.cli('certificates', 'import', 'theirs', bag)['has_key']
    assert listed(gateway, 'theirs')['subject'] == f'CN=bag-{form}'
    assert gateway.cli('certificates', 'import', 'ours', bag, '--key', c.key)['has_key']
    assert gateway.cli('get', 'certificate', 'ours', json_output=False).count('BEGIN CERT') == 2
    # a component cannot name such a file: it is told which way to go
    apply(gateway, {'certificate': 'by-file', 'file': bag})
    assert 'certificates import' in listed(gateway, 'by-file')['problem']


def test_what_is_in_a_pkcs12_file_is_shown_with_its_password(gateway, ca, tmp_path):
    c = ca.issue('shown')
    p12, *password = forms(c, tmp_path)['pkcs12']
    assert gateway.cli('certificates', 'show', p12, *password)[0]['subject'] == 'CN=shown'
    said = gateway.cli('certificates', 'show', p12, check=None)
    assert said.returncode == 1 and '--password-file' in said.stderr


def test_importing_again_replaces_the_certificate_and_keeps_the_settings(gateway, ca, tmp_path):
    first, second, third = (ca.issue(f'c{i}') for i in range(3))
    apply(gateway, {'certificate': 'ca', 'file': ca.cert},
          {**first.component('c'), 'trust': 'ca', 'also': [{'file': third.cert}]})
    gateway.cli('certificates', 'import', 'c', second.cert, '--key', second.key)
    assert listed(gateway, 'c')['subject'] == 'CN=c1' and listed(gateway, 'c')['where'] == 'store'
    assert listed(gateway, 'c', 2)['subject'] == 'CN=c2'
    text = gateway.cli('get', 'certificate', 'c', json_output=False)
    assert 'trust: "ca"' in text and first.key not in text


@pytest.mark.parametrize('what,why', [
    ('wrong-key', 'does not belong'), ('wrong-password', 'password'), ('no-password', 'pass phrase'),
    ('no-certificate', 'no certificate'), ('garbage', 'damaged'), ('name', 'must be 1 to 64'),
    ('both-passwords', 'give one'), ('missing', 'No such file')])
def test_what_cannot_be_imported_is_refused_and_nothing_changes(gateway, ca, tmp_path, what, why):
    c, other = ca.issue('one'), ca.issue('other')
    f = forms(c, tmp_path)
    bad = tmp_path / 'bad'
    bad.write_text('another horse\n')
    garbage = tmp_path / 'garbage'
    garbage.write_bytes(b'\x30\x82\x01\x00' + os.urandom(300))
    args = {'wrong-key': ('c', c.cert, '--key', other.key),
            'wrong-password': ('c', f['pkcs12'][0], '--password-file', bad),
            'no-password': ('c', c.cert, '--key', f['locked'][2]),
            'no-certificate': ('c', c.key), 'garbage': ('c', garbage), 'name': ('A b', c.cert),
            'both-passwords': ('c', c.cert, '--password-file', bad, '--password-stdin'),
            'missing': ('c', tmp_path / 'nothing')}[what]
    r = gateway.cli('certificates', 'import', *args, check=None)
    assert r.returncode == 1 and why in r.stderr, r.stderr
    assert gateway.cli('certificates', 'list')['certificates'] == []
    assert not store_key(gateway).exists()


def test_bodies_that_are_no_import_are_refused(gateway):
    for body in (b'', b'[]', b'{', b'{"certificate": "*"}', b'{"certificate": 7}',
                 b'{"certificate": "AAAA"}', b'{"certificate": "===="}', b'{"key": "x"}'):
        status, answer = gateway.request('POST', '/api/v1/certificates/c/import', body)
        assert status in (400, 422) and b'error' in answer, (body, status, answer)
    status, _ = gateway.request('POST', '/api/v1/certificates/c/import', b'x' * 5_000_000)
    assert status == 413


def test_a_key_in_the_component_itself_is_refused_with_the_way_to_go(gateway, ca):
    c = ca.issue('clear')
    text = waybill.to_yaml({'certificate': 'c', 'pem': c.pem() + pathlib.Path(c.key).read_text()})
    r = gateway.apply(text, check=None)
    assert r.returncode == 1 and 'certificates import' in r.stderr
    assert b'PRIVATE KEY' not in everything_kept(gateway)


# ---- the store key --------------------------------------------------------------------------


@pytest.mark.parametrize('how', ['another', 'missing', 'short'])
def test_a_wrong_store_key_is_named_and_the_right_one_cures_it(gateway, ca, how):
    c = ca.issue('ours')
    gateway.cli('certificates', 'import', 'c', c.cert, '--key', c.key)
    right = store_key(gateway).read_bytes()
    gateway.stop()
    if how == 'missing':
        store_key(gateway).unlink()
    else:
        store_key(gateway).write_bytes(os.urandom(32 if how == 'another' else 31))
    gateway.start()
    line = gateway.wait_log(r'certificate\.unusable')[-1]
    assert str(store_key(gateway)) in line and 'runtime.key_file' in line
    got = listed(gateway, 'c')
    assert got['state'] == 'unusable' and str(store_key(gateway)) in got['problem']
    if how == 'missing':
        r = gateway.cli('certificates', 'import', 'd', c.cert, '--key', c.key, check=None)
        assert r.returncode == 1 and 'is missing' in r.stderr
        assert not store_key(gateway).exists(), 'no second key is made over a lost one'
    store_key(gateway).write_bytes(right)
    gateway.cli('reload')
    assert listed(gateway, 'c')['state'] == 'ok'


def test_a_sealed_key_opens_under_its_own_name_only(gateway, ca):
    c = ca.issue('ours')
    gateway.cli('certificates', 'import', 'c', c.cert, '--key', c.key)
    text = gateway.cli('get', 'certificate', 'c', json_output=False)
    gateway.apply(text[text.index('certificate:'):].replace('certificate: "c"',
                                                            'certificate: "d"', 1))
    assert 'another name' in listed(gateway, 'd')['problem']
    assert listed(gateway, 'c')['state'] == 'ok'


# ---- list -----------------------------------------------------------------------------------


def test_the_list_says_state_days_key_and_users(gateway, ca, tmp_path):
    made = {'fine': ca.issue('fine'), 'soon': ca.issue('soon', end=stamp(days=12, seconds=3600)),
            'old': ca.expired('old'), 'future': ca.issue('future', start=stamp(days=2))}
    apply(gateway, *(c.component(n) for n, c in made.items()),
          {'certificate': 'text', 'pem': made['fine'].pem()},
          {'certificate': 'gone', 'file': '/nowhere/at-all.pem'},
          {'partner': 'acme', 'oftp2': {'odette_id': 'OACME', 'password': 'PW',
                                        'encryption_certificate': 'fine',
                                        'signature_verification_certificate': 'fine'}})
    by = {c['name']: c for c in gateway.cli('certificates', 'list')['certificates']}
    assert {n: c['state'] for n, c in by.items()} == {
        'fine': 'ok', 'text': 'ok', 'soon': 'expires', 'old': 'expired', 'future': 'not yet valid',
        'gone': 'unusable'}
    assert by['soon']['days_left'] == 12 and by['old']['days_left'] < 0
    assert by['fine']['used_by'] == ['partner acme: signature_verification_certificate',
                                     'partner acme: encryption_certificate']
    assert (by['fine']['where'], by['text']['where']) == ('file', 'store')
    assert (by['fine']['has_key'], by['text']['has_key']) == (True, False)
    assert 'at-all.pem' in by['gone']['problem']
    table = gateway.cli('certificates', 'list', json_output=False)
    assert re.search(r'^soon +1 +CN=soon .* 12 +expires +yes +file', table, re.M), table
    assert 'partner acme' in table and 'gone 1: cannot open' in table
    metrics = gateway.request('GET', '/metrics')[1].decode()
    assert 'waybill_certificate_days_left{certificate="soon"} 12' in metrics


@pytest.mark.parametrize('days,level', [(29, 'WARN'), (13, 'WARN'), (2, 'ERROR'), (40, None)])
def test_the_log_warns_before_a_certificate_ends(gateway, ca, days, level):
    apply(gateway, ca.issue(f'in-{days}', end=stamp(days=days, seconds=3600)).component('c'))
    if level is None:
        assert not gateway.log_lines('certificate.expires')
        return
    line, = gateway.wait_log(rf'certificate\.expires certificate=c .*days_left={days}')
    assert level in line.upper() and 'import' in line
    gateway.cli('reload')
    gateway.wait_log('runtime.reloaded')
    assert len(gateway.log_lines(r'certificate\.expires')) == 1, 'said once, not with each reload'


def test_a_certificate_with_a_newer_one_beside_it_ends_in_peace(gateway, ca):
    soon, new = ca.issue('soon', end=stamp(days=2)), ca.issue('new')
    apply(gateway, {**soon.component('c'), 'also': [{'file': new.cert}]})
    metrics = gateway.request('GET', '/metrics')[1].decode()
    assert re.search(r'waybill_certificate_days_left\{certificate="c"\} 36\d', metrics)
    assert not gateway.log_lines('certificate.expires')
    assert listed(gateway, 'c')['state'] == 'expires'


# ---- export ---------------------------------------------------------------------------------


def audit(gateway):
    with sqlite3.connect(f'file:{gateway.data}/waybill.db?mode=ro', uri=True) as db:
        return [f'{who}: {what}' for who, what in db.execute('SELECT who, what FROM audit')]


def test_export_gives_the_public_part_and_the_key_only_with_a_password(gateway, ca, tmp_path):
    c = ca.issue('ours', key_usage=BOTH)
    chain = tmp_path / 'chain.pem'
    chain.write_text(c.pem() + ca.pem())
    gateway.cli('certificates', 'import', 'c', chain, '--key', c.key)
    plain = gateway.cli('certificates', 'export', 'c', json_output=False)
    assert plain.count('BEGIN CERTIFICATE') == 1 and 'KEY' not in plain
    both = gateway.cli('certificates', 'export', 'c', '--chain', json_output=False)
    assert both.count('BEGIN CERTIFICATE') == 2
    assert not [line for line in audit(gateway) if 'export' in line]
    for args, stdin in (((), ''), (('--password-stdin',), ''), (('--password-stdin',), 'short\n')):
        r = gateway.cli('certificates', 'export', 'c', '--with-key', *args, stdin=stdin, check=None)
        assert r.returncode in (1, 2) and 'BEGIN' not in r.stdout, r
    assert not [line for line in audit(gateway) if 'export' in line]
    out = tmp_path / 'c.p12'
    gateway.cli('certificates', 'export', 'c', '--pkcs12', '--password-stdin', '--out', out,
                stdin='long enough\n', json_output=False)
    assert out.stat().st_mode & 0o777 == 0o600
    inside = openssl('pkcs12', '-in', out, '-passin', 'pass:long enough', '-nodes')
    assert inside.count(b'BEGIN CERTIFICATE') == 2
    assert openssl('pkey', data=inside) == openssl('pkey', '-in', c.key)
    lines = [line for line in audit(gateway) if 'export private key of certificate c' in line]
    assert len(lines) == 1 and f'local:{os.getuid()}:' in lines[0]
    r = gateway.cli('certificates', 'export', 'c', '--out', out, check=None, json_output=False)
    assert r.returncode == 1 and 'exists' in r.stderr, 'never over another file'
    assert 'long enough' not in gateway.log()


def test_export_names_what_is_not_there(gateway, ca):
    c = ca.issue('public only')
    apply(gateway, c.component('c', key=False))
    for args, why in ((('x',), "no certificate 'x'"), (('c', '--number', '2'), 'has no number 2'),
                      (('c', '--with-key', '--password-stdin'), 'has no private key')):
        r = gateway.cli('certificates', 'export', *args, stdin='long enough\n', check=None)
        assert r.returncode == 1 and why in r.stderr, r.stderr


# ---- roll-over ------------------------------------------------------------------------------


class Sides:
    """acme signs and encrypts for plant; both know each other's certificates by import."""

    def __init__(self, acme, plant, where, **theirs):
        self.acme, self.plant, self.inbox = acme, plant, where / 'inbox'
        self.inbox.mkdir()
        apply(acme, {'identity': 'us', 'oftp2': {'odette_id': 'OACME', 'password': 'PWA',
                                                 'signing_certificate': 'acme'}},
              {'partner': 'plant', 'oftp2': {
                  'odette_id': 'OPLANT', 'password': 'PWB', 'host': '127.0.0.1',
                  'port': plant.port, 'identity': 'us', 'encryption_certificate': 'plant',
                  'acknowledgment_verification_certificate': 'plant',
                  'send': {'signed': True, 'encrypted': True, 'signed_receipt': True},
                  'retry': {'first': '100ms', 'max': '200ms'}}})
        apply(plant, {'identity': 'us', 'oftp2': {
                  'odette_id': 'OPLANT', 'password': 'PWB', 'decryption_certificate': 'plant',
                  'acknowledgment_signing_certificate': 'plant'}},
              {'partner': 'acme', 'oftp2': {'odette_id': 'OACME', 'password': 'PWA',
                                            'signature_verification_certificate': 'acme'}},
              {'process': 'in', 'start': {'listen': 'oftp2-server', 'operation': {
                  'from': {'partner': 'acme'}, 'to': {'identity': 'us'},
                  'require': {'signed': True, 'encrypted': True}}},
               'steps': [{'write': {'directory': str(self.inbox), 'existing': 'number'}}]})

    def send(self, *states):
        n = post(self.acme, '/api/v1/documents?partner=plant&name=DATA', status=201,
                 body=b'some EDI')['id']

        def there():
            d = self.acme.get(f'/api/v1/documents/{n}')
            return d if d['state'] in (states or ('acknowledged',)) else None
        try:
            return waybill.wait_until(there, 20, f'document {n}')
        except AssertionError:
            print(self.acme.get(f'/api/v1/documents/{n}'), self.plant.log()[-3000:])
            raise

    def recipient(self, d):
        """The serial number the sealed file is encrypted to."""
        raw = self.acme.request('GET', f'/api/v1/documents/{d["id"]}/raw')[1]
        text = openssl('cms', '-cmsout', '-print', '-noout', '-inform', 'DER', data=raw).decode()
        return int(re.search(r'serialNumber: (0x[0-9A-F]+|\d+)', text).group(1), 0)

    def signer(self, d, key):
        raw = self.acme.request('GET', f'/api/v1/documents/{d["id"]}/raw')[1]
        inner = openssl('cms', '-decrypt', '-binary', '-inform', 'DER', '-inkey', key, data=raw)
        text = openssl('cms', '-cmsout', '-print', '-noout', '-inform', 'DER', data=inner).decode()
        text = text[text.index('signerInfos:'):]
        return int(re.search(r'serialNumber: (0x[0-9A-F]+|\d+)', text).group(1), 0)


def serial(cert):
    return int(openssl('x509', '-in', cert.cert, '-noout', '-serial').decode().split('=')[1], 16)


def test_a_roll_over_has_no_gap(tmp_path, ca):
    """Old and new accepted, the current one signs, the newest is encrypted to."""
    issue = lambda n, **o: ca.issue(n, key_usage=BOTH, **o)
    a1, a2 = issue('acme-1', start=stamp(days=-400), end=stamp(days=20)), issue('acme-2')
    p1, p2 = issue('plant-1', start=stamp(days=-400), end=stamp(days=20)), issue('plant-2')
    done = issue('acme-0', start=stamp(days=-800), end=stamp(days=-1))
    with waybill.Gateway(tmp_path / 'acme', 'acme') as acme, \
            waybill.Gateway(tmp_path / 'plant') as plant:
        for g, name, c, key in ((acme, 'acme', a1, True), (acme, 'plant', p1, False),
                                (plant, 'plant', p1, True), (plant, 'acme', a1, False)):
            g.cli('certificates', 'import', name, c.cert, *(['--key', c.key] if key else []))
        s = Sides(acme, plant, tmp_path)
        d = s.send()
        assert (s.recipient(d), s.signer(d, p1.key)) == (serial(p1), serial(a1))
        # plant gets its next key first, then tells acme: p2 is encrypted to at once
        plant.cli('certificates', 'import', 'plant', p2.cert, '--key', p2.key, '--next')
        d = s.send()
        assert s.recipient(d) == serial(p1), 'acme does not know the new one yet'
        acme.cli('certificates', 'import', 'plant', p2.cert, '--next')
        d = s.send()
        assert (s.recipient(d), s.signer(d, p2.key)) == (serial(p2), serial(a1))
        # acme's next signature: the current one signs until it ends
        plant.cli('certificates', 'import', 'acme', a2.cert, '--next')
        acme.cli('certificates', 'import', 'acme', a2.cert, '--key', a2.key, '--next')
        d = s.send()
        assert s.signer(d, p2.key) == serial(a1)
        assert [listed(acme, 'acme', n)['subject'] for n in (1, 2)] == ['CN=acme-1', 'CN=acme-2']
        r = acme.cli('certificates', 'import', 'acme', a2.cert, '--next', check=None)
        assert r.returncode == 1 and 'already' in r.stderr
        r = acme.cli('certificates', 'import', 'nobody', a2.cert, '--next', check=None)
        assert r.returncode == 1 and 'without --next' in r.stderr
        # the first one has ended: the next one signs
        acme.cli('certificates', 'import', 'acme', done.cert, '--key', done.key)
        d = s.send()
        assert s.signer(d, p2.key) == serial(a2)
        assert listed(acme, 'acme')['state'] == 'expired'
        # what both sealed survives a restart
        acme.restart()
        plant.restart()
        s.send()


# ---- authorities ----------------------------------------------------------------------------


def intermediate(ca, where, name='Intermediate'):
    """An authority below ca, in a directory of its own."""
    sub = waybill.Authority(where, name, algorithm='rsa:2048')
    request = where / 'sub.csr'
    (where / 'sub.ext').write_text('basicConstraints = critical,CA:TRUE\n'
                                   'keyUsage = critical,keyCertSign,cRLSign\n')
    sub._openssl('req', '-new', '-key', sub.key, '-subj', f'/CN={name}', '-out', str(request))
    ca._openssl('ca', '-batch', '-notext', '-config', 'ca.cnf', '-in', str(request), '-out',
                sub.cert, '-extfile', str(where / 'sub.ext'), '-days', '365')
    return sub


def test_a_certificate_must_come_from_the_authority_it_is_configured_with(gateway, ca, tmp_path):
    sub = intermediate(ca, tmp_path / 'sub')
    other = waybill.Authority(tmp_path / 'other', 'Other CA', algorithm='rsa:2048')
    good, below, strange = ca.issue('good'), sub.issue('below'), other.issue('strange')
    chain = tmp_path / 'chain.pem'
    chain.write_text(below.pem() + sub.pem())
    with_trust = lambda n, f: {'certificate': n, 'file': str(f), 'trust': 'ca'}
    apply(gateway, {'certificate': 'ca', 'file': ca.cert}, with_trust('good', good.cert),
          with_trust('chain', chain), with_trust('no-chain', below.cert),
          with_trust('strange', strange.cert))
    by = {c['name']: c for c in gateway.cli('certificates', 'list')['certificates']}
    assert {n: c['state'] for n, c in by.items()} == {
        'ca': 'ok', 'good': 'ok', 'chain': 'ok', 'no-chain': 'unusable', 'strange': 'unusable'}
    assert "does not come from 'ca' (trust)" in by['strange']['problem']
    assert 'certificate good: trust' in by['ca']['used_by']
    r = gateway.cli('delete', 'certificate', 'ca', check=None)
    assert r.returncode == 1, 'what others trust is not deleted'


@pytest.fixture(scope='module')
def house(tmp_path_factory):
    """A gateway, and an authority with an intermediate one and a stranger."""
    where = tmp_path_factory.mktemp('house')
    ca = waybill.Authority(where / 'ca', 'House CA', algorithm='rsa:2048')
    sub = intermediate(ca, where / 'sub', 'House Sub')
    other = waybill.Authority(where / 'other', 'Other CA', algorithm='rsa:2048')
    with waybill.Gateway(where / 'plant', settings={'runtime': {'crl_check': '1s'}}) as g:
        g.ca, g.sub, g.other, g.number = ca, sub, other, 0
        yield g


def signed_file(house, where, component, signer, *inside):
    """The document made of a file whose signature brings the certificates `inside`; `component`:
    settings of signature_verification_certificate."""
    house.number += 1
    n = house.number
    inbox = where / f'in-{n}'
    inbox.mkdir()
    apply(house, {'certificate': f'sign-{n}', **component},
          {'identity': f'us-{n}', 'oftp2': {'odette_id': f'OPLANT{n}', 'password': 'PWB'}},
          {'partner': f'acme-{n}', 'oftp2': {
              'odette_id': f'OACME{n}', 'password': 'PWA',
              'signature_verification_certificate': f'sign-{n}'}},
          {'process': f'in-{n}', 'start': {'listen': 'oftp2-server', 'operation': {
              'from': {'partner': f'acme-{n}'}, 'to': {'identity': f'us-{n}'}}},
           'steps': [{'write': {'directory': str(inbox)}}]})
    (where / 'in').write_bytes(b'some EDI')
    (where / 'inside.pem').write_text(''.join(c.pem() for c in inside))
    more = ['-certfile', where / 'inside.pem'] if inside else []
    data = openssl('cms', '-sign', '-binary', '-nodetach', '-outform', 'DER', '-in', where / 'in',
                   '-signer', signer.cert, '-inkey', signer.key, '-nocerts', *more)
    with oftp.Peer.connect('127.0.0.1', house.port, f'OACME{n}', 'PWA') as me:
        me.log_on()
        assert me.send_file(oftp.File(data, sec=2, env=1, ciph=4, dsn='DATA', orig=f'OACME{n}',
                                      dest=f'OPLANT{n}')).taken
        me.run()

    def there():
        found = house.get(f'/api/v1/documents?partner=acme-{n}')['documents']
        return next((d for d in found if d['state'] in ('processed', 'refused')), None)
    d = waybill.wait_until(there, 20)
    assert (d['state'] == 'processed') == bool(list(inbox.iterdir()))
    return d['state']


def authority(*certs, to='CN=acme*', where=None, **more):
    text = ''.join(c.pem() for c in certs)
    return {'pem': text, **({'issued_to': to} if to else {}), **more}


def test_an_authority_answers_for_the_signer_it_is_configured_for(house, tmp_path):
    """The certificate of the signer comes with the message; trust comes from `issued_to`."""
    ca, sub, other = house.ca, house.sub, house.other
    acme, below = ca.issue('acme one'), sub.issue('acme two')
    evil, strange = ca.issue('evil'), other.issue('acme one')
    old, no_sign = ca.expired('acme old'), ca.issue('acme enc', key_usage='keyEncipherment')
    file = lambda *a, **k: signed_file(house, tmp_path, *a, **k)
    assert file(authority(ca), acme, acme) == 'processed'
    assert file(authority(ca), below, below, sub) == 'processed', 'with the intermediate inside'
    assert file(authority(ca, sub), below, below) == 'processed', 'with the intermediate here'
    assert file(authority(sub), below, below) == 'processed'
    assert file(authority(ca), below, below) == 'refused', 'the intermediate is nowhere'
    assert file(authority(sub), acme, acme) == 'refused', 'issued by another than the one named'
    assert file(authority(ca, to=None), acme, acme) == 'refused', 'only the certificate itself'
    assert file(authority(ca), evil, evil) == 'refused', 'issued to somebody else'
    assert file(authority(ca), strange, strange, other) == 'refused', 'its authority came with it'
    assert file(authority(ca), old, old) == 'refused'
    assert file(authority(ca), no_sign, no_sign) == 'refused'
    assert file(authority(ca), acme) == 'refused', 'the certificate is nowhere'
    assert file(authority(acme, to=None), acme) == 'processed', 'pinned'
    assert file(authority(below, to='*'), acme, acme) == 'refused', 'no authority at all'
    assert len(house.log_lines(r'certificate\.signer_refused.*issued_to')) == 1


def test_a_name_that_only_looks_like_the_partner_does_not_fit(house, tmp_path):
    forged = house.ca.issue('evil, CN=acme')
    assert signed_file(house, tmp_path, authority(house.ca, to='*CN=acme'), forged,
                       forged) == 'refused'
    house.wait_log(r'certificate\.signer_refused.*evil.*issued_to')


def test_a_signer_whom_the_authority_revoked_is_refused(house, tmp_path):
    """OFTP2-C142 where trust comes from an authority."""
    acme, lists = house.ca.issue('acme three'), Lists(house.ca, tmp_path / 'crl.pem')
    lists.write()
    component = authority(house.ca, crl_file=str(lists.path))
    assert signed_file(house, tmp_path, component, acme, acme) == 'processed'
    lists.write(acme)
    house.cli('reload')
    assert signed_file(house, tmp_path, component, acme, acme) == 'refused'
    house.wait_log(r'certificate\.signer_refused.*acme three.*revoked')


# ---- revocation -----------------------------------------------------------------------------


class Lists:
    def __init__(self, ca, path):
        self.ca, self.path = ca, path

    def write(self, *revoke, seconds=5 * 86400):
        for cert in revoke:
            self.ca._openssl('ca', '-config', 'ca.cnf', '-revoke', cert.cert)
        new = self.path.with_suffix('.new')
        self.ca._openssl('ca', '-config', 'ca.cnf', '-gencrl', '-crlsec', str(seconds), '-out',
                         str(new))
        new.rename(self.path)


def test_a_renewed_list_is_read_without_a_reload(gateway, ca, tmp_path):
    """OFTP2-C142: a certificate revoked between two sessions is refused after the refresh."""
    lists, c = Lists(ca, tmp_path / 'crl.pem'), ca.issue('revocable')
    lists.write()
    apply(gateway, {**c.component('c'), 'crl_file': str(lists.path)})
    assert listed(gateway, 'c')['state'] == 'ok'
    lists.write(c)
    waybill.wait_until(lambda: listed(gateway, 'c')['state'] == 'revoked', 20, 'the revocation')
    assert gateway.log_lines(r'certificates\.loaded.*crl\.pem')
    assert 'is revoked' in listed(gateway, 'c')['problem']
    loads = len(gateway.log_lines('certificates.loaded'))
    waybill.wait_until(lambda: gateway.get('/api/v1/runtime'), 2)
    assert len(gateway.log_lines('certificates.loaded')) == loads, 'read once a change'


@pytest.mark.parametrize('strict', [False, True])
def test_an_overdue_list_warns_and_with_crl_strict_refuses(gateway, ca, tmp_path, strict):
    lists, c = Lists(ca, tmp_path / 'crl.pem'), ca.issue(f'overdue-{strict}')
    lists.write()
    apply(gateway, {**c.component('c'), 'crl_file': str(lists.path), 'crl_strict': strict})
    got = listed(gateway, 'c')
    assert got['state'] == 'ok' and not got['crl_overdue']
    lists.write(seconds=1)
    line, = gateway.wait_log(r'crl\.overdue certificate=c')
    assert str(lists.path) in line
    waybill.wait_until(lambda: listed(gateway, 'c')['state'] == ('unusable' if strict else 'ok'), 20)
    assert listed(gateway, 'c')['crl_overdue']
    assert 'overdue since' in gateway.cli('certificates', 'list', json_output=False)
    metrics = gateway.request('GET', '/metrics')[1].decode()
    left = re.search(r'waybill_crl_seconds_left\{certificate="c"\} (-?\d+)', metrics)
    assert int(left.group(1)) <= 0
    lists.write()
    waybill.wait_until(lambda: not listed(gateway, 'c')['crl_overdue'], 20, 'the current list')
    assert listed(gateway, 'c')['state'] == 'ok'


def test_a_list_by_somebody_else_revokes_nothing(gateway, ca, tmp_path):
    """A list that bears the authority's name but not its signature."""
    c = ca.issue('kept')
    fake = waybill.Authority(tmp_path / 'fake', algorithm='rsa:2048')
    (fake.directory / 'serial').write_text(f'{serial(c):X}\n')
    twin = fake.issue('twin')
    assert serial(twin) == serial(c)
    lists = Lists(fake, tmp_path / 'crl.pem')
    lists.write(twin)
    chain = tmp_path / 'chain.pem'
    chain.write_text(c.pem() + ca.pem())
    apply(gateway, {'certificate': 'c', 'file': str(chain), 'crl_file': str(lists.path)})
    assert listed(gateway, 'c')['state'] == 'ok'


def test_a_list_of_nobody_concerned_is_not_enough_when_strict(gateway, ca, tmp_path):
    other = waybill.Authority(tmp_path / 'other', 'Other CA', algorithm='rsa:2048')
    lists, c = Lists(other, tmp_path / 'crl.pem'), ca.issue('unlisted')
    lists.write()
    apply(gateway, {**c.component('c'), 'crl_file': str(lists.path), 'crl_strict': True},
          {**c.component('d'), 'crl_file': str(lists.path)})
    assert 'no list of its issuer' in listed(gateway, 'c')['problem']
    assert listed(gateway, 'd')['state'] == 'ok'


def test_tls_refuses_a_client_its_authority_has_revoked(tmp_path, ca):
    lists = Lists(ca, tmp_path / 'crl.pem')
    good, bad, ours = ca.issue('good client'), ca.issue('bad client'), ca.issue('localhost')
    lists.write(bad)
    endpoint = {'host': '127.0.0.1', 'port': 0, 'session_level_encryption': True,
                'server_ssl_certificate': 'tls', 'require_client_ssl': True,
                'trusted_certificates': 'ca'}
    with waybill.Gateway(tmp_path / 'g', endpoints=[endpoint], components=[
            ours.component('tls'), {'certificate': 'ca', 'file': ca.cert,
                                    'crl_file': str(lists.path)}]) as g:
        def call(cert):
            r = subprocess.run(['openssl', 's_client', '-connect', f'127.0.0.1:{g.tls_port}',
                                '-cert', cert.cert, '-key', cert.key, '-CAfile', ca.cert],
                               input=b'', capture_output=True, timeout=waybill.patient(30))
            return r.stdout.decode(errors='replace') + r.stderr.decode(errors='replace')
        call(bad)
        g.wait_log(r'certificate is not trusted: certificate revoked')
        mark = len(g.log_lines('not trusted'))
        call(good)
        assert len(g.log_lines('not trusted')) == mark


def test_tls_accepts_old_and_new_of_a_roll_over(tmp_path, ca):
    """Every certificate of the component is trusted, not only its first one."""
    other = waybill.Authority(tmp_path / 'other', 'Other CA', algorithm='rsa:2048')
    ours = ca.issue('localhost')
    endpoint = {'host': '127.0.0.1', 'port': 0, 'session_level_encryption': True,
                'server_ssl_certificate': 'tls', 'require_client_ssl': True,
                'trusted_certificates': 'ca'}
    with waybill.Gateway(tmp_path / 'g', endpoints=[endpoint], components=[
            ours.component('tls'), {'certificate': 'ca', 'file': ca.cert}]) as g:
        g.cli('certificates', 'import', 'ca', other.cert, '--next')
        for cert in (ca.issue('one'), other.issue('two')):
            subprocess.run(['openssl', 's_client', '-connect', f'127.0.0.1:{g.tls_port}', '-cert',
                            cert.cert, '-key', cert.key, '-CAfile', ca.cert], input=b'',
                           capture_output=True, timeout=waybill.patient(30))
        assert not g.log_lines('not trusted')


@pytest.mark.parametrize('which,fits', [('itself', True), ('issued', True), ('expired', False),
                                        ('below its issuer', False), ('revoked', False)])
def test_a_client_certificate_must_be_agreed_valid_and_not_revoked(tmp_path, ca, which, fits):
    lists = Lists(ca, tmp_path / 'crl.pem')
    ours, client = ca.issue('localhost'), ca.issue(f'client {which}')
    if which == 'expired':
        client = ca.expired('client expired')
    lists.write(*([client] if which == 'revoked' else []))
    agreed = {'certificate': 'theirs', 'file': client.cert}
    if which in ('issued', 'revoked'):
        agreed = {'certificate': 'theirs', 'file': ca.cert, 'crl_file': str(lists.path)}
    if which == 'below its issuer':
        # pinned with its issuer behind it: the issuer's other certificates are strangers'
        (tmp_path / 'chain.pem').write_text(ours.pem() + ca.pem())
        agreed['file'] = str(tmp_path / 'chain.pem')
    with waybill.Gateway(tmp_path / 'g', tls='tls', components=[
            ours.component('tls'), agreed,
            {'identity': 'us', 'oftp2': {'odette_id': 'OPLANT', 'password': 'PWB'}},
            {'partner': 'acme', 'oftp2': {'odette_id': 'OACME', 'password': 'PWA',
                                          'client_ssl_certificate': 'theirs'}},
            {'process': 'in', 'start': {'listen': 'oftp2-server', 'operation': {
                'from': {'partner': 'acme'}, 'to': {'identity': 'us'}}}, 'steps': []}]) as g:
        tls = ssl.create_default_context(cafile=ca.cert)
        tls.load_cert_chain(client.cert, client.key)
        with oftp.Peer.connect('127.0.0.1', g.tls_port, 'OACME', 'PWA', tls=tls) as me:
            if fits:
                me.log_on()
                assert me.run() == 0
                return
            me.expect('SSRM')
            me.send('SSID', **me.own)
            me.expect_esid(3)
        g.wait_log('not the one agreed')


def test_tls_shows_the_next_certificate_when_the_first_has_ended(tmp_path, ca):
    """A roll-over of what an endpoint shows needs no reload."""
    seconds = 3
    before, second = ca.issue('before'), ca.issue('second')
    with waybill.Gateway(tmp_path / 'g', tls='tls', settings={'runtime': {'crl_check': '1s'}},
                         components=[before.component('tls')]) as g:
        def shown():
            out = subprocess.run(['openssl', 's_client', '-connect', f'127.0.0.1:{g.tls_port}'],
                                 input=b'', capture_output=True,
                                 timeout=waybill.patient(30)).stdout
            return openssl('x509', '-noout', '-subject', data=out).decode().strip()

        def still_first(seconds):
            first = ca.issue('first', end=stamp(seconds=seconds))
            g.apply(first.component('tls'))
            g.cli('certificates', 'import', 'tls', second.cert, '--key', second.key, '--next')
            return shown().endswith('first')
        assert shown().endswith('before')
        while not still_first(seconds):
            seconds *= 4        # it ended while it was put into use
            assert seconds < 200
        switched = len(g.log_lines(r'certificates\.loaded.*another certificate'))
        waybill.wait_until(lambda: shown().endswith('second'), 30 + seconds,
                           'the second certificate', every=0.3)
        g.wait_log(r'certificates\.loaded.*another certificate', switched + 1)
        assert len(g.log_lines(r'certificates\.loaded.*another certificate')) == switched + 1
