import io
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from dataset_builders.pages.content import Box, Graphic
from dataset_builders.sources.pdf.figures import Caption, FigureRegion, find_clusters, match_regions, read_caption
from tests.support.pdf_files import read_pdf, typeset

PAGE = (550.0, 700.0)
PLACE = Box(60, 300, 400, 310)


def caption(label: str, box: Box) -> Caption:
    return Caption("figure", label, f"{label}. A block", box)


def regions(
    captions: list[Caption], clusters: list[Box], walls: tuple[Box, ...] = (), usual: str = "below"
) -> list[FigureRegion]:
    return match_regions(captions, clusters, walls, [], Counter({usual: 3}), clusters, PAGE)


@pytest.mark.parametrize(
    ("text", "styled", "kind", "label"),
    [
        ("Figure 3. The conus ends at L1", False, "figure", "Figure 3"),
        ("Fig. 2 Angle against load", False, "figure", "Figure 2"),
        ("图3-2 腰椎侧面观", False, "figure", "图3-2"),
        ("Table 2: slips by level", False, "table", "Table 2"),
        ("表1 各节段", False, "table", "表1"),
        ("Table 4 slips by level", True, "table", "Table 4"),
    ],
)
def test_captions_are_read_with_their_label(text: str, styled: bool, kind: str, label: str) -> None:
    found = read_caption(text, PLACE, styled)
    assert found == Caption(kind, label, text, PLACE)


@pytest.mark.parametrize("text", ["Figure 5 depicts the model", "Table 4 shows the slips", "The conus ends at L1", ""])
def test_running_text_is_no_caption(text: str) -> None:
    assert read_caption(text, PLACE, False) is None


def test_drawn_things_that_touch_are_one_cluster_and_rules_and_specks_are_none() -> None:
    parts = [Graphic(Box(100, 100, 200, 200), "image"), Graphic(Box(203, 100, 300, 200), "path")]
    noise = [Graphic(Box(50, 400, 500, 401), "rule"), Graphic(Box(300, 500, 310, 510), "path")]
    assert find_clusters([*parts, *noise], *PAGE) == [Box(100, 100, 300, 200)]
    assert find_clusters(parts, *PAGE, [Box(90, 90, 310, 210)]) == []
    assert find_clusters([], *PAGE) == []


def test_each_caption_takes_the_image_on_the_documents_usual_side() -> None:
    images = [Box(100, 100, 300, 200), Box(100, 240, 300, 340)]
    between = caption("Figure 1", Box(100, 212, 300, 222))
    assert regions([between], images)[0].box == images[0]
    assert regions([between], images, usual="above")[0].box == images[1]


def test_text_between_parts_a_caption_from_an_image() -> None:
    image, below = Box(100, 100, 300, 200), caption("Figure 1", Box(100, 240, 300, 250))
    assert regions([below], [image])[0] == FigureRegion(below, image, "below")
    parted = regions([below], [image], (Box(100, 210, 300, 230),))
    assert parted[0] == FigureRegion(below, None)


def test_a_caption_without_an_image_keeps_its_place() -> None:
    alone = caption("Figure 1", Box(100, 240, 300, 250))
    assert regions([alone], []) == [FigureRegion(alone, None)]


def test_panels_beside_each_other_are_one_figure() -> None:
    panels = [Box(100, 100, 200, 200), Box(220, 100, 320, 200)]
    (figure,) = regions([caption("Figure 1", Box(100, 212, 320, 222))], panels)
    assert figure.box == Box(100, 100, 320, 200)


def test_a_large_image_without_caption_is_kept_and_a_small_one_is_not() -> None:
    large, small = Box(100, 100, 300, 300), Box(400, 100, 440, 140)
    assert regions([], [large, small]) == [FigureRegion(None, large)]


def test_a_caption_may_stand_above_its_image(tmp_path: Path) -> None:
    block = "#rect(width: 300pt, height: 120pt, fill: {colour})"
    body = "Running text of the page that goes on for a while so that it counts as a paragraph and not as a label of a drawing."
    parts = ["#set page(width: 420pt, height: 600pt, margin: 40pt)", "#set text(size: 10pt)", body]
    for number, colour in ((1, "red"), (2, "blue")):
        parts += [f"#text(size: 8pt)[*Figure {number}.* Plate number {number}.]", block.format(colour=colour), body]
    document = read_pdf(typeset(tmp_path, "\n\n".join(parts)))
    colours = []
    for figure in document.figures:
        assert figure.image is not None
        image = Image.open(io.BytesIO(figure.image)).convert("RGB")
        colours.append((figure.label, image.getpixel((image.width // 2, image.height // 2))))
    assert colours == [("Figure 1", (255, 65, 54)), ("Figure 2", (0, 116, 217))]
