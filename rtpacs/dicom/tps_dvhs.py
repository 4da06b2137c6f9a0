"""What DVHs the TPS exported with a dose (PS3.3 C.8.8.4), as cumulative curves."""

import numpy as np

from rtpacs.dicom.attributes import Attributes, Notes
from rtpacs.dicom.numbers import FloatArray
from rtpacs.rules.objects import TpsDvh

CUMULATIVE = "CUMULATIVE"
NATURAL = "NATURAL"
TYPES = frozenset({CUMULATIVE, "DIFFERENTIAL", NATURAL})
MEAN_TOLERANCE = 0.03  # of the curve's maximum: TPS compute the mean from voxels, not from bins
EXTREME_TOLERANCE = 0.10  # of the curve's maximum: extremes sit in tails that bins cut off
ROUNDING = 1e-6  # of the largest volume: what a sum of floats may be off, also below zero
LARGEST_VALUE = 1e9
STATISTICS = ("DVHMinimumDose", "DVHMaximumDose", "DVHMeanDose")


def read_tps_dvhs(attributes: Attributes) -> tuple[TpsDvh, ...]:
    """Read the DVHs of an RT Dose; one without a readable curve keeps the reason only."""
    normalization_gy = attributes.positive("DVHNormalizationDoseValue")
    return tuple(_dvh(item, normalization_gy) for item in attributes.items("DVHSequence"))


def _dvh(item: Attributes, normalization_gy: float | None) -> TpsDvh:
    notes = Notes()
    notes.sop_uid = item.notes.sop_uid
    own = Attributes(item.item, notes)  # so that its findings stay with this DVH
    source_type = own.code("DVHType") or ""
    dose, volume = _curve(own, source_type)
    minimum, maximum, mean = (own.number(keyword) for keyword in STATISTICS)
    _note_statistics((minimum, maximum, mean), dose, volume, notes)
    return TpsDvh(
        roi_numbers=_roi_numbers(own),
        source_type=source_type,
        dose_units=own.code("DoseUnits") or "",
        volume_units=own.code("DVHVolumeUnits") or "",
        dose=tuple(dose.tolist()),
        volume=tuple(volume.tolist()),
        minimum=minimum,
        maximum=maximum,
        mean=mean,
        normalization_gy=normalization_gy,
        findings=notes.all(),
    )


def _roi_numbers(item: Attributes) -> tuple[int, ...]:
    """Give the ROIs that the DVH includes; one made of several ROIs is noted."""
    rois = item.items("DVHReferencedROISequence")
    excluded = [roi for roi in rois if roi.code("DVHROIContributionType") == "EXCLUDED"]
    included = [roi.integer("ReferencedROINumber") for roi in rois if roi not in excluded]
    if not rois:
        item.notes.warn(
            "tps-dvh-without-roi",
            "The DVH does not say to which structure it belongs.",
            attribute="DVHReferencedROISequence",
        )
    if excluded or len(included) > 1:
        item.notes.warn(
            "tps-dvh-combination",
            "The DVH belongs to several structures together, not to one.",
            attribute="DVHReferencedROISequence",
        )
    return tuple(number for number in included if number is not None)


def _curve(item: Attributes, source_type: str) -> tuple[FloatArray, FloatArray]:
    """Bring DVHData to a cumulative curve: volume that gets at least each lower bin edge.

    DVHData holds pairs of bin width Dn and volume Vn. Bin n reaches from the sum of the widths
    before it to that sum plus Dn. In a cumulative DVH Vn is the volume at the lower edge; in a
    differential or natural one it is the volume in the bin, so the curve is the sum from n on.
    (Eclipse's own minimum and maximum dose agree with its curve when read like this.)
    """
    pairs = item.array("DVHData")
    scaling = item.positive("DVHDoseScaling")
    if source_type not in TYPES or scaling is None or not pairs.size or pairs.size % 2:
        return _refused(item, "has no readable type, scaling or pairs of width and volume")
    widths, volumes = pairs[0::2], pairs[1::2]
    if max(np.abs(widths).max() * max(scaling, 1.0), volumes.max()) > LARGEST_VALUE:
        return _refused(item, "holds numbers that are no doses or volumes")
    if volumes.min() < -ROUNDING * volumes.max():
        return _refused(item, "has a negative volume")
    edges = np.concatenate([[0.0], np.cumsum(widths * scaling)])
    if source_type == CUMULATIVE:
        return _cumulative(item, edges[:-1], volumes.clip(min=0))
    return _summed(item, edges, volumes.clip(min=0), source_type)


def _cumulative(
    item: Attributes, edges: FloatArray, volumes: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Keep a cumulative curve, without points whose dose steps back (seen in an Eclipse curve)."""
    if (np.diff(volumes) > ROUNDING * volumes.max()).any():
        return _refused(item, "rises although it is cumulative")
    in_order = edges >= np.maximum.accumulate(edges)
    if not in_order.all():
        item.notes.warn(
            "tps-dvh-step-back",
            "Single points of the DVH step back to a lower dose; they are left out.",
            attribute="DVHData",
        )
    return edges[in_order], volumes[in_order]


def _summed(
    item: Attributes, edges: FloatArray, volumes: FloatArray, source_type: str
) -> tuple[FloatArray, FloatArray]:
    """Sum the bins of a differential or natural DVH from the highest dose down."""
    if (np.diff(edges) < 0).any():
        return _refused(item, "has a negative bin width")
    if source_type == NATURAL:
        item.notes.warn(
            "tps-dvh-natural",
            "A natural DVH was read as volume in each dose bin.",
            attribute="DVHType",
        )
    remaining = np.cumsum(volumes[::-1])[::-1]
    return edges, np.concatenate([remaining, [0.0]])


def _refused(item: Attributes, why: str) -> tuple[FloatArray, FloatArray]:
    item.notes.warn(
        "tps-dvh-unreadable", f"The DVH of the TPS {why}; no curve is shown.", attribute="DVHData"
    )
    return np.empty(0), np.empty(0)


def _note_statistics(
    sent: tuple[float | None, ...], dose: FloatArray, volume: FloatArray, notes: Notes
) -> None:
    """Note minimum, maximum or mean that do not fit the curve, as percent values sent as Gy."""
    if volume.size < 2 or volume[0] <= 0:
        return
    expected = curve_statistics(dose, volume)
    bin_width = float(np.diff(dose).max())
    for keyword, value, should in zip(STATISTICS, sent, expected, strict=True):
        share = MEAN_TOLERANCE if keyword == "DVHMeanDose" else EXTREME_TOLERANCE
        allowed = share * expected[1] + 2 * bin_width
        if value is not None and abs(value - should) > allowed:
            notes.warn(
                "tps-dvh-statistics",
                f"{keyword} does not fit the curve of the same DVH; it may be in other units.",
                attribute=keyword,
            )


def curve_statistics(dose: FloatArray, volume: FloatArray) -> tuple[float, float, float]:
    """Give minimum, maximum and mean dose of a cumulative curve, from the curve alone.

    The minimum is the last edge that still gets the whole volume, the maximum the first edge that
    no volume gets, the mean the area under the curve by the volume (each bin at its middle).
    """
    whole = np.flatnonzero(volume >= volume[0] * (1 - 1e-4))
    reached = np.flatnonzero(volume > 0)
    top = min(int(reached[-1]) + 1, dose.size - 1)
    mean = float(((volume[:-1] + volume[1:]) / 2 * np.diff(dose)).sum() / volume[0])
    return float(dose[whole[-1]]), float(dose[top]), mean
