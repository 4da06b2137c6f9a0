"""Prescription, fractions and treatment status of a plan: as stated by a person, else in DICOM."""

from collections.abc import Sequence
from dataclasses import dataclass

from rtpacs.rules.catalog import Member
from rtpacs.rules.content import is_plausible_dose
from rtpacs.rules.decisions import DecisionKind
from rtpacs.rules.objects import PlanContent, Prescription
from rtpacs.rules.plan_sets import Treatment
from rtpacs.rules.remarks import Remark, info, warning
from rtpacs.rules.settled import Settled, words
from rtpacs.rules.treatment import fractions_planned, stated_treatment

SAME_GY = 0.005
"""Prescribed doses that differ by less are one: plans state them to 0.01 Gy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """What counts for a plan; ``fractions`` and ``treatment`` are None unless stated."""

    prescribed_gy: float | None  # the highest TARGET level, stated or in DICOM
    fractions: int | None
    treatment: Treatment | None
    remarks: tuple[Remark, ...]


def prescribed_gy(prescriptions: Sequence[Prescription]) -> float | None:
    """The highest TARGET level in Gy; never a sum, never from BeamDose."""
    doses = [
        item.dose_gy
        for item in prescriptions
        if item.reference_type == "TARGET"
        and item.dose_gy is not None
        and is_plausible_dose(item.dose_gy)
    ]
    return max(doses, default=None)


def stated_on(settled: Settled, plan: Member[PlanContent]) -> Stated:
    """What people stated about a plan, with a remark for each and one where DICOM disagrees."""
    remarks: list[Remark] = []
    in_dicom = prescribed_gy(plan.content.prescriptions)
    prescribed, fractions, treatment = in_dicom, None, None
    if (decision := settled.on(DecisionKind.PRESCRIPTION, plan.name)) is not None:
        prescribed = max(item.dose_gy for item in decision.statement.targets)
        remarks.append(info("prescription-stated", f"{words(decision)}.", plan.uid))
        if in_dicom is not None and abs(in_dicom - prescribed) > SAME_GY:
            text = f"The DICOM plan prescribes {in_dicom:g} Gy; the stated {prescribed:g} Gy count."
            remarks.append(warning("prescription-differs", text, plan.uid))
    if (decision := settled.on(DecisionKind.FRACTIONS, plan.name)) is not None:
        fractions = decision.statement.fractions
        remarks.append(info("fractions-stated", f"{words(decision)}.", plan.uid))
        named = fractions_planned(plan.content)
        if named is not None and named != fractions:
            text = f"The DICOM plan has {named} fractions; the stated {fractions} count."
            remarks.append(warning("fractions-differ", text, plan.uid))
    if (decision := settled.on(DecisionKind.TREATMENT, plan.name)) is not None:
        planned = fractions or fractions_planned(plan.content)
        treatment = stated_treatment(decision, planned)
        remarks.append(info("treatment-stated", f"{words(decision)}.", plan.uid))
    return Stated(
        prescribed_gy=prescribed, fractions=fractions, treatment=treatment, remarks=tuple(remarks)
    )
