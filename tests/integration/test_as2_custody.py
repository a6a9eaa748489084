"""What is promised when messages race, come again or fail here: as2.md 5.2 to 5.4, 8.6."""

import os
import socket
import threading

import as2
import as2_scene
import scene
import waybill
from as2_http import Connection, post
from as2_scene import Relation

PLANT = as2_scene.PLANT
LARGE = 100_000  # octets: more than the store keeps in a row


def together(relation, messages):
    """Uploads all but the last octets of each, then these at once; the answers."""
    connections = [Connection(relation.url) for _ in messages]
    for c, m in zip(connections, messages):
        c.send(c.head(m.fields, m.body) + m.body[:-2])
    start, answers = threading.Barrier(len(messages)), [None] * len(messages)

    def end(i):
        start.wait()
        connections[i].send(messages[i].body[-2:])
        answers[i] = connections[i].response()
    threads = [threading.Thread(target=end, args=(i,)) for i in range(len(messages))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for c in connections:
        c.close()
    return answers


def test_two_contents_under_one_message_id_that_race_are_one_document(plant):
    """AS2-C88: one is taken, the other refused, and neither leaves a file behind"""
    r = Relation(plant)
    for n in range(1, 8):
        messages = [r.message(os.urandom(LARGE), 'S', message_id=f'<raced-{n}@x>')
                    for _ in range(2)]
        answers = together(r, messages)
        assert [a.status for a in answers] == [200, 200]
        said = sorted(r.peer.read_mdn(m, a.fields, a.body).disposition
                      for m, a in zip(messages, answers))
        assert said == ['processed', 'processed/error: unexpected-processing-error']
    assert len(r.delivered(7)) == 7 and plant.running()


def test_one_signed_content_under_two_message_ids_that_race_is_two_documents(plant):
    """AS2-C88"""
    r = Relation(plant)
    for n in range(1, 8):
        first = r.message(os.urandom(LARGE), 'S')
        answers = together(r, [first, first.with_field('Message-ID', f'<again-{n}@x>')])
        assert [a.status for a in answers] == [200, 200]
        assert len(r.delivered(2 * n)) == 2 * n and plant.running()


def tagged(message, etag):
    message.fields.append(('ETag', etag))
    return message


def test_the_tag_of_a_transfer_that_was_refused_serves_again(plant):
    """AS2-C125: and when the message of a tag changes, that is another message"""
    r = Relation(plant, operation={'require': {'signed': True}})
    content = os.urandom(LARGE)
    bad = tagged(r.message(content, 'E'), '"tag"')
    r.refused(bad, 'insufficient-message-security')
    r.exchange(tagged(r.message(content, 'ES', message_id=bad.message_id), '"tag"'))
    assert r.content() == content
    r.exchange(tagged(r.message(os.urandom(LARGE), 'ES'), '"tag"'))
    assert len(r.delivered(2)) == 2


def test_the_end_of_a_refused_transfer_gives_the_answer_that_was_lost(plant):
    """AS2-C125"""
    r = Relation(plant, operation={'require': {'signed': True}})
    bad = tagged(r.message(os.urandom(LARGE), 'E'), '"lost"')
    first = bad.post(r.url)
    total = len(bad.body)
    bad.fields += [('Content-Range', f'bytes {total - 1}-{total - 1}/{total}')]
    again = post(r.url, [f for f in bad.fields if f[0].lower() != 'content-length'],
                 bad.body[-1:])
    assert again.status == 200 and again.body == first.body


def test_a_chunked_end_that_is_shorter_than_its_range_is_no_message(plant):
    """AS2-C125"""
    r = Relation(plant)
    m = tagged(r.message(os.urandom(LARGE), ''), '"short"')
    m.fields += [('Content-Range', f'bytes 0-{len(m.body) - 1}/{len(m.body)}')]
    answer = post(r.url, [f for f in m.fields if f[0].lower() != 'content-length'],
                  m.body[:-10], chunks=[40000])
    assert answer.status == 400 and r.files() == []


def test_a_duplicate_of_what_was_never_opened_gets_no_positive_mdn(tmp_path):
    """AS2-C87: the process went away between the 2xx and the opening"""
    with as2.Partner(None) as them, waybill.Gateway(tmp_path / 'own', settings={
            'as2_server': {**as2_scene.SERVER, 'sync_wait': '1s'}, 'runtime': {'workers': 1}}) as g:
        gate = scene.Gate(tmp_path)
        r = Relation(g, server=them, steps=[gate.step])
        them.peer = r.peer
        r.exchange(r.message(b'keeps the only worker busy', 'S'))
        r.wait_document('processing')
        m = r.message(b'never opened', 'S').with_field('Receipt-Delivery-Option', them.url)
        assert m.post(r.url).status == 200
        g.cli('delete', 'process', r.listener)
        gate.open()
        r.wait_document('failed')
        scene.apply(g, r.process_component())
        again = m.with_field('Receipt-Delivery-Option', None)
        assert again.post(r.url).status == 503


def test_a_duplicate_of_what_failed_in_its_process_gets_no_positive_mdn(plant):
    """AS2-C87: whatever receipt it asks for now"""
    r = Relation(plant, operation={'acknowledge': 'processed'},
                 steps=[{'exec': {'command': ['/bin/false']}}])
    fault = 'processed/error: unexpected-processing-error'
    m = r.message(b'x', 'S')
    r.exchange(m, fault)
    unsigned = m.with_field('Disposition-Notification-Options', None)
    assert not r.exchange(unsigned, fault).is_signed
    other = r.message(b'y', 'S', mdn=None)
    assert other.post(r.url).status == 200
    waybill.wait_until(lambda: [d['state'] for d in r.documents()] == ['failed'] * 2, 20,
                       'the process to fail')
    r.exchange(other.with_field('Disposition-Notification-To', 'me'), fault)


def test_a_stop_does_not_wait_for_who_answers_an_mdn_by_drips(tmp_path):
    """Also where the partner is only written into the operation: as2.md 4.9 rule 5."""
    with socket.create_server(('127.0.0.1', 0)) as pit, waybill.Gateway(
            tmp_path / 'own', settings={'as2_server': as2_scene.SERVER,
                                        'runtime': {'stop_timeout': '1s'}}) as g:
        url = f'http://127.0.0.1:{pit.getsockname()[1]}/mdn'
        r = Relation(g, listen=False)
        scene.apply(g, {'process': r.listener, 'start': {
            'listen': 'as2-server', 'operation': {
                'from': {'as2_id': 'Inline', 'signing_certificate': f'as2-{r.key}'},
                'to': {'identity': r.identity}, 'mdn_url': url}}})
        peer = as2.Peer('Inline', as2_scene.keys(r.key), r.own, as2_scene.keys('us').cert)
        m = peer.message(b'x', 'S').with_field('Receipt-Delivery-Option', url)
        assert m.post(r.url).status == 200
        pit.settimeout(waybill.patient(30))
        c, _ = pit.accept()
        with c:
            c.settimeout(waybill.patient(30))
            assert c.recv(1000)
            c.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n')
            drips, over = [], threading.Event()

            def drip():
                while not over.wait(0.5):
                    try:
                        c.sendall(b'.')
                        drips.append(1)
                    except OSError:
                        return
            t = threading.Thread(target=drip)
            t.start()
            try:
                waybill.wait_until(lambda: drips, 10, 'a drip')
                g.stop()
                assert len(drips) < 1000, 'the whole answer was waited for'
            finally:
                over.set()
                t.join()
