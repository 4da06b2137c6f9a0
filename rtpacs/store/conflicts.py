"""Findings on objects that came with several contents: kept true in the caller's transaction."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from rtpacs.rules.conflicts import Difference, HeldVersion, Holding, conflicts_of
from rtpacs.rules.decisions import Decision, DecisionKind, in_force
from rtpacs.rules.objects import Finding, ObjectId, Role
from rtpacs.store.codec import decode, encode
from rtpacs.store.decisions import as_decision
from rtpacs.store.engine import chunks
from rtpacs.store.schema import center, decision, dicom_object, sender, version

Row = sa.Row[Any]


def refresh(connection: sa.Connection, sop_uids: Iterable[str | None]) -> set[int]:
    """Judge every object with one of these UIDs anew.

    Returns
    -------
    set
        Keys of the objects whose findings changed.
    """
    changed: set[int] = set()
    for part in chunks(sorted({uid for uid in sop_uids if uid})):
        rows = connection.execute(_rows().where(dicom_object.c.sop_uid.in_(part))).all()
        for group in _by_uid(holdings(connection, rows)).values():
            present = {row.id: row.conflict for row in rows}
            for item in group:
                others = [other for other in group if other is not item]
                found = encode(conflicts_of(item, others), tuple[Finding, ...])
                if found != present[item.object_id]:
                    changed.add(item.object_id)
                    connection.execute(
                        sa.update(dicom_object)
                        .where(dicom_object.c.id == item.object_id)
                        .values(conflict=found)
                    )
    return changed


def refresh_namesakes(connection: sa.Connection, object_ids: Collection[int]) -> set[int]:
    """Judge new objects whose UID another object has as well; as ``refresh``."""
    shared: list[str] = []
    for part in chunks(sorted(object_ids)):
        new = sa.select(dicom_object.c.sop_uid).where(dicom_object.c.id.in_(part))
        uids = [uid for uid in connection.scalars(new.distinct()) if uid]
        shared += connection.scalars(
            sa.select(dicom_object.c.sop_uid)
            .where(dicom_object.c.sop_uid.in_(uids))
            .group_by(dicom_object.c.sop_uid)
            .having(sa.func.count() > 1)
        )
    return refresh(connection, shared) if shared else set()


def having(connection: sa.Connection, object_ids: Collection[int], code: str) -> set[int]:
    """Which of these objects have a finding such as ``CONFLICT`` about their contents."""
    found: set[int] = set()
    judged = sa.cast(dicom_object.c.conflict, sa.Text) != "[]"
    query = sa.select(dicom_object.c.id, dicom_object.c.conflict).where(judged)
    for part in chunks(sorted(object_ids)):
        for row in connection.execute(query.where(dicom_object.c.id.in_(part))):
            findings = decode(tuple[Finding, ...], row.conflict)
            if any(finding.code == code for finding in findings):
                found.add(row.id)
    return found


def holdings_of(
    connection: sa.Connection, condition: "sa.ColumnElement[bool]"
) -> dict[int, Holding]:
    """Objects with their versions and what was decided, by key."""
    rows = connection.execute(_rows().where(condition)).all()
    return {item.object_id: item for item in holdings(connection, rows)}


def holdings(connection: sa.Connection, rows: Sequence[Row]) -> list[Holding]:
    """Rows of objects with their versions and what was decided."""
    held = _versions(connection, [row.id for row in rows])
    decided = _decided(connection, rows)
    return [
        Holding(
            object_id=ObjectId(row.id),
            orthanc_id=row.orthanc_id,
            center=row.code,
            quarantined=row.quarantined,
            role=Role(row.role),
            sop_uid=row.sop_uid or "",
            versions=tuple(held.get(row.id, ())),
            decided=made.statement.target if made else None,
            decided_at=made.decided_at if made else None,
            known=made.statement.known if made else (),
        )
        for row in rows
        for made in [decided.get((row.code, row.sop_uid))]
    ]


def _rows() -> "sa.Select[Any]":
    return sa.select(
        dicom_object.c.id,
        dicom_object.c.orthanc_id,
        dicom_object.c.sop_uid,
        dicom_object.c.role,
        dicom_object.c.conflict,
        center.c.code,
        center.c.quarantined,
    ).join(center, center.c.id == dicom_object.c.center_id)


def _versions(connection: sa.Connection, object_ids: Sequence[int]) -> dict[int, list[HeldVersion]]:
    found: dict[int, list[HeldVersion]] = defaultdict(list)
    for part in chunks(object_ids):
        for row in connection.execute(
            sa.select(version, sender.c.aet, sender.c.address)
            .join(sender, sender.c.id == version.c.sender_id)
            .where(version.c.dicom_object_id.in_(part))
            .order_by(version.c.first_at, version.c.digest)
        ):
            found[row.dicom_object_id].append(
                HeldVersion(
                    digest=row.digest,
                    clinical_digest=row.clinical_digest,
                    sender=f"{row.aet} @ {row.address}",
                    first_at=row.first_at,
                    recorded_at=row.recorded_at,
                    differences=decode(tuple[Difference, ...], row.differences),
                    doubt=row.doubt,
                )
            )
    return found


def _decided(connection: sa.Connection, rows: Sequence[Row]) -> dict[tuple[str, str], Decision]:
    """The decision in force for a center and SOP Instance UID."""
    uids = sorted({row.sop_uid for row in rows if row.sop_uid})
    found: list[Decision] = []
    for part in chunks(uids):
        made = sa.select(decision).where(
            decision.c.kind == DecisionKind.VERSION.value, decision.c.subject.in_(part)
        )
        found += [as_decision(row) for row in connection.execute(made)]
    return {(item.statement.center, item.statement.subject): item for item in in_force(found)}


def _by_uid(items: Iterable[Holding]) -> dict[str, list[Holding]]:
    groups: dict[str, list[Holding]] = defaultdict(list)
    for item in items:
        groups[item.sop_uid].append(item)
    return groups
