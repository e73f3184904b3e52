"""Let a hospital's own group share its de-identified rows: one explicit sign-off for one build, checked and logged.

    reviewer: Dr. Example Name
    date: 2025-03-01
    data_set: 3f0c…            sha256 that hash_data_set gives for the folder to be published
    residual_risk: 9a1b…       SHA-256 of that build's work/residual_risk.json, which the reviewer has read
    statement: I have read the residual-risk report and the sampled texts and images of this build …

Nothing else lets hospital rows out. A build writes into ``residual_risk.json`` which data sets it made (``data_sets``), so that
a report of another build does not fit.
"""

import datetime
import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml

from dataset_builders.private_files import open_private_file

RELEASES = "releases.jsonl"
STATEMENT = (
    "I have read the residual-risk report and the sampled texts and images of this build, and my institution allows these "
    "de-identified records to be shared."
)
_FIELDS = ("reviewer", "date", "data_set", "residual_risk", "statement")


@dataclass(frozen=True, slots=True)
class SignOff:
    """What the reviewer signed; hashes are SHA-256 in hex digits."""

    reviewer: str
    date: str
    data_set: str
    residual_risk: str
    statement: str


def hash_data_set(folder: Path) -> str:
    """Return the SHA-256 over the names and hashes of a data set's Parquet files, in order."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.parquet")):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{path.relative_to(folder).as_posix()} {content}\n".encode())
    return digest.hexdigest()


def check_sign_off(file: Path, folder: Path, work: Path) -> SignOff:
    """Read a sign-off and check it against the data set in ``folder`` and the residual-risk report of its build in ``work``.

    Raises ValueError, naming the field and what to do, if it is incomplete or of another data set, build or report.
    """
    fields = yaml.safe_load(file.read_text(encoding="utf-8"))
    if not isinstance(fields, dict) or set(fields) != set(_FIELDS):
        raise ValueError(f"{file}: a sign-off has exactly the fields {', '.join(_FIELDS)}")
    signed = SignOff(**{name: str(value).strip() for name, value in fields.items()})
    if not re.search(r"[^\W\d_]{2,}", signed.reviewer):
        raise ValueError(f"{file}: reviewer is the name of the person who answers for the release")
    if signed.statement != STATEMENT:
        raise ValueError(f"{file}: statement is, word for word: {STATEMENT}")
    report = work / "residual_risk.json"
    if not report.is_file():
        raise ValueError(f"{report} is not there: give --work of the build that made {folder}")
    if signed.residual_risk != hashlib.sha256(report.read_bytes()).hexdigest():
        raise ValueError(f"{file}: residual_risk is not the SHA-256 of {report}; read that report and sign anew")
    data_set = hash_data_set(folder)
    if signed.data_set != data_set:
        raise ValueError(f"{file}: data_set is of another version; that of {folder} is {data_set}")
    if data_set not in json.loads(report.read_text(encoding="utf-8")).get("data_sets", {}).values():
        raise ValueError(f"{report}: is of another build than {folder}; build again, then read the report and sign")
    try:
        day = datetime.date.fromisoformat(signed.date)
    except ValueError:
        raise ValueError(f"{file}: date is a day as 2025-03-01") from None
    if day > datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=1):
        raise ValueError(f"{file}: date is in the future")
    return signed


def log_release(signed: SignOff, repo_id: str, revision: str, rows: int, work: Path) -> Path:
    """Add a line about a release to ``work/releases.jsonl`` (owner only): who, what, where to, when and how many rows."""
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    line = {"time": now, "repo_id": repo_id, "revision": revision, "hospital_rows": rows, **asdict(signed)}
    path = work / RELEASES
    with open_private_file(path, "ab") as file:
        file.write((json.dumps(line, ensure_ascii=False) + "\n").encode())
    return path
