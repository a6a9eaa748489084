"""AS2 messages against the `openssl cms` command and Python's own MIME, digest and zlib: it opens what
we seal, and we open what it makes, for every nesting of as2.md 2.3. The program under test is
tests/unit/as2/as2_tool.c, which is nothing but src/as2 between standard input and output.
"""

import base64
import hashlib
import os
import pathlib
import random
import re
import subprocess
import zlib

import pytest

from patience import patient

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get('WAYBILL_BINARY', ROOT / 'build' / 'waybill')).parent
TOOL = BUILD / 'tests' / 'unit' / 'as2' / 'as2_tool'

CONTENT = random.Random(7).randbytes(70000) + b"UNZ+1+1'\r\n" * 5000

# name -> (encrypted, signed, compressed)
NESTINGS = {'P': (False, False, ''), 'S(P)': (False, True, ''), 'E(P)': (True, False, ''),
            'E(S(P))': (True, True, ''), 'C(P)': (False, False, 'before'),
            'S(C(P))': (False, True, 'before'), 'C(S(P))': (False, True, 'after'),
            'E(C(P))': (True, False, 'before'), 'E(S(C(P)))': (True, True, 'before'),
            'E(C(S(P)))': (True, True, 'after')}

pytestmark = pytest.mark.skipif(not TOOL.exists(), reason=f'{TOOL} is not built')


def run(*args, data=b'', fails=False):
    done = subprocess.run([str(a) for a in args], input=data, capture_output=True, timeout=patient(60))
    assert done.returncode == (1 if fails else 0), (args, done.stderr.decode(errors='replace'))
    return done.stdout, done.stderr.decode(errors='replace')


def openssl(*args, data=b''):
    return run('openssl', *args, data=data)[0]


@pytest.fixture(scope='module')
def keys(tmp_path_factory):
    """name -> (certificate, key)."""
    folder = tmp_path_factory.mktemp('keys')
    made = {}
    curve = ['-pkeyopt', 'ec_paramgen_curve:']
    for name, kind in {'us': ['rsa:2048'], 'partner': ['rsa:2048'], 'big': ['rsa:4096'],
                       'p256': ['ec', curve[0], curve[1] + 'P-256'],
                       'p384': ['ec', curve[0], curve[1] + 'P-384'],
                       'p521': ['ec', curve[0], curve[1] + 'P-521']}.items():
        cert, key = folder / f'{name}.pem', folder / f'{name}.key'
        openssl('req', '-x509', '-newkey', *kind, '-nodes', '-keyout', key, '-out', cert,
                '-subj', f'/O=Test/CN={name}', '-days', '2')
        made[name] = (cert, key)
    return made


def tool_seal(keys, nesting, *more, signer='partner', data=CONTENT):
    encrypted, is_signed, compressed = NESTINGS[nesting]
    args = ['--sign', *keys[signer]] if is_signed else []
    args += ['--encrypt', keys['us'][0]] if encrypted else []
    args += ['--compress', compressed] if compressed else []
    return run(TOOL, 'seal', *args, *more, data=data)


def tool_open(keys, entity, *more, signer='partner', own='us', fails=False):
    out, found = run(TOOL, 'open', '--key', *keys[own], '--signer', keys[signer][0], *more,
                     data=entity, fails=fails)
    return out, dict(line.split(': ', 1) for line in found.splitlines())


# ---- a strict reader and writer of entities, in Python ----------------------------------------


def head_of(entity):
    head, body = entity.split(b'\r\n\r\n', 1)
    fields = {}
    for line in head.decode().split('\r\n'):
        assert len(line) < 998 and not line.startswith((' ', '\t')), line
        name, value = line.split(': ', 1)
        assert name.lower() not in fields
        fields[name.lower()] = value
    return fields, body


def decoded(fields, body):
    encoding = fields.get('content-transfer-encoding', 'binary')
    assert encoding in ('binary', 'base64')
    return body if encoding == 'binary' else base64.b64decode(body)


def parts_of(fields, body):
    boundary = re.search(r'boundary="([^"]+)"', fields['content-type']).group(1).encode()
    assert body.startswith(b'--' + boundary + b'\r\n')
    assert body.endswith(b'\r\n--' + boundary + b'--\r\n')
    parts = body[len(boundary) + 4:-len(boundary) - 8].split(b'\r\n--' + boundary + b'\r\n')
    assert len(parts) == 2
    return parts


def decompressed(der, folder):
    """The zlib stream of a CompressedData, found by the asn1parse command."""
    (folder / 'c.der').write_bytes(der)
    lines = openssl('asn1parse', '-inform', 'DER', '-in', folder / 'c.der').decode().splitlines()
    stream, at = b'', [line for line in lines if ': OCTET STRING' in line and 'prim' in line]
    for line in at:
        offset, header, length = map(int, re.match(
            r' *(\d+):d=\d+ +hl=(\d+) +l= *(\d+)', line).groups())
        stream += der[offset + header:offset + header + length]
    return zlib.decompress(stream)


def digest_of(line):
    return line.split(', ')[0]


def sha256(octets):
    return base64.b64encode(hashlib.sha256(octets).digest()).decode()


def unwrap(keys, entity, folder, signer='partner', verify=()):
    """Opens an entity with openssl, strictly. The layers, the payload, and the MIC's source."""
    layers, source, bare = '', None, True
    while True:
        fields, body = head_of(entity)
        kind = fields['content-type'].split(';')[0]
        if 'enveloped-data' in fields['content-type'].lower():
            (folder / 'e.der').write_bytes(decoded(fields, body))
            entity = openssl('cms', '-decrypt', '-binary', '-inform', 'DER', '-in',
                             folder / 'e.der', '-recip', keys['us'][0], '-inkey', keys['us'][1])
            layers += 'E'
        elif 'compressed-data' in fields['content-type']:
            entity = decompressed(decoded(fields, body), folder)
            layers += 'C'
        elif 'signed-data' in fields['content-type']:
            (folder / 's.der').write_bytes(decoded(fields, body))
            entity = source = openssl('cms', '-verify', '-binary', '-inform', 'DER', '-in',
                                      folder / 's.der', '-certfile', keys[signer][0], '-nointern',
                                      '-noverify', *verify)
            layers += 'S'
        elif kind == 'multipart/signed':
            first, second = parts_of(fields, body)
            (folder / 'entity').write_bytes(first)
            (folder / 's.der').write_bytes(decoded(*head_of(second)))
            out = openssl('cms', '-verify', '-binary', '-inform', 'DER', '-in', folder / 's.der',
                          '-content', folder / 'entity', '-certfile', keys[signer][0],
                          '-nointern', '-noverify', *verify)
            assert out == first
            entity = source = first
            layers += 'S'
        else:
            payload = decoded(fields, body)
            break
        bare = False
    return layers, payload, source or (payload if bare else entity)


# ---- what we seal ---------------------------------------------------------------------------

ENCODINGS = pytest.mark.parametrize('encoding', [[], ['--base64', '--base64-layers'],
                                                 ['--binary-signature']],
                                    ids=['usual', 'base64', 'binary'])


SIGNED = [n for n in NESTINGS if 'S' in n]


@ENCODINGS
@pytest.mark.parametrize('nesting', SIGNED)
def test_openssl_opens_our_opaque_signatures_and_finds_the_mic(keys, tmp_path, nesting, encoding):
    """AS2-C31, AS2-C51, AS2-C52: SignedData with the content inside"""
    for more in [], ['--no-attributes'], ['--pss', '--digest', 'sha512'], ['--no-certificates']:
        entity, said = tool_seal(keys, nesting, '--opaque', *encoding, *more)
        layers, payload, source = unwrap(keys, entity, tmp_path)
        assert payload == CONTENT and layers == re.sub('[()P]', '', nesting)
        if 'sha512' not in more:
            assert digest_of(dict(x.split(': ') for x in said.splitlines())['mic']) == \
                sha256(source)


@ENCODINGS
@pytest.mark.parametrize('nesting', NESTINGS)
def test_openssl_opens_what_we_seal_and_finds_the_mic(keys, tmp_path, nesting, encoding):
    """AS2-C31, AS2-C33, AS2-C37, AS2-C38, AS2-C51, AS2-C52"""
    entity, said = tool_seal(keys, nesting, '--file-name', 'orders.edi', *encoding)
    layers, payload, source = unwrap(keys, entity, tmp_path)
    assert payload == CONTENT
    assert layers == re.sub('[()P]', '', nesting)
    assert digest_of(dict(x.split(': ') for x in said.splitlines())['mic']) == sha256(source)


@pytest.mark.parametrize('size', [0, 1, 100])
@pytest.mark.parametrize('nesting', NESTINGS)
def test_openssl_opens_small_payloads(keys, tmp_path, nesting, size):
    """AS2-C41, AS2-C42"""
    content = bytes([13, 0, 10, 26] * 25)[:size]
    entity, _ = tool_seal(keys, nesting, data=content)
    assert unwrap(keys, entity, tmp_path)[1] == content


@pytest.mark.parametrize('attributes', [[], ['--no-attributes']], ids=['attributes', 'bare'])
@pytest.mark.parametrize('digest', ['sha1', 'sha256', 'sha384', 'sha512'])
@pytest.mark.parametrize('signer', ['partner', 'pss', 'big', 'p256', 'p384', 'p521'])
def test_openssl_verifies_our_signatures(keys, tmp_path, signer, digest, attributes):
    """AS2-C107, AS2-C108, AS2-C120"""
    who = 'partner' if signer == 'pss' else signer
    more = ['--pss'] if signer == 'pss' else []
    entity, _ = tool_seal(keys, 'S(P)', '--digest', digest, *attributes, *more, signer=who)
    assert unwrap(keys, entity, tmp_path, signer=who)[1] == CONTENT


@pytest.mark.parametrize('padding', [[], ['--pss']], ids=['pkcs1', 'oaep'])
@pytest.mark.parametrize('cipher', ['des-ede3-cbc', 'aes-128-cbc', 'aes-256-cbc', 'aes-128-gcm',
                                    'aes-256-gcm'])
def test_openssl_decrypts_what_we_encrypt(keys, tmp_path, cipher, padding):
    """AS2-C112, AS2-C113"""
    entity, _ = tool_seal(keys, 'E(S(C(P)))', '--cipher', cipher, *padding)
    kind = 'authEnveloped-data' if 'gcm' in cipher else 'enveloped-data'
    assert f'smime-type={kind};' in head_of(entity)[0]['content-type']
    assert unwrap(keys, entity, tmp_path)[1] == CONTENT


# ---- what openssl makes ---------------------------------------------------------------------


def tlv(tag, *content):
    body = b''.join(content)
    size = len(body)
    length = bytes([size]) if size < 128 else b'\x83' + size.to_bytes(3, 'big')
    return bytes([tag]) + length + body


def theirs_plain(content=CONTENT):
    return b'Content-Type: application/EDIFACT\r\n\r\n' + content


def theirs_compressed(entity):
    octets = [bytes.fromhex(x) for x in ('060b2a864886f70d0109100109', '020100',
                                         '300d060b2a864886f70d0109100308',
                                         '06092a864886f70d010701')]
    der = tlv(0x30, octets[0], tlv(0xa0, tlv(0x30, octets[1], octets[2], tlv(
        0x30, octets[3], tlv(0xa0, tlv(0x04, zlib.compress(entity)))))))
    return b'Content-Type: application/pkcs7-mime; smime-type=compressed-data\r\n\r\n' + der


def theirs_signed(keys, entity, *more, signer='partner', md='sha256', micalg='sha-256'):
    cert, key = keys[signer]
    sealed = openssl('cms', '-sign', '-binary', '-outform', 'DER', '-md', md, '-signer', cert,
                     '-inkey', key, *more, data=entity)
    return (b'Content-Type: multipart/signed; protocol="application/pkcs7-signature"; micalg='
            + micalg.encode() + b'; boundary="=="\r\n\r\n'
            + b'--==\r\n' + entity + b'\r\n--==\r\n'
            b'Content-Type: application/pkcs7-signature\r\n'
            b'Content-Transfer-Encoding: base64\r\n\r\n' + base64.encodebytes(sealed)
            + b'\r\n--==--\r\n')


def theirs_opaque(keys, entity, *more, signer='partner', md='sha256', encode=False):
    cert, key = keys[signer]
    sealed = openssl('cms', '-sign', '-binary', '-nodetach', '-outform', 'DER', '-md', md, '-signer',
                     cert, '-inkey', key, *more, data=entity)
    head = b'Content-Type: application/pkcs7-mime; smime-type=signed-data; name=smime.p7m\r\n'
    if encode:
        return head + b'Content-Transfer-Encoding: base64\r\n\r\n' + base64.encodebytes(sealed)
    return head + b'\r\n' + sealed


def theirs_encrypted(keys, entity, *more, cipher='aes-256-cbc', who=('us',)):
    args = [x for name in who for x in ('-recip', keys[name][0], *more)]
    sealed = openssl('cms', '-encrypt', '-binary', '-outform', 'DER', f'-{cipher}', *args,
                     data=entity)
    return b'Content-Type: application/pkcs7-mime; name=smime.p7m\r\n\r\n' + sealed


def nest(keys, nesting):
    entity = theirs_plain()
    for layer in reversed(re.sub('[()P]', '', nesting)):
        entity = {'C': lambda e: theirs_compressed(e), 'S': lambda e: theirs_signed(keys, e),
                  'E': lambda e: theirs_encrypted(keys, e)}[layer](entity)
    return entity


@pytest.mark.parametrize('chunk', [65536, 1000])
@pytest.mark.parametrize('nesting', NESTINGS)
def test_we_open_what_openssl_seals(keys, nesting, chunk):
    """AS2-C31, AS2-C39, AS2-C44, AS2-C51, AS2-C52"""
    payload, found = tool_open(keys, nest(keys, nesting), '--chunk', chunk)
    assert payload == CONTENT
    encrypted, is_signed, compressed = NESTINGS[nesting]
    assert (found['signed'] == 'sha256 trusted') == is_signed
    assert (found['encrypted'] == 'aes-256-cbc') == encrypted
    assert (found['compressed'] == 'zlib') == bool(compressed)
    source = theirs_plain()
    if not re.sub('[()P]', '', nesting):
        source = CONTENT
    elif is_signed and compressed == 'before':
        source = theirs_compressed(source)
    assert digest_of(found['mic']) == sha256(source)


@pytest.mark.parametrize('form', [[], ['-stream'], ['-noattr'], ['-keyid'], ['-nocerts'],
                                  ['-stream', '-noattr', '-keyid']],
                         ids=lambda form: ''.join(form) or 'usual')
@pytest.mark.parametrize('md', ['sha1', 'sha256', 'sha512'])
@pytest.mark.parametrize('signer', ['partner', 'pss', 'p256'])
def test_we_open_opaque_signatures_of_openssl(keys, signer, md, form):
    """AS2-C31, AS2-C107, AS2-C115: in DER and BER, alone and in other layers"""
    who = 'partner' if signer == 'pss' else signer
    more = ['-keyopt', 'rsa_padding_mode:pss'] if signer == 'pss' else []
    if signer == 'pss' and '-stream' in form:
        pytest.skip('the openssl command cannot make it')
    source = theirs_plain()
    for encode in False, True:
        opaque = theirs_opaque(keys, source, *form, *more, signer=who, md=md, encode=encode)
        for entity in opaque, theirs_encrypted(keys, opaque), theirs_compressed(opaque):
            payload, found = tool_open(keys, entity, '--chunk', 1000, signer=who)
            assert payload == CONTENT and found['signed'] == f'{md} trusted'
            digest = hashlib.new(md, source).digest()
            assert digest_of(found['mic']) == base64.b64encode(digest).decode()
    opaque = theirs_opaque(keys, source, *form, *more, signer=who, md=md)
    found = tool_open(keys, opaque, signer='us', fails=True)[1]
    assert found['fault'] == 'processed/error: authentication-failed'
    found = tool_open(keys, opaque.replace(b'UNZ+1', b'UNZ+2', 1), signer=who, fails=True)[1]
    assert found['fault'] == 'processed/error: integrity-check-failed'


@pytest.mark.parametrize('form', [[], ['-noattr'], ['-keyid'], ['-nocerts'],
                                  ['-noattr', '-keyid', '-nocerts']],
                         ids=lambda form: ''.join(form) or 'usual')
@pytest.mark.parametrize('md', ['sha1', 'sha224', 'sha256', 'sha384', 'sha512'])
@pytest.mark.parametrize('signer', ['partner', 'pss', 'big', 'p256', 'p384', 'p521'])
def test_we_verify_what_openssl_signs(keys, signer, md, form):
    """AS2-C107, AS2-C108, AS2-C120"""
    who = 'partner' if signer == 'pss' else signer
    more = ['-keyopt', 'rsa_padding_mode:pss'] if signer == 'pss' else []
    entity = theirs_signed(keys, theirs_plain(b'x'), *form, *more, signer=who, md=md, micalg=md)
    payload, found = tool_open(keys, entity, signer=who)
    assert payload == b'x' and found['signed'] == f'{md} trusted'
    found = tool_open(keys, entity, signer='us', fails=True)[1]
    assert found['fault'] == 'processed/error: authentication-failed'
    found = tool_open(keys, entity.replace(b'\r\n\r\nx', b'\r\n\r\ny'), signer=who, fails=True)[1]
    assert found['fault'] == 'processed/error: integrity-check-failed'


def test_a_digest_that_was_not_announced_is_run_in_a_second_pass(keys):
    """AS2-C47"""
    entity = theirs_signed(keys, theirs_plain(), md='sha384', micalg='sha1')
    found = tool_open(keys, entity, fails=True)[1]
    assert found['missing'] == 'sha384'
    payload, found = tool_open(keys, entity, '--also', 'sha384')
    assert payload == CONTENT and found['signed'] == 'sha384 trusted'


def test_md5_is_refused(keys):
    """AS2-C107"""
    entity = theirs_signed(keys, theirs_plain(), md='md5', micalg='md5')
    found = tool_open(keys, entity, fails=True)[1]
    assert found['fault'] == 'processed/error: insufficient-message-security'


@pytest.mark.parametrize('cipher', ['des-ede3-cbc', 'aes-128-cbc', 'aes-192-cbc', 'aes-256-cbc',
                                    'aes-128-gcm', 'aes-192-gcm', 'aes-256-gcm'])
@pytest.mark.parametrize('oaep', ['', 'sha1', 'sha256'])
def test_we_decrypt_what_openssl_encrypts(keys, cipher, oaep):
    """AS2-C112, AS2-C113"""
    more = ['-keyopt', 'rsa_padding_mode:oaep', '-keyopt', f'rsa_oaep_md:{oaep}'] if oaep else []
    entity = theirs_encrypted(keys, nest(keys, 'S(C(P))'), *more, cipher=cipher)
    payload, found = tool_open(keys, entity)
    assert payload == CONTENT
    assert found['encrypted'] == cipher + (' aead' if 'gcm' in cipher else '')
    for damage in (20, len(entity) // 2):
        broken = bytearray(entity)
        broken[-damage] ^= 1
        fault = tool_open(keys, bytes(broken), fails=True)[1]['fault']
        if 'gcm' in cipher:
            assert fault == 'processed/error: decryption-failed'


@pytest.mark.parametrize('cipher', ['des-cbc', 'rc2-128', 'rc2-40'])
def test_old_ciphers_are_refused(keys, cipher):
    """AS2-C112"""
    legacy = ['-provider', 'legacy', '-provider', 'default']
    sealed = subprocess.run(['openssl', 'cms', '-encrypt', '-binary', '-outform', 'DER', *legacy,
                             f'-{cipher}', '-recip', str(keys['us'][0])], input=theirs_plain(),
                            capture_output=True, timeout=patient(60))
    if sealed.returncode != 0:
        pytest.skip(f'this openssl has no {cipher}')
    head = b'Content-Type: application/pkcs7-mime; smime-type=enveloped-data\r\n\r\n'
    found = tool_open(keys, head + sealed.stdout, fails=True)[1]
    assert found['fault'] == 'processed/error: decryption-failed'


def gcm_parts(entity):
    """The offsets of the tag's octets and of what says that it has 16."""
    head, der = entity.split(b'\r\n\r\n', 1)
    icv = der.index(bytes.fromhex('020110'))
    assert der[-18:-16] == b'\x04\x10'
    return head + b'\r\n\r\n', bytearray(der), icv + 2


@pytest.mark.parametrize('length', [4, 8, 12, 15])
def test_a_tag_whose_length_is_not_the_one_announced_is_refused(keys, length):
    """AS2-C112"""
    head, der, icv = gcm_parts(theirs_encrypted(keys, theirs_plain(b'x'), cipher='aes-128-gcm'))
    der[icv] = length
    found = tool_open(keys, head + bytes(der), fails=True)[1]
    assert found['fault'] == 'processed/error: decryption-failed'


@pytest.mark.parametrize('cipher', ['aes-128-gcm', 'aes-256-gcm'])
def test_gcm_in_enveloped_data_is_refused(keys, cipher):
    """AS2-C112: an authenticated message made out to be one of EnvelopedData."""
    entity = theirs_encrypted(keys, theirs_plain(b'x'), cipher=cipher)
    auth, plain = bytes.fromhex('060b2a864886f70d0109100117'), bytes.fromhex('06092a864886f70d010703')
    head, der = entity.split(b'\r\n\r\n', 1)
    at = der.index(auth)
    inner = der[at + len(auth):]
    assert der[0] == 0x30 and inner[0] == 0xa0 and at == 4 and inner[1] == 0x82
    body = inner[8:-18] if inner[5] == 0x82 else inner[7:-18]
    # without the tag, and with lengths that are right again
    der = tlv(0x30, plain, tlv(0xa0, tlv(0x30, body)))
    found = tool_open(keys, head + b'\r\n\r\n' + der, fails=True)[1]
    assert found['fault'] == 'processed/error: decryption-failed'


@pytest.mark.parametrize('who', [('us', 'partner', 'big'), ('big', 'us'), ('partner', 'big', 'us')])
def test_our_recipient_info_may_stand_anywhere(keys, who):
    """AS2-C114"""
    entity = theirs_encrypted(keys, theirs_signed(keys, theirs_plain()), who=who)
    for own in who:
        assert tool_open(keys, entity, own=own)[0] == CONTENT
    other = next(name for name in ('big', 'partner', 'p256') if name not in who)
    found = tool_open(keys, entity, own=other, fails=True)[1]
    assert found['fault'] == 'processed/error: decryption-failed'


def test_streamed_objects_of_openssl_open(keys):
    """AS2-C115: BER of indefinite length."""
    sealed = openssl('cms', '-encrypt', '-binary', '-stream', '-outform', 'DER', '-aes-128-cbc',
                     '-recip', keys['us'][0], data=theirs_plain())
    head = b'Content-Type: application/pkcs7-mime; smime-type=enveloped-data\r\n\r\n'
    assert sealed[1] == 0x80
    assert tool_open(keys, head + sealed, '--chunk', 7)[0] == CONTENT
