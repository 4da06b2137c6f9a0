"""``--faults FILE`` runs what takes a row of the fault matrix, and renews the table in the file."""

from pathlib import Path

import pytest

from tests.faults.report import FaultTable


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option that makes a run one of the fault matrix."""
    parser.addoption("--faults", metavar="FILE", help="run the fault matrix; renew its table here")


def pytest_configure(config: pytest.Config) -> None:
    """Choose and listen from the beginning."""
    if path := config.getoption("--faults"):
        config.pluginmanager.register(FaultTable(Path(path)))
