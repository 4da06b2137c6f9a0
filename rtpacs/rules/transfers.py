"""What becomes of an object that is sent to another node, by the DIMSE status of its answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

SUCCESS = 0x0000


class SendState(StrEnum):
    """Where one object of a transfer is."""

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    WARNING = "sent with a warning"
    REFUSED = "refused"
    FAILED = "not sent"


ARRIVED = frozenset({SendState.SENT, SendState.WARNING})
"""The peer has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a status means; ``passing`` says that the same may be accepted later."""

    state: SendState
    text: str
    passing: bool = False


# PS3.4 table B.2-1 and PS3.7 annex C.
REFUSALS: Mapping[int, str] = {
    0x0105: "no such attribute",
    0x0106: "invalid attribute value",
    0x0110: "processing failure",
    0x0111: "duplicate SOP instance",
    0x0112: "no such object instance",
    0x0115: "invalid argument value",
    0x0117: "invalid object instance",
    0x0118: "no such SOP class",
    0x0122: "SOP class not supported",
    0x0124: "not authorised",
    0x0210: "duplicate invocation",
    0x0211: "unrecognised operation",
    0x0212: "mistyped argument",
    0x0213: "resource limitation",
    0xFE00: "cancelled",
}
PASSING = frozenset({0x0110, 0x0213})
WARNINGS: Mapping[int, str] = {
    0x0001: "the optional storage of some attributes failed",
    0x0107: "attribute list warning",
    0x0116: "attribute value out of range",
    0xB000: "it changed some values",
    0xB006: "it left some elements out",
    0xB007: "the object does not match its class",
}
RANGES = (
    (range(0xA700, 0xA800), "out of resources", True),
    (range(0xA800, 0xA900), "SOP class not supported", False),
    (range(0xA900, 0xAA00), "the object does not match its SOP class", False),
    (range(0xC000, 0xD000), "it cannot understand the object", False),
)


def verdict(status: int, comment: str = "") -> Verdict:
    """Judge the answer to a C-STORE.

    Parameters
    ----------
    status
        DIMSE status (0000,0900).
    comment
        Error Comment (0000,0902) of the peer, shown as its own words.
    """
    if status == SUCCESS:
        return Verdict(state=SendState.SENT, text="")
    code = f"0x{status:04X}"
    said = f": “{comment.strip()}”" if comment.strip() else ""
    if status in WARNINGS or 0xB000 <= status < 0xC000:
        words = WARNINGS.get(status, "a warning of its own")
        return Verdict(state=SendState.WARNING, text=f"{words} ({code}){said}")
    words, passing = _refusal(status)
    return Verdict(state=SendState.REFUSED, text=f"{words} ({code}){said}", passing=passing)


def _refusal(status: int) -> tuple[str, bool]:
    for statuses, words, passing in RANGES:
        if status in statuses:
            return words, passing
    return REFUSALS.get(status, "a failure of its own"), status in PASSING


def not_accepted(sop_class_name: str) -> Verdict:
    """The peer takes no object of this class: known before anything is sent."""
    return Verdict(state=SendState.REFUSED, text=f"peer does not accept {sop_class_name}")


def remaining_seconds(done: int, total: int, per_second: float | None) -> float | None:
    """How long the rest takes at the present rate; None while that is not known."""
    if not per_second or total <= done:
        return None
    return (total - done) / per_second
