"""Questions and decisions in memory, with the same refusals as the real ones."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from rtpacs.errors import InvalidInputError, NotFoundError, StateError
from rtpacs.rules.access import NOTHING, Scope
from rtpacs.rules.decisions import (
    Decision,
    DecisionKind,
    StatedTarget,
    Statement,
    in_force,
    newest_of,
    topic,
)
from rtpacs.rules.objects import ReferenceKind
from rtpacs.rules.plan_sets import QuestionKind
from rtpacs.rules.settled import settled_words
from rtpacs.services.desk import DecisionQuery, QuestionQuery
from rtpacs.services.views import (
    AnswerRow,
    DecisionRow,
    Page,
    PatientRow,
    PlanSetRow,
    QuestionRow,
)
from tests.web.sample_plans import NOW

HELD = "orthanc-ob3"


def an_answer(label: str, note: str, target: str) -> AnswerRow:
    """A structure set to link to the crossed plan."""
    return AnswerRow(
        kind=DecisionKind.LINK,
        subject="orthanc-crossed",
        target=target,
        relation=ReferenceKind.PLAN_TO_STRUCTURE_SET,
        registration=None,
        label=label,
        note=note,
        seen=None,
    )


def questions(rows: dict[str, PlanSetRow]) -> list[QuestionRow]:
    """One of each kind that pages draw differently."""
    return [
        QuestionRow(
            id="ps3-structure-set",
            kind=QuestionKind.STRUCTURE_SET,
            patient=rows["ps3"].patient,
            plan_set=rows["ps3"],
            center_code="LAKE",
            subject="orthanc-crossed",
            text="Which structure set belongs to this plan?",
            why="The plan names 2 structure sets: decide which one counts.",
            answers=(
                an_answer("Structure set Pelvis 3", "24 structures, 2026-03-12", "rs-a"),
                an_answer("Structure set Pelvis 3 <edited>", "25 structures, 2026-03-14", "rs-b"),
            ),
            seen=None,
        ),
        QuestionRow(
            id="ps6-prescription",
            kind=QuestionKind.PRESCRIPTION,
            patient=rows["ps6"].patient,
            plan_set=rows["ps6"],
            center_code=rows["ps6"].patient.center_code,
            subject=HELD,
            text="What dose is prescribed?",
            why="The DICOM plan states no prescription (TargetPrescriptionDose).",
            answers=(),
            seen=None,
        ),
        QuestionRow(
            id="ps2-treatment-status",
            kind=QuestionKind.TREATMENT,
            patient=rows["ps2"].patient,
            plan_set=rows["ps2"],
            center_code="NORTH",
            subject="orthanc-head",
            text="Was this plan given?",
            why="Delivery is unknown: no treatment record is here.",
            answers=(),
            seen=None,
        ),
    ]


def on_a_series(patient: PatientRow) -> QuestionRow:
    """All 180 images of a series in no plan set came twice."""
    return QuestionRow(
        id="pt1-9",
        kind=QuestionKind.VERSION,
        patient=patient,
        plan_set=None,
        center_code="NORTH",
        subject="1.2.3",
        text="Which contents of this series count?",
        why="180 images came with several contents: decide which counts.",
        answers=tuple(
            AnswerRow(
                kind=DecisionKind.VERSION,
                subject="1.2.3",
                target=choice,
                relation=None,
                registration=None,
                label=f"What came {choice}: 180 images from CT @ 192.0.2.4, 2026-03-12 09:00 UTC",
                note="differs in SliceThickness" if choice == "last" else "",
                seen="f" * 64,
                series_id="se1",
            )
            for choice in ("first", "last")
        ),
        seen=None,
        series_id="se1",
    )


def a_decision(number: int, made: Statement, **more: object) -> Decision:
    """A decision of an hour before now."""
    made_by = Decision(
        decision_id=f"dc{number}",
        statement=made,
        author="a.physicist",
        reason="treatment card of 12 March",
        decided_at=NOW,
    )
    return replace(made_by, **more)


@dataclass
class FakeDecisions:
    """``Decisions`` and ``DecisionLists`` on lists; an empty scope has no patient's."""

    open: list[QuestionRow]
    scope: Scope = NOTHING
    chosen: list[tuple[str, str, str, str]] = field(default_factory=list)  # contents of series
    made: list[Decision] = field(
        default_factory=lambda: [
            a_decision(
                1,
                Statement(
                    kind=DecisionKind.PRESCRIPTION,
                    center="NORTH",
                    subject="orthanc-ob9",
                    targets=(
                        StatedTarget(name="PTV60", dose_gy=60.0),
                        StatedTarget(name="PTV54", dose_gy=54.0),
                    ),
                ),
            ),
            a_decision(
                2,
                Statement(
                    kind=DecisionKind.SENDER, center="LAKE", subject="PACS@192.0.2.9", target="LAKE"
                ),
                author="admin",
            ),
        ]
    )

    def decide(self, made: Statement, *, author: str, reason: str, seen: str | None) -> str:
        if made.subject not in {question.subject for question in self.open}:
            raise NotFoundError("what this decision is about is not here")
        if made.target == "rs-b":
            raise InvalidInputError("Plan and structure set lie in different frames of reference.")
        newest = newest_of(self.made, topic(made))
        if (newest.decision_id if newest else None) != seen:
            raise StateError("a.physicist decided on this meanwhile: look again.")
        new = a_decision(len(self.made) + 1, made, author=author, reason=reason)
        self.made.append(new)
        return new.decision_id

    def decide_series(
        self, series_id: str, choice: str, *, author: str, reason: str, seen: str | None
    ) -> str:
        (asked,) = [item for item in self.open if item.series_id == series_id] or [None]
        if asked is None:
            raise NotFoundError("this series is not here")
        if seen != asked.answers[0].seen:
            raise StateError("What is open in this series changed meanwhile: look again.")
        self.chosen.append((series_id, choice, author, reason))
        return self.made[0].decision_id

    def one(self, decision_id: str) -> Decision:
        for item in self.made:
            is_sender = item.statement.kind is DecisionKind.SENDER
            if item.decision_id == decision_id and (is_sender or not self.scope.is_empty):
                return item
        raise NotFoundError("there is no such decision")

    def undo(self, decision_id: str, *, author: str, reason: str) -> None:
        before = self.one(decision_id)
        if before.undone_at is not None:
            raise StateError(f"{before.undone_by} undid this decision already.")
        self.made[self.made.index(before)] = replace(
            before, undone_at=NOW, undone_by=author, undo_reason=reason or None
        )

    def questions(self, query: QuestionQuery) -> Page[QuestionRow]:
        rows = [
            row
            for row in self.open
            if (row.kind == query.kind if query.kind else row.kind != QuestionKind.TREATMENT)
            and query.center in ("", row.center_code)
            and query.plan_set_id in ("", row.plan_set.id if row.plan_set else None)
            and query.series_id in ("", row.series_id)
            and query.text.lower() in row.patient.name.lower()
        ]
        part = tuple(rows[query.offset : query.offset + query.limit])
        return Page(items=part, total=len(rows), offset=query.offset, limit=query.limit)

    def senders_waiting(self) -> int:
        return 2

    def waiting(self, kinds: Sequence[str] = ()) -> dict[str, int]:
        open_rows = [] if self.scope.is_empty else self.open
        kinds = [row.kind for row in open_rows if not kinds or row.kind in kinds]
        return {kind: kinds.count(kind) for kind in kinds}

    def decisions(self, query: DecisionQuery) -> Page[DecisionRow]:
        counting = {item.decision_id for item in in_force(self.made)}
        rows = [
            _row(item, counts=item.decision_id in counting)
            for item in reversed(self.made)
            if (item.statement.kind is DecisionKind.SENDER) == query.senders
            and query.kind in ("", item.statement.kind)
            and query.center in ("", item.statement.center)
            and (not query.ids or item.decision_id in query.ids)
        ]
        part = tuple(rows[query.offset : query.offset + query.limit])
        return Page(items=part, total=len(rows), offset=query.offset, limit=query.limit)


def _row(item: Decision, *, counts: bool) -> DecisionRow:
    made, sender = item.statement, item.statement.kind is DecisionKind.SENDER
    return DecisionRow(
        id=item.decision_id, kind=made.kind, center_code=made.center, subject=made.subject,
        target=made.target, relation=made.relation, registration=made.registration,
        targets=made.targets, fractions=made.fractions, status=made.status, date=made.date,
        text=settled_words(item), author=item.author, reason=item.reason,
        decided_at=item.decided_at, undone_at=item.undone_at, undone_by=item.undone_by,
        undo_reason=item.undo_reason, in_force=counts,
        patient_id=None if sender else "pt1", patient_name=None if sender else "Muster^Anna",
        plan_set_id=None if sender else "ps1", label=None if sender else "Lung_VMAT_60",
    )  # fmt: skip
