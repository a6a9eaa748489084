"""What an operator asks for a second time: a document that went out is sent again as a new one, one
that was processed is processed again."""

import json
import threading

import pytest

import scene
import waybill
from as2_sending import Out
from as2_sending import gateway as as2_gateway
from oftp import File, Server
from scene import Relation, document, events, post, wait_document


def listening(code):
    return Server(code, 'THEIRPW').start()


def resend(gateway, number, status=201, **parameters):
    return post(gateway, scene.query(f'/api/v1/documents/{number}/resend', **parameters), status)


def texts(gateway, number, kind):
    return [e['text'] for e in document(gateway, number)['events'] if e['kind'] == kind]


def test_a_document_is_sent_again_as_a_new_one(plant):
    """Same octets, name and partner under a new stamp; each of both names the other."""
    with listening('O0013AGAIN1') as server:
        r = Relation(plant, server=server)
        first = r.send(b'UNB+1', name='ORDERS', description='for you', file_name='orders.edi')
        wait_document(plant, first, 'acknowledged')
        new = resend(plant, first)
        assert new['id'] > first and new['properties']['resend_of'] == str(first)
        d = wait_document(plant, new['id'], 'acknowledged')
        files = [server.next_file() for _ in range(2)]
    assert [f.data for f in files] == [b'UNB+1'] * 2
    assert files[0].sfid.dsn == files[1].sfid.dsn == 'ORDERS'
    assert files[0].sfid.desc == files[1].sfid.desc
    assert (files[0].sfid.date, files[0].sfid.time) != (files[1].sfid.date, files[1].sfid.time)
    assert (d['partner'], d['to'], d['size'], d['listener']) == (r.name, r.code, 5, 'resend')
    assert d['properties']['file_name'] == 'orders.edi'
    # who tries the other command is told of this one
    assert 'waybill resend' in plant.cli('retry', str(first), check=None).stderr
    old = document(plant, first)
    assert old['state'] == 'acknowledged' and old['properties']['resent_as'] == str(new['id'])
    assert events(old)[-1] == 'resent' and f'as document {new["id"]}, by ' in texts(
        plant, first, 'resent')[0]
    assert f'document {first} again' in texts(plant, new['id'], 'queued')[0]
    assert any(f'document {first} to {r.name} again, as document {new["id"]}' in line['what']
               for line in plant.get('/api/v1/audit')['audit'])


@pytest.mark.parametrize('before, after', [(False, False), (True, True), (True, False), (False, True)])
def test_records_stay_what_they_were(plant, before, after):
    """Format V, in an envelope or not, then and now; also records of nothing, and with LF in them."""
    records = [b'', b'one', b'x' * 300, b'', b'two\r']
    with listening(f'O0013AGAINV{before:d}{after:d}') as server:
        r = Relation(plant, server=server, send={'compressed': before})
        first = r.send(b''.join(x + b'\r\n' for x in records), name='V', format='V',
                       record_length=300, record_delimiter='crlf')
        size = wait_document(plant, first, 'acknowledged')['size']
        scene.apply(plant, r.partner_component(send={'compressed': after}))
        new = resend(plant, first)
        d = wait_document(plant, new['id'], 'acknowledged')
        files = [server.next_file() for _ in range(2)]
    assert [f.sfid.env for f in files] == [before, after]
    assert d['size'] == size
    for f in files:
        if not f.sfid.env:
            assert f.records == records
    a, b = (f'/api/v1/documents/{n}/opened' for n in (first, new['id']))
    if before == after:
        assert plant.request('GET', a) == plant.request('GET', b)


def test_fixed_records_again(plant):
    with listening('O0013AGAINF') as server:
        r = Relation(plant, server=server)
        first = r.send(b'0123456789' * 3, name='F', format='F', record_length=10)
        wait_document(plant, first, 'acknowledged')
        wait_document(plant, resend(plant, first)['id'], 'acknowledged')
        for _ in range(2):
            f = server.next_file()
            assert (f.sfid.fmt, f.sfid.lrecl, f.data) == ('F', 10, b'0123456789' * 3)


def test_what_failed_is_sent_again_where_the_partner_is_now(plant):
    """Also what an operator cancelled: nobody is there; then the same document goes as a new one."""
    r = Relation(plant, host='127.0.0.1', port=1, identity='us', retry={'first': '1h', 'max': '1h'})
    first = r.send(b'x')
    resend(plant, first, 409)
    waybill.wait_until(lambda: document(plant, first)['jobs'][0]['last_error'], 20, 'a call')
    post(plant, f'/api/v1/documents/{first}/cancel')
    new = resend(plant, first)
    assert new['state'] in ('queued', 'sealed') and document(plant, first)['state'] == 'failed'
    plant.cli('resend', new['id'], check=1)
    post(plant, f'/api/v1/documents/{new["id"]}/cancel')
    third = plant.cli('resend', first)
    assert third['properties']['resend_of'] == str(first)
    post(plant, f'/api/v1/documents/{third["id"]}/cancel')


def test_a_second_click_does_not_send_twice(plant):
    """The same key gives the same document, without key one at a time; also when all come at once."""
    r = Relation(plant, host='127.0.0.1', port=1, identity='us', retry={'first': '1h', 'max': '1h'})
    first = r.send(b'x')
    post(plant, f'/api/v1/documents/{first}/cancel')
    new = resend(plant, first, key='a')['id']
    assert resend(plant, first, key='a')['id'] == new
    assert f'document {new} is' in resend(plant, first, 409, key='b')['error']
    assert f'document {new} is' in resend(plant, first, 409)['error']
    post(plant, f'/api/v1/documents/{new}/cancel')
    assert resend(plant, first, key='a')['id'] == new
    found = []

    def click():
        status, body = plant.request('POST', f'/api/v1/documents/{first}/resend')
        found.append((status, json.loads(body).get('id')))
    threads = [threading.Thread(target=click) for _ in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert {s for s, _ in found} <= {201, 409} and len({n for s, n in found if s == 201}) == 1
    assert len([d for d in r.documents() if d['properties'].get('resend_of')]) == 2
    assert len(texts(plant, first, 'resent')) == 2


@pytest.mark.parametrize('key', ['', 'x' * 201])
def test_keys_that_are_none(plant, key):
    assert 'key' in resend(plant, 1, 400, key=key)['error']


def test_what_came_in_is_not_resent_nor_what_went_out_reprocessed(plant):
    r = Relation(plant, host='127.0.0.1', port=1, identity='us')
    r.deliver(b'x')
    d = r.wait_document('processed')
    assert 'reprocess' in resend(plant, d['id'], 409)['error']
    out = r.send(b'y')
    assert 'resend' in post(plant, f'/api/v1/documents/{out}/reprocess', 409)['error']
    post(plant, f'/api/v1/documents/{out}/cancel')


def test_a_message_is_posted_again_under_another_id(tmp_path):
    """AS2: the same content type and subject, another Message-ID, sealed anew."""
    with as2_gateway(tmp_path / 'g') as g, Out(g, 'ES') as p:
        first = p.exchange(content_type='application/edifact', subject='Orders')
        new = resend(g, first['id'])
        d = p.wait(new['id'], 'acknowledged')
        got = [p.received(), p.received()]
    names = 'as2.mime_type', 'as2.subject', 'as2.as2_to'
    assert [d['properties'][k] for k in names] == [first['properties'][k] for k in names]
    assert d['properties']['as2.message_id'] != first['properties']['as2.message_id']
    assert d['name'] == first['name'] and got[0].payload == got[1].payload


def test_octets_that_retention_removed_are_not_sent_again(gateway):
    g = gateway(settings={'retention': {'settled': {'payloads': '100ms'}, 'every': '100ms'}})
    with listening('O0013AGAIN9') as server:
        r = Relation(g, server=server)
        out = r.send(b'x')
        wait_document(g, out, 'acknowledged')
        r.deliver(b'y')
        came = r.wait_document('processed', direction='in')['id']
        for n in out, came:
            waybill.wait_until(lambda: document(g, n)['raw_size'] == 0, 20, 'the octets to go')
        assert 'retention' in resend(g, out, 409)['error']
        assert 'retention' in post(g, f'/api/v1/documents/{came}/reprocess', 409)['error']


# ---- in ------------------------------------------------------------------------------------

def test_a_processed_document_is_processed_again(plant, tmp_path):
    """All its steps, as a redelivery; no second receipt; the step `send` sends, too."""
    other = Relation(plant, host='127.0.0.1', port=1, identity='us', retry={'first': '1h'})
    r = Relation(plant, operation={'acknowledge': 'processed'}, steps=[
        {'exec': {'command': ['/bin/sh', '-c', 'echo $WAYBILL_EXECUTION_REDELIVERED >> '
                              f'{tmp_path}/ran']}},
        {'send': {'partner': other.name}}])
    r.deliver(b'x')
    n = r.wait_document('processed')['id']
    answer = post(plant, f'/api/v1/documents/{n}/reprocess')
    assert answer['id'] == n
    d = waybill.wait_until(lambda: (d := document(plant, n))['state'] == 'processed' and
                           len(d['executions']) == 2 and d, 20, 'the second run')
    assert (tmp_path / 'ran').read_text() == 'false\ntrue\n'
    assert [x['redelivered'] for x in sorted(d['executions'], key=lambda x: x['id'])] == [False, True]
    assert events(d).count('processed') == 2 and len(d['receipts']) == 1
    assert texts(plant, n, 'reprocess') == [f'local:{__import__("os").getuid()}']
    assert len(other.documents()) == 2
    assert plant.cli('reprocess', n)['id'] == n
    waybill.wait_until(lambda: len(other.documents()) == 3, 20, 'the third run')
    for sent in other.documents():
        post(plant, f'/api/v1/documents/{sent["id"]}/cancel')
    assert any(f'reprocess document {n}' in line['what']
               for line in plant.get('/api/v1/audit')['audit'])


def test_what_is_processed_is_not_retried(plant, tmp_path):
    r = Relation(plant, steps=[])
    r.deliver(File(b'once', dsn='ONCE'))
    number = waybill.wait_until(lambda: next((d['id'] for d in plant.get('/api/v1/documents')['documents']
                                              if d['name'] == 'ONCE'), None), 20, 'the document')
    wait_document(plant, number, 'processed')
    said = plant.cli('retry', str(number), check=None)
    assert said.returncode == 1 and 'waybill reprocess' in said.stderr


def test_what_is_not_processed_is_not_processed_again(plant, tmp_path):
    r = Relation(plant, steps=[{'write': {'directory': tmp_path / 'none'}}])
    r.deliver(b'x')
    n = r.wait_document('failed')['id']
    assert 'retry' in post(plant, f'/api/v1/documents/{n}/reprocess', 409)['error']
