"""The start of a session as a partner that calls sees it: greeting, framing, negotiation."""

import socket

import pytest

import oftp
import waybill
from oftp import File, Peer, encode, frame
from scene import OWN, OWN_PASSWORD, Relation, sessions_gone

PLANT = {'endpoints': [{'host': '127.0.0.1', 'port': 0}, {'host': '::1', 'port': 0}],
         'settings': {'oftp2_server': {'buffer_compression': True}}}


@pytest.fixture(scope='module')
def acme(shared_gateway):
    return Relation(shared_gateway)


def test_greeting_comes_first_and_at_once(plant):
    """OFTP2-C1"""
    with socket.create_connection((plant.host, plant.port), waybill.patient(20)) as s:
        octets = b''
        while len(octets) < 23:
            piece = s.recv(100)
            assert piece, 'closed before the greeting was complete'
            octets += piece
    assert octets == bytes.fromhex('10000017') + b'IODETTE FTP READY \r'


@pytest.mark.parametrize('host', ['127.0.0.1', '::1'])
def test_sessions_over_both_address_families(plant, acme, host):
    """OFTP2-C11"""
    port, = [e['port'] for e in plant.runtime['endpoints'] if e['host'] == host]
    with Peer.connect(host, port, acme.code, acme.password) as me:
        me.log_on()
        assert me.send_file(File(b'by ' + host.encode(), dsn='FAMILY')).taken
        assert me.run() == 0


def test_the_default_endpoint_takes_both_families(gateway):
    """OFTP2-C11: without a host the endpoint is for IPv6 and IPv4."""
    g = gateway(endpoints=[{'port': 0}])
    r = Relation(g)
    for host in '127.0.0.1', '::1':
        with Peer.connect(host, g.port, r.code, r.password) as me:
            me.log_on()
            assert me.send_file(File(host.encode(), dsn='FAMILY')).taken
            me.run()
    assert sorted(p.read_bytes() for p in r.delivered(2)) == [b'127.0.0.1', b'::1']


def test_caller_that_leaves_after_the_greeting(plant, acme):
    """OFTP2-C12: monitors do this all day; no session stays, no line says that anything is wrong."""
    before = plant.log()
    threads, descriptors = plant.threads(), plant.descriptors()
    for _ in range(20):
        with acme.peer() as me:
            me.expect('SSRM')
    sessions_gone(plant)
    waybill.wait_until(lambda: plant.descriptors() <= descriptors and
                       plant.threads() <= threads, 10, 'descriptors and threads to be given back')
    assert not [line for line in plant.log()[len(before):].splitlines()
                if ' warn ' in line or ' error ' in line]


def test_answer_has_the_responders_own_code_and_password(plant, acme):
    """OFTP2-C44"""
    with acme.call() as me:
        assert (me.peer.code, me.peer.pswd) == (OWN, OWN_PASSWORD)


@pytest.mark.parametrize('offered, answered', [(5, 5), (4, 4), (2, 2), (1, 1), (3, 2)])
def test_level_is_answered(plant, acme, offered, answered):
    """OFTP2-C28"""
    with acme.peer() as me:
        me.expect('SSRM')
        me.level = min(answered, 5)
        assert me.send_ssid(check=False, lev=offered).lev == answered


def test_level_from_the_future(plant, acme):
    """OFTP2-C28"""
    with acme.peer() as me:
        me.expect('SSRM')
        me.send_oeb(b'X9' + encode('SSID', lev=5, code=acme.code, pswd=acme.password, cred=10,
                                   sdeb=1000)[2:])
        assert me.expect('SSID').lev == 5


@pytest.mark.parametrize('level', oftp.LEVELS)
def test_file_and_receipt_at_every_level(plant, level):
    """Fields of all commands have the layout of the level; the partner reads strictly."""
    r = Relation(plant)
    data = bytes(range(256)) * 50
    me = r.deliver(File(data, dsn='LEVEL'), level=level)
    assert me.names()[-5:] == ['CD', 'EERP', 'RTR', 'CD', 'ESID']
    assert r.delivered()[0].read_bytes() == data
    d = r.wait_document('processed')
    assert d['properties']['oftp2.level'] == str(level)


def test_partner_held_to_2_0(plant):
    """OFTP2-C30: no SSID is sent to one that offers less."""
    r = Relation(plant, level_min='2.0')
    with r.peer(level=4) as me:
        me.expect('SSRM')
        me.send('SSID', **me.own)
        me.expect_esid(10)
    assert 'SSID' not in me.names('<')
    r.deliver(b'x')


def test_highest_level_of_the_partner_is_kept(plant):
    r = Relation(plant, level_max='1.4')
    with r.call() as me:
        assert me.peer.lev == 4


@pytest.mark.parametrize('sdeb, cred', [(128, 1), (2048, 8), (99999, 999)])
def test_answer_is_never_more_than_the_offer(plant, acme, sdeb, cred):
    """OFTP2-C31 OFTP2-C32"""
    with acme.call(sdeb=sdeb, cred=cred) as me:
        assert (me.peer.sdeb, me.peer.cred) == (sdeb, cred)


def test_answer_is_never_more_than_the_partner_is_configured_for(plant):
    """OFTP2-C31"""
    r = Relation(plant, buffer_size=2048, credit=7)
    with r.call(sdeb=4096, cred=100) as me:
        assert (me.peer.sdeb, me.peer.cred) == (2048, 7)


@pytest.mark.parametrize('field, value', [('sdeb', b'00127'), ('sdeb', b'00000'),
                                          ('cred', b'000')])
def test_offers_that_cannot_be_taken(plant, acme, field, value):
    """OFTP2-C34 OFTP2-C35"""
    with acme.peer() as me:
        me.expect('SSRM')
        me.send('SSID', **{**me.own, field: value})
        me.expect_esid(6, 10)


@pytest.mark.parametrize('ours, answer', [('Y', 'Y'), ('N', 'N')])
def test_compression_and_restart_only_when_both_say_so(plant, acme, ours, answer):
    """OFTP2-C38 OFTP2-C39"""
    with acme.call(cmpr=ours, rest=ours) as me:
        assert (me.peer.cmpr, me.peer.rest) == (answer, answer)


def test_compression_and_restart_switched_off_for_a_partner(plant):
    """OFTP2-C38 OFTP2-C39"""
    r = Relation(plant, buffer_compression=False, restart=False)
    with r.call(cmpr='Y', rest='Y') as me:
        assert (me.peer.cmpr, me.peer.rest) == ('N', 'N')


@pytest.mark.parametrize('mode, answers', [('B', 'B'), ('S', 'RB'), ('R', 'SB')])
def test_modes(plant, acme, mode, answers):
    """OFTP2-C36"""
    with acme.call(sr=mode) as me:
        assert me.peer.sr in answers
        if mode != 'R':
            assert me.send_file(File(mode.encode(), dsn='MODE')).taken
        assert me.run() == 0


def test_a_side_that_only_sends_gets_receipts_but_no_file(plant):
    """OFTP2-C37: with SSIDSR S the partner takes no files; a receipt is none."""
    r = Relation(plant)
    r.send(b'for another session', name='WAITING')
    with r.call(sr='S') as me:
        me.send_file(File(b'x', dsn='MODE'))
        assert me.run() == 0
        assert [c.name for c in me.responses] == ['EERP'] and me.files == []
    with r.call() as me:
        me.run()
        assert [f.data for f in me.files] == [b'for another session']


def test_a_file_from_a_side_that_only_receives(plant, acme):
    """OFTP2-C36"""
    with acme.call(sr='R') as me:
        me.send('SFID', **File(b'x', dest=OWN, orig=acme.code).sfid(5))
        me.expect_esid(2)


def test_special_logic_is_answered_with_no(plant, acme):
    """OFTP2-C40"""
    with acme.peer() as me:
        me.expect('SSRM')
        assert me.send_ssid(spec='Y').spec == 'N'
        assert me.send_file(File(b'x', dsn='SPECIAL')).taken


def test_secure_authentication_wanted_by_the_caller_only(plant, acme):
    """OFTP2-C41"""
    with acme.peer(auth='Y') as me:
        me.expect('SSRM')
        me.send('SSID', **me.own)
        me.expect_esid(12)


def test_secure_authentication_wanted_here_only(gateway):
    """OFTP2-C41 OFTP2-C53: neither a session without it nor a file before it."""
    g = gateway(settings={'oftp2_server': {'require_secure_authentication': True}})
    r = Relation(g)
    with r.peer() as me:
        me.expect('SSRM')
        me.send('SSID', **me.own)
        me.expect_esid(12)
    with r.peer(level=4) as me:
        me.expect('SSRM')
        me.send('SSID', **me.own)
        assert me.expect('ESID').reas == 12
    with r.peer(auth='Y') as me:
        me.expect('SSRM')
        me.send_ssid()
        me.send('SFID', **File(b'x', dest=OWN, orig=r.code).sfid(5))
        me.expect_esid(2)
    assert r.documents() == []


def test_a_second_ssid(plant, acme):
    """OFTP2-C46"""
    with acme.call() as me:
        me.send('SSID', **me.own)
        me.expect_esid(2)
    acme.deliver(File(b'still there', dsn='SSID'))


# ---- framing -------------------------------------------------------------------------------

def test_octet_by_octet(plant):
    """OFTP2-C5"""
    r = Relation(plant)
    with r.peer() as me:
        me.send_bytes = lambda octets: [me.sock.sendall(octets[i:i + 1])
                                        for i in range(len(octets))]
        me.log_on()
        assert me.send_file(File(b'drop by drop', dsn='DROPS')).taken
        assert me.run() == 0
    assert r.delivered()[0].read_bytes() == b'drop by drop'


def test_many_buffers_in_one_segment(plant):
    """OFTP2-C5"""
    r = Relation(plant)
    with r.call() as me:
        me.offer_file(File(b'0123456789', dsn='TEN'))
        octets = b''.join(frame(b'D' + bytes([1 | (i == 9) << 7]) + b'%d' % i)
                          for i in range(10))
        me.send_bytes(octets + frame(encode('EFID', rcnt=0, ucnt=10)))
        assert me.expect('EFPA').cd == 'N'
        assert me.run() == 0
    assert r.delivered()[0].read_bytes() == b'0123456789'


def test_flags_of_the_stream_header_are_not_looked_at(plant, acme):
    """OFTP2-C8"""
    with acme.peer() as me:
        me.expect('SSRM')
        ssid = frame(encode('SSID', **me.own))
        me.send_bytes(b'\x1f' + ssid[1:])
        assert me.expect('SSID').code == OWN


@pytest.mark.parametrize('header', [b'\x20\x00\x00\x41', b'\x00\x00\x00\x41', b'\x10\x00\x00\x04',
                                    b'\x10\x01\x86\xa4', b'\x10\xff\xff\xff'])
def test_a_stream_out_of_step_is_closed(plant, acme, header):
    """OFTP2-C6 OFTP2-C7: wrong version, lengths 4, 100004 and more. Before and within a session."""
    for started in False, True:
        with acme.peer() as me:
            if started:
                me.log_on()
            else:
                me.expect('SSRM')
            me.send_bytes(header + b'A' * 200)
            me.expect_esid(7)
    assert acme.documents(state='received') == []


def test_commands_longer_than_the_agreed_buffer(plant):
    """OFTP2-C9 OFTP2-C16: 999 octets of description at buffer 128, here and back. Cut at a character."""
    r = Relation(plant)
    desc = 'ä' * 499
    r.deliver(File(b'x', dsn='LONG', desc=desc), sdeb=128)
    assert r.wait_document('processed')['properties']['oftp2.sfiddesc'] == desc
    r.send(b'y', name='BACK', description='€' * 400)
    with r.call(sdeb=128) as me:
        me.run()
        assert me.files[0].sfid.desc == '€' * 333     # 3 octets each: 999


def test_carriage_return_with_the_top_bit(plant, acme):
    """OFTP2-C17"""
    with acme.peer() as me:
        assert me.receive_oeb()[-1:] == b'\r'
        me.send_oeb(encode('SSID', **me.own)[:-1] + b'\x8d')
        assert me.receive_oeb()[-1:] == b'\r'


def test_reserved_octets_are_not_looked_at(plant):
    """OFTP2-C23"""
    r = Relation(plant)
    with r.peer() as me:
        me.expect('SSRM')
        me.send_ssid(rsv1=b'\x00~xy')
        f = File(b'x', dsn='RESERVED', rsv1=b'\xff\x00?')
        assert me.send_file(f).taken
        assert me.run() == 0
    assert r.delivered()[0].read_bytes() == b'x'


def test_blanks_inside_identification_codes_count(plant):
    """OFTP2-C27: a sub-address makes another partner."""
    one, two = 'O0013ACME          PLANT1', 'O0013ACME          PLANT2'
    a, b = Relation(plant, code=one), Relation(plant, code=two)
    a.deliver(File(b'from one', dsn='SUB'))
    b.deliver(File(b'from two', dsn='SUB'))
    assert a.delivered()[0].read_bytes() == b'from one'
    assert b.delivered()[0].read_bytes() == b'from two'
    with a.peer() as me:
        me.expect('SSRM')
        me.send('SSID', **{**me.own, 'code': 'O0013ACME PLANT1'})
        me.expect_esid(3)
    d = a.wait_document('processed')
    assert d['from'] == one


def test_octet_by_octet_does_not_hold_up_others(plant, acme):
    """A caller that dawdles in the middle of a buffer costs nobody else anything."""
    with acme.peer() as slow:
        slow.expect('SSRM')
        slow.send_bytes(frame(encode('SSID', **slow.own))[:10])
        Relation(plant).deliver(b'quick')
        slow.send_bytes(frame(encode('SSID', **slow.own))[10:])
        assert slow.expect('SSID').code == OWN
