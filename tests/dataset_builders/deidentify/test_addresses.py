import pytest

from dataset_builders.deidentify import deidentify_text
from dataset_builders.deidentify.addresses import find_addresses


def found(text):
    """Addresses if "pain" and "level" are medicine and words that begin with "Sk" are in no vocabulary."""
    spans = find_addresses(text, lambda word: word.lower() in ("pain", "level"), lambda word: word.startswith("Sk"))
    return [text[span.start : span.end] for span in spans]


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("at 14 Skovbakken", ["14 Skovbakken"]),
        ("Suite 501, Skive 62488, pain", ["Suite 501, Skive 62488"]),
        ("the corner of 7 Skovbakken", ["the corner of 7 Skovbakken"]),
        ("pain 14 level 5", []),
        ("14 days Skovbakken", []),
        ("45 mm Skovbakken", []),
    ],
)
def test_a_number_beside_an_unknown_or_unit_word_makes_an_address(text, addresses):
    assert found(text) == addresses


def test_addresses_of_any_country_are_masked_whole():
    text = "He moved.\n20789 Skovbakken 46\n Suite 501\n Riisa\n\n Estonia 62488\nPain at L4."
    clean = deidentify_text(text).text
    assert "62488" not in clean and "Skovbakken" not in clean and "501" not in clean
    assert clean.endswith("Pain at L4.")
