"""Find what is not known to be safe, for strict mode: it fails closed, as de-identifiers with a list of safe words do.

English: capitalised words found in no vocabulary, or found in lists of names; codes and long numbers; addresses. For Chinese
see unknown_chinese. Levels, measurements, doses, grades and scores are never touched.
"""

import re
from dataclasses import dataclass

from dataset_builders.deidentify.addresses import find_addresses
from dataset_builders.deidentify.identifiers import HAN, Span, clinical_spans, join_broken, outside
from dataset_builders.deidentify.known_words import (
    english_words,
    is_common,
    is_family_name,
    is_family_or_word,
    is_given_name,
    is_given_or_word,
    is_known,
    is_lower_given_name,
    is_medical,
    is_misspelt,
    listed,
)
from dataset_builders.deidentify.rules import clue
from dataset_builders.deidentify.unknown_chinese import find_unknown_chinese

_LATIN = r"A-Za-z\u00c0-\u024f\u0370-\u03ff\u0400-\u052f\u0590-\u05ff\u1e00-\u1eff"
_WORD = re.compile(rf"(?<![{_LATIN}\d_])[{_LATIN}][{_LATIN}'’]*(?:-[{_LATIN}][{_LATIN}'’]*)*(?![\d_])")
_SENTENCE_START = re.compile(r"(?:^|[.!?。！？:：;；\n>\])】*•]|\n\s*[-–—])[\s\"'“(]*$")
_JOINT = re.compile(r"^(?:[ \t]{1,2}|[ \t][\"“']|[\"”'][ \t]|\.[ \t]{1,2}|[ \t]?\n[ \t]?|-)$")
_PLACE_BEFORE = re.compile(r"\b(?:in|at|from|near|past|around|outside|via|to|visiting|of)\s$", re.IGNORECASE)
_NEAR = re.compile(r"\b(?:near|past|outside|visiting|toward)\s$", re.IGNORECASE)
_NUMBER_BEFORE = re.compile(r"(?:(?<=\s)|^)\d{1,6}[A-Za-z]?,?[ \n]\Z")
_SIDE_RUN_IN = re.compile(r"[LR]t([a-z]{3,})$")  # "Ltside"
_SUBJECT_VERB = re.compile(r" (?:is|was|has|presents|presented)\b")
_ROMAN = re.compile(r"^[IVX]+[a-c]?$")
_BEFORE = 12  # characters before a word in which a preposition or a sentence's start is looked for
_AFTER_EPONYM = 24  # characters after a word in which what it names is looked for
_BEFORE_NUMBER = 10  # characters before a word in which a house number is looked for
_LONGEST_CAPITALS = 5  # letters: a longer word in capitals is a word, a shorter one may be an abbreviation
_RARE_USES = 100_000  # uses in the word list's corpus: words in capitals that are rarer may be names
_WIDEST_GAP = 4  # characters between two words of one name
_FEWEST_CODE_DIGITS = 3  # digits: codes with fewer are drugs, sequences and levels
_LONG_NUMBER = 6  # digits: no value, date or size of medicine has so many
_NAME_WORDS = (2, 3)  # words of a full name of which each is an ordinary word, too: fewer and more are headings
_CANNOT_TELL = 2  # letters: shorter words in lower case are no given names
_SHORTEST_LOWER = 4  # letters of a name that only its surroundings betray: shorter words are abbreviations


def find_unknown(text: str) -> list[Span]:
    """Find what strict mode masks in a folded text beside the recognised identifiers. The spans may overlap."""
    spans = [*_unknown_latin(text), *_codes(text)]
    joined = join_broken(text)
    if joined is not None:
        spans += [joined.to_input(span) for span in _codes(joined.text)]
    spans += find_addresses(text, _is_safe_in_address, _is_unknown_in_address)
    if re.search(f"[{HAN}]", text):
        spans += find_unknown_chinese(text)
    return outside(spans, clinical_spans(text))


def _is_unknown_in_address(word: str) -> bool:
    return not is_known(word) or (word[0].isupper() and (is_given_name(word) or is_family_name(word)))


def _is_safe_in_address(word: str) -> bool:
    return all(is_medical(part) for part in re.split(r"[-'’]", word) if len(part) > 1) or bool(_ROMAN.match(word))


@dataclass(slots=True)
class _Token:
    start: int
    end: int
    word: str
    kind: str  # name, weak (a name in some places), plain (known, capitalised), safe, initial, particle, lower


def _unknown_latin(text: str) -> list[Span]:
    tokens = [_Token(match.start(), match.end(), match.group(), "") for match in _WORD.finditer(text)]
    for index, token in enumerate(tokens):
        token.kind = _kind(text, tokens, index)
    spans: list[Span] = []
    index = 0
    while index < len(tokens):
        last = index
        if index + 1 < len(tokens) and _is_family_first(text, tokens[index], tokens[index + 1]):
            last += 1
        while last + 1 < len(tokens) and _joined(text, tokens[last], tokens[last + 1]):
            last += 1
        group = tokens[index : last + 1]
        spans += _names_in(text, group)
        index = last + 1
    return spans


def _names_in(text: str, group: list[_Token]) -> list[Span]:
    """Return the stretch of a capitalised sequence that is a name: from its first to its last word that may belong to it."""
    before = text[max(0, group[0].start - _BEFORE) : group[0].start]
    if any(token.kind in ("name", "plain", "weak") for token in group) and _NEAR.search(before):
        return [Span(group[0].start, group[-1].end, "GEO")]
    certain = [i for i, token in enumerate(group) if token.kind == "name"]
    if not certain and _is_full_name(group):
        certain = list(range(len(group)))
    if not certain:
        weak = [token for token in group if token.kind == "weak"]
        capitals = sum(token.kind in ("weak", "plain", "initial") for token in group)
        if len(weak) >= 2 or (weak and capitals >= 2 and any(token.kind == "initial" for token in group)):
            certain = [i for i, token in enumerate(group) if token.kind == "weak"]
        elif group[0].kind in ("plain", "weak") and _PLACE_BEFORE.search(before):
            words = [token.word.lower() for token in group]
            if not any(word in listed("not_places") for word in words) and not group[0].word.isupper():
                return [Span(group[0].start, group[-1].end, "GEO")]
            return []
        else:
            return []
    first, last = certain[0], certain[-1]
    for token in group[first:last]:
        if token.kind == "safe" and token.word[0].isupper() and (is_given_or_word(token.word) or is_family_or_word(token.word)):
            token.kind = "plain"
    while first > 0 and (
        group[first - 1].kind in ("weak", "plain", "initial", "particle")
        or (group[first - 1].kind == "eponym" and is_given_name(group[first - 1].word))
    ):
        first -= 1
        if group[first].kind == "eponym":
            group[first].kind = "weak"
    while first < last and group[first].kind == "particle":
        first += 1
    while last + 1 < len(group) and group[last + 1].kind in ("weak", "plain", "initial"):
        last += 1
    if last + 1 < len(group) and _belongs(text, group[last], group[last + 1]):
        group[last + 1].kind = "plain"
        last += 1
    spans, start = [], first
    for i in range(first, last + 2):
        if i == last + 1 or group[i].kind in ("safe", "eponym"):
            if i > start:
                dot = group[i - 1].kind == "initial" and text[group[i - 1].end : group[i - 1].end + 1] == "."
                spans.append(_with_numbers(text, group[start].start, group[i - 1].end + dot))
            start = i + 1
    return spans


def _is_full_name(group: list[_Token]) -> bool:
    """Tell whether these are two or three capitalised words that may each be a name and are also words ("Grace Hope Young")."""
    words = [token.word for token in group if token.kind != "initial"]
    if not _NAME_WORDS[0] <= len(words) <= _NAME_WORDS[1] or any(word.isupper() for word in words):
        return False
    if not (is_given_or_word(words[0]) and is_family_or_word(words[-1])):
        return False
    if any(word.lower() in listed("not_places") for word in words) or all(token.kind == "eponym" for token in group):
        return False
    for token in group:
        token.kind = "plain" if token.kind in ("safe", "eponym") else token.kind
    return True


def _belongs(text: str, name: _Token, after: _Token) -> bool:
    """An eponym after a given name ("Walter Parkinson") is a family name; "Spine" after an unknown word an institution's."""
    in_use = clue("eponym_in_use").match(text[after.end : after.end + _AFTER_EPONYM]) is not None  # "12th Jan. Pfirrmann IV"
    return (after.kind == "eponym" and is_given_name(name.word) and not in_use) or (
        after.kind == "safe" and after.word.lower() in listed("institution_words")
    )


def _with_numbers(text: str, start: int, end: int) -> Span:
    """Extend an unknown word by a house number before it and a number or postcode after it."""
    if before := _NUMBER_BEFORE.search(text[max(0, start - _BEFORE_NUMBER) : start]):
        start -= len(before.group())
    if after := clue("number_after_word").match(text, end):
        end = after.end()
    return Span(start, end, "NAME")


def _kind(text: str, tokens: list[_Token], index: int) -> str:
    token = tokens[index]
    word = token.word.rstrip("'’")
    bare = re.sub(r"['’]s$", "", word)
    lower = bare.lower()
    if not word[0].isupper():
        if lower in listed("name_particles"):
            return "particle"
        if len(word) == 1 and index and tokens[index - 1].kind == "name" and tokens[index - 1].word[0].islower():
            return "initial"
        return "name" if _is_lower_name(text, tokens, index) else "lower"
    if len(bare) == 1:
        return "initial"
    if lower in listed("eponyms"):
        return "eponym"
    if lower in listed("eponyms_in_use") and clue("named_after_common_name").match(text[token.end : token.end + _AFTER_EPONYM]):
        return "safe"
    follows = tokens[index + 1].word if index + 1 < len(tokens) else ""
    if follows in listed("human_verbs") and (is_given_or_word(bare) or is_family_or_word(bare)) and not bare.isupper():
        return "name"
    if (side := _SIDE_RUN_IN.match(bare)) and is_known(side[1]):
        return "safe"
    if _ROMAN.match(bare) or clue("eponym_in_use").match(text[token.end : token.end + _AFTER_EPONYM]):
        return "safe"
    if is_medical(bare) or all(is_medical(part) for part in re.split(r"[-'’]", bare) if len(part) > 1):
        return "safe"
    named = is_given_name(bare) or is_family_name(bare)
    known = is_known(bare)
    if bare.isupper():
        if len(bare) > _LONGEST_CAPITALS and (not known or english_words().get(lower, _RARE_USES) < _RARE_USES):
            return "name"
        if is_given_name(bare) and len(bare) >= _SHORTEST_LOWER:
            return "name"
        return "weak" if named else "safe" if len(bare) <= _LONGEST_CAPITALS else "plain"
    if (token.start and text[token.start - 1] in "°%/") or (token.end < len(text) and text[token.end] in "/="):
        return "plain" if known else "weak"
    starts = _SENTENCE_START.search(text[max(0, token.start - _BEFORE) : token.start]) is not None or token.start == 0
    if not known:
        return "safe" if starts and not named and _is_prose(text, tokens, index) else "name"
    if not named:
        rare = not is_common(bare) and (not starts or follows in listed("after_name") or text[token.end : token.end + 1] == ",")
        return "name" if rare else "plain"
    if not starts or is_given_name(bare):
        return "name"
    after = text[token.end : token.end + 2]
    return "name" if after[:1] in (",", "\n", "") or after in ("'s", "’s") or follows in listed("after_name") else "weak"


def _is_prose(text: str, tokens: list[_Token], index: int) -> bool:
    """An unknown word that opens a sentence is a misspelling if medicine follows, or if one edit mends it."""
    if index + 1 >= len(tokens) or text[tokens[index].end : tokens[index + 1].start] != " ":
        return text[tokens[index].end : tokens[index].end + 1] != "," and is_misspelt(tokens[index].word)
    follows = tokens[index + 1].word
    if not follows[0].islower() or follows in listed("after_name"):
        return False
    return is_medical(follows) or is_misspelt(tokens[index].word)


def _is_lower_name(text: str, tokens: list[_Token], index: int) -> bool:
    """Tell whether a word in lower case is a name: "naomi", "patricia desrosiers", "brannigan, keith", "pt brannigan".

    It is if it is a given name, follows one as a family name does, or is an unknown word that stands as a name does.
    """
    word = tokens[index].word
    if is_medical(word) and word not in listed("eponyms"):
        return False
    known = is_known(word)
    previous = tokens[index - 1] if index else None
    gap = text[previous.end : tokens[index].start] if previous else ""
    if previous and previous.word[0].islower() and gap in (" ", ". "):
        if previous.kind == "name" and not known and len(word) > 1:
            return True
        if (
            previous.kind in ("name", "initial")
            and len(word) >= _SHORTEST_LOWER
            and (not known or is_family_or_word(word))
            and not is_common(word)
        ):
            return True
    if len(word) <= _CANNOT_TELL or is_medical(word):
        return False
    if previous and not is_known(previous.word) and is_known(previous.word + word):  # "fea ture"
        return False
    role = previous is not None and previous.word.lower() in listed("before_name") and gap in (" ", ". ", ": ", ", ")
    if role and (is_given_name(word) or is_family_name(word)):
        return True
    if len(word) < _SHORTEST_LOWER:
        return False
    if is_lower_given_name(word) or (is_given_name(word) and _unknown_follows(text, tokens, index)):
        return not clue("eponym_in_use").match(text[tokens[index].end : tokens[index].end + _AFTER_EPONYM])
    if known:
        return False
    if not word.isascii() or is_given_name(word) or is_family_name(word):
        return True
    if role:
        return not is_misspelt(word)
    return text[tokens[index].end : tokens[index].end + 2] == ", " and _follows_given(tokens, index)


def _unknown_follows(text: str, tokens: list[_Token], index: int) -> bool:
    """Tell whether an unknown word in lower case follows, with or without an initial between them."""
    follows = index + 1
    if follows < len(tokens) and len(tokens[follows].word) == 1:
        follows += 1
    if (
        follows >= len(tokens)
        or text[tokens[follows].start - 1] != " "
        or tokens[follows].start - tokens[index].end > _WIDEST_GAP
    ):
        return False
    word = tokens[follows].word
    return len(word) >= _SHORTEST_LOWER and word[0].islower() and not is_known(word)


def _follows_given(tokens: list[_Token], index: int) -> bool:
    return (
        index + 1 < len(tokens) and tokens[index + 1].start == tokens[index].end + 2 and is_given_name(tokens[index + 1].word)
    )


def _is_family_first(text: str, left: _Token, right: _Token) -> bool:
    """Tell whether two words are a family name and a given name, as in "Quill, Orla" and "brannigan, keith"."""
    return (
        text[left.end : right.start] in (", ", ",")
        and left.kind in ("name", "weak")
        and right.kind in ("name", "weak", "initial")
        and (is_given_name(right.word) or right.kind == "initial" or _is_subject(text, left, right))
        and not is_given_name(left.word)
    )


def _is_subject(text: str, left: _Token, right: _Token) -> bool:
    """Tell whether two words are a sentence's subject, as in "Xu, Jianguo is a welder"."""
    starts = left.start == 0 or text[left.start - 1] == "\n" or text[max(0, left.start - 2) : left.start] == ". "
    return starts and _SUBJECT_VERB.match(text, right.end) is not None


def _joined(text: str, left: _Token, right: _Token) -> bool:
    if right.start - left.end > _WIDEST_GAP or left.kind == "lower" or right.kind == "lower":
        return False
    between = text[left.end : right.start]
    if "." in between and len(left.word) >= _SHORTEST_LOWER:
        return False
    return bool(_JOINT.match(between)) and not ("\n" in between and not (left.word.isupper() and right.word.isupper()))


def _codes(text: str) -> list[Span]:
    spans = []
    for match in clue("code").finditer(text):
        code = re.sub(r"^[A-Z]{2,3}\s", "", match.group())
        digits = sum(map(str.isdigit, code))
        if (digits >= _FEWEST_CODE_DIGITS and not (clue("harmless_code").match(code) and digits < _LONG_NUMBER)) or (
            digits >= _LONG_NUMBER and code.isdigit()
        ):
            spans.append(Span(*match.span(), "OTHER_ID"))
    return spans
