"""The command ``review``: plan a review, serve its page, take decisions out and in, report.

review plan      choose items, deal them to reviewers, make their tokens
review           serve the page (and plan first, if there is no plan)
review report    progress, agreement, reasons by prompt version
review export    verdicts for build --reviews (default), csv or label_studio
review import    decisions made elsewhere: CSV, or Label Studio's JSON
review token     a new token for a reviewer who lost theirs
review carry     keep those verdicts of an older build's file that still fit
review items     items as JSON lines, to be filled in by hand
"""

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path

from dataset_builders.document import Document
from dataset_builders.engine.shards import read_records
from dataset_builders.engine.steps import read_manifest
from dataset_builders.engine.store import ImageStore
from dataset_builders.item import Item
from dataset_builders.review.assignment import choose_items, make_reviewers
from dataset_builders.review.decisions import STAGES, DecisionLog, effective, read_decisions
from dataset_builders.review.desk import Desk
from dataset_builders.review.exchange import final_verdicts, read_csv, read_label_studio, write_csv, write_label_studio
from dataset_builders.review.folder import Study, create_study, is_private, open_study, renew_token, slices_of
from dataset_builders.review.images import ScaledImages
from dataset_builders.review.reasons import Reason
from dataset_builders.review.refusals import Refused
from dataset_builders.review.server import check_address, serve
from dataset_builders.review.sessions import Sessions
from dataset_builders.review.verdicts import export_items, find_misfits, load_verdicts, write_verdicts


def run_review(
    arguments: argparse.Namespace, steps: Mapping[str, Path], store: ImageStore, reasons: Mapping[str, Reason]
) -> Iterator[str]:
    """Do one action; yield lines for the user.

    steps   folders of the build's steps "classified", "revised" and "split".

    Raises FileNotFoundError, KeyError or ValueError, saying what to do.
    """
    folder = arguments.folder or arguments.work / "review"
    if arguments.action == "items":
        path = arguments.output or Path("review.jsonl")
        count = export_items(_read_items(steps), path)
        yield f"{count:,} items in {path}; fill in review_status, review_group, reviewed_at, then build with --reviews"
        return
    if arguments.action == "carry":
        yield from _carry(_file_of(arguments), arguments.output, steps, reasons)
        return
    if arguments.action == "plan" or (arguments.action == "serve" and not (folder / "plan.json").exists()):
        yield from _plan(arguments, folder, steps)
        if arguments.action == "plan":
            return
    study = open_study(folder)
    if arguments.action == "token":
        if not arguments.argument:
            raise ValueError("review token R01: say whose")
        yield f"{arguments.argument}: {renew_token(folder, arguments.argument)} (shown once; the old one no longer works)"
    elif arguments.action == "serve":
        yield from _serve(arguments, study, store, reasons)
    elif arguments.action == "report":
        from dataset_builders.review.report import gather_results, write_report  # statsmodels: seconds, which serving needs not

        paths = write_report(gather_results(study, read_decisions(study.log), reasons), reasons, arguments.output or folder)
        yield from map(str, paths)
    elif arguments.action == "export":
        yield _export(arguments, study, store, reasons)
    else:
        yield _import(arguments, study, reasons)


def _plan(arguments: argparse.Namespace, folder: Path, steps: Mapping[str, Path]) -> Iterator[str]:
    items = _read_items(steps)
    if arguments.split != "all":
        sides = {record["id"]: record["split"] for record in read_records(steps["split"])}
        items = (item for item in items if sides.get(item.id) == arguments.split)
    if arguments.without_hospital:
        items = (item for item in items if not is_private(item))
    chosen = choose_items(items, arguments.items, arguments.seed)
    reviewers = make_reviewers(arguments.reviewers, arguments.groups)
    slices = slices_of(chosen, map(Document.from_dict, read_records(steps["classified"])))
    data_set = read_manifest(steps["revised"]).output_sha256
    create_study(folder, chosen, slices, reviewers, data_set=data_set, overlap=arguments.overlap, seed=arguments.seed)
    study = open_study(folder)
    twice = sum(len(raters) > 1 for raters in study.raters.values())
    yield f"{len(chosen):,} items for {len(reviewers)} reviewers in {arguments.groups} groups, {twice:,} rated twice"
    yield f"tokens to hand out, one to each reviewer: {folder / 'tokens.csv'}"
    if twice and None in study.checkers.values():
        yield "with two reviewers nobody is left to decide between them: such items will stay open"


def _serve(arguments: argparse.Namespace, study: Study, store: ImageStore, reasons: Mapping[str, Reason]) -> Iterator[str]:
    desk = Desk(study, DecisionLog(study.log), reasons)
    check_address(desk, arguments.host, arguments.certificate, arguments.key)
    scheme = "https" if arguments.certificate else "http"
    yield f"{scheme}://{arguments.host}:{arguments.port}/ (tokens: {study.folder / 'tokens.csv'}; Ctrl+C ends)"
    images = ScaledImages(store, study.folder / "scaled")
    where = {"host": arguments.host, "port": arguments.port, "certificate": arguments.certificate, "key": arguments.key}
    serve(desk, Sessions(study.folder), images, **where)


def _export(arguments: argparse.Namespace, study: Study, store: ImageStore, reasons: Mapping[str, Reason]) -> str:
    decisions = read_decisions(study.log)
    if arguments.format == "csv":
        path = arguments.output or study.folder / "decisions.csv"
        return f"{write_csv(effective(decisions), path):,} decisions in {path}"
    if arguments.format == "label_studio":
        path = arguments.output or study.folder / "label_studio"
        images = ScaledImages(store, study.folder / "scaled")
        private = not arguments.without_hospital
        count = write_label_studio(study, effective(decisions), reasons, images, path, private=private)
        return f"{count:,} tasks in {path}" + (f", {study.private_items:,} of hospital cases" if private else "")
    path = arguments.output or study.folder / "verdicts.jsonl"
    count = write_verdicts(final_verdicts(study, decisions, reasons), path)
    left = len(study.items) - count
    return f"{count:,} verdicts in {path}, {left:,} items are not decided yet; next: build --reviews {path}"


def _import(arguments: argparse.Namespace, study: Study, reasons: Mapping[str, Reason]) -> str:
    path = _file_of(arguments)
    if path.suffix == ".csv":
        judged = read_csv(path)
    else:
        people = dict(pair.split("=", 1) for pair in arguments.people if "=" in pair)
        judged = read_label_studio(path, people)
    unknown = [stage for _, judgement in judged if (stage := judgement.stage) not in STAGES]
    if unknown:
        raise ValueError(f"{path}: stage {unknown[0]!r}; choose from {', '.join(STAGES)}")
    judged.sort(key=lambda pair: STAGES.index(pair[1].stage))
    log = DecisionLog(study.log)
    try:
        before = len(log.decisions)
        Desk(study, log, reasons).record_all(judged)
        taken = len(log.decisions) - before
        return f"{taken:,} decisions taken in, {len(judged) - taken:,} were there already"
    except Refused as error:
        raise ValueError(f"{path}: {error.name}: {error}; nothing was taken in") from error
    finally:
        log.close()


def _carry(path: Path, output: Path | None, steps: Mapping[str, Path], reasons: Mapping[str, Reason]) -> Iterator[str]:
    verdicts = load_verdicts(path, reasons)
    misfits = find_misfits(_read_items(steps), verdicts)
    target = output or path.with_suffix(".carried.jsonl")
    left_out = target.with_suffix(".left_out.jsonl")
    kept = write_verdicts((verdict for id, verdict in verdicts.items() if id not in misfits), target)
    write_verdicts((verdicts[id] for id in misfits), left_out)
    yield f"{kept:,} verdicts fit this build: {target}"
    yield f"{len(misfits):,} do not: {left_out}"
    for why in sorted(set(misfits.values()))[:5]:
        yield f"  {sum(reason == why for reason in misfits.values()):,} {why}"


def _read_items(steps: Mapping[str, Path]) -> Iterator[Item]:
    """Yield the items as they were before any verdict, so that a build with --reviews does not change what is reviewed."""
    if not (steps["revised"] / "manifest.json").exists():
        raise FileNotFoundError(f"{steps['revised']}: not built yet; give --work of a finished build")
    return map(Item.from_dict, read_records(steps["revised"]))


def _file_of(arguments: argparse.Namespace) -> Path:
    if not arguments.argument:
        raise ValueError(f"review {arguments.action} FILE: say which")
    path = Path(arguments.argument)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    return path
