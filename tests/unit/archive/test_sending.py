"""Sending to peers that misbehave, over real sockets: what each object's row says afterwards."""

import socket
import ssl
import subprocess
import threading
import time
from io import BytesIO

import pytest
from pydicom import dcmread
from pydicom.uid import ImplicitVRLittleEndian, RLELossless
from pynetdicom import evt

from rtpacs.archive.associations import Address
from rtpacs.archive.sending import StoreLines
from rtpacs.dicom.transcoding import transcode
from rtpacs.errors import LeaseLostError, PeerError, PeerUnavailableError
from rtpacs.rules.transfers import SendState
from rtpacs.services.contents import ContentName
from rtpacs.services.forwarding import REPLACED, UNDECIDED, Forwarding, Parcel, Recipient
from tests.builders import a_ct_series, a_ct_slice, a_structure_set, to_bytes
from tests.unit.archive.peers import a_peer
from tests.unit.services.transfer_fakes import CLAIM, MemoryLedger

SENT, REFUSED, FAILED = SendState.SENT, SendState.REFUSED, SendState.FAILED
WARNING, PENDING, SENDING = SendState.WARNING, SendState.PENDING, SendState.SENDING


class Files:
    """Contents by name."""

    def __init__(self, files) -> None:
        self._files = files
        self.paths = {}

    def read(self, name):
        return self._files[name]

    def locate(self, names):
        return {name: path for name, path in self.paths.items() if name in names}


class Sending:
    """One transfer of some data sets to a peer."""

    def __init__(self, datasets, port, *, tls=None, associations=1, silence=5.0) -> None:
        self.files = {
            f"o{number}": item if isinstance(item, bytes) else to_bytes(item)
            for number, item in enumerate(datasets)
        }
        parcels = [
            Parcel(
                id=number,
                object_key=number,
                content=ContentName(f"o{number}"),
                kind=_kind(file),
            )
            for number, file in enumerate(self.files.values())
        ]
        self.contents = Files(self.files)
        recipient = Recipient(aet="PEER", host="localhost", port=port, tls=tls is not None)
        self.ledger = MemoryLedger(recipient, parcels)
        self.allowed = None
        self.withheld = {}
        self.forwarding = Forwarding(
            ledger=self.ledger,
            lines=StoreLines(lambda to: _address(to, tls), transcode),
            contents=self.contents,
            withheld=lambda keys: {key: self.withheld[key] for key in keys & self.withheld.keys()},
            may_send=lambda _, keys: keys if self.allowed is None else keys & self.allowed,
            associations=associations,
            silence_seconds=silence,
        )

    def run(self, progress=lambda done, total: None):
        """One attempt of the job."""
        self.forwarding.run(CLAIM, progress)

    @property
    def texts(self) -> set[str]:
        """What the rows say."""
        return {verdict.text for verdict in self.ledger.rows.values()} - {""}


def _kind(file):
    meta = dcmread(BytesIO(file), stop_before_pixels=True).file_meta
    return str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID)


def _address(to, tls):
    return Address(host=to.host, port=to.port, called_aet=to.aet, calling_aet="RTPACS", tls=tls)


def test_objects_arrive_as_they_are_stored():
    """Byte for byte the data set of the file, over as many associations as are set."""
    slices = a_ct_series()
    with a_peer() as peer:
        sending = Sending(slices, peer.port, associations=2)
        sending.run()
    assert sending.ledger.states == [SENT] * 5
    by_uid = {uid: data for uid, data, _ in peer.objects}
    for item, file in zip(slices, sending.files.values(), strict=True):
        assert file.endswith(by_uid[item.SOPInstanceUID])


def test_files_on_this_machine_are_read_there(tmp_path):
    """Two lie here, one of them left since: that and the others come through the archive."""
    here, left = tmp_path / "here", tmp_path / "left"
    slices = a_ct_series()
    with a_peer() as peer:
        sending = Sending(slices, peer.port)
        here.write_bytes(sending.files["o0"])
        sending.contents.paths = {"o0": here, "o1": left}
        sending.files["o0"] = b"no file"
        sending.run()
    assert sending.ledger.states == [SENT] * 5
    assert {uid for uid, _, _ in peer.objects} == {item.SOPInstanceUID for item in slices}


def test_a_refused_object_is_tried_again_and_the_others_are_not():
    """C1: 0xA700 for the fifth; four are there once, the fifth comes with the next attempt."""
    with a_peer(lambda number: 0xA700 if number == 5 else 0x0000) as peer:
        sending = Sending(a_ct_series(), peer.port)
        with pytest.raises(PeerUnavailableError, match="refuses 1 of 5 for now"):
            sending.run()
        assert sending.ledger.states == [SENT] * 4 + [REFUSED]
        assert sending.texts == {"out of resources (0xA700)"}
        sending.run()
    assert sending.ledger.states == [SENT] * 5
    assert len(peer.objects) == 6
    assert len(set(peer.taken)) == len(peer.taken) == 5


def test_a_peer_without_room_is_left_alone():
    """A full disk refuses everything: after a handful the rest waits for the next attempt."""
    slices = [a_ct_slice(number) for number in range(60)]
    with a_peer(lambda number: 0xA701) as peer:
        sending = Sending(slices, peer.port)
        with pytest.raises(PeerUnavailableError, match="one object after another"):
            sending.run()
    assert len(peer.objects) < 60
    assert set(sending.ledger.states) <= {REFUSED, PENDING, SENDING}


@pytest.mark.parametrize("rude", ["abort", "close"])
def test_a_peer_that_hangs_up_gets_the_rest_later(rude):
    """C2: it ends in the middle; afterwards it has the whole set, each object once."""

    def hang_up(number):
        if number == 3 and not seen:
            seen.append(number)
            assoc = associations[-1]
            if rude == "abort":
                assoc.abort(block=False)
            else:
                assoc.dul.socket.socket.shutdown(socket.SHUT_RDWR)
        return 0x0000

    seen, associations = [], []
    established = (evt.EVT_ESTABLISHED, lambda event: associations.append(event.assoc))
    with a_peer(hang_up, handlers=[established]) as peer:
        sending = Sending(a_ct_series(), peer.port)
        with pytest.raises(PeerUnavailableError, match="PEER: it ended the association"):
            sending.run()
        assert sending.ledger.states.count(SENT) == 2
        sending.run()
    assert sending.ledger.states == [SENT] * 5
    assert len(set(peer.taken)) == 5
    # The answer to the third was lost: it went out twice, once too often, and harms nobody.
    assert list(sending.ledger.attempts.values()) == [1, 1, 2, 1, 1]


def test_a_hanging_peer_is_hung_up_on():
    """C3: no byte for 0.4 s ends the association; the objects wait."""
    release = threading.Event()
    with a_peer(lambda number: release.wait(20) and 0) as peer:
        sending = Sending(a_ct_series(), peer.port, silence=0.4)
        with pytest.raises(PeerUnavailableError, match=r"PEER: no answer for 0\.4 s"):
            sending.run()
        release.set()
    assert sending.ledger.states == [PENDING] * 5


def test_a_class_that_the_peer_does_not_take_is_named():
    """C4: the structure set is refused in words, every CT slice arrives."""
    with a_peer(classes=["1.2.840.10008.5.1.4.1.1.2"]) as peer:
        sending = Sending([a_structure_set(), *a_ct_series()], peer.port)
        with pytest.raises(PeerError, match="1 of 6 objects did not reach PEER"):
            sending.run()
    assert sending.ledger.states == [REFUSED, *[SENT] * 5]
    assert sending.texts == {"peer does not accept RT Structure Set"}


def test_a_peer_that_takes_none_of_it_says_so_for_each():
    """No presentation context is accepted: no error of the network, and nothing goes out."""
    with a_peer(classes=["1.2.840.10008.1.1"]) as peer:
        sending = Sending([a_structure_set(), *a_ct_series()], peer.port)
        with pytest.raises(PeerError, match="6 of 6"):
            sending.run()
    assert sending.texts == {
        "peer does not accept RT Structure Set",
        "peer does not accept CT Image",
    }


def test_a_warning_is_recorded_as_one():
    """C5: 0xB000, coercion of data elements; the object counts as arrived."""
    with a_peer(lambda number: 0xB000 if number == 2 else 0) as peer:
        sending = Sending(a_ct_series(), peer.port)
        sending.run()
    assert sending.ledger.states == [SENT, WARNING, SENT, SENT, SENT]
    assert sending.texts == {"it changed some values (0xB000)"}


def test_a_lasting_refusal_is_not_tried_again_by_itself():
    """0xA900 will not become better: the job ends, and a person may start it again."""
    with a_peer(lambda number: 0xA900 if number == 1 else 0) as peer:
        sending = Sending(a_ct_series(), peer.port)
        with pytest.raises(PeerError) as caught:
            sending.run()
    assert not caught.value.retryable
    assert sending.texts == {"the object does not match its SOP class (0xA900)"}


def test_cancelling_frees_a_sender_from_a_hanging_peer():
    """C7: the lease is lost while the peer is silent: the thread is back long before the peer
    answers, or its limit of silence is over."""
    release, cancelled = threading.Event(), threading.Event()

    def progress(done, total):
        if cancelled.is_set():
            raise LeaseLostError("cancelled")

    with a_peer(lambda number: release.wait(300) and 0) as peer:
        sending = Sending(a_ct_series(), peer.port, silence=300.0)
        timer = threading.Timer(0.3, cancelled.set)
        timer.start()
        with pytest.raises(LeaseLostError):
            sending.run(progress)
        release.set()


def test_a_slow_peer_is_waited_for():
    """C7: it takes longer than the limit of silence, but it moves: nothing is cut off."""
    big = a_ct_slice(0)
    big.PixelData = bytes(16 * 2**20)
    big.Rows, big.Columns = 4096, 2048

    def each_piece(event):
        time.sleep(0.004)  # what a slow line does to each of 1,000 pieces

    with a_peer(handlers=[(evt.EVT_DATA_RECV, each_piece)], window=4096) as peer:
        sending = Sending([big], peer.port, silence=2.0)
        started = time.monotonic()
        sending.run()
        assert time.monotonic() - started > 2.0
    assert sending.ledger.states == [SENT]


def _packed(dataset, syntax):
    """The file with compressed pixels."""
    packed = dcmread(BytesIO(to_bytes(dataset)))
    packed.compress(syntax, generate_instance_uid=False)
    file = BytesIO()
    packed.save_as(file)
    return file.getvalue()


def test_compressed_pixels_are_decoded_for_a_peer_that_wants_them_plain():
    """The same pixels, identifiers and all, as Explicit VR Little Endian."""
    plain = a_ct_slice(0)
    with a_peer() as peer:
        sending = Sending([_packed(plain, RLELossless)], peer.port)
        sending.run()
    assert sending.ledger.states == [SENT]
    assert peer.syntaxes == ["1.2.840.10008.1.2.1"]
    uid, data, _ = peer.objects[0]
    assert uid == plain.SOPInstanceUID
    assert plain.PixelData in data


def test_compressed_pixels_stay_so_where_the_peer_takes_them():
    """Nothing is decoded and encoded again."""
    packed = _packed(a_ct_slice(0), RLELossless)
    with a_peer(syntaxes=["1.2.840.10008.1.2", RLELossless]) as peer:
        Sending([packed], peer.port).run()
    assert packed.endswith(peer.objects[0][1])
    assert peer.syntaxes == [RLELossless]


def test_a_peer_of_implicit_vr_gets_implicit_vr():
    """The default transfer syntax is the only one that every node must take (PS3.5 10.1)."""
    with a_peer(syntaxes=[ImplicitVRLittleEndian]) as peer:
        sending = Sending([a_structure_set()], peer.port)
        sending.run()
    assert peer.syntaxes == [ImplicitVRLittleEndian]


def test_rights_are_asked_again_when_the_objects_go():
    """Two of five may no longer be sent: these rows say so, and nothing of them leaves."""
    with a_peer() as peer:
        sending = Sending(a_ct_series(), peer.port)
        sending.allowed = {0, 1, 2}
        with pytest.raises(PeerError, match="2 of 5"):
            sending.run()
    assert sending.ledger.states == [SENT] * 3 + [FAILED] * 2
    assert sending.texts == {"whoever asked for this may no longer send it"}
    assert len(peer.objects) == 3


def test_what_came_again_with_another_content_meanwhile_does_not_go():
    """Two of five, one of them as another object was chosen: their rows say why, three arrive."""
    with a_peer() as peer:
        sending = Sending(a_ct_series(), peer.port)
        sending.withheld = {3: REPLACED, 4: UNDECIDED}
        with pytest.raises(PeerError, match="2 of 5"):
            sending.run()
    assert sending.ledger.states == [SENT] * 3 + [FAILED] * 2
    assert sending.texts == {REPLACED, UNDECIDED}
    assert len(peer.objects) == 3


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A self-signed certificate for localhost: (certificate, key)."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "peer.pem", folder / "peer.key"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key


def _server(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


def test_tls_with_a_trusted_certificate(certificate):
    """The peer is who it says: objects go."""
    trusting = ssl.create_default_context(cafile=certificate[0])
    with a_peer(tls=_server(certificate)) as peer:
        sending = Sending(a_ct_series(), peer.port, tls=trusting)
        sending.run()
    assert sending.ledger.states == [SENT] * 5


def test_tls_never_falls_back(certificate):
    """C8: a certificate that nobody vouches for, and a peer without TLS: nothing goes out."""
    strict = ssl.create_default_context()
    with a_peer(tls=_server(certificate)) as peer:
        sending = Sending(a_ct_series(), peer.port, tls=strict)
        with pytest.raises(PeerUnavailableError, match="certificate is not one that we trust"):
            sending.run()
        assert peer.objects == []
    with a_peer() as plain:
        sending = Sending(a_ct_series(), plain.port, tls=strict)
        with pytest.raises(PeerUnavailableError):
            sending.run()
        assert plain.objects == []
