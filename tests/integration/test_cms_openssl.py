"""The `openssl cms` command opens what we seal, and we open what it seals, for every algorithm and
structure it can produce. CompressedData, which it cannot, against Python's zlib. OFTP2-C126, C127
and C129 as far as a partner with OpenSSL goes; the program under test is tests/unit/cms/cms_tool.c,
which is nothing but src/cms between standard input and output.
"""

import os
import pathlib
import random
import subprocess
import zlib

import pytest

from patience import patient

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get('WAYBILL_BINARY', ROOT / 'build' / 'waybill')).parent
TOOL = BUILD / 'tests' / 'unit' / 'cms' / 'cms_tool'

CIPHERS = ['des-ede3-cbc', 'aes-128-cbc', 'aes-192-cbc', 'aes-256-cbc', 'aes-128-gcm',
           'aes-256-gcm']
DIGESTS = ['sha1', 'sha256', 'sha384', 'sha512', 'sha3-512']
CONTENT = random.Random(7).randbytes(70000)

pytestmark = pytest.mark.skipif(not TOOL.exists(), reason=f'{TOOL} is not built')


def run(*args, data=b'', fails=False):
    done = subprocess.run([str(a) for a in args], input=data, capture_output=True, timeout=patient(60))
    if fails:
        assert done.returncode == 1, done
    else:
        assert done.returncode == 0, (args, done.stderr.decode(errors='replace'))
    return done.stdout, done.stderr.decode(errors='replace')


def openssl(*args, data=b'', fails=False):
    return run('openssl', *args, data=data, fails=fails)[0]


@pytest.fixture(scope='module')
def keys(tmp_path_factory):
    """name -> (certificate, key); two RSA and two EC."""
    folder = tmp_path_factory.mktemp('keys')
    made = {}
    for name, kind in {'rsa': ['rsa:2048'], 'rsa2': ['rsa:2048'],
                       'ec': ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
                       'ec2': ['ec', '-pkeyopt', 'ec_paramgen_curve:P-384']}.items():
        cert, key = folder / f'{name}.pem', folder / f'{name}.key'
        openssl('req', '-x509', '-newkey', *kind, '-nodes', '-keyout', key, '-out', cert,
                '-subj', f'/O=Test/CN={name}', '-days', '2')
        made[name] = (cert, key)
    return made


def tool_open(data, keys=(), signers=(), fails=False, more=()):
    args = []
    for cert, key in keys:
        args += ['--key', cert, key]
    for cert, _ in signers:
        args += ['--signer', cert]
    return run(TOOL, 'open', *args, *more, data=data, fails=fails)


# ---- what openssl seals ---------------------------------------------------------------------

STREAMS = pytest.mark.parametrize('stream', [['-stream'], []], ids=['stream', 'der'])
NAMES = pytest.mark.parametrize('name', [[], ['-keyid']], ids=['issuer', 'keyid'])


@STREAMS
@NAMES
@pytest.mark.parametrize('padding', ['pkcs1', 'oaep', 'ec'])
@pytest.mark.parametrize('cipher', CIPHERS)
def test_we_open_what_openssl_encrypts(keys, cipher, padding, name, stream):
    own = keys['ec' if padding == 'ec' else 'rsa']
    args = ['-recip', own[0]]
    if padding == 'oaep':
        args += ['-keyopt', 'rsa_padding_mode:oaep', '-keyopt', 'rsa_oaep_md:sha256']
    sealed = openssl('cms', '-encrypt', '-binary', '-outform', 'DER', f'-{cipher}', *stream,
                     *name, *args, data=CONTENT)
    out, log = tool_open(sealed, keys=[own])
    assert out == CONTENT
    kind = 'auth-enveloped' if cipher.endswith('gcm') else 'enveloped'
    assert log == f'{kind} {cipher} -\n'
    _, log = tool_open(sealed, keys=[keys['rsa2']], fails=True)
    assert log.startswith('fault 2:')


@STREAMS
@NAMES
@pytest.mark.parametrize('attributes', [[], ['-noattr']], ids=['attr', 'noattr'])
@pytest.mark.parametrize('certs', [[], ['-nocerts']], ids=['certs', 'nocerts'])
@pytest.mark.parametrize('kind', ['pkcs1', 'pss', 'ec'])
@pytest.mark.parametrize('digest', DIGESTS)
def test_we_verify_what_openssl_signs(keys, digest, kind, certs, attributes, name, stream):
    if kind != 'pkcs1' and digest == 'sha3-512' or kind == 'pss' and stream:
        pytest.skip('OpenSSL 3.0 cannot make that')
    own = keys['ec' if kind == 'ec' else 'rsa']
    pss = ['-keyopt', 'rsa_padding_mode:pss'] if kind == 'pss' else []
    sealed = openssl('cms', '-sign', '-binary', '-nodetach', '-outform', 'DER', '-md', digest,
                     *stream, *name, *attributes, *certs, '-signer', own[0], '-inkey', own[1],
                     *pss, data=CONTENT)
    out, log = tool_open(sealed, signers=[own])
    assert out == CONTENT
    assert log == f'signed {digest} trusted\n'
    _, log = tool_open(sealed, signers=[keys['rsa2']], fails=True)
    assert log.startswith('fault 1:')


def test_several_recipients_and_signers(keys):
    every = list(keys.values())
    sealed = openssl('cms', '-encrypt', '-binary', '-outform', 'DER', '-aes-256-cbc',
                     *[k[0] for k in every], data=CONTENT)
    for own in every:
        assert tool_open(sealed, keys=[own])[0] == CONTENT
    args = []
    for cert, key in every:
        args += ['-signer', cert, '-inkey', key]
    sealed = openssl('cms', '-sign', '-binary', '-nodetach', '-outform', 'DER', *args,
                     data=CONTENT)
    for own in every:
        assert tool_open(sealed, signers=[own])[0] == CONTENT


def test_layers_of_openssl(keys):
    signed = openssl('cms', '-sign', '-binary', '-nodetach', '-outform', 'DER', '-signer',
                     keys['rsa'][0], '-inkey', keys['rsa'][1], data=CONTENT)
    sealed = openssl('cms', '-encrypt', '-binary', '-outform', 'DER', '-aes-256-cbc',
                     keys['ec'][0], data=signed)
    out, log = tool_open(sealed, keys=[keys['ec']], signers=[keys['rsa']])
    assert out == CONTENT
    assert log == 'enveloped aes-256-cbc -\nsigned sha256 trusted\n'


def test_plain_data_and_certificates_only(keys, tmp_path):
    sealed = openssl('cms', '-data_create', '-binary', '-outform', 'DER', data=CONTENT)
    out, log = tool_open(sealed)
    assert out == CONTENT and log == 'data - -\n'
    # certificates that travel as SignedData of nothing
    sealed = openssl('crl2pkcs7', '-nocrl', '-certfile', keys['rsa'][0], '-outform', 'DER')
    out, log = tool_open(sealed)
    assert out == b'' and log == 'signed - -\n'
    _, log = tool_open(sealed, signers=[keys['rsa']], fails=True)
    assert log.startswith('fault 1:')


def test_we_verify_detached_signatures(keys, tmp_path):
    for attributes in [], ['-noattr']:
        signature = tmp_path / 'signature'
        signature.write_bytes(openssl('cms', '-sign', '-binary', '-outform', 'DER', *attributes,
                                      '-signer', keys['rsa'][0], '-inkey', keys['rsa'][1],
                                      data=CONTENT))
        more = ['--detached-signature', signature]
        assert tool_open(CONTENT, signers=[keys['rsa']], more=more)[0] == CONTENT
        _, log = tool_open(CONTENT + b'x', signers=[keys['rsa']], more=more, fails=True)
        assert log.startswith('fault 1:')


# ---- what we seal ---------------------------------------------------------------------------

FORMS = pytest.mark.parametrize('form', [[], ['--der']], ids=['stream', 'der'])
OUR_NAMES = pytest.mark.parametrize('name', [[], ['--key-identifier']], ids=['issuer', 'keyid'])


@FORMS
@OUR_NAMES
@pytest.mark.parametrize('padding', ['pkcs1', 'oaep', 'ec'])
@pytest.mark.parametrize('cipher', CIPHERS)
def test_openssl_opens_what_we_encrypt(keys, cipher, padding, name, form):
    own = keys['ec' if padding == 'ec' else 'rsa']
    sealed, _ = run(TOOL, 'seal', '--encrypt', keys['rsa2'][0], '--encrypt', own[0], '--cipher',
                    cipher, *name, *form, *(['--pss'] if padding == 'oaep' else []),
                    data=CONTENT)
    out = openssl('cms', '-decrypt', '-binary', '-inform', 'DER', '-recip', own[0], '-inkey',
                  own[1], data=sealed)
    assert out == CONTENT


@FORMS
@OUR_NAMES
@pytest.mark.parametrize('attributes', [[], ['--no-attributes']], ids=['attr', 'noattr'])
@pytest.mark.parametrize('kind', ['pkcs1', 'pss', 'ec'])
@pytest.mark.parametrize('digest', DIGESTS)
def test_openssl_verifies_what_we_sign(keys, tmp_path, digest, kind, attributes, name, form):
    own = keys['ec' if kind == 'ec' else 'rsa']
    for detached in [], ['--detached']:
        sealed, _ = run(TOOL, 'seal', '--sign', *own, '--digest', digest, *name, *form,
                        *attributes, *detached, *(['--pss'] if kind == 'pss' else []),
                        data=CONTENT)
        content = tmp_path / 'content'
        content.write_bytes(CONTENT)
        out = openssl('cms', '-verify', '-binary', '-inform', 'DER', '-certfile', own[0],
                      '-nointern', '-noverify', *(['-content', content] if detached else []),
                      data=sealed)
        assert out == CONTENT


def test_openssl_verifies_each_of_our_signers(keys):
    every = list(keys.values())
    args = []
    for own in every:
        args += ['--sign', *own]
    sealed, _ = run(TOOL, 'seal', '--certificates', *args, data=CONTENT)
    assert openssl('cms', '-verify', '-binary', '-inform', 'DER', '-noverify',
                   data=sealed) == CONTENT


# ---- compressed data ------------------------------------------------------------------------

def element(tag, *parts, indefinite=False):
    body = b''.join(parts)
    if indefinite:
        return bytes([tag, 0x80]) + body + b'\0\0'
    if len(body) < 0x80:
        return bytes([tag, len(body)]) + body
    n = (len(body).bit_length() + 7) // 8
    return bytes([tag, 0x80 | n]) + len(body).to_bytes(n, 'big') + body


DATA = bytes.fromhex('06092a864886f70d010701')
COMPRESSED = bytes.fromhex('060b2a864886f70d0109100109')
ZLIB = bytes.fromhex('060b2a864886f70d0109100308')


def compressed(stream, indefinite=False, segment=None, algorithm=ZLIB):
    def wrap(tag, *parts):
        return element(tag, *parts, indefinite=indefinite)
    octets = element(0x04, stream)
    if segment:
        octets = wrap(0x24, *[element(0x04, stream[i:i + segment])
                              for i in range(0, len(stream), segment)])
    return wrap(0x30, COMPRESSED,
                wrap(0xa0, wrap(0x30, b'\x02\x01\x00', element(0x30, algorithm),
                                wrap(0x30, DATA, wrap(0xa0, octets)))))


@pytest.mark.parametrize('level', [0, 1, 6, 9])
@pytest.mark.parametrize('content', [b'', b'x', CONTENT, b'LIN+1++4711:EN\'' * 30000],
                         ids=['empty', 'one', 'random', 'text'])
def test_we_inflate_what_zlib_deflates(content, level):
    stream = zlib.compress(content, level)
    for sealed in (compressed(stream), compressed(stream, True), compressed(stream, True, 1000),
                   compressed(stream, False, 1), compressed(stream, True, 1)):
        out, log = tool_open(sealed)
        assert out == content and log == 'compressed zlib -\n'


@pytest.mark.parametrize('content', [b'', b'x', CONTENT, b'LIN+1++4711:EN\'' * 30000],
                         ids=['empty', 'one', 'random', 'text'])
def test_zlib_inflates_what_we_deflate(content):
    sealed, _ = run(TOOL, 'seal', '--compress', data=content)
    head = bytes([0x30, 0x80]) + COMPRESSED + bytes([0xa0, 0x80, 0x30, 0x80, 2, 1, 0]) + \
        element(0x30, ZLIB) + bytes([0x30, 0x80]) + DATA + bytes([0xa0, 0x80, 0x24, 0x80])
    assert sealed.startswith(head) and sealed.endswith(bytes(12))
    stream, at = b'', len(head)
    while sealed[at] == 0x04:
        size, at = sealed[at + 1], at + 2
        if size & 0x80:
            size, at = int.from_bytes(sealed[at:at + 2], 'big'), at + 2
        stream, at = stream + sealed[at:at + size], at + size
    assert at == len(sealed) - 12
    assert zlib.decompress(stream) == content


def test_damaged_streams_are_refused():
    stream = zlib.compress(CONTENT[:500])
    for bad in (stream[:-1], stream + b'x', stream[:-4] + b'\0\0\0\0', b'\x78', b'', CONTENT[:99]):
        _, log = tool_open(compressed(bad), fails=True)
        assert log.startswith('fault 3:')
    _, log = tool_open(compressed(stream, algorithm=DATA), fails=True)
    assert log.startswith('fault 3:')


def test_a_bomb_is_stopped():
    packer = zlib.compressobj(9)
    million = bytes(1 << 20)
    stream = b''.join(packer.compress(million) for _ in range(200)) + packer.flush()
    out, log = tool_open(compressed(stream), more=['--max', '50000000'], fails=True)
    assert 'fault 3:' in log
    assert len(out) < 51000000
