"""Publish a built data set on the Hub under a revision tag: only rows whose licence allows it, no contaminated benchmark."""

import tempfile
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from huggingface_hub import HfApi

from dataset_builders.document import HOSPITAL_LICENCE, UNKNOWN_LICENCE
from dataset_builders.overlap.contamination_report import check_contamination, write_report
from dataset_builders.publish.shards import write_table

NEVER_PUBLISHED = (HOSPITAL_LICENCE, UNKNOWN_LICENCE)


def publish(
    folder: Path,
    repo_id: str,
    *,
    revision: str,
    licences: Collection[str] = (),
    private: bool = True,
    against: Sequence[Path] = (),
) -> Counter[str]:
    """Upload ``folder`` to ``repo_id`` and tag it ``revision``; return how many rows were left out, by licence.

    licences  SPDX ids to publish; if empty, all that are known. Rows of hospital and unknown licences are never published.
    against   corpora that must not overlap a benchmark; by default the spinemed-450k folder beside it.

    Raises ValueError, naming the report, if ``folder`` is a contaminated benchmark, and FileNotFoundError if there is no
    corpus to check a benchmark against.
    """
    if is_benchmark(folder):
        refuse_contaminated(folder, against or (folder.resolve().with_name("spinemed-450k"),))
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name) / folder.name
        withheld = copy_publishable(folder, copy, licences)
        api = HfApi()
        api.create_repo(repo_id, repo_type="dataset", private=private, exist_ok=True)
        api.upload_folder(repo_id=repo_id, repo_type="dataset", folder_path=copy, commit_message=f"Release {revision}")
        api.create_tag(repo_id, tag=revision, repo_type="dataset")
    return withheld


def is_benchmark(folder: Path) -> bool:
    """Tell whether a data set folder is a SpineBench, whose rows have rubrics."""
    return any("rubric" in pq.read_schema(path).names for path in sorted(folder.rglob("*.parquet")))


def refuse_contaminated(folder: Path, against: Sequence[Path]) -> None:
    """Raise ValueError if an item of ``folder`` overlaps one of ``against``; write the report beside ``folder``."""
    report = check_contamination(folder, against)
    path = write_report(report, folder.resolve().with_name(f"{folder.resolve().name}-contamination"))
    if report.contaminated:
        items = len(frozenset[str]().union(*(corpus.items for corpus in report.corpora)))
        raise ValueError(f"{folder}: {items:,} items stand in what it is checked against, so nothing was uploaded: see {path}")


def copy_publishable(folder: Path, copy: Path, licences: Collection[str] = ()) -> Counter[str]:
    """Copy a data set folder without the rows that may not be published; return their number by licence."""
    withheld: Counter[str] = Counter()
    for path in sorted(folder.rglob("*.parquet")):
        table = pq.read_table(path)
        column = table["source_licence"].to_pylist()
        keep = [name not in NEVER_PUBLISHED and (not licences or name in licences) for name in column]
        withheld.update(name for name, kept in zip(column, keep, strict=True) if not kept)
        target = copy / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        write_table(table.filter(pa.array(keep, pa.bool_())), target)
    card = (folder / "README.md").read_text(encoding="utf-8")
    note = "".join(f"- {count:,} rows of licence {name}\n" for name, count in sorted(withheld.items()))
    if note:
        card += (
            f"\n## Withheld from this release\n\nThe counts above are of the whole build; these rows are not in it:\n\n{note}"
        )
    (copy / "README.md").write_text(card, encoding="utf-8")
    return withheld
