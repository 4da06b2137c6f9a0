"""Who owns an object: one row per center, joined when centers are, removed when one withdraws."""

from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa

from rtpacs.errors import NotFoundError
from rtpacs.rules.jobs import JobKind
from rtpacs.rules.objects import OrthancId
from rtpacs.services.ports import JobRequest
from rtpacs.services.withdrawal import Ownership
from rtpacs.store.conflicts import refresh, refresh_namesakes
from rtpacs.store.engine import Serial, chunks, insert, reading, writing
from rtpacs.store.hierarchy import remove_empty
from rtpacs.store.jobs import SqlJobs, drop
from rtpacs.store.links import linked_patients
from rtpacs.store.schema import arrival, dicom_object, pair, version

Row = sa.Row[Any]


def join_centers(connection: sa.Connection, gone: int, kept: int) -> None:
    """Give the objects of one center to another; where both own one, the other's row takes over.

    What the two sent with different contents are then versions of one object: a conflict.
    """
    mine, theirs = dicom_object.alias(), dicom_object.alias()
    doubled = connection.execute(
        sa.select(mine.c.id.label("gone"), theirs.c.id.label("kept"))
        .join(theirs, theirs.c.orthanc_id == mine.c.orthanc_id)
        .where(mine.c.center_id == gone, theirs.c.center_id == kept)
    ).all()
    for row in doubled:
        _join_arrivals(connection, row.gone, row.kept)
    _move_versions(connection, gone, kept)
    keys = [row.gone for row in doubled]
    connection.execute(sa.delete(dicom_object).where(dicom_object.c.id.in_(keys)))
    moved = connection.scalars(
        sa.update(dicom_object)
        .where(dicom_object.c.center_id == gone)
        .values(center_id=kept)
        .returning(dicom_object.c.id)
    ).all()
    compared = connection.scalars(
        sa.select(version.c.sop_uid).where(version.c.center_id == kept).distinct()
    )
    refresh(connection, compared.all())
    refresh_namesakes(connection, moved)


def _move_versions(connection: sa.Connection, gone: int, kept: int) -> None:
    """Point versions to the center's row of their object; equal contents become one."""
    other = version.alias()
    same = sa.and_(other.c.orthanc_id == version.c.orthanc_id, other.c.digest == version.c.digest)
    connection.execute(
        sa.delete(version).where(
            version.c.center_id == gone, sa.exists().where(same, other.c.center_id == kept)
        )
    )
    there = (
        sa.select(dicom_object.c.id)
        .where(dicom_object.c.orthanc_id == version.c.orthanc_id, dicom_object.c.center_id == kept)
        .scalar_subquery()
    )
    connection.execute(
        sa.update(version)
        .where(version.c.center_id == gone)
        .values(
            center_id=kept,
            dicom_object_id=sa.case(
                # What a deletion left behind stays without an object.
                (version.c.dicom_object_id.is_(None), None),
                else_=sa.func.coalesce(there, version.c.dicom_object_id),
            ),
        )
    )


def _join_arrivals(connection: sa.Connection, gone: int, kept: int) -> None:
    for row in connection.execute(
        sa.select(arrival).where(arrival.c.dicom_object_id == gone)
    ).all():
        values = row._asdict() | {"dicom_object_id": kept}
        statement = insert(connection, arrival).values(values)
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=[arrival.c.dicom_object_id, arrival.c.sender_id],
                set_={"count": arrival.c.count + row.count, "last_at": row.last_at},
            )
        )


def remove_rows(
    connection: sa.Connection, jobs: SqlJobs, object_ids: Sequence[int], label: str
) -> None:
    """Remove rows of objects with what rests on them, and ask for the assembly of what stays."""
    if not object_ids:
        return
    uids = _sop_uids(connection, object_ids)
    concerned = patients_of(connection, object_ids)
    asked = concerned | linked_patients(connection, object_ids)
    _drop_calculations(connection, object_ids)
    for part in chunks(object_ids):
        connection.execute(sa.delete(dicom_object).where(dicom_object.c.id.in_(part)))
    gone = remove_empty(connection, concerned)
    asked |= patients_of(connection, sorted(refresh(connection, uids)))
    drop(connection, JobKind.ASSEMBLE, [str(key) for key in sorted(gone)])
    jobs.ask(
        connection,
        [
            JobRequest(kind=JobKind.ASSEMBLE, key=str(key), label=label)
            for key in sorted(asked - gone)
        ],
    )


def _sop_uids(connection: sa.Connection, object_ids: Sequence[int]) -> set[str]:
    found: set[str] = set()
    for part in chunks(object_ids):
        uids = sa.select(dicom_object.c.sop_uid).where(dicom_object.c.id.in_(part)).distinct()
        found |= {uid for uid in connection.scalars(uids) if uid}
    return found


def patients_of(connection: sa.Connection, object_ids: Collection[int]) -> set[int]:
    """Keys of the patients of these objects."""
    found: set[int] = set()
    for part in chunks(sorted(object_ids)):
        found |= set(
            connection.scalars(
                sa.select(dicom_object.c.patient_id)
                .where(dicom_object.c.id.in_(part), dicom_object.c.patient_id.is_not(None))
                .distinct()
            )
        )
    return found


def _drop_calculations(connection: sa.Connection, object_ids: Sequence[int]) -> None:
    """Remove jobs of the pairs that go with their structure set."""
    for part in chunks(object_ids):
        keys = connection.scalars(
            sa.select(pair.c.public_id).where(pair.c.structure_set_id.in_(part))
        ).all()
        drop(connection, JobKind.DVH, keys)


class SqlOwners:
    """``services.withdrawal.Owners`` on SQL."""

    def __init__(self, engine: sa.Engine, jobs: SqlJobs) -> None:
        self._engine = engine
        self._jobs = jobs

    def ownership(self, object_id: str) -> Ownership:
        """Who else owns the object.

        Raises
        ------
        NotFoundError
            There is no such row.
        """
        with reading(self._engine) as connection:
            row = _by_public_id(connection, object_id)
            if row is None:
                raise NotFoundError("there is no such object")
            owners = sa.select(sa.func.count()).where(dicom_object.c.orthanc_id == row.orthanc_id)
            count = connection.execute(owners).scalar_one()
        return Ownership(orthanc_id=OrthancId(row.orthanc_id), is_last=count == 1)

    def remove(self, object_id: str) -> list[str]:
        """Remove the row with its versions; files that nobody names any more.

        Raises
        ------
        StoreError, StoreUnavailableError
            Nothing was removed.
        """
        with writing(self._engine, serial=Serial.INDEX) as connection:
            row = _by_public_id(connection, object_id)
            if row is None:
                return []
            files = connection.scalars(
                sa.delete(version)
                .where(version.c.dicom_object_id == row.id)
                .returning(version.c.file)
            ).all()
            remove_rows(connection, self._jobs, [row.id], "Assemble after withdrawal")
            # What Orthanc notes of the owners is to be written anew.
            connection.execute(
                sa.update(dicom_object)
                .where(dicom_object.c.orthanc_id == row.orthanc_id)
                .values(noted_center_id=None)
            )
            named = sa.select(version.c.file).where(
                version.c.file.in_(files), version.c.in_archive.is_(False)
            )
            return sorted(set(files) - set(connection.scalars(named)))


def _by_public_id(connection: sa.Connection, object_id: str) -> Row | None:
    return connection.execute(
        sa.select(dicom_object).where(dicom_object.c.public_id == object_id)
    ).first()
