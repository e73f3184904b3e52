"""Ready-made questions (question banks, stage-1 sets) as items: nothing is asked that the source does not ask."""

from collections.abc import Iterator

from dataset_builders.document import Document, Exchange, Figure
from dataset_builders.generate.items import choice_messages, load_rules, new_item, sign
from dataset_builders.item import LETTERS, Item, Message

_YES_NO = ("yes", "no", "maybe")


def draft_questions(document: Document) -> Iterator[Item]:
    """The items of ``document.exchange``.

    Options: a multiple_choice item, options in the source's order, the source's explanation after the answer. Where they
    are yes, no, maybe (PubMedQA), also an open_ended item with the source's long answer. No options: an open_ended item
    with the source's reasoning in ``<think>``. An answer that names no option gives nothing (readers reject such rows).
    """
    exchange = document.exchange
    if exchange is None:
        return
    figures = tuple(figure for figure in document.figures if figure.image_sha256)
    if exchange.options and _letters(exchange):
        yield _choice(document, exchange, figures)
        if _is_yes_no(exchange) and exchange.reasoning:
            yield _long_answer(document, exchange)
    elif not exchange.options:
        yield _open(document, exchange, figures)


def _letters(exchange: Exchange) -> str:
    """The right letters in order, "" where the answer names no option."""
    letters = "".join(sorted({letter for letter in exchange.answer.upper() if letter.isalpha()}))
    return letters if letters and all(letter in LETTERS[: len(exchange.options)] for letter in letters) else ""


def _choice(document: Document, exchange: Exchange, figures: tuple[Figure, ...]) -> Item:
    rule = load_rules("questions")["bank_yes_no" if _is_yes_no(exchange) else "bank_choice"]
    letters = _letters(exchange)
    templates = rule.phrasings[document.language]
    rationale = templates["rationale"][0].format(reasoning=exchange.reasoning.strip()) if exchange.reasoning else ""
    return new_item(
        document,
        sign(document, rule, [exchange.question, list(exchange.options), letters]),
        "multiple_choice",
        choice_messages(
            exchange.question, exchange.options, letters, rationale, [f.image_sha256 for f in figures if f.image_sha256]
        ),
        language=document.language,
        options=exchange.options,
        answer=letters,
        figure=figures[0] if figures else None,
    )


def _long_answer(document: Document, exchange: Exchange) -> Item:
    rule = load_rules("questions")["bank_open"]
    return new_item(
        document,
        sign(document, rule, [exchange.question]),
        "open_ended",
        (Message("user", exchange.question), Message("assistant", (exchange.reasoning or "").strip())),
        language=document.language,
    )


def _is_yes_no(exchange: Exchange) -> bool:
    return tuple(option.strip().lower() for option in exchange.options) in (_YES_NO, _YES_NO[:2])


def _open(document: Document, exchange: Exchange, figures: tuple[Figure, ...]) -> Item:
    rule = load_rules("questions")["reasoned_answer"]
    part = "reply_with_reasoning" if exchange.reasoning else "reply"
    reply = rule.phrasings[document.language][part][0].format(
        answer=exchange.answer.strip(), reasoning=(exchange.reasoning or "").strip()
    )
    images = tuple(figure.image_sha256 for figure in figures if figure.image_sha256)
    return new_item(
        document,
        sign(document, rule, [exchange.question, exchange.answer]),
        "open_ended",
        (Message("user", exchange.question, images), Message("assistant", reply)),
        language=document.language,
        figure=figures[0] if figures else None,
    )
