"""Cross-validate the tagger: leave hands (writers) out of training, and measure strict mode on their notes.

    python benchmarks/deidentification_left_out_hands.py [--rounds N]

Each fold trains without the notes of two writers, one of each language, and measures on them; the weights lie in
runs/deidentification/ and are used again if they are there. A writer's notes have their own kinds of document as well, so a
fold leaves out kinds, too. Rules were developed while looking at en_a and zh_a (SEEN_BY_RULES). Writes
benchmarks/results/deidentification_left_out_hands.json.
"""

import argparse
import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPO), str(Path(__file__).parent)]

from common import write_result  # noqa: E402

from dataset_builders.deidentify.labelled_notes import read_notes  # noqa: E402
from dataset_builders.deidentify.measure import Scores, make_finder, run, score  # noqa: E402
from dataset_builders.deidentify.tagger.train import NOTES, ROUNDS  # noqa: E402

FOLDS = tuple((f"en_{hand}", f"zh_{hand}") for hand in "fcgbdea")
SEEN_BY_RULES = ("en_a", "zh_a")
WEIGHTS = REPO / "runs" / "deidentification"


def main() -> None:
    """Train and measure each fold, print and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--rounds", type=int, default=ROUNDS, help="how often each note is written again (default: %(default)s)"
    )
    parser.add_argument("--folds", type=int, default=len(FOLDS), help="how many of the folds, from the first (default: all)")
    arguments = parser.parse_args()
    WEIGHTS.mkdir(parents=True, exist_ok=True)
    hands, outcomes = {}, []
    for fold in FOLDS[: arguments.folds]:
        weights = WEIGHTS / f"without_{'_'.join(fold)}_{arguments.rounds}.safetensors"
        if not weights.exists():
            options = ["--leave-out", *fold, "--rounds", str(arguments.rounds), "--output", str(weights)]
            subprocess.run([sys.executable, "-m", "dataset_builders.deidentify.tagger.train", *options], cwd=REPO, check=True)
        for hand in fold:
            own = run(read_notes(NOTES / f"{hand}.jsonl"), make_finder(weights=weights))
            hands[hand] = {"seen": "seen by rules" if hand in SEEN_BY_RULES else "left out", **_figures(score(own))}
            outcomes += own
            print(hand, hands[hand])
    write_result(
        "deidentification_left_out_hands",
        {"rounds": arguments.rounds, "all": _figures(score(outcomes)), "hands": hands},
        ("torch", "numpy"),
    )


def _figures(scores: Scores) -> dict[str, list[float]]:
    shares = {
        "recall": scores.recall,
        "recall_direct": scores.direct,
        "leaked": scores.leaked,
        "intact": scores.intact,
        "intact_in_notes_without_identifiers": scores.intact_unidentified,
        "precision": scores.precision,
    }
    return {
        name: [round(value, 4) for value in (share.share, share.low, share.high)] for name, share in shares.items() if share
    }


if __name__ == "__main__":
    main()
