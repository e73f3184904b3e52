"""Check the form of an item: names, turns, lengths, key, levels, mark-up, rubric, and that no template is left unfilled."""

import itertools
import re

from dataset_builders.characters import comparable
from dataset_builders.generate.criteria.normal import LEVEL_OF, normalise
from dataset_builders.generate.criteria.parts import is_as_written, parts_of, right_lines, sentences
from dataset_builders.item import LETTERS, Item, format_options, question_of
from dataset_builders.levels import DISCS, VERTEBRAE, vertebrae_of_disc
from dataset_builders.schema import AXES, LANGUAGES, TASKS
from dataset_builders.source_kinds import KINDS
from dataset_builders.taxonomy import REPORT_SECTIONS, SCORED_DIMENSIONS

TURN_CHARACTERS = (1, 30_000)
"""Shortest and longest turn in characters; 30,000 are about 8,000 tokens, half of the smallest stage's limit."""
QUESTION_LETTERS, ANSWER_LETTERS, TURN_LETTERS = 10, 16, 8
"""Fewest letters of a question, of an open answer and of a turn in a consultation; a Han character counts as two. Ours."""
SECTION_LETTERS = 6
"""Fewest letters of a report's section."""
_REPEATED = 24  # letters from which a sentence said twice is no coincidence

_MARKUP = re.compile(
    r"!\[[^\]]*\]\([^)]*\)|\]\(https?:|</?(?:div|img|table|span|xref|sup|sub|br|p|b|i|script|think|source"
    r"|item)\b|\{\w+\}|\\(?:begin|cite|ref)\{|```"
)
_PLACEHOLDER = re.compile(
    r"^\W*(?:n/?a|tbd|todo|none|null|nil|string|text|answer|question|option|explanation|lorem ipsum.*|placeholder|insert.*here|"
    r"to be (?:added|completed|filled).*|not (?:available|applicable|specified|provided|given)|same as above|see above|xxx+|"
    r"无|略|待补充|待填|同上|暂无|未填写|不详|示例|答案|问题|选项|解析|内容)\W*$|"
    r"^\s*(?:…|\.\.\.|。。。|……)|<(?:answer|question|option|text|name|level)[^>]*>|\[(?:insert|your|answer"
    r"|level|name of)[^\]]*\]|lorem ipsum|\bTODO\b",
    re.IGNORECASE,
)


def known_names(item: Item, _: object) -> str:
    """Demand names of the tables for task, language, source kind and axis."""
    if item.task not in TASKS or item.language not in LANGUAGES:
        return f"task {item.task!r}, language {item.language!r}"
    if item.provenance.source_kind not in KINDS:
        return f"source kind {item.provenance.source_kind!r} has no entry in KINDS of dataset_builders/source_kinds.py"
    return f"axis {item.axis!r}" if item.axis not in (None, *AXES) else ""


def turns_alternate(item: Item, _: object) -> str:
    """Demand turns of user and assistant in turn, and two exchanges of a consultation."""
    roles = [message.role for message in item.messages]
    if not roles or len(roles) % 2 or roles != ["user", "assistant"] * (len(roles) // 2):
        return f"turns are {', '.join(roles) or 'none'}; they must alternate, user first, assistant last"
    if item.task == "consultation" and len(roles) < 4:
        return "a consultation needs at least two exchanges"
    return ""


def lengths_bounded(item: Item, _: object) -> str:
    """Reject an empty or endless turn."""
    for number, message in enumerate(item.messages, 1):
        if not TURN_CHARACTERS[0] <= len(message.text.strip()) <= TURN_CHARACTERS[1]:
            return f"turn {number} has {len(message.text)} characters; allowed are {TURN_CHARACTERS[0]} to {TURN_CHARACTERS[1]}"
    return ""


def nothing_left_to_fill(item: Item, _: object) -> str:
    """Reject dashes, dots and other stand-ins where words should be."""
    if is_as_written(item):
        return ""
    texts = [question_of(item), *item.options, *(message.text for message in item.messages[1:])]
    texts += [criterion.criterion for criterion in item.rubric]
    if item.task == "report":
        texts += [body for _title, body in _sections(item.messages[-1].text)]
    if item.task == "multiple_choice" and (reasons := parts_of(item).reasons):
        texts.append(reasons)
    for text in texts:
        if not re.search(r"\w", text) or _PLACEHOLDER.search(text):
            return "a part of a template is left"
    return ""


def says_enough(item: Item, _: object) -> str:
    """Demand a question that asks and an answer of a sentence."""
    if is_as_written(item):
        return ""
    if _letters(question_of(item)) < QUESTION_LETTERS:
        return "the question is too short to ask anything"
    if item.task != "multiple_choice":
        fewest = TURN_LETTERS if item.task == "consultation" else ANSWER_LETTERS
        for message in item.messages[1::2]:
            if _letters(message.text) < fewest:
                return "an answer is too short to say anything"
    return ""


def nothing_said_twice(item: Item, _: object) -> str:
    """Reject a sentence said twice in a row, a turn that is half repetition, and an answer that is its question again."""
    if is_as_written(item):
        return ""
    for asked, answered in zip(item.messages[::2], item.messages[1::2], strict=False):
        if comparable(asked.text) == comparable(answered.text):
            return "an answer repeats its question"
    for message in item.messages[1::2]:
        said = [comparable(sentence) for sentence in sentences(message.text)]
        long = [sentence for sentence in said if _letters(sentence) >= _REPEATED]
        in_a_row = any(one == other and _letters(one) >= _REPEATED / 2 for one, other in itertools.pairwise(said))
        if in_a_row or (len(long) > 2 and len(set(long)) <= len(long) / 2):
            return "a sentence is said twice in one turn"
    return ""


def answer_is_an_option(item: Item, _: object) -> str:
    """Demand a key that names options shown, and a reply that begins with them."""
    if item.task != "multiple_choice":
        return ""
    answer = item.answer or ""
    if not answer or any(letter not in LETTERS[: len(item.options)] for letter in answer) or len(set(answer)) < len(answer):
        return f"answer {answer!r} names no option of {len(item.options)}"
    if not item.messages[0].text.endswith(format_options(item.options)):
        return "the question does not show the options"
    reply, right = item.messages[1].text, right_lines(item)
    return (
        ""
        if reply == right or reply.startswith((f"{right}\n", f"{right} "))
        else "the reply does not begin with the right option"
    )


def levels_canonical(item: Item, _: object) -> str:
    """Demand canonical names of levels, and the vertebrae of each disc."""
    unknown = [*(name for name in item.levels if name not in VERTEBRAE), *(name for name in item.discs if name not in DISCS)]
    if unknown:
        return f"no canonical level: {', '.join(unknown)}"
    apart = [disc for disc in item.discs if not set(vertebrae_of_disc(disc)) <= set(item.levels)]
    return f"disc without its vertebrae: {', '.join(apart)}" if apart else ""


def levels_agree(item: Item, _: object) -> str:
    """Demand a key that is a level among the item's levels."""
    if item.task != "multiple_choice" or is_as_written(item):
        return ""  # an examiner's "T4" may be a dermatome: what a bank's option means is not known
    for letter in item.answer or "":
        # Only an option that is a level and nothing else states which level the item is about.
        level = LEVEL_OF.get(normalise(item.options[LETTERS.index(letter)]))
        if level and level not in (*item.levels, *item.discs):
            return f"the answer is {level}, which the item's levels leave out"
    return ""


def no_markup(item: Item, _: object) -> str:
    """Reject mark-up of web pages, Markdown images, TeX and templates."""
    if is_as_written(item) and item.task != "multiple_choice":
        return ""  # worked reasoning of stage-1 sets stands between <think> marks
    for text in (*(message.text for message in item.messages), *item.options):
        if match := _MARKUP.search(text):
            return f"left-over mark-up {match.group()!r}"
    return ""


def rubric_known(item: Item, _: object) -> str:
    """Demand a rubric line for each scored dimension of a report, and none elsewhere."""
    if item.task != "report":
        return "" if not item.rubric else "a rubric on a task that has none"
    unknown = {criterion.dimension for criterion in item.rubric} ^ set(SCORED_DIMENSIONS)
    if unknown:
        return f"rubric lacks or does not know {sorted(unknown)}"
    return "" if item.answer == item.messages[-1].text else "the reference report is not the last turn"


def report_sections(item: Item, _: object) -> str:
    """Demand the six sections of a report, in order, each with words."""
    if item.task != "report":
        return ""
    wanted = [getattr(term, item.language) for term in REPORT_SECTIONS.values()]
    found = _sections(item.messages[-1].text)
    if [title for title, _body in found] != wanted:
        return f"sections are {', '.join(title for title, _body in found) or 'none'}; wanted are {', '.join(wanted)}"
    empty = [title for title, body in found if _letters(body) < SECTION_LETTERS]
    return f"section without words: {', '.join(empty)}" if empty else ""


def _sections(report: str) -> list[tuple[str, str]]:
    pieces = re.split(r"^## ", report, flags=re.MULTILINE)[1:]
    return [(title.strip(), body.strip()) for title, _, body in (piece.partition("\n") for piece in pieces)]


def _letters(text: str) -> int:
    return sum(2 if "\u4e00" <= character <= "\u9fff" else 1 for character in text if character.isalnum())
