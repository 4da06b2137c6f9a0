"""The durable record of arrivals that are not yet in the index."""

import secrets
from collections.abc import Iterable, Sequence
from datetime import timedelta

import sqlalchemy as sa

from rtpacs.rules.jobs import LONGEST_DELAY_S, retry_delay_seconds
from rtpacs.rules.objects import OrthancId
from rtpacs.services.ports import Arrival, Clock, InboxItem
from rtpacs.store.engine import chunks, insert, now, reading, writing
from rtpacs.store.fitting import fitted
from rtpacs.store.schema import inbox
from rtpacs.store.text import fit

LEASE = timedelta(seconds=25)
LONGEST_DELAY = timedelta(seconds=LONGEST_DELAY_S)
_RANDOM = secrets.SystemRandom()
_KEY = (inbox.c.orthanc_id, inbox.c.aet, inbox.c.address, inbox.c.deleted)


class SqlInbox:
    """``services.ports.Inbox`` on SQL."""

    def __init__(self, engine: sa.Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def add(self, arrivals: Sequence[Arrival]) -> None:
        """Write all in one durable transaction; a repeat of a waiting arrival adds nothing.

        Raises
        ------
        StoreError, StoreUnavailableError
            Nothing was written.
        """
        if not arrivals:
            return
        with writing(self._engine) as connection:
            add_arrivals(connection, arrivals, self._clock)

    def claim(self, limit: int) -> list[InboxItem]:
        """Lease the oldest waiting arrivals; an expired lease makes them claimable again.

        Of one object only the oldest row can be claimed, so that storing, deleting and storing
        again happen in that order whatever the number of workers.

        Raises
        ------
        StoreError, StoreUnavailableError
            Nothing was claimed.
        """
        with writing(self._engine) as connection:
            time = now(connection, self._clock)
            older = inbox.alias()
            waiting = (
                sa.select(inbox.c.id)
                .where(
                    # What lies too far in the future was written by a clock that ran ahead.
                    sa.or_(
                        inbox.c.attempt == 0,
                        inbox.c.run_at <= time,
                        inbox.c.run_at > time + LONGEST_DELAY,
                    ),
                    sa.or_(
                        inbox.c.lease_until.is_(None),
                        inbox.c.lease_until < time,
                        inbox.c.lease_until > time + 2 * LEASE,
                    ),
                    ~sa.exists().where(
                        older.c.orthanc_id == inbox.c.orthanc_id, older.c.id < inbox.c.id
                    ),
                )
                .order_by(inbox.c.id)
                .limit(limit)
                .with_for_update(skip_locked=True, of=inbox)
                # Asked once: a subquery PostgreSQL may ask anew for each row, past the limit.
                .cte("waiting")
            )
            rows = connection.execute(
                sa.update(inbox)
                .where(inbox.c.id.in_(sa.select(waiting.c.id)))
                .values(
                    token=inbox.c.token + 1,
                    attempt=inbox.c.attempt + 1,
                    lease_until=time + LEASE,
                )
                .returning(inbox)
            ).all()
        return sorted((_item(row) for row in rows), key=lambda item: item.id)

    def renew(self, items: Sequence[InboxItem]) -> None:
        """Extend the leases of those that are still ours.

        Raises
        ------
        StoreError, StoreUnavailableError
            The leases stay as they are.
        """
        with writing(self._engine) as connection:
            until = now(connection, self._clock) + LEASE
            for item in items:
                connection.execute(
                    sa.update(inbox)
                    .where(inbox.c.id == item.id, inbox.c.token == item.token)
                    .where(inbox.c.lease_until.is_not(None))
                    .values(lease_until=until)
                )

    def fail(self, item: InboxItem, error: str) -> None:
        """Give the arrival back for a later try with backoff; nothing if another took it over.

        Raises
        ------
        StoreError, StoreUnavailableError
            The lease stays and ends by itself.
        """
        with writing(self._engine) as connection:
            delay = retry_delay_seconds(item.attempt, jitter=_RANDOM.random())
            connection.execute(
                sa.update(inbox)
                .where(inbox.c.id == item.id, inbox.c.token == item.token)
                .values(
                    lease_until=None,
                    run_at=now(connection, self._clock) + timedelta(seconds=delay),
                    error=fit(error),
                )
            )

    def give_back(self, items: Sequence[InboxItem]) -> None:
        """Undo a claim, as if it had not been: another part was not there, not the arrival's fault.

        Raises
        ------
        StoreError, StoreUnavailableError
            The leases stay and end by themselves.
        """
        with writing(self._engine) as connection:
            for item in items:
                connection.execute(
                    sa.update(inbox)
                    .where(inbox.c.id == item.id, inbox.c.token == item.token)
                    .values(lease_until=None, attempt=inbox.c.attempt - 1)
                )

    def troubled(self, limit: int) -> list[tuple[OrthancId, str]]:
        """Arrivals that failed and wait for another try, oldest first, each with its error.

        Raises
        ------
        StoreError, StoreUnavailableError
            The database did not answer.
        """
        with reading(self._engine) as connection:
            rows = connection.execute(
                sa.select(inbox.c.orthanc_id, inbox.c.error)
                .where(inbox.c.error.is_not(None))
                .order_by(inbox.c.id)
                .limit(limit)
            )
            return [(OrthancId(row.orthanc_id), row.error) for row in rows]

    def count(self) -> int:
        """How many arrivals wait or are being worked on.

        Raises
        ------
        StoreError, StoreUnavailableError
            The database did not answer.
        """
        with reading(self._engine) as connection:
            return connection.execute(sa.select(sa.func.count()).select_from(inbox)).scalar_one()


def add_arrivals(connection: sa.Connection, arrivals: Sequence[Arrival], clock: Clock) -> None:
    """Write arrivals in the caller's transaction."""
    if not arrivals:
        return
    time = now(connection, clock)
    connection.execute(
        insert(connection, inbox).on_conflict_do_nothing(index_elements=list(_KEY)),
        fitted(
            inbox,
            [
                {
                    "orthanc_id": arrival.orthanc_id,
                    "aet": arrival.aet,
                    "address": arrival.address,
                    "origin": arrival.origin,
                    "center_code": arrival.center_code,
                    "deleted": arrival.deleted,
                    "received_at": arrival.received_at,
                    "attempt": 0,
                    "token": 0,
                    "run_at": time,
                }
                for arrival in arrivals
            ],
        ),
    )


def take(connection: sa.Connection, items: Iterable[InboxItem]) -> set[int]:
    """Remove claimed arrivals in the caller's transaction.

    Returns
    -------
    set
        Ids of the items that were still ours: another worker has the others.
    """
    tokens = {item.id: item.token for item in items}
    taken: set[int] = set()
    for part in chunks(sorted(tokens)):
        rows = connection.execute(
            sa.select(inbox.c.id, inbox.c.token).where(inbox.c.id.in_(part)).with_for_update()
        )
        ours = {row.id for row in rows if row.token == tokens[row.id]}
        connection.execute(sa.delete(inbox).where(inbox.c.id.in_(ours)))
        taken |= ours
    return taken


def _item(row: "sa.Row[tuple[object, ...]]") -> InboxItem:
    return InboxItem(
        id=row.id,
        token=row.token,
        attempt=row.attempt,
        arrival=Arrival(
            orthanc_id=OrthancId(row.orthanc_id),
            aet=row.aet,
            address=row.address,
            origin=row.origin,
            received_at=row.received_at,
            deleted=row.deleted,
            center_code=row.center_code,
        ),
    )
