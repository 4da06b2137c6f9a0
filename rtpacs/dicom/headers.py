"""Who and what an object belongs to: patient, study, series and equipment modules."""

from rtpacs.dicom.attributes import Attributes
from rtpacs.errors import DicomError
from rtpacs.rules.objects import FrameUid, PatientText, SeriesText, SeriesUid, StudyText, StudyUid

UID_TAGS = {
    "SOPClassUID": "(0008,0016)",
    "SOPInstanceUID": "(0008,0018)",
    "StudyInstanceUID": "(0020,000D)",
    "SeriesInstanceUID": "(0020,000E)",
}
CREATION = (
    ("InstanceCreationDate", "InstanceCreationTime"),
    ("ContentDate", "ContentTime"),
    ("StructureSetDate", "StructureSetTime"),
    ("RTPlanDate", "RTPlanTime"),
    ("TreatmentDate", "TreatmentTime"),
)


def required_uid(attributes: Attributes, keyword: str) -> str:
    """Give a UID without which an object cannot be placed.

    Raises
    ------
    DicomError
        When it is missing or no UID; the text names the tag.
    """
    uid = attributes.uid(keyword)
    if uid is None:
        raise DicomError(
            f"{keyword} {UID_TAGS[keyword]} is missing or no UID, so the object cannot be placed:"
            " correct it in the system that wrote it and send it again.",
            sop_uid=attributes.notes.sop_uid,
            attribute=keyword,
        )
    return uid


def patient_text(attributes: Attributes) -> PatientText:
    """Read the patient module."""
    return PatientText(
        patient_id=attributes.text("PatientID") or "",
        issuer=attributes.text("IssuerOfPatientID") or "",
        name=attributes.name("PatientName") or "",
        birth_date=attributes.date("PatientBirthDate"),
        sex=attributes.code("PatientSex"),
    )


def study_text(attributes: Attributes) -> StudyText:
    """Read the study module.

    Raises
    ------
    DicomError
        When the Study Instance UID is missing.
    """
    return StudyText(
        study_uid=StudyUid(required_uid(attributes, "StudyInstanceUID")),
        date=attributes.date("StudyDate"),
        description=attributes.text("StudyDescription"),
        accession_number=attributes.text("AccessionNumber"),
        study_id=attributes.text("StudyID"),
    )


def series_text(attributes: Attributes) -> SeriesText:
    """Read the series, frame of reference and equipment modules.

    Raises
    ------
    DicomError
        When the Series Instance UID is missing.
    """
    frame_uid = attributes.uid("FrameOfReferenceUID")
    return SeriesText(
        series_uid=SeriesUid(required_uid(attributes, "SeriesInstanceUID")),
        modality=attributes.code("Modality") or "",
        number=attributes.integer("SeriesNumber"),
        description=attributes.text("SeriesDescription"),
        date=attributes.date("SeriesDate"),
        frame_of_reference_uid=FrameUid(frame_uid) if frame_uid else None,
        manufacturer=attributes.text("Manufacturer"),
        model=attributes.text("ManufacturerModelName"),
        software_versions=attributes.text("SoftwareVersions"),
        institution=attributes.text("InstitutionName"),
        body_part=attributes.text("BodyPartExamined"),
    )


def creation_time(attributes: Attributes) -> str | None:
    """Give when the object was made, by the first pair of date and time that it has."""
    for date, time in CREATION:
        if attributes.has(date):
            return attributes.date_time(date, time)
    return None
