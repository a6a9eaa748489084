"""The OpenAPI document: what it is, that the routes are those it says, and who may call them."""

import http.client
import json
import os
import re
from random import Random
from urllib.parse import quote

import pytest

import openapi
import waybill
from oftp import File
from scene import Relation

jsonschema = pytest.importorskip('jsonschema', reason='python3-jsonschema is not installed')

ROLES = ['none', 'viewer', 'operator', 'admin']
OPERATIONS = openapi.operations()
NAMES = [o['operationId'] for _, _, o in OPERATIONS]


def filled(path, o, **values):
    """The path with something in place of each parameter."""
    for p in o.get('parameters', []):
        if p['in'] == 'path':
            schema = p['schema']
            if '$ref' in schema:
                schema = openapi.document()['components']['schemas'][schema['$ref'].split('/')[-1]]
            value = values.get(p['name'], schema.get('enum', [None])[0] or
                               ('999999' if schema['type'] == 'integer' else 'nobody'))
            path = path.replace('{%s}' % p['name'], str(value))
    return path


def ask(plant, method, path, role, body=None, headers=None):
    """The status; role 'none': without log-on."""
    c = http.client.HTTPConnection(*plant.admin, timeout=waybill.patient(30))
    try:
        headers = dict(headers or {})
        if role != 'none':
            headers['Authorization'] = f'Bearer {plant.token_of(role)}'
        c.request(method, path, body, headers)
        if path.endswith('/trace'):
            return c.getresponse().status
        r = c.getresponse()
        octets = r.read()
        openapi.check(method, path, r.status, octets)
        return r.status
    finally:
        c.close()


def test_the_document_is_the_one_served(plant):
    served = plant.get('/api/v1/openapi.json')
    assert served == openapi.document(), \
        'write it anew: waybill help --openapi > docs/openapi.json'
    printed = waybill.run('help', '--openapi').stdout
    assert printed == openapi.FILE.read_text()


def test_the_document_is_sound():
    d = openapi.document()
    assert re.fullmatch(r'3\.1\.\d+', d['openapi']) and d['info']['title'] and d['info']['version']
    assert len(NAMES) == len(set(NAMES))
    schemas = d['components']['schemas']
    used = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(d)))
    assert used == set(schemas), used ^ set(schemas)
    for name, schema in schemas.items():
        jsonschema.Draft202012Validator.check_schema(schema)
    seen = set()
    for method, path, o in OPERATIONS:
        shape = re.sub(r'\{\w+\}', '{}', path)
        assert (method, shape) not in seen
        seen.add((method, shape))
        named = [p['name'] for p in o.get('parameters', []) if p['in'] == 'path']
        assert named == re.findall(r'\{(\w+)\}', path), path
        assert all(p['required'] for p in o.get('parameters', []) if p['in'] == 'path')
        assert len({(p['in'], p['name']) for p in o.get('parameters', [])}) == \
            len(o.get('parameters', []))
        assert [s for s in o['responses'] if s.startswith('2')] and 'default' in o['responses']
        assert o['x-role'] in ROLES and o['summary']
        assert (o.get('security') == []) == (o['x-role'] == 'none')
        if method in ('GET', 'DELETE'):
            assert 'requestBody' not in o
    shapes = {}
    for path in d['paths']:
        assert shapes.setdefault(re.sub(r'\{\w+\}', '{}', path), path) == path
    for needed in o.get('security', d['security']):
        assert set(needed) <= set(d['components']['securitySchemes'])


@pytest.mark.parametrize('method, path, o', OPERATIONS, ids=NAMES)
def test_each_route_asks_for_its_role(plant, method, path, o):
    """Every route with every role: below it 401 or 403, and neither from it on."""
    target = filled(path, o)
    wanted = ROLES.index(o['x-role'])
    for i, role in enumerate(ROLES):
        if o['operationId'] == 'stop' and i >= wanted:
            continue
        status = ask(plant, method, target, role)
        if o['operationId'] == 'backup' and i >= wanted:
            assert status == 403  # only over the Unix socket
        elif i >= wanted:
            assert status not in (401, 403) and status < 500, (role, status)
        else:
            assert status == (401 if role == 'none' else 403), (role, status)


@pytest.mark.parametrize('method', ['PUT', 'PATCH', 'OPTIONS', 'TRACE'])
def test_methods_that_are_not_there(plant, method):
    for path in '/api/v1/users', '/api/v1/documents', '/nothing':
        assert ask(plant, method, path, 'none') == 401
        assert ask(plant, method, path, 'admin') in (404, 405)


def test_good_answers_are_as_described(gateway, authority, tmp_path):
    """Each route once with success; what is answered is checked by openapi.check."""
    g = gateway(tls='ours', components=[authority.issue('ours').component('ours')])
    seen = set()

    def ok(method, path, body=None, status=200):
        got, octets = g.request(method, path, body)
        assert got == status, (method, path, octets)
        seen.add(openapi.operation(method, path)['operationId'])
        return octets

    r = Relation(g, steps=[{'write': {'directory': tmp_path}}], operation={
        'tracking': [{'field': 'File', 'value': '{{oftp2.sfiddsn}}'}]})
    r.deliver(File(b'x', dsn='ONE'))
    inbound = r.wait_document('processed')['id']
    outbound = r.send(b'out', name='OUT')
    for path in ('/healthz', '/readyz', '/metrics', '/api/v1/overview', '/api/v1/openapi.json', '/api/v1/runtime',
                 '/api/v1/components', '/api/v1/components?kind=partner',
                 '/api/v1/components/schema',
                 f'/api/v1/components/partner/{r.name}', '/api/v1/settings',
                 f'/api/v1/components/partner/{r.name}/versions',
                 f'/api/v1/components/partner/{r.name}/versions/1',
                 f'/api/v1/components/partner/{r.name}/diff', '/api/v1/certificates', '/api/v1/exchange',
                 '/api/v1/listeners', '/api/v1/documents', f'/api/v1/documents/{inbound}',
                 f'/api/v1/documents/{outbound}', f'/api/v1/documents/{inbound}/raw',
                 f'/api/v1/receipts?document={inbound}', '/api/v1/receipts', '/api/v1/jobs',
                 '/api/v1/log', '/api/v1/session', '/api/v1/users', '/api/v1/tokens', '/api/v1/audit?limit=2'):
        ok('GET', path)
    with r.call() as me:
        me.offer_file(File(b'y', dsn='TWO'))
        ok('GET', '/api/v1/sessions')
        session, = g.get('/api/v1/sessions')['sessions']
        ok('GET', f'/api/v1/sessions/{session["id"]}')
    for what in 'pause', 'resume', 'restart':
        ok('POST', f'/api/v1/listeners/{r.listener}/{what}')
    ok('POST', f'/api/v1/documents/{outbound}/cancel')
    ok('POST', f'/api/v1/documents/{outbound}/resend', status=201)
    ok('POST', f'/api/v1/documents/{outbound}/retry')
    ok('POST', '/api/v1/components/check', 'certificate: ours')
    ok('POST', '/api/v1/components?dry_run=1', 'certificate: ours\n' + waybill.to_yaml(
        {'file': authority.cert}))
    ok('POST', f'/api/v1/documents?partner={r.name}&name=IN', b'abc', 201)
    there = Relation(g, host='127.0.0.1', port=1).name  # where nobody answers
    ok('POST', f'/api/v1/partners/{there}/test')
    ok('POST', f'/api/v1/partners/{there}/call', status=202)
    ok('POST', '/api/v1/certificates/ca/import', {'certificate': authority.pem()})
    ok('POST', '/api/v1/certificates/ca/export', {})
    ok('PUT', '/api/v1/components/certificate/ca', g.get('/api/v1/components/certificate/ca')['text'])
    ok('DELETE', '/api/v1/components/certificate/ca')
    name = {'name': 'zoe', 'role': 'viewer', 'password': 'correct horse'}
    ok('POST', '/api/v1/users', name, 201)
    ok('POST', '/api/v1/users/zoe/password', {'password': 'another horse'})
    ok('POST', '/api/v1/users/zoe/role', {'role': 'admin'})
    ok('POST', '/api/v1/session', {'name': 'zoe', 'password': 'another horse'})
    ok('DELETE', '/api/v1/session')
    ok('DELETE', '/api/v1/users/zoe')
    ok('POST', '/api/v1/tokens', {'name': 'erp', 'role': 'viewer', 'expires': '2099-01-01'}, 201)
    ok('DELETE', '/api/v1/tokens/erp')
    ok('POST', f'/api/v1/backup?directory={tmp_path}/backup')
    ok('POST', '/api/v1/log', {'level': 'info'})
    ok('POST', '/api/v1/reload')
    ok('POST', '/api/v1/stop', status=202)
    assert g.exit_status() == 0
    # those need more than one gateway, are of a session, or never end
    assert set(NAMES) - seen == {'applyTrustList', 'sendCertificates', 'setOwnPassword', 'testAlerts',
                                 'trace'}


# ---- generated requests --------------------------------------------------------------------

TEXTS = ['', 'x', '0', '-1', '1', '99999999999999999999', '%', '%00', '%ff', '..', 'a/b', "' OR 1=1",
         'x' * 3000, 'ä', '\u202e', 'null', 'true', '{{x}}', '2026-11-21', '2026-13-45T99:99:99Z',
         'partner', 'admin', 'in', 'raw']
VALUES = [*TEXTS, None, True, 0, -1, 1 << 70, 1.5, [], {}, [[]], {'x': 1}]


def generated_body(random, o):
    content = o.get('requestBody', {}).get('content', {})
    media = content.get('application/json')
    if media is None or random.random() < 0.2:
        return random.choice([None, b'', b'{', b'[]', b'null', b'\xff\xfe', b'- ' * 500, b'{"a":' * 3000,
                              b'a: &a [*a]', b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]><x/>',
                              'partner: "ä"\n'.encode()])
    name = media['schema']['$ref'].split('/')[-1]
    fields = openapi.document()['components']['schemas'][name]['properties']
    body = {k: random.choice(VALUES) for k in fields if random.random() < 0.9}
    if random.random() < 0.2:
        body[random.choice(TEXTS)] = random.choice(VALUES)
    return json.dumps(body).encode('utf-8', 'surrogatepass')


TYPES = ['application/json', 'text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data',
         'application/json; charset=utf-16', 'x']
REQUESTS = int(os.environ.get('WAYBILL_FUZZ', '40'))  # of each route; more for a longer look


def generated_target(random, path, o):
    """Boundary values, wrong types, doubled and unknown parameters; not longer than a line may be."""
    target = path
    for p in o.get('parameters', []):
        if p['in'] == 'path' and random.random() < 0.7:
            target = target.replace('{%s}' % p['name'], quote(random.choice(TEXTS)) or 'y')
    target = filled(target, o)
    names = [p['name'] for p in o.get('parameters', []) if p['in'] == 'query']
    pairs = [(n, random.choice(TEXTS)) for n in names + names + ['other'] if random.random() < 0.3]
    query = '&'.join(f'{n}={quote(v)}' for n, v in pairs)
    if len(query) > 6000:
        query = query[:6000].rsplit('&', 1)[0]
    return target + ('?' + query if query else '')


@pytest.mark.parametrize('method, path, o', OPERATIONS, ids=NAMES)
def test_generated_requests_are_never_answered_5xx(plant, method, path, o):
    """Nothing that anybody may send is the server's fault, and no role gets further than it may."""
    if o['operationId'] in ('stop', 'trace', 'backup'):
        return  # ends it, never ends, writes where it is told
    random = Random(o['operationId'])
    few = o['operationId'] in ('logOn', 'setOwnPassword')  # wrong passwords take their time
    for i in range(4 if few else REQUESTS):
        target = generated_target(random, path, o)
        headers = {'Content-Type': random.choice(TYPES) if random.random() < 0.3 else
                   'application/json'} if o.get('requestBody') else {}
        body = generated_body(random, o)
        status, answer = plant.request(method, target, body, headers)
        assert status < 500, (method, target, body, answer)
        role = random.choice(ROLES)
        if not few and ROLES.index(role) < ROLES.index(o['x-role']):
            status = ask(plant, method, target, role, body, headers)
            # what is no such path any more is told to viewers only; a broken one is no request
            assert status in (400, 401, 403, 404, 405, 414), (method, target, role, status)
            if '{' not in path:
                assert status == (401 if role == 'none' else 403), (method, target, role, status)
