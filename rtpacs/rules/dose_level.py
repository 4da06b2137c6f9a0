"""Whether a dose looks like one of a fraction instead of the treatment, or like no dose at all."""

from collections.abc import Mapping

from rtpacs.rules.objects import Finding, Severity

HIGHEST_D50_GY = 1000.0
"""No structure gets more in its half; single voxels beside a brachytherapy source do."""


def per_fraction_finding(
    prescribed_gy: float | None, fractions: int | None, d50_gy: float | None
) -> Finding | None:
    """Flag a target D50 that lies nearer to prescription / fractions than to the prescription.

    The border lies half way between the two: of 60 Gy in 30 fractions, at 31 Gy.

    Parameters
    ----------
    prescribed_gy
        Highest TARGET level for the whole plan (Gy); unknown or not positive: no finding.
    fractions
        Planned fractions of all groups together; 1 or unknown: no finding.
    d50_gy
        Median dose (Gy) of the target volume with the highest one.
    """
    if not prescribed_gy or not fractions or d50_gy is None or not d50_gy > 0:
        return None
    if prescribed_gy < 0 or fractions < 2:
        return None
    per_fraction_gy = prescribed_gy / fractions
    if abs(d50_gy - per_fraction_gy) >= abs(d50_gy - prescribed_gy):
        return None
    text = (
        f"Half of the target gets at least {d50_gy:.2f} Gy: that is nearer to one fraction "
        f"({per_fraction_gy:.2f} Gy) than to the prescription ({prescribed_gy:.2f} Gy in "
        f"{fractions} fractions). Check whether the dose was exported per fraction."
    )
    return Finding(code="dose-per-fraction", severity=Severity.WARNING, text=text)


def implausible_dose_finding(d50_gy: Mapping[str, float]) -> Finding | None:
    """Flag a dose of which half of some structure gets more than any treatment gives.

    Parameters
    ----------
    d50_gy
        Median dose (Gy) of each structure by its name.
    """
    name = max(d50_gy, key=d50_gy.__getitem__, default=None)
    if name is None or not d50_gy[name] > HIGHEST_D50_GY:
        return None
    text = (
        f"Half of {name} gets at least {d50_gy[name]:.0f} Gy, which no treatment gives: the dose "
        "grid scaling is probably wrong. Export the dose again."
    )
    return Finding(code="dose-implausible", severity=Severity.WARNING, text=text)
