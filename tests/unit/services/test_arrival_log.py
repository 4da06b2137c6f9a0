"""What the worker writes into the access log of what came."""

from dataclasses import replace
from datetime import timedelta

from rtpacs.rules.access_log import AccessEvent, EventType, Subject, SubjectKind
from rtpacs.rules.objects import OrthancId
from rtpacs.rules.senders import Importer
from rtpacs.services.access_log import Recorder
from rtpacs.services.arrival_log import ArrivalLog
from rtpacs.services.ports import Receipt
from rtpacs.services.repeats import RepeatedArrival
from rtpacs.store.version_rows import direct_item
from tests.unit.rules.builders import a_series
from tests.unit.services.fakes import NOON, an_arrival


class Rows:
    """What would be written."""

    def __init__(self) -> None:
        self.events = {}
        self.recorder = Recorder(self)
        self.arrivals = ArrivalLog(
            log=self.recorder,
            clock=lambda: NOON,
            center_of=lambda aet, addresses: aet if aet == "NORTH" else f"center of {aet}",
        )

    def append(self, events):
        self.events |= events

    def written(self):
        self.recorder.flush()
        return self.events


def a_receipt(key, parsed, **changes):
    arrival = replace(an_arrival(key), aet="TPS", address="192.0.2.7", received_at=NOON, **changes)
    return Receipt(item=direct_item(arrival), parsed=parsed, error=None, size_bytes=1)


def an_event(key, *, center="center of TPS", **changes):
    event = AccessEvent(
        type=EventType.INSTANCES_TRANSFERRED,
        who="Node TPS",
        address="192.0.2.7",
        what="C-STORE from a node",
        subject=Subject(kind=SubjectKind.INSTANCE, id=key, centers=frozenset({center})),
    )
    return replace(event, **changes)


def test_a_batch_is_one_row_for_each_sender_and_patient():
    """Of three slices of one patient and two of another come two rows, which count them."""
    slices = [item.parsed for item in a_series([0.0, 3.0, 6.0])]
    person = replace(slices[0].patient, patient_id="another")
    others = [replace(item, patient=person) for item in slices[:2]]
    receipts = [a_receipt(f"a{n}", item) for n, item in enumerate(slices)]
    receipts += [a_receipt(f"b{n}", item) for n, item in enumerate(others)]
    receipts.append(a_receipt("unread", None))
    rows = Rows()
    rows.arrivals.indexed(receipts)
    assert rows.written() == {an_event("a0"): 3, an_event("b0"): 2, an_event("unread"): 1}


def test_an_upload_is_an_import_of_who_uploaded():
    """The door knows only the request; whose data it was is known here."""
    aet, address = Importer(center="NORTH", uploader="ana").caller
    receipt = a_receipt("a", a_series([0.0])[0].parsed)
    arrival = replace(receipt.item.arrival, aet=aet, address=address)
    rows = Rows()
    rows.arrivals.indexed([replace(receipt, item=direct_item(arrival))])
    expected = {
        "center": "NORTH",
        "type": EventType.IMPORT,
        "who": "ana",
        "address": "",
        "what": "upload or import",
    }
    assert rows.written() == {an_event("a", **expected): 1}


def test_what_came_again_counts_and_what_is_read_back_does_not():
    """A repeat is an arrival; a recalled one, and what a rebuilt index reads, came before."""
    again = RepeatedArrival(
        orthanc_id=OrthancId("a"),
        aet="TPS",
        addresses=("192.0.2.7",),
        origin="DicomProtocol",
        received_at=NOON,
    )
    rows = Rows()
    rows.arrivals.repeated(again, 4)
    rows.arrivals.repeated(replace(again, held=""), 1)
    old = a_receipt("old", None)
    long_ago = replace(old.item.arrival, received_at=NOON - timedelta(days=8))
    rows.arrivals.indexed([replace(old, item=direct_item(long_ago))])
    assert rows.written() == {an_event("a"): 4}
