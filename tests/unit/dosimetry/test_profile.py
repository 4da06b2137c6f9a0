"""Between and beyond the planes a structure runs on as its sections do, where these are alike."""

from collections.abc import Callable

import numpy as np
import pytest

from rtpacs.dosimetry import EndCaps, Roi, RoiDvh, calculate_dvhs
from tests.unit.dosimetry.test_invariances import a_random_dose, a_random_structure
from validation.phantoms import (
    Array,
    a_box,
    a_circle,
    a_contour,
    a_dose_grid,
    a_gradient,
    a_keyhole,
    a_structure,
    an_extrusion,
)

GRID = a_dose_grid(a_gradient((0.0, 0.0, 1.0)))
STEP_MM = 2.0
HALF_HEIGHT_MM = 5.0
PHASES_MM = (0.0, 0.3, 0.77, 1.0, 1.6)
Ring = Callable[[float], Array]


def the_dvh(roi: Roi, *, end_caps: EndCaps = EndCaps.PROFILE) -> RoiDvh:
    (dvh,) = calculate_dvhs([roi], GRID, slice_spacing_mm=STEP_MM, end_caps=end_caps)
    return dvh


def a_body(ring: Ring, phase_mm: float, *, low_mm: float = -5.0, high_mm: float = 5.0) -> Roi:
    """Sections at every step inside a height, on planes that begin at some phase."""
    planes = STEP_MM * np.arange(-8, 9) + phase_mm
    return a_structure(a_contour(ring(z), z) for z in planes if low_mm <= z <= high_mm)


def half_width(z_mm: float) -> float:
    """Of a sphere or lying cylinder of 10 mm, as a part of its radius."""
    return float(np.sqrt(max(1 - (z_mm / HALF_HEIGHT_MM) ** 2, 1e-10)))


def an_ellipsoid(z_mm: float) -> Array:
    """Half axes 8, 4 and 5 mm, leaning by 0.6 mm per mm and turned by 30 degrees."""
    turn = np.array([[np.cos(0.5), -np.sin(0.5)], [np.sin(0.5), np.cos(0.5)]])
    ring: Array = a_circle(half_width(z_mm)) * np.array([8.0, 4.0]) @ turn + [0.6 * z_mm, 0.0]
    return ring


def a_lying_cylinder(z_mm: float) -> Array:
    return a_box(10 * half_width(z_mm), 12)


def a_cone(z_mm: float) -> Array:
    """Its apex at -5 mm, its base of 6 mm radius at 5 mm."""
    return a_circle(max(0.6 * (z_mm + 5), 1e-3))


BODIES: dict[str, tuple[Ring, float]] = {
    "ellipsoid": (an_ellipsoid, 4 / 3 * np.pi * 8 * 4 * 5),
    "lying cylinder": (a_lying_cylinder, np.pi * 25 * 12),
}


@pytest.mark.parametrize("phase_mm", PHASES_MM)
@pytest.mark.parametrize("body", BODIES)
def test_rounded_bodies_have_their_volume_wherever_slices_fall(body: str, phase_mm: float) -> None:
    """Five or six slices of 2 mm: prisms err by up to 4 % of the ellipsoid and 9 % of the other."""
    ring, volume_mm3 = BODIES[body]
    dvh = the_dvh(a_body(ring, phase_mm))
    assert dvh.volume_cm3 == pytest.approx(volume_mm3 / 1000, rel=1e-3)
    assert dvh.mean_gy == pytest.approx(16.0, abs=5e-3)
    if phase_mm != 1.0:
        # There slices lie at the poles themselves, ends like any other: half a slice beyond.
        assert (dvh.min_gy, dvh.max_gy) == pytest.approx((11.0, 21.0), abs=0.05)


def test_the_base_of_a_cone_is_half_a_slice_beyond_its_last_contour() -> None:
    """As of any end that comes to no point: pi 36 10 / 3 mm³ and a disc of 1 mm on top."""
    dvh = the_dvh(a_body(a_cone, 1.0))
    assert dvh.volume_cm3 == pytest.approx(np.pi * 36 * (10 / 3 + 1) / 1000, rel=1e-3)
    assert dvh.max_gy == pytest.approx(22.0, abs=1e-4)


def test_an_end_that_narrows_without_a_point_is_rounded() -> None:
    """A cone cut at 3 mm of radius: 2/3 mm more of the small disc, 1 mm of the large."""
    dvh = the_dvh(a_body(a_cone, 0.0, low_mm=0.0, high_mm=4.0))
    frustum = np.pi / 3 * 4 * (3.0**2 + 3.0 * 5.4 + 5.4**2)
    discs = np.pi * (2 / 3 * 3.0**2 + 5.4**2)
    assert dvh.volume_cm3 == pytest.approx((frustum + discs) / 1000, rel=1e-3)
    assert dvh.min_gy == pytest.approx(16 - 2 / 3, abs=1e-4)


def test_a_degenerate_end_of_another_shape_does_no_harm() -> None:
    """A small square where a lying cylinder ends in a line."""
    middle = a_body(a_lying_cylinder, 1.0, low_mm=-4, high_mm=4).contours
    ends = [a_contour(a_box(0.2, 0.2), z) for z in (-5.0, 5.0)]
    dvh = the_dvh(a_structure([*middle, *ends]))
    assert dvh.volume_cm3 == pytest.approx(np.pi * 25 * 12 / 1000, rel=1e-3)


def test_every_encoding_of_a_hole_runs_on_the_same_way() -> None:
    """A cone with a cone of half its radius taken out: 3/4 of its volume and of its last disc."""
    rings = {z: (a_cone(z), a_cone(z) / 2) for z in (-4.0, -2.0, 0.0, 2.0, 4.0)}
    both = a_structure(a_contour(ring, z) for z, pair in rings.items() for ring in pair[::-1])
    keyhole = a_structure(a_contour(a_keyhole(*pair), z) for z, pair in rings.items())
    volumes = [the_dvh(roi).volume_cm3 for roi in (both, keyhole)]
    assert volumes[0] == pytest.approx(volumes[1], rel=1e-9)
    cone, disc = np.pi * 5.4**2 * 9 / 3, np.pi * 5.4**2
    assert volumes[0] == pytest.approx(0.75 * (cone + disc) / 1000, rel=2e-3)


def test_contours_that_cross_themselves_run_on_too() -> None:
    """A cone of pentagrams, which count by even-odd: its middles are empty."""
    turns = 2 * np.pi * np.array([0, 2, 4, 1, 3]) / 5
    star = np.column_stack([np.cos(turns), np.sin(turns)])
    heights = (-4.0, -2.0, 0.0, 2.0, 4.0)
    dvh = the_dvh(a_structure(a_contour(0.6 * (z + 5) * star, z) for z in heights))
    # Ten triangles between the circle and the inner pentagon, of radius 1/phi².
    inner = ((3 - np.sqrt(5)) / 2) ** 2
    tips = 5 * (np.sqrt(inner) * np.sin(np.pi / 5) - inner * np.sin(2 * np.pi / 5) / 2)
    assert dvh.volume_cm3 == pytest.approx(tips * 5.4**2 * (9 / 3 + 1) / 1000, rel=2e-3)
    assert any("cross themselves" in text for text in dvh.warnings)


def test_two_parts_of_a_structure_each_come_to_their_points() -> None:
    """Two spheres of 10 mm, far apart along z."""
    contours = [
        a_contour(a_circle(5 * half_width(z)), z + centre)
        for centre in (-14.0, 14.0)
        for z in (-3.6, -1.6, 0.4, 2.4, 4.4)
    ]
    dvh = the_dvh(a_structure(contours))
    assert dvh.volume_cm3 == pytest.approx(2 * 4 / 3 * np.pi * 125 / 1000, rel=1e-3)


@pytest.mark.parametrize("seed", range(5))
def test_sections_that_differ_in_shape_stay_prisms(seed: int) -> None:
    """A star on each plane: nothing tells what lies between."""
    roi, dose = a_random_structure(seed), a_random_dose(seed)
    profile, prisms = (
        calculate_dvhs([roi], dose, end_caps=end_caps)[0].cumulative_cm3
        for end_caps in (EndCaps.PROFILE, EndCaps.HALF_SLICE)
    )
    assert np.array_equal(profile, prisms)


def test_equal_sections_stay_prisms() -> None:
    """Bit for bit, uneven steps and a bridged gap included."""
    roi = an_extrusion(a_circle(6.0), (-8, -6, -4, -3, -2, 4, 6))
    profile, prisms = (
        the_dvh(roi, end_caps=caps) for caps in (EndCaps.PROFILE, EndCaps.HALF_SLICE)
    )
    assert np.array_equal(profile.cumulative_cm3, prisms.cumulative_cm3)
