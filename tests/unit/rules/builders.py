"""Builders of parsed objects: pure values with fixed UIDs, no DICOM."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count

from rtpacs.rules.objects import (
    Beam,
    Content,
    DeliveredBeam,
    DoseContent,
    FractionGroup,
    FrameUid,
    ImageContent,
    ObjectId,
    OrthancId,
    ParsedObject,
    PatientText,
    PlanContent,
    PlanKind,
    PlannedBeam,
    Prescription,
    RecordContent,
    Reference,
    ReferenceKind,
    RegistrationContent,
    RoiSummary,
    Role,
    SeriesText,
    SeriesUid,
    SopUid,
    StructureSetContent,
    StudyText,
    StudyUid,
)
from rtpacs.rules.plan_sets import IndexedObject

PATIENT = 1
FRAME = FrameUid("1.2.3.9")
STUDY = StudyUid("1.2.3.1")
CT_SERIES = SeriesUid("1.2.3.1.1")
CT_CLASS = "1.2.840.10008.5.1.4.1.1.2"
MR_CLASS = "1.2.840.10008.5.1.4.1.1.4"
PT_CLASS = "1.2.840.10008.5.1.4.1.1.128"
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
PLAN_UID = SopUid("1.2.3.50")
STRUCTURE_UID = SopUid("1.2.3.40")
DOSE_UID = SopUid("1.2.3.60")

_ids = count(1)


def an_object(
    uid: str,
    role: Role,
    content: Content,
    *,
    references: Iterable[Reference] = (),
    patient_key: int = PATIENT,
    series_uid: str = "",
    frame: str | None = FRAME,
    modality: str = "OT",
    sop_class: str = "1.2.3.4",
    study_uid: str = STUDY,
) -> IndexedObject:
    """An indexed object; ids follow the order of building, times too."""
    number = next(_ids)
    return IndexedObject(
        object_id=ObjectId(number),
        orthanc_id=OrthancId(f"{patient_key}-{series_uid}-{uid}"),
        patient_key=patient_key,
        received_at=datetime.fromtimestamp(1_000_000 + number, UTC),
        parsed=ParsedObject(
            sop_uid=SopUid(uid),
            sop_class_uid=sop_class,
            transfer_syntax_uid=None,
            role=role,
            patient=PatientText(
                patient_id=str(patient_key), issuer="", name="", birth_date=None, sex=None
            ),
            study=StudyText(
                study_uid=StudyUid(study_uid),
                date=None,
                description=None,
                accession_number=None,
                study_id=None,
            ),
            series=SeriesText(
                series_uid=SeriesUid(series_uid or f"{uid}.0"),
                modality=modality,
                number=None,
                description=None,
                date=None,
                frame_of_reference_uid=FrameUid(frame) if frame else None,
                manufacturer=None,
                model=None,
                software_versions=None,
                institution=None,
            ),
            instance_number=None,
            content_date=None,
            references=tuple(references),
            findings=(),
            content=content,
        ),
    )


def with_content(indexed: IndexedObject, **changes: object) -> IndexedObject:
    """The same object with some attributes of its content changed."""
    content = replace(indexed.parsed.content, **changes)
    return replace(indexed, parsed=replace(indexed.parsed, content=content))


def an_image(
    z_mm: float | None,
    *,
    uid: str | None = None,
    series_uid: str = CT_SERIES,
    orientation: tuple[float, ...] | None = AXIAL,
    sop_class: str = CT_CLASS,
    modality: str = "CT",
    **place: object,
) -> IndexedObject:
    """One image at x = y = 0; its UID is made from series and position."""
    content = ImageContent(
        position_mm=None if z_mm is None else (0.0, 0.0, z_mm),
        orientation=orientation,
        rows=512,
        columns=512,
        row_spacing_mm=1.0,
        column_spacing_mm=1.0,
        slice_thickness_mm=3.0,
        frames=1,
        patient_position="HFS",
    )
    return an_object(
        uid or image_uid(z_mm, series_uid),
        Role.IMAGE,
        content,
        series_uid=series_uid,
        modality=modality,
        sop_class=sop_class,
        **place,
    )


def image_uid(z_mm: float | None, series_uid: str = CT_SERIES) -> str:
    """The UID that ``an_image`` gives."""
    return f"{series_uid}.{z_mm}"


def a_series(positions_mm: Iterable[float], **kwargs: object) -> list[IndexedObject]:
    """Images at these positions, in this order."""
    return [an_image(z, **kwargs) for z in positions_mm]


def a_roi(
    name: str = "PTV", *, number: int = 1, contours: int = 3, frame: str | None = FRAME
) -> RoiSummary:
    """An ROI summary."""
    return RoiSummary(
        number=number,
        name=name,
        interpreted_type=None,
        color_rgb=None,
        geometric_types=("CLOSED_PLANAR",) if contours else (),
        contour_count=contours,
        point_count=4 * contours,
        min_mm=None,
        max_mm=None,
        frame_of_reference_uid=FrameUid(frame) if frame else None,
    )


def a_structure_set(
    uid: str = STRUCTURE_UID,
    *,
    series_uids: Sequence[str] = (CT_SERIES,),
    image_uids: Sequence[str] = (),
    planes_mm: Sequence[float] = (3.0, 6.0, 9.0),
    frames: Sequence[str] = (FRAME,),
    rois: Sequence[RoiSummary] | None = None,
    image_class: str | None = None,
    **place: object,
) -> IndexedObject:
    """A structure set drawn on the CT series."""
    content = StructureSetContent(
        label="RS",
        name=None,
        date=None,
        approval_status=None,
        rois=tuple([a_roi(contours=len(planes_mm))] if rois is None else rois),
        series_uids=tuple(map(SeriesUid, series_uids)),
        image_uids=tuple(map(SopUid, image_uids)),
        frame_of_reference_uids=tuple(map(FrameUid, frames)),
        contour_planes_mm=tuple(planes_mm),
    )
    references = [
        Reference(
            kind=ReferenceKind.STRUCTURE_SET_TO_IMAGE, target_uid=u, target_class_uid=image_class
        )
        for u in image_uids
    ]
    place = {"frame": None, **place}
    return an_object(
        uid, Role.STRUCTURE_SET, content, references=references, modality="RTSTRUCT", **place
    )


def a_beam(number: int = 1, *, setup: bool = False, gantry_deg: float = 0.0) -> Beam:
    """A static photon beam."""
    return Beam(
        number=number,
        name=f"B{number}",
        description=None,
        beam_type="STATIC",
        radiation_type="PHOTON",
        delivery_type="SETUP" if setup else "TREATMENT",
        setup=setup,
        machine="LINAC",
        energies=(6.0,),
        fluence_mode=None,
        gantry_deg=gantry_deg,
        gantry_stop_deg=None,
        gantry_direction=None,
        collimator_deg=0.0,
        couch_deg=0.0,
        isocenter_mm=(0.0, 0.0, 0.0),
        ssd_mm=None,
        meterset_unit="MU",
        control_points=2,
        wedges=(),
        boli=(),
        blocks=0,
        applicator=None,
        scan_mode=None,
        range_shifters=0,
    )


def a_group(
    number: int | None = 1,
    *,
    fractions: int | None = 30,
    beams: Sequence[int] = (1, 2),
    meterset: float | None = 100.0,
) -> FractionGroup:
    """A fraction group that asks ``meterset`` of each beam."""
    return FractionGroup(
        number=number,
        description=None,
        fractions_planned=fractions,
        beams=tuple(PlannedBeam(beam_number=n, meterset=meterset, dose_gy=None) for n in beams),
        brachy_setup_numbers=(),
        brachy_dose_gy=None,
        dose_reference_numbers=(),
    )


def a_target(dose_gy: float | None = 60.0, *, reference_type: str = "TARGET") -> Prescription:
    """One dose reference."""
    return Prescription(
        number=1,
        reference_type=reference_type,
        structure_type="SITE",
        description=None,
        roi_number=None,
        dose_gy=dose_gy,
        minimum_gy=None,
        maximum_gy=None,
        prior_gy=None,
    )


def plan_content(**changes: object) -> PlanContent:
    """Two beams and a setup beam, one group of 30 fractions, 60 Gy."""
    content = PlanContent(
        kind=PlanKind.PHOTON,
        label="Plan A",
        name=None,
        description=None,
        date="2026-03-01",
        intent="CURATIVE",
        geometry="PATIENT",
        approval_status="APPROVED",
        review_date=None,
        reviewer=None,
        prescriptions=(a_target(),),
        fraction_groups=(a_group(),),
        beams=(a_beam(1), a_beam(2, gantry_deg=90.0), a_beam(3, setup=True)),
        brachy_technique=None,
        brachy_type=None,
        brachy_setups=(),
        brachy_sources=(),
        patient_positions=("HFS",),
    )
    return replace(content, **changes)


def a_plan(
    uid: str = PLAN_UID,
    *,
    structure_sets: Sequence[str] = (STRUCTURE_UID,),
    references: Iterable[Reference] = (),
    place: dict[str, object] | None = None,
    **changes: object,
) -> IndexedObject:
    """A plan on the structure set."""
    own = [
        Reference(kind=ReferenceKind.PLAN_TO_STRUCTURE_SET, target_uid=target)
        for target in structure_sets
    ]
    return an_object(
        uid,
        Role.PLAN,
        plan_content(**changes),
        references=[*own, *references],
        modality="RTPLAN",
        **(place or {}),
    )


def a_dose(
    uid: str = DOSE_UID,
    *,
    plans: Sequence[str] = (PLAN_UID,),
    summation: str | None = "PLAN",
    groups: Sequence[int] = (),
    beams: Sequence[int] = (),
    structure_set: str | None = None,
    planes_mm: Sequence[float] = (0.0, 3.0, 6.0, 9.0, 12.0),
    place: dict[str, object] | None = None,
    **changes: object,
) -> IndexedObject:
    """A 16-bit axial dose in Gy with planes at these z positions."""
    content = DoseContent(
        units="GY",
        dose_type="PHYSICAL",
        summation_type=summation,
        comment=None,
        has_pixels=True,
        rows=100,
        columns=100,
        frames=len(planes_mm),
        row_spacing_mm=3.0,
        column_spacing_mm=3.0,
        position_mm=(0.0, 0.0, planes_mm[0]),
        orientation=AXIAL,
        frame_offsets_mm=tuple(z - planes_mm[0] for z in planes_mm),
        bits=16,
        scaling=0.001,
        plan_uids=tuple(map(SopUid, plans)),
        fraction_group_numbers=tuple(groups),
        beam_numbers=tuple(beams),
        structure_set_uid=SopUid(structure_set) if structure_set else None,
        tps_dvh_count=0,
    )
    dose = an_object(uid, Role.DOSE, content, modality="RTDOSE", **(place or {}))
    return with_content(dose, **changes) if changes else dose


def a_delivered(
    number: int | None = 1,
    *,
    fraction: int | None = 1,
    delivered: float | None = 100.0,
    specified: float | None = 100.0,
    status: str | None = "NORMAL",
    delivery_type: str | None = "TREATMENT",
) -> DeliveredBeam:
    """One beam of a treatment record."""
    return DeliveredBeam(
        beam_number=number,
        fraction_number=fraction,
        specified_meterset=specified,
        delivered_meterset=delivered,
        termination_status=status,
        delivery_type=delivery_type,
    )


def record_content(beams: Sequence[DeliveredBeam] = (), **changes: object) -> RecordContent:
    """A treatment record of the plan."""
    content = RecordContent(
        kind="beams",
        treatment_date="2026-04-01",
        plan_uid=PLAN_UID,
        fraction_group_number=1,
        beams=tuple(beams),
        origin=None,
        treatment_status=None,
        fractions_delivered=None,
        first_treatment_date=None,
        last_treatment_date=None,
    )
    return replace(content, **changes)


def a_record(
    beams: Sequence[DeliveredBeam] = (),
    *,
    uid: str = "1.2.3.70",
    place: dict[str, object] | None = None,
    **changes: object,
) -> IndexedObject:
    """A treatment record of the plan as an object."""
    return an_object(uid, Role.RECORD, record_content(beams, **changes), **(place or {}))


def a_registration(content: RegistrationContent, *, uid: str = "1.2.3.80") -> IndexedObject:
    """A registration object."""
    return an_object(uid, Role.REGISTRATION, content, modality="REG")


CT_POSITIONS = (0.0, 3.0, 6.0, 9.0, 12.0)


def an_rt_set() -> list[IndexedObject]:
    """A complete set: five CT slices, structure set, plan, dose."""
    uids = [image_uid(z) for z in CT_POSITIONS]
    return [*a_series(CT_POSITIONS), a_structure_set(image_uids=uids), a_plan(), a_dose()]
