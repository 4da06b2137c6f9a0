"""Curves for the plot and the spreadsheet: units, axes, and names that spreadsheets would run."""

import csv
import io
from dataclasses import replace

import numpy as np
import pytest

from rtpacs.services.views import CalculationView, Curve
from tests.web.fakes import FakeDoses
from webui.dvh_svg import dvh_svg
from webui.plot import MAX_POINTS, common_axis, dose_unit, only, plot_data, sample, spreadsheet

VIEW: CalculationView = FakeDoses().calculation("pr1")
# A block of 20 cm³ that gets 10 Gy evenly from 0 to 10: the curve is a straight line.
RAMP = Curve(
    source="rtpacs",
    number=1,
    name="ramp",
    dose_units="GY",
    volume_units="CM3",
    dose=tuple(0.01 * i for i in range(1001)),
    volume=tuple(20 - 0.02 * i for i in range(1001)),
)


def test_half_of_a_ramp_is_above_half_its_dose() -> None:
    """5 of 10 Gy: 50 % and 10 of 20 cm³."""
    read = sample(RAMP, np.array([5.0]))
    assert read.percent == pytest.approx([50.0])
    assert read.cm3 == pytest.approx([10.0])


def test_nothing_lies_beyond_the_end_of_a_curve() -> None:
    """A TPS curve may end early; the rest is 0, not its last value."""
    short = replace(RAMP, dose=(0.0, 4.0), volume=(20.0, 12.0))
    assert sample(short, np.array([4.5])).cm3 == pytest.approx([0.0])


def test_a_curve_in_percent_has_no_volume() -> None:
    """What the TPS did not export is not made up from our volume."""
    read = sample(
        replace(RAMP, volume_units="PERCENT", volume=(100.0, 0.0), dose=(0, 10)), np.array([5.0])
    )
    assert read.percent == pytest.approx([50.0])
    assert read.cm3 is None


def test_an_empty_curve_and_an_empty_volume_are_not_drawn() -> None:
    """No division by nothing."""
    assert sample(replace(RAMP, dose=(), volume=()), np.array([1.0])).cm3 is None
    zero = sample(replace(RAMP, dose=(0.0, 1.0), volume=(0.0, 0.0)), np.array([0.5]))
    assert zero.percent is None


def test_the_common_axis_reads_our_bins_at_their_edges() -> None:
    """Steps are whole multiples of 0.01 Gy and reach past the last dose."""
    axis = common_axis([replace(RAMP, dose=(0.0, 78.43), volume=(1.0, 0.0))])
    assert len(axis) <= MAX_POINTS + 2
    assert axis[-1] >= 78.43
    steps = axis / 0.01
    assert steps == pytest.approx(np.round(steps))


def test_relative_and_absolute_doses_share_no_axis() -> None:
    """A percent curve of the TPS stays out of a plot in Gy."""
    percent = replace(RAMP, source="TPS", dose_units="RELATIVE")
    drawn = plot_data(VIEW, [RAMP, percent])
    assert drawn["dose_unit"] == "Gy"
    assert [curve["source"] for curve in drawn["curves"]] == ["rtpacs"]
    relative = plot_data(replace(VIEW, dose_units="RELATIVE"), [RAMP, percent])
    assert relative["dose_unit"] == "%"
    assert [curve["source"] for curve in relative["curves"]] == ["TPS"]


def table(curve: Curve) -> list[list[str]]:
    """The spreadsheet of one curve without its remarks."""
    rows = list(csv.reader(io.StringIO(spreadsheet(VIEW, [curve]))))
    return [row for row in rows if not row[0].startswith("#")]


def test_the_spreadsheet_has_a_line_per_tenth_of_a_gray() -> None:
    """The ramp at 2.5 Gy leaves 15 cm³."""
    rows = table(RAMP)
    assert rows[0] == ["dose [Gy]", "ramp (rtpacs) [cm3]"]
    assert len(rows) == 1 + 101
    assert rows[26][0] == "2.5"
    assert float(rows[26][1]) == pytest.approx(15.0)


@pytest.mark.parametrize("name", ["=HYPERLINK()", "+1", "-1", "@SUM", "\tx"])
def test_a_name_is_never_a_formula(name: str) -> None:
    """Spreadsheets run cells that begin like this."""
    heading = table(replace(RAMP, name=name))[0][1]
    assert heading.startswith("'")


def test_only_the_chosen_curves_are_kept() -> None:
    """None keeps all, an empty choice none."""
    two = [RAMP, replace(RAMP, number=2)]
    assert only(two, None) == two
    assert only(two, [2]) == two[1:]
    assert only(two, []) == []


def test_the_svg_draws_ours_solid_and_the_tps_dashed() -> None:
    """Same colour, told apart by class; names are escaped."""
    evil = replace(RAMP, source="TPS", name="<script>x</script>")
    drawing = str(dvh_svg(VIEW, [RAMP, evil]))
    assert drawing.count("<path") == 2
    assert drawing.count("stroke-dasharray") == 1
    assert "<script>" not in drawing
    assert "style=" not in drawing


def test_the_svg_of_a_ramp_goes_through_its_middle() -> None:
    """From (0 Gy, 100 %) at the upper left to 0 % at 10 Gy; the axis ends just beyond."""
    drawing = str(dvh_svg(VIEW, [RAMP]))
    path = drawing.split('d="M')[1].split('"')[0].split(" L")
    points = np.array([[float(value) for value in point.split(",")] for point in path])
    assert points[0] == pytest.approx([56, 10])
    assert points[-1][1] == pytest.approx(356, abs=0.5)
    middle = points[np.argmin(np.abs(points[:, 1] - 183))]
    assert middle[0] == pytest.approx((points[0][0] + points[-1][0]) / 2, rel=0.02)


def test_the_plot_gets_percent_and_the_whole_volume() -> None:
    """The ramp of 20 cm³ begins with 100 %; zeros behind its end are not sent."""
    (curve,) = plot_data(VIEW, [RAMP])["curves"]
    assert curve["whole_cm3"] == pytest.approx(20.0)
    assert curve["percent"][0] == pytest.approx(100.0)
    assert curve["percent"][500] == pytest.approx(50.0)
    assert curve["percent"][-1] > 0


def test_a_curve_in_percent_has_no_whole_volume() -> None:
    """The browser then leaves it out of the plot in cm³."""
    theirs = replace(RAMP, source="TPS", volume_units="PERCENT", volume=(100.0, 0.0), dose=(0, 10))
    assert plot_data(VIEW, [theirs])["curves"][0]["whole_cm3"] is None


@pytest.mark.parametrize(
    ("units", "kind", "unit"),
    [("GY", "PHYSICAL", "Gy"), ("GY", "EFFECTIVE", "Gy (RBE)"), ("RELATIVE", "PHYSICAL", "%")],
)
def test_the_unit_says_what_kind_of_dose_it_is(units: str, kind: str, unit: str) -> None:
    """Effective dose is weighted (PS3.3 C.8.8.3.2) and never shown as plain Gy."""
    assert dose_unit(replace(VIEW, dose_units=units, dose_type=kind)) == unit
