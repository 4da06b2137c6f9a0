"""C-ECHO to real sockets on this machine: what each kind of node gives as reason."""

import socket
import threading
import time
from contextlib import contextmanager

import pytest
from pynetdicom import AE, evt
from pynetdicom.sop_class import CTImageStorage, Verification

from rtpacs.archive.associations import Address
from rtpacs.archive.echo import ask_node

OURS = "RTPACS"
SECONDS = 0.5


@contextmanager
def a_node(*, aet="NODE", sop_class=Verification, status=0x0000, strict=False):
    """A listening DICOM node; its port."""
    entity = AE(ae_title=aet)
    entity.add_supported_context(sop_class)
    entity.require_called_aet = strict
    server = entity.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_ECHO, lambda _: status)]
    )
    try:
        yield server.socket.getsockname()[1]
    finally:
        server.shutdown()


@contextmanager
def a_listener(*, closes):
    """A port that accepts connections and says nothing, or hangs up at once."""
    listener = socket.create_server(("127.0.0.1", 0))
    taken = []

    def accept():
        try:
            while True:
                taken.append(listener.accept()[0])
                if closes:
                    taken.pop().close()
        except OSError:
            return

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        # Closing alone does not wake a thread that accepts.
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
        for connection in taken:
            connection.close()


def ask(port, aet="NODE", host="127.0.0.1"):
    address = Address(host=host, port=port, called_aet=aet, calling_aet=OURS)
    return ask_node(address, seconds=SECONDS)


def test_a_node_that_answers_is_reachable():
    with a_node() as port:
        answer = ask(port)
    assert (answer.ok, answer.text) == (True, "answers C-ECHO")


def test_a_closed_port_says_that_nothing_listens():
    """The port was free a moment ago: the kernel refuses."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    answer = ask(port)
    assert (answer.ok, answer.text) == (
        False,
        f"no connection: nothing listens on port {port}",
    )


def test_a_hanging_node_is_given_up_after_the_limit():
    """It takes the TCP connection and never answers the association: the limit is 0.5 s."""
    started = time.monotonic()
    with a_listener(closes=False) as port:
        answer = ask(port)
        waited = time.monotonic() - started
    assert (answer.ok, answer.text) == (
        False,
        "connected, but no answer to the association within 0.5 s",
    )
    assert waited >= SECONDS


def test_a_port_that_hangs_up_is_no_dicom_node():
    with a_listener(closes=True) as port:
        answer = ask(port)
    assert not answer.ok
    assert "no DICOM node" in answer.text


def test_a_wrong_title_is_told_in_the_words_of_the_node():
    """The node checks the called AE title (PS3.8 9.3.4: called AE title not recognised)."""
    with a_node(aet="OTHER", strict=True) as port:
        answer = ask(port)
    assert not answer.ok
    assert answer.text.startswith("it rejects the association to NODE: called AE title")


def test_a_node_without_verification_says_so():
    with a_node(sop_class=CTImageStorage) as port:
        answer = ask(port)
    assert (answer.ok, answer.text) == (
        False,
        "it takes the association but offers no C-ECHO",
    )


def test_a_refusing_status_is_shown():
    """0x0122: SOP class not supported."""
    with a_node(status=0x0122) as port:
        answer = ask(port)
    assert (answer.ok, answer.text) == (False, "it answers the C-ECHO with status 0x0122")


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 64 + ".invalid"])
def test_an_unknown_name_is_told(host):
    """RFC 2606 keeps .invalid free; a label has 63 characters at most."""
    answer = ask(104, host=host)
    assert (answer.ok, answer.text) == (False, f"the name {host} is not known to this machine")
