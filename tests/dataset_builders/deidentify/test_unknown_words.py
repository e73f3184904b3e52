import pytest

from dataset_builders.deidentify import deidentify_text
from dataset_builders.deidentify.unknown_words import find_unknown


@pytest.mark.parametrize("text", ["Seen with Thrandvik Oskelund today", "the code ZX-4471-KQ was read", "We met Oskelund."])
def test_strict_masks_what_is_not_known_and_standard_does_not(text):
    assert deidentify_text(text, mode="strict").spans
    assert not deidentify_text(text, mode="standard").spans


@pytest.mark.usefixtures("rules_alone")  # the tagger may let a word without context stand
@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("pt brannigan, keith seen", "brannigan"),
        ("interpreter nguyen thi bao chau present", "nguyen"),
        ("mail z.woz at lumbarclinic dot example", "lumbarclinic"),
        ("病歷號：0031882-7，住台中市西屯區文心路三段999號7樓之2", "文心路"),
        ("我叫欧阳若曦", "欧阳"),
        ("seen on 14.IX.2022", "14.IX"),
        ("患者中秋节摔伤", "中秋"),
        ("民國112年8月9日手術", "8月9日"),
        ("Grace Hope Young is here", "Hope"),
        ("Park agrees with this.", "Park"),
        ("the corner house, Thrupp Lane, Nether Wallop", "Wallop"),
        ("lives at 14 bis rue des Tilleuls", "Tilleuls"),
        ("妻子乌云其其格，电话", "乌云其其格"),
    ],
)
def test_strict_masks_names_dates_and_places_in_many_forms(text, gone):
    assert gone not in deidentify_text(text).text


@pytest.mark.usefixtures("rules_alone")
@pytest.mark.parametrize(
    "text",
    [
        "Jackson table, Smith-Robinson approach, Hill-Sachs lesion, Taylor brace, Adams forward bend test.",
        "no mass, fea ture of convexity to the Ltside",
        "Kümmell disease at L1; joints of Luschka; Medtronic cage",
        "陈旧性骨折，BP 130/80 mmHg，神志清明",
    ],
)
def test_strict_keeps_eponyms_in_use_split_words_and_units(text):
    assert deidentify_text(text).text == text


def test_a_month_before_an_eponym_makes_it_no_family_name():
    assert "Pfirrmann IV" in deidentify_text("Seen 12th Jan. Pfirrmann IV at L4/5.").text


def words_of(text):
    return [text[span.start : span.end] for span in sorted(find_unknown(text), key=lambda span: span.start)]


def test_codes_are_masked_and_sizes_levels_and_short_names_of_medicine_are_not():
    assert words_of("the code ZX-4471-KQ and 2310884") == ["ZX-4471-KQ", "2310884"]
    assert words_of("SRS-22, a 6.5x45 screw, C5-6, 12th rib") == []


def test_what_touches_a_level_or_measurement_is_never_unknown():
    assert words_of("bulge at L4/5 of 7.5 mm, VAS 7/10") == []


@pytest.mark.parametrize("text", ["Reviewed Quigworthy 06:30", "Quigworthy 300 tds", "Quigworthy 6 weeks later"])
def test_a_name_before_a_clock_time_dose_or_duration_is_found(text):
    assert any("Quigworthy" in text[span.start : span.end] for span in find_unknown(text))
