"""A sources folder full of input that cannot be read, each with the reject it must end as."""

import gzip
import json
import zlib
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import nibabel as nib
import numpy as np
import typst

from tests.support.mri_images import AXIAL, SAGITTAL, write_image

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
    BadInput("articles/circular_pages.pdf", "broken_pdf"),
    BadInput("articles/drawing_bomb.pdf", "content_too_large"),
    BadInput("articles/empty.pdf", "empty_file"),
    BadInput("articles/encrypted.pdf", "encrypted_pdf"),
    BadInput("articles/no_pages.pdf", "no_pages"),
    BadInput("articles/page_bomb.pdf", "page_too_large"),
    BadInput("articles/image_bomb.pdf", "image_too_large"),
    BadInput("articles/truncated.pdf", "broken_pdf"),
    BadInput("case_reports/entity_bomb.xml", "xml_entities"),
    BadInput("case_reports/external_entity.xml", "xml_entities"),
    BadInput("case_reports/not_jats.xml", "not_jats"),
    BadInput("case_reports/outside.xml", "link_outside"),
    BadInput("imaging/four_d.nii.gz", "not_3d"),
    BadInput("imaging/mixed/0.dcm", "mixed_orientations"),
    BadInput("imaging/nan_affine.nii.gz", "bad_affine"),
    BadInput("imaging/no_affine.nii.gz", "no_affine"),
    BadInput("imaging/no_pixels/0.dcm", "no_pixels"),
    BadInput("question_banks/broken_line.jsonl", "broken_line", "line 2"),
    BadInput("question_banks/no_answer.jsonl", "no_answer", "line 2"),
    BadInput("textbooks/book/modules/m1/index.cnxml", "xml_entities"),
)
_ENTITY_BOMB = "".join(f'<!ENTITY {name} "{f"&{inner};" * 10}">' for inner, name in pairwise("abcdefghij"))


def make_bad_sources(folder: Path) -> tuple[BadInput, ...]:
    """Write them below ``folder``, beside one good bank under a name with spaces and other scripts (READABLE).

    The link leads to a file that is written next to ``folder``, outside it.
    """
    for name in ("articles", "case_reports", "imaging", "question_banks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "articles/empty.pdf").touch()
    pdf = typst.compile(b"#set document(date: none)\n" + b"The L4/L5 disc is narrow. " * 200, format="pdf")
    (folder / "articles/truncated.pdf").write_bytes(pdf[: len(pdf) // 2])
    _write_hostile_pdfs(folder / "articles")
    (folder / "case_reports/not_jats.xml").write_text(
        '<?xml version="1.0"?><playlist><track title="Spine"/></playlist>', encoding="utf-8"
    )
    _write_entities(folder)
    outside = folder.parent / "outside.xml"
    outside.write_text("<article><body><p>Not part of the sources: L4/L5.</p></body></article>", encoding="utf-8")
    (folder / "case_reports/outside.xml").symlink_to(outside)
    (folder / "imaging/no_affine.nii.gz").write_bytes(_volume(np.zeros((8, 8, 8)), code=0))
    (folder / "imaging/nan_affine.nii.gz").write_bytes(_volume(np.zeros((8, 8, 8)), code=1, first=np.nan))
    (folder / "imaging/four_d.nii.gz").write_bytes(_volume(np.zeros((8, 8, 8, 2)), code=1))
    for number, orientation in enumerate((SAGITTAL, SAGITTAL, AXIAL, AXIAL)):
        write_image(folder / f"imaging/mixed/{number}.dcm", "1.5.1", "1.5.1.1", number, orientation)
    write_image(folder / "imaging/no_pixels/0.dcm", "1.5.2", "1.5.2.1", 1, PixelData=None)
    unanswered = {**QUESTION, "id": "unanswered-1", "question": "Which root leaves between C7 and T1?", "answer": None}
    _write_lines(folder / "question_banks/no_answer.jsonl", {**QUESTION, "id": "answered-1"}, unanswered)
    broken = json.dumps({**QUESTION, "id": "broken-1"})[:-9]
    (folder / "question_banks/broken_line.jsonl").write_text(f"{json.dumps(QUESTION)}\n{broken}\n", encoding="utf-8")
    _write_lines(folder / READABLE, QUESTION)
    return BAD_INPUTS


def _volume(voxels: np.ndarray, code: int, first: float = 1.0) -> bytes:
    """A NIfTI whose header has ``code`` for qform and sform (0: nothing tells left from right) and ``first`` in its affine."""
    image = nib.Nifti1Image(voxels.astype(np.int16), None)
    image.header["sform_code"], image.header["qform_code"] = code, code
    image.header["srow_x"], image.header["srow_y"], image.header["srow_z"] = (first, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0)
    data = image.header.binaryblock + bytes(4) + voxels.astype(np.int16).tobytes()
    return gzip.compress(data, mtime=0)


def _write_hostile_pdfs(folder: Path) -> None:
    catalogue, one_page = b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>"
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 %d 100]/Contents 5 0 R/Resources<</XObject<</Im 4 0 R>>>>>>"
    lock = b"<</Filter/Standard/V 1/R 2/P -4/O<" + b"11" * 32 + b">/U<" + b"22" * 32 + b">>>"
    image = b"<</Subtype/Image/Width 90000/Height 90000/ColorSpace/DeviceGray/BitsPerComponent 8/Length 1>>stream\n0\nendstream"
    draw = b"<</Length 29>>stream\nq 100 0 0 100 0 0 cm /Im Do Q\nendstream"
    drawing = zlib.compress(b"0 0 m 1 1 l S\n" * 2_500_000, 9)
    packed = b"<</Filter/FlateDecode/Length %d>>stream\n%s\nendstream" % (len(drawing), drawing)
    files = {
        "circular_pages": ([catalogue, b"<</Type/Pages/Kids[2 0 R 2 0 R]/Count 5>>"], b""),
        "drawing_bomb": ([catalogue, one_page, page % 100, image, packed], b""),
        "encrypted": ([catalogue, one_page, page % 100, lock], b"/Encrypt 4 0 R/ID[<00><00>]"),
        "no_pages": ([catalogue, b"<</Type/Pages/Kids[]/Count 0>>"], b""),
        "page_bomb": ([catalogue, one_page, page % 20_000], b""),
        "image_bomb": ([catalogue, one_page, page % 100, image, draw], b""),
    }
    for name, (objects, trailer) in files.items():
        (folder / f"{name}.pdf").write_bytes(_assemble(objects, trailer))


def _assemble(objects: list[bytes], trailer: bytes) -> bytes:
    body, offsets = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(body))
        body += b"%d 0 obj%sendobj\n" % (number, content)
    table = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + b"".join(b"%010d 00000 n \n" % o for o in offsets)
    end = b"trailer<</Root 1 0 R/Size %d%s>>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, trailer, len(body))
    return body + table + end


def _write_entities(folder: Path) -> None:
    """Ten levels of entities that would expand to 10^9 of the first, and an entity that names a file outside."""
    article = "<article><front/><body><p>Level &{};</p></body></article>"
    bomb = f'<!DOCTYPE article [<!ENTITY a "L4/L5">{_ENTITY_BOMB}]>'
    external = '<!DOCTYPE article [<!ENTITY a SYSTEM "file:///etc/hostname">]>'
    (folder / "case_reports/entity_bomb.xml").write_text(bomb + article.format("j"), encoding="utf-8")
    (folder / "case_reports/external_entity.xml").write_text(external + article.format("a"), encoding="utf-8")
    module = folder / "textbooks/book/modules/m1/index.cnxml"
    module.parent.mkdir(parents=True)
    text = '<document xmlns="http://cnx.rice.edu/cnxml"><content><para>&j;</para></content></document>'
    module.write_text(bomb.replace("article", "document") + text, encoding="utf-8")


def _write_lines(path: Path, *rows: dict) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
