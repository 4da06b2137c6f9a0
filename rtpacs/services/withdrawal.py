"""One owner takes back its copies of objects; what others own stays."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from rtpacs.errors import ArchiveUnavailableError, NotFoundError, StateError
from rtpacs.rules.objects import OrthancId
from rtpacs.services.contents import Files
from rtpacs.services.ports import Progress
from rtpacs.services.repeats import Spool

LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """One center's row of an object, and whether it is the only one."""

    orthanc_id: OrthancId
    is_last: bool


class Owners(Protocol):
    """Rows of objects by their public id."""

    def ownership(self, object_id: str) -> Ownership:
        """Who else owns the object; NotFoundError when there is no such row."""

    def remove(self, object_id: str) -> list[str]:
        """Remove the row with its versions; files that nobody names any more."""


class Store(Protocol):
    """Orthanc, as far as it is needed here."""

    def delete(self, orthanc_id: OrthancId) -> None:
        """Remove an object for all; nothing when it is not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """Removes one center's copy."""

    owners: Owners
    store: Store
    files: Files
    spool: Spool

    def withdraw_all(self, object_ids: Sequence[str], progress: Progress) -> None:
        """Remove one center's rows of these objects, each as ``withdraw`` does.

        Raises
        ------
        ArchiveUnavailableError
            Orthanc is away, or arrivals are still being compared: repeat it.
        """
        if self.spool.waiting():
            raise ArchiveUnavailableError("arrivals are being compared: again in a moment")
        for done, object_id in enumerate(object_ids, start=1):
            try:
                self.withdraw(object_id)
            except NotFoundError:
                LOGGER.debug("%s left before it was withdrawn", object_id)
            progress(done, len(object_ids))

    def withdraw(self, object_id: str) -> None:
        """Remove one center's row of an object, with the contents that only it has.

        Orthanc's copy goes with the last owner, before the row: cut off in between, the row goes
        when Orthanc tells of the deletion. While another owner is left, Orthanc's file stays.

        Raises
        ------
        NotFoundError
            There is no such object.
        StateError
            Something that came again is still being compared: it might be a new owner's.
        ArchiveError, StoreError
            Repeat it: what was done stays done.
        """
        owned = self.owners.ownership(object_id)
        if self.spool.waiting():
            raise StateError("arrivals are still being compared: try again in a moment")
        if owned.is_last:
            self.store.delete(owned.orthanc_id)
        for file in self.owners.remove(object_id):
            self.files.remove(file)
