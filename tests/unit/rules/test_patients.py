"""Whose object it is."""

import pytest

from rtpacs.rules.objects import PatientText
from rtpacs.rules.patients import patient_key


def identity(patient_id="123", *, issuer="", center="A", sender="TPS@192.0.2.1", study="1.2"):
    text = PatientText(patient_id=patient_id, issuer=issuer, name="X", birth_date=None, sex=None)
    return patient_key(text, center=center, sender=sender, study_uid=study)


def test_the_number_alone_makes_the_patient_within_a_center():
    """Sender and study do not matter when there is a number; spaces do not either."""
    assert identity() == identity(" 123 ", sender="B", study="1.3")
    assert not identity().quarantined
    assert identity().study_uid is None


@pytest.mark.parametrize("other", [{"center": "B"}, {"issuer": "X"}, {"patient_id": "124"}])
def test_center_issuer_and_number_each_make_another_patient(other):
    """The same PatientID from two hospitals stays two patients."""
    assert identity(**other) != identity()


def test_upper_and_lower_case_are_different_numbers():
    """Nothing says that they are not."""
    assert identity("a1") != identity("A1")


@pytest.mark.parametrize("empty", ["", "   "])
def test_without_a_number_each_study_of_each_sender_is_quarantined_apart(empty):
    """Objects without a number are never one patient together."""
    one = identity(empty)
    assert one.quarantined
    assert one.patient_id == ""
    assert one == identity("")
    assert len({one, identity(empty, study="1.3"), identity(empty, sender="B@192.0.2.2")}) == 3
