"""What can be guessed without the image is measured from other documents, and leaves."""

import random

from dataset_builders.item import LETTERS, Message, format_options
from dataset_builders.publish.guesses import ALLOWED, find_guessable, measure_guesses
from tests.support.items import make_item

LEVELS = ("L1/L2", "L2/L3", "L3/L4", "L4/L5", "L5/S1")


def make_choice(number, right, documents=12, stem="At which of these levels?"):
    rng = random.Random(number)
    options = [right, *rng.sample([level for level in LEVELS if level != right], 3)]
    rng.shuffle(options)
    question = Message("user", f"{stem}\n\n{format_options(options)}", (f"image{number}",))
    return make_item(
        f"i{number}", source=f"d{number % documents}", modality="image_text", options=tuple(options),
        answer=LETTERS[options.index(right)], messages=(question, Message("assistant", "x")),
    )  # fmt: skip


def measure(items):
    groups = {item.id: item.provenance.source_id for item in items}
    return measure_guesses(items, groups)["rules/test@1"], find_guessable(items, groups)


def make_items(rights, **values):
    return [make_choice(number, right, **values) for number, right in enumerate(rights)]


def test_an_answer_that_is_common_is_guessed_and_thinned_until_it_is_not():
    rng = random.Random(1)
    items = make_items(["L5/S1" if rng.random() < 0.7 else rng.choice(LEVELS) for _ in range(120)])
    measured, left = measure(items)
    assert measured.excess("majority") > 0.3 and measured.chance == 0.25 and measured.documents == 12
    after, again = measure([item for item in items if item.id not in left])
    assert after.items >= 30 and not again
    assert max(after.excess(guess) for guess in after.right) <= ALLOWED <= 0.1


def test_even_answers_stay():
    rng = random.Random(2)
    measured, left = measure(make_items([rng.choice(LEVELS) for _ in range(100)]))
    assert abs(measured.excess("majority")) < 0.1 and len(left) <= 6


def test_words_that_tell_the_answer_are_guessed_by_their_neighbours():
    rng = random.Random(3)
    words = dict(zip(LEVELS, ("slip", "wedge", "bulge", "tear", "cyst")))
    rights = [rng.choice(LEVELS) for _ in range(60)]
    items = [make_choice(number, right, stem=f"Where is the {words[right]}?") for number, right in enumerate(rights)]
    measured, left = measure(items)
    assert measured.excess("text_only") > 0.6 and measured.excess("majority") < 0.2 and len(left) > 30


def test_items_of_the_same_document_teach_no_guess():
    measured, left = measure(make_items(["L5/S1"] * 20, documents=1))
    assert measured.right["majority"] == 20 * 0.25 and not left


def test_too_few_that_are_left_leave_with_the_others():
    items = make_items(["L5/S1"] * 12)
    _, left = measure(items)
    assert len(left) == 12 and "too few of its rule are left" in left.values()


def test_items_without_an_image_are_not_measured():
    item = make_item("text")
    assert not measure_guesses([item], {"text": "book"}) and not find_guessable([item], {"text": "book"})
