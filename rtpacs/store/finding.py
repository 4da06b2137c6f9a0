"""Searches of DICOM in the index, with what somebody may see and nothing else.

Several centers may own one study; somebody who sees both copies finds it once: its counts are of
different objects. Patients are never joined: two hospitals may use one number for two people.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Engine,
    FromClause,
    Row,
    Select,
    and_,
    func,
    or_,
    select,
)

from rtpacs.rules.access import Scope
from rtpacs.rules.queries import Condition, Fit, Match, Search, Value
from rtpacs.rules.routes import Level
from rtpacs.store.engine import reading
from rtpacs.store.schema import center, dicom_object, patient, series, study
from rtpacs.store.sight import OBJECTS, PATIENTS, SERIES, STUDIES, Sight, seeing
from rtpacs.store.text import folded

COLUMNS: Mapping[str, "Column[Any]"] = {
    "PatientName": patient.c.name,
    "PatientID": patient.c.patient_id,
    "IssuerOfPatientID": patient.c.issuer,
    "PatientBirthDate": patient.c.birth_date,
    "PatientSex": patient.c.sex,
    "StudyDate": study.c.date,
    "AccessionNumber": study.c.accession_number,
    "StudyDescription": study.c.description,
    "StudyInstanceUID": study.c.study_uid,
    "StudyID": study.c.dicom_study_id,
    "SeriesDate": series.c.date,
    "Modality": series.c.modality,
    "Manufacturer": series.c.manufacturer,
    "InstitutionName": series.c.institution,
    "SeriesDescription": series.c.description,
    "ManufacturerModelName": series.c.model,
    "SeriesInstanceUID": series.c.series_uid,
    "SeriesNumber": series.c.number,
    "FrameOfReferenceUID": series.c.frame_of_reference_uid,
    "SOPClassUID": dicom_object.c.sop_class_uid,
    "SOPInstanceUID": dicom_object.c.sop_uid,
    "InstanceNumber": dicom_object.c.instance_number,
}
# What makes one match. Orthanc's id is a hash of all four identifiers, and has an index.
_KEYS: Mapping[Level, tuple["Column[Any]", ...]] = {
    Level.PATIENT: (patient.c.id,),
    Level.STUDY: (patient.c.patient_id, study.c.study_uid),
    Level.SERIES: (patient.c.patient_id, study.c.study_uid, series.c.series_uid),
    Level.INSTANCE: (dicom_object.c.orthanc_id,),
}
_READABLE = dicom_object.c.sop_uid.is_not(None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where matches of a level are looked for."""

    source: FromClause
    row: "Column[Any]"
    seen: Callable[[Sight], ColumnElement[bool]]


_PLACES: Mapping[Level, _Place] = {
    Level.PATIENT: _Place(source=PATIENTS, row=patient.c.id, seen=lambda sight: sight.patients),
    Level.STUDY: _Place(source=STUDIES, row=study.c.id, seen=lambda sight: sight.studies),
    Level.SERIES: _Place(source=SERIES, row=series.c.id, seen=lambda sight: sight.series),
    Level.INSTANCE: _Place(source=OBJECTS, row=dicom_object.c.id, seen=lambda sight: sight.objects),
}


class SqlFinder:
    """``services.finding.Finder`` in the database."""

    def __init__(self, engine: Engine, scope: Scope) -> None:
        self._engine = engine
        self._scope = scope

    def find(self, search: Search) -> list[Match]:
        """Matches in a stable order, at most ``search.limit``."""
        place = _PLACES[search.level]
        key = _KEYS[search.level]
        with seeing(self._engine, self._scope) as sight:
            wanted = (
                _of_objects(search.conditions, sight)
                if search.level is Level.INSTANCE
                else [_where(one, sight) for one in search.conditions]
            )
            rows = sight.connection.execute(
                select(*key)
                .select_from(place.source)
                .where(place.seen(sight), *wanted)
                .group_by(*key)
                # In the order of an index where there are many.
                .order_by(*(key if search.level is Level.INSTANCE else [func.min(place.row)]))
                .offset(search.offset)
                .limit(search.limit)
            ).all()
            return _matches(sight, search.level, [tuple(row) for row in rows])


def movable_objects(
    engine: Engine, scopes: Sequence[Scope], conditions: Sequence[Condition], limit: int
) -> list[str]:
    """Our ids of objects inside all of these scopes that fit; each of Orthanc's once."""
    with reading(engine) as connection:
        sights = [Sight(connection=connection, scope=scope) for scope in scopes]
        firsts = (
            select(func.min(dicom_object.c.id))
            .select_from(OBJECTS)
            .where(*(sight.objects for sight in sights))
            .where(*_of_objects(conditions, sights[0]))
            .group_by(dicom_object.c.orthanc_id)
            .limit(limit)
        )
        query = select(dicom_object.c.public_id).where(dicom_object.c.id.in_(firsts))
        return list(connection.scalars(query))


def _matches(sight: Sight, level: Level, keys: Sequence[tuple[Any, ...]]) -> list[Match]:
    """One match for each key, of what is seen: values of its first object, counts of all."""
    if not keys:
        return []
    key = _KEYS[level]
    groups = sight.connection.execute(
        select(
            func.min(dicom_object.c.id).label("first"),
            func.count(func.distinct(dicom_object.c.orthanc_id)).label("instances"),
            func.count(func.distinct(series.c.series_uid)).label("series"),
            func.count(func.distinct(study.c.study_uid)).label("studies"),
            *key,
        )
        .select_from(OBJECTS)
        .where(sight.objects, _inside(level, keys))
        .group_by(*key)
    ).all()
    counts = {row.first: row for row in groups}
    firsts = sight.connection.execute(
        select(
            dicom_object.c.id,
            dicom_object.c.orthanc_id,
            center.c.code.label("center"),
            *(column.label(name) for name, column in COLUMNS.items()),
        )
        .select_from(OBJECTS)
        .where(dicom_object.c.id.in_(counts))
    )
    modalities = _modalities(sight, keys) if level is Level.STUDY else {}
    by_key = {}
    for row in firsts:
        of_group = tuple(counts[row.id][-len(key) :])
        values = _values(level, row, counts[row.id], modalities.get(of_group, ()))
        by_key[of_group] = Match(
            level=level, values=values, orthanc_id=row.orthanc_id, center=row.center
        )
    return [by_key[one] for one in keys if one in by_key]


def _inside(level: Level, keys: Sequence[tuple[Any, ...]]) -> ColumnElement[bool]:
    """Objects of these matches, by an index; what else fits is left out later."""
    values = {key[-1] for key in keys}
    if level is Level.PATIENT:
        return dicom_object.c.patient_id.in_(values)
    if level is Level.INSTANCE:
        return dicom_object.c.orthanc_id.in_(values)
    return dicom_object.c.series_id.in_(_series_where(_KEYS[level][-1].in_(values)))


def _series_where(*conditions: ColumnElement[bool]) -> "Select[tuple[int]]":
    """Keys of series, found before the objects in them are looked at."""
    return select(series.c.id).select_from(SERIES).where(*conditions).correlate(None)


def _of_objects(conditions: Sequence[Condition], sight: Sight) -> list[ColumnElement[bool]]:
    """Conditions on objects; those of the levels above choose series first."""
    own = [one for one in conditions if one.attribute.level is Level.INSTANCE]
    above = [_where(one, sight) for one in conditions if one.attribute.level is not Level.INSTANCE]
    chosen = [dicom_object.c.series_id.in_(_series_where(*above))] if above else []
    return [_READABLE, *(_where(one, sight) for one in own), *chosen]


def _modalities(
    sight: Sight, keys: Sequence[tuple[Any, ...]]
) -> dict[tuple[Any, ...], tuple[str, ...]]:
    key = _KEYS[Level.STUDY]
    rows = sight.connection.execute(
        select(*key, series.c.modality)
        .select_from(SERIES)
        .where(sight.series, key[-1].in_({one[-1] for one in keys}))
        .distinct()
        .order_by(series.c.modality)
    )
    found: dict[tuple[Any, ...], tuple[str, ...]] = {}
    for *of_group, modality in rows:
        found[tuple(of_group)] = (*found.get(tuple(of_group), ()), modality)
    return found


def _values(
    level: Level, row: Row[Any], counts: Row[Any], modalities: tuple[str, ...]
) -> dict[str, Value]:
    values: dict[str, Value] = {name: getattr(row, name) for name in COLUMNS}
    if level is Level.PATIENT:
        values["NumberOfPatientRelatedStudies"] = counts.studies
    if level is Level.STUDY:
        values["ModalitiesInStudy"] = modalities
        values["NumberOfStudyRelatedSeries"] = counts.series
        values["NumberOfStudyRelatedInstances"] = counts.instances
    if level is Level.SERIES:
        values["NumberOfSeriesRelatedInstances"] = counts.instances
    return values


def _where(one: Condition, sight: Sight) -> ColumnElement[bool]:
    fit = one.attribute.fit
    if fit is Fit.MODALITIES:
        seen = (
            select(series.c.study_id)
            .select_from(SERIES)
            .where(sight.series, _any(series.c.modality, one.values))
        )
        return study.c.id.in_(seen)
    if fit is Fit.NAME:
        return or_(*(_named(value, loose=one.loose) for value in one.values))
    column = COLUMNS[one.attribute.keyword]
    if one.is_range:
        return _between(column, *one.values)
    if fit is Fit.NUMBER:
        return column.in_([int(value) for value in one.values])
    return _any(column, one.values)


def _between(column: "Column[Any]", first: str, last: str) -> ColumnElement[bool]:
    ends = [column >= first] if first else []
    ends += [column <= last] if last else []
    return and_(*ends)


def _any(column: "Column[Any]", values: Sequence[str]) -> ColumnElement[bool]:
    """Equal, or fitting ``*`` and ``?``, letter case then aside on both engines."""
    plain = [value for value in values if not set("*?") & set(value)]
    patterns = [value for value in values if set("*?") & set(value)]
    conditions: list[ColumnElement[bool]] = [column.in_(plain)] if plain else []
    conditions += [
        func.lower(column).like(_pattern(value.lower()), escape="\\") for value in patterns
    ]
    return or_(*conditions)


def _named(value: str, *, loose: bool) -> ColumnElement[bool]:
    name = patient.c.name_folded
    if loose:
        words = folded(value).replace("*", " ").split()
        starts = [
            or_(
                name.like(f"{_pattern(word)}%", escape="\\"),
                name.like(f"% {_pattern(word)}%", escape="\\"),
            )
            for word in words
        ]
        return and_(*starts)
    return name.like(_pattern(folded(value)), escape="\\")


def _pattern(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")
    return escaped.replace("*", "%").replace("?", "_")
