"""A gateway that the tests of one module share."""

import pytest

import waybill


@pytest.fixture(scope='module')
def shared_gateway(tmp_path_factory, request):
    """One gateway a module. A module may define PLANT, a mapping of options for it."""
    options = getattr(request.module, 'PLANT', {})
    with waybill.Gateway(tmp_path_factory.mktemp('plant') / 'plant-7', **options) as g:
        yield g


@pytest.fixture
def plant(shared_gateway):
    """The module's gateway; the log of this test is shown when the test fails."""
    start = len(shared_gateway.log())
    yield shared_gateway
    print(f'---- log of {shared_gateway.name} ----')
    print(shared_gateway.log()[start:][-20000:])
