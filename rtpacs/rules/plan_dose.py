"""Which doses make the plan dose of a plan: the one dose that enters statistics and goals.

PLAN; else all FRACTION doses, one per fraction group, summed and never multiplied, since each is
the whole delivery of its group (PS3.3 C.8.8.3); else the BEAM doses of all treatment beams, each
exactly once. A BRACHY dose is the whole delivery of application setups, so it is that of a plan
with one. MULTI_PLAN, PLAN_OVERVIEW, CONTROL_POINT, RECORD and session doses are none.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rtpacs.rules.beam_doses import lacking_beams
from rtpacs.rules.catalog import Member
from rtpacs.rules.content import content_errors
from rtpacs.rules.objects import DoseContent, PlanContent, PlanKind
from rtpacs.rules.plan_sets import PlanDoseKind
from rtpacs.rules.remarks import (
    Effect,
    Remark,
    ambiguous,
    counted,
    error,
    incomplete,
    info,
    unusable,
    warning,
)

Doses = Sequence[Member[DoseContent]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanDose:
    """The doses that make the plan dose, or none with the reason among the remarks."""

    kind: PlanDoseKind | None
    doses: tuple[Member[DoseContent], ...]
    remarks: tuple[Remark, ...]


def choose(plan: Member[PlanContent], doses: Doses, *, preferred: Doses = ()) -> PlanDose:
    """Choose the plan dose among the doses that refer to a plan.

    Parameters
    ----------
    doses
        All doses of the same patient that refer to this plan, in a stable order.
    preferred
        Those of them that a person linked to the plan, the newest last: of several doses of the
        whole plan that one counts.
    """
    usable, remarks = _usable(doses)
    usable = _chosen(usable, preferred)
    answer = _first_answer(plan, usable)
    if answer is None:
        answer = PlanDose(kind=None, doses=(), remarks=(_nothing(plan, doses),))
    return PlanDose(
        kind=answer.kind,
        doses=answer.doses,
        remarks=(*remarks, *answer.remarks, *_remarks_on_type(plan, answer.doses)),
    )


def _chosen(doses: Doses, preferred: Doses) -> Doses:
    """Leave out rivals of the dose of the whole plan that a person linked."""
    whole = [dose for dose in preferred if dose in doses and dose.content.summation_type == "PLAN"]
    if not whole:
        return doses
    return [dose for dose in doses if dose == whole[-1] or dose.content.summation_type != "PLAN"]


def _first_answer(plan: Member[PlanContent], doses: Doses) -> PlanDose | None:
    """The first way that gives doses; an ambiguity ends the search, a lack does not."""
    lack: PlanDose | None = None
    for attempt in (_plan_dose, _fraction_doses, _beam_doses):
        found = attempt(plan, doses)
        if found is None:
            continue
        if found.doses or any(item.effect is Effect.AMBIGUOUS for item in found.remarks):
            return found
        lack = lack or found
    return lack


def _usable(doses: Doses) -> tuple[Doses, list[Remark]]:
    """Leave out what cannot be a plan dose, then keep one dose type and the doses in Gy."""
    remarks = [remark for dose in doses if (remark := _why_not(dose)) is not None]
    usable = [dose for dose in doses if _why_not(dose) is None]
    if any(dose.content.units == "GY" for dose in usable):
        relative = [dose for dose in usable if dose.content.units == "RELATIVE"]
        usable = [dose for dose in usable if dose.content.units != "RELATIVE"]
        text = "This dose is in percent (RELATIVE); the plan's dose in Gy is used instead."
        remarks += [info("relative-dose-not-used", text, dose.uid) for dose in relative]
    return usable, remarks


def _why_not(dose: Member[DoseContent]) -> Remark | None:
    content = dose.content
    if errors := content_errors(dose.indexed.parsed):
        return error("dose-unusable", f"This dose cannot be used. {errors[0].text}", dose.uid)
    if not content.has_pixels:
        text = "This dose has no dose grid (DVHs or points only): it cannot be the plan dose."
        return info("dose-without-grid", text, dose.uid)
    if content.dose_type == "ERROR":
        text = "This object holds dose errors (DoseType ERROR), not a dose: it is not used."
        return info("dose-is-error-grid", text, dose.uid)
    return None


def _plan_dose(plan: Member[PlanContent], doses: Doses) -> PlanDose | None:
    single = [dose for dose in doses if len(dose.content.plan_uids) < 2]
    own = [dose for dose in single if dose.content.summation_type == "PLAN"]
    if not own and _application_setups(plan) == 1:
        own = [dose for dose in single if dose.content.summation_type == "BRACHY"]
    chosen, remarks = _one_type(plan, own)
    if not chosen:
        return None
    if len(chosen) == 1:
        return PlanDose(kind=PlanDoseKind.PLAN, doses=tuple(chosen), remarks=remarks)
    text = (
        f"{len(chosen)} doses each claim to be the dose of the whole plan: decide which one counts."
    )
    if all(dose.content.frames == 1 for dose in chosen):
        text = (
            f"{len(chosen)} doses of one plane each claim to be the dose of the whole plan: export "
            "it as one object with all planes, or decide which one counts."
        )
    remark = ambiguous("several-plan-doses", text, plan.uid)
    return PlanDose(kind=None, doses=(), remarks=(*remarks, remark))


def _application_setups(plan: Member[PlanContent]) -> int:
    """How many application setups the fraction groups of a brachytherapy plan ask for."""
    return sum(len(group.brachy_setup_numbers) for group in plan.content.fraction_groups)


def _fraction_doses(plan: Member[PlanContent], doses: Doses) -> PlanDose | None:
    own = [d for d in doses if d.content.summation_type == "FRACTION"]
    return _sum_of(plan, own, kind=PlanDoseKind.FRACTIONS, lacking=_lacking_groups)


def _beam_doses(plan: Member[PlanContent], doses: Doses) -> PlanDose | None:
    own = [d for d in doses if d.content.summation_type == "BEAM"]
    return _sum_of(plan, own, kind=PlanDoseKind.BEAMS, lacking=_lacking_beams)


def _sum_of(
    plan: Member[PlanContent],
    doses: Doses,
    *,
    kind: PlanDoseKind,
    lacking: Callable[[Member[PlanContent], Doses], Remark | None],
) -> PlanDose | None:
    """A sum of part doses when they cover the plan exactly once and fit each other."""
    chosen, remarks = _one_type(plan, doses)
    if not chosen:
        return None
    remark = lacking(plan, chosen) or _unlike(plan, chosen)
    if remark is not None:
        return PlanDose(kind=None, doses=(), remarks=(*remarks, remark))
    return PlanDose(kind=kind, doses=tuple(chosen), remarks=remarks)


def _lacking_groups(plan: Member[PlanContent], doses: Doses) -> Remark | None:
    groups = [group.number for group in plan.content.fraction_groups]
    wanted = Counter(groups)
    if len(groups) == 1:
        got = Counter(n for d in doses for n in (d.content.fraction_group_numbers or groups))
    else:
        got = Counter(n for d in doses for n in (d.content.fraction_group_numbers or (None,)))
    if got == wanted:
        return None
    if got - wanted:
        text = (
            f"{len(doses)} FRACTION doses do not match the plan's {len(groups)} fraction groups one"
            " to one: decide which ones count."
        )
        return ambiguous("fraction-doses-unclear", text, plan.uid)
    text = (
        f"Doses of {(wanted - got).total()} of the {len(groups)} fraction groups did not arrive: "
        "send the missing FRACTION doses or the dose of the whole plan."
    )
    return incomplete("fraction-doses-incomplete", text, plan.uid)


def _lacking_beams(plan: Member[PlanContent], doses: Doses) -> Remark | None:
    count = lacking_beams(plan.content, [dose.content for dose in doses])
    if count.surplus:
        text = (
            f"{counted(count.surplus, 'BEAM dose')} too many: a beam twice, a beam that is no "
            "treatment beam of the plan, or no beam named. Decide which ones count."
        )
        return ambiguous("beam-doses-unclear", text, plan.uid)
    if count.missing:
        text = (
            f"Doses of {count.missing} of the {count.wanted} treatment beams did not arrive: send "
            "the missing BEAM doses or the dose of the whole plan."
        )
        return incomplete("beam-doses-incomplete", text, plan.uid)
    return None


def _unlike(plan: Member[PlanContent], doses: Doses) -> Remark | None:
    """Doses are only added in one frame of reference and one unit."""
    if len({dose.frame for dose in doses}) > 1:
        text = "The part doses lie in different frames of reference and are not added."
        return unusable("part-doses-frames-differ", text, plan.uid)
    if any(dose.content.units == "RELATIVE" for dose in doses):
        text = "The part doses are in percent (RELATIVE) and cannot be added: export them in Gy."
        return unusable("part-doses-relative", text, plan.uid)
    return None


def _one_type(plan: Member[PlanContent], doses: Doses) -> tuple[Doses, tuple[Remark, ...]]:
    """Keep EFFECTIVE doses of an ion plan, PHYSICAL ones of others, where both are there."""
    effective = [dose for dose in doses if dose.content.dose_type == "EFFECTIVE"]
    physical = [dose for dose in doses if dose.content.dose_type != "EFFECTIVE"]
    if not effective or not physical:
        return doses, ()
    ion = plan.content.kind is PlanKind.ION
    kept, other = (effective, physical) if ion else (physical, effective)
    text = (
        f"The plan has physical and biologically weighted doses; the "
        f"{'physical' if ion else 'weighted'} ones ({len(other)}) are listed but not used."
    )
    return kept, (info("dose-types-apart", text, plan.uid),)


def _remarks_on_type(plan: Member[PlanContent], doses: Doses) -> list[Remark]:
    remarks = []
    if doses and doses[0].content.units == "RELATIVE":
        text = (
            "The dose is in percent (RELATIVE), not in Gy: its DVHs are in percent only and enter "
            "no statistics. Export the dose in Gy."
        )
        remarks.append(unusable("dose-relative", text, doses[0].uid))
    weighted = bool(doses) and doses[0].content.dose_type == "EFFECTIVE"
    if weighted and plan.content.kind is not PlanKind.ION:
        text = "The dose is biologically weighted (DoseType EFFECTIVE) though this is no ion plan."
        remarks.append(warning("dose-effective", text, doses[0].uid))
    elif weighted:
        text = "The dose is biologically weighted (DoseType EFFECTIVE), as usual for ion plans."
        remarks.append(info("dose-effective", text, doses[0].uid))
    return remarks


def _nothing(plan: Member[PlanContent], doses: Doses) -> Remark:
    if plan.content.kind is PlanKind.BRACHY and not doses:
        text = (
            "No dose of this brachytherapy plan is here: export it if the planning system can; "
            "source positions and dwell times are shown without."
        )
        return incomplete("missing-dose", text, plan.uid)
    if doses:
        kinds = ", ".join(sorted({dose.content.summation_type or "no type" for dose in doses}))
        text = (
            f"{counted(len(doses), 'dose')} of this plan ({kinds}), but none that can be the dose "
            "of the whole plan: export the plan dose."
        )
        if any(not dose.content.summation_type for dose in doses):
            text += (
                " A dose without DoseSummationType may be that of one beam or fraction: its DVHs"
                " are calculated apart and stand on the page of the patient."
            )
        return incomplete("no-plan-dose", text, plan.uid)
    return incomplete("missing-dose", "No dose of this plan is here: export it.", plan.uid)
