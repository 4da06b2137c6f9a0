"""The door as nginx runs it, in front of two servers that write down what reaches them."""

import re
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests

from rtpacs.serve.door import write_configuration
from rtpacs.serve.preflight import find_program
from rtpacs.settings import Settings
from tests.live import free_ports, until

STUDY, SERIES, OBJECT = "1.2.3", "1.2.3.4", "1.2.3.4.5"
IN_STUDY = f"/dicom-web/studies/{STUDY}"
IN_OBJECT = f"{IN_STUDY}/series/{SERIES}/instances/{OBJECT}"
ORTHANC_ID = "6e2c0ec2-5d99c8ca-c1c21cee-79a09605-68391d12"
CORE = f"/orthanc/instances/{ORTHANC_ID}"
PASSED_HEADERS = {"host", "forwarded", "accept", "authorization"}
PASSED_HEADERS |= {"x-rtpacs-authorization", "x-rtpacs-address"}


@dataclass
class Seen:
    """One request as a server behind the door got it."""

    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Behind:
    """A server behind the door: ``answers`` gives a status by path, else 200."""

    name: str
    port: int
    answers: dict[str, int] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)

    def start(self) -> ThreadingHTTPServer:
        """Serve on a thread."""
        behind = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                headers = {name.lower(): value for name, value in self.headers.items()}
                behind.seen.append(Seen(self.requestline, headers, self.rfile.read(length)))
                body = f"{behind.name} answers".encode()
                self.send_response(behind.answers.get(self.path.partition("?")[0], 200))
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(b"" if self.command == "HEAD" else body)

            def log_message(self, *_: object) -> None:
                """Stay silent."""

        for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "PROPFIND"):
            setattr(Handler, f"do_{method}", Handler.answer)
        server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server


@dataclass
class Door:
    """nginx with our configuration."""

    settings: Settings
    web: Behind
    archive: Behind

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.settings.web_port}"

    def raw(self, text: str) -> bytes:
        """Send bytes as they are and read one answer, or what comes before the end."""
        with socket.create_connection(("127.0.0.1", self.settings.web_port), 20) as connection:
            connection.sendall(text.replace("\n", "\r\n").encode())
            answer = b""
            while not _is_whole(answer) and (chunk := connection.recv(65536)):
                answer += chunk
            return answer

    def path(self, path: str, method: str = "GET") -> str:
        """Who answers this exact path: web, archive or nobody but the door itself."""
        answer = self.raw(f"{method} {path} HTTP/1.1\nHost: door\nConnection: close\n\n")
        return next((who for who in ("web", "archive") if f"{who} answers".encode() in answer), "")


def _is_whole(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"Content-Length: (\d+)", head)
    return bool(end and length and len(body) >= int(length[1]))


def start(folder: Path, *, quick: bool = False, **changes: object) -> Iterator[Door]:
    web, internal, orthanc = free_ports(3)
    settings = Settings(
        home=folder,
        web_port=web,
        web_internal_port=internal,
        orthanc_port=orthanc,
        **changes,
    )
    for name in ("door", "run", "logs"):
        (folder / name).mkdir()
    configuration = write_configuration(settings)
    if quick:
        text = configuration.read_text()
        configuration.write_text(
            text.replace("client_header_timeout 10s", "client_header_timeout 1s")
        )
    behind = [Behind("web", internal), Behind("archive", orthanc)]
    servers = [one.start() for one in behind]
    binary = find_program("", ("nginx",), "nginx_binary")
    command = [binary, "-e", "stderr", "-p", str(folder / "door"), "-c", str(configuration)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    try:
        until(lambda: _listens(web), what="nginx")
        yield Door(settings, *behind)
    finally:
        process.terminate()
        process.communicate(timeout=20)
        for server in servers:
            server.shutdown()
            server.server_close()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def door(tmp_path_factory) -> Iterator[Door]:
    yield from start(tmp_path_factory.mktemp("door"), quick=True)


@pytest.fixture(autouse=True)
def forget(door):
    """Each test sees its own requests."""
    for behind in (door.web, door.archive):
        behind.seen.clear()
        behind.answers.clear()


@pytest.mark.parametrize(
    "path",
    [
        IN_STUDY,
        f"{IN_STUDY}/metadata",
        f"{IN_OBJECT}/frames/1,2",
        f"{IN_OBJECT}/rendered?quality=50",
        f"{CORE}/file",
        f"{CORE}/frames/0/raw.gz",
        f"/orthanc/studies/{ORTHANC_ID}/archive",
        f"/wado?requestType=WADO&objectUID={OBJECT}&contentType=application%2Fdicom",
    ],
)
def test_what_stands_in_the_table_reaches_orthanc(door, path):
    """With Orthanc's own path: our prefix is taken off."""
    assert door.path(path) == "archive"
    there = path.removeprefix("/orthanc").replace("%2F", "/")
    assert door.archive.seen[0].line.split()[1] == there


@pytest.mark.parametrize(
    ("method", "path"),
    [
        # Answered from our index.
        ("GET", "/dicom-web/studies"),
        ("GET", f"{IN_STUDY}/series"),
        ("GET", f"{IN_STUDY}/series/{SERIES}/instances"),
        ("GET", "/orthanc/studies"),
        ("POST", "/orthanc/tools/find"),
        # Other methods on what is otherwise given.
        ("DELETE", CORE),
        ("POST", f"{CORE}/file"),
        ("PUT", f"{CORE}/file"),
        ("PROPFIND", f"{CORE}/file"),
        ("POST", f"/orthanc/studies/{ORTHANC_ID}/archive"),
        ("get", f"{CORE}/file"),
        # Other spellings of the same path.
        ("GET", f"{CORE}/file/"),
        ("GET", f"{CORE}/file%2F"),
        ("GET", f"{CORE}%2Ffile"),
        ("GET", f"{CORE}/%66ile"),
        ("GET", f"//orthanc/instances/{ORTHANC_ID}/file"),
        ("GET", f"/orthanc//instances/{ORTHANC_ID}/file"),
        ("GET", f"/orthanc/./instances/{ORTHANC_ID}/file"),
        ("GET", f"/orthanc/changes/../instances/{ORTHANC_ID}/file"),
        ("GET", f"{CORE}/file;x=1"),
        ("GET", f"{CORE.upper()}/file"),
        ("GET", f"{IN_STUDY}/"),
        ("GET", f"{IN_STUDY}%2Fmetadata"),
        # Orthanc's other families.
        *[
            ("GET", f"/orthanc/{path}")
            for path in (
                "system",
                "statistics",
                "changes",
                "exports",
                "jobs",
                "jobs?expand",
                "queries",
                "modalities",
                "modalities/X",
                "peers",
                "plugins",
                "tools/metrics-prometheus",
                "tools/metrics",
                "tools/create-archive?resources=1",
                "tools/lookup",
                "tools/labels",
                "app/explorer.html",
                "webdav/",
                "rtpacs/plugin",
                "dicom-web/studies",
                "wado",
                f"studies/{ORTHANC_ID}/metadata",
                f"instances/{ORTHANC_ID}/metadata?expand",
                f"instances/{ORTHANC_ID}/attachments/dicom/data",
            )
        ],
        *[
            ("POST", f"/orthanc/{path}")
            for path in (
                "tools/shutdown",
                "tools/reset",
                "tools/execute-script",
                "tools/bulk-delete",
                "tools/bulk-modify",
                "tools/create-archive",
                "tools/create-dicom",
                "tools/lookup",
                "tools/bulk-content",
                "modalities/X/store",
                "peers/X/store",
                "tools/reconstruct",
                f"studies/{ORTHANC_ID}/anonymize",
                f"studies/{ORTHANC_ID}/modify",
            )
        ],
        ("PUT", "/orthanc/modalities/X"),
        ("GET", "/dicom-web/servers"),
        ("POST", "/dicom-web/servers/x/stow"),
        ("GET", "/dicom-web/info"),
        # WADO-URI where more than one object is named, or nothing clear.
        ("GET", "/wado"),
        ("GET", f"/wado?requestType=WADO&objectUID={OBJECT}&objectUID=9.9"),
        ("GET", f"/wado?requestType=WADO&objectUID={OBJECT}&object%55ID=9.9"),
        ("GET", f"/wado?requestType=WADO&objectUID={OBJECT}&_method=DELETE"),
        ("GET", f"/wado/?requestType=WADO&objectUID={OBJECT}"),
    ],
)
def test_nothing_else_does(door, method, path):
    """Our web process answers or refuses it, or nginx itself finds no sense in it."""
    assert door.path(path, method) != "archive"
    assert door.archive.seen == []


def test_only_named_headers_reach_orthanc(door):
    """A forged X-Rtpacs-Authorization, an override of the method, a cookie: none arrives."""
    sent = {
        "Authorization": "Bearer token-of-the-client",
        "X-Rtpacs-Authorization": "Bearer forged",
        "x-rtpacs_authorization": "Bearer forged",
        "X-Rtpacs-Address": "203.0.113.9",
        "X-Rtpacs-Recovery": "1",
        "X-HTTP-Method-Override": "DELETE",
        "Forwarded": "host=evil",
        "Cookie": "rtpacs_session=x",
        "Accept": "application/dicom",
    }
    assert requests.get(f"{door.url}{CORE}/file", headers=sent, timeout=10).ok
    (seen,) = door.archive.seen
    assert set(seen.headers) == PASSED_HEADERS
    assert seen.headers["x-rtpacs-authorization"] == "Bearer token-of-the-client"
    assert seen.headers["authorization"].startswith("Basic ")
    assert seen.headers["x-rtpacs-address"] == "127.0.0.1"
    assert "evil" not in seen.headers["forwarded"]


def test_no_body_reaches_orthanc(door):
    """Not even with a GET."""
    answer = requests.get(f"{door.url}{CORE}/file", data=b"PK\x03\x04 bomb", timeout=10)
    assert answer.text == "archive answers"
    (seen,) = door.archive.seen
    assert seen.body == b""


@pytest.mark.parametrize("status", [400, 406, 500])
def test_a_form_that_orthanc_cannot_give_is_406(door, status):
    """In our words; nothing of Orthanc's answer comes through."""
    door.archive.answers = {f"/instances/{ORTHANC_ID}/file": status}
    answer = requests.get(f"{door.url}{CORE}/file", timeout=10)
    assert answer.status_code == answer.json()["status"] == 406
    assert door.web.seen == []


@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_orthanc_refuses_the_web_process_words(door, status):
    """With the path as the client sent it; nothing of Orthanc's answer comes through."""
    door.archive.answers = {f"/instances/{ORTHANC_ID}/file": status}
    answer = requests.get(f"{door.url}{CORE}/file", timeout=10)
    assert answer.text == "web answers"
    assert door.web.seen[0].line == f"GET {CORE}/file HTTP/1.1"


@pytest.mark.parametrize("path", ["/orthanc/instances", "/dicom-web/studies", IN_STUDY])
def test_an_upload_goes_to_the_web_process_once_it_may(door, path):
    """The caller is asked before the body is taken; Orthanc never sees it."""
    bomb = b"PK\x03\x04" + bytes(20_000_000)
    answer = requests.post(f"{door.url}{path}", data=bomb, timeout=30)
    assert answer.text == "web answers"
    asked, uploaded = door.web.seen
    assert asked.line == "GET /rtpacs-uploader HTTP/1.1"
    assert asked.body == b""
    assert uploaded.body == bomb
    assert door.archive.seen == []


@pytest.mark.parametrize("status", [401, 403])
def test_who_may_not_upload_is_told_before_the_body(door, status):
    """The answer comes although the body never does."""
    door.web.answers = {"/rtpacs-uploader": status}
    answer = door.raw(
        "POST /orthanc/instances HTTP/1.1\nHost: door\nConnection: close\n"
        "Content-Length: 100000000\n\n"
    )
    assert answer.startswith(f"HTTP/1.1 {status}".encode())
    assert len(door.web.seen) == 1


@pytest.mark.parametrize("path", ["/orthanc/instances", "/orthanc/tools/find", "/sign-in"])
def test_a_forged_content_length_is_refused_at_once(door, path):
    """4 GB are announced and never sent: 413, and no memory is taken for them."""
    answer = door.raw(
        f"POST {path} HTTP/1.1\nHost: door\nConnection: close\nContent-Length: 4000000000\n\n"
    )
    assert answer.startswith(b"HTTP/1.1 413")
    assert door.web.seen == door.archive.seen == []


@pytest.mark.parametrize(
    "head",
    [
        "GET / HTTP/1.1\nHost: door\nX-Long: " + "x" * 70_000,
        "GET / HTTP/1.1\nHost: door\n" + "".join(f"X-{n}: {'x' * 900}\n" for n in range(100)),
        "POST /orthanc/instances HTTP/1.1\nHost: door\nContent-Length: 4\nContent-Length: 9",
        "POST /orthanc/instances HTTP/1.1\nHost: door\nContent-Length: 4\n"
        "Transfer-Encoding: chunked",
        "POST /orthanc/instances HTTP/1.1\nHost: door\nContent-Length: -1",
        "GET / HTTP/1.1\nHost: a\nHost: b",
    ],
)
def test_unusable_heads_stop_at_the_door(door, head):
    """Too long, or with two meanings."""
    answer = door.raw(f"{head}\nConnection: close\n\n")
    assert answer[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 414", b"HTTP/1.1 431")
    assert door.web.seen == door.archive.seen == []


def test_half_open_connections_block_nobody(door):
    """60 of them: whole requests are answered before they are closed, which here takes 1 s."""
    until(lambda: _answers_beside_half_open(door), what="answers while connections are half open")


def _answers_beside_half_open(door) -> bool:
    """Whether it did; on a busy machine an answer alone may take its second."""
    held = [socket.create_connection(("127.0.0.1", door.settings.web_port), 20) for _ in range(60)]
    try:
        for one in held:
            one.sendall(b"GET /orthanc/instances HTTP/1.1\r\nHost: door\r\n")
        try:
            assert requests.get(f"{door.url}{CORE}/file", timeout=1).text == "archive answers"
            assert requests.get(f"{door.url}/", timeout=1).text == "web answers"
        except requests.Timeout:
            return False
        for one in held:
            with pytest.raises(ConnectionResetError):
                one.recv(100)
    finally:
        for one in held:
            one.close()
    return True


def test_sign_ins_are_limited_by_address(door):
    """A burst of 30, then two a second; pages stay open."""
    with requests.Session() as session:
        answers = [session.post(f"{door.url}/sign-in", timeout=10).status_code for _ in range(80)]
        assert answers[:20] == [200] * 20
        assert answers.count(429) >= 30
        assert session.post(f"{door.url}/api/v1/token", timeout=10).status_code == 429
        assert session.get(f"{door.url}/sign-in", timeout=10).status_code == 200


@pytest.fixture(scope="module")
def tls_door(tmp_path_factory) -> Iterator[Door]:
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "door.pem", folder / "door.key"
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-keyout",
            str(key),
            "-out",
            str(certificate),
        ],
        check=True,
        capture_output=True,
    )
    home = folder / "home"
    home.mkdir()
    yield from start(home, web_certificate_file=str(certificate), web_key_file=str(key))


def test_tls_end_to_end(tls_door):
    """The web process hears https, browsers are told to stay with it, old versions are refused."""
    port, certificate = tls_door.settings.web_port, tls_door.settings.web_certificate_file
    answer = requests.get(f"https://127.0.0.1:{port}/", verify=certificate, timeout=10)
    assert answer.text == "web answers"
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert tls_door.web.seen[0].headers["x-forwarded-proto"] == "https"
    plain = requests.get(f"http://127.0.0.1:{port}/a?b=c", allow_redirects=False, timeout=10)
    assert plain.status_code == 301
    assert plain.headers["Location"] == f"https://127.0.0.1:{port}/a?b=c"
    with socket.create_connection(("127.0.0.1", port)) as connection:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        with context.wrap_socket(connection) as wrapped:
            assert wrapped.version() == "TLSv1.2"
