"""End-to-end responses: ours for files that came, the partner's for files that were sent."""

import pathlib
import re

import pytest

import oftp
import scene
from oftp import File, Server, encode
from scene import OWN, Relation, post


def eerp_for(file, code, level=5):
    """The EERP a file must be answered with, octet for octet."""
    return encode('EERP', level, dsn=file.dsn, date=file.date, time=file.time,
                  user=file.fields.get('user', ''), dest=file.orig or code,
                  orig=file.dest or OWN)


# ---- ours ----------------------------------------------------------------------------------

@pytest.mark.parametrize('level', oftp.LEVELS)
def test_echo(plant, level):
    """OFTP2-C110: name, stamp and user octet for octet, the ends swapped, at every level. The stamp
    is opaque: a date that does not exist and counter 0000 come back as they were."""
    r = Relation(plant)
    short = level <= 2
    files = [File(b'x', dsn='LOWER_and blank', user='abc ~'),
             File(b'x', dsn='NO-SUCH-DAY', date='990231' if short else '19990231',
                  time='256199' if short else '2561990000')]
    with r.call(level=level) as me:
        for f in files:
            assert me.send_file(f).taken
        me.change_direction()
        got = []
        for _ in files:
            got.append(me.receive_oeb())
            me.send('RTR')
        assert me.receive_oeb() == b'R'
        me.send_esid()
    assert sorted(got) == sorted(eerp_for(f, r.code, level) for f in files)


def test_in_the_same_session_and_nothing_before_rtr(plant):
    """OFTP2-C111 OFTP2-C112 OFTP2-C92: after the receipts the turn ends with CD."""
    r = Relation(plant)
    r.send(b'a file of ours', name='OURS')
    with r.call() as me:
        me.send_file(File(b'x', dsn='A'))
        me.send_file(File(b'y', dsn='B'))
        me.change_direction()
        for _ in range(2):
            assert me.expect('EERP')
            me.silent(0.05)
            me.send('RTR')
        me.take_file(me.expect_file())
        me.receive_turn()
        me.end()
    assert me.names('<').count('EERP') == 2


def test_later_by_calling_back(plant):
    """OFTP2-C111: the partner leaves before its receipt is ready; it is called."""
    with Server('O0013CALLBACK', 'PW') as server:
        r = Relation(plant, server=server)
        f = File(b'x', dsn='GONE')
        with r.peer() as me:
            me.log_on()
            assert me.send_file(f).taken
            me.send_esid()
        with server.accept() as peer:
            peer.log_on()
            assert peer.receive_oeb() == eerp_for(f, r.code)
            peer.send('RTR')
            peer.run()
    d = scene.wait_told(plant, r.wait_document('processed')['id'])
    assert [(x['kind'], x['state']) for x in d['receipts']] == [('EERP', 'sent')]


def test_later_when_the_partner_calls_again(plant):
    """OFTP2-C111: one that cannot be called, or shall not be called for a receipt alone."""
    with Server('O0013DONTCALL', 'PW') as server:
        for r in Relation(plant), Relation(plant, server=server, call_for_receipts='no'):
            f = File(b'x', dsn='GONE')
            with r.call() as me:
                assert me.send_file(f).taken
                me.send_esid()
            r.wait_document('processed')
            with pytest.raises(oftp.Silent):
                server.accept(timeout=0.4)
            with r.call() as me:
                me.run()
                assert [x.dsn for x in me.responses] == ['GONE']


def test_kept_over_a_restart_of_the_runtime(gateway):
    """OFTP2-C111"""
    g = gateway()
    r = Relation(g)
    f = File(b'x', dsn='KEPT')
    with r.call() as me:
        assert me.send_file(f).taken
        me.send_esid()
    r.wait_document('processed')
    g.restart()
    with r.call() as me:
        me.run()
        assert [x.oeb for x in me.responses] == [eerp_for(f, r.code)]


def test_lost_rtr(plant):
    """OFTP2-C113: the response comes again, with the same octets, until it is acknowledged."""
    r = Relation(plant)
    f = File(b'x', dsn='NO-RTR')
    for attempt in range(3):
        with r.call() as me:
            if attempt == 0:
                assert me.send_file(f).taken
            me.change_direction()
            assert me.receive_oeb() == eerp_for(f, r.code)
            me.reset()
        scene.sessions_gone(plant)
    with r.call() as me:
        assert me.run() == 0
        assert len(me.responses) == 1
    with r.call() as me:
        assert me.run() == 0
        assert me.responses == []
    d = scene.wait_told(plant, r.wait_document('processed')['id'])
    assert [x['state'] for x in d['receipts']] == ['sent']


def test_processed_is_acknowledged_when_it_is(plant):
    """acknowledge: processed. The receipt waits for the process."""
    r = Relation(plant, operation={'acknowledge': 'processed'})
    with r.call() as me:
        assert me.send_file(File(b'x', dsn='FINE')).taken
        assert me.run() == 0
    assert [x.name for x in me.responses] == ['EERP']
    kinds = scene.events(scene.wait_told(plant, r.wait_document('processed')['id']))
    assert kinds.index('processed') < kinds.index('receipt sent')


def test_processed_is_rejected_when_the_process_fails(plant):
    """OFTP2-C24: NERP 34 by us, with a text; a retry that works makes no second receipt."""
    r = Relation(plant, operation={'acknowledge': 'processed'}, steps=[
        {'write': {'directory': pathlib.Path(plant.directory) / 'comes-later'}}])
    f = File(b'x', dsn='FAILS')
    with r.call() as me:
        assert me.send_file(f).taken
        assert me.run() == 0
    nerp, = me.responses
    assert (nerp.name, nerp.dsn, nerp.date, nerp.time) == ('NERP', f.dsn, f.date, f.time)
    assert (nerp.dest, nerp.orig, nerp.crea, nerp.reas) == (r.code, OWN, OWN, 34)
    assert nerp.reast and 'comes-later' not in nerp.reast
    d = r.wait_document('failed')
    assert 'comes-later' in d['reason']
    (pathlib.Path(plant.directory) / 'comes-later').mkdir()
    post(plant, f'/api/v1/documents/{d["id"]}/retry')
    d = r.wait_document('processed')
    assert [x['kind'] for x in d['receipts']] == ['NERP']
    with r.call() as me:
        assert me.run() == 0
        assert me.responses == []


def test_no_nerp_at_low_levels(plant):
    """OFTP2-C122: the partner would not understand it; the timeline says so."""
    r = Relation(plant, operation={'acknowledge': 'processed'},
                 steps=[{'exec': {'command': ['/bin/false']}}])
    with r.call(level=2) as me:
        assert me.send_file(File(b'x')).taken
        assert me.run() == 0
    assert me.responses == []
    assert 'no receipt' in scene.events(r.wait_document('failed'))


def test_nerp_at_level_4(plant):
    """OFTP2-C24: 128 octets, without text."""
    r = Relation(plant, operation={'acknowledge': 'processed'},
                 steps=[{'exec': {'command': ['/bin/false']}}])
    with r.call(level=4) as me:
        me.send_file(File(b'x'))
        me.change_direction()
        assert len(me.receive_oeb()) == 128
        me.gave_turn = False
        me.send('RTR')
        assert me.run() == 0


@pytest.mark.parametrize('release', ['acknowledge', 'reject'])
@pytest.mark.parametrize('face', ['api', 'command'])
def test_an_operator_releases_the_receipt(plant, release, face):
    """acknowledge: manual"""
    r = Relation(plant, operation={'acknowledge': 'manual'})
    with r.call() as me:
        assert me.send_file(File(b'x', dsn='WAITS')).taken
        assert me.run() == 0
        assert me.responses == []
    d = r.wait_document('processed')
    assert d['receipts'] == []
    text = 'order number missing' if release == 'reject' else None
    if face == 'api':
        post(plant, scene.query(f'/api/v1/documents/{d["id"]}/{release}', text=text))
        post(plant, f'/api/v1/documents/{d["id"]}/{release}', status=409)
    else:
        plant.cli(release, str(d['id']), *(['--text', text] if text else []))
        plant.cli(release, str(d['id']), check=1)
    with r.call() as me:
        assert me.run() == 0
        response, = me.responses
    if release == 'reject':
        assert (response.name, response.reas, response.reast) == ('NERP', 34, text)
    else:
        assert response.name == 'EERP'


@pytest.mark.parametrize('since', ['none', 'received', 'processed'])
def test_a_receipt_that_waits_for_an_operator_is_released_whatever_the_process_says_since(
        plant, since):
    gate = scene.Gate(plant.directory)
    r = Relation(plant, operation={'acknowledge': 'manual'}, steps=[gate.step])
    r.deliver(File(b'x', dsn='ONE'), File(b'x', dsn='TWO'))
    r.operation = {'acknowledge': since}
    scene.apply(plant, r.process_component(steps=[gate.step]))
    gate.open()
    r.wait_document('processed', count=2)
    one, two = sorted(d['id'] for d in r.documents())
    assert scene.document(plant, one)['receipts'] == []     # not by itself, either
    assert scene.document(plant, one)['properties']['acknowledge'] == 'manual'
    post(plant, f'/api/v1/documents/{one}/acknowledge')
    post(plant, f'/api/v1/documents/{two}/reject')
    post(plant, f'/api/v1/documents/{one}/reject', status=409)
    with r.call() as me:
        assert me.run() == 0
    assert [(x.name, x.dsn) for x in me.responses] == [('EERP', 'ONE'), ('NERP', 'TWO')]


def test_what_waits_to_be_released_is_listed_and_counted(gateway):
    g = gateway()
    other, r = Relation(g), Relation(g, operation={'acknowledge': 'manual'})
    other.deliver(b'is answered by itself')
    r.deliver(File(b'x', dsn='ONE'), File(b'x', dsn='TWO'), File(b'x', dsn='THREE'))
    r.wait_document('processed', count=3)

    def waiting(**more):
        return [d['name'] for d in g.get(scene.query('/api/v1/documents', held='true', **more))['documents']]

    def counts():
        metrics = g.request('GET', '/metrics')[1].decode()
        return (g.get('/api/v1/overview')['documents_held'],
                int(re.search(r'^waybill_documents_held (\d+)$', metrics, re.M)[1]))
    assert sorted(waiting()) == ['ONE', 'THREE', 'TWO'] and waiting(partner=other.name) == []
    assert len(waiting(limit=2)) == 2 and counts() == (3, 3)
    ids = {d['name']: d['id'] for d in r.documents()}
    assert g.cli('acknowledge', str(ids['ONE'])) and g.cli('reject', str(ids['TWO']))
    assert waiting() == ['THREE'] and counts() == (1, 1)
    answered, left = (scene.document(g, ids[n]) for n in ('ONE', 'THREE'))
    assert (answered['held'], left['held']) == (False, True)
    listed = g.cli('documents', '--held', json_output=False)
    assert 'THREE' in listed and 'its receipt waits to be released' in listed and 'ONE' not in listed
    shown = g.cli('show', str(ids['THREE']), json_output=False)
    assert f'waits for `waybill acknowledge {ids["THREE"]}`' in shown
    assert g.request('GET', '/api/v1/documents?held=no')[0] == 400
    g.restart()
    assert waiting() == ['THREE'] and counts() == (1, 1)


def test_a_receipt_that_waits_needs_its_process(plant):
    r = Relation(plant, operation={'acknowledge': 'manual'})
    r.deliver(b'x')
    d = r.wait_document('processed')
    plant.cli('delete', 'process', r.listener)
    answer = post(plant, f'/api/v1/documents/{d["id"]}/acknowledge', status=409)
    assert 'no longer deployed' in answer['error'], answer
    scene.apply(plant, r.process_component(acknowledge='none'))
    post(plant, f'/api/v1/documents/{d["id"]}/acknowledge')


def test_what_was_answered_is_not_answered_again_when_its_process_is_manual_since(plant):
    r = Relation(plant)
    r.deliver(b'x')
    d = r.wait_document('processed')
    scene.apply(plant, r.process_component(acknowledge='manual'))
    answer = post(plant, f'/api/v1/documents/{d["id"]}/reject', status=409)
    assert 'answered before' in answer['error'], answer


def test_only_manual_receipts_are_released(plant):
    r = Relation(plant)
    r.deliver(b'x')
    d = r.wait_document('processed')
    post(plant, f'/api/v1/documents/{d["id"]}/acknowledge', status=409)
    post(plant, '/api/v1/documents/999999/acknowledge', status=404)


def test_none_at_all(plant):
    r = Relation(plant, operation={'acknowledge': 'none'})
    with r.call() as me:
        assert me.send_file(File(b'x')).taken
        assert me.run() == 0
        assert me.responses == []
    assert r.wait_document('processed')['receipts'] == []


# ---- the partner's -------------------------------------------------------------------------

def sent(relation, **parameters):
    """A document of ours that the partner took; its number and SFID."""
    number = relation.send(b'ours', **{'name': 'OURS', **parameters})
    with relation.call() as me:
        assert me.run(receipt=None) == 0
    return scene.wait_document(relation.gateway, number, 'sent'), me.files[0].sfid


def test_eerp_for_ours(plant):
    """OFTP2-C121: a file is sent until its EERP."""
    r = Relation(plant)
    d, sfid = sent(r)
    with r.call() as me:
        me.send_eerp(sfid)
        assert me.run() == 0
    d = scene.document(plant, d['id'])
    assert d['state'] == 'acknowledged'
    assert [(x['kind'], x['direction'], x['state']) for x in d['receipts']] == [
        ('EERP', 'in', 'received')]
    assert bytes.fromhex(d['receipts'][0]['octets'])[:1] == b'E'


def test_nerp_for_ours(plant):
    """OFTP2-C121 OFTP2-C120: reason, creator and text are kept; a retry sends under a new stamp."""
    r = Relation(plant)
    d, sfid = sent(r)
    with r.call() as me:
        me.send_nerp(sfid, reas=33, reast='cannot be decrypted', crea='O0013THEIRHUB')
        assert me.run() == 0
    d = scene.document(plant, d['id'])
    assert d['state'] == 'rejected'
    for text in '33', 'cannot be decrypted', 'O0013THEIRHUB', 'decryption':
        assert text in d['reason']
    receipt, = d['receipts']
    assert (receipt['kind'], receipt['reason'], receipt['creator']) == ('NERP', 33,
                                                                       'O0013THEIRHUB')
    post(plant, f'/api/v1/documents/{d["id"]}/retry')
    with r.call() as me:
        me.run()
        again = me.files[0].sfid
    assert (again.date, again.time) != (sfid.date, sfid.time)
    assert scene.wait_document(plant, d['id'], 'acknowledged')


@pytest.mark.parametrize('reason', [0, 11, 36, 77])
def test_any_nerp_reason_is_a_rejection(plant, reason):
    """oftp2.md 15: some partners use other lists."""
    r = Relation(plant)
    d, sfid = sent(r)
    with r.call() as me:
        me.send_nerp(sfid, reas=reason)
        assert me.run() == 0
    assert scene.document(plant, d['id'])['state'] == 'rejected'


def test_a_response_again(plant):
    """OFTP2-C113: twice does no harm; nor does a NERP after the EERP."""
    r = Relation(plant)
    d, sfid = sent(r)
    with r.call() as me:
        me.send_eerp(sfid)
        me.send_eerp(sfid)
        me.send_nerp(sfid)
        assert me.run() == 0
    d = scene.document(plant, d['id'])
    assert d['state'] == 'acknowledged'
    assert scene.events(d).count('receipt again') == 2


def test_response_for_an_unknown_file(plant):
    """OFTP2-C114"""
    r = Relation(plant)
    with r.call() as me:
        for name in 'EERP', 'NERP':
            me.send_response(name, oftp.Command('SFID', {
                'dsn': 'NEVER-SENT', 'date': '20260101', 'time': '0000000001', 'user': '',
                'orig': OWN, 'dest': r.code}, b''))
        assert me.run() == 0
    unmatched = [x for x in plant.get('/api/v1/receipts?state=unmatched')['receipts']]
    assert {x['kind'] for x in unmatched} == {'EERP', 'NERP'}
    assert all(x['document'] is None for x in unmatched)
    r.log('receipt.received.*NEVER-SENT.*matched=no')


def test_response_of_another_destination_settles_nothing(plant):
    """The file of one partner cannot be acknowledged by another in its own name."""
    a, b = Relation(plant), Relation(plant)
    d, sfid = sent(a)
    with b.call() as me:
        me.send_eerp(sfid, orig=b.code)
        assert me.run() == 0
    assert scene.document(plant, d['id'])['state'] == 'sent'


@pytest.mark.parametrize('kind', ['EERP', 'NERP'])
def test_response_for_another_file_settles_nothing(plant, kind):
    """OFTP2-C114: name, date and time must be those of the file, and there is one that waits."""
    r = Relation(plant)
    d, sfid = sent(r)
    wrong = {'dsn': 'OUR', 'date': '20251231', 'time': sfid.time[:-1] + ('1' if sfid.time[-1] == '0'
                                                                       else '0')}
    for field, value in wrong.items():
        with r.call() as me:
            me.send_response(kind, oftp.Command('SFID', {**sfid, field: value}, b''))
            assert me.run() == 0
    now = scene.document(plant, d['id'])
    assert now['state'] == 'sent' and now['receipts'] == []
    with r.call() as me:
        me.send_eerp(sfid)
        assert me.run() == 0
    assert scene.document(plant, d['id'])['state'] == 'acknowledged'


def test_short_eerp_at_level_5(plant):
    """OFTP2-C25: it ends after the originator."""
    r = Relation(plant)
    d, sfid = sent(r)
    with r.call() as me:
        full = encode('EERP', dsn=sfid.dsn, date=sfid.date, time=sfid.time, dest=sfid.orig,
                      orig=sfid.dest)
        me.send_oeb(full[:106])
        me.expect('RTR')
        assert me.run() == 0
    assert scene.document(plant, d['id'])['state'] == 'acknowledged'


@pytest.mark.parametrize('level', [1, 2, 4])
def test_response_at_lower_levels(plant, level):
    """OFTP2-C122: the short stamp that went out is the one that is matched."""
    r = Relation(plant)
    number = r.send(b'ours', name='SHORT')
    with r.call(level=level) as me:
        me.run(receipt=None)
        sfid = me.files[0].sfid
        assert len(sfid.date) == (6 if level <= 2 else 8)
    with r.call(level=level) as me:
        me.send_eerp(sfid)
        assert me.run() == 0
    assert scene.document(plant, number)['state'] == 'acknowledged'


def test_many_files_in_one_second_at_level_2(plant):
    """OFTP2-C122: short stamps know no counter; each file must still have one of its own, or its
    receipt could settle another."""
    r = Relation(plant)
    numbers = [r.send(b'%d' % i, name='SAME') for i in range(4)]
    with r.call(level=2) as me:
        me.run(receipt=None)
    stamps = {(f.sfid.dsn, f.sfid.date, f.sfid.time) for f in me.files}
    assert len(me.files) == 4 and len(stamps) == 4
    assert all(scene.document(plant, n)['state'] == 'sent' for n in numbers)


def test_overdue(gateway):
    """A file without receipt becomes overdue, and is settled by a late one all the same."""
    g = gateway()
    r = Relation(g, receipt_timeout='300ms')
    g.restart()    # short timeouts are looked at more often from the start on
    number = r.send(b'ours', name='LATE')
    with r.call() as me:
        me.run(receipt=None)
        sfid = me.files[0].sfid
    d = scene.wait_document(g, number, 'overdue')
    assert 'receipt' in ' '.join(scene.events(d)) or d['reason']
    assert 'receipt_timeout' in r.log('receipt.overdue')[0]
    with r.call() as me:
        me.send_eerp(sfid)
        assert me.run() == 0
    assert scene.document(g, number)['state'] == 'acknowledged'


def test_response_before_the_end_of_the_session_is_kept(plant):
    """RTR only after the response is stored: what was acknowledged is there after a power cut."""
    r = Relation(plant)
    d, sfid = sent(r)
    with r.call() as me:
        me.send_eerp(sfid)
        assert scene.document(plant, d['id'])['state'] == 'acknowledged'
        me.reset()


def test_metrics_count_receipts(plant):
    text = plant.request('GET', '/metrics')[1].decode()
    assert int(re.search(r'^waybill_receipts_sent_total (\d+)', text, re.M).group(1)) > 0
