"""The parts that take data out, and that keep the erased from coming back."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

from sqlalchemy import Engine

from rtpacs import keyring
from rtpacs.archive.download_files import DownloadFiles
from rtpacs.archive.journals import Journals
from rtpacs.archive.ledger import FileLedger
from rtpacs.archive.rest import OrthancArchive
from rtpacs.archive.spool import FileSpool
from rtpacs.archive.traces import HomeTraces
from rtpacs.archive.versions import VersionFiles
from rtpacs.dicom.identity import identity_of
from rtpacs.dicom.stamp import importer_of
from rtpacs.rules.objects import OrthancId
from rtpacs.services.admission import Admission, Erased
from rtpacs.services.authority import Authority
from rtpacs.services.erasure import Erasure
from rtpacs.services.overview import REFUSED_ERASED
from rtpacs.services.ownership import Recall
from rtpacs.services.ports import Clock
from rtpacs.services.removals import Removals
from rtpacs.services.removing import Removing
from rtpacs.services.withdrawal import Withdrawal
from rtpacs.settings import Settings
from rtpacs.store.erasing import SqlErasing
from rtpacs.store.facts import SqlFacts
from rtpacs.store.jobs import SqlJobs
from rtpacs.store.owners import SqlOwners
from rtpacs.store.removals import SqlRemovals


@dataclass(frozen=True, kw_only=True)
class RemovalParts:
    """What withdrawals and erasures work with."""

    settings: Settings
    clock: Clock
    engine: Engine
    jobs: SqlJobs
    open_archive: Callable[[], OrthancArchive]
    empty_cache: Callable[[], None]

    @cached_property
    def book(self) -> SqlRemovals:
        """Withdrawals and erasures in the database."""
        return SqlRemovals(self.engine, self.clock, self.jobs)

    @cached_property
    def ledger(self) -> FileLedger:
        """Keyed hashes of what was erased."""
        home = self.settings.home
        return FileLedger(home, lambda: keyring.secret(home, keyring.ERASURE_KEY).encode("ascii"))

    @cached_property
    def erased(self) -> Erased:
        """What must not come back."""
        return Erased(hashes=self.ledger, identify=identity_of)

    @cached_property
    def admission(self) -> Admission:
        """What is judged of an object before it is let in."""
        facts = SqlFacts(self.engine, self.clock)

        def delete(orthanc_id: OrthancId) -> None:
            self._archive.delete(orthanc_id)

        def tell() -> None:
            facts.note(REFUSED_ERASED, str(int(facts.value(REFUSED_ERASED) or 0) + 1))

        return Admission(
            importer_of=importer_of,
            erased=self.erased,
            delete=delete,
            tell=tell,
            recall=Recall(archive=self._archive, spool=FileSpool(self.settings.home)).recall,
        )

    @cached_property
    def _archive(self) -> OrthancArchive:
        return self.open_archive()

    def requests(self, authority: Authority) -> Removals:
        """What pages, REST and commands call in somebody's name."""
        # Made before the first erasure, so that every backup holds it.
        keyring.secret(self.settings.home, keyring.ERASURE_KEY)
        return Removals(
            book=self.book,
            wait=timedelta(days=self.settings.withdrawal_days),
            read_certificate=self.ledger.certificate,
            authority=authority,
        )

    @cached_property
    def removing(self) -> Removing:
        """What the job does."""
        home = self.settings.home
        withdrawal = Withdrawal(
            owners=SqlOwners(self.engine, self.jobs),
            store=self._archive,
            files=VersionFiles(home),
            spool=FileSpool(home),
        )
        return Removing(
            book=self.book,
            withdrawal=withdrawal,
            erasure=self.erasure,
            empty_cache=self.empty_cache,
        )

    @cached_property
    def erasure(self) -> Erasure:
        """Erasing a patient."""
        home = self.settings.home
        return Erasure(
            book=SqlErasing(self.engine, self.jobs),
            store=self._archive,
            files=VersionFiles(home),
            spool=FileSpool(home),
            ledger=self.ledger,
            traces=HomeTraces(home, Journals(home, self.clock)),
            identify=identity_of,
            empty_cache=self.empty_cache,
            remove_download=DownloadFiles(home).remove,
            clock=self.clock,
        )
