"""How the tables of an extract are described: columns with units and meaning."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractColumn:
    """One column; ``to`` names the table whose ``id`` it refers to."""

    name: str
    kind: type[Any]
    unit: str = ""
    meaning: str
    to: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractTable:
    """One table; rows are named by ``key``."""

    name: str
    meaning: str
    columns: tuple[ExtractColumn, ...]
    key: str | tuple[str, ...]

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names in order."""
        return tuple(column.name for column in self.columns)


def text(name: str, meaning: str, *, to: str | None = None, unit: str = "") -> ExtractColumn:
    """A column of text; JSON where the unit says so."""
    return ExtractColumn(name=name, kind=str, meaning=meaning, to=to, unit=unit)


def whole(name: str, meaning: str, *, to: str | None = None) -> ExtractColumn:
    """A column of whole numbers."""
    return ExtractColumn(name=name, kind=int, meaning=meaning, to=to)


def number(name: str, unit: str, meaning: str) -> ExtractColumn:
    """A column of numbers with their unit."""
    return ExtractColumn(name=name, kind=float, unit=unit, meaning=meaning)


PLAN_SET = text("plan_set", "the plan set", to="plan_sets")
