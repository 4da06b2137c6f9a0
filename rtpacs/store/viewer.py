"""What belongs to a subject of the viewer: images, structure set, doses, accepted registrations."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from rtpacs.errors import NotFoundError
from rtpacs.rules.access import Scope
from rtpacs.rules.decisions import DecisionKind, in_force
from rtpacs.rules.objects import (
    DoseContent,
    RegistrationContent,
    RoiSummary,
    Role,
    StructureSetContent,
)
from rtpacs.rules.registered import AcceptedRegistration
from rtpacs.rules.settled import signature
from rtpacs.services.viewer import RoiLook, Subject, SubjectKind, ViewerDose, ViewerInput
from rtpacs.store.assembly_rows import name_of
from rtpacs.store.codec import decode_content
from rtpacs.store.decisions import decisions_of
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

Row = sa.Row[Any]
TARGET_RANK = {"PTV": 0, "CTV": 1, "GTV": 2}


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
    objects = _objects(
        sight.connection,
        dicom_object.c.id.in_(members)
        & dicom_object.c.role.in_([Role.IMAGE, Role.DOSE, Role.STRUCTURE_SET]),
    )
    structure_set = next((item for item in objects if item.id == row.structure_set_id), None)
    in_pair = sa.select(pair_dose.c.dicom_object_id).where(pair_dose.c.pair_id == row.pair_id)
    of_plan_dose = set(sight.connection.execute(in_pair).scalars()) if row.pair_id else set()
    images = [item for item in objects if item.role == Role.IMAGE]
    doses = [item for item in objects if item.role == Role.DOSE]
    if not images and structure_set is not None:
        images = _images_of(sight.connection, structure_set)
    return _input(sight, subject, images, structure_set, [(d, d.id in of_plan_dose) for d in doses])


def _of_pair(sight: Sight, subject: Subject) -> ViewerInput:
    row = _one(sight, pair, subject)
    (structure_set,) = _objects(sight.connection, dicom_object.c.id == row.structure_set_id)
    members = sa.select(pair_dose.c.dicom_object_id).where(pair_dose.c.pair_id == row.id)
    doses = _objects(sight.connection, dicom_object.c.id.in_(members))
    images = _images_of(sight.connection, structure_set)
    return _input(sight, subject, images, structure_set, [(dose, True) for dose in doses])


def _of_object(sight: Sight, subject: Subject) -> ViewerInput:
    """A structure set on its images, or a dose alone on images of its frame of reference."""
    row = _one(sight, dicom_object, subject)
    if row.role == Role.STRUCTURE_SET:
        return _input(sight, subject, _images_of(sight.connection, row), row, [])
    if row.role == Role.DOSE:
        images = _images_in_frames(sight.connection, row.patient_id, [row.frame_of_reference_uid])
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
    images = _objects(
        sight.connection,
        dicom_object.c.series_id.in_([row.id for row in found])
        & (dicom_object.c.role == Role.IMAGE),
    )
    if not images:
        raise NotFoundError("the series has no images")
    drawn = _objects(
        sight.connection,
        (dicom_object.c.patient_id == found[0].patient_id)
        & (dicom_object.c.role == Role.STRUCTURE_SET),
    )
    own = [item for item in drawn if series_uid in _structures(item).series_uids]
    frame = images[0].frame_of_reference_uid
    # References that lead nowhere are common: then the frame of reference decides.
    own = own or [item for item in drawn if frame in _structures(item).frame_of_reference_uids]
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


def _objects(connection: sa.Connection, condition: "sa.ColumnElement[bool]") -> list[Row]:
    """Objects in the order of their arrival, images without their content."""
    content = sa.case((dicom_object.c.role != Role.IMAGE, dicom_object.c.content), else_=sa.null())
    found = connection.execute(
        sa.select(
            dicom_object.c.id,
            dicom_object.c.public_id,
            dicom_object.c.orthanc_id,
            dicom_object.c.version_file,
            dicom_object.c.role,
            dicom_object.c.patient_id,
            dicom_object.c.frame_of_reference_uid,
            sa.type_coerce(content, dicom_object.c.content.type).label("content"),
        )
        .where(condition)
        .order_by(dicom_object.c.received_at, dicom_object.c.id)
    )
    return [*found]


def _structures(row: Row) -> StructureSetContent:
    content = decode_content(row.content)
    if not isinstance(content, StructureSetContent):
        raise NotFoundError("there is nothing to draw")
    return content


def _images_of(connection: sa.Connection, structure_set: Row) -> list[Row]:
    """The series that a structure set names, else the largest one of its frames of reference."""
    content = _structures(structure_set)
    named = connection.execute(
        sa.select(series.c.id)
        .select_from(SERIES)
        .where(
            patient.c.id == structure_set.patient_id,
            series.c.series_uid.in_(content.series_uids),
        )
    ).scalars()
    for key in named.all():
        images = _objects(
            connection, (dicom_object.c.series_id == key) & (dicom_object.c.role == Role.IMAGE)
        )
        if images:
            return images
    frames = [*content.frame_of_reference_uids, structure_set.frame_of_reference_uid]
    return _images_in_frames(connection, structure_set.patient_id, frames)


def _images_in_frames(
    connection: sa.Connection, patient_key: int, frames: Sequence[str | None]
) -> list[Row]:
    """The series of a patient with the most images in these frames of reference."""
    fits = sa.and_(
        dicom_object.c.patient_id == patient_key,
        dicom_object.c.role == Role.IMAGE,
        dicom_object.c.frame_of_reference_uid.in_([frame for frame in frames if frame]),
    )
    largest = connection.execute(
        sa.select(dicom_object.c.series_id)
        .where(fits)
        .group_by(dicom_object.c.series_id)
        .order_by(sa.func.count().desc(), dicom_object.c.series_id)
        .limit(1)
    ).scalar()
    if largest is None:
        return []
    return _objects(connection, fits & (dicom_object.c.series_id == largest))


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
    rois = _structures(structure_set).rois if structure_set is not None else ()
    return ViewerInput(
        subject=subject,
        images=tuple(name_of(row) for row in images),
        structure_set=name_of(structure_set) if structure_set is not None else None,
        doses=tuple(_dose(row, in_plan_dose=part) for row, part in doses),
        targets=_targets(rois),
        looks=tuple(
            RoiLook(
                number=roi.number,
                name=roi.name,
                interpreted_type=roi.interpreted_type,
                color_rgb=roi.color_rgb,
            )
            for roi in rois
        ),
        registrations=_registrations(sight.connection, rows[0].patient_id) if rows else (),
    )


def _dose(row: Row, *, in_plan_dose: bool) -> ViewerDose:
    content = decode_content(row.content)
    if not isinstance(content, DoseContent):
        raise NotFoundError("there is nothing to draw")
    beams = ", ".join(str(number) for number in content.beam_numbers)
    label = " ".join(part for part in (content.summation_type or "dose", beams) if part)
    return ViewerDose(
        content=name_of(row),
        object_id=row.public_id,
        label=f"{label} ({content.comment})" if content.comment else label,
        units=content.units or "",
        dose_type=content.dose_type or "",
        frame_of_reference_uid=row.frame_of_reference_uid,
        in_plan_dose=in_plan_dose,
    )


def _targets(rois: Sequence[RoiSummary]) -> tuple[int, ...]:
    """Numbers of drawn targets: PTVs first, then by their number of points, the largest first."""

    def rank(roi: RoiSummary) -> int | None:
        by_name = roi.name.upper()[:3] if roi.interpreted_type is None else ""
        return TARGET_RANK.get(roi.interpreted_type or by_name)

    found = [(rank(roi), -roi.point_count, roi.number) for roi in rois if roi.contour_count]
    return tuple(number for order, _, number in sorted(x for x in found if x[0] is not None))


def _registrations(connection: sa.Connection, patient_key: int) -> tuple[AcceptedRegistration, ...]:
    accepted = [
        item
        for item in in_force(decisions_of(connection, patient_key))
        if item.statement.kind is DecisionKind.REGISTRATION
    ]
    found = []
    for item in accepted:
        made = item.statement
        row = connection.execute(
            sa.select(dicom_object.c.content).where(
                dicom_object.c.orthanc_id == made.registration,
                dicom_object.c.patient_id == patient_key,
                dicom_object.c.role == Role.REGISTRATION,
            )
        ).first()
        content = decode_content(row.content) if row else None
        if isinstance(content, RegistrationContent):
            words = f"accepted by {signature(item)}"
            frames = (made.subject, made.target or "")
            found.append(AcceptedRegistration(frames=frames, content=content, words=words))
    return tuple(found)
