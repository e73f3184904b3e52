"""Prompt files: every pair of class and task in both languages, and errors that name file and field."""

import pytest

from dataset_builders.generate.models.draft import TASKS
from dataset_builders.generate.models.prompts import PROMPTS, PromptError, Prompts, check_pairs, load_prompts
from dataset_builders.schema import LANGUAGES

GOOD = """---
id: draft_hospital_report_en
version: 3
stage: draft
source_class: hospital
task: report
language: en
schema: report
---
Write $most. $shared
"""


@pytest.fixture
def read(tmp_path):
    def read(text: str, name: str = "draft_hospital_report_en.md"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        (tmp_path / "shared.en.md").write_text("Cost: none.", encoding="utf-8")
        return load_prompts.__wrapped__(tmp_path)

    return read


def test_a_prompt_says_what_it_is_for_and_is_filled_in(read):
    prompt = read(GOOD).find("draft", "hospital", "report", "en")
    assert prompt.id == "draft_hospital_report_en@3" and prompt.fill(most=2) == "Write 2. Cost: none."


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("schema: report\n", "schema: report\nmood: good\n", "unknown field mood; fields are id, version"),
        ("language: en\n", "", "field language is missing"),
        ("language: en", "language: de", "language 'de' is unknown; choose one of en, zh"),
        ("language: en", "language: null", "language None is unknown"),
        ("task: report", "task: poem", "task 'poem' is unknown"),
        ("source_class: hospital", "source_class: ward", "source_class 'ward' is unknown"),
        ("stage: draft", "stage: sketch", "stage 'sketch' is unknown"),
        ("schema: report", "schema: poem", "schema 'poem' is unknown"),
        ("version: 3", "version: three", "version 'three' is no whole number"),
        ("id: draft_hospital_report_en", "id: other", "id 'other' is not the file's name"),
        ("$most", "$mots", r"\$mots is not filled in at stage draft"),
        ("$most", "5 $ each", "a lone"),
        ("---\nid", "id", "does not begin with front matter"),
        ("version: 3", "version: [", "its front matter is no YAML"),
    ],
)
def test_a_wrong_prompt_file_is_named_with_what_is_wrong(read, old, new, complaint):
    assert old in GOOD
    with pytest.raises(PromptError, match=complaint) as caught:
        read(GOOD.replace(old, new))
    assert "draft_hospital_report_en.md" in str(caught.value)


def test_two_prompts_for_the_same_thing_are_refused(read):
    read(GOOD)
    with pytest.raises(PromptError, match=r"draft_hospital_report_en\.md is for the same stage"):
        read(GOOD.replace("report_en", "report_two"), "draft_hospital_report_two.md")


def test_the_words_of_the_shared_text_are_part_of_a_prompt_s_hash(read, tmp_path):
    before = read(GOOD).named("draft_hospital_report_en")
    (tmp_path / "shared.en.md").write_text("Cost: some.", encoding="utf-8")
    after = load_prompts.__wrapped__(tmp_path).named("draft_hospital_report_en")
    assert before.sha256 != after.sha256


def test_every_class_and_task_has_a_prompt_in_each_language_and_a_missing_one_is_named():
    prompts = load_prompts()
    check_pairs(prompts, TASKS)
    for name, prompt in prompts.by_name.items():
        if prompt.task:
            kept = {other: value for other, value in prompts.by_name.items() if other != name}
            with pytest.raises(
                PromptError, match=f"no prompt for {prompt.stage}.*task {prompt.task}, language {prompt.language}"
            ):
                check_pairs(Prompts(kept), TASKS)


def test_prompts_are_written_in_the_language_of_their_items():
    for prompt in load_prompts().by_name.values():
        chinese = sum("\u4e00" <= letter <= "\u9fff" for letter in prompt.text)
        assert (chinese > 300) == (prompt.language == "zh"), prompt.name
    assert {path.name for path in PROMPTS.glob("shared.*")} == {f"shared.{language}.md" for language in LANGUAGES}
