"""Taking data out of the archive: a center withdraws its copy, or a patient is erased.

A withdrawal waits for a while and can be undone; what is withdrawn may be sent again. An erasure
takes every copy of the objects and is final: keyed hashes of what was erased, and nothing else,
stay behind, so that it does not come back.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from rtpacs.errors import InvalidInputError, StateError
from rtpacs.rules.objects import OrthancId

LONGEST_REASON = 500


class RemovalKind(StrEnum):
    """What is done with the data."""

    WITHDRAWAL = "withdrawal"
    ERASURE = "erasure"


class RemovalState(StrEnum):
    """Where it stands."""

    WAITING = "waiting"
    REMOVING = "removing"
    DONE = "done"
    UNDONE = "undone"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovalRequest:
    """Which data: a patient of a center, or only what one UID names.

    ``uid`` is that of a study, series or object; empty for the whole patient. ``issuer`` is needed
    only where a center has the number twice.
    """

    center: str
    number: str
    issuer: str = ""
    uid: str = ""


def require_confirmed(request: RemovalRequest, typed: str, reason: str) -> None:
    """Refuse unless the number was typed once more and a reason is given.

    Raises
    ------
    InvalidInputError
        The text says what is missing.
    """
    if typed.strip() != request.number:
        raise InvalidInputError("The number typed to confirm is not the patient's: nothing is done")
    if not reason.strip():
        raise InvalidInputError("A removal needs a reason: nothing is done")


def require_undoable(kind: RemovalKind, state: RemovalState) -> None:
    """Refuse to undo what has no way back.

    Raises
    ------
    StateError
        With the reason.
    """
    if kind is RemovalKind.ERASURE:
        raise StateError("an erasure cannot be undone")
    if state is not RemovalState.WAITING:
        raise StateError(f"this withdrawal is {state}: it can no longer be undone")


def object_hash(key: bytes, orthanc_id: OrthancId) -> str:
    """What the ledger keeps of an object: HMAC-SHA256 of Orthanc's id."""
    return _keyed(key, f"object:{orthanc_id}")


def sop_hash(key: bytes, sop_uid: str) -> str:
    """What the ledger keeps of a SOP Instance UID."""
    return _keyed(key, f"sop:{sop_uid}")


def patient_hash(key: bytes, request: RemovalRequest) -> str:
    """What a certificate says of the patient."""
    return _keyed(key, f"patient:{request.center}|{request.issuer}|{request.number}")


def signature(key: bytes, document: Mapping[str, object]) -> str:
    """The signature of a document without its own: HMAC-SHA256 of its JSON with sorted keys."""
    signed = {name: value for name, value in document.items() if name != "signature"}
    return _keyed(key, json.dumps(signed, sort_keys=True, separators=(",", ":")))


def is_signed(key: bytes, document: Mapping[str, object]) -> bool:
    """Whether a document is as it was signed."""
    return hmac.compare_digest(str(document.get("signature", "")), signature(key, document))


def _keyed(key: bytes, text: str) -> str:
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
