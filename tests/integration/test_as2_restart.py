"""Restart of AS2 uploads that were cut: as2.md 8.6."""

import contextlib
import os

import pytest

import as2
import as2_scene
import waybill
from as2_http import Connection, post
from as2_scene import Relation

PLANT = as2_scene.PLANT
HELD = 300_000  # octets sent before the connection breaks


@pytest.fixture
def relation(shared_gateway):
    return Relation(shared_gateway)


def large(relation):
    """A message of a megabyte; .content: the document in it."""
    content = os.urandom(1_000_000)
    m = relation.message(content, 'ES')
    m.content = content
    return m


@pytest.fixture
def message(relation):
    return large(relation)


def head(relation, etag, **change):
    fields = {'AS2-From': relation.code, 'AS2-To': relation.own, 'ETag': etag, **change}
    with Connection(relation.url) as c:
        c.send(c.head(list(fields.items()), method='HEAD'))
        response = c.response('HEAD')
    assert response.status == 200
    return int(response.get('Content-Length'))


def fields(message, etag, first=0, length=None):
    total = len(message.body)
    length = total - first if length is None else length
    kept = [(n, v) for n, v in message.fields if n.lower() != 'content-length']
    return kept + [('ETag', etag), ('Content-Length', str(length)),
                   ('Content-Range', f'bytes {first}-{total - 1}/{total}')]


def begin(relation, message, etag, first=0):
    """A connection on which the gateway waits for the body. Until it is done with one that was cut,
    it refuses the next."""
    def begun():
        c = Connection(relation.url)
        c.send(c.head([*fields(message, etag, first), ('Expect', '100-continue')]))
        if c.reader.until(b'\r\n\r\n').startswith(b'HTTP/1.1 100 '):
            return c
        c.close()
        return None
    return waybill.wait_until(begun, 20, 'the transfer to be taken')


def cut(relation, message, etag, first=0, octets=HELD):
    """Sends so many octets and breaks the connection; how many the gateway then says it holds."""
    before = head(relation, etag)
    c = begin(relation, message, etag, first)
    c.send(message.body[first:first + octets])
    c.close()
    # `first`: it says meanwhile that no more is held than what this body goes on from
    return waybill.wait_until(
        lambda: (lambda n: n if n not in (before, first) else None)(head(relation, etag)), 20,
        'the gateway to keep what came')


def go_on(relation, message, etag, first):
    """The answer to the rest; 500 is said as long as the connection that was cut is not over."""
    def answered():
        response = post(relation.url, fields(message, etag, first), message.body[first:])
        return response if response.status != 500 else None
    return waybill.wait_until(answered, 20, 'another answer than 500')


def test_an_upload_goes_on_where_it_was_cut_and_is_processed_once(relation, message):
    """AS2-C125"""
    held = cut(relation, message, '"t-1"')
    assert 0 < held <= HELD
    assert relation.files() == [] and [d['state'] for d in relation.documents()] == ['receiving']
    response = go_on(relation, message, '"t-1"', held)
    mdn = relation.peer.read_mdn(message, response.fields, response.body)
    assert response.status == 200 and mdn.disposition == 'processed'
    assert relation.content() == message.content
    assert len(relation.documents()) == 1


def test_it_may_be_cut_again_and_overwrites_what_it_repeats(relation, message):
    """AS2-C125"""
    first = cut(relation, message, '"t-2"')
    again = cut(relation, message, '"t-2"', first - 50_000, HELD)
    assert again > first - 50_000
    response = go_on(relation, message, '"t-2"', again)
    assert relation.peer.read_mdn(message, response.fields, response.body).positive
    assert relation.content() == message.content


def test_a_range_beyond_what_is_held_is_416_and_names_it(relation, message):
    """AS2-C125"""
    held = cut(relation, message, '"t-3"')
    response = go_on(relation, message, '"t-3"', held + 1)
    assert response.status == 416 and response.get('Content-Range') == f'bytes */{held}'
    assert head(relation, '"t-3"') == held
    assert go_on(relation, message, '"t-3"', held).status == 200


def test_the_last_octet_again_gives_the_answer_that_was_lost(relation, message):
    """AS2-C125"""
    total = len(message.body)
    first = post(relation.url, fields(message, '"t-4"'), message.body)
    assert first.status == 200 and head(relation, '"t-4"') == total
    again = go_on(relation, message, '"t-4"', total - 1)
    assert again.status == 200 and again.body == first.body
    assert len(relation.delivered(1)) == 1


def test_what_is_held_is_of_this_pair_and_this_tag_only(relation, message, shared_gateway):
    """AS2-C125"""
    held = cut(relation, message, '"t-5"')
    other = Relation(shared_gateway)
    assert head(other, '"t-5"') == 0 and head(relation, '"t-6"') == 0
    assert head(relation, 'W/"t-5"') == 0 and head(relation, '"t-5"') == held
    with Connection(relation.url) as c:
        c.send(c.head([('AS2-From', 'NOBODY'), ('AS2-To', relation.own), ('ETag', '"t-5"')],
                      method='HEAD'))
        assert c.response('HEAD').status == 403


def test_a_transfer_without_a_range_begins_anew(relation, message):
    """AS2-C125"""
    cut(relation, message, '"t-7"')
    kept = [(n, v) for n, v in message.fields if n.lower() != 'content-length']

    def answered():
        response = post(relation.url, kept + [('ETag', '"t-7"'),
                                              ('Content-Length', str(len(message.body)))],
                        message.body)
        return response if response.status != 500 else None
    response = waybill.wait_until(answered, 20, 'another answer than 500')
    assert response.status == 200 and relation.content() == message.content


def test_two_uploads_of_one_transfer_do_not_mix(relation, message):
    """AS2-C125"""
    c = begin(relation, message, '"t-8"')
    c.send(message.body[:HELD])
    assert post(relation.url, fields(message, '"t-8"'), message.body).status == 500
    c.send(message.body[HELD:])
    response = c.response()
    c.close()
    assert relation.peer.read_mdn(message, response.fields, response.body).positive
    assert len(relation.delivered(1)) == 1


def test_as_many_uploads_that_may_be_gone_on_with_as_connections(gateway):
    """There is no limit of their own: a sender would not understand its answer."""
    server = {**as2_scene.SERVER, 'max_connections_per_address': 1000}
    relation = Relation(gateway(settings={'as2_server': server}))
    message = relation.message(b'small', 'S')
    with contextlib.ExitStack() as stack:
        for n in range(270):
            c = stack.enter_context(begin(relation, message, f'"t-{n}"'))
            c.send(message.body[:-1])
        waybill.wait_until(    # it lists no more of them
            lambda: len(relation.gateway.get('/api/v1/sessions')['sessions']) == 256, 20)
        c.send(message.body[-1:])
        response = c.response()
    assert relation.peer.read_mdn(message, response.fields, response.body).positive


@pytest.mark.parametrize('text', ['bytes 5-1/9', 'bytes 0-9/9', 'octets 0-8/9', 'bytes 0-8/*',
                                  'bytes 0-99999999999999999999/100000000000000000000', ''])
def test_a_range_that_is_none_is_refused(relation, message, text):
    """AS2-C125"""
    kept = [(n, v) for n, v in fields(message, '"t-9"') if n != 'Content-Range']
    response = post(relation.url, kept + [('Content-Range', text)], message.body)
    assert response.status == 400
    assert relation.files() == []


def test_what_is_held_outlives_a_kill(plant):
    """AS2-C125"""
    relation = Relation(plant)
    message = large(relation)
    held = cut(relation, message, '"t-10"')
    plant.kill9()
    plant.start()
    assert head(relation, '"t-10"') == held
    response = go_on(relation, message, '"t-10"', held)
    assert relation.peer.read_mdn(message, response.fields, response.body).positive
    assert relation.content() == message.content
