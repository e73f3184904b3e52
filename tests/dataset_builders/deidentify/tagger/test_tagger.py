import numpy as np
import pytest
from safetensors.numpy import load_file

from dataset_builders.deidentify import deidentify_text, tagger
from dataset_builders.deidentify.identifiers import Span, fold
from dataset_builders.deidentify.labelled_notes import read_notes
from dataset_builders.deidentify.measure import make_finder, run, score
from dataset_builders.deidentify.tagger import THRESHOLD, probabilities, tag
from dataset_builders.deidentify.tagger.features import describe
from dataset_builders.deidentify.tagger.network import CLASSES, GAP, REACH, run_networks

LETTER = "Reviewed by Quenby Tarrow at the clinic. Power 4/5, L4/5 disc 6 mm, VAS 7/10, symptoms since March."


@pytest.mark.parametrize(("language", "recall", "direct", "intact"), [("en", 0.95, 0.95, 0.88), ("zh", 0.95, 0.95, 0.88)])
def test_left_out_notes_are_masked_about_as_well_as_the_readme_says(repo, language, recall, direct, intact):
    notes = read_notes(repo / "benchmarks" / "data" / "deidentification" / f"{language}_u.jsonl")
    scores = score(run(notes, make_finder()), resamples=20)
    assert scores.recall.share >= recall and scores.direct.share >= direct and scores.intact.share >= intact


def test_a_lower_threshold_masks_more():
    masked = [
        sum(span.end - span.start for span in deidentify_text(LETTER, threshold=threshold).spans)
        for threshold in (0.9, THRESHOLD, 0.01)
    ]
    assert masked[0] <= masked[1] <= masked[2] and masked[0] < masked[2]


@pytest.mark.parametrize(("threshold", "found"), [(0.4, [Span(3, 9, "NAME")]), (0.6, [])])
def test_a_word_is_masked_from_the_threshold_on(monkeypatch, threshold, found):
    likely = np.eye(len(CLASSES), dtype=np.float32)[[0] * 15]
    likely[3:9, :2] = 0.5  # none, or a name
    monkeypatch.setattr(tagger, "probabilities", lambda *_: likely)
    assert tag("to Xqzrwv today", [], [], threshold) == found


def test_levels_measurements_scores_times_and_masks_are_never_its_own(monkeypatch):
    text = "[NAME 1] [DATE 2: 2021] L4/5 6 mm VAS 7/10 06:30 6 weeks Quenby"
    sure = np.eye(len(CLASSES), dtype=np.float32)[[1] * len(text)]
    monkeypatch.setattr(tagger, "probabilities", lambda *_: sure)
    assert [text[span.start : span.end].strip() for span in tag(text, [], [])] == ["Quenby"]


def test_what_it_is_sure_is_none_is_dropped_unless_a_number_says_whose_it_is(monkeypatch):
    none = np.eye(len(CLASSES), dtype=np.float32)[[0] * 40]
    monkeypatch.setattr(tagger, "probabilities", lambda *_: none)
    name, number = Span(4, 8, "NAME"), Span(12, 18, "MRN")
    assert tag("The disc is narrow and the cord is free.", [name, number], [name]) == [number]


def test_a_long_text_is_tagged_as_its_parts_are():
    text = fold(LETTER + "\n").text
    once, often = probabilities(text, [], []), probabilities(text * 100, [], [])
    middle = often[50 * len(text) : 51 * len(text)]
    assert often.shape == (100 * len(text), len(CLASSES)) and np.allclose(often.sum(axis=1), 1, atol=1e-4)
    seam = 4000 // len(text) * len(text)  # a window ends within this copy
    assert np.allclose(often[seam : seam + len(text)], middle, atol=1e-4) and once.shape == middle.shape


def test_a_text_stands_between_blanks_as_in_training():
    text = fold(LETTER).text
    numbers, bits = describe(text, [], [])
    joined = np.pad(np.concatenate([numbers, np.zeros(GAP, np.int16), numbers]), GAP)
    joined_bits = np.pad(np.concatenate([bits, np.zeros((GAP, bits.shape[1]), np.uint8), bits]), ((GAP, GAP), (0, 0)))
    weights = {name: values.astype(np.float32) for name, values in load_file(tagger.WEIGHTS).items()}
    within = run_networks(weights, joined, joined_bits)[GAP : GAP + len(text)]
    start = within[: len(text) - REACH]  # what the next text does not reach
    assert len(start) and np.allclose(probabilities(text, [], [])[: len(start)], start, atol=1e-4)


@pytest.mark.parametrize("text", ["", " ", "\n\n", "...", "\x00", "\ufffd" * 9, "🙂"])
def test_a_text_without_words_has_nothing_to_tag(text):
    assert tag(text, [], []) == []
