"""Headings and titles that a question may name."""

import random
import re

from dataset_builders.document import Document
from dataset_builders.figures.captions import find_references
from dataset_builders.generate.rules.passages import ABOUT_THE_WORK, Section
from dataset_builders.generate.rules.texts import Rule
from dataset_builders.language import detect_language


def topic_of(part: Section, document: Document, language: str) -> str:
    """Return what a passage is about: its heading if that says something, else the source's title; "" if neither does."""
    title = bare_title(part.title)
    return title if is_topic(title) and detect_language(title) == language else title_of(document, language)


def title_of(document: Document, language: str) -> str:
    """Return the source's title; "" if it has none in that language or it was cut off ("… for the diagnosis and")."""
    title = document.provenance.source_title or ""
    cut = re.search(r"\b(?:and|or|of|for|the|a|an|in|on|to|with|by)$", title, re.IGNORECASE)
    return title if not cut and detect_language(title) == language else ""


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
    """Return a section's locator ("section Anatomy"); "" before the first heading."""
    return f"section {part.title}" if part.title else ""


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
