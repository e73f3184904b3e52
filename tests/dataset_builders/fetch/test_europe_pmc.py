import subprocess
import time

from dataset_builders import sources
from dataset_builders.fetch import Client, fetch_articles
from tests.support.europe_pmc_server import CC_BY_NC, EuropePmc, article, image
from tests.support.fetched import QUERY, by_id, files_below, manifest
from tests.support.processes import kill, start


def test_articles_are_read_with_figures_images_licence_and_doi(site, address, client, tmp_path):
    for number in range(1, 6):
        site.publish(f"PMC{number}", ("fig-a", "fig-b"))
    outcomes = fetch_articles(QUERY, tmp_path, client, address)
    assert by_id(outcomes) == {f"PMC{number}": ("kept", "") for number in range(1, 6)}
    documents = [document for path in sources.list_files(tmp_path) if path.suffix == ".xml" for document in sources.read(path)]
    assert [document.provenance.source_id for document in documents] == [f"PMC{number}" for number in range(1, 6)]
    first = documents[0]
    assert first.provenance.source_licence == "CC-BY-4.0" and first.provenance.source_doi == "10.1234/pmc1"
    assert first.provenance.source_url == "https://europepmc.org/article/PMC/PMC1"
    assert [(figure.label, figure.image) for figure in first.figures] == [("Figure 1", image()), ("Figure 2", image())]
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


def test_images_are_named_by_the_xml_never_by_the_archive(site, address, client, tmp_path):
    hrefs = ("../../../escape", "plain.tif", ".hidden", "GR1", "sources.yaml")
    members = {
        "../../escape.jpg": image(1),
        "deep/plain.jpg": image(2),
        ".hidden.jpg": image(3),
        "gr1.PNG": image(4, "PNG"),
        "/etc/passwd": b"root",
        "sources.yaml": b"- match: '*'",
        "unasked.jpg": image(5),
    }
    site.publish("PMC1", hrefs, members)
    (outcome,) = fetch_articles(QUERY, tmp_path / "out", client, address)
    assert (outcome.status, outcome.reason) == ("kept", "images_missing") and "sources.yaml" in outcome.detail
    assert files_below(tmp_path / "out") == [
        f"articles/PMC1/{name}" for name in ("GR1.png", "PMC1.xml", "escape.jpg", "plain.tif.jpg")
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    (document,) = sources.read(tmp_path / "out/articles/PMC1/PMC1.xml")
    assert [figure.image is not None for figure in document.figures] == [True, True, False, True, False]


def test_an_article_whose_images_fail_is_kept_and_only_they_are_asked_for_again(site, address, client, tmp_path):
    site.publish("PMC1", ("fig",))
    site.troubles["/PMC1/supplementaryFiles"] = [500, 500]
    (outcome,) = fetch_articles(QUERY, tmp_path, client, address)
    assert (outcome.status, outcome.reason, outcome.failed) == ("kept", "images_failed", True)
    assert files_below(tmp_path) == ["articles/PMC1/PMC1.xml"]
    (outcome,) = fetch_articles(QUERY, tmp_path, client, address)
    assert (outcome.status, outcome.reason, outcome.failed) == ("kept", "", False)
    assert files_below(tmp_path) == ["articles/PMC1/PMC1.xml", "articles/PMC1/fig.jpg"]
    assert site.counts() == {"/PMC1/fullTextXML": 1, "/PMC1/supplementaryFiles": 3}


def test_an_archive_that_is_no_whole_zip_is_never_kept(site, address, client, tmp_path):
    site.publish("PMC1", ("fig",))
    site.articles[0].images = site.articles[0].images[:-30]  # a stream that ended early, with the length of what came
    (outcome,) = fetch_articles(QUERY, tmp_path, client, address)
    assert outcome.reason == "images_failed" and "not whole" in outcome.detail
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
    assert corrupted.read_bytes() == image()
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
    command = ["-c", FETCH, QUERY, str(tmp_path), address]
    process = start(command, cwd=repo, stderr=subprocess.DEVNULL)
    while len(site.counts()) < 9 and process.poll() is None:
        time.sleep(0.01)
    assert kill(process)
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
