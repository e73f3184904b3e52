"""Plain sentences from a document's Markdown: what a question may quote, without mark-up or pointers to what is not shown.

What makes a passage fit to be asked about is said at ``teaching_run``.
"""

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from dataset_builders.deidentify.known_words import english_words, is_known, is_misspelt
from dataset_builders.figures.captions import find_references, is_caption
from dataset_builders.language import detect_language

CITATION = re.compile(r"\s*\[\s*\d{1,3}(?:\s*[,;–\-]\s*\d{1,3})*\s*\]")
"""A numbered literature citation ("[12]", "[3, 5–7]")."""

_CITATION_MARK = re.compile(
    r"(?<=[A-Za-z]{2}[.,;)])(?<!fig\.)(?<!figs\.)(?<!no\.)(?<!vol\.)(?<!tab\.)(?<!pp\.)\d{1,3}(?:[,–-]\d{1,3})*(?=\s|$)"
    r"|(?<=[a-z)][.,;])\(\d{1,3}(?:\s*[,–-]\s*\d{1,3})*\)",
    re.IGNORECASE,
)
"""A superscript citation that lost its position ("beliefs.49-51 Patients", "pain.(8)")."""

_ASIDE = re.compile(
    r"\s*[(（\[]\s*(?:see|see also|as shown in|shown in|as in|cf\.?|见|如|参见|如下)?\s*(?:also\s+)?"
    r"(?P<rest>[^()（）\[\]]*)[)）\]]",
    re.IGNORECASE,
)
_ASIDE_CHARACTERS = 40
"""Longest text after the reference of an aside ("see Fig. 3, left")."""
_IMAGE = re.compile(r"!\[[^\]]*\]\([^)]*\)")
_LINK = re.compile(r"\[([^\]]+)\]\((?:[^)\s]*)\)")
_SUPERSCRIPT_CITATION = re.compile(r"<sup>[\s\d,;–\-]+</sup>", re.IGNORECASE)
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,200}>")
_EMPHASIS = re.compile(r"(\*\*|__|\*|`)(?=\S)(.+?)(?<=\S)\1")
_HEADING = re.compile(r"^(#{1,6})\s+(.+?)\s*#*$")
_CAPITALS = re.compile(r"^[A-Z][A-Z /&,'()\-]{3,60}:?$")
_SENTENCE_END = re.compile(r"(?<=[a-z0-9)%\]A-Z])[.!?](?=\s+[A-Z(\"“])|(?<=[。！？])")
_ABBREVIATION = re.compile(r"(?:\b(?:Fig|Figs|Dr|Mr|Mrs|Ms|Prof|St|vs|et al|e\.g|i\.e|cf|approx|No|ca|Ref|Eq|Vol|[A-Z]))$")


LEANS_BACK = re.compile(
    r"^(?:this|that|these|those|it|its|they|their|such|here|however|therefore|thus|hence|also|in addition|moreover|"
    r"furthermore|additionally|similarly|conversely|in contrast|consequently|nevertheless|finally|then|another|"
    r"in (?:this|these|such)|the (?:latter|former|same|above|following|preceding))\b|\bthe same (?:dis[ck]|level|segment)\b|"
    r"^(?:其|该|此|这|它|因此|但|而|另外|此外|上述|以上|同时|然而)",
    re.IGNORECASE,
)
"""A sentence that cannot be understood without the one before."""

ABOUT_THE_WORK = re.compile(
    r"\b(?:we|our|ours|us|i|this (?:study|review|paper|article|section|chapter|guideline|guidance|document|work|cpg|report|"
    r"stage|step|method|model|experiment|table|overview|trial)|(?:the|these|those|all|included|reviewed|identified|eligible|"
    r"existing|most|present|current|previous|recent|prior|future|few|many|several|further|more|\d+) (?:studies|trials|reviews|"
    r"rcts?|guidelines|research)|work group|working group|committee|panel|stakeholders?|cpgs?|focus groups?|evidence (?:review|"
    r"base|synthesis)|systematic (?:evidence )?reviews?|meta-analys[ie]s|literature (?:search|review)|key questions?|"
    r"research (?:needs?|gaps?|priorit\w+|questions?)|risk of bias|quality (?:of|assessment of) (?:the )?evidence|grade system|"
    r"participants?|cohorts?|control group|data\s?sets?|algorithms?|neural networks?|deep learning|machine learning|"
    r"trained|auc|area under|annotat\w+|p\s*[<=>]\s*0?\.\d+|95% ci|confidence intervals?|appendix|table [a-z]-?\d|"
    r"(?:the|this|our|one|a \d+-year-old) patients? (?:was|were|had|is|underwent)|year-old|adapted from|et al)(?!\w)|"
    r"本研究|本文|本组|本例|我们|纳入|该患者|岁|[Pp]\s*[<＜=]\s*0",
    re.IGNORECASE,
)
"""A sentence about the work, its makers and its data, or about one patient: nothing that a reader elsewhere could know."""

_LEANS_WITHIN = re.compile(
    r"\b(?:this|these|those|such(?: an?)?) (?P<noun>[a-z]{3,})|(?:这种|这类|该|此|上述)(?P<zh>[一-鿿]{2})", re.IGNORECASE
)
"""A noun that points back, wherever it stands; it is understood only if the sentence has named it before."""

_TO_THE_READER = re.compile(
    r"^(?:visit|watch|view|see|explore|use) (?:this|the|these) \w+|[?？]$|\b(?:website|video|animation|quiz)\b|扫描二维码",
    re.IGNORECASE,
)
_UNITS = ("mmhg", "kpa", "ppm", "rpm", "mm", "cm", "kg", "hrs")
_COMBINING = frozenset((
    "radio", "semi", "poly", "mono", "multi", "inter", "extra", "micro", "macro", "under", "over", "cross", "post", "brain",
    "hyper", "less", "like", "stem", "bearing",
))  # fmt: skip
"""Halves that are joined to others without a hyphen ("radiofrequency", "brainstem")."""
_SHORTEST_HALF = 4  # letters of each of two words run together: "weekend" and "upright" are words, shorter halves chance
_COMMON = 1_000_000  # uses in the word list's corpus (ours): rarer words are chance halves of terms
_OF_NO_CONTENT = frozenset(re.findall(
    r"\w+",
    "the and for with from that this these those which where when while into onto upon over under between there their its are "
    "was were been being has have had can may will not but also each all any both than then thus such one two they them it "
    "called known form formed forms",
))  # fmt: skip
_LOOSE_NUMBER = re.compile(r"(?<=[a-z] )\d{1,3}\.(?= [a-z])|^\d{1,3}(?:\.\d+)*\.?\s+[A-Z]")


@dataclass(frozen=True, slots=True)
class Section:
    """A heading (plain, "" before the first), its level (1–6, 0 for none), and its paragraphs, plain, tables left out."""

    title: str
    depth: int
    paragraphs: tuple[str, ...]


def plain_text(markdown: str) -> str:
    """Turn one paragraph of Markdown into prose: no images, links, tags, emphasis, citations or "(see Fig. 3)" asides."""
    text = _IMAGE.sub(" ", markdown)
    text = _SUPERSCRIPT_CITATION.sub("", text)
    text = _TAG.sub("", text)
    text = CITATION.sub("", text)
    text = _CITATION_MARK.sub("", re.sub(r"\^\d[\d,–-]*\^", "", text))
    text = _LINK.sub(r"\1", text)
    text = _ASIDE.sub(lambda match: "" if _is_reference(match["rest"]) else match[0], text)
    text = _EMPHASIS.sub(r"\2", text)
    text = re.sub(r"[ \t\r\n]+", " ", text).strip()
    return re.sub(r"\s+([,.;:，。；：])", r"\1", text)


def sections(markdown: str) -> list[Section]:
    """Cut a document into its sections. Lines in capitals alone are headings too (clinical notes); table rows are left out."""
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
    """Cut a plain paragraph, English or Chinese, into sentences; abbreviations and decimals do not end one."""
    pieces: list[str] = []
    start = 0
    for match in _SENTENCE_END.finditer(paragraph):
        if _ABBREVIATION.search(paragraph[start : match.start()]) and match.group():
            continue
        pieces.append(paragraph[start : match.end()].strip())
        start = match.end()
    pieces.append(paragraph[start:].strip())
    return [piece for piece in pieces if piece]


def teaching_run(section: Section, longest: int) -> list[str]:
    """Find the longest run of a section's sentences that teaches by itself, at most ``longest`` characters; [] if none does.

    A sentence fits if it is whole prose (``is_debris``), points to nothing that is not shown and speaks of the field,
    not of the work it stands in (its authors, methods, data, committee, planned research) nor of one patient. Captions are
    left out, and so are invitations and questions to the reader. A run begins with a sentence that does not lean on the one
    before, and has no gaps. If fewer than half of a section's characters fit, it speaks mainly of something else: [].
    """
    runs: list[list[str]] = [[]]
    said = 0
    for paragraph in section.paragraphs:
        if is_caption(paragraph):
            continue
        for sentence in sentences(paragraph):
            if _TO_THE_READER.search(sentence):
                continue
            said += len(sentence)
            if not teaches(sentence):
                runs.append([])
            elif runs[-1] or not leans_back(sentence):
                runs[-1].append(sentence)
    fit = sum(len(sentence) for run in runs for sentence in run)
    if 2 * fit < said:
        return []
    within = ([sentence for number, sentence in enumerate(run) if len(" ".join(run[: number + 1])) <= longest] for run in runs)
    return max(within, key=lambda run: sum(map(len, run)), default=[])


def teaches(sentence: str) -> bool:
    """Return whether a sentence is whole prose about the field: no debris, pointer, invitation, nor word about the work."""
    return not (
        is_debris(sentence) or find_references(sentence) or ABOUT_THE_WORK.search(sentence) or _TO_THE_READER.search(sentence)
    )


def leans_back(sentence: str) -> bool:
    """Return whether a sentence needs one before it ("It …", "In 2020, this category …"): nothing of it begins an answer."""
    if LEANS_BACK.search(sentence):
        return True
    for match in _LEANS_WITHIN.finditer(sentence):
        noun = (match["noun"] or match["zh"]).lower()
        if noun not in ("that", "who", "with", "patients") and noun[:5] not in sentence[: match.start()].lower():
            return True
    return False


def shared_words(text: str, other: str) -> float:
    """Return the share of the content words of ``text`` that ``other`` has too, in whatever form; 1.0 if it has none.

    Words are compared by their first five letters, Chinese text by its pairs of characters.
    """
    words, others = _content_words(text), _content_words(other)
    return len(words & others) / len(words) if words else 1.0


def _content_words(text: str) -> set[str]:
    if detect_language(text) == "zh":
        return set(re.findall(r"(?=([一-鿿]{2}))", text))
    return {word[:5] for word in re.findall(r"[a-z]{3,}", text.lower()) if word not in _OF_NO_CONTENT}


def join_within(pieces: Sequence[str], longest: int) -> str:
    """Join as many whole sentences as fit in ``longest`` characters; "" if the first one does not."""
    text = ""
    for piece in pieces:
        joined = f"{text} {piece}" if text and piece[:1].isascii() and text[-1:].isascii() else text + piece
        if len(joined) > longest:
            break
        text = joined
    return text


def is_debris(sentence: str) -> bool:
    """Return whether a sentence is no whole prose: what tables, columns and page edges leave behind in extracted text."""
    chinese = detect_language(sentence) == "zh"
    if not is_prose(sentence, 20) or (not chinese and sentence[0].islower()):
        return True
    pairs = (("(", ")"), ("[", "]"), ("（", "）"), ("“", "”"))
    if any(sentence.count(opening) != sentence.count(closing) for opening, closing in pairs):
        return True
    if chinese:
        return sentence[0] in "（("
    if any(map(is_broken_word, re.findall(r"(?<![\w-])[a-z]+(?![\w-])", sentence))):
        return True
    words = sentence.split()
    loose = sum(len(word) == 1 and word.islower() and word != "a" for word in words)
    # Cells of a table run together: words begun with a capital in the middle of a sentence, one after the other.
    named = sum(bool(re.fullmatch(r"[A-Z][a-z]{2,}[a-z-]*", word)) for word in words[1:])
    return loose > 1 or bool(_LOOSE_NUMBER.search(sentence)) or (named >= 3 and named > 0.12 * len(words))


@functools.cache
def is_broken_word(word: str) -> bool:
    """Return whether a word in lower case is what extraction leaves: two words run together ("suggestduloxetine"), or a piece
    without a vowel ("tng").
    """
    if len(word) >= 3 and not re.search(r"[aeiouy]", word):
        return word not in _UNITS
    if len(word) < 2 * _SHORTEST_HALF or is_known(word) or is_misspelt(word):
        return False
    halves = ((word[:cut], word[cut:]) for cut in range(_SHORTEST_HALF, len(word) - _SHORTEST_HALF + 1))
    halves = ((left, right) for left, right in halves if left not in _COMBINING and right not in _COMBINING)
    return any(english_words().get(left, 0) > _COMMON and english_words().get(right, 0) > _COMMON for left, right in halves)


def is_prose(text: str, shortest: int = 40) -> bool:
    """Return whether ``text`` reads as a finished sentence.

    It is at least ``shortest`` characters long (Chinese: a third), mostly letters, and begins and ends as one.
    """
    chinese = detect_language(text) == "zh"
    if len(text) < (shortest // 3 if chinese else shortest):
        return False
    letters = sum(character.isalpha() or character == " " for character in text)
    if letters < 0.8 * len(text) or "http" in text or "@" in text:
        return False
    return text[-1] in ".!?。！？" and (chinese or text[0].isupper() or text[0].isdigit())


def _is_reference(text: str) -> bool:
    references = find_references(text)
    return bool(references) and references[0].start == 0 and len(text) - references[0].end <= _ASIDE_CHARACTERS


def _close(lines: list[str], found: list[tuple[str, int, list[str]]]) -> None:
    paragraph = plain_text("\n".join(lines))
    if paragraph:
        found[-1][2].append(paragraph)
