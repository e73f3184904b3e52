"""Model a parametric human spine: where each vertebra stands, and the distance of any point to its parts.

Lengths are mm. World axes are RAS: x to the patient's right, y to the front, z up. A vertebra's own frame has its body's
centre as origin, ``u`` up through the body, ``a`` to the front, ``r`` to the right. Sizes are rounded adult means in the range
of published morphometry (Panjabi 1991 and 1992, Gilad and Nissan 1986); they make a plausible spine, not a reference one.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dataset_builders.levels.anatomy import USUAL_VERTEBRAE

Array = NDArray[np.floating]

LEVELS = USUAL_VERTEBRAE[USUAL_VERTEBRAE.index("S1") :: -1]
"""Bottom-up, the order in which the column is stacked."""

# Anchor levels and values between which every size is interpolated along the column.
_ANCHORS = ("S1", "L5", "L3", "L1", "T12", "T6", "T1", "C7", "C3", "C2", "C1")
_DEPTH = (33, 34.5, 34, 31.5, 30, 26, 18, 17.5, 16, 16, 12)  # body, front to back
_WIDTH = (48, 49, 45, 41, 39, 29, 28, 26, 19, 18, 20)
_HEIGHT = (29, 27.5, 28, 26.5, 25, 20.5, 17, 14.5, 14, 21, 10)
_DISC = (0, 10.5, 11, 9, 7, 4.8, 4.8, 6.0, 5.5, 5.0, 0)  # disc below the vertebra
_CANAL_DEPTH = (15, 16, 16.5, 17, 16, 15.5, 15.5, 15, 15.5, 18, 22)
_CANAL_WIDTH = (27, 26, 24, 23, 22, 18, 20, 24, 24, 25, 30)
_SPINOUS = (14, 27, 33, 32, 28, 34, 34, 32, 17, 20, 5)  # length behind the canal
_TRANSVERSE = (10, 44, 47, 40, 24, 33, 37, 35, 27, 27, 38)  # half span
_TILT = {  # degrees, positive if the upper endplate faces forward: lordosis, kyphosis, lordosis
    **dict(zip(("S1", "L5", "L4", "L3", "L2", "L1"), (39, 22, 9, -1, -8, -12))),
    **dict(zip((f"T{i}" for i in range(12, 0, -1)), (-14, -13, -11, -8, -5, -1, 4, 9, 14, 18, 21, 22))),
    **dict(zip((f"C{i}" for i in range(7, 0, -1)), (19, 13, 7, 1, -4, -8, -8))),
}
_SUPERELLIPSE = 2.6
_CONCAVITY = 0.05  # of the body's height, at the middle of an endplate


@dataclass(frozen=True, slots=True)
class Vertebra:
    """One vertebra: ``centre`` of its body (x, y, z) in mm, ``tilt`` in radians, sizes in mm.

    anterior_loss  fraction of the height that is missing at the front edge (a wedge), falling to 0 at the back edge.
    disc_below     mean height of the disc below it; 0 for S1 and C1.
    """

    level: str
    centre: tuple[float, float, float]
    tilt: float
    depth: float
    width: float
    height: float
    disc_below: float
    canal_depth: float
    canal_width: float
    spinous: float
    transverse: float
    anterior_loss: float = 0.0

    def local(self, x: Array, y: Array, z: Array) -> tuple[Array, Array, Array]:
        """Convert world coordinates (any broadcastable shapes) to (u, a, r)."""
        sine, cosine = math.sin(self.tilt), math.cos(self.tilt)
        dy, dz = y - self.centre[1], z - self.centre[2]
        return dy * sine + dz * cosine, dy * cosine - dz * sine, x - self.centre[0]

    def world(self, u: float, a: float, r: float) -> tuple[float, float, float]:
        sine, cosine = math.sin(self.tilt), math.cos(self.tilt)
        return self.centre[0] + r, self.centre[1] + u * sine + a * cosine, self.centre[2] + u * cosine - a * sine


def stack_spine(
    rng: np.random.Generator,
    wedges: Mapping[str, float],
    slips: Mapping[str, float],
    narrowings: Mapping[str, float],
) -> dict[str, Vertebra]:
    """Build the column from S1 to C1, with S1 at the origin; return level -> vertebra.

    ``wedges``: vertebra -> fraction of anterior height lost; ``slips``: vertebra -> forward slip on the vertebra below, as a
    fraction of the lower vertebra's depth; ``narrowings``: vertebra -> fraction of height lost by the disc below it.
    """
    scale = rng.uniform(0.94, 1.06)
    lordosis, kyphosis = rng.uniform(0.85, 1.15), rng.uniform(0.8, 1.2)
    sway, phase = rng.uniform(1.0, 5.0), rng.uniform(0, 2 * math.pi)
    spine: dict[str, Vertebra] = {}
    y = z = extra_tilt = 0.0
    below: Vertebra | None = None
    for number, level in enumerate(LEVELS):
        factor = lordosis if level[0] in "SL" else kyphosis
        tilt = math.radians(_TILT[level] * factor) + extra_tilt
        size = {name: scale * _at(level, row) for name, row in _ROWS.items()}
        size["height"] *= rng.uniform(0.98, 1.02)
        size["disc_below"] *= rng.uniform(0.95, 1.05) * (1 - narrowings.get(level, 0.0))
        if below is not None:
            top = below.height / 2 * (1 - below.anterior_loss)
            # Concave endplates (_concavity) add the mean of their depths to what lies between their rims.
            hollow = _CONCAVITY * (size["height"] + below.height) / 2
            gap = size["disc_below"] - hollow if level != "C1" else 1.0 * scale
            between = (tilt + below.tilt) / 2
            slip = slips.get(level, 0.0) * below.depth
            y += top * math.sin(below.tilt) + gap * math.sin(between) + size["height"] / 2 * math.sin(tilt)
            z += top * math.cos(below.tilt) + gap * math.cos(between) + size["height"] / 2 * math.cos(tilt)
            y, z = y + slip * math.cos(below.tilt), z - slip * math.sin(below.tilt)
        loss = wedges.get(level, 0.0)
        x = sway * math.sin(phase + number / 5)
        below = Vertebra(level=level, centre=(x, y, z), tilt=tilt, anterior_loss=loss, **size)
        spine[level] = below
        # A wedge tips what stands on it forward; posture takes most of it back over the next levels.
        extra_tilt = extra_tilt * 0.8 + 0.7 * math.atan2(loss * below.height, below.depth)
    return spine


def sacral_tail(sacrum: Vertebra) -> tuple[Vertebra, ...]:
    """Return S2 to S4 below S1, bending backwards; they are drawn, never labelled."""
    tail, above = [], sacrum
    for number in (2, 3, 4):
        tilt = above.tilt + math.radians(14)
        height = above.height * 0.86
        between = (tilt + above.tilt) / 2
        y = above.centre[1] - above.height / 2 * math.sin(above.tilt) - math.sin(between) - height / 2 * math.sin(tilt)
        z = above.centre[2] - above.height / 2 * math.cos(above.tilt) - math.cos(between) - height / 2 * math.cos(tilt)
        above = replace(
            above,
            level=f"S{number}",
            centre=(sacrum.centre[0], y, z),
            tilt=tilt,
            height=height,
            depth=above.depth * 0.74,
            width=above.width * 0.85,
            canal_depth=above.canal_depth * 0.7,
            canal_width=above.canal_width * 0.8,
            anterior_loss=0.0,
        )
        tail.append(above)
    return tuple(tail)


def body_distance(v: Vertebra, u: Array, a: Array, r: Array) -> Array:
    """Return the approximate signed distance (mm, negative inside) to the vertebral body; for C1, to its anterior arch."""
    if v.level == "C1":
        return _anterior_arch(u, a, r)
    waist = 1 - 0.07 * np.clip(1 - (2 * u / v.height) ** 2, 0, 1)
    across = ellipse_distance(a / waist, r / waist, v.depth / 2, v.width / 2)
    distance = smooth_max(across, np.maximum(u - endplate_top(v, a, r), endplate_bottom(v, a, r) - u), 1.5)
    if v.level == "C2":
        dens = capsule(u, a, r, (v.height / 2 - 3, 0.5, 0), (v.height / 2 + 13, 0.5, 0), 4.8)
        distance = smooth_min(distance, dens, 1.5)
    return distance


def arch_distance(v: Vertebra, u: Array, a: Array, r: Array) -> Array:
    """Return the approximate signed distance (mm) to pedicles, laminae, articular, transverse and spinous processes."""
    side = np.abs(r)
    back = -v.depth / 2
    half = v.canal_width / 2
    if v.level == "C1":
        return _posterior_ring(v, u, a, side)
    rear = back - v.canal_depth
    thick, high = 0.13 * v.height, v.height
    # Pedicles and laminae are taller than thick: their rods are measured in a frame compressed along u.
    pedicle, lamina = 1.15 * thick, 0.95 * thick
    beside = half + 0.8 * pedicle
    parts = [
        capsule((u - 0.2 * high) / 1.6, a, side, (0, back + 3, beside), (0, rear + 5, beside + 1), pedicle),
        capsule((u + 0.08 * high) / 2.1, a, side, (0, rear + 5, half + 0.6 * thick), (0, rear - 2, 0), lamina),
        capsule(u, a, side, (0.62 * high, rear + 6, half + 4.5), (0.1 * high, rear + 4, half + 3.5), 1.45 * thick),
        capsule(u, a, side, (0.1 * high, rear + 4, half + 3.5), (-0.66 * high, rear + 0.5, half + 1), 1.3 * thick),
        capsule(u, a, side, (0.12 * high, rear + 7, half + 2), (0.18 * high, _transverse_tip(v, rear), v.transverse), thick),
        _spinous_distance(v, u, a, r, rear),
    ]
    distance = parts[0]
    for part in parts[1:]:
        distance = smooth_min(distance, part, 1.2)
    return distance


def arch_box(v: Vertebra) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the lowest and the highest x, y and z (mm) within which ``arch_distance`` is below 2 mm."""
    heights = (-0.7 * v.height - 1.1 * v.spinous - 12, 0.7 * v.height + 12)  # spinous processes slope down
    aheads = (-v.depth / 2 - v.canal_depth - v.spinous - 12, 12)
    aside = max(v.transverse, 25) + 8
    corners = [v.world(u, a, r) for u in heights for a in aheads for r in (-aside, aside)]
    return tuple(map(min, zip(*corners))), tuple(map(max, zip(*corners)))


def disc_distance(upper: Vertebra, lower: Vertebra, x: Array, y: Array, z: Array) -> tuple[Array, Array]:
    """Return the approximate signed distance (mm) to the disc between two vertebrae, and the radius in it (0 centre, 1 rim)."""
    u1, a1, r1 = upper.local(x, y, z)
    u0, a0, r0 = lower.local(x, y, z)
    a, side = (a1 + a0) / 2, (r1 + r0) / 2
    depth, width = (upper.depth + lower.depth) / 2, (upper.width + lower.width) / 2
    radius = _radius(a, side, depth / 2, width / 2)
    across = (radius - 1) * depth / 2
    return np.maximum(across, np.maximum(endplate_top(lower, a0, r0) - u0, u1 - endplate_bottom(upper, a1, r1))), radius


def endplate_top(v: Vertebra, a: Array, r: Array) -> Array:
    """Return the height ``u`` (mm) of the upper endplate: concave, and lowered towards the front by ``anterior_loss``."""
    wedge = v.anterior_loss * v.height * np.clip((a + v.depth / 2) / v.depth, 0, 1)
    return v.height / 2 - wedge - _concavity(v, a, r)


def endplate_bottom(v: Vertebra, a: Array, r: Array) -> Array:
    """Return the height ``u`` (mm) of the lower endplate: level and concave."""
    return -v.height / 2 + _concavity(v, a, r)


def capsule(u: Array, a: Array, r: Array, start: tuple, end: tuple, radius: float) -> Array:
    """Return the signed distance (mm) to a rounded rod from ``start`` to ``end``, both (u, a, r)."""
    axis = np.subtract(end, start)
    t = ((u - start[0]) * axis[0] + (a - start[1]) * axis[1] + (r - start[2]) * axis[2]) / float(axis @ axis)
    t = np.clip(t, 0, 1)
    squares = (u - start[0] - t * axis[0]) ** 2 + (a - start[1] - t * axis[1]) ** 2 + (r - start[2] - t * axis[2]) ** 2
    return np.sqrt(squares) - radius


def ellipse_distance(a: Array, r: Array, half_depth: Array | float, half_width: Array | float) -> Array:
    """Return the approximate signed distance (mm) to a superellipse cylinder: the outline of a vertebral body from above."""
    return (_radius(a, r, half_depth, half_width) - 1) * np.minimum(half_depth, half_width)


def smooth_min(first: Array, second: Array, blend: float) -> Array:
    """Return the union of two distances with a fillet of ``blend`` mm (Quilez's polynomial smooth minimum)."""
    overlap = np.maximum(blend - np.abs(first - second), 0) / blend
    return np.minimum(first, second) - overlap**2 * blend / 4


def smooth_max(first: Array, second: Array, blend: float) -> Array:
    """Return the intersection of two distances with an edge rounded over ``blend`` mm."""
    return -smooth_min(-first, -second, blend)


def _radius(a: Array, r: Array, half_depth: Array | float, half_width: Array | float) -> Array:
    power = _SUPERELLIPSE
    return (np.abs(a / half_depth) ** power + np.abs(r / half_width) ** power) ** (1 / power)


def _concavity(v: Vertebra, a: Array, r: Array) -> Array:
    squared = np.clip((2 * a / v.depth) ** 2 + (2 * r / v.width) ** 2, 0, 1)
    return _CONCAVITY * v.height * (1 - squared)


def _spinous_distance(v: Vertebra, u: Array, a: Array, r: Array, rear: float) -> Array:
    """Return the distance to a blade: level and tall in the lumbar spine, long and steep in the thoracic, short in the neck."""
    region, number = v.level[0], int(v.level[1:])
    slope = {"S": 0.3, "L": 0.15, "C": 0.35}.get(region, 0.3 + 0.75 * math.sin(math.pi * (number - 0.5) / 12))
    tall = {"S": 6.0, "L": 7.5, "C": 2.6}.get(region, 4.0)
    thick = 3.0 if region in "LS" else 2.4
    along = np.clip(rear - a, 0, v.spinous)
    middle = -0.15 * v.height - slope * along
    height = np.maximum(np.abs(u - middle) - tall * (0.7 + 0.5 * along / v.spinous), 0)
    beyond = np.maximum(np.maximum(rear - v.spinous - a, a - rear), 0)
    return np.sqrt(height**2 + r**2 + beyond**2) - thick


def _transverse_tip(v: Vertebra, rear: float) -> float:
    """Return the place ``a`` of the transverse process's tip: backwards in the thoracic spine, forwards in the neck."""
    return {"C": -v.depth / 2 + 2, "L": rear + 8, "S": -4}.get(v.level[0], rear - 4)


def _anterior_arch(u: Array, a: Array, r: Array) -> Array:
    bend = 0.02 * r**2
    return np.sqrt(np.maximum(np.abs(u) - 2.5, 0) ** 2 + (a - 9.5 + bend) ** 2 + np.maximum(np.abs(r) - 13, 0) ** 2) - 2.8


def _posterior_ring(v: Vertebra, u: Array, a: Array, side: Array) -> Array:
    mass = np.sqrt((u / 1.1) ** 2 + ((a - 0.5) / 1.1) ** 2 + (side - 18) ** 2) - 6.5
    rear = -v.depth / 2 - v.canal_depth + 6
    arch = capsule(u, a, side, (0, -4.0, 18), (0, rear + 4, 12), 3.0)
    arch = smooth_min(arch, capsule(u, a, side, (0, rear + 4, 12), (0, rear - 2, 0), 3.2), 1.5)
    transverse = capsule(u, a, side, (0, -1, 20), (0, -3, v.transverse), 3.2)
    return smooth_min(smooth_min(mass, arch, 1.5), transverse, 1.5)


def _at(level: str, row: tuple[float, ...]) -> float:
    return float(np.interp(LEVELS.index(level), [LEVELS.index(anchor) for anchor in _ANCHORS], row))


_ROWS = {
    "depth": _DEPTH,
    "width": _WIDTH,
    "height": _HEIGHT,
    "disc_below": _DISC,
    "canal_depth": _CANAL_DEPTH,
    "canal_width": _CANAL_WIDTH,
    "spinous": _SPINOUS,
    "transverse": _TRANSVERSE,
}
