"""DICOM files that are no slice of a volume: single images, several frames in one file (cine, enhanced CT and MR), colours.

Each becomes figures of its own: the image, or MAX_FRAMES frames evenly over the file. Where the frames lie is not read, so none
is labelled, and of a hospital's the field of view that faces.check_face asks for is taken to be one that could hold a face.
"""

import io
from collections.abc import Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset

from dataset_builders.deidentify.dicom_headers import PALETTE, apply_palette
from dataset_builders.deidentify.faces import DEPTH_MM, HEIGHT_MM, check_face
from dataset_builders.document import Figure, SourceError
from dataset_builders.sources.imaging.volume_case import check_volume
from dataset_builders.volumes import BONE_WINDOW, IMAGE_SIDE, mri_window

MAX_FRAMES = 5
"""Frames of one file that are shown: neighbours are nearly alike."""

_NAMES = {"ct": "CT", "mri": "MRI", "radiograph": "Radiograph", None: "Picture"}
_WITHOUT_SURFACE = ("US", "IVUS", "XA")  # beside the projections, which faces.region_of_dicom knows
_PHOTOGRAPHS = ("XC", "GM", "OP", "DMS", "ES")


def is_slice(dataset: Dataset) -> bool:
    """Tell whether a file holds one grey image, which a volume can be stacked from."""
    return _count(dataset) == 1 and not _is_coloured(dataset)


def check_slice(dataset: Dataset) -> None:
    """Raise SourceError multi_frame or not_scalar for a file among slices that is none."""
    if _count(dataset) > 1:
        raise SourceError("multi_frame", "a file with several frames among slices; put it into a folder of its own")
    if _is_coloured(dataset):
        raise SourceError("not_scalar", "a colour image among grey slices; put it into a folder of its own")


def check_frames(dataset: Dataset, region: str | None) -> None:
    """Raise SourceError for a hospital's frames or colours that may show a person: may_show_identity, face_in_volume.

    region   see faces.region_of_dicom.

    Photographs are refused by their modality. Surfaces of unknown or upper parts of the body are refused, as renderings of a
    volume show its skin.
    """
    modality = dataset.get("Modality")
    if modality in _PHOTOGRAPHS:
        raise SourceError("may_show_identity", "a photograph; leave it out")
    if modality not in _WITHOUT_SURFACE:
        check_face(region, (1, 1, 1), (1.0, DEPTH_MM, HEIGHT_MM), {})


def render_frames(dataset: Dataset, modality: str | None) -> tuple[Figure, ...]:
    """Render a file's image, or its frames, as figures: CT in the bone window, other greys in percentiles, colours as they are.

    modality   "ct", "mri", "radiograph" or None.

    MONOCHROME1 is turned so that bone is bright. Raises SourceError: too_large, undecodable.
    """
    count = _count(dataset)
    check_volume((int(dataset.Rows), int(dataset.Columns), count), np.eye(4), np.dtype(np.float32))
    frames = _decode(dataset)
    if len(frames) != count:
        raise SourceError("undecodable", f"the header says {count} frames, the pixels are {len(frames)}")
    what = _NAMES[modality]
    figures = []
    for index in np.unique(np.linspace(0, count - 1, MAX_FRAMES).round().astype(int)).tolist():
        figures.append(
            Figure(
                label="",
                caption=f"{what}, one image." if count == 1 else f"{what}, frame {index + 1} of {count}.",
                locator=f"image {index + 1} of {count}",
                image_modality=modality,
                image=_encode(_show(frames[index], dataset, index, modality)),
            )
        )
    return tuple(figures)


def _count(dataset: Dataset) -> int:
    return int(dataset.get("NumberOfFrames", 1) or 1)


def _is_coloured(dataset: Dataset) -> bool:
    return int(dataset.get("SamplesPerPixel", 1)) != 1 or dataset.get("PhotometricInterpretation") == PALETTE


def _decode(dataset: Dataset) -> NDArray:
    """Frames (n, rows, columns) of any depth, or (n, rows, columns, 3) of 8 bits."""
    from pydicom.pixels import pixel_array

    try:
        if not _is_coloured(dataset):
            pixels = pixel_array(dataset)
            return pixels.reshape(-1, *pixels.shape[-2:])
        if dataset.PhotometricInterpretation == PALETTE:
            pixels = apply_palette(dataset)
        else:
            pixels = (pixel_array(dataset) >> max(0, int(dataset.BitsStored) - 8)).astype(np.uint8)
        return pixels.reshape(-1, *pixels.shape[-3:])
    except Exception as error:  # any decoder's failure; its text may quote a tag
        raise SourceError("undecodable", f"pixels cannot be decoded: {type(error).__name__}") from None


def _show(frame: NDArray, dataset: Dataset, index: int, modality: str | None) -> NDArray[np.uint8]:
    if frame.ndim == 3:
        return frame
    slope, intercept = _rescale(dataset, index)
    pixels = frame.astype(np.float32) * slope + intercept
    if modality == "ct":
        low, high = BONE_WINDOW
    else:
        least = float(pixels.min())
        low, high = (bound + least for bound in mri_window(pixels - least))
    grey = np.clip((pixels - low) / (high - low), 0, 1)
    if dataset.get("PhotometricInterpretation") == "MONOCHROME1":
        grey = 1 - grey
    return (grey * 255 + 0.5).astype(np.uint8)


def _rescale(dataset: Dataset, index: int) -> tuple[float, float]:
    """Slope and intercept of a frame: its own, the file's, or all frames' in common (DICOM PS3.3 C.7.6.16.2.9)."""
    groups: Sequence[Dataset] = dataset.get("PerFrameFunctionalGroupsSequence", [])
    shared: Sequence[Dataset] = dataset.get("SharedFunctionalGroupsSequence", [])
    within = [item.get("PixelValueTransformationSequence", []) for item in chain(groups[index : index + 1], shared)]
    for place in (*chain.from_iterable(within), dataset):
        if "RescaleSlope" in place:
            return float(place.RescaleSlope or 1), float(place.get("RescaleIntercept", 0) or 0)
    return 1.0, 0.0


def _encode(pixels: NDArray[np.uint8]) -> bytes:
    image = Image.fromarray(pixels)
    scale = IMAGE_SIDE / max(image.size)
    image = image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
