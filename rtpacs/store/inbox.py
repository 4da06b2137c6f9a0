"""The durable record of arrivals that are not yet in the index, and our place in the feed."""

import secrets
from collections.abc import Iterable, Sequence
from datetime import timedelta

import sqlalchemy as sa

from rtpacs.rules.jobs import LONGEST_DELAY_S, retry_delay_seconds
from rtpacs.rules.objects import OrthancId
from rtpacs.services.ports import Arrival, Clock, InboxItem
from rtpacs.store.engine import chunks, insert, now, reading, writing
from rtpacs.store.fitting import fitted
from rtpacs.store.schema import dicom_object, feed, inbox
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
            )
            rows = connection.execute(
                sa.update(inbox)
                .where(inbox.c.id.in_(waiting))
                .values(
                    token=inbox.c.token + 1,
                    attempt=inbox.c.attempt + 1,
                    lease_until=time + LEASE,
                )
                .returning(inbox)
            ).all()
        return sorted((_item(row) for row in rows), key=lambda item: item.id)

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


class SqlFeed:
    """``services.ports.Feed`` on SQL."""

    def __init__(self, engine: sa.Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def cursor(self, archive_name: str) -> int:
        """The last change that is safely in inbox or index; 0 before the first.

        Raises
        ------
        StoreError, StoreUnavailableError
            The database did not answer.
        """
        with reading(self._engine) as connection:
            found = connection.execute(
                sa.select(feed.c.cursor).where(feed.c.archive_name == archive_name)
            ).scalar_one_or_none()
        return found or 0

    def missing(self, orthanc_ids: Sequence[OrthancId]) -> list[OrthancId]:
        """Which of these are neither in the index nor in the inbox, in the given order.

        An indexed object whose deletion waits counts as missing: it came back.

        Raises
        ------
        StoreError, StoreUnavailableError
            The database did not answer.
        """
        with reading(self._engine) as connection:
            here = _here(connection, orthanc_ids)
        return [orthanc_id for orthanc_id in orthanc_ids if orthanc_id not in here]

    def advance(self, archive_name: str, cursor: int, arrivals: Sequence[Arrival]) -> int:
        """Move the cursor and, in the same transaction, put unknown arrivals into the inbox.

        The cursor may also go back, to an archive that began anew: what is known is left out, so
        reading a stretch twice does nothing.

        Returns
        -------
        int
            How many arrivals were new.

        Raises
        ------
        StoreError, StoreUnavailableError
            Neither the cursor nor the inbox changed.
        """
        with writing(self._engine) as connection:
            unknown = _unknown(connection, arrivals)
            add_arrivals(connection, unknown, self._clock)
            statement = insert(connection, feed).values(archive_name=archive_name, cursor=cursor)
            connection.execute(
                statement.on_conflict_do_update(
                    index_elements=[feed.c.archive_name],
                    set_={"cursor": statement.excluded.cursor},
                )
            )
        return len(unknown)


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


def _unknown(connection: sa.Connection, arrivals: Sequence[Arrival]) -> list[Arrival]:
    """Those that change something: new objects that are not here, deletions of those that are."""
    here = _here(connection, [arrival.orthanc_id for arrival in arrivals])
    new: dict[tuple[str, bool], Arrival] = {}
    for arrival in arrivals:
        if arrival.deleted == (arrival.orthanc_id in here):
            new.setdefault((arrival.orthanc_id, arrival.deleted), arrival)
    return list(new.values())


def _here(connection: sa.Connection, orthanc_ids: Sequence[OrthancId]) -> set[str]:
    """Those that are on their way in, or indexed and not on their way out."""
    coming: set[str] = set()
    going: set[str] = set()
    indexed: set[str] = set()
    for part in chunks(sorted(set(orthanc_ids))):
        waiting = sa.select(inbox.c.orthanc_id, inbox.c.deleted)
        for row in connection.execute(waiting.where(inbox.c.orthanc_id.in_(part))):
            (going if row.deleted else coming).add(row.orthanc_id)
        known = sa.select(dicom_object.c.orthanc_id)
        indexed |= set(connection.scalars(known.where(dicom_object.c.orthanc_id.in_(part))))
    return coming | (indexed - going)


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
        ),
    )
