"""What is wrong with one object by itself."""

import math
from dataclasses import replace

import pytest

from rtpacs.rules.content import content_errors, content_findings, judge
from rtpacs.rules.objects import (
    Finding,
    OtherContent,
    PlanKind,
    RegistrationContent,
    RegistrationItem,
    Role,
    Severity,
)
from tests.unit.rules.builders import (
    a_beam,
    a_delivered,
    a_dose,
    a_group,
    a_plan,
    a_record,
    a_registration,
    a_roi,
    a_structure_set,
    a_target,
    an_image,
    an_object,
    an_rt_set,
    with_content,
)

MATRIX = (1.0, 0.0, 0.0, 0.0) * 4


def judged(indexed):
    return {(finding.code, finding.severity) for finding in judge(indexed.parsed)}


def codes(indexed):
    return {finding.code for finding in judge(indexed.parsed)}


def a_reg(*items):
    content = RegistrationContent(items=items, frame_of_reference_uid="1.2", label=None)
    return a_registration(content)


def an_item(matrix=MATRIX, *, deformable=False):
    return RegistrationItem(
        frame_of_reference_uid="1.3", matrix=matrix, matrix_type="RIGID", deformable=deformable
    )


def of_beams(*beams):
    """A plan whose fraction group asks for these beams."""
    group = a_group(beams=sorted({beam.number for beam in beams}))
    return a_plan(beams=beams, fraction_groups=(group,))


def test_sound_objects_have_no_findings():
    """Image, structure set, plan, dose, record and registration as they should be."""
    record = a_record([a_delivered()])
    for indexed in (*an_rt_set(), record, a_reg(an_item())):
        assert judge(indexed.parsed) == ()


def test_a_finding_names_object_and_attribute():
    """The sentence is for people, code, UID and keyword are for programs."""
    (finding,) = judge(an_image(None, uid="1.2.9").parsed)
    assert (finding.uid, finding.attribute) == ("1.2.9", "ImagePositionPatient")
    assert finding.text.endswith(".")


@pytest.mark.parametrize(
    ("indexed", "expected"),
    [
        (an_image(0.0, orientation=None), "image-without-position"),
        (an_image(0.0, frame=None), "no-frame-of-reference"),
        (with_content(an_image(0.0), row_spacing_mm=0.0), "pixel-spacing"),
        (with_content(an_image(0.0), column_spacing_mm=None), "pixel-spacing"),
        (a_structure_set(rois=[]), "no-structures"),
        (a_structure_set(rois=[a_roi(contours=0)]), "no-contours"),
        (a_structure_set(rois=[a_roi(), a_roi("Y", number=2, contours=0)]), "empty-structures"),
        (a_structure_set(rois=[a_roi(), a_roi(number=2)]), "structure-names-repeat"),
        (a_plan(fraction_groups=()), "no-fraction-groups"),
        (a_plan(beams=()), "no-beams"),
        (a_plan(kind=PlanKind.BRACHY, beams=()), "no-application-setups"),
        (a_plan(fraction_groups=(a_group(fractions=None),)), "fractions-unknown"),
        (a_plan(fraction_groups=(a_group(None, fractions=0),)), "fractions-value"),
        (a_plan(fraction_groups=(a_group(beams=[]),)), "group-without-beams"),
        (of_beams(a_beam(1), a_beam(1)), "beam-numbers-repeat"),
        (of_beams(replace(a_beam(), control_points=0)), "no-control-points"),
        (a_plan(fraction_groups=(a_group(beams=[1, 7]),)), "beam-not-defined"),
        (a_plan(fraction_groups=(a_group(meterset=-1.0),)), "meterset-value"),
        (a_plan(fraction_groups=(a_group(meterset=math.nan),)), "meterset-value"),
        (of_beams(a_beam(gantry_deg=361.0)), "angle-value"),
        (of_beams(replace(a_beam(), collimator_deg=-1.0)), "angle-value"),
        (of_beams(replace(a_beam(), couch_deg=math.inf)), "angle-value"),
        (a_plan(prescriptions=(a_target(-2.0),)), "prescription-value"),
        (a_plan(prescriptions=(a_target(1.8e-295),)), "prescription-value"),
        (a_plan(prescriptions=(a_target(6000.0),)), "prescription-value"),
        (a_dose(has_pixels=False), "dose-without-pixels"),
        (a_dose(summation=None), "dose-summation-unknown"),
        (a_dose(place={"frame": None}), "no-frame-of-reference"),
        (a_dose(units="CGY"), "dose-units"),
        (a_dose(scaling=-0.1), "dose-scaling"),
        (a_dose(scaling=math.nan), "dose-scaling"),
        (a_dose(rows=0), "dose-size"),
        (a_dose(row_spacing_mm=None), "dose-spacing"),
        (a_dose(position_mm=None), "dose-position"),
        (a_dose(orientation=None), "dose-orientation"),
        (a_dose(frame_offsets_mm=(0.0, 3.0, 3.0, 6.0, 9.0)), "frame-offsets"),
        (a_record([a_delivered()], plan_uid=None), "record-without-plan"),
        (a_record([a_delivered(delivered=-1.0)]), "meterset-value"),
        (a_reg(), "registration-empty"),
        (a_reg(an_item(())), "registration-matrix"),
        (a_reg(an_item((math.nan,) * 16)), "registration-matrix"),
    ],
)
def test_each_oddity_has_its_code(indexed, expected):
    """One thing is wrong, one finding says so."""
    assert codes(indexed) == {expected}


@pytest.mark.parametrize(
    "indexed",
    [
        of_beams(a_beam(gantry_deg=360.0)),
        a_plan(prescriptions=(a_target(None),)),
        a_dose(planes_mm=[6.0, 3.0, 0.0]),
        a_dose(planes_mm=[0.0, 6.0, 3.0]),
        a_dose(planes_mm=[6.0], frame_offsets_mm=()),
        a_reg(an_item((), deformable=True)),
        an_object("1.2", Role.RT_IMAGE, OtherContent(description=None)),
    ],
)
def test_legal_rarities_are_fine(indexed):
    """360°, a target without dose, mixed offsets, one plane, deformable, an RT image."""
    assert judge(indexed.parsed) == ()


def test_too_many_offsets_for_one_plane_are_only_noted():
    """15 offsets for one frame occur in real files; the plane's place is known."""
    dose = a_dose(planes_mm=[0.0], frame_offsets_mm=tuple(3.0 * n for n in range(15)))
    assert judged(dose) == {("frame-offset-count", Severity.WARNING)}


def test_too_few_offsets_make_a_stack_unusable():
    """Where the other planes lie is unknown."""
    dose = a_dose(frame_offsets_mm=(0.0, 3.0))
    assert judged(dose) == {
        ("frame-offsets", Severity.ERROR),
        ("frame-offset-count", Severity.WARNING),
    }


def test_kinds_that_are_not_evaluated_say_so():
    """By their description, else their modality."""
    named = an_object("1.2", Role.OTHER, OtherContent(description="Encapsulated PDF"))
    (finding,) = judge(named.parsed)
    assert (finding.code, finding.severity) == ("not-evaluated", Severity.INFO)
    assert "Encapsulated PDF" in finding.text
    plain = an_object("1.2", Role.OTHER, OtherContent(description=None), modality="ECG")
    assert "ECG" in judge(plain.parsed)[0].text


def test_long_lists_of_names_are_cut():
    """Seven empty structures: five names and a count."""
    rois = [a_roi(), *(a_roi(f"S{n}", number=n, contours=0) for n in range(2, 9))]
    (finding,) = judge(a_structure_set(rois=rois).parsed)
    assert "7 structures: S2, S3, S4, S5, S6 and 2 more" in finding.text


def with_findings(indexed, *findings):
    return replace(indexed.parsed, findings=findings)


def test_what_the_reader_said_is_not_said_again():
    """The same attribute, already an error: silence; only a warning: our error still counts."""
    dose = a_dose(scaling=None)
    said = Finding(
        code="x", severity=Severity.ERROR, text="Bad scaling.", attribute="DoseGridScaling"
    )
    assert judge(with_findings(dose, said)) == ()
    mild = replace(said, severity=Severity.WARNING)
    assert [item.code for item in judge(with_findings(dose, mild))] == ["dose-scaling"]
    assert judge(with_findings(dose, said, mild)) == ()


def test_judging_twice_adds_nothing():
    """Findings that were stored with the object are not repeated."""
    for indexed in (a_dose(scaling=None), a_plan(fraction_groups=(a_group(meterset=-1.0),))):
        once = content_findings(indexed.parsed)
        again = content_findings(replace(indexed.parsed, findings=once))
        assert again == once
        assert content_errors(indexed.parsed) == once
