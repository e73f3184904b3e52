from items import make_item
from test_deduplicate import picture

from dataset_builders.decontaminate import find_contamination

PASSAGE = (
    "After a burst fracture at the thoracolumbar junction the posterior ligaments decide whether a brace will do, for a torn "
    "complex lets the kyphosis grow month after month even when the nerves are spared and the pain has settled."
)
IMAGES = {"one": picture(1), "one-recompressed": picture(1, quality=60), "other": picture(2)}


def reasons(train, benchmark):
    return [(found.train_id, found.reason) for found in find_contamination(train, benchmark, IMAGES.__getitem__)]


def test_same_source_and_same_case_are_found():
    benchmark = [make_item("b", source="book", case="case-1")]
    train = [make_item("t1", source="book"), make_item("t2", source="other", case="case-1"), make_item("t3", source="third")]
    assert reasons(train, benchmark) == [("t1", "same_source"), ("t2", "same_case")]


def test_a_recompressed_picture_is_found_and_another_is_not():
    benchmark = [make_item("b", source="x", images=["one"])]
    train = [make_item("t1", source="y", images=["one-recompressed"]), make_item("t2", source="z", images=["other"])]
    assert reasons(train, benchmark) == [("t1", "same_picture")]


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
        "A patient has had pain down one leg for several weeks, and the picture shows a posterolateral herniation that leaves "
        "the canal wide and the other discs as they should be. Which root is pressed by a herniation at {}?"
    )

    def bank(name, level):
        messages = (make_item("x").messages[0].__class__("user", question.format(level)), make_item("x").messages[1])
        return make_item(name, source=name, messages=messages, context=())

    assert reasons([bank("t1", "L3/4"), bank("t2", "L4/5")], [bank("b", "L4/5")]) == [("t2", "same_passage")]
