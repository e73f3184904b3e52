"""Find what makes a ready-made question unfit. An examiner's words are not mended: a question with a fault leaves.

The faults are those of examination banks that were cut into rows: images that did not come along, questions of a series without
their case, options run together or cut in two, letters lost in conversion, keys that their own explanation contradicts.
"""

import itertools
import re
from dataclasses import replace

from dataset_builders.classify import classify_text
from dataset_builders.deidentify.known_words import english_words, is_known
from dataset_builders.document import Document, Exchange
from dataset_builders.generate.rules.passages import sentences
from dataset_builders.item import LETTERS
from dataset_builders.language import detect_language
from dataset_builders.levels import DISCS, VERTEBRAE, find_levels

SHORTEST_STEM = {"en": 15, "zh": 4}
"""Shortest question in characters that can ask anything."""

_SHOWN_ELSEWHERE = re.compile(
    r"\b(?:given|following|above|shown|attached|accompanying) (?:image|figure|picture|photograph|x[- ]?ray|radiograph|scan|mri|"
    r"ct|deformity|diagram)s?\b|\b(?:image|figure|picture|x[- ]?ray|radiograph|scan|mri|ct|slide)s?\b[^.?]{0,40}\b(?:"
    r"(?:is|are) (?:given|shown)|given below|shown below|below|show(?:s|ed) the following|(?:shown|depicted) here)|"
    r"\b(?:shown|depicted|marked|labell?ed) (?:in|on|by) the (?:image|figure|picture|diagram|x[- ]?ray|arrow)|"
    r"\b(?:given|following|shown) (?:\w+ ){0,2}(?:instrument|slide|specimen|device|implant|histolog\w+|hpe\b|biopsy findings)|"
    r"(?:如|见|上|下|附)图|图[中示]|所示(?:的)?(?:图|影像|X线)",
    re.IGNORECASE,
)
_EXPLAINS_AN_IMAGE = re.compile(
    r"\b(?:the|this|given)\s+(?:given\s+)?(?:image|figure|picture|photograph|x[- ]?ray)s?\s+(?:given\s+)?"
    r"(?:shows?|depicts?|is)\b|\b(?:image|x[- ]?ray image)s? shows?\b|图[中示]",
    re.IGNORECASE,
)
_DATA_MISSING = re.compile(
    r"\b(?:based on|according to|from|using) the (?:provided|given|attached|above) (?:\w+ ){0,2}(?:data|table|graph|chart)\b|"
    r"如[上下]?表(?:所示|\s*\d)|见[上下附]?表(?:\s*\d|[。，）)])|根据(?:所给|提供的|以上)(?:数据|表格|图表)",
    re.IGNORECASE,
)
_UNANSWERED = re.compile(
    r"\b(?:unable|not possible|impossible) to (?:\w+ )?(?:calculate|determine|answer)\b|"
    r"\bcannot be (?:\w+ )?(?:calculated|determined|answered)\b|无法(?:计算|回答|确定答案)",
    re.IGNORECASE,
)
# "3．", "2-" before a question, or between a case and its third question: the others, and what they told, are in other rows.
_OF_A_SERIES = re.compile(
    r"^\s*\(?\d{1,2}\s*[．、)）]\s*(?=\w)|^\s*\d{1,2}\s*[.-]\s*(?=[一-鿿])|(?<=[^\d.．])\d[．.、](?=[一-鿿])"
)
_OPTION_MARKS = re.compile(
    r"(?:^|[\s(（])A\s*[.．、)）:].{1,200}?[\s(（]B\s*[.．、)）:].{1,200}?[\s(（]C\s*[.．、)）:]", re.DOTALL
)
_FILLER = re.compile(r"^\s*(?:无|空|[-–—./_]*)\s*[.。]?\s*$")
_OPTION_BY_NUMBER = re.compile(
    r"\b(?:options?|both|choices?)\s+\d\b|\b\d\s+(?:and|&)\s+\d\s+(?:both|are|only)\b", re.IGNORECASE
)
_STATED_KEY = re.compile(
    r"^\W*(?:ans(?:wer)?(?:\s+is)?|correct (?:answer|option)(?:\s+is)?)[\s.:\-(]*\(?([A-H])(?![A-Za-z])|"
    r"^(?:答案|正确答案|本题选|故选)[\s:：为]*([A-H])(?![A-Za-z])",
    re.IGNORECASE,
)
_CUT_ABBREVIATION = re.compile(r"[A-Z]{2,5}-[A-Z]{0,3}\d{1,3}")  # "HLA-B27"
_LOST_LETTERS = ("rt", "via")
"""Letters that a conversion of MedMCQA dropped wherever they stood together ("veebra", "ahritis", "synol")."""
_SHORTEST_GARBLED = 4
_PREFIX = re.compile(r"^(?:inter|intra|supra|infra|para|pre|peri|costo|thoraco|lumbo|retro|osteo|non|post|poly|spondylo)")
_BROKEN_WORD = re.compile(r"\b(?:[A-Z] ([a-z]{3,})|l\d+-years?)\b")  # "U nmyel inated", "l2-year-old"
_GLUED_SENTENCES = re.compile(r"[a-z)][.!?]?[A-Z][a-z]{2,} ?[a-z]*|[a-z]{2}\d?\*|[•►]| \* |^\s*\*|->|→", re.MULTILINE)
_REFERENCE = re.compile(
    r"\bRef(?:erence)?s?\b[.: ]|\b\d+(?:th|st|nd|rd|/e)\s*(?:ed\b|edition|p)|\bpg?\.? ?\d+|参考文献", re.IGNORECASE
)
# Words of the spine in the names of other things: polio, meningitis, lumbar puncture, tracts of the brain, skull and jaw.
_NOT_OF_THE_SPINE = re.compile(
    r"脊髓灰质炎|脑脊髓膜炎|脑脊液|腰椎?穿刺?|(?:脊髓|皮质|三叉)(?:丘脑|脊髓|小脑)[侧前后]?束|脊髓丘系|三叉神经脊束核?|"
    r"椎管(?:内)?(?:用|注射|给药|麻醉)|(?:小脑幕|颅内)[^，。]{0,6}硬膜[外下]血肿|颅[^，。]{0,6}骨折|[上下]?颌骨[^，。]{0,8}(?:骨髓炎|骨折|囊肿)|髁状突[^，。]{0,4}骨折|"
    r"poliomyelitis|meningococc\w+|lumbar puncture|spinal tap|(?:spinothalamic|corticospinal|spinocerebellar) tracts?|"
    r"spinal reflex\w*|vertebral arter(?:y|ies)|椎.?基底动脉|spinal (?:nucleus|tract|part|root) of (?:the )?\w+|"
    r"spinal accessory|spinal ana?esthesia|lumbar arter\w+|skull (?:base )?fractures?|mandib\w+|dorsal motor nucleus",
    re.IGNORECASE,
)

_ELSEWHERE = re.compile(
    r"middle meningeal|脑膜中动脉|brain[- ]dea(?:d|th)|脑死亡|晶状体|玻璃体|颞下颌|颧[弓骨]|牙槽|"
    r"\b(?:orthodont|orthopant|orthophosph|dental)\w*|\bresidency\b|医学伦理",
    re.IGNORECASE,
)
"""What makes a question one of the brain, the eye, the teeth or the profession, whatever words of the spine are in it."""

_HEDGED = re.compile(
    r"\b(?:may|might|could(?! not)|possibly|perhaps|speculat\w+)\b|\bit (?:is|seems|appears) possible\b|"
    r"可能|或许|也许|推测"
)
_OF_FURTHER_WORK = re.compile(
    r"\b(?:further|future|more|additional|larger)\b[^.]{0,40}\b(?:research|stud(?:y|ies)|trials?|work)\b", re.IGNORECASE
)
"""A conclusion's words of doubt (a month is written "May"), and a sentence on work to come, which concludes nothing."""

_ASKS_AMONG_OPTIONS = re.compile(
    r"\bof the (?:following|above|below|listed)\b|\b(?:which|what)\b[^.?]*\b(?:except|least likely|exclud(?:es|ing))\b|"
    r"\bexcept\b[^.?]{0,40}[?:]|\bwhich\b[^.?]*(?:\b(?:not|never|cannot)\b|n[’']t\b)[^.?]*\?|"
    r"下列|以下(?:哪|何|选项|各项)|[哪何][^，。？]{0,12}(?:不是|不属于|不包括|不正确|错误)|(?:不是|不属于|不包括|不正确)[^，。？]{0,8}[哪何]|除外",
    re.IGNORECASE,
)
_NAMES_OPTIONS = re.compile(
    r"\b(?:the|these|those|other|given|available|remaining|listed|provided|all|both|my|our|answer|multiple[- ]choice)\s+"
    r"(?:answer\s+)?(?:choices|options)\b|\b(?:choices|options) (?:given|listed|provided|presented|above|below)\b|"
    r"\banswer choices?\b|选项|备选",
    re.IGNORECASE,
)
_NAMES_A_LETTER = re.compile(
    r"\b(?:[Oo]ption|[Cc]hoice|[Aa]nswer|[Aa]nswer is|[Ll]etter)\s*:?\s*\(?(?:[B-H]\b|A\b(?! [a-z]))|"
    r"(?:^|\s)\([A-E]\)|^\s*[A-E][.)]\s|"
    r"(?:答案(?:是|为)?|故?选)\s*[A-H](?![A-Za-z])",
    re.MULTILINE,
)
_ASKS = re.compile(
    r"[?？]|\b(?:what|which|how|why|who|when|where|describe|explain|name|identify|determine|calculate|list|give|state|discuss|"
    r"suggest|recommend|provide|outline|compare|define|summari[sz]e|diagnose|interpret)\b|"
    r"什么|哪|如何|怎|为何|请|是否|多少|多大|多久|何[种时者处]|[吗几谁]|简述|试述|说明|解释|分析|列出|描述|(?:诊断|名称|原因)[是为]",
    re.IGNORECASE,
)

_PART = re.compile(
    r"脊[柱髓椎]|椎(?!动脉|前)|腰背?痛|颈椎|\b(?:spin(?:e|al)|vertebra\w*|intervertebral|dis[ck]|cord|myelopath\w+|"
    r"(?:cervical|lumbar|thoracic) (?:spine|canal|dis[ck]|vertebra\w*))\b",
    re.IGNORECASE,
)
"""What a question of the spine names if no sub-field's word is in it."""


def find_fault(document: Document) -> tuple[str, str]:
    """Return a reason ("bank_figure_missing") and what was found, or ("", "") if the document's question can be asked.

    Images and data that are not there are looked for in every exchange, lost options in every open one; the other faults are
    those of question banks.
    """
    exchange = document.exchange
    if exchange is None:
        return "", ""
    if not any(figure.image_sha256 for figure in document.figures) and (pointer := _image_needed(exchange)):
        return "bank_figure_missing", f"{pointer!r}, and the row has no image"
    if match := _DATA_MISSING.search(exchange.question) or _UNANSWERED.search("" if exchange.options else exchange.answer):
        return "bank_data_missing", f"{match.group()!r}, and the row has no such data"
    faults = [] if exchange.options else _open_faults(exchange)
    if document.provenance.source_kind == "question_bank":
        faults += _faults(document, exchange)
    return next(((reason, detail) for reason, detail in faults if detail), ("", ""))


def classify_subject(document: Document, exchange: Exchange) -> Document:
    """Return the document with the specialty and sub-field of what is asked: question, right options, readable explanation.

    Wrong options and the abstract before a yes-or-no question speak of other things; so do levels that only say where an organ
    lies ("the hilum of the kidney lies at L1").
    """
    subject = _NOT_OF_THE_SPINE.sub(" ", _subject_of(exchange))
    if _ELSEWHERE.search(subject):
        return replace(document, specialty="general", subfield=None, subfield_score=None)
    found = classify_text(subject)
    names_part = bool(_PART.search(subject) or find_levels(exchange.question) or _asks_for_a_level(exchange))
    if found.subfield is None and not (found.specialty == "orthopaedics" or names_part):
        return replace(document, specialty="general", subfield=None, subfield_score=None)
    specialty = "spine" if found.subfield is None and names_part else found.specialty
    return replace(
        document, specialty=specialty, subfield=found.subfield, subfield_score=found.score if found.subfield else None
    )


def explanation_of(exchange: Exchange) -> str:
    """Return the source's explanation if it can be read by itself, else "".

    It can if it is whole sentences without lost letters, headers ("Ans. b"), literature references or lists run together.
    """
    text = (exchange.reasoning or "").strip()
    if not text or _STATED_KEY.match(text) or _REFERENCE.search(text) or _GLUED_SENTENCES.search(text) or lost_letters(text):
        return ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    whole = all(line[-1] in ".!?。！？" and (not line[0].isalpha() or not line[0].islower()) for line in lines)
    return text if whole else ""


def lost_letters(text: str) -> str:
    """Return the first word of ``text`` that lost letters in conversion ("veebra"), or pieces of one; "" if there is none."""
    for match in _BROKEN_WORD.finditer(text):
        if not match[1] or not (match[1] in english_words() or is_known(match[1])):
            return match.group()
    words = (word for word in re.findall(r"[A-Za-z]+", text) if not word.isupper())
    return next((word for word in words if _lacks_letters(word.lower())), "")


def _open_faults(exchange: Exchange) -> list[tuple[str, str]]:
    """What an open question lacks that was written with options: them, or the question itself."""
    among = _ASKS_AMONG_OPTIONS.search(exchange.question)
    said = f"{exchange.reasoning or ''}\n{exchange.answer}"
    named = _NAMES_OPTIONS.search(said) or _NAMES_A_LETTER.search(said)
    return [
        ("open_options_missing", f"{among.group()!r} asks among options that the row lacks" if among else ""),
        ("open_reasoning_names_options", f"{named.group().strip()!r}, and the row has no options" if named else ""),
        ("open_no_question", "" if _ASKS.search(exchange.question) else "a case is told, and nothing is asked"),
    ]


def _faults(document: Document, exchange: Exchange) -> list[tuple[str, str]]:
    shown = " | ".join((exchange.question, *exchange.options))
    series = _OF_A_SERIES.search(exchange.question)
    marks = _OPTION_MARKS.search(exchange.question) if exchange.options else None
    stated = _STATED_KEY.match((exchange.reasoning or "").strip())
    named = next((letter.upper() for letter in stated.groups() if letter), "") if stated else ""
    answer = exchange.answer.upper()
    shortest = SHORTEST_STEM["zh" if detect_language(exchange.question) == "zh" else "en"]
    numbered = next(filter(None, map(_OPTION_BY_NUMBER.search, exchange.options)), None)
    subject = classify_subject(document, exchange)
    return [
        ("bank_no_question", f"a stem of {len(exchange.question)} characters" if len(exchange.question) < shortest else ""),
        ("bank_part_of_series", f"numbered {series.group()!r}: its series is in other rows" if series else ""),
        ("bank_options_in_stem", "the stem holds options of its own" if marks else ""),
        ("bank_options_split", _split_term(exchange.options)),
        (
            "bank_option_empty",
            next((f"{option!r} fills an option" for option in exchange.options if _FILLER.match(option)), ""),
        ),
        ("bank_options_by_number", f"{numbered.group()!r}: the options have letters" if numbered else ""),
        ("bank_garbled", f"{word!r}" if (word := lost_letters(shown)) else ""),
        ("bank_key_contradicted", f"key {answer}, explanation {named}" if named and named not in answer else ""),
        ("bank_undecided", "the key is 'maybe'" if _is_maybe(exchange) else ""),
        ("bank_key_hedged", _hedge(exchange)),
        ("bank_off_topic", "neither spine nor orthopaedics is asked about" if subject.specialty == "general" else ""),
    ]


def _image_needed(exchange: Exchange) -> str:
    match = _SHOWN_ELSEWHERE.search(exchange.question) or _EXPLAINS_AN_IMAGE.search(exchange.reasoning or "")
    return match.group() if match else ""


def _split_term(options: tuple[str, ...]) -> str:
    """Say which two options are one term cut in two ("HLA", "B27"); "" if none are."""
    for left, right in itertools.pairwise(options):
        joined = f"{left.strip()}-{right.strip()}"
        apart = {*classify_text(left).terms, *classify_text(right).terms}
        whole = {joined.lower(), joined.lower().replace("-", " ")} & {*classify_text(joined.replace("-", " ")).terms}
        if _CUT_ABBREVIATION.fullmatch(joined) or (whole and not apart):
            return f"{left!r} and {right!r} are one term"
    return ""


def _subject_of(exchange: Exchange) -> str:
    paragraphs = [paragraph for paragraph in re.split(r"\n\s*\n", exchange.question) if paragraph.strip()]
    right = [option for letter, option in zip(LETTERS, exchange.options) if letter in exchange.answer.upper()]
    # The long answer of a yes-or-no question is the study's conclusion, which speaks of more than was asked.
    explanation = "" if any(option.strip().lower() == "yes" for option in exchange.options) else explanation_of(exchange)
    return "\n".join((*paragraphs[-1:], *map(_without_levels, right), explanation))


def _asks_for_a_level(exchange: Exchange) -> bool:
    options = [option.strip(" .。") for option in exchange.options]
    return bool(options) and all(
        option in VERTEBRAE or option in DISCS or not re.search(r"\w", _without_levels(option)) for option in options
    )


def _without_levels(text: str) -> str:
    for span in reversed(find_levels(text)):
        text = f"{text[: span.start]} {text[span.end :]}"
    return text


def _is_maybe(exchange: Exchange) -> bool:
    right = [option for letter, option in zip(LETTERS, exchange.options) if letter in exchange.answer.upper()]
    return any(option.strip().lower() == "maybe" for option in right)


def _hedge(exchange: Exchange) -> str:
    """Say by which word the conclusion hedges a key "yes" or "no" beside which "maybe" is offered; "" if it does not."""
    if not any(option.strip().lower() == "maybe" for option in exchange.options):
        return ""
    told = sentences(exchange.reasoning or "")
    concluding = [sentence for sentence in told if not _OF_FURTHER_WORK.search(sentence)] or told
    match = _HEDGED.search(concluding[-1]) if concluding else None
    return f"the conclusion says {match.group()!r}, and 'maybe' is an option" if match else ""


def _lacks_letters(word: str) -> bool:
    if len(word) < _SHORTEST_GARBLED or word in english_words():
        return False
    if (rest := _PREFIX.sub("", word)) != word:
        return _lacks_letters(rest)
    return any(
        word[:place] + letters + word[place:] in english_words() for letters in _LOST_LETTERS for place in range(1, len(word))
    )
