"""Contents of objects that came more than once: recorded, and made to count."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from rtpacs.rules.conflicts import (
    ContentDigest,
    newest_wins,
)
from rtpacs.rules.decisions import DecisionKind, Statement
from rtpacs.rules.objects import ObjectId, OrthancId
from rtpacs.services.contents import content_name
from rtpacs.services.ports import Arrival, Clock, Receipt
from rtpacs.services.repeats import Content, Look, Noted, RepeatedArrival
from rtpacs.services.versions import LeftVersion
from rtpacs.store.asking import ask_assembly
from rtpacs.store.codec import encode
from rtpacs.store.conflicts import holdings_of, refresh
from rtpacs.store.decisions import record, standing
from rtpacs.store.engine import Serial, now, reading, writing
from rtpacs.store.filing import add_objects, note_arrivals
from rtpacs.store.jobs import SqlJobs
from rtpacs.store.owner_notes import ANOTHER_MARK
from rtpacs.store.owners import patients_of, remove_rows
from rtpacs.store.removal_schema import removal
from rtpacs.store.schema import center, dicom_object, version
from rtpacs.store.senders import Sender, caller_among, center_of, center_of_nobody, senders
from rtpacs.store.version_rows import add_original, direct_item, put, version_row

Row = sa.Row[Any]
RULE = "rule: newest from the same sender wins"


class SqlVersions:
    """``services.repeats.VersionBook`` on SQL."""

    def __init__(self, engine: sa.Engine, clock: Clock, jobs: SqlJobs) -> None:
        self._engine = engine
        self._clock = clock
        self._jobs = jobs

    def look(self, arrival: RepeatedArrival) -> Look:
        """What is known of the object, and of its sender's center.

        Raises
        ------
        StoreError, StoreUnavailableError
            The database did not answer.
        """
        with reading(self._engine) as connection:
            objects = _objects(connection, arrival.orthanc_id)
            if not objects:
                return Look(is_indexed=False)
            held = connection.execute(
                sa.select(version).where(version.c.dicom_object_id.in_([row.id for row in objects]))
            ).all()
            who = caller_among(connection, arrival.aet, arrival.addresses)
            center_id = center_of(connection, who, arrival.center_code)
        own = next((row for row in objects if row.center_id == center_id), None)
        return Look(
            is_indexed=True,
            is_owner=own is not None,
            lacks_digest={row.id for row in objects} != {row.dicom_object_id for row in held},
            original=next((row.digest for row in held if row.in_archive), ""),
            names={row.file: _digest(row) for row in held},
            own=frozenset(row.digest for row in held if own and row.dicom_object_id == own.id),
            counting=content_name(own.orthanc_id, own.version_file) if own else None,
        )

    def note(self, noted: Noted) -> bool:
        """Record a repeat in one transaction; False when the index changed: look again.

        Raises
        ------
        StoreError, StoreUnavailableError
            Nothing was written.
        """
        with writing(self._engine, serial=Serial.INDEX) as connection:
            return _Note(connection, self._clock, self._jobs, noted).write()

    def leave(self, arrival: RepeatedArrival, content: Content) -> None:
        """Record a content whose object was deleted meanwhile; it is kept and reported.

        Raises
        ------
        StoreError, StoreUnavailableError
            Nothing was written.
        """
        with writing(self._engine, serial=Serial.INDEX) as connection:
            time = now(connection, self._clock)
            who = caller_among(connection, arrival.aet, arrival.addresses)
            sent = senders(connection, {who}, time)[who]
            row = version_row(content, sent.sender_id, arrival.received_at)
            row |= {"orthanc_id": arrival.orthanc_id, "center_id": sent.center_id}
            row |= {"recorded_at": time, "in_archive": False}
            put(connection, row)

    def left_behind(self) -> list[LeftVersion]:
        """Contents whose object was deleted in Orthanc, oldest first.

        Raises
        ------
        StoreError, StoreUnavailableError
            The database did not answer.
        """
        with reading(self._engine) as connection:
            rows = connection.execute(
                sa.select(version, center.c.code)
                .join(center, center.c.id == version.c.center_id)
                .where(version.c.dicom_object_id.is_(None))
                .order_by(version.c.first_at, version.c.id)
            ).all()
        return [
            LeftVersion(
                orthanc_id=OrthancId(row.orthanc_id),
                center_code=row.code,
                sop_uid=row.sop_uid,
                digest=row.digest,
                file=row.file,
                first_at=row.first_at,
            )
            for row in rows
        ]


class _Note:
    """One repeat on its way into the database."""

    def __init__(
        self, connection: sa.Connection, clock: Clock, jobs: SqlJobs, noted: Noted
    ) -> None:
        self._connection = connection
        self._means = (jobs, clock)
        self._noted = noted
        self._time = now(connection, clock)
        arrival = noted.arrival
        self._who = caller_among(connection, arrival.aet, arrival.addresses)

    def write(self) -> bool:
        noted, connection = self._noted, self._connection
        objects = _objects(connection, noted.arrival.orthanc_id)
        code = noted.arrival.center_code
        told = {self._who: code} if code else {}
        sent = senders(connection, {self._who}, self._time, noted=told)[self._who]
        own = next((row for row in objects if row.center_id == sent.center_id), None)
        if not objects or noted.for_new_owner != (own is None):
            return False
        for row in objects:
            if not _is_named(connection, row.id):
                if noted.original is None:
                    return False
                add_original(connection, row, noted.original, self._time)
        object_id = self._own_row(sent) if own is None else own.id
        is_new = self._keep(object_id, sent)
        receipt = self._receipt()
        known = {self._who: sent}
        ids = {str(noted.arrival.orthanc_id): object_id}
        note_arrivals(connection, [receipt] * noted.count, known, ids)
        self._keep_withdrawn(object_id)
        if is_new:
            self._judge(object_id, sent)
        if own is None and noted.is_original:
            self._take_from_nobody(objects)
        return True

    def _take_from_nobody(self, objects: Sequence[Row]) -> None:
        """An object that a sweep brought back, and that nobody knew, has an owner now."""
        connection, nobody = self._connection, center_of_nobody(self._connection)
        for row in objects:
            if row.center_id == nobody:
                connection.execute(sa.delete(version).where(version.c.dicom_object_id == row.id))
                remove_rows(connection, self._means[0], [row.id], "Assemble after recovery")

    def _own_row(self, sent: Sender) -> int:
        """Make the row of a center that becomes owner."""
        made = add_objects(self._connection, [self._receipt()], {self._who: sent})
        object_id = made[self._noted.arrival.orthanc_id]
        file = None if self._noted.is_original else self._noted.content.file
        self._connection.execute(
            sa.update(dicom_object).where(dicom_object.c.id == object_id).values(version_file=file)
        )
        return object_id

    def _keep(self, object_id: int, sent: Sender) -> bool:
        """Record the content; whether it is new for this object."""
        noted = self._noted
        known = sa.update(version).where(
            version.c.dicom_object_id == object_id,
            version.c.digest == noted.content.digest.whole,
        )
        changed = self._connection.execute(known.values(last_at=noted.arrival.received_at))
        if changed.rowcount:
            return False
        row = version_row(noted.content, sent.sender_id, noted.arrival.received_at)
        row |= {"dicom_object_id": object_id, "orthanc_id": noted.arrival.orthanc_id}
        row |= {"center_id": sent.center_id, "recorded_at": self._time}
        row |= {"in_archive": noted.is_original, "differences": encode(noted.differences)}
        row |= {"sop_uid": _object_column(self._connection, object_id, dicom_object.c.sop_uid)}
        put(self._connection, row)
        # The note beside the object is to name this content too.
        self._connection.execute(
            sa.update(dicom_object)
            .where(dicom_object.c.id == object_id, dicom_object.c.noted_center_id.is_not(None))
            .values(noted_center_id=ANOTHER_MARK)
        )
        return True

    def _keep_withdrawn(self, object_id: int) -> None:
        """Who sends what it is about to withdraw wants it here after all."""
        asked = sa.select(removal.c.asked_at).where(removal.c.id == dicom_object.c.removal_id)
        kept = self._connection.execute(
            sa.update(dicom_object)
            .where(
                dicom_object.c.id == object_id,
                asked.scalar_subquery() < self._noted.arrival.received_at,
            )
            .values(removal_id=None)
        )
        if kept.rowcount:
            concerned = patients_of(self._connection, [object_id])
            ask_assembly(self._connection, self._means[0], concerned)

    def _judge(self, object_id: int, sent: Sender) -> None:
        connection = self._connection
        sop_uid = _object_column(connection, object_id, dicom_object.c.sop_uid)
        self._apply_rule(object_id, sent, sop_uid)
        changed = refresh(connection, [sop_uid]) | {object_id}
        ask_assembly(connection, self._means[0], patients_of(connection, changed))

    def _apply_rule(self, object_id: int, sent: Sender, sop_uid: str | None) -> None:
        """Decide for the newest where the center wants that; a person can undo it."""
        connection = self._connection
        wanted = connection.execute(
            sa.select(center.c.newest_wins).where(center.c.id == sent.center_id)
        ).scalar_one()
        holding = holdings_of(connection, dicom_object.c.id == object_id)[ObjectId(object_id)]
        digest = self._noted.content.digest.whole
        newest = next(item for item in holding.versions if item.digest == digest)
        if not wanted or not sop_uid or len(holding.versions) < 2:
            return
        if newest_wins(holding, newest):
            made = Statement(
                kind=DecisionKind.VERSION, center=sent.center_code, subject=sop_uid, target=digest
            )
            record(
                connection,
                self._means,
                made,
                author=RULE,
                reason="the center lets what its sender sent last count",
                seen=standing(connection, made),
            )

    def _receipt(self) -> Receipt:
        arrival = self._noted.arrival
        return Receipt(
            item=direct_item(
                Arrival(
                    orthanc_id=arrival.orthanc_id,
                    aet=self._who[0],
                    address=self._who[1],
                    origin=arrival.origin,
                    received_at=arrival.received_at,
                )
            ),
            parsed=self._noted.parsed,
            error=self._noted.error,
            size_bytes=self._noted.content.size_bytes,
        )


def _objects(connection: sa.Connection, orthanc_id: str) -> Sequence[Row]:
    return connection.execute(
        sa.select(dicom_object)
        .where(dicom_object.c.orthanc_id == orthanc_id)
        .order_by(dicom_object.c.id)
    ).all()


def _object_column(connection: sa.Connection, object_id: int, column: "sa.Column[Any]") -> Any:
    return connection.execute(sa.select(column).where(dicom_object.c.id == object_id)).scalar()


def _is_named(connection: sa.Connection, object_id: int) -> bool:
    found = sa.select(version.c.id).where(version.c.dicom_object_id == object_id).limit(1)
    return connection.execute(found).first() is not None


def _digest(row: Row) -> ContentDigest:
    return ContentDigest(whole=row.digest, clinical=row.clinical_digest, doubt=row.doubt)
