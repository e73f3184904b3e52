"""Paint the tissues of and around the parametric spine onto a voxel grid with soft edges.

Soft tissue follows the column: ``_straighten`` gives each sagittal pixel its place along the column and its distance in front
of the body centres, so that canal, vessels and skin bend with the spine. Later strokes cover earlier ones.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from dataset_builders.phantom.anatomy import (
    LEVELS,
    Array,
    Vertebra,
    arch_box,
    arch_distance,
    body_distance,
    disc_distance,
    ellipse_distance,
    sacral_tail,
)

LABELS = {
    **{level: number for number, level in enumerate(reversed(LEVELS), 1)},
    "S1": 26,  # VerSe's number: 25 is L6
}
CORD, THECAL_SAC, DISC = 60, 61, 100

# Tissue -> (HU, T2-weighted signal in arbitrary units).
_TISSUES = {
    "air": (-1000, 4),
    "lung": (-840, 16),
    "fat": (-95, 430),
    "muscle": (55, 105),
    "organ": (45, 170),
    "vessel": (150, 25),
    "bowel": (25, 240),
    "epidural": (-60, 400),
    "csf": (8, 800),
    "cord": (38, 270),
    "annulus": (105, 70),
    "nucleus": (80, 560),
    "dark_disc": (95, 85),
    "cortex": (780, 25),
    "marrow": (190, 300),
    "brain": (35, 260),
}
_CORTEX_MM = 1.6


@dataclass(slots=True)
class _Canvas:
    """The grid being painted: ``x`` (nx, 1, 1), ``y`` (1, ny, 1), ``z`` (1, 1, nz) in mm; both arrays (nx, ny, nz)."""

    modality: str
    x: Array
    y: Array
    z: Array
    step: float
    image: Array
    labels: NDArray[np.uint8]

    def value(self, tissue: str) -> float:
        return float(_TISSUES[tissue][0 if self.modality == "ct" else 1])

    def stroke(
        self, distance: Array, value: float | Array, box: tuple[slice, ...] = (slice(None),) * 3, label: int = 0
    ) -> None:
        """Paint ``value`` over the voxels inside ``distance`` (mm, negative inside); edges are blended over one voxel."""
        target = self.image[box]
        distance = np.broadcast_to(distance, target.shape)
        touched = distance < self.step / 2  # few of the box, so that what follows costs little
        before = target[touched]
        weight = np.clip(0.5 - distance[touched] / self.step, 0, 1)
        target[touched] += weight * ((value[touched] if isinstance(value, np.ndarray) else value) - before)
        if label:
            self.labels[box][distance < 0] = label

    def box(self, centre: tuple[float, float, float], reach: float) -> tuple[slice, ...] | None:
        """Return the index ranges within ``reach`` mm of ``centre``, None if they lie outside the grid."""
        return self.between(*(tuple(middle + side * reach for middle in centre) for side in (-1, 1)))

    def between(self, lowest: tuple[float, ...], highest: tuple[float, ...]) -> tuple[slice, ...] | None:
        """Return the index ranges between two places (x, y, z) in mm, None if they lie outside the grid."""
        slices = []
        for axis, first, last in zip((self.x.ravel(), self.y.ravel(), self.z.ravel()), lowest, highest):
            low, high = np.searchsorted(axis, (first, last))
            if low >= high:
                return None
            slices.append(slice(int(low), int(high)))
        return tuple(slices)

    def coordinates(self, box: tuple[slice, ...]) -> tuple[Array, Array, Array]:
        return self.x[box[0]], self.y[:, box[1]], self.z[:, :, box[2]]


@dataclass(frozen=True, slots=True)
class _Column:
    """Each sagittal pixel, shapes (1, ny, nz): ``number`` along LEVELS (0 S1 … 24 C1), ``front`` mm before the body centre,
    half sizes of the body there, and the column's own x."""

    number: Array
    front: Array
    half_depth: Array
    half_width: Array
    canal_depth: Array
    canal_width: Array
    x: Array


def paint(
    spine: Mapping[str, Vertebra],
    darkening: Mapping[str, float],
    modality: str,
    x: Array,
    y: Array,
    z: Array,
    rng: np.random.Generator,
) -> tuple[Array, NDArray[np.uint8]]:
    """Paint a noise-free image (HU or arbitrary T2 units, float32) and labels (uint8), both (len(x), len(y), len(z)).

    ``x``, ``y`` and ``z`` are voxel centres in mm.

    ``darkening``: disc -> 0 (bright nucleus on T2) to 1 (black disc).
    """
    shape = (len(x), len(y), len(z))
    canvas = _Canvas(
        modality,
        x[:, None, None],
        y[None, :, None],
        z[None, None, :],
        float(z[1] - z[0]) * 1.2,
        np.zeros(shape, dtype=np.float32),
        np.zeros(shape, dtype=np.uint8),
    )
    canvas.image += canvas.value("muscle")
    column = _straighten(canvas, spine)
    _paint_soft_tissue(canvas, column, spine, rng)
    vertebrae = [spine[level] for level in LEVELS]
    bones = (*sacral_tail(spine["S1"]), *vertebrae)
    texture = gaussian_filter(rng.standard_normal(shape, dtype=np.float32), 0.8) * (150 if modality == "ct" else 60)
    marrow = canvas.value("marrow") + texture
    for v in bones:
        _paint_bone(canvas, v, arch_distance, marrow)
    _paint_canal(canvas, column)
    for lower, upper in pairwise(vertebrae[:-1]):
        _paint_disc(canvas, upper, lower, darkening.get(f"{upper.level}/{lower.level}", 0.0))
    for v in bones:
        _paint_bone(canvas, v, body_distance, marrow)
    return canvas.image, canvas.labels


def _straighten(canvas: _Canvas, spine: Mapping[str, Vertebra]) -> _Column:
    ends = [spine["C1"].world(60.0, 0.0, 0.0), *(v.centre for v in reversed(sacral_tail(spine["S1"])))]
    points = np.array([*ends[1:], *(spine[level].centre for level in LEVELS), ends[0]])
    knots = np.array([-3.0, -2.0, -1.0, *range(len(LEVELS)), len(LEVELS) + 2.5])
    curve = CubicSpline(knots, points[:, 1:])
    fine = np.linspace(knots[0], knots[-1], 1500)
    places, directions = curve(fine), curve(fine, 1)
    y, z = np.broadcast_arrays(canvas.y[0], canvas.z[0])
    _, nearest = cKDTree(places).query(np.stack([y.ravel(), z.ravel()], axis=1))
    offset = np.stack([y.ravel(), z.ravel()], axis=1) - places[nearest]
    tangent = directions[nearest] / np.linalg.norm(directions[nearest], axis=1, keepdims=True)
    front = offset[:, 0] * tangent[:, 1] - offset[:, 1] * tangent[:, 0]
    number = fine[nearest]

    def along(name: str) -> Array:
        sizes = [getattr(spine[level], name) for level in LEVELS]
        return np.interp(number, range(len(LEVELS)), sizes).reshape(1, *y.shape).astype(np.float32)

    x = np.interp(number, range(len(LEVELS)), [spine[level].centre[0] for level in LEVELS])
    return _Column(
        number.reshape(1, *y.shape).astype(np.float32),
        front.reshape(1, *y.shape).astype(np.float32),
        along("depth") / 2,
        along("width") / 2,
        along("canal_depth"),
        along("canal_width"),
        x.reshape(1, *y.shape).astype(np.float32),
    )


def _paint_soft_tissue(canvas: _Canvas, column: _Column, spine: Mapping[str, Vertebra], rng: np.random.Generator) -> None:
    c1, t1, t12, l5 = (LEVELS.index(level) for level in ("C1", "T1", "T12", "L5"))
    n, front = column.number, column.front
    side = canvas.x - column.x
    before = front - column.half_depth  # mm in front of the vertebral bodies
    rear = -column.half_depth - column.canal_depth  # back wall of the canal
    blobs = gaussian_filter(rng.standard_normal(canvas.image.shape, dtype=np.float32), 3.5)
    blobs /= blobs.std()
    # Belly: fat with bowel in it, psoas beside the column, the great vessels before it (aorta left, vena cava right).
    belly = np.maximum(n - t12 - 0.5, 6 - front)
    canvas.stroke(belly, canvas.value("fat"))
    bowel = np.maximum.reduce(np.broadcast_arrays(belly, 26 - before, 6 * (0.1 - blobs)))
    canvas.stroke(bowel, canvas.value("bowel"))
    canvas.stroke(np.maximum(bowel, 6 * (1.5 - blobs)), canvas.value("air"))
    grow = np.clip((t12 - n) / 5, 0, 1.1)
    psoas = ellipse_distance(front + 2, np.abs(side) - column.half_width - 4 - 12 * grow, 6 + 15 * grow, 4 + 12 * grow)
    canvas.stroke(np.maximum(psoas, n - t12), canvas.value("muscle"))
    kidney = np.sqrt((front + 8) ** 2 + (np.abs(side) - 60) ** 2 + ((n - t12 + 1.8) * 22) ** 2 / 2.5) - 27
    canvas.stroke(kidney, canvas.value("organ"))
    # Chest: lungs on both sides, heart and great vessels in the middle.
    chest = np.maximum(np.maximum(t12 - 0.5 - n, n - t1 - 0.5), -front - 20)
    lung = np.maximum(chest, np.where(before > 6, 12 + 0.35 * before, column.half_width + 6) - np.abs(side) - 6 * blobs * 0.1)
    canvas.stroke(lung, canvas.value("lung"))
    aorta_side = np.where(n > t12, -20.0, -20 + 12 * np.clip((t12 - n) / 3, 0, 1))
    split = np.clip(l5 + 1.3 - n, 0, 3) * 13  # iliac arteries part in front of L4
    aorta = (
        np.hypot(
            before - np.where(n > t12, 3.0, 11.0),
            np.minimum(np.abs(side - aorta_side - split), np.abs(side - aorta_side + split)),
        )
        - 9.5
    )
    canvas.stroke(np.maximum(aorta, n - t1 + 3), canvas.value("vessel"))
    cava = np.hypot((before - 10) / 0.9, side - 14 - split) - 9.5
    canvas.stroke(np.maximum(cava, n - t12), canvas.value("vessel") * 0.6)
    # Neck: airway before the column, fat planes, brain and skull above.
    airway = np.hypot((before - np.where(n > c1 - 5, 9, 20)) / 0.8, side) - 7.5
    canvas.stroke(np.maximum(airway, t1 - 2 - n), canvas.value("air"))
    for sign in (-1, 1):
        carotid = np.hypot(before - 8, side - sign * 24) - 4.5
        canvas.stroke(np.maximum(carotid, t1 - n), canvas.value("vessel"))
    _paint_ribs(canvas, column, side)
    # Behind the canal: muscle with fat septa, subcutaneous fat, skin, air.
    septa = np.maximum(front - rear + 6, 3.5 * (1.25 - blobs))
    canvas.stroke(septa, canvas.value("fat") * 0.6 + canvas.value("muscle") * 0.4)
    back = np.interp(n, (0, l5, t12, t1, t1 + 4, c1), (48, 50, 48, 50, 44, 42)) + 0.004 * side**2
    fascia = gaussian_filter(front - rear, (0, 5, 5)) + back
    canvas.stroke(fascia, canvas.value("fat"))
    canvas.stroke(fascia + 13, canvas.value("muscle"))
    canvas.stroke(fascia + 15, canvas.value("air"))
    _paint_skull(canvas, spine["C1"])


def _paint_ribs(canvas: _Canvas, column: _Column, side: Array) -> None:
    """Paint a pair of ribs for each thoracic vertebra: from the body outwards, backwards and down."""
    t1, t12 = LEVELS.index("T1"), LEVELS.index("T12")
    lateral = np.abs(side)
    out = np.maximum(lateral - column.half_width, 0)
    number = column.number - 0.3 + 0.016 * out  # ribs slope down as they leave the column
    nearest = np.clip(np.round(number), t12, t1)
    spacing = 25.0  # mm between thoracic levels, about
    front = column.front + column.half_depth + 3 + 10 * np.sin(np.clip(out / 30, 0, np.pi / 2))
    rib = (
        np.sqrt(((number - nearest) * spacing / 1.3) ** 2 + front**2 + np.maximum(column.half_width - 2 - lateral, 0) ** 2)
        - 4.0
    )
    canvas.stroke(rib, canvas.value("cortex") * 0.75 + canvas.value("marrow") * 0.25)
    canvas.stroke(rib + 1.8, canvas.value("marrow"))


def _paint_skull(canvas: _Canvas, atlas: Vertebra) -> None:
    u, a, r = atlas.local(canvas.x, canvas.y, canvas.z)
    head = np.sqrt(((u - 82) / 1.0) ** 2 + ((a - 4) / 1.15) ** 2 + r**2) - 70
    opening = np.hypot(a + atlas.depth / 2 + 8, r) - 14
    shell = np.maximum(np.abs(head) - 3.0, -opening)
    canvas.stroke(head, canvas.value("brain"))
    canvas.stroke(shell, canvas.value("cortex"))


def _paint_canal(canvas: _Canvas, column: _Column) -> None:
    """Epidural fat, thecal sac with CSF, cord down to L1, then the roots of the cauda equina."""
    side = canvas.x - column.x
    middle = column.front + column.half_depth + column.canal_depth / 2
    half_depth, half_width = column.canal_depth / 2, column.canal_width / 2
    within = -1.5 - column.number  # the sac ends at S2
    canvas.stroke(np.maximum(ellipse_distance(middle, side, half_depth, half_width), within), canvas.value("epidural"))
    sac = np.maximum(np.hypot(middle / (half_depth - 1.6), side / (half_width - 2.5)) - 1, 0.15 * within) * (half_depth - 1.6)
    sac = np.where(np.broadcast_to(np.hypot(middle, side) > 3 * half_width, sac.shape), 99, sac)
    canvas.stroke(sac, canvas.value("csf"), label=THECAL_SAC)
    conus = LEVELS.index("L1") - 0.2
    neck = np.interp(
        column.number, (conus, LEVELS.index("T11"), LEVELS.index("T2"), LEVELS.index("C5")), (0.2, 1.0, 0.85, 1.05)
    )
    cord = (np.hypot((middle + 0.5) / (3.4 * neck), side / (4.9 * neck)) - 1) * 3.4 * neck
    canvas.stroke(np.maximum(cord, (conus - column.number) * 25), canvas.value("cord"), label=CORD)
    roots = np.maximum(np.hypot(middle + 3.2, np.abs(side) - 3.5) - 1.8, (column.number - conus) * 25)
    canvas.stroke(np.maximum(roots, sac), (canvas.value("cord") + canvas.value("csf")) / 2)


def _paint_disc(canvas: _Canvas, upper: Vertebra, lower: Vertebra, darkening: float) -> None:
    middle = tuple((one + other) / 2 for one, other in zip(upper.centre, lower.centre))
    box = canvas.box((middle[0], middle[1], middle[2]), upper.width * 0.8)
    if box is None:
        return
    distance, radius = disc_distance(upper, lower, *canvas.coordinates(box))
    canvas.stroke(distance, canvas.value("annulus"), box, DISC + LABELS[upper.level])
    nucleus = canvas.value("nucleus") + darkening * (canvas.value("dark_disc") - canvas.value("nucleus"))
    core = np.maximum((radius - 0.68) * upper.depth / 2, distance + 0.8)
    canvas.stroke(core, nucleus, box)


def _paint_bone(canvas: _Canvas, v: Vertebra, shape: Callable[[Vertebra, Array, Array, Array], Array], marrow: Array) -> None:
    """Paint a shell of cortex around marrow, inside the outline; thinner in the arch, which would otherwise be all shell."""
    box = canvas.between(*arch_box(v)) if shape is arch_distance else canvas.box(v.centre, v.width / 2 + 16)
    if box is None:
        return
    distance = shape(v, *v.local(*canvas.coordinates(box)))
    canvas.stroke(distance, canvas.value("cortex"), box, LABELS.get(v.level, 0))
    canvas.stroke(distance + (0.9 if shape is arch_distance else _CORTEX_MM), marrow[box], box)
