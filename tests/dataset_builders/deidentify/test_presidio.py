"""Our recognisers inside Presidio, and a name model of a local folder beside the rules. The model is tiny and made here."""

import json

import pytest
import torch
from presidio_analyzer import AnalyzerEngine
from presidio_analyzer.nlp_engine import NlpEngineProvider
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertConfig, BertForTokenClassification, PreTrainedTokenizerFast

from dataset_builders.deidentify import deidentify_document, deidentify_text
from dataset_builders.deidentify.clean import clean_document
from dataset_builders.deidentify.known_masks import KnownMasks
from dataset_builders.deidentify.presidio import load_name_model, presidio_recognizers
from dataset_builders.document import Document, Provenance
from dataset_builders.engine.store import ImageStore
from dataset_builders.pipeline import build

LABELS = ["O", "B-PATIENT", "B-AGE", "B-DATE", "B-WIDGET"]
# what the model below says of each word; any other is O
LABELLED = {
    "lumbar": "B-PATIENT",
    "mild": "B-PATIENT",
    "L4": "B-PATIENT",
    "pain": "B-AGE",
    "2021": "B-DATE",
    "zone": "B-WIDGET",
}
WORDS = ["[UNK]", "[PAD]", "[CLS]", "[SEP]", *LABELLED, "the", "in", "is", "at", ".", "disc"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A BERT whose last layer sees only which word stands there: no attention output, one direction a label."""
    path = tmp_path_factory.mktemp("models") / "names"
    splitter = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))
    splitter.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    PreTrainedTokenizerFast(
        tokenizer_object=splitter, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]"
    ).save_pretrained(path)
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=16,
        id2label=dict(enumerate(LABELS)),
        label2id={label: number for number, label in enumerate(LABELS)},
    )
    model = BertForTokenClassification(config).eval()
    with torch.no_grad():
        for name, weights in model.named_parameters():
            weights.fill_(1.0 if "LayerNorm.weight" in name else 0.0)
        for number, word in enumerate(WORDS):
            model.bert.embeddings.word_embeddings.weight[number, LABELS.index(LABELLED.get(word, "O"))] = 1.0
        for number in range(len(LABELS)):
            model.classifier.weight[number, number] = 10.0
    model.save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def names(folder):
    return load_name_model(folder)


def masked(text, **options):
    return [text[span.start : span.end] for span in deidentify_text(text, **options).spans]


@pytest.mark.usefixtures("rules_alone")
def test_a_name_model_adds_what_the_rules_do_not_see(names):
    text = "the zone at disc is mild"
    assert masked(text) == []
    assert masked(text, names=names) == ["zone", "mild"]
    assert {span.category for span in deidentify_text(text, names=names).spans} == {"OTHER_ID", "NAME"}


@pytest.mark.usefixtures("rules_alone")
def test_what_the_rules_mask_stays_masked(names):
    assert masked("Dr. Orla Penhaligon: zone", names=names) == ["Orla Penhaligon", "zone"]


def test_no_model_masks_a_level_a_year_or_an_age(names):
    assert masked("L4 pain 2021", names=names) == []


def test_words_of_medicine_are_kept_in_standard_mode_alone(names):
    assert masked("the lumbar disc", mode="standard", names=names) == []
    assert masked("the lumbar disc", mode="strict", names=names) == ["lumbar"]


def test_a_long_text_is_read_to_its_end(names):
    text = "the disc is in " * 200 + "zone"
    assert masked(text, mode="standard", names=names) == ["zone"]


def test_a_document_is_masked_with_the_model_too(names):
    document = Document(
        Provenance("hospital_case", "case:1", "LicenseRef-Hospital", "", "0" * 64), "en", "The disc in the zone"
    )
    assert "zone" not in deidentify_document(document, names).markdown


def test_the_build_cleans_with_the_model_of_a_folder(folder, tmp_path):
    hospital = Provenance("hospital_case", "case:1", "LicenseRef-Hospital", "", "0" * 64)
    document, masks = Document(hospital, "en", "The disc in the zone"), KnownMasks(ImageStore(tmp_path), tmp_path)
    (plain,), (masked_too,) = clean_document(document, masks), clean_document(document, masks, ner=folder)
    assert "zone" in plain.markdown and "zone" not in masked_too.markdown
    with pytest.raises(FileNotFoundError, match=r"no config\.json"):
        build(tmp_path, tmp_path / "work", tmp_path / "output", ner=tmp_path / "absent")


def test_only_a_local_folder_is_a_model(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no config\.json"):
        load_name_model(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({}))
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(FileNotFoundError, match=r"no \*\.safetensors"):
        load_name_model(tmp_path)


def test_a_model_that_fails_is_an_error_and_no_clean_text(folder, monkeypatch):
    model = load_name_model(folder)
    monkeypatch.setattr(model, "ner_pipeline", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        deidentify_text("the zone", names=model)


def test_presidio_finds_what_we_find():
    engine = NlpEngineProvider(
        nlp_configuration={
            "nlp_engine_name": "no_op",
            "models": [{"lang_code": code, "model_name": "no_op"} for code in ("en", "zh")],
        }
    ).create_engine()
    analyzer = AnalyzerEngine(nlp_engine=engine, supported_languages=["en", "zh"])
    analyzer.registry.recognizers.clear()
    for recognizer in presidio_recognizers():
        analyzer.registry.add_recognizer(recognizer)
    for text, language in (("Dr. Orla Quill, MRN: 4471-0293, L4/5", "en"), ("姓名：陆桂芬，电话13900001111，腰4/5", "zh")):
        found = {(result.start, result.end, result.entity_type) for result in analyzer.analyze(text, language)}
        assert found == {(span.start, span.end, span.category) for span in deidentify_text(text, language).spans}
    assert analyzer.analyze("Dr. Orla Quill, MRN: 4471-0293", "en", entities=["MRN"])[0].entity_type == "MRN"
