"""Plans that look like versions of one plan: re-approved or exported again under a new UID."""

from collections import defaultdict
from collections.abc import Sequence

from rtpacs.rules.catalog import Member
from rtpacs.rules.objects import Beam, PlanContent, ReferenceKind, SopUid
from rtpacs.rules.remarks import Remark, info

Signature = tuple[object, ...]


def version_remarks(plans: Sequence[Member[PlanContent]]) -> dict[SopUid, tuple[Remark, ...]]:
    """Remarks for every plan that shares label, structure set and beams with another one.

    All versions are kept; the newest by review date, else plan date, is marked. Where the dates
    do not tell, none is.

    Parameters
    ----------
    plans
        The plans of one patient.
    """
    versions: dict[Signature, list[Member[PlanContent]]] = defaultdict(list)
    for plan in plans:
        if plan.content.label:
            versions[_signature(plan)].append(plan)
    remarks: dict[SopUid, tuple[Remark, ...]] = {}
    for group in versions.values():
        if len({plan.uid for plan in group}) > 1:
            remarks.update(_remarks_on(group))
    return remarks


def _remarks_on(group: Sequence[Member[PlanContent]]) -> dict[SopUid, tuple[Remark, ...]]:
    dates = sorted((_date(plan), plan.uid) for plan in group)
    newest = dates[-1][1] if dates[-1][0] > dates[-2][0] else None
    shared = (
        f"{len(group)} plans share the label {group[0].content.label}, the structure set and all "
        "beam angles under different UIDs, as after a new approval; all are kept"
    )
    remarks: dict[SopUid, tuple[Remark, ...]] = {}
    for plan in group:
        if newest is None:
            text = f"{shared}. Their dates do not tell which one is the newest: decide."
            remarks[plan.uid] = (info("plan-version-unclear", text, plan.uid),)
        elif plan.uid == newest:
            text = f"{shared}. This is the newest ({dates[-1][0]})."
            remarks[plan.uid] = (info("plan-version-newest", text, plan.uid),)
        else:
            text = f"{shared}. A newer one exists ({dates[-1][0]})."
            remarks[plan.uid] = (info("plan-version-older", text, newest),)
    return remarks


def _date(plan: Member[PlanContent]) -> str:
    return plan.content.review_date or plan.content.date or ""


def _signature(plan: Member[PlanContent]) -> Signature:
    """What two versions of one plan have in common: numbers rounded to 0.1 degree or mm."""
    content = plan.content
    structure_sets = sorted(
        ref.target_uid
        for ref in plan.indexed.parsed.references
        if ref.kind is ReferenceKind.PLAN_TO_STRUCTURE_SET
    )
    beams = sorted((_beam_signature(beam) for beam in content.beams), key=str)
    return content.kind, (content.label or "").casefold(), tuple(structure_sets), tuple(beams)


def _beam_signature(beam: Beam) -> Signature:
    values = (
        beam.gantry_deg,
        beam.gantry_stop_deg,
        beam.collimator_deg,
        beam.couch_deg,
        *(beam.isocenter_mm or ()),
    )
    return beam.number, *(None if value is None else round(value, 1) for value in values)
