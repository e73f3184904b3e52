import hashlib

import pytest

from dataset_builders.overlap.decontaminate import BenchmarkIndex, Sample, SampleImage, find_contamination
from tests.dataset_builders.overlap.test_deduplicate import image
from tests.support.items import make_item

PASSAGE = (
    "After a burst fracture at the thoracolumbar junction the posterior ligaments decide whether a brace will do, for a torn "
    "complex lets the kyphosis grow month after month even when the nerves are spared and the pain has settled."
)
IMAGES = {"one": image(1), "one-recompressed": image(1, quality=60), "other": image(2)}


def reasons(train, benchmark):
    return [(found.train_id, found.reason) for found in find_contamination(train, benchmark, IMAGES.__getitem__)]


def test_same_source_and_same_case_are_found():
    benchmark = [make_item("b", source="book", case="case-1")]
    train = [make_item("t1", source="book"), make_item("t2", source="other", case="case-1"), make_item("t3", source="third")]
    assert reasons(train, benchmark) == [("t1", "same_source"), ("t2", "same_case")]


def test_a_recompressed_image_is_found_and_another_is_not():
    benchmark = [make_item("b", source="x", images=["one"])]
    train = [make_item("t1", source="y", images=["one-recompressed"]), make_item("t2", source="z", images=["other"])]
    assert reasons(train, benchmark) == [("t1", "similar_image")]


def test_a_passage_met_again_in_another_source_is_found():
    benchmark = [make_item("b", source="x", context=(PASSAGE,))]
    train = [
        make_item("t1", source="y", context=(f"The chapter says so too. {PASSAGE} More follows.",)),
        make_item(
            "t2", source="z", context=(PASSAGE[:60] + " is another matter altogether, which this text goes on to tell.",)
        ),
    ]
    assert reasons(train, benchmark) == [("t1", "same_passage")]


def test_short_questions_that_differ_in_a_level_are_different():
    question = (
        "A patient has had pain down one leg for several weeks, and the image shows a posterolateral herniation that leaves "
        "the canal wide and the other discs as they should be. Which root is pressed by a herniation at {}?"
    )

    def bank(name, level):
        messages = (make_item("x").messages[0].__class__("user", question.format(level)), make_item("x").messages[1])
        return make_item(name, source=name, messages=messages, context=())

    assert reasons([bank("t1", "L3/4"), bank("t2", "L4/5")], [bank("b", "L4/5")]) == [("t2", "same_passage")]


QUESTION = (
    "A baker fell from a ladder and has had pain in the {side} leg since then; the images show an extruded fragment at {disc} "
    "that has moved down behind the vertebral body. Which root does it press, and what is done when the foot is {grade} weak?"
)
OPTIONS = ("\nA. Rest and wait", "\nB. Take the fragment out", "\nC. Fuse the segment", "\nD. Inject the joint")
ASKED = QUESTION.format(side="left", disc="L4/5", grade="severely") + "".join(OPTIONS)
REPORT = (
    "The body of {level} has lost a third of its height in front and its back wall stands {where} the canal; signal beside the "
    "upper plate is that of a recent injury, the posterior ligaments are whole, and the cord is neither pressed nor bright. "
    "A brace for three months, walking from the first day, and a film after two weeks."
)
ITEM = Sample("item", asked=(ASKED,), source_id="book", case_id=None)
CASE = Sample("report", said=(REPORT.format(level="L1", where="outside"),), case_id="patient 1")


def seen(quality=None, number=1):
    data = image(number, quality=quality)
    return SampleImage(hashlib.sha256(data).hexdigest(), lambda: data)


def kinds(corpus, *benchmark):
    return [(overlap.benchmark.id, overlap.kind) for overlap in BenchmarkIndex(benchmark or (ITEM, CASE)).find([corpus])]


def test_a_question_inside_a_longer_text_is_the_same_passage():
    text = f"Chapter nine. Some talk first, as books do.\n{ASKED.lower()}\nSome talk afterwards, and the answer is B."
    assert kinds(Sample("row", asked=(text,))) == [("item", "same_passage")]


@pytest.mark.parametrize(
    "changed", [{"disc": "L3/4"}, {"side": "right"}, {"grade": "mildly"}, {"disc": "L5/S1", "side": "right"}], ids=str
)
def test_a_question_about_another_level_side_or_grade_is_another_question(changed):
    other = QUESTION.format(**{"side": "left", "disc": "L4/5", "grade": "severely"} | changed)
    for text in (other, other + "".join(OPTIONS), f"Some talk first. {other} Some talk afterwards."):
        assert kinds(Sample("row", asked=(text,))) == []


def test_other_options_or_letters_do_not_make_it_another_question():
    stem = QUESTION.format(side="left", disc="L4/5", grade="severely")
    assert kinds(Sample("row", asked=(stem + "\n(A) Walk\n(B) Swim",))) == [("item", "same_passage")]
    lettered = (
        stem + "\na) Rest and wait".replace("a)", "A)") + "\nB) Take the fragment out\nC) Fuse the segment\nD) Inject the joint"
    )
    assert kinds(Sample("row", asked=(lettered,))) == [("item", "same_passage")]


def test_a_question_with_a_word_put_in_is_a_near_duplicate():
    words = QUESTION.format(side="left", disc="L4/5", grade="severely").split()
    words.insert(len(words) // 2, "indeed")  # leaves less than half of the runs of thirteen words
    found = BenchmarkIndex([ITEM]).find([Sample("row", asked=(" ".join(words),))])
    assert [(overlap.kind, 0.75 <= overlap.score < 1) for overlap in found] == [("near_duplicate", True)]
    assert kinds(Sample("row", asked=(" ".join(words).replace("left", "right"),))) == []


def test_a_short_question_is_found_whole_and_not_as_a_part():
    item = Sample("item", asked=("Which root leaves below the pedicle of L5?\nA. L4\nB. L5",))
    assert kinds(Sample("row", asked=("which root leaves below the pedicle of L5 ?\nA) L4\nB) L5",)), item) != []
    assert kinds(Sample("row", asked=("Which root leaves below the pedicle of L5?\nA) S1\nB) S2",)), item) == []


def test_a_reference_report_met_again_is_found_but_not_that_of_another_finding():
    assert kinds(Sample("row", said=(REPORT.format(level="L1", where="outside"),))) == [("report", "same_passage")]
    assert kinds(Sample("row", said=(REPORT.format(level="T12", where="outside"),))) == []
    # Two patients' reports may be alike word for word.
    assert kinds(Sample("row", said=(REPORT.format(level="L1", where="outside"),), case_id="patient 2")) == []


def test_if_both_show_images_the_images_decide():
    item = Sample("item", asked=(ASKED,), images=(seen(),))
    assert kinds(Sample("row", asked=(ASKED,), images=(seen(number=2),)), item) == []
    assert kinds(Sample("row", asked=(ASKED,), images=(seen(),)), item) == [("item", "same_image")]
    assert kinds(Sample("row", asked=("What is it?",), images=(seen(quality=70),)), item) == [("item", "similar_image")]
    assert kinds(Sample("row", asked=(ASKED,)), item) == [("item", "same_passage")]


def test_slices_of_cases_are_compared_by_their_bytes_only():
    item = Sample("item", images=(seen(),), case_id="patient 1")
    assert kinds(Sample("row", images=(seen(quality=90),), case_id="patient 2"), item) == []
    assert kinds(Sample("row", images=(seen(),), case_id="patient 2"), item) == [("item", "same_image")]


def test_a_pair_is_told_once_by_its_surest_kind():
    assert kinds(Sample("row", asked=(ASKED,), source_id="book", case_id="patient 1")) == [
        ("item", "same_source"),
        ("report", "same_case"),
    ]


def test_an_image_that_cannot_be_decoded_is_counted():
    index = BenchmarkIndex([Sample("item", images=(seen(),))])
    assert list(index.find([Sample("row", images=(SampleImage("0" * 64, lambda: b"no image"),))])) == []
    assert index.unread == {"corpus": 1}


def test_the_split_finds_a_question_asked_again_under_another_source():
    def bank(name, text):
        first, reply = make_item("x").messages
        return make_item(name, source=name, messages=(first.__class__("user", text), reply), context=(f"Passage of {name}.",))

    assert reasons([bank("t1", ASKED.upper()), bank("t2", ASKED.replace("left", "right"))], [bank("b", ASKED)]) == [
        ("t1", "same_passage")
    ]
