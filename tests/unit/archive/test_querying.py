"""Questions to a query and retrieve SCP on loopback, and studies that it sends to a third node."""

from contextlib import contextmanager

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import (
    CTImageStorage,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelMove,
)

from rtpacs.archive.associations import Address
from rtpacs.archive.querying import DicomNodes
from rtpacs.errors import InvalidInputError, PeerError, PeerUnavailableError
from rtpacs.services.forwarding import Recipient
from rtpacs.services.remote import Criteria, FetchState, MoveCount
from tests.builders import CT_CLASS, a_ct_series, to_bytes
from tests.unit.archive.peers import a_peer


def a_study(number, name="Muster^Anna", uid="1.2.3"):
    answer = Dataset()
    answer.SpecificCharacterSet = "ISO_IR 192"
    answer.PatientID, answer.PatientName, answer.StudyInstanceUID = number, name, uid
    answer.StudyDate, answer.ModalitiesInStudy = "20240131", ["CT", "RTPLAN"]
    answer.NumberOfStudyRelatedInstances = 5
    return answer


@contextmanager
def an_archive(studies=(), *, status=0x0000, moves_to=None, sends=None, title="ARCHIVE"):
    """A node that answers by PatientID and sends five slices, or others; questions and port."""
    asked = []

    def find(event):
        asked.append(event.identifier)
        if status:
            yield status, None
            return
        wanted = event.identifier.PatientID
        yield from ((0xFF00, item) for item in studies if wanted in ("", item.PatientID))

    def move(event):
        if moves_to is None:
            yield None, None
            return
        yield "127.0.0.1", moves_to
        slices = sends or a_ct_series()
        yield len(slices)
        for item in slices:
            item.file_meta = Dataset()
            item.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
            yield 0xFF00, item

    entity = AE(ae_title=title)
    for model in (
        StudyRootQueryRetrieveInformationModelFind,
        StudyRootQueryRetrieveInformationModelMove,
    ):
        entity.add_supported_context(model)
    entity.add_requested_context(CTImageStorage)
    server = entity.start_server(
        ("127.0.0.1", 0),
        block=False,
        evt_handlers=[(evt.EVT_C_FIND, find), (evt.EVT_C_MOVE, move)],
    )
    try:
        yield asked, server.socket.getsockname()[1]
    finally:
        server.shutdown()


NODES = DicomNodes(
    lambda to: Address(host=to.host, port=to.port, called_aet=to.aet, calling_aet="RTPACS")
)


def recipient(port):
    return Recipient(aet="ARCHIVE", host="127.0.0.1", port=port, tls=False)


def find(port, most=100, **criteria):
    return NODES.find(recipient(port), Criteria(**criteria), most=most, tell=lambda done: None)


def test_studies_of_several_numbers_are_found_in_one_call():
    """Each number is one question; what answers twice is listed once."""
    studies = [a_study("1", "Müller^Jörg"), a_study("2", uid="1.2.4"), a_study("3", uid="1.2.5")]
    with an_archive([*studies, a_study("1", "Müller^Jörg")]) as (asked, port):
        found, more = find(port, numbers=("1", "3"), date_from="2024-01-01", modality="CT")
    assert [(study.patient_id, study.study_uid) for study in found] == [
        ("1", "1.2.3"),
        ("3", "1.2.5"),
    ]
    assert not more
    first = found[0]
    assert (first.patient_name, first.study_date, first.modalities, first.objects) == (
        "Müller^Jörg", "2024-01-31", "CT, RTPLAN", 5,
    )  # fmt: skip
    assert [question.PatientID for question in asked] == ["1", "3"]
    assert (asked[0].StudyDate, asked[0].ModalitiesInStudy) == ("20240101-", "CT")


def test_more_answers_than_are_taken_are_said():
    with an_archive([a_study(str(n), uid=f"1.2.{n}") for n in range(30)]) as (_, port):
        found, more = find(port, most=10, name="M")
    assert (len(found), more) == (10, True)


def test_a_question_for_everything_is_not_asked():
    """A whole archive is no answer."""
    with pytest.raises(InvalidInputError, match="numbers, a name or dates"):
        Criteria(modality="CT")


def test_a_refused_question_and_a_node_without_queries_are_said_in_words():
    with an_archive(status=0xA900) as (_, port), pytest.raises(PeerError, match="not understand"):
        find(port, name="X")
    with a_peer() as peer, pytest.raises(PeerError, match="ARCHIVE offers no C-FIND"):
        find(peer.port, name="X")
    with pytest.raises(PeerUnavailableError, match="ARCHIVE: no connection"):
        find(1, name="X")


def fetch(port):
    line, count = NODES.open(recipient(port)), MoveCount()
    try:
        return (*line.move("1.2.3", count), count)
    finally:
        line.close()


def test_a_study_is_sent_to_us_and_counted():
    """Five slices by C-STORE of the node itself, each counted as it says."""
    with a_peer(classes=[CT_CLASS]) as ours, an_archive(moves_to=ours.port) as (_, port):
        state, text, count = fetch(port)
    assert (state, text, count.done, count.failed, count.total) == (FetchState.FETCHED, "", 5, 0, 5)
    assert len(ours.taken) == len(a_ct_series()) == 5
    assert to_bytes(a_ct_series()[0]).endswith(ours.objects[0][1][-100:])


def test_what_we_refuse_is_a_study_fetched_in_part():
    """0xA700 for two of five on our side: the node counts them as failed."""
    with (
        a_peer(lambda number: 0xA700 if number > 3 else 0, classes=[CT_CLASS]) as ours,
        an_archive(moves_to=ours.port) as (_, port),
    ):
        state, text, count = fetch(port)
    assert (state, count.done, count.failed) == (FetchState.PARTLY, 3, 2)
    assert text == "2 of 5 objects could not be sent"


def test_a_node_that_does_not_know_us_says_what_to_do():
    """0xA801, move destination unknown: by far the most common reason."""
    with an_archive() as (_, port):
        state, text, _ = fetch(port)
    assert state is FetchState.FAILED
    assert text.startswith("it does not know us under the AE title RTPACS: add us there")
