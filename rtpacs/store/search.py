"""How a search text and filters become SQL conditions, the same on both engines."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, UnaryExpression, and_, exists, func, literal, or_, select

from rtpacs.errors import InvalidInputError
from rtpacs.services.desk import Query
from rtpacs.store.access_schema import project, project_item
from rtpacs.store.schema import center, dicom_object, pair, patient, plan_set, series, study
from rtpacs.store.sight import Sight
from rtpacs.store.text import folded, has_wildcard, like_pattern, line_regex

ESCAPE = "\\"
Order = tuple[UnaryExpression[Any], ...]

PATIENT_ORDERS: Mapping[str, Order] = {
    "received": (patient.c.last_received.desc(), patient.c.id.desc()),
    "name": (patient.c.name_folded.asc(), patient.c.id.asc()),
    "number": (patient.c.patient_id.asc(), patient.c.id.asc()),
    "date": (patient.c.birth_date.desc().nulls_last(), patient.c.id.desc()),
}
PLAN_SET_ORDERS: Mapping[str, Order] = {
    "received": (patient.c.last_received.desc(), plan_set.c.id.desc()),
    "name": (patient.c.name_folded.asc(), plan_set.c.id.asc()),
    "number": (patient.c.patient_id.asc(), plan_set.c.id.asc()),
    "date": (plan_set.c.date.desc().nulls_last(), plan_set.c.id.desc()),
}
STUDY_ORDERS: Mapping[str, Order] = {
    "received": (patient.c.last_received.desc(), study.c.id.desc()),
    "name": (patient.c.name_folded.asc(), study.c.id.asc()),
    "number": (patient.c.patient_id.asc(), study.c.id.asc()),
    "date": (study.c.date.desc().nulls_last(), study.c.id.desc()),
}


def order_of(query: Query, orders: Mapping[str, Order]) -> Order:
    """The order that a query asks for.

    Raises
    ------
    InvalidInputError
        There is no such order.
    """
    if query.sort not in orders:
        raise InvalidInputError(f"sort must be one of {', '.join(orders)}")
    return orders[query.sort]


def patients_where(sight: Sight, query: Query) -> ColumnElement[bool]:
    """Visible patients that fit; filters on plans ask for one plan set that fits them all."""
    conditions = [sight.patients, *text_conditions(query.text), *_place(query)]
    if plan := _plan(query):
        plans = select(plan_set.c.id).where(plan_set.c.patient_id == patient.c.id)
        conditions.append(exists(plans.where(sight.plan_sets, *plan)))
    if dates := _dates(study.c.date, query):
        studies = select(study.c.id).where(study.c.patient_id == patient.c.id)
        conditions.append(exists(studies.where(sight.studies, *dates)))
    conditions += [_has_modality(sight, name) for name in query.modalities]
    return and_(*conditions)


def _has_modality(sight: Sight, modality: str) -> ColumnElement[bool]:
    of_patient = (
        select(series.c.id)
        .join(study, study.c.id == series.c.study_id)
        .where(study.c.patient_id == patient.c.id, series.c.modality == modality, sight.series)
    )
    return exists(of_patient)


def studies_where(sight: Sight, query: Query) -> ColumnElement[bool]:
    """Visible studies that fit; the text also matches parts of the study's description."""
    description = func.lower(func.coalesce(study.c.description, ""))
    return and_(
        sight.studies,
        *text_conditions(query.text, description),
        *_place(query),
        *_dates(study.c.date, query),
    )


def plan_sets_where(sight: Sight, query: Query) -> ColumnElement[bool]:
    """Visible plan sets that fit; the text also matches parts of the plan label."""
    label = func.lower(plan_set.c.label)
    return and_(
        sight.plan_sets,
        *text_conditions(query.text, label),
        *_place(query),
        *_plan(query),
        *_dates(plan_set.c.date, query),
        *(_has_modality(sight, name) for name in query.modalities),
    )


def pairs_where(sight: Sight, query: Query) -> ColumnElement[bool]:
    """Visible pairs that fit and belong to no plan set."""
    return and_(sight.pairs, without_plan_set(sight), *text_conditions(query.text), *_place(query))


def without_plan_set(sight: Sight) -> ColumnElement[bool]:
    """Pairs that no plan set in sight shows as its own."""
    return ~exists(select(plan_set.c.id).where(plan_set.c.pair_id == pair.c.id, sight.plan_sets))


def text_conditions(text: str, *others: ColumnElement[str]) -> list[ColumnElement[bool]]:
    """Every word is part of the name, the number or one of the other texts.

    A word with wildcards is a whole part of the name, or the whole number or other text.
    """
    number = func.lower(patient.c.patient_id)
    return [
        _matching(word, [number, *others]) if has_wildcard(word) else _part(word, [number, *others])
        for word in text.replace(",", " ").split()
    ]


def _part(word: str, places: Sequence[ColumnElement[str]]) -> ColumnElement[bool]:
    found = [place.contains(word.lower(), autoescape=True) for place in places]
    if parts := folded(word).split():
        names = [patient.c.name_folded.contains(part, autoescape=True) for part in parts]
        found.append(and_(*names))
    return or_(*found)


def _matching(word: str, places: Sequence[ColumnElement[str]]) -> ColumnElement[bool]:
    pattern = like_pattern(word.lower())
    # With a space at both ends every part of a name is one between spaces.
    name = literal(" ").concat(patient.c.name_folded).concat(" ")
    in_name = name.like(f"% {like_pattern(folded(word))} %", escape=ESCAPE)
    return or_(in_name, *(place.like(pattern, escape=ESCAPE) for place in places))


def _place(query: Query) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if query.center:
        conditions.append(center.c.code == query.center)
    if query.quiet_since:
        moment = datetime.fromisoformat(query.quiet_since).replace(tzinfo=UTC)
        conditions.append(patient.c.last_received < moment)
    if query.project:
        items = select(project_item.c.patient_id).join(
            project, project.c.id == project_item.c.project_id
        )
        conditions.append(patient.c.id.in_(items.where(project.c.code == query.project)))
    return conditions


def _dates(column: ColumnElement[str | None], query: Query) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if query.date_from:
        conditions.append(column >= query.date_from)
    if query.date_to:
        conditions.append(column <= query.date_to)
    return conditions


def _plan(query: Query) -> list[ColumnElement[bool]]:
    """What is asked of a plan set."""
    conditions = [
        column == value
        for column, value in (
            (plan_set.c.state, query.state),
            (plan_set.c.approval_status, query.approval),
            (plan_set.c.treatment_status, query.treatment),
        )
        if value
    ]
    if query.plan_uid:
        plans = select(dicom_object.c.id).where(dicom_object.c.sop_uid == query.plan_uid)
        conditions.append(plan_set.c.plan_id.in_(plans))
    if query.prescribed_from_gy is not None:
        conditions.append(plan_set.c.prescribed_gy >= query.prescribed_from_gy)
    if query.prescribed_to_gy is not None:
        conditions.append(plan_set.c.prescribed_gy <= query.prescribed_to_gy)
    if query.structure:
        line = f"%\n{like_pattern(folded(query.structure))}\n%"
        conditions.append(plan_set.c.structures.like(line, escape=ESCAPE))
        if regex := line_regex(folded(query.structure)):
            conditions.append(plan_set.c.structures.regexp_match(regex))
    if query.tps:
        conditions.append(func.lower(plan_set.c.tps).contains(query.tps.lower(), autoescape=True))
    return conditions
