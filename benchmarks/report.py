"""What a benchmark found, as lines while it runs and as one table at the end."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

HEAD = ("subject", "goal", "measured", "met")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Repeated measurements of one thing; lowest and highest show the noise of the machine."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle value."""
        return statistics.median(self.values)

    @property
    def highest(self) -> float:
        """The largest value."""
        return max(self.values)

    def text(self, digits: int, unit: str = "") -> str:
        """Median (lowest–highest)."""
        low, high = min(self.values), max(self.values)
        tail = f" {unit}" if unit else ""
        return f"{self.median:.{digits}f} ({low:.{digits}f}–{high:.{digits}f}){tail}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One row of the table; ``met`` is None for what has no goal."""

    subject: str
    goal: str
    measured: str
    met: bool | None


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """Quotients of runs that followed each other, so that slow drift of the machine cancels."""
    return Spread(values=tuple(a / b for a, b in zip(ours, theirs, strict=True)))


def print_table(results: Sequence[Result]) -> None:
    """Print goal, measured value and whether the goal was met."""
    rows = [HEAD, *((r.subject, r.goal, r.measured, _word(r.met)) for r in results)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    for row in rows:
        print(
            "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        )


def _word(met: bool | None) -> str:
    return "–" if met is None else ("yes" if met else "NO")
