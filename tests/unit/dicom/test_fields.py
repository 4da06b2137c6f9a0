"""Fields of a photon plan."""

import numpy as np
import pytest
from pydicom.sequence import Sequence as Items

from rtpacs.dicom.fields import read_fields
from tests.builders import item, to_bytes
from tests.builders.plans import a_photon_plan


def a_plan(position="HFS", jaws=(("ASYMX", [-10.0, 20.0]), ("Y", [-30.0, 40.0])), **changes):
    """The builders' plan with jaws on the first control point of its arc."""
    plan = a_photon_plan()
    plan.PatientSetupSequence = Items([item(PatientSetupNumber=1, PatientPosition=position)])
    arc = plan.BeamSequence[0]
    arc.SourceAxisDistance = 1000.0
    point = arc.ControlPointSequence[0]
    point.update(
        item(
            GantryAngle=90.0,
            BeamLimitingDeviceAngle=0.0,
            PatientSupportAngle=0.0,
            IsocenterPosition=[0.0, 0.0, 0.0],
            BeamLimitingDevicePositionSequence=[
                item(RTBeamLimitingDeviceType=kind, LeafJawPositions=opening)
                for kind, opening in jaws
            ],
            **changes,
        )
    )
    return plan


def test_the_field_of_the_first_control_point_is_read():
    """Gantry 90: the source stands a metre to the left; beams without jaws are left out."""
    (field,) = read_fields(to_bytes(a_plan()))
    assert field.number == 1
    np.testing.assert_allclose(field.source_xyz_mm, [1000, 0, 0], atol=1e-9)


@pytest.mark.parametrize(
    "plan",
    [
        a_plan(jaws=(("ASYMX", [-10.0, 20.0]),)),
        a_plan(jaws=(("ASYMX", [-10.0]), ("Y", [-30.0, 40.0]))),
        a_plan(position="HFDR"),
    ],
)
def test_what_is_not_stated_has_no_outline(plan):
    """One pair of jaws, half a pair, a patient on the side."""
    assert read_fields(to_bytes(plan)) == ()


def test_setup_positions_that_differ_have_no_outline():
    """Which one a beam means would be a guess."""
    plan = a_plan()
    plan.PatientSetupSequence.append(item(PatientSetupNumber=2, PatientPosition="FFS"))
    assert read_fields(to_bytes(plan)) == ()
