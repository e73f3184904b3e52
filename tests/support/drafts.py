"""What the tests of rules ask of drafted items."""

from collections.abc import Iterable

from dataset_builders.document import Document, Reject
from dataset_builders.generate.checks import check_item
from dataset_builders.generate.rules import draft
from dataset_builders.item import LETTERS, Item


def draft_and_check(document: Document) -> list[Item]:
    """Every item of a document; all must meet the criteria; what a rule does not write is left out."""
    results = [check_item(item) for item in draft(document) if isinstance(item, Item)]
    assert all(isinstance(result, Item) for result in results), results
    return results


def by_rule(items: Iterable[Item | Reject], rule: str) -> list[Item]:
    """The items that ``rule`` drafted; what it rejected is left out."""
    return [i for i in items if isinstance(i, Item) and i.generation.prompt_id.startswith(f"rules/{rule}@")]


def right(item: Item) -> str:
    """The right option's text."""
    return item.options[LETTERS.index(item.answer)]
