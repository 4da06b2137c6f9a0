"""REST: downloads as ZIP, and studies of other nodes: what they have, and having it sent here."""

from collections.abc import Mapping
from typing import Any

from rtpacs.rules.access_log import SubjectKind
from rtpacs.rules.selection import items_of
from rtpacs.services.downloads import DownloadRow
from rtpacs.services.remote import Criteria, RemoteQueryRow
from rtpacs.services.views import NodeRow, Page
from webui.api.answers import whole
from webui.callers import desk
from webui.recording import concerns

Asked = Mapping[str, Any]
DAYS = ("date_from", "date_to")


def downloads(asked: Asked) -> Page[DownloadRow]:
    """Own downloads, the newest first."""
    return desk().downloads.page(offset=asked["offset"], limit=asked["limit"])


def download(download_id: str) -> DownloadRow:
    """How far an own download is; its file is at ``/downloads/{download_id}/file``."""
    return desk().downloads.one(download_id)


def ask_download(asked: Asked) -> DownloadRow:
    """Have a ZIP of what is listed prepared, with DICOMDIR and checksums."""
    made = desk().downloads.ask(items_of(asked["items"]))
    concerns(SubjectKind.DOWNLOAD, made)
    return desk().downloads.one(made)


def remove_download(download_id: str) -> None:
    """Remove the file of an own download before its time."""
    desk().downloads.remove(download_id)


def remote_nodes() -> Page[NodeRow]:
    """Nodes that may be asked what they have."""
    return whole(desk().remote.nodes())


def remote_queries(asked: Asked) -> Page[RemoteQueryRow]:
    """Own questions to nodes, the newest first."""
    return desk().remote.page(offset=asked["offset"], limit=asked["limit"])


def remote_query(query_id: str) -> RemoteQueryRow:
    """What a node answered, what of it is here, and what is being fetched."""
    return desk().remote.one(query_id)


def ask_node(asked: Asked) -> RemoteQueryRow:
    """Have a node asked (C-FIND) for patient numbers, a name or dates."""
    days = {name: asked[name].isoformat() if asked[name] else "" for name in DAYS}
    criteria = Criteria(
        numbers=tuple(dict.fromkeys(asked["numbers"])),
        name=asked["name"].strip(),
        modality=asked["modality"].strip(),
        **days,
    )
    return desk().remote.one(desk().remote.ask(asked["node"], criteria))


def fetch_studies(asked: Asked, query_id: str) -> RemoteQueryRow:
    """Have studies of the answer sent here (C-MOVE)."""
    desk().remote.fetch(query_id, asked["studies"])
    return desk().remote.one(query_id)


def cancel_query(query_id: str) -> None:
    """Stop asking and fetching."""
    desk().remote.cancel(query_id)
