"""Write the identifiers of a note as a structured record: JSON, XML, CSV, HL7, keyed lines or a table."""

import functools
import json
import random
import re
from pathlib import Path

from dataset_builders.deidentify.labelled_notes import TRAP, Piece
from dataset_builders.deidentify.rules import read_table

_MOST = 8  # identifiers of one record


@functools.cache
def read_keys() -> dict[str, str]:
    """Read keys.yaml: what stands before identifiers and between them."""
    return read_table(Path(__file__).with_name("keys.yaml"))


def write_record(pieces: list[Piece], language: str, rng: random.Random) -> list[Piece]:
    """Put a record of some of the note's identifiers before, after, or in place of its text."""
    keys = read_keys()
    fields: list[tuple[str, Piece]] = []
    for piece in pieces:
        known = keys.get(f"{piece.type}_{language}", "") if piece.type and piece.type != TRAP else ""
        if known and len(fields) < _MOST and rng.random() < 0.7 and "\n" not in piece.text and '"' not in piece.text:
            fields.append((rng.choice(known.split(";")).strip(), piece))
    for _ in range(rng.randint(1, 5)):
        key, _, values = rng.choice([line for line in keys[f"fields_{language}"].split("\n") if line.strip()]).partition(":")
        fields.append((key.strip(), Piece(rng.choice(values.split(";")).strip(), TRAP)))
    rng.shuffle(fields)
    record = rng.choice([_json, _xml, _csv, _pipes, _lines, _pairs, _table])(fields, rng)
    place = rng.random()
    if place < 0.4:
        return [*record, Piece("\n"), *pieces]
    return [*pieces, Piece("\n"), *record] if place < 0.7 else record


def _identifier(key: str, rng: random.Random) -> str:
    """A key as programs write it: patientName, patient_name, PATIENT-NAME."""
    words = re.findall(r"[^\W_]+", key)
    if not words or not key.isascii():
        return key
    manner = rng.random()
    if manner < 0.3:
        return "_".join(words).lower()
    if manner < 0.6:
        return words[0].lower() + "".join(word.capitalize() for word in words[1:])
    return "_".join(words).upper() if manner < 0.8 else "".join(word.capitalize() for word in words)


def _json(fields: list[tuple[str, Piece]], rng: random.Random) -> list[Piece]:
    gap = rng.choice(["", " ", "\n  "])
    record = [Piece("{" + gap)]
    for number, (key, value) in enumerate(fields):
        comma = "" if number == len(fields) - 1 else "," + (gap or rng.choice(["", " "]))
        record += [
            Piece(f'{json.dumps(_identifier(key, rng), ensure_ascii=False)}:{rng.choice(["", " "])}"'),
            value,
            Piece('"' + comma),
        ]
    return [*record, Piece(gap.rstrip(" ") + "}")]


def _xml(fields: list[tuple[str, Piece]], rng: random.Random) -> list[Piece]:
    record = [Piece("<record>")]
    for key, value in fields:
        tag = re.sub(r"\W", "_", _identifier(key, rng))
        record += [Piece(f"<{tag}>"), value, Piece(f"</{tag}>" + rng.choice(["", "\n"]))]
    return [*record, Piece("</record>")]


def _csv(fields: list[tuple[str, Piece]], rng: random.Random) -> list[Piece]:
    mark = rng.choice([",", ";", "\t", ", "])
    record = [Piece(mark.join(_identifier(key, rng) for key, _ in fields) + "\n")] if rng.random() < 0.7 else []
    for number, (_, value) in enumerate(fields):
        record += [Piece(mark)] if number else []
        record += [value]
    return record


def _pipes(fields: list[tuple[str, Piece]], rng: random.Random) -> list[Piece]:
    record = [Piece(rng.choice(["PID|1||", "PV1|1|I|", "NK1|1|", "OBX|1|TX||", "|", ""]))]
    for _, value in fields:
        record += [value, Piece(rng.choice(["|", "|", "||", "^", "|||"]))]
    return record


def _lines(fields: list[tuple[str, Piece]], rng: random.Random) -> list[Piece]:
    mark, end = rng.choice([": ", "：", "=", "\t", " - ", " "]), rng.choice(["\n", "\n", "  ", "；", "    "])
    record = []
    for key, value in fields:
        record += [Piece(key + mark), value, Piece(end)]
    return record


def _pairs(fields: list[tuple[str, Piece]], rng: random.Random) -> list[Piece]:
    end = rng.choice([";", " ", ", ", "&"])
    record = []
    for key, value in fields:
        record += [Piece(_identifier(key, rng) + "="), value, Piece(end)]
    return record


def _table(fields: list[tuple[str, Piece]], rng: random.Random) -> list[Piece]:
    if rng.random() < 0.5:
        record = [Piece("| " + " | ".join(key for key, _ in fields) + " |\n|" + "---|" * len(fields) + "\n|")]
        for _, value in fields:
            record += [Piece(" "), value, Piece(" |")]
        return record
    widths = [max(len(key), len(value.text)) + rng.randint(1, 4) for key, value in fields]
    record = [Piece("".join(key.ljust(width) for (key, _), width in zip(fields, widths)).rstrip() + "\n")]
    for (_, value), width in zip(fields, widths):
        record += [value, Piece(" " * (width - len(value.text)))]
    return record
