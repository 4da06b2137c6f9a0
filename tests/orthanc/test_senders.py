"""Who sent decides whose data it is; what nobody vouches for waits unseen."""

import secrets

import pytest

from tests.orthanc.asking import (
    assert_each_pair_is_calculated_once,
    dvhs_of,
    orthanc_id,
    plan_set_of,
)
from tests.orthanc.associations import SUCCESS, store
from tests.orthanc.cases import FAMILY_NAME, a_case


def a_title():
    return f"S{secrets.token_hex(4).upper()}"


def ids_of(system, patient_id):
    """Public ids of patient, plan set and pair, straight from the database."""
    ((patient, plan_set, pair),) = system.rows(
        "SELECT patient.public_id, plan_set.public_id, pair.public_id FROM patient "
        "JOIN plan_set ON plan_set.patient_id = patient.id "
        "JOIN pair ON pair.id = plan_set.pair_id WHERE patient.patient_id = ?",
        patient_id,
    )
    return patient, plan_set, pair


def waiting(system, aet):
    """What the administrator sees of a sender in quarantine."""
    return [row for row in system.items("quarantine", user="admin") if row["aet"] == aet]


def calculation_jobs(system):
    return system.rows("SELECT key, token, done FROM job WHERE kind = 'dvh' ORDER BY key")


def calculated_at(system, pair):
    return system.rows(
        "SELECT calculated_at FROM calculation JOIN pair ON pair.id = pair_id WHERE public_id = ?",
        pair,
    )


@pytest.fixture
def stranger(system, tmp_path):
    """A settled case of an AE title that no node has."""
    case, aet = a_case(), a_title()
    system.send(case.write(tmp_path), aet)
    system.settle()
    return case, aet


def test_a_strangers_data_is_calculated_and_seen_by_nobody(system, stranger):
    """No list has it and every address of it answers as if it were not there."""
    case, _ = stranger
    patient, plan_set, pair = ids_of(system, case.patient_id)
    assert len(calculated_at(system, pair)) == 1

    assert system.items(f"plan-sets?plan_uid={case.plan_uid}") == []
    assert system.items(f"patients?q={case.patient_id}") == []
    browser = system.browser()
    for page in ("patients", "plans"):
        assert case.patient_id not in browser.get(f"{system.url}/{page}", timeout=30).text
    for path in (
        f"patients/{patient}",
        f"plan-sets/{plan_set}",
        f"plan-sets/{plan_set}/dvhs",
        f"pairs/{pair}",
    ):
        assert system.get(path).status_code == 404
    for path in (
        f"patients/{patient}",
        f"plans/{plan_set}",
        f"plans/{plan_set}/links",
        f"pairs/{pair}",
        f"pairs/{pair}/plot.json",
        f"pairs/{pair}/dvh.csv",
    ):
        assert browser.get(f"{system.url}/{path}", timeout=30).status_code == 404


def test_the_administrator_sees_counts_and_kinds_of_a_stranger_but_no_person(system, stranger):
    """Eight objects of one study by kind and date; neither name, number nor UID anywhere."""
    case, aet = stranger
    (row,) = waiting(system, aet)
    assert (row["reason"], row["objects"], row["studies"]) == ("unknown sender", 8, 1)
    kinds = {name: count for name, count in row["kinds"]}
    assert kinds == {"CT": 5, "structure set": 1, "plan": 1, "dose": 1}
    assert row["first_received"] <= row["last_received"]

    browser = system.browser("admin")
    answers = [
        browser.get(f"{system.url}/{page}", timeout=30).text
        for page in ("senders", "system", "jobs")
    ]
    answers += [system.get(path, user="admin").text for path in ("quarantine", "jobs", "status")]
    assert aet in answers[0]
    for text in answers:
        for secret in (FAMILY_NAME, case.patient_id, case.root):
            assert secret not in text


def test_one_action_makes_a_strangers_data_visible_without_calculating_again(system, stranger):
    """The same plan set and the same calculation appear under the center."""
    case, aet = stranger
    _, plan_set, pair = ids_of(system, case.patient_id)
    before, jobs = calculated_at(system, pair), calculation_jobs(system)
    (row,) = waiting(system, aet)
    system.add_center("EAST")
    answer = system.browser("admin").post(
        f"{system.url}/senders/quarantine/{row['id']}/assign",
        data={"center": "EAST", "reason": "known"},
        timeout=30,
    )
    assert answer.status_code == 200
    system.settle()

    shown = plan_set_of(system, case)
    assert shown["id"] == plan_set
    assert shown["patient"]["center_code"] == "EAST"
    assert dvhs_of(system, shown)["calculation"]["state"] == "calculated"
    assert calculated_at(system, pair) == before
    assert calculation_jobs(system) == jobs
    assert waiting(system, aet) == []


def test_a_node_sends_from_any_of_its_networks_and_from_no_other(system):
    """Both networks are the node's; the same AE title from a third address is a stranger."""
    aet, case, foreign = a_title(), a_case(), a_case()
    system.add_sender(aet, "NORTH", networks=("127.0.0.2", "127.0.0.16/28"))
    half = len(case.objects) // 2
    assert set(store(system, case.objects[:half], aet=aet, address="127.0.0.2")) == {SUCCESS}
    assert set(store(system, case.objects[half:], aet=aet, address="127.0.0.17")) == {SUCCESS}
    assert set(store(system, foreign.objects, aet=aet, address="127.0.0.99")) == {SUCCESS}
    system.settle()

    assert plan_set_of(system, case)["state"] == "complete"
    assert system.items(f"plan-sets?plan_uid={foreign.plan_uid}") == []
    assert [row["address"] for row in waiting(system, aet)] == ["127.0.0.99"]


@pytest.mark.fault("A7")
def test_one_patient_number_of_two_centers_is_two_people(system, record_property):
    """Each keeps name and plan; deleting what one center sent leaves the other's whole."""
    aet = a_title()
    system.add_sender(aet, "SOUTH")
    north = a_case(name=f"{FAMILY_NAME}^North")
    south = a_case(patient_id=north.patient_id, name=f"{FAMILY_NAME}^South")
    store(system, north.objects)
    store(system, south.objects, aet=aet)
    system.settle()
    people = system.items(f"patients?q={north.patient_id}")
    assert sorted((row["center_code"], row["name"], row["objects"]) for row in people) == [
        ("NORTH", f"{FAMILY_NAME}^North", 8),
        ("SOUTH", f"{FAMILY_NAME}^South", 8),
    ]

    for dataset in south.objects:
        path = f"/instances/{orthanc_id(dataset)}"
        assert system.orthanc(path, method="DELETE").status_code == 200
    # What is judged while objects leave is judged again after a pause.
    system.settle_after_fault()
    (left,) = system.items(f"patients?q={north.patient_id}")
    assert (left["center_code"], left["objects"]) == ("NORTH", 8)
    assert plan_set_of(system, north)["state"] == "complete"
    assert_each_pair_is_calculated_once(system)
    record_property("measured", "2 patients; 8 of one deleted, 8 of 8 of the other left")


@pytest.mark.parametrize("missing", [False, True], ids=["empty", "missing"])
@pytest.mark.fault("A6")
def test_people_without_a_number_wait_apart_until_one_is_stated(system, missing, record_property):
    """Two studies without PatientID are two people, unseen; a stated number releases that one."""
    aet = a_title()
    system.add_sender(aet, "WEST")
    cases = [a_case(patient_id=""), a_case(patient_id="")]
    for case in cases:
        for dataset in case.objects:
            if missing:
                del dataset.PatientID
        assert set(store(system, case.objects, aet=aet)) == {SUCCESS}
    system.settle()

    rows = waiting(system, aet)
    assert [(row["reason"], row["objects"], row["studies"]) for row in rows] == [
        ("no patient number", 8, 1)
    ] * 2
    assert all(system.items(f"plan-sets?plan_uid={case.plan_uid}") == [] for case in cases)

    number = f"STATED-{secrets.token_hex(4)}"
    answer = system.browser("admin").post(
        f"{system.url}/senders/quarantine/{rows[0]['id']}/patient-number",
        data={"patient_id": number},
        timeout=30,
    )
    assert answer.status_code == 200
    system.settle()
    (person,) = system.items(f"patients?q={number}")
    assert (person["objects"], person["plan_sets"]) == (8, 1)
    shown = [case for case in cases if system.items(f"plan-sets?plan_uid={case.plan_uid}")]
    assert len(shown) == 1
    assert plan_set_of(system, shown[0])["patient"]["patient_id"] == number
    assert len(waiting(system, aet)) == 1
    record_property("measured", "2 studies waited as 2 people; 1 stated and released, 1 waits on")
