"""Metrics that a person asks for by name."""

import pytest

from rtpacs.dosimetry import MetricKind, asked_metrics, uncovered_as_zero
from rtpacs.errors import InvalidInputError
from tests.unit.dosimetry.test_metrics_and_sums import a_curve


@pytest.mark.parametrize(
    ("text", "kind", "amount"),
    [
        ("D95%", MetricKind.DOSE_AT_PERCENT, 95.0),
        ("d95", MetricKind.DOSE_AT_PERCENT, 95.0),
        ("D0.035cc", MetricKind.DOSE_AT_CM3, 0.035),
        ("D2cm3", MetricKind.DOSE_AT_CM3, 2.0),
        ("D2cm³", MetricKind.DOSE_AT_CM3, 2.0),
        ("V20Gy", MetricKind.VOLUME_AT_GY, 20.0),
        ("v12.5", MetricKind.VOLUME_AT_GY, 12.5),
    ],
)
def test_the_usual_spellings_are_read(text: str, kind: MetricKind, amount: float) -> None:
    """As protocols write them, in either case."""
    (metric,) = asked_metrics(text)
    assert (metric.kind, metric.amount) == (kind, amount)


def test_several_are_read_in_their_order_each_once() -> None:
    """Separated by commas, semicolons or spaces."""
    names = [metric.name for metric in asked_metrics("V20Gy, D2cc;D50 D50%")]
    assert names == ["V20Gy", "D2cm³", "D50%"]
    assert asked_metrics(" ") == []


@pytest.mark.parametrize(
    "text", ["D", "V20%", "D-1", "Dmax", "D101", "V1e9", "D2gy", "20", "D1 x", "D\u0661"]
)
def test_what_is_no_metric_is_refused_in_words(text: str) -> None:
    """V20% would need a prescription, which the metric does not name."""
    with pytest.raises(InvalidInputError):
        asked_metrics(text)


def test_too_many_are_refused() -> None:
    """A table has an end."""
    with pytest.raises(InvalidInputError, match="at most"):
        asked_metrics(" ".join(f"D{percent}" for percent in range(20)))


def test_values_follow_the_curve() -> None:
    """10, 10, 6, 2, 0 cm³ at 0..4 Gy: 8 cm³ get 1.5 Gy; 60 % get 2 Gy; 20 cm³ are not there."""
    dvh = a_curve(10, 10, 6, 2, 0)
    values = [metric.value(dvh) for metric in asked_metrics("D8cc D60% V1.5Gy D20cc")]
    assert values[:3] == pytest.approx([1.5, 2.0, 8.0])
    assert values[3] is None


def test_a_covered_structure_has_no_second_set() -> None:
    """The percent metrics of the whole are those of the covered part."""
    assert uncovered_as_zero(a_curve(10, 5, 0)) is None
