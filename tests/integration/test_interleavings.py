"""What an operator changes while a document waits: to be opened, for its process, for its receipt."""

import pathlib
import signal

import as2
import as2_scene
import pytest
import scene
import waybill
from oftp import File
from scene import Gate, apply

PLANT = {'settings': {**as2_scene.PLANT['settings'], 'runtime': {'workers': 1}}}


@pytest.fixture
def held(plant):
    """A Gate that holds the only worker: nothing is opened before it is opened."""
    gate = Gate(plant.directory)
    r = scene.Relation(plant, steps=[gate.step])
    r.deliver(b'x')
    r.wait_document('processing')
    yield gate
    gate.open()
    r.wait_document('processed')


@pytest.fixture
def back():
    """Where asynchronous MDNs go."""
    with as2.Server() as server:
        yield server


def waiting(r, message):
    """Posts a message whose MDN is to come later; the document, which waits for a worker."""
    assert message.post(r.url).status == 200
    return r.wait_document('received')['id']


def other_protocol(plant, process, listener):
    """Deploys a process under the name of another one."""
    apply(plant, {**process, 'process': listener})


def test_a_message_that_waits_is_not_opened_by_a_process_of_oftp2(plant, held, back):
    """Its octets would go to the steps as they came, encrypted and without a look at the
    signature. With its own process it is what it was."""
    r = as2_scene.Relation(plant, mdn_url=back.url)
    number = waiting(r, r.message(b'octets', 'ES', async_url=back.url))
    o = scene.Relation(plant, listen=False)
    other_protocol(plant, scene.process('', o.name, [{'write': {'directory': r.inbox}}]),
                   r.listener)
    held.open()
    d = scene.wait_document(plant, number, 'failed')
    assert 'other protocol' in d['reason'] and not r.files() and not d['receipts']
    apply(plant, r.process_component())
    scene.post(plant, f'/api/v1/documents/{number}/retry')
    scene.wait_document(plant, number, 'processed')
    assert r.content() == b'octets'
    assert back.next_request().method == 'POST'


def test_a_file_that_waits_is_not_opened_by_a_process_of_as2(plant, held):
    r = scene.Relation(plant)
    with r.call() as me:
        assert me.send_file(File(records=[b'one', b'three'], fmt='V', dsn='VARIABLE')).taken
        me.change_direction()
        a = as2_scene.Relation(plant, listen=False)
        other_protocol(plant, a.process_component([{'write': {'directory': r.inbox}}]),
                       r.listener)
        held.open()
        number = r.wait_document('failed')['id']
        assert not list(r.inbox.iterdir())
        apply(plant, r.process_component())
        scene.post(plant, f'/api/v1/documents/{number}/retry')
        assert me.run() == 0
    scene.wait_document(plant, number, 'processed')
    assert r.delivered()[0].read_bytes() == b'one\nthree\n'


def test_a_message_is_not_refused_because_our_own_key_cannot_be_read(plant, held, back):
    """The partner has done nothing wrong: it is opened once the key is there again."""
    keys = as2_scene.keys('us')
    there = pathlib.Path(plant.directory) / 'as2-us.key'
    there.write_bytes(pathlib.Path(keys.key).read_bytes())
    r = as2_scene.Relation(plant, mdn_url=back.url)
    apply(plant, {'certificate': 'as2-us', 'file': keys.cert, 'key_file': there})
    number = waiting(r, r.message(b'octets', 'ES', async_url=back.url))
    there.rename(there.with_suffix('.away'))
    plant.signal(signal.SIGHUP)
    waybill.wait_until(lambda: r.listener_state()['state'] == 'errored', 20, 'the key to be missed')
    held.open()
    plant.wait_log(rf'job\.later .*document={number} .*as2-us\.key')
    d = scene.document(plant, number)
    assert d['state'] == 'received' and not d['receipts'] and back.requests.empty()
    there.with_suffix('.away').rename(there)
    plant.signal(signal.SIGHUP)
    waybill.wait_until(lambda: r.listener_state()['state'] == 'listening', 20, 'the key')
    scene.wait_document(plant, number, 'processed')   # the job comes again after 10 s
    assert r.content() == b'octets'
