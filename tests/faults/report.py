"""The table of the fault matrix in a document, from what the last runs measured.

Results are kept in ``build/faults.json``, so that rows can be run one by one.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

from rtpacs.settings import CHECKOUT
from tests.faults.matrix import MATRIX

HEAD = "| row | fault | asked | measured | state | tests |"
RULE = "|---|---|---|---|---|---|"
RESULTS = CHECKOUT / "build" / "faults.json"
ROW, MEASURED, PARTLY = "row of the fault matrix", "measured", "partly"
REACHED, SKIPPED, FAILED = "reached", "partly tested", "**failed**"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one test found out about one row; ``state`` is one of those above."""

    row: str
    test: str
    measured: str
    state: str


class FaultTable:
    """A pytest plugin: runs the fault suite and writes what it measured into a document."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._results: dict[str, Result] = {}

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
        """Note one phase of a test; what went wrong in one is not forgotten in the next."""
        properties = [(name, str(value)) for name, value in report.user_properties]
        measured = "; ".join(value for name, value in properties if name == MEASURED)
        partly = report.skipped or any(name == PARTLY for name, _ in properties)
        state = FAILED if report.failed else SKIPPED if partly else REACHED
        for row in [value for name, value in properties if name == ROW]:
            key = f"{row} {report.nodeid}"
            before = self._results.get(key)
            worst = state if before is None or before.state == REACHED else before.state
            self._results[key] = Result(
                row=row, test=_short(report.nodeid), measured=measured, state=worst
            )

    def pytest_sessionfinish(self) -> None:
        """Add to what earlier runs found, and renew the document."""
        RESULTS.parent.mkdir(exist_ok=True)
        known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
        known |= {key: asdict(result) for key, result in self._results.items()}
        RESULTS.write_text(json.dumps(known, indent=1, sort_keys=True), encoding="utf-8")
        document = self._path.read_text(encoding="utf-8")
        results = [Result(**known[key]) for key in sorted(known)]
        self._path.write_text(renewed(document, results), encoding="utf-8")


def renewed(document: str, results: Iterable[Result]) -> str:
    """The document with a table of these results, where it had one; other rows stay.

    Raises
    ------
    ValueError
        It had none.
    """
    head, found, rest = document.partition(HEAD)
    if not found:
        raise ValueError("the document has no table of faults")
    table, _, after = rest.partition("\n\n")
    present = {line.split(" | ")[0].removeprefix("| "): line for line in table.splitlines()}
    by_row: dict[str, list[Result]] = {row: [] for row in MATRIX}
    for result in results:
        by_row[result.row].append(result)
    lines = [
        present[row] if row in present and not found_out else _line(row, found_out)
        for row, found_out in by_row.items()
    ]
    return "\n".join([f"{head}{HEAD}", RULE, *lines]) + "\n\n" + after


def _line(row: str, results: list[Result]) -> str:
    fault = MATRIX[row]
    states = {result.state for result in results} or {"not run"}
    state = next(item for item in (FAILED, SKIPPED, REACHED, "not run") if item in states)
    measured = "; ".join(dict.fromkeys(item.measured for item in results if item.measured))
    measured = measured or (_as_asked(len(results)) if state == REACHED else "")
    tests = "<br>".join(dict.fromkeys(f"`{item.test}`" for item in results))
    return f"| {row} | {fault.what} | {fault.asked} | {measured} | {state} | {tests} |"


def _as_asked(cases: int) -> str:
    return "as asked" if cases == 1 else f"as asked in {cases} cases"


def _short(node_id: str) -> str:
    """A test's folder, file and name without parameters."""
    file, *names = node_id.partition("[")[0].split("::")
    return f"{Path(file).parent.name}/{Path(file).stem}: {names[-1]}"
