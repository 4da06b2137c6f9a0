"""How objects of one patient join to plan sets and pairs."""



from rtpacs.rules.assembly import assemble
from rtpacs.rules.plan_sets import LinkStatus, PlanDoseKind, PlanSetState
from tests.unit.rules.builders import (
    PATIENT,
    an_rt_set,
)


def assembled(objects):
    return assemble(objects, patient_key=PATIENT)


def only_set(objects):
    (plan_set,) = assembled(objects).plan_sets
    return plan_set


def codes(holder):
    return {finding.code for finding in holder.findings}


def test_a_whole_chain_is_complete():
    """Dose → plan → structure set → all its images, prescription in the plan: complete."""
    objects = an_rt_set()
    plan_set = only_set(objects)
    assert plan_set.state is PlanSetState.COMPLETE
    assert plan_set.findings == ()
    assert plan_set.prescribed_gy == 60.0
    assert plan_set.fractions_planned == 30
    assert plan_set.images == tuple(obj.object_id for obj in objects[:5])
    assert plan_set.pair is not None
    assert plan_set.pair.dose_kind is PlanDoseKind.PLAN
    assert plan_set.pair.slice_spacing_mm == 3.0
    assert assembled(objects).pairs == (plan_set.pair,)
    assert {link.status for link in plan_set.links} == {LinkStatus.RESOLVED}
