"""What statements forbid: every rule against its own examples."""

import pytest

from dataset_builders.licences.restrictions import RESTRICTIONS, find_restrictions


@pytest.mark.parametrize("rule", RESTRICTIONS, ids=lambda rule: rule.id)
def test_a_restriction_matches_its_examples_and_nothing_else_that_it_names(rule):
    assert rule.must_match and rule.must_not_match
    assert [text for text in rule.must_match if not rule.pattern.search(text)] == []
    assert [text for text in rule.must_not_match if rule.pattern.search(text)] == []


def test_commercial_use_that_is_granted_beside_other_use_is_no_restriction():
    assert find_restrictions("for commercial and non-commercial use") == ()
    assert [rule.id for rule in find_restrictions("not for commercial and non-commercial use")] == ["commercial_use_denied"]
