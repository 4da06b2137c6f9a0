"""The full comparison of archive and index."""

from dataclasses import replace

import pytest

from rtpacs.errors import ForeignArchiveError
from rtpacs.rules.objects import Finding, Role, Severity
from rtpacs.services.intake import Intake
from rtpacs.services.ports import InboxItem, Receipt
from rtpacs.services.reconcile import Belonging, Reconciler
from tests.builders import a_dose, to_bytes
from tests.unit.services.fakes import (
    NOON,
    FixedClock,
    MemoryArchive,
    MemoryFeed,
    MemoryHashes,
    MemoryInbox,
    MemoryIndex,
    MemoryOwnership,
    PlainReader,
    an_admission,
    an_arrival,
)

UNREADABLE = Finding(code="unreadable", severity=Severity.ERROR, text="cut short")

READER = 7


def a_receipt(orthanc_id, reader_version, *, error):
    """What the index holds of an object."""
    item = InboxItem(id=0, token=1, attempt=1, arrival=an_arrival(orthanc_id))
    return Receipt(item=item, parsed=None, error=error, size_bytes=1, reader_version=reader_version)


def a_reconciler(archive, indexed, *, owner="", reached=0):
    inbox = MemoryInbox()
    index = MemoryIndex(inbox)
    index.receipts = dict.fromkeys(indexed)
    feed = MemoryFeed(index, inbox)
    feed.position = reached
    reconciler = Reconciler(
        archive=archive,
        index=index,
        inbox=inbox,
        feed=feed,
        archive_name="here",
        belonging=Belonging(identify=lambda: "this one", ownership=MemoryOwnership(owner)),
        clock=FixedClock(),
        reader_version=READER,
        recall=lambda orthanc_ids: None,
        erase_again=lambda progress: 0,
        recover=lambda progress: 0,
        note_owners_again=lambda: None,
    )
    return reconciler, inbox


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


def test_what_orthancs_index_lost_is_brought_back_and_not_forgotten():
    """b and z are missing; b's file is there, so z alone is gone."""
    archive = MemoryArchive(a=b"")
    reconciler, inbox = a_reconciler(archive, "abz")

    def recover(progress):
        archive.files["b"] = b""
        return 1

    found = replace(reconciler, recover=recover).run(lambda done, total: None)

    assert found.vanished == ("z",)
    assert [item.arrival.orthanc_id for item in inbox.waiting] == ["z"]


def test_after_a_cut_of_the_archive_owners_are_noted_again():
    """We had read more changes than it has: what it noted last is gone too."""
    asked = []
    for reached in (5, 0):
        reconciler, _ = a_reconciler(MemoryArchive(a=b""), "a", reached=reached)
        again = replace(reconciler, note_owners_again=lambda reached=reached: asked.append(reached))
        again.run(lambda done, total: None)
    assert asked == [5]


def test_a_foreign_archive_is_not_swept():
    """Its files are not ours."""
    reconciler, _ = a_reconciler(MemoryArchive(), "", owner="another one")
    with pytest.raises(ForeignArchiveError):
        reconciler.sweep(lambda done, total: None)


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


def test_what_an_earlier_reader_could_not_read_is_read_once_more():
    """It leaves as if deleted; the archive still has it, so the intake reads it anew."""
    reconciler, inbox = a_reconciler(MemoryArchive(a=b"", b=b"", c=b""), "")
    reconciler.index.receipts = {
        "a": a_receipt("a", READER - 1, error=UNREADABLE),
        "b": a_receipt("b", READER, error=UNREADABLE),
        "c": a_receipt("c", READER - 1, error=None),
    }

    assert reconciler.reread() == 1
    assert [item.arrival.orthanc_id for item in inbox.waiting] == ["a"]
    assert inbox.waiting[0].arrival.deleted is True


def test_everything_unreadable_is_read_once_more_on_demand():
    """A limit was raised: the reader is the same."""
    reconciler, inbox = a_reconciler(MemoryArchive(b=b"", c=b""), "")
    reconciler.index.receipts = {
        "b": a_receipt("b", READER, error=UNREADABLE),
        "c": a_receipt("c", READER, error=None),
    }

    assert reconciler.reread(all_unreadable=True) == 1
    assert [item.arrival.orthanc_id for item in inbox.waiting] == ["b"]


def test_read_once_more_the_object_is_indexed_with_what_the_reader_says_now():
    """From the second look to the index: what was unreadable has its content."""
    archive = MemoryArchive(a=to_bytes(a_dose()))
    reconciler, inbox = a_reconciler(archive, "")
    index = reconciler.index
    index.receipts = {"a": a_receipt("a", READER - 1, error=UNREADABLE)}
    intake = Intake(
        inbox=inbox,
        feed=MemoryFeed(index, inbox),
        index=index,
        archive=archive,
        reader=PlainReader(),
        admission=an_admission(MemoryHashes(), archive),
        arrived=lambda receipts: None,
    )
    reconciler.reread()
    while intake.drain():
        pass

    assert index.receipts["a"].parsed.role is Role.DOSE
    assert index.receipts["a"].reader_version == PlainReader.version


def test_a_foreign_archive_changes_nothing():
    """Two machines with an Orthanc each on one database would empty each other's index."""
    reconciler, inbox = a_reconciler(MemoryArchive(a=b""), "b", owner="another")
    with pytest.raises(ForeignArchiveError, match="reconcile --adopt"):
        reconciler.run(lambda done, total: None)
    assert inbox.count() == 0

    reconciler.belonging.adopt()
    reconciler.run(lambda done, total: None)
    assert inbox.count() == 2


def test_an_archive_that_was_emptied_is_followed_from_its_own_last_change(caplog):
    """Its changes count from 1 again; a cursor of 500 would skip the next 499."""
    reconciler, inbox = a_reconciler(MemoryArchive(a=b""), "b", reached=500)
    reconciler.run(lambda done, total: None)

    assert reconciler.feed.cursor("here") == 1
    assert {item.arrival.orthanc_id for item in inbox.waiting} == {"a", "b"}
    assert "emptied or restored" in caplog.text
    reconciler.run(lambda done, total: None)
    assert caplog.text.count("emptied or restored") == 1
