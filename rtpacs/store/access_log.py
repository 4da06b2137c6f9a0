"""The access log in the database: rows that are added and sealed, never changed."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from rtpacs.rules.access_log import (
    EVENT_CODES,
    FIRST,
    AccessEvent,
    EventType,
    Outcome,
    Seal,
    SealedRow,
    Subject,
    SubjectKind,
    seal_of,
)
from rtpacs.services.access_log import LogQuery, LogRow
from rtpacs.services.ports import Clock
from rtpacs.services.views import Page
from rtpacs.store.engine import Serial, chunks, now, reading, writing
from rtpacs.store.log_schema import access_event, access_seal
from rtpacs.store.paging import newest
from rtpacs.store.schema import center, dicom_object, pair, patient, plan_set, series, study
from rtpacs.store.transfer_schema import download, download_object, transfer, transfer_object

# A seal is one transaction: what waits beyond this gets the next one.
MOST_SEALED = 20_000
_OF_OBJECT = dicom_object.join(patient, dicom_object.c.patient_id == patient.c.id)
_NAMED = {
    SubjectKind.PATIENT: (patient, patient.c.public_id),
    SubjectKind.PLAN_SET: (
        plan_set.join(patient, plan_set.c.patient_id == patient.c.id),
        plan_set.c.public_id,
    ),
    SubjectKind.PAIR: (pair.join(patient, pair.c.patient_id == patient.c.id), pair.c.public_id),
    SubjectKind.OBJECT: (_OF_OBJECT, dicom_object.c.public_id),
    SubjectKind.INSTANCE: (_OF_OBJECT, dicom_object.c.orthanc_id),
    SubjectKind.SERIES: (
        series.join(study, series.c.study_id == study.c.id).join(
            patient, study.c.patient_id == patient.c.id
        ),
        series.c.public_id,
    ),
    SubjectKind.STUDY: (
        study.join(patient, study.c.patient_id == patient.c.id),
        study.c.public_id,
    ),
    SubjectKind.TRANSFER: (
        transfer.join(transfer_object, transfer_object.c.transfer_id == transfer.c.id).join(
            _OF_OBJECT, dicom_object.c.id == transfer_object.c.dicom_object_id
        ),
        transfer.c.public_id,
    ),
    SubjectKind.DOWNLOAD: (
        download.join(download_object, download_object.c.download_id == download.c.id).join(
            _OF_OBJECT, dicom_object.c.id == download_object.c.dicom_object_id
        ),
        download.c.public_id,
    ),
}
_ASKED = {SubjectKind.TRANSFER: transfer, SubjectKind.DOWNLOAD: download}


class SqlAccessLog:
    """``EventBook``, ``AccessLog`` and ``SealBook``."""

    def __init__(self, engine: sa.Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def append(self, events: Mapping[AccessEvent, int]) -> None:
        """Write events, one row for each patient that one is about."""
        with writing(self._engine) as connection:
            patients = _patients(connection, {one.subject for one in events if one.subject})
            rows: Counter[tuple[str, ...]] = Counter()
            for event, count in events.items():
                named = patients.get(event.subject, ()) if event.subject else ()
                for public_id in named or ("",):
                    place = (event.who[:64], event.address[:64], event.what)
                    rows[(event.type, *place, event.outcome, public_id)] += count
            moment = now(connection, self._clock)
            names = ("type", "who", "address", "what", "outcome", "patient")
            written = [
                {**dict(zip(names, row, strict=True)), "at": moment, "count": count}
                for row, count in rows.items()
            ]
            connection.execute(sa.insert(access_event), written)

    def asked_by(self, subject: Subject) -> str:
        """In whose name data is sent or packed; "?" when that is gone."""
        table = _ASKED[subject.kind]
        with reading(self._engine) as connection:
            found = connection.execute(
                sa.select(table.c.requested_by).where(table.c.public_id == subject.id)
            ).scalar()
        return found or "?"

    def page(self, query: LogQuery) -> Page[LogRow]:
        """Rows, the newest first."""
        with reading(self._engine) as connection:
            found, total = newest(
                connection,
                sa.select(access_event),
                access_event,
                where=sa.and_(*_conditions(query)),
                offset=query.offset,
                limit=query.limit,
            )
        items = tuple(_log_row(row) for row in found)
        return Page(items=items, total=total, offset=query.offset, limit=query.limit)

    def seal(self, key: bytes) -> Seal | None:
        """Seal what is not sealed, in one transaction at a time."""
        with writing(self._engine, serial=Serial.SEAL) as connection:
            found = connection.execute(
                sa.select(access_event)
                .where(access_event.c.seal.is_(None))
                .order_by(access_event.c.id)
                .limit(MOST_SEALED)
            ).all()
            if not found:
                return None
            last = connection.execute(
                sa.select(access_seal).order_by(access_seal.c.number.desc()).limit(1)
            ).first()
            number = last.number + 1 if last else 1
            digest = seal_of(last.digest if last else FIRST, number, map(_sealed_row, found), key)
            made = Seal(
                number=number,
                rows=len(found),
                digest=digest,
                sealed_at=now(connection, self._clock),
            )
            connection.execute(
                sa.insert(access_seal).values(
                    number=number, rows=made.rows, digest=digest, sealed_at=made.sealed_at
                )
            )
            for keys in chunks([row.id for row in found]):
                connection.execute(
                    sa.update(access_event).where(access_event.c.id.in_(keys)).values(seal=number)
                )
            return made

    def sealed(self) -> Iterator[tuple[Seal, tuple[SealedRow, ...]]]:
        """Every seal with its rows; a seal without rows that are there has none."""
        with reading(self._engine) as connection:
            seals = connection.execute(sa.select(access_seal).order_by(access_seal.c.number)).all()
            ordered = connection.execute(
                sa.select(access_event)
                .where(access_event.c.seal.is_not(None))
                .order_by(access_event.c.seal, access_event.c.id)
                .execution_options(yield_per=5000)
            )
            by_seal = ((number, list(rows)) for number, rows in groupby(ordered, _seal_number))
            waiting = next(by_seal, None)
            for row in seals:
                rows: list[Any] = []
                while waiting is not None and waiting[0] <= row.number:
                    rows = waiting[1] if waiting[0] == row.number else []
                    waiting = next(by_seal, None)
                seal = Seal(
                    number=row.number, rows=row.rows, digest=row.digest, sealed_at=row.sealed_at
                )
                yield seal, tuple(map(_sealed_row, rows))


def _seal_number(row: Any) -> int:
    return int(row.seal)


def _patients(connection: sa.Connection, subjects: set[Subject]) -> dict[Subject, tuple[str, ...]]:
    """The patients that each subject is about; of what is not there, none."""
    found: dict[Subject, set[str]] = {}
    for kind, (source, column) in _NAMED.items():
        named = defaultdict(list)
        for subject in subjects:
            if subject.kind is kind:
                named[subject.id].append(subject)
        for part in chunks(list(named)):
            rows = connection.execute(
                sa.select(column, patient.c.public_id, center.c.code)
                .select_from(source.join(center, patient.c.center_id == center.c.id))
                .where(column.in_(part))
                .distinct()
            )
            for name, public_id, code in rows:
                for subject in named[name]:
                    if kind is not SubjectKind.INSTANCE or code in subject.centers:
                        found.setdefault(subject, set()).add(public_id)
    return {subject: tuple(sorted(ids)) for subject, ids in found.items()}


def _conditions(query: LogQuery) -> Iterator[sa.ColumnElement[bool]]:
    event = access_event.c
    yield sa.true()
    if query.who:  # nodes are written with capitals
        yield event.who.in_([query.who.strip(), query.who.strip().casefold()])
    if query.patient:
        yield event.patient == query.patient
    if query.accounts_of:
        place = f"[{query.accounts_of}] "
        yield event.what.contains("/users") & event.what.contains(place, autoescape=True)
    if query.type is not None:
        yield event.type == query.type
    if query.outcome is not None:
        yield event.outcome == query.outcome
    limits = (
        (query.up_to, event.id.__le__),
        (query.date_from, event.at.__ge__),
        (query.date_to, event.at.__lt__),
    )
    yield from (within(limit) for limit, within in limits if limit is not None)


def _log_row(row: Any) -> LogRow:
    kind = EventType(row.type)
    return LogRow(
        id=row.id,
        at=row.at,
        type=kind,
        code=EVENT_CODES[kind],
        who=row.who,
        address=row.address,
        what=row.what,
        outcome=Outcome(row.outcome),
        patient=row.patient,
        count=row.count,
        seal=row.seal,
    )


def _sealed_row(row: Any) -> SealedRow:
    return SealedRow(
        id=row.id,
        at=row.at,
        type=row.type,
        who=row.who,
        address=row.address,
        what=row.what,
        outcome=row.outcome,
        patient=row.patient,
        count=row.count,
    )
