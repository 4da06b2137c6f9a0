"""One person filed twice inside a center becomes one: rows move, ids that people know stay.

Pairs and plan sets are moved, never made anew, so their ids and calculations stay.
"""

from typing import Any

from sqlalchemy import Column, Connection, Row, Table, delete, select, update

from rtpacs.rules.jobs import JobKind
from rtpacs.store.schema import dicom_object, job, pair, patient, plan_set, series, study
from rtpacs.store.text import folded, richer

_PATIENT_TEXTS = ("name", "birth_date", "sex")
_STUDY_TEXTS = ("date", "description", "accession_number", "dicom_study_id")
_SERIES_TEXTS = (
    "modality",
    "description",
    "date",
    "frame_of_reference_uid",
    "manufacturer",
    "model",
    "software_versions",
    "institution",
    "body_part",
)


def settle(
    connection: Connection, key: int, *, center_key: int, patient_id: str, provisional_key: str
) -> int:
    """File a patient under this center and number.

    Returns
    -------
    int
        The key under which the data is filed now: another one where the center has such a
        patient already, who then takes over everything.
    """
    row = connection.execute(select(patient).where(patient.c.id == key)).one()
    there: int | None = connection.execute(
        select(patient.c.id).where(
            patient.c.id != key,
            patient.c.center_id == center_key,
            patient.c.issuer == row.issuer,
            patient.c.patient_id == patient_id,
            patient.c.provisional_key == provisional_key,
        )
    ).scalar()
    if there is not None:
        _merge(connection, row, there)
        return there
    connection.execute(
        update(patient)
        .where(patient.c.id == key)
        .values(center_id=center_key, patient_id=patient_id, provisional_key=provisional_key)
    )
    return key


def _merge(connection: Connection, gone: Row[Any], kept_key: int) -> None:
    kept = connection.execute(select(patient).where(patient.c.id == kept_key)).one()
    for row in connection.execute(select(study).where(study.c.patient_id == gone.id)).all():
        _move_study(connection, row, kept_key)
    for table in (dicom_object, pair, plan_set):
        _point(connection, table.c.patient_id, gone.id, kept_key)
    texts = _texts(gone, kept, _PATIENT_TEXTS)
    connection.execute(
        update(patient)
        .where(patient.c.id == kept_key)
        .values(
            **texts,
            name_folded=folded(texts["name"] or ""),
            first_received=min(gone.first_received, kept.first_received),
            last_received=max(gone.last_received, kept.last_received),
        )
    )
    connection.execute(delete(patient).where(patient.c.id == gone.id))
    # Also while it runs: without its row the worker's lease is lost, so it writes nothing.
    connection.execute(delete(job).where(job.c.kind == JobKind.ASSEMBLE, job.c.key == str(gone.id)))


def _move_study(connection: Connection, row: Row[Any], kept_patient: int) -> None:
    kept = connection.execute(
        select(study).where(study.c.patient_id == kept_patient, study.c.study_uid == row.study_uid)
    ).first()
    if kept is None:
        connection.execute(
            update(study).where(study.c.id == row.id).values(patient_id=kept_patient)
        )
        return
    for item in connection.execute(select(series).where(series.c.study_id == row.id)).all():
        _move_series(connection, item, kept.id)
    _fill(connection, study, (row, kept), _STUDY_TEXTS)
    connection.execute(delete(study).where(study.c.id == row.id))


def _move_series(connection: Connection, row: Row[Any], kept_study: int) -> None:
    kept = connection.execute(
        select(series).where(series.c.study_id == kept_study, series.c.series_uid == row.series_uid)
    ).first()
    if kept is None:
        connection.execute(update(series).where(series.c.id == row.id).values(study_id=kept_study))
        return
    _point(connection, dicom_object.c.series_id, row.id, kept.id)
    _point(connection, plan_set.c.image_series_id, row.id, kept.id)
    _fill(connection, series, (row, kept), _SERIES_TEXTS)
    connection.execute(delete(series).where(series.c.id == row.id))


def _point(connection: Connection, column: Column[Any], old: int, new: int) -> None:
    connection.execute(update(column.table).where(column == old).values({column: new}))


def _fill(
    connection: Connection, table: Table, rows: tuple[Row[Any], Row[Any]], names: tuple[str, ...]
) -> None:
    gone, kept = rows
    connection.execute(
        update(table).where(table.c.id == kept.id).values(**_texts(gone, kept, names))
    )


def _texts(gone: Row[Any], kept: Row[Any], names: tuple[str, ...]) -> dict[str, str | None]:
    """The texts that say more, as for two objects of one patient that differ."""
    return {name: richer(getattr(gone, name), getattr(kept, name)) for name in names}
