"""Certificates as files with reserved names: what a partner sends is checked, put into use or kept
for an operator; what is refused changes nothing; ours go out the same way."""

import base64
import datetime
import json
import pathlib
import subprocess
import time

import pytest

import oftp
import scene
import waybill
from oftp import File
from scene import Relation, apply, post

USAGE = 'digitalSignature,keyEncipherment'
PLANT = {'tls': 'server'}


def openssl(*args, stdin=None):
    return subprocess.run(['openssl', *args], input=stdin, check=True, capture_output=True).stdout


def der(certificate):
    return openssl('x509', '-in', certificate.cert, '-outform', 'DER')


def clid(certificate):
    """CLID of a certificate, by the openssl command. oftp2.md 13.3."""
    def field(name):
        text = openssl('x509', '-in', certificate.cert, '-noout', f'-{name}', '-nameopt',
                       'RFC2253').decode()
        return text.partition('=')[2].strip()
    return f'I={base64.b64encode(field("issuer").encode()).decode()}\nN={field("serial")}'


def self_signed(directory, name, stem):
    cert, key = directory / f'{stem}.crt', directory / f'{stem}.key'
    openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', f'/CN={name}', '-days', '30',
            '-addext', f'keyUsage=critical,{USAGE}', '-keyout', str(key), '-out', str(cert))
    return waybill.Certificate(cert, key)


class Keys:
    def __init__(self, directory):
        self.directory = directory
        self.ca = waybill.Authority(directory / 'ca', algorithm='rsa:2048')
        self.foreign = waybill.Authority(directory / 'foreign', 'Foreign CA', algorithm='rsa:2048')
        self.server = self.ca.issue('server', key_usage=USAGE)
        self.numbers = iter(range(1, 1000))

    def issue(self, name, by=None, **options):
        """Certificates of one name get files of their own."""
        made = (by or self.ca).issue(name, **{'key_usage': USAGE, **options})
        stem = self.directory / f'{name}-{next(self.numbers)}'
        for path, kind in ((made.cert, 'crt'), (made.key, 'key')):
            pathlib.Path(path).rename(f'{stem}.{kind}')
        return waybill.Certificate(f'{stem}.crt', f'{stem}.key')


@pytest.fixture(scope='module')
def keys(tmp_path_factory):
    return Keys(tmp_path_factory.mktemp('keys'))


@pytest.fixture(scope='module', autouse=True)
def authorities(shared_gateway, keys):
    apply(shared_gateway, {'certificate': 'ca', 'file': keys.ca.cert},
          keys.server.component('server'))
    shared_gateway.stop()   # the endpoint with TLS now has its certificate
    shared_gateway.start()


class Partner(Relation):
    """A partner whose signatures are verified with the component `sign` of its own, which begins
    with `old`. names: the settings that name it."""

    def __init__(self, plant, keys, old, how='automatic', names=(), component=None, **more):
        self.sign = f'sign-{next(keys.numbers)}'
        apply(plant, component or {'certificate': self.sign, 'pem': old.pem()})
        settings = {'signature_verification_certificate': self.sign,
                    'certificate_authorities': 'ca', **{n: self.sign for n in names}}
        if how:
            settings['certificate_exchange'] = how
        super().__init__(plant, **{**settings, **more})

    def exchange(self, kind, octets, desc=''):
        """Sends a certificate file; the session's Peer, or its response when there is one."""
        with self.call() as me:
            assert me.send_file(File(octets, dsn=f'ODETTE_CERTIFICATE_{kind}', desc=desc)).taken
            me.run()
        return me

    def taken(self, kind, certificate, desc=''):
        me = self.exchange(kind, der(certificate), desc)
        response, = me.responses or [self.later()]
        assert response.name == 'EERP', response
        return me

    def refused(self, kind, octets, text, desc=''):
        before = self.version()
        me = self.exchange(kind, octets, desc)
        response, = me.responses or [self.later()]
        assert (response.name, response.reas) == ('NERP', 99), response
        assert text in response.reast
        assert (response.hsh, response.sig) == (b'', b'')
        assert self.version() == before
        d = self.wait_document('refused')
        assert text in d['reason']
        self.log('certificate.refused')

    def later(self):
        def there():
            with self.call() as me:
                me.run()
            return me.responses
        return waybill.wait_until(there, 20, 'a response')[0]

    def version(self, name=None):
        return self.gateway.get(f'/api/v1/components/certificate/{name or self.sign}')['version']

    def signed_by(self, certificate, dsn='SIGNED'):
        """Sends a file signed by it; the response."""
        octets = openssl('cms', '-sign', '-binary', '-nodetach', '-outform', 'DER', '-signer',
                         certificate.cert, '-inkey', certificate.key, stdin=b'data')
        with self.call() as me:
            assert me.send_file(File(octets, dsn=dsn, sec=2, ciph=4, env=1)).taken
            me.run()
        response, = me.responses or [self.later()]
        return response.name if response.name == 'EERP' else response.reas


def soon(seconds):
    end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return end.strftime('%Y%m%d%H%M%SZ')


def test_deliver_is_a_roll_over(plant, keys):
    """OFTP2-C135: old and new are accepted until the old one expires."""
    for seconds in 3, 12, 60:
        if rolled_over(plant, keys, seconds):
            return
    raise AssertionError('what takes a second took a minute')


def rolled_over(plant, keys, seconds):
    """False: the old one expired while this looked at what goes before that."""
    ends = time.time() + seconds
    old = keys.issue('rolling', start='20200101000000Z', end=soon(seconds))
    new = keys.issue('rolling')
    p = Partner(plant, keys, old)
    try:
        assert p.signed_by(new) == 31
        p.taken('DELIVER', new)
        assert p.version() == 2
        assert p.signed_by(old) == 'EERP'
        assert p.signed_by(new) == 'EERP'
        p.taken('DELIVER', new)
        assert p.version() == 2, 'a certificate in use is taken again without a change'
        p.log('certificate.exchanged')
    except AssertionError:
        if time.time() < ends - 1:
            raise
        return False
    time.sleep(max(0, ends + 1 - time.time()))
    assert p.signed_by(old) == 31
    assert p.signed_by(new) == 'EERP'
    return True


def test_replace_refuses_the_old_one_at_once(plant, keys):
    """OFTP2-C136: for signatures, and as TLS client."""
    old, new = keys.issue('replaced'), keys.issue('replaced')
    p = Partner(plant, keys, old, names=['client_ssl_certificate'])
    plain = lambda c: oftp.client_tls(keys.ca.cert, c.cert, c.key)
    with p.peer_tls(plain(old)) as me:
        me.log_on()
        assert me.send_file(File(der(new), dsn='ODETTE_CERTIFICATE_REPLACE')).taken
        me.run()
        assert [r.name for r in me.responses] == ['EERP']
    with p.peer_tls(plain(old)) as me, pytest.raises((oftp.Ended, oftp.Closed)):
        me.log_on()
    with p.peer_tls(plain(new)) as me:
        me.log_on()
        octets = openssl('cms', '-sign', '-binary', '-nodetach', '-outform', 'DER', '-signer',
                         old.cert, '-inkey', old.key, stdin=b'data')
        assert me.send_file(File(octets, dsn='SIGNED', sec=2, ciph=4, env=1)).taken
        me.run()
        assert [r.reas for r in me.responses] == [31]
    text = plant.get(f'/api/v1/components/certificate/{p.sign}')['text']
    assert text.count('BEGIN CERTIFICATE') == 1


def peer_tls(self, context):
    return oftp.Peer.connect(self.gateway.host, self.gateway.tls_port, self.code, self.password,
                             tls=context, server_hostname='localhost')


Partner.peer_tls = peer_tls


def test_after_replace_the_challenge_is_for_the_new_one(plant, keys):
    """OFTP2-C136: secure authentication with the old key is over."""
    old, new = keys.issue('challenged'), keys.issue('challenged')
    apply(plant, keys.issue('our-challenge').component('our-challenge'),
          scene.identity('challenged', 'O0013CHALLENGED',
                         session_authentication_challenge_certificate='our-challenge'))
    p = Partner(plant, keys, old, names=['session_authentication_encrypting_certificate'])
    apply(plant, scene.process(p.listener, p.name, to='challenged'))
    p.taken('REPLACE', new)
    apply(plant, p.partner_component(require_secure_authentication=True))
    with p.peer(auth='Y') as me:
        me.log_on()
        me.send('SECD')
        challenge = me.expect('AUCH').chal
        decrypt = lambda c: openssl('cms', '-decrypt', '-binary', '-inform', 'DER', '-recip',
                                    c.cert, '-inkey', c.key, stdin=challenge)
        with pytest.raises(subprocess.CalledProcessError):
            decrypt(old)
        me.send('AURP', rsp=decrypt(new))
        me.expect('SECD')


def test_a_request_is_answered_with_all_our_certificates(plant, keys):
    """OFTP2-C137: one DELIVER for each, and EERP for the request, in the same session."""
    sign, decrypt = keys.issue('our-sign'), keys.issue('our-decrypt')
    apply(plant, sign.component('our-sign'), decrypt.component('our-decrypt'),
          scene.identity('station', 'O0013STATION', signing_certificate='our-sign',
                         acknowledgment_signing_certificate='our-sign',
                         decryption_certificate='our-decrypt'))
    theirs = keys.issue('asking')
    p = Partner(plant, keys, theirs, identity='station')
    apply(plant, scene.process(p.listener, p.name, to='station'))
    with p.call() as me:
        request = File(der(keys.issue('asking')), dsn='ODETTE_CERTIFICATE_REQUEST')
        assert me.send_file(request).taken
        me.run()
    assert [(r.name, r.dsn) for r in me.responses] == [('EERP', 'ODETTE_CERTIFICATE_REQUEST')]
    assert sorted(f.data for f in me.files) == sorted(map(der, (sign, decrypt)))
    for f in me.files:
        assert (f.sfid.dsn, f.sfid.orig, f.sfid.dest) == ('ODETTE_CERTIFICATE_DELIVER',
                                                          'O0013STATION', p.code)
        assert (f.sfid.fmt, f.sfid.sec, f.sfid.env, f.sfid.sign) == ('U', 0, 0, 'N')
    assert p.version() == 2, 'the certificate in the request is a DELIVER, too'
    again = p.taken('REQUEST', keys.issue('asking'))
    assert again.files == [], 'requests are not answered again and again'


def test_a_new_subject_is_assigned_by_what_the_description_names(plant, keys):
    """OFTP2-C138"""
    old, other, new = keys.issue('before'), keys.issue('before'), keys.issue('after')
    p = Partner(plant, keys, old)
    q = f'encrypt-{p.name}'
    apply(plant, {'certificate': q, 'pem': other.pem()},
          p.partner_component(encryption_certificate=q))
    p.refused('DELIVER', der(new), 'succeeds no certificate')
    p.taken('DELIVER', new, desc=clid(old))
    assert (p.version(), p.version(q)) == (2, 1), 'only where the one named was in use'
    assert p.signed_by(new) == 'EERP'
    p.taken('REPLACE', keys.issue('third'), desc=clid(new))
    assert p.signed_by(new) == 31
    assert p.signed_by(old) == 'EERP'


def test_what_is_not_acceptable_is_refused_and_changes_nothing(plant, keys):
    """OFTP2-C139 OFTP2-C140: unknown, expired, not yet valid, of a foreign authority, signed by
    itself, and what is no certificate."""
    old = keys.issue('acme')
    p = Partner(plant, keys, old)
    both = pathlib.Path(old.cert).read_bytes() * 2
    key = pathlib.Path(old.key).read_bytes()
    for octets, text in [
            (b'', 'no X.509'), (b'hello', 'no X.509'), (der(old)[:-1], 'no X.509'),
            (both, 'exactly one'), (key, 'no X.509'),
            (der(keys.issue('stranger')), 'succeeds no certificate'),
            (der(keys.issue('acme', start='20200101000000Z', end='20210101000000Z')), 'expired'),
            (der(keys.issue('acme', start='20900101000000Z', end='20910101000000Z')),
             'not valid yet'),
            (der(keys.issue('acme', by=keys.foreign)), "does not come from 'ca'"),
            (der(self_signed(keys.directory, 'acme', 'own')), 'signed itself')]:
        p.refused('DELIVER', octets, text)
    p.refused('REPLACE', der(keys.issue('acme', by=keys.foreign)), 'does not come from')
    p.refused('DELIVER', der(keys.issue('acme', by=keys.foreign)), 'does not come from',
              desc=clid(old))
    assert p.signed_by(old) == 'EERP'


def test_a_revoked_certificate_is_refused(plant, keys, tmp_path):
    """OFTP2-C139"""
    old, new = keys.issue('listed'), keys.issue('listed')
    crl = tmp_path / 'crl.pem'
    keys.ca._openssl('ca', '-config', 'ca.cnf', '-revoke', new.cert)
    keys.ca._openssl('ca', '-config', 'ca.cnf', '-gencrl', '-crldays', '30', '-out', str(crl))
    apply(plant, {'certificate': 'ca-listed', 'file': keys.ca.cert, 'crl_file': str(crl)})
    p = Partner(plant, keys, old, certificate_authorities='ca-listed')
    p.refused('DELIVER', der(new), 'revoked')


def test_one_that_signed_itself_succeeds_one_that_did(plant, keys):
    """OFTP2-C139 OFTP2-C135"""
    old, new = (self_signed(keys.directory, 'own', s) for s in ('own-1', 'own-2'))
    p = Partner(plant, keys, old)
    p.taken('DELIVER', new)
    assert p.signed_by(new) == p.signed_by(old) == 'EERP'


def test_by_default_an_operator_decides(plant, keys):
    """OFTP2-C135 OFTP2-C139: it waits, is listed, and is answered when the operator has spoken."""
    old, new = keys.issue('careful'), keys.issue('careful')
    p = Partner(plant, keys, old, how=None)
    assert p.exchange('DELIVER', der(new)).responses == []
    number = p.wait_document('processing')['id']
    p.log('certificate.waits')
    listed, = [c for c in plant.cli('exchange')['certificates'] if c['partner'] == p.name]
    assert (listed['document'], listed['kind'], listed['certificates'], listed['note']) == (
        number, 'DELIVER', p.sign, '')
    assert listed['subject'] == 'CN=careful'
    assert 'careful' in plant.cli('exchange', json_output=False)
    plant.restart()
    assert p.version() == 1
    plant.cli('acknowledge', str(number))
    assert p.later().name == 'EERP'
    assert p.version() == 2
    assert p.signed_by(new) == 'EERP'

    p.exchange('REPLACE', der(keys.issue('careful')))
    second = p.wait_document('processing')['id']
    plant.cli('reject', str(second), '--text', 'ask by telephone')
    r = p.later()
    assert (r.name, r.reas, r.reast) == ('NERP', 99, 'ask by telephone')
    assert p.version() == 2
    plant.cli('acknowledge', str(second), check=1)
    assert plant.cli('exchange')['certificates'] == []


def test_one_that_succeeds_none_waits_for_its_component(plant, keys):
    """OFTP2-C139: nothing is guessed; the operator puts it where it belongs, then acknowledges."""
    old, new = keys.issue('first'), keys.issue('unknown')
    p = Partner(plant, keys, old, how='manual')
    p.exchange('DELIVER', der(new))
    number = p.wait_document('processing')['id']
    listed, = [c for c in plant.cli('exchange')['certificates'] if c['partner'] == p.name]
    assert 'succeeds no certificate' in listed['note']
    assert b'succeeds no certificate' in json.dumps(post(
        plant, f'/api/v1/documents/{number}/acknowledge', status=409)).encode()
    apply(plant, {'certificate': p.sign, 'pem': new.pem(), 'also': [{'pem': old.pem()}]})
    post(plant, f'/api/v1/documents/{number}/acknowledge')
    assert p.later().name == 'EERP'


def test_what_others_use_is_not_changed(plant, keys):
    """OFTP2-C139: a component that another partner names, too, or that is an authority."""
    old = self_signed(keys.directory, 'shared', 'shared-1')
    p = Partner(plant, keys, old)
    apply(plant, scene.partner(f'{p.name}-too', 'O0013OTHER', client_ssl_certificate=p.sign))
    p.refused('DELIVER', der(self_signed(keys.directory, 'shared', 'shared-2')), 'signed itself')
    plant.request('DELETE', f'/api/v1/components/partner/{p.name}-too')
    p.taken('DELIVER', self_signed(keys.directory, 'shared', 'shared-3'))


def test_switched_off(plant, keys):
    """OFTP2-C139"""
    p = Partner(plant, keys, keys.issue('never'), how='off')
    p.refused('DELIVER', der(keys.issue('never')), 'not exchanged')


def test_a_protected_certificate_file_is_refused_before_it_comes(plant, keys):
    """OFTP2-C61: certificate files are unprotected and small."""
    p = Partner(plant, keys, keys.issue('plain'))
    with p.call() as me:
        for fields in ({'sec': 1, 'env': 1, 'ciph': 4}, {'fsiz': 257}):
            answer = me.offer_file(File(b'x', dsn='ODETTE_CERTIFICATE_DELIVER', **fields))
            assert answer.name == 'SFNA' and answer.rrtr == 'N'


def test_two_gateways_roll_over_by_themselves(tmp_path, keys):
    """OFTP2-C135 OFTP2-C137: `waybill exchange` on one side, automatic on the other."""
    old, new = keys.issue('acme-sign'), keys.issue('acme-sign')
    with waybill.Gateway(tmp_path / 'bolt', 'bolt') as b, \
            waybill.Gateway(tmp_path / 'acme', 'acme') as a:
        retry = {'first': '100ms', 'max': '200ms'}
        apply(b, {'certificate': 'ca', 'file': keys.ca.cert},
              {'certificate': 'acme-sign', 'pem': old.pem()},
              scene.identity('us', 'O0013BOLT', 'PWB'),
              scene.partner('acme', 'O0013ACME', 'PWA', host='127.0.0.1', port=a.port, retry=retry,
                            signature_verification_certificate='acme-sign',
                            certificate_exchange='automatic', certificate_authorities='ca'),
              scene.process('from-acme', 'acme'))
        apply(a, {**new.component('acme-sign'), 'also': [
                  {'file': old.cert, 'key_file': old.key}]},
              scene.identity('us', 'O0013ACME', 'PWA', signing_certificate='acme-sign'),
              scene.partner('bolt', 'O0013BOLT', 'PWB', host='127.0.0.1', port=b.port, retry=retry,
                            send={'signed': True}),
              scene.process('from-bolt', 'bolt'))
        sent, = a.cli('exchange', 'bolt', 'replace')['documents']
        d = scene.wait_document(a, sent['id'], 'acknowledged')
        assert d['name'] == 'ODETTE_CERTIFICATE_REPLACE'
        text = b.get('/api/v1/components/certificate/acme-sign')['text']
        assert text.count('BEGIN CERTIFICATE') == 1
        status, body = a.request('POST', '/api/v1/documents?partner=bolt&name=X', b'signed')
        assert status == 201
        scene.wait_document(a, json.loads(body)['id'], 'acknowledged')
        assert 'deliver' in str(a.cli('exchange', 'bolt', 'sell', check=1))
