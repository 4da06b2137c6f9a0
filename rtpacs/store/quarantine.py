"""What waits for an administrator: data of unknown senders, and people without a number.

Counts, dates and kinds of objects are shown, never names or patient numbers.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Engine, FromClause, and_, func, select

from rtpacs.errors import InvalidInputError, NotFoundError, StateError
from rtpacs.rules.decisions import DecisionKind, Statement
from rtpacs.rules.objects import Role
from rtpacs.services.ports import Clock
from rtpacs.services.views import QuarantineRow
from rtpacs.store.asking import ask_assembly
from rtpacs.store.assignment import center_key_of, move, node_for, unknown_senders
from rtpacs.store.decisions import record, standing
from rtpacs.store.engine import Serial, reading, writing
from rtpacs.store.jobs import SqlJobs
from rtpacs.store.merging import settle
from rtpacs.store.schema import center, dicom_object, patient, sender, series
from rtpacs.store.senders import sender_name

UNKNOWN_SENDER = "unknown sender"
NO_NUMBER = "no patient number"
NUMBER_LENGTH = 64  # PS3.5 6.2, LO


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiting:
    """What is counted for one sender or patient."""

    objects: int
    studies: int
    kinds: tuple[tuple[str, int], ...]
    first_received: datetime
    last_received: datetime
    sender_key: int


class SqlQuarantine:
    """``Quarantine`` in the database."""

    def __init__(self, engine: Engine, clock: Clock, jobs: SqlJobs) -> None:
        self._engine = engine
        self._clock = clock
        self._jobs = jobs

    def waiting(self) -> list[QuarantineRow]:
        """Unknown senders and people without a number, the newest arrival first."""
        with reading(self._engine) as connection:
            rows = [*_sender_rows(connection), *_patient_rows(connection)]
        return sorted(rows, key=lambda row: row.last_received, reverse=True)

    def assign_sender(
        self, quarantine_id: str, center_code: str, *, author: str, reason: str
    ) -> None:
        """Give an unknown sender, with all that it sent, to a center and remember it as a node.

        It is kept as a decision, which its author or another administrator can take back.

        Raises
        ------
        NotFoundError
            No such unknown sender, or no such center.
        """
        with writing(self._engine, serial=Serial.INDEX) as connection:
            row = connection.execute(
                unknown_senders().where(sender.c.public_id == quarantine_id)
            ).first()
            if row is None:
                raise NotFoundError("there is no such unknown sender")
            center_key = center_key_of(connection, center_code)
            node_key = node_for(connection, row, center_key)
            made = Statement(
                kind=DecisionKind.SENDER,
                center=center_code,
                subject=sender_name(row.aet, row.address),
                target=center_code,
            )
            record(
                connection,
                (self._jobs, self._clock),
                made,
                author=author,
                reason=reason,
                seen=standing(connection, made),
            )
            move(connection, self._jobs, row, center_key=center_key, node_key=node_key)

    def state_patient_number(self, quarantine_id: str, patient_id: str) -> None:
        """Say whose data it is that came without a patient number.

        Raises
        ------
        InvalidInputError
            A number has 1 to 64 printable characters and no backslash.
        NotFoundError
            No such patient waits.
        StateError
            The sender is not assigned to a center yet.
        """
        number = patient_id.strip()
        if not number or len(number) > NUMBER_LENGTH or not number.isprintable() or "\\" in number:
            raise InvalidInputError(
                f"a patient number has 1 to {NUMBER_LENGTH} printable characters, no backslash"
            )
        with writing(self._engine, serial=Serial.INDEX) as connection:
            row = connection.execute(
                select(patient, center.c.quarantined)
                .join(center, patient.c.center_id == center.c.id)
                .where(patient.c.public_id == quarantine_id, patient.c.provisional_key != "")
            ).first()
            if row is None:
                raise NotFoundError("no such patient waits for a number")
            if row.quarantined:
                raise StateError("assign the sender to a center first")
            key = settle(
                connection,
                row.id,
                center_key=row.center_id,
                patient_id=number,
                provisional_key="",
            )
            ask_assembly(connection, self._jobs, [key])


def _sender_rows(connection: Connection) -> list[QuarantineRow]:
    unknown = connection.execute(unknown_senders()).all()
    # What a sender sent before it was unknown is its center's and does not wait.
    here = dicom_object.c.center_id.in_([row.center_id for row in unknown])
    counted = _count(connection, dicom_object.c.sender_id, [row.id for row in unknown], here)
    rows = []
    for row in unknown:
        empty = QuarantineRow(
            id=row.public_id,
            reason=UNKNOWN_SENDER,
            aet=row.aet,
            address=row.address,
            center_code=None,
            objects=0,
            studies=0,
            kinds=(),
            first_received=row.first_seen,
            last_received=row.last_seen,
        )
        rows.append(_filled(empty, counted.get(row.id)))
    return rows


def _patient_rows(connection: Connection) -> list[QuarantineRow]:
    people = connection.execute(
        select(patient, center.c.code)
        .join(center, patient.c.center_id == center.c.id)
        .where(center.c.quarantined.is_(False), patient.c.provisional_key != "")
    ).all()
    counted = _count(connection, dicom_object.c.patient_id, [row.id for row in people])
    senders = {row.id: row for row in connection.execute(select(sender))} if people else {}
    rows = []
    for row in people:
        waiting = counted.get(row.id)
        source = senders.get(waiting.sender_key) if waiting else None
        empty = QuarantineRow(
            id=row.public_id,
            reason=NO_NUMBER,
            aet=source.aet if source else "",
            address=source.address if source else "",
            center_code=row.code,
            objects=0,
            studies=0,
            kinds=(),
            first_received=row.first_received,
            last_received=row.last_received,
        )
        rows.append(_filled(empty, waiting))
    return rows


def _filled(row: QuarantineRow, waiting: _Waiting | None) -> QuarantineRow:
    if waiting is None:
        return row
    return replace(
        row,
        objects=waiting.objects,
        studies=waiting.studies,
        kinds=waiting.kinds,
        first_received=waiting.first_received,
        last_received=waiting.last_received,
    )


_LOCATED: FromClause = dicom_object.outerjoin(series, dicom_object.c.series_id == series.c.id)


def _count(
    connection: Connection, group: Column[Any], keys: list[int], *only: ColumnElement[bool]
) -> Mapping[int, _Waiting]:
    if not keys:
        return {}
    where = and_(group.in_(keys), *only)
    kinds = _kinds(connection, group, where)
    counted = connection.execute(
        select(
            group.label("key"),
            func.count().label("objects"),
            func.count(series.c.study_id.distinct()).label("studies"),
            func.min(dicom_object.c.received_at).label("first_received"),
            func.max(dicom_object.c.received_at).label("last_received"),
            func.min(dicom_object.c.sender_id).label("sender_key"),
        )
        .select_from(_LOCATED)
        .where(where)
        .group_by(group)
    )
    return {
        row.key: _Waiting(
            objects=row.objects,
            studies=row.studies,
            kinds=kinds[row.key],
            first_received=row.first_received,
            last_received=row.last_received,
            sender_key=row.sender_key,
        )
        for row in counted
    }


def _kinds(
    connection: Connection, group: Column[Any], where: ColumnElement[bool]
) -> dict[int, tuple[tuple[str, int], ...]]:
    """Objects by role, images by modality."""
    counted = connection.execute(
        select(group, dicom_object.c.role, series.c.modality, func.count())
        .select_from(_LOCATED)
        .where(where)
        .group_by(group, dicom_object.c.role, series.c.modality)
    )
    kinds: dict[int, dict[str, int]] = {}
    for key, role, modality, count in counted:
        name = modality if role == Role.IMAGE and modality else role
        own = kinds.setdefault(key, {})
        own[name] = own.get(name, 0) + count
    return {key: tuple(sorted(own.items())) for key, own in kinds.items()}
