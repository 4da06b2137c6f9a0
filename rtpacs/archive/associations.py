"""Associations that we open to other nodes, and in words why one cannot be opened."""

import logging
import socket
import ssl
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
# What is said of a node that ends the connection instead of answering.
RUDE = "connected, but it ends the connection: no DICOM node, or it does not know us"
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
    # TCP and TLS by themselves first: the library tells no reason, and leaves its socket open.
    with connected(address, seconds) as connection:
        place = str(connection.getpeername()[0])
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


def _close(association: Association) -> None:
    """The library leaves the socket of a refused association open."""
    transport = association.dul.socket
    if transport is not None and transport.socket is not None:
        transport.socket.close()


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


def connected(address: Address, seconds: float) -> socket.socket:
    """A connection to a node, with TLS where its address demands that.

    Raises
    ------
    PeerUnavailableError
        There is none; the text says why.
    """
    port = address.port
    try:
        connection = socket.create_connection((address.host, port), timeout=seconds)
        return _secured(connection, address.tls, address.host) if address.tls else connection
    except TimeoutError as exc:
        reason = f"no connection to port {port} within {seconds:g} s: machine off, or a firewall"
        raise PeerUnavailableError(reason) from exc
    except ConnectionRefusedError as exc:
        raise PeerUnavailableError(f"no connection: nothing listens on port {port}") from exc
    except ssl.SSLCertVerificationError as exc:
        reason = f"its TLS certificate is not one that we trust: {exc.verify_message}"
        raise PeerUnavailableError(reason) from exc
    except ssl.SSLError as exc:
        said = (exc.reason or "handshake failed").lower()
        raise PeerUnavailableError(f"no TLS on port {port}: {said}") from exc
    except (socket.gaierror, UnicodeError) as exc:
        text = f"the name {address.host} is not known to this machine"
        raise PeerUnavailableError(text) from exc
    except OSError as exc:
        said = (exc.strerror or "network error").lower()
        raise PeerUnavailableError(f"no connection to port {port}: {said}") from exc


def _secured(connection: socket.socket, tls: ssl.SSLContext, host: str) -> socket.socket:
    try:
        return tls.wrap_socket(connection, server_hostname=host)
    except BaseException:
        connection.close()
        raise


def rejected_text(called_aet: str, reason: str) -> str:
    """A node rejects an association."""
    return f"it rejects the association to {called_aet}: {reason[:1].lower()}{reason[1:]}"


def late_text(seconds: float) -> str:
    """A node leaves an association unanswered."""
    return f"connected, but no answer to the association within {seconds:g} s"


def _why_no_association(
    association: Association, called_aet: str, is_late: bool, seconds: float
) -> str:
    if association.is_rejected:
        reason = getattr(association.acceptor.primitive, "reason_str", "no reason given")
        return rejected_text(called_aet, reason)
    return late_text(seconds) if is_late else RUDE
