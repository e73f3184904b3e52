import re

from dataset_builders.phantom.general_medical import make_general_medical


def test_general_medicine_has_reasoning_that_reaches_its_answer():
    rows = make_general_medical(seed=0)
    assert sum(map(len, rows.values())) >= 40
    for row in rows["en"] + rows["zh"]:
        assert all(row[column].strip() for column in ("Question", "Complex_CoT", "Response"))
        # Every number of the answer's first sentence was derived or given before.
        known = set(re.findall(r"\d+(?:\.\d+)?", row["Question"] + row["Complex_CoT"]))
        if "＝" in row["Complex_CoT"] or " = " in row["Complex_CoT"]:
            assert set(re.findall(r"\d+(?:\.\d+)?", re.split(r"[,，(（]", row["Response"])[0])) <= known, row


def test_another_seed_makes_other_rows():
    assert make_general_medical(0) == make_general_medical(0)
    assert make_general_medical(1) != make_general_medical(0)
