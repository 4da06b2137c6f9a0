"""C-ECHO to a DICOM node, and in words why it does not answer."""

import socket
import time

from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]  # made at import

from rtpacs.services.reachability import NodeAnswer

SECONDS = 5.0
SUCCESS = 0x0000


def ask_node(
    host: str, port: int, *, called_aet: str, calling_aet: str, seconds: float = SECONDS
) -> NodeAnswer:
    """Ask a node with C-ECHO; it never raises for what a node does.

    ``seconds`` limits each of: connecting, negotiating, the answer.
    """
    try:
        address = str(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4][0])
    except (OSError, UnicodeError):
        return NodeAnswer(ok=False, text=f"the name {host} is not known to this machine")
    # TCP by itself first: the DICOM library tells no reason why it could not connect.
    if reason := _why_no_connection(address, port, seconds):
        return NodeAnswer(ok=False, text=reason)
    started = time.monotonic()
    association = _entity(calling_aet, seconds).associate(address, port, ae_title=called_aet)
    if association.is_established:
        return _echo(association, seconds)
    is_late = time.monotonic() - started >= seconds
    _close(association)
    return NodeAnswer(ok=False, text=_why_no_association(association, called_aet, is_late, seconds))


def _entity(calling_aet: str, seconds: float) -> AE:
    entity = AE(ae_title=calling_aet)
    entity.connection_timeout = entity.acse_timeout = seconds
    entity.dimse_timeout = entity.network_timeout = seconds
    entity.add_requested_context(Verification)
    return entity


def _close(association: Association) -> None:
    """The library leaves the socket of a refused association open."""
    transport = association.dul.socket
    if transport is not None and transport.socket is not None:
        transport.socket.close()


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


def _why_no_connection(address: str, port: int, seconds: float) -> str:
    try:
        socket.create_connection((address, port), timeout=seconds).close()
    except TimeoutError:
        return f"no connection to port {port} within {seconds:g} s: machine off, or a firewall"
    except ConnectionRefusedError:
        return f"no connection: nothing listens on port {port}"
    except OSError as exc:
        return f"no connection to port {port}: {(exc.strerror or 'network error').lower()}"
    return ""


def _why_no_association(
    association: Association, called_aet: str, is_late: bool, seconds: float
) -> str:
    if association.is_rejected:
        reason = getattr(association.acceptor.primitive, "reason_str", "no reason given")
        return f"it rejects the association to {called_aet}: {reason[:1].lower()}{reason[1:]}"
    if association.rejected_contexts:
        return "it takes the association but offers no C-ECHO"
    if is_late:
        return f"connected, but no answer to the association within {seconds:g} s"
    return "connected, but it ends the connection: no DICOM node, or it does not know us"
