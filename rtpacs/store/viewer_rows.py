"""Objects of the viewer's subjects: images by reference or frame, doses, registrations."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from rtpacs.errors import NotFoundError
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
from rtpacs.rules.targets import target_rank
from rtpacs.services.viewer import ViewerDose
from rtpacs.store.assembly_rows import name_of
from rtpacs.store.codec import decode_content
from rtpacs.store.decisions import decisions_of
from rtpacs.store.schema import dicom_object, patient, series
from rtpacs.store.sight import SERIES

Row = sa.Row[Any]


def viewer_objects(connection: sa.Connection, condition: "sa.ColumnElement[bool]") -> list[Row]:
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


def structures_of(row: Row) -> StructureSetContent:
    """The content of a structure set's row; NotFoundError for any other."""
    content = decode_content(row.content)
    if not isinstance(content, StructureSetContent):
        raise NotFoundError("there is nothing to draw")
    return content


def images_of(connection: sa.Connection, structure_set: Row) -> list[Row]:
    """The series that a structure set names, else the largest one of its frames of reference."""
    content = structures_of(structure_set)
    named = connection.execute(
        sa.select(series.c.id)
        .select_from(SERIES)
        .where(
            patient.c.id == structure_set.patient_id,
            series.c.series_uid.in_(content.series_uids),
        )
    ).scalars()
    for key in named.all():
        images = viewer_objects(
            connection, (dicom_object.c.series_id == key) & (dicom_object.c.role == Role.IMAGE)
        )
        if images:
            return images
    frames = [*content.frame_of_reference_uids, structure_set.frame_of_reference_uid]
    return images_in_frames(connection, structure_set.patient_id, frames)


def images_in_frames(
    connection: sa.Connection, patient_key: int, frames: Sequence[str | None]
) -> list[Row]:
    """The series of a patient with the most images in these frames of reference.

    Of several with as many a CT goes first, then an MR: what plans are made on.
    """
    fits = sa.and_(
        dicom_object.c.patient_id == patient_key,
        dicom_object.c.role == Role.IMAGE,
        dicom_object.c.frame_of_reference_uid.in_([frame for frame in frames if frame]),
    )
    largest = connection.execute(
        sa.select(dicom_object.c.series_id)
        .join(series, series.c.id == dicom_object.c.series_id)
        .where(fits)
        .group_by(dicom_object.c.series_id, series.c.modality)
        .order_by(
            sa.func.count().desc(),
            sa.case({"CT": 0, "MR": 1}, value=series.c.modality, else_=2),
            dicom_object.c.series_id,
        )
        .limit(1)
    ).scalar()
    if largest is None:
        return []
    return viewer_objects(connection, fits & (dicom_object.c.series_id == largest))


def viewer_dose(row: Row, *, in_plan_dose: bool) -> ViewerDose:
    """A dose by its row; NotFoundError for any other."""
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


def targets(rois: Sequence[RoiSummary]) -> tuple[int, ...]:
    """Numbers of drawn targets: PTVs first, then by their number of points, the largest first."""
    found = [(target_rank(roi), -roi.point_count, roi.number) for roi in rois if roi.contour_count]
    return tuple(number for order, _, number in sorted(x for x in found if x[0] is not None))


def accepted_registrations(
    connection: sa.Connection, patient_key: int
) -> tuple[AcceptedRegistration, ...]:
    """Registrations that people accepted, with who and why."""
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
