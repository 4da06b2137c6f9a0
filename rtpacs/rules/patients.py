"""Which patient an object belongs to: center, issuer and PatientID, never the name."""

from dataclasses import dataclass

from rtpacs.rules.objects import PatientText, StudyUid


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientIdentity:
    """The key of a patient within the installation.

    ``sender`` and ``study_uid`` are set only where PatientID is empty: then each study of each
    sender is a patient of its own, quarantined until a person says who it is.
    """

    center: str
    issuer: str
    patient_id: str
    sender: str | None
    study_uid: StudyUid | None
    quarantined: bool
    reason: str


def patient_key(
    patient: PatientText, *, center: str, sender: str, study_uid: StudyUid
) -> PatientIdentity:
    """Say whose object this is.

    The same PatientID from two centers, or with two issuers, is two patients. Case counts: two
    hospitals' numbers may differ by it.

    Parameters
    ----------
    center
        Code of the center that the sender belongs to.
    sender
        Stable key of the sender, for instance AE title and address.
    """
    issuer, number = patient.issuer.strip(), patient.patient_id.strip()
    if number:
        return PatientIdentity(
            center=center,
            issuer=issuer,
            patient_id=number,
            sender=None,
            study_uid=None,
            quarantined=False,
            reason="center, issuer and patient number",
        )
    return PatientIdentity(
        center=center,
        issuer=issuer,
        patient_id="",
        sender=sender,
        study_uid=study_uid,
        quarantined=True,
        reason="the object has no patient number: each study of each sender is kept apart",
    )
