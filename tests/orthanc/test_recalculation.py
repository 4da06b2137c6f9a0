"""Calculating again in a running system: by the command, through a kill, by a click."""

import json

import pytest

from tests.live import until
from tests.orthanc.asking import plan_set_of
from tests.orthanc.associations import store
from tests.orthanc.cases import a_case

CASES = 4


@pytest.fixture(scope="module")
def cases(system):
    """Some calculated plan sets."""
    made = [a_case() for _ in range(CASES)]
    store(system, [item for case in made for item in case.objects])
    system.settle()
    return made


def calculated_at(system, case):
    """When the shown result was made."""
    answer = system.get(f"plan-sets/{plan_set_of(system, case)['id']}/dvhs").json()
    assert answer["calculation"]["dvhs"], "a result is always there"
    return answer["calculation"]["calculated_at"]


def test_the_command_calculates_everything_again(system, cases):
    """Every result is newer than before; nothing failed."""
    before = [calculated_at(system, case) for case in cases]
    done = json.loads(system.run("recalculate", "--all", "--wait", "--json").stdout)
    row = done["recalculation"]
    assert (row["state"], row["failed"]) == ("done", 0)
    assert row["done"] == row["total"] >= CASES
    after = [calculated_at(system, case) for case in cases]
    assert all(new > old for new, old in zip(after, before, strict=True))


def test_a_worker_killed_on_the_way_costs_nothing(system, cases):
    """kill -9 after the first result: the next worker goes on from the stored position."""
    before = [calculated_at(system, case) for case in cases]
    recalculations = system.application.recalculations
    system.run("recalculate", "--all")
    until(lambda: recalculations.present().done >= 1, what="the first result")
    system.kill("worker")
    done = system.run("recalculate", "--wait", "--json")
    assert json.loads(done.stdout)["recalculation"]["state"] == "done"
    after = [calculated_at(system, case) for case in cases]
    assert all(new > old for new, old in zip(after, before, strict=True))


def test_one_click_calculates_one_plan_set_again(system, cases):
    """A physicist's button; the other results stay as they are."""
    one, other = cases[:2]
    before = [calculated_at(system, case) for case in (one, other)]
    row = plan_set_of(system, one)
    answer = system.browser().post(f"{system.url}/pairs/{row['pair_id']}/recalculate", timeout=30)
    assert answer.status_code == 200
    system.settle()
    assert calculated_at(system, one) > before[0]
    assert calculated_at(system, other) == before[1]


def test_the_command_calculates_one_plan_set_again_and_waits(system, cases):
    """When it returns the new result is there."""
    before = calculated_at(system, cases[0])
    row = plan_set_of(system, cases[0])
    done = system.run("recalculate", "--plan-set", row["id"], "--wait")
    assert "1 calculated, 0 failed" in done.stdout
    assert calculated_at(system, cases[0]) > before
