"""Items for tests: one builder, so that a test names only what it is about."""

import dataclasses

from dataset_builders.document import Provenance
from dataset_builders.item import Generation, Item, Message


def make_item(
    name: str, *, source: str = "book", kind: str = "textbook", case: str | None = None, images=(), **changes
) -> Item:
    """A multiple-choice item named ``name`` from document ``source``."""
    item = Item(
        id=name,
        task="multiple_choice",
        language="en",
        modality="image_text" if images else "text",
        messages=(
            Message("user", f"Which level is meant in {name}?\nA. L3\nB. L4", tuple(images)),
            Message("assistant", "B. L4"),
        ),
        provenance=Provenance(kind, source, "CC-BY-4.0", "page 1", "0" * 64, case_id=case),
        generation=Generation("rules/1", "rules/test@1", "f" * 64, "g", "rules/1"),
        options=("L3", "L4"),
        answer="B",
        specialty="spine",
        context=(f"A passage about {name} that nobody else has.",),
    )
    return dataclasses.replace(item, **changes)
