"""pyas2lib as a partner of the gateway. The library makes and reads messages; the HTTP around it is
Python's. Orders come as JSON lines on standard input, answers go to standard output: run.py has
the words.

    pyas2_peer.py KEY_AND_CERTIFICATE OUR_CERTIFICATE DIRECTORY"""

import http.client
import http.server
import itertools
import json
import logging
import pathlib
import sys
import threading
import urllib.parse

import pyas2lib

CIPHERS = {'3des': 'tripledes_192_cbc', 'aes128': 'aes_128_cbc', 'aes192': 'aes_192_cbc',
           'aes256': 'aes_256_cbc'}
WAIT = 10

answers = threading.Lock()
received, mdns, sent = [], {}, {}
numbers = itertools.count(1)
arrived = threading.Condition()


def say(**answer):
    with answers:
        print(json.dumps(answer), flush=True)


def own(url=None):
    return pyas2lib.Organization(as2_name='PEER', sign_key=key, sign_key_pass=None,
                                 decrypt_key=key, decrypt_key_pass=None, mdn_url=url,
                                 domain='peer.example')


def partner(**more):
    return pyas2lib.Partner(as2_name='WAYBILL', verify_cert=theirs, encrypt_cert=theirs,
                            validate_certs=False, **more)


def post(url, headers, body):
    address = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=WAIT)
    try:
        headers = {k: ' '.join(v.split()) for k, v in headers.items()}
        connection.request('POST', address.path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.getheaders(), answer.read()
    finally:
        connection.close()


def with_headers(headers, body):
    return b''.join(f'{k}: {v}\r\n'.encode('latin-1') for k, v in headers) + b'\r\n' + body


# ---- receiving -----------------------------------------------------------------------------


class Server(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def answer(self, status, headers=(), body=b''):
        self.send_response(status)
        for k, v in headers:
            self.send_header(k, ' '.join(v.split()))
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers['Content-Length']))
        raw = with_headers(self.headers.items(), body)
        if self.path == '/mdn':
            take_mdn(raw)
            return self.answer(200)
        message = pyas2lib.Message()
        status, trouble, mdn = message.parse(raw, find_org_cb=lambda _: own(),
                                             find_partner_cb=lambda _: partner())
        keep(message, status, trouble)
        if mdn is None:
            return self.answer(200)
        if mdn.mdn_mode == 'SYNC':
            return self.answer(200, mdn.headers.items(), mdn.content)
        self.answer(200)
        post(mdn.mdn_url, mdn.headers, mdn.content)


def keep(message, status, trouble):
    path = directory / f'received-{next(numbers)}'
    path.write_bytes(message.content or b'')
    with arrived:
        received.append({
            'file': str(path), 'name': message.payload.get_filename(), 'status': status,
            'error': str(trouble[0]) if trouble[0] else None, 'signed': message.signed,
            'encrypted': message.encrypted, 'compressed': message.compressed})
        arrived.notify_all()


def take_mdn(raw):
    mdn = pyas2lib.Mdn()
    status, detail = mdn.parse(raw, find_message_cb=lambda i, _: sent.get(i))
    with arrived:
        # orig_message_id lacks its brackets.
        mdns[mdn.orig_message_id] = outcome(mdn, status, detail)
        arrived.notify_all()


def outcome(mdn, status, detail):
    """A failed signature and a MIC that differs are a status that is not `processed`."""
    return {'disposition': status, 'detail': detail, 'signed': bool(mdn.digest_alg),
            'verified': bool(mdn.digest_alg) and status == 'processed',
            'mic': not (status == 'processed/warning')}


# ---- sending -------------------------------------------------------------------------------


def build(o):
    mode = {'none': None, 'async': 'ASYNC'}.get(o['mdn'], 'SYNC')
    to = partner(sign=bool(o['sign']), digest_alg=o['sign'] or 'sha256',
                 encrypt=bool(o['encrypt']), enc_alg=CIPHERS[o['encrypt'] or 'aes256'],
                 compress=bool(o['compress']), mdn_mode=mode,
                 mdn_digest_alg=None if o['mdn'] in ('none', 'unsigned') else
                 (o['sign'] or 'sha256'))
    message = pyas2lib.Message(own(f'{base}/mdn'), to)
    message.build(pathlib.Path(o['file']).read_bytes(), filename=o['name'],
                  content_type=o['type'], subject='interop')
    sent[message.message_id] = message
    return message


def send(o):
    message = build(o)
    status, headers, body = post(o['url'], message.headers, message.content)
    answer = {'status': status, 'message_id': message.message_id, 'mdn': None}
    if o['mdn'] == 'async':
        with arrived:
            arrived.wait_for(lambda: message.message_id in mdns, WAIT)
            answer['mdn'] = mdns.get(message.message_id)
    elif o['mdn'] != 'none' and body:
        mdn = pyas2lib.Mdn()
        s, detail = mdn.parse(with_headers(headers, body), lambda i, _: sent.get(i))
        answer['mdn'] = outcome(mdn, s, detail)
    return answer


def take(o):
    """What came in since the last time."""
    with arrived:
        arrived.wait_for(lambda: received, WAIT)
        found = list(received)
        received.clear()
    return {'received': found}


def main():
    say(ready=True, url=f'{base}/as2', mdn_url=f'{base}/mdn')
    for line in sys.stdin:
        o = json.loads(line)
        try:
            words = {'send': send, 'take': take, 'expect': lambda _: {}}
            say(**words[o['op']](o))
        except Exception as e:
            logging.exception('%s', o)
            say(error=f'{type(e).__name__}: {e}')


logging.basicConfig(level=logging.INFO)
key = pathlib.Path(sys.argv[1]).read_bytes()
theirs = pathlib.Path(sys.argv[2]).read_bytes()
directory = pathlib.Path(sys.argv[3])
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Server)
server.daemon_threads = True
base = f'http://127.0.0.1:{server.server_port}'
threading.Thread(target=server.serve_forever, daemon=True).start()
main()
