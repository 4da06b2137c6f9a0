"""The parts by which objects leave: sending to other nodes, and downloads."""

import ssl
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

from sqlalchemy import Engine

from rtpacs.archive.associations import Address
from rtpacs.archive.download_files import DownloadFiles
from rtpacs.archive.querying import DicomNodes
from rtpacs.archive.sending import StoreLines
from rtpacs.dicom.dicomdir import DicomDirectory
from rtpacs.dicom.limited import LimitedReader
from rtpacs.errors import SettingsError
from rtpacs.rules.conflicts import CONFLICT, SUPERSEDED
from rtpacs.services.contents import Contents
from rtpacs.services.downloads import Downloads, Writing
from rtpacs.services.forwarding import REPLACED, UNDECIDED, Forwarding, Permit, Recipient
from rtpacs.services.ports import Clock
from rtpacs.services.remote import Remote
from rtpacs.settings import Settings, variable
from rtpacs.store.conflicts import having
from rtpacs.store.downloads import SqlDownloadBook, SqlDownloads
from rtpacs.store.engine import reading
from rtpacs.store.ledger import SqlLedger
from rtpacs.store.remote import SqlRemoteBook

MEGABYTE = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Sendings:
    """What transfers work with; rights are asked again when objects go and come."""

    settings: Settings
    engine: Engine
    clock: Clock
    may_send: Permit
    may_download: Permit
    may_fetch: Callable[[str, str], bool]

    def address(self, recipient: Recipient) -> Address:
        """Where a node is and how we call it.

        Raises
        ------
        SettingsError
            The files for TLS cannot be used.
        """
        return Address(
            host=recipient.host,
            port=recipient.port,
            called_aet=recipient.aet,
            calling_aet=self.settings.dicom_aet,
            tls=self._tls if recipient.tls else None,
        )

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """We check who answers, and show who we are where we have a certificate."""
        settings = self.settings
        try:
            context = ssl.create_default_context(cafile=settings.tls_ca_file or None)
            if settings.tls_certificate_file:
                context.load_cert_chain(
                    settings.tls_certificate_file, settings.tls_key_file or None
                )
        except (OSError, ssl.SSLError) as exc:
            names = ", ".join(variable(f"tls_{name}_file") for name in ("ca", "certificate", "key"))
            raise SettingsError(f"TLS to nodes cannot be used, see {names}: {exc}") from exc
        return context

    def remote(self) -> Remote:
        """Asking other nodes, and fetching from them."""
        return Remote(
            book=SqlRemoteBook(self.engine),
            nodes=DicomNodes(self.address),
            may_fetch=self.may_fetch,
        )

    def writing(self, contents: Contents) -> Writing:
        """The use case of one download's job, and of clearing away."""
        return Writing(
            book=SqlDownloadBook(self.engine, self.clock),
            files=self.download_files,
            contents=contents,
            new_directory=DicomDirectory,
            may_download=self.may_download,
            clock=self.clock,
            quota_bytes=self.settings.download_quota_mb * MEGABYTE,
            lasts=timedelta(days=self.settings.download_days),
        )

    def downloads(self, lists: SqlDownloads, contents: Contents) -> Downloads:
        """Downloads in somebody's name."""
        return Downloads(
            lists=lists,
            files=self.download_files,
            contents=contents,
            new_directory=DicomDirectory,
            stream_bytes=self.settings.download_stream_mb * MEGABYTE,
        )

    @property
    def download_files(self) -> DownloadFiles:
        """ZIPs that wait to be fetched."""
        return DownloadFiles(self.settings.home)

    def withheld(self, objects: Set[int]) -> Mapping[int, str]:
        """Why some of these objects stay here: nobody chose a content, or another object."""
        reasons = {CONFLICT: UNDECIDED, SUPERSEDED: REPLACED}
        with reading(self.engine) as connection:
            return {
                key: reason
                for code, reason in reasons.items()
                for key in having(connection, objects, code)
            }

    def forwarding(self, reader: LimitedReader, contents: Contents) -> Forwarding:
        """The use case of one transfer; reader and contents serve its threads alone."""
        return Forwarding(
            ledger=SqlLedger(self.engine, self.clock),
            lines=StoreLines(self.address, reader.transcode),
            contents=contents,
            may_send=self.may_send,
            withheld=self.withheld,
            associations=self.settings.send_associations,
            silence_seconds=self.settings.send_silence_seconds,
        )
