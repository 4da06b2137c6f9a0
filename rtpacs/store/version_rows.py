"""Rows of versions, written in the caller's transaction."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from rtpacs.services.ports import Arrival, InboxItem
from rtpacs.services.repeats import Content
from rtpacs.store.engine import insert
from rtpacs.store.fitting import fitted
from rtpacs.store.schema import version

Row = sa.Row[Any]
_IDENTITY = ("orthanc_id", "center_id", "digest")


def version_row(content: Content, sender_id: int, received_at: datetime) -> dict[str, Any]:
    """Return what is known of a content before it belongs to an object."""
    return {
        "dicom_object_id": None,
        "sop_uid": None,
        "sender_id": sender_id,
        "digest": content.digest.whole,
        "clinical_digest": content.digest.clinical,
        "doubt": content.digest.doubt,
        "file": content.file,
        "size_bytes": content.size_bytes,
        "differences": [],
        "first_at": received_at,
        "last_at": received_at,
    }


def add_original(connection: sa.Connection, row: Row, content: Content, time: datetime) -> None:
    """Name the content that Orthanc holds as the first of an object's versions."""
    values = version_row(content, row.sender_id, row.received_at)
    values |= {"dicom_object_id": row.id, "orthanc_id": row.orthanc_id, "sop_uid": row.sop_uid}
    values |= {"center_id": row.center_id, "recorded_at": time, "in_archive": True}
    put(connection, values)


def put(connection: sa.Connection, row: dict[str, Any]) -> None:
    """Add a version; one that was left behind by a deletion belongs to its object again."""
    statement = insert(connection, version)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=[version.c.orthanc_id, version.c.center_id, version.c.digest],
            set_={name: statement.excluded[name] for name in row if name not in _IDENTITY},
        ),
        fitted(version, [row]),
    )


def direct_item(arrival: Arrival) -> InboxItem:
    """An arrival that did not come through the inbox."""
    return InboxItem(id=0, token=0, attempt=1, arrival=arrival)
