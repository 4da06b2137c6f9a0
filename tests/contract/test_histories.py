"""A few random histories of two centers; `make test-faults` runs a thousand."""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from rtpacs.store import engine as engines
from rtpacs.store.migrations import migrate
from tests.contract.conftest import empty
from tests.contract.databases import Database, FakeClock
from tests.contract.histories import Histories

HISTORIES = 10
STEPS = 12


@pytest.mark.slow
def test_random_histories_of_two_centers_keep_every_rule(tmp_path):
    """What the index shows follows from what was sent, deleted, withdrawn and decided."""
    run_histories(tmp_path, HISTORIES)


def run_histories(folder, count: int) -> None:
    """Run so many histories on one SQLite file, emptied for each."""
    url = f"sqlite:///{folder / 'histories.sqlite'}"
    engine = engines.create_engine(url)
    migrate(engine)

    def new_database() -> Database:
        empty(engine)
        return Database(engine=engine, clock=FakeClock(), url=url)

    Histories.new_database = staticmethod(new_database)
    try:
        run_state_machine_as_test(
            Histories,
            settings=settings(
                max_examples=count,
                stateful_step_count=STEPS,
                deadline=None,
                derandomize=True,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        engine.dispose()
