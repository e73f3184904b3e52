"""What the XML readers share: a hardened parser, text of mixed content, tables as Markdown, images beside a file.

XML comes from outside: no DTD is loaded, no entity is expanded, nothing is fetched, and a file name in it is only a name.
"""

import html
import io
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import lxml.html
from lxml import etree

from dataset_builders.document import SourceError, describe_error
from dataset_builders.image_metadata import drop_metadata
from dataset_builders.sources.formulas import FORMULA, formula_text, is_formula_image

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".gif", ".tif", ".tiff", ".webp", ".bmp")
_MAX_PIXELS = 100_000_000
_MAX_NAME_BYTES = 250  # with a suffix still a file name


def parse_xml(data: bytes) -> etree._Element:
    """Parse an XML file into its root. Raises SourceError("broken_xml"), or ("xml_entities") if the file declares entities."""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False, remove_pis=True
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        if b"<!ENTITY" in data[:65_536]:
            raise SourceError(
                "xml_entities", f"the file declares entities, which are never expanded ({describe_error(error)})"
            ) from error
        raise SourceError("broken_xml", f"not well formed: {describe_error(error)}; fetch the file again") from error
    dtd = root.getroottree().docinfo.internalDTD
    if dtd is not None and dtd.entities():
        raise SourceError("xml_entities", "the file declares entities, which are never expanded; save it without them")
    return root


def name_of(element: etree._Element) -> str:
    """Return the local name of an element; "" for comments and entity references."""
    return etree.QName(element).localname if isinstance(element.tag, str) else ""


def inline_text(element: etree._Element, skip: Iterable[str] = ()) -> str:
    """Return mixed content's text on one line, without the elements named in ``skip`` (what follows them stays).

    Formulas are written as text (formulas.py). Superscript numbers keep a sign ("10^9", a cited reference "[4]"), so that they
    do not run into the word before.
    """
    return re.sub(r"\s+", " ", "".join(_pieces(element, frozenset(skip)))).strip()


def _pieces(element: etree._Element, skip: frozenset[str]) -> Iterable[str]:
    yield element.text or ""
    for child in element:
        name = name_of(child)
        if child.tag is etree.Entity:
            yield html.unescape(child.text)
        elif name in ("break", "newline", "space"):
            yield " "
        elif name == "sup":
            text = inline_text(child, skip)
            cites = any(x.get("ref-type") == "bibr" for x in child.iter("{*}xref"))
            yield (
                text if not text else f"[{text.strip('[]')}]" if cites else f"^{text}" if text[0] in "0123456789-−–+" else text
            )
        elif name in ("math", "tex-math", "alternatives"):
            yield formula_text(child)
        elif name in ("inline-formula", "disp-formula") and is_formula_image(child):
            yield FORMULA
        elif name and name not in skip:
            yield from _pieces(child, skip)
        yield child.tail or ""


def table_to_markdown(rows: Sequence[Sequence[tuple[str, int, int]]]) -> str:
    """Write rows of (text, column span, row span) as a Markdown table; the first row is its head, spanned cells repeat."""
    grid: list[dict[int, str]] = [{} for _ in rows]
    for number, row in enumerate(rows):
        column = 0
        for text, columns, lines in row:
            while column in grid[number]:
                column += 1
            for line in range(number, min(number + max(lines, 1), len(rows))):
                for offset in range(max(columns, 1)):
                    grid[line][column + offset] = text.replace("|", "\\|")
            column += max(columns, 1)
    width = max((max(row, default=-1) + 1 for row in grid), default=0)
    if not width:
        return ""
    lines_out = ["| " + " | ".join(row.get(column, "") for column in range(width)) + " |" for row in grid]
    return "\n".join([lines_out[0], "|" + " --- |" * width, *lines_out[1:]])


def html_table_to_markdown(source: str) -> str:
    """Write the first table of an HTML fragment as a Markdown table; "" if it holds no table with cells."""
    try:
        table = lxml.html.fragment_fromstring(source, parser=lxml.html.HTMLParser(no_network=True, huge_tree=False))
    except (etree.ParserError, etree.XMLSyntaxError):
        return ""
    rows = [
        [(inline_text(cell), span_of(cell.get("colspan")), span_of(cell.get("rowspan"))) for cell in row if _is_cell(cell)]
        for row in table.iter("tr")
    ]
    return table_to_markdown(rows)


def _is_cell(element: etree._Element) -> bool:
    return name_of(element) in ("td", "th")


def span_of(value: str | None) -> int:
    """Read a row or column span attribute; 1 if it is missing or not a number (at most 100)."""
    return min(int(value), 100) if value and value.strip().isdigit() and int(value) > 0 else 1


def image_beside(folder: Path, name: str, takes: Callable[[Path], bool]) -> tuple[Path, bytes] | None:
    """Return the image ``name`` (folder part ignored, suffix optional) in ``folder``, as PNG or JPEG.

    None if it is missing, cannot be decoded or is not one that the file may take (``takes``: Declared.takes).
    """
    name = Path(name.replace("\\", "/")).name
    if not name or name in (".", "..") or "\0" in name or len(name.encode()) > _MAX_NAME_BYTES:
        return None
    for candidate in (name, *(f"{name}{suffix}" for suffix in IMAGE_SUFFIXES)):
        path = folder / candidate
        if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file() and takes(path):
            data = as_png_or_jpeg(path.read_bytes())
            return (path, data) if data is not None else None
    return None


def as_png_or_jpeg(data: bytes) -> bytes | None:
    """Return a PNG or JPEG with the same pixels and no metadata, any other image as PNG; None if it cannot be decoded."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.width * image.height > _MAX_PIXELS:
                return None
            if image.format in ("PNG", "JPEG"):
                image.verify()
                return drop_metadata(data)
            out = io.BytesIO()
            image.convert("L" if image.mode in ("1", "L", "I;16") else "RGB").save(out, "PNG")
            return out.getvalue()
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None
