"""Rewrite every way to write a level as a letter and a number (step 1 of find_levels).

    "the fourth and fifth lumbar vertebrae"  ->  "the L4 and L5 vertebrae"
    "第3～5胸椎"                              ->  "T3~T5"
    "C six seven"                            ->  "C6-7"
    "D11"                                    ->  unchanged: step 2 reads letters

A level spelt out in words cannot be mistaken for a look-alike and is marked with ``SURE`` before its letter. The spelled text
knows where each level stood in the input: "L4" of the first example is "fourth" there, "L5" is "fifth lumbar".
"""

import re
from collections.abc import Callable, Iterator

from dataset_builders.characters import Edit, Rewritten, fold
from dataset_builders.levels.anatomy import REGIONS
from dataset_builders.levels.context import SPINE_NOUN, UNIT

SURE = "\ue000"
COCCYX_SPELLING = "S6"  # after SURE; the sacrum has five

_LETTER_OF = {word: region.letter for region in REGIONS for word in (*region.words, region.zh)}
_REGION = "|".join(word for region in REGIONS for word in region.words)
_REGION_ZH = "[" + "".join(region.zh for region in REGIONS) + "]"

_NUMBER_WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen"]
_ORDINAL_WORDS = [
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
]
_NUMBER_OF = {word: number for words in (_NUMBER_WORDS, _ORDINAL_WORDS) for number, word in enumerate(words, 1)}
_HAN_DIGITS = "一二三四五六七八九"
_NUMBER_OF |= {character: number for number, character in enumerate(_HAN_DIGITS + "十", 1)}

_ORDINAL = rf"(?:{'|'.join(_ORDINAL_WORDS)}|(?:1st|2nd|3rd|[4-9]th|1[0-3]th))"
_BETWEEN = r"\s*(?:,|-|~|/|&|\band\b|\bto\b|\bthrough\b|\bthru\b|\bor\b)+\s*(?:the\s+)?"
_ORDINALS = re.compile(
    rf"\b({_ORDINAL}(?:{_BETWEEN}{_ORDINAL})*)[\s-]+({_REGION})(?=\s+(?:spinal\s+)?{SPINE_NOUN}|{_BETWEEN}{_ORDINAL}\s+(?:{_REGION}))",
    re.IGNORECASE,
)
_ONE_ORDINAL = re.compile(rf"({_ORDINAL})(?:[\s-]+(?:{_REGION})\Z)?", re.IGNORECASE)

_ENGLISH_NUMBER = rf"(?:1[0-3]|[1-9]|\b(?:{'|'.join(_NUMBER_WORDS)})\b)(?![\w%]|\.\d)"
_NOT_COUNTED = rf"(?!\s*-?\s*{UNIT})"
_NUMBERED = re.compile(  # "lumbar segment 3", "cervical vertebrae 6 and 7", "lumbar 4-5"
    rf"\b({_REGION})\s+(?:((?:spinal\s+)?{SPINE_NOUN}(?:\s+{SPINE_NOUN})?)\s*(?:no\.?\s*|number\s*|#\s*)?(?={_ENGLISH_NUMBER}{_NOT_COUNTED})"
    rf"|(?={_ENGLISH_NUMBER}{_NOT_COUNTED}\s*(?:[-~/&,.;:)]|$|and\b|to\b|through\b|{SPINE_NOUN}|\b(?:{'|'.join(_NUMBER_WORDS)})\b)))"
    rf"({_ENGLISH_NUMBER})",
    re.IGNORECASE,
)
_WORDS = "|".join(_NUMBER_WORDS)
_SPOKEN = re.compile(  # "C six seven", "C three to C five", "L five S one"
    rf"(?<![\w'’])({SURE}?[CTLSD](?:\d+|[ ](?i:{_WORDS})))"
    rf"((?:(?:[ ,]+|-)(?:(?i:to|through|and)[ ]+)?(?:[CTLSD][ ])?(?i:{_WORDS}))*)(?![\w-])"
)
_SPOKEN_PART = re.compile(rf"([ ,]+|-)((?i:to|through|and)[ ]+)?([CTLSD][ ])?((?i:{_WORDS}))")

_ZH_NUMBER = (  # a numeral in words only if it cannot be the start of another word (腰三角, 腰一直)
    r"(?:(?:1[0-3]|[1-9])(?!\d|\.\d)"
    r"|(?:十[一二三]?|[一二三四五六七八九])(?=[一二三四五六七八九]?(?:[椎横棘神脊间节水平骨压颈胸腰骶]|\s*[-~/、]|[至到和及与或])))"
)
_ZH_BETWEEN = r"\s*(?:[-~/、,&+]|至|到|和|及|与|或)\s*"
_NOT_COUNTED_ZH = rf"(?!\s*{UNIT})"
_ZH_ORDINALS = re.compile(
    rf"第\s*({_ZH_NUMBER}(?:{_ZH_BETWEEN}第?{_ZH_NUMBER})*)\s*({_REGION_ZH})(?:椎(?![间体弓板管旁])|(?=椎|脊?神经|脊?髓|节|皮))"
)
_ZH_NUMBERED = re.compile(
    rf"({_REGION_ZH})(?:椎体?)?第?\s*({_ZH_NUMBER}{_NOT_COUNTED_ZH})"
    rf"((?:{_ZH_BETWEEN}第?{_ZH_NUMBER}{_NOT_COUNTED_ZH}|[一二三四五六七八九](?![一二三四五六七八九十]){_NOT_COUNTED_ZH})*)"
)
_ONE_ZH_NUMBER = re.compile(r"第?(\d+|十[一二三]?|[一二三四五六七八九])")

# Roman numerals, which are also the left ventricle and an interval: joined neighbours ("LIV/LV", "C I/II"), "Th XII", or
# beside a noun of the spine ("L V body").
_ROMAN = "(?:X(?:III?|I)?|IX|VI{0,3}|IV|I{1,3})"
_ROMAN_LEVEL = rf"(?:Th\.?|[CTDLS])[ ]?{_ROMAN}"
_ROMAN_LEVELS = re.compile(
    rf"(?<![A-Za-z])(?:({_ROMAN_LEVEL})([ ]?[-~/][ ]?)({_ROMAN_LEVEL}|{_ROMAN})"
    rf"|(Th\.?[ ]?{_ROMAN}|[CTDLS][ ]?{_ROMAN}(?=\s+{SPINE_NOUN})))(?![A-Za-z])"
)
_ROMAN_PART = re.compile(rf"(?:(Th|[CTDLS])\.?[ ]?)?({_ROMAN})$")
_ROMAN_HINT = re.compile(r"(?:[CTDLS] ?|Th\.? ?)[IVX]+\b")
_ROMAN_NUMBERS = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII", "XIII")
# "L4.5" for L4/5, if a word of the disc or spine stands beside it
_DOTTED = re.compile(
    r"(?:(?<=disc )|(?<=disk )|(?<=at )|(?<=level )|(?<=lumbar )|(?<=cervical ))"
    r"(?P<before>[CTL]\d)\.(?P<then>[2-7])(?![\w.])"
    r"|(?P<level>\b[CTL]\d)\.(?P<next>[2-7])(?=\s(?:disc|disk|level|bulg|protru|hernia|degen|stenos|facet))",
    re.IGNORECASE,
)
_DOTTED_HINT = re.compile(r"[CTLctl]\d\.[2-7]")

# Vertebrae with names of their own. "axis" is a bone only beside the atlas or a word for bone.
_ATLAS_WINDOW = 60
_ATLAS = r"atlas(?!\s+of\b|-based|\s+(?:registration|template|image))"
_BONE_ATLAS = re.compile(rf"{SURE}?\bC1\b|(?i:\b{_ATLAS})")
_NAMED = re.compile(
    rf"\b(?P<pair>(?P<first>atlanto-?)(?P<second>axial))\b|\b(?P<atlas>{_ATLAS}|atlanto-?occipital)\b"
    r"|\b(?P<dens>odontoid\w*|dens(?!\s+(?:invaginatus|evaginatus|in dente)))\b"
    r"|\b(?:bod(?:y|ies)|fractures?|arch|pedicles?|laminae?|process|vertebra) of (?:the )?(?P<bone_of>axis)\b(?!\s+of)"
    r"|\b(?P<axis>axis)\b(?!\s+of)(?P<bone>(?=\s+(?:vertebra|bod(?:y|ies)|fracture|bone|pedicle)))?"
    r"|\b(?P<coccyx>coccyx)\b",
    re.IGNORECASE,
)
_NOT_A_BONE = re.compile(
    r"(?:brain|anatomical|human|digital|probabilistic|long|short|transverse|vertical|sagittal|[xyz]-?)\s*$", re.IGNORECASE
)
_ZH_NAMED = {
    "寰枢": ("C1、", "C2"),
    "寰椎": ("C1",),
    "寰枕": ("C1",),
    "枢椎": ("C2",),
    "齿状突": ("C2",),
    "齿突": ("C2",),
    "尾骨": (COCCYX_SPELLING,),
    "尾椎": (COCCYX_SPELLING,),
}
_ZH_NAME = re.compile("|".join(_ZH_NAMED))

_HAS_HAN = re.compile("[颈胸腰骶寰枢齿尾]")
# Cheap tests of what a text can hold at all; most texts hold few of these and skip the patterns above.
_ORDINAL_STEMS = (*_ORDINAL_WORDS, "1st", "2nd", "3rd", "0th", "1th", "2th", "4th", "5th", "6th", "7th", "8th", "9th", "3th")
_REGION_STEMS = tuple(word for region in REGIONS for word in region.words)
_SPOKEN_STEMS = tuple(f" {word}" for word in _NUMBER_WORDS)
_NAME_STEMS = ("atla", "axis", "odontoid", "dens", "coccyx")


def spell(text: str) -> Rewritten:
    """Write the levels of ``text`` as letter and number; the rest stays, except for characters that ``fold`` changes."""
    spelled = Rewritten(text)
    if not text.isascii():
        spelled = fold(text)
        spelled = Rewritten(spelled.text.replace("–", "-"), spelled.steps)
        if SURE in text:
            spelled = spelled.replace((match.start(), match.end(), "") for match in re.finditer(SURE, spelled.text))
        if _HAS_HAN.search(spelled.text):
            spelled = _spelled(spelled, _ZH_NAME, _spell_zh_named)
            spelled = _spelled(spelled, _ZH_ORDINALS, _spell_zh_ordinals)
            spelled = _spelled(spelled, _ZH_NUMBERED, _spell_zh_numbered)
    if _ROMAN_HINT.search(spelled.text):
        spelled = _spelled(spelled, _ROMAN_LEVELS, _spell_roman)
    if _DOTTED_HINT.search(spelled.text):
        spelled = _spelled(spelled, _DOTTED, _spell_dotted)
    lower = spelled.text.lower()
    if _holds(lower, _REGION_STEMS):
        if _holds(lower, _ORDINAL_STEMS):
            spelled = _spelled(spelled, _ORDINALS, _spell_ordinals)
        spelled = _spelled(spelled, _NUMBERED, _spell_numbered)
    if _holds(lower, _SPOKEN_STEMS):
        spelled = _spelled(spelled, _SPOKEN, _spell_spoken)
    if _holds(lower, _NAME_STEMS):
        spelled = _spelled(spelled, _NAMED, _spell_named)
    return spelled


def _holds(text: str, stems: tuple[str, ...]) -> bool:
    return any(stem in text for stem in stems)


def _spelled(text: Rewritten, pattern: re.Pattern[str], spell_match: Callable[[re.Match[str]], Iterator[Edit]]) -> Rewritten:
    return text.replace(edit for match in pattern.finditer(text.text) for edit in spell_match(match))


def _spell_ordinals(match: re.Match[str]) -> Iterator[Edit]:
    """Each number by itself, the last with the region's word."""
    letter = _LETTER_OF[match[2].lower()]
    for one in _ONE_ORDINAL.finditer(match.string, match.start(), match.end()):
        yield one.start(), one.end(), f"{SURE}{letter}{_number(one[1])}"


def _spell_numbered(match: re.Match[str]) -> Iterator[Edit]:
    region, noun, number = match.groups()
    yield match.start(), match.end(), f"{noun + ' ' if noun else ''}{SURE}{_LETTER_OF[region.lower()]}{_number(number)}"


def _spell_spoken(match: re.Match[str]) -> Iterator[Edit]:
    if not any(character.isalpha() for character in match[1][2:]) and not match[2]:
        return

    head = re.sub(r"([CTLSD]) ?(\w+)$", lambda first: f"{first[1]}{_number(first[2])}", match[1])
    yield match.start(1), match.end(1), head
    for piece in _SPOKEN_PART.finditer(match.string, match.start(2), match.end(2)):
        blank, connector, letter, number = piece.groups()
        start = piece.start(3 if letter else 4)
        yield piece.start(), start, blank + connector if connector else "-" if blank == " " else blank
        yield start, piece.end(), f"{letter.strip() if letter else ''}{_number(number)}"


def _spell_roman(match: re.Match[str]) -> Iterator[Edit]:
    """Joined levels only if they are neighbours; an interval "CI/CIII" or a ventricle "LV/LA" stays."""
    if match[4]:
        yield match.start(), match.end(), _arabic(match[4], "")
        return
    upper = _arabic(match[1], "")
    lower = _arabic(match[3], upper[0])
    sacral = (upper, lower) in (("L5", "S1"), ("L6", "S1"), ("T12", "L1"), ("C7", "T1"))
    if sacral or (upper[0] == lower[0] and int(lower[1:]) - int(upper[1:]) == 1):
        yield match.start(1), match.end(1), upper
        yield match.start(3), match.end(3), lower


def _arabic(written: str, letter: str) -> str:
    part = _ROMAN_PART.match(written)
    letters, numeral = part.groups()  # type: ignore[union-attr]
    return f"{(letters or letter)[0].upper().replace('D', 'T')}{_ROMAN_NUMBERS.index(numeral) + 1}"


def _spell_dotted(match: re.Match[str]) -> Iterator[Edit]:
    level, following = (match["before"], match["then"]) if match["before"] else (match["level"], match["next"])
    if int(following) - int(level[1:]) == 1:
        point = match.end() - len(following) - 1
        yield point, point + 1, "-"


def _spell_named(match: re.Match[str]) -> Iterator[Edit]:
    start, end, text = *match.span(), match.string
    before = text[max(0, start - _ATLAS_WINDOW) : start]
    if match["pair"]:
        yield match.start("first"), match.end("first"), f"{SURE}C1、"
        yield match.start("second"), match.end("second"), f"{SURE}C2"
    elif match["dens"]:
        yield start, end, f"{SURE}C2"
    elif match["coccyx"]:
        yield start, end, SURE + COCCYX_SPELLING
    elif match["bone_of"]:
        yield match.start("bone_of"), end, f"{SURE}C2"
    elif _NOT_A_BONE.search(before):
        return
    elif match["atlas"]:
        yield start, end, f"{SURE}C1"
    elif match["bone"] is not None or _BONE_ATLAS.search(before + text[end : end + _ATLAS_WINDOW]):
        yield start, end, f"{SURE}C2"


def _spell_zh_named(match: re.Match[str]) -> Iterator[Edit]:
    names = _ZH_NAMED[match[0]]
    for place, name in enumerate(names, match.start()):
        yield place, place + 1 if len(names) > 1 else match.end(), SURE + name


def _spell_zh_ordinals(match: re.Match[str]) -> Iterator[Edit]:
    """Each number by itself, the last with the region's word."""
    letter = _LETTER_OF[match[2]]
    numbers = list(_ONE_ZH_NUMBER.finditer(match.string, match.start(1), match.end(1)))
    for number in numbers:
        start = match.start() if number is numbers[0] else number.start()
        yield start, match.end() if number is numbers[-1] else number.end(), f"{SURE}{letter}{_number(number[1])}"


def _spell_zh_numbered(match: re.Match[str]) -> Iterator[Edit]:
    """Each number by itself, the first with the region's word; "腰四五" are joined."""
    letter, last = _LETTER_OF[match[1]], None
    for number in _ONE_ZH_NUMBER.finditer(match.string, match.start(2), match.end()):
        joined = (
            last is not None and last[0][-1] in _HAN_DIGITS and last.end() == number.start() and number[0][0] in _HAN_DIGITS
        )
        start = number.start() if last else match.start()
        yield start, number.end(), f"{'-' if joined else ''}{SURE}{letter}{_number(number[1])}"
        last = number


def _number(word: str) -> int:
    """Return the number that "4", "4th", "four", "fourth", 四 or 十二 means."""
    word = word.lower()
    if word in _NUMBER_OF:
        return _NUMBER_OF[word]
    if word.startswith("十"):
        return 10 + _NUMBER_OF[word[1]]
    return int(word.rstrip("stndrh"))
