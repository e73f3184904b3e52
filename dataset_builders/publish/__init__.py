"""Publish a built data set on the Hub under a tag: only rows that pass the gate (gates.py), no contaminated benchmark."""

import tempfile
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from huggingface_hub import HfApi

from dataset_builders.document import HOSPITAL_LICENCE, UNKNOWN_LICENCE
from dataset_builders.overlap.contamination_report import check_contamination, write_report
from dataset_builders.publish.gates import REQUIRED, reason_to_withhold
from dataset_builders.publish.release import check_sign_off, log_release
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
    release_hospital: Path | None = None,
    work: Path | None = None,
) -> Counter[str]:
    """Upload ``folder`` to ``repo_id`` and tag it ``revision``; return how many rows were left out, by reason.

    licences           SPDX ids to publish; if empty, all that may be.
    against            corpora that must not overlap a benchmark; by default the spinemed-450k folder beside it.
    release_hospital   a sign-off that lets this build's hospital rows out, too (release.py); logged in ``work``.
    work               work folder of the build, for a sign-off.

    Raises ValueError, naming the report, if ``folder`` is a contaminated benchmark; ValueError if the folder holds links or the
    sign-off does not fit; and FileNotFoundError if there is no corpus to check a benchmark against.
    """
    signed = None
    if release_hospital is not None:
        if work is None:
            raise ValueError("--release-hospital needs --work, the work folder of the build that made the data set")
        signed = check_sign_off(release_hospital, folder, work)
    if is_benchmark(folder):
        refuse_contaminated(folder, against or (folder.resolve().with_name("spinemed-450k"),))
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name) / folder.name
        withheld = copy_publishable(folder, copy, licences, release_hospital=signed is not None)
        if signed is not None and work is not None:
            log_release(signed, repo_id, revision, _count_hospital(copy), work)
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


def copy_publishable(
    folder: Path, copy: Path, licences: Collection[str] = (), *, release_hospital: bool = False
) -> Counter[str]:
    """Copy a data set folder without the rows that may not be published (gates.py); return their number by reason.

    Only Parquet files and the card are copied. Raises ValueError, naming it, for a link anywhere in the folder, and for a
    Parquet file without the columns of provenance.
    """
    if links := sorted(path for path in (folder, *folder.rglob("*")) if path.is_symlink()):
        raise ValueError(f"{links[0]}: a link, which may lead to files that are not this data set's; put the file itself there")
    withheld: Counter[str] = Counter()
    for path in sorted(folder.rglob("*.parquet")):
        table = pq.read_table(path)
        if missing := sorted(set(REQUIRED) - set(table.column_names)):
            raise ValueError(f"{path}: lacks the columns {', '.join(missing)}; build the data set again")
        reasons = _reasons(table, licences, release_hospital)
        withheld.update(reason for reason in reasons if reason is not None)
        target = copy / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        write_table(table.filter(pa.array([reason is None for reason in reasons], pa.bool_())), target)
    card = (folder / "README.md").read_text(encoding="utf-8")
    note = "".join(f"- {count:,} rows: {reason}\n" for reason, count in sorted(withheld.items()))
    if note:
        card += (
            f"\n## Withheld from this release\n\nThe counts above are of the whole build; these rows are not in it:\n\n{note}"
        )
    (copy / "README.md").write_text(card, encoding="utf-8")
    return withheld


def _reasons(table: pa.Table, licences: Collection[str], release_hospital: bool) -> list[str | None]:
    """Why each row may not be published, None if it may; images are looked at a batch at a time."""
    columns = [name for name in (*REQUIRED, "case_id", "images") if name in table.column_names]
    return [
        reason_to_withhold(row, licences, release_hospital)
        for batch in table.select(columns).to_batches(max_chunksize=100)
        for row in batch.to_pylist()
    ]


def _count_hospital(copy: Path) -> int:
    columns = (pq.read_table(path, columns=["source_licence"])["source_licence"] for path in sorted(copy.rglob("*.parquet")))
    return sum(column.to_pylist().count(HOSPITAL_LICENCE) for column in columns)
