"""Attacks on the AS2 server, each of which must fail: as2.md section 11."""

import re
import zlib

import pytest

import as2
import as2_scene
import scene
import waybill
from as2_http import Connection
from as2_scene import Relation

PLANT = as2_scene.PLANT


@pytest.fixture(scope='module')
def relation(shared_gateway):
    return Relation(shared_gateway)


HEAD = b'POST /as2 HTTP/1.1\r\nHost: x\r\n'


@pytest.mark.parametrize('octets, wanted', [
    (b'POST /' + b'a' * 9000 + b' HTTP/1.1\r\nHost: x\r\n\r\n', 414),
    (HEAD + b'X: ' + b'a' * 17000 + b'\r\n\r\n', 431),
    (HEAD + b'X: y\r\n' * 101 + b'\r\n', 431),
    (HEAD + (b'X: ' + b'a' * 8000 + b'\r\n') * 9 + b'\r\n', 431),
    (b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400),
    (b'POST /as2\r\n\r\n', None), (b'POST /as2 HTTP/9.9\r\n\r\n', None),
    (HEAD + b'NoColon\r\n\r\n', 400), (HEAD + b' X: y\r\n\r\n', None),
    (HEAD + b'X: a\0b\r\n\r\n', 400), (HEAD + b'Content-Length: 99999999999999999999\r\n\r\n', 400)])
def test_oversized_and_malformed_heads(plant, relation, octets, wanted):
    """AS2-C127: limits of 11.1 #3"""
    with Connection(relation.url) as c:
        try:
            c.send(octets)
        except ConnectionError:
            pass
        status = c.response().status
    assert status == wanted if wanted else 400 <= status < 506
    relation.exchange(relation.message(b'still well', 'S'))


def test_no_address_takes_all_connections(tmp_path):
    """11.1 #4: the one too many is told to come later"""
    with waybill.Gateway(tmp_path / 'g', settings={'as2_server': {
            **as2_scene.SERVER, 'max_connections_per_address': 5}}) as g:
        r = Relation(g)
        url = r.url
        idle = [Connection(url) for _ in range(5)]
        try:
            def refused():
                with Connection(url) as c:
                    c.send(HEAD + b'Content-Length: 0\r\n\r\n')
                    return c.response().status == 503
            waybill.wait_until(refused, 10, 'the sixth connection to be refused')
        finally:
            for c in idle:
                c.close()
        waybill.wait_until(lambda: not refused(), 10, 'room again')
        r.exchange(r.message(b'x', 'S'))


@pytest.mark.parametrize('framing', [
    b'Content-Length: 5\r\nTransfer-Encoding: chunked', b'Content-Length: 5\r\nContent-Length: 6',
    b'Content-Length: +5', b'Content-Length: 5,5', b'Content-Length: 5 5', b'Content-Length: 0x5',
    b'Transfer-Encoding: xchunked', b'Transfer-Encoding: chunked, identity',
    b'Transfer-Encoding : chunked', b'Content-Length : 5', b'Transfer-Encoding:\r\n chunked',
    b'Content-Length: 5\r\n\tX: y', b'X: a\rContent-Length: 5', b'Transfer-Encoding: chunked\r\n'
    b'Transfer-Encoding: chunked'])
def test_smuggled_requests(plant, relation, framing):
    """AS2-C13: nothing behind an ambiguous request is served"""
    m = relation.message(b'', '', mdn=None)
    inner = b'POST /as2 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n'
    with Connection(relation.url) as c:
        head = c.head(m.fields, length=False)[:-2]
        c.send(head + framing + b'\r\n\r\n0\r\n\r\n' + inner)
        response = c.response()
        assert response.status in (400, 411, 501) and c.closed()


@pytest.mark.parametrize('body', [b'zz\r\nx\r\n0\r\n\r\n', b'-1\r\n\r\n', b'1\r\nxx0\r\n\r\n',
                                  b'1;' + b'e' * 300 + b'\r\nx\r\n0\r\n\r\n',
                                  b'11111111111111111\r\nx', b'1\nx\n0\n\n',
                                  b'1\r\nx\r\n0\r\n' + b'T: ' + b't' * 9000 + b'\r\n\r\n'])
def test_broken_chunks(plant, relation, body):
    before = len(relation.documents())
    m = relation.message(b'', '', mdn=None)
    with Connection(relation.url) as c:
        c.send(c.head(m.fields, chunks=1) + body)
        assert c.response().status == 400 and c.closed()
    assert len(relation.documents()) == before


INJECTED = ['a\r\nX-Evil: 1', 'a\nX-Evil: 1', 'a\rX-Evil: 1', 'a\0b', 'a\x1b[31m', 'a\xe4\xf6',
            '"a\\', 'a"b', '=?utf-8?q?=0D=0AX-Evil:_1?=']


@pytest.mark.parametrize('text', INJECTED)
@pytest.mark.parametrize('name', ['AS2-From', 'AS2-To', 'Message-ID', 'Subject',
                                  'Disposition-Notification-Options', 'EDIINT-Features'])
def test_nothing_injected_comes_out(plant, relation, name, text):
    """AS2-C128 AS2-C79"""
    m = relation.message(b'x', 'S', change={name: text})
    with Connection(relation.url) as c:
        c.request(m.fields, m.body)
        octets = c.reader.until(b'\r\n\r\n')
    head = octets.lower()
    assert b'\nx-evil' not in head and b'\rx-evil' not in head and b'\x1b' not in head
    assert re.match(rb'HTTP/1.1 (200|400|403) ', octets)
    if octets.startswith(b'HTTP/1.1 200'):
        as2.parse_head(octets.split(b'\r\n', 1)[1][:-2])
    assert '\x1b' not in plant.log() and '\nX-Evil' not in plant.log()


def test_names_that_are_paths_or_sql_harm_nothing(plant):
    """11.1 #29, #30"""
    for code in "x';DROP--TABLE", '../../../tmp/x', '%s%n%x', 'C:/x|y':
        r = Relation(plant, code=code)
        m = r.message(b'x', 'ES', message_id="<'; DROP TABLE document; --/../../x@y>",
                      name='..\\..\\x; rm -rf ~')
        assert r.exchange(m).original_message_id == m.message_id
        path, = r.delivered()
        assert path.parent == r.inbox and '/' not in path.name and '\\' not in path.name


# ---- who is who ---------------------------------------------------------------------------------


def test_strangers_cannot_tell_what_is_unknown(plant, relation):
    """AS2-C76 AS2-C129: unknown From, unknown To, a partner without a process: one answer"""
    idle = Relation(plant, listen=False)
    answers = set()
    with as2.Server() as elsewhere:
        for url in None, elsewhere.url:
            for change in ({'AS2-From': 'Nobody'}, {'AS2-To': 'Nobody'},
                           {'AS2-From': 'Nobody', 'AS2-To': 'Nobody'}, {'AS2-From': idle.code}):
                m = relation.message(b'x', 'ES', async_url=url, change=change)
                response = m.post(relation.url)
                answers.add((response.status, response.body, tuple(
                    f for f in response.fields if f[0] != 'Date')))
        assert len(answers) == 1 and {a[0] for a in answers} == {403}
        assert elsewhere.connections == 0
    assert idle.documents() == []
    scene.settled(lambda: not plant.log_lines('from.as2_id together with'), 0)


def test_strangers_may_be_told_in_an_unsigned_mdn(tmp_path):
    """AS2-C76: answer_unknown"""
    with waybill.Gateway(tmp_path / 'g', settings={'as2_server': {
            **as2_scene.SERVER, 'answer_unknown': True}}) as g, as2.Server() as elsewhere:
        r = Relation(g)
        m = r.message(b'x', 'ES', change={'AS2-From': 'Nobody'})
        response = m.post(r.url)
        got = as2.Mdn(response.fields, response.body)
        assert got.disposition == 'processed/error: unknown-trading-partner'
        assert not got.is_signed and got.mic is None
        m = r.message(b'x', 'ES', change={'AS2-From': 'Nobody'}, async_url=elsewhere.url)
        assert m.post(r.url).status == 403 and elsewhere.connections == 0


# ---- the asynchronous URL -------------------------------------------------------------------------

PRIVATE = ['http://127.0.0.1:%d/', 'http://localhost:%d/', 'http://[::1]:%d/', 'http://0.0.0.0:%d/',
           'http://[::ffff:127.0.0.1]:%d/', 'http://2130706433:%d/', 'http://0x7f.1:%d/',
           'http://[::ffff:7f00:1]:%d/', 'http://[64:ff9b::7f00:1]:%d/', 'http://169.254.169.254/',
           'http://10.0.0.1/', 'http://192.168.1.1/', 'http://172.16.0.1/', 'http://100.64.0.1/',
           'http://[fe80::1]/', 'http://[fd00::1]/', 'http://224.0.0.1/', 'http://255.255.255.255/']


def test_an_asynchronous_url_of_a_host_that_is_not_agreed_is_403(plant):
    """AS2-C81: before the body"""
    r = Relation(plant)
    with as2.Server() as elsewhere:
        for url in [elsewhere.url, 'ftp://x/', 'mailto:a@b', 'file:///etc/passwd', 'x', 'http://',
                    'http://user:pw@127.0.0.1/', 'http://a\\b/', 'http://127.0.0.1:99999/',
                    'http://x/' + 'y' * 3000]:
            m = r.message(b'x', 'ES', async_url=url)
            with Connection(r.url) as c:
                c.send(c.head(m.fields, m.body))       # and no body
                assert c.response().status == 403
        assert elsewhere.connections == 0
    assert r.documents() == [] and r.log('mdn_delivery')


def test_private_addresses_are_never_called_for_a_message(plant):
    """AS2-C81: any-public means public"""
    r = Relation(plant, operation={'mdn_delivery': 'any-public'})
    with as2.Server() as inside:
        for i, url in enumerate(PRIVATE):
            url = url % inside.port if '%' in url else url
            response = r.message(str(i).encode(), 'ES', async_url=url).post(r.url)
            assert response.status in (200, 403), (url, response)
        waybill.wait_until(lambda: len([d for d in r.documents() if d['state'] == 'processed'])
                           == len(r.documents()), 30, 'the messages')
        scene.settled(lambda: inside.connections, 0.5)


def test_configured_private_hosts_work_with_any_port_and_path(plant):
    """AS2-C81: partner-host, and configured"""
    with as2.Partner(None) as them:
        r = Relation(plant, server=them)
        other = them.url.replace('/as2', '/elsewhere?x=1')
        assert r.message(b'1', 'ES', async_url=other).post(r.url).status == 200
        assert them.next_request().target == '/elsewhere?x=1'
        r.change(mdn_delivery='configured', mdn_url=them.url + '?configured')
        assert r.message(b'2', 'ES', async_url='http://203.0.113.1/').post(r.url).status == 200
        assert them.next_request().target == '/as2?configured'
        # a message that proves nothing of its sender
        r.change(mdn_delivery='partner-host')
        assert r.message(b'3', 'E', async_url=other).post(r.url).status == 200
        assert them.next_request().target == '/as2?configured'


# ---- what is inside -------------------------------------------------------------------------------


def test_tampered_content_and_a_forged_signature_are_told_apart(plant):
    """AS2-C72"""
    r = Relation(plant)

    def tampered(e):
        e.body = e.body.replace(b'pay 100', b'pay 900')
        return e
    for nesting in 'S', 'ES', 'CS':
        r.refused(r.message(b'pay 100', nesting, edit={'S': tampered}), 'integrity-check-failed')
    r.peer.keys = as2_scene.keys('stranger')
    for nesting in 'S', 'ES', 'CS':
        r.refused(r.message(b'pay 100', nesting), 'authentication-failed')


def other_end(e):
    """The last block of the ciphertext is another: the padding breaks."""
    e.body = e.body[:-20] + bytes(x ^ 0x55 for x in e.body[-20:])
    return e


def test_what_cannot_be_decrypted_has_one_answer(plant):
    """AS2-C73"""
    texts = set()
    for how in [{'edit': {'E': other_end}}, {'edit': {'P': lambda e: as2.Entity([b'no header'], b'')}},
                {'encrypting': {'cipher': 'aes-256-gcm'}, 'edit': {'E': other_end}},
                {'encrypting': {'oaep': 'sha256'}, 'edit': {'E': other_end}}, None]:
        r = Relation(plant)
        if how is None:
            r.peer.partner_cert = as2_scene.keys('stranger').cert
            m = r.message(b'x', 'E')
            r.peer.partner_cert = as2_scene.keys('us').cert
        else:
            m = r.message(b'x' * 100, 'E', **how)
        got = r.refused(m, 'decryption-failed')
        assert got.mic is None
        texts.add(got.text.replace(m.message_id, ''))
    assert len(texts) == 1


def test_beyond_the_failure_budget_all_failures_behind_cbc_are_one(plant):
    """AS2-C72 AS2-C73: 20 a minute are told apart; good messages always pass"""
    r = Relation(plant)

    def spoiled():
        return r.message(b'pay 100', 'ES', edit={'S': lambda e: as2.Entity(
            e.fields, e.body.replace(b'pay 100', b'pay 900'))})
    good = r.message(b'good', 'ES')
    *before, m = [spoiled() for _ in range(21)]     # made first: they must come within a minute
    for message in before:
        r.refused(message, 'integrity-check-failed')
    got = r.exchange(m, 'processed/error: decryption-failed')
    assert got.mic is None and r.log('as2.failure_budget.*address=127.0.0.1')
    r.exchange(good)
    r.exchange(r.message(b'pay 100', 'S', edit={'S': lambda e: as2.Entity(
        e.fields, e.body.replace(b'pay 100', b'pay 900'))}),
        'processed/error: integrity-check-failed')      # nothing encrypted, nothing to learn
    other = Relation(plant)
    other.refused(other.message(b'pay 100', 'ES', edit={'S': lambda e: as2.Entity(
        e.fields, e.body.replace(b'pay 100', b'pay 900'))}), 'integrity-check-failed')


def test_uniform_errors_from_the_start(plant):
    """AS2-C73"""
    r = Relation(plant, operation={'uniform_errors': True})
    m = r.message(b'pay 100', 'ES', edit={'S': lambda e: as2.Entity(
        e.fields, e.body.replace(b'pay 100', b'pay 900'))})
    assert r.refused(m, 'decryption-failed').mic is None
    r.exchange(r.message(b'good', 'ES'))


@pytest.mark.parametrize('nesting', ['C', 'ES', 'ESC', 'CS'])
def test_bombs_and_broken_compression(plant, nesting):
    """AS2-C74"""
    r = Relation(plant, operation={'max_file_size': '1M'})
    bomb = r.message(b'\0' * 30000000, nesting if 'C' in nesting else 'C')
    r.refused(bomb, 'decompression-failed')
    if 'C' in nesting:
        cut = r.message(b'x' * 1000, nesting, edit={'C': lambda e: as2.Entity(
            e.fields, as2.compressed_data(zlib.compress(b'y' * 5000)[:-3]))})
        r.refused(cut, 'decompression-failed')
    assert plant.resident_kb() < 100000 * waybill.slow()


def test_types_we_do_not_open_are_never_processed(plant):
    """Ciphertext or a CMS object must not become the document"""
    for kind in 'certificates', 'inner', 'digested', 'garbage':
        r = Relation(plant)
        if kind in ('certificates', 'inner'):
            octets = as2.openssl('crl2pkcs7', '-nocrl', '-outform', 'DER', '-certfile',
                                 r.peer.keys.cert)
            entity = as2.Entity([('Content-Type', 'application/pkcs7-mime; smime-type=certs-only')],
                                octets)
            if kind == 'inner':
                entity = as2.encrypt(entity, r.peer.partner_cert)
        else:
            octets = as2.openssl('cms', '-digest_create', '-binary', '-outform', 'DER', data=b'x') \
                if kind == 'digested' else b'\x30\x80garbage'
            entity = as2.Entity([('Content-Type', 'application/pkcs7-mime; name=smime.p7m')], octets)
        m = r.message(b'', '', change={'Content-Type': entity.get('Content-Type'),
                                       'Content-Disposition': None})
        m.body, m.mic_source = entity.body, b''
        response = m.post(r.url)
        got = as2.Mdn(response.fields, response.body)
        assert got.disposition.startswith('processed/error: '), (kind, got.disposition)
        assert r.files() == [] and r.wait_document('refused')


def test_signed_content_is_all_that_is_delivered(plant):
    """11.1 #19, #20: wrapping, a second Content-Type, content inside a detached signature"""
    r = Relation(plant)
    real = as2.payload(b'real').octets
    signed = as2.sign(real, r.peer.keys)
    b = b'--' + as2.value(signed.get('Content-Type'))[1]['boundary'].encode()
    evil = b + b'\r\n\r\nevil\r\n'
    for body in evil + signed.body, signed.body.replace(b + b'--', b + b'\r\n\r\nevil\r\n' + b + b'--'):
        m = r.message(b'', '', change={'Content-Type': signed.get('Content-Type'),
                                       'Content-Disposition': None})
        m.body, m.mic_source = body, real
        response = m.post(r.url)
        assert as2.Mdn(response.fields, response.body).disposition.startswith('processed/error: ')
    for name in 'Content-Type', 'Content-Transfer-Encoding', 'Receipt-Delivery-Option':
        double = r.message(b'x', 'S', fields=[(name, 'a/b'), (name, 'c/d')])
        assert double.post(r.url).status == 400
    inside = r.message(b'x', 'S', signing={'detached': False})
    response = inside.post(r.url)
    assert as2.Mdn(response.fields, response.body).disposition.startswith('processed/error: ')
    assert r.files() == []
