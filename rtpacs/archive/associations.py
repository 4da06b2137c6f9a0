"""Associations that we open to other nodes, and in words why one cannot be opened."""

import fcntl
import logging
import socket
import ssl
import sys
import termios
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.presentation import build_context

from rtpacs.errors import PeerUnavailableError

# It logs at error level what peers do, which we say in words of our own.
logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)

SECONDS = 10.0
# The library's thread ends by itself when its connection does.
END_SECONDS = 1.0
Context = tuple[str, tuple[str, ...]]
"""An abstract syntax and the transfer syntaxes that are proposed for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a node is and how both call each other; ``tls`` demands TLS and never less."""

    host: str
    port: int
    called_aet: str
    calling_aet: str
    tls: ssl.SSLContext | None = None


def open_association(
    address: Address,
    contexts: Sequence[Context],
    *,
    seconds: float = SECONDS,
    silence_seconds: float | None = SECONDS,
    handlers: Sequence[evt.EventHandlerType] = (),
) -> Association | None:
    """Open an association; None when the node takes none of the contexts.

    Parameters
    ----------
    seconds
        Limit of connecting, and again of negotiating.
    silence_seconds
        How long an answer to a message may take; None leaves that to the caller.

    Raises
    ------
    PeerUnavailableError
        There is no association; the text says why.
    """
    place = _resolved(address)
    # TCP and TLS by themselves first: the library tells no reason, and leaves its socket open.
    if reason := _why_no_connection(place, address, seconds):
        raise PeerUnavailableError(reason)
    started = time.monotonic()
    association = _entity(address.calling_aet, seconds, silence_seconds).associate(
        place,
        address.port,
        contexts=[build_context(abstract, list(transfer)) for abstract, transfer in contexts],
        ae_title=address.called_aet,
        tls_args=(address.tls, address.host) if address.tls else None,
        evt_handlers=[(evt.EVT_CONN_OPEN, _without_delay), *handlers],
    )
    if association.is_established:
        return association
    is_late = time.monotonic() - started >= seconds
    _close(association)
    if association.rejected_contexts and not association.is_rejected:
        return None
    reason = _why_no_association(association, address.called_aet, is_late, seconds)
    raise PeerUnavailableError(reason)


def hang_up(association: Association) -> None:
    """End the connection at once, whatever the node does; who waits for it is woken."""
    transport = association.dul.socket
    connection = transport.socket if transport is not None else None
    if connection is not None:
        # Ended by the other side already, maybe.
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        association.dul.join(END_SECONDS)
        connection.close()


def bytes_on_the_way(association: Association) -> int:
    """How many bytes the node's machine has not acknowledged yet."""
    transport = association.dul.socket
    connection = transport.socket if transport is not None else None
    try:
        raw = fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(4)) if connection else bytes(4)
    except (OSError, ValueError):
        # The connection ended a moment ago.
        return 0
    return int.from_bytes(raw, sys.byteorder)


def _close(association: Association) -> None:
    """The library leaves the socket of a refused association open."""
    transport = association.dul.socket
    if transport is not None and transport.socket is not None:
        transport.socket.close()


def _resolved(address: Address) -> str:
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as exc:
        text = f"the name {address.host} is not known to this machine"
        raise PeerUnavailableError(text) from exc
    return str(found[0][4][0])


def _entity(calling_aet: str, seconds: float, silence_seconds: float | None) -> AE:
    entity = AE(ae_title=calling_aet)
    entity.connection_timeout = entity.acse_timeout = seconds
    entity.dimse_timeout = entity.network_timeout = silence_seconds
    return entity


def _without_delay(event: evt.Event) -> None:
    """Set TCP_NODELAY: without it every object waits for delayed ACKs."""
    transport = event.assoc.dul.socket
    connection = transport.socket if transport else None
    if connection is not None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _why_no_connection(place: str, address: Address, seconds: float) -> str:
    port = address.port
    try:
        with socket.create_connection((place, port), timeout=seconds) as connection:
            if address.tls is not None:
                address.tls.wrap_socket(connection, server_hostname=address.host).close()
    except TimeoutError:
        return f"no connection to port {port} within {seconds:g} s: machine off, or a firewall"
    except ConnectionRefusedError:
        return f"no connection: nothing listens on port {port}"
    except ssl.SSLCertVerificationError as exc:
        return f"its TLS certificate is not one that we trust: {exc.verify_message}"
    except ssl.SSLError as exc:
        return f"no TLS on port {port}: {(exc.reason or 'handshake failed').lower()}"
    except OSError as exc:
        return f"no connection to port {port}: {(exc.strerror or 'network error').lower()}"
    return ""


def _why_no_association(
    association: Association, called_aet: str, is_late: bool, seconds: float
) -> str:
    if association.is_rejected:
        reason = getattr(association.acceptor.primitive, "reason_str", "no reason given")
        return f"it rejects the association to {called_aet}: {reason[:1].lower()}{reason[1:]}"
    if is_late:
        return f"connected, but no answer to the association within {seconds:g} s"
    return "connected, but it ends the connection: no DICOM node, or it does not know us"
