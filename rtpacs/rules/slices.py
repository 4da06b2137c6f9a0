"""Whether an image stack is whole: gaps, doubled slices, contours and dose beyond its ends."""

from collections.abc import Sequence

from rtpacs.rules.content import is_size
from rtpacs.rules.dose_planes import axial_planes_mm
from rtpacs.rules.image_matches import ImageMatch
from rtpacs.rules.images import SAME_POSITION_MM, ImageSeries
from rtpacs.rules.objects import DoseContent, ImageContent
from rtpacs.rules.remarks import Remark, counted, incomplete, info, unusable, warning


def judge_stack(series: ImageSeries) -> tuple[Remark, ...]:
    """Say what positions and spacings tell: missing and doubled slices, images without size."""
    remarks = [*_without_spacing(series)]
    if series.gaps:
        missing = sum(gap.missing for gap in series.gaps)
        where = ", ".join(f"{gap.after_mm:g} and {gap.before_mm:g} mm" for gap in series.gaps[:5])
        text = (
            f"About {counted(missing, 'slice')} must be missing from the image series (between "
            f"{where}): send the whole series again."
        )
        remarks.append(incomplete("missing-slices", text, series.series_uid))
    if series.duplicates:
        text = (
            f"The series holds {counted(series.duplicates, 'image')} at the position of another "
            "one: check whether two reconstructions share a series."
        )
        remarks.append(warning("duplicate-slices", text, series.series_uid))
    return tuple(remarks)


def _without_spacing(series: ImageSeries) -> tuple[Remark, ...]:
    """Images that cannot be laid under anything; frames of multi-frame images have their own."""
    contents = [image.parsed.content for image in series.images]
    lacking = [
        content
        for content in contents
        if isinstance(content, ImageContent)
        and not (is_size(content.row_spacing_mm) and is_size(content.column_spacing_mm))
    ]
    if series.multi_frame or not lacking:
        return ()
    text = (
        f"{counted(len(lacking), 'image')} of the series without a valid pixel spacing: distances "
        "and overlays are undefined. Export the images again."
    )
    return (unusable("images-without-spacing", text, series.series_uid),)


def contours_beyond(match: ImageMatch, planes_mm: Sequence[float]) -> tuple[Remark, ...]:
    """Contours more than half a slice beyond the first or last slice.

    Nothing is said when listed images are known to be missing. Else they show missing slices,
    unless the structure set lists its images and all are here: then the TPS drew beyond the scan,
    which is worth a look but loses nothing.
    """
    series = match.series
    if series is None or match.complete_by_list is False:
        return ()
    beyond = _beyond(series, planes_mm, margin_mm=(series.spacing_mm or 0.0) / 2)
    if not beyond:
        return ()
    planes = counted(len(beyond), "plane")
    text = f"Contours on {planes} lie beyond the first or last slice ({_range(beyond)})"
    if match.complete_by_list:
        text += "; all images that the structure set lists are here."
        return (warning("contours-beyond-images", text, series.series_uid),)
    text += ": slices are missing at the end; send the whole series again."
    return (incomplete("contours-beyond-images", text, series.series_uid),)


def dose_beyond(match: ImageMatch, dose: DoseContent, *, uid: str) -> tuple[Remark, ...]:
    """Dose planes more than half a slice or half a dose plane beyond the images.

    Only axial grids with two or more planes are judged. It blocks nothing when the structure
    set's image list is complete: a dose grid may overhang the scan.
    """
    series = match.series
    planes = axial_planes_mm(dose)
    if series is None or match.complete_by_list is False or len(planes) < 2:
        return ()
    step = abs(planes[1] - planes[0])
    beyond = _beyond(series, planes, margin_mm=max(series.spacing_mm or 0.0, step) / 2)
    if not beyond:
        return ()
    text = f"The dose reaches {counted(len(beyond), 'plane')} beyond the first or last slice "
    text += f"({_range(beyond)})"
    if match.complete_by_list:
        text += "; all images that the structure set lists are here."
        return (info("dose-beyond-images", text, uid),)
    text += ": slices may be missing at the end; check the image series."
    return (incomplete("dose-beyond-images", text, uid),)


def _beyond(series: ImageSeries, planes_mm: Sequence[float], *, margin_mm: float) -> list[float]:
    if not series.axial or series.multi_frame or not series.positions_mm:
        return []
    first = series.positions_mm[0] - margin_mm - SAME_POSITION_MM
    last = series.positions_mm[-1] + margin_mm + SAME_POSITION_MM
    return [plane for plane in planes_mm if not first <= plane <= last]


def _range(planes_mm: Sequence[float]) -> str:
    return f"z {min(planes_mm):g} to {max(planes_mm):g} mm"
