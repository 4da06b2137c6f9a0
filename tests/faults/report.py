"""The table of the fault matrix in a document, of which a run renews the rows that it tested."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.faults.matrix import MATRIX

HEAD = "| row | fault | asked | measured | state | tests |"
ROW = "row of the fault matrix"


@dataclass
class Outcome:
    """What the tests of one row did; ``tests`` are names with their files."""

    tests: dict[str, None] = field(default_factory=dict)
    measured: dict[str, None] = field(default_factory=dict)
    failed: int = 0
    skipped: int = 0

    @property
    def state(self) -> str:
        """One word for the row."""
        if self.failed:
            return "**failed**"
        return "partly tested" if self.skipped else "reached"


class FaultTable:
    """A pytest plugin: runs the fault suite and writes what it measured into a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._outcomes: dict[str, Outcome] = {}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Keep this folder and what takes a row elsewhere; reports carry the rows."""
        here, kept = Path(__file__).parent, []
        for item in items:
            rows = [row for mark in item.iter_markers("fault") for row in mark.args]
            item.user_properties += [(ROW, row) for row in rows]
            if rows or here in item.path.parents:
                kept.append(item)
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = kept

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note one phase of a test."""
        for row in [str(value) for name, value in report.user_properties if name == ROW]:
            outcome = self._outcomes.setdefault(row, Outcome())
            outcome.tests[_short(report.nodeid)] = None
            outcome.failed += report.failed
            outcome.skipped += report.skipped
            values = [str(value) for name, value in report.user_properties if name == "measured"]
            outcome.measured.update(dict.fromkeys(values))

    def pytest_sessionfinish(self) -> None:
        """Renew the rows in the file."""
        document = self._path.read_text(encoding="utf-8")
        self._path.write_text(renewed(document, self._outcomes), encoding="utf-8")


def renewed(document: str, outcomes: Mapping[str, Outcome]) -> str:
    """The document with the rows of these outcomes written anew.

    Raises
    ------
    ValueError
        The document has no table.
    """
    head, found, rest = document.partition(HEAD)
    if not found:
        raise ValueError("the document has no table of faults")
    rows, _, tail = rest.partition("\n\n")
    kept = {line.split("|")[1].strip(): line for line in rows.splitlines()[2:]}
    lines = [_line(row, outcomes[row]) if row in outcomes else kept.get(row, "") for row in MATRIX]
    table = "\n".join([HEAD, "|---|---|---|---|---|---|", *filter(None, lines)])
    return f"{head}{table}\n\n{tail}"


def _line(row: str, outcome: Outcome) -> str:
    fault = MATRIX[row]
    measured = "; ".join(outcome.measured) or "as asked"
    tests = "<br>".join(f"`{name}`" for name in outcome.tests)
    return f"| {row} | {fault.what} | {fault.asked} | {measured} | {outcome.state} | {tests} |"


def _short(node_id: str) -> str:
    """A test's folder, file and name without parameters."""
    file, *names = node_id.partition("[")[0].split("::")
    return f"{Path(file).parent.name}/{Path(file).stem}: {names[-1]}"
