"""What an operator changes while a document waits: to be opened, for its process, for its receipt."""

import pathlib
import signal

import as2
import as2_scene
import oftp
import pytest
import scene
import waybill
from oftp import File
from scene import Gate, apply

# With the partner `hurry` what is looked for each 10 s is looked for five times a second.
PLANT = {'settings': {**as2_scene.PLANT['settings'], 'runtime': {'workers': 1}},
         'components': [scene.partner('hurry', 'O0013HURRY', receipt_timeout='200ms')]}


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


@pytest.mark.parametrize('gone', ['partner-renamed', 'partner-deleted', 'partner-of-as2-now',
                                  'identity-renamed'])
def test_what_waits_under_a_code_that_is_gone_does_not_wait_for_ever(plant, gone):
    """It fails with the reason, and a resend goes to what is deployed now."""
    ours = f'us-{gone}', f'O0013US-{gone[:12].upper()}'
    apply(plant, scene.identity(*ours))
    with oftp.Server(f'O0013-{gone[:15].upper()}', 'PW') as server, waybill.nobody() as port:
        r = scene.Relation(plant, listen=False, name=gone, host='127.0.0.1', port=port,
                           identity=ours[0], retry={'first': '100ms', 'max': '200ms'})
        number = r.send(b'octets', name='WAITS')
        waybill.wait_until(lambda: 'call failed' in scene.events(scene.document(plant, number)))
        if gone == 'identity-renamed':
            apply(plant, scene.identity(ours[0], ours[1] + 'X'))
        elif gone == 'partner-renamed':
            apply(plant, scene.partner(gone, r.code + 'X'))
        elif gone == 'partner-of-as2-now':
            apply(plant, {'partner': gone, 'as2': {'as2_id': 'as2-now'}})
        else:
            assert plant.request('DELETE', f'/api/v1/components/partner/{gone}')[0] == 200
        d = scene.wait_document(plant, number, 'failed')
        assert 'odette_id' in d['reason'] and not d['jobs']
        plant.wait_log(rf'send\.stranded .*{d["own"] if "identity" in gone else d["peer"]}')
        r.code = server.code
        apply(plant, r.partner_component(port=server.port))
        server.start()
        again = scene.post(plant, f'/api/v1/documents/{number}/resend', 201)['id']
        assert server.next_file().data == b'octets'
        scene.wait_document(plant, again, 'acknowledged')


def test_what_waits_for_a_partner_that_calls_waits_on(plant):
    """Without a host, also when its process names both sides in place."""
    r = scene.Relation(plant, identity='us')
    number = r.send(b'octets', name='PATIENT')
    scene.settled(lambda: scene.document(plant, number)['state'] != 'sealed', 1)
    with r.call() as me:
        me.run()
    assert me.files[0].data == b'octets'
