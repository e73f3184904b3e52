"""Check every draft, by rules or models alike: it is tidied, held to the criteria and signed, or it leaves by a criterion.

What is demanded stands in criteria/. A model's revision (models/revise.py) is held to the same criteria.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import replace

from dataset_builders.document import Reject
from dataset_builders.figures.captions import find_references
from dataset_builders.generate.criteria import CHECKS, load_criteria
from dataset_builders.generate.criteria.parts import is_as_written
from dataset_builders.generate.items import RULES_VERSION
from dataset_builders.generate.rules.passages import CITATION
from dataset_builders.item import Item

_THIS_FIGURE = {"en": ("The figure", "the figure"), "zh": ("该图", "该图")}


def check_item(item: Item, image_of: Callable[[str], bytes] | None = None) -> Item | Reject:
    """Tidy an item, hold it to every criterion that code checks, and sign it (``revise_model``, ``checks``).

    image_of   gives an image's encoded bytes by SHA-256; raises FileNotFoundError. None: images are not looked up.

    Returns a Reject "revise_<criterion>" for the first that fails.
    """
    item = tidy_item(item)
    criteria = [criterion for criterion in load_criteria() if criterion.checked_by == "code"]
    for criterion in criteria:
        if problem := CHECKS[criterion.check](item, image_of):
            return Reject(item.provenance.source_id, f"revise_{criterion.id}", problem, item.id)
    reviser = item.generation.revise_model or RULES_VERSION
    checks = (*item.generation.checks, *(f"{criterion.id}@{criterion.version}" for criterion in criteria))
    return replace(item, generation=replace(item.generation, revise_model=reviser, checks=checks))


def tidy_item(item: Item) -> Item:
    """Take out literature citations ("[12]") and uneven white space, and call the item's own figure "the figure".

    An examiner's own words stay as they are.
    """
    if is_as_written(item):
        return item
    return replace(
        item,
        messages=tuple(replace(message, text=_tidy_text(message.text, item)) for message in item.messages),
        options=tuple(_tidy_text(option, item) for option in item.options),
        answer=item.answer if item.options or item.answer is None else _tidy_text(item.answer, item),
    )


def _tidy_text(text: str, item: Item) -> str:
    text = CITATION.sub("", unicodedata.normalize("NFC", text))
    if item.figure and item.images:
        begin, inside = _THIS_FIGURE[item.language]
        for reference in reversed(find_references(text)):
            if reference.labels == (item.figure,):
                opens = re.search(r"(?:^|[.!?]\s)\Z", text[: reference.start])
                text = text[: reference.start] + (begin if opens else inside) + text[reference.end :]
    text = re.sub(r"[ \t]+", " ", text)
    return re.sub(r" +(?=\n)|\n{3,}", lambda match: "\n\n" if "\n" in match.group() else "", text).strip()
