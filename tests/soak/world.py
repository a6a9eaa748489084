"""The two gateways of a soak run: acme and plant-7, six relations between them in each direction,
each a pair of names of its own with the protection and the receipts said in RELATIONS."""

import contextlib
import itertools

import waybill
from proxy import Proxy

NAMES = ('acme', 'plant-7')
CUT_EVERY = 60 << 20        # octets on a connection through the proxy before it is cut, on average

SECURED = {'signed': True, 'encrypted': True, 'compressed': True, 'signed_receipt': True}


class Kind:
    """One relation. proxied: through the proxy that cuts; exec: the process runs a program, too;
    share: how often it gets a small document."""

    def __init__(self, name, protocol, *, tls=False, proxied=False, run=False, share=2, send=None,
                 partner=None, operation=None, process=None):
        self.name, self.protocol, self.tls, self.proxied = name, protocol, tls, proxied
        self.run, self.share, self.send = run, share, send or {}
        self.partner, self.operation = partner or {}, operation or {}
        self.process = process or {}

    @property
    def receipt(self):
        return 'MDN' if self.protocol == 'as2' else 'EERP'

    @property
    def secured(self):
        return bool(self.send.get('signed'))


RELATIONS = [
    Kind('o-plain', 'oftp2', share=4, operation={'acknowledge': 'processed'}, run=True,
         process={'retention': {'settled': {'documents': '60s'}}}),
    Kind('o-cut', 'oftp2', proxied=True, partner={'buffer_size': 8192, 'credit': 20},
         operation={'acknowledge': 'received'}),
    Kind('o-secure', 'oftp2', tls=True, send=SECURED,
         partner={'require_secure_authentication': True},
         operation={'acknowledge': 'processed', 'require': {'signed': True, 'encrypted': True}}),
    Kind('a-plain', 'as2', run=True, send={'signed': False, 'encrypted': False,
                                           'signed_mdn': False}),
    Kind('a-sync', 'as2', tls=True, share=3,
         send={'signed': True, 'encrypted': True, 'mdn': 'sync'},
         operation={'require': {'signed': True, 'encrypted': True}}),
    Kind('a-async', 'as2', proxied=True, share=3,
         send={'signed': True, 'encrypted': True, 'compressed': 'before_signing', 'mdn': 'async'},
         operation={'require': {'signed': True}}),
]

LEDGER = """#!/bin/sh
# What was processed: document, redelivered, SHA-256 of the content.
sum=$(sha256sum)
printf '%s %s %s\\n' "$WAYBILL_DOCUMENT_ID" "$WAYBILL_EXECUTION_REDELIVERED" "${sum%% *}" >> "$1"
"""


def code(gateway, kind):
    """The name of a gateway in one relation."""
    number = RELATIONS.index(kind) + 1
    if kind.protocol == 'as2':
        return f'{gateway.upper()}-{number}'
    return f'O0013{number:06d}{gateway.replace("-", "").upper()}'


class Keys:
    """Certificates of one gateway, which roll over."""

    def __init__(self, authority, name):
        self.authority, self.name, self.numbers = authority, name, itertools.count(1)
        self.files = [self.issue('files')]      # newest first
        self.tls = self.issue('tls')

    def issue(self, what):
        usage = 'digitalSignature,keyEncipherment'
        return self.authority.issue(f'{self.name}-{what}-{next(self.numbers)}', key_usage=usage)

    @staticmethod
    def component(name, certificates, key):
        first, *others = [c.component(name, key) for c in certificates]
        also = [{k: v for k, v in c.items() if k != 'certificate'} for c in others]
        return {**first, **({'also': also} if also else {})}

    def ours(self, certificates=None):
        return self.component('our-files', certificates or self.files, True)

    def theirs(self, certificates=None):
        return self.component(f'{self.name}-files', certificates or self.files, False)


class World:
    """Both gateways, ready, and what breaks connections between them."""

    def __init__(self, directory, seed, stack):
        self.directory, self.seed = directory, seed
        self.authority = waybill.Authority(directory / 'ca', algorithm='rsa:2048')
        self.keys = {n: Keys(self.authority, n) for n in NAMES}
        self.gateways = {n: stack.enter_context(self.gateway(n)) for n in NAMES}
        self.proxies = {}
        for n, g in self.gateways.items():
            self.ledger(g)
            g.apply([self.keys[n].ours(), self.tls(n)])
            g.restart()
            for protocol, port in (('oftp2', g.port), ('as2', self.as2_port(g))):
                p = Proxy(('127.0.0.1', port), f'{seed}{n}{protocol}', CUT_EVERY)
                p.start()
                stack.callback(p.stop)
                self.proxies[n, protocol] = p
        for n, g in self.gateways.items():
            self.pin(n, g)
            g.restart()
            g.apply(self.components(n))

    def gateway(self, name):
        return waybill.Gateway(self.directory / name, name, tls='our-tls', settings={
            'oftp2_server': {'max_sessions_per_partner': 20, 'duplicate_memory': '60s'},
            'as2_server': {'domain': f'{name}.example', 'mdn_retry_first': '100ms', 'endpoints': [
                {'host': '127.0.0.1', 'port': 0},
                {'host': '127.0.0.1', 'port': 0, 'ssl': True, 'ssl_certificate': 'our-tls'}]},
            'retention': {'settled': {'payloads': '15s'}, 'receipts': '30s', 'audit': '60s',
                          'every': '2s'}})

    @staticmethod
    def as2_port(gateway, tls=False):
        return next(e['port'] for e in gateway.get('/api/v1/runtime')['endpoints']
                    if e['protocol'] == 'as2' and bool(e['tls']) == tls)

    def pin(self, name, gateway):
        """The ports of the AS2 endpoints stay, and asynchronous MDNs go through the proxy."""
        for e in gateway.config['as2_server']['endpoints']:
            e['port'] = self.as2_port(gateway, bool(e.get('ssl')))
        gateway.config['as2_server']['mdn_url'] = \
            f'http://127.0.0.1:{self.proxies[name, "as2"].port}/as2'

    @staticmethod
    def ledger(gateway):
        script = gateway.directory / 'ledger.sh'
        script.write_text(LEDGER)
        script.chmod(0o755)

    def other(self, name):
        return self.gateways[NAMES[1 - NAMES.index(name)]]

    def tls(self, name):
        return self.keys[name].tls.component('our-tls')

    def inbox(self, name, kind):
        return self.gateways[name].directory / 'inbox' / kind.name

    # -- components --

    def identity(self, name, kind):
        if kind.protocol == 'as2':
            return {'identity': f'us-{kind.name}', 'as2': {
                'as2_id': code(name, kind), 'signing_certificate': 'our-files',
                'decryption_certificate': 'our-files', 'mdn_signing_certificate': 'our-files'}}
        certificates = {k: 'our-files' for k in (
            'signing_certificate', 'decryption_certificate', 'acknowledgment_signing_certificate',
            'session_authentication_challenge_certificate')} if kind.secured else {}
        return {'identity': f'us-{kind.name}', 'oftp2': {
            'odette_id': code(name, kind), 'password': 'PW', **certificates}}

    def partner(self, name, kind):
        there = self.other(name)
        theirs = f'{there.name}-files'
        common = {'identity': f'us-{kind.name}', 'send': kind.send,
                  'retry': {'first': '100ms', 'max': '500ms', 'attempts': 0}, **kind.partner}
        if kind.protocol == 'oftp2':
            port = there.tls_port if kind.tls else there.port
            tls = {'session_level_encryption': True, 'server_ssl_certificate': 'authority'}
            certificates = {k: theirs for k in (
                'encryption_certificate', 'signature_verification_certificate',
                'acknowledgment_verification_certificate',
                'session_authentication_encrypting_certificate')} if kind.secured else {}
            own = {'odette_id': code(there.name, kind), 'password': 'PW', 'host': '127.0.0.1',
                   'port': port, **(tls if kind.tls else {}), **certificates}
        else:
            port = self.as2_port(there, kind.tls)
            own = {'as2_id': code(there.name, kind), 'url': f'http://127.0.0.1:{port}/as2',
                   'signing_certificate': theirs, 'encryption_certificate': theirs,
                   'receipt_timeout': '5s', 'receipt_resends': 1000}
            if kind.tls:
                own.update(url=f'https://127.0.0.1:{port}/as2', server_ssl_certificate='authority')
        if kind.proxied:
            port = self.proxies[there.name, kind.protocol].port
            own.update({'port': port} if kind.protocol == 'oftp2' else
                       {'url': f'http://127.0.0.1:{port}/as2'})
        return {'partner': kind.name, kind.protocol: {**own, **common}}

    def process(self, name, kind, label='Name'):
        inbox = self.inbox(name, kind)
        inbox.mkdir(parents=True, exist_ok=True)
        steps = [{'write': {'directory': str(inbox), 'name': '{{document.id}}',
                            'existing': 'number'}}]
        if kind.run:
            g = self.gateways[name]
            steps.append({'exec': {'command': [str(g.directory / 'ledger.sh'),
                                               str(g.directory / 'ledger')]}})
        return {'process': f'from-{kind.name}', 'start': {
            'listen': 'as2-server' if kind.protocol == 'as2' else 'oftp2-server', 'operation': {
                'from': {'partner': kind.name}, 'to': {'identity': f'us-{kind.name}'},
                'tracking': [{'field': label, 'value': '{{document.name}}'}], **kind.operation}},
            'steps': steps, **kind.process}

    def components(self, name):
        there = self.other(name)
        out = [{'certificate': 'authority', 'file': self.authority.cert},
               self.keys[name].ours(), self.tls(name), self.keys[there.name].theirs()]
        for kind in RELATIONS:
            out += [self.identity(name, kind), self.partner(name, kind), self.process(name, kind)]
        return out


@contextlib.contextmanager
def world(directory, seed):
    with contextlib.ExitStack() as stack:
        yield World(directory, seed, stack)
