"""C-MOVE by DICOM nodes: a transfer in the node's name, waited for.

What goes is what both the caller and the receiver may have. Orthanc's plugin counts a whole C-MOVE
as one sub-operation and answers when it is over, so what takes long is refused beforehand: a
caller whose patience ends would ask again for what is on its way.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from rtpacs.errors import AccessDeniedError, InvalidInputError, NotFoundError, StateError
from rtpacs.rules.queries import UNIQUE_KEYS, Condition, attribute_of, conditions_by_keyword
from rtpacs.rules.routes import Level
from rtpacs.rules.selection import Item
from rtpacs.rules.selection import Level as Chosen
from rtpacs.services.authority import Authority
from rtpacs.services.node_queries import LEVEL_WORDS, askers
from rtpacs.services.transfers import Transfers
from rtpacs.services.views import NodeRow

MOST_OBJECTS = 1000
LONGEST_SECONDS = 600.0
LOOK_SECONDS = 0.2
ENDED = frozenset({"done", "failed", "cancelled", "retrying"})


class Movable(Protocol):
    """The index, as far as moving needs it."""

    def __call__(
        self, conditions: Sequence[Condition], reaches: Sequence[Authority], limit: int
    ) -> list[str]:
        """Our ids of objects that all of these may send."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moves:
    """Answers C-MOVE."""

    nodes: Callable[[], Sequence[NodeRow]]
    authority_of: Callable[[str], Authority]
    movable: Movable
    transfers: Callable[[Authority], Transfers]

    def move(self, aet: str, target: str, level_word: str, keys: Mapping[str, str]) -> int:
        """Send what a node asks for to another one; how many objects have arrived there.

        Raises
        ------
        AccessDeniedError
            The caller may not query, or the target may not receive.
        InvalidInputError
            The request does not name what is to go, or names too much.
        NotFoundError
            There is nothing that both may have.
        StateError
            Not everything arrived.
        """
        nodes = self.nodes()
        caller = aet.strip()
        if caller not in askers(nodes):
            raise AccessDeniedError(f"{caller} may not retrieve")
        receiver = _receiver(nodes, target.strip())
        conditions = _conditions(level_word, keys)
        authority = self.authority_of(caller)
        reaches = (authority, self.authority_of(receiver.aet))
        objects = self.movable(conditions, reaches, MOST_OBJECTS + 1)
        if not objects:
            raise NotFoundError("there is nothing that may be sent")
        if len(objects) > MOST_OBJECTS:
            raise InvalidInputError(
                f"more than {MOST_OBJECTS} objects: forward them from the web page instead"
            )
        transfers = self.transfers(authority)
        items = [Item(level=Chosen.OBJECT, id=one) for one in objects]
        (transfer_id,) = transfers.send(items, [receiver.id], reason=f"C-MOVE of {caller}")
        return _await(transfers, transfer_id)


def _await(transfers: Transfers, transfer_id: str) -> int:
    until = time.monotonic() + LONGEST_SECONDS
    while (row := transfers.one(transfer_id)).state not in ENDED and time.monotonic() < until:
        time.sleep(LOOK_SECONDS)
    arrived = row.sent + row.warnings
    if arrived < row.objects:
        if row.state not in ("failed", "cancelled", "done"):
            # The caller asks again if it wants to: nothing goes behind its back.
            transfers.cancel(transfer_id)
        raise StateError(f"{arrived} of {row.objects} objects arrived: {row.error or row.state}")
    return arrived


def _receiver(nodes: Sequence[NodeRow], aet: str) -> NodeRow:
    found = [node for node in nodes if node.aet == aet]
    if len(found) != 1 or not found[0].may_receive or not found[0].host or not found[0].port:
        raise AccessDeniedError(f"{aet} may not receive")
    return found[0]


def _conditions(level_word: str, keys: Mapping[str, str]) -> tuple[Condition, ...]:
    """What is asked for, named at its level (PS3.4 C.4.2.1.4)."""
    level = Level.INSTANCE if level_word == "INSTANCE" else LEVEL_WORDS.get(level_word)
    if level is None:
        raise InvalidInputError(f"the level is one of {', '.join(LEVEL_WORDS)}")
    conditions = conditions_by_keyword(Level.INSTANCE, keys)
    named = {one.attribute.keyword: one.values for one in conditions}
    unique = attribute_of(UNIQUE_KEYS[level])
    if unique is None or not named.get(unique.keyword):
        raise InvalidInputError(f"{UNIQUE_KEYS[level]} is missing")
    if any("*" in value or "?" in value for values in named.values() for value in values):
        raise InvalidInputError("a retrieval names what it wants, without * or ?")
    return conditions
