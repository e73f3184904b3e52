"""Find again what is known of the people in a document: from the columns beside a note, an image's header, names of files.

A reader hands it over as pairs of heading and words (Document.known); headings.py says what each heading means. Names that
stand under an identifying label of the text itself are known, too.

**Names.** Two parts of a name side by side are masked in any case and order ("field, hope"). A part alone is masked as a whole
word in any case if no dictionary holds it or it is rare ("quill"). A part that is an ordinary or medical word ("Field", "Hope")
is masked if it is capitalised, or follows a title or role ("mr field"), or begins a sentence as its subject ("hope rang"); not
as an eponym in use ("Cobb angle" with a patient Cobb). A Chinese name is masked wherever it stands; if it is a word, too
(成功), at the start of a clause or after a role. A Chinese family name is masked before a form of address (陆先生).

**Codes** are compared without separators, leading zeros and case ("ZQ-4471" is "zq4471"); a number of three digits is none.
**Places and institutions** are masked as whole phrases, an address also by its parts between commas.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import PurePosixPath

from dataset_builders.deidentify.headings import Heading, find_heading, is_heading, is_name_shaped, mask_value
from dataset_builders.deidentify.identifiers import HAN, Span, clinical_spans, fold, is_clinical_chinese, outside
from dataset_builders.deidentify.known_words import (
    is_chinese_word,
    is_common,
    is_family_or_word,
    is_given_name,
    is_given_or_word,
    is_known,
    is_medical,
    listed,
)
from dataset_builders.deidentify.rules import clue, compound_surnames, surname_characters
from dataset_builders.document import PATH

_TOKEN = re.compile(rf"[^\W_{HAN}]+")
_HAN_RUN = re.compile(rf"[{HAN}]+(?:[·•・][{HAN}]+)?")
_HAN = re.compile(f"[{HAN}]")
_SEPARATOR = re.compile(r"[ \t]{0,2}[,.'’^_\n-]{0,2}[ \t]{0,2}")  # between two parts of one name
_CODE_SEPARATOR = re.compile(r"[-/. _#]{0,2}")
_SENTENCE = re.compile(r"(?:^|[.!?。；;:：\n])[\s\"“*-]{0,4}$")
_BEFORE = 8  # characters before a word in which a sentence's start is looked for
_AFTER = 24  # characters after a word in which an eponym's use is looked for
_HAN_ROLE = re.compile(
    r"(?:患者|病人|家属|患儿|受检者|姓名|医[生师]|护士|主任|由|给|与|和|对|向|让|请|为|找|叫|及|嘱|告知|联系|陪"
    r"|[父母]亲|妻子|丈夫|女儿|儿子)[:： ]?$"
)
_ADDRESS_FORMS = (
    "先生|女士|小姐|大爷|大妈|大娘|大哥|大姐|阿姨|叔叔|伯伯|师傅|老师|某|奶奶|爷爷|老太|老伯|老汉|主任|医生|大夫|教授|护士"
)
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_DIGITS = 4  # in a code of digits alone, and in one of a path
_CODE = (3, 40)  # characters of a code
_LETTER_CODE = 5  # letters of a code without a digit
_UNKNOWN_CODE = 6  # characters of a code under a heading that the table does not hold
_SHORT = 60  # characters: longer words under an unknown heading are a text
_NAME_WORDS = 6
_SHORT_PART = 2  # letters: such a part alone is a name only if it is written as one ("Li")
_LONG_PART = 4  # letters of a place of one word
_GIVEN_NAME = 3  # characters of a Chinese name whose last two are a given name
_YEAR = re.compile(r"(?:19|20)\d{2}(?:(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01])?)?")
_CODES = ("MRN", "SSN", "PLAN", "ACCOUNT", "LICENSE", "VEHICLE", "DEVICE", "OTHER_ID", "PHONE", "FAX")
_TITLES = frozenset(("md", "rn", "do", "phd", "pt", "dr", "mr", "mrs", "ms", "prof", "miss", "sir", "dame", "jr", "sr"))


@dataclass(slots=True)
class Known:
    """What is looked for. All words are folded and in lower case.

    parts     parts of names in Latin letters.
    codes     code without separators -> category; ``beginnings`` are all their beginnings.
    phrases   first word -> pairs of a phrase's words and its category.
    chinese   Chinese words by first character -> pairs of word and category; ``surnames`` of those who are known.
    """

    parts: set[str] = field(default_factory=set)
    codes: dict[str, str] = field(default_factory=dict)
    beginnings: set[str] = field(default_factory=set)
    phrases: dict[str, list[tuple[tuple[str, ...], str]]] = field(default_factory=dict)
    chinese: dict[str, set[tuple[str, str]]] = field(default_factory=dict)
    surnames: set[str] = field(default_factory=set)

    def add(self, heading: str, words: str) -> None:
        """Add what a source says under a heading; PATH says that the words are a path of folders and a file."""
        words = fold(words).text.strip()
        if heading == PATH:
            self._add_path(words)
            return
        says = find_heading(heading)
        if says is None:
            self._add_unknown(heading, words)
        elif (
            says.category == "NAME"
            and _HAN.search(words) is None
            and not any(map(str.isdigit, words))
            and len(words.split()) <= _NAME_WORDS
        ) or _HAN_RUN.fullmatch(words):
            says = Heading(says.category, says.how if says.how == "generic" else "sure")
        if says and (span := mask_value(says, words, 0, len(words))):
            self._add_value(span.category, words[span.start : span.end])
        elif says and says.category == "NAME" and any(map(str.isdigit, words)):
            self._add_code("MRN", words)

    def add_name(self, words: str) -> None:
        """Add a name that a label of the text says to be one."""
        self._add_value("NAME", words)

    def find(self, text: str) -> list[Span]:
        """Find all of it in a folded text. The spans may overlap; time is linear."""
        spans: list[Span] = []
        if self.parts or self.codes or self.phrases:
            tokens = list(_TOKEN.finditer(text))
            words = [token.group().casefold() for token in tokens]
            spans += self._find_names(text, tokens, words)
            spans += self._find_codes(text, tokens, words)
            spans += self._find_phrases(text, tokens, words)
        if self.chinese or self.surnames:
            spans += self._find_chinese(text)
        return spans

    def _add_value(self, category: str, words: str) -> None:
        if category in _CODES:
            self._add_code(category, words)
        elif category == "NAME":
            self.parts.update(part for part in map(str.casefold, _parts(words)) if len(part) > 1 and part not in _TITLES)
            for match in _HAN_RUN.finditer(re.sub(rf"(?<=[{HAN}])\s+(?=[{HAN}])", "", words)):
                self._add_chinese_name(match.group())
        elif category in ("GEO", "ORG"):
            for part in (words, *(re.split(r"[,，;；\n]", words) if category == "GEO" else ())):
                self._add_phrase(category, part)

    def _add_code(self, category: str, words: str) -> None:
        code = "".join(_TOKEN.findall(words)).casefold().lstrip("0")
        digits = sum(map(str.isdigit, code))
        if not _CODE[0] <= len(code) <= _CODE[1] or _YEAR.fullmatch(code):
            return
        if (
            digits >= _DIGITS
            or (digits and not code.isdigit())
            or (not digits and len(code) >= _LETTER_CODE and not is_known(code))
        ):
            self.codes.setdefault(code, category)
            self.beginnings.update(code[:length] for length in range(1, len(code) + 1))

    def _add_phrase(self, category: str, words: str) -> None:
        tokens = tuple(token.casefold() for token in _TOKEN.findall(words))
        if len(tokens) > 1 or (tokens and len(tokens[0]) >= _LONG_PART and not is_known(tokens[0])):
            own = self.phrases.setdefault(tokens[0], [])
            if (tokens, category) not in own:
                own.append((tokens, category))
        bare = re.sub(r"\s", "", words)
        if len(bare) >= _GIVEN_NAME and _HAN.search(bare):
            self.chinese.setdefault(bare[0], set()).add((bare, category))

    def _add_chinese_name(self, name: str) -> None:
        if len(name) < _SHORT_PART:
            return
        self.chinese.setdefault(name[0], set()).add((name, "NAME"))
        surname = name[:2] if name[:2] in compound_surnames() else name[0]
        if surname in compound_surnames() or surname in surname_characters():
            self.surnames.add(surname)
            given = name[len(surname) :]
            if len(given) > 1:
                self.chinese.setdefault(given[0], set()).add((given, "NAME"))

    def _add_unknown(self, heading: str, words: str) -> None:
        """Under a heading that says nothing, only a code of several digits and a full name are taken for identifiers."""
        if is_heading(heading) or len(words) > _SHORT or clinical_spans(words):
            return
        if re.fullmatch(r"[\w./#-]+", words) and sum(map(str.isdigit, words)) >= _DIGITS and len(words) >= _UNKNOWN_CODE:
            self._add_code("OTHER_ID", words)
        elif is_name_shaped(words) and (len(words.split()) > 1 or _HAN.search(words)) and not is_chinese_word(words):
            self._add_value("NAME", words)

    def _add_path(self, path: str) -> None:
        """Take from names of folders and files: words of no dictionary, a given and a family name side by side, and codes."""
        pure = PurePosixPath(path)
        for name in (*pure.parent.parts, pure.stem):
            pieces = re.findall(rf"[^\W\d_{HAN}]+|\d+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name))
            words = [piece for piece in pieces if not piece.isdigit()]
            self.parts.update(word.casefold() for word in words if len(word) > _SHORT_PART and not is_known(word))
            for left, right in pairwise(words):
                if _is_full_name(left, right) or _is_full_name(right, left):
                    self.parts.update((left.casefold(), right.casefold()))
            for code in re.findall(r"[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*", name):
                if sum(map(str.isdigit, code)) >= _DIGITS:
                    self._add_code("OTHER_ID", code)
            for run in _HAN_RUN.findall(name):
                if is_name_shaped(run) and not is_chinese_word(run):
                    self._add_chinese_name(run)

    def _find_names(self, text: str, tokens: list[re.Match[str]], words: list[str]) -> list[Span]:
        spans: list[Span] = []
        alone: list[Span] = []
        index = 0
        while index < len(tokens):
            if words[index] not in self.parts:
                index += 1
                continue
            last = after = index
            while after + 1 < len(tokens) and (words[after + 1] in self.parts or len(words[after + 1]) == 1):
                if not _SEPARATOR.fullmatch(text, tokens[after].end(), tokens[after + 1].start()):
                    break
                after += 1
                last = after if words[after] in self.parts else last
            if len({words[at] for at in range(index, last + 1) if words[at] in self.parts}) > 1:
                spans.append(Span(tokens[index].start(), tokens[last].end(), "NAME"))
            else:
                alone += [
                    Span(*tokens[at].span(), "NAME")
                    for at in range(index, last + 1)
                    if words[at] in self.parts and _is_name_alone(text, tokens, words, at)
                ]
            index = last + 1
        return [*spans, *(outside(alone, clinical_spans(text)) if alone else ())]

    def _find_codes(self, text: str, tokens: list[re.Match[str]], words: list[str]) -> Iterator[Span]:
        for index in range(len(tokens) if self.codes else 0):
            letters = len(words[index]) - len(words[index].lstrip(_LETTERS))
            for skipped in {0, letters} - {len(words[index])}:  # "MRN88231"
                code, last = words[index][skipped:].lstrip("0"), index
                found: tuple[int, str] | None = None
                while code in self.beginnings or not code:
                    if code in self.codes:
                        found = tokens[last].end(), self.codes[code]
                    last += 1
                    if last == len(tokens) or not _CODE_SEPARATOR.fullmatch(text, tokens[last - 1].end(), tokens[last].start()):
                        break
                    code = (code + words[last]).lstrip("0")
                    if len(code) > _CODE[1] or last - index > _CODE[1]:
                        break
                if found:
                    yield Span(tokens[index].start() + skipped, *found)

    def _find_phrases(self, text: str, tokens: list[re.Match[str]], words: list[str]) -> Iterator[Span]:
        for index, word in enumerate(words):
            for phrase, category in self.phrases.get(word, ()):
                last = index + len(phrase) - 1
                if tuple(words[index : last + 1]) == phrase and len(text[tokens[index].end() : tokens[last].start()]) <= _reach(
                    phrase
                ):
                    yield Span(tokens[index].start(), tokens[last].end(), category)

    def _find_chinese(self, text: str) -> Iterator[Span]:
        for match in _HAN.finditer(text):
            start = match.start()
            for word, category in self.chinese.get(match.group(), ()):
                if text.startswith(word, start) and (category != "NAME" or _is_chinese_name_here(text, start, word)):
                    yield Span(start, start + len(word), category)
        if self.surnames:
            pattern = rf"(?:{'|'.join(sorted(self.surnames))})(?={_ADDRESS_FORMS})"
            yield from (Span(*match.span(), "NAME") for match in re.finditer(pattern, text))


def read_known(pairs: Iterable[tuple[str, str]]) -> Known:
    """Read what a source says beside its texts: pairs of heading and words."""
    known = Known()
    for heading, words in pairs:
        known.add(heading, words)
    return known


def _parts(words: str) -> list[str]:
    return [part for token in _TOKEN.findall(words) for part in re.split(r"\d+", token) if part]


def _reach(phrase: tuple[str, ...]) -> int:
    """Characters that a phrase may span between its first and last word: its words with three signs between each two."""
    return sum(len(word) + 3 for word in phrase)


def _is_full_name(given: str, family: str) -> bool:
    """Tell whether two words of a file's name are a person's: both may be, or one is a given name and the other no medicine."""
    if min(len(given), len(family)) <= _SHORT_PART or {given.lower(), family.lower()} & listed("medical"):
        return False
    return (is_given_or_word(given) and is_family_or_word(family)) or (is_given_name(given) and not is_medical(family))


def _is_name_alone(text: str, tokens: list[re.Match[str]], words: list[str], index: int) -> bool:
    """Tell whether a part of a name that stands alone is the name here: see the rule in this module's docstring."""
    token, word = tokens[index], words[index]
    written = token.group()
    titled = index > 0 and (words[index - 1] in listed("before_name") or words[index - 1] in _TITLES)
    titled = titled and text[tokens[index - 1].end() : token.start()] in (" ", ". ", ": ", "：", ", ")
    if titled:
        return True
    if len(word) <= _SHORT_PART:
        return written.istitle() and not is_known(word)
    if not is_medical(word) and not (is_known(word) and is_common(word)):
        return True
    follows = words[index + 1] if index + 1 < len(words) else ""
    subject = follows in listed("after_name") or follows in listed("human_verbs")
    begins = _SENTENCE.search(text[max(0, token.start() - _BEFORE) : token.start()]) is not None
    if not written[0].isupper():
        return begins and subject
    after = text[token.end() : token.end() + _AFTER]
    if clue("eponym_in_use").match(after) or (
        word in listed("eponyms_in_use") and clue("named_after_common_name").match(after)
    ):
        return False
    small = word in listed("function_words") or word in listed("after_name")  # "Will", "May", "An"
    return not (small and begins) or subject


def _is_chinese_name_here(text: str, start: int, name: str) -> bool:
    if not is_clinical_chinese(name) and not is_chinese_word(name):
        return True
    before = text[max(0, start - _BEFORE) : start]
    return not before or _HAN.match(before[-1]) is None or _HAN_ROLE.search(before) is not None
