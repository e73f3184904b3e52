"""Put an Item together: the same few lines for every rule and every model.

draft = Draft("open_ended", "en", (Message("user", "What is it?"), Message("assistant", "A disc.")))
item = new_item(document, generation, draft, Origin(figure=figure))
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from dataset_builders.document import Document, Figure, Provenance
from dataset_builders.item import LETTERS, Criterion, Generation, Item, Message, Quote, format_options
from dataset_builders.levels import parse_levels, sort_discs, sort_levels, vertebrae_of_disc

RULES_VERSION = "rules/2"
"""How the embedded rules sign what they drafted and what they checked."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A multiple-choice question as written.

    options     texts without letters, in the order shown.
    answer      the right letter, or letters in alphabetical order.
    rationale   why; shown after the right option.
    images      SHA-256s of the images shown with the stem.
    """

    stem: str
    options: Sequence[str]
    answer: str
    rationale: str = ""
    images: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Draft:
    """What a rule or a model wrote, before it is an Item: task, language, turns and what the task needs besides (see Item).

    about   canonical levels and discs that it is about; None: those that stem and reply name, wrong options aside.
    """

    task: str
    language: str
    messages: Sequence[Message]
    options: Sequence[str] = ()
    answer: str | None = None
    rubric: Sequence[Criterion] = ()
    axis: str | None = None
    about: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """What part of a document a draft was made from.

    figure    the (first) image shown or described: gives label, modality, agreement and locator.
    context   paragraphs used.
    quotes    what the draft rests on, each word for word in a paragraph of ``context``; () for the whole of ``context``.
    locator   place in the document ("section Anatomy") if it is not the figure's; added to the document's own locator.
    """

    figure: Figure | None = None
    context: Sequence[str] = ()
    locator: str = ""
    quotes: Sequence[str] = ()


def draft_choice(choice: Choice, language: str, *, axis: str | None = None, about: Sequence[str] | None = None) -> Draft:
    """Write a question and its reply: the right option (or options), then the rationale."""
    return Draft(
        "multiple_choice", language, choice_messages(choice),
        options=choice.options, answer=choice.answer, axis=axis, about=about,
    )  # fmt: skip


def choice_messages(choice: Choice) -> tuple[Message, Message]:
    """Write the two turns of a multiple-choice question."""
    reply = "\n".join(f"{letter}. {choice.options[LETTERS.index(letter)]}" for letter in choice.answer)
    return (
        Message("user", f"{choice.stem}\n\n{format_options(choice.options)}", tuple(choice.images)),
        Message("assistant", f"{reply}\n\n{choice.rationale}".strip()),
    )


def new_item(document: Document, generation: Generation, draft: Draft, origin: Origin = Origin(), part: str = "") -> Item:
    """Build the Item of a draft: its id, its levels, and what it takes over from its document and figure.

    part   tells apart the items of one model call.

    The id is the task and a hash of ``generation.generation_id``, task, language and ``part``.
    """
    figure = origin.figure
    shows_image = any(message.images for message in draft.messages)
    vertebrae, discs = _levels_of(draft)
    return Item(
        id=f"{draft.task}-{hash_of([generation.generation_id, draft.task, draft.language, part])[:16]}",
        task=draft.task,
        language=draft.language,
        modality="image_text" if shows_image else "text",
        messages=tuple(draft.messages),
        provenance=located(document.provenance, origin.locator or (figure.locator or figure.label if figure else "")),
        generation=generation,
        options=tuple(draft.options),
        answer=draft.answer,
        rubric=tuple(draft.rubric),
        axis=draft.axis,
        levels=vertebrae,
        discs=discs,
        specialty=document.specialty,
        subfield=document.subfield,
        subfield_score=document.subfield_score,
        image_modality=figure.image_modality if figure and shows_image else None,
        agreement=figure.agreement if figure else None,
        figure=figure.label if figure else "",
        context=tuple(origin.context),
        evidence=find_quotes(origin.quotes or [text for text in origin.context if text], origin.context),
    )


def find_quotes(quotes: Sequence[str], context: Sequence[str]) -> tuple[Quote, ...]:
    """Find where each quote stands in ``context``, at its first place. Raises ValueError for one that is not there."""
    return tuple(_find_quote(quote, context) for quote in quotes)


def _find_quote(quote: str, context: Sequence[str]) -> Quote:
    for number, paragraph in enumerate(context):
        start = paragraph.find(quote)
        if quote and start >= 0:
            return Quote(number, start, start + len(quote))
    raise ValueError(
        f"a quote of {len(quote)} characters stands in none of the {len(context)} paragraphs of the item's context"
    )


def located(provenance: Provenance, place: str) -> Provenance:
    """Add ``place`` to the locator, unless it says so already."""
    whole = provenance.source_locator
    if not place or place in whole:
        return provenance
    return replace(provenance, source_locator=f"{whole}, {place}" if whole else place)


def hash_of(value: object) -> str:
    """Return the SHA-256 of a JSON-ready value, keys sorted."""
    return hashlib.sha256(json.dumps(value, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


def _levels_of(draft: Draft) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Vertebrae (those beside a disc too) and discs, each head to tail."""
    about = draft.about
    if about is None:
        question, *others = draft.messages
        said = [question.text.removesuffix(format_options(draft.options)), *(message.text for message in others)]
        named = parse_levels("\n".join(said))
        about = (*named.vertebrae, *named.discs)
    discs = sort_discs(name for name in about if "/" in name)
    beside = [vertebra for disc in discs for vertebra in vertebrae_of_disc(disc)]
    return sort_levels([name for name in about if "/" not in name] + beside), discs
