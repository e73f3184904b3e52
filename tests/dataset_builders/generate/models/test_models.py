"""The configuration of models: which roles and classes of source it may name."""

import pytest

from dataset_builders.generate.models import load_models
from tests.support.chat_server import write_models


def test_hospital_cases_may_not_be_configured_for_an_outside_host(tmp_path):
    with pytest.raises(ValueError, match=r"role draft.hospital would send hospital cases to api.example.com"):
        load_models(write_models(tmp_path, "https://api.example.com/v1"))
    load_models(write_models(tmp_path, "https://api.example.com/v1", "draft: {external: m}"))


@pytest.mark.parametrize("roles", ["draft: {external: m, openn_data: m}", "draft: {questions: m}", "classifier: {books: m}"])
def test_a_class_of_source_that_no_kind_has_is_refused_by_name(tmp_path, roles):
    path = write_models(tmp_path, "http://127.0.0.1:9/v1", roles)
    with pytest.raises(ValueError, match=r"roles\.(draft|classifier) has no class of source '(openn_data|questions|books)'"):
        load_models(path)
