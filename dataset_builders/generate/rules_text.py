"""Questions over books, guidelines, consensus papers and articles: answers are the source's own words."""

import re
from collections.abc import Iterator, Sequence
from itertools import islice

from dataset_builders.document import Document, Figure, Item, Message
from dataset_builders.generate.items import choice_messages, load_rules, new_item, seeded, shuffle_options, sign
from dataset_builders.generate.level_options import is_disc, near_levels
from dataset_builders.generate.passages import POINTER, Section, is_prose, plain_text, sections, sentences
from dataset_builders.levels import parse_levels

MAX_CLOZES = 60
"""Level clozes a document: about what a 140-page guideline holds; a 1,000-page book must not outweigh twenty articles."""
MAX_SECTIONS = 60
MAX_FIGURES = 60
MAX_RECOMMENDATIONS = 40

ANSWER_CHARACTERS = (120, 2400)
"""Shortest and longest answer to a section question, in characters (Chinese: half)."""
CAPTION_CHARACTERS = (30, 420)
WRONG_OPTIONS = 3
BLANK = "____"

# One level as written in text; the parser decides what it means, this finds where it stands.
_WRITTEN = re.compile(
    r"(?<![A-Za-z0-9/\-–])(?:[CTLS]\d{1,2}\s*(?:[-–/]\s*[CTLS]?\d{1,2})?)(?![\d/A-Za-z])"
    r"|第\s*[一二三四五六七八九十\d]{1,2}\s*(?:颈椎|胸椎|腰椎|骶椎)(?:椎体)?|[颈胸腰骶]\s*\d{1,2}(?:\s*[-–~～/]\s*[颈胸腰骶]?\s*\d{1,2})?"
    r"|\b(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|eleventh|twelfth)\s+(?:cervical|"
    r"thoracic|lumbar|sacral)\s+vertebra\b",
    re.IGNORECASE,
)
# What still names the level when its number is gone: "the second cervical (____) vertebra".
_ORDINAL = re.compile(
    r"\b(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|eleventh|twelfth|last|\d+(?:st|nd|rd|th))\s+"
    r"(?:cervical|thoracic|lumbar|sacral|vertebra)|第.{1,3}[颈胸腰骶]",
    re.IGNORECASE,
)
# Statements about one patient or study, or that lean on the sentence before, cannot be answered alone.
_NARRATIVE = re.compile(
    r"\b(?:patients?|he|she|his|her|we|our|us|was|were|underwent|year-old|case|study|studies|cohort|participants?|"
    r"group|table|figure)\b|患者|病人|本例|病例|该研究|岁|我们|本组",
    re.IGNORECASE,
)
_LEANS_BACK = re.compile(
    r"^(?:this|that|these|those|it|its|they|their|such|here|however|therefore|thus|also|in addition|moreover|"
    r"the latter|the former)\b|^(?:其|该|此|这|它|因此|但|而)",
    re.IGNORECASE,
)
_EMPTY_TITLES = re.compile(
    r"^(?:\d[\d.]*\s*)?(?:introduction|background|abstract|summary|methods?|materials? and methods|results?|"
    r"discussion|references?|bibliography|funding|"
    r"acknowledge?ments?|conflicts?.*|competing.*|author.*|ethic.*|consent.*|data availability.*|abbreviations?|"
    r"supplement.*|appendi(?:x|ces).*|"
    r"recommendations?|.*peer review|guideline .*|scope.*|methodology.*|research (?:priorities|needs).*|"
    r"contents|table of contents|index|learning objectives|key terms|review questions|critical thinking.*|"
    r"publisher.*|keywords?|disclosures?|"
    r"case (?:report|presentation|description)s?|limitations?|study (?:selection|design|population|"
    r"characteristics).*|(?:inclusion|exclusion|eligibility) criteria.*|search strategy.*|data (?:extraction|"
    r"collection|analysis|synthesis|sources).*|statistical analys[ie]s.*|.*quality assessment.*|"
    r"patients?.{0,12}selection|participants?|outcome (?:measures?|indexes).*|research in context|"
    r"supporting points|timeline|footnotes?|notes?|interactive link.*|chapter \d+|"
    r"引言|前言|摘要|方法|结果|讨论|参考文献|致谢|目录|附录|关键词)$",
    re.IGNORECASE,
)
_CONCLUSION = re.compile(r"^(?:\d[\d.]*\s*)?(?:conclusions?|concluding remarks|结论|小结)$", re.IGNORECASE)
_RECOMMENDATION = re.compile(
    r"\b(we recommend against|we suggest against|we recommend(?! against)|we suggest(?! against)|"
    r"there is insufficient evidence to recommend for or against)\s+\S.{5,300}$",
    re.IGNORECASE,
)


def draft_text(document: Document) -> Iterator[Item]:
    """Every text and figure item of a document of prose, in the document's language."""
    parts = sections(document.markdown)
    yield from islice(_level_clozes(document, parts), MAX_CLOZES)
    yield from islice(_section_questions(document, parts), MAX_SECTIONS)
    if document.provenance.source_kind in ("guideline", "consensus") and document.language == "en":
        yield from islice(_recommendations(document, parts), MAX_RECOMMENDATIONS)
    yield from draft_figures(document)


def draft_figures(document: Document) -> Iterator[Item]:
    """Items that show one of the document's captioned figures."""
    figures = [
        figure for figure in document.figures if figure.image_sha256 and len(caption_of(figure)) >= CAPTION_CHARACTERS[0]
    ]
    for figure in figures[:MAX_FIGURES]:
        yield from _figure_caption(document, figure, figures)
        yield from _figure_level(document, figure)
        yield from _figure_description(document, figure)


def caption_of(figure: Figure) -> str:
    """The caption as prose, without its own label and cut at a sentence to CAPTION_CHARACTERS."""
    text = re.sub(rf"^\s*{POINTER.pattern}\s*[.:|：。、]?\s*", "", plain_text(figure.caption), flags=re.IGNORECASE)
    return _within(sentences(text), CAPTION_CHARACTERS[1])


def _level_clozes(document: Document, parts: Sequence[Section]) -> Iterator[Item]:
    if document.provenance.source_kind == "case_report":
        return  # a case's levels are facts about one patient, which no reader can know
    rule = load_rules("text")["level_cloze"]
    seen: set[str] = set()
    for part in parts:
        for paragraph in part.paragraphs:
            for sentence in sentences(paragraph):
                masked = mask_level(sentence) if _stands_alone(sentence) else None
                if masked is None or sentence in seen:
                    continue
                seen.add(sentence)
                blanked, level = masked
                rng = seeded(document.id, rule.name, sentence)
                options, letter = shuffle_options(rng, level, near_levels(level)[:WRONG_OPTIONS])
                title = _topic(part, document)
                stem = rule.say(rng, document.language, "stem", title=title, sentence=blanked)
                rationale = rule.say(rng, document.language, "rationale", sentence=sentence)
                yield new_item(
                    document, sign(document, rule, [sentence]), "multiple_choice",
                    choice_messages(stem, options, letter, rationale),
                    language=document.language, options=options, answer=letter, axis="level_identification",
                    about=(level,), context=(paragraph,), locator=_place(part),
                )  # fmt: skip


def mask_level(sentence: str) -> tuple[str, str] | None:
    """``sentence`` with its one level blanked, and that level; None where it names none, several, or one not found in it."""
    levels = parse_levels(sentence)
    if len(levels.discs) > 1 or levels.nerve_roots or not levels.vertebrae:
        return None
    if len(levels.discs) == 1:
        level = levels.discs[0]
        if set(levels.vertebrae) - set(level.split("/")):
            return None
    elif len(levels.vertebrae) == 1:
        level = levels.vertebrae[0]
    else:
        return None
    written = [match.group() for match in _WRITTEN.finditer(sentence) if _means(match.group(), level)]
    blanked = sentence
    for one in written:
        blanked = blanked.replace(one, BLANK)
    rest = parse_levels(blanked)
    if not written or rest.vertebrae or rest.discs or rest.nerve_roots or _ORDINAL.search(blanked):
        return None
    return blanked, level


def _means(written: str, level: str) -> bool:
    if written.upper() == level:
        return True
    parsed = parse_levels(written)
    return level in (tuple(parsed.discs) if is_disc(level) else tuple(parsed.vertebrae))


def _stands_alone(sentence: str) -> bool:
    return (
        is_prose(sentence)
        and len(sentence) <= 400
        and not (_NARRATIVE.search(sentence) or _LEANS_BACK.search(sentence) or POINTER.search(sentence))
    )


def _section_questions(document: Document, parts: Sequence[Section]) -> Iterator[Item]:
    rule = load_rules("text")["section_question"]
    shortest, longest = (bound // (2 if document.language == "zh" else 1) for bound in ANSWER_CHARACTERS)
    for part in parts:
        whole = [sentence for paragraph in part.paragraphs for sentence in sentences(paragraph) if not POINTER.search(sentence)]
        answer = _within([sentence for sentence in whole if sentence[-1] in ".!?。！？" and sentence[0] not in "-•"], longest)
        if len(answer) < shortest or not _reads_well(answer):
            continue
        rng = seeded(document.id, rule.name, part.title, answer)
        if _CONCLUSION.match(part.title) and document.provenance.source_title:
            stem = rule.say(rng, document.language, "conclusion", title=document.provenance.source_title)
        elif document.provenance.source_kind == "case_report":
            continue  # its other sections tell one patient's story: rules_records.py asks about that
        elif part.title.endswith(("?", "？")):
            stem = part.title
        elif _is_topic(part.title):
            stem = rule.say(rng, document.language, "stem", title=_topic(part, document))
        else:
            continue
        yield new_item(
            document, sign(document, rule, [part.title, answer]), "open_ended",
            (Message("user", stem), Message("assistant", answer)),
            language=document.language, context=part.paragraphs[:1], locator=_place(part),
        )  # fmt: skip


def _recommendations(document: Document, parts: Sequence[Section]) -> Iterator[Item]:
    rule = load_rules("text")["recommendation"]
    options = rule.phrasings["en"]["options"]
    seen: set[str] = set()
    for part in parts:
        for sentence in (sentence for paragraph in part.paragraphs for sentence in sentences(paragraph)):
            sentence = re.sub(r"(?<=[a-z)]\.)[a-z]$", "", sentence)  # a footnote's letter
            match = _RECOMMENDATION.search(sentence)
            if not match or sentence in seen or POINTER.search(sentence) or len(_RECOMMENDATION.findall(sentence)) > 1:
                continue
            seen.add(sentence)
            letter = "ABCDE"[[option.lower() for option in options].index(match[1].lower())]
            rng = seeded(document.id, rule.name, sentence)
            blanked = sentence[: match.start(1)] + BLANK + sentence[match.end(1) :]
            stem = rule.say(rng, "en", "stem", title=document.provenance.source_title or part.title, sentence=blanked)
            rationale = rule.say(rng, "en", "rationale", sentence=sentence)
            yield new_item(
                document, sign(document, rule, [sentence]), "multiple_choice",
                choice_messages(stem, options, letter, rationale),
                language="en", options=options, answer=letter, axis="surgical_planning",
                context=(sentence,), locator=_place(part),
            )  # fmt: skip


def _figure_caption(document: Document, figure: Figure, figures: Sequence[Figure]) -> Iterator[Item]:
    rule = load_rules("text")["figure_caption"]
    right = caption_of(figure)
    rng = seeded(document.id, rule.name, figure.image_sha256 or "")
    others = sorted({caption_of(other) for other in figures if other.image_sha256 != figure.image_sha256} - {right})
    others = [other for other in others if other not in right and right not in other]
    if len(others) < 2:
        return
    # Captions of about the same length: the longest option must not give itself away.
    rng.shuffle(others)
    wrong = sorted(others, key=lambda other: abs(len(other) - len(right)))[:WRONG_OPTIONS]
    options, letter = shuffle_options(rng, right, wrong)
    stem = rule.say(rng, document.language, "stem", title=document.provenance.source_title or document.id)
    yield new_item(
        document, sign(document, rule, [figure.image_sha256, list(options)]), "multiple_choice",
        choice_messages(stem, options, letter, rule.say(rng, document.language, "rationale"), [figure.image_sha256 or ""]),
        language=document.language, options=options, answer=letter, axis="pathology_assessment",
        figure=figure, context=figure.context,
    )  # fmt: skip


def _figure_level(document: Document, figure: Figure) -> Iterator[Item]:
    rule = load_rules("text")["figure_level"]
    masked = mask_level(caption_of(figure)) if figure.image_modality in ("radiograph", "ct", "mri") else None
    if masked is None:
        return
    blanked, level = masked
    rng = seeded(document.id, rule.name, figure.image_sha256 or "")
    options, letter = shuffle_options(rng, level, near_levels(level)[:WRONG_OPTIONS])
    stem = rule.say(rng, document.language, "stem", sentence=blanked)
    rationale = rule.say(rng, document.language, "rationale", sentence=caption_of(figure))
    yield new_item(
        document, sign(document, rule, [figure.image_sha256, blanked]), "multiple_choice",
        choice_messages(stem, options, letter, rationale, [figure.image_sha256 or ""]),
        language=document.language, options=options, answer=letter, axis="level_identification",
        about=(level,), figure=figure, context=figure.context,
    )  # fmt: skip


def _figure_description(document: Document, figure: Figure) -> Iterator[Item]:
    rule = load_rules("text")["figure_description"]
    citing = [plain_text(paragraph) for paragraph in figure.context]
    about_it = [s for paragraph in citing for s in sentences(paragraph) if not POINTER.search(s) and is_prose(s)]
    separator = "" if document.language == "zh" else " "
    reply = separator.join(part for part in (caption_of(figure), _within(about_it, ANSWER_CHARACTERS[1] // 3)) if part)
    rng = seeded(document.id, rule.name, figure.image_sha256 or "")
    yield new_item(
        document, sign(document, rule, [figure.image_sha256, reply]), "open_ended",
        (Message("user", rule.say(rng, document.language, "stem"), (figure.image_sha256 or "",)), Message("assistant", reply)),
        language=document.language, figure=figure, context=figure.context,
    )  # fmt: skip


def _within(pieces: Sequence[str], longest: int) -> str:
    """As many whole sentences as fit in ``longest`` characters (the first one in any case, cut at a word)."""
    text = ""
    for piece in pieces:
        joined = f"{text} {piece}" if text and piece[:1].isascii() else text + piece
        if len(joined) > longest:
            break
        text = joined
    if text or not pieces:
        return text
    return pieces[0][:longest].rsplit(" ", 1)[0]


def _reads_well(text: str) -> bool:
    letters = sum(character.isalpha() or character.isspace() for character in text)
    return letters >= 0.8 * len(text) and "http" not in text


def _is_topic(title: str) -> bool:
    letters = sum(character.isalpha() for character in title)
    return (
        4 <= len(title) <= 120 and letters >= 0.6 * len(title) and not _EMPTY_TITLES.match(title) and not POINTER.match(title)
    )


def _topic(part: Section, document: Document) -> str:
    """What a passage is about: its heading where that says something, else the source's title."""
    title = re.sub(r"^(?:\d+(?:\.\d+)*\.?|[A-Z]\.|[IVX]+\.)\s+", "", part.title)
    if _is_topic(title):
        return title
    return document.provenance.source_title or title or document.id


def _place(part: Section) -> str:
    return f"section {part.title}" if part.title else ""
