"""The analytic benchmark of Nelms et al. 2015, rebuilt from its published geometry.

The true values are corrected for half-slice end caps, as in the paper: the cylinder and the base
of the cone along z are prolonged, and along z the extremes lie half a slice further out.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from rtpacs.dosimetry import Roi, RoiDvh, calculate_dvhs
from validation.phantoms import (
    CENTRE_GY,
    RADIUS_MM,
    Array,
    a_circle,
    a_dose_grid,
    a_gradient,
    a_lying_cone,
    a_lying_cylinder,
    a_sphere,
    an_axial_cone,
    an_extrusion,
    cone_across_cm3_above,
    cone_along_cm3_above,
    cylinder_across_cm3_above,
    cylinder_along_cm3_above,
    sphere_cm3_above,
)

DOSES_GY = np.linspace(2.0, 30.0, 280_001)
"""Fine enough to invert the closed formulas to 0.0001 Gy."""

EVERY_10_CGY = np.arange(0.0, 30.0, 0.1)
GRADIENTS = {"SI": (0.0, 0.0, 1.0), "AP": (0.0, 1.0, 0.0)}
DOSE_GRIDS_MM = ((0.4, 0.4, 0.2), (1.0, 1.0, 1.0), (2.0, 2.0, 2.0), (3.0, 3.0, 3.0))
"""Of test 1, where slices are 0.2 mm apart."""

FINE_SLICE_MM = 0.2
COARSE_SLICES_MM = (1.0, 2.0, 3.0)
"""Of test 2, each with a dose grid of the same spacing."""

METRICS = ("V", "Dmin", "D99", "D95", "Dmean", "D5", "D1", "D0.03cc", "Dmax")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Comparison:
    """One structure against its formula.

    ``errors_percent`` are relative to the true value; ``curve_cm3`` and ``true_cm3`` are V(D) at
    ``EVERY_10_CGY``.
    """

    name: str
    slice_mm: float
    grid_mm: float
    gradient: str
    errors_percent: dict[str, float]
    curve_cm3: Array
    true_cm3: Array

    @property
    def curve_errors_percent(self) -> Array:
        """Our V(D) minus the true one in percent of the volume, every 0.1 Gy."""
        errors: Array = 100 * (self.curve_cm3 - self.true_cm3) / self.true_cm3[0]
        return errors

    @property
    def curve_percent(self) -> float:
        """Largest error of the whole curve in percent of the volume."""
        return float(np.abs(self.curve_errors_percent).max())


def shapes(slice_mm: float, gradient: str) -> Iterator[tuple[str, Roi, Callable[[Array], Array]]]:
    """The five structures with their V(D)."""
    planes = np.round(np.arange(-RADIUS_MM, RADIUS_MM + 1e-6, slice_mm), 6)
    cap = slice_mm / 2
    along_z = gradient == "SI"
    axial = cylinder_along_cm3_above if along_z else cylinder_across_cm3_above
    lying = cylinder_across_cm3_above if along_z else cylinder_along_cm3_above
    axial_cone = cone_along_cm3_above if along_z else cone_across_cm3_above
    lying_cone = cone_across_cm3_above if along_z else cone_along_cm3_above
    yield "sphere", a_sphere(RADIUS_MM, planes), sphere_cm3_above
    yield "cylinder", an_extrusion(a_circle(RADIUS_MM), planes), partial(axial, cap_mm=cap)
    yield "lying cylinder", a_lying_cylinder(planes), lying
    yield "cone", an_axial_cone(planes), partial(axial_cone, cap_mm=cap)
    yield "lying cone", a_lying_cone(planes), lying_cone


def true_metrics(volume: Array, cap_mm: float) -> dict[str, float]:
    """Metrics of a curve given as V(DOSES_GY)."""

    def dose_at(part_cm3: float) -> float:
        return float(np.interp(-part_cm3, -volume, DOSES_GY))

    whole = float(volume[0])
    return {
        "Dmin": CENTRE_GY - RADIUS_MM - cap_mm,
        "Dmax": CENTRE_GY + RADIUS_MM + cap_mm,
        "Dmean": DOSES_GY[0] + float(np.trapezoid(volume, DOSES_GY)) / whole,
        **{f"D{percent}": dose_at(whole * percent / 100) for percent in (99, 95, 5, 1)},
        "D0.03cc": dose_at(0.03),
    }


def our_metrics(dvh: RoiDvh) -> dict[str, float]:
    """The same metrics as the engine gives them."""
    percents = {f"D{percent}": dvh.dose_at_volume_percent(percent) for percent in (99, 95, 5, 1)}
    values = {"Dmin": dvh.min_gy, "Dmax": dvh.max_gy, "Dmean": dvh.mean_gy, **percents}
    values["D0.03cc"] = dvh.dose_at_volume_cm3(0.03)
    return {name: value for name, value in values.items() if value is not None}


def compare(
    slice_mm: float, spacing_mm: tuple[float, float, float], gradient: str
) -> list[Comparison]:
    """The five structures on slices and a dose grid of these spacings."""
    grid = a_dose_grid(a_gradient(GRADIENTS[gradient]), spacing_mm=spacing_mm)
    cap_mm = slice_mm / 2 if gradient == "SI" else 0.0
    comparisons = []
    for shape, roi, above in shapes(slice_mm, gradient):
        (dvh,) = calculate_dvhs([roi], grid)
        volume = above(DOSES_GY)
        truth, ours = true_metrics(volume, cap_mm), our_metrics(dvh)
        # The paper counts the volume once per structure and grid, not once per gradient.
        if gradient == "SI":
            truth["V"], ours["V"] = float(volume[0]), float(dvh.volume_cm3 or 0)
        comparisons.append(
            Comparison(
                name=shape,
                slice_mm=slice_mm,
                grid_mm=spacing_mm[0],
                gradient=gradient,
                errors_percent={
                    metric: 100 * (ours[metric] / truth[metric] - 1) for metric in truth
                },
                curve_cm3=np.array([dvh.volume_cm3_at(dose) for dose in EVERY_10_CGY]),
                true_cm3=above(EVERY_10_CGY),
            )
        )
    return comparisons


def fine_slices() -> list[Comparison]:
    """Test 1: 40 DVHs on 0.2 mm slices, 340 values."""
    return [
        comparison
        for spacing_mm in DOSE_GRIDS_MM
        for gradient in GRADIENTS
        for comparison in compare(FINE_SLICE_MM, spacing_mm, gradient)
    ]


def coarse_slices() -> list[Comparison]:
    """Test 2: 30 DVHs on 1, 2 and 3 mm slices, 255 values."""
    return [
        comparison
        for slice_mm in COARSE_SLICES_MM
        for gradient in GRADIENTS
        for comparison in compare(slice_mm, (slice_mm,) * 3, gradient)
    ]
