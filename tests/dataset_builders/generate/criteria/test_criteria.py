"""The criteria as files: what they must say, and what is said of one that cannot be used."""

import pytest
import yaml

from dataset_builders.generate.criteria import (
    CHECKS,
    CriteriaError,
    load_criteria,
    read_criteria,
    reviser_criteria,
)

ENTRY = {
    "id": "one", "version": 1, "checked_by": "code", "check": "no_masks", "reason": "identifier",
    "en": "No mask.", "zh": "不得有占位符。",
}  # fmt: skip


def test_every_check_belongs_to_one_criterion_and_the_reviser_has_criteria_in_both_languages():
    checks = [criterion.check for criterion in load_criteria() if criterion.check]
    assert sorted(checks) == sorted(CHECKS)
    assert all(criterion.checked_by == "reviser" and not criterion.check for criterion in reviser_criteria())
    assert {"single_best_answer", "red_flags_first", "level_can_be_counted"} <= {c.id for c in reviser_criteria()}
    assert all(set(criterion.demand) == {"en", "zh"} for criterion in load_criteria())


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ([{**ENTRY, "colour": "red"}], "unknown field colour"),
        ([ENTRY, ENTRY], "id 'one' stands twice"),
        ([{**ENTRY, "check": "no_such"}], "unknown check 'no_such'"),
        ([{key: value for key, value in ENTRY.items() if key != "zh"}], "field zh is missing"),
        ([{**ENTRY, "checked_by": "nobody"}], "unknown field check"),
        ([{**ENTRY, "reason": "taste"}], "reason 'taste' is unknown"),
        ([{**ENTRY, "version": 0}], "version 0"),
        ([{**ENTRY, "en": " "}], "field en is no text"),
        ({"one": 1}, "no list of criteria"),
        (["one"], "no mapping"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_entry_and_remedy(tmp_path, entries, said):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(entries, allow_unicode=True), encoding="utf-8")
    with pytest.raises(CriteriaError, match=said) as error:
        read_criteria([path])
    assert "mine.yaml" in str(error.value)
