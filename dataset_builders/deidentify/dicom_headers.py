"""Take identity out of DICOM files: headers by PS3.15's profile (dicom_profile), no writing in any frame's pixels."""

import copy
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataset_builders.deidentify.dicom_profile import clean_elements, identifying_words, walk
from dataset_builders.deidentify.faces import check_face, region_of_dicom
from dataset_builders.deidentify.pixels import Box, mask_writing
from dataset_builders.document import SourceError
from dataset_builders.pseudonyms import PROCESS_KEY

PALETTE = "PALETTE COLOR"
_PHOTOMETRIC = ("MONOCHROME1", "MONOCHROME2", "RGB", "YBR_FULL", "YBR_FULL_422", "YBR_RCT", "YBR_ICT", PALETTE)
_OTHER_PIXELS = ("FloatPixelData", "DoubleFloatPixelData")
_PROFILE = ("113100", "Basic Application Confidentiality Profile")
_CLEAN_PIXELS = ("113101", "Clean Pixel Data Option")
_CLEAN_DESCRIPTORS = ("113105", "Clean Descriptors Option")
_CLEAN_FEATURES = ("113102", "Clean Recognizable Visual Features Option")

# What is no image, by root of its SOP class (PS3.4 B.5), and by element: reports, documents, presentation states, waveforms.
_STORAGE = "1.2.840.10008.5.1.4.1.1."
_NO_IMAGES = tuple(f"{_STORAGE}{root}." for root in (88, 104, 11, 9))
_META = (
    *("FileMetaInformationGroupLength", "FileMetaInformationVersion", "MediaStorageSOPClassUID"),
    *("MediaStorageSOPInstanceUID", "TransferSyntaxUID", "ImplementationClassUID"),
)
_NO_IMAGE_ELEMENTS = ("EncapsulatedDocument", "ContentSequence", "WaveformSequence", "TextObjectSequence")


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

    Elements at any depth are kept, emptied, replaced or removed as dicom_profile says: PS3.15's basic profile, descriptions
    reduced to listed words, nothing private, no overlays, curves or icons. Equal UIDs stay equal in all files that are cleaned
    with one key, and nobody without it can confirm a guess. Pixels are decoded, writing in them is masked (pixels) in every
    frame and they are stored uncompressed, colours and palettes as RGB, sample by sample: nothing but pixel values is left of
    a compressed stream, and nothing in bits that hold no pixel.

    key       of the hash of UIDs (pseudonyms.load_key); without it they stay equal within this process only.
    defaced   somebody who can tell declares that the face was removed (sources.yaml ``defaced: true``). The header says the
              same by RecognizableVisualFeatures (0028,0302) NO.

    Written: PatientIdentityRemoved YES, BurnedInAnnotation NO, LongitudinalTemporalInformationModified REMOVED, and the
    methods as codes of PS3.16 context group 7050: 113100, 113105, with pixels 113101, of a defaced study 113102 (PS3.15 E.3).
    Options that are not stated are not applied: dates, patient's characteristics, device, institution and UIDs are gone.

    Raises SourceError "burned_in_text" if writing cannot be masked, or if the header says that there is some
    (BurnedInAnnotation YES) and OCR finds none; "face_in_volume" for volumes of the head unless defaced (what a whole
    series shows is checked when it is put together: faces.check_face); "undecodable" if pixels cannot be looked at
    (unknown transfer syntax, a palette without its table, floating point, more than 16 bits); "may_show_identity" for what is
    no image: reports, encapsulated documents, presentation states, waveforms.
    """
    _check_image(dataset)
    if not defaced and region_of_dicom(dataset) == "head":
        check_face("head", (), (), {})
    clean = copy.deepcopy(dataset)
    clean_elements(clean, identifying_words(dataset), key)
    if meta := getattr(clean, "file_meta", None):
        meta.MediaStorageSOPInstanceUID = clean.get("SOPInstanceUID", "")
        for element in list(meta):
            if element.keyword not in _META:
                del meta[element.tag]
    clean.preamble = b"\0" * 128
    boxes = _clean_pixels(clean)
    if "PixelData" in clean and not boxes and str(dataset.get("BurnedInAnnotation", "NO")).upper() == "YES":
        detail = "the header says that the pixels hold writing (0028,0301), and none can be read; mask it at the source"
        raise SourceError("burned_in_text", detail)
    _sign(clean, defaced)
    return CleanDicom(clean, _count_removed(dataset, clean), boxes)


def _check_image(dataset: Any) -> None:
    uid = str(dataset.get("SOPClassUID", ""))
    if uid.startswith(_NO_IMAGES) or any(keyword in dataset for keyword in _NO_IMAGE_ELEMENTS):
        detail = "a report, document, presentation state or waveform: its text cannot be vouched for; leave it out"
        raise SourceError("may_show_identity", detail)


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
    colour = photometric == PALETTE or int(dataset.get("SamplesPerPixel", 1)) == 3
    try:
        pixels = apply_palette(dataset) if photometric == PALETTE else pixel_array(dataset)
        bits = 8 if photometric == PALETTE else bits
        unused = 8 * pixels.dtype.itemsize - bits
        frames = pixels.reshape(-1, *pixels.shape[-3:]) if colour else pixels.reshape(-1, *pixels.shape[-2:])
        frames = (frames << unused) >> unused  # old files keep overlays in the bits above the pixel's
    except Exception as error:  # any decoder's failure; its text may quote a tag
        raise SourceError("undecodable", f"pixels cannot be looked at for writing: {type(error).__name__}") from None
    masked, boxes = mask_writing(frames)
    for element in list(dataset):
        if "PaletteColorLookupTable" in element.keyword:
            del dataset[element.tag]
    try:
        set_pixel_data(
            dataset, masked.reshape(pixels.shape), "RGB" if colour else photometric, bits, generate_instance_uid=False
        )
    except (ValueError, NotImplementedError) as error:
        raise SourceError("undecodable", f"pixels cannot be stored without writing: {type(error).__name__}") from None
    return boxes


def apply_palette(dataset: Any) -> NDArray[np.uint8]:
    """Return the colours of indexed pixels, (..., 3) of 8 bits."""
    from pydicom.pixels import apply_color_lut, pixel_array

    colours = apply_color_lut(pixel_array(dataset), dataset)
    return colours if colours.dtype == np.uint8 else (colours >> 8).astype(np.uint8)


def _count_removed(dataset: Any, clean: Any) -> dict[str, int]:
    """Count the values of the data set, at any depth, that are not in its clean copy, by keyword."""
    before, after = (Counter((_name(e), str(e.value)) for e in walk(part) if _counts(e)) for part in (dataset, clean))
    removed: Counter[str] = Counter()
    for (name, _), count in (before - after).items():
        removed[name] += count
    return dict(sorted(removed.items()))


def _counts(element: Any) -> bool:
    return element.value not in (None, "", b"") and element.keyword != "PixelData"


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
    methods.append(_CLEAN_DESCRIPTORS)
    codes = []
    for value, meaning in methods:
        code = Dataset()
        code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "DCM", meaning
        codes.append(code)
    dataset.DeidentificationMethodCodeSequence = codes
