"""A decision through the whole system: stated over REST, kept when the index is lost."""

from copy import deepcopy

import requests
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import generate_uid

from rtpacs.store.engine import writing
from rtpacs.store.schema import patient
from tests.live import LiveSystem
from tests.orthanc.asking import dvhs_of, orthanc_id, plan_set_of
from tests.orthanc.cases import CENTER_GY, Case, a_case, write_files


def post(system: LiveSystem, path: str, body: dict) -> requests.Response:
    headers = {"Authorization": f"Bearer {system.token('physicist@NORTH')}"}
    return requests.post(f"{system.url}/api/v1/{path}", json=body, headers=headers, timeout=30)


def test_a_stated_prescription_survives_the_loss_of_the_index(system, tmp_path):
    """A plan without prescription is asked about, completed by a statement, lost with all rows of
    its patient, and complete again after ``rtpacs reconcile``; undo then takes it back."""
    case = a_case()
    del case.only("RTPLAN").DoseReferenceSequence
    system.send(case.write(tmp_path))
    system.settle()
    row = plan_set_of(system, case)
    assert row["state"] == "complete, prescription not in DICOM"
    (question,) = system.items(f"questions?plan_set_id={row['id']}&kind=prescription")
    assert question["seen"] is None

    body = {
        "kind": "prescription",
        "plan_set_id": row["id"],
        "targets": [{"name": "PTV", "dose_gy": CENTER_GY}],
        "reason": "treatment card",
    }
    made = post(system, "decisions", body)
    assert made.status_code == 200, made.text
    system.settle()
    assert_stated(system, case, made.json()["id"])
    assert post(system, "decisions", body).status_code == 409

    with writing(system.application.engine) as connection:
        connection.execute(patient.delete().where(patient.c.patient_id == case.patient_id))
    assert system.items(f"plan-sets?plan_uid={case.plan_uid}") == []
    system.run("reconcile")
    system.settle()
    assert_stated(system, case, made.json()["id"])

    undone = post(system, f"decisions/{made.json()['id']}/undo", {"reason": "wrong card"})
    assert undone.status_code == 200, undone.text
    system.settle()
    after = plan_set_of(system, case)
    assert (after["state"], after["prescribed_gy"]) == ("complete, prescription not in DICOM", None)


def assert_stated(system: LiveSystem, case, decision_id: str) -> None:
    """Complete, with the dose and with who stated it, in REST and on the page."""
    row = plan_set_of(system, case)
    assert (row["state"], row["prescribed_gy"]) == ("complete", CENTER_GY)
    assert [item["decision_id"] for item in row["settled"]] == [decision_id]
    assert dvhs_of(system, row)["calculation"]["state"] == "calculated"
    page = system.browser().get(f"{system.url}/plans/{row['id']}", timeout=30).text
    assert "Prescription (PTV 20 Gy) stated by physicist@north" in page
    assert system.items(f"questions?plan_set_id={row['id']}&kind=prescription") == []


BEAM_SHARE = 0.25


def beam_dose_of(case: Case) -> Dataset:
    """The dose of the first beam: a quarter of the plan dose everywhere."""
    dose = deepcopy(case.only("RTDOSE"))
    dose.SOPInstanceUID = generate_uid()
    dose.DoseSummationType = "BEAM"
    beam, group, plan = Dataset(), Dataset(), dose.ReferencedRTPlanSequence[0]
    beam.ReferencedBeamNumber = 1
    group.ReferencedFractionGroupNumber, group.ReferencedBeamSequence = 1, Items([beam])
    plan.ReferencedFractionGroupSequence = Items([group])
    dose.DoseGridScaling = float(dose.DoseGridScaling) * BEAM_SHARE
    del dose.DVHSequence
    return dose


def test_dvhs_of_a_beam_dose_are_calculated_when_somebody_asks(system, tmp_path):
    """By the form on the plan page, apart from those of the plan dose; undo takes them away."""
    case = a_case()
    dose = beam_dose_of(case)
    system.send([*case.write(tmp_path), *write_files([dose], tmp_path)])
    system.settle()
    row = plan_set_of(system, case)
    page = f"{system.url}/plans/{row['id']}"
    assert len(pairs_of(system, row)) == 1
    browser = system.browser()
    assert f'name="subject" value="{orthanc_id(dose)}"' in browser.get(page, timeout=30).text

    form = {
        "kind": "calculation",
        "center": "NORTH",
        "subject": orthanc_id(dose),
        "reason": "share of the first beam",
        "next": f"/plans/{row['id']}",
    }
    answer = browser.post(f"{system.url}/decisions", data=form, timeout=30)
    assert "Decided." in answer.text
    system.settle()
    single = next(pair for pair in pairs_of(system, row) if pair["dose_kind"] == "other")
    assert single["calculated"]
    (ptv,) = (item for item in dvhs_of_pair(system, single["id"]) if item["name"] == "PTV")
    (whole,) = (item for item in dvhs_of_pair(system, row["pair_id"]) if item["name"] == "PTV")
    for name in ("min_gy", "mean_gy", "max_gy"):
        assert abs(ptv[name] - BEAM_SHARE * whole[name]) < 0.01
    text = browser.get(f"{system.url}/pairs/{single['id']}", timeout=30).text
    assert "share of the first beam" in text
    assert "This is a BEAM dose, not the dose of a whole plan." in text
    assert "nearer to one fraction" not in text
    assert f'href="/plans/{row["id"]}"' in text

    (settled,) = plan_set_of(system, case)["settled"]
    undone = post(system, f"decisions/{settled['decision_id']}/undo", {})
    assert undone.status_code == 200, undone.text
    system.settle()
    assert [pair["id"] for pair in pairs_of(system, row)] == [row["pair_id"]]


def pairs_of(system: LiveSystem, row: dict) -> list[dict]:
    """The pairs in which doses of a plan set stand, as REST tells."""
    return system.get(f"plan-sets/{row['id']}").json()["pairs"]


def dvhs_of_pair(system: LiveSystem, pair_id: str) -> list[dict]:
    return system.get(f"pairs/{pair_id}").json()["calculation"]["dvhs"]
