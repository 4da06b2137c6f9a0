"""Decisions as JSON lines, one per line, for backup and for another installation."""

import json
from collections.abc import Iterable, Iterator

from rtpacs.errors import InvalidInputError, StoreError
from rtpacs.rules.decisions import Decision
from rtpacs.store.codec import decode, encode


def to_lines(decisions: Iterable[Decision]) -> Iterator[str]:
    """Each decision as one line of JSON, with its line end."""
    for item in decisions:
        yield json.dumps(encode(item), ensure_ascii=False, sort_keys=True) + "\n"


def from_lines(lines: Iterable[str]) -> Iterator[Decision]:
    """The decisions of an export; empty lines are passed over.

    Raises
    ------
    InvalidInputError
        A line holds no decision; the text gives its number.
    """
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield decode(Decision, json.loads(line))
        except (ValueError, StoreError) as exc:
            raise InvalidInputError(f"line {number} holds no decision of rtpacs") from exc
