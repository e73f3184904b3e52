"""Creative Commons licences by name and address, in the spellings that pages and people give them."""

import pytest

from dataset_builders.licences import check_licence
from dataset_builders.licences.names import Named, names_in_addresses, names_in_text, order_elements


def test_elements_are_joined_as_addresses_do_and_the_stricter_wins():
    assert order_elements(["nd", "by", "nc"]) == "by-nc-nd"
    assert order_elements(["sa", "nd"]) == "by-nd"
    assert order_elements(["zero", "nc"]) == "by-nc"
    assert order_elements(["zero", "mark"]) == "mark"


@pytest.mark.parametrize(
    ("text", "elements"),
    [
        ("CC BY_NC 4.0", "by-nc"),
        ("CC BY/NC/ND", "by-nc-nd"),
        ("ccbyncnd", "by-nc-nd"),
        ("采用CC BY-SA协议", "by-sa"),
        ("CC NC-BY", "by-nc"),
        ("CC BY-N C-ND 4.0", ""),
    ],
)
def test_short_forms(text, elements):
    assert [name.elements for name in names_in_text(text)] == [elements]


def test_two_cc_by_needle_are_no_licence():
    assert names_in_text("Inject 2 cc by needle, 10cc by mouth.") == []


def test_an_address_that_is_not_understood_is_named_so():
    assert names_in_addresses("https://creativecommons.org/licenses/sampling+/1.0/") == [Named("")]
    assert names_in_addresses("https://creativecommons.org/licenses/") == []


@pytest.mark.parametrize(
    ("text", "spdx"),
    [
        ("Creative Commons Attri-\nbution-NonCom-\nmercial 4.0", "CC-BY-NC-4.0"),
        ("https://creativecommons.org/licenses/by-\nnc/4.0/", "CC-BY-NC-4.0"),
        ("https://creativecommons.org/licenses/by/\n4.0/", "CC-BY-4.0"),
        ("under the Creative Commons Attri\u00adbution License", "CC-BY"),
        ("Creative Commons Attri\u00ad\nbution-Non\u00ad\nCommercial 4.0", "CC-BY-NC-4.0"),
    ],
)
def test_a_name_broken_over_lines_is_put_together(text, spdx):
    assert check_licence(text).spdx == spdx
