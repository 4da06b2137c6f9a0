"""Decisions on versions carried into the rows of objects."""

from typing import Any

import sqlalchemy as sa

from rtpacs.rules.conflicts import counting
from rtpacs.rules.objects import Finding, ObjectId, OrthancId, ParsedObject
from rtpacs.services.contents import content_name
from rtpacs.services.ports import Arrival, Clock, Receipt
from rtpacs.services.repeats import Content
from rtpacs.services.versions import Unsettled
from rtpacs.store.asking import ask_assembly
from rtpacs.store.conflicts import holdings_of, refresh
from rtpacs.store.engine import Serial, now, reading, writing
from rtpacs.store.filing import refile
from rtpacs.store.hierarchy import remove_empty
from rtpacs.store.jobs import SqlJobs
from rtpacs.store.owners import patients_of
from rtpacs.store.schema import center, dicom_object, sender, version
from rtpacs.store.senders import Sender
from rtpacs.store.version_rows import add_original, direct_item

Row = sa.Row[Any]


class SqlSettlements:
    """``services.versions.Settlements`` on SQL."""

    def __init__(self, engine: sa.Engine, clock: Clock, jobs: SqlJobs) -> None:
        self._engine = engine
        self._clock = clock
        self._jobs = jobs

    def unsettled(self, patient_key: int) -> list[Unsettled]:
        """Objects of a patient that need work before it is assembled.

        Raises
        ------
        StoreError, StoreUnavailableError
            The database did not answer.
        """
        with reading(self._engine) as connection:
            return [*_unnamed(connection, patient_key), *_misread(connection, patient_key)]

    def add_digest(self, item: Unsettled, content: Content) -> None:
        """Name the content of an object that shares its UID with another one.

        Raises
        ------
        StoreError, StoreUnavailableError
            Nothing was written.
        """
        with writing(self._engine, serial=Serial.INDEX) as connection:
            row = _object(connection, item.object_id)
            if row is None:
                return
            add_original(connection, row, content, now(connection, self._clock))
            changed = refresh(connection, [row.sop_uid])
            ask_assembly(connection, self._jobs, patients_of(connection, changed))

    def judge(self, patient_key: int) -> None:
        """Let findings on a patient's versions say what was decided.

        Raises
        ------
        StoreError, StoreUnavailableError
            Nothing was written.
        """
        several = sa.select(dicom_object.c.sop_uid).where(
            dicom_object.c.patient_id == patient_key,
            sa.exists().where(version.c.dicom_object_id == dicom_object.c.id),
        )
        with reading(self._engine) as connection:
            uids = connection.scalars(several.distinct()).all()
        if uids:
            with writing(self._engine, serial=Serial.INDEX) as connection:
                changed = patients_of(connection, refresh(connection, uids))
                ask_assembly(connection, self._jobs, changed - {patient_key})

    def index(self, item: Unsettled, parsed: ParsedObject | Finding, size_bytes: int) -> None:
        """Let the row say what the counting content says; nothing if another counts by now.

        Raises
        ------
        StoreError, StoreUnavailableError
            Nothing was written.
        """
        with writing(self._engine, serial=Serial.INDEX) as connection:
            row = _object(connection, item.object_id)
            if row is None or content_name(row.orthanc_id, _wanted(connection, row)) != item.name:
                return
            before = {row.patient_id} - {None}
            ask_assembly(connection, self._jobs, before)
            receipt, known = _as_receipt(connection, row, parsed, size_bytes)
            refile(connection, row.id, receipt, known)
            _, _, file = item.name.partition("/")
            connection.execute(
                sa.update(dicom_object)
                .where(dicom_object.c.id == row.id)
                .values(version_file=file or None)
            )
            gone = remove_empty(connection, before)
            after = patients_of(connection, [row.id])
            changed = patients_of(connection, refresh(connection, [row.sop_uid]))
            ask_assembly(connection, self._jobs, (after | changed) - gone)


def _unnamed(connection: sa.Connection, patient_key: int) -> list[Unsettled]:
    """Objects without a named content whose UID an object of another id has as well."""
    other = dicom_object.alias()
    rows = connection.execute(
        sa.select(dicom_object.c.id, dicom_object.c.orthanc_id)
        .where(
            dicom_object.c.patient_id == patient_key,
            ~sa.exists().where(version.c.dicom_object_id == dicom_object.c.id),
            sa.exists().where(
                other.c.sop_uid == dicom_object.c.sop_uid,
                other.c.orthanc_id != dicom_object.c.orthanc_id,
            ),
        )
        .order_by(dicom_object.c.id)
    )
    return [
        Unsettled(
            object_id=ObjectId(row.id), name=content_name(row.orthanc_id, None), lacks_digest=True
        )
        for row in rows
    ]


def _misread(connection: sa.Connection, patient_key: int) -> list[Unsettled]:
    """Objects of which another content is indexed than the one that counts."""
    rows = connection.execute(
        sa.select(dicom_object)
        .where(
            dicom_object.c.patient_id == patient_key,
            sa.exists().where(version.c.dicom_object_id == dicom_object.c.id),
        )
        .order_by(dicom_object.c.id)
    ).all()
    wanted = {row.id: _wanted(connection, row) for row in rows}
    return [
        Unsettled(
            object_id=ObjectId(row.id),
            name=content_name(row.orthanc_id, wanted[row.id]),
            lacks_digest=False,
        )
        for row in rows
        if wanted[row.id] != row.version_file
    ]


def _wanted(connection: sa.Connection, row: Row) -> str | None:
    """File of the version that counts; None for what Orthanc holds."""
    holding = holdings_of(connection, dicom_object.c.id == row.id)[ObjectId(row.id)]
    chosen = counting(holding)
    if chosen is None:
        return None
    found = connection.execute(
        sa.select(version.c.file, version.c.in_archive).where(
            version.c.dicom_object_id == row.id, version.c.digest == chosen.digest
        )
    ).one()
    file: str = found.file
    return None if found.in_archive else file


def _as_receipt(
    connection: sa.Connection, row: Row, parsed: ParsedObject | Finding, size_bytes: int
) -> tuple[Receipt, dict[tuple[str, str], Sender]]:
    """The object as if its sender had just sent this content."""
    found = connection.execute(
        sa.select(sender, center.c.code)
        .join(center, center.c.id == row.center_id)
        .where(sender.c.id == row.sender_id)
    ).one()
    sent = Sender(
        sender_id=found.id,
        public_id=found.public_id,
        center_id=row.center_id,
        center_code=found.code,
    )
    arrival = Arrival(
        orthanc_id=OrthancId(row.orthanc_id),
        aet=found.aet,
        address=found.address,
        origin="",
        received_at=row.received_at,
    )
    receipt = Receipt(
        item=direct_item(arrival),
        parsed=parsed if isinstance(parsed, ParsedObject) else None,
        error=parsed if isinstance(parsed, Finding) else None,
        size_bytes=size_bytes,
    )
    return receipt, {(found.aet, found.address): sent}


def _object(connection: sa.Connection, object_id: int) -> Row | None:
    return connection.execute(sa.select(dicom_object).where(dicom_object.c.id == object_id)).first()
