"""The index as people read it: patients, plan sets and single objects.

What waits in quarantine is in no list and under no id (``rows.VISIBLE``).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, FromClause, Row, func, select

from rtpacs.errors import NotFoundError
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
from rtpacs.store.engine import reading
from rtpacs.store.plan_rows import link_rows, pair_rows, plan_set_rows
from rtpacs.store.rows import PATIENTS, VISIBLE, object_rows, patient_rows, series_rows, study_rows
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

_STUDIES: FromClause = study.join(PATIENTS, study.c.patient_id == patient.c.id)
_PLAN_SETS: FromClause = plan_set.join(PATIENTS, plan_set.c.patient_id == patient.c.id)


class SqlCatalogue:
    """``Catalogue`` in the database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def patients(self, query: Query) -> Page[PatientRow]:
        """Patients that fit the query.

        Raises
        ------
        InvalidInputError
            The query asks for an unknown order.
        """
        order = order_of(query, PATIENT_ORDERS)
        with reading(self._engine) as connection:
            keys, total = _page(connection, PATIENTS, patients_where(query), (order, query))
            rows = patient_rows(connection, keys)
        items = tuple(rows[key] for key in keys if key in rows)
        return Page(items=items, total=total, offset=query.offset, limit=query.limit)

    def patient(self, patient_id: str) -> PatientDetail:
        """Everything a patient page shows.

        Raises
        ------
        NotFoundError
            No such patient, or one in quarantine.
        """
        with reading(self._engine) as connection:
            key = _key(connection, PATIENTS, patient, patient_id)
            plan_sets = connection.execute(
                select(plan_set.c.id)
                .where(plan_set.c.patient_id == key)
                .order_by(plan_set.c.date.desc().nulls_last(), plan_set.c.id.desc())
            ).scalars()
            own = dicom_object.c.patient_id == key
            return PatientDetail(
                row=patient_rows(connection, [key])[key],
                plan_sets=tuple(plan_set_rows(connection, plan_sets.all())),
                pairs=tuple(pair_rows(connection, (pair.c.patient_id == key) & without_plan_set())),
                series=tuple(series_rows(connection, study.c.patient_id == key).values()),
                objects=tuple(
                    object_rows(connection, own & (dicom_object.c.role != Role.IMAGE)).values()
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
        with reading(self._engine) as connection:
            keys, total = _page(connection, _STUDIES, studies_where(query), (order, query))
            items = tuple(study_rows(connection, keys))
        return Page(items=items, total=total, offset=query.offset, limit=query.limit)

    def plan_sets(self, query: Query) -> Page[PlanSetRow]:
        """Plan sets that fit the query.

        Raises
        ------
        InvalidInputError
            The query asks for an unknown order.
        """
        order = order_of(query, PLAN_SET_ORDERS)
        with reading(self._engine) as connection:
            keys, total = _page(connection, _PLAN_SETS, plan_sets_where(query), (order, query))
            items = tuple(plan_set_rows(connection, keys))
        return Page(items=items, total=total, offset=query.offset, limit=query.limit)

    def plan_set(self, plan_set_id: str) -> PlanSetDetail:
        """Everything a plan page shows besides curves.

        Raises
        ------
        NotFoundError
            No such plan set, or one of a patient in quarantine.
        """
        with reading(self._engine) as connection:
            key = _key(connection, _PLAN_SETS, plan_set, plan_set_id)
            row = connection.execute(select(plan_set).where(plan_set.c.id == key)).one()
            return _detail(connection, row)

    def object(self, object_id: str) -> ObjectRow:
        """One object with its findings.

        Raises
        ------
        NotFoundError
            No such object, or one in quarantine.
        """
        with reading(self._engine) as connection:
            found = object_rows(connection, dicom_object.c.public_id == object_id)
        if not found:
            raise NotFoundError("there is no such object")
        return next(iter(found.values()))


def _page(
    connection: Connection,
    source: FromClause,
    where: ColumnElement[bool],
    ordered: tuple[Order, Query],
) -> tuple[Sequence[int], int]:
    order, query = ordered
    key = {_PLAN_SETS: plan_set.c.id, _STUDIES: study.c.id}.get(source, patient.c.id)
    total = connection.execute(select(func.count()).select_from(source).where(where)).scalar_one()
    keys = connection.execute(
        select(key)
        .select_from(source)
        .where(where)
        .order_by(*order)
        .offset(query.offset)
        .limit(query.limit)
    ).scalars()
    return keys.all(), total


def _key(connection: Connection, source: FromClause, table: Any, public_id: str) -> int:
    key: int | None = connection.execute(
        select(table.c.id).select_from(source).where(table.c.public_id == public_id, VISIBLE)
    ).scalar()
    if key is None:
        raise NotFoundError(f"there is no such {table.name.replace('_', ' ')}")
    return key


def _detail(connection: Connection, row: Row[Any]) -> PlanSetDetail:
    members = select(plan_set_object.c.dicom_object_id).where(
        plan_set_object.c.plan_set_id == row.id
    )
    member = dicom_object.c.id.in_(members) | dicom_object.c.id.in_(
        [row.plan_id, row.structure_set_id]
    )
    objects = object_rows(connection, member & (dicom_object.c.role != Role.IMAGE))
    contents = _contents(connection, objects)
    images = series_rows(connection, series.c.id == row.image_series_id)
    return PlanSetDetail(
        row=plan_set_rows(connection, [row.id])[0],
        plan=decode(PlanContent, contents[row.plan_id]),
        structure_set=(
            structure_set_content(connection, row.structure_set_id)
            if row.structure_set_id in objects
            else None
        ),
        doses=tuple(
            (item, decode(DoseContent, contents[key]))
            for key, item in objects.items()
            if item.role == Role.DOSE
        ),
        objects=tuple(objects.values()),
        links=link_rows(connection, decode(tuple[Link, ...], row.links)),
        calculation=calculation_view(connection, row.pair_id) if row.pair_id else None,
        plan_object=objects[row.plan_id],
        structure_set_object=objects.get(row.structure_set_id),
        image_series=images.get(row.image_series_id),
    )


def _contents(connection: Connection, objects: Mapping[int, ObjectRow]) -> dict[int, Any]:
    wanted = [key for key, item in objects.items() if item.role in (Role.PLAN, Role.DOSE)]
    found = connection.execute(
        select(dicom_object.c.id, dicom_object.c.content).where(dicom_object.c.id.in_(wanted))
    )
    return {key: content for key, content in found}
