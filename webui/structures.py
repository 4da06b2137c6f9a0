"""The structures of a calculation as a page lists them: grouped, ordered, with reasons for gaps."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol

from rtpacs.services.views import CalculationView, DvhRow, TpsDvhRow
from webui.readings import Reading

TARGET_TYPES = frozenset({"PTV", "CTV", "GTV", "TREATED_VOLUME", "IRRAD_VOLUME"})
BACKGROUND_TYPES = frozenset({"EXTERNAL", "SUPPORT", "MARKER", "FIXATION", "REGISTRATION", "BOLUS"})
BACKGROUND_PREFIXES = ("BODY", "EXTERNAL", "COUCH")
TARGET_PREFIXES = ("PTV", "CTV", "GTV", "ITV", "IGTV")


class Group(StrEnum):
    """Under which heading a structure stands, in this order."""

    TARGETS = "Targets"
    ORGANS = "Organs"
    BACKGROUND = "Body, supports, markers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric column: the heading, the field of ``DvhRow`` and what it means."""

    heading: str
    field: str
    meaning: str


METRICS = (
    Metric(heading="Min", field="min_gy", meaning="minimum dose of the covered part"),
    Metric(heading="Mean", field="mean_gy", meaning="mean dose of the covered part"),
    Metric(heading="Max", field="max_gy", meaning="maximum dose of the covered part"),
    Metric(heading="D98", field="d98_gy", meaning="near minimum: 98 % of the volume gets at least"),
    Metric(heading="D95", field="d95_gy", meaning="95 % of the volume gets at least"),
    Metric(heading="Median", field="d50_gy", meaning="D50: half of the volume gets at least this"),
    Metric(heading="D2", field="d2_gy", meaning="near maximum: 2 % of the volume gets at least"),
    Metric(
        heading="D0.03cc", field="d0_03cm3_gy", meaning="the hottest 0.03 cm³ gets at least this"
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StructureLine:
    """One line of the structure table; ``shown`` says whether its curve is drawn."""

    dvh: DvhRow
    group: Group
    tps: TpsDvhRow | None
    shown: bool
    drawable: bool
    missing_reason: str
    asked: tuple[Reading, ...]


class Named(Protocol):
    """A structure by name and interpreted type."""

    @property
    def name(self) -> str: ...
    @property
    def interpreted_type(self) -> str | None: ...


def group_of(row: Named) -> Group:
    """Sort a structure by its interpreted type, by its name where the type says nothing."""
    if row.interpreted_type in TARGET_TYPES or row.name.upper().startswith(TARGET_PREFIXES):
        return Group.TARGETS
    untyped = row.interpreted_type is None and row.name.upper().startswith(BACKGROUND_PREFIXES)
    if untyped or row.interpreted_type in BACKGROUND_TYPES:
        return Group.BACKGROUND
    return Group.ORGANS


def lines(
    view: CalculationView,
    chosen: Collection[int] | None,
    asked: Mapping[int, Sequence[Reading]] = MappingProxyType({}),
) -> list[StructureLine]:
    """List structures by group in the order of the structure set.

    Parameters
    ----------
    chosen
        Numbers of the curves to draw; None draws all but body, supports and markers.
    asked
        Further values of each structure, by its number.
    """
    exported = {number: row for row in view.tps_dvhs for number in row.roi_numbers[:1]}
    made = [
        _line(row, exported.get(row.number), chosen, asked.get(row.number, ())) for row in view.dvhs
    ]
    order = list(Group)
    return sorted(made, key=lambda line: order.index(line.group))


def _line(
    row: DvhRow,
    tps: TpsDvhRow | None,
    chosen: Collection[int] | None,
    asked: Sequence[Reading],
) -> StructureLine:
    group = group_of(row)
    drawable = row.status == "calculated"
    wanted = group is not Group.BACKGROUND if chosen is None else row.number in chosen
    return StructureLine(
        dvh=row,
        group=group,
        tps=tps,
        shown=wanted and drawable,
        drawable=drawable,
        asked=tuple(asked),
        missing_reason="; ".join(row.warnings) or f"Not defined: {row.status}.",
    )


def grouped(made: Sequence[StructureLine]) -> list[tuple[Group, list[StructureLine]]]:
    """The same lines under their headings, empty headings left out."""
    pairs = [(group, [line for line in made if line.group is group]) for group in Group]
    return [(group, members) for group, members in pairs if members]
