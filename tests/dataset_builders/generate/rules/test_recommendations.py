"""What a named guideline advises."""

from dataclasses import replace

from dataset_builders.item import LETTERS, question_of
from tests.support.chapter import make_chapter
from tests.support.drafts import by_rule, draft_and_check, right

CARE = (
    "# CLINICAL PRACTICE GUIDELINE FOR THE DIAGNOSIS AND\n\n# TREATMENT OF LOW BACK PAIN\n\nVersion 3.0 – 2022\n\n## Care\n\n"
    "For patients with low back pain, we suggest nonsteroidal anti-inflammatory drugs.q\n\n"
    "For patients with low back pain, there is insufficient evidence to recommend for or against topical preparations. "
    "For patients with low back pain, we recommend against benzodiazepines. "
    "For patients with low back pain, there is insufficient evidence to recommend for or against tricyclic antidepressants. "
    "For patients with acute low back pain, there is insufficient evidence to recommend for or against acupuncture. "
    "For patients with chronic low back pain, we suggest acupuncture. "
    "For patients with low back pain, we recommend the history include evaluation for red flags."
)


def make_guideline(text=CARE, title="CLINICAL PRACTICE GUIDELINE FOR THE DIAGNOSIS AND"):
    document = make_chapter(text, "guideline")
    return replace(document, provenance=replace(document.provenance, source_title=title))


def test_what_a_guideline_advises_is_asked_with_its_name_and_year():
    items = by_rule(draft_and_check(make_guideline()), "recommendation")
    assert [right(item) for item in items] == ["nonsteroidal anti-inflammatory drugs", "benzodiazepines", "acupuncture"]
    for item in items:
        assert "Clinical Practice Guideline for the Diagnosis and Treatment of Low Back Pain (2022)" in question_of(item)
        assert item.axis is None and len(item.options) == 4


def test_wrong_options_are_what_the_guideline_says_otherwise_of_the_same_patients():
    (drugs, against, chronic) = by_rule(draft_and_check(make_guideline()), "recommendation")
    assert set(drugs.options) - {right(drugs)} == {"topical preparations", "benzodiazepines", "tricyclic antidepressants"}
    assert "acupuncture" not in drugs.options + against.options  # for and neither: it depends on the patients
    for item in (drugs, against, chronic):
        assert all(any(option in quote for quote in item.quotes) for option in item.options)
        assert item.answer in LETTERS


def test_a_guideline_without_name_or_year_is_not_asked():
    unnamed = CARE.replace("# TREATMENT OF LOW BACK PAIN\n\n", "")
    undated = CARE.replace("Version 3.0 – 2022", "")
    assert not by_rule(draft_and_check(make_guideline(unnamed)), "recommendation")
    assert not by_rule(draft_and_check(make_guideline(undated)), "recommendation")
