"""Runs the real program for the tests: Gateway (one `waybill serve` with its own directory) and
Authority (certificates made with the openssl command).

The program is $WAYBILL_BINARY, or build/waybill of this tree."""

import contextlib
import fnmatch
import http.client
import json
import linecache
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import openapi
from patience import patient, slow  # noqa: F401

ROOT = pathlib.Path(__file__).resolve().parents[2]
SANITIZER = re.compile(r'(ERROR: (Address|Leak)Sanitizer|WARNING: ThreadSanitizer|'
                       r'FATAL: ThreadSanitizer|runtime error:|Assertion .* failed)')


def binary():
    return os.environ.get('WAYBILL_BINARY') or str(ROOT / 'build' / 'waybill')


def caller():
    """The line that called a helper of a test, with its place: what it waits for."""
    frame = sys._getframe(2)
    while frame.f_back and os.sep + 'lib' + os.sep in frame.f_code.co_filename:
        frame = frame.f_back
    path, n, lines = frame.f_code.co_filename, frame.f_lineno, ''
    while n <= frame.f_lineno + 5 and (lines == '' or lines.count('(') > lines.count(')')):
        lines += ' ' + linecache.getline(path, n).strip()
        n += 1
    return f'{os.path.basename(path)}:{frame.f_lineno}:{lines}'


def wait_until(check, timeout=20, what=None, every=0.02):
    """Calls check() until it gives something true, and returns that. timeout: see patient(). what: for
    the message that it did not come; without it the message has the line of the test."""
    end = time.monotonic() + patient(timeout)
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > end:
            told = '' if value is None or value is False else f'; there is {value!r}'
            raise AssertionError(f'waited {patient(timeout):.0f} s for {what or caller()}{told}')
        time.sleep(every)


def hold(port, host='127.0.0.1'):
    """A socket that keeps a port (0: one that the system picks) for us without listening: a call is
    refused, the system gives the port to nobody else, and one of ours can still listen there."""
    s = socket.socket(socket.AF_INET6 if ':' in host else socket.AF_INET)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((host, port))
    return s


@contextlib.contextmanager
def nobody(host='127.0.0.1'):
    """A port at which nobody listens, as long as it lasts."""
    with hold(0, host) as s:
        yield s.getsockname()[1]


# ---- YAML ----------------------------------------------------------------------------------


def to_yaml(value, indent=0):
    """Plain data as block YAML; scalars are written as JSON, which YAML reads the same."""
    pad = '  ' * indent
    if isinstance(value, dict) and value:
        out = ''
        for k, v in value.items():
            if isinstance(v, (dict, list)) and v:
                out += f'{pad}{k}:\n{to_yaml(v, indent + 1)}'
            else:
                out += f'{pad}{k}: {_scalar(v)}\n'
        return out
    if isinstance(value, list) and value:
        out = ''
        for v in value:
            if isinstance(v, (dict, list)) and v:
                body = to_yaml(v, indent + 1)
                out += f'{pad}- {body[len(pad) + 2:]}'
            else:
                out += f'{pad}- {_scalar(v)}\n'
        return out
    return f'{pad}{_scalar(value)}\n'


def _scalar(value):
    if isinstance(value, pathlib.PurePath):
        value = str(value)
    return json.dumps(value, ensure_ascii=False)


def merge(into, more):
    """Deep merge of mappings; None removes a key. Returns a new mapping."""
    out = dict(into)
    for k, v in more.items():
        if v is None:
            out.pop(k, None)
        elif isinstance(v, dict) and isinstance(out.get(k), dict):
            out[k] = merge(out[k], v)
        else:
            out[k] = v
    return out


def components_text(components):
    """One YAML stream of components given as text or as mappings."""
    if isinstance(components, (str, dict)):
        components = [components]
    return '---\n'.join(c if isinstance(c, str) else to_yaml(c) for c in components)


# ---- the program ---------------------------------------------------------------------------


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__('localhost', timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Failed(AssertionError):
    """A command line call ended with another status than wanted. .result has all of it."""

    def __init__(self, result):
        self.result = result
        super().__init__(f'{" ".join(result.args)}: exit {result.returncode}\n'
                         f'{result.stdout}{result.stderr}')


def run(*args, check=True, timeout=60, stdin=None, env=None):
    """`waybill ARGS` without a gateway (version, check, ...). check: the wanted exit status, True
    for 0, None for any."""
    result = subprocess.run([binary(), *map(str, args)], capture_output=True, text=True,
                            timeout=patient(timeout), input=stdin, errors='backslashreplace',
                            env={**os.environ, **(env or {})})
    if SANITIZER.search(result.stderr):
        raise Failed(result)
    if check is not None and result.returncode != (0 if check is True else check):
        raise Failed(result)
    return result


class Gateway:
    """A runtime of its own in `directory`.

    directory    made when missing; data, configuration and log lie there
    name         runtime.name
    tls          name of a certificate component: adds an endpoint with TLS
    endpoints    the OFTP2 endpoints instead of one plain one (and one with TLS)
    settings     merged over the configuration (None removes a key)
    components   texts or mappings, applied after every first start (see apply)
    env          more environment for the program

    Ports are the system's choice before the first start and written into waybill.yaml, so a restart
    has the same. Use as context manager, or call stop()."""

    def __init__(self, directory, name='plant-7', *, tls=None, endpoints=None, settings=None,
                 components=(), env=None, host='127.0.0.1'):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.data = self.directory / 'data'
        self.config_file = self.directory / 'waybill.yaml'
        self.log_file = self.directory / 'waybill.log'
        # A path of a Unix socket has 107 octets at most, pytest's directories may have more.
        self.socket_directory = tempfile.mkdtemp(prefix='wb-')
        self.socket = os.path.join(self.socket_directory, 'admin.sock')
        self.env = dict(env or {})
        self.components = list(components) if not isinstance(components, (str, dict)) \
            else [components]
        self.process = None
        self.runtime = None
        self.starts = 0
        self.killed = False
        self.tokens = {}
        self.held = []      # see _choose_ports
        if endpoints is None:
            endpoints = [{'host': host, 'port': 0}]
            if tls:
                endpoints.append({'host': host, 'port': 0, 'session_level_encryption': True,
                                  'server_ssl_certificate': tls})
        self.config = merge({
            'runtime': {'name': name, 'data_directory': str(self.data)},
            'oftp2_server': {'endpoints': endpoints},
            'admin': {'listen': '127.0.0.1:0', 'socket': self.socket},
        }, settings or {})

    # -- life --

    def __enter__(self):
        if self.process is None:
            self.start()
        return self

    def __exit__(self, kind, *_):
        try:
            self.stop()
        except AssertionError:
            if kind is None:
                raise
        finally:
            shutil.rmtree(self.socket_directory, ignore_errors=True)
            while self.held:
                self.held.pop().close()

    def write_config(self):
        self.config_file.write_text(to_yaml(self.config))

    def start(self, wait=True, timeout=30):
        """Starts the program and waits until it is ready. The first time applies the components.
        wait=False: returns at once (a start that is meant to fail: see exit_status)."""
        assert self.process is None or self.process.poll() is not None, 'already running'
        self._choose_ports()
        self.write_config()
        self.log_mark = self.log_file.stat().st_size if self.log_file.exists() else 0
        self.killed = False
        with open(self.log_file, 'ab') as log:
            self.process = subprocess.Popen(
                [binary(), 'serve', '--config', str(self.config_file)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, **self.env})
        if not wait:
            return self
        self.wait_ready(timeout)
        self.starts += 1
        if self.starts == 1 and self.components:
            self.apply(self.components)
        if not self._pin() and self.starts == 1:
            # An endpoint whose certificate has only now been applied opens with the next start.
            self.restart(timeout)
        return self

    def wait_ready(self, timeout=30):
        def ready():
            if self.process.poll() is not None:
                raise AssertionError(f'{self.name}: waybill serve ended with status '
                                     f'{self.process.returncode}\n{self.log()[-4000:]}')
            try:
                return self.request('GET', '/readyz', timeout=5)[0] == 200
            except (OSError, http.client.HTTPException):
                return False
        try:
            wait_until(ready, timeout, f'{self.name} to be ready')
        except AssertionError as e:
            raise AssertionError(f'{e}\n{self.log()[-4000:]}') from None

    def _pin(self):
        """Reads the ports in use and fixes them in the configuration. True when each endpoint
        has one."""
        self.runtime = self.get('/api/v1/runtime')
        open_now = [e for e in self.runtime['endpoints'] if e['protocol'] == 'oftp2' and e['port']]
        missing = 0
        for wanted in self.config['oftp2_server'].get('endpoints') or []:
            tls = bool(wanted.get('session_level_encryption'))
            same = [e for e in open_now if bool(e['tls']) == tls
                    and wanted['port'] in (0, e['port'])]
            if same:
                wanted['port'] = same[0]['port']
                open_now.remove(same[0])
            else:
                missing += 1
        admin = self.runtime.get('admin') or ''
        if self.config['admin'].get('listen') and admin:
            self.config['admin']['listen'] = admin
        self.write_config()
        return missing == 0

    def _choose_ports(self):
        """A port of ours for each that is left to the system, kept until the end: nobody else
        gets it while the program is down."""
        def choose(host):
            self.held.append(hold(0, host))
            return self.held[-1].getsockname()[1]
        for server in 'oftp2_server', 'as2_server':
            endpoints = (self.config.get(server) or {}).get('endpoints') or []
            if any(e.get('port') == 0 for e in endpoints):
                self.config[server] = {**self.config[server], 'endpoints': [
                    {**e, 'port': e.get('port') or choose(e.get('host', '127.0.0.1'))}
                    for e in endpoints]}
        host, _, port = (self.config['admin'].get('listen') or '').rpartition(':')
        if port == '0':
            self.config['admin']['listen'] = f'{host}:{choose(host.strip("[]"))}'

    @property
    def pid(self):
        return self.process.pid

    def running(self):
        return self.process is not None and self.process.poll() is None

    @property
    def host(self):
        return self.config['oftp2_server']['endpoints'][0].get('host', '127.0.0.1')

    def endpoint(self, tls=False):
        for e in self.runtime['endpoints']:
            if e['protocol'] == 'oftp2' and bool(e['tls']) == tls:
                return e
        raise AssertionError(f'no endpoint with tls={tls}: {self.runtime}')

    @property
    def port(self):
        """The first plain OFTP2 port."""
        return self.endpoint(False)['port']

    @property
    def tls_port(self):
        return self.endpoint(True)['port']

    @property
    def admin(self):
        """(host, port) of the admin server."""
        host, _, port = self.runtime['admin'].rpartition(':')
        return host.strip('[]'), int(port)

    @property
    def token(self):
        """What requests to the admin server over TCP have to show (docs/api.md): an admin's."""
        return self.token_of('admin')

    def token_of(self, role):
        """A token with this role, made when it is first asked for."""
        if role not in self.tokens:
            status, body = self.request('POST', '/api/v1/tokens',
                                        json.dumps({'name': f'tests-{role}', 'role': role}))
            assert status == 201, body
            self.tokens[role] = json.loads(body)['token']
        return self.tokens[role]

    def signal(self, number):
        os.kill(self.process.pid, number)

    def exit_status(self, timeout=40):
        """Waits for the program to end by itself."""
        try:
            return self.process.wait(patient(timeout))
        except subprocess.TimeoutExpired:
            raise AssertionError(f'{self.name} does not end\n{self.log()[-4000:]}') from None

    def stop(self, timeout=40, check=True):
        """SIGTERM and the end awaited; it must be exit status 0 and without findings of a
        sanitizer in the log. When it does not end, it is killed and that is an error."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        try:
            status = self.process.wait(patient(timeout))
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGABRT if os.environ.get('WAYBILL_TEST_CORE') else signal.SIGKILL)
            self.process.wait()
            status = 'none: it did not end'
        was_killed, self.process = self.killed, None
        self._look_for_findings()
        if check and not was_killed and status != 0:
            raise AssertionError(f'{self.name}: exit status {status} after SIGTERM\n'
                                 f'{self.log()[-4000:]}')

    def kill9(self):
        """The power cut."""
        self.killed = True
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._look_for_findings()

    def restart(self, timeout=30):
        """Ends it, if it still runs, and starts it on the same data and ports."""
        if self.running():
            self.stop()
        return self.start(timeout=timeout)

    def _look_for_findings(self):
        found = SANITIZER.search(self.log())
        if found:
            log = self.log()
            at = log.index(found.group())
            raise AssertionError(f'{self.name}: {log[max(0, at - 200):at + 6000]}')

    # -- log --

    def log(self, since_start=False):
        """The log as text, all of it or since the last start."""
        if not self.log_file.exists():
            return ''
        with open(self.log_file, 'rb') as f:
            f.seek(self.log_mark if since_start else 0)
            return f.read().decode('utf-8', 'backslashreplace')

    def log_lines(self, pattern):
        """Whole lines that the regular expression finds something in. What stands behind the last
        line's end is one of which the file has, at a page's border, only the first part yet."""
        whole = self.log().rpartition('\n')[0]
        return [line for line in whole.splitlines() if re.search(pattern, line)]

    def wait_log(self, pattern, count=1, timeout=20):
        """Waits until `count` lines match; returns them."""
        def enough():
            lines[:] = self.log_lines(pattern)
            return list(lines) if len(lines) >= count else None
        lines = []
        try:
            return wait_until(enough, timeout, f'{count} lines with {pattern!r} in the log of {self.name}')
        except AssertionError as e:
            raise AssertionError(f'{e}; there are {lines}') from None

    # -- command line --

    def cli(self, *args, check=True, timeout=60, json_output=True, stdin=None, env=None):
        """`waybill --socket PATH --json ARGS`. Returns what it printed: JSON decoded (one value,
        or a list when it printed several lines of them), or text with json_output=False. check:
        the wanted exit status (True: 0); with None the CompletedProcess is returned."""
        flags = ['--socket', self.socket] + (['--json'] if json_output else [])
        result = run(*flags, *args, check=check, timeout=timeout, stdin=stdin, env=env)
        if check is None:
            return result
        if not json_output:
            return result.stdout
        text = result.stdout.strip()
        if not text:
            return None
        try:
            return json.loads(text)
        except json.JSONDecodeError:
            return [json.loads(line) for line in text.splitlines()]

    def apply(self, components, check=True):
        """`waybill apply -f` of components (text, mapping, or a list of these)."""
        fd, path = tempfile.mkstemp(suffix='.yaml', dir=self.directory)
        with os.fdopen(fd, 'w') as f:
            f.write(components_text(components))
        return self.cli('apply', '-f', path, check=check)

    # -- admin API --

    def request(self, method, path, body=None, headers=None, timeout=30):
        """(status, octets) of a request to the admin Unix socket."""
        connection = UnixConnection(self.socket, patient(timeout))
        try:
            if body is not None and not isinstance(body, (bytes, str)):
                body = json.dumps(body)
                headers = {'Content-Type': 'application/json', **(headers or {})}
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            answer = response.read()
        finally:
            connection.close()
        openapi.check(method, path, response.status, answer)
        return response.status, answer

    def get(self, path, status=200):
        """A GET whose answer is JSON."""
        got, body = self.request('GET', path)
        assert got == status, f'GET {path}: {got} {body[:2000]!r}'
        return json.loads(body)

    # -- looking at it --

    def wait_files(self, directory, count=1, pattern='*', timeout=20):
        """Waits for files in a directory; their paths, sorted. Names with a leading dot or
        ending in .tmp are work in progress and do not count."""
        directory = pathlib.Path(directory)

        def enough():
            if not directory.is_dir():
                return None
            found = sorted(p for p in directory.iterdir() if p.is_file()
                           and not p.name.startswith('.') and not p.name.endswith('.tmp')
                           and fnmatch.fnmatch(p.name, pattern))
            last[:] = [p.name for p in found]
            return found if len(found) >= count else None
        last = []
        try:
            return wait_until(enough, timeout, f'{count} files in {directory}')
        except AssertionError as e:
            raise AssertionError(f'{e}; there are {last}') from None

    def resident_kb(self, peak=True):
        """Resident memory (its peak) in KiB."""
        with open(f'/proc/{self.process.pid}/status') as f:
            return int(re.search(r'%s:\s+(\d+)' % ('VmHWM' if peak else 'VmRSS'),
                                 f.read()).group(1))

    def cpu_seconds(self):
        """Processor time that the program has used, however busy the machine is."""
        text = pathlib.Path(f'/proc/{self.process.pid}/stat').read_text()
        fields = text.rsplit(')', 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')

    def descriptors(self):
        """How many files and sockets the program has open."""
        return len(os.listdir(f'/proc/{self.process.pid}/fd'))

    def threads(self):
        return len(os.listdir(f'/proc/{self.process.pid}/task'))


# ---- certificates --------------------------------------------------------------------------


class Certificate:
    """Paths of a certificate and its key, both PEM."""

    def __init__(self, cert, key):
        self.cert, self.key = str(cert), str(key)

    def component(self, name, key=True):
        """A certificate component of it."""
        out = {'certificate': name, 'file': self.cert}
        return {**out, 'key_file': self.key} if key else out

    def pem(self):
        return pathlib.Path(self.cert).read_text()


class Authority(Certificate):
    """A certification authority in a directory of its own. algorithm: 'ec' (quick) or
    'rsa:2048'."""

    def __init__(self, directory, name='Test CA', algorithm='ec'):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.algorithm = algorithm
        super().__init__(self.directory / 'ca.crt', self.directory / 'ca.key')
        (self.directory / 'index.txt').touch()
        (self.directory / 'serial').write_text('1000\n')
        (self.directory / 'ca.cnf').write_text(
            '[ca]\ndefault_ca = d\n[d]\ndir = .\ndatabase = index.txt\nserial = serial\n'
            'new_certs_dir = .\ncertificate = ca.crt\nprivate_key = ca.key\n'
            'default_md = sha256\npolicy = p\nunique_subject = no\n'
            '[p]\ncommonName = supplied\n')
        self._key(self.key)
        self._openssl('req', '-x509', '-new', '-key', self.key, '-subj', f'/CN={name}', '-days',
                      '3650', '-sha256', '-addext', 'keyUsage=critical,keyCertSign,cRLSign',
                      '-out', self.cert)

    def _openssl(self, *args):
        result = subprocess.run(['openssl', *args], cwd=self.directory, capture_output=True,
                                text=True, stdin=subprocess.DEVNULL)
        assert result.returncode == 0, f'openssl {" ".join(args)}\n{result.stderr}'
        return result.stdout

    def _key(self, path):
        if self.algorithm == 'ec':
            self._openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256',
                          '-out', str(path))
        else:
            self._openssl('genpkey', '-algorithm', 'RSA', '-pkeyopt',
                          'rsa_keygen_bits:' + self.algorithm.partition(':')[2], '-out',
                          str(path))

    def issue(self, name, *, names=('localhost',), addresses=('127.0.0.1', '::1'), start=None,
              end=None, usage='serverAuth,clientAuth', key_usage='digitalSignature'):
        """A certificate with this common name. start and end: '20200101000000Z'; expired=... is
        start='20200101000000Z', end='20210101000000Z'. usage: extended key usage or None."""
        stem = re.sub(r'[^A-Za-z0-9._-]', '_', name)
        cert, key = self.directory / f'{stem}.crt', self.directory / f'{stem}.key'
        self._key(key)
        request, extensions = f'{stem}.csr', f'{stem}.ext'
        self._openssl('req', '-new', '-key', str(key), '-subj', f'/CN={name}', '-out', request)
        alternatives = [f'DNS:{n}' for n in names] + [f'IP:{a}' for a in addresses]
        text = f'basicConstraints = CA:FALSE\nkeyUsage = critical,{key_usage}\n'
        if usage:
            text += f'extendedKeyUsage = {usage}\n'
        if alternatives:
            text += f'subjectAltName = {",".join(alternatives)}\n'
        (self.directory / extensions).write_text(text)
        dates = (['-startdate', start] if start else []) + (['-enddate', end] if end else
                                                            ['-days', '365'])
        self._openssl('ca', '-batch', '-notext', '-config', 'ca.cnf', '-in', request, '-out',
                      str(cert), '-extfile', extensions, *dates)
        return Certificate(cert, key)

    def expired(self, name, **options):
        return self.issue(name, start='20200101000000Z', end='20210101000000Z', **options)
