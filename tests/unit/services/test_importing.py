"""What becomes of files that are imported, and how an import goes on."""

import hashlib
import json
import threading

import pytest

from rtpacs.archive.journals import Journals
from rtpacs.errors import (
    ArchiveError,
    ArchiveFaultError,
    ArchiveUnavailableError,
    DicomError,
    NotFoundError,
    StateError,
)
from rtpacs.rules.senders import Importer
from rtpacs.services.importing import Found, Importing, Source, Tally, preview
from rtpacs.services.storing import Outcome
from tests.unit.services.fakes import NOON

IMPORTER = Importer(center="NORTH", uploader="ana@desk")
PATHS = ["/old"]


class MemoryStore:
    """An archive that names objects by the text before ``=``; some texts are troubles."""

    def __init__(self, *, away=0):
        self.objects = {}
        self.away = away
        self.received = []
        self._turn = threading.Lock()

    def store(self, data):
        with self._turn:
            if self.away:
                self.away -= 1
                raise ArchiveUnavailableError("Orthanc does not answer")
            if data.startswith(b"foreign"):
                raise ArchiveError("Orthanc answers 400")
            if data.startswith(b"vanished"):
                raise NotFoundError("Orthanc has nothing there")
            if data.startswith(b"fault"):
                raise ArchiveFaultError("Orthanc answers 500")
            name = data.partition(b"=")[0].decode()
            self.received.append(name)
            had = name in self.objects
            self.objects.setdefault(name, data)
            return name, had

    def md5(self, name):
        return hashlib.md5(self.objects[name]).hexdigest()

    def read(self, name):
        return self.objects[name]


class PlainFiles:
    """No stamp; two files are the same when they differ in capitals only."""

    def stamped(self, data, importer):
        assert importer == IMPORTER
        if data == b"cut":
            raise DicomError("The file is cut off")
        return data

    def same(self, stored, sent):
        return stored.lower() == sent.lower()

    def flaw(self, data):
        return "SeriesInstanceUID is missing" if data == b"foreign bare" else ""


def a_file(name, data=None, **changes):
    """A file of 10 bytes that reads as its name, or as other data."""
    content = data if data is not None else f"{name}=1".encode()
    values = {"source": Source(name=name, size_bytes=10), "weight_bytes": 10}
    return Found(**{**values, "read": lambda: content, **changes})


@pytest.fixture
def journals(tmp_path):
    """Journals in a folder of their own."""
    return Journals(tmp_path, lambda: NOON)


def importing_into(open_archive):
    """An import of the operator, which asks for no center's versions."""
    files = PlainFiles()
    return Importing(
        open_archive=open_archive, files=files, read_version=bytes.fromhex, connections=3
    )


def run(journals, store, *files, patience=60.0):
    """One call: its tally, and outcome and reason of each file."""
    importing = importing_into(lambda: store)
    importing.storekeeper.patience_seconds = patience
    told = []
    with journals.open("NORTH", PATHS) as journal:
        tally = importing.run(files, IMPORTER, journal, Tally(total_bytes=1000), told.append)
        results = {item.source.name: item for item in journal.results()}
        journal.finish("2026-03-12T12:00:00+00:00")
    assert len(told) == tally.outcomes.total()
    return tally, results


def test_every_file_gets_one_outcome(journals):
    """New, known (also in other capitals), conflict, refused, unread, not DICOM."""
    store = MemoryStore()
    store.objects = {"known": b"known=1", "other": b"OTHER=1", "clash": b"clash=2"}

    def broken():
        raise OSError(5, "Input/output error")

    _, results = run(
        journals,
        store,
        *(
            a_file(name)
            for name in ("new", "known", "other", "clash", "foreign", "fault", "vanished")
        ),
        a_file("cut", b"cut"),
        a_file("bare", b"foreign bare"),
        a_file("bad", read=broken),
        a_file("text", read=None),
    )
    assert {name: item.outcome for name, item in results.items()} == {
        "new": Outcome.NEW,
        "known": Outcome.KNOWN,
        "other": Outcome.KNOWN,
        "clash": Outcome.CONFLICT,
        "foreign": Outcome.REFUSED,
        "fault": Outcome.UNREAD,
        "vanished": Outcome.UNREAD,
        "cut": Outcome.REFUSED,
        "bare": Outcome.REFUSED,
        "bad": Outcome.UNREAD,
        "text": Outcome.NOT_DICOM,
    }
    assert results["bad"].reason == "cannot be read: Input/output error"
    assert results["foreign"].reason == "Orthanc answers 400"
    assert results["bare"].reason == "SeriesInstanceUID is missing"  # our own words come first
    assert results["new"].orthanc_id == "new"


def test_a_second_call_sends_only_what_is_left(journals):
    """Done is done, unread is tried again, and a file that changed is another file."""
    store = MemoryStore()
    run(journals, store, a_file("a"), a_file("fault"), a_file("b"))
    store.received.clear()
    newer = Source(name="b", size_bytes=11)
    tally, results = run(
        journals, store, a_file("a"), a_file("fault", b"healed=1"), a_file("b", source=newer)
    )
    assert sorted(store.received) == ["b", "healed"]
    assert results["fault"].outcome is Outcome.NEW
    assert tally.objects == 2


def test_an_archive_that_starts_again_is_waited_for(journals, monkeypatch):
    """Two calls that fail and a third that answers: nothing is refused for it."""
    monkeypatch.setattr("rtpacs.services.storing.RETRY_SECONDS", 0.01)
    _, results = run(journals, MemoryStore(away=2), a_file("a"), a_file("b"))
    assert {item.outcome for item in results.values()} == {Outcome.NEW}


def test_an_archive_that_stays_away_ends_the_call_and_nothing_is_lost(journals, monkeypatch):
    """What was done is in the journal; the next call sends the rest."""
    monkeypatch.setattr("rtpacs.services.storing.RETRY_SECONDS", 0.01)
    store = MemoryStore()
    run(journals, store, a_file("a"))
    store.away = 10**9
    with pytest.raises(ArchiveUnavailableError):
        run(journals, store, a_file("a"), a_file("b"), patience=0.0)
    store.away = 0
    store.received.clear()
    _, results = run(journals, store, a_file("a"), a_file("b"))
    assert store.received == ["b"]
    assert len(results) == 2


def test_files_that_must_be_read_in_order_are_read_before_the_next(journals):
    """A member of a ZIP can be read only until the next one is asked for."""
    state = {"open": ""}

    def members():
        for name in "abcdef":
            state["open"] = name
            yield a_file(name, read=lambda name=name: in_turn(name), in_order=True)

    def in_turn(name):
        assert state["open"] == name
        return f"{name}=1".encode()

    importing = importing_into(MemoryStore)
    with journals.open("NORTH", PATHS) as journal:
        tally = importing.run(members(), IMPORTER, journal, Tally(total_bytes=60), lambda _: None)
    assert tally.outcomes == {Outcome.NEW: 6}


def test_large_files_go_one_after_the_other(journals):
    """Of 300 MB each, two are never in memory together."""
    other, overlaps = threading.Event(), []
    reading = []

    def read():
        overlaps.extend(reading)
        reading.append(1)
        other.wait(0.1)  # long enough for another one, were it allowed
        reading.pop()
        return b"large=1"

    files = [
        a_file(name, read=read, source=Source(name=name, size_bytes=300_000_000)) for name in "abcd"
    ]
    _, results = run(journals, MemoryStore(), *files)
    assert len(results) == 4
    assert overlaps == []


def test_a_preview_sends_nothing():
    """Each file says what would become of it."""
    tally = Tally(total_bytes=0)
    found = list(preview([a_file("a"), a_file("b", read=None)], tally))
    assert [item.outcome for item in found] == [Outcome.WOULD_IMPORT, Outcome.NOT_DICOM]


def test_remaining_time_follows_from_the_bytes_gone_through():
    """A quarter in 30 s leaves 90 s."""
    tally = Tally(total_bytes=400, passed_bytes=100, objects=60, seconds=30.0)
    assert tally.remaining_seconds == 90.0
    assert tally.per_second == 2.0
    assert Tally(total_bytes=400).remaining_seconds is None


def test_a_line_that_a_crash_cut_off_is_dropped(journals):
    """Its file is sent once more."""
    store = MemoryStore()
    run(journals, store, a_file("a"), a_file("b"))
    (path,) = journals.folder.glob("*.jsonl")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2]) + lines[2][:-9])
    store.received.clear()
    _, results = run(journals, store, a_file("a"), a_file("b"))
    assert len(store.received) == 1
    assert len(results) == 2
    assert all(json.loads(line) for line in path.read_bytes().splitlines())


def test_the_same_import_does_not_run_twice_at_a_time(journals):
    """Another center or other folders may."""
    with journals.open("NORTH", PATHS):
        with pytest.raises(StateError, match="is running"), journals.open("NORTH", PATHS):
            pass
        with journals.open("SOUTH", PATHS) as other:
            assert other.results() == []


def test_journals_are_listed_and_removed(journals):
    """The order of paths does not matter; an interrupted one says so."""
    run(journals, MemoryStore(), a_file("a"), a_file("text", read=None))
    with journals.open("SOUTH", ["/b", "/a"]) as first:
        pass
    with journals.open("SOUTH", ["/a", "/b", "/a"]) as second:
        assert second.id == first.id
    rows = {row.center: row for row in journals.rows()}
    assert rows["NORTH"].outcomes == {"new": 1, "not DICOM": 1}
    assert rows["NORTH"].finished_at
    assert not rows["SOUTH"].finished_at
    journals.forget(rows["NORTH"].id)
    assert [row.center for row in journals.rows()] == ["SOUTH"]
    for unknown in (rows["NORTH"].id, "../secret"):
        with pytest.raises(NotFoundError):
            journals.forget(unknown)


def test_names_in_any_encoding_are_kept(journals):
    """Old discs hold bytes that are no UTF-8."""
    name = b"/old/pati\xebnt".decode("utf-8", "surrogateescape")
    store = MemoryStore()
    run(journals, store, a_file(name, b"a=1"))
    run(journals, store, a_file(name, b"a=1"))
    assert store.received == ["a"]
