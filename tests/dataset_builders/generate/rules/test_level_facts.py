"""Facts about levels in both languages."""

import pytest
import yaml

from dataset_builders.generate.rules.level_facts import find_fact
from dataset_builders.generate.rules.texts import TEMPLATES
from dataset_builders.item import question_of
from tests.support.chapter import make_chapter
from tests.support.drafts import by_rule, draft_and_check, right


@pytest.mark.parametrize(
    ("sentence", "fact"),
    [
        ("The spinal cord of most adults ends at the lower border of L1.", ("cord_end", "L1")),
        ("成人脊髓圆锥多终止于L1下缘水平。", ("cord_end", "L1")),
        ("Degenerative spondylolisthesis is most common at L4/L5.", ("degenerative_slip", "L4/L5")),
        ("峡部裂性滑脱多见于L5/S1。", ("isthmic_slip", "L5/S1")),
        ("The seventh cervical vertebra (C7) is called the vertebra prominens.", ("vertebra_prominens", "C7")),
        ("The cord ends at L1 or L2 in adults.", None),
        ("The cord ends between L1 and L2.", None),
        ("A cord that is low ends in trouble; the L4 body is large.", None),
        ("Degenerative spondylolisthesis hurts at L4/L5.", None),
    ],
)
def test_a_fact_is_found_with_its_one_level(sentence, fact):
    assert find_fact(sentence) == fact


def test_a_sentence_gives_an_item_a_language_that_quotes_it():
    sentence = "The spinal cord of most adults ends at the lower border of L1."
    items = by_rule(draft_and_check(make_chapter(f"## Cord\n\n{sentence} Below it lies the cauda equina.")), "level_fact")
    assert [item.language for item in items] == ["en", "zh"]
    assert all(right(item) == "L1" and sentence in item.quotes and item.levels == ("L1",) for item in items)
    assert "成人脊髓" in question_of(items[1])
    assert not any("L2" in item.options for item in items)  # books differ by one level


def test_every_fact_is_whole_in_both_languages():
    for name, entry in yaml.safe_load((TEMPLATES / "level_facts.yaml").read_text(encoding="utf-8")).items():
        assert set(entry) == {"adjacent", "said", "question", "statement"}, name
        assert all("{level}" in entry["statement"][language] and entry["question"][language] for language in ("en", "zh")), name
        assert all(pattern.count("@]") + 1 <= pattern.count("@") for said in entry["said"].values() for pattern in said), name
