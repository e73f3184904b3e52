"""Tables that people read and change."""

import pytest

WIDTH = 128


@pytest.mark.parametrize("room", ["classify", "deidentify", "generate", "levels", "overlap", "phantom", "sources"])
def test_no_line_of_a_table_is_wider_than_a_screen(repo, room):
    tables = sorted((repo / "dataset_builders" / room).rglob("*.yaml"))
    lines = [(table, number, line) for table in tables for number, line in enumerate(read_lines(table), 1)]
    assert lines and [f"{table.name}:{number}" for table, number, line in lines if len(line) > WIDTH] == []


def read_lines(table):
    return table.read_text(encoding="utf-8").splitlines()
