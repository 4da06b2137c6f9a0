"""The contents of one object for people: who sent what when, how they differ, which counts."""

from typing import Any

from sqlalchemy import Engine, Row, select

from rtpacs.errors import NotFoundError
from rtpacs.rules.access import Scope
from rtpacs.rules.conflicts import Difference, counting
from rtpacs.rules.decisions import DecisionKind, Statement
from rtpacs.rules.objects import ObjectId
from rtpacs.services.views import ObjectVersions, VersionRow
from rtpacs.store.codec import decode
from rtpacs.store.conflicts import holdings_of
from rtpacs.store.decisions import standing
from rtpacs.store.rows import object_rows
from rtpacs.store.schema import dicom_object, question, sender, series, version
from rtpacs.store.sight import Sight, seeing


class SqlVersionView:
    """``services.desk.Versions`` in the database, as far as a scope reaches."""

    def __init__(self, engine: Engine, scope: Scope) -> None:
        self._engine = engine
        self._scope = scope

    def of_object(self, object_id: str) -> ObjectVersions:
        """Every content of an object, oldest first; none when it came once.

        Raises
        ------
        NotFoundError
            No such object, or one in quarantine.
        """
        with seeing(self._engine, self._scope) as sight:
            found = object_rows(sight, dicom_object.c.public_id == object_id)
            if not found:
                raise NotFoundError("there is no such object")
            ((key, row),) = found.items()
            holding = holdings_of(sight.connection, dicom_object.c.id == key)[ObjectId(key)]
            chosen = counting(holding)
            digest = chosen.digest if chosen else ""
            return ObjectVersions(
                object=row,
                center_code=holding.center,
                versions=_rows(sight, key, digest),
                is_settled=holding.is_settled,
                decision_id=_decision(sight, holding.center, row.sop_uid),
                series_id=_series_asked_about(sight, key),
            )


def _series_asked_about(sight: Sight, key: int) -> str | None:
    found: str | None = sight.connection.execute(
        select(series.c.public_id)
        .join(dicom_object, dicom_object.c.series_id == series.c.id)
        .join(question, question.c.series_id == series.c.id)
        .where(dicom_object.c.id == key)
        .limit(1)
    ).scalar()
    return found


def _rows(sight: Sight, key: int, counting_digest: str) -> tuple[VersionRow, ...]:
    found = sight.connection.execute(
        select(version, sender.c.aet, sender.c.address)
        .join(sender, sender.c.id == version.c.sender_id)
        .where(version.c.dicom_object_id == key)
        .order_by(version.c.first_at, version.c.digest)
    )
    return tuple(_row(row, counts=row.digest == counting_digest) for row in found)


def _row(row: Row[Any], *, counts: bool) -> VersionRow:
    return VersionRow(
        digest=row.digest,
        sender=f"{row.aet} @ {row.address}",
        first_at=row.first_at,
        last_at=row.last_at,
        size_bytes=row.size_bytes,
        counts=counts,
        doubt=row.doubt,
        differences=decode(tuple[Difference, ...], row.differences),
    )


def _decision(sight: Sight, center_code: str, sop_uid: str) -> str | None:
    """The decision in force, which the next one must have seen."""
    made = Statement(
        kind=DecisionKind.VERSION, center=center_code, subject=sop_uid or "-", target="-"
    )
    return standing(sight.connection, made)
