"""A sources folder full of input that cannot be read, each with the reject it must end as."""

import gzip
import io
import json
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import typst

READABLE = "question_banks/bank with spaces – 题库 ü.jsonl"
QUESTION = {
    "id": "readable-1",
    "question": "Which disc lies between the fourth and the fifth lumbar vertebra?",
    "options": ["L4/L5", "L3/L4", "L5/S1", "L2/L3"],
    "answer": "A",
}


@dataclass(frozen=True)
class BadInput:
    """``reason`` is the slug the reject must carry, ``where`` the row inside the file ("" for the whole file)."""

    file: str
    reason: str
    where: str = ""


BAD_INPUTS = (
    BadInput("articles/empty.pdf", "empty_file"),
    BadInput("articles/truncated.pdf", "broken_pdf"),
    BadInput("case_reports/not_jats.xml", "not_jats"),
    BadInput("case_reports/outside.xml", "link_outside"),
    BadInput("imaging/no_affine.nii.gz", "no_affine"),
    BadInput("question_banks/no_answer.jsonl", "no_answer", "line 2"),
)


def make_bad_sources(folder: Path) -> tuple[BadInput, ...]:
    """Write them below ``folder``, beside one good bank under a name with spaces and other scripts (READABLE).

    The link leads to a file that is written next to ``folder``, outside it.
    """
    for name in ("articles", "case_reports", "imaging", "question_banks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "articles/empty.pdf").touch()
    pdf = typst.compile(b"#set document(date: none)\n" + b"The L4/L5 disc is narrow. " * 200, format="pdf")
    (folder / "articles/truncated.pdf").write_bytes(pdf[: len(pdf) // 2])
    (folder / "case_reports/not_jats.xml").write_text(
        '<?xml version="1.0"?><playlist><track title="Spine"/></playlist>', encoding="utf-8"
    )
    outside = folder.parent / "outside.xml"
    outside.write_text("<article><body><p>Not part of the sources: L4/L5.</p></body></article>", encoding="utf-8")
    (folder / "case_reports/outside.xml").symlink_to(outside)
    (folder / "imaging/no_affine.nii.gz").write_bytes(_volume_without_affine())
    unanswered = {**QUESTION, "id": "unanswered-1", "question": "Which root leaves between C7 and T1?", "answer": None}
    _write_lines(folder / "question_banks/no_answer.jsonl", {**QUESTION, "id": "answered-1"}, unanswered)
    _write_lines(folder / READABLE, QUESTION)
    return BAD_INPUTS


def _volume_without_affine() -> bytes:
    """A NIfTI whose header says neither qform nor sform, so that nothing tells left from right."""
    image = nib.Nifti1Image(np.zeros((8, 8, 8), np.int16), None)
    image.header.set_qform(None, code=0)
    image.header.set_sform(None, code=0)
    buffer = io.BytesIO(image.to_bytes())
    return gzip.compress(buffer.getvalue(), mtime=0)


def _write_lines(path: Path, *rows: dict) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
