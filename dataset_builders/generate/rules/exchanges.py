"""Ready-made questions (question banks, stage-1 sets) as items: nothing is asked that the source does not ask."""

from collections.abc import Iterator

from dataset_builders.document import Document, Exchange, Figure
from dataset_builders.generate.items import Choice, Draft, Origin, draft_choice, new_item
from dataset_builders.generate.rules.texts import load_rules, sign
from dataset_builders.item import LETTERS, Item, Message

_YES_NO = ("yes", "no", "maybe")


def draft_exchange(document: Document) -> Iterator[Item]:
    """Draft the items of ``document.exchange``; none if it has no exchange.

    With options: a multiple_choice item, options in the source's order, the source's explanation after the answer. If the
    options are yes, no, maybe (PubMedQA): also an open_ended item with the source's long answer. Without options: an
    open_ended item with the source's reasoning in ``<think>``. An answer that names no option gives nothing (readers reject
    such rows).
    """
    exchange = document.exchange
    if exchange is None:
        return
    figures = tuple(figure for figure in document.figures if figure.image_sha256)
    if exchange.options and _letters(exchange):
        yield _draft_choice(document, exchange, figures)
        if _is_yes_no(exchange) and exchange.reasoning:
            yield _draft_long_answer(document, exchange)
    elif not exchange.options:
        yield _draft_open(document, exchange, figures)


def _letters(exchange: Exchange) -> str:
    """The right letters in order; "" if the answer names no option."""
    letters = "".join(sorted({letter for letter in exchange.answer.upper() if letter.isalpha()}))
    return letters if letters and all(letter in LETTERS[: len(exchange.options)] for letter in letters) else ""


def _draft_choice(document: Document, exchange: Exchange, figures: tuple[Figure, ...]) -> Item:
    rule = load_rules("questions")["bank_yes_no" if _is_yes_no(exchange) else "bank_choice"]
    letters = _letters(exchange)
    said = rule.first_phrasings(document.language)
    rationale = said["rationale"].format(reasoning=exchange.reasoning.strip()) if exchange.reasoning else ""
    return new_item(
        document,
        sign(document, rule, [exchange.question, list(exchange.options), letters]),
        draft_choice(Choice(exchange.question, exchange.options, letters, rationale, _images(figures)), document.language),
        _origin(figures),
    )


def _draft_long_answer(document: Document, exchange: Exchange) -> Item:
    rule = load_rules("questions")["bank_open"]
    messages = (Message("user", exchange.question), Message("assistant", (exchange.reasoning or "").strip()))
    return new_item(document, sign(document, rule, [exchange.question]), Draft("open_ended", document.language, messages))


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
        _origin(figures),
    )


def _images(figures: tuple[Figure, ...]) -> tuple[str, ...]:
    return tuple(figure.image_sha256 for figure in figures if figure.image_sha256)


def _origin(figures: tuple[Figure, ...]) -> Origin:
    return Origin(figures[0] if figures else None)
