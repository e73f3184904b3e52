"""Headings and titles that a question may name."""

import random
import re
from collections import Counter

from dataset_builders.classify import classify_text
from dataset_builders.document import Document
from dataset_builders.figures.captions import find_references
from dataset_builders.generate.rules.passages import ABOUT_THE_WORK, Section
from dataset_builders.generate.rules.texts import Rule
from dataset_builders.language import detect_language


def topic_of(part: Section, language: str) -> str:
    """Return a section's heading if it names a topic of the field by itself (names_a_topic), "" if it does not."""
    title = bare_title(part.title)
    return title if detect_language(title) == language and names_a_topic(title) else ""


def names_a_topic(title: str) -> bool:
    """Return whether a heading says by itself what of spine or orthopaedics it is about: not "Joints", "General population"."""
    words = [word for word in re.findall(r"[A-Za-z]{3,}", title) if word.lower() not in _WORDS_OF_NO_SUBSTANCE]
    one_word = len(words) < 2 and detect_language(title) == "en"
    return is_topic(title) and not one_word and classify_text(title).specialty != "general"


def title_of(document: Document, language: str) -> str:
    """Return the source's title; "" if it has none in that language or it was cut off ("… for the diagnosis and")."""
    title = document.provenance.source_title or ""
    return title if not _CUT_OFF.search(title) and detect_language(title) == language else ""


def full_title(document: Document, language: str) -> str:
    """Return the source's title, joined with the like heading right below it if it was cut off there, and not all in capitals.

    "" if it is cut off and no heading goes on with it.
    """
    title = document.provenance.source_title or ""
    if _CUT_OFF.search(title):
        goes_on = rf"^(#+)\s+{re.escape(title)}\s*\n\s*\1\s+(.+?)\s*$"
        match = re.search(goes_on, document.markdown[:_FRONT_CHARACTERS], re.MULTILINE | re.IGNORECASE)
        title = f"{title} {match[2]}" if match else ""
    if not title or detect_language(title) != language or _CUT_OFF.search(title):
        return ""
    capitals = sum(word.isupper() for word in title.split())
    return " ".join(map(_as_title, title.split())) if 2 * capitals > len(title.split()) else title


def year_of(document: Document) -> str:
    """Return the year in a source's title, else the one that its first pages name most often; "" if they name none."""
    if match := _YEAR.search(document.provenance.source_title or ""):
        return match.group()
    years = Counter(_YEAR.findall(document.markdown[:_FRONT_CHARACTERS]))
    return max(years, key=lambda year: (years[year], year), default="")


def _as_title(word: str) -> str:
    if not word.isupper() or "/" in word:
        return word
    return word.lower() if word.lower() in _SMALL_WORDS else word.capitalize()


def takes_up(text: str, topic: str, at_least: int | None = None) -> bool:
    """Return whether a text names its topic: every word of substance (or ``at_least`` so many), in whatever form.

    Words are compared by their first five letters; Chinese topics by their characters, half of which must be there.
    """
    lower = text.lower()
    if detect_language(topic) == "zh":
        pairs = re.findall(r"(?=([一-鿿]{2}))", topic)
        return not pairs or sum(pair in lower for pair in pairs) >= (1 if at_least else (len(pairs) + 1) // 2)
    words = {word[:5] for word in re.findall(r"[a-z]{4,}", topic.lower()) if word not in _WORDS_OF_NO_SUBSTANCE}
    return bool(words) and sum(word in lower for word in words) >= (at_least or len(words))


def subject_of_title(document: Document) -> str:
    """Return what a paper is about by its title: without "a case report", "review of the literature" and series names.

    "" if the title was cut off, is in another language or names no more than that.
    """
    title = title_of(document, document.language)
    title = re.sub(r"^(?:case report|review|original article|病例报告)\s*[:：]\s*", "", title, flags=re.IGNORECASE)
    title = _KIND_OF_PAPER.sub("", title).strip(" :：,，.-–—")
    return title if len(title) >= 4 else ""


def say_with_title(rule: Rule, rng: random.Random, language: str, title: str, **values: object) -> str:
    """Choose a stem that names ``title`` or, if that is "", one of the phrasings that need none."""
    phrasings = [said for said in rule.phrasings[language]["stem"] if title or "{title}" not in said]
    return rng.choice(phrasings).format(title=title, **values)


def bare_title(title: str) -> str:
    """Take the number off a heading ("3.2 ", "A. ", "5.1" before Chinese, "二、")."""
    return re.sub(r"^(?:\d+(?:\.\d+)*[.、]?(?:\s+|(?=[一-鿿]))|[A-Za-z]\.\s+|[IVX]+\.\s+|[一二三四五六七八九十]+、)", "", title)


def is_topic(title: str) -> bool:
    """Return whether a heading names a topic: no piece of a sentence, cell of a table or organisational heading."""
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


def locator_of(part: Section) -> str:
    """Return a section's locator ("section Anatomy"); "" before the first heading and below what is left of a table."""
    return f"section {part.title}" if part.title and "|" not in part.title else ""


_CUT_OFF = re.compile(r"\b(?:and|or|of|for|the|a|an|in|on|to|with|by)$", re.IGNORECASE)
_FRONT_CHARACTERS = 3000  # of the Markdown: title page and imprint
_YEAR = re.compile(r"\b(?:19[89]\d|20[0-4]\d)\b")
_SMALL_WORDS = frozenset(("and", "or", "of", "for", "the", "a", "an", "in", "on", "to", "with", "by"))
_KIND_OF_PAPER = re.compile(
    r"\s*[:：,，—–-]+\s*(?:an? )?(?:\w+ )?(?:case (?:report|series)|report of \w+ cases?|literature review|"
    r"review of (?:the )?literature|(?:updated )?overview|systematic review|review).*$|"
    r"(?:一例|[1-9]例)?(?:病例)?报[告道](?:并文献复习)?$",
    re.IGNORECASE,
)
_WORDS_OF_NO_SUBSTANCE = frozenset((
    "the", "and", "for", "with", "from", "this", "that", "their", "them", "about", "after", "before", "between", "under",
    "over", "into", "what", "when", "which",
))  # fmt: skip
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
