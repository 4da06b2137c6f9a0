"""Where the planes of a dose lie along its normal (PS3.3 C.8.8.3.2)."""

from collections.abc import Sequence

from rtpacs.rules.objects import DoseContent

TRANSVERSE = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
COSINE_TOLERANCE = 1e-3  # 0.1 mm at 100 mm from the origin of the grid
POSITION_TOLERANCE_MM = 1e-3  # rounding of two Decimal Strings that mean the same position


def displacements_mm(offsets_mm: Sequence[float]) -> tuple[float, ...]:
    """Distance of each frame from the first one, along row x column.

    Offsets that begin with 0 are such distances. Patient z positions, which the standard allows
    for transverse grids alone, differ by the same, because there row x column is z. Whatever else
    was sent is read by its differences too; ``follows_standard`` tells whether that is a guess.
    """
    return tuple(offset - offsets_mm[0] for offset in offsets_mm)


def follows_standard(content: DoseContent) -> bool:
    """Whether the frame offsets begin as one of the two ways of PS3.3 C.8.8.3.2 asks.

    (a) The first is zero; or (b) it is the z of Image Position (Patient) and rows and columns run
    along x and y of the patient. Patient z in a feet-first grid is neither. There must be offsets.
    """
    first_mm = content.frame_offsets_mm[0]
    return abs(first_mm) <= POSITION_TOLERANCE_MM or (
        begins_at_its_z(content)
        and content.orientation is not None
        and all(
            abs(cosine - expected) <= COSINE_TOLERANCE
            for cosine, expected in zip(content.orientation, TRANSVERSE, strict=True)
        )
    )


def begins_at_its_z(content: DoseContent) -> bool:
    """Whether the first frame offset is the z of Image Position (Patient)."""
    return (
        content.position_mm is not None
        and abs(content.frame_offsets_mm[0] - content.position_mm[2]) <= POSITION_TOLERANCE_MM
    )


def two_readings_differ(content: DoseContent) -> bool:
    """Whether the frame offsets may be patient z, and would then lie elsewhere than taken here.

    Feet-first (row x column towards the feet) patient z and distance along row x column run
    against each other, in a tilted grid they differ by its cosine. Along z they are the same, and
    in sagittal and coronal grids offsets cannot be patient z.
    """
    if content.orientation is None or not begins_at_its_z(content):
        return False
    if abs(content.frame_offsets_mm[0]) <= POSITION_TOLERANCE_MM:
        return False
    row_x, row_y, _, column_x, column_y, _ = content.orientation
    normal_z = row_x * column_y - row_y * column_x
    return abs(normal_z) > COSINE_TOLERANCE and normal_z < 1 - COSINE_TOLERANCE


def axial_planes_mm(content: DoseContent) -> tuple[float, ...]:
    """Patient z of every frame; empty for grids that are not axial or say not where they lie."""
    if content.position_mm is None or content.orientation is None or not content.frame_offsets_mm:
        return ()
    row_x, row_y, row_z, column_x, column_y, column_z = content.orientation
    if abs(row_z) > COSINE_TOLERANCE or abs(column_z) > COSINE_TOLERANCE:
        return ()
    sign = 1.0 if row_x * column_y - row_y * column_x > 0 else -1.0
    steps = displacements_mm(content.frame_offsets_mm[: content.frames])
    return tuple(content.position_mm[2] + sign * step for step in steps)
