from datetime import date, timedelta

import pytest

from dataset_builders.deidentify.shift_dates import choose_offset, shift_date


@pytest.mark.parametrize(
    ("text", "moved"),
    [
        ("2021-03-04", "2021-02-22"),
        ("2021/3/4", "2021/2/22"),
        ("2023年5月17日", "2023年5月07日"),
        ("20231108", "20231029"),
        ("4 March 2021", "22 February 2021"),
        ("12-Mar-2024", "2-Mar-2024"),
        ("August 15, 2023", "August 5, 2023"),
    ],
)
def test_a_full_date_moves_and_is_written_as_it_was(text, moved):
    assert shift_date(text, timedelta(days=-10)) == moved


@pytest.mark.parametrize("text", ["3/4/2021", "in May", "2021-02-30", "12 Foo 2021", "春节"])
def test_what_cannot_be_read_without_doubt_does_not_move(text):
    assert shift_date(text, timedelta(days=-10)) is None


def test_the_offset_is_one_month_to_thirteen_into_the_past_and_always_the_same_for_a_case():
    offsets = [choose_offset(f"note {number}", ()) for number in range(300)]
    assert all(timedelta(days=-394) <= offset <= timedelta(days=-30) for offset in offsets)
    assert len(set(offsets)) > 100 and choose_offset("note 7", ()) == offsets[7]


def test_a_shifted_date_is_never_another_real_date_of_the_case():
    written = [date.fromordinal(737000 + day).isoformat() for day in range(700)]
    offset = choose_offset("note", written)
    assert not {shift_date(text, offset) for text in written} & set(written)
