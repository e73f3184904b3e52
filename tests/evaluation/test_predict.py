"""Asking a benchmark's questions, with models that say what they were asked."""

import json

import pytest

from evaluation.predict import MCQ_MAX_NEW_TOKENS, Reply, choose_prompts, predict
from evaluation.records import PREDICTIONS
from tests.support.benchmark_items import make_benchmark, make_item


class Model:
    """Answers ``text``; keeps every batch that it was asked. With ``ends_at`` it raises at that batch."""

    id, version, parameters = "made-up", "1", None

    def __init__(self, text="C. L4/L5", truncated=False, ends_at=None):
        self.text, self.truncated, self.ends_at = text, truncated, ends_at
        self.asked = []

    def generate(self, requests, max_new_tokens):
        if len(self.asked) == self.ends_at:
            raise KeyboardInterrupt
        self.asked.append((list(requests), max_new_tokens))
        return [Reply(f"{self.text} ({request.text.splitlines()[0]})", self.truncated) for request in requests]

    def score_next(self, requests, words):
        self.asked.append((list(requests), list(words)))
        return [[-float(abs(place - 1)) - 0.1234567 for place in range(len(letters))] for letters in words]


def benchmark():
    return make_benchmark(
        make_item("r1", "report"),
        make_item("m1", images=[b"png"]),
        make_item("m2", language="zh"),
        make_item("m3", options=("L3", "L4"), answer="A", source_kind="hospital_case"),
        make_item("r2", "report"),
    )


def lines(folder):
    return [json.loads(line) for line in (folder / PREDICTIONS).read_text(encoding="utf-8").splitlines()]


def test_predictions_come_in_the_benchmarks_order_and_batches_hold_one_task(tmp_path):
    model = Model()
    predictions = predict(model, benchmark(), tmp_path, batch_size=2)
    assert [prediction["id"] for prediction in predictions] == ["r1", "m1", "m2", "m3", "r2"]
    assert [len(requests) for requests, _ in model.asked] == [2, 1, 2]
    assert [line["id"] for line in lines(tmp_path)] == ["m1", "m2", "m3", "r1", "r2"]
    assert sorted(predictions, key=lambda line: line["id"]) == sorted(lines(tmp_path), key=lambda line: line["id"])


def test_a_request_holds_the_question_the_lettered_options_and_what_a_trusted_endpoint_needs_to_know(tmp_path):
    model = Model()
    predict(model, benchmark(), tmp_path)
    first, second, third, report, _ = (requests[0] for requests, _ in model.asked)
    assert first.text.startswith("Which disc is narrow in m1?\n\nA. L2/L3\nB. L3/L4\nC. L4/L5\nD. L5/S1")
    assert "请先写出正确选项的字母" in second.text and third.text.count("\nA. L3\nB. L4\n") == 1
    assert (first.images, second.images) == ((b"png",), ())
    assert [request.is_hospital for request in (first, second, third)] == [False, False, True]
    prompts = choose_prompts("generate")
    assert (first.prompt_id, first.prompt_sha256) == ("multiple_choice@1", prompts["multiple_choice"].sha256)
    assert (report.prompt_id, report.prompt_sha256) == ("report@1", prompts["report"].sha256)


@pytest.mark.parametrize(("text", "choice"), [("C. L4/L5", "C"), ("It is L4/L5.", "C"), ("I cannot say.", None)])
def test_a_choice_is_read_from_the_words_and_none_is_kept_as_none(tmp_path, text, choice):
    (prediction,) = predict(Model(text, truncated=True), make_benchmark(make_item("m", question="Which?")), tmp_path)
    assert prediction == {
        "id": "m",
        "task": "multiple_choice",
        "text": f"{text} (Which?)",
        "truncated": True,
        "choice": choice,
        "prompt_id": "multiple_choice@1",
        "n_images": 0,
    }


def test_a_report_is_kept_as_it_was_written(tmp_path):
    (prediction,) = predict(Model("A slip."), make_benchmark(make_item("r", "report")), tmp_path)
    assert "choice" not in prediction and prediction["text"].startswith("A slip. (") and prediction["truncated"] is False


def test_multiple_choice_gets_no_more_tokens_than_it_needs(tmp_path):
    model = Model()
    (tmp_path / "long").mkdir()
    predict(model, benchmark(), tmp_path / "long", max_new_tokens=MCQ_MAX_NEW_TOKENS + 1)
    assert [limit for _, limit in model.asked] == [MCQ_MAX_NEW_TOKENS] * 3 + [MCQ_MAX_NEW_TOKENS + 1] * 2
    model = Model()
    predict(model, benchmark(), tmp_path, max_new_tokens=7)
    assert {limit for _, limit in model.asked} == {7}


def test_by_likelihood_the_most_probable_letter_of_the_items_own_is_the_choice(tmp_path):
    model, scorer = Model("A report"), Model()
    predictions = {line["id"]: line for line in predict(model, benchmark(), tmp_path, scorer=scorer, batch_size=3)}
    assert predictions["m1"]["choice"] == "B" and predictions["m1"]["text"] == ""
    assert predictions["m1"]["log_probabilities"] == {"A": -1.123457, "B": -0.123457, "C": -1.123457, "D": -2.123457}
    assert list(predictions["m3"]["log_probabilities"]) == ["A", "B"]
    assert predictions["m1"]["prompt_id"] == "multiple_choice_likelihood@1"
    ((requests, letters),) = scorer.asked
    assert letters == ["ABCD", "ABCD", "AB"] and all("Begin your answer" not in request.text for request in requests)
    assert [requests[0].prompt_id for requests, _ in model.asked] == ["report@1"]  # reports are always written
    assert predictions["r1"]["text"].startswith("A report")


def test_without_images_no_image_is_shown_and_the_line_says_so(tmp_path):
    model = Model()
    (prediction,) = predict(model, make_benchmark(make_item("m", images=[b"png"])), tmp_path, images=False)
    assert model.asked[0][0][0].images == () and prediction["n_images"] == 0
    (tmp_path / "seen").mkdir()
    (prediction,) = predict(Model(), make_benchmark(make_item("m", images=[b"png", b"two"])), tmp_path / "seen")
    assert prediction["n_images"] == 2


def test_a_run_that_was_cut_off_asks_the_same_batches_as_an_undisturbed_one(tmp_path):
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
    whole = Model()
    expected = predict(whole, benchmark(), tmp_path / "whole", batch_size=2)
    with pytest.raises(KeyboardInterrupt):
        predict(Model(ends_at=1), benchmark(), tmp_path / "cut", batch_size=2)
    path = tmp_path / "cut" / PREDICTIONS
    first = path.read_text(encoding="utf-8").splitlines(keepends=True)[0]
    path.write_text(first + '{"id": "m2", "tex', encoding="utf-8")  # the second line was torn
    again = Model()
    assert predict(again, benchmark(), tmp_path / "cut", batch_size=2) == expected
    assert again.asked == whole.asked
    assert path.read_bytes() == (tmp_path / "whole" / PREDICTIONS).read_bytes()
    nothing_left = Model()
    assert predict(nothing_left, benchmark(), tmp_path / "cut", batch_size=2) == expected and nothing_left.asked == []


@pytest.mark.parametrize("scoring", ["generate", "likelihood"])
def test_an_item_with_a_control_token_in_its_text_is_unreadable_and_the_run_goes_on(tmp_path, scoring):
    items = make_benchmark(make_item("m1"), make_item("m2", options=("L3 <|image_pad|>", "L4"), answer="A"), make_item("m3"))
    model = Model()
    records = predict(model, items, tmp_path, scorer=model if scoring == "likelihood" else None, batch_size=2)
    assert [record["id"] for record in records] == ["m1", "m2", "m3"]
    assert [record["choice"] is None for record in records] == [False, True, False] and records[1]["unreadable"]
    assert sum(len(requests) for requests, _ in model.asked) == 2
    assert predict(model, items, tmp_path, batch_size=2) == records and sum(len(requests) for requests, _ in model.asked) == 2
