"""DICOM without identity: PS3.15's basic profile, private tags, sequences and overlays gone, UIDs remapped by hash."""

import copy
import hashlib
import re
from collections.abc import Iterator
from typing import Any

from dataset_builders.burned_in import find_writing, render_pixels
from dataset_builders.document import SourceError

_HEAD = re.compile(r"\b(HEAD|BRAIN|SKULL|FACE|ORBITS?|SINUS(?:ES)?|IAC|PITUITARY)\b")
_TEXT_VRS = ("AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT", "AS")
_UID_ROOT = "2.25."
_STANDARD_UIDS = "1.2.840.10008."


def deidentify_dicom(dataset: Any) -> Any:
    """A copy of a pydicom.Dataset without identifiers.

    The basic profile of PS3.15 (dicom-anonymizer) on the data set and everything nested in it; then private tags, sequences,
    overlays, curves and every text that still holds a word of an identifying tag are removed. A UID is replaced by the hash
    of its own value: equal UIDs stay equal in all files of a study and nothing is kept between calls. Raises SourceError
    "burned_in_text" where the header says or OCR finds that the pixels hold writing, "face_in_volume" for head studies, whose
    surface shows a face, and "undecodable" where the pixels cannot be looked at.
    """
    if str(dataset.get("BurnedInAnnotation", "NO")).upper() == "YES":
        raise SourceError("burned_in_text", "the header says that the pixels hold writing (0028,0301); mask it at the source")
    region = " ".join(
        str(dataset.get(keyword, "")) for keyword in ("BodyPartExamined", "StudyDescription", "SeriesDescription")
    )
    if _HEAD.search(region.upper()) and str(dataset.get("RecognizableVisualFeatures", "")).upper() != "NO":
        raise SourceError("face_in_volume", "a head study shows the patient's face; deface it at the source")
    clean = copy.deepcopy(dataset)
    identifying = _identifying_words(dataset)
    uids = {element.tag: _remap(element.value) for element in clean if element.VR == "UI"}
    _apply_profile(clean)
    for tag, uid in uids.items():
        if tag in clean:
            clean[tag].value = uid
    clean.remove_private_tags()
    for element in list(clean):
        group = element.tag.group
        if element.VR == "SQ" or 0x5000 <= group <= 0x50FF or 0x6000 <= group <= 0x60FF or _holds(element, identifying):
            del clean[element.tag]
    if meta := getattr(clean, "file_meta", None):
        meta.MediaStorageSOPInstanceUID = clean.get("SOPInstanceUID", "")
        for keyword in ("SourceApplicationEntityTitle", "PrivateInformation", "PrivateInformationCreatorUID"):
            if keyword in meta:
                delattr(meta, keyword)
    clean.preamble = b"\0" * 128
    if "PixelData" in clean:
        _check_pixels(clean)
    _sign(clean)
    return clean


def _apply_profile(dataset: Any) -> None:
    from dicomanonymizer.simpledicomanonymizer import anonymize_dataset

    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                _apply_profile(item)
    # dicom-anonymizer remembers UIDs for the life of the process; ours are put in afterwards, and this one is left alone
    rules = {(element.tag.group, element.tag.element): _keep for element in dataset if element.VR == "UI"}
    anonymize_dataset(dataset, extra_anonymization_rules=rules, delete_private_tags=True)


def _keep(dataset: Any, tag: tuple[int, int]) -> None:
    """An action of dicom-anonymizer that changes nothing."""


def _remap(value: Any) -> Any:
    """A UID, or several, under our root; those of the standard (SOP classes, transfer syntaxes) stay."""
    if not isinstance(value, str):
        return [_remap(str(part)) for part in value or ()]
    if not value or value.startswith(_STANDARD_UIDS):
        return value
    return _UID_ROOT + str(int.from_bytes(hashlib.sha256(value.encode()).digest()[:16], "big"))


def _identifying_words(dataset: Any) -> frozenset[str]:
    """Words of names, addresses, numbers and institutions anywhere in the header, in lower case, of three letters or more."""
    words: set[str] = set()
    for element in _walk(dataset):
        keyword = element.keyword
        if element.VR not in ("DS", "IS", "FD") and (
            element.VR == "PN"
            or re.search(
                r"Patient(?!Position|Orientation|Sex|Age|Size|Weight)|Institution|Address|Telephone|Physician|Operator"
                r"|Accession|StationName",
                keyword,
            )
        ):
            words.update(word.lower() for word in re.findall(r"[^\W_]{3,}", str(element.value)))
    return frozenset(words - {"none", "the", "hospital", "department", "axial", "anonymous", "yes"})


def _walk(dataset: Any) -> Iterator[Any]:
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                yield from _walk(item)
        else:
            yield element


def _holds(element: Any, words: frozenset[str]) -> bool:
    if element.VR == "UN":
        return True
    if element.VR not in _TEXT_VRS or not element.value:
        return False
    return not words.isdisjoint(word.lower() for word in re.findall(r"[^\W_]{3,}", str(element.value)))


def _check_pixels(dataset: Any) -> None:
    try:
        pictures = render_pixels(dataset)
    except Exception as error:  # any decoder's failure; its text may quote a tag
        raise SourceError("undecodable", f"pixels cannot be looked at for writing: {type(error).__name__}") from None
    for picture in pictures:
        if words := find_writing(picture):
            detail = f"{sum(map(len, words))} characters of writing in the pixels; mask them at the source"
            raise SourceError("burned_in_text", detail)


def _sign(dataset: Any) -> None:
    from pydicom.dataset import Dataset

    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = "PS3.15 basic application level confidentiality profile"
    code = Dataset()  # PS3.16 context group 7050
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "113100", "DCM", "Basic Application Confidentiality Profile"
    dataset.DeidentificationMethodCodeSequence = [code]
