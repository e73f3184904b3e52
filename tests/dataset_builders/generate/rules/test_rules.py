"""Which function drafts a source kind: a table that is complete, and a kind that it lacks is one Reject."""

import pytest

from dataset_builders.document import Document, Provenance, Reject
from dataset_builders.generate.rules import DRAFTERS, draft
from dataset_builders.source_kinds import KINDS, SourceKind

TEXT = "# Lumbar discs\n\n" + "A disc herniation at L4/L5 compresses the traversing L5 root in most adults. " * 4


def make_document(kind: str) -> Document:
    return Document(Provenance(kind, "x:1", "CC0-1.0", "l", "0" * 64), "en", TEXT)


def test_every_source_kind_has_a_drafter():
    assert set(DRAFTERS) == set(KINDS)


@pytest.mark.parametrize(
    ("known", "reason", "table"),
    [
        (False, "unknown_source_kind", "KINDS of dataset_builders/source_kinds.py"),
        (True, "no_drafter", "DRAFTERS of dataset_builders/generate/rules/__init__.py"),
    ],
)
def test_a_kind_that_a_table_lacks_is_one_reject_that_names_both(monkeypatch, known, reason, table):
    if known:
        monkeypatch.setitem(KINDS, "invented_kind", SourceKind("invented_kind", ("registries",), "external"))
    (reject,) = draft(make_document("invented_kind"))
    assert isinstance(reject, Reject) and (reject.file, reject.reason) == ("x:1", reason)
    assert "'invented_kind'" in reject.detail and table in reject.detail


def test_a_document_of_a_question_bank_without_a_question_is_a_reject():
    (reject,) = draft(make_document("question_bank"))
    assert reject.reason == "no_question"
