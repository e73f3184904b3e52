"""Render phantom volumes as a report or a book shows them: slices through the finding, windowed, as PNG."""

from dataclasses import dataclass

from dataset_builders.phantom.volumes import PhantomVolume
from dataset_builders.volumes import BONE_WINDOW, PLANES, Slice, mri_window, render_slice, spacing_of


@dataclass(frozen=True, slots=True)
class Image:
    """A PNG to lie beside the text that names it."""

    name: str
    png: bytes


def render_views(volume: PhantomVolume, stem: str) -> tuple[Image, ...]:
    """Render ``stem``_sagittal.png and ``stem``_axial.png, both through the centre of the first finding."""
    level = volume.findings[0].level
    return tuple(Image(f"{stem}_{plane}.png", render_level(volume, level, plane)) for plane in ("sagittal", "axial"))


def render_level(volume: PhantomVolume, level: str, plane: str) -> bytes:
    """Render the plane through a vertebra's centre ("L1"), or midway between the vertebrae of a disc ("L4/L5"), as PNG."""
    axis = PLANES[plane]
    indices = [volume.centroids[vertebra][axis] for vertebra in level.split("/")]
    window = BONE_WINDOW if volume.modality == "ct" else mri_window(volume.image)
    where = Slice(plane, round(sum(indices) / len(indices)), volume.image.shape[axis])
    return render_slice(volume.image, spacing_of(volume.affine), where, window)
