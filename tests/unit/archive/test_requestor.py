"""Storing over an association that we opened, at nodes that answer well and badly."""

import socket
import struct
import subprocess
import threading
import time
from contextlib import contextmanager

import pytest
from pydicom import dcmread
from pynetdicom import AE, evt

from rtpacs.archive.associations import Address
from rtpacs.archive.sending import StoreLine, as_it_is
from rtpacs.errors import PeerUnavailableError
from rtpacs.rules.transfers import SendState
from tests.builders import CT_CLASS, a_ct_slice, to_bytes
from tests.live import dcmtk, free_ports, until

KIND = (CT_CLASS, "1.2.840.10008.1.2.1")
ABORT = struct.pack(">BxIxxxx", 7, 4)


def _store(port, *objects):
    address = Address(host="localhost", port=port, called_aet="PEER", calling_aet="RTPACS")
    line = StoreLine(address, [KIND], as_it_is)
    try:
        return [line.send(KIND, item) for item in objects]
    finally:
        line.close()


@contextmanager
def a_raw_node(answer):
    """Takes one connection and does with it what it is told."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        connection, _ = server.accept()
        with connection:
            answer(connection)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield server.getsockname()[1]
    server.close()
    thread.join(5)


@contextmanager
def a_node(store, *handlers, longest=16382, **settings):
    """pynetdicom's storage SCP that takes PDUs of this length at the most; 0: of any."""
    entity = AE(ae_title="PEER")
    entity.maximum_pdu_size = longest
    for name, value in settings.items():
        setattr(entity, name, value)
    entity.add_supported_context(CT_CLASS, [KIND[1]])
    server = entity.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, store), *handlers]
    )
    try:
        yield server.socket.getsockname()[1]
    finally:
        server.shutdown()


@pytest.mark.parametrize("longest", [0, 256, 16382, 1_000_000])
def test_an_object_is_cut_as_the_node_wants_it(longest):
    """Its limit of PDUs is kept, also where it sets none; the data set arrives byte for byte."""
    item = a_ct_slice(0)
    arrived, lengths = [], []

    def store(event):
        arrived.append(event.request.DataSet.getvalue())
        return 0x0000

    def note(event):
        lengths.append(len(event.data) - 6)  # without type and length (PS3.8 9.3.1)

    file = to_bytes(item)
    with a_node(store, (evt.EVT_DATA_RECV, note), longest=longest) as port:
        answer = _store(port, file)[0]
    assert answer.status == 0
    assert max(lengths[1:]) <= (longest or 131_072)
    assert file.endswith(arrived[0])
    assert len(arrived[0]) > len(item.PixelData)


def test_dcmtk_takes_what_we_send(tmp_path):
    """A strict reader of commands: files of its folder hold what was sent."""
    (port,) = free_ports(1)
    command = [dcmtk("storescp"), "-od", str(tmp_path), "-aet", "PEER", str(port)]
    node = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: _listens(port), 10, "storescp")
        slices = [a_ct_slice(number) for number in range(3)]
        answers = _store(port, *map(to_bytes, slices))
    finally:
        node.terminate()
        node.wait(10)
    assert [answer.status for answer in answers] == [0, 0, 0]
    found = {item.SOPInstanceUID: item for item in map(dcmread, tmp_path.iterdir())}
    assert {item.SOPInstanceUID: item.PixelData for item in slices} == {
        uid: item.PixelData for uid, item in found.items()
    }


def _listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_rejected_association_is_said_in_words():
    """PS3.8 table 9-21: the node's reason."""
    with (
        a_node(lambda event: 0, require_called_aet=True, ae_title="ANOTHER") as port,
        pytest.raises(PeerUnavailableError, match="rejects the association to PEER: called AE"),
    ):
        _store(port)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda to: None, "it ends the connection"),
        (lambda to: to.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "it ends the connection"),
        (lambda to: to.sendall(struct.pack(">BxI", 2, 2**31)), "it ends the connection"),
        (lambda to: to.sendall(struct.pack(">BxI", 2, 10) + bytes(10)), "it ends the connection"),
        (lambda to: to.sendall(ABORT), "it ends the connection"),
    ],
)
def test_what_is_no_dicom_node_is_said_so(answer, words):
    """Closed, another protocol, nonsense, an abort."""

    def rude(connection):
        connection.recv(100_000)
        answer(connection)

    with a_raw_node(rude) as port, pytest.raises(PeerUnavailableError, match=words):
        _store(port)


def test_a_node_that_answers_byte_by_byte_does_not_hold_us(monkeypatch):
    """The limit is that of the whole negotiation, not of each byte."""
    monkeypatch.setattr("rtpacs.archive.sending.NEGOTIATION_SECONDS", 0.6)
    ended = threading.Event()

    def slow(connection):
        connection.recv(100_000)
        for byte in struct.pack(">BxI", 2, 400) + bytes(400):
            if ended.wait(0.05):
                return
            connection.sendall(bytes([byte]))

    started = time.monotonic()
    with a_raw_node(slow) as port:
        with pytest.raises(PeerUnavailableError, match="no answer to the association within"):
            _store(port)
        ended.set()
    # All its bytes take 20 s.
    assert time.monotonic() - started < 15


def test_an_abort_instead_of_an_answer_ends_the_association():
    """The object may have arrived: who sends is told that the association ended."""

    def store(event):
        event.assoc.abort(block=False)
        return 0x0000

    with a_node(store) as port, pytest.raises(PeerUnavailableError, match="ended the association"):
        _store(port, to_bytes(a_ct_slice(0)))


def test_a_file_of_another_kind_than_its_row_does_not_go_out():
    """Under the transfer syntax that the row says the node would read nonsense."""
    arrived = []
    file = to_bytes(a_ct_slice(0)).replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.2\0", 1)
    with a_node(lambda event: arrived.append(event) or 0) as port:
        answer = _store(port, file)[0]
    assert answer.verdict.state is SendState.FAILED
    assert arrived == []
