"""The DICOM port with TLS: only nodes whose certificate our authorities have signed get in."""

import subprocess

import pytest

from tests.live import LiveSystem, dcmtk
from tests.orthanc.cases import a_case
from tests.orthanc.conftest import require_programs, started


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An authority, and certificates of ours, of a node, and of a stranger who signed his own."""
    folder = tmp_path_factory.mktemp("certificates")
    for name in ("authority", "stranger"):
        openssl(
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            f"/CN={name}",
            "-keyout",
            folder / f"{name}.key",
            "-out",
            folder / f"{name}.pem",
        )
    for name in ("ours", "node"):
        request = folder / f"{name}.csr"
        openssl(
            "req",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-subj",
            "/CN=localhost",
            "-keyout",
            folder / f"{name}.key",
            "-out",
            request,
        )
        openssl(
            "x509",
            "-req",
            "-days",
            "2",
            "-in",
            request,
            "-CA",
            folder / "authority.pem",
            "-CAkey",
            folder / "authority.key",
            "-CAcreateserial",
            "-out",
            folder / f"{name}.pem",
        )
    return folder


@pytest.fixture(scope="module")
def secure(folder):
    require_programs()
    live = LiveSystem(
        folder / "home",
        {
            "RTPACS_DICOM_TLS": "on",
            "RTPACS_TLS_CERTIFICATE_FILE": str(folder / "ours.pem"),
            "RTPACS_TLS_KEY_FILE": str(folder / "ours.key"),
            "RTPACS_TLS_CA_FILE": str(folder / "authority.pem"),
        },
    )
    yield from started(live)


def call(system, program, *arguments):
    command = [dcmtk(program), "-aet", "TPS", "-aec", "RTPACS", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_a_node_with_a_certificate_stores(secure, folder, tmp_path):
    """DCMTK's storescu, which checks our certificate as we check its own."""
    case = a_case()
    files = case.write(tmp_path)
    tls = ("+tls", folder / "node.key", folder / "node.pem", "+cf", folder / "authority.pem")
    done = call(secure, "storescu", *tls, "-xe", "127.0.0.1", secure.dicom_port, *files)
    assert done.returncode == 0, done.stderr
    counts = secure.settle()
    assert counts.objects == len(case.objects)


@pytest.mark.parametrize("how", ["without TLS", "without a certificate", "self-signed"])
def test_nobody_else_gets_in(secure, folder, how):
    """Plain DICOM, TLS without a name, and a certificate that nobody we trust has signed."""
    tls = {
        "without TLS": (),
        "without a certificate": ("+tla", "-ic"),
        "self-signed": ("+tls", folder / "stranger.key", folder / "stranger.pem", "-ic"),
    }[how]
    done = call(secure, "echoscu", *tls, "127.0.0.1", secure.dicom_port)
    assert done.returncode != 0
