"""Take identity out of DICOM files: PS3.15's basic profile, nothing private or nested, keyed UIDs, no writing in pixels."""

import copy
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dataset_builders.deidentify.faces import check_face, region_of_dicom
from dataset_builders.deidentify.pixels import Box, mask_writing
from dataset_builders.document import SourceError
from dataset_builders.pseudonyms import PROCESS_KEY, pseudonym

_TEXT_VRS = ("AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT", "AS")
_UID_ROOT = "2.25."
_STANDARD_UIDS = "1.2.840.10008."
_PHOTOMETRIC = ("MONOCHROME1", "MONOCHROME2", "RGB", "YBR_FULL", "YBR_FULL_422", "YBR_RCT", "YBR_ICT")
_OTHER_PIXELS = ("FloatPixelData", "DoubleFloatPixelData")
_PROFILE = ("113100", "Basic Application Confidentiality Profile")
_CLEAN_PIXELS = ("113101", "Clean Pixel Data Option")
_CLEAN_FEATURES = ("113102", "Clean Recognizable Visual Features Option")


@dataclass(frozen=True, slots=True, eq=False)
class CleanDicom:
    """A data set without identifiers, and what was taken out of it.

    removed   keyword ("private", "overlay" for those), at any depth -> how many are gone, emptied or replaced; no values.
    boxes     the boxes that were filled in every frame.
    """

    dataset: Any
    removed: dict[str, int]
    boxes: tuple[Box, ...]


def deidentify_dicom(dataset: Any, *, defaced: bool = False, key: bytes = PROCESS_KEY) -> Any:
    """Copy a pydicom.Dataset without identifiers; see clean_dicom."""
    return clean_dicom(dataset, defaced=defaced, key=key).dataset


def clean_dicom(dataset: Any, *, defaced: bool = False, key: bytes = PROCESS_KEY) -> CleanDicom:
    """Copy a pydicom.Dataset without identifiers; return it with what was taken out.

    The basic profile of PS3.15 (dicom-anonymizer) on the data set and everything nested in it; then private tags, sequences,
    overlays, curves and every text that still holds a word of an identifying tag are removed. A UID is replaced by a keyed
    hash of its own value: equal UIDs stay equal in all files that are cleaned with one key, and nobody without it can confirm
    a guess. Pixels are decoded,
    writing in them is masked (pixels) in every frame and they are stored uncompressed: nothing but pixel values is left of a
    compressed stream, and nothing in bits that hold no pixel.

    key       of the hash of UIDs (pseudonyms.load_key); without it they stay equal within this process only.
    defaced   somebody who can tell declares that the face was removed (sources.yaml ``defaced: true``). The header says the
              same by RecognizableVisualFeatures (0028,0302) NO.

    Written: PatientIdentityRemoved YES, BurnedInAnnotation NO, LongitudinalTemporalInformationModified REMOVED, and the
    methods as codes of PS3.16 context group 7050: 113100, with pixels 113101, of a defaced study 113102 (PS3.15 E.3.1, E.3.2).

    Raises SourceError "burned_in_text" if writing cannot be masked, or if the header says that there is some
    (BurnedInAnnotation YES) and OCR finds none; "face_in_volume" for volumes of the head unless defaced (what a whole
    series shows is checked when it is put together: faces.check_face); "undecodable" if pixels cannot be looked at
    (unknown transfer syntax, palettes, floating point, more than 16 bits).
    """
    if not defaced and region_of_dicom(dataset) == "head":
        check_face("head", (), (), {})
    clean = copy.deepcopy(dataset)
    identifying = _identifying_words(dataset)
    uids = {element.tag: _remap(element.value, key) for element in clean if element.VR == "UI"}
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
    boxes = _clean_pixels(clean)
    if "PixelData" in clean and not boxes and str(dataset.get("BurnedInAnnotation", "NO")).upper() == "YES":
        detail = "the header says that the pixels hold writing (0028,0301), and none can be read; mask it at the source"
        raise SourceError("burned_in_text", detail)
    _sign(clean, defaced)
    return CleanDicom(clean, _count_removed(dataset, clean), boxes)


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
    """Change nothing; an action of dicom-anonymizer."""


def _remap(value: Any, key: bytes) -> Any:
    """Replace a UID, or several, with keyed hashes under our root; the standard's (SOP classes, transfer syntaxes) stay."""
    if not isinstance(value, str):
        return [_remap(str(part), key) for part in value or ()]
    if not value or value.startswith(_STANDARD_UIDS):
        return value
    return _UID_ROOT + str(int(pseudonym(key, "uid", value, digits=32), 16))


def _identifying_words(dataset: Any) -> frozenset[str]:
    """Return words of names, addresses, numbers and institutions anywhere in the header: lower case, three letters or more."""
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


def _walk(*datasets: Any) -> Iterator[Any]:
    """Yield every element that is no sequence, however deep."""
    for dataset in datasets:
        for element in dataset:
            if element.VR == "SQ":
                yield from _walk(*element.value)
            else:
                yield element


def _holds(element: Any, words: frozenset[str]) -> bool:
    if element.VR == "UN":
        return True
    if element.VR not in _TEXT_VRS or not element.value:
        return False
    return not words.isdisjoint(word.lower() for word in re.findall(r"[^\W_]{3,}", str(element.value)))


def _clean_pixels(dataset: Any) -> tuple[Box, ...]:
    """Store decoded pixels without writing; return the boxes that were filled."""
    from pydicom.pixels import pixel_array, set_pixel_data

    if any(keyword in dataset for keyword in _OTHER_PIXELS):
        raise SourceError("undecodable", "floating-point pixels; export them as whole numbers")
    if "PixelData" not in dataset:
        return ()
    photometric, bits = dataset.get("PhotometricInterpretation"), int(dataset.get("BitsStored", 0) or 0)
    if photometric not in _PHOTOMETRIC:
        raise SourceError("undecodable", "pixels are neither grey nor RGB or YBR; export them as one of these")
    colour = int(dataset.get("SamplesPerPixel", 1)) == 3
    try:
        pixels = pixel_array(dataset)
        unused = 8 * pixels.dtype.itemsize - bits
        frames = pixels.reshape(-1, *pixels.shape[-3:]) if colour else pixels.reshape(-1, *pixels.shape[-2:])
        frames = (frames << unused) >> unused  # old files keep overlays in the bits above the pixel's
    except Exception as error:  # any decoder's failure; its text may quote a tag
        raise SourceError("undecodable", f"pixels cannot be looked at for writing: {type(error).__name__}") from None
    masked, boxes = mask_writing(frames)
    try:
        set_pixel_data(
            dataset, masked.reshape(pixels.shape), "RGB" if colour else photometric, bits, generate_instance_uid=False
        )
    except (ValueError, NotImplementedError) as error:
        raise SourceError("undecodable", f"pixels cannot be stored without writing: {type(error).__name__}") from None
    return boxes


def _count_removed(dataset: Any, clean: Any) -> dict[str, int]:
    """Count the elements of the data set whose value is not in its clean copy, by keyword."""
    removed: Counter[str] = Counter()
    for element in dataset:
        kept = clean.get(element.tag)
        same = kept is not None and kept.value == element.value
        if same or element.value in (None, "", b"") or element.keyword == "PixelData":
            continue
        if element.VR == "SQ" and not element.tag.is_private:
            removed.update(_name(nested) for nested in _walk(*element.value))
        else:
            removed[_name(element)] += 1
    return dict(sorted(removed.items()))


def _name(element: Any) -> str:
    if element.tag.is_private:
        return "private"
    return "overlay" if 0x6000 <= element.tag.group <= 0x60FF else element.keyword or "unknown"


def _sign(dataset: Any, defaced: bool) -> None:
    from pydicom.dataset import Dataset

    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = "PS3.15 basic application level confidentiality profile"
    dataset.LongitudinalTemporalInformationModified = "REMOVED"
    methods = [_PROFILE]
    if "PixelData" in dataset:
        dataset.BurnedInAnnotation = "NO"
        methods.append(_CLEAN_PIXELS)
    if defaced:
        dataset.RecognizableVisualFeatures = "NO"
        methods.append(_CLEAN_FEATURES)
    codes = []
    for value, meaning in methods:
        code = Dataset()
        code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "DCM", meaning
        codes.append(code)
    dataset.DeidentificationMethodCodeSequence = codes
