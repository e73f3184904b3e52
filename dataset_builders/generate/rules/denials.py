"""What a report denies or calls normal, in a patient's words: "no nerve is pressed on", "the channel is wide enough"."""

import re
from collections.abc import Sequence

from dataset_builders.document import Finding
from dataset_builders.generate.rules.naming import join_clauses
from dataset_builders.generate.rules.report_words import NORMAL
from dataset_builders.generate.rules.text_findings import Statement
from dataset_builders.generate.rules.texts import load_rules

QUALIFIED = re.compile(r"\b(?:significant|definite|obvious|gross|marked)\b|明显|显著", re.IGNORECASE)
"""Words by which a denial leaves room for a little of what it denies."""

_CONTACTS = frozenset(("compresses", "narrows", "touches", "enters"))
_PRESSED = ("nerve_root", "thecal_sac", "cord")
_FINDINGS = ("fracture", "disc_herniation", "canal_stenosis", "spondylolisthesis", "cord_signal_change")
_CANAL = re.compile(r"\bcanal\b|椎管", re.IGNORECASE)
_AT_A_LEVEL = re.compile(r"\b[CTDLS]\d", re.IGNORECASE)
_ELSEWHERE = re.compile(r"\b(?:other|else\w*|remaining|rest)\b|其[余他它]", re.IGNORECASE)


def explain_denials(statements: Sequence[Statement], findings: Sequence[Finding], language: str) -> list[str]:
    """Write one sentence that says what is denied or normal for all levels; [] if there is nothing of a kind that is put so.

    What the report affirms anywhere is left out; what it denies beside pressure that it affirms is said to be so apart from
    that; of a denial of what is "significant" that is kept.
    """
    said = load_rules("cases")["denials"].first_phrasings(language)
    pressed = {entry.structure for finding in findings for entry in finding.compression}
    affirmed = pressed | {finding.name for finding in findings}
    plain: dict[str, None] = {}
    for statement in statements:
        if statement.findings or _AT_A_LEVEL.search(statement.sentence):
            continue
        clearly = said["clearly"] if QUALIFIED.search(statement.sentence) else ""
        for kind in _denied_kinds(statement):
            is_elsewhere = bool(_ELSEWHERE.search(statement.sentence))
            if kind in affirmed and not is_elsewhere:
                continue
            besides = said["besides"] if is_elsewhere or (pressed and kind in _PRESSED) else ""
            text = said["canal_as_a_whole" if kind == "canal" and (pressed or is_elsewhere) else kind]
            plain[f"{besides}{text.format(clearly=clearly)}"] = None
    return [said["means"].format(denials=join_clauses(plain, language))] if plain else []


def _denied_kinds(statement: Statement) -> list[str]:
    """What a statement denies (a finding, or pressure on a structure), or calls normal ("canal"), as far as it is put so."""
    kinds = [name for name in statement.denied if name in _FINDINGS]
    if _CONTACTS & set(statement.denied):
        kinds += [name for name in statement.denied if name in _PRESSED]
    if "nerve_root" in kinds and "thecal_sac" in kinds:
        kinds.remove("thecal_sac")  # "no nerve is pressed on" says it
    said = statement.sentence
    if "canal" in statement.denied or (not statement.denied and NORMAL.search(said) and _CANAL.search(said)):
        kinds.append("canal")
    return kinds
