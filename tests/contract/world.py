"""The writing side of the store as the worker uses it, and short ways to fill it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from rtpacs.rules.assembly import assemble
from rtpacs.rules.jobs import JobKind, JobState
from rtpacs.rules.objects import Finding, OrthancId, ParsedObject
from rtpacs.services.ports import Arrival, Claim, Receipt
from rtpacs.store.assemblies import SqlAssemblies
from rtpacs.store.calculations import SqlCalculations
from rtpacs.store.feed import SqlFeed
from rtpacs.store.inbox import SqlInbox
from rtpacs.store.index import SqlIndex
from rtpacs.store.jobs import SqlJobs
from rtpacs.store.schema import job
from tests.contract.databases import START, Database

# PostgreSQL's clock runs on while a test does: a busy machine must not make it quiet.
QUIET_SECONDS = 8.0
QUIET_LIMIT_SECONDS = 160.0


def an_arrival(
    orthanc_id: str,
    *,
    aet: str = "TPS",
    address: str = "192.0.2.7",
    received_at: datetime = START,
    deleted: bool = False,
) -> Arrival:
    """One arrival over C-STORE."""
    return Arrival(
        orthanc_id=OrthancId(orthanc_id),
        aet=aet,
        address=address,
        origin="DicomProtocol",
        received_at=received_at,
        deleted=deleted,
    )


@dataclass
class World:
    """All writing adapters on one database."""

    database: Database
    inbox: SqlInbox = field(init=False)
    feed: SqlFeed = field(init=False)
    jobs: SqlJobs = field(init=False)
    index: SqlIndex = field(init=False)
    assemblies: SqlAssemblies = field(init=False)
    calculations: SqlCalculations = field(init=False)

    def __post_init__(self) -> None:
        engine, clock = self.database.engine, self.database.clock
        self.inbox = SqlInbox(engine, clock)
        self.feed = SqlFeed(engine, clock)
        self.jobs = SqlJobs(
            engine,
            clock,
            quiet_seconds=QUIET_SECONDS,
            quiet_limit_seconds=QUIET_LIMIT_SECONDS,
        )
        self.index = SqlIndex(engine, clock, self.jobs)
        self.assemblies = SqlAssemblies(engine, clock, self.jobs)
        self.calculations = SqlCalculations(engine, clock)

    def receive(
        self,
        objects: Iterable[tuple[str, ParsedObject | None]],
        *,
        aet: str = "TPS",
        received_at: datetime = START,
        error: Finding | None = None,
        reader_version: int = 1,
    ) -> None:
        """Let objects of one sender arrive and be indexed in one batch."""
        sent = list(objects)
        self.receive_all(
            [(an_arrival(key, aet=aet, received_at=received_at), parsed) for key, parsed in sent],
            error=error,
            reader_version=reader_version,
        )

    def receive_all(
        self,
        sent: Sequence[tuple[Arrival, ParsedObject | None]],
        *,
        error: Finding | None = None,
        reader_version: int = 1,
    ) -> None:
        """Let objects of any senders arrive and be indexed in one batch."""
        parsed_of = {arrival.orthanc_id: parsed for arrival, parsed in sent}
        self.inbox.add([arrival for arrival, _ in sent])
        self.index.record(
            [
                Receipt(
                    item=item,
                    parsed=parsed_of[item.arrival.orthanc_id],
                    error=error,
                    size_bytes=1000,
                    reader_version=reader_version,
                )
                for item in self.inbox.claim(len(sent))
            ]
        )

    def delete(self, orthanc_ids: Sequence[str]) -> None:
        """Let the archive report that it lost these objects."""
        self.inbox.add([an_arrival(key, deleted=True) for key in orthanc_ids])
        self.index.forget(self.inbox.claim(len(orthanc_ids)), [])

    def next_claim(self, kind: JobKind) -> Claim:
        """The next job once everything is quiet, which must be of this kind."""
        self.database.pass_time(QUIET_SECONDS + 0.1)
        claim = self.jobs.claim()
        assert claim is not None
        assert claim.kind is kind
        return claim

    def assemble_all(self) -> list[int]:
        """Run every waiting assembly; returns the patients. Calculations stay where they are."""
        done = []
        self.database.pass_time(QUIET_SECONDS + 0.1)
        while self._assemblies_wait():
            claim = self.jobs.claim()
            assert claim is not None
            assert claim.kind is JobKind.ASSEMBLE
            key = int(claim.key)
            objects = self.assemblies.objects(key)
            decisions = self.assemblies.decisions(key)
            assembly = assemble(objects, patient_key=key, decisions=decisions)
            self.assemblies.save(key, assembly, claim)
            self.jobs.finish(claim)
            done.append(key)
        return done

    def _assemblies_wait(self) -> bool:
        waiting = sa.select(job.c.id).where(
            job.c.kind == JobKind.ASSEMBLE, job.c.state == JobState.READY
        )
        return bool(self.database.rows(waiting.limit(1)))
