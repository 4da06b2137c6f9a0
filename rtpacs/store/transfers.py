"""Transfers as people ask for them and look at them: ``services.transfers.Transfers``."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from rtpacs.errors import AccessDeniedError, InvalidInputError, NotFoundError, StateError
from rtpacs.rules.access import Scope
from rtpacs.rules.conflicts import CONFLICT, SUPERSEDED
from rtpacs.rules.jobs import JobKind, JobState, node_rule
from rtpacs.rules.remarks import counted
from rtpacs.rules.selection import Item
from rtpacs.rules.transfers import ARRIVED, SendState, remaining_seconds
from rtpacs.services.authority import Authority
from rtpacs.services.ports import Clock, JobRequest
from rtpacs.services.transfers import Extent, TransferObjectRow, TransferRow
from rtpacs.services.views import NodeRow, Page
from rtpacs.store.conflicts import having
from rtpacs.store.directory import node_row
from rtpacs.store.engine import chunks, now, reading, writing
from rtpacs.store.jobs import SqlJobs
from rtpacs.store.operations import SHOWN_STATE
from rtpacs.store.rows import patient_rows
from rtpacs.store.schema import center, dicom_object, job, node, patient
from rtpacs.store.selection import keys_in_sight, selected_keys
from rtpacs.store.sight import OBJECTS, Sight, seeing
from rtpacs.store.transfer_schema import transfer, transfer_center, transfer_object

DEFAULT_SYNTAX = "1.2.840.10008.1.2"
LONGEST_REASON = 500
# What needs eyes comes first.
_ORDER = sa.case(
    {
        SendState.FAILED: 0,
        SendState.REFUSED: 1,
        SendState.WARNING: 2,
        SendState.SENDING: 3,
        SendState.PENDING: 4,
    },
    value=transfer_object.c.state,
    else_=5,
)
# What is gone stands in the log without an object.
_OBJECTS = transfer_object.outerjoin(
    OBJECTS, dicom_object.c.id == transfer_object.c.dicom_object_id
)
_JOINED = transfer.outerjoin(
    job, (job.c.kind == JobKind.FORWARD) & (job.c.key == transfer.c.public_id)
)


class SqlTransfers:
    """Sending in the database, in somebody's name.

    A transfer is seen by who asked for it, by the centers whose data it is and by the center that
    it goes to; it is changed by the first two.
    """

    def __init__(
        self, engine: sa.Engine, clock: Clock, jobs: SqlJobs, authority: Authority
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._jobs = jobs
        self._authority = authority

    def recipients(self) -> list[NodeRow]:
        """Nodes that may receive, by center and AE title."""
        query = (
            sa.select(node, center.c.code)
            .join(center, center.c.id == node.c.center_id)
            .where(node.c.may_receive)
            .order_by(center.c.code, node.c.aet, node.c.id)
        )
        with reading(self._engine) as connection:
            return [node_row(row) for row in connection.execute(query)]

    def extent(self, items: Sequence[Item]) -> Extent:
        """How much these items are."""
        with seeing(self._engine, self._authority.reach.send) as sight:
            objects = size = 0
            patients: set[int] = set()
            keys, waiting, left_out = _judged(sight.connection, selected_keys(sight, items))
            for part in chunks(keys):
                rows = sight.connection.execute(
                    sa.select(dicom_object.c.size_bytes, dicom_object.c.patient_id).where(
                        dicom_object.c.id.in_(part)
                    )
                ).all()
                objects += len(rows)
                size += sum(row.size_bytes for row in rows)
                patients |= {row.patient_id for row in rows}
            undecided = [
                public_id
                for part in chunks(sorted(waiting))
                for public_id in sight.connection.scalars(
                    sa.select(dicom_object.c.public_id).where(dicom_object.c.id.in_(part))
                )
            ]
        return Extent(
            objects=objects,
            size_bytes=size,
            patients=len(patients),
            undecided=tuple(undecided),
            left_out=left_out,
        )

    def send(self, items: Sequence[Item], node_ids: Sequence[str], *, reason: str) -> list[str]:
        """Ask for one transfer to each node; their ids.

        Raises
        ------
        InvalidInputError
            No node is chosen, or one that may not receive.
        NotFoundError
            There is nothing that may be sent.
        StateError
            An object has several contents, and nobody decided which one counts.
        """
        wanted = list(dict.fromkeys(node_ids))
        with writing(self._engine) as connection:
            chosen = selected_keys(Sight(connection, self._authority.reach.send), items)
            keys, waiting, _ = _judged(connection, chosen)
            if not keys:
                raise NotFoundError("there is nothing that may be sent")
            if waiting:
                raise StateError(
                    f"{counted(len(waiting), 'object')} of these came with several contents: decide"
                    " which one counts, then send"
                )
            nodes = connection.execute(
                sa.select(node.c.id, node.c.public_id, node.c.aet, center.c.code)
                .join(center, center.c.id == node.c.center_id)
                .where(node.c.public_id.in_(wanted), node.c.may_receive)
            ).all()
            if not nodes or len(nodes) != len(wanted):
                raise InvalidInputError("Choose a node that may receive.")
            patients, sources = _patients(connection, keys)
            common = {
                "patient_id": next(iter(patients)) if len(patients) == 1 else None,
                "requested_by": self._authority.name,
                "reason": reason.strip()[:LONGEST_REASON],
                "created_at": now(connection, self._clock),
            }
            nodes = sorted(nodes, key=lambda row: wanted.index(row.public_id))
            return [self._add(connection, keys, to, common | {"sources": sources}) for to in nodes]

    def _add(
        self,
        connection: sa.Connection,
        keys: Sequence[int],
        to: Any,
        common: Mapping[str, Any],
    ) -> str:
        public_id = uuid4().hex
        made = {"public_id": public_id, "node_id": to.id, "aet": to.aet, "center_code": to.code}
        values = {key: value for key, value in common.items() if key != "sources"}
        transfer_id = connection.execute(
            sa.insert(transfer).values(**made, **values).returning(transfer.c.id)
        ).scalar_one()
        logged = [(code, True) for code in sorted(common["sources"])] + [(to.code, False)]
        connection.execute(
            sa.insert(transfer_center),
            [{"transfer_id": transfer_id, "code": code, "gives": gives} for code, gives in logged],
        )
        for part in chunks(keys):
            connection.execute(_ROWS.from_select(_COLUMNS, _row_of(transfer_id, part)))
        # Jobs are seen by everybody who signs in: no word of a patient.
        label = f"Send {len(keys)} object{'s' if len(keys) > 1 else ''} to {to.aet}"
        request = JobRequest(kind=JobKind.FORWARD, key=public_id, label=label)
        self._jobs.ask(connection, [request], rule=node_rule(JobKind.FORWARD, to.public_id))
        return public_id

    def page(self, *, state: str, offset: int, limit: int) -> Page[TransferRow]:
        """Transfers, the newest first; ``state`` is one of the job's, empty for all."""
        where = [self._seen(), *([SHOWN_STATE.in_([state])] if state else [])]
        with seeing(self._engine, self._authority.reach.info) as sight:
            total = sight.connection.execute(
                sa.select(sa.func.count()).select_from(_JOINED).where(*where)
            ).scalar_one()
            query = _select().where(*where).order_by(transfer.c.id.desc())
            rows = sight.connection.execute(query.offset(offset).limit(limit)).all()
            items = tuple(self._rows(sight, rows))
        return Page(items=items, total=total, offset=offset, limit=limit)

    def one(self, transfer_id: str) -> TransferRow:
        """One transfer.

        Raises
        ------
        NotFoundError
            There is none of this id, or none that may be seen.
        """
        with seeing(self._engine, self._authority.reach.info) as sight:
            query = _select().where(transfer.c.public_id == transfer_id, self._seen())
            rows = sight.connection.execute(query).all()
            if not rows:
                raise NotFoundError("there is no such transfer")
            return self._rows(sight, rows)[0]

    def retry(self, transfer_id: str) -> None:
        """Take up what did not arrive.

        The job goes on with the rights of the account that asked first, so whoever takes it up
        again must have the right to send all that is left, also with a narrower token.

        Raises
        ------
        NotFoundError
            There is none of this id, or none that may be changed.
        AccessDeniedError
            Something of what is left may not be sent by whoever asks now.
        StateError
            It runs or is done.
        """
        job_id = self._own_job(transfer_id)
        self._require_rest(transfer_id)
        self._jobs.retry(job_id)

    def cancel(self, transfer_id: str) -> None:
        """Stop within seconds.

        Raises
        ------
        NotFoundError
            There is none of this id, or none that may be changed.
        StateError
            It has ended.
        """
        self._jobs.cancel(self._own_job(transfer_id))

    def _require_rest(self, transfer_id: str) -> None:
        """What left the archive meanwhile, or is withdrawn, goes nowhere and hinders nothing."""
        with seeing(self._engine, self._authority.reach.send) as sight:
            query = (
                sa.select(dicom_object.c.id)
                .join(transfer_object, transfer_object.c.dicom_object_id == dicom_object.c.id)
                .join(transfer, transfer.c.id == transfer_object.c.transfer_id)
                .where(
                    transfer.c.public_id == transfer_id,
                    transfer_object.c.state.not_in(ARRIVED),
                    dicom_object.c.removal_id.is_(None),
                )
            )
            left = set(sight.connection.scalars(query))
            if keys_in_sight(sight, left) != left:
                raise AccessDeniedError("You may not send all that is left of this transfer.")

    def _own_job(self, transfer_id: str) -> int:
        row = self.one(transfer_id)
        if row.job_id is None or not row.mine:
            raise NotFoundError("there is no such transfer")
        return row.job_id

    def _seen(self) -> "sa.ColumnElement[bool]":
        """Transfers that somebody asked for, or of centers that they see in full."""
        return self._logged_for(self._authority.reach.info)

    def _logged_for(self, scope: Scope, *, gives: bool = False) -> "sa.ColumnElement[bool]":
        if scope.everything:
            return sa.true()
        logged = sa.select(transfer_center.c.transfer_id).where(
            transfer_center.c.code.in_(sorted(scope.own)),
            transfer_center.c.gives | sa.literal(not gives),
        )
        return (transfer.c.requested_by == self._authority.name) | transfer.c.id.in_(logged)

    def objects(
        self, transfer_id: str, *, state: str, offset: int, limit: int
    ) -> Page[TransferObjectRow]:
        """The objects of a transfer that may be seen, what did not arrive first.

        Raises
        ------
        NotFoundError
            There is none of this id, or none that may be seen.
        """
        self.one(transfer_id)
        own = sa.select(transfer.c.id).where(transfer.c.public_id == transfer_id)
        where: list[sa.ColumnElement[bool]] = [transfer_object.c.transfer_id.in_(own)]
        if state:
            where.append(transfer_object.c.state == state)
        with seeing(self._engine, self._authority.reach.info) as sight:
            connection = sight.connection
            where.append(sight.objects | dicom_object.c.id.is_(None))
            total = connection.execute(
                sa.select(sa.func.count()).select_from(_OBJECTS).where(*where)
            ).scalar_one()
            rows = connection.execute(
                sa.select(transfer_object, dicom_object.c.public_id)
                .select_from(_OBJECTS)
                .where(*where)
                .order_by(_ORDER, transfer_object.c.id)
                .offset(offset)
                .limit(limit)
            )
            items = tuple(_object_row(row) for row in rows)
        return Page(items=items, total=total, offset=offset, limit=limit)

    def _rows(self, sight: Sight, rows: Sequence["sa.Row[Any]"]) -> list[TransferRow]:
        connection = sight.connection
        time = now(connection, self._clock)
        counts = _counts(connection, {row.id: row.started_at for row in rows})
        patients = patient_rows(sight, {row.patient_id for row in rows if row.patient_id})
        changeable = self._logged_for(self._authority.reach.send, gives=True)
        mine = set(
            connection.scalars(
                sa.select(transfer.c.id).where(transfer.c.id.in_(counts), changeable)
            )
        )
        return [
            replace(
                _transfer_row(row, counts[row.id], time),
                patient=patients.get(row.patient_id),
                mine=row.id in mine,
            )
            for row in rows
        ]


_ROWS = sa.insert(transfer_object)
_COLUMNS = (
    "transfer_id",
    "dicom_object_id",
    "orthanc_id",
    "sop_uid",
    "sop_class_uid",
    "transfer_syntax_uid",
    "size_bytes",
    "state",
    "passing",
    "text",
    "attempts",
)


def _row_of(transfer_id: int, keys: Sequence[int]) -> "sa.Select[Any]":
    return (
        sa.select(
            sa.literal(transfer_id),
            dicom_object.c.id,
            dicom_object.c.orthanc_id,
            dicom_object.c.sop_uid,
            dicom_object.c.sop_class_uid,
            sa.func.coalesce(dicom_object.c.transfer_syntax_uid, DEFAULT_SYNTAX),
            dicom_object.c.size_bytes,
            sa.literal(SendState.PENDING.value),
            sa.false(),
            sa.literal(""),
            sa.literal(0),
        )
        .where(dicom_object.c.id.in_(keys))
        .order_by(dicom_object.c.id)
    )


def _judged(connection: sa.Connection, keys: Sequence[int]) -> tuple[list[int], set[int], int]:
    """What may go of these objects, what of it waits for a decision, and how many stay here."""
    superseded = having(connection, keys, SUPERSEDED)
    going = [key for key in keys if key not in superseded]
    return going, having(connection, going, CONFLICT), len(superseded)


def _patients(connection: sa.Connection, keys: Sequence[int]) -> tuple[set[int], set[str]]:
    """Patients of objects, and codes of their centers."""
    found: set[tuple[int, str]] = set()
    for part in chunks(keys):
        query = (
            sa.select(patient.c.id, center.c.code)
            .join(center, center.c.id == patient.c.center_id)
            .join(dicom_object, dicom_object.c.patient_id == patient.c.id)
            .where(dicom_object.c.id.in_(part))
            .distinct()
        )
        found |= {(row[0], row[1]) for row in connection.execute(query)}
    return {key for key, _ in found}, {code for _, code in found}


def _select() -> "sa.Select[Any]":
    return sa.select(
        transfer,
        job.c.id.label("job_id"),
        SHOWN_STATE.label("shown_state"),
        job.c.started_at,
        job.c.finished_at,
        job.c.run_at,
        job.c.error,
    ).select_from(_JOINED)


def _counts(
    connection: sa.Connection, started: Mapping[int, datetime | None]
) -> dict[int, dict[str, tuple[int, int]]]:
    """Transfer → state → number and bytes; under "fresh" what arrived in the present run."""
    found: dict[int, dict[str, tuple[int, int]]] = {key: {} for key in started}
    number = (sa.func.count(), sa.func.coalesce(sa.func.sum(transfer_object.c.size_bytes), 0))
    own = transfer_object.c.transfer_id
    rows = connection.execute(
        sa.select(own, transfer_object.c.state, *number)
        .where(own.in_(started))
        .group_by(own, transfer_object.c.state)
    )
    for key, state, count, size in rows:
        found[key][state] = (count, int(size))
    for key, at in started.items():
        if at is not None:
            fresh = connection.execute(
                sa.select(*number).where(
                    own == key,
                    transfer_object.c.state.in_([SendState.SENT, SendState.WARNING]),
                    transfer_object.c.ended_at >= at,
                )
            ).one()
            found[key]["fresh"] = (fresh[0], int(fresh[1]))
    return found


def _transfer_row(
    row: "sa.Row[Any]",
    counts: Mapping[str, tuple[int, int]],
    time: datetime,
) -> TransferRow:
    states = {state: counts.get(state, (0, 0)) for state in SendState}
    sent_bytes = states[SendState.SENT][1] + states[SendState.WARNING][1]
    size = sum(part for _, part in states.values())
    lost = states[SendState.REFUSED][1] + states[SendState.FAILED][1]
    running = row.shown_state == JobState.RUNNING and row.started_at is not None
    seconds = (time - row.started_at).total_seconds() if running else 0.0
    rate = counts.get("fresh", (0, 0))[1] / seconds if seconds > 0 else None
    return TransferRow(
        id=row.public_id,
        job_id=row.job_id,
        state=row.shown_state or "done",
        aet=row.aet,
        center_code=row.center_code,
        requested_by=row.requested_by,
        reason=row.reason,
        objects=sum(count for count, _ in states.values()),
        sent=states[SendState.SENT][0],
        warnings=states[SendState.WARNING][0],
        refused=states[SendState.REFUSED][0],
        failed=states[SendState.FAILED][0],
        waiting=states[SendState.PENDING][0] + states[SendState.SENDING][0],
        size_bytes=size,
        sent_bytes=sent_bytes,
        bytes_per_s=rate,
        remaining_s=remaining_seconds(sent_bytes, size - lost, rate),
        error=row.error,
        next_try_at=row.run_at if row.shown_state == "retrying" else None,
        created_at=row.created_at,
        finished_at=row.finished_at,
    )


def _object_row(row: "sa.Row[Any]") -> TransferObjectRow:
    return TransferObjectRow(
        object_id=row.public_id,
        sop_uid=row.sop_uid or "",
        sop_class_uid=row.sop_class_uid,
        state=SendState(row.state),
        text=row.text,
        status=row.status,
        attempts=row.attempts,
        size_bytes=row.size_bytes,
        ended_at=row.ended_at,
    )
