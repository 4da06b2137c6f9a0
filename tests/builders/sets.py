"""Whole plan sets."""

from pydicom.dataset import Dataset

from rtpacs.rules.objects import Role
from tests.builders.doses import a_dose
from tests.builders.images import a_ct_series
from tests.builders.plans import a_photon_plan
from tests.builders.structures import a_structure_set


def an_rt_set(*, lacking: Role | None = None) -> list[Dataset]:
    """A complete plan set (CT, structure set, photon plan, plan dose), or one without a role."""
    members = [
        *((Role.IMAGE, image) for image in a_ct_series()),
        (Role.STRUCTURE_SET, a_structure_set()),
        (Role.PLAN, a_photon_plan()),
        (Role.DOSE, a_dose()),
    ]
    return [dataset for role, dataset in members if role is not lacking]
