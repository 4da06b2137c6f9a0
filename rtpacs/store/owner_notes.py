"""Which owners are noted in the archive, and which are still to be."""

from collections.abc import Sequence
from itertools import groupby

import sqlalchemy as sa

from rtpacs.rules.objects import ObjectId, OrthancId
from rtpacs.services.ownership import Owner, Unnoted
from rtpacs.store.engine import reading, writing
from rtpacs.store.schema import arrival, center, dicom_object, sender

# As the partial index says it, to the letter.
UNNOTED = sa.text("noted_center_id IS NULL OR noted_center_id <> center_id")


class SqlOwnerBook:
    """``services.ownership.OwnerBook`` on SQL."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def unnoted(self, limit: int) -> list[Unnoted]:
        """Objects whose owners are to be noted.

        Raises
        ------
        StoreError, StoreUnavailableError
            The database did not answer.
        """
        first = (
            sa.select(dicom_object.c.orthanc_id)
            .where(UNNOTED)
            .order_by(dicom_object.c.id)
            .limit(limit)
        )
        with reading(self._engine) as connection:
            ids = set(connection.scalars(first))
            rows = connection.execute(_owners().where(dicom_object.c.orthanc_id.in_(ids))).all()
        return [
            _unnoted(orthanc_id, list(group))
            for orthanc_id, group in groupby(rows, key=lambda row: str(row.orthanc_id))
        ]

    def noted(self, items: Sequence[Unnoted]) -> None:
        """Remember that they are; a row whose center changed meanwhile stays to be noted.

        Raises
        ------
        StoreError, StoreUnavailableError
            Nothing is remembered.
        """
        rows = [
            {"row": object_id, "is_noted": center_id}
            for item in items
            for object_id, center_id in item.centers.items()
        ]
        if not rows:
            return
        with writing(self._engine) as connection:
            connection.execute(
                sa.update(dicom_object)
                .where(dicom_object.c.id == sa.bindparam("row"))
                .values(noted_center_id=sa.bindparam("is_noted")),
                rows,
            )


def _owners() -> "sa.Select[tuple[object, ...]]":
    """Every owner's row with its center, sender and the first arrival from that sender."""
    return (
        sa.select(
            dicom_object.c.orthanc_id,
            dicom_object.c.id,
            dicom_object.c.center_id,
            dicom_object.c.received_at,
            center.c.code,
            center.c.quarantined,
            sender.c.aet,
            sender.c.address,
            sa.func.coalesce(arrival.c.origin, "Unknown").label("origin"),
        )
        .join(center, center.c.id == dicom_object.c.center_id)
        .join(sender, sender.c.id == dicom_object.c.sender_id)
        .outerjoin(
            arrival,
            sa.and_(
                arrival.c.dicom_object_id == dicom_object.c.id,
                arrival.c.sender_id == dicom_object.c.sender_id,
            ),
        )
        .order_by(dicom_object.c.orthanc_id, dicom_object.c.id)
    )


def _unnoted(orthanc_id: str, rows: "Sequence[sa.Row[tuple[object, ...]]]") -> Unnoted:
    return Unnoted(
        orthanc_id=OrthancId(orthanc_id),
        owners=tuple(
            Owner(
                center="" if row.quarantined else row.code,
                aet=row.aet,
                address=row.address,
                origin=row.origin,
                received_at=row.received_at,
            )
            for row in rows
        ),
        centers={ObjectId(row.id): row.center_id for row in rows},
    )
