"""Books and articles that an extractor has turned into Markdown (MinerU, Marker, PP-StructureV3), images beside it.

    textbooks/spine/spine.md     ![](images/8f3c.jpg), <div><img src="imgs/p3_1.jpg"></div>, Markdown or HTML tables
                    images/ …    or imgs/, or beside the file; nothing outside the file's own folder is read
                    spine_meta.json, spine_content_list.json …   what the extractor says of its own work: Companions

One file is one Document. Captions and citing paragraphs are found by figures.match_figures. Only in folders of textbooks,
guidelines, consensus statements, articles and case reports; any other Markdown file is a note (notes.py).
"""

import base64
import functools
import hashlib
import re
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dataset_builders.document import Companion, Document, Figure, Provenance, Reject, SourceError
from dataset_builders.figures import match_figures
from dataset_builders.figures.markdown import drop_machine_text, image_addresses, replace_addresses
from dataset_builders.language import detect_language
from dataset_builders.licences import check_licence
from dataset_builders.pages.ocr import BUNDLED, OcrSettings
from dataset_builders.source_kinds import find_kind
from dataset_builders.sources import image, notes
from dataset_builders.sources.base import Declared, read_bytes, sha256_of_file
from dataset_builders.sources.encodings import detect_encoding
from dataset_builders.sources.markup import IMAGE_SUFFIXES, as_png_or_jpeg, html_table_to_markdown
from dataset_builders.sources.pdf import LICENCE_WORDS, find_doi

_SUFFIXES = (".md", ".markdown")
_EXTRACTORS_OWN = re.compile(r"_(?:content_list|middle|model|meta|res)\.json$")
_OPENING = 3000  # characters: where an article names itself
_MAX_TEXT_BYTES = 1 << 26
_MAX_IMAGE_BYTES = 1 << 26


def accepts(path: Path, head: bytes) -> bool:  # noqa: ARG001
    """Accept a Markdown file that is not a README, an image that one shows, and an extractor's JSON that lies beside one."""
    suffix = path.suffix.lower()
    if suffix in _SUFFIXES:
        return not notes.is_documentation(path)
    if suffix in IMAGE_SUFFIXES:
        return _shown_by(path) is not None
    return bool(_EXTRACTORS_OWN.search(path.name)) and bool(_texts_in(path.parent))


def read(path: Path, declared: Declared, ocr: OcrSettings = BUNDLED) -> Iterator[Document | Companion | Reject]:
    """Yield the file's Document with a Reject for each unusable image; a Companion for what belongs to another file.

    Raises SourceError: "no_text", "too_large", "unknown_encoding"; of kinds that are no prose as notes.read and image.read.
    """
    is_text = path.suffix.lower() in _SUFFIXES
    if path.suffix.lower() not in (*_SUFFIXES, *IMAGE_SUFFIXES):
        yield Companion(declared.relative(path), declared.relative(_texts_in(path.parent)[0]))
    elif declared.source_kind is None or not find_kind(declared.source_kind).is_prose:
        beside_table = not is_text and notes.accepts(path, b"")
        yield from notes.read(path, declared) if is_text or beside_table else image.read(path, declared, ocr)
    elif is_text:
        yield from _read_text(path, declared)
    else:
        owner = _shown_by(path)
        yield Companion(declared.relative(path), declared.relative(owner) if owner else "")


@dataclass
class _Images:
    """Images by the address they get in the Document (a SHA-256), and what could not be used, in order."""

    found: dict[str, bytes] = field(default_factory=dict)
    problems: list[tuple[str, str, str]] = field(default_factory=list)  # reason, detail, address


def _read_text(path: Path, declared: Declared) -> Iterator[Document | Reject]:
    text = read_bytes(path, _MAX_TEXT_BYTES).decode(detect_encoding(path), errors="replace").replace("\r\n", "\n")
    text = re.sub(r"<sup>\s*", "^", text, flags=re.IGNORECASE)  # 10<sup>3</sup> is not 103
    images = _Images()
    linked = replace_addresses(drop_machine_text(text), functools.partial(_take_image, path.parent, declared, images))
    for reason, detail, address in images.problems:
        yield Reject(declared.relative(path), reason, detail, where=f"image {address[:120]}")
    figures = tuple(
        Figure(match.label, match.caption, match.context, locator=f"picture {number}", image=images.found.get(match.image))
        for number, match in enumerate(match_figures(linked), 1)
    )
    markdown = _without_html(linked)
    prose = re.sub(r"!\[[^\]]*\]\([^)]*\)", "", markdown)
    if not re.search(r"\w", prose):
        raise SourceError("no_text", "the file holds no text beside its images")
    yield Document(_provenance(path, declared, prose), detect_language(prose), markdown, figures)


def _take_image(folder: Path, declared: Declared, images: _Images, address: str) -> str:
    """The SHA-256 of the image at ``address``, "" where there is none to use; nothing is fetched or read elsewhere."""
    if address.startswith("data:"):
        return _take_embedded(images, address)
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:|//", address):
        images.problems.append(("image_remote", "an address, which is not fetched; put the image beside the file", address))
        return ""
    inside = _beside(folder, address)
    if inside is not None and not (inside.is_relative_to(folder.resolve()) and declared.takes(inside)):
        images.problems.append(("image_outside", "the path leads out of the file's own folder", address))
        return ""
    if inside is None or not inside.is_file():
        images.problems.append(("image_missing", "no such file below the file's own folder", address))
        return ""
    data = as_png_or_jpeg(read_bytes(inside, _MAX_IMAGE_BYTES)) if inside.suffix.lower() in IMAGE_SUFFIXES else None
    if data is None:
        images.problems.append(("broken_image", "no image that can be decoded", address))
        return ""
    sha256 = hashlib.sha256(data).hexdigest()
    images.found[sha256] = data
    return sha256


def _take_embedded(images: _Images, address: str) -> str:
    """The SHA-256 of an image that stands in the text itself, as docling writes it; "" if it cannot be decoded."""
    kind, _, encoded = address.partition(",")
    try:
        data = as_png_or_jpeg(base64.b64decode(encoded, validate=True)) if kind.endswith(";base64") else None
    except ValueError:
        data = None
    if data is None:
        images.problems.append(("broken_image", "no image that can be decoded", kind))
        return ""
    sha256 = hashlib.sha256(data).hexdigest()
    images.found[sha256] = data
    return sha256


def _beside(folder: Path, address: str) -> Path | None:
    """Where an address leads, links followed; None for what can be no file name (too long, a NUL)."""
    try:
        path = (folder / urllib.parse.unquote(address.split("?")[0].split("#")[0]).replace("\\", "/")).resolve()
        path.exists()
    except (OSError, ValueError):
        return None
    return path


def _without_html(text: str) -> str:
    """Tables as Markdown, other tags away."""
    text = re.sub(
        r"<table\b.*?</table>",
        lambda match: f"\n\n{html_table_to_markdown(match[0])}\n\n",
        text,
        flags=re.DOTALL | re.IGNORECASE,
    )
    text = re.sub(r"<(script|style)\b.*?</\1>", "", text, flags=re.DOTALL | re.IGNORECASE)
    text = re.sub(r"<br\s*/?>", " ", text, flags=re.IGNORECASE)
    text = re.sub(r"<!--.*?-->|</?[A-Za-z][A-Za-z0-9]*(?:\s[^<>]*)?/?>", "", text, flags=re.DOTALL)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _provenance(path: Path, declared: Declared, prose: str) -> Provenance:
    sha256 = sha256_of_file(path)
    kind = declared.source_kind or "article"
    doi = declared.doi or find_doi(prose[:_OPENING])
    heading = re.search(r"^#{1,6}\s+(.+)$", prose, re.MULTILINE)
    slug = re.sub(r"[^\w]+", "-", path.stem.lower()).strip("-") or "document"
    return Provenance(
        source_kind=kind,
        source_id=declared.id or doi or f"{kind}:{slug}-{sha256[:8]}",
        source_licence=_licence(path.parent, declared, prose),
        source_locator=declared.relative(path),
        source_sha256=sha256,
        source_title=declared.title or (heading[1].strip(" *#") if heading else None),
        source_doi=doi,
        source_url=declared.url or (f"https://doi.org/{doi}" if doi else None),
        case_id=declared.case_id,
    )


def _licence(folder: Path, declared: Declared, prose: str) -> str:
    """SPDX id: as declared, else what the text states, else of a LICENSE file beside it."""
    if declared.licence:
        return check_licence(declared.licence).spdx
    if statements := [line for line in prose.splitlines() if LICENCE_WORDS.search(line)]:
        return check_licence("\n".join(statements), declared.url or "").spdx
    for name in ("LICENSE", "LICENSE.txt", "LICENSE.md"):
        if (folder / name).is_file():
            return check_licence((folder / name).read_text(encoding="utf-8", errors="replace")).spdx
    return check_licence("").spdx


def _texts_in(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in _SUFFIXES and not notes.is_documentation(p))


def _shown_by(path: Path) -> Path | None:
    """The Markdown file that shows an image: in the image's folder or the one above it."""
    return next((owner for folder in list(path.parents)[:2] if (owner := _images_in(folder).get(path.resolve()))), None)


@functools.lru_cache(maxsize=16)
def _images_in(folder: Path) -> dict[Path, Path]:
    """Every file that a Markdown file of the folder shows as an image, to the first that does."""
    shown: dict[Path, Path] = {}
    for text in _texts_in(folder):
        if text.stat().st_size > _MAX_TEXT_BYTES:
            continue
        for address in image_addresses(text.read_text(encoding="utf-8", errors="replace")):
            if path := _beside(folder, address):
                shown.setdefault(path, text)
    return shown
