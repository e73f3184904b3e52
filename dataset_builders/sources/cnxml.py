"""OpenStax modules (CNXML): one Document a module, with its figures from the book's media folder.

    book/ LICENSE  *.collection.xml  modules/m46352/index.cnxml  media/715_Vertebral_Column.jpg

A book's printed figure numbers run through a chapter and are not in its modules, so figures are numbered within the module
("Figure 1" …), and the links to them read so. Images are taken only from the book's own ``media`` folder.
"""

import functools
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from lxml import etree

from dataset_builders.document import Companion, Document, Figure, Provenance, Reject, SourceError
from dataset_builders.language import detect_language
from dataset_builders.licences import check_licence
from dataset_builders.sources.base import Declared, read_bytes, sha256_of_file
from dataset_builders.sources.markup import (
    IMAGE_SUFFIXES,
    image_beside,
    inline_text,
    name_of,
    parse_xml,
    span_of,
    table_to_markdown,
)

_MDML = "{http://cnx.rice.edu/mdml}"
_CONTAINERS = ("section", "note", "example", "exercise", "problem", "solution", "list", "glossary", "commentary", "proof")
_BLOCKS = (*_CONTAINERS, "figure", "table", "media")


def accepts(path: Path, head: bytes) -> bool:
    """Accept a module, a collection (the book's table of contents), or an image in the ``media`` folder beside ``modules``."""
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return path.parent.name == "media" and (path.parent.parent / "modules").is_dir()
    return path.suffix.lower() == ".cnxml" or b"cnx.rice.edu/cnxml" in head or b"cnx.rice.edu/collxml" in head


def read(path: Path, declared: Declared) -> Iterator[Document | Companion | Reject]:
    """Yield the module's Document; a Companion for a collection or an image that a module shows, a Reject for other images.

    Raises SourceError: "broken_xml", "xml_entities", "not_cnxml", "no_full_text".
    """
    if path.suffix.lower() in IMAGE_SUFFIXES:
        if module := _modules_showing(path.parent.parent).get(path.name):
            yield Companion(declared.relative(path), module)
        else:
            yield Reject(declared.relative(path), "image_not_shown", "no module beside this media folder shows the image")
        return
    root = parse_xml(read_bytes(path, limit=1 << 26))
    if name_of(root) == "collection":
        yield Companion(declared.relative(path), "modules")
        return
    content = root.find("{*}content")
    if name_of(root) != "document" or content is None:
        raise SourceError("not_cnxml", f"the root element is <{name_of(root)}>; expected <document> with <content>")
    yield from _read_module(root, content, path, declared)


def _read_module(root: etree._Element, content: etree._Element, path: Path, declared: Declared) -> Iterator[Document | Reject]:
    book = path.parent.parent.parent
    title = " ".join((root.findtext(f"{{*}}metadata/{_MDML}title") or root.findtext("{*}title") or "").split())
    figures: dict[etree._Element, Figure] = {}
    for number, element in enumerate((e for e in content.iter("{*}figure") if name_of(e.getparent()) != "figure"), 1):
        figures[element] = _read_figure(element, number, book, declared)
        if figures[element].image is None:
            sources = ", ".join(image.get("src", "") for image in element.iter("{*}image"))
            yield Reject(declared.relative(path), "image_missing", f"{sources} is not in the media folder", f"Figure {number}")
    _write_link_texts(content, {element.get("id", ""): figure.label for element, figure in figures.items()})

    blocks: list[str] = [f"# {title}"] if title else []
    paragraphs: list[tuple[str, etree._Element]] = []
    _walk(content, 2, blocks, paragraphs, figures)
    if (glossary := root.find("{*}glossary")) is not None:
        blocks.append("## Glossary")
        _walk(glossary, 3, blocks, paragraphs, figures)
    if not paragraphs:
        raise SourceError("no_full_text", "the module holds no paragraphs")
    for element, figure in figures.items():
        ids = {part.get("id") for part in element.iter("{*}figure", "{*}subfigure")}
        citing = [text for text, para in paragraphs if any(link.get("target-id") in ids for link in para.iter("{*}link"))]
        figures[element] = replace(figure, context=tuple(citing))
    collection = _collection_of(path.parent.name, book)
    module = root.findtext(f"{{*}}metadata/{_MDML}content-id") or path.parent.name
    slug = collection.findtext(f"{{*}}metadata/{_MDML}slug") if collection is not None else None
    yield Document(
        provenance=Provenance(
            source_kind=declared.source_kind or "textbook",
            source_id=declared.id or f"cnxml:{module}",
            source_licence=_licence(root, collection, book, declared),
            source_locator=declared.relative(path),
            source_sha256=sha256_of_file(path),
            source_title=declared.title or title or None,
            source_doi=declared.doi,
            source_url=declared.url or (f"https://openstax.org/details/books/{slug}" if slug else None),
            case_id=declared.case_id,
        ),
        language=detect_language(" ".join(text for text, _ in paragraphs)),
        markdown="\n\n".join(blocks),
        figures=tuple(figures.values()),
    )


def _read_figure(element: etree._Element, number: int, book: Path, declared: Declared) -> Figure:
    title, caption = (_line(element.find(part)) for part in ("{*}title", "{*}caption"))
    media = element.find(".//{*}media")
    image = None
    for part in element.iter("{*}image"):
        image = image or image_beside(book / "media", part.get("src", ""), declared.takes)
    alternative = " ".join((media.get("alt", "") if media is not None else "").split())
    return Figure(
        label=f"Figure {number}",
        caption=" ".join(filter(None, (f"{title}." if title and caption else title, caption))) or alternative,
        locator=f"Figure {number} ({element.get('id', 'no id')})",
        image=image[1] if image else None,
    )


def _write_link_texts(content: etree._Element, labels: dict[str, str]) -> None:
    """Give the empty links to figures and tables of this module the words they are printed as."""
    tables = {table.get("id", ""): f"Table {number}" for number, table in enumerate(content.iter("{*}table"), 1)}
    for link in content.iter("{*}link"):
        if not (link.text or len(link)) and not link.get("document"):
            link.text = labels.get(link.get("target-id", "")) or tables.get(link.get("target-id", ""))


def _walk(
    parent: etree._Element,
    depth: int,
    blocks: list[str],
    paragraphs: list[tuple[str, etree._Element]],
    figures: dict[etree._Element, Figure],
) -> None:
    """Append what ``parent`` holds in reading order; ``depth`` is the level of the headings below it."""
    for element in parent:
        name = name_of(element)
        if name == "figure" and element in figures:
            figure = figures[element]
            blocks += [f"![{figure.label}]({figure.image_sha256 or ''})", f"{figure.label}. {figure.caption}"]
        elif name == "table":
            blocks += _table(element)
        elif name == "para":
            if line := inline_text(element, skip=_BLOCKS):
                blocks.append(line)
                paragraphs.append((line, element))
            _walk(element, depth, blocks, paragraphs, figures)
        elif name == "item":
            blocks.append(f"- {inline_text(element, skip=('figure', 'table', 'media'))}")
        elif name == "definition":
            blocks.append(f"- {_line(element.find('{*}term'))}: {_line(element.find('{*}meaning'))}")
        elif name in _CONTAINERS:
            if heading := _line(element.find("{*}title")):
                blocks.append(f"{'#' * min(depth, 6)} {heading}")
            _walk(element, depth + 1, blocks, paragraphs, figures)


def _table(table: etree._Element) -> list[str]:
    columns = {spec.get("colname", ""): number for number, spec in enumerate(table.iter("{*}colspec"))}
    rows = []
    for row in table.iter("{*}row"):
        cells = []
        for entry in row.findall("{*}entry"):
            first, last = columns.get(entry.get("namest", "")), columns.get(entry.get("nameend", ""))
            width = last - first + 1 if first is not None and last is not None and last >= first else 1
            cells.append((inline_text(entry), width, span_of(entry.get("morerows")) + 1 if entry.get("morerows") else 1))
        rows.append(cells)
    caption = " ".join(filter(None, (_line(table.find("{*}title")), _line(table.find("{*}caption")))))
    return [block for block in (caption, table_to_markdown(rows)) if block]


def _line(element: etree._Element | None) -> str:
    return inline_text(element) if element is not None else ""


def _licence(module: etree._Element, collection: etree._Element | None, book: Path, declared: Declared) -> str:
    """SPDX id: as declared, else of the module's metadata, the collection's, or the LICENSE file of the book."""
    if declared.licence:
        return check_licence(declared.licence).spdx
    for root in (module, collection):
        stated = root.find(f"{{*}}metadata/{_MDML}license") if root is not None else None
        if stated is not None:
            return check_licence(_line(stated), stated.get("url", "")).spdx
    for name in ("LICENSE", "LICENSE.txt", "LICENSE.md"):
        if (book / name).is_file():
            return check_licence((book / name).read_text(encoding="utf-8", errors="replace")).spdx
    return check_licence("").spdx


def _collection_of(module: str, book: Path) -> etree._Element | None:
    """The collection that lists ``module``, from the book's folder or its ``collections`` folder; None where there is none."""
    for path in sorted([*book.glob("*.collection.xml"), *book.glob("collections/*.collection.xml")]):
        data = read_bytes(path, limit=1 << 26)
        if f'document="{module}"'.encode() in data:
            return parse_xml(data)
    return None


@functools.lru_cache(maxsize=8)
def _modules_showing(book: Path) -> dict[str, str]:
    """File name of every image that a module of the book shows, to the module ("modules/m46352/index.cnxml")."""
    return {
        Path(source.decode("utf-8", "replace")).name: path.relative_to(book).as_posix()
        for path in sorted(book.glob("modules/*/index.cnxml"))
        for source in re.findall(rb"<image\b[^>]*?\bsrc\s*=\s*[\"']([^\"'<>]+)[\"']", path.read_bytes())
    }
