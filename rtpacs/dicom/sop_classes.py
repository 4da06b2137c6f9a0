"""Which role an object has by its SOP class (PS3.4 B.5)."""

from rtpacs.dicom.records import KINDS
from rtpacs.rules.objects import Role

ROOT = "1.2.840.10008.5.1.4.1.1."
IMAGES = ("2", "2.1", "2.2", "4", "4.1", "4.4", "20", "128", "130", "128.1")
"""CT, MR and PT with their enhanced and legacy converted forms, and NM."""

ROLES = {
    **{ROOT + image: Role.IMAGE for image in IMAGES},
    **dict.fromkeys(KINDS, Role.RECORD),
    ROOT + "481.1": Role.RT_IMAGE,
    ROOT + "481.2": Role.DOSE,
    ROOT + "481.3": Role.STRUCTURE_SET,
    ROOT + "481.5": Role.PLAN,
    ROOT + "481.8": Role.PLAN,
    ROOT + "66.1": Role.REGISTRATION,
    ROOT + "66.3": Role.REGISTRATION,
    ROOT + "66.4": Role.SEGMENTATION,
    ROOT + "66.7": Role.SEGMENTATION,
}


def role_of(sop_class_uid: str) -> Role:
    """Give the role; classes that are not named here are stored and listed only."""
    return ROLES.get(sop_class_uid, Role.OTHER)
