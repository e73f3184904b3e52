from pathlib import Path

import numpy as np
import pytest
from datasets import Dataset

from modeling.collator import encode
from modeling.curriculum import Source, is_held_out, load_source, parse_sources, prepare_stage
from tests.support.synthetic import FEATURES, row, turn


@pytest.fixture
def folder(tmp_path):
    """One Parquet shard of given rows as a data set."""

    def write(rows, name="shard"):
        target = tmp_path / name
        target.mkdir()
        Dataset.from_list(rows, features=FEATURES).to_parquet(target / "train.parquet")
        return str(target)

    return write


def rows_of(count, task="open_ended", specialty="general", seed=0):
    rng = np.random.default_rng(seed)
    return [row(number, task, specialty, rng) for number in range(count)]


def stage(sources, processor, **options):
    return prepare_stage(parse_sources(sources), processor, **{"max_length": 4096, **options})


def test_configs_and_filters_choose_rows(synthetic_dataset, processor):
    data = stage(
        [
            {"dataset": str(synthetic_dataset), "config": "open_ended", "where": {"specialty": ["spine"]}},
            {"dataset": str(synthetic_dataset), "config": "report"},
        ],
        processor,
    )
    assert sorted(data.rows["id"]) == sorted(
        [f"open_ended-spine-{n}" for n in range(12)] + [f"report-spine-{n}" for n in range(12)]
    )
    assert list(data.samples.values()) == [12, 12]
    assert data.tokens == tuple(len(encode(row, processor)) for row in data.rows)


def test_sequential_order_keeps_sources_in_order_and_shuffles_within(synthetic_dataset, processor):
    name = str(synthetic_dataset)
    sources = [{"dataset": name, "config": "general"}, {"dataset": name, "config": "orthopaedics"}]
    data = stage(sources, processor, order="sequential")
    ids = [data.rows[unit["rows"][0]]["id"] for unit in data.units]
    assert all("general" in id_ for id_ in ids[:12]) and all("orthopaedics" in id_ for id_ in ids[12:])
    assert ids[:12] != sorted(ids[:12], key=lambda id_: int(id_.split("-")[-1]))
    mixed = stage(sources, processor, order="shuffled")
    ids = [mixed.rows[unit["rows"][0]]["id"] for unit in mixed.units]
    assert 0 < sum("general" in id_ for id_ in ids[:12]) < 12


@pytest.mark.parametrize(("weight", "expected"), [(0.5, 6), (1.0, 12), (2.25, 27)])
def test_weight_is_passes_over_the_rows(synthetic_dataset, processor, weight, expected):
    data = stage([{"dataset": str(synthetic_dataset), "config": "general", "weight": weight}], processor)
    numbers = [number for unit in data.units for number in unit["rows"]]
    assert len(numbers) == expected
    counts = np.bincount(numbers, minlength=12)
    assert counts.max() - counts.min() <= 1


def test_max_samples_is_a_seeded_choice(synthetic_dataset):
    source = Source(str(synthetic_dataset), "general", max_samples=5)
    first, again, other = (load_source(source, seed)[0]["id"] for seed in (0, 0, 1))
    assert len(first) == 5 and list(first) == list(again) and list(first) != list(other)


def test_images_are_not_written_a_second_time_nor_measured_again(folder, processor, monkeypatch):
    rows = [{**given, "id": f"{number}"} for number, given in enumerate(rows_of(6, specialty="spine"))]
    source = [{"dataset": folder(rows)}]
    first = stage(source, processor)
    stored = sum(len(image["bytes"]) for given in rows for image in given["images"])
    cache = Path(first.rows.cache_files[0]["filename"]).parent
    assert stored < sum(file.stat().st_size for file in cache.glob("*.arrow")) < 1.5 * stored
    assert first.rows[1]["images"] == rows[1]["images"]
    monkeypatch.setattr("modeling.curriculum.measure", None)
    assert stage(source, processor).tokens == first.tokens


def test_samples_over_the_limit_are_dropped_whole_and_named(folder, processor):
    rows = rows_of(4)
    rows[2]["messages"][-1] = turn("assistant", "long " * 300)
    data = stage([{"dataset": folder(rows)}], processor, max_length=200)
    assert [(drop.id, drop.reason) for drop in data.dropped] == [(rows[2]["id"], "over_max_length")]
    assert len(data.rows) == 3 and max(data.tokens) < 200


def test_bad_rows_are_counted_by_reason_and_the_rest_is_trained_on(folder, processor):
    rows = rows_of(6, specialty="spine")
    rows[1]["images"] = [{"bytes": b"torn", "path": None}]
    rows[3]["messages"] = [turn("user", "Alone.")]
    rows[4]["source_licence"] = "LicenseRef-Unknown"
    data = stage([{"dataset": folder(rows), "without_licences": ["LicenseRef-Unknown"]}], processor)
    assert data.dropped_by_reason == {"licence": 1, "corrupt_image": 1, "no_assistant_turn": 1}
    assert {drop.id for drop in data.dropped} == {rows[number]["id"] for number in (1, 3, 4)}
    assert len(data.units) == 3


def test_packs_fit_the_budget_and_hold_every_sample(synthetic_dataset, processor):
    data = stage([{"dataset": str(synthetic_dataset), "config": "spine"}], processor, packing=True, max_length=400)
    units = data.units["rows"]
    assert sorted(number for unit in units for number in unit) == list(range(48))
    assert max(sum(data.tokens[number] for number in unit) for unit in units) < 400
    assert len(units) < 48


def test_a_source_document_is_held_out_whole_and_in_every_stage(processor, tmp_path):
    rows = rows_of(60)
    table = Dataset.from_list(rows, features=FEATURES).add_column("source_id", [f"book-{n // 3}" for n in range(60)])
    table = table.add_column("source_kind", ["textbook"] * 60)
    table.to_parquet(tmp_path / "train.parquet")
    sources = [{"dataset": str(tmp_path)}]
    data = stage(sources, processor, validation_share=0.25)
    held_out = {data.rows[unit["rows"][0]]["source_id"] for unit in data.validation}
    trained = {data.rows[number]["source_id"] for number in data.trained}
    assert held_out and not held_out & trained and len(held_out | trained) == 20
    assert len(data.validation) == 3 * len(held_out) and len(data.units) == 60 - len(data.validation)
    other = stage([{**sources[0], "weight": 2.0}], processor, validation_share=0.25, seed=7, packing=True, max_length=600)
    assert {other.rows[unit["rows"][0]]["source_id"] for unit in other.validation} == held_out
    shares = [np.mean([is_held_out(str(number), share) for number in range(4000)]) for share in (0.0, 0.1, 0.5)]
    assert shares == pytest.approx([0.0, 0.1, 0.5], abs=0.02)
    with pytest.raises(ValueError, match=r"validation_share: 1.5 is no share"):
        stage(sources, processor, validation_share=1.5)
    with pytest.raises(ValueError, match=r"validation_share: 0.9999 holds out all of the 60 usable rows"):
        stage(sources, processor, validation_share=0.9999)


def test_fingerprint_follows_content_and_order(folder, processor):
    rows = rows_of(5)
    first = stage([{"dataset": folder(rows, "a")}], processor).fingerprint
    assert stage([{"dataset": folder(rows, "b")}], processor).fingerprint == first
    assert stage([{"dataset": folder(rows, "c")}], processor, seed=1).fingerprint != first
    rows[0]["messages"][-1] = turn("assistant", "Another answer.")
    assert stage([{"dataset": folder(rows, "d")}], processor).fingerprint != first


def test_the_loss_subset_is_fixed_and_of_rows_trained_on(synthetic_dataset, processor):
    data = stage([{"dataset": str(synthetic_dataset), "config": "general", "weight": 0.5}], processor)
    trained = {number for unit in data.units for number in unit["rows"]}
    subset = [unit["rows"] for unit in data.loss_subset(4)]
    assert len(subset) == 4 and all(len(unit) == 1 and unit[0] in trained for unit in subset)
    assert len(data.loss_subset(100)) == 6


def test_question_sets_become_conversations(tmp_path, processor):
    table = Dataset.from_dict({"Question": ["Why?"], "Complex_CoT": ["Because of load."], "Response": ["Load."]})
    table.to_parquet(tmp_path / "train.parquet")
    columns = {"question": "Question", "reasoning": "Complex_CoT", "answer": "Response"}
    data = stage([{"dataset": str(tmp_path), "columns": columns}], processor)
    assistant = data.rows[0]["messages"][1]["content"][0]["text"]
    assert assistant == "<think>\nBecause of load.\n</think>\n\nLoad."
    assert data.rows[0]["images"] == []


def test_errors_name_data_set_column_and_fix(synthetic_dataset, processor, tmp_path):
    name = str(synthetic_dataset)
    Dataset.from_dict({"text": ["a"]}).to_parquet(tmp_path / "train.parquet")
    with pytest.raises(ValueError, match=r"has no column messages, images \(it has: text\)"):
        stage([{"dataset": str(tmp_path)}], processor)
    with pytest.raises(ValueError, match=r"general has no column subfield"):
        stage([{"dataset": name, "config": "general", "where": {"subfield": ["trauma"]}}], processor)
    with pytest.raises(ValueError, match=r"no row of .*general passes where=\{'specialty': \['spine'\]\}"):
        stage([{"dataset": name, "config": "general", "where": {"specialty": ["spine"]}}], processor)
    with pytest.raises(ValueError, match=r"datasets: cannot load .*general_medicine"):
        stage([{"dataset": name, "config": "general_medicine"}], processor)
    with pytest.raises(ValueError, match=r"max_length: no sample is left .*shortest has \d+ tokens, max_length is 20"):
        stage([{"dataset": name, "config": "general"}], processor, max_length=20)
    with pytest.raises(ValueError, match=r"datasets\[0\]: unknown field task"):
        parse_sources([{"dataset": name, "task": "report"}])
    with pytest.raises(ValueError, match=r"datasets\[0\]: weight must be above 0"):
        parse_sources([{"dataset": name, "weight": 0}])
    with pytest.raises(ValueError, match=r"order: 'random' is none of"):
        stage([{"dataset": name, "config": "general"}], processor, order="random")
