"""A decision through the whole system: stated over REST, kept when the index is lost."""

import requests

from rtpacs.store.engine import writing
from rtpacs.store.schema import patient
from tests.live import LiveSystem
from tests.orthanc.asking import dvhs_of, plan_set_of
from tests.orthanc.cases import CENTER_GY, a_case


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
