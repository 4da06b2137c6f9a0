"""Who are the demo patients? Three people who do not exist, of two centers."""

from dataclasses import dataclass
from datetime import date

from rtpacs.demo import headneck, pelvis, thorax
from rtpacs.demo.common import Patient, Study
from rtpacs.demo.plan import Arc, Course
from rtpacs.demo.site import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One plan set to generate and the center and AE title that send it."""

    center_code: str
    calling_aet: str
    study: Study
    site: Site
    course: Course
    has_dose: bool = True
    slices_left_out: frozenset[int] = frozenset()
    first_fraction: date | None = None
    fractions_given: int = 0


def _arcs(first_mu: float, second_mu: float) -> tuple[Arc, Arc]:
    """A pair of full arcs, there and back."""
    return (
        Arc(
            number=1,
            name="Arc 1 CW",
            start_deg=181.0,
            rotation="CW",
            collimator_deg=30.0,
            monitor_units=first_mu,
        ),
        Arc(
            number=2,
            name="Arc 2 CC",
            start_deg=179.0,
            rotation="CC",
            collimator_deg=330.0,
            monitor_units=second_mu,
        ),
    )


THORAX = Case(
    center_code="NORTH",
    calling_aet="NORTH_TPS",
    study=Study(
        key="north thorax",
        patient=Patient(
            name="Demo^Thorax", patient_id="DEMO-N-0001", birth_date="19580412", sex="M"
        ),
        institution="Demo Center North",
        description="Lung right, SIB 60/54 Gy",
        body_part="CHEST",
        ct_date="20260302",
        plan_date="20260305",
        review_date="20260306",
        physicist="Demo^Physicist",
        physician="Demo^Oncologist",
    ),
    site=thorax.SITE,
    course=Course(
        label="Lung60_VMAT",
        fractions=30,
        arcs=_arcs(268.4, 251.7),
        limits=(("SpinalCord", 45.0), ("Esophagus", 63.0)),
    ),
)

HEAD_AND_NECK = Case(
    center_code="SOUTH",
    calling_aet="SOUTH_TPS",
    study=Study(
        key="south head and neck",
        patient=Patient(
            name="Demo^HeadNeck", patient_id="DEMO-S-0001", birth_date="19650923", sex="F"
        ),
        institution="Demo Center South",
        description="Oropharynx, SIB 70/63/56 Gy",
        body_part="HEADNECK",
        ct_date="20260407",
        plan_date="20260410",
        review_date="20260413",
        physicist="Demo^Physicist",
        physician="Demo^Radiotherapist",
    ),
    site=headneck.SITE,
    course=Course(
        label="HN70_VMAT",
        fractions=35,
        arcs=_arcs(311.2, 296.5),
        limits=(("SpinalCord", 45.0), ("Brainstem", 54.0), ("Bone_Mandible", 73.5)),
    ),
    first_fraction=date(2026, 4, 16),
    fractions_given=5,
)

PELVIS = Case(
    center_code="SOUTH",
    calling_aet="SOUTH_TPS",
    study=Study(
        key="south prostate",
        patient=Patient(
            name="Demo^Incomplete", patient_id="DEMO-S-0002", birth_date="19510730", sex="M"
        ),
        institution="Demo Center South",
        description="Prostate 60 Gy, still incomplete",
        body_part="PELVIS",
        ct_date="20260504",
        plan_date="20260506",
        review_date="20260507",
        physicist="Demo^Physicist",
        physician="Demo^Radiotherapist",
    ),
    site=pelvis.SITE,
    course=Course(
        label="Prost60_VMAT",
        fractions=20,
        arcs=_arcs(402.3, 388.1),
        limits=(("Rectum", 61.5),),
    ),
    has_dose=False,
    slices_left_out=frozenset({40, 41, 42}),
)

CASES = (THORAX, HEAD_AND_NECK, PELVIS)
