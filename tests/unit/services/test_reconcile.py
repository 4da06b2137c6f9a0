"""The full comparison of archive and index."""

from rtpacs.services.reconcile import Reconciler
from tests.unit.services.fakes import (
    NOON,
    FixedClock,
    MemoryArchive,
    MemoryInbox,
    MemoryIndex,
)


def a_reconciler(archive, indexed):
    inbox = MemoryInbox()
    index = MemoryIndex(inbox)
    index.receipts = dict.fromkeys(indexed)
    return Reconciler(archive=archive, index=index, inbox=inbox, clock=FixedClock()), inbox


def test_both_directions_go_into_the_inbox():
    """b and d stand on one side only."""
    reconciler, inbox = a_reconciler(MemoryArchive(a=b"", b=b"", c=b""), "acd")
    steps = []
    found = reconciler.run(lambda done, total: steps.append((done, total)))

    assert (found.archive, found.index) == (3, 3)
    assert found.unindexed == ("b",)
    assert found.vanished == ("d",)
    waiting = {item.arrival.orthanc_id: item.arrival for item in inbox.waiting}
    assert waiting["b"].deleted is False
    assert waiting["d"].deleted is True
    assert waiting["d"].received_at == NOON
    assert steps[0] == (0, 2)
    assert steps[-1] == (2, 2)


def test_equal_sides_ask_for_nothing():
    """Nothing to repair leaves the inbox empty."""
    reconciler, inbox = a_reconciler(MemoryArchive(a=b""), "a")
    reconciler.run(lambda done, total: None)

    assert inbox.count() == 0


def test_what_leaves_during_the_comparison_is_passed_over():
    """Listed by the archive, gone when its metadata are asked for."""

    class Fading(MemoryArchive):
        def orthanc_ids(self):
            listed = list(self.files)
            self.files.clear()
            return iter(listed)

    reconciler, inbox = a_reconciler(Fading(a=b""), "")
    reconciler.run(lambda done, total: None)

    assert inbox.count() == 0


def test_what_a_page_left_out_is_not_taken_for_vanished():
    """Deleting b while pages are read moves c onto the page before: it is listed nowhere."""

    class Shifting(MemoryArchive):
        def orthanc_ids(self):
            return iter(["a"])

    reconciler, inbox = a_reconciler(Shifting(a=b"", c=b""), "abc")
    reconciler.run(lambda done, total: None)

    assert [item.arrival.orthanc_id for item in inbox.waiting] == ["b"]
