"""What holds for every test.

Property tests look at the same examples in every run and without a time limit for one: a red run
speaks of the change, not of luck or of what else the machine does. New examples are looked for by
``--hypothesis-profile=search``.

``--faults FILE`` runs `tests/faults` and what else takes a row of the matrix, and renews the table
in the file.
"""

from pathlib import Path

import pytest
from hypothesis import settings

from tests.faults.report import FaultTable

settings.register_profile("ci", deadline=None, derandomize=True, database=None, max_examples=50)
settings.register_profile("search", deadline=None, max_examples=1000)
settings.load_profile("ci")


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option that makes a run one of the fault matrix."""
    parser.addoption("--faults", metavar="FILE", help="run the fault matrix; renew its table here")


def pytest_configure(config: pytest.Config) -> None:
    """Choose and listen from the beginning."""
    if path := config.getoption("--faults"):
        config.pluginmanager.register(FaultTable(Path(path)))
