"""A small SpineMed of items in our own words, and how a user loads it."""

from datasets import load_dataset

from dataset_builders.item import Message
from dataset_builders.publish.spinemed_450k import build_spinemed
from tests.support.items import make_item

FACTS = {
    "steps": [{"step": "documents", "version": 1, "records_in": 3, "records_out": 2, "dropped": {"no_reader": 1}}],
}


def training_items(image):
    report = make_item(
        "r", source="case", task="report", language="zh", options=(), answer="报告", levels=("L4", "L5"), discs=("L4/L5",)
    )
    consultation = make_item(
        "c",
        source="doc",
        task="consultation",
        specialty="orthopaedics",
        images=[image],
        options=(),
        answer=None,
        messages=(
            Message("user", "See this.", (image,)),
            Message("assistant", "I do."),
            Message("user", "And now?", (image,)),
            Message("assistant", "Rest."),
        ),
    )
    return [make_item("m"), report, consultation, make_item("g", source="row", specialty="general", task="open_ended")]


def build(tmp_path, store, image):
    items = training_items(image)
    return build_spinemed(lambda: iter(items), store, tmp_path / "spinemed-450k", FACTS)


def load(monkeypatch, tmp_path, *arguments, **options):
    monkeypatch.chdir(tmp_path)
    return load_dataset(*arguments, cache_dir=str(tmp_path / "cache"), **options)
