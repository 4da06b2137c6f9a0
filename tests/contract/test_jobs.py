"""The table of jobs: coalescing, leases, fencing, backoff, lanes and what people may do."""

import pytest
import sqlalchemy as sa

from rtpacs.errors import LeaseLostError, NotFoundError, StateError
from rtpacs.rules.jobs import JOB_RULES, JobKind, JobState
from rtpacs.services.ports import Claim, JobRequest
from rtpacs.store.engine import writing
from rtpacs.store.job_statements import LEASE
from rtpacs.store.jobs import SqlJobs, drop, fence
from rtpacs.store.schema import job
from tests.contract.databases import Database
from tests.contract.world import QUIET_LIMIT_SECONDS, QUIET_SECONDS, World

LEASE_S = LEASE.total_seconds()
AN_HOUR = 3600.0


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


def a_request(key: str = "1", kind: JobKind = JobKind.ASSEMBLE) -> JobRequest:
    return JobRequest(kind=kind, key=key, label=f"Do {key}")


def row_of(world: World, key: str = "1"):
    (row,) = world.database.rows(sa.select(job).where(job.c.key == key))
    return row


def claimed(world: World, kind: JobKind = JobKind.DVH, key: str = "1") -> Claim:
    """Ask for a job that is due at once, and claim it."""
    world.jobs.enqueue([a_request(key, kind)])
    claim = world.jobs.claim()
    assert claim is not None
    return claim


class TestCoalescing:
    def test_two_hundred_requests_are_one_run(self, world: World):
        """200 arrivals make one calculation."""
        for _ in range(200):
            world.jobs.enqueue([a_request()])
        world.jobs.finish(world.next_claim(JobKind.ASSEMBLE))
        world.database.pass_time(AN_HOUR)
        assert world.jobs.claim() is None
        assert (row_of(world).want, row_of(world).done) == (200, 200)

    def test_the_last_request_is_never_missed(self, world: World):
        """Who asks while the job runs gets another run, which starts after the request."""
        world.jobs.enqueue([a_request()])
        claim = world.next_claim(JobKind.ASSEMBLE)
        world.jobs.enqueue([a_request()])
        world.jobs.finish(claim)
        assert row_of(world).state == JobState.READY
        world.jobs.finish(world.next_claim(JobKind.ASSEMBLE))
        assert row_of(world).state == JobState.DONE
        assert row_of(world).done == row_of(world).want == 2

    def test_a_request_twice_in_one_batch_counts_twice(self, world: World):
        world.jobs.enqueue([a_request(), a_request()])
        assert row_of(world).want == 2

    def test_kinds_with_one_key_are_different_jobs(self, world: World):
        world.jobs.enqueue([a_request(kind=kind) for kind in JobKind])
        assert world.database.count(job) == len(JobKind)

    def test_nothing_asked_is_no_job(self, world: World):
        world.jobs.enqueue([])
        assert world.database.count(job) == 0


class TestDebounce:
    def test_a_job_waits_until_it_is_quiet(self, world: World):
        """Each request within the quiet time starts it anew."""
        for _ in range(3):
            world.jobs.enqueue([a_request()])
            world.database.pass_time(QUIET_SECONDS / 2)
            assert world.jobs.claim() is None
        world.database.pass_time(QUIET_SECONDS / 2 + 0.1)
        assert world.jobs.claim() is not None

    def test_a_steady_stream_cannot_put_it_off_for_ever(self, world: World):
        """Never longer than the limit after the first request."""
        step = 0.8 * QUIET_SECONDS
        for _ in range(int(0.8 * QUIET_LIMIT_SECONDS / step)):
            world.jobs.enqueue([a_request()])
            assert world.jobs.claim() is None
            world.database.pass_time(step)
        for _ in range(int(0.4 * QUIET_LIMIT_SECONDS / step)):
            world.jobs.enqueue([a_request()])
            world.database.pass_time(step)
        assert world.jobs.claim() is not None

    def test_a_calculation_does_not_wait(self, world: World):
        """Only kinds with a debounce in the rules are debounced."""
        assert JOB_RULES[JobKind.DVH].debounce_s == 0
        world.jobs.enqueue([a_request(kind=JobKind.DVH)])
        assert world.jobs.claim() is not None

    @pytest.mark.fault("B10")
    def test_a_job_planned_by_a_clock_that_ran_ahead_is_due(self, world: World):
        """B10: the clock jumped back by a day after the request."""
        world.jobs.enqueue([a_request()])
        world.database.pass_time(-24 * AN_HOUR)
        assert world.jobs.claim() is not None


class TestOrder:
    def test_assembly_goes_before_calculation(self, world: World):
        """A calculation of a set that is about to change would be done twice."""
        world.jobs.enqueue([a_request("c", JobKind.DVH), a_request("a")])
        world.database.pass_time(QUIET_SECONDS + 0.1)
        kinds = [world.jobs.claim().kind, world.jobs.claim().kind]
        assert kinds == [JobKind.ASSEMBLE, JobKind.DVH]

    def test_the_oldest_goes_first(self, world: World):
        for key in "bca":
            world.jobs.enqueue([a_request(key, JobKind.DVH)])
            world.database.pass_time(1)
        assert [world.jobs.claim().key for _ in range(3)] == ["b", "c", "a"]

    def test_a_lane_runs_no_more_than_its_width(self, world: World):
        """Reconcile has one place: the second job waits for the first."""
        assert JOB_RULES[JobKind.RECONCILE].lane_width == 1
        world.jobs.enqueue([a_request(key, JobKind.RECONCILE) for key in "ab"])
        first = world.jobs.claim()
        assert world.jobs.claim() is None
        world.jobs.finish(first)
        assert world.jobs.claim().key == "b"

    def test_a_full_lane_does_not_hold_up_others(self, world: World):
        claimed(world, JobKind.RECONCILE, "a")
        world.jobs.enqueue([a_request("b", JobKind.RECONCILE), a_request("c", JobKind.DVH)])
        assert world.jobs.claim().key == "c"

    def test_a_dead_workers_lane_is_free_again(self, world: World):
        claimed(world, JobKind.RECONCILE, "a")
        world.jobs.enqueue([a_request("b", JobKind.RECONCILE)])
        world.database.pass_time(LEASE_S + 1)
        assert world.jobs.claim() is not None


class TestLeases:
    def test_a_claim_counts_the_attempt(self, world: World):
        assert claimed(world).attempt == 1

    def test_a_leased_job_is_nobody_elses(self, world: World):
        claimed(world)
        world.database.pass_time(LEASE_S - 1)
        assert world.jobs.claim() is None

    def test_a_dead_workers_job_runs_again(self, world: World):
        """B8: kill -9; the lease ends and the next worker counts a second attempt."""
        first = claimed(world)
        world.database.pass_time(LEASE_S + 1)
        second = world.jobs.claim()
        assert (second.job_id, second.attempt) == (first.job_id, 2)
        assert second.token > first.token

    def test_renewing_keeps_the_job_and_shows_progress(self, world: World):
        claim = claimed(world)
        for done in range(3):
            world.database.pass_time(LEASE_S - 1)
            world.jobs.renew(claim, done=done, total=3, note="ROI\0s")
            assert world.jobs.claim() is None
        row = row_of(world)
        assert (row.progress_done, row.progress_total, row.note) == (2, 3, "ROI\ufffds")

    @pytest.mark.parametrize("hours", [2, -2])
    @pytest.mark.fault("B10")
    def test_a_clock_jump_costs_at_most_two_leases(self, world: World, hours: float):
        """B10: whichever way the clock jumps during a lease, the job is picked up in time."""
        claimed(world)
        world.database.pass_time(hours * AN_HOUR)
        world.database.pass_time(2 * LEASE_S)
        assert world.jobs.claim() is not None

    def test_a_job_that_kills_its_workers_ends(self, world: World):
        """Poison guard: attempts count at claim, so no word from the worker is needed."""
        attempts = 0
        world.jobs.enqueue([a_request(kind=JobKind.DVH)])
        while world.jobs.claim() is not None:
            attempts += 1
            world.database.pass_time(LEASE_S + 1)
        assert attempts == JOB_RULES[JobKind.DVH].max_attempts
        assert row_of(world).state == JobState.FAILED
        assert "worker" in row_of(world).error


class TestFencing:
    """B9: a worker that slept longer than its lease changes nothing."""

    @pytest.mark.parametrize(
        "write",
        [
            lambda jobs, claim: jobs.finish(claim),
            lambda jobs, claim: jobs.renew(claim, done=1, total=1, note=""),
            lambda jobs, claim: jobs.fail(claim, "late", retryable=True),
            lambda jobs, claim: jobs.fail(claim, "late", retryable=False),
            lambda jobs, claim: jobs.fail(claim, "late", retryable=True, blameless=True),
        ],
        ids=["finish", "renew", "fail", "give up", "hand back"],
    )
    def test_a_late_worker_writes_nothing(self, world: World, write):
        late = claimed(world)
        world.database.pass_time(LEASE_S + 1)
        world.jobs.claim()
        before = row_of(world)
        with pytest.raises(LeaseLostError):
            write(world.jobs, late)
        assert row_of(world) == before

    def test_a_late_workers_results_are_refused(self, world: World):
        """The fence stands in the transaction that writes the results."""
        late = claimed(world)
        world.database.pass_time(LEASE_S + 1)
        present = world.jobs.claim()
        with writing(world.database.engine) as connection:
            fence(connection, present)
        with pytest.raises(LeaseLostError), writing(world.database.engine) as connection:
            fence(connection, late)

    def test_no_token_comes_twice(self, world: World):
        """Over any number of runs."""
        tokens = []
        for _ in range(5):
            claim = claimed(world)
            tokens.append(claim.token)
            world.jobs.finish(claim)
        assert tokens == sorted(set(tokens))


class TestFailure:
    def test_retries_wait_longer_each_time(self, world: World):
        """10 s x 3^n, stretched by at most a fifth, at most an hour; then it is failed."""
        world.jobs.enqueue([a_request(kind=JobKind.DVH)])
        for least in (10, 30, 90, 270, 810, 2430, 3600):
            world.jobs.fail(world.jobs.claim(), "no answer", retryable=True)
            world.database.pass_time(least - 1)
            assert world.jobs.claim() is None
            world.database.pass_time(least * 0.2 + 2)
        world.jobs.fail(world.jobs.claim(), "no answer", retryable=True)
        assert row_of(world).state == JobState.FAILED
        assert row_of(world).error == "no answer"
        world.database.pass_time(AN_HOUR * 2)
        assert world.jobs.claim() is None

    def test_what_is_no_fault_of_the_job_costs_no_attempt(self, world: World):
        """The archive is away for long: the job waits 10 to 12 s each time, with the reason."""
        world.jobs.enqueue([a_request(kind=JobKind.DVH)])
        for _ in range(3 * JOB_RULES[JobKind.DVH].max_attempts):
            claim = world.jobs.claim()
            assert claim.attempt == 1
            world.jobs.fail(claim, "Orthanc does not answer", retryable=True, blameless=True)
            assert row_of(world).error == "Orthanc does not answer"
            world.database.pass_time(9)
            assert world.jobs.claim() is None
            world.database.pass_time(4)
        world.jobs.finish(world.jobs.claim())
        assert (row_of(world).state, row_of(world).error) == (JobState.DONE, None)

    def test_new_data_does_not_hurry_a_job_that_waits_for_the_archive(self, world: World):
        """It would only find the archive still away."""
        world.jobs.fail(claimed(world), "away", retryable=True, blameless=True)
        world.jobs.enqueue([a_request(kind=JobKind.DVH)])
        assert world.jobs.claim() is None
        world.database.pass_time(13)
        assert world.jobs.claim() is not None

    def test_a_permanent_error_does_not_retry(self, world: World):
        world.jobs.fail(claimed(world), "the object is gone", retryable=False)
        assert row_of(world).state == JobState.FAILED

    def test_new_data_starts_a_failed_job_anew(self, world: World):
        """With all its attempts, and without the old error."""
        world.jobs.fail(claimed(world), "no", retryable=False)
        again = claimed(world)
        assert again.attempt == 1
        assert row_of(world).error is None

    def test_new_data_does_not_hurry_a_job_in_backoff(self, world: World):
        """A stream of arrivals must not turn backoff into hammering."""
        world.jobs.fail(claimed(world), "no answer", retryable=True)
        world.jobs.enqueue([a_request(kind=JobKind.DVH)])
        world.database.pass_time(5)
        assert world.jobs.claim() is None
        world.database.pass_time(8)
        assert world.jobs.claim().attempt == 2

    def test_what_was_asked_during_a_failing_run_is_still_done(self, world: World):
        """The run that failed for good began before the request."""
        claim = claimed(world)
        world.jobs.enqueue([a_request(kind=JobKind.DVH)])
        world.jobs.fail(claim, "that object cannot be used", retryable=False)
        world.database.pass_time(QUIET_SECONDS + 0.1)
        assert world.jobs.claim().attempt == 1

    def test_success_clears_error_and_attempts(self, world: World):
        world.jobs.fail(claimed(world), "no answer", retryable=True)
        world.database.pass_time(13)
        world.jobs.finish(world.jobs.claim())
        assert (row_of(world).error, row_of(world).attempt) == (None, 0)
        assert row_of(world).state == JobState.DONE


class TestPeople:
    def test_a_cancelled_job_is_not_run(self, world: World):
        world.jobs.enqueue([a_request(kind=JobKind.DVH)])
        world.jobs.cancel(row_of(world).id)
        assert world.jobs.claim() is None

    def test_cancelling_stops_a_running_worker(self, world: World):
        """Its next renewal, and every other write, is refused."""
        claim = claimed(world)
        world.jobs.cancel(claim.job_id)
        for write in (
            lambda: world.jobs.renew(claim, done=1, total=2, note=""),
            lambda: world.jobs.finish(claim),
        ):
            with pytest.raises(LeaseLostError):
                write()
        assert row_of(world).state == JobState.CANCELLED

    def test_a_cancelled_job_can_be_asked_again(self, world: World):
        world.jobs.cancel(claimed(world).job_id)
        assert claimed(world).attempt == 1

    def test_one_click_retries_a_failed_job(self, world: World):
        claim = claimed(world)
        world.jobs.fail(claim, "no", retryable=False)
        world.jobs.retry(claim.job_id)
        assert world.jobs.claim().attempt == 1

    def test_one_click_ends_the_wait_after_an_error(self, world: World):
        """*Try now*: not in ten seconds, and with all its attempts."""
        claim = claimed(world)
        world.jobs.fail(claim, "no answer", retryable=True)
        assert world.jobs.claim() is None
        world.jobs.retry(claim.job_id)
        assert world.jobs.claim().attempt == 1

    def test_a_done_job_cannot_be_cancelled(self, world: World):
        claim = claimed(world)
        world.jobs.finish(claim)
        with pytest.raises(StateError):
            world.jobs.cancel(claim.job_id)

    def test_a_running_job_cannot_be_retried(self, world: World):
        with pytest.raises(StateError):
            world.jobs.retry(claimed(world).job_id)

    @pytest.mark.parametrize("job_id", [4711, 2**31, 2**63, 10**30])
    def test_there_is_no_job_to_change(self, world: World, job_id: int):
        """Also not one whose number no database column can hold: addresses hold any number."""
        for change in (world.jobs.cancel, world.jobs.retry):
            with pytest.raises(NotFoundError):
                change(job_id)

    def test_dropping_leaves_what_runs(self, world: World):
        """The subject is gone: the running worker finds out by itself."""
        claimed(world, key="a")
        world.jobs.enqueue([a_request("b", JobKind.DVH), a_request("b")])
        with writing(world.database.engine) as connection:
            drop(connection, JobKind.DVH, ["a", "b"])
        left = world.database.rows(sa.select(job.c.kind, job.c.key).order_by(job.c.id))
        assert left == [(JobKind.DVH, "a"), (JobKind.ASSEMBLE, "b")]


def test_a_second_process_sees_the_same_table(world: World):
    """Any number of workers on one database."""
    other = SqlJobs(
        world.database.another_engine(),
        world.database.clock,
        quiet_seconds=QUIET_SECONDS,
        quiet_limit_seconds=QUIET_LIMIT_SECONDS,
    )
    world.jobs.enqueue([a_request(kind=JobKind.DVH)])
    assert other.claim() is not None
    assert world.jobs.claim() is None
