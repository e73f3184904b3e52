"""Write a labelled note again as another hospital might have: other people, keys, layouts, case, line breaks and scan errors.

Every change keeps the labels. What does not identify anybody changes as well (other levels, doses, times, counts), so that a
model learns the difference and no single value.
"""

import random
import re
from collections.abc import Callable, Sequence

from dataset_builders.deidentify.identifiers import HAN
from dataset_builders.deidentify.labelled_notes import TRAP, Note, Piece
from dataset_builders.deidentify.tagger.records import read_keys, write_record
from dataset_builders.deidentify.tagger.surrogates import Surrogates

_KEY_BEFORE = re.compile(rf"(?:(?<=[\n,;|，；。 \t])|^)([A-Za-z][A-Za-z./# ]{{1,24}}|[{HAN}]{{2,8}})([ \t]*[:：=][ \t]*)$")
_LINES = re.compile(r"(?<=\n)")
_CONFUSED = {
    "0": "O",
    "O": "0",
    "1": "l",
    "l": "1",
    "I": "l",
    "5": "S",
    "S": "5",
    "8": "B",
    "B": "8",
    "m": "rn",
    "人": "入",
    "日": "曰",
    "未": "末",
    "：": ":",
    "。": ".",
}

Pieces = list[Piece]


def augment(note: Note, others: Sequence[Note], rng: random.Random) -> Note:
    """Write ``note`` again; lines of ``others`` (notes of the same language) may be mixed in."""
    pieces = list(note.pieces)
    if rng.random() < 0.75:
        pieces = replace_identifiers(pieces, rng)
    if rng.random() < 0.5:
        pieces = change_traps(pieces, rng)
    if rng.random() < 0.35:
        pieces = change_keys(pieces, note.language, rng)
    if others and rng.random() < 0.3:
        pieces = mix_lines(pieces, rng.choice(others), rng)
    if rng.random() < 0.2:
        pieces = cut_out(pieces, rng)
    if rng.random() < 0.12:
        pieces = write_record(pieces, note.language, rng)
    if rng.random() < 0.3:
        pieces = add_traps(pieces, note.language, rng)
    for chance, change in _MANNERS:
        if rng.random() < chance:
            pieces = change(pieces, rng)
    return Note(note.id, note.language, note.genre, tuple(piece for piece in pieces if piece.text))


def replace_identifiers(pieces: Pieces, rng: random.Random) -> Pieces:
    """Put a fresh surrogate for each identifier."""
    surrogates = Surrogates(rng)
    return [
        Piece(surrogates.write(piece.text, piece.type), piece.type) if piece.type and piece.type != TRAP else piece
        for piece in pieces
    ]


def change_traps(pieces: Pieces, rng: random.Random) -> Pieces:
    """Change single digits of look-alikes, each by its own chance: another level, dose or grade."""

    def write(match: re.Match[str]) -> str:
        return str(rng.randint(1, 9)) if rng.random() < 0.5 else match.group()

    return [Piece(re.sub(r"(?<!\d)[1-9](?!\d)", write, p.text), TRAP) if p.type == TRAP else p for p in pieces]


def change_keys(pieces: Pieces, language: str, rng: random.Random) -> Pieces:
    """Replace, drop or misspell the keys before identifiers ("Name: ", "住院号：")."""
    keys = read_keys()
    changed = list(pieces)
    for index in range(1, len(changed)):
        kind, before = changed[index].type, changed[index - 1]
        if kind in (None, TRAP) or before.type is not None:
            continue
        match = _KEY_BEFORE.search(before.text)
        if not match or rng.random() < 0.4:
            continue
        head, colon = before.text[: match.start()], match[2]
        chance = rng.random()
        known = keys.get(f"{kind}_{language}", "").split(";")
        if chance < 0.6 and known != [""]:
            words = rng.choice(known).strip()
            if rng.random() < 0.2:
                words = words.upper() if rng.random() < 0.5 else words.lower()
            colon = rng.choice([colon, colon, ": ", "：", " ", "="]) if rng.random() < 0.3 else colon
        elif chance < 0.8:
            words, colon = "", ""
        else:
            words = _misspell(match[1], rng)
        changed[index - 1] = Piece(head + words + colon)
    return changed


def mix_lines(pieces: Pieces, other: Note, rng: random.Random) -> Pieces:
    """Put some lines or sentences of another note between those of this one, or shuffle all."""
    lines, more = _split_lines(pieces), _split_lines(list(other.pieces))
    if rng.random() < 0.5:
        more = rng.sample(more, min(len(more), rng.randint(1, 6)))
        for line in more:
            lines.insert(rng.randint(0, len(lines)), line)
    else:
        lines = lines + more
        rng.shuffle(lines)
        lines = lines[: rng.randint(3, 16)]
    mixed: Pieces = []
    for line in lines:
        mixed += line
        if mixed and not mixed[-1].text.endswith(("\n", " ", "。", ".")):
            mixed.append(Piece(rng.choice(["\n", "\n", " ", "  "])))
    return mixed


def cut_out(pieces: Pieces, rng: random.Random) -> Pieces:
    """Keep one to four lines or sentences alone: captions, titles and answer options are as short."""
    lines = _split_lines(pieces)
    start = rng.randint(0, len(lines) - 1)
    kept = [piece for line in lines[start : start + rng.randint(1, 4)] for piece in line]
    if kept[-1].type is None and rng.random() < 0.5:
        kept[-1] = Piece(kept[-1].text.rstrip())
    return kept


def add_traps(pieces: Pieces, language: str, rng: random.Random) -> Pieces:
    """Add clinical stretches with numbers, times and eponyms between lines: hard negatives."""
    lines = _split_lines(pieces)
    for _ in range(rng.randint(1, 3)):
        words = _clinical_stretch(language, rng)
        lines.insert(
            rng.randint(0, len(lines)),
            [Piece(words, TRAP), Piece(rng.choice(["\n", "; ", ". "] if language == "en" else ["\n", "；", "。"]))],
        )
    return [piece for line in lines for piece in line]


def _clinical_stretch(language: str, rng: random.Random) -> str:
    table = read_keys()[f"clinical_{language}"].split("\n")
    words = rng.choice([line for line in table if line.strip()]).strip()
    fill: dict[str, Callable[[], str]] = {
        "1": lambda: str(rng.randint(1, 9)),
        "2": lambda: str(rng.randint(10, 89)),
        "3": lambda: str(rng.randint(100, 990)),
        "4": lambda: str(rng.randint(1000, 4900)),
        "D": lambda: rng.choice(["C", "T", "L"]) + str(rng.randint(1, 7)),
        "L": lambda: (
            lambda n: rng.choice(
                [
                    f"L{n}/{n + 1}",
                    f"L{n}-{n + 1}",
                    f"l{n}-{n + 1}",
                    f"C{n}/{n + 1}",
                    f"c{n} c{n + 1}",
                    f"T{n}-T{n + 1}",
                    f"L{n}-L{n + 1}",
                ]
            )
        )(rng.randint(1, 4)),
        "Y": lambda: str(rng.randint(1998, 2026)),
        "H": lambda: f"{rng.randint(0, 23):02d}:{rng.randint(0, 59):02d}",
    }
    return re.sub(r"\{(\w)\}", lambda match: fill[match[1]](), words)


def _lower(pieces: Pieces, _: random.Random) -> Pieces:
    return [Piece(piece.text.lower(), piece.type) for piece in pieces]


def _upper(pieces: Pieces, _: random.Random) -> Pieces:
    return [Piece(piece.text.upper(), piece.type) for piece in pieces]


def _without_punctuation(pieces: Pieces, rng: random.Random) -> Pieces:
    marks = "，。：；、:" if rng.random() < 0.5 else "，。；,."
    put = rng.choice(["", " "])
    return [Piece(re.sub(f"[{marks}](?!\\d)", put, p.text), None) if p.type is None else p for p in pieces]


def _as_one_line(pieces: Pieces, rng: random.Random) -> Pieces:
    put = rng.choice([" ", "  ", "\t", " | ", "; "])
    return [Piece(re.sub(r"\n+", put if piece.type is None else " ", piece.text), piece.type) for piece in pieces]


def _scan_errors(pieces: Pieces, rng: random.Random) -> Pieces:
    """Confuse letters, set blanks inside words and break lines anywhere, as OCR does."""
    rate = rng.choice([0.01, 0.03, 0.06])

    def damage(text: str) -> str:
        out = []
        for index, character in enumerate(text):
            inside = 0 < index < len(text) - 1
            chance = rng.random()
            if chance < rate and character in _CONFUSED:
                character = _CONFUSED[character]
            out.append(character)
            if inside and chance > 1 - rate * 0.7 and not character.isspace():
                out.append(rng.choice([" ", " ", "\n"]))
        return "".join(out)

    return [Piece(damage(piece.text), piece.type) for piece in pieces]


def _broken_identifiers(pieces: Pieces, rng: random.Random) -> Pieces:
    """Break some identifiers over two lines, or set blanks between their characters."""
    changed = []
    for piece in pieces:
        text = piece.text
        if piece.type and piece.type != TRAP and len(text) > 1 and rng.random() < 0.35:
            if re.fullmatch(f"[{HAN}]{{2,4}}", text) and rng.random() < 0.6:
                text = rng.choice([" ", "  ", "　"]).join(text)
            else:
                cut = rng.randint(1, len(text) - 1)
                text = (
                    text[:cut].rstrip()
                    + rng.choice(["\n", " ", "-\n" if text.isalpha() and text.isascii() else "\n"])
                    + text[cut:].lstrip()
                )
        changed.append(Piece(text, piece.type))
    return changed


def _short_names(pieces: Pieces, rng: random.Random) -> Pieces:
    """Write some names by a part alone, as initials, or turned around."""
    changed = []
    for piece in pieces:
        text = piece.text
        if piece.type == "NAME" and rng.random() < 0.4:
            words = text.split()
            if re.fullmatch(f"[{HAN}]{{3}}", text):
                text = rng.choice([text[1:], text[0], text[0] + "某", text[1:]])
            elif len(words) > 1 and all(word[0].isalpha() for word in words):
                text = rng.choice(
                    [
                        words[0],
                        words[-1],
                        f"{words[0][0]}. {words[-1]}",
                        f"{words[-1]}, {words[0]}",
                        f"{words[-1]} {words[0]}",
                        "".join(word[0] for word in words),
                    ]
                )
        changed.append(Piece(text, piece.type))
    return changed


_MANNERS: tuple[tuple[float, Callable[[Pieces, random.Random], Pieces]], ...] = (
    (0.15, _short_names),
    (0.07, _lower),
    (0.04, _upper),
    (0.06, _without_punctuation),
    (0.08, _as_one_line),
    (0.10, _broken_identifiers),
    (0.10, _scan_errors),
)


def _split_lines(pieces: Pieces) -> list[Pieces]:
    """Split at line ends, and at sentence ends of long lines, outside identifiers."""
    lines: list[Pieces] = [[]]
    for piece in pieces:
        if piece.type:
            lines[-1].append(piece)
            continue
        parts = re.split(r"(?<=\n)|(?<=[。；])|(?<=[a-z)][.;] )", piece.text)
        for number, part in enumerate(parts):
            if number:
                lines.append([])
            if part:
                lines[-1].append(Piece(part))
    return [line for line in lines if line]


def _misspell(word: str, rng: random.Random) -> str:
    place = rng.randint(0, len(word) - 1)
    if rng.random() < 0.5:
        return word[:place] + word[place + 1 :]
    return word[:place] + word[place] + word[place:]
