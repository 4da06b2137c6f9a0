"""C-FIND and C-MOVE by nodes, under the same rules as everything else."""

from dataclasses import dataclass

import pytest
from pydicom.dataset import Dataset
from pynetdicom.sop_class import (
    PatientRootQueryRetrieveInformationModelFind as PatientFind,
)
from pynetdicom.sop_class import (
    StudyRootQueryRetrieveInformationModelFind as StudyFind,
)
from pynetdicom.sop_class import (
    StudyRootQueryRetrieveInformationModelGet as StudyGet,
)
from pynetdicom.sop_class import (
    StudyRootQueryRetrieveInformationModelMove as StudyMove,
)

from rtpacs.rules.projects import EntryKind, ProjectFacts
from rtpacs.services.desk import NewNode
from tests.builders import CT_SERIES_UID, STUDY_UID
from tests.live import free_ports, until
from tests.orthanc.associations import association
from tests.orthanc.cases import Case, a_case
from tests.orthanc.test_transfers import CLASSES
from tests.unit.archive.peers import Peer, a_peer

PENDING, SUCCESS = (0xFF00, 0xFF01), 0x0000
PROJECT = "QRPROJECT"


@dataclass
class Nodes:
    """A case of NORTH and one of SOUTH, and who asks for them; ``peer`` receives."""

    system: object
    north: Case
    south: Case
    peer: Peer


def add(system, aet, center, **values):
    system.application.desk.directory.add_node(NewNode(aet=aet, center_code=center, **values))


@pytest.fixture(scope="module")
def nodes(system, tmp_path_factory):
    system.add_sender("SOUTHQR", "SOUTH")
    north, south = a_case(), a_case()
    system.send(north.write(tmp_path_factory.mktemp("north")))
    system.send(south.write(tmp_path_factory.mktemp("south")), aet="SOUTHQR")
    here = {"host": "127.0.0.1", "port": free_ports(1)[0]}
    with a_peer(classes=CLASSES) as peer:
        add(system, "ASKS", "NORTH", **here, may_query=True)
        add(system, "PARTNER", "SOUTH", **here, may_query=True)
        add(system, "NAMED", "NORTH", host="localhost", port=104, may_query=True)
        add(system, "AFAR", "NORTH", host="127.0.0.9", port=104, may_query=True)
        add(system, "STORES", "NORTH", **here, may_store=True)
        add(system, "RECEIVES", "NORTH", host="127.0.0.1", port=peer.port, may_receive=True)
        add(system, "SOUTHGETS", "SOUTH", host="127.0.0.1", port=peer.port, may_receive=True)
        system.settle()
        until(
            lambda: "PARTNER" in system.orthanc("/modalities").json(), what="Orthanc to know them"
        )
        yield Nodes(system, north, south, peer)


@pytest.fixture(autouse=True)
def forget(nodes):
    """Each test sees what itself brought."""
    nodes.peer.objects.clear()


def query(level, **keys):
    asked = Dataset()
    asked.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(asked, keyword, value)
    return asked


def find(nodes, asked, *, aet="ASKS", model=StudyFind):
    """Matches and the last status; None where the association or an answer was refused."""
    with association(nodes.system, [model], aet=aet) as opened:
        matches, last = [], None
        for status, match in opened.send_c_find(asked, model):
            last = status.get("Status")
            if last in PENDING:
                matches.append(match)
    return matches, last


def move(nodes, asked, *, aet="ASKS", target="RECEIVES"):
    """The last status of a C-MOVE."""
    with association(nodes.system, [StudyMove], aet=aet, seconds=120) as opened:
        return [status.get("Status") for status, _ in opened.send_c_move(asked, target, StudyMove)][
            -1
        ]


def test_find_answers_at_all_four_levels(nodes):
    """With the values that were sent, the counts of what is there, and nothing else."""
    case = nodes.north
    study, series = case.uid(STUDY_UID), case.uid(CT_SERIES_UID)
    asked = query("PATIENT", PatientID=case.patient_id, PatientName="", PatientBirthDate="")
    ((patient,), status) = find(nodes, asked, model=PatientFind)
    assert status == SUCCESS
    assert (patient.PatientName, patient.PatientBirthDate) == ("Kestrelplanted^Test", "19500102")
    assert "PatientSex" not in patient
    asked = query(
        "STUDY",
        PatientID=case.patient_id,
        StudyInstanceUID="",
        ModalitiesInStudy="",
        NumberOfStudyRelatedInstances="",
        ReferringPhysicianName="",
    )
    ((found,), _) = find(nodes, asked)
    assert found.StudyInstanceUID == study
    assert sorted(found.ModalitiesInStudy) == ["CT", "RTDOSE", "RTPLAN", "RTSTRUCT"]
    assert found.NumberOfStudyRelatedInstances == len(case.objects)
    assert found.ReferringPhysicianName == ""
    assert found.RetrieveAETitle == "RTPACS"
    asked = query("SERIES", StudyInstanceUID=study, Modality="", SeriesInstanceUID="")
    matches, _ = find(nodes, asked)
    assert {one.Modality for one in matches} == {"CT", "RTDOSE", "RTPLAN", "RTSTRUCT"}
    asked = query("IMAGE", StudyInstanceUID=study, SeriesInstanceUID=series, SOPInstanceUID="")
    matches, _ = find(nodes, asked)
    images = [one.SOPInstanceUID for one in case.objects if one.Modality == "CT"]
    assert sorted(one.SOPInstanceUID for one in matches) == sorted(images)


def test_a_node_finds_its_own_centers_data_only(nodes):
    """However wide it asks."""
    everything = query("STUDY", StudyInstanceUID="", PatientID="*")
    north, _ = find(nodes, everything)
    south, _ = find(nodes, everything, aet="PARTNER")
    # What other tests sent may belong to both.
    for mine, theirs, found in (
        (nodes.north, nodes.south, north),
        (nodes.south, nodes.north, south),
    ):
        studies = {one.StudyInstanceUID for one in found}
        assert mine.uid(STUDY_UID) in studies
        assert theirs.uid(STUDY_UID) not in studies


@pytest.mark.parametrize("aet", ["NOBODY", "STORES", "NAMED", "AFAR", "asks"])
def test_who_may_not_query_gets_no_answer(nodes, aet):
    """Unknown, only storing, without an address, from another address, or nearly the same title."""
    everything = query("STUDY", StudyInstanceUID="", PatientID="*")
    matches, status = find(nodes, everything, aet=aet)
    assert matches == []
    assert status != SUCCESS


def test_get_stays_off(nodes):
    """Also for a node that may query: no hook of ours would be asked."""
    case = nodes.north
    asked = query("STUDY", StudyInstanceUID=case.uid(STUDY_UID))
    with association(nodes.system, [StudyGet], aet="ASKS") as opened:
        statuses = [status.get("Status") for status, _ in opened.send_c_get(asked, StudyGet)]
    assert SUCCESS not in statuses


@pytest.mark.parametrize("level", ["STUDY", "SERIES", "IMAGE"])
def test_move_delivers_before_it_answers(nodes, level):
    """Everything of the level is there when the answer comes, and nothing else."""
    case = nodes.north
    image = case.only("CT")
    keys = {"StudyInstanceUID": case.uid(STUDY_UID)}
    if level != "STUDY":
        keys["SeriesInstanceUID"] = case.uid(CT_SERIES_UID)
    if level == "IMAGE":
        keys["SOPInstanceUID"] = image.SOPInstanceUID
    expected = {
        "STUDY": case.sop_uids,
        "SERIES": [one.SOPInstanceUID for one in case.objects if one.Modality == "CT"],
        "IMAGE": [image.SOPInstanceUID],
    }[level]
    assert move(nodes, query(level, **keys)) == SUCCESS
    assert sorted(nodes.peer.taken) == sorted(expected)


@pytest.mark.parametrize(
    ("aet", "target", "whose"),
    [
        ("ASKS", "RECEIVES", "south"),  # not the caller's data
        ("ASKS", "SOUTHGETS", "north"),  # not the receiver's data
        ("PARTNER", "RECEIVES", "north"),
        ("ASKS", "STORES", "north"),  # may not receive
        ("ASKS", "UNKNOWN", "north"),
        ("NOBODY", "RECEIVES", "north"),  # may not ask
        ("STORES", "RECEIVES", "north"),
    ],
)
def test_nothing_moves_that_caller_or_receiver_may_not_have(nodes, aet, target, whose):
    """The answer is a failure, and the receiver was not even called."""
    case = getattr(nodes, whose)
    status = move(
        nodes, query("STUDY", StudyInstanceUID=case.uid(STUDY_UID)), aet=aet, target=target
    )
    assert status != SUCCESS
    assert nodes.peer.objects == []


def test_a_grant_of_a_project_opens_exactly_its_data(nodes):
    """SOUTH's node finds and fetches NORTH's study while a project grants it."""
    system, case = nodes.system, nodes.north
    asked = query("STUDY", StudyInstanceUID=case.uid(STUDY_UID), PatientID="")
    assert find(nodes, asked, aet="PARTNER")[0] == []
    projects = system.application.system_desk.projects
    projects.make(ProjectFacts(code=PROJECT, title=PROJECT))
    projects.put(PROJECT, projects.find(EntryKind.STUDY, case.uid(STUDY_UID)))
    for aet in ("PARTNER", "SOUTHGETS"):
        projects.grant_node(PROJECT, aet, "NORTH")
    (found,), _ = find(nodes, asked, aet="PARTNER")
    assert found.PatientID == case.patient_id
    assert move(nodes, asked, aet="PARTNER", target="SOUTHGETS") == SUCCESS
    assert sorted(nodes.peer.taken) == sorted(case.sop_uids)
    projects.withdraw_node(PROJECT, "PARTNER", "NORTH")
    assert find(nodes, asked, aet="PARTNER")[0] == []
