"""Which images belong to a structure set, by UID, by geometry, or not at all."""

import pytest

from rtpacs.rules.catalog import Catalog
from rtpacs.rules.dose_planes import axial_planes_mm
from rtpacs.rules.image_links import match_images
from rtpacs.rules.objects import ListedSeries, SeriesUid, StructureSetContent
from rtpacs.rules.plan_sets import LinkStatus
from rtpacs.rules.remarks import Effect
from rtpacs.rules.slices import contours_beyond, dose_beyond
from tests.unit.rules.builders import (
    CT_POSITIONS,
    CT_SERIES,
    MR_CLASS,
    PATIENT,
    PT_CLASS,
    a_dose,
    a_series,
    a_structure_set,
    an_image,
    image_uid,
    with_content,
)

NEW_SERIES = "1.2.3.1.8"
OTHER_SERIES = "1.2.3.1.9"
GONE = ["1.9.1", "1.9.2", "1.9.3"]


def match(structure_set, *images):
    catalog = Catalog([structure_set, *images], patient_key=PATIENT)
    (member,) = catalog.members(StructureSetContent)
    return match_images(catalog, member, required=True)


def only_code(result):
    (remark,) = result.remarks
    return remark.finding.code


def test_re_exported_images_match_by_frame_and_slices():
    """New UIDs, the same frame of reference, contours on the slices: used and flagged."""
    images = a_series(CT_POSITIONS, series_uid=NEW_SERIES)
    result = match(a_structure_set(image_uids=GONE), *images)
    assert result.series.series_uid == NEW_SERIES
    assert only_code(result) == "images-matched-by-geometry"
    assert result.remarks[0].effect is Effect.NONE
    (link,) = result.links
    assert (link.status, link.count, link.found) == (LinkStatus.MATCHED_BY_GEOMETRY, 5, 5)
    assert link.target_uid == CT_SERIES


def test_positions_may_be_rounded_by_the_export():
    """0.1 mm off is the same slice, 0.5 mm off is another one."""
    near = a_series([z + 0.1 for z in CT_POSITIONS], series_uid=NEW_SERIES)
    far = a_series([z + 0.5 for z in CT_POSITIONS], series_uid=NEW_SERIES)
    assert match(a_structure_set(image_uids=GONE), *near).series is not None
    assert only_code(match(a_structure_set(image_uids=GONE), *far)) == "missing-image-series"


def test_another_frame_of_reference_never_matches_and_the_reason_says_so():
    """The slices coincide by chance or by registration: that is not enough."""
    images = a_series(CT_POSITIONS, series_uid=NEW_SERIES, frame="1.2.3.99")
    result = match(a_structure_set(image_uids=GONE), *images)
    assert result.series is None
    assert only_code(result) == "missing-image-series"
    assert "another frame of reference" in result.remarks[0].finding.text
    assert result.links[0].status is LinkStatus.MISSING


def test_named_images_in_another_frame_of_reference_are_flagged():
    """The UIDs resolve, the frames of reference do not agree."""
    images = a_series(CT_POSITIONS, frame="1.2.3.99")
    structures = a_structure_set(image_uids=[image_uid(z) for z in CT_POSITIONS])
    result = match(structures, *images)
    assert result.series is not None
    assert only_code(result) == "image-frame-differs"
    assert "is another one" in result.remarks[0].finding.text
    unstated = match(structures, *a_series(CT_POSITIONS, frame=None))
    assert "is not stated" in unstated.remarks[0].finding.text
    silent = a_structure_set(image_uids=[image_uid(0.0)], frames=[], rois=[])
    assert match(silent, *a_series([0.0])).remarks == ()


def test_two_series_that_fit_are_ambiguous():
    """Nothing is guessed between two re-exports."""
    images = [
        *a_series(CT_POSITIONS, series_uid=NEW_SERIES),
        *a_series(CT_POSITIONS, series_uid=OTHER_SERIES),
    ]
    result = match(a_structure_set(image_uids=GONE), *images)
    assert result.series is None
    assert only_code(result) == "several-image-series"
    assert result.remarks[0].effect is Effect.AMBIGUOUS
    assert len(result.links[0].to_objects) == 10


def test_the_image_class_that_the_structure_set_names_decides():
    """CT, MR and PET on the same slices: the structure set was drawn on MR images."""
    images = [
        *a_series(CT_POSITIONS, series_uid=NEW_SERIES),
        *a_series(CT_POSITIONS, series_uid=OTHER_SERIES, sop_class=MR_CLASS, modality="MR"),
        *a_series(CT_POSITIONS, series_uid="1.2.3.1.6", sop_class=PT_CLASS, modality="PT"),
    ]
    result = match(a_structure_set(image_uids=GONE, image_class=MR_CLASS), *images)
    assert result.series.series_uid == OTHER_SERIES


def test_a_structure_set_that_names_no_images_matches_by_geometry():
    """Only the frame of reference links them."""
    structures = a_structure_set(series_uids=[])
    result = match(structures, *a_series(CT_POSITIONS))
    assert result.series.series_uid == CT_SERIES
    assert "names no images" in result.remarks[0].finding.text
    assert result.links[0].target_uid == CT_SERIES
    alone = match(structures)
    assert only_code(alone) == "missing-image-series"
    assert "names no images" in alone.remarks[0].finding.text


@pytest.mark.parametrize(
    "planes", [(), (3.0, 30.0, 33.0, 36.0), (1.5, 4.5), (3.0, 4.5, 6.0), (3.0, 6.0, 13.0)]
)
def test_contours_off_the_slices_do_not_match(planes):
    """None, most outside the stack, all between slices, one between, one 1 mm past the end."""
    images = a_series(CT_POSITIONS, series_uid=NEW_SERIES)
    assert match(a_structure_set(image_uids=GONE, planes_mm=planes), *images).series is None


def test_a_cropped_re_export_matches_and_its_missing_end_is_found():
    """Two of three planes lie on slices, the third beyond the last one."""
    images = a_series(CT_POSITIONS, series_uid=NEW_SERIES)
    planes = (9.0, 12.0, 15.0)
    result = match(a_structure_set(image_uids=GONE, planes_mm=planes), *images)
    assert result.links[0].status is LinkStatus.MATCHED_BY_GEOMETRY
    (remark,) = contours_beyond(result, planes)
    assert remark.effect is Effect.INCOMPLETE


def test_half_of_the_planes_inside_the_stack_is_enough():
    """Two of four on slices, two beyond the last one."""
    images = a_series(CT_POSITIONS, series_uid=NEW_SERIES)
    planes = (9.0, 12.0, 15.0, 18.0)
    assert match(a_structure_set(image_uids=GONE, planes_mm=planes), *images).series is not None


def test_an_oblique_series_never_matches_by_axial_contours():
    """Its slices have no single z."""
    oblique = (1.0, 0.0, 0.0, 0.0, 0.9, -0.4359)
    images = a_series(CT_POSITIONS, series_uid=NEW_SERIES, orientation=oblique)
    assert match(a_structure_set(image_uids=GONE), *images).series is None


def test_a_listed_series_without_image_list_is_taken_whole():
    """Some systems list the series only."""
    result = match(a_structure_set(), *a_series(CT_POSITIONS))
    (link,) = result.links
    assert (link.status, link.count, link.found) == (LinkStatus.RESOLVED, 5, 5)
    assert result.complete_by_list is None
    assert result.remarks == ()


def test_a_listed_series_that_is_not_here_is_asked_for():
    """Neither images nor a count are known."""
    result = match(a_structure_set())
    assert "not here: send it" in result.remarks[0].finding.text
    assert (result.links[0].count, result.links[0].found) == (0, 0)


def test_new_image_uids_in_the_same_series_match_by_geometry():
    """The series UID was kept, the images got new UIDs."""
    result = match(a_structure_set(image_uids=GONE), *a_series(CT_POSITIONS))
    assert result.links[0].status is LinkStatus.MATCHED_BY_GEOMETRY


def test_of_two_listed_series_the_contoured_one_is_primary():
    """Both here; contours lie on the slices of the second only."""
    other = [z + 1.0 for z in CT_POSITIONS]
    uids = [image_uid(z) for z in CT_POSITIONS] + [image_uid(z, NEW_SERIES) for z in other]
    structures = a_structure_set(
        series_uids=[CT_SERIES, NEW_SERIES], image_uids=uids, planes_mm=[4.0, 7.0]
    )
    images = [*a_series(CT_POSITIONS), *a_series(other, series_uid=NEW_SERIES)]
    result = match(structures, *images)
    assert result.series.series_uid == NEW_SERIES
    assert [link.required for link in result.links] == [True, False]
    assert result.remarks == ()


def test_ct_is_primary_before_pet_on_the_same_slices():
    """A PET-CT: equal planes and image counts; dose is calculated on CT."""
    uids = [image_uid(z, s) for s in (CT_SERIES, NEW_SERIES) for z in CT_POSITIONS]
    structures = a_structure_set(series_uids=[NEW_SERIES, CT_SERIES], image_uids=uids)
    pet = a_series(CT_POSITIONS, series_uid=NEW_SERIES, sop_class=PT_CLASS, modality="PT")
    result = match(structures, *a_series(CT_POSITIONS), *pet)
    assert result.series.series_uid == CT_SERIES


def test_two_equal_listed_series_are_ambiguous():
    """Two CTs, the same slices, the same number of images: a person decides."""
    uids = [image_uid(z, s) for s in (CT_SERIES, NEW_SERIES) for z in CT_POSITIONS]
    structures = a_structure_set(series_uids=[NEW_SERIES, CT_SERIES], image_uids=uids)
    images = [*a_series(CT_POSITIONS), *a_series(CT_POSITIONS, series_uid=NEW_SERIES)]
    result = match(structures, *images)
    assert result.series is None
    assert only_code(result) == "several-image-series"
    assert len(result.links) == 2


def test_missing_images_belong_to_the_series_of_which_nothing_is_here():
    """CT whole, PET (three images) not here: the CT lacks nothing."""
    uids = [*[image_uid(z) for z in CT_POSITIONS], *GONE]
    structures = a_structure_set(series_uids=[CT_SERIES, NEW_SERIES], image_uids=uids)
    result = match(structures, *a_series(CT_POSITIONS))
    assert result.complete_by_list is True
    primary, other = result.links
    assert (primary.count, primary.found, primary.status) == (5, 5, LinkStatus.RESOLVED)
    assert (other.count, other.found, other.status) == (3, 0, LinkStatus.MISSING)


def test_images_missing_from_two_absent_series_are_not_shared_out():
    """Which of them lacks how many is unknown."""
    uids = [*[image_uid(z) for z in CT_POSITIONS], *GONE]
    structures = a_structure_set(series_uids=[CT_SERIES, "1.7", "1.8"], image_uids=uids)
    result = match(structures, *a_series(CT_POSITIONS))
    assert [link.count for link in result.links] == [5, 0, 0]
    assert result.links[1].reason == "no image of this series is here"


def test_a_plane_is_judged_only_against_axial_single_frame_stacks():
    """Multi-frame images give only the first position."""
    frames = [with_content(obj, frames=40) for obj in a_series(CT_POSITIONS)]
    result = match(a_structure_set(), *frames)
    assert contours_beyond(result, [99.0]) == ()


def beyond(dose):
    result = match(a_structure_set(), *a_series(CT_POSITIONS))
    return [item.finding.code for item in dose_beyond(result, dose.parsed.content, uid="1.2.3.60")]


def test_dose_planes_follow_the_orientation_of_the_grid():
    """Frame offsets run along the normal: down in a feet-first grid."""
    up = a_dose(planes_mm=[0.0, 3.0, 6.0, 9.0, 12.0])
    assert beyond(up) == []
    down = with_content(up, orientation=(-1.0, 0.0, 0.0, 0.0, 1.0, 0.0))
    assert beyond(down) == ["dose-beyond-images"]


def test_absolute_frame_offsets_are_positions():
    """The first offset equals the z of ImagePositionPatient (PS3.3 C.8.8.3.2, second case)."""
    planes = [3.0, 6.0, 9.0, 12.0]
    dose = with_content(a_dose(planes_mm=planes), frame_offsets_mm=tuple(planes))
    assert beyond(dose) == []
    assert beyond(with_content(dose, frame_offsets_mm=(3.0, 6.0, 9.0, 30.0))) != []


@pytest.mark.parametrize("offsets", [(0.0, 3.0, 6.0, 9.0), (3.0, 6.0, 9.0, 12.0)])
def test_feet_first_planes_are_where_the_calculation_reads_them(offsets):
    """Along row x column, that is down from z = 3 mm, also when the offsets look like patient z."""
    grid = {"orientation": (-1.0, 0.0, 0.0, 0.0, 1.0, 0.0), "frame_offsets_mm": offsets}
    content = with_content(a_dose(planes_mm=[3.0, 6.0, 9.0, 12.0]), **grid).parsed.content
    assert axial_planes_mm(content) == (3.0, 0.0, -3.0, -6.0)


@pytest.mark.parametrize(
    "change",
    [
        {"position_mm": None},
        {"orientation": None},
        {"orientation": (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)},
        {"frame_offsets_mm": ()},
        {"frames": 1},
    ],
)
def test_grids_that_are_not_axial_stacks_are_not_judged(change):
    """No place, no axial planes, or one plane only."""
    dose = a_dose(planes_mm=[60.0, 63.0, 66.0])
    assert beyond(dose) == ["dose-beyond-images"]
    assert beyond(with_content(dose, **change)) == []


def test_without_images_nothing_lies_beyond_them():
    """Missing images have their own finding."""
    result = match(a_structure_set())
    assert contours_beyond(result, [99.0]) == ()
    assert dose_beyond(result, a_dose().parsed.content, uid="1") == ()


LONG = [3.0 * number for number in range(10)]
PARTS = {"halves": (LONG[:5], LONG[5:]), "every other": (LONG[::2], LONG[1::2])}


def drawn_on(*series, planes=LONG[2:8]):
    """A structure set that lists (series, positions, contours); UIDs are those of CT_SERIES."""
    listed = [
        ListedSeries(series_uid=SeriesUid(uid), image_count=len(z_mm), contour_count=contours)
        for uid, z_mm, contours in series
    ]
    structure_set = a_structure_set(
        series_uids=[uid for uid, _, _ in series],
        image_uids=[image_uid(z) for _, z_mm, _ in series for z in z_mm],
        planes_mm=planes,
    )
    return with_content(structure_set, listed_series=tuple(listed))


def in_series(z_mm, series_uid, **kwargs):
    return [an_image(z, uid=image_uid(z), series_uid=series_uid, **kwargs) for z in z_mm]


@pytest.mark.parametrize("split", PARTS)
@pytest.mark.parametrize("lists", [1, 2])
def test_images_split_into_two_series_are_one_stack(split, lists):
    """All ten images are here: none is missing, and slices lie 3 mm apart, not 6 mm."""
    first, second = PARTS[split]
    structure_set = drawn_on((CT_SERIES, LONG, 6))
    if lists == 2:
        structure_set = drawn_on((CT_SERIES, first, 3), (NEW_SERIES, second, 3))
    result = match(structure_set, *in_series(first, CT_SERIES), *in_series(second, NEW_SERIES))
    assert only_code(result) == "images-in-several-series"
    assert (len(result.series.images), result.series.spacing_mm) == (10, 3.0)
    assert result.complete_by_list
    assert (result.links[0].count, result.links[0].found) == (10, 10)


def test_an_image_missing_from_a_split_series_is_counted_once():
    """Nine of ten."""
    images = [*in_series(LONG[:5], CT_SERIES), *in_series(LONG[5:9], NEW_SERIES)]
    result = match(drawn_on((CT_SERIES, LONG, 6)), *images)
    assert "1 of the 10 images" in result.remarks[-1].finding.text


@pytest.mark.parametrize(
    ("contours", "planes", "other"),
    [
        ((6, 0), (0.0, 6.0, 12.0), {}),
        ((3, 3), LONG, {"frame": "9.9"}),
        ((3, 3), LONG, {"orientation": (0.0, 1.0, 0.0, -1.0, 0.0, 0.0)}),
        ((3, 3), LONG, {"sop_class": PT_CLASS}),
    ],
    ids=["drawn on one", "other frame", "other orientation", "other class"],
)
def test_two_scans_are_not_joined(contours, planes, other):
    """Listed apart, and only one drawn on or not alike: the first is the planning series."""
    structure_set = drawn_on(
        (CT_SERIES, LONG[::2], contours[0]), (NEW_SERIES, LONG[1::2], contours[1]), planes=planes
    )
    images = [*in_series(LONG[::2], CT_SERIES), *in_series(LONG[1::2], NEW_SERIES, **other)]
    result = match(structure_set, *images)
    assert result.series is None or len(result.series.images) == 5
