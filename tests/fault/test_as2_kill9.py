"""kill -9 of either of two gateways at random moments of a run of many small and a few large AS2
messages in both directions, one asking for its MDN in the answer, the other for asynchronous ones.
Nothing may be missing, nothing delivered twice unmarked, nothing stay unsettled.

WAYBILL_KILLS   how many kills (50)      WAYBILL_SEED   of the random moments (printed)"""

import collections
import contextlib
import hashlib
import random
import time

import as2_scene
import pytest
import test_kill9
import waybill
from as2_sending import gateway
from test_kill9 import KILLS, LEDGER, SEED, Feeder, all_documents

CODES = {'acme': 'ACME', 'plant-7': 'PLANT-7'}


def components(g, other, mdn):
    """What `g` needs to trade with `other`, whom it asks for this kind of MDN."""
    inbox = g.directory / 'inbox'
    inbox.mkdir(exist_ok=True)
    script = g.directory / 'ledger.sh'
    script.write_text(LEDGER)
    script.chmod(0o755)
    ours, theirs = as2_scene.keys(f'us-{g.name}'), as2_scene.keys(f'us-{other.name}')
    return [
        {'certificate': 'ours', 'file': ours.cert, 'key_file': ours.key},
        {'certificate': 'theirs', 'file': theirs.cert},
        {'identity': 'us', 'as2': {
            'as2_id': CODES[g.name], 'signing_certificate': 'ours',
            'decryption_certificate': 'ours', 'mdn_signing_certificate': 'ours'}},
        {'partner': other.name, 'as2': {
            'as2_id': CODES[other.name], 'url': as2_scene.url(other), 'identity': 'us',
            'signing_certificate': 'theirs', 'encryption_certificate': 'theirs',
            'send': {'mdn': mdn, 'compressed': 'before_signing'},
            'retry': {'first': '100ms', 'max': '500ms', 'attempts': 0},
            'receipt_timeout': '3s', 'receipt_resends': 1000}},
        {'process': f'from-{other.name}', 'start': {'listen': 'as2-server', 'operation': {
            'from': {'partner': other.name}, 'to': {'identity': 'us'},
            'require': {'signed': True, 'encrypted': True}}},
         'steps': [{'write': {'directory': str(inbox)}},
                   {'exec': {'command': [str(script), str(g.directory / 'ledger')]}}]}]


def settled(g):
    return not g.get('/api/v1/jobs')['jobs']


def receipts(g, number):
    return g.get(f'/api/v1/receipts?document={number}')['receipts']


def check(sender, receiver, feeder):
    """Both sides' books against what was handed over. A list of what is wrong."""
    wrong = []
    out, got = all_documents(sender, direction='out'), all_documents(receiver, direction='in')
    if sorted(d['id'] for d in out) != sorted(feeder.ids):
        wrong.append(f'{sender.name}: {len(feeder.ids)} handed over, {len(out)} in the store')
    for d in out:
        mdns = [r['state'] for r in receipts(sender, d['id'])]
        if d['state'] != 'acknowledged' or 'received' not in mdns:
            wrong.append(f'{sender.name}: document {d["id"]} is {d["state"]}: {d["reason"]}; {mdns}')
    for d in got:
        mdns = [r['state'] for r in receipts(receiver, d['id'])]
        if d['state'] != 'processed' or mdns != ['sent']:
            wrong.append(f'{receiver.name}: document {d["id"]} is {d["state"]}: {d["reason"]}; '
                         f'MDNs {mdns}')
    if len(got) != len(out):
        wrong.append(f'{receiver.name}: {len(got)} documents of {len(out)}')
    runs = collections.defaultdict(list)
    for line in (receiver.directory / 'ledger').read_text().splitlines():
        _, document, again, digest = line.split()
        runs[digest].append((document, again))
    for digest in feeder.sums:
        if not runs[digest]:
            wrong.append(f'{receiver.name}: {digest[:12]} was never processed')
        if [again for _, again in runs[digest]].count('false') > 1 or \
                len({document for document, _ in runs[digest]}) > 1:
            wrong.append(f'{receiver.name}: {digest[:12]} processed twice: {runs[digest]}')
    for digest in set(runs) - set(feeder.sums):
        wrong.append(f'{receiver.name}: {digest[:12]} was processed and never sent: {runs[digest]}')
    files = collections.Counter(hashlib.sha256(p.read_bytes()).hexdigest()
                                for p in (receiver.directory / 'inbox').iterdir())
    if files != collections.Counter(feeder.sums.keys()):
        wrong.append(f'{receiver.name}: {sum(files.values())} files in the inbox, {len(files)} '
                     f'different, of {len(feeder.sums)}')
    left = [p for p in (receiver.data / 'payloads').rglob('*quarantine*')
            if p.is_file()] if (receiver.data / 'payloads').is_dir() else []
    if left:
        wrong.append(f'{receiver.name}: left over {left[:5]}')
    marked = sum(again == 'true' for r in runs.values() for _, again in r)
    print(f'{sender.name} to {receiver.name}: {len(out)} messages, {feeder.large} of them large, '
          f'{sum(feeder.sums.values()) / 1e6:.0f} MB; {feeder.repeated} hand-overs repeated; '
          f'{marked} runs marked redelivered; '
          f'{len(sender.log_lines("as2.message.later"))} posts repeated; '
          f'{len(receiver.log_lines("as2.*duplicate"))} recognised as received before')
    return wrong


@pytest.mark.no_tsan
def test_killed_at_random_moments_no_message_is_lost_or_doubled(tmp_path, monkeypatch):
    """AS2-C85, AS2-C86, AS2-C92, AS2-C96: in both roles."""
    monkeypatch.setattr(test_kill9, 'LARGE', (4 << 20, 16 << 20))
    dice = random.Random(SEED)
    print(f'seed {SEED}, {KILLS} kills')
    with contextlib.ExitStack() as stack:
        a, b = (stack.enter_context(gateway(tmp_path / name, name=name, settings={
            'as2_server': {'mdn_retry_first': '50ms'}})) for name in CODES)
        a.apply(components(a, b, 'sync'))
        b.apply(components(b, a, 'async'))
        feeders = [Feeder(a, 'plant-7', SEED + 1), Feeder(b, 'acme', SEED + 2)]
        begun = time.monotonic()
        for f in feeders:
            f.start()
        for _ in range(KILLS):
            time.sleep(dice.uniform(0.02, 0.9))
            victim = dice.choice((a, b))
            victim.kill9()
            time.sleep(dice.choice((0, 0, 0.2)))
            victim.start()
            assert not any(f.problem for f in feeders), [f.problem for f in feeders]
        for f in feeders:
            f.enough.set()
            f.join(waybill.patient(60))
            assert not f.is_alive() and f.problem is None, f.problem
        try:
            waybill.wait_until(lambda: settled(a) and settled(b), 200, 'all to settle', 0.2)
        except AssertionError as e:
            left = [f'{g.name}: {x}' for g in (a, b) for x in g.get('/api/v1/jobs')['jobs']]
            raise AssertionError(f'{e}; left are {len(left)}\n' + '\n'.join(left[:20])) from None
        print(f'{time.monotonic() - begun:.0f} s until all was settled')
        wrong = check(a, b, feeders[0]) + check(b, a, feeders[1])
        assert not wrong, '\n'.join(wrong[:60])
