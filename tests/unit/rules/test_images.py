"""Stacks of images: order, spacing, gaps and doubles from geometry alone."""

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtpacs.rules.images import distinct, find_gaps, group_series, stack_of
from rtpacs.rules.slices import judge_stack
from tests.unit.rules.builders import CT_SERIES, a_plan, a_series, an_image, with_content

SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
FEET_FIRST = (-1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def positions(*steps_mm):
    return tuple(accumulate(steps_mm, initial=0.0))


def gaps(*steps_mm):
    return [(gap.after_mm, gap.missing) for gap in find_gaps(positions(*steps_mm))]


@pytest.mark.parametrize(
    "steps",
    [
        (),
        (3.0,),
        (3.0,) * 10,
        (3.0,) * 10 + (5.0,) * 10,
        (5.0,) * 24 + (7.0,) * 14,
        (2.0,) * 10 + (6.0,) * 3 + (2.0,) * 10,
        (5.0,) * 2 + (2.5,) * 10 + (5.0,) * 2,
        (3.27, 3.27, 3.26, 3.28, 3.27),
        (1.0, 1.5, 1.0, 1.5, 1.0),
    ],
)
def test_legal_spacing_is_no_gap(steps):
    """Equal steps, blocks of other spacing (5 then 7 mm as in a reference set), rounding."""
    assert gaps(*steps) == []


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ((3.0, 3.0, 6.0, 3.0, 3.0), [(6.0, 1)]),
        ((6.0, 3.0, 3.0, 3.0), [(0.0, 1)]),
        ((3.0, 3.0, 3.0, 6.0), [(9.0, 1)]),
        ((3.0, 6.0), [(3.0, 1)]),
        ((3.0, 3.0, 30.0, 3.0, 3.0), [(6.0, 9)]),
        ((3.0, 3.0, 6.0, 6.0, 3.0, 3.0), [(6.0, 1), (12.0, 1)]),
        ((3.0, 3.0, 9.0, 6.0, 3.0, 3.0), [(6.0, 2), (15.0, 1)]),
        ((3.0, 6.0, 3.0, 6.0, 3.0), [(3.0, 1), (12.0, 1)]),
        ((3.0,) * 5 + (10.0,) + (5.0,) * 5, [(15.0, 1)]),
        ((3.0,) * 5 + (6.1,) + (3.0,) * 5, [(15.0, 1)]),
    ],
)
def test_an_isolated_wide_step_is_a_gap(steps, expected):
    """k times the spacing around it: k - 1 slices are missing; 10 mm between 3 and 5 is 2.5."""
    assert gaps(*steps) == expected


@given(st.integers(5, 60), st.sampled_from([0.625, 1.0, 2.5, 3.0, 3.27, 5.0]), st.data())
def test_one_lost_slice_inside_an_even_stack_is_always_found(count, spacing_mm, data):
    """Whatever spacing, size and place; the first and last slice cannot be missed by geometry."""
    lost = data.draw(st.integers(1, count - 2))
    stack = [round(i * spacing_mm, 2) for i in range(count) if i != lost]
    (gap,) = find_gaps(stack)
    assert gap.missing == 1
    assert gap.after_mm < lost * spacing_mm < gap.before_mm


@given(st.integers(3, 30), st.integers(3, 30), st.floats(1.0, 10.0), st.floats(1.0, 10.0))
def test_two_blocks_of_any_spacing_are_no_gap(first, second, one_mm, other_mm):
    """Three or more steps each."""
    assert find_gaps(positions(*[one_mm] * first, *[other_mm] * second)) == ()


def test_positions_closer_than_rounding_are_one():
    """0.01 mm apart is one position, 0.02 mm apart are two."""
    assert distinct([3.0, 0.0, 3.009, 3.03]) == (0.0, 3.0, 3.03)


def test_images_are_sorted_by_position_not_by_uid_or_arrival():
    """Built downwards, sorted upwards."""
    images = a_series([9.0, 3.0, 6.0, 0.0])
    series = group_series([*images, a_plan()])[CT_SERIES]
    assert series.positions_mm == (0.0, 3.0, 6.0, 9.0)
    assert series.images == (images[3], images[1], images[2], images[0])
    assert (series.spacing_mm, series.axial, series.duplicates) == (3.0, True, 0)


def test_feet_first_stacks_keep_patient_z():
    """The image normal points to the feet; positions still are z in the patient."""
    series = stack_of(a_series([0.0, 3.0, 6.0], orientation=FEET_FIRST))
    assert series.positions_mm == (0.0, 3.0, 6.0)
    assert series.axial


def test_a_localizer_in_the_series_is_kept_apart():
    """The largest group of one orientation is the stack."""
    scout = an_image(0.0, uid="scout", orientation=SAGITTAL)
    nowhere = an_image(None, uid="nowhere")
    series = stack_of([scout, nowhere, *a_series([0.0, 3.0, 6.0])])
    assert len(series.images) == 3
    assert {obj.parsed.sop_uid for obj in series.others} == {"scout", "nowhere"}


def test_images_without_position_form_a_stack_without_geometry():
    """Nothing can be said about spacing; they are listed all the same."""
    series = stack_of([an_image(None, uid="a"), an_image(None, uid="b", orientation=None)])
    assert len(series.images) == 2
    assert (series.positions_mm, series.spacing_mm, series.axial) == ((), None, False)


def test_one_image_has_no_spacing():
    """A median of nothing is unknown, not zero."""
    assert stack_of([an_image(3.0)]).spacing_mm is None


def test_multi_frame_images_are_told_apart():
    """Only their first frame has a known place here."""
    assert stack_of([with_content(an_image(0.0), frames=50)]).multi_frame


def test_gaps_and_doubles_are_said_in_words():
    """Two slices missing in one gap; one image twice."""
    images = [*a_series([0.0, 3.0, 12.0, 15.0, 18.0]), an_image(15.0, uid="twin")]
    gap, double = (remark.finding for remark in judge_stack(stack_of(images)))
    assert gap.code == "missing-slices"
    assert "2 slices" in gap.text
    assert double.code == "duplicate-slices"
    assert "1 image at" in double.text
