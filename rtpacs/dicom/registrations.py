"""How frames of reference map onto each other: spatial registrations (PS3.3 A.39, C.20)."""

import numpy as np

from rtpacs.dicom.attributes import Attributes, distinct
from rtpacs.dicom.numbers import MAX_COORDINATE_MM
from rtpacs.dicom.references import references
from rtpacs.rules.objects import (
    FrameUid,
    Reference,
    ReferenceKind,
    RegistrationContent,
    RegistrationItem,
)

RIGID_TOLERANCE = 1e-3  # deviation from a rotation: 0.1 mm at 100 mm
IMAGE_PATHS = (
    ("RegistrationSequence", "ReferencedImageSequence"),
    ("DeformableRegistrationSequence", "ReferencedImageSequence"),
    ("ReferencedSeriesSequence", "ReferencedInstanceSequence"),
    (
        "StudiesContainingOtherReferencedInstancesSequence",
        "ReferencedSeriesSequence",
        "ReferencedInstanceSequence",
    ),
)
LAST_ROW = (0.0, 0.0, 0.0, 1.0)


def registration_content(
    attributes: Attributes,
) -> tuple[RegistrationContent, tuple[Reference, ...]]:
    """Read a spatial or deformable registration, with the frames and images it joins."""
    rigid = attributes.items("RegistrationSequence")
    deformable = attributes.items("DeformableRegistrationSequence")
    items = (*(_spatial_item(item) for item in rigid), *(_deformable(item) for item in deformable))
    frame = _frame(attributes, "FrameOfReferenceUID")
    if not items:
        attributes.notes.error(
            "registration-empty",
            "The registration maps no frame of reference.",
            attribute="RegistrationSequence",
        )
    frames = distinct([frame, *(item.frame_of_reference_uid for item in items)])
    to_frames = (
        Reference(kind=ReferenceKind.REGISTRATION_TO_FRAME, target_uid=uid) for uid in frames
    )
    images = [image for path in IMAGE_PATHS for image in attributes.nested(*path)]
    content = RegistrationContent(
        items=items, frame_of_reference_uid=frame, label=attributes.text("ContentLabel")
    )
    return content, (*to_frames, *references(ReferenceKind.REGISTRATION_TO_IMAGE, images))


def _frame(attributes: Attributes, keyword: str) -> FrameUid | None:
    uid = attributes.uid(keyword)
    return FrameUid(uid) if uid else None


def _spatial_item(item: Attributes) -> RegistrationItem:
    matrices = item.nested("MatrixRegistrationSequence", "MatrixSequence")
    return RegistrationItem(
        frame_of_reference_uid=_frame(item, "FrameOfReferenceUID"),
        matrix=_product(matrices),
        matrix_type=_matrix_type(matrices),
        deformable=False,
    )


def _deformable(item: Attributes) -> RegistrationItem:
    """Read one item of a deformable registration.

    With a deformation grid no matrix alone maps the frame, so none is given; without one the
    transform is the post-deformation times the pre-deformation matrix (PS3.3 C.20.3.1.1).
    """
    matrices = [
        *item.nested("PreDeformationMatrixRegistrationSequence"),
        *item.nested("PostDeformationMatrixRegistrationSequence"),
    ]
    has_grid = bool(item.items("DeformableRegistrationGridSequence"))
    return RegistrationItem(
        frame_of_reference_uid=_frame(item, "SourceFrameOfReferenceUID"),
        matrix=() if has_grid else _product(matrices),
        matrix_type=_matrix_type(matrices),
        deformable=has_grid,
    )


def _matrix_type(matrices: list[Attributes]) -> str | None:
    kinds = distinct(m.code("FrameOfReferenceTransformationMatrixType") for m in matrices)
    return kinds[0] if len(kinds) == 1 else None


def _product(matrices: list[Attributes]) -> tuple[float, ...]:
    """Multiply the matrices, the first applied first; empty when one is unusable."""
    product = np.eye(4)
    if len(matrices) > 1:
        matrices[0].notes.warn(
            "registration-matrices",
            "The registration is given as several matrices; they are applied one after another."
            " Check the result before use.",
            attribute="MatrixSequence",
        )
    for item in matrices:
        values = item.vector("FrameOfReferenceTransformationMatrix", 16)
        if values is None or not _is_usable(values, item):
            item.notes.error(
                "registration-matrix",
                "A registration matrix is missing or does not fit its type.",
                attribute="FrameOfReferenceTransformationMatrix",
            )
            return ()
        product = np.array(values).reshape(4, 4) @ product
    return tuple(product.ravel().tolist()) if matrices else ()


def _is_usable(values: tuple[float, ...], item: Attributes) -> bool:
    """Say whether a matrix is homogeneous, invertible and, when RIGID, a proper rotation."""
    if not np.allclose(values[12:], LAST_ROW, atol=RIGID_TOLERANCE):
        return False
    if max(abs(value) for value in values) > MAX_COORDINATE_MM:
        return False
    linear = np.array(values).reshape(4, 4)[:3, :3]
    if item.code("FrameOfReferenceTransformationMatrixType") != "RIGID":
        return bool(abs(np.linalg.det(linear)) > RIGID_TOLERANCE)
    is_rotation = np.allclose(linear @ linear.T, np.eye(3), atol=RIGID_TOLERANCE)
    return bool(is_rotation and np.linalg.det(linear) > 0)
