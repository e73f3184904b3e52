"""Make hospital cases with synthetic identities: admission records of phantom patients, still to be de-identified.

Names, streets, towns and institutions are made up; phones lie in fictional ranges, web names under example.org, Chinese
identity numbers carry an unassigned area code. ``planted_identifiers`` says what must not survive in a published row.
"""

import datetime
import random
from dataclasses import asdict, dataclass
from importlib import resources
from typing import Any

import yaml

from dataset_builders.document import Finding
from dataset_builders.phantom.images import Image, render_views
from dataset_builders.phantom.question_bank import CERVICAL_ROOTS, LUMBAR_ROOTS
from dataset_builders.phantom.volumes import LEVELS, make_volume


@dataclass(frozen=True, slots=True)
class Scenario:
    """What a case is about: a topic of text/hospital.yaml, its planted finding and how it is treated."""

    topic: str
    language: str
    modality: str
    region: str
    finding: Finding
    plan: str


@dataclass(frozen=True, slots=True)
class Identity:
    """A person who does not exist. Every field but ``sex`` and ``age`` identifies."""

    name: str
    sex: str
    age: int
    born: str
    phone: str
    email: str
    address: str
    record_number: str
    national_id: str
    hospital: str
    physician: str
    admitted: str
    imaged: str
    discharged: str

    @property
    def identifiers(self) -> tuple[str, ...]:
        """Return the strings that must not survive de-identification."""
        return tuple(str(value) for key, value in asdict(self).items() if key not in ("sex", "age"))


@dataclass(frozen=True, slots=True)
class HospitalCase:
    """One JSON line of hospital/cases_*.jsonl, and its images."""

    case_id: str
    language: str
    sex: str
    age: int
    note: str
    findings: tuple[Finding, ...]
    images: tuple[Image, ...]

    def to_row(self) -> dict[str, Any]:
        return {
            "case_id": self.case_id,
            "language": self.language,
            "sex": self.sex,
            "age": self.age,
            "note": self.note,
            "images": [image.name for image in self.images],
            "findings": [asdict(finding) for finding in self.findings],
        }


def _scenario(topic: str, language: str, modality: str, level: str, grade: str, plan: str) -> Scenario:
    name = {"lumbar_disc": "disc_narrowing", "cervical_disc": "disc_narrowing"}.get(topic, topic)
    region = "cervical" if topic == "cervical_disc" else "thoracolumbar" if level.startswith("T8") else "lumbar"
    return Scenario(topic, language, modality, region, Finding(name, level, grade), plan)


SCENARIOS = (
    _scenario("wedge_fracture", "en", "ct", "L1", "Genant 2", "conservative"),
    _scenario("spondylolisthesis", "zh", "mri", "L4/L5", "Meyerding I", "conservative"),
    _scenario("lumbar_disc", "en", "mri", "L5/S1", "moderate", "conservative"),
    _scenario("wedge_fracture", "zh", "ct", "T12", "Genant 3", "operative"),
    _scenario("spondylolisthesis", "en", "ct", "L5/S1", "Meyerding II", "operative"),
    _scenario("lumbar_disc", "zh", "mri", "L4/L5", "severe", "operative"),
    _scenario("cervical_disc", "en", "mri", "C5/C6", "moderate", "conservative"),
    _scenario("cervical_disc", "zh", "ct", "C6/C7", "severe", "operative"),
    _scenario("wedge_fracture", "en", "mri", "L2", "Genant 3", "operative"),
    _scenario("wedge_fracture", "zh", "mri", "L1", "Genant 1", "conservative"),
    _scenario("spondylolisthesis", "en", "mri", "L4/L5", "Meyerding I", "conservative"),
    _scenario("lumbar_disc", "zh", "ct", "L3/L4", "mild", "conservative"),
    _scenario("lumbar_disc", "en", "ct", "L4/L5", "severe", "operative"),
    _scenario("spondylolisthesis", "zh", "ct", "L4/L5", "Meyerding II", "operative"),
    _scenario("cervical_disc", "en", "ct", "C4/C5", "mild", "conservative"),
    _scenario("cervical_disc", "zh", "mri", "C5/C6", "moderate", "conservative"),
    _scenario("wedge_fracture", "en", "ct", "T8", "Genant 2", "conservative"),
    _scenario("wedge_fracture", "zh", "ct", "L3", "Genant 2", "conservative"),
)  # fmt: skip


def make_hospital_cases(seed: int, count: int) -> list[HospitalCase]:
    """Make the first ``count`` (at most len(SCENARIOS)) cases, English and Chinese in turn."""
    texts = yaml.safe_load(resources.files(__package__).joinpath("text/hospital.yaml").read_text(encoding="utf-8"))
    return [_make_case(seed, number, scenario, texts) for number, scenario in enumerate(SCENARIOS[:count], 1)]


def planted_identifiers(seed: int, count: int = len(SCENARIOS)) -> dict[str, tuple[str, ...]]:
    """Return case id -> the identifying strings as written in its note. Fast, since no images are made."""
    return {
        _case_id(scenario, number): _make_identity(_rng(seed, number), scenario.language).identifiers
        for number, scenario in enumerate(SCENARIOS[:count], 1)
    }


def _rng(seed: int, number: int) -> random.Random:
    return random.Random(f"hospital:{seed}:{number}")


def _case_id(scenario: Scenario, number: int) -> str:
    return f"phantom-hospital-{scenario.language}-{number:02d}"


def _make_case(seed: int, number: int, scenario: Scenario, texts: dict[str, Any]) -> HospitalCase:
    rng = _rng(seed, number)
    identity = _make_identity(rng, scenario.language)
    planted = [scenario.finding]
    if scenario.finding.name == "disc_narrowing" and scenario.modality == "mri":
        pfirrmann = {"mild": "Pfirrmann 3", "moderate": "Pfirrmann 4", "severe": "Pfirrmann 5"}[scenario.finding.grade or ""]
        planted.append(Finding("disc_degeneration", scenario.finding.level, pfirrmann))
    volume = make_volume(1000 * (seed + 1) + 500 + number, scenario.modality, scenario.region, planted)
    case_id = _case_id(scenario, number)
    return HospitalCase(
        case_id=case_id,
        language=scenario.language,
        sex=identity.sex,
        age=identity.age,
        note=_write_note(identity, scenario, volume.findings, texts[scenario.topic][scenario.language], rng),
        findings=volume.findings,
        images=render_views(volume, case_id),
    )


_SEX_WORDS = {"en": {"female": "Female", "male": "Male"}, "zh": {"female": "女", "male": "男"}}
_SCAN_WORDS = {
    ("en", "ct"): "CT of the spine, bone window",
    ("en", "mri"): "MRI of the spine, T2-weighted",
    ("zh", "ct"): "脊柱CT平扫（骨窗）",
    ("zh", "mri"): "脊柱MRI（T2加权像）",
}

_NOTE_EN = """{hospital}
ADMISSION RECORD

Name: {name}    Sex: {sex_word}    Age: {age} years    Date of birth: {born}
MRN: {record_number}    SSN: {national_id}
Address: {address}
Phone: {phone}    E-mail: {email}
Admitted: {admitted}    Discharged: {discharged}    Attending physician: Dr. {physician}

CHIEF COMPLAINT: {complaint}

HISTORY OF PRESENT ILLNESS: {history}

EXAMINATION: {examination}

IMAGING FINDINGS: {scan}, performed on {imaged}. {imaging}

DIAGNOSIS: {diagnosis}

TREATMENT: {treatment}

RISK AND PROGNOSIS: {risk}

POSTOPERATIVE MANAGEMENT AND FOLLOW-UP: {aftercare}

Results are sent to the patient at {email}. Signed: Dr. {physician}, {discharged}
"""

_NOTE_ZH = """{hospital}
入院记录

姓名：{name}　性别：{sex_word}　年龄：{age}岁　出生日期：{born}
住院号：{record_number}　身份证号：{national_id}
住址：{address}
联系电话：{phone}　电子邮箱：{email}
入院日期：{admitted}　出院日期：{discharged}　主治医师：{physician}

主诉：{complaint}

现病史：{history}

体格检查：{examination}

影像学表现：{imaged}行{scan}。{imaging}

诊断：{diagnosis}

治疗：{treatment}

风险与预后：{risk}

术后管理与随访：{aftercare}

检查结果发送至{email}。医师签名：{physician}　{discharged}
"""


def _write_note(
    identity: Identity, scenario: Scenario, findings: tuple[Finding, ...], text: dict[str, Any], rng: random.Random
) -> str:
    facts = {**_clinical_facts(findings, scenario.language), "days": rng.randint(3, 14), "months": rng.randint(4, 18)}
    side = rng.choice((("left", "左"), ("right", "右")))
    facts |= {"side_en": side[0], "side_zh": side[1]}
    parts = {**text, **text["plans"][scenario.plan], "imaging": text[f"imaging_{scenario.modality}"]}
    written = {key: value.format(**facts) for key, value in parts.items() if isinstance(value, str)}
    template = _NOTE_EN if scenario.language == "en" else _NOTE_ZH
    return template.format(
        **asdict(identity),
        **written,
        sex_word=_SEX_WORDS[scenario.language][identity.sex],
        scan=_SCAN_WORDS[scenario.language, scenario.modality],
    )


def _clinical_facts(findings: tuple[Finding, ...], language: str) -> dict[str, Any]:
    """The words of the first finding: level, its neighbours, the root concerned, value and grade."""
    main = findings[0]
    upper, _, lower = main.level.partition("/")
    at = LEVELS.index(upper)
    grade = main.grade or ""
    words = {"mild": "轻度", "moderate": "中度", "severe": "重度"}
    pfirrmann = next((f.grade or "" for f in findings if f.name == "disc_degeneration"), "").removeprefix("Pfirrmann ")
    return {
        "level": main.level, "upper": upper, "lower": lower or LEVELS[at - 1],
        "above": LEVELS[at + 1], "below": LEVELS[at - 1],
        "root": CERVICAL_ROOTS.get(main.level) or LUMBAR_ROOTS.get(main.level, ("",))[0],
        "value": round(main.value or 0), "grade_short": grade.split()[-1],
        "grade_word": grade if language == "en" else words.get(grade, grade),
        "pfirrmann_en": f" (Pfirrmann grade {pfirrmann})" if pfirrmann else "",
        "pfirrmann_zh": f"（Pfirrmann {pfirrmann}级）" if pfirrmann else "",
    }  # fmt: skip


_FIRST = {
    "female": ("Eleanor", "Marguerite", "Philippa", "Rosalind", "Henrietta"),
    "male": ("Bartholomew", "Leopold", "Desmond", "Cornelius", "Alistair"),
}
_LAST = ("Whitcombe", "Fernsby", "Oakhurst", "Marlowe-Finch", "Tattershall", "Quillfeather", "Brackenridge", "Thistlewood")
_STREETS = ("Alder Lane", "Quarry Hill Road", "Saltmarsh Avenue", "Foxglove Court", "Millrace Street")
_TOWNS = ("Maplebrook", "Eastferry", "Harrowfield", "Stonewick")
_HOSPITALS = ("Maplebrook General Hospital", "Eastferry Spine Center", "Harrowfield Memorial Hospital")
_SURNAMES_ZH = ("欧阳", "司徒", "慕容", "诸葛", "尉迟", "端木", "令狐", "东方")
_GIVEN_ZH = {"female": ("静姝", "若兰", "婉清", "晓雯"), "male": ("文博", "子墨", "国梁", "宏远")}
_ROADS_ZH = ("梧桐路", "望江街", "槐荫巷", "栖霞大道")
_TOWNS_ZH = ("青禾市临溪区", "云麓市东湖区", "白鹭市南浦区")
_HOSPITALS_ZH = ("青禾市第三人民医院", "云麓市骨科医院", "白鹭市中心医院")


def _make_identity(rng: random.Random, language: str) -> Identity:
    sex = rng.choice(("female", "male"))
    age = rng.randint(48, 84)
    admitted = datetime.date(2023, 1, 1) + datetime.timedelta(days=rng.randrange(600))
    born = admitted.replace(year=admitted.year - age, day=15) - datetime.timedelta(days=rng.randrange(20, 300))
    dates = {
        "born": born,
        "admitted": admitted,
        "imaged": admitted + datetime.timedelta(days=1),
        "discharged": admitted + datetime.timedelta(days=rng.randint(4, 12)),
    }
    number = rng.randrange(10)
    if language == "en":
        first, last = rng.choice(_FIRST[sex]), rng.choice(_LAST)
        return Identity(
            name=f"{first} {last}",
            sex=sex,
            age=age,
            phone=f"(202) 555-01{rng.randrange(100):02d}",
            email=f"{first}.{last}{number}@example.org".lower(),
            address=f"{rng.randint(12, 980)} {rng.choice(_STREETS)}, {rng.choice(_TOWNS)}",
            record_number=f"MR{rng.randrange(10**7, 10**8)}",
            national_id=f"9{rng.randrange(10, 100)}-{rng.randrange(10, 70)}-{rng.randrange(1000, 10000)}",
            hospital=rng.choice(_HOSPITALS),
            physician=f"{rng.choice(_FIRST[rng.choice(('female', 'male'))])[0]}. {rng.choice([n for n in _LAST if n != last])}",
            **{key: f"{date.day} {date:%B} {date.year}" for key, date in dates.items()},
        )
    family, given = rng.choice(_SURNAMES_ZH), rng.choice(_GIVEN_ZH[sex])
    return Identity(
        name=family + given,
        sex=sex,
        age=age,
        phone=f"199000001{rng.randrange(100):02d}",
        email=f"patient{rng.randrange(1000, 10000)}@example.org",
        address=f"{rng.choice(_TOWNS_ZH)}{rng.choice(_ROADS_ZH)}{rng.randint(3, 480)}号{rng.randint(101, 902)}室",
        record_number=f"ZY{rng.randrange(10**7, 10**8)}",
        national_id=_resident_id(born, rng.randrange(100) * 10 + (2 * number + (sex == "male")) % 10),
        hospital=rng.choice(_HOSPITALS_ZH),
        physician=rng.choice([n for n in _SURNAMES_ZH if n != family]) + rng.choice(("明哲", "思远", "雅琴")),
        **{key: f"{date.year}年{date.month}月{date.day}日" for key, date in dates.items()},
    )


def _resident_id(born: datetime.date, serial: int) -> str:
    """An 18-digit resident id with a valid check digit (GB 11643) and the unassigned area code 110199."""
    digits = f"110199{born:%Y%m%d}{serial:03d}"
    total = sum(int(digit) * (2 ** (17 - position) % 11) for position, digit in enumerate(digits))
    return digits + "10X98765432"[total % 11]
