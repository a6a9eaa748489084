"""Partners of a gateway for the integration tests. Many tests share one gateway; each makes a
Relation of its own: a partner with its own identification code, one process that listens for it
and writes what comes into a folder of its own. So tests do not see one another.

    r = Relation(gateway)
    with r.call() as me:                  a session of that partner, logged on
        me.send_file(b'octets')
        me.run()
    r.delivered(1)                        what the step `write` put there
    r.wait_document('processed')          what the gateway says of it"""

import contextlib
import itertools
import json
import pathlib
import re
import time
import urllib.parse

import oftp
import waybill

OWN, OWN_PASSWORD = 'O0013WAYBILL', 'OURPW'
_numbers = itertools.count(1)


def identity(name='us', code=OWN, password=OWN_PASSWORD, **more):
    return {'identity': name, 'oftp2': {'odette_id': code, 'password': password, **more}}


def partner(name, code, password='PW', **oftp2):
    return {'partner': name, 'oftp2': {'odette_id': code, 'password': password, **oftp2}}


def process(name, sender, steps=(), to='us', **operation):
    """sender: a partner component's name, or the settings of `from` in place; to likewise."""
    sender = {'partner': sender} if isinstance(sender, str) else sender
    to = {'identity': to} if isinstance(to, str) else to
    out = {'process': name, 'start': {'listen': 'oftp2-server', 'operation': {
        'from': sender, 'to': to, **operation}}}
    return {**out, 'steps': list(steps)} if steps else out


def apply(gateway, *components, status=200):
    """Applies components over the API; the answer."""
    text = waybill.components_text(list(components))
    got, body = gateway.request('POST', '/api/v1/components?file=test.yaml', text.encode())
    assert got == status, f'apply: {got} {body.decode()}\n{text}'
    return json.loads(body)


def post(gateway, path, status=200, body=None):
    got, answer = gateway.request('POST', path, body)
    assert got == status, f'POST {path}: {got} {answer[:2000]!r}'
    return json.loads(answer)


def query(path, **parameters):
    given = {k: v for k, v in parameters.items() if v is not None}
    return path + ('?' + urllib.parse.urlencode(given) if given else '')


def document(gateway, number):
    """All of a document, of one moment: its events, receipts and jobs are read one after the other,
    so what changes meanwhile may be in some of them only. Twice the same has not changed."""
    d = None
    for _ in range(20):
        before, d = d, gateway.get(f'/api/v1/documents/{number}')
        if d == before:
            break
    return d


def wait_document(gateway, number, *states, timeout=20):
    """Waits until a document is in one of these states; gives all of it."""
    def there():
        d = document(gateway, number)
        last.append(d)
        return d if d['state'] in states else None
    last = []
    try:
        return waybill.wait_until(there, timeout, f'document {number} to be {states}')
    except AssertionError as e:
        if not last:
            raise
        d = last[-1]
        raise AssertionError(f'{e}; it is {d["state"]}: {d["reason"]}\n{d["events"]}\n'
                             f'{d["jobs"]}') from None


def wait_told(gateway, number, timeout=20):
    """Waits until the receipts of a document are noted as sent, which comes a little after they were;
    gives all of the document."""
    def told():
        d = document(gateway, number)
        last[:] = [(r['kind'], r['state']) for r in d['receipts']], d['events']
        return d if d['receipts'] and all(r['state'] != 'pending' for r in d['receipts']) else None
    last = []
    try:
        return waybill.wait_until(told, timeout, f'the receipts of document {number} to be sent')
    except AssertionError as e:
        raise AssertionError(f'{e}; there are {last}') from None


def events(d):
    return [e['kind'] for e in d['events']]


class Relation:
    """A partner of `gateway`, an identity it shares with others, and a process.

    operation    settings of the operation besides from and to
    steps        of the process; default: write into .inbox by the name of the file
    settings     of the partner's oftp2, such as host and port
    server       an oftp.Server that the gateway may call: sets host, port and quick retries
    listen       False: no process"""

    def __init__(self, gateway, *, operation=None, steps=None, server=None, listen=True,
                 name=None, code=None, password='PW', own=OWN, **settings):
        n = next(_numbers)
        self.gateway = gateway
        self.name = name or f'p{n}'
        self.code = code or (server.code if server else f'O0013PARTNER{n:04d}')
        self.password = server.pswd if server else password
        self.own = own
        self.listener = f'{self.name}-in'
        self.inbox = pathlib.Path(gateway.directory) / f'inbox-{n}'
        self.inbox.mkdir(parents=True)
        self.server = server
        if server is not None:
            settings = {'host': server.host, 'port': server.port, 'identity': 'us',
                        'retry': {'first': '100ms', 'max': '200ms'}, **settings}
        self.settings = settings
        self.operation = operation or {}
        self.steps = steps
        components = [identity(), self.partner_component()]
        if listen:
            components.append(self.process_component())
        apply(gateway, *components)

    def partner_component(self, **more):
        return partner(self.name, self.code, **{'password': self.password,
                                                **waybill.merge(self.settings, more)})

    def process_component(self, steps=None, **more):
        steps = steps or self.steps
        if steps is None:
            steps = [{'write': {'directory': self.inbox, 'name': '{{oftp2.sfiddsn}}',
                                'existing': 'number'}}]
        return process(self.listener, self.name, steps, **waybill.merge(self.operation, more))

    # -- sessions --

    def peer(self, **options):
        """A connection of the partner, before SSRM."""
        return oftp.Peer.connect(self.gateway.host, self.gateway.port, self.code, self.password,
                                 **options)

    @contextlib.contextmanager
    def call(self, **options):
        """A session of the partner, logged on."""
        with self.peer(**options) as me:
            me.log_on()
            yield me

    def deliver(self, *files, **options):
        """A whole session that hands over files and takes what comes back. The Peer."""
        with self.call(**options) as me:
            for f in files:
                outcome = me.send_file(f)
                assert outcome.taken, outcome
            assert me.run() == 0
        return me

    # -- what became of it --

    def delivered(self, count=1, timeout=20):
        """The paths in .inbox once there are as many, and no more."""
        found = self.gateway.wait_files(self.inbox, count, timeout=timeout)
        assert len(found) == count, found
        return found

    def documents(self, **filters):
        found = self.gateway.get(query('/api/v1/documents', partner=self.name, **filters))
        return found['documents']

    def wait_document(self, *states, count=1, timeout=20, **filters):
        """The newest document in one of these states once there are `count` of them."""
        def there():
            found = [d for d in self.documents(**filters) if d['state'] in states]
            return found[0] if len(found) >= count else None
        try:
            d = waybill.wait_until(there, timeout, f'{count} documents of {self.name} {states}')
        except AssertionError as e:
            raise AssertionError(f'{e}; there are '
                                 f'{[(d["state"], d["reason"]) for d in self.documents()]}'
                                 ) from None
        return document(self.gateway, d['id'])

    def send(self, data, status=201, **parameters):
        """Hands a document in for the partner; its number."""
        path = query('/api/v1/documents', partner=self.name, **parameters)
        answer = post(self.gateway, path, status, data)
        return answer.get('id', answer)

    def listener_state(self):
        for entry in self.gateway.get('/api/v1/listeners')['listeners']:
            if entry['name'] == self.listener:
                return entry
        raise AssertionError(f'no listener {self.listener}')

    def log(self, pattern, count=1, timeout=10):
        """Log lines that name this partner, its code or its listener, and match."""
        def there():
            found = [line for line in self.gateway.log_lines(pattern)
                     if {self.name, self.listener} & set(re.split('[\\s="]+', line))
                     or self.code in line]
            last[:] = found
            return found if len(found) >= count else None
        last = []
        try:
            return waybill.wait_until(there, timeout,
                                      f'{count} lines with {pattern!r} of {self.name} in the log')
        except AssertionError as e:
            raise AssertionError(f'{e}; there are {last}') from None


class Gate:
    """A program for the step `exec` that runs until it is told to end: .step, open()."""

    def __init__(self, directory):
        self.file = pathlib.Path(directory) / f'gate-{next(_numbers)}'
        self.step = {'exec': {'command': [
            '/bin/sh', '-c', f'until test -e {self.file}; do sleep 0.05; done']}}

    def open(self):
        self.file.touch()


def sessions_gone(gateway, timeout=20):
    """Waits until the gateway has no session left."""
    waybill.wait_until(lambda: not gateway.get('/api/v1/sessions')['sessions'], timeout,
                       'sessions to be gone')


def break_off(relation, me, octets):
    """Breaks the connection once the gateway has read so many octets of the file: a reset takes
    along what was not read."""
    def there():
        return any(x['done'] >= octets for x in relation.gateway.get('/api/v1/sessions')['sessions']
                   if x['partner'] == relation.name)
    waybill.wait_until(there, 20, f'{octets} octets of {relation.name} to be received')
    me.reset()


def partial(relation, octets, timeout=20):
    """Waits until a cut transfer left at least so many octets; the document."""
    def there():
        found = [d for d in relation.documents(state='receiving')
                 if d['progress'] >= octets]
        return found[0] if found else None
    return waybill.wait_until(there, timeout, f'{octets} octets kept')


def settled(check, seconds=0.5):
    """Asserts that something stays false for a while: what must not happen."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = check()
        assert not value, value
        time.sleep(0.02)
