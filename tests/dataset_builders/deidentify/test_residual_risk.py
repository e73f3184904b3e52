import hashlib
import json
import shutil
from collections import Counter

import pyarrow.parquet as pq
import pytest

from dataset_builders.deidentify.residual_risk import IMAGES, LEAKED, OF_NOTES, summarise
from dataset_builders.document import Deidentification, Document, Masking, Provenance
from dataset_builders.pipeline import build
from dataset_builders.pseudonyms import KEY_FILE
from dataset_builders.publish import copy_publishable
from tests.support.written_images import make_slice, png, write

NOTE = "Name: Orla Quill, born 1961-04-02. MRI shows a disc bulge with severe stenosis at L{0}/{1}, seen from the {2} side."


def document(number, **counted):
    counted = {"identifiers": {"NAME": 2}, "words": 100, "known": 98, **counted}
    source = Provenance("hospital_case", f"hospital:{number}", "LicenseRef-Hospital", "", "0" * 64)
    return Document(source, "en", deidentification=Deidentification(**counted)), "3_clean/00000.jsonl"


def test_documents_that_stand_out_are_named_with_the_reason():
    usual = [document(number) for number in range(60)]
    odd = [
        document("masks", identifiers={"NAME": 40}),
        document("category", identifiers={"NAME": 1, "SSN": 1}),
        document("words", known=40),
        document("clinical", clinical=5),
        document("language", other_language="es"),
        document("image", maskings=(Masking("0" * 64, ((1, 2, 3, 4),)),)),
    ]
    report = summarise([*usual, *odd], Counter(face_in_volume=2))
    assert {outlier.id: outlier.reasons[0].split(":")[0] for outlier in report.outliers} == {
        "hospital:masks": "many masks",
        "hospital:category": "unusual categories",
        "hospital:words": "few known words",
        "hospital:clinical": "5 masked words look like medicine",
        "hospital:language": "the text is in another language (es)",
        "hospital:image": "writing masked in 1 images",
    }
    assert report.identifiers == {"NAME": 64 * 2 + 41, "SSN": 1} and report.masked == report.boxes == 1
    assert report.refused == {"face_in_volume": 2} and report.documents == 66 and len(report.sample) == 20


def test_the_sample_does_not_depend_on_the_order():
    documents = [document(number) for number in range(60)]
    assert summarise(documents, Counter()).sample == summarise(documents[::-1], Counter()).sample


def test_expected_leaks_follow_the_left_out_notes_of_the_benchmark(repo):
    result = json.loads((repo / "benchmarks" / "results" / "deidentification.json").read_text(encoding="utf-8"))
    leaked = result["figures"]["strict"]["left_out"]["leaked_per_100"]
    assert (leaked["count"], leaked["of"]) == (LEAKED, OF_NOTES)
    documents = [document(number) for number in range(OF_NOTES)] + [document("none", identifiers={})]
    expected, low, high = summarise(documents, Counter()).expected_leaks
    assert expected == LEAKED and 0 < low < LEAKED < high < OF_NOTES
    assert summarise([document("none", identifiers={})], Counter()).expected_leaks == (0, 0, 0)


def make_sources(folder):
    """Twelve notes of one hospital; the image of the first shows a name."""
    hospital = folder / "hospital"
    hospital.mkdir(parents=True)
    (hospital / "p0.png").write_bytes(png(write(make_slice().copy(), "QUILL ORLA 1961", (4, 4), 16, 255)))
    rows = []
    for number in range(12):
        note = NOTE.format(1 + number % 4, 2 + number % 4, ("left", "right", "front")[number % 3])
        note += " Tramadol relieved him." if number in (3, 8) else ""
        rows.append({"case_id": str(number), "note": note, "images": ["p0.png"] if number == 0 else []})
    (hospital / "cases.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder


def stored_images(folder):
    rows = [row for path in sorted(folder.rglob("*.parquet")) for row in pq.read_table(path).to_pylist()]
    return {hashlib.sha256(image["bytes"]).hexdigest() for row in rows for image in row["images"]}


@pytest.mark.slow
def test_a_build_reports_what_it_masked_and_keeps_images_with_identity_in_work(tmp_path):
    sources = make_sources(tmp_path / "sources")
    build(sources, tmp_path / "work", tmp_path / "out", workers=2)
    page = (tmp_path / "work" / "residual_risk.html").read_text(encoding="utf-8")
    report = json.loads((tmp_path / "work" / "residual_risk.json").read_text(encoding="utf-8"))
    assert report["documents"] == 12 and report["masked"] == 1 and report["identifiers"]["NAME"] == 12
    assert [word for word in ("Orla", "Quill", "1961") if word in page or word in json.dumps(report)] == []
    folder = tmp_path / "work" / IMAGES
    assert sorted(path.name for path in folder.iterdir()) == ["01_after.png", "01_before.png"]

    before = (sources / "hospital" / "p0.png").read_bytes()
    named = {hashlib.sha256(before).hexdigest(), *(hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir())}
    copy_publishable(tmp_path / "out" / "spinemed-450k", tmp_path / "published")
    for output in (tmp_path / "out", tmp_path / "published"):
        assert not [path for path in output.rglob("*") if path.suffix == ".png" or IMAGES in path.name]
        assert named.isdisjoint(stored_images(output))
    assert stored_images(tmp_path / "published") == set()

    (tmp_path / "again").mkdir()
    shutil.copyfile(tmp_path / "work" / KEY_FILE, tmp_path / "again" / KEY_FILE)
    build(sources, tmp_path / "again", tmp_path / "out2", workers=1)
    for name in ("residual_risk.html", "residual_risk.json", f"{IMAGES}/01_before.png", f"{IMAGES}/01_after.png"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "work" / name).read_bytes()
