"""Packs made of built DICOM objects, with all parts real but the archive."""

from rtpacs.rules.registered import AcceptedRegistration
from rtpacs.services.contents import Contents, Located
from rtpacs.services.viewer import (
    Pack,
    RoiLook,
    Subject,
    SubjectKind,
    ViewerDose,
    ViewerInput,
)
from rtpacs.services.viewer_pack import build_pack
from rtpacs.services.viewer_packing import Source
from tests.builders import FRAME_UID, to_bytes
from tests.unit.services.fakes import MemoryArchive, MemoryFiles, PlainReader

SUBJECT = Subject(kind=SubjectKind.PLAN, key="ps1")


def inputs_of(
    images,
    structures,
    doses,
    *,
    frame: str | None = FRAME_UID,
    registrations: tuple[AcceptedRegistration, ...] = (),
    subject: Subject = SUBJECT,
) -> tuple[ViewerInput, Contents]:
    """The inputs of a subject and where their bytes lie; every dose is part of the plan dose."""
    files = {f"ct{number}": to_bytes(item) for number, item in enumerate(images)}
    files |= {f"rd{number}": to_bytes(item) for number, item in enumerate(doses)}
    rois = structures.StructureSetROISequence if structures is not None else []
    if structures is not None:
        files["rs"] = to_bytes(structures)
    inputs = ViewerInput(
        subject=subject,
        images=tuple(name for name in files if name.startswith("ct")),
        structure_set="rs" if structures is not None else None,
        doses=tuple(
            ViewerDose(
                content=name,
                object_id=name,
                label=name.upper(),
                units="GY",
                dose_type="PHYSICAL",
                frame_of_reference_uid=frame,
                in_plan_dose=True,
            )
            for name in files
            if name.startswith("rd")
        ),
        targets=(1,),
        looks=tuple(
            RoiLook(number=roi.ROINumber, name=roi.ROIName, interpreted_type=None, color_rgb=None)
            for roi in rois
        ),
        registrations=registrations,
    )
    return inputs, Contents(originals=MemoryArchive(**files), files=MemoryFiles())


def a_pack(*arguments, **options) -> Pack:
    """The pack of these objects."""
    inputs, contents = inputs_of(*arguments, **options)
    return pack_of(inputs, contents)


def pack_of(inputs: ViewerInput, contents: Contents) -> Pack:
    """The pack of these inputs."""
    source = Source(
        located=Located(contents=contents), reader=PlainReader(), progress=lambda done, total: None
    )
    return build_pack(inputs, source)
