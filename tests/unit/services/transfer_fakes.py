"""A transfer's rows in memory, as the contract of ``Ledger`` wants them."""

from dataclasses import dataclass, field, replace

from rtpacs.rules.jobs import JobKind
from rtpacs.rules.transfers import ARRIVED, SendState, Verdict
from rtpacs.services.forwarding import Order, Parcel, Recipient, Tally
from rtpacs.services.ports import Claim

CLAIM = Claim(job_id=1, token=1, kind=JobKind.FORWARD, key="tr1", attempt=1)
PENDING = Verdict(state=SendState.PENDING, text="")


@dataclass
class MemoryLedger:
    """One transfer; ``rows`` holds what is known of each parcel."""

    recipient: Recipient
    parcels: list[Parcel]
    rows: dict[int, Verdict] = field(default_factory=dict)
    attempts: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rows = {parcel.id: PENDING for parcel in self.parcels}
        self.attempts = dict.fromkeys(self.rows, 0)

    def begin(self, claim):
        for key, verdict in self.rows.items():
            self.attempts[key] += verdict.state is SendState.SENDING
            refused = verdict.state in (SendState.REFUSED, SendState.FAILED)
            if verdict.state is SendState.SENDING or (
                refused and (claim.attempt == 1 or verdict.passing)
            ):
                self.rows[key] = PENDING
        arrived = sum(verdict.state in ARRIVED for verdict in self.rows.values())
        return Order(
            recipient=self.recipient,
            requested_by="physics",
            total=len(self.rows),
            arrived=arrived,
        )

    def kinds(self, key):
        return sorted({parcel.kind for parcel in self._pending()})

    def _pending(self):
        return [p for p in self.parcels if self.rows[p.id].state is SendState.PENDING]

    def exchange(self, claim, outcomes, kinds, limit):
        for outcome in outcomes:
            self.rows[outcome.parcel_id] = outcome.verdict
            self.attempts[outcome.parcel_id] += outcome.went_out
        taken = [parcel for parcel in self._pending() if parcel.kind in kinds][: max(limit, 0)]
        for parcel in taken:
            self.rows[parcel.id] = replace(PENDING, state=SendState.SENDING)
        return taken

    def tally(self, key):
        lost = [
            verdict
            for verdict in self.rows.values()
            if verdict.state in (SendState.REFUSED, SendState.FAILED)
        ]
        passing = sum(verdict.passing for verdict in lost)
        return Tally(total=len(self.rows), lost=len(lost), passing=passing)

    @property
    def states(self) -> list[SendState]:
        """The state of each row, in order."""
        return [verdict.state for verdict in self.rows.values()]
