"""The setting that refuses unknown senders."""

import time

from plugins.senders import ACCEPTED, NOT_AUTHORIZED, KnownSenders
from rtpacs.errors import StoreUnavailableError


def test_nobody_passes_before_the_titles_are_known():
    """Deny by default."""
    assert KnownSenders(lambda: frozenset({"TPS"})).judge("TPS") == NOT_AUTHORIZED


def test_named_nodes_pass_and_others_do_not():
    """AE titles are compared in full, blanks around them apart (PS3.5 6.2)."""
    reads = []

    def read():
        reads.append(1)
        return frozenset({"TPS"})

    senders = KnownSenders(read)
    senders.start()
    deadline = time.monotonic() + 60
    while senders.judge("TPS") != ACCEPTED and time.monotonic() < deadline:
        time.sleep(0.01)

    assert senders.judge(" TPS ") == ACCEPTED
    assert senders.judge("tps") == NOT_AUTHORIZED
    assert senders.judge("") == NOT_AUTHORIZED
    senders.stop()


def test_an_unreachable_database_opens_nothing():
    """What was known stays; nothing was known here."""

    def read():
        raise StoreUnavailableError("no database")

    senders = KnownSenders(read)
    senders.start()
    senders.stop()

    assert senders.judge("TPS") == NOT_AUTHORIZED
