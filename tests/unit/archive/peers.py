"""DICOM nodes on loopback that take, refuse, hang up or hang."""

import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field

from pynetdicom import AE, evt
from pynetdicom.sop_class import CTImageStorage

from rtpacs.archive.sending import UNCOMPRESSED
from tests.builders import CT_CLASS, STRUCTURE_SET_CLASS

assert CTImageStorage == CT_CLASS


@dataclass
class Peer:
    """What a node was sent; ``answer`` gives the status of the n-th object."""

    answer: object = lambda number: 0x0000
    port: int = 0
    objects: list = field(default_factory=list)  # (SOP Instance UID, bytes of the data set)
    syntaxes: list = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    def store(self, event):
        """Handle one C-STORE."""
        request = event.request
        status = self.answer(len(self.objects) + 1)
        data = request.DataSet.getvalue()
        self.objects.append((str(request.AffectedSOPInstanceUID), data, status))
        self.syntaxes.append(str(event.context.transfer_syntax))
        return status

    @property
    def taken(self) -> list[str]:
        """UIDs of what was taken, in the order of arrival."""
        return [uid for uid, _, status in self.objects if status == 0 or status >= 0xB000]


@contextmanager
def a_peer(
    answer=lambda number: 0x0000,
    *,
    classes=(CT_CLASS, STRUCTURE_SET_CLASS),
    syntaxes=UNCOMPRESSED,
    handlers=(),
    tls=None,
    window=None,
):
    """A storage SCP of pynetdicom; ``window`` is how many bytes its kernel takes ahead."""
    peer = Peer(answer=answer)
    entity = AE(ae_title="PEER")
    entity.maximum_associations = 10
    for sop_class in classes:
        entity.add_supported_context(sop_class, list(syntaxes))
    server = entity.start_server(
        ("127.0.0.1", 0),
        block=False,
        evt_handlers=[(evt.EVT_C_STORE, peer.store), *handlers],
        ssl_context=tls,
    )
    if window:
        server.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
    peer.port = server.socket.getsockname()[1]
    try:
        yield peer
    finally:
        server.shutdown()
