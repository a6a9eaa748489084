"""The MDNs we give: when, which, signed how, where to, and when they wait. as2.md 1.4, 4."""

import re
import select
import time

import pytest

import as2
import as2_scene
import scene
import waybill
from as2_http import Answer, Connection
from as2_scene import Relation

PLANT = {'settings': {'as2_server': {**as2_scene.SERVER, 'sync_wait': '300ms'}}}
SIGNED = 'signed-receipt-protocol=optional, pkcs7-signature; signed-receipt-micalg=optional, '


@pytest.fixture(scope='module')
def relation(shared_gateway):
    return Relation(shared_gateway, operation={'digests': ['MD5', 'SHA1', 'SHA256', 'SHA512']})


@pytest.fixture(scope='module')
def calm(tmp_path_factory):
    """A gateway at which a synchronous MDN may take as long as it takes."""
    with waybill.Gateway(tmp_path_factory.mktemp('calm') / 'calm', 'calm', settings={
            'as2_server': {**as2_scene.SERVER, 'sync_wait': '10m'}}) as g:
        yield g


@pytest.fixture
def them(plant):
    """A partner that takes asynchronous MDNs, and its relation."""
    server = as2.Partner(None)
    with server:
        r = Relation(plant, server=server)
        server.peer = r.peer
        server.relation = r
        yield server
        assert server.problems == []


def broken(r):
    """A message that cannot be decrypted."""
    r.peer.partner_cert, keep = as2_scene.keys('stranger').cert, r.peer.partner_cert
    try:
        return r.message(b'for somebody else', 'E')
    finally:
        r.peer.partner_cert = keep


def read(r, m, response):
    assert response.status == 200
    return r.peer.read_mdn(m, response.fields, response.body)


def test_no_mdn_that_was_not_asked_for(plant, relation):
    """AS2-C59 AS2-C64: in no case, errors included"""
    for m in (relation.message(b'x', 'ES', mdn=None), broken(relation)):
        for more in {}, {'Receipt-Delivery-Option': 'http://127.0.0.1:1/'}, {
                'Disposition-Notification-Options': SIGNED + 'sha-256'}:
            m = m.with_field('Disposition-Notification-To', None).with_field(
                'Message-ID', relation.peer.new_id())
            for name in ('Receipt-Delivery-Option', 'Disposition-Notification-Options'):
                m = m.with_field(name, more.get(name))
            response = m.post(relation.url)
            assert (response.status, response.body) == (200, b'')
            d = scene.document(plant, relation.documents()[0]['id'])
            assert d['receipts'] == [] and 'mdn' not in [j['kind'] for j in d['jobs']]


def test_a_synchronous_mdn_is_in_the_response_negative_ones_too(plant, relation):
    """AS2-C61 AS2-C65 AS2-C55 AS2-C63: signed, and without MIC when decryption failed"""
    for mdn in 'signed', 'unsigned':
        for delivery in None, '', '  ':
            m = relation.message(b'x', 'ES', mdn=mdn, change={'Receipt-Delivery-Option': delivery})
            assert read(relation, m, m.post(relation.url)).positive
    m = broken(relation)
    response = m.post(relation.url)
    got = read(relation, m, response)
    assert got.disposition == 'processed/error: decryption-failed' and got.mic is None
    assert got.is_signed and response.status == 200


@pytest.mark.parametrize('options, is_signed, name', [
    (SIGNED + 'sha-256', True, 'sha-256'),
    ('SIGNED-RECEIPT-MICALG = Required ,\tSHA512 ; Signed-Receipt-Protocol=REQUIRED,'
     'PKCS7-Signature;',
     True, 'SHA512'),
    ('signed-receipt-protocol=pkcs7-signature;signed-receipt-micalg=sha1', True, 'sha1'),
    (SIGNED + 'unknown, , sha-512, sha1', True, 'sha-512'),
    (SIGNED + 'md5', True, 'md5'),     # the MIC; signatures are never made with MD5
    ('signed-receipt-protocol=optional, pkcs7-signature', True, None),
    ('signed-receipt-micalg=optional, sha-512', False, 'sha-512'),
    ('signed-receipt-protocol=optional, other; signed-receipt-micalg=optional, sha1', False, 'sha1'),
    ('unknown=optional, x; ' + SIGNED + 'sha-512', True, 'sha-512'),
    ('%%%', False, None), ('', False, None)])
def test_what_is_asked_for_is_given(plant, relation, options, is_signed, name):
    """AS2-C66 AS2-C67 AS2-C54 AS2-C53"""
    m = relation.message(b'options', '', mdn='unsigned', change={
        'Disposition-Notification-Options': options})
    got = read(relation, m, m.post(relation.url))
    assert got.positive and got.is_signed == is_signed
    assert got.mic[1] == (name or 'sha1')     # without a list: mic_default
    if is_signed:
        got.verify(as2_scene.keys('us').cert)
        wanted = {'md5': 'sha1', None: 'sha256'}.get(name) or as2.digest_name(name)
        assert as2.digest_name(got.micalg) == wanted


@pytest.mark.parametrize('options, said', [
    (SIGNED + 'unknown, md2', 'failed/failure: unsupported MIC-algorithms'),
    ('signed-receipt-protocol=required, other; signed-receipt-micalg=optional, sha1',
     'failed/failure: unsupported format'),
    (SIGNED + 'sha1; other=required, x', 'failed/failure')])
def test_receipts_that_cannot_be_given(plant, options, said):
    """AS2-C68 AS2-C69: unsigned, no MIC, nothing delivered"""
    r = Relation(plant)
    m = r.message(b'x', 'ES', mdn='unsigned', change={'Disposition-Notification-Options': options})
    response = m.post(r.url)
    got = as2.Mdn(response.fields, response.body)
    assert response.status == 200 and got.disposition == said and r.files() == []
    if said != 'failed/failure':
        assert not got.is_signed and got.mic is None
    else:
        assert 'other' in got.said['failure']
    r.wait_document('refused')


def test_the_report_says_what_it_must_in_ascii_and_no_more(plant, relation):
    """AS2-C70 AS2-C71 AS2-C79"""
    for m in relation.message(b'x', 'ES', message_id='<ID.Of~It@x>'), broken(relation):
        got = read(relation, m, m.post(relation.url))
        assert got.original_message_id == m.message_id
        assert got.said['final-recipient'] == f'rfc822; {relation.own}'
        text = got.body.decode('ascii')
        for inside in '127.0.0.1', str(plant.directory), 'error:0', 'openssl', 'OPENSSL', 'src/':
            assert inside not in text
        assert not re.search('[^\r]\n', text)


def test_less_security_than_agreed_is_refused(plant):
    """AS2-C75 AS2-C130: a stripped signature, too"""
    for need, bad, good in [('encrypted', 'S', 'ES'), ('signed', 'E', 'ES'), ('signed', '', 'S'),
                            ('compressed', 'ES', 'ESC'), ('signed', 'C', 'CS')]:
        r = Relation(plant, operation={'require': {need: True}})
        r.refused(r.message(b'x', bad), 'insufficient-message-security')
        r.exchange(r.message(b'x', good))
        assert r.content() == b'x' and r.log(f'require.{need}')


@pytest.mark.parametrize('operation, how, fault', [
    ({'minimum_digest': 'SHA256'}, {'signing': {'md': 'sha1'}}, 'insufficient-message-security'),
    ({'digests': ['SHA512']}, {}, 'insufficient-message-security'),
    ({}, {'signing': {'md': 'md5'}}, 'insufficient-message-security'),
    ({'ciphers': ['AES256_GCM']}, {}, 'decryption-failed'),
    ({'ciphers': ['AES256']}, {'encrypting': {'cipher': 'aes-256-gcm'}}, 'decryption-failed'),
    ({}, {'encrypting': {'cipher': 'des-cbc', 'extra': ['-provider', 'legacy', '-provider',
                                                        'default']}}, 'decryption-failed')])
def test_algorithms_that_are_not_agreed_are_refused(plant, operation, how, fault):
    """AS2-C75 AS2-C107: never processed with the ciphertext stored"""
    r = Relation(plant, operation=operation)
    r.refused(r.message(b'x', 'ES', **how), fault)


def test_another_partners_certificate_does_not_verify(plant):
    """AS2-C111 AS2-C72"""
    r, other = Relation(plant), Relation(plant, key='other')
    other.exchange(other.message(b'x', 'S'))
    r.peer.keys = as2_scene.keys('other')
    mdn = r.refused(r.message(b'x', 'ES'), 'authentication-failed')
    assert mdn.mic and r.log('unknown_signer=.*look_at=from.signing_certificate')
    r.refused(r.message(b'x', 'S'), 'authentication-failed')


def test_an_expired_certificate_is_taken_within_its_grace_only(plant, tmp_path):
    """AS2-C117"""
    ca = waybill.Authority(tmp_path / 'ca')
    then = time.gmtime(time.time() - 3 * 86400)
    old = ca.issue('old', start='20200101000000Z', end=time.strftime('%Y%m%d%H%M%SZ', then))
    scene.apply(plant, {'certificate': 'as2-old', 'file': old.cert})
    for days, taken in (0, False), (2, False), (10, True):
        r = Relation(plant, operation={'expired_grace_days': days}, signing_certificate='as2-old')
        r.peer.keys = old
        if taken:
            r.exchange(r.message(b'x', 'S'))
            assert plant.wait_log('as2.certificate.expired.*as2-old')
        else:
            r.refused(r.message(b'x', 'S'), 'authentication-failed')


# ---- asynchronous -------------------------------------------------------------------------------


@pytest.mark.parametrize('mdn', ['signed', 'unsigned'])
def test_an_asynchronous_mdn_comes_after_the_2xx(plant, them, mdn):
    """AS2-C62"""
    r = them.relation
    m = r.message(b'later', 'ES', mdn=mdn, async_url=them.url + '?query=kept')
    with Connection(r.url) as c:
        answered = []
        them.script.append(lambda _: answered.extend(select.select([c.sock], [], [], 0)[0]))
        c.request(m.fields, m.body)
        request = them.next_request()
        assert answered, 'the MDN came before the 2xx'
        response = c.response()
    assert (response.status, response.body) == (200, b'')
    got = r.peer.read_mdn(m, request.fields, request.body)
    assert got.positive and got.is_signed == (mdn == 'signed')
    assert request.target.endswith('?query=kept') and request.get('Content-Length')
    assert request.get('Disposition-Notification-To') is None
    assert r.content() == b'later'


def test_the_2xx_waits_neither_for_the_verdict_nor_for_the_process(plant, them):
    """AS2-C62: the process takes longer than the answer may; the MDN of a bad message comes, too"""
    r = them.relation
    r.operation = {'acknowledge': 'received'}
    gate = scene.Gate(r.inbox.parent)
    scene.apply(plant, r.process_component(steps=[gate.step]))
    m = r.message(b'slow', 'ES', async_url=them.url)
    assert m.post(r.url).status == 200
    request = them.next_request()
    assert r.peer.read_mdn(m, request.fields, request.body).positive
    r.wait_document('processing')
    gate.open()
    bad = broken(r)
    bad = bad.with_field('Receipt-Delivery-Option', them.url)
    assert bad.post(r.url).status == 200
    # it proves nothing of its sender, so it goes where the partner is configured to be
    request = them.next_request()
    assert r.peer.read_mdn(bad, request.fields, request.body).disposition == \
        'processed/error: decryption-failed'


def test_an_mdn_is_not_answered_and_not_stored_as_payload(plant, them):
    """AS2-C60 AS2-C84: not even when it asks for one"""
    r = them.relation
    m = r.message(b'x', 'ES')
    for change in {}, {'Disposition-Notification-To': 'me', 'Message-ID': None, 'Date': None,
                       'Subject': None}:
        fields, body = r.peer.mdn(m, source=b'x', micalg='sha-256', change=change)
        response = as2.post(r.url, fields, body)
        assert (response.status, response.body) == (200, b'')
    assert r.documents() == [] and r.files() == []


def test_what_is_found_when_it_is_opened_later_is_told_likewise(plant, them):
    """File names that came before, and signatures"""
    r = them.relation
    r.change(file_names='reject')
    m = r.message(b'1', 'S', name='same.edi', async_url=them.url)
    replay = m.with_field('Message-ID', '<replay@x>')
    replay.message_id = '<replay@x>'
    for message, said in ((m, 'processed'), (replay, 'processed/error: duplicate-filename'),
                          (r.message(b'3', 'S', name='a/b', async_url=them.url),
                           'processed/error: illegal-filename')):
        assert message.post(r.url).status == 200
        request = them.next_request()
        assert r.peer.read_mdn(message, request.fields, request.body).disposition == said
    r.change(file_names='preserve')
    assert replay.post(r.url).status == 200
    them.next_request()
    assert r.log('as2.signature.again.*other=')


# ---- acknowledge: processed, manual, none ---------------------------------------------------------


def test_a_receipt_for_what_was_processed_comes_asynchronously(plant, them):
    r = them.relation
    for command, said in ('/bin/true', 'processed'), ('/bin/false',
                                                      'processed/error: unexpected-processing-error'):
        r.operation = {'acknowledge': 'processed'}
        scene.apply(plant, r.process_component(steps=[{'exec': {'command': [command]}}]))
        m = r.message(command.encode(), 'ES', async_url=them.url)
        assert m.post(r.url).status == 200
        request = them.next_request()
        assert r.peer.read_mdn(m, request.fields, request.body).disposition == said


def test_a_synchronous_mdn_waits_for_the_process(calm):
    gate = scene.Gate(calm.directory)
    r = Relation(calm, operation={'acknowledge': 'processed'}, steps=[gate.step])
    m = r.message(b'x', 'ES')
    with Connection(r.url) as c:
        c.request(m.fields, m.body)
        r.wait_document('processing')
        scene.settled(lambda: select.select([c.sock], [], [], 0)[0], 0.3)
        gate.open()
        got = c.response()
    assert read(r, m, got).positive
    r.wait_document('processed')


def test_a_partner_does_not_wait_for_ever_for_a_synchronous_mdn(plant):
    """It is asked to come again, and then gets it."""
    gate = scene.Gate(plant.directory)
    r = Relation(plant, operation={'acknowledge': 'processed'}, steps=[gate.step])
    m = r.message(b'slow', 'ES')
    response = m.post(r.url)
    assert response.status == 503 and int(response.get('Retry-After')) > 0
    assert m.post(r.url).status == 503       # still
    gate.open()
    r.wait_document('processed')
    assert r.exchange(m).positive and len(r.documents()) == 1


def test_a_failed_process_is_told_in_the_synchronous_mdn(calm):
    r = Relation(calm, operation={'acknowledge': 'processed'},
                 steps=[{'exec': {'command': ['/bin/false']}}])
    r.exchange(r.message(b'x', 'ES'), 'processed/error: unexpected-processing-error')
    r.wait_document('failed')


@pytest.mark.parametrize('command, said', [
    (['acknowledge'], 'processed'),
    (['reject'], 'processed/error: unexpected-processing-error')])
def test_an_operator_releases_the_mdn(plant, them, command, said):
    """`waybill acknowledge` and `waybill reject`: asynchronous ones, and synchronous ones asked for
    again"""
    r = them.relation
    r.change(acknowledge='manual')
    m = r.message(b'async', 'ES', async_url=them.url)
    assert m.post(r.url).status == 200
    d = r.wait_document('processed')
    assert them.requests.empty() and d['receipts'] == []
    plant.cli(*command, str(d['id']), *(['--text', 'no such order'] if 'reject' in command else []))
    request = them.next_request()
    got = r.peer.read_mdn(m, request.fields, request.body)
    assert got.disposition == said and ('no such order' in got.text) == ('reject' in command)
    again = plant.cli(*command, str(d['id']), check=None)
    assert again.returncode == 1
    m = r.message(b'sync', 'ES')
    assert m.post(r.url).status == 503
    d = r.wait_document('processed', count=2)
    plant.cli(*command, str(d['id']))
    r.exchange(m, said)
    assert len(r.documents()) == 2


@pytest.mark.parametrize('since', ['none', 'received'])
def test_an_mdn_that_waits_for_an_operator_is_released_whatever_the_process_says_since(
        plant, them, since):
    """Nor is it given without the operator when the message comes again."""
    r = them.relation
    r.change(acknowledge='manual')
    m = r.message(b'async', 'ES', async_url=them.url)
    assert m.post(r.url).status == 200
    first = r.wait_document('processed')
    sync = r.message(b'sync', 'ES')
    assert sync.post(r.url).status == 503
    second = r.wait_document('processed', count=2)
    r.change(acknowledge=since)
    assert sync.post(r.url).status == 503
    assert them.requests.empty()
    plant.cli('acknowledge', str(first['id']))
    request = them.next_request()
    assert r.peer.read_mdn(m, request.fields, request.body).positive
    plant.cli('reject', str(second['id']))
    r.exchange(sync, 'processed/error: unexpected-processing-error')
    assert len(r.documents()) == 2


def test_no_mdn_when_none_is_agreed(plant):
    r = Relation(plant, operation={'acknowledge': 'none'})
    response = r.message(b'x', 'ES').post(r.url)
    assert (response.status, response.body) == (200, b'') and r.content() == b'x'


def test_an_mdn_that_is_not_taken_is_posted_again_as_it_was(plant, them):
    """AS2-C80: the same octets, the same Message-ID"""
    r = them.relation
    them.script.append(Answer(503))
    m = r.message(b'again', 'ES', async_url=them.url)
    assert m.post(r.url).status == 200
    first = them.next_request()
    r.wait_document('processed')
    r.log('as2.mdn.later')              # and its next attempt would be in a minute
    duplicate = m.post(r.url)           # asks for an attempt at once
    assert (duplicate.status, duplicate.body) == (200, b'')
    second = them.next_request()
    assert first.body == second.body and first.get('Message-ID') == second.get('Message-ID')
