"""parse_levels on forms of our own, on hostile input, and on the hand-labelled set where it is there."""

import itertools
import json
import re

import pytest

from dataset_builders.levels import (
    DISCS,
    VERTEBRAE,
    Levels,
    find_levels,
    neighbours,
    parse_levels,
    sort_discs,
    sort_levels,
    vertebrae_of_disc,
)
from tests.conftest import DATA
from tests.support.scripts import load_benchmark
from tests.support.timing import seconds

FORMS = [
    line
    for line in (DATA / "level_forms.txt").read_text(encoding="utf-8").splitlines()
    if line.strip() and not line.startswith("#")
]


def cases():
    for line in FORMS:
        text, vertebrae, discs, roots = (part.strip() for part in line.split("|"))
        names = tuple(vertebrae.split())
        pairs = tuple(f"{a}/{b}" for a, b in itertools.pairwise(names)) if discs == "=" else tuple(discs.split())
        yield pytest.param(text, names, pairs, tuple(roots.split()), id=text)


@pytest.mark.parametrize(("text", "vertebrae", "discs", "roots"), cases())
def test_reads_the_form(text, vertebrae, discs, roots):
    levels = parse_levels(text)
    assert (levels.vertebrae, levels.discs, levels.nerve_roots) == (vertebrae, discs, roots)


def written(text):
    return [(text[span.start : span.end], span.kind, span.names) for span in find_levels(text)]


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("L3/4, L4/5, and S1", [("L3/4", "disc", "L3/L4"), ("L4/5", "disc", "L4/L5"), ("S1", "vertebra", "S1")]),
        ("C4-5, 5-6 discs", [("C4-5", "disc", "C4/C5"), ("5-6", "disc", "C5/C6")]),
        ("the L4 and L5 disc space", [("L4 and L5", "disc", "L4/L5")]),
        ("L3 and L4 and S1 disc spaces", [("L3 and L4", "disc", "L3/L4"), ("S1", "vertebra", "S1")]),
        ("rods from the T11 vertebra to L1", [("T11 vertebra to L1", "vertebra", "T11 T12 L1")]),
        ("the 4th and 5th lumbar vertebrae", [("4th", "vertebra", "L4"), ("5th lumbar", "vertebra", "L5")]),
        ("lumbar vertebra 4 is flat", [("lumbar vertebra 4", "vertebra", "L4")]),
        ("spine fused at C four, five", [("C four", "vertebra", "C4"), ("five", "vertebra", "C5")]),
        ("body of the axis and the odontoid", [("axis", "vertebra", "C2"), ("odontoid", "vertebra", "C2")]),
        ("atlantoaxial joint", [("atlanto", "vertebra", "C1"), ("axial", "vertebra", "C2")]),
        ("cord lesion at C7 and C8", [("C7", "vertebra", "C7"), ("C8", "vertebra", "")]),
        ("the right S1 and S2 roots", [("S1", "nerve_root", "S1"), ("S2", "nerve_root", "S2")]),
        ("腰四五椎间盘、第12胸椎体", [("腰四五", "disc", "L4/L5"), ("第12胸", "vertebra", "T12")]),
        ("寰枢关节", [("寰", "vertebra", "C1"), ("枢", "vertebra", "C2")]),
        ("胸11、12椎体", [("胸11", "vertebra", "T11"), ("12", "vertebra", "T12")]),
        ("5㎜ slip, ﬁfth lumbar vertebra", [("ﬁfth lumbar", "vertebra", "L5")]),
        ("㎜㎜ Ｌ４－５ disc, LⅣ／Ⅴ disc", [("Ｌ４－５", "disc", "L4/L5"), ("LⅣ／Ⅴ", "disc", "L4/L5")]),
        ("\u200f\u202bL\u200b4/\u200f5\u202c disc", [("L\u200b4/\u200f5", "disc", "L4/L5")]),
        ("Fracture of\nL1\nand of the first\nlumbar vertebra", [("L1", "vertebra", "L1"), ("first\nlumbar", "vertebra", "L1")]),
    ],
)  # fmt: skip
def test_a_span_holds_what_is_written_and_nothing_else(text, spans):
    assert written(text) == [(said, kind, tuple(names.split())) for said, kind, names in spans]


def mixed():
    """Forms alone, two in one text, in full width, among characters that fold to several or none, and over lines."""
    texts = [line.split("|")[0].strip() for line in FORMS]
    wide = str.maketrans({chr(code): chr(code + 0xFEE0) for code in range(0x21, 0x7F)})
    yield from texts
    yield from (f"{first}\n{second}。㎜ {first}" for first, second in itertools.pairwise(texts))
    yield from (text.translate(wide) for text in texts)
    yield from ("\ufeffﬁ Ⅳ㎜。" + "\u200b".join(text) for text in texts)
    yield from (text.replace(" ", "\n") for text in texts)
    yield from (f"椎体：{text}；{text.lower()}" for text in texts)


def test_nothing_is_left_without_the_spans():
    for text in mixed():
        left, done = "", 0
        for span in find_levels(text):
            assert done <= span.start < span.end <= len(text), text
            left += text[done : span.start] + "____"
            done = span.end
        assert parse_levels(left + text[done:]) == Levels(), text


def test_a_span_with_a_region_of_its_own_says_its_names_alone():
    """Other spans are items of lists that share the region of an item before or after: "5" of "L4, 5", 第三 of 第三、四腰椎."""
    noun = {"vertebra": "{} vertebra", "disc": "{} disc", "nerve_root": "{} nerve root"}
    alone = 0
    for text in mixed():
        for span in find_levels(text):
            said = text[span.start : span.end]
            if span.names and re.match(r"(?i)[CTLSDＣＴＬＳＤ\u200b ]+h?[-\d１-９]", said):
                alone += 1
                names = {"vertebra": "vertebrae", "disc": "discs", "nerve_root": "nerve_roots"}[span.kind]
                assert set(getattr(parse_levels(noun[span.kind].format(said)), names)) >= set(
                    span.names[:: len(span.names) - 1 or 1]
                ), (text, said)
    assert alone > 500


def test_levels_are_what_the_spans_name():
    for text in mixed():
        spans, levels = find_levels(text), parse_levels(text)
        for kind, names in (("disc", levels.discs), ("nerve_root", levels.nerve_roots)):
            assert {name for span in spans if span.kind == kind for name in span.names} == set(names), text
        assert {name for span in spans if span.kind == "vertebra" for name in span.names} <= set(levels.vertebrae), text


def f1(pairs):
    found = sum(len(truth & guess) for truth, guess in pairs)
    wrong = sum(len(truth ^ guess) for truth, guess in pairs)
    return 2 * found / (2 * found + wrong)


def test_reaches_the_targets_on_the_hand_labelled_set(gold):
    rows = [json.loads(line) for line in (gold / "levels" / "dev.jsonl").read_text(encoding="utf-8").splitlines()]
    parsed = [parse_levels(row["text"]) for row in rows]
    for kind, target in (("vertebrae", 0.98), ("discs", 0.98), ("nerve_roots", 0.95)):
        assert f1([(set(row[kind]), set(getattr(levels, kind))) for row, levels in zip(rows, parsed)]) >= target, kind
    traps = [levels for row, levels in zip(rows, parsed) if not row["vertebrae"] and not row["nerve_roots"]]
    assert traps and all(levels == parse_levels("") for levels in traps)


def test_levels_come_head_to_tail_without_duplicates():
    levels = parse_levels("L5 vertebra, T12 vertebra, C2 vertebra; again the L5 vertebra; L4/5 and C2/3 discs")
    assert levels.vertebrae == ("C2", "C3", "T12", "L4", "L5")
    assert levels.discs == ("C2/C3", "L4/L5")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\x00\udcff\ud800 L",
        "L4/\u202e5\u202c disc",
        "L" * 1000,
        "L4/5" * 500,
        "第" * 1000,
        "C" + "-" * 2000 + "5",
        "İ" * 50 + " L4/5 disc",
        "0/0/0",
        "²³¹ L⁵",
    ],
)
def test_never_raises(text):
    levels = parse_levels(text)
    assert set(levels.vertebrae) <= set(VERTEBRAE)
    assert set(levels.discs) <= set(DISCS)


def test_invisible_and_direction_marks_do_not_hide_a_level():
    assert parse_levels("L\u200b4/\u200f5 disc").discs == ("L4/L5",)


def test_text_after_a_letter_that_grows_in_lower_case_is_read_in_place():
    assert parse_levels("İİİ disc L4/5 and right L5 root").nerve_roots == ("L5",)


@pytest.mark.slow
@pytest.mark.parametrize(
    "unit",
    [
        "disc bulge at L4/5, ",
        "T1 ",
        "C3 and ",
        "L4、",
        "from T4 to ",
        "a ",
        "first lumbar and ",
        "腰",
        "S1 nerve root ",
        "LIV/LV",
    ],
)
def test_time_is_linear_in_length(unit):
    short, long = (unit * (length // len(unit)) for length in (10_000, 100_000))
    # Ten times the length: about ten times as long; a hundred times if it were quadratic.
    assert seconds(parse_levels, long) < 40 * max(seconds(parse_levels, short), 0.005)


def test_own_sentences_are_read_as_labelled():
    levels = load_benchmark("levels")
    result = levels.score(levels.load_sentences(levels.SENTENCES))
    assert result["traps_with_levels"] <= 1  # "an L5 van": nothing else in the sentence says that it is no vertebra
    assert all(result[kind]["f1"] > 0.99 for kind in ("vertebrae", "discs", "nerve_roots"))


@pytest.mark.parametrize(
    "text", ["LV/LA dilated, LV ejection fraction 55%", "95% CI/CIII", "the SI joint", "L4.8 version", "dose 1.2, level I"]
)
def test_roman_letters_and_decimals_that_are_no_levels(text):
    assert not any((parse_levels(text).vertebrae, parse_levels(text).discs))


def test_names_sort_head_to_tail_and_unknown_ones_are_refused():
    assert sort_levels(["S1", "C7", "T13", "L1", "C7"]) == ("C7", "T13", "L1", "S1")
    assert sort_discs(["L5/S1", "T12/L1", "L5/L6"]) == ("T12/L1", "L5/L6", "L5/S1")
    with pytest.raises(ValueError, match="C8"):
        sort_levels(["C8"])
    with pytest.raises(ValueError, match="L4/S1"):
        sort_discs(["L4/S1"])


def test_neighbours_are_nearest_first():
    assert neighbours("L4") == ("L3", "L5", "L2", "S1")
    assert neighbours("C1") == ("C2", "C3", "C4", "C5")
    assert neighbours("L6") == ("L5", "S1", "L4", "S2")
    assert neighbours("L4/L5") == ("L3/L4", "L5/S1", "L2/L3", "L1/L2")
    assert neighbours("C2/C3", 2) == ("C3/C4", "C4/C5")
    assert neighbours("L6/S1", 2) == ("L5/S1", "L4/L5")
    with pytest.raises(ValueError, match="L9"):
        neighbours("L9")


def test_a_disc_has_two_vertebrae():
    assert vertebrae_of_disc("T12/L1") == ("T12", "L1")
    with pytest.raises(ValueError, match="L4-L5"):
        vertebrae_of_disc("L4-L5")


def test_every_disc_joins_two_neighbours_of_the_table():
    assert len(VERTEBRAE) == 7 + 13 + 6 + 5 + 1
    for disc in DISCS:
        upper, lower = vertebrae_of_disc(disc)
        assert lower in neighbours(upper, 2) or "T13" in disc or "L6" in disc
