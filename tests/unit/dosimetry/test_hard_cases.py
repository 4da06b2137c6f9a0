"""Every hard case of a dose-volume calculation, with the tests that prove its right answer.

The table is the list; a name that no longer exists fails here, so that no case is dropped unseen.
"""

import ast
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[2]
HOLES = "unit/dosimetry/test_holes_and_overlaps.py"
PLANES = "unit/dosimetry/test_planes_and_orientation.py"
CAPS = "unit/dosimetry/test_end_caps.py"
CENTRES = "unit/dosimetry/test_slab_centres.py"
PROFILE = "unit/dosimetry/test_profile.py"
METRICS = "unit/dosimetry/test_metrics_and_sums.py"
FLAT = "unit/dosimetry/test_flat_doses.py"
BRUTE = "unit/dosimetry/test_brute_force.py"
SAME = "unit/dosimetry/test_invariances.py"
DOSES = "unit/dicom/test_doses.py"
CALCULATE = "unit/dicom/test_calculate.py"
STRUCTURES = "unit/dicom/test_structures.py"
PLAN_DOSE = "unit/rules/test_plan_dose.py"
PAIRS = "unit/rules/test_pairs.py"
FILES = "unit/rules/test_file_doses.py"
COMMAND = "unit/cli/test_dvh.py"

HARD_CASES = {
    "holes: outline first, inner first, keyhole, exclusive or": [
        (HOLES, "test_every_encoding_of_a_hole_gives_the_same_curve"),
        (HOLES, "test_a_hole_that_touches_its_outline_is_still_a_hole"),
        (HOLES, "test_holes_and_islands_count_in_any_direction"),
    ],
    "islands in holes in islands": [
        (HOLES, "test_an_island_inside_a_hole_counts"),
        (BRUTE, "test_islands_in_holes_in_islands"),
    ],
    "exact duplicate": [
        (HOLES, "test_an_exact_duplicate_is_dropped"),
        (HOLES, "test_a_contour_repeated_with_other_points_is_not_a_hole"),
    ],
    "partial overlap: union, exclusive or for CLOSEDPLANAR_XOR": [
        (HOLES, "test_overlapping_contours_are_united_with_a_warning"),
        (HOLES, "test_crossing_contours_without_vertices_in_each_other_are_united"),
        (HOLES, "test_overlapping_xor_contours_exclude_their_overlap"),
        (HOLES, "test_a_hole_in_one_of_two_overlapping_outlines_stays_a_hole"),
    ],
    "self-crossing: even-odd": [
        (HOLES, "test_a_figure_of_eight_keeps_both_lobes"),
        (HOLES, "test_an_outline_wound_twice_over_a_part_is_even_odd"),
    ],
    "bifurcation, islands beside structures of other planes": [
        (HOLES, "test_islands_beside_each_other_add_up"),
        (PLANES, "test_structures_with_other_planes_do_not_disturb_each_other"),
        (BRUTE, "test_uneven_planes_with_bifurcation"),
    ],
    "0.2 mm slices": [(PLANES, "test_fine_planes_keep_their_volume")],
    "the last plane": [(PLANES, "test_the_last_plane_counts_in_volume_and_mean")],
    "uneven planes": [
        (PLANES, "test_uneven_planes_meet_at_their_midpoints"),
        (CAPS, "test_a_coarse_end_of_two_steps_is_not_a_gap"),
    ],
    "missing planes": [
        (PLANES, "test_two_missing_planes_are_bridged_with_a_warning"),
        (PLANES, "test_a_long_gap_separates_two_parts"),
        (CAPS, "test_a_slice_missing_before_the_last_is_bridged_and_does_not_lengthen_the_end"),
    ],
    "a single plane": [
        (PLANES, "test_a_single_plane_is_one_slice_thick"),
        (PLANES, "test_a_single_plane_takes_its_thickness_from_the_other_structures"),
    ],
    "points, open contours, two points, nothing": [
        (HOLES, "test_what_encloses_no_volume_has_no_metrics"),
        (HOLES, "test_points_beside_an_outline_are_left_out_with_a_warning"),
    ],
    "on voxel edges, below one voxel, tiny holes": [
        (PLANES, "test_contours_on_voxel_edges_have_their_exact_volume"),
        (PLANES, "test_a_structure_smaller_than_a_voxel_has_its_true_volume_and_doses"),
        (HOLES, "test_a_hole_smaller_than_any_cell_takes_its_area_alone"),
        (BRUTE, "test_a_wall_thinner_than_a_cell_keeps_its_volume_and_mean"),
    ],
    "leaving the dose grid: never scaled, both metrics": [
        (PLANES, "test_the_part_outside_the_dose_grid_is_reported_and_not_scaled"),
        (PLANES, "test_a_structure_beside_the_dose_grid_has_a_volume_but_no_dose"),
        (BRUTE, "test_a_structure_across_a_corner_of_the_dose_grid"),
        (COMMAND, "test_percent_metrics_stand_side_by_side_where_the_dose_grid_ends_inside"),
    ],
    "both conventions of frame offsets, and neither": [
        (DOSES, "test_relative_offsets_place_frames_along_row_times_column"),
        (DOSES, "test_absolute_offsets_are_patient_z_positions"),
        (DOSES, "test_offsets_of_neither_convention_are_taken_as_differences_with_a_warning"),
        (DOSES, "test_patient_z_as_offsets_of_another_grid_is_read_by_differences"),
        (
            "unit/rules/test_image_links.py",
            "test_feet_first_planes_are_where_the_calculation_reads_them",
        ),
    ],
    "descending, uneven, unsorted frames; wrong counts": [
        (DOSES, "test_relative_offsets_place_frames_along_row_times_column"),
        (PLANES, "test_uneven_dose_frames_are_read_at_their_positions"),
        (DOSES, "test_unsorted_frames_are_sorted_with_a_warning"),
        (DOSES, "test_frames_without_a_position_of_their_own_are_refused"),
    ],
    "all patient positions, decubitus, voxels that are not square": [
        (DOSES, "test_relative_offsets_place_frames_along_row_times_column"),
        (DOSES, "test_row_and_column_spacing_are_not_mixed_up"),
        (PLANES, "test_dose_is_read_in_the_orientation_of_its_grid"),
        (SAME, "test_reversed_columns_change_nothing"),
    ],
    "oblique dose": [
        (PLANES, "test_an_oblique_dose_grid_is_sampled_in_its_own_geometry"),
        (BRUTE, "test_a_tilted_dose_grid"),
        (BRUTE, "test_a_peak_of_one_voxel_in_a_tilted_grid_is_the_maximum"),
    ],
    "sagittal, coronal, tilted and mixed contours": [
        (PLANES, "test_contour_planes_may_lie_in_any_direction"),
        (PLANES, "test_contours_in_different_directions_are_refused"),
    ],
    "jitter along the normal": [(PLANES, "test_jittering_positions_stay_in_their_planes")],
    "big endian, 16 and 32 bit, compressed": [
        (DOSES, "test_big_endian_voxels_are_read"),
        (DOSES, "test_every_pixel_type_gives_pixel_times_scaling"),
        (DOSES, "test_compressed_voxels_are_decoded"),
        (DOSES, "test_jpeg2000_voxels_are_decoded"),
    ],
    "closing point, winding, order": [
        (HOLES, "test_a_repeated_closing_point_changes_nothing"),
        (SAME, "test_direction_start_and_order_of_points_do_not_matter"),
        (PLANES, "test_the_order_of_contours_does_not_matter"),
    ],
    "relative units": [
        (DOSES, "test_a_relative_dose_is_read_as_sent_and_flagged"),
        (COMMAND, "test_relative_doses_give_percent_curves_and_no_gray"),
        (PLAN_DOSE, "test_a_dose_in_percent_is_calculated_but_never_complete"),
    ],
    "BEAM doses: all treatment beams once": [
        (PLAN_DOSE, "test_beam_doses_are_summed_when_every_treatment_beam_has_one"),
        (PLAN_DOSE, "test_a_beam_without_dose_makes_the_sum_incomplete"),
        (PLAN_DOSE, "test_a_beam_dose_too_many_is_ambiguous"),
        (METRICS, "test_equal_grids_are_added_voxel_by_voxel"),
        (METRICS, "test_other_grids_are_read_at_the_voxels_of_the_finest"),
        (COMMAND, "test_a_beam_dose_alone_is_said_to_be_a_part"),
    ],
    "FRACTION doses: whole groups, summed; sessions are no plan dose": [
        (PLAN_DOSE, "test_without_a_plan_dose_all_fraction_groups_are_summed"),
        (PLAN_DOSE, "test_a_fraction_group_without_dose_makes_the_sum_incomplete"),
        (PLAN_DOSE, "test_other_summations_are_never_the_plan_dose"),
        (FILES, "test_a_beam_or_fraction_dose_alone_may_be_a_part"),
    ],
    "MULTI_PLAN": [(PAIRS, "test_a_sum_of_plans_has_a_pair_of_its_own")],
    "EFFECTIVE": [(PLAN_DOSE, "test_physical_and_effective_plan_doses_are_kept_apart")],
    "a dose without voxels, or of one frame": [
        (DOSES, "test_a_dose_without_voxels_is_listed_but_not_read"),
        (DOSES, "test_a_single_frame_needs_no_offsets"),
        (PLANES, "test_a_dose_of_one_frame_covers_its_own_thickness"),
    ],
    "wrong frame of reference": [
        (CALCULATE, "test_a_structure_in_another_frame_of_reference_has_no_dvh"),
        (FILES, "test_a_dose_in_another_frame_is_refused"),
        (PAIRS, "test_only_the_same_study_and_frame_of_reference_pair"),
    ],
    "the maximum in the last bin, doses on bin edges, above 1000 Gy, below zero": [
        (FLAT, "test_an_even_dose_has_every_metric_at_that_dose"),
        (FLAT, "test_what_receives_exactly_a_dose_receives_that_dose_or_more"),
        (FLAT, "test_the_maximum_on_a_bin_edge_is_kept"),
        (FLAT, "test_a_dose_below_zero_everywhere_still_starts_at_the_covered_volume"),
        (METRICS, "test_very_high_doses_widen_the_bins"),
    ],
    "contours over 64 kB and as UN": [
        (STRUCTURES, "test_contours_over_64_kb_are_read_whatever_their_vr"),
    ],
    "what must not change a curve": [
        (SAME, "test_direction_start_and_order_of_points_do_not_matter"),
        (SAME, "test_moving_everything_changes_nothing"),
        (SAME, "test_turning_everything_changes_nothing"),
        (SAME, "test_scaling_the_dose_scales_the_metrics"),
        (SAME, "test_the_parts_of_a_structure_add_up_to_it"),
        (SAME, "test_the_other_structures_do_not_matter"),
        (SAME, "test_the_curve_falls_from_the_covered_volume_to_nothing"),
    ],
    "known floors: end caps and slices": [
        (CAPS, "test_a_convention_changes_the_ends_alone"),
        (CENTRES, "test_volume_and_extremes_are_those_of_the_body"),
        (PROFILE, "test_rounded_bodies_have_their_volume_wherever_slices_fall"),
        (PROFILE, "test_sections_that_differ_in_shape_stay_prisms"),
        (
            "unit/dosimetry/test_radiosurgery.py",
            "test_the_volume_of_a_sphere_errs_by_the_square_of_slice_over_diameter",
        ),
    ],
}


@cache
def names_in(file: str) -> frozenset[str]:
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize("case", HARD_CASES)
def test_every_hard_case_has_its_tests(case: str) -> None:
    for file, name in HARD_CASES[case]:
        assert name in names_in(file), f"{name} is not in {file}"
