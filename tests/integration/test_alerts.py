"""Alerts by webhook and mail: what is told, once, together, and also when telling fails at first."""

import datetime
import json
import re
import socket
import time

import pytest
import scene
import waybill
from oftp import File
from scene import Relation, apply, post
from smtp import MailServer
from web import Web

FAILS = [{'exec': {'command': ['/bin/sh', '-c', 'echo a hard "reason"; exit 3']}}]
QUICK = {'gather': '100ms', 'retry': '50ms'}


def by_webhook(web, **more):
    return {'settings': {'alerts': {**QUICK, 'webhook': {'url': web.url}, **more}}}


def by_mail(server, **more):
    return {'settings': {'alerts': {**QUICK, 'mail': {
        'server': server.url, 'tls': 'never', 'from': 'waybill@example.com',
        'to': ['edi@example.com', 'night@example.com'], **more}}}}


def told(web, kind=None):
    """All alerts posted so far."""
    return [a for _, _, _, body in list(web.requests) for a in json.loads(body)['alerts']
            if kind in (None, a['kind'])]


def fail_one(relation, name='BAD'):
    with relation.call() as me:
        me.send_file(File(b'x', dsn=name))
        me.run()
    return relation.wait_document('failed', name=name)


def test_a_document_that_failed_is_posted_once_with_what_to_do(gateway):
    with Web(200) as web:
        g = gateway(**by_webhook(web, webhook={'url': web.url,
                                               'authorization': 'Bearer abc'}))
        r = Relation(g, steps=FAILS)
        d = fail_one(r)
        waybill.wait_until(lambda: told(web), 20, 'the alert')
        alert, = told(web)
        assert (alert['kind'], alert['document'], alert['partner'], alert['listener'],
                alert['name'], alert['state']) == ('document_failed', d['id'], r.name, r.listener,
                                                   'BAD', 'failed')
        assert alert['reason'] == d['reason'] and f'waybill retry {d["id"]}' in alert['what_to_do']
        _, _, headers, body = web.requests[0]
        assert headers['Authorization'] == 'Bearer abc'
        assert headers['Content-Type'] == 'application/json'
        told_all = json.loads(body)
        assert told_all['runtime'] == g.name and told_all['count'] == 1
        assert r.name in told_all['text'] and 'document failed' in told_all['text']
        scene.settled(lambda: len(web.requests) > 1)
        g.wait_log('alert.sent')


def test_a_flood_of_failures_is_told_together_with_a_count(gateway):
    with Web(200) as web:
        g = gateway(**by_webhook(web, gather='2s'))
        r = Relation(g, steps=FAILS)
        begin = time.monotonic()
        with r.call() as me:
            for n in range(60):
                me.send_file(File(b'x', dsn=f'BAD{n}'))
            me.run()
        r.wait_document('failed', count=60, limit=100)
        waybill.wait_until(lambda: sum(json.loads(b)['count'] for _, _, _, b in
                                       list(web.requests)) == 60, 30, '60 alerts')
        # one in two seconds, however long the machine took for the failures
        assert len(web.requests) <= (time.monotonic() - begin) / 2 + 1
        assert all(len(json.loads(b)['alerts']) <= 30 for _, _, _, b in web.requests)


def test_listeners_receipts_and_certificates_are_told_of(gateway, tmp_path):
    with Web(200) as web:
        g = gateway(**by_webhook(web))
        r = Relation(g)
        end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(5, hours=1)
        ca = waybill.Authority(tmp_path / 'ca')
        soon = ca.issue('soon', end=end.strftime('%Y%m%d%H%M%SZ'))
        apply(g, soon.component('soon'))
        clash = r.process_component()
        clash['process'] = 'clash'
        apply(g, clash)
        certificate, = waybill.wait_until(lambda: told(web, 'certificate_expiring'))
        assert certificate['certificate'] == 'soon' and 'ends in 5 days' in certificate['reason']
        listener, = waybill.wait_until(lambda: told(web, 'listener_errored'))
        assert listener['listener'] == 'clash' and r.listener in listener['reason']
        scene.settled(lambda: len(told(web)) > 2)


def test_only_what_is_wanted_is_told(gateway):
    with Web(200) as web:
        g = gateway(**by_webhook(web, on=['listener_errored']))
        r = Relation(g, steps=FAILS)
        fail_one(r)
        clash = r.process_component()
        clash['process'] = 'clash'
        apply(g, clash)
        waybill.wait_until(lambda: told(web))
        assert {a['kind'] for a in told(web)} == {'listener_errored'}


def test_a_mail_names_what_failed_and_nothing_in_a_name_becomes_a_header(gateway):
    with MailServer() as server:
        g = gateway(**by_mail(server))
        r = Relation(g, steps=[{'exec': {'command': [
            '/bin/sh', '-c', r'printf "one\r\nBcc: evil@example.com\r\n.\r\nGr\303\266\337e" >&2;'
            ' exit 1']}}])
        d = fail_one(r)
        mail, = waybill.wait_until(lambda: server.mails)
        assert mail.sender.startswith(b'<waybill@example.com>')
        assert mail.to == [b'<edi@example.com>', b'<night@example.com>']
        m = mail.message
        assert m['From'] == 'waybill@example.com' and m['Subject'] == f'[{g.name}] document failed'
        assert m['To'] == 'edi@example.com, night@example.com' and m['Date'] and m['Message-ID']
        assert m['Bcc'] is None and m['Auto-Submitted'] == 'auto-generated'
        assert f'document {d["id"]} BAD is failed' in mail.text
        assert f'partner: {r.name}' in mail.text and f'process: {r.listener}' in mail.text
        assert 'Bcc: evil@example.com' in mail.text, 'in the reason, on its line'
        assert not re.search('^Bcc', mail.text, re.M)
        assert 'Grö' in mail.text and f'waybill retry {d["id"]}' in mail.text
        assert not server.problems


def test_what_could_not_be_told_is_told_later(gateway):
    with Web(500, 500, 200) as web:
        g = gateway(**by_webhook(web))
        r = Relation(g, steps=FAILS)
        fail_one(r)
        waybill.wait_until(lambda: len(web.requests) >= 3, 20, 'three tries')
        bodies = [json.loads(b)['alerts'] for _, _, _, b in web.requests]
        assert bodies[0] == bodies[1] == bodies[2]
        assert len(g.wait_log(r'alert\.failed .*attempt=\d .*HTTP status 500', 2)) == 2
        text = g.request('GET', '/metrics')[1].decode()
        assert re.search(r'waybill_failures_total\{level="warn",event="alert.failed",.*\} 2', text)


def test_what_was_not_told_before_the_end_is_told_after_a_restart(gateway):
    with Web(500) as web:
        g = gateway(**by_webhook(web))
        r = Relation(g, steps=FAILS)
        d = fail_one(r)
        waybill.wait_until(lambda: web.requests)
        web.statuses = [200]
        waybill.wait_until(lambda: g.log_lines('alert.sent'))
        waybill.wait_until((g.data / 'alerts.mark').exists)
        web.statuses = [500]
        before = len(web.requests)
        second = fail_one(r, 'SECOND')
        waybill.wait_until(lambda: len(web.requests) > before)
        g.stop()
        web.requests.clear()
        web.statuses = [200]
        g.start()
        waybill.wait_until(lambda: g.log(since_start=True).count('alert.sent'), 20, 'it to be told')
        # what was under way when it was stopped may have come late
        assert {a['document'] for a in told(web)} == {second['id']} != {d['id']}
        web.requests.clear()
        scene.settled(lambda: told(web))


def test_a_test_alert_says_what_each_channel_answered(gateway):
    with Web(200) as web, MailServer({b'RCPT': b'550 nobody of this name'}) as server:
        settings = by_mail(server)
        settings['settings']['alerts']['webhook'] = {'url': web.url}
        g = gateway(**settings)
        result = g.cli('alert-test', check=None, json_output=False)
        assert result.returncode == 1
        assert 'webhook: taken' in result.stdout and 'mail: failed: ' in result.stdout
        assert '550' in result.stdout
        alert, = told(web)
        assert alert['kind'] == 'test'
        server.answers.clear()
        assert 'mail: taken' in g.cli('alert-test', json_output=False)
        assert 'a test of alerts' in server.mails[0].text
        assert [x for x in g.get('/api/v1/audit')['audit'] if x['what'] == 'send a test alert']


def test_without_a_channel_the_test_says_so(plant):
    result = plant.cli('alert-test', check=None, json_output=False)
    assert result.returncode == 1 and 'alerts.webhook' in result.stderr


def test_mail_servers_that_do_not_speak_tls_get_nothing_unless_allowed(gateway):
    with MailServer(user=True) as server:
        g = gateway(**by_mail(server, tls='required', user='me',
                              password='PW'))
        said = g.cli('alert-test', check=None, json_output=False).stdout
        assert re.search(r'mail: failed.*no STARTTLS, and alerts\.mail\.tls is required', said)
        assert not server.mails and not server.logged_on


def set_alerts(g, alerts, **more):
    """Other settings, and a reload: what it says counts only from the next start."""
    g.config.update(more)
    g.config.pop('alerts', None)
    if alerts:
        g.config['alerts'] = {**QUICK, **alerts}
    g.write_config()
    return post(g, '/api/v1/reload')['later']


def test_other_settings_count_from_a_reload_on(gateway):
    with Web(200) as first, Web(200) as second, MailServer() as server:
        g = gateway()
        g.restart()     # with the ports it has
        r = Relation(g, steps=FAILS)
        before = fail_one(r, 'BEFORE')
        assert set_alerts(g, {'webhook': {'url': first.url}}) == ''
        one = fail_one(r, 'ONE')
        waybill.wait_until(lambda: told(first), 60, 'the first alert')
        assert [a['document'] for a in told(first)] == [one['id']] != [before['id']]
        assert first.url in g.get('/api/v1/settings')['text']
        mail = by_mail(server)['settings']['alerts']['mail']
        assert set_alerts(g, {'webhook': {'url': second.url}, 'mail': mail}) == ''
        assert {c['channel'] for c in post(g, '/api/v1/alert-test')['channels']} == {'webhook', 'mail'}
        two = fail_one(r, 'TWO')
        waybill.wait_until(lambda: two['id'] in [a.get('document') for a in told(second)], 60, 'the second')
        waybill.wait_until(lambda: any(f'document {two["id"]}' in m.text for m in list(server.mails)), 60, 'the mail')
        assert set_alerts(g, None) == ''
        assert post(g, '/api/v1/alert-test', status=409)
        fail_one(r, 'THREE')
        scene.settled(lambda: len(told(second)) > 2)
        assert set_alerts(g, {'webhook': {'url': second.url}}) == ''
        four = fail_one(r, 'FOUR')
        waybill.wait_until(lambda: four['id'] in [a.get('document') for a in told(second)], 60, 'the fourth')
        assert 'THREE' not in [a.get('name') for a in told(second)] and len(told(first)) == 1


def test_what_could_not_be_told_is_told_by_the_settings_of_a_reload(gateway):
    """Who mends the settings does not wait for the pause after many failures."""
    with Web(500) as wrong, Web(200) as right:
        g = gateway(**by_webhook(wrong, retry='1h'))
        d = fail_one(Relation(g, steps=FAILS))
        g.wait_log('alert.failed')
        set_alerts(g, {'webhook': {'url': right.url}})
        waybill.wait_until(lambda: told(right), 60, 'the alert')
        assert [a['document'] for a in told(right)] == [d['id']]


def test_a_reload_names_what_counts_from_the_next_start_only(gateway):
    g = gateway()
    g.restart()     # with the ports it has
    assert 'next start' not in g.cli('reload', json_output=False)
    later = set_alerts(g, None, oftp2_server={**g.config['oftp2_server'], 'credit': 7})
    assert later == 'oftp2_server.credit'
    assert g.cli('reload', json_output=False).rstrip().endswith('from the next start: oftp2_server.credit')
    g.wait_log(r'runtime\.reload\.later .*oftp2_server\.credit', 2)
    g.signal(1)
    g.wait_log(r'runtime\.reload\.later .*oftp2_server\.credit', 3)


# ---- TLS and log-on of mail -----------------------------------------------------------------

def alert_test(g):
    """What `waybill alert-test` says of mail."""
    said = g.cli('alert-test', check=None, json_output=False)
    return said if isinstance(said, str) else said.stdout


@pytest.mark.parametrize('first', ['later', 'first'])
def test_a_mail_goes_by_tls_after_log_on(gateway, authority, first):
    """STARTTLS, or TLS from the first octet; nothing but the question for it crosses the network readable."""
    with MailServer(user='me', password='p w:"$', certificate=authority.issue('mail'), tls=first) as server:
        g = gateway(**by_mail(server, tls='required', user='me', password={'secret': 'mail'},
                              ca_file=str(authority.cert)), env={'WAYBILL_SECRET_MAIL': 'p w:"$'})
        d = fail_one(Relation(g, steps=FAILS))
        mail, = waybill.wait_until(lambda: server.mails, 60, 'the mail')
        assert f'document {d["id"]}' in mail.text and mail.to[0] == b'<edi@example.com>'
        assert server.logged_on[0] == [b'me', b'p w:"$']
        clear = {w for w in server.words if w.endswith('clear')}
        assert clear == (set() if first == 'first' else {'EHLO in the clear', 'STARTTLS in the clear'})
        assert not server.problems
        assert 'mail: taken' in alert_test(g)


@pytest.mark.parametrize('wrong, why', [
    ('authority', r'certificate.*alerts\.mail\.ca_file'), ('name', r'127\.0\.0\.1.* must be for this host'),
    ('expired', r'certificate.*expired'), ('none given', r'certificate.*alerts\.mail\.ca_file'),
    ('file', r'no-such-file.*see alerts\.mail\.ca_file')])
def test_a_mail_server_whose_certificate_is_not_good_gets_nothing(gateway, authority, tmp_path, wrong, why):
    other = waybill.Authority(tmp_path / 'other')
    certificate = (authority.expired('mail') if wrong == 'expired' else
                   authority.issue('mail', names=['mail.example.com'], addresses=['192.0.2.1']) if wrong == 'name' else
                   authority.issue('mail'))
    file = {'authority': other.cert, 'none given': None, 'file': tmp_path / 'no-such-file.pem'}.get(wrong, authority.cert)
    with MailServer(user='me', password='PW', certificate=certificate) as server:
        g = gateway(**by_mail(server, tls='required', user='me', password='PW',
                              **({'ca_file': str(file)} if file else {})))
        said = alert_test(g)
        assert 'mail: failed' in said and re.search(why, said, re.S | re.I), said
        g.wait_log(r'alert\.failed .*channel=mail')
        assert not server.mails and not server.logged_on
        assert {w for w in server.words if not w.endswith('clear')} == set()


def test_a_wrong_password_of_the_mail_server_is_told_as_such(gateway, authority):
    with MailServer(user='me', password='RIGHT', certificate=authority.issue('mail')) as server:
        g = gateway(**by_mail(server, tls='required', user='me', password='WRONG', ca_file=str(authority.cert)))
        said = alert_test(g)
        assert re.search(r'mail: failed.*see alerts\.mail\.user.*535', said) and 'WRONG' not in said, said
        assert server.logged_on == [[b'me', b'WRONG']] and not server.mails
        assert 'WRONG' not in g.log()
        g.config['alerts']['mail']['password'] = 'RIGHT'
        g.write_config()
        post(g, '/api/v1/reload')
        assert 'mail: taken' in alert_test(g)


def test_a_mail_server_that_is_not_there_is_told_as_such(gateway):
    with socket.socket() as nobody:
        nobody.bind(('127.0.0.1', 0))       # listens to nobody
        server = MailServer()
        server.url = f'smtp://127.0.0.1:{nobody.getsockname()[1]}'
        said = alert_test(gateway(**by_mail(server)))
        server.listening.close()
    assert 'mail: failed' in said and 'connect' in said and 'last answer' not in said, said


def test_a_mail_server_that_takes_nobody_without_log_on_is_told_as_such(gateway, authority):
    with MailServer({b'MAIL': b'530 5.7.0 log on first'}, certificate=authority.issue('mail')) as server:
        g = gateway(**by_mail(server, tls='required', ca_file=str(authority.cert)))
        assert re.search(r'mail: failed.*530', alert_test(g)) and not server.mails


def test_bad_settings_are_refused_with_their_place(tmp_path):
    for alerts, text in [
            ({}, "neither 'webhook' nor 'mail'"),
            ({'webhook': {'url': 'ftp://x'}}, 'must begin with http'),
            ({'mail': {'server': 'smtp://me@host', 'from': 'a@b', 'to': ['a@b']}}, 'without a user'),
            ({'mail': {'server': 'smtp://host', 'from': 'a b@c', 'to': ['a@b']}}, 'plain mail'),
            ({'mail': {'server': 'smtp://host', 'from': 'a@b', 'to': ['a@b\r\nBcc: c@d']}},
             'control'),
            ({'mail': {'server': 'smtp://host', 'from': 'a@b', 'to': ['a@b'], 'tls': 'never',
                       'user': 'me'}}, 'needs tls: required')]:
        f = tmp_path / 'waybill.yaml'
        f.write_text(waybill.to_yaml({'runtime': {'data_directory': str(tmp_path / 'd')},
                                      'alerts': alerts}))
        result = waybill.run('check', '--config', str(f), check=None)
        assert result.returncode != 0 and text in result.stdout + result.stderr, (
            alerts, result.stdout, result.stderr)
