"""Asynchronous MDNs of ours on their way: posted again as they were until the partner takes them, on
the schedule of as2.md 4.9, and nobody else is shown the credentials."""

import contextlib
import sqlite3

import as2
import as2_scene
import pytest
import scene
import waybill
from as2 import Answer
from as2_sending import gateway, kinds

SERVER = {'mdn_retry_first': '100ms'}
DAY_MS = 24 * 3600 * 1000


@pytest.fixture(scope='module')
def shared_gateway(tmp_path_factory):
    with gateway(tmp_path_factory.mktemp('plant') / 'plant-7',
                 settings={'as2_server': SERVER}) as g:
        yield g


class In(as2_scene.Relation):
    """A partner whose messages ask for an MDN at a server of ours: .server, an as2.Partner."""

    def __init__(self, plant, **settings):
        super().__init__(plant)
        self.server = as2.Partner(as2.Peer(self.code, as2_scene.keys('partner'), self.own,
                                           as2_scene.keys('us').cert))
        self.settings = {'url': self.server.url, **settings}
        scene.apply(plant, self.partner_component())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.stop()

    def ask(self, url=None, answers=()):
        """Posts a message that asks for an MDN there."""
        self.server.script.extend(answers)
        message = self.message(b'octets', 'S', async_url=url or self.server.url)
        assert message.post(self.url).status in (200, 202, 204)
        return message

    def undelivered(self, requests):
        """Waits until the MDN is given up; the requests there were."""
        d = self.wait_document('processed')
        d = waybill.wait_until(lambda: done(self.gateway, d['id']), 30, 'the MDN to be given up')
        line, = self.log(r'as2\.mdn\.undelivered')
        assert 'look_at=' in line and 'MDN undelivered' in kinds(d)
        found = [self.server.next_request() for _ in range(self.server.requests.qsize())]
        assert len(found) == requests
        return found


def done(plant, number):
    d = scene.document(plant, number)
    return d if [r['state'] for r in d['receipts']] == ['undelivered'] else None


def test_an_mdn_is_posted_again_as_it_was_until_it_is_taken(plant):
    """AS2-C80: the octets, the Message-ID and the signature; on the schedule 1, 2, 5, 10 ..."""
    with In(plant) as p:
        message = p.ask(answers=[Answer(503), Answer(200, drop='half'), Answer(429), Answer(500)])
        mdn = p.server.next_mdn()
        p.peer.read_mdn(message, mdn.fields, mdn.body)
        requests = [p.server.next_request() for _ in range(5)]
        assert len({r.raw for r in requests}) == 1
        assert len({r.get('Message-ID') for r in requests}) == 1
        gaps = [b.time - a.time for a, b in zip(requests, requests[1:])]
        for gap, wanted in zip(gaps, (0.1, 0.2, 0.5, 1.0)):
            assert wanted * 0.79 <= gap, gaps
        d = p.wait_document('processed')
        d = waybill.wait_until(lambda: (lambda x: x if not x['jobs'] else None)(
            scene.document(plant, d['id'])), 10)
        assert [r['state'] for r in d['receipts']] == ['sent'] and kinds(d).count('MDN sent') == 1


def test_an_mdn_that_nobody_takes_ends_in_an_alarm(tmp_path):
    """AS2-C80: once it is a day old; and a duplicate of the message makes the same one go out
    again."""
    with gateway(tmp_path / 'own', settings={'as2_server': SERVER}) as g, In(g) as p:
        message = p.ask(answers=[Answer(503)] * 50)
        found = [p.server.next_request() for _ in range(4)]
        g.stop()
        with contextlib.closing(sqlite3.connect(g.data / 'waybill.db')) as db, db:
            db.execute('UPDATE receipt SET at_ms = at_ms - ?', (DAY_MS,))
            # the next attempt of what is on its schedule is now
            db.execute('UPDATE job SET not_before_ms = 0')
        while not p.server.requests.empty():
            found.append(p.server.requests.get())
        g.start()
        found += p.undelivered(1)
        assert len({r.raw for r in found}) == 1
        p.server.script.clear()
        assert message.post(p.url).status == 200
        mdn = p.server.next_mdn()
        p.peer.read_mdn(message, mdn.fields, mdn.body)
        assert p.server.next_request().raw == found[0].raw


@pytest.mark.parametrize('status,attempts', [(400, 1), (401, 1), (410, 1), (302, 1), (403, 3),
                                             (404, 3)])
def test_a_refusal_ends_it_sooner(plant, status, attempts):
    """AS2-C80: 403 and 404 may be a deployment under way; others are final."""
    with In(plant) as p:
        p.ask(answers=[Answer(status)] * 5)
        p.undelivered(attempts)


def test_credentials_are_shown_only_where_they_were_configured_for(plant):
    """AS2-C82: another port is another origin, and so is another scheme."""
    with as2.Server() as other, In(plant, our_username='us', our_password='secret') as p:
        p.ask()
        assert p.server.next_request().auth == ('us', 'secret')
        p.ask(other.url)
        assert other.next_request().get('Authorization') is None
        p.settings.update(mdn_url=other.url, mdn_username='mdn', mdn_password='other')
        scene.apply(plant, p.partner_component())
        p.ask(other.url)
        assert other.next_request().auth == ('mdn', 'other')
        p.ask()
        assert p.server.next_request().auth == ('us', 'secret')


def test_a_partner_that_does_not_answer_holds_up_nobody_else(plant):
    with In(plant) as slow, In(plant) as quick:
        for _ in range(12):
            slow.ask(answers=[Answer(200, delay=20)])
        for _ in range(5):
            quick.ask()
        for _ in range(5):
            quick.server.next_mdn(10 * waybill.slow())
        assert slow.server.mdns.empty()
