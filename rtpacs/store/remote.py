"""Questions to other nodes in the database: asked in somebody's name, answered by the worker."""

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from rtpacs.errors import InvalidInputError, NotFoundError
from rtpacs.rules.jobs import JobKind, node_rule
from rtpacs.services.authority import Authority
from rtpacs.services.forwarding import Recipient
from rtpacs.services.ports import Claim, Clock, JobRequest
from rtpacs.services.remote import (
    Criteria,
    Fetched,
    FetchState,
    FoundStudy,
    RemoteOrder,
    RemoteQueryRow,
    RemoteStudyRow,
    WantedStudy,
)
from rtpacs.services.views import NodeRow, Page
from rtpacs.store.codec import decode, encode
from rtpacs.store.directory import node_row
from rtpacs.store.engine import chunks, now, reading, writing
from rtpacs.store.fitting import fitted
from rtpacs.store.jobs import SqlJobs, fence
from rtpacs.store.paging import newest
from rtpacs.store.schema import center, dicom_object, job, node, series, study
from rtpacs.store.sight import OBJECTS, Sight, seeing
from rtpacs.store.text import fit
from rtpacs.store.transfer_schema import remote_query, remote_study

UNDERWAY = (FetchState.WANTED, FetchState.FETCHING)


class SqlRemoteQueries:
    """``services.remote.RemoteQueries``.

    Nodes may be asked of centers whose data somebody may bring in; everybody sees their own
    questions.
    """

    def __init__(
        self, engine: sa.Engine, clock: Clock, jobs: SqlJobs, authority: Authority
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._jobs = jobs
        self._authority = authority

    def nodes(self) -> list[NodeRow]:
        """Nodes with host and port that may be asked."""
        with reading(self._engine) as connection:
            rows = connection.execute(self._askable().order_by(center.c.code, node.c.aet))
            return [node_row(row) for row in rows]

    def ask(self, node_id: str, criteria: Criteria) -> str:
        """Have a node asked; the id of the question.

        Raises
        ------
        InvalidInputError
            There is no such node that may be asked.
        """
        public_id = uuid4().hex
        with writing(self._engine) as connection:
            to = connection.execute(
                self._askable().where(node.c.public_id == node_id)
            ).one_or_none()
            if to is None:
                raise InvalidInputError("Choose a node.")
            connection.execute(
                sa.insert(remote_query).values(
                    public_id=public_id,
                    node_id=to.id,
                    aet=to.aet,
                    center_code=to.code,
                    requested_by=self._authority.name,
                    criteria=encode(criteria),
                    more=False,
                    created_at=now(connection, self._clock),
                )
            )
            self._start(connection, JobKind.QUERY, public_id, to.public_id, f"Ask {to.aet}")
        return public_id

    def fetch(self, query_id: str, study_ids: Sequence[int]) -> int:
        """Have studies sent here; how many.

        Raises
        ------
        NotFoundError
            Not an own question, or its node is gone.
        """
        with writing(self._engine) as connection:
            row = connection.execute(
                sa.select(remote_query.c.id, node.c.public_id, node.c.aet)
                .join(node, node.c.id == remote_query.c.node_id)
                .where(remote_query.c.public_id == query_id, self._own())
            ).one_or_none()
            if row is None:
                raise NotFoundError("there is no such question")
            changed = 0
            for part in chunks(list(study_ids)):
                changed += connection.execute(
                    sa.update(remote_study)
                    .where(
                        remote_study.c.remote_query_id == row.id,
                        remote_study.c.id.in_(part),
                        remote_study.c.state.not_in(UNDERWAY),
                    )
                    .values(state=FetchState.WANTED, text="", done=0, failed=0)
                ).rowcount
            if changed:
                label = f"Fetch studies from {row.aet}"
                self._start(connection, JobKind.RETRIEVE, query_id, row.public_id, label)
        return changed

    def _start(
        self, connection: sa.Connection, kind: JobKind, key: str, node_id: str, label: str
    ) -> None:
        request = JobRequest(kind=kind, key=key, label=label)
        self._jobs.ask(connection, [request], rule=node_rule(kind, node_id))

    def page(self, *, offset: int, limit: int) -> Page[RemoteQueryRow]:
        """Own questions without their studies, the newest first."""
        with reading(self._engine) as connection:
            rows, total = newest(
                connection, _select(), remote_query, where=self._own(), offset=offset, limit=limit
            )
            items = tuple(_row(row, ()) for row in rows)
        return Page(items=items, total=total, offset=offset, limit=limit)

    def one(self, query_id: str) -> RemoteQueryRow:
        """An own question with the studies that were found.

        Raises
        ------
        NotFoundError
            There is none of this id.
        """
        with seeing(self._engine, self._authority.reach.info) as sight:
            row = sight.connection.execute(
                _select().where(self._own(), remote_query.c.public_id == query_id)
            ).one_or_none()
            if row is None:
                raise NotFoundError("there is no such question")
            found = sight.connection.execute(
                sa.select(remote_study)
                .where(remote_study.c.remote_query_id == row.id)
                .order_by(remote_study.c.id)
            ).all()
            here = _here(sight, [item.study_uid for item in found])
            return _row(row, tuple(_study_row(item, here) for item in found))

    def cancel(self, query_id: str) -> None:
        """Stop asking and fetching.

        Raises
        ------
        NotFoundError
            There is none of this id.
        """
        self.one(query_id)
        with reading(self._engine) as connection:
            moving = connection.scalars(
                sa.select(job.c.id).where(
                    job.c.key == query_id,
                    job.c.kind.in_([JobKind.QUERY, JobKind.RETRIEVE]),
                    job.c.state.in_(["ready", "running"]),
                )
            ).all()
        for job_id in moving:
            self._jobs.cancel(job_id)

    def _askable(self) -> "sa.Select[Any]":
        return (
            sa.select(node, center.c.code)
            .join(center, center.c.id == node.c.center_id)
            .where(node.c.host != "", node.c.port.is_not(None), self._brings_in(center.c.code))
        )

    def _own(self) -> "sa.ColumnElement[bool]":
        """Own questions to nodes of centers whose data one may bring in now, with this token."""
        return (remote_query.c.requested_by == self._authority.name) & self._brings_in(
            remote_query.c.center_code
        )

    def _brings_in(self, code: "sa.ColumnElement[str]") -> "sa.ColumnElement[bool]":
        scope = self._authority.reach.submit
        return sa.true() if scope.everything else code.in_(sorted(scope.own))


class SqlRemoteBook:
    """``services.remote.RemoteBook``."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def order(self, key: str) -> RemoteOrder:
        """Whom to ask.

        Raises
        ------
        NotFoundError
            The question or its node is gone.
        """
        with reading(self._engine) as connection:
            row = connection.execute(
                sa.select(
                    remote_query.c.requested_by,
                    remote_query.c.criteria,
                    remote_query.c.center_code,
                    node.c.aet,
                    node.c.host,
                    node.c.port,
                    node.c.tls,
                )
                .join(node, node.c.id == remote_query.c.node_id)
                .where(remote_query.c.public_id == key)
            ).one_or_none()
        if row is None:
            raise NotFoundError("the node is gone")
        return RemoteOrder(
            recipient=Recipient(aet=row.aet, host=row.host, port=row.port or 0, tls=row.tls),
            center_code=row.center_code,
            requested_by=row.requested_by,
            criteria=decode(Criteria, row.criteria),
        )

    def answered(self, claim: Claim, studies: Sequence[FoundStudy], *, more: bool) -> None:
        """Note the answer in place of an earlier one.

        Raises
        ------
        LeaseLostError
            Another worker has the job, or somebody cancelled it.
        """
        with writing(self._engine) as connection:
            fence(connection, claim)
            key = connection.execute(
                sa.update(remote_query)
                .where(remote_query.c.public_id == claim.key)
                .values(more=more)
                .returning(remote_query.c.id)
            ).scalar_one()
            connection.execute(sa.delete(remote_study).where(remote_study.c.remote_query_id == key))
            rows = [
                {
                    "remote_query_id": key,
                    "study_uid": item.study_uid,
                    "body": encode(item),
                    "state": FetchState.FOUND,
                    "text": "",
                    "done": 0,
                    "failed": 0,
                }
                for item in studies
            ]
            if rows:
                connection.execute(sa.insert(remote_study), fitted(remote_study, rows))

    def wanted(self, claim: Claim) -> list[WantedStudy]:
        """Studies to fetch, those on the way in a crash among them."""
        with reading(self._engine) as connection:
            rows = connection.execute(
                sa.select(remote_study.c.id, remote_study.c.study_uid)
                .join(remote_query, remote_query.c.id == remote_study.c.remote_query_id)
                .where(remote_query.c.public_id == claim.key, remote_study.c.state.in_(UNDERWAY))
                .order_by(remote_study.c.id)
            )
            return [WantedStudy(id=row.id, study_uid=row.study_uid) for row in rows]

    def note(self, claim: Claim, results: Sequence[Fetched]) -> None:
        """Note how far studies are.

        Raises
        ------
        LeaseLostError
            Another worker has the job, or somebody cancelled it.
        """
        with writing(self._engine) as connection:
            fence(connection, claim)
            for result in results:
                connection.execute(
                    sa.update(remote_study)
                    .where(remote_study.c.id == result.study_id)
                    .values(
                        state=result.state,
                        text=fit(result.text) or "",
                        done=result.done,
                        failed=result.failed,
                    )
                )


def _select() -> "sa.Select[Any]":
    asked, fetched = job.alias("asked"), job.alias("fetched")
    found = (
        sa.select(sa.func.count())
        .where(remote_study.c.remote_query_id == remote_query.c.id)
        .scalar_subquery()
    )
    return sa.select(
        remote_query,
        asked.c.state.label("state"),
        asked.c.error.label("error"),
        fetched.c.state.label("fetch_state"),
        fetched.c.error.label("fetch_error"),
        found.label("found"),
    ).select_from(
        remote_query.outerjoin(
            asked, (asked.c.kind == JobKind.QUERY) & (asked.c.key == remote_query.c.public_id)
        ).outerjoin(
            fetched,
            (fetched.c.kind == JobKind.RETRIEVE) & (fetched.c.key == remote_query.c.public_id),
        )
    )


def _here(sight: Sight, study_uids: Sequence[str]) -> dict[str, int]:
    """How many objects of these studies we have, as far as they may be seen."""
    found: dict[str, int] = {}
    for part in chunks(study_uids):
        rows = sight.connection.execute(
            sa.select(study.c.study_uid, sa.func.count(dicom_object.c.id))
            .select_from(OBJECTS)
            .where(study.c.study_uid.in_(part), sight.objects, series.c.id.is_not(None))
            .group_by(study.c.study_uid)
        )
        found |= {row[0]: row[1] for row in rows}
    return found


def _study_row(row: "sa.Row[Any]", here: dict[str, int]) -> RemoteStudyRow:
    return RemoteStudyRow(
        id=row.id,
        study=decode(FoundStudy, row.body),
        state=FetchState(row.state),
        text=row.text,
        done=row.done,
        failed=row.failed,
        here=here.get(row.study_uid, 0),
    )


def _row(row: "sa.Row[Any]", studies: tuple[RemoteStudyRow, ...]) -> RemoteQueryRow:
    return RemoteQueryRow(
        id=row.public_id,
        aet=row.aet,
        center_code=row.center_code,
        requested_by=row.requested_by,
        criteria=decode(Criteria, row.criteria),
        created_at=row.created_at,
        state=row.state or "",
        error=row.error,
        fetch_state=row.fetch_state or "",
        fetch_error=row.fetch_error,
        found=row.found,
        more=row.more,
        studies=studies,
    )
