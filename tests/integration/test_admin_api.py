"""The admin API over TCP and over the Unix socket."""

import http.client
import json
import os
import re
import socket
import threading

import pytest

import openapi
import scene
import waybill
from oftp import File
from scene import Relation, post, query, wait_told


def tcp(plant, method, path, *, token=True, headers=None, body=None):
    """(status, octets) of a request to the TCP port."""
    c = http.client.HTTPConnection(*plant.admin, timeout=waybill.patient(20))
    headers = dict(headers or {})
    if token is True:
        token = plant.token
    if token:
        headers.setdefault('Authorization', f'Bearer {token}')
    try:
        c.request(method, path, body, headers)
        r = c.getresponse()
        answer = r.read()
        openapi.check(method, path, r.status, answer)
        return r.status, answer
    finally:
        c.close()


def test_token_over_tcp(plant):
    path = '/api/v1/documents'
    assert tcp(plant, 'GET', path)[0] == 200
    for token in None, 'x', plant.token[:-1], plant.token + 'x', plant.token.upper() + ' ':
        status, body = tcp(plant, 'GET', path, token=token)
        assert status == 401 and len(json.loads(body)['error']) > 20, token
    status, _ = tcp(plant, 'GET', path, token=None,
                    headers={'Authorization': f'Basic {plant.token}'})
    assert status == 401
    assert plant.token not in plant.log()


def test_what_needs_no_token(plant):
    for path in '/healthz', '/readyz':
        assert tcp(plant, 'GET', path, token=None) == (200, b'{"status":"ok"}')
    for path in '/metrics', '/api/v1/runtime', '/no/such/path', '/api/v1/stop':
        assert tcp(plant, 'GET', path, token=None)[0] == 401


def test_only_loopback_names_in_host(plant):
    """A page in the operator's browser must not reach it by a name of its own."""
    assert tcp(plant, 'GET', '/healthz', headers={'Host': 'evil.example'})[0] == 403
    assert tcp(plant, 'GET', '/healthz', headers={'Host': 'localhost'})[0] == 200


def test_the_token_stays_over_a_restart(gateway):
    g = gateway()
    token = g.token
    g.restart()
    assert g.token == token and tcp(g, 'GET', '/api/v1/runtime')[0] == 200


def test_no_tcp_port_when_none_is_wanted(gateway):
    g = gateway(settings={'admin': {'listen': ''}})
    assert g.runtime['admin'] is None
    assert g.get('/api/v1/listeners') == {'listeners': []}


def test_runtime_and_socket(plant):
    runtime = plant.get('/api/v1/runtime')
    assert (runtime['name'], runtime['pid']) == ('plant-7', plant.pid)
    assert runtime['endpoints'] == [{'protocol': 'oftp2', 'host': '127.0.0.1',
                                     'port': plant.port, 'tls': False}]
    assert os.stat(plant.socket).st_mode & 0o777 == 0o600


@pytest.mark.parametrize('method, path, status', [
    ('GET', '/api/v1/nothing', 404), ('POST', '/api/v1/listeners', 405),
    ('DELETE', '/api/v1/documents/1', 405), ('GET', '/api/v1/documents/x', 400),
    ('GET', '/api/v1/documents/0', 400), ('GET', '/api/v1/documents/999999', 404),
    ('GET', '/api/v1/documents/999999/raw', 404), ('GET', '/api/v1/documents/1/other', 404),
    ('GET', '/api/v1/documents/99999999999999999999999', 400),
    ('POST', '/api/v1/documents/999999/retry', 404), ('POST', '/api/v1/documents/1/fly', 404),
    ('GET', '/api/v1/documents?limit=0', 400), ('GET', '/api/v1/documents?limit=1001', 400),
    ('GET', '/api/v1/documents?before=x', 400), ('GET', '/api/v1/documents?state=lost', 400),
    ('GET', '/api/v1/documents?direction=up', 400), ('GET', '/api/v1/documents?from=now', 400),
    ('GET', '/api/v1/components?kind=animal', 400), ('GET', '/api/v1/components/process/x', 404),
    ('DELETE', '/api/v1/components/process/x', 404), ('POST', '/api/v1/documents', 400),
    ('POST', '/api/v1/documents?partner=nobody', 404), ('POST', '/api/v1/partners/x/call', 404),
    ('POST', '/api/v1/partners/x/test', 404), ('POST', '/api/v1/listeners/x/pause', 404),
    ('POST', '/api/v1/listeners/x/explode', 404), ('GET', '/api/v1/receipts?document=x', 400),
    ('GET', '/api/v1/jobs?document=x', 400)])
def test_wrong_requests(plant, method, path, status):
    """A JSON object that says what is wrong, on both doors."""
    for got, body in plant.request(method, path), tcp(plant, method, path):
        assert got == status, body
        assert len(json.loads(body)['error']) > 10


@pytest.mark.parametrize('octets', [
    b'\0\1\2\3\r\n\r\n', b'GET\r\n\r\n', b'GET /healthz HTTP/9.9\r\n\r\n',
    b'GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ' + b'a' * 200_000 + b'\r\n\r\n',
    b'POST /api/v1/components HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n',
    b'POST /api/v1/components HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n'
    b'Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    b'GET /' + b'%00' * 10 + b' HTTP/1.1\r\nHost: localhost\r\n\r\n',
    b'GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n'])
def test_octets_that_are_no_request(plant, octets):
    with socket.create_connection(plant.admin, waybill.patient(20)) as s:
        answer = b''
        try:
            s.sendall(octets)
            s.shutdown(socket.SHUT_WR)
            while piece := s.recv(65536):
                answer += piece
        except (ConnectionResetError, BrokenPipeError):
            pass
    assert not answer or re.match(rb'HTTP/1\.1 [45]\d\d ', answer), answer
    assert tcp(plant, 'GET', '/healthz')[0] == 200


def test_components_too_long(plant):
    for size in 5 << 20, 50 << 20:
        with_length = {'Content-Length': str(size)}
        try:
            status, body = tcp(plant, 'POST', '/api/v1/components', headers=with_length,
                               body=b'#' * min(size, 5 << 20))
            assert status in (400, 413)
        except OSError:
            pass
    assert plant.get('/api/v1/runtime')


def test_problems_of_components(plant):
    text = 'partner: x\noftp2: {odette_id: lower, password: TOOLONGPASSWORD}\n'
    status, body = plant.request('POST', '/api/v1/components?file=some.yaml', text)
    answer = json.loads(body)
    assert status == 422 and len(answer['problems']) >= 1
    for p in answer['problems']:
        assert p['file'] == 'some.yaml' and p['line'] == 2 and p['column'] > 1 and p['text']


def test_versions_of_a_component(plant):
    texts = [f'# kept\npartner: versioned\noftp2:\n  odette_id: O0013VERSIONS\n  password: {p}\n'
             for p in ('ONE', 'TWO')]
    for text in texts + texts[1:]:
        assert plant.request('POST', '/api/v1/components', text)[0] == 200
    path = '/api/v1/components/partner/versioned'
    assert [v['version'] for v in plant.get(f'{path}/versions')['versions']] == [2, 1]
    assert 'ONE' in plant.get(f'{path}/versions/1')['text']
    d = plant.get(f'{path}/diff')
    assert (d['from'], d['to']) == (1, 2)
    changed = [x for x in d['lines'] if x[0] != ' ']
    assert [x.split() for x in changed] == [['-', 'password:', 'ONE'], ['+', 'password:', 'TWO']]
    assert [x[1:] for x in d['lines'] if x[0] != '+'] == \
        plant.get(f'{path}/versions/1')['text'].splitlines()
    back = plant.get(f'{path}/diff?from=2&to=1')['lines']
    assert [x[1:] for x in back if x[0] != '-'] == \
        plant.get(f'{path}/versions/1')['text'].splitlines()
    assert {x[0] for x in plant.get(f'{path}/diff?from=2&to=2')['lines']} == {' '}
    plant.request('DELETE', path)
    assert len(plant.get(f'{path}/versions')['versions']) == 2
    for wrong, status in ((f'{path}/versions/3', 404), (f'{path}/versions/x', 400),
                          (f'{path}/diff?from=9', 404), (f'{path}/diff?to=x', 400),
                          ('/api/v1/components/partner/never/versions', 404),
                          ('/api/v1/components/animal/x/versions', 400)):
        assert plant.request('GET', wrong)[0] == status, wrong


def test_settings_are_told(plant):
    assert str(plant.data) in plant.get('/api/v1/settings')['text']


def test_search(plant):
    """Each filter alone and together; pages; times."""
    a = Relation(plant)
    a.deliver(*[File(b'x' * i, dsn=f'SEARCH-{i}') for i in range(6)])
    a.wait_document('processed', count=6)
    b = Relation(plant)
    number = b.send(b'out', name='SEARCH-0')
    scene.wait_document(plant, number, 'sealed')

    def find(**filters):
        return [(d['partner'], d['name']) for d in plant.get(
            query('/api/v1/documents', **filters))['documents']]

    assert find(name='SEARCH-0') == [(b.name, 'SEARCH-0'), (a.name, 'SEARCH-0')]
    assert find(name='SEARCH-0', direction='in') == [(a.name, 'SEARCH-0')]
    assert find(name='SEARCH-0', state='sealed') == [(b.name, 'SEARCH-0')]
    assert find(listener=a.listener, name='SEARCH-3') == [(a.name, 'SEARCH-3')]
    assert len(find(text='SEARCH-')) == 7 and find(text='SEARCH-9') == []
    assert find(text=b.code) == [(b.name, 'SEARCH-0')]
    assert find(protocol='as2') == [] and len(find(protocol='oftp2', partner=a.name)) == 6
    d = scene.document(plant, number)
    assert find(partner=b.name, **{'from': d['created']}) == [(b.name, 'SEARCH-0')]
    assert find(partner=b.name, to='2020-01-01T00:00:00Z') == []
    seen, before = [], None
    while True:
        page = plant.get(query('/api/v1/documents', partner=a.name, limit=4, before=before))
        seen += [x['name'] for x in page['documents']]
        before = page['next']
        if before is None:
            break
    assert seen == [f'SEARCH-{i}' for i in range(5, -1, -1)]
    assert find(name="'; DROP TABLE document; --") == [] and find(text='%') == []
    assert find(text='_' * 3) == []
    post(plant, f'/api/v1/documents/{number}/cancel')


def test_receipts_page_by_page(plant):
    r = Relation(plant)
    r.deliver(*[File(b'x', dsn=f'RECEIPT-{i}') for i in range(5)])
    r.wait_document('processed', count=5)
    for d in r.documents():  # a receipt is noted as sent after the document was processed
        wait_told(plant, d['id'])
    whole = plant.get('/api/v1/receipts?limit=1000')
    ids = [x['id'] for x in whole['receipts']]
    assert len(ids) >= 5 and ids == sorted(ids, reverse=True) and whole['next'] is None
    for state in None, whole['receipts'][0]['state']:
        wanted = [x['id'] for x in whole['receipts'] if state in (None, x['state'])]
        seen, before = [], None
        while True:
            page = plant.get(query('/api/v1/receipts', limit=2, before=before, state=state))
            assert len(page['receipts']) <= 2
            seen += [x['id'] for x in page['receipts']]
            before = page['next']
            if before is None:
                break
        assert seen == wanted
    for wrong in 'limit=0', 'limit=1001', 'before=x':
        assert plant.request('GET', f'/api/v1/receipts?{wrong}')[0] == 400


def test_octets_in_and_out(plant):
    """A body with and without length; several megabytes; the same key gives the same document."""
    r = Relation(plant)
    data = bytes(range(256)) * 20_000
    number = r.send(data, name='BIG', key='K')
    assert r.send(data, name='BIG', key='K') == number
    for other in b'other', b'', data[:-1]:
        refused = r.send(other, 409, name='BIG', key='K')
        assert f'document {number}, whose octets are others' in str(refused), refused
    for form in 'raw', 'opened':
        assert plant.request('GET', f'/api/v1/documents/{number}/{form}') == (200, data)
    c = waybill.UnixConnection(plant.socket, waybill.patient(30))
    c.request('POST', query('/api/v1/documents', partner=r.name, name='CHUNKED'),
              iter([b'one', b'', b'two' * 50_000]), encode_chunked=True,
              headers={'Transfer-Encoding': 'chunked'})
    answer = c.getresponse()
    assert answer.status == 201
    number = json.loads(answer.read())['id']
    c.close()
    assert plant.request('GET', f'/api/v1/documents/{number}/raw')[1] == b'one' + b'two' * 50_000


def test_an_upload_that_breaks_off_leaves_nothing(plant):
    r = Relation(plant)
    for head in b'Content-Length: 1000000\r\n\r\n', b'Transfer-Encoding: chunked\r\n\r\n':
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(plant.socket)
            s.sendall(b'POST /api/v1/documents?partner=' + r.name.encode() +
                      b' HTTP/1.1\r\nHost: localhost\r\n' + head + b'6\r\nabcdef\r\n')
    assert r.documents() == []


def test_sessions_with_progress(plant):
    r = Relation(plant)
    data = b'x' * 400_000
    with r.call() as me:
        f = File(data, dsn='PROGRESS')
        me.offer_file(f)
        me.send_data([data], stop_after=300_000)

        def there():
            return [s for s in plant.get('/api/v1/sessions')['sessions'] if s['done'] > 200_000]
        s, = waybill.wait_until(there)
        assert (s['partner'], s['peer'], s['initiator'], s['state']) == (r.name, r.code, False,
                                                                        'transfer')
        assert s['total'] == 391 * 1024 and s['document'] and s['address'].startswith('127.0.0.1')
        assert s['octets_in'] > 200_000


def test_metrics(plant):
    r = Relation(plant)

    def value(name):
        text = plant.request('GET', '/metrics')[1].decode()
        return int(re.search(rf'^waybill_{name} (\d+)$', text, re.M).group(1))

    before = value('documents_received_total'), value('documents_refused_total')
    with r.call() as me:
        me.send_file(b'x')
        me.send_file(File(b'x', dest='O0013NOBODY'))
        me.run()
    waybill.wait_until(lambda: (
        value('documents_received_total'), value('documents_refused_total')) == (
            before[0] + 1, before[1] + 1), 20, 'one received and one refused')


def test_many_requests_at_once(plant):
    problems = []

    def ask():
        try:
            for _ in range(20):
                assert tcp(plant, 'GET', '/api/v1/listeners')[0] == 200
        except BaseException as e:
            problems.append(e)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not problems


def test_who_changed_what_is_kept(plant, tmp_path):
    """The audit is in the store; the timeline of a document says who asked for a retry."""
    r = Relation(plant, steps=[{'write': {'directory': tmp_path / 'none'}}])
    r.deliver(b'x')
    d = r.wait_document('failed')
    (tmp_path / 'none').mkdir()
    assert tcp(plant, 'POST', f'/api/v1/documents/{d["id"]}/retry')[0] == 200
    d = r.wait_document('processed')
    assert ('retry', 'token:tests-admin from 127.0.0.1') in [(e['kind'], e['text']) for e in d['events']]


def test_stop_over_the_api(gateway):
    g = gateway()
    assert tcp(g, 'POST', '/api/v1/stop')[0] == 202
    assert g.exit_status() == 0
