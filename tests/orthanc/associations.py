"""DICOM associations that DCMTK's tools cannot make: raw bytes, other addresses, mixed classes."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE

from tests.builders import to_bytes
from tests.live import LiveSystem, until

SUCCESS = 0x0000


@contextmanager
def association(
    system: LiveSystem,
    sop_classes: Sequence[str],
    *,
    aet: str = "TPS",
    syntax: UID = ExplicitVRLittleEndian,
    address: str = "127.0.0.1",
    seconds: float = 30,
) -> Iterator[Association]:
    """An accepted association from one of this machine's loopback addresses."""
    entity = AE(ae_title=aet)
    entity.acse_timeout = 30
    entity.dimse_timeout = entity.network_timeout = seconds
    for sop_class in dict.fromkeys(sop_classes):
        entity.add_requested_context(sop_class, syntax)
    opened = entity.associate(
        "127.0.0.1", system.dicom_port, ae_title="RTPACS", bind_address=(address, 0)
    )
    assert opened.is_established
    connection = opened.dul.socket.socket
    try:
        yield opened
    finally:
        if opened.is_established:
            opened.release()
        # When the peer went away, pynetdicom forgets to.
        connection.close()


def store(system: LiveSystem, objects: Sequence[Dataset], **changes) -> list[int | None]:
    """C-STORE each object; the statuses, None where no answer came."""
    syntax = changes.get("syntax", ExplicitVRLittleEndian)
    classes = [dataset.SOPClassUID for dataset in objects]
    with association(system, classes, **changes) as opened:
        return [_status(opened.send_c_store(_encoded(dataset, syntax))) for dataset in objects]


def store_bytes(system: LiveSystem, dataset: Dataset, data: bytes, **changes) -> int | None:
    """C-STORE a data set's bytes as they are; the status, None when the peer gave up."""
    with association(system, [dataset.SOPClassUID], **changes) as opened:
        request = C_STORE()
        request.MessageID = 1
        request.AffectedSOPClassUID = dataset.SOPClassUID
        request.AffectedSOPInstanceUID = dataset.SOPInstanceUID
        request.Priority = 2
        request.DataSet = BytesIO(data)
        # As send_c_store does: pynetdicom's own thread must not take the answer.
        opened._reactor_checkpoint.clear()
        until(lambda: opened._is_paused, what="the association's thread to pause")
        opened.dimse.send_msg(request, opened.accepted_contexts[0].context_id)
        _, answer = opened.dimse.get_msg(block=True)
        opened._reactor_checkpoint.set()
        if answer is None:
            opened.abort()
    return None if answer is None else answer.Status


def data_set_bytes(dataset: Dataset) -> bytes:
    """The encoded data set without preamble and file meta information."""
    data = to_bytes(dataset)
    return data[len(head_bytes(dataset)) :]


def head_bytes(dataset: Dataset, syntax: UID = ExplicitVRLittleEndian) -> bytes:
    """Preamble and file meta information of a file of that transfer syntax."""
    data = to_bytes(dataset, syntax)
    # The group length at offset 140 counts what follows it (PS3.10 7.1).
    return data[: 144 + int.from_bytes(data[140:144], "little")]


def _status(answer: Dataset) -> int | None:
    return answer.get("Status")


def _encoded(dataset: Dataset, syntax: UID) -> Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return dcmread(BytesIO(to_bytes(dataset, syntax)))
