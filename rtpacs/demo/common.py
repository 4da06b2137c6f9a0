"""What do all demo objects share? Patient, study, equipment, UIDs and how a file is written."""

import uuid
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom.charset import default_encoding
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.tag import Tag
from pydicom.uid import UID, ExplicitVRLittleEndian

import rtpacs

EDITION = 3
"""Raise it when what is generated changes: new content must not travel under old UIDs."""
_NAMESPACE = uuid.UUID("5d0c8a0e-6a6f-4c8e-9f0a-7c5f5b1c2d3e")
_IMPLEMENTATION_UID = UID(f"2.25.{_NAMESPACE.int}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """A patient who obviously does not exist."""

    name: str
    patient_id: str
    birth_date: str
    sex: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """One planning study: who, where, when (DICOM dates, local to the center)."""

    key: str
    patient: Patient
    institution: str
    description: str
    body_part: str
    ct_date: str
    plan_date: str
    review_date: str
    physicist: str
    physician: str

    def uid(self, *parts: str | int) -> str:
        """Return the UID of a part of this study: the same in every run of this version."""
        return uid(self.key, *parts)


def uid(*parts: str | int) -> str:
    """Return a stable UID under 2.25 (PS3.5 B.2) from a hash of the parts.

    Version and edition are hashed too: every object states its SoftwareVersions, so another
    version writes other bytes and therefore needs other UIDs.
    """
    text = "/".join([rtpacs.__version__, str(EDITION), *map(str, parts)])
    return f"2.25.{uuid.uuid5(_NAMESPACE, text).int}"


def new_object(study: Study, sop_class: str, *, modality: str, part: str, date: str) -> Dataset:
    """Return a data set with the patient, study, series, equipment and SOP common modules."""
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class, study.uid(part)
    ds.InstanceCreationDate, ds.InstanceCreationTime = date, "120000"
    ds.StudyDate, ds.StudyTime = study.ct_date, "083000"
    ds.SeriesDate, ds.SeriesTime = date, "120000"
    ds.AccessionNumber, ds.ReferringPhysicianName = "", study.physician
    ds.Modality, ds.SeriesDescription = modality, f"Demo {part}"
    ds.StudyDescription, ds.InstitutionName = study.description, study.institution
    ds.Manufacturer, ds.ManufacturerModelName = "rtpacs", "demo generator"
    ds.SoftwareVersions, ds.StationName = rtpacs.__version__, "DEMO"
    ds.PatientName, ds.PatientID = study.patient.name, study.patient.patient_id
    ds.PatientBirthDate, ds.PatientSex = study.patient.birth_date, study.patient.sex
    ds.StudyInstanceUID, ds.StudyID = study.uid("study"), "1"
    ds.SeriesInstanceUID, ds.SeriesNumber = study.uid("series", part), 1
    ds.OperatorsName, ds.InstanceNumber = study.physicist, 1
    return ds


def add_frame_of_reference(ds: Dataset, study: Study) -> None:
    """Add the frame of reference that all objects of the study share."""
    ds.FrameOfReferenceUID = study.uid("frame")
    ds.PositionReferenceIndicator = ""


def add_approval(ds: Dataset, study: Study) -> None:
    """Add the approval module: approved, by whom and when."""
    ds.ApprovalStatus = "APPROVED"
    ds.ReviewDate, ds.ReviewTime, ds.ReviewerName = study.review_date, "161500", study.physician


def reference(ds: Dataset) -> Dataset:
    """Return an item that refers to the object."""
    return item(ReferencedSOPClassUID=ds.SOPClassUID, ReferencedSOPInstanceUID=ds.SOPInstanceUID)


def item(**values: object) -> Dataset:
    """Return a sequence item with the attributes given by their keywords."""
    ds = Dataset()
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds


def set_decimals(ds: Dataset, keyword: str, values: npt.ArrayLike, decimal_places: int = 2) -> None:
    """Set a DS attribute from numbers, without one pydicom object for every number."""
    text = decimals(values, decimal_places)
    set_encoded(ds, keyword, text + b" " * (len(text) % 2))


def decimals(values: npt.ArrayLike, decimal_places: int = 2) -> bytes:
    """Return numbers as a multi-valued DS; each must stay below 16 characters (PS3.5 6.2)."""
    numbers = np.asarray(values, dtype=float).ravel().tolist()
    return "\\".join(map(f"%.{decimal_places}f".__mod__, numbers)).encode("ascii")


def set_encoded(ds: Dataset, keyword: str, value: bytes) -> None:
    """Set an attribute from bytes that are already encoded (explicit VR, little endian)."""
    tag = Tag(tag_for_keyword(keyword) or 0)
    ds[tag] = RawDataElement(tag, dictionary_VR(tag), len(value), value, 0, False, True)
    # Says that the bytes are as they are to be written; else pydicom decodes them first.
    ds.set_original_encoding(False, True, default_encoding)


def write(ds: Dataset, path: Path) -> Path:
    """Write the object as a DICOM file (explicit VR, little endian) and return its path."""
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.ImplementationClassUID = _IMPLEMENTATION_UID
    ds.file_meta.ImplementationVersionName = "RTPACS_DEMO"
    ds.save_as(path, enforce_file_format=True)
    return path
