"""Draft items by models: a document cut into passages, a call for each task and language of a passage, replies strictly read.

If some items of a reply are not in form, or quote what the material does not say, one repair turn asks for these alone; the
good ones stay as they are.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from dataset_builders.document import Document, Figure, Reject
from dataset_builders.generate.models.ask import CLASS_OF_KIND, Answer, Question, ask, ask_again, content_of, delimit
from dataset_builders.generate.models.forms import draft_form
from dataset_builders.generate.models.prompts import load_prompts
from dataset_builders.generate.models.replies import BadReply, Passage, read_items, to_item
from dataset_builders.generate.rules import draft as draft_by_rules
from dataset_builders.generate.rules.naming import state_finding
from dataset_builders.generate.rules.passages import sections
from dataset_builders.item import Generation, Item
from dataset_builders.schema import LANGUAGES
from dataset_builders.source_kinds import find_kind
from modeling.chat_client import ChatClient

TASKS = {
    "external": ("multiple_choice", "open_ended"),
    "open_data": ("consultation",),
    "hospital": ("multiple_choice", "consultation", "report"),
}
"""Class of source -> the tasks that a model drafts from it."""
ITEMS_A_CALL = {"multiple_choice": 3, "open_ended": 2, "consultation": 1, "report": 1}
"""Task -> how many items a call asks for, at most."""

PASSAGE_CHARACTERS = 6_000
"""A call's share of a long text: about 1,500 English tokens, whole sections where they fit."""
CASE_CHARACTERS = 4 * PASSAGE_CHARACTERS
"""Longest hospital case that is shown whole; the rest is cut off."""
MAX_PASSAGES = 200
MAX_IMAGES = 4
CALLS_AT_ONCE = 8
"""Calls about one document that may be under way at once."""


@dataclass(frozen=True, slots=True)
class _Job:
    """One call: a passage, and what to write about it."""

    client: ChatClient
    source_class: str
    task: str
    language: str
    passage: Passage

    @property
    def where(self) -> str:
        return self.passage.locator or self.passage.document.provenance.source_locator


def draft_by_models(
    clients: Mapping[str, ChatClient], document: Document, image_of: Callable[[str], bytes]
) -> Iterator[Item | Reject]:
    """Draft the items of one document by the model for its class of source; without one, by the embedded rules.

    image_of   gives an image's encoded bytes by SHA-256; raises FileNotFoundError.

    A call whose replies stay unusable is a Reject "draft_<reason>", an item that is not in form one "draft_invalid_item".
    """
    source_class = CLASS_OF_KIND.get(document.provenance.source_kind)
    client = clients.get(f"draft.{source_class}")
    if source_class is None or client is None or document.exchange is not None:
        yield from draft_by_rules(document)
        return
    # What comes from a hospital is written about in its own language alone: its words are the only source.
    languages = (document.language,) if source_class == "hospital" else LANGUAGES
    jobs = [
        _Job(client, source_class, task, language, passage)
        for language in languages
        for passage in _passages(document, source_class, language)
        for task in TASKS[source_class]
    ]
    pool = ThreadPoolExecutor(CALLS_AT_ONCE)
    try:
        for outcome in pool.map(partial(_draft, image_of=image_of), jobs):
            yield from outcome
    finally:
        pool.shutdown(cancel_futures=True)


def _draft(job: _Job, image_of: Callable[[str], bytes]) -> list[Item | Reject]:
    passage, document = job.passage, job.passage.document
    try:
        content = content_of(delimit("source", passage.text), passage.figures, image_of)
    except (FileNotFoundError, ValueError) as error:
        return [Reject(document.id, "draft_no_image", str(error), job.where)]
    prompt = load_prompts().find("draft", job.source_class, job.task, job.language)
    names = [f"F{number}" for number in range(1, len(passage.figures) + 1)]
    question = Question(
        job.client, prompt, prompt.fill(most=ITEMS_A_CALL[job.task]), content, draft_form(job.task, job.language, names),
        find_kind(document.provenance.source_kind).is_private,
    )  # fmt: skip
    answer = ask(question, read_items)
    if isinstance(answer, str):
        return [Reject(document.id, f"draft_{answer.partition(':')[0]}", answer, job.where)]
    items, problems = _read_records(job, question, answer)
    if problems and not answer.repaired:
        complaint = (
            f"These items cannot be used: {'; '.join(problems.values())}. Send an object of the same form with these items "
            "alone, put right; leave out what the material does not allow to put right."
        )
        again = ask_again(question, answer.reply, complaint, read_items)
        if not isinstance(again, str):
            more, problems = _read_records(job, question, again)
            items += more
    return [*items, *(Reject(document.id, "draft_invalid_item", problem, job.where) for problem in problems.values())]


def _read_records(job: _Job, question: Question, answer: Answer[list[object]]) -> tuple[list[Item | Reject], dict[int, str]]:
    """The items of a reply, and by place what is wrong with those that are none."""
    reply, prompt = answer.reply, question.prompt
    generation = Generation(reply.model, prompt.id, prompt.sha256, reply.key)
    items, problems = list[Item | Reject](), dict[int, str]()
    for number, record in enumerate(answer.value):
        try:
            items.append(to_item(record, job.passage, generation, job.task, job.language, str(number)))
        except BadReply as error:
            problems[number] = f"item {number + 1} of call {reply.key[:12]}: {error}"
    return items, problems


def _passages(document: Document, source_class: str, language: str) -> Iterator[Passage]:
    """What each call shows."""
    shown = [figure for figure in document.figures if figure.image_sha256]
    if source_class == "open_data":
        labelled = sorted(shown, key=lambda figure: (-len(figure.findings), -len(figure.levels)))[:MAX_IMAGES]
        if labelled:
            yield Passage(document, _state_labels(document, labelled, language), labelled)
    elif source_class == "hospital":
        yield Passage(document, document.markdown[:CASE_CHARACTERS], shown[:MAX_IMAGES])
    else:
        for number, (locator, text) in enumerate(_cut(document)):
            if number == MAX_PASSAGES:
                return
            cited = [figure for figure in shown if any(paragraph[:60] in text for paragraph in figure.context if paragraph)]
            yield Passage(document, text, cited[:MAX_IMAGES], locator)


_LABELS = {
    "en": ("F{number} is labelled with the vertebrae {levels} and the discs {discs}.", "none", "; ", ", ", "Labelled: {said}."),
    "zh": ("F{number} 标注的椎体：{levels}；椎间盘：{discs}。", "无", "；", "、", "标注：{said}。"),
}


def _state_labels(document: Document, figures: Sequence[Figure], language: str) -> str:
    """A case's labels as sentences, so that an item can quote them."""
    line, none, semicolon, comma, closing = _LABELS[language]
    lines = [
        line.format(number=number, levels=comma.join(figure.levels) or none, discs=comma.join(figure.discs) or none)
        for number, figure in enumerate(figures, 1)
    ]
    findings = semicolon.join(state_finding(finding, language) for finding in document.findings)
    return "\n".join([*lines, closing.format(said=findings or none)])


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
