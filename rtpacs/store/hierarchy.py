"""Patients, studies and series: found or made, and filled from every object that names them.

Several objects say the same thing with more or fewer words. Each text keeps the richest value
(``text.richer``), each number the smallest, so the order of arrival changes nothing.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from rtpacs.rules.objects import ParsedObject
from rtpacs.rules.patients import PatientIdentity
from rtpacs.store.fitting import fitted
from rtpacs.store.schema import dicom_object, patient, series, study
from rtpacs.store.text import folded, richer

Key = tuple[Any, ...]
Values = dict[str, Any]

PATIENT_KEY = ("center_id", "issuer", "patient_id", "provisional_key")
STUDY_KEY = ("patient_id", "study_uid")
SERIES_KEY = ("study_id", "series_uid")


def patient_row(
    parsed: ParsedObject, identity: PatientIdentity, *, center_id: int, received_at: datetime
) -> Values:
    """Return what this object says of its patient."""
    provisional = f"{identity.sender}:{identity.study_uid}" if identity.quarantined else ""
    return {
        "public_id": uuid4().hex,
        "center_id": center_id,
        "issuer": identity.issuer,
        "patient_id": identity.patient_id,
        "provisional_key": provisional,
        "name": parsed.patient.name,
        "birth_date": parsed.patient.birth_date,
        "sex": parsed.patient.sex,
        "first_received": received_at,
        "last_received": received_at,
    }


def study_row(parsed: ParsedObject, patient_id: int) -> Values:
    """Return what this object says of its study."""
    text = parsed.study
    return {
        "public_id": uuid4().hex,
        "patient_id": patient_id,
        "study_uid": text.study_uid,
        "date": text.date,
        "description": text.description,
        "accession_number": text.accession_number,
        "dicom_study_id": text.study_id,
    }


def series_row(parsed: ParsedObject, study_id: int) -> Values:
    """Return what this object says of its series."""
    text = parsed.series
    return {
        "public_id": uuid4().hex,
        "study_id": study_id,
        "series_uid": text.series_uid,
        "modality": text.modality,
        "number": text.number,
        "description": text.description,
        "date": text.date,
        "frame_of_reference_uid": text.frame_of_reference_uid,
        "manufacturer": text.manufacturer,
        "model": text.model,
        "software_versions": text.software_versions,
        "institution": text.institution,
        "body_part": text.body_part,
    }


def patients(connection: sa.Connection, rows: Sequence[Values]) -> list[int]:
    """Find or make the patient of each row and return their ids in this order."""
    return _settle(connection, patient, PATIENT_KEY, rows)


def studies(connection: sa.Connection, rows: Sequence[Values]) -> list[int]:
    """Find or make the study of each row and return their ids in this order."""
    return _settle(connection, study, STUDY_KEY, rows)


def all_series(connection: sa.Connection, rows: Sequence[Values]) -> list[int]:
    """Find or make the series of each row and return their ids in this order."""
    return _settle(connection, series, SERIES_KEY, rows)


def _settle(
    connection: sa.Connection, table: sa.Table, names: Key, rows: Sequence[Values]
) -> list[int]:
    rows = fitted(table, rows)
    keys = [tuple(row[name] for name in names) for row in rows]
    wanted: dict[Key, Values] = {}
    for key, row in zip(keys, rows, strict=True):
        wanted[key] = _merged(wanted[key], row) if key in wanted else row
    present = _present(connection, table, names, wanted)
    ids = {key: row["id"] for key, row in present.items()}
    ids |= _insert(connection, table, names, {k: wanted[k] for k in wanted if k not in present})
    _enrich(connection, table, [(row, wanted[key]) for key, row in present.items()])
    return [ids[key] for key in keys]


def _present(
    connection: sa.Connection, table: sa.Table, names: Key, wanted: Mapping[Key, Values]
) -> dict[Key, Values]:
    conditions = [table.c[name].in_({row[name] for row in wanted.values()}) for name in names]
    rows = connection.execute(sa.select(table).where(*conditions)).mappings()
    keyed = {tuple(row[name] for name in names): dict(row) for row in rows}
    return {key: row for key, row in keyed.items() if key in wanted}


def _insert(
    connection: sa.Connection, table: sa.Table, names: Key, rows: Mapping[Key, Values]
) -> dict[Key, int]:
    if not rows:
        return {}
    columns = [table.c[name] for name in names]
    made = connection.execute(
        sa.insert(table).returning(table.c.id, *columns), [_complete(row) for row in rows.values()]
    )
    return {tuple(row[1:]): row[0] for row in made}


def _enrich(
    connection: sa.Connection, table: sa.Table, pairs: Iterable[tuple[Values, Values]]
) -> None:
    for present, new in pairs:
        merged = _complete(_merged(present, new))
        changed = {name: value for name, value in merged.items() if value != present[name]}
        if changed:
            connection.execute(sa.update(table).where(table.c.id == present["id"]).values(changed))


def _complete(row: Values) -> Values:
    if "name" not in row:
        return row
    return row | {"name": row["name"] or "", "name_folded": folded(row["name"] or "")}


def _merged(one: Values, other: Values) -> Values:
    """What two objects say together; keys and ids stay those of the first."""
    return {name: _joined(name, value, other.get(name)) for name, value in one.items()}


def _joined(name: str, one: Any, other: Any) -> Any:
    if other is None or one == other or name in ("public_id", "id"):
        return one
    if isinstance(one, datetime):
        return max(one, other) if name.startswith("last") else min(one, other)
    if isinstance(one, int) or isinstance(other, int):
        return min(value for value in (one, other) if value is not None)
    return richer(one, other)


def remove_empty(connection: sa.Connection, patient_ids: Collection[int]) -> set[int]:
    """Remove series without objects, studies without series, patients without studies."""
    of_patients = sa.select(study.c.id).where(study.c.patient_id.in_(patient_ids))
    connection.execute(
        sa.delete(series).where(
            series.c.study_id.in_(of_patients),
            ~sa.exists().where(dicom_object.c.series_id == series.c.id),
        )
    )
    connection.execute(
        sa.delete(study).where(
            study.c.patient_id.in_(patient_ids), ~sa.exists().where(series.c.study_id == study.c.id)
        )
    )
    gone = connection.scalars(
        sa.delete(patient)
        .where(
            patient.c.id.in_(patient_ids), ~sa.exists().where(study.c.patient_id == patient.c.id)
        )
        .returning(patient.c.id)
    )
    return set(gone)
