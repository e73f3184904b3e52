"""JATS articles (Europe PMC, publishers): one Document an article, figures with the paragraphs that cite them.

What an ``<xref ref-type="fig">`` points at is the article's own word for which paragraph speaks of which figure; two of
them with a dash between stand for all figures from one to the other.
"""

import functools
import hashlib
import itertools
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from lxml import etree

from dataset_builders.document import Companion, Document, Figure, Provenance, Reject, SourceError
from dataset_builders.figures.captions import cited_labels, label_key, parse_label
from dataset_builders.language import detect_language
from dataset_builders.licences import check_licence
from dataset_builders.sources import cnxml
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

_HREF = "{http://www.w3.org/1999/xlink}href"
_BLOCKS = ("fig", "fig-group", "table-wrap", "table-wrap-group", "list", "def-list", "boxed-text", "disp-quote", "media",
           "supplementary-material")  # fmt: skip
_LEFT_OUT = ("ref-list", "title", "label", "sec-meta", "supplementary-material", "fn-group", "glossary", "media", "object-id")
# An image that its caption says is somebody else's is not under the article's licence.
_BY_PERMISSION = re.compile(
    r"\b(?:reproduced|reprinted|republished|adapted|modified|used|taken)\b.{0,160}?\bpermission|\bcourtesy of\b"
    r"|©|\(c\) ?(?:19|20)\d\d|\bcopyright (?:19|20)\d\d|\ball rights reserved\b"
    r"|经.{0,40}?(?:许可|授权|同意).{0,10}?(?:转载|使用|引用|复制)|版权(?:归|所有)",
    re.IGNORECASE,
)
_DASH = re.compile(r"\s*(?:[-–—−]|to|through)\s*")


def accepts(path: Path, head: bytes) -> bool:
    """Accept XML other than OpenStax's (if not JATS, ``read`` says so), or an image that a JATS file beside it shows."""
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return _article_showing(path) is not None
    looks_like_xml = path.suffix.lower() in (".xml", ".nxml") or re.match(
        rb"\s*<\?xml|\s*<!DOCTYPE article|\s*<article\b", head
    )
    return bool(looks_like_xml) and not cnxml.accepts(path, head)


def read(path: Path, declared: Declared) -> Iterator[Document | Companion | Reject]:
    """Yield every ``<article>`` of the file. Raises SourceError: "not_jats", "broken_xml", "xml_entities", "too_large"."""
    if path.suffix.lower() in IMAGE_SUFFIXES:
        article = _article_showing(path)
        yield Companion(declared.relative(path), declared.relative(article) if article else "")
        return
    root = parse_xml(read_bytes(path, limit=1 << 28))
    articles = [root] if name_of(root) == "article" else list(root.iter("{*}article"))
    articles = [article for article in articles if article.find("{*}front") is not None]
    if not articles:
        raise SourceError("not_jats", f"the root element is <{name_of(root)}>; expected a JATS <article> with <front>")
    for article in articles:
        yield from _read_article(article, path, declared, alone=len(articles) == 1)


@dataclass
class _Text:
    """An article in reading order: headings, paragraphs and tables as Markdown, figures as their elements."""

    blocks: list[str | etree._Element] = field(default_factory=list)
    paragraphs: list[tuple[str, etree._Element]] = field(default_factory=list)
    floats: list[etree._Element] = field(default_factory=list)

    def figures(self) -> list[etree._Element]:
        return [block for block in self.blocks if not isinstance(block, str)] + self.floats


def _read_article(article: etree._Element, path: Path, declared: Declared, alone: bool) -> Iterator[Document | Reject]:
    name = declared.relative(path)
    meta = article.find("{*}front/{*}article-meta")
    provenance = _provenance(article, meta, path, declared, alone)
    text = _Text()
    if provenance.source_title:
        text.blocks.append(f"# {provenance.source_title}")
    for abstract in article.findall("{*}front/{*}article-meta/{*}abstract"):
        text.blocks.append(f"## {_text_at(abstract, '{*}title') or 'Abstract'}")
        _walk(abstract, 3, text)
    for part in (*article.findall("{*}body"), *article.findall("{*}back")):
        _walk(part, 2, text)
    text.floats += [figure for group in article.findall("{*}floats-group") for figure in group.iter("{*}fig")]
    for table in (table for group in article.findall("{*}floats-group") for table in group.iter("{*}table-wrap")):
        text.blocks += _table(table)
    if not text.paragraphs:
        yield Reject(name, "no_full_text", "the article holds no paragraphs; fetch its full text", provenance.source_id)
        return

    figures: dict[etree._Element, Figure] = {}
    for number, element in enumerate(text.figures(), 1):
        figures[element] = _read_figure(element, number, path, declared)
        if figures[element].image is not None and (reason := _image_refused(element, figures[element])):
            figures[element] = replace(figures[element], image=None, image_sha256=None)
            yield Reject(name, "image_licence", reason, figures[element].label or f"image {number}")
    cited = [(paragraph, _cited_by(element, figures)) for paragraph, element in text.paragraphs]
    for element, figure in figures.items():
        figures[element] = replace(figure, context=tuple(paragraph for paragraph, cites in cited if element in cites))
    yield Document(
        provenance=provenance,
        language=detect_language(" ".join(paragraph for paragraph, _ in text.paragraphs)),
        markdown="\n\n".join(_render(text, figures)),
        figures=tuple(sorted(figures.values(), key=_number)),
    )


def _number(figure: Figure) -> float:
    """Figures that float come after all others in the file; numbered ones are put in their order."""
    number = label_key(figure.label)
    return int(number) if number.isdecimal() else math.inf


def _provenance(
    article: etree._Element, meta: etree._Element | None, path: Path, declared: Declared, alone: bool
) -> Provenance:
    ids: dict[str, str] = {}
    for element in meta.findall("{*}article-id") if meta is not None else []:
        ids.setdefault(element.get("pub-id-type", ""), (element.text or "").strip())
    pmc = next((ids[key] for key in ("pmcid", "pmc", "pmcaid") if ids.get(key)), None)
    pmc = f"PMC{pmc.upper().removeprefix('PMC')}" if pmc else None
    doi = declared.doi or ids.get("doi") or None
    permissions = meta.find("{*}permissions") if meta is not None else None
    if permissions is None and meta is not None:
        permissions = meta.find("{*}copyright-statement")  # JATS before 2.3 has no <permissions>
    statement = "" if permissions is None else etree.tostring(permissions, encoding="unicode", with_tail=False)
    is_case = article.get("article-type") == "case-report"
    return Provenance(
        source_kind="case_report" if is_case else declared.source_kind or "article",
        source_id=declared.id or pmc or doi or f"jats:{sha256_of_file(path)[:16]}",
        source_licence=check_licence(declared.licence or statement).spdx,
        source_locator=declared.relative(path),
        source_sha256=sha256_of_file(path) if alone else hashlib.sha256(etree.tostring(article)).hexdigest(),
        source_title=declared.title or (_text_at(meta, "{*}title-group/{*}article-title") if meta is not None else "") or None,
        source_doi=doi,
        source_url=declared.url or (f"https://europepmc.org/article/PMC/{pmc}" if pmc else doi and f"https://doi.org/{doi}"),
        case_id=declared.case_id,
    )


def _text_at(element: etree._Element, path: str) -> str:
    found = element.find(path)
    return inline_text(found, skip=("fn", "xref")) if found is not None else ""


def _walk(elements: Iterable[etree._Element], depth: int, text: _Text) -> None:
    """Append what ``elements`` hold to ``text``; ``depth`` is the level of a section's heading among them."""
    for element in elements:
        name = name_of(element)
        if name in ("sec", "app", "ack", "notes", "boxed-text"):
            unnamed = "Acknowledgements" if name == "ack" else ""
            if heading := " ".join(filter(None, (_text_at(element, "{*}label"), _text_at(element, "{*}title") or unnamed))):
                text.blocks.append(f"{'#' * min(depth, 6)} {heading}")
            _walk(element, depth + 1, text)
        elif name == "p":
            if line := inline_text(element, skip=_BLOCKS):
                text.blocks.append(f"- {line}" if name_of(element.getparent()) == "list-item" else line)
                text.paragraphs.append((line, element))
            _walk((inner for inner in element if name_of(inner) in _BLOCKS), depth, text)
        elif name == "disp-formula":
            if formula := inline_text(element, skip=("label",)):
                text.blocks.append(" ".join(filter(None, (formula, _text_at(element, "{*}label")))))
        elif name == "fig":
            text.blocks.append(element)
        elif name == "fig-group":
            text.blocks += element.findall("{*}fig") or [element]
        elif name == "table-wrap":
            text.blocks += _table(element)
        elif name and name not in _LEFT_OUT:
            _walk(element, depth, text)


def _table(wrap: etree._Element) -> list[str]:
    """Caption and table as Markdown; nothing but the caption where the table is an image."""
    caption = " ".join(inline_text(part) for part in (wrap.find("{*}label"), wrap.find("{*}caption")) if part is not None)
    rows = [
        [
            (inline_text(cell), span_of(cell.get("colspan")), span_of(cell.get("rowspan")))
            for cell in row
            if name_of(cell) in ("td", "th")
        ]
        for row in wrap.iter("{*}tr")
    ]
    notes = [inline_text(foot) for foot in wrap.findall("{*}table-wrap-foot")]
    return [block for block in (caption, table_to_markdown(rows), *notes) if block]


def _read_figure(element: etree._Element, number: int, path: Path, declared: Declared) -> Figure:
    """Label, caption and, if its file lies beside the article, the image of one ``<fig>``.

    A panel of a ``<fig-group>`` is called as the group is, and its caption follows the group's.
    """
    printed = _text_at(element, "{*}label").rstrip(".: ")
    caption = _caption(element)
    group = element.getparent()
    if group is not None and name_of(group) == "fig-group":
        caption = f"{_caption(group)} {caption}".strip()
        if not parse_label(printed):
            printed = f"{_text_at(group, '{*}label').rstrip('.: ')}{printed}"
    hrefs = [graphic.get(_HREF, "") for graphic in element.iter("{*}graphic")]
    found = next((found for href in hrefs if (found := image_beside(path.parent, href, declared.takes))), None)
    return Figure(
        label=parse_label(printed) or printed,
        caption=caption,
        locator=printed or f"picture {number}",
        image=found[1] if found else None,
    )


def _caption(element: etree._Element) -> str:
    """Title and paragraphs of a ``<caption>``; one that is written straight into it counts, too."""
    caption = element.find("{*}caption")
    if caption is None:
        return ""
    blocks = [part for part in caption if name_of(part) in ("title", "p")]
    between = [caption.text or "", *(part.tail or "" for part in caption)]
    if len(blocks) < len([part for part in caption if name_of(part)]) or any(text.strip() for text in between):
        for block in blocks:
            block.tail = f" {block.tail or ''}"
        return inline_text(caption)
    title, *paragraphs = [inline_text(block) for block in blocks] or [""]
    return " ".join([f"{title}." if paragraphs and title[-1:].isalnum() else title, *paragraphs]).strip()


def _image_refused(element: etree._Element, figure: Figure) -> str | None:
    """Why the image of a figure is not under its article's licence, or None."""
    if _BY_PERMISSION.search(figure.caption):
        return "the caption says that the image is another owner's; the caption is kept"
    if re.search(r"\bcc[ -]by\b|creative commons", figure.caption, re.IGNORECASE):
        licence = check_licence(figure.caption)
        if not licence.allowed:
            return f"the caption names a licence of its own: {licence.reason}; the caption is kept"
    group = element.getparent()
    of_group = group.findall("{*}permissions") if group is not None and name_of(group) == "fig-group" else []
    for permissions in (*element.iter("{*}permissions"), *of_group):
        licence = check_licence(etree.tostring(permissions, encoding="unicode", with_tail=False))
        if not licence.allowed:
            return f"the figure has a licence of its own: {licence.reason}; the caption is kept"
    return None


def _cited_by(paragraph: etree._Element, figures: dict[etree._Element, Figure]) -> set[etree._Element]:
    """The figures that the ``<xref>``s of a paragraph (not of tables or captions in it) point at, ranges included."""
    by_id: dict[str | None, list[etree._Element]] = {}
    for element in figures:
        by_id.setdefault(element.get("id"), []).append(element)
        group = element.getparent()
        if group is not None and name_of(group) == "fig-group":
            by_id.setdefault(group.get("id"), []).append(element)
    by_label = {figure.label: element for element, figure in figures.items() if figure.label}
    cited: set[etree._Element] = set()
    for xref in paragraph.iter("{*}xref"):
        if xref.get("ref-type") != "fig" or any(name_of(a) in _BLOCKS for a in _ancestors_below(xref, paragraph)):
            continue
        words = inline_text(xref)
        labels = cited_labels(words if words[:1].isalpha() else f"Figs. {words}", by_label)
        if any("—" in label and label not in by_label for label in labels):
            continue  # a supplement of the figure that is pointed at
        targets = [element for rid in xref.get("rid", "").split() for element in by_id.get(rid, ())]
        cited.update(targets)
        if targets and figures[targets[0]].label in labels:
            cited.update(by_label[label] for label in labels if label in by_label)
        following = xref.getnext()
        goes_on = following is not None and _DASH.fullmatch(xref.tail or "") and following.get("ref-type") == "fig"
        last = by_id.get((following.get("rid") or "").split(" ")[-1]) if targets and goes_on and following is not None else None
        if last:
            ends = "–".join(label_key(figures[end].label) for end in (targets[-1], last[-1]))
            cited.update(by_label[label] for label in cited_labels(f"Figs. {ends}", by_label) if label in by_label)
    return cited


def _ancestors_below(element: etree._Element, top: etree._Element) -> Iterator[etree._Element]:
    return itertools.takewhile(lambda ancestor: ancestor is not top, element.iterancestors())


def _render(text: _Text, figures: dict[etree._Element, Figure]) -> Iterator[str]:
    """The blocks with figures as Markdown; one that floats stands after the first paragraph that cites it, else at the end."""
    waiting = list(text.floats)
    for block in text.blocks:
        if not isinstance(block, str):
            yield _figure_block(figures[block])
            continue
        yield block
        for element in [e for e in waiting if block.removeprefix("- ") in figures[e].context]:
            waiting.remove(element)
            yield _figure_block(figures[element])
    for element in waiting:
        yield _figure_block(figures[element])


def _figure_block(figure: Figure) -> str:
    caption = f"{figure.label}. {figure.caption}" if figure.label else figure.caption
    return f"![{figure.label}]({figure.image_sha256 or ''})\n\n{caption}".strip()


def _article_showing(image: Path) -> Path | None:
    """The article in the image's folder that has a ``<graphic>`` of that name."""
    return _graphics_of(image.parent).get(image.stem) or _graphics_of(image.parent).get(image.name)


@functools.lru_cache(maxsize=4)
def _graphics_of(folder: Path) -> dict[str, Path]:
    """Every name that a ``<graphic>`` of the folder's articles gives, to the article."""
    return {
        Path(name.decode("utf-8", "replace")).name: path
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in (".xml", ".nxml") and path.is_file()
        for name in re.findall(rb"<graphic\b[^>]*?href\s*=\s*[\"']([^\"'<>]+)[\"']", path.read_bytes())
    }
