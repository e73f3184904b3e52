"""Check the language of an item: one, the declared one, and plain where a patient speaks."""

import re

from dataset_builders.generate.criteria.parts import is_as_written
from dataset_builders.generate.criteria.vocabulary import find_phrase
from dataset_builders.item import Item, question_of
from dataset_builders.language import detect_language

_HAN = re.compile(r"[\u4e00-\u9fff]")
_OTHER_SCRIPT = re.compile(
    r"[\u0400-\u04ff\u0600-\u06ff\u0900-\u097f\u3040-\u30ff\uac00-\ud7af\u0e00-\u0e7f]|\ufffd|â€|Ã[©¨¤¶¼]"
)
_LATIN_RUN = re.compile(r"(?:\b[a-zA-Z]{2,}\b[ ,;-]+){4,}\b[a-zA-Z]{2,}\b|(?:\b[a-z]{2,}\b[ ,;-]+){3,}\b[a-z]{2,}\b")
_LATIN_WORD = re.compile(r"\b[a-z]{3,}\b")
_QUOTED = re.compile(r"“[^”]*”|\"[^\"]*\"|「[^」]*」|《[^》]*》")
_FIRST_PERSON = re.compile(r"\b(?:my|i|i'm|me|mine)\b|我")
_NO_PATIENT = re.compile(
    r"\b(?:my patients?|a patient|the patient|this patient|resident|colleague|i would like your view"
    r"|could we go through|suppose|as a (?:doctor|surgeon|clinician|physician|trainee))\b|患者|病人|病例|我院|我科"
    r"|规培|住院医师|请您带我|同事",
    re.IGNORECASE,
)


def language_matches(item: Item, _: object) -> str:
    """Demand the item's language of stem and options, or of each turn."""
    if item.task == "multiple_choice":
        shown = question_of(item) + "".join(item.options)
        return "" if is_as_written(item) or detect_language(shown) == item.language else "stem"
    for number, message in enumerate(item.messages, 1):
        if detect_language(message.text) != item.language and any(character.isalpha() for character in message.text):
            return f"turn {number} is not {item.language}"
    return ""


def one_language(item: Item, _: object) -> str:
    """Reject options and sentences in another language, and letters of a third script."""
    if is_as_written(item):
        return ""
    for text in (*(message.text for message in item.messages), *item.options):
        if match := _OTHER_SCRIPT.search(text):
            return f"a character of another script ({match[0]!r})"
        if item.language == "en" and _HAN.search(text):
            return "Chinese characters in an English item"
        if item.language == "zh" and _LATIN_RUN.search(text):
            return "an English sentence in a Chinese item"
    if item.language == "zh" and item.options:
        latin = [option for option in item.options if not _HAN.search(option) and _LATIN_WORD.search(option)]
        if latin and (len(latin) < len(item.options) or any(" " in option.strip() for option in latin)):
            return "an option in English"
    if item.language == "zh" and item.task == "multiple_choice":
        reasons = item.messages[-1].text
        if any(
            _LATIN_WORD.search(reasons) and detect_language(line) == "en" and len(_LATIN_WORD.findall(line)) > 2
            for line in reasons.splitlines()[1:]
        ):
            return "the explanation is in English"
    return ""


def patient_speaks_plainly(item: Item, _: object) -> str:
    """Reject grades and clinicians' words in what a patient says in the first person; what they quote does not count."""
    if item.task != "consultation":
        return ""
    for number, message in enumerate(item.messages[::2], 1):
        said = _QUOTED.sub(" ", message.text) if len(_QUOTED.sub(" ", message.text)) > len(message.text) / 3 else message.text
        if (
            _FIRST_PERSON.search(said.lower())
            and not _NO_PATIENT.search(said)
            and (match := find_phrase("jargon", item.language, said))
        ):
            return f"exchange {number}: a patient says {match[0]!r}"
    return ""
