"""The job of a removal: a withdrawal or an erasure, in the order that a kill may cut anywhere."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from rtpacs.rules.removals import RemovalKind
from rtpacs.services.erasure import Erasure
from rtpacs.services.ports import Claim, Progress
from rtpacs.services.removals import RemovalRow
from rtpacs.services.withdrawal import Withdrawal


class RemovalWork(Protocol):
    """The database, as far as the job needs it."""

    def one(self, removal_id: str) -> RemovalRow:
        """One by its id."""

    def withdrawn(self, removal_id: str) -> list[str]:
        """Public ids of the objects that a withdrawal still takes."""

    def finish(self, removal_id: str) -> None:
        """Mark as done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Removing:
    """Runs one removal to its end; done once more it changes nothing."""

    book: RemovalWork
    withdrawal: Withdrawal
    erasure: Erasure
    empty_cache: Callable[[], None]

    def run(self, claim: Claim, progress: Progress) -> None:
        """Remove what was asked for.

        Raises
        ------
        ArchiveUnavailableError, StoreUnavailableError
            Repeat it: what was done stays done.
        """
        if self.book.one(claim.key).kind is RemovalKind.ERASURE:
            self.erasure.run(claim.key, progress)
        else:
            self.withdrawal.withdraw_all(self.book.withdrawn(claim.key), progress)
            self.empty_cache()
        self.book.finish(claim.key)
