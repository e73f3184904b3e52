"""Both generators behind one interface."""

import pickle

import pytest

from dataset_builders.document import Exchange
from dataset_builders.generate import Rules, load_generator
from dataset_builders.generate.items import RULES_VERSION
from tests.support.model_items import images, make_document


def test_rules_are_a_generator_that_travels():
    generator = load_generator("rules")
    assert generator == Rules() == pickle.loads(pickle.dumps(generator))
    assert set(generator.code) == set(generator.settings) == {"classified", "drafts", "revised"}
    document = make_document("question_bank", exchange=Exchange("Which is the axis?", "B", ("C1", "C2")))
    (item,) = generator.draft(document, images(document))
    assert generator.revise(item, images(document)).generation.revise_model == RULES_VERSION


def test_an_unknown_generator_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"neither 'rules' nor a .yaml file"):
        load_generator("gpt")
    with pytest.raises(FileNotFoundError):
        load_generator(str(tmp_path / "none.yaml"))
