"""Define the records of the build's second half: one instruction, from draft to published row."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from dataset_builders.document import Provenance
from dataset_builders.taxonomy import LETTERS


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation. ``images`` are SHA-256s, shown before the text."""

    role: str
    text: str
    images: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Criterion:
    """One line of a report's rubric: a scored dimension (taxonomy.SCORED_DIMENSIONS) and what a full score needs."""

    dimension: str
    criterion: str


@dataclass(frozen=True, slots=True)
class Quote:
    """A span of the source that an item rests on: ``Item.context[paragraph][start:end]``, offsets in characters."""

    paragraph: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a reviser found on one criterion (generate/criteria). ``met`` is None if it does not apply to the item."""

    criterion: str
    met: bool | None
    why: str


@dataclass(frozen=True, slots=True)
class Revision:
    """How a model revised an item: the prompt, the key of the call's row, "accept" or "correct", and why.

    reasoning   its chain of reasoning from the source to the answer, before its verdicts.
    """

    prompt_id: str
    prompt_sha256: str
    generation_id: str
    decision: str
    reason: str
    reasoning: str
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True, slots=True)
class Generation:
    """Who wrote an item. The embedded rules sign as "rules/<version>"; a model signs with its served name.

    prompt_id      versioned prompt file or rule ("draft_multiple_choice@1", "rules/level_of_finding@1").
    generation_id  key of the model call's row (chat_client), or a hash of rule and inputs.
    checks         names of the revision checks passed, in order.
    revision       how a model revised it; None if none did.
    """

    draft_model: str
    prompt_id: str
    prompt_sha256: str
    generation_id: str
    revise_model: str | None = None
    checks: tuple[str, ...] = ()
    revision: Revision | None = None

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        revision = record.get("revision")
        if revision is not None:
            verdicts = tuple(Verdict(**verdict) for verdict in revision["verdicts"])
            revision = Revision(**{**revision, "verdicts": verdicts})
        return cls(**{**record, "checks": tuple(record["checks"]), "revision": revision})


@dataclass(frozen=True, slots=True)
class Review:
    """A clinician's verdict; status "unreviewed" until one is imported."""

    review_status: str = "unreviewed"
    review_group: str | None = None
    review_verdict: str | None = None
    reviewed_at: str | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One instruction, from draft to published row.

    messages       alternating user and assistant turns, user first; image-text items show their images in a user turn.
    options, answer   as in Exchange for multiple_choice; for report ``answer`` is the reference report; otherwise () and None.
    rubric         what a good report must hold; () for other tasks.
    figure, context   label and paragraphs from which the item was made.
    evidence       spans of ``context`` that carry what the item says.
    """

    id: str
    task: str
    language: str
    modality: str
    messages: tuple[Message, ...]
    provenance: Provenance
    generation: Generation
    options: tuple[str, ...] = ()
    answer: str | None = None
    rubric: tuple[Criterion, ...] = ()
    axis: str | None = None
    levels: tuple[str, ...] = ()
    discs: tuple[str, ...] = ()
    specialty: str | None = None
    subfield: str | None = None
    subfield_score: float | None = None
    image_modality: str | None = None
    agreement: float | None = None
    figure: str = ""
    context: tuple[str, ...] = ()
    evidence: tuple[Quote, ...] = ()
    review: Review = Review()

    @property
    def images(self) -> tuple[str, ...]:
        """Return the SHA-256 of every image, in the order shown."""
        return tuple(image for message in self.messages for image in message.images)

    @property
    def quotes(self) -> tuple[str, ...]:
        """Return the words of each span of ``evidence``."""
        return tuple(self.context[quote.paragraph][quote.start : quote.end] for quote in self.evidence)

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        values = dict(record)
        values["messages"] = tuple(Message(**{**m, "images": tuple(m["images"])}) for m in values["messages"])
        values["provenance"] = Provenance(**values["provenance"])
        values["generation"] = Generation.from_dict(values["generation"])
        values["rubric"] = tuple(Criterion(**criterion) for criterion in values["rubric"])
        values["evidence"] = tuple(Quote(**quote) for quote in values["evidence"])
        values["review"] = Review(**values["review"])
        for name in ("options", "levels", "discs", "context"):
            values[name] = tuple(values[name])
        return cls(**values)


def format_options(options: Sequence[str]) -> str:
    """Join options as the lines of a user turn: "A. …"."""
    return "\n".join(f"{letter}. {option}" for letter, option in zip(LETTERS, options))


def question_of(item: Item) -> str:
    """Return the first user turn without its option lines: the `question` column of SpineBench."""
    return item.messages[0].text.removesuffix(format_options(item.options)).rstrip() if item.options else item.messages[0].text
