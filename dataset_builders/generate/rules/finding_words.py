"""Reported findings in words, English and Chinese: with side, site, grade, what they press on and how sure the report is."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from dataset_builders.document import STRUCTURES, Compression, Finding
from dataset_builders.generate.rules.level_options import head_to_tail
from dataset_builders.generate.rules.naming import join_words, name_finding, name_value
from dataset_builders.generate.rules.report_reader import AT_DISC
from dataset_builders.generate.rules.report_words import AS_TOLD


def state_reported(findings: Sequence[Finding], language: str) -> list[str]:
    """State every finding once, with all levels that share what is said of it."""
    groups: dict[Finding, list[str]] = {}
    for finding in findings:
        groups.setdefault(replace(finding, level=""), []).append(finding.level)
    return [_state(kind, levels, language) for kind, levels in groups.items()]


def describe(finding: Finding, language: str) -> str:
    """Write all of a finding but its level: "left paracentral disc protrusion, compressing the thecal sac"."""
    return _state(finding, (), language)


def name_reported(finding: Finding, language: str) -> str:
    """Write the name that a report gives a finding: "disc protrusion", "discitis", "vertebral haemangioma"."""
    if finding.name in AS_TOLD and finding.grade and _is_in(finding.grade, language):
        return (
            " ".join(word for word in finding.grade.split() if word not in _DEGREES["en"])
            if language == "en"
            else finding.grade
        )
    names = _NAMES[language]
    kind = next((word for word in names if word in (finding.grade or "")), None)
    return names[kind] if kind else name_finding(finding, language)


def press_name(finding: Finding, language: str) -> str:
    """Name the pressure on the weightiest structure that a finding presses on: "pressure on the spinal cord"."""
    weightiest = min(finding.compression, key=lambda entry: STRUCTURES.index(entry.structure), default=None)
    if weightiest is None:
        return name_reported(finding, language)
    thing = _STRUCTURES[language][weightiest.structure][0]
    return f"{thing}受压" if language == "zh" else f"pressure on the {thing}"


def site_name(sites: str, language: str) -> str:
    """Write a site of Finding.site: "paracentral" or "旁中央型"."""
    names = [_SITES_ZH[site] if language == "zh" else site for site in sites.split(", ") if site]
    return ("及" if language == "zh" else " and ").join(names)


def _state(finding: Finding, levels: Sequence[str], language: str) -> str:
    return (_state_zh if language == "zh" else _state_en)(finding, levels)


def _state_en(finding: Finding, levels: Sequence[str]) -> str:
    name = name_reported(finding, "en")
    sites = (finding.site or "").split(", ") if finding.site else []
    side = (finding.side or "").removeprefix("mainly ")
    is_off_centre = side in ("left", "right") and (
        sites == ["central"] or (finding.name == "disc_bulge" and (not sites or side != finding.side))
    )
    words = [
        _CERTAINTY["en"].get(finding.certainty, ""),
        *(word for key, word in _DEGREES["en"].items() if key in (finding.grade or "").split()),
        _grade_before(finding),
        _place_en(finding, [] if is_off_centre or finding.name == "scoliosis" else [_side_en(finding.side)]),
        name,
        _grade_after(finding),
    ]
    text = " ".join(word for word in words if word)
    if value := name_value(finding):
        text += f" ({value})"
    text += _at(levels, finding)
    if any(_extends(finding, site) for site in sites):
        text += ", extending to the lateral recess"
    if is_off_centre:
        text += f", more to the {side}"
    if finding.name == "scoliosis" and finding.side:
        text += f", convex to the {side}"
    if "migrated" in (finding.grade or ""):
        text += ", " + (finding.grade or "")[(finding.grade or "").index("migrated") :]
    pressing = [_press_en(contact, degree, entries) for (contact, degree), entries in _by_contact(finding.compression)]
    if pressing:
        text += ", " + " and ".join(pressing)
    return text + (", which is not excluded" if finding.certainty == "not_excluded" else "")


def _side_en(side: str | None) -> str:
    """Write a side; "mainly left" is where there is more of something that is on both."""
    return (side or "").replace("mainly", "predominantly")


def _place_en(finding: Finding, side: Sequence[str]) -> str:
    """Side and sites: "left paracentral", "central and left paracentral"."""
    sites = [site for site in (finding.site or "").split(", ") if site and not _extends(finding, site)]
    middle = [site for site in sites if site == "central"]
    lateral = " and ".join(site for site in sites if site != "central")
    sided = " ".join(filter(None, (*side, lateral)))
    return " and ".join(filter(None, (*middle, sided)))


def _at(levels: Sequence[str], finding: Finding) -> str:
    named = head_to_tail(level for level in levels if level)
    is_more = "" in levels and finding.name in AT_DISC
    if not named:
        return " at several levels" if is_more else ""
    listed = ", ".join(named[:-1]) + (" and " if named[:-1] else "") + named[-1]
    return f" at {listed}" + (" and at other levels" if is_more else "")


def _press_en(contact: str, degree: str | None, entries: Sequence[Compression]) -> str:
    adverb = "" if degree is None else "largely " if degree == "largely" else f"{degree}ly "
    things = [_thing_en(entry) for entry in entries]
    listed = ", ".join(things[:-1]) + (" and " if things[:-1] else "") + things[-1]
    return f"{adverb}{_CONTACT['en'][contact]} {listed}"


def _thing_en(entry: Compression) -> str:
    one, many = _STRUCTURES["en"][entry.structure]
    if entry.side and entry.side.startswith("mainly "):
        return f"mainly {_thing_en(replace(entry, side=entry.side.removeprefix('mainly ')))}"
    if many is None:
        return f"the {entry.side + ' side of the ' if entry.side in ('left', 'right') else ''}{one}"
    root = f"{entry.root} " if entry.root else ""
    if entry.side in ("left", "right"):
        return f"the {entry.side} {root}{one}"
    if entry.side == "bilateral":
        return f"both {root}{many}"
    return f"the {root}{one if root else many}"


def _state_zh(finding: Finding, levels: Sequence[str]) -> str:
    name = name_reported(finding, "zh")
    sites = finding.site.split(", ") if finding.site else []
    named = head_to_tail(level for level in levels if level)
    where = "、".join(named) + ("等多个节段" if named and "" in levels and finding.name in AT_DISC else "")
    if not named and "" in levels and finding.name in AT_DISC:
        where = "多个节段"
    side = _SIDES_ZH.get(finding.side or "", "")
    degrees = "".join(word for key, word in _DEGREES["zh"].items() if key in (finding.grade or "").split())
    text = f"{where}{side}{'及'.join(_SITES_ZH[site] for site in sites if not _extends(finding, site))}{degrees}{name}"
    if finding.grade and "migrated" in finding.grade:
        text += "，" + ("向下移位" if "caudally" in finding.grade else "向上移位" if "cranially" in finding.grade else "有移位")
    extra = [_grade_zh(finding), name_value(finding), _CERTAINTY["zh"].get(finding.certainty, "")]
    if any(extra):
        text += f"（{'，'.join(word for word in extra if word)}）"
    if any(_extends(finding, site) for site in sites):
        text += "，延及侧隐窝"
    for (contact, degree), entries in _by_contact(finding.compression):
        adverb = _DEGREES["zh"].get(degree or "", "")
        text += f"，{adverb}{_CONTACT['zh'][contact]}{join_words(map(_thing_zh, entries), 'zh')}"
    return text


def _thing_zh(entry: Compression) -> str:
    side = _SIDES_ZH.get(entry.side or "", "")
    return f"{side}{(entry.root or '') + ' ' if entry.root else ''}{_STRUCTURES['zh'][entry.structure][0]}"


def _extends(finding: Finding, site: str) -> bool:
    """Whether a site is where a bulge extends to: a bulge is all around, so that it has no side recess of its own."""
    return finding.name == "disc_bulge" and site == "subarticular"


def _by_contact(entries: Iterable[Compression]) -> list[tuple[tuple[str, str | None], list[Compression]]]:
    groups: dict[tuple[str, str | None], list[Compression]] = {}
    for entry in entries:
        groups.setdefault((entry.contact, entry.degree), []).append(entry)
    return list(groups.items())


def _grade_before(finding: Finding) -> str:
    grade = finding.grade or ""
    return f"grade {grade.split()[-1]}" if finding.name == "spondylolisthesis" and "Meyerding" in grade else ""


def _grade_after(finding: Finding) -> str:
    """The Modic type with the Roman number that reports write, or the Pfirrmann grade."""
    grade = finding.grade or ""
    if finding.name == "modic_change" and "Modic" in grade:
        return f"of type {_ROMAN[grade.split()[-1]]}"
    return f"of {grade.replace('Pfirrmann', 'Pfirrmann grade')}" if "Pfirrmann" in grade else ""


def _grade_zh(finding: Finding) -> str:
    grade = finding.grade or ""
    if finding.name == "modic_change" and "Modic" in grade:
        return f"{_ROMAN[grade.split()[-1]]} 型"
    if "Meyerding" in grade:
        return f"{grade.split()[-1]} 度"
    return f"{grade} 级" if "Pfirrmann" in grade else ""


def _is_in(text: str, language: str) -> bool:
    return text.isascii() == (language == "en")


_ROMAN = {"1": "I", "2": "II", "3": "III"}
_NAMES = {
    "en": {
        "protrusion": "disc protrusion",
        "extrusion": "disc extrusion",
        "sequestration": "disc sequestration",
        "Schmorl's node": "Schmorl's nodes",
        "retrolisthesis": "retrolisthesis",
    },
    "zh": {
        "extrusion": "椎间盘脱出",
        "sequestration": "髓核游离",
        "Schmorl's node": "许莫氏结节",
        "retrolisthesis": "椎体后滑脱",
    },
}
_DEGREES = {
    "en": {word: word for word in ("small", "large", "mild", "moderate")}
    | {
        "severe": "severe",
        "marked": "marked",
        "significant": "significant",
        "diffuse": "diffuse",
        "broad": "broad-based",
        "focal": "focal",
    },
    "zh": {
        "small": "小的",
        "large": "较大的",
        "mild": "轻度",
        "moderate": "中度",
        "severe": "重度",
        "marked": "明显",
        "largely": "明显",
        "significant": "明显",
        "diffuse": "弥漫性",
        "broad": "广基底",
        "focal": "局限性",
    },
}
_CERTAINTY = {
    "en": {"probable": "probable", "possible": "possible"},
    "zh": {"probable": "很可能", "possible": "可能", "not_excluded": "不能除外"},
}
_CONTACT = {
    "en": {"compresses": "compressing", "narrows": "encroaching on", "touches": "touching", "enters": "reaching into"},
    "zh": {"compresses": "压迫", "narrows": "累及", "touches": "贴近", "enters": "突入"},
}
_SITES_ZH = {
    "central": "中央型",
    "paracentral": "旁中央型",
    "posterolateral": "后外侧型",
    "subarticular": "侧隐窝区",
    "foraminal": "椎间孔区",
    "extraforaminal": "椎间孔外",
}
_SIDES_ZH = {"left": "左侧", "right": "右侧", "bilateral": "双侧", "mainly left": "偏左侧", "mainly right": "偏右侧"}
_STRUCTURES: dict[str, dict[str, tuple[str, str | None]]] = {
    "en": {
        "cord": ("spinal cord", None),
        "conus": ("conus medullaris", None),
        "cauda_equina": ("cauda equina", None),
        "thecal_sac": ("thecal sac", None),
        "csf_space": ("CSF space", None),
        "canal": ("spinal canal", None),
        "lateral_recess": ("lateral recess", "lateral recesses"),
        "foramen": ("neural foramen", "neural foramina"),
        "nerve_root": ("nerve root", "nerve roots"),
        "exiting_root": ("exiting nerve root", "exiting nerve roots"),
        "traversing_root": ("traversing nerve root", "traversing nerve roots"),
    },
    "zh": {
        "cord": ("脊髓", None),
        "conus": ("脊髓圆锥", None),
        "cauda_equina": ("马尾神经", None),
        "thecal_sac": ("硬膜囊", None),
        "csf_space": ("蛛网膜下腔", None),
        "canal": ("椎管", None),
        "lateral_recess": ("侧隐窝", None),
        "foramen": ("椎间孔", None),
        "nerve_root": ("神经根", None),
        "exiting_root": ("出口神经根", None),
        "traversing_root": ("行走神经根", None),
    },
}
