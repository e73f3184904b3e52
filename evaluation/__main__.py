"""Command line: ``python -m evaluation run | report | agreement``."""

import argparse
import sys
from pathlib import Path

from modeling.chat_client import ChatError


def main() -> int:
    """Run a sub-command; an error that the user can fix is printed as one line, with exit status 2."""
    arguments = _parser().parse_args()
    try:
        return int(arguments.command(arguments))
    except (ValueError, FileNotFoundError, ChatError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m evaluation", description=__doc__)
    commands = parser.add_subparsers(required=True)

    run = commands.add_parser("run", help="answer and score a benchmark with one model; continues a run that was cut off")
    run.add_argument(
        "--model", required=True, help="checkpoint folder, Hub id, or http(s) address of an OpenAI-compatible server"
    )
    run.add_argument("--model-name", help="the model's name on the server (only with an address)")
    run.add_argument("--benchmark", default="spinebench", help="folder or Hub id with SpineBench's columns")
    run.add_argument("--output", required=True, type=Path, help="folder of the run")
    run.add_argument("--limit", type=int, help="number of items to answer, in turn from each task and language")
    run.add_argument("--batch-size", type=int, default=1, help="items a batch (local models) or at once (servers)")
    run.add_argument("--max-new-tokens", type=int, default=1024, help="maximum length of a report, in tokens")
    run.add_argument(
        "--scoring", choices=("generate", "likelihood"), help="default: likelihood for local models, generate for servers"
    )
    run.add_argument("--no-images", action="store_true", help="baseline: ask without images, so that the model cannot look")
    run.add_argument(
        "--judge", default="rules", help='"rules" (no LLM), an http(s) address, or a models.yaml with the role "judge"'
    )
    run.add_argument("--judge-name", help="the judge's name on its server (only with an address)")
    run.add_argument("--api-key-env", help="environment variable that holds the key of the servers")
    run.add_argument("--trusted-host", action="append", default=[], help="host inside the hospital that may see hospital items")
    run.add_argument("--restart", action="store_true", help="delete what --output holds of an earlier run")
    run.set_defaults(command=_run)

    report = commands.add_parser("report", help="print the score table of runs and write a page that needs no network")
    report.add_argument(
        "runs", nargs="+", type=Path, metavar="DIR", help="folders of runs, in the order of the table's columns"
    )
    report.add_argument("--data", help="training data set to describe (folder or Hub id)")
    report.add_argument("--benchmark", help="benchmark to describe (folder or Hub id)")
    report.add_argument(
        "--training", nargs="*", type=Path, default=[], metavar="DIR", help="training folders, in the order of the stages"
    )
    report.add_argument("--output", type=Path, help="HTML page to write")
    report.add_argument("--title", default="SpineMed report", help="the page's title")
    report.set_defaults(command=_report)

    agreement = commands.add_parser("agreement", help="measure how well a judge agrees with clinicians, by dimension")
    agreement.add_argument("run", type=Path, metavar="DIR", help="folder of a run with judgements.jsonl")
    agreement.add_argument(
        "--clinicians", required=True, type=Path, help="CSV: id, rater and a column for each dimension (1-5)"
    )
    agreement.set_defaults(command=_agreement)
    return parser


def _run(arguments: argparse.Namespace) -> int:
    from evaluation.run import RunOptions, run

    scores = run(RunOptions(**{name: value for name, value in vars(arguments).items() if name != "command"}))
    from evaluation.leaderboard import format_markdown

    print(format_markdown([(arguments.output.name, scores)]))
    return 0


def _report(arguments: argparse.Namespace) -> int:
    from evaluation.leaderboard import format_markdown, load_runs

    runs = load_runs(arguments.runs)
    print(format_markdown(runs))
    if arguments.output:
        from evaluation.report_page import write_page

        write_page(
            arguments.output, runs, arguments.runs, arguments.title, arguments.data, arguments.benchmark, arguments.training
        )
        print(f"written: {arguments.output}")
    return 0


def _agreement(arguments: argparse.Namespace) -> int:
    from evaluation.agreement import agreement_of_run, format_markdown

    print(format_markdown(agreement_of_run(arguments.run, arguments.clinicians)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
