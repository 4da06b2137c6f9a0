"""Whether somebody may do something: deny by default, and a refusal outweighs every right."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Action(StrEnum):
    """What somebody wants to do."""

    SEE_SUMMARY = "see summary"
    SEE_PATIENT = "see patient"
    SEND = "send"
    ADMINISTER = "administer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """What it is about; ``center`` None is the installation itself, with no patient data."""

    center: str | None = None
    quarantined: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Yes or no, with the reason that the audit keeps."""

    allowed: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """Permission for some actions; ``centers`` None covers every center."""

    actions: frozenset[Action]
    reason: str
    centers: frozenset[str] | None = None

    def covers(self, action: Action, resource: Resource) -> bool:
        """Whether this right permits the action on the resource."""
        if action not in self.actions:
            return False
        return self.centers is None or resource.center in self.centers


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Something that forbids, whatever the rights; ``actions`` None forbids all."""

    reason: str
    actions: frozenset[Action] | None = None
    centers: frozenset[str] | None = None

    def covers(self, action: Action, resource: Resource) -> bool:
        """Whether this refusal forbids the action on the resource."""
        if self.actions is not None and action not in self.actions:
            return False
        return self.centers is None or resource.center in self.centers


PATIENT_ACTIONS = frozenset({Action.SEE_SUMMARY, Action.SEE_PATIENT, Action.SEND})

ADMINISTRATOR = Right(
    actions=frozenset({Action.ADMINISTER}),
    reason="administrators run the installation; they see no patient data unless granted",
)

PHYSICIST = Right(
    actions=PATIENT_ACTIONS,
    reason="this account works with the data of all centers",
)


def decide(
    action: Action, resource: Resource, rights: Iterable[Right], refusals: Iterable[Refusal]
) -> Decision:
    """Deny unless some right allows it and nothing refuses it.

    Rights add up; a missing one is no refusal. What is quarantined is refused to everybody but
    the administration, which counts it without names.

    Parameters
    ----------
    rights, refusals
        Those of the one who asks.
    """
    if resource.quarantined and action in PATIENT_ACTIONS:
        return Decision(allowed=False, reason="the data is in quarantine until its sender is known")
    for refusal in refusals:
        if refusal.covers(action, resource):
            return Decision(allowed=False, reason=refusal.reason)
    for right in rights:
        if right.covers(action, resource):
            return Decision(allowed=True, reason=right.reason)
    return Decision(allowed=False, reason="nothing gives this right")
