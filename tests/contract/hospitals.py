"""Centers that send the same objects to one archive, driven through the real use cases."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta

import sqlalchemy as sa
from pydicom.dataset import Dataset

from rtpacs.errors import NotFoundError
from rtpacs.rules.access import EVERYTHING
from rtpacs.rules.assembly import assemble
from rtpacs.rules.decisions import DecisionKind, Statement
from rtpacs.rules.jobs import JobKind
from rtpacs.rules.objects import OrthancId
from rtpacs.services.contents import Contents, content_name
from rtpacs.services.decisions import Deciding
from rtpacs.services.desk import NewNode
from rtpacs.services.intake import Intake
from rtpacs.services.ports import UPLOADED, Arrival, Claim, Receipt
from rtpacs.services.repeats import Repeat, RepeatedArrival, Repeats
from rtpacs.services.versions import Settlement
from rtpacs.services.withdrawal import Withdrawal
from rtpacs.store.decisions import SqlDecisions
from rtpacs.store.directory import SqlDirectory
from rtpacs.store.owners import SqlOwners
from rtpacs.store.schema import center, dicom_object, patient, plan_set, version
from rtpacs.store.series_versions import SqlSeriesVersions
from rtpacs.store.settlements import SqlSettlements
from rtpacs.store.versions import SqlVersions
from tests.builders import to_bytes
from tests.contract.world import QUIET_SECONDS, World
from tests.unit.services.fakes import (
    MemoryArchive,
    MemoryFiles,
    MemoryHashes,
    MemorySpool,
    PlainReader,
    an_admission,
)

ADDRESSES = {"NORTH": "192.0.2.1", "SOUTH": "192.0.2.2"}


def orthanc_id(dataset: Dataset) -> OrthancId:
    """What Orthanc calls an instance: a SHA-1 of its four identifiers."""
    keys = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
    text = "|".join(str(dataset.get(key, "")) for key in keys)
    name = hashlib.sha1(text.encode("ascii"), usedforsecurity=False).hexdigest()
    return OrthancId("-".join(name[start : start + 8] for start in range(0, 40, 8)))


class FirstWins(MemoryArchive):
    """As Orthanc: the first bytes of an id stay, what comes later is dropped."""

    def __init__(self) -> None:
        super().__init__()
        self.first: dict[OrthancId, Arrival] = {}

    def arrival(self, orthanc_id):
        return self.first[orthanc_id]


class Hospitals:
    """NORTH and SOUTH, each with one sender, and everything between them and the index."""

    def __init__(self, database, *, newest_wins: Iterable[str] = ()) -> None:
        self.database = database
        self.world = World(database)
        self.archive, self.files, self.spool = FirstWins(), MemoryFiles(), MemorySpool()
        self.contents = Contents(originals=self.archive, files=self.files)
        engine, clock, jobs = database.engine, database.clock, self.world.jobs
        self.versions = SqlVersions(engine, clock, jobs)
        self.decisions = SqlDecisions(engine, clock, jobs)
        self.directory = SqlDirectory(engine, clock, jobs)
        self.hashes = MemoryHashes()
        self.arrivals: list[Receipt] = []
        self.again: list[tuple[OrthancId, int]] = []
        self.remove: Callable[[Claim], None] = lambda claim: None
        self._moments = 0
        for code, address in ADDRESSES.items():
            self.know(code, address)
            self.directory.let_newest_win(code, newest_wins=code in newest_wins)
        self.restart()

    def know(self, code: str, address: str) -> None:
        """A center with one sender of the same name."""
        self.directory.add_center(code, code.title())
        self.directory.add_node(
            NewNode(aet=code, center_code=code, host=address, networks=(address,), may_store=True)
        )

    def restart(self) -> None:
        """New processes on the same data."""
        self.admission = an_admission(self.hashes, self.archive)
        self.intake = Intake(
            inbox=self.world.inbox,
            feed=self.world.feed,
            index=self.world.index,
            archive=self.archive,
            reader=PlainReader(),
            admission=self.admission,
            arrived=self.arrivals.extend,
        )
        self.repeats = Repeats(
            spool=self.spool,
            book=self.versions,
            archive=self.archive,
            files=self.files,
            reader=PlainReader(),
            admission=self.admission,
            arrived=lambda arrival, count: self.again.append((arrival.orthanc_id, count)),
        )
        self.settlement = Settlement(
            settlements=SqlSettlements(self.database.engine, self.database.clock, self.world.jobs),
            contents=self.contents,
            reader=PlainReader(),
        )
        self.withdrawal = Withdrawal(
            owners=SqlOwners(self.database.engine, self.world.jobs),
            store=self,
            files=self.files,
            spool=self.spool,
        )

    def send(self, code: str, dataset: Dataset, *, address: str = "") -> None:
        """One C-STORE, as Orthanc and our plugin take it."""
        self._moments += 1
        identifier, data = orthanc_id(dataset), to_bytes(dataset)
        received_at = self.database.clock() + timedelta(milliseconds=self._moments)
        address = address or ADDRESSES[code]
        if identifier in self.archive.files:
            arrival = RepeatedArrival(
                orthanc_id=identifier,
                aet=code,
                addresses=(address,),
                origin="DicomProtocol",
                received_at=received_at,
            )
            self.spool.add(Repeat(arrival=arrival, data=data))
            return
        arrival = Arrival(
            orthanc_id=identifier,
            aet=code,
            address=address,
            origin="DicomProtocol",
            received_at=received_at,
        )
        self._store(arrival, data)

    def recover(self, dataset: Dataset) -> None:
        """A file that Orthanc's index and ours did not know, brought back by a sweep."""
        arrival = Arrival(
            orthanc_id=orthanc_id(dataset),
            aet="",
            address="",
            origin=UPLOADED,
            received_at=self.database.clock(),
        )
        self._store(arrival, to_bytes(dataset))

    def _store(self, arrival: Arrival, data: bytes) -> None:
        self.archive.files[arrival.orthanc_id] = data
        self.archive.first[arrival.orthanc_id] = arrival
        self.world.inbox.add([arrival])

    def delete(self, orthanc_id: OrthancId) -> None:
        """A deletion in Orthanc, of which its plugin tells."""
        if self.archive.files.pop(orthanc_id, None) is not None:
            gone = replace(self.archive.first[orthanc_id], aet="", address="", deleted=True)
            self.world.inbox.add([gone])

    def work(self) -> None:
        """What the worker does until nothing is left; a job that fails fails the test."""
        while self.intake.drain() + self.repeats.drain() + self._job():
            pass

    def _job(self) -> int:
        self.database.pass_time(QUIET_SECONDS + 0.1)
        claim = self.world.jobs.claim()
        if claim is None:
            return 0
        if claim.kind is JobKind.ASSEMBLE:
            key = int(claim.key)
            self.settlement.settle(key)
            objects = self.world.assemblies.objects(key)
            decisions = self.world.assemblies.decisions(key)
            assembly = assemble(objects, patient_key=key, decisions=decisions)
            self.world.assemblies.save(key, assembly, claim)
        elif claim.kind is JobKind.REMOVE:
            self.remove(claim)
        self.world.jobs.finish(claim)
        return 1

    def choose(self, code: str, dataset: Dataset, name: str) -> str:
        """Decide that the content with this digest counts; the decision's id."""
        made = Statement(
            kind=DecisionKind.VERSION, center=code, subject=dataset.SOPInstanceUID, target=name
        )
        seen = self.newest_decision(code, dataset)
        return self.decisions.add(made, author="A. Physicist", reason="looked", seen=seen)

    @property
    def deciding(self) -> Deciding:
        """Deciding as somebody who may settle everything."""
        return Deciding(
            book=self.decisions,
            series=SqlSeriesVersions(self.database.engine, self.database.clock, self.world.jobs),
            assemblies=self.world.assemblies,
            scope=EVERYTHING,
        )

    def newest_decision(self, code: str, dataset: Dataset) -> str | None:
        """The decision that counts now for a center's object."""
        made = [
            item
            for item in self.decisions.dump()
            if item.undone_at is None
            and (item.statement.center, item.statement.subject) == (code, dataset.SOPInstanceUID)
        ]
        return max(made, key=lambda item: item.order).decision_id if made else None

    def rows(self, dataset: Dataset) -> dict[str, sa.Row]:
        """The object's row of each center."""
        found = self.database.rows(
            sa.select(dicom_object, center.c.code)
            .join(center, center.c.id == dicom_object.c.center_id)
            .where(dicom_object.c.orthanc_id == orthanc_id(dataset))
        )
        return {row.code: row for row in found}

    def seen(self, code: str, dataset: Dataset) -> bytes:
        """The object's bytes as a center sees them."""
        row = self.rows(dataset)[code]
        return self.contents.read(content_name(row.orthanc_id, row.version_file))

    def versions_of(self, code: str, dataset: Dataset) -> list[str]:
        """Digests of what a center sent of an object, oldest first."""
        return [
            row.digest
            for row in self.database.rows(
                sa.select(version.c.digest)
                .join(center, center.c.id == version.c.center_id)
                .where(
                    version.c.orthanc_id == orthanc_id(dataset),
                    version.c.dicom_object_id.is_not(None),
                    center.c.code == code,
                )
                .order_by(version.c.first_at, version.c.id)
            )
        ]

    def codes(self, code: str, dataset: Dataset) -> list[str]:
        """Codes of the findings on other contents of a center's object."""
        return [finding["code"] for finding in self.rows(dataset)[code].conflict]

    def states(self, code: str) -> list[str]:
        """States of a center's plan sets."""
        found = self.database.rows(
            sa.select(plan_set.c.state)
            .join(patient, patient.c.id == plan_set.c.patient_id)
            .join(center, center.c.id == patient.c.center_id)
            .where(center.c.code == code)
        )
        return [row.state for row in found]

    def withdraw(self, code: str, dataset: Dataset) -> None:
        """One center takes its copy back."""
        row = self.rows(dataset).get(code)
        if row is None:
            raise NotFoundError("not here")
        self.withdrawal.withdraw(row.public_id)
