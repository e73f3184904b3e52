"""Step 1 of levels.py: every way to write a level becomes a letter and a number.

    "the fourth and fifth lumbar vertebrae"  ->  "the L4 and L5 vertebrae"
    "第3～5胸椎"                              ->  "T3~T5"
    "C six seven"                            ->  "C6-7"
    "D11"                                    ->  as it is: levels.py reads letters

A level spelt out in words cannot be mistaken for a look-alike and is marked with ``SURE`` before its letter.
"""

import re

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
_NUMBER_OF |= {character: number for number, character in enumerate("一二三四五六七八九十", 1)}

# One sign for each of what keyboards and fonts offer; invisible marks vanish, superscripts (citations) part words.
_CHARACTERS = str.maketrans(
    {chr(0xFF01 + offset): chr(0x21 + offset) for offset in range(94)}
    | dict.fromkeys("‐‑‒–—―−﹣－₋", "-")
    | dict.fromkeys("～〜∼˜∽", "~")
    | dict.fromkeys("∕⁄╱／", "/")
    | dict.fromkeys("，﹐", ",")
    | dict.fromkeys("⁰¹²³⁴⁵⁶⁷⁸⁹\u00a0\u2009\u202f\u3000", " ")
    | {chr(0x2080 + digit): str(digit) for digit in range(10)}
    | dict(zip("頸間盤經節體與椎脊薦", "颈间盘经节体与椎脊骶"))
    | dict.fromkeys(
        "\u00ad\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff" + SURE
    )
)

_ORDINAL = rf"(?:{'|'.join(_ORDINAL_WORDS)}|(?:1st|2nd|3rd|[4-9]th|1[0-3]th))"
_BETWEEN = r"\s*(?:,|-|~|/|&|\band\b|\bto\b|\bthrough\b|\bthru\b|\bor\b)+\s*(?:the\s+)?"
_ORDINALS = re.compile(
    rf"\b({_ORDINAL}(?:{_BETWEEN}{_ORDINAL})*)[\s-]+({_REGION})(?=\s+(?:spinal\s+)?{SPINE_NOUN}|{_BETWEEN}{_ORDINAL}\s+(?:{_REGION}))",
    re.IGNORECASE,
)
_ONE_ORDINAL = re.compile(_ORDINAL, re.IGNORECASE)

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

_ZH_NUMBER = (  # a numeral in words only where it cannot be the start of another word (腰三角, 腰一直)
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
# "L4.5" for L4/5, where a word of the disc or spine stands beside it
_DOTTED = re.compile(
    r"(?:(?<=disc )|(?<=disk )|(?<=at )|(?<=level )|(?<=lumbar )|(?<=cervical ))"
    r"(?P<before>[CTL]\d)\.(?P<then>[2-7])(?![\w.])"
    r"|(?P<level>\b[CTL]\d)\.(?P<next>[2-7])(?=\s(?:disc|disk|level|bulg|protru|hernia|degen|stenos|facet))",
    re.IGNORECASE,
)
_DOTTED_HINT = re.compile(r"[CTLctl]\d\.[2-7]")

# Vertebrae with names of their own. "axis" is a bone only beside the atlas, or where bone is said of it.
_ATLAS_WINDOW = 60
_ATLAS = r"atlas(?!\s+of\b|-based|\s+(?:registration|template|image))"
_BONE_ATLAS = re.compile(rf"{SURE}?\bC1\b|(?i:\b{_ATLAS})")
_NAMED = re.compile(
    rf"\b(?P<pair>atlanto-?axial)\b|\b(?P<atlas>{_ATLAS}|atlanto-?occipital)\b"
    r"|\b(?P<dens>odontoid\w*|dens(?!\s+(?:invaginatus|evaginatus|in dente)))\b"
    r"|(?P<bone_of>\b(?:bod(?:y|ies)|fractures?|arch|pedicles?|laminae?|process|vertebra) of (?:the )?)axis\b(?!\s+of)"
    r"|\b(?P<axis>axis)\b(?!\s+of)(?P<bone>(?=\s+(?:vertebra|bod(?:y|ies)|fracture|bone|pedicle)))?"
    r"|\b(?P<coccyx>coccyx)\b",
    re.IGNORECASE,
)
_NOT_A_BONE = re.compile(
    r"(?:brain|anatomical|human|digital|probabilistic|long|short|transverse|vertical|sagittal|[xyz]-?)\s*$", re.IGNORECASE
)
_ZH_NAMED = {
    "寰枢": "C1、C2",
    "寰椎": "C1",
    "寰枕": "C1",
    "枢椎": "C2",
    "齿状突": "C2",
    "齿突": "C2",
    "尾骨": COCCYX_SPELLING,
    "尾椎": COCCYX_SPELLING,
}
_ZH_NAME = re.compile("|".join(_ZH_NAMED))

_HAS_HAN = re.compile("[颈胸腰骶寰枢齿尾]")
# Cheap tests of what a text can hold at all; most texts hold few of these and skip the patterns above.
_ORDINAL_STEMS = (*_ORDINAL_WORDS, "1st", "2nd", "3rd", "0th", "1th", "2th", "4th", "5th", "6th", "7th", "8th", "9th", "3th")
_REGION_STEMS = tuple(word for region in REGIONS for word in region.words)
_SPOKEN_STEMS = tuple(f" {word}" for word in _NUMBER_WORDS)
_NAME_STEMS = ("atla", "axis", "odontoid", "dens", "coccyx")


def spell(text: str) -> str:
    """``text`` with levels as letter and number; the rest stays, but for the signs of _CHARACTERS."""
    if not text.isascii():
        text = text.translate(_CHARACTERS)
        if _HAS_HAN.search(text):
            text = _ZH_NAME.sub(lambda match: SURE + _ZH_NAMED[match[0]].replace("、", "、" + SURE), text)
            text = _ZH_ORDINALS.sub(_spell_zh_ordinals, text)
            text = _ZH_NUMBERED.sub(_spell_zh_numbered, text)
    if _ROMAN_HINT.search(text):
        text = _ROMAN_LEVELS.sub(_spell_roman, text)
    if _DOTTED_HINT.search(text):
        text = _DOTTED.sub(_spell_dotted, text)
    lower = text.lower()
    if _holds(lower, _REGION_STEMS):
        if _holds(lower, _ORDINAL_STEMS):
            text = _ORDINALS.sub(_spell_ordinals, text)
        text = _NUMBERED.sub(_spell_numbered, text)
    if _holds(lower, _SPOKEN_STEMS):
        text = _SPOKEN.sub(_spell_spoken, text)
    if _holds(lower, _NAME_STEMS):
        text = _NAMED.sub(_spell_named, text)
    return text


def _holds(text: str, stems: tuple[str, ...]) -> bool:
    return any(stem in text for stem in stems)


def _spell_ordinals(match: re.Match[str]) -> str:
    letter = _LETTER_OF[match[2].lower()]
    return _ONE_ORDINAL.sub(lambda ordinal: f"{SURE}{letter}{_number(ordinal[0])}", match[1])


def _spell_numbered(match: re.Match[str]) -> str:
    region, noun, number = match.groups()
    return f"{noun + ' ' if noun else ''}{SURE}{_LETTER_OF[region.lower()]}{_number(number)}"


def _spell_spoken(match: re.Match[str]) -> str:
    if not any(character.isalpha() for character in match[1][2:]) and not match[2]:
        return match[0]

    def part(piece: re.Match[str]) -> str:
        blank, connector, letter, number = piece.groups()
        join = blank + connector if connector else "-" if blank == " " else blank
        return f"{join}{letter.strip() if letter else ''}{_number(number)}"

    head = re.sub(r"([CTLSD]) ?(\w+)$", lambda first: f"{first[1]}{_number(first[2])}", match[1])
    return head + _SPOKEN_PART.sub(part, match[2])


def _spell_roman(match: re.Match[str]) -> str:
    """Joined levels only where they are neighbours; an interval "CI/CIII" or a ventricle "LV/LA" stays."""
    if match[4]:
        return _arabic(match[4], "")
    upper = _arabic(match[1], "")
    lower = _arabic(match[3], upper[0])
    sacral = (upper, lower) in (("L5", "S1"), ("L6", "S1"), ("T12", "L1"), ("C7", "T1"))
    if sacral or (upper[0] == lower[0] and int(lower[1:]) - int(upper[1:]) == 1):
        return f"{upper}{match[2]}{lower}"
    return match[0]


def _arabic(written: str, letter: str) -> str:
    part = _ROMAN_PART.match(written)
    letters, numeral = part.groups()  # type: ignore[union-attr]
    return f"{(letters or letter)[0].upper().replace('D', 'T')}{_ROMAN_NUMBERS.index(numeral) + 1}"


def _spell_dotted(match: re.Match[str]) -> str:
    level, following = (match["before"], match["then"]) if match["before"] else (match["level"], match["next"])
    return f"{level}-{following}" if int(following) - int(level[1:]) == 1 else match[0]


def _spell_named(match: re.Match[str]) -> str:
    kind, text = match.lastgroup, match.string
    before = text[max(0, match.start() - _ATLAS_WINDOW) : match.start()]
    if match["pair"]:
        return f"{SURE}C1、{SURE}C2"
    if match["dens"]:
        return f"{SURE}C2"
    if match["coccyx"]:
        return SURE + COCCYX_SPELLING
    if match["bone_of"]:
        return f"{match['bone_of']}{SURE}C2"
    if _NOT_A_BONE.search(before):
        return match[0]
    if match["atlas"]:
        return f"{SURE}C1"
    near = before + text[match.end() : match.end() + _ATLAS_WINDOW]
    return f"{SURE}C2" if kind == "bone" or match["bone"] is not None or _BONE_ATLAS.search(near) else match[0]


def _spell_zh_ordinals(match: re.Match[str]) -> str:
    letter = _LETTER_OF[match[2]]
    return _ONE_ZH_NUMBER.sub(lambda number: f"{SURE}{letter}{_number(number[1])}", match[1])


def _spell_zh_numbered(match: re.Match[str]) -> str:
    rest = re.sub(r"(?<=[一二三四五六七八九])(?=[一二三四五六七八九])", "-", match[2] + match[3])
    return _ONE_ZH_NUMBER.sub(lambda number: f"{SURE}{_LETTER_OF[match[1]]}{_number(number[1])}", rest)


def _number(word: str) -> int:
    """Of "4", "4th", "four", "fourth", 四, 十二."""
    word = word.lower()
    if digits := re.match(r"\d+", word):
        return int(digits[0])
    if word.startswith("十") and len(word) == 2:
        return 10 + _NUMBER_OF[word[1]]
    return _NUMBER_OF[word]
