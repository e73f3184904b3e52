"""The log of calls: answers that stay, a run's budget, an endpoint's pace and what servers refuse, over processes."""

import os
import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest

from modeling.chat_log import Budget, CallLog


@pytest.fixture
def log(tmp_path):
    return CallLog(tmp_path / "runs" / "calls.sqlite")


def row(key="k", status="ok", **values):
    made = {
        "key": key, "status": status, "model": "m", "host": "h", "private": 0, "prompt_id": "p@1", "prompt_sha256": "0",
        "attempts": 1, "seconds": 0.1, "reply": "a", "cost": 0.5,
    }  # fmt: skip
    return {**made, **values}


def test_an_answer_is_never_overwritten_and_an_error_is(log):
    assert log.store(row(status="error", reply=None)) is None and log.find("k") is None
    assert log.store(row())["reply"] == "a"
    assert log.store(row(reply="b"))["reply"] == "a" and log.find("k")["reply"] == "a"
    assert log.store(row("private", status="not_kept", reply=None)) is None and log.find("private") is None
    assert log.cost_by_prompt() == {"p@1": 1.0}


def test_a_budget_is_kept_by_many_threads_and_counts_one_run(log):
    budget = Budget("run", max_calls=10, max_cost=1.0)
    with ThreadPoolExecutor(8) as pool:
        fits = list(pool.map(lambda _: log.reserve(budget, 0.01), range(40)))
    assert sum(fits) == 10 and log.spent(budget)[0] == 10
    assert log.reserve(Budget("another", max_calls=1), 0.01)


def test_what_a_request_did_cost_takes_the_place_of_what_it_might(log):
    budget = Budget("run", max_cost=1.0)
    assert log.reserve(budget, 0.6) and not log.reserve(budget, 0.6)
    log.settle(budget, 0.6, 0.1)
    assert log.reserve(budget, 0.6)
    requests, cost, reserved = log.spent(budget)
    assert (requests, cost, reserved) == (2, pytest.approx(0.1), pytest.approx(0.6))


def test_turns_are_booked_one_after_the_other_and_time_can_be_given_back(log):
    assert log.take_turn("a", 2.0) == 0.0
    assert log.take_turn("a", 2.0) == pytest.approx(2.0, abs=0.2)
    assert log.take_turn("b", 2.0) == 0.0
    log.take_turn("a", -3.0)
    assert log.take_turn("a", 2.0) == pytest.approx(1.0, abs=0.2)


def test_a_fork_and_a_copy_open_connections_of_their_own(log):
    log.store(row())
    child = os.fork()
    if child == 0:
        log.store(row("child"))
        os._exit(0)
    os.waitpid(child, 0)
    assert log.find("child") and pickle.loads(pickle.dumps(log)).find("k")


def test_a_refusal_is_of_one_server_and_model(log):
    log.remember_refusal("h", "m", "json_schema")
    log.remember_refusal("h", "m", "json_schema")
    assert log.refused_formats("h", "m") == {"json_schema"} and not log.refused_formats("h", "n")
