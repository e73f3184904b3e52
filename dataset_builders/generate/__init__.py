"""From clean documents to revised instructions: classified, drafted and revised by embedded rules, or by models.

    generator = load_generator("rules")              # or the path of a models.yaml
    *rejects, document = generator.classify(document, image_of)
    for item in generator.draft(document, image_of): # Item or Reject
        revised = generator.revise(item, image_of)   # Item or Reject

Who writes stands in rules/ and models/, what an item is put together from in items.py, what checks in checks.py.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from dataset_builders.classify import classify_document, relevant_figures
from dataset_builders.document import Document, Reject
from dataset_builders.generate.checks import check_item
from dataset_builders.generate.rules import draft
from dataset_builders.item import Item

ImageOf = Callable[[str], bytes]
"""Gives an image's encoded bytes by SHA-256; raises FileNotFoundError (store.ImageStore.get)."""


class Generator(Protocol):
    """What the pipeline asks of a generator. Implementations pickle: they travel to worker processes."""

    @property
    def code(self) -> Mapping[str, tuple[str, ...]]:
        """Return step of the build -> the modules that its stage runs, below dataset_builders (engine.steps.Step)."""

    @property
    def settings(self) -> Mapping[str, dict[str, Any]]:
        """Return step of the build -> what its stage depends on besides code: the models it asks."""

    @property
    def at_once(self) -> Mapping[str, int]:
        """Return step of the build -> records to have under way at once (engine.steps.Step)."""

    def classify(self, document: Document, image_of: ImageOf) -> Iterator[Document | Reject]:
        """Yield Rejects of images that leave and of unusable answers, then the document with sub-field, levels and kinds."""

    def draft(self, document: Document, image_of: ImageOf) -> Iterator[Item | Reject]:
        """Yield the first drafts of a document's items, and what could not be drafted."""

    def revise(self, item: Item, image_of: ImageOf) -> Item | Reject:
        """Return the item checked and signed, or why it leaves (reason "revise_<check>")."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The embedded generator: no model, no network, the same items every time."""

    @property
    def code(self) -> Mapping[str, tuple[str, ...]]:
        return {"classified": ("classify",), "drafts": ("generate.rules",), "revised": ("generate.checks",)}

    @property
    def settings(self) -> Mapping[str, dict[str, Any]]:
        return {step: {} for step in self.code}

    @property
    def at_once(self) -> Mapping[str, int]:
        return dict.fromkeys(self.code, 1)

    def classify(self, document: Document, image_of: ImageOf) -> Iterator[Document | Reject]:
        kept, rejects = relevant_figures(classify_document(document, image_of))
        yield from rejects
        yield kept

    def draft(self, document: Document, image_of: ImageOf) -> Iterator[Item | Reject]:  # noqa: ARG002 (images are named only)
        yield from draft(document)

    def revise(self, item: Item, image_of: ImageOf) -> Item | Reject:
        return check_item(item, image_of)


def load_generator(spec: str, max_calls: int | None = None, max_cost: float | None = None) -> Generator:
    """Load the generator that ``spec`` names: "rules", or the path of a models.yaml (see models.example.yaml).

    max_calls, max_cost   requests and US dollars that this run may spend on models; None: no limit.

    Raises ValueError for anything else, and for a configuration that does not say what it must.
    """
    if spec == "rules":
        if max_calls is not None or max_cost is not None:
            raise ValueError("--max-calls and --max-cost limit models: give --generator a models.yaml, or leave them out")
        return Rules()
    path = Path(spec)
    if path.suffix in (".yaml", ".yml"):
        # Only builds with models pay for the chat client: importing it takes about a second in every worker.
        from dataset_builders.generate.models import load_models, make_budget

        return load_models(path, make_budget(max_calls, max_cost))
    raise ValueError(f"generator {spec!r} is neither 'rules' nor a .yaml file of models (see models.example.yaml)")
