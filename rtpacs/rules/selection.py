"""What a person chose to send or to download, at any level."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from rtpacs.errors import InvalidInputError

MOST_ITEMS = 2000
LONGEST_ID = 64


class Level(StrEnum):
    """Of what an item is one."""

    PATIENT = "patient"
    STUDY = "study"
    SERIES = "series"
    OBJECT = "object"
    PLAN_SET = "plan"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One chosen thing by our own id, written ``series:1f3a…``.

    A plan set stands for exactly its linked objects.
    """

    level: Level
    id: str


def items_of(texts: Iterable[str]) -> tuple[Item, ...]:
    """Read what was chosen, each once.

    Raises
    ------
    InvalidInputError
        Nothing is chosen, too much, or a text names no level.
    """
    found = dict.fromkeys(_item(text) for text in texts)
    if not found:
        raise InvalidInputError("Choose what is to go first.")
    if len(found) > MOST_ITEMS:
        raise InvalidInputError(
            f"Choose {MOST_ITEMS} entries at most; take whole patients instead."
        )
    return tuple(found)


def _item(text: str) -> Item:
    level, _, key = text.partition(":")
    if level not in tuple(Level) or not 1 <= len(key) <= LONGEST_ID:
        raise InvalidInputError("An entry is written as its level and id, such as series:1f3a.")
    return Item(level=Level(level), id=key)
