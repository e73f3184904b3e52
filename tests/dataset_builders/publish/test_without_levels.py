import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from dataset_builders.levels import parse_levels
from dataset_builders.publish.without_levels import remove_levels, write_without_levels
from dataset_builders.schema import spinemed_features


def names(text):
    levels = parse_levels(text)
    return (*levels.vertebrae, *levels.discs, *levels.nerve_roots)


@pytest.mark.parametrize(
    ("text", "language", "pattern"),
    [
        ("The L4/L5 disc presses on the L5 root.", "en", r"The level (\w+) disc presses on the level (\w+) root\."),
        ("Fracture of the 12th thoracic vertebra", "en", r"Fracture of the level (\w+) vertebra"),
        ("the fourth and fifth lumbar vertebrae", "en", r"the level (\w+) and level (\w+) vertebrae"),
        ("disc bulges at L3/4, 4-5 and L5/S1", "en", r"disc bulges at level (\w+), level (\w+) and level (\w+)"),
        ("atlantoaxial joint", "en", r"level (\w+), level (\w+) joint"),
        ("cord lesion at C8, spine", "en", r"cord lesion at level (\w+), spine"),
        ("Fusion at level L4-5; the L3 level is free.", "en", r"Fusion at level (\w+); the (\w+) level is free\."),
        ("第四腰椎椎体骨折，L5节段无异常。", "zh", r"节段(\w+?)椎体骨折，([A-Z]+)节段无异常。"),
        ("腰４／５椎间盘突出", "zh", r"节段([A-Z]+)椎间盘突出"),
        ("Odontoid fracture; the atlas is intact.", "en", r"level (\w+) fracture; the level (\w+) is intact\."),
        ("Hips and knees at T1-weighted MRI, 5 of 7 discs, lumbar spine.", "en", None),
    ],
)
def test_each_level_becomes_a_letter_and_all_else_stays(text, language, pattern):
    [new] = remove_levels([text], language, "row-1")
    assert names(new) == ()
    if pattern is None:
        assert new == text
    else:
        found = re.fullmatch(pattern, new)
        assert found, new
        assert len(set(found.groups())) == len(found.groups()) and not set("".join(found.groups())) & set("ABCDEFGHIJLST")


def test_a_level_has_one_letter_in_a_row_and_another_in_another_row():
    texts = ["Which one?\n\nA. S1\nB. L4\nC. L5", "S1", "L4", "L5", "A. S1\n\nThe vertebrae in view are L4, L5 and S1."]
    new = remove_levels(texts, "en", "row-1")
    right, *others = new[1:4]
    assert len({right, *others}) == 3 and new[0].endswith(f"A. {right}\nB. {others[0]}\nC. {others[1]}")
    assert new[4].startswith(f"A. {right}\n") and all(not names(text) for text in new)
    assert remove_levels(texts, "en", "row-1") == new
    drawn = {remove_levels(texts, "en", f"row-{number}")[1] for number in range(30)}
    assert drawn == {"level P", "level Q", "level R"}


def row(id_, text, reply, **columns):
    empty = {
        name: [] if name in ("options", "levels", "discs", "images", "context", "evidence", "checks") else None
        for name in spinemed_features()
    }
    turns = [("user", text), ("assistant", reply)]
    messages = [{"role": role, "content": [{"type": "text", "text": said}]} for role, said in turns]
    return {**empty, "id": id_, "language": "en", "messages": messages, "specialty": "spine", **columns}


def test_a_data_set_keeps_its_rows_images_and_columns_but_the_levels(tmp_path):
    source = tmp_path / "spinemed-450k"
    shard = source / "data" / "spine" / "report" / "train-00000-of-00001.parquet"
    shard.parent.mkdir(parents=True)
    image = {"bytes": b"pixels", "path": None}
    rows = [
        row(
            "a",
            "What is at L4/L5?",
            "A bulge at L4/L5.",
            images=[image],
            levels=["L4", "L5"],
            discs=["L4/L5"],
            answer="L5",
            context=["A bulge at L4/L5."],
            evidence=[{"paragraph": 0, "start": 0, "end": 17}],
        ),
        row("b", "What is bone?", "A tissue.", options=["A tissue", "A level"]),
    ]
    pq.write_table(pa.Table.from_pylist(rows, schema=spinemed_features().arrow_schema), shard)
    head = {"pretty_name": "x", "configs": [{"config_name": "default", "data_files": [], "description": "build 1"}]}
    (source / "README.md").write_text(f"---\n{yaml.safe_dump(head)}---\n\n# x\n")

    output = tmp_path / "out"
    assert write_without_levels(source, output) == {"rows": 2, "changed": 1, "left_out": 0}
    table = pq.read_table(output / shard.relative_to(source))
    assert table.schema.equals(spinemed_features().arrow_schema)
    first, second = table.to_pylist()
    assert second == rows[1]
    changed = {name for name in first if first[name] != rows[0][name]}
    assert changed == {"messages", "answer", "levels", "discs", "context", "evidence"}
    assert [first[name] for name in ("levels", "discs", "context", "evidence")] == [[], [], [], []]
    said = [turn["content"][0]["text"] for turn in first["messages"]]
    letter = said[0].removeprefix("What is at level ").removesuffix("?")
    assert said[1] == f"A bulge at level {letter}." and letter in ("P", "Q")
    front = yaml.safe_load((output / "README.md").read_text().split("---\n")[1])
    assert front["configs"][0]["description"] == "build 1, without levels 3"  # load_dataset's cache key

    with pytest.raises(FileNotFoundError, match=r"no README\.md and data"):
        write_without_levels(tmp_path / "nothing", output)
    pq.write_table(pa.table({"id": ["a"]}), shard)
    with pytest.raises(ValueError, match="no column answer, context, discs, evidence, language, levels, messages, options"):
        write_without_levels(source, output)
    assert (output / "README.md").is_file()  # a failure leaves what was there
