"""Turns, wrong commands and ends of sessions, as the partner that calls sees them."""

import pytest

import oftp
import waybill
import scene
from oftp import File, encode
from scene import OWN, Relation, sessions_gone


@pytest.fixture(scope='module')
def acme(shared_gateway):
    return Relation(shared_gateway)


def sfid(relation, **over):
    return encode('SFID', **File(b'x' * 100, dest=OWN, orig=relation.code, **over).sfid(5))


def test_nothing_on_either_side(plant):
    """OFTP2-C90: CD, ESID(00), and the connection is closed by who got it."""
    r = Relation(plant)
    with r.call() as me:
        me.change_direction()
        esid = me.expect('ESID')
        assert (esid.reas, esid.reast) == (0, '')
        me.silent(0.1)
    sessions_gone(plant)
    line = r.log('session.end')[-1]
    assert ' info ' in line and 'reason' not in line


def test_turn_given_back_at_once(plant):
    """OFTP2-C91: CD answered by CD would go on for ever."""
    r = Relation(plant)
    r.send(b'ours', name='OURS')
    with r.call() as me:
        me.change_direction()
        me.take_file(me.expect_file())
        me.receive_turn()
        me.send('CD')
        me.expect('ESID')     # it had just given the turn, and the partner gives it back
    with r.call() as me:
        me.send('CD')
        assert me.expect('EERP', 'ESID').name in ('EERP', 'ESID')


def test_turn_in_the_middle_of_a_file(plant, acme):
    """OFTP2-C97"""
    with acme.call() as me:
        me.send_oeb(sfid(acme))
        me.expect('SFPA')
        me.send('CD')
        me.expect_esid(2)


@pytest.mark.parametrize('oeb', [
    encode('SFPA'), encode('SFNA', reas=1), encode('CDT'), encode('EFID', ucnt=0),
    encode('EFPA'), encode('EFNA', reas=1), encode('RTR'), encode('SSRM'), encode('SECD'),
    encode('AUCH', chal=b'x' * 20), encode('AURP', rsp=b'x' * 20), b'D\x81x'],
    ids=lambda o: oftp.NAME[o[0]])
def test_commands_out_of_place(plant, acme, oeb):
    """OFTP2-C97: to a listener between files, and to one in a file."""
    for in_file in False, True:
        if in_file and oeb[:1] in b'DT':
            continue
        with acme.call() as me:
            if in_file:
                me.send_oeb(sfid(acme))
                me.expect('SFPA')
            me.send_oeb(oeb)
            me.expect_esid(2)


@pytest.mark.parametrize('oeb', [sfid, lambda r: b'D\x81x', lambda r: encode('EFID', ucnt=1),
                                 lambda r: encode('CD'), lambda r: encode('SFPA')],
                         ids=['SFID', 'DATA', 'EFID', 'CD', 'SFPA'])
def test_commands_to_the_speaker(plant, oeb):
    """OFTP2-C97: instead of RTR."""
    r = Relation(plant)
    with r.call() as me:
        me.send_file(File(b'x'))
        me.change_direction()
        me.expect('EERP')
        me.send_oeb(oeb(r))
        me.expect_esid(2)

    def again():  # the session before may not have let go of the receipt yet
        with r.call() as me:
            me.run()
            return me.responses
    assert len(waybill.wait_until(again, 20, 'the receipt again')) == 1


def test_commands_before_the_log_on(plant, acme):
    for oeb in sfid(acme), encode('CD'), encode('SSRM'), b'D\x81x':
        with acme.peer() as me:
            me.expect('SSRM')
            me.send_oeb(oeb)
            me.expect_esid(2)


def test_unknown_command(plant, acme):
    """OFTP2-C19"""
    for level in 5, 4:
        with acme.call(level=level) as me:
            me.send_bytes(oftp.frame(b'?what'))
            me.expect_esid(1)


def test_command_that_the_level_does_not_have(plant, acme):
    """OFTP2-C122: NERP is unknown up to level 2."""
    nerp = {'dsn': 'A', 'date': '20260101', 'time': '0000000001', 'dest': acme.code, 'orig': OWN,
            'crea': OWN, 'reas': 34}
    with acme.call(level=2) as me:
        me.send_oeb(encode('NERP', 4, **nerp))
        me.expect_esid(1)
    with acme.call(level=4) as me:
        me.send('NERP', **nerp)
        me.expect('RTR')
        assert me.run() == 0


@pytest.mark.parametrize('cut', [10, 60, 140])
def test_truncated_command(plant, acme, cut):
    """OFTP2-C20"""
    with acme.call() as me:
        me.send_bytes(oftp.frame(sfid(acme)[:cut]))
        me.expect_esid(7)


@pytest.mark.parametrize('over', [{'fsiz': b'00000000000XY'}, {'rest': b' ' * 16 + b'1'},
                                  {'fmt': b'Z'}, {'env': b'7'}, {'sec': b'09'}, {'sign': b'?'}])
def test_invalid_fields(plant, acme, over):
    """OFTP2-C21 OFTP2-C22"""
    fields = File(b'x', dest=OWN, orig=acme.code).sfid(5)
    with acme.call() as me:
        me.send('SFID', **{**fields, **over})
        me.expect_esid(6)


@pytest.mark.parametrize('data', [b'D\x05abc', b'D\x3f' + b'x' * 62, b'D\x41', b'D\xc0x'])
def test_malformed_subrecords(plant, acme, data):
    """OFTP2-C79"""
    with acme.call() as me:
        me.send_oeb(sfid(acme))
        me.expect('SFPA')
        me.send_oeb(data)
        me.expect_esid(6)


def test_turn_asked_for_when_a_receipt_waits(plant):
    """OFTP2-C87 OFTP2-C93: whoever asks for the turn may give it straight back."""
    r = Relation(plant)
    with r.call() as me:
        me.send_file(File(b'first', dsn='FIRST'))
        me.send_esid()
    r.wait_document('processed')
    with r.call() as me:
        outcome = me.send_file(File(b'second', dsn='SECOND'))
        if outcome.end.cd == 'Y':
            assert not me.speaker
        assert me.run() == 0
        assert {x.dsn for x in me.responses} == {'FIRST', 'SECOND'}


def test_end_of_the_session_while_it_is_their_turn(plant, acme):
    """OFTP2-C94: what mere connection tests do."""
    sessions_gone(plant)
    before = len(plant.log_lines('session.end'))
    with acme.call() as me:
        me.send_esid()
        me.expect_closed()
    lines = plant.wait_log('session.end', before + 1)
    assert ' info ' in lines[-1] and len(lines) == before + 1


@pytest.mark.parametrize('reason', [1, 2, 5, 8, 99, 77])
def test_partner_that_gives_up(plant, reason):
    """OFTP2-C98: code and text are in the log, and what came of the file is kept."""
    r = Relation(plant)
    data = b'0123456789' * 30000
    f = File(data, dsn='KEPT')
    with r.call() as me:
        me.send_file(f, stop_after=200_000)
        me.send_esid(reason, 'elevator music')
        me.expect_closed()
    line = r.log('session.end')[-1]
    assert 'elevator music' in line and f'ESID {reason:02d}' in line and ' warn ' in line
    scene.partial(r, 150_000)
    with r.call() as me:
        outcome = me.send_file(f, rest=293)
        assert outcome.answer.acnt > 100 and outcome.taken
        assert me.run() == 0


def test_text_of_our_esid(plant, acme):
    """OFTP2-C15 OFTP2-C14: the carriage return follows the text; the strict reader reads it."""
    with acme.call() as me:
        me.send('CDT')
        oeb = me.receive_oeb()
    assert oeb[:3] == b'F02' and oeb[-1:] == b'\r' and int(oeb[3:6]) == len(oeb) - 7 > 0
    with acme.call(level=4) as me:
        me.send('CDT')
        assert me.receive_oeb() == b'F02\r'
