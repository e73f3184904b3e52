"""RSNA 2024 Lumbar Spine Degenerative Classification: MRI studies with graded stenosis at every lumbar disc.

    folder/train.csv                       study_id and 25 columns such as left_neural_foraminal_narrowing_l4_l5, each
                                           Normal/Mild, Moderate, Severe or blank
           train_label_coordinates.csv     study_id, series_id, instance_number, condition, level ("L4/L5"), x, y (pixels)
           train_series_descriptions.csv   study_id, series_id, series_description ("Sagittal T1", "Axial T2" …)
           train_images/{study}/{series}/{instance}.dcm

One study is one Document, which its first image by name yields. A disc's finding is that of its worse side, as are the
findings of an image; captions and text name the side. "Normal/Mild" is a grade like the others, no finding of disease.
"""

import csv
import functools
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from dataset_builders.document import Companion, Document, Finding, Reject, SourceError, describe_error
from dataset_builders.sources.base import Declared, read_bytes
from dataset_builders.sources.imaging import dicom
from dataset_builders.sources.imaging.dicom_study import Mark, Study, StudyImage, digest_of, read_study, worst_of
from dataset_builders.sources.imaging.volume_case import provenance_of

GRADES, COORDINATES, SERIES = "train.csv", "train_label_coordinates.csv", "train_series_descriptions.csv"
_IMAGES = "train_images"
_SEVERITIES = ("Normal/Mild", "Moderate", "Severe")
_CONDITIONS = {
    "spinal_canal_stenosis": "canal_stenosis",
    "neural_foraminal_narrowing": "foraminal_narrowing",
    "subarticular_stenosis": "subarticular_stenosis",
}
# The tables grade how wide canal, recesses and foramina are, and nothing else.
_UNGRADED = ("discs", "disc signal", "end plates", "spinal cord", "facet joints", "alignment")
_COLUMN = re.compile(rf"(?:(left|right)_)?({'|'.join(_CONDITIONS)})_([ctls]\d+)_([ctls]\d+)")


@dataclass(frozen=True, slots=True)
class _Graded:
    """One cell of train.csv, or the condition and level of a coordinate: a finding and the side it is of ("" for neither)."""

    side: str
    finding: Finding


def accepts(path: Path, head: bytes) -> bool:
    """Accept the three tables by name and header, and a DICOM file below train_images/ beside them."""
    if path.name in (GRADES, COORDINATES, SERIES):
        header = head.removeprefix(b"\xef\xbb\xbf").splitlines()[0] if head else b""
        return header.startswith(b"study_id,") and (path.name != GRADES or b"spinal_canal_stenosis" in header)
    return dicom.accepts(path, head) and _home(path) is not None


def read(path: Path, declared: Declared) -> Iterator[Document | Companion | Reject]:
    """Yield a study's Document with a Reject for each unusable row, or a Companion of it; for a table, a Companion.

    Raises SourceError: bad_table, no_image, not_declared_open (tables among hospital or undeclared files).
    """
    is_table = path.name in (GRADES, COORDINATES, SERIES)
    if declared.source_kind is None or declared.is_private:
        if is_table:
            raise SourceError("not_declared_open", "RSNA's labels; declare source_kind: open_dataset in sources.yaml")
        yield from dicom.read(path, declared)
        return
    if is_table:
        for number in [n for n in _rows_by_study(path) if not (path.parent / _IMAGES / n).is_dir()]:
            yield Reject(declared.relative(path), "no_image", f"{_IMAGES}/{number} is not there", f"study {number}")
        yield Companion(declared.relative(path), f"the studies in {_IMAGES}")
        return
    home = _home(path)
    assert home is not None, "accepts() says so"
    number = path.parts[-3]
    files = [file for file in _files_of(home / _IMAGES / number) if declared.takes(file)]
    if path != files[0]:
        yield Companion(declared.relative(path), declared.relative(files[0]))
        return
    yield from _read_study(number, files, home, declared)


def _read_study(number: str, files: list[Path], home: Path, declared: Declared) -> Iterator[Document | Reject]:
    where = f"study {number}"
    described = {row["series_id"]: row["series_description"] for row in _rows_by_study(home / SERIES).get(number, ())}
    images = tuple(
        StudyImage(file, file.parent.name, int(file.stem), _weighting(described.get(file.parent.name, ""))) for file in files
    )
    graded = []
    for row in _rows_by_study(home / GRADES).get(number, ())[:1]:
        for column, value in row.items():
            match = _COLUMN.fullmatch(column)
            if match and value and value not in _SEVERITIES:
                detail = f"{column} is {value!r}; one of {', '.join(_SEVERITIES)} or blank is read"
                yield Reject(declared.relative(home / GRADES), "bad_grade", detail, where)
            elif match and value:
                level = f"{match[3]}/{match[4]}".upper()
                graded.append(_Graded(match[1] or "", Finding(_CONDITIONS[match[2]], level, value)))
    by_path = {image.path for image in images}
    marks: dict[Path, list[Mark]] = {}
    for row in _rows_by_study(home / COORDINATES).get(number, ()):
        file = home / _IMAGES / number / Path(row["series_id"]).name / f"{Path(row['instance_number']).name}.dcm"
        try:
            mark = _read_mark(row, graded)
            if file not in by_path:
                raise ValueError(f"image {row['instance_number']} of series {row['series_id']} is not there")
        except (ValueError, TypeError) as error:
            yield Reject(declared.relative(home / COORDINATES), "bad_coordinate", f"{error}", f"{where} {row['level']}")
            continue
        marks.setdefault(file, []).append(mark)
    source = provenance_of(files[0], declared, "rsna", case=f"rsna:{number}", name=number, digest=digest_of(images))
    sided = [f"- {cell.finding.level} {cell.side}: {_condition(cell)}" for cell in graded if cell.side]
    yield from read_study(
        Study(
            images,
            {file: tuple(found) for file, found in marks.items()},
            worst_of(cell.finding for cell in graded),
            _UNGRADED,
            ("Graded by side:\n\n" + "\n".join(sided),) if sided else (),
        ),
        source,
        declared,
    )


def _condition(cell: _Graded) -> str:
    return f"{cell.finding.name.replace('_', ' ')}, {cell.finding.grade}"


def _read_mark(row: Mapping[str, str], graded: list[_Graded]) -> Mark:
    """Raises ValueError for a condition, level or place that is not known."""
    column = f"{row['condition']} {row['level']}".lower().replace(" ", "_").replace("/", "_")
    match = _COLUMN.fullmatch(column)
    if match is None:
        raise ValueError(f"{row['condition']!r} at {row['level']!r} is no condition of {GRADES}")
    side, level = match[1] or "", row["level"].upper()
    found = tuple(
        cell.finding
        for cell in graded
        if cell.side == side and (cell.finding.name, cell.finding.level) == (_CONDITIONS[match[2]], level)
    )
    return Mark(level, float(row["x"]), float(row["y"]), found, side)


def _weighting(description: str) -> str:
    """ "Sagittal T2/STIR" -> "T2/STIR"; "" for anything but the data set's own words."""
    return next((word for word in ("T2/STIR", "T1", "T2") if description.endswith(f" {word}")), "")


def _home(path: Path) -> Path | None:
    """The folder of the tables, where ``path`` is train_images/{study}/{series}/{number}.dcm below it."""
    if len(path.parents) < 4 or path.parents[2].name != _IMAGES or not path.stem.isdigit():
        return None
    home = path.parents[3]
    return home if all((home / table).is_file() for table in (GRADES, COORDINATES, SERIES)) else None


@functools.lru_cache(maxsize=8)
def _files_of(study: Path) -> list[Path]:
    return sorted((p for p in study.glob("*/*.dcm") if p.stem.isdigit()), key=lambda p: (p.parent.name, int(p.stem)))


@functools.lru_cache(maxsize=6)
def _rows_by_study(path: Path) -> dict[str, list[dict[str, str]]]:
    """Rows of one table by study_id. Raises SourceError("bad_table") where columns are missing."""
    needed = {
        GRADES: ("study_id",),
        COORDINATES: ("study_id", "series_id", "instance_number", "condition", "level", "x", "y"),
        SERIES: ("study_id", "series_id", "series_description"),
    }[path.name]
    try:
        reader = csv.DictReader(io.StringIO(read_bytes(path, 256 << 20).decode("utf-8-sig")))
        rows: dict[str, list[dict[str, str]]] = {}
        if missing := set(needed) - set(reader.fieldnames or ()):
            raise SourceError("bad_table", f"{path.name} lacks the columns {sorted(missing)}")
        for row in reader:
            rows.setdefault(row["study_id"].strip(), []).append({k: (v or "").strip() for k, v in row.items() if k})
    except (UnicodeDecodeError, csv.Error) as error:
        raise SourceError("bad_table", f"{path.name} is no UTF-8 CSV: {describe_error(error)}") from error
    return rows
