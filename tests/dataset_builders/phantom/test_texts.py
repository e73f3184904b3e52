import re

import pytest
from lxml import etree

from dataset_builders.phantom.case_reports import make_case_reports
from dataset_builders.phantom.general_medical import make_general_medical
from dataset_builders.phantom.question_bank import genant_grade, make_question_banks, meyerding_grade

COUNTS = {"C": 8, "T": 12, "L": 5, "S": 5}  # C8 is a root
XLINK = "{http://www.w3.org/1999/xlink}href"


def invalid_levels(text: str) -> list[str]:
    """Names such as T13 or L6, and discs whose vertebrae are not neighbours."""
    order = [
        f"{region}{number}" for region in "CTLS" for number in range(1, COUNTS[region] + 1) if region + str(number) != "C8"
    ]
    wrong = [
        region + number
        for region, number in re.findall(r"(?<![A-Za-z0-9])([CTLS])(\d{1,2})(?![\d.]|-weighted|加权)", text)
        if not 1 <= int(number) <= COUNTS[region]
    ]
    for upper, lower in re.findall(r"(?<![A-Za-z])([CTLS]\d+)/([CTLS]\d+)", text):
        if upper not in order or order.index(upper) + 1 >= len(order) or order[order.index(upper) + 1] != lower:
            wrong.append(f"{upper}/{lower}")
    return wrong


@pytest.fixture(scope="module")
def banks():
    return make_question_banks(seed=0)


@pytest.fixture(scope="module")
def reports():
    return make_case_reports(seed=0)


def test_banks_have_both_languages_and_subjects(banks):
    assert set(banks) == {"spine_en", "spine_zh", "orthopaedics_en", "orthopaedics_zh"}
    assert sum(map(len, banks.values())) >= 60


def test_the_right_letter_stands_among_four_different_options(banks):
    rows = [row for bank in banks.values() for row in bank]
    assert all(len(set(row["options"])) == 4 and row["answer"] in "ABCD" for row in rows)
    assert {row["answer"] for row in rows} == set("ABCD")
    assert len({row["id"] for row in rows}) == len(rows)


def test_answers_follow_from_the_measures_in_the_question(banks):
    checked = 0
    for row in banks["spine_en"] + banks["spine_zh"]:
        right = row["options"]["ABCD".index(row["answer"])]
        numbers = [int(number) for number in re.findall(r"(\d+) mm", row["question"])]
        if "-wedge-" in row["id"]:
            grade = genant_grade(100 * (numbers[1] - numbers[0]) / numbers[1])
        elif "-slip-" in row["id"]:
            grade = meyerding_grade(100 * numbers[0] / numbers[1])
        else:
            continue
        assert right.removeprefix("Grade ").rstrip("级度") == grade, row
        checked += 1
    assert checked == 14


@pytest.mark.parametrize("percent, grade", [(0, "I"), (25, "I"), (25.1, "II"), (75, "III"), (100, "IV"), (101, "V")])
def test_meyerding_grades_are_quarters(percent, grade):
    assert meyerding_grade(percent) == grade


@pytest.mark.parametrize("percent, grade", [(19.9, "0"), (20, "1"), (24.9, "1"), (25, "2"), (40, "2"), (40.1, "3")])
def test_genant_grades_have_their_limits(percent, grade):
    assert genant_grade(percent) == grade


def test_no_question_is_asked_in_both_languages(banks):
    def topics(language):
        return {row["id"].replace(f"-{language}-", "-") for row in banks[f"spine_{language}"]}

    assert not topics("en") & topics("zh")


def test_general_medicine_has_reasoning_that_reaches_its_answer():
    rows = make_general_medical(seed=0)
    assert sum(map(len, rows.values())) >= 40
    for row in rows["en"] + rows["zh"]:
        assert all(row[column].strip() for column in ("Question", "Complex_CoT", "Response"))
        # Every number of the answer's first sentence was derived or given before.
        known = set(re.findall(r"\d+(?:\.\d+)?", row["Question"] + row["Complex_CoT"]))
        if "＝" in row["Complex_CoT"] or " = " in row["Complex_CoT"]:
            assert set(re.findall(r"\d+(?:\.\d+)?", re.split(r"[,，(（]", row["Response"])[0])) <= known, row


def test_case_reports_are_jats_whose_figures_are_cited_and_there(reports):
    articles = {name: etree.fromstring(content) for name, content in reports.items() if name.endswith(".xml")}
    assert len(articles) >= 4
    pictures = set()
    for article in articles.values():
        figures = {figure.get("id") for figure in article.iter("fig")}
        assert figures == {xref.get("rid") for xref in article.iter("xref") if xref.get("ref-type") == "fig"}
        pictures |= {graphic.get(XLINK) for graphic in article.iter("graphic")}
        assert article.find(".//license").get(XLINK) == "https://creativecommons.org/licenses/by/4.0/"
        assert article.findtext(".//article-id").startswith("10.5555/")
    assert pictures == {name for name in reports if name.endswith(".png")}
    assert sum("<fig " in reports[name].decode() for name in articles) >= 2


def test_levels_in_texts_exist(banks, reports):
    texts = [row["question"] + row["explanation"] + " ".join(row["options"]) for bank in banks.values() for row in bank]
    texts += [content.decode() for name, content in reports.items() if name.endswith(".xml")]
    assert [wrong for text in texts for wrong in invalid_levels(text)] == []


def test_seeds_change_what_is_drawn_and_nothing_else_does(banks):
    assert make_question_banks(0) == banks
    assert make_question_banks(1) != banks
    assert make_general_medical(0) == make_general_medical(0)
    assert make_general_medical(1) != make_general_medical(0)
