"""How far a structure goes on beyond its outermost contours."""

import numpy as np
import pytest

from rtpacs.dosimetry import EndCaps, Roi, RoiDvh, RoiStatus, calculate_dvhs
from validation.phantoms import a_circle, a_dose_grid, a_gradient, an_extrusion

GRID = a_dose_grid(a_gradient((0.0, 0.0, 1.0)))
DISC_CM2 = np.pi * 1.44
UNEVEN_MM = (0, 2, 4, 5, 6, 7)
SHARES = {EndCaps.PROFILE: 1.0, EndCaps.HALF_SLICE: 1.0, EndCaps.ROUNDED: 2 / 3, EndCaps.NONE: 0.0}


def a_disc_stack(*z_mm: float) -> Roi:
    return an_extrusion(a_circle(12.0), z_mm)


def the_dvh(
    *z_mm: float, end_caps: EndCaps = EndCaps.HALF_SLICE, slice_spacing_mm: float | None = None
) -> RoiDvh:
    (dvh,) = calculate_dvhs(
        [a_disc_stack(*z_mm)], GRID, end_caps=end_caps, slice_spacing_mm=slice_spacing_mm
    )
    return dvh


def height_mm(dvh: RoiDvh) -> float:
    """Volume over the area of the disc."""
    assert dvh.volume_cm3 is not None
    return dvh.volume_cm3 / DISC_CM2 * 10


@pytest.mark.parametrize("end_caps", EndCaps)
def test_a_convention_changes_the_ends_alone(end_caps: EndCaps) -> None:
    """Planes from -4 to 4 mm, 2 mm apart: 8 mm and two caps of 1, 2/3 or 0 mm; 1 Gy/mm."""
    dvh = the_dvh(-4, -2, 0, 2, 4, end_caps=end_caps)
    cap_mm = SHARES[end_caps]
    assert height_mm(dvh) == pytest.approx(8 + 2 * cap_mm, rel=1e-9)
    assert dvh.covered_volume_cm3 == pytest.approx(dvh.volume_cm3, rel=1e-9)
    assert (dvh.min_gy, dvh.max_gy) == pytest.approx((12 - cap_mm, 20 + cap_mm), abs=1e-5)
    assert dvh.mean_gy == pytest.approx(16.0, abs=1e-5)
    assert dvh.end_caps is end_caps


@pytest.mark.parametrize("end_caps", EndCaps)
def test_the_ends_of_separate_parts_follow_the_convention_too(end_caps: EndCaps) -> None:
    """Two parts of 4 mm between their planes, with four caps of at most 1 mm."""
    dvh = the_dvh(-10, -8, -6, 6, 8, 10, end_caps=end_caps)
    assert height_mm(dvh) == pytest.approx(8 + 4 * SHARES[end_caps], rel=1e-9)


def test_a_rounded_end_has_the_volume_of_a_half_ellipsoid() -> None:
    """On an ellipse of area A with height h = half a slice: 2/3 A h."""
    flat = the_dvh(-2, 0, 2, end_caps=EndCaps.NONE)
    rounded = the_dvh(-2, 0, 2, end_caps=EndCaps.ROUNDED)
    assert rounded.volume_cm3 is not None
    assert flat.volume_cm3 is not None
    half_ellipsoid_cm3 = 2 / 3 * np.pi * 12 * 12 * 1.0 / 1000
    assert rounded.volume_cm3 - flat.volume_cm3 == pytest.approx(2 * half_ellipsoid_cm3, rel=1e-9)


def test_a_single_plane_is_two_end_caps() -> None:
    """On 3 mm slices: 3 mm, 2 mm, or no volume at all, with the reason."""
    thick = the_dvh(0, slice_spacing_mm=3.0)
    rounded = the_dvh(0, end_caps=EndCaps.ROUNDED, slice_spacing_mm=3.0)
    none = the_dvh(0, end_caps=EndCaps.NONE, slice_spacing_mm=3.0)
    assert height_mm(thick) == pytest.approx(3.0, rel=1e-9)
    assert height_mm(rounded) == pytest.approx(2.0, rel=1e-9)
    assert "2.00 mm thick" in rounded.warnings[0]
    assert none.status == RoiStatus.NOT_A_VOLUME
    assert "no thickness" in none.warnings[0]
    assert none.end_caps is EndCaps.NONE


def test_every_convention_has_its_sentence() -> None:
    """It stands beside the numbers: no two may read the same."""
    assert len({caps.sentence for caps in EndCaps}) == 4
    assert "half a slice" in EndCaps.HALF_SLICE.sentence


@pytest.mark.parametrize(
    "z_mm", [UNEVEN_MM, tuple(7 - z for z in UNEVEN_MM)], ids=["at the bottom", "at the top"]
)
def test_a_coarse_end_of_two_steps_is_not_a_gap(z_mm: tuple[float, ...]) -> None:
    """Planes at 0, 2, 4, 5, 6, 7: edges at -1, 1, 3, 4.5, 5.5, 6.5, 7.5; nothing is missing."""
    dvh = the_dvh(*z_mm)
    assert height_mm(dvh) == pytest.approx(8.5, rel=1e-9)
    assert dvh.warnings == ()
    cold, hot = (min(z_mm) - 1, max(z_mm) + 0.5) if z_mm[0] == 0 else (-0.5, 8.0)
    assert (dvh.min_gy, dvh.max_gy) == pytest.approx((16 + cold, 16 + hot), abs=1e-5)


def test_a_slice_missing_before_the_last_is_bridged_and_does_not_lengthen_the_end() -> None:
    """Planes 2 mm apart without that at 8: edges at -1 and 11, the cap is half of 2 mm."""
    dvh = the_dvh(0, 2, 4, 6, 10)
    assert height_mm(dvh) == pytest.approx(12.0, rel=1e-9)
    assert any("bridged" in warning for warning in dvh.warnings)


def test_two_lone_planes_far_beyond_the_end_are_parts_of_their_own() -> None:
    """Steps of 1 mm, then twice 5 mm: each lone plane is 1 mm thick."""
    dvh = the_dvh(0, 1, 2, 3, 8, 13)
    assert height_mm(dvh) == pytest.approx(6.0, rel=1e-9)
    assert any("3 parts" in warning for warning in dvh.warnings)
