"""A thousand random worlds of users, projects, ticks, data and moves against the oracle."""

from tests.contract.conftest import *  # noqa: F403  # both engines
from tests.contract.databases import Database
from tests.contract.test_worlds import run_worlds


def test_a_thousand_worlds_agree_with_the_oracle(database: Database):
    """docs/access.md holds for every list and every single answer, on both engines."""
    run_worlds(database, 1000, seed=2026)
