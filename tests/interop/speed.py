"""How fast each program receives: messages signed and encrypted with AES-256 and a signed synchronous
MDN, posted by 1 and by 8 clients in bodies that are made before. The messages are made by the
gateway's own test partner, so that all programs get the same; figures are for the report of a run,
not for docs/interop.md."""

import concurrent.futures
import http.client
import time
import urllib.parse

import as2
import table

SIZES = {'4 KB': table.edifact(200)[:4096], '1 MB': table.CONTENTS['1 MB']}
COUNTS = {'4 KB': 160, '1 MB': 16}


def messages(peer, data, count):
    return [peer.message(data, 'ES', type='application/edifact', encoding='base64',
                         encrypting={'cipher': 'aes-256-cbc', 'encoding': 'base64'})
            for _ in range(count)]


def post(url, some):
    """Posts these one after another over one connection, or more where they are closed; the number
    that got a positive MDN."""
    address = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=60)
    good = 0
    for m in some:
        try:
            connection.request('POST', address.path, m.body, dict(m.fields))
            answer = connection.getresponse()
        except (ConnectionError, http.client.RemoteDisconnected):
            # Closed without a word: some do so after each answer.
            connection.close()
            connection.request('POST', address.path, m.body, dict(m.fields))
            answer = connection.getresponse()
        good += b'; processed' in answer.read() and answer.status == 200
        if answer.will_close:
            connection.close()
    connection.close()
    return good


def measure(url, peer, size, clients):
    made = messages(peer, SIZES[size], COUNTS[size])
    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        begin = time.monotonic()
        good = sum(pool.map(lambda n: post(url, made[n::clients]), range(clients)))
        took = time.monotonic() - begin
    return good, len(made), len(made) / took


def run(scene):
    """Both sides of one scene: the other program, then the gateway."""
    sides = {scene.program.name: (scene.program.url, as2.Peer('WAYBILL', scene.ours, 'PEER',
                                                              scene.theirs.cert)),
             'waybill': (scene.url, as2.Peer('PEER', scene.theirs, 'WAYBILL', scene.ours.cert))}
    scene.program.ask('expect', signed=True, encrypted=True, mdn='signed', digest='sha256',
                      compressed=False)
    for size in SIZES:
        for clients in 1, 8:
            rates = {}
            for name, (url, peer) in sides.items():
                post(url, messages(peer, SIZES[size], 4))
                try:
                    good, count, rates[name] = measure(url, peer, size, clients)
                except OSError as e:
                    print(f'{name}: {size}, {clients} clients: {e}', flush=True)
                    continue
                print(f'{name}: {size}, {clients} clients: {rates[name]:.1f} messages/s, '
                      f'{good} of {count} acknowledged', flush=True)
            if len(rates) == 2:
                print(f'  ratio {rates["waybill"] / rates[scene.program.name]:.1f}', flush=True)
