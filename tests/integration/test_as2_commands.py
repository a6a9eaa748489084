"""What an operator sees of partners that are posted to: `waybill test`, `waybill show`, metrics, and
connections after a reload."""

import re

import as2
import as2_scene
import oftp
import scene
import waybill
from as2 import Answer
from as2_sending import ASYNC, Out, gateway, shared_gateway  # noqa: F401


def probe(p, ok=True):
    """{step: its line} of `waybill test` and what it answered."""
    result = p.gateway.cli('test', p.name, check=None)
    answer = waybill.json.loads(result.stdout)
    assert answer['ok'] == ok and result.returncode == (0 if ok else 1), answer
    steps = {s['step']: s for s in answer['steps']}
    if 'AS2 HEAD' in steps:
        assert '= connected to ' in ' '.join(answer['trace'])
        assert any(line.startswith('> HEAD http') for line in answer['trace'])
        assert any(line.startswith('< HTTP ') for line in answer['trace'])
        assert 'pass' not in ' '.join(answer['trace'])
    return steps


def test_a_partner_is_tested_with_a_request_for_the_head_of_its_url(plant):
    with Out(plant, our_username='us', our_password='pass', url='?x=1') as p:
        steps = probe(p)
        assert f'127.0.0.1:{p.server.port}' in steps['AS2 connect']['text']
        assert steps['AS2 HEAD']['text'].startswith('HTTP 200, with credentials')
        head, = [r for r in p.requests() if r.method]
        assert (head.method, head.target, head.auth) == ('HEAD', '/as2?x=1', ('us', 'pass'))
        assert p.server.messages.empty()
        for status, ok, word in (405, True, 'no harm'), (401, False, 'our_username'), \
                (404, False, 'as2.url'), (403, False, 'let us in'), (500, False, '500'):
            p.script(status)
            assert word in probe(p, ok)['AS2 HEAD']['text']
        p.script(Answer(302, [('Location', 'http://elsewhere.example/')]))
        assert 'elsewhere.example' in probe(p, False)['AS2 HEAD']['text']
        p.server.stop()
        step = probe(p, False)
        assert 'refused' in step['AS2 connect']['text'] and 'AS2 HEAD' not in step


def test_the_certificates_of_both_sides_are_probe(plant, tmp_path):
    ca, other = waybill.Authority(tmp_path / 'ca'), waybill.Authority(tmp_path / 'other')
    server, ours = ca.issue('their server'), ca.issue('our client')
    scene.apply(plant, ca.component('test-ca', key=False), other.component('test-other', key=False),
                ours.component('test-client'))
    tls = oftp.server_tls(server.cert, server.key, ca=ca.cert, require=True)
    with Out(plant, how={'tls': tls}, server_ssl_certificate='test-ca',
             client_certificate='test-client') as p:
        steps = probe(p)
        assert 'their server' in steps['AS2 TLS']['text'] and 'days left' in steps['AS2 TLS']['text']
        assert (('commonName', 'our client'),) in p.requests()[0].peer_cert['subject']
        p.change(server_ssl_certificate='test-other')
        step = probe(p, False)
        assert 'server_ssl_certificate' in step['AS2 connect']['text']


def test_a_partner_with_both_protocols_is_tested_in_both(plant):
    with waybill.nobody() as port, Out(plant) as p:
        scene.apply(plant, scene.identity('both-us', 'O0013US'), {
            **p.relation.partner_component(), 'oftp2': {
                'odette_id': 'O0013BOTH', 'password': 'PW', 'host': '127.0.0.1',
                'port': port, 'identity': 'both-us'}})
        steps = probe(p, False)
        assert {k: s['ok'] for k, s in steps.items()} == {
            'connect': False, 'AS2 connect': True, 'AS2 HEAD': True}


def test_show_has_the_head_of_the_message_and_the_fields_of_the_mdn_in_lines(plant):
    with Out(plant) as p:
        d = p.exchange()
        request, = p.requests()
        text = plant.cli('show', str(d['id']), json_output=False)
        assert f'\n  Message-ID: {request.get("Message-ID")}\n' in text
        assert f'\n  Original-Message-ID: {request.get("Message-ID")}\n' in text
        assert '\n  Disposition: automatic-action/MDN-sent-automatically; processed\n' in text
        assert re.search(r'\n  Received-content-MIC: \S+, sha-256\n', text)
        assert 'x0D' not in text and 'as2.headers ' not in text


def metrics(plant):
    text = plant.request('GET', '/metrics')[1].decode()
    return {m.group(1): int(m.group(2)) for m in re.finditer(r'^waybill_(\w+) (\d+)$', text, re.M)}


def counted(plant, before, **more):
    """Waits until these counters are so much higher, to the last digit; all of them."""
    def there():
        now = metrics(plant)
        last.append({name: now[name] - before[name] for name in more})
        return now if all(last[-1][name] >= n for name, n in more.items()) else None
    last = []
    now = waybill.wait_until(there, 20, f'{more} more')
    assert last[-1] == more
    return now


def test_metrics_count_messages_and_mdns(plant):
    with Out(plant, send=ASYNC) as p:
        before = metrics(plant)
        p.script(Answer(200, drop='half'), 503)
        p.exchange()
        p.relation.log(r'as2\.mdn\.received')
        after = counted(plant, before, as2_posts_total=2, as2_posts_failed_total=1,
                        mdns_received_total=1)
        assert after['receipts_received_total'] == before['receipts_received_total']
    r = as2_scene.Relation(plant)
    r.exchange(r.message(b'x', 'S'))
    counted(plant, after, mdns_sent_total=1)
    with as2.Connection(r.url):
        waybill.wait_until(lambda: metrics(plant)['as2_connections'] >= 1, 10)


def test_connections_kept_from_before_a_reload_are_not_used_again(plant):
    with Out(plant) as p:
        for _ in range(3):
            p.exchange()
        kept = p.server.connections
        plant.cli('reload')
        p.exchange()
        assert kept < 4 and p.server.connections == kept + 1
