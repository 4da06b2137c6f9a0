"""What happens in a demo before it is photographed, so that every page has something to show."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta

import requests
from pydicom.dataset import Dataset

from rtpacs.cli.demo_people import PHYSICIST
from rtpacs.services.desk import NewNode
from tests.builders import CT_CLASS
from tests.live import ADMIN_PASSWORD, LiveSystem, until
from tests.orthanc.associations import store
from tests.orthanc.cases import Case, a_case
from tests.orthanc.test_conflicts import moved
from tests.orthanc.test_removal import erase, post
from tests.orthanc.test_transfers import ended, receiving
from tests.unit.archive.test_querying import an_archive

CENTER = "NORTH"
SENDER_AET = "NORTH_TPS"
ARCHIVE_AET = "NORTH_PACS"
SITES = (("Bladder 64 Gy", "PELVIS"), ("Glottis 70 Gy", "NECK"), ("Breast left", "BREAST"))
FIRST_STUDY = date(2021, 4, 12)


def happen(system: LiveSystem) -> list[str]:
    """Transfers, questions, removals and conflicts; addresses that no link of a list leads to."""
    store(system, a_case(name="Unknown^Sender").objects, aet="NEW_TPS")
    _send_on(system)
    _remove(system)
    return [_sent_again(system), _asked_elsewhere(system)]


def password_of(system: LiveSystem, account: str) -> str:
    """The first password of one of the demo's people, or the administrator's."""
    kept = system.home / "keys" / f"password-of-{account}"
    return kept.read_text(encoding="utf-8").strip() if kept.exists() else ADMIN_PASSWORD


def browser_of(system: LiveSystem, account: str) -> requests.Session:
    """A signed-in browser of one of the demo's people."""
    session = requests.Session()
    session.headers["Origin"] = system.url
    form = {"name": account, "password": password_of(system, account)}
    session.post(f"{system.url}/sign-in", data=form, timeout=30).raise_for_status()
    return session


def _send_on(system: LiveSystem) -> None:
    """A plan set goes to a node of the center."""
    (plan,) = (row["id"] for row in system.items("plan-sets", user=f"physicist@{CENTER}"))
    with receiving(system) as (_, node):
        form = {"item": f"plan:{plan}", "node": node, "reason": "Second opinion"}
        answer = system.browser().post(f"{system.url}/send/start", data=form, timeout=30)
        ended(system, answer.url)


def _remove(system: LiveSystem) -> None:
    """One patient is erased, another one withdrawn."""
    erased, withdrawn = a_case(name="Erased^Anna"), a_case(name="Withdrawn^Jane")
    for case in (erased, withdrawn):
        store(system, case.objects, aet=SENDER_AET)
    system.settle()
    erase(system, erased)
    asked = {"center": CENTER, "number": withdrawn.patient_id, "confirm": withdrawn.patient_id}
    answer = post(system, "removals/withdraw", **asked, reason="Sent by mistake")
    answer.raise_for_status()


def _sent_again(system: LiveSystem) -> str:
    """A structure set comes twice with different contours: the page that compares them."""
    case = a_case(name="Twice^Sent")
    store(system, case.objects, aet=SENDER_AET)
    system.settle()
    structure_set = case.only("RTSTRUCT")
    store(system, [moved(structure_set)], aet=SENDER_AET)
    system.settle()
    found = "SELECT public_id FROM dicom_object WHERE sop_uid = ?"
    ((object_id,),) = system.rows(found, structure_set.SOPInstanceUID)
    return f"{system.url}/objects/{object_id}/versions"


def _asked_elsewhere(system: LiveSystem) -> str:
    """A PACS is asked for several patients, and one study is fetched: the page of the answer."""
    case = a_case(name="Archived^Carla")
    slices = [item for item in case.objects if item.SOPClassUID == CT_CLASS]
    browser = browser_of(system, PHYSICIST)
    with _pacs(system, case, slices) as node:
        form = {"node": node, "name": "*"}
        answer = browser.post(f"{system.url}/remote/ask", data=form, timeout=30)
        found = (
            "SELECT remote_study.id, remote_study.state FROM remote_study JOIN remote_query ON"
            " remote_query.id = remote_query_id WHERE public_id = ? ORDER BY remote_study.id"
        )
        key = answer.url.rsplit("/", 1)[1]
        studies = until(lambda: system.rows(found, key), what="the answer")
        browser.post(f"{answer.url}/fetch", data={"study": studies[0][0]}, timeout=30)
        until(lambda: "fetched" in dict(system.rows(found, key)).values(), what="the study")
    system.settle()
    return answer.url


@contextmanager
def _pacs(system: LiveSystem, case: Case, slices: Sequence[Dataset]) -> Iterator[str]:
    """A node that has studies of several patients and sends those slices; its id."""
    studies = [_study(slices[0], StudyDescription="Lung right 60 Gy", modalities=("CT",), count=5)]
    for number, (description, part) in enumerate(SITES, start=1):
        other = _study(
            slices[0], StudyDescription=description, modalities=("CT", "RTPLAN"), count=90 * number
        )
        other.PatientID, other.PatientName = f"ARCHIVE-{number:04}", f"Archived^{part.title()}"
        other.StudyInstanceUID = f"{case.root}.99.{number}"
        other.StudyDate = (FIRST_STUDY + timedelta(days=97 * number)).strftime("%Y%m%d")
        studies.append(other)
    with an_archive(studies, moves_to=system.dicom_port, sends=slices, title=ARCHIVE_AET) as (
        _,
        port,
    ):
        directory = system.application.desk.directory
        directory.add_node(
            NewNode(
                aet=ARCHIVE_AET,
                center_code=CENTER,
                host="127.0.0.1",
                port=port,
                networks=("127.0.0.1",),
                may_store=True,
            )
        )
        yield next(node.id for node in directory.nodes() if node.aet == ARCHIVE_AET)


def _study(image: Dataset, *, modalities: Sequence[str], count: int, **texts: str) -> Dataset:
    """What a node answers about the study of an image."""
    answer = Dataset()
    for keyword in (
        "PatientID",
        "PatientName",
        "PatientBirthDate",
        "StudyInstanceUID",
        "StudyDate",
    ):
        setattr(answer, keyword, image.get(keyword, ""))
    answer.ModalitiesInStudy = list(modalities)
    answer.NumberOfStudyRelatedInstances = count
    for keyword, text in texts.items():
        setattr(answer, keyword, text)
    return answer
