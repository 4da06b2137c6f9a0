"""How a search text and filters become SQL conditions, the same on both engines."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, UnaryExpression, and_, exists, func, or_, select

from rtpacs.errors import InvalidInputError
from rtpacs.services.desk import Query
from rtpacs.store.schema import center, dicom_object, pair, patient, plan_set, study
from rtpacs.store.sight import Sight
from rtpacs.store.text import folded

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
    """Visible patients that fit; a plan filter asks for at least one such plan set."""
    conditions = [sight.patients, *text_conditions(query.text), *_center(query)]
    if query.state or query.plan_uid:
        conditions.append(
            exists(
                select(plan_set.c.id).where(
                    plan_set.c.patient_id == patient.c.id, sight.plan_sets, *_plan(query)
                )
            )
        )
    return and_(*conditions)


def studies_where(sight: Sight, query: Query) -> ColumnElement[bool]:
    """Visible studies that fit; the text also matches parts of the study's description."""
    description = func.lower(func.coalesce(study.c.description, ""))
    return and_(sight.studies, *text_conditions(query.text, description), *_center(query))


def plan_sets_where(sight: Sight, query: Query) -> ColumnElement[bool]:
    """Visible plan sets that fit; the text also matches parts of the plan label."""
    label = func.lower(plan_set.c.label)
    return and_(
        sight.plan_sets, *text_conditions(query.text, label), *_center(query), *_plan(query)
    )


def pairs_where(sight: Sight, query: Query) -> ColumnElement[bool]:
    """Visible pairs that fit and belong to no plan set."""
    return and_(sight.pairs, without_plan_set(sight), *text_conditions(query.text), *_center(query))


def without_plan_set(sight: Sight) -> ColumnElement[bool]:
    """Pairs that no plan set in sight shows as its own."""
    return ~exists(select(plan_set.c.id).where(plan_set.c.pair_id == pair.c.id, sight.plan_sets))


def text_conditions(text: str, *others: ColumnElement[str]) -> list[ColumnElement[bool]]:
    """Every word is part of the name, the number or one of the other texts."""
    number = func.lower(patient.c.patient_id)
    conditions = []
    for word in text.replace(",", " ").split():
        places = [number.contains(word.lower(), autoescape=True)]
        places += [other.contains(word.lower(), autoescape=True) for other in others]
        if parts := folded(word).split():
            names = [patient.c.name_folded.contains(part, autoescape=True) for part in parts]
            places.append(and_(*names))
        conditions.append(or_(*places))
    return conditions


def _center(query: Query) -> list[ColumnElement[bool]]:
    return [center.c.code == query.center] if query.center else []


def _plan(query: Query) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if query.state:
        conditions.append(plan_set.c.state == query.state)
    if query.plan_uid:
        plans = select(dicom_object.c.id).where(dicom_object.c.sop_uid == query.plan_uid)
        conditions.append(plan_set.c.plan_id.in_(plans))
    return conditions
