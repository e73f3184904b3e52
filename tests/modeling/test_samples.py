import json
import sys
from types import SimpleNamespace

import pandas as pd
import pytest
import torch
from datasets import Dataset

from modeling.attention import PACKED_SDPA, register_packed_sdpa
from modeling.curriculum import parse_sources, prepare_stage
from modeling.samples import Sample, SampleGenerations, answer, write_samples
from modeling.spinegpt import load_model
from tests.support.synthetic import turn


@pytest.fixture(scope="module")
def data(synthetic_dataset, processor):
    return prepare_stage(parse_sources([{"dataset": str(synthetic_dataset), "config": "spine"}]), processor, max_length=2048)


def test_a_sample_is_the_greedy_answer_to_the_turns_before_the_first_answer(data, tiny, processor):
    model = load_model(tiny).train()
    rows = [next(row for row in data.rows if len(row["images"]) == count) for count in (0, 1, 2)]
    together = answer(model, rows, processor, 6)
    assert model.training
    assert together == [answer(model, [row], processor, 6)[0] for row in rows]
    assert [sample.images for sample in together] == [0, 1, 2]
    assert together[1].prompt == rows[1]["messages"][0]["content"][-1]["text"]
    assert together[1].reference == rows[1]["messages"][1]["content"][0]["text"]

    # The first word by a plain forward pass over the same prompt.
    text = processor.apply_chat_template(rows[0]["messages"][:1], tokenize=False, add_generation_prompt=True)
    inputs = processor(text=[text], return_tensors="pt", add_special_tokens=False)
    with torch.no_grad():
        first = model.eval()(**inputs).logits[0, -1].argmax()
    assert together[0].generation.startswith(processor.tokenizer.decode(first, skip_special_tokens=True).strip())


def test_a_model_with_packed_attention_answers_as_a_plain_one(data, tiny, processor):
    register_packed_sdpa()
    packed = load_model(tiny, attn_implementation={"text_config": PACKED_SDPA, "vision_config": "sdpa"})
    rows = list(data.rows.select(range(3)))
    assert answer(packed, rows, processor, 6) == answer(load_model(tiny, attn_implementation="sdpa"), rows, processor, 6)
    assert packed.config.get_text_config()._attn_implementation == PACKED_SDPA


def test_the_file_shows_every_line_as_a_quotation(tmp_path):
    sample = Sample("row-1", "# Report?\n<script>", 2, "", "none")
    write_samples(tmp_path / "samples", 7, [sample])
    text = (tmp_path / "samples" / "step-000007.md").read_text()
    assert "**Prompt (2 images)**\n\n> # Report?\n> <script>" in text and "> (nothing)" in text
    assert json.loads((tmp_path / "samples" / "step-000007.jsonl").read_text())["generation"] == "none"


def test_a_tracker_gets_no_hospital_row_and_none_of_unknown_source(data, tiny, processor, tmp_path, monkeypatch):
    logged = []
    tracker = SimpleNamespace(log=logged.append, Table=lambda dataframe: dataframe)
    monkeypatch.setitem(sys.modules, "wandb", tracker)
    kinds = ["textbook", "hospital_case", None]
    base = {"images": [], "source_id": "s"}
    rows = Dataset.from_list(
        [
            {**base, "id": str(kind), "source_kind": kind, "messages": [turn("user", "Q"), turn("assistant", "A")]}
            for kind in kinds
        ]
    )
    units = Dataset.from_dict({"rows": [[0], [1], [2]]})
    trainer = SimpleNamespace(model=load_model(tiny))
    samples = SampleGenerations(trainer, rows, units, processor, max_new_tokens=2)
    arguments = SimpleNamespace(output_dir=str(tmp_path), report_to=["wandb"])
    state = SimpleNamespace(global_step=4, is_world_process_zero=True)
    for _ in range(2):  # an evaluation of two data sets
        samples.on_evaluate(arguments, state, None)
    assert len(logged) == 1
    table = logged[0]["samples"]
    assert isinstance(table, pd.DataFrame) and list(table["id"]) == ["textbook"] and list(table["step"]) == [4]
    assert len((tmp_path / "samples" / "step-000004.jsonl").read_text().splitlines()) == 3
