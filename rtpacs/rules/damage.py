"""Files whose bytes changed on disk: said on every plan set and calculation that uses one."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from rtpacs.rules.objects import Finding, ObjectId, Severity
from rtpacs.rules.plan_sets import Assembly, CalculationPair, IndexedObject, PlanSet
from rtpacs.rules.remarks import counted

DAMAGED = "damaged-file"


def damage(role: str, uid: str | None) -> Finding:
    """What is said of an object whose stored bytes are no longer those that came.

    A warning there, since what was read of it before stays usable; an error where it is used.
    """
    text = (
        f"The file of this {role} is missing or changed on disk since it was stored: restore it "
        "from the backup, or delete the object and have it sent again."
    )
    return Finding(code=DAMAGED, severity=Severity.WARNING, text=text, uid=uid)


def mark_damage(assembly: Assembly, objects: Iterable[IndexedObject]) -> Assembly:
    """Say on plan sets and pairs which of their objects are damaged; what was calculated stays."""
    damaged = {
        item.object_id: replace(finding, severity=Severity.ERROR)
        for item in objects
        for finding in item.parsed.findings
        if finding.code == DAMAGED
    }
    if not damaged:
        return assembly
    return replace(
        assembly,
        plan_sets=tuple(_plan_set(item, damaged) for item in assembly.plan_sets),
        pairs=tuple(_pair(item, damaged) for item in assembly.pairs),
    )


def _plan_set(item: PlanSet, damaged: Mapping[ObjectId, Finding]) -> PlanSet:
    single = [item.plan, *item.doses, *item.records, *item.registrations]
    single += [item.structure_set] if item.structure_set is not None else []
    found = [damaged[key] for key in single if key in damaged]
    images = [damaged[key] for key in item.images if key in damaged]
    if images:
        text = f"{counted(len(images), 'image file')} missing or changed on disk: {images[0].text}"
        found.append(replace(images[0], text=text))
    pair = _pair(item.pair, damaged) if item.pair else None
    return replace(item, findings=(*item.findings, *found), pair=pair)


def _pair(item: CalculationPair, damaged: Mapping[ObjectId, Finding]) -> CalculationPair:
    keys = (item.structure_set, *item.doses)
    found = tuple(damaged[key] for key in keys if key in damaged)
    return replace(item, findings=(*item.findings, *found)) if found else item
