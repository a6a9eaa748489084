"""Known differences: what the other programs do not have, or do otherwise, and why."""

import dataclasses

import table


@dataclasses.dataclass(frozen=True)
class Note:
    """absent: the program cannot do it, so it is not tried. wrong: part of what is then said to be
    wrong; '' when the case works and there is something to say all the same."""
    key: str
    text: str
    absent: bool = False
    wrong: str = ''


# ---- what partners with these programs are given -------------------------------------------

SETTINGS = {
    'libas2': {'tolerate_trailing_crlf': True, 'send': {'base64': True}},
}
OPERATION = {
    'as2-lib': {'mic_default': 'SHA256'},
}
WHY = {
    'pyas2lib': [],
    'libas2': [
        '`tolerate_trailing_crlf: true`: its signed MDNs are signed without the CRLF that their '
        'report ends with on the wire.',
        '`send: {base64: true}`: it reads what comes in as text, and changes binary octets.'],
    'as2-lib': [
        '`mic_default: SHA256` of the operation: for a message without signature that names no '
        'digest, its client compares with SHA-256, where RFC 4130 has SHA-1.'],
}


def cases(program, direction):
    """The permutations, as this program can have them."""
    found = table.cases()
    if program != 'libas2':
        return found
    # It has base64 throughout; the rows of base64 are then the ones without.
    found = [c for c in found if not c.content.startswith("1 MB") or
             c.group == "content" and c.packaging in ("P", "S(P)", "E(P)")]
    return [dataclasses.replace(c, base64=c.group != "base64") for c in found]


# ---- pyas2lib ------------------------------------------------------------------------------

PY_LF = Note('LF', 'pyas2lib turns LF into CRLF in what it signs, encrypts or compresses, unless the '
             'media type is application/octet-stream. What it sends is what arrives.',
             wrong='the document that arrived differs')
PY_AFTER = Note('order', 'pyas2lib compresses before it signs, never after: sent is S(C(P)).',
                absent=True)
PY_BASE64 = Note('octet-stream in base64', 'pyas2lib verifies a signature over its own rendering of '
                 'the part, which drops the base64 of application/octet-stream. Leave '
                 '`send.base64` off, as is the default, or use another media type.',
                 wrong='Message Digest does not match')
PY_SENDS_BINARY = Note('base64', 'pyas2lib does not send documents in base64.', absent=True)
PY_NAME = Note('filename*', 'pyas2lib takes the ASCII form of the name, `filename`, when '
               '`filename*` (RFC 2231) is there, too.', wrong="came as 'Gr__e.edi'")


def pyas2lib(direction, c):
    if direction == 'in':
        if c.base64:
            return PY_SENDS_BINARY
        if c.compressed == 'after':
            return PY_AFTER
        if c.content == 'EDIFACT, LF' and c.packaging != 'P' and \
                c.content_type != 'application/octet-stream':
            return PY_LF
        return None
    if c.base64 and c.content_type == 'application/octet-stream' and c.signed and \
            not c.compressed:
        return PY_BASE64
    if 'ö' in c.name:
        return PY_NAME
    return None


# ---- libas2 --------------------------------------------------------------------------------

LIB_COMPRESS = Note('no compression', 'libas2 has no compression.', absent=True)
LIB_CRLF = Note('CRLF appended', 'libas2 ends each message that it does not sign with CRLF, also one '
                'in binary, so the document gets two octets more. Its default, base64, has not that '
                'fault.', wrong='the document that arrived differs')
LIB_SIGNED = Note('CRLF signed', 'libas2 signs a part without the CRLF at its end, and sends it with '
                  'it, when its content is text or empty: the signature is of something else than '
                  'what arrives, and we refuse it. A media type other than text/plain avoids it. '
                  'Only MDNs may be tolerated (`tolerate_trailing_crlf`): a document that is not '
                  'octet for octet what was signed is not.', wrong='the content has another digest')
LIB_TEXT = Note('read as text', 'libas2 reads signed parts as text: binary octets, and what ends a '
                'part in binary, change. Send it base64 (`send: {base64: true}`).')
LIB_STACK = Note('1 MB', 'libas2 parses what it has decrypted in one call with an argument for each '
                 'octet, which overflows its stack somewhere below 1 MB.',
                 wrong='Maximum call stack size exceeded')


def libas2(direction, c):
    if c.compressed:
        return LIB_COMPRESS
    if direction == 'in':
        if not c.base64 and c.content == 'binary 0..255' and not c.signed:
            return LIB_CRLF
        if c.signed and (c.content == 'empty' or c.content_type == 'text/plain'):
            return LIB_SIGNED
        return None
    if c.encrypted and c.content.startswith('1 MB'):
        return LIB_STACK
    if not c.base64 and c.signed:
        return dataclasses.replace(LIB_TEXT, wrong='Could not verify signature'
                                   if c.content == 'binary 0..255' else
                                   'the document that arrived differs')
    return None


# ---- as2-lib -------------------------------------------------------------------------------

JAVA_MIC_IN = Note('MIC of C(P)', 'as2-lib compares the MIC of a message that is compressed and not '
                   'signed with a digest of the compressed part; RFC 5402 has the document before '
                   'it was compressed. as2-lib only logs the difference.',
                   wrong='the MIC differs')
JAVA_MIC_OUT = Note('MIC of S(C(P))', 'as2-lib digests the document after decompression; RFC 5402 has '
                    'what was signed. The document arrives, but its MDN cannot prove it, and the '
                    'message is overdue. Use `send: {compressed: after_signing}` for it.',
                    wrong='MIC mismatch')
JAVA_MIC_BASE64 = Note('MIC of base64', 'as2-lib encodes a part in base64 anew before it digests it, '
                       'in lines of its own; RFC 4130 has the part as it was sent. The document '
                       'arrives. What we send in base64 is overdue: leave `send.base64` off, as is '
                       'the default. What as2-lib sends it only logs, and only for some lengths.', wrong='MIC mismatch')
JAVA_BASE64 = Note('base64 in the head', 'as2-lib, told to send base64, says so in the HTTP head, too, '
                   'where the body is not in base64. A layer tells by its first octets that it is '
                   'not, and is taken; a bare document does not, and is refused when it cannot be '
                   'decoded. Its default is binary.', wrong='unexpected-processing-error')


def as2_lib(direction, c):
    if direction == 'in':
        if c.base64 and c.packaging == 'P':
            return JAVA_BASE64
        if c.base64 and c.compressed and c.content == 'binary 0..255':
            return dataclasses.replace(JAVA_MIC_BASE64, wrong='the MIC differs')
        if c.compressed and not c.signed and c.mdn != 'none':
            return JAVA_MIC_IN
        return None
    if c.signed and c.compressed == 'before' and c.mdn != 'none':
        return JAVA_MIC_OUT
    if c.base64 and c.packaging != 'P' and not c.compressed:
        return JAVA_MIC_BASE64
    return None


def find(program, direction, case):
    return {'pyas2lib': pyas2lib, 'libas2': libas2, 'as2-lib': as2_lib}[program](direction, case)
