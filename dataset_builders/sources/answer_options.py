"""Read the options of a question-bank row, however a table holds them: a column each, a list, an object by letter, or one text.

A text may be what another program printed: JSON, a Python literal, a numpy array ("['C1' 'C2']"); or options with their letters
("(A) …", "A. …\\nB. …", "A.…B.…").
"""

import ast
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dataset_builders.taxonomy import LETTERS

OPTION_COLUMNS = ("{}", "op{}", "option_{}", "option{}", "choice_{}", "choice{}", "ans_{}", "选项{}")
"""What the columns of single options may be called; {} is a letter, or a number from 0 or 1 unless it stands alone."""

_HALF_WIDTH = {ord(full): chr(ord(full) - 0xFEE0) for full in map(chr, (*range(0xFF10, 0xFF1A), *range(0xFF21, 0xFF5B)))}
_LITERAL_CHARACTERS = 20_000  # a longer text is no list of options: Python's parser is not asked


@dataclass(frozen=True, slots=True)
class Options:
    """The options of one row.

    texts    without letters, in the source's order; () if the row has none.
    names    what the source calls each ("opa", "1"), in lower case; () if it has no names for them.
    """

    texts: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    @property
    def first_number(self) -> int | None:
        """Return the number that the source gives the first option, 0 or 1; None if its names are no numbers."""
        numbers = [re.search(r"\d+$", name) for name in self.names]
        counted = [int(number[0]) for number in numbers if number]
        return counted[0] if counted and counted == list(range(counted[0], counted[0] + len(self.names))) else None


def read_options(found: Any, values: Mapping[str, Any]) -> Options:
    """Read the options from the column ``found``; if it is None, from a column each of ``values`` (names in lower case)."""
    if isinstance(found, str):
        found = _parse_printed(re.sub(r"<br\s*/?>", "\n", found, flags=re.IGNORECASE).translate(_HALF_WIDTH))
    if isinstance(found, str):
        return split_options(found)
    if isinstance(found, Mapping) and isinstance(found.get("text"), list):  # as the Hugging Face copy of ARC has it
        names = found.get("label")
        return _tidy(found["text"], names if isinstance(names, list) else ())
    if isinstance(found, Mapping):
        names = sorted(found, key=lambda name: (len(str(name)), str(name)))
        return _tidy([found[name] for name in names], names)
    if isinstance(found, list):
        return _read_list(found)
    return _read_columns(values)


def split_options(text: str) -> Options:
    """Split one text at its marks, all of one style, each of which must follow the one before; without marks, at what parts it.

    No options are found in a text in which a mark stands twice: which of them is meant is not known.
    """
    for alphabet in (LETTERS, LETTERS.lower(), "0123456789", "123456789"):
        for style in _MARK_STYLES:
            marks = [re.compile(style.replace("{}", mark)) for mark in alphabet]
            parts = _split_at(text, marks)
            if len(parts) > 1:
                twice = any(len(mark.findall(text)) > 1 for mark in marks[: len(parts)])
                return Options() if twice else _tidy([part.rstrip(" ;；,，|") for part in parts], list(alphabet[: len(parts)]))
    apart = next(
        (text.split(sign) for sign in ("|", "\n", ";", "；") if text.count(sign) > 1 or (sign == "\n" and sign in text)), []
    )
    return _tidy([part.strip() for part in apart if part.strip()]) if len(apart) > 1 else Options()


_MARK_STYLES = (
    r"(?:^|(?<=\s))[(（]\s*{}\s*[)）]\s*",
    r"(?:^|(?<=\s)){}\s*[.．](?!\d)\s*",
    r"(?:^|(?<=\s)){}\s*[、:：)）]\s*",
    r"(?:^|(?<=\s)){}(?=[\s\u4e00-\u9fff])\s*",
    r"(?<![A-Za-z\d])[(（]\s*{}\s*[)）]\s*",
    r"(?<![A-Za-z]){}\s*[.．、:：)）](?!\d)\s*",
)
"""What may stand round an option's mark: after a blank first, then anywhere but inside a Latin word."""


def _split_at(text: str, marks: Sequence[re.Pattern[str]]) -> list[str]:
    starts: list[re.Match[str]] = []
    for mark in marks:
        match = mark.search(text, starts[-1].end() if starts else 0)
        if match is None or (not starts and text[: match.start()].strip()):
            break
        starts.append(match)
    ends = [match.start() for match in starts[1:]] + [len(text)]
    return [text[match.end() : end].strip() for match, end in zip(starts, ends)]


def _parse_printed(text: str) -> Any:
    """The list or object that a text prints, or the text."""
    stripped = text.strip()
    if not re.match(r"(?:array\()?\s*[\[{]", stripped) or len(stripped) > _LITERAL_CHARACTERS:
        return text
    try:
        return json.loads(stripped)
    except (ValueError, RecursionError):
        pass
    if words := _numpy_words(stripped):
        return words
    try:
        return ast.literal_eval(re.sub(r"\barray\((\[.*?\])(?:, dtype=\w+)?\)", r"\1", stripped, flags=re.DOTALL))
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return text


_QUOTED = r"(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")"


def _numpy_words(text: str) -> list[str]:
    """The words of "['C1' 'C2']": numpy prints no commas, and Python would join the words."""
    inside = re.fullmatch(rf"(?:array\()?\s*\[\s*({_QUOTED}(?:\s+{_QUOTED})+)\s*\](?:, dtype=\w+\))?", text, re.DOTALL)
    return [str(ast.literal_eval(word)) for word in re.findall(_QUOTED, inside[1], re.DOTALL)] if inside else []


def _read_list(found: Sequence[Any]) -> Options:
    texts = [o.get("value", o.get("text", o.get("content"))) if isinstance(o, Mapping) else o for o in found]
    names = [o.get("key", o.get("label", o.get("id"))) for o in found if isinstance(o, Mapping)]
    marked = [
        re.match(r"[(（]?([A-Ja-j]|\d)[)）.、:：]\s*(?=\S)(?!\d)", str(text if text is not None else "")) for text in texts
    ]
    if all(marked) and len({match[1] for match in marked if match}) == len(texts):  # "B. C2": its own letter, not its place
        names = [match[1] for match in marked if match]
        texts = [str(text)[match.end() :] for text, match in zip(texts, marked) if match]
    return _tidy(texts, names if len(names) == len(texts) and None not in names else ())


def _read_columns(values: Mapping[str, Any]) -> Options:
    for pattern in OPTION_COLUMNS:
        numbered = [[str(first + place) for place in range(len(LETTERS))] for first in (0, 1)]
        for marks in ([letter.lower() for letter in LETTERS], *numbered):
            columns = [pattern.format(mark) for mark in marks]
            few = 3 if pattern == "{}" and marks in numbered else 2  # bare numbers head other columns, too
            if values.get(columns[0]) not in (None, "") and all(name in values for name in columns[1:few]):
                present = [name for name in columns if name in values]
                return _tidy([values[name] for name in present], present)
    return Options()


def _tidy(texts: Sequence[Any], names: Sequence[Any] = ()) -> Options:
    options = [" ".join(str(text if text is not None else "").split()) for text in texts]
    while options and not options[-1]:  # a fifth column that this question does not use
        options.pop()
    known = len(names) >= len(options)
    return Options(tuple(options), tuple(str(name).strip().lower() for name in names[: len(options)]) if known else ())
