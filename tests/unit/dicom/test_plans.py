"""Plans: prescription, fractions, beams and references of photon, ion and brachy plans."""

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from rtpacs.dicom import summarise
from rtpacs.rules.objects import (
    BrachyChannel,
    BrachySetup,
    BrachySource,
    PlanContent,
    PlanKind,
    PlannedBeam,
    ReferenceKind,
    Role,
)
from tests.builders import (
    DOSE_CLASS,
    DOSE_UID,
    PLAN_CLASS,
    PLAN_UID,
    RT_IMAGE_UID,
    STRUCTURE_SET_UID,
    a_brachy_plan,
    a_photon_plan,
    an_ion_plan,
    item,
    reference,
    to_bytes,
)


def content_of(dataset: Dataset) -> PlanContent:
    content = summarise(to_bytes(dataset)).content
    assert isinstance(content, PlanContent)
    return content


def error_codes(dataset: Dataset) -> list[tuple[str, str | None]]:
    findings = summarise(to_bytes(dataset)).findings
    return [(note.code, note.attribute) for note in findings if note.severity == "error"]


def test_a_photon_plan_is_read_with_its_approval_and_levels() -> None:
    """Both target levels are listed, none is summed or preferred."""
    content = content_of(a_photon_plan())
    assert content.kind is PlanKind.PHOTON
    assert (content.label, content.intent, content.geometry) == (
        "Block plan",
        "CURATIVE",
        "PATIENT",
    )
    assert (content.approval_status, content.review_date, content.reviewer) == (
        "APPROVED",
        "2026-03-04",
        "Reviewer^Rita",
    )
    assert content.date == "2026-03-03T11:00:00"
    assert [level.dose_gy for level in content.prescriptions] == [50.0, 60.0]
    assert [level.roi_number for level in content.prescriptions] == [2, 2]
    assert content.patient_positions == ("HFS",)


def test_the_prescription_is_never_taken_from_beam_doses() -> None:
    """Beam doses of 2 Gy in 25 fractions are no prescription of 50 Gy."""
    dataset = a_photon_plan()
    del dataset.DoseReferenceSequence
    content = content_of(dataset)
    assert content.prescriptions == ()
    assert content.fraction_groups[0].beams[0].dose_gy == 1.5


def test_a_fraction_group_asks_for_metersets_per_fraction() -> None:
    """The setup field is not part of the group."""
    (group,) = content_of(a_photon_plan()).fraction_groups
    assert group.fractions_planned == 25
    assert group.beams == (
        PlannedBeam(beam_number=1, meterset=300.0, dose_gy=1.5),
        PlannedBeam(beam_number=2, meterset=120.5, dose_gy=0.5),
    )


def test_all_fraction_groups_are_kept() -> None:
    """Pinnacle sends three phases as three groups of one plan."""
    dataset = a_photon_plan()
    first = dataset.FractionGroupSequence[0]
    dataset.FractionGroupSequence = Items(
        [first, item(FractionGroupNumber=2, NumberOfFractionsPlanned=10), item()]
    )
    groups = content_of(dataset).fraction_groups
    assert [(group.number, group.fractions_planned) for group in groups] == [
        (1, 25),
        (2, 10),
        (None, None),
    ]


def test_an_arc_has_the_angles_of_its_first_and_last_control_point() -> None:
    """What control points do not repeat has not changed (PS3.3 C.8.8.14)."""
    arc, wedged, setup = content_of(a_photon_plan()).beams
    assert (arc.gantry_deg, arc.gantry_stop_deg, arc.gantry_direction) == (181.0, 179.0, "CW")
    assert (wedged.gantry_deg, wedged.gantry_stop_deg) == (90.0, 90.0)
    assert (arc.collimator_deg, arc.couch_deg, arc.ssd_mm) == (10.0, 350.0, 950.0)
    assert arc.isocenter_mm == (1.0, 2.0, 6.0)
    assert (arc.energies, arc.fluence_mode, arc.control_points) == ((6.0,), "FFF", 2)
    assert (wedged.energies, wedged.wedges, wedged.boli) == (
        (10.0,),
        ("W15 STANDARD 15°",),
        ("ROI 1",),
    )
    assert [beam.setup for beam in (arc, wedged, setup)] == [False, False, True]
    assert (arc.machine, arc.meterset_unit, arc.radiation_type) == ("LINAC1", "MU", "PHOTON")


def test_an_ion_plan_is_known_by_its_class_though_its_modality_is_rtplan() -> None:
    """Eclipse and RayStation send RT Ion Plans with Modality RTPLAN."""
    found = summarise(to_bytes(an_ion_plan()))
    assert (found.role, found.series.modality) == (Role.PLAN, "RTPLAN")
    content = content_of(an_ion_plan())
    assert content.kind is PlanKind.ION
    (beam,) = content.beams
    assert beam.energies == (120.0, 115.5)
    assert (beam.scan_mode, beam.range_shifters, beam.control_points) == ("MODULATED", 1, 4)
    assert (beam.gantry_deg, beam.gantry_stop_deg) == (270.0, 270.0)
    assert content.fraction_groups[0].fractions_planned == 30


def test_a_brachy_plan_has_setups_and_sources_instead_of_beams() -> None:
    """One HDR setup with two channels, 7 Gy in each of 4 fractions."""
    content = content_of(a_brachy_plan())
    assert (content.kind, content.brachy_type) == (PlanKind.BRACHY, "HDR")
    assert content.beams == ()
    assert content.brachy_setups == (
        BrachySetup(
            number=1,
            setup_type="FLETCHER_SUIT",
            name="Tandem and ring",
            channels=2,
            total_reference_air_kerma=5200.0,
            channel_list=(
                a_channel(1, "Tandem", dwell_positions=2, total_time_s=100.0),
                a_channel(2, "Ring", dwell_positions=1, total_time_s=30.0),
            ),
        ),
    )
    assert content.brachy_sources == (
        BrachySource(
            number=1,
            isotope="Ir-192",
            half_life_days=73.83,
            reference_air_kerma_rate=40700.0,
            strength_date="2026-03-02T06:00:00",
        ),
    )
    assert content.brachy_machines == ("Afterloader 1",)
    (group,) = content.fraction_groups
    assert (group.brachy_setup_numbers, group.brachy_dose_gy) == ((1,), 7.0)
    assert error_codes(a_brachy_plan()) == []


def a_channel(
    number: int, applicator: str, *, dwell_positions: int, total_time_s: float
) -> BrachyChannel:
    return BrachyChannel(
        number=number,
        applicator=applicator,
        source_number=1,
        roi_number=2,
        movement="STEPWISE",
        dwell_positions=dwell_positions,
        total_time_s=total_time_s,
    )


@pytest.mark.parametrize(
    ("weights", "dwell_positions"),
    [
        ([0.0, 40.0], 1),
        ([0.0, 0.0], 0),  # passed without a stop
        ([None, None], 0),
    ],
)
def test_a_dwell_position_is_where_time_passes(
    weights: list[float | None], dwell_positions: int
) -> None:
    """A place that the source only passes is none."""
    dataset = a_brachy_plan()
    points = [item(ControlPointRelativePosition=5.0, CumulativeTimeWeight=w) for w in weights]
    channel = dataset.ApplicationSetupSequence[0].ChannelSequence[0]
    channel.BrachyControlPointSequence = Items(points)
    (setup,) = content_of(dataset).brachy_setups
    assert setup.channel_list
    assert setup.channel_list[0].dwell_positions == dwell_positions


@pytest.mark.parametrize(
    ("places", "text"),
    [
        (["IN", "IN"], "W15 STANDARD 15°"),
        (["IN", None], "W15 STANDARD 15°"),
        (["OUT", "OUT"], "W15 STANDARD 15° (not used)"),
        (["OUT", None], "W15 STANDARD 15° (not used)"),
        (["IN", "OUT"], "W15 STANDARD 15° (in a part of the beam)"),
        ([None, None], "W15 STANDARD 15°"),
    ],
)
def test_a_wedge_that_stays_out_of_the_beam_is_told_apart(
    places: list[str | None], text: str
) -> None:
    """A motorised wedge is listed with every beam; control points say where it is (C.8.8.14)."""
    dataset = a_photon_plan()
    wedged = dataset.BeamSequence[1]
    for point, place in zip(wedged.ControlPointSequence, places, strict=True):
        if place:
            position = item(ReferencedWedgeNumber=1, WedgePosition=place)
            point.WedgePositionSequence = Items([position])
    assert content_of(dataset).beams[1].wedges == (text,)


def test_an_ion_beam_has_its_nucleus_snout_and_what_shapes_its_range() -> None:
    """RadiationType ION alone does not tell carbon from helium (PS3.3 C.8.8.25)."""
    dataset = an_ion_plan()
    beam = dataset.IonBeamSequence[0]
    beam.update(
        item(
            RadiationType="ION",
            RadiationAtomicNumber=6,
            RadiationMassNumber=12,
            SnoutSequence=[item(SnoutID="S1")],
            NumberOfRangeModulators=1,
            IonRangeCompensatorSequence=[item(CompensatorNumber=1)],
        )
    )
    (read,) = content_of(dataset).beams
    assert (read.ion, read.snout) == ("Z 6, A 12", "S1")
    assert (read.compensators, read.range_modulators) == (1, 1)
    (proton,) = content_of(an_ion_plan()).beams
    assert (proton.ion, proton.snout, proton.compensators) == (None, None, 0)


def test_every_reference_of_a_plan_is_an_edge() -> None:
    """Structure set, doses, other plans and reference images, each of its own kind."""
    dataset = a_photon_plan()
    dataset.ReferencedDoseSequence = Items([reference(DOSE_CLASS, DOSE_UID)])
    dataset.ReferencedRTPlanSequence = Items([reference(PLAN_CLASS, "1.2.3.4")])
    edges = [(edge.kind, edge.target_uid) for edge in summarise(to_bytes(dataset)).references]
    assert edges == [
        (ReferenceKind.PLAN_TO_STRUCTURE_SET, STRUCTURE_SET_UID),
        (ReferenceKind.PLAN_TO_DOSE, DOSE_UID),
        (ReferenceKind.PLAN_TO_PLAN, "1.2.3.4"),
        (ReferenceKind.PLAN_TO_IMAGE, RT_IMAGE_UID),
    ]
    assert dataset.SOPInstanceUID == PLAN_UID


@pytest.mark.parametrize("is_present", [True, False])
def test_a_plan_without_fraction_groups_is_unusable(is_present: bool) -> None:
    """Empty or absent: nothing says how often the plan is given."""
    dataset = a_photon_plan()
    del dataset.FractionGroupSequence
    if is_present:
        dataset.FractionGroupSequence = Items([])
    assert error_codes(dataset) == [("no-fraction-groups", "FractionGroupSequence")]


@pytest.mark.parametrize(
    ("plan", "keyword"),
    [
        (a_photon_plan, "BeamSequence"),
        (an_ion_plan, "IonBeamSequence"),
        (a_brachy_plan, "ApplicationSetupSequence"),
    ],
)
@pytest.mark.parametrize("is_open", [True, False])
def test_a_plan_without_anything_to_deliver_is_unusable(plan, keyword: str, is_open: bool) -> None:
    """Each kind names the sequence that it lacks; an open empty sequence is empty too."""
    dataset = plan()
    setattr(dataset, keyword, Items([]))
    dataset[keyword].is_undefined_length = is_open
    assert error_codes(dataset) == [("no-beams", keyword)]


def test_a_beam_without_number_is_left_out_and_told() -> None:
    """Nothing could refer to it."""
    dataset = a_photon_plan()
    dataset.BeamSequence[1].BeamNumber = None
    assert [beam.number for beam in content_of(dataset).beams] == [1, 3]
    assert "beam-without-number" in {note.code for note in summarise(to_bytes(dataset)).findings}


def test_applicators_blocks_and_negative_fractions() -> None:
    """What is listed counts before what is stated; a negative number of fractions is none."""
    dataset = a_photon_plan()
    beam = dataset.BeamSequence[0]
    beam.ApplicatorSequence = Items([item(ApplicatorID="A10", ApplicatorType="ELECTRON_SQUARE")])
    beam.BlockSequence = Items([item(BlockNumber=1), item(BlockNumber=2)])
    beam.NumberOfBlocks = 1
    dataset.FractionGroupSequence[0].NumberOfFractionsPlanned = -3
    content = content_of(dataset)
    assert (content.beams[0].applicator, content.beams[0].blocks) == ("A10 ELECTRON_SQUARE", 2)
    assert content.fraction_groups[0].fractions_planned is None


def test_the_treated_site_is_read_where_it_is_stated():
    """Every attribute that may say it, several values, in the words of the plan."""
    dataset = a_photon_plan()
    assert content_of(dataset).sites == ()
    dataset.TreatmentSites = ["Lung", "Mediastinum"]
    dataset.BodyPartExamined = "CHEST"
    dataset.PrescriptionDescription = "right lung 60 Gy"
    dataset.TreatmentSiteCodeSequence = Items([item(CodeMeaning="Thorax")])
    assert [(site.source, site.text) for site in content_of(dataset).sites or ()] == [
        ("TreatmentSites", "Lung"),
        ("TreatmentSites", "Mediastinum"),
        ("BodyPartExamined", "CHEST"),
        ("PrescriptionDescription", "right lung 60 Gy"),
        ("TreatmentSiteCodeSequence", "Thorax"),
    ]
