"""Which doses people linked to a plan or took from it."""

from collections.abc import Sequence
from dataclasses import replace

from rtpacs.rules.catalog import Catalog, Member
from rtpacs.rules.links import link_to
from rtpacs.rules.objects import DoseContent, PlanContent, ReferenceKind
from rtpacs.rules.plan_sets import Link, LinkStatus
from rtpacs.rules.remarks import Remark, info
from rtpacs.rules.settled import words

DOSE_LINKED = "dose-linked"


def linked_doses(catalog: Catalog, plan: Member[PlanContent]) -> tuple[Member[DoseContent], ...]:
    """Doses that a person linked to a plan, in the order of the decisions."""
    found = (
        catalog.named(item.statement.subject, DoseContent)
        for item in catalog.settled.links_to(ReferenceKind.DOSE_TO_PLAN, plan.name)
    )
    return tuple(dose for dose in found if dose is not None)


def linked_remarks(catalog: Catalog, doses: Sequence[Member[DoseContent]]) -> list[Remark]:
    """Who linked each dose, when and why: said beside the numbers of the pair too."""
    found = ((dose, catalog.settled.link(ReferenceKind.DOSE_TO_PLAN, dose.name)) for dose in doses)
    return [
        info(DOSE_LINKED, f"{words(decision)}.", dose.uid) for dose, decision in found if decision
    ]


def stays(catalog: Catalog, dose: Member[DoseContent], plan: Member[PlanContent]) -> bool:
    """Whether no person said that a dose does not belong to the plan it names."""
    kind = ReferenceKind.DOSE_TO_PLAN
    linked = catalog.settled.link(kind, dose.name)
    elsewhere = linked is not None and linked.statement.target != plan.name
    return not elsewhere and plan.name not in catalog.settled.unlinked(kind, dose.name)


def decided_links(
    catalog: Catalog,
    plan: Member[PlanContent],
    linked: Sequence[Member[DoseContent]],
    taken: Sequence[Member[DoseContent]],
) -> list[Link]:
    """Links of doses that a person made or took away."""
    kind, links = ReferenceKind.DOSE_TO_PLAN, []
    for dose in [*linked, *taken]:
        decision = catalog.settled.link(kind, dose.name)
        decision = catalog.settled.unlinked(kind, dose.name).get(plan.name, decision)
        link = replace(
            link_to(
                dose.indexed,
                kind,
                plan.uid,
                to_objects=(plan.object_id,),
                status=LinkStatus.LINKED if dose in linked else LinkStatus.UNLINKED,
                required=dose in linked,
            ),
            reason=words(decision) if decision else "",
        )
        links.append(link)
    return links
