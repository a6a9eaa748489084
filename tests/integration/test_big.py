"""OFTP2-C134: a file of more than 4 GiB, plain and secured, from one gateway to another, in memory that
does not grow. It takes minutes and 20 GB of disk, and so runs when WAYBILL_BIG is set; the arithmetic at
the border is proved by unit tests each time."""

import hashlib
import os
import pathlib

import pytest

import waybill
from test_security import Relation

SIZE = (4 << 30) + 12345
MEMORY_KB = 64 * 1024

pytestmark = pytest.mark.skipif('WAYBILL_BIG' not in os.environ, reason='WAYBILL_BIG is not set')


class Pair:
    def __init__(self, acme, plant):
        self.acme, self.plant, self.keys = acme, plant, {}


@pytest.fixture(scope='module')
def pair(tmp_path_factory):
    where = tmp_path_factory.mktemp('big')
    ca = waybill.Authority(where / 'ca', algorithm='rsa:2048')
    acme, plant = (ca.issue(n, key_usage='digitalSignature,keyEncipherment')
                   for n in ('acme', 'plant'))
    settings = {'oftp2_server': {'buffer_size': 99999, 'credit': 999}}
    with waybill.Gateway(where / 'acme', 'acme', settings=settings, components=[
            acme.component('acme'), plant.component('plant-public', key=False)]) as a, \
        waybill.Gateway(where / 'plant', settings=settings, components=[
            plant.component('plant'), acme.component('acme-public', key=False)]) as p:
        yield Pair(a, p)


def digest(path):
    h = hashlib.sha256()
    with open(path, 'rb') as f:
        while piece := f.read(1 << 20):
            h.update(piece)
    return h.digest()


@pytest.mark.parametrize('send', [
    {}, {'signed': True, 'encrypted': True, 'signed_receipt': True},
    {'signed': True, 'encrypted': True, 'compressed': True, 'signed_receipt': True},
], ids=['plain', 'signed-encrypted', 'all'])
def test_a_file_of_more_than_4_gib_arrives(pair, tmp_path, send):
    """OFTP2-C134"""
    source = tmp_path / 'source'
    piece = os.urandom(1 << 20)
    with open(source, 'wb') as f:
        for n in range(SIZE >> 20):
            f.write(n.to_bytes(8, 'big') + piece[8:])
        f.write(piece[:SIZE & ((1 << 20) - 1)])
    want = digest(source)
    r = Relation(pair, send=send)
    number = pair.acme.cli('send', '--partner', f'plant-{r.n}', '--name', 'BIG', str(source),
                           timeout=900)
    number = number['id'] if isinstance(number, dict) else number[0]['id']
    os.unlink(source)
    got, = pair.plant.wait_files(r.inbox, 1, timeout=1800)
    pair.acme.cli('call', f'plant-{r.n}')               # opening takes longer than a session waits
    r.outcome(number, 'acknowledged', timeout=600)
    assert pathlib.Path(got).stat().st_size == SIZE and digest(got) == want
    os.unlink(got)
    for gateway in (pair.acme, pair.plant):
        assert gateway.resident_kb() < MEMORY_KB
