import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from dataset_builders import sources
from dataset_builders.__main__ import main
from dataset_builders.fetch import Client, FetchError, fetch_articles, fetch_entries
from dataset_builders.fetch.archives import unpack
from dataset_builders.fetch.client import BadBody, NotThere, _Redirects
from dataset_builders.fetch.folder import open_folder
from dataset_builders.licences import check_licence
from dataset_builders.schema import SOURCE_KINDS
from dataset_builders.sources.catalogue import Download, Entry, load_catalogue
from tests.support.europe_pmc_server import CC_BY_NC, EuropePmc, archive, article, picture, serve

QUERY = 'TITLE:"spinal stenosis" OR disc'


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


def files_below(folder):
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() and ".fetch" not in path.parts
    )


def manifest(folder):
    return [json.loads(line) for line in (folder / ".fetch" / "manifest.jsonl").read_text().splitlines()]


def by_id(outcomes):
    return {outcome.id: (outcome.status, outcome.reason) for outcome in outcomes}


# Europe PMC: what is kept


def test_articles_are_read_with_figures_pictures_licence_and_doi(site, address, client, tmp_path):
    for number in range(1, 6):
        site.publish(f"PMC{number}", ("fig-a", "fig-b"))
    outcomes = fetch_articles(QUERY, tmp_path, client, address)
    assert by_id(outcomes) == {f"PMC{number}": ("kept", "") for number in range(1, 6)}
    documents = [document for path in sources.list_files(tmp_path) if path.suffix == ".xml" for document in sources.read(path)]
    assert [document.provenance.source_id for document in documents] == [f"PMC{number}" for number in range(1, 6)]
    first = documents[0]
    assert first.provenance.source_licence == "CC-BY-4.0" and first.provenance.source_doi == "10.1234/pmc1"
    assert first.provenance.source_url == "https://europepmc.org/article/PMC/PMC1"
    assert [(figure.label, figure.image) for figure in first.figures] == [("Figure 1", picture()), ("Figure 2", picture())]
    assert first.figures[0].context == ("The canal was narrow at L4/L5 (Figure 1) (Figure 2).",)
    # every file is read or belongs to one that is
    assert all(list(sources.read_declared(path, sources.Declared(root=tmp_path))) for path in sources.list_files(tmp_path))
    record = manifest(tmp_path)[0]
    assert record["files"][0]["file"] == "articles/PMC1/PMC1.xml"
    assert record["files"][0]["address"] == f"{address}/PMC1/fullTextXML" and record["files"][0]["bytes"] > 0
    assert record["licence"] == "CC-BY-4.0" and record["doi"] == "10.1234/pmc1" and record["time"]


def test_the_search_asks_for_open_access_and_follows_the_marks_to_the_end(site, address, tmp_path):
    for number in range(1, 6):
        site.publish(f"PMC{number}")
    fetch_articles(QUERY, tmp_path, Client(interval=0, email="me@example.org"), address)
    assert [query["cursorMark"] for query in site.queries] == ["*", "AoE=2", "AoE=4", "AoE=5"]
    assert {query["query"] for query in site.queries} == {f"({QUERY}) AND OPEN_ACCESS:y"}
    assert {query["resultType"] for query in site.queries} == {"core"} and int(site.queries[0]["pageSize"]) <= 1000
    (agent,) = site.agents
    assert agent.startswith("SpineMed/") and "mailto:me@example.org" in agent


def test_a_mark_that_does_not_move_ends_the_search(site, address, client, tmp_path):
    site.publish("PMC1")
    site.marks_end = True
    assert by_id(fetch_articles(QUERY, tmp_path, client, address)) == {"PMC1": ("kept", "")}
    assert len(site.queries) == 1


def test_a_limit_counts_articles_that_are_there(site, address, client, tmp_path):
    site.publish("PMC1", licence=CC_BY_NC)
    for number in range(2, 6):
        site.publish(f"PMC{number}")
    fetch_articles(QUERY, tmp_path, client, address, limit=2)
    assert files_below(tmp_path) == ["articles/PMC2/PMC2.xml", "articles/PMC3/PMC3.xml"]
    fetch_articles(QUERY, tmp_path, client, address, limit=2)
    assert len(files_below(tmp_path)) == 2


def test_what_may_not_be_published_is_left_out_by_what_its_text_says(site, address, client, tmp_path):
    site.publish("PMC1", ("fig",), licence=CC_BY_NC, license="cc by")
    site.publish("PMC2", licence="<license><license-p>All rights reserved.</license-p>")
    outcomes = fetch_articles(QUERY, tmp_path, client, address)
    assert by_id(outcomes) == {"PMC1": ("left_out", "licence"), "PMC2": ("left_out", "licence")}
    assert [outcome.licence for outcome in outcomes] == ["CC-BY-NC", "LicenseRef-Unknown"]
    assert files_below(tmp_path) == [] and "/PMC1/supplementaryFiles" not in site.asked
    assert [record["reason"] for record in manifest(tmp_path)] == ["licence", "licence"]
    assert {path.name for path in (tmp_path / ".fetch").rglob("*") if path.is_file()} == {"manifest.jsonl", "lock"}
    fetch_articles(QUERY, tmp_path, client, address)
    assert site.counts()["/PMC1/fullTextXML"] == 1  # its text is not asked for again
    kept = fetch_articles(QUERY, tmp_path, client, address, all_licences=True)
    assert by_id(kept) == {"PMC1": ("kept", ""), "PMC2": ("kept", "")}
    assert files_below(tmp_path) == ["articles/PMC1/PMC1.xml", "articles/PMC1/fig.jpg", "articles/PMC2/PMC2.xml"]


def test_closed_articles_and_hostile_identifiers_are_left_out_unasked(site, address, client, tmp_path):
    site.publish("PMC1", open_access="N")
    site.publish("../../x")
    site.publish("PMC2/../../y")
    site.publish("PMC3")
    del site.articles[-1].record["pmcid"]  # absent where the article is not in PMC
    site.publish("PMC4")
    site.articles[-1].xml = None
    reasons = [outcome.reason for outcome in fetch_articles(QUERY, tmp_path / "out", client, address)]
    assert reasons == ["not_open_access", "bad_identifier", "bad_identifier", "not_in_pmc", "no_full_text"]
    assert set(site.counts()) == {"/PMC4/fullTextXML"}
    assert files_below(tmp_path) == []


def test_pictures_are_named_by_the_xml_never_by_the_archive(site, address, client, tmp_path):
    hrefs = ("../../../escape", "plain.tif", ".hidden", "GR1", "sources.yaml")
    members = {
        "../../escape.jpg": picture(1),
        "deep/plain.jpg": picture(2),
        ".hidden.jpg": picture(3),
        "gr1.PNG": picture(4, "PNG"),
        "/etc/passwd": b"root",
        "sources.yaml": b"- match: '*'",
        "unasked.jpg": picture(5),
    }
    site.publish("PMC1", hrefs, members)
    (outcome,) = fetch_articles(QUERY, tmp_path / "out", client, address)
    assert (outcome.status, outcome.reason) == ("kept", "pictures_missing") and "sources.yaml" in outcome.detail
    assert files_below(tmp_path / "out") == [
        f"articles/PMC1/{name}" for name in ("GR1.png", "PMC1.xml", "escape.jpg", "plain.tif.jpg")
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    (document,) = sources.read(tmp_path / "out/articles/PMC1/PMC1.xml")
    assert [figure.image is not None for figure in document.figures] == [True, True, False, True, False]


def test_an_article_whose_pictures_fail_is_kept_and_only_they_are_asked_for_again(site, address, client, tmp_path):
    site.publish("PMC1", ("fig",))
    site.troubles["/PMC1/supplementaryFiles"] = [500, 500]
    (outcome,) = fetch_articles(QUERY, tmp_path, client, address)
    assert (outcome.status, outcome.reason, outcome.failed) == ("kept", "pictures_failed", True)
    assert files_below(tmp_path) == ["articles/PMC1/PMC1.xml"]
    (outcome,) = fetch_articles(QUERY, tmp_path, client, address)
    assert (outcome.status, outcome.reason, outcome.failed) == ("kept", "", False)
    assert files_below(tmp_path) == ["articles/PMC1/PMC1.xml", "articles/PMC1/fig.jpg"]
    assert site.counts() == {"/PMC1/fullTextXML": 1, "/PMC1/supplementaryFiles": 3}


def test_an_archive_that_is_no_whole_zip_is_never_kept(site, address, client, tmp_path):
    site.publish("PMC1", ("fig",))
    site.articles[0].pictures = site.articles[0].pictures[:-30]  # a stream that ended early, with the length of what came
    (outcome,) = fetch_articles(QUERY, tmp_path, client, address)
    assert outcome.reason == "pictures_failed" and "not whole" in outcome.detail
    assert files_below(tmp_path) == ["articles/PMC1/PMC1.xml"]
    assert site.counts()["/PMC1/supplementaryFiles"] == client.attempts


def test_xml_that_is_cut_declares_entities_or_is_another_article_is_not_kept(site, address, client, tmp_path):
    site.publish("PMC1", xml=article("PMC1")[:-40])
    site.publish("PMC2", xml=b'<!DOCTYPE article [<!ENTITY x SYSTEM "file:///etc/passwd">]><article>&x;</article>')
    site.publish("PMC3", xml=article("PMC33"))
    site.publish("PMC4", xml=b"<html><body/></html>")
    outcomes = by_id(fetch_articles(QUERY, tmp_path, client, address))
    assert outcomes == {
        "PMC1": ("failed", "bad_body"),
        "PMC2": ("left_out", "xml_entities"),
        "PMC3": ("failed", "another_article"),
        "PMC4": ("left_out", "not_jats"),
    }
    assert files_below(tmp_path) == [] and site.counts()["/PMC1/fullTextXML"] == client.attempts


def test_a_search_that_is_refused_or_comes_empty_is_a_failure_not_an_end(site, address, client, tmp_path, monkeypatch):
    for number in range(1, 5):
        site.publish(f"PMC{number}")
    site.troubles["/search"] = []
    monkeypatch.setattr("dataset_builders.fetch.europe_pmc._PAGE", 1001)
    (refused,) = fetch_articles(QUERY, tmp_path, client, address)
    assert (refused.status, refused.reason) == ("failed", "search") and "Invalid page size" in refused.detail
    monkeypatch.undo()
    whole = EuropePmc._search
    monkeypatch.setattr(
        EuropePmc,
        "_search",
        lambda self, query: (
            whole(self, query)
            if query["cursorMark"] == "*"
            else b'{"hitCount": 4, "nextCursorMark": "x", "resultList": {"result": []}}'
        ),
    )
    outcomes = fetch_articles(QUERY, tmp_path, client, address)
    assert by_id(outcomes) == {"PMC1": ("kept", ""), "PMC2": ("kept", ""), "search": ("failed", "bad_body")}
    assert "empty page after 2 of 4" in outcomes[-1].detail


def test_five_failures_in_a_row_end_the_fetch(site, address, client, tmp_path):
    for number in range(1, 12):
        site.publish(f"PMC{number}")
        site.troubles[f"/PMC{number}/fullTextXML"] = [403]
    outcomes = fetch_articles(QUERY, tmp_path, client, address)
    assert [outcome.reason for outcome in outcomes] == ["http_403"] * 5 + ["gave_up"]


# Going on, and checking


def test_a_corrupted_or_missing_file_is_fetched_again_and_nothing_else(site, address, client, tmp_path):
    for number in range(1, 4):
        site.publish(f"PMC{number}", ("fig",))
    fetch_articles(QUERY, tmp_path, client, address)
    before = site.counts()
    corrupted = tmp_path / "articles/PMC2/fig.jpg"
    corrupted.write_bytes(corrupted.read_bytes()[:-1] + b"x")
    (tmp_path / "articles/PMC3/PMC3.xml").unlink()
    outcomes = fetch_articles(QUERY, tmp_path, client, address)
    assert [outcome.status for outcome in outcomes] == ["already_here", "kept", "kept"]
    assert corrupted.read_bytes() == picture()
    again = {path for path, count in site.counts().items() if count > before[path]}
    assert again == {f"/PMC{number}/{what}" for number in (2, 3) for what in ("fullTextXML", "supplementaryFiles")}


FETCH = """
import sys
from pathlib import Path
from dataset_builders.fetch import Client, fetch_articles
fetch_articles(sys.argv[1], Path(sys.argv[2]), Client(interval=0.05), sys.argv[3])
"""


def test_a_killed_fetch_goes_on_without_asking_again(site, address, client, tmp_path, repo):
    site.page = 8
    for number in range(1, 9):
        site.publish(f"PMC{number}", ("fig",))
    command = [sys.executable, "-c", FETCH, QUERY, str(tmp_path), address]
    process = subprocess.Popen(command, cwd=repo, stderr=subprocess.DEVNULL)
    while len(site.counts()) < 9 and process.poll() is None:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    kept = {record["id"] for record in manifest(tmp_path)}
    assert 0 < len(kept) < 8
    with (tmp_path / ".fetch/manifest.jsonl").open("a") as file:
        file.write('{"id": "PMC8", "sta')  # a line that the kill left half written
    outcomes = fetch_articles(QUERY, tmp_path, client, address)
    assert {outcome.id for outcome in outcomes if outcome.status == "already_here"} == kept
    counts = site.counts()
    assert all(counts[f"/{pmcid}/{what}"] == 1 for pmcid in kept for what in ("fullTextXML", "supplementaryFiles"))
    assert sum(counts.values()) <= 8 * 2 + 2  # the one article that was under way
    assert len(files_below(tmp_path)) == 16 and len(manifest(tmp_path)) == 8


def test_a_folder_takes_one_fetch_at_a_time(tmp_path):
    with open_folder(tmp_path), pytest.raises(ValueError, match="another fetch"), open_folder(tmp_path):
        pass


# The client


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


# The catalogue


def entry(address, *names, **fields):
    files = tuple(Download(f"{address}/{name}", fields.pop("checksum", None)) for name in names)
    values = {"id": "spider", "kind": "open_dataset", "title": "S", "licence": "CC-BY-4.0", "url": "https://x", "doi": "10.1/s"}
    return {"spider": Entry(**values | fields, files=files)}


def test_an_entry_lands_unpacked_in_the_folder_of_its_kind_and_is_not_asked_for_twice(site, address, client, tmp_path):
    site.files["/images.zip"] = archive({"images/1_t1.mha": b"one", "images/2_t1.mha": b"two"})
    site.files["/gradings.csv"] = b"a,b\n1,2\n"
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as opened:
        opened.addfile(member := tarfile.TarInfo("masks/1_t1.mha"), io.BytesIO(b""))
    assert member.size == 0
    site.files["/masks.tar.gz"] = packed.getvalue()
    catalogue = entry(address, "images.zip", "masks.tar.gz", "gradings.csv", declare=("licence", "doi"))
    outcomes = fetch_entries(["spider"], tmp_path, client, catalogue)
    assert {outcome.status for outcome in outcomes} == {"kept"}
    folder = "imaging/spider"
    expected = [f"{folder}/{name}" for name in ("gradings.csv", "images/1_t1.mha", "images/2_t1.mha", "masks/1_t1.mha")]
    assert files_below(tmp_path) == [*expected, "sources.yaml"]
    declared = sources.declare(tmp_path / folder / "images/1_t1.mha", tmp_path, sources.load_declarations(tmp_path))
    assert (declared.licence, declared.doi, declared.title, declared.source_kind) == (
        "CC-BY-4.0",
        "10.1/s",
        None,
        "open_dataset",
    )
    assert {outcome.status for outcome in fetch_entries(["spider"], tmp_path, client, catalogue)} == {"already_here"}
    assert set(site.counts().values()) == {1}
    (tmp_path / folder / "images/2_t1.mha").write_bytes(b"TWO")
    fetch_entries(["spider"], tmp_path, client, catalogue)
    assert (tmp_path / folder / "images/2_t1.mha").read_bytes() == b"two"
    assert site.counts() == {"/images.zip": 2, "/masks.tar.gz": 1, "/gradings.csv": 1}
    assert (tmp_path / "sources.yaml").read_text().count("match") == 1


def test_a_users_sources_yaml_is_added_to(site, address, client, tmp_path):
    site.files["/book.pdf"] = b"%PDF"
    (tmp_path / "sources.yaml").write_text("# mine\n- match: textbooks/*\n  title: Mine")
    guideline = entry(address, "book.pdf", kind="guideline", declare=("id", "title"))
    fetch_entries(["spider"], tmp_path, client, guideline)
    assert (tmp_path / "sources.yaml").read_text().startswith("# mine\n")
    assert sources.load_declarations(tmp_path) == [
        {"match": "textbooks/*", "title": "Mine"},
        {"match": "guidelines/spider/*", "id": "spider", "title": "S"},
    ]


def test_a_file_that_is_not_what_the_checksum_says_is_not_kept(site, address, client, tmp_path):
    site.files["/a.csv"] = b"another file"
    (outcome,) = fetch_entries(["spider"], tmp_path, client, entry(address, "a.csv", checksum=f"md5:{'0' * 32}"))
    assert (outcome.status, outcome.reason) == ("failed", "checksum")
    assert files_below(tmp_path) == [] and site.counts() == {"/a.csv": 1}


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


def test_archives_that_lead_outside_are_refused_whole(tmp_path):
    def linked() -> bytes:
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as opened:
            member = tarfile.TarInfo("link")
            member.type, member.linkname = tarfile.SYMTYPE, "inside"
            opened.addfile(member)
        return out.getvalue()

    (tmp_path / "in").mkdir()
    hostile = {"a.zip": archive({"fine": b"x", "../out": b"x"}), "b.zip": archive({"/abs": b"x"}), "c.tar": linked()}
    for name, data in hostile.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(FetchError, match="unsafe_archive"):
            unpack(tmp_path / name, tmp_path / "in", name)
    assert files_below(tmp_path) == sorted(hostile)
    (tmp_path / "d.zip").write_bytes(archive({"fine": b"x" * 100})[:-9])
    with pytest.raises(BadBody, match=r"d\.zip is not whole"):
        unpack(tmp_path / "d.zip", tmp_path / "in", "d.zip")


def test_entries_that_cannot_be_fetched_say_what_to_do(client, tmp_path):
    outcomes = fetch_entries(["rsna", "spark"], tmp_path, client)
    assert [(outcome.status, outcome.failed) for outcome in outcomes] == [("by_hand", True)] * 2
    assert "kaggle competitions download" in outcomes[0].detail
    with pytest.raises(ValueError, match="the catalogue has no nothing; it has medmcqa"):
        fetch_entries(["nothing"], tmp_path, client)


def test_every_entry_of_the_catalogue_can_be_fetched_or_says_what_to_do():
    for entry in load_catalogue().values():
        assert entry.kind in SOURCE_KINDS and check_licence(entry.licence).spdx == entry.licence, entry.id
        assert bool(entry.files) != bool(entry.by_hand), entry.id
        assert set(entry.declare) <= set(sources.Declared.__dataclass_fields__), entry.id
        assert all(download.address.startswith("https://") for download in entry.files), entry.id
        names = [download.address.rsplit("/", 1)[-1] for download in entry.files]
        assert len(set(names)) == len(names), entry.id
        for download in entry.files:
            algorithm, _, digest = (download.checksum or f"md5:{'0' * 32}").partition(":")
            assert len(bytes.fromhex(digest)) == {"md5": 16, "sha256": 32}[algorithm], entry.id


# The command


def test_the_command_sums_up_and_its_status_tells_failures(site, address, tmp_path, monkeypatch, capsys):
    arguments = ("europe-pmc", "--query", QUERY, "--output", str(tmp_path), "--address", f"{address}/", "--interval", "0")
    monkeypatch.setattr(sys, "argv", ["dataset_builders", "fetch", *arguments])
    site.publish("PMC1", ("fig",))
    site.publish("PMC2", licence=CC_BY_NC)
    assert main() == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["kept", "–", "CC-BY-4.0", "1", "2"] in rows and ["left_out", "licence", "CC-BY-NC", "1", "0"] in rows
    site.publish("PMC3")
    site.troubles["/PMC3/fullTextXML"] = [403]
    assert main() == 1
    assert "PMC3: http_403" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "missing"),
    [
        ((), "--output DIR"),
        (("spider",), "--output DIR"),
        (("europe-pmc", "--output", "x"), "--query go together"),
        (("spider", "--query", "q", "--output", "x"), "--query go together"),
    ],
)
def test_the_command_says_what_is_missing(arguments, missing, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["dataset_builders", "fetch", *arguments])
    assert main() == 1
    assert missing in capsys.readouterr().err and list(tmp_path.iterdir()) == []
