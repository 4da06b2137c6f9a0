"""Imaginary patients of two centers: a complete plan, and the ways in which data is lacking."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from rtpacs.rules.objects import (
    Beam,
    BrachyChannel,
    BrachySetup,
    BrachySource,
    DoseContent,
    Finding,
    FractionGroup,
    PlanContent,
    PlanKind,
    PlannedBeam,
    Prescription,
    ReferenceKind,
    Severity,
    SopUid,
    StatedSite,
    StructureSetContent,
)
from rtpacs.rules.plan_sets import LinkStatus, PlanSetState, Treatment, TreatmentStatus
from rtpacs.services.views import LinkRow, ObjectRow, PatientRow, PlanSetRow, SeriesRow, StudyRow
from tests.web.sample_doses import rois

NOW = datetime(2026, 3, 12, 14, 30, tzinfo=UTC)
ROOT = "1.2.826.0.1.3680043.10.999"


def a_patient(number: int, center: str, patient_id: str, name: str, **more: object) -> PatientRow:
    """One patient; ``more`` overrides fields."""
    row = PatientRow(
        id=f"pt{number}",
        center_code=center,
        patient_id=patient_id,
        issuer="",
        name=name,
        birth_date="1958-07-02",
        sex="F",
        plan_sets=1,
        states=((PlanSetState.COMPLETE, 1),),
        modalities=("CT", "RTSTRUCT", "RTPLAN", "RTDOSE"),
        objects=143,
        last_received=NOW - timedelta(hours=number),
    )
    return replace(row, **more)


def a_finding(code: str, severity: Severity, text: str, uid: str | None = None) -> Finding:
    """One finding."""
    keeps = "incomplete" if code.startswith(("missing", "no-")) else None
    return Finding(code=code, severity=severity, text=text, uid=uid, keeps=keeps)


def an_object(number: int, role: str, modality: str, label: str, **more: object) -> ObjectRow:
    """One object with a UID made from its number."""
    row = ObjectRow(
        id=f"ob{number}",
        sop_uid=f"{ROOT}.5.20260312101500.{number}",
        sop_class_uid="1.2.840.10008.5.1.4.1.1.481.5",
        role=role,
        modality=modality,
        label=label,
        origin="Varian Medical Systems ARIA RadOnc 15.6",
        series_uid=f"{ROOT}.3.{number}",
        study_uid=f"{ROOT}.2.1",
        date="2026-03-12",
        received_at=NOW,
        sender="ECLIPSE @ 192.0.2.14",
        findings=(),
        orthanc_id=f"orthanc-ob{number}",
        frame_of_reference_uid=f"{ROOT}.9.1",
    )
    return replace(row, **more)


STRUCTURE_SET = an_object(2, "structure set", "RTSTRUCT", "Thorax 12Mar")
PLAN = an_object(3, "plan", "RTPLAN", "Lung_VMAT_60")
DOSE = an_object(4, "dose", "RTDOSE", "PLAN")
RECORD = an_object(5, "treatment record", "RTRECORD", "fraction 1 of 30")


def an_arc(number: int, start: float, stop: float, **more: object) -> Beam:
    """One VMAT arc of 6 MV."""
    beam = Beam(
        number=number,
        name=f"Arc{number}",
        description=None,
        beam_type="DYNAMIC",
        radiation_type="PHOTON",
        delivery_type="TREATMENT",
        setup=False,
        machine="TrueBeam 2",
        energies=(6.0,),
        fluence_mode="STANDARD",
        gantry_deg=start,
        gantry_stop_deg=stop,
        gantry_direction="CW" if number % 2 else "CC",
        collimator_deg=30.0 if number % 2 else 330.0,
        couch_deg=0.0,
        isocenter_mm=(-36.2, 6.0, 19.0),
        ssd_mm=891.4,
        meterset_unit="MU",
        control_points=178,
        wedges=(),
        boli=(),
        blocks=0,
        applicator=None,
        scan_mode=None,
        range_shifters=0,
    )
    return replace(beam, **more)


SETUP_BEAM = an_arc(
    3,
    0.0,
    0.0,
    name="CBCT",
    setup=True,
    delivery_type="SETUP",
    beam_type="STATIC",
    control_points=2,
)


def a_prescription(number: int, roi: int, text: str, dose_gy: float) -> Prescription:
    """One target level."""
    return Prescription(
        number=number,
        reference_type="TARGET",
        structure_type="VOLUME",
        description=text,
        roi_number=roi,
        dose_gy=dose_gy,
        minimum_gy=None,
        maximum_gy=None,
        prior_gy=None,
    )


PHOTON_CONTENT = PlanContent(
    kind=PlanKind.PHOTON,
    label="Lung_VMAT_60",
    name=None,
    description="Definitive chemoradiation",
    sites=(
        StatedSite(text="Lung", source="TreatmentSites"),
        StatedSite(text="right upper lobe, 30 x 2 Gy", source="PrescriptionDescription"),
    ),
    date="2026-03-12",
    intent="CURATIVE",
    geometry="PATIENT",
    approval_status="APPROVED",
    review_date="2026-03-12",
    reviewer="physics1",
    prescriptions=(
        a_prescription(1, 18, "PTVp", 60.0),
        a_prescription(2, 19, "PTVn", 54.0),
    ),
    fraction_groups=(
        FractionGroup(
            number=1,
            description=None,
            fractions_planned=30,
            beams=(
                PlannedBeam(beam_number=1, meterset=312.4, dose_gy=1.02),
                PlannedBeam(beam_number=2, meterset=298.9, dose_gy=0.98),
            ),
            brachy_setup_numbers=(),
            brachy_dose_gy=None,
            dose_reference_numbers=(1, 2),
        ),
    ),
    beams=(an_arc(1, 181.0, 179.0), an_arc(2, 179.0, 181.0), SETUP_BEAM),
    brachy_technique=None,
    brachy_type=None,
    brachy_setups=(),
    brachy_sources=(),
    patient_positions=("HFS",),
)

ION_CONTENT = replace(
    PHOTON_CONTENT,
    kind=PlanKind.ION,
    sites=None,
    label="Brain_Proton",
    fraction_groups=tuple(
        replace(
            PHOTON_CONTENT.fraction_groups[0],
            number=number,
            beams=(PlannedBeam(beam_number=1, meterset=5.1e4, dose_gy=None),),
        )
        for number in (1, 2)
    ),
    beams=(
        an_arc(
            1,
            270.0,
            270.0,
            name="LAT",
            radiation_type="PROTON",
            machine="G2",
            energies=(101.3, 142.8, 166.0),
            scan_mode="MODULATED",
            range_shifters=1,
            meterset_unit="NP",
            compensators=1,
            snout="S1",
        ),
    ),
)

BRACHY_CONTENT = replace(
    PHOTON_CONTENT,
    kind=PlanKind.BRACHY,
    label="Cervix_HDR",
    beams=(),
    fraction_groups=(
        replace(
            PHOTON_CONTENT.fraction_groups[0],
            beams=(),
            fractions_planned=4,
            brachy_setup_numbers=(1,),
            brachy_dose_gy=7.0,
        ),
    ),
    brachy_technique="INTRACAVITARY",
    brachy_type="HDR",
    brachy_machines=("Afterloader 1",),
    brachy_setups=(
        BrachySetup(
            number=1, setup_type="FLETCHER_SUIT", name="T+R", channels=3,
            total_reference_air_kerma=1840.2,
            channel_list=(
                BrachyChannel(
                    number=1, applicator="tandem", source_number=1, roi_number=18,
                    movement="STEPWISE", dwell_positions=14, total_time_s=271.4,
                ),
            ),
        ),
    ),
    brachy_sources=(
        BrachySource(
            number=1, isotope="Ir-192", half_life_days=73.83, reference_air_kerma_rate=40820.0,
            strength_date="2026-03-02T06:00:00",
        ),
    ),
)  # fmt: skip

STRUCTURES_CONTENT = StructureSetContent(
    label="Thorax 12Mar",
    name=None,
    date="2026-03-12",
    approval_status="APPROVED",
    rois=rois(),
    series_uids=(),
    image_uids=(),
    frame_of_reference_uids=(),
    contour_planes_mm=(),
)

DOSE_CONTENT = DoseContent(
    units="GY",
    dose_type="PHYSICAL",
    summation_type="PLAN",
    comment=None,
    has_pixels=True,
    rows=140,
    columns=180,
    frames=90,
    row_spacing_mm=2.5,
    column_spacing_mm=2.5,
    position_mm=(-220.0, -170.0, -110.0),
    orientation=(1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
    frame_offsets_mm=tuple(2.5 * i for i in range(90)),
    bits=16,
    scaling=0.001,
    plan_uids=(SopUid(PLAN.sop_uid),),
    fraction_group_numbers=(),
    beam_numbers=(),
    structure_set_uid=None,
    tps_dvh_count=8,
)

UNKNOWN_DELIVERY = Treatment(
    status=TreatmentStatus.UNKNOWN,
    fractions_delivered=None,
    fractions_planned=30,
    first_date=None,
    last_date=None,
    reason="No treatment record has arrived.",
)
PARTLY = Treatment(
    status=TreatmentStatus.PARTLY_DELIVERED,
    fractions_delivered=12,
    fractions_planned=30,
    first_date="2026-02-23",
    last_date="2026-03-11",
    reason="12 of 30 fractions have treatment records.",
)


def a_plan_row(number: int, patient: PatientRow, label: str, **more: object) -> PlanSetRow:
    """One plan set."""
    row = PlanSetRow(
        id=f"ps{number}",
        patient=patient,
        plan_uid=PLAN.sop_uid if number == 1 else f"{ROOT}.5.20260312101500.{number}.3",
        label=label,
        kind="photon",
        intent="CURATIVE",
        approval_status="APPROVED",
        date="2026-03-12",
        tps="Eclipse 15.6",
        prescribed_gy=60.0,
        fractions_planned=30,
        beams=2,
        state=PlanSetState.COMPLETE,
        treatment=UNKNOWN_DELIVERY,
        findings=(),
        pair_id=f"pr{number}",
        calculated=True,
        last_received=NOW - timedelta(hours=number),
    )
    return replace(row, **more)


def a_study(patient: PatientRow) -> StudyRow:
    """The planning study of a patient."""
    return StudyRow(
        id="st1",
        patient=patient,
        study_uid=f"1.2.826.0.1.{patient.patient_id.encode().hex()}",
        date="2026-03-02",
        description="Planning CT",
        accession_number=None,
        modalities=patient.modalities,
        series=2,
        objects=patient.objects,
        last_received=patient.last_received,
    )


def a_series(number: int, modality: str, objects: int) -> SeriesRow:
    """One series."""
    return SeriesRow(
        id=f"se{number}",
        study_id="st1",
        study_uid=f"{ROOT}.2.1",
        study_date="2026-03-10",
        study_description="CT planning thorax",
        series_uid=f"{ROOT}.3.20260311090000.{number}",
        modality=modality,
        description="Thorax 3.0 B30f 50 %" if modality == "CT" else None,
        objects=objects,
        last_received=NOW,
    )


def a_link(origin: ObjectRow, kind: ReferenceKind, *to: ObjectRow, **more: object) -> LinkRow:
    """One resolved edge."""
    row = LinkRow(
        from_id=origin.id,
        from_role=origin.role,
        from_label=origin.label,
        from_orthanc_id=origin.orthanc_id,
        kind=kind,
        target_uid=to[0].sop_uid if to else f"{ROOT}.3.20260311090000.7",
        to=to,
        status=LinkStatus.RESOLVED,
        required=True,
        reason="",
        count=1,
        found=1,
    )
    return replace(row, **more)


THORAX_LINKS = (
    a_link(DOSE, ReferenceKind.DOSE_TO_PLAN, PLAN),
    a_link(PLAN, ReferenceKind.PLAN_TO_STRUCTURE_SET, STRUCTURE_SET),
    a_link(
        STRUCTURE_SET,
        ReferenceKind.STRUCTURE_SET_TO_SERIES,
        count=140,
        found=140,
        to_series=(a_series(1, "CT", 140),),
    ),
    a_link(RECORD, ReferenceKind.RECORD_TO_PLAN, PLAN, required=False),
    a_link(
        PLAN,
        ReferenceKind.PLAN_TO_IMAGE,
        target_uid=f"{ROOT}.4.20260311090000.77",
        status=LinkStatus.MISSING,
        required=False,
        reason="The reference image (a DRR) has not arrived; it is not needed for completeness.",
        found=0,
    ),
)
MISSING_SLICES = a_finding(
    "missing-slices",
    Severity.ERROR,
    "8 of the 140 images of the structure set are not here. Send the CT series again.",
    STRUCTURE_SET.sop_uid,
)
NO_DOSE = a_finding(
    "no-plan-dose",
    Severity.ERROR,
    "No dose refers to this plan. Export the plan dose from the TPS.",
)
INCOMPLETE_LINKS = (
    a_link(PLAN, ReferenceKind.PLAN_TO_STRUCTURE_SET, STRUCTURE_SET),
    a_link(
        STRUCTURE_SET,
        ReferenceKind.STRUCTURE_SET_TO_SERIES,
        status=LinkStatus.MISSING,
        reason="8 of 140 images are not here.",
        count=140,
        found=132,
        to_series=(a_series(1, "CT", 132),),
    ),
)
OTHER_PATIENT_LINKS = (
    a_link(DOSE, ReferenceKind.DOSE_TO_PLAN, PLAN),
    a_link(
        PLAN,
        ReferenceKind.PLAN_TO_STRUCTURE_SET,
        STRUCTURE_SET,
        status=LinkStatus.OTHER_PATIENT,
        reason="The structure set is filed under patient number 90017-X.",
    ),
)
