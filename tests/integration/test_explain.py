"""`waybill explain`: what an operator pastes is explained."""

import json

import waybill
from oftp import File
from scene import Relation


def test_a_refusal_in_the_log_is_explained(plant):
    r = Relation(plant)
    with r.call() as me:
        me.send_file(File(b'x', dest='O0013NOBODY'))
        me.run()
    line, = r.log('oftp2.file.refused')
    text = waybill.run('explain', line).stdout
    assert 'event oftp2.file.refused' in text and 'SFNA and EFNA 2: invalid destination' in text
    assert text.count('to do: ') >= 2


def test_the_reason_of_a_document_is_looked_up(plant):
    r = Relation(plant, steps=[{'exec': {'command': ['/bin/false']}}])
    with r.call() as me:
        me.send_file(File(b'x'))
        me.run()
    d = r.wait_document('failed')
    text = plant.cli('explain', str(d['id']), json_output=False)
    assert f'document {d["id"]} is failed: ' in text and 'exec' in text and 'waybill retry' in text


def test_json_and_what_is_not_known():
    found = json.loads(waybill.run('--json', 'explain', 'esid', '4').stdout)
    assert [(f['key'], f['means']) for f in found] == [('4', 'invalid password')]
    result = waybill.run('explain', 'nothing of the kind', check=1)
    assert 'troubleshooting.md' in result.stderr
