"""The wall clock jumps a day forth and back while the program runs. Nothing is delivered twice,
nothing that is to be tried again waits for a day, and no two files get one identification.

The jumps are made by tests/fault/shim; the program's own day is two days ahead, so that its
certificates are valid a day before it too.

WAYBILL_FAULTS   how many runs (5); `all`: 50      WAYBILL_SEED   of the moments (printed)"""

import os
import random
import threading

import books
import faulty
import pytest
import scene
import waybill

FAULTS = os.environ.get('WAYBILL_FAULTS', '')
RUNS = 50 if FAULTS == 'all' else int(FAULTS or 5)
SEED = int(os.environ.get('WAYBILL_SEED', '6'))
DAY = 86400
TODAY, YESTERDAY, TOMORROW = 2 * DAY, DAY, 3 * DAY


@pytest.fixture(scope='module')
def run(tmp_path_factory):
    directory = tmp_path_factory.mktemp('clock')
    faulty.library()
    with books.Books(directory) as b:
        b.shim = faulty.Shim(directory / 'shim', [b.live])
        yield b


def begin(run):
    run.begin()
    run.shim.shift(TODAY)
    assert run.start(run.shim.env)


def test_jumps_at_any_moment_change_nothing(run):
    begin(run)
    run.run(20)
    plain = run.digest()
    assert not run.check() + run.close()
    wrong = []
    for n in range(RUNS):
        dice, over = random.Random(f'{SEED} {n}'), threading.Event()
        begin(run)

        def jump():
            while not over.wait(dice.uniform(0, 0.3)):
                run.shim.shift(dice.choice((TODAY, YESTERDAY, TOMORROW)))
        jumper = threading.Thread(target=jump, daemon=True)
        jumper.start()
        try:
            run.run(20)
            found = [] if run.settled() else ['not settled']
        finally:
            over.set()
            jumper.join()
        found += run.check()
        if run.digest() != plain:
            found.append(f'{run.digest()} instead of {plain}')
        wrong += [f'run {n}: {x}' for x in found + run.close()]
    print(f'{RUNS} runs, seed {SEED}')
    assert not wrong, '\n'.join(wrong)


@pytest.mark.parametrize('first,then', [(TODAY, YESTERDAY), (TOMORROW, TODAY), (TODAY, TOMORROW)],
                         ids=['back', 'corrected', 'forth'])
@pytest.mark.parametrize('restart', [False, True], ids=['running', 'restarted'])
def test_what_is_to_be_tried_again_does_not_wait_for_a_day(run, first, then, restart):
    """OFTP2 calls and AS2 posts alike: the wait for the next try is counted, not read off a
    clock; and a time that is far ahead at the start is not believed."""
    begin(run)
    run.shim.shift(first)
    run.closed = True
    try:
        for name, protocol in (('file-out', 'oftp2'), ('message-out', 'as2')):
            assert run.hand_out(run.out[name], protocol)[0] == 201
        run.gateway.wait_log('oftp2.call.failed', run.gateway.starts + 2)
        waybill.wait_until(lambda: all(j['attempts'] > 1 for j in
                                       run.gateway.get('/api/v1/jobs')['jobs']), 20)
        if restart:
            assert run.stop() == 0
        run.shim.shift(then)
    finally:
        run.closed = False
    if restart:
        assert run.start(run.shim.env)
    run.finish()
    assert not run.check() + run.close()


def test_no_two_files_get_one_identification(tmp_path):
    """SFIDDATE and SFIDTIME with jumps and restarts in between."""
    faulty.library()
    shim = faulty.Shim(tmp_path / 'shim', [tmp_path / 'plant' / 'data'])
    shim.shift(TODAY)
    with waybill.Gateway(tmp_path / 'plant', env=shim.env) as g:
        r = scene.Relation(g)
        numbers = []
        for n, day in enumerate((TODAY, YESTERDAY, TODAY, TOMORROW, YESTERDAY, TODAY)):
            shim.shift(day)
            numbers += [r.send(b'%d %d' % (n, i), name='STOCK') for i in range(3)]
            if n % 2:
                g.restart()
            numbers += [r.send(b'%d %d again' % (n, i), name='STOCK') for i in range(3)]
        with r.call() as me:
            me.change_direction()
            assert me.run() == 0
        assert len(me.files) == len(numbers) == 36
        assert len({(f.sfid.date, f.sfid.time) for f in me.files}) == 36
        assert len({f.data for f in me.files}) == 36
        for number in numbers:
            scene.wait_document(g, number, 'acknowledged')
