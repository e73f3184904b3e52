"""Findings that an imaging report states, sentence by sentence: what it affirms, doubts and denies, and what it leaves unread.

    read_statement("L4-L5: left paracentral disc protrusion, compressing the thecal sac. ")
        -> Statement(findings=(Finding("disc_herniation", "L4/L5", "protrusion", side="left", site="paracentral",
                                       compression=(Compression("thecal_sac"),)),), unread=())

A sentence is cut into tokens (report_words.py) and read from left to right (report_reader.py). A word that no phrase claims, a
scope of a negation that can be read in two ways, a finding of a disc without a disc: each makes the sentence unread, and the
caller leaves the note.
"""

import re
from dataclasses import dataclass

from dataset_builders.document import Finding
from dataset_builders.generate.rules.passages import sentences
from dataset_builders.generate.rules.report_reader import Reader, cut_clauses
from dataset_builders.generate.rules.report_spelling import correct_spelling
from dataset_builders.generate.rules.report_words import ADVISED, NORMAL, OF_NORMAL, tokenize


@dataclass(frozen=True, slots=True)
class Statement:
    """One sentence of a report.

    sentence   in the report's words, rightly spelt.
    findings   affirmed or doubted (Finding.certainty), in the order told.
    denied     names of the findings and structures that it denies.
    unread     words and readings that are not understood; () if the sentence is covered.
    advised    what it asks to be done, in its words.
    is_postoperative   speaks of an operation or what it left behind.
    """

    sentence: str
    findings: tuple[Finding, ...] = ()
    denied: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    advised: tuple[str, ...] = ()
    is_postoperative: bool = False


def read_statements(text: str) -> tuple[Statement, ...]:
    """Read a report: its lines cut into sentences, also at "//" and ";"."""
    said = [piece for line in text.splitlines() for sentence in sentences(line) for piece in _PIECES.split(sentence)]
    return tuple(read_statement(sentence.strip(" -•*,")) for sentence in said if re.search(r"\w", sentence))


def find_findings(text: str) -> tuple[Finding, ...]:
    """Find what a report states at a level, from the sentences that are wholly understood."""
    stated = (finding for statement in read_statements(text) if not statement.unread for finding in statement.findings)
    return tuple(dict.fromkeys(finding for finding in stated if finding.level))


def read_statement(sentence: str) -> Statement:
    """Read one sentence."""
    written = correct_spelling(sentence)
    advised = tuple(match[0].strip(" ?,;.–-") for match in ADVISED.finditer(written))
    reader = Reader(written)
    for clause in cut_clauses(list(tokenize(ADVISED.sub(" ", written)))):
        reader.read(clause)
    denied = tuple(dict.fromkeys(reader.denied))
    unread = tuple(dict.fromkeys(reader.unread))
    if not reader.found and not reader.contacts and NORMAL.search(written) and not _ABNORMAL.search(written):
        unread = tuple(word for word in unread if not (OF_NORMAL.fullmatch(word) or NORMAL.fullmatch(word)))
    if _CUT_OFF.search(written):
        unread = (*unread, "the end is missing")
    found = tuple(dict.fromkeys(reader.found))
    if not (
        unread or found or denied or advised or reader.is_postoperative or NORMAL.search(written) or _TITLE.fullmatch(written)
    ):
        unread = ("nothing is read",)
    return Statement(written, found, denied, unread, advised, reader.is_postoperative)


_PIECES = re.compile(r"//+|[;；](?=\s|[一-鿿]|$)|(?<=[a-z])\.{1,3}\s+(?=[A-Z])")
_ABNORMAL = re.compile(
    r"\w(?:itis|oses|(?<!lord)(?<!kyph)osis|oma|omas|pathy|plegia|lesions?|cysts?)\b|\b(?:abnormal\w*|mass|tears?|(?:high|low|bright|altered)[\w\s-]{0,20}signal|lesions?|cysts?|effusion|swelling|"
    r"enhanc\w+|anomal\w+|absent|agenesis|lost|loss|reduced|increased|decreased|dislocat\w+|sublux\w+|instab\w+|injur\w+|"
    r"hyper\w+|hypo\w+|free|fluid|collection|gas|defect)\b|[伤病瘤肿裂]|(?<!未见)(?<!未见明显)异常|积液|脱位|不稳|[高低]信号",
    re.IGNORECASE,
)
"""Words that a sentence of normal findings does not need."""
_CUT_OFF = re.compile(r"\b(?:and|with|the|of|to|or|there|both|exit|exiting|neural)\W*$", re.IGNORECASE)
_TITLE = re.compile(
    r"(?:\b(?:mri?s?|ct|x-?rays?|radiographs?|scan|study|report|of|the|for|and|lss|ls|l|c|d|t|lumbar|lumbo-?\s?sacral|cervical|thoracic|"
    r"dorsal|sacral|spine|whole|plain|without|with|contrast|findings?|impression|conclusion|opinion|follow|up|nb|n\.b)\b|[\s:.,&()/-])*"
    r"|(?:[腰颈胸骶]椎?|平扫|增强|mri|ct|检查|影像学?|所见|表现|诊断|印象|意见|报告|[\s:：、，。]|x ?线|片)*",
    re.IGNORECASE,
)
