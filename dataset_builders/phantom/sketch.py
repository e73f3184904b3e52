"""Draw what the drawings share: bones, discs, words with leader lines. Coordinates are roughly centimetres."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import notojp_matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Polygon
from numpy.typing import NDArray

FONT_FOLDER = Path(notojp_matplotlib.__file__).parent / "fonts"
BONE, BONE_EDGE, DISC, INK, ACCENT = "#ece3cf", "#6b5a3a", "#a9c6d8", "#222222", "#b0413e"
NERVE, CORD = "#d9a300", "#e8d28a"
REGION_COLOURS = {"C": "#cfe0ee", "T": "#dfe8cf", "L": "#f1dfc4", "S": "#e9d3d8"}

Points = Sequence[tuple[float, float]]


def points(text: str) -> list[tuple[float, float]]:
    """Read an outline from "x,y x,y …", as SVG writes it."""
    pairs = (pair.split(",") for pair in text.split())
    return [(float(x), float(y)) for x, y in pairs]


def shape(axes: Axes, outline: Points, face: str = BONE) -> None:
    """Draw a closed shape with straight edges."""
    axes.add_patch(Polygon(outline, facecolor=face, edgecolor=BONE_EDGE, linewidth=0.8))


@cache
def _font(size: float) -> FontProperties:
    return FontProperties(fname=str(FONT_FOLDER / "NotoSansCJKjp-Regular.otf"), size=size)


def write(axes: Axes, x: float, y: float, words: str, size: float = 7, align: str = "center", colour: str = INK) -> None:
    """Write words in Noto Sans CJK, which has both scripts; ``size`` in points."""
    axes.text(x, y, words, ha=align, va="center", color=colour, fontproperties=_font(size))


def label(axes: Axes, words: str, at: tuple[float, float], text_at: tuple[float, float], align: str = "left") -> None:
    """Write words at ``text_at`` with a leader line to ``at``, the point they name."""
    axes.plot([at[0], text_at[0]], [at[1], text_at[1]], color=INK, linewidth=0.5)
    axes.plot([at[0]], [at[1]], marker="o", markersize=1.6, color=INK)
    shift = 0.06 if align == "left" else -0.06
    write(axes, text_at[0] + shift, text_at[1], words, 6.5, align)


def smooth(points: Points, steps: int = 12) -> NDArray[np.float64]:
    """Return a closed Catmull-Rom curve through ``points``, shape (len(points) * steps, 2)."""
    p = np.asarray(points, dtype=float)
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    a, b, c, d = np.roll(p, 1, 0), p, np.roll(p, -1, 0), np.roll(p, -2, 0)
    pieces = []
    for i in range(len(p)):
        quadratic, cubic = 2 * a[i] - 5 * b[i] + 4 * c[i] - d[i], 3 * b[i] - a[i] - 3 * c[i] + d[i]
        pieces.append(0.5 * (2 * b[i] + (c[i] - a[i]) * t + quadratic * t**2 + cubic * t**3))
    return np.concatenate(pieces)


def blob(axes: Axes, points: Points, face: str = BONE, edge: str = BONE_EDGE) -> None:
    """Draw a closed shape with round edges through ``points``."""
    axes.add_patch(Polygon(smooth(points), facecolor=face, edgecolor=edge, linewidth=0.8))


def body(
    axes: Axes,
    centre: tuple[float, float],
    width: float = 1.4,
    height: float = 1.0,
    tilt: float = 0.0,
    loss: float = 0.0,
    face: str = BONE,
) -> None:
    """Draw a vertebral body from the side; ``loss`` is the share of anterior height lost, ``tilt`` in degrees."""
    front, back, half = -width / 2, width / 2, height / 2
    top = half - loss * height
    corners = [(front, top), (0, (top + half) / 2 - 0.05), (back, half), (back - 0.06, 0), (back, -half), (0, -half + 0.05)]
    corners += [(front, -half), (front + 0.06, (top - half) / 2)]
    dense: list[tuple[float, float]] = []
    for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1]):
        dense += [(x0 + (x1 - x0) * s, y0 + (y1 - y0) * s) for s in (0.06, 0.5, 0.94)]
    blob(axes, place(dense, centre, tilt), face)


def place(points: Points, centre: tuple[float, float], tilt: float = 0.0) -> list[tuple[float, float]]:
    """Turn ``points`` by ``tilt`` degrees about the origin and move them to ``centre``."""
    cos, sin = np.cos(np.radians(tilt)), np.sin(np.radians(tilt))
    return [(centre[0] + x * cos - y * sin, centre[1] + x * sin + y * cos) for x, y in points]


def disc(axes: Axes, centre: tuple[float, float], width: float = 1.4, height: float = 0.28, face: str = DISC) -> None:
    """Draw a disc from the side."""
    w, h = width / 2, height / 2
    outline = [(-w, 0), (-w * 0.9, h), (0, h * 1.1), (w * 0.9, h), (w, 0), (w * 0.9, -h), (0, -h * 1.1), (-w * 0.9, -h)]
    blob(axes, place(outline, centre), face)
