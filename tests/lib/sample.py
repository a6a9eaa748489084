"""Two gateways with something to look at, for the console's tests and its pictures: plant-7, whose
console it is, and acme, its partner. They exchange documents over OFTP2 and AS2; some are refused,
one waits for a receipt, one for an operator, one partner cannot be reached.

    with sample.Sample(directory) as s:
        s.plant, s.acme           waybill.Gateway
        s.url                     of the console
        s.user('zoe', 'admin')    adds a user; the password is sample.PASSWORD

`python3 tests/lib/sample.py` runs one until it is ended."""

import contextlib
import pathlib
import sys
import tempfile
import time

import oftp
import scene
import waybill
from patience import patient

PASSWORD = 'correct horse battery'
CODES = {'plant-7': 'O0013000002PLANT7', 'acme': 'O0013000001ACME'}
AS2 = {'plant-7': 'PLANT7', 'acme': 'ACME'}
ORDER = b"UNB+UNOC:3+O0013000001ACME:OD+O0013000002PLANT7:OD+261121:1015+%d'UNH+1+ORDERS:D:96A:UN'\n" \
        b"BGM+220+PO-%d+9'DTM+137:20261121:102'LIN+1++4711:BP'QTY+21:250:PCE'UNT+5+1'UNZ+1+%d'\n"


def order(n):
    return ORDER % (n, 4500000 + n, n)


def documents(g, **filters):
    return g.get(scene.query('/api/v1/documents', **filters))['documents']


class Sample:
    def __init__(self, directory):
        self.top = pathlib.Path(directory)
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.stack.close()
            raise
        return self

    def __exit__(self, *_):
        self.stack.close()

    @property
    def url(self):
        return 'http://%s:%d/console/' % self.plant.admin

    def user(self, name, role):
        scene.post(self.plant, '/api/v1/users', 201, {'name': name, 'role': role, 'password': PASSWORD})

    # -- the scene --

    def _start(self):
        as2 = {'as2_server': {'endpoints': [{'host': '127.0.0.1', 'port': 0}], 'domain': 'plant-7.example'}}
        self.plant = self.stack.enter_context(waybill.Gateway(self.top / 'plant-7', 'plant-7', settings=as2))
        self.acme = self.stack.enter_context(waybill.Gateway(self.top / 'acme', 'acme', settings=as2))
        ca = waybill.Authority(self.top / 'ca', 'Sample authority', 'rsa:2048')
        usage = {'key_usage': 'digitalSignature,keyEncipherment', 'usage': None}
        soon = time.strftime('%Y%m%d%H%M%SZ', time.gmtime(time.time() + 12.5 * 86400))
        self.keys = {
            'plant-7': ca.issue('plant-7.example', **usage), 'acme': ca.issue('acme.example', **usage),
            'delta': ca.issue('edi.delta-logistics.example', start='20251120000000Z', end=soon, **usage),
            'old': ca.expired('gateway.borealis.example', **usage)}
        for g, other in (self.plant, self.acme), (self.acme, self.plant):
            scene.apply(g, *self._components(g, other))
        self.quiet = self.stack.enter_context(oftp.Server('O0013QUIET', 'QUIETPW'))
        self.quiet.start(receipt=None)     # takes files, and never sends a receipt
        scene.apply(self.plant, *self._more())

    def _as2_url(self, g):
        port = next(e['port'] for e in g.get('/api/v1/runtime')['endpoints'] if e['protocol'] == 'as2')
        return f'http://127.0.0.1:{port}/as2'

    def _inbox(self, g, name):
        path = pathlib.Path(g.directory) / name
        path.mkdir(exist_ok=True)
        return path

    def _components(self, g, other):
        name, peer = g.name, other.name
        yield self.keys[name].component('our-keys')
        yield self.keys[peer].component(f'{peer}-files', key=False)
        yield {'identity': 'us', 'oftp2': {
            'odette_id': CODES[name], 'password': 'OURPW', 'signing_certificate': 'our-keys',
            'decryption_certificate': 'our-keys', 'acknowledgment_signing_certificate': 'our-keys'},
            'as2': {'as2_id': AS2[name], 'signing_certificate': 'our-keys',
                    'decryption_certificate': 'our-keys', 'mdn_signing_certificate': 'our-keys'}}
        yield {'partner': peer, 'oftp2': {
            'odette_id': CODES[peer], 'password': 'OURPW', 'host': '127.0.0.1', 'port': other.port,
            'identity': 'us', 'retry': {'first': '500ms', 'max': '2s'},
            'encryption_certificate': f'{peer}-files',
            'signature_verification_certificate': f'{peer}-files',
            'acknowledgment_verification_certificate': f'{peer}-files',
            'send': {'signed': True, 'compressed': True, 'encrypted': True, 'signed_receipt': True}},
            'as2': {'as2_id': AS2[peer], 'url': self._as2_url(other), 'identity': 'us',
                    'signing_certificate': f'{peer}-files', 'encryption_certificate': f'{peer}-files',
                    'retry': {'first': '500ms', 'max': '2s'},
                    'send': {'signed': True, 'encrypted': True, 'mdn': 'sync',
                             'content_type': 'application/EDIFACT'}}}
        yield {'process': f'orders-from-{peer}', 'start': {'listen': 'oftp2-server', 'operation': {
            'from': {'partner': peer}, 'to': {'identity': 'us'}, 'acknowledge': 'processed',
            'tracking': [{'field': 'Order file', 'value': '{{oftp2.sfiddsn}}'}]}},
            'steps': [{'write': {'directory': self._inbox(g, 'in'),
                                 'name': '{{document.id}}-{{document.name}}'}}]}
        yield {'process': f'invoices-from-{peer}', 'start': {'listen': 'as2-server', 'operation': {
            'from': {'partner': peer}, 'to': {'identity': 'us'},
            'require': {'signed': name == 'acme', 'encrypted': False},
            'tracking': [{'field': 'Invoice', 'value': '{{as2.message_id}}'}]}},
            'steps': [{'write': {'directory': self._inbox(g, 'in'),
                                 'name': '{{document.id}}-{{document.name}}'}}]}

    def _more(self):
        """What only plant-7 has."""
        yield self.keys['delta'].component('delta-files', key=False)
        yield self.keys['old'].component('borealis-files', key=False)
        yield {'partner': 'delta-logistics', 'oftp2': {
            'odette_id': 'O0177DELTALOGISTICS', 'password': 'DELTAPW', 'host': '127.0.0.1', 'port': 1,
            'identity': 'us', 'retry': {'first': '10m', 'max': '60m'},
            'encryption_certificate': 'delta-files', 'send': {'encrypted': True}}}
        yield {'partner': 'borealis', 'oftp2': {'odette_id': 'O0942BOREALIS', 'password': 'BOREPW'}}
        yield {'partner': 'quiet-supplier', 'oftp2': {
            'odette_id': 'O0013QUIET', 'password': 'QUIETPW', 'host': '127.0.0.1',
            'port': self.quiet.port, 'identity': 'us', 'receipt_timeout': '500ms'}}
        for name, partner, more in [
                ('delivery-notes-from-delta', 'delta-logistics', {}),
                ('delfor-from-borealis', 'borealis', {'acknowledge': 'manual'}),
                ('delfor-test-from-borealis', 'borealis', {}),
                ('desadv-from-quiet-supplier', 'quiet-supplier', {})]:
            yield scene.process(name, partner, [{'write': {
                'directory': self._inbox(self.plant, 'in'), 'name': '{{document.id}}',
                'existing': 'number'}}], **more)
        yield {'process': 'erp-import', 'start': {'listen': 'oftp2-server', 'operation': {
            'from': {'odette_id': 'O0500ERP', 'password': 'ERPPW'}, 'to': {'identity': 'us'}}},
            'steps': [{'exec': {'command': ['/bin/false']}}]}

    # -- what happens --

    def send(self, g, data, **how):
        return scene.post(g, scene.query('/api/v1/documents', **how), 201, data)['id']

    def deliver(self, name, code, password, data):
        """A file from a partner played here."""
        with oftp.Peer.connect(self.plant.host, self.plant.port, code, password,
                               timeout=patient(20)) as me:
            me.log_on()
            outcome = me.send_file(oftp.File(data, dsn=name, dest=CODES['plant-7'], orig=code))
            me.run()
        return outcome

    def fill(self):
        """Documents of all kinds; waits until each is where it goes."""
        plant, acme = self.plant, self.acme
        for n in range(8):
            self.send(acme, order(n), partner='plant-7', name='ORDERS.EDI', file_name=f'orders-{n}.edi')
            self.send(plant, order(100 + n), partner='acme', name='DESADV.EDI', file_name=f'desadv-{n}.edi')
        for n in range(4):
            self.send(acme, order(200 + n), partner='plant-7', protocol='as2', file_name=f'INVOIC-{n}.edi')
            self.send(plant, order(300 + n), partner='acme', protocol='as2', file_name=f'REMADV-{n}.edi')
        self.send(plant, order(400), partner='acme', name='MISDIRECTED.EDI', destination='O0013NOBODY')
        self.send(plant, order(401), partner='delta-logistics', name='DELJIT.EDI')
        self.send(plant, order(402), partner='quiet-supplier', name='FORECAST.EDI')
        self.deliver('DELFOR.EDI', 'O0942BOREALIS', 'BOREPW', order(500))
        self.deliver('EXPORT.CSV', 'O0500ERP', 'ERPPW', b'4711;250;PCE\r\n' * 400)
        scene.post(plant, '/api/v1/listeners/delivery-notes-from-delta/pause')
        waybill.wait_until(lambda: len(documents(plant, state='acknowledged', limit=100)) >= 12, 30,
                           'what plant-7 sends to be acknowledged')
        waybill.wait_until(lambda: len(documents(plant, state='processed', direction='in', limit=100)) >= 12,
                           30, 'what acme sends to be processed')
        for state in 'failed', 'overdue', 'sealed':
            waybill.wait_until(lambda s=state: documents(plant, state=s), 30, f'a document that is {state}')


def main():
    with tempfile.TemporaryDirectory(prefix='wb-sample-') as d, Sample(d) as s:
        s.user('zoe', 'admin')
        s.user('ole', 'operator')
        s.user('vic', 'viewer')
        s.fill()
        print(s.url, 'zoe', PASSWORD, flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                time.sleep(1)


if __name__ == '__main__':
    sys.exit(main())
