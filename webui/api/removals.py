"""Withdrawals and erasures over REST."""

from collections.abc import Mapping
from typing import Any

from rtpacs.rules.removals import RemovalKind, RemovalRequest
from rtpacs.services.removals import RemovalPreview, RemovalRow
from rtpacs.services.views import Page
from webui.api.answers import CertificateAnswer
from webui.callers import desk

Asked = Mapping[str, Any]


def removals(asked: Asked) -> Page[RemovalRow]:
    """What was withdrawn or erased, the newest first."""
    return desk().removals.rows(offset=asked["offset"], limit=asked["limit"])


def preview(asked: Asked) -> RemovalPreview:
    """What a withdrawal or erasure would take."""
    return desk().removals.preview(_request(asked))


def withdraw(asked: Asked) -> RemovalRow:
    """Withdraw a center's data; ``confirm`` repeats the patient number."""
    return _ask(RemovalKind.WITHDRAWAL, asked)


def erase(asked: Asked) -> RemovalRow:
    """Erase a patient for good; ``confirm`` repeats the patient number."""
    return _ask(RemovalKind.ERASURE, asked)


def undo(removal_id: str) -> RemovalRow:
    """Take a withdrawal back while it waits."""
    return desk().removals.undo(removal_id)


def certificate(removal_id: str) -> CertificateAnswer:
    """The signed document of an erasure."""
    return CertificateAnswer(certificate=desk().removals.certificate(removal_id))


def _ask(kind: RemovalKind, asked: Asked) -> RemovalRow:
    return desk().removals.ask(
        kind,
        _request(asked),
        confirm=asked["confirm"],
        reason=asked["reason"],
    )


def _request(asked: Asked) -> RemovalRequest:
    return RemovalRequest(
        center=asked["center"], number=asked["number"], issuer=asked["issuer"], uid=asked["uid"]
    )
