"""Notes that are one plain imaging report: put in order, explained and asked about, in what they state alone.

A note whose every sentence is understood (text_findings.py) gives a report and a consultation; any other gives a Reject that
says why. All that is told of the case is written from its findings, never copied with its misspellings.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from dataset_builders.document import MASK, STRUCTURES, Compression, Document, Finding, Reject
from dataset_builders.generate.items import Choice, Draft, Origin, draft_choice, new_item
from dataset_builders.generate.rules.clinical_record import read_lines
from dataset_builders.generate.rules.denials import QUALIFIED, explain_denials
from dataset_builders.generate.rules.draws import WRONG_OPTIONS, seeded, shuffle_options
from dataset_builders.generate.rules.finding_words import describe, name_reported, press_name, site_name, state_reported
from dataset_builders.generate.rules.level_options import (
    draw_wrong_levels,
    draw_wrong_roots,
    head_to_tail,
    is_disc,
    root_of_disc,
)
from dataset_builders.generate.rules.naming import join_clauses, join_sentences, join_words
from dataset_builders.generate.rules.report_words import NORMAL
from dataset_builders.generate.rules.reports import (
    CENTRAL,
    URGENT,
    abnormal,
    format_report,
    is_urgent,
    report_stem,
    say_common,
)
from dataset_builders.generate.rules.text_findings import Statement, read_statements
from dataset_builders.generate.rules.texts import load_advice, load_rules, sign
from dataset_builders.item import Item, Message

NOTE_CHARACTERS = 1_500
"""A text without headings is read as one imaging report up to this length."""
MAX_EXPLAINED = 3
MAX_TREATED = 2
"""Kinds of finding that a note's items explain, and those whose care they speak of: the weightiest; all are told."""

# Findings whose general care is worth telling only if there is nothing weightier.
_MINOR = (
    "endplate_change", "annular_tear", "disc_narrowing", "facet_hypertrophy", "ligamentum_flavum_hypertrophy", "osteophytes",
    "haemangioma", "perineural_cyst", "straightened_curve", "muscle_spasm",
)  # fmt: skip
_NOT_OPERATED = (
    "marrow_oedema",
    "marrow_signal_change",
    "straightened_curve",
    "muscle_spasm",
    "endplate_change",
    "annular_tear",
)
_INSIDE = frozenset((*CENTRAL, "thecal_sac", "csf_space", "canal"))
"""What lies in the canal, between the two roots of a lumbar disc."""
_BELOW_CONUS = re.compile(r"(?:L[2-9]|S\d)\b")
"""Levels at which the canal holds the cauda equina alone (the conus ends at L1 or L1/L2 in most adults)."""


@dataclass(frozen=True, slots=True)
class _Note:
    """What a note says: its lines as written, its statements, and its findings, the urgent first."""

    document: Document
    lines: tuple[str, ...]
    statements: tuple[Statement, ...]
    findings: tuple[Finding, ...]

    @property
    def language(self) -> str:
        return self.document.language

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def stated(self) -> str:
        """The sentences that deny something or say that all is well, rightly spelt."""
        said = [s.sentence for s in self.statements if s.denied or (not s.findings and NORMAL.search(s.sentence))]
        return join_sentences([_close(sentence, self.language) for sentence in dict.fromkeys(said)], self.language)

    @property
    def advised(self) -> str:
        return join_clauses(dict.fromkeys(said for s in self.statements for said in s.advised), self.language)

    @property
    def urgent(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if is_urgent(finding))


def draft_imaging_note(document: Document) -> Iterator[Item | Reject]:
    """Draft a report, a consultation and at most one question on a level and one on a root, or say why there is none."""
    note = _read_note(document)
    if isinstance(note, Reject):
        yield note
        return
    yield _draft_report(note)
    yield _draft_consultation(note)
    yield from _draft_level_question(note)
    yield from _draft_root_question(note)


def _read_note(document: Document) -> _Note | Reject:
    """Read a note, or say why it is left: nothing of it is quoted, since it is a hospital's."""
    lines = tuple(read_lines(document.markdown))
    text = "\n".join(lines)
    if len(text) > NOTE_CHARACTERS:
        return Reject(
            document.id, "note_too_long", f"{len(text)} characters; a plain imaging report has {NOTE_CHARACTERS} at most"
        )
    statements = read_statements(text)
    findings = abnormal([finding for statement in statements for finding in statement.findings])
    unread = sum(bool(statement.unread) for statement in statements)
    problems = {
        "note_masked": re.search(MASK, text) and "words that it needs were masked",
        "note_postoperative": any(s.is_postoperative for s in statements) and "it speaks of an operation",
        "note_unread": unread and f"{unread} of {len(statements)} sentences are not understood in full (rules/report_words.py)",
        "note_contradicts_itself": _contradicts_itself(statements) and "it affirms and denies the same",
        "note_without_finding": not any(finding.level for finding in findings) and "it affirms no finding at a level",
    }
    for reason, problem in problems.items():
        if problem:
            return Reject(document.id, reason, str(problem))
    return _Note(document, lines, statements, findings)


def _contradicts_itself(statements: Sequence[Statement]) -> bool:
    """Whether a note denies outright, for all levels, what it affirms elsewhere ("no significant compression" is no denial)."""
    affirmed = {finding.name for s in statements for finding in s.findings if finding.certainty == "definite"}
    pressed = {
        entry.structure
        for s in statements
        for finding in s.findings
        for entry in finding.compression
        if entry.contact == "compresses"
    }
    for s in statements:
        if (
            "canal_stenosis" in affirmed
            and not s.findings
            and NORMAL.search(s.sentence)
            and re.search("canal|椎管", s.sentence)
        ):
            return True
        if s.findings or not s.denied or QUALIFIED.search(s.sentence):
            continue
        if affirmed & set(s.denied) or ("compresses" in s.denied and pressed & set(s.denied)):
            return True
    return False


def _draft_report(note: _Note) -> Item:
    """The note put in order by level, what follows from it and what does not."""
    language = note.language
    rule = load_rules("cases")["note_report"]
    said = rule.first_phrasings(language)
    advice = _advise(note, MAX_EXPLAINED)
    treated = _treated(note)
    concluded = [f"{n}. {_close(line, language)}" for n, line in enumerate(state_reported(note.findings, language), 1)]
    imaging = _order_by_level(note, said["elsewhere"])
    if note.stated:
        imaging.append("- " + said["stated"].format(sentences=note.stated))
    explained = said["patient"].format(
        explanations=join_clauses([said["explanation"].format(**entry) for entry in advice], language)
    )
    if note.urgent:
        first = join_clauses(state_reported(note.urgent, language), language)
        for_patient = [said["urgent"].format(findings=first), explained]
    else:
        for_patient = [explained, *([] if _beside_cord(note) else say_common(note.findings, language))]
    treatment = [
        join_sentences(for_patient, language),
        *(said["clinician_urgent" if note.urgent else "clinician"].format(**entry) for entry in treated),
        *([said["asked"].format(advised=note.advised)] if note.advised else []),
        said["specialist" if note.urgent else "no_operation"],
    ]
    operable = next((entry for entry in treated if entry["kind"] not in _NOT_OPERATED), None)
    after = said["postoperative"].format(**operable) if operable else said["not_operated"]
    basis = said["basis"].format(findings=join_clauses(state_reported(note.findings, language), language))
    bodies = (
        "\n".join(imaging),
        "\n".join([*concluded, said["correlate"]]),
        "\n".join(treatment),
        "\n".join(said["risk"].format(**entry) for entry in treated),
        join_sentences([said["no_record"], after], language),
        f"{join_sentences([basis, said['unseen']], language)}\n{said['disclaimer']}",
    )
    report = format_report(bodies, language)
    stem = report_stem(seeded(note.document.id, rule.name), rule, language, "stem_text", note.text)
    values = {
        "findings": join_clauses(state_reported(note.findings, language), language),
        "first": join_clauses(state_reported(note.findings, language)[:MAX_EXPLAINED], language),
        "plain": join_clauses([entry["plain"] for entry in advice], language),
        "conservative": treated[0]["conservative"],
        "risk": treated[0]["risk"],
    }
    draft = Draft(
        "report", language, (Message("user", stem), Message("assistant", report)),
        answer=report, rubric=rule.write_rubric(language, values), axis="pathology_assessment",
    )  # fmt: skip
    return new_item(note.document, sign(note.document, rule, [stem, report]), draft, _origin(note, report))


def _order_by_level(note: _Note, elsewhere: str) -> list[str]:
    """A line a level, head to tail, with its findings; those without a level at the end."""
    language = note.language
    told = [finding for statement in note.statements for finding in statement.findings]
    colon = "：" if language == "zh" else ": "
    lines = []
    for level in [*head_to_tail(finding.level for finding in told if finding.level), ""]:
        here = dict.fromkeys(finding for finding in told if finding.level == level)
        words = [describe(finding, language) for finding in here] if level else state_reported(list(here), language)
        if words:
            lines.append(f"- {level or elsewhere}{colon}{_close(join_clauses(words, language), language)}")
    return lines


def _draft_consultation(note: _Note) -> Item:
    language = note.language
    rule = load_rules("cases")["note_consultation"]
    rng = seeded(note.document.id, rule.name)

    def say(part: str, **values: object) -> str:
        return rule.say(rng, language, part, **values)

    told = list(note.findings)
    opening = []
    if note.urgent:
        opening.append(say("urgent", findings=join_clauses(state_reported(note.urgent, language), language)))
        told = [finding for finding in told if finding not in note.urgent]
    if told:
        part = "also" if note.urgent else "weight"
        opening.append(say(part, findings=join_clauses(state_reported(told, language), language)))
    if note.stated:
        opening.append(say("stated", sentences=note.stated))
    ways = rng.sample(rule.phrasings[language]["explain"], k=len(rule.phrasings[language]["explain"]))
    opening += [way.format(**entry) for way, entry in zip(ways, _advise(note, MAX_EXPLAINED), strict=False)]
    beside_cord = _beside_cord(note)
    opening += [] if beside_cord else say_common(note.findings, language)
    words = [*explain_denials(note.statements, note.findings, language), *_explain_structures(note)]
    opening += words
    if any(finding.certainty != "definite" for finding in note.findings):
        opening.append(say("unsure"))
    if beside_cord:
        part = "cervical_cord" if any(level.startswith("C") for level in beside_cord) else "thoracic_cord"
        opening.append(say(part, levels=join_words(beside_cord, language)))
    treated = _treated(note)
    begun = rule.phrasings[language]["needed" if note.urgent else "treatment"]
    care = [way.format(**entry) for way, entry in zip(rng.sample(begun, k=len(begun)), treated, strict=False)]
    care.append(say("surgery", **treated[0]))
    if note.advised:
        care.append(say("asked", advised=note.advised))
    care.append(say("decide_urgent" if note.urgent else "decide"))
    turns = (
        (say("first", record=note.text), opening),
        (say("treatment_asked"), care),
        (say("limits_asked"), [say("red_flags"), say("disclaimer")]),
    )
    messages = [
        message
        for question, reply in turns
        for message in (Message("user", question), Message("assistant", join_sentences(reply, language)))
    ]
    said = [message.text for message in messages]
    return new_item(
        note.document,
        sign(note.document, rule, said),
        Draft("consultation", language, messages, axis="pathology_assessment"),
        _origin(note, "\n".join(said), *words, *(opening[-1:] if beside_cord else []), turns[2][1][0]),
    )


def _draft_level_question(note: _Note) -> Iterator[Item]:
    """If a note has a herniation or a slip at one level and something else at another: at which level the meaning of it is."""
    language = note.language
    rule = load_rules("cases")["note_level"]
    said = rule.first_phrasings(language)
    named = list(dict.fromkeys(finding.level for finding in note.findings if is_disc(finding.level)))
    for name in ("disc_herniation", "spondylolisthesis"):
        same = [finding for finding in note.findings if finding.name == name]
        levels = {finding.level for finding in same}
        others = [level for level in named if level not in levels]
        if len(levels) != 1 or not others or "" in levels or any(finding.certainty != "definite" for finding in same):
            continue
        if name == "disc_herniation" and any(
            f.name == "disc_bulge" and {"focal", "broad"} & set((f.grade or "").split()) for f in note.findings
        ):
            continue
        (level,) = levels
        rng = seeded(note.document.id, rule.name, name)
        drawn = draw_wrong_levels(rng, level, without=set(others))
        options, letter = shuffle_options(rng, level, [*others, *drawn][:WRONG_OPTIONS])
        stem = rule.say(rng, language, "stem", record=note.text, meaning=said[name])
        statement = describe(replace(same[0], compression=_urgent_pressure(same[0])), language)
        choice = Choice(stem, options, letter, said["rationale"].format(statement=statement, meaning=said[name], level=level))
        draft = draft_choice(choice, language, axis="level_identification", about=(level,))
        yield new_item(note.document, sign(note.document, rule, [stem, list(options)]), draft, _origin(note, "", said[name]))
        return


def _draft_root_question(note: _Note) -> Iterator[Item]:
    """The root that a note's one lateral herniation meets, by level and site, if the note neither names nor contradicts it."""
    language = note.language
    rule = load_rules("cases")["note_root"]
    lateral = [finding for finding in note.findings if finding.name == "disc_herniation" and finding.side in ("left", "right")]
    named = any(entry.root for finding in note.findings for entry in finding.compression)
    denied = any("nerve_root" in statement.denied for statement in note.statements)
    if len(lateral) != 1 or named or denied:
        return
    (finding,) = lateral
    root, why = root_at_risk(finding)
    if root is None:
        return
    rng = seeded(note.document.id, rule.name, finding.name)
    say = rule.first_phrasings(language)
    beside = root_of_disc(finding.level, "traversing" if why == "exiting" else "exiting")
    drawn = draw_wrong_roots(rng, root)
    wrong = list(dict.fromkeys([*([beside] if beside and beside != root else []), *drawn]))[:WRONG_OPTIONS]
    options, letter = shuffle_options(
        rng, say["option"].format(root=root), [say["option"].format(root=other) for other in wrong]
    )
    (stated,) = state_reported([replace(finding, compression=())], language)
    stem = rule.say(rng, language, "stem", record=note.text, finding=stated)
    site = site_name(finding.site or "", language)
    general = say[why].format(site=site)
    rationale = say["rationale"].format(rule=general, site=site, level=finding.level, root=root)
    if pressure := _urgent_pressure(finding):
        statement = describe(replace(finding, compression=pressure), language)
        rationale = join_sentences([rationale, say["urgent"].format(statement=statement)], language)
    choice = Choice(stem, options, letter, rationale)
    draft = draft_choice(choice, language, axis="surgical_planning", about=(finding.level,))
    yield new_item(note.document, sign(note.document, rule, [stem, list(options)]), draft, _origin(note, "", general))


def _urgent_pressure(finding: Finding) -> tuple[Compression, ...]:
    """What a finding presses on that makes it urgent: cord, conus, cauda equina."""
    return tuple(entry for entry in finding.compression if entry.structure in CENTRAL and entry.contact != "touches")


def root_at_risk(finding: Finding) -> tuple[str | None, str]:
    """Return the nerve root that a herniation of one known site meets, and the reason: "traversing", "exiting" or "cervical".

    Lumbar: paracentral, posterolateral and subarticular ones meet the traversing root, foraminal and extraforaminal ones the
    exiting root.
    Cervical: the root of the foramen for all but central ones (C5/C6: C6; C7/T1: C8). None if the site is unknown or there are
    two, the fragment has moved, the report is unsure, or it names a structure that another root would pass: a lumbar foraminal
    one that reaches the sac may meet the traversing root, unless the report names the exiting one.
    """
    grade = finding.grade or ""
    if finding.certainty != "definite" or "migrated" in grade or "sequestration" in grade or not is_disc(finding.level):
        return None, ""
    pressed = {entry.structure for entry in finding.compression}
    is_cervical = finding.level.startswith("C")
    if finding.site in ("paracentral", "posterolateral", "subarticular"):
        if is_cervical:
            return root_of_disc(finding.level, "exiting"), "cervical"
        if pressed & {"exiting_root", "foramen"}:
            return None, ""
        return root_of_disc(finding.level, "traversing"), "traversing"
    if finding.site in ("foraminal", "extraforaminal"):
        reaches_in = not is_cervical and pressed & _INSIDE and "exiting_root" not in pressed
        if reaches_in or pressed & {"traversing_root", "lateral_recess"}:
            return None, ""
        return root_of_disc(finding.level, "exiting"), "cervical" if is_cervical else "exiting"
    return None, ""


def _advise(note: _Note, most: int) -> list[Mapping[str, str]]:
    """Name and general advice of the weightiest kinds of finding."""
    entries: dict[str, Mapping[str, str]] = {}
    for finding in note.findings:
        presses = finding.name not in (*URGENT, "canal_stenosis", "spondylolisthesis") and is_urgent(finding)
        kind = "neural_compression" if presses else "fracture" if finding.name == "wedge_fracture" else finding.name
        name = press_name(finding, note.language) if kind == "neural_compression" else name_reported(finding, note.language)
        advice = load_advice(below_conus=_is_below_conus(note, finding.name))[kind][note.language]
        entries.setdefault(kind, {"kind": kind, "name": name, **advice})
    return list(entries.values())[:most]


def _is_below_conus(note: _Note, name: str) -> bool:
    """Whether all findings of a name are where there is no spinal cord; a report that names cord or conus there is believed."""
    findings = [finding for finding in note.findings if finding.name == name]
    pressed = {entry.structure for finding in findings for entry in finding.compression}
    return all(_BELOW_CONUS.match(finding.level) for finding in findings) and not pressed & {"cord", "conus"}


def _treated(note: _Note) -> list[Mapping[str, str]]:
    """Advice on the kinds whose care is told: beside an urgent finding the urgent alone."""
    if note.urgent:
        return _advise(replace(note, findings=note.urgent), MAX_TREATED)
    advice = _advise(note, len(note.findings))
    return [entry for entry in advice if entry["kind"] not in _MINOR][:MAX_TREATED] or advice[:1]


def _explain_structures(note: _Note) -> list[str]:
    """Say in plain words what the structures are that the report names as pressed on."""
    said = load_rules("cases")["structures"].first_phrasings(note.language)
    pressed = {entry.structure for finding in note.findings for entry in finding.compression}
    return list(dict.fromkeys(said[structure] for structure in STRUCTURES if structure in pressed))


def _beside_cord(note: _Note) -> list[str]:
    """The cervical and thoracic discs that press on the sac or the fluid around the cord, if nothing is urgent already."""
    pressing = [f.level for f in note.findings if f.level[:1] in ("C", "T") and is_disc(f.level) and f.compression]
    return [] if note.urgent else head_to_tail(pressing)


def _origin(note: _Note, said: str, *general: str) -> Origin:
    """The note's lines, and the texts of ours that ``said`` uses word for word."""
    used = [text for entry in _advise(note, len(note.findings)) for text in entry.values() if len(text) > 1 and text in said]
    advice = [text for text in used if text in _advice_texts(note.language)]
    return Origin(context=tuple(dict.fromkeys((*note.lines, *advice, *general))))


def _advice_texts(language: str) -> frozenset[str]:
    kinds = (load_advice(), load_advice(below_conus=True))
    return frozenset(text for advice in kinds for entry in advice.values() for text in entry[language].values())


def _close(sentence: str, language: str) -> str:
    """A sentence begun with a capital and ended with a stop, as notes often are not."""
    sentence = _capitalise(sentence).rstrip(" ,;，；")
    return sentence if sentence[-1:] in ".!?。！？:" else sentence + ("。" if language == "zh" else ".")


def _capitalise(text: str) -> str:
    return text[:1].upper() + text[1:]
