"""An AS2 partner in plain Python: RFC 4130 with compression, in all ten nestings.

It is the second opinion of the integration tests and shares no code with the program under test:
signatures and encryption are the openssl command's, compression is zlib's, MIME and HTTP are read
here, strictly: what the standard or the field's consensus forbids to send (folded lines, other
than ASCII in headers, preambles and epilogues, line ends that are not CRLF) fails the test with
FormatError. What it sends can be as wrong as a test wants: an Entity's fields and body may be
changed at each layer, header lines given as bytes go out as they are.

  payload(), related(), sign(), compress(), encrypt(), build()     entities
  Peer          one side of a relationship: message(), receive(), mdn(), read_mdn()
  Partner       a Server (as2_http.py) that is such a side: takes messages and MDNs, answers

The names of nestings are their layers from outside in: '', 'S', 'E', 'ES', 'C', 'SC', 'CS', 'EC',
'ESC', 'ECS': P alone, then E encrypted, S signed, C compressed.
"""

import base64
import collections
import email.utils
import hashlib
import pathlib
import quopri
import queue
import re
import secrets
import subprocess
import tempfile
import threading
import zlib

from as2_http import (Answer, Closed, Connection, FormatError, Request, Response, Server, Silent,
                      get, head_octets, parse_head, post, replaced)
from patience import patient

__all__ = ['Answer', 'Closed', 'Connection', 'FormatError', 'Request', 'Response', 'Server',
           'Silent', 'get', 'post', 'replaced', 'Entity', 'Keys', 'Refused', 'Message', 'Mdn',
           'Partner', 'Peer', 'Received', 'NESTINGS', 'build', 'compress', 'decompress', 'encrypt',
           'is_mdn', 'multipart', 'payload', 'related', 'sign', 'split', 'value', 'digest_name']

NESTINGS = ['', 'S', 'E', 'ES', 'C', 'SC', 'CS', 'EC', 'ESC', 'ECS']
OPTIONS = 'signed-receipt-protocol=optional, pkcs7-signature; signed-receipt-micalg=optional, '


class Refused(AssertionError):
    """A signature, an envelope or a receipt that must not be believed."""


# ---- keys and the openssl command -----------------------------------------------------------


def openssl(*args, data=b''):
    done = subprocess.run(['openssl', *map(str, args)], input=data, capture_output=True,
                          timeout=patient(60))
    if done.returncode != 0:
        raise Refused(f'openssl {" ".join(map(str, args))}: '
                      f'{done.stderr.decode(errors="replace")[-600:]}')
    return done.stdout


class Keys:
    """Paths of a certificate and its key; waybill.Certificate is as good."""

    def __init__(self, cert, key):
        self.cert, self.key = str(cert), str(key)

    @classmethod
    def make(cls, directory, name, kind='rsa:2048'):
        """A self-signed certificate. kind: 'rsa:BITS' or a curve's name."""
        stem = re.sub(r'[^A-Za-z0-9._-]', '_', name)
        k = cls(pathlib.Path(directory) / f'{stem}.crt', pathlib.Path(directory) / f'{stem}.key')
        new = [kind] if kind.startswith('rsa') else ['ec', '-pkeyopt', f'ec_paramgen_curve:{kind}']
        openssl('req', '-x509', '-newkey', *new, '-nodes', '-keyout', k.key, '-out', k.cert,
                '-subj', f'/CN={name}', '-days', '30')
        return k


def cms_sign(content, keys, *, md='sha256', attributes=True, certificates=True, keyid=False,
             pss=False, detached=True, extra=()):
    """SignedData in DER."""
    return openssl('cms', '-sign', '-binary', '-outform', 'DER', '-signer', keys.cert, '-inkey',
                   keys.key, '-md', md, *([] if attributes else ['-noattr']),
                   *([] if certificates else ['-nocerts']), *(['-keyid'] if keyid else []),
                   *(['-keyopt', 'rsa_padding_mode:pss'] if pss else []),
                   *([] if detached else ['-nodetach']), *extra, data=content)


def cms_verify(signature, content, cert):
    """Refused unless it is a signature over content by this certificate."""
    with tempfile.TemporaryDirectory() as d:
        pathlib.Path(d, 'content').write_bytes(content)
        openssl('cms', '-verify', '-binary', '-inform', 'DER', '-content', f'{d}/content',
                '-certfile', getattr(cert, 'cert', cert), '-nointern', '-noverify', '-out',
                f'{d}/out', data=signature)


def cms_content(octets, cert):
    """What is inside SignedData. Refused unless this certificate signed it."""
    return openssl('cms', '-verify', '-binary', '-inform', 'DER', '-certfile',
                   getattr(cert, 'cert', cert), '-nointern', '-noverify', data=octets)


def cms_encrypt(content, certs, *, cipher='aes-256-cbc', oaep=None, stream=False, keyid=False,
                extra=()):
    """EnvelopedData, or AuthEnvelopedData for GCM. certs: recipients. oaep: a digest's name."""
    padding = ['-keyopt', 'rsa_padding_mode:oaep', '-keyopt', f'rsa_oaep_md:{oaep}'] if oaep else []
    args = []
    for cert in certs:
        args += ['-recip', getattr(cert, 'cert', cert), *padding]
    return openssl('cms', '-encrypt', '-binary', '-outform', 'DER', f'-{cipher}',
                   *(['-stream'] if stream else []), *(['-keyid'] if keyid else []), *args, *extra,
                   data=content)


def cms_decrypt(octets, keys):
    return openssl('cms', '-decrypt', '-binary', '-inform', 'DER', '-recip', keys.cert, '-inkey',
                   keys.key, data=octets)


# ---- CompressedData (RFC 3274), which the command cannot do ---------------------------------

_COMPRESSED = bytes.fromhex('060b2a864886f70d0109100109')
_ZLIB = bytes.fromhex('300d060b2a864886f70d0109100308')
_DATA = bytes.fromhex('06092a864886f70d010701')


def der(tag, *content):
    body = b''.join(content)
    n = len(body)
    length = bytes([n]) if n < 128 else bytes([0x80 | (n.bit_length() + 7) // 8]) + \
        n.to_bytes((n.bit_length() + 7) // 8, 'big')
    return bytes([tag]) + length + body


def ber(tag, *content):
    return bytes([tag, 0x80]) + b''.join(content) + b'\0\0'


def compressed_data(stream, indefinite=False, segment=1000):
    """CompressedData around a zlib stream; indefinite: BER, the stream in segments."""
    if not indefinite:
        return der(0x30, _COMPRESSED, der(0xa0, der(0x30, b'\2\1\0', _ZLIB, der(
            0x30, _DATA, der(0xa0, der(4, stream))))))
    parts = [der(4, stream[i:i + segment]) for i in range(0, len(stream), segment)]
    return ber(0x30, _COMPRESSED, ber(0xa0, ber(0x30, b'\2\1\0', _ZLIB, ber(
        0x30, _DATA, ber(0xa0, ber(0x24, *parts))))))


def _element(octets, at):
    """(tag, content octets or list of elements, end) of the BER element there."""
    tag, first, at = octets[at], octets[at + 1], at + 2
    indefinite = first == 0x80
    end = None
    if not indefinite:
        n = first & 0x7f if first >= 0x80 else 0
        end = at + n + (int.from_bytes(octets[at:at + n], 'big') if n else first)
        at += n
        if end > len(octets):
            raise FormatError('an element of BER is cut short')
    if not tag & 0x20:
        return tag, octets[at:end], end
    inner = []
    while octets[at:at + 2] != b'\0\0' if indefinite else at < end:
        element = _element(octets, at)
        inner.append(element[:2])
        at = element[2]
    return tag, inner, at + 2 if indefinite else at


def decompress(octets):
    """The content of CompressedData."""
    try:
        _, info, end = _element(octets, 0)
        (_, kind), (_, [(_, data)]) = info
        _, (_, algorithm), (_, content) = data
        _, (_, [(tag, stream)]) = content
    except (ValueError, IndexError, TypeError) as e:
        raise FormatError(f'no CompressedData: {e}') from e
    if end != len(octets) or der(6, kind) != _COMPRESSED or der(6, algorithm[0][1]) != _ZLIB[2:]:
        raise FormatError('no CompressedData with zlib')
    stream = stream if tag == 4 else b''.join(s for _, s in stream)
    inflate = zlib.decompressobj()
    out = inflate.decompress(stream) + inflate.flush()
    if not inflate.eof or inflate.unused_data:
        raise FormatError('the zlib stream does not end with the content')
    return out


# ---- entities -------------------------------------------------------------------------------


def value(text):
    """('type/subtype', {parameter: value}) of a Content-Type or Content-Disposition."""
    m = re.match(r'([^\s;]+)((?:\s*;\s*[^\s;=]+=(?:"(?:[^"\\]|\\.)*"|[^\s;"]+))*)\Z', text or '')
    if m is None:
        raise FormatError(f'not readable: {text!r}')
    params = re.findall(r';\s*([^\s;=]+)=("(?:[^"\\]|\\.)*"|[^\s;"]+)', m.group(2))
    return m.group(1).lower(), {
        k.lower(): re.sub(r'\\(.)', r'\1', v[1:-1]) if v[0] == '"' else v for k, v in params}


class Entity:
    """Header fields, a list of (name, value) and octet lines, and a body. .octets: what is sent."""

    def __init__(self, fields, body):
        self.fields, self.body = list(fields), body

    @classmethod
    def read(cls, octets):
        """Strictly: no folds, CRLF."""
        if octets.startswith(b'\r\n'):
            return cls([], octets[2:])
        head, end, body = octets.partition(b'\r\n\r\n')
        if not end:
            raise FormatError(f'an entity without an empty line: {octets[:200]!r}')
        return cls(parse_head(head + b'\r\n'), body)

    @property
    def octets(self):
        return head_octets(self.fields) + b'\r\n' + self.body

    def get(self, name, default=None):
        return get(self.fields, name, default)

    def put(self, name, text):
        """Changes a field, adds it, or removes it (None). Returns the entity."""
        self.fields = replaced(self.fields, name, text)
        return self

    @property
    def type(self):
        return value(self.get('Content-Type'))

    @property
    def decoded(self):
        """The body without its transfer encoding."""
        encoding = (self.get('Content-Transfer-Encoding') or 'binary').lower()
        if encoding == 'base64':
            lines = self.body.split(b'\r\n')
            if any(len(line) > 76 or b'\n' in line for line in lines):
                raise FormatError('base64 in lines that are too long or do not end with CRLF')
            return base64.b64decode(b''.join(lines), validate=True)
        if encoding == 'quoted-printable':
            return quopri.decodestring(self.body)
        if encoding not in ('7bit', '8bit', 'binary'):
            raise FormatError(f'Content-Transfer-Encoding: {encoding}')
        return self.body


def base64_lines(octets):
    text = base64.b64encode(octets)
    return b''.join(text[i:i + 76] + b'\r\n' for i in range(0, len(text), 76))


def encoded(fields, body, encoding):
    """An entity with this Content-Transfer-Encoding; None: binary, without the field."""
    if encoding is not None:
        fields = [*fields[:1], ('Content-Transfer-Encoding', encoding), *fields[1:]]
    return Entity(fields, base64_lines(body) if encoding == 'base64' else body)


def payload(octets, type='application/EDIFACT', name=None, encoding='binary', more=()):
    disposition = [('Content-Disposition', f'attachment; filename="{name}"')] if name else []
    return encoded([('Content-Type', type), *disposition, *more], octets, encoding)


def multipart(type, parts, boundary=None, preamble=b'', epilogue=b'', end=b'\r\n'):
    """type: with its parameters but the boundary. parts: octets, or entities."""
    b = (boundary or '=_' + secrets.token_hex(16)).encode()
    body = preamble
    for part in parts:
        body += b'--' + b + b'\r\n' + getattr(part, 'octets', part) + b'\r\n'
    return Entity([('Content-Type', f'{type}; boundary="{b.decode()}"')],
                  body + b'--' + b + b'--' + end + epilogue)


def split(body, boundary, strict=True):
    """The octets of each part: as2.md 2.2."""
    b = re.escape(boundary.encode())
    found = list(re.finditer(rb'(?:\A|\r\n)--' + b + rb'(--)?[ \t]*(?=\r\n|\Z)', body))
    last = next((i for i, m in enumerate(found) if m.group(1)), None)
    if not last:
        raise FormatError(f'no parts between delimiters {boundary!r}: {body[:100]!r}')
    if strict and (found[0].start() != 0 or body[found[0].start():][:2] != b'--'):
        raise FormatError('a preamble')
    if strict and (last != len(found) - 1 or body[found[last].end():] != b'\r\n'):
        raise FormatError(f'the body does not end with the last delimiter: {body[-100:]!r}')
    return [body[m.end() + 2:max(m.end() + 2, n.start())]
            for m, n in zip(found[:last], found[1:])]


def related(parts, boundary=None, root=0):
    """multipart/related of payload entities."""
    return multipart(f'multipart/related; type="{parts[root].get("Content-Type")}"', parts,
                     boundary)


def sign(entity, keys, *, micalg=None, encoding='base64', boundary=None, opaque=False, **how):
    """multipart/signed of an entity; opaque: SignedData with the entity inside. `how` goes to
    cms_sign()."""
    octets = getattr(entity, 'octets', entity)
    if opaque:
        return _pkcs7_mime('signed-data', 'smime.p7m',
                           cms_sign(octets, keys, **{'detached': False, **how}), encoding)
    signature = cms_sign(octets, keys, **how)
    micalg = micalg or spelling(how.get('md', 'sha256'))
    part = encoded([('Content-Type', 'application/pkcs7-signature; name=smime.p7s'),
                    ('Content-Disposition', 'attachment; filename=smime.p7s')], signature, encoding)
    return multipart(f'multipart/signed; protocol="application/pkcs7-signature"; micalg={micalg}',
                     [octets, part], boundary)


def _pkcs7_mime(kind, name, body, encoding):
    return encoded([('Content-Type', f'application/pkcs7-mime; smime-type={kind}; name={name}'),
                    ('Content-Disposition', f'attachment; filename={name}')], body, encoding)


def compress(entity, *, level=6, encoding='binary', indefinite=False):
    octets = getattr(entity, 'octets', entity)
    return _pkcs7_mime('compressed-data', 'smime.p7z',
                       compressed_data(zlib.compress(octets, level), indefinite), encoding)


def encrypt(entity, certs, *, encoding='binary', **how):
    """certs: a certificate or several; `how` goes to cms_encrypt()."""
    certs = certs if isinstance(certs, (list, tuple)) else [certs]
    kind = 'authEnveloped-data' if 'gcm' in how.get('cipher', '') else 'enveloped-data'
    return _pkcs7_mime(kind, 'smime.p7m',
                       cms_encrypt(getattr(entity, 'octets', entity), certs, **how), encoding)


def build(entity, nesting, us=None, to=None, *, signing=None, compressing=None, encrypting=None,
          edit=None):
    """(outermost entity, source of the MIC) of a payload entity. nesting: any layers, outermost
    first, legal or not. edit: {layer or 'P': function of that layer's entity that returns another};
    the source is that of as2.md 3.1 for what was signed, before such changes of later layers."""
    edit = edit or {}
    entity = edit.get('P', lambda e: e)(entity)
    source = entity.octets if nesting else entity.decoded
    for layer in reversed(nesting):
        if layer == 'S':
            source = entity.octets
            entity = sign(entity, us, **(signing or {}))
        elif layer == 'C':
            entity = compress(entity, **(compressing or {}))
        else:
            entity = encrypt(entity, to, **(encrypting or {}))
        entity = edit.get(layer, lambda e: e)(entity)
    return entity, source


# ---- names of digests -----------------------------------------------------------------------


def digest_name(text):
    """hashlib's name for a spelling of as2.md 1.4; KeyError: none."""
    plain = re.sub(r'[-_]', '', text.strip().lower())
    plain = plain.removeprefix('rsa')
    plain = re.sub(r'^sha2(224|256|384|512)$', r'sha\1', plain)
    return {'sha': 'sha1', 'sha1': 'sha1', 'md5': 'md5', 'sha224': 'sha224', 'sha256': 'sha256',
            'sha384': 'sha384', 'sha512': 'sha512', 'sha3256': 'sha3_256',
            'sha3384': 'sha3_384', 'sha3512': 'sha3_512'}[plain]


def spelling(md):
    return md if md in ('sha1', 'md5') else md.replace('sha', 'sha-')


def mic_text(source, name):
    """What Received-content-MIC says of it in this spelling."""
    digest = hashlib.new(digest_name(name), source).digest()
    return f'{base64.b64encode(digest).decode()}, {name}'


# ---- names of partners ----------------------------------------------------------------------


def quoted(name):
    """An AS2 name as it is sent: quoted only when it must be."""
    if not re.search(r'[ "\\]', name):
        return name
    return '"' + re.sub(r'(["\\])', r'\\\1', name) + '"'


def unquoted(text):
    """Strictly what quoted() makes."""
    name = re.sub(r'\\(.)', r'\1', text[1:-1]) if text[:1] == '"' and text[-1:] == '"' else text
    if not 1 <= len(name) <= 128 or quoted(name) != text:
        raise FormatError(f'no AS2 name as it is to be sent: {text!r}')
    return name


# ---- receipts -------------------------------------------------------------------------------


def is_mdn(fields, body):
    kind, params = value(get(fields, 'Content-Type') or 'text/plain')
    if kind == 'multipart/signed':
        kind, params = Entity.read(split(body, params['boundary'], False)[0]).type
    return kind == 'multipart/report' and \
        params.get('report-type', '').lower() == 'disposition-notification'


class Mdn:
    """A receipt read strictly. .report: its octets as they were signed; .said: the fields of the
    notification in lower case."""

    def __init__(self, fields, body):
        self.fields, self.body = list(fields), body
        kind, params = value(get(fields, 'Content-Type'))
        self.signature = self.micalg = None
        if kind == 'multipart/signed':
            if params['protocol'] != 'application/pkcs7-signature':
                raise FormatError(f'protocol {params["protocol"]}')
            self.micalg = params['micalg']
            self.report, signature = split(body, params['boundary'])
            signature = Entity.read(signature)
            if signature.type[0] != 'application/pkcs7-signature':
                raise FormatError(f'the second part is {signature.type[0]}')
            self.signature = signature.decoded
            report = Entity.read(self.report)
        else:
            report = Entity([('Content-Type', get(fields, 'Content-Type'))], body)
            self.report = body
        self._read_report(report)

    def _read_report(self, report):
        kind, params = report.type
        if kind != 'multipart/report' or params['report-type'] != 'disposition-notification':
            raise FormatError(f'no report: {report.get("Content-Type")}')
        text, notification = map(Entity.read, split(report.body, params['boundary']))
        if not text.type[0].startswith('text/') or \
                notification.type[0] != 'message/disposition-notification':
            raise FormatError(f'parts of type {text.type[0]} and {notification.type[0]}')
        self.text = text.decoded.decode('ascii')
        octets = notification.decoded.removesuffix(b'\r\n') + b'\r\n'
        self.said = collections.OrderedDict()
        for name, said in parse_head(octets):
            if name.lower() in self.said:
                raise FormatError(f'{name} is there twice')
            self.said[name.lower()] = said
        for name in 'final-recipient', 'original-message-id', 'disposition':
            if name not in self.said:
                raise FormatError(f'no {name}: {dict(self.said)}')
        mode, semicolon, self.disposition = self.said['disposition'].partition('; ')
        if mode != 'automatic-action/MDN-sent-automatically' or not semicolon:
            raise FormatError(f'Disposition: {self.said["disposition"]}')

    @property
    def is_signed(self):
        return self.signature is not None

    @property
    def positive(self):
        return self.disposition == 'processed'

    @property
    def original_message_id(self):
        return self.said['original-message-id']

    @property
    def mic(self):
        """(octets, spelling of the digest), None without."""
        text = self.said.get('received-content-mic')
        if text is None:
            return None
        m = re.match(r'([A-Za-z0-9+/]+={0,2}), (\S+)\Z', text)
        if m is None:
            raise FormatError(f'Received-content-MIC: {text}')
        return base64.b64decode(m.group(1), validate=True), m.group(2)

    def verify(self, cert):
        """Refused unless it is signed with this certificate. Returns the MDN."""
        if not self.is_signed:
            raise Refused('the MDN is not signed')
        cms_verify(self.signature, self.report, cert)
        return self

    def covers(self, source):
        """Whether its MIC is that of these octets."""
        if self.mic is None:
            return False
        digest, name = self.mic
        return hashlib.new(digest_name(name), source).digest() == digest


# ---- messages -------------------------------------------------------------------------------


class Message:
    """What is posted: HTTP fields and body; .mic_source is what the receiver has to digest."""

    def __init__(self, fields, body, mic_source, message_id):
        self.fields, self.body = fields, body
        self.mic_source, self.message_id = mic_source, message_id

    def with_field(self, name, text):
        """A copy with another header field (None: without)."""
        return Message(replaced(self.fields, name, text), self.body, self.mic_source,
                       self.message_id)

    def post(self, url, **request):
        """Sends it on a connection of its own (as2_http.post); the response."""
        return post(url, self.fields, self.body, **request)


class Received:
    """A message that was opened. .nesting: its layers; .payloads: entities; .mic_source."""

    def __init__(self, fields, body, nesting, entity, mic_source):
        self.fields, self.body, self.nesting = fields, body, nesting
        self.entity, self.mic_source = entity, mic_source
        kind, params = entity.type
        self.payloads = [entity]
        if kind == 'multipart/related':
            self.payloads = [Entity.read(p) for p in split(entity.body, params['boundary'])]

    def get(self, name, default=None):
        return get(self.fields, name, default)

    @property
    def payload(self):
        """The octets of the only payload."""
        (entity,) = self.payloads
        return entity.decoded

    @property
    def file_name(self):
        disposition = self.payloads[0].get('Content-Disposition')
        return value(disposition)[1].get('filename') if disposition else None


class Peer:
    """One side of a relationship: our AS2 name and Keys, the partner's name and certificate."""

    def __init__(self, name, keys, partner, partner_cert, version='1.2'):
        self.name, self.keys, self.version = name, keys, version
        self.partner, self.partner_cert = partner, partner_cert

    def envelope(self, subject, message_id=None, agent='User-Agent'):
        """Fields that messages and MDNs carry."""
        fields = [('AS2-Version', self.version), ('AS2-From', quoted(self.name)),
                  ('AS2-To', quoted(self.partner)),
                  ('Message-ID', message_id or self.new_id()), ('Subject', subject),
                  ('Date', email.utils.formatdate(usegmt=True)), ('MIME-Version', '1.0'),
                  (agent, 'as2.py')]
        return fields + ([('EDIINT-Features', 'multiple-attachments')]
                         if self.version >= '1.2' else [])

    def new_id(self):
        return f'<{secrets.token_hex(16)}@{re.sub("[^A-Za-z0-9.-]", "-", self.name)}>'

    def message(self, content=b"UNB+UNOA:2+A+B'\r\n", nesting='ES', *, mdn='signed',
                micalg='sha-256', async_url=None, message_id=None, subject='orders', fields=(),
                change=None, type='application/EDIFACT', name='orders.edi', encoding='binary',
                **layers):
        """A message. content: octets, or a payload entity. mdn: 'signed', 'unsigned' or None.
        fields: more of them; change: {field: other value, None: removed}, applied last. layers:
        signing, compressing, encrypting, edit of build()."""
        if not isinstance(content, Entity):
            content = payload(content, type, name, encoding)
        entity, source = build(content, nesting, self.keys, self.partner_cert, **layers)
        message_id = message_id or self.new_id()
        head = self.envelope(subject, message_id)
        if mdn:
            head.append(('Disposition-Notification-To', 'edi@sender.example'))
        if mdn == 'signed':
            head.append(('Disposition-Notification-Options', OPTIONS + micalg))
        if async_url is not None:
            head.append(('Receipt-Delivery-Option', async_url))
        head += [*entity.fields, *fields]
        for k, v in (change or {}).items():
            head = replaced(head, k, v)
        return Message(head, entity.body, source, message_id)

    def check_envelope(self, fields):
        """What every message and MDN to us must carry."""
        if unquoted(get(fields, 'AS2-To')) != self.name or \
                unquoted(get(fields, 'AS2-From')) != self.partner:
            raise FormatError(f'from {get(fields, "AS2-From")} to {get(fields, "AS2-To")}')
        if not re.match(r'1\.[0-9]\Z', get(fields, 'AS2-Version') or ''):
            raise FormatError(f'AS2-Version: {get(fields, "AS2-Version")}')
        if not re.match(r'<[!-;=?-~]+@[!-;=?-~]+>\Z', get(fields, 'Message-ID') or ''):
            raise FormatError(f'Message-ID: {get(fields, "Message-ID")}')
        if email.utils.parsedate(get(fields, 'Date')) is None or not get(fields, 'Subject'):
            raise FormatError(f'Date: {get(fields, "Date")}, Subject: {get(fields, "Subject")}')
        features = get(fields, 'EDIINT-Features')
        if (features is not None) != (get(fields, 'AS2-Version') >= '1.2'):
            raise FormatError(f'EDIINT-Features: {features}')

    def receive(self, fields, body):
        """Opens a message: every layer must be well formed, signed by and encrypted for the right
        certificates."""
        self.check_envelope(fields)
        entity = Entity([f for f in fields if f[0].lower().startswith('content-')
                         and f[0].lower() != 'content-length'], body)
        nesting, source = '', None
        while True:
            kind, params = entity.type
            if kind == 'multipart/signed':
                nesting += 'S'
                source, signature = split(entity.body, params['boundary'])
                signature = Entity.read(signature)
                if params['protocol'] != signature.type[0] or not digest_name(params['micalg']):
                    raise FormatError(f'{params}, {signature.type}')
                cms_verify(signature.decoded, source, self.partner_cert)
                entity = Entity.read(source)
            elif kind == 'application/pkcs7-mime' and params['smime-type'] == 'signed-data':
                nesting += 'S'
                source = cms_content(entity.decoded, self.partner_cert)
                entity = Entity.read(source)
            elif kind == 'application/pkcs7-mime' and params['smime-type'] == 'compressed-data':
                nesting += 'C'
                entity = Entity.read(decompress(entity.decoded))
            elif kind == 'application/pkcs7-mime':
                nesting += 'E'
                entity = Entity.read(cms_decrypt(entity.decoded, self.keys))
            else:
                break
        if nesting not in NESTINGS:
            raise FormatError(f'nesting {nesting}')
        if source is None:
            source = entity.octets if nesting else entity.decoded
        return Received(fields, body, nesting, entity, source)

    def mdn(self, received, disposition='processed', *, source=None, micalg=None, md=None,
            signed=None, text='The message was received.\r\n', said=None, change=None,
            signing=None, edit=None):
        """(fields, body) of the MDN for a message: Received or a list of its fields. source: the
        octets of the MIC, b'' for none. said: {field of the notification: other value, None:
        removed}; change: the same for HTTP fields; edit: a function of the report entity."""
        fields = getattr(received, 'fields', received)
        options = get(fields, 'Disposition-Notification-Options') or ''
        listed = re.search(r'signed-receipt-micalg\s*=\s*(?:optional|required)?\s*,?\s*([^;,\s]+)',
                           options, re.I)
        micalg = micalg or (listed.group(1) if listed else 'sha1')
        if source is None:
            source = getattr(received, 'mic_source', b'')
        if signed is None:
            signed = 'pkcs7-signature' in options
        lines = [('Reporting-UA', 'as2.py'),
                 ('Final-Recipient', f'rfc822; {get(fields, "AS2-To")}'),
                 ('Original-Message-ID', get(fields, 'Message-ID')),
                 ('Disposition', f'automatic-action/MDN-sent-automatically; {disposition}')]
        if source:
            lines.append(('Received-content-MIC', mic_text(source, micalg)))
        for k, v in (said or {}).items():
            lines = replaced(lines, k, v)
        report = multipart('multipart/report; report-type=disposition-notification', [
            Entity([('Content-Type', 'text/plain; charset=us-ascii'),
                    ('Content-Transfer-Encoding', '7bit')], text.encode()),
            Entity([('Content-Type', 'message/disposition-notification'),
                    ('Content-Transfer-Encoding', '7bit')], head_octets(lines))])
        report = edit(report) if edit else report
        if signed:
            report = sign(report, self.keys, md=md or digest_name(micalg), **(signing or {}))
        head = self.envelope('MDN', agent='Server')
        head += report.fields
        for k, v in (change or {}).items():
            head = replaced(head, k, v)
        return head, report.body

    def read_mdn(self, message, fields, body):
        """The partner's MDN for a Message: signed by the partner when that was asked for, names
        and identifier right, the MIC that of what was sent when it is positive."""
        self.check_envelope(fields)
        mdn = Mdn(fields, body)
        if 'pkcs7-signature' in (get(message.fields, 'Disposition-Notification-Options') or ''):
            mdn.verify(self.partner_cert)
        if mdn.original_message_id != message.message_id:
            raise FormatError(f'Original-Message-ID: {mdn.original_message_id}')
        recipient = mdn.said['final-recipient']
        if recipient != f'rfc822; {get(message.fields, "AS2-To")}':
            raise FormatError(f'Final-Recipient: {recipient}')
        if mdn.positive and not mdn.covers(message.mic_source):
            raise Refused(f'the MIC is not that of what was sent: {mdn.mic}')
        return mdn

    def exchange(self, url, message, **request):
        """Posts a message and reads the MDN in the response, which must be there."""
        response = message.post(url, **request)
        if response.status != 200:
            raise Refused(f'{response}')
        return self.read_mdn(message, response.fields, response.body)


# ---- a partner that waits -------------------------------------------------------------------


class Partner(Server):
    """A Server that is one side of a relationship: opens messages and answers with the MDN that was
    asked for, takes MDNs.

    peer             the side
    messages         a queue of Received
    mdns             a queue of Mdn
    mdn_how          keywords for Peer.mdn(), for instance disposition=...
    mdn_post         keywords for the post() of asynchronous MDNs: tls, auth, ...
    mdn_responses    a queue of what was answered to these, responses or exceptions
    mdn_delay        seconds before an asynchronous one"""

    def __init__(self, peer, **server):
        self.peer = peer
        self.messages, self.mdns = queue.Queue(), queue.Queue()
        self.mdn_responses = queue.Queue()
        self.mdn_how, self.mdn_post, self.mdn_delay = {}, {}, 0.0
        super().__init__(**server)

    def answer(self, request):
        if request.method != 'POST':
            return Answer(200 if request.method == 'HEAD' else 405)
        try:
            return self._take(request)
        except AssertionError as e:
            self.problems.append(e)
            return Answer(500)

    def _take(self, request):
        if is_mdn(request.fields, request.body):
            self.mdns.put(Mdn(request.fields, request.body))
            return Answer(200)
        got = self.peer.receive(request.fields, request.body)
        self.messages.put(got)
        if got.get('Disposition-Notification-To') is None:
            return Answer(200)
        fields, body = self.peer.mdn(got, **self.mdn_how)
        url = got.get('Receipt-Delivery-Option')
        if not url:
            return Answer(200, fields, body)
        timer = threading.Timer(self.mdn_delay, self._post, (url, fields, body))
        timer.daemon = True
        return Answer(200, after=timer.start)

    def _post(self, url, fields, body):
        try:
            self.mdn_responses.put(post(url, fields, body, **self.mdn_post))
        except Exception as e:
            self.mdn_responses.put(e)

    def _next(self, q, what, timeout):
        timeout = patient(30) if timeout is None else timeout
        try:
            return q.get(timeout=timeout)
        except queue.Empty:
            raise Silent(f'no {what} in {timeout} s; problems: {self.problems}') from None

    def next_message(self, timeout=None):
        return self._next(self.messages, 'message', timeout)

    def next_mdn(self, timeout=None):
        return self._next(self.mdns, 'MDN', timeout)

    def next_mdn_response(self, timeout=None):
        return self._next(self.mdn_responses, 'answer to an MDN', timeout)
