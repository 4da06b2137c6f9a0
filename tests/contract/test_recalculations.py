"""Recalculating the archive, and one pair, on both engines."""

import pytest
import sqlalchemy as sa

from rtpacs.dosimetry import ALGORITHM_VERSION, EndCaps
from rtpacs.errors import NotFoundError, StateError
from rtpacs.rules.access import EVERYTHING
from rtpacs.rules.jobs import JOB_RULES, JobKind, JobState
from rtpacs.rules.recalculation import RecalculationEvent, RecalculationState, Scope
from rtpacs.services.ports import CalculationResult, JobRequest
from rtpacs.store.doses import SqlDoses
from rtpacs.store.job_statements import LEASE
from rtpacs.store.operations import SqlOperations
from rtpacs.store.recalculations import SqlRecalculations
from rtpacs.store.schema import calculation, job, pair
from tests.contract.databases import Database
from tests.contract.filling import Filling, Sender, a_person, a_ramp
from tests.unit.rules.builders import an_rt_set

PLANS = 4
AN_HOUR = 3600.0
OLD = "rtpacs-dvh-2"
PAUSE, RESUME, CANCEL = (
    RecalculationEvent.PAUSED,
    RecalculationEvent.RESUMED,
    RecalculationEvent.CANCELLED,
)


class Archive(Filling):
    """Plan sets of several hospitals, all calculated by an earlier algorithm."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.recalculations = self.another_worker()
        self.algorithm = OLD
        self.made: list[str] = []
        for number in range(PLANS):
            sender = Sender(aet=f"TPS{number}")
            self.know(f"CENTER{number}", sender)
            self.send(an_rt_set(), patient=a_person(str(number), "A^B"), sender=sender)
        self.work()
        self.algorithm = ALGORITHM_VERSION
        self.made.clear()

    def another_worker(self) -> SqlRecalculations:
        engine = self.database.another_engine()
        return SqlRecalculations(engine, self.database.clock, self.jobs)

    def pairs(self) -> list[str]:
        rows = self.database.rows(sa.select(pair.c.public_id).order_by(pair.c.id))
        return [row.public_id for row in rows]

    def algorithms(self) -> list[str]:
        rows = self.database.rows(sa.select(calculation.c.algorithm))
        return sorted(row.algorithm for row in rows)

    def calculate(self, claim, **_) -> None:
        inputs = self.calculations.input_for(claim.key)
        result = CalculationResult(
            dvhs=(a_ramp(1, "PTV"),),
            findings=(),
            algorithm=self.algorithm,
            rtpacs_version="0.1.0",
            calculated_at=self.database.clock(),
        )
        self.calculations.save(inputs, result, claim)
        self.made.append(claim.key)

    def step(self, recalculations: SqlRecalculations | None = None) -> bool:
        """One turn of an idle worker; False when there was nothing to do."""
        claim = self.jobs.claim()
        if claim is None:
            return (recalculations or self.recalculations).feed()
        self.calculate(claim)
        self.jobs.finish(claim)
        return True

    def feed_and_claim(self):
        """Begin the next calculation and leave it running."""
        assert self.recalculations.feed()
        claim = self.jobs.claim()
        assert claim is not None
        return claim

    def finish_all(self) -> None:
        while self.step():
            pass

    def state(self) -> RecalculationState:
        return self.recalculations.present().state


@pytest.fixture
def archive(database: Database) -> Archive:
    return Archive(database)


class TestWhole:
    def test_everything_is_calculated_once_by_any_number_of_workers(self, archive: Archive):
        """Two workers in turn; then it is done, and an idle worker finds nothing."""
        assert archive.recalculations.start(Scope.ALL) == PLANS
        workers = [archive.recalculations, archive.another_worker()]
        while any([archive.step(worker) for worker in workers]):
            pass
        assert archive.made == archive.pairs()
        row = archive.recalculations.present()
        assert (row.state, row.done, row.total) == (RecalculationState.DONE, PLANS, PLANS)
        assert row.finished_at is not None
        assert archive.recalculations.feed() is False

    def test_what_the_present_algorithm_made_is_left_out_of_outdated(self, archive: Archive):
        """One plan set was calculated anew already."""
        archive.recalculations.again(archive.pairs()[1])
        archive.step()
        assert archive.recalculations.outdated() == PLANS - 1
        assert archive.recalculations.start(Scope.OUTDATED) == PLANS - 1
        archive.made.clear()
        archive.finish_all()
        assert archive.made == [key for n, key in enumerate(archive.pairs()) if n != 1]
        assert archive.recalculations.outdated() == 0
        assert archive.state() is RecalculationState.DONE

    def test_nothing_to_do_starts_nothing(self, archive: Archive):
        archive.recalculations.start(Scope.OUTDATED)
        archive.finish_all()
        before = archive.recalculations.present()
        assert archive.recalculations.start(Scope.OUTDATED) == 0
        assert archive.recalculations.present() == before

    def test_a_result_is_there_until_the_new_one_replaces_it(self, archive: Archive):
        """Never a gap: before, while and after the calculation runs there is one result."""
        doses = SqlDoses(archive.database.engine, EVERYTHING)
        key = archive.pairs()[0]
        archive.recalculations.start(Scope.ALL)
        assert doses.calculation(key).outdated
        claim = archive.feed_and_claim()
        view = doses.calculation(key)
        assert (view.state, view.outdated, len(view.dvhs)) == ("running", True, 1)
        assert view.conventions.end_caps == EndCaps.HALF_SLICE.sentence
        archive.calculate(claim)
        archive.jobs.finish(claim)
        view = doses.calculation(key)
        assert (view.state, view.outdated, len(view.dvhs)) == ("calculated", False, 1)
        assert archive.algorithms() == [OLD] * (PLANS - 1) + [ALGORITHM_VERSION]

    def test_nobody_starts_it_but_a_person(self, archive: Archive):
        """A worker with a new algorithm finds an old archive: nothing happens by itself."""
        assert archive.step() is False
        assert archive.algorithms() == [OLD] * PLANS
        operations = SqlOperations(
            archive.database.engine, archive.database.clock, archive.jobs, EVERYTHING
        )
        assert operations.status().outdated == PLANS

    def test_one_runs_at_a_time(self, archive: Archive):
        """Also while it is paused."""
        archive.recalculations.start(Scope.ALL)
        for event in (None, PAUSE):
            if event:
                archive.recalculations.change(event)
            with pytest.raises(StateError, match="cancel it first"):
                archive.another_worker().start(Scope.OUTDATED)


class TestPriority:
    def test_what_arrives_goes_first(self, archive: Archive):
        """Asked later, claimed earlier; reconciling too."""
        archive.recalculations.start(Scope.ALL)
        archive.recalculations.feed()
        requests = [
            JobRequest(kind=JobKind.DVH, key="arrived", label=""),
            JobRequest(kind=JobKind.RECONCILE, key="all", label=""),
        ]
        archive.jobs.enqueue(requests)
        claims = [archive.jobs.claim() for _ in range(3)]
        assert [claim.key for claim in claims] == ["arrived", "all", archive.pairs()[0]]

    def test_new_data_of_a_waiting_pair_hurries_it(self, archive: Archive):
        """The pair is asked for once more by its assembly: its job leaves the slow lane."""
        archive.recalculations.start(Scope.ALL)
        archive.recalculations.feed()
        first = archive.pairs()[0]
        archive.jobs.enqueue([JobRequest(kind=JobKind.DVH, key=first, label="")])
        (row,) = archive.database.rows(sa.select(job).where(job.c.key == first))
        rule = JOB_RULES[JobKind.DVH]
        assert (row.lane, row.priority) == (rule.lane, rule.priority)

    def test_a_pair_that_waits_by_itself_is_not_asked_for_again(self, archive: Archive):
        """Nor is its place among the arrivals taken from it."""
        first = archive.pairs()[0]
        archive.jobs.enqueue([JobRequest(kind=JobKind.DVH, key=first, label="")])
        archive.recalculations.start(Scope.ALL)
        assert archive.recalculations.feed()
        archive.finish_all()
        assert archive.made == archive.pairs()


class TestStopAndGo:
    def test_a_pause_holds_at_once_and_resuming_goes_on_there(self, archive: Archive):
        """What is being calculated is finished, nothing else begins."""
        archive.recalculations.start(Scope.ALL)
        claim = archive.feed_and_claim()
        archive.recalculations.change(PAUSE)
        archive.calculate(claim)
        archive.jobs.finish(claim)
        assert archive.step() is False
        row = archive.recalculations.present()
        assert (row.state, row.done, row.remaining_s) == (RecalculationState.PAUSED, 1, None)
        archive.recalculations.change(RESUME)
        archive.finish_all()
        assert archive.made == archive.pairs()

    def test_a_cancelled_one_leaves_what_is_done_and_gives_way(self, archive: Archive):
        archive.recalculations.start(Scope.ALL)
        archive.step()
        archive.step()
        archive.recalculations.change(CANCEL)
        assert archive.step() is False
        assert archive.state() is RecalculationState.CANCELLED
        assert archive.algorithms() == [OLD] * (PLANS - 1) + [ALGORITHM_VERSION]
        assert archive.recalculations.start(Scope.OUTDATED) == PLANS - 1

    @pytest.mark.parametrize("event", [PAUSE, RESUME, CANCEL])
    def test_there_is_nothing_to_change(self, database: Database, event: RecalculationEvent):
        jobs = Filling(database).jobs
        with pytest.raises(StateError, match="no recalculation"):
            SqlRecalculations(database.engine, database.clock, jobs).change(event)

    def test_what_runs_cannot_be_resumed(self, archive: Archive):
        archive.recalculations.start(Scope.ALL)
        with pytest.raises(StateError, match="cannot be resumed"):
            archive.recalculations.change(RESUME)

    @pytest.mark.parametrize("killed_at", range(PLANS))
    def test_a_killed_worker_loses_neither_position_nor_calculation(
        self, archive: Archive, killed_at: int
    ):
        """Killed between claim and result: its calculation is the only one begun twice."""
        archive.recalculations.start(Scope.ALL)
        for _ in range(2 * killed_at):
            archive.step()
        archive.feed_and_claim()
        archive.database.pass_time(LEASE.total_seconds() + 1)
        archive.finish_all()
        assert sorted(archive.made) == sorted(archive.pairs())
        assert archive.state() is RecalculationState.DONE

    def test_it_is_not_done_while_the_last_one_runs(self, archive: Archive):
        """Another worker has it."""
        archive.recalculations.start(Scope.ALL)
        for _ in range(2 * (PLANS - 1)):
            archive.step()
        claim = archive.feed_and_claim()
        assert archive.recalculations.feed() is False
        row = archive.recalculations.present()
        assert (row.state, row.done, row.running) == (RecalculationState.RUNNING, PLANS - 1, 1)
        archive.calculate(claim)
        archive.jobs.finish(claim)
        assert archive.recalculations.feed() is False
        assert archive.state() is RecalculationState.DONE


class TestFailures:
    def test_a_failed_calculation_is_counted_and_the_others_go_on(self, archive: Archive):
        archive.recalculations.start(Scope.ALL)
        archive.jobs.fail(archive.feed_and_claim(), "killed", retryable=False)
        archive.finish_all()
        row = archive.recalculations.present()
        assert (row.state, row.done, row.failed) == (RecalculationState.DONE, PLANS, 1)
        assert archive.algorithms() == [OLD] + [ALGORITHM_VERSION] * (PLANS - 1)

    def test_one_in_backoff_does_not_hold_up_the_end(self, archive: Archive):
        """It goes on as a job of its own, and is not counted as done before it is."""
        archive.recalculations.start(Scope.ALL)
        archive.jobs.fail(archive.feed_and_claim(), "no answer", retryable=True)
        archive.finish_all()
        row = archive.recalculations.present()
        assert (row.state, row.done) == (RecalculationState.DONE, PLANS - 1)
        archive.database.pass_time(13)
        archive.finish_all()
        assert archive.recalculations.present().done == PLANS
        assert archive.recalculations.outdated() == 0

    def test_while_the_archive_is_away_no_more_are_asked_for_than_wait(self, archive: Archive):
        """Handed back, the calculation waits, and the recalculation with it."""
        archive.recalculations.start(Scope.ALL)
        for _ in range(PLANS):
            archive.jobs.fail(archive.feed_and_claim(), "away", retryable=True, blameless=True)
        assert archive.recalculations.feed() is False
        assert archive.state() is RecalculationState.RUNNING
        archive.database.pass_time(13)
        archive.finish_all()
        assert sorted(archive.made) == sorted(archive.pairs())
        assert archive.state() is RecalculationState.DONE


def test_pace_and_remaining_time_are_those_since_it_was_resumed(archive: Archive):
    """One in an hour before the pause, after it two in ten: one in five hours, one left.

    Hours, since PostgreSQL's own clock runs on while this does.
    """
    archive.recalculations.start(Scope.ALL)
    archive.database.pass_time(AN_HOUR)
    archive.step()
    archive.step()
    archive.recalculations.change(PAUSE)
    archive.database.pass_time(20 * AN_HOUR)
    archive.recalculations.change(RESUME)
    archive.database.pass_time(10 * AN_HOUR)
    for _ in range(4):
        archive.step()
    row = archive.recalculations.present()
    assert row.per_hour == pytest.approx(0.2, rel=0.02)
    assert row.remaining_s == pytest.approx(5 * AN_HOUR, rel=0.02)


class TestAgain:
    @pytest.mark.parametrize(
        "end",
        [
            lambda jobs, claim: jobs.finish(claim),
            lambda jobs, claim: jobs.fail(claim, "killed", retryable=False),
            lambda jobs, claim: jobs.fail(claim, "no answer", retryable=True),
            lambda jobs, claim: jobs.cancel(claim.job_id),
        ],
        ids=["done", "failed", "in backoff", "cancelled"],
    )
    def test_one_click_calculates_again_at_once(self, archive: Archive, end):
        """Whatever became of the last job; with all attempts."""
        first = archive.pairs()[0]
        archive.recalculations.again(first)
        end(archive.jobs, archive.jobs.claim())
        archive.recalculations.again(first)
        claim = archive.jobs.claim()
        assert (claim.key, claim.attempt) == (first, 1)

    def test_while_it_runs_it_is_run_once_more(self, archive: Archive):
        first = archive.pairs()[0]
        archive.recalculations.again(first)
        claim = archive.jobs.claim()
        archive.recalculations.again(first)
        archive.jobs.finish(claim)
        (row,) = archive.database.rows(sa.select(job.c.state).where(job.c.key == first))
        assert row.state == JobState.READY

    def test_there_is_no_such_pair(self, archive: Archive):
        with pytest.raises(NotFoundError):
            archive.recalculations.again("nonsense")
