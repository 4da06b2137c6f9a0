"""One decision of every kind, through loss of the index and of the machine."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from pydicom.dataset import Dataset

from rtpacs.rules.decisions import DecisionKind
from rtpacs.rules.objects import Role
from tests.builders import OTHER_FRAME_UID, a_registration
from tests.live import LiveSystem, unique_uid, until
from tests.orthanc.asking import await_index_equal_to_archive, dvhs_of, orthanc_id, plan_set_of
from tests.orthanc.associations import SUCCESS, store
from tests.orthanc.cases import CENTER_GY, Case, a_case, rename_uids
from tests.orthanc.conftest import require_programs, started
from tests.orthanc.test_backup import backup, restore
from tests.orthanc.test_conflicts import moved
from tests.orthanc.test_decisions import post
from tests.orthanc.test_rebuild import await_noted, lose_database, start_again

STRANGER = "STRANGER"
OF_ANSWERS = ("kind", "subject", "target", "relation", "registration", "series_id", "seen")


@pytest.fixture
def original(tmp_path):
    """A system of its own, whose database is lost."""
    require_programs()
    yield from started(LiveSystem(tmp_path / "home"))


def without_structure_set_and_with_two_doses() -> Case:
    """Which structure set, and which dose, only a person can say."""
    case = a_case()
    del case.only("RTPLAN").ReferencedStructureSetSequence
    second = copy.deepcopy(case.only("RTDOSE"))
    second.SOPInstanceUID = unique_uid()
    return Case(patient_id=case.patient_id, root=case.root, objects=(*case.objects, second))


def with_a_dose_elsewhere() -> Case:
    """Dose and structures lie in two frames of reference, which a registration joins."""
    case, joining = a_case(), a_registration()
    rename_uids(joining, case.root)
    joining.PatientID = case.patient_id
    case.only("RTDOSE").FrameOfReferenceUID = case.uid(OTHER_FRAME_UID)
    return Case(patient_id=case.patient_id, root=case.root, objects=(*case.objects, joining))


def thinner(images: list[Dataset]) -> list[Dataset]:
    """The same images with another slice thickness."""
    changed = copy.deepcopy(images)
    for image in changed:
        image.SliceThickness = 2.5
    return changed


@dataclass
class Questions:
    """Patients of whom something is open, and the decisions on them."""

    system: LiveSystem
    silent: Case = field(default_factory=a_case)  # no prescription, and two contents of much
    loose: Case = field(default_factory=without_structure_set_and_with_two_doses)
    bare: Case = field(default_factory=lambda: a_case(lacking=Role.STRUCTURE_SET))
    apart: Case = field(default_factory=with_a_dose_elsewhere)
    unknown: Case = field(default_factory=a_case)  # of a sender that nobody knows

    @property
    def cases(self) -> tuple[Case, ...]:
        """All of them."""
        return self.silent, self.loose, self.bare, self.apart, self.unknown

    def send(self) -> None:
        """Everything, and of one patient structure set and images again with other contents."""
        del self.silent.only("RTPLAN").DoseReferenceSequence
        known = (self.silent, self.loose, self.bare, self.apart)
        objects = [dataset for case in known for dataset in case.objects]
        assert set(store(self.system, objects)) == {SUCCESS}
        self.system.settle()
        images = [item for item in self.silent.objects if item.Modality == "CT"]
        again = [moved(self.silent.only("RTSTRUCT")), *thinner(images)]
        assert set(store(self.system, again)) == {SUCCESS}
        assert set(store(self.system, self.unknown.objects, aet=STRANGER)) == {SUCCESS}
        others = "SELECT count(*) FROM version WHERE NOT in_archive"
        until(lambda: self.system.rows(others) == [(len(again),)], 60, "the other contents")
        self.system.settle()

    def decide(self) -> None:
        """One decision of every kind, where the question is asked or where the form stands."""
        silent, loose, second = (
            self.plan(self.silent),
            self.plan(self.loose),
            self.loose.objects[-1],
        )
        for _ in range(2):  # of the structure set, and of all images
            self.answer(silent, "version", lambda item: "differs" in item["note"])
        self.state(silent, "prescription", targets=[{"name": "PTV", "dose_gy": CENTER_GY}])
        given = {"status": "partly delivered", "fractions": 3, "date": "2026-03-12"}
        self.state(silent, "treatment status", **given)
        self.fill_in("fractions", self.silent.only("RTPLAN"), fractions="20")
        self.answer(loose, "structure set", lambda item: item["kind"] == "link")
        self.answer(
            loose,
            "dose",
            lambda item: (item["kind"], item["subject"]) == ("unlink", orthanc_id(second)),
        )
        self.fill_in("calculation", second)
        missing = self.plan(self.bare)
        self.answer(missing, "structure set", lambda item: item["kind"] == "missing accepted")
        self.answer(self.plan(self.apart), "registration", lambda _: True)
        self.assign()
        self.system.settle()

    def plan(self, case: Case) -> str:
        """The id of its plan set."""
        return plan_set_of(self.system, case)["id"]

    def answer(self, plan_set_id: str, kind: str, wanted: Callable[[dict], bool]) -> None:
        """Send one of the answers to a question back, as it is."""
        asked = self.system.items(f"questions?plan_set_id={plan_set_id}&kind={kind}")[0]
        chosen = next(filter(wanted, asked["answers"]))
        body = {name: chosen[name] for name in OF_ANSWERS if chosen.get(name)}
        reason = f"card of {chosen['kind']}"
        self.send_body({**body, "center": asked["center_code"], "reason": reason})
        self.system.settle()

    def state(self, plan_set_id: str, kind: str, **values: object) -> None:
        """State what DICOM lacks, over REST."""
        reason = f"card of {kind}"
        self.send_body({"kind": kind, "plan_set_id": plan_set_id, "reason": reason, **values})

    def send_body(self, body: dict) -> None:
        """A decision, which is taken."""
        answer = post(self.system, "decisions", body)
        assert answer.status_code == 200, answer.text

    def fill_in(self, kind: str, dataset: Dataset, **values: str) -> None:
        """State it on a page."""
        form = {"kind": kind, "center": "NORTH", "subject": orthanc_id(dataset), **values}
        page = self.system.browser().post(
            f"{self.system.url}/decisions", data={**form, "reason": f"card of {kind}"}, timeout=30
        )
        assert "Decided." in page.text

    def assign(self) -> None:
        """An administrator says whose the unknown sender is."""
        (row,) = self.system.items("quarantine", user="admin")
        answer = self.system.browser("admin").post(
            f"{self.system.url}/senders/quarantine/{row['id']}/assign",
            data={"center": "NORTH", "reason": "by phone"},
            timeout=30,
        )
        assert answer.status_code == 200


def test_decisions_of_every_kind_survive_reconcile_rebuild_and_restore(original, tmp_path):
    """Each is in the list and beside the numbers that it touches, word for word the same
    afterwards, and so is every number."""
    open_ones = Questions(original)
    open_ones.send()
    open_ones.decide()
    known = what_is_decided(original, open_ones)
    assert {kind for kind, *_ in known[0]} == set(map(str, DecisionKind))
    assert_shown(original, open_ones)
    await_noted(original)
    summary = backup(original, tmp_path / "backup")

    original.run("reconcile")
    original.settle()
    assert what_is_decided(original, open_ones) == known

    lose_database(original)
    start_again(original)
    kept = tmp_path / "backup" / "sets" / summary["name"] / "decisions.jsonl"
    original.run("decisions", "import", str(kept))
    await_index_equal_to_archive(original)
    original.settle_after_fault()
    assert what_is_decided(original, open_ones) == known
    original.stop()

    copied = LiveSystem(tmp_path / "empty")
    restore(copied, tmp_path / "backup", summary)
    for live in started(copied, sender=False):
        await_index_equal_to_archive(live)
        live.settle_after_fault()
        assert what_is_decided(live, open_ones) == known
        assert_shown(live, open_ones)


def what_is_decided(system: LiveSystem, open_ones: Questions) -> tuple:
    """The list of decisions, and of every plan set what they shape: all but our own ids."""
    listed = [
        (row["kind"], row["text"], row["author"], row["reason"], row["decided_at"], row["in_force"])
        for user in ("physicist@NORTH", "admin")
        for row in system.items("decisions", user=user)
    ]
    return listed, [shaped(system, case) for case in open_ones.cases]


def shaped(system: LiveSystem, case: Case) -> tuple:
    """State, numbers and words of a plan set."""
    row = plan_set_of(system, case)
    result = dvhs_of(system, row)["calculation"] if row["pair_id"] else None
    return (
        row["state"],
        row["prescribed_gy"],
        row["fractions_planned"],
        row["treatment"],
        sorted(item["text"] for item in row["settled"]),
        result and (result["state"], result["dvhs"]),
    )


def assert_shown(system: LiveSystem, open_ones: Questions) -> None:
    """The page of each plan says what was decided on it, and its numbers rest on that."""
    browser = system.browser()
    about = []
    for case in open_ones.cases[:-1]:
        row = plan_set_of(system, case)
        page = browser.get(f"{system.url}/plans/{row['id']}", timeout=30).text
        assert [item["text"] for item in row["settled"] if item["text"] not in page] == []
        about.append({item["about"] for item in row["settled"]})
    assert about == [
        {"version", "prescription", "fractions", "treatment status"},
        {"link", "unlink"},
        {"missing accepted"},
        {"registration"},
    ]
    row = plan_set_of(system, open_ones.silent)
    begins = [item["text"].partition(" chosen by ")[0] for item in row["settled"]]
    assert {"Version", "Versions of 5 objects"} <= set(begins)
    given = row["treatment"]
    assert (row["state"], row["prescribed_gy"]) == ("complete", CENTER_GY)
    assert (row["fractions_planned"], given["fractions_delivered"]) == (20, 3)
    assert (given["status"], given["last_date"]) == ("partly delivered", "2026-03-12")
    for case in (open_ones.loose, open_ones.unknown):
        assert plan_set_of(system, case)["state"] == "complete"
    assert system.items("quarantine", user="admin") == []
