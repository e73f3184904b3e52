"""Findings that a report affirms, read from its words."""

import re

from dataset_builders.document import Finding
from dataset_builders.generate.rules.level_options import DISC_SPACES, SPINE
from dataset_builders.levels import parse_levels


def find_findings(text: str) -> tuple[Finding, ...]:
    """Find what a report affirms at a level: clause by clause, and only if it is plain which finding is at which level.

    A clause with a negation before the finding gives none; so does one with several findings *and* several levels.
    """
    found: dict[Finding, None] = {}
    for clause in _CLAUSE.split(text):
        matches = [match for match in _FINDING.finditer(clause) if not _DENIED.search(clause, 0, match.start())]
        names = list(dict.fromkeys(match.lastgroup for match in matches if match.lastgroup))
        for name in names:
            levels = _levels_for(name, clause)
            if levels and (len(levels) == 1 or len(names) == 1):
                found.update(dict.fromkeys(Finding(name, level) for level in levels))
    return tuple(found)


def affirms_finding(text: str) -> bool:
    """Return whether a report affirms any finding, at a level that can be told or not."""
    return any(
        not _DENIED.search(clause, 0, match.start()) for clause in _CLAUSE.split(text) for match in _FINDING.finditer(clause)
    )


def _levels_for(name: str, clause: str) -> list[str]:
    parsed = parse_levels(clause)
    if name in _AT_VERTEBRA:
        return [level for level in parsed.vertebrae if level in SPINE] if not parsed.discs else []
    if parsed.discs:
        return [disc for disc in parsed.discs if disc in DISC_SPACES]
    pair = "/".join(parsed.vertebrae)
    return [pair] if name == "spondylolisthesis" and pair in DISC_SPACES else []


_TERMS = {
    "disc_herniation": r"herniat\w*|protrusions?|protruded|extrusions?|extruded|sequestrat\w*|突出|脱出",
    "disc_bulge": r"bulg(?:e|es|ing)|膨出",
    "disc_narrowing": r"(?:disc|disk) (?:space|height) (?:is )?(?:narrow\w*|reduc\w*|los[st])|reduced (?:disc|"
    r"disk) height|椎间隙(?:变窄|狭窄)",
    "disc_degeneration": r"(?:disc|disk)s? (?:degenerati\w+|desiccat\w+|dehydrat\w+)|(?:degenerat\w+|desiccat\w+|"
    r"dehydrat\w+)[\w\s,/&-]{0,30}(?:discs?|disks?)|椎间盘(?:退变|变性)",
    "canal_stenosis": r"(?:spinal|central|lumbar|cervical)?\s*canal (?:stenosis|narrowing)|椎管狭窄",
    "foraminal_narrowing": r"(?:neural |intervertebral )?foramin\w* (?:stenosis|narrowing|encroachment)|"
    r"narrowing [\w\s]{0,25}foramin\w*|椎间孔狭窄",
    "subarticular_stenosis": r"(?:lateral recess|subarticular) (?:stenosis|narrowing)|侧隐窝狭窄",
    "spondylolisthesis": r"(?:spondylo|antero|retro)listhesis|滑脱",
    "wedge_fracture": r"(?:wedge|compression)[\w\s-]{0,25}fractures?|压缩性?骨折|楔形压缩",
    "modic_change": r"modic",
    "endplate_change": r"end-?\s?plate (?:changes?|irregularit\w+|defects?)|终板(?:改变|炎|损伤)",
}
_FINDING = re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in _TERMS.items()), re.IGNORECASE)
_DENIED = re.compile(
    r"\b(?:no|not|without|nor|negative for|rule out|exclude[ds]?|absence of|post|previous|prior)\b|无|未见|未|排除|否认|术后",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"(?:[.;。；]\s|[\n]|//+|，(?=[^，]*[颈胸腰骶CTLS]\d))")
_AT_VERTEBRA = ("wedge_fracture",)
