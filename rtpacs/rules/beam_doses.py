"""Whether BEAM doses cover every treatment beam of a plan exactly once."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rtpacs.rules.objects import DoseContent, PlanContent

BeamKey = tuple[int | None, int | None]
"""Fraction group number and beam number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BeamCount:
    """How many beams are wanted, have no dose, or have one too many."""

    wanted: int
    missing: int
    surplus: int


def treatment_beams(plan: PlanContent) -> list[BeamKey]:
    """Every (fraction group, beam) that is to be delivered; setup beams are left out.

    A plan whose fraction groups name no beams counts each treatment beam once.
    """
    setup = {beam.number for beam in plan.beams if beam.setup}
    keys: list[BeamKey] = [
        (group.number, beam.beam_number)
        for group in plan.fraction_groups
        for beam in group.beams
        if beam.beam_number not in setup
    ]
    return keys or [(None, beam.number) for beam in plan.beams if not beam.setup]


def lacking_beams(plan: PlanContent, doses: Sequence[DoseContent]) -> BeamCount:
    """Compare the beams that BEAM doses name with the treatment beams of the plan."""
    wanted = Counter(treatment_beams(plan))
    got = Counter(key for dose in doses for key in _keys_of(dose, wanted))
    return BeamCount(
        wanted=wanted.total(),
        missing=(wanted - got).total(),
        surplus=(got - wanted).total(),
    )


def _keys_of(dose: DoseContent, wanted: Counter[BeamKey]) -> list[BeamKey]:
    """What a dose names; without a group number its beam must be in one group only."""
    keys: list[BeamKey] = []
    stated = dose.fraction_group_numbers
    for number in dose.beam_numbers or (None,):
        groups = [group for group, beam in wanted if beam == number]
        if len(groups) == 1 and (not stated or groups[0] in (*stated, None)):
            keys.append((groups[0], number))
        else:
            keys += [(group, number) for group in stated or (None,)]
    return keys
