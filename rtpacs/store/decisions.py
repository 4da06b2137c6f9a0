"""Decisions of people as rows: made, undone, read for a patient, exported and imported.

A decision and the assembly of the patients whom it concerns are written in one transaction.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from rtpacs.errors import NotFoundError, StateError
from rtpacs.rules.decisions import (
    Decision,
    DecisionKind,
    Statement,
    in_force,
    newest_of,
    topic,
)
from rtpacs.services.ports import Clock
from rtpacs.store.asking import ask_assembly
from rtpacs.store.codec import decode, encode
from rtpacs.store.engine import Serial, chunks, now, reading, writing
from rtpacs.store.jobs import SqlJobs
from rtpacs.store.schema import center, decision, dicom_object, patient, version
from rtpacs.store.sight import KNOWN, PATIENTS
from rtpacs.store.unassigning import unassign

_TICK = timedelta(microseconds=1)
_BY_FRAME = DecisionKind.REGISTRATION.value
_BY_SOP_UID = DecisionKind.VERSION.value
_NAMED_BY: dict[DecisionKind, "sa.Column[Any]"] = {
    DecisionKind.REGISTRATION: dicom_object.c.frame_of_reference_uid,
    DecisionKind.VERSION: dicom_object.c.sop_uid,
}


class SqlDecisions:
    """``services.ports.DecisionBook`` on SQL."""

    def __init__(self, engine: sa.Engine, clock: Clock, jobs: SqlJobs) -> None:
        self._engine = engine
        self._clock = clock
        self._jobs = jobs

    def patient_of(self, made: Statement) -> int | None:
        """The patient whom a statement is about, by the identifiers in it; none in quarantine."""
        name, column = made.subject, dicom_object.c.orthanc_id
        if made.kind is DecisionKind.REGISTRATION:
            name = made.registration or ""
        elif made.kind is DecisionKind.VERSION:
            column = dicom_object.c.sop_uid
        with reading(self._engine) as connection:
            key: int | None = connection.execute(
                sa.select(patient.c.id)
                .select_from(PATIENTS.join(dicom_object, dicom_object.c.patient_id == patient.c.id))
                .where(column == name, center.c.code == made.center, KNOWN)
                .order_by(patient.c.id)
                .limit(1)
            ).scalar()
        return key

    def add(self, made: Statement, *, author: str, reason: str, seen: str | None) -> str:
        """Record a decision and ask for the assembly of the patients concerned.

        Parameters
        ----------
        seen
            Id of the newest decision on the same topic that its author saw; None for none.

        Returns
        -------
        str
            The id of the decision.

        Raises
        ------
        StateError
            Somebody decided meanwhile; the text says who and when.
        """
        with writing(self._engine, serial=Serial.INDEX) as connection:
            return record(
                connection,
                (self._jobs, self._clock),
                made,
                author=author,
                reason=reason,
                seen=seen,
            ).decision_id

    def undo(self, decision_id: str, *, author: str, reason: str) -> None:
        """Take a decision back with all of its group; those before them count again.

        Raises
        ------
        NotFoundError
            There is no such decision.
        StateError
            It was taken back already.
        """
        with writing(self._engine, serial=Serial.INDEX) as connection:
            undone = take_back(
                connection, (self._jobs, self._clock), decision_id, author=author, reason=reason
            )
            for made in undone:
                if made.kind is DecisionKind.SENDER:
                    unassign(connection, self._jobs, self._clock, made)
            apply(connection, self._jobs, undone)

    def of_patient(self, patient_key: int) -> tuple[Decision, ...]:
        """All decisions that concern objects of a patient, undone ones too, oldest first."""
        with reading(self._engine) as connection:
            return decisions_of(connection, patient_key)

    def one(self, decision_id: str) -> Decision:
        """A decision by its id.

        Raises
        ------
        NotFoundError
            There is no such decision.
        """
        with reading(self._engine) as connection:
            return _one(connection, decision_id)

    def dump(self) -> Iterator[Decision]:
        """Every decision, oldest first, as backup and export keep them."""
        with reading(self._engine) as connection:
            found = _found(connection, sa.true())
        yield from found

    def load(self, decisions: Iterable[Decision]) -> int:
        """Take over decisions of an export; returns how many were new or newly undone.

        What is here stays: a decision that is known by its id only becomes undone where the
        export says so.
        """
        with writing(self._engine, serial=Serial.INDEX) as connection:
            changed = [item for item in decisions if _take_over(connection, item)]
            apply(connection, self._jobs, [item.statement for item in changed])
        return len(changed)


def record(
    connection: sa.Connection,
    means: tuple[SqlJobs, Clock],
    made: Statement,
    *,
    author: str,
    reason: str,
    seen: str | None,
) -> Decision:
    """Write a decision in the caller's transaction and let it take effect.

    Raises
    ------
    StateError
        Somebody decided on the same topic since ``seen``.
    """
    newest = newest_of(on_topics(connection, [topic(made)]), topic(made))
    if (newest.decision_id if newest else None) != seen:
        raise StateError(_meanwhile(newest))
    return record_together(connection, means, [made], author=author, reason=reason)[0]


def record_together(
    connection: sa.Connection,
    means: tuple[SqlJobs, Clock],
    made: Sequence[Statement],
    *,
    author: str,
    reason: str,
) -> list[Decision]:
    """Write the decisions of one act, each on a topic of its own, and let them take effect."""
    jobs, clock = means
    rivals = on_topics(connection, [topic(item) for item in made])
    # Two decisions of one moment still have an order, whatever the clock does.
    time = max([now(connection, clock), *(item.decided_at + _TICK for item in rivals)])
    made = _knowing(connection, made)
    ids = [uuid4().hex for _ in made]
    new = [
        Decision(
            decision_id=key,
            statement=item,
            author=author,
            reason=reason,
            decided_at=time,
            group=ids[0] if len(ids) > 1 else "",
        )
        for key, item in zip(ids, made, strict=True)
    ]
    connection.execute(sa.insert(decision), [_row(item) for item in new])
    apply(connection, jobs, made)
    return new


def _knowing(connection: sa.Connection, made: Sequence[Statement]) -> list[Statement]:
    """Name in decisions on versions every content that is here: a rebuilt index names it anew."""
    uids = {item.subject for item in made if item.kind is DecisionKind.VERSION}
    known: dict[tuple[str, str], set[str]] = defaultdict(set)
    for part in chunks(sorted(uids)):
        for row in connection.execute(
            sa.select(center.c.code, version.c.sop_uid, version.c.digest)
            .join(center, center.c.id == version.c.center_id)
            .where(version.c.sop_uid.in_(part), version.c.dicom_object_id.is_not(None))
        ):
            known[row.code, row.sop_uid].add(row.digest)
    return [
        replace(item, known=tuple(sorted(known[item.center, item.subject])))
        if item.kind is DecisionKind.VERSION
        else item
        for item in made
    ]


def on_topics(connection: sa.Connection, topics: Collection[str]) -> list[Decision]:
    """All decisions on some topics, undone ones too, oldest first within what is asked at once."""
    found: list[Decision] = []
    for part in chunks(sorted(topics)):
        found += _found(connection, decision.c.topic.in_(part))
    return found


def standing(connection: sa.Connection, made: Statement) -> str | None:
    """The id of the newest decision on the topic of a statement."""
    newest = newest_of(on_topics(connection, [topic(made)]), topic(made))
    return newest.decision_id if newest else None


def _meanwhile(newest: Decision | None) -> str:
    if newest is None:
        return "The decision that you saw was undone meanwhile: look again before you decide."
    return (
        f"{newest.author} decided on this meanwhile ({newest.decided_at:%Y-%m-%d %H:%M} UTC): "
        "look again before you decide."
    )


def take_back(
    connection: sa.Connection,
    means: tuple[SqlJobs, Clock],
    decision_id: str,
    *,
    author: str,
    reason: str,
) -> list[Statement]:
    """Mark a decision, with all of its group, as undone; effects are the caller's.

    Raises
    ------
    NotFoundError, StateError
        No such decision, or it was undone before.
    """
    before = _one(connection, decision_id)
    if before.undone_at is not None:
        raise StateError(
            f"{before.undone_by} undid this decision already "
            f"({before.undone_at:%Y-%m-%d %H:%M} UTC)."
        )
    act = decision.c.public_id == decision_id
    if before.group:
        act = (decision.c.group_id == before.group) & decision.c.undone_at.is_(None)
    undone = _found(connection, act)
    connection.execute(
        sa.update(decision)
        .where(act)
        .values(undone_at=now(connection, means[1]), undone_by=author, undo_reason=reason or None)
    )
    return [item.statement for item in undone]


def apply(connection: sa.Connection, jobs: SqlJobs, made: Iterable[Statement]) -> None:
    """Ask for the assembly of every patient of the center whom statements concern."""
    ask_assembly(connection, jobs, _concerned(connection, made))


def _concerned(connection: sa.Connection, made: Iterable[Statement]) -> set[int]:
    """Keys of the patients with objects that statements name."""
    names: dict[tuple[DecisionKind, str], set[str]] = defaultdict(set)
    for item in made:
        names[item.kind, item.center] |= {name for name in (item.subject, item.target) if name}
    found: set[int] = set()
    for (kind, code), named in names.items():
        column = _NAMED_BY.get(kind, dicom_object.c.orthanc_id)
        for part in chunks(sorted(named)):
            found |= set(
                connection.scalars(
                    sa.select(dicom_object.c.patient_id)
                    .join(patient, patient.c.id == dicom_object.c.patient_id)
                    .join(center, center.c.id == patient.c.center_id)
                    .where(column.in_(part), center.c.code == code)
                    .distinct()
                )
            )
    return found


def decisions_of(connection: sa.Connection, patient_key: int) -> tuple[Decision, ...]:
    """Every decision on a patient's objects and frames of reference, oldest first."""
    code = connection.execute(
        sa.select(center.c.code)
        .join(patient, patient.c.center_id == center.c.id)
        .where(patient.c.id == patient_key)
    ).scalar()
    own = dicom_object.c.patient_id == patient_key
    subject = decision.c.subject
    names = sa.select(dicom_object.c.orthanc_id).where(own)
    uids = sa.select(dicom_object.c.sop_uid).where(own)
    frames = sa.select(dicom_object.c.frame_of_reference_uid).where(own)
    by_frame = sa.and_(
        decision.c.kind == _BY_FRAME,
        sa.or_(subject.in_(frames), decision.c.target.in_(frames)),
    )
    by_uid = sa.and_(decision.c.kind == _BY_SOP_UID, subject.in_(uids))
    return tuple(
        _found(
            connection,
            sa.and_(decision.c.center == code, sa.or_(subject.in_(names), by_frame, by_uid)),
        )
    )


def chosen_versions(
    connection: sa.Connection, center_code: str, sop_uids: Sequence[str]
) -> dict[str, str]:
    """SOP Instance UID to the digest of the version that counts, where somebody decided."""
    found: list[Decision] = []
    for part in chunks(sop_uids):
        found += _found(
            connection,
            sa.and_(
                decision.c.kind == _BY_SOP_UID,
                decision.c.center == center_code,
                decision.c.subject.in_(part),
            ),
        )
    return {
        item.statement.subject: item.statement.target
        for item in in_force(found)
        if item.statement.target
    }


def _one(connection: sa.Connection, decision_id: str) -> Decision:
    found = _found(connection, decision.c.public_id == decision_id)
    if not found:
        raise NotFoundError("there is no such decision")
    return found[0]


def _found(connection: sa.Connection, where: "sa.ColumnElement[bool]") -> list[Decision]:
    rows = connection.execute(
        sa.select(decision).where(where).order_by(decision.c.decided_at, decision.c.public_id)
    )
    return [as_decision(row) for row in rows]


def as_decision(row: "sa.Row[Any]") -> Decision:
    """The decision of a row."""
    return Decision(
        decision_id=row.public_id,
        statement=decode(Statement, row.statement),
        author=row.author,
        reason=row.reason,
        decided_at=row.decided_at,
        undone_at=row.undone_at,
        undone_by=row.undone_by,
        undo_reason=row.undo_reason,
        group=row.group_id,
    )


def _row(item: Decision) -> dict[str, Any]:
    made = item.statement
    return {
        "public_id": item.decision_id,
        "kind": made.kind.value,
        "center": made.center,
        "subject": made.subject,
        "target": made.target,
        "topic": topic(made),
        "statement": encode(made),
        "author": item.author,
        "reason": item.reason,
        "decided_at": item.decided_at,
        "undone_at": item.undone_at,
        "undone_by": item.undone_by,
        "undo_reason": item.undo_reason,
        "group_id": item.group,
    }


def _take_over(connection: sa.Connection, item: Decision) -> bool:
    known: datetime | None
    row = connection.execute(
        sa.select(decision.c.undone_at).where(decision.c.public_id == item.decision_id)
    ).first()
    if row is None:
        connection.execute(sa.insert(decision).values(_row(item)))
        return True
    known = row.undone_at
    if known is not None or item.undone_at is None:
        return False
    connection.execute(
        sa.update(decision)
        .where(decision.c.public_id == item.decision_id)
        .values(undone_at=item.undone_at, undone_by=item.undone_by, undo_reason=item.undo_reason)
    )
    return True
