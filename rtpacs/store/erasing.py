"""What an erasure removes from the database, and what it looks for afterwards."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from rtpacs.rules.decisions import DecisionKind
from rtpacs.rules.jobs import JobKind
from rtpacs.rules.objects import OrthancId
from rtpacs.rules.removals import RemovalRequest
from rtpacs.services.erasure import ErasureWork, Held
from rtpacs.store.access_schema import project_entry, project_event
from rtpacs.store.engine import Serial, chunks, reading, translated, writing
from rtpacs.store.jobs import SqlJobs
from rtpacs.store.owners import remove_rows
from rtpacs.store.removal_schema import removal
from rtpacs.store.removals import counted, row_of
from rtpacs.store.schema import (
    center,
    decision,
    dicom_object,
    inbox,
    job,
    patient,
    series,
    study,
    version,
)
from rtpacs.store.transfer_schema import (
    download,
    download_object,
    transfer,
    transfer_object,
)

SHORTEST_NUMBER = 6  # a shorter one stands by chance in other texts


class SqlErasing:
    """``services.erasure.ErasureBook`` on SQL."""

    def __init__(self, engine: sa.Engine, jobs: SqlJobs) -> None:
        self._engine = engine
        self._jobs = jobs

    def work(self, removal_id: str, before: ErasureWork | None) -> ErasureWork:
        """What is to be erased: what an earlier attempt knew, and all of the patient that is here.

        Raises
        ------
        NotFoundError
            There is no such erasure.
        """
        with reading(self._engine) as connection:
            row = row_of(connection, removal_id)
            request = RemovalRequest(center=row.center, number=row.number, issuer=row.issuer)
            request = before.request if before else request
            held = _patient(connection, request) if request.number else None
            begun = before or ErasureWork(request=request, author=row.author, reason=row.reason)
            return begun if held is None else _united(begun, _look(connection, held, begun))

    def left_behind(self) -> list[Held]:
        """Contents of deleted objects that only we hold."""
        with reading(self._engine) as connection:
            rows = connection.execute(
                sa.select(version.c.orthanc_id, version.c.file)
                .where(version.c.dicom_object_id.is_(None))
                .distinct()
            )
            return [Held(orthanc_id=OrthancId(row.orthanc_id), file=row.file) for row in rows]

    def known_ids(self) -> set[OrthancId]:
        """Everything that any table names by Orthanc's id."""
        found: set[OrthancId] = set()
        with reading(self._engine) as connection:
            for table in (dicom_object, version, inbox):
                found |= {
                    OrthancId(key) for key in connection.scalars(sa.select(table.c.orthanc_id))
                }
        return found

    def downloads_of(self, orthanc_ids: Sequence[OrthancId]) -> list[str]:
        """Downloads that hold one of these."""
        with reading(self._engine) as connection:
            found = (
                sa.select(download.c.public_id)
                .join(download_object, download_object.c.download_id == download.c.id)
                .where(download_object.c.orthanc_id.in_(orthanc_ids))
                .distinct()
            )
            return list(connection.scalars(found))

    def remove(self, orthanc_ids: Sequence[OrthancId]) -> tuple[list[str], int]:
        """Remove objects of all owners with all that names them.

        Returns
        -------
        tuple
            Files that nobody names any more, and how many decisions went.
        """
        with writing(self._engine, serial=Serial.INDEX) as connection:
            rows = connection.execute(
                sa.select(dicom_object, center.c.code)
                .join(center, center.c.id == dicom_object.c.center_id)
                .where(dicom_object.c.orthanc_id.in_(orthanc_ids))
            ).all()
            held = connection.execute(
                sa.delete(version)
                .where(version.c.orthanc_id.in_(orthanc_ids))
                .returning(version.c.file, version.c.in_archive)
            ).all()
            files = {row.file for row in held if not row.in_archive}
            connection.execute(sa.delete(inbox).where(inbox.c.orthanc_id.in_(orthanc_ids)))
            _forget_transfers(connection, orthanc_ids)
            remove_rows(connection, self._jobs, [row.id for row in rows], "Assemble after erasure")
            decisions = _remove_decisions(connection, orthanc_ids, rows)
            named = sa.select(version.c.file).where(
                version.c.file.in_(files), version.c.in_archive.is_(False)
            )
            return sorted(files - set(connection.scalars(named))), decisions

    def forget(self, removal_id: str, work: ErasureWork) -> int:
        """Forget who it was: in earlier withdrawals, in projects and their logs too.

        Returns
        -------
        int
            How many decisions went: Orthanc may tell of a deletion before ``remove`` looks for
            those on the object's UIDs.
        """
        with writing(self._engine, serial=Serial.INDEX) as connection:
            _forget_in_projects(connection, work)
            decisions = _remove_on_uids(connection, work.sop_uids)
            decisions += _remove_on_frames(connection, set(work.frames))
            row = row_of(connection, removal_id)
            if row.number:
                connection.execute(
                    sa.update(removal)
                    .where(removal.c.center == row.center, removal.c.number == row.number)
                    .values(number="", issuer="", uid="")
                )
        return decisions

    def scrub(self, *, whole: bool) -> None:
        """Leave nothing of deleted rows in SQLite's log; with ``whole`` write the database anew.

        SQLite overwrites what it deletes (``secure_delete``), but older images of a page stay in
        the log. PostgreSQL keeps its own files, which its administrator vacuums.
        """
        if self._engine.name != "sqlite":
            return
        with translated(), self._engine.connect() as connection:
            raw = connection.connection.driver_connection
            if raw is None:
                return
            if whole:
                raw.execute("VACUUM")
            raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _patient(connection: sa.Connection, request: RemovalRequest) -> sa.Row[Any] | None:
    return connection.execute(
        sa.select(patient)
        .join(center, center.c.id == patient.c.center_id)
        .where(
            center.c.code == request.center,
            patient.c.patient_id == request.number,
            patient.c.issuer == request.issuer,
        )
    ).first()


def _look(connection: sa.Connection, held: sa.Row[Any], begun: ErasureWork) -> ErasureWork:
    objects = connection.execute(
        sa.select(dicom_object).where(dicom_object.c.patient_id == held.id)
    ).all()
    uids = connection.execute(
        sa.select(study.c.study_uid, series.c.series_uid)
        .outerjoin(series, series.c.study_id == study.c.id)
        .where(study.c.patient_id == held.id)
    ).all()
    traces = {text for pair in uids for text in pair if text}
    return replace(
        begun,
        orthanc_ids=tuple(sorted({OrthancId(item.orthanc_id) for item in objects})),
        sop_uids=tuple(sorted(_only_here(connection, objects))),
        frames=tuple(sorted({item.frame_of_reference_uid for item in objects} - {None})),
        traces=tuple(sorted(traces | _own_texts(connection, held))),
        roles=counted(item.role for item in objects),
        size_bytes=sum(item.size_bytes for item in objects),
    )


def _own_texts(connection: sa.Connection, held: sa.Row[Any]) -> set[str]:
    """Name and number, unless somebody else here has the same."""
    found = set()
    for column in (patient.c.name, patient.c.name_folded, patient.c.patient_id):
        value = getattr(held, column.name)
        same = sa.select(patient.c.id).where(column == value, patient.c.id != held.id).limit(1)
        if len(value) >= SHORTEST_NUMBER and connection.execute(same).first() is None:
            found.add(value)
    return found


def _only_here(connection: sa.Connection, objects: Sequence[sa.Row[Any]]) -> set[str]:
    """SOP Instance UIDs that no other object has: only those may be refused for ever."""
    ids = {item.orthanc_id for item in objects}
    uids = {item.sop_uid for item in objects if item.sop_uid}
    shared: set[str] = set()
    for part in chunks(sorted(uids)):
        rows = connection.execute(
            sa.select(dicom_object.c.sop_uid, dicom_object.c.orthanc_id).where(
                dicom_object.c.sop_uid.in_(part)
            )
        )
        shared |= {row.sop_uid for row in rows if row.orthanc_id not in ids}
    return uids - shared


def _united(before: ErasureWork, present: ErasureWork) -> ErasureWork:
    """What is still there beside what was there when an earlier attempt began."""
    if not before.orthanc_ids:
        return present
    return replace(
        before,
        orthanc_ids=tuple(sorted({*before.orthanc_ids, *present.orthanc_ids})),
        sop_uids=tuple(sorted({*before.sop_uids, *present.sop_uids})),
        frames=tuple(sorted({*before.frames, *present.frames})),
        traces=tuple(sorted({*before.traces, *present.traces})),
    )


def _forget_transfers(connection: sa.Connection, orthanc_ids: Sequence[OrthancId]) -> None:
    """What left stays a row of the log, without these objects and without words about them."""
    mine = transfer_object.c.orthanc_id.in_(orthanc_ids)
    connection.execute(
        sa.update(transfer)
        .where(transfer.c.id.in_(sa.select(transfer_object.c.transfer_id).where(mine)))
        .values(reason="")
    )
    connection.execute(sa.delete(transfer_object).where(mine))
    packed = download_object.c.orthanc_id.in_(orthanc_ids)
    connection.execute(
        sa.update(download)
        .where(download.c.id.in_(sa.select(download_object.c.download_id).where(packed)))
        .values(file_bytes=None)
    )
    connection.execute(sa.delete(download_object).where(packed))


def _forget_in_projects(connection: sa.Connection, work: ErasureWork) -> None:
    request, entry = work.request, project_entry.c
    whole = (entry.patient_id == request.number) & (entry.issuer == request.issuer)
    named = entry.subject.in_([*work.orthanc_ids, *work.traces])
    connection.execute(
        sa.delete(project_entry).where(entry.center == request.center, sa.or_(whole, named))
    )
    for text in work.traces:
        # Jobs of the viewer have the UID of a series in their key.
        of_series = job.c.key.contains(text, autoescape=True)
        connection.execute(sa.delete(job).where(job.c.kind == JobKind.VIEWER, of_series))
        told = project_event.c.text.contains(text, autoescape=True)
        connection.execute(
            sa.update(project_event).where(told).values(text="(erased)", change=None)
        )


def _remove_decisions(
    connection: sa.Connection, orthanc_ids: Sequence[OrthancId], rows: Sequence[sa.Row[Any]]
) -> int:
    """Decisions on these objects, on their UIDs, and on frames of reference that nobody has now."""
    centers = {row.code for row in rows}
    uids = {row.sop_uid for row in rows} - {None}
    subject = decision.c.subject
    named = sa.or_(
        subject.in_(orthanc_ids),
        decision.c.target.in_(orthanc_ids),
        sa.and_(
            decision.c.kind == DecisionKind.VERSION,
            decision.c.center.in_(centers),
            subject.in_(uids),
        ),
    )
    removed: int = connection.execute(sa.delete(decision).where(named)).rowcount
    frames = {row.frame_of_reference_uid for row in rows} - {None}
    return removed + _remove_on_frames(connection, frames)


def _remove_on_uids(connection: sa.Connection, sop_uids: Sequence[str]) -> int:
    """Decisions on versions of objects that nobody else has."""
    removed = 0
    for part in chunks(sop_uids):
        on_versions = decision.c.kind == DecisionKind.VERSION, decision.c.subject.in_(part)
        removed += connection.execute(sa.delete(decision).where(*on_versions)).rowcount
    return removed


def _remove_on_frames(connection: sa.Connection, frames: set[str]) -> int:
    """Decisions on registrations of frames of reference that no object has now."""
    frame = dicom_object.c.frame_of_reference_uid
    free = frames - set(connection.scalars(sa.select(frame).where(frame.in_(frames))))
    on_registrations = sa.and_(
        decision.c.kind == DecisionKind.REGISTRATION,
        sa.or_(decision.c.subject.in_(free), decision.c.target.in_(free)),
    )
    removed: int = connection.execute(sa.delete(decision).where(on_registrations)).rowcount
    return removed
