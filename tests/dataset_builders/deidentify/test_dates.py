import re

import pytest

from dataset_builders.deidentify.dates import AS_OF, count_as_of, find_telling_years, shows_high_age, write_year, years_of
from dataset_builders.deidentify.identifiers import find_in_view


@pytest.mark.parametrize(
    ("words", "year"),
    [
        *(("2021-03-05", "2021"), ("3/2021", "2021"), ("05/03/2021", "2021"), ("20210305", "2021"), ("20210305143205", "2021")),
        *(("5 March 2021", "2021"), ("12-MAR-24", "2024"), ("March '98", "1998"), ("Q2 2024", "2024"), ("2025-W23-4", "2025")),
        *(
            ("2021年3月5日", "2021"),
            ("二〇二一年三月", "2021"),
            ("民国110年3月", "2021"),
            ("23年5月", "2023"),
            ("58年3月5日", "1958"),
        ),
        *(("3/14/58", "1958"), ("3/14/21", "2021"), ("2021-12-30 to 2022-01-04", "2021–2022")),
    ],
)
def test_the_year_of_a_date_stays(words, year):
    assert write_year(words) == year


@pytest.mark.parametrize("words", ["5 March", "春节", "12/24", "3月5日", "去年3月", "the 25th", "[NAME 1]"])
def test_a_date_without_a_year_leaves_nothing(words):
    assert write_year(words) == ""


def test_a_day_is_never_written_as_the_year():
    assert years_of("21.03.05") == years_of("24/05/12") == ()


def test_a_year_that_shows_an_age_over_89_does_not_stay():
    assert write_year(f"{AS_OF - 90}-05-06") == "" and write_year(f"{AS_OF - 89}-05-06") == str(AS_OF - 89)


def test_years_of_birth_that_stand_alone_are_counted_for_the_same_year():
    def is_masked(year):
        return bool(find_in_view(f"born in {year}", "en")) and bool(find_in_view(f"{year}年出生", "zh"))

    assert shows_high_age(AS_OF - 90) and is_masked(AS_OF - 90)
    assert not shows_high_age(AS_OF - 89) and not is_masked(AS_OF - 89)


def test_a_later_date_of_the_document_moves_the_age_that_counts():
    assert count_as_of(["2031-01-01", "1999-01-01", "9031"]) == 2031
    assert count_as_of(["2001-01-01"]) == AS_OF


@pytest.mark.parametrize(
    "text", ["a fusion at the age of 72 in 2003", "in 2003, when she was aged 72", "retired at 65 in 1996"]
)
def test_a_year_beside_an_age_that_together_show_an_age_over_89_is_found(text):
    assert [text[start:end] for start, end in find_telling_years(text)] == re.findall(r"2003|1996", text)


@pytest.mark.parametrize("text", ["a fusion at the age of 42 in 2003", "in 2003, at 72 mm", "at L4 in 2003"])
def test_a_year_beside_another_age_stays(text):
    assert find_telling_years(text) == []
