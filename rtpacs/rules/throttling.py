"""When a sign-in is not even looked at: too many failed lately.

Whoever guesses is slowed down by name, by address and in all, so that neither many names from one
place nor many places at one name help. A name is never closed to its owner: from an address where
it has signed in before, only its own failures there count.
"""

import ipaddress
from dataclasses import dataclass
from datetime import timedelta

WINDOW = timedelta(minutes=5)
PER_PLACE = 5  # failures of one name from one address
PER_NAME = 10
PER_ADDRESS = 15
IN_ALL = 40
KNOWN_FOR = timedelta(days=90)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failures:
    """How many sign-ins failed within ``WINDOW``."""

    of_place: int
    of_name: int
    of_address: int
    in_all: int


def is_throttled(failures: Failures, *, known_place: bool) -> bool:
    """Whether the next attempt is refused without a look at the password."""
    if failures.of_place >= PER_PLACE:
        return True
    return not known_place and (
        failures.of_name >= PER_NAME
        or failures.of_address >= PER_ADDRESS
        or failures.in_all >= IN_ALL
    )


def place_of(address: str) -> str:
    """What counts as one address: an IPv6 network of 64 bits belongs to one household."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv6Address):
        mapped = parsed.ipv4_mapped
        return str(mapped or ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
