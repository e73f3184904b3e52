import ast
import json

import pytest
import yaml
from PIL import Image, ImageDraw, ImageFont

from dataset_builders import sources
from dataset_builders.document import Document, Provenance, Reject
from dataset_builders.pages.ocr import load_settings
from dataset_builders.sources import declare, list_files, load_declarations, read, read_declared
from dataset_builders.sources.base import Declared
from dataset_builders.sources.catalogue import load_catalogue
from dataset_builders.sources.hospital import EXPLANATIONS
from tests.support.bad_sources import READABLE, make_bad_sources
from tests.support.paddle_stub import use_stub, write_text_models
from tests.support.pdf_files import scanned_pdf


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
    assert "the limit is 100000000" in details["articles/image_bomb.pdf"]


def test_an_unknown_kind_in_sources_yaml_is_an_error_that_names_entry_and_table(tmp_path):
    (tmp_path / "sources.yaml").write_text(
        "- {match: 'a/*', source_kind: article}\n- {match: 'b/*', source_kind: invented_kind}\n"
    )
    with pytest.raises(ValueError, match=r"sources.yaml entry 2: source kind 'invented_kind' has no entry in KINDS"):
        load_declarations(tmp_path)


def test_a_reader_that_gives_an_unknown_kind_is_a_reject_that_names_it(tmp_path, monkeypatch):
    class Registry:
        accepts = staticmethod(lambda path, head: True)
        read = staticmethod(
            lambda path, declared: iter([Document(Provenance("invented_kind", "x", "CC0-1.0", "", "0" * 64), "en", "Text.")])
        )

    monkeypatch.setattr(sources, "READERS", (Registry,))
    path = tmp_path / "a.txt"
    path.write_text("x")
    (reject,) = read_declared(path, Declared(tmp_path))
    assert (reject.file, reject.reason) == ("a.txt", "unknown_source_kind") and "'invented_kind'" in reject.detail


def test_whatever_lies_among_hospital_files_and_states_no_licence_has_the_hospital_licence(tmp_path):
    path = tmp_path / "hospital" / "scan.png"
    path.parent.mkdir()
    Image.new("L", (64, 64), 90).save(path)
    (document,) = read_declared(path, declare(path, tmp_path, []))
    assert (document.provenance.source_kind, document.provenance.source_licence) == ("hospital_case", "LicenseRef-Hospital")


def test_an_entry_of_the_catalogue_with_an_unknown_kind_is_named(monkeypatch):
    monkeypatch.setattr(
        "yaml.safe_load", lambda text: [{"id": "a", "kind": "invented_kind", "title": "", "licence": "", "url": ""}]
    )
    with pytest.raises(ValueError, match="source kind 'invented_kind' has no entry in KINDS"):
        load_catalogue.__wrapped__()


PAGE = "\n".join(f"The stand-in reads line {number} of the page, which has enough words to be one." for number in range(8))


@pytest.mark.parametrize("name", ["scanned.pdf", "mixed.pdf", "page.jpg", "shown.png"])
def test_every_page_image_is_read_by_the_chosen_engine(tmp_path, monkeypatch, name):
    scan = Image.new("RGB", (1240, 1754), (250, 250, 250))
    ImageDraw.Draw(scan).text((100, 1500), "written by hand", fill="black", font=ImageFont.load_default(size=40))
    path = tmp_path / name
    if path.suffix == ".pdf":
        path.write_bytes(scanned_pdf([None, scan] if name == "mixed.pdf" else [scan]))
    else:
        scan.save(path)
    if name == "shown.png":
        (tmp_path / "note.md").write_text("![](shown.png)")
    with use_stub(tmp_path / "stub", monkeypatch):
        ocr = load_settings("paddle", write_text_models(tmp_path / "models", PAGE))
        documents = [result for result in read_declared(path, Declared(root=tmp_path), ocr) if isinstance(result, Document)]
    text = " ".join(document.markdown for document in documents)
    assert "The stand-in reads line 7 of the page" in text
    assert ("A page with a text layer of its own says this." in text) == (name == "mixed.pdf")


NOTES = {"note": "L4/5 stenosis."}


@pytest.mark.parametrize(
    "folder",
    ["hospital", "Hospital/articles", "hospital/imaging", "hospital/general_medical", "医院/textbooks", "articles/patients"],
)
def test_whatever_lies_below_a_hospitals_folder_is_a_hospitals_and_nothing_overrides_it(tmp_path, folder):
    path = tmp_path / folder / "x.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(NOTES) + "\n")
    says = {"licence": "CC-BY-4.0", "source_kind": "article", "title": "Quibble", "doi": "10.1/quibble", "id": "Quibble"}
    entries = [{"match": "*", **says}]
    (document,) = read_declared(path, declare(path, tmp_path, entries))
    source = document.provenance
    assert (source.source_kind, source.source_licence) == ("hospital_case", "LicenseRef-Hospital")
    assert "ibble" not in repr(source) and source.source_title is source.source_doi is source.source_url is None


def test_the_sources_folder_itself_may_be_a_hospitals_or_lie_in_one(tmp_path):
    for root in (tmp_path / "hospital", tmp_path / "City Hospital" / "export"):
        path = root / "articles" / "x.jsonl"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(NOTES) + "\n")
        assert declare(path, root, []).source_kind == "hospital_case"
    assert declare(tmp_path / "articles/x.pdf", tmp_path, []).source_kind == "article"


def test_a_kind_that_no_folder_names_is_a_hospitals_and_never_literature(tmp_path):
    path = tmp_path / "export" / "x.xml"
    path.parent.mkdir()
    path.write_text(
        '<article article-type="case-report"><front><article-meta/></front><body><p>L4/5 is narrow.</p></body></article>'
    )
    for documents in (read_declared(path, declare(path, tmp_path, [])), read_declared(path, Declared(tmp_path)), read(path)):
        (document,) = documents
        assert (document.provenance.source_kind, document.provenance.source_licence) == ("hospital_case", "LicenseRef-Hospital")
    assert declare(path, tmp_path, [{"match": "export/*", "source_kind": "article"}]).source_kind == "article"


def test_a_link_from_literature_into_a_hospitals_folder_is_a_hospitals(tmp_path):
    for name in ("hospital", "articles"):
        (tmp_path / name).mkdir()
    Image.new("L", (64, 64), 90).save(tmp_path / "hospital/scan.png")
    (tmp_path / "articles/scan.png").symlink_to(tmp_path / "hospital/scan.png")
    link = tmp_path / "articles/scan.png"
    assert declare(link, tmp_path, []).source_kind == "hospital_case"
    assert not declare(tmp_path / "articles/x.xml", tmp_path, []).takes(link)
    assert declare(tmp_path / "hospital/x.jsonl", tmp_path, []).takes(tmp_path / "hospital/scan.png")


def test_every_reason_that_a_reader_gives_has_a_sentence_of_its_own(repo):
    """A Reject of a hospital's file says its reason's sentence and nothing else: see hospital.py."""
    calls = {"SourceError": 0, "_BadQuestion": 0, "BadKey": 0, "Reject": 1, "BadRow": 1}
    found = set()
    for room in ("sources", "pages", "deidentify"):
        for path in (repo / "dataset_builders" / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in calls:
                    argument = node.args[calls[node.func.id]] if len(node.args) > calls[node.func.id] else None
                    found |= {argument.value} if isinstance(argument, ast.Constant) else set()
    assert len(found) > 60
    assert found - set(EXPLANATIONS) - {"reader_crashed", "unknown_source_kind"} == set()


@pytest.mark.parametrize("value", [2, "0", True])
def test_a_base_of_answers_that_is_neither_0_nor_1_is_refused(tmp_path, value):
    (tmp_path / "sources.yaml").write_text(yaml.safe_dump([{"match": "*", "answers_from": value}]))
    with pytest.raises(ValueError, match="entry 1: answers_from is 0 or 1"):
        load_declarations(tmp_path)
