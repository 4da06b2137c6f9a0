"""The index as people read it: patients, plan sets and single objects.

What its scope does not cover is in no list and under no id.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Engine, FromClause, Row, func, select

from rtpacs.errors import NotFoundError
from rtpacs.rules.access import Scope
from rtpacs.rules.objects import DoseContent, PlanContent, Role
from rtpacs.rules.plan_sets import Link
from rtpacs.services.desk import Query
from rtpacs.services.views import (
    ObjectRow,
    Page,
    PatientDetail,
    PatientRow,
    PlanSetDetail,
    PlanSetRow,
    StudyRow,
)
from rtpacs.store.calculation_view import calculation_view, structure_set_content
from rtpacs.store.codec import decode
from rtpacs.store.plan_rows import (
    link_rows,
    pair_rows,
    pairs_of_doses,
    plan_set_rows,
    plan_sites,
)
from rtpacs.store.rows import object_rows, patient_rows, series_rows, study_rows
from rtpacs.store.schema import (
    dicom_object,
    pair,
    patient,
    plan_set,
    plan_set_object,
    series,
    study,
)
from rtpacs.store.search import (
    PATIENT_ORDERS,
    PLAN_SET_ORDERS,
    STUDY_ORDERS,
    Order,
    order_of,
    patients_where,
    plan_sets_where,
    studies_where,
    without_plan_set,
)
from rtpacs.store.sight import OBJECTS, PATIENTS, PLAN_SETS, STUDIES, Sight, seeing


class SqlCatalogue:
    """``Catalogue`` in the database, as far as a scope reaches."""

    def __init__(self, engine: Engine, scope: Scope) -> None:
        self._engine = engine
        self._scope = scope

    def patients(self, query: Query) -> Page[PatientRow]:
        """Patients that fit the query.

        Raises
        ------
        InvalidInputError
            The query asks for an unknown order.
        """
        order = order_of(query, PATIENT_ORDERS)
        with seeing(self._engine, self._scope) as sight:
            keys, total = _page(sight, PATIENTS, patients_where(sight, query), (order, query))
            rows = patient_rows(sight, keys)
        items = tuple(rows[key] for key in keys if key in rows)
        return Page(items=items, total=total, offset=query.offset, limit=query.limit)

    def patient(self, patient_id: str) -> PatientDetail:
        """Everything a patient page shows.

        Raises
        ------
        NotFoundError
            No such patient, or none of this scope.
        """
        with seeing(self._engine, self._scope) as sight:
            key = _key(sight, PATIENTS, sight.patients, patient_id)
            plan_sets = sight.connection.execute(
                select(plan_set.c.id)
                .select_from(PLAN_SETS)
                .where(plan_set.c.patient_id == key, sight.plan_sets)
                .order_by(plan_set.c.date.desc().nulls_last(), plan_set.c.id.desc())
            ).scalars()
            own = dicom_object.c.patient_id == key
            rows = tuple(plan_set_rows(sight, plan_sets.all()))
            return PatientDetail(
                row=patient_rows(sight, [key])[key],
                plan_sets=rows,
                sites=plan_sites(sight, [row.id for row in rows]),
                pairs=tuple(pair_rows(sight, (pair.c.patient_id == key) & without_plan_set(sight))),
                series=tuple(series_rows(sight, study.c.patient_id == key).values()),
                objects=tuple(
                    object_rows(sight, own & (dicom_object.c.role != Role.IMAGE)).values()
                ),
            )

    def studies(self, query: Query) -> Page[StudyRow]:
        """Studies that fit the query; states and plan filters do not apply.

        Raises
        ------
        InvalidInputError
            The query asks for an unknown order.
        """
        order = order_of(query, STUDY_ORDERS)
        with seeing(self._engine, self._scope) as sight:
            keys, total = _page(sight, STUDIES, studies_where(sight, query), (order, query))
            items = tuple(study_rows(sight, keys))
        return Page(items=items, total=total, offset=query.offset, limit=query.limit)

    def plan_sets(self, query: Query) -> Page[PlanSetRow]:
        """Plan sets that fit the query.

        Raises
        ------
        InvalidInputError
            The query asks for an unknown order.
        """
        order = order_of(query, PLAN_SET_ORDERS)
        with seeing(self._engine, self._scope) as sight:
            keys, total = _page(sight, PLAN_SETS, plan_sets_where(sight, query), (order, query))
            items = tuple(plan_set_rows(sight, keys))
        return Page(items=items, total=total, offset=query.offset, limit=query.limit)

    def plan_set(self, plan_set_id: str) -> PlanSetDetail:
        """Everything a plan page shows besides curves.

        Raises
        ------
        NotFoundError
            No such plan set, or none of this scope.
        """
        with seeing(self._engine, self._scope) as sight:
            key = _key(sight, PLAN_SETS, sight.plan_sets, plan_set_id)
            row = sight.connection.execute(select(plan_set).where(plan_set.c.id == key)).one()
            return _detail(sight, row)

    def object(self, object_id: str) -> ObjectRow:
        """One object with its findings.

        Raises
        ------
        NotFoundError
            No such object, or none of this scope.
        """
        with seeing(self._engine, self._scope) as sight:
            found = object_rows(sight, dicom_object.c.public_id == object_id)
        if not found:
            raise NotFoundError("there is no such object")
        return next(iter(found.values()))


def _page(
    sight: Sight,
    source: FromClause,
    where: ColumnElement[bool],
    ordered: tuple[Order, Query],
) -> tuple[Sequence[int], int]:
    order, query = ordered
    key = {PLAN_SETS: plan_set.c.id, STUDIES: study.c.id}.get(source, patient.c.id)
    total = sight.connection.execute(
        select(func.count()).select_from(source).where(where)
    ).scalar_one()
    keys = sight.connection.execute(
        select(key)
        .select_from(source)
        .where(where)
        .order_by(*order)
        .offset(query.offset)
        .limit(query.limit)
    ).scalars()
    return keys.all(), total


def _key(sight: Sight, source: FromClause, seen: ColumnElement[bool], public_id: str) -> int:
    table = plan_set if source is PLAN_SETS else patient
    key: int | None = sight.connection.execute(
        select(table.c.id).select_from(source).where(table.c.public_id == public_id, seen)
    ).scalar()
    if key is None:
        raise NotFoundError(f"there is no such {table.name.replace('_', ' ')}")
    return key


def _detail(sight: Sight, row: Row[Any]) -> PlanSetDetail:
    members = select(plan_set_object.c.dicom_object_id).where(
        plan_set_object.c.plan_set_id == row.id
    )
    member = dicom_object.c.id.in_(members) | dicom_object.c.id.in_(
        [row.plan_id, row.structure_set_id]
    )
    objects = object_rows(sight, member & (dicom_object.c.role != Role.IMAGE))
    contents = _contents(sight, objects)
    images = series_rows(sight, series.c.id == row.image_series_id)
    shown = plan_set_rows(sight, [row.id])[0]
    doses = {key: item for key, item in objects.items() if item.role == Role.DOSE}
    return PlanSetDetail(
        row=shown,
        plan=decode(PlanContent, contents[row.plan_id]),
        structure_set=(
            structure_set_content(sight, row.structure_set_id)
            if row.structure_set_id in objects
            else None
        ),
        doses=tuple((item, decode(DoseContent, contents[key])) for key, item in doses.items()),
        objects=tuple(objects.values()),
        links=link_rows(sight, decode(tuple[Link, ...], row.links)),
        calculation=calculation_view(sight, row.pair_id) if shown.pair_id else None,
        plan_object=objects[row.plan_id],
        structure_set_object=objects.get(row.structure_set_id),
        image_series=images.get(row.image_series_id),
        pairs=pairs_of_doses(sight, doses),
    )


def _contents(sight: Sight, objects: Mapping[int, ObjectRow]) -> dict[int, Any]:
    wanted = [key for key, item in objects.items() if item.role in (Role.PLAN, Role.DOSE)]
    found = sight.connection.execute(
        select(dicom_object.c.id, dicom_object.c.content)
        .select_from(OBJECTS)
        .where(dicom_object.c.id.in_(wanted), sight.objects)
    )
    return {key: content for key, content in found}
