"""Arrivals in the access log: a row for each batch, sender and patient, not for each slice."""

from collections import Counter
from collections.abc import Sequence
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
    """Notes what came, once the index knows whose it is."""

    log: Recorder
    clock: Clock

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
            self._note(key[0], key[1], orthanc_id, counts[key])

    def repeated(self, arrival: RepeatedArrival, count: int) -> None:
        """Note what came again; what is recalled from a note came before."""
        if arrival.held is None and not self._is_late(arrival.received_at):
            address = arrival.addresses[0] if len(arrival.addresses) == 1 else ""
            self._note(arrival.aet, address, arrival.orthanc_id, count)

    def _is_late(self, received_at: datetime) -> bool:
        return received_at < self.clock() - LATEST

    def _note(self, aet: str, address: str, orthanc_id: str, count: int) -> None:
        uploaded = importing_center(aet, address) is not None
        event = AccessEvent(
            type=EventType.IMPORT if uploaded else EventType.INSTANCES_TRANSFERRED,
            who=uploader_of(address) if uploaded else f"Node {aet}",
            address="" if uploaded else address,
            what="upload or import" if uploaded else "C-STORE from a node",
            subject=Subject(kind=SubjectKind.INSTANCE, id=orthanc_id),
        )
        self.log.note(event, count)
