"""The parts that say how the system is: health, machine, nodes, and what waits."""

import platform
import shutil
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Engine

from rtpacs import __version__, keyring
from rtpacs.archive.echo import ask_node
from rtpacs.archive.rest import OrthancArchive, guard_refuses
from rtpacs.archive.spool import FileSpool
from rtpacs.bootstrap.sendings import Sendings
from rtpacs.dosimetry import ALGORITHM_VERSION
from rtpacs.errors import RtpacsError
from rtpacs.rules.access import SYSTEM
from rtpacs.services.desk import HealthReport, MachineFacts
from rtpacs.services.forwarding import Recipient
from rtpacs.services.health import Health
from rtpacs.services.overview import Watch
from rtpacs.services.ports import Clock
from rtpacs.services.reachability import NodeAnswer, Reachability
from rtpacs.services.reconcile import Belonging
from rtpacs.services.views import NodeRow
from rtpacs.settings import Settings
from rtpacs.store.decision_rows import SqlDecisionLists
from rtpacs.store.directory import SqlDirectory
from rtpacs.store.facts import SqlFacts
from rtpacs.store.flow import SqlFlow
from rtpacs.store.inbox import SqlInbox
from rtpacs.store.jobs import SqlJobs
from rtpacs.store.verification import SqlVerification

DATABASES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


@dataclass(frozen=True, kw_only=True)
class Watching:
    """What administrators and monitors are told."""

    settings: Settings
    engine: Engine
    clock: Clock
    jobs: SqlJobs
    inbox: SqlInbox
    facts: SqlFacts
    archive: OrthancArchive
    belonging: Belonging
    spool: FileSpool
    sendings: Sendings

    def reachability(self) -> Reachability:
        """Whether nodes answer."""

        def ask(node: NodeRow) -> NodeAnswer:
            to = Recipient(aet=node.aet, host=node.host, port=node.port or 0, tls=node.tls)
            return ask_node(self.sendings.address(to))

        return Reachability(
            nodes=SqlDirectory(self.engine, self.clock, self.jobs).nodes,
            ask=ask,
            notes=self.facts,
            period=timedelta(minutes=self.settings.node_test_minutes),
        )

    def watch(self) -> Watch:
        """What the System page and the metrics say beside health and counts."""
        lists = SqlDecisionLists(self.engine, SYSTEM)
        return Watch(
            clock=self.clock,
            room=self._room,
            flow=SqlFlow(self.engine).since,
            repeats=self.spool,
            questions=lists.waiting,
            senders_waiting=lists.senders_waiting,
            notes=self.facts,
            files_read=SqlVerification(self.engine, self.clock, self.jobs).files_read,
            nodes=self.reachability().states,
            plugin=self.archive.plugin,
            incomplete=SqlFlow(self.engine).incomplete,
            await_days=self.settings.await_days,
        )

    def _room(self) -> tuple[int, int]:
        disk = shutil.disk_usage(self.settings.home)
        return disk.total, disk.free

    def guard_refuses(self) -> bool:
        """Whether Orthanc turns the door away, as it must; see ``archive.rest.guard_refuses``."""
        password = keyring.secret(self.settings.home, keyring.DOOR_PASSWORD)
        return guard_refuses(self.settings.orthanc_url, password)

    def health(self) -> HealthReport:
        """Ask every part whether it answers."""
        return Health(
            database_name=DATABASES[self.engine.dialect.name],
            ask_database=self.inbox.count,
            archive=self.archive,
            check_belonging=self.belonging.check,
            guard_refuses=self.guard_refuses,
            workers_alive=self.facts.workers_alive,
        ).report()

    def machine(self) -> MachineFacts:
        """Where to send to, what runs here, how full the disk is."""
        total, free = self._room()
        versions = [("rtpacs", __version__), ("DVH algorithm", ALGORITHM_VERSION)]
        versions.append(("Python", platform.python_version()))
        size = None
        try:
            versions.append(("Orthanc", str(self.archive.system()["Version"])))
            size = self.archive.disk_bytes()
        except RtpacsError:
            versions.append(("Orthanc", "does not answer"))
        versions.append(("database", DATABASES[self.engine.dialect.name]))
        return MachineFacts(
            dicom_aet=self.settings.dicom_aet,
            dicom_port=self.settings.dicom_port,
            versions=tuple(versions),
            disk_total_bytes=total,
            disk_free_bytes=free,
            archive_bytes=size,
        )
