import time

import evaluate
import pytest

from evaluation.multiple_choice_accuracy.multiple_choice_accuracy import extract_answer

CHOICES = [
    ("B", "B"),
    (" b ", "B"),
    ("(C)", "C"),
    ("**D**", "D"),
    ("Ｂ。", "B"),
    ("AC", "AC"),
    ("C, A", "AC"),
    ("A and C", "AC"),
    ("A、C、D", "ACD"),
    ("A和C", "AC"),
    ("The answer is B.", "B"),
    ("The correct answer is: (B) L4/L5", "B"),
    ("Answer: B", "B"),
    ("Final answer: \\boxed{C}", "C"),
    ("<answer>D</answer>", "D"),
    ("I would choose option C because the slip is at L5.", "C"),
    ("Option A is wrong. Option B is wrong. C is correct.", "C"),
    ("First I thought the answer is A. On reflection, the answer is B.", "B"),
    ("The answer is not A. The answer is D.", "D"),
    ("The correct options are A and C.", "AC"),
    ("B. L4/L5\nThe slip is seen there.", "B"),
    ("<think>The answer is A? No.</think>B", "B"),
    ("答案：B", "B"),
    ("正确答案是（C）。", "C"),
    ("综上所述，故选AC。", "AC"),
    ("应选择B，因为L4椎体前移。", "B"),
    ("不选A，选D。", "D"),
    ("B项正确", "B"),
    ("C选项是正确的，其余错误。", "C"),
    ("【答案】D", "D"),
    ("答案为A、C、D", "ACD"),
    ("The image fits option B best.", "B"),
    ("It must be (B), judging by the end plates.", "B"),
    ("The answer is A which fits the height loss.", "A"),
    ("(B) is the answer.", "B"),
    ("B is the correct answer.", "B"),
    ("ANSWER: c", "C"),
    ("Answer: A) Wedge fracture", "A"),
    ("The best answer is option (d).", "D"),
    ("Correct answer - B", "B"),
    ("My choice: B", "B"),
    ("The answer: C", "C"),
    ("Option C: L4-L5", "C"),
    ("C) L4/L5", "C"),
    ("A: L4/L5", "A"),
    ("Therefore, B.", "B"),
    ("the answer is: **B. L4/L5**", "B"),
    ("\\boxed{\\text{B}}", "B"),
    ("Thus the final answer is $\\boxed{D}$.", "D"),
    ("正确选项：B", "B"),
    ("本题选B", "B"),
    ("答：B", "B"),
    ("选项B正确", "B"),
    ("B是正确答案", "B"),
    ("正确答案是：A、B、D。", "ABD"),
    ("因此，本题答案为“C”。", "C"),
    ("A错误，B错误，因此选C。", "C"),
    ("答案：ＡＢ", "AB"),
    ("最合适的选项是D，原因是L5峡部裂。", "D"),
]
NO_CHOICE = [
    "",
    "The level is L4/L5.",
    "C5 is compressed.",
    "A disc bulge is seen.",
    "The answer is a fracture of the vertebral body.",
    "The answer is A or B.",
    "应选择C型臂透视。",
    "A. one\nB. two\nC. three",
    "vitamin D and hepatitis B",
    "<think>the answer is B",
    "ASIA grade D",
    "Answer: A wedge fracture of L1.",
    "The answer I would give is unclear.",
    "Neither is right.",
    "A、B均错误",
    "维生素D缺乏",
    "我不知道",
]


@pytest.mark.parametrize(("text", "letters"), CHOICES)
def test_choice_is_found(text, letters):
    assert extract_answer(text) == letters


@pytest.mark.parametrize("text", NO_CHOICE)
def test_text_without_choice_is_unparsed(text):
    assert extract_answer(text) is None


def test_option_text_chooses_and_letters_beyond_the_options_do_not():
    options = ["L3/L4", "L4/L5", "L5/S1", "L4/L5 and L5/S1"]
    assert extract_answer("The disc at L4/L5 is narrowed.", options) == "B"
    assert extract_answer("L4/L5 and L5/S1", options) == "D"
    assert extract_answer("L3/L4 or L5/S1", options) is None
    assert extract_answer("The answer is F", options) is None
    assert extract_answer("椎间盘突出位于腰4/5", ["腰3/4", "腰4/5"]) == "B"


def test_module_counts_unparsed_as_wrong_and_scores_groups(repo, monkeypatch):
    monkeypatch.chdir(repo)
    metric = evaluate.load("evaluation/multiple_choice_accuracy")
    result = metric.compute(
        predictions=["B", "答案：A", "no idea", "CA", "D"],
        references=["B", "A", "C", "AC", "A"],
        groups=["text", "text", "image_text", "image_text", "image_text"],
    )
    assert (result["n"], result["n_correct"], result["n_unparsed"]) == (5, 3, 1)
    assert result["accuracy"] == pytest.approx(0.6)
    assert result["groups"]["image_text"]["accuracy"] == pytest.approx(1 / 3)
    assert result["groups"]["image_text"]["n_unparsed"] == 1


def test_wilson_interval_is_the_published_one_for_426_of_487(repo, monkeypatch):
    monkeypatch.chdir(repo)
    metric = evaluate.load("evaluation/multiple_choice_accuracy")
    result = metric.compute(predictions=["A"] * 426 + ["B"] * 61, references=["A"] * 487)
    assert (round(100 * result["accuracy_low"], 1), round(100 * result["accuracy_high"], 1)) == (84.2, 90.1)


def test_bad_reference_names_the_row(repo, monkeypatch):
    monkeypatch.chdir(repo)
    metric = evaluate.load("evaluation/multiple_choice_accuracy")
    with pytest.raises(ValueError, match="row 1"):
        metric.compute(predictions=["A", "no idea"], references=["A", "第一"])
    with pytest.raises(ValueError, match="groups"):
        metric.compute(predictions=["A", "B"], references=["A", "B"], groups=["text"])


@pytest.mark.parametrize(
    "text", ["(" * 20_000, "选" * 20_000, "answer " * 5_000, "A " * 20_000, " " * 20_000 + "x", "A, " * 10_000]
)
def test_long_nonsense_takes_no_long_time(text):
    started = time.monotonic()
    extract_answer(text, ["L3", "L4"])
    assert time.monotonic() - started < 2
