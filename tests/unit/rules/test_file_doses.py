"""Which dose files may be given together."""

from contextlib import nullcontext
from dataclasses import replace

import pytest

from rtpacs.errors import CalculationError
from rtpacs.rules.file_doses import partial_dose_warning, require_one_dose, require_same_frame
from rtpacs.rules.objects import FrameUid, SopUid
from tests.unit.rules.builders import a_dose, a_roi, a_structure_set


def given(uid: str, **changes):
    parsed = replace(a_dose().parsed, sop_uid=SopUid(uid))
    return parsed, replace(parsed.content, **changes)


def a_beam(uid: str, number: int, **changes):
    return given(uid, summation_type="BEAM", beam_numbers=(number,), **changes)


def elsewhere(pair):
    parsed, content = pair
    series = replace(parsed.series, frame_of_reference_uid=FrameUid("9.9"))
    return replace(parsed, series=series), content


def test_one_dose_stands_for_itself():
    """Whatever its summation type."""
    require_one_dose([given("1.1", summation_type="MULTI_PLAN")])


@pytest.mark.parametrize(
    ("summation", "word"),
    [
        ("BEAM", "one beam"),
        ("FRACTION", "fraction group"),
        ("FRACTION_SESSION", "one session"),
        ("BEAM_SESSION", "one session"),
    ],
)
def test_a_beam_or_fraction_dose_alone_may_be_a_part(summation, word):
    """Nothing in the file tells whether the plan has others."""
    (content,) = [content for _, content in [given("1.1", summation_type=summation)]]
    warning = partial_dose_warning([content])
    assert warning is not None
    assert word in warning
    assert summation in warning


@pytest.mark.parametrize("summation", ["PLAN", "MULTI_PLAN", None])
def test_a_whole_dose_is_no_part(summation):
    """MULTI_PLAN holds more than a plan; what is not stated is told elsewhere."""
    assert partial_dose_warning([given("1.1", summation_type=summation)[1]]) is None


def test_a_sum_of_beams_may_lack_others():
    """Two are given; a third would not show."""
    warning = partial_dose_warning([a_beam("1.1", 1)[1], a_beam("1.2", 2)[1]])
    assert warning is not None
    assert "2 BEAM doses" in warning


def test_different_beams_of_one_plan_are_added():
    """Beams 1 and 2."""
    require_one_dose([a_beam("1.1", 1), a_beam("1.2", 2)])


def test_different_fraction_groups_are_added():
    """Each FRACTION dose is a whole group."""
    groups = [
        given(f"1.{number}", summation_type="FRACTION", fraction_group_numbers=(number,))
        for number in (1, 2)
    ]
    require_one_dose(groups)


@pytest.mark.parametrize(
    ("doses", "named"),
    [
        ([a_beam("1.1", 1), a_beam("1.1", 2)], "SOPInstanceUID"),
        ([a_beam("1.1", 1), a_beam("1.2", 1)], "different beams"),
        ([a_beam("1.1", 1), a_beam("1.2", 2, units="RELATIVE")], "DoseUnits"),
        ([a_beam("1.1", 1), a_beam("1.2", 2, dose_type="EFFECTIVE")], "DoseType"),
        ([a_beam("1.1", 1), given("1.2")], "DoseSummationType"),
        ([a_beam("1.1", 1), a_beam("1.2", 2, plan_uids=(SopUid("9"),))], "ReferencedRTPlan"),
        ([given("1.1"), given("1.2")], "PLAN are not added"),
        ([a_beam(f"1.{n}", n, units="RELATIVE") for n in (1, 2)], "percent"),
        ([a_beam("1.1", 1), elsewhere(a_beam("1.2", 2))], "FrameOfReferenceUID"),
    ],
)
def test_doses_that_may_not_be_added_are_refused(doses, named):
    """The text names what differs."""
    with pytest.raises(CalculationError, match=named):
        require_one_dose(doses)


def test_a_dose_in_another_frame_is_refused():
    """Both frames are known and differ."""
    structures = a_structure_set().parsed
    dose = a_dose().parsed
    require_same_frame((structures, structures.content), [dose])
    moved = replace(dose, series=replace(dose.series, frame_of_reference_uid=FrameUid("9.9")))
    with pytest.raises(CalculationError, match="FrameOfReferenceUID"):
        require_same_frame((structures, structures.content), [moved])


def test_the_frame_of_the_contours_outweighs_that_of_the_header():
    """The module's own frame is optional for a structure set: it counts where no ROI has one."""
    structures = a_structure_set(frame="9.9")
    dose = elsewhere(given("1.1"))[0]
    with pytest.raises(CalculationError, match="FrameOfReferenceUID"):
        require_same_frame((structures.parsed, structures.parsed.content), [dose])


@pytest.mark.parametrize(("frame", "refused"), [("9.9", False), ("9.8", True)])
def test_the_frame_of_the_header_counts_where_the_contours_have_none(frame, refused):
    """Old exports name no frame in ReferencedFrameOfReferenceSequence or ROIs."""
    structures = a_structure_set(frames=(), rois=[a_roi(frame=None)], frame=frame).parsed
    dose = elsewhere(given("1.1"))[0]
    expected = pytest.raises(CalculationError, match="Frame") if refused else nullcontext()
    with expected:
        require_same_frame((structures, structures.content), [dose])
