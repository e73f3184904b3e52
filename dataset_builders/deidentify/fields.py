"""Find identifiers by the field that they stand in, whatever a dictionary says of their words.

    Name: Story Peace               a label, its value after a colon              姓名：成功
    | Patient | MRN |               tables of Markdown, HTML, CSV and columns set apart by blanks (tables.py)
    "patient_name": "Hope Field"    JSON, XML and HL7 v2 inside a text (records.py)

headings.py says what stands under which heading. A value ends where its line, cell or element ends, or at the next label.
"""

import re

from dataset_builders.deidentify.headings import Heading, find_heading, is_heading, is_name_shaped, is_thing, mask_value
from dataset_builders.deidentify.identifiers import HAN, Span
from dataset_builders.deidentify.records import find_in_records
from dataset_builders.deidentify.tables import find_in_tables

_COLON = re.compile(r"[ \t*_]{0,4}(?:[:：]|=(?!=))[ \t\u3000*_]{0,12}")
_NO_LABEL = re.compile(r"[^\w .'’/()（）\u3000-]")
_LONGEST_LABEL = 60  # characters before a colon in which its label is looked for
_LABEL_WORDS = 5
_HAN_LABEL = 9  # characters of a Chinese label
_LONGEST_VALUE = 160  # characters after a colon in which a value is looked for
_HARD_END = re.compile(r"[;；|｜\t\n\r。<>{}\[\]【】]|[ \u3000]{2,}")
_END = re.compile(rf"[ \t]{{0,8}}(?:$|[^\w\s'’-]|[\n\r]|\d|[{HAN}]{{2,8}}[:：])")
_DEGREES = "MD|RN|DO|NP|PA-C|PhD|PT|CRNA|FRCR|FRCSC?|MBBS|MBChB|MSc|BSN|MRCS"
_NAME_END = re.compile(
    rf"""
    [()（），、"“”&+]|\s[-–—]+\s|\s?\d|,\s*(?=\d|[a-z])|,?\s(?:{_DEGREES})\b
    |(?<=[a-z]{{3}})\.(?=\s|$)                                             # a full stop, not an initial's
    |(?<=[{HAN}])[ ](?=[男女])|(?<=[{HAN}]{{2}})(?=[男女](?:\W|\d|$))       # the patient's sex
    """,
    re.VERBOSE,
)
_EMPTY_LINE = re.compile(r"\s{0,4}\n\s{0,4}")
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./#*-]*(?:[ -]\d[A-Za-z0-9_./*-]*){0,6}")
_TITLE = re.compile(r"(?:(?:Dr|Mr|Mrs|Ms|Miss|Prof|Sir|Dame)\.?\s+)+", re.IGNORECASE)
_PLACE_END = re.compile(r"\.\s+(?=[A-Z])|[()（）]")
_PLACE_WORDS = 10  # words of an address or institution; with more words the value is a sentence
_LOWER_NAME_WORDS = 4  # words of a name in lower case; with more words the value is a sentence
_CAPITALISED = re.compile(
    rf"(?:(?:[A-Z](?:[^\W\d_{HAN}]|['’-](?=\w))*\.?|van|von|der|den|de|da|di|del|la|le|bin|al|el|y),?\s*)+"
)


def find_fields(text: str) -> list[Span]:
    """Find the values of identifying fields in a folded text. The spans may overlap; time is linear."""
    return [*_find_labelled(text), *find_in_tables(text), *find_in_records(text)]


def _find_labelled(text: str) -> list[Span]:
    spans = []
    for colon in _COLON.finditer(text):
        heading = _label_before(text, colon.start())
        if heading is not None:
            start, end = _value_after(text, colon.end(), heading)
            if span := _trim(heading, text, start, end):
                spans.append(span)
    return spans


def _label_before(text: str, end: int) -> Heading | None:
    """Find what the label that ends here says: the longest run of words before a colon that the table of headings holds."""
    line = max(text.rfind("\n", max(0, end - _LONGEST_LABEL), end) + 1, end - _LONGEST_LABEL, 0)
    label = _NO_LABEL.split(text[line:end])[-1]
    if re.search(f"[{HAN}]", label):
        bare = re.sub(r"\s", "", label)[-_HAN_LABEL:]
        return next((found for start in range(len(bare) - 1) if (found := find_heading(bare[start:]))), None)
    words = re.findall(r"[^\s_]+", label)
    for count in range(min(_LABEL_WORDS, len(words)), 0, -1):
        if found := find_heading(" ".join(words[-count:])):
            before = words[-count - 1] if count < len(words) else ""
            return None if found.how == "generic" and before and is_thing(before) else found
    return None


def _value_after(text: str, start: int, heading: Heading) -> tuple[int, int]:
    """Return where the value of a label begins and ends: on its line, or on the next one if its own has none."""
    if heading.how != "named" and (empty := _EMPTY_LINE.match(text, start)):
        line_end = text.find("\n", empty.end(), empty.end() + _LONGEST_VALUE)
        following = text[empty.end() : line_end if line_end >= 0 else empty.end() + _LONGEST_VALUE]
        if not re.search(r"[:：=]", following) and len(following.split()) <= _LABEL_WORDS and not is_heading(following):
            start = empty.end()
    limit = min(len(text), start + _LONGEST_VALUE)
    hard = _HARD_END.search(text, start, limit)
    end = hard.start() if hard else limit
    following_colon = _COLON.search(text, start, end)
    if following_colon and following_colon.start() > start:
        end = max(start, following_colon.start() - _length_of_label(text[start : following_colon.start()]))
    return start, end


def _length_of_label(text: str) -> int:
    """Return the length of the known label at the end of ``text``: the next field's, which is no part of this value."""
    if han := re.search(rf"[{HAN}]{{2,9}}$", text):
        run = han.group()
        known = next((run[start:] for start in range(len(run) - 1) if is_heading(run[start:])), "")
        return len(known)
    words = list(re.finditer(r"[^\s,]+", text))
    for count in range(min(_LABEL_WORDS, len(words)), 0, -1):
        if is_heading(text[words[-count].start() :]):
            return len(text) - words[-count].start()
    return 0


def _trim(heading: Heading, text: str, start: int, end: int) -> Span | None:
    """Cut a label's value to what identifies: a name without what follows it, a code without a remark."""
    value = text[start:end]
    if heading.category == "NAME":
        return _trim_name(heading, text, start, end)
    if heading.category in ("GEO", "ORG"):
        if cut := _PLACE_END.search(value):
            end = start + cut.start()
        named = re.search(rf"[A-Z{HAN}\d]", text[start:end]) and len(text[start:end].split()) <= _PLACE_WORDS
        return mask_value(heading, text, start, end) if named else None
    if heading.category == "AGE":
        return None  # the rules of ages read it with its unit
    if heading.category in ("DATE", "EMAIL", "URL", "IP"):
        return None  # told by their own form, which the rules know
    code = _CODE.match(text, start, end)
    if code is None or not any(map(str.isdigit, code.group())):
        return None
    return mask_value(heading, text, start, start + len(code.group().rstrip(".-/")))


def _trim_name(heading: Heading, text: str, start: int, end: int) -> Span | None:
    if title := _TITLE.match(text, start, end):
        start = title.end()
    if cut := _NAME_END.search(text, start, end):
        end = cut.start()
    value = text[start:end]
    if re.match(r"[A-Z]", value) and (capitalised := _CAPITALISED.match(value)):
        end = start + len(capitalised.group().rstrip(" ,"))
    elif re.match(r"[^\W\d_]", value) and value.isascii() and len(value.split()) > _LOWER_NAME_WORDS:
        return None
    if heading.how == "named" and not (is_name_shaped(text[start:end]) and _ends_here(text, end)):
        return None
    return mask_value(heading, text, start, end)


def _ends_here(text: str, end: int) -> bool:
    """Tell whether a value is over: a name that goes on is the beginning of a sentence ("Patient: Hoffmann's sign …")."""
    return _END.match(text, end) is not None
