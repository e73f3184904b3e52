import pytest

from dataset_builders.document import Document, Reject
from dataset_builders.sources import declare, list_files, read_declared
from tests.support.bad_sources import READABLE, make_bad_sources


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bad") / "sources"
    expected = make_bad_sources(folder)
    results = []
    for path in list_files(folder):
        results += [path] if isinstance(path, Reject) else read_declared(path, declare(path, folder, []))
    return expected, results


def test_each_bad_input_is_one_reject_with_its_reason(results):
    expected, found = results
    rejects = {(reject.file, reject.reason, reject.where) for reject in found if isinstance(reject, Reject)}
    assert rejects == {(bad.file, bad.reason, bad.where) for bad in expected}


def test_every_reject_says_what_is_wrong(results):
    assert all(reject.detail for reject in results[1] if isinstance(reject, Reject))


def test_good_rows_beside_bad_ones_are_read(results):
    locators = {document.provenance.source_locator for document in results[1] if isinstance(document, Document)}
    banks = {f"question_banks/{name}.jsonl line 1" for name in ("broken_line", "no_answer")}
    assert locators == {f"{READABLE} line 1", *banks}


def test_the_limits_of_bombs_are_named(results):
    details = {reject.file: reject.detail for reject in results[1] if isinstance(reject, Reject)}
    assert "the limit is 14400" in details["articles/page_bomb.pdf"]
    assert "the limit is 100000000" in details["articles/picture_bomb.pdf"]
