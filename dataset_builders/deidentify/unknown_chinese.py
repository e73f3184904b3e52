"""Find what may be a name, place or institution in Chinese, for strict mode.

Names, places and organisations come from the segmenter; a family name before characters that form no word is a name, and so
is any word that stands where a name stands ("护士…，").
"""

import re

from dataset_builders.deidentify.identifiers import HAN, Span, is_clinical_chinese
from dataset_builders.deidentify.known_words import cut_chinese, is_chinese_word, listed
from dataset_builders.deidentify.rules import clue, compound_surnames, sure_surnames, surname_characters

_LONGEST_NAME = 3  # characters of a Chinese name that the segmenter gives, family name and given name
_LONGEST_GIVEN_NAME = 2  # characters


def find_unknown_chinese(text: str) -> list[Span]:
    """Find what may be a name, place or institution in a folded text in Chinese. The spans may overlap."""
    spans = []
    for match in clue("chinese_word_after_role").finditer(text):
        if not is_clinical_chinese(re.sub(r"\s", "", match.group("id"))):
            spans.append(Span(*match.span("id"), "NAME"))
    for match in clue("name_by_sound").finditer(text):
        if not is_clinical_chinese(match["id"]):
            spans.append(Span(*match.span("id"), "NAME"))
    sure = sure_surnames()
    surnames, compounds = surname_characters(), compound_surnames()
    position = 0
    words: list[tuple[int, str, str]] = []
    for word, tag in cut_chinese(text):
        words.append((position, word, tag))
        position += len(word)
    for index, (start, word, tag) in enumerate(words):
        if tag == "med" or not re.match(f"[{HAN}]", word):
            continue
        if tag in ("nr", "nrt", "nrfg") and len(word) > 1:
            if (word[0] in surnames or word[:2] in compounds or tag == "nrt") and not is_clinical_chinese(word):
                spans.append(Span(start, start + len(word) + _single_after(words, index, _LONGEST_NAME - len(word)), "NAME"))
        elif tag == "ns" and len(word) > 1 and word not in listed("regions_zh") and not is_clinical_chinese(word):
            spans.append(Span(start, start + len(word), "GEO"))
        elif tag == "nt" and len(word) > 2:
            spans.append(Span(start, start + len(word), "ORG"))
        elif (
            len(word) == 2 and word[0] in sure and not is_chinese_word(word) and word[1] not in listed("not_in_given_names_zh")
        ):
            spans.append(Span(start, start + 2 + _any_single_after(words, index), "NAME"))
        elif (len(word) == 1 and word in surnames) or word in compounds:
            length = _given_name_after(words, index, text)
            if length and not is_clinical_chinese(text[start : start + len(word) + length]):
                spans.append(Span(start, start + len(word) + length, "NAME"))
    return spans


def _single_after(words: list[tuple[int, str, str]], index: int, most: int) -> int:
    if most > 0 and index + 1 < len(words):
        _, word, tag = words[index + 1]
        if (
            len(word) == 1
            and re.match(f"[{HAN}]", word)
            and tag in ("nr", "g", "zg", "ng")
            and word not in listed("not_in_given_names_zh")
        ):
            return 1
    return 0


def _any_single_after(words: list[tuple[int, str, str]], index: int) -> int:
    follows = words[index + 1][1] if index + 1 < len(words) else ""
    return int(
        len(follows) == 1 and re.match(f"[{HAN}]", follows) is not None and follows not in listed("not_in_given_names_zh")
    )


def _given_name_after(words: list[tuple[int, str, str]], index: int, text: str) -> int:
    """Characters of a given name after a family name: one or two that form no known word, with a name's boundary or mark."""
    length = 0
    marked = words[index][1] in sure_surnames()
    for _, word, tag in words[index + 1 : index + 3]:
        if (
            not re.match(f"[{HAN}]", word)
            or word[0] in listed("not_in_given_names_zh")
            or length + len(word) > _LONGEST_GIVEN_NAME
            or (len(word) == 2 and tag not in ("nr", "nz"))
        ):
            break
        marked = marked or tag in ("nr", "nz", "g", "zg", "ng")
        length += len(word)
    if not length:
        return 0
    start, word, _ = words[index]
    end = start + len(word) + length
    bounded = (start == 0 or not re.match(f"[{HAN}]", text[start - 1])) and (
        end == len(text) or not re.match(f"[{HAN}]", text[end])
    )
    return length if marked or bounded else 0
