"""Check what an item is about: the spine or orthopaedics, and the axis it is filed under."""

import re

from dataset_builders.classify import classify_text
from dataset_builders.generate.criteria.parts import is_as_written, parts_of
from dataset_builders.generate.criteria.vocabulary import named_in
from dataset_builders.item import Item
from dataset_builders.levels import find_levels

_PLANNING = re.compile(
    r"\b(?:treat\w*|manag\w*|surg\w*|operat\w*|procedure\w*|therap\w*|recommend\w*|suggest\w*|approach\w*"
    r"|screw\w*|construct|plan\w*|"
    r"root|roots|rehabilitat\w*|exercis\w*|drug\w*|dose|medic\w*|indicat\w*|advis\w*|prescri\w*)\b|"
    r"治疗|手术|处理|管理|推荐|建议|神经根|入路|固定|方案|康复|锻炼|用药|剂量|置钉|适应证|减压|融合",
    re.IGNORECASE,
)


def about_the_field(item: Item, _: object) -> str:
    """Demand a term of the spine or of orthopaedics in question or answer."""
    if is_as_written(item) or item.images:
        return ""
    said = parts_of(item).said
    if find_levels(said) or classify_text(said).specialty != "general":
        return ""
    return "no word of the spine or of orthopaedics"


def axis_fits(item: Item, _: object) -> str:
    """Demand a level of level_identification, and a treatment of surgical_planning alone."""
    if is_as_written(item) or item.axis is None:
        return ""
    parts = parts_of(item)
    if item.axis == "level_identification" and not (item.levels or item.discs or find_levels(parts.replies)):
        return "level_identification without a level"
    if item.axis == "surgical_planning" and not _PLANNING.search(parts.said):
        return "surgical_planning without a treatment"
    if item.axis != "surgical_planning" and item.task == "multiple_choice":
        treated = [bool(named_in("drugs", option) or named_in("treatments", option)) for option in item.options]
        if sum(treated) >= 2 and _is_treatment(parts.key):
            return f"{item.axis} of a question about treatment"
    return ""


def _is_treatment(key: str) -> bool:
    return bool((named_in("drugs", key) or named_in("treatments", key)) and not named_in("findings", key))
