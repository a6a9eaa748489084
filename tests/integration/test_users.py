"""Users, tokens, sessions of the console, roles, the audit log."""

import base64
import http.client
import json
import re
import ssl
import time

import pytest

import openapi
import waybill
from scene import Relation, query

PASSWORD = 'correct horse battery'


def command(plant, *args, **options):
    """What `waybill ARGS` gave: .stdout, .stderr."""
    return waybill.run('--socket', plant.socket, *args, **options)


def tcp(plant, method, path, body=None, **headers):
    """(status, headers, JSON or octets) of a request to the TCP port without any credentials of
    its own; header names with _ for -."""
    c = http.client.HTTPConnection(*plant.admin, timeout=waybill.patient(30)) if not hasattr(plant, 'ca') else \
        http.client.HTTPSConnection(*plant.admin, timeout=waybill.patient(30),
                                    context=ssl.create_default_context(cafile=plant.ca))
    try:
        data = None if body is None else json.dumps(body)
        c.request(method, path, data, {k.replace('_', '-'): v for k, v in headers.items()})
        r = c.getresponse()
        octets = r.read()
        try:
            value = json.loads(octets)
            openapi.check(method, path, r.status, octets)
            return r.status, r.headers, value
        except json.JSONDecodeError:
            return r.status, r.headers, octets
    finally:
        c.close()


def basic(name, password=PASSWORD):
    return {'Authorization': 'Basic ' + base64.b64encode(f'{name}:{password}'.encode()).decode()}


def add_user(plant, name, role, password=PASSWORD):
    command(plant, 'users', 'add', name, '--role', role, '--password-stdin', stdin=password + '\n')


def log_on(plant, name, password=PASSWORD):
    """Headers of a session: the cookie and the CSRF token."""
    status, headers, body = tcp(plant, 'POST', '/api/v1/session',
                                {'name': name, 'password': password},
                                Content_Type='application/json')
    assert status == 200, body
    cookie = headers['Set-Cookie'].split(';')[0]
    return {'Cookie': cookie}, {'X-CSRF-Token': body['csrf']}


def test_nobody_may_log_on_before_the_first_user_is_made(gateway):
    g = gateway()
    for path in '/healthz', '/readyz':
        assert tcp(g, 'GET', path)[0] == 200
    for path in '/api/v1/runtime', '/metrics', '/', '/api/v1/session':
        status, headers, body = tcp(g, 'GET', path)
        if path == '/' and status == 308:
            continue        # to the console, where it is built in
        assert status == 401 and 'waybill users add NAME --role admin' in body['error']
        assert headers['WWW-Authenticate'] == 'Bearer'
    status, _, body = tcp(g, 'GET', '/api/v1/users', **basic('zoe'))
    assert status == 401
    add_user(g, 'zoe', 'admin')
    assert tcp(g, 'GET', '/api/v1/users', **basic('zoe'))[0] == 200
    assert 'users add' not in tcp(g, 'GET', '/api/v1/runtime')[2]['error']
    g.restart()
    assert tcp(g, 'GET', '/api/v1/users', **basic('zoe'))[2]['users'][0]['name'] == 'zoe'
    assert PASSWORD not in g.log()
    database = b''.join(p.read_bytes() for p in g.data.glob('waybill.db*'))
    assert PASSWORD.encode() not in database and b'scrypt$16384$8$5$' in database


def test_commands_of_users(plant):
    add_user(plant, 'ann', 'viewer')
    r = command(plant, 'users', 'add', 'ann', '--role', 'admin', '--password-stdin', check=1,
                      stdin=PASSWORD)
    assert 'already' in r.stderr
    assert 'ann   viewer' in command(plant, 'users').stdout
    command(plant, 'users', 'role', 'ann', 'operator')
    assert [u['role'] for u in json.loads(command(plant, 'users', '--json').stdout)['users']
            if u['name'] == 'ann'] == ['operator']
    command(plant, 'users', 'password', 'ann', '--password-stdin', stdin='another password\n')
    assert tcp(plant, 'GET', '/api/v1/runtime', **basic('ann', 'another password'))[0] == 200
    command(plant, 'users', 'delete', 'ann')
    for args in (['delete', 'ann'], ['role', 'ann', 'admin']):
        assert "no user 'ann'" in command(plant, 'users', *args, check=1).stderr
    for args in (['add'], ['add', 'x'], ['fly'], ['add', 'x', '--role', 'admin']):
        command(plant, 'users', *args, check=2)
    for name, role, password in (('a b', 'admin', PASSWORD), ('x' * 65, 'admin', PASSWORD),
                                 ('x', 'king', PASSWORD), ('x', 'admin', 'short'),
                                 ('x', 'admin', 'x' * 257)):
        assert command(plant, 'users', 'add', name, '--role', role, '--password-stdin', check=1,
                             stdin=password).stderr


def test_failed_log_ons_are_late_alike_and_logged(plant):
    add_user(plant, 'bob', 'viewer')
    assert tcp(plant, 'GET', '/api/v1/runtime', **basic('bob'))[0] == 200  # forgives
    seen = []
    for name in 'bob', 'nobody':
        begin = time.monotonic()
        status, _, body = tcp(plant, 'GET', '/api/v1/runtime', **basic(name, 'wrong password'))
        seen.append((status, body))
        assert 0.95 <= time.monotonic() - begin
    assert seen[0] == seen[1] and seen[0][0] == 401
    status, _, _ = tcp(plant, 'POST', '/api/v1/session', {'name': 'bob', 'password': 'x'},
                       Content_Type='application/json')
    assert status == 401
    for name in 'bob', 'nobody':
        plant.wait_log(rf'api.logon.failed .*name={name}')
    assert tcp(plant, 'GET', '/api/v1/runtime', **basic('bob'))[0] == 200


def test_the_slow_hash_is_not_paid_each_time(plant):
    before = plant.cpu_seconds()
    add_user(plant, 'sam', 'viewer')
    hashed = plant.cpu_seconds() - before
    assert tcp(plant, 'GET', '/api/v1/runtime', **basic('sam'))[0] == 200
    before = plant.cpu_seconds()
    for _ in range(30):
        assert tcp(plant, 'GET', '/api/v1/runtime', **basic('sam'))[0] == 200
    assert plant.cpu_seconds() - before < 10 * hashed


def test_sessions_of_two_consoles_on_one_host_do_not_end_each_other(plant):
    """Cookies know no ports: 127.0.0.1:8090 and 127.0.0.1:18090 get each other's."""
    add_user(plant, 'eva', 'viewer')
    names = {}
    for host in '127.0.0.1:18090', 'localhost:8090', '[::1]:443', 'localhost', '[::1]':
        status, headers, _ = tcp(plant, 'POST', '/api/v1/session', {'name': 'eva', 'password': PASSWORD},
                                 Content_Type='application/json', Host=host)
        assert status == 200
        cookie = headers['Set-Cookie'].split(';')[0]
        names[host] = cookie.split('=')[0]
        assert tcp(plant, 'GET', '/api/v1/session', Cookie=f'waybill-1=0; {cookie}; waybill-2=1',
                   Host=host)[0] == 200
        assert tcp(plant, 'GET', '/api/v1/session', Cookie=cookie, Host='127.0.0.1:7')[0] == 401
    assert names == {'127.0.0.1:18090': 'waybill-18090', 'localhost:8090': 'waybill-8090',
                     '[::1]:443': 'waybill-443', 'localhost': 'waybill', '[::1]': 'waybill'}


@pytest.mark.parametrize('value', ['Basic', 'Basic ', 'Basic !', 'Basic ====', 'Basic YQ==',
                                   pytest.param('Basic ' + 'A' * 4000, id='long'), 'Bearer', 'Digest x', '', 'Basic Og=='])
def test_credentials_that_are_none(plant, value):
    assert tcp(plant, 'GET', '/api/v1/runtime', Authorization=value)[0] == 401


def test_a_session_of_the_console(plant):
    add_user(plant, 'eve', 'operator')
    status, headers, body = tcp(plant, 'POST', '/api/v1/session',
                                {'name': 'eve', 'password': PASSWORD},
                                Content_Type='application/json; charset=utf-8')
    assert status == 200 and (body['user'], body['role']) == ('eve', 'operator')
    cookie = headers['Set-Cookie']
    assert re.fullmatch(r'waybill-%d=[0-9a-f]{64}; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict'
                        % plant.admin[1], cookie)
    me, csrf = {'Cookie': 'x=y; ' + cookie.split(';')[0]}, {'X-CSRF-Token': body['csrf']}
    again = tcp(plant, 'GET', '/api/v1/session', **me)[2]
    assert again['csrf'] == body['csrf'] and again['expires'] > '2026'
    assert tcp(plant, 'GET', '/api/v1/documents', **me)[0] == 200
    # what changes something takes the token, too
    path = '/api/v1/partners/nobody/call'
    assert tcp(plant, 'POST', path, **me)[0] == 403
    assert tcp(plant, 'POST', path, **me, X_CSRF_Token='0' * 64)[0] == 403
    assert tcp(plant, 'POST', path, **me, **csrf)[0] == 404
    assert tcp(plant, 'POST', path, **me, **csrf, Sec_Fetch_Site='cross-site')[0] == 403
    assert tcp(plant, 'POST', path, **me, **csrf, Sec_Fetch_Site='same-origin')[0] == 404
    assert tcp(plant, 'GET', '/api/v1/users', **me)[0] == 403
    # a role that is changed counts at once, and so does the end
    command(plant, 'users', 'role', 'eve', 'admin')
    assert tcp(plant, 'GET', '/api/v1/users', **me)[0] == 200
    assert tcp(plant, 'DELETE', '/api/v1/session', **me)[0] == 403
    status, headers, _ = tcp(plant, 'DELETE', '/api/v1/session', **me, **csrf)
    assert status == 200 and 'Max-Age=0' in headers['Set-Cookie']
    assert tcp(plant, 'GET', '/api/v1/session', **me)[0] == 401


def test_a_form_of_another_site_cannot_log_on(plant):
    body = {'name': 'x', 'password': 'y'}
    assert tcp(plant, 'POST', '/api/v1/session', body)[0] == 415
    assert tcp(plant, 'POST', '/api/v1/session', body, Content_Type='text/plain')[0] == 415
    assert tcp(plant, 'POST', '/api/v1/session', body, Content_Type='application/json',
               Sec_Fetch_Site='cross-site')[0] == 403


def test_sessions_end_with_the_password_and_the_user(plant):
    add_user(plant, 'joe', 'viewer')
    one, two = log_on(plant, 'joe'), log_on(plant, 'joe')
    status, headers, body = tcp(plant, 'POST', '/api/v1/session/password',
                                {'old': PASSWORD, 'password': 'some other password'},
                                **one[0], **one[1])
    assert status == 200
    mine = {'Cookie': headers['Set-Cookie'].split(';')[0]}
    assert tcp(plant, 'GET', '/api/v1/session', **mine)[2]['user'] == 'joe'
    for me in one, two:
        assert tcp(plant, 'GET', '/api/v1/session', **me[0])[0] == 401
    assert tcp(plant, 'GET', '/api/v1/session', **basic('joe', 'some other password'))[0] == 200
    command(plant, 'users', 'delete', 'joe')
    assert tcp(plant, 'GET', '/api/v1/session', **mine)[0] == 401
    begin = {'name': 'joe', 'password': 'some other password'}
    assert tcp(plant, 'POST', '/api/v1/session', begin, Content_Type='application/json')[0] == 401


def test_ones_own_password_takes_the_old_one(plant):
    add_user(plant, 'kim', 'viewer')
    me = basic('kim')
    path = '/api/v1/session/password'
    assert tcp(plant, 'POST', path, {'password': 'a new password'}, **me)[0] == 400
    assert tcp(plant, 'POST', path, {'old': 'wrong', 'password': 'a new password'}, **me)[0] == 401
    assert tcp(plant, 'POST', path, {'old': PASSWORD, 'password': 'short'}, **me)[0] == 400
    token = {'Authorization': f'Bearer {plant.token}'}
    assert tcp(plant, 'POST', path, {'old': PASSWORD, 'password': PASSWORD}, **token)[0] == 400


def test_commands_of_tokens(plant):
    r = command(plant, 'tokens', 'add', 'erp', '--role', 'viewer', '--expires', '90d')
    token = r.stdout.strip()
    assert re.fullmatch('waybill_[0-9a-f]{64}', token)
    me = {'Authorization': f'Bearer {token}'}
    assert tcp(plant, 'GET', '/api/v1/documents', **me)[0] == 200
    assert tcp(plant, 'POST', '/api/v1/reload', **me)[0] == 403
    shown = json.loads(command(plant, 'tokens', '--json').stdout)['tokens']
    mine, = [t for t in shown if t['name'] == 'erp']
    assert mine['used'] and mine['role'] == 'viewer' and mine['expires'] > mine['created']
    assert token not in json.dumps(shown)
    assert mine['made_by'].startswith('local:')
    command(plant, 'tokens', 'add', 'erp', '--role', 'viewer', check=1)
    command(plant, 'tokens', 'add', 'old', '--role', 'viewer', '--expires', '2020-01-01', check=1)
    brief = command(plant, 'tokens', 'add', 'brief', '--role', 'viewer', '--expires', '1s')
    brief = {'Authorization': f'Bearer {brief.stdout.strip()}'}
    waybill.wait_until(lambda: tcp(plant, 'GET', '/api/v1/documents', **brief)[0] == 401)
    command(plant, 'tokens', 'delete', 'erp')
    assert tcp(plant, 'GET', '/api/v1/documents', **me)[0] == 401
    command(plant, 'tokens', 'delete', 'erp', check=1)
    for args in (['add'], ['add', 'x'], ['fly']):
        command(plant, 'tokens', *args, check=2)


def test_the_audit_log_says_who_and_from_where(plant):
    add_user(plant, 'max', 'operator')
    r = Relation(plant)
    number = r.send(b'x', name='AUDITED')
    assert tcp(plant, 'POST', f'/api/v1/documents/{number}/cancel', **basic('max'))[0] == 200
    lines = plant.get(query('/api/v1/audit', limit=3))
    assert (lines['audit'][0]['who'], lines['audit'][0]['from'], lines['audit'][0]['what']) == (
        'user:max', '127.0.0.1', f'cancel document {number}')
    assert lines['audit'][1]['what'] == f'send document {number} to {r.name}'
    assert lines['audit'][1]['who'].startswith('local:') and lines['audit'][1]['from'] is None
    older = plant.get(query('/api/v1/audit', limit=1000, before=lines['next']))
    assert any(x['what'] == 'add user max as operator' for x in older['audit'])
    assert all(x['id'] < lines['next'] for x in older['audit'])
    only = plant.get(query('/api/v1/audit', who='user:max'))['audit']
    assert [x['what'] for x in only] == [f'cancel document {number}']
    assert plant.get(query('/api/v1/audit', to='2020-01-01'))['audit'] == []
    assert plant.request('GET', '/api/v1/audit?limit=x')[0] == 400
    assert f'cancel document {number}' in command(plant, 'audit', '--who', 'user:max').stdout


def test_what_an_operator_does_is_in_the_audit_log(plant):
    r = Relation(plant)
    asked = {f'/api/v1/partners/{r.name}/call': f'call partner {r.name}',
             f'/api/v1/partners/{r.name}/test': f'test partner {r.name}',
             '/api/v1/reload': 'reload',
             f'/api/v1/listeners/{r.listener}/pause': f'pause listener {r.listener}'}
    for path, what in asked.items():
        plant.request('POST', path)
        lines = plant.get('/api/v1/audit?limit=5')['audit']
        assert what in [x['what'] for x in lines] or path.endswith('pause'), lines
    assert any('pause' in x['what'] for x in lines), lines


# ---- TLS -----------------------------------------------------------------------------------


def test_the_admin_port_with_tls(gateway, authority):
    """On any address; the cookie is for TLS only; a new certificate counts at once."""
    keys = [authority.issue(f'admin-{i}') for i in range(2)]
    g = gateway(settings={'admin': {'listen': '0.0.0.0:0', 'ssl_certificate': 'our-admin'}})
    assert g.runtime['admin_tls'] is True
    g.runtime['admin'] = g.runtime['admin'].replace('0.0.0.0', '127.0.0.1')
    g.ca = str(authority.cert)
    with pytest.raises(OSError):
        tcp(g, 'GET', '/healthz')
    assert 'api.tls' in g.log() and 'our-admin' in g.log()
    for key in keys:
        g.apply({'certificate': 'our-admin', 'file': key.cert, 'key_file': key.key})
        assert tcp(g, 'GET', '/healthz')[0] == 200
        assert tcp(g, 'GET', '/healthz', Host='admin.example')[0] == 200
    add_user(g, 'zoe', 'admin')
    status, headers, body = tcp(g, 'POST', '/api/v1/session', {'name': 'zoe', 'password': PASSWORD},
                                Content_Type='application/json')
    cookie = headers['Set-Cookie']
    assert re.fullmatch(r'__Host-waybill-%d=[0-9a-f]{64}; Path=/; Max-Age=43200; HttpOnly; '
                        r'SameSite=Strict; Secure' % g.admin[1], cookie)
    assert tcp(g, 'GET', '/api/v1/session', Cookie=cookie.split(';')[0])[2]['user'] == 'zoe'
    plain = http.client.HTTPConnection(*g.admin, timeout=waybill.patient(10))
    with pytest.raises((OSError, http.client.HTTPException)):
        plain.request('GET', '/healthz')
        plain.getresponse()


def test_without_tls_only_on_loopback(gateway):
    g = gateway(run=False, settings={'admin': {'listen': '0.0.0.0:0'}})
    g.start(wait=False)
    assert g.exit_status() == 1
    g.killed = True
    assert 'admin.ssl_certificate' in g.log()
