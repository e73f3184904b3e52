"""Case reports and hospital notes: reports, consultations and level questions from what the record itself says."""

import re
from collections.abc import Iterator, Sequence

from dataset_builders.document import Document, Figure, Finding
from dataset_builders.generate.items import WRONG_OPTIONS, choice_messages, load_rules, new_item, seeded, shuffle_options, sign
from dataset_builders.generate.rules.clinical_record import Record, affirms_finding, find_findings, read_lines, read_record
from dataset_builders.generate.rules.level_options import (
    draw_wrong_levels,
    draw_wrong_roots,
    head_to_tail,
    is_disc,
    root_of_disc,
)
from dataset_builders.generate.rules.naming import join_words, list_findings, load_advice, name_finding, state_findings
from dataset_builders.generate.rules.passages import sentences
from dataset_builders.generate.rules.reports import abnormal, distinct_names, format_report, report_stem
from dataset_builders.item import Criterion, Item, Message
from dataset_builders.levels import parse_levels
from dataset_builders.taxonomy import SCORED_DIMENSIONS

RECORD_CHARACTERS = 4_000
"""Longest record that a prompt quotes; longer ones are cut at a sentence."""
NOTE_CHARACTERS = 1_500
"""A text without headings is read as one imaging report up to this length."""
NOTE_SECTIONS = ("imaging_findings", "diagnosis", "treatment", "diagnostic_basis")
"""Sections of a report on a plain imaging report: it says nothing of course, risk or operations."""
MAX_LEVEL_QUESTIONS = 3
MAX_PICTURES = 4
CRITERION_CHARACTERS = 240


def draft_record(document: Document) -> Iterator[Item]:
    """A report and a consultation where the record tells history, imaging and treatment; where a document is one short imaging
    report without headings, a report, a consultation and level questions on it.
    """
    published = document.provenance.source_kind == "case_report"
    record = read_record(document.markdown, told_in_one=published)
    if record.presentation and record.imaging and record.treatment:
        scans = [f for f in document.figures if f.image_sha256 and f.image_modality in ("radiograph", "ct", "mri")]
        if record.diagnosis:
            yield _record_report(document, record, scans[:MAX_PICTURES])
        yield _record_consultation(document, record, scans[:MAX_PICTURES])
    lines = read_lines(document.markdown)
    text = "\n".join(lines)
    if not published and not record.presentation and 0 < len(text) <= NOTE_CHARACTERS:
        findings = abnormal(find_findings(text))
        if findings:
            yield _note_report(document, lines, findings)
            yield _note_consultation(document, text, findings)
            yield from _note_levels(document, text, findings)
            yield from _note_roots(document, text, findings)


def _record_report(document: Document, record: Record, figures: Sequence[Figure]) -> Item:
    language = document.language
    rule = load_rules("cases")["record_report"]
    said = {part: phrasings[0] for part, phrasings in rule.phrasings[language].items()}
    rng = seeded(document.id, rule.name)
    bodies = [
        _join(record.imaging, language),
        _join(record.diagnosis, language),
        _join(record.treatment, language),
        _join(record.outcome, language) or said["not_said"],
        _join(record.postoperative, language) or said["no_operation"],
        f"{said['basis']}\n{said['disclaimer']}",
    ]
    report = format_report(bodies, language)
    stem = report_stem(rng, rule, language, "stem_text", _join((*record.presentation, *record.imaging), language))
    values = {
        part: _shorten(getattr(record, part), language) or said["not_said"]
        for part in ("imaging", "diagnosis", "treatment", "outcome")
    }
    rubric = tuple(Criterion(d, rule.criteria[language][d].format(**values)) for d in SCORED_DIMENSIONS)
    images = tuple(figure.image_sha256 or "" for figure in figures)
    return new_item(
        document, sign(document, rule, [stem, report, list(images)]), "report",
        (Message("user", stem, images), Message("assistant", report)),
        language=language, answer=report, rubric=rubric, axis="surgical_planning",
        figure=figures[0] if figures else None, locator="" if figures else "the whole record",
    )  # fmt: skip


def _record_consultation(document: Document, record: Record, figures: Sequence[Figure]) -> Item:
    language = document.language
    rule = load_rules("cases")["record_consultation"]
    rng = seeded(document.id, rule.name)
    images = tuple(figure.image_sha256 or "" for figure in figures)
    told = _join(record.presentation, language)
    messages = [
        Message("user", rule.say(rng, language, "presentation", record=told), images),
        Message("assistant", _join(record.imaging, language)),
    ]
    for part in ("diagnosis", "treatment", "outcome"):
        answer = _join((*record.outcome, *record.postoperative) if part == "outcome" else getattr(record, part), language)
        if answer:
            messages += [Message("user", rule.say(rng, language, part)), Message("assistant", answer)]
    closing = rule.phrasings[language]["disclaimer"][0]
    messages[-1] = Message("assistant", f"{messages[-1].text}\n\n{closing}")
    return new_item(
        document, sign(document, rule, [[message.text for message in messages], list(images)]), "consultation", messages,
        language=language, axis="surgical_planning",
        figure=figures[0] if figures else None, locator="" if figures else "the whole record",
    )  # fmt: skip


def _note_report(document: Document, lines: Sequence[str], findings: tuple[Finding, ...]) -> Item:
    """The note put in order by level, what follows from it and what does not: only the sections that it can fill. It proposes
    no operation, since an imaging report alone is no ground for one.
    """
    language = document.language
    rule = load_rules("cases")["note_report"]
    said = {part: phrasings[0] for part, phrasings in rule.phrasings[language].items()}
    separator = "；" if language == "zh" else "; "
    advice = {name: load_advice()[name][language] for name in distinct_names(findings)}
    names = {name: name_finding(name, language) for name in advice}
    concluded = [f"{n}. {line[:1].upper()}{line[1:]}" for n, line in enumerate(list_findings(findings, language), 1)]
    unplaced = [s for line in lines for s in sentences(line) if not find_findings(s) and affirms_finding(s)]
    concluded += [said["also"].format(sentence=_close(sentence, language)) for sentence in unplaced]
    bodies = (
        "\n".join(_order_by_level(lines, said["elsewhere"], language)),
        "\n".join([*concluded, said["correlate"]]),
        "\n".join([
            said["patient"].format(
                explanations=separator.join(said["explanation"].format(name=names[n], plain=advice[n]["plain"]) for n in advice)
            ),
            *(said["clinician"].format(name=names[n], conservative=advice[n]["conservative"]) for n in advice),
            said["no_operation"],
        ]),
        f"{said['basis']}\n{said['disclaimer']}",
    )  # fmt: skip
    report = format_report(bodies, language, NOTE_SECTIONS)
    stem = report_stem(seeded(document.id, rule.name), rule, language, "stem_text", "\n".join(lines), NOTE_SECTIONS)
    values = {
        "lines": _shorten(lines, language),
        "findings": state_findings(findings, language),
        "plain": separator.join(entry["plain"] for entry in advice.values()),
        "conservative": next(iter(advice.values()))["conservative"],
    }
    rubric = tuple(Criterion(d, rule.criteria[language][d].format(**values)) for d in SCORED_DIMENSIONS)
    return new_item(
        document, sign(document, rule, [stem, report]), "report", (Message("user", stem), Message("assistant", report)),
        language=language, answer=report, rubric=rubric, axis="pathology_assessment",
    )  # fmt: skip


def _order_by_level(lines: Sequence[str], elsewhere: str, language: str) -> list[str]:
    """A line a level or group of levels, head to tail, with the sentences of the note that name it; the others at the end."""
    at: dict[tuple[str, ...], list[str]] = {}
    for sentence in (sentence for line in lines for sentence in sentences(line)):
        parsed = parse_levels(sentence)
        names = tuple(head_to_tail(parsed.discs or parsed.vertebrae))
        before, _, after = sentence.replace("：", ":").partition(":")
        heads = bool(after.strip()) and not re.search(r"[A-Za-z]{4,}", re.sub("level", "", before, flags=re.IGNORECASE))
        at.setdefault(names, []).append(after.strip() if heads and not re.search("[一-鿿]{5,}", before) else sentence)
    colon, gap = ("：", "") if language == "zh" else (": ", " ")
    order = head_to_tail(names[0] for names in at if names)
    return [
        f"- {join_words(names, language) or elsewhere}{colon}{gap.join(_close(said, language) for said in at[names])}"
        for names in sorted(at, key=lambda names: (not names, order.index(names[0]) if names else 0, len(names)))
    ]


def _close(sentence: str, language: str) -> str:
    """A sentence begun with a capital and ended with a stop, as notes often are not."""
    sentence = sentence[:1].upper() + sentence[1:].rstrip(" ,;，；")
    return sentence if sentence[-1:] in ".!?。！？:" else sentence + ("。" if language == "zh" else ".")


def _note_consultation(document: Document, text: str, findings: tuple[Finding, ...]) -> Item:
    language = document.language
    rule = load_rules("cases")["note_consultation"]
    said = {part: phrasings[0] for part, phrasings in rule.phrasings[language].items()}
    rng = seeded(document.id, rule.name)
    gap = "" if language == "zh" else " "
    advice = {name: load_advice()[name][language] for name in distinct_names(findings)}
    names = {name: name_finding(name, language) for name in advice}
    stated = state_findings(findings, language)
    replies = (
        [said["weight"].format(findings=stated), *(said["explain"].format(name=names[n], **advice[n]) for n in names)],
        [*(said["treatment"].format(name=names[n], **advice[n]) for n in names), said["decide"]],
        [said["red_flags"], said["disclaimer"]],
    )
    questions = (
        rule.say(rng, language, "first", record=text),
        rule.say(rng, language, "treatment_asked"),
        rule.say(rng, language, "limits_asked"),
    )
    messages = [
        message
        for question, reply in zip(questions, replies, strict=True)
        for message in (Message("user", question), Message("assistant", gap.join(reply)))
    ]
    return new_item(
        document, sign(document, rule, [message.text for message in messages]), "consultation", messages,
        language=language, axis="pathology_assessment",
    )  # fmt: skip


def _note_levels(document: Document, text: str, findings: tuple[Finding, ...]) -> Iterator[Item]:
    """Where a note names two levels or more: which one has the finding. Its other levels are the first wrong options."""
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
        yield new_item(
            document, sign(document, rule, [stem, list(options)]), "multiple_choice",
            choice_messages(stem, options, letter, rationale),
            language=language, options=options, answer=letter, axis="level_identification", about=(finding.level,),
        )  # fmt: skip


def _note_roots(document: Document, text: str, findings: tuple[Finding, ...]) -> Iterator[Item]:
    """The root that a note's one herniation or lateral stenosis may compress: find the level, then know the anatomy."""
    language = document.language
    rule = load_rules("cases")["note_root"]
    for name in ("disc_herniation", "subarticular_stenosis"):
        levels = [finding.level for finding in findings if finding.name == name]
        root = root_of_disc(levels[0], "traversing") if len(levels) == 1 else None
        if root is None:
            continue
        rng = seeded(document.id, rule.name, name)
        say = rule.phrasings[language]["option"][0].format
        options, letter = shuffle_options(rng, say(root=root), [say(root=other) for other in draw_wrong_roots(rng, root)])
        called = name_finding(name, language)
        stem = rule.say(rng, language, "stem", record=text, finding=called)
        rationale = rule.say(rng, language, "rationale", finding=called, level=levels[0], root=root)
        yield new_item(
            document, sign(document, rule, [stem, list(options)]), "multiple_choice",
            choice_messages(stem, options, letter, rationale),
            language=language, options=options, answer=letter, axis="surgical_planning", about=levels,
        )  # fmt: skip


def _join(said: Sequence[str], language: str) -> str:
    """Sentences in one paragraph, cut at a sentence to RECORD_CHARACTERS."""
    text = ""
    for sentence in said:
        joined = text + ("" if language == "zh" or not text else " ") + sentence
        if len(joined) > RECORD_CHARACTERS:
            break
        text = joined
    return text


def _shorten(said: Sequence[str], language: str) -> str:
    text = _join(said, language)
    return text if len(text) <= CRITERION_CHARACTERS else text[:CRITERION_CHARACTERS].rsplit(" ", 1)[0] + " …"
