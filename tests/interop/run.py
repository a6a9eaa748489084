#!/usr/bin/env python3
"""Exchanges messages with other people's AS2 programs, both ways, in all permutations they have,
and writes docs/interop.md of what happened. Ends with "N passed, N failed".

    tests/interop/run.py [--only PROGRAM] [--match TEXT] [--speed] [--no-report]

A case passes when the document arrives octet for octet, the receiver of the MDN has verified it
and its MIC is that of what was sent; a case with a known difference passes when it happens as
notes.py says. Everything is kept in build/interop."""

import argparse
import os
import pathlib
import shutil
import socket
import sys
import tempfile
import time
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT / 'tests' / 'lib')]
os.environ.setdefault('WAYBILL_BINARY', str(ROOT / 'build' / 'waybill'))

import as2           # noqa: E402
import notes         # noqa: E402
import peers         # noqa: E402
import report        # noqa: E402
import scene         # noqa: E402
import table         # noqa: E402
import waybill       # noqa: E402

CIPHERS = {'3des': '3DES', 'aes128': 'AES128', 'aes192': 'AES192', 'aes256': 'AES256'}
OURS = {'before': 'before_signing', 'after': 'after_signing', None: 'no'}


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


class Failed(Exception):
    """What was wrong, in one line."""


def check(condition, text):
    if not condition:
        raise Failed(text)


class Scene:
    """One gateway, one of the other programs, their keys."""

    def __init__(self, directory, program):
        self.directory, self.program = directory, program
        self.ours = as2.Keys.make(directory, 'us', 'rsa:2048')
        self.theirs = as2.Keys.make(directory, 'peer', 'rsa:2048')
        self.inbox = directory / 'inbox'
        self.inbox.mkdir()
        self.port = free_port()
        self.url = f'http://127.0.0.1:{self.port}/as2'
        self.gateway = waybill.Gateway(directory / 'gateway', settings={
            'oftp2_server': {'endpoints': []},
            'as2_server': {'mdn_url': self.url, 'domain': 'us.example',
                           'endpoints': [{'host': '127.0.0.1', 'port': self.port}]}})
        program.start((self.theirs.cert, self.theirs.key), self.ours.cert, directory)
        self.files = {}
        for n, (name, data) in enumerate(table.CONTENTS.items()):
            self.files[name] = directory / f'content-{n}'
            self.files[name].write_bytes(data)

    def __enter__(self):
        self.gateway.start()
        scene.apply(
            self.gateway,
            {'certificate': 'us', 'file': self.ours.cert, 'key_file': self.ours.key},
            {'certificate': 'peer', 'file': self.theirs.cert},
            {'identity': 'us', 'as2': {
                'as2_id': 'WAYBILL', 'decryption_certificate': 'us',
                'mdn_signing_certificate': 'us', 'signing_certificate': 'us'}},
            self.partner(),
            {'process': 'in', 'start': {'listen': 'as2-server', 'operation': {
                'from': {'partner': 'peer'}, 'to': {'identity': 'us'},
                **notes.OPERATION.get(self.program.name, {})}},
             'steps': [{'write': {'directory': self.inbox, 'name': '{{document.id}}'}}]})
        return self

    def __exit__(self, *_):
        self.program.stop()
        self.gateway.__exit__(None)

    def partner(self, **more):
        return {'partner': 'peer', 'as2': waybill.merge({
            'as2_id': 'PEER', 'url': self.program.url, 'mdn_url': self.program.mdn_url,
            'identity': 'us',
            'signing_certificate': 'peer', 'encryption_certificate': 'peer',
            'retry': {'attempts': 1}, 'receipt_resends': 0},
            waybill.merge(notes.SETTINGS.get(self.program.name, {}), more))}

    # -- they send to us --

    def receive(self, case):
        data = table.CONTENTS[case.content]
        before = self.newest()
        self.program.ask('expect')
        answer = self.program.ask(
            'send', url=self.url, file=str(self.files[case.content]), name=case.name,
            type=case.content_type, sign=case.digest if case.signed else None,
            encrypt=case.cipher if case.encrypted else None, compress=case.compressed,
            mdn=case.mdn, base64=case.base64)
        check('error' not in answer, f'the other program: {answer.get("error")}')
        check(answer['status'] in (200, 202, 204), f'we answered {answer["status"]}')
        d = self.incoming(before)
        check(d['state'] == 'processed', f'our document is {d["state"]}: {d["reason"]}')
        p = d['properties']
        check((self.inbox / str(d['id'])).read_bytes() == data,
              'the document that arrived differs')
        said = [p.get(f'as2.{k}', 'no') != 'no' for k in ('signed', 'encrypted', 'compressed')]
        check(said == [case.signed, case.encrypted, bool(case.compressed)],
              f'packaging was not recognised: {said}')
        check(p.get('as2.file_name') == case.name,
              f'the file name came as {p.get("as2.file_name")!r}')
        self.judge_mdn(case, answer['mdn'])

    def judge_mdn(self, case, mdn):
        if case.mdn == 'none':
            return check(mdn is None, f'an MDN nobody asked for: {mdn}')
        check(mdn is not None, 'no MDN came')
        check(mdn['disposition'] == 'processed', f'the MDN says {mdn}')
        if case.mdn != 'unsigned':
            check(mdn['signed'] and mdn['verified'], f'the MDN is not verified: {mdn}')
        check(mdn['mic'] is not False, f'the MIC differs: {mdn}')

    def newest(self):
        found = self.gateway.get('/api/v1/documents?direction=in&limit=1')['documents']
        return found[0]['id'] if found else 0

    def incoming(self, before):
        def there():
            found = self.gateway.get('/api/v1/documents?direction=in&limit=1')['documents']
            return found[0] if found and found[0]['id'] > before and found[0]['state'] not in (
                'receiving', 'received', 'opened', 'processing') else None
        try:
            d = waybill.wait_until(there, 10, 'the document', 0.005)
        except AssertionError:
            raise Failed('no document came') from None
        return scene.document(self.gateway, d['id'])

    # -- we send to them --

    def settings(self, case):
        return {'signed': case.signed, 'encrypted': case.encrypted,
                'compressed': OURS[case.compressed], 'digest': case.digest.upper(),
                'cipher': CIPHERS[case.cipher], 'content_type': case.content_type,
                'base64': case.base64, 'subject': 'interop',
                'mdn': {'unsigned': 'sync', 'signed': 'sync'}.get(case.mdn, case.mdn),
                'signed_mdn': case.mdn not in ('unsigned', 'none')}

    def send(self, case):
        data = table.CONTENTS[case.content]
        scene.apply(self.gateway, self.partner(send=self.settings(case)))
        self.program.ask('expect', signed=case.signed, encrypted=case.encrypted, mdn=case.mdn,
                         digest=case.digest, compressed=bool(case.compressed))
        d = scene.post(self.gateway, '/api/v1/documents?' + urllib.parse.urlencode(
            {'partner': 'peer', 'protocol': 'as2', 'name': case.name}), 201, data)
        d = self.settled(d['id'])
        there = self.program.ask('take')
        check('error' not in there, f'the other program: {there.get("error")}')
        check(there['received'], 'nothing arrived')
        got = there['received'][-1]
        check(not got['error'], f'the other program says: {got["error"]}')
        check(pathlib.Path(got['file']).read_bytes() == data,
              'the document that arrived differs')
        check((got['signed'], got['encrypted'], got['compressed']) ==
              (case.signed, case.encrypted, bool(case.compressed)),
              f'packaging was not recognised: {got}')
        check(d['state'] == 'acknowledged', f'our document is {d["state"]}: {why(d)}')
        check(len(d['receipts']) == (case.mdn != 'none'), f'receipts: {d["receipts"]}')
        check(got['name'] == case.name, f'the file name came as {got["name"]!r}')
        if case.mdn not in ('none', 'unsigned') and case.signed:
            check('as2.received_content_mic' in d['properties'], 'the MDN has no MIC')

    def settled(self, number):
        def there():
            d = scene.document(self.gateway, number)
            over = d['state'] in ('acknowledged', 'rejected', 'failed', 'overdue')
            return d if over or {'MDN refused', 'post failed'} & set(scene.events(d)) else None
        try:
            return waybill.wait_until(there, 15, 'the end', 0.005)
        except AssertionError:
            return scene.document(self.gateway, number)


def why(d):
    found = [e['text'] for e in d['events'] if e['kind'] in ('MDN refused', 'post failed')]
    return d['reason'] or '; '.join(found) or [e['kind'] for e in d['events']]


# ---- the run -------------------------------------------------------------------------------


def run_program(program, directory, wanted, results, speed):
    with Scene(directory, program) as s:
        for direction, play in ('in', s.receive), ('out', s.send):
            for case in notes.cases(program.name, direction):
                line = f'{program.name} {direction} {case.packaging}: {case.label()}'
                if wanted not in line:
                    continue
                note = notes.find(program.name, direction, case)
                if note is not None and note.absent:
                    results.append(report.Result(program, direction, case, 'absent', note, ''))
                    continue
                begin = time.monotonic()
                try:
                    play(case)
                    what = ''
                except (Failed, AssertionError) as e:
                    what = ' '.join(str(e).split())[:300]
                result = report.judge(program, direction, case, note, what)
                results.append(result)
                if result.state == 'failed':
                    print(f'FAILED {line} ({case.group}, {case.digest}, {case.cipher}'
                          f'{", base64" if case.base64 else ""}): {what or "it worked"}',
                          flush=True)
                elif time.monotonic() - begin > 5:
                    print(f'slow: {line}: {time.monotonic() - begin:.1f} s', flush=True)
        if speed:
            import speed as measure
            measure.run(s)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('--only', help='one of the programs')
    p.add_argument('--match', default='', help='only cases whose line has this text')
    p.add_argument('--speed', action='store_true', help='measure receiving, too')
    p.add_argument('--no-report', action='store_true', help='leave docs/interop.md alone')
    p.add_argument('--build', default=os.environ.get('INTEROP_BUILD', ROOT / 'build/interop'))
    args = p.parse_args()
    build = pathlib.Path(args.build).resolve()
    build.mkdir(parents=True, exist_ok=True)
    results, missing = [], []
    top = pathlib.Path(tempfile.mkdtemp(prefix='wb-interop-'))
    try:
        for kind in peers.PROGRAMS:
            if args.only not in (None, kind.name):
                continue
            program = kind(build)
            begin, before = time.monotonic(), len(results)
            try:
                program.install()
                directory = top / program.name
                directory.mkdir()
                run_program(program, directory, args.match, results, args.speed)
            except peers.Missing as e:
                missing.append((program, str(e)))
                print(f'FAILED {program.name}: {e}', flush=True)
            finally:
                program.stop()
            mine = results[before:]
            print(f'{program.name}: {sum(r.state in ("passed", "noted") for r in mine)} passed, '
                  f'{sum(r.state == "failed" for r in mine)} failed, '
                  f'{time.monotonic() - begin:.0f} s', flush=True)
    finally:
        if os.environ.get('KEEP'):
            print(f'kept: {top}')
        else:
            shutil.rmtree(top, ignore_errors=True)
    if not args.no_report and not args.only and not args.match and not missing:
        (ROOT / 'docs' / 'interop.md').write_text(report.text(results))
    failed = sum(r.state == 'failed' for r in results) + len(missing)
    passed = sum(r.state in ('passed', 'noted') for r in results)
    print(f'{passed} passed, {failed} failed')
    return 1 if failed or not passed else 0


if __name__ == '__main__':
    sys.exit(main())
