"""The decisions that are in force on one patient's objects, looked up by what they settle."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from rtpacs.rules.decisions import Decision, DecisionKind, in_force
from rtpacs.rules.objects import ReferenceKind
from rtpacs.rules.plan_sets import Settlement


class Settled:
    """Decisions of one center on one patient.

    Parameters
    ----------
    decisions
        In any order, undone ones too.
    """

    def __init__(self, decisions: Sequence[Decision] = ()) -> None:
        self.in_force = in_force(decisions)

    def on(self, kind: DecisionKind, subject: str) -> Decision | None:
        """The decision of a kind on one object, sender or UID."""
        found = [
            item
            for item in self.in_force
            if item.statement.kind is kind and item.statement.subject == subject
        ]
        return found[-1] if found else None

    def link(self, relation: ReferenceKind, subject: str) -> Decision | None:
        """The newest link from an object: each has at most one of a kind."""
        found = self._on_links(DecisionKind.LINK, relation, subject)
        return found[-1] if found else None

    def links_to(self, relation: ReferenceKind, target: str) -> tuple[Decision, ...]:
        """Links of a kind towards an object, oldest first, each the newest of its own subject."""
        return tuple(
            item
            for item in self.in_force
            if item.statement.target == target
            and self.link(relation, item.statement.subject) is item
        )

    def unlinked(self, relation: ReferenceKind, subject: str) -> dict[str, Decision]:
        """What an object is said not to refer to, by target."""
        return _by_target(self._on_links(DecisionKind.UNLINK, relation, subject))

    def missing(self, relation: ReferenceKind, subject: str) -> dict[str, Decision]:
        """What an object refers to and somebody accepted as missing, by UID."""
        return _by_target(self._on_links(DecisionKind.MISSING, relation, subject))

    def registration(self, one: str, other: str) -> Decision | None:
        """The accepted registration of two frames of reference, in either direction."""
        for item in self.in_force:
            made = item.statement
            if made.kind is DecisionKind.REGISTRATION and {made.subject, made.target} == {
                one,
                other,
            }:
                return item
        return None

    def accepted(self, frames: Iterable[str], other: str | None) -> Decision | None:
        """The accepted registration of a frame of reference with one of several."""
        found = (self.registration(frame, other) for frame in sorted(frames) if other)
        return next((item for item in found if item is not None), None)

    def touching(
        self, names: Iterable[str], frames: Iterable[str], *, plan: str
    ) -> tuple[Settlement, ...]:
        """What was decided about a plan set.

        Parameters
        ----------
        names
            Orthanc ids and SOP Instance UIDs of its objects.
        frames
            Its frames of reference.
        plan
            Orthanc id of its plan: a dose that was taken from it is still about it.
        """
        objects, places = set(names), set(frames)
        acts: dict[str, list[Decision]] = defaultdict(list)
        for item in self.in_force:
            made = item.statement
            if (
                made.subject in objects
                or made.target == plan
                or {made.subject, made.target} <= places
            ):
                acts[item.group or item.decision_id].append(item)
        return tuple(
            Settlement(
                decision_id=key,
                about=together[0].statement.kind.value,
                text=words(together[0], len(together)),
            )
            for key, together in acts.items()
        )

    def _on_links(
        self, kind: DecisionKind, relation: ReferenceKind, subject: str
    ) -> list[Decision]:
        return [
            item
            for item in self.in_force
            if item.statement.kind is kind
            and item.statement.relation is relation
            and item.statement.subject == subject
        ]


def _by_target(decisions: Iterable[Decision]) -> dict[str, Decision]:
    return {item.statement.target: item for item in decisions if item.statement.target}


def words(decision: Decision, count: int = 1) -> str:
    """What was decided, by whom, when and why, in one sentence; of so many in one act."""
    return f"{settled_words(decision, count)} by {signature(decision)}"


def signature(decision: Decision) -> str:
    """Who decided, when and why."""
    return f"{decision.author}, {decision.decided_at:%Y-%m-%d}: {decision.reason}"


def settled_words(decision: Decision, count: int = 1) -> str:
    """What was decided, in a few words; for so many objects in one act."""
    made = decision.statement
    if made.kind is DecisionKind.PRESCRIPTION:
        levels = ", ".join(f"{item.name} {item.dose_gy:g} Gy" for item in made.targets)
        return f"Prescription ({levels}) stated"
    if made.kind is DecisionKind.FRACTIONS:
        return f"{made.fractions} planned fractions stated"
    if made.kind is DecisionKind.TREATMENT:
        part = f", {made.fractions} fractions" if made.fractions else ""
        day = f", {made.date}" if made.date else ""
        return f"Treatment status ({made.status}{part}{day}) stated"
    return {
        DecisionKind.LINK: f"Link ({made.relation}) made",
        DecisionKind.UNLINK: f"Link ({made.relation}) taken away",
        DecisionKind.MISSING: f"Missing reference ({made.relation}) accepted",
        DecisionKind.REGISTRATION: "Registration of two frames of reference accepted",
        DecisionKind.SENDER: f"Sender assigned to {made.target}",
        DecisionKind.VERSION: f"Versions of {count} objects chosen"
        if count > 1
        else "Version chosen",
        DecisionKind.CALCULATION: "DVHs of a dose asked for",
    }[made.kind]
