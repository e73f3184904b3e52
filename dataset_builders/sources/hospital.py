"""Take out of what a reader gives for a hospital's file everything that names a person but the texts themselves.

    reader ─▶ Document, Companion, Reject ─▶ conceal ─▶ the same, whose ids, places and reasons say nothing

Every result of every reader passes here if its file is a hospital's, so that no reader has to think of it:

    provenance   the file's kind, LicenseRef-Hospital, and keyed hashes (pseudonyms.py) for the source id, the case id and the
                 hash of the bytes; no title, DOI or address
    places       a keyed name for the file, then page, line or row; never a folder, a stem or a sheet's title
    rejects      the reason's own sentence (EXPLANATIONS); what a reader says may quote the file, and is dropped

Texts, captions and options are masked afterwards, by the step "clean".
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

from dataset_builders.document import HOSPITAL_LICENCE, Companion, Deidentification, Document, Figure, Provenance, Reject
from dataset_builders.pseudonyms import pseudonym
from dataset_builders.source_kinds import HOSPITAL_CASE
from dataset_builders.sources.base import Declared

# Suffixes that may stand in a name; any other could be a word of the file's own name.
_SUFFIXES = (
    ".pdf", ".txt", ".text", ".md", ".markdown", ".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".xlsx", ".xml", ".nxml",
    ".cnxml", ".jpg", ".jpeg", ".png", ".tif", ".tiff", ".dcm", ".nii", ".gz", ".mha",
)  # fmt: skip
_PLACE = re.compile(
    r"(?:sheet \d+ )?(?:line|row) \d+|pages? \d+(?:–\d+)?|(?:Figure|image|picture|slice|study|entry) \d+(?: of \d+)?"
    r"|labels|table|image|slice|volume|page image|picture"
)
CRASHED = "reader_crashed"
"""Reason of a Reject whose detail is document.describe_error's: a type and a place."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_FIGURE_PLACE = re.compile(
    r"(?:T[12](?: SPACE|/STIR)? )?(?:mid-)?(?:sagittal|axial|coronal) slice(?: \d+ of \d+)?"
    r"|(?:page|image|picture) \d+(?: of \d+)?"
)


def conceal(
    results: Iterable[Document | Companion | Reject], path: Path, declared: Declared, key: bytes
) -> Iterator[Document | Companion | Reject]:
    """Conceal every result that a reader gave for the hospital's file ``path``; see the module's docstring."""
    for result in results:
        if isinstance(result, Document):
            yield _conceal_document(result, declared.relative(path), key)
        elif isinstance(result, Companion):
            of = name_file(result.of, key) if _is_file(declared.root, result.of) else "its folder"
            yield Companion(name_file(result.file, key), of)
        else:
            detail = result.detail if result.reason == CRASHED else explain(result.reason)
            yield Reject(name_file(result.file, key), result.reason, detail, _place(result.where))


def name_file(file: str, key: bytes) -> str:
    """Return the keyed name of a hospital's file: "hospital/3f0c…", with the suffix if it is a format's."""
    suffixes = [suffix.lower() for suffix in PurePosixPath(file).suffixes[-2:]]
    known = "".join(suffix for suffix in suffixes if suffix in _SUFFIXES)
    return f"hospital/{pseudonym(key, 'file', file)}{known}"


def explain(reason: str) -> str:
    """Return the sentence of a reason: what is wrong and what to do, without a word of the file."""
    return EXPLANATIONS.get(reason, "the file cannot be read; look at it at the place named")


def _is_file(root: Path, name: str) -> bool:
    try:
        return (root / name).is_file()
    except (OSError, ValueError):  # too long for a name, a NUL
        return False


def _place(where: str) -> str:
    """The page, line or row that ``where`` begins with; names of files, columns and sheets are left out."""
    match = _PLACE.match(where)
    return match.group() if match and not where[match.end() : match.end() + 1].isalnum() else ""


def _conceal_document(document: Document, file: str, key: bytes) -> Document:
    figures = tuple(_conceal_figure(figure, number) for number, figure in enumerate(document.figures, 1))
    removed = document.deidentification and _conceal_maskings(document.deidentification, key)
    provenance = _conceal_provenance(document.provenance, file, key)
    return replace(document, provenance=provenance, figures=figures, deidentification=removed, file="")


def _conceal_provenance(source: Provenance, file: str, key: bytes) -> Provenance:
    """Readers write their file's path, then the place in it; of other locators only one that is all place says nothing else."""
    place = source.source_locator.removeprefix(file).strip(" ,")
    return Provenance(
        source_kind=HOSPITAL_CASE,
        source_id=f"hospital:{pseudonym(key, 'document', source.source_id)}",
        source_licence=HOSPITAL_LICENCE,
        source_locator=", ".join(filter(None, (name_file(file, key), place if _PLACE.fullmatch(place) else ""))),
        source_sha256=pseudonym(key, "bytes", source.source_sha256, digits=64),
        case_id=source.case_id and f"hospital:{pseudonym(key, 'case', source.case_id)}",
    )


def _conceal_maskings(removed: Deidentification, key: bytes) -> Deidentification:
    """DICOM files stand in maskings by their path, other images by their hash."""
    maskings = tuple(
        masking if _SHA256.fullmatch(masking.image) else replace(masking, image=name_file(masking.image, key))
        for masking in removed.maskings
    )
    return replace(removed, maskings=maskings)


def _conceal_figure(figure: Figure, number: int) -> Figure:
    locator = figure.locator if _FIGURE_PLACE.fullmatch(figure.locator) else f"image {number}"
    return replace(figure, locator=locator)


EXPLANATIONS = {
    "unsupported_language": "masking knows English and Chinese, and the text is in another language",
    "ambiguous_answer": "the answer may mean more than one option; give its letter",
    "answer_base_unknown": "answers are numbers, and nothing shows whether they count from 0 or 1; declare answers_from",
    "answer_names_no_option": "the answer names none of the options; correct it or leave the row out",
    "answer_without_options": "the answer is a lone letter or figure, and no column gives the options",
    "answers_contradict": "two columns give different answers",
    "options_not_understood": "the column of options holds no list, marks or parted texts",
    "bad_affine": "directions or voxel size are missing or out of range (0.05 to 50 mm)",
    "bad_annotation": "the annotation is not of the form that its data set has",
    "bad_centroids": "the table is no list of centroids as VerSe writes it",
    "bad_coordinate": "a labelled point is of no known condition or image",
    "bad_findings": "the list needs name, level, grade, value, unit, with names of taxonomy.FINDINGS",
    "bad_grade": "a grade is none of its data set's",
    "bad_image": "the image cannot be decoded",
    "bad_json": "the file is no JSON",
    "bad_mha": "the volume cannot be decoded",
    "bad_report": "the table is no spine report as TotalSegmentator writes it",
    "bad_table": "the table is no UTF-8 CSV with its data set's columns",
    "broken_encoding": "bytes that are not in the file's encoding; save it as UTF-8",
    "broken_findings": "findings need name, level, grade, value and unit: names of taxonomy.FINDINGS at vertebrae or discs, a "
    "number as value, and in grade and unit nothing that could name a person",
    "broken_image": "the image cannot be decoded: truncated or not an image",
    "broken_json": "no JSON from here on; if every line is an object, name the file .jsonl",
    "broken_line": "the line is no row of the table: quote cells that hold the separator, close quotes and brackets",
    "broken_link": "the link leads nowhere",
    "broken_pdf": "truncated or not a PDF",
    "broken_row": "a value of the row has a type that cannot be read; columns hold texts, numbers or lists",
    "broken_table": "no XLSX workbook; save it again as .xlsx or .csv",
    "broken_xml": "the XML is not well formed",
    "burned_in_text": "writing in the pixels cannot be masked; mask it at the source",
    "centroid_outside_label": "a centroid lies far from its own label; the label's own middle is used",
    "content_too_large": "a packed stream unpacks to more than the limit",
    "duplicate_slice": "the same image at the same place as another file of the series",
    "empty_file": "the file has no bytes",
    "empty_note": "there is no note in it",
    "empty_option": "an option has no text",
    "encrypted_pdf": "the file needs a password; save it without one",
    "face_in_volume": "the volume may show a face; deface it, then declare defaced: true in sources.yaml",
    "grid_mismatch": "the label map is not on the image's grid",
    "image_licence": "the image is not under the article's licence; the caption is kept",
    "image_missing": "an image that is named is not beside the file",
    "image_not_shown": "no file beside this folder shows the image",
    "image_outside": "the path of an image leads out of the file's own folder",
    "image_remote": "an image is an address, which is not fetched; put it beside the file",
    "image_too_large": "the image has more pixels than the limit",
    "link_outside": "the link leads outside the sources folder",
    "mark_outside": "a labelled point lies outside its image",
    "may_show_identity": "the header cannot be cleaned, or the image is a photograph",
    "mixed_orientations": "slices of one series look in different directions; export them as several series",
    "mixed_sizes": "slices of one series differ in rows or columns; export them as several series",
    "multi_frame": "a file with several frames among slices; put it into a folder of its own",
    "no_affine": "sform and qform codes are both 0: left and right are unknown; store the orientation",
    "no_annotation": "the annotation is not in a folder above; keep the data set's layout",
    "no_answer": "the row has no answer; add it or leave the row out",
    "no_columns": "the row is no object with named columns",
    "no_full_text": "the file holds no paragraphs",
    "no_geometry": "slices without ImageOrientationPatient, ImagePositionPatient or PixelSpacing",
    "no_gradings": "the gradings are not in a folder above; keep SPIDER's layout",
    "no_image": "no image that these labels or tables belong to; put it beside them",
    "no_pages": "the PDF has no pages",
    "no_pixels": "a file without pixel data; leave it out or export it again",
    "no_question": "the row has no question",
    "date_cell": "Excel holds a date where the table had a text such as 3-8",
    "invisible_text": "the text layer holds text that the pages do not show, which was left out; look at the pages",
    "labels_of_unknown_meaning": "nothing says which structure each label is; declare labels for it",
    "localizer": "it looks in another direction than the slices of its series",
    "merged_cells": "cells are merged in a large workbook; unmerge them or save as CSV",
    "no_questions_in_sheet": "the sheet has no columns for questions and answers",
    "no_reader": "no reader takes this format",
    "no_rows": "the table has no rows",
    "no_text": "there is no text in it",
    "not_3d": "not one 3D volume; store one a file",
    "not_a_note": "a text file that is not read as a clinical note",
    "not_cnxml": "the XML is no OpenStax module",
    "not_declared_open": "the labels of an open data set; declare source_kind: open_dataset, outside hospital folders",
    "not_dicom": "the file cannot be parsed as DICOM",
    "not_jats": "the XML is no JATS article",
    "not_labels": "the label map holds other values than whole numbers from 0 to 65535",
    "not_nifti": "the file cannot be parsed as NIfTI",
    "not_scalar": "not one grey value a pixel or voxel",
    "one_option": "a single option is no choice",
    "page_too_large": "a page is larger than the limit",
    "slices_missing": "the numbers of its images leave slices out; export the whole series",
    "stretched_image": "an image without pixel spacing that is far higher than wide",
    "too_large": "larger than the limit; split or crop it",
    "too_many_pages": "more pages than the limit; split the file",
    "truncated": "the voxels cannot be read to the end",
    "undecodable": "the pixels cannot be decoded; export grey, RGB or YBR as whole numbers",
    "uneven_slices": "slices are doubled or missing",
    "unknown_columns": "the columns are not of this data set",
    "unknown_encoding": "the text is neither UTF-8, UTF-16 with a byte order mark, GB18030, Big5, nor Windows-1252",
    "xml_entities": "the file declares entities, which are never expanded; save it without them",
}  # fmt: skip
"""What a Reject of a hospital's file says, by its reason."""
