"""Plain sentences from a document's Markdown: what a question may quote, without mark-up or pointers to what is not shown."""

import re
from dataclasses import dataclass

from dataset_builders.sources.base import detect_language

_FIGURE_WORD = r"(?:figs?\.?|figures?|tables?|boxe?s?|videos?|plates?|图|表|附图)"
_NUMBER = r"(?:S?\d+(?:[.\-–]\d+)*\s*[A-Za-z]?(?:\s*[–\-,]\s*[A-Za-z0-9]\b)*)"
_POINTER = rf"{_FIGURE_WORD}\s*{_NUMBER}(?:\s*(?:,|;|and|&|to|和|、|及|至|[–\-])\s*(?:{_FIGURE_WORD}\s*)?{_NUMBER})*"

POINTER = re.compile(rf"(?<![A-Za-z]){_POINTER}", re.IGNORECASE)
"""A reference to a numbered figure, table, box or video ("Fig. 3A", "Tables 1 and 2", "图3-2")."""

CITATION = re.compile(r"\s*\[\s*\d{1,3}(?:\s*[,;–\-]\s*\d{1,3})*\s*\]")
"""A numbered literature citation ("[12]", "[3, 5–7]")."""

_POINTER_ASIDE = re.compile(
    rf"\s*[(（\[]\s*(?:see|see also|as shown in|shown in|as in|cf\.?|见|如|参见|如下)?\s*(?:also\s+)?{_POINTER}"
    r"[^()（）\[\]]{0,40}[)）\]]",
    re.IGNORECASE,
)
_IMAGE = re.compile(r"!\[[^\]]*\]\([^)]*\)")
_LINK = re.compile(r"\[([^\]]+)\]\((?:[^)\s]*)\)")
_SUPERSCRIPT_CITATION = re.compile(r"<sup>[\s\d,;–\-]+</sup>", re.IGNORECASE)
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,200}>")
_EMPHASIS = re.compile(r"(\*\*|__|\*|`)(?=\S)(.+?)(?<=\S)\1")
_HEADING = re.compile(r"^(#{1,6})\s+(.+?)\s*#*$")
_CAPITALS = re.compile(r"^[A-Z][A-Z /&,'()\-]{3,60}:?$")
_SENTENCE_END = re.compile(r"(?<=[a-z0-9)%\]A-Z])[.!?](?=\s+[A-Z(\"“])|(?<=[。！？])")
_ABBREVIATION = re.compile(r"(?:\b(?:Fig|Figs|Dr|Mr|Mrs|Ms|Prof|St|vs|et al|e\.g|i\.e|cf|approx|No|ca|Ref|Eq|Vol|[A-Z]))$")


@dataclass(frozen=True, slots=True)
class Section:
    """A heading (plain, "" before the first), its level (1–6, 0 for none), and its paragraphs, plain, tables left out."""

    title: str
    depth: int
    paragraphs: tuple[str, ...]


def plain_text(markdown: str) -> str:
    """One paragraph of Markdown as prose: no pictures, links, tags, emphasis, citations or "(see Fig. 3)" asides."""
    text = _IMAGE.sub(" ", markdown)
    text = _SUPERSCRIPT_CITATION.sub("", text)
    text = _TAG.sub("", text)
    text = CITATION.sub("", text)
    text = _LINK.sub(r"\1", text)
    text = _POINTER_ASIDE.sub("", text)
    text = _EMPHASIS.sub(r"\2", text)
    text = re.sub(r"[ \t\r\n]+", " ", text).strip()
    return re.sub(r"\s+([,.;:，。；：])", r"\1", text)


def sections(markdown: str) -> list[Section]:
    """The document's sections in order. Lines in capitals alone are headings too (clinical notes); table rows are left out."""
    found: list[tuple[str, int, list[str]]] = [("", 0, [])]
    for block in re.split(r"\n\s*\n", markdown):
        lines: list[str] = []
        for line in block.splitlines():
            heading = _HEADING.match(line.strip())
            if heading or _CAPITALS.match(line.strip()):
                _close(lines, found)
                lines = []
                title = plain_text(heading[2]) if heading else line.strip().rstrip(":").capitalize()
                found.append((title, len(heading[1]) if heading else 1, []))
            elif not line.lstrip().startswith("|"):
                lines.append(line)
        _close(lines, found)
    return [Section(title, depth, tuple(paragraphs)) for title, depth, paragraphs in found if title or paragraphs]


def sentences(paragraph: str) -> list[str]:
    """Sentences of a plain paragraph, English or Chinese; abbreviations and decimals do not end one."""
    pieces: list[str] = []
    start = 0
    for match in _SENTENCE_END.finditer(paragraph):
        if _ABBREVIATION.search(paragraph[start : match.start()]) and match.group():
            continue
        pieces.append(paragraph[start : match.end()].strip())
        start = match.end()
    pieces.append(paragraph[start:].strip())
    return [piece for piece in pieces if piece]


def is_prose(text: str, shortest: int = 40) -> bool:
    """Whether ``text`` reads as a finished sentence: long enough (Chinese: a third), mostly letters, begun and ended as one."""
    chinese = detect_language(text) == "zh"
    if len(text) < (shortest // 3 if chinese else shortest):
        return False
    letters = sum(character.isalpha() or character == " " for character in text)
    if letters < 0.8 * len(text) or "http" in text or "@" in text:
        return False
    return text[-1] in ".!?。！？" and (chinese or text[0].isupper() or text[0].isdigit())


def _close(lines: list[str], found: list[tuple[str, int, list[str]]]) -> None:
    paragraph = plain_text("\n".join(lines))
    if paragraph:
        found[-1][2].append(paragraph)
