"""Draft items by models: a document cut into passages, a call a passage, every item of a reply strictly read."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from dataset_builders.document import Document, Figure, Reject
from dataset_builders.generate.models.ask import CLASS_OF_KIND, ask, content_of, delimit, load_prompt
from dataset_builders.generate.models.replies import BadReply, Passage, read_items, to_item
from dataset_builders.generate.rules import draft as draft_by_rules
from dataset_builders.generate.rules.naming import state_finding
from dataset_builders.generate.rules.passages import sections
from dataset_builders.item import Generation, Item
from dataset_builders.source_kinds import find_kind
from modeling.chat_client import ChatClient

TASKS = {
    "external": ("multiple_choice", "open_ended"),
    "open_data": ("consultation",),
    "hospital": ("multiple_choice", "consultation", "report"),
}
"""Class of source -> the tasks that a model drafts from it."""
ITEMS_A_CALL = {"external": 6, "open_data": 2, "hospital": 5}
"""Class of source -> how many items a call asks for, at most."""

PASSAGE_CHARACTERS = 6_000
"""A call's share of a long text: about 1,500 English tokens, whole sections where they fit."""
CASE_CHARACTERS = 4 * PASSAGE_CHARACTERS
"""Longest hospital case that is shown whole; the rest is cut off."""
MAX_PASSAGES = 200
MAX_IMAGES = 4


def draft_by_models(
    clients: Mapping[str, ChatClient], document: Document, image_of: Callable[[str], bytes]
) -> Iterator[Item | Reject]:
    """Draft the items of one document by the model for its class of source; without one, by the embedded rules.

    image_of   gives an image's encoded bytes by SHA-256; raises FileNotFoundError.

    A passage whose replies stay unusable is a Reject "draft_<reason>", an item that is not in form one "draft_invalid_item".
    """
    source_class = CLASS_OF_KIND.get(document.provenance.source_kind)
    client = clients.get(f"draft.{source_class}")
    if source_class is None or client is None or document.exchange is not None:
        yield from draft_by_rules(document)
        return
    for passage in _passages(document, source_class):
        yield from _draft_passage(client, source_class, passage, image_of)


def _draft_passage(
    client: ChatClient, source_class: str, passage: Passage, image_of: Callable[[str], bytes]
) -> Iterator[Item | Reject]:
    document = passage.document
    where = passage.locator or document.provenance.source_locator
    try:
        content = content_of(delimit("source", passage.text), passage.figures, image_of)
    except (FileNotFoundError, ValueError) as error:
        yield Reject(document.id, "draft_no_image", str(error), where)
        return
    prompt = load_prompt(f"draft_{source_class}@1")
    system = prompt.text.format(most=ITEMS_A_CALL[source_class])
    private = find_kind(document.provenance.source_kind).is_private
    answered = ask(client, prompt, system, content, read_items, private=private)
    if isinstance(answered, str):
        yield Reject(document.id, f"draft_{answered.partition(':')[0]}", answered, where)
        return
    records, reply = answered
    generation = Generation(reply.model, prompt.id, prompt.sha256, reply.key)
    for number, record in enumerate(records):
        try:
            yield to_item(record, passage, generation, TASKS[source_class], str(number))
        except BadReply as error:
            yield Reject(document.id, "draft_invalid_item", f"item {number + 1} of call {reply.key[:12]}: {error}", where)


def _passages(document: Document, source_class: str) -> Iterator[Passage]:
    """What each call shows."""
    shown = [figure for figure in document.figures if figure.image_sha256]
    if source_class == "open_data":
        labelled = sorted(shown, key=lambda figure: (-len(figure.findings), -len(figure.levels)))[:MAX_IMAGES]
        if labelled:
            yield Passage(document, _state_labels(document, labelled), labelled)
    elif source_class == "hospital":
        yield Passage(document, document.markdown[:CASE_CHARACTERS], shown[:MAX_IMAGES])
    else:
        for number, (locator, text) in enumerate(_cut(document)):
            if number == MAX_PASSAGES:
                return
            cited = [figure for figure in shown if any(paragraph[:60] in text for paragraph in figure.context if paragraph)]
            yield Passage(document, text, cited[:MAX_IMAGES], locator)


def _state_labels(document: Document, figures: Sequence[Figure]) -> str:
    lines = [
        f"F{number}: levels {', '.join(figure.levels) or 'none'}; discs {', '.join(figure.discs) or 'none'}"
        for number, figure in enumerate(figures, 1)
    ]
    findings = "; ".join(state_finding(finding, "en") for finding in document.findings)
    return "\n".join([*lines, f"findings: {findings or 'none labelled'}"])


def _cut(document: Document) -> Iterator[tuple[str, str]]:
    """(locator, text): sections joined to passages of at most PASSAGE_CHARACTERS, a longer one cut between paragraphs."""
    locator, text = "", ""
    for section in sections(document.markdown):
        for number, paragraph in enumerate(section.paragraphs):
            block = f"# {section.title}\n{paragraph}" if number == 0 and section.title else paragraph
            if text and len(text) + len(block) > PASSAGE_CHARACTERS:
                yield locator, text
                locator, text = "", ""
            locator = locator or (f"section {section.title}" if section.title else "")
            text = f"{text}\n\n{block}".strip()[:PASSAGE_CHARACTERS]
    if text:
        yield locator, text
