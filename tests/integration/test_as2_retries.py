"""What follows when an AS2 message cannot be posted, or the partner does not say yes: the matrix of
as2.md 6.3, Retry-After, TLS, and a runtime that is killed in between."""

import calendar
import email.utils
import threading
import time

import as2
import as2_scene
import oftp
import pytest
import scene
import waybill
from as2 import Answer
from as2_sending import Out, gateway, kinds, shared_gateway, texts  # noqa: F401

LATER = [408, 425, 429, 500, 502, 503, 504, 507]
NEVER = [400, 401, 402, 403, 404, 405, 406, 407, 409, 410, 411, 413, 414, 415, 416, 417, 431, 501,
         505]


def same(requests):
    """Asserts that all requests are the same octets, and gives how many there are."""
    assert len({r.raw for r in requests}) == 1, [r.fields for r in requests]
    return len(requests)


def test_statuses_that_may_pass_are_tried_again_with_the_same_octets(plant):
    """AS2-C96, AS2-C97: Message-ID, Date and ciphertext included, chunked or not."""
    for chunked in False, True:
        with Out(plant, 'ESC', send={'chunked': chunked}) as p:
            p.script(*LATER)
            d = p.wait(p.send(), 'acknowledged', timeout=40)
            assert same(p.requests()) == len(LATER) + 1
            for status in LATER:
                assert f'HTTP {status}' in texts(d)


@pytest.mark.parametrize('status', NEVER)
def test_a_status_that_will_not_pass_ends_it(plant, status):
    """AS2-C97: failed at once, with the status, in the document and the log."""
    with Out(plant) as p:
        p.script(status)
        d = p.exchange('failed')
        assert d['reason'] == f'HTTP {status}' and len(p.requests()) == 1 and not d['jobs']
        line, = p.relation.log(r'as2\.message\.failed')
        assert f'HTTP {status}' in line and 'look_at=' in line


@pytest.mark.parametrize('end', [b'HTTP/1.1 200 OK', b'HTTP/1.1 200 OK\r\nContent-Le',
                                 b'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n',
                                 b'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n12345678'])
def test_an_answer_that_is_cut_anywhere_is_no_answer(plant, end):
    """AS2-C97: also where no MDN is expected in it."""
    with Out(plant, send={'mdn': 'none'}) as p:
        p.script(Answer(raw=end), None)
        d = p.exchange()
        assert same(p.requests()) == 2, texts(d)


@pytest.mark.parametrize('drop', ['now', 'half'])
def test_a_connection_lost_before_the_answer_is_whole_is_tried_again(plant, drop):
    """AS2-C96, AS2-C97: the outcome is unknown, so the octets are the same."""
    with Out(plant, 'ES') as p:
        def broken(request):
            answer = p.server.answer(request)
            answer.drop = drop
            return answer
        p.script(broken, broken)
        d = p.exchange()
        assert same(p.requests()) == 3 and len(d['receipts']) == 1


def test_an_answer_that_is_no_http_or_too_large_is_tried_again(plant):
    with Out(plant) as p:
        p.script(Answer(raw=b'SSH-2.0-OpenSSH_9.2\r\n'),
                 Answer(200, body=b'x' * 2_000_000), None)
        p.exchange()
        assert same(p.requests()) == 3


def test_nobody_there_is_tried_again_until_somebody_is(plant):
    """AS2-C97: connection refused; a name that is unknown."""
    with waybill.nobody() as port, as2.Server(port=port) as silent, Out(plant, server=silent) as p:
        silent.stop()
        number = p.send()
        p.relation.log(r'as2\.message\.later', count=3)
        p.server = as2.Partner(p.peer, port=port)
        p.wait(number, 'acknowledged')
        p.change(url='http://nobody.invalid/as2', retry={'attempts': 2})
        d = p.exchange('failed')
        assert 'nobody.invalid' in d['reason'] or 'resolve' in d['reason'].lower(), d['reason']


def test_a_partner_that_does_not_answer_is_tried_again(plant):
    """It is silent until the document says that an attempt failed, and then there is time enough for
    an answer, however long it takes to make."""
    answers, over = threading.Event(), threading.Event()
    with Out(plant, answer_timeout='300ms') as p:
        def silent(request):
            if answers.is_set():
                return None
            over.wait(waybill.patient(60))
            return Answer(200, drop='now')
        p.script(*[silent] * 1000)
        number = p.send()
        waybill.wait_until(lambda: p.server.connections and
                           'not sent' in kinds(scene.document(plant, number)), 20, 'a failed attempt')
        p.change(answer_timeout='10m')
        answers.set()
        d = p.wait(number, 'acknowledged')
        over.set()
        tries = kinds(d).count('not sent') + 1
        requests = [p.server.next_request() for _ in range(tries)]
        assert tries > 1 and same(requests) == tries and p.server.requests.empty()


def test_it_is_given_up_after_the_attempts_agreed(plant):
    with Out(plant, retry={'attempts': 4}) as p:
        p.script(*[503] * 10)
        d = p.exchange('failed')
        assert 'HTTP 503' in d['reason'] and same(p.requests()) == 4
        p.server.script.clear()
        scene.post(plant, f'/api/v1/documents/{d["id"]}/retry')
        p.wait(d['id'], 'acknowledged')
        assert same(p.requests()) == 1


@pytest.mark.parametrize('form', ['seconds', 'date'])
def test_retry_after_is_honoured(plant, form):
    """AS2-C98; the cap of an hour is seen in the job."""
    with Out(plant) as p:
        def busy(seconds):
            def answer(request):    # counted from when it is said
                value = seconds if form == 'seconds' else \
                    email.utils.formatdate(time.time() + seconds, usegmt=True)
                return Answer(503, [('Retry-After', value)])
            return answer
        p.script(busy(3), None, busy(100000))
        p.exchange()
        first, second = p.requests()
        assert 1.0 <= second.time - first.time      # a date has no fractions of a second
        before = time.time()
        number = p.send()
        waybill.wait_until(lambda: 'not sent' in kinds(scene.document(plant, number)), 10,
                           'a failed attempt')
        job, = scene.document(plant, number)['jobs']
        at = calendar.timegm(time.strptime(job['not_before'][:19], '%Y-%m-%dT%H:%M:%S'))
        assert before + 3500 < at < time.time() + 3610, job


def test_411_switches_from_chunked_to_content_length_once(plant):
    """AS2-C97."""
    with Out(plant, 'ES', send={'chunked': True}) as p:
        p.script(411)
        p.exchange()
        first, second = p.requests()
        assert first.get('Transfer-Encoding') == 'chunked'
        assert second.get('Content-Length') == str(len(second.body)) and first.body == second.body
        assert first.get('Message-ID') == second.get('Message-ID')
        p.script(411, 411)
        assert p.exchange('failed')['reason'] == 'HTTP 411'


@pytest.mark.parametrize('answer', [Answer(200), Answer(204), Answer(202, body=b'thanks'), Answer(
    200, [('Content-Type', 'text/html')], b'<html>Welcome</html>')],
    ids=lambda a: f'{a.status}-{len(a.body)}')
def test_a_2xx_without_the_mdn_is_tried_three_times(plant, answer):
    """AS2-C97: then failed; but what failed otherwise before does not count."""
    with Out(plant) as p:
        p.script(503, 503, 503, answer, answer, None)
        d = p.exchange()
        assert same(p.requests()) == 6 and 'no MDN in the answer' in texts(d)
        p.script(answer, answer, answer)
        d = p.exchange('failed')
        assert 'no MDN' in d['reason'] and same(p.requests()) == 3


# ---- TLS ------------------------------------------------------------------------------------


@pytest.fixture(scope='module')
def authority(tmp_path_factory):
    return waybill.Authority(tmp_path_factory.mktemp('tls') / 'ca')


def tls_partner(plant, authority, name, certificates=(), how=None, **settings):
    server = authority.issue(name) if isinstance(name, str) else name
    for component in certificates:
        scene.apply(plant, component)
    return Out(plant, how={'tls': oftp.server_tls(server.cert, server.key, **(how or {}))},
               **settings)


def test_the_partners_server_is_known_by_its_certificate_or_its_authority(plant, authority):
    server = authority.issue('pinned')
    for name, component in ('leaf', server.component('out-leaf', key=False)), \
            ('ca', authority.component('out-ca', key=False)):
        with tls_partner(plant, authority, server, [component],
                         server_ssl_certificate=f'out-{name}') as p:
            p.exchange()
            assert p.server.url.startswith('https:')


def test_a_server_with_another_certificate_gets_nothing(plant, authority):
    """AS2-C97: untrusted or under another name is final and says which setting decides."""
    with tls_partner(plant, authority, 'expected', [authority.issue('other').component(
            'out-other', key=False)], server_ssl_certificate='out-other') as p:
        d = p.exchange('failed')
        assert 'certificate' in d['reason'] and not p.requests()
    elsewhere = authority.issue('elsewhere', names=('elsewhere.example',), addresses=())
    with tls_partner(plant, authority, elsewhere, [authority.component('out-ca', key=False)],
                     server_ssl_certificate='out-ca') as p:
        assert 'name' in p.exchange('failed')['reason'] and not p.requests()
        p.change(verify_host_name=False)
        p.exchange()


def test_our_client_certificate_is_shown(plant, authority):
    ours = authority.issue('our-client')
    with tls_partner(plant, authority, 'strict',
                     [authority.component('out-ca', key=False), ours.component('out-client')],
                     how={'ca': authority.cert, 'require': True}, our_username='u',
                     our_password='p', server_ssl_certificate='out-ca',
                     client_certificate='out-client') as p:
        p.exchange()
        request, = p.requests()
        assert (('commonName', 'our-client'),) in request.peer_cert['subject']
        assert request.auth == ('u', 'p')
        p.change(client_certificate=None, retry={'attempts': 2})
        assert not p.requests()


# ---- crashes --------------------------------------------------------------------------------


def test_what_was_posted_when_the_power_went_is_posted_again_as_it_was(tmp_path):
    """AS2-C96: killed while the partner has the message and has not answered. Handed on by a process
    step: its own documents go out once each."""
    with gateway(tmp_path / 'plant') as g, Out(g, 'ES') as p:
        inlet = as2_scene.Relation(g, steps=[{'send': {
            'partner': p.name, 'identity': 'as2-us', 'protocol': 'as2'}}])
        p.script(Answer(200, delay=60, drop='now'))
        inlet.exchange(inlet.message(b'to be handed on', 'S'))
        first = p.server.next_request()
        g.kill9()
        g.start()
        d = waybill.wait_until(lambda: [d for d in all_out(g, p)
                                        if d['state'] == 'acknowledged'], 60)
        assert len(d) == 1 and len(all_out(g, p)) == 1
        second, = p.requests()
        assert first.raw == second.raw
        assert p.received().payload == b'to be handed on'
        assert p.server.messages.empty()


def all_out(g, p):
    return g.get(f'/api/v1/documents?partner={p.name}&direction=out')['documents']


def test_what_waits_for_its_time_is_posted_at_once_when_the_partner_is_called(plant):
    """By an operator who knows that the cause is gone; the partner's words are told."""
    with Out(plant) as p:
        p.script(Answer(503, [('Retry-After', '3000'), ('Content-Type', 'text/plain')],
                        b'back at noon\nnot before'))
        number = p.send()
        waybill.wait_until(lambda: 'not sent' in kinds(scene.document(plant, number)), 10)
        assert 'not sent: HTTP 503: back at noon' in texts(scene.document(plant, number))
        scene.post(plant, f'/api/v1/partners/{p.name}/call', 202)
        p.wait(number, 'acknowledged')
        assert same(p.requests()) == 2
