"""Measure de-identification: recall and precision by category on the labelled notes and on snippets of our own, traps left
intact, and speed, compared with stock Presidio and Presidio with our recognisers.

    python benchmarks/deidentification.py       # SPINEMED_GOLD, SPINEMED_AUTHORED and SPINEMED_SOURCES say where the texts are

"authored" are notes that no rule was written or changed for; the rules were developed while looking at all other sets.
A note leaks if any of its identifiers is not found.

Prints and writes benchmarks/results/deidentification.json. An identifier is found if all its characters (except spaces)
are masked, whatever the category; precision is the share of masked characters (except spaces) that are labelled; a trap is a
level, grade, dose, score or eponym, and intact if no character of it is masked. Stock Presidio runs its pattern recognisers
on spaCy's blank models: a name model is not bundled with it.
"""

import json
import os
import re
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPO), str(Path(__file__).parent)]

import yaml  # noqa: E402
from common import write_result  # noqa: E402

from dataset_builders.deidentify import deidentify_text  # noqa: E402
from dataset_builders.deidentify.identifiers import Span  # noqa: E402
from dataset_builders.language import detect_language  # noqa: E402

# Direct identifiers (whom, where to reach, which number) in the notes' own types, and in the names of the other two sets.
DIRECT = frozenset(
    [
        "NAME",
        "PHONE",
        "FAX",
        "EMAIL",
        "SSN",
        "MRN",
        "PLAN",
        "ACCOUNT",
        "LICENSE",
        "VEHICLE",
        "DEVICE",
        "GEO",
        "OTHER_ID",
        "URL",
        "IP",
    ]
)
DIRECT_PRESIDIO = frozenset(
    [
        "PERSON",
        "PHONE_NUMBER",
        "EMAIL_ADDRESS",
        "CREDIT_CARD",
        "IBAN_CODE",
        "US_SSN",
        "US_DRIVER_LICENSE",
        "IP_ADDRESS",
        "STREET_ADDRESS",
        "ZIP_CODE",
    ]
)
DATA = Path(__file__).parent / "data"
SNIPPETS = [DATA / name for name in ("identifier_snippets.yaml", "identifier_snippets_second.yaml")]
_MARKED = re.compile(r"\{(?P<type>[A-Z0-9_]*)\|(?P<words>[^{}]*)\}")
ROUNDS = 3  # timed passes, of which the median counts

Finder = Callable[[str, str], Iterable[tuple[int, int]]]
Label = tuple[int, int, str]
Row = tuple[str, str, list[Label], list[Label]]


def main() -> None:
    """Measure, print and write the result."""
    shared = REPO.parent / "shared"
    gold = Path(os.environ.get("SPINEMED_GOLD", shared / "gold")) / "deid"
    sources = Path(os.environ.get("SPINEMED_SOURCES", shared / "sources"))
    authored = Path(os.environ.get("SPINEMED_AUTHORED", shared / "authored")) / "deid"
    unseen = {path.stem: load_authored(path) for path in sorted(authored.glob("*.jsonl"))}
    notes = load_notes(gold)
    presidio = load_presidio(gold / "presidio_synth_even_templates.json")
    mixed = load_mixed(gold / "zh_tw_en_phi_dev.jsonl")
    snippets = [load_snippets(path) for path in SNIPPETS]
    figures: dict = {}
    finders = {
        "strict": finder("strict"),
        "standard": finder("standard"),
        "presidio_with_our_recognizers": presidio_with_ours(),
        "stock_presidio": stock_presidio(),
    }
    for name, find in finders.items():
        figures[name] = {
            "authored": score([row for rows in unseen.values() for row in rows], find, DIRECT),
            **{f"authored_{hand}": score(rows, find, DIRECT) for hand, rows in unseen.items()},
            "notes": score(notes, find, DIRECT),
            "notes_en": score([row for row in notes if row[1] == "en"], find, DIRECT),
            "notes_zh": score([row for row in notes if row[1] == "zh"], find, DIRECT),
            "presidio_synthetic": score(presidio, find, DIRECT_PRESIDIO),
            "mixed_zh_en": score(mixed, find, DIRECT),
            "own_snippets": score(snippets[0], find, DIRECT),
            "own_snippets_second": score(snippets[1], find, DIRECT),
            "speed": speed([(row[0], row[1]) for row in notes], find),
        }
    reports = sources / "hospital" / "lumbar_mri_radiologist_notes.jsonl"
    texts = [json.loads(line)["note"] or "" for line in reports.read_text(encoding="utf-8").splitlines()]
    figures["radiologist_notes"] = altered([text for text in texts if text.strip()])
    write_result("deidentification", figures, ("presidio-analyzer", "rjieba", "symspellpy", "Faker"))


def finder(mode: str) -> Finder:
    """Return a function that runs deidentify_text in one mode."""
    return lambda text, language: [(span.start, span.end) for span in deidentify_text(text, language, mode).spans]


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


def load_notes(gold: Path) -> list[Row]:
    """Load the notes: text, language, labelled identifiers, labelled traps."""
    traps = {row["id"]: row["traps"] for row in read_lines(gold / "notes_dev.traps.jsonl")}
    return [
        (
            row["text"],
            row["language"],
            [(span["start"], span["end"], span["type"]) for span in row["spans"]],
            [(trap["start"], trap["end"], trap["kind"]) for trap in traps[row["id"]]],
        )
        for row in read_lines(gold / "notes_dev.jsonl")
    ]


def load_authored(path: Path) -> list[Row]:
    """Load notes whose traps stand in the row."""
    return [
        (
            row["text"],
            row["language"],
            [(span["start"], span["end"], span["type"]) for span in row["spans"]],
            [(trap["start"], trap["end"], trap["kind"]) for trap in row["traps"]],
        )
        for row in read_lines(path)
    ]


def load_presidio(path: Path) -> list[Row]:
    """Load Presidio's synthetic sentences."""
    rows = json.loads(path.read_text(encoding="utf-8"))
    return [
        (r["full_text"], "en", [(s["start_position"], s["end_position"], s["entity_type"]) for s in r["spans"]], [])
        for r in rows
    ]


def load_mixed(path: Path) -> list[Row]:
    """Load notes that mix traditional Chinese and English."""
    return [
        (row["text"], detect_language(row["text"]), [(s["start"], s["end"], s["type"]) for s in row["spans"]], [])
        for row in read_lines(path)
    ]


def load_snippets(path: Path) -> list[Row]:
    """Load our own snippets: "{TYPE|words}" is an identifier, "{|words}" a trap."""
    rows: list[Row] = []
    for language, texts in yaml.safe_load(path.read_text(encoding="utf-8")).items():
        for marked in texts:
            text, position = "", 0
            labels: list[Label] = []
            traps: list[Label] = []
            for match in _MARKED.finditer(marked):
                text += marked[position : match.start()] + match["words"]
                (labels if match["type"] else traps).append(
                    (len(text) - len(match["words"]), len(text), match["type"] or "trap")
                )
                position = match.end()
            rows.append((text + marked[position:], language, labels, traps))
    return rows


def read_lines(path: Path) -> list[dict]:
    """Read the rows of a JSON-lines file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


def score(rows: list[Row], find: Finder, direct: frozenset[str]) -> dict:
    """Compute recall (over all labels, over direct ones, by type), precision by characters, and the share of traps intact."""
    found, labelled, intact, trapped = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    masked = right = leaked = 0
    for text, language, labels, traps in rows:
        covered = {index for start, end in find(text, language) for index in range(start, end) if not text[index].isspace()}
        truth: set[int] = set()
        for start, end, kind in labels:
            inside = {index for index in range(start, end) if not text[index].isspace()}
            labelled[kind] += 1
            found[kind] += inside <= covered
            truth |= inside
        leaked += not truth <= covered
        for start, end, kind in traps:
            trapped[kind] += 1
            intact[kind] += covered.isdisjoint(range(start, end))
        masked += len(covered)
        right += len(covered & truth)
    of_direct = [kind for kind in labelled if kind in direct]
    result = {
        "texts": len(rows),
        "identifiers": labelled.total(),
        "texts_that_leak": leaked,
        "recall": ratio(found.total(), labelled.total()),
        "recall_direct": ratio(sum(found[kind] for kind in of_direct), sum(labelled[kind] for kind in of_direct)),
        "precision_characters": ratio(right, masked),
        "recall_by_type": {kind: [found[kind], labelled[kind]] for kind in sorted(labelled)},
    }
    if trapped:
        result["traps_intact"] = ratio(intact.total(), trapped.total())
        result["traps_intact_by_kind"] = {kind: [intact[kind], trapped[kind]] for kind in sorted(trapped)}
    return result


def ratio(part: int, whole: int) -> float | None:
    """Return ``part`` / ``whole`` to four places; None if ``whole`` is 0."""
    return round(part / whole, 4) if whole else None


def speed(texts: list[tuple[str, str]], find: Finder) -> dict:
    """Measure texts a second of processor time on one core, after one unmeasured pass."""
    for text, language in texts:
        find(text, language)
    seconds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        for text, language in texts:
            find(text, language)
        seconds.append(time.process_time() - start)
    characters = sum(len(text) for text, _ in texts)
    median = statistics.median(seconds)
    return {
        "texts_per_second": round(len(texts) / median, 1),
        "milliseconds_per_1000_characters": round(1e6 * median / characters, 2),
    }


def altered(texts: list[str]) -> dict:
    """Report what strict mode masks in radiologists' reports that name nobody."""
    words = Counter[str]()
    touched = 0
    for text in texts:
        spans: tuple[Span, ...] = deidentify_text(text, "en", "strict").spans
        touched += bool(spans)
        words.update(span.category for span in spans)
    return {"reports": len(texts), "reports_with_masks": touched, "masked_by_category": dict(sorted(words.items()))}


if __name__ == "__main__":
    main()
