"""Drafting and revising through a server that fails and a SIGKILL, in small (benchmarks/chaos.py is the same at full size)."""

import pytest

from tests.support.scripts import load_benchmark


@pytest.mark.slow
def test_each_item_is_drafted_and_revised_once_through_faults_and_a_kill(tmp_path):
    result = load_benchmark("chaos").measure(tmp_path, documents=30, workers=1)
    assert result.drafts_once and result.revisions_once and result.items == 4 * 30
    assert result.faults and result.after_the_kill == 0
    assert result.log == result.log_expected == 8 * 30
    # What was under way when the run was killed is asked again: at most 64 of a process, most of them long answered.
    assert result.answered <= result.log_expected + 64
    assert result.same_bytes
