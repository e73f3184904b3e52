"""Trace a row's whole lineage, from the published item back to the file, page and words it was made from."""

import json
from collections.abc import Callable, Iterator
from difflib import unified_diff
from pathlib import Path
from typing import Any

from dataset_builders.document import Document
from dataset_builders.engine.shards import read_records, read_rejects
from dataset_builders.engine.steps import read_manifest
from dataset_builders.item import Item
from dataset_builders.pipeline import STEPS, step_folder


def trace(identifier: str, work: Path) -> str:
    """Describe the lineage of an item for people to read: source, extraction, cleaning, draft, revision, review and split.

    identifier   the item's id.
    work         the work folder of the build.

    Raises KeyError if no step of the build in ``work`` holds the item.
    """
    drafted = _find_item(identifier, work, "drafts")
    revised = _find_item(identifier, work, "revised")
    reviewed = _find_item(identifier, work, "reviewed")
    item = reviewed or revised or drafted
    if item is None:
        raise KeyError(f"{identifier}: not in the build in {work}; is --work the folder it was built in?")
    lines = [f"{identifier}", *_source(item, work), *_figure(item, work), *_generation(item, drafted, revised)]
    lines += _review(item)
    lines += _steps(work)
    lines += _fate(identifier, work)
    return "\n".join(lines)


def _source(item: Item, work: Path) -> Iterator[str]:
    source = item.provenance
    document = _find_document(source.source_id, work, "documents")
    yield "source"
    yield f"  file      {_path(document.file, work) if document else '(not in this work folder)'}"
    for label, value in (
        ("where", source.source_locator),
        ("id", source.source_id),
        ("kind", source.source_kind),
        ("title", source.source_title),
        ("doi", source.source_doi),
        ("url", source.source_url),
        ("licence", source.source_licence),
        ("sha256", source.source_sha256),
        ("case", source.case_id),
    ):
        yield f"  {label:<9} {value if value is not None else '–'}"


def _path(name: str, work: Path) -> str:
    """Return the path of a source file; only the step "files" has that of a hospital's, other records its keyed name."""
    return next((r["file"] for r in read_records(step_folder(work, "files")) if name in (r["name"], r["file"])), name)


def _figure(item: Item, work: Path) -> Iterator[str]:
    document = _find_document(item.provenance.source_id, work, "classified")
    shown = set(item.images)
    for figure in document.figures if document else ():
        if figure.image_sha256 in shown or (item.figure and figure.label == item.figure):
            yield f"figure {figure.label or figure.locator}"
            yield f"  where     {figure.locator}"
            yield f"  image   {figure.image_sha256 or '(none)'} ({figure.image_modality or 'kind unknown'})"
            yield f"  levels    {', '.join((*figure.levels, *figure.discs)) or '–'}"
            yield f"  caption   {figure.caption or '–'}"
            if figure.agreement is not None:
                yield f"  agreement {figure.agreement:.2f} (caption with context)"
    for number, paragraph in enumerate(item.context, 1):
        yield f"context {number}"
        yield f"  {paragraph}"


def _generation(item: Item, drafted: Item | None, revised: Item | None) -> Iterator[str]:
    generation = item.generation
    yield "draft"
    yield f"  by        {generation.draft_model}, prompt {generation.prompt_id} ({generation.prompt_sha256[:12]})"
    yield f"  call      {generation.generation_id}"
    yield from _words(drafted)
    yield "revision"
    if revised is None:
        yield "  rejected  see below"
        return
    yield f"  by        {revised.generation.revise_model}"
    yield f"  checks    {', '.join(revised.generation.checks) or '–'}"
    yield from _verdicts(revised)
    if drafted and written_out(drafted) == written_out(revised):
        yield "  words     unchanged"
        return
    yield from _words(revised)
    if drafted:
        yield "  changes"
        yield from (f"    {line}" for line in difference(drafted, revised))


def difference(drafted: Item, revised: Item) -> list[str]:
    """Return the lines that the revision took out ("- …") and put in ("+ …"), each change with a line around it."""
    lines = unified_diff(written_out(drafted), written_out(revised), n=1, lineterm="")
    return [line if line[0] == "@" else f"{line[0]} {line[1:]}" for line in lines if not line.startswith(("---", "+++"))]


def written_out(item: Item) -> list[str]:
    """Return all that a reader of the item sees or is scored by, line by line, with what it quotes."""
    turns = [f"{message.role}: {line}" for message in item.messages for line in message.text.splitlines() or [""]]
    rubric = [f"rubric {criterion.dimension}: {criterion.criterion}" for criterion in item.rubric]
    return [*turns, f"answer: {item.answer}", f"axis: {item.axis}", *rubric, *(f"quote: {quote}" for quote in item.quotes)]


def _verdicts(item: Item) -> Iterator[str]:
    revision = item.generation.revision
    if revision is None:
        return
    yield f"  prompt    {revision.prompt_id} ({revision.prompt_sha256[:12]})"
    yield f"  call      {revision.generation_id}"
    yield f"  verdict   {revision.decision}{f': {revision.reason}' if revision.reason else ''}"
    for verdict in revision.verdicts:
        met = {True: "met", False: "not met", None: "does not apply"}[verdict.met]
        yield f"    {verdict.criterion:<28} {met}{f': {verdict.why}' if verdict.why else ''}"
    yield "  reasoning"
    yield from (f"    {line}" for line in revision.reasoning.splitlines())


def _words(item: Item | None) -> Iterator[str]:
    for message in item.messages if item else ():
        images = f" [{len(message.images)} images]" if message.images else ""
        first, *rest = message.text.splitlines() or [""]
        yield f"  {message.role:<9} {first}{images}"
        yield from (f"            {line}" for line in rest)
    if item and item.answer:
        yield f"  answer    {item.answer.splitlines()[0]}"


def _review(item: Item) -> Iterator[str]:
    yield "review"
    yield f"  status    {item.review.review_status}"
    if item.review.review_group:
        yield f"  by        group {item.review.review_group}, {item.review.reviewed_at}: {item.review.review_verdict or '–'}"


def _steps(work: Path) -> Iterator[str]:
    yield "steps"
    for name in STEPS[1:]:
        if (step_folder(work, name) / "manifest.json").exists():
            yield f"  {name:<11}version {read_manifest(step_folder(work, name)).version}"


def _fate(identifier: str, work: Path) -> Iterator[str]:
    yield "published"
    for record in read_records(step_folder(work, "split")):
        if record["id"] == identifier:
            yield f"  in        {'spinebench' if record['split'] == 'benchmark' else 'spinemed-450k'}"
            return
    for name in ("revised", "reviewed", "split"):
        for reject in read_rejects(step_folder(work, name)):
            if reject.where == identifier:
                yield f"  no        left out at {name}: {reject.reason} {reject.detail}".rstrip()
                return
    yield "  no        the build has not come that far"


def _find_item(identifier: str, work: Path, step: str) -> Item | None:
    record = _find(lambda record: record["id"] == identifier, identifier, work, step)
    return Item.from_dict(record) if record else None


def _find_document(source_id: str, work: Path, step: str) -> Document | None:
    record = _find(lambda record: record["provenance"]["source_id"] == source_id, source_id, work, step)
    return Document.from_dict(record) if record else None


def _find(matches: Callable[[dict[str, Any]], bool], text: str, work: Path, step: str) -> dict[str, Any] | None:
    """Return the first record that matches, None if there is none; lines without ``text`` are not parsed."""
    quoted = json.dumps(text, ensure_ascii=False)
    for path in sorted(step_folder(work, step).glob("[0-9]*.jsonl")):
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                if quoted in line and matches(record := json.loads(line)):
                    return record
    return None
