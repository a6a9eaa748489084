"""AS2-C91: the disk with the data directory is full while messages come: 503, no MDN, no partial
files, and the same message is taken once there is space."""

import os

import as2_scene
import pytest
import waybill
from as2_http import Connection
from as2_scene import Relation
from test_disk_full import disk  # noqa: F401, a fixture


@pytest.fixture
def plant(disk, gateway):  # noqa: F811
    return gateway('plant-7', settings={'as2_server': as2_scene.SERVER})


def payloads(plant):
    return {p for p in (plant.data / 'payload').rglob('*') if p.is_file()}


@pytest.mark.parametrize('asynchronous', [False, True])
def test_full_while_a_message_comes(disk, plant, asynchronous):  # noqa: F811
    """AS2-C91: chunked, so that its size is not known before"""
    url = 'http://127.0.0.1:9/' if asynchronous else None
    r = Relation(plant, url='http://127.0.0.1:9/')
    content = os.urandom(20 << 20)
    m = r.message(content, 'S', async_url=url)
    before = payloads(plant)
    disk.fill(leave=8 << 20)
    with Connection(r.url) as c:
        try:
            c.request(m.fields, m.body, chunks=100000)
        except ConnectionError:
            pass
        response = c.response()
    assert response.status == 503 and int(response.get('Retry-After')) > 0, response
    assert b'disposition' not in response.body.lower()
    assert r.log('as2.message.later.*disk full')
    waybill.wait_until(lambda: payloads(plant) == before, 10, 'partial files to go')
    assert r.documents() == []
    r.exchange(r.message(b'small', 'S'))     # others are served on
    disk.clear()
    if not asynchronous:
        r.exchange(m)
        assert len(r.delivered(2)) == 2


def test_a_message_larger_than_the_disk_is_not_begun(disk, plant):  # noqa: F811
    r = Relation(plant)
    m = r.message(b'', '')
    with Connection(r.url) as c:
        c.send(c.head(m.fields, length=str(1 << 30)))
        assert c.response().status == 503
    assert r.documents() == []
