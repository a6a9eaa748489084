"""The AS2 server's HTTP: as2.md sections 1 and 5.1, through the real program."""

import socket
import time

import pytest

import as2
import as2_scene
import oftp
import scene
import waybill
from as2_http import Connection, chunked, post
from as2_scene import Relation

PLANT = {'settings': {'as2_server': {
    **as2_scene.SERVER, 'max_message_size': '1M',
    'endpoints': [{'host': '127.0.0.1', 'port': 0},
                  {'host': '127.0.0.1', 'port': 0, 'ssl': True, 'ssl_certificate': 'as2-us-tls'}]}}}


@pytest.fixture(scope='module')
def tls(shared_gateway, tmp_path_factory):
    """A directory with an authority; the server has a certificate of it."""
    ca = waybill.Authority(tmp_path_factory.mktemp('ca'))
    server = ca.issue('server')
    scene.apply(shared_gateway, server.component('as2-us-tls'))
    return ca


@pytest.fixture(scope='module')
def relation(shared_gateway):
    return Relation(shared_gateway)


def status(r, message, **request):
    return post(r.url, message.fields, message.body, **request).status


def nothing_came(r, before):
    assert len(r.documents()) == before


@pytest.mark.parametrize('case', [str.upper, str.lower, str.swapcase])
def test_header_names_in_any_letter_case(plant, relation, case):
    """AS2-C1"""
    m = relation.message(case.__name__.encode(), 'ES')
    m.fields = [(case(k), v) for k, v in m.fields]
    response = post(relation.url, m.fields, m.body)
    # names are told apart without case by the reader of the MDN, too
    assert response.status == 200 and relation.peer.read_mdn(m, response.fields,
                                                             response.body).positive


@pytest.mark.parametrize('version', [None, '1.0', '1.1', '1.2', '1.3', '2.0', 'x'])
def test_every_as2_version_is_taken_and_the_mdn_carries_one(plant, relation, version):
    """AS2-C2"""
    mdn = relation.exchange(relation.message(b'x', 'S', change={'AS2-Version': version}))
    assert as2.get(mdn.fields, 'AS2-Version') == '1.2'


@pytest.mark.parametrize('name, value', [('AS2-From', None), ('AS2-To', None), ('AS2-From', ''),
                                         ('AS2-To', '""'), ('Message-ID', None), ('Message-ID', ''),
                                         ('Message-ID', '<>'), ('Message-ID', 'm' * 999),
                                         ('AS2-From', 'x' * 129)])
def test_without_what_identifies_a_message_it_is_400(plant, relation, name, value):
    """AS2-C3 AS2-C4 AS2-C11: no MDN, nothing stored"""
    before = len(relation.documents())
    response = relation.message(b'x', '', change={name: value}).post(relation.url)
    assert response.status == 400 and b'disposition' not in response.body.lower()
    nothing_came(relation, before)


@pytest.mark.parametrize('name', ['AS2-From', 'AS2-To', 'Message-ID'])
def test_two_contradicting_names_are_400_and_two_equal_ones_are_one(plant, relation, name):
    """AS2-C3"""
    before = len(relation.documents())
    m = relation.message(b'x', '')
    assert status(relation, as2.Message([*m.fields, (name, 'Other')], m.body, b'', '')) == 400
    nothing_came(relation, before)
    m.fields.append((name, as2.get(m.fields, name)))
    assert status(relation, m) == 200


@pytest.mark.parametrize('code', ['x', 'L' * 128, "a[b]<c>#!,;@/'&"])
def test_legal_names_of_any_form_are_taken(plant, code):
    """AS2-C4"""
    r = Relation(plant, code=f'{code}' if len(code) != 1 else '~')
    r.exchange(r.message(b'x', 'S'))


@pytest.mark.parametrize('code', ['it has blanks', 'a"b\\c', '"', '\\'])
def test_names_that_must_be_quoted(plant, code):
    """AS2-C5 AS2-C7: the peer reads the names of the MDN strictly"""
    r = Relation(plant, code=code, allow_blanks=True)
    r.exchange(r.message(b'x', 'ES'))


def test_quoted_names_name_the_same_partner_and_come_back_as_they_came(plant, relation):
    """AS2-C6 AS2-C7"""
    m = relation.message(b'x', '', mdn='unsigned')
    plain = post(relation.url, m.fields, m.body)
    assert (plain.get('AS2-From'), plain.get('AS2-To')) == (relation.own, relation.code)
    m = relation.message(b'x', '', mdn='unsigned', change={
        'AS2-From': f'"{relation.code}"', 'AS2-To': f'"{relation.own}"'})
    quoted = post(relation.url, m.fields, m.body)
    assert quoted.status == 200
    assert (quoted.get('AS2-From'), quoted.get('AS2-To')) == (f'"{relation.own}"',
                                                              f'"{relation.code}"')
    other = relation.message(b'x', '', change={'AS2-From': relation.code.upper()})
    assert status(relation, other) == 403


def test_an_unquoted_name_with_a_blank_is_read_up_to_the_blank_with_a_warning(plant):
    r = Relation(plant, code='Two Words', allow_blanks=True)
    r.exchange(r.message(b'1', ''))
    assert status(r, r.message(b'2', '', change={'AS2-From': 'Two Words'})) == 200
    one = Relation(plant, code='Blank')
    assert status(one, one.message(b'3', '', change={'AS2-From': 'Blank and more'})) == 200
    assert plant.wait_log('as2.name.blank.*up to the blank')


def fold(m, name, at):
    """The field's value with a line end in it."""
    text = as2.get(m.fields, name)
    at = text.index(at) if isinstance(at, str) else at
    line = f'{name}: {text[:at]}\r\n\t{text[at:]}'.encode()
    m.fields = [line if f[0].lower() == name.lower() else f for f in m.fields]
    return m


@pytest.mark.parametrize('name', ['Content-Type', 'Disposition-Notification-Options',
                                  'Disposition-Notification-To', 'Subject'])
def test_folded_headers_are_taken(plant, relation, name):
    """AS2-C9"""
    m = relation.message(b'folded', 'S', subject='a long subject')
    text = as2.get(m.fields, name)
    response = post(relation.url, fold(m, name, ' ' if ' ' in text else 0).fields, m.body)
    assert response.status == 200
    assert as2.Mdn(response.fields, response.body).positive


@pytest.mark.parametrize('name', ['AS2-From', 'AS2-To', 'Host', 'Content-Length'])
def test_folds_in_headers_that_route_and_frame_are_400(plant, relation, name):
    """AS2-C9"""
    m = relation.message(b'folded', '')
    m.fields = [('Host', '127.0.0.1'), ('Content-Length', str(len(m.body))), *m.fields]
    assert post(relation.url, fold(m, name, 0).fields, m.body).status == 400


def test_a_folded_part_header_is_read_and_its_signature_verifies(plant, relation):
    """AS2-C9 AS2-C37"""
    part = (b'Content-Type: application/EDIFACT;\r\n\tname=x\r\nContent-Disposition:\r\n attachment'
            b'; filename="folded.edi"\r\n\r\nfolded part')
    signed = as2.sign(part, relation.peer.keys)
    m = relation.message(b'', '', change={'Content-Type': signed.get('Content-Type'),
                                          'Content-Disposition': None})
    m.body, m.mic_source = signed.body, part
    relation.exchange(m)
    assert relation.documents()[0]['name'] == 'folded.edi'


@pytest.mark.parametrize('message_id', ['0574493161569973Sterling20574493161569973MOKO', '<no-at>',
                                        '<' + 'i' * 287 + '@example.org>', 'a b@c d',
                                        'm' * 998,
                                        '<#"\\~@x>'])
def test_message_ids_of_any_form_come_back_as_they_were(plant, relation, message_id):
    """AS2-C10 AS2-C71"""
    mdn = relation.exchange(relation.message(b'x', 'S', message_id=message_id))
    assert mdn.original_message_id == message_id


def test_missing_and_odd_descriptive_headers_do_no_harm(plant, relation):
    """AS2-C12"""
    for text in (None, '', 'Tue Sep 29 10:18:18 EDT 2009', '=?x?y'):
        relation.exchange(relation.message(b'x', 'S', change=dict.fromkeys(
            ['Date', 'Subject', 'MIME-Version', 'From', 'User-Agent', 'EDIINT-Features'], text)))
    raw = relation.message(b'x', '', mdn=None)
    raw.fields.append(b'From: "\xe4\xf6" <x>')
    assert status(relation, raw) == 200


@pytest.mark.parametrize('name, text', [
    ('Subject', '%s'), ('User-Agent', '%s'), ('EDIINT-Features', '%s'), ('AS2-Version', '%s'),
    ('Content-Type', 'application/x; name="%s"'), ('Disposition-Notification-To', '%s'),
    ('Content-Disposition', 'attachment; filename="%s"'), ('Content-ID', '<%s>')])
def test_octets_that_are_no_utf_8_are_shown_somehow(plant, relation, name, text):
    """AS2-C12: and the document can be looked at"""
    m = relation.message(b'x', '', change={name: text % '\xe4\xf6\xff'})
    assert status(relation, m) == 200
    number = str(relation.documents()[0]['id'])
    plant.cli('show', number)
    plant.cli('show', number, json_output=False)


def test_both_lengths_are_400_and_the_connection_ends(plant, relation):
    """AS2-C13"""
    m = relation.message(b'x', '')
    with Connection(relation.url) as c:
        c.request([*m.fields, ('Content-Length', '1'), ('Transfer-Encoding', 'chunked')], b'x',
                  length=False)
        assert c.response().status == 400 and c.closed()


@pytest.mark.parametrize('lengths, wanted', [(['1', '2'], 400), (['0001'], 200), (['+1'], 400),
                                             (['1,1'], 400), (['-1'], 400), (['1x'], 400),
                                             ([], 411)])
def test_lengths(plant, relation, lengths, wanted):
    """AS2-C14 AS2-C15"""
    m = relation.message(b'x', '', mdn=None)
    got = status(relation, m.with_field('X', 'y'), length=False) if not lengths else \
        post(relation.url, [*[('Content-Length', n) for n in lengths], *m.fields], m.body,
             length=False).status
    assert got == wanted


def test_chunks_with_extensions_blanks_and_trailers(plant, relation):
    """AS2-C16"""
    m = relation.message(b'chunked' * 1000, 'S')
    with Connection(relation.url) as c:
        c.send(c.head(m.fields, chunks=1) + chunked(m.body, [1, 700, 3], b'  ;ext="a b"',
                                                     b'X-Trailer: 1\r\n').replace(b'  ;', b' ;'))
        response = c.response()
    assert relation.peer.read_mdn(m, response.fields, response.body).positive


def test_the_end_of_the_head_is_found_wherever_segments_end(plant, relation):
    """AS2-C17"""
    for at in range(1, 5):
        m = relation.message(b'x', '', mdn=None)
        with Connection(relation.url) as c:
            head = c.head(m.fields, m.body)
            c.send(head[:-at])
            time.sleep(0.01)
            c.send(head[-at:] + m.body)
            assert c.response().status == 200
    m = relation.message(b'x', '', mdn=None)
    with Connection(relation.url) as c:
        c.request(m.fields, m.body, pieces=1)
        assert c.response().status == 200


def test_expect_100_continue(plant, relation):
    """AS2-C18"""
    m = relation.message(b'x' * 1000, '', mdn=None, fields=[('Expect', '100-continue')])
    with Connection(relation.url) as c:
        c.send(c.head(m.fields, m.body))
        assert c.reader.until(b'\r\n\r\n').startswith(b'HTTP/1.1 100')
        c.send(m.body)
        assert c.response().status == 200
    with Connection(relation.url) as c:    # a final answer without the body
        c.send(c.head(m.with_field('AS2-From', 'Nobody').fields, m.body))
        response = c.response()
        assert response.status == 403 and response.interim == []
    assert status(relation, m.with_field('Expect', 'x')) == 417


def test_paths_and_methods(plant, relation):
    """AS2-C20"""
    m = relation.message(b'x', '')
    assert status(relation, m, target='/other') == 404
    response = post(relation.url, m.fields, m.body, method='PUT')
    assert response.status == 405 and 'POST' in response.get('Allow')
    assert post(relation.url, [], method='GET').status == 405
    response = post(relation.url, [], method='HEAD')
    assert response.status == 200 and response.get('Content-Length') == '0'
    assert status(relation, m, target='/as2?with=query') == 200


def test_too_large_a_body_is_413(plant, relation):
    """AS2-C21: known from its length, and found while it is read"""
    before = len(relation.documents())
    m = relation.message(b'', '', mdn=None)
    with Connection(relation.url) as c:
        c.send(c.head(m.fields, length=str(5 << 30)))
        assert c.response().status == 413 and c.closed()
    with Connection(relation.url) as c:
        try:
            c.request(m.fields, b'x' * 3000000, chunks=60000)
        except ConnectionError:
            pass
        assert c.response().status == 413
    nothing_came(relation, before)


def test_content_encoding_is_415_and_other_transfer_codings_are_refused(plant, relation):
    m = relation.message(b'x', '')
    assert status(relation, m.with_field('Content-Encoding', 'gzip')) == 415
    assert status(relation, m.with_field('Content-Encoding', 'identity')) == 200
    assert post(relation.url, [*relation.message(b'x', '').fields, ('Transfer-Encoding', 'gzip')],
                b'x', length=False).status in (400, 501)


def test_basic_authentication(plant):
    """AS2-C23: asked for, and unasked"""
    r = Relation(plant, username='acme', password='geheim')
    m = r.message(b'x', 'S')
    response = post(r.url, m.fields, m.body)
    assert response.status == 401 and response.get('WWW-Authenticate').startswith('Basic realm=')
    for auth in ('acme', 'wrong'), ('other', 'geheim'), ('acme', ''), ('', ''):
        assert status(r, m, auth=auth) == 401
    for token in 'Basic', 'Basic !!!', 'Bearer abc', 'Basic ' + 'A' * 9000:
        assert status(r, m.with_field('Authorization', token)) == 401
    assert r.documents() == []
    r.exchange(m, auth=('acme', 'geheim'))
    open_to_all = Relation(plant)
    open_to_all.exchange(open_to_all.message(b'x', 'S'), auth=('acme', 'geheim'))
    assert 'geheim' not in plant.log()


def test_a_client_certificate_is_bound_to_its_partners(plant, tls):
    """AS2-C24"""
    a, b = tls.issue('client-a'), tls.issue('client-b')
    scene.apply(plant, a.component('tls-a', key=False), b.component('tls-b', key=False))
    r = Relation(plant, client_ssl_certificate='tls-a')
    also = Relation(plant, client_ssl_certificate='tls-a')
    other = Relation(plant, client_ssl_certificate='tls-b')
    with_a = oftp.client_tls(tls.cert, a.cert, a.key)
    target = as2_scene.url(plant, True)
    r.exchange(r.message(b'x', 'S'), tls=with_a)
    also.exchange(also.message(b'x', 'S'), tls=with_a)
    m = other.message(b'x', 'S')
    assert post(target, m.fields, m.body, tls=with_a).status == 403
    assert post(target, m.fields, m.body, tls=oftp.client_tls(tls.cert)).status == 403
    assert status(other, m) == 403     # and over a port without TLS
    assert other.documents() == []
    assert other.log('client certificate is not the one agreed')


def test_addresses_that_are_not_agreed_are_403(plant):
    r = Relation(plant, ip_filter=['10.0.0.0/8', '::1'])
    assert status(r, r.message(b'x', '')) == 403 and r.log('ip_filter')
    none = Relation(plant, ip_filter=[])
    assert status(none, none.message(b'x', '')) == 403
    some = Relation(plant, ip_filter=['127.0.*.*'])
    some.exchange(some.message(b'x', 'S'))


def test_two_messages_on_one_connection_share_nothing(plant, relation):
    """AS2-C26"""
    with Connection(relation.url) as c:
        for mdn, nesting in ('signed', 'ES'), (None, ''), ('unsigned', 'S'), ('signed', 'C'):
            m = relation.message(nesting.encode(), nesting, mdn=mdn)
            c.request(m.fields, m.body)
            response = c.response()
            assert response.status == 200
            if mdn is None:
                assert response.body == b''
            else:
                got = relation.peer.read_mdn(m, response.fields, response.body)
                assert got.is_signed == (mdn == 'signed') and got.positive


def test_http_1_0_is_answered_and_closed(plant, relation):
    """AS2-C27"""
    m = relation.message(b'x', 'S')
    with Connection(relation.url) as c:
        c.request(m.fields, m.body, version='HTTP/1.0')
        response = c.response()
        assert relation.peer.read_mdn(m, response.fields, response.body).positive and c.closed()


def test_slow_senders_are_cut_with_408_and_leave_nothing(tmp_path):
    """AS2-C29"""
    with waybill.Gateway(tmp_path / 'own', settings={'as2_server': {
            **as2_scene.SERVER, 'header_timeout': '300ms', 'idle_timeout': '400ms'}}) as g:
        slow_senders(g, Relation(g))


def slow_senders(plant, relation):
    before = len(relation.documents())
    m = relation.message(b'x' * 300000, '')
    with Connection(relation.url) as slow_head, Connection(relation.url) as slow_body:
        slow_head.send(b'POST /as2 HTTP/1.1\r\nHost: x\r\nX-')
        slow_body.send(slow_body.head(m.fields, m.body) + m.body[:1000])
        assert slow_head.response().status == 408 and slow_head.closed()
        assert slow_body.response().status == 408 and slow_body.closed()
    nothing_came(relation, before)
    no_residue(plant)


def residue(plant):
    """Raw and quarantined files; no document here is large enough for one."""
    return [p for p in (plant.data / 'payload').rglob('*') if p.is_file()]


def no_residue(plant):
    waybill.wait_until(lambda: not residue(plant), 10, 'left payloads to go')


def test_an_upload_that_breaks_off_leaves_nothing(plant, relation):
    before = len(relation.documents())
    m = relation.message(b'x' * 300000, 'ES')
    with Connection(relation.url) as c:
        c.send(c.head(m.fields, m.body) + m.body[:200000])
        waybill.wait_until(lambda: residue(plant), 10, 'the upload to begin')
        c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')
    no_residue(plant)
    nothing_came(relation, before)
    relation.exchange(m)    # the same message again


def test_base64_of_http_itself_is_taken_off_first(plant, relation):
    """AS2-C30"""
    for nesting in '', 'S', 'ES':
        m = relation.message(b'as base64', nesting, change={'Content-Transfer-Encoding': 'base64'})
        m.body = as2.base64_lines(m.body)
        relation.exchange(m)


def test_a_paused_listener_answers_503(plant):
    r = Relation(plant)
    plant.cli('listeners', 'pause', r.listener)
    response = r.message(b'x', 'S').post(r.url)
    assert response.status == 503 and int(response.get('Retry-After')) > 0
    plant.cli('listeners', 'resume', r.listener)
    r.exchange(r.message(b'x', 'S'))
