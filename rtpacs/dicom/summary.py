"""What the index keeps of one object: the reader for its SOP class and the headers of all."""

from collections.abc import Callable

from rtpacs.dicom.attributes import Attributes, Notes
from rtpacs.dicom.doses import dose_content
from rtpacs.dicom.headers import (
    creation_time,
    patient_text,
    required_uid,
    series_text,
    study_text,
)
from rtpacs.dicom.images import image_content
from rtpacs.dicom.plans import plan_content
from rtpacs.dicom.records import record_content
from rtpacs.dicom.references import references
from rtpacs.dicom.registrations import registration_content
from rtpacs.dicom.sop_classes import role_of
from rtpacs.dicom.structures import structure_set_content
from rtpacs.dicom.tps_dvhs import read_tps_dvhs
from rtpacs.dicom.transfer import open_file
from rtpacs.rules.objects import (
    Content,
    OtherContent,
    ParsedObject,
    Reference,
    ReferenceKind,
    Role,
    Severity,
    SopUid,
)

READER_VERSION = 2
"""Raise it when more objects can be read than before: those that could not are read once more."""

SEGMENTED_IMAGES = (
    ("ReferencedSeriesSequence", "ReferencedInstanceSequence"),
    ("SharedFunctionalGroupsSequence", "DerivationImageSequence", "SourceImageSequence"),
    ("PerFrameFunctionalGroupsSequence", "DerivationImageSequence", "SourceImageSequence"),
)
Reading = tuple[Content, tuple[Reference, ...]]


def summarise(data: bytes) -> ParsedObject:
    """Read all that the index keeps of one object; pixels of images are not needed.

    Parameters
    ----------
    data
        A DICOM file; for images it may end where the pixel data begins.

    Raises
    ------
    DicomError
        When the file is cut off or no DICOM, or when its SOP Class, SOP Instance, Study or Series
        Instance UID cannot be read. Everything else that is odd becomes a finding.
    """
    opened = open_file(data)
    notes = Notes()
    attributes = Attributes(opened.root, notes)
    sop_uid = required_uid(attributes, "SOPInstanceUID")
    notes.sop_uid = sop_uid
    sop_class_uid = required_uid(attributes, "SOPClassUID")
    study, series = study_text(attributes), series_text(attributes)
    for deviation in opened.deviations:
        notes.add("file-format", Severity.INFO, f"The file was read although {deviation}.")
    role = role_of(sop_class_uid)
    content, found = READERS[role](attributes, sop_class_uid)
    return ParsedObject(
        sop_uid=SopUid(sop_uid),
        sop_class_uid=sop_class_uid,
        transfer_syntax_uid=opened.transfer_syntax_uid,
        role=role,
        patient=patient_text(attributes),
        study=study,
        series=series,
        instance_number=attributes.integer("InstanceNumber"),
        content_date=creation_time(attributes),
        references=found,
        content=content,
        tps_dvhs=read_tps_dvhs(attributes) if role is Role.DOSE else (),
        findings=notes.all(),
    )


def _image(attributes: Attributes, _: str) -> Reading:
    return image_content(attributes), ()


def _structure_set(attributes: Attributes, _: str) -> Reading:
    return structure_set_content(attributes)


def _dose(attributes: Attributes, _: str) -> Reading:
    return dose_content(attributes)


def _registration(attributes: Attributes, _: str) -> Reading:
    return registration_content(attributes)


def _rt_image(attributes: Attributes, _: str) -> Reading:
    plans = attributes.items("ReferencedRTPlanSequence")
    description = attributes.text("RTImageLabel") or attributes.text("RTImageDescription")
    return OtherContent(description=description), tuple(
        references(ReferenceKind.RT_IMAGE_TO_PLAN, plans)
    )


def _segmentation(attributes: Attributes, _: str) -> Reading:
    images = [image for path in SEGMENTED_IMAGES for image in attributes.nested(*path)]
    return OtherContent(description=attributes.text("ContentLabel")), tuple(
        references(ReferenceKind.SEGMENTATION_TO_IMAGE, images)
    )


def _other(attributes: Attributes, _: str) -> Reading:
    description = attributes.text("ContentLabel") or attributes.text("SeriesDescription")
    return OtherContent(description=description), ()


READERS: dict[Role, Callable[[Attributes, str], Reading]] = {
    Role.IMAGE: _image,
    Role.STRUCTURE_SET: _structure_set,
    Role.PLAN: plan_content,
    Role.DOSE: _dose,
    Role.RECORD: record_content,
    Role.REGISTRATION: _registration,
    Role.RT_IMAGE: _rt_image,
    Role.SEGMENTATION: _segmentation,
    Role.OTHER: _other,
}
