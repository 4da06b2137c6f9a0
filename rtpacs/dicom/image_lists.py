"""On which images a structure set was drawn, and how its contours spread over listed series."""

import itertools
from dataclasses import dataclass

from rtpacs.dicom.attributes import Attributes, Notes
from rtpacs.dicom.elements import Item
from rtpacs.errors import DicomError
from rtpacs.rules.objects import ListedSeries, Reference, ReferenceKind, SeriesUid

REFERENCED_SOP_CLASS = 0x00081150
REFERENCED_SOP_INSTANCE = 0x00081155
CONTOUR_IMAGES = 0x30060016


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnOn:
    """One distinct ContourImageSequence and how many contours have it."""

    images: list[Item]
    contour_count: int


def series_items(frames: list[Attributes]) -> list[Attributes]:
    """Give the items of RTReferencedSeriesSequence of all frames of reference."""
    below = ("RTReferencedStudySequence", "RTReferencedSeriesSequence")
    return [item for frame in frames for item in frame.nested(*below)]


def contour_images(contours: dict[int, list[Item]], notes: Notes) -> list[DrawnOn]:
    """Collect the ContourImageSequences; equal bytes, as on every slice, are walked once."""
    firsts: dict[bytes, Item] = {}
    counts: dict[bytes, int] = {}
    for contour in itertools.chain.from_iterable(contours.values()):
        raw = contour.raw(CONTOUR_IMAGES)
        if raw:
            firsts.setdefault(raw, contour)
            counts[raw] = counts.get(raw, 0) + 1
    found = []
    for raw, contour in firsts.items():
        try:
            images = contour.items(CONTOUR_IMAGES)
        except DicomError:
            notes.malformed("ContourImageSequence", "a readable sequence")
            continue
        found.append(DrawnOn(images=images, contour_count=counts[raw]))
    return found


def image_references(series: list[Attributes], drawn_on: list[DrawnOn]) -> list[Reference]:
    """Give the images of the referenced series and of every contour, each once."""
    found: dict[str, Reference] = {}
    images = [image for item in series for image in item.raw_items("ContourImageSequence")]
    for image in (*images, *(image for drawn in drawn_on for image in drawn.images)):
        uid = _ascii(image, REFERENCED_SOP_INSTANCE)
        if uid and uid not in found:
            found[uid] = Reference(
                kind=ReferenceKind.STRUCTURE_SET_TO_IMAGE,
                target_uid=uid,
                target_class_uid=_ascii(image, REFERENCED_SOP_CLASS) or None,
            )
    return list(found.values())


def listed_series(series: list[Attributes], drawn_on: list[DrawnOn]) -> tuple[ListedSeries, ...]:
    """Count for each referenced series the images that it lists and the contours on them."""
    images_of: dict[str, set[str]] = {}
    for item in series:
        uid = item.uid("SeriesInstanceUID")
        if uid:
            images = item.raw_items("ContourImageSequence")
            listed = {_ascii(image, REFERENCED_SOP_INSTANCE) for image in images}
            images_of.setdefault(uid, set()).update(listed - {""})
    return tuple(
        ListedSeries(
            series_uid=SeriesUid(uid),
            image_count=len(listed),
            contour_count=sum(
                drawn.contour_count
                for drawn in drawn_on
                if any(_ascii(image, REFERENCED_SOP_INSTANCE) in listed for image in drawn.images)
            ),
        )
        for uid, listed in images_of.items()
    )


def _ascii(image: Item, tag: int) -> str:
    return (image.raw(tag) or b"").strip(b" \0").decode("ascii", "replace")
