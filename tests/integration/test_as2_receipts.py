"""MDNs that partners send us: which are believed, and what becomes of the message. Synchronous ones
come in the answer; asynchronous ones are posted here by hand, so that each can be wrong in its own
way and come at any time."""

import re
import time

import as2
import as2_scene
import pytest
import scene
import waybill
from as2 import Answer
from as2_sending import ASYNC, Out, gateway, kinds, shared_gateway, texts  # noqa: F401

OTHER = as2.payload(b'something else').octets


class Waiting(Out):
    """A partner that is asked for an asynchronous MDN and says only 200; deliver() posts one."""

    def __init__(self, gateway, nesting='S', **more):
        super().__init__(gateway, nesting, **{'send': ASYNC, **more})
        self.script(*[self.silent] * 50)

    def silent(self, request):
        self.server.messages.put(self.peer.receive(request.fields, request.body))
        return Answer(200)

    def sent(self):
        """Sends a message; its document and what the partner has of it."""
        d = self.exchange('sent')
        return d['id'], self.received()

    def deliver(self, got, *args, status=200, **how):
        """Posts the MDN for it, made with Peer.mdn(); fields and body, to be posted again."""
        return self.post(*self.peer.mdn(got, *args, **how), status=status)

    def post(self, fields, body, status=200):
        answer = as2.post(as2_scene.url(self.gateway), fields, body)
        assert answer.status == status, answer
        return fields, body


def document(p, number):
    return scene.document(p.gateway, number)


def without_jobs(p, number):
    """The document once nothing more is going to be done with it."""
    return waybill.wait_until(lambda: (lambda d: None if d['jobs'] else d)(document(p, number)), 20,
                              'the jobs to end')


# ---- positive ones ----------------------------------------------------------------------------


@pytest.mark.parametrize('micalg', ['sha1', 'sha-256', 'SHA256', 'sha-384', 'sha-512'])
@pytest.mark.parametrize('how', ['sync', 'async'])
def test_a_mic_in_another_digest_than_asked_for_is_verified(plant, how, micalg):
    """AS2-C57: and a wrong one in it is found (AS2-C58)."""
    with Out(plant, 'ES', send={'mdn': how}) as p:
        p.server.mdn_how = {'micalg': micalg}
        d = p.exchange()
        assert micalg in d['properties']['as2.received_content_mic']
        p.server.mdn_how = {'micalg': micalg, 'source': OTHER}
        d = p.exchange('overdue')
        assert 'MIC mismatch' in d['reason']


def test_the_mdn_and_the_message_are_kept_octet_for_octet(plant):
    """AS2-C106."""
    for mdn in 'sync', 'async':
        with Out(plant, 'ES', send={'mdn': mdn}) as p:
            said = []

            def remember(*args, **how):
                said.append(made(*args, **how))
                return said[-1]
            made, p.peer.mdn = p.peer.mdn, remember
            d = p.exchange()
            request, = p.requests()
            receipt, = d['receipts']
            octets = bytes.fromhex(receipt['octets'])
            (fields, body), = said
            assert octets.endswith(b'\r\n\r\n' + body)
            for name, value in fields:
                assert f'{name}: {value}\r\n'.encode().lower() in octets.lower(), name
            _, raw = plant.request('GET', f'/api/v1/documents/{d["id"]}/raw')
            assert raw == request.body
            for name in 'Message-ID', 'Date', 'AS2-From', 'Content-Type':
                assert f'{name}: {request.get(name)}' in d['properties']['as2.headers']


@pytest.mark.parametrize('change', [
    lambda i: i[1:-1], lambda i: f'<{i}>', lambda i: f'{i} (of yours)'],
    ids=['without', 'twice', 'comment'])
@pytest.mark.parametrize('mdn', ['sync', 'async'])
def test_brackets_of_the_original_message_id_do_not_matter(plant, mdn, change):
    """AS2-C100."""
    with Out(plant, send={'mdn': mdn}) as p:
        made = p.peer.mdn
        p.peer.mdn = lambda got: made(got, said={
            'Original-Message-ID': change(got.get('Message-ID'))})
        if '<<' in change('<x>'):
            p.exchange('overdue' if mdn == 'sync' else 'sent')
        else:
            p.exchange()


def test_an_mdn_that_is_faster_than_the_2xx_is_not_overwritten(plant):
    """AS2-C99: also when there is never a 2xx."""
    with Waiting(plant) as p:
        for late in Answer(200), Answer(503), Answer(400), Answer(200, drop='now'):
            def slow(request, late=late):
                p.deliver(p.peer.receive(request.fields, request.body))
                return late
            p.server.script.appendleft(slow)
            d = p.exchange()
            p.still(d['id'], 'acknowledged', 0.6)
            d = without_jobs(p, d['id'])
            assert len(d['receipts']) == 1, texts(d)
            # a kept connection that ends without an answer is tried once more at once
            assert len(p.requests()) <= (2 if late.drop else 1)


@pytest.mark.parametrize('mdn', ['sync', 'async'])
def test_a_warning_is_success_and_is_shown(plant, mdn):
    with Out(plant, send={'mdn': mdn}) as p:
        p.server.mdn_how = {'disposition': 'processed/warning: a strange file name'}
        d = p.exchange()
        assert 'a strange file name' in texts(d) and 'MDN warning' in kinds(d)


def test_duplicate_document_on_what_was_sent_again_is_success(plant):
    """AS2-C105: with a MIC, which must be right, and without."""
    duplicate = 'processed/warning: duplicate-document'
    with Out(plant) as p:
        for how in {}, {'source': b''}:
            p.server.mdn_how = {'disposition': duplicate, **how}
            p.script(Answer(200, drop='now'))
            d = p.exchange()
            assert 'duplicate-document' in texts(d) and len(p.requests()) == 2
        p.server.mdn_how = {'disposition': duplicate, 'source': OTHER}
        assert 'MIC mismatch' in p.exchange('overdue')['reason']


# ---- late, twice, contradicting -------------------------------------------------------------


def test_without_an_mdn_the_same_octets_go_again_and_then_it_is_overdue(plant):
    """AS2-C96, AS2-C102: an MDN that comes after all still counts."""
    with Waiting(plant, 'ES', receipt_timeout='300ms', receipt_resends=2) as p:
        d = p.exchange('overdue')
        requests = p.requests()
        assert len(requests) == 3 and len({r.raw for r in requests}) == 1
        assert 'receipt_timeout' in d['reason'] and kinds(d).count('sending again') == 2
        p.relation.log(r'as2\.message\.failed.*receipt_timeout')
        p.deliver(p.received())
        p.wait(d['id'], 'acknowledged')
        d = p.exchange('overdue')
        for _ in range(3):
            got = p.received()
        p.deliver(got, 'processed/error: decryption-failed')
        assert 'decryption-failed' in p.wait(d['id'], 'rejected')['reason']


def test_what_is_overdue_can_be_sent_again_by_hand(plant):
    with Waiting(plant, receipt_timeout='100ms', receipt_resends=0) as p:
        d = p.exchange('overdue')
        p.server.script.clear()
        p.change(receipt_timeout='60s')
        plant.cli('retry', str(d['id']), json_output=False)
        p.wait(d['id'], 'acknowledged')
        first, second = p.requests()
        assert first.raw == second.raw


def test_a_call_does_not_end_the_wait_for_an_mdn(plant):
    """What the partner has already is neither posted again nor overdue before its time."""
    with Waiting(plant, receipt_timeout='1h', receipt_resends=0) as p:
        number, got = p.sent()
        scene.post(plant, f'/api/v1/partners/{p.name}/call', 202)
        p.still(number, 'sent', 0.6)
        p.deliver(got)
        p.wait(number, 'acknowledged')
        assert len(p.requests()) == 1


def test_an_mdn_that_comes_again_is_answered_and_ignored(plant):
    """AS2-C103."""
    with Waiting(plant) as p:
        number, got = p.sent()
        mdn = p.deliver(got)
        p.wait(number, 'acknowledged')
        for _ in range(30):
            p.post(*mdn)
        d = document(p, number)
        assert d['state'] == 'acknowledged' and len(d['receipts']) == 1, texts(d)


def test_a_contradicting_mdn_changes_nothing_and_raises_an_alarm(plant):
    """AS2-C103: whichever came first; and not without end."""
    bad = 'processed/error: unexpected-processing-error'
    with Waiting(plant) as p:
        for first, second, state in ('processed', bad, 'acknowledged'), \
                (bad, 'processed', 'rejected'):
            number, got = p.sent()
            p.deliver(got, first)
            p.wait(number, state)
            for _ in range(30):
                p.deliver(got, second)
            d = document(p, number)
            assert d['state'] == state and 'contradicting MDN' in kinds(d)
            assert 2 <= len(d['receipts']) <= 20
            line = p.relation.log(rf'as2\.mdn\.received.*document={number}.*contradicts')[0]
            assert re.search(r'\berror\b', line, re.I), line


@pytest.mark.parametrize('mdn', ['sync', 'async'])
def test_a_negative_mdn_is_not_sent_again(plant, mdn):
    """AS2-C104: with the partner's text; by hand it goes under another Message-ID."""
    with Out(plant, 'ES', send={'mdn': mdn}) as p:
        p.server.mdn_how = {'disposition': 'processed/error: decryption-failed',
                            'text': 'We have another key.\r\n', 'source': b''}
        d = p.exchange('rejected')
        assert 'decryption-failed' in d['reason'] and 'We have another key' in d['reason']
        without_jobs(p, d['id'])
        p.still(d['id'], 'rejected', 0.2)
        first, = p.requests()
        p.server.mdn_how = {}
        scene.post(plant, f'/api/v1/documents/{d["id"]}/retry')
        p.wait(d['id'], 'acknowledged')
        second, = p.requests()
        assert first.get('Message-ID') != second.get('Message-ID')


# ---- those that prove nothing -----------------------------------------------------------------

WRONG = {
    'mismatch': ({'source': OTHER}, 'MIC mismatch'),
    'unsigned': ({'signed': False}, 'not signed'),
    'without MIC': ({'source': b''}, 'no Received-content-MIC'),
    'odd MIC': ({'said': {'Received-content-MIC': 'abc, sha-256'}}, 'cannot be read'),
    'no disposition': ({'said': {'Disposition': 'automatic-action/MDN-sent-automatically; read'}},
                       'no disposition'),
    'another message': ({'said': {'Original-Message-ID': '<x@y>'}}, 'another message'),
    'no message': ({'said': {'Original-Message-ID': None}}, 'no Original-Message-ID'),
    'AS2-From': ({'change': {'AS2-From': 'Somebody'}}, 'AS2-From and AS2-To'),
    'AS2-To': ({'change': {'AS2-To': 'Somebody'}}, 'AS2-From and AS2-To'),
    'changed': ({'after': True}, 'another digest'),
    'stranger': ({'keys': 'stranger'}, 'signing_certificate'),
    'unreadable': ({'edit': lambda e: as2.Entity(e.fields, b'nothing')}, 'mdn'),
}


def forged(p, got, keys=None, after=False, **how):
    peer = p.peer
    if keys:
        peer = as2.Peer(p.code, as2_scene.keys(keys), as2_scene.OWN, as2_scene.keys('us').cert)
    fields, body = peer.mdn(got, **how)
    return fields, body.replace(b'was received', b'was deceived') if after else body


@pytest.mark.parametrize('name', WRONG)
def test_an_answer_that_proves_nothing_settles_nothing(plant, name):
    """AS2-C58, AS2-C101: synchronous. It is shown, kept, and nothing is sent again: the partner has
    the message, most likely."""
    how, reason = WRONG[name]
    with Out(plant, 'ES') as p:
        p.script(lambda r: Answer(200, *forged(p, p.peer.receive(r.fields, r.body), **how)))
        d = p.exchange('overdue')
        assert reason in texts(d), texts(d)
        p.still(d['id'], 'overdue')
        assert len(p.requests()) == 1 and [r['state'] for r in d['receipts']] == ['refused']
        p.relation.log(r'as2\.m')


@pytest.mark.parametrize('name', WRONG)
def test_a_posted_mdn_that_proves_nothing_leaves_the_message_as_it_was(plant, name):
    """AS2-C58, AS2-C101: asynchronous; the right one then settles it."""
    how, reason = WRONG[name]
    with Waiting(plant, 'ES') as p:
        number, got = p.sent()
        for _ in range(25):
            fields, body = forged(p, got, **how)
            answer = as2.post(as2_scene.url(plant), fields, body)
            assert answer.status in (200, 400, 403), answer
        d = document(p, number)
        assert d['state'] == ('overdue' if name == 'mismatch' else 'sent'), texts(d)
        assert len(d['receipts']) <= 20 and len(p.requests()) == 1
        if name not in ('another message', 'no message', 'AS2-From', 'AS2-To', 'unreadable'):
            assert reason in texts(d), texts(d)
        p.deliver(got)
        p.wait(number, 'acknowledged')


def test_an_unsigned_negative_mdn_is_believed_only_on_a_channel_that_proves_the_partner(plant):
    """AS2-C101: not over plain HTTP, nor posted by anybody."""
    no = {'disposition': 'processed/error: decryption-failed', 'signed': False}
    with Out(plant, 'ES') as p:
        p.server.mdn_how = no
        p.exchange('overdue')
    with Waiting(plant) as p:
        number, got = p.sent()
        p.deliver(got, **no)
        p.still(number, 'sent', 0.3)


def test_an_unsigned_mdn_is_enough_where_that_is_agreed(plant):
    with Out(plant, accept_unsigned_receipts=True) as p:
        p.server.mdn_how = {'signed': False}
        p.exchange()
        p.server.mdn_how = {'signed': False, 'source': OTHER}
        p.exchange('overdue')
