"""The page on what can be guessed and what left."""

import random

from dataset_builders.document import Reject
from dataset_builders.engine.shards import LineWriter
from dataset_builders.item import LETTERS, Message, format_options
from dataset_builders.publish.quality import STEPS, write_quality
from tests.support.items import make_item

LEVELS = ("L2/L3", "L3/L4", "L4/L5", "L5/S1")


def make_choice(number):
    options = random.Random(number).sample(LEVELS, 4)
    question = Message("user", f"Where?\n\n{format_options(options)}", (f"image{number}",))
    return make_item(
        f"i{number}", source=f"d{number % 6}", modality="image_text", options=tuple(options),
        answer=LETTERS[options.index("L5/S1")], messages=(question, Message("assistant", "x")),
    )  # fmt: skip


def write(folder, records, rejects=()):
    for part, lines in ((folder, records), (folder / "rejects", rejects)):
        writer = LineWriter(part / "00000.jsonl")
        for line in lines:
            writer.write(line)
        writer.close()


def make_folders(tmp_path, items, left):
    folders = {step: tmp_path / step for step in STEPS}
    for step in STEPS[:3]:
        write(folders[step], [item.to_dict() for item in items])
    write(folders["revised"], [i.to_dict() for i in items], [Reject("d1", "revise_no_markup", "x", "i1").to_dict()])
    gone = [Reject("d", "guessable_without_image", "rules/test@1: majority guess", item.id).to_dict() for item in left]
    write(folders["split"], [item.to_dict() for item in items if item not in left], gone)
    return folders


def test_the_page_shows_each_rule_before_and_after_and_what_left(tmp_path):
    items = [make_choice(number) for number in range(24)]
    folders = make_folders(tmp_path, items, items[:10])
    quality = write_quality(tmp_path, folders)
    (rule,) = quality.rules
    assert (rule.before.items, rule.after.items, dict(rule.left)) == (24, 14, {"majority guess": 10})
    assert rule.before.right["majority"] == 24
    assert quality.lost["revised", "rules/test@1", "revise_no_markup"] == 1
    page = (tmp_path / "quality.html").read_text(encoding="utf-8")
    assert "rules/test@1" in page and "10: majority guess" in page and "revise_no_markup" in page and "100 %" in page
    assert not any(f">d{number}<" in page for number in range(6))  # no document is named


def test_a_rule_of_which_none_is_left_is_still_on_the_page(tmp_path):
    items = [make_choice(number) for number in range(12)]
    write_quality(tmp_path, make_folders(tmp_path, items, items))
    assert "none is left" in (tmp_path / "quality.html").read_text(encoding="utf-8")


def test_a_build_without_such_items_says_so(tmp_path):
    write_quality(tmp_path, make_folders(tmp_path, [make_item("a")], []))
    page = (tmp_path / "quality.html").read_text(encoding="utf-8")
    assert "No multiple-choice item of this build shows an image" in page
