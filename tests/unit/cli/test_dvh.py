"""`rtpacs dvh` on files, as a stranger would call it."""

import csv
import io
import json
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout

import pytest

from rtpacs.cli import main
from tests.builders import a_dose, a_photon_plan, a_structure_set, to_bytes, with_element


@pytest.fixture
def files(tmp_path):
    (tmp_path / "rs.dcm").write_bytes(to_bytes(a_structure_set()))
    (tmp_path / "rd.dcm").write_bytes(to_bytes(a_dose()))
    (tmp_path / "plan.dcm").write_bytes(to_bytes(a_photon_plan()))
    return tmp_path


def dvh(folder, *arguments, structures="rs.dcm", doses=("rd.dcm",)):
    chosen = [f"--structures={folder / structures}", *(f"--dose={folder / dose}" for dose in doses)]
    return dvh_of(*chosen, *arguments)


def dvh_of(*arguments):
    """The command line in this process: to start Python takes longer than all else."""
    command, status = ["dvh", *map(str, arguments)], 0
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        try:
            main(command)
        except SystemExit as ended:
            status = ended.code
    return subprocess.CompletedProcess(command, status, out.getvalue(), err.getvalue())


def a_beam_dose(number):
    dose = a_dose(summation="BEAM")
    plan = dose.ReferencedRTPlanSequence[0].ReferencedFractionGroupSequence[0]
    plan.ReferencedBeamSequence[0].ReferencedBeamNumber = number
    dose.SOPInstanceUID = f"1.2.826.0.1.99.{number}"
    return dose


def test_json_has_the_fixed_fields(files):
    """PTV is a 12 mm square on three slices of 3 mm: 1.296 cm³; the curve starts covered."""
    done = dvh(files, "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    ptv = next(item for item in result["structures"] if item["name"] == "PTV")

    assert (result["dose_units"], result["dose_type"]) == ("GY", "PHYSICAL")
    assert result["dose_summation"] == "PLAN"
    assert ptv["volume_cm3"] == pytest.approx(1.296, abs=1e-4)
    assert ptv["dvh"]["bin_gy"] == 0.01
    assert ptv["dvh"]["volume_cm3"][0] == pytest.approx(ptv["covered_volume_cm3"], abs=1e-4)
    assert set(ptv["v_gy"]) == {str(dose) for dose in range(1, 101)}
    for name in ("min_gy", "max_gy", "mean_gy", "d98_gy", "d95_gy", "d50_gy", "d2_gy"):
        assert isinstance(ptv[name], float)
    assert "d0_03cm3_gy" in ptv
    assert isinstance(ptv["warnings"], list)


def test_csv_and_table_name_every_structure(files):
    """The table ends with the conventions."""
    rows = list(csv.DictReader(io.StringIO(dvh(files, "--csv").stdout)))
    assert [row["name"] for row in rows] == ["BODY", "PTV"]

    table = dvh(files).stdout
    assert "PTV" in table
    assert "half a slice" in table


@pytest.mark.parametrize(
    ("caps", "height_mm"), [("profile", 9), ("half-slice", 9), ("rounded", 6 + 2), ("none", 6)]
)
def test_the_end_caps_may_be_chosen_and_are_named(files, caps, height_mm):
    """PTV is a 12 mm square on three slices of 3 mm: 6 mm between its planes."""
    result = json.loads(dvh(files, "--json", "--caps", caps).stdout)
    ptv = next(item for item in result["structures"] if item["name"] == "PTV")

    assert ptv["volume_cm3"] == pytest.approx(0.144 * height_mm, abs=1e-4)
    assert result["end_caps"] == caps


def test_an_unknown_convention_is_refused_with_the_known_ones(files):
    """Nothing is calculated."""
    done = dvh(files, "--caps", "pointed")

    assert done.returncode != 0
    assert "rounded" in done.stderr


def test_a_plot_is_a_png(files):
    """With the table as well."""
    done = dvh(files, "--plot", files / "curves.png")
    assert done.returncode == 0, done.stderr
    assert (files / "curves.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"structures": "plan.dcm"}, "RT Structure Set"),
        ({"doses": ("plan.dcm",)}, "RT Dose"),
        ({"doses": ("rd.dcm", "rd.dcm")}, "twice"),
    ],
)
def test_what_is_refused_ends_with_2_and_one_line(files, changes, named):
    """No traceback, no output."""
    done = dvh(files, "--json", **changes)

    assert done.returncode == 2
    assert done.stdout == ""
    assert named in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_file_that_is_no_dicom_is_named(files):
    """Of several files on the command line the person learns which one is wrong."""
    (files / "note.txt").write_text("no DICOM at all", encoding="utf-8")
    done = dvh(files, doses=("rd.dcm", "note.txt"))
    assert done.returncode == 2
    assert done.stderr.startswith(f"rtpacs: {files / 'note.txt'}: ")


def test_a_refused_dose_of_a_folder_is_named_with_attribute_and_remedy(files):
    """A folder holds many files: the person learns which one to export again."""
    dose = with_element((files / "rd.dcm").read_bytes(), "DoseGridScaling", b"0,01")
    (files / "rd.dcm").write_bytes(dose)
    done = dvh_of(files)
    assert done.returncode == 2
    assert done.stderr.startswith(f"rtpacs: {files / 'rd.dcm'}: The dose grid scaling")
    assert "Export the dose again" in done.stderr


@pytest.mark.parametrize(
    ("keyword", "said"),
    [("DoseSummationType", "what it sums"), ("FrameOfReferenceUID", "frame of reference")],
)
def test_what_a_dose_does_not_state_is_said_beside_every_number(files, keyword, said):
    """It is calculated, and whoever reads the numbers knows what was taken on trust."""
    dose = with_element((files / "rd.dcm").read_bytes(), keyword, None)
    (files / "rd.dcm").write_bytes(dose)
    for structure in json.loads(dvh_of(files, "--json").stdout)["structures"]:
        assert any(said in warning for warning in structure["warnings"])


def test_many_unreadable_files_are_cut_short(files):
    """A folder of pictures is no list of reasons."""
    for number in range(12):
        (files / f"note{number:02}.txt").write_text("no DICOM", encoding="utf-8")
    lines = dvh_of(files).stderr.splitlines()
    assert lines[0] == "12 of 15 files cannot be read and are left out:"
    assert (len(lines), lines[-1]) == (12, "  and 2 more")


def test_relative_doses_give_percent_curves_and_no_gray(files):
    """Metrics in Gy are null, with the reason among the warnings."""
    dose = with_element((files / "rd.dcm").read_bytes(), "DoseUnits", b"RELATIVE")
    (files / "rd.dcm").write_bytes(dose)
    result = json.loads(dvh(files, "--json").stdout)

    for item in result["structures"]:
        assert item["mean_gy"] is None
        assert any("RELATIVE" in warning for warning in item["warnings"])
        assert item["dvh"]["bin_percent"] > 0
        assert item["dvh"]["bin_gy"] is None
        assert item["v_gy"] == {str(dose): None for dose in range(1, 101)}


def test_a_beam_dose_alone_is_said_to_be_a_part(files):
    """Beside every number: nothing in the file tells whether the plan has other beams."""
    (files / "rd.dcm").write_bytes(to_bytes(a_dose(summation="BEAM")))
    result = json.loads(dvh(files, "--json").stdout)

    for structure in result["structures"]:
        assert any("one beam" in warning for warning in structure["warnings"])


def test_doses_in_a_row_after_one_option_are_all_summed(files):
    """``--dose RD*.dcm``, as the shell writes it: none is passed over."""
    for number in (1, 2):
        (files / f"beam{number}.dcm").write_bytes(to_bytes(a_beam_dose(number)))
    each = json.loads(dvh(files, "--json", doses=("beam1.dcm", "beam2.dcm")).stdout)
    row = json.loads(dvh(files, "--json", files / "beam2.dcm", doses=("beam1.dcm",)).stdout)

    assert row == each
    refused = dvh(files, files / "plan.dcm", doses=("beam1.dcm",))
    assert refused.returncode == 2
    assert "RT Dose" in refused.stderr


def test_an_odd_place_of_the_dose_planes_is_said_beside_every_number(files):
    """Offsets from 100 mm belong to neither convention of C.8.8.3.2: differences are taken."""
    dose = to_bytes(a_dose(offsets_mm=[100.0, 103.0, 106.0, 109.0, 112.0]))
    (files / "odd.dcm").write_bytes(dose)
    result = json.loads(dvh(files, "--json", doses=("odd.dcm",)).stdout)

    for structure in result["structures"]:
        assert any("frame offsets" in warning for warning in structure["warnings"])


def test_percent_metrics_stand_side_by_side_where_the_dose_grid_ends_inside(files):
    """BODY is 42 x 42 x 15 mm, the grid 18 x 12.5 x 12 mm: a tenth is covered, so D50 is 0 Gy."""
    body, _ = json.loads(dvh(files, "--json").stdout)["structures"]

    share = 18 * 12.5 * 12 / (42 * 42 * 15)
    assert body["covered_volume_cm3"] == pytest.approx(share * body["volume_cm3"], rel=1e-3)
    assert body["d50_gy"] > 0
    assert body["uncovered_as_zero"]["d50_gy"] == 0
    assert body["uncovered_as_zero"]["d2_gy"] < body["d2_gy"]
    assert set(body["uncovered_as_zero"]) == {"d98_gy", "d95_gy", "d50_gy", "d2_gy"}


def test_a_folder_is_enough(files):
    """Structure set, PLAN dose and plan are found among other files; as a stranger starts it."""
    (files / "readme.txt").write_text("an export", encoding="utf-8")
    command = [sys.executable, "-m", "rtpacs", "dvh", files, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    heading, reason = done.stderr.splitlines()
    assert heading == "1 of 4 files cannot be read and are left out:"
    assert reason.startswith(f"  {files / 'readme.txt'}: ")
    assert json.loads(done.stdout) == json.loads(dvh(files, "--json").stdout)


def test_an_empty_file_is_refused_by_name_and_left_out_of_a_folder(files):
    """Four files, one of them empty: an export that was broken off."""
    (files / "empty.dcm").touch()
    named = dvh(files, structures="empty.dcm")
    assert (named.returncode, "empty.dcm (the file is empty)" in named.stderr) == (2, True)

    found = dvh_of(files)
    assert found.returncode == 0
    assert found.stderr.startswith("1 of 4 files cannot be read and are left out:\n")
    assert "empty.dcm (the file is empty)" in found.stderr


def test_a_folder_with_two_structure_sets_asks_which_one(files):
    """Both are named."""
    other = with_element((files / "rs.dcm").read_bytes(), "StructureSetLabel", b"OTHER ")
    (files / "other.dcm").write_bytes(other)
    done = dvh_of(files)
    assert done.returncode == 2
    assert "--structures" in done.stderr
    assert "other.dcm (OTHER)" in done.stderr
    assert "rs.dcm" in done.stderr


def test_nothing_named_and_nothing_found_say_what_to_give(tmp_path):
    """An empty folder, and no argument at all."""
    assert "name a folder" in dvh_of().stderr
    assert "no RT Structure Set found" in dvh_of(tmp_path).stderr


def test_beam_doses_of_a_folder_are_summed_and_told_from_the_whole(files):
    """The plan has beams 1 and 2: beam 2 alone is a part, twice its dose is both together."""
    (files / "rd.dcm").write_bytes(to_bytes(a_dose(summation="BEAM")))
    alone = json.loads(dvh_of(files, "--json").stdout)
    assert all(
        any("1 of the 2 treatment beams" in warning for warning in structure["warnings"])
        for structure in alone["structures"]
    )

    (files / "rd1.dcm").write_bytes(to_bytes(a_beam_dose(1)))
    both = json.loads(dvh_of(files, "--json").stdout)
    assert both["doses"] == 2
    assert not any("beams" in text for s in both["structures"] for text in s["warnings"])
    assert both["structures"][1]["mean_gy"] == pytest.approx(
        2 * alone["structures"][1]["mean_gy"], rel=1e-5
    )


def test_asked_metrics_stand_in_every_form(files):
    """D50% is the median; all of the PTV receives 0 Gy and more."""
    ptv = json.loads(dvh(files, "--json", "--metrics", "D50%,V0Gy,D2cc").stdout)["structures"][1]
    assert ptv["asked"]["D2cm³"] is None
    assert any("D2cm³ is undefined" in text for text in ptv["warnings"])
    assert ptv["asked"]["D50%"] == ptv["d50_gy"]
    assert ptv["asked"]["V0Gy"] == ptv["covered_volume_cm3"]
    assert ptv["v_percent"]["1"] == pytest.approx(
        100 * ptv["v_gy"]["1"] / ptv["covered_volume_cm3"], abs=1e-3
    )
    rows = list(csv.DictReader(io.StringIO(dvh(files, "--csv", "--metrics", "D50%").stdout)))
    assert float(rows[1]["D50%"]) == ptv["d50_gy"]
    assert rows[1]["end_caps"] == "profile"
    assert rows[0]["whole_d50_gy"] == "0.0"
    assert "D50%[Gy]" in dvh(files, "--metrics", "D50%").stdout
    refused = dvh(files, "--metrics", "V20%")
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)


def test_a_picture_that_cannot_be_written_is_refused_before_the_work(files):
    """The table is not printed either."""
    done = dvh(files, "--plot", files / "none" / "curves.png")
    assert (done.returncode, done.stdout) == (2, "")
    assert "there is no such folder" in done.stderr
