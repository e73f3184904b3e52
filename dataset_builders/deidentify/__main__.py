"""Command line of de-identification: score it on your own labelled notes.

    python -m dataset_builders.deidentify measure NOTES.jsonl [--mode strict|standard] [--ner DIR] [--threshold T] [--misses]

NOTES.jsonl has a note a row, its identifiers marked in the text:

    {"id": "1", "language": "en", "genre": "letter", "marked": "Dr {NAME|Quill} saw her on {DATE|3 May}: {|L4/5} is narrow."}

labelled_notes.py has the whole format; programs may give offsets instead of marks. To mark a sample, draw notes at random,
some of every kind of document (100 notes give intervals that say something). Let two people mark each note without seeing
the other's marks or any program's, and settle where they differ. "{|words}" marks medicine that must stay. Include notes that
name nobody. The notes are read on this machine and go nowhere; nothing is written.
"""

import argparse
import sys
from pathlib import Path

from dataset_builders.deidentify.labelled_notes import read_notes
from dataset_builders.deidentify.measure import format_scores, list_misses, make_finder, run, score
from dataset_builders.deidentify.tagger import THRESHOLD, WEIGHTS


def main() -> int:
    """Run one command; return 1 if it failed, else 0."""
    arguments = _parser().parse_args()
    try:
        return arguments.run(arguments)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _measure(arguments: argparse.Namespace) -> int:
    notes = read_notes(arguments.notes)
    names = None
    if arguments.ner:
        from dataset_builders.deidentify.presidio import load_name_model  # imports spaCy and torch, which is slow

        names = load_name_model(arguments.ner)
    outcomes = run(notes, make_finder(arguments.mode, names, arguments.threshold, arguments.weights))
    scores = score(outcomes)
    beside = f" and {arguments.ner}" if arguments.ner else ""
    counts = f"{scores.notes:,} notes, {scores.unidentified:,} without identifiers"
    print(f"{arguments.notes}: {counts}; {arguments.mode} mode{beside}\n")
    print(format_scores(scores))
    if scores.recall is None:
        print("\nNo identifier is marked in these notes: they show what is masked for nothing, and nothing of what is missed.")
    if arguments.misses:
        print("\nWhat was missed, in the words of the notes. It is on this screen alone; no file holds it. Do not redirect it.")
        for line in list_misses(outcomes):
            print(line)
    elif scores.recall and scores.recall.part < scores.recall.whole:
        print(f"\n{scores.recall.whole - scores.recall.part:,} missed; --misses shows them, in the words of the notes.")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m dataset_builders.deidentify", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("measure", help="score masking on labelled notes")
    command.add_argument("notes", type=Path, metavar="NOTES.jsonl", help="labelled notes (see labelled_notes.py)")
    command.add_argument(
        "--mode", choices=("strict", "standard"), default="strict", help="default: strict, as for hospital cases"
    )
    command.add_argument(
        "--ner", type=Path, metavar="DIR", help="a transformers name model that masks, too (docs/deidentification.md)"
    )
    command.add_argument("--threshold", type=float, default=THRESHOLD, help="the tagger's, 0 to 1 (default: %(default)s)")
    command.add_argument(
        "--weights", type=Path, default=WEIGHTS, help="of a tagger trained on notes of your own (tagger.train)"
    )
    command.add_argument(
        "--misses", action="store_true", help="show each missed identifier with its surroundings, on the screen"
    )
    command.set_defaults(run=_measure)
    return parser


if __name__ == "__main__":
    sys.exit(main())
