"""An ODETTE-FTP partner in plain Python: RFC 5024 (2.0) and levels 1, 2 and 4.

It is the second opinion of the integration tests: it shares no code with the program under test
and reads strictly, so padding, reserved octets, lengths and counts that are not exactly what the
standard says fail the test (FormatError). What it sends can be as wrong as a test wants:

  * encode() takes any field as bytes and then puts those octets on the wire as they are;
  * Peer.send_oeb() sends any exchange buffer, Peer.send_bytes() any octets at all.

Three layers, each usable alone:

  encode(), decode(), frame(), pack(), unpack()     octets
  Peer                                              one session, command by command or run()
  Server                                            a partner that waits for calls

Left out: special logic (X.25), CMS. Field names are the RFC's without the command's prefix, in
lower case: SSIDCODE is ssid.code. Texts come without padding, numbers as int, dates, times and
identifiers as str, Y/N flags as 'Y' and 'N'.
"""

import collections
import datetime
import itertools
import queue
import re
import socket
import ssl
import threading

from patience import patient

LEVELS = (1, 2, 4, 5)
STH = 4
OEB_MAX = 99999
SDEB_MIN = 128
BLOCK = 1024
READY = 'ODETTE FTP READY '


class FormatError(AssertionError):
    """The octets are not what the standard says."""


class Unexpected(AssertionError):
    """Another command came than the one waited for. .command is what came."""

    def __init__(self, text, command=None):
        super().__init__(text)
        self.command = command


class Ended(Unexpected):
    """The partner sent ESID. .reason and .text say why."""

    def __init__(self, command, waiting=''):
        super().__init__(f'{command} while waiting for {waiting}', command)
        self.reason = command.reas
        self.text = command.get('reast', '')


class Closed(Exception):
    """The partner closed the connection."""


class Silent(AssertionError):
    """Nothing came in time."""


# ---- commands (RFC 5024 5.3) --------------------------------------------------------------
#
# A row is (field, kind, octets). Kinds:
#   X   text of the X alphabet without blanks inside     C   identification code (5.4)
#   N   data set name                                    P   password or user data, printable
#   9   number                                           D   digits, kept as text
#   E:  one of the characters that follow                _   reserved: blanks
#   =   this constant                                    T   length 9(3) and that much UTF-8
#   U   length U(2) and that many octets                 B   octets, as many as given

_CR = ('cr', '=\r', 1)
_ALPHABET = re.compile(rb'[0-9A-Z/\-.&()]*\Z')
_ALPHABET_BLANK = re.compile(rb'[0-9A-Z/\-.&() ]*\Z')
_CERTIFICATE_NAMES = (b'ODETTE_CERTIFICATE_REQUEST', b'ODETTE_CERTIFICATE_DELIVER',
                      b'ODETTE_CERTIFICATE_REPLACE')


def _stamp(level, blanks):
    """Reserved field, date and time: short stamps up to level 2, `blanks` reserved octets else."""
    if level <= 2:
        return [('rsv1', '_', blanks + 6), ('date', 'D', 6), ('time', 'D', 6)]
    return [('rsv1', '_', blanks), ('date', 'D', 8), ('time', 'D', 10)]


def _ssid(level):
    auth = [('auth', 'E:YN', 1), ('rsv1', '_', 4)] if level >= 5 else [('rsv1', '_', 5)]
    return [('lev', '9', 1), ('code', 'C', 25), ('pswd', 'P', 8), ('sdeb', '9', 5),
            ('sr', 'E:SRB', 1), ('cmpr', 'E:YN', 1), ('rest', 'E:YN', 1), ('spec', 'E:YN', 1),
            ('cred', '9', 3), *auth, ('user', 'P', 8), _CR]


def _sfid(level):
    rows = [('dsn', 'N', 26), *_stamp(level, 3), ('user', 'P', 8), ('dest', 'C', 25),
            ('orig', 'C', 25), ('fmt', 'E:FVUT', 1), ('lrecl', '9', 5)]
    if level < 5:
        return rows + [('fsiz', '9', 7), ('rest', '9', 9)]
    return rows + [('fsiz', '9', 13), ('osiz', '9', 13), ('rest', '9', 17), ('sec', '9', 2),
                   ('ciph', '9', 2), ('comp', '9', 1), ('env', '9', 1), ('sign', 'E:YN', 1),
                   ('desc', 'T', 3)]


def _eerp(level):
    rows = [('dsn', 'N', 26), *_stamp(level, 3), ('user', 'P', 8), ('dest', 'C', 25),
            ('orig', 'C', 25)]
    return rows + ([('hsh', 'U', 2), ('sig', 'U', 2)] if level >= 5 else [])


def _nerp(level):
    rows = [('dsn', 'N', 26), ('rsv1', '_', 6), ('date', 'D', 8), ('time', 'D', 10),
            ('dest', 'C', 25), ('orig', 'C', 25), ('crea', 'C', 25), ('reas', '9', 2)]
    return rows + ([('reast', 'T', 3), ('hsh', 'U', 2), ('sig', 'U', 2)] if level >= 5 else [])


def layout(name, level):
    """The rows of a command at a level, without its command octet."""
    text = [('reast', 'T', 3)] if level >= 5 else []
    wide = level >= 5
    return {
        'SSRM': lambda: [('msg', '=' + READY, 17), _CR],
        'SSID': lambda: _ssid(level),
        'SECD': lambda: [],
        'AUCH': lambda: [('chal', 'U', 2)],
        'AURP': lambda: [('rsp', 'B', 20)],
        'SFID': lambda: _sfid(level),
        'SFPA': lambda: [('acnt', '9', 17 if wide else 9)],
        'SFNA': lambda: [('reas', '9', 2), ('rrtr', 'E:YN', 1), *text],
        'CDT': lambda: [('rsv1', '_', 2)],
        'EFID': lambda: [('rcnt', '9', 17 if wide else 9), ('ucnt', '9', 17 if wide else 12)],
        'EFPA': lambda: [('cd', 'E:YN', 1)],
        'EFNA': lambda: [('reas', '9', 2), *text],
        'ESID': lambda: [('reas', '9', 2), *text, _CR],
        'CD': lambda: [],
        'EERP': lambda: _eerp(level),
        'NERP': lambda: _nerp(level),
        'RTR': lambda: [],
    }[name]()


OCTET = {'SSRM': b'I', 'SSID': b'X', 'SECD': b'J', 'AUCH': b'A', 'AURP': b'S', 'SFID': b'H',
         'SFPA': b'2', 'SFNA': b'3', 'DATA': b'D', 'CDT': b'C', 'EFID': b'T', 'EFPA': b'4',
         'EFNA': b'5', 'ESID': b'F', 'CD': b'R', 'EERP': b'E', 'NERP': b'N', 'RTR': b'P'}
NAME = {v[0]: k for k, v in OCTET.items()}

_DEFAULTS = {
    'SSID': {'pswd': '', 'sdeb': 4096, 'sr': 'B', 'cmpr': 'N', 'rest': 'N', 'spec': 'N',
             'cred': 64, 'auth': 'N', 'user': ''},
    'SFID': {'user': '', 'fmt': 'U', 'lrecl': 0, 'fsiz': 0, 'osiz': 0, 'rest': 0, 'sec': 0,
             'ciph': 0, 'comp': 0, 'env': 0, 'sign': 'N', 'desc': ''},
    'SFPA': {'acnt': 0},
    'SFNA': {'rrtr': 'N', 'reast': ''},
    'EFID': {'rcnt': 0},
    'EFPA': {'cd': 'N'},
    'EFNA': {'reast': ''},
    'ESID': {'reas': 0, 'reast': ''},
    'EERP': {'user': '', 'hsh': '', 'sig': ''},
    'NERP': {'reast': '', 'hsh': '', 'sig': ''},
}


class Command(dict):
    """A decoded command: fields as keys and as attributes, .name and .oeb (its octets)."""

    def __init__(self, name, fields, oeb):
        super().__init__(fields)
        self.name = name
        self.oeb = oeb

    def __getattr__(self, key):
        try:
            return self[key]
        except KeyError:
            raise AttributeError(f'{self.name} has no field {key}') from None

    def __repr__(self):
        if self.name == 'DATA':
            return f'DATA ({len(self.oeb)} octets)'
        shown = ((k, '***' if k in ('pswd', 'rsp', 'chal') else v) for k, v in self.items())
        return f'{self.name}(' + ' '.join(f'{k}={v!r}' for k, v in shown) + ')'


def _put(name, row, value):
    field, kind, n = row
    if kind == '_' and value is None:
        return b' ' * n
    if kind[0] == '=' and value is None:
        return kind[1:].encode('ascii')
    if value is None:
        raise TypeError(f'{name} needs {field}=')
    if kind == 'T':
        octets = value if isinstance(value, bytes) else value.encode('utf-8')
        return b'%03d' % len(octets) + octets
    if kind == 'U':
        octets = value.encode('latin-1') if isinstance(value, str) else value
        return len(octets).to_bytes(2, 'big') + octets
    if isinstance(value, bytes):
        return value
    if kind == '9':
        octets = b'%0*d' % (n, value)
    else:
        octets = str(value).encode('latin-1').ljust(n)
    if len(octets) != n:
        raise ValueError(f'{name} {field}: {value!r} does not fit {n} octets')
    return octets


def encode(name, level=5, **fields):
    """The exchange buffer of a command. Fields that are bytes go out verbatim (T and U fields
    still get their length in front)."""
    rows = layout(name, int(fields['lev']) if name == 'SSID' and not isinstance(
        fields.get('lev', b''), bytes) else level)
    known = {r[0] for r in rows}
    for f in fields:
        if f not in known and f not in _DEFAULTS.get(name, {}):
            raise TypeError(f'{name} has no field {f}')
    values = {**_DEFAULTS.get(name, {}), **fields}
    return OCTET[name] + b''.join(_put(name, r, values.get(r[0])) for r in rows)


def _take(name, row, octets):
    """One field's value and how many octets it had; FormatError when it is not to the letter."""
    field, kind, n = row
    where = f'{name}{field.upper()}'
    raw = octets[:n]
    if len(raw) < n:
        raise FormatError(f'{where}: {len(raw)} octets left, {n} needed')
    if kind == 'B':
        return raw, n
    if kind == '_':
        if raw != b' ' * n:
            raise FormatError(f'{where}: reserved octets {raw!r} are not blanks')
        return None, n
    if kind[0] == '=':
        if raw != kind[1:].encode('ascii'):
            raise FormatError(f'{where}: {raw!r}')
        return None, n
    if kind == 'T':
        if not raw.isdigit():
            raise FormatError(f'{where}L: {raw!r}')
        size = int(raw)
        body = octets[n:n + size]
        if len(body) != size:
            raise FormatError(f'{where}: {len(body)} octets of {size}')
        try:
            return body.decode('utf-8'), n + size
        except UnicodeDecodeError as e:
            raise FormatError(f'{where}: not UTF-8: {body!r}') from e
    if kind == 'U':
        size = int.from_bytes(raw, 'big')
        body = octets[n:n + size]
        if len(body) != size:
            raise FormatError(f'{where}: {len(body)} octets of {size}')
        return body, n + size
    if kind in '9D':
        if not raw.isdigit():
            raise FormatError(f'{where}: {raw!r} is not numeric')
        return (int(raw) if kind == '9' else raw.decode('ascii')), n
    if kind.startswith('E:'):
        if raw.decode('latin-1') not in kind[2:]:
            raise FormatError(f'{where}: {raw!r} is none of {kind[2:]}')
        return raw.decode('ascii'), n
    text = raw.rstrip(b' ')
    if kind == 'P':
        legal = all(0x20 <= o < 0x7f for o in text)
    elif kind == 'C':
        legal = _ALPHABET_BLANK.match(text) and text[:1] != b' '
    elif kind == 'N':
        legal = text and (_ALPHABET.match(text) or text in _CERTIFICATE_NAMES)
    else:
        legal = _ALPHABET.match(text)
    if not legal:
        raise FormatError(f'{where}: {raw!r} is outside the alphabet or not left justified')
    return text.decode('ascii'), n


def decode(oeb, level=5):
    """The Command in an exchange buffer. Strict: raises FormatError for whatever RFC 5024 5.3 does
    not allow in a command sent at this level."""
    if not oeb:
        raise FormatError('empty exchange buffer')
    name = NAME.get(oeb[0])
    if name is None:
        raise FormatError(f'unknown command octet {oeb[:1]!r}')
    if name == 'DATA':
        return Command(name, {}, oeb)
    if name in ('SECD', 'AUCH', 'AURP') and level < 5 or name == 'NERP' and level < 4:
        raise FormatError(f'{name} does not exist at level {level}')
    if name == 'SSID':
        digit = oeb[1:2]
        if not digit.isdigit():
            raise FormatError(f'SSIDLEV: {digit!r}')
        level = 5 if int(digit) >= 5 else int(digit)
    fields, at = {}, 1
    for row in layout(name, level):
        value, n = _take(name, row, oeb[at:])
        if value is not None:
            fields[row[0]] = value
        at += n
    if at != len(oeb):
        raise FormatError(f'{name}: {len(oeb) - at} octets too many: {oeb[at:at + 40]!r}')
    return Command(name, fields, oeb)


def frame(oeb):
    """The exchange buffer with its stream transmission header (RFC 5024 8.2)."""
    return b'\x10' + (len(oeb) + STH).to_bytes(3, 'big') + oeb


def hexdump(text):
    """Octets from a dump of lines "0000  10 00 ..  text"."""
    octets = b''
    for line in text.strip().splitlines():
        octets += bytes.fromhex(line.strip()[4:].strip()[:48].split('   ')[0])
    return octets


# ---- DATA buffers (RFC 5024 section 7) -----------------------------------------------------

_RUN = re.compile(rb'(.)\1{3,}', re.DOTALL)


def _pieces(record, compress):
    """(octets, True when they are one run) of a record, in order."""
    at = 0
    if compress:
        for m in _RUN.finditer(record):
            if m.start() > at:
                yield record[at:m.start()], False
            yield m.group(), True
            at = m.end()
    if at < len(record):
        yield (record[at:] if at else record), False


def pack(records, sdeb, compress=False):
    """DATA exchange buffers for records, each ended by EOR. A file of format U or T is one
    record (pack([data], ...)); no records give no buffer."""
    oeb, room = [b'D'], sdeb - 1
    for record in records:
        pending = None   # the last subrecord, held back because it may need EOR
        if not record:
            if room < 1:
                yield b''.join(oeb)
                oeb, room = [b'D'], sdeb - 1
            oeb.append(b'\x80')
            room -= 1
            continue
        for octets, run in _pieces(record, compress):
            at = 0
            while at < len(octets):
                if pending is not None:
                    oeb.append(pending)
                    pending = None
                if room < 2:
                    yield b''.join(oeb)
                    oeb, room = [b'D'], sdeb - 1
                if run:
                    n = min(63, len(octets) - at)
                    pending = bytes([0x40 | n]) + octets[:1]
                else:
                    whole = min(room // 64, (len(octets) - at - 1) // 63)
                    if whole > 0:   # full subrecords that are surely not the last
                        for i in range(at, at + whole * 63, 63):
                            oeb.append(b'\x3f')
                            oeb.append(octets[i:i + 63])
                        at += whole * 63
                        room -= whole * 64
                        continue
                    n = min(63, len(octets) - at, room - 1)
                    pending = bytes([n]) + octets[at:at + n]
                at += n
                room -= len(pending)
        oeb.append(bytes([pending[0] | 0x80]) + pending[1:])
    if len(oeb) > 1:
        yield b''.join(oeb)


def subrecords(oeb):
    """(EOR, CF, octets represented) of each subrecord; FormatError when one is malformed."""
    at, end = 1, len(oeb)
    while at < end:
        head = oeb[at]
        n = head & 0x3f
        if head & 0x40:
            if n == 0:
                raise FormatError(f'compressed subrecord with count 0 at octet {at}')
            if at + 2 > end:
                raise FormatError('compressed subrecord crosses the exchange buffer')
            yield bool(head & 0x80), True, oeb[at + 1:at + 2] * n
            at += 2
        else:
            if at + 1 + n > end:
                raise FormatError('subrecord crosses the exchange buffer')
            yield bool(head & 0x80), False, oeb[at + 1:at + 1 + n]
            at += 1 + n


class Unpacker:
    """Collects the records of one file."""

    def __init__(self, keep=True):
        self.records = []
        self.open = []           # pieces of the record not ended
        self.octets = 0
        self.ends = 0            # EORs seen
        self.keep = keep
        self.compressed = 0
        self.last_eor = False

    def add(self, oeb):
        for eor, cf, octets in subrecords(oeb):
            self.octets += len(octets)
            self.compressed += cf
            self.last_eor = eor
            if self.keep:
                self.open.append(octets)
            if eor:
                self.ends += 1
                if self.keep:
                    self.records.append(b''.join(self.open))
                    self.open = []

    @property
    def data(self):
        return b''.join(self.records) + b''.join(self.open)


def unpack(oebs):
    """The Unpacker after some DATA exchange buffers."""
    u = Unpacker()
    for oeb in oebs:
        u.add(oeb)
    return u


# ---- files and stamps ----------------------------------------------------------------------

_counter = itertools.count(1)


def stamp(level=5):
    """A date and time that no other call gives out in this second."""
    now = datetime.datetime.now()
    if level <= 2:
        return now.strftime('%y%m%d'), now.strftime('%H%M%S')
    return now.strftime('%Y%m%d'), now.strftime('%H%M%S') + '%04d' % (next(_counter) % 9999 + 1)


def blocks(octets):
    return (octets + BLOCK - 1) // BLOCK


def cut(data, size):
    """Records of `size` octets (format F)."""
    return [data[i:i + size] for i in range(0, len(data), size)]


class File:
    """A virtual file to send. Give data (U, T, or F with lrecl) or records (F, V). Any SFID field
    can be given; the rest is worked out."""

    def __init__(self, data=None, *, records=None, dsn='TEST-FILE', dest=None, orig=None,
                 fmt='U', lrecl=0, date=None, time=None, **fields):
        if records is None:
            records = cut(data, lrecl) if fmt == 'F' else [data]
        if fmt == 'V' and not lrecl and records:
            lrecl = max(map(len, records))
        self.records = records
        self.data = records[0] if len(records) == 1 else b''.join(records)
        self.dsn, self.dest, self.orig, self.fmt, self.lrecl = dsn, dest, orig, fmt, lrecl
        self.date, self.time = date, time
        self.fields = fields

    @property
    def counts_records(self):
        return self.fmt in 'FV' and not self.fields.get('env')

    def sfid(self, level, **over):
        if self.date is None:
            self.date, self.time = stamp(level)
        size = blocks(len(self.data))
        fields = {'dsn': self.dsn, 'date': self.date, 'time': self.time, 'dest': self.dest,
                  'orig': self.orig, 'fmt': self.fmt, 'lrecl': self.lrecl, 'fsiz': size,
                  'osiz': size, **self.fields, **over}
        if level < 5:
            for f in ('osiz', 'sec', 'ciph', 'comp', 'env', 'sign', 'desc'):
                fields.pop(f, None)
        return fields

    def counts(self):
        """EFIDRCNT and EFIDUCNT."""
        return (len(self.records) if self.counts_records else 0), len(self.data)

    def rest(self, position):
        """Records still to send after `position` units."""
        if self.counts_records:
            return self.records[position:]
        return [self.data[position * BLOCK:]] if position else [self.data]


class Received:
    """A virtual file that came. .sfid and .efid are the commands; .complete says whether the end
    came and was accepted; keep it and hand it to take_file(partial=) to go on after a cut."""

    def __init__(self, sfid):
        self.sfid = sfid
        self.efid = None
        self.unpacker = Unpacker()
        self.complete = False
        self.oebs = []          # sizes of the DATA exchange buffers of the last attempt

    @property
    def data(self):
        return self.unpacker.data

    @property
    def records(self):
        return self.unpacker.records

    @property
    def counts_records(self):
        return self.sfid.fmt in 'FV' and not self.sfid.get('env')

    def units(self):
        """Complete blocks or records held: what SFPAACNT may say."""
        return len(self.records) if self.counts_records else len(self.data) // BLOCK

    def truncate(self, position):
        """Goes back to the first `position` units."""
        u, old = Unpacker(), self.unpacker
        if self.counts_records:
            u.records = old.records[:position]
            u.ends = position
            u.octets = sum(map(len, u.records))
        else:
            u.open = [old.data[:position * BLOCK]]
            u.octets = len(u.open[0])
        self.unpacker = u


Outcome = collections.namedtuple('Outcome', 'file answer end')
Outcome.__doc__ = """How sending a file went: answer is SFPA or SFNA, end is EFPA, EFNA or None.
.taken says whether the partner has it."""
Outcome.taken = property(lambda o: o.end is not None and o.end.name == 'EFPA')


# ---- the session ---------------------------------------------------------------------------

class Peer:
    """One session over a connected socket.

    code, pswd        our own SSIDCODE and SSIDPSWD
    level, sdeb, ...  what we offer (initiator) or allow (responder)
    timeout           seconds any wait may take; None: patient(20)
    After log_on(): .level .sdeb .credit .compress .restart are what was agreed, .peer is the
    partner's SSID, .speaker whether the turn is ours. .trace has all commands as
    ('>' or '<', Command)."""

    def __init__(self, sock, code, pswd='', *, initiator, level=5, sdeb=4096, cred=64, sr='B',
                 cmpr='N', rest='Y', auth='N', user='', timeout=None, strict=True):
        self.sock = sock
        self.initiator = initiator
        self.own = {'lev': level, 'code': code, 'pswd': pswd, 'sdeb': sdeb, 'sr': sr,
                    'cmpr': cmpr, 'rest': rest, 'spec': 'N', 'cred': cred, 'auth': auth,
                    'user': user}
        self.strict = strict
        self.level = level
        self.sdeb, self.credit = sdeb, cred
        self.compress = self.restart = False
        self.peer = None
        self.speaker = False
        self.after_cd = False      # IDLESPCD: the turn just came unsolicited
        self.gave_turn = False     # IDLELICD: we just gave the turn unsolicited
        self.trace = []
        self.files, self.responses, self.outcomes = [], [], []
        self.buffer = bytearray()
        self.timeout = patient(20) if timeout is None else timeout
        sock.settimeout(self.timeout)

    @classmethod
    def connect(cls, host, port, code, pswd='', *, tls=None, server_hostname=None, timeout=None,
                **options):
        """Opens a connection, with TLS when `tls` (an ssl.SSLContext) is given."""
        sock = socket.create_connection((host, port), patient(20) if timeout is None else timeout)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            try:
                sock = tls.wrap_socket(sock, server_hostname=server_hostname or host)
            except BaseException:
                sock.close()
                raise
        return cls(sock, code, pswd, initiator=True, timeout=timeout, **options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # -- octets --

    def send_bytes(self, octets):
        """Any octets, as they are."""
        try:
            self.sock.sendall(octets)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError) as e:
            self._why_closed(e)

    def _why_closed(self, e):
        """The connection broke while sending: the partner's last word, if one came, tells why."""
        try:
            while True:
                command = self.receive(patient(2))
                if command.name == 'ESID':
                    raise Ended(command, 'nothing')
        except (Closed, Silent, OSError):
            pass
        raise Closed(f'closed while sending: {e}') from e

    def send_oeb(self, oeb):
        """Any exchange buffer, framed."""
        name = NAME.get(oeb[0]) if oeb else None
        if name == 'DATA':
            self.trace.append(('>', Command('DATA', {}, oeb[:1] + bytes(0))))
        elif name:
            self.trace.append(('>', Command(name, {}, oeb)))
        self.send_bytes(frame(oeb))

    def send(self, name, **fields):
        """Any command, encoded at the session's level."""
        oeb = encode(name, self.level, **fields)
        self.trace.append(('>', Command(name, fields, oeb)))
        self.send_bytes(frame(oeb))

    def _read(self, n, timeout):
        self.sock.settimeout(self.timeout if timeout is None else timeout)
        while len(self.buffer) < n:
            try:
                piece = self.sock.recv(262144)
            except (socket.timeout, TimeoutError) as e:
                raise Silent(f'{self.own["code"]}: nothing came in {self.sock.gettimeout()} s; have '
                             f'{bytes(self.buffer[:40])!r} after '
                             f'{" ".join(d + c.name for d, c in self.trace[-12:])}') from e
            except (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError,
                    ssl.SSLZeroReturnError) as e:
                raise Closed(f'closed by the partner: {e}') from e
            if not piece:
                if self.buffer:
                    raise Closed(f'closed inside a buffer after {bytes(self.buffer[:40])!r}')
                raise Closed('closed by the partner')
            self.buffer += piece
        octets = bytes(self.buffer[:n])
        del self.buffer[:n]
        return octets

    def receive_oeb(self, timeout=None):
        """The next exchange buffer, undecoded."""
        head = self._read(STH, timeout)
        length = int.from_bytes(head[1:], 'big')
        if head[0] != 0x10 or not 5 <= length <= OEB_MAX + STH:
            raise FormatError(f'stream transmission header {head.hex(" ")}')
        return self._read(length - STH, timeout)

    def receive(self, timeout=None):
        """The next command, decoded."""
        oeb = self.receive_oeb(timeout)
        if oeb[:1] == b'D':
            command = Command('DATA', {}, oeb)
            self.trace.append(('<', Command('DATA', {}, b'D')))
            return command
        try:
            command = decode(oeb, self.level)
        except FormatError:
            # ESID before the level is agreed may have another level's layout (RFC 5024 has no
            # rule); by its length it is unmistakable.
            if oeb[:1] == b'F' and self.peer is None:
                command = decode(oeb, 1 if len(oeb) <= 4 else 5)
            else:
                raise
        self.trace.append(('<', command))
        return command

    def expect(self, *names, timeout=None):
        """The next command, which must be one of names. An ESID instead raises Ended."""
        command = self.receive(timeout)
        if command.name not in names:
            if command.name == 'ESID':
                raise Ended(command, ' or '.join(names))
            raise Unexpected(f'{command!r} instead of {" or ".join(names)}', command)
        return command

    def expect_esid(self, *reasons, timeout=None):
        """The partner must end the session with one of these reasons and say nothing more.
        Closes, as the side that received ESID does. Returns the ESID."""
        command = self.expect('ESID', timeout=timeout)
        if reasons and command.reas not in reasons:
            raise Unexpected(f'{command!r}, wanted reason {reasons}', command)
        try:
            more = self.receive(0.05)
        except (Silent, Closed):
            self.close()
            return command
        raise Unexpected(f'{more!r} after {command!r}', more)

    def expect_closed(self, timeout=None):
        """The partner must close without another command."""
        try:
            command = self.receive(timeout)
        except Closed:
            self.close()
            return
        raise Unexpected(f'{command!r} instead of a closed connection', command)

    def silent(self, seconds):
        """Asserts that nothing comes for a while."""
        try:
            command = self.receive(seconds)
        except Silent:
            return
        raise Unexpected(f'{command!r} where nothing may come', command)

    def close(self):
        """Closes in order (TLS close_notify where TLS is used). Again: does nothing."""
        sock, self.sock = self.sock, None
        if sock is None:
            return
        try:
            if isinstance(sock, ssl.SSLSocket):
                sock.settimeout(2)
                sock = sock.unwrap()
        except (OSError, ValueError):
            pass
        sock.close()

    def reset(self):
        """Cuts the connection as a crash would (TCP reset)."""
        sock, self.sock = self.sock, None
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\x01\0\0\0\0\0\0\0')
            sock.close()

    def names(self, direction=None):
        """Names of the commands so far; '>' sent, '<' received."""
        return [c.name for d, c in self.trace if direction in (None, d)]

    # -- start of session (RFC 5024 4.2) --

    def log_on(self, check=True, **over):
        """Start of session in our role, with SSID fields overridden. Returns the partner's SSID.
        Ends with secure authentication still to do when both sides ask for it."""
        if self.initiator:
            self.expect('SSRM')
            return self.send_ssid(check, **over)
        self.send_oeb(encode('SSRM'))
        return self.answer_ssid(self.expect('SSID'), **over)

    def send_ssid(self, check=True, **over):
        """The initiator's half after SSRM."""
        own = {**self.own, **over}
        self.send('SSID', **own)
        peer = self.expect('SSID')
        if check:
            self._check_answer(own, peer)
        self._agree(own, peer, peer.cred)
        self.speaker = True
        return peer

    def answer_ssid(self, peer, **over):
        """The responder's half: our SSID with the negotiated values."""
        own = self.own
        answer = {**own, 'lev': min(own['lev'], peer.lev), 'sdeb': min(own['sdeb'], peer.sdeb),
                  'cred': min(own['cred'], peer.cred),
                  'cmpr': 'Y' if own['cmpr'] == peer.cmpr == 'Y' else 'N',
                  'rest': 'Y' if own['rest'] == peer.rest == 'Y' else 'N'}
        if peer.sr in 'SR' and own['sr'] == 'B':
            answer['sr'] = 'R' if peer.sr == 'S' else 'S'
        if answer['lev'] == 3:
            answer['lev'] = 2
        answer.update(over)
        self.send('SSID', **answer)
        self._agree(answer, peer, answer['cred'])
        return peer

    def _agree(self, own, peer, credit):
        lev = own['lev'] if isinstance(own['lev'], int) else peer.lev
        self.peer = peer
        self.level = min(lev, peer.lev)
        self.sdeb = min(own['sdeb'], peer.sdeb) if isinstance(own['sdeb'], int) else peer.sdeb
        self.credit = credit
        self.compress = own['cmpr'] == peer.cmpr == 'Y'
        self.restart = own['rest'] == peer.rest == 'Y'
        self.own_sr, self.peer_sr = own['sr'], peer.sr

    @staticmethod
    def _check_answer(own, peer):
        """A responder answers with the negotiated values, never with more (RFC 5024 5.3.2)."""
        wrong = []
        if peer.lev not in LEVELS or peer.lev > own['lev']:
            wrong.append(f'level {peer.lev} to an offer of {own["lev"]}')
        if not SDEB_MIN <= peer.sdeb <= own['sdeb']:
            wrong.append(f'buffer {peer.sdeb} to an offer of {own["sdeb"]}')
        if not 1 <= peer.cred <= own['cred']:
            wrong.append(f'credit {peer.cred} to an offer of {own["cred"]}')
        if (own['sr'], peer.sr) in (('S', 'S'), ('R', 'R')):
            wrong.append(f'mode {peer.sr} to {own["sr"]}')
        for f in ('cmpr', 'rest'):
            if peer[f] == 'Y' and own[f] != 'Y':
                wrong.append(f'{f} Y to an offer of {own[f]}')
        if peer.spec != 'N':
            wrong.append('special logic on TCP')
        if peer.lev >= 5 and peer.get('auth', 'N') != own['auth']:
            wrong.append(f'authentication {peer.auth} to {own["auth"]}')
        if wrong:
            raise FormatError('SSID answers ' + '; '.join(wrong))

    # -- Speaker --

    def offer_file(self, file, **over):
        """SFID; returns SFPA or SFNA. Origin and destination default to the two ends."""
        file.orig = file.orig or self.own['code']
        file.dest = file.dest or self.peer.code
        self.after_cd = False
        self.send('SFID', **file.sfid(self.level, **over))
        answer = self.expect('SFPA', 'SFNA')
        if answer.name == 'SFPA' and self.strict and answer.acnt > over.get('rest', 0):
            raise FormatError(f'SFPAACNT {answer.acnt} is more than SFIDREST '
                              f'{over.get("rest", 0)}')
        return answer

    def send_data(self, records, *, stop_after=None, oebs=None):
        """DATA with credit kept: after `credit` buffers waits for CDT, also when the file is at
        its end. stop_after: returns early once that many octets of DATA buffers went out.
        oebs: exchange buffers to send instead of packing records. Returns how many buffers."""
        left, sent, n = self.credit, 0, 0
        for oeb in oebs if oebs is not None else pack(records, self.sdeb, self.compress):
            if stop_after is not None and sent >= stop_after:
                return n
            self.send_oeb(oeb)
            n += 1
            sent += len(oeb)
            left -= 1
            if left == 0:
                self.expect('CDT')
                left = self.credit
        return n

    def end_file(self, rcnt, ucnt):
        """EFID; returns EFPA or EFNA. When EFPA asks for the turn, CD goes out at once."""
        self.send('EFID', rcnt=rcnt, ucnt=ucnt)
        end = self.expect('EFPA', 'EFNA', timeout=self.timeout * 3)
        if end.name == 'EFPA' and end.cd == 'Y':
            self.send('CD')
            self.speaker = self.gave_turn = False
        return end

    def send_file(self, file, *, rest=0, stop_after=None, **over):
        """A whole file. rest: offered restart position in units; it goes on from what the
        partner answers. stop_after: cut off there (Outcome.end is None; then reset() or close())."""
        if isinstance(file, (bytes, bytearray)):
            file = File(bytes(file))
        answer = self.offer_file(file, rest=rest, **over)
        if answer.name == 'SFNA':
            outcome = Outcome(file, answer, None)
        else:
            self.send_data(file.rest(answer.acnt), stop_after=stop_after)
            end = self.end_file(*file.counts()) if stop_after is None else None
            outcome = Outcome(file, answer, end)
        self.outcomes.append(outcome)
        return outcome

    def send_response(self, name, sfid, rtr=True, **over):
        """EERP or NERP for a file that came (its SFID). Waits for RTR unless told not to."""
        fields = {'dsn': sfid.dsn, 'date': sfid.date, 'time': sfid.time, 'dest': sfid.orig,
                  'orig': sfid.dest}
        if name == 'EERP':
            fields['user'] = sfid.user
        else:
            fields.update(crea=sfid.dest, reas=34)
        fields.update(over)
        if self.level < 5:
            for f in ('reast', 'hsh', 'sig'):
                fields.pop(f, None)
        self.after_cd = False
        self.send(name, **fields)
        return self.expect('RTR') if rtr else None

    def send_eerp(self, sfid, **over):
        return self.send_response('EERP', sfid, **over)

    def send_nerp(self, sfid, **over):
        return self.send_response('NERP', sfid, **over)

    def change_direction(self):
        """CD, always."""
        self.send('CD')
        self.speaker, self.gave_turn = False, True

    def pass_turn(self):
        """CD, or ESID(00) where the turn came unsolicited and nothing was sent (oftp2 6.2).
        True when the session is over."""
        if self.after_cd:
            self.end()
            return True
        self.change_direction()
        return False

    def end(self, reas=0, reast=''):
        """ESID, then the partner must disconnect."""
        self.send_esid(reas, reast)
        self.expect_closed()

    def send_esid(self, reas=0, reast=''):
        """ESID and nothing else."""
        self.send('ESID', reas=reas, **({'reast': reast} if self.level >= 5 else {}))

    # -- Listener --

    def expect_file(self):
        """The next command must be SFID; returns it after checking what must hold of any."""
        sfid = self.expect('SFID')
        self._check_sfid(sfid)
        self.gave_turn = False
        return sfid

    def _check_sfid(self, sfid):
        if not self.strict:
            return
        if sfid.fmt in 'UT' and sfid.lrecl != 0:
            raise FormatError(f'SFIDLRECL {sfid.lrecl} with format {sfid.fmt}')
        if sfid.rest and not self.restart:
            raise FormatError('SFIDREST without agreed restart')
        if sfid.get('env') == 0 and (sfid.get('sec') or sfid.get('comp')):
            raise FormatError('security or compression without envelope')
        if self.peer is not None and self.peer_sr == 'R':
            raise FormatError('a file from a side that said it only receives')

    def take_file(self, sfid, *, partial=None, position=None, grant=True, stop_after=None,
                  want_turn=False, refuse_end=None):
        """SFPA, all of DATA, EFID, EFPA. Checks sizes, credit, EOR, compression and counts.

        partial      a Received kept from a cut transfer
        position     SFPAACNT; default what partial has, at most what is offered
        grant        False: no CDT is sent when the window is used up; returns then
        stop_after   returns once that many octets of the file came (see .complete)
        want_turn    EFPA(Y); the partner's CD must follow
        refuse_end   (reason, text): EFNA instead of EFPA"""
        got = partial if partial is not None else Received(sfid)
        got.sfid = sfid
        if position is None:
            position = min(sfid.rest, got.units()) if self.restart else 0
        got.truncate(position)
        got.oebs = []
        self.send('SFPA', acnt=position)
        credit = self.credit
        while True:
            command = self.expect('DATA', 'EFID')
            if command.name == 'EFID':
                break
            if len(command.oeb) > self.sdeb:
                raise FormatError(f'DATA of {len(command.oeb)} octets, {self.sdeb} agreed')
            got.oebs.append(len(command.oeb))
            got.unpacker.add(command.oeb)
            if got.unpacker.compressed and not self.compress:
                raise FormatError('compressed subrecord, compression was not agreed')
            credit -= 1
            if stop_after is not None and got.unpacker.octets >= stop_after:
                return got
            if credit == 0:
                if not grant:
                    return got
                self.send('CDT')
                credit = self.credit
        got.efid = command
        self._check_end(got)
        if refuse_end is not None:
            reas, text = refuse_end
            self.send('EFNA', reas=reas, **({'reast': text} if self.level >= 5 else {}))
            return got
        got.complete = True
        self.files.append(got)
        self.send('EFPA', cd='Y' if want_turn else 'N')
        if want_turn:
            self.expect('CD')
            self.speaker, self.after_cd = True, False
        return got

    def _check_end(self, got):
        if not self.strict:
            return
        u, sfid, efid = got.unpacker, got.sfid, got.efid
        if efid.ucnt != u.octets:
            raise FormatError(f'EFIDUCNT {efid.ucnt}, {u.octets} octets came')
        if got.counts_records:
            if efid.rcnt != u.ends:
                raise FormatError(f'EFIDRCNT {efid.rcnt}, {u.ends} records came')
            if u.open and b''.join(u.open):
                raise FormatError('octets after the last end of record')
            for r in u.records:
                if len(r) > sfid.lrecl or sfid.fmt == 'F' and len(r) != sfid.lrecl:
                    raise FormatError(f'record of {len(r)} octets, SFIDLRECL {sfid.lrecl}')
        else:
            if efid.rcnt != 0:
                raise FormatError(f'EFIDRCNT {efid.rcnt} for a file without records')
            if u.octets and (u.ends != 1 or not u.last_eor):
                raise FormatError(f'{u.ends} ends of record in a file of format {sfid.fmt}')

    def refuse_file(self, reas, rrtr='N', reast=''):
        """SFNA; the partner keeps the turn."""
        self.send('SFNA', reas=reas, rrtr=rrtr,
                  **({'reast': reast} if self.level >= 5 else {}))

    def receive_file(self, **options):
        """expect_file() and take_file()."""
        return self.take_file(self.expect_file(), **options)

    def receive_response(self, *names):
        """EERP or NERP, answered with RTR; returns it."""
        response = self.expect(*(names or ('EERP', 'NERP')))
        self.gave_turn = False
        self.responses.append(response)
        self.send('RTR')
        return response

    def receive_turn(self):
        """CD."""
        self.expect('CD')
        self.speaker, self.after_cd = True, True

    # -- a whole session by the book --

    def run(self, files=(), responses=(), receipt='EERP', want_turn=False, refuse=None):
        """Plays the rest of a session as a well-behaved partner until it ends.

        files       File objects to send when the turn is ours
        responses   (name, sfid, fields) of pending EERP and NERP
        receipt     what answers a file that came: 'EERP', 'NERP', None, or a function of the
                    Received that gives one of these
        want_turn   ask for the turn after each file
        refuse      function of the SFID: None, or (reason, retry, text) for SFNA
        Results are in .files, .responses and .outcomes. Returns the final ESID's reason."""
        files, due = collections.deque(files), collections.deque(responses)
        while True:
            if self.speaker:
                if due:
                    name, sfid, fields = due.popleft()
                    self.send_response(name, sfid, **fields)
                elif files:
                    self.send_file(files.popleft())
                elif self.pass_turn():
                    return 0
                continue
            command = self.expect('SFID', 'EERP', 'NERP', 'CD', 'ESID')
            if command.name == 'SFID':
                self._check_sfid(command)
                self.gave_turn = False
                no = refuse(command) if refuse else None
                if no:
                    self.refuse_file(*no)
                    continue
                got = self.take_file(command, want_turn=want_turn)
                name = receipt(got) if callable(receipt) else receipt
                if name:
                    due.append((name, command, {}))
            elif command.name in ('EERP', 'NERP'):
                self.gave_turn = False
                self.responses.append(command)
                self.send('RTR')
            elif command.name == 'CD':
                if self.gave_turn:
                    raise FormatError('CD answered by CD')
                self.speaker, self.after_cd = True, True
            else:
                self.close()
                if self.strict and command.reas == 0 and not self.gave_turn:
                    raise FormatError('ESID(00) although we had not just given the turn')
                return command.reas


class Server:
    """A partner that is called. accept() hands out Peers one by one; or start() a thread that
    plays every session with run() and collects files and responses.

    with Server('O0013BETA', 'PW') as s: s.start(); ...; got = s.next_file()"""

    def __init__(self, code, pswd='', *, host='127.0.0.1', port=0, tls=None, **options):
        self.code, self.pswd, self.tls, self.options = code, pswd, tls, options
        family = socket.AF_INET6 if ':' in host else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind((host, port))
        self.sock.listen(50)
        self.host, self.port = host, self.sock.getsockname()[1]
        self.files, self.responses, self.sessions = queue.Queue(), queue.Queue(), queue.Queue()
        self.problems = []
        self.outgoing = collections.deque()    # Files to send at the next chance
        self.thread = None
        self.stopping = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def accept(self, timeout=None, **options):
        """The next caller as a Peer, before SSRM. timeout: of the call alone, None: patient(20)."""
        timeout = patient(20) if timeout is None else timeout
        self.sock.settimeout(timeout)
        try:
            sock, _ = self.sock.accept()
        except (socket.timeout, TimeoutError) as e:
            raise Silent(f'nobody called {self.code} at port {self.port} in {timeout} s') from e
        sock.settimeout(patient(20))   # for the TLS handshake
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.tls is not None:
            try:
                sock = self.tls.wrap_socket(sock, server_side=True)
            except BaseException:
                sock.close()
                raise
        return Peer(sock, self.code, self.pswd, initiator=False, **{**self.options, **options})

    def accept_after_crash(self, **options):
        """The next caller as a Peer, logged on. Calls that the gateway had begun when it was killed
        are passed over: they are broken, and wait here before those of the next one."""
        while True:
            peer = self.accept(**options)
            try:
                peer.log_on()
                return peer
            except (Closed, OSError):
                peer.close()

    def start(self, **run):
        """Plays sessions in a thread of its own; `run` goes to Peer.run()."""
        self.thread = threading.Thread(target=self._serve, args=(run,), daemon=True)
        self.thread.start()
        return self

    def _serve(self, run):
        while not self.stopping:
            try:
                peer = self.accept(timeout=0.2)
            except Silent:
                continue
            except OSError as e:
                if not self.stopping:
                    self.problems.append(e)
                continue
            with peer:
                try:
                    peer.log_on()
                    outgoing = list(self.outgoing)
                    self.outgoing.clear()
                    peer.run(outgoing, **run)
                except Exception as e:  # the test looks at .problems
                    self.problems.append(e)
            for got in peer.files:
                self.files.put(got)
            for response in peer.responses:
                self.responses.put(response)
            self.sessions.put(peer)

    def _next(self, q, what, timeout):
        timeout = patient(30) if timeout is None else timeout
        try:
            return q.get(timeout=timeout)
        except queue.Empty:
            raise Silent(f'no {what} in {timeout} s; problems: {self.problems}') from None

    def next_file(self, timeout=None):
        return self._next(self.files, 'file', timeout)

    def next_response(self, timeout=None):
        return self._next(self.responses, 'response', timeout)

    def next_session(self, timeout=None):
        return self._next(self.sessions, 'session', timeout)

    def stop(self):
        self.stopping = True
        if self.thread is not None:
            self.thread.join(patient(30))
            self.thread = None
        self.sock.close()


# ---- TLS -----------------------------------------------------------------------------------

def client_tls(ca=None, certificate=None, key=None, *, maximum=None, minimum=None):
    """A context to call with: trusts only `ca` (None: anybody), shows `certificate`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    if ca is None:
        context.verify_mode = ssl.CERT_NONE
    else:
        context.load_verify_locations(ca)
    if certificate is not None:
        context.load_cert_chain(certificate, key)
    _versions(context, minimum, maximum)
    return context


def server_tls(certificate, key, *, ca=None, require=False, maximum=None, minimum=None):
    """A context to be called with. ca and require: client certificates."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    if ca is not None:
        context.load_verify_locations(ca)
        context.verify_mode = ssl.CERT_REQUIRED if require else ssl.CERT_OPTIONAL
    _versions(context, minimum, maximum)
    return context


def _versions(context, minimum, maximum):
    if minimum is not None:
        context.minimum_version = minimum
    if maximum is not None:
        context.maximum_version = maximum
