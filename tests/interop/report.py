"""docs/interop.md of what a run has seen. The same results give the same octets: no dates, no
durations, no paths."""

import dataclasses

import notes
import table

HEAD = """\
# Interoperation with other AS2 programs

`make interop` installs other people's AS2 programs by name, exchanges messages with them both ways
in every permutation they have, and writes this page. In each exchange

- the document arrives octet for octet, with its file name,
- the receiver recognises each layer (E encrypts, S signs, C compresses, P is the document),
- the receiver of the MDN verifies its signature, and its MIC is that of what was sent.

**yes** means all of it; a number is a note below; **-** that the program has no such thing. What is not
said in a row is: signed synchronous MDN, SHA-256, AES-256 in CBC mode, EDIFACT with CRLF.

| Program | Version | How it is used |
| --- | --- | --- |
"""
HOW = {
    'pyas2lib': 'a Python library; HTTP by a driver of ours',
    'libas2': 'a library for Node.js; HTTP by a driver of ours',
    'as2-lib': 'a Java library with its own HTTP client and servers',
}
TITLES = {
    'MDN': 'Packaging and MDN', 'digest': 'Digests of signatures and MDNs',
    'cipher': 'Ciphers', 'content': 'Contents and media types',
    'base64': 'The other transfer encoding', 'file name': 'File names',
}
BASE64 = ("Base64 where the rows above have binary; for libas2 binary where they have base64, see its "
          "settings.\n\n")
OTHER = """\
## Other programs

OpenAS2 itself was not tried. as2-lib
is descended from it and shares its way to make signatures and MDNs. What only OpenAS2 is known to do
(MDN signatures in binary, without certificates) is in `tests/integration/test_as2_tolerances.py`.

## What we tolerate because these programs need it

| Seen | Of | Tested by |
| --- | --- | --- |
| MDN signatures in binary, without certificates | OpenAS2 | `test_signatures_of_mdns_come_in_many_forms` |
| signatures of indefinite length | as2-lib | the same, and all rows of as2-lib |
| `sha256`, `sha-256`, `SHA-256`, `sha2_256` | all | `test_each_spelling_of_a_digest_is_known_in_messages_and_what_they_ask_for` |
| header lines before the first delimiter | mendelson | `test_signatures_of_mdns_come_in_many_forms` |
| `Connection: close, TE` | as2-lib, OpenAS2 | `test_connection_close_te_is_answered` |
| MDNs signed with one CRLF less or more | libas2; `tolerate_trailing_crlf` of the partner, off by default | `test_an_mdn_signed_with_another_end_settles_only_where_that_is_tolerated` |
| base64 in the head of a message whose layer is not in base64 | as2-lib, libas2 | `test_base64_in_the_head_is_believed_only_of_what_can_be_base64` |
"""


@dataclasses.dataclass(frozen=True)
class Result:
    """state: passed; noted: known to differ, and did; absent: not tried; failed."""
    program: object
    direction: str
    case: object
    state: str
    note: object
    what: str


def judge(program, direction, case, note, what):
    if note is None:
        state = 'failed' if what else 'passed'
    else:
        state = 'noted' if what and note.wrong in what or not what and not note.wrong \
            else 'failed'
    return Result(program, direction, case, state, note, what)


class Numbers:
    """Notes by the order in which they are met."""

    def __init__(self):
        self.found = {}

    def of(self, program, note):
        return self.found.setdefault((program, note.key), (len(self.found) + 1, note))[0]


def cell(result, numbers):
    if result is None:
        return 'not tried'
    if result.state == 'failed':
        return '**no**'
    number = f' ({numbers.of(result.program.name, result.note)})' if result.note else ''
    return {'passed': 'yes', 'absent': '-', 'noted': 'differs'}[result.state] + number


def section(group, results, programs, numbers):
    """Rows are what is special and the packaging, columns program and direction."""
    mine = {}
    for r in results:
        if r.case.group == group:
            mine[r.program.name, r.direction, r.case.label(), r.case.packaging] = r
    rows = list(dict.fromkeys((c.packaging, c.label()) for c in table.cases() if c.group == group))
    columns = [(p, d) for p in programs for d in ('in', 'out')]
    out = f'## {TITLES[group]}\n\n' + (BASE64 if group == 'base64' else '')
    heads = [f'{p} to us' if d == 'in' else f'we to {p}' for p, d in columns]
    out += '| Packaging | ' + ' | '.join([group, *heads]) + ' |\n'
    out += '| --- ' * (len(heads) + 2) + '|\n'
    for packaging, label in rows:
        cells = [cell(mine.get((p, d, label, packaging)), numbers) for p, d in columns]
        out += '| ' + ' | '.join([packaging, label, *cells]) + ' |\n'
    return out + '\n'


def text(results):
    programs = list(dict.fromkeys(r.program.name for r in results))
    versions = {r.program.name: r.program.version for r in results}
    numbers = Numbers()
    out = HEAD + ''.join(f'| {p} | {versions[p]} | {HOW[p]} |\n' for p in programs) + '\n'
    for group in TITLES:
        out += section(group, results, programs, numbers)
    out += '## Notes\n\n'
    for (program, key), (number, note) in numbers.found.items():
        out += f'{number}. **{program}: {key}.** {note.text}\n'
    out += '\n## Settings that these programs need\n\n'
    out += '- All: `mdn_url` of the partner. A message without signature proves nothing about who ' \
           'sent it, so its asynchronous MDN goes there and not where the message says.\n'
    for p in programs:
        out += ''.join(f'- {p}: {line}\n' for line in notes.WHY[p])
    return out + '\n' + OTHER
