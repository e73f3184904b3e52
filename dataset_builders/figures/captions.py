"""The grammar of figure labels, captions and citations, in English and Chinese.

    "FIG.3-2A Sagittal T2" ─▶ label "Figure 3-2"     "(Figs. 2–4, 6A)" ─▶ cites Figure 2, 3, 4, 6     "见图1、2" ─▶ 图1, 图2

One normal form: "Figure 3", "Figure 3-2", "Figure 7.20", "Figure S3" (any supplementary figure), "图3-2", "图S1" (附图1),
"Figure 1—figure supplement 2" (a figure of its own), "Scheme 1" and "Plate II" (series of their own). Panel letters are not
part of a label: Figure 3A belongs to Figure 3. Tables, boxes and videos are recognised only as far as references need it.
"""

import html
import re
import unicodedata
from collections.abc import Collection, Iterator
from typing import NamedTuple

from dataset_builders.characters import Rewritten, fold

_SUPPLEMENT = (
    r"\b(?:supp?l(?:ement(?:ary|al))?\.?|supporting|extended[\s-]+data|additional|appendix|online|web)"
    r"(?:\s+(?:materials?|information|files?|digital content|data|content)(?:\s+\d+)?\s*[:,]?)?\s{1,3}"
)
_ENGLISH = (
    rf"(?P<supplement>{_SUPPLEMENT}|\be)?(?-i:(?<![A-Za-df-z]))(?P<word>f[il1]g(?:ure)?s?)"
    r"(?:(?![A-Za-z])|(?-i:(?=S\d)))\s?\.?\s{0,3}(?:no\.?\s?|#)?"
)
# An 心电图 or a 示意图 followed by a number is no label; a 彩图 is of a series of its own.
_CHINESE = r"(?P<annex>附|补充)?(?<![电意程构影面方线像声描插视表草地版制形状谱动流力企试拼截绘饼热彩林斗维波])图\s{0,3}"
# "figure 8 bandage": a shape, not an image.
_NOT_A_SHAPE = (
    r"(?!8[\s-]+(?:band|brace|harness|sutur|splint|cerclage|wir|tension|strap|dress|knot|stitch|tap|turn|shap|config))"
)
_NUMBER = (
    r"(?P<prefix>[SA-E][.-]?)?"
    r"(?P<number>\d{1,2}(?:-\d{1,2}){2}(?![-\d%])|\d{1,3}(?:\.(?:\d{1,3}|l))*(?![\d%])|(?-i:l|\|)(?![A-Za-z])\d?|(?-i:[IVX]{1,5})(?![A-Za-z]|-[a-z]))"
)
_PANEL = (
    r"(?P<panel>\s?\(\s?[a-z](?:\s?[-–—,、&/]\s?[a-z])*\s?\)"
    r"|(?-i:[A-H]{2,6}(?![A-Za-z]))"
    r"|\s?(?!and\b|or\b)[a-z](?:\s?(?:[-–—,、&/]|\band\b)\s?[a-z](?![a-z]))*(?![a-z]))?"
)
_PART = r"(?P<part>\s?[—–-]+\s?(?:figure supplement|source data|source code|video|animation)s?\s?\d*)?"
# "Figure 1 – 3D reconstruction": dimensions, not a second figure's panel.
_NOT_DIMENSIONS = r"(?![234]-?D\s(?:recon|render|model|print|imag|view|scan|gait|motion|surfac|volum|plan|echo|CT|MR))"
_FIRST = re.compile(rf"(?:{_ENGLISH}|{_CHINESE}){_NOT_A_SHAPE}{_NUMBER}{_PART}{_PANEL}", re.IGNORECASE)
_NEXT = re.compile(
    r"\s?(?P<separator>,?\s?(?:and|&|or|to|through|until)|[,、;和及与至到~]|[-–—])\s{0,2}"
    rf"(?P<again>f[il1]g(?:ure)?s?(?![a-z])\s?\.?\s?|图\s?)?{_NOT_DIMENSIONS}{_NUMBER}{_PART}{_PANEL}",
    re.IGNORECASE,
)
_RANGE = re.compile(r"to|through|until|[-–—~至到]", re.IGNORECASE)
_ASIDE = re.compile(r"\s?\([^()]{2,40}\)")  # "Figs. 2 (arrow) and 3"
_IN_SUPPLEMENT = re.compile(
    r"\s(?:in|of) (?:(?:the|online|electronic|web) )*(?:supplement(?:ary|al)?\b|supporting information|appendix\b)",
    re.IGNORECASE,
)
# "Fig. 3 of ref. 12", "Figure 2 in Smith et al."; what the paper itself writes of the work it cites.
_OF_ANOTHER_WORK = re.compile(
    r"\s(?:of|in) (?:(?i:refs?\b|references?\b)\.?\s?\[?\d|\[\d|[A-Z][\w'-]+ (?:et al\b|(?:and|&) [A-Z][\w'-]+,? \(?\d{4}))"
)
# Numbered images that are not called figures. As these are words of the field too ("plate 2 mm long"), a caption needs a
# capital and a point or bar after the number, and a citation a capital and a caption of that label.
_SERIES = r"(?P<series>Scheme|Plate|Chart|Graph|Image|Photo|Photograph|Illustration|Diagram)"
_SERIES_NUMBER = r"\d{1,3}(?:[.-]\d{1,3})?|[IVXL]{1,6}"
_SERIES_CAPTION = re.compile(rf"(?i:{_SERIES})\s(?P<number>{_SERIES_NUMBER})(?P<panel>[A-Ha-h])?\s?(?=[.:|—–]|$)")
_SERIES_CITATION = re.compile(
    rf"\b{_SERIES}s?\s(?P<numbers>(?:{_SERIES_NUMBER})(?:(?:, | and | & |, and )(?:{_SERIES_NUMBER}))*)\b"
)
# Tables, boxes, videos and colour plates: 代表3例 and 体表 are none.
_OTHER_WORD = (
    r"(?:(?<![A-Za-z])(?:tables?|box(?:es)?|videos?)\s{0,3}(?:no\.?\s?)?|(?:(?<![代体外仪手量钟电年图报附])附?表|彩图)\s{0,3})"
)
_OTHER_NUMBER = r"S?\d{1,3}(?:[.\-–]\d{1,3})*[a-z]?(?![A-Za-z\d%])"
_OTHER = re.compile(rf"{_OTHER_WORD}{_OTHER_NUMBER}(?:\s?(?:,|;|and|&|to|[和、及至]|[–-])\s?{_OTHER_NUMBER})*", re.IGNORECASE)
_OTHER_CAPTION = re.compile(r"\s*(?:[.:|：。、]|[A-Z(（](?![a-z]*s\b)|(?![中为示显所可是和与及至总列给])[一-鿿])")


class Reference(NamedTuple):
    """``text[start:end]`` refers to the figures ``labels`` (in normal form) or, if that is empty, to something else."""

    start: int
    end: int
    labels: tuple[str, ...]


def parse_label(text: str) -> str | None:
    """Return the label that ``text`` opens with, in normal form, or None: "FIG. 3A–C | Axial CT" gives "Figure 3"."""
    opening = _open(text)
    return opening[0] if opening else None


def parse_caption(text: str) -> tuple[str, str] | None:
    """Split a figure's caption into its label and its text (label included, on one line); None if it is not a caption.

    A paragraph that opens with a label but speaks about the figure ("Figure 5 depicts …", "图1显示…") is not a caption.
    """
    opening = _open(text)
    if opening is None or _SENTENCE.match(opening[1]):
        return None
    return opening[0], strip_markup(text)


def is_caption(text: str) -> bool:
    """Tell whether ``text`` is the caption of a figure, table, box or video."""
    table = _OTHER.match(text)
    return bool(table and _OTHER_CAPTION.match(text, table.end())) or parse_caption(text) is not None


def split_label(text: str) -> tuple[str, str]:
    """Split a caption free of mark-up into its label and its own words: "Fig. 4A: Axial CT" into "Figure 4" and "Axial CT".

    The label is "" if the caption has none.
    """
    view = _plain(text)
    opening = _open_plain(view.text)
    if opening is None:
        return "", text
    label, rest = opening
    before = view.text[: len(view.text) - len(rest)]
    if _ARTICLE.search(before) and rest[:1] == " " and rest[1:2].islower():  # "Fig. 1 A patient": no panel A
        rest = before[-1] + rest
    rest = rest.lstrip(" \t\n.:|：。、")
    return label, text[view.input_span(len(view.text) - len(rest), len(view.text))[0] :] if rest else ""


_ARTICLE = re.compile(r"\d\s[Aa]\Z")


def is_set_off(caption: str) -> bool:
    """Tell whether a point, bar, bracket, capital or number follows the caption's label, rather than the rest of a sentence."""
    opening = _open(caption)
    return opening is not None and bool(_SET_OFF.match(opening[1]))


def parse_table_caption(text: str, styled: bool = False) -> str | None:
    """Return the label, "Table 3" or "表3", if ``text`` opens with a table's label set off from its words; else None.

    ``styled`` says that the label is set apart in print (bold), which is enough.
    """
    match = _TABLE.match(text)
    if match is None or not (styled or _SET_OFF.match(text, match.end())):
        return None
    number = re.sub("[–‑]", "-", match["number"])
    return f"表{number}" if "表" in match["kind"] else f"Table {number}"


_TABLE = re.compile(r"(?P<kind>(?:Supplementa\w+ )?Table|TABLE|附?表)\s?(?P<number>[A-Z]?[-.]?\d+(?:[.\-–‑]\d+)*)")
_SET_OFF = re.compile(r"\s*(?:[.:|–—‒。：．]|\(continued|$)|\s*[(\[“\"]?[A-Z0-9\u4e00-\u9fff]|\s*[（(]")


def find_references(text: str) -> tuple[Reference, ...]:
    """Find, in order, every place in ``text`` (free of mark-up) that refers to a numbered item outside the running text."""
    view = _plain(text)
    found = [(start, end, labels) for start, end, labels in _figures_cited(view.text, frozenset())]
    found += [(match.start(), match.end(), []) for match in _OTHER.finditer(view.text)]
    # A question may call the images that it shows "Image 1" and "Photo 2".
    series = (match for match in _SERIES_CITATION.finditer(view.text) if not match["series"].startswith(("Image", "Photo")))
    found += [(match.start(), match.end(), []) for match in series]
    return tuple(Reference(*view.input_span(start, end), tuple(labels)) for start, end, labels in sorted(found))


def is_continued(caption: str) -> bool:
    """Tell whether ``caption`` is of a figure's later part ("Fig. 3. (continued)", "续图3"); its text stands with the first."""
    return bool(_GOES_ON.search(caption[:40]))


_GOES_ON = re.compile(r"[(（\[]?\b(?:continued|cont\.?|cont'd)|续[)）]?", re.IGNORECASE)


def cited_labels(paragraph: str, known: Collection[str] = ()) -> tuple[str, ...]:
    """Return the labels of all figures that ``paragraph`` cites, in order of first mention, with lists and ranges expanded.

    ``known`` are the document's own labels: they decide whether "Fig. 1-3" is one label or a range. Without them a plural
    ("Figs. 1-3") or a dash ("Fig. 1–3") means a range, and a hyphen ("Fig. 1-3", "图1-3") a figure numbered by chapter.
    A figure of a cited work counts as the document's own ("[12]: fig. 3", as publishers mark up their own), unless the text
    says whose it is ("Fig. 3 of ref. 12", "their Figure 2").
    """
    text = plain_text(paragraph)
    keys = frozenset(label_key(label) for label in known)
    labels: dict[str, None] = {}
    for start, end, found in _figures_cited(text, keys):
        theirs = _OF_ANOTHER_WORK.match(text, end) or text[:start].endswith(("their ", "Their "))
        labels.update({} if theirs else dict.fromkeys(found))
    for match in _SERIES_CITATION.finditer(text):
        found = [f"{match['series']} {number}" for number in re.split(r"\W+(?:and\W+)?", match["numbers"])]
        labels.update(dict.fromkeys(label for label in found if label in known))
    return tuple(labels)


def label_key(label: str) -> str:
    """Return the part of a label that identifies its figure in either language: "Figure 3-2" and "图3-2" give "3-2"."""
    return re.sub(r"^(?:Figure |图)", "", label)


def strip_markup(text: str) -> str:
    """Return ``text`` on one line without images, tags and emphasis; links keep their text."""
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)|</?[A-Za-z!][^<>]*>", "", text)
    text = re.sub(r"\[([^\[\]]*)\]\(#?[^()\s]*(?:\([^()]*\)[^()\s]*)?\)", r"\1", text)
    text = re.sub(r"(\*{1,3}|__)(?=\S)(.+?)(?<=\S)\1", r"\2", text)
    return re.sub(r"\s+", " ", text).strip()


def plain_text(text: str) -> str:
    """Strip mark-up and fold variant spellings, so that a text can be matched.

    Entities, superscript digits and formula signs are removed and characters that mean the same are folded; "S1 Fig" (as PLOS
    writes it) becomes "Fig S1" and 图一 becomes 图1.
    """
    text = re.sub(r"[¹²³⁰⁴-⁹]+|\$\s?\^\{?[^$]*\$|\$", "", html.unescape(strip_markup(text)))
    return re.sub(r"\s+", " ", _plain(text).text).strip()


def _plain(text: str) -> Rewritten:
    plain = fold(text)
    if _CIRCLED.search(plain.text):
        plain = Rewritten(_CIRCLED.sub(lambda match: unicodedata.normalize("NFKC", match[0]), plain.text), plain.steps)
    plain = plain.replace((match.start(), match.end(), f"{match[2]} {match[1]}") for match in _PLOS.finditer(plain.text))
    return plain.replace((*match.span(), str(_number_of(match[0]))) for match in _HAN_NUMBER.finditer(plain.text))


_CIRCLED = re.compile("(?<=图)[①-⑨]")
_PLOS = re.compile(
    r"(?<![-/\w–])(S\d{1,2}(?:(?:\s?[-–]\s?|, | and |, and )S\d{1,2})*) (Fig(?:ure)?s?)\b(?!\s?\.?\s?S?\d)", re.IGNORECASE
)
_HAN_NUMBER = re.compile(r"(?<=图)[一二三四五六七八九十]{1,3}(?=$|[\s所示为是显中、和及与至到~(:,，。.;)])")


def _number_of(han: str) -> int:
    """The number of Han numerals below 100: 二十一 is 21."""
    digits = {digit: value for value, digit in enumerate("一二三四五六七八九", 1)}
    tens, ten, ones = han.rpartition("十")
    return 10 * digits.get(tens, 1 if ten else 0) + digits.get(ones, 0)


# What follows the label in a sentence about a figure; in a caption a point, a bar, a capital or a noun follows.
_DISPLAYS = (
    r"(?:show|depict|illustrat|present|demonstrat|display|giv|summari[sz]|compar|outlin|provid|reveal|indicat|describ|"
    r"represent|contain|report|plot|exhibit|highlight|list|suggest|explain|visuali[sz]|confirm|include|offer|trace|"
    r"correspond|refer|sketch|document|detail)(?:s|es|e|ed|n|en|ing)?\b(?! of)"
)
_SENTENCE = re.compile(
    # "Figure 1 (left) shows"; "Fig. 3, A and B, Sagittal" is a caption of two panels.
    r"(?:[\s,–-]*\([^()]{1,20}\))*\s?(?:"
    r",(?!\s?[A-H](?:(?:\s?[-–,&]\s?| and )[A-H])*[.,:] )|;|\)|\][.,;)]|'s\b|and\b|or\b|to\b|in\b|of\b|from\b|for\b|with\b|"
    r"below|above|also|clearly|further|then|thus|here|"
    r"(?:left|right|top|bottom|panel)\b[^.]{0,20}\b(?:shows?|is|are)\b|"
    r"(?:on|at|after|before)\b[^.,]{0,40}\b(?:shows?|depicts?|illustrates?|demonstrates?)\b|"
    r"(?:is|are|was|were|has|have|can|may|will|should|does|would|could|might|must)\b|"
    rf"(?:[a-z]+ly )?{_DISPLAYS}|"
    r"(?:[a-z]+ly )?[a-z]{2,}s (?:the|an?|that|how|which|both|clear)\b|"
    r"[是为中给示可所和与及、，]|(?:显示|展示|描述|表示|说明|列出|反映|提示)(?:了|出|的|，|,|[^\s]{0,2}[是为]))"
)


# What may stand before the label of a figure's second part.
_CONTINUED = re.compile(r"^(?:\(?continued\)?[:.]?\s|\(?续\)?\s?)(?=fig|图)", re.IGNORECASE)
# "Fig. 3–4 Axial CT": one label, as its word has no plural; in a citation it is a range.
_CHAPTER_DASH = re.compile(r"fig(?:ure)?\b\.?\s{0,3}(\d{1,3})[-–—](\d{1,3})(?![\d-]|\.\d)[a-h]?\b", re.IGNORECASE)


def _figures_cited(plain: str, keys: frozenset[str]) -> Iterator[tuple[int, int, list[str]]]:
    position = 0
    while match := _FIRST.search(plain, position):
        labels, position = _read_list(plain, match, keys)
        yield match.start(), position, labels


def _open(text: str) -> tuple[str, str] | None:
    """The label that a text opens with and what comes after label and panel letters."""
    return _open_plain(plain_text(text))


def _open_plain(plain: str) -> tuple[str, str] | None:
    plain = _CONTINUED.sub("", plain.lstrip(" *_#>|([【▲△▶►◆●■★▼"))
    if series := _SERIES_CAPTION.match(plain):
        return f"{series['series'].capitalize()} {series['number']}", plain[series.end() :]
    match = _FIRST.match(plain)
    if match is None:
        return None
    found, end = _read_list(plain, match, frozenset())
    if len(found) > 1 and (chapter := _CHAPTER_DASH.match(plain)):
        return f"Figure {chapter[1]}-{chapter[2]}", plain[chapter.end() :]
    if len(found) != 1:  # "Figures 1 and 2" is no one figure's label
        return None
    return found[0], plain[end:]


def _read_list(text: str, first: re.Match[str], keys: frozenset[str]) -> tuple[list[str], int]:
    """Labels of one citation (a list, with ranges) that opens with ``first``, and where it ends."""
    word = "图" if first["word"] is None else "Figure "
    glued = bool(first["word"]) and first["word"][-1] == "S" and text[first.end("word") : first.end("word") + 1].isdigit()
    plural = bool(first["word"]) and first["word"][-1] in "sS" and not glued
    supplementary = bool(first["supplement"] or first["annex"]) or (glued and not first["word"].isupper())
    numbers = [_number(first, supplementary)]
    end = first.end()
    if first["part"]:
        return [f"{word}{numbers[0]}{_part(first)}"], end
    panel, closed = first["panel"], False
    while match := _next(text, end, plural):
        number, end_of_number = _number(match, supplementary), match.end()
        separator = match["separator"].strip(" ,") or ","
        if any("-" in other for other in numbers) and (chapter := re.compile(r"-(\d{1,3})").match(text, match.end("number"))):
            number, end_of_number = f"{number}-{chapter[1]}", chapter.end()
        if not panel and not match["again"] and _is_chapter(numbers[-1], number, match.group(0), plural, word, keys):
            numbers[-1] = f"{numbers[-1]}-{number}"
        elif _RANGE.fullmatch(separator):
            between = _between(numbers[-1], number)
            if between is None:
                break
            numbers += between
        elif match["again"] or closed or not (plural or _ends_citation(text, end_of_number, word)):
            break  # "Fig. 1 and Figs. 2–4" are two citations
        else:
            closed = separator.lower() in ("and", "&", "or")
            numbers.append(number + (_part(match) if match["part"] else ""))
        panel, end = match["panel"], end_of_number
    if _IN_SUPPLEMENT.match(text, end):
        numbers = [number if number[0].isalpha() else f"S{number}" for number in numbers]
    return [f"{word}{number}" for number in dict.fromkeys(numbers)], end


def _next(text: str, end: int, plural: bool) -> re.Match[str] | None:
    """The number that goes on a list; in a plural one a remark in brackets may stand before."""
    aside = _ASIDE.match(text, end) if plural else None
    return _NEXT.match(text, end) or (_NEXT.match(text, aside.end()) if aside else None)


def _number(match: re.Match[str], supplementary: bool) -> str:
    prefix = (match["prefix"] or "")[:1].upper() or ("S" if supplementary else "")
    return prefix + match["number"].replace("l", "1").replace("|", "1")


def _part(match: re.Match[str]) -> str:
    return "—" + match["part"].strip(" —–-").lower()


def _is_chapter(last: str, number: str, joint: str, plural: bool, word: str, keys: frozenset[str]) -> bool:
    """Tell whether the hyphen in "3-2" joins chapter and figure; in "2-4" it may also span a range."""
    if not re.match(r"[-–—][\dl]", joint) or not (last.isdigit() and number.isdigit()):
        return False
    if f"{last}-{number}" in keys or int(last) >= int(number):
        return True
    if keys:
        return not (last in keys and number in keys) and any("-" in key for key in keys)
    return word == "图" or (joint[0] == "-" and not plural)


_ROMAN = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII", "XIII", "XIV", "XV")


def _between(first: str, last: str) -> list[str] | None:
    """Return what follows ``first`` up to ``last`` ("S1" to "4": S2, S3, S4; "1A" to "1C": nothing); None if not a range."""
    if first in _ROMAN and last in _ROMAN:
        return list(_ROMAN[_ROMAN.index(first) + 1 : _ROMAN.index(last) + 1])
    start, stop = (re.fullmatch(r"(\D?)((?:\d+[.-])*)(\d+)", number) for number in (first, last))
    if not start or not stop or stop[1] not in ("", start[1]) or stop[2] not in ("", start[2]):
        return None
    low, high = int(start[3]), int(stop[3])
    return [f"{start[1]}{start[2]}{number}" for number in range(low + 1, high + 1)] if low <= high <= low + 60 else None


def _ends_citation(text: str, end: int, word: str) -> bool:
    """Whether a number after "Figure 1," is another figure's: the citation ends or goes on ("1, 3 patients" does not)."""
    goes_on = (
        r"\s?(?:$|[).;:\],。,;、!]|(?:and|or|for|above|below|respectively|are|were)\b|&|[-–—]|(?:show|depict|illustrat|demonstrat)"
        r"|[和及与至所中示]|显示)"
    )
    return bool(re.compile(goes_on).match(text, end)) or (word == "图" and bool(re.compile(r"\s?[为是]").match(text, end)))
