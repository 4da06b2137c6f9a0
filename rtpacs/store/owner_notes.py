"""Which owners are noted in the archive, and which are still to be."""

from collections.abc import Sequence
from itertools import groupby

import sqlalchemy as sa

from rtpacs.rules.objects import ObjectId, OrthancId
from rtpacs.services.ownership import Owner, Unnoted
from rtpacs.store.engine import reading, writing
from rtpacs.store.schema import arrival, center, dicom_object, sender, version

# As the partial index says it, to the letter.
UNNOTED = sa.text("noted_center_id IS NULL OR noted_center_id <> center_id")


# No center, and no mark that anybody read before: who is writing a note now does not end this.
ANOTHER_MARK = -(sa.func.abs(sa.func.coalesce(dicom_object.c.noted_center_id, 0)) + 1)
# Orthanc's write-ahead log is emptied every 1,000 pages, and a note takes more than one.
NEWEST = 1000


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
        """Remember that they are; what was to be noted anew meanwhile stays so.

        Raises
        ------
        StoreError, StoreUnavailableError
            Nothing is remembered.
        """
        rows = [
            {"row": object_id, "is_noted": center_id, "was_noted": mark}
            for item in items
            for object_id, (center_id, mark) in item.centers.items()
        ]
        if not rows:
            return
        with writing(self._engine) as connection:
            connection.execute(
                sa.update(dicom_object)
                .where(
                    dicom_object.c.id == sa.bindparam("row"),
                    dicom_object.c.noted_center_id.is_not_distinct_from(
                        sa.bindparam("was_noted", type_=sa.Integer)
                    ),
                )
                .values(noted_center_id=sa.bindparam("is_noted")),
                rows,
            )

    def owners(self, orthanc_id: OrthancId) -> tuple[Owner, ...]:
        """Who owns an object; empty when it is not indexed.

        Raises
        ------
        StoreError, StoreUnavailableError
            The database did not answer.
        """
        with reading(self._engine) as connection:
            rows = connection.execute(_owners().where(dicom_object.c.orthanc_id == orthanc_id))
            return _unnoted(orthanc_id, rows.all()).owners

    def note_again(self, orthanc_ids: Sequence[OrthancId]) -> None:
        """Let the owners be noted beside these objects once more.

        Raises
        ------
        StoreError, StoreUnavailableError
            Nothing changed.
        """
        with writing(self._engine) as connection:
            connection.execute(
                sa.update(dicom_object)
                .where(dicom_object.c.orthanc_id.in_(orthanc_ids))
                .values(noted_center_id=ANOTHER_MARK)
            )

    def note_newest_again(self) -> None:
        """Let owners of the newest objects be noted once more: a power cut may have taken notes.

        Raises
        ------
        StoreError, StoreUnavailableError
            Nothing changed.
        """
        newest = sa.select(dicom_object.c.id).order_by(dicom_object.c.id.desc()).limit(NEWEST)
        with writing(self._engine) as connection:
            connection.execute(
                sa.update(dicom_object)
                .where(dicom_object.c.id.in_(newest))
                .values(noted_center_id=ANOTHER_MARK)
            )


def _owners() -> "sa.Select[tuple[object, ...]]":
    """Every owner's row with its center, and each content that came with who sent it first.

    Orthanc's own content stands first: its sender's arrival is that of the object.
    """
    sent = sa.func.coalesce(version.c.sender_id, dicom_object.c.sender_id)
    ours = sa.func.coalesce(version.c.in_archive.is_(False), sa.false())
    return (
        sa.select(
            dicom_object.c.orthanc_id,
            dicom_object.c.id,
            dicom_object.c.center_id,
            dicom_object.c.noted_center_id,
            sa.func.coalesce(version.c.first_at, dicom_object.c.received_at).label("received_at"),
            sa.case((ours, version.c.file), else_="").label("file"),
            center.c.code,
            center.c.quarantined,
            sender.c.aet,
            sender.c.address,
            sa.func.coalesce(arrival.c.origin, "Unknown").label("origin"),
        )
        .join(center, center.c.id == dicom_object.c.center_id)
        .outerjoin(version, version.c.dicom_object_id == dicom_object.c.id)
        .join(sender, sender.c.id == sent)
        .outerjoin(
            arrival,
            sa.and_(
                arrival.c.dicom_object_id == dicom_object.c.id,
                arrival.c.sender_id == sender.c.id,
            ),
        )
        .order_by(
            dicom_object.c.orthanc_id,
            ours,
            dicom_object.c.id,
            version.c.first_at,
            version.c.id,
        )
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
                file=row.file,
            )
            for row in rows
        ),
        centers={ObjectId(row.id): (row.center_id, row.noted_center_id) for row in rows},
    )
