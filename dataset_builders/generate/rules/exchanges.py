"""Ready-made questions (question banks, stage-1 sets) as items: nothing is asked that the source does not ask."""

from collections.abc import Iterator

from dataset_builders.document import Document, Exchange, Figure, Reject
from dataset_builders.generate.items import Choice, Draft, Origin, draft_choice, new_item
from dataset_builders.generate.rules.bank_faults import classify_subject, explanation_of, find_fault
from dataset_builders.generate.rules.texts import load_rules, sign
from dataset_builders.item import LETTERS, Item, Message

_YES_NO = ("yes", "no", "maybe")


def draft_exchange(document: Document) -> Iterator[Item | Reject]:
    """Draft the item of ``document.exchange``; none if it has no exchange, a Reject if the question is unfit (bank_faults).

    With options: a multiple_choice item, options in the source's order, the source's explanation after the answer if it can be
    read by itself. Without options: an open_ended item with the source's reasoning in ``<think>``. A question of a bank is
    about what its stem and its key say (bank_faults.classify_subject).
    """
    exchange = document.exchange
    if exchange is None:
        return
    if exchange.options and not _letters(exchange):
        yield Reject(document.id, "bank_key_broken", f"answer {exchange.answer!r} names no option of {len(exchange.options)}")
        return
    reason, detail = find_fault(document)
    if reason:
        yield Reject(document.id, reason, detail)
        return
    if document.provenance.source_kind == "question_bank":
        document = classify_subject(document, exchange)
    figures = tuple(figure for figure in document.figures if figure.image_sha256)
    yield _draft_choice(document, exchange, figures) if exchange.options else _draft_open(document, exchange, figures)


def _letters(exchange: Exchange) -> str:
    """The right letters in order; "" if the answer names no option."""
    letters = "".join(sorted({letter for letter in exchange.answer.upper() if letter.isalpha()}))
    return letters if letters and all(letter in LETTERS[: len(exchange.options)] for letter in letters) else ""


def _draft_choice(document: Document, exchange: Exchange, figures: tuple[Figure, ...]) -> Item:
    rule = load_rules("questions")["bank_yes_no" if _is_yes_no(exchange) else "bank_choice"]
    letters = _letters(exchange)
    said = rule.first_phrasings(document.language)
    reasoning = explanation_of(exchange)
    rationale = said["rationale"].format(reasoning=reasoning) if reasoning else ""
    return new_item(
        document,
        sign(document, rule, [exchange.question, list(exchange.options), letters]),
        draft_choice(Choice(exchange.question, exchange.options, letters, rationale, _images(figures)), document.language),
        _origin(exchange, figures),
    )


def _is_yes_no(exchange: Exchange) -> bool:
    return tuple(option.strip().lower() for option in exchange.options) in (_YES_NO, _YES_NO[:2])


def _draft_open(document: Document, exchange: Exchange, figures: tuple[Figure, ...]) -> Item:
    rule = load_rules("questions")["reasoned_answer"]
    said = rule.first_phrasings(document.language)["reply_with_reasoning" if exchange.reasoning else "reply"]
    reply = said.format(answer=exchange.answer.strip(), reasoning=(exchange.reasoning or "").strip())
    messages = (Message("user", exchange.question, _images(figures)), Message("assistant", reply))
    return new_item(
        document,
        sign(document, rule, [exchange.question, exchange.answer]),
        Draft("open_ended", document.language, messages),
        _origin(exchange, figures),
    )


def _images(figures: tuple[Figure, ...]) -> tuple[str, ...]:
    return tuple(figure.image_sha256 for figure in figures if figure.image_sha256)


def _origin(exchange: Exchange, figures: tuple[Figure, ...]) -> Origin:
    """The row as it is: nothing of an item comes from elsewhere."""
    answer = () if exchange.options else (exchange.answer,)
    said = (exchange.question, *exchange.options, *answer, exchange.reasoning or "")
    return Origin(figures[0] if figures else None, tuple(text for text in said if text))
