"""Fetching from another node through the running system, as a person does."""

import secrets

from pydicom.dataset import Dataset

from rtpacs.services.desk import NewNode
from tests.builders import CT_CLASS
from tests.live import until
from tests.orthanc.cases import a_case
from tests.unit.archive.test_querying import an_archive


def test_a_study_of_another_node_is_found_fetched_and_indexed(system):
    """By its patient number; five slices come over an association of the node's own."""
    slices = [item for item in a_case().objects if item.SOPClassUID == CT_CLASS]
    found = Dataset()
    for keyword in ("PatientID", "PatientName", "StudyInstanceUID", "StudyDate"):
        setattr(found, keyword, slices[0].get(keyword, ""))
    number, title = slices[0].PatientID, f"A{secrets.token_hex(4).upper()}"
    with an_archive([found], moves_to=system.dicom_port, sends=slices, title=title) as (_, port):
        system.application.desk.directory.add_node(
            NewNode(
                aet=title,
                center_code="NORTH",
                host="127.0.0.1",
                port=port,
                networks=("127.0.0.1",),
                may_store=True,
            )
        )
        browser = system.browser()
        page = browser.get(f"{system.url}/remote", timeout=30).text
        (node,) = [
            node.id for node in system.application.desk.directory.nodes() if node.aet == title
        ]
        assert node in page
        answer = browser.post(
            f"{system.url}/remote/ask", data={"node": node, "numbers": number}, timeout=30
        )
        found_studies = (
            "SELECT remote_study.id, state FROM remote_study JOIN remote_query ON"
            " remote_query.id = remote_query_id WHERE public_id = ?"
        )
        key = answer.url.rsplit("/", 1)[1]
        ((study, _),) = until(lambda: system.rows(found_studies, key), what="the answer")
        browser.post(f"{answer.url}/fetch", data={"study": study}, timeout=30)
        until(lambda: system.rows(found_studies, key) == [(study, "fetched")], what="the study")
    system.settle()
    (row,) = system.items(f"patients?q={number}")
    assert (row["objects"], row["center_code"]) == (5, "NORTH")
