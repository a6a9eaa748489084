"""Partners that a gateway sends to by AS2: Out joins as2_scene.Relation with the as2.Partner that is
posted to. A module that uses it takes the fixture of its gateway from here:

    from as2_sending import Out, shared_gateway

so that asynchronous MDNs find their way: as2_server.mdn_url must name a port the system picked."""

import contextlib
import itertools

import pytest

import as2
import as2_scene
import scene
import waybill

SYNC, ASYNC = {'mdn': 'sync'}, {'mdn': 'async'}
# How each nesting is asked for.
LAYERS = {
    '': {}, 'S': {'signed': True}, 'E': {'encrypted': True}, 'C': {'compressed': 'before_signing'},
    'ES': {'signed': True, 'encrypted': True},
    'SC': {'signed': True, 'compressed': 'before_signing'},
    'CS': {'signed': True, 'compressed': 'after_signing'},
    'EC': {'encrypted': True, 'compressed': 'after_signing'},
    'ESC': {'signed': True, 'encrypted': True, 'compressed': 'before_signing'},
    'ECS': {'signed': True, 'encrypted': True, 'compressed': 'after_signing'},
}
_numbers = itertools.count(1)


@contextlib.contextmanager
def gateway(directory, **options):
    """A gateway whose mdn_url is where it listens."""
    settings = waybill.merge(as2_scene.PLANT['settings'], options.pop('settings', {}))
    with waybill.Gateway(directory, settings=settings, **options) as g:
        url = as2_scene.url(g)
        server = dict(g.config['as2_server'])
        server['endpoints'] = [{**server['endpoints'][0], 'port': int(url.split(':')[2][:-4])},
                               *server['endpoints'][1:]]
        g.config['as2_server'] = {**server, 'mdn_url': url}
        g.restart()
        yield g


@pytest.fixture(scope='module')
def shared_gateway(tmp_path_factory, request):
    with gateway(tmp_path_factory.mktemp('plant') / 'plant-7',
                 **getattr(request.module, 'PLANT', {})) as g:
        yield g


def layers(nesting):
    """Settings of `send` for a nesting."""
    return {'signed': False, 'encrypted': False, **LAYERS[nesting]}


class Out:
    """A partner that `gateway` sends to, and the server that is it.

    nesting    of what is sent; send: more of its settings
    how        keywords of as2.Partner; server: another as2_http.Server instead of one
    url        appended to the URL, such as '?a=b'
    settings   of the partner's as2"""

    def __init__(self, gateway, nesting='S', *, send=None, how=None, server=None, url='', code=None,
                 key='partner', own=as2_scene.OWN, version='1.2', **settings):
        code = code or f'Out-{next(_numbers)}'
        self.peer = as2.Peer(code, as2_scene.keys(key), own, as2_scene.keys('us').cert, version)
        self.server = server or as2.Partner(self.peer, **(how or {}))
        settings = {'url': self.server.url + url, **settings, 'retry': {
            'first': '100ms', 'max': '200ms', **settings.get('retry', {})}}
        self.relation = as2_scene.Relation(
            gateway, server=self.server, code=code, own=own, key=key,
            **{'listen': False, **settings, 'send': {**layers(nesting), **(send or {})}})
        self.gateway, self.name, self.code = gateway, self.relation.name, code

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.server.stop()
        if kind is None:
            assert not self.server.problems, self.server.problems

    def change(self, **more):
        """Other settings of the partner."""
        scene.apply(self.gateway, self.relation.partner_component(**more))

    def send(self, data=b"UNB+UNOA:2+A+B'\r\n", **parameters):
        """Hands a document in; its number."""
        path = scene.query('/api/v1/documents', partner=self.name,
                           **{'name': 'orders.edi', **parameters})
        return scene.post(self.gateway, path, 201, data)['id']

    def wait(self, number, *states, timeout=20):
        return scene.wait_document(self.gateway, number, *states, timeout=timeout)

    def exchange(self, *states, data=b"UNB+UNOA:2+A+B'\r\n", **parameters):
        """Sends, and the document once it is in one of these states (acknowledged)."""
        return self.wait(self.send(data, **parameters), *(states or ('acknowledged',)))

    def script(self, *answers):
        """What the next requests get: Answers, statuses, functions, None for the right one."""
        self.server.script.extend(as2.Answer(a) if isinstance(a, int) else a for a in answers)

    def requests(self):
        """All that have come so far."""
        found = []
        while not self.server.requests.empty():
            found.append(self.server.requests.get())
        return found

    def received(self):
        """The next as2.Received."""
        return self.server.next_message()

    def still(self, number, state, seconds=0.5):
        """Asserts that the document stays in this state."""
        scene.settled(lambda: scene.document(self.gateway, number)['state'] != state, seconds)


def kinds(document):
    return [e['kind'] for e in document['events']]


def texts(document):
    return ' | '.join(f'{e["kind"]}: {e["text"]}' for e in document['events'])
