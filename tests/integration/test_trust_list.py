"""Trust lists: what is on a verified list is trusted, and nothing else; a list that is
not what it should be changes nothing. The lists are written and signed here, in canonical form, with
the openssl command."""

import base64
import subprocess

import pytest

import waybill
from scene import apply
from test_exchange import Keys, Partner, der, openssl

DSIG = 'http://www.w3.org/2000/09/xmldsig#'
EXCLUSIVE = 'http://www.w3.org/2001/10/xml-exc-c14n#'
ACCORD = 'http://uri.etsi.org/TrstSvc/Svcstatus/inaccord'
EXPIRED = 'http://uri.etsi.org/TrstSvc/Svcstatus/expired'


def b64(octets):
    return base64.b64encode(octets).decode()


class Root(waybill.Authority):
    """An authority that issues an authority of its own: `sub`."""

    def subordinate(self, directory, name):
        sub = waybill.Authority(directory, name, algorithm='rsa:2048')
        csr, ext = directory / 'ca.csr', directory / 'ca.ext'
        ext.write_text('basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n')
        openssl('req', '-new', '-key', sub.key, '-subj', f'/CN={name}', '-out', str(csr))
        self._openssl('x509', '-req', '-in', str(csr), '-CA', self.cert, '-CAkey', self.key,
                      '-CAcreateserial', '-days', '3000', '-extfile', str(ext), '-out', sub.cert)
        return sub


def trust_list(signer, services, number=1, tamper=None, next_update='2099-01-01T00:00:00Z',
               scheme='Test scheme'):
    """services: (status, certificates) each. tamper: changes the text after it was signed."""
    entries = ''.join(
        f'<TSPService><ServiceInformation><ServiceName><Name xml:lang="en">OFTP2</Name>'
        f'</ServiceName><ServiceDigitalIdentity>' +
        ''.join(f'<DigitalId><X509Certificate>{b64(der(c))}</X509Certificate></DigitalId>'
                for c in certificates) +
        f'</ServiceDigitalIdentity><ServiceStatus>{status}</ServiceStatus></ServiceInformation>'
        f'</TSPService>' for status, certificates in services)
    head = (f'<TrustServiceStatusList xmlns="http://uri.etsi.org/02231/v2#" Id="list">'
            f'<SchemeInformation><TSLVersionIdentifier>3</TSLVersionIdentifier>'
            f'<TSLSequenceNumber>{number}</TSLSequenceNumber><SchemeName>'
            f'<Name xml:lang="en">{scheme}</Name></SchemeName>'
            f'<ListIssueDateTime>2026-01-01T00:00:00Z</ListIssueDateTime><NextUpdate>'
            f'<dateTime>{next_update}</dateTime></NextUpdate></SchemeInformation>'
            f'<TrustServiceProviderList><TrustServiceProvider><TSPServices>{entries}'
            f'</TSPServices></TrustServiceProvider></TrustServiceProviderList>')
    whole = head + '</TrustServiceStatusList>'
    digest = openssl('dgst', '-sha256', '-binary', stdin=whole.encode())
    info = (f'<ds:SignedInfo xmlns:ds="{DSIG}"><ds:CanonicalizationMethod Algorithm="{EXCLUSIVE}">'
            f'</ds:CanonicalizationMethod><ds:SignatureMethod '
            f'Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"></ds:SignatureMethod>'
            f'<ds:Reference URI=""><ds:Transforms><ds:Transform '
            f'Algorithm="{DSIG}enveloped-signature"></ds:Transform><ds:Transform '
            f'Algorithm="{EXCLUSIVE}"></ds:Transform></ds:Transforms><ds:DigestMethod '
            f'Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"></ds:DigestMethod>'
            f'<ds:DigestValue>{b64(digest)}</ds:DigestValue></ds:Reference></ds:SignedInfo>')
    value = openssl('dgst', '-sha256', '-sign', signer.key, stdin=info.encode())
    signature = (f'<ds:Signature xmlns:ds="{DSIG}">'
                 + info.replace(f' xmlns:ds="{DSIG}"', '') +
                 f'<ds:SignatureValue>{b64(value)}</ds:SignatureValue><ds:KeyInfo><ds:X509Data>'
                 f'<ds:X509Certificate>{b64(der(signer))}</ds:X509Certificate></ds:X509Data>'
                 f'</ds:KeyInfo></ds:Signature>')
    text = head + signature + '</TrustServiceStatusList>'
    return tamper(text) if tamper else text


@pytest.fixture(scope='module')
def keys(tmp_path_factory):
    k = Keys(tmp_path_factory.mktemp('keys'))
    k.root = Root(k.directory / 'root', 'Root', algorithm='rsa:2048')
    k.sub = k.root.subordinate(k.directory / 'sub', 'Authority')
    k.publisher = k.foreign.issue('publisher')
    k.impostor = k.foreign.issue('impostor')
    return k


class List:
    """One trust list of the gateway, as component .name."""

    def __init__(self, plant, keys):
        self.plant, self.keys = plant, keys
        self.name = f'list-{next(keys.numbers)}'
        self.signer = f'publisher-{self.name}'
        apply(plant, keys.publisher.component(self.signer, key=False))

    def take(self, text, status=200, signer=True):
        path = f'/api/v1/trust-lists/{self.name}' + (f'?signer={self.signer}' if signer else '')
        got, body = self.plant.request('POST', path, text if isinstance(text, bytes)
                                       else text.encode())
        assert got == status, body
        return body.decode()

    def version(self):
        return self.plant.get(f'/api/v1/components/certificate/{self.name}')['version']


@pytest.fixture
def tsl(plant, keys):
    try:
        subprocess.run(['pkg-config', '--exists', 'xmlsec1-openssl'], check=True)
    except (subprocess.CalledProcessError, FileNotFoundError):
        pytest.skip('built without libxmlsec1')
    return List(plant, keys)


def test_only_authorities_on_the_list_are_trusted(plant, keys, tsl):
    """OFTP2-C140: a certificate of an authority outside the list is refused, and one that a root of
    the list issued itself."""
    tsl.take(trust_list(keys.publisher, [(ACCORD, [keys.sub, keys.root]),
                                         (EXPIRED, [keys.foreign])]))
    old = keys.issue('acme', by=keys.sub)
    p = Partner(plant, keys, old, certificate_authorities=tsl.name)
    p.taken('DELIVER', keys.issue('acme', by=keys.sub))
    for by in (keys.ca, keys.foreign, keys.root):
        fresh = keys.issue('acme', by=by)
        from_clid = f'I={b64(b"CN=Authority")}\nN=' + openssl(
            'x509', '-in', old.cert, '-noout', '-serial').decode().partition('=')[2].strip()
        p.refused('DELIVER', der(fresh), f"does not come from '{tsl.name}'", desc=from_clid)


def test_a_list_with_a_fault_changes_nothing(plant, keys, tsl):
    """OFTP2-C141: broken signature, other signer, lower number; the one in use stays."""
    services = [(ACCORD, [keys.sub, keys.root])]
    assert 'number 7' in tsl.take(trust_list(keys.publisher, services, number=7))
    assert tsl.version() == 1
    more = [(ACCORD, [keys.sub, keys.root, keys.foreign])]
    foreign = b64(der(keys.foreign))
    faults = [
        (trust_list(keys.impostor, more, number=8), 'not by the signer'),
        (trust_list(keys.publisher, more, number=6), 'old list'),
        (trust_list(keys.publisher, services, number=8, tamper=lambda t: t.replace(
            '<TSLSequenceNumber>8', '<TSLSequenceNumber>9')), 'signature'),
        (trust_list(keys.publisher, services, number=8, tamper=lambda t: t.replace(
            b64(der(keys.root)), foreign)), 'signature'),
        (trust_list(keys.publisher, more, number=8, tamper=lambda t: t.replace(
            'URI=""', 'URI="#list"')), 'over all of it'),
        (trust_list(keys.publisher, more, number=8, tamper=lambda t: t[:t.index('<ds:Signature ')]
                    + t[t.index('</ds:Signature>') + 15:]), 'over all of it'),
        (trust_list(keys.publisher, more, number=8, tamper=lambda t: t.replace(
            '</TrustServiceStatusList>', '<ds:Signature xmlns:ds="' + DSIG + '"></ds:Signature>'
            '</TrustServiceStatusList>')), 'over all of it'),
        ('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', 'document type'),
        ('<a', 'well-formed'), ('<a></a>', 'no trust service status list'), ('', 'octets'),
        (b'\xff\xfe<\0a\0', 'well-formed'),
        (trust_list(keys.publisher, [(EXPIRED, [keys.sub])], number=8), 'no authority'),
    ]
    for text, why in faults:
        assert why in tsl.take(text, status=422), why
        assert tsl.version() == 1
    p = Partner(plant, keys, keys.issue('acme', by=keys.sub), certificate_authorities=tsl.name)
    p.taken('DELIVER', keys.issue('acme', by=keys.sub))
    assert len(plant.log_lines('trust_list.refused')) >= len(faults)


def test_a_removed_authority_counts_no_more_after_the_update(plant, keys, tsl):
    """OFTP2-C141"""
    two = [(ACCORD, [keys.sub, keys.root]), (ACCORD, [keys.ca])]
    tsl.take(trust_list(keys.publisher, two))
    p = Partner(plant, keys, keys.issue('acme'), certificate_authorities=tsl.name)
    p.taken('DELIVER', keys.issue('acme'))
    tsl.take(trust_list(keys.publisher, two[:1], number=2), signer=False)
    assert tsl.version() == 2
    p.refused('DELIVER', der(keys.issue('acme')), 'does not come from')


def test_the_command_says_what_it_took(plant, keys, tsl, tmp_path):
    """OFTP2-C141: the signer is said once; another name that is in use is left alone."""
    path = tmp_path / 'list.xml'
    path.write_text(trust_list(keys.publisher, [(ACCORD, [keys.ca])], number=3,
                               next_update='2026-01-02T00:00:00Z'))
    plant.cli('trust-list', tsl.name, path, check=1)
    out = plant.cli('trust-list', tsl.name, path, '--signer', tsl.signer, json_output=False)
    assert 'Test scheme, number 3 of 2026-01-01T00:00:00Z, 1 authorities' in out
    assert 'overdue' in out
    plant.wait_log(f'trust_list.overdue certificate={tsl.name}')
    plant.cli('trust-list', tsl.signer, path, '--signer', tsl.signer, check=1)
    other = f'other-{tsl.name}'
    apply(plant, keys.impostor.component(other, key=False))
    plant.cli('trust-list', tsl.name, path, '--signer', other, check=1)
    assert tsl.version() == 1
