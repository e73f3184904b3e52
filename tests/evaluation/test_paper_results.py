"""The paper's table, recomputed from its own formula."""

import pytest
import yaml

from evaluation.weighted_total_score.weighted_total_score import score_total, total_of_means


@pytest.fixture(scope="module")
def paper(repo):
    return yaml.safe_load((repo / "evaluation" / "paper_results.yaml").read_text(encoding="utf-8"))


def readings(row, counts):
    """Score_total of one published row by each reading of the formula that its published numbers allow."""
    if row["report"] is None:
        return {}
    totals = {
        "closed_qa_report": total_of_means(
            {"closed_qa": row["closed_qa"], "report": row["report"]}, {name: counts[name] for name in ("closed_qa", "report")}
        )
    }
    if row["text"] is not None:
        totals["text_image_report"] = total_of_means(
            {name: row[name] for name in ("text", "image", "report")},
            {name: counts[name] for name in ("text", "image", "report")},
        )
    return totals


def test_each_row_follows_the_formula_exactly_where_the_file_says_so(paper):
    for row in paper["models"]:
        following = {
            name for name, total in readings(row, paper["counts"]).items() if abs(total - row["total"]) <= paper["tolerance"]
        }
        assert following == set(row["follows"]), row["model"]


def test_rows_that_do_not_follow_are_the_two_named_in_the_paper_facts(paper):
    published = [row for row in paper["models"] if row["total"] is not None]
    assert [row["model"] for row in published if not row["follows"]] == ["Medgemma-27B", "Qwen2.5-VL-7B"]
    assert len(published) == 8


def row_of(paper, model):
    return next(row for row in paper["models"] if row["model"] == model)


def test_medgemma_total_fits_neither_formula_nor_plain_mean(paper):
    row = row_of(paper, "Medgemma-27B")
    assert readings(row, paper["counts"])["closed_qa_report"] == pytest.approx(80.49, abs=0.01)
    assert abs((row["closed_qa"] + row["report"]) / 2 - row["total"]) > 0.1


def test_qwen_7b_total_is_the_plain_mean(paper):
    row = row_of(paper, "Qwen2.5-VL-7B")
    assert readings(row, paper["counts"])["text_image_report"] == pytest.approx(71.85, abs=0.01)
    assert (row["closed_qa"] + row["report"]) / 2 == pytest.approx(row["total"], abs=0.01)


def test_spinegpt_closed_qa_is_not_that_of_its_text_and_image(paper):
    row, counts = row_of(paper, "SpineGPT"), paper["counts"]
    right = round(row["text"] * counts["text"] / 100) + round(row["image"] * counts["image"] / 100)
    assert right == 426
    assert 100 * right / counts["closed_qa"] == pytest.approx(87.47, abs=0.01)
    totals = readings(row, counts)
    assert totals["text_image_report"] == pytest.approx(row["total"], abs=0.01)
    assert totals["closed_qa_report"] == pytest.approx(87.79, abs=0.01)


def test_the_split_of_the_487_fits_every_published_text_and_image_accuracy_but_one(paper):
    counts = paper["counts"]
    assert counts["text"] + counts["image"] == counts["closed_qa"]
    misfits = []
    for row in paper["models"]:
        for name in ("text", "image"):
            if row[name] is not None:
                possible = (100 * right / counts[name] for right in range(counts[name] + 1))
                if min(abs(value - row[name]) for value in possible) > 0.0051:
                    misfits.append((row["model"], name))
    assert misfits == [("GPT5", "image")]


def test_item_scores_give_the_same_total_as_means(paper):
    row, counts = row_of(paper, "SpineGPT"), paper["counts"]
    text, image = (round(row[name] * counts[name] / 100) for name in ("text", "image"))
    scores = [1] * text + [0] * (counts["text"] - text) + [1] * image + [0] * (counts["image"] - image) + [row["report"]] * 87
    tasks = ["text_mcq"] * counts["text"] + ["image_mcq"] * counts["image"] + ["report"] * 87
    assert score_total(scores, tasks, n_resamples=100)["total"] == pytest.approx(row["total"], abs=0.01)
