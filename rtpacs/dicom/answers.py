"""Answers to C-FIND: matches of the index as DICOM files, which is how Orthanc takes them."""

import warnings
from collections.abc import Mapping
from io import BytesIO

from pydicom import dcmwrite
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

from rtpacs.rules.queries import BY_TAG, Match, Value, covers

FIND_MODEL = "1.2.840.10008.5.1.4.1.2.1.1"
QUERY_LEVEL = 0x00080052
CHARACTER_SET = 0x00080005
ANSWERED_ELSEWHERE = (QUERY_LEVEL, CHARACTER_SET)


def find_answer(match: Match, level_word: str, keys: Mapping[int, str], ours: str) -> bytes:
    """One match with exactly the keys that were asked for; what the index lacks is empty.

    Parameters
    ----------
    level_word
        PATIENT, STUDY, SERIES or IMAGE.
    keys
        Tags of the query with their values.
    ours
        Our AE title, from which it can be retrieved.
    """
    answer = Dataset()
    answer.SpecificCharacterSet = "ISO_IR 192"
    answer.QueryRetrieveLevel = level_word
    answer.RetrieveAETitle = ours
    answer.InstanceAvailability = "ONLINE"
    for tag in keys:
        if tag not in ANSWERED_ELSEWHERE and tag not in answer:
            element = _element(tag, match)
            if element is not None:
                answer.add(element)
    # Orthanc reads a file, of which only the data set is answered.
    buffer = BytesIO()
    answer.file_meta = FileMetaDataset()
    answer.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    answer.file_meta.MediaStorageSOPClassUID = UID(FIND_MODEL)
    answer.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dcmwrite(buffer, answer, enforce_file_format=True)
    return buffer.getvalue()


def _element(tag: int, match: Match) -> DataElement | None:
    attribute = BY_TAG.get(f"{tag:08X}")
    if attribute is None or not covers(match.level, attribute):
        return _empty(tag)
    with warnings.catch_warnings():
        # What a center sent is answered as it is, even where it is not quite valid.
        warnings.simplefilter("ignore")
        value = _text(match.values.get(attribute.keyword), attribute.vr)
        return DataElement(tag, attribute.vr, value)


def _empty(tag: int) -> DataElement | None:
    try:
        vr = dictionary_VR(tag)
    except KeyError:
        return None
    return DataElement(tag, vr.partition(" or ")[0], [] if vr == "SQ" else None)


def _text(value: Value, vr: str) -> object:
    if value is None or value == "":
        return None
    if isinstance(value, tuple):
        return list(value)
    return str(value).replace("-", "") if vr == "DA" else str(value)
