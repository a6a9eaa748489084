"""File security between two gateways: signing, compression, encryption, signed receipts, secure
authentication, and the certificate settings, each with the wrong certificate in its place."""

import itertools
import os
import pathlib
import subprocess

import pytest

import oftp
import waybill
from scene import apply, document, post, query

SUITES = {1: 'TRIPLEDES_RSA_SHA1', 2: 'AES_RSA_SHA1', 3: 'TRIPLEDES_RSA_SHA256',
          4: 'AES_RSA_SHA256', 5: 'TRIPLEDES_RSA_SHA512', 6: 'AES_RSA_SHA512',
          7: 'AES_RSA_SHA3_512', 8: 'AES_RSA_OAEP_PSS_SHA256', 9: 'AES_RSA_OAEP_PSS_SHA512'}
_numbers = itertools.count(1)


class Pair:
    """acme sends, plant receives; each test gets parties (and codes) of its own on both."""

    def __init__(self, acme, plant, keys):
        self.acme, self.plant, self.keys = acme, plant, keys

    def relation(self, **options):
        return Relation(self, **options)


class Relation:
    """acme sends to plant over a partner of their own.

    send, operation   settings of the sending partner's `send`, of the receiving operation
    sender            more settings of acme's partner component
    wrong             certificate names that replace what belongs there, by setting"""

    def __init__(self, pair, send=None, operation=None, suite=None, auth=False, wrong=None,
                 sender=None, plant_partner=None):
        n = next(_numbers)
        self.pair, self.n = pair, n
        wrong = wrong or {}
        name = lambda setting, usual: wrong.get(setting, usual)
        a, b = f'O0013ACME{n:03d}', f'O0013PLANT{n:03d}'
        self.inbox = pathlib.Path(pair.plant.directory) / f'in-{n}'
        self.inbox.mkdir()
        more = {'cipher_suite': SUITES[suite]} if suite else {}
        apply(pair.acme,
              {'identity': f'us-{n}', 'oftp2': {
                  'odette_id': a, 'password': 'PWA',
                  'signing_certificate': name('signing', 'acme'),
                  'session_authentication_challenge_certificate': name('challenge', 'acme')}},
              {'partner': f'plant-{n}', 'oftp2': {
                  'odette_id': b, 'password': 'PWB', 'host': '127.0.0.1',
                  'port': pair.plant.port, 'identity': f'us-{n}',
                  'encryption_certificate': name('encryption', 'plant-public'),
                  'acknowledgment_verification_certificate':
                      name('acknowledgment_verification', 'plant-public'),
                  'session_authentication_encrypting_certificate':
                      name('encrypting', 'plant-public'),
                  'require_secure_authentication': auth, 'send': send or {},
                  'retry': {'first': '100ms', 'max': '200ms'}, **more, **(sender or {})}})
        apply(pair.plant,
              {'identity': f'us-{n}', 'oftp2': {
                  'odette_id': b, 'password': 'PWB',
                  'decryption_certificate': name('decryption', 'plant'),
                  'acknowledgment_signing_certificate': name('acknowledgment_signing', 'plant'),
                  'session_authentication_challenge_certificate':
                      name('plant_challenge', 'plant')}},
              {'partner': f'acme-{n}', 'oftp2': {
                  'odette_id': a, 'password': 'PWA',
                  'signature_verification_certificate':
                      name('signature_verification', 'acme-public'),
                  'session_authentication_encrypting_certificate':
                      name('plant_encrypting', 'acme-public'),
                  'require_secure_authentication': auth, **(plant_partner or {})}},
              {'process': f'in-{n}', 'start': {'listen': 'oftp2-server', 'operation': {
                  'from': {'partner': f'acme-{n}'}, 'to': {'identity': f'us-{n}'},
                  **(operation or {})}},
               'steps': [{'write': {'directory': str(self.inbox), 'name': '{{document.name}}',
                                    'existing': 'number'}}]})

    def send(self, data, **parameters):
        path = query('/api/v1/documents', partner=f'plant-{self.n}', name='DATA', **parameters)
        return post(self.pair.acme, path, status=201, body=data)['id']

    def outcome(self, number, *states, timeout=30):
        def there():
            d = document(self.pair.acme, number)
            return d if d['state'] in states else None
        try:
            return waybill.wait_until(there, timeout, f'document {number} to be {states}')
        except AssertionError:
            print(document(self.pair.acme, number), self.pair.plant.log()[-5000:])
            raise

    def received(self):
        return self.pair.plant.get(query('/api/v1/documents', partner=f'acme-{self.n}'))['documents']

    def delivered(self):
        return self.pair.plant.wait_files(self.inbox, 1)[0].read_bytes()


@pytest.fixture(scope='module')
def pair(tmp_path_factory):
    where = tmp_path_factory.mktemp('security')
    ca = waybill.Authority(where / 'ca', algorithm='rsa:2048')
    usage = 'digitalSignature,keyEncipherment'
    acme, plant, stranger = (ca.issue(n, key_usage=usage) for n in ('acme', 'plant', 'stranger'))
    old = ca.expired('old', key_usage=usage)
    with waybill.Gateway(where / 'acme', 'acme', components=[
            acme.component('acme'), plant.component('plant-public', key=False),
            stranger.component('stranger'), old.component('old')]) as a, \
        waybill.Gateway(where / 'plant', components=[
            plant.component('plant'), acme.component('acme-public', key=False),
            stranger.component('stranger'), old.component('old')]) as p:
        yield Pair(a, p, {'acme': acme, 'plant': plant, 'stranger': stranger})


EDI = b"UNA:+.? '\r\n" + b"".join(b"LIN+%d++%09d:IN'\r\n" % (i, i * 7919) for i in range(3000))
COMBINATIONS = list(itertools.product([False, True], repeat=3))


@pytest.mark.parametrize('signed,encrypted,compressed', COMBINATIONS)
@pytest.mark.parametrize('data', [b'', b'x', EDI], ids=['empty', 'one', 'edi'])
def test_every_combination_arrives_and_is_receipted(pair, signed, encrypted, compressed, data):
    """OFTP2-C123 OFTP2-C115 OFTP2-C119"""
    r = pair.relation(send={'signed': signed, 'encrypted': encrypted, 'compressed': compressed,
                            'signed_receipt': True})
    d = r.outcome(r.send(data), 'acknowledged')
    assert r.delivered() == data
    p = d['properties']
    assert p['oftp2.sfidsec'] == f'{encrypted + 2 * signed:02d}'
    assert p['oftp2.sfidcomp'] == str(int(compressed))
    assert p['oftp2.sfidenv'] == str(int(signed or encrypted or compressed))
    receipt = bytes.fromhex(d['receipts'][0]['octets'])
    hash_n = int.from_bytes(receipt[106:108], 'big')
    assert hash_n == 32 and len(receipt) > 110 + hash_n + 256, 'hash and signature are in it'


@pytest.mark.parametrize('suite', SUITES)
def test_every_suite_works(pair, suite):
    """OFTP2-C123"""
    allowed = {'cipher_suites': list(SUITES.values())}
    r = pair.relation(suite=suite, operation=allowed, send={
        'signed': True, 'encrypted': True, 'compressed': True, 'signed_receipt': True})
    r.outcome(r.send(EDI), 'acknowledged')
    assert r.delivered() == EDI


def test_a_suite_that_is_not_agreed_is_refused(pair):
    """OFTP2-C61"""
    r = pair.relation(suite=8, send={'signed': True})
    d = r.outcome(r.send(EDI), 'failed')
    assert 'SFNA 15' in d['reason']
    pair.plant.wait_log(r'sfna=15.*cipher_suites')


@pytest.mark.parametrize('what,code', [('signed', 20), ('encrypted', 17), ('compressed', 99),
                                       ('signed_receipt', 99)])
def test_less_protection_than_agreed_is_refused_and_more_is_taken(pair, what, code):
    """OFTP2-C60"""
    full = {'signed': True, 'encrypted': True, 'compressed': True, 'signed_receipt': True}
    r = pair.relation(send={**full, what: False}, operation={'require': {what: True}})
    d = r.outcome(r.send(EDI), 'failed')
    assert f'SFNA {code}' in d['reason'], d['reason']
    pair.plant.wait_log(rf'sfna={code}.*require\.{what}')
    r = pair.relation(send=full, operation={'require': {what: True}})
    r.outcome(r.send(EDI), 'acknowledged')


def test_v_records_come_through_the_layers(pair):
    """OFTP2-C132"""
    lines = [b'', b'a', b'x' * 65535, b'end']
    r = pair.relation(send={'signed': True, 'encrypted': True, 'compressed': True})
    n = r.send(b'\n'.join(lines) + b'\n', format='V', record_length=65535)
    r.outcome(n, 'acknowledged')
    assert r.delivered() == b'\n'.join(lines) + b'\n'
    path = query('/api/v1/documents', partner=f'plant-{r.n}', format='V', record_length=65536)
    status, body = pair.acme.request('POST', path, b'x\n')
    assert status == 422 and b'65535' in body


def test_secure_authentication_in_both_directions(pair):
    """OFTP2-C47 OFTP2-C48"""
    r = pair.relation(auth=True, send={'signed': True})
    r.outcome(r.send(EDI), 'acknowledged')
    assert r.delivered() == EDI


@pytest.mark.parametrize('setting', ['encrypting', 'challenge', 'plant_encrypting',
                                     'plant_challenge'])
def test_a_wrong_authentication_certificate_ends_the_session(pair, setting):
    """OFTP2-C50 OFTP2-C52"""
    r = pair.relation(auth=True, wrong={setting: 'stranger'})
    n = r.send(EDI)
    waybill.wait_until(lambda: 'ESID 11' in str(document(pair.acme, n)) or
                       'authentication' in str(document(pair.acme, n)), 20, 'ESID 11')
    assert document(pair.acme, n)['state'] == 'sealed'
    assert r.received() == []
    waybill.wait_until(lambda: 'session_authentication_' in pair.acme.log() + pair.plant.log(), 20,
                       'the setting in a log')


def test_one_sided_authentication_never_becomes_a_session(pair):
    """OFTP2-C145"""
    r = pair.relation(auth=True, plant_partner={'require_secure_authentication': False})
    n = r.send(EDI)
    waybill.wait_until(lambda: 'ESID 12' in str(document(pair.acme, n)), 20, 'ESID 12')
    assert r.received() == []


@pytest.mark.parametrize('setting,wrong_on,state,named', [
    ('signature_verification', 'plant', 'rejected', 'signature_verification_certificate'),
    ('signing', 'acme', 'rejected', 'signature_verification_certificate'),
    ('encryption', 'acme', 'rejected', 'decryption_certificate'),
    ('decryption', 'plant', 'rejected', 'decryption_certificate'),
])
def test_the_wrong_certificate_is_refused_and_named(pair, setting, wrong_on, state, named):
    """OFTP2-C130 OFTP2-C116"""
    r = pair.relation(wrong={setting: 'stranger'}, send={
        'signed': True, 'encrypted': True, 'compressed': True, 'signed_receipt': True})
    d = r.outcome(r.send(EDI), state)
    assert ('NERP 31' if 'sign' in setting else 'NERP 33') in d['reason'], d['reason']
    assert list(r.inbox.iterdir()) == []
    assert r.received()[0]['state'] == 'refused'
    pair.plant.wait_log(rf'document\.refused.*{named}')


@pytest.mark.parametrize('setting', ['acknowledgment_verification', 'acknowledgment_signing'])
def test_a_receipt_by_somebody_else_settles_nothing(pair, setting):
    """OFTP2-C117"""
    r = pair.relation(wrong={setting: 'stranger'}, send={'signed': True, 'signed_receipt': True})
    n = r.send(EDI)
    waybill.wait_until(lambda: document(pair.acme, n)['receipts'], 20, 'a receipt')
    d = document(pair.acme, n)
    assert d['receipts'][0]['state'] == 'refused'
    assert d['state'] == 'sent'
    pair.acme.wait_log('receipt.refused.*acknowledgment_verification_certificate')


@pytest.mark.parametrize('accepted', [False, True])
def test_an_unsigned_receipt_follows_the_policy(pair, accepted):
    """OFTP2-C118"""
    r = pair.relation(wrong={'acknowledgment_signing': 'old'},
                      sender={'accept_unsigned_receipts': accepted},
                      send={'signed': True, 'signed_receipt': True})
    n = r.send(EDI)
    if accepted:
        r.outcome(n, 'acknowledged')
        return
    waybill.wait_until(lambda: document(pair.acme, n)['receipts'], 20, 'a receipt')
    assert document(pair.acme, n)['receipts'][0]['state'] == 'refused'
    assert document(pair.acme, n)['state'] == 'sent'


def test_an_expired_certificate_signs_and_encrypts_nothing(pair):
    """OFTP2-C133"""
    for wrong in ({'signing': 'old'}, {'encryption': 'old'}):
        r = pair.relation(wrong=wrong, send={'signed': True, 'encrypted': True})
        d = r.outcome(r.send(EDI), 'failed')
        assert 'valid today' in d['reason'] and next(iter(wrong)) in d['reason'], d['reason']


def test_a_certificate_for_another_use_is_not_used(pair, tmp_path):
    """OFTP2-C133"""
    ca = waybill.Authority(tmp_path / 'ca', algorithm='rsa:2048')
    n = next(_numbers)
    for setting, usage in (('encryption', 'digitalSignature'), ('signing', 'keyEncipherment')):
        cert = ca.issue(setting, key_usage=usage)
        apply(pair.acme, cert.component(f'{setting}-{n}'))
        r = pair.relation(wrong={setting: f'{setting}-{n}'},
                          send={'signed': True, 'encrypted': True})
        d = r.outcome(r.send(EDI), 'failed')
        assert 'key usage' in d['reason'] and setting in d['reason'], d['reason']


def test_both_certificates_of_a_roll_over_are_accepted(pair, tmp_path):
    """The old and the new certificate of one purpose, while both are valid."""
    new = waybill.Authority(tmp_path / 'ca2', algorithm='rsa:2048').issue(
        'acme new', key_usage='digitalSignature,keyEncipherment')
    r = pair.relation(send={'signed': True})
    apply(pair.plant, {**pair.keys['acme'].component(f'both-{r.n}', key=False),
                       'also': [{'file': new.cert}]})
    apply(pair.acme, new.component(f'new-{r.n}'))
    for signing in ('acme', f'new-{r.n}'):
        s = pair.relation(send={'signed': True},
                          wrong={'signing': signing, 'signature_verification': f'both-{r.n}'})
        s.outcome(s.send(EDI), 'acknowledged')
        assert s.delivered() == EDI


def test_a_sealed_file_is_the_same_octets_after_a_restart(pair):
    """OFTP2-C105 OFTP2-C107"""
    r = pair.relation(send={'signed': True, 'encrypted': True, 'signed_receipt': True})
    post(pair.plant, f'/api/v1/listeners/in-{r.n}/pause')
    data = os.urandom(3_000_000)
    n = r.send(data)
    r.outcome(n, 'sealed')
    before = pair.acme.request('GET', f'/api/v1/documents/{n}/raw')[1]
    pair.acme.restart()
    post(pair.plant, f'/api/v1/listeners/in-{r.n}/resume')
    r.outcome(n, 'acknowledged')
    assert pair.acme.request('GET', f'/api/v1/documents/{n}/raw')[1] == before
    assert r.delivered() == data


def openssl_cms(tmp_path, data, *args):
    (tmp_path / 'in').write_bytes(data)
    subprocess.run(['openssl', 'cms', '-binary', '-outform', 'DER', '-in', 'in', '-out', 'out',
                    *args], cwd=tmp_path, check=True, capture_output=True)
    return (tmp_path / 'out').read_bytes()


def hand_over(pair, r, data, **fields):
    """A partner that makes its files with another program; the document plant made of it."""
    with oftp.Peer.connect('127.0.0.1', pair.plant.port, f'O0013ACME{r.n:03d}', 'PWA') as me:
        me.log_on()
        assert me.send_file(oftp.File(data, env=1, ciph=4, dsn='DATA', dest=f'O0013PLANT{r.n:03d}',
                                      orig=f'O0013ACME{r.n:03d}', **fields)).taken
        me.run()
    return waybill.wait_until(
        lambda: next((d for d in r.received() if d['state'] in ('processed', 'refused')), None), 20)


def test_what_another_program_made_is_opened(pair, tmp_path):
    """OFTP2-C126: openssl streams indefinite lengths and chunks."""
    k = pair.keys
    signed = openssl_cms(tmp_path, EDI, '-sign', '-stream', '-nodetach', '-signer', k['acme'].cert,
                         '-inkey', k['acme'].key, '-nocerts')
    both = openssl_cms(tmp_path, signed, '-encrypt', '-stream', '-aes256', k['plant'].cert)
    r = pair.relation()
    assert hand_over(pair, r, both, sec=3)['state'] == 'processed'
    assert r.delivered() == EDI


def test_a_stripped_signature_is_noticed(pair, tmp_path):
    """OFTP2-C125"""
    r = pair.relation()
    only = openssl_cms(tmp_path, EDI, '-encrypt', '-aes256', pair.keys['plant'].cert)
    d = hand_over(pair, r, only, sec=3)
    assert d['state'] == 'refused' and list(r.inbox.iterdir()) == []


def test_encrypted_before_signed_is_refused(pair, tmp_path):
    """OFTP2-C124"""
    k = pair.keys
    inner = openssl_cms(tmp_path, EDI, '-encrypt', '-aes256', k['plant'].cert)
    outer = openssl_cms(tmp_path, inner, '-sign', '-nodetach', '-signer', k['acme'].cert, '-inkey',
                        k['acme'].key)
    r = pair.relation()
    assert hand_over(pair, r, outer, sec=3)['state'] == 'refused'
    assert list(r.inbox.iterdir()) == []


def test_content_that_is_cms_itself_is_left_alone(pair, tmp_path):
    """Only the layers announced are opened: the file may be somebody's signed document."""
    k = pair.keys
    document_ = openssl_cms(tmp_path, EDI, '-sign', '-nodetach', '-signer', k['stranger'].cert,
                            '-inkey', k['stranger'].key)
    r = pair.relation(send={'signed': True, 'encrypted': True, 'compressed': True})
    r.outcome(r.send(document_), 'acknowledged')
    assert r.delivered() == document_


@pytest.mark.parametrize('place', [0.3, 0.6, 0.9998])
def test_a_flipped_bit_never_reaches_the_process(pair, tmp_path, place):
    """OFTP2-C130"""
    k = pair.keys
    signed = openssl_cms(tmp_path, EDI, '-sign', '-nodetach', '-signer', k['acme'].cert, '-inkey',
                         k['acme'].key, '-nocerts')
    for sec, data in ((2, signed), (3, openssl_cms(tmp_path, signed, '-encrypt', '-aes256',
                                                   k['plant'].cert))):
        bad = bytearray(data)
        bad[int(len(bad) * place)] ^= 4
        r = pair.relation()
        assert hand_over(pair, r, bytes(bad), sec=sec)['state'] == 'refused'
        assert list(r.inbox.iterdir()) == []


def test_a_revoked_certificate_is_refused_once_the_list_says_so(pair, tmp_path):
    """OFTP2-C142 with a list in a file: what the authority has revoked counts no more."""
    ca = waybill.Authority(tmp_path / 'ca', algorithm='rsa:2048')
    cert = ca.issue('revocable', key_usage='digitalSignature,keyEncipherment')
    crl = tmp_path / 'crl.pem'

    def renew(*revoke):
        if revoke:
            ca._openssl('ca', '-config', 'ca.cnf', '-revoke', *revoke)
        ca._openssl('ca', '-config', 'ca.cnf', '-gencrl', '-crldays', '5', '-out', str(crl))

    renew()
    n = next(_numbers)
    apply(pair.acme, cert.component(f'mine-{n}'))
    apply(pair.plant, {**cert.component(f'theirs-{n}', key=False), 'crl_file': str(crl)})
    names = {'signing': f'mine-{n}', 'signature_verification': f'theirs-{n}'}
    r = pair.relation(send={'signed': True}, wrong=names)
    r.outcome(r.send(EDI), 'acknowledged')
    renew(cert.cert)
    pair.plant.cli('reload')
    pair.plant.wait_log(rf'certificate\.unusable.*theirs-{n}.*revoked')
    before = len(r.received())
    r.send(EDI)
    waybill.wait_until(lambda: len(r.received()) > before, 20)
    r.delivered()
    assert len(list(r.inbox.iterdir())) == 1
