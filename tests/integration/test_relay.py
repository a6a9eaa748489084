"""A clearing centre between partners: files for somebody behind us leave as they came, and the
answers come back as they were given."""

import json
import os
import subprocess
import time

import pytest

import oftp
import scene
import waybill
from oftp import File
from scene import Relation, apply, document, post, query


class Centre:
    """An originator that calls (`.sender`, a Relation) and recipients behind us.

    servers     of the recipients; a code for one that is never called
    settings    of the recipients, operation: of the originator's operation
    own         the identity the originator logs on to"""

    def __init__(self, gateway, servers, *, relay=None, destination=None, own='us', settings=None,
                 operation=None, **sender):
        self.gateway = gateway
        self.recipients = [
            Relation(gateway, code=s, identity='us', listen=False) if isinstance(s, str) else
            Relation(gateway, server=s, listen=False, **(settings or {})) for s in servers]
        names = [r.name for r in self.recipients]
        relay = relay or [{'partners': names, **({'destination': destination} if destination
                                                 else {})}]
        self.sender = Relation(gateway, listen=False, operation={'relay': relay,
                                                                 **(operation or {})}, **sender)
        if own != 'us':
            apply(gateway, scene.process(self.sender.listener, self.sender.name,
                                         self.sender.process_component()['steps'], to=own,
                                         **self.sender.operation))
        else:
            apply(gateway, self.sender.process_component())

    def original(self):
        found = self.gateway.get(query('/api/v1/documents', partner=self.sender.name,
                                       direction='in'))['documents']
        return document(self.gateway, found[0]['id'])

    def answered(self, *states):
        """The original once it is in one of these states."""
        return waybill.wait_until(
            lambda: self.original() if self.original()['state'] in states else None, 20,
            f'the original to be {states}')

    def response(self, **options):
        """Calls as the originator until a response is there; gives it."""
        def there():
            with self.sender.call(**options) as me:
                me.run()
                return me.responses
        found = waybill.wait_until(there, 20, 'a response')
        assert len(found) == 1, found
        return found[0]

    def no_response(self):
        with self.sender.call() as me:
            me.run()
        assert me.responses == []


@pytest.fixture
def bolt():
    with oftp.Server(f'O0013BOLT{time.monotonic_ns() % 10**9}', 'PWB') as s:
        yield s


@pytest.fixture
def carol():
    with oftp.Server(f'O0013CAROL{time.monotonic_ns() % 10**9}', 'PWC') as s:
        yield s


def hand_in(centre, file):
    """The originator brings a file; the SFID as it was sent."""
    with centre.sender.call() as me:
        outcome = me.send_file(file)
        assert outcome.taken, outcome
        me.run()
    assert me.responses == [], 'our own EERP is not for files that are only passed on'
    return next(c for way, c in me.trace if way == '>' and c.name == 'SFID')


def files(dest):
    yield 'U', File(os.urandom(50_000), dest=dest, user='USERDATA', desc='Bestellung für März')
    yield 'empty', File(b'', dest=dest)
    yield 'T', File(b'text\r\n' * 5, dest=dest, fmt='T', desc='line\nline\x7f end ')
    yield 'F', File(b'x' * 800, dest=dest, fmt='F', lrecl=80)
    yield 'V', File(records=[b'one', b'', b'three' * 1000], dest=dest, fmt='V', lrecl=6000)
    yield 'secured', File(os.urandom(200_000), dest=dest, fmt='F', lrecl=80, sec=3, ciph=4, comp=1,
                          env=1, sign='Y', osiz=400)


@pytest.mark.parametrize('kind', ['U', 'empty', 'T', 'F', 'V', 'secured'])
def test_a_relayed_file_leaves_as_it_came(plant, bolt, kind):
    """OFTP2-C146: every octet of SFID (no restart position here) and of the file."""
    centre = Centre(plant, [bolt])
    file = dict(files(bolt.code))[kind]
    came = hand_in(centre, file)
    with bolt.accept() as me:
        me.log_on()
        assert me.peer.code == scene.OWN
        sfid = me.expect_file()
        assert sfid.oeb == came.oeb
        got = me.take_file(sfid)
        assert got.data == file.data
        if kind == 'V':
            assert got.records == file.records
        me.run()
    assert centre.original()['state'] == 'processing'
    centre.no_response()


@pytest.mark.parametrize('kind', ['EERP', 'NERP'])
def test_responses_are_passed_back_octet_by_octet(plant, bolt, kind):
    """OFTP2-C147: hash, signature, creator and texts are the recipient's."""
    centre = Centre(plant, [bolt])
    hand_in(centre, File(b'order', dest=bolt.code, user='REF 4711', sign='Y', ciph=4))
    fields = {'hsh': os.urandom(32), 'sig': os.urandom(1500)}
    if kind == 'NERP':
        fields.update(reas=34, reast='Größe stimmt nicht', crea='O0013ANOTHERNODE')
    with bolt.accept() as me:
        me.log_on()
        got = me.receive_file()
        me.run(responses=[(kind, got.sfid, fields)])
    sent = next(c for way, c in me.trace if way == '>' and c.name == kind)
    assert centre.response().oeb == sent.oeb
    d = centre.answered('processed')
    assert 'passed back' in str(d['events'])
    copy, = plant.get(query('/api/v1/documents', partner=centre.recipients[0].name))['documents']
    assert copy['state'] == ('acknowledged' if kind == 'EERP' else 'rejected')
    post(plant, f'/api/v1/documents/{copy["id"]}/retry', status=409)
    centre.no_response()


def test_a_repeated_response_is_passed_back_once(plant, bolt):
    """OFTP2-C147 OFTP2-C113"""
    centre = Centre(plant, [bolt])
    hand_in(centre, File(b'order', dest=bolt.code))
    with bolt.accept() as me:
        me.log_on()
        got = me.receive_file()
        me.run(responses=[('EERP', got.sfid, {}), ('EERP', got.sfid, {}),
                          ('NERP', got.sfid, {})])
    assert centre.response().name == 'EERP'
    centre.no_response()


@pytest.mark.parametrize('command, reason, nerp', [
    ('SFNA', 2, 12), ('SFNA', 6, 16), ('SFNA', 14, 24), ('SFNA', 20, 30), ('SFNA', 99, 99),
    ('EFNA', 1, 11), ('EFNA', 6, 16), ('EFNA', 21, 31), ('EFNA', 22, 33), ('EFNA', 23, 32)])
def test_a_refusal_for_good_by_the_next_hop_is_a_nerp(plant, bolt, command, reason, nerp):
    """OFTP2-C148 OFTP2-C120: created by us, about the final recipient, with the mapped reason."""
    centre = Centre(plant, [bolt])
    came = hand_in(centre, File(b'order', dest=bolt.code))
    with bolt.accept() as me:
        me.log_on()
        sfid = me.expect_file()
        if command == 'SFNA':
            me.refuse_file(reason, 'N', 'not with us')
        else:
            me.take_file(sfid, refuse_end=(reason, 'not with us'))
        me.run()
    r = centre.response()
    assert (r.name, r.reas, r.crea, r.orig, r.dest) == (
        'NERP', nerp, scene.OWN, bolt.code, centre.sender.code)
    assert (r.dsn, r.date, r.time) == ('TEST-FILE', came['date'], came['time'])
    assert 'not with us' in r.reast
    d = centre.answered('failed')
    assert bolt.code in d['reason']
    post(plant, f'/api/v1/documents/{d["id"]}/retry', status=409)
    centre.no_response()


def test_a_refusal_for_now_is_tried_again(plant, bolt):
    """OFTP2-C148: SFNA with Y, and an aborted session, give no NERP."""
    centre = Centre(plant, [bolt])
    hand_in(centre, File(b'order', dest=bolt.code))
    with bolt.accept() as me:
        me.log_on()
        me.expect_file()
        me.refuse_file(12, 'Y')
        me.run()
    centre.no_response()
    with bolt.accept() as me:
        me.log_on()
        me.expect_file()
        me.send_esid(5)
        me.close()
    with bolt.accept() as me:
        me.log_on()
        got = me.receive_file()
        me.run(responses=[('EERP', got.sfid, {})])
    assert centre.response().name == 'EERP'


def test_retries_that_are_used_up_are_a_nerp(plant):
    """OFTP2-C148 with NERP 35: not delivered."""
    with waybill.nobody() as port:
        with oftp.Server('O0013GONE', 'PWB', port=port) as gone:
            pass
        centre = Centre(plant, [gone], settings={'retry': {'first': '50ms', 'max': '50ms',
                                                           'attempts': 2}})
        hand_in(centre, File(b'order', dest=gone.code))
        r = centre.response()
    assert (r.name, r.reas, r.crea) == ('NERP', 35, scene.OWN)


@pytest.mark.parametrize('what, nerp', [('cancel', 50), ('reject', 36)])
def test_an_operator_ends_it(plant, bolt, what, nerp):
    """OFTP2-C148: the copy is cancelled before it is sent; or nobody answers for it."""
    dest = bolt.code if what == 'reject' else bolt.code + 'X'
    centre = Centre(plant, [bolt if what == 'reject' else dest])
    hand_in(centre, File(b'order', dest=dest))
    if what == 'reject':
        with bolt.accept() as me:
            me.log_on()
            me.run(receipt=None)
        d = centre.answered('processing')
        post(plant, f'/api/v1/documents/{d["id"]}/acknowledge', status=409)
        post(plant, f'/api/v1/documents/{d["id"]}/reject?text=nobody+answers')
    else:
        copy = waybill.wait_until(lambda: plant.get(query(
            '/api/v1/documents', partner=centre.recipients[0].name))['documents'], 20, 'a copy')
        centre.answered('processing')
        post(plant, f'/api/v1/documents/{copy[0]["id"]}/cancel')
    assert centre.response().reas == nerp
    centre.answered('failed')


def test_distribution_is_answered_when_all_have_answered(plant, bolt, carol):
    """OFTP2-C149"""
    centre = Centre(plant, [bolt, carol], destination='O0013GROUP')
    hand_in(centre, File(b'prices', dest='O0013GROUP', dsn='PRICES'))
    for server in (bolt, carol):
        centre.no_response()
        with server.accept() as me:
            me.log_on()
            got = me.receive_file()
            assert (got.sfid.dest, got.sfid.orig) == (server.code, centre.sender.code)
            assert got.data == b'prices'
            me.run(responses=[('EERP', got.sfid, {})])
    r = centre.response()
    assert (r.name, r.dsn, r.orig, r.dest) == ('EERP', 'PRICES', 'O0013GROUP', centre.sender.code)
    centre.answered('processed')
    centre.no_response()


def test_distribution_that_fails_for_one_is_a_nerp_when_all_have_answered(plant, bolt, carol):
    """OFTP2-C149 OFTP2-C148"""
    centre = Centre(plant, [bolt, carol], destination='O0013GROUP')
    hand_in(centre, File(b'prices', dest='O0013GROUP'))
    with bolt.accept() as me:
        me.log_on()
        me.expect_file()
        me.refuse_file(17)
        me.run()
    centre.no_response()
    with carol.accept() as me:
        me.log_on()
        got = me.receive_file()
        me.run(responses=[('EERP', got.sfid, {})])
    r = centre.response()
    assert (r.name, r.reas, r.orig, r.crea) == ('NERP', 27, 'O0013GROUP', scene.OWN)
    assert bolt.code in r.reast


@pytest.mark.parametrize('fields, nerp', [({'fsiz': 10_000_000}, 90), ({'fsiz': 9_999_999}, None),
                                          ({'sec': 1, 'ciph': 4, 'env': 1}, 35)])
@pytest.mark.parametrize('level', [1, 4])
def test_what_an_older_hop_cannot_take_is_a_nerp(plant, bolt, fields, nerp, level):
    """OFTP2-C150: too large for its SFIDFSIZ is 90, secured is 35."""
    centre = Centre(plant, [bolt])
    hand_in(centre, File(b'order', dest=bolt.code, **fields))
    with bolt.accept(level=level) as me:
        me.log_on()
        me.run()
    r = centre.response()
    if nerp is None:
        assert r.name == 'EERP' and me.files[0].data == b'order'
    else:
        assert (r.name, r.reas, r.crea, r.orig) == ('NERP', nerp, scene.OWN, bolt.code)
        assert me.files == []


@pytest.mark.parametrize('ours, theirs', [(5, 2), (2, 5), (2, 1), (4, 5)])
def test_stamps_survive_hops_of_other_levels(plant, bolt, ours, theirs):
    """OFTP2-C146 OFTP2-C147: the originator gets its own stamp back."""
    centre = Centre(plant, [bolt])
    with centre.sender.call(level=ours) as me:
        assert me.send_file(File(b'order', dest=bolt.code)).taken
        me.run()
    sent = next(c for way, c in me.trace if way == '>' and c.name == 'SFID')
    with bolt.accept(level=theirs) as me:
        me.log_on()
        got = me.receive_file()
        me.run(responses=[('EERP', got.sfid, {})])
    centre.answered('processed')
    back = centre.response(level=ours)
    assert (back.name, back.date, back.time) == ('EERP', sent['date'], sent['time'])


def test_a_destination_that_is_not_relayed_is_refused(plant, bolt):
    """OFTP2-C55: to know a partner is not to relay for everybody."""
    r = Relation(plant)
    Relation(plant, server=bolt, listen=False)
    with r.call() as me:
        answer = me.offer_file(File(b'x', dest=bolt.code))
        assert (answer.name, answer.reas, answer.rrtr) == ('SFNA', 2, 'N')
    assert 'relay' in r.log('file.refused')[-1]


@pytest.mark.parametrize('relay, text', [
    ([{'partners': ['nobody']}], "the partner 'nobody', which does not exist"),
    ([{'partners': ['ours', 'ours']}], "need 'destination'"),
    ([{'partners': []}], "'partners'"), ([{'destination': 'O0013X'}], "'partners' is missing")])
def test_what_is_to_be_relayed_must_be_said(plant, relay, text):
    """A relay entry without sense is refused when it is applied."""
    answer = apply(plant, scene.identity(), scene.partner('ours', 'O0013OURS'),
                   scene.process('senseless', 'ours', relay=relay), status=422)
    assert text in str(answer['problems'])


def test_nothing_is_lost_by_a_crash(gateway):
    """OFTP2-C147: killed after each word it gave: EFPA to the originator, RTR to the recipient."""
    with oftp.Server('O0013BOLT', 'PWB') as server:
        g = gateway()
        centre = Centre(g, [server])
        with centre.sender.call() as me:
            assert me.send_file(File(b'order' * 1000, dest=server.code)).taken
            g.kill9()
        g.start()
        with server.accept_after_crash() as me:
            sfid = me.expect_file()
            me.take_file(sfid)
            while not me.speaker:
                me.receive_turn()
            me.send_response('EERP', sfid)
            g.kill9()
        g.start()
        assert centre.response().name == 'EERP'
        d = scene.wait_told(g, centre.answered('processed')['id'])
        assert [e['kind'] for e in d['events']].count('receipt sent') == 1


def test_our_own_nerp_is_signed_with_our_key(plant, bolt, tmp_path):
    """OFTP2-C148 OFTP2-C116: the content names us as creator and has the hash of the file."""
    ca = waybill.Authority(tmp_path / 'ca', algorithm='rsa:2048')
    key = ca.issue('centre')
    apply(plant, key.component('centre'), scene.identity(
        'signing', 'O0013CENTRE', acknowledgment_signing_certificate='centre'))
    centre = Centre(plant, [bolt], own='signing', settings={'identity': 'signing'})
    hand_in(centre, File(b'order', dest=bolt.code, sign='Y', ciph=4))
    with bolt.accept() as me:
        me.log_on()
        me.expect_file()
        me.refuse_file(3)
        me.run()
    r = centre.response()
    (tmp_path / 'sig').write_bytes(r.sig)
    content = subprocess.run(['openssl', 'cms', '-verify', '-binary', '-inform', 'DER', '-in',
                              'sig', '-certfile', key.cert, '-CAfile', ca.cert, '-purpose',
                              'any'], cwd=tmp_path, check=True, capture_output=True).stdout
    hashed = subprocess.run(['openssl', 'dgst', '-sha256', '-binary'], input=b'order',
                            check=True, capture_output=True).stdout
    assert r.hsh == hashed and content.endswith(b'O0013CENTRE'.ljust(25) + hashed)
    assert len(content) == 119 + 32


def test_three_gateways_with_everything_secured(tmp_path):
    """OFTP2-C146 OFTP2-C147: the centre has no key of either; the originator verifies the
    recipient's signature."""
    ca = waybill.Authority(tmp_path / 'ca', algorithm='rsa:2048')
    acme, bolt = (ca.issue(n, key_usage='digitalSignature,keyEncipherment')
                  for n in ('acme', 'bolt'))
    with waybill.Gateway(tmp_path / 'bolt', 'bolt') as b, \
            waybill.Gateway(tmp_path / 'hub', 'hub') as hub, \
            waybill.Gateway(tmp_path / 'acme', 'acme') as a:
        retry = {'first': '100ms', 'max': '200ms'}
        reach = lambda g: {'host': '127.0.0.1', 'port': g.port, 'retry': retry}
        inbox = tmp_path / 'inbox'
        inbox.mkdir()
        apply(a, acme.component('acme'), bolt.component('bolt', key=False),
              scene.identity('us', 'O0013ACME', 'PWA', signing_certificate='acme'),
              scene.partner('hub', 'O0013HUB', 'PWH', **reach(hub), identity='us',
                            encryption_certificate='bolt',
                            acknowledgment_verification_certificate='bolt',
                            send={'signed': True, 'encrypted': True, 'compressed': True,
                                  'signed_receipt': True}),
              scene.process('from-hub', 'hub'))
        apply(hub, scene.identity('us', 'O0013HUB', 'PWH'),
              scene.partner('acme', 'O0013ACME', 'PWA', **reach(a)),
              scene.partner('bolt', 'O0013BOLT', 'PWB', **reach(b)),
              scene.process('from-acme', 'acme', relay=[{'partners': ['bolt']}]))
        apply(b, bolt.component('bolt'), acme.component('acme', key=False),
              scene.identity('us', 'O0013BOLT', 'PWB', decryption_certificate='bolt',
                             acknowledgment_signing_certificate='bolt'),
              scene.partner('hub', 'O0013HUB', 'PWH', **reach(hub)),
              scene.process('from-hub', 'hub'),
              scene.process('from-acme', {'odette_id': 'O0013ACME', 'password': 'UNUSED',
                                          'via': ['O0013HUB'],
                                          'signature_verification_certificate': 'acme'},
                            [{'write': {'directory': str(inbox), 'name': '{{document.name}}'}}],
                            require={'signed': True, 'encrypted': True}))
        data = os.urandom(2_000_000)
        status, body = a.request('POST', query('/api/v1/documents', partner='hub', name='ORDERS',
                                               destination='O0013BOLT'), data)
        assert status == 201, body
        number = int(json.loads(body)['id'])
        scene.wait_document(a, number, 'acknowledged', timeout=40)
        # The receipt is for what is received; the process may write it later.
        written, = b.wait_files(inbox)
        assert written.name == 'ORDERS' and written.read_bytes() == data
