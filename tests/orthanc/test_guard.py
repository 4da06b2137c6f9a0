"""A stranger gets nothing from Orthanc, by HTTP or DICOM, whatever is asked and however written.

A stranger is nobody, an administrator without patients, or a physicist of another center.
"""

import base64
import copy
import http.client
import json
import os
import re
import subprocess
import uuid

import pytest

from rtpacs.serve.preflight import find_program
from tests.builders import CT_SERIES_UID, STUDY_UID, to_bytes
from tests.live import dcmtk, unique_uid, until
from tests.orthanc.asking import orthanc_id
from tests.orthanc.cases import FAMILY_NAME, a_case

FORBIDDEN, UNAUTHORIZED = 403, 401
STRANGER = "physicist@ELSEWHERE"
LEVELS = ("patients", "studies", "series", "instances")
# Route families of Orthanc and its DICOMweb plugin; {instance} and the like are real ids.
GET_ROUTES = (
    *(f"/{level}" for level in LEVELS),
    *(f"/{level}?expand" for level in LEVELS),
    *(f"/{level}?since=0&limit=10" for level in LEVELS),
    *(f"/instances/{{instance}}{part}" for part in ("", "/file", "/tags", "/simplified-tags")),
    *(f"/instances/{{instance}}{part}" for part in ("/header", "/content", "/preview", "/pdf")),
    *(f"/instances/{{instance}}{part}" for part in ("/frames/0/raw", "/numpy", "/image-uint8")),
    *(f"/instances/{{instance}}/{part}" for part in ("patient", "study", "series", "statistics")),
    *(f"/instances/{{instance}}/metadata{part}" for part in ("", "?expand", "/RemoteAET")),
    *(f"/instances/{{instance}}/attachments{part}" for part in ("", "/dicom/data", "/dicom/md5")),
    *(f"/studies/{{study}}{part}" for part in ("", "/archive", "/media", "/shared-tags")),
    *(f"/studies/{{study}}/{part}" for part in ("instances-tags", "module-patient", "statistics")),
    "/patients/{patient}",
    "/patients/{patient}/protected",
    "/series/{series}/ordered-slices",
    "/changes",
    "/changes?last",
    "/exports",
    "/statistics",
    "/system",
    "/plugins",
    "/plugins/dicom-web",
    "/modalities",
    "/modalities/self",
    "/peers",
    "/queries",
    "/jobs",
    "/jobs?expand",
    "/storage-commitment/x",
    "/tools",
    "/tools/now",
    "/tools/metrics",
    "/tools/metrics-prometheus",
    "/tools/dicom-conformance",
    "/tools/default-encoding",
    "/tools/generate-uid?level=study",
    "/app/explorer.html",
    "/app/images/orthanc-logo.png",
    "/webdav/",
    "/webdav/by-patients/",
    "/rtpacs/plugin",
    "/",
    *(f"/dicom-web/{part}" for part in ("studies", "series", "instances", "servers", "info")),
    "/dicom-web/studies/{study_uid}",
    "/dicom-web/studies/{study_uid}/metadata",
    "/dicom-web/studies/{study_uid}/series/{series_uid}",
    "/dicom-web/studies/{study_uid}/series/{series_uid}/instances",
    "/dicom-web/studies/{study_uid}/series/{series_uid}/instances/{sop_uid}/frames/1",
    "/dicom-web/studies/{study_uid}/series/{series_uid}/instances/{sop_uid}/rendered",
    "/dicom-web/app/client/index.html",
    "/wado?requestType=WADO&studyUID={study_uid}&seriesUID={series_uid}&objectUID={sop_uid}",
    "/wado?requestType=WADO&objectUID={sop_uid}",
    "/nothing-of-this-name",
)
CHANGING_ROUTES = (
    *(("DELETE", f"/{route}") for route in ("instances/{instance}", "studies/{study}")),
    *(("DELETE", f"/{route}") for route in ("patients/{patient}", "changes", "exports")),
    *(("POST", f"/tools/{name}") for name in ("find", "lookup", "create-archive", "create-media")),
    *(
        ("POST", f"/tools/{name}")
        for name in ("reset", "shutdown", "execute-script", "bulk-delete")
    ),
    *(("POST", f"/tools/{name}") for name in ("bulk-modify", "bulk-anonymize", "bulk-content")),
    *(("POST", f"/tools/{name}") for name in ("create-dicom", "reconstruct", "dicom-echo")),
    *(("POST", f"/studies/{{study}}/{name}") for name in ("anonymize", "modify", "merge", "split")),
    *(("POST", f"/studies/{{study}}/{name}") for name in ("archive", "media", "reconstruct")),
    ("POST", "/instances"),
    ("POST", "/instances/{instance}/export"),
    ("POST", "/instances/{instance}/reconstruct"),
    ("PUT", "/instances/{instance}/metadata/4000"),
    ("PUT", "/instances/{instance}/attachments/4000"),
    ("PUT", "/patients/{patient}/protected"),
    ("PUT", "/modalities/elsewhere"),
    ("PUT", "/peers/elsewhere"),
    ("POST", "/modalities/elsewhere/store"),
    ("POST", "/modalities/elsewhere/query"),
    ("POST", "/peers/elsewhere/store"),
    ("PUT", "/tools/log-level"),
    ("PUT", "/tools/default-encoding"),
    ("POST", "/dicom-web/studies"),
    ("POST", "/dicom-web/studies/{study_uid}"),
    ("PUT", "/dicom-web/servers/elsewhere"),
    ("POST", "/dicom-web/servers/elsewhere/stow"),
    ("POST", "/transfers/send"),
)
# Other ways to write the same request.
EVASIONS = (
    ("GET", "/studies/", {}),
    ("GET", "//studies", {}),
    ("GET", "/./studies", {}),
    ("GET", "/x/../studies", {}),
    ("GET", "/studies%2F", {}),
    ("GET", "/%73tudies", {}),
    ("GET", "/studies%00", {}),
    ("GET", "/studies;x", {}),
    ("GET", "/dicom-web/studies/", {}),
    ("GET", "/dicom-web//studies", {}),
    ("GET", "/rtpacs/plugin/../../studies", {}),
    ("GET", "/instances/{instance}/file/", {}),
    ("GET", "/instances/{instance}/file?_method=PUT", {}),
    ("GET", "/instances/{instance}?_method=DELETE", {}),
    ("GET", "/instances/{instance}?_method=DELETE&_method=GET", {}),
    ("POST", "/instances/{instance}", {"X-HTTP-Method-Override": "DELETE"}),
    ("GET", "/instances/{instance}", {"X-HTTP-Method-Override": "DELETE"}),
    ("HEAD", "/instances/{instance}/file", {}),
    ("OPTIONS", "/instances", {}),
    ("PROPFIND", "/instances", {}),
    ("PROPFIND", "/webdav/by-patients/", {"Depth": "1"}),
    ("MKCOL", "/webdav/x", {}),
    ("LOCK", "/instances", {}),
    ("PROPPATCH", "/instances", {}),
    ("PATCH", "/instances", {}),
    ("TRACE", "/instances", {}),
    ("BREW", "/instances", {}),
)


@pytest.fixture(scope="module")
def case(system, listing, tmp_path_factory):
    """A case that is in the archive, to ask for."""
    made = a_case()
    system.send(made.write(tmp_path_factory.mktemp("guard")))
    system.settle()
    return made


@pytest.fixture(scope="module")
def names(system, case):
    """What stands for the placeholders of the routes."""
    image = case.only("CT")
    instance = orthanc_id(image)
    parents = {
        level: system.orthanc(f"/instances/{instance}/{level}").json()["ID"]
        for level in ("patient", "study", "series")
    }
    return {
        **parents,
        "instance": instance,
        "study_uid": case.uid(STUDY_UID),
        "series_uid": case.uid(CT_SERIES_UID),
        "sop_uid": image.SOPInstanceUID,
    }


def ask(port, method, path, headers):
    """Status and body of a request that is sent as written: no client tidies it."""
    return ask_fully(port, method, path, headers)[:2]


def ask_fully(port, method, path, headers):
    """Status, body and headers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.putrequest(method, path, skip_accept_encoding=True)
        body = b"{}" if method in ("POST", "PUT", "PATCH") else b""
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer.status, answer.read().decode("latin-1"), str(answer.getheaders())
    finally:
        connection.close()


def basic(system, account):
    password = (system.home / "keys" / f"{account}-password").read_text().strip()
    return "Basic " + base64.b64encode(f"{account}:{password}".encode()).decode("ascii")


@pytest.fixture(scope="module")
def listing(tmp_path_factory):
    """Orthanc writes down its own routes, which takes it ten seconds."""
    target = tmp_path_factory.mktemp("routes") / "openapi.json"
    binary = find_program("", ("Orthanc",), "orthanc_binary")
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([binary, f"--openapi={target}"], **silent) as process:
        yield process, target


@pytest.fixture(scope="module")
def own_routes(listing):
    """Every (method, path) that this Orthanc itself has, as it lists them."""
    process, target = listing
    process.wait(60)
    paths = json.loads(target.read_text())["paths"]
    return [(method.upper(), path) for path, methods in paths.items() for method in methods]


def filled(path, names):
    """A path of Orthanc's own list with ids of what is really there."""
    level = path.split("/")[1]
    known = {"patients": "patient", "studies": "study", "series": "series"}
    values = {
        "id": names[known.get(level, "instance")],
        "frame": "0",
        "name": "dicom" if "attachments" in path else "RemoteAET",
        "index": "0",
        "key": "archive",
        "label": "seen",
        "path": "0010-0010",
    }
    return re.sub(r"\{(\w+)\}", lambda place: values[place[1]], path)


def requests_of(names):
    """Every request of the three tables, with real ids."""
    for route in GET_ROUTES:
        yield "GET", route.format(**names), {}
    for method, route in CHANGING_ROUTES:
        yield method, route.format(**names), {}
    for method, route, headers in EVASIONS:
        yield method, route.format(**names), headers


def tells(text, names, case):
    """What of a body identifies somebody or something; Orthanc echoes no address of ours."""
    secrets = {*names.values(), case.patient_id, case.root, FAMILY_NAME}
    return sorted(secret for secret in secrets if secret in text)


def test_the_service_account_finds_what_the_guard_must_hide(system, case, names):
    """The routes below are real: the same list and object answer to us.

    A list of DICOMweb ends at LimitFindResults, so it is asked for this patient.
    """
    assert names["instance"] in system.orthanc("/instances").json()
    assert system.orthanc(f"/instances/{names['instance']}/file").status_code == 200
    studies = system.orthanc(f"/dicom-web/studies?PatientID={case.patient_id}")
    assert case.patient_id in studies.text


def test_the_door_account_is_refused_every_route_however_written(system, case, names):
    """403 for every (method, route), in every spelling, and nothing in the body."""
    headers = {"Authorization": basic(system, "door")}
    passed = []
    for method, path, extra in requests_of(names):
        status, body = ask(system.orthanc_port, method, path, {**headers, **extra})
        if not refuses(method, status) or tells(body, names, case):
            passed.append((method, path, status, body[:80]))
    assert passed == []


def refuses(method, status):
    """403 from the guard; what the web server does not know as a method never reaches it."""
    known = {"GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PROPFIND"}
    return status == FORBIDDEN or (method not in known and status in (400, 405, 501))


def test_a_forged_header_beside_the_doors_account_opens_nothing(system, case, names):
    """Not even the service's own password in the header that carries the client's credential."""
    service = basic(system, "service")
    forged = (
        {"X-Rtpacs-Authorization": service},
        {"X-Rtpacs-Authorization": f"Bearer {system.token('admin')}"},
        {"X-Forwarded-For": "127.0.0.1", "X-Rtpacs-Authorization": service},
        {"Proxy-Authorization": service},
        {"Cookie": f"Authorization={service}"},
    )
    for extra in forged:
        headers = {"Authorization": basic(system, "door"), **extra}
        status, body = ask(system.orthanc_port, "GET", "/instances", headers)
        assert (status, tells(body, names, case)) == (FORBIDDEN, [])


@pytest.mark.parametrize("who", ["nobody", "administrator", "stranger", "the service account"])
def test_through_the_door_a_stranger_gets_nothing(system, case, names, own_routes, who):
    """Every pair of method and path that there is, and every evasion: nothing names anything."""
    credentials = {
        "nobody": {},
        "administrator": {"Authorization": f"Bearer {system.token('admin')}"},
        "stranger": {"Authorization": f"Bearer {system.token(STRANGER)}"},
        "the service account": {"Authorization": basic(system, "service")},
    }
    door = int(system.url.rpartition(":")[2])
    assert len(own_routes) > 200
    asked = [("GET", "/dicom-web", {}), ("GET", "/dicom-web/servers", {}), ("GET", "/orthanc", {})]
    if who in ("nobody", "stranger"):
        asked += [(method, f"/orthanc{filled(path, names)}", {}) for method, path in own_routes]
    asked += [(method, f"/orthanc{path}", extra) for method, path, extra in requests_of(names)]
    asked += [
        (method, path, extra)
        for method, path, extra in requests_of(names)
        if path.startswith(("/dicom-web", "/wado"))
    ]
    passed = []
    for method, path, extra in asked:
        passed += _through(door, method, path, {**credentials[who], **extra}, (names, case))
    assert passed == []


def _through(port, method, path, headers, known):
    status, body, answered = ask_fully(port, method, path, headers)
    # A list or search of what a stranger may see is empty; the body that was sent is no search.
    empty = status == 200 and body.strip() in ("[]", *([""] if method == "OPTIONS" else []))
    if (400 <= status < 500 or empty) and not tells(body + answered, *known):
        return []
    return [(method, path, status, body[:80])]


@pytest.mark.parametrize(
    "path",
    [
        "/orthanc/instances/{instance}/file",
        "/orthanc/instances/{instance}",
        "/orthanc/studies/{study}/archive",
        "/dicom-web/studies/{study_uid}/series/{series_uid}/instances/{sop_uid}",
        "/dicom-web/studies/{study_uid}/metadata",
    ],
)
def test_foreign_and_not_there_look_the_same(system, names, path):
    """Same status, headers and body to the last byte; ``make bench guard`` compares the times."""
    port = int(system.url.rpartition(":")[2])
    headers = {"Authorization": f"Bearer {system.token(STRANGER)}"}
    absent = {
        **dict.fromkeys(names, _fresh_id()),
        **{name: unique_uid() for name in names if "uid" in name},
    }
    answers = {
        (*answer[:2], _undated(answer[2]))
        for values in (names, absent)
        for answer in [ask_fully(port, "GET", path.format(**values), headers)]
    }
    assert len(answers) == 1
    assert answers.pop()[0] == 404


def _fresh_id():
    digits = uuid.uuid4().hex + uuid.uuid4().hex
    return "-".join(digits[start : start + 8] for start in range(0, 40, 8))


def _undated(headers):
    return re.sub(r"\('Date', '[^']*'\)", "", headers)


@pytest.mark.parametrize("claim", ["alg none", "wrong key", "ended", "no bearer", "service"])
def test_a_forged_token_opens_nothing_at_orthanc_itself(system, case, names, claim):
    """Beside the door's own account, as if it came through the door."""
    head, body, signature = system.token("physicist@NORTH").split(".")
    none = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=").decode()
    forged = {
        "alg none": f"Bearer {none}.{body}.",
        "wrong key": f"Bearer {head}.{body}.{signature[::-1]}",
        "ended": "Bearer ",
        "no bearer": f"{head}.{body}.{signature}",
        "service": basic(system, "service"),
    }
    headers = {"Authorization": basic(system, "door"), "X-Rtpacs-Authorization": forged[claim]}
    path = f"/instances/{names['instance']}/file"
    status, answer = ask(system.orthanc_port, "GET", path, headers)
    assert (status, tells(answer, names, case)) == (FORBIDDEN, [])


def test_a_withdrawn_account_is_out_within_seconds(system, names):
    """What the guard believes of a token ends after five."""
    headers = {"Authorization": f"Bearer {system.token('leaver@NORTH')}"}
    port = int(system.url.rpartition(":")[2])
    path = f"/orthanc/instances/{names['instance']}/file"
    assert ask(port, "GET", path, headers)[0] == 200
    accounts = system.application.desk.accounts
    accounts.change_password(
        "leaver@NORTH", system.password("leaver@NORTH"), "another one", address="192.0.2.1"
    )
    until(lambda: ask(port, "GET", path, headers)[0] == UNAUTHORIZED, 10, "the token to end")


def test_what_came_a_moment_ago_closes_the_whole(system, tmp_path, names, case):
    """A foreign object joins a study: the archive of it is refused at once, not after a while."""
    headers = {"Authorization": f"Bearer {system.token('physicist@NORTH')}"}
    port = int(system.url.rpartition(":")[2])
    path = f"/dicom-web/studies/{names['study_uid']}"
    assert ask(port, "GET", path, headers)[0] == 200
    foreign = copy.deepcopy(case.only("CT"))
    foreign.SOPInstanceUID = unique_uid()
    (tmp_path / "foreign.dcm").write_bytes(to_bytes(foreign))
    system.send([tmp_path / "foreign.dcm"], aet="UNKNOWN")
    assert ask(port, "GET", path, headers)[0] == 404


@pytest.mark.parametrize("path", ["/instances", "/system", "/dicom-web/studies", "/rtpacs/plugin"])
def test_orthanc_asks_everybody_for_a_password(system, path):
    """No credential and a wrong one are answered with 401."""
    wrong = "Basic " + base64.b64encode(b"service:guess").decode("ascii")
    assert ask(system.orthanc_port, "GET", path, {})[0] == UNAUTHORIZED
    assert ask(system.orthanc_port, "GET", path, {"Authorization": wrong})[0] == UNAUTHORIZED


def test_webdav_is_off_even_for_the_service_account(system):
    """Orthanc turns it on by default, with names of people in its folders."""
    headers = {"Authorization": basic(system, "service"), "Depth": "1"}
    for method in ("GET", "PROPFIND"):
        status, body = ask(system.orthanc_port, method, "/webdav/by-patients/", headers)
        assert status in (404, 405)
        assert FAMILY_NAME not in body


@pytest.mark.parametrize("aet", ["TPS", "STRANGER"])
@pytest.mark.parametrize("level", ["PATIENT", "STUDY", "SERIES", "IMAGE"])
def test_queries_are_refused(system, case, aet, level):
    """C-FIND at every level ends without a match, for known and unknown callers."""
    root = ("-P",) if level == "PATIENT" else ("-S",)
    keys = ("-k", f"QueryRetrieveLevel={level}", "-k", "PatientID", "-k", "PatientName")
    done = _dcmtk(system, "findscu", *root, "-v", "-aet", aet, *keys)
    assert case.patient_id not in done.stdout + done.stderr
    assert "Pending" not in done.stdout + done.stderr
    assert "Success" not in done.stdout + done.stderr


@pytest.mark.parametrize("program", ["movescu", "getscu"])
@pytest.mark.parametrize("aet", ["TPS", "STRANGER"])
def test_retrieval_is_refused(system, case, tmp_path, program, aet):
    """C-MOVE and C-GET of a study that is there fail and bring nothing."""
    keys = ("-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={case.uid(STUDY_UID)}")
    target = ("-aem", aet) if program == "movescu" else ("-od", str(tmp_path))
    done = _dcmtk(system, program, "-S", "-v", "-aet", aet, *target, *keys)
    assert re.search("failed|aborted|reject", done.stdout + done.stderr, re.IGNORECASE)
    assert list(tmp_path.iterdir()) == []


def test_echo_answers_everybody(system):
    """C-ECHO is how a physicist sees that address, port and AE title are right."""
    assert _dcmtk(system, "echoscu", "-aet", "STRANGER").returncode == 0


def _dcmtk(system, program, *arguments):
    return subprocess.run(
        [dcmtk(program), "-aec", "RTPACS", *arguments, "127.0.0.1", str(system.dicom_port)],
        env={**os.environ, "TCP_NODELAY": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
