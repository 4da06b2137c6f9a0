"""The index of what is in the archive: written in batches, one transaction each."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import sqlalchemy as sa

from rtpacs.rules.jobs import JobKind
from rtpacs.rules.objects import OrthancId
from rtpacs.services.ports import Arrival, Clock, InboxItem, JobRequest, Receipt
from rtpacs.store.conflicts import refresh_namesakes
from rtpacs.store.engine import Serial, chunks, now, reading, writing
from rtpacs.store.filing import add_objects, caller_of, center_noted, id_of, note_arrivals
from rtpacs.store.inbox import add_arrivals, take
from rtpacs.store.jobs import SqlJobs
from rtpacs.store.links import linked_patients
from rtpacs.store.owners import remove_rows
from rtpacs.store.schema import dicom_object, version
from rtpacs.store.senders import senders

PAGE = 5000


class SqlIndex:
    """``services.ports.Index`` on SQL."""

    def __init__(self, engine: sa.Engine, clock: Clock, jobs: SqlJobs) -> None:
        self._engine = engine
        self._clock = clock
        self._jobs = jobs

    def known(self, orthanc_ids: Sequence[OrthancId]) -> set[OrthancId]:
        """Which of these are indexed (readable or not).

        Raises
        ------
        StoreError, StoreUnavailableError
            The database did not answer.
        """
        with reading(self._engine) as connection:
            return {OrthancId(orthanc_id) for orthanc_id in _object_ids(connection, orthanc_ids)}

    def record(self, receipts: Sequence[Receipt]) -> list[Receipt]:
        """Index receipts and remove their inbox rows in one transaction.

        Receipts that another worker took over meanwhile are left to it. A repeat (neither parsed
        nor error) of an object that left the index meanwhile stays in the inbox: its next claim
        reads it anew.

        Returns
        -------
        list
            Those by which an object came into the index.

        Raises
        ------
        StoreError, StoreUnavailableError
            Nothing was written.
        """
        with writing(self._engine, serial=Serial.INDEX) as connection:
            present = _object_ids(connection, [id_of(receipt) for receipt in receipts])
            usable = [receipt for receipt in receipts if _usable(receipt, present)]
            taken = take(connection, [receipt.item for receipt in usable])
            ours = [receipt for receipt in usable if receipt.item.id in taken]
            if not ours:
                return []
            time = now(connection, self._clock)
            noted = {caller_of(item): code for item in ours if (code := center_noted(item))}
            callers = {caller_of(receipt) for receipt in ours}
            known_senders = senders(connection, callers, time, noted=noted)
            new: dict[str, Receipt] = {}
            for receipt in ours:
                if id_of(receipt) not in present:
                    new.setdefault(id_of(receipt), receipt)
            made = add_objects(connection, list(new.values()), known_senders)
            note_arrivals(connection, ours, known_senders, present | made)
            named_twice = refresh_namesakes(connection, made.values())
            self._ask_assembly(connection, {*made.values(), *named_twice})
        return list(new.values())

    def forget(self, items: Sequence[InboxItem], again: Sequence[Arrival]) -> None:
        """Remove objects that left the archive, and ask for the assembly of their patients.

        All owners lose them. Versions that only we hold stay, without an object, and are reported.
        ``again`` are those of them that came back since, maybe with other content: in the same
        transaction they go into the inbox, to be read anew.
        Series, studies and patients that are empty then go with them; so do the plan sets, pairs
        and calculations that rest on them.

        Raises
        ------
        StoreError, StoreUnavailableError
            Nothing was removed.
        """
        with writing(self._engine, serial=Serial.INDEX) as connection:
            taken = take(connection, items)
            going = {item.arrival.orthanc_id for item in items if item.id in taken}
            back = [arrival for arrival in again if arrival.orthanc_id in going]
            add_arrivals(connection, back, self._clock)
            ids = _all_owners(connection, going)
            _drop_originals(connection, ids)
            remove_rows(connection, self._jobs, ids, "Assemble after deletion")

    def orthanc_ids(self) -> Iterator[OrthancId]:
        """All indexed ids, in ascending order.

        Raises
        ------
        StoreError, StoreUnavailableError
            The database did not answer.
        """
        last = ""
        while True:
            with reading(self._engine) as connection:
                page = connection.scalars(
                    sa.select(dicom_object.c.orthanc_id)
                    .distinct()
                    .where(dicom_object.c.orthanc_id > last)
                    .order_by(dicom_object.c.orthanc_id)
                    .limit(PAGE)
                ).all()
            yield from (OrthancId(orthanc_id) for orthanc_id in page)
            if len(page) < PAGE:
                return
            last = page[-1]

    def unreadable(self, *, read_before: int) -> list[OrthancId]:
        """Ids of objects that no reader of a version before this one could read.

        Those with several contents or owners are left out: they would lose them on the way.

        Raises
        ------
        StoreError, StoreUnavailableError
            The database did not answer.
        """
        with reading(self._engine) as connection:
            found = connection.scalars(
                sa.select(dicom_object.c.orthanc_id)
                .where(
                    dicom_object.c.patient_id.is_(None),
                    dicom_object.c.reader_version < read_before,
                    ~sa.exists().where(version.c.dicom_object_id == dicom_object.c.id),
                )
                .order_by(dicom_object.c.id)
            )
            return [OrthancId(orthanc_id) for orthanc_id in found]

    def _ask_assembly(self, connection: sa.Connection, object_ids: Collection[int]) -> None:
        counts: dict[int, int] = dict.fromkeys(linked_patients(connection, object_ids), 0)
        for part in chunks(sorted(object_ids)):
            for owner in connection.scalars(
                sa.select(dicom_object.c.patient_id).where(
                    dicom_object.c.id.in_(part), dicom_object.c.patient_id.is_not(None)
                )
            ):
                counts[owner] = counts.get(owner, 0) + 1
        self._jobs.ask(
            connection,
            [_assembly(key, f"Assemble {count} new objects") for key, count in counts.items()],
        )


def _assembly(patient_id: int, label: str) -> JobRequest:
    return JobRequest(kind=JobKind.ASSEMBLE, key=str(patient_id), label=label)


def _usable(receipt: Receipt, present: Mapping[str, int]) -> bool:
    """Whether the receipt says what to write: a repeat of an object that is not here does not."""
    is_repeat = receipt.parsed is None and receipt.error is None
    return not is_repeat or id_of(receipt) in present


def _all_owners(connection: sa.Connection, orthanc_ids: Iterable[str]) -> list[int]:
    """Every center's row of these objects."""
    found: list[int] = []
    for part in chunks(sorted(set(orthanc_ids))):
        keys = sa.select(dicom_object.c.id).where(dicom_object.c.orthanc_id.in_(part))
        found += connection.scalars(keys)
    return sorted(found)


def _object_ids(connection: sa.Connection, orthanc_ids: Iterable[str]) -> dict[str, int]:
    """The first owner's row of each object."""
    found: dict[str, int] = {}
    for part in chunks(sorted(set(orthanc_ids))):
        rows = connection.execute(
            sa.select(dicom_object.c.orthanc_id, sa.func.min(dicom_object.c.id).label("id"))
            .where(dicom_object.c.orthanc_id.in_(part))
            .group_by(dicom_object.c.orthanc_id)
        )
        found |= {row.orthanc_id: row.id for row in rows}
    return found


def _drop_originals(connection: sa.Connection, object_ids: Sequence[int]) -> None:
    """Forget versions whose bytes went with Orthanc's; the others outlive their object."""
    for part in chunks(object_ids):
        connection.execute(
            sa.delete(version).where(
                version.c.dicom_object_id.in_(part), version.c.in_archive.is_(True)
            )
        )
