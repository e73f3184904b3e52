"""Questions over books, guidelines, consensus papers and articles: answers are the source's own words."""

import random
import re
from collections.abc import Iterator, Sequence
from itertools import islice

from dataset_builders.classify import classify_text
from dataset_builders.document import Document, Figure
from dataset_builders.figures.captions import cited_labels, find_references, is_caption, label_key, split_label
from dataset_builders.generate.items import (
    WRONG_OPTIONS,
    Rule,
    choice_messages,
    load_rules,
    new_item,
    seeded,
    shuffle_options,
    sign,
)
from dataset_builders.generate.rules.level_options import draw_wrong_levels
from dataset_builders.generate.rules.passages import (
    ABOUT_THE_WORK,
    LEANS_BACK,
    Section,
    is_debris,
    is_prose,
    join_within,
    plain_text,
    sections,
    sentences,
    teaching_passage,
)
from dataset_builders.item import LETTERS, Item, Message
from dataset_builders.language import detect_language
from dataset_builders.levels import find_levels

MAX_CLOZES = 60
"""Level clozes a document: about what a 140-page guideline holds; a 1,000-page book must not outweigh twenty articles."""
MAX_SECTIONS = 60
MAX_FIGURES = 60
MAX_RECOMMENDATIONS = 40

ANSWER_CHARACTERS = (120, 1600)
"""Shortest and longest answer to a section question, in characters (Chinese: half)."""
CAPTION_CHARACTERS = (30, 420)
"""Shortest and longest caption that is shown, in characters (shortest Chinese: a third)."""
EXPLANATION_CHARACTERS = 500
"""Longest explanation taken from the sentences that cite a figure."""
BLANK = "____"

# What still names the level when its number is gone: "the second cervical (____) vertebra".
_ORDINAL = re.compile(
    r"\b(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|eleventh|twelfth|last|\d+(?:st|nd|rd|th))\s+"
    r"(?:cervical|thoracic|lumbar|sacral|vertebra)|第.{1,3}[颈胸腰骶]",
    re.IGNORECASE,
)
# Bones with names of their own, in whose place no number reads well: "the tip of the ____ process".
_LEVELS_WITH_NAMES = ("C1", "C2", "C1/C2", "Co")
_NAME_OF_LEVEL = re.compile(r"\b(?:atlanto|atlas|axis|odontoid|dens\b|coccy)|[寰枢]|齿状?突|尾[骨椎]", re.IGNORECASE)
# Statements about one patient, or told as a story, cannot be answered alone.
_NARRATIVE = re.compile(
    r"\b(?:patients?|he|she|his|her|was|were|underwent|case|study|studies|group|table|figure)\b|患者|病人|病例|该研究",
    re.IGNORECASE,
)
# A level that only serves as an example is anyone's guess: "for instance T8", "a burst fracture of L1 breaks …".
_ARBITRARY = re.compile(
    rf"(?:for (?:instance|example)|e\.g\.|such as)[^.;]{{0,40}}{BLANK}|"
    rf"(?:fractures?|injury|herniation|protrusion|slip|fusion|discectomy|decompression|fixation|lesion|grade \w+)\s+"
    rf"(?:of|at|in|on)\s+(?:the\s+)?{BLANK}|(?:如|例如|比如){BLANK}|^{BLANK}最?[多常]见|{BLANK}(?:椎体|椎间盘)?(?:楔形|压缩|爆裂)?(?:骨折|突出|滑脱|变窄|狭窄)",
    re.IGNORECASE,
)
_EMPTY_TITLES = re.compile(
    r"^(?:\d[\d.]*\s*)?(?:introduction|background|abstract|summary|methods?|materials? and methods|results?|"
    r"discussion|references?|bibliography|funding|"
    r"acknowledge?ments?|conflicts?.*|competing.*|author.*|ethic.*|consent.*|data availability.*|abbreviations?|"
    r"supplement.*|appendi(?:x|ces).*|"
    r"(?:recommendation|statement|key question|question|step|part|box|algorithm)s?(?:\s*\w{0,4}\d+\w?)?|"
    r".*peer review|guideline .*|scope.*|methodology.*|research (?:priorities|needs).*|"
    r"contents|table of contents|index|learning objectives|key terms|review questions|critical thinking.*|"
    r"publisher.*|keywords?|disclosures?|"
    r"case (?:report|presentation|description)s?|limitations?|study (?:selection|design|population|"
    r"characteristics).*|(?:inclusion|exclusion|eligibility) criteria.*|search strategy.*|data (?:extraction|"
    r"collection|analysis|synthesis|sources).*|statistical analys[ie]s.*|.*quality assessment.*|"
    r"patients?.{0,12}selection|participants?|outcome (?:measures?|indexes).*|research in context|"
    r"supporting points|timeline|footnotes?|notes?|interactive link.*|chapter \d+|glossary.*|acronyms?.*|definitions?|"
    r"implementation.*|other implications|(?:literature )?search(?:es)?|data label.*|model .*|"
    r"image (?:acquisition|processing).*|"
    r".*(?:research|knowledge) gaps?.*|future (?:work|directions|research).*|focus groups?.*|"
    r"(?:推荐意见|推荐|建议)\s*\d*|第.{1,3}章|术语.*|缩略语.*|局限性|展望|基金.*|利益冲突.*|"
    r"引言|前言|摘要|方法|结果|讨论|参考文献|致谢|目录|附录|关键词)$",
    re.IGNORECASE,
)
_CONCLUSION = re.compile(
    r"^(?:conclusions?|concluding remarks|(?:chapter )?(?:review|summary)|结论|小结|本章小结)$", re.IGNORECASE
)
_AXIAL = re.compile(r"\baxial\b|\btransverse\b|轴位|横断|轴状", re.IGNORECASE)
_RECOMMENDATION = re.compile(
    r"\b(we recommend against|we suggest against|we recommend(?! against)|we suggest(?! against)|"
    r"there is insufficient evidence to recommend for or against)\s+\S.{5,300}$",
    re.IGNORECASE,
)


def draft_text(document: Document) -> Iterator[Item]:
    """Every text and figure item of a document of prose, each in the language of its own passage or caption."""
    parts = sections(document.markdown)
    yield from islice(_level_clozes(document, parts), MAX_CLOZES)
    yield from islice(_section_questions(document, parts), MAX_SECTIONS)
    if document.provenance.source_kind in ("guideline", "consensus"):
        yield from islice(_recommendations(document, parts), MAX_RECOMMENDATIONS)
    yield from draft_figures(document)


def draft_figures(document: Document) -> Iterator[Item]:
    """Items that show one of the document's captioned figures. A caption that begins in the middle of a word is not shown."""
    figures = [figure for figure in document.figures if figure.image_sha256 and _is_caption(caption_of(figure))]
    for figure in figures[:MAX_FIGURES]:
        yield from _figure_caption(document, figure, figures)
        yield from _figure_level(document, figure)
        yield from _figure_description(document, figure)


def caption_of(figure: Figure) -> str:
    """The caption as prose, without its own label and cut at a sentence to CAPTION_CHARACTERS."""
    _, text = split_label(plain_text(figure.caption))
    return _shortened(sentences(text), CAPTION_CHARACTERS[1])


def _is_caption(text: str) -> bool:
    shortest = CAPTION_CHARACTERS[0] // (3 if detect_language(text) == "zh" else 1)
    return len(text) >= shortest and not text[0].islower()


def _level_clozes(document: Document, parts: Sequence[Section]) -> Iterator[Item]:
    if document.provenance.source_kind == "case_report":
        return  # a case's levels are facts about one patient, which no reader can know
    rule = load_rules("text")["level_cloze"]
    seen: set[str] = set()
    for part in parts:
        for paragraph in (paragraph for paragraph in part.paragraphs if not is_caption(paragraph)):
            for sentence in sentences(paragraph):
                masked = mask_level(sentence) if _stands_alone(sentence) else None
                if masked is None or sentence in seen or _ARBITRARY.search(masked[0]):
                    continue
                seen.add(sentence)
                blanked, level = masked
                language = detect_language(sentence)
                rng = seeded(document.id, rule.name, sentence)
                options, letter = shuffle_options(rng, level, draw_wrong_levels(rng, level))
                stem = _ask(rule, rng, language, "stem", _topic(part, document, language), sentence=blanked)
                rationale = rule.say(rng, language, "rationale", sentence=sentence)
                yield new_item(
                    document, sign(document, rule, [sentence]), "multiple_choice",
                    choice_messages(stem, options, letter, rationale),
                    language=language, options=options, answer=letter, axis="level_identification",
                    about=(level,), context=(paragraph,), locator=_place(part),
                )  # fmt: skip


def mask_level(sentence: str) -> tuple[str, str] | None:
    """Return ``sentence`` with its one level blanked, and that level.

    None if it names none or several, or if what is left still says which ("the second cervical (____) vertebra").
    """
    spans = [span for span in find_levels(sentence) if span.names]
    names = {name for span in spans for name in span.names}
    if len(names) != 1 or any(span.kind == "nerve_root" for span in spans):
        return None
    level = names.pop()
    blanked = sentence
    for span in reversed(spans):
        blanked = blanked[: span.start] + BLANK + blanked[span.end :]
    told = any(sentence[span.start : span.end] in blanked for span in spans)
    if told or _ORDINAL.search(blanked) or (level in _LEVELS_WITH_NAMES and _NAME_OF_LEVEL.search(sentence)):
        return None
    return blanked, level


def _stands_alone(sentence: str) -> bool:
    return (
        is_prose(sentence)
        and len(sentence) <= 400
        and not is_debris(sentence)
        and not any(bad.search(sentence) for bad in (_NARRATIVE, ABOUT_THE_WORK, LEANS_BACK))
        and not find_references(sentence)
    )


def _section_questions(document: Document, parts: Sequence[Section]) -> Iterator[Item]:
    """A heading asked as a question; the answer is what the section teaches by itself (passages.teaching_passage)."""
    rule = load_rules("text")["section_question"]
    kind, source = document.provenance.source_kind, document.provenance.source_title
    for part in parts:
        if kind == "article" and _tells_a_story(part):
            continue
        concludes = bool(_CONCLUSION.match(_bare(part.title)))
        answer = _conclusion(part) if concludes and kind != "textbook" else teaching_passage(part, ANSWER_CHARACTERS[1])
        language = detect_language(answer)
        if language == "zh":
            answer = join_within(sentences(answer), ANSWER_CHARACTERS[1] // 2)
        if len(answer) < ANSWER_CHARACTERS[0] // (2 if language == "zh" else 1):
            continue
        if kind == "article" and not concludes and classify_text(answer).specialty == "general":
            continue  # how a method works, not what is known of the spine
        rng = seeded(document.id, rule.name, part.title, answer)
        title = _bare(part.title)
        if concludes and source and detect_language(source) == language:
            stem = rule.say(rng, language, "stem" if kind == "textbook" else "conclusion", title=source)
        elif kind == "case_report" or concludes:
            continue  # a case's other sections tell one patient's story: rules_records.py asks about that
        elif title.endswith(("?", "？")):
            stem = title
        elif _is_topic(title) and detect_language(title) == language:
            stem = rule.say(rng, language, "stem", title=title)
        else:
            continue
        yield new_item(
            document, sign(document, rule, [part.title, answer]), "open_ended",
            (Message("user", stem), Message("assistant", answer)),
            language=language, context=part.paragraphs[:1], locator=_place(part),
        )  # fmt: skip


def _tells_a_story(part: Section) -> bool:
    """Whether a section mostly says, in the past tense, what was done and found (methods and results of an article)."""
    said = [sentence for paragraph in part.paragraphs for sentence in sentences(paragraph)]
    return 3 * sum(bool(re.search(r"\b(?:was|were|had)\b", sentence)) for sentence in said) > len(said)


def _conclusion(part: Section) -> str:
    """A conclusion is asked of the work by name: there the work may speak of itself."""
    said = [sentence for paragraph in part.paragraphs for sentence in sentences(paragraph)]
    if any(is_debris(sentence) or find_references(sentence) for sentence in said):
        return ""
    return join_within(said, ANSWER_CHARACTERS[1])


def _recommendations(document: Document, parts: Sequence[Section]) -> Iterator[Item]:
    rule = load_rules("text")["recommendation"]
    options = rule.phrasings["en"]["options"]
    seen: set[str] = set()
    for part in parts:
        for sentence in (sentence for paragraph in part.paragraphs for sentence in sentences(paragraph)):
            sentence = re.sub(r"(?<=[a-z)]\.)\s?[a-z]{1,2}$", "", sentence)  # a footnote's letter
            match = _RECOMMENDATION.search(sentence)
            if not match or find_references(sentence) or len(_RECOMMENDATION.findall(sentence)) > 1:
                continue
            if sentence.casefold() in seen or is_debris(sentence):
                continue
            seen.add(sentence.casefold())
            letter = LETTERS[[option.lower() for option in options].index(match[1].lower())]
            rng = seeded(document.id, rule.name, sentence)
            blanked = sentence[: match.start(1)] + BLANK + sentence[match.end(1) :]
            stem = _ask(rule, rng, "en", "stem", _whole_title(document, "en"), sentence=blanked)
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
    language = detect_language(right)
    rng = seeded(document.id, rule.name, figure.image_sha256 or "")
    others = sorted({caption_of(other) for other in figures if other.image_sha256 != figure.image_sha256} - {right})
    others = [o for o in others if o not in right and right not in o and detect_language(o) == language]
    if len(others) < 2:
        return
    # Captions of about the same length: the longest option must not give itself away.
    rng.shuffle(others)
    wrong = sorted(others, key=lambda other: abs(len(other) - len(right)))[:WRONG_OPTIONS]
    options, letter = shuffle_options(rng, right, wrong)
    stem = _ask(rule, rng, language, "stem", _whole_title(document, language))
    yield new_item(
        document, sign(document, rule, [figure.image_sha256, list(options)]), "multiple_choice",
        choice_messages(stem, options, letter, rule.say(rng, language, "rationale"), [figure.image_sha256 or ""]),
        language=language, options=options, answer=letter, axis="pathology_assessment",
        figure=figure, context=figure.context,
    )  # fmt: skip


def _figure_level(document: Document, figure: Figure) -> Iterator[Item]:
    rule = load_rules("text")["figure_level"]
    caption = caption_of(figure)
    masked = mask_level(caption) if figure.image_modality in ("radiograph", "ct", "mri") else None
    if masked is None or _AXIAL.search(caption):
        return  # nothing in one axial picture tells its level
    blanked, level = masked
    language = detect_language(caption)
    rng = seeded(document.id, rule.name, figure.image_sha256 or "")
    options, letter = shuffle_options(rng, level, draw_wrong_levels(rng, level))
    stem = rule.say(rng, language, "stem", sentence=blanked)
    rationale = rule.say(rng, language, "rationale", sentence=caption)
    yield new_item(
        document, sign(document, rule, [figure.image_sha256, blanked]), "multiple_choice",
        choice_messages(stem, options, letter, rationale, [figure.image_sha256 or ""]),
        language=language, options=options, answer=letter, axis="level_identification",
        about=(level,), figure=figure, context=figure.context,
    )  # fmt: skip


def _figure_description(document: Document, figure: Figure) -> Iterator[Item]:
    """The caption, then what the sentences that cite the figure say of it."""
    rule = load_rules("text")["figure_description"]
    caption = caption_of(figure)
    if ABOUT_THE_WORK.search(caption):
        return  # a figure of how a study was done, not of a spine
    language = detect_language(caption)
    reply = ("" if language == "zh" else " ").join(part for part in (caption, _explanation(figure, caption, language)) if part)
    rng = seeded(document.id, rule.name, figure.image_sha256 or "")
    yield new_item(
        document, sign(document, rule, [figure.image_sha256, reply]), "open_ended",
        (Message("user", rule.say(rng, language, "stem"), (figure.image_sha256 or "",)), Message("assistant", reply)),
        language=language, figure=figure, context=figure.context,
    )  # fmt: skip


def _explanation(figure: Figure, caption: str, language: str) -> str:
    """The citing sentences and the one after each, in order, without those that speak of other figures or of the work."""
    own = label_key(figure.label)
    told: list[str] = []
    for paragraph in figure.context:
        said = sentences(re.sub(r"\s+", " ", paragraph))
        citing = {n for n, sentence in enumerate(said) if own and own in map(label_key, cited_labels(sentence))}
        before = False
        for number in sorted(citing | {n + 1 for n in citing}):
            sentence = plain_text(said[number]) if number < len(said) else ""
            fits = (
                not (is_debris(sentence) or find_references(sentence) or ABOUT_THE_WORK.search(sentence)) if sentence else False
            )
            if before := fits and (before or not LEANS_BACK.search(sentence)):
                told.append(sentence)
    told = [sentence for sentence in dict.fromkeys(told) if detect_language(sentence) == language and sentence not in caption]
    return join_within(told, EXPLANATION_CHARACTERS)


def _shortened(pieces: Sequence[str], longest: int) -> str:
    """As many whole sentences as fit in ``longest`` characters (the first one in any case, cut at a word)."""
    text = join_within(pieces, longest)
    return text if text or not pieces else pieces[0][:longest].rsplit(" ", 1)[0]


def _ask(rule: Rule, rng: random.Random, language: str, part: str, title: str, **values: object) -> str:
    """A stem that names ``title``, or, where there is none, one of the phrasings that need none."""
    phrasings = [said for said in rule.phrasings[language][part] if title or "{title}" not in said]
    return rng.choice(phrasings).format(title=title, **values)


def _bare(title: str) -> str:
    """A heading without its number ("3.2 ", "A. ", "5.1" before Chinese, "二、")."""
    return re.sub(r"^(?:\d+(?:\.\d+)*[.、]?(?:\s+|(?=[一-鿿]))|[A-Za-z]\.\s+|[IVX]+\.\s+|[一二三四五六七八九十]+、)", "", title)


def _is_topic(title: str) -> bool:
    """Whether a heading names a topic: begun as one, not a piece of a sentence, a table's cell or an organisational heading."""
    letters = sum(character.isalpha() for character in title)
    return (
        4 <= len(title) <= 120
        and letters >= 0.7 * len(title)
        and not title[0].islower()
        and title.count("(") == title.count(")")
        and not re.search(r"[|.;]|\d,\d", title)
        and not _EMPTY_TITLES.match(title)
        and not any(reference.start == 0 for reference in find_references(title))
        and not ABOUT_THE_WORK.search(title)
    )


def _topic(part: Section, document: Document, language: str) -> str:
    """What a passage is about: its heading where that says something, else the source's title; "" where neither does."""
    title = _bare(part.title)
    return title if _is_topic(title) and detect_language(title) == language else _whole_title(document, language)


def _whole_title(document: Document, language: str) -> str:
    """The source's title, "" where it has none in that language or was cut off ("… for the diagnosis and")."""
    title = document.provenance.source_title or ""
    cut = re.search(r"\b(?:and|or|of|for|the|a|an|in|on|to|with|by)$", title, re.IGNORECASE)
    return title if not cut and detect_language(title) == language else ""


def _place(part: Section) -> str:
    return f"section {part.title}" if part.title else ""
