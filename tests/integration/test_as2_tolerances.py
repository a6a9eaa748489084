"""What other people's programs were seen to send (docs/interop.md), without those programs."""

import as2
import as2_scene
import pytest
import scene
import waybill
from as2_sending import Out, shared_gateway, texts  # noqa: F401


def indefinite(der):
    """A SignedData with its three outermost lengths left open."""
    def inside(octets):
        n = octets[1]
        return octets[2:] if n < 0x80 else octets[2 + (n & 0x7f):]
    kind = inside(der)
    rest = kind[2 + kind[1]:]
    return (b'\x30\x80' + kind[:2 + kind[1]] + b'\xa0\x80\x30\x80' + inside(inside(rest))
            + bytes(6))


def mdns(peer, *, cut=False, over=lambda octets: octets, encoding='base64', micalg='sha-256', preamble=b'',
         ber=False, **how):
    """Makes the partner sign MDNs in a way of its own: cut: the report lacks its last CRLF; over:
    what is signed instead of it; how: keywords of as2.cms_sign()."""
    def mdn(received, **given):
        fields, body = as2.Peer.mdn(peer, received, signed=False, **given)
        report = as2.Entity([f for f in fields if f[0] == 'Content-Type'],
                            body[:-2] if cut else body)
        signature = as2.cms_sign(over(report.octets), peer.keys, **how)
        signature = indefinite(signature) if ber else signature
        part = as2.encoded([('Content-Type', 'application/pkcs7-signature; name=smime.p7s')],
                           signature, encoding)
        outer = as2.multipart(
            f'multipart/signed; protocol="application/pkcs7-signature"; micalg={micalg}',
            [report.octets, part], preamble=preamble)
        return [f for f in fields if f[0] != 'Content-Type'] + outer.fields, outer.body
    peer.mdn = mdn


TOGGLED = {'one CRLF less was signed': {'over': lambda octets: octets[:-2]},
           'one CRLF more was signed': {'cut': True, 'over': lambda octets: octets + b'\r\n'}}


@pytest.mark.parametrize('way', TOGGLED)
@pytest.mark.parametrize('mdn', ['sync', 'async'])
def test_an_mdn_signed_with_another_end_settles_only_where_that_is_tolerated(plant, way, mdn):
    with Out(plant, 'ES', send={'mdn': mdn}, receipt_resends=0) as p:
        mdns(p.peer, **TOGGLED[way])
        n = p.send()
        d = scene.wait_document(plant, n, 'overdue', 'sent')
        waybill.wait_until(
            lambda: 'tolerate_trailing_crlf of the partner' in
            texts(scene.document(plant, n)), 20, 'the hint')
        assert d['state'] != 'acknowledged'
        p.change(tolerate_trailing_crlf=True)
        assert p.exchange()['receipts'][0]['state'] == 'received'


@pytest.mark.parametrize('octets', [b'\r\n\r\n', b'\n', b' ', b'x'])
def test_no_other_difference_at_the_end_is_tolerated(plant, octets):
    with Out(plant, 'S', tolerate_trailing_crlf=True) as p:
        mdns(p.peer, over=lambda o: o[:-2] + octets)
        d = p.exchange('overdue')
        assert 'MDN refused' in texts(d) and 'tolerate_trailing_crlf' not in texts(d)


def test_a_stranger_is_not_let_in_by_the_tolerance(plant):
    with Out(plant, 'S', tolerate_trailing_crlf=True) as p:
        mdns(p.peer, over=lambda o: o[:-2])
        p.peer.keys = as2_scene.keys('stranger')
        assert 'MDN refused' in texts(p.exchange('overdue'))


@pytest.mark.parametrize('how', [
    {'encoding': 'binary'}, {'encoding': None}, {'certificates': False},
    {'encoding': 'binary', 'certificates': False}, {'ber': True},
    {'ber': True, 'encoding': 'binary'}, {'micalg': 'sha256'}, {'micalg': 'SHA-256'},
    {'micalg': '"SHA256"'}, {'preamble': b'Content-Type: multipart/report\r\nX: y\r\n\r\n'},
], ids=str)
def test_signatures_of_mdns_come_in_many_forms(plant, how):
    """OpenAS2: binary and without certificates; as2-lib: of indefinite length, names of digests;
    mendelson: header lines before the first delimiter."""
    with Out(plant, 'ES') as p:
        mdns(p.peer, **how)
        d = p.exchange()
        assert [r['state'] for r in d['receipts']] == ['received']
        assert 'as2.received_content_mic' in d['properties']


@pytest.mark.parametrize('micalg', ['sha256', 'SHA256', 'sha-256', 'SHA-256', 'rsa-sha256',
                                    'sha2_256'])
def test_each_spelling_of_a_digest_is_known_in_messages_and_what_they_ask_for(plant, micalg):
    r = as2_scene.Relation(plant)
    m = r.message(b'spelled', 'S', signing={'micalg': micalg}, change={
        'Disposition-Notification-Options': 'signed-receipt-protocol=required, pkcs7-signature; '
                                            f'signed-receipt-micalg=required, {micalg}'})
    mdn = r.exchange(m)
    assert r.content() == b'spelled' and mdn.signature
    mic, name = mdn.said['received-content-mic'].split(', ')
    assert name == micalg and f'{mic}, sha-256' == as2.mic_text(m.mic_source, 'sha-256')


def test_connection_close_te_is_answered(plant):
    """Old Java programs send it with every request."""
    r = as2_scene.Relation(plant)
    m = r.message(b'old', 'ES', change={'Connection': 'close, TE',
                                        'TE': 'trailers, deflate, gzip, compress'})
    r.exchange(m)
    assert r.content() == b'old'


@pytest.mark.parametrize('nesting', ['S', 'E', 'C', 'ES', 'ESC'])
@pytest.mark.parametrize('really', [False, True])
def test_base64_in_the_head_is_believed_only_of_what_can_be_base64(plant, nesting, really):
    """as2-lib and libas2 copy the Content-Transfer-Encoding of a part into the head."""
    r = as2_scene.Relation(plant)
    m = r.message(bytes(range(256)), nesting, change={'Content-Transfer-Encoding': 'base64'})
    r.exchange(as2.Message(m.fields, as2.base64_lines(m.body), m.mic_source, m.message_id)
               if really else m)
    assert r.content() == bytes(range(256))


def test_a_document_that_says_base64_and_is_not_is_refused(plant):
    """Nothing tells it from one that was damaged."""
    r = as2_scene.Relation(plant)
    m = r.message(b"UNB+UNOC:3'", '', change={'Content-Transfer-Encoding': 'base64'})
    r.refused(m, 'unexpected-processing-error')
