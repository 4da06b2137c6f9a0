"""What the filters of lists offer."""

from dataclasses import dataclass

from rtpacs.rules.plan_sets import PlanSetState, TreatmentStatus
from rtpacs.services.views import CenterRow
from webui.asking import awaited_since
from webui.callers import desk

# What a plan consists of and comes with; any other modality can be written into the address.
MODALITIES = (
    "CT",
    "MR",
    "PT",
    "RTSTRUCT",
    "RTPLAN",
    "RTDOSE",
    "RTRECORD",
    "REG",
    "SEG",
)
APPROVALS = ("APPROVED", "UNAPPROVED", "REJECTED")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """Values to choose from."""

    centers: tuple[CenterRow, ...]
    projects: tuple[tuple[str, str], ...]
    awaited_since: str
    modalities: tuple[str, ...] = MODALITIES
    states: tuple[PlanSetState, ...] = tuple(PlanSetState)
    approvals: tuple[str, ...] = APPROVALS
    treatments: tuple[TreatmentStatus, ...] = tuple(TreatmentStatus)


def choices() -> Choices:
    """What the caller may choose from."""
    projects = tuple((row.code, row.title or row.code) for row in desk().projects.mine())
    return Choices(
        centers=tuple(desk().directory.centers()),
        projects=projects,
        awaited_since=awaited_since(),
    )
