"""AS2 messages on the wire as a partner sees them: what they are made of, what is asked for, and how
they are posted. What becomes of them when the post fails is in test_as2_retries.py, and when the
MDN is odd in test_as2_receipts.py."""

import email.utils
import re

import as2
import as2_scene
import pytest
import waybill
from as2 import Answer
from as2_sending import LAYERS, Out, gateway, shared_gateway, texts  # noqa: F401

DATA = bytes(range(256)) * 40 + b'\r\n\n\r\0\x1a--b\r\n' + b'abc' * 3000
KINDS = {'sync-signed': {'mdn': 'sync', 'signed_mdn': True},
         'sync-unsigned': {'mdn': 'sync', 'signed_mdn': False},
         'async-signed': {'mdn': 'async', 'signed_mdn': True},
         'async-unsigned': {'mdn': 'async', 'signed_mdn': False},
         'none': {'mdn': 'none'}}


def signature_is_right(got):
    """RFC 1847: two parts, its parameters, the last delimiter with CRLF and nothing behind."""
    kind, params = as2.value(got.get('Content-Type'))
    assert kind == 'multipart/signed' and set(params) == {'protocol', 'micalg', 'boundary'}
    assert params['protocol'] == 'application/pkcs7-signature'
    assert re.fullmatch(r'sha-(1|256|384|512)', params['micalg']), params
    assert len(as2.split(got.body, params['boundary'])) == 2
    assert got.body.startswith(f'--{params["boundary"]}\r\n'.encode())
    assert got.body.endswith(f'\r\n--{params["boundary"]}--\r\n'.encode())


@pytest.mark.parametrize('kind', KINDS)
def test_each_nesting_is_opened_by_the_partner_and_acknowledged(plant, kind):
    """AS2-C31, AS2-C33: the partner reads strictly and its MIC is over what as2.md 3.1 says."""
    partners = {n: Out(plant, n, send=KINDS[kind]) for n in LAYERS}
    sent = {n: p.send(DATA, name=f'file-{n}.edi') for n, p in partners.items()}
    for nesting, p in partners.items():
        got = p.received()
        assert got.nesting == nesting and got.payload == DATA, nesting
        assert got.file_name == f'file-{nesting}.edi'
        if nesting[:1] == 'S':
            signature_is_right(got)
        assert (got.get('Disposition-Notification-To') is None) == (kind == 'none')
        assert (got.get('Disposition-Notification-Options') is None) == \
            (kind == 'none' or 'unsigned' in kind)
        assert (got.get('Receipt-Delivery-Option') is None) == ('async' not in kind)
        d = p.wait(sent[nesting], 'acknowledged')
        assert len(d['receipts']) == (kind != 'none'), d['receipts']
        if 'async' in kind:
            assert p.server.next_mdn_response().status == 200
        assert len(p.requests()) == 1
        with p:
            pass


@pytest.mark.parametrize('nesting', [n for n in LAYERS if 'S' in n])
def test_opaque_signatures_are_sent_where_a_partner_wants_them(plant, nesting):
    """AS2-C31: openssl opens them, and the MIC is of what is inside."""
    with Out(plant, nesting, send={'signature': 'opaque'}) as p:
        d = p.exchange(data=DATA)
        got = p.received()
        assert got.nesting == nesting and got.payload == DATA and d['state'] == 'acknowledged'
        if nesting == 'S':
            assert got.get('Content-Type') == \
                'application/pkcs7-mime; smime-type=signed-data; name=smime.p7m'


@pytest.mark.parametrize('send', [
    {'base64': True}, {'chunked': True}, {'digest': 'SHA1'}, {'digest': 'SHA512'},
    {'legacy_names': True}, {'signed_attributes': False}, {'include_certificates': 'none'},
    {'padding': 'pss_oaep'}, {'cipher': '3DES'}, {'cipher': 'AES128'}, {'cipher': 'AES256_GCM'},
    {'file_name': False}, {'content_type': 'application/edi-x12'}], ids=str)
def test_each_setting_of_send_is_understood_by_the_partner(plant, send):
    with Out(plant, 'ESC', send=send) as p:
        d = p.exchange(data=DATA)
        got = p.received()
        assert got.payload == DATA and d['state'] == 'acknowledged'
        request, = p.requests()
        assert (request.get('Transfer-Encoding') == 'chunked') == ('chunked' in send)
        assert (request.get('Content-Length') is None) == ('chunked' in send)
        if 'content_type' in send:
            assert got.payloads[0].type[0] == 'application/edi-x12'
        assert got.file_name == (None if 'file_name' in send else 'orders.edi')
        wanted = {'SHA1': 'sha1', 'SHA512': 'sha-512'}.get(send.get('digest'), 'sha-256')
        if 'legacy_names' in send:
            wanted = 'sha256'
        assert got.get('Disposition-Notification-Options').endswith(f'optional, {wanted}')


@pytest.mark.parametrize('version', ['1.0', '1.1', '1.2'])
def test_the_version_is_announced_and_features_from_1_2_on(plant, version):
    """AS2-C2, AS2-C123."""
    with Out(plant, send={'version': version}, version=version) as p:
        p.exchange()
        got = p.received()
        assert got.get('AS2-Version') == version
        assert (got.get('EDIINT-Features') == 'multiple-attachments') == (version == '1.2')


@pytest.mark.parametrize('code,quoted', [('With blank', '"With blank"'),
                                         ('Quote"and\\slash', r'"Quote\"and\\slash"'),
                                         ('Plain-1', 'Plain-1'), ('x' * 128, 'x' * 128)])
def test_names_are_quoted_only_when_they_must_be(plant, code, quoted):
    """AS2-C5: on the wire; a blank needs allow_blanks."""
    with Out(plant, code=code, **({'allow_blanks': True} if ' ' in code else {})) as p:
        p.exchange()
        request, = p.requests()
        assert request.get('AS2-To') == quoted and request.get('AS2-From') == as2_scene.OWN


def test_nothing_is_folded_however_long_it_is(plant):
    """AS2-C8: neither a header line nor one of a MIME part. The partner reads without folds."""
    name = 'n' * 150 + ' ä ' + '.edi'
    with Out(plant, 'S', send={'subject': 'S' * 400}) as p:
        p.exchange(name=name, content_type='application/edifact; x=' + 'y' * 150)
        request, = p.requests()
        assert request.get('Subject') == 'S' * 400
        assert all(not line.startswith((b' ', b'\t')) for line in request.raw.split(b'\r\n'))


def test_the_head_says_what_every_message_must_say(plant):
    with Out(plant) as p:
        p.exchange(subject='Orders of today')
        request, = p.requests()
    assert request.method == 'POST' and request.get('MIME-Version') == '1.0'
    assert request.get('Subject') == 'Orders of today'
    assert re.fullmatch(r'<[^<>@\s]+@us\.example>', request.get('Message-ID'))
    assert email.utils.parsedate_to_datetime(request.get('Date')) is not None
    assert request.get('Host') == f'127.0.0.1:{p.server.port}'
    for name in 'Expect', 'Authorization', 'Accept-Encoding', 'Content-Encoding':
        assert request.get(name) is None, name
    assert '\n' not in request.target


def test_the_query_of_the_url_reaches_the_partner_unchanged(plant):
    """AS2-C22: path and query; the default ports are in the unit test of http_url_check()."""
    query = '?a=b%20c&d=/e?f&g=%C3%A4;h'
    with Out(plant, url=query) as p:
        p.exchange()
        request, = p.requests()
        assert request.target == '/as2' + query


def test_any_number_of_1xx_answers_is_skipped(plant):
    """AS2-C19."""
    with Out(plant) as p:
        def interim(request):
            answer = p.server.answer(request)
            answer.interim = [100, 102, 103] * 10
            return answer
        p.script(interim)
        p.exchange()
        assert len(p.requests()) == 1


@pytest.mark.parametrize('answer', [
    Answer(200), Answer(200, reason=''), Answer(201, body=b'made'), Answer(202, reason='"OK"'),
    Answer(204), Answer(206), Answer(200, [('Content-Type', 'text/html')], b'<html>thanks</html>'),
    Answer(200, body=b'x' * 5000, chunks=100), Answer(299, reason='Whatever it is')],
    ids=lambda a: f'{a.status}-{a.reason}-{len(a.body)}')
@pytest.mark.parametrize('mdn', ['none', 'async'])
def test_any_2xx_is_yes_where_no_mdn_is_in_the_answer(plant, answer, mdn):
    """AS2-C28."""
    with Out(plant, send={'mdn': mdn}) as p:
        p.script(answer)
        d = p.exchange('acknowledged' if mdn == 'none' else 'sent')
        assert len(p.requests()) == 1, texts(d)


def test_a_key_of_4096_bits_signs_and_encrypts(plant):
    """AS2-C120."""
    as2_scene.keys('big', 'rsa:4096')
    with Out(plant, 'ES', key='big') as p:
        p.exchange(data=DATA)
        got = p.received()
        assert got.nesting == 'ES' and got.payload == DATA


def test_our_credentials_go_with_the_first_request_and_only_there(plant):
    """AS2-C23, AS2-C82: shown at once; a 401 all the same is final; a redirect gets nothing."""
    login = {'our_username': 'us', 'our_password': 'secret pass'}
    with Out(plant, **login) as p, as2.Server() as other:
        p.exchange()
        assert [r.auth for r in p.requests()] == [('us', 'secret pass')]
        p.script(Answer(401, [('WWW-Authenticate', 'Basic realm="x"')]))
        d = p.exchange('failed')
        assert '401' in d['reason'] and 'secret' not in texts(d)
        p.script(Answer(307, [('Location', other.url)]))
        d = p.exchange('failed')
        assert '307' in d['reason'] and other.url in d['reason']
        assert other.requests.empty() and other.connections == 0
    assert 'secret pass' not in plant.log()


@pytest.mark.parametrize('status', [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(plant, status):
    """AS2-C25."""
    with Out(plant) as p, as2.Server() as other:
        p.script(Answer(status, [('Location', other.url)]))
        d = p.exchange('failed')
        assert f'HTTP {status}, redirected to {other.url}' in d['reason']
        assert other.connections == 0 and len(p.requests()) == 1


def test_the_proxy_of_the_partner_is_used(plant):
    with as2.Server() as proxy, Out(plant, proxy=proxy.url[:-4], send={'mdn': 'none'}) as p:
        p.exchange()
        request = proxy.next_request()
        assert request.target == p.server.url and p.server.connections == 0


def test_several_files_together_are_one_message_of_attachments(plant, tmp_path):
    """RFC 6362: `waybill send --together`."""
    files = {'order.xml': b'<order/>', 'drawing.tif': bytes(range(256)) * 3000, 'note.txt': b''}
    for name, octets in files.items():
        (tmp_path / name).write_bytes(octets)
    with Out(plant, 'ES') as p:
        plant.cli('send', '--partner', p.name, '--together', '--wait',
                  *(tmp_path / name for name in files), json_output=False)
        got = p.received()
        kind, params = got.entity.type
        assert kind == 'multipart/related' and params['type'] == 'application/xml'
        assert params['start'] == got.payloads[0].get('Content-ID')
        assert [e.decoded for e in got.payloads] == list(files.values())
        assert [as2.value(e.get('Content-Disposition'))[1]['filename']
                for e in got.payloads] == list(files)
        assert got.get('EDIINT-Features') == 'multiple-attachments'
