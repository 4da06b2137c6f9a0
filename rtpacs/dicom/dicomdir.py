"""A DICOMDIR for files that are written one after another (PS3.3 annex F, PS3.10)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO

from pydicom import Dataset, dcmread, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import ExplicitVRLittleEndian, MediaStorageDirectoryStorage, generate_uid

from rtpacs.dicom.attributes import Attributes, Notes
from rtpacs.dicom.transfer import open_file

ROOT = "1.2.840.10008.5.1.4.1.1."
TYPES = {
    ROOT + "481.2": "RT DOSE",
    ROOT + "481.3": "RT STRUCTURE SET",
    ROOT + "481.5": "RT PLAN",
    ROOT + "481.8": "RT PLAN",
    **{ROOT + end: "RT TREAT RECORD" for end in ("481.4", "481.6", "481.7", "481.9")},
    ROOT + "66.1": "REGISTRATION",
    ROOT + "66.3": "REGISTRATION",
}
# What each record must or may say; what must and is missing in an object gets the second value,
# as DCMTK's dcmmkdir invents it.
PATIENT = {"PatientName": "", "PatientID": "0"}
STUDY = {
    "StudyDate": "19000101",
    "StudyTime": "000000",
    "StudyDescription": "",
    "StudyInstanceUID": "",
    "StudyID": "0",
    "AccessionNumber": "",
}
SERIES = {"Modality": "OT", "SeriesInstanceUID": "", "SeriesNumber": "0"}
LEAVES: Mapping[str, Mapping[str, str]] = {
    "IMAGE": {"InstanceNumber": "0"},
    "RT DOSE": {"InstanceNumber": "0", "DoseSummationType": "PLAN"},
    "RT STRUCTURE SET": {
        "InstanceNumber": "0",
        "StructureSetLabel": "UNNAMED",
        "StructureSetDate": "",
        "StructureSetTime": "",
    },
    "RT PLAN": {
        "InstanceNumber": "0",
        "RTPlanLabel": "UNNAMED",
        "RTPlanDate": "",
        "RTPlanTime": "",
    },
    "RT TREAT RECORD": {"InstanceNumber": "0", "TreatmentDate": "", "TreatmentTime": ""},
    "REGISTRATION": {
        "ContentDate": "19000101",
        "ContentTime": "000000",
        "InstanceNumber": "0",
        "ContentLabel": "UNNAMED",
        "ContentDescription": "",
        "ContentCreatorName": "",
    },
}
NAMES = ("PatientName", "ContentCreatorName")
UTF_8 = "ISO_IR 192"
NO_NEXT = 0
IN_USE = 0xFFFF


@dataclass
class _Node:
    """A record with those below it, by their identifiers."""

    record: Dataset
    below: "dict[str, _Node]" = field(default_factory=dict)


class DicomDirectory:
    """Takes note of files and gives the DICOMDIR that lists them."""

    def __init__(self) -> None:
        self._patients: dict[str, _Node] = {}

    def add(self, data: bytes, file_id: tuple[str, ...]) -> None:
        """Note a file by what it says of itself.

        Raises
        ------
        DicomError
            The file cannot be read.
        """
        opened = open_file(data)
        attributes = Attributes(opened.root, Notes())
        sop_class = attributes.uid("SOPClassUID") or ""
        patient = _below(
            self._patients, attributes.text("PatientID") or "", "PATIENT", PATIENT, attributes
        )
        study = _below(
            patient.below, attributes.uid("StudyInstanceUID") or "", "STUDY", STUDY, attributes
        )
        series = _below(
            study.below, attributes.uid("SeriesInstanceUID") or "", "SERIES", SERIES, attributes
        )
        kind = TYPES.get(sop_class, "IMAGE")
        leaf = _record(kind, LEAVES[kind], attributes)
        leaf.ReferencedFileID = list(file_id)
        leaf.ReferencedSOPClassUIDInFile = sop_class
        leaf.ReferencedSOPInstanceUIDInFile = attributes.uid("SOPInstanceUID") or ""
        leaf.ReferencedTransferSyntaxUIDInFile = (
            opened.transfer_syntax_uid or ExplicitVRLittleEndian
        )
        series.below["/".join(file_id)] = _Node(leaf)

    def to_bytes(self) -> bytes:
        """The DICOMDIR; offsets are those of a first writing, whose lengths do not change."""
        directory = Dataset()
        directory.file_meta = FileMetaDataset()
        directory.file_meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
        directory.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        directory.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        directory.FileSetID = "RTPACS"
        directory.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity = 0
        directory.OffsetOfTheLastDirectoryRecordOfTheRootDirectoryEntity = 0
        directory.FileSetConsistencyFlag = 0
        nodes = list(_walk(self._patients))
        directory.DirectoryRecordSequence = Items([node.record for node in nodes])
        read = dcmread(BytesIO(_written(directory)))
        offsets = {
            id(node): item.seq_item_tell
            for node, item in zip(nodes, read.DirectoryRecordSequence, strict=True)
        }
        _link(self._patients, offsets)
        top = [offsets[id(node)] for node in self._patients.values()] or [0]
        directory.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity = top[0]
        directory.OffsetOfTheLastDirectoryRecordOfTheRootDirectoryEntity = top[-1]
        return _written(directory)


def _below(
    level: dict[str, _Node],
    key: str,
    kind: str,
    wanted: Mapping[str, str],
    attributes: Attributes,
) -> _Node:
    if key not in level:
        level[key] = _Node(_record(kind, wanted, attributes))
    return level[key]


def _record(kind: str, wanted: Mapping[str, str], attributes: Attributes) -> Dataset:
    record = Dataset()
    record.OffsetOfTheNextDirectoryRecord = NO_NEXT
    record.RecordInUseFlag = IN_USE
    record.OffsetOfReferencedLowerLevelDirectoryEntity = NO_NEXT
    record.DirectoryRecordType = kind
    texts = {
        keyword: (attributes.name(keyword) if keyword in NAMES else attributes.text(keyword))
        or instead
        for keyword, instead in wanted.items()
    }
    if not all(text.isascii() for text in texts.values()):
        record.SpecificCharacterSet = UTF_8
    for keyword, text in texts.items():
        setattr(record, keyword, text)
    return record


def _walk(level: Mapping[str, _Node]) -> "list[_Node]":
    found = []
    for node in level.values():
        found += [node, *_walk(node.below)]
    return found


def _link(level: Mapping[str, _Node], offsets: Mapping[int, int]) -> None:
    nodes = list(level.values())
    following = [*(offsets[id(node)] for node in nodes[1:]), NO_NEXT]
    for node, after in zip(nodes, following, strict=True):
        node.record.OffsetOfTheNextDirectoryRecord = after
        if node.below:
            first = next(iter(node.below.values()))
            node.record.OffsetOfReferencedLowerLevelDirectoryEntity = offsets[id(first)]
            _link(node.below, offsets)


def _written(directory: Dataset) -> bytes:
    file = BytesIO()
    dcmwrite(file, directory, enforce_file_format=True, overwrite=True)
    return file.getvalue()
