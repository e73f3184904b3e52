"""Make textbook chapters, a guideline and a consensus as PDF: text/*.typ with drawings and slices of phantoms."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dataset_builders.document import Finding
from dataset_builders.phantom.drawings import draw
from dataset_builders.phantom.images import render_level
from dataset_builders.phantom.typesetting import typeset
from dataset_builders.phantom.volumes import make_volume


@dataclass(frozen=True, slots=True)
class Slice:
    """A phantom made for a figure: the first finding's value and grade are quoted in its caption as ``planted.<key>``."""

    key: str
    file: str
    modality: str
    region: str
    findings: tuple[Finding, ...]
    plane: str = "sagittal"


@dataclass(frozen=True, slots=True)
class Book:
    """A PDF: its Typst source, and the drawings (name -> language) and slices that the source shows."""

    file: str
    source: str
    drawings: tuple[tuple[str, str], ...]
    slices: tuple[Slice, ...] = ()


def _narrowing(level: str, grade: str, pfirrmann: str) -> tuple[Finding, ...]:
    return Finding("disc_narrowing", level, grade), Finding("disc_degeneration", level, pfirrmann)


def _in(language: str, *names: str) -> tuple[tuple[str, str], ...]:
    return tuple((name, language) for name in names)


_L1_WEDGE = Slice("wedge", "ct_wedge.png", "ct", "thoracolumbar", (Finding("wedge_fracture", "L1", "Genant 2"),))

BOOKS = (
    Book(
        "textbooks/chapter_03_reading_the_spine.pdf",
        "chapter_03.typ",
        _in("en", "column", "vertebra", "genant", "meyerding", "pfirrmann", "zones", "three_columns", "roots", "cobb")
        + _in("zh", "roots"),
        (
            _L1_WEDGE,
            Slice("slip", "mr_slip.png", "mri", "lumbar", (Finding("spondylolisthesis", "L4/L5", "Meyerding I"),)),
            Slice("disc", "mr_disc.png", "mri", "lumbar", _narrowing("L5/S1", "moderate", "Pfirrmann 4")),
            Slice("wedge_zh", "ct_wedge_zh.png", "ct", "thoracolumbar", (Finding("wedge_fracture", "T12", "Genant 3"),)),
            Slice("cervical_zh", "mr_cervical_zh.png", "mri", "cervical", _narrowing("C5/C6", "moderate", "Pfirrmann 4")),
        ),
    ),
    Book(
        "textbooks/chapter_05_yingxiang_dupian.pdf",
        "chapter_05.typ",
        _in("zh", "vertebra", "three_columns", "genant", "pfirrmann", "meyerding"),
        (
            _L1_WEDGE,
            Slice("neck", "ct_cervical.png", "ct", "cervical", (Finding("disc_narrowing", "C6/C7", "severe"),)),
            Slice("disc", "mr_disc.png", "mri", "lumbar", _narrowing("L4/L5", "severe", "Pfirrmann 5")),
        ),
    ),
    Book(
        "textbooks/chapter_07_treatment_and_follow_up.pdf",
        "chapter_07.typ",
        _in("en", "pedicle_screws", "kyphoplasty", "cobb"),
        (
            Slice("slip", "ct_slip.png", "ct", "lumbar", (Finding("spondylolisthesis", "L5/S1", "Meyerding II"),)),
            Slice("fracture", "ct_fracture.png", "ct", "lumbar", (Finding("wedge_fracture", "L2", "Genant 2"),)),
        ),
    ),
    Book("textbooks/chapter_11_hip_knee_ankle.pdf", "chapter_11.typ", _in("en", "garden", "knee", "weber")),
    Book("guidelines/low_back_pain_example.pdf", "guideline.typ", _in("en", "roots", "meyerding")),
    Book("consensus/vertebral_fracture_example.pdf", "consensus.typ", _in("zh", "genant", "kyphoplasty")),
)


def make_books(seed: int) -> Iterator[tuple[str, bytes]]:
    """Make each book; yield its path below the sources folder and its PDF bytes."""
    for book in BOOKS:
        yield book.file, make_book(book, seed)


def make_book(book: Book, seed: int) -> bytes:
    """Make a book's PDF; no other book has the same phantoms."""
    images = {f"{name}{'_zh' if language == 'zh' else ''}.svg": draw(name, language) for name, language in book.drawings}
    values: dict[str, Mapping[str, object]] = {}
    first_seed = 1000 * (seed + 1) + 700 + 20 * BOOKS.index(book)
    for order, wanted in enumerate(book.slices, 1):
        volume = make_volume(first_seed + order, wanted.modality, wanted.region, wanted.findings)
        main = volume.findings[0]
        images[wanted.file] = render_level(volume, main.level, wanted.plane)
        values[wanted.key] = {"value": round(main.value or 0), "grade": (main.grade or "").split()[-1]}
    return typeset(book.source, images, values, seed)
