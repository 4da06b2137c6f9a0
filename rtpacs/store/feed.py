"""Our place in the archive's change feed, and what of it is known already."""

from collections.abc import Sequence

import sqlalchemy as sa

from rtpacs.rules.objects import OrthancId
from rtpacs.services.ports import Arrival, Clock
from rtpacs.store.engine import chunks, insert, reading, writing
from rtpacs.store.inbox import add_arrivals
from rtpacs.store.schema import dicom_object, feed, inbox


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
