"""Numbered figures on a page: which drawn things belong together, and which caption is theirs.

A figure is found from its caption outwards, so rules, logos and table frames never become numbered figures. Images and
paths (raster and vector) are first joined into clusters; each caption takes the nearest cluster that no running text parts
from it, then whatever panels and labels stand beside that cluster.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from dataset_builders.figures.captions import is_set_off, parse_caption, parse_table_caption
from dataset_builders.pages.content import Box, Graphic, union
from dataset_builders.pages.layout import Line

_CELL = 4.0  # points: the raster that joins parts of one image
_MIN_SIDE = 24.0  # smaller drawn things are ornaments
_MIN_AREA_ALONE = 0.04  # of the page: an image without caption that is worth keeping
_MIN_SIDE_ALONE = 72.0
_REACH = {"below": 70.0, "above": 70.0, "side": 45.0}  # points from image to a caption below, above or beside it
_OTHER_SIDE = 40.0  # handicap, in points, of a caption position that the document does not use otherwise
_PANEL_GAP = 36.0
_LABEL_GAP = 14.0


@dataclass(frozen=True, slots=True)
class Caption:
    """``kind`` is "figure" or "table"; ``label`` is normalised ("Figure 3", "图3-2"); ``text`` is the whole caption.

    ``lines`` are the printed lines, if they are known.
    """

    kind: str
    label: str
    text: str
    box: Box
    lines: tuple[Line, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class FigureRegion:
    """A figure's place on its page (None if only its caption is there) and its caption (None if it has none)."""

    caption: Caption | None
    box: Box | None
    position: str = ""


def read_caption(text: str, box: Box, styled: bool) -> Caption | None:
    """Return the caption that ``text`` opens with, or None if it is running text ("Figure 5 depicts …").

    ``styled`` says that the label is set apart in print (bold), which settles a label followed by a small letter.
    """
    if figure := parse_caption(text):
        return Caption("figure", figure[0], text, box) if styled or is_set_off(text) else None
    table = parse_table_caption(text, styled)
    return Caption("table", table, text, box) if table else None


def find_clusters(graphics: Sequence[Graphic], width: float, height: float, excluded: Sequence[Box] = ()) -> list[Box]:
    """Join drawn things that touch or nearly touch into boxes; long horizontal rules and ``excluded`` areas are left out."""
    import numpy as np
    from scipy import ndimage

    columns, rows = int(width / _CELL) + 2, int(height / _CELL) + 2
    mask = np.zeros((rows, columns), dtype=bool)
    kept = []
    for graphic in graphics:
        box = graphic.box
        long_rule = graphic.kind == "rule" and box.width > 0.3 * width and box.height < 3
        if graphic.kind == "label" or long_rule or any(area.holds(box) for area in excluded):
            continue
        kept.append(box)
        mask[int(box.top / _CELL) : int(box.bottom / _CELL) + 1, int(box.x0 / _CELL) : int(box.x1 / _CELL) + 1] = True
    if not kept:
        return []
    labels, count = ndimage.label(ndimage.binary_dilation(mask, np.ones((3, 3))), np.ones((3, 3)))
    members: list[list[Box]] = [[] for _ in range(count + 1)]
    for box in kept:
        members[labels[int(box.top / _CELL), int(box.x0 / _CELL)]].append(box)
    clusters = _join_overlapping([union(boxes) for boxes in members if boxes])
    return [box for box in clusters if box.width >= _MIN_SIDE and box.height >= _MIN_SIDE]


def match_regions(
    captions: Sequence[Caption],
    clusters: Sequence[Box],
    obstacles: Sequence[Box],
    labels: Sequence[Box],
    positions: Counter[str],
    images: Sequence[Box],
    page: tuple[float, float],
) -> list[FigureRegion]:
    """Return a region for every caption of the page, then the images that no caption takes.

    obstacles  running text, headings and table areas: a figure neither reaches over nor contains one.
    labels     short texts that may belong to an image (axis titles, panel letters).
    images     placed images: only these are kept without a caption.
    page       width and height in points.
    positions  how often the document's captions stand "below", "above" or at the "side" of their figures so far.
    """
    from scipy.optimize import linear_sum_assignment

    usual = max(positions, key=lambda key: (positions[key], key)) if positions else "below"
    walls = [*obstacles, *(caption.box for caption in captions)]
    far = 1e6
    cost, where = [], []
    for caption in captions:
        others = [wall for wall in walls if wall != caption.box]
        options = [_distance(caption.box, cluster, others, page[0]) for cluster in clusters]
        cost.append([far if gap is None else gap + (0 if side == usual else _OTHER_SIDE) for side, gap in options])
        where.append([side for side, _ in options])
    taken: dict[int, int] = {}
    if captions and clusters:
        taken = {row: column for row, column in zip(*linear_sum_assignment(cost)) if cost[row][column] < far}
    regions: list[FigureRegion] = []
    used = set(taken.values())
    for row, caption in enumerate(captions):
        if row not in taken:
            regions.append(FigureRegion(caption, None))
            continue
        box = clusters[taken[row]]
        box, absorbed = _grow(box, {i: c for i, c in enumerate(clusters) if i not in used}, walls, labels)
        used |= absorbed
        regions.append(FigureRegion(caption, box, where[row][taken[row]]))
    alone = [
        cluster
        for index, cluster in enumerate(clusters)
        if index not in used and _is_worth_keeping(cluster, images, page[0] * page[1])
    ]
    return regions + [FigureRegion(None, box) for box in alone]


def unclaimed(clusters: Sequence[Box], regions: Sequence[FigureRegion], page: tuple[float, float]) -> list[Box]:
    """Return the large drawings that are in no region: frames, shaded boxes, or the figure of a caption on the next page."""
    taken = [region.box for region in regions if region.box]
    return [
        cluster
        for cluster in clusters
        if cluster.area > _MIN_AREA_ALONE * page[0] * page[1]
        and min(cluster.width, cluster.height) >= _MIN_SIDE_ALONE
        and not any(box.intersects(cluster) for box in taken)
    ]


def _is_worth_keeping(cluster: Box, images: Sequence[Box], page_area: float) -> bool:
    """An image of some size without a caption: mostly image, not a frame, a logo or a shaded box."""
    imaged = sum(image.area for image in images if cluster.holds(image))
    large = cluster.area > _MIN_AREA_ALONE * page_area and min(cluster.width, cluster.height) >= _MIN_SIDE_ALONE
    return large and imaged > 0.5 * cluster.area


def _distance(caption: Box, cluster: Box, walls: Sequence[Box], width: float) -> tuple[str, float | None]:
    """Where the caption stands to the image, and the gap in points; None where it is too far or text lies between."""
    # A short caption at the left margin belongs to an image in the middle of the page, though it is not below it.
    centred = abs(cluster.x0 + cluster.x1 - width) < 0.06 * width and caption.x0 < cluster.x0 and caption.overlap_y(cluster) < 0
    if centred or caption.overlap_x(cluster) > 0.3 * min(caption.width, cluster.width):
        if caption.top >= cluster.bottom - 6:
            side, gap = "below", caption.top - cluster.bottom
            between = Box(cluster.x0, cluster.bottom, cluster.x1, caption.top)
        elif caption.bottom <= cluster.top + 6:
            side, gap = "above", cluster.top - caption.bottom
            between = Box(cluster.x0, caption.bottom, cluster.x1, cluster.top)
        else:
            return "below", None if not cluster.holds(caption) else 0.0
    elif caption.overlap_y(cluster) > 0.3 * min(caption.height, cluster.height):
        side, gap = "side", -caption.overlap_x(cluster)
        between = Box(min(caption.x1, cluster.x1), caption.top, max(caption.x0, cluster.x0), caption.bottom)
    else:
        return "below", None
    if gap > _REACH[side] or any(wall.intersects(between) for wall in walls):
        return side, None
    return side, max(gap, 0.0)


def _grow(box: Box, free: dict[int, Box], walls: Sequence[Box], labels: Sequence[Box]) -> tuple[Box, set[int]]:
    """The region with its other panels and the short texts beside it; also which clusters it took."""
    absorbed: set[int] = set()
    changed = True
    while changed:
        changed = False
        for index, cluster in free.items():
            if index not in absorbed and _joins(box, cluster, _PANEL_GAP, walls):
                box, changed = union((box, cluster)), True
                absorbed.add(index)
    for _ in range(2):
        for label in labels:
            if not _contains(box, label) and _joins(box, label, _LABEL_GAP, walls):
                box = union((box, label))
    return box, absorbed


def _joins(box: Box, other: Box, gap: float, walls: Sequence[Box]) -> bool:
    near = box.grown(gap).intersects(other)
    beside = box.overlap_x(other) > 0 or box.overlap_y(other) > 0
    return near and beside and not any(wall.intersects(union((box, other))) for wall in walls)


def _contains(box: Box, other: Box) -> bool:
    return union((box, other)) == box


def _join_overlapping(boxes: list[Box]) -> list[Box]:
    changed = True
    while changed:
        changed = False
        result: list[Box] = []
        for box in boxes:
            partner = next((index for index, other in enumerate(result) if other.intersects(box)), None)
            if partner is None:
                result.append(box)
            else:
                result[partner], changed = union((result[partner], box)), True
        boxes = result
    return boxes
