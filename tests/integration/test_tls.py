"""TLS: what is shown and asked for, on the endpoint and when we call. Every refusal names the
setting to look at."""

import socket
import ssl

import pytest

import oftp
import scene
import waybill
from oftp import File, Peer, Server, client_tls, server_tls
from scene import Relation, apply, post

pytestmark = pytest.mark.filterwarnings('ignore:ssl.TLSVersion:DeprecationWarning')


class Keys:
    """Certificates of all parties, made once a module."""

    def __init__(self, authority, directory):
        self.authority = authority
        self.other = waybill.Authority(directory / 'other', 'Other CA')
        self.server = authority.issue('gateway', names=['localhost'])
        self.acme = authority.issue('acme', names=[])
        self.rival = authority.issue('rival', names=[])
        self.foreign = self.other.issue('acme', names=[])
        self.expired = authority.expired('acme-expired', names=[])
        self.wrong_use = authority.issue('acme-mail', names=[], usage='emailProtection')
        self.partner_server = authority.issue('partner-server', names=['localhost'],
                                              addresses=['127.0.0.1'])
        self.misnamed = authority.issue('misnamed', names=['oftp.partner.example'], addresses=[])
        self.foreign_server = self.other.issue('partner-server')
        self.expired_server = authority.expired('expired-server')

    def components(self):
        out = [{'certificate': 'ca', 'file': self.authority.cert},
               {'certificate': 'other-ca', 'file': self.other.cert}]
        for name in ('server', 'acme', 'rival', 'foreign', 'partner_server', 'foreign_server'):
            out.append(getattr(self, name).component(name.replace('_', '-')))
        return out


@pytest.fixture(scope='module')
def keys(authority, tmp_path_factory):
    return Keys(authority, tmp_path_factory.mktemp('keys'))


@pytest.fixture(scope='module')
def tls_gateway(keys, tmp_path_factory):
    """One plain endpoint, one with TLS, one that requires a client certificate."""
    tls = {'host': '127.0.0.1', 'session_level_encryption': True,
           'server_ssl_certificate': 'server', 'trusted_certificates': 'ca'}
    with waybill.nobody() as a, waybill.nobody() as b, waybill.Gateway(tmp_path_factory.mktemp('tls') / 'plant-7', components=keys.components(),
                         endpoints=[{'host': '127.0.0.1', 'port': 0}, {**tls, 'port': a},
                                    {**tls, 'port': b, 'require_client_ssl': True}]) as g:
        g.open_port, g.strict_port = a, b
        yield g


@pytest.fixture
def g(tls_gateway):
    start = len(tls_gateway.log())
    yield tls_gateway
    print(tls_gateway.log()[start:][-20000:])


def call(g, relation, context, port=None, **options):
    return Peer.connect('127.0.0.1', port or g.open_port, relation.code, relation.password,
                        tls=context, **options)


def lines_since(g, start, pattern, timeout=10):
    return waybill.wait_until(
        lambda: [x for x in g.log_lines(pattern) if g.log().index(x) >= start], timeout, pattern)


# ---- the endpoint --------------------------------------------------------------------------

@pytest.mark.parametrize('version', [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_over_tls(g, keys, version):
    """OFTP2-C2 OFTP2-C143"""
    r = Relation(g)
    with call(g, r, client_tls(keys.authority.cert, minimum=version, maximum=version)) as me:
        assert me.sock.version() == {'TLSv1_2': 'TLSv1.2', 'TLSv1_3': 'TLSv1.3'}[version.name]
        me.log_on()
        assert me.send_file(File(b'secret' * 50000, dsn='SECRET')).taken
        me.run()
    assert r.delivered()[0].read_bytes() == b'secret' * 50000
    r.log('session.start.*tls=.*TLSv1.' + version.name[-1])


def test_nothing_is_said_before_the_handshake(g):
    """OFTP2-C2"""
    with socket.create_connection(('127.0.0.1', g.open_port), waybill.patient(20)) as s:
        s.settimeout(0.3)
        with pytest.raises(TimeoutError):
            s.recv(1)


def test_a_plain_caller_gets_nothing_in_clear(g, keys):
    """OFTP2-C2: what comes back to a SSID in clear is a TLS alert or nothing; one line in the log."""
    r, start = Relation(g), len(g.log())
    with socket.create_connection(('127.0.0.1', g.open_port), waybill.patient(20)) as s:
        s.sendall(oftp.frame(oftp.encode('SSID', lev=5, code=r.code, pswd=r.password)))
        octets = b''
        try:
            while piece := s.recv(1000):
                octets += piece
        except ConnectionResetError:
            pass
    assert b'ODETTE' not in octets and octets[:1] in (b'', b'\x15')
    assert len(lines_since(g, start, 'connection.failed')) == 1


@pytest.mark.parametrize('version', [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_versions_are_refused(g, version):
    """OFTP2-C143: with every cipher allowed on the caller's side."""
    r, start = Relation(g), len(g.log())
    context = client_tls(minimum=version, maximum=version)
    context.set_ciphers('ALL:@SECLEVEL=0')
    with pytest.raises((ssl.SSLError, OSError)):
        call(g, r, context)
    assert 'TLS' in lines_since(g, start, 'connection.failed')[0]


def test_key_exchange_without_forward_secrecy_is_refused(g):
    """OFTP2-C143"""
    context = client_tls(maximum=ssl.TLSVersion.TLSv1_2)
    context.set_ciphers('AES256-GCM-SHA384:AES128-SHA:@SECLEVEL=0')
    with pytest.raises((ssl.SSLError, OSError)):
        call(g, Relation(g), context)


def test_client_certificate_required_by_the_endpoint(g, keys):
    """OFTP2-C144: none, foreign, expired, for another use; then a good one."""
    r = Relation(g)
    for bad, words in ((None, ('certificate',)), (keys.foreign, ('trusted_certificates', 'issuer')),
                       (keys.expired, ('expired',)), (keys.wrong_use, ('purpose', 'usage'))):
        start = len(g.log())
        context = client_tls(keys.authority.cert, *((bad.cert, bad.key) if bad else ()))
        with pytest.raises((ssl.SSLError, OSError, oftp.Closed)):
            with call(g, r, context, g.strict_port) as me:
                me.log_on()      # with TLS 1.3 the refusal comes after our side of the handshake
        line = lines_since(g, start, 'connection.failed')[0]
        assert any(w in line for w in words), line
    with call(g, r, client_tls(keys.authority.cert, keys.acme.cert, keys.acme.key),
              g.strict_port) as me:
        me.log_on()
        assert me.send_file(File(b'x', dsn='GOOD')).taken
        assert me.run() == 0


def test_client_certificate_of_the_operation(g, keys):
    """OFTP2-C144: the certificate that was agreed with the partner, or no session; on a plain line,
    too. Where none was agreed, any will do."""
    agreed = Relation(g, client_ssl_certificate='acme')
    free = Relation(g)
    for n, (shown, why) in enumerate([(None, 'no TLS client certificate'),
                                      (keys.rival, 'not the one agreed')], 1):
        context = client_tls(keys.authority.cert, *((shown.cert, shown.key) if shown else ()))
        with call(g, agreed, context) as me:
            me.expect('SSRM')
            me.send('SSID', **me.own)
            me.expect_esid(3)
        line = agreed.log('logon.refused', n)[-1]
        assert why in line and 'client_ssl_certificate' in line
        with call(g, free, context) as me:
            me.log_on()
            assert me.run() == 0
    with agreed.peer() as me:
        me.expect('SSRM')
        me.send('SSID', **me.own)
        me.expect_esid(3)
    with call(g, agreed, client_tls(keys.authority.cert, keys.acme.cert, keys.acme.key)) as me:
        me.log_on()
        assert me.send_file(File(b'x', dsn='AGREED')).taken
        assert me.run() == 0
    agreed.delivered()


def test_one_password_two_certificates(g, keys, tmp_path):
    """A certificate does not choose the listener: the rule of code and password stays."""
    one = Relation(g, client_ssl_certificate='acme')
    text = scene.process('twin', {'odette_id': one.code, 'password': one.password,
                                  'client_ssl_certificate': 'rival'})
    apply(g, text)
    state = [e for e in g.get('/api/v1/listeners')['listeners'] if e['name'] == 'twin']
    assert state[0]['state'] == 'errored'
    g.request('DELETE', '/api/v1/components/process/twin')


def test_certificate_changed_without_restart(gateway, keys, tmp_path):
    """The endpoint shows what the component says now; sessions under way are left alone."""
    live = tmp_path / 'live.pem', tmp_path / 'live.key'

    def put(certificate):
        for target, source in zip(live, (certificate.cert, certificate.key)):
            target.write_text(open(source).read())

    put(keys.server)
    g = gateway(tls='live', components=[{'certificate': 'live', 'file': live[0],
                                         'key_file': live[1]}])
    r = Relation(g)
    with call(g, r, client_tls(keys.authority.cert), g.tls_port) as me:
        me.log_on()
        put(keys.foreign_server)
        post(g, '/api/v1/reload')
        with call(g, r, client_tls(keys.other.cert), g.tls_port) as other:
            other.log_on()
        with pytest.raises(ssl.SSLError):
            call(g, r, client_tls(keys.authority.cert), g.tls_port)
        assert me.send_file(File(b'x', dsn='UNDISTURBED')).taken
        assert me.run() == 0
    live[1].write_text('nonsense')
    g.signal(1)
    g.wait_log('runtime.reloaded', 2)
    with pytest.raises((ssl.SSLError, OSError)):
        call(g, r, client_tls(keys.other.cert), g.tls_port)
    g.wait_log('live')
    Relation(g).deliver(b'the plain endpoint still serves')


# ---- when we call --------------------------------------------------------------------------

def partner_of(g, server, **settings):
    return Relation(g, server=server, session_level_encryption=True, **settings)


def goes(g, server, relation):
    """A document reaches the partner; its session."""
    number = relation.send(b'over TLS' * 10000, name='TLS')
    with server.accept() as peer:
        peer.log_on()
        assert peer.run() == 0
        shown = peer.files and peer.files[0].data
    assert shown == b'over TLS' * 10000
    scene.wait_document(g, number, 'acknowledged')


def fails(g, server, relation, *words):
    """The call fails before anything of OFTP was said, and says which setting to look at."""
    number = relation.send(b'x', name='NOT-SENT')
    with pytest.raises((ssl.SSLError, OSError, oftp.Closed, oftp.FormatError)):
        with server.accept() as peer:
            peer.send_oeb(oftp.encode('SSRM'))
            raise AssertionError(f'{peer.receive()} for a partner that must not be trusted')
    line = relation.log('call.failed')[0]
    for word in words:
        assert word in line, line
    post(g, f'/api/v1/documents/{number}/cancel')


def test_we_call_over_tls(g, keys):
    """The partner's server certificate, or its authority, is pinned in the partner component."""
    for n, pinned in enumerate(('partner-server', 'ca')):
        with Server(f'O0013TLS{n}', 'PW', tls=server_tls(keys.partner_server.cert,
                                                         keys.partner_server.key)) as server:
            goes(g, server, partner_of(g, server, server_ssl_certificate=pinned))


@pytest.mark.parametrize('what, words', [
    ('foreign_server', ('server_ssl_certificate',)),
    ('expired_server', ('expired',)),
    ('misnamed', ('verify_host_name',)),
])
def test_servers_we_do_not_trust(g, keys, what, words):
    shown = getattr(keys, what)
    with Server(f'O0013{what[:8].upper().replace("_", "-")}', 'PW',
                tls=server_tls(shown.cert, shown.key)) as server:
        fails(g, server, partner_of(g, server, server_ssl_certificate='ca'), *words)


def test_host_name_not_verified_when_switched_off(g, keys):
    with Server('O0013MISNAMED2', 'PW', tls=server_tls(keys.misnamed.cert,
                                                       keys.misnamed.key)) as server:
        goes(g, server, partner_of(g, server, server_ssl_certificate='ca',
                                   verify_host_name=False))


def test_a_pinned_certificate_of_another(g, keys):
    """Another certificate of the same authority is not the one that was pinned."""
    with Server('O0013PINNED', 'PW', tls=server_tls(keys.server.cert, keys.server.key)) as server:
        fails(g, server, partner_of(g, server, server_ssl_certificate='partner-server'),
              'server_ssl_certificate')


def test_a_partner_without_tls(g, keys):
    """Our code and password are not sent in clear."""
    with Server('O0013PLAIN', 'PW') as server:
        fails(g, server, partner_of(g, server, server_ssl_certificate='ca'), 'TLS')


def test_our_client_certificate(g, keys):
    """Shown when the partner wants it."""
    context = server_tls(keys.partner_server.cert, keys.partner_server.key,
                         ca=keys.authority.cert, require=True)
    with Server('O0013WANTS', 'PW', tls=context) as server:
        r = partner_of(g, server, server_ssl_certificate='ca', client_certificate='rival')
        number = r.send(b'x', name='SHOWN')
        with server.accept() as peer:
            shown = dict(x[0] for x in peer.sock.getpeercert()['subject'])
            peer.log_on()
            peer.run()
        assert shown['commonName'] == 'rival'
        scene.wait_document(g, number, 'acknowledged')


def test_a_client_certificate_that_is_missing(g, keys):
    context = server_tls(keys.partner_server.cert, keys.partner_server.key,
                         ca=keys.authority.cert, require=True)
    with Server('O0013WANTSONE', 'PW', tls=context) as server:
        r = partner_of(g, server, server_ssl_certificate='ca')
        number = r.send(b'x', name='NOT-SENT')
        with pytest.raises((ssl.SSLError, OSError, oftp.Closed)):
            with server.accept() as peer:
                peer.log_on()
        assert 'client_certificate' in r.log('call.failed')[0]
        post(g, f'/api/v1/documents/{number}/cancel')


def test_the_test_command_tells_each_step(g, keys):
    """`waybill test`: connect, TLS, log on; exit status 1 and the reason when one fails."""
    with Server('O0013TESTED', 'PW', tls=server_tls(keys.partner_server.cert,
                                                    keys.partner_server.key)) as server:
        server.start()
        r = partner_of(g, server, server_ssl_certificate='ca')
        answer = g.cli('test', r.name)
        assert answer['ok'] and [s['step'] for s in answer['steps']] == ['connect', 'TLS',
                                                                         'log on']
        assert 'TLSv1.3' in answer['steps'][1]['text']
        assert 'partner-server' in answer['steps'][1]['text']
        assert any('SSID' in line for line in answer['trace'])
        assert 'PW' not in ' '.join(answer['trace']).split()
        apply(g, r.partner_component(server_ssl_certificate='other-ca'))
        answer = g.cli('test', r.name, check=1)
        assert not answer['ok'] and 'server_ssl_certificate' in answer['steps'][-1]['text']
    result = g.cli('test', r.name, check=None, json_output=False)
    assert result.returncode == 1 and 'refused' in result.stdout + result.stderr
