"""Clean the elements of a DICOM data set, however deep: PS3.15 Annex E, basic profile, with the Clean Descriptors Option.

Table E.1-1 (as dicom-anonymizer's package holds it, edition TABLE_EDITION) says what is done with the attributes that it names.
What it does not name stays only if its kind cannot hold a person:

    numbers, coordinates, tags             stay, unless they are a number of the patient (ID, accession number)
    codes (CS), codes of public schemes    stay, unless they hold a word that identifies
    technical text (makes, kernels, ...)   stays if each of its words is listed, or no word by its form ("B60s", "tse2d1")
    other short text                       its words that imaging_words.yaml lists stay
    long text, dates, names, ages, AE titles, URLs, bytes, unknown and private elements     removed

A UID becomes a keyed hash of its own value, or stays if it is the standard's.
"""

import functools
import re
from collections.abc import Iterator, Mapping
from enum import Enum, auto
from pathlib import Path
from typing import Any

import yaml

from dataset_builders.pseudonyms import pseudonym

TABLE_EDITION = "2026c"
_WORDS_FILE = Path(__file__).with_name("imaging_words.yaml")
_UID_ROOT = "2.25."
_STANDARD_UIDS = "1.2.840.10008."


class Action(Enum):
    """What is done with an element; letters of Table E.1-1 in brackets."""

    KEEP = auto()  # (K) unless it holds a word or number that identifies
    REMOVE = auto()  # (X)
    EMPTY = auto()  # (Z)
    REPLACE = auto()  # (D) a dummy of its kind
    UID = auto()  # (U)
    CLEAN = auto()  # (C) words of the list stay; without any it is removed
    INSIDE = auto()  # a sequence: the elements of its items


# Their rows in Table E.1-1 say C under "Clean Descriptors Option"; long narratives (history, comments, reasons) are removed.
_DESCRIPTORS = (
    *("StudyDescription", "SeriesDescription", "ProtocolName", "RequestedProcedureDescription", "ContrastBolusAgent"),
    *("PerformedProcedureStepDescription", "ScheduledProcedureStepDescription", "AcquisitionProtocolDescription"),
    *("AcquisitionDeviceProcessingDescription", "DerivationDescription"),
    *("BodyPartExamined", "ContentLabel"),  # codes by their kind, and often typed by hand
)
_TECHNICAL = (
    *("Manufacturer", "ManufacturerModelName", "SoftwareVersions", "ConvolutionKernel", "SequenceName", "PulseSequenceName"),
    *("ImagedNucleus", "ResonantNucleus", "ReceiveCoilName", "TransmitCoilName", "RescaleType", "ModalityLUTType"),
    *("FilterType", "FilterMaterial", "AnodeTargetMaterial"),
)
_PUBLIC_SCHEMES = ("DCM", "SCT", "SRT", "SNM3", "99SDM", "LN", "UCUM", "NCIT", "RADLEX", "FMA", "UMLS", "ICD10", "I10")
# Kept in items of a public scheme; a hospital may call its own codes as it likes.
_CODES = ("CodeValue", "CodeMeaning", "LongCodeValue", "CodingSchemeDesignator", "CodingSchemeVersion")
_PIXELS = ("PixelData", "LUTData", *(f"{colour}PaletteColorLookupTableData" for colour in ("Red", "Green", "Blue")))
_NUMBERS = frozenset({"DS", "IS", "FD", "FL", "SL", "SS", "SV", "UL", "US", "UV", "AT", "US or SS"})
_BYTES = frozenset({"OB", "OW", "OB or OW", "US or OW", "US or SS or OW", "OD", "OF", "OL", "OV"})
_DATES = frozenset({"DA", "DT", "TM"})
_SHORT_TEXT = frozenset({"LO", "SH"})
# The patient and his visits; signatures and encrypted copies; documents; waveforms; graphics; results; print jobs.
_WHOLE_GROUPS = frozenset({0x0010, 0x0038, 0x0400, 0x0042, 0x5400, 0x5600, 0x0070, 0x4008, 0x2100, 0x2110, 0x2200})
_DUMMIES = {
    "DA": "00010101",
    "DT": "00010101000000",
    "TM": "000000",
    "AS": "000Y",
    "UR": "http://anonymized.invalid",
    **dict.fromkeys(("AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UT"), "ANONYMIZED"),
    **dict.fromkeys(("DS", "IS"), "0"),
    **dict.fromkeys(("FD", "FL", "SL", "SS", "SV", "UL", "US", "UV"), 0),
}
_CODE_STRING = re.compile(r"[A-Z0-9 _]{0,16}")
_SIZE = r"\d{1,3}(?:\.\d{1,2})?\s?(?:mm|cm|T|kV|%)"
_TOKEN = re.compile(rf"[\u4e00-\u9fff]+|(?<![\w.]){_SIZE}(?!\w)|[^\W_\u4e00-\u9fff]+", re.IGNORECASE)
_TOLD_BY_FORM = re.compile(rf"(?:[CTLS]|TH)\d{{1,2}}|[23]D|T[12](?:W|WI|FS)?|{_SIZE}", re.IGNORECASE)
_WORD = re.compile(r"[\u4e00-\u9fff]{2,}|[^\W_\u4e00-\u9fff]{2,}")
_NO_WORD = re.compile(r"[a-z]{1,3}|(?=.*\d)(?!.*\d{5})[a-z0-9]+")  # three letters at most, or letters with up to four digits
_NUMBER = re.compile(r"\d+")
_IDENTIFYING = re.compile(
    r"Patient(?!Position|Orientation|Sex|Age|Size|Weight|IdentityRemoved)|Institution|Address|Telephone|Physician|Operator"
    r"|Accession|StationName|SerialNumber"
)
_NO_NAMES = frozenset({"none", "the", "of", "hospital", "department", "anonymous", "yes", "no", "mr", "mrs", "dr", "md"})


def action_of(element: Any) -> Action:
    """Return what is done with a pydicom element that stands by itself, whatever its value."""
    group = element.tag.group
    if not element.keyword:  # private, unknown, or of the repeating groups: overlays (60xx) and curves (50xx)
        return Action.REMOVE
    if element.keyword in _DESCRIPTORS:
        return Action.CLEAN
    named = _table().get((group, element.tag.element))
    if named is not None:
        return Action.REMOVE if element.VR == "SQ" and named is Action.REPLACE else named
    if group in _WHOLE_GROUPS:
        return Action.REMOVE
    return _action_of_kind(element)


def clean_elements(dataset: Any, words: frozenset[str], key: bytes) -> None:
    """Clean every element of a pydicom data set in place; ``words`` are those that identify_words found in the whole of it.

    key   of the hash of UIDs.
    """
    local = str(dataset.get("CodingSchemeDesignator", "")).upper() not in _PUBLIC_SCHEMES
    for element in list(dataset):
        action = action_of(element)
        if local and element.keyword in _CODES:
            action = Action.CLEAN if element.keyword == "CodeMeaning" else Action.REMOVE
        value = _cleaned(element, action, words, key)
        if value is None:
            del dataset[element.tag]
        elif action is not Action.INSIDE:
            element.value = value
            dataset[element.tag] = element


def identifying_words(dataset: Any) -> frozenset[str]:
    """Return the words of names, addresses, numbers and institutions anywhere in a data set, private blocks too, in lower case.

    Words of two letters count if they are of a person's name.
    """
    words: set[str] = set()
    for element in walk(dataset, private=True):
        if element.VR == "PN" or (_IDENTIFYING.search(element.keyword) and element.VR not in ("DS", "FD")):
            least = 2 if element.VR == "PN" else 3
            found = (word.lower() for word in _WORD.findall(str(element.value)))
            # "Spine Hospital" does not make a name of "spine"
            known: frozenset[str] = frozenset() if element.VR == "PN" else _listed_words()
            words.update(word for word in found if (len(word) >= least or not word.isascii()) and word not in known)
    return frozenset(words - _NO_NAMES)


def walk(dataset: Any, *, private: bool = False) -> Iterator[Any]:
    """Yield every element that is no sequence, however deep; a private sequence as one, unless ``private``."""
    for element in dataset:
        if element.VR == "SQ" and (private or not element.tag.is_private):
            for item in element.value or ():
                yield from walk(item, private=private)
        else:
            yield element


def clean_description(text: str, words: frozenset[str] = frozenset()) -> str:
    """Return the words of a description that imaging_words.yaml lists and ``words`` does not, with blanks between them."""
    listed = _listed_words()

    def stays(token: str) -> bool:
        return token.lower() not in words and (token.lower() in listed or _TOLD_BY_FORM.fullmatch(token) is not None)

    return " ".join(token for token in _TOKEN.findall(text) if stays(token))


def _action_of_kind(element: Any) -> Action:
    kind, keyword = element.VR, element.keyword
    if kind == "SQ":
        return Action.INSIDE
    if kind == "UI":
        return Action.UID
    if kind in _NUMBERS or kind == "CS" or keyword in (*_TECHNICAL, *_CODES):
        return Action.KEEP
    if kind in _BYTES and keyword in _PIXELS:
        return Action.KEEP
    return Action.CLEAN if kind in _SHORT_TEXT else Action.REMOVE


def _cleaned(element: Any, action: Action, words: frozenset[str], key: bytes) -> Any:
    """Return an element's clean value; None if the element goes."""
    if action is Action.REMOVE:
        return None
    if action is Action.INSIDE:
        for item in element.value:
            clean_elements(item, words, key)
        return element.value if any(len(item) for item in element.value) else None
    if element.VR == "SQ":
        return []
    if action is Action.EMPTY:
        return ""
    if action is Action.REPLACE:
        return _DUMMIES.get(element.VR)
    if element.is_empty:
        return element.value
    if action is Action.UID:
        return hash_uids(element.value, key) if element.VR == "UI" else None
    if action is Action.CLEAN:
        return clean_description(_text(element), words) or None
    return None if _identifies(element, words) else element.value


def hash_uids(value: Any, key: bytes) -> Any:
    """Replace a UID, or several, with keyed hashes under our root; the standard's (SOP classes, transfer syntaxes) stay."""
    if not isinstance(value, str):
        return [hash_uids(str(part), key) for part in value or ()]
    if not value or value.startswith(_STANDARD_UIDS):
        return value
    return _UID_ROOT + str(int(pseudonym(key, "uid", value, digits=32), 16))


def _identifies(element: Any, words: frozenset[str]) -> bool:
    """Tell whether an element that may stay holds a word or number that identifies, or is no code where one must stand."""
    if element.VR in _BYTES or element.VR in ("FD", "FL", "AT"):
        return False
    text = _text(element)
    if element.VR in _NUMBERS:
        return any(len(number) > 4 and number in words for number in _NUMBER.findall(text))
    if element.VR == "CS" and element.keyword != "SpecificCharacterSet":
        values = element.value if element.VM > 1 else [element.value]
        if not all(_CODE_STRING.fullmatch(str(value)) for value in values):
            return True
    found = [word.lower() for word in _WORD.findall(text)]
    if element.keyword in _TECHNICAL and not all(word in _listed_words() or _NO_WORD.fullmatch(word) for word in found):
        return True
    return not words.isdisjoint(found)


def _text(element: Any) -> str:
    return " ".join(map(str, element.value)) if element.VM > 1 else str(element.value)


@functools.lru_cache(maxsize=1)
def _table() -> Mapping[tuple[int, int], Action]:
    """Return Table E.1-1's action for each tag. A date that may be empty is: no dummy is taken for one."""
    from dicomanonymizer.dicomfields_selector import dicom_anonymization_database_selector
    from pydicom.datadict import dictionary_has_tag, dictionary_VR

    tags = dicom_anonymization_database_selector(f"dicomfields_{TABLE_EDITION}")
    columns = {
        "X_TAGS": Action.REMOVE,
        "X_Z_TAGS": Action.EMPTY,
        "Z_TAGS": Action.EMPTY,
        "U_TAGS": Action.UID,
        **dict.fromkeys(("D_TAGS", "Z_D_TAGS", "X_D_TAGS", "X_Z_D_TAGS"), Action.REPLACE),
        "X_Z_U_STAR_TAGS": Action.INSIDE,
    }
    table = {tag: action for column, action in columns.items() for tag in tags[column] if len(tag) == 2}
    for column in ("Z_D_TAGS", "X_D_TAGS", "X_Z_D_TAGS"):
        for tag in tags[column]:
            if dictionary_has_tag(tag) and dictionary_VR(tag) in _DATES:
                table[tag] = Action.EMPTY
    return table


@functools.lru_cache(maxsize=1)
def _listed_words() -> frozenset[str]:
    words: dict[str, str] = yaml.safe_load(_WORDS_FILE.read_text(encoding="utf-8"))
    return frozenset(" ".join(words.values()).split())
