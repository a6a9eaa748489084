"""What a hostile partner may send through a session of file security. Each thing is refused with the
code of the step that failed, leaves nothing behind, takes no memory worth mention, and the partner's
next good file passes. Behind encryption, what is wrong cannot be told from the answers."""

import hashlib
import os
import subprocess
import zlib

import pytest

import oftp
import waybill
from scene import OWN, OWN_PASSWORD, Relation, apply, document

EDI = b"UNA:+.? '\r\n" + b"".join(b"LIN+%d++%09d:IN'\r\n" % (i, i * 7919) for i in range(300))
SIGNED, ENVELOPED, AUTH, COMPRESSED = (
    bytes.fromhex(x) for x in ('06092a864886f70d010702', '06092a864886f70d010703',
                               '060b2a864886f70d0109100117', '060b2a864886f70d0109100109'))
DATA = bytes.fromhex('06092a864886f70d010701')
ZLIB = bytes.fromhex('300d060b2a864886f70d0109100308')
SHA256 = bytes.fromhex('300d06096086480165030402010500')
SIGNATURE, DECOMPRESSION, DECRYPTION, PROCESSING = 31, 32, 33, 34
MEMORY_KB = 24 * 1024           # by which all these attacks together may raise the gateway's peak


# ---- objects by hand -------------------------------------------------------------------------

def tlv(tag, *parts):
    body = b''.join(parts)
    n = len(body)
    size = bytes([n]) if n < 128 else bytes([0x80 + (n.bit_length() + 7) // 8]) + \
        n.to_bytes((n.bit_length() + 7) // 8, 'big')
    return bytes([tag]) + size + body


def info(kind, *body):
    return tlv(0x30, kind, tlv(0xa0, tlv(0x30, *body)))


def compressed(stream):
    return info(COMPRESSED, b'\x02\x01\x00', ZLIB,
                tlv(0x30, DATA, tlv(0xa0, tlv(0x04, stream))))


def unsigned(content, signers=b'', digests=SHA256):
    """SignedData around content."""
    return info(SIGNED, b'\x02\x01\x01', tlv(0x31, digests),
                tlv(0x30, DATA, tlv(0xa0, tlv(0x04, content))), tlv(0x31, signers))


def openssl(where, data, *args):
    (where / 'in').write_bytes(data)
    subprocess.run(['openssl', 'cms', '-binary', '-outform', 'DER', '-in', 'in', '-out', 'out',
                    *args], cwd=where, check=True, capture_output=True)
    return (where / 'out').read_bytes()


class Scene:
    def __init__(self, plant, where, acme, ours, stranger, expired):
        self.plant, self.where = plant, where
        self.acme, self.ours, self.stranger, self.expired = acme, ours, stranger, expired

    def sign(self, data, who=None, *more):
        who = who or self.acme
        return openssl(self.where, data, '-sign', '-nodetach', '-signer', who.cert, '-inkey',
                       who.key, *more)

    def encrypt(self, data, *more, to=None):
        return openssl(self.where, data, '-encrypt', *(more or ['-aes256']),
                       (to or self.ours).cert)

    def relation(self, verification='acme-public', **operation):
        return Relation(self.plant, signature_verification_certificate=verification,
                        operation={'to': {'odette_id': OWN, 'password': OWN_PASSWORD,
                                          'decryption_certificate': 'ours'}, **operation})


@pytest.fixture(scope='module')
def scene(shared_gateway, tmp_path_factory):
    where = tmp_path_factory.mktemp('attacks')
    ca = waybill.Authority(where / 'ca', algorithm='rsa:2048')
    usage = 'digitalSignature,keyEncipherment'
    acme, ours, stranger = (ca.issue(n, key_usage=usage) for n in ('acme', 'ours', 'stranger'))
    expired = ca.expired('expired', key_usage=usage)
    apply(shared_gateway, ours.component('ours'), acme.component('acme-public', key=False),
          expired.component('expired-public', key=False))
    s = Scene(shared_gateway, where, acme, ours, stranger, expired)
    r = s.relation()
    hand_over(r, [(3, 0, s.encrypt(s.sign(EDI)))])      # everything is loaded and warm
    before = shared_gateway.resident_kb()
    yield s
    grown = shared_gateway.resident_kb() - before
    # a sanitizer keeps what was freed
    assert waybill.slow() > 1 or grown < MEMORY_KB, f'peak memory rose by {grown} KiB'


def hand_over(r, files, name='A', **fields):
    """Files as (SFIDSEC, SFIDCOMP, octets) in a session; what each was answered, in order: None for
    an EERP, else the NERP."""
    fields = {'env': 1, 'ciph': 4, **fields}
    sent = [oftp.File(data, dsn=f'{name}{n}', dest=r.own, orig=r.code, sec=sec, comp=comp, **fields)
            for n, (sec, comp, data) in enumerate(files)]
    with r.call(sdeb=99999, cred=999) as me:
        for f in sent:
            assert me.send_file(f).taken
        me.run()
        got = {x.dsn: x for x in me.responses}
    while len(got) < len(sent):                         # the rest takes longer: call again
        r.wait_document('processed', 'refused', count=len(sent), timeout=60)
        with r.call() as me:
            me.run()
            got.update({x.dsn: x for x in me.responses})
    return [None if got[f.dsn].name == 'EERP' else got[f.dsn] for f in sent]


def refused(s, r, sec, data, *codes, comp=0, good=True, **fields):
    """Refused with one of these codes, kept out of the process; the next good file passes."""
    answer, = hand_over(r, [(sec, comp, data)], **fields)
    assert answer is not None, 'it was accepted'
    assert answer.reas in codes, answer
    assert list(r.inbox.iterdir()) == []
    d = r.wait_document('refused')
    assert d['reason']
    if good:
        assert hand_over(r, [(2, 0, s.sign(EDI))], name='GOOD') == [None]
        assert r.delivered(1)[0].read_bytes() == EDI
    return d


# ---- bombs -----------------------------------------------------------------------------------

def zeros(gigabytes):
    """That many zeros in a hundredth of a percent: a piece of deflate, over and over."""
    z = zlib.compressobj(9)
    head = z.compress(bytes(1 << 24)) + z.flush(zlib.Z_FULL_FLUSH)
    piece = z.compress(bytes(1 << 24)) + z.flush(zlib.Z_FULL_FLUSH)
    return head + piece * (gigabytes * 64 - 1)


@pytest.mark.parametrize('encrypted', [False, True])
@pytest.mark.parametrize('agreed', [{'max_file_size': 20 << 20}, {}], ids=['agreed', 'estimated'])
def test_a_decompression_bomb_is_stopped_at_the_limit(scene, encrypted, agreed):
    """OFTP2-C131: 10 GB in 10 MB; the limit is max_file_size, or else what SFIDOSIZ leads one to
    expect."""
    bomb = compressed(zeros(10))
    assert len(bomb) < 12 << 20
    data = scene.encrypt(bomb) if encrypted else bomb
    r = scene.relation(**agreed)
    d = refused(scene, r, int(encrypted), data, DECOMPRESSION, comp=1, osiz=1000)
    assert 'octets allowed' in d['reason'] or 'times its size' in d['reason']


def nested_signed(depth):
    data = b'x'
    for _ in range(depth):
        data = unsigned(data)
    return data


def nested_octets(depth):
    """SignedData whose content is an octet string within an octet string within ..."""
    octets = b'\x24\x80' * depth + b'\x04\x01x' + b'\x00\x00' * depth
    return (b'\x30\x80' + SIGNED + b'\xa0\x80\x30\x80\x02\x01\x01' + tlv(0x31, SHA256) +
            b'\x30\x80' + DATA + b'\xa0\x80' + octets + bytes(4) + b'\x31\x00' + bytes(6))


def many_recipients(n):
    one = tlv(0x30, b'\x02\x01\x00', tlv(0x30, tlv(0x30), b'\x02\x01\x01'),
              bytes.fromhex('300d06092a864886f70d0101010500'), tlv(0x04, bytes(32)))
    return info(ENVELOPED, b'\x02\x01\x00', tlv(0x31, one * n),
                tlv(0x30, DATA, bytes.fromhex('301d060960864801650304012a0410') + bytes(16),
                    tlv(0x80, bytes(32))))


def segments(n):
    """Content in so many segments of nothing, and no end."""
    return (b'\x30\x80' + SIGNED + b'\xa0\x80\x30\x80\x02\x01\x01' + tlv(0x31, SHA256) +
            b'\x30\x80' + DATA + b'\xa0\x80\x24\x80' + b'\x04\x00' * n)


HOSTILE = {
    '10,000 signed layers': (2, lambda: nested_signed(10_000), [SIGNATURE]),
    '10,000 nested octet strings': (2, lambda: nested_octets(10_000), [SIGNATURE, PROCESSING]),
    'begun, begun, begun': (2, lambda: b'\x30\x80' * 500_000, [SIGNATURE, PROCESSING]),
    'octet strings begun': (2, lambda: segments(0) + b'\x24\x80' * 500_000, [PROCESSING]),
    'segments of nothing': (2, lambda: segments(4_000_000), [PROCESSING]),
    '100,000 recipients': (1, lambda: many_recipients(100_000), [DECRYPTION, PROCESSING]),
    'an endless head': (2, lambda: b'\x30\x80' + SIGNED + b'\xa0\x80\x30\x80\x02\x01\x01\x31\x80' +
                        SHA256 * 200_000, [SIGNATURE, PROCESSING]),
    '100,000 signers': (2, lambda: unsigned(EDI, tlv(0x30, b'\x02\x01\x01') * 100_000),
                        [PROCESSING]),
    'a length of 2^63': (2, lambda: b'\x30\x88\x7f' + b'\xff' * 7 + SIGNED, [SIGNATURE, PROCESSING]),
    'a length of 127 octets': (2, lambda: b'\x30\xff' + b'\xff' * 200, [SIGNATURE, PROCESSING]),
    'nothing': (3, lambda: b'', [DECRYPTION]),
    'noise': (3, lambda: os.urandom(100_000), [DECRYPTION]),
}


@pytest.mark.parametrize('what', HOSTILE)
def test_forms_without_measure_are_refused(scene, what):
    sec, make, codes = HOSTILE[what]
    refused(scene, scene.relation(), sec, make(), *codes)


def test_attributes_without_measure_are_refused(scene):
    """A signature that would verify, with two megabytes of attributes nobody asked for."""
    data = scene.sign(EDI)
    fat = tlv(0xa1, tlv(0x30, DATA, tlv(0x31, tlv(0x04, bytes(2 << 20)))))
    version, digests, content, *_, signers = (raw for raw, _ in walk(inside(data)))
    (_, signer), = walk(walk(signers)[0][1])
    refused(scene, scene.relation(), 2, info(SIGNED, version, digests, content, tlv(
        0x31, tlv(0x30, signer + fat))), PROCESSING)


def walk(data):
    """(whole element, its content) of each in a row."""
    at, out = 0, []
    while at < len(data):
        n, start = data[at + 1], at + 2
        if n & 0x80:
            start += n & 0x7f
            n = int.from_bytes(data[at + 2:start], 'big')
        out.append((data[at:start + n], data[start:start + n]))
        at = start + n
    return out


def inside(data):
    """The content of a ContentInfo's content."""
    return walk(walk(walk(data)[0][1])[1][1])[0][1]


# ---- signatures ------------------------------------------------------------------------------

@pytest.mark.parametrize('encrypted', [False, True])
@pytest.mark.parametrize('included', [False, True])
def test_a_signature_by_a_stranger_is_refused(scene, encrypted, included):
    """OFTP2-C130, with the stranger's certificate in the message, which proves nothing."""
    data = scene.sign(EDI, scene.stranger, *([] if included else ['-nocerts']))
    data = scene.encrypt(data) if encrypted else data
    d = refused(scene, scene.relation(), 3 if encrypted else 2, data, SIGNATURE)
    assert 'certificates configured' in d['reason']


def test_a_signature_by_an_expired_certificate_is_refused(scene):
    """OFTP2-C133"""
    data = scene.sign(EDI, scene.expired)
    r = scene.relation('expired-public')
    d = refused(scene, r, 2, data, SIGNATURE, good=False)
    assert 'valid today' in d['reason']


@pytest.mark.parametrize('what', ['no layer', 'encrypted only', 'compressed only', 'no signer'])
def test_a_stripped_signature_is_refused(scene, what):
    """OFTP2-C125"""
    sec, comp, data = {'no layer': (2, 0, EDI),
                       'encrypted only': (3, 0, scene.encrypt(EDI)),
                       'compressed only': (2, 1, compressed(zlib.compress(EDI))),
                       'no signer': (2, 0, unsigned(EDI))}[what]
    refused(scene, scene.relation(), sec, data, SIGNATURE, comp=comp)


@pytest.mark.parametrize('what', ['cut', 'parameter'])
def test_a_shortened_gcm_tag_is_refused(scene, what):
    """One of four octets is guessed soon. The length of the tag is covered by nothing."""
    data = scene.encrypt(scene.sign(EDI), '-aes-256-gcm')
    good = scene.relation()
    assert hand_over(good, [(3, 0, data)]) == [None]
    parts = [raw for raw, _ in walk(inside(data))]
    assert parts[-1][:2] == b'\x04\x10'
    parts[-1] = tlv(0x04, parts[-1][2:6])
    if what == 'parameter':
        at = parts[2].index(bytes.fromhex('060960864801650304012e'))
        gcm = walk(parts[2][at - 2:])[0][1]
        oid, parameters = (raw for raw, _ in walk(gcm))
        nonce = walk(walk(parameters)[0][1])[0][0]
        short = tlv(0x30, oid, tlv(0x30, nonce, b'\x02\x01\x04'))
        inner = [raw for raw, _ in walk(walk(parts[2])[0][1])]
        parts[2] = tlv(0x30, inner[0], short, inner[2])
    refused(scene, scene.relation(), 3, info(AUTH, *parts),
            DECRYPTION, PROCESSING)


# ---- what is wrong behind encryption is not told ----------------------------------------------

def with_content(data, change):
    """A DER EnvelopedData with other octets in the place of its encrypted ones."""
    version, recipients, inner = (raw for raw, _ in walk(inside(data)))
    kind, algorithm, content = (raw for raw, _ in walk(walk(inner)[0][1]))
    return info(ENVELOPED, version, recipients, tlv(
        0x30, kind, algorithm, tlv(0x80, change(walk(content)[0][1]))))


def test_damage_behind_encryption_looks_the_same_wherever_it_is(scene):
    """OFTP2-C130: wrong padding, a wrong key and wrong content have one answer, reason and text; the
    log tells them apart."""
    signed = scene.sign(EDI, None, '-nocerts')
    small = compressed(zlib.compress(signed))
    found = set()
    r = scene.relation()
    for sec, comp, plain in ((3, 0, signed), (3, 1, small), (1, 1, compressed(zlib.compress(EDI)))):
        data = scene.encrypt(plain)
        key = data.index(b'\x04\x82\x01\x00') + 4
        content = data.rindex(walk(walk(walk(inside(data))[2][1])[2][0])[0][1])
        size = len(data) - content
        files = []
        for at in (key + 5, key + 200, content, content + 17, content + 40, content + size // 2,
                   content + size - 600, len(data) - 300, len(data) - 40, len(data) - 17,
                   len(data) - 1):
            bad = bytearray(data)
            bad[at] ^= 0x55
            files.append((sec, comp, bytes(bad)))
        # whole blocks changed, lost and added at the end: the padding may even be right
        files += [(sec, comp, with_content(data, lambda x, n=n: x[:-n])) for n in (16, 32)]
        answers = hand_over(r, files)
        r = scene.relation()
        found |= {(x and x.name, x and x.reas, x and x.reast) for x in answers}
    assert len(found) == 1 and next(iter(found))[:2] == ('NERP', DECRYPTION), found
    reasons = {line.split('reason=', 1)[1].split(' look_at')[0]
               for line in scene.plant.log_lines('document.refused.*nerp=33')}
    assert len(reasons) > 3, reasons


def test_tampering_finds_no_oracle_in_the_padding(scene):
    """Vaudenay's attack: two blocks of the attacker's choice behind the recipients of a message that
    was recorded. Right padding, as one in 256 has, is answered as wrong padding is."""
    data = scene.encrypt(scene.sign(EDI))
    r, files = scene.relation(), []
    for guess in range(256):
        last = os.urandom(15) + bytes([guess])
        files.append((3, 0, with_content(data, lambda x, last=last: x[:64] + last + x[32:48])))
    answers = hand_over(r, files)
    assert {(x.name, x.reas, x.reast) for x in answers} == {('NERP', DECRYPTION, answers[0].reast)}


def test_failures_behind_encryption_are_told_apart_only_so_often(scene):
    """A partner with a new certificate learns of it; one who asks again and again learns no more."""
    r = scene.relation()
    file = (3, 0, scene.encrypt(scene.sign(EDI, scene.stranger, '-nocerts')))
    answers = [x.reas for x in hand_over(r, [file] * 30)]
    assert answers[-1] == DECRYPTION and set(answers) <= {SIGNATURE, DECRYPTION}
    assert len(r.log('document.refused.*signature_verification_certificate', count=30)) == 30


# ---- receipts --------------------------------------------------------------------------------

def receipt_fields(scene, sfid, hsh, who=None, content=None):
    """What a signed EERP for that file has, oftp2.md 9.6."""
    pad = lambda text, n: text.encode().ljust(n)
    content = content or (pad(sfid.dsn, 26) + sfid.date.encode() + sfid.time.encode() +
                          pad(sfid.orig, 25) + pad(sfid.dest, 25) + hsh)
    return {'hsh': hsh, 'sig': scene.sign(content, who, '-nocerts')}


RECEIPTS = {
    'of another file': lambda s, a, ha, b, hb: receipt_fields(s, a, ha),
    'of another file, with our hash': lambda s, a, ha, b, hb: {**receipt_fields(s, a, ha),
                                                               'hsh': hb},
    'with a wrong hash': lambda s, a, ha, b, hb: receipt_fields(s, b, ha),
    'by a stranger': lambda s, a, ha, b, hb: receipt_fields(s, b, hb, s.stranger),
    'without signature': lambda s, a, ha, b, hb: {},
    'with a hash alone': lambda s, a, ha, b, hb: {'hsh': hb},
    'with noise for a signature': lambda s, a, ha, b, hb: {'hsh': hb, 'sig': os.urandom(300)},
    'detached': lambda s, a, ha, b, hb: {'hsh': hb, 'sig': openssl(
        s.where, b'x', '-sign', '-signer', s.acme.cert, '-inkey', s.acme.key)},
    'over the hash only': lambda s, a, ha, b, hb: receipt_fields(s, b, hb, None, hb),
}


@pytest.mark.parametrize('what', RECEIPTS)
def test_a_receipt_that_proves_nothing_settles_nothing(scene, what):
    """OFTP2-C117, and a good one still settles it."""
    code = f'O0013SG{list(RECEIPTS).index(what)}'
    with oftp.Server(code, 'PW') as server:
        r = Relation(scene.plant, server=server, cipher_suite='AES_RSA_SHA256',
                     acknowledgment_verification_certificate='acme-public',
                     send={'signed_receipt': True})
        one, two = r.send(b'file one', name='ONE'), r.send(b'file two', name='TWO')
        server.start(receipt=None)
        got = {f.sfid.dsn: f.sfid for f in (server.next_file(), server.next_file())}
        ha, hb = (hashlib.sha256(x).digest() for x in (b'file one', b'file two'))
        fields = RECEIPTS[what](scene, got['ONE'], ha, got['TWO'], hb)
    with r.call() as me:
        me.run(responses=[('EERP', got['TWO'], fields)])
    d = document(scene.plant, two)
    assert d['state'] == 'sent' and d['receipts'][0]['state'] == 'refused', d['state']
    assert document(scene.plant, one)['state'] == 'sent'
    r.log('oftp2.receipt.refused')
    with r.call() as me:
        me.run(responses=[('EERP', got['TWO'], receipt_fields(scene, got['TWO'], hb))])
    assert document(scene.plant, two)['state'] == 'acknowledged'


@pytest.mark.parametrize('answer', ['none', 'unsigned', 'invalid'])
def test_a_file_without_the_signed_receipt_it_asked_for_becomes_overdue(scene, answer):
    """An unsigned receipt, or one that does not verify, is none."""
    code = f'O0013OV{answer.upper()}'
    with oftp.Server(code, 'PW') as server:
        r = Relation(scene.plant, server=server, cipher_suite='AES_RSA_SHA256',
                     acknowledgment_verification_certificate='acme-public',
                     send={'signed_receipt': True}, receipt_timeout='1h')
        n = r.send(b'a file', name='LATE')
        server.start(receipt=None)
        sfid = server.next_file().sfid
    hsh = hashlib.sha256(b'a file').digest()
    fields = {} if answer == 'unsigned' else receipt_fields(scene, sfid, hsh, scene.stranger)
    if answer != 'none':
        with r.call() as me:
            me.run(responses=[('EERP', sfid, fields)])
    apply(scene.plant, r.partner_component(receipt_timeout='100ms'))
    waybill.wait_until(lambda: document(scene.plant, n)['state'] == 'overdue', 20, 'overdue')
    d = document(scene.plant, n)
    assert [x['state'] for x in d['receipts']] == ([] if answer == 'none' else ['refused'])
    assert r.documents(state='overdue')[0]['id'] == n
    assert ('refused' in d['reason']) == (answer != 'none'), d['reason']
    r.log('receipt.overdue')
    with r.call() as me:                                # better late than never
        me.run(responses=[('EERP', sfid, receipt_fields(scene, sfid, hsh))])
    assert document(scene.plant, n)['state'] == 'acknowledged'
