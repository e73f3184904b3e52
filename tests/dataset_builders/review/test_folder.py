import json

import pytest

from dataset_builders.document import Document, Figure, Provenance
from dataset_builders.review.assignment import make_reviewers
from dataset_builders.review.folder import Slice, create_study, hash_token, open_study, read_tokens, renew_token, slices_of
from tests.support.items import make_item
from tests.support.review import make_items, make_study


def test_a_review_is_opened_as_it_was_planned(tmp_path):
    items = make_items(3)
    study = make_study(tmp_path / "review", items, slices={"item-1": [Slice("f" * 64, "slice 1", "")]})
    assert list(study.items.values()) == items and study.slices["item-1"][0].locator == "slice 1"
    assert set(study.raters) == set(study.hashes) == {"item-0", "item-1", "item-2"} and study.data_set == "d" * 64


def test_everything_in_the_folder_is_its_owners_alone(tmp_path):
    make_study(tmp_path / "review")
    assert (tmp_path / "review").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "review").iterdir()} == {0o600}


def test_tokens_are_kept_as_hashes_and_handed_out_in_a_file_that_may_go(tmp_path):
    make_study(tmp_path / "review")
    lines = (tmp_path / "review/tokens.csv").read_text().splitlines()
    tokens = {line.split(",")[0]: line.split(",")[2] for line in lines[1:]}
    assert {name: hash_token(token) for name, token in tokens.items()} == read_tokens(tmp_path / "review")
    (tmp_path / "review/tokens.csv").unlink()
    assert tokens["R01"] not in (tmp_path / "review/tokens.json").read_text() and open_study(tmp_path / "review")


def test_a_review_is_never_planned_over(tmp_path):
    make_study(tmp_path / "review")
    with pytest.raises(ValueError, match="holds a review"):
        make_study(tmp_path / "review")


def test_an_empty_choice_and_a_missing_review_say_what_to_do(tmp_path):
    with pytest.raises(ValueError, match="nothing to review"):
        create_study(tmp_path, [], {}, make_reviewers(2, 2), data_set="d", overlap=0, seed=0)
    with pytest.raises(FileNotFoundError, match="review plan"):
        open_study(tmp_path / "none")


def test_a_token_is_renewed_for_its_reviewer_alone(tmp_path):
    make_study(tmp_path / "review")
    before = read_tokens(tmp_path / "review")
    token = renew_token(tmp_path / "review", "R02")
    assert read_tokens(tmp_path / "review") == before | {"R02": hash_token(token)}
    with pytest.raises(KeyError, match="R99: no reviewer"):
        renew_token(tmp_path / "review", "R99")


def document(figures):
    return Document(Provenance("open_dataset", "volume", "MIT", "a.nii.gz", "0" * 64), "en", figures=tuple(figures))


def test_of_a_volume_all_slices_are_shown_and_of_an_article_its_own_figures():
    slices = [Figure("", "", image_sha256=f"{n}" * 64, locator=f"slice {n}") for n in (1, 2, 3)]
    item = make_item("a", source="volume", images=("2" * 64,))
    assert [image.locator for image in slices_of([item], [document(slices)])["a"]] == ["slice 1", "slice 2", "slice 3"]
    figures = [Figure(f"Figure {n}", f"Caption {n}", image_sha256=f"{n}" * 64) for n in (1, 2, 3)]
    assert slices_of([item], [document(figures)])["a"] == (Slice("2" * 64, "Figure 2", "Caption 2"),)
    assert slices_of([make_item("b", source="volume")], [document(figures)]) == {}


def test_a_plan_names_nobody(tmp_path):
    make_study(tmp_path / "review")
    plan = json.loads((tmp_path / "review/plan.json").read_text())
    assert plan["reviewers"][0] == {"pseudonym": "R01", "group": "A", "languages": ["en", "zh"]}
