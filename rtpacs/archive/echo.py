"""C-ECHO to a DICOM node, and in words why it does not answer."""

from pynetdicom.association import Association
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]  # made at import

from rtpacs.archive.associations import Address, open_association
from rtpacs.errors import PeerUnavailableError
from rtpacs.services.reachability import NodeAnswer

SECONDS = 5.0
SUCCESS = 0x0000
IMPLICIT_VR_LITTLE = "1.2.840.10008.1.2"


def ask_node(address: Address, *, seconds: float = SECONDS) -> NodeAnswer:
    """Ask a node with C-ECHO; it never raises for what a node does.

    ``seconds`` limits each of: connecting, negotiating, the answer.
    """
    try:
        association = open_association(
            address,
            [(Verification, (IMPLICIT_VR_LITTLE,))],
            seconds=seconds,
            silence_seconds=seconds,
        )
    except PeerUnavailableError as exc:
        return NodeAnswer(ok=False, text=str(exc))
    if association is None:
        return NodeAnswer(ok=False, text="it takes the association but offers no C-ECHO")
    return _echo(association, seconds)


def _echo(association: Association, seconds: float) -> NodeAnswer:
    try:
        status = association.send_c_echo().get("Status")
    except (RuntimeError, ValueError):
        return NodeAnswer(ok=False, text="it ended the association before the C-ECHO")
    finally:
        association.release()
    if status is None:
        return NodeAnswer(ok=False, text=f"no answer to the C-ECHO within {seconds:g} s")
    if status != SUCCESS:
        return NodeAnswer(ok=False, text=f"it answers the C-ECHO with status 0x{status:04X}")
    return NodeAnswer(ok=True, text="answers C-ECHO")
