"""Fields in the patient, from the geometry of the room (IEC 61217)."""

import numpy as np
import pytest

from rtpacs.dosimetry.field_outline import FieldAngles, field_outline

ISOCENTER = np.array([10.0, -20.0, 30.0])
JAWS = (-10.0, 20.0, -30.0, 40.0)


def a_field(gantry=0.0, collimator=0.0, couch=0.0, position="HFS"):
    angles = FieldAngles(gantry=gantry, collimator=collimator, couch=couch)
    return field_outline(1, angles, JAWS, (ISOCENTER, 1000.0), position)


def source(field) -> np.ndarray:
    """From the isocentre to the source, in metres."""
    return (field.source_xyz_mm - ISOCENTER) / 1000


@pytest.mark.parametrize(
    ("position", "gantry", "direction"),
    [
        ("HFS", 0, (0, -1, 0)),  # from above: the supine patient's front
        ("HFS", 90, (1, 0, 0)),  # the patient's left
        ("HFS", 180, (0, 1, 0)),
        ("HFS", 270, (-1, 0, 0)),
        ("HFP", 0, (0, 1, 0)),  # from above: the prone patient's back
        ("HFP", 90, (-1, 0, 0)),
        ("FFS", 0, (0, -1, 0)),
        ("FFS", 90, (-1, 0, 0)),
        ("FFP", 0, (0, 1, 0)),
        ("FFP", 90, (1, 0, 0)),
    ],
)
def test_the_beam_comes_from_where_the_gantry_stands(position, gantry, direction):
    """The gantry turns clockwise for somebody who faces it."""
    assert source(a_field(gantry=gantry, position=position)) == pytest.approx(direction, abs=1e-9)


def test_a_turned_couch_brings_the_feet_to_the_gantry_at_90_degrees():
    """Seen from above it turns against the clock: the head goes to the gantry's side at 270."""
    assert source(a_field(gantry=90, couch=90)) == pytest.approx((0, 0, -1), abs=1e-9)


def test_jaws_open_along_left_and_head_from_above():
    """Gantry and collimator at 0, HFS: X is the patient's left, Y the head; all at isocentre."""
    corners = a_field().corners_xyz_mm - ISOCENTER
    np.testing.assert_allclose(
        corners, [[-10, 0, -30], [20, 0, -30], [20, 0, 40], [-10, 0, 40]], atol=1e-9
    )


def test_the_collimator_turns_against_the_clock_seen_from_the_source():
    """At 90 degrees X points to the head and Y to the patient's right."""
    corners = a_field(collimator=90).corners_xyz_mm - ISOCENTER
    np.testing.assert_allclose(corners[1], [30, 0, 20], atol=1e-9)


def test_no_outline_is_guessed_for_decubitus():
    """Lying on the side: the couch axes are not those of the patient."""
    assert a_field(position="HFDL") is None
