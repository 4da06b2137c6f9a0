"""Calculated DVHs and those that the TPS exported, side by side and never mixed."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sqlalchemy import Engine, Row, func, select

from rtpacs.errors import NotFoundError
from rtpacs.rules.access import Scope
from rtpacs.services.desk import Query
from rtpacs.services.views import CalculationView, Curve, Page, PairRow
from rtpacs.store.calculation_view import calculation_view, latest_calculation, tps_names
from rtpacs.store.plan_rows import pair_doses, pair_rows
from rtpacs.store.schema import dicom_object, dvh, pair, tps_dvh
from rtpacs.store.search import pairs_where
from rtpacs.store.sight import PAIRS, Sight, seeing
from rtpacs.store.stored_dvhs import stored_curve

DOSE_UNITS = "GY"
VOLUME_UNITS = "CM3"


class SqlDoses:
    """``Doses`` in the database, as far as a scope reaches."""

    def __init__(self, engine: Engine, scope: Scope) -> None:
        self._engine = engine
        self._scope = scope

    def pairs(self, query: Query) -> Page[PairRow]:
        """Pairs that belong to no plan set, newest first."""
        with seeing(self._engine, self._scope) as sight:
            where = pairs_where(sight, query)
            total = sight.connection.execute(
                select(func.count()).select_from(PAIRS).where(where)
            ).scalar_one()
            keys = sight.connection.execute(
                select(pair.c.id)
                .select_from(PAIRS)
                .where(where)
                .order_by(pair.c.id.desc())
                .offset(query.offset)
                .limit(query.limit)
            ).scalars()
            items = pair_rows(sight, pair.c.id.in_(keys.all()))
        return Page(items=tuple(items), total=total, offset=query.offset, limit=query.limit)

    def calculation(self, pair_id: str) -> CalculationView:
        """DVHs of a pair with their provenance.

        Raises
        ------
        NotFoundError
            No such pair, or its patient is in quarantine.
        """
        with seeing(self._engine, self._scope) as sight:
            return calculation_view(sight, _visible_pair(sight, pair_id).id)

    def curves(self, pair_id: str, numbers: Sequence[int] | None = None) -> list[Curve]:
        """Cumulative curves of the pair, ours first; ``numbers`` chooses structures.

        Structures without a curve (no volume, outside the dose grid) are left out.

        Raises
        ------
        NotFoundError
            No such pair, or its patient is in quarantine.
        """
        with seeing(self._engine, self._scope) as sight:
            row = _visible_pair(sight, pair_id)
            ours = _our_curves(sight, row)
            theirs = _tps_curves(sight, row)
        return [
            curve
            for wanted, curve in [*ours, *theirs]
            if numbers is None or wanted.intersection(numbers)
        ]


def _visible_pair(sight: Sight, pair_id: str) -> Row[Any]:
    row = sight.connection.execute(
        select(pair).select_from(PAIRS).where(pair.c.public_id == pair_id, sight.pairs)
    ).first()
    if row is None:
        raise NotFoundError("there is no such calculation")
    return row


def _our_curves(sight: Sight, row: Row[Any]) -> list[tuple[set[int], Curve]]:
    latest = latest_calculation(sight, row.id)
    if latest is None:
        return []
    units = _dose_units(sight, row)
    found = sight.connection.execute(
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


def _dose_units(sight: Sight, row: Row[Any]) -> str:
    keys = pair_doses(sight, [row.id])[row.id]
    contents = sight.connection.execute(
        select(dicom_object.c.content).where(dicom_object.c.id.in_(keys))
    ).scalars()
    return next((content["units"] for content in contents if content.get("units")), DOSE_UNITS)


def _tps_curves(sight: Sight, row: Row[Any]) -> list[tuple[set[int], Curve]]:
    names = tps_names(sight, row)
    found = sight.connection.execute(
        select(tps_dvh, dicom_object.c.public_id)
        .join(dicom_object, tps_dvh.c.dicom_object_id == dicom_object.c.id)
        .where(tps_dvh.c.dicom_object_id.in_(pair_doses(sight, [row.id])[row.id]))
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
