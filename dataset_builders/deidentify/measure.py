"""Score a finder of identifiers on labelled notes: what it finds, which notes leak, and what it takes from medicine.

An identifier is found if all its characters but blanks are masked, whatever the category. A note leaks if one of its
identifiers is not found. A look-alike (trap) is intact if no character of it is masked. In a note without identifiers all
that is masked is masked for nothing.

Each share has a 95 % interval: a percentile bootstrap over notes, for identifiers of one note are found or missed together.
If all resamples agree (0 %, 100 %, a single note), it is Wilson's score interval (Wilson 1927) instead: no interval has zero
width.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dataset_builders.deidentify import FindsNames, deidentify_text
from dataset_builders.deidentify.labelled_notes import TRAP, Note
from dataset_builders.deidentify.tagger import THRESHOLD, WEIGHTS

DIRECT = frozenset(
    (
        # names of rules.CATEGORIES
        *("NAME", "PHONE", "FAX", "EMAIL", "SSN", "MRN", "PLAN", "ACCOUNT", "LICENSE", "VEHICLE", "DEVICE", "GEO"),
        *("OTHER_ID", "URL", "IP"),
        # names of Presidio's
        *("PERSON", "PHONE_NUMBER", "EMAIL_ADDRESS", "CREDIT_CARD", "IBAN_CODE", "US_SSN", "US_DRIVER_LICENSE"),
        *("IP_ADDRESS", "STREET_ADDRESS", "ZIP_CODE"),
    )
)
"""Types of direct identifiers: whom, where to reach, which number."""

RESAMPLES = 2000
_RUN = 6  # characters that are masked or left together, about a word
_AROUND = 40  # characters before and after a missed identifier

Finder = Callable[[str, str], Iterable[tuple[int, int]]]
"""Takes a text and its language; gives what it masks, as pairs of start and end."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A labelled stretch. ``type`` is an identifier's type or a trap's kind; ``good``: found, or left intact."""

    start: int
    end: int
    type: str
    good: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a finder did to a note: its ``characters``, those ``masked``, those of them labelled (``right``); no blanks."""

    note: Note
    identifiers: tuple[Mark, ...]
    traps: tuple[Mark, ...]
    characters: int
    masked: int
    right: int

    @property
    def leaks(self) -> bool:
        return not all(mark.good for mark in self.identifiers)


@dataclass(frozen=True, slots=True)
class Share:
    """``part`` of ``whole``, and the two ends of the 95 % interval of its ``share`` (0-1)."""

    part: int
    whole: int
    low: float
    high: float

    @property
    def share(self) -> float:
        return self.part / self.whole


@dataclass(frozen=True, slots=True)
class Scores:
    """All shares of a set of notes; None if there is nothing to take a share of.

    leaked                notes that leak, of those with an identifier
    precision             labelled characters, of those masked
    intact_by_kind        look-alikes left intact, by kind; ``intact`` over all
    intact_unidentified   the same in notes without identifiers
    overmasked            masked characters, of all in notes without identifiers
    """

    notes: int
    unidentified: int
    recall: Share | None
    direct: Share | None
    by_type: Mapping[str, Share]
    by_genre: Mapping[str, Share]
    leaked: Share | None
    precision: Share | None
    intact: Share | None
    intact_unidentified: Share | None
    intact_by_kind: Mapping[str, Share]
    overmasked: Share | None


def make_finder(
    mode: str = "strict", names: FindsNames | None = None, threshold: float = THRESHOLD, weights: Path = WEIGHTS
) -> Finder:
    """Return deidentify_text, with its options, as a Finder."""

    def find(text: str, language: str) -> list[tuple[int, int]]:
        return [(span.start, span.end) for span in deidentify_text(text, language, mode, names, threshold, weights).spans]

    return find


def run(notes: Iterable[Note], find: Finder) -> list[Outcome]:
    """Run a finder on each note."""
    return [judge(note, find(note.text, note.language)) for note in notes]


def judge(note: Note, masked: Iterable[tuple[int, int]]) -> Outcome:
    """Compare what was masked in a note, as pairs of start and end in any order, with its labels."""
    text = note.text
    covered = bytearray(len(text))
    for start, end in masked:
        covered[start:end] = b"\1" * (end - start)
    seen = [i for i, character in enumerate(text) if not character.isspace()]
    identifiers, traps, right, position = [], [], 0, 0
    for piece in note.pieces:
        end = position + len(piece.text)
        inside = [i for i in range(position, end) if not text[i].isspace()]
        if piece.type == TRAP:
            traps.append(Mark(position, end, piece.kind, not any(covered[i] for i in inside)))
        elif piece.type:
            identifiers.append(Mark(position, end, piece.type, all(covered[i] for i in inside)))
            right += sum(covered[i] for i in inside)
        position = end
    return Outcome(note, tuple(identifiers), tuple(traps), len(seen), sum(covered[i] for i in seen), right)


def score(outcomes: Sequence[Outcome], seed: int = 0, resamples: int = RESAMPLES) -> Scores:
    """Compute all shares with their intervals; the same seed gives the same intervals. Raises ValueError without outcomes."""
    if not outcomes:
        raise ValueError("no notes to score; give at least one")
    size = len(outcomes)
    weights = np.random.default_rng(seed).multinomial(size, [1 / size] * size, resamples)

    def count(marks: Callable[[Outcome], Iterable[Mark]]) -> Share | None:
        own = [list(marks(outcome)) for outcome in outcomes]
        return _share([sum(mark.good for mark in some) for some in own], [len(some) for some in own], weights)

    def split(marks: Callable[[Outcome], Iterable[Mark]], name: Callable[[Outcome, Mark], str]) -> dict[str, Share]:
        names = sorted({name(outcome, mark) for outcome in outcomes for mark in marks(outcome)})
        shares = {key: count(lambda o, key=key: (m for m in marks(o) if name(o, m) == key)) for key in names}  # type: ignore[misc]
        return {key: share for key, share in shares.items() if share}

    bare = [not outcome.identifiers for outcome in outcomes]
    return Scores(
        notes=size,
        unidentified=sum(bare),
        recall=count(lambda o: o.identifiers),
        direct=count(lambda o: (mark for mark in o.identifiers if mark.type in DIRECT)),
        by_type=split(lambda o: o.identifiers, lambda _, mark: mark.type),
        by_genre=split(lambda o: o.identifiers, lambda o, _: o.note.genre or "–"),
        leaked=_share([o.leaks for o in outcomes], [not empty for empty in bare], weights),
        precision=_share([o.right for o in outcomes], [o.masked for o in outcomes], weights, of_characters=True),
        intact=count(lambda o: o.traps),
        intact_unidentified=count(lambda o: () if o.identifiers else o.traps),
        intact_by_kind=split(lambda o: o.traps, lambda _, mark: mark.type or "–"),
        overmasked=_share(
            [o.masked * empty for o, empty in zip(outcomes, bare)],
            [o.characters * empty for o, empty in zip(outcomes, bare)],
            weights,
            of_characters=True,
        ),
    )


def wilson(part: int, whole: int) -> tuple[float, float]:
    """Return the two ends of Wilson's 95 % score interval of ``part`` in ``whole`` trials (0-1)."""
    from scipy.stats import binomtest  # a second to import, and every build imports this module

    interval = binomtest(part, whole).proportion_ci(0.95, method="wilson")
    return float(interval.low), float(interval.high)


def format_scores(scores: Scores) -> str:
    """Lay the shares out as a table; a star marks direct types."""
    rows: list[tuple[str, Share | None, float]] = [
        ("identifiers found, all", scores.recall, 1),
        ("identifiers found, direct (*)", scores.direct, 1),
        *((f"  {name}{' *' if name in DIRECT else ''}", share, 1) for name, share in scores.by_type.items()),
        *((f"  in {name}", share, 1) for name, share in scores.by_genre.items() if list(scores.by_genre) != ["–"]),
        ("notes that leak, per 100", scores.leaked, 100),
        ("precision, by characters", scores.precision, 1),
        ("look-alikes left intact", scores.intact, 1),
        *((f"  {name}", share, 1) for name, share in scores.intact_by_kind.items() if list(scores.intact_by_kind) != ["–"]),
    ]
    if scores.unidentified:
        rows += [
            ("  in notes without identifiers", scores.intact_unidentified, 1),
            ("masked per 1,000 characters there", scores.overmasked, 1000),
        ]
    lines = [f"{'':<36}{'share':>8}  {'95 % interval':<17}{'count':>9}{'of':>9}"]
    for name, share, scale in rows:
        if share is None:
            lines.append(f"{name:<36}{'–':>8}")
            continue
        digits = 3 if scale == 1 else 1
        value, low, high = (f"{number * scale:.{digits}f}" for number in (share.share, share.low, share.high))
        lines.append(f"{name:<36}{value:>8}  {f'{low}–{high}':<17}{share.part:>9,}{share.whole:>9,}")
    return "\n".join(lines)


def list_misses(outcomes: Iterable[Outcome]) -> Iterator[str]:
    """Yield a line for each missed identifier: id of its note, type, and the words with their surroundings.

    The lines quote the notes: they are for the screen of who may read them. What a terminal would obey is written as "·".
    """
    for outcome in outcomes:
        text = outcome.note.text
        for mark in outcome.identifiers:
            if not mark.good:
                before, words, after = (
                    text[max(0, mark.start - _AROUND) : mark.start],
                    text[mark.start : mark.end],
                    text[mark.end :],
                )
                line = f"{outcome.note.id}  {mark.type}  …{before}«{words}»{after[:_AROUND]}…"
                yield "".join(c if c.isprintable() else "⏎" if c == "\n" else "·" for c in line)


def _share(
    parts: Sequence[int], wholes: Sequence[int], weights: NDArray[np.int64], *, of_characters: bool = False
) -> Share | None:
    """Sum over notes. Characters are masked word by word: for Wilson's interval, a run of them counts as one trial."""
    part, whole = sum(parts), sum(wholes)
    if not whole:
        return None
    sums = weights @ np.array([parts, wholes], dtype=np.int64).T
    drawn = sums[sums[:, 1] > 0]
    low, high = np.percentile(drawn[:, 0] / drawn[:, 1], (2.5, 97.5)) if len(drawn) else (0.0, 0.0)
    if math.isclose(low, high):
        trials = max(1, whole // _RUN) if of_characters else whole
        low, high = wilson(round(part / whole * trials), trials)
    return Share(part, whole, float(low), float(high))
