"""What GET /api/v1/listeners says of how a listener is doing: since when it is in its state, and what
went wrong with it last."""

import pytest

import as2_scene
import oftp
import scene
import waybill
from scene import Relation, post


def error_of(r, text):
    """The last error once it speaks of text."""
    def there():
        states = r.gateway.get('/api/v1/listeners')['listeners']
        e = next(s for s in states if s['name'] == r.listener)['last_error']
        return e if e is not None and text in e['text'] else None
    return waybill.wait_until(there, 20, f'an error about {text!r}')


def test_nothing_went_wrong_yet(plant):
    state = Relation(plant).listener_state()
    assert state['state'] == 'listening' and state['since'] and state['last_error'] is None


def test_an_errored_one_says_why(plant):
    a = Relation(plant)
    b = Relation(plant, code=a.code)
    state = b.listener_state()
    assert state['state'] == 'errored' and state['last_error']['text'] == state['reason']
    before = state['since']
    scene.apply(plant, scene.partner(b.name, 'O0013ELSEWHERE'))
    state = b.listener_state()
    assert state['state'] == 'listening' and state['since'] > before and state['last_error']


def test_pausing_begins_a_state(plant):
    r = Relation(plant)
    first = r.listener_state()['since']
    paused = post(plant, f'/api/v1/listeners/{r.listener}/pause')
    assert paused['since'] >= first and r.listener_state()['since'] == paused['since']
    assert post(plant, f'/api/v1/listeners/{r.listener}/resume')['since'] >= paused['since']


def test_a_refused_log_on_a_refused_file_and_a_failed_step(plant, tmp_path):
    r = Relation(plant, steps=[{'write': {'directory': tmp_path / 'none'}}])
    r.password = 'WRONG'
    with r.peer() as me:
        with pytest.raises(oftp.Ended):
            me.log_on()
    error_of(r, 'password')
    r.password = 'PW'
    with r.call() as me:
        assert not me.send_file(b'x', dest='O0013NOBODY').taken
        me.run()
    error_of(r, 'destination')
    r.deliver(b'x')
    r.wait_document('failed')
    error_of(r, 'none')


def test_a_message_of_as2_that_is_refused(tmp_path):
    with waybill.Gateway(tmp_path / 'g', **as2_scene.PLANT) as g:
        r = as2_scene.Relation(g, operation={'require': {'signed': True}})
        r.refused(r.message(b'x', nesting=''), 'insufficient-message-security')
        error_of(r, 'signed')
