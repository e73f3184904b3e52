"""Command line of the builders: ``python -m dataset_builders build | fetch | decontaminate | publish | …`` (see --help)."""

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from dataset_builders.deidentify import other_languages
from dataset_builders.deidentify.dates import CHOICES
from dataset_builders.engine.shard_runner import StopRun
from dataset_builders.engine.steps import TIMEOUT
from dataset_builders.engine.store import ImageStore
from dataset_builders.fetch import EUROPE_PMC, Client, Outcome, fetch_articles, fetch_entries, list_entries
from dataset_builders.overlap.contamination_report import check_contamination, write_report
from dataset_builders.pages.ocr import ENGINES, load_settings
from dataset_builders.pipeline import Build, build, step_folder
from dataset_builders.publish import publish
from dataset_builders.publish.release import RELEASES
from dataset_builders.publish.sampling import Sampling
from dataset_builders.publish.stats import count_dataset, format_counts
from dataset_builders.purge import describe_purge, purge
from dataset_builders.review.arguments import add_arguments
from dataset_builders.review.reasons import load_reasons
from dataset_builders.trace import trace

WORK = Path("work")


def main() -> int:
    """Run one command; return 1 if it failed or ``--strict`` found rejects, else 0."""
    arguments = _parser().parse_args()
    try:
        return arguments.run(arguments)
    except (FileNotFoundError, KeyError, ValueError) as error:
        print(f"error: {error.args[0] if error.args else error}", file=sys.stderr)
        return 1
    except StopRun as stop:
        print(stop, file=sys.stderr)
        return 1


def _build(arguments: argparse.Namespace) -> int:
    result = build(
        arguments.sources,
        arguments.work,
        arguments.output,
        generator=arguments.generator,
        max_calls=arguments.max_calls,
        max_cost=arguments.max_cost,
        ocr=load_settings(arguments.ocr, arguments.paddle_models),
        reviews=arguments.reviews,
        ner=arguments.ner,
        dates=arguments.dates,
        other_language=arguments.language_unsupported,
        executor=arguments.executor,
        workers=arguments.workers,
        timeout=arguments.timeout,
        sampling=Sampling(seed=arguments.seed),
    )
    _print_build(result, arguments.work)
    return 1 if arguments.strict and result.unread else 0


def _print_build(result: Build, work: Path) -> None:
    print(f"\n{'step':<12}{'in':>8}{'out':>8}  left out")
    for step in result.steps:
        reasons = ", ".join(f"{reason} {count}" for reason, count in step.dropped.items())
        print(f"{step.step:<12}{step.records_in:>8,}{step.records_out:>8,}  {reasons or '–'}")
    print(f"\nspinemed-450k {result.spinemed.rows:,} rows, spinebench {result.spinebench.rows:,} items")
    print(f"what can be guessed without its image, and what left: {work / 'quality.html'}")
    print(f"residual risk of hospital sources, and what to look at: {work / 'residual_risk.html'}")
    if result.unread:
        print(f"\n{result.unread} files or rows could not be read (every one in {work}/rejects/documents.jsonl):")
        grouped: dict[tuple[str, str], list[dict[str, str]]] = {}
        for line in (work / "rejects" / "documents.jsonl").read_text(encoding="utf-8").splitlines():
            reject = json.loads(line)
            grouped.setdefault((reject["file"], reject["reason"]), []).append(reject)
        for (file, reason), rejects in grouped.items():
            rows = f" ({len(rejects)} times)" if len(rejects) > 1 else ""
            print(f"  {file}: {reason}{rows} – {rejects[0]['detail']}")


def _fetch(arguments: argparse.Namespace) -> int:
    if arguments.list:
        rows = [("id", "kind", "licence", "DOI", "files"), ("europe-pmc", "article", "of each article", "–", "by --query")]
        for row in (*rows, *list_entries()):
            print("{:<28} {:<16} {:<26} {:<28} {}".format(*row))
        return 0
    if not arguments.ids or not arguments.output:
        raise ValueError("give what to fetch (europe-pmc or ids of the catalogue, see --list) and --output DIR")
    if ("europe-pmc" in arguments.ids) != bool(arguments.query):
        raise ValueError("europe-pmc and --query go together: fetch europe-pmc --query 'TITLE:\"spinal stenosis\"'")
    client = Client(interval=arguments.interval, email=arguments.email)
    outcomes = []
    if ids := [id for id in arguments.ids if id != "europe-pmc"]:
        outcomes += fetch_entries(ids, arguments.output, client)
    if arguments.query:
        outcomes += fetch_articles(
            arguments.query,
            arguments.output,
            client,
            address=arguments.address.rstrip("/"),
            limit=arguments.limit,
            all_licences=arguments.all_licences,
        )
    _print_fetch(outcomes, arguments.output)
    return 1 if any(outcome.failed for outcome in outcomes) else 0


def _print_fetch(outcomes: Sequence[Outcome], output: Path) -> None:
    counts = Counter((outcome.status, outcome.reason, outcome.licence or "") for outcome in outcomes)
    files = Counter[tuple[str, str, str]]()
    for outcome in outcomes:
        files[outcome.status, outcome.reason, outcome.licence or ""] += len(outcome.files)
    print(f"\n{'outcome':<14}{'reason':<20}{'licence':<28}{'count':>8}{'files':>8}")
    for row, count in sorted(counts.items()):
        status, reason, licence = row
        print(f"{status:<14}{reason or '–':<20}{licence or '–':<28}{count:>8,}{files[row]:>8,}")
    for outcome in outcomes:
        if outcome.failed:
            print(f"{outcome.id}: {outcome.reason or 'by hand'} – {outcome.detail}")
    print(f"every article and file, with address, SHA-256 and reason: {output / '.fetch' / 'manifest.jsonl'}")


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return int(text)


def _dollars(text: str) -> float:
    try:
        amount = float(text)
    except ValueError:
        amount = 0.0
    if not 0 < amount < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no amount of US dollars above 0")
    return amount


def _stats(arguments: argparse.Namespace) -> int:
    spinemed, spinebench = arguments.spinemed, arguments.spinebench
    columns = {
        Path(spinemed).name: count_dataset(spinemed),
        "its config general": count_dataset(spinemed, "general"),
        Path(spinebench).name: count_dataset(spinebench),
    }
    print(format_counts(columns))
    return 0


def _trace(arguments: argparse.Namespace) -> int:
    print(trace(arguments.id, arguments.work))
    return 0


def _review(arguments: argparse.Namespace) -> int:
    from dataset_builders.review.commands import run_review  # FastAPI and statsmodels: seconds, which no other command needs

    steps = {name: step_folder(arguments.work, name) for name in ("classified", "revised", "split")}
    for line in run_review(arguments, steps, ImageStore(arguments.work / "images"), load_reasons()):
        print(line, flush=True)
    return 0


def _decontaminate(arguments: argparse.Namespace) -> int:
    report = check_contamination(arguments.benchmark, arguments.against, arguments.column)
    path = write_report(report, arguments.output)
    for corpus in report.corpora:
        kinds = ", ".join(f"{kind} {count:,}" for kind, count in corpus.kinds.most_common()) or "nothing found"
        print(f"{corpus.path}: {corpus.rows:,} rows, {len(corpus.items):,} of {report.items:,} items met: {kinds}")
    print(f"{'contaminated' if report.contaminated else 'clean'}: see {path}")
    return 1 if report.contaminated else 0


def _publish(arguments: argparse.Namespace) -> int:
    withheld = publish(
        arguments.folder,
        arguments.repo_id,
        revision=arguments.revision,
        licences=arguments.licences,
        private=not arguments.public,
        against=arguments.against,
        release_hospital=arguments.release_hospital,
        work=arguments.work,
    )
    for reason, count in sorted(withheld.items()):
        print(f"withheld: {count:,} rows: {reason}")
    if arguments.release_hospital:
        print(f"hospital rows were released under {arguments.release_hospital}: see {arguments.work / RELEASES}")
    return 0


def _purge(arguments: argparse.Namespace) -> int:
    print(describe_purge(purge(arguments.work), arguments.work))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m dataset_builders", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("build", help="sources to spinemed-450k/ and spinebench/")
    command.add_argument("--sources", type=Path, required=True, help="folder of books, papers, banks, volumes and cases")
    command.add_argument("--work", type=Path, default=WORK, help="folder of the steps; keep it to resume (default: work)")
    command.add_argument("--output", type=Path, default=Path(), help="where the two data sets go (default: here)")
    command.add_argument("--generator", default="rules", help="rules, or a models.yaml (see models.example.yaml)")
    command.add_argument("--max-calls", type=_positive, help="requests that this run may send to models, all steps together")
    command.add_argument("--max-cost", type=_dollars, help="US dollars that this run may spend, by models.yaml's prices")
    command.add_argument("--ocr", choices=ENGINES, default=ENGINES[0], help="engine that reads page images (default: rapidocr)")
    command.add_argument("--paddle-models", type=Path, metavar="DIR", help="models of --ocr paddle (see pages/paddle.py)")
    command.add_argument("--reviews", type=Path, help="verdicts of clinicians (see: review)")
    command.add_argument("--ner", type=Path, metavar="DIR", help="a transformers name model that masks hospital text too")
    command.add_argument(
        "--language-unsupported",
        choices=other_languages.CHOICES,
        default="refuse",
        help="what becomes of hospital texts that are neither English nor Chinese: refuse (default), or mask, which leaves "
        "nothing but clinical values and words of medicine",
    )
    command.add_argument(
        "--dates",
        choices=CHOICES,
        default="year",
        help="what stays of dates in hospital text: year (default) leaves the year alone, as HIPAA's Safe Harbor allows; shift "
        "moves the full dates of a case by one secret number of days, so that intervals hold. RISK of shift: it is not Safe "
        "Harbor; who knows one true date of a case learns all of them",
    )
    command.add_argument("--executor", choices=("local", "slurm", "ray"), default="local")
    command.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    command.add_argument("--timeout", type=float, default=TIMEOUT, help="seconds a document may take in a step")
    command.add_argument("--seed", type=int, default=0, help="seed of the benchmark's sampling")
    command.add_argument("--strict", action="store_true", help="exit with 1 if anything could not be read")
    command.set_defaults(run=_build)

    command = commands.add_parser("fetch", help="open-access articles by query, and data sets of the catalogue, into a folder")
    command.add_argument("ids", nargs="*", metavar="ID", help="europe-pmc, or ids of the catalogue (see --list)")
    command.add_argument("--list", action="store_true", help="list what can be fetched")
    command.add_argument("--output", type=Path, metavar="DIR", help="a folder for build --sources; keep it to resume")
    command.add_argument("--query", help='query of europe-pmc, in its syntax: TITLE:"spinal stenosis" AND PUB_YEAR:2024')
    command.add_argument("--limit", type=_positive, help="most articles of europe-pmc to keep (default: all it finds)")
    command.add_argument(
        "--all-licences", action="store_true", help="keep articles that may not be published, such as CC BY-NC"
    )
    command.add_argument("--email", help="sent to the servers, so that they can write to you")
    command.add_argument("--interval", type=float, default=0.5, help="seconds between two requests (default: 0.5)")
    command.add_argument("--address", default=EUROPE_PMC, help="address of Europe PMC's web service or of a mirror")
    command.set_defaults(run=_fetch)

    command = commands.add_parser("stats", help="counts by task, language, source, sub-field and level")
    command.add_argument("--spinemed", default="spinemed-450k")
    command.add_argument("--spinebench", default="spinebench")
    command.set_defaults(run=_stats)

    command = commands.add_parser("trace", help="one row's whole lineage")
    command.add_argument("id")
    command.add_argument("--work", type=Path, default=WORK)
    command.set_defaults(run=_trace)

    command = commands.add_parser(
        "review", help="items for clinicians: a page in the browser, agreement, verdicts for build --reviews"
    )
    command.add_argument("--work", type=Path, default=WORK, help="work folder of the build (default: work)")
    add_arguments(command)
    command.set_defaults(run=_review)

    command = commands.add_parser("decontaminate", help="look for benchmark items in corpora; exit with 1 if any is found")
    command.add_argument("benchmark", type=Path, help="a SpineBench folder")
    command.add_argument("--against", type=Path, nargs="+", required=True, help="folders or files: Parquet, Arrow, JSON lines")
    command.add_argument("--column", nargs="+", default=(), help="columns of words or turns, if they are not found by name")
    command.add_argument("--output", type=Path, default=Path("contamination"), help="folder of the report")
    command.set_defaults(run=_decontaminate)

    command = commands.add_parser("purge", help="delete originals and unmasked hospital records from a work folder")
    command.add_argument("--work", type=Path, required=True, help="work folder of a finished build")
    command.set_defaults(run=_purge)

    command = commands.add_parser("publish", help="upload a data set folder to the Hub")
    command.add_argument("folder", type=Path)
    command.add_argument("repo_id")
    command.add_argument("--revision", required=True, help="tag of the release, such as v1.0.0")
    command.add_argument("--licences", nargs="*", default=[], help="SPDX ids to publish (default: every known one)")
    command.add_argument("--public", action="store_true")
    command.add_argument(
        "--against", type=Path, nargs="+", default=(), help="if it is a benchmark: corpora that must hold none of it"
    )
    command.add_argument(
        "--release-hospital",
        type=Path,
        metavar="FILE",
        help="a reviewer's sign-off for this build's hospital rows",
    )
    command.add_argument("--work", type=Path, default=WORK, help="work folder of the build, for --release-hospital")
    command.set_defaults(run=_publish)
    return parser


if __name__ == "__main__":
    sys.exit(main())
