"""Make general medicine with written-out reasoning, in medical-o1-reasoning-SFT's columns: Question, Complex_CoT, Response.

Most rows are calculations from the ward, whose result and verdict are computed; text/general_medical.yaml holds the words.
"""

import random
from collections.abc import Callable, Iterator
from importlib import resources
from typing import Any

import yaml

Facts = dict[str, Any]
Row = dict[str, str]

_EYES = {
    4: ("has the eyes open spontaneously", "自动睁眼"),
    3: ("opens the eyes to speech", "呼唤睁眼"),
    2: ("opens the eyes to pain", "疼痛刺激睁眼"),
}
_VERBAL = {
    4: ("is confused", "回答错误"),
    3: ("utters single words", "只能说出单词"),
    2: ("only groans", "只能发音"),
}
_MOTOR = {
    6: ("obeys commands", "能按吩咐动作"),
    5: ("localises pain", "刺痛能定位"),
    4: ("withdraws from pain", "刺痛时肢体回缩"),
}


def make_general_medical(seed: int, rows_a_topic: int = 2) -> dict[str, list[Row]]:
    """Make rows by language, "en" and "zh": ``rows_a_topic`` for each computed topic, then the written ones."""
    rng = random.Random(f"general_medical:{seed}")
    text = yaml.safe_load(resources.files(__package__).joinpath("text/general_medical.yaml").read_text(encoding="utf-8"))
    rows: dict[str, list[Row]] = {"en": [], "zh": []}
    for topic, make_facts in _TOPICS.items():
        for language, template in text["computed"][topic].items():
            for facts in _distinct(make_facts, rng, language, rows_a_topic):
                rows[language].append(_row(*(template[part].format(**facts) for part in ("question", "reasoning", "response"))))
    for entry in text["written"]:
        rows[entry["language"]].append(_row(entry["question"], entry["reasoning"], entry["response"]))
    return rows


def _row(question: str, reasoning: str, response: str) -> Row:
    return {"Question": question, "Complex_CoT": reasoning, "Response": response}


def _distinct(make_facts: Callable[..., Facts], rng: random.Random, language: str, count: int) -> Iterator[Facts]:
    seen: list[Facts] = []
    while len(seen) < count:
        facts = make_facts(rng, language)
        if facts not in seen:
            seen.append(facts)
            yield facts


def _say(language: str, en: str, zh: str) -> str:
    return en if language == "en" else zh


def _number(value: float, digits: int) -> str:
    """Format ``value`` without trailing zeros: people write 12 mL, not 12.0 mL."""
    return f"{value:.{digits}f}".rstrip("0").rstrip(".")


def _anion_gap(rng: random.Random, language: str) -> Facts:
    sodium, bicarbonate = rng.randint(134, 144), rng.choice((12, 14, 15, 24, 25))
    gap = rng.randint(18, 26) if bicarbonate < 20 else rng.randint(8, 12)
    chloride = sodium - bicarbonate - gap
    raised = gap > 12
    advice = {
        True: ("Look for lactate, ketones, renal failure and toxins.", "应查乳酸、酮体、肾功能及毒物。"),
        False: ("It gives no hint of unmeasured acids.", "不提示未测定酸增多。"),
    }[raised]
    return {
        "age": rng.randint(25, 80), "sodium": sodium, "chloride": chloride, "bicarbonate": bicarbonate,
        "anions": chloride + bicarbonate, "gap": gap, "advice": _say(language, *advice),
        "verdict": _say(language, "raised" if raised else "normal", "升高" if raised else "正常"),
    }  # fmt: skip


def _bmi(rng: random.Random, language: str) -> Facts:
    weight, height = rng.randint(46, 104), rng.randint(152, 188)
    square = round((height / 100) ** 2, 2)
    bmi = round(weight / square, 1)
    names = ("underweight", "normal", "overweight", "obesity") if language == "en" else ("体重过低", "正常", "超重", "肥胖")
    limits = (18.5, 25, 30) if language == "en" else (18.5, 24, 28)
    return {
        "weight": weight, "height": height, "metres": f"{height / 100:.2f}", "square": f"{square:.2f}",
        "bmi": f"{bmi:.1f}", "category": names[sum(bmi >= limit for limit in limits)],
    }  # fmt: skip


def _coma_scale(rng: random.Random, language: str) -> Facts:
    eye, verbal, motor = rng.choice(((4, 4, 6), (4, 3, 6), (3, 4, 6), (3, 4, 5), (3, 3, 5), (2, 3, 5), (2, 2, 4), (2, 2, 5)))
    total = eye + verbal + motor
    names = ("severe", "moderate", "mild") if language == "en" else ("重度", "中度", "轻度")
    return {
        "eye": eye, "verbal": verbal, "motor": motor, "total": total, "severity": names[(total >= 9) + (total >= 13)],
        "eye_words": _say(language, *_EYES[eye]), "verbal_words": _say(language, *_VERBAL[verbal]),
        "motor_words": _say(language, *_MOTOR[motor]),
    }  # fmt: skip


def _dose(rng: random.Random, language: str) -> Facts:
    """Paracetamol 15 mg/kg of 24 mg/mL in the English text, ibuprofen 10 mg/kg of 20 mg/mL in the Chinese one."""
    weight = rng.randrange(8, 30, 2)
    dose = weight * (15 if language == "en" else 10)
    volume = dose / (24 if language == "en" else 20)
    return {"weight": weight, "dose": dose, "volume": _number(volume, 2)}


def _maintenance_fluid(rng: random.Random, language: str) -> Facts:
    weight = rng.randint(7, 38)
    bands = [(min(weight, 10), 4), (max(0, min(weight, 20) - 10), 2), (max(0, weight - 20), 1)]
    times, plus = (" x ", " + ") if language == "en" else ("×", "＋")
    parts = plus.join(f"{kilograms}{times}{rate}" for kilograms, rate in bands if kilograms)
    return {"weight": weight, "parts": parts, "rate": sum(kilograms * rate for kilograms, rate in bands)}


def _mean_pressure(rng: random.Random, language: str) -> Facts:
    diastolic = rng.randint(38, 70)
    pulse = 3 * rng.randint(9, 16)
    mean = diastolic + pulse // 3
    return {
        "systolic": diastolic + pulse, "diastolic": diastolic, "pulse": pulse, "third": pulse // 3, "mean": mean,
        "verdict": _say(language, "at or above" if mean >= 65 else "below", "达到" if mean >= 65 else "未达到"),
    }  # fmt: skip


def _calcium(rng: random.Random, language: str) -> Facts:
    albumin = rng.choice((20, 25, 28, 30, 32))
    calcium = round(rng.uniform(1.95, 2.65), 2)
    corrected = round(calcium + (40 - albumin) * 0.02, 2)
    names = ("low", "normal", "raised") if language == "en" else ("偏低", "正常", "升高")
    return {
        "calcium": f"{calcium:.2f}", "albumin": albumin, "gap": 40 - albumin, "correction": f"{(40 - albumin) * 0.02:.2f}",
        "corrected": f"{corrected:.2f}", "verdict": names[(corrected >= 2.2) + (corrected > 2.6)],
    }  # fmt: skip


def _glucose(rng: random.Random, language: str) -> Facts:
    """American criteria (impaired from 5.6 mmol/L) in the English text, those of the WHO (from 6.1) in the Chinese one."""
    mg = rng.choice((86, 90, 95, 112, 118, 122, 135, 144, 162))
    mmol = round(mg / 18, 1)
    en = ("normal fasting glucose", "impaired fasting glucose", "diabetes")
    zh = ("空腹血糖正常", "空腹血糖受损", "糖尿病")
    band = (mmol >= (5.6 if language == "en" else 6.1)) + (mmol >= 7.0)
    return {"mg": mg, "mmol": f"{mmol:.1f}", "verdict": _say(language, en[band], zh[band])}


def _pack_years(rng: random.Random, language: str) -> Facts:
    years = rng.randint(8, 40)
    if language == "en":
        packs = rng.choice((0.5, 1, 1.5, 2))
        total = packs * years
        verdict = "reaches" if total >= 20 else "does not reach"
        return {"packs": _number(packs, 1), "years": years, "total": _number(total, 1), "verdict": verdict}
    sticks = rng.choice((10, 15, 20, 30))
    index = sticks * years
    verdict = "达到" if index >= 400 else "未达到"
    return {"sticks": sticks, "years": years, "index": index, "total": _number(index / 20, 2), "verdict": verdict}


def _shock_index(rng: random.Random, language: str) -> Facts:
    rate, systolic = rng.choice(((124, 92), (118, 104), (72, 124), (84, 128), (132, 88), (76, 118)))
    index = round(rate / systolic, 2)
    verdict = ("raised and suggests blood loss", "升高，提示失血") if index >= 0.9 else ("not raised", "未升高")
    return {"rate": rate, "systolic": systolic, "index": f"{index:.2f}", "verdict": _say(language, *verdict)}


_TOPICS: dict[str, Callable[[random.Random, str], Facts]] = {
    "anion_gap": _anion_gap,
    "bmi": _bmi,
    "coma_scale": _coma_scale,
    "dose": _dose,
    "maintenance_fluid": _maintenance_fluid,
    "mean_pressure": _mean_pressure,
    "calcium": _calcium,
    "glucose": _glucose,
    "pack_years": _pack_years,
    "shock_index": _shock_index,
}
