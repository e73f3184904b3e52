"""Compare texts by what they mean, as far as words tell: stems with synonyms folded, negation, and levels by name."""

import functools
import re
from dataclasses import dataclass

from dataset_builders.characters import comparable, fold
from dataset_builders.generate.criteria.facts import levels_of
from dataset_builders.generate.criteria.normal import LEVEL_OF, normalise
from dataset_builders.generate.criteria.parts import sentences
from dataset_builders.generate.criteria.vocabulary import read_words, synonyms
from dataset_builders.levels import find_levels

_STEM = 6  # letters of a word that are compared: "herniation" and "herniated" are one
_COMMON = frozenset(read_words("common")["words"].split())
_HAN_COMMON = re.compile(
    r"[的了是在和与及或为等其此该这那有中也可以会能被由对于因而且并则即如将从到下列哪个哪项什么以下一项种者应需通常主要属于患者正确选项答案解析说明请问]"
)
_TOKEN = re.compile(r"[a-z]+|\d+(?:\.\d+)?|[\u4e00-\u9fff]+")

_NEGATION = re.compile(
    r"\b(?:no|not|never|none|nor|neither|without|denie[sd]|deny|denying|absent|absence|negative|cannot"
    r"|excluded?|excludes|excluding|"
    r"ruled out|free of|against|avoid\w*|contraindicat\w*|lacks?|lacking|unlikely|fails? to|failed to"
    r"|rather than|instead of|unaffected|"
    r"unremarkable|spared|preserved|intact)\b|n['’]t\b"
    r"|无(?!力|菌|痛|创|名)|未(?!来|婚)|没有?|不(?!稳|全|良|规则|对称|等|适|仅|但|同|清|孕|明|足|断|过|少|均|齐|可逆|愈合)|非(?!甾|常|典型|特异|手术|骨"
    r"|创伤|压缩)|否认|排除|阴性|避免|禁忌|禁止|反对|切勿|勿"
)
_NOT_NEGATION = re.compile(
    r"not only|no doubt|not (?:be )?excluded|cannot (?:be )?exclude\w*|can ?not be ruled out|不能排除|不除外|未能排除"
    r"|不排除|未排除|no longer than|not? (?:more|less|fewer|later|earlier) than|不超过|不少于|不低于|不大于|不小于|if not"
    r"|whether or not|无论|不论"
)
_CLAUSE = re.compile(
    r"[,，、:：()（）]|\s[–—-]\s|\b(?:but|however|while|whereas|although|though|because|so that)\b|但|而(?!且)|然而|因此"
)


_FILLER = frozenset(("evidenc", "eviden", "sign", "obviou", "signif", "defini", "gross", "major", "clear", "longer"))
"""Stems that stand between a negation and what it denies."""


_OPENS_DENIAL = re.compile(
    r"\s*(?:and )?(?:there (?:is|was|are|were) )?(?:no|without|denies|denied|negative for|无(?!力)|未见|没有"
    r"|否认)\b|\s*(?:无(?!力)|未见|没有|否认)",
    re.IGNORECASE,
)
_VERB = re.compile(
    r"\b(?:is|are|was|were|has|have|had|there|shows?|showed|seen|noted|with|needs?|may|can|will|should)\b"
    r"|有|见|示|为|伴|存在|可|须|应",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Clause:
    """A clause: its stems, whether it is negated, and the stems that a negation directly precedes (or, at its end, follows)."""

    stems: frozenset[str]
    negated: bool
    denied: frozenset[str]

    def likeness(self, other: "Clause") -> float:
        """Return the share of both clauses' stems that they have in common."""
        return len(self.stems & other.stems) / len(self.stems | other.stems)


@functools.lru_cache(maxsize=1024)
def stems_of(text: str, *, common: bool = False) -> tuple[str, ...]:
    """Return the stems of a text's content words in order, synonyms folded; pairs of Han characters for Chinese.

    common   keep words without content, too.
    """
    lower = fold(text).text.lower()
    for language in ("en", "zh"):
        for name, pattern in synonyms(language):
            lower = pattern.sub(f" {name} ", lower)
    stems: list[str] = []
    for match in re.finditer(r"synonym\d+|" + _TOKEN.pattern, lower):
        token = match[0]
        if token.startswith("synonym"):
            stems.append(token)
        elif token[0] >= "\u4e00":
            stems += _han_stems(token, common)
        elif common or (token not in _COMMON and (len(token) > 1 or token.isdigit())):
            stems.append(_stem(token))
    return tuple(stems)


def share_in(part: str, whole: str) -> float:
    """Return the share of the stems of ``part`` that ``whole`` has; 1.0 if ``part`` has none."""
    stems = set(stems_of(part))
    return len(stems & set(stems_of(whole))) / len(stems) if stems else 1.0


def is_negated(text: str) -> bool:
    """Tell whether a clause denies what it speaks of. A doubt ("not excluded") denies nothing."""
    return bool(_NEGATION.search(_NOT_NEGATION.sub(" ", text.lower())))


@functools.lru_cache(maxsize=512)
def clauses_of(text: str, *, whole: bool = False) -> tuple[Clause, ...]:
    """Return the clauses of a text's sentences, questions left out.

    whole   a sentence of several clauses stands beside them.
    """
    found = []
    for sentence in sentences(text):
        if sentence.rstrip("”\"'）) ").endswith(("?", "？")):
            continue
        pieces, denied = [], False
        for piece in _CLAUSE.split(sentence):
            if re.search(r"\w", piece):
                denied = _OPENS_DENIAL.match(piece) is not None or (denied and not _VERB.search(piece))
                pieces.append((piece, denied))
        if whole and len(pieces) > 1:
            pieces.append((sentence, False))
        for piece, listed in pieces:
            if stems := frozenset(stems_of(piece)):
                own = _denied(piece)
                found.append(Clause(stems, listed or is_negated(piece), own | stems if listed and not own else own))
    return tuple(found)


def _denied(clause: str) -> frozenset[str]:
    text, denied = _NOT_NEGATION.sub(" ", clause.lower()), set()
    for match in _NEGATION.finditer(text):
        after = [stem for stem in stems_of(text[match.end() :]) if stem not in _FILLER and not stem.isdigit()]
        before = [stem for stem in stems_of(text[: match.start()]) if not stem.isdigit()]
        denied.update(after[:1] or before[-1:])
    return frozenset(denied)


def affirmed(pattern: re.Pattern[str], text: str) -> bool:
    """Tell whether ``text`` says what ``pattern`` matches without denying it; ``pattern`` is for lower-cased text.

    A negation covers what follows it up to a new clause ("no fracture, tumour or infection"), and what it directly follows
    ("a fracture was excluded").
    """
    for sentence in sentences(text):
        for piece in _NEW_CLAUSE.split(_NOT_NEGATION.sub(" ", sentence.lower())):
            for match in pattern.finditer(piece):
                if not _NEGATION.search(piece[: match.start()]) and not _DENIED_AFTER.match(piece[match.end() :]):
                    return True
    return False


_NEW_CLAUSE = re.compile(
    r"[;；:：]|\b(?:but|however|whereas|although|because|due to|consistent with|suggesting|showing|shows|causing|with)\b"
    r"|[,，] ?(?:and )?(?:there (?:is|are|was|were)|it|he|she|the|this|you|go)\b|但|然而|因|提示|考虑"
    r"|[,，](?=[^,，]{0,4}(?:有|见|示|为|伴|存在|须|请))(?![^,，]{0,4}(?:未|无|没))"
)
_DENIED_AFTER = re.compile(
    r"[^,，.]{0,24}?\b(?:is|are|was|were|has been|have been) (?:not|absent|excluded|ruled out|negative|unlikely)|"
    r"(?: or [a-z]+)? (?:not seen|excluded|ruled out|absent|unlikely)"
    r"|[^,，]{0,6}(?:已排除|未见|阴性|不存在|被排除|可能性小|可能性不大)"
)


def same_order(one: str, other: str) -> bool:
    """Tell whether two short texts say the same: equal stems in order, or, if one is written with "of", in any order."""
    first, second = stems_of(one), stems_of(other)
    if not first or is_negated(one) != is_negated(other):
        return False
    inverted = re.search(r"\bof\b|的", one + other) is not None
    return first == second or (inverted and sorted(first) == sorted(second))


_LEVEL_NOISE = re.compile(
    r"\b(?:the|at|of|level|levels|disc|disk|discs|intervertebral|space|vertebra|vertebrae|vertebral|body"
    r"|nerve|root|roots|segment|spinal|traversing|exiting|left|right)\b|椎间盘|间盘|椎间隙|椎体|节段|水平|神经根|神经|脊|椎|第"
    r"|左侧?|右侧?|[\s.,，。、]"
)


@functools.lru_cache(maxsize=512)
def level_option(option: str) -> tuple[str, tuple[str, ...]] | None:
    """Return kind and names if an option is a level (or levels) and nothing else: "L4-5 disc" gives ("disc", ("L4/L5",))."""
    if name := LEVEL_OF.get(normalise(option)):
        return "disc" if "/" in name else "vertebra", (name,)
    spans = find_levels(option)
    if not spans:
        return None
    rest = option
    for span in reversed(spans):
        rest = rest[: span.start] + rest[span.end :]
    rest = re.sub(r"\b(?:and|to|or)\b|[和与至及-]", "", rest.lower())
    if _LEVEL_NOISE.sub("", rest):
        return None
    return spans[0].kind, tuple(name for span in spans for name in span.names)


def option_in(option: str, text: str) -> bool:
    """Tell whether a text says an option: by its level, its stems, or its letters if it has no stems."""
    if level := level_option(option):
        singles, discs = levels_of(text)
        return set(level[1]) <= (discs if level[0] == "disc" else singles)
    if stems := set(stems_of(option)):
        return stems <= set(stems_of(text))
    said = comparable(option)
    return bool(said) and re.search(rf"(?<!\w){re.escape(said)}(?!\w)", comparable(text)) is not None


def _stem(token: str) -> str:
    if token.isdigit():
        return token
    return token[:_STEM] if len(token) > _STEM else re.sub(r"(?<=\w{3})(?:es|s)$", "", token)


def _han_stems(run: str, common: bool) -> list[str]:
    words = [run] if common else [word for word in _HAN_COMMON.split(run) if word]
    return [word[place : place + 2] for word in words for place in range(max(1, len(word) - 1))]
