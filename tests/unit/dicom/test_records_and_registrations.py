"""Treatment records and registrations."""

import numpy as np
import pytest
from pydicom.sequence import Sequence as Items

from rtpacs.dicom import summarise
from rtpacs.rules.objects import (
    DeliveredBeam,
    RecordContent,
    ReferenceKind,
    RegistrationContent,
    Role,
)
from tests.builders import (
    BRACHY_RECORD_CLASS,
    CT_CLASS,
    FRAME_UID,
    IDENTITY,
    ION_RECORD_CLASS,
    OTHER_FRAME_UID,
    PLAN_UID,
    a_beams_record,
    a_deformable_registration,
    a_matrix,
    a_registration,
    a_summary_record,
    image_uid,
    item,
    reference,
    to_bytes,
)


def record_of(dataset) -> RecordContent:
    content = summarise(to_bytes(dataset)).content
    assert isinstance(content, RecordContent)
    return content


def registration_of(dataset) -> RegistrationContent:
    content = summarise(to_bytes(dataset)).content
    assert isinstance(content, RegistrationContent)
    return content


def test_a_beams_record_says_what_was_delivered_of_which_plan() -> None:
    """An interrupted fraction: 120 of 300 MU."""
    dataset = a_beams_record(fraction=7, delivered=120.0)
    dataset.TreatmentSessionBeamSequence[0].TreatmentTerminationStatus = "MACHINE"
    content = record_of(dataset)
    assert (content.kind, content.treatment_date, content.plan_uid) == (
        "beams",
        "2026-03-10",
        PLAN_UID,
    )
    assert content.fraction_group_number == 1
    assert content.beams == (
        DeliveredBeam(
            beam_number=1,
            fraction_number=7,
            specified_meterset=300.0,
            delivered_meterset=120.0,
            termination_status="MACHINE",
            delivery_type="TREATMENT",
        ),
    )
    (edge,) = summarise(to_bytes(dataset)).references
    assert (edge.kind, edge.target_uid) == (ReferenceKind.RECORD_TO_PLAN, PLAN_UID)


@pytest.mark.parametrize(
    ("sop_class", "sequence", "number", "kind"),
    [
        (ION_RECORD_CLASS, "TreatmentSessionIonBeamSequence", "ReferencedBeamNumber", "ion"),
        (
            BRACHY_RECORD_CLASS,
            "TreatmentSessionApplicationSetupSequence",
            "ReferencedBrachyApplicationSetupNumber",
            "brachy",
        ),
    ],
)
def test_ion_and_brachy_records_have_sequences_of_their_own(
    sop_class: str, sequence: str, number: str, kind: str
) -> None:
    """PS3.3 C.8.8.26 and C.8.8.22."""
    dataset = a_beams_record()
    dataset.SOPClassUID = sop_class
    del dataset.TreatmentSessionBeamSequence
    delivered = item(CurrentFractionNumber=3, TreatmentDeliveryType="TREATMENT")
    setattr(delivered, number, 4)
    setattr(dataset, sequence, Items([delivered]))
    content = record_of(dataset)
    assert content.kind == kind
    assert [(beam.beam_number, beam.fraction_number) for beam in content.beams] == [(4, 3)]


def test_a_summary_gives_status_dates_and_fractions() -> None:
    """25 fractions of the one group were given."""
    content = record_of(a_summary_record())
    assert (content.kind, content.treatment_status, content.fractions_delivered) == (
        "summary",
        "COMPLETED",
        25,
    )
    assert (content.first_treatment_date, content.last_treatment_date) == (
        "2026-03-10",
        "2026-04-13",
    )
    assert content.fraction_group_number == 1


def test_fractions_of_several_groups_add_up_only_when_all_are_known() -> None:
    """A group that does not say makes the sum unknown."""
    dataset = a_summary_record()
    second = item(ReferencedFractionGroupNumber=2, NumberOfFractionsDelivered=5)
    dataset.FractionGroupSummarySequence.append(second)
    assert record_of(dataset).fractions_delivered == 30
    del second.NumberOfFractionsDelivered
    assert record_of(dataset).fractions_delivered is None


def test_a_record_without_beams_is_unusable() -> None:
    """It would count as a fraction in which nothing was given."""
    dataset = a_beams_record()
    del dataset.TreatmentSessionBeamSequence
    (finding,) = summarise(to_bytes(dataset)).findings
    assert (finding.code, finding.severity) == ("record-without-beams", "error")


def test_a_registration_maps_the_items_frame_into_its_own() -> None:
    """PS3.3 C.20.2.1.1: the origin of the other frame lies at (10, -5, 2.5) mm in this one."""
    content = registration_of(a_registration())
    own, other = content.items
    assert content.frame_of_reference_uid == FRAME_UID
    assert (own.frame_of_reference_uid, own.matrix) == (FRAME_UID, tuple(IDENTITY))
    assert other.frame_of_reference_uid == OTHER_FRAME_UID
    mapped = np.array(other.matrix).reshape(4, 4) @ [0, 0, 0, 1]
    assert mapped.tolist() == [10, -5, 2.5, 1]
    assert (other.matrix_type, other.deformable) == ("RIGID", False)


def test_a_registration_refers_to_frames_and_images() -> None:
    """Each frame and image once, whichever sequence names it."""
    dataset = a_registration()
    image = reference(CT_CLASS, image_uid(0))
    dataset.RegistrationSequence[0].ReferencedImageSequence = Items([image])
    dataset.ReferencedSeriesSequence = Items(
        [item(SeriesInstanceUID="1.2", ReferencedInstanceSequence=[image])]
    )
    found = summarise(to_bytes(dataset))
    assert found.role is Role.REGISTRATION
    assert [(edge.kind, edge.target_uid) for edge in found.references] == [
        (ReferenceKind.REGISTRATION_TO_FRAME, FRAME_UID),
        (ReferenceKind.REGISTRATION_TO_FRAME, OTHER_FRAME_UID),
        (ReferenceKind.REGISTRATION_TO_IMAGE, image_uid(0)),
    ]


@pytest.mark.parametrize(
    "matrix",
    [
        [2, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1],
        [-1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1],
        [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 10, -5, 2.5, 1],
        [1, 0, 0, 1e300, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1],
        [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0],
    ],
    ids=["stretched", "mirrored", "column by column", "far away", "12 numbers"],
)
def test_a_matrix_that_is_no_rigid_map_is_refused(matrix: list[float]) -> None:
    """PS3.3 C.20.2.1.2: RIGID is a rotation and a shift, last row 0 0 0 1."""
    dataset = a_registration(matrix)
    assert registration_of(dataset).items[1].matrix == ()
    codes = {note.code for note in summarise(to_bytes(dataset)).findings}
    assert "registration-matrix" in codes


def test_several_matrices_are_applied_one_after_another_and_flagged() -> None:
    """First a shift by 1 along x, then a turn of x to y: the origin goes to (0, 1, 0)."""
    dataset = a_registration()
    shift = [1, 0, 0, 1, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]
    turn = [0, -1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]
    registration = dataset.RegistrationSequence[1].MatrixRegistrationSequence[0]
    registration.MatrixSequence = Items([a_matrix(shift), a_matrix(turn)])
    mapped = np.array(registration_of(dataset).items[1].matrix).reshape(4, 4) @ [0, 0, 0, 1]
    assert mapped.tolist() == [0, 1, 0, 1]
    codes = {note.code for note in summarise(to_bytes(dataset)).findings}
    assert codes == {"registration-matrices"}


def test_a_deformable_registration_gives_no_matrix() -> None:
    """With a deformation grid no matrix maps the frame."""
    (mapped,) = registration_of(a_deformable_registration()).items
    assert mapped.deformable
    assert mapped.matrix == ()
    assert mapped.frame_of_reference_uid == OTHER_FRAME_UID
