"""Objects of which somebody's center has another content than Orthanc: given by us."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from rtpacs.rules.routes import Asked
from rtpacs.services.contents import ContentName


class VariantIndex(Protocol):
    """The index, for one reach."""

    def named(self, wanted: Asked) -> ContentName | None:
        """The own content of the one object that is meant; None when Orthanc's is the right one."""

    def are_in(self, wanted: Asked) -> bool:
        """Whether all of a study or series may be seen, and some of it is not what Orthanc has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variants:
    """What the guard refuses although its owner asks."""

    index: VariantIndex
    read: Callable[[ContentName], bytes]

    def content(self, wanted: Asked) -> bytes | None:
        """The file of the caller's own version; None when there is none to give.

        Raises
        ------
        NotFoundError
            Its file is not there.
        """
        name = self.index.named(wanted)
        return None if name is None else self.read(name)

    def are_in(self, wanted: Asked) -> bool:
        """Whether all of a study or series may be seen, and some of it is not what Orthanc has."""
        return self.index.are_in(wanted)
