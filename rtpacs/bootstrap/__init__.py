"""The only place that wires concrete parts together: everything is built from the settings.

An area with several parts of its own has a module here (``imports``), which ``Application`` names.
"""

import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

from sqlalchemy import Engine

from rtpacs import __version__, keeping, keyring
from rtpacs.archive.rest import OrthancArchive
from rtpacs.archive.spool import FileSpool
from rtpacs.archive.storage import OrthancStorage
from rtpacs.archive.versions import VersionFiles
from rtpacs.bootstrap.access_logging import AccessLogging
from rtpacs.bootstrap.desks import Readers
from rtpacs.bootstrap.guarding import Guarding
from rtpacs.bootstrap.imports import Imports
from rtpacs.bootstrap.removals import RemovalParts
from rtpacs.bootstrap.sendings import Sendings
from rtpacs.bootstrap.viewer import Viewing
from rtpacs.bootstrap.watching import Watching
from rtpacs.dicom.limited import LimitedReader
from rtpacs.dicom.summary import READER_VERSION
from rtpacs.dosimetry import ALGORITHM_VERSION
from rtpacs.rules.access import SYSTEM
from rtpacs.rules.jobs import JobKind
from rtpacs.rules.objects import OrthancId
from rtpacs.services.authority import nobody, operator
from rtpacs.services.backup import Backup
from rtpacs.services.contents import Contents
from rtpacs.services.desk import Desk
from rtpacs.services.inspecting import TagList
from rtpacs.services.intake import Intake
from rtpacs.services.orphans import Orphans
from rtpacs.services.ownership import OwnerNotes
from rtpacs.services.reconcile import Belonging, Reconciler
from rtpacs.services.repeats import Repeats
from rtpacs.services.restore import Restore
from rtpacs.services.settle import Settling
from rtpacs.services.verification import Verification
from rtpacs.services.versions import Settlement
from rtpacs.services.work import Handler, Work
from rtpacs.settings import Settings, load
from rtpacs.store.accounts import SqlAccounts
from rtpacs.store.agreements import SqlAgreements
from rtpacs.store.assemblies import SqlAssemblies
from rtpacs.store.calculations import SqlCalculations
from rtpacs.store.decisions import SqlDecisions
from rtpacs.store.directory import SqlDirectory
from rtpacs.store.engine import BUSY_SECONDS, create_engine, require_sound
from rtpacs.store.extract import write_extract
from rtpacs.store.facts import SqlFacts
from rtpacs.store.feed import SqlFeed
from rtpacs.store.inbox import SqlInbox
from rtpacs.store.index import SqlIndex
from rtpacs.store.jobs import SqlJobs
from rtpacs.store.migrations import migrate
from rtpacs.store.operations import SqlOperations
from rtpacs.store.owner_notes import SqlOwnerBook
from rtpacs.store.quarantine import SqlQuarantine
from rtpacs.store.recalculations import SqlRecalculations
from rtpacs.store.settlements import SqlSettlements
from rtpacs.store.verification import SqlVerification
from rtpacs.store.versions import SqlVersions


def utc_now() -> datetime:
    """The clock of the running system."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Application:
    """The parts of one process, each made when it is first asked for."""

    settings: Settings
    clock: Callable[[], datetime] = utc_now
    busy_seconds: float = BUSY_SECONDS

    @cached_property
    def engine(self) -> Engine:
        """The database, at the present schema."""
        engine = create_engine(self.settings.sqlalchemy_url, busy_seconds=self.busy_seconds)
        migrate(engine)
        return engine

    def prepare_database(self) -> None:
        """Bring the schema up to date, before anything runs.

        Raises
        ------
        StoreDamagedError
            The file is damaged: nothing may go on with it.
        """
        require_sound(self.engine)

    @property
    def archive_name(self) -> str:
        """Whose change feed a cursor belongs to: each machine has an Orthanc of its own."""
        return "embedded" if not self.settings.database_url else socket.gethostname()

    @cached_property
    def archive(self) -> OrthancArchive:
        """Orthanc on this machine, as the service account."""
        return self.another_archive()

    def another_archive(self) -> OrthancArchive:
        """Orthanc with a connection of its own, for another thread."""
        return OrthancArchive(
            self.settings.orthanc_url,
            keyring.secret(self.settings.home, keyring.SERVICE_PASSWORD),
            self.settings.home / "orthanc",
        )

    @cached_property
    def jobs(self) -> SqlJobs:
        """The durable table of work."""
        return SqlJobs(
            self.engine,
            self.clock,
            quiet_seconds=self.settings.quiet_seconds,
            quiet_limit_seconds=self.settings.quiet_limit_seconds,
        )

    @cached_property
    def inbox(self) -> SqlInbox:
        """Arrivals that are not yet indexed."""
        return SqlInbox(self.engine, self.clock)

    @cached_property
    def index(self) -> SqlIndex:
        """What the archive holds."""
        return SqlIndex(self.engine, self.clock, self.jobs)

    def storing_titles(self) -> frozenset[str]:
        """AE titles of all nodes that may store."""
        return frozenset(node.aet for node in self.desk.directory.nodes() if node.may_store)

    @cached_property
    def facts(self) -> SqlFacts:
        """Heartbeats of processes."""
        return SqlFacts(self.engine, self.clock)

    @cached_property
    def reconciler(self) -> Reconciler:
        """The full comparison with the archive."""
        return Reconciler(
            archive=self.archive,
            index=self.index,
            inbox=self.inbox,
            feed=self.feed,
            archive_name=self.archive_name,
            belonging=self.belonging,
            clock=self.clock,
            reader_version=READER_VERSION,
            recall=self.removals.admission.recall,
            erase_again=lambda progress: self.removals.erasure.reapply(progress),
            recover=lambda progress: len(self.orphans.sweep(progress).recovered),
            note_owners_again=SqlOwnerBook(self.engine).note_newest_again,
        )

    @cached_property
    def verification(self) -> Verification:
        """Reading every file once in a while."""
        storage = OrthancStorage(self.settings.home / "orthanc")

        def is_whole(orthanc_id: OrthancId) -> bool:
            name, md5 = self.archive.file_name(orthanc_id), self.archive.md5(orthanc_id)
            return storage.holds(name, md5)

        return Verification(
            book=SqlVerification(self.engine, self.clock, self.jobs),
            is_whole=is_whole,
            read_version=self.version_files.read,
            clock=self.clock,
            period=timedelta(days=self.settings.verify_days),
        )

    @cached_property
    def orphans(self) -> Orphans:
        """Files that Orthanc's index does not know."""
        return Orphans(
            storage=OrthancStorage(self.settings.home / "orthanc"),
            archive=self.archive,
            owners=SqlOwnerBook(self.engine),
            inbox=self.inbox,
            clock=self.clock,
            is_erased=self.removals.erased.knows_file,
        )

    @cached_property
    def removals(self) -> RemovalParts:
        """Withdrawals and erasures."""
        return RemovalParts(
            settings=self.settings,
            clock=self.clock,
            engine=self.engine,
            jobs=self.jobs,
            open_archive=self.another_archive,
            empty_cache=self.viewing.packs.empty,
        )

    @cached_property
    def belonging(self) -> Belonging:
        """Whether Orthanc and the database belong together."""
        return Belonging(identify=self.archive.identity, ownership=self.facts)

    def reader(self) -> LimitedReader:
        """A new limited child that reads DICOM; each thread needs its own."""
        return LimitedReader(
            memory_mb=self.settings.parse_memory_mb,
            seconds=self.settings.parse_seconds,
            total_seconds=self.settings.calculation_seconds,
        )

    @cached_property
    def feed(self) -> SqlFeed:
        """Our cursor in the archive's changes."""
        return SqlFeed(self.engine, self.clock)

    @cached_property
    def operations(self) -> SqlOperations:
        """What runs and what went wrong, all of it."""
        return SqlOperations(self.engine, self.clock, self.jobs, SYSTEM.jobs)

    @cached_property
    def recalculations(self) -> SqlRecalculations:
        """Calculating again: one pair, or everything."""
        return SqlRecalculations(self.engine, self.clock, self.jobs)

    @cached_property
    def settling(self) -> Settling:
        """Whether everything that arrived is calculated."""
        return Settling(
            archive=self.archive,
            feed=self.feed,
            archive_name=self.archive_name,
            moving=self.operations.moving,
            repeats=lambda: len(self.spool.waiting()),
        )

    def intake(self, reader: LimitedReader) -> Intake:
        """The use case that moves arrivals into the index."""
        return Intake(
            inbox=self.inbox,
            feed=self.feed,
            index=self.index,
            archive=self.archive,
            reader=reader,
            admission=self.removals.admission,
            arrived=self.access_logging.arrivals.indexed,
        )

    @cached_property
    def imports(self) -> Imports:
        """Bringing in files of old exports."""
        return Imports(
            settings=self.settings,
            clock=self.clock,
            open_archive=self.another_archive,
            erased=self.removals.erased,
            read_version=self.version_files.read,
        )

    @cached_property
    def guarding(self) -> Guarding:
        """Answering programs and DICOM nodes within their rights."""
        return Guarding(
            engine=self.engine,
            clock=self.clock,
            contents=self.contents,
            imports=self.imports,
            accounts=SqlAccounts(self.engine, self.clock),
            open_archive=self.another_archive,
            new_reader=self.reader,
            recorder=self.access_logging.recorder,
            pseudonym_form=SqlDirectory(self.engine, self.clock, self.jobs).pseudonym_form,
        )

    @cached_property
    def spool(self) -> FileSpool:
        """What came again and is not recorded yet."""
        return FileSpool(self.settings.home)

    @cached_property
    def version_files(self) -> VersionFiles:
        """Contents beside those that Orthanc holds."""
        return VersionFiles(self.settings.home)

    @cached_property
    def contents(self) -> Contents:
        """The bytes of objects as their centers see them."""
        return Contents(originals=self.archive, files=self.version_files)

    @cached_property
    def versions(self) -> SqlVersions:
        """Contents of objects that came more than once."""
        return SqlVersions(self.engine, self.clock, self.jobs)

    def repeats(self, reader: LimitedReader) -> Repeats:
        """The use case that compares what came again."""
        return Repeats(
            spool=self.spool,
            book=self.versions,
            archive=self.archive,
            files=self.version_files,
            reader=reader,
            admission=self.removals.admission,
            arrived=self.access_logging.arrivals.repeated,
        )

    def work(self, reader: LimitedReader) -> Work:
        """The use cases that run as jobs."""
        return Work(
            assemblies=self.assemblies,
            calculations=SqlCalculations(self.engine, self.clock),
            contents=self.contents,
            settlement=Settlement(
                settlements=SqlSettlements(self.engine, self.clock, self.jobs),
                contents=self.contents,
                reader=reader,
            ),
            reader=reader,
            reconciler=self.reconciler,
            packing=self.viewing.packing(reader),
            remove=self.removals.removing.run,
            clock=self.clock,
        )

    @cached_property
    def sendings(self) -> Sendings:
        """Sending objects to other nodes."""
        return Sendings(
            settings=self.settings,
            engine=self.engine,
            clock=self.clock,
            may_send=self.guarding.may_send,
            may_download=self.guarding.may_download,
            may_fetch=self.guarding.may_fetch,
        )

    def transfer_handlers(self, reader: LimitedReader) -> Mapping[JobKind, Handler]:
        """What jobs by which objects leave do, for one thread with connections of its own."""
        contents = Contents(originals=self.another_archive(), files=self.version_files)
        return {
            JobKind.FORWARD: self.sendings.forwarding(reader, contents).run,
            JobKind.DOWNLOAD: self.sendings.writing(contents).run,
            JobKind.QUERY: self.sendings.remote().query,
            JobKind.RETRIEVE: self.sendings.remote().retrieve,
        }

    def list_tags(self, data: bytes) -> TagList:
        """The attributes of a file, read by a child of its own: nobody asks for them often."""
        reader = self.reader()
        try:
            return reader.tags(data)
        finally:
            reader.close()

    def clear_downloads(self) -> int:
        """Remove downloads whose time is over."""
        return self.sendings.writing(self.contents).clear()

    @cached_property
    def viewing(self) -> Viewing:
        """What the viewer shows, prepared."""
        return Viewing(
            settings=self.settings, engine=self.engine, contents=self.contents, jobs=self.jobs
        )

    @cached_property
    def assemblies(self) -> SqlAssemblies:
        """Plan sets and pairs."""
        return SqlAssemblies(self.engine, self.clock, self.jobs)

    @cached_property
    def decisions(self) -> SqlDecisions:
        """What people decided; ``dump`` and ``load`` are for backup and export."""
        return SqlDecisions(self.engine, self.clock, self.jobs)

    @cached_property
    def owner_notes(self) -> OwnerNotes:
        """Noting owners beside the objects that Orthanc holds."""
        return OwnerNotes(book=SqlOwnerBook(self.engine), archive=self.archive)

    @cached_property
    def watching(self) -> Watching:
        """How the system is."""
        return Watching(
            settings=self.settings,
            engine=self.engine,
            clock=self.clock,
            jobs=self.jobs,
            inbox=self.inbox,
            facts=self.facts,
            archive=self.archive,
            belonging=self.belonging,
            spool=self.spool,
            sendings=self.sendings,
        )

    @cached_property
    def desk(self) -> Desk:
        """What pages, REST and commands work with, seeing no patient: ``for_actor`` does."""
        readers = Readers(
            engine=self.engine,
            clock=self.clock,
            jobs=self.jobs,
            book=self.decisions,
            assemblies=self.assemblies,
            viewing=self.viewing,
            sendings=self.sendings,
            contents=self.contents,
            guarding=self.guarding,
            removals=self.removals,
            list_tags=self.list_tags,
        )
        return Desk(
            authority=nobody(self.clock),
            readers=readers,
            **readers(nobody(self.clock)),
            recalculations=self.recalculations,
            directory=SqlDirectory(self.engine, self.clock, self.jobs),
            quarantine=SqlQuarantine(self.engine, self.clock, self.jobs),
            accounts=SqlAccounts(self.engine, self.clock),
            agreements=SqlAgreements(self.engine, self.clock),
            recorder=self.access_logging.recorder,
            access_log=self.access_logging.book,
            health=self.watching.health,
            machine=self.watching.machine,
            overview=lambda: self.watching.watch().look(),
            node_tests=self.watching.reachability(),
            metrics_token=keyring.secret(self.settings.home, keyring.METRICS_TOKEN),
            clock=self.clock,
            await_days=self.settings.await_days,
            secret_key=keyring.secret(self.settings.home, keyring.SESSION_KEY).encode("ascii"),
            version=__version__,
        )

    @cached_property
    def access_logging(self) -> AccessLogging:
        """Who looked at what."""
        return AccessLogging(settings=self.settings, engine=self.engine, clock=self.clock)

    @cached_property
    def system_desk(self) -> Desk:
        """The desk of the operator at the command line, who sees everything."""
        return self.desk.under(operator(self.clock))

    def write_extract(self, desk: Desk, folder: Path, plan_sets: Sequence[str] | None) -> int:
        """Write plan sets, or all that a desk shows, as a research extract; how many."""
        return write_extract(
            desk.catalogue,
            desk.doses,
            folder=folder,
            plan_set_ids=plan_sets,
            about={"rtpacs": __version__, "dvh_algorithm": ALGORITHM_VERSION},
            written_at=self.clock(),
        )

    def backup(self, folder: Path) -> Backup:
        """Backups of this installation in one folder."""
        return keeping.backup(
            self.settings.home,
            folder,
            engine=self.engine,
            decisions=self.decisions,
            facts=self.facts,
            clock=self.clock,
        )

    def restore(self, folder: Path) -> Restore:
        """Bringing a backup in a folder back into the data folder of the settings."""
        return keeping.restore(self.settings.home, folder, url=self.settings.sqlalchemy_url)


def open_application(*, busy_seconds: float = BUSY_SECONDS) -> Application:
    """The application with the settings of this process's environment.

    ``busy_seconds`` is how long it waits for another writer of an SQLite database.

    Raises
    ------
    SettingsError
        A setting cannot be used.
    """
    return Application(load()[0], busy_seconds=busy_seconds)
