"""Downloads in the database: asked for in somebody's name, written by the worker."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from rtpacs.errors import NotFoundError
from rtpacs.rules.jobs import JobKind, JobState
from rtpacs.rules.selection import Item
from rtpacs.services.authority import Authority
from rtpacs.services.contents import content_name
from rtpacs.services.downloads import DownloadRow, PackOrder
from rtpacs.services.packing import PackedObject
from rtpacs.services.ports import Claim, Clock, JobRequest
from rtpacs.services.views import Page
from rtpacs.store.engine import chunks, now, reading, writing
from rtpacs.store.jobs import SqlJobs, drop, fence
from rtpacs.store.operations import SHOWN_STATE
from rtpacs.store.paging import newest
from rtpacs.store.schema import center, dicom_object, job, patient, series, study
from rtpacs.store.selection import keys_in_sight, selected_keys
from rtpacs.store.sight import Sight, seeing
from rtpacs.store.transfer_schema import download, download_object

STREAMED = "streamed"
_JOINED = download.outerjoin(
    job, (job.c.kind == JobKind.DOWNLOAD) & (job.c.key == download.c.public_id)
)


class SqlDownloads:
    """``services.downloads.DownloadLists``: everybody sees their own only."""

    def __init__(
        self, engine: sa.Engine, clock: Clock, jobs: SqlJobs, authority: Authority
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._jobs = jobs
        self._authority = authority

    def add(self, items: Sequence[Item], *, streamed: bool) -> str:
        """Note a download and, unless it streams, ask for its job; its id.

        Raises
        ------
        NotFoundError
            There is nothing that may be downloaded.
        """
        public_id = uuid4().hex
        with writing(self._engine) as connection:
            keys = selected_keys(Sight(connection, self._authority.reach.download), items)
            if not keys:
                raise NotFoundError("there is nothing that may be downloaded")
            key = connection.execute(
                sa.insert(download)
                .values(
                    public_id=public_id,
                    requested_by=self._authority.name,
                    streamed=streamed,
                    objects=len(keys),
                    size_bytes=_size(connection, keys),
                    sha256="",
                    created_at=now(connection, self._clock),
                )
                .returning(download.c.id)
            ).scalar_one()
            for part in chunks(keys):
                rows = sa.select(
                    sa.literal(key), dicom_object.c.id, dicom_object.c.orthanc_id
                ).where(dicom_object.c.id.in_(part))
                names = ("download_id", "dicom_object_id", "orthanc_id")
                connection.execute(sa.insert(download_object).from_select(names, rows))
            if not streamed:
                label = f"Prepare a download of {len(keys)} objects"
                request = JobRequest(kind=JobKind.DOWNLOAD, key=public_id, label=label)
                self._jobs.ask(connection, [request])
        return public_id

    def order(self, download_id: str) -> PackOrder:
        """What it holds.

        Raises
        ------
        NotFoundError
            There is none of this id, or an object left meanwhile.
        """
        with reading(self._engine) as connection:
            return _order(connection, download_id)

    def page(self, *, offset: int, limit: int) -> Page[DownloadRow]:
        """Own downloads, the newest first."""
        with reading(self._engine) as connection:
            rows, total = newest(
                connection, _select(), download, where=self._own(), offset=offset, limit=limit
            )
            items = tuple(_row(row) for row in rows)
        return Page(items=items, total=total, offset=offset, limit=limit)

    def one(self, download_id: str) -> DownloadRow:
        """An own download.

        Raises
        ------
        NotFoundError
            There is none of this id.
        """
        with reading(self._engine) as connection:
            query = _select().where(self._own(), download.c.public_id == download_id)
            row = connection.execute(query).one_or_none()
            if row is None:
                raise NotFoundError("there is no such download")
            return _row(row)

    def require_all(self, download_id: str) -> None:
        """Ask rights again for everything inside.

        Raises
        ------
        NotFoundError
            Something in it may no longer be sent, or left meanwhile.
        """
        with seeing(self._engine, self._authority.reach.download) as sight:
            keys = sight.connection.scalars(
                sa.select(download_object.c.dicom_object_id)
                .join(download, download.c.id == download_object.c.download_id)
                .where(download.c.public_id == download_id)
            ).all()
            if keys_in_sight(sight, {key for key in keys if key is not None}) != set(keys):
                raise NotFoundError("there is no such download")

    def remove(self, download_id: str) -> None:
        """Forget the file; what was asked for stays in the log.

        Raises
        ------
        NotFoundError
            There is none of this id.
        """
        with writing(self._engine) as connection:
            changed = connection.execute(
                sa.update(download)
                .where(self._own(), download.c.public_id == download_id)
                .values(file_bytes=None, expires_at=now(connection, self._clock))
            )
            if changed.rowcount != 1:
                raise NotFoundError("there is no such download")
            drop(connection, JobKind.DOWNLOAD, [download_id])

    def _own(self) -> "sa.ColumnElement[bool]":
        return download.c.requested_by == self._authority.name


class SqlDownloadBook:
    """``services.downloads.DownloadBook``."""

    def __init__(self, engine: sa.Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def order(self, key: str) -> PackOrder:
        """What to write.

        Raises
        ------
        NotFoundError
            There is none of this id, or an object left meanwhile.
        """
        with reading(self._engine) as connection:
            return _order(connection, key)

    def written(self, claim: Claim, size_bytes: int, sha256: str, expires_at: datetime) -> None:
        """Note that the file is there.

        Raises
        ------
        LeaseLostError
            Another worker has the job, or somebody cancelled it.
        """
        with writing(self._engine) as connection:
            fence(connection, claim)
            connection.execute(
                sa.update(download)
                .where(download.c.public_id == claim.key)
                .values(file_bytes=size_bytes, sha256=sha256, expires_at=expires_at)
            )

    def expired(self) -> list[str]:
        """Downloads whose time is over; from now on they have no file."""
        with writing(self._engine) as connection:
            time = now(connection, self._clock)
            over = connection.scalars(
                sa.update(download)
                .where(download.c.file_bytes.is_not(None), download.c.expires_at <= time)
                .values(file_bytes=None)
                .returning(download.c.public_id)
            )
            return list(over)

    def kept(self) -> set[str]:
        """Downloads that have a file, or whose job may write one."""
        moving = job.c.state.in_([JobState.READY, JobState.RUNNING])
        with reading(self._engine) as connection:
            query = sa.select(download.c.public_id).select_from(_JOINED)
            return set(connection.scalars(query.where(download.c.file_bytes.is_not(None) | moving)))


def _size(connection: sa.Connection, keys: Sequence[int]) -> int:
    total = 0
    for part in chunks(keys):
        query = sa.select(sa.func.sum(dicom_object.c.size_bytes))
        total += int(connection.execute(query.where(dicom_object.c.id.in_(part))).scalar_one())
    return total


def _order(connection: sa.Connection, public_id: str) -> PackOrder:
    asked = connection.execute(
        sa.select(download).where(download.c.public_id == public_id)
    ).one_or_none()
    if asked is None:
        raise NotFoundError("there is no such download")
    rows = connection.execute(
        sa.select(
            dicom_object.c.id,
            dicom_object.c.orthanc_id,
            dicom_object.c.version_file,
            dicom_object.c.series_id,
            dicom_object.c.sop_class_uid,
            dicom_object.c.sop_uid,
            series.c.study_id,
            series.c.modality,
            study.c.patient_id,
            center.c.code,
        )
        .select_from(
            download_object.join(
                dicom_object, dicom_object.c.id == download_object.c.dicom_object_id
            )
            .join(series, series.c.id == dicom_object.c.series_id)
            .join(study, study.c.id == series.c.study_id)
            .join(patient, patient.c.id == study.c.patient_id)
            .join(center, center.c.id == patient.c.center_id)
        )
        .where(download_object.c.download_id == asked.id)
        .order_by(study.c.patient_id, series.c.study_id, series.c.id, dicom_object.c.id)
    ).all()
    if len(rows) != asked.objects:
        raise NotFoundError("objects of this download left meanwhile: ask for it again")
    return PackOrder(
        requested_by=asked.requested_by,
        objects=tuple(_packed(row) for row in rows),
        object_keys=frozenset(row.id for row in rows),
        size_bytes=asked.size_bytes,
    )


def _packed(row: Any) -> PackedObject:
    return PackedObject(
        content=content_name(row.orthanc_id, row.version_file),
        patient_key=row.patient_id,
        study_key=row.study_id,
        series_key=row.series_id,
        center_code=row.code,
        modality=row.modality,
        sop_class_uid=row.sop_class_uid or "",
        sop_uid=row.sop_uid or "",
    )


def _select() -> "sa.Select[Any]":
    return sa.select(
        download, SHOWN_STATE.label("shown_state"), job.c.progress_done, job.c.error
    ).select_from(_JOINED)


def _row(row: "sa.Row[Any]") -> DownloadRow:
    over = row.file_bytes is None and row.expires_at is not None
    state = STREAMED if row.streamed else "expired" if over else row.shown_state or "expired"
    return DownloadRow(
        id=row.public_id,
        state=state,
        objects=row.objects,
        size_bytes=row.size_bytes,
        done=row.progress_done or 0,
        file_bytes=row.file_bytes,
        sha256=row.sha256,
        error=row.error,
        created_at=row.created_at,
        expires_at=row.expires_at,
    )
