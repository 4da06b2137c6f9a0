"""Transfers in memory: one that runs, one that failed in part, and what is asked for."""

from dataclasses import dataclass, field, replace
from datetime import timedelta

from rtpacs.errors import InvalidInputError, NotFoundError
from rtpacs.rules.transfers import SendState
from rtpacs.services.transfers import Extent, TransferObjectRow, TransferRow
from rtpacs.services.views import NodeRow, Page
from tests.web.sample_plans import NOW

PACS = NodeRow(
    id="nd2", aet="LAKE_PACS", host="192.0.2.30", port=104, center_code="LAKE", networks=(),
    may_store=False, may_query=True, may_receive=True, tls=True,
)  # fmt: skip


def rows(patient) -> tuple[TransferRow, ...]:
    """A running and a partly failed transfer of a patient's data."""
    running = TransferRow(
        id="tr1", job_id=3, state="running", aet="LAKE_PACS", center_code="LAKE", patient=patient,
        requested_by="physics", reason="re-treatment", objects=480, sent=210, warnings=2,
        refused=1, failed=0, waiting=267, size_bytes=252_000_000, sent_bytes=111_000_000,
        mine=True, bytes_per_s=21_500_000.0, remaining_s=6.6, error=None, next_try_at=None,
        created_at=NOW - timedelta(seconds=9), finished_at=None,
    )  # fmt: skip
    failed = replace(
        running, id="tr2", job_id=4, state="failed", patient=None, sent=477, waiting=0,
        bytes_per_s=None, remaining_s=None, error="1 of 480 objects did not reach LAKE_PACS",
        finished_at=NOW,
    )  # fmt: skip
    return running, failed


OBJECTS = tuple(
    TransferObjectRow(
        object_id=f"ob{number}", sop_uid=f"1.2.826.0.1.{number}", state=state, text=text,
        sop_class_uid=f"1.2.840.10008.5.1.4.1.1.{kind}", status=status,
        attempts=attempts, size_bytes=526_000, ended_at=NOW,
    )
    for number, (kind, state, text, status, attempts) in enumerate(
        (
            ("481.3", SendState.REFUSED, "peer does not accept RT Structure Set", None, 0),
            ("2", SendState.WARNING, "it changed some values (0xB000)", 0xB000, 1),
            ("2", SendState.SENT, "", 0, 2),
        )
    )
)  # fmt: skip


@dataclass
class FakeTransfers:
    """``asked`` notes (items, nodes, reason) and what was changed."""

    known: tuple[TransferRow, ...]
    asked: list = field(default_factory=list)

    def recipients(self):
        return [PACS]

    def extent(self, items):
        return Extent(objects=480, size_bytes=252_000_000, patients=len(items))

    def send(self, items, node_ids, *, reason):
        if set(node_ids) != {PACS.id}:
            raise InvalidInputError("Choose a node that may receive.")
        self.asked.append((items, node_ids, reason))
        return ["tr1"]

    def page(self, *, state, offset, limit):
        found = tuple(row for row in self.known if state in ("", row.state))
        return Page(items=found, total=len(found), offset=offset, limit=limit)

    def one(self, transfer_id):
        for row in self.known:
            if row.id == transfer_id:
                return row
        raise NotFoundError("there is no such transfer")

    def retry(self, transfer_id):
        self.asked.append(("retry", self.one(transfer_id).id))

    def cancel(self, transfer_id):
        self.asked.append(("cancel", self.one(transfer_id).id))

    def objects(self, transfer_id, *, state, offset, limit):
        found = tuple(row for row in OBJECTS if state in ("", row.state))
        return Page(items=found, total=len(found), offset=offset, limit=limit)
