"""Arrivals in the access log: a row for each batch, sender and patient, not for each slice."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from rtpacs.rules.access_log import AccessEvent, EventType, Subject, SubjectKind
from rtpacs.rules.objects import OrthancId, PatientText
from rtpacs.rules.senders import importing_center, uploader_of
from rtpacs.services.access_log import Recorder
from rtpacs.services.ports import Clock, Receipt
from rtpacs.services.repeats import RepeatedArrival

# What a rebuilt index reads again came long ago, and is in the log already.
LATEST = timedelta(days=7)
_Key = tuple[str, str, PatientText | OrthancId]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivalLog:
    """Notes what came, once the index knows whose it is.

    ``center_of`` says whose data a sender sends, by AE title and addresses: an object that others
    have too came for that center's patient alone.
    """

    log: Recorder
    clock: Clock
    center_of: Callable[[str, Sequence[str]], str]

    def indexed(self, receipts: Sequence[Receipt]) -> None:
        """Note one batch of first arrivals; the log finds the patient by one object of each."""
        first: dict[_Key, str] = {}
        counts: Counter[_Key] = Counter()
        for receipt in receipts:
            arrival = receipt.item.arrival
            if self._is_late(arrival.received_at):
                continue
            person = receipt.parsed.patient if receipt.parsed else arrival.orthanc_id
            key: _Key = (arrival.aet, arrival.address, person)
            first.setdefault(key, arrival.orthanc_id)
            counts[key] += 1
        for key, orthanc_id in first.items():
            self._note(key[0], (key[1],), orthanc_id, counts[key])

    def repeated(self, arrival: RepeatedArrival, count: int) -> None:
        """Note what came again; what is recalled from a note came before."""
        if arrival.held is None and not self._is_late(arrival.received_at):
            self._note(arrival.aet, arrival.addresses, arrival.orthanc_id, count)

    def _is_late(self, received_at: datetime) -> bool:
        return received_at < self.clock() - LATEST

    def _note(self, aet: str, addresses: Sequence[str], orthanc_id: str, count: int) -> None:
        address = addresses[0] if len(addresses) == 1 else ""
        center = self.center_of(aet, addresses)
        uploaded = importing_center(aet, address) is not None
        event = AccessEvent(
            type=EventType.IMPORT if uploaded else EventType.INSTANCES_TRANSFERRED,
            who=uploader_of(address) if uploaded else f"Node {aet}",
            address="" if uploaded else address,
            what="upload or import" if uploaded else "C-STORE from a node",
            subject=Subject(kind=SubjectKind.INSTANCE, id=orthanc_id, centers=frozenset({center})),
        )
        self.log.note(event, count)
