"""Check that an item says only what its quotes carry: numbers, levels, sides, grades, drugs, names, findings and negations."""

import re
from collections import defaultdict
from dataclasses import replace

from dataset_builders.deidentify.known_words import is_known
from dataset_builders.generate.criteria.facts import (
    bound_facts,
    clauses_with_levels,
    grades_of,
    levels_of,
    numbers_of,
    ranges_of,
    severities_of,
    sides_of,
)
from dataset_builders.generate.criteria.meaning import Clause, affirmed, clauses_of, is_negated, option_in, stems_of
from dataset_builders.generate.criteria.parts import Parts, is_as_written, parts_of, sentences, wrong_options
from dataset_builders.generate.criteria.vocabulary import kind_of, name_patterns, named_in, opposites
from dataset_builders.item import Item
from dataset_builders.language import detect_language
from dataset_builders.levels import vertebrae_of_disc

ANSWER_SHARE = 0.5
"""Share of an answer's content words that its quotes must hold, if both are in one language. Ours."""
SENTENCE_SHARE = 0.3
"""The same for each sentence."""
_DISCLAIMER = re.compile(r"\b(?:does|do|can) ?not replace\b|\bgeneral information\b|不能(?:代替|替代)|一般性信息")
_TELLING = 4  # content words of a sentence below which its share says nothing
_CLAUSE_SHARE = 0.6  # of a clause's words, from which a clause of the source speaks of the same
_LIKENESS = 0.3  # of two clauses, from which a word that both have is said of the same
_LIKENESS_OF_ONE = 0.5  # the same, if they have no other word in common
_FEWEST = 2  # content words of a clause that is compared
_CAPITAL = re.compile(r"(?<=[a-z0-9,;:)’'] )[A-Z][a-z]+(?:[-'’][A-Z]?[a-z]+)*")
_CAPITAL_IN_HAN = re.compile(r"(?<![A-Za-z])[A-Z][a-z]{2,}(?![A-Za-z])")
_ASKED_COUNT = re.compile(r"\b(?:which|what|these|those|the|both) (?:two|three|four|five)\b|[哪这那][两三四五]", re.IGNORECASE)
_ET_AL = re.compile(r"\b([A-Z][a-zA-Z'’-]+)(?= (?:et al|and colleagues|and co-?workers)\b)")


def evidence_exists(item: Item, _: object) -> str:
    """Demand quotes, each a span of the context."""
    if is_as_written(item):
        return ""
    if not any(quote.strip() for quote in _safe_quotes(item)):
        return "quotes nothing of its source"
    for number, quote in enumerate(item.evidence, 1):
        if not 0 <= quote.paragraph < len(item.context) or not 0 <= quote.start < quote.end <= len(
            item.context[quote.paragraph]
        ):
            return f"quote {number} is no span of its context"
    return ""


def _safe_quotes(item: Item) -> list[str]:
    return [item.context[q.paragraph][q.start : q.end] for q in item.evidence if 0 <= q.paragraph < len(item.context)]


def answer_in_source(item: Item, _: object) -> str:
    """Demand that an answer's or explanation's words are the source's; texts of two languages are not compared."""
    parts = parts_of(item)
    if is_as_written(item) or item.task not in ("open_ended", "multiple_choice") or not parts.source.strip():
        return ""
    if detect_language(parts.source) != detect_language(parts.replies):
        return ""
    held = set(stems_of(parts.source))
    if item.task == "multiple_choice":
        held |= set(stems_of(parts.question)) | {stem for option in item.options for stem in stems_of(option)}
    all_stems: set[str] = set()
    for sentence in sentences(parts.replies if item.task == "open_ended" else parts.reasons):
        stems = set() if _DISCLAIMER.search(sentence.lower()) else set(stems_of(sentence))
        all_stems |= stems
        if item.task == "open_ended" and len(stems) >= _TELLING and len(stems & held) < SENTENCE_SHARE * len(stems):
            return "a sentence of the answer has hardly a word of the quotes"
    if len(all_stems) >= _TELLING and len(all_stems & held) < ANSWER_SHARE * len(all_stems):
        return f"less than {ANSWER_SHARE:.0%} of the answer's words are in the quotes"
    return ""


def numbers_in_source(item: Item, _: object) -> str:
    """Demand that each number, with unit and bound, is one of the quotes'."""
    if not (parts := _grounded(item)):
        return ""
    held = numbers_of(parts.source)
    for number in numbers_of(_ASKED_COUNT.sub(" ", parts.said)):
        if not any(number.matches(other) for other in held):
            unit = f" ({number.dimension})" if number.dimension else ""
            return f"the number {number.written:g}{unit} {number.bound} is not in the quotes".replace("  ", " ")
    return _bound_problem(parts, "length")


def levels_in_source(item: Item, _: object) -> str:
    """Demand that each level is named by the quotes; a disc may be named by its two vertebrae, a vertebra by its disc."""
    if not (parts := _grounded(item)):
        return ""
    singles, discs = levels_of(parts.said)
    held, held_discs = levels_of(parts.source)
    beside = {vertebra for disc in held_discs for vertebra in vertebrae_of_disc(disc)}
    if unknown := sorted(disc for disc in discs - held_discs if not set(vertebrae_of_disc(disc)) <= held):
        return f"{', '.join(unknown)} is not in the quotes"
    if unknown := sorted(singles - held - beside):
        return f"{', '.join(unknown)} is not in the quotes"
    if ranges := ranges_of(parts.said) - ranges_of(parts.source):
        ends = {names for names in ranges if not {names[0], names[-1]} <= held}
        if ends:
            return f"{' to '.join((min(ends)[0], min(ends)[-1]))} is not in the quotes"
    said_at, held_at = levels_by_finding(parts.said), levels_by_finding(parts.source, loose=True)
    for finding, levels in said_at.items():
        known = held_at.get(finding, frozenset())
        elsewhere = sorted(level for level in levels - known if not set(level.split("/")) <= known)
        if known and elsewhere:
            return f"{finding} at {', '.join(elsewhere)}, where the quotes name other levels"
    return ""


def sides_in_source(item: Item, _: object) -> str:
    """Demand that each side is named by the quotes, at its level if it has one."""
    if not (parts := _grounded(item)):
        return ""
    held = sides_of(parts.source)
    if "both" in held or {"left", "right"} <= held:
        held |= {"left", "right", "both"}
    if unknown := sides_of(parts.said) - held:
        return f"the side {', '.join(sorted(unknown))} is not in the quotes"
    return _bound_problem(parts, "side")


def grades_in_source(item: Item, _: object) -> str:
    """Demand that each grade and degree is named by the quotes, at its level if it has one."""
    if not (parts := _grounded(item)):
        return ""
    held = grades_of(parts.source)
    for system, value in sorted(grades_of(parts.said)):
        if not any(value == other and (system == named or not (system and named)) for named, other in held):
            return f"the grade {system} {value} is not in the quotes".replace("  ", " ")
    if unknown := severities_of(parts.said) - severities_of(parts.source):
        return f"the degree {', '.join(sorted(unknown))} is not in the quotes"
    return _bound_problem(parts, "grade") or _bound_problem(parts, "degree")


def drugs_in_source(item: Item, _: object) -> str:
    """Demand that each drug is named by the quotes; a class may be named by a drug of it."""
    if not (parts := _grounded(item)):
        return ""
    held = named_in("drugs", parts.source)
    held |= {kind_of("drugs", name) for name in held}
    if unknown := named_in("drugs", parts.said) - held:
        return f"{', '.join(sorted(unknown))} is not in the quotes"
    return ""


def findings_in_source(item: Item, _: object) -> str:
    """Demand that each finding which the answers affirm is named by the quotes."""
    if not (parts := _grounded(item)):
        return ""
    patterns = name_patterns("findings")
    new = named_in("findings", parts.replies) - named_in("findings", parts.source)
    if item.task == "multiple_choice":
        new -= named_in("findings", parts.question)
    unknown = sorted(name for name in new if affirmed(patterns[name], parts.replies))
    return f"{', '.join(unknown)} is not in the quotes" if unknown else ""


def negations_in_source(item: Item, _: object) -> str:
    """Compare each clause of the answers with the clauses of the quotes that are likest: one must deny, or not, as it does."""
    if not (parts := _grounded(item)) or detect_language(parts.source) != detect_language(parts.replies):
        return ""
    held = clauses_of(parts.source, whole=True)
    single = clauses_of(parts.source)
    stated = parts.said
    if item.task == "multiple_choice":  # the key of "which is advised against?" affirms nothing
        stated = parts.reasons if is_negated(parts.question) else parts.replies
    for clause in clauses_of(stated):
        if _turned_round(clause, held) or any(_denied_otherwise(stem, clause, single) for stem in clause.stems):
            return "denies what the quotes affirm" if clause.negated else "affirms what the quotes deny"
    return ""


def _turned_round(clause: Clause, held: tuple[Clause, ...]) -> bool:
    """Whether the clauses of the source that hold most of a clause's words are all negated as it is not, or the reverse."""
    if len(clause.stems) <= _FEWEST:
        return False
    held = tuple(other for other in held if len(clause.stems & other.stems) > _FEWEST)
    shares = [(len(clause.stems & other.stems) / len(clause.stems), other) for other in held]
    best = max((share for share, _other in shares), default=0.0)
    alike = [other for share, other in shares if share >= max(_CLAUSE_SHARE, best)]
    return bool(alike) and all(other.negated != clause.negated for other in alike)


def _denied_otherwise(stem: str, clause: Clause, held: tuple[Clause, ...]) -> bool:
    """Whether a word is denied in a clause and not in those of the source that are likest and have it, or the reverse."""
    likeness = [(clause.likeness(other), other) for other in held if stem in other.stems]
    best = max((share for share, _other in likeness), default=0.0)
    likest = [other for share, other in likeness if share == best]
    denied = stem in clause.denied
    shared = max((len(clause.stems & other.stems) for other in likest), default=0)
    if clause.negated != denied or best < (_LIKENESS if shared >= _FEWEST else _LIKENESS_OF_ONE):
        return False
    return all((stem in other.denied) != denied and other.negated != clause.negated for other in likest)


def opposites_in_source(item: Item, _: object) -> str:
    """Reject a word whose opposite the quotes have, and which they have not."""
    if not (parts := _grounded(item)) or detect_language(parts.source) != detect_language(parts.replies):
        return ""
    source, replies, question = parts.source.lower(), parts.replies.lower(), parts.question.lower()
    for language, word, opposite in opposites():
        if language != item.language or not (match := word.search(replies)):
            continue
        if word.search(source):
            if any(_said_of_opposite(found, replies, word, opposite, source) for found in word.finditer(replies)):
                return f"{match[0]!r} of what the quotes say the opposite of"
            continue
        asks_both = word.search(question) and opposite.search(question)
        if opposite.search(source) and not asks_both and not opposite.search(replies):
            return f"{match[0]!r} where the quotes say the opposite"
    return ""


def _said_of_opposite(found: re.Match[str], said: str, word: re.Pattern[str], opposite: re.Pattern[str], source: str) -> bool:
    """Whether the source has the opposite, and never the word, before what follows the word here: "exiting | L5 root"."""
    tail = re.match(r" ?[\w/]+" if said.isascii() else r".{2,6}?(?=[，。；、]|$|的)|.{4}", said[found.end() :])
    if not tail or len(tail[0].strip()) < 2:
        return False
    before = list(re.finditer(re.escape(tail[0]), source))
    heads = [source[max(0, match.start() - 16) : match.start()] for match in before]
    opposed = [any(head.endswith(m[0]) for m in opposite.finditer(head)) for head in heads]
    same = [any(head.endswith(m[0]) for m in word.finditer(head)) for head in heads]
    return any(opposed) and not any(same)


def names_in_source(item: Item, _: object) -> str:
    """Demand that each capitalised name inside a sentence is one of the quotes' or a word of the field."""
    if not (parts := _grounded(item)):
        return ""
    said = re.sub(r"(?m)^#.*$", "", parts.said)
    source = f"{parts.source}\n{item.provenance.source_title or ''}".lower()
    latin = _CAPITAL_IN_HAN.finditer(said) if item.language == "zh" else _CAPITAL.finditer(said)
    for match in [*latin, *_ET_AL.finditer(said)]:
        if match[0].lower() not in source and (match.re is _ET_AL or not is_known(match[0])):
            return "a name that is not in the quotes"
    return ""


def levels_by_finding(text: str, *, loose: bool = False) -> dict[str, frozenset[str]]:
    """Return the discs and vertebrae at which a text affirms each finding, where its clauses tell; see facts.bound_facts."""
    found: dict[str, set[str]] = defaultdict(set)
    for sentence in sentences(text):
        if loose or not is_negated(sentence):
            for clause, level in clauses_with_levels(sentence, loose=loose):
                for finding in named_in("findings", clause):
                    found[finding].add(level)
                    if loose:
                        found[finding].update(level.split("/"))
    return {finding: frozenset(levels) for finding, levels in found.items()}


def _grounded(item: Item) -> Parts | None:
    """The parts of an item that is held to its source.

    An explanation that speaks of the key may name wrong options, to say why they are wrong: they count as the source's.
    """
    if is_as_written(item):
        return None
    parts = parts_of(item)
    if item.task == "multiple_choice" and len(item.answer or "") == 1 and option_in(parts.key, parts.reasons):
        return replace(parts, source="\n".join((parts.source, *wrong_options(item))))
    return parts


def _bound_problem(parts: Parts, kind: str) -> str:
    """Compare what both say of one level."""
    said, held = bound_facts(parts.said), bound_facts(parts.source, loose=True)
    for (name, level), values in said.items():
        if name != kind or (kind, level) not in held:
            continue
        allowed = held[kind, level] | ({"left", "right"} if "both" in held[kind, level] else set())
        if {"left", "right"} <= allowed:
            allowed |= {"both"}
        if unknown := values - allowed:
            return (
                f"{kind} {', '.join(sorted(unknown))} at {level}, where the quotes say {', '.join(sorted(held[kind, level]))}"
            )
    return ""
