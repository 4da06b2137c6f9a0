"""Plan sets and pairs as rows."""

from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa

from rtpacs.errors import StoreError, StoreUnavailableError
from rtpacs.rules.objects import ObjectId, PlanContent
from rtpacs.rules.plan_sets import Assembly, CalculationPair, PlanSet, Question
from rtpacs.services.contents import ContentName, content_name
from rtpacs.services.inputs import input_hash
from rtpacs.store.codec import decode, decode_content, encode, finding_count
from rtpacs.store.engine import chunks
from rtpacs.store.object_rows import Header
from rtpacs.store.schema import dicom_object

Row = sa.Row[Any]
Values = dict[str, Any]
PairKey = tuple[int, str]


def involved_objects(connection: sa.Connection, assembly: Assembly) -> dict[int, Row]:
    """Return the rows of all objects that plan sets and pairs name.

    Raises
    ------
    StoreUnavailableError
        One of them left the index since it was judged: a new assembly is on its way.
    """
    ids = {member for plan_set in assembly.plan_sets for member in members_of(plan_set)}
    for pair in assembly.pairs:
        ids |= {pair.structure_set, *pair.doses}
        ids |= set() if pair.plan is None else {pair.plan}
    found: dict[int, Row] = {}
    for part in chunks(sorted(ids)):
        rows = connection.execute(
            sa.select(
                dicom_object.c.id,
                dicom_object.c.orthanc_id,
                dicom_object.c.version_file,
                dicom_object.c.series_id,
            ).where(dicom_object.c.id.in_(part))
        )
        found |= {row.id: row for row in rows}
    if len(found) != len(ids):
        raise StoreUnavailableError("objects left the index while they were being judged")
    return found


def name_of(row: Row) -> ContentName:
    """Name the content that counts of an object."""
    return content_name(row.orthanc_id, row.version_file)


def members_of(plan_set: PlanSet) -> set[ObjectId]:
    """Return everything that belongs to a plan set."""
    single = {plan_set.plan} | ({plan_set.structure_set} if plan_set.structure_set else set())
    return single.union(plan_set.images, plan_set.doses, plan_set.records, plan_set.registrations)


def pair_key(pair: CalculationPair, objects: Mapping[int, Row]) -> PairKey:
    """Return what makes a pair itself: structure set and doses."""
    doses = sorted(objects[dose].orthanc_id for dose in pair.doses)
    return pair.structure_set, ",".join(doses)


def pair_rows(
    assembly: Assembly, objects: Mapping[int, Row], patient_id: int
) -> dict[PairKey, Values]:
    """Return the rows of ``pair`` by key."""
    plans = {plan_set.plan: plan_set for plan_set in assembly.plan_sets}
    rows = {}
    for pair in assembly.pairs:
        structure_set, doses = pair_key(pair, objects)
        plan = plans.get(pair.plan) if pair.plan is not None else None
        rows[structure_set, doses] = {
            "patient_id": patient_id,
            "structure_set_id": structure_set,
            "doses_key": doses,
            "dose_kind": pair.dose_kind.value,
            "plan_id": pair.plan,
            "slice_spacing_mm": pair.slice_spacing_mm,
            "findings": encode(pair.findings),
            "input_hash": input_hash(
                name_of(objects[structure_set]),
                [name_of(objects[dose]) for dose in pair.doses],
                slice_spacing_mm=pair.slice_spacing_mm,
                prescribed_gy=plan.prescribed_gy if plan else None,
                fractions_planned=plan.fractions_planned if plan else None,
            ),
        }
    return rows


def question_rows(
    connection: sa.Connection, assembly: Assembly, ids: Mapping[ObjectId, int], *, patient_id: int
) -> list[Values]:
    """Return the rows of ``question``; ``ids`` gives the key of a plan's plan set."""
    asked: list[tuple[int | None, Question]] = [
        (ids[item.plan], found) for item in assembly.plan_sets for found in item.questions
    ]
    asked += [(None, found) for found in assembly.questions]
    series = _series_of(connection, {found.image for _, found in asked if found.image is not None})
    return [
        {
            "patient_id": patient_id,
            "plan_set_id": plan_set_id,
            "series_id": series.get(found.image),
            "kind": found.kind.value,
            "body": encode(found),
        }
        for plan_set_id, found in asked
    ]


def _series_of(
    connection: sa.Connection, images: Collection[ObjectId]
) -> dict[ObjectId | None, int]:
    rows = connection.execute(
        sa.select(dicom_object.c.id, dicom_object.c.series_id).where(
            dicom_object.c.id.in_(sorted(images))
        )
    )
    return {ObjectId(row.id): row.series_id for row in rows}


def plan_set_row(plan_set: PlanSet, plan: Row, *, patient_id: int, pair_id: int | None) -> Values:
    """Return the row of ``plan_set`` without its image series.

    Parameters
    ----------
    plan
        Header and content of the plan's row.

    Raises
    ------
    StoreError
        The object is no plan.
    """
    content = decode_content(plan.content)
    if not isinstance(content, PlanContent):
        raise StoreError(f"object {plan_set.plan} is no plan")
    equipment = decode(Header, plan.header).series
    parts = (equipment.manufacturer, equipment.model, equipment.software_versions)
    return {
        "patient_id": patient_id,
        "plan_id": plan_set.plan,
        "structure_set_id": plan_set.structure_set,
        "pair_id": pair_id,
        "state": plan_set.state.value,
        "label": content.label or content.name or "",
        "kind": content.kind.value,
        "intent": content.intent,
        "approval_status": content.approval_status,
        # The day, as the column and the extract say; the plan itself keeps its time.
        "date": content.date[:10] if content.date else None,
        "tps": " ".join(part for part in parts if part),
        "prescribed_gy": plan_set.prescribed_gy,
        "fractions_planned": plan_set.fractions_planned,
        "beams": sum(not beam.setup for beam in content.beams),
        "treatment": encode(plan_set.treatment),
        "treatment_status": plan_set.treatment.status.value,
        "links": encode(plan_set.links),
        "findings": encode(plan_set.findings),
        "finding_count": finding_count(plan_set.findings),
        "settled": encode(plan_set.settled),
    }
