"""A transaction that reads the index as somebody: the one place where access becomes SQL.

Everything that a person or a script reads passes one of the conditions of ``Sight``. What waits
in quarantine (data of unknown senders, people without a patient number) fits none of them, and no
object does that is withdrawn.
"""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Engine,
    FromClause,
    Select,
    and_,
    exists,
    false,
    func,
    or_,
    select,
    true,
)

from rtpacs.rules.access import Scope
from rtpacs.rules.objects import Role
from rtpacs.store.access_schema import project, project_item
from rtpacs.store.engine import reading
from rtpacs.store.schema import (
    center,
    dicom_object,
    pair,
    pair_dose,
    patient,
    plan_set,
    sender,
    series,
    study,
)

PATIENTS: FromClause = patient.join(center, patient.c.center_id == center.c.id)
STUDIES: FromClause = study.join(PATIENTS, study.c.patient_id == patient.c.id)
SERIES: FromClause = series.join(STUDIES, series.c.study_id == study.c.id)
PLAN_SETS: FromClause = plan_set.join(PATIENTS, plan_set.c.patient_id == patient.c.id)
PAIRS: FromClause = pair.join(PATIENTS, pair.c.patient_id == patient.c.id)
OBJECTS: FromClause = (
    dicom_object.join(sender, dicom_object.c.sender_id == sender.c.id)
    .outerjoin(series, dicom_object.c.series_id == series.c.id)
    .outerjoin(study, series.c.study_id == study.c.id)
    .outerjoin(patient, dicom_object.c.patient_id == patient.c.id)
    # What cannot be read has no patient: then its own center decides.
    .join(center, center.c.id == func.coalesce(patient.c.center_id, dicom_object.c.center_id))
)
KNOWN = and_(center.c.quarantined.is_(False), patient.c.provisional_key == "")
"""Holds for patients who are not in quarantine."""
_KNOWN_OBJECT = and_(
    center.c.quarantined.is_(False),
    or_(patient.c.id.is_(None), patient.c.provisional_key == ""),
    # Withdrawn, or being erased: nobody sees or gets it any more.
    dicom_object.c.removal_id.is_(None),
)


@dataclass(frozen=True)
class Sight:
    """A reading transaction with what may be seen in it.

    Each condition holds in queries from the join of its name above.
    """

    connection: Connection
    scope: Scope

    @cached_property
    def own(self) -> ColumnElement[bool]:
        """Data of the centers that the scope has in full."""
        return and_(KNOWN, self._own)

    @cached_property
    def patients(self) -> ColumnElement[bool]:
        """Patients of whom something may be seen."""
        return and_(KNOWN, self._sees(patient.c.id, project_item.c.patient_id))

    @cached_property
    def studies(self) -> ColumnElement[bool]:
        """Studies with a series that may be seen."""
        inside = select(series.c.study_id).select_from(
            project_item.join(series, series.c.id == project_item.c.series_id)
        )
        return and_(KNOWN, self._sees(study.c.id, inside))

    @cached_property
    def series(self) -> ColumnElement[bool]:
        """Series of which an object may be seen."""
        return and_(KNOWN, self._sees(series.c.id, project_item.c.series_id))

    @cached_property
    def plan_sets(self) -> ColumnElement[bool]:
        """Plan sets whose plan may be seen."""
        return and_(KNOWN, self._sees(plan_set.c.plan_id, project_item.c.dicom_object_id))

    @cached_property
    def pairs(self) -> ColumnElement[bool]:
        """Pairs whose structure set and doses may all be seen."""

        def inside(held: Select[Any]) -> ColumnElement[bool]:
            foreign = select(pair_dose.c.pair_id).where(
                pair_dose.c.pair_id == pair.c.id, pair_dose.c.dicom_object_id.not_in(held)
            )
            return and_(pair.c.structure_set_id.in_(held), ~exists(foreign.correlate(pair)))

        held = select(project_item.c.dicom_object_id).where(
            project_item.c.dicom_object_id.is_not(None)
        )
        return and_(KNOWN, or_(self._own, *self._granted(held, inside)))

    @cached_property
    def objects(self) -> ColumnElement[bool]:
        """Objects that may be seen: images by their series, all others one by one."""
        images = select(project_item.c.series_id).where(project_item.c.dicom_object_id.is_(None))
        return and_(
            _KNOWN_OBJECT,
            or_(
                self._sees(dicom_object.c.id, project_item.c.dicom_object_id),
                and_(
                    dicom_object.c.role == Role.IMAGE, self._sees(dicom_object.c.series_id, images)
                ),
            ),
        )

    @cached_property
    def _own(self) -> ColumnElement[bool]:
        if self.scope.everything:
            return true()
        return center.c.code.in_(sorted(self.scope.own)) if self.scope.own else false()

    def _sees(
        self, column: "Column[Any]", held: "Select[Any] | Column[Any]"
    ) -> ColumnElement[bool]:
        query = held if isinstance(held, Select) else select(held).where(held.is_not(None))
        return or_(self._own, *self._granted(query, column.in_))

    def _granted(self, held: Select[Any], inside: Any) -> Iterator[ColumnElement[bool]]:
        """One condition per set of projects: the centers that it is granted for, and its items."""
        by_center: dict[str, set[str]] = defaultdict(set)
        for code, source in self.scope.granted:
            by_center[source].add(code)
        by_projects: dict[frozenset[str], list[str]] = defaultdict(list)
        for source, codes in by_center.items():
            by_projects[frozenset(codes)].append(source)
        for names, sources in by_projects.items():
            projects = select(project.c.id).where(project.c.code.in_(sorted(names)))
            lasts = or_(
                project_item.c.expires_at.is_(None), project_item.c.expires_at > self.scope.at
            )
            items = held.where(project_item.c.project_id.in_(projects), lasts)
            yield and_(center.c.code.in_(sorted(sources)), inside(items))


@contextmanager
def seeing(engine: Engine, scope: Scope) -> Iterator[Sight]:
    """Open a transaction that reads what a scope covers.

    Raises
    ------
    StoreError, StoreUnavailableError
        As ``engine.translated`` says.
    """
    with reading(engine) as connection:
        yield Sight(connection=connection, scope=scope)
