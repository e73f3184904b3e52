"""Draw line drawings for the textbook chapters, as SVG whose bytes depend on the drawing alone.

Anterior is on the left in side views. Words on a drawing come from text/drawings.yaml, so each can be made in English and
in Chinese; levels and grades are the same in both.
"""

import io
from collections.abc import Callable, Mapping
from functools import cache
from importlib import resources

import matplotlib
import numpy as np
import yaml
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Arc, Ellipse, Polygon

from dataset_builders.phantom.anatomy import LEVELS
from dataset_builders.phantom.sketch import (
    ACCENT,
    BONE_EDGE,
    CORD,
    DISC,
    INK,
    NERVE,
    REGION_COLOURS,
    blob,
    body,
    disc,
    label,
    place,
    points,
    shape,
    write,
)

ROMAN = ("I", "II", "III", "IV", "V")

Words = Mapping[str, str]


def draw(name: str, language: str) -> bytes:
    """Draw ``name`` (a key of DRAWINGS) with its words in ``language`` ("en" or "zh"); return SVG bytes."""
    make, size = DRAWINGS[name]
    with matplotlib.rc_context({"svg.hashsalt": name, "svg.fonttype": "path", "font.size": 7, "lines.linewidth": 0.9}):
        figure = Figure(figsize=size)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        axes.set_aspect("equal")
        make(axes, _words()[language])
        axes.autoscale_view()
        buffer = io.BytesIO()
        figure.savefig(
            buffer, format="svg", metadata={"Date": None, "Creator": "SpineMed"}, bbox_inches="tight", pad_inches=0.03
        )
    return buffer.getvalue()


@cache
def _words() -> dict[str, dict[str, str]]:
    return yaml.safe_load(resources.files(__package__).joinpath("text/drawings.yaml").read_text(encoding="utf-8"))


def _column(axes: Axes, words: Words) -> None:
    """The whole column from the side, vertebrae coloured by region and numbered."""
    levels = LEVELS[::-1]
    y, previous = 0.0, 0.0
    spans: dict[str, list[float]] = {}
    for index, level in enumerate(levels):
        s = index / (len(levels) - 1)
        height, width = 0.34 + 0.42 * s, 0.55 + 0.75 * s
        y -= (previous + height) / 2 + 0.13 + 0.06 * s
        bend = -0.55 * np.cos(np.pi * (index - 3) / 11.0) if index < 19 else 0.55 - 0.9 * np.sin(np.pi * (index - 17) / 8)
        body(axes, (float(bend), y), width, height, face=REGION_COLOURS[level[0]])
        write(axes, float(bend), y, level, 4.2 + 1.4 * s)
        spans.setdefault(level[0], []).extend((y + height / 2, y - height / 2))
        previous = height
    for region, heights in spans.items():
        axes.plot([1.75, 1.85, 1.85, 1.75], [heights[0], heights[0], heights[-1], heights[-1]], color=INK, linewidth=0.6)
        write(axes, 2.0, (heights[0] + heights[-1]) / 2, words[f"region_{region}"], 7, "left")


def _vertebra(axes: Axes, words: Words) -> None:
    """A lumbar vertebra from above, anterior at the top."""
    blob(axes, [(-1.5, 0.9), (-1.0, 1.75), (0, 1.95), (1.0, 1.75), (1.5, 0.9), (1.2, 0.1), (0, -0.05), (-1.2, 0.1)])
    for side in (-1, 1):
        blob(axes, [(side * x, y) for x, y in ((0.75, 0.12), (1.2, 0.2), (1.25, -0.6), (0.8, -0.6))])
        blob(axes, [(side * x, y) for x, y in ((1.15, -0.35), (2.9, -0.25), (3.0, -0.5), (1.2, -0.8))])
        blob(axes, [(side * x, y) for x, y in ((0.8, -0.5), (1.35, -0.65), (1.3, -1.15), (0.85, -1.1))])
        blob(axes, [(side * x, y) for x, y in ((0.85, -0.8), (1.0, -1.15), (0.15, -1.75), (0.05, -1.4))])
    blob(axes, [(-0.2, -1.35), (0.2, -1.35), (0.16, -2.6), (0, -2.8), (-0.16, -2.6)])
    axes.add_patch(Ellipse((0, -0.62), 1.25, 0.85, facecolor=CORD, edgecolor=BONE_EDGE, linewidth=0.6))
    write(axes, 0, 0.95, words["body"])
    label(axes, words["canal"], (0.2, -0.62), (2.3, 0.75))
    label(axes, words["pedicle"], (-1.0, -0.15), (-2.2, 0.75), "right")
    label(axes, words["transverse_process"], (-2.6, -0.4), (-2.2, -1.35), "right")
    label(axes, words["facet_joint"], (1.1, -0.95), (2.2, -1.35))
    label(axes, words["lamina"], (-0.5, -1.3), (-1.6, -2.1), "right")
    label(axes, words["spinous_process"], (0.05, -2.3), (1.4, -2.4))


def _meyerding(axes: Axes, words: Words) -> None:
    """Four panels of L5 on S1; the lower end plate is divided into quarters."""
    for index, (grade, slip) in enumerate((("I", 0.18), ("II", 0.40), ("III", 0.64), ("IV", 0.88))):
        x = index * 3.1
        body(axes, (x, -0.65), 1.6, 0.95)
        body(axes, (x - slip * 1.6, 0.68), 1.6, 0.95)
        for quarter in range(5):
            at = x - 0.8 + quarter * 0.4
            axes.plot([at, at], [-0.2, 0.14], color=INK, linewidth=0.6)
        axes.annotate(
            "", (x + 0.8 - slip * 1.6, 0.02), (x + 0.8, 0.02), arrowprops={"arrowstyle": "<->", "color": ACCENT, "lw": 1}
        )
        write(axes, x - slip * 1.6, 0.72, "L5", 6.5)
        write(axes, x, -0.7, "S1", 6.5)
        write(axes, x, -1.5, f"{words['grade']} {grade}", 7)
        write(axes, x, -1.9, ("0–25%", "25–50%", "50–75%", "75–100%")[index], 6)


def _genant(axes: Axes, words: Words) -> None:
    """Four side views: normal, then 22, 33 and 50 % of the anterior height lost."""
    for index, loss in enumerate((0.0, 0.22, 0.33, 0.50)):
        x = index * 2.1
        body(axes, (x, 0), 1.5, 1.25, loss=loss)
        if loss:
            axes.plot([x - 0.75, x + 0.75], [0.625, 0.625], color=INK, linewidth=0.5, linestyle=(0, (3, 2)))
            axes.annotate("", (x - 0.62, 0.625 - loss * 1.25), (x - 0.62, 0.625),
                          arrowprops={"arrowstyle": "<->", "color": ACCENT, "lw": 1})  # fmt: skip
        write(axes, x, -1.0, words["normal"] if index == 0 else f"{words['grade']} {index}", 7)
        write(axes, x, -1.38, ("<20%", "20–25%", "25–40%", ">40%")[index], 6)


def _pfirrmann(axes: Axes, words: Words) -> None:
    """Five discs between two bodies, from bright and tall to black and collapsed, as on T2-weighted images."""
    signals = (
        ("#f5f5f5", "#ffffff"),
        ("#dcdcdc", "#b5b5b5"),
        ("#9a9a9a", "#9a9a9a"),
        ("#5a5a5a", "#5a5a5a"),
        ("#111111", "#111111"),
    )
    for index, (outer, band) in enumerate(signals):
        x, height = index * 1.9, (0.46, 0.46, 0.42, 0.34, 0.14)[index]
        body(axes, (x, 0.5 + height / 2), 1.5, 0.95, face="#777777")
        body(axes, (x, -0.5 - height / 2), 1.5, 0.95, face="#777777")
        disc(axes, (x, 0), 1.5, height, "#2a2a2a")
        disc(axes, (x, 0), 1.1, height * 0.8, outer)
        if index == 1:
            axes.plot([x - 0.45, x + 0.45], [0, 0], color=band, linewidth=2.0)
        write(axes, x, -1.5, f"{words['grade']} {ROMAN[index]}", 7)


def _cobb(axes: Axes, words: Words) -> None:
    """A right thoracic curve from behind, with lines along the end plates of the end vertebrae T5 and T12."""
    levels = LEVELS[LEVELS.index("L2") : LEVELS.index("T2")][::-1]
    angles = np.interp(np.arange(len(levels)), [0, 2, 9, 11], [14, 24, -26, -10])
    x, y = 0.0, 0.0
    ends = {}
    for level, angle in zip(levels, angles):
        body(axes, (x, y), 1.0, 0.48, float(angle))
        write(axes, x, y, level, 4.6)
        ends[level] = (x, y, float(angle))
        x += 0.62 * np.sin(np.radians(angle))
        y -= 0.62 * np.cos(np.radians(angle))
    # The lines meet on the concave side, at the vertex of the angle.
    (x1, y1, up), (x2, y2, down) = ends["T5"], ends["T12"]
    (x1, y1), (x2, y2) = place([(0, 0.27)], (x1, y1), up)[0], place([(0, -0.27)], (x2, y2), down)[0]
    slope_up, slope_down = np.tan(np.radians(up)), np.tan(np.radians(down))
    meet_x = float((y2 - y1 + slope_up * x1 - slope_down * x2) / (slope_up - slope_down))
    meet_y = float(y1 + slope_up * (meet_x - x1))
    for x, y, slope in ((x1, y1, slope_up), (x2, y2, slope_down)):
        axes.plot([meet_x, x + 0.7], [meet_y, y + 0.7 * slope], color=ACCENT, linewidth=1.0)
    axes.add_patch(Arc((meet_x, meet_y), 3, 3, theta1=down, theta2=up, color=ACCENT, linewidth=1.0))
    write(axes, meet_x + 1.7, meet_y, words["cobb_angle"], 7, "left", ACCENT)
    write(axes, x1 + 0.9, y1 + 0.4, words["upper_end"], 6.5, "left")
    write(axes, x2 + 0.9, y2 - 0.4, words["lower_end"], 6.5, "left")


def _roots(axes: Axes, words: Words) -> None:
    """L4 and L5 from behind with the laminae taken off: roots pass under the pedicles."""
    for index, level in enumerate(("L4", "L5")):
        y = -index * 1.7
        body(axes, (0, y), 2.4, 1.2)
        for side in (-1, 1):
            axes.add_patch(Ellipse((side * 0.82, y + 0.15), 0.42, 0.62, facecolor="white", edgecolor=BONE_EDGE, linewidth=0.8))
        write(axes, -1.05, y - 0.42, level, 6.5)
    disc(axes, (0, -0.85), 2.4, 0.45)
    disc(axes, (0, -2.55), 2.4, 0.45)
    axes.add_patch(
        Polygon([(-0.42, 0.7), (0.42, 0.7), (0.36, -2.8), (-0.36, -2.8)], facecolor=CORD, edgecolor=BONE_EDGE, linewidth=0.6)
    )
    for side in (-1, 1):
        for start in (0.25, -1.45):
            x = [0.38, 0.62, 1.0, 1.6]
            axes.plot([side * v for v in x], [start, start - 0.3, start - 0.62, start - 0.95], color=NERVE, linewidth=2.2)
    axes.add_patch(Ellipse((0.58, -0.9), 0.42, 0.3, facecolor=ACCENT, edgecolor=INK, linewidth=0.5))
    axes.add_patch(Ellipse((-1.35, -0.72), 0.4, 0.26, facecolor="#7d5ba6", edgecolor=INK, linewidth=0.5))
    label(axes, words["paracentral"], (0.6, -0.9), (2.0, -0.95))
    label(axes, words["far_lateral"], (-1.4, -0.72), (-2.0, -1.1), "right")
    label(axes, words["root_L4"], (1.35, -0.55), (2.0, -0.3))
    label(axes, words["root_L5"], (1.35, -2.25), (2.0, -2.0))
    label(axes, words["pedicle"], (0.85, 0.3), (2.0, 0.45))
    label(axes, words["dural_sac"], (-0.1, 0.5), (-2.0, 0.5), "right")


def _zones(axes: Axes, words: Words) -> None:
    """A disc from above with the zones of a herniation."""
    blob(axes, [(-1.7, 0.7), (-1.1, 1.6), (0, 1.8), (1.1, 1.6), (1.7, 0.7), (1.3, 0.0), (0, -0.12), (-1.3, 0.0)], DISC)
    blob(axes, [(-0.9, 0.75), (0, 1.25), (0.9, 0.75), (0, 0.35)], "#dfeaf1")
    axes.add_patch(Ellipse((0, -0.6), 1.1, 0.75, facecolor=CORD, edgecolor=BONE_EDGE, linewidth=0.6))
    for side in (-1, 1):
        axes.add_patch(
            Ellipse((side * 1.35, -0.3), 0.34, 0.24, angle=-side * 30, facecolor=NERVE, edgecolor=INK, linewidth=0.5)
        )
        for x in (0.35, 0.8, 1.75):
            axes.plot([side * x, side * x], [-0.95, 0.35], color=INK, linewidth=0.5, linestyle=(0, (3, 2)))
    label(axes, words["central"], (0, -0.9), (0, -1.35), "left")
    label(axes, words["subarticular"], (0.58, -0.85), (1.0, -1.75))
    label(axes, words["foraminal"], (1.3, -0.8), (2.0, -1.35))
    label(axes, words["extraforaminal"], (2.0, -0.2), (2.3, -0.6))
    label(axes, words["annulus"], (-1.3, 1.0), (-2.0, 1.4), "right")
    label(axes, words["nucleus"], (-0.4, 0.8), (-2.0, 0.75), "right")
    label(axes, words["exiting_root"], (-1.4, -0.3), (-2.0, -0.4), "right")


def _three_columns(axes: Axes, words: Words) -> None:
    """Two vertebrae from the side, divided into Denis's three columns."""
    for y in (0.8, -0.8):
        body(axes, (0, y), 2.0, 1.2)
        blob(axes, [(1.0, y + 0.45), (1.7, y + 0.35), (1.8, y - 0.1), (1.05, y)])
        blob(axes, [(1.65, y + 0.35), (3.2, y - 0.1), (3.2, y - 0.6), (1.75, y - 0.1)])
    disc(axes, (0, 0), 2.0, 0.4)
    for left, right, colour in ((-1.05, 0.02, "#4a78a8"), (0.02, 1.12, "#b0413e"), (1.12, 3.3, "#5b8a4a")):
        axes.plot(
            [left, right, right, left, left],
            [1.65, 1.65, -1.65, -1.65, 1.65],
            color=colour,
            linewidth=1.1,
            linestyle=(0, (4, 2)),
        )
    for x, key in ((-0.5, "anterior"), (0.57, "middle"), (2.2, "posterior")):
        write(axes, x, 1.9, words[key], 6.5)


def _pedicle_screws(axes: Axes, words: Words) -> None:
    """A vertebra from above with two pedicle screws converging."""
    _vertebra_outline(axes)
    for side in (-1, 1):
        axes.plot([side * 1.35, side * 0.45], [-1.5, 1.2], color="#555555", linewidth=3.2, solid_capstyle="round")
        axes.plot([side * 1.5, side * 1.2], [-1.6, -1.5], color="#333333", linewidth=5)
    label(axes, words["screw"], (0.9, -0.1), (2.3, 0.9))
    label(axes, words["entry"], (-1.35, -1.45), (-2.2, -1.9), "right")
    label(axes, words["canal"], (-0.2, -0.62), (-2.2, 0.7), "right")


def _vertebra_outline(axes: Axes) -> None:
    blob(axes, [(-1.5, 0.9), (-1.0, 1.75), (0, 1.95), (1.0, 1.75), (1.5, 0.9), (1.2, 0.1), (0, -0.05), (-1.2, 0.1)])
    for side in (-1, 1):
        blob(axes, [(side * x, y) for x, y in ((0.75, 0.15), (1.3, 0.25), (1.4, -1.3), (0.85, -1.1))])
        blob(axes, [(side * x, y) for x, y in ((1.25, -0.35), (2.9, -0.25), (3.0, -0.5), (1.3, -0.8))])
        blob(axes, [(side * x, y) for x, y in ((0.85, -0.8), (1.0, -1.15), (0.15, -1.75), (0.05, -1.4))])
    blob(axes, [(-0.2, -1.35), (0.2, -1.35), (0.16, -2.6), (0, -2.8), (-0.16, -2.6)])
    axes.add_patch(Ellipse((0, -0.62), 1.25, 0.85, facecolor=CORD, edgecolor=BONE_EDGE, linewidth=0.6))


def _kyphoplasty(axes: Axes, words: Words) -> None:
    """Before, balloon, cement: three side views of a wedged body."""
    for index, (key, loss) in enumerate((("before", 0.4), ("balloon", 0.25), ("cement", 0.2))):
        x = index * 2.6
        body(axes, (x, 0), 1.6, 1.3, loss=loss)
        blob(axes, [(x + 0.8, 0.45), (x + 1.3, 0.35), (x + 1.35, -0.1), (x + 0.82, 0)])
        if index:
            axes.plot([x + 1.5, x + 0.2], [0.55, -0.1], color="#555555", linewidth=1.6)
            face = "#bcd7ea" if index == 1 else "#8a8a8a"
            axes.add_patch(Ellipse((x - 0.12, -0.15), 0.85, 0.5, facecolor=face, edgecolor=INK, linewidth=0.6))
        write(axes, x + 0.2, -1.05, words[key], 6.5)


_FEMUR = points("-1.15,0.2 -0.75,0.7 -0.2,0.55 0.25,0.8 0.45,0.45 0,-0.2 -0.25,-0.8 -0.35,-2 -1.05,-2 -1.1,-0.8")
_FEMORAL_HEAD = points("-0.28,-0.42 -0.32,0.42 0.1,0.58 0.55,0.35 0.65,-0.1 0.4,-0.5")
_TIBIA = points("-0.35,2.2 0.55,2.2 0.6,0.9 0.95,0.2 0.95,-0.7 0.65,-0.65 0.6,-0.1 -0.45,-0.1 -0.5,0.6")
_TALUS = points("-0.42,-0.2 0.56,-0.2 0.6,-1 -0.45,-1")
_FIBULA = points("-0.85,2.2 -0.55,2.2 -0.6,0.6 -0.5,-0.3 -0.55,-1.05 -0.85,-1.1 -0.95,-0.4 -0.85,0.5")


def _garden(axes: Axes, words: Words) -> None:
    """The proximal femur with Garden's four types: the head turns, then comes off as displacement grows."""
    # Where the head lies beside its place, and how far it is turned in degrees.
    for index, (aside, turn) in enumerate((((-0.02, -0.03), 14), ((0, 0), 0), ((0.12, -0.16), -22), ((0.38, -0.34), 0))):
        x = index * 3.0
        blob(axes, place(_FEMUR, (x, 0)))
        blob(axes, place(_FEMORAL_HEAD, (x + 0.55 + aside[0], 0.85 + aside[1]), turn))
        # Type I is incomplete: its line is broken.
        axes.plot([x + 0.08, x + 0.52], [0.92, 0.38], color=ACCENT, linewidth=1.3, linestyle="-" if index else (0, (2, 1)))
        write(axes, x - 0.3, -2.4, f"{words['type']} {ROMAN[index]}")


def _knee(axes: Axes, words: Words) -> None:
    """The knee from the front, Kellgren-Lawrence grades 0, 2, 3 and 4: osteophytes and loss of the joint space."""
    for index, (grade, gap, spur) in enumerate(((0, 0.34, 0.0), (2, 0.28, 0.16), (3, 0.16, 0.24), (4, 0.03, 0.34))):
        centre, low, wide, lateral = (index * 2.8, 0.0), gap / 2, 1.02 + spur, 1.02 + spur / 2
        femur = [(-0.5, 2), (-0.5, 1.1), (-1, 0.7), (-wide, low + 0.1), (-0.55, low), (0, low + 0.3), (0.55, low)]
        femur += [(lateral, low + 0.1), (1, 0.7), (0.5, 1.1), (0.5, 2)]
        tibia = [(-wide, -low - 0.08), (-0.5, -low), (-0.1, 0.08 - low), (0.1, 0.08 - low), (0.5, -low), (lateral, -low - 0.08)]
        tibia += points("0.85,-0.7 0.5,-1.2 0.5,-2 -0.5,-2 -0.5,-1.2 -0.85,-0.7")
        shape(axes, place(femur, centre))
        shape(axes, place(tibia, centre))
        write(axes, centre[0], -2.4, f"{words['grade']} {grade}")


def _weber(axes: Axes, words: Words) -> None:
    """The ankle from the front, fibula on the left, broken below, at and above the syndesmosis."""
    for index, (name, height) in enumerate((("A", -0.75), ("B", 0.2), ("C", 1.3))):
        x = index * 2.8
        for outline in (_TIBIA, _TALUS, _FIBULA):
            shape(axes, place(outline, (x, 0)))
        for y in (0.15, 0.3, 0.45):
            axes.plot([x - 0.6, x - 0.48], [y, y], color="#4a78a8", linewidth=1.2)
        crack = place(points("-1,0.12 -0.82,-0.02 -0.68,0.1 -0.45,-0.06"), (x, height))
        axes.plot([point[0] for point in crack], [point[1] for point in crack], color=ACCENT, linewidth=1.4)
        write(axes, x, -1.55, f"{words['type']} {name}")
    label(axes, words["syndesmosis"], (-0.54, 0.3), (-1.4, 0.9), "right")


DRAWINGS: dict[str, tuple[Callable[[Axes, Words], None], tuple[float, float]]] = {
    "column": (_column, (2.0, 4.2)),
    "vertebra": (_vertebra, (3.2, 2.4)),
    "meyerding": (_meyerding, (3.3, 1.2)),
    "genant": (_genant, (3.3, 1.1)),
    "pfirrmann": (_pfirrmann, (3.3, 1.2)),
    "cobb": (_cobb, (2.4, 2.8)),
    "roots": (_roots, (3.3, 2.0)),
    "zones": (_zones, (3.3, 1.8)),
    "three_columns": (_three_columns, (2.6, 1.9)),
    "pedicle_screws": (_pedicle_screws, (3.0, 2.3)),
    "kyphoplasty": (_kyphoplasty, (3.3, 1.1)),
    "garden": (_garden, (3.3, 1.3)),
    "knee": (_knee, (3.3, 1.5)),
    "weber": (_weber, (3.0, 1.5)),
}
"""Name -> what draws it, and the room it gets in inches."""
