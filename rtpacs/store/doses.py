"""Calculated DVHs and those that the TPS exported, side by side and never mixed."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sqlalchemy import Connection, Engine, Row, func, select

from rtpacs.errors import NotFoundError
from rtpacs.services.desk import Query
from rtpacs.services.views import CalculationView, Curve, Page, PairRow
from rtpacs.store.calculation_view import calculation_view, latest_calculation, tps_names
from rtpacs.store.engine import reading
from rtpacs.store.plan_rows import pair_doses, pair_rows
from rtpacs.store.rows import PATIENTS, VISIBLE
from rtpacs.store.schema import dicom_object, dvh, pair, patient, tps_dvh
from rtpacs.store.search import pairs_where
from rtpacs.store.stored_dvhs import stored_curve

DOSE_UNITS = "GY"
VOLUME_UNITS = "CM3"
_VISIBLE_PAIRS = pair.join(PATIENTS, pair.c.patient_id == patient.c.id)


class SqlDoses:
    """``Doses`` in the database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def pairs(self, query: Query) -> Page[PairRow]:
        """Pairs that belong to no plan set, newest first."""
        where = pairs_where(query)
        with reading(self._engine) as connection:
            total = connection.execute(
                select(func.count()).select_from(_VISIBLE_PAIRS).where(where)
            ).scalar_one()
            keys = connection.execute(
                select(pair.c.id)
                .select_from(_VISIBLE_PAIRS)
                .where(where)
                .order_by(pair.c.id.desc())
                .offset(query.offset)
                .limit(query.limit)
            ).scalars()
            items = pair_rows(connection, pair.c.id.in_(keys.all()))
        return Page(items=tuple(items), total=total, offset=query.offset, limit=query.limit)

    def calculation(self, pair_id: str) -> CalculationView:
        """DVHs of a pair with their provenance.

        Raises
        ------
        NotFoundError
            No such pair, or its patient is in quarantine.
        """
        with reading(self._engine) as connection:
            return calculation_view(connection, _visible_pair(connection, pair_id).id)

    def curves(self, pair_id: str, numbers: Sequence[int] | None = None) -> list[Curve]:
        """Cumulative curves of the pair, ours first; ``numbers`` chooses structures.

        Structures without a curve (no volume, outside the dose grid) are left out.

        Raises
        ------
        NotFoundError
            No such pair, or its patient is in quarantine.
        """
        with reading(self._engine) as connection:
            row = _visible_pair(connection, pair_id)
            ours = _our_curves(connection, row)
            theirs = _tps_curves(connection, row)
        return [
            curve
            for wanted, curve in [*ours, *theirs]
            if numbers is None or wanted.intersection(numbers)
        ]


def _visible_pair(connection: Connection, pair_id: str) -> Row[Any]:
    row = connection.execute(
        select(pair).select_from(_VISIBLE_PAIRS).where(pair.c.public_id == pair_id, VISIBLE)
    ).first()
    if row is None:
        raise NotFoundError("there is no such calculation")
    return row


def _our_curves(connection: Connection, row: Row[Any]) -> list[tuple[set[int], Curve]]:
    latest = latest_calculation(connection, row.id)
    if latest is None:
        return []
    units = _dose_units(connection, row)
    found = connection.execute(
        select(dvh).where(dvh.c.calculation_id == latest.id).order_by(dvh.c.id)
    )
    curves = [_our_curve(item, units) for item in found]
    return [({curve.number}, curve) for curve in curves if curve.dose]


def _our_curve(row: Row[Any], units: str) -> Curve:
    volume = stored_curve(row)
    edges = row.bin_gy * np.arange(volume.size)
    return Curve(
        source="rtpacs",
        number=row.number,
        name=row.name,
        dose_units=units,
        volume_units=VOLUME_UNITS,
        dose=tuple(edges.round(6).tolist()),
        volume=tuple(volume.tolist()),
    )


def _dose_units(connection: Connection, row: Row[Any]) -> str:
    keys = pair_doses(connection, [row.id])[row.id]
    contents = connection.execute(
        select(dicom_object.c.content).where(dicom_object.c.id.in_(keys))
    ).scalars()
    return next((content["units"] for content in contents if content.get("units")), DOSE_UNITS)


def _tps_curves(connection: Connection, row: Row[Any]) -> list[tuple[set[int], Curve]]:
    names = tps_names(connection, row)
    found = connection.execute(
        select(tps_dvh, dicom_object.c.public_id)
        .join(dicom_object, tps_dvh.c.dicom_object_id == dicom_object.c.id)
        .where(tps_dvh.c.dicom_object_id.in_(pair_doses(connection, [row.id])[row.id]))
        .order_by(tps_dvh.c.dicom_object_id, tps_dvh.c.position)
    )
    return [(set(item.roi_numbers), _tps_curve(item, names(item))) for item in found]


def _tps_curve(row: Row[Any], name: str) -> Curve:
    dose, volume = np.frombuffer(row.curve, dtype="<f8").reshape(2, -1).tolist()
    return Curve(
        source="TPS",
        number=row.roi_numbers[0] if row.roi_numbers else 0,
        name=name,
        dose_units=row.dose_units,
        volume_units=row.volume_units,
        dose=tuple(dose),
        volume=tuple(volume),
        dose_id=row.public_id,
    )
