import pytest

from dataset_builders.deidentify import known_words
from dataset_builders.deidentify.known_words import (
    cut_chinese,
    is_common,
    is_family_name,
    is_family_or_word,
    is_given_name,
    is_given_or_word,
    is_known,
    is_lower_given_name,
    is_medical,
    is_misspelt,
    listed,
)
from dataset_builders.deidentify.rules import RuleError


@pytest.mark.parametrize("word", ["Laminectomy", "pfirrmann", "foraminotomies", "hyperlordotic", "pain"])
def test_medicine_is_known_by_list_or_by_how_it_is_formed(word):
    assert is_medical(word)


@pytest.mark.parametrize("word", ["Oskelund", "nation", "Tavish"])
def test_other_words_are_no_medicine(word):
    assert not is_medical(word)


def test_a_compound_is_known_if_its_parts_are():
    assert is_known("patient's") and is_known("follow-up") and not is_known("follow-Oskelund")


def test_names_that_are_words_count_only_if_they_are_asked_for_as_such():
    assert is_given_name("Naomi") and not is_given_name("Mark") and is_given_or_word("Mark")
    assert is_family_name("Nguyen") and not is_family_name("Park") and is_family_or_word("Park")
    assert is_lower_given_name("naomi") and not is_lower_given_name("mark")


def test_one_edit_mends_a_misspelt_word():
    assert is_misspelt("numbnes") and is_misspelt("weaknesss") and not is_misspelt("qzxvwkj")


def test_only_frequent_words_are_common():
    assert is_common("people") and not is_common("skiff")


def test_clinical_words_are_never_cut():
    assert ("黄韧带", "med") in cut_chinese("黄韧带肥厚")


def test_an_unknown_list_names_the_table():
    with pytest.raises(RuleError, match=r"known_words\.yaml: no list drugs; it has .*eponyms"):
        listed("drugs")


def test_every_list_is_asked_for():
    """A list that no code reads is dead."""
    code = "".join(path.read_text(encoding="utf-8") for path in known_words._FILE.parent.glob("*.py"))
    assert [name for name in known_words._data() if f'listed("{name}")' not in code] == []
