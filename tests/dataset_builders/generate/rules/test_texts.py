"""The rules' words: phrasings, advice, versions and signatures."""

import random
import shutil

import pytest

from dataset_builders.generate.rules import texts
from dataset_builders.generate.rules.texts import TEMPLATES, load_advice, load_rules, sign
from dataset_builders.taxonomy import FINDINGS
from tests.support.chapter import make_chapter


def test_advice_covers_every_finding_in_both_languages():
    for languages in load_advice().values():
        for language in ("en", "zh"):
            assert set(languages[language]) - {"common"} == {"plain", "conservative", "surgical", "risk", "postoperative"}
            assert all(text.endswith((".", "。")) == (field == "common") for field, text in languages[language].items())


def test_advice_below_the_conus_does_not_speak_of_the_spinal_cord():
    advice = load_advice(below_conus=True)
    said = [
        text for name in advice if name != "cord_signal_change" for lang in ("en", "zh") for text in advice[name][lang].values()
    ]
    assert not [text for text in said if "spinal cord" in text or "脊髓" in text or "hand" in text.split()]
    assert "spinal cord" in load_advice()["neural_compression"]["en"]["plain"]


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """The templates in a folder that a test may write to."""
    folder = shutil.copytree(TEMPLATES, tmp_path / "templates")
    monkeypatch.setattr(texts, "TEMPLATES", folder)
    load_rules.cache_clear()
    yield folder
    load_rules.cache_clear()


def test_a_changed_phrasing_changes_the_signature_of_its_rule_alone(copied):
    before = dict(load_rules("text"))
    text = (copied / "text.yaml").read_text(encoding="utf-8")
    (copied / "text.yaml").write_text(text.replace("section_question:\n  version: ", "section_question:\n  version: 9"))
    load_rules.cache_clear()
    after = load_rules("text")
    assert [name for name in before if before[name].sha256 != after[name].sha256] == ["section_question"]
    ids = {sign(make_chapter(), rules["section_question"], ["x"]).generation_id for rules in (before, after)}
    assert len(ids) == 2


def test_advice_that_lacks_a_finding_is_an_error_that_names_it(copied, monkeypatch):
    monkeypatch.setattr(texts, "_ADVICE", copied / "advice.yaml")
    load_advice.cache_clear()
    monkeypatch.setattr(texts, "FINDINGS", {**FINDINGS, "new_finding": None})
    with pytest.raises(ValueError, match=r"advice.yaml: findings differ from taxonomy.FINDINGS: \['new_finding'\]"):
        load_advice()
    load_advice.cache_clear()


def test_an_unknown_part_is_an_error():
    with pytest.raises(KeyError):
        load_rules("text")["level_cloze"].say(random.Random(0), "en", "epilogue")
