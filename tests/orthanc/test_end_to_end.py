"""From the TPS's export to numbers in the portal, nobody clicking."""

import random
from itertools import pairwise

import pytest

from tests.orthanc.asking import dvhs_of, plan_set_of
from tests.orthanc.cases import CENTER_GY, RISE_GY_PER_MM, a_case

# Both structures are boxes: area times slices times slice distance.
PTV_CM3 = 12.0 * 12.0 * 3 * 3.0 / 1000.0
BODY_CM3 = 42.0 * 42.0 * 5 * 3.0 / 1000.0
# The dose ends at the first and last slice, half a slice before the BODY does.
BODY_COVERED_CM3 = 42.0 * 42.0 * 4 * 3.0 / 1000.0
BOXES = (("PTV", 6.0, PTV_CM3, PTV_CM3), ("BODY", 21.0, BODY_CM3, BODY_COVERED_CM3))


def assert_calculated_as_arithmetic_says(calculation):
    """Both structures have the numbers of the linear dose."""
    by_name = {dvh["name"]: dvh for dvh in calculation["dvhs"]}
    assert set(by_name) == {"BODY", "PTV"}
    assert by_name["PTV"]["warnings"] == []
    for name, half_mm, volume_cm3, covered_cm3 in BOXES:
        spread = RISE_GY_PER_MM * half_mm
        dvh = by_name[name]
        assert dvh["volume_cm3"] == pytest.approx(volume_cm3, rel=1e-3)
        assert dvh["covered_volume_cm3"] == pytest.approx(covered_cm3, rel=1e-3)
        assert dvh["mean_gy"] == pytest.approx(CENTER_GY, abs=0.01)
        assert dvh["d50_gy"] == pytest.approx(CENTER_GY, abs=0.02)
        assert dvh["d98_gy"] == pytest.approx(CENTER_GY - 0.96 * spread, abs=0.05)
        assert dvh["d2_gy"] == pytest.approx(CENTER_GY + 0.96 * spread, abs=0.05)
        assert dvh["min_gy"] == pytest.approx(CENTER_GY - spread, abs=0.1)
        assert dvh["max_gy"] == pytest.approx(CENTER_GY + spread, abs=0.1)


def test_an_exported_plan_is_complete_and_calculated_without_a_click(system, tmp_path):
    """CT, structure set, plan and dose by storescu: complete, no findings, exact DVHs."""
    case = a_case()
    system.send(case.write(tmp_path))
    system.settle()

    row = plan_set_of(system, case)
    assert row["state"] == "complete"
    assert row["findings"] == []
    assert row["patient"]["patient_id"] == case.patient_id
    assert row["patient"]["center_code"] == "NORTH"
    assert row["prescribed_gy"] == CENTER_GY
    assert row["date"] == "2026-03-03"
    answer = dvhs_of(system, row, curves=True)
    assert answer["calculation"]["state"] == "calculated"
    assert answer["calculation"]["findings"] == []
    assert_calculated_as_arithmetic_says(answer["calculation"])


def test_curves_start_at_the_covered_volume_and_the_tps_stands_apart(system, tmp_path):
    """Ours falls from the covered volume to zero; the TPS's curve keeps its own wrong numbers."""
    case = a_case()
    system.send(case.write(tmp_path))
    system.settle()

    answer = dvhs_of(system, plan_set_of(system, case), curves=True)
    ours = {curve["name"]: curve for curve in answer["curves"] if curve["source"] == "rtpacs"}
    theirs = [curve for curve in answer["curves"] if curve["source"] == "TPS"]
    ptv = ours["PTV"]
    assert ptv["dose"][:2] == [0.0, 0.01]
    assert ptv["volume"][0] == pytest.approx(PTV_CM3, rel=1e-3)
    assert all(later <= earlier for earlier, later in pairwise(ptv["volume"]))
    half = ptv["volume"][round(CENTER_GY / 0.01)]
    assert half == pytest.approx(PTV_CM3 / 2, rel=0.01)
    assert [(curve["name"], curve["dose"], curve["volume"]) for curve in theirs] == [
        ("PTV", [0.0, 10.0], [9.0, 4.0])
    ]
    assert [dvh["mean"] for dvh in answer["calculation"]["tps_dvhs"]] == [11.0]


def test_the_page_shows_what_the_api_says(system, tmp_path):
    """The plan page names the structures and the state, without JavaScript."""
    case = a_case()
    system.send(case.write(tmp_path))
    system.settle()

    row = plan_set_of(system, case)
    page = system.browser().get(f"{system.url}/plans/{row['id']}", timeout=30)
    assert page.status_code == 200
    for text in ("PTV", "BODY", case.patient_id, "complete", "Block plan"):
        assert text in page.text


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_any_order_of_arrival_gives_the_same_result(system, tmp_path, seed):
    """Shuffled, and sent in two associations: one complete set, one calculation, same numbers."""
    case = a_case()
    files = case.write(tmp_path)
    random.Random(seed).shuffle(files)
    system.send(files[:4])
    system.send(files[4:])
    system.settle()

    row = plan_set_of(system, case)
    assert row["state"] == "complete"
    assert_calculated_as_arithmetic_says(dvhs_of(system, row)["calculation"])
    assert system.rows(
        "SELECT count(*) FROM calculation JOIN pair ON pair.id = pair_id WHERE public_id = ?",
        row["pair_id"],
    ) == [(1,)]
