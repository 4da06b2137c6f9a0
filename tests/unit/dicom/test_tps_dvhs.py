"""DVHs that a TPS exported, brought to cumulative curves."""

import pytest
from pydicom.sequence import Sequence as Items

from rtpacs.dicom import summarise
from rtpacs.rules.objects import DoseContent, TpsDvh
from tests.builders import a_dose, a_tps_dvh, set_raw, to_bytes

CUMULATIVE = [1, 10, 1, 10, 1, 6, 1, 2, 1, 0]
"""10 cm3 up to 1 Gy, 6 from 2 Gy, 2 from 3 Gy, none from 4 Gy."""


def read(dvh, **dose_attributes: object) -> TpsDvh:
    dataset = a_dose()
    dataset.DVHSequence = Items([dvh])
    for keyword, value in dose_attributes.items():
        setattr(dataset, keyword, value)
    found = summarise(to_bytes(dataset))
    assert isinstance(found.content, DoseContent)
    assert found.content.tps_dvh_count == 1
    assert found.findings == ()
    (result,) = found.tps_dvhs
    return result


def codes(dvh: TpsDvh) -> set[str]:
    return {finding.code for finding in dvh.findings}


def test_a_cumulative_dvh_is_volume_at_the_lower_edge_of_each_bin() -> None:
    """PS3.3 C.8.8.4: pairs of bin width and volume."""
    dvh = read(a_tps_dvh(CUMULATIVE, DVHMinimumDose=1.0, DVHMaximumDose=4.0, DVHMeanDose=2.3))
    assert dvh.dose == (0, 1, 2, 3, 4)
    assert dvh.volume == (10, 10, 6, 2, 0)
    assert (dvh.roi_numbers, dvh.source_type) == ((2,), "CUMULATIVE")
    assert (dvh.dose_units, dvh.volume_units) == ("GY", "CM3")
    assert (dvh.minimum, dvh.maximum, dvh.mean) == (1.0, 4.0, 2.3)
    assert dvh.findings == ()


def test_a_differential_dvh_is_summed_from_the_highest_dose() -> None:
    """4 cm3 get 1 to 2 Gy, 4 cm3 2 to 3 Gy, 2 cm3 3 to 4 Gy: the same curve as above."""
    dvh = read(a_tps_dvh([1, 0, 1, 4, 1, 4, 1, 2], kind="DIFFERENTIAL"))
    assert dvh.dose == (0, 1, 2, 3, 4)
    assert dvh.volume == (10, 10, 6, 2, 0)
    assert codes(dvh) == set()


def test_a_natural_dvh_is_summed_and_flagged() -> None:
    """Its abscissa is not dose; only its bins are."""
    dvh = read(a_tps_dvh([1, 4, 1, 4, 1, 2], kind="NATURAL"))
    assert dvh.volume == (10, 6, 2, 0)
    assert codes(dvh) == {"tps-dvh-natural"}


def test_bin_widths_may_differ_and_are_scaled() -> None:
    """DVHDoseScaling 0.01 turns centigray widths into Gy."""
    sent = a_tps_dvh([50, 8, 150, 8, 100, 3, 100, 0])
    sent.DVHDoseScaling = 0.01
    dvh = read(sent)
    assert dvh.dose == pytest.approx((0, 0.5, 2.0, 3.0))
    assert dvh.volume == (8, 8, 3, 0)


def test_relative_units_keep_the_dose_of_a_hundred_percent() -> None:
    """DVHNormalizationDoseValue is the reference of relative DVHs."""
    sent = a_tps_dvh([50, 100, 50, 40, 10, 0])
    sent.DoseUnits, sent.DVHVolumeUnits = "RELATIVE", "PERCENT"
    dvh = read(sent, DVHNormalizationDoseValue=60.0)
    assert (dvh.dose_units, dvh.volume_units, dvh.normalization_gy) == ("RELATIVE", "PERCENT", 60.0)
    assert dvh.dose == (0, 50, 100)


@pytest.mark.parametrize(
    "statistics",
    [{"DVHMeanDose": 23.0}, {"DVHMaximumDose": 100.0}, {"DVHMinimumDose": 40.0}],
)
def test_statistics_that_do_not_fit_their_own_curve_are_flagged(
    statistics: dict[str, float],
) -> None:
    """A published example sends percent of 14 Gy although its units say GY."""
    fine = [1, 10] * 10 + [1, 6] * 10 + [1, 0]
    dvh = read(a_tps_dvh(fine, **statistics))
    (keyword,) = statistics
    assert [(note.code, note.attribute) for note in dvh.findings] == [
        ("tps-dvh-statistics", keyword)
    ]


def test_statistics_within_the_bins_are_not_flagged() -> None:
    """Area under the curve: 10 cm3 x 10 Gy + 6 cm3 x 10 Gy over 10 cm3 is 16 Gy."""
    fine = [1, 10] * 10 + [1, 6] * 10 + [1, 0]
    statistics = {"DVHMinimumDose": 9.5, "DVHMaximumDose": 20.0, "DVHMeanDose": 16.0}
    assert codes(read(a_tps_dvh(fine, **statistics))) == set()


def test_a_dvh_of_several_structures_is_flagged() -> None:
    """PTV without bladder is not the PTV: only what is included is named."""
    sent = a_tps_dvh(CUMULATIVE)
    excluded = a_tps_dvh([], roi_number=5).DVHReferencedROISequence[0]
    excluded.DVHROIContributionType = "EXCLUDED"
    sent.DVHReferencedROISequence.append(excluded)
    dvh = read(sent)
    assert dvh.roi_numbers == (2,)
    assert codes(dvh) == {"tps-dvh-combination"}


def test_a_dvh_of_no_structure_is_flagged() -> None:
    """Whose curve it is nobody says."""
    sent = a_tps_dvh(CUMULATIVE)
    del sent.DVHReferencedROISequence
    dvh = read(sent)
    assert (dvh.roi_numbers, codes(dvh)) == ((), {"tps-dvh-without-roi"})


def test_rounding_below_zero_is_no_volume() -> None:
    """A TPS sends -3e-13 cm3 in the last bin."""
    dvh = read(a_tps_dvh([1, 10, 1, 6, 1, -3e-13]))
    assert dvh.volume == (10, 6, 0)
    assert codes(dvh) == set()


def test_single_points_that_step_back_are_left_out() -> None:
    """Seen in an Eclipse curve: one dose value of 0.0004 Gy among 35 Gy."""
    dvh = read(a_tps_dvh([2, 10, 1, 8, -2.5, 6, 3.5, 5, 1, 0]))
    assert dvh.dose == (0, 2, 3, 4)
    assert dvh.volume == (10, 8, 6, 0)
    assert codes(dvh) == {"tps-dvh-step-back"}


@pytest.mark.parametrize(
    "raw",
    [
        b"1\\10\\1",
        b"1\\NaN\\1\\0",
        b"1\\1e400\\1\\0",
        b"1e300\\1\\1\\0",
        b"1,0\\1",
        b"",
        b"1\\5\\1\\9",
        b"1\\5\\1\\-2",
    ],
    ids=["odd", "NaN", "overflow", "far", "decimal comma", "empty", "rising", "negative"],
)
def test_a_dvh_that_is_no_curve_gives_none(raw: bytes) -> None:
    """Nothing is drawn, the reason stays with the DVH, the dose stays usable."""
    sent = a_tps_dvh(CUMULATIVE)
    set_raw(sent, "DVHData", raw)
    dvh = read(sent)
    assert (dvh.dose, dvh.volume) == ((), ())
    assert "tps-dvh-unreadable" in codes(dvh)


@pytest.mark.parametrize(
    ("keyword", "raw"), [("DVHDoseScaling", b"-1"), ("DVHDoseScaling", b""), ("DVHType", b"OTHER")]
)
def test_a_dvh_without_type_or_scaling_gives_none(keyword: str, raw: bytes) -> None:
    """Without them the numbers have no meaning."""
    sent = a_tps_dvh(CUMULATIVE)
    set_raw(sent, keyword, raw)
    assert read(sent).dose == ()


def test_a_differential_dvh_with_a_negative_width_gives_none() -> None:
    """Its bins would overlap."""
    assert read(a_tps_dvh([1, 4, -2, 4, 1, 2], kind="DIFFERENTIAL")).dose == ()
