"""The same message again, and custody through crashes: as2.md 5.2 to 5.4, 11.1 #17, #18."""

import concurrent.futures
import contextlib
import sqlite3
import time

import pytest

import as2
import as2_scene
import scene
import waybill
from as2_http import Closed, Connection, post
from as2_scene import Relation

PLANT = as2_scene.PLANT


@pytest.fixture
def own(tmp_path):
    """A gateway that may be killed: function that starts it."""
    started = []

    def start(**options):
        g = waybill.Gateway(tmp_path / 'own', settings={'as2_server': as2_scene.SERVER}, **options)
        started.append(g)
        return g.__enter__()
    yield start
    for g in started:
        g.__exit__(None)


def test_a_duplicate_gets_the_stored_mdn_and_is_not_delivered(plant):
    """AS2-C87: verbatim with its headers, also for the same content sealed anew"""
    r = Relation(plant)
    for n, nesting in enumerate(['', 'S', 'ES', 'ESC'], 1):
        m = r.message(b'once', nesting)
        first = m.post(r.url)
        for _ in range(2):
            again = m.post(r.url)
            assert (again.status, again.body) == (200, first.body)
            assert sorted(again.fields) == sorted(first.fields)
        r.delivered(n)
    again = r.message(b'once', 'ESC', message_id=m.message_id)     # sealed anew
    assert again.body != m.body
    assert again.post(r.url).body == first.body
    without = r.message(b'once', 'S', mdn=None)
    assert [without.post(r.url).status for _ in range(2)] == [200, 200]
    assert len(r.documents()) == 5 and len(r.delivered(5)) == 5
    assert 'duplicate' in scene.events(scene.document(plant, r.documents()[0]['id']))
    assert r.log('as2.duplicate')


def test_brackets_and_blanks_of_a_message_id_do_not_make_it_another(plant):
    """AS2-C87"""
    r = Relation(plant)
    m = r.message(b'x', 'S', message_id='<same@x>')
    first = m.post(r.url)
    again = m.with_field('Message-ID', '  same@x ').post(r.url)
    assert again.body == first.body and len(r.documents()) == 1


def test_other_content_under_the_same_message_id_is_refused_with_an_alarm(plant):
    """AS2-C89: the first record and its MDN are kept"""
    r = Relation(plant)
    m = r.message(b'first', 'ES')
    first = m.post(r.url)
    other = r.message(b'other', 'ES', message_id=m.message_id)
    r.exchange(other, 'processed/error: unexpected-processing-error')
    assert m.post(r.url).body == first.body and r.content() == b'first'
    assert r.log('Message-ID reused with different content')
    garbage = r.message(b'garbage', 'ES', message_id=m.message_id,
                        edit={'E': lambda e: as2.Entity(e.fields, b'\x30\x03abc')})
    r.exchange(garbage, 'processed/error: decryption-failed')
    assert m.post(r.url).body == first.body


def test_what_was_refused_may_come_again(plant):
    """AS2-C89: a key whose only record is negative is processed anew"""
    r = Relation(plant, operation={'require': {'signed': True}})
    bad = r.message(b'x', 'E')
    r.refused(bad, 'insufficient-message-security')
    r.refused(bad, 'insufficient-message-security')
    good = r.message(b'good', 'ES', message_id=bad.message_id)
    r.exchange(good)
    assert r.content() == b'good'


def test_the_same_message_id_from_two_partners(plant):
    """AS2-C90"""
    a, b = Relation(plant), Relation(plant)
    for r in a, b:
        r.exchange(r.message(r.code.encode(), 'S', message_id='<shared@x>'))
        assert r.content() == r.code.encode()


def test_the_same_message_id_from_names_that_differ_in_case(plant):
    """AS2-C90 AS2-C6: they are two partners, to the memory of duplicates too"""
    relations = [Relation(plant, code=code) for code in ('Twin-Works', 'TWIN-WORKS')]
    for r in relations:
        r.exchange(r.message(r.code.encode(), 'S', message_id='<twins@x>'))
        assert r.content() == r.code.encode()


def test_another_wish_for_the_receipt_is_honoured(plant):
    """AS2-C87: none, then unsigned, then signed, then asynchronous"""
    with as2.Partner(None) as them:
        r = Relation(plant, server=them)
        them.peer = r.peer
        m = r.message(b'x', 'S', mdn=None)
        assert m.post(r.url).body == b''
        unsigned = m.with_field('Disposition-Notification-To', 'me')
        assert not r.exchange(unsigned).is_signed
        signed = unsigned.with_field('Disposition-Notification-Options', as2.OPTIONS + 'sha-512')
        assert r.exchange(signed).is_signed
        later = signed.with_field('Receipt-Delivery-Option', them.url)
        assert later.post(r.url).body == b''
        got = them.next_mdn().verify(as2_scene.keys('us').cert)
        assert got.original_message_id == m.message_id and got.positive
        assert len(r.documents()) == 1 and len(r.delivered()) == 1


def test_uploads_of_one_message_that_race_are_one(plant):
    """AS2-C88"""
    r = Relation(plant)
    m = r.message(b'raced' * 50000, 'ES')
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: m.post(r.url), range(6)))
    assert {a.status for a in answers} == {200} and len({a.body for a in answers}) == 1
    assert len(r.documents()) == 1 and r.content() == b'raced' * 50000


def test_a_retry_beside_a_half_dead_upload_succeeds(plant):
    """AS2-C88"""
    r = Relation(plant)
    m = r.message(b'half' * 50000, 'ES')
    with Connection(r.url) as dead:
        dead.send(dead.head(m.fields, m.body) + m.body[:100000])
        first = r.exchange(m)
        dead.send(m.body[100000:])       # and the other one comes to its end after all
        response = dead.response()
        assert response.body == first.body
    assert len(r.documents()) == 1 and len(r.delivered()) == 1


def test_a_duplicate_of_an_asynchronous_message_starts_no_second_job(plant):
    """AS2-C88"""
    with as2.Partner(None) as them:
        r = Relation(plant, server=them)
        them.peer = r.peer
        m = r.message(b'x' * 100000, 'ES', async_url=them.url)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: m.post(r.url), range(4)))
        assert {a.status for a in answers} <= {200, 503} and 200 in [a.status for a in answers]
        first = them.next_mdn()
        r.wait_document('processed')
        assert len(r.documents()) == 1 and len(r.delivered()) == 1
        while not them.mdns.empty():
            assert them.mdns.get().body == first.body
        assert them.problems == []


def test_duplicates_are_not_looked_for_when_switched_off(plant):
    r = Relation(plant, operation={'reject_duplicates': False})
    m = r.message(b'x', 'S')
    for _ in range(2):
        r.exchange(m)
    assert len(r.documents()) == 2


def test_a_signature_under_another_message_id_is_told(plant):
    """A replay, or a message that a legitimate receiver passed on: as2.md 11.1 #17, #18"""
    r, other = Relation(plant), Relation(plant)
    m = r.message(b'pay 100', 'S')
    r.exchange(m)
    r.exchange(m)
    assert not plant.log_lines(f'as2.signature.again.*{r.name} ')
    replay = as2.Message(m.fields, m.body, m.mic_source, '<replay@x>').with_field(
        'Message-ID', '<replay@x>')
    r.exchange(replay)
    assert r.log('as2.signature.again.*other=')
    d = scene.document(plant, r.documents()[0]['id'])
    assert 'signature seen before' in scene.events(d)
    passed_on = replay.with_field('AS2-From', other.code)
    other.peer.read_mdn(passed_on, *as2_response(passed_on.post(other.url)))
    assert other.log('as2.signature.again')


def as2_response(response):
    return response.fields, response.body


# ---- custody ------------------------------------------------------------------------------------


def left_files(g):
    """{path: its octets} of what lies there; files may go away meanwhile."""
    found = {}
    for p in (g.data / 'payload').rglob('*'):
        with contextlib.suppress(FileNotFoundError):
            if p.is_file():
                found[p] = p.read_bytes()
    return found


@pytest.mark.parametrize('at', [0.0, 0.004, 0.02])
def test_a_message_survives_a_kill_around_its_answer(own, at):
    """AS2-C85 AS2-C86: the retry gets the same MDN, and the payload is delivered once"""
    g = own()
    r = Relation(g)
    m = r.message(b'custody' * 30000, 'ES')
    first = None
    with Connection(r.url) as c:
        c.request(m.fields, m.body)
        time.sleep(at)
        try:
            if at >= 0.02:
                first = c.response()
        finally:
            g.kill9()
        if first is None:
            try:
                first = c.response()
            except (Closed, AssertionError, OSError):
                pass
    g.restart()
    again = m.post(r.url)
    assert again.status == 200 and r.peer.read_mdn(m, again.fields, again.body).positive
    assert first is None or again.body == first.body
    r.wait_document('processed')
    assert len(r.documents()) == 1 and r.content() == b'custody' * 30000


def test_after_a_2xx_and_a_kill_opening_goes_on_and_the_mdn_is_sent(own):
    """AS2-C92 AS2-C85"""
    g = own()
    with as2.Partner(None) as them:
        r = Relation(g, server=them)
        them.peer = r.peer
        m = r.message(b'x' * 3000000, 'ES', async_url=them.url)
        assert m.post(r.url).status == 200
        g.kill9()
        while not them.requests.empty():
            them.requests.get()
        g.restart()
        if r.documents()[0]['state'] != 'processed' or them.mdns.empty():
            assert them.next_mdn().positive
        r.wait_document('processed', timeout=40)
        assert r.content() == b'x' * 3000000


def test_a_message_that_ends_the_runtime_three_times_is_parked(own):
    """AS2-C94"""
    g = own()
    with as2.Partner(None) as them:
        r = Relation(g, server=them)
        them.peer = r.peer
        m = r.message(b'x' * 40000000, 'ESC', async_url=them.url,
                      compressing={'level': 1})
        assert m.post(r.url).status == 200
        for _ in range(3):
            waybill.wait_until(lambda: r.document()['properties'].get('as2.attempts') or
                               r.document()['state'] != 'received', 30, 'opening to begin', 0.001)
            if r.document()['state'] != 'received':
                pytest.skip('opened faster than it could be killed')
            before = r.property('as2.attempts')
            g.kill9()
            g.restart()
            waybill.wait_until(lambda: r.property('as2.attempts') != before or
                               r.document()['state'] != 'received', 30, 'the next attempt', 0.001)
        d = r.wait_document('refused', 'processed')
        if d['state'] == 'processed':
            pytest.skip('opened faster than it could be killed')
        assert 'parked' in d['reason']
        assert them.next_mdn().disposition == 'processed/error: unexpected-processing-error'
        assert r.files() == []


def test_failed_messages_leave_nothing_decrypted(own):
    """AS2-C95: neither at once nor after a kill in the middle"""
    g = own()
    r = Relation(g)
    secret = b'SECRET CONTENT ' * 20000
    before = left_files(g).keys()

    def spoiled(e):
        e.body = e.body.replace(b'SECRET CONTENT SECRET', b'SECRET CONTENT secret', 1)
        return e
    r.refused(r.message(secret, 'ES', edit={'S': spoiled}), 'integrity-check-failed')
    left = [octets for p, octets in left_files(g).items() if p not in before]
    assert len(left) <= 1 and not any(b'SECRET' in octets for octets in left)
    m = r.message(secret * 20, 'ES')
    with Connection(r.url) as c:
        c.send(c.head(m.fields, m.body) + m.body[:4000000])
        waybill.wait_until(lambda: any(len(o) > 1000000 for o in left_files(g).values()), 20,
                           'the quarantine to be filled', 0.001)
        g.kill9()
    g.restart()
    assert not any(b'SECRET' in octets for octets in left_files(g).values())
    assert r.files() == [] and len(r.documents()) == 1


def test_a_payload_appears_at_once_with_the_commit(plant):
    """AS2-C93"""
    r = Relation(plant)
    m = r.message(b'p' * 3000000, 'ES')
    with Connection(r.url) as c:
        c.send(c.head(m.fields, m.body) + m.body[:-1])
        scene.settled(lambda: r.files() or r.documents(), 0.3)
        c.send(m.body[-1:])
        while True:
            early = r.files()
            if r.documents():
                break
            assert early == []
        assert c.response().status == 200
    path, = r.delivered()
    assert path.stat().st_size == 3000000


def test_a_full_store_is_503_and_leaves_no_partial_files(own):
    """AS2-C91"""
    g = own()
    r = Relation(g)
    before = left_files(g)
    response = post(r.url, r.message(b'x', '').fields, b'', length=str(1 << 55))
    assert response.status == 503 and int(response.get('Retry-After')) > 0
    assert left_files(g) == before and r.documents() == []


def test_a_duplicate_whose_document_is_gone_is_a_warning(own):
    """as2.md 4.4: the key is known, the stored MDN is not any more"""
    g = own()
    r = Relation(g)
    m = r.message(b'once', 'ES')
    r.exchange(m)
    r.wait_document('processed')
    g.stop()
    with contextlib.closing(sqlite3.connect(g.data / 'waybill.db')) as db, db:
        db.execute('DELETE FROM document')
        db.execute('DELETE FROM receipt')
    g.start()
    mdn = r.exchange(m, 'processed/warning: duplicate-document')
    assert mdn.mic is not None and len(r.delivered(1)) == 1
