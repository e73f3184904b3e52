"""Decide which rows of a data set may leave the machine: a gate that fails closed.

A row leaves only if every question is answered with yes:

    1  its kind of source is one of source_kinds.KINDS and no hospital's, and neither its id nor its case is a hospital's
    2  its licence is exactly a known SPDX id that may be published (licences.may_publish), and one of those asked for
    3  every field of REQUIRED has a value that is not "unknown" in other words
    4  its images are embedded, and name no file

Rows that stay are counted by the first reason that holds. A hospital's rows pass the first two with a sign-off (release.py).
"""

from collections.abc import Collection, Mapping
from typing import Any

from dataset_builders.licences import HOSPITAL, may_publish
from dataset_builders.source_kinds import KINDS

REQUIRED = ("source_kind", "source_id", "source_licence", "source_locator", "source_sha256", "draft_model", "review_status")
"""Columns of provenance without which nobody can say what a row is."""

_UNKNOWN = {"", "-", "–", "?", "n/a", "na", "nan", "nil", "none", "null", "unknown", "licenseref-unknown"}


def reason_to_withhold(row: Mapping[str, Any], licences: Collection[str] = (), release_hospital: bool = False) -> str | None:
    """Return why a row of either data set may not be published, None if it may.

    row                 the columns of its data set, images as structs of bytes and path.
    licences            SPDX ids to publish; if empty, all that may be.
    release_hospital    a sign-off allows the rows of hospital cases (release.check_sign_off).

    The reason is a licence that is known and not allowed ("CC-BY-NC-4.0", "LicenseRef-Hospital"), or words in which no value of
    the row stands.
    """
    kind, licence = row.get("source_kind"), row.get("source_licence")
    for name in REQUIRED:
        if _is_unknown(row.get(name)) and name != "source_licence":
            return f"{name} is not known"
    if kind not in KINDS:
        return "source_kind is not one of ours"
    if _is_hospital(row):
        if not release_hospital:
            return f"source_kind {kind}" if KINDS[kind].is_private else "an id of a hospital case"
        if licence != HOSPITAL:
            return "a hospital case without the hospital's licence"
    else:
        if licence is None or not isinstance(licence, str):
            return "source_licence is not known"
        if not may_publish(licence):
            return licence if licence in _NAMED else "source_licence is not one that may be published"
        if licences and licence not in licences:
            return licence
    if any(image is None or not image.get("bytes") or image.get("path") for image in row.get("images") or ()):
        return "an image is not embedded, or names a file"
    return None


_NAMED = (
    "LicenseRef-Hospital", "LicenseRef-Unknown", "LicenseRef-Contested", "ODbL-1.0", "GFDL-1.3-or-later", "GPL-3.0-only",
    *(f"CC-{name}-{version}" for name in ("BY-NC", "BY-ND", "BY-NC-SA", "BY-NC-ND") for version in ("2.0", "3.0", "4.0")),
)  # fmt: skip


def _is_unknown(value: Any) -> bool:
    return not isinstance(value, str) or value.strip().casefold() in _UNKNOWN


def _is_hospital(row: Mapping[str, Any]) -> bool:
    """Whether a row is of a hospital case by its kind or by the form of its ids."""
    ids = [str(row.get(name) or "").strip().casefold() for name in ("source_id", "case_id")]
    kind = KINDS.get(str(row.get("source_kind")))
    private = kind is not None and kind.is_private
    return private or any(value.startswith("hospital:") for value in ids)
