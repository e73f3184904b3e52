"""Whatever a file is called, or calls an image: nothing but the sources is read, nothing but work and output is written."""

import hashlib
import json
from pathlib import Path

import pytest
from PIL import Image

from dataset_builders.engine.shards import read_records, read_rejects
from dataset_builders.pipeline import build

pytestmark = pytest.mark.slow

ADDRESSES = ("../../secret.png", "..\\..\\secret.png", "/usr/../etc/passwd", "a/../../../secret.png", "a/../b", "x" * 4000, "")
ARTICLE = """<article xmlns:xlink="http://www.w3.org/1999/xlink"><front><article-meta><title-group><article-title>Levels
</article-title></title-group></article-meta></front><body><p>A wedge fracture of L1 is shown.</p>{}</body></article>"""
FIGURE = '<fig><label>Figure {}</label><caption><p>Sagittal CT.</p></caption><graphic xlink:href="{}"/></fig>'


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    sources = folder / "sources"
    for name in ("hospital", "case_reports", "textbooks", "question_banks"):
        (sources / name).mkdir(parents=True)
    Image.new("L", (64, 64), 77).save(folder / "secret.png")
    rows = [{"note": "L1 is wedge-shaped.", "patient": 1, "images": list(ADDRESSES)}]
    write_lines(sources / "hospital/ward.jsonl", rows)
    figures = "".join(FIGURE.format(number, address) for number, address in enumerate(ADDRESSES, 1))
    (sources / "case_reports/case.xml").write_text(ARTICLE.format(figures), encoding="utf-8")
    book = "# Levels\n\nL4/L5 is narrow.\n\n" + "\n\n".join(f"![]({address})" for address in ADDRESSES if address)
    (sources / "textbooks/book.md").write_text(book, encoding="utf-8")
    question = {"question": "Which disc lies above S1?", "options": ["L5/S1", "L4/L5"], "answer": "A"}
    for name in ("x\\..\\..\\y.jsonl", "y..jsonl", "-rf.jsonl", "$(touch hit).jsonl", "a\nb.jsonl", "%2e%2e%2fy.jsonl"):
        write_lines(sources / "question_banks" / name, [{**question, "id": f"../../{name}"}])
    (sources / "case_reports/x\\..\\..\\y.pdf").write_bytes(b"%PDF-1.4 nothing")
    before = snapshot(folder)
    result = build(sources, folder / "work", folder / "output")
    return folder, before, result


def write_lines(path: Path, rows: list[dict]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def snapshot(folder: Path) -> dict[str, str]:
    """Hash of every file that does not belong to the build."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).parts[0] not in ("work", "output")
    }


def test_nothing_is_written_outside_the_work_and_output_folders(built):
    folder, before, result = built
    assert snapshot(folder) == before
    assert {path.name for path in folder.iterdir()} == {"sources", "secret.png", "work", "output"}
    assert not (Path.cwd() / "hit").exists()
    assert result.steps[0].records_out == 9  # six banks, a note, an article, a book


def test_no_image_outside_the_sources_is_taken(built):
    folder, _, _ = built
    secret = (folder / "secret.png").read_bytes()
    kept = [path for path in (folder / "work/images").rglob("*") if path.is_file()] if (folder / "work/images").exists() else []
    assert all(path.read_bytes() != secret for path in kept)
    records = [record for record in read_records(folder / "work/1_documents") if record["figures"]]
    assert {Path(record["file"]).suffix for record in records} == {".jsonl", ".xml", ".md"}
    assert all(figure["image_sha256"] is None for record in records for figure in record["figures"])


def test_every_address_that_leads_nowhere_is_said(built):
    folder, _, _ = built
    reasons = [reject.reason for reject in read_rejects(folder / "work/1_documents") if reject.file == "textbooks/book.md"]
    assert sorted(reasons) == ["image_missing"] * 2 + ["image_outside"] * 4
