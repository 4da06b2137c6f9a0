"""Which objects of one center refer to each other by UID, also across patients.

A reference names an object (SOP Instance UID), a series or, in registrations, a frame of
reference. Objects of other centers are never linked: equal UIDs there are other people's data.
"""

from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sa

from rtpacs.rules.objects import ReferenceKind
from rtpacs.store.engine import chunks
from rtpacs.store.schema import dicom_object, patient, reference, series


@dataclass(frozen=True, slots=True, kw_only=True)
class _Edges:
    """A join from the objects that refer (``origin``) to those that are meant (``target``)."""

    joined: sa.FromClause
    origin: sa.FromClause
    target: sa.FromClause


def _all_edges() -> tuple[_Edges, ...]:
    origin = dicom_object.alias("origin")
    target = dicom_object.alias("target")
    referring = origin.join(reference, reference.c.dicom_object_id == origin.c.id)
    meant = (
        referring.join(target, target.c.sop_uid == reference.c.target_uid),
        referring.join(series, series.c.series_uid == reference.c.target_uid).join(
            target, target.c.series_id == series.c.id
        ),
        referring.join(
            target,
            sa.and_(
                reference.c.kind == ReferenceKind.REGISTRATION_TO_FRAME.value,
                target.c.frame_of_reference_uid == reference.c.target_uid,
            ),
        ),
    )
    origin_owner, target_owner = patient.alias("origin_owner"), patient.alias("target_owner")
    return tuple(
        _Edges(
            joined=joined.join(origin_owner, origin_owner.c.id == origin.c.patient_id).join(
                target_owner,
                sa.and_(
                    target_owner.c.id == target.c.patient_id,
                    target_owner.c.center_id == origin_owner.c.center_id,
                ),
            ),
            origin=origin,
            target=target,
        )
        for joined in meant
    )


_EDGES = _all_edges()


def linked_patients(connection: sa.Connection, object_ids: Collection[int]) -> set[int]:
    """Find patients with objects that these refer to or that refer to these."""
    found: set[int] = set()
    for part in chunks(sorted(object_ids)):
        for edges in _EDGES:
            for near, far in ((edges.origin, edges.target), (edges.target, edges.origin)):
                found |= set(
                    connection.scalars(
                        sa.select(far.c.patient_id)
                        .select_from(edges.joined)
                        .where(near.c.id.in_(part))
                        .distinct()
                    )
                )
    return found


def linked_objects(connection: sa.Connection, patient_id: int) -> set[int]:
    """Find objects of other patients that this one's refer to or that refer to this one's."""
    found: set[int] = set()
    for edges in _EDGES:
        for near, far in ((edges.origin, edges.target), (edges.target, edges.origin)):
            found |= set(
                connection.scalars(
                    sa.select(far.c.id)
                    .select_from(edges.joined)
                    .where(near.c.patient_id == patient_id, far.c.patient_id != patient_id)
                    .distinct()
                )
            )
    return found
