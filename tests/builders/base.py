"""What every object has: identifiers, common modules, pixels, and its bytes."""

import struct
import warnings
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.sequence import Sequence as Items
from pydicom.tag import Tag
from pydicom.uid import UID, ExplicitVRLittleEndian

ROOT = "1.2.826.0.1.3680043.10.1561.9999"
STUDY_UID = f"{ROOT}.1"
FRAME_UID = f"{ROOT}.2"
OTHER_FRAME_UID = f"{ROOT}.3"
CT_SERIES_UID = f"{ROOT}.4"
STRUCTURE_SET_UID = f"{ROOT}.20.1"
PLAN_UID = f"{ROOT}.20.2"
DOSE_UID = f"{ROOT}.20.3"
RECORD_UID = f"{ROOT}.20.4"
REGISTRATION_UID = f"{ROOT}.20.5"
RT_IMAGE_UID = f"{ROOT}.20.6"
SEGMENTATION_UID = f"{ROOT}.20.7"

STORAGE = "1.2.840.10008.5.1.4.1.1."
CT_CLASS = STORAGE + "2"
RT_IMAGE_CLASS = STORAGE + "481.1"
DOSE_CLASS = STORAGE + "481.2"
STRUCTURE_SET_CLASS = STORAGE + "481.3"
BEAMS_RECORD_CLASS = STORAGE + "481.4"
PLAN_CLASS = STORAGE + "481.5"
SUMMARY_RECORD_CLASS = STORAGE + "481.7"
ION_PLAN_CLASS = STORAGE + "481.8"
ION_RECORD_CLASS = STORAGE + "481.9"
BRACHY_RECORD_CLASS = STORAGE + "481.6"
REGISTRATION_CLASS = STORAGE + "66.1"
DEFORMABLE_CLASS = STORAGE + "66.3"
SEGMENTATION_CLASS = STORAGE + "66.4"

SLICES = 5
SLICE_SPACING_MM = 3.0
DOSE_SHAPE = (5, 6, 7)
DOSE_SCALING_GY = 0.01
AXIAL = [1, 0, 0, 0, 1, 0]
IDENTITY = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]


def image_uid(index: int) -> str:
    """SOP Instance UID of a CT slice."""
    return f"{ROOT}.10.{index + 1}"


def item(**attributes: object) -> Dataset:
    """A data set with the given attributes; lists of data sets become sequences."""
    dataset = Dataset()
    for keyword, value in attributes.items():
        is_sequence = dictionary_VR(keyword) == "SQ"
        setattr(dataset, keyword, Items(value) if is_sequence else value)  # type: ignore[arg-type]
    return dataset


def reference(sop_class_uid: str, sop_uid: str) -> Dataset:
    """An item that names one instance."""
    return item(ReferencedSOPClassUID=sop_class_uid, ReferencedSOPInstanceUID=sop_uid)


def an_object(
    sop_class_uid: str, sop_uid: str, modality: str, *, series_uid: str | None = None
) -> Dataset:
    """The patient, study, series and equipment modules of every object here."""
    return item(
        SpecificCharacterSet="ISO_IR 100",
        SOPClassUID=sop_class_uid,
        SOPInstanceUID=sop_uid,
        Modality=modality,
        Manufacturer="rtpacs tests",
        ManufacturerModelName="builders",
        SoftwareVersions=["1.0", "build 2"],
        PatientName="Phantom^Block",
        PatientID="P-1",
        PatientBirthDate="19500102",
        PatientSex="O",
        StudyInstanceUID=STUDY_UID,
        StudyDate="20260301",
        StudyTime="101500",
        StudyID="S1",
        AccessionNumber="A1",
        SeriesInstanceUID=series_uid or f"{sop_uid}.1",
        SeriesNumber=7,
        InstanceNumber=1,
        FrameOfReferenceUID=FRAME_UID,
    )


def set_pixels(dataset: Dataset, pixels: NDArray[np.integer]) -> None:
    """Give an object its pixel data and the attributes that describe it."""
    bits = pixels.dtype.itemsize * 8
    dataset.update(
        item(
            SamplesPerPixel=1,
            PhotometricInterpretation="MONOCHROME2",
            Rows=pixels.shape[-2],
            Columns=pixels.shape[-1],
            BitsAllocated=bits,
            BitsStored=bits,
            HighBit=bits - 1,
            PixelRepresentation=int(pixels.dtype.kind == "i"),
        )
    )
    if pixels.ndim == 3:
        dataset.NumberOfFrames = pixels.shape[0]
    dataset.add_new("PixelData", "OW", pixels.astype(pixels.dtype.newbyteorder("<")).tobytes())


def set_raw(dataset: Dataset, keyword: str, raw: bytes) -> None:
    """Give an attribute bytes that pydicom would refuse, under VR OB where VRs are written."""
    tag = tag_for_keyword(keyword)
    assert tag is not None
    dataset[Tag(tag)] = DataElement(Tag(tag), "OB", raw + b" " * (len(raw) % 2))


def to_bytes(dataset: Dataset, syntax: UID = ExplicitVRLittleEndian) -> bytes:
    """Encode a data set as a DICOM file; its pixels must already fit the transfer syntax."""
    file = Dataset(dataset)
    file.file_meta = FileMetaDataset()
    file.file_meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID", CT_CLASS)
    file.file_meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID", ROOT)
    file.file_meta.TransferSyntaxUID = syntax
    buffer = BytesIO()
    with warnings.catch_warnings():
        # A long DS becomes UN in explicit VR, as the Standard has it; pydicom says so each time.
        warnings.filterwarnings("ignore", message=".*exceeds the size of 64 kByte")
        dcmwrite(buffer, file, enforce_file_format=True, overwrite=True)
    return buffer.getvalue()


def with_element(data: bytes, keyword: str, raw: bytes | None) -> bytes:
    """The file in explicit VR little endian with another top-level element, or without it.

    Only for VRs of the short form; the file meta information stays as it was.
    """
    tag = Tag(tag_for_keyword(keyword))
    vr = dictionary_VR(keyword).encode()
    found = data.find(struct.pack("<HH2s", tag.group, tag.element, vr), 132)
    start = found if found >= 0 else data.index(b"\x08\0\x16\0UI", 132)
    length = struct.unpack_from("<H", data, start + 6)[0] + 8 if found >= 0 else 0
    if raw is None:
        return data[:start] + data[start + length :]
    raw += b" " * (len(raw) % 2)
    element = struct.pack("<HH2sH", tag.group, tag.element, vr, len(raw)) + raw
    return data[:start] + element + data[start + length :]
