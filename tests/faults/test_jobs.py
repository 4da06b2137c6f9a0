"""Many jobs, many takeovers, several workers and askers at once."""

import time

import pytest

from tests.contract.databases import Database
from tests.contract.test_job_history import (
    Workers,
    assert_served_without_overlap,
    take_over_often,
)

JOBS = 10_000
KEYS = 50
TAKEOVERS = 1000


@pytest.mark.fault("B15")
def test_ten_thousand_jobs_never_overlap(database: Database, record_property):
    """Two askers and four workers on two connections to the database."""
    workers = Workers(database)
    begun = time.monotonic()
    share = [f"{number % KEYS}" for number in range(JOBS // 2)]
    workers.run(share, share, seconds=900)
    seconds = time.monotonic() - begun
    assert_served_without_overlap(workers, JOBS)
    record_property(
        "measured",
        f"{database.engine.dialect.name}: {JOBS} requests in {len(workers.runs)} runs, 0 overlaps, "
        f"{seconds:.0f} s",
    )


@pytest.mark.fault("B15")
def test_ten_thousand_keys_run_once_each(database: Database, record_property):
    """Each job goes to exactly one of four workers."""
    workers = Workers(database)
    keys = [f"{number}" for number in range(JOBS)]
    workers.run(keys[::2], keys[1::2], seconds=900)
    assert sorted(claim.key for claim in workers.runs) == sorted(keys)
    assert_served_without_overlap(workers, JOBS)
    record_property("measured", f"{database.engine.dialect.name}: {JOBS} jobs ran once each")


@pytest.mark.fault("B9")
def test_a_thousand_late_workers_write_nothing(database: Database, record_property):
    """Each slept past its lease, and another one took over."""
    refused = take_over_often(database, TAKEOVERS)
    assert refused == TAKEOVERS
    record_property(
        "measured", f"{database.engine.dialect.name}: {refused} of {TAKEOVERS} late writes refused"
    )
