"""Downloads as ZIP: small ones stream, large ones are written by a job and fetched within days."""

from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from rtpacs.errors import AccessDeniedError, LimitExceededError, StateError
from rtpacs.rules.selection import Item
from rtpacs.services.contents import Contents
from rtpacs.services.packing import Directory, PackedObject, pack
from rtpacs.services.ports import Claim, Clock, Progress
from rtpacs.services.views import Page

DENIED = "whoever asked for this may no longer download all of it"


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadRow:
    """One download that somebody asked for; ``state`` is that of its job.

    ``file_bytes`` None: there is no file, not yet or no longer.
    """

    id: str
    state: str  # of the job; "streamed" for what went at once
    objects: int
    size_bytes: int
    done: int
    file_bytes: int | None
    sha256: str
    error: str | None
    created_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PackOrder:
    """What a download's job is to write, for whom."""

    requested_by: str
    objects: tuple[PackedObject, ...]
    object_keys: frozenset[int]
    size_bytes: int


class DownloadBook(Protocol):
    """Downloads as the worker writes them."""

    def order(self, key: str) -> PackOrder:
        """What to write; NotFoundError when it was removed or an object left meanwhile."""

    def written(self, claim: Claim, size_bytes: int, sha256: str, expires_at: datetime) -> None:
        """The file is there, fenced by the claim."""

    def expired(self) -> list[str]:
        """Downloads whose time is over; their files are not listed any more."""

    def kept(self) -> set[str]:
        """Downloads that have, or are about to have, a file."""


class Files(Protocol):
    """ZIPs by the id of their download."""

    def write(self, name: str, pieces: Iterator[bytes]) -> tuple[int, str]:
        """Write a file whole or not at all; its size and SHA-256."""

    def path(self, name: str) -> Path:
        """Where it lies; NotFoundError when there is none."""

    def remove(self, name: str) -> None:
        """Remove it, if it is there."""

    def names(self) -> set[str]:
        """What there is, drafts of dead workers included."""

    def total_bytes(self) -> int:
        """How much all take together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """The use case behind a download's job, and what clears files away."""

    book: DownloadBook
    files: Files
    contents: Contents
    new_directory: Callable[[], Directory]
    may_download: Callable[[str, AbstractSet[int]], AbstractSet[int]]
    clock: Clock
    quota_bytes: int
    lasts: timedelta

    def run(self, claim: Claim, progress: Progress) -> None:
        """Write the ZIP.

        Raises
        ------
        AccessDeniedError
            Rights are gone since the request.
        LimitExceededError
            There is no room for it within the quota.
        NotFoundError
            An object left meanwhile.
        """
        order = self.book.order(claim.key)
        if self.may_download(order.requested_by, order.object_keys) != order.object_keys:
            raise AccessDeniedError(DENIED)
        if self.files.total_bytes() + order.size_bytes > self.quota_bytes:
            raise LimitExceededError(
                "the room for downloads is taken: remove some, wait until one expires, or send "
                "the objects to a node instead"
            )
        pieces = pack(order.objects, self.contents, self.new_directory(), progress)
        size, digest = self.files.write(claim.key, pieces)
        self.book.written(claim, size, digest, self.clock() + self.lasts)

    def clear(self) -> int:
        """Remove files whose time is over or that nobody knows; how many."""
        gone = set(self.book.expired()) | (self.files.names() - self.book.kept())
        for name in gone:
            self.files.remove(name)
        return len(gone)


class DownloadLists(Protocol):
    """Downloads in somebody's name."""

    def add(self, items: Sequence[Item], *, streamed: bool) -> str:
        """Note a download and, unless it streams, ask for its job; NotFoundError for nothing."""

    def order(self, download_id: str) -> PackOrder:
        """What it holds."""

    def page(self, *, offset: int, limit: int) -> Page[DownloadRow]:
        """Own downloads, the newest first."""

    def one(self, download_id: str) -> DownloadRow:
        """An own download, or NotFoundError."""

    def require_all(self, download_id: str) -> None:
        """NotFoundError unless everything in it may still be sent to the one who asks."""

    def remove(self, download_id: str) -> None:
        """Forget the file; the log stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Downloads:
    """Downloads for pages and scripts; ``stream_bytes`` is the largest that streams."""

    lists: DownloadLists
    files: Files
    contents: Contents
    new_directory: Callable[[], Directory]
    stream_bytes: int

    def ask(self, items: Sequence[Item]) -> str:
        """Have a ZIP written by a job; the id of the download.

        Raises
        ------
        NotFoundError
            There is nothing that may be downloaded.
        """
        return self.lists.add(items, streamed=False)

    def stream(self, items: Sequence[Item]) -> tuple[str, Iterator[bytes]]:
        """Give the ZIP at once, piece by piece, after the id of the download.

        Raises
        ------
        NotFoundError
            There is nothing that may be downloaded.
        """
        made = self.lists.add(items, streamed=True)
        return made, pack(self.lists.order(made).objects, self.contents, self.new_directory())

    def page(self, *, offset: int, limit: int) -> Page[DownloadRow]:
        """Own downloads, the newest first."""
        return self.lists.page(offset=offset, limit=limit)

    def one(self, download_id: str) -> DownloadRow:
        """An own download, or NotFoundError."""
        return self.lists.one(download_id)

    def file(self, download_id: str) -> Path:
        """The file, after rights were asked again.

        Raises
        ------
        NotFoundError
            Not an own one, or rights are gone since.
        StateError
            It is not written yet, or its time is over.
        """
        row = self.lists.one(download_id)
        self.lists.require_all(download_id)
        if row.file_bytes is None:
            raise StateError("this download is not ready yet, or its time is over")
        return self.files.path(download_id)

    def remove(self, download_id: str) -> None:
        """Remove an own download's file before its time.

        Raises
        ------
        NotFoundError
            There is none of this id.
        """
        self.lists.remove(download_id)
        self.files.remove(download_id)
