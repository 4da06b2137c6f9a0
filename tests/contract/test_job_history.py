"""What may never happen to jobs, whatever the order of events: a checker reads the history."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    multiple,
    rule,
    run_state_machine_as_test,
)

from rtpacs.errors import LeaseLostError
from rtpacs.rules.jobs import JobKind, JobState
from rtpacs.services.ports import Claim, JobRequest
from rtpacs.store import engine as engines
from rtpacs.store.job_statements import LEASE
from rtpacs.store.jobs import SqlJobs, fence
from rtpacs.store.migrations import migrate
from rtpacs.store.schema import fact, job
from tests.contract.conftest import empty
from tests.contract.databases import START, Database, FakeClock

KEYS = ("a", "b", "c")
WORKERS = 4
JOBS = 60


def request(key: str) -> JobRequest:
    return JobRequest(kind=JobKind.DVH, key=key, label="")


@dataclass
class Workers:
    """Threads that ask and work on two engines, with nothing between them but the database."""

    database: Database
    running: set[str] = field(default_factory=set)
    overlaps: list[str] = field(default_factory=list)
    runs: list[Claim] = field(default_factory=list)
    asked: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.engines = [self.database.engine, self.database.another_engine()]

    def jobs(self, number: int) -> SqlJobs:
        engine = self.engines[number % 2]
        return SqlJobs(engine, self.database.clock, quiet_seconds=0, quiet_limit_seconds=0)

    def ask(self, keys: Sequence[str]) -> None:
        jobs = self.jobs(0)
        for key in keys:
            jobs.enqueue([request(key)])

    def work(self, number: int) -> None:
        jobs = self.jobs(number)
        while True:
            last = self.asked.is_set()
            claim = jobs.claim()
            if claim is not None:
                self._run(jobs, claim)
            elif last:
                return

    def _run(self, jobs: SqlJobs, claim: Claim) -> None:
        self.overlaps.extend({claim.key} & self.running)
        self.running.add(claim.key)
        self.runs.append(claim)
        jobs.renew(claim, done=0, total=1, note="")
        self.running.discard(claim.key)
        jobs.finish(claim)

    def run(self, *asked: Sequence[str], seconds: float = 60) -> None:
        """Let one thread ask for each list of keys while others work."""
        askers = [threading.Thread(target=self.ask, args=(keys,)) for keys in asked]
        workers = [threading.Thread(target=self.work, args=(n,)) for n in range(WORKERS)]
        for thread in (*askers, *workers):
            thread.start()
        until = time.monotonic() + seconds
        for thread in askers:
            thread.join(until - time.monotonic())
        self.asked.set()
        for thread in workers:
            thread.join(until - time.monotonic())
        assert not any(thread.is_alive() for thread in (*askers, *workers))


def assert_served_without_overlap(workers: Workers, jobs: int) -> None:
    """So many requests: each was answered, no key ran twice at once, no token came twice."""
    assert workers.overlaps == []
    rows = workers.database.rows(job.select())
    assert sum(row.want for row in rows) == jobs
    assert [row.done for row in rows] == [row.want for row in rows]
    assert len({(claim.key, claim.token) for claim in workers.runs}) == len(workers.runs)


def take_over_often(database: Database, times: int) -> int:
    """A worker sleeps past its lease and then writes; how many of its writes were refused."""
    jobs = SqlJobs(database.engine, database.clock, quiet_seconds=0, quiet_limit_seconds=0)
    refused = 0
    for _ in range(times):
        jobs.enqueue([request("a")])
        late = jobs.claim()
        database.pass_time(LEASE.total_seconds() + 1)
        present = jobs.claim()
        write_result(database, present)
        with pytest.raises(LeaseLostError):
            write_result(database, late)
        refused += 1
        (row,) = database.rows(fact.select())
        assert row.value == str(present.token)
        jobs.finish(present)
    return refused


def write_result(database: Database, claim: Claim) -> None:
    with engines.writing(database.engine) as connection:
        fence(connection, claim)
        connection.execute(fact.delete())
        connection.execute(
            fact.insert().values(key="result", value=str(claim.token), updated_at=START)
        )


class TestWorkers:
    def test_workers_never_run_a_key_twice_at_once(self, database: Database):
        """B15: requests for few keys while workers run; each is served, none overlaps."""
        workers = Workers(database)
        workers.run([KEYS[number % len(KEYS)] for number in range(JOBS)])
        assert_served_without_overlap(workers, JOBS)

    def test_each_job_goes_to_exactly_one_worker(self, database: Database):
        """Many keys, asked once each: as many runs as keys."""
        workers = Workers(database)
        workers.run([f"{number}" for number in range(JOBS)])
        assert sorted(claim.key for claim in workers.runs) == sorted(f"{n}" for n in range(JOBS))

    def test_a_stale_worker_never_overwrites_the_present_one(self, database: Database):
        """B9 over many takeovers: results carry the token of the worker that holds the job."""
        assert take_over_often(database, 20) == 20


class JobLife(RuleBasedStateMachine):
    """Random requests, claims, ends, crashes and clock jumps against what is owed to each key.

    ``asked`` counts the requests of a key, ``settled`` how many of them a run has answered that
    started after them and ended, well or for good.
    """

    engine: sa.Engine
    claims = Bundle("claims")

    def __init__(self) -> None:
        super().__init__()
        empty(self.engine)
        self.clock = FakeClock()
        self.jobs = SqlJobs(self.engine, self.clock, quiet_seconds=0, quiet_limit_seconds=0)
        self.asked: dict[str, int] = dict.fromkeys(KEYS, 0)
        self.settled: dict[str, int] = dict.fromkeys(KEYS, 0)
        self.seen: dict[tuple[str, int], int] = {}
        self.holder: dict[str, Claim | None] = dict.fromkeys(KEYS)

    @rule(key=st.sampled_from(KEYS))
    def ask(self, key):
        self.jobs.enqueue([request(key)])
        self.asked[key] += 1

    @rule(target=claims)
    def claim(self):
        claim = self.jobs.claim()
        if claim is None:
            return multiple()
        assert (claim.key, claim.token) not in self.seen
        self.seen[claim.key, claim.token] = self.asked[claim.key]
        self.holder[claim.key] = claim
        return claim

    @rule(claim=consumes(claims))
    def finish(self, claim):
        if self._ends(claim, lambda: self.jobs.finish(claim)):
            self.settled[claim.key] = self.seen[claim.key, claim.token]

    @rule(claim=consumes(claims), retryable=st.booleans())
    def fail(self, claim, retryable):
        ended = self._ends(claim, lambda: self.jobs.fail(claim, "no", retryable=retryable))
        if ended and not retryable:
            self.settled[claim.key] = self.seen[claim.key, claim.token]

    @rule(seconds=st.sampled_from([1, LEASE.total_seconds() + 1, 7200, -7200]))
    def time_passes(self, seconds):
        self.clock.value += timedelta(seconds=seconds)

    def _ends(self, claim: Claim, write: Callable[[], None]) -> bool:
        """Whether the write was taken; it must be refused to everybody but the last to claim."""
        try:
            write()
        except LeaseLostError:
            return False
        assert self.holder[claim.key] == claim
        self.holder[claim.key] = None
        return True

    def teardown(self):
        """All workers died; whoever comes next must find everything that is owed."""
        idle = 0
        while idle < 2:
            self.clock.value += timedelta(hours=2)
            claim = self.jobs.claim()
            idle = idle + 1 if claim is None else 0
            if claim is not None:
                self.settled[claim.key] = self.asked[claim.key]
                self.jobs.finish(claim)
        given_up = {row.key for row in self._failed()}
        assert {key for key in KEYS if self.settled[key] < self.asked[key]} <= given_up

    def _failed(self):
        with engines.reading(self.engine) as connection:
            return connection.execute(job.select().where(job.c.state == JobState.FAILED)).all()


def test_whatever_happens_every_request_is_answered(tmp_path):
    """Ten lives of sixteen events each, on one SQLite file that is emptied for each."""
    JobLife.engine = engines.create_engine(f"sqlite:///{tmp_path / 'jobs.sqlite'}")
    migrate(JobLife.engine)
    try:
        lives = settings(max_examples=10, stateful_step_count=16)
        run_state_machine_as_test(JobLife, settings=lives)
    finally:
        JobLife.engine.dispose()
