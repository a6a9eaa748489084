"""A scripted run of a gateway and its partner, of which the books must balance whatever happens in
between: files in by OFTP2, one of them secured, a message in by AS2, a document out by each, and
the receipts of all.

    books = Books(directory)         a gateway with what it needs, kept as a template
    books.begin()                    the template as new; what the partner knows is forgotten
    books.start(env) ; books.run()   the script, as far as it goes
    books.finish()                   all that is still due, then check(): what is wrong"""

import collections
import contextlib
import hashlib
import http.client
import pathlib
import random
import shutil
import signal
import sqlite3
import subprocess
import threading
import time

import as2
import as2_scene
import oftp
import proxy
import scene
import waybill
from as2_http import Closed, Connection, Silent

OUR, PEER = 'O0013WAYBILL', 'O0013PEER'
BROKEN = (OSError, http.client.HTTPException, oftp.Closed, oftp.Ended, oftp.Silent, oftp.Unexpected,
          Closed, Silent)


class Inbound:
    """What the partner hands in. said: it was acknowledged (EFPA, MDN)."""

    def __init__(self, name, content, thing):
        self.name, self.content, self.thing = name, content, thing
        self.said = self.known = False
        self.answers = []


class Outbound:
    """What is handed to the gateway. said: it was accepted (201). settled: our receipt for it was
    taken (RTR; AS2: the answer with it went out)."""

    def __init__(self, name, content):
        self.name, self.content = name, content
        self.said = self.settled = False
        self.stamps = set()     # under which it came
        self.wrong = []


class Books:
    """settings: of the runtime; partner: of the partner's as2; timeout: of the partner's waits.
    proxies: partner and gateway meet through a Proxy for each way, by name .proxies."""

    def __init__(self, directory, settings=None, *, partner=None, timeout=10, proxies=False):
        self.directory = pathlib.Path(directory)
        self.dice = random.Random(6)
        self.template = self.directory / 'template'
        self.live = self.directory / 'plant' / 'live'   # what the faults are for: data and inbox
        self.inbox = self.live / 'inbox'
        self.lock = threading.Lock()
        self.timeout = timeout * waybill.slow()
        self.partner = partner or {}
        self.server = oftp.Server(PEER, 'PW', timeout=self.timeout)
        self.gateway = waybill.Gateway(self.directory / 'plant', settings=waybill.merge({
            'runtime': {'data_directory': str(self.live / 'data'),
                        'key_file': str(self.directory / 'keys' / 'store.key')},
            'as2_server': {**as2_scene.SERVER, 'mdn_retry_first': '50ms'}}, settings or {}))
        self.gateway.data = self.live / 'data'
        self.inbox.mkdir(parents=True)
        self.as2_peer = as2.Peer('Partner', as2_scene.keys('partner'), as2_scene.OWN,
                                 as2_scene.keys('us').cert)
        self.stopping = self.closed = False     # closed: the partner answers nobody
        self._forget()
        self.as2_server = as2.Partner(self.as2_peer)
        self._take = self.as2_server._take
        self.as2_server._take = self._as2_message
        self.proxies = {}
        if proxies:
            self.proxies = {'OFTP2 out': proxy.Proxy(self.server.port),
                            'AS2 out': proxy.Proxy(self.as2_server.port)}
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()
        self._set_up()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stopping = True
        if self.gateway.running():
            self.gateway.kill9()
        for p in self.proxies.values():
            p.stop()
        self.thread.join(30)
        self.server.stop()
        self.as2_server.stop()
        shutil.rmtree(self.gateway.socket_directory, ignore_errors=True)
        while self.gateway.held:
            self.gateway.held.pop().close()

    # -- the template --

    def _set_up(self):
        quick = {'first': '50ms', 'max': '200ms'}
        out = {name: p.port for name, p in self.proxies.items()} or {
            'OFTP2 out': self.server.port, 'AS2 out': self.as2_server.port}
        us, peer = as2_scene.keys('us'), as2_scene.keys('partner')
        write = [{'write': {'directory': str(self.inbox), 'name': '{{document.name}}'}}]
        with contextlib.ExitStack() as stack:   # not of the gateway: its ports stay ours
            g = self.gateway.start()
            stack.callback(g.stop)
            scene.apply(
                g, as2_scene.certificate('us'), as2_scene.certificate('partner'),
                {'identity': 'us', 'oftp2': {
                    'odette_id': OUR, 'password': 'OURPW', 'decryption_certificate': 'as2-us'},
                    'as2': as2_scene.identity()['as2']},
                {'partner': 'peer', 'oftp2': {
                    'odette_id': PEER, 'password': 'PW', 'host': '127.0.0.1',
                    'port': out['OFTP2 out'], 'identity': 'us', 'retry': quick,
                    'signature_verification_certificate': 'as2-partner'},
                 'as2': {'as2_id': 'Partner', 'identity': 'us', **self.partner,
                         'url': f'http://127.0.0.1:{out["AS2 out"]}/as2',
                         'signing_certificate': 'as2-partner',
                         'encryption_certificate': 'as2-partner', 'retry': quick,
                         'send': {'encrypted': False, 'mdn': 'sync'}}},
                {'process': 'files', 'start': {'listen': 'oftp2-server', 'operation': {
                    'from': {'partner': 'peer'}, 'to': {'identity': 'us'}}}, 'steps': write},
                {'process': 'messages', 'start': {'listen': 'as2-server', 'operation': {
                    'from': {'partner': 'peer'}, 'to': {'identity': 'us'},
                    'require': {'signed': True, 'encrypted': True}}}, 'steps': write})
            as2_port = as2_scene.url(g).split(':')[2].split('/')[0]
            g.config['as2_server']['endpoints'][0]['port'] = int(as2_port)
            self.as2_port, self.port = int(as2_port), g.port
            if self.proxies:
                self.proxies['OFTP2 in'] = proxy.Proxy(g.port)
                self.proxies['AS2 in'] = proxy.Proxy(self.as2_port)
                self.port = self.proxies['OFTP2 in'].port
                as2_port = self.proxies['AS2 in'].port
            self.as2_url = f'http://127.0.0.1:{as2_port}/as2'
        shutil.copytree(self.live, self.template)
        plain, secured, message = (self.dice.randbytes(n) for n in (100000, 3000, 50000))
        self.contents = {'plain': plain, 'secured': secured, 'message': message,
                         'file-out': self.dice.randbytes(60000),
                         'message-out': self.dice.randbytes(40000)}
        signed = subprocess.run(
            ['openssl', 'cms', '-sign', '-binary', '-nodetach', '-outform', 'DER', '-signer',
             peer.cert, '-inkey', peer.key], input=secured, capture_output=True, check=True).stdout
        self.sealed = subprocess.run(
            ['openssl', 'cms', '-encrypt', '-binary', '-outform', 'DER', '-aes256', us.cert],
            input=signed, capture_output=True, check=True).stdout
        self.as2_message = self.as2_peer.message(message, 'ES', name='message')

    # -- one run --

    def _forget(self):
        with self.lock:
            self.into, self.out = {}, {}
            self.taken = {}         # DSN: the SFID
            self.eerps = collections.Counter()
            self.nerps = []
            self.owed = []          # SFIDs of files whose EERP has no RTR yet
            self.problems = []
            self.sessions = 0

    def begin(self, state=None):
        """The files as in the template, or in another folder; the partner knows nothing."""
        if self.gateway.running():
            self.gateway.kill9()
        # a session that is just ending may still change the lists
        waybill.wait_until(lambda: self.sessions == 0, 20, 'the partner\'s sessions to end')
        shutil.rmtree(self.live, ignore_errors=True)
        shutil.copytree(state or self.template, self.live)
        self._forget()
        c = self.contents
        self.into = {
            'plain': Inbound('PLAIN', c['plain'], oftp.File(c['plain'], dsn='PLAIN')),
            'secured': Inbound('SECURED', c['secured'], oftp.File(
                self.sealed, dsn='SECURED', env=1, ciph=4, sec=3)),
            'message': Inbound('message', c['message'], self.as2_message)}
        self.out = {'file-out': Outbound('FILEOUT', c['file-out']),
                    'message-out': Outbound('message-out', c['message-out'])}

    def start(self, env=None):
        """Starts the gateway and waits until it serves, perhaps only refusals. False when it
        ended instead."""
        self.gateway.env = dict(env or {})
        self.gateway.start(wait=False)
        end = time.monotonic() + waybill.patient(30)
        while self.gateway.running() and time.monotonic() < end:
            try:
                if self.gateway.request('GET', '/healthz', timeout=5)[0] == 200:
                    # the ports as well
                    for port in self.gateway.port, self.as2_port:
                        oftp.socket.create_connection(('127.0.0.1', port), 5).close()
                    return True
            except BROKEN:
                time.sleep(0.005)
        assert not self.gateway.running(), 'the gateway neither serves nor ends'
        return False

    def run(self, patience=2):
        """The script. What is broken off is left to finish()."""
        for what in 'plain', 'secured':
            with contextlib.suppress(*BROKEN):
                self.hand_file(self.into[what])
        with contextlib.suppress(*BROKEN):
            self.hand_message(self.into['message'])
        for out, protocol in (('file-out', 'oftp2'), ('message-out', 'as2')):
            with contextlib.suppress(*BROKEN):
                self.hand_out(self.out[out], protocol)
        with contextlib.suppress(AssertionError, *BROKEN):
            waybill.wait_until(self.settled, patience)

    def stop(self):
        """SIGTERM; the exit status. The program may have ended by itself."""
        g = self.gateway
        if g.running():
            with contextlib.suppress(ProcessLookupError):
                g.signal(signal.SIGTERM)
        status = g.exit_status()
        g._look_for_findings()
        return status

    # -- what the partner does --

    def hand_file(self, what):
        with oftp.Peer.connect('127.0.0.1', self.port, PEER, 'PW',
                               timeout=self.timeout) as me:
            me.log_on()
            self.play(me, what)

    def play(self, me, what=None):
        """A session by the book; what was said in it is kept even when it breaks."""
        while True:
            if me.speaker:
                with self.lock:     # one session at a time sends it
                    sfid = self.owed.pop(0) if self.owed else None
                if sfid is not None:
                    try:
                        me.send_eerp(sfid)
                    except BaseException:
                        with self.lock:
                            self.owed.append(sfid)
                        raise
                    self._of(sfid.dsn).settled = True
                elif what is not None:
                    outcome = me.send_file(what.thing)
                    what.answers.append(outcome)
                    again = outcome.answer.name == 'SFNA' and outcome.answer.reas == 13
                    what.said, what.known = outcome.taken or what.said, again or what.known
                    what = None
                elif me.pass_turn():
                    return
                continue
            command = me.expect('SFID', 'EERP', 'NERP', 'CD', 'ESID')
            me.gave_turn = me.gave_turn and command.name in ('CD', 'ESID')
            if command.name == 'SFID':
                self._take_file(me, command)
            elif command.name == 'EERP':
                me.send('RTR')
                self.eerps[command.dsn] += 1
            elif command.name == 'NERP':
                me.send('RTR')
                self.nerps.append(command)
            elif command.name == 'CD':
                me.speaker, me.after_cd = True, True
            else:
                me.close()
                return

    def _take_file(self, me, sfid):
        out, stamp = self._of(sfid.dsn), (sfid.dsn, sfid.date, sfid.time)
        again = stamp in out.stamps
        if again and self.dice.random() < 0.5:
            me.refuse_file(13)
            return
        got = me.take_file(sfid)
        with self.lock:
            out.stamps.add(stamp)
            if got.data != out.content:
                out.wrong.append(f'{out.name} came with other octets, {len(got.data)} of them')
            self.taken[sfid.dsn] = sfid
            if not again:
                self.owed.append(sfid)

    def _of(self, name):
        return next(o for o in self.out.values() if o.name == name)

    def _serve(self):
        while not self.stopping:
            try:
                me = self.server.accept(timeout=0.2)
            except (oftp.Silent, OSError):
                continue
            if self.closed:
                me.close()
                continue
            with self.lock:
                self.sessions += 1
            try:
                with me:
                    me.log_on()
                    self.play(me)
            except BROKEN:
                pass
            except Exception as e:      # the check looks at it
                self.problems.append(e)
            finally:
                with self.lock:
                    self.sessions -= 1

    def _as2_message(self, request):
        if self.closed:
            return as2.Answer(503)
        answer = self._take(request)
        got = self.as2_server.messages.get()
        with self.lock:
            out = self.out['message-out']
            out.stamps.add(got.get('Message-ID'))
            if got.payload != out.content:
                out.wrong.append(f'{out.name} came with other octets')
        return answer

    def hand_message(self, what):
        m = what.thing
        with Connection(self.as2_url, timeout=self.timeout) as c:
            c.request(m.fields, m.body)
            response = c.response()
        what.answers.append(response)
        if response.status == 200:
            mdn = self.as2_peer.read_mdn(m, response.fields, response.body)
            what.answers.append(mdn.disposition)
            if mdn.positive:
                what.said = True
            else:   # as its sender would: a new message of the same content
                what.thing = m.with_field('Message-ID', self.as2_peer.new_id())
                what.thing.message_id = as2.get(what.thing.fields, 'Message-ID')

    def hand_out(self, what, protocol):
        path = scene.query('/api/v1/documents', partner='peer', name=what.name, key=what.name,
                           protocol=protocol)
        status, answer = self.gateway.request('POST', path, what.content, timeout=10)
        what.said = what.said or status == 201
        return status, answer

    def settled(self):
        g = self.gateway
        return (all(w.said for w in [*self.into.values(), *self.out.values()])
                and not g.get('/api/v1/jobs')['jobs'] and not g.get('/api/v1/sessions')['sessions']
                and not self.owed
                and all(d['state'] in ('processed', 'acknowledged', 'failed', 'refused')
                        for d in g.get('/api/v1/documents?limit=100')['documents']))

    def settled_out(self):
        """Everything handed out has its receipt."""
        found = self.gateway.get('/api/v1/documents?direction=out')['documents']
        return bool(found) and all(d['state'] == 'acknowledged' for d in found)

    # -- the end --

    def finish(self, patience=30):
        """On a gateway without faults: everything that was not acknowledged is sent again, what
        failed is run again by an operator, and the rest awaited. How many were run again."""
        g, short = self.gateway, self.timeout
        for w in self.into.values():
            hand = self.hand_file if isinstance(w.thing, oftp.File) else self.hand_message
            for n in range(20):
                if w.said or w.known:
                    break
                time.sleep(0.01 * n)
                self.timeout = max(short, n)    # nothing is meant to fail any more
                with contextlib.suppress(*BROKEN):
                    hand(w)
            self.timeout = short
            assert w.said or w.known, f'{w.name} is not taken: {w.answers}'
            w.said = True
        for (name, w), protocol in zip(self.out.items(), ('oftp2', 'as2')):
            answer = self.hand_out(w, protocol)
            assert w.said, f'{name} is not accepted: {answer}'
        again = 0

        def there():
            nonlocal again
            if self.owed:
                with contextlib.suppress(*BROKEN):
                    with oftp.Peer.connect('127.0.0.1', self.port, PEER, 'PW',
                                           timeout=self.timeout) as me:
                        me.log_on()
                        self.play(me)
            if not self.settled():
                return False
            failed = g.get('/api/v1/documents?state=failed')['documents']
            for d in failed:
                again += 1
                assert again < 10, f'{d["id"]} {d["name"]}: {d["reason"]}'
                status, answer = g.request('POST', f'/api/v1/documents/{d["id"]}/retry')
                assert status in (200, 409), (status, answer)   # 409: it runs already
            return not failed
        try:
            waybill.wait_until(there, patience, 'all to settle', 0.02)
        except AssertionError as e:
            left = [(d['id'], d['name'], d['state'], d['reason'])
                    for d in g.get('/api/v1/documents')['documents']]
            raise AssertionError(f'{e}: {g.get("/api/v1/jobs")}\n{left}\n{self.problems}'
                                 ) from None
        return again

    def check(self):
        """What is wrong, as lines."""
        g, wrong = self.gateway, [str(p) for p in self.problems]
        documents = g.get('/api/v1/documents?limit=1000')['documents']
        for w in self.into.values():
            mine = [d for d in documents if d['direction'] == 'in' and d['name'] == w.name]
            done = [d for d in mine if d['state'] == 'processed']
            if len(done) != 1 or [d for d in mine if d['state'] not in ('processed', 'refused')]:
                wrong.append(f'{w.name}: {[(d["id"], d["state"], d["reason"]) for d in mine]}')
            files = [p for p in self.inbox.iterdir() if p.name.startswith(w.name)]
            if len(files) != 1 or files[0].read_bytes() != w.content:
                wrong.append(f'{w.name}: {[(p.name, p.stat().st_size) for p in files]}')
        others = [p.name for p in self.inbox.iterdir()
                  if p.name not in [w.name for w in self.into.values()]]
        if others:
            wrong.append(f'in the inbox: {others}')
        for name in 'PLAIN', 'SECURED':
            if not self.eerps[name]:
                wrong.append(f'{name}: no EERP came')
        if self.nerps:
            wrong.append(f'negative: {self.nerps}')
        for w in self.out.values():
            mine = [d for d in documents if d['direction'] == 'out' and d['name'] == w.name]
            if [d['state'] for d in mine] != ['acknowledged']:
                wrong.append(f'{w.name}: {[(d["id"], d["state"], d["reason"]) for d in mine]}')
            if len(w.stamps) != 1:
                wrong.append(f'{w.name} came as {w.stamps}')
            wrong += w.wrong
        return wrong

    def close(self):
        """Ends the gateway and looks at the store itself."""
        status = self.stop()
        wrong = [] if status == 0 else [f'exit status {status}']
        with contextlib.closing(sqlite3.connect(f'file:{self.gateway.data}/waybill.db?mode=ro',
                                                uri=True)) as db:
            said = db.execute('PRAGMA integrity_check').fetchall()
        if said != [('ok',)]:
            wrong.append(f'integrity: {said}')
        return wrong

    def digest(self):
        """What an observer sees of the end: to compare runs."""
        return {'inbox': {p.name: hashlib.sha256(p.read_bytes()).hexdigest()
                          for p in self.inbox.iterdir()},
                'documents': sorted((d['direction'], d['name'], d['state'], d['size'])
                                    for d in self.gateway.get('/api/v1/documents')['documents']),
                'eerps': dict(self.eerps), 'stamps': {n: len(w.stamps)
                                                      for n, w in self.out.items()}}
