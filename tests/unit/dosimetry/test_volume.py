"""Lattices in the patient's axes, and image planes in one lattice."""

from dataclasses import replace

import numpy as np
import pytest

from rtpacs.dosimetry.frame import DoseBlock
from rtpacs.dosimetry.image_stack import ImagePlane, stack_images
from rtpacs.dosimetry.volume import in_patient_axes
from rtpacs.errors import CalculationError

ORIGIN = np.array([-3.0, 5.0, 7.0])


def a_block(axes, *, shape=(4, 5, 6), steps=(2.0, 3.0, 4.0)) -> DoseBlock:
    """Values that are ``x + 10 y + 100 z`` of their own place."""
    axes = np.array(axes, dtype=float)
    u, v, w = (np.arange(count) * step for count, step in zip(shape[::-1], steps, strict=True))
    ws, vs, us = np.meshgrid(w, v, u, indexing="ij")
    places = ORIGIN + us[..., None] * axes[0] + vs[..., None] * axes[1] + ws[..., None] * axes[2]
    values = (places @ [1.0, 10.0, 100.0]).astype(np.float32)
    return DoseBlock(values=values, u_mm=u, v_mm=v, w_mm=w, origin_xyz_mm=ORIGIN, axes_xyz=axes)


def expected(volume) -> np.ndarray:
    """The same function at the places that the volume states."""
    z, y, x = np.meshgrid(volume.z_mm, volume.y_mm, volume.x_mm, indexing="ij")
    return x + 10 * y + 100 * z


@pytest.mark.parametrize(
    "axes",
    [
        [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        [[-1, 0, 0], [0, -1, 0], [0, 0, 1]],
        [[0, 1, 0], [0, 0, -1], [-1, 0, 0]],
        [[1, 0, 0], [0, 0, -1], [0, 1, 0]],
        [[0, 1, 0], [-1, 0, 0], [0, 0, 1]],
    ],
)
def test_a_lattice_along_the_axes_is_only_turned(axes):
    """Supine, prone, sagittal, coronal, decubitus: every value stays at its place, bit for bit."""
    volume = in_patient_axes(a_block(axes))
    np.testing.assert_allclose(volume.values, expected(volume), rtol=1e-6)
    assert not volume.resampled
    assert volume.values.size == 120


def test_a_tilted_lattice_is_read_between_its_values_and_unknown_outside():
    """A linear function is exact under trilinear reading; the corners of the box hold nothing."""
    angle = np.deg2rad(20)
    cos, sin = np.cos(angle), np.sin(angle)
    volume = in_patient_axes(a_block([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]]))
    inside = np.isfinite(volume.values)
    np.testing.assert_allclose(volume.values[inside], expected(volume)[inside], rtol=1e-5)
    assert volume.resampled
    assert 0.3 < inside.mean() < 1
    assert not inside[:, 0, 0].any()


def test_a_tilt_that_nobody_can_see_is_none():
    """0.001 degrees over 20 mm are 0.0003 mm."""
    angle = np.deg2rad(0.001)
    axes = [[np.cos(angle), np.sin(angle), 0], [-np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    assert not in_patient_axes(a_block(axes)).resampled


def test_a_tilted_lattice_that_would_fill_the_memory_is_refused():
    """The box around it would have more than sixty million voxels."""
    half = np.sqrt(0.5)
    block = a_block([[half, half, 0], [-half, half, 0], [0, 0, 1]], shape=(2, 2, 3))
    far = np.array([0.0, 1.0, 30_000.0])
    with pytest.raises(CalculationError, match="too large"):
        in_patient_axes(replace(block, u_mm=far, v_mm=np.array([0.0, 1.0])))


def a_plane(number: int, z_mm: float, **changes) -> ImagePlane:
    plane = ImagePlane(
        stored=np.full((3, 4), 100 + number, dtype=np.uint16),
        slope=1.0,
        intercept=-1024.0,
        units="HU",
        origin_xyz_mm=np.array([0.0, 0.0, z_mm]),
        row_direction=np.array([1.0, 0, 0]),
        column_direction=np.array([0, 1.0, 0]),
        column_spacing_mm=1.0,
        row_spacing_mm=1.0,
        thickness_mm=2.0,
        number=number,
        modality="CT",
        window=None,
        inverted=False,
        patient_position="HFS",
        frame_of_reference_uid="1.2",
    )
    return replace(plane, **changes)


def test_planes_are_sorted_by_place_not_by_number():
    """Three slices in the wrong order, with a step that differs."""
    stack = stack_images([a_plane(1, 7.0), a_plane(2, 0.0), a_plane(3, 2.0)])
    assert stack.block.w_mm.tolist() == [0, 2, 7]
    assert stack.block.values[:, 0, 0].tolist() == [102, 103, 101]
    assert (stack.slope, stack.intercept, stack.notes) == (1.0, -1024.0, ())


def test_scouts_and_repeated_positions_are_left_out_and_said():
    """The largest group counts; of two images at one place the lower number."""
    scout = a_plane(9, 0.0, stored=np.zeros((7, 7), np.uint16))
    stack = stack_images([scout, a_plane(5, 0.0), a_plane(4, 0.0), a_plane(6, 2.0)])
    assert stack.block.values[:, 0, 0].tolist() == [104, 106]
    assert stack.notes == (
        "1 images of other size, direction or frame of reference are not shown",
        "1 further images at positions that are taken are not shown",
    )


def test_slices_with_slopes_of_their_own_become_values_in_units():
    """PET: each slice has another slope."""
    stack = stack_images([a_plane(0, 0.0, slope=0.5), a_plane(1, 2.0, slope=2.0)])
    assert stack.block.values.dtype == np.float32
    assert stack.block.values[:, 0, 0].tolist() == [100 * 0.5 - 1024, 101 * 2 - 1024]
    assert (stack.slope, stack.intercept) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("stored", "kind"),
    [
        (np.array([[0, 65535]], np.uint16), np.int16),
        (np.array([[-5, 70000]], np.int32), np.float32),
        (np.array([[-32768, 32767]], np.int16), np.int16),
    ],
)
def test_every_stored_value_comes_through(stored, kind):
    """Unsigned 16 bit values are moved into int16, wider ones become float32."""
    stack = stack_images([a_plane(0, 0.0, stored=stored)])
    values = stack.block.values.astype(float) * stack.slope + stack.intercept
    assert values.ravel().tolist() == [value - 1024.0 for value in stored.ravel().tolist()]
    assert stack.block.values.dtype == kind


def test_a_tilted_gantry_is_straightened():
    """Each slice begins half a millimetre further down: a ramp along y stays at its place."""
    ramp = np.arange(12, dtype=np.uint16).reshape(12, 1).repeat(4, axis=1) * 10
    planes = [
        a_plane(k, 2.0 * k, stored=ramp + 5 * k, origin_xyz_mm=np.array([0, 0.5 * k, 2.0 * k]))
        for k in range(3)
    ]
    stack = stack_images(planes)
    assert stack.sheared
    np.testing.assert_allclose(stack.block.values[2, 1:, 0], ramp[1:, 0].astype(float))
    assert np.isnan(stack.block.values[2, 0, 0])


def test_no_planes_are_no_stack():
    """A series of nothing readable."""
    assert stack_images([]) is None
