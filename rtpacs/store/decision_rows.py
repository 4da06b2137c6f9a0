"""Open questions and decisions as people read them.

Questions are asked to those who may settle a center's data. A decision is shown to those who see
what it is about; one whose objects are not here is the center's alone.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Engine,
    FromClause,
    Row,
    and_,
    func,
    or_,
    select,
    true,
)

from rtpacs.rules.access import Reach
from rtpacs.rules.decisions import (
    Decision,
    DecisionKind,
    in_force,
    newest_of,
    topic,
    topic_of,
)
from rtpacs.rules.plan_sets import Answer, Question, QuestionKind
from rtpacs.rules.settled import settled_words
from rtpacs.services.desk import DecisionQuery, QuestionQuery
from rtpacs.services.views import (
    AnswerRow,
    DecisionRow,
    Page,
    PatientRow,
    PlanSetRow,
    QuestionRow,
)
from rtpacs.store.assignment import unknown_senders
from rtpacs.store.codec import decode
from rtpacs.store.decisions import as_decision, on_topics
from rtpacs.store.engine import chunks
from rtpacs.store.plan_rows import plan_set_rows
from rtpacs.store.rows import patient_rows
from rtpacs.store.schema import (
    center,
    decision,
    dicom_object,
    patient,
    plan_set,
    plan_set_object,
    question,
    series,
)
from rtpacs.store.search import text_conditions
from rtpacs.store.series_versions import series_answers
from rtpacs.store.sight import OBJECTS, PATIENTS, Sight, seeing
from rtpacs.store.version_answers import with_versions

OPTIONAL = frozenset({QuestionKind.TREATMENT})
"""Asked only when looked for: most plans of an archive have no treatment records."""

ENTERED = {
    QuestionKind.PRESCRIPTION: DecisionKind.PRESCRIPTION,
    QuestionKind.TREATMENT: DecisionKind.TREATMENT,
}
_QUESTIONS: FromClause = question.join(PATIENTS, question.c.patient_id == patient.c.id).outerjoin(
    plan_set, question.c.plan_set_id == plan_set.c.id
)
_VERSION = QuestionKind.VERSION.value
_Place = tuple[str, str, str, str]  # patient id and name, plan set id and label


class SqlDecisionLists:
    """``services.desk.DecisionLists`` in the database, as far as somebody reaches."""

    def __init__(self, engine: Engine, reach: Reach) -> None:
        self._engine = engine
        self._reach = reach

    def questions(self, query: QuestionQuery) -> Page[QuestionRow]:
        """Open questions that fit: on what is in no plan set, then on the newest plan sets."""
        with seeing(self._engine, self._reach.submit) as sight:
            where = _questions_where(sight, query)
            total = sight.connection.execute(
                select(func.count()).select_from(_QUESTIONS).where(where)
            ).scalar_one()
            found = sight.connection.execute(
                select(question, center.c.code)
                .select_from(_QUESTIONS)
                .where(where)
                .order_by(plan_set.c.id.desc().nulls_first(), question.c.id)
                .offset(query.offset)
                .limit(query.limit)
            ).all()
            rows = _question_rows(sight, found)
        return Page(items=tuple(rows), total=total, offset=query.offset, limit=query.limit)

    def waiting(self, kinds: Collection[str] = ()) -> dict[str, int]:
        """How many questions of each kind, or of some kinds, are open."""
        wanted = question.c.kind.in_(kinds) if kinds else true()
        with seeing(self._engine, self._reach.submit) as sight:
            counted = sight.connection.execute(
                select(question.c.kind, func.count())
                .select_from(_QUESTIONS)
                .where(sight.own, wanted)
                .group_by(question.c.kind)
            )
            return {kind: count for kind, count in counted}

    def senders_waiting(self) -> int:
        """How many unknown senders, and people without a number, wait for an administrator."""
        people = and_(center.c.quarantined.is_(False), patient.c.provisional_key != "")
        hidden = select(func.count()).select_from(unknown_senders().order_by(None).subquery())
        with seeing(self._engine, self._reach.info) as sight:
            nameless = select(func.count()).select_from(PATIENTS).where(people)
            return sum(sight.connection.execute(count).scalar_one() for count in (hidden, nameless))

    def decisions(self, query: DecisionQuery) -> Page[DecisionRow]:
        """Decisions that fit, the newest first, undone ones too."""
        with seeing(self._engine, self._reach.info) as sight:
            where = _decisions_where(sight, query)
            total = sight.connection.execute(
                select(func.count()).select_from(decision).where(where)
            ).scalar_one()
            found = sight.connection.execute(
                select(decision)
                .where(where)
                .order_by(decision.c.decided_at.desc(), decision.c.public_id.desc())
                .offset(query.offset)
                .limit(query.limit)
            ).all()
            rows = _decision_rows(sight, [as_decision(row) for row in found])
        return Page(items=tuple(rows), total=total, offset=query.offset, limit=query.limit)


def _questions_where(sight: Sight, query: QuestionQuery) -> ColumnElement[bool]:
    conditions: list[ColumnElement[bool]] = [sight.own, *text_conditions(query.text)]
    if query.center:
        conditions.append(center.c.code == query.center)
    if query.series_id:
        named = select(series.c.id).where(series.c.public_id == query.series_id)
        conditions.append(question.c.series_id.in_(named))
    if query.plan_set_id:
        conditions.append(plan_set.c.public_id == query.plan_set_id)
    elif not query.kind:
        conditions.append(question.c.kind.not_in(OPTIONAL))
    if query.kind:
        conditions.append(question.c.kind == query.kind)
    return and_(*conditions)


def _question_rows(sight: Sight, found: Sequence[Row[Any]]) -> list[QuestionRow]:
    connection = sight.connection
    plan_sets = _by_key(sight, {row.plan_set_id for row in found if row.plan_set_id})
    patients = patient_rows(sight, {row.patient_id for row in found if not row.plan_set_id})
    asked = {row.id: (row.code, decode(Question, row.body)) for row in found}
    bodies = with_versions(connection, asked)
    topics = {name for row in found for name in _topics(bodies[row.id], row.code)}
    rivals = on_topics(connection, topics)
    objects = _objects(sight, [bodies[row.id].subject for row in found if row.kind == _VERSION])
    rows = []
    for row in found:
        shown = plan_sets.get(row.plan_set_id)
        person = shown.patient if shown else patients.get(row.patient_id)
        if person is None:
            continue
        asking = _question_row(row, bodies[row.id], person, rivals)
        if row.series_id:
            answers = series_answers(connection, row.series_id, row.code)
            series_id = answers[0].series_id if answers else None
            asking = replace(asking, answers=answers, series_id=series_id)
        object_id = objects.get((row.patient_id, asking.subject))
        rows.append(replace(asking, plan_set=shown, object_id=object_id))
    return rows


def _objects(sight: Sight, uids: Collection[str]) -> dict[tuple[int, str], str]:
    """Public ids of objects by patient and SOP Instance UID."""
    found = {}
    for part in chunks(sorted(set(uids))):
        for row in sight.connection.execute(
            select(
                dicom_object.c.patient_id, dicom_object.c.sop_uid, dicom_object.c.public_id
            ).where(dicom_object.c.sop_uid.in_(part), dicom_object.c.patient_id.is_not(None))
        ):
            found[row.patient_id, row.sop_uid] = row.public_id
    return found


def _by_key(sight: Sight, keys: Collection[int]) -> dict[int, PlanSetRow]:
    public = {
        row.public_id: row.id
        for row in sight.connection.execute(
            select(plan_set.c.id, plan_set.c.public_id).where(plan_set.c.id.in_(keys))
        )
    }
    return {public[row.id]: row for row in plan_set_rows(sight, sorted(keys))}


def _topics(body: Question, code: str) -> Iterable[str]:
    if body.kind in ENTERED:
        yield topic_of(ENTERED[body.kind], code, body.subject)
    for answer in body.answers:
        yield _topic(answer, code)


def _topic(answer: Answer, code: str) -> str:
    kind = DecisionKind(answer.kind)
    return topic_of(kind, code, answer.subject, answer.relation, answer.target)


def _question_row(
    row: Row[Any], body: Question, person: PatientRow, rivals: Sequence[Decision]
) -> QuestionRow:
    def seen(name: str) -> str | None:
        newest = newest_of(rivals, name)
        return newest.decision_id if newest else None

    entered = ENTERED.get(body.kind)
    return QuestionRow(
        id=f"{person.id}-{row.id}",
        kind=body.kind,
        patient=person,
        plan_set=None,
        center_code=row.code,
        subject=body.subject,
        text=body.text,
        why=body.why,
        answers=tuple(
            AnswerRow(
                kind=DecisionKind(answer.kind),
                subject=answer.subject,
                target=answer.target,
                relation=answer.relation,
                registration=answer.registration,
                label=answer.label,
                note=answer.note,
                seen=seen(_topic(answer, row.code)),
            )
            for answer in body.answers
        ),
        seen=seen(topic_of(entered, row.code, body.subject)) if entered else None,
    )


def _decisions_where(sight: Sight, query: DecisionQuery) -> ColumnElement[bool]:
    is_sender = decision.c.kind == DecisionKind.SENDER.value
    conditions = [is_sender] if query.senders else [~is_sender, _decisions_seen(sight)]
    if query.kind:
        conditions.append(decision.c.kind == query.kind)
    if query.center:
        conditions.append(decision.c.center == query.center)
    if query.ids:
        conditions.append(decision.c.public_id.in_(query.ids))
    # Those of one act stand as one.
    conditions.append(decision.c.group_id.in_(("", decision.c.public_id)))
    return and_(*conditions)


def _decisions_seen(sight: Sight) -> ColumnElement[bool]:
    """Decisions of centers that are seen in full, and those on an object that may be seen."""
    if sight.scope.everything:
        return true()
    ours = decision.c.center.in_(sorted(sight.scope.own))
    shared = sorted(sight.scope.centers - sight.scope.own)
    if not shared:
        return ours
    names = [
        select(column).select_from(OBJECTS).where(sight.objects, center.c.code.in_(shared))
        for column in (dicom_object.c.orthanc_id, dicom_object.c.sop_uid)
    ]
    about = or_(*(decision.c.subject.in_(name) for name in names))
    return or_(ours, and_(decision.c.center.in_(shared), about))


def _decision_rows(sight: Sight, found: Sequence[Decision]) -> list[DecisionRow]:
    acts = _acts(sight, found)
    topics = {topic(item.statement) for act in acts.values() for item in act}
    counting = {item.decision_id for item in in_force(on_topics(sight.connection, topics))}
    places = _places(sight, found)
    return [
        _decision_row(
            item,
            places.get(item.decision_id),
            counts=any(part.decision_id in counting for part in acts[item.decision_id]),
            count=len(acts[item.decision_id]),
        )
        for item in found
    ]


def _acts(sight: Sight, found: Sequence[Decision]) -> dict[str, list[Decision]]:
    """All that was decided in one act with each of these."""
    acts = {item.decision_id: [item] for item in found}
    groups = [item.group for item in found if item.group]
    together: dict[str, list[Decision]] = defaultdict(list)
    for part in chunks(groups):
        for row in sight.connection.execute(select(decision).where(decision.c.group_id.in_(part))):
            together[row.group_id].append(as_decision(row))
    return acts | together


def _decision_row(item: Decision, place: _Place | None, *, counts: bool, count: int) -> DecisionRow:
    made = item.statement
    patient_id, name, plan_set_id, label = place or (None, None, None, None)
    return DecisionRow(
        id=item.decision_id,
        kind=made.kind,
        center_code=made.center,
        subject=made.subject,
        target=made.target,
        relation=made.relation,
        registration=made.registration,
        targets=made.targets,
        fractions=made.fractions,
        status=made.status,
        date=made.date,
        text=settled_words(item, count),
        author=item.author,
        reason=item.reason,
        decided_at=item.decided_at,
        undone_at=item.undone_at,
        undone_by=item.undone_by,
        undo_reason=item.undo_reason,
        in_force=counts,
        patient_id=patient_id,
        patient_name=name,
        plan_set_id=plan_set_id,
        label=label,
        count=count,
    )


def _places(sight: Sight, found: Sequence[Decision]) -> dict[str, _Place]:
    """Where decisions show: the patient and plan set of an object that they name."""
    names = {name for item in found for name in _names(item)}
    by_name: dict[tuple[str, str], _Place] = {}
    for part in chunks(sorted(names)):
        rows = sight.connection.execute(
            select(
                center.c.code,
                dicom_object.c.orthanc_id,
                dicom_object.c.sop_uid,
                patient.c.public_id.label("patient_id"),
                patient.c.name,
                plan_set.c.public_id.label("plan_set_id"),
                plan_set.c.label,
            )
            .select_from(
                dicom_object.join(PATIENTS, dicom_object.c.patient_id == patient.c.id)
                .outerjoin(plan_set_object, plan_set_object.c.dicom_object_id == dicom_object.c.id)
                .outerjoin(
                    plan_set,
                    and_(plan_set.c.id == plan_set_object.c.plan_set_id, sight.plan_sets),
                )
            )
            .where(
                or_(dicom_object.c.orthanc_id.in_(part), dicom_object.c.sop_uid.in_(part)),
                sight.objects,
            )
            .order_by(plan_set.c.id.desc().nulls_first())
        )
        for row in rows:
            place = (row.patient_id, row.name, row.plan_set_id, row.label)
            by_name[row.code, row.orthanc_id] = by_name[row.code, row.sop_uid] = place
    return {
        item.decision_id: by_name[item.statement.center, name]
        for item in found
        for name in _names(item)
        if (item.statement.center, name) in by_name
    }


def _names(item: Decision) -> list[str]:
    """What a decision names, its subject last."""
    made = item.statement
    return [name for name in (made.registration, made.target, made.subject) if name]
