"""Questions that show a captioned figure: which caption is its own, which level it shows, and what it shows.

A figure of several panels is shown whole, all its images with the whole caption, and only its description is asked for: what
the caption says of one panel is never said of the figure, and a panel's letter in the image would tell its caption.
"""

import re
from collections.abc import Iterator, Sequence

from dataset_builders.document import Document, Figure
from dataset_builders.figures.captions import cited_labels, find_references, label_key, split_label
from dataset_builders.generate.items import Choice, Draft, Origin, draft_choice, new_item
from dataset_builders.generate.rules.draws import WRONG_OPTIONS, seeded, shuffle_options
from dataset_builders.generate.rules.level_clozes import mask_level
from dataset_builders.generate.rules.level_options import draw_wrong_levels
from dataset_builders.generate.rules.naming import join_sentences
from dataset_builders.generate.rules.passages import (
    ABOUT_THE_WORK,
    LEANS_BACK,
    is_debris,
    join_within,
    plain_text,
    sentences,
    shared_words,
)
from dataset_builders.generate.rules.texts import load_rules, sign
from dataset_builders.generate.rules.titles import say_with_title, title_of
from dataset_builders.generate.rules.views import plane_of
from dataset_builders.item import Item, Message
from dataset_builders.language import detect_language

MAX_FIGURES = 60
CAPTION_CHARACTERS = (30, 420)
"""Shortest and longest caption that is shown, in characters (shortest Chinese: a third)."""
EXPLANATION_CHARACTERS = 500
"""Longest explanation taken from the sentences that cite a figure."""

MAX_PANELS = 8
"""Most images of one figure that an item shows."""
DESCRIPTION_CHARACTERS = 150
"""Shortest caption of one sentence that describes a figure of which the text says nothing, in characters (Chinese: a third):
one that only names the image is no answer."""

MOST_SHARED = 0.6
"""Share of content words from which on a sentence says its caption again, and another caption may be true of the figure."""

_CLINICAL = ("radiograph", "ct", "mri")
_TELLING = (*_CLINICAL, "diagram", "intraoperative", "photograph")
# What a reader can count from: a caption that asks for a level must say that it is in view.
_LANDMARK = re.compile(r"\b(?:sacr(?:um|al)|lumbosacral|S1|C2|axis|odontoid|dens)\b|骶|枢椎|齿状突|齿突")
# "(a)", "A,", "b)" or "c:" before a word: letters of panels; two different ones make a figure of several panels.
_PANEL = re.compile(r"[(（]\s?([A-Ha-h])\s?(?:[,，&–-]\s?[A-Ha-h]\s?)*[)）]|(?<![^\s.;,；。，])([A-H])(?:[.,:)]|(?=\s[–—]))\s")
_PANEL_WORDS = re.compile(
    r"\b(?:left|right|upper|lower|top|bottom|middle)\s(?:panels?|rows?|columns?|images?)\b|\bpanels?\b|[左右上下]图",
    re.IGNORECASE,
)


def draft_figures(document: Document) -> Iterator[Item]:
    """Draft up to three items on each of the first MAX_FIGURES captioned figures. A caption that begins in the middle of a
    word is not shown.
    """
    shown = [panels for panels in _whole_figures(document) if _is_caption(caption_of(panels[0]))]
    telling = [panels[0] for panels in shown if panels[0].image_modality in _TELLING and not is_compound(panels)]
    for panels in shown[:MAX_FIGURES]:
        figure = panels[0]
        if is_compound(panels):
            drafts: tuple[Item | None, ...] = (_ask_description(document, panels),)
        else:
            drafts = (_ask_caption(document, figure, telling), _ask_level(document, figure), _ask_description(document, panels))
        yield from (item for item in drafts if item)


def is_compound(panels: Sequence[Figure]) -> bool:
    """Tell whether a figure, given as its images, has several panels: by their number, or because its caption names them."""
    caption = plain_text(panels[0].caption)
    letters = {(match[1] or match[2]).lower() for match in _PANEL.finditer(caption)}
    return len(panels) > 1 or len(letters) > 1 or bool(_PANEL_WORDS.search(caption))


def _whole_figures(document: Document) -> list[tuple[Figure, ...]]:
    """The document's figures, each with all the images that share its label and caption."""
    figures: dict[object, list[Figure]] = {}
    for number, figure in enumerate(document.figures):
        key = (figure.label, figure.caption) if figure.label else number
        figures.setdefault(key, []).append(figure)
    return [tuple(panels) for panels in figures.values() if all(panel.image_sha256 for panel in panels)]


def caption_of(figure: Figure) -> str:
    """Return the caption as prose, without its own label, cut at a sentence to CAPTION_CHARACTERS."""
    return _shortened(sentences(_uncut_caption(figure)), CAPTION_CHARACTERS[1])


def _uncut_caption(figure: Figure) -> str:
    return " ".join(split_label(plain_text(figure.caption))[1].split())


def _is_caption(text: str) -> bool:
    shortest = CAPTION_CHARACTERS[0] // (3 if detect_language(text) == "zh" else 1)
    return len(text) >= shortest and not text[0].islower()


def _ask_caption(document: Document, figure: Figure, figures: Sequence[Figure]) -> Item | None:
    """Which of several captions belongs to the image; the wrong ones are those of the document's other figures."""
    if figure not in figures:
        return None
    rule = load_rules("text")["figure_caption"]
    right = caption_of(figure)
    language = detect_language(right)
    rng = seeded(document.id, rule.name, figure.image_sha256 or "")
    others = sorted({caption_of(other) for other in figures if other.image_sha256 != figure.image_sha256} - {right})
    others = [o for o in others if detect_language(o) == language and not _may_be_true_too(o, right)]
    if len(others) < 2:
        return None
    # Captions of about the same length: the longest option must not give itself away.
    rng.shuffle(others)
    wrong = sorted(others, key=lambda other: abs(len(other) - len(right)))[:WRONG_OPTIONS]
    options, letter = shuffle_options(rng, right, wrong)
    stem = say_with_title(rule, rng, language, title_of(document, language))
    rationale = rule.say(rng, language, "rationale")
    choice = Choice(stem, options, letter, rationale, (figure.image_sha256 or "",))
    return new_item(
        document,
        sign(document, rule, [figure.image_sha256, list(options)]),
        draft_choice(choice, language, axis="pathology_assessment" if figure.image_modality in _CLINICAL else None),
        Origin(figure, (right, *figure.context, rationale)),
    )


def _may_be_true_too(other: str, right: str) -> bool:
    """Whether a caption says most of what the right one says, or the other way round: a reader could defend it."""
    return max(shared_words(other, right), shared_words(right, other)) > MOST_SHARED


def _ask_level(document: Document, figure: Figure) -> Item | None:
    """The caption with its one level blanked."""
    rule = load_rules("text")["figure_level"]
    caption = caption_of(figure)
    masked = mask_level(caption) if figure.image_modality in _CLINICAL else None
    if masked is None or plane_of(figure) != "sagittal" or not _LANDMARK.search(masked[0]):
        return None  # without a landmark in view nothing in the image tells its level
    blanked, level = masked
    language = detect_language(caption)
    rng = seeded(document.id, rule.name, figure.image_sha256 or "")
    options, letter = shuffle_options(rng, level, draw_wrong_levels(rng, level))
    stem = rule.say(rng, language, "stem", sentence=blanked)
    rationale = rule.say(rng, language, "rationale", sentence=caption)
    return new_item(
        document,
        sign(document, rule, [figure.image_sha256, blanked]),
        draft_choice(
            Choice(stem, options, letter, rationale, (figure.image_sha256 or "",)),
            language,
            axis="level_identification",
            about=(level,),
        ),
        Origin(figure, (caption, *figure.context)),
    )


def _ask_description(document: Document, panels: Sequence[Figure]) -> Item | None:
    """The caption, then what the sentences that cite the figure say of it."""
    rule = load_rules("text")["figure_description"]
    figure = panels[0]
    caption = caption_of(figure)
    if ABOUT_THE_WORK.search(caption) or figure.image_modality not in _TELLING:
        return None  # a figure of how a study was done, not of a spine
    if len(panels) > MAX_PANELS or (is_compound(panels) and caption != _uncut_caption(figure)):
        return None  # not all that the caption speaks of would be shown, or not all of the caption
    language = detect_language(caption)
    explanation = _explanation(figure, caption, language)
    reply = join_sentences(filter(None, (caption, explanation)), language)
    shortest = DESCRIPTION_CHARACTERS // (3 if language == "zh" else 1)
    if not explanation and len(sentences(caption)) < 2 and len(caption) < shortest:
        return None
    rng = seeded(document.id, rule.name, figure.image_sha256 or "")
    question = Message("user", rule.say(rng, language, "stem"), tuple(panel.image_sha256 or "" for panel in panels))
    return new_item(
        document,
        sign(document, rule, [figure.image_sha256, reply]),
        Draft("open_ended", language, (question, Message("assistant", reply))),
        Origin(figure, (caption, *figure.context)),
    )


def _explanation(figure: Figure, caption: str, language: str) -> str:
    """The citing sentences and the one after each, in order, without those that speak of other figures or of the work, or say
    the caption again.
    """
    own = label_key(figure.label)
    told: list[str] = []
    for paragraph in figure.context:
        said = sentences(re.sub(r"\s+", " ", paragraph))
        citing = {number for number, sentence in enumerate(said) if own and own in map(label_key, cited_labels(sentence))}
        after = {number + 1 for number in citing if number + 1 < len(said)}
        follows = False  # whether the sentence before was told: only then may this one lean on it
        for number in sorted(citing | after):
            sentence = plain_text(said[number])
            tells_more = _explains(sentence) and shared_words(sentence, caption) <= MOST_SHARED
            if follows := tells_more and (follows or not LEANS_BACK.search(sentence)):
                told.append(sentence)
    told = [sentence for sentence in dict.fromkeys(told) if detect_language(sentence) == language and sentence not in caption]
    return join_within(told, EXPLANATION_CHARACTERS)


def _explains(sentence: str) -> bool:
    return bool(sentence) and not (is_debris(sentence) or find_references(sentence) or ABOUT_THE_WORK.search(sentence))


def _shortened(pieces: Sequence[str], longest: int) -> str:
    """As many whole sentences as fit in ``longest`` characters (the first one in any case, cut at a word)."""
    text = join_within(pieces, longest)
    return text if text or not pieces else pieces[0][:longest].rsplit(" ", 1)[0]
