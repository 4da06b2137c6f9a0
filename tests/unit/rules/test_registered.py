"""The way from one frame of reference into another."""

import numpy as np
import pytest

from rtpacs.rules.objects import FrameUid, RegistrationContent, RegistrationItem
from rtpacs.rules.registered import matrix_between

# A quarter turn about z and a shift: (x, y, z) of MR is (-y + 5, x - 3, z + 1) of CT.
TURN = (0, -1, 0, 5, 1, 0, 0, -3, 0, 0, 1, 1, 0, 0, 0, 1)
BACK = (0, 1, 0, 3, -1, 0, 0, 5, 0, 0, 1, -1, 0, 0, 0, 1)


def a_registration(*items, own="CT") -> RegistrationContent:
    return RegistrationContent(items=items, frame_of_reference_uid=own, label=None)


def an_item(frame: str, matrix, *, kind="RIGID", deformable=False) -> RegistrationItem:
    return RegistrationItem(
        frame_of_reference_uid=FrameUid(frame),
        matrix=tuple(float(value) for value in matrix),
        matrix_type=kind,
        deformable=deformable,
    )


def test_an_items_matrix_maps_into_the_registrations_own_frame():
    """PS3.3 C.20.2.1.1: a point of MR becomes one of CT."""
    matrix = matrix_between(a_registration(an_item("MR", TURN)), "MR", "CT")
    assert matrix @ [2, 7, 4, 1] == pytest.approx([-7 + 5, 2 - 3, 4 + 1, 1])


def test_the_other_way_is_the_inverse():
    """x = y' + 3, y = -x' + 5, z = z' - 1."""
    matrix = matrix_between(a_registration(an_item("MR", TURN)), "CT", "MR")
    np.testing.assert_allclose(matrix, np.array(BACK).reshape(4, 4), atol=1e-12)


def test_two_items_lead_over_the_common_frame():
    """The common frame may be a third one, in which nothing lies."""
    shift = (1, 0, 0, 10, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1)
    content = a_registration(an_item("MR", TURN), an_item("PT", shift), own="atlas")
    matrix = matrix_between(content, "MR", "PT")
    assert matrix @ [2, 7, 4, 1] == pytest.approx([-2 - 10, -1, 5, 1])


@pytest.mark.parametrize(
    "item",
    [
        an_item("MR", TURN, kind="AFFINE"),
        an_item("MR", TURN, deformable=True),
        an_item("MR", ()),
        an_item("PT", TURN),
    ],
)
def test_only_rigid_matrices_of_the_frame_lead_anywhere(item):
    """Nothing is scaled, sheared or guessed."""
    assert matrix_between(a_registration(item), "MR", "CT") is None
