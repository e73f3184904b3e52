"""Tell the markings of an imaging device, which say nothing about a person, from all other writing in an image.

The table is closed: what is not in it is taken for a name, date or number of a person. A pair of letters that is also a short
family name (LI, HA, FA, AI) is no marking, though some viewers mark orientations so. A lone number of one or two digits is a
tick of a scale or the number of a slice; longer ones may be a patient's.
"""

import re

_NUMBER = r"[-+]?\d{1,4}(?:[.,]\d{1,2})?"
_LEVEL = r"(?:C|TH?|D|L|S|CO)\d{1,2}"
# Each row is one marking; white space in it stands for any, or none, in the image.
_ROWS = (
    r"[LRAPHFSI]",  # side and orientation (DICOM C.7.6.1.1.1: A P L R H F; S and I in viewers)
    r"(?:LA|LP|RA|RP|AL|AR|PL|PR|AP|PA|LAT|LAO|RAO|LPO|RPO|OBL|LT|RT)",
    r"(?:LEFT|RIGHT|ANTERIOR|POSTERIOR|LATERAL|HEAD|FEET|OBLIQUE)",
    r"[左右前后上下头足]侧?",
    rf"{_LEVEL}(?:(?: [-/–] {_LEVEL}){{1,3}}| [-/–] \d{{1,2}})?",
    r"(?:SUPINE|PRONE|ERECT|UPRIGHT|STANDING|SITTING|FLEX(?:ION)?|EXT(?:ENSION)?|NEUTRAL|BENDING|PORTABLE|HF[SP]|FF[SP])",
    r"(?:立位|卧位|仰卧|俯卧|过伸|过屈|正位|侧位|中立位)",
    r"(?:T[12](?:W|WI)?|PD|STIR|FLAIR|DWI|ADC|FSE|TSE|SE|GRE|FS|SAG|COR|AX|TRA|AXIAL|SAGITTAL|CORONAL|SCOUT|TOPO|MPR|MIP|3D)",
    rf"{_NUMBER} (?:mm|cm|%|kV|kVp|mA|mAs|ms|HU|T|mm/div|cm/div)",
    r"(?:mm|cm|HU)",
    rf"(?:SER?|SERIES|IMG?|IMAGE|SLICE|FRAME|ACQ|序列|图像|层) [:#.]? {_NUMBER}(?: (?:/|OF) \d{{1,4}})?",
    rf"(?:W|WW|WL|L|C|WC|WINDOW|LEVEL|窗宽|窗位) [:=.]? {_NUMBER}",
    rf"(?:TR|TE|TI|ETL|NEX|NSA|FA|FOV|ZOOM|MAG|SL|ST|THK|SP|GAP|LOC|KVP?|MAS?|TILT|DFOV) [:=.]? {_NUMBER} (?:mm|cm|ms|%|x|°)?",
)
_MARKING = "|".join(f"(?:{row})" for row in _ROWS).replace(" ", r"\s*")
# A lone number is one by itself only: several in a row may be a date.
_MARKINGS = re.compile(rf"\d{{1,2}}|(?:{_MARKING})(?:[\s,;/|]+(?:{_MARKING}))*", re.IGNORECASE)


def is_marking(text: str) -> bool:
    """Tell whether a line holds nothing but markings of the device: ``L``, ``L5/S1``, ``Se 3 Im 12/45``, ``W 400 L 40``."""
    return _MARKINGS.fullmatch(text.strip(" .:()[]-")) is not None
