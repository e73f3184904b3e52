"""The sign-off that lets a hospital's rows out: of one reviewer, one data set and one report, or not at all."""

import datetime
import hashlib
import json

import pyarrow.parquet as pq
import pytest
import yaml

from dataset_builders import publish
from dataset_builders.publish.release import STATEMENT, check_sign_off, hash_data_set
from dataset_builders.publish.spinemed_450k import build_spinemed
from tests.support.data_sets import FACTS
from tests.support.items import make_item


@pytest.fixture
def release(tmp_path, store):
    """A data set with one hospital row and one of a book, the report of its build, and a sign-off that fits."""
    hospital = make_item("h", source="hospital:3f", kind="hospital_case", case="hospital:9a").to_dict()
    hospital["provenance"]["source_licence"] = "LicenseRef-Hospital"
    items = [make_item("b"), type(make_item("b")).from_dict(hospital)]
    folder, work = tmp_path / "spinemed-450k", tmp_path / "work"
    work.mkdir()
    build_spinemed(lambda: iter(items), store, folder, FACTS)
    (work / "residual_risk.json").write_text(json.dumps({"data_sets": {"spinemed-450k": hash_data_set(folder)}}))
    fields = {
        "reviewer": "Dr. Ada Example",
        "date": datetime.date(2025, 3, 1),
        "data_set": hash_data_set(folder),
        "residual_risk": hashlib.sha256((work / "residual_risk.json").read_bytes()).hexdigest(),
        "statement": STATEMENT,
    }
    return folder, work, fields, tmp_path / "sign_off.yaml"


def check(release, **changes):
    folder, work, fields, file = release
    file.write_text(yaml.safe_dump({**fields, **changes}))
    return check_sign_off(file, folder, work)


def test_a_sign_off_that_fits_is_read(release):
    assert check(release).reviewer == "Dr. Ada Example"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reviewer": " "}, "reviewer"),
        ({"reviewer": None, "more": 1}, "exactly the fields"),
        ({"statement": "ok"}, "word for word"),
        ({"data_set": "0" * 64}, "of another version"),
        ({"residual_risk": "0" * 64}, "residual_risk is not the SHA-256"),
        ({"date": "soon"}, "date is a day"),
        ({"date": "2999-01-01"}, "in the future"),
    ],
)
def test_anything_that_does_not_fit_is_refused_and_named(release, changes, message):
    with pytest.raises(ValueError, match=message):
        check(release, **changes)


def test_the_report_of_another_build_does_not_fit(release):
    work = release[1]
    (work / "residual_risk.json").write_text(json.dumps({"data_sets": {"spinemed-450k": "0" * 64}}))
    digest = hashlib.sha256((work / "residual_risk.json").read_bytes()).hexdigest()
    with pytest.raises(ValueError, match="is of another build"):
        check(release, residual_risk=digest)


def test_hospital_rows_leave_under_a_sign_off_only_and_it_is_logged(release, monkeypatch):
    folder, work, fields, file = release
    file.write_text(yaml.safe_dump(fields))
    uploaded = []

    class Hub:
        create_repo = create_tag = staticmethod(lambda *args, **options: None)

        @staticmethod
        def upload_folder(*, folder_path, **options):
            paths = sorted(folder_path.rglob("*.parquet"))
            uploaded.append(sorted(name for path in paths for name in pq.read_table(path)["id"].to_pylist()))

    monkeypatch.setattr(publish, "HfApi", Hub)
    assert publish.publish(folder, "org/a", revision="v1", work=work) == {"source_kind hospital_case": 1}
    assert not (work / "releases.jsonl").exists()
    assert not publish.publish(folder, "org/a", revision="v2", work=work, release_hospital=file)
    assert uploaded == [["b"], ["b", "h"]]
    (line,) = (work / "releases.jsonl").read_text().splitlines()
    logged = json.loads(line)
    assert (logged["reviewer"], logged["repo_id"], logged["revision"], logged["hospital_rows"]) == (
        "Dr. Ada Example",
        "org/a",
        "v2",
        1,
    )
    assert (work / "releases.jsonl").stat().st_mode & 0o777 == 0o600
