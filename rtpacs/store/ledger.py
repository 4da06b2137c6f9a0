"""The rows of transfers as the worker writes them: ``services.forwarding.Ledger``."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from rtpacs.errors import NotFoundError
from rtpacs.rules.transfers import ARRIVED, SendState
from rtpacs.services.contents import content_name
from rtpacs.services.forwarding import Kind, Order, Outcome, Parcel, Recipient, Tally
from rtpacs.services.ports import Claim, Clock
from rtpacs.store.engine import chunks, now, reading, writing
from rtpacs.store.jobs import fence
from rtpacs.store.schema import dicom_object, node
from rtpacs.store.text import fit
from rtpacs.store.transfer_schema import transfer, transfer_object

WAITING = (SendState.PENDING, SendState.SENDING)
LOST = (SendState.REFUSED, SendState.FAILED)


class SqlLedger:
    """What is to go to a node and what became of it."""

    def __init__(self, engine: sa.Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def begin(self, claim: Claim) -> Order:
        """Start a run: what was on the way waits again.

        A first attempt, which a person asked for, takes up all that did not arrive; a repeated
        one only what may be taken later.

        Raises
        ------
        NotFoundError
            The transfer is gone, or its node may no longer receive.
        LeaseLostError
            Another worker has the job, or somebody cancelled it.
        """
        again = transfer_object.c.state == SendState.SENDING
        refused: sa.ColumnElement[bool] = transfer_object.c.state.in_(LOST)
        if claim.attempt > 1:
            refused = refused & transfer_object.c.passing
        with writing(self._engine) as connection:
            fence(connection, claim)
            row = connection.execute(
                sa.select(transfer.c.id, transfer.c.requested_by, node)
                .join(node, node.c.id == transfer.c.node_id)
                .where(transfer.c.public_id == claim.key, node.c.may_receive)
            ).one_or_none()
            if row is None:
                raise NotFoundError("the node is gone or may no longer receive")
            connection.execute(
                sa.update(transfer_object)
                .where(transfer_object.c.transfer_id == row[0], again | refused)
                .values(
                    state=SendState.PENDING,
                    passing=False,
                    attempts=transfer_object.c.attempts + sa.case((again, 1), else_=0),
                )
            )
            total, arrived = connection.execute(
                sa.select(sa.func.count(), _count(ARRIVED)).where(
                    transfer_object.c.transfer_id == row[0]
                )
            ).one()
        recipient = Recipient(aet=row.aet, host=row.host, port=row.port or 0, tls=row.tls)
        return Order(
            recipient=recipient, requested_by=row.requested_by, total=total, arrived=arrived
        )

    def kinds(self, key: str) -> list[Kind]:
        """Which kinds of objects wait, sorted."""
        kind = (transfer_object.c.sop_class_uid, transfer_object.c.transfer_syntax_uid)
        with reading(self._engine) as connection:
            rows = connection.execute(
                sa.select(*kind)
                .where(_of(key), transfer_object.c.state == SendState.PENDING)
                .distinct()
                .order_by(*kind)
            )
            return [(row[0], row[1]) for row in rows]

    def exchange(
        self, claim: Claim, outcomes: Sequence[Outcome], kinds: Sequence[Kind], limit: int
    ) -> list[Parcel]:
        """Record outcomes and mark the next waiting objects of these kinds as on the way.

        Raises
        ------
        LeaseLostError
            Another worker has the job, or somebody cancelled it: nothing is recorded.
        """
        if not outcomes and limit <= 0:
            return []
        with writing(self._engine) as connection:
            fence(connection, claim)
            time = now(connection, self._clock)
            if outcomes:
                connection.execute(_RECORD, [_recorded(outcome, time) for outcome in outcomes])
            if limit <= 0:
                return []
            rows = connection.execute(_next(claim.key, kinds, limit)).all()
            for part in chunks([row.id for row in rows]):
                connection.execute(
                    sa.update(transfer_object)
                    .where(transfer_object.c.id.in_(part))
                    .values(state=SendState.SENDING, text="")
                )
        return [_parcel(row) for row in rows]

    def tally(self, key: str) -> Tally:
        """Count the rows."""
        passing = sa.case(
            ((transfer_object.c.state == SendState.REFUSED) & transfer_object.c.passing, 1),
            else_=0,
        )
        with reading(self._engine) as connection:
            total, lost, later = connection.execute(
                sa.select(
                    sa.func.count(), _count(LOST), sa.func.coalesce(sa.func.sum(passing), 0)
                ).where(_of(key))
            ).one()
        return Tally(total=total, lost=lost, passing=later)


_RECORD = (
    sa.update(transfer_object)
    .where(transfer_object.c.id == sa.bindparam("row"))
    .values(
        state=sa.bindparam("new_state"),
        passing=sa.bindparam("new_passing"),
        status=sa.bindparam("new_status"),
        text=sa.bindparam("new_text"),
        attempts=transfer_object.c.attempts + sa.bindparam("more"),
        ended_at=sa.bindparam("time"),
    )
)


def _recorded(outcome: Outcome, time: object) -> dict[str, Any]:
    judged = outcome.verdict
    return {
        "row": outcome.parcel_id,
        "new_state": judged.state,
        "new_passing": judged.passing,
        "new_status": outcome.status,
        "new_text": fit(judged.text) or "",
        "more": int(outcome.went_out),
        "time": time,
    }


def _count(states: Sequence[SendState] | frozenset[SendState]) -> "sa.ColumnElement[int]":
    inside = sa.case((transfer_object.c.state.in_(sorted(states)), 1), else_=0)
    return sa.func.coalesce(sa.func.sum(inside), 0)


def _of(key: str) -> "sa.ColumnElement[bool]":
    own = sa.select(transfer.c.id).where(transfer.c.public_id == key).scalar_subquery()
    return transfer_object.c.transfer_id == own


def _next(key: str, kinds: Sequence[Kind], limit: int) -> "sa.Select[Any]":
    """Waiting objects with the names of their present contents."""
    kind = sa.tuple_(transfer_object.c.sop_class_uid, transfer_object.c.transfer_syntax_uid)
    return (
        sa.select(
            transfer_object.c.id,
            transfer_object.c.sop_class_uid,
            transfer_object.c.transfer_syntax_uid,
            dicom_object.c.id.label("object_key"),
            dicom_object.c.orthanc_id,
            dicom_object.c.version_file,
        )
        .select_from(transfer_object)
        .outerjoin(dicom_object, dicom_object.c.id == transfer_object.c.dicom_object_id)
        .where(
            _of(key),
            transfer_object.c.state == SendState.PENDING,
            kind.in_([tuple(item) for item in kinds]),
        )
        .order_by(transfer_object.c.id)
        .limit(limit)
    )


def _parcel(row: "sa.Row[Any]") -> Parcel:
    here = row.object_key is not None
    return Parcel(
        id=row.id,
        object_key=row.object_key,
        content=content_name(row.orthanc_id, row.version_file) if here else None,
        kind=(row.sop_class_uid, row.transfer_syntax_uid),
    )
