"""REST: sending to other nodes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rtpacs.rules.selection import items_of
from rtpacs.services.transfers import TransferObjectRow, TransferRow
from rtpacs.services.views import Page
from webui.callers import desk

Asked = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class TransfersAnswer:
    """Ids of the transfers that were asked for, one for each node."""

    transfers: tuple[str, ...]


def transfers(asked: Asked) -> Page[TransferRow]:
    """Transfers, the newest first."""
    return desk().transfers.page(state=asked["state"], offset=asked["offset"], limit=asked["limit"])


def transfer(transfer_id: str) -> TransferRow:
    """How far one transfer is."""
    return desk().transfers.one(transfer_id)


def transfer_objects(asked: Asked, transfer_id: str) -> Page[TransferObjectRow]:
    """The objects of a transfer, what did not arrive first."""
    return desk().transfers.objects(
        transfer_id, state=asked["state"], offset=asked["offset"], limit=asked["limit"]
    )


def send(asked: Asked) -> TransfersAnswer:
    """Send what is listed to each node, as one transfer each."""
    made = desk().transfers.send(
        items_of(asked["items"]),
        asked["nodes"],
        reason=asked["reason"],
    )
    return TransfersAnswer(transfers=tuple(made))


def retry_transfer(transfer_id: str) -> None:
    """Take up what did not arrive."""
    desk().transfers.retry(transfer_id)


def cancel_transfer(transfer_id: str) -> None:
    """Stop a transfer within seconds."""
    desk().transfers.cancel(transfer_id)
