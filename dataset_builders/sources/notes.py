"""Clinical notes and cases: text files, a folder a case, and tables with a note in every row.

    hospital/ reports.jsonl           rows with a note, and images and findings beside it where a case has them
              lumbar_mri.xlsx         the same columns
              4711/note.txt           the folder is the case
              4711/*.dcm              what their headers say of people is masked in the note

What stands in other columns, and in headers of DICOM files beside a text file, goes with the Document to be masked in its texts
(Document.known). A hospital's own numbers never leave the file: ``case_id`` is a hash that cannot be computed without the file.
Files that explain a folder (README, LICENSE …) are told from notes by their names.
"""

import functools
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import suppress
from pathlib import Path
from typing import Any

from dataset_builders.document import Companion, Document, Figure, Finding, Provenance, Reject, SourceError, describe_error
from dataset_builders.figures.markdown import replace_addresses
from dataset_builders.language import detect_language
from dataset_builders.levels.anatomy import VERTEBRAE
from dataset_builders.licences import check_licence
from dataset_builders.source_kinds import find_kind
from dataset_builders.sources.base import Declared, sha256_of_file
from dataset_builders.sources.encodings import detect_encoding
from dataset_builders.sources.imaging.dicom import names_in_headers
from dataset_builders.sources.markup import IMAGE_SUFFIXES, image_beside
from dataset_builders.sources.rows import BadRow, Row, columns_beside, first_columns, fold_heading, read_rows
from dataset_builders.taxonomy import FINDINGS

_TEXT_SUFFIXES = (".txt", ".md", ".text")
_NOTE_COLUMNS = (
    "note",
    "text",
    "report",
    "clinical_note",
    "radiology_report",
    "notes",
    "报告",
    "病历",
    "报告内容",
    "報告",
    "病歷",
)
_CASE_COLUMNS = (
    "case_id",
    "patient_id",
    "patient",
    "encounter_id",
    "study_id",
    "accession_number",
    "id",
    "病例号",
    "住院号",
    "病歷號",
)
_PARTS = {
    ("History", "病史"): (
        "history", "clinical_history", "clinical_information", "complaint", "indication", "主诉", "现病史", "病史", "临床病史",
    ),
    ("Examination", "查体"): ("examination", "physical_examination", "查体", "体格检查"),
    ("Findings", "检查所见"): (
        "findings", "imaging_findings", "检查所见", "影像所见", "影像学所见", "所见", "影像表现", "检查描述",
    ),
    ("Impression", "诊断意见"): (
        "impression", "conclusion", "conclusions", "opinion", "诊断意见", "印象", "诊断印象", "检查结论", "结论", "诊断提示",
        "影像诊断", "影像学诊断",
    ),
    ("Diagnosis", "诊断"): ("diagnosis", "discharge_diagnosis", "诊断", "临床诊断", "出院诊断"),
    ("Treatment", "治疗"): ("treatment", "plan", "management", "治疗", "治疗经过", "处理"),
    ("Dialogue", "对话"): ("dialogue", "对话"),
}  # fmt: skip
"""Headings of a note's parts, English and Chinese, and what their columns may be called."""
_SIMPLIFIED = str.maketrans("檢見診斷報歷號現體療過程結論影學內對話臨處徵", "检见诊断报历号现体疗过程结论影学内对话临处征")
_BEFORE_NOTE = ("History", "Examination")
_IMAGING_PARTS = ("Findings", "Impression")
_TEXT_COLUMNS = frozenset(
    (*_NOTE_COLUMNS, *(name for names in _PARTS.values() for name in names), "images", "language", "sex", "age", "section")
)
_NOTE_FILE = re.compile(r"(?:note|report|admission|discharge|summary|case|record)s?", re.IGNORECASE)
_DOCUMENTATION = re.compile(
    r"(?:^|[_.-])(?:readme|licen[sc]e|copying|citation|attributions?|authors|changelog|changes|notice|schemas?|contributing"
    r"|guidelines|data[_-]?dictionary|provenance)(?:[_.-]|$)",
    re.IGNORECASE,
)
# Grades and units as they are written in findings, which are published unmasked; an unknown word could be a name.
_GRADE = re.compile(
    r"""(?:(?:
        genant|meyerding|pfirrmann|modic|schizas|schneiderman|lee|weishaupt|bartynski|frankel|asia|kellgren|lawrence
      | grade|type|stage|degree|normal|none|minimal|slight|mild|moderate|marked|severe|partial|complete|acute|chronic
      | left|right|central|bilateral|upper|lower|and|end|plate|bulge|protrusion|extrusion|sequestration
      | [轻中重极正常左右双侧中央度级型期]+
      | \d+(?:\.\d+)? | [ivx]+ | [a-e]\d?
      | % | ‰ | mm[23²³]? | cm[23²³]? | ml | ° | degrees?
    )(?:[\s/,–-]+|$))+""",
    re.IGNORECASE | re.VERBOSE,
)
_DISC = re.compile(r"[A-Z]\d*o?/[A-Z]\d*o?")


def accepts(path: Path, head: bytes) -> bool:
    """Accept a text file, a folder's documentation, a table of notes or imaging reports, or an image that it names."""
    suffix = path.suffix.lower()
    if is_documentation(path) or (suffix in _TEXT_SUFFIXES and b"\0" not in head.replace(b"\xff\xfe", b"", 1)[:64]):
        return True
    if suffix in IMAGE_SUFFIXES:
        return path.name in _images_of(path.parent)
    return _hold_notes({_fold_heading(name) for name in first_columns(path, head)})


def _fold_heading(name: str) -> str:
    """A heading folded, traditional characters as simplified ones."""
    return fold_heading(name).translate(_SIMPLIFIED)


def _hold_notes(columns: Set[str]) -> bool:
    """Whether a table's columns are a note, or both parts of an imaging report, or one of them in Chinese."""
    parts = {heading: columns & set(names) for (heading, _), names in _PARTS.items() if heading in _IMAGING_PARTS}
    chinese = any(not name.isascii() for names in parts.values() for name in names)
    return bool(columns & set(_NOTE_COLUMNS)) or all(parts.values()) or chinese


def read(path: Path, declared: Declared) -> Iterator[Document | Companion | Reject]:
    """Yield one Document per note; a Companion for documentation and a case's images; a Reject for a row without a note.

    Raises SourceError: "not_a_note" (a text file among books or images), "empty_note", "unknown_encoding".
    """
    name = declared.relative(path)
    if is_documentation(path):
        yield Companion(name, "folder")
    elif path.suffix.lower() in IMAGE_SUFFIXES:
        yield Companion(name, declared.relative(_images_of(path.parent)[path.name]))
    elif path.suffix.lower() in _TEXT_SUFFIXES:
        yield _read_text(path, declared)
    else:
        yield from _read_table(path, declared)


def is_documentation(path: Path) -> bool:
    """Tell whether a file's name says that it explains a folder (README, LICENSE …)."""
    return bool(_DOCUMENTATION.search(path.stem)) and path.suffix.lower() in (*_TEXT_SUFFIXES, "", ".json", ".cff", ".rst")


def _read_text(path: Path, declared: Declared) -> Document:
    if declared.source_kind is not None and not declared.is_private:
        raise SourceError(
            "not_a_note",
            f"a text file among {declared.source_kind} sources is not read as a clinical note; "
            "if it is one, declare source_kind: hospital_case for it in sources.yaml",
        )
    text = path.read_text(encoding=detect_encoding(path), errors="replace").strip()
    if path.suffix.lower() == ".md":
        text = replace_addresses(text, lambda _: "").strip()  # names of files, which may name a person
    if not text:
        raise SourceError("empty_note", "the file holds only white space")
    sha256 = sha256_of_file(path)
    folder_is_case = bool(_NOTE_FILE.fullmatch(path.stem)) and path.parent != declared.root
    case = declared.case_id or _pseudonym("case" if folder_is_case else path.stem, sha256, path.parent.name + path.stem)
    locator = (path.parent.parent if folder_is_case else path.parent) / case
    return Document(
        provenance=_provenance(declared, case, f"hospital:{case}", declared.relative(locator), sha256),
        language=detect_language(text),
        markdown=text,
        known=_headers_beside(path.parent),
    )


def _read_table(path: Path, declared: Declared) -> Iterator[Document | Reject]:
    name = declared.relative(path)
    key = sha256_of_file(path)
    seen: dict[str, int] = {}
    for row in read_rows(path):
        if isinstance(row, BadRow):
            yield Reject(name, row.reason, row.detail, row.where)
            continue
        try:
            yield from _read_row(row, path, key, seen, declared)
        except Exception as error:  # a value of a type that no column has; its message would quote it
            yield Reject(name, "broken_row", describe_error(error), row.where)


def _read_row(row: Row, path: Path, key: str, seen: dict[str, int], declared: Declared) -> Iterator[Document | Reject]:
    """Read the note of a row with its images and findings; ``key`` and ``seen`` make the case's id and number its documents."""
    name = declared.relative(path)
    values = {_fold_heading(column): value for column, value in row.values.items() if isinstance(column, str)}
    note = _note(values)
    if not note:
        yield Reject(name, "empty_note", "the row has no note", row.where)
        return
    try:
        findings = tuple(_read_finding(finding) for finding in _listed(values.get("findings")))
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        detail = f"findings need name, level, grade, value, unit: {describe_error(error)}"
        yield Reject(name, "broken_findings", detail, row.where)
        return
    case = declared.case_id or _pseudonym(path.stem, key, _case_number(values) or row.where)
    addresses = [str(address) for address in _listed(values.get("images"))]
    images = [(address, image_beside(path.parent, address, declared.takes)) for address in addresses]
    seen[case] = seen.get(case, 0) + 1
    source_id = f"hospital:{case}" if seen[case] == 1 else f"hospital:{case}/{seen[case]}"
    for address, image in images:
        if image is None:
            yield Reject(name, "image_missing", f"{Path(address).name} is not beside the file", f"{row.where} {address}")
    yield Document(
        provenance=_provenance(declared, case, source_id, f"{name} {row.where}", row.sha256),
        language=values["language"] if values.get("language") in ("en", "zh") else detect_language(note),
        markdown="\n\n".join([*_head(values), note]),
        figures=tuple(
            Figure("", "", locator=f"picture {number}", image=image[1] if image else None)
            for number, (_, image) in enumerate(images, 1)
        ),
        findings=findings,
        levels=tuple(dict.fromkeys(f.level for f in findings if not _DISC.fullmatch(f.level))),
        discs=tuple(dict.fromkeys(f.level for f in findings if _DISC.fullmatch(f.level))),
        known=columns_beside(row.values, {fold_heading(name) for name in row.values if _fold_heading(name) in _TEXT_COLUMNS}),
    )


def _case_number(values: Mapping[str, Any]) -> str:
    """What tells the row's patient from others: its numbers, and the file of origin they are counted in."""
    numbers = [str(values[column]) for column in _CASE_COLUMNS if values.get(column) not in (None, "")][:1]
    return "/".join([str(values.get("file") or ""), *numbers]) if numbers else ""


def _pseudonym(name: str, key: str, number: str) -> str:
    """A stable name for a case. Hospital numbers are few enough to try them all, so the file's own hash is the key."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or "notes"
    digest = hashlib.sha256(f"{key} {number}".encode()).hexdigest()
    return f"{slug}-{digest[:12]}"


def _provenance(declared: Declared, case: str, source_id: str, locator: str, sha256: str) -> Provenance:
    kind = find_kind(declared.source_kind or "hospital_case")
    return Provenance(
        source_kind=kind.name,
        source_id=source_id,
        source_licence=check_licence(declared.licence).spdx if declared.licence else kind.licence,
        source_locator=locator,
        source_sha256=sha256,
        source_title=declared.title,
        source_doi=declared.doi,
        source_url=declared.url,
        case_id=case,
    )


def _listed(value: Any) -> list[Any]:
    """A list as it is, or written as JSON in a cell; a text that is neither is no list."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        value = json.loads(value)
    return value if isinstance(value, list) else []


def _read_finding(record: Mapping[str, Any]) -> Finding:
    """Read one finding. Its words are published as they are: raises ValueError for any that could name a person."""
    value, level = record.get("value"), str(record["level"])
    if record["name"] not in FINDINGS:
        raise ValueError("the name is none of taxonomy.FINDINGS")
    if not all(part in VERTEBRAE for part in level.split("/")) or level.count("/") > 1:
        raise ValueError("the level is no vertebra or disc")
    for words in (record.get("grade"), record.get("unit")):
        if words is not None and not (isinstance(words, str) and _GRADE.fullmatch(words)):
            raise ValueError("grade and unit are words of _GRADE")
    return Finding(
        name=record["name"],
        level=level,
        grade=record.get("grade"),
        value=float(value) if value is not None else None,
        unit=record.get("unit"),
    )


def _head(values: Mapping[str, Any]) -> list[str]:
    facts = {"sex": "Sex", "age": "Age", "section": "Section"}
    line = ", ".join(f"{label}: {values[column]}" for column, label in facts.items() if values.get(column) not in (None, ""))
    return [line] if line else []


def _note(values: Mapping[str, Any]) -> str:
    """The row's note and the columns that belong to it, each under its heading in the note's language; "" if there is none."""
    note = next((str(values[column]).strip() for column in _NOTE_COLUMNS if values.get(column)), "")
    said = {heading: text for heading, names in _PARTS.items() if (text := _first_text(values, names))}
    if not note and not any(english in _IMAGING_PARTS for english, _ in said):
        return ""
    chinese = detect_language(note or " ".join(said.values())) == "zh"
    parts = {english: f"## {zh if chinese else english}\n\n{text}" for (english, zh), text in said.items()}
    before = [part for english, part in parts.items() if english in _BEFORE_NOTE]
    after = [part for english, part in parts.items() if english not in _BEFORE_NOTE]
    return "\n\n".join(filter(None, [*before, note, *after]))


def _first_text(values: Mapping[str, Any], names: Sequence[str]) -> str:
    """The words of the first of the columns that has any; a list of labels is no text."""
    texts = (value.strip() for name in names if isinstance(value := values.get(name), str))
    return next((text for text in texts if text and not text.startswith("[")), "")


_headers_beside = functools.lru_cache(maxsize=8)(names_in_headers)


@functools.lru_cache(maxsize=8)
def _images_of(folder: Path) -> dict[str, Path]:
    """Names of the images that the rows of the folder's tables list, to the table."""
    shown: dict[str, Path] = {}
    for path in sorted(p for p in folder.iterdir() if p.suffix.lower() in (".jsonl", ".json", ".csv", ".xlsx")):
        columns = {_fold_heading(name) for name in first_columns(path, b"{")}
        if "images" in columns and _hold_notes(columns):
            for row in read_rows(path):
                if isinstance(row, Row):
                    with suppress(ValueError):  # the row's own Reject says so
                        shown.update({Path(str(image)).name: path for image in _listed(row.values.get("images"))})
    return shown
