"""From inbox and change feed to the index."""

from pathlib import Path

import pytest

from rtpacs.dicom.stamp import stamped
from rtpacs.errors import (
    ArchiveUnavailableError,
    DicomError,
    LimitExceededError,
    ReaderKilledError,
)
from rtpacs.rules.objects import Role
from rtpacs.rules.senders import Importer
from rtpacs.services.intake import ATTEMPTS, BATCH, Intake
from tests.builders import an_rt_set, to_bytes
from tests.unit.services.fakes import (
    MemoryArchive,
    MemoryFeed,
    MemoryHashes,
    MemoryInbox,
    MemoryIndex,
    an_admission,
    an_arrival,
)

from rtpacs.dicom import summarise  # isort: skip

PLAN = to_bytes(next(ds for ds in an_rt_set() if ds.Modality == "RTPLAN"))


class PlainReader:
    """Reads in this process; ``b"broken"``, ``b"huge"``, ``b"odd"`` stand for their names.

    So does ``b"deadly"``, which ends the child that reads.
    """

    version = 1

    def summarise(self, data):
        if isinstance(data, Path):
            data = data.read_bytes()
        if data == b"broken":
            raise DicomError("SOPInstanceUID is missing", attribute="SOPInstanceUID")
        if data == b"huge":
            raise LimitExceededError("needs more memory than 2048 MB")
        if data == b"deadly":
            raise ReaderKilledError("reading stopped abruptly (SIGKILL)")
        if data == b"odd":
            raise ZeroDivisionError("of Doe^Jane")
        return summarise(data)


class Desk:
    """An intake with everything around it in memory."""

    def __init__(self, archive, *arrivals, refuses=frozenset()):
        self.archive = archive
        self.hashes = MemoryHashes()
        self.arrivals = []
        self.inbox = MemoryInbox(*arrivals)
        self.index = MemoryIndex(self.inbox, refuses=refuses)
        self.feed = MemoryFeed(self.index, self.inbox)
        self.intake = Intake(
            inbox=self.inbox,
            feed=self.feed,
            index=self.index,
            archive=archive,
            reader=PlainReader(),
            admission=an_admission(self.hashes, archive),
            arrived=self.arrivals.extend,
        )


def test_an_arrival_becomes_an_indexed_object():
    """The inbox is empty afterwards; the content rules' findings are with the object."""
    desk = Desk(MemoryArchive(a=PLAN), an_arrival("a"))

    assert desk.intake.drain() == 1
    assert desk.index.receipts["a"].parsed.role is Role.PLAN
    assert desk.inbox.count() == 0


def test_what_hook_and_feed_both_note_arrived_once():
    """The second note finds the object indexed: it tells nobody of it."""
    desk = Desk(MemoryArchive(a=PLAN), an_arrival("a"))
    desk.intake.drain()
    desk.inbox.add([an_arrival("a")])
    desk.intake.drain()

    assert desk.index.repeats == ["a"]
    assert [receipt.item.arrival.orthanc_id for receipt in desk.arrivals] == ["a"]


def test_one_bad_object_never_stops_the_others():
    """The unreadable one is recorded with its reason, the others are indexed."""
    desk = Desk(MemoryArchive(a=PLAN, b=b"broken", c=PLAN), *map(an_arrival, "abc"))
    desk.intake.drain()

    assert desk.index.receipts["b"].parsed is None
    assert desk.index.receipts["b"].error.attribute == "SOPInstanceUID"
    assert {"a", "c"} < set(desk.index.receipts)


def test_an_object_that_the_database_refuses_waits_alone():
    """The batch is recorded one by one when it is refused as a whole."""
    desk = Desk(
        MemoryArchive(a=PLAN, b=PLAN, c=PLAN),
        *map(an_arrival, "abc"),
        refuses=frozenset({"b"}),
    )
    desk.intake.drain()

    assert set(desk.index.receipts) == {"a", "c"}
    assert set(desk.inbox.failed) == {"b"}


def test_an_object_that_kills_its_reader_does_not_stop_the_others():
    """It alone waits; the batch is not given back."""
    desk = Desk(MemoryArchive(a=b"deadly", b=PLAN), an_arrival("a"), an_arrival("b"))
    desk.intake.drain()

    assert set(desk.index.receipts) == {"b"}
    assert set(desk.inbox.failed) == {"a"}


@pytest.mark.parametrize("data", [b"huge", b"deadly"])
def test_an_object_over_the_limit_is_tried_again_then_listed(data):
    """It waits twice, and at the third attempt is a finding instead of an endless loop."""
    desk = Desk(MemoryArchive(a=data), an_arrival("a"))
    for _ in range(ATTEMPTS - 1):
        desk.intake.drain()
        assert "a" in desk.inbox.failed
        del desk.inbox.failed["a"]
        desk.inbox.add([an_arrival("a")])
    item = desk.inbox.waiting.pop()
    desk.inbox.waiting.append(type(item)(id=9, token=1, attempt=ATTEMPTS - 1, arrival=item.arrival))
    desk.intake.drain()

    assert desk.index.receipts["a"].error.code == "over-limit"


def test_while_orthanc_is_away_nothing_is_counted_against_an_arrival():
    """The batch goes back untouched and is indexed as soon as Orthanc answers."""
    archive = MemoryArchive(a=PLAN)
    desk = Desk(archive, an_arrival("a"))
    archive.away = True
    with pytest.raises(ArchiveUnavailableError):
        desk.intake.drain()
    archive.away = False

    assert [item.attempt for item in desk.inbox.waiting] == [0]
    desk.intake.drain()
    assert "a" in desk.index.receipts


def test_a_repeat_of_an_indexed_object_is_not_read_again():
    """Orthanc kept the first bytes: there is nothing new to read."""
    desk = Desk(MemoryArchive(a=PLAN), an_arrival("a"))
    desk.intake.drain()
    desk.archive.files["a"] = b"broken"
    desk.inbox.add([an_arrival("a", aet="OTHER")])
    desk.intake.drain()

    assert desk.index.repeats == ["a"]
    assert desk.index.receipts["a"].parsed is not None


def test_an_object_that_came_back_after_its_deletion_is_read_anew():
    """Deleted and sent again: what is in the archive now is read, not what was there before."""
    desk = Desk(MemoryArchive(a=PLAN, b=PLAN), an_arrival("a"), an_arrival("b"))
    desk.intake.drain()
    desk.archive.delete("a")
    desk.inbox.add([an_arrival("a", deleted=True), an_arrival("b", deleted=True)])
    desk.archive.files["b"] = b"broken"
    desk.intake.drain()
    assert not desk.index.receipts

    desk.intake.drain()
    assert set(desk.index.receipts) == {"b"}
    assert desk.index.receipts["b"].error.code == "unreadable"
    assert desk.inbox.count() == 0


def test_a_file_that_the_archive_lost_waits_alone():
    """Orthanc lists it and answers 500 to every read: the others are indexed all the same."""
    archive = MemoryArchive(a=PLAN, b=PLAN, c=PLAN)
    archive.lost = {"b"}
    desk = Desk(archive, *map(an_arrival, "abc"))
    desk.intake.drain()

    assert set(desk.index.receipts) == {"a", "c"}
    assert desk.inbox.failed == {"b": "Orthanc answers 500"}


def test_an_unforeseen_error_stops_one_object_only(caplog):
    """A fault of ours in reading or judging; its text may hold patient data, so only its kind."""
    desk = Desk(MemoryArchive(a=PLAN, b=b"odd", c=PLAN), *map(an_arrival, "abc"))
    desk.intake.drain()

    assert set(desk.index.receipts) == {"a", "c"}
    assert desk.inbox.failed == {"b": "unforeseen ZeroDivisionError, see the log"}
    assert "Traceback" in caplog.text


def test_arrivals_stay_ours_while_one_object_takes_long():
    """Reading ends only when the leases were renewed meanwhile."""

    class Slow(MemoryArchive):
        def read(self, orthanc_id):
            assert desk.inbox.renewed.wait(60)
            return super().read(orthanc_id)

    desk = Desk(Slow(a=PLAN), an_arrival("a"))
    desk.intake.renew_seconds = 0.01
    desk.intake.drain()

    assert "a" in desk.index.receipts


def test_an_object_that_left_before_it_was_read_is_dropped():
    """Nothing is indexed and nothing waits."""
    desk = Desk(MemoryArchive(), an_arrival("a"))
    desk.intake.drain()

    assert desk.inbox.count() == 0
    assert not desk.index.receipts


def test_the_feed_brings_back_what_a_crash_took_from_the_queue():
    """Two of three changes are known already; the third comes into the inbox."""
    desk = Desk(MemoryArchive(a=PLAN, b=PLAN, c=PLAN), an_arrival("a"))
    desk.intake.drain()
    desk.inbox.add([an_arrival("b")])

    assert desk.intake.follow_feed("here") == 1
    assert [item.arrival.orthanc_id for item in desk.inbox.waiting] == ["b", "c"]
    assert desk.intake.follow_feed("here") == 0


def test_a_change_of_an_object_that_is_gone_is_passed_over():
    """The cursor still moves."""
    desk = Desk(MemoryArchive(a=PLAN))
    desk.archive.delete("a")

    assert desk.intake.follow_feed("here") == 0
    assert desk.feed.position == 1


def test_a_long_feed_is_read_page_by_page():
    """2,500 changes need three pages and miss nothing."""
    desk = Desk(MemoryArchive(**{f"i{number}": PLAN for number in range(2500)}))

    assert desk.intake.follow_feed("here") == 2500
    assert desk.feed.position == 2500


def test_a_batch_is_bounded():
    """A flood is worked off in pieces that commit."""
    desk = Desk(
        MemoryArchive(**{f"i{number}": b"broken" for number in range(BATCH + 5)}),
        *(an_arrival(f"i{number}") for number in range(BATCH + 5)),
    )

    assert desk.intake.drain() == BATCH
    assert desk.intake.drain() == 5


NORTH = Importer(center="NORTH", uploader="ana@desk")


@pytest.mark.parametrize("already", [False, True])
def test_who_imported_an_object_stands_in_it(already):
    """Also where the hook's note was lost and the change feed brings it: the sender is exact."""
    data = stamped(PLAN, NORTH)
    desk = Desk(
        MemoryArchive(a=data), an_arrival("a", aet="", address="127.0.0.1", origin="RestApi")
    )
    recorded = []
    desk.index.record = recorded.extend
    if already:
        desk.index.receipts["a"] = "indexed"
    desk.intake.drain()
    arrival = recorded[0].item.arrival
    assert (arrival.aet, arrival.address) == ("NORTH", "import:ana@desk")


@pytest.mark.parametrize("address", ["", "127.0.0.1"])
def test_what_nobody_imported_is_of_one_nobody(address):
    """A sweep notes no address, Orthanc's own notes hold ours: both are the same sender."""
    desk = Desk(MemoryArchive(a=PLAN), an_arrival("a", aet="", address=address, origin="RestApi"))
    desk.intake.drain()
    arrival = desk.index.receipts["a"].item.arrival
    assert (arrival.aet, arrival.address) == ("", "")


def test_a_stamp_in_what_came_over_dicom_says_nothing():
    """Only uploads are asked who imported them: any sender could write such a stamp."""
    desk = Desk(MemoryArchive(a=stamped(PLAN, NORTH)), an_arrival("a"))
    desk.intake.drain()
    assert desk.index.receipts["a"].item.arrival == an_arrival("a")


def test_a_noted_owner_counts_more_than_the_stamp():
    """Rebuilt from Orthanc: the importer withdrew, and the second owner's note is what holds."""
    noted = an_arrival("a", aet="SOUTH", address="import:bo@desk", origin="RestApi")
    desk = Desk(MemoryArchive(a=stamped(PLAN, NORTH)), noted)
    desk.intake.drain()
    assert desk.index.receipts["a"].item.arrival == noted


def test_a_file_on_this_machine_is_read_where_it_lies(tmp_path):
    """Its size and its importer come from the file; one that left meanwhile is fetched."""
    path = tmp_path / "plan"
    path.write_bytes(stamped(PLAN, NORTH))
    uploaded = an_arrival("a", aet="", address="", origin="RestApi")
    desk = Desk(MemoryArchive(a=b"not read", b=PLAN), uploaded, an_arrival("b"))
    desk.archive.paths = {"a": path, "b": tmp_path / "gone"}
    desk.intake.drain()
    receipt = desk.index.receipts["a"]
    assert receipt.size_bytes == path.stat().st_size
    assert receipt.item.arrival.aet == "NORTH"
    assert desk.index.receipts["b"].parsed.role is Role.PLAN
