"""Measure de-identification on labelled notes, those first that neither rules nor tagger saw, and compare it with Presidio.

    python benchmarks/deidentification.py            # benchmarks/results/deidentification.json
    python benchmarks/deidentification.py --curve    # deidentification_curve.json, .png: strict mode at the tagger's THRESHOLDS

SPINEMED_GOLD, SPINEMED_AUTHORED and SPINEMED_SOURCES say where texts lie that are not in the repository. A set that is not
there is named under "not_measured", with the reason. What is measured and how the intervals are made: deidentify/measure.py.

Each set says what had seen it: "left out" by all, "seen by the threshold" (the tagger's was chosen on its figures), "seen by
rules" (they were developed while looking at it), "trained on" (the tagger was). Figures of the last two say little of new
notes. Stock Presidio runs its pattern recognisers on spaCy's blank models: a name model is not bundled with it.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPO), str(Path(__file__).parent)]

import yaml  # noqa: E402
from common import RESULTS, write_result  # noqa: E402

from dataset_builders.deidentify import deidentify_text  # noqa: E402
from dataset_builders.deidentify.labelled_notes import TRAP, Note, parse_marks, read_notes, split_text  # noqa: E402
from dataset_builders.deidentify.measure import Finder, Scores, Share, make_finder, run, score  # noqa: E402
from dataset_builders.language import detect_language  # noqa: E402

DATA = Path(__file__).parent / "data"
LEFT_OUT, BY_THRESHOLD, BY_RULES, TRAINED = "left out", "seen by the threshold", "seen by rules", "trained on"
# What had seen a set; its name is here, or its beginning.
SEEN = {
    "hand_en_t": (BY_THRESHOLD,),
    "hand_zh_t": (BY_THRESHOLD,),
    "hand": (LEFT_OUT,),
    "authored_en_a": (BY_RULES, TRAINED),
    "authored_zh_a": (BY_RULES, TRAINED),
    "authored": (TRAINED,),
    "notes_dev": (BY_RULES,),
    "presidio_synthetic": (BY_RULES,),
    "mixed_zh_en": (BY_RULES,),
    "own_snippets": (BY_RULES,),
}
THRESHOLDS = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)
CURVES = {"recall": "found", "direct": "direct found", "leaked_per_100": "leaked notes per 100", "intact": "look-alikes intact"}
ROUNDS = 3  # timed passes, of which the median counts


@dataclass(frozen=True)
class LabelledSet:
    """Notes of one origin, and what had ``seen`` them."""

    name: str
    notes: list[Note]
    seen: tuple[str, ...]


def main() -> None:
    """Measure, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--curve", action="store_true", help="strict mode at each threshold instead of everything at one")
    arguments = parser.parse_args()
    sets, absent = load_sets()
    if not sets:
        sys.exit(f"no set to measure: {'; '.join(absent)}")
    if arguments.curve:
        figures = {"thresholds": THRESHOLDS, "not_measured": absent, "sets": dict(measure_curves(sets))}
        write_result("deidentification_curve", figures)
        draw_curves(figures["sets"], RESULTS / "deidentification_curve.png")
        return
    finders = {
        "strict": make_finder("strict"),
        "standard": make_finder("standard"),
        "presidio_with_our_recognizers": presidio_with_ours(),
        "stock_presidio": stock_presidio(),
    }
    timed = max((labelled.notes for labelled in sets if labelled.name.startswith("notes_dev")), default=sets[0].notes, key=len)
    figures = {"not_measured": absent}
    for name, find in finders.items():
        scores = {labelled.name: (labelled, score(run(labelled.notes, find))) for labelled in sets}
        figures[name] = {key: write_scores(labelled, own, name == "strict") for key, (labelled, own) in scores.items()}
        figures[name]["speed"] = speed(timed, find)
        print_summary(name, scores)
    figures["radiologist_notes"] = overmasking(_folder("SPINEMED_SOURCES", "sources"))
    write_result("deidentification", figures, ("presidio-analyzer", "rjieba", "symspellpy", "Faker"))


def load_sets() -> tuple[list[LabelledSet], list[str]]:
    """Load every set that is there, left-out ones first; also return what is not there, and why."""
    gold, authored = _folder("SPINEMED_GOLD", "gold") / "deid", _folder("SPINEMED_AUTHORED", "authored") / "deid"
    files: list[tuple[str, Path, Callable[[Path], list[Note]]]] = [
        *((f"hand_{path.stem}", path, read_notes) for path in sorted((DATA / "deidentification").glob("*.jsonl"))),
        *((f"authored_{path.stem}", path, read_notes) for path in sorted(authored.glob("*.jsonl"))),
        ("notes_dev", gold / "notes_dev.jsonl", load_gold),
        ("presidio_synthetic", gold / "presidio_synth_even_templates.json", load_presidio),
        ("mixed_zh_en", gold / "zh_tw_en_phi_dev.jsonl", load_mixed),
        ("own_snippets", DATA / "identifier_snippets.yaml", load_snippets),
        ("own_snippets_second", DATA / "identifier_snippets_second.yaml", load_snippets),
    ]
    sets = [LabelledSet(name, load(path), _seen(name)) for name, path, load in files if path.exists()]
    together = [note for labelled in sets if labelled.seen == (LEFT_OUT,) for note in labelled.notes]
    if together:
        sets.insert(0, LabelledSet("left_out", together, (LEFT_OUT,)))
    absent = [f"{name}: no {path.name} in {path.parent.name}/ of SPINEMED_GOLD" for name, path, _ in files if not path.exists()]
    if not together:
        absent.insert(0, f"left_out: no *.jsonl in {(DATA / 'deidentification').relative_to(REPO)}")
    if not any(labelled.name.startswith("authored_") for labelled in sets):
        absent.append("authored: no *.jsonl in deid/ of SPINEMED_AUTHORED")
    return sets, absent


def load_gold(path: Path) -> list[Note]:
    """Load notes whose traps lie in a file beside them."""
    traps = {row["id"]: row["traps"] for row in _rows(path.with_suffix(".traps.jsonl"))}
    notes = []
    for row in _rows(path):
        marks = [(span["start"], span["end"], span["type"], "") for span in row["spans"]]
        marks += [(trap["start"], trap["end"], TRAP, trap["kind"]) for trap in traps[row["id"]]]
        notes.append(Note(row["id"], row["language"], row["genre"], split_text(row["text"], marks)))
    return notes


def load_presidio(path: Path) -> list[Note]:
    """Load Presidio's synthetic sentences."""
    notes = []
    for number, row in enumerate(json.loads(path.read_text(encoding="utf-8"))):
        marks = [(span["start_position"], span["end_position"], span["entity_type"], "") for span in row["spans"]]
        notes.append(Note(str(number), "en", "", split_text(row["full_text"], marks)))
    return notes


def load_mixed(path: Path) -> list[Note]:
    """Load notes that mix traditional Chinese and English."""
    notes = []
    for row in _rows(path):
        marks = [(span["start"], span["end"], span["type"], "") for span in row["spans"]]
        notes.append(Note(row["id"], detect_language(row["text"]), "", split_text(row["text"], marks)))
    return notes


def load_snippets(path: Path) -> list[Note]:
    """Load our own snippets, marked in the text (labelled_notes.parse_marks)."""
    snippets = yaml.safe_load(path.read_text(encoding="utf-8"))
    return [
        Note(f"{language}-{number}", language, "", parse_marks(marked))
        for language, texts in snippets.items()
        for number, marked in enumerate(texts)
    ]


def stock_presidio() -> Finder:
    """Load Presidio's predefined recognisers as they come, without a name model."""
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import SpacyNlpEngine

    class Blank(SpacyNlpEngine):
        def load(self) -> None:
            import spacy

            self.nlp = {"en": spacy.blank("en")}

    engine = Blank([{"lang_code": "en", "model_name": "blank"}])
    engine.load()
    analyzer = AnalyzerEngine(nlp_engine=engine, supported_languages=["en"])
    return lambda text, _: [(found.start, found.end) for found in analyzer.analyze(text, language="en")]


def presidio_with_ours() -> Finder:
    """Load Presidio's engine with our recognisers alone, in strict mode."""
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import NlpEngineProvider

    from dataset_builders.deidentify.presidio import presidio_recognizers

    models = [{"lang_code": code, "model_name": "no_op"} for code in ("en", "zh")]
    engine = NlpEngineProvider(nlp_configuration={"nlp_engine_name": "no_op", "models": models}).create_engine()
    analyzer = AnalyzerEngine(nlp_engine=engine, supported_languages=["en", "zh"])
    analyzer.registry.recognizers.clear()
    for recognizer in presidio_recognizers():
        analyzer.registry.add_recognizer(recognizer)
    return lambda text, language: [(found.start, found.end) for found in analyzer.analyze(text, language)]


def write_scores(labelled: LabelledSet, scores: Scores, details: bool) -> dict[str, Any]:
    """Write the scores of a set as JSON; ``details`` adds those by type, genre and kind of look-alike."""
    row: dict[str, Any] = {
        "seen": ", ".join(labelled.seen),
        "notes": scores.notes,
        "notes_without_identifiers": scores.unidentified,
        "recall": _write(scores.recall),
        "direct": _write(scores.direct),
        "leaked_per_100": _write(scores.leaked, 100),
        "precision_characters": _write(scores.precision),
        "intact": _write(scores.intact),
        "intact_without_identifiers": _write(scores.intact_unidentified),
        "masked_per_1000_without_identifiers": _write(scores.overmasked, 1000),
    }
    if details:
        row["recall_by_type"] = _write_lines(scores.by_type)
        row["recall_by_genre"] = _write_lines(scores.by_genre)
        row["intact_by_kind"] = _write_lines(scores.intact_by_kind)
    return row


def print_summary(finder: str, scores: Mapping[str, tuple[LabelledSet, Scores]]) -> None:
    """Print a line a set, with intervals."""
    print(f"\n{finder:<32}{'found':<22}{'direct':<22}{'leaked per 100':<22}{'intact':<22}seen")
    for name, (labelled, own) in scores.items():
        cells = [_cell(own.recall), _cell(own.direct), _cell(own.leaked, 100), _cell(own.intact)]
        print(f"{name:<32}{''.join(f'{cell:<22}' for cell in cells)}{', '.join(labelled.seen)}")
    print(flush=True)


def measure_curves(sets: Sequence[LabelledSet]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield for each set of notes its curves over THRESHOLDS in strict mode; a curve is null if the set has none."""
    for labelled in sets:
        if labelled.name.startswith(("left_out", "hand", "authored", "notes_dev")):
            points = [score(run(labelled.notes, make_finder("strict", threshold=at))) for at in THRESHOLDS]
            yield (
                labelled.name,
                {
                    "seen": ", ".join(labelled.seen),
                    "recall": _write_curve([point.recall for point in points]),
                    "direct": _write_curve([point.direct for point in points]),
                    "leaked_per_100": _write_curve([point.leaked for point in points], 100),
                    "intact": _write_curve([point.intact for point in points]),
                    "masked_per_1000_without_identifiers": _write_curve([point.overmasked for point in points], 1000),
                },
            )


def draw_curves(sets: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """Draw a panel a figure: left-out sets with their intervals, the others broken and thin."""
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, len(CURVES), figsize=(16, 4.5), layout="constrained")
    for axes, (key, title) in zip(panels, CURVES.items(), strict=True):
        for name, curves in sets.items():
            curve = curves[key]
            if not curve:
                continue
            style, width = ("o-", 2) if curves["seen"] == LEFT_OUT else ("--", 1)
            label = f"{name} ({curves['seen']})"
            (line,) = axes.plot(THRESHOLDS, curve["value"], style, linewidth=width, label=label)
            if name == "left_out":
                axes.fill_between(THRESHOLDS, curve["low"], curve["high"], alpha=0.15, color=line.get_color())
        axes.set(title=title, xlabel="threshold of the tagger", xscale="log")
        axes.set_xticks(THRESHOLDS, [f"{at:g}" for at in THRESHOLDS])
        axes.minorticks_off()
        axes.grid(alpha=0.3)
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=4, fontsize="small")
    figure.savefig(path, dpi=100)
    pyplot.close(figure)


def speed(notes: Sequence[Note], find: Finder) -> dict[str, float]:
    """Measure characters a second of processor time, after one unmeasured pass."""
    texts = [(note.text, note.language) for note in notes]
    seconds = []
    for number in range(ROUNDS + 1):
        start = time.process_time()
        for text, language in texts:
            find(text, language)
        if number:
            seconds.append(time.process_time() - start)
    median = statistics.median(seconds)
    return {
        "characters_per_second": round(sum(len(text) for text, _ in texts) / median),
        "notes_per_second": round(len(texts) / median, 1),
    }


def overmasking(sources: Path) -> dict[str, Any]:
    """Measure what each mode masks in radiologists' notes that name nobody; a reason if they are not there."""
    path = sources / "hospital" / "lumbar_mri_radiologist_notes.jsonl"
    if not path.exists():
        return {"not_measured": f"no {path.name} in {path.parent.name}/ of SPINEMED_SOURCES"}
    texts = [row["note"] for row in _rows(path) if (row["note"] or "").strip()]
    notes = [Note(str(number), "en", "", split_text(text, [])) for number, text in enumerate(texts)]
    result: dict[str, Any] = {"notes": len(notes)}
    for mode in ("strict", "standard"):
        outcomes = run(notes, make_finder(mode))
        categories = Counter(span.category for text in texts for span in deidentify_text(text, "en", mode).spans)
        result[mode] = {
            "masked_per_1000_characters": _write(score(outcomes).overmasked, 1000),
            "notes_with_masks": sum(outcome.masked > 0 for outcome in outcomes),
            "masks_by_category": dict(sorted(categories.items())),
        }
    return result


def _seen(name: str) -> tuple[str, ...]:
    return next(seen for key, seen in SEEN.items() if name.startswith(key))


def _write(share: Share | None, scale: float = 1) -> dict[str, float] | None:
    if share is None:
        return None
    value, low, high = (round(number * scale, 4) for number in (share.share, share.low, share.high))
    return {"value": value, "low": low, "high": high, "count": share.part, "of": share.whole}


def _write_curve(shares: Sequence[Share | None], scale: float = 1) -> dict[str, list[float]] | None:
    points = [point for share in shares if (point := _write(share, scale))]
    return {key: [point[key] for point in points] for key in ("value", "low", "high")} if points else None


def _write_lines(shares: Mapping[str, Share]) -> dict[str, str]:
    return {name: f"{share.part} of {share.whole}: {_cell(share)}" for name, share in shares.items()}


def _cell(share: Share | None, scale: float = 1) -> str:
    if share is None:
        return "–"
    value, low, high = (f"{number * scale:.{3 if scale == 1 else 1}f}" for number in (share.share, share.low, share.high))
    return f"{value} ({low}–{high})"


def _folder(variable: str, name: str) -> Path:
    return Path(os.environ.get(variable, REPO.parent / "shared" / name))


def _rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


if __name__ == "__main__":
    main()
