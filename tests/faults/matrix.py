"""The fault matrix: what is provoked, and the figure that the product must reach.

A test takes a row by its mark, ``@pytest.mark.fault("A1")``, wherever it lies; what it measured it
gives to ``record_property("measured", text)``, and ``"partly"`` where it asked less than the row.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One row: what is provoked and what is asked."""

    what: str
    asked: str


MATRIX: Mapping[str, Fault] = {
    "A1": Fault("the same object again and again", "1 row, 1 file, 0 jobs over 1,000 repeats"),
    "A2": Fault(
        "same UID, other content", "all recorded as conflict in 5 s, both versions readable"
    ),
    "A3": Fault(
        "an object cut off at 50 random places, REST and C-STORE",
        "0 indexed, 0 crashes, the sender gets a failure",
    ),
    "A4": Fault("bytes under a wrong transfer syntax", "refused or readable, never a wrong number"),
    "A5": Fault("no study, series or object UID", "a clear text that names the attribute"),
    "A6": Fault("no PatientID", "quarantined per sender, 0 mixed patients"),
    "A7": Fault(
        "one PatientID of two hospitals", "two patients; deleting one leaves all of the other"
    ),
    "A8": Fault(
        "a structure set of 5 million points (100 MB)", "read in 10 s and 1.5 GB, pages in 500 ms"
    ),
    "A9": Fault("values over 64 kB, which come back as UN", "read alike from DS and UN"),
    "A10": Fault(
        "a dose of 10,000 frames (164 MB)", "memory of the child 3 times the grid, or refused"
    ),
    "A11": Fault("five objects in all 120 orders", "one final index and result"),
    "A12": Fault(
        "what an object refers to never arrives", "incomplete, named; no job repeats; ages out"
    ),
    "A13": Fault(
        "two plans, two structure sets, sum and beam doses", "joined exactly, ambiguity shown"
    ),
    "A14": Fault("a plan approved again under a new UID", "both kept, the newest marked"),
    "A15": Fault(
        "character sets: none, wrong, ISO 2022, GB18030", "no exception in 10,000 cases, equal"
    ),
    "A16": Fault("a private SOP class", "refused; the CT beside it is stored"),
    "A17": Fault("NaN, infinity, overflow, negative scaling", "flagged, never in a statistic"),
    "A18": Fault(
        "hostile ZIPs", "refused in 2 s, 100 MB of memory, no file outside the own folder"
    ),
    "A19": Fault("one hour of mutated DICOM", "0 hangs over 10 s, 0 unforeseen exceptions"),
    "A20": Fault("one sender at 1 byte/s beside 15 others", "the others lose less than 20 %"),
    "B1": Fault("kill -9 of Orthanc, 200 times under load", "0 lost, index equal in 60 s"),
    "B2": Fault(
        "kill -9 and errors at the n-th fdatasync, pwrite, unlink of Orthanc",
        "0 lost, orphans gone after one sweep",
    ),
    "B3": Fault("Orthanc's log cut at 50 random places", "all acknowledged objects back"),
    "B4": Fault(
        "disk full", "refused to the sender, 0 lost, alarm at 10 % free, goes on by itself"
    ),
    "B5": Fault("our database locked for 30 s", "0 lost, caught up in 60 s, pages say 503"),
    "B6": Fault("our database deleted or a page of it overwritten", "said, rebuilt, equal"),
    "B7": Fault("Orthanc's index deleted", "all files and centers back"),
    "B8": Fault("kill -9 of the worker at each commit", "0 lost, each result once"),
    "B9": Fault("a worker that sleeps past its lease", "0 stale writes in 1,000"),
    "B10": Fault("clock 2 h ahead, behind, during a lease", "job taken after 2 leases at most"),
    "B11": Fault("clock 400 days ahead", "retention deletes nothing"),
    "B12": Fault(
        "kill -9 of the web process while it assigns or takes an upload",
        "assigned wholly or not, no acknowledged object lost, no temporary file left",
    ),
    "B13": Fault("the plugin raises or its database hangs", "ingest goes on, errors are counted"),
    "B14": Fault("PostgreSQL restarts, connections cut", "0 lost, 0 doubles"),
    "B15": Fault("workers and schedulers at once", "0 overlaps in 10,000 jobs"),
    "B16": Fault("schema down and up with jobs pending", "last 3 versions, both databases"),
    "B17": Fault("backup under load, restored elsewhere", "all acknowledged before it, timed"),
}
