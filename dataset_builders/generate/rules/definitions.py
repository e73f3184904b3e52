"""Terms that a text defines: "What is spondylolisthesis?", answered by the defining sentence and what follows it."""

import itertools
import re
from collections.abc import Iterator, Sequence
from itertools import islice

from dataset_builders.classify import classify_text
from dataset_builders.deidentify.known_words import is_medical
from dataset_builders.document import Document
from dataset_builders.figures.captions import is_caption
from dataset_builders.generate.items import Draft, Origin, new_item
from dataset_builders.generate.rules.draws import seeded
from dataset_builders.generate.rules.passages import Section, join_within, leans_back, sentences, teaches
from dataset_builders.generate.rules.subjects import with_subject
from dataset_builders.generate.rules.texts import load_rules, sign
from dataset_builders.generate.rules.titles import locator_of
from dataset_builders.item import Item, Message
from dataset_builders.language import detect_language

MAX_DEFINITIONS = 40
_TEACHING_KINDS = (
    "textbook",
    "consensus",
)  # others say what a drug or tool is only in passing: there the term must be of the field
ANSWER_CHARACTERS = {"en": (60, 360), "zh": (30, 160)}
"""Shortest and longest answer: a definition and what belongs to it."""

_TERM = r"[a-zA-Z][a-z]+(?:[ -](?!(?:and|or|of|in|that|which|where|is|are|with|to|for)\b)[a-z]+){0,3}"
_ASIDE = r"(?: \([^()]{1,60}\)|, also (?:called|known as)[^,]{3,50},)?"
_DIFFERENCE = r"(?:of|that|which|where|whose|between|in which|caused|characteri[sz]ed)"
"""What sets a thing apart from its kind: without it, "an uncommon condition" defines nothing."""
# "A synchondrosis is a joint where …", "Scoliosis is a curve of …", "Spondylolisthesis means that …".
_DEFINED_FIRST = re.compile(
    rf"^(?P<article>An? |The )?(?P<term>{_TERM}){_ASIDE} (?P<verb>(?:is|are) (?=(?:an? |the |any )[^.;,]*?\b{_DIFFERENCE}\b)"
    r"(?:an? (?!example|common|uncommon|rare|major|leading|good|key|frequent|possible|useful|reasonable|preferable|safe|unique|"
    r"serious|sign|feature|symptom|well|cause|reason|result|matter|part|type|kind|challenge|source|number|variety|range|means|way|step)|"
    r"the (?!\w+est\b|most|best|only|same|first|main|leading|key|cause|result|reason|case|gold standard|treatment|method)|"
    r"any |defined as )|means that |refers to )"
)
# "A joint where the bones are joined by fibrocartilage is called a symphysis."
_DEFINED_LAST = re.compile(
    r"^(?:An? |The (?=[^.;]{1,160}\b(?:of|that|where|which|between) ))[^.;]{15,160} "
    rf"(?:is|are) (?:called|termed|known as|classified as) (?P<article>an? |the )?(?P<term>{_TERM})(?=[,.;]| \()"
)
_DEFINED_ZH = re.compile(
    r"^(?P<term>[A-Za-z一-鿿]{2,16}?)(?:是指|系指|指的是|定义为|(?<![手拇食示中小足趾])指(?![出示数导征]))(?=.{8})"
)
_ONE_THING = re.compile(
    r"the (?!(?:\w+ ){0,3}?\w*(?:ing|ion|ment|ance|ence|sis|ure|loss|removal|state|process|act) "
    r"(?:of|that|which|where|in)\b)\w"
)
"""What follows "is" if it names one thing, not an act or a state by which a term is defined ("the joining of")."""
_NO_TERM = re.compile(
    r"^(?:goal|aim|purpose|result|reason|example|study|patient|method|model|author|treatment|surgery|answer|question|"
    r"report|case|guideline|recommendation|person|people|one|it|there|what|this|that|these|those|such|he|she|we|they|most|many|"
    r"anterior|middle|posterior|upper|lower|inner|outer|wide|narrow|typical|normal|usual|main|"
    r"some|each|both|other|another|first|second|third|type|line|end|gap|area|amount|conclusion|approach|all|"
    r"(?:increased|decreased|high|low)\b.*)s?(?: |$)|ly$",
    re.IGNORECASE,
)
_NEXT_ONE = re.compile(r"^(?:The (?:second|third|other|next)|Another|Other|A second|Also|In contrast|By contrast|An example)\b")


def draft_definitions(document: Document, parts: Sequence[Section]) -> Iterator[Item]:
    """Draft the first MAX_DEFINITIONS items, one a term: what it is, in the text's own words.

    The term must be of the field: its sentence is classified (subjects.with_subject), or it is a medical word of a book of the
    field. The answer goes on, within the
    paragraph, until a sentence does not teach or defines another term.
    """
    items = (_draft(document, part, paragraph, number) for part, paragraph, number in _places(parts))
    asked: dict[str, Item] = {}
    for item in filter(None, items):
        asked.setdefault(item.messages[0].text.casefold(), item)
    yield from islice(asked.values(), MAX_DEFINITIONS)


def find_term(sentence: str) -> tuple[str, bool] | None:
    """Return the term that a sentence defines, with its article, and whether it is plural; None if it defines none."""
    if detect_language(sentence) == "zh":
        match = _DEFINED_ZH.match(sentence)
        return (match["term"], False) if match else None
    match = _DEFINED_FIRST.match(sentence) or _DEFINED_LAST.match(sentence)
    if match is None or _NO_TERM.match(match["term"].lower()):
        return None
    article, term = (match["article"] or "").lower(), match["term"]
    if " " in term and article in ("a ", "an ") and _ONE_THING.match(sentence[match.end() - len("the ") :]):
        return None  # "A temporary synchondrosis is the epiphyseal plate of …": an example of it
    if article == "the " and (" " not in term or term.endswith("self")):
        return None  # "the body", "the fracture itself": of what was said before
    plural = (match.groupdict().get("verb") or "").startswith("are ")
    return f"{article}{term if term.isupper() else term[0].lower() + term[1:]}", plural


def _goes_on(sentence: str) -> bool:
    return teaches(sentence) and find_term(sentence) is None and not _NEXT_ONE.match(sentence)


def _defines_a_word_of(following: Sequence[str], sentence: str) -> bool:
    """Whether the next sentence defines a term by which ``sentence`` has just defined another."""
    if not following or not teaches(following[0]):
        return False
    found = find_term(following[0])
    return found is not None and re.sub(r"^(?:an? |the )", "", found[0]).lower() in sentence.lower()


def _places(parts: Sequence[Section]) -> Iterator[tuple[Section, str, int]]:
    for part in parts:
        for paragraph in part.paragraphs:
            if not is_caption(paragraph):
                yield from ((part, paragraph, number) for number in range(len(sentences(paragraph))))


def _draft(document: Document, part: Section, paragraph: str, number: int) -> Item | None:
    said = sentences(paragraph)[number:]
    found = find_term(said[0]) if teaches(said[0]) and not leans_back(said[0]) else None
    if found is None:
        return None
    term, plural = found
    language = detect_language(said[0])
    shortest, longest = ANSWER_CHARACTERS[language]
    follows = [*said[1:2]] if _defines_a_word_of(said[1:2], said[0]) else []
    follows += itertools.takewhile(_goes_on, said[1 + len(follows) :])
    answer = join_within([said[0], *follows], longest)
    if document.provenance.source_kind not in _TEACHING_KINDS and classify_text(term).specialty == "general":
        return None
    about = with_subject(document, f"{term}. {said[0]}")
    if about is None and document.specialty != "general" and is_medical(term.split()[-1]):
        about = document
    if about is None or len(answer) < shortest:
        return None
    rule = load_rules("text")["definition"]
    stem = rule.say(seeded(document.id, rule.name, term), language, "plural" if plural else "stem", term=term)
    return new_item(
        about,
        sign(document, rule, [term, answer]),
        Draft("open_ended", language, (Message("user", stem), Message("assistant", answer))),
        Origin(context=(paragraph,), locator=locator_of(part), quotes=(answer,) if answer in paragraph else ()),
    )
