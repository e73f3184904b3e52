"""Turn a 3D image into images for readers: reorient, choose slices, window, render. All functions are pure, on arrays.

Every array here has axes (R, A, S): the first index grows to the patient's right, the second to the front, the third upwards.
Images follow radiological convention, and no marker is drawn on them:

    sagittal   front on the left, head at the top
    coronal    patient's right on the left, head at the top
    axial      patient's right on the left, front at the top
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Point = tuple[float, float, float]

PLANES = {"sagittal": 0, "coronal": 1, "axial": 2}
"""Plane -> the axis it is perpendicular to."""

BONE_WINDOW = (-450.0, 1050.0)
"""HU shown black and white: centre 300, width 1500, which keeps discs and fat apart from bone and air."""

SLICES_PER_CASE = 25
IMAGE_SIDE = 448

# A reformatted plane must span this much both ways to be worth an image, of slices that lie no further apart than this: a
# vertebral body is about 25 mm high, and five rows still show its shape (both are ours).
_MIN_SIDE_MM = 50.0
_MAX_STEP_MM = 5.0
# A label is visible in a slice where its cut has this area and this share of its largest cut in that plane.
_MIN_AREA_MM2 = 20.0
_MIN_SHARE = 0.2


@dataclass(frozen=True, slots=True, order=True)
class Slice:
    """One plane of a volume: slice ``index`` of ``count``, from 0 along the axis towards the right, front or head."""

    plane: str
    index: int
    count: int

    @property
    def locator(self) -> str:
        return f"{self.plane} slice {self.index + 1} of {self.count}"


def reorient(array: NDArray, affine: NDArray) -> tuple[NDArray, NDArray]:
    """Flip and permute ``array`` to the axes (R, A, S) closest to the affine's; return it (a view) and its new affine.

    Nothing is interpolated: an oblique volume keeps its obliquity. Raises ValueError if the affine is singular.
    """
    orientation = nib.orientations.io_orientation(affine)
    if np.isnan(orientation).any():
        raise ValueError("the affine is singular: an axis has no direction")
    return nib.orientations.apply_orientation(array, orientation), affine @ nib.orientations.inv_ornt_aff(
        orientation, array.shape
    )


def reorient_point(point: Point, axes: Sequence[str], shape: tuple[int, int, int]) -> Point:
    """Convert a voxel index along ``axes`` (codes such as ("P", "I", "R")) to one in the (R, A, S) array of ``shape``."""
    orientation = nib.orientations.axcodes2ornt(axes)
    result = [0.0, 0.0, 0.0]
    for value, (axis, direction) in zip(point, orientation):
        result[int(axis)] = value if direction == 1 else shape[int(axis)] - 1 - value
    return result[0], result[1], result[2]


def spacing_of(affine: NDArray) -> Point:
    """Return the voxel size in mm along each array axis."""
    x, y, z = nib.affines.voxel_sizes(affine)
    return float(x), float(y), float(z)


def mri_window(image: NDArray) -> tuple[float, float]:
    """Return the intensities shown black and white: 1st and 99th percentile of the voxels above 0 (MR units are arbitrary)."""
    above = image[image > 0]
    if not above.size:
        return 0.0, 1.0
    low, high = np.percentile(above[:: max(1, above.size // 1_000_000)], (1, 99))
    return float(low), float(max(high, low + 1e-6))


def cut(array: NDArray, plane: str, index: int) -> NDArray:
    """Cut one slice as it is shown (rows from the top, columns from the left); see the module's docstring."""
    return np.moveaxis(array, PLANES[plane], 0)[index].T[::-1, ::-1]


def cut_point(point: Point, plane: str, shape: tuple[int, int, int]) -> tuple[float, float]:
    """Return where ``cut`` shows a voxel index, as (row, column), whatever its distance to the plane."""
    across, up = (axis for axis in range(3) if axis != PLANES[plane])
    return shape[up] - 1 - point[up], shape[across] - 1 - point[across]


def render_slice(image: NDArray, spacing: Point, where: Slice, window: tuple[float, float], side: int = IMAGE_SIDE) -> bytes:
    """Render an 8-bit grey PNG with square pixels whose longest side is ``side`` pixels; same input, same bytes."""
    pixels = np.ascontiguousarray(cut(image, where.plane, where.index), dtype=np.float32)
    across, up = (spacing[axis] for axis in range(3) if axis != PLANES[where.plane])
    height, width = pixels.shape[0] * up, pixels.shape[1] * across
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    resized = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))
    low, high = window
    grey = np.clip((resized - low) / (high - low) * 255 + 0.5, 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(grey).save(buffer, "PNG")
    return buffer.getvalue()


def label_centres(labels: NDArray, spacing: Point) -> dict[int, Point]:
    """Map each label to the voxel index of a point deep inside it: for a vertebra in its body, which is thicker than its arch.

    It is the label's own voxel nearest to the mean of those at least 0.6 times as deep as the deepest one.
    """
    from scipy.ndimage import distance_transform_edt, find_objects  # slow to import, and every command imports this module

    centres = {}
    for number, box in enumerate(find_objects(labels), 1):
        if box is None:
            continue
        inside = np.pad(labels[box] == number, 1)
        depth = distance_transform_edt(inside, sampling=spacing)
        deep = np.argwhere(depth >= 0.6 * depth.max())
        offsets = (deep - deep.mean(axis=0)) * spacing
        nearest = deep[np.argmin((offsets**2).sum(axis=1))]
        x, y, z = (int(corner.start + voxel - 1) for corner, voxel in zip(box, nearest))
        centres[number] = (float(x), float(y), float(z))
    return centres


def label_areas(labels: NDArray, spacing: Point, plane: str) -> NDArray[np.floating]:
    """Measure the area in mm² of each label in each slice of a plane; shape (slices, highest label + 1)."""
    axis = PLANES[plane]
    pixel = float(np.prod([spacing[other] for other in range(3) if other != axis]))
    highest = int(labels.max(initial=0))
    planes = np.moveaxis(labels, axis, 0)
    return np.stack([np.bincount(p.ravel(), minlength=highest + 1) for p in planes]) * pixel


def visible_labels(areas: NDArray[np.floating], index: int) -> tuple[int, ...]:
    """List the labels visible in slice ``index`` (areas from ``label_areas``), in rising order; 0 is background.

    A label is visible if its cut is at least 20 mm² and at least a fifth of its largest cut in that plane: a clipped tip of a
    process does not show its vertebra. The thresholds are ours.
    """
    largest = areas.max(axis=0)
    shown = (areas[index] >= _MIN_AREA_MM2) & (areas[index] >= _MIN_SHARE * largest)
    return tuple(int(number) for number in np.flatnonzero(shown) if number)


def cut_labels(labels: NDArray) -> tuple[int, ...]:
    """List the labels that reach the upper or lower edge of the volume, in rising order: part of them may lie beyond it."""
    return tuple(int(number) for number in np.unique(labels[:, :, [0, -1]]) if number)


def sample_slices(
    shape: tuple[int, int, int],
    spacing: Point,
    centres: Sequence[Point],
    findings: Sequence[Point],
    count: int = SLICES_PER_CASE,
) -> tuple[Slice, ...]:
    """Choose ``count`` slices: planes through findings first, then through labelled centres, then evenly spread.

    centres, findings   voxel indices. Each finding gets its sagittal and axial plane; then the sagittal plane through the
                        middle of all centres; then axial planes through centres, evenly thinned to half of what is left.
    The rest is spread evenly, near the centres if there are any, over the planes whose images span at least 50 mm both ways
    and, but for the acquired plane (the one with the coarsest step between slices; sagittal if steps are equal), are cut
    through slices at most 5 mm apart: two of the acquired plane for each of another.
    Returns fewer only if the volume has no more such planes. The result is sorted.
    """
    acquired = _acquired(spacing)
    may_cut = spacing[PLANES[acquired]] <= _MAX_STEP_MM
    usable = [plane for plane in PLANES if _spans(shape, spacing, plane) and (may_cut or plane == acquired)] or [acquired]
    chosen: dict[Slice, None] = {}

    def add(plane: str, point: Point) -> None:
        axis = PLANES[plane]
        if plane in usable and len(chosen) < count:
            chosen[Slice(plane, min(max(round(point[axis]), 0), shape[axis] - 1), shape[axis])] = None

    for point in findings:
        add("sagittal", point)
        add("axial", point)
    if centres:
        middle = np.mean(centres, axis=0)
        add("sagittal", (float(middle[0]), float(middle[1]), float(middle[2])))
        levels = sorted(centres, key=lambda point: -point[2])
        for point in _thin(levels, (count - len(chosen) + 1) // 2):
            add("axial", point)
    first = acquired if acquired in usable else usable[0]
    others = [plane for plane in ("sagittal", "coronal", "axial") if plane in usable and plane != first]
    streams = {plane: spread_evenly(shape[PLANES[plane]], *_extent(PLANES[plane], shape, spacing, centres)) for plane in usable}
    turns = [turn for other in others for turn in (first, first, other)] or [first]
    while streams and len(chosen) < count:
        for plane in turns:
            index = next((i for i in streams.get(plane, ()) if Slice(plane, i, shape[PLANES[plane]]) not in chosen), None)
            if index is None:
                streams.pop(plane, None)
            elif len(chosen) < count:
                chosen[Slice(plane, index, shape[PLANES[plane]])] = None
    return tuple(sorted(chosen))


def spread_evenly(length: int, low: float, high: float) -> Iterator[int]:
    """Yield every index once, each far from those before: halves, quarters, eighths … from low to high, then the rest."""
    seen = set()
    step = 2
    while step <= 2 * length:
        for odd in range(1, step, 2):
            index = int(low + (high - low) * odd / step)
            if index not in seen:
                seen.add(index)
                yield index
        step *= 2
    yield from (index for index in range(length) if index not in seen)


def discs_between(centres: Mapping[str, Point], order: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return the discs whose two vertebrae both have a centre: "L4/L5" -> ("L4", "L5"). ``order`` is from head to tail."""
    return {f"{upper}/{lower}": (upper, lower) for upper, lower in pairwise(order) if upper in centres and lower in centres}


def _spans(shape: tuple[int, int, int], spacing: Point, plane: str) -> bool:
    return all(shape[axis] * spacing[axis] >= _MIN_SIDE_MM for axis in range(3) if axis != PLANES[plane])


def _acquired(spacing: Point) -> str:
    """Return the plane with the coarsest step between its slices; sagittal if the steps are equal."""
    return max(PLANES, key=lambda plane: (round(spacing[PLANES[plane]], 2), plane == "sagittal"))


def _thin(points: Sequence[Point], count: int) -> list[Point]:
    if len(points) <= count:
        return list(points)
    return [points[round(i)] for i in np.linspace(0, len(points) - 1, count)] if count else []


def _extent(axis: int, shape: tuple[int, int, int], spacing: Point, centres: Sequence[Point]) -> tuple[float, float]:
    """Return where along an axis slices are worthwhile.

    That is around the labelled centres (pedicles and processes reach that far), or the central 80 % of the volume without any.
    """
    if not centres:
        return 0.1 * shape[axis], 0.9 * shape[axis]
    below, above = ((25.0, 25.0), (45.0, 20.0), (15.0, 15.0))[axis]  # mm to the left and right, back and front, down and up
    places = [point[axis] for point in centres]
    return max(min(places) - below / spacing[axis], 0.0), min(max(places) + above / spacing[axis], shape[axis] - 1.0)
