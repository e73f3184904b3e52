"""A clinical record or published case, cut into what was told, seen, concluded, done and what became of it."""

import re
from dataclasses import dataclass, fields

from dataset_builders.figures.captions import find_references
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
    "treatment": r"treatment|management|therap|surg(?:ery|ical)|intervention|operation|plan$|治疗|手术|处理|处置",
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
_EARLIER = re.compile(
    r"\bhistory of\b|\b(?:previously|years? (?:ago|before|earlier|previously)|prior to)\b|既往|年前", re.IGNORECASE
)
_IMAGED = re.compile(
    r"\b(?:mri?s?|magnetic resonance|ct|computed tomography|radiograph\w*|x-?rays?|scans?|scintigraphy|myelogra\w+|"
    r"ultraso\w+|sonograph\w*)\b"
    r"|影像|平片|磁共振|扫描",
    re.IGNORECASE,
)
_CONCLUDED = re.compile(
    r"\bdiagnos(?:is|es|ed)\b|consistent with|suggestive of|confirmed (?:the|a)\b|诊断|考虑为", re.IGNORECASE
)
_DONE = re.compile(
    r"\bunderwent\b|\b(?:was|were) (?:treated|operated|managed|excised|resected|removed|fixed|advised|started on|"
    r"prescribed)\b|"
    r"\b(?:surgery|operation|excision|resection|fixation|fusion|laminectomy|discectomy|kyphoplasty|vertebroplasty|"
    r"decompression)\b[^.]{0,60}"
    r"\b(?:was|were)\b|treated conservatively|行.{1,20}术|给予|予以",
    re.IGNORECASE,
)
_FOLLOWED = re.compile(
    r"follow-?up|\b(?:days?|weeks?|months?|years?) (?:later|after|post)|recover|discharged|asymptomatic|"
    r"post-?operative|uneventful|随访|出院|恢复|术后",
    re.IGNORECASE,
)


_EXAMINATION = re.compile(
    r"^(?:(?:mri?|ct|x-?rays?|radiographs?|scan|report|of|the|for|lss|ls|lumbar|lumbo-?sacral|cervical|thoracic|dorsal|spine|"
    r"without|with|contrast|findings?|impression|conclusion)\b[\s:.,&-]*)+$",
    re.IGNORECASE,
)
_BESIDE_LEVELS = re.compile(r"\b(?:at|the|and|discs?|levels?|leve:l)\b", re.IGNORECASE)
_GOES_ON = re.compile(r"(?:and|with|compressing|associated|extending|causing|leading|abutting|encroaching)\b")
_NOTABENE = re.compile(r"^(?:n\.?b\b|note|incidental|other)", re.IGNORECASE)


def read_record(markdown: str, *, told_in_one: bool) -> Record:
    """Cut a case into its parts by its headings ("IMAGING FINDINGS: …", "## Treatment", "诊断：…").

    told_in_one   a published case: sentences under "Case report" are sorted by what they speak of.

    Masks of identifiers, and sentences that hold nothing else, are left out (masks.without_masks).
    """
    found: dict[str, list[str]] = {part: [] for part in PARTS}
    for part, text in _segments(markdown):
        said = [without_masks(sentence) for sentence in sentences(plain_text(text)) if not find_references(sentence)]
        said = [sentence for sentence in said if sentence]
        if told_in_one and part in ("presentation", "treatment"):
            for stage, sentence in _sort_by_stage(said, part):
                found[stage].append(sentence)
        else:
            found[part] += said
    return Record(**{part: tuple(dict.fromkeys(said)) for part, said in found.items()})


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
    """(part, text) in order; text under a heading that is no part of a case is left out."""
    segments: list[tuple[str, list[str]]] = []
    part: str | None = None
    for line in markdown.splitlines():
        if match := _TITLE_LINE.match(line):
            part = _part_of(next(group for group in match.groups() if group))
        elif (match := _INLINE_TITLE.match(line)) and (_part_of(match[1]) or _PASSED_OVER.search(match[1])):
            part = _part_of(match[1])
            line = match[2]
        if part and not _TITLE_LINE.match(line):
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
    """(part, sentence): one that says nothing itself goes with the one before; once treated, all is treatment or outcome."""
    placed: list[tuple[str, str]] = []
    for sentence in said:
        here = stage
        if stage in ("treatment", "outcome"):
            here = stage = "outcome" if _FOLLOWED.search(sentence) or _IMAGED.search(sentence) else stage
        elif _EARLIER.search(sentence) and not _IMAGED.search(sentence):
            here = "presentation"
        elif _CONCLUDED.search(sentence):
            here = "diagnosis"
        elif _IMAGED.search(sentence):
            here = stage = "imaging"
        elif _DONE.search(sentence):
            here = stage = "treatment"
        placed.append((here, sentence))
    return placed
