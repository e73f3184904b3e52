"""A clinical record or published case, cut into what was told, seen, concluded, done and what became of it."""

import re
from dataclasses import dataclass, fields

from dataset_builders.document import MASK
from dataset_builders.figures.captions import find_references, is_caption
from dataset_builders.generate.rules.masks import without_masks
from dataset_builders.generate.rules.passages import plain_text, sentences
from dataset_builders.levels import parse_levels


@dataclass(frozen=True, slots=True)
class Record:
    """Sentences of a case, in the record's words; () if the record says nothing of it."""

    presentation: tuple[str, ...] = ()
    imaging: tuple[str, ...] = ()
    diagnosis: tuple[str, ...] = ()
    treatment: tuple[str, ...] = ()
    outcome: tuple[str, ...] = ()
    postoperative: tuple[str, ...] = ()


PARTS = tuple(field.name for field in fields(Record))

_TITLES = {
    "postoperative": r"post-?\s?operative|aftercare|rehabilitation|术后|康复",
    "outcome": r"risk|prognosis|outcome|follow-?\s?up|预后|转归|随访|风险",
    "imaging": r"imaging|radiolog|diagnostic assessment|\bmri\b|\bct\b|investigation|results?$|影像|辅助检查|检查所见",
    "treatment": r"treatment|\bmanagement|therap|surg(?:ery|ical)|intervention|operation|plan$|治疗|手术|处理|处置",
    "diagnosis": r"diagnos[ie]s|impression|assessment|诊断|印象",
    "presentation": r"chief complaint|complaint|history|case (?:report|presentation|description|summary)|^cases?\b|"
    r"patient information|"
    r"clinical (?:findings|presentation|features)|examination|subjective|主诉|现病史|病史|体格检查|查体|专科检查|病例",
}
_PASSED_OVER = re.compile(
    r"discussion|introduction|background|conclusion|abstract|reference|consent|funding|medications?|allerg|"
    r"review of systems|family|social|past medical|name|address|phone|hospital|signed|"
    r"既往史|家族史|个人史|讨论|结论|参考文献|前言|引言|摘要|姓名|住址|电话|医院|签名",
    re.IGNORECASE,
)
_INLINE_TITLE = re.compile(r"^\s*(?:\*\*)?([A-Z][A-Z &/,\-]{3,60}|[一-鿿]{2,12})(?:\*\*)?\s*[:：]\s*(?:\*\*)?\s*(\S.*)$")
_TITLE_LINE = re.compile(r"^\s*(?:#{1,6}\s+(.+?)|\*\*(.{3,60})\*\*|([A-Z][A-Z &/,\-]{3,60}|[一-鿿]{2,10}))\s*[:：]?\s*$")

# Published cases often tell all under one heading: then the sentence says what it is about.
_TOLD = re.compile(
    r"\b(?:histor(?:y|ies) of|complain\w*|presented (?:to|with)|was (?:admitted|referred)|denie[sd]|"
    r"(?:physical|neurological|clinical) examination|on examination|reflex(?:es)?|"
    r"(?:muscle )?(?:strength|power) (?:was|were)|tenderness|"
    r"\bscores? (?:was|were)|straight leg|babinski|hoffmann|previously|years? (?:ago|before|earlier)|"
    r"prior to)\b|既往|年前|主诉|查体|病史",
    re.IGNORECASE,
)
_TESTED = re.compile(
    r"\b(?:laboratory|blood (?:count|tests?|routine)|serum|c-reactive|sedimentation|cultures?|"
    r"biops(?:y|ies)|histolog\w+|histopatholog\w+|"
    r"pathological examination|t-score|bone density)\b|化验|血常规|病理",
    re.IGNORECASE,
)
_IMAGED = re.compile(
    r"\b(?:mri?s?|magnetic resonance|ct|computed tomography|radiograph\w*|x-?rays?|scans?|scintigraphy|myelogra\w+|"
    r"ultraso\w+|sonograph\w*)\b"
    r"|影像|平片|磁共振|扫描",
    re.IGNORECASE,
)
_CONCLUDED = re.compile(r"\bdiagnos(?:is|es|ed)\b|consistent with|suggestive of|诊断|考虑为", re.IGNORECASE)
_CHANGED = re.compile(
    r"\b(?:initial(?:ly)?|preliminary|provisional(?:ly)?|first|wrongly|mis)-?\s?(?:\w+ )?diagnos\w+|"
    r"diagnos\w+ (?:was|were) (?:amended|revised|changed|"
    r"corrected)|suspected of|初步诊断|误诊|修正诊断",
    re.IGNORECASE,
)
_DONE = re.compile(
    r"\bunderwent\b|\b(?:was|were) (?:treated|operated|managed|excised|resected|removed|fixed|advised|started on|"
    r"prescribed|taught)\b|"
    r"\b(?:surgery|operation|excision|resection|fixation|fusion|laminectomy|discectomy|kyphoplasty|vertebroplasty|"
    r"decompression)\b[^.]{0,60}"
    r"\b(?:was|were)\b|treated conservatively|行.{1,20}术|给予|予以",
    re.IGNORECASE,
)
_FOLLOWED = re.compile(
    r"follow-?\s?up|followed up|\b(?:days?|weeks?|months?|years?) (?:later|after|post)|recover|"
    r"discharged|asymptomatic|"
    r"post-?operative|uneventful|\bat (?:\w+ )?(?:weeks?|months?|years?)\b|随访|出院|恢复|术后",
    re.IGNORECASE,
)
_FORMALITY = re.compile(
    r"\b(?:(?:informed|written|verbal) consent|consented|consent (?:was|for)|ethic(?:s|al)|"
    r"institutional review|helsinki|this report|"
    r"publication of|literature review|we (?:report|present|describe) (?:a|the|this))\b|知情同意|伦理",
    re.IGNORECASE,
)
"""Sentences about the report itself, its consent or its ethics, which are no part of a case."""
_PANEL = re.compile(r"^\s*[(（][A-Ha-h](?:\s*[,–-]\s*[A-Ha-h])*[)）]\s")
_MANY_CASES = re.compile(
    r"^(?:methods?|materials|patients|results|statistical|study|participants|方法|结果|资料)", re.IGNORECASE
)
_PERSON = re.compile(
    rf"^(?:(?:Mr|Mrs|Ms|Miss)\.? )?{MASK}(?= (?:is|was|has|had|reports?|presents?|presented|denies|"
    rf"states|notes|describes|comes|came|returns|"
    rf"complains|underwent|does)\b)|\b(?:Mr|Mrs|Ms|Miss)\.? {MASK}(?= (?:is|was|has|had|reports?|denies|states)\b)",
)
"""The mask of the patient's name where a sentence begins with it: "[NAME 1] is a pleasant …"."""


_EXAMINATION = re.compile(
    r"^(?:(?:mri?|ct|x-?rays?|radiographs?|scan|report|of|the|for|lss|ls|lumbar|lumbo-?sacral|"
    r"cervical|thoracic|dorsal|spine|"
    r"without|with|contrast|findings?|impression|conclusion)\b[\s:.,&-]*)+$",
    re.IGNORECASE,
)
_BESIDE_LEVELS = re.compile(r"\b(?:at|the|and|discs?|levels?|leve:l)\b", re.IGNORECASE)
_GOES_ON = re.compile(
    r"(?:and|with|compressing|associated|extending|causing|leading|abutting|encroaching|indenting|narrowing)\b", re.IGNORECASE
)
_NOTABENE = re.compile(r"^(?:n\.?b\b|note|incidental|other)", re.IGNORECASE)


class UnclearRecord(ValueError):
    """A record whose parts cannot be told apart; says why without quoting it."""


def read_record(markdown: str, *, told_in_one: bool) -> Record:
    """Cut a case into its parts by its headings ("IMAGING FINDINGS: …", "## Treatment", "诊断：…").

    told_in_one   a published case: sentences under "Case report" are sorted by what they speak of.

    Captions, consent and ethics, and what stands under abstract or discussion, are left out; so are masks of identifiers and
    sentences that hold nothing else (masks.without_masks); a name that begins a sentence becomes "the patient".

    Raises UnclearRecord for a published study of many patients, a diagnosis that is changed on the way, and a history or an
    examination told after treatment began.
    """
    if told_in_one and any(_MANY_CASES.match(title.lstrip("0123456789. ")) for title in _titles(markdown)):
        raise UnclearRecord("a study of more than one patient")
    found: dict[str, list[str]] = {part: [] for part in PARTS}
    for part, text in _segments(markdown):
        said = [
            _name_patient(without_masks(sentence)) for line in _paragraphs(text) for sentence in sentences(plain_text(line))
        ]
        said = [sentence for sentence in said if sentence and not find_references(sentence) and not _FORMALITY.search(sentence)]
        if told_in_one:
            if any(_CHANGED.search(sentence) for sentence in said):
                raise UnclearRecord("the diagnosis changes in the course of the case")
            for here, sentence in _sort_by_stage(said, part):
                found[here].append(sentence)
        else:
            found[part] += said
    return Record(**{part: tuple(dict.fromkeys(said)) for part, said in found.items()})


def _titles(markdown: str) -> list[str]:
    return [match[1] for match in re.finditer(r"^##\s+(.+)$", markdown, re.MULTILINE)]


def _paragraphs(text: str) -> list[str]:
    """Lines that are no captions, nor panels of one ("(A) CT of …")."""
    return [line for line in text.split("\n\n") if not is_caption(plain_text(line)) and not _PANEL.match(line)]


def _name_patient(sentence: str) -> str:
    return _PERSON.sub(lambda match: "The patient" if match.start() == 0 else "the patient", sentence)


def read_lines(markdown: str) -> list[str]:
    """Read the lines of a short imaging report: plain, without bullets, masks and the line that only names the examination.

    A line that is only a level or levels ("L4-L5 level:") goes before each of the lines below it that name none; a line that
    goes on in the middle of a sentence ("compressing …") is joined to the one before.
    """
    lines: list[str] = []
    level = ""
    for raw in markdown.splitlines():
        line = without_masks(plain_text(raw).lstrip("-•* "))
        if not line or _EXAMINATION.match(line) or re.fullmatch(r"n\.?b\.?\s*:?", line, re.IGNORECASE):
            continue
        parsed = parse_levels(line)
        if parsed.vertebrae and not re.search(r"[A-Za-z]{3,}|[一-鿿]{3,}", _BESIDE_LEVELS.sub("", line)):
            level = ", ".join(parsed.discs or parsed.vertebrae)
            continue
        if lines and _GOES_ON.match(line):
            lines[-1] = f"{lines[-1].rstrip('.')} {line}"
            continue
        if parsed.vertebrae or _NOTABENE.match(line):
            level = ""
        lines.append(f"{level}: {line}" if level else line)
    return lines


def _segments(markdown: str) -> list[tuple[str, str]]:
    """(part, text) in order; text under a heading that is no part of a case, and under its sub-headings, is left out."""
    segments: list[tuple[str, list[str]]] = []
    part: str | None = None
    closed = 0  # depth of the heading that is passed over
    for line in markdown.splitlines():
        if match := _TITLE_LINE.match(line):
            title = next(group for group in match.groups() if group)
            depth = len(line) - len(line.lstrip("#"))
            if closed and depth > closed:
                continue
            closed = depth if _PASSED_OVER.search(title) else 0
            part = _part_of(title) or (part if depth > 2 and not closed else None)
        elif (match := _INLINE_TITLE.match(line)) and (_part_of(match[1]) or _PASSED_OVER.search(match[1])):
            part = _part_of(match[1])
            line = match[2]
        if part and not closed and not _TITLE_LINE.match(line):
            if not segments or segments[-1][0] != part:
                segments.append((part, []))
            segments[-1][1].append(line)
    return [(part, "\n".join(lines)) for part, lines in segments]


def _part_of(title: str) -> str | None:
    if _PASSED_OVER.search(title):
        return None
    parts = [part for part, pattern in _TITLES.items() if re.search(pattern, title, re.IGNORECASE)]
    if parts[:1] == ["outcome"] and "treatment" in parts:
        return "treatment"  # "Treatment and follow-up"
    return parts[0] if parts else None


def _sort_by_stage(said: list[str], stage: str) -> list[tuple[str, str]]:
    """(part, sentence): one that says nothing itself goes with the one before; once treated, all is treatment or outcome.

    Raises UnclearRecord for a history or an examination told among treatment, which would be told as what came after it.
    """
    placed: list[tuple[str, str]] = []
    for sentence in said:
        here = stage
        if stage in ("treatment", "outcome", "postoperative"):
            if _FOLLOWED.search(sentence) or _IMAGED.search(sentence):
                here = stage = "outcome"
            elif stage == "treatment" and _TOLD.search(sentence):
                raise UnclearRecord("history or examination is told among treatment")
        elif _CONCLUDED.search(sentence) and not _TOLD.search(sentence):
            here = "diagnosis"
        elif _IMAGED.search(sentence):
            here = stage = "imaging"
        elif _TOLD.search(sentence) or _TESTED.search(sentence):
            here = stage = "presentation"
        elif _DONE.search(sentence):
            here = stage = "treatment"
        placed.append((here, sentence))
    return placed
