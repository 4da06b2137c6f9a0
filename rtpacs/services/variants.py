"""Objects of which somebody's center has another content than Orthanc: given by us."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from rtpacs.rules.objects import OrthancId
from rtpacs.rules.routes import Asked
from rtpacs.services.contents import ContentName


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A content beside Orthanc's, and the centers whose copies have it."""

    orthanc_id: OrthancId
    content: ContentName
    centers: frozenset[str]


class VariantIndex(Protocol):
    """The index, for one reach."""

    def named(self, wanted: Asked) -> Variant | None:
        """The own content of the one object that is meant; None when Orthanc's is the right one."""

    def are_in(self, wanted: Asked) -> bool:
        """Whether all of a study or series may be seen, and some of it is not what Orthanc has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variants:
    """What the guard refuses although its owner asks."""

    index: VariantIndex
    read: Callable[[ContentName], bytes]

    def named(self, wanted: Asked) -> Variant | None:
        """The caller's own version; None when there is none to give."""
        return self.index.named(wanted)

    def content(self, variant: Variant) -> bytes:
        """Its file.

        Raises
        ------
        NotFoundError
            It is not there.
        """
        return self.read(variant.content)

    def are_in(self, wanted: Asked) -> bool:
        """Whether all of a study or series may be seen, and some of it is not what Orthanc has."""
        return self.index.are_in(wanted)
