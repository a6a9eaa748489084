"""AS2 requests under way are among the sessions, with their progress."""

import os
import socket

import as2_scene
import waybill
from as2_http import Connection
from as2_scene import Relation

PLANT = as2_scene.PLANT


def shown(g, r):
    return [s for s in g.get('/api/v1/sessions')['sessions'] if s['partner'] == r.name]


def test_a_message_coming_in_is_shown_with_its_progress(shared_gateway):
    g, r = shared_gateway, Relation(shared_gateway)
    m = r.message(os.urandom(1_000_000), 'ES')
    with Connection(r.url) as c:
        c.send(c.head(m.fields + [('Content-Length', str(len(m.body)))]))
        c.send(m.body[:500_000])
        s, = waybill.wait_until(lambda: [s for s in shown(g, r) if s['done'] == 500_000])
        assert (s['protocol'], s['peer'], s['initiator'], s['state']) == ('as2', r.code, False,
                                                                         'transfer')
        assert s['total'] == len(m.body) and s['octets_in'] == 500_000 and s['octets_out'] == 0
        assert s['document'] and s['address'] == '127.0.0.1' and s['tls'] == ''
        c.send(m.body[500_000:])
        assert c.response('POST').status == 200
    waybill.wait_until(lambda: not shown(g, r))


def test_a_message_going_out_is_shown_with_its_progress(shared_gateway):
    g = shared_gateway
    with socket.create_server(('127.0.0.1', 0)) as pit:
        r = Relation(g, url=f'http://127.0.0.1:{pit.getsockname()[1]}/as2')
        size = 40_000_000  # more than what sockets hold
        status, body = g.request('POST', f'/api/v1/documents?partner={r.name}&name=BIG',
                                 os.urandom(size))
        assert status == 201, body
        pit.settimeout(60 * waybill.slow())
        c, _ = pit.accept()
        with c:
            s, = waybill.wait_until(lambda: [s for s in shown(g, r) if s['done'] > 0])
            assert (s['protocol'], s['initiator'], s['peer']) == ('as2', True, r.code)
            assert s['total'] > size > s['done'] and s['state'] == 'transfer'
            assert s['address'] == f'http://127.0.0.1:{pit.getsockname()[1]}/as2'
    waybill.wait_until(lambda: not shown(g, r))
