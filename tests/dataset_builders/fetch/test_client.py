import hashlib
import os
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from dataset_builders.fetch import Client, FetchError
from dataset_builders.fetch.client import NotThere, _Redirects


def test_retries_honour_retry_after_and_end(site, address, monkeypatch):
    slept = []
    monkeypatch.setattr(time, "sleep", lambda seconds: slept.append(seconds) if seconds else None)
    site.files["/a"] = b"whole"
    client = Client(interval=0, backoff=1, attempts=4)
    in_a_minute = format_datetime(datetime.now(UTC) + timedelta(seconds=61))
    site.troubles["/a"] = [(429, {"Retry-After": "7"}), (503, {"Retry-After": in_a_minute}), "cut"]
    assert client.get(f"{address}/a", bytes, 100) == b"whole"
    first, second, third = slept
    assert first == 7 and 55 < second <= 61 and third == 4
    site.troubles["/a"] = [503] * 9
    with pytest.raises(FetchError, match="http_503"):
        client.get(f"{address}/a", bytes, 100)
    assert len(site.troubles["/a"]) == 9 - client.attempts and slept[3:] == [1, 2, 4]
    site.troubles["/a"] = [(429, {"Retry-After": "86400"})]
    with pytest.raises(FetchError, match="86400 seconds; run again later"):
        client.get(f"{address}/a", bytes, 100)


def test_requests_keep_their_interval(site, address):
    site.files["/a"] = b"x"
    client = Client(interval=0.1)
    started = time.monotonic()
    for _ in range(4):
        client.get(f"{address}/a", bytes, 10)
    assert time.monotonic() - started >= 0.3


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "//[bad", "data:text/plain,x"])
def test_redirects_to_anything_but_http_are_refused(site, address, client, target):
    site.troubles["/a"] = [(302, {"Location": target})]
    with pytest.raises(FetchError) as caught:
        client.get(f"{address}/a", bytes, 100)
    assert caught.value.reason in ("redirect", "address")


def test_redirects_stay_on_https_once_there(site, address, client):
    request = urllib.request.Request("https://example.org/a")
    with pytest.raises(FetchError, match="is not followed"):
        _Redirects().redirect_request(request, None, 302, "Found", {}, "http://example.org/a")
    site.files["/b"] = b"there"
    site.troubles["/a"] = [(301, {"Location": f"{address}/b"})]
    assert client.get(f"{address}/a", bytes, 100) == b"there"
    site.troubles["/loop"] = [(302, {"Location": f"{address}/loop"})] * 20
    with pytest.raises(FetchError, match="redirect"):
        client.get(f"{address}/loop", bytes, 100)


def test_addresses_that_are_not_http_and_bodies_over_the_limit_are_refused(site, address, client, tmp_path):
    for bad in ("file:///etc/passwd", "ftp://example.org/x", "/etc/passwd"):
        with pytest.raises(FetchError, match="only http and https"):
            client.get(bad, bytes, 100)
    site.files["/big"] = b"x" * 101
    with pytest.raises(FetchError, match="101 bytes, the limit is 100"):
        client.get(f"{address}/big", bytes, 100)
    with pytest.raises(FetchError, match="too_large"):
        client.download(f"{address}/big", tmp_path / "big", 100)
    assert not (tmp_path / "big").exists()
    with pytest.raises(NotThere):
        client.get(f"{address}/nothing", bytes, 100)
    with pytest.raises(FetchError, match="unreachable"):
        Client(interval=0, backoff=0, attempts=2).get("http://127.0.0.1:9/", bytes, 100)


@pytest.mark.parametrize("options", [{"email": "a@b.org\r\nX: 1"}, {"email": "nobody"}, {"interval": -1}, {"attempts": 0}])
def test_options_that_make_no_sense_are_refused(options):
    with pytest.raises(ValueError):
        Client(**options)


@pytest.mark.parametrize("tagged", [True, False])
def test_a_download_that_broke_off_goes_on_from_its_last_byte(site, address, client, tmp_path, tagged):
    body = os.urandom(300_000)
    site.files["/a.bin"] = body
    site.headers["/a.bin"] = {"ETag": '"one"'} if tagged else {}
    checksum = None if tagged else f"sha256:{hashlib.sha256(body).hexdigest()}"
    site.troubles["/a.bin"] = ["cut"]
    client.download(f"{address}/a.bin", tmp_path / "a.bin", 1 << 20, checksum)
    assert (tmp_path / "a.bin").read_bytes() == body
    assert site.ranges == ["bytes=150000-"]
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]


def test_a_large_file_may_break_off_as_often_as_it_goes_on(site, address, tmp_path):
    site.files["/a.bin"], site.headers["/a.bin"] = os.urandom(1 << 24), {"ETag": '"one"'}
    site.troubles["/a.bin"] = ["cut"] * 4  # after 8, 4, 2 and 1 MiB more
    Client(interval=0, backoff=0, attempts=2).download(f"{address}/a.bin", tmp_path / "a.bin", 1 << 24)
    assert (tmp_path / "a.bin").read_bytes() == site.files["/a.bin"]
    site.troubles["/b.bin"], site.files["/b.bin"] = ["cut"] * 4, site.files["/a.bin"]
    with pytest.raises(FetchError, match="truncated"):  # nothing says that it is still the same file
        Client(interval=0, backoff=0, attempts=2).download(f"{address}/b.bin", tmp_path / "b.bin", 1 << 24)


def test_a_file_that_changed_meanwhile_is_fetched_from_its_start(site, address, client, tmp_path):
    (tmp_path / "a.bin.part").write_bytes(b"old old old")
    (tmp_path / "a.bin.etag").write_text('"old"')
    site.files["/a.bin"], site.headers["/a.bin"] = b"new new new new", {"ETag": '"new"'}
    client.download(f"{address}/a.bin", tmp_path / "a.bin", 100)
    assert (tmp_path / "a.bin").read_bytes() == b"new new new new" and site.ranges == []
