"""From clean documents to revised instructions: classified, drafted and revised by embedded rules, or by models.

generator = load_generator("rules")              # or the path of a models.yaml
*rejects, document = generator.classify(document, image_of)
for item in generator.draft(document, image_of): # Item or Reject
    revised = generator.revise(item, image_of)   # Item or Reject
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dataset_builders.document import Document, Reject
from dataset_builders.item import Item

ImageOf = Callable[[str], bytes]
"""A picture's encoded bytes by SHA-256; raises FileNotFoundError (store.ImageStore.get)."""


class Generator(Protocol):
    """What the pipeline asks of a generator. Implementations pickle: they travel to worker processes."""

    @property
    def name(self) -> str:
        """What the build's manifest records: changes whenever the same document might give other items."""

    @property
    def labels(self) -> str:
        """The same for ``classify``."""

    @property
    def code(self) -> Mapping[str, tuple[str, ...]]:
        """Step of the build -> the modules that its stage runs, below dataset_builders (engine.steps.Step)."""

    def classify(self, document: Document, image_of: ImageOf) -> Iterator[Document | Reject]:
        """The document with sub-field, levels and image kinds, after Rejects of images that leave and of unusable answers."""

    def draft(self, document: Document, image_of: ImageOf) -> Iterator[Item | Reject]:
        """The first drafts of a document's items, and what could not be drafted."""

    def revise(self, item: Item, image_of: ImageOf) -> Item | Reject:
        """The item checked and signed, or why it leaves (reason "revise_<check>")."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The embedded generator: no model, no network, the same items every time."""

    @property
    def name(self) -> str:
        from dataset_builders.generate.items import rules_version

        return rules_version()

    @property
    def labels(self) -> str:
        from dataset_builders.classify import classifier_version

        return classifier_version()

    @property
    def code(self) -> Mapping[str, tuple[str, ...]]:
        return {"classified": ("classify",), "drafts": ("generate.rules",), "revised": ("generate.checks",)}

    def classify(self, document: Document, image_of: ImageOf) -> Iterator[Document | Reject]:
        from dataset_builders.classify import classify_document, relevant_figures

        kept, rejects = relevant_figures(classify_document(document, image_of))
        yield from rejects
        yield kept

    def draft(self, document: Document, image_of: ImageOf) -> Iterator[Item | Reject]:  # noqa: ARG002 (pictures are named only)
        from dataset_builders.generate.rules import draft

        yield from draft(document)

    def revise(self, item: Item, image_of: ImageOf) -> Item | Reject:
        from dataset_builders.generate.checks import revise_by_rules

        return revise_by_rules(item, image_of)


def load_generator(spec: str) -> Generator:
    """ "rules", or the path of a models.yaml (see models.example.yaml).

    Raises ValueError for anything else, and for a configuration that does not say what it must.
    """
    if spec == "rules":
        return Rules()
    path = Path(spec)
    if path.suffix in (".yaml", ".yml"):
        from dataset_builders.generate.models import load_models

        return load_models(path)
    raise ValueError(f"generator {spec!r} is neither 'rules' nor a .yaml file of models (see models.example.yaml)")
