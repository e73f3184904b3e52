"""Some of the small embedded sources: every kind, as few files as give rows of each task."""

import json
import shutil
from pathlib import Path

from dataset_builders.engine.store import ImageStore

EMBEDDED_KINDS = {
    "textbook",
    "guideline",
    "consensus",
    "question_bank",
    "open_dataset",
    "case_report",
    "hospital_case",
    "general_medical",
}
WHOLE = ("README.txt", "sources.yaml", "question_banks", "general_medical", "guidelines", "consensus")
FIGURES = ("case_reports/SPM.2024.0001*", "imaging/sub-phantom1003*", "textbooks/chapter_07*")
CASES = {"cases_en.jsonl": 2, "cases_zh.jsonl": 1}  # the first English one has a masked fact, so that it gives no item
IMAGES = 3  # of the hospital's; nearly all of a build's time is the search for writing in them
NOTES = 20  # of a hospital's file; the real ones have hundreds that are of one kind
PAGES = 10  # of a PDF; a guideline has over a hundred
SCANNED = 0.25  # of a scanned page's height: a whole one takes OCR eight seconds
ELSEWHERE = ("pseudo-phi",)  # a radiograph of 14 seconds that tests/dataset_builders/deidentify/test_dicom_headers.py reads


def take_few(sources: Path, folder: Path) -> None:
    """Copy them from the small sources into ``folder``."""
    for name in WHOLE:
        copy = shutil.copytree if (sources / name).is_dir() else shutil.copyfile
        copy(sources / name, folder / name)
    for pattern in FIGURES:
        for path in sources.glob(pattern):
            (folder / path.parent.name).mkdir(exist_ok=True)
            shutil.copyfile(path, folder / path.parent.name / path.name)
    (folder / "hospital").mkdir()
    left = IMAGES
    for name, count in CASES.items():
        rows = [json.loads(line) for line in (sources / "hospital" / name).read_text(encoding="utf-8").splitlines()[:count]]
        for row in rows:
            row["images"] = row["images"][:left]
            left -= len(row["images"])
            for image in row["images"]:
                shutil.copyfile(sources / "hospital" / image, folder / "hospital" / image)
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / "hospital" / name).write_text(text, encoding="utf-8")


def take_less(sources: Path, folder: Path) -> None:
    """Copy real sources into ``folder``: nearly every file, but only a part of what takes long to read."""
    import pypdfium2  # not above: conftest.py imports this module, also in the process that only starts the others
    from PIL import Image

    shutil.copytree(sources, folder, ignore=shutil.ignore_patterns(*ELSEWHERE))
    for path in folder.glob("hospital/**/*.jsonl"):
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        path.write_text("".join(lines[:NOTES]), encoding="utf-8")
    for path in folder.rglob("*.pdf"):
        with pypdfium2.PdfDocument(path.read_bytes()) as whole, pypdfium2.PdfDocument.new() as part:
            pages = 1 if path.parent.name == "scanned" else PAGES
            part.import_pages(whole, list(range(min(pages, len(whole)))))
            part.save(path)
    for path in folder.glob("scanned/*.jpg"):
        with Image.open(path) as image:
            part = image.crop((0, 0, image.width, int(SCANNED * image.height)))
        part.save(path)


def copy_masks(work: Path, other: Path) -> None:
    """Give another work folder what a build found in its images, so that a second build does not search them again."""
    shutil.copytree(work / "masks", other / "masks")
    kept, given = ImageStore(work / "images"), ImageStore(other / "images")
    for path in (work / "masks").rglob("*.json"):
        if masked := json.loads(path.read_text(encoding="utf-8")).get("masked"):
            given.put(kept.get(masked))
