import pytest

from dataset_builders.fetch import Client
from tests.support.europe_pmc_server import EuropePmc, serve


@pytest.fixture
def site(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return EuropePmc()


@pytest.fixture
def address(site):
    server = serve(site)
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def client():
    return Client(interval=0, backoff=0.01, timeout=5, attempts=3)
