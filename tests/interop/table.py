"""The permutations: what goes over the wire, in which packaging, with which MDN."""

import dataclasses

# Packaging as as2.md writes it: E encrypts, S signs, C compresses, P is the document.
PACKAGINGS = {
    'P': ('', None), 'C(P)': ('', 'before'),
    'S(P)': ('S', None), 'S(C(P))': ('S', 'before'), 'C(S(P))': ('S', 'after'),
    'E(P)': ('E', None), 'E(C(P))': ('E', 'before'),
    'E(S(P))': ('ES', None), 'E(S(C(P)))': ('ES', 'before'), 'E(C(S(P)))': ('ES', 'after'),
}
MDNS = {'none': 'no MDN', 'unsigned': 'unsigned, synchronous', 'signed': 'signed, synchronous',
        'async': 'signed, asynchronous'}
DIGESTS = {'sha1': 'SHA-1', 'sha256': 'SHA-256', 'sha384': 'SHA-384', 'sha512': 'SHA-512'}
CIPHERS = {'3des': '3DES', 'aes128': 'AES-128', 'aes192': 'AES-192', 'aes256': 'AES-256'}


def edifact(lines=40, end='\r\n'):
    text = "UNB+UNOC:3+ACME+PLANT7+261121:1015+4711'" + end
    text += "UNH+1+ORDERS:D:96A:UN:A14051'" + end
    for n in range(lines):
        text += f"LIN+{n + 1}++8K04072{n:05d}:IN'{end}QTY+21:{n * 7919 % 5000}:PCE'{end}"
    return (text + f"UNT+{2 * lines + 2}+1'{end}UNZ+1+4711'{end}").encode()


CONTENTS = {
    'EDIFACT, CRLF': edifact(),
    'EDIFACT, LF': edifact(end='\n'),
    'EDIFACT, no line end': edifact().rstrip(b'\r\n'),
    'binary 0..255': bytes(range(256)) * 16,
    '1 MB': edifact(25000)[:1000000],
    '1 MB binary': b''.join((n * 2654435761 % 2**32).to_bytes(4, 'big')
                            for n in range(250000)),
    'empty': b'',
}
TYPES = {'binary 0..255': 'application/octet-stream',
         '1 MB binary': 'application/octet-stream'}


@dataclasses.dataclass(frozen=True)
class Case:
    group: str
    packaging: str
    mdn: str = 'signed'
    digest: str = 'sha256'
    cipher: str = 'aes256'
    content: str = 'EDIFACT, CRLF'
    base64: bool = False
    name: str = 'order.edi'
    type: str = ''

    @property
    def signed(self):
        return 'S' in PACKAGINGS[self.packaging][0]

    @property
    def encrypted(self):
        return 'E' in PACKAGINGS[self.packaging][0]

    @property
    def compressed(self):
        return PACKAGINGS[self.packaging][1]

    @property
    def content_type(self):
        return self.type or TYPES.get(self.content, 'application/edifact')

    def label(self):
        """What this row has that the usual one has not."""
        return {'MDN': lambda: MDNS[self.mdn], 'digest': lambda: DIGESTS[self.digest],
                'cipher': lambda: CIPHERS[self.cipher],
                'content': lambda: f'{self.content}, {self.content_type}',
                'base64': lambda: f'{self.content}, {self.content_type}',
                'file name': lambda: self.name}[self.group]()


def cases():
    out = [Case('MDN', p, mdn=m) for p in PACKAGINGS for m in MDNS]
    out += [Case('digest', p, digest=d) for p in ('S(P)', 'E(S(P))') for d in DIGESTS]
    out += [Case('cipher', p, cipher=c) for p in ('E(P)', 'E(S(P))') for c in CIPHERS]
    out += [Case('content', p, content=c) for c in CONTENTS
            for p in ('P', 'S(P)', 'E(P)', 'E(S(P))', 'E(S(C(P)))')]
    out += [Case('content', p, content=c, type=t)
            for c in ('EDIFACT, CRLF', 'EDIFACT, LF')
            for t in ('text/plain', 'application/octet-stream') for p in ('S(P)', 'E(S(P))')]
    out += [Case('base64', p, content=c, base64=True)
            for c in ('EDIFACT, CRLF', 'binary 0..255', '1 MB binary')
            for p in ('P', 'S(P)', 'E(P)', 'E(S(P))', 'E(S(C(P)))')]
    out += [Case('file name', p, name=n)
            for n in ('a b.edi', "f;1='x'.edi", 'Größe.edi') for p in ('P', 'E(S(P))')]
    return out
