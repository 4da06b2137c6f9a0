"""What belongs to a subject of the viewer: images, structure set, doses, accepted registrations."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from rtpacs.errors import NotFoundError
from rtpacs.rules.access import Scope
from rtpacs.rules.objects import (
    Role,
)
from rtpacs.services.viewer import RoiLook, Subject, SubjectKind, ViewerInput
from rtpacs.store.assembly_rows import name_of
from rtpacs.store.engine import chunks, reading
from rtpacs.store.schema import (
    dicom_object,
    pair,
    pair_dose,
    patient,
    plan_set,
    plan_set_object,
    series,
)
from rtpacs.store.sight import OBJECTS, PAIRS, PLAN_SETS, SERIES, Sight, seeing
from rtpacs.store.viewer_rows import (
    accepted_registrations,
    images_in_frames,
    images_of,
    structures_of,
    targets,
    viewer_dose,
    viewer_objects,
)

Row = sa.Row[Any]


class SqlViewerInputs:
    """``services.viewer.ViewerInputs`` on SQL, as far as a scope reaches."""

    def __init__(self, engine: sa.Engine, scope: Scope) -> None:
        self._engine = engine
        self._scope = scope

    def input_for(self, subject: Subject) -> ViewerInput:
        """Present inputs of a subject.

        Raises
        ------
        NotFoundError
            There is none, or an object that belongs to it may not be seen.
        StoreError, StoreUnavailableError
            The database did not answer.
        """
        with seeing(self._engine, self._scope) as sight:
            return _FINDERS[subject.kind](sight, subject)

    def of_patient(self, patient_key: int) -> list[Subject]:
        """Plan sets and pairs without a plan of a patient.

        Raises
        ------
        StoreError, StoreUnavailableError
            The database did not answer.
        """
        plans = sa.select(plan_set.c.public_id).where(plan_set.c.patient_id == patient_key)
        joined = sa.select(plan_set.c.pair_id).where(plan_set.c.pair_id.is_not(None))
        pairs = sa.select(pair.c.public_id).where(
            pair.c.patient_id == patient_key, pair.c.id.not_in(joined)
        )
        with reading(self._engine) as connection:
            return [
                Subject(kind=kind, key=key)
                for kind, found in ((SubjectKind.PLAN, plans), (SubjectKind.PAIR, pairs))
                for key in connection.execute(found).scalars()
            ]


def _of_plan(sight: Sight, subject: Subject) -> ViewerInput:
    row = _one(sight, plan_set, subject)
    members = sa.select(plan_set_object.c.dicom_object_id).where(
        plan_set_object.c.plan_set_id == row.id
    )
    objects = viewer_objects(
        sight.connection,
        dicom_object.c.id.in_(members)
        & dicom_object.c.role.in_([Role.IMAGE, Role.DOSE, Role.STRUCTURE_SET, Role.PLAN]),
    )
    structure_set = next((item for item in objects if item.id == row.structure_set_id), None)
    in_pair = sa.select(pair_dose.c.dicom_object_id).where(pair_dose.c.pair_id == row.pair_id)
    of_plan_dose = set(sight.connection.execute(in_pair).scalars()) if row.pair_id else set()
    images = [item for item in objects if item.role == Role.IMAGE]
    doses = [item for item in objects if item.role == Role.DOSE]
    if not images and structure_set is not None:
        images = images_of(sight.connection, structure_set)
    parts = [(dose, dose.id in of_plan_dose) for dose in doses]
    found = _input(sight, subject, images, structure_set, parts)
    plan = next((item for item in objects if item.id == row.plan_id), None)
    if plan is None:
        return found
    return replace(found, plan=name_of(plan), plan_frame_uid=plan.frame_of_reference_uid)


def _of_pair(sight: Sight, subject: Subject) -> ViewerInput:
    row = _one(sight, pair, subject)
    (structure_set,) = viewer_objects(sight.connection, dicom_object.c.id == row.structure_set_id)
    members = sa.select(pair_dose.c.dicom_object_id).where(pair_dose.c.pair_id == row.id)
    doses = viewer_objects(sight.connection, dicom_object.c.id.in_(members))
    images = images_of(sight.connection, structure_set)
    return _input(sight, subject, images, structure_set, [(dose, True) for dose in doses])


def _of_object(sight: Sight, subject: Subject) -> ViewerInput:
    """A structure set on its images, or a dose alone on images of its frame of reference."""
    row = _one(sight, dicom_object, subject)
    if row.role == Role.STRUCTURE_SET:
        return _input(sight, subject, images_of(sight.connection, row), row, [])
    if row.role == Role.DOSE:
        images = images_in_frames(sight.connection, row.patient_id, [row.frame_of_reference_uid])
        return _input(sight, subject, images, None, [(row, True)])
    raise NotFoundError("there is nothing to draw")


def _of_series(sight: Sight, subject: Subject) -> ViewerInput:
    """The images of one series with the newest structure set that was drawn on it."""
    owner, _, series_uid = subject.key.partition(":")
    found = sight.connection.execute(
        sa.select(series.c.id, patient.c.id.label("patient_id"))
        .select_from(SERIES)
        .where(patient.c.public_id == owner, series.c.series_uid == series_uid, sight.series)
    ).all()
    if not found:
        raise NotFoundError("there is no such series")
    images = viewer_objects(
        sight.connection,
        dicom_object.c.series_id.in_([row.id for row in found])
        & (dicom_object.c.role == Role.IMAGE),
    )
    if not images:
        raise NotFoundError("the series has no images")
    drawn = viewer_objects(
        sight.connection,
        (dicom_object.c.patient_id == found[0].patient_id)
        & (dicom_object.c.role == Role.STRUCTURE_SET),
    )
    own = [item for item in drawn if series_uid in structures_of(item).series_uids]
    frame = images[0].frame_of_reference_uid
    # References that lead nowhere are common: then the frame of reference decides.
    own = own or [item for item in drawn if frame in structures_of(item).frame_of_reference_uids]
    return _input(sight, subject, images, own[-1] if own else None, [])


_FINDERS = {
    SubjectKind.PLAN: _of_plan,
    SubjectKind.PAIR: _of_pair,
    SubjectKind.OBJECT: _of_object,
    SubjectKind.SERIES: _of_series,
}


def _one(sight: Sight, table: sa.Table, subject: Subject) -> Row:
    source, visible = {
        plan_set: (PLAN_SETS, sight.plan_sets),
        pair: (PAIRS, sight.pairs),
        dicom_object: (OBJECTS, sight.objects),
    }[table]
    row = sight.connection.execute(
        sa.select(table).select_from(source).where(table.c.public_id == subject.key, visible)
    ).one_or_none()
    if row is None:
        raise NotFoundError("there is nothing to draw")
    return row


def _require_visible(sight: Sight, rows: Sequence[Row]) -> None:
    """Refuse a whole pack for one object of it that is not in the scope."""
    if sight.scope.everything:
        return
    seen = 0
    for part in chunks([row.id for row in rows]):
        seen += sight.connection.execute(
            sa.select(sa.func.count())
            .select_from(OBJECTS)
            .where(dicom_object.c.id.in_(part), sight.objects)
        ).scalar_one()
    if seen < len(rows):
        raise NotFoundError("there is nothing to draw")


def _input(
    sight: Sight,
    subject: Subject,
    images: Sequence[Row],
    structure_set: Row | None,
    doses: Sequence[tuple[Row, bool]],
) -> ViewerInput:
    rows = [
        *images,
        *([structure_set] if structure_set is not None else []),
        *(d for d, _ in doses),
    ]
    _require_visible(sight, rows)
    rois = structures_of(structure_set).rois if structure_set is not None else ()
    return ViewerInput(
        subject=subject,
        images=tuple(name_of(row) for row in images),
        structure_set=name_of(structure_set) if structure_set is not None else None,
        doses=tuple(viewer_dose(row, in_plan_dose=part) for row, part in doses),
        targets=targets(rois),
        looks=tuple(
            RoiLook(
                number=roi.number,
                name=roi.name,
                interpreted_type=roi.interpreted_type,
                color_rgb=roi.color_rgb,
            )
            for roi in rois
        ),
        registrations=accepted_registrations(sight.connection, rows[0].patient_id) if rows else (),
    )
