"""Case reports and hospital notes that tell a whole case: a report and a consultation in the record's own words."""

import re
from collections.abc import Iterator, Sequence

from dataset_builders.document import MASK, Document, Figure, Reject
from dataset_builders.generate.items import Draft, Origin, new_item
from dataset_builders.generate.rules.clinical_record import PARTS, Record, UnclearRecord, read_record
from dataset_builders.generate.rules.draws import seeded
from dataset_builders.generate.rules.imaging_notes import draft_imaging_note
from dataset_builders.generate.rules.reports import RECORD_CHARACTERS, format_report, quote, quote_briefly, report_stem
from dataset_builders.generate.rules.texts import load_rules, sign
from dataset_builders.item import Item, Message

MAX_IMAGES = 4


def draft_record(document: Document) -> Iterator[Item | Reject]:
    """Draft the items of a case report or hospital note, or say why there are none.

    A report and a consultation if the record is of the spine and tells history, imaging and treatment apart; the report only if
    it tells diagnosis and course, too. A note that is one short imaging report without headings: see ``draft_imaging_note``.
    """
    published = document.provenance.source_kind == "case_report"
    try:
        record = read_record(document.markdown, told_in_one=published)
    except UnclearRecord as error:
        yield Reject(document.id, "record_unclear", str(error))
        return
    if not published and not record.presentation:
        if document.markdown.strip() and not _LABELLED.search(document.markdown):
            yield from draft_imaging_note(document)
        return
    if document.specialty != "spine":
        yield Reject(document.id, "record_other_region", f"specialty {document.specialty}, sub-field {document.subfield}")
    elif not (record.presentation and record.imaging and record.treatment):
        lacking = [part for part in ("presentation", "imaging", "treatment") if not getattr(record, part)]
        yield Reject(document.id, "record_incomplete", f"no {' and no '.join(lacking)}")
    elif any(re.search(MASK, sentence) for sentence in _context(record)):
        yield Reject(document.id, "record_masked", "words inside its sentences were masked: what they hid is needed")
    elif longest := next((part for part in PARTS if _length(getattr(record, part)) > RECORD_CHARACTERS), ""):
        yield Reject(document.id, "record_too_long", f"{longest} has more than {RECORD_CHARACTERS} characters")
    else:
        scans = [f for f in document.figures if f.image_sha256 and f.image_modality in ("radiograph", "ct", "mri")]
        if record.diagnosis and record.outcome:
            yield _draft_report(document, record, scans[:MAX_IMAGES])
        yield _draft_consultation(document, record, scans[:MAX_IMAGES])


def _length(said: Sequence[str]) -> int:
    return sum(map(len, said))


def _axis(record: Record) -> str:
    """Surgical planning if an operation is part of the treatment."""
    return "surgical_planning" if _OPERATED.search(" ".join(record.treatment)) else "pathology_assessment"


def _context(record: Record) -> tuple[str, ...]:
    return tuple(sentence for part in PARTS for sentence in getattr(record, part))


_LABELLED = re.compile(r"^# Hospital imaging series", re.MULTILINE)
_OPERATED = re.compile(
    r"\b(?:surg\w+|operat\w+|decompress\w+|fusion|fused|fixation|laminectomy|discectomy|kyphoplasty|vertebroplasty|screws?|resect\w+|"
    r"corpectomy|implant\w*)\b|手术|减压|融合|内固定|切除|成形",
    re.IGNORECASE,
)


def _draft_report(document: Document, record: Record, figures: Sequence[Figure]) -> Item:
    language = document.language
    rule = load_rules("cases")["record_report"]
    said = rule.first_phrasings(language)
    bodies = [
        quote(record.imaging, language),
        quote(record.diagnosis, language),
        quote(record.treatment, language),
        quote(record.outcome, language),
        quote(record.postoperative, language) or said["no_operation"],
        f"{said['basis']}\n{said['disclaimer']}",
    ]
    report = format_report(bodies, language)
    told = quote((*record.presentation, *record.imaging), language)
    stem = report_stem(seeded(document.id, rule.name), rule, language, "stem_text", told)
    parts = {
        "imaging": record.imaging,
        "diagnosis": record.diagnosis,
        "treatment": record.treatment,
        "outcome": record.outcome,
    }
    values = {part: quote_briefly(sentences, language) for part, sentences in parts.items()}
    images = _images(figures)
    draft = Draft(
        "report", language, (Message("user", stem, images), Message("assistant", report)),
        answer=report, rubric=rule.write_rubric(language, values), axis=_axis(record),
    )  # fmt: skip
    return new_item(document, sign(document, rule, [stem, report, list(images)]), draft, _origin(record, figures))


def _draft_consultation(document: Document, record: Record, figures: Sequence[Figure]) -> Item:
    language = document.language
    rule = load_rules("cases")["record_consultation"]
    rng = seeded(document.id, rule.name)
    images = _images(figures)
    messages = [
        Message("user", rule.say(rng, language, "presentation", record=quote(record.presentation, language)), images),
        Message("assistant", quote(record.imaging, language)),
    ]
    later = {
        "diagnosis": record.diagnosis,
        "treatment": record.treatment,
        "outcome": (*record.outcome, *record.postoperative),
    }
    hospital = document.provenance.source_kind != "case_report"
    for part, sentences in later.items():
        if answer := quote(sentences, language):
            asked = "outlook" if part == "outcome" and hospital else part
            messages += [Message("user", rule.say(rng, language, asked)), Message("assistant", answer)]
    closing = rule.first_phrasings(language)["disclaimer"]
    messages[-1] = Message("assistant", f"{messages[-1].text}\n\n{closing}")
    return new_item(
        document,
        sign(document, rule, [[message.text for message in messages], list(images)]),
        Draft("consultation", language, messages, axis=_axis(record)),
        _origin(record, figures),
    )


def _images(figures: Sequence[Figure]) -> tuple[str, ...]:
    return tuple(figure.image_sha256 or "" for figure in figures)


def _origin(record: Record, figures: Sequence[Figure]) -> Origin:
    if figures:
        return Origin(figures[0], _context(record))
    return Origin(context=_context(record), locator="the whole record")
