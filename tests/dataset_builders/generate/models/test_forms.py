"""Forms of replies: what a strict server wants of a JSON Schema, and that what replies.py takes is what they ask for."""

import pytest

from dataset_builders.generate.models.forms import FIELDS, FORMS, SECTIONS_OF_DRAFT, draft_form, item_form, verdict_form
from dataset_builders.generate.models.replies import to_record
from dataset_builders.taxonomy import REPORT_SECTIONS
from tests.support.items import make_item
from tests.support.model_items import CHOICE, CONSULTATION, OPEN


def objects(schema):
    """Every object's form within a schema."""
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield schema
        for value in schema.values():
            yield from objects(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from objects(value)


def all_forms():
    item = make_item("q")
    drafts = {task: draft_form(task, "en", ("F1",)) for task in FIELDS}
    return (
        drafts | {"verdict": verdict_form(item, to_record(item), ["a"])} | {name: form for name, form in FORMS.items() if form}
    )


@pytest.mark.parametrize("name", all_forms())
def test_every_object_names_all_its_fields_as_required_and_takes_no_other(name):
    found = list(objects(all_forms()[name]))
    assert found
    for schema in found:
        assert schema["required"] == list(schema["properties"]) and schema["additionalProperties"] is False


@pytest.mark.parametrize("record", [CHOICE, OPEN, CONSULTATION], ids=lambda record: record["task"])
def test_the_records_that_the_reader_takes_have_the_fields_of_the_form(record):
    form = item_form(record["task"], record["language"], ("F1", "F2"), (), ())
    assert set(form["properties"]) == set(record)


def test_a_draft_of_a_report_has_both_halves_of_the_treatment_and_a_revision_the_sections_that_there_are():
    assert set(REPORT_SECTIONS) - set(SECTIONS_OF_DRAFT) == {"treatment"} and len(SECTIONS_OF_DRAFT) == 7
    form = item_form("report", "en", (), ("diagnosis",), ())
    assert form["properties"]["sections"]["required"] == ["diagnosis"]


def test_only_images_that_are_shown_may_be_named():
    figures = item_form("open_ended", "en", ("F1", "F2"), (), ())["properties"]["figures"]
    assert figures["items"] == {"enum": ["F1", "F2"]} and figures["maxItems"] == 2
    assert item_form("open_ended", "en", (), (), ())["properties"]["figures"]["maxItems"] == 0
