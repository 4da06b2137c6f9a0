"""Query and retrieve by DICOM nodes: their center's data, and what a project granted to them.

A calling AE title counts only where exactly one node has it, may query, and has an address that
Orthanc can compare with the caller's.
"""

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from rtpacs.errors import AccessDeniedError, InvalidInputError
from rtpacs.rules.access import Reach
from rtpacs.rules.queries import Match, Search, conditions_by_keyword
from rtpacs.rules.routes import Level
from rtpacs.services.finding import Finder
from rtpacs.services.views import NodeRow

LEVEL_WORDS: Mapping[str, Level] = {
    "PATIENT": Level.PATIENT,
    "STUDY": Level.STUDY,
    "SERIES": Level.SERIES,
    "IMAGE": Level.INSTANCE,
}
# More is refused rather than cut off: a short list must not look like a whole one.
MOST_MATCHES = 10_000


class NodeReaches(Protocol):
    """What nodes may see."""

    def __call__(self, aet: str) -> Reach:
        """The reach of the only node of an AE title; NotFoundError when there is no such one."""


def askers(nodes: Sequence[NodeRow]) -> dict[str, NodeRow]:
    """Nodes that may query, by AE title: unique ones with an IP address as their host."""
    titles = [node.aet for node in nodes]
    return {
        node.aet: node
        for node in nodes
        if node.may_query and titles.count(node.aet) == 1 and node.port and is_address(node.host)
    }


def is_address(host: str) -> bool:
    """Whether a host is an address, as Orthanc can compare it with a caller's."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeQueries:
    """Answers C-FIND."""

    nodes: Callable[[], Sequence[NodeRow]]
    reach_of: NodeReaches
    finder: Callable[[Reach], Finder]

    def find(self, aet: str, level_word: str, keys: Mapping[str, str]) -> list[Match]:
        """Matches for a node.

        Parameters
        ----------
        keys
            Values by tag (``00100020``).

        Raises
        ------
        AccessDeniedError
            The caller may not query.
        InvalidInputError
            The level or a key cannot be used, or too much fits.
        """
        caller = aet.strip()
        if caller not in askers(self.nodes()):
            raise AccessDeniedError(f"{caller} may not query")
        level = LEVEL_WORDS.get(level_word.strip())
        if level is None:
            raise InvalidInputError(f"the query level is one of {', '.join(LEVEL_WORDS)}")
        search = Search(
            level=level, conditions=conditions_by_keyword(level, keys), limit=MOST_MATCHES + 1
        )
        found = self.finder(self.reach_of(caller)).find(search)
        if len(found) > MOST_MATCHES:
            raise InvalidInputError(f"more than {MOST_MATCHES} matches: narrow the query")
        return found
