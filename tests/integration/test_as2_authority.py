"""AS2 with partners whose certificates an authority issues: the signer's comes with the message or the
MDN, and what counts is the authority that was configured (`issued_to`, docs/certificates.md). And
which certificates go with signatures of ours."""

import as2
import as2_scene
import pytest
import scene
import waybill
from as2_sending import Out, gateway, shared_gateway, texts  # noqa: F401


@pytest.fixture(scope='module')
def house(tmp_path_factory):
    """Authorities: .ca, .other; signers .acme of the first, .evil of another name."""
    directory = tmp_path_factory.mktemp('house')

    class House:
        ca = waybill.Authority(directory / 'ca')
        other = waybill.Authority(directory / 'other', 'Another CA')
        acme, evil, strange = ca.issue('acme one'), ca.issue('evil'), other.issue('acme one')
        no_sign = ca.issue('acme enc', key_usage='keyEncipherment')
    return House


def trusts(name, authority):
    return {'certificate': name, 'pem': authority.pem(), 'issued_to': 'CN=acme*'}


def signed_by(peer, signer):
    return as2.Peer(peer.name, signer, peer.partner, peer.partner_cert)


def test_a_message_is_believed_by_the_authority_of_its_signer(plant, house):
    r = as2_scene.Relation(plant, operation={'require': {'signed': True}})
    scene.apply(plant, trusts('acme-ca', house.ca), r.partner_component(
        signing_certificate='acme-ca'))

    def said(signer, **how):
        message = signed_by(r.peer, signer).message(b'octets', 'S', signing=how)
        return r.peer.exchange(r.url, message).disposition
    assert said(house.acme) == 'processed'
    assert r.wait_document('processed')['properties']['as2.authenticated'] == 'signature'
    for signer in house.evil, house.strange, house.no_sign:
        assert said(signer) == 'processed/error: authentication-failed'
    assert said(house.acme, certificates=False) == 'processed/error: authentication-failed'
    assert len(r.delivered()) == 1
    assert plant.wait_log(r'certificate\.signer_refused.*evil.*issued_to')


@pytest.mark.parametrize('mdn', ['sync', 'async'])
def test_an_mdn_is_believed_by_the_authority_of_its_signer(plant, house, mdn):
    with Out(plant, send={'mdn': mdn}) as p:
        scene.apply(plant, trusts('acme-ca', house.ca))
        p.change(signing_certificate='acme-ca')
        p.peer.keys = house.acme
        p.exchange()
        p.peer.keys = house.evil
        d = p.exchange('overdue' if mdn == 'sync' else 'sent')
        waybill.wait_until(lambda: 'MDN refused' in texts(scene.document(plant, d['id'])), 10)


@pytest.mark.parametrize('what', ['none', 'leaf', 'chain'])
def test_the_certificates_that_were_agreed_go_with_our_signatures(plant, house, tmp_path, what):
    ours = waybill.Authority(tmp_path / 'ca', 'Our CA', 'rsa:2048').issue('we')
    chain = tmp_path / 'chain.pem'
    chain.write_text(ours.pem() + (tmp_path / 'ca' / 'ca.crt').read_text())
    with Out(plant, 'S', send={'include_certificates': what}) as p:
        scene.apply(plant, {'certificate': 'we', 'file': str(chain), 'key_file': ours.key},
                    {'identity': 'we', 'as2': {'as2_id': as2_scene.OWN + what,
                                               'signing_certificate': 'we'}})
        p.peer.partner, p.peer.partner_cert = as2_scene.OWN + what, ours.cert
        p.exchange(identity='we')
        request, = p.requests()
        _, params = as2.value(request.get('Content-Type'))
        signature = as2.Entity.read(as2.split(request.body, params['boundary'])[1]).decoded
        names = as2.openssl('pkcs7', '-inform', 'DER', '-print_certs', '-noout',
                            data=signature).decode()
        assert [line for line in names.splitlines() if line.startswith('subject')] == {
            'none': [], 'leaf': ['subject=CN = we'],
            'chain': ['subject=CN = we', 'subject=CN = Our CA']}[what]
