import pytest

from evaluation.agreement import Rating, agree, read_ratings


def ratings_of(values, rater="clinician"):
    return [Rating(f"r{place}", rater, {"diagnosis": value}) for place, value in enumerate(values)]


def test_agreement_of_a_judge_that_follows_and_one_that_inverts():
    judged = {f"r{place}": {"diagnosis": value} for place, value in enumerate([1, 2, 3, 4, 5])}
    same = agree(judged, ratings_of([1, 2, 3, 4, 5]), ["diagnosis"])["diagnosis"]
    assert same.pearson == pytest.approx(1)
    assert same.alpha == pytest.approx(1)
    inverted = agree(judged, ratings_of([5, 4, 3, 2, 1]), ["diagnosis"])["diagnosis"]
    assert inverted.spearman == pytest.approx(-1)
    assert inverted.alpha < 0


def test_no_variance_gives_no_statistic():
    judged = {f"r{place}": {"diagnosis": 5} for place in range(5)}
    found = agree(judged, ratings_of([1, 2, 3, 4, 5]), ["diagnosis"])["diagnosis"]
    assert found.pearson is None
    assert found.spearman is None
    assert agree(judged, ratings_of([5] * 5), ["diagnosis"])["diagnosis"].alpha is None


def test_clinicians_agree_among_themselves_even_where_one_rated_less():
    judged = {f"r{place}": {"diagnosis": 3 + place % 2} for place in range(5)}
    ratings = ratings_of([1, 2, 3, 4, 5]) + ratings_of([1, 2, 3, 4], "other")
    assert agree(judged, ratings, ["diagnosis"])["diagnosis"].clinicians_alpha == pytest.approx(1)


def test_bad_ratings_name_line_and_dimension(tmp_path):
    from dataset_builders.taxonomy import SCORED_DIMENSIONS

    path = tmp_path / "ratings.csv"
    head = ["id", "rater", *SCORED_DIMENSIONS]
    path.write_text(",".join(head) + "\nr1,a," + ",".join(["3"] * 9 + ["7"]) + "\n")
    with pytest.raises(ValueError, match="line 2: interpretability is '7'"):
        read_ratings(path)
    path.write_text("id,rater\n")
    with pytest.raises(ValueError, match="no column"):
        read_ratings(path)
