"""Metrics that a person asks for by name, such as D95%, D2cc and V20Gy."""

import re
from dataclasses import dataclass
from enum import StrEnum

from rtpacs.dosimetry.result import RoiDvh
from rtpacs.errors import InvalidInputError

GRAMMAR = "write D95% or D2cc for a dose, V20Gy for a volume"
MOST_ASKED = 8
_FORM = re.compile(
    r"(?:D(?P<part>\d{1,7}(?:\.\d{1,4})?)(?P<unit>%|cc|cm3|cm³)?"
    r"|V(?P<dose>\d{1,7}(?:\.\d{1,4})?)(?:Gy)?)",
    re.IGNORECASE | re.ASCII,
)


class MetricKind(StrEnum):
    """What is asked for, by the unit of the amount given."""

    DOSE_AT_PERCENT = "%"
    DOSE_AT_CM3 = "cm³"
    VOLUME_AT_GY = "Gy"


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedMetric:
    """One metric: the dose at a part of the volume, or the volume at a dose."""

    kind: MetricKind
    amount: float

    @property
    def name(self) -> str:
        """As written in reports: ``D95%``, ``D2cm³``, ``V20Gy``."""
        letter = "V" if self.kind is MetricKind.VOLUME_AT_GY else "D"
        return f"{letter}{self.amount:g}{self.kind}"

    def value(self, dvh: RoiDvh) -> float | None:
        """The dose in Gy or the covered volume in cm³; None where it is undefined."""
        if self.kind is MetricKind.VOLUME_AT_GY:
            return dvh.volume_cm3_at(self.amount)
        if self.kind is MetricKind.DOSE_AT_CM3:
            return dvh.dose_at_volume_cm3(self.amount)
        return dvh.dose_at_volume_percent(self.amount)


def asked_metrics(text: str) -> list[AskedMetric]:
    """Read metrics separated by commas, semicolons or spaces, each once.

    Raises
    ------
    InvalidInputError
        A word is no metric, a percentage is above 100, or there are too many.
    """
    words = re.split(r"[\s,;]+", text.strip())
    found = list(dict.fromkeys(_metric(word) for word in words if word))
    if len(found) > MOST_ASKED:
        raise InvalidInputError(f"at most {MOST_ASKED} metrics at a time")
    return found


def _metric(word: str) -> AskedMetric:
    read = _FORM.fullmatch(word)
    if read is None:
        raise InvalidInputError(f"“{word}” is no metric: {GRAMMAR}")
    if read["dose"] is not None:
        return AskedMetric(kind=MetricKind.VOLUME_AT_GY, amount=float(read["dose"]))
    amount = float(read["part"])
    if (read["unit"] or "%") != "%":
        return AskedMetric(kind=MetricKind.DOSE_AT_CM3, amount=amount)
    if amount > 100:
        raise InvalidInputError(f"“{word}”: a volume has no more than 100 %")
    return AskedMetric(kind=MetricKind.DOSE_AT_PERCENT, amount=amount)
