"""The images of a structure set: what is linked, what is missing and how we know."""

from collections.abc import Sequence
from dataclasses import replace

from rtpacs.rules.catalog import Catalog, Member
from rtpacs.rules.image_candidates import (
    Candidate,
    is_undecided,
    listed_series,
    match_by_geometry,
)
from rtpacs.rules.image_matches import (
    ImageMatch,
    accept_missing,
    frame_remarks,
    image_link,
    linked_images,
    unlinked_links,
)
from rtpacs.rules.images import ImageSeries, stack_of
from rtpacs.rules.objects import StructureSetContent
from rtpacs.rules.plan_sets import IndexedObject, Link, LinkStatus
from rtpacs.rules.remarks import Remark, ambiguous, counted, incomplete, info, warning


def match_images(
    catalog: Catalog, structure_set: Member[StructureSetContent], *, required: bool
) -> ImageMatch:
    """Find the images that a structure set was drawn on.

    Parameters
    ----------
    required
        Whether completeness needs them (a plan for a patient: yes).
    """
    chosen = linked_images(catalog, structure_set, required=required)
    if chosen is not None:
        return chosen
    match = _match(catalog, structure_set, required=required)
    taken = unlinked_links(catalog, structure_set)
    return accept_missing(catalog, structure_set, replace(match, links=(*match.links, *taken)))


def _match(
    catalog: Catalog, structure_set: Member[StructureSetContent], *, required: bool
) -> ImageMatch:
    candidates = listed_series(catalog, structure_set)
    if is_undecided(candidates):
        return _undecided(structure_set, candidates, required=required)
    primary = candidates[0] if candidates else None
    further = tuple(_listed_link(structure_set, item, required=False) for item in candidates[1:])
    if primary is not None and primary.series is not None and (primary.found or not primary.count):
        match = _found(catalog, structure_set, primary, required=required)
    else:
        match = _not_found(catalog, structure_set, primary, required=required)
    return ImageMatch(
        series=match.series,
        complete_by_list=match.complete_by_list,
        links=(*match.links, *further),
        remarks=(*match.remarks, *_remarks_on_others(candidates)),
    )


def _found(
    catalog: Catalog,
    structure_set: Member[StructureSetContent],
    primary: Candidate,
    *,
    required: bool,
) -> ImageMatch:
    series = primary.series
    assert series is not None  # noqa: S101 - the caller looked
    listed = set(structure_set.content.image_uids)
    subset = [image for image in series.images if image.parsed.sop_uid in listed]
    if series.duplicates and subset and not (smaller := stack_of(subset)).duplicates:
        series = smaller
    lacking = primary.count - primary.found if primary.found else 0
    remarks = [*frame_remarks(catalog, structure_set, series), *_split_remarks(series)]
    if lacking > 0:
        text = (
            f"{lacking} of the {primary.count} images that the structure set was drawn on did not "
            "arrive: send the whole image series again."
        )
        remarks.append(incomplete("missing-images", text, primary.series_uid))
    return ImageMatch(
        series=series,
        complete_by_list=lacking <= 0 if primary.found else None,
        links=(_listed_link(structure_set, primary, required=required),),
        remarks=tuple(remarks),
    )


def _split_remarks(series: ImageSeries) -> list[Remark]:
    """The images came in more than one series."""
    uids = {image.parsed.series.series_uid for image in series.images}
    if len(uids) < 2:
        return []
    text = (
        f"The images of the structure set came in {len(uids)} series; they make one stack and are "
        "used as one."
    )
    return [info("images-in-several-series", text, series.series_uid)]


def _listed_link(
    structure_set: Member[StructureSetContent], item: Candidate, *, required: bool
) -> Link:
    here = item.series.images if item.series else ()
    whole = item.series is not None and not item.count
    found = len(here) if whole else item.found
    count = len(here) if whole else item.count
    resolved = item.series is not None and found >= count
    reason = (
        "all images are here" if resolved else f"{count - found} of {count} images did not arrive"
    )
    if not count:
        reason = "no image of this series is here"
    listed = set(structure_set.content.image_uids)
    targets = here if whole else [obj for obj in here if obj.parsed.sop_uid in listed]
    return image_link(
        structure_set,
        item.series_uid,
        (LinkStatus.RESOLVED if resolved else LinkStatus.MISSING, reason),
        targets=targets,
        required=required,
        counts=(count, found),
    )


def _not_found(
    catalog: Catalog,
    structure_set: Member[StructureSetContent],
    primary: Candidate | None,
    *,
    required: bool,
) -> ImageMatch:
    """No listed image is here under its UID: geometry, another patient number, or missing."""
    matches = match_by_geometry(catalog, structure_set)
    if len(matches.same_frame) == 1:
        return _by_geometry(structure_set, primary, matches.same_frame[0], required=required)
    foreign = _foreign_images(catalog, structure_set)
    uid = primary.series_uid if primary else None
    found: list[IndexedObject] = []
    if matches.same_frame:
        found = [image for series in matches.same_frame for image in series.images]
        status, remark = LinkStatus.AMBIGUOUS, _several_fit(len(matches.same_frame), uid)
    elif foreign:
        found = foreign
        status, remark = LinkStatus.OTHER_PATIENT, _filed_elsewhere(len(foreign), uid)
    else:
        reason = _why_missing(primary, fits_elsewhere=bool(matches.other_frame))
        status, remark = LinkStatus.MISSING, incomplete("missing-image-series", reason, uid)
    link = image_link(
        structure_set,
        uid or "",
        (status, remark.finding.text),
        targets=found,
        required=required,
        counts=(primary.count if primary else 0, 0),
    )
    return ImageMatch(series=None, complete_by_list=None, links=(link,), remarks=(remark,))


def _several_fit(number: int, uid: str | None) -> Remark:
    text = (
        f"{number} image series fit the contours equally well, and none has the UIDs that the "
        "structure set names: decide which one counts."
    )
    return ambiguous("several-image-series", text, uid)


def _filed_elsewhere(number: int, uid: str | None) -> Remark:
    text = (
        f"Another patient number holds {counted(number, 'image')} of the structure set: check "
        "which number is right."
    )
    return ambiguous("images-other-patient", text, uid)


def _why_missing(primary: Candidate | None, *, fits_elsewhere: bool) -> str:
    if primary is None:
        text = "The structure set names no images, and no series here fits its contours."
    elif primary.count:
        text = f"None of the {primary.count} images of the structure set is here: send them."
    else:
        text = "The image series of the structure set is not here: send it."
    if fits_elsewhere:
        text += (
            " A series with the same slice positions is here, but in another frame of reference:"
            " it is not used."
        )
    return text


def _by_geometry(
    structure_set: Member[StructureSetContent],
    primary: Candidate | None,
    series: ImageSeries,
    *,
    required: bool,
) -> ImageMatch:
    named = "images under other UIDs" if primary else "no images"
    images = counted(len(series.images), f"{series.modality} image")
    text = (
        f"The structure set names {named}; its contours lie on {images} of the same frame of "
        "reference, used in their place. Check that they are the planning images."
    )
    link = image_link(
        structure_set,
        primary.series_uid if primary else series.series_uid,
        (
            LinkStatus.MATCHED_BY_GEOMETRY,
            "same frame of reference, and the contours lie on its slices",
        ),
        targets=series.images,
        required=required,
        counts=(len(series.images), len(series.images)),
    )
    remark = warning("images-matched-by-geometry", text, series.series_uid)
    return ImageMatch(series=series, complete_by_list=None, links=(link,), remarks=(remark,))


def _foreign_images(
    catalog: Catalog, structure_set: Member[StructureSetContent]
) -> list[IndexedObject]:
    uids = set(structure_set.content.image_uids)
    series = set(structure_set.content.series_uids)
    return [
        image
        for stack in catalog.foreign_series.values()
        for image in stack.images
        if image.parsed.sop_uid in uids or stack.series_uid in series
    ]


def _undecided(
    structure_set: Member[StructureSetContent], candidates: Sequence[Candidate], *, required: bool
) -> ImageMatch:
    text = (
        f"The structure set refers to {len(candidates)} image series, and nothing says on which "
        "one it was drawn: choose the planning images."
    )
    return ImageMatch(
        series=None,
        complete_by_list=None,
        links=tuple(_listed_link(structure_set, item, required=required) for item in candidates),
        remarks=(ambiguous("several-image-series", text, structure_set.uid),),
    )


def _remarks_on_others(candidates: Sequence[Candidate]) -> tuple[Remark, ...]:
    lacking = [item for item in candidates[1:] if item.series is None or item.found < item.count]
    if not lacking:
        return ()
    text = (
        f"The structure set also names {len(lacking)} further image series (fusion images, for "
        "instance) that did not arrive in full; the plan does not need them."
    )
    return (info("further-image-series", text, lacking[0].series_uid),)
