"""The network between a gateway and its partner fails at any octet of the exchange, in either role
of either protocol: it breaks, falls silent, one way or both, drips, delays or repeats. Once it
works again every document is delivered exactly once and every receipt settled.

WAYBILL_FAULTS   how many places a way, kind and direction (one of one of the two); `all`: 60
WAYBILL_SEED     of these (printed)"""

import contextlib
import os
import random
import time

import books
import pytest
import waybill
from proxy import KINDS, Fault

FAULTS = os.environ.get('WAYBILL_FAULTS', '')
PLACES = 60 if FAULTS == 'all' else int(FAULTS or 1)
SEED = int(os.environ.get('WAYBILL_SEED', '6'))
SILENT = ('vanish', 'mute')
WAYS = ('OFTP2 in', 'OFTP2 out', 'AS2 in', 'AS2 out')


def whole(b):
    """The script without a fault. How long it took, and the octets of each way."""
    begin(b)
    begun = time.monotonic()
    b.run(20)
    took = time.monotonic() - begun
    b.finish()
    octets = {way: {up: max(link.count[up] for link in b.proxies[way].links)
                    for up in (True, False)} for way in WAYS}
    assert not b.check() + b.close()
    return took, octets


@pytest.fixture(scope='module')
def run(tmp_path_factory):
    with books.Books(tmp_path_factory.mktemp('whole'), proxies=True) as b:
        took, octets = whole(b)
    # How long anybody waits for the other, so that what falls silent is noticed: not what is only
    # slow on this machine as it is now.
    seconds = min(max(0.7 * waybill.slow(), took), 8)
    wait = f'{int(1000 * seconds)}ms'
    with books.Books(tmp_path_factory.mktemp('network'), {
            'oftp2_server': {'start_timeout': wait, 'inactivity_timeout': wait,
                             'end_file_timeout': wait, 'disconnect_timeout': wait},
            'as2_server': {'header_timeout': wait, 'idle_timeout': wait}},
            partner={'connect_timeout': wait, 'answer_timeout': wait},
            timeout=seconds / waybill.slow(), proxies=True) as b:
        b.octets = octets
        print(f'whole in {took:.1f} s, silence is noticed after {wait}')
        yield b


def begin(b):
    b.begin()
    for p in b.proxies.values():
        p.forget()
    assert b.start()


def places(b, way, kind, up):
    """At which octets: near the ends, where the commands are, as often as in between."""
    dice, total = random.Random(f'{SEED} {way} {kind} {up}'), b.octets[way][up]
    for n in range(PLACES):
        third = n % 3
        if kind == 'copy':
            yield 0
        elif third == 0:
            yield dice.randrange(min(total, 500))
        elif third == 1:
            yield total - 1 - dice.randrange(min(total, 300))
        else:
            yield dice.randrange(total)


def hand(b, way):
    with contextlib.suppress(*books.BROKEN):
        if way == 'OFTP2 in':
            b.hand_file(b.into['plain'])
        elif way == 'AS2 in':
            b.hand_message(b.into['message'])
        else:
            b.hand_out(*{'OFTP2 out': (b.out['file-out'], 'oftp2'),
                         'AS2 out': (b.out['message-out'], 'as2')}[way])


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('way', WAYS)
def test_whatever_the_network_does_all_comes_through_once(run, way, kind):
    b, wrong, met, tried = run, [], 0, 0
    directions = (True, False) if kind != 'copy' else (True,)
    if not FAULTS:
        directions = (random.Random(f'{SEED} {way} {kind}').choice(directions),)
    for up in directions:
        for at in places(b, way, kind, up):
            begin(b)
            b.proxies[way].next(Fault(kind, at, up))
            hand(b, way)
            if way.endswith('out'):     # the call is the gateway's: until it has met it
                end = time.monotonic() + waybill.patient(5)
                while time.monotonic() < end and not b.proxies[way].met and not b.settled_out():
                    time.sleep(0.01)
            what = f'{way}, {kind} at octet {at} {"up" if up else "down"}'
            tried, met = tried + 1, met + (b.proxies[way].met or kind == 'copy')
            if kind in SILENT and random.Random(f'{what}').random() < 0.5:
                with contextlib.suppress(AssertionError):   # it heals only after they gave up
                    waybill.wait_until(lambda: not b.gateway.get('/api/v1/sessions')['sessions'], 9)
            b.proxies[way].heal()
            try:
                b.finish()
                found = b.check()
            except AssertionError as e:
                found = [f'{e}\n{b.gateway.log(True)[-2000:]}']
            wrong += [f'{what}: {x}' for x in found + b.close()]
    print(f'{way}, {kind}: {tried} runs, {met} met it, seed {SEED}; of {run.octets[way]} octets')
    assert not wrong, f'{len(wrong)} wrong\n' + '\n'.join(wrong[:20])
    assert met >= tried / 2 or tried == 1
