"""Notes that are one plain imaging report: put in order, explained and asked by level, in what they affirm alone."""

import re
from collections.abc import Iterator, Mapping, Sequence

from dataset_builders.document import Document, Finding
from dataset_builders.generate.items import Choice, Draft, draft_choice, new_item
from dataset_builders.generate.rules.clinical_record import read_lines
from dataset_builders.generate.rules.draws import WRONG_OPTIONS, seeded, shuffle_options
from dataset_builders.generate.rules.level_options import (
    draw_wrong_levels,
    draw_wrong_roots,
    head_to_tail,
    is_disc,
    root_of_disc,
)
from dataset_builders.generate.rules.naming import (
    join_clauses,
    join_sentences,
    join_words,
    list_findings,
    name_finding,
    state_findings,
)
from dataset_builders.generate.rules.passages import sentences
from dataset_builders.generate.rules.reports import abnormal, distinct_names, format_report, quote_briefly, report_stem
from dataset_builders.generate.rules.text_findings import affirms_finding, find_findings
from dataset_builders.generate.rules.texts import load_advice, load_rules, sign
from dataset_builders.item import Item, Message
from dataset_builders.levels import parse_levels

NOTE_CHARACTERS = 1_500
"""A text without headings is read as one imaging report up to this length."""
NOTE_SECTIONS = ("imaging_findings", "diagnosis", "treatment", "diagnostic_basis")
"""Sections of a report on a plain imaging report: it says nothing of course, risk or operations."""
MAX_LEVEL_QUESTIONS = 3


def draft_imaging_note(document: Document) -> Iterator[Item]:
    """Draft a report, a consultation and questions on levels and roots; nothing if the note is longer than NOTE_CHARACTERS or
    affirms no finding at a level.
    """
    lines = read_lines(document.markdown)
    text = "\n".join(lines)
    findings = abnormal(find_findings(text)) if len(text) <= NOTE_CHARACTERS else ()
    if findings:
        yield _draft_report(document, lines, findings)
        yield _draft_consultation(document, text, findings)
        yield from _draft_level_questions(document, text, findings)
        yield from _draft_root_questions(document, text, findings)


def _draft_report(document: Document, lines: Sequence[str], findings: tuple[Finding, ...]) -> Item:
    """The note put in order by level, what follows from it and what does not: only the sections that it can fill. It proposes
    no operation, since an imaging report alone is no ground for one.
    """
    language = document.language
    rule = load_rules("cases")["note_report"]
    said = rule.first_phrasings(language)
    advice = _advise(findings, language)
    concluded = [f"{n}. {line[:1].upper()}{line[1:]}" for n, line in enumerate(list_findings(findings, language), 1)]
    unplaced = [s for line in lines for s in sentences(line) if not find_findings(s) and affirms_finding(s)]
    concluded += [said["also"].format(sentence=_close(sentence, language)) for sentence in unplaced]
    explanations = join_clauses([said["explanation"].format(**entry) for entry in advice], language)
    treatment = [
        said["patient"].format(explanations=explanations),
        *(said["clinician"].format(**entry) for entry in advice),
        said["no_operation"],
    ]
    bodies = (
        "\n".join(_order_by_level(lines, said["elsewhere"], language)),
        "\n".join([*concluded, said["correlate"]]),
        "\n".join(treatment),
        f"{said['basis']}\n{said['disclaimer']}",
    )
    report = format_report(bodies, language, NOTE_SECTIONS)
    stem = report_stem(seeded(document.id, rule.name), rule, language, "stem_text", "\n".join(lines), NOTE_SECTIONS)
    values = {
        "lines": quote_briefly(lines, language),
        "findings": state_findings(findings, language),
        "plain": join_clauses([entry["plain"] for entry in advice], language),
        "conservative": advice[0]["conservative"],
    }
    draft = Draft(
        "report", language, (Message("user", stem), Message("assistant", report)),
        answer=report, rubric=rule.write_rubric(language, values), axis="pathology_assessment",
    )  # fmt: skip
    return new_item(document, sign(document, rule, [stem, report]), draft)


def _advise(findings: Sequence[Finding], language: str) -> list[Mapping[str, str]]:
    """Name and general advice of each finding to be explained, weightiest first."""
    return [{"name": name_finding(name, language), **load_advice()[name][language]} for name in distinct_names(findings)]


def _order_by_level(lines: Sequence[str], elsewhere: str, language: str) -> list[str]:
    """A line a level or group of levels, head to tail, with the sentences of the note that name it; the others at the end."""
    at: dict[tuple[str, ...], list[str]] = {}
    for sentence in (sentence for line in lines for sentence in sentences(line)):
        parsed = parse_levels(sentence)
        names = tuple(head_to_tail(parsed.discs or parsed.vertebrae))
        at.setdefault(names, []).append(_without_heading(sentence))
    colon = "：" if language == "zh" else ": "
    order = head_to_tail(names[0] for names in at if names)
    return [
        f"- {join_words(names, language) or elsewhere}{colon}"
        f"{join_sentences([_close(said, language) for said in at[names]], language)}"
        for names in sorted(at, key=lambda names: (not names, order.index(names[0]) if names else 0, len(names)))
    ]


def _without_heading(sentence: str) -> str:
    """What follows the colon, if nothing but a level stands before it ("L4/L5 level: …")."""
    before, _, after = sentence.replace("：", ":").partition(":")
    is_heading = not re.search(r"[A-Za-z]{4,}", re.sub("level", "", before, flags=re.IGNORECASE))
    return after.strip() if after.strip() and is_heading and not re.search("[一-鿿]{5,}", before) else sentence


def _close(sentence: str, language: str) -> str:
    """A sentence begun with a capital and ended with a stop, as notes often are not."""
    sentence = sentence[:1].upper() + sentence[1:].rstrip(" ,;，；")
    return sentence if sentence[-1:] in ".!?。！？:" else sentence + ("。" if language == "zh" else ".")


def _draft_consultation(document: Document, text: str, findings: tuple[Finding, ...]) -> Item:
    language = document.language
    rule = load_rules("cases")["note_consultation"]
    said = rule.first_phrasings(language)
    rng = seeded(document.id, rule.name)
    advice = _advise(findings, language)
    weight = said["weight"].format(findings=state_findings(findings, language))
    turns = (
        (rule.say(rng, language, "first", record=text), [weight, *(said["explain"].format(**entry) for entry in advice)]),
        (
            rule.say(rng, language, "treatment_asked"),
            [*(said["treatment"].format(**entry) for entry in advice), said["decide"]],
        ),
        (rule.say(rng, language, "limits_asked"), [said["red_flags"], said["disclaimer"]]),
    )
    messages = [
        message
        for question, reply in turns
        for message in (Message("user", question), Message("assistant", join_sentences(reply, language)))
    ]
    return new_item(
        document,
        sign(document, rule, [message.text for message in messages]),
        Draft("consultation", language, messages, axis="pathology_assessment"),
    )


def _draft_level_questions(document: Document, text: str, findings: tuple[Finding, ...]) -> Iterator[Item]:
    """If a note names two levels or more: which one has the finding. Its other levels are the first wrong options."""
    language = document.language
    rule = load_rules("cases")["note_level"]
    named = list(dict.fromkeys(finding.level for finding in findings))
    made = 0
    for finding in findings:
        same = {other.level for other in findings if other.name == finding.name}
        others = [level for level in named if level not in same and is_disc(level) == is_disc(finding.level)]
        if len(same) > 1 or not others or made == MAX_LEVEL_QUESTIONS:
            continue
        made += 1
        rng = seeded(document.id, rule.name, finding.name)
        drawn = draw_wrong_levels(rng, finding.level, without={*others, *same} - {finding.level})
        options, letter = shuffle_options(rng, finding.level, [*others, *drawn][:WRONG_OPTIONS])
        name = name_finding(finding, language)
        stem = rule.say(rng, language, "stem", record=text, finding=name)
        rationale = rule.say(rng, language, "rationale", finding=name, level=finding.level)
        choice = Choice(stem, options, letter, rationale)
        yield new_item(
            document,
            sign(document, rule, [stem, list(options)]),
            draft_choice(choice, language, axis="level_identification", about=(finding.level,)),
        )


def _draft_root_questions(document: Document, text: str, findings: tuple[Finding, ...]) -> Iterator[Item]:
    """The root that a note's one herniation or lateral stenosis may compress: find the level, then know the anatomy."""
    language = document.language
    rule = load_rules("cases")["note_root"]
    for name in ("disc_herniation", "subarticular_stenosis"):
        levels = [finding.level for finding in findings if finding.name == name]
        root = root_of_disc(levels[0], "traversing") if len(levels) == 1 else None
        if root is None:
            continue
        rng = seeded(document.id, rule.name, name)
        say = rule.first_phrasings(language)["option"].format
        options, letter = shuffle_options(rng, say(root=root), [say(root=other) for other in draw_wrong_roots(rng, root)])
        called = name_finding(name, language)
        stem = rule.say(rng, language, "stem", record=text, finding=called)
        rationale = rule.say(rng, language, "rationale", finding=called, level=levels[0], root=root)
        choice = Choice(stem, options, letter, rationale)
        yield new_item(
            document,
            sign(document, rule, [stem, list(options)]),
            draft_choice(choice, language, axis="surgical_planning", about=levels),
        )
