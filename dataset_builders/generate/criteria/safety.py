"""Check what could harm a patient: red flags left out, unsafe words, advice without ground, identifiers."""

import functools
import itertools
import re

from dataset_builders.deidentify.identifiers import Span, find_in_view, fold
from dataset_builders.deidentify.known_words import cut_chinese, is_family_name, is_known
from dataset_builders.document import MASK
from dataset_builders.generate.criteria.meaning import affirmed
from dataset_builders.generate.criteria.parts import is_as_written, parts_of, sentences
from dataset_builders.generate.criteria.vocabulary import (
    compile_terms,
    find_phrase,
    kind_of,
    name_patterns,
    named_in,
    phrase_pattern,
    read_words,
)
from dataset_builders.item import Item

CASES = ("consultation", "report")
"""Tasks that speak of one patient's case: all of its red flags belong in them."""
_FIRST_PERSON = re.compile(r"\b(?:i|my|me|i'm|i've)\b|我")
_QUOTED = re.compile(r"“[^”]{60,}”|\"[^\"]{60,}\"")  # a report that is read out
_MASK = re.compile(
    MASK + r"|\[(?:NAME|DATE|GEO|ORG|PHONE|MRN|ID|AGE90|EMAIL|LOCATION|HOSPITAL)[^\]]{0,12}\]"
    r"|【(?:姓名|日期|地址|电话|医院)[^】]{0,6}】"
)
_DIRECT = ("EMAIL", "PHONE", "SSN", "FAX", "MRN", "PLAN", "ACCOUNT", "DEVICE", "LICENSE", "VEHICLE", "OTHER_ID", "IP")
_PERSONAL = ("NAME", "GEO")
_BORN = re.compile(
    r"\b(?:born|dob|date of birth|birthday)\b[^.;]{0,20}\d|出生(?:日期|于|年月)?[:：]?\s*\d|生于\s*\d", re.IGNORECASE
)
_FULL_DATE = re.compile(
    r"(?<!\d)(?:\d{1,2}[/.-]\d{1,2}[/.-](?:19|20)\d\d|(?:19|20)\d\d[/.-]\d{1,2}[/.-]\d{1,2}|(?:19"
    r"|20)\d\d年\d{1,2}月\d{1,2}日)(?!\d)"
)
_TITLED = re.compile(r"\b(?:Mr|Mrs|Ms|Miss|Dr|Prof)\.? [A-Z][a-z]+")


def red_flags_kept(item: Item, _: object) -> str:
    """Demand that a consultation or report affirms each red flag that its context affirms."""
    if item.task not in CASES or is_as_written(item):
        return ""
    parts = parts_of(item)
    case = f"{parts.case}\n{parts.users}"
    lost = [name for name, (stated, said) in _flags().items() if affirmed(stated, case) and not affirmed(said, parts.replies)]
    return f"{', '.join(lost)} of the source is left out" if lost else ""


def urgency_answered(item: Item, _: object) -> str:
    """Demand that a user who tells a red flag of their own is told to seek help at once."""
    if is_as_written(item) or item.task == "multiple_choice":
        return ""
    for asked, answered in zip(item.messages[::2], item.messages[1::2], strict=False):
        told = _QUOTED.sub(" ", asked.text).lower()
        if not _FIRST_PERSON.search(told) or not any(affirmed(said, told) for _stated, said in _patient_flags()):
            continue
        urgent = [
            sentence
            for sentence in sentences(answered.text)
            if find_phrase("urgent", item.language, sentence) and not find_phrase("discouraging", item.language, sentence)
        ]
        if not urgent:
            return "a red flag that the user tells is not answered with urgency"
    return ""


def no_unsafe_reassurance(item: Item, _: object) -> str:
    """Reject reassurance and advice against help, unless the quotes say the same words."""
    if is_as_written(item):
        return ""
    parts = parts_of(item)
    held = parts.source.lower()
    for match in phrase_pattern("unsafe", item.language).finditer(parts.replies.lower()):
        if match[0] not in held:
            return f"unsafe: {match[0]!r}"
    return ""


def advice_carried(item: Item, _: object) -> str:
    """Demand that each treatment which an answer advises is named by the quotes, or, of a kind, one of that kind."""
    if is_as_written(item):
        return ""
    parts = parts_of(item)
    replies = re.sub(r"(?m)^#.*$", "", parts.replies).lower().replace("post-operative", "").replace("postoperative", "")
    held = named_in("treatments", parts.source)
    held |= {kind_of("treatments", name) for name in held}
    patterns = name_patterns("treatments")
    unknown = sorted(name for name in named_in("treatments", replies) - held if affirmed(patterns[name], replies))
    return f"{', '.join(unknown)} is not in the quotes" if unknown else ""


def no_identifier(item: Item, _: object) -> str:
    """Reject what the rules of de-identification call a name, number, address or date of a person; nothing of it is shown."""
    parts, held = parts_of(item), "\n".join(item.context)
    for text in (parts.users, parts.replies, *item.options):
        if _BORN.search(text) or (_FULL_DATE.search(text) and not is_as_written(item)):
            return "a date of a person"
        view = fold(text)
        for span in find_in_view(view.text, item.language):
            words = view.text[span.start : span.end]
            if (span.category in _DIRECT and any(map(str.isdigit, words))) or span.category == "EMAIL":
                return f"an identifier ({span.category})"
            if span.category in _PERSONAL and not is_as_written(item) and words not in held and _is_name(view.text, span):
                return f"an identifier ({span.category})"
        if item.provenance.source_kind == "hospital_case" and _TITLED.search(text):
            return "an identifier (NAME)"
    return ""


def _is_name(text: str, span: Span) -> bool:
    """Whether the words are no piece of ordinary ones: "能代" of "不能代替", "Emergency" at the head of a line."""
    words = text[span.start : span.end]
    if any("\u4e00" <= character <= "\u9fff" for character in words):
        ends = set(itertools.accumulate(len(word) for word, _part in cut_chinese(text)))
        return (span.start in ends or span.start == 0) and span.end in ends
    latin = re.findall(r"[A-Za-z'’-]+", words)
    return any(map(str.isdigit, words)) or any(
        word[:1].isupper() and (not is_known(word) or is_family_name(word)) for word in latin
    )


def no_masks(item: Item, _: object) -> str:
    """Reject placeholders of de-identification."""
    texts = (*(message.text for message in item.messages), *item.options)
    return "a placeholder of de-identification" if any(_MASK.search(text) for text in texts) else ""


@functools.cache
def _flags() -> dict[str, tuple[re.Pattern[str], re.Pattern[str]]]:
    """Flag -> what states it in a case, and what keeps it in an answer."""
    return {
        name: (
            compile_terms(flag["case"]["en"], flag["case"]["zh"]),
            compile_terms(flag["case"]["en"] + flag["patient"]["en"], flag["case"]["zh"] + flag["patient"]["zh"]),
        )
        for name, flag in read_words("red_flags").items()
    }


@functools.cache
def _patient_flags() -> tuple[tuple[re.Pattern[str], re.Pattern[str]], ...]:
    """The flags that people tell of themselves; a fracture or tumour in a report is not one that tonight decides."""
    return tuple(pair for name, pair in _flags().items() if name in ("cauda_equina", "progressive_deficit", "infection"))
