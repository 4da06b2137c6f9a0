"""What is known of the delivery of a plan, from treatment records and the plan's intent.

Several records of one interrupted fraction count as one fraction: it is complete when the summed
DeliveredPrimaryMeterset of every treatment beam reaches the planned one. Simulations, setup
fields and portal films are no delivery. The approval of a plan proves nothing about delivery.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from rtpacs.rules.beam_doses import BeamKey, treatment_beams
from rtpacs.rules.decisions import Decision
from rtpacs.rules.objects import DeliveredBeam, PlanContent, RecordContent
from rtpacs.rules.plan_sets import Treatment, TreatmentStatus
from rtpacs.rules.remarks import counted
from rtpacs.rules.settled import signature

NOT_FOR_TREATMENT = frozenset({"VERIFICATION", "MACHINE_QA", "RESEARCH", "SERVICE"})
"""PlanIntent (300A,000A) values of plans that are never given to a patient."""

DELIVERY_TYPES = frozenset({None, "TREATMENT", "CONTINUATION"})
"""TreatmentDeliveryType (300A,00CE) that counts; SETUP and port films do not."""

METERSET_TOLERANCE = 0.02
"""A beam is delivered when 98 % of its planned meterset is: machines stop within 1-2 %."""

SETTLED = {"COMPLETED": "treatment is completed", "STOPPED": "treatment was stopped"}
"""CurrentTreatmentStatus (3008,0200) values after which nothing more is given."""

FractionKey = tuple[int | None, int | str]
"""Fraction group number, and fraction number or (where records lack it) the date."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Delivery:
    complete: dict[FractionKey, str | None]  # with the last date of each
    interrupted: int


def stated_treatment(decision: Decision, planned: int | None) -> Treatment:
    """The treatment status that a person stated; a delivered plan was given all fractions.

    Parameters
    ----------
    planned
        Fractions of the plan, as stated or in DICOM.
    """
    made = decision.statement
    assert made.status is not None  # noqa: S101 - a decision of this kind has one
    given = planned if made.status is TreatmentStatus.DELIVERED else made.fractions
    return Treatment(
        status=made.status,
        fractions_delivered=given,
        fractions_planned=planned,
        first_date=None,
        last_date=made.date,
        reason=f"stated by {signature(decision)}",
    )


def treatment_of(
    plan: PlanContent, records: Sequence[RecordContent], *, stated_fractions: int | None = None
) -> Treatment:
    """Derive the treatment status of a plan.

    Parameters
    ----------
    plan
        The plan.
    records
        All records and summaries of the same patient that refer to it, in any order.
    stated_fractions
        Planned fractions that a person stated; they count before those of the plan.
    """
    planned = stated_fractions or fractions_planned(plan)
    intent = (plan.intent or "").upper()
    if intent in NOT_FOR_TREATMENT:
        reason = f"the plan's intent is {intent}"
        return _treatment(TreatmentStatus.NOT_FOR_TREATMENT, reason, planned=planned)
    real = [record for record in records if (record.origin or "").upper() != "SIMULATION"]
    delivery = _count_fractions(plan, [record for record in real if record.kind != "summary"])
    summary = _newest_summary(real)
    if summary is not None and (answer := _from_summary(summary, delivery, planned)) is not None:
        return answer
    if delivery.complete or delivery.interrupted:
        return _from_records(plan, delivery, planned)
    reason = "no treatment record is here"
    if records:
        reason = f"none of the {len(records)} treatment records shows a delivery"
    if plan.approval_status == "REJECTED":
        reason += "; the plan was rejected, which says nothing about delivery"
    return _treatment(TreatmentStatus.UNKNOWN, reason, planned=planned)


def fractions_planned(plan: PlanContent) -> int | None:
    """Fractions of all fraction groups together; None when one of them does not say."""
    counts = [group.fractions_planned for group in plan.fraction_groups]
    known = [count for count in counts if count is not None and count > 0]
    return sum(known) if counts and len(known) == len(counts) else None


def _treatment(
    status: TreatmentStatus,
    reason: str,
    *,
    planned: int | None,
    delivered: int | None = None,
    dates: Sequence[str] = (),
) -> Treatment:
    return Treatment(
        status=status,
        fractions_delivered=delivered,
        fractions_planned=planned,
        first_date=min(dates, default=None),
        last_date=max(dates, default=None),
        reason=reason,
    )


def _count_fractions(plan: PlanContent, records: Sequence[RecordContent]) -> _Delivery:
    fractions: dict[FractionKey, list[tuple[RecordContent, DeliveredBeam]]] = defaultdict(list)
    setup = {beam.number for beam in plan.beams if beam.setup}
    for record in records:
        for beam in record.beams:
            if beam.delivery_type in DELIVERY_TYPES and beam.beam_number not in setup:
                fractions[_fraction_key(plan, record, beam)].append((record, beam))
    complete: dict[FractionKey, str | None] = {}
    interrupted = 0
    for key, parts in sorted(fractions.items(), key=str):
        beams = [beam for _, beam in parts]
        if _is_complete(plan, key[0], beams):
            dates = [record.treatment_date for record, _ in parts if record.treatment_date]
            complete[key] = max(dates, default=None)
        elif any(beam.delivered_meterset != 0 for beam in beams):
            interrupted += 1
    return _Delivery(complete=complete, interrupted=interrupted)


def _fraction_key(plan: PlanContent, record: RecordContent, beam: DeliveredBeam) -> FractionKey:
    """A record without a group number belongs to the only group that its beam is in."""
    group = record.fraction_group_number
    if group is None:
        group = _only_group_of(plan, beam.beam_number)
    if beam.fraction_number is not None:
        return group, beam.fraction_number
    return group, record.treatment_date or "no date"


def _only_group_of(plan: PlanContent, beam_number: int | None) -> int | None:
    """The one fraction group of the plan, or the one that asks for this beam or setup."""
    owners = {group for group, number in _wanted(plan) if number == beam_number}
    if len(plan.fraction_groups) == 1:
        return plan.fraction_groups[0].number
    return owners.pop() if len(owners) == 1 else None


def _wanted(plan: PlanContent) -> list[BeamKey]:
    """Fraction group and number of everything to deliver: treatment beams or brachy setups."""
    setups: list[BeamKey] = [
        (group.number, number)
        for group in plan.fraction_groups
        for number in group.brachy_setup_numbers
    ]
    return [*treatment_beams(plan), *setups]


def _is_complete(plan: PlanContent, group: int | None, beams: Sequence[DeliveredBeam]) -> bool:
    """Every beam of the fraction group has its meterset; without numbers NORMAL must be stated.

    Where no group is known, the beams of one of them must be there.
    """
    everything = _wanted(plan)
    groups = {group} if group is not None else {owner for owner, _ in everything} or {None}
    wanted = [{n for owner, n in everything if owner in (item, None)} for item in groups]
    parts: dict[int | None, list[DeliveredBeam]] = defaultdict(list)
    for beam in beams:
        parts[beam.beam_number].append(beam)
    if not any(numbers <= set(parts) for numbers in wanted):
        return False
    return all(_beam_is_complete(plan, group, items) for items in parts.values())


def _beam_is_complete(plan: PlanContent, group: int | None, parts: Sequence[DeliveredBeam]) -> bool:
    planned = _planned_meterset(plan, group, parts[0].beam_number)
    if planned is None:
        planned = max((beam.specified_meterset or 0.0 for beam in parts), default=0.0) or None
    given = [beam.delivered_meterset for beam in parts if beam.delivered_meterset is not None]
    if planned is None or not given:
        return any(beam.termination_status == "NORMAL" for beam in parts)
    return sum(given) >= planned * (1 - METERSET_TOLERANCE)


def _planned_meterset(
    plan: PlanContent, group: int | None, beam_number: int | None
) -> float | None:
    found = [
        beam.meterset
        for item in plan.fraction_groups
        if item.number == group
        for beam in item.beams
        if beam.beam_number == beam_number
    ]
    return found[0] if found else None


def _newest_summary(records: Sequence[RecordContent]) -> RecordContent | None:
    """The summary that knows most: last treatment date, then fractions, then a settled status."""
    summaries = [record for record in records if record.kind == "summary"]
    return max(
        summaries,
        key=lambda item: (
            item.last_treatment_date or item.treatment_date or "",
            item.fractions_delivered or 0,
            item.treatment_status or "",
            item.first_treatment_date or "",
        ),
        default=None,
    )


def _from_summary(
    summary: RecordContent, delivery: _Delivery, planned: int | None
) -> Treatment | None:
    """COMPLETED or STOPPED settle the course, unless records show more fractions than it counts.

    Then the summary is older than they are. Other states only add what records lack.
    """
    status, recorded = (summary.treatment_status or "").upper(), len(delivery.complete)
    delivered = summary.fractions_delivered
    if delivered is None and recorded:
        delivered = recorded
    if delivered == 0 or (delivered is not None and delivered < recorded):
        return None
    if status not in SETTLED and (delivered is None or delivered == recorded):
        return None
    known = delivered is not None and planned is not None
    enough = delivered is not None and planned is not None and delivered >= planned
    outcome = TreatmentStatus.PARTLY_DELIVERED
    if enough or (status == "COMPLETED" and not known):
        outcome = TreatmentStatus.DELIVERED
    words = SETTLED.get(status, "treatment is under way")
    reason = f"the newest treatment summary says that {words}{_count_text(delivered, planned)}"
    return _treatment(
        outcome, reason, planned=planned, delivered=delivered, dates=_dates(summary, delivery)
    )


def _dates(summary: RecordContent, delivery: _Delivery) -> list[str]:
    days = (summary.first_treatment_date, summary.last_treatment_date, *delivery.complete.values())
    return [day for day in days if day]


def _from_records(plan: PlanContent, delivery: _Delivery, planned: int | None) -> Treatment:
    delivered = len(delivery.complete)
    per_group = [
        sum(key[0] == group.number for key in delivery.complete) >= (group.fractions_planned or 0)
        for group in plan.fraction_groups
    ]
    status = TreatmentStatus.PARTLY_DELIVERED
    if planned != fractions_planned(plan):  # stated by a person, of all groups together
        per_group = [planned is not None and delivered >= planned]
    if planned is not None and all(per_group):
        status = TreatmentStatus.DELIVERED
    reason = f"treatment records show a delivery{_count_text(delivered, planned)}"
    if delivery.interrupted:
        reason += f"; {delivery.interrupted} more not finished"
    dates = [day for day in delivery.complete.values() if day]
    return _treatment(status, reason, planned=planned, delivered=delivered, dates=dates)


def _count_text(delivered: int | None, planned: int | None) -> str:
    if delivered is None:
        return ""
    if planned is None:
        return f": {counted(delivered, 'fraction')} (planned number unknown)"
    return f": {delivered} of {counted(planned, 'fraction')}"
