"""Case reports and hospital notes that tell a whole case: a report and a consultation in the record's own words."""

from collections.abc import Iterator, Sequence

from dataset_builders.document import Document, Figure, Reject
from dataset_builders.generate.items import Draft, Origin, new_item
from dataset_builders.generate.rules.clinical_record import Record, read_record
from dataset_builders.generate.rules.draws import seeded
from dataset_builders.generate.rules.imaging_notes import draft_imaging_note
from dataset_builders.generate.rules.reports import format_report, quote, quote_briefly, report_stem
from dataset_builders.generate.rules.texts import load_rules, sign
from dataset_builders.item import Item, Message

MAX_IMAGES = 4


def draft_record(document: Document) -> Iterator[Item | Reject]:
    """Draft the items of a case report or hospital note.

    A report and a consultation if the record tells history, imaging and treatment; for a note that is one short imaging
    report without headings, what ``draft_imaging_note`` makes of it.
    """
    published = document.provenance.source_kind == "case_report"
    record = read_record(document.markdown, told_in_one=published)
    if record.presentation and record.imaging and record.treatment:
        scans = [f for f in document.figures if f.image_sha256 and f.image_modality in ("radiograph", "ct", "mri")]
        if record.diagnosis:
            yield _draft_report(document, record, scans[:MAX_IMAGES])
        yield _draft_consultation(document, record, scans[:MAX_IMAGES])
    if not published and not record.presentation:
        yield from draft_imaging_note(document)


def _draft_report(document: Document, record: Record, figures: Sequence[Figure]) -> Item:
    language = document.language
    rule = load_rules("cases")["record_report"]
    said = rule.first_phrasings(language)
    bodies = [
        quote(record.imaging, language),
        quote(record.diagnosis, language),
        quote(record.treatment, language),
        quote(record.outcome, language) or said["not_said"],
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
    values = {part: quote_briefly(sentences, language) or said["not_said"] for part, sentences in parts.items()}
    images = _images(figures)
    draft = Draft(
        "report", language, (Message("user", stem, images), Message("assistant", report)),
        answer=report, rubric=rule.write_rubric(language, values), axis="surgical_planning",
    )  # fmt: skip
    return new_item(document, sign(document, rule, [stem, report, list(images)]), draft, _origin(figures))


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
    for part, sentences in later.items():
        if answer := quote(sentences, language):
            messages += [Message("user", rule.say(rng, language, part)), Message("assistant", answer)]
    closing = rule.first_phrasings(language)["disclaimer"]
    messages[-1] = Message("assistant", f"{messages[-1].text}\n\n{closing}")
    return new_item(
        document,
        sign(document, rule, [[message.text for message in messages], list(images)]),
        Draft("consultation", language, messages, axis="surgical_planning"),
        _origin(figures),
    )


def _images(figures: Sequence[Figure]) -> tuple[str, ...]:
    return tuple(figure.image_sha256 or "" for figure in figures)


def _origin(figures: Sequence[Figure]) -> Origin:
    return Origin(figures[0]) if figures else Origin(locator="the whole record")
