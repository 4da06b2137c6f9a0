"""DICOMweb and Orthanc's REST through the door, with the clients that people use, unchanged."""

import time
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from statistics import median

import pytest
import requests
from dicomweb_client.api import DICOMwebClient
from dicomweb_client.session_utils import create_session
from pydicom import dcmread
from pyorthanc import Orthanc

from tests.builders import CT_SERIES_UID, STUDY_UID, to_bytes
from tests.live import LiveSystem, until
from tests.orthanc.asking import orthanc_id
from tests.orthanc.cases import Case, a_case
from tests.orthanc.test_conflicts import moved

NORTH, SOUTH = "physicist@NORTH", "physicist@SOUTH"
SAME_NUMBER = "TWO-PEOPLE"
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}
TIMED = 40
ABOVE = {"series": "series", "studies": "study", "patients": "patient"}


@dataclass(eq=False)
class World:
    """Two centers with a case each, and one patient number that both use for different people."""

    system: LiveSystem
    north: Case
    south: Case
    north_double: Case
    south_double: Case

    open: ExitStack

    def dicomweb(self, user: str) -> DICOMwebClient:
        """dicomweb-client as an account."""
        session = self.open.enter_context(create_session())
        session.headers["Authorization"] = f"Bearer {self.system.token(user)}"
        return DICOMwebClient(f"{self.system.url}/dicom-web", session=session)

    def pyorthanc(self, user: str) -> Orthanc:
        """Pyorthanc as an account."""
        bearer = {"Authorization": f"Bearer {self.system.token(user)}"}
        client = Orthanc(f"{self.system.url}/orthanc", headers=bearer)
        return self.open.enter_context(client)

    def ask(
        self, path: str, user: str = NORTH, method: str = "GET", **changes
    ) -> requests.Response:
        """One request as an account."""
        headers = {"Authorization": f"Bearer {self.system.token(user)}"}
        headers |= changes.pop("headers", {})
        url = f"{self.system.url}{path}"
        return requests.request(method, url, headers=headers, timeout=60, **changes)


@pytest.fixture(scope="module")
def world(system, tmp_path_factory) -> Iterator[World]:
    system.add_sender("SOUTHTPS", "SOUTH")
    cases = {
        "north": a_case(),
        "south": a_case(),
        "north_double": a_case(patient_id=SAME_NUMBER),
        "south_double": a_case(patient_id=SAME_NUMBER, name="Otherperson^Test"),
    }
    for name, case in cases.items():
        aet = "TPS" if name.startswith("north") else "SOUTHTPS"
        system.send(case.write(tmp_path_factory.mktemp(name)), aet=aet)
    system.settle()
    with ExitStack() as stack:
        yield World(system=system, open=stack, **cases)


def uids(case: Case) -> tuple[str, str, str]:
    return case.uid(STUDY_UID), case.uid(CT_SERIES_UID), str(case.only("CT").SOPInstanceUID)


def value(found: dict, tag: str):
    return found[tag]["Value"][0]


def test_dicomweb_client_finds_what_the_center_owns_and_no_more(world):
    """Studies, series and instances with the counts that were sent."""
    client = world.dicomweb(NORTH)
    study, series, _ = uids(world.north)
    (found,) = client.search_for_studies(search_filters={"StudyInstanceUID": study})
    assert value(found, "00201206") == len({one.SeriesInstanceUID for one in world.north.objects})
    assert value(found, "00201208") == len(world.north.objects)
    assert sorted(found["00080061"]["Value"]) == ["CT", "RTDOSE", "RTPLAN", "RTSTRUCT"]
    assert value(found, "00100020") == world.north.patient_id
    assert {value(one, "00080060") for one in client.search_for_series(study)} == {
        "CT",
        "RTSTRUCT",
        "RTPLAN",
        "RTDOSE",
    }
    images = [one for one in world.north.objects if one.Modality == "CT"]
    assert len(client.search_for_instances(study, series)) == len(images)
    south = world.dicomweb(SOUTH)
    assert south.search_for_studies(search_filters={"StudyInstanceUID": study}) == []
    assert south.search_for_series(study) == south.search_for_instances(study) == []


@pytest.mark.parametrize(
    ("filters", "fits"),
    [
        ({"PatientID": "{id}"}, True),
        ({"PatientID": "{id}*"}, True),
        ({"00100020": "{id}"}, True),
        ({"PatientName": "kestrel*"}, True),
        ({"PatientName": "kestrel"}, False),
        ({"PatientName": "kestrel", "fuzzymatching": "true"}, True),
        ({"StudyDate": "20260301"}, True),
        ({"StudyDate": "20260101-20260401"}, True),
        ({"StudyDate": "-20260228"}, False),
        ({"StudyDate": "20260302-"}, False),
        ({"ModalitiesInStudy": "RTPLAN"}, True),
        ({"ModalitiesInStudy": "MR"}, False),
        ({"AccessionNumber": "A?"}, True),
        ({"AccessionNumber": "%"}, False),
        ({"StudyInstanceUID": "{study},9.9.9"}, True),
    ],
)
def test_filters_fit_as_the_standard_says(world, filters, fits):
    """PS3.4 C.2.2.2: single values, wildcards, ranges, lists; names without letter case."""
    study = uids(world.north)[0]
    asked = {
        key: text.format(id=world.north.patient_id, study=study) for key, text in filters.items()
    }
    answer = world.ask("/dicom-web/studies", params={**asked, "limit": "1000"})
    assert answer.status_code == 200
    assert (study in {value(one, "0020000D") for one in answer.json()}) == fits


def test_searches_are_paged_in_a_stable_order(world):
    """All pages together are the whole list, and the last one has no warning."""
    path = f"/dicom-web/studies/{uids(world.north)[0]}/instances"
    whole = [value(one, "00080018") for one in world.ask(path).json()]
    pages = [world.ask(path, params={"limit": 2, "offset": n}) for n in range(0, len(whole), 2)]
    assert [value(one, "00080018") for page in pages for one in page.json()] == whole
    assert ["Warning" in page.headers for page in pages] == [True] * (len(pages) - 1) + [False]


@pytest.mark.parametrize(
    "query",
    [
        "StudyInstanceUID=1.2&StudyInstanceUID=1.3",
        "StudyInstanceUID=1.2&0020000D=1.3",
        "0020000D=1.2&0020000d=1.3",
        "limit=1&limit=2",
        "NoSuchKey=1",
        "_method=DELETE",
        "StudyDate=yesterday",
        "StudyInstanceUID=*abc",
    ],
)
def test_unclear_searches_are_refused(world, query):
    """A key twice, in two spellings, of another name, or with a value that makes no sense."""
    assert world.ask(f"/dicom-web/studies?{query}").status_code == 422


def test_dicomweb_client_retrieves_study_series_instance_metadata_and_frames(world):
    """What comes is what was sent."""
    client = world.dicomweb(NORTH)
    study, series, instance = uids(world.north)
    came = {one.SOPInstanceUID for one in client.retrieve_study(study)}
    assert came == set(world.north.sop_uids)
    image = world.north.only("CT")
    assert client.retrieve_instance(study, series, instance).PixelData == image.PixelData
    (frame,) = client.retrieve_instance_frames(study, series, instance, [1])
    assert bytes(frame)[: len(image.PixelData)] == image.PixelData
    metadata = client.retrieve_series_metadata(study, series)
    assert {value(one, "0020000E") for one in metadata} == {series}
    assert len(client.retrieve_study_metadata(study)) == len(world.north.objects)
    rendered = world.ask(
        f"/dicom-web/studies/{study}/series/{series}/instances/{instance}/rendered"
    )
    assert rendered.content[:3] == b"\xff\xd8\xff"


@pytest.mark.parametrize("content_type", ["application/dicom", "image/jpeg"])
def test_wado_uri_gives_an_object_or_its_picture(world, content_type):
    """By the object's UID, as the standard's parameters name it."""
    study, series, instance = uids(world.north)
    names = {"requestType": "WADO", "studyUID": study, "seriesUID": series, "objectUID": instance}
    answer = world.ask("/wado", params={**names, "contentType": content_type})
    assert answer.status_code == 200
    if content_type == "application/dicom":
        assert dcmread(BytesIO(answer.content)).SOPInstanceUID == instance


def test_pyorthanc_reads_lists_resources_files_and_archives(world):
    """The whole subset, as pyorthanc asks for it."""
    client = world.pyorthanc(NORTH)
    image = world.north.only("CT")
    identifier = orthanc_id(image)
    instance = client.get_instances_id(identifier)
    assert instance["MainDicomTags"]["SOPInstanceUID"] == image.SOPInstanceUID
    series = client.get_series_id(instance["ParentSeries"])
    assert identifier in series["Instances"]
    study = client.get_studies_id(series["ParentStudy"])
    assert study["PatientMainDicomTags"]["PatientID"] == world.north.patient_id
    assert client.get_series_id_study(series["ID"])["ID"] == study["ID"]
    assert {one["ID"] for one in client.get_studies_id_series(study["ID"])} == set(study["Series"])
    assert study["ID"] in client.get_studies()
    assert identifier in client.get_instances(params={"limit": 1000})
    assert dcmread(BytesIO(client.get_instances_id_file(identifier))).PixelData == image.PixelData
    tags = client.get_instances_id_simplified_tags(identifier)
    assert tags["PatientID"] == world.north.patient_id
    with zipfile.ZipFile(BytesIO(client.get_studies_id_archive(study["ID"]))) as archive:
        assert len(archive.namelist()) == len(world.north.objects)
    query = {"PatientID": world.north.patient_id}
    found = client.post_tools_find({"Level": "Study", "Query": query, "Expand": True})
    assert [one["ID"] for one in found] == [study["ID"]]
    assert world.pyorthanc(SOUTH).post_tools_find({"Level": "Study", "Query": query}) == []


def test_orthancs_own_answers_agree_with_ours(world):
    """A resource from the index says what Orthanc itself says of it."""
    identifier = orthanc_id(world.north.only("CT"))
    for path in (f"/instances/{identifier}", f"/instances/{identifier}/series"):
        ours = world.ask(f"/orthanc{path}").json()
        theirs = world.system.orthanc(path).json()
        assert ours["ID"] == theirs["ID"]
        for name, text in ours["MainDicomTags"].items():
            assert theirs["MainDicomTags"][name] == text
        for name in ("ParentSeries", "ParentStudy", "Instances"):
            assert sorted(ours.get(name, [])) == sorted(theirs.get(name, []))


def test_two_people_with_one_number_stay_apart(world):
    """Orthanc makes one patient of them: nothing of its patient level is given to either center."""
    north, south = (
        orthanc_id(world.north_double.only("CT")),
        orthanc_id(world.south_double.only("CT")),
    )
    merged = world.system.orthanc(f"/instances/{north}/patient").json()
    assert len(merged["Studies"]) == 2
    for user, own, other in ((NORTH, north, south), (SOUTH, south, north)):
        answer = world.ask(f"/orthanc/instances/{own}/patient", user)
        assert answer.status_code == 200
        assert len(answer.json()["Studies"]) == 1
        name = answer.json()["MainDicomTags"]["PatientName"]
        assert ("Otherperson" in name) == (user == SOUTH)
        assert world.ask(f"/orthanc/patients/{merged['ID']}/archive", user).status_code == 404
        study = world.ask(f"/orthanc/instances/{own}/study", user).json()["ID"]
        assert world.ask(f"/orthanc/studies/{study}/archive", user).status_code == 200
        assert world.ask(f"/orthanc/instances/{other}/file", user).status_code == 404


def test_a_study_with_a_foreign_series_is_given_by_its_own_series_only(world, tmp_path):
    """Both centers sent into one study of one patient number: neither gets the whole."""
    mine = a_case()
    theirs = [one for one in mine.objects if one.Modality == "RTDOSE"]
    ours = [one for one in mine.objects if one.Modality != "RTDOSE"]
    for name, objects, aet in (("ours", ours, "TPS"), ("theirs", theirs, "SOUTHTPS")):
        paths = []
        for number, one in enumerate(objects):
            path = tmp_path / f"{name}{number}.dcm"
            path.write_bytes(to_bytes(one))
            paths.append(path)
        world.system.send(paths, aet=aet)
    world.system.settle()
    study, series, _ = uids(mine)
    assert world.ask(f"/dicom-web/studies/{study}").status_code == 404
    assert world.ask(f"/dicom-web/studies/{study}/metadata").status_code == 404
    assert world.ask(f"/dicom-web/studies/{study}/series/{series}").status_code == 200
    (found,) = world.ask("/dicom-web/studies", params={"StudyInstanceUID": study}).json()
    assert value(found, "00201208") == len(ours)
    dose = orthanc_id(theirs[0])
    parent = world.ask(f"/orthanc/instances/{orthanc_id(ours[0])}/study").json()
    assert len(parent["Series"]) == 3
    assert world.ask(f"/orthanc/instances/{dose}/file").status_code == 404
    assert world.ask(f"/orthanc/instances/{dose}/file", SOUTH).status_code == 200


def test_each_center_gets_its_own_version_of_an_object(world, tmp_path):
    """SOUTH sends NORTH's objects with another name in them: neither ever sees the other's."""
    shared = a_case()
    world.system.send(shared.write(tmp_path / "first"))
    world.system.settle()
    for one in shared.objects:
        one.PatientName = "Variant^South"
    world.system.send(shared.write(tmp_path / "second"), aet="SOUTHTPS")
    world.system.settle()
    study, series, instance = uids(shared)
    identifier = orthanc_id(shared.only("CT"))
    path = f"/dicom-web/studies/{study}/series/{series}/instances/{instance}"
    for user, name in ((NORTH, "Kestrelplanted^Test"), (SOUTH, "Variant^South")):
        file = world.ask(f"/orthanc/instances/{identifier}/file", user)
        assert dcmread(BytesIO(file.content)).PatientName == name
        by_dicomweb = world.dicomweb(user).retrieve_instance(study, series, instance)
        assert by_dicomweb.PatientName == name
        (found,) = world.dicomweb(user).search_for_studies(
            search_filters={"StudyInstanceUID": study}
        )
        assert value(found, "00100010")["Alphabetic"] == name
    assert world.ask(f"{path}/metadata").status_code == 200
    for refused in (f"{path}/metadata", f"{path}/rendered", f"/dicom-web/studies/{study}"):
        answer = world.ask(refused, SOUTH)
        assert answer.status_code == 409
        assert "version of its own" in answer.json()["detail"]
    tags = world.ask(f"/orthanc/instances/{identifier}/tags", SOUTH)
    assert tags.status_code == 409


def as_read(objects):
    return [dcmread(BytesIO(to_bytes(one))) for one in objects]


def test_stow_stores_for_the_uploaders_center(world):
    """dicomweb-client stores; who uploaded owns it, and nobody else sees it."""
    case = a_case()
    answer = world.dicomweb(SOUTH).store_instances(as_read(case.objects))
    assert len(answer.ReferencedSOPSequence) == len(case.objects)
    again = world.dicomweb(SOUTH).store_instances(as_read(case.objects[:1]))
    assert len(again.ReferencedSOPSequence) == 1
    world.system.settle()
    study = uids(case)[0]
    (found,) = world.dicomweb(SOUTH).search_for_studies(search_filters={"StudyInstanceUID": study})
    assert value(found, "00201208") == len(case.objects)
    assert world.ask(f"/dicom-web/studies/{study}").status_code == 404
    who = world.system.rows(
        "SELECT DISTINCT sender.aet, sender.address FROM dicom_object "
        "JOIN sender ON sender.id = dicom_object.sender_id WHERE orthanc_id = ?",
        orthanc_id(case.objects[0]),
    )
    assert who == [("SOUTH", f"import:{SOUTH.casefold()}")]


def test_stow_says_which_part_it_does_not_take(world):
    """202 with the failed ones apart; 409 when nothing is taken."""
    case = a_case()
    good, junk = to_bytes(case.objects[0]), b"no DICOM at all"
    study = uids(case)[0]
    mixed = stow(world, "/dicom-web/studies", good, junk)
    assert mixed.status_code == 202
    assert len(mixed.json()["00081198"]["Value"]) == len(mixed.json()["00081199"]["Value"]) == 1
    assert stow(world, "/dicom-web/studies", junk).status_code == 409
    assert stow(world, "/dicom-web/studies/1.2.3", good).status_code == 409
    assert stow(world, f"/dicom-web/studies/{study}", good).status_code == 200


def stow(world, path, *objects, user=NORTH):
    body = b"".join(
        b"--edge\r\nContent-Type: application/dicom\r\n\r\n" + one + b"\r\n" for one in objects
    )
    kind = 'multipart/related; type="application/dicom"; boundary=edge'
    headers = {"Content-Type": kind}
    data = body + b"--edge--\r\n"
    return world.ask(path, user, method="POST", data=data, headers=headers)


def test_post_instances_takes_files_and_zips(world):
    """One object, and a ZIP that we open; other files in it are left out."""
    case = a_case()
    client = world.pyorthanc(NORTH)
    assert client.post_instances(to_bytes(case.objects[0]))["Status"] == "Success"
    world.system.settle()
    assert client.post_instances(to_bytes(case.objects[0]))["Status"] == "AlreadyStored"
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, one in enumerate(case.objects):
            archive.writestr(f"{number}.dcm", to_bytes(one))
        archive.writestr("readme.txt", "no DICOM")
    answer = world.ask("/orthanc/instances", method="POST", data=packed.getvalue())
    assert {one["ID"] for one in answer.json()} == {orthanc_id(one) for one in case.objects}


def test_what_arrived_and_what_was_read_of_it_name_the_patient_in_the_access_log(world):
    """A row for each batch and patient, not for each slice; reads at all four levels."""
    plan = orthanc_id(world.north.only("RTPLAN"))
    paths = [f"/orthanc/instances/{plan}"]
    paths += [f"/orthanc/{level}/{parent_of(world, plan, word)}" for level, word in ABOVE.items()]
    for path in paths:
        assert world.ask(path).status_code == 200
    # Equal rows of one moment are one that counts them.
    reads = (
        "SELECT patient, SUM(count) FROM access_event WHERE who = ? AND outcome = 'success' "
        "AND what = 'GET /orthanc/<level>/<identifier>' GROUP BY patient"
    )

    def seen():
        found = world.system.rows(reads, NORTH.casefold())
        return sum(row[1] for row in found) >= len(paths) and found

    ((patient, count),) = until(seen, 20, "the rows of the reads")
    # Tests before this one may have read of the same patient.
    assert patient != ""
    assert count >= len(paths)
    arrived = world.system.rows(
        "SELECT SUM(count), COUNT(*) FROM access_event WHERE patient = ? AND who = 'Node TPS' "
        "AND type = 'DICOM Instances Transferred'",
        patient,
    )
    ((objects, rows),) = arrived
    assert objects == len(world.north.objects)
    assert 1 <= rows < objects


def parent_of(world, plan, word):
    return world.ask(f"/orthanc/instances/{plan}/{word}").json()["ID"]


def told(world, data, user):
    """What each of the three ways to upload answers."""
    page = world.ask("/upload/file?name=a", user, "POST", data=data, headers=SAME_ORIGIN)
    core = world.ask("/orthanc/instances", user, "POST", data=data)
    web = stow(world, "/dicom-web/studies", data, user=user)
    assert (page.status_code, core.status_code, web.status_code) == (200, 200, 200)
    (row,) = page.json()
    assert list(web.json()) == ["00081199"]
    return row["outcome"], row["reason"], core.json()["Status"]


def test_an_upload_tells_only_what_the_own_center_has(world):
    """What another center has is new, also with other content; inside both are recorded."""
    case = a_case()
    first = to_bytes(case.only("RTSTRUCT"))
    second, third = (to_bytes(moved(case.only("RTSTRUCT"), by_mm=by)) for by in (3.0, 6.0))
    new, known = ("new", "", "Success"), ("known", "", "AlreadyStored")
    assert told(world, first, NORTH) == new
    world.system.settle()
    assert told(world, second, SOUTH) == new
    world.system.settle()
    assert told(world, second, SOUTH) == known
    assert told(world, first, NORTH) == known
    outcome, reason, word = told(world, third, SOUTH)
    assert (outcome, word) == ("conflict", "AlreadyStored")
    assert "both are kept" in reason
    world.system.settle()
    query = (
        "SELECT center.code, COUNT(version.id) FROM dicom_object "
        "JOIN center ON center.id = dicom_object.center_id "
        "JOIN version ON version.dicom_object_id = dicom_object.id "
        "WHERE dicom_object.orthanc_id = ? GROUP BY center.code ORDER BY center.code"
    )
    held = world.system.rows(query, orthanc_id(case.only("RTSTRUCT")))
    assert held == [("NORTH", 1), ("SOUTH", 2)]


def test_an_upload_takes_as_long_whether_another_center_has_the_object_or_not(world):
    """In turns, the same sizes: medians of what is foreign and of what is nowhere.

    Without the even work they lie 12 ms apart, and one of each pair is nearly always the
    slower; on a busy machine the medians scatter, and so does which one is slower.
    """
    cases = [a_case() for _ in range(2 * TIMED)]
    images = [to_bytes(case.only("CT")) for case in cases]
    for data in images[:TIMED]:
        assert world.ask("/orthanc/instances", NORTH, "POST", data=data).status_code == 200
    world.system.settle()
    times: dict[str, list[float]] = {"foreign": [], "nowhere": []}
    for pair in zip(images[:TIMED], images[TIMED:], strict=True):
        for name, data in zip(times, pair, strict=True):
            began = time.perf_counter()
            answer = world.ask("/orthanc/instances", SOUTH, "POST", data=data)
            times[name].append(time.perf_counter() - began)
            assert answer.json()["Status"] == "Success"
    foreign, nowhere = (1000 * median(values) for values in times.values())
    slower = sum(one > other for one, other in zip(*times.values(), strict=True))
    alike = abs(foreign - nowhere) < 6 or TIMED / 4 < slower < 3 * TIMED / 4
    assert alike, (foreign, nowhere, slower)


def test_hostile_uploads_end_with_us(world):
    """A ZIP bomb, a path out of its folder and junk: refused, and Orthanc's memory stays."""
    bomb = BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.dcm", bytes(300_000_000))
    escaping = BytesIO()
    with zipfile.ZipFile(escaping, "w") as archive:
        archive.writestr("../../out.dcm", to_bytes(a_case().objects[0]))
    (orthanc,) = world.system.children("orthanc")
    before = memory_mb(orthanc)
    for body in (bomb.getvalue(), escaping.getvalue(), b"junk", b""):
        answer = world.ask("/orthanc/instances", method="POST", data=body)
        assert 400 <= answer.status_code < 500
    assert memory_mb(orthanc) - before < 50


def memory_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


@pytest.mark.parametrize("path", ["/orthanc/instances", "/dicom-web/studies"])
def test_who_has_no_center_uploads_nothing(world, path):
    """An administrator is told why; nobody at all has to sign in."""
    refused = world.ask(path, "admin", method="POST", data=b"x" * 1000)
    assert refused.status_code == 403
    assert "submitters" in refused.text
    anonymous = requests.post(f"{world.system.url}{path}", data=b"x" * 1000, timeout=30)
    assert anonymous.status_code == 401
