"""Steps for AS2 messages with several attachments: each part is a call of its own."""

import os

import pytest

import as2
import as2_scene
import scene
from as2_scene import Relation
from web import Web

PLANT = as2_scene.PLANT


def two_parts(relation, first, second, nesting='ES'):
    return relation.message(as2.related([
        as2.payload(first, 'application/xml', 'order.xml'),
        as2.payload(second, 'image/tiff', 'drawing.tif')]), nesting)


@pytest.mark.parametrize('size', [3, 400_000])
def test_a_program_runs_once_for_each_part(shared_gateway, tmp_path, size):
    first, second = os.urandom(size), os.urandom(size + 1)
    script = (f'cat > {tmp_path}/$WAYBILL_PART-$1; '
              f'echo "$WAYBILL_PARTS $WAYBILL_DOCUMENT_NAME $WAYBILL_DOCUMENT_SIZE" >> '
              f'{tmp_path}/seen')
    r = Relation(shared_gateway, steps=[{'exec': {
        'command': ['/bin/sh', '-c', script, 'sh', '{{document.name}}']}}])
    r.exchange(two_parts(r, first, second))
    r.wait_document('processed')
    assert (tmp_path / '1-order.xml').read_bytes() == first
    assert (tmp_path / '2-drawing.tif').read_bytes() == second
    assert (tmp_path / 'seen').read_text().split('\n') == [
        f'2 order.xml {size}', f'2 drawing.tif {size + 1}', '']


@pytest.mark.parametrize('size', [3, 400_000])
def test_a_request_is_made_for_each_part(shared_gateway, size):
    first, second = os.urandom(size), os.urandom(size + 1)
    with Web(200) as web:
        r = Relation(shared_gateway, steps=[{'http': {'url': web.url + '/{{document.name}}'}}])
        r.exchange(two_parts(r, first, second))
        r.wait_document('processed')
    got = [(path, h['X-Waybill-Part'], h['Content-Type'], body) for _, path, h, body in web.requests]
    assert got == [('/edi/order.xml', '1/2', 'application/xml', first),
                   ('/edi/drawing.tif', '2/2', 'image/tiff', second)]


def test_when_the_second_part_fails_both_are_given_again_and_marked(shared_gateway):
    with Web(200, 503, 200) as web:
        r = Relation(shared_gateway, steps=[{'http': {'url': web.url, 'retry_delay': '20ms'}}])
        r.exchange(two_parts(r, b'<a/>', b'b'))
        r.wait_document('processed')
    got = [(h['X-Waybill-Part'], h['X-Waybill-Redelivered']) for _, _, h, _ in web.requests]
    assert got == [('1/2', 'false'), ('2/2', 'false'), ('1/2', 'true'), ('2/2', 'true')]


def test_when_a_part_fails_for_good_the_run_asked_for_is_marked(shared_gateway, tmp_path):
    """By the answer of a server, and by what a program says; the first part was taken before."""
    with Web(200, 400, 200) as web:
        r = Relation(shared_gateway, steps=[{'http': {'url': web.url}}])
        r.exchange(two_parts(r, b'<a/>', b'b'))
        d = r.wait_document('failed')
        scene.post(shared_gateway, f'/api/v1/documents/{d["id"]}/retry')
        d = r.wait_document('processed')
    got = [(h['X-Waybill-Part'], h['X-Waybill-Redelivered']) for _, _, h, _ in web.requests]
    assert got == [('1/2', 'false'), ('2/2', 'false'), ('1/2', 'true'), ('2/2', 'true')]
    assert d['redelivered'] and d['executions'][-1]['redelivered']
    r = Relation(shared_gateway, steps=[{'exec': {'command': ['/bin/sh', '-c', (
        f'echo $WAYBILL_PART $WAYBILL_EXECUTION_REDELIVERED >> {tmp_path}/runs; '
        f'test $WAYBILL_PART = 1 -o -e {tmp_path}/go')]}}])
    r.exchange(two_parts(r, b'<a/>', b'b'))
    d = r.wait_document('failed')
    (tmp_path / 'go').touch()
    scene.post(shared_gateway, f'/api/v1/documents/{d["id"]}/retry')
    r.wait_document('processed')
    assert (tmp_path / 'runs').read_text().split('\n') == [
        '1 false', '2 false', '1 true', '2 true', '']
