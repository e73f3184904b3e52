import json

from PIL import Image

from dataset_builders.document import Companion, Document, Reject
from dataset_builders.sources import general_medical
from dataset_builders.sources.base import Declared


def read(folder, rows, name="set.json"):
    path = folder / name
    path.write_text(json.dumps(rows))
    general_medical._images_of.cache_clear()
    assert general_medical.accepts(path, path.read_bytes()[:4096])
    return list(general_medical.read(path, Declared(root=folder)))


def test_text_sets_by_their_columns(tmp_path):
    rows = {
        "medical-o1-reasoning-sft": {"Question": "Q", "Complex_CoT": "R", "Response": "A"},
        "medical-r1-distill-data": {"question": "Q", "reasoning (reasoning_content)": "R", "response (content)": "A"},
        "medthoughts-8k": {"question_id": 4, "question": "Q", "ds_think": "R", "ds_answer": "A", "source": "MedQA"},
    }
    for name, row in rows.items():
        (document,) = read(tmp_path, [row])
        assert document.id.startswith(f"{name}:")
        assert document.provenance.source_kind == "general_medical"
        exchange = document.exchange
        assert (exchange.question, exchange.answer, exchange.options, exchange.reasoning) == ("Q", "A", (), "R")
    assert document.provenance.source_licence == "GPL-3.0-only"


def test_options_are_part_of_the_question(tmp_path):
    row = {"question": "Q", "options": {"A": "x", "B": "y"}, "answer_idx": "B", "ds_think": "R", "ds_answer": "B"}
    (document,) = read(tmp_path, [row])
    assert document.exchange.question == "Q\nA. x\nB. y"


def test_image_conversations(tmp_path):
    (tmp_path / "images").mkdir()
    Image.new("L", (8, 8)).save(tmp_path / "images" / "a.png")
    row = {
        "id": "r1",
        "image": ["images/a.png", "images/gone.png", "../../etc/passwd"],
        "modality": "Magnetic Resonance Imaging",
        "conversations": [{"from": "human", "value": "<image>\nWhich level?"}, {"from": "gpt", "value": "L4/L5."}],
    }
    results = read(tmp_path, [row])
    assert [r.reason for r in results if isinstance(r, Reject)] == ["image_missing"] * 2
    (document,) = (r for r in results if isinstance(r, Document))
    assert (document.id, document.exchange.question, document.exchange.answer) == ("pubmedvision:r1", "Which level?", "L4/L5.")
    assert document.figures[0].image == (tmp_path / "images" / "a.png").read_bytes()
    assert document.figures[0].image_modality == "mri"
    assert [f.image for f in document.figures[1:]] == [None, None]
    image = tmp_path / "images" / "a.png"
    assert general_medical.accepts(image, b"\x89PNG")
    assert list(general_medical.read(image, Declared(root=tmp_path))) == [Companion("images/a.png", "set.json")]


def test_a_declared_source_only_shares_the_columns(tmp_path):
    path = tmp_path / "own.json"
    path.write_text(json.dumps([{"Question": "Q", "Complex_CoT": "R", "Response": "A"}]))
    (document,) = general_medical.read(path, Declared(root=tmp_path, id="own", licence="CC0-1.0"))
    provenance = document.provenance
    assert (provenance.source_licence, provenance.source_doi, provenance.source_url) == ("CC0-1.0", None, None)


def test_rows_without_answer_are_rejected(tmp_path):
    good = {"Question": "Q", "Complex_CoT": "R", "Response": "A"}
    results = read(tmp_path, [good, {**good, "Response": ""}, {"other": 1}])
    assert [getattr(r, "reason", "read") for r in results] == ["read", "no_answer", "unknown_columns"]


def test_real_samples(sources):
    folder = sources / "general_medical"
    general_medical._images_of.cache_clear()
    kept = {}
    for path in sorted(folder.iterdir()):
        if general_medical.accepts(path, path.read_bytes()[:4096]):
            kept[path.name] = sum(isinstance(r, Document) for r in general_medical.read(path, Declared(root=sources)))
    assert kept == {
        "PubMedVision_Original_Caption.sample.json": 4,
        "huatuo_o1_demo.full_row.json": 1,
        "medical_o1_reasoning_SFT.sample.jsonl": 13,
    }
