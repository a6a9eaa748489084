"""The AS2 partner of tests/lib against itself and against the worked examples of AS2's reference, so
that a failing integration test can be held against the program under test. No gateway runs."""

import base64
import hashlib
import threading
import time

import pytest

import as2
import oftp
from as2 import (Answer, Closed, Connection, Entity, FormatError, Keys, Mdn, Partner, Peer, Refused,
                 Server, Silent)
from patience import patient

CERT = """
MIICwzCCAaugAwIBAgICEAEwDQYJKoZIhvcNAQELBQAwEzERMA8GA1UEAwwIU0VOREVSQ08wHhcNMjAwMTAxMDAwMDAwWhcN
NDkxMjMxMjM1OTU5WjATMREwDwYDVQQDDAhTRU5ERVJDTzCCASIwDQYJKoZIhvcNAQEBBQADggEPADCCAQoCggEBALxoD3Ew
jWM2wahCHJs5IMJdu2VVlugXxZxpIN3lXgmPh0an5UMmRyBre0HQBQSUCCYdg3aB08Lw1j0fP8nUJUYuZxB79dJ7sDkXUDQm
GTCUxAqh+uFGhjovuqPOIOCvmJndYjxjXD+sNmNISHhE6s2nbo9GsDFD1swijodLoRtAM4ZsMMyT4JyBdV57YDcBZaWEErti
nmQwBn8tWZc5VmyLIvtPhHADsWbunuwHOjnJvtEfLWWdV07NKNLS4ievVrt0LuGKmDr7/u0mDJhvMDhqbfnvmVVaxlAQXO3H
FCYdcjFx5yWuTsBWiuPyp+4L6WE+P5M5n4+xVpTq7YeMPrsCAwEAAaMhMB8wHQYDVR0OBBYEFObjQUZQxZ2NlErP0o7sccPh
2C48MA0GCSqGSIb3DQEBCwUAA4IBAQCycjWM3TANmiXSgJz+V1nxKvK75a8YlVLLuKQkQWVj8kYeiCIwGB4VBofpWgw8qq5i
TWdU+osJ7n7H2UX/dpE5yXtVJ9EQxS8jFRmc+T/YvWX8YdOhIiIDY0DlYR5bplJliLGZqqLlhucFxZMdvqBjkUg2OrDHnvNP
6U66ql+uCvH67x70aZGPgkFVFmhwm4RYKFUfBToBPtHhaDLGylISBDHo3e3bhetJRAZxxcWES65XKupipWRfLZQqnTGc1kNT
a7JthdwmFBvdf3+cm3bNvqRjTIhPOiud0X1vIkynDOcMlbyP72rP8geVp74bFLautLFBCW0dcOJVJUUn8qv5
"""
KAT_1 = """
MIIB4wYJKoZIhvcNAQcCoIIB1DCCAdACAQExDTALBglghkgBZQMEAgEwCwYJKoZIhvcNAQcBMYIBrTCCAakCAQEwGTATMREw
DwYDVQQDDAhTRU5ERVJDTwICEAEwCwYJYIZIAWUDBAIBoGkwGAYJKoZIhvcNAQkDMQsGCSqGSIb3DQEHATAcBgkqhkiG9w0B
CQUxDxcNMjYxMTIxMDIyMjAzWjAvBgkqhkiG9w0BCQQxIgQgf0KmXz0RYKJFXO+r4P5lutLxRVbbyqOvBdW+1V2A3J8wDQYJ
KoZIhvcNAQEBBQAEggEAA57O5pa/4z9ghw17niukL5kzn+r88WHkK8WR8u7kMR2E4PqonFsSYaTEgTHJD2hh/8F3baHtPs0c
WlBE9y3vvbAYwgovwD7duYT5yuGZ89TUbidvqf6wnc72TCyh3NFOz0iTPxUC2anO6/lopRd+gkoAEWTljZu+9fNp386RgZ6/
//Pi0ycz0lXoZK3E5HLtnqpHtGQbshYQPuwypgpdX4w58ALqWcpzClcLWyknmPzMT9gcllfTEprmLAvHMtnpaA5s3MZxc8wQ
iPhEbt1NzIozyJEdRSCA/iJes85HWo5JL5TFfZfpq8jDKMiiekr3vHMkSLbextPy0CyXLeEX5w==
"""
PAYLOAD = (b"UNB+UNOA:2+SENDERCO:14+RECVCO:14+260102:0304+1'\r\nUNH+1+ORDERS:D:96A:UN'\r\n"
           b"BGM+220+PO-0001+9'\r\nUNT+3+1'\r\nUNZ+1+1'\r\n")
OCTETS = bytes(range(256)) + b'\r\n\n\r\0\x1a--b\r\n--b--\r\n' + b'x' * 5000
TINY = Entity([('Content-Type', 'text/plain')], b'hello\r\n')
COMPRESSED = bytes.fromhex(
    '3062060b2a864886f70d0109100109a0533051020100300d060b2a864886f70d0109100308303d06092a864886f70d'
    '010701a030042e7801012300dcff436f6e74656e742d547970653a20746578742f706c61696e0d0a0d0a68656c6c6f'
    '0d0ae04c0b66')
COMPRESSED_BER = bytes.fromhex(
    '3080060b2a864886f70d0109100109a0803080020100300d060b2a864886f70d0109100308308006092a864886f70d'
    '010701a080248004177801012300dcff436f6e74656e742d547970653a207465041778742f706c61696e0d0a0d0a68'
    '656c6c6f0d0ae04c0b66000000000000000000000000')
MICS = {'': 'zS7KNTV0HyeorkDDGwxB1AV6enuRKzO5rthkhdHIRnY=',
        'SC': 'awV+hSGFV3hgsv5GYjVBQBO7DiorrDikT5oJo/g7q1E=',
        'ESC': 'awV+hSGFV3hgsv5GYjVBQBO7DiorrDikT5oJo/g7q1E='}
MIC_OF_T = 'WBhEq+//8XdXTTcUayVykfFriFR5oMtZtx6rHWJTiUk='


def sha256(octets):
    return base64.b64encode(hashlib.sha256(octets).digest()).decode()


@pytest.fixture(scope='module')
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp('keys')
    return {n: Keys.make(folder, n) for n in ('alice', 'bob', 'eve')}


@pytest.fixture
def alice(keys):
    return Peer('ALICE', keys['alice'], 'BOB & "CO"', keys['bob'])


@pytest.fixture
def bob(keys):
    return Peer('BOB & "CO"', keys['bob'], 'ALICE', keys['alice'])


@pytest.fixture
def partner(bob):
    with Partner(bob) as p:
        yield p
        assert not p.problems


# ---- the worked examples --------------------------------------------------------------------


def test_the_example_of_a_signed_message_has_the_digest_listed(tmp_path):
    entity = as2.payload(PAYLOAD, name='orders.edi')
    assert [n for n, _ in entity.fields] == ['Content-Type', 'Content-Transfer-Encoding',
                                             'Content-Disposition']
    assert len(entity.octets) == 241
    assert sha256(entity.octets) == 'f0KmXz0RYKJFXO+r4P5lutLxRVbbyqOvBdW+1V2A3J8='
    assert as2.mic_text(entity.octets, 'sha1') == 'KzoXiiF2SjHwLGtLY0Sp770tlqw=, sha1'
    encoded = as2.payload(PAYLOAD, name='orders.edi', encoding='base64')
    assert len(encoded.octets) == 284
    assert sha256(encoded.octets) == 'V40+T/3yzlEKL+u4WOXiNkU0AtJm86v6GhrWJxagqKY='
    assert encoded.decoded == PAYLOAD
    cert = tmp_path / 'cert.pem'
    cert.write_text(f'-----BEGIN CERTIFICATE-----\n{CERT.strip()}\n-----END CERTIFICATE-----\n')
    as2.cms_verify(base64.b64decode(KAT_1), entity.octets, cert)
    with pytest.raises(Refused):
        as2.cms_verify(base64.b64decode(KAT_1), entity.octets + b'x', cert)


def test_compressed_data_is_written_and_read_as_in_the_examples():
    assert as2.compress(TINY, level=0).body == COMPRESSED
    assert as2.decompress(COMPRESSED) == as2.decompress(COMPRESSED_BER) == TINY.octets
    stream = COMPRESSED[-46:]
    assert as2.compressed_data(stream, indefinite=True, segment=23) == COMPRESSED_BER
    for bad in (COMPRESSED[:-1], COMPRESSED + b'\0', b'', COMPRESSED.replace(b'\x2a', b'\x2b')):
        with pytest.raises(FormatError):
            as2.decompress(bad)


@pytest.mark.parametrize('nesting', as2.NESTINGS)
def test_the_mic_of_each_nesting_is_the_one_listed(keys, nesting):
    entity = Entity(TINY.fields, TINY.body)
    _, source = as2.build(entity, nesting, keys['alice'], keys['bob'], compressing={'level': 0})
    assert sha256(source) == MICS.get(nesting, MIC_OF_T)


def test_the_example_of_an_mdn_has_the_digest_listed(keys):
    report = as2.multipart('multipart/report; report-type=disposition-notification', [
        Entity([('Content-Type', 'text/plain; charset=us-ascii'),
                ('Content-Transfer-Encoding', '7bit')],
               b'The message has been received and processed.\r\n'),
        Entity([('Content-Type', 'message/disposition-notification'),
                ('Content-Transfer-Encoding', '7bit')],
               b'Reporting-UA: ExampleGW\r\nOriginal-Recipient: rfc822; RECVCO\r\n'
               b'Final-Recipient: rfc822; RECVCO\r\nOriginal-Message-ID: <0001@sender.example>\r\n'
               b'Disposition: automatic-action/MDN-sent-automatically; processed\r\n'
               b'Received-Content-MIC: f0KmXz0RYKJFXO+r4P5lutLxRVbbyqOvBdW+1V2A3J8=, sha-256\r\n')
    ], 'INNER-0002')
    assert len(report.octets) == 631
    assert sha256(report.octets) == 'cE0SZLGaEvspw0jqZwwDEL2KukTWVstcxdbK2RAh1Ek='
    signed = as2.sign(report, keys['alice'], boundary='OUTER-0002')
    mdn = Mdn(signed.fields, signed.body).verify(keys['alice'])
    assert mdn.positive and mdn.mic[1] == 'sha-256'
    assert mdn.covers(as2.payload(PAYLOAD, name='orders.edi').octets)
    with pytest.raises(Refused):
        mdn.verify(keys['eve'])


# ---- reading strictly -----------------------------------------------------------------------


def test_multiparts_are_split_as_listed():
    assert as2.split(b'--b\r\nH: 1\r\n\r\nx\r\n--b\r\n\r\ny\r\n--b--\r\n', 'b') == \
        [b'H: 1\r\n\r\nx', b'\r\ny']
    assert as2.split(b'--b\r\n\r\na\r\n--bc\r\nz\r\n--b--\r\n', 'b') == [b'\r\na\r\n--bc\r\nz']
    assert as2.split(b'--b\r\n\r\n\r\n--b--\r\n', 'b') == [b'\r\n']
    assert as2.split(b'--b\r\n\r\na --b\r\n--b--\r\n', 'b') == [b'\r\na --b']
    loose = {b'\r\n--b\r\n\r\nx\r\n--b--': [b'\r\nx'],
             b'pre\r\n--b  \r\n\r\nx\r\n\r\n--b--\r\nepi': [b'\r\nx\r\n']}
    for body, parts in loose.items():
        assert as2.split(body, 'b', strict=False) == parts
        with pytest.raises(FormatError):
            as2.split(body, 'b')
    for body in (b'--b\r\n\r\nx', b'', b'--b--\r\n'):
        with pytest.raises(FormatError):
            as2.split(body, 'b', strict=False)


def test_what_may_not_be_sent_is_a_format_error():
    for line in (b'A: 1\r\n folded\r\n', b'A : 1\r\n', b'A\r\n', b'A: \xe4\r\n', b'A: 1\n'):
        with pytest.raises(FormatError):
            as2.parse_head(line)
    for name in ('"A"', 'A B', 'A"', '', 'x' * 129):
        with pytest.raises(FormatError):
            as2.unquoted(name)
    for name in ('A', '"A B"', '"\\" as2Name \\""', "ACME-1!#[x];<y>@z,'&/", 'x' * 128):
        assert as2.quoted(as2.unquoted(name)) == name
    with pytest.raises(FormatError):
        as2.value('multipart/signed; boundary="x";')
    with pytest.raises(FormatError):
        Entity.read(b'Content-Transfer-Encoding: base64\r\n\r\n' + b'A' * 80).decoded


# ---- one side against the other -------------------------------------------------------------


@pytest.mark.parametrize('content', [PAYLOAD, OCTETS, b'', b'x'], ids=['edi', 'octets', 'empty',
                                                                      'one'])
@pytest.mark.parametrize('nesting', as2.NESTINGS)
def test_every_nesting_is_opened_again(alice, bob, nesting, content):
    message = alice.message(content, nesting, encoding=None)
    got = bob.receive(message.fields, message.body)
    assert (got.nesting, got.payload, got.file_name) == (nesting, content, 'orders.edi')
    assert got.mic_source == message.mic_source


@pytest.mark.parametrize('how', [
    {'signing': {'attributes': False}}, {'signing': {'keyid': True, 'certificates': False}},
    {'signing': {'md': 'sha512', 'encoding': 'binary'}}, {'signing': {'pss': True}},
    {'encrypting': {'cipher': 'aes-256-gcm'}}, {'encrypting': {'cipher': 'des3'}},
    {'encrypting': {'oaep': 'sha256', 'encoding': 'base64'}}, {'encrypting': {'stream': True}},
    {'compressing': {'indefinite': True, 'encoding': 'base64'}}], ids=str)
def test_every_way_to_seal_is_opened_again(alice, bob, how):
    message = alice.message(OCTETS, 'ESC', encoding='base64', **how)
    assert bob.receive(message.fields, message.body).payload == OCTETS


def test_an_entity_may_be_wrong_at_every_layer(alice, bob, keys):
    def flip(entity):
        entity.body = entity.body.replace(b'UNB', b'UNC')
        return entity

    message = alice.message(PAYLOAD, 'ES', edit={'S': flip})
    with pytest.raises(Refused):
        bob.receive(message.fields, message.body)
    message = alice.message(PAYLOAD, 'S', edit={'S': lambda e: e.put(
        'Content-Type', e.get('Content-Type').replace('sha-256', 'sha256'))})
    assert bob.receive(message.fields, message.body).payload == PAYLOAD
    message = Peer('ALICE', keys['eve'], 'BOB & "CO"', keys['bob']).message(PAYLOAD, 'ES')
    with pytest.raises(Refused):
        bob.receive(message.fields, message.body)
    message = Peer('ALICE', keys['alice'], 'BOB & "CO"', keys['eve']).message(PAYLOAD, 'E')
    with pytest.raises(Refused):
        bob.receive(message.fields, message.body)


def test_several_payloads_come_together(alice, bob):
    parts = [as2.payload(PAYLOAD, name='a.edi'), as2.payload(b'%PDF', 'application/pdf', 'b.pdf')]
    message = alice.message(as2.related(parts), 'ES')
    got = bob.receive(message.fields, message.body)
    assert [p.decoded for p in got.payloads] == [PAYLOAD, b'%PDF']


# ---- over the wire --------------------------------------------------------------------------


@pytest.mark.parametrize('nesting', as2.NESTINGS)
def test_a_message_is_answered_with_a_signed_mdn(alice, partner, nesting):
    mdn = alice.exchange(partner.url, alice.message(PAYLOAD, nesting))
    assert mdn.is_signed and mdn.positive
    assert partner.next_message().payload == PAYLOAD


def test_an_unsigned_mdn_and_none_come_as_asked_for(alice, partner):
    mdn = alice.exchange(partner.url, alice.message(PAYLOAD, 'S', mdn='unsigned'))
    assert not mdn.is_signed and mdn.positive
    response = alice.message(PAYLOAD, mdn=None).post(partner.url)
    assert (response.status, response.body) == (200, b'')


def test_an_mdn_may_say_anything(alice, partner):
    message = alice.message(PAYLOAD)
    partner.mdn_how = {'disposition': 'processed/error: decryption-failed', 'source': b''}
    mdn = alice.exchange(partner.url, message)
    assert not mdn.positive and mdn.mic is None
    for how, error in ({'source': b'x'}, Refused), ({'said': {'Original-Message-ID': '<x@y>'}},
                                                    FormatError), ({'signed': False}, Refused):
        partner.mdn_how = how
        with pytest.raises(error):
            alice.exchange(partner.url, message)


def test_an_mdn_comes_later_to_the_url_asked_for(alice, partner):
    with Partner(alice) as waiting:
        message = alice.message(PAYLOAD, async_url=waiting.url + '/mdn?x=y')
        response = message.post(partner.url)
        assert (response.status, response.body) == (200, b'')
        mdn = waiting.next_mdn().verify(alice.partner_cert)
        assert mdn.positive and mdn.original_message_id == message.message_id
        assert mdn.covers(message.mic_source)
        assert waiting.next_request().target == '/as2/mdn?x=y'
        assert partner.next_mdn_response().status == 200
        assert not waiting.problems


def test_requests_go_in_chunks_and_pieces_and_are_recorded_to_the_octet(alice, partner):
    message = alice.message(PAYLOAD, 'S')
    for how in ({'chunks': 7}, {'chunks': [1, 100]}, {'pieces': 50}, {'pieces': 900,
                                                                       'pause': 0.01}):
        response = message.post(partner.url, auth=('alice', 'pass:word'), **how)
        assert response.status == 200
        request = partner.next_request()
        assert request.body == message.body
        assert request.auth == ('alice', 'pass:word')
        assert request.raw.startswith(b'POST /as2 HTTP/1.1\r\n')
        if 'pieces' in how:
            assert request.raw.endswith(b'\r\n\r\n' + message.body)


def test_a_connection_is_used_again_and_closed_when_asked(alice, partner):
    with Connection(partner.url) as c:
        for k in range(3):
            message = alice.message(PAYLOAD)
            c.request(message.fields, message.body, close=k == 2)
            response = c.response()
            alice.read_mdn(message, response.fields, response.body)
        assert c.closed()
    assert partner.connections == 1


def test_a_server_answers_as_its_script_says(alice, bob):
    with Server() as server:
        server.script += [Answer(503, [('Retry-After', '7')], b'busy', close=True),
                          Answer(204), Answer(200, chunks=3, body=b'0123456789'),
                          Answer(200, interim=[102, 102], body=b'x'),
                          Answer(raw=b'HTTP/1.0 200 "OK"\r\n\r\nto the end'),
                          lambda r: Answer(200, body=r.body), Answer(200, delay=0.3),
                          Answer(drop='now'), Answer(drop='half', body=b'0123456789' * 10)]
        def ask():
            return as2.post(server.url, [('A', 'b')], b'octets')
        response = ask()
        assert (response.status, response.get('retry-after'), response.body) == (503, '7', b'busy')
        assert ask().status == 204
        assert ask().body == b'0123456789'
        assert ask().interim == [102, 102]
        assert ask().body == b'to the end'
        assert ask().body == b'octets'
        start = time.monotonic()
        assert ask().status == 200 and time.monotonic() - start >= 0.3
        for _ in range(2):
            with pytest.raises(Closed):
                ask()
        with Connection(server.url, timeout=0.3) as c:
            c.request([], b'whole', length=1000)
            with pytest.raises(Silent):
                c.response()
        assert server.broken.get(timeout=patient(10)).octets.endswith(b'whole')
        assert ask().status == 200
        assert server.requests.qsize() == 10 and not server.problems


def test_tls_asks_for_a_certificate_and_tells_whose_came(alice, bob, tmp_path):
    import waybill
    ca = waybill.Authority(tmp_path)
    here, there = ca.issue('here'), ca.issue('there')
    tls = oftp.server_tls(here.cert, here.key, ca=ca.cert, require=True)
    with Partner(bob, tls=tls) as p:
        client = oftp.client_tls(ca.cert, there.cert, there.key)
        assert alice.exchange(p.url, alice.message(PAYLOAD), tls=client).positive
        subject = dict(pair[0] for pair in p.next_request().peer_cert['subject'])
        assert subject == {'commonName': 'there'}
        with pytest.raises((Closed, OSError)):
            alice.message(PAYLOAD).post(p.url, tls=oftp.client_tls(ca.cert), timeout=patient(10))


def test_many_clients_at_once(alice, partner):
    failed = []

    def run():
        try:
            for _ in range(3):
                assert alice.exchange(partner.url, alice.message(PAYLOAD)).positive
        except Exception as e:
            failed.append(e)
    threads = [threading.Thread(target=run) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failed
    assert partner.messages.qsize() == 12
