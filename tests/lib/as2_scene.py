"""AS2 partners of a gateway for the integration tests, as scene.py has them for OFTP2. Many tests
share one gateway; each makes a Relation of its own: a partner with its own AS2 ID, one process
that listens for it and writes what comes into a folder of its own.

    r = Relation(gateway)
    mdn = r.exchange(r.message(b'octets', 'ES'))     posted, and the MDN of the answer, verified
    r.content()                           what the step `write` put into .inbox
    r.wait_document('processed')          what the gateway says of it"""

import atexit
import itertools
import pathlib
import shutil
import tempfile

import as2
import scene
import waybill
from patience import patient

OWN = 'WAYBILL'
SERVER = {'endpoints': [{'host': '127.0.0.1', 'port': 0}], 'domain': 'us.example'}
PLANT = {'settings': {'as2_server': SERVER}}
_numbers = itertools.count(1)
_keys = {}
_directory = []


def directory():
    """One for the keys of this run."""
    if not _directory:
        _directory.append(pathlib.Path(tempfile.mkdtemp(prefix='wb-as2-')))
        atexit.register(shutil.rmtree, _directory[0], True)
    return _directory[0]


def keys(name, kind='rsa:2048'):
    """Keys by this name, made once: 'us', 'partner' (all partners have these unless told
    otherwise), 'stranger', ..."""
    if name not in _keys:
        _keys[name] = as2.Keys.make(directory(), name, kind)
    return _keys[name]


def certificate(name, key=None):
    """A certificate component of these keys; key: None: with the key when it is ours."""
    k = keys(name)
    with_key = name.startswith('us') if key is None else key
    return {'certificate': f'as2-{name}', 'file': k.cert,
            **({'key_file': k.key} if with_key else {})}


def url(gateway, tls=False, path='/as2'):
    """The URL of the AS2 server as it runs now."""
    runtime = gateway.get('/api/v1/runtime')
    for e in runtime['endpoints']:
        if e['protocol'] == 'as2' and bool(e['tls']) == tls:
            return f'{"https" if tls else "http"}://127.0.0.1:{e["port"]}{path}'
    raise AssertionError(f'no AS2 endpoint with tls={tls}: {runtime}')


def identity(name='as2-us', own=OWN, **more):
    return {'identity': name, 'as2': {
        'as2_id': own, 'decryption_certificate': 'as2-us', 'mdn_signing_certificate': 'as2-us',
        'signing_certificate': 'as2-us', **more}}


class Relation:
    """A partner of `gateway`, an identity it shares with others, and a process.

    operation    settings of the operation besides from and to
    steps        of the process; default: write into .inbox by the name of the file
    settings     of the partner's as2
    code         its AS2 ID; own: ours
    key          the name of its keys
    server       an as2.Partner or Server: sets url and quick retries
    listen       False: no process"""

    def __init__(self, gateway, *, operation=None, steps=None, server=None, listen=True,
                 code=None, own=OWN, key='partner', identity_settings=None, **settings):
        n = next(_numbers)
        self.gateway = gateway
        self.name = f'as2-p{n}'
        self.code = code or f'Partner-{n}'
        self.own, self.key = own, key
        self.identity = 'as2-us' if own == OWN and not identity_settings else f'as2-us{n}'
        self.listener = f'{self.name}-in'
        self.inbox = pathlib.Path(gateway.directory) / f'as2-inbox-{n}'
        self.inbox.mkdir(parents=True)
        if server is not None:
            settings = {'url': server.url, 'identity': self.identity,
                        'retry': {'first': '100ms', 'max': '200ms'}, **settings}
        self.settings, self.operation, self.steps = settings, operation or {}, steps
        self.peer = as2.Peer(self.code, keys(key), own, keys('us').cert)
        components = [certificate('us'), certificate(key),
                      identity(self.identity, own, **(identity_settings or {})),
                      self.partner_component()]
        if listen:
            components.append(self.process_component())
        scene.apply(gateway, *components)

    def partner_component(self, **more):
        return {'partner': self.name, 'as2': waybill.merge(
            {'as2_id': self.code, 'signing_certificate': f'as2-{self.key}',
             'encryption_certificate': f'as2-{self.key}', **self.settings}, more)}

    def process_component(self, steps=None, **more):
        steps = steps or self.steps
        if steps is None:
            steps = [{'write': {'directory': self.inbox, 'name': '{{document.name}}',
                                'existing': 'number'}}]
        return {'process': self.listener, 'steps': list(steps), 'start': {
            'listen': 'as2-server', 'operation': waybill.merge(
                {'from': {'partner': self.name}, 'to': {'identity': self.identity},
                 **self.operation}, more)}}

    def change(self, **more):
        """Other settings of the operation."""
        self.operation = waybill.merge(self.operation, more)
        scene.apply(self.gateway, self.process_component())

    # -- messages --

    @property
    def url(self):
        return url(self.gateway)

    def message(self, *args, **how):
        """as2.Peer.message()."""
        return self.peer.message(*args, **how)

    def exchange(self, message, disposition='processed', tls=None, **request):
        """Posts a message and reads the MDN of the answer, which must say this."""
        target = url(self.gateway, True) if tls else self.url
        mdn = self.peer.exchange(target, message, timeout=patient(60),
                                 **({'tls': tls} if tls else {}), **request)
        assert mdn.disposition == disposition, (mdn.disposition, mdn.text)
        return mdn

    def until_answered(self, message):
        """Posts a message again as long as we are told to come later; the answer."""
        def answered():
            response = message.post(self.url)
            return response if response.status != 503 else None
        return waybill.wait_until(answered, 20, 'an answer other than 503')

    def refused(self, message, fault):
        """The MDN of a message that is refused with this error; nothing is delivered."""
        mdn = self.exchange(message, f'processed/error: {fault}')
        assert self.files() == []
        return mdn

    # -- what became of it --

    def files(self):
        return sorted(p for p in self.inbox.iterdir())

    def delivered(self, count=1, timeout=20):
        """The paths in .inbox once there are as many, and no more."""
        found = self.gateway.wait_files(self.inbox, count, timeout=timeout)
        assert len(found) == count, found
        return found

    def content(self, timeout=20):
        """The octets of the only file delivered."""
        path, = self.delivered(1, timeout)
        return path.read_bytes()

    documents = scene.Relation.documents
    wait_document = scene.Relation.wait_document
    listener_state = scene.Relation.listener_state
    log = scene.Relation.log

    def document(self):
        """The only document there is, all of it."""
        found, = self.documents()
        return scene.document(self.gateway, found['id'])

    def property(self, name):
        return self.document()['properties'].get(name)
