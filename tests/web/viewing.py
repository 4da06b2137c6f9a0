"""The viewer's desk on packs of the phantom: real packs, kept in memory."""

import json
from functools import cache

from rtpacs.errors import NotFoundError
from rtpacs.services.viewer import META, Opened, Pack, Subject, SubjectKind, ViewerInput
from tests.builders import OTHER_FRAME_UID
from tests.builders.phantom import a_phantom
from tests.unit.services.viewing import inputs_of, pack_of

# Key of the subject → patient position and scale of the dose.
HOSTILE = "<img src=x onerror=\"document.title='hit'\">"
PHANTOMS = {"ps1": ("HFS", 1.0), "ps2": ("HFP", 1.1), "ps3": ("FFS", 1.0), "pr1": ("FFP", 1.0)}
WAITING = "ps6"
ELSEWHERE = "ps5"  # in another frame of reference, with hostile names


@cache
def phantom_pack(subject: Subject) -> tuple[ViewerInput, Pack]:
    """Inputs and pack of a subject; one that waits has inputs only."""
    position, scale = PHANTOMS.get(subject.key, ("HFS", 1.0))
    images, structures, dose = a_phantom(position, scale)
    if subject.key == ELSEWHERE:
        for item in (*images, dose):
            item.FrameOfReferenceUID = OTHER_FRAME_UID
        for roi in structures.StructureSetROISequence:
            roi.ReferencedFrameOfReferenceUID = OTHER_FRAME_UID
            roi.ROIName = HOSTILE
    inputs, contents = inputs_of(
        images, structures, [dose], subject=subject, frame=dose.FrameOfReferenceUID
    )
    return inputs, pack_of(inputs, contents)


class FakeViewer:
    """Every subject of the fakes has a phantom; ``WAITING`` is never ready."""

    def open(self, subject, label=""):
        return Opened(inputs=phantom_pack(subject)[0], ready=subject.key != WAITING)

    def require(self, subject, pack_id):
        if phantom_pack(subject)[0].pack_id != pack_id:
            raise NotFoundError("there is no such pack")

    def read(self, subject, pack_id, name):
        self.require(subject, pack_id)
        pack = phantom_pack(subject)[1]
        if name == META:
            return json.dumps(pack.meta).encode()
        if name not in pack.files:
            raise NotFoundError("there is no such file")
        return pack.files[name]


PLAN = Subject(kind=SubjectKind.PLAN, key="ps1")
