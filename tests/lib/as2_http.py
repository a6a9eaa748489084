"""HTTP/1.1 on plain sockets for the AS2 partner of as2.py: what is sent can be as wrong as a test
wants, what comes is read strictly and kept octet for octet.

  Connection    a client's connection: request() and response(), or any octets with send()
  Server        waits on 127.0.0.1, records each Request, answers as it is told to

Header fields are lists of (name, value); a line given as bytes goes out as it is. It shares no
code with the program under test and none with Python's http package.
"""

import base64
import collections
import queue
import re
import socket
import ssl
import threading
import time
import urllib.parse

from patience import patient

HEAD_MAX = 256 * 1024
TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
REASONS = {100: 'Continue', 200: 'OK', 202: 'Accepted', 204: 'No Content', 302: 'Found',
           400: 'Bad Request', 401: 'Unauthorized', 403: 'Forbidden', 500: 'Internal Server Error',
           503: 'Service Unavailable'}


class FormatError(AssertionError):
    """The octets are not what the standard says."""


class Silent(AssertionError):
    """Nothing came in time."""


class Closed(Exception):
    """The connection ended too early. .octets: what had come of the message."""

    def __init__(self, text, octets=b''):
        super().__init__(text)
        self.octets = octets


# ---- header blocks --------------------------------------------------------------------------


def head_octets(fields):
    """The lines of a header block, without the empty one."""
    lines = []
    for field in fields:
        if isinstance(field, tuple):
            name, value = field
            field = f'{name}: {value}'.encode('latin-1')
        lines.append(field + b'\r\n')
    return b''.join(lines)


def get(fields, name, default=None):
    """The only value of a field, without regard to case; more than one is an error."""
    found = [f[1] for f in fields if isinstance(f, tuple) and f[0].lower() == name.lower()]
    if len(found) > 1:
        raise FormatError(f'{name} is there {len(found)} times: {found}')
    return found[0] if found else default


def replaced(fields, name, value):
    """The fields with this one changed where it stands, added at the end, or (None) removed."""
    out, done = [], value is None
    for f in fields:
        if isinstance(f, tuple) and f[0].lower() == name.lower():
            if not done:
                out.append((name, value))
            done = True
        else:
            out.append(f)
    return out if done else out + [(name, value)]


def parse_head(block, folds=False):
    """[(name, value)] of lines ended by CRLF. Strict: no folds unless allowed, no blanks before the
    colon, printable ASCII only."""
    if folds:
        block = re.sub(rb'[ \t]*\r\n[ \t]+', b' ', block)
    fields = []
    for line in block.split(b'\r\n')[:-1]:
        name, colon, value = line.partition(b':')
        if not colon or not TOKEN.match(name):
            raise FormatError(f'no header line: {line!r}')
        if not re.match(rb'[\t\x20-\x7e]*\Z', value):
            raise FormatError(f'not printable ASCII: {line!r}')
        fields.append((name.decode(), value.decode().strip(' \t')))
    if block and not block.endswith(b'\r\n'):
        raise FormatError(f'the header block does not end with CRLF: {block[-40:]!r}')
    return fields


# ---- messages from a socket -----------------------------------------------------------------


class Reader:
    """Reads HTTP messages and remembers the octets of the present one in .raw."""

    def __init__(self, sock):
        self.sock = sock
        self.ahead = b''
        self.raw = bytearray()

    def _more(self):
        try:
            octets = self.sock.recv(65536)
        except (TimeoutError, socket.timeout) as e:
            raise Silent(f'nothing came in {self.sock.gettimeout()} s; so far: '
                         f'{bytes(self.raw[-300:] + self.ahead[-300:])!r}') from e
        except (ssl.SSLError, ConnectionError) as e:
            raise Closed(f'the connection broke: {e}', bytes(self.raw)) from e
        if not octets:
            raise Closed('the connection was closed', bytes(self.raw) + self.ahead)
        self.ahead += octets

    def _take(self, n):
        octets, self.ahead = self.ahead[:n], self.ahead[n:]
        self.raw += octets
        return octets

    def until(self, end, limit=HEAD_MAX):
        while end not in self.ahead:
            if len(self.ahead) > limit:
                raise FormatError(f'no {end!r} within {limit} octets')
            self._more()
        return self._take(self.ahead.index(end) + len(end))

    def exactly(self, n):
        parts = []
        while n > 0:
            if not self.ahead:
                self._more()
            part = self._take(min(n, len(self.ahead)))
            parts.append(part)
            n -= len(part)
        return b''.join(parts)

    def to_end(self):
        parts = []
        while True:
            try:
                self._more()
            except Closed:
                return b''.join(parts) + self._take(len(self.ahead))
            parts.append(self._take(len(self.ahead)))

    def head(self):
        """(first line, fields) of the next message."""
        self.raw = bytearray()
        block = self.until(b'\r\n\r\n')
        first, _, rest = block[:-2].partition(b'\r\n')
        return first.decode('latin-1'), parse_head(rest)

    def chunks(self):
        """The body of a chunked message; its trailer is dropped."""
        parts = []
        while True:
            line = self.until(b'\r\n')[:-2]
            size = re.match(rb'([0-9A-Fa-f]{1,16})[ \t]*(;.*)?\Z', line)
            if size is None:
                raise FormatError(f'no chunk size: {line!r}')
            n = int(size.group(1), 16)
            if n == 0:
                while self.until(b'\r\n') != b'\r\n':
                    pass
                return b''.join(parts)
            parts.append(self.exactly(n))
            if self.exactly(2) != b'\r\n':
                raise FormatError('a chunk does not end with CRLF')

    def body(self, fields, until_closed):
        length, coding = get(fields, 'Content-Length'), get(fields, 'Transfer-Encoding')
        if coding is not None:
            if length is not None or coding.lower() != 'chunked':
                raise FormatError(f'Content-Length {length}, Transfer-Encoding {coding}')
            return self.chunks()
        if length is not None:
            if not re.match(r'[0-9]+\Z', length):
                raise FormatError(f'Content-Length: {length}')
            return self.exactly(int(length))
        return self.to_end() if until_closed else b''


def chunked(body, sizes, extension=b'', trailer=b''):
    """The body in chunks of this size, or of these sizes in turn."""
    sizes = [sizes] if isinstance(sizes, int) else list(sizes)
    out, at, turn = [], 0, 0
    while at < len(body):
        part = body[at:at + sizes[turn % len(sizes)]]
        out.append(b'%x%s\r\n%s\r\n' % (len(part), extension, part))
        at += len(part)
        turn += 1
    return b''.join(out) + b'0' + extension + b'\r\n' + trailer + b'\r\n'


# ---- the client -----------------------------------------------------------------------------


class Response:
    def __init__(self, status, reason, fields, body, interim, raw):
        self.status, self.reason, self.fields, self.body = status, reason, fields, body
        self.interim = interim      # statuses of 1xx responses before it
        self.raw = raw

    def get(self, name, default=None):
        return get(self.fields, name, default)

    def __repr__(self):
        return f'<Response {self.status} {self.reason} {self.fields} {self.body[:300]!r}>'


class Connection:
    """A connection to the host and port of a URL. tls: an ssl.SSLContext (oftp.client_tls),
    needed for https."""

    def __init__(self, url, tls=None, timeout=None):
        self.url = urllib.parse.urlsplit(url)
        secure = self.url.scheme == 'https'
        self.sock = socket.create_connection(
            (self.url.hostname, self.url.port or (443 if secure else 80)),
            patient(20) if timeout is None else timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if secure:
            try:
                self.sock = tls.wrap_socket(self.sock, server_hostname=self.url.hostname)
            except BaseException:
                self.sock.close()
                raise
        self.reader = Reader(self.sock)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def reset(self):
        """Ends it with RST instead of FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')
        self.sock.close()

    def send(self, octets, pieces=None, pause=0.0):
        """Any octets; in pieces of this size with a pause behind each when given."""
        for at in range(0, len(octets), pieces or max(len(octets), 1)):
            self.sock.sendall(octets[at:at + (pieces or len(octets))])
            if pause:
                time.sleep(pause)

    def head(self, fields, body=b'', *, method='POST', target=None, version='HTTP/1.1',
             chunks=None, length=True, auth=None, close=False):
        """The octets of a request's head. Host and Content-Length or Transfer-Encoding are put
        before the fields unless they are among these; length: False leaves it out, a text is
        written as it is. auth: (user, password)."""
        host = self.url.hostname + (f':{self.url.port}' if self.url.port else '')
        target = target or (self.url.path or '/') + (f'?{self.url.query}' if self.url.query else '')
        names = {f[0].lower() for f in fields if isinstance(f, tuple)}
        first = [('Host', host)]
        if chunks is not None:
            first.append(('Transfer-Encoding', 'chunked'))
        elif length is not False:
            first.append(('Content-Length', len(body) if length is True else length))
        if auth:
            token = base64.b64encode(':'.join(auth).encode()).decode()
            first.append(('Authorization', f'Basic {token}'))
        if close:
            first.append(('Connection', 'close'))
        fields = [f for f in first if f[0].lower() not in names] + list(fields)
        return f'{method} {target} {version}\r\n'.encode() + head_octets(fields) + b'\r\n'

    def request(self, fields, body=b'', *, chunks=None, pieces=None, pause=0.0, **head):
        """Sends a request; the keywords are those of head() and send(). chunks: a size or sizes."""
        octets = self.head(fields, body, chunks=chunks, **head)
        self.send(octets + (body if chunks is None else chunked(body, chunks)), pieces, pause)

    def response(self, method='POST', timeout=None):
        """The next final response."""
        if timeout is not None:
            self.sock.settimeout(timeout)
        interim = []
        while True:
            first, fields = self.reader.head()
            line = re.match(r'HTTP/1\.[01] ([1-5][0-9][0-9]) ([\t\x20-\x7e]*)\Z', first)
            if line is None:
                raise FormatError(f'no status line: {first!r}')
            status = int(line.group(1))
            if status >= 200:
                break
            interim.append(status)
        body = b''
        if method != 'HEAD' and status not in (204, 304):
            body = self.reader.body(fields, until_closed=True)
        return Response(status, line.group(2), fields, body, interim, bytes(self.reader.raw))

    def closed(self, timeout=None):
        """Whether the other side closes the connection in this time, without another octet."""
        self.sock.settimeout(patient(20) if timeout is None else timeout)
        try:
            return self.reader.ahead == b'' and self.sock.recv(1) == b''
        except (TimeoutError, socket.timeout):
            return False
        except (ConnectionError, ssl.SSLError):
            return True


def post(url, fields, body=b'', *, tls=None, timeout=None, **request):
    """One request on a connection of its own; the response."""
    with Connection(url, tls, timeout) as c:
        c.request(fields, body, **request)
        return c.response(request.get('method', 'POST'))


# ---- the server -----------------------------------------------------------------------------


class Request:
    def __init__(self, method, target, version, fields, body, raw, peer_cert):
        self.method, self.target, self.version = method, target, version
        self.fields, self.body, self.raw = fields, body, raw
        self.peer_cert = peer_cert      # as ssl.SSLSocket.getpeercert() tells; None without
        self.time = time.monotonic()

    def get(self, name, default=None):
        return get(self.fields, name, default)

    @property
    def auth(self):
        """(user, password) of Basic authentication, None without."""
        value = self.get('Authorization')
        if value is None or not value.startswith('Basic '):
            return None
        return tuple(base64.b64decode(value[6:]).decode().split(':', 1))

    def __repr__(self):
        return f'<Request {self.method} {self.target} {self.fields} {self.body[:300]!r}>'


class Answer:
    """What a server says to a request.

    delay       seconds before it
    interim     statuses of 1xx responses before it, each by itself
    drop        'now': the connection ends without an answer; 'half': after half of it
    chunks      send it chunked, in chunks of this size
    raw         these octets instead of all that
    close       end the connection behind it
    after       called when the last octet has gone"""

    def __init__(self, status=200, fields=(), body=b'', *, delay=0.0, interim=(), drop=None,
                 chunks=None, raw=None, close=False, reason=None, after=None):
        self.status, self.fields, self.body = status, list(fields), body
        self.delay, self.interim, self.drop, self.chunks = delay, interim, drop, chunks
        self.raw, self.close, self.after = raw, close, after
        self.reason = REASONS.get(status, 'Status') if reason is None else reason

    def octets(self):
        if self.raw is not None:
            return self.raw
        fields, body = list(self.fields), self.body
        names = {f[0].lower() for f in fields if isinstance(f, tuple)}
        if self.chunks is not None:
            fields.append(('Transfer-Encoding', 'chunked'))
            body = chunked(body, self.chunks)
        elif 'content-length' not in names and self.status != 204:
            fields.append(('Content-Length', len(body)))
        if self.close:
            fields.append(('Connection', 'close'))
        return (f'HTTP/1.1 {self.status} {self.reason}\r\n'.encode() + head_octets(fields)
                + b'\r\n' + body)


class Server:
    """Listens on 127.0.0.1 at a port the system picks, a thread for each connection.

    tls         an ssl.SSLContext (oftp.server_tls): then its .url is https
    requests    a queue of every Request that came whole
    broken      of what came of those that did not (Closed, Silent, FormatError)
    script      a deque of what the next requests get: an Answer, or a function of the Request that
                returns one, or None: what answer() says; answer() also when it is empty
    problems    exceptions in its threads: a test looks that there are none"""

    def __init__(self, *, tls=None, port=0, timeout=None, path='/as2'):
        self.tls, self.timeout = tls, patient(20) if timeout is None else timeout
        self.requests, self.broken = queue.Queue(), queue.Queue()
        self.script = collections.deque()
        self.problems = []
        self.connections = 0
        self.open = set()
        self.lock = threading.Lock()
        self.stopping = False
        self.sock = socket.create_server(('127.0.0.1', port))
        self.port = self.sock.getsockname()[1]
        self.url = f'{"https" if tls else "http"}://127.0.0.1:{self.port}{path}'
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.stopping = True
        self.sock.close()
        with self.lock:
            for s in self.open:
                try:
                    s.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
        self.thread.join(10)

    def next_request(self, timeout=None):
        timeout = patient(30) if timeout is None else timeout
        try:
            return self.requests.get(timeout=timeout)
        except queue.Empty:
            raise Silent(f'no request in {timeout} s; problems: {self.problems}') from None

    def answer(self, request):
        """What is said without a script; a subclass says more."""
        return Answer(200)

    def _accept(self):
        self.sock.settimeout(0.2)
        while not self.stopping:
            try:
                sock, _ = self.sock.accept()
            except (TimeoutError, socket.timeout):
                continue
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        sock.settimeout(self.timeout)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if self.tls is not None:
                sock = self.tls.wrap_socket(sock, server_side=True)
            with self.lock:
                self.open.add(sock)
            reader = Reader(sock)
            while self._one(sock, reader):
                pass
        except (Closed, Silent, FormatError) as e:
            if not isinstance(e, Closed) or e.octets:
                self.broken.put(e)
        except OSError as e:
            if not self.stopping:
                self.broken.put(e)
        except Exception as e:
            self.problems.append(e)
        finally:
            with self.lock:
                self.open.discard(sock)
            sock.close()

    def _one(self, sock, reader):
        """A request and its answer; False ends the connection."""
        first, fields = reader.head()
        line = re.match(r'([A-Z]+) ([\x21-\x7e]+) HTTP/(1\.[01])\Z', first)
        if line is None:
            raise FormatError(f'no request line: {first!r}')
        if (get(fields, 'Expect') or '').lower() == '100-continue':
            sock.sendall(b'HTTP/1.1 100 Continue\r\n\r\n')
        body = reader.body(fields, until_closed=False)
        cert = sock.getpeercert() if self.tls is not None else None
        request = Request(*line.groups(), fields, body, bytes(reader.raw), cert)
        with self.lock:
            told = self.script.popleft() if self.script else None
        answer = told(request) if callable(told) else told
        if answer is None:
            answer = self.answer(request)
        self.requests.put(request)
        return self._say(sock, request, answer)

    def _say(self, sock, request, answer):
        if answer.delay:
            time.sleep(answer.delay)
        if answer.drop == 'now':
            return False
        for status in answer.interim:
            sock.sendall(f'HTTP/1.1 {status} {REASONS.get(status, "Wait")}\r\n\r\n'.encode())
        octets = answer.octets()
        if answer.drop == 'half':
            sock.sendall(octets[:len(octets) // 2])
            return False
        if request.method == 'HEAD':
            octets = octets[:octets.index(b'\r\n\r\n') + 4]
        sock.sendall(octets)
        if answer.after is not None:
            answer.after()
        return not (answer.close or answer.raw is not None or request.version == '1.0'
                    or (request.get('Connection') or '').lower() == 'close')
