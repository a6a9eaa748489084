"""Documents found again, over the API and from the command line, as an operator looks for them."""

import json
import urllib.parse

import as2_scene
import pytest
import scene

PLANT = as2_scene.PLANT


@pytest.fixture(scope='module')
def received(shared_gateway):
    """Two AS2 messages received by a relation with tracked fields; the relation, the messages."""
    r = as2_scene.Relation(shared_gateway, operation={'tracking': [
        {'field': 'Subject', 'value': '{{as2.subject}}'}]})
    messages = [r.message(b'octets %d' % i, 'ES', change={'Subject': f'call-off 4711-{i}'})
                for i in range(2)]
    for m in messages:
        r.exchange(m)
    r.wait_document('processed', count=2)
    return r, messages


def find(g, **filters):
    return g.get('/api/v1/documents?' + urllib.parse.urlencode(filters))['documents']


def test_a_message_is_found_by_its_message_id(plant, received):
    r, (first, second) = received
    number = second.message_id
    for text in (number, number.strip('<>')):
        (found,) = find(plant, message_id=text)
        assert found['properties']['as2.message_id'] == number
        assert found['partner'] == r.name
    assert find(plant, message_id=number[:-2]) == []
    listed = plant.cli('documents', '--message-id', number)
    assert [d['id'] for d in listed['documents']] == [found['id']]


def test_tracked_fields_are_found_by_label_value_and_beginning(plant, received):
    r, _ = received
    both = find(plant, partner=r.name, label='Subject', value_prefix='call-off 4711')
    assert len(both) == 2 and both[0]['id'] > both[1]['id']
    assert find(plant, value_prefix='call-off 4711', before=both[0]['id'], limit=5) == both[1:]
    assert find(plant, label='Subject', value='call-off 4711-0') == both[1:]
    assert find(plant, value='call-off 4711-1') == both[:1]
    assert find(plant, label='Order', value='call-off 4711-1') == []
    listed = plant.cli('documents', '--label', 'Subject', '--value-prefix', 'call-off 4711')
    assert [d['id'] for d in listed['documents']] == [d['id'] for d in both]


def test_filters_join_and_pages_follow_each_other(plant, received):
    r, _ = received
    common = {'partner': r.name, 'state': 'processed', 'protocol': 'as2', 'direction': 'in',
              'listener': r.listener, 'text': r.code, 'from': '2020-01-01', 'to': '2120-01-01'}
    newest, oldest = find(plant, **common)
    assert find(plant, **common, limit=1) == [newest]
    assert find(plant, **common, limit=1, before=newest['id']) == [oldest]
    for wrong in ({'state': 'failed'}, {'protocol': 'oftp2'}, {'direction': 'out'},
                  {'to': '2020-01-02'}, {'text': r.code + '-'}, {'file_name_prefix': 'no-'}):
        assert find(plant, **{**common, **wrong}) == [], wrong
    assert find(plant, **common, file_name=newest['name'])[0] == newest


def test_a_file_we_sent_by_oftp2_is_found_by_the_name_it_came_with(gateway):
    g = gateway(components=[scene.identity(), scene.partner('them', 'O0013THEM', identity='us')])
    status, answer = g.request('POST', '/api/v1/documents?' + urllib.parse.urlencode(
        {'partner': 'them', 'name': 'DELJIT', 'file_name': '/srv/out/call-off-0815.txt'}), b'x')
    assert status == 201, answer
    number = json.loads(answer)['id']

    def numbers(**filters):
        return [d['id'] for d in find(g, **filters)]
    assert numbers(file_name='call-off-0815.txt') == numbers(file_name='DELJIT') == [number]
    assert numbers(file_name_prefix='call-off') == numbers(text='call-off') == [number]
    assert numbers(name='DELJIT') == [number] and numbers(name='call-off-0815.txt') == []
    listed = g.cli('documents', '--file-name-prefix', 'call-off', '--direction', 'out')
    assert [d['id'] for d in listed['documents']] == [number]
