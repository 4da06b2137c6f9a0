"""What a brachy plan's application setups and sources are (PS3.3 C.8.8.15)."""

from itertools import pairwise

from rtpacs.dicom.attributes import Attributes, distinct
from rtpacs.rules.objects import BrachyChannel, BrachySetup, BrachySource


def brachy_machines(attributes: Attributes) -> tuple[str, ...]:
    """Name the afterloaders of a brachy plan."""
    return distinct(
        item.text("TreatmentMachineName") for item in attributes.items("TreatmentMachineSequence")
    )


def brachy_setups(attributes: Attributes) -> tuple[BrachySetup, ...]:
    """Read the application setups of a brachy plan."""
    return tuple(_setup(item) for item in attributes.items("ApplicationSetupSequence"))


def _setup(item: Attributes) -> BrachySetup:
    channels = tuple(_channel(channel) for channel in item.items("ChannelSequence"))
    return BrachySetup(
        number=item.integer("ApplicationSetupNumber"),
        setup_type=item.code("ApplicationSetupType"),
        name=item.text("ApplicationSetupName"),
        channels=len(channels),
        total_reference_air_kerma=item.not_negative("TotalReferenceAirKerma"),
        channel_list=channels,
    )


def _channel(item: Attributes) -> BrachyChannel:
    return BrachyChannel(
        number=item.integer("ChannelNumber"),
        applicator=item.text("SourceApplicatorName") or item.text("SourceApplicatorID"),
        source_number=item.integer("ReferencedSourceNumber"),
        roi_number=item.integer("ReferencedROINumber"),
        movement=item.code("SourceMovementType"),
        dwell_positions=_dwell_positions(item.items("BrachyControlPointSequence")),
        total_time_s=item.not_negative("ChannelTotalTime"),
    )


def _dwell_positions(control_points: list[Attributes]) -> int:
    """Count the places at which the source stops for a while.

    A stop is a pair of control points at one place between which the cumulative time weight rises;
    between stops the source moves and the weight stays (PS3.3 C.8.8.15).
    """
    steps = [
        (point.number("ControlPointRelativePosition"), point.number("CumulativeTimeWeight"))
        for point in control_points
    ]
    stops = {
        place
        for (before, start), (place, end) in pairwise(steps)
        if place == before and start is not None and end is not None and end > start
    }
    return len(stops)


def brachy_sources(attributes: Attributes) -> tuple[BrachySource, ...]:
    """Read the sources of a brachy plan."""
    return tuple(
        BrachySource(
            number=item.integer("SourceNumber"),
            isotope=item.text("SourceIsotopeName"),
            half_life_days=item.not_negative("SourceIsotopeHalfLife"),
            reference_air_kerma_rate=item.not_negative("ReferenceAirKermaRate"),
            strength_date=item.date_time(
                "SourceStrengthReferenceDate", "SourceStrengthReferenceTime"
            ),
        )
        for item in attributes.items("SourceSequence")
    )
