"""``rtpacs recalculate`` on a database with two plan sets, and no worker but the test."""

import json

import pytest
from click.testing import CliRunner

from rtpacs.bootstrap import Application
from rtpacs.cli.recalculate import recalculate
from rtpacs.errors import InvalidInputError, NotFoundError, StateError
from rtpacs.rules.jobs import JobKind
from rtpacs.services.desk import Query
from rtpacs.settings import load
from tests.contract.databases import Database, FakeClock
from tests.contract.filling import Filling, Sender, a_person
from tests.unit.rules.builders import an_rt_set

PLANS = 2


class System:
    """The command and a worker's turns on one data folder."""

    def __init__(self, home):
        self.application = Application(load({"RTPACS_HOME": str(home)})[0])
        engine, self.clock = self.application.engine, FakeClock()
        self.filling = Filling(Database(engine=engine, clock=self.clock, url=str(engine.url)))
        for number in range(PLANS):
            sender = Sender(aet=f"TPS{number}")
            self.filling.know(f"CENTER{number}", sender)
            person = a_person(str(number), "A^B")
            self.filling.send(an_rt_set(), patient=person, sender=sender)
        self.filling.work()

    def run(self, *arguments, code=0):
        done = CliRunner().invoke(recalculate, arguments)
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == code, done.output
        return done.stdout

    def work(self, *, failing=False):
        # Commands take the real time: what follows one must not seem to come before it.
        self.clock.value = max(self.clock.value, self.application.clock())
        while self.application.recalculations.feed() or self.filling.work():
            if failing:
                self.filling.jobs.fail(self.filling.jobs.claim(), "killed", retryable=False)

    def plan_set(self):
        return self.application.system_desk.catalogue.plan_sets(Query()).items[0]


@pytest.fixture
def system(tmp_path, monkeypatch):
    monkeypatch.setenv("RTPACS_HOME", str(tmp_path))
    made = System(tmp_path)
    yield made
    made.application.engine.dispose()


def test_from_start_to_end_it_says_how_far_it_is(system):
    """Two calculations: none, then both done; the fillings' algorithm is not the present one."""
    assert "none yet" in system.run()
    assert "running (all): 0 of 2 calculated" in system.run("--all")
    system.work()
    done = json.loads(system.run("--json"))
    assert done["outdated"] == PLANS
    assert done["recalculation"]["state"] == "done"
    assert done["recalculation"]["done"] == done["recalculation"]["total"] == PLANS
    assert "done (all): 2 of 2" in system.run("--wait")


def test_a_pause_holds_and_resuming_goes_on(system):
    """Each change is answered with the present state."""
    system.run("--outdated")
    assert "paused (outdated)" in system.run("--pause")
    system.work()
    assert "paused (outdated): 0 of 2" in system.run("--wait", code=1)
    assert "running" in system.run("--resume")
    assert "cancelled" in system.run("--cancel")
    with pytest.raises(StateError):
        system.run("--pause")


def test_waiting_for_one_with_failures_exits_with_one(system):
    """The jobs are listed by status."""
    system.run("--all")
    system.work(failing=True)
    assert "2 of 2 calculated, 2 failed" in system.run("--wait", code=1)


def test_one_plan_set_is_calculated_again(system):
    """By the id that pages and REST show."""
    row = system.plan_set()
    assert "1 asked for" in system.run("--plan-set", row.id)
    assert system.filling.work() == [(JobKind.DVH, row.pair_id)]
    with pytest.raises(NotFoundError):
        system.run("--plan-set", "nonsense")


def test_one_plan_set_and_the_whole_archive_exclude_each_other(system):
    """Refused, and nothing is started."""
    with pytest.raises(InvalidInputError, match="exclude each other"):
        system.run("--plan-set", "x", "--all")
    assert "none yet" in system.run()
