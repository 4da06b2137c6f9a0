"""Plan sets and pairs of patients: read what the rules judge, write what they decide."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from rtpacs.rules.decisions import Decision
from rtpacs.rules.jobs import JobKind, JobState
from rtpacs.rules.objects import StructureSetContent
from rtpacs.rules.plan_sets import Assembly, IndexedObject
from rtpacs.services.ports import Claim, Clock
from rtpacs.store.assembly_rows import (
    PairKey,
    involved_objects,
    members_of,
    pair_key,
    pair_rows,
    plan_set_row,
    question_rows,
)
from rtpacs.store.calculations import dvh_request
from rtpacs.store.closure import refile
from rtpacs.store.codec import decode_content
from rtpacs.store.decisions import decisions_of
from rtpacs.store.engine import Serial, chunks, now, reading, writing
from rtpacs.store.fitting import fitted
from rtpacs.store.jobs import SqlJobs, drop, fence
from rtpacs.store.links import linked_objects
from rtpacs.store.object_rows import indexed_object, references_of
from rtpacs.store.replacing import Replaced, replace_members, replace_rows
from rtpacs.store.schema import (
    calculation,
    dicom_object,
    job,
    pair,
    pair_dose,
    patient,
    plan_set,
    plan_set_object,
    question,
    reference,
    series,
    study,
)
from rtpacs.store.text import lines_of

Row = sa.Row[Any]
# What is withdrawn takes part in nothing, though it is still here.
PRESENT = dicom_object.c.removal_id.is_(None)
# A job in one of these states will do, or was stopped on purpose.
_SETTLED = (JobState.READY, JobState.RUNNING, JobState.CANCELLED)


class SqlAssemblies:
    """``services.ports.Assemblies`` on SQL."""

    def __init__(self, engine: sa.Engine, clock: Clock, jobs: SqlJobs) -> None:
        self._engine = engine
        self._clock = clock
        self._jobs = jobs

    def objects(self, patient_key: int) -> list[IndexedObject]:
        """The patient's objects and those of the same center linked to them by UID.

        Objects that could not be read belong to nobody and are in no answer, nor are those that
        are being removed. An unknown patient
        has no objects.

        Raises
        ------
        StoreError, StoreUnavailableError
            The database did not answer.
        """
        with reading(self._engine) as connection:
            own = (dicom_object.c.patient_id == patient_key) & PRESENT
            rows = _object_rows(connection, own)
            references = _reference_rows(connection, own)
            for part in chunks(sorted(linked_objects(connection, patient_key))):
                linked = dicom_object.c.id.in_(part) & PRESENT
                rows += _object_rows(connection, linked)
                references += _reference_rows(connection, linked)
        grouped = references_of(references)
        return [indexed_object(row, grouped.get(row.id, [])) for row in rows]

    def decisions(self, patient_key: int) -> tuple[Decision, ...]:
        """What people decided about the patient's objects, undone decisions too.

        Raises
        ------
        StoreError, StoreUnavailableError
            The database did not answer.
        """
        with reading(self._engine) as connection:
            return decisions_of(connection, patient_key)

    def save(self, patient_key: int, assembly: Assembly, claim: Claim) -> None:
        """Replace the patient's plan sets and pairs; ids of those that stay are kept.

        A calculation stays as long as its pair. In the same transaction projects take up what
        joined their plan sets, studies and patients, and a ``dvh`` job is asked for each pair
        without a calculation of the present inputs and algorithm, unless the inputs did not
        change and such a job waits, runs or was cancelled by a person.

        Raises
        ------
        LeaseLostError
            Another worker has the job: nothing was written.
        StoreUnavailableError
            An object left the index meanwhile (worth a retry), or the database did not answer.
        StoreError
            The database refused: nothing was written.
        """
        with writing(self._engine, serial=Serial.INDEX) as connection:
            fence(connection, claim)
            objects = involved_objects(connection, assembly)
            wanted = pair_rows(assembly, objects, patient_key)
            pairs = replace_rows(
                connection,
                pair,
                ("structure_set_id", "doses_key"),
                wanted,
                patient_id=patient_key,
                stamp={},
            )
            drop(connection, JobKind.DVH, pairs.gone)
            doses = {pairs.ids[pair_key(item, objects)]: set(item.doses) for item in assembly.pairs}
            replace_members(connection, pair_dose, "pair_id", _plain(doses))
            self._save_plan_sets(connection, patient_key, assembly, objects, pairs)
            refile(connection, patient_key)
            self._ask_dvhs(connection, wanted, pairs)

    def _save_plan_sets(
        self,
        connection: sa.Connection,
        patient_id: int,
        assembly: Assembly,
        objects: Mapping[int, Row],
        pairs: Replaced,
    ) -> None:
        plans = _plans(connection, assembly)
        wanted = {}
        for item in assembly.plan_sets:
            own_pair = pairs.ids[pair_key(item.pair, objects)] if item.pair else None
            row = plan_set_row(item, plans[item.plan], patient_id=patient_id, pair_id=own_pair)
            row["structures"] = _structures(connection, item.structure_set)
            row["image_series_id"] = objects[item.images[0]].series_id if item.images else None
            wanted[item.plan,] = fitted(plan_set, [row])[0]
        replaced = replace_rows(
            connection,
            plan_set,
            ("plan_id",),
            wanted,
            patient_id=patient_id,
            stamp={"updated_at": now(connection, self._clock)},
        )
        members = {replaced.ids[item.plan,]: members_of(item) for item in assembly.plan_sets}
        replace_members(connection, plan_set_object, "plan_set_id", _plain(members))
        keys = {item.plan: replaced.ids[item.plan,] for item in assembly.plan_sets}
        connection.execute(sa.delete(question).where(question.c.patient_id == patient_id))
        if rows := question_rows(connection, assembly, keys, patient_id=patient_id):
            connection.execute(sa.insert(question), rows)

    def _ask_dvhs(
        self,
        connection: sa.Connection,
        wanted: Mapping[PairKey, Mapping[str, Any]],
        pairs: Replaced,
    ) -> None:
        calculated = _calculated(connection, list(pairs.ids.values()))
        states = _dvh_states(connection, list(pairs.public_ids.values()))
        labels = _plan_labels(connection, list(pairs.ids.values()))
        requests = []
        for key, row in wanted.items():
            before = pairs.before.get(key)
            same = before is not None and before["input_hash"] == row["input_hash"]
            settled = same and states.get(pairs.public_ids[key]) in _SETTLED
            if (pairs.ids[key], row["input_hash"]) not in calculated and not settled:
                label = labels.get(pairs.ids[key])
                requests.append(dvh_request(pairs.public_ids[key], label))
        self._jobs.ask(connection, requests)


def _plain(members: Mapping[int, set[Any]]) -> dict[int, set[int]]:
    return {key: {int(member) for member in value} for key, value in members.items()}


def _object_rows(connection: sa.Connection, condition: "sa.ColumnElement[bool]") -> list[Row]:
    return list(
        connection.execute(
            sa.select(
                dicom_object,
                patient.c.patient_id.label("patient_number"),
                patient.c.issuer,
                patient.c.name,
                patient.c.birth_date,
                patient.c.sex,
                study.c.study_uid,
                study.c.date.label("study_date"),
                study.c.description.label("study_description"),
                study.c.accession_number,
                study.c.dicom_study_id,
                series.c.series_uid,
                series.c.modality,
                series.c.number.label("series_number"),
                series.c.description.label("series_description"),
                series.c.date.label("series_date"),
                series.c.manufacturer,
                series.c.model,
                series.c.software_versions,
                series.c.institution,
                series.c.body_part,
            )
            .join(patient, patient.c.id == dicom_object.c.patient_id)
            .join(series, series.c.id == dicom_object.c.series_id)
            .join(study, study.c.id == series.c.study_id)
            .where(condition)
            .order_by(dicom_object.c.id)
        )
    )


def _reference_rows(connection: sa.Connection, condition: "sa.ColumnElement[bool]") -> list[Row]:
    return list(
        connection.execute(
            sa.select(reference)
            .join(dicom_object, dicom_object.c.id == reference.c.dicom_object_id)
            .where(condition)
            .order_by(reference.c.id)
        )
    )


def _plans(connection: sa.Connection, assembly: Assembly) -> dict[int, Row]:
    found: dict[int, Row] = {}
    for part in chunks([item.plan for item in assembly.plan_sets]):
        rows = connection.execute(
            sa.select(dicom_object.c.id, dicom_object.c.header, dicom_object.c.content).where(
                dicom_object.c.id.in_(part)
            )
        )
        found |= {row.id: row for row in rows}
    return found


def _plan_labels(connection: sa.Connection, pair_ids: list[int]) -> dict[int, str]:
    found: dict[int, str] = {}
    for part in chunks(pair_ids):
        rows = connection.execute(
            sa.select(plan_set.c.pair_id, plan_set.c.label).where(plan_set.c.pair_id.in_(part))
        )
        found |= {row.pair_id: row.label for row in rows}
    return found


def _calculated(connection: sa.Connection, pair_ids: list[int]) -> set[tuple[int, str]]:
    found: set[tuple[int, str]] = set()
    for part in chunks(pair_ids):
        rows = connection.execute(
            sa.select(calculation.c.pair_id, calculation.c.input_hash).where(
                calculation.c.pair_id.in_(part)
            )
        )
        found |= {(row.pair_id, row.input_hash) for row in rows}
    return found


def _dvh_states(connection: sa.Connection, keys: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in chunks(keys):
        rows = connection.execute(
            sa.select(job.c.key, job.c.state).where(job.c.kind == JobKind.DVH, job.c.key.in_(part))
        )
        found |= {row.key: row.state for row in rows}
    return found


def _structures(connection: sa.Connection, key: int | None) -> str:
    content = connection.execute(
        sa.select(dicom_object.c.content).where(dicom_object.c.id == key)
    ).scalar()
    found = decode_content(content) if content else None
    names = [roi.name for roi in found.rois] if isinstance(found, StructureSetContent) else []
    return lines_of(names)
