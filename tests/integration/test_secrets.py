"""Passwords in components: only admins see them, and a text that comes back with them hidden leaves
them as they are."""

import http.client
import json

import pytest

import openapi
import scene
import waybill

MASK = '********'
TEXT = """partner: hidden
oftp2: {odette_id: O0013HIDDEN, password: GEHEIM1} # a note
as2:
  as2_id: hidden
  send: {encrypted: false, signed_mdn: false}
  our_username: us
  our_password: "very secret"
  url: http://127.0.0.1:1/
"""


def ask(plant, path, role):
    c = http.client.HTTPConnection(*plant.admin, timeout=waybill.patient(30))
    try:
        c.request('GET', path, headers={'Authorization': f'Bearer {plant.token_of(role)}'})
        r = c.getresponse()
        body = r.read()
        openapi.check('GET', path, r.status, body)
        assert r.status == 200, body
        return json.loads(body)
    finally:
        c.close()


@pytest.fixture
def path(plant):
    scene.apply(plant, TEXT.replace('GEHEIM1', 'GEHEIM0'))
    scene.apply(plant, TEXT)
    yield '/api/v1/components/partner/hidden'
    assert plant.request('DELETE', '/api/v1/components/partner/hidden')[0] == 200


@pytest.mark.parametrize('role', ['viewer', 'operator', 'admin'])
def test_only_admins_see_passwords(plant, path, role):
    newest = ask(plant, path, role)['version']
    shown = [ask(plant, path, role)['text'], ask(plant, f'{path}/versions/{newest}', role)['text'],
             '\n'.join(ask(plant, f'{path}/diff', role)['lines'])]
    for text in shown:
        assert 'a note' in text and 'O0013HIDDEN' in text
        assert ('GEHEIM1' in text) == ('very secret' in text) == (role == 'admin')
        assert (MASK in text) == (role != 'admin')
    # that a password was changed is seen, what it was is not
    lines = ask(plant, f'{path}/diff', role)['lines']
    assert [line[0] for line in lines if 'O0013HIDDEN' in line] == ['-', '+']
    if role == 'admin':
        assert shown[0] == TEXT
        for target in path, f'{path}/versions/{newest}', f'{path}/diff':
            hidden = json.dumps(ask(plant, f'{target}?masked=1', role))
            assert 'GEHEIM' not in hidden and MASK in hidden


def test_a_hidden_password_means_unchanged(plant, path):
    hidden = ask(plant, path, 'viewer')['text']
    applied, = scene.apply(plant, hidden)['applied']
    assert applied['unchanged']
    scene.apply(plant, hidden.replace('http://127.0.0.1:1/', 'http://127.0.0.1:2/'))
    assert ask(plant, path, 'admin')['text'] == TEXT.replace(':1/', ':2/')
    scene.apply(plant, hidden.replace(f'"{MASK}"', 'new', 1))
    text = ask(plant, path, 'admin')['text']
    assert 'password: new' in text and 'very secret' in text


def test_a_hidden_password_without_one_behind_it_is_refused(plant):
    answer = scene.apply(plant, f'partner: nobody\noftp2: {{odette_id: O0013NB, password: "{MASK}"}}\n',
                         status=422)
    problem, = answer['problems']
    assert 'hidden' in problem['text'] and problem['line'] == 2
    assert plant.request('GET', '/api/v1/components/partner/nobody')[0] == 404
