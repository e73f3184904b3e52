import dataclasses

import pytest

from dataset_builders.document import Document, Figure, Provenance, Reject
from dataset_builders.engine.shards import write_records
from dataset_builders.item import Message, Review, Revision, Verdict
from dataset_builders.pipeline import step_folder
from dataset_builders.schema import TASKS
from dataset_builders.trace import trace
from tests.support.items import make_item
from tests.support.published import read_rows


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_trace_prints_the_lineage_of_any_row(few_built, task):
    columns = ["id", "task", "source_id", "source_locator"]
    row = next(row for row in read_rows(few_built.output / "spinemed-450k", columns) if row["task"] == task)
    text = trace(row["id"], few_built.work)
    for wanted in (
        row["id"],
        row["source_id"],
        row["source_locator"],
        "sha256",
        "licence",
        "rules/",
        "checks",
        "spinemed-450k",
    ):
        assert wanted in text
    assert (few_built.sources / text.split("file      ")[1].splitlines()[0]).is_file()


@pytest.mark.slow
def test_trace_of_a_figure_question_shows_caption_and_context(few_built):
    columns = ["id", "source_kind", "modality"]
    row = next(
        row
        for row in read_rows(few_built.output / "spinemed-450k", columns)
        if row["source_kind"] == "textbook" and row["modality"] == "image_text"
    )
    text = trace(row["id"], few_built.work)
    assert "caption" in text and "context 1" in text and "page" in text


FIGURE = Figure("Figure 2", "Sagittal CT of L1.", ("See Figure 2.",), 4, "a" * 64, "page 4", "ct", ("L1",), (), (), 0.8125)


@pytest.fixture
def work(tmp_path):
    """Write the records of a build, a step a keyword; the work folder."""
    document = Document(
        Provenance("textbook", "book", "MIT", "page 4", "0" * 64), "en", figures=(FIGURE,), file="textbooks/b.pdf"
    )

    def write(**steps):
        steps = {"documents": [document], "classified": [document], **steps}
        for name, records in steps.items():
            write_records(
                (record if isinstance(record, dict) else record.to_dict() for record in records), step_folder(tmp_path, name)
            )
        return tmp_path

    return write


def lines_of(text, part):
    """The lines of one part, without their indentation."""
    lines = text.splitlines()
    start = lines.index(part) + 1
    end = next((n for n in range(start, len(lines)) if not lines[n].startswith(" ")), len(lines))
    return [line.strip() for line in lines[start:end]]


def reject(work, step, identifier, reason, detail=""):
    """Keep a reject of the step."""
    write_records([Reject("book", reason, detail, identifier).to_dict()], step_folder(work, step) / "rejects")


def test_each_part_of_an_items_life_has_its_lines(work):
    drafted = make_item("m", images=["a" * 64], levels=("L1",), answer="B")
    generation = dataclasses.replace(drafted.generation, checks=("levels", "answer"))
    review = Review("accepted", "spine surgeons", "good", "2025-01-02")
    revised = dataclasses.replace(drafted, generation=generation)
    item = dataclasses.replace(revised, review=review)
    split = {**item.to_dict(), "split": "benchmark"}
    text = trace("m", work(drafts=[drafted], revised=[revised], reviewed=[item], split=[split]))
    assert text.splitlines()[0] == "m"
    assert lines_of(text, "source")[:3] == ["file      textbooks/b.pdf", "where     page 1", "id        book"]
    assert "doi       –" in lines_of(text, "source")
    assert lines_of(text, "figure Figure 2") == [
        "where     page 4",
        f"image   {'a' * 64} (ct)",
        "levels    L1",
        "caption   Sagittal CT of L1.",
        "agreement 0.81 (caption with context)",
    ]
    assert lines_of(text, "context 1") == ["A passage about m that nobody else has."]
    assert lines_of(text, "draft")[0] == f"by        rules/1, prompt rules/test@1 ({'f' * 12})"
    assert "user      Which level is meant in m? [1 images]" in lines_of(text, "draft")
    assert "answer    B" in lines_of(text, "draft")
    assert lines_of(text, "revision") == ["by        rules/1", "checks    levels, answer", "words     unchanged"]
    assert lines_of(text, "review") == ["status    accepted", "by        group spine surgeons, 2025-01-02: good"]
    assert lines_of(text, "published") == ["in        spinebench"]


def test_words_that_the_revision_changed_are_shown_again(work):
    drafted = make_item("m")
    messages = (dataclasses.replace(drafted.messages[0], text="Which level is it?"), drafted.messages[1])
    text = trace("m", work(drafts=[drafted], revised=[dataclasses.replace(drafted, messages=messages)]))
    assert "user      Which level is it?" in lines_of(text, "revision") and "words     unchanged" not in text
    assert lines_of(text, "published") == ["no        the build has not come that far"]


def test_an_item_that_left_says_where_and_why(work):
    folder = work(drafts=[make_item("m"), make_item("n")])
    reject(folder, "revised", "m", "no_level", "names none")
    text = trace("m", folder)
    assert lines_of(text, "revision") == ["rejected  see below"]
    assert lines_of(text, "published") == ["no        left out at revised: no_level names none"]


def test_an_item_whose_document_is_gone_is_still_told_of(work):
    text = trace("m", work(drafts=[make_item("m", source="other")]))
    assert lines_of(text, "source")[0] == "file      (not in this work folder)" and "figure" not in text


def test_an_id_that_is_part_of_another_is_not_taken_for_it(work):
    text = trace("m1", work(drafts=[make_item("m10"), make_item("m1", context=('He said "m10".',))]))
    assert text.splitlines()[0] == "m1" and "Which level is meant in m1?" in text


def test_trace_of_an_unknown_row_says_where_it_looked(work):
    folder = work(drafts=[make_item("m")])
    with pytest.raises(KeyError, match=f"no-such-row: not in the build in {folder}; is --work"):
        trace("no-such-row", folder)


def test_the_trace_shows_a_reviser_s_verdicts_its_reasoning_and_what_it_changed(work):
    drafted = make_item("q1")
    verdicts = (
        Verdict("red_flags_kept", True, ""),
        Verdict("image_suffices", None, ""),
        Verdict("doubt_kept", False, "It is sure."),
    )
    said = ("correct", "doubt put back", "First.\nThen.", verdicts)
    revision = Revision("revise_multiple_choice_en@1", "e" * 64, "c" * 64, *said)
    messages = (drafted.messages[0], Message("assistant", "B. L4\n\nPerhaps."))
    generation = dataclasses.replace(drafted.generation, revise_model="reviser-1", revision=revision)
    revised = dataclasses.replace(drafted, messages=messages, generation=generation)
    text = trace("q1", work(drafts=[drafted], revised=[revised]))
    for line in (
        "  prompt    revise_multiple_choice_en@1 (eeeeeeeeeeee)",
        "  verdict   correct: doubt put back",
        "    red_flags_kept               met",
        "    image_suffices               does not apply",
        "    doubt_kept                   not met: It is sure.",
        "    Then.",
        "    + assistant: Perhaps.",
    ):
        assert line in text.splitlines(), line
    assert "    - " not in text and "unchanged" not in text
