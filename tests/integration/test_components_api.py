"""Components as programs see them that make forms: the settings there are, and components in JSON."""

import http.client
import json
import re
import threading
from pathlib import Path

import pytest

import openapi
import waybill

REFERENCE = Path(__file__).resolve().parents[2] / 'docs' / 'configuration.md'


@pytest.fixture
def kinds(plant):
    answer = plant.get('/api/v1/components/schema')
    assert [k['kind'] for k in answer['kinds']] == ['certificate', 'identity', 'partner', 'process']
    assert 'document.id' in [t['name'] for t in answer['templates']]
    return {k['kind']: k for k in answer['kinds']}


def fields(kind, *path):
    """The field at a path."""
    at, found = kind['fields'], None
    for name in path:
        found = {f['name']: f for f in at}[name]
        at = found.get('fields')
    return found


def everything(at, path=()):
    for f in at:
        yield path, f
        yield from everything(f.get('fields', []), (*path, f['name']))
        yield from everything(f.get('other', {}).get('fields', []), (*path, f['name']))


def test_the_schema_has_every_setting_of_the_reference(kinds):
    """Both are made from the same tables: each setting of a component is in both."""
    text = REFERENCE.read_text().split('\n## Components')[1].split('\n## Templates')[0]
    told = re.findall(r'^\| `(\w+)` \|', text, re.M)
    for kind in kinds.values():
        for path, f in everything(kind['fields']):
            assert f['name'] in told, (kind['kind'], path, f['name'])
    known = {f['name'] for k in kinds.values() for _, f in everything(k['fields'])}
    assert set(told) == known


def test_the_schema_tells_what_a_form_needs(kinds):
    partner, process = kinds['partner'], kinds['process']
    assert fields(partner, 'partner')['required']
    port = fields(partner, 'oftp2', 'port')
    assert (port['type'], port['minimum'], port['maximum']) == ('port', 1, 65535)
    assert port['default'] is None and '6619' in port['default_text']
    poll = fields(partner, 'oftp2', 'poll')
    assert poll['type'] == 'duration' and poll['zero'] and poll['default'] == '0'
    assert poll['limits'] == '0, or 10ms to 30d'
    password = fields(partner, 'oftp2', 'password')
    assert (password['type'], password['secret'], password['maximum']) == ('password', True, 8)
    signing = fields(kinds['identity'], 'as2', 'signing_certificate')
    assert (signing['refers'], signing['refers_key']) == ('certificate', True)
    identity = fields(partner, 'as2', 'identity')
    assert (identity['refers'], identity['refers_protocol']) == ('identity', 'as2')
    assert fields(partner, 'as2', 'send', 'mdn')['choices'] == ['none', 'sync', 'async']
    assert fields(partner, 'as2', 'send', 'compressed')['choices'][0] == 'no'  # no synonyms
    assert fields(partner, 'as2', 'send', 'subject')['template']
    assert fields(partner, 'as2', 'send', 'signed')['default'] == 'true'
    assert fields(partner, 'outbox')['type'] == 'list'
    assert fields(partner, 'outbox', 'directory')['required']
    operation = fields(process, 'start', 'operation')
    assert (operation['other']['by'], operation['other']['when']) == ('listen', 'as2-server')
    ours = {f['name'] for f in operation['fields']}
    theirs = {f['name'] for f in operation['other']['fields']}
    assert 'relay' in ours - theirs and 'mdn_delivery' in theirs - ours
    assert [f['name'] for f in fields(process, 'steps')['fields']] == ['write', 'exec', 'http', 'send']
    for kind in kinds.values():
        assert kind['help'] and kind['example'].startswith(kind['kind'] + ':')


def test_what_the_schema_calls_required_is_asked_for(plant, kinds):
    for kind, path, given in (('partner', ('oftp2',), {'partner': 'x', 'oftp2': {}}),
                              ('identity', ('as2',), {'identity': 'x', 'as2': {}}),
                              ('process', (), {'process': 'x'})):
        at = fields(kinds[kind], *path)['fields'] if path else kinds[kind]['fields']
        required = {f['name'] for f in at if f['required']} - {kind}
        status, body = plant.request('POST', '/api/v1/components?dry_run=1', json.dumps(given))
        assert status == 422
        missing = {m for p in json.loads(body)['problems']
                   for m in re.findall(r"^'(\w+)' is missing", p['text'])}
        assert missing == required and required


ODD = 'a "quote", a \\ and a / , : # & * ! | > % @ ` {} [] - ? ~ äöü ÿ € 漢字 😀 \u00a0\u2028\ufeff.'


@pytest.mark.parametrize('compact', [True, False])
@pytest.mark.parametrize('ascii', [True, False])
def test_a_component_in_json_is_the_component(plant, compact, ascii):
    """JSON is YAML: everything may be text, and every character may be escaped (but for pairs of surrogates, which no
    JSON writer needs)."""
    name = ODD.replace('😀', '') if ascii else ODD
    process = {'process': 'from-json', 'start': {'listen': 'oftp2-server', 'operation': {
        'from': {'odette_id': 'O0013FROMJSON', 'password': 'P/W'},
        'to': {'odette_id': 'O0013TOJSON'}, 'max_file_size': '10M', 'max_record_length': '80',
        'reject_duplicates': 'false', 'acknowledge': 'processed',
        'tracking': [{'field': 'x' * 64, 'value': name}, {'field': 'b', 'value': '1e3'}]}},
        'steps': [{'write': {'directory': '/tmp/' + name}},
                  {'exec': {'command': ['/bin/true', '', 'no', 'null', '{{document.id}}'],
                            'timeout': '5s'}}]}
    process['steps'][1]['exec']['command'][1] = ' '
    text = json.dumps(process, ensure_ascii=ascii,
                      separators=(',', ':') if compact else None, indent=None if compact else 1)
    text = text.replace('P/W', 'P\\/W')
    status, body = plant.request('POST', '/api/v1/components', text.encode())
    assert status == 200, body
    kept = plant.get('/api/v1/components/process/from-json')['text']
    assert json.loads(kept) == process
    assert plant.request('DELETE', '/api/v1/components/process/from-json')[0] == 200


def test_problems_of_json_stand_at_their_values(plant):
    text = json.dumps({'partner': 'acme', 'oftp2': {'odette_id': 'O0013000001ACME',
                                                    'password': 'SECRET12', 'port': '99999',
                                                    'host': 'a b', 'polll': '1'}}, indent=2)
    status, body = plant.request('POST', '/api/v1/components?file=form&dry_run=1', text)
    assert status == 422
    lines = text.splitlines()
    found = {lines[p['line'] - 1][p['column'] - 1:].strip(' ,').split(':')[0]: p['text']
             for p in json.loads(body)['problems']}
    assert set(found) == {'"99999"', '"a b"', '"polll"'}
    assert 'out of range' in found['"99999"'] and "did you mean 'poll'" in found['"polll"']
    assert all(p['file'] == 'form' for p in json.loads(body)['problems'])


def test_a_check_tells_problems_and_applies_nothing(plant):
    good = 'partner: checked\noftp2: {odette_id: O0013CHECKED, password: PW}\n'
    status, body = plant.request('POST', '/api/v1/components/check?file=form', good)
    answer = json.loads(body)
    assert status == 200 and answer['problems'] == []
    assert [(a['kind'], a['name'], a['version']) for a in answer['applied']] == [('partner', 'checked', 0)]
    status, body = plant.request('POST', '/api/v1/components/check?file=form', good.replace('PW', '{}'))
    answer = json.loads(body)
    assert status == 200 and answer['applied'] == []
    p, = answer['problems']
    assert (p['file'], p['line']) == ('form', 2) and "'password' must be" in p['text']
    assert 'checked' not in [c['name'] for c in plant.get('/api/v1/components')['components']]


# ---- two who save one component -------------------------------------------------------------

def partner(name, host='one.example'):
    return f'partner: {name}\noftp2: {{odette_id: O0013{name.upper()}, password: PW, host: {host}}}\n'


def change(plant, method, path, body=None, **headers):
    """(status, answer, ETag) of a request of the admin's over TCP; if_match becomes If-Match."""
    c = http.client.HTTPConnection(*plant.admin, timeout=waybill.patient(60))
    try:
        c.request(method, path, body, {'Authorization': f'Bearer {plant.token_of("admin")}',
                                       **{k.replace('_', '-'): v for k, v in headers.items()}})
        r = c.getresponse()
        octets = r.read()
        openapi.check(method, path, r.status, octets)
        return r.status, json.loads(octets), r.getheader('ETag')
    finally:
        c.close()


def test_a_version_that_is_not_the_newest_any_more_is_not_saved_over(plant):
    path = '/api/v1/components/partner/twice'
    assert change(plant, 'PUT', path, partner('twice'), if_none_match='*')[0] == 200
    status, was, seen = change(plant, 'GET', path)
    assert status == 200 and seen == '"1"' == f'"{was["version"]}"'
    status, answer, tag = change(plant, 'PUT', path, partner('twice', 'first.example'), if_match=seen)
    assert (status, tag, answer['applied'][0]['version']) == (200, '"2"', 2)
    status, answer, tag = change(plant, 'PUT', path, partner('twice', 'second.example'), if_match=seen)
    assert (status, tag) == (412, None)
    assert re.search(r"partner 'twice' is not version 1 any more: version 2 was saved by token:\S+ from 127.0.0.1 at "
                     r'20\d\d-\d\d-\d\dT[\d:.]+Z', answer['error']), answer
    status, answer, _ = change(plant, 'DELETE', path, if_match=seen)
    assert status == 412 and 'version 2' in answer['error']
    now = plant.get(path)
    assert now['version'] == 2 and 'first.example' in now['text']
    assert change(plant, 'PUT', path, partner('twice', 'second.example'), if_match='"2"')[0] == 200
    # who asks for nothing gets what was always done: the last one wins
    assert change(plant, 'PUT', path, partner('twice', 'third.example'))[0] == 200
    assert plant.request('POST', '/api/v1/components', partner('twice', 'fourth.example'))[0] == 200
    assert change(plant, 'DELETE', path, if_match='"5"')[0] == 200


def test_a_component_that_is_there_or_gone_is_told_by_whom(plant):
    path = '/api/v1/components/partner/gone'
    status, answer, _ = change(plant, 'PUT', path, partner('gone'), if_match='*')
    assert status == 412 and "there is no partner 'gone'" in answer['error']
    assert change(plant, 'PUT', path, partner('gone'), if_none_match='*')[0] == 200
    status, answer, _ = change(plant, 'PUT', path, partner('gone'), if_none_match='*')
    assert status == 412 and re.search(r'already: version 1, saved by token:\S+', answer['error'])
    assert change(plant, 'PUT', path, partner('gone', 'b.example'), if_match='*')[0] == 200
    assert plant.request('DELETE', path)[0] == 200
    for if_match in '"2"', '*':
        status, answer, _ = change(plant, 'PUT', path, partner('gone'), if_match=if_match)
        assert status == 412 and re.search(r'any more: it was deleted by local:\d+ at 20', answer['error'])
    status, answer, _ = change(plant, 'DELETE', path, if_match='"2"')
    assert status == 412 and 'it was deleted' in answer['error']
    assert change(plant, 'PUT', path, partner('gone'), if_none_match='*')[2] == '"3"'
    assert plant.request('DELETE', path)[0] == 200


def test_what_is_put_is_that_component_alone(plant):
    path = '/api/v1/components/partner/alone'
    for text in partner('other'), partner('alone') + '---\n' + partner('other'), '', '# nothing\n':
        status, answer, _ = change(plant, 'PUT', path, text)
        assert status == 422 and len(answer['error']) > 20, (text, answer)
    status, answer, _ = change(plant, 'PUT', path, partner('alone').replace('PW', '{}'))
    assert status == 422 and answer['problems']
    assert change(plant, 'PUT', path + '?dry_run=1', partner('alone'))[0] == 200
    for bad in 'x', '7', '"7', '"x"', '"7x"', 'W/"7"', '"7", "8"', '"-1"', '"0"', '"99999999999999999999999"', '':
        status, answer, _ = change(plant, 'PUT', path, partner('alone'), if_match=bad)
        assert status == 400 and 'ETag' in answer['error'], bad
        assert change(plant, 'DELETE', path, if_match=bad)[0] == 400
    assert change(plant, 'PUT', path, partner('alone'), if_match='"1"', if_none_match='*')[0] == 400
    assert change(plant, 'PUT', path, partner('alone'), if_none_match='"1"')[0] == 400
    assert change(plant, 'PUT', '/api/v1/components/animal/alone', partner('alone'))[0] == 400
    names = [c['name'] for c in plant.get('/api/v1/components')['components']]
    assert 'alone' not in names and 'other' not in names


def test_what_is_still_needed_says_by_whom(plant):
    party = {'from': {'partner': 'needed'}, 'to': {'odette_id': 'O0013NEEDEDTO', 'password': 'PW'}}
    process = {'start': {'listen': 'oftp2-server', 'operation': party}}
    text = partner('needed') + '---\n' + waybill.to_yaml({'process': 'needs-it', **process})
    assert plant.request('POST', '/api/v1/components', text)[0] == 200
    answer = plant.cli('delete', 'partner', 'needed', check=None, json_output=False)
    assert answer.returncode == 1 and answer.stderr.rstrip() == (
        "waybill: partner 'needed' is still needed: process needs-it: 'partner' names the partner 'needed'; "
        'change or delete that first'), answer
    again = waybill.to_yaml({'process': 'needs-it-too', **process})
    assert plant.request('POST', '/api/v1/components', again)[0] == 200
    status, octets = plant.request('DELETE', '/api/v1/components/partner/needed')
    assert status == 409 and ', and 1 more place refers to it; change or delete' in json.loads(octets)['error']
    for kind, name in ('process', 'needs-it'), ('process', 'needs-it-too'), ('partner', 'needed'):
        assert plant.request('DELETE', f'/api/v1/components/{kind}/{name}')[0] == 200


def test_of_many_who_saw_one_version_one_saves(plant):
    """The look at the version and the change are one: nobody comes in between."""
    path = '/api/v1/components/partner/crowd'
    _, _, seen = change(plant, 'PUT', path, partner('crowd'))
    for turn in range(3):
        got, ready = [], threading.Barrier(6)

        def save(i):
            ready.wait()
            got.append(change(plant, 'PUT', path, partner('crowd', f'h{turn}-{i}.example'), if_match=seen))

        savers = [threading.Thread(target=save, args=(i,)) for i in range(6)]
        for s in savers:
            s.start()
        for s in savers:
            s.join()
        assert sorted(status for status, _, _ in got) == [200] + [412] * 5
        seen, = (tag for status, _, tag in got if status == 200)
    assert len(plant.get(path + '/versions')['versions']) == 4
    assert plant.request('DELETE', path)[0] == 200
