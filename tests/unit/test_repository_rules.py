"""What may lie in the repository, and what set-up may install."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
REFUSE_FILES = CHECKOUT / "scripts" / "refuse_files.py"
DICOM_HEAD = bytes(128) + b"DICM" + bytes(64)


def refusal(folder, name, content):
    """Exit code and message of the check for one file, seen from ``folder``."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    command = [sys.executable, str(REFUSE_FILES), name]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("docs/example", DICOM_HEAD, "DICOM"),
        ("docs/example.dcm", b"no preamble", "DICOM"),
        ("docs/example.DCM", b"", "DICOM"),
        ("docs/picture.png", bytes(200_001), "200001 bytes"),
        ("tests/data/large.dcm", DICOM_HEAD + bytes(200_000), "bytes"),
    ],
)
def test_dicom_and_large_files_are_refused(tmp_path, name, content, word):
    """DICOM is known by its prefix or name; the size limit holds everywhere."""
    code, message = refusal(tmp_path, name, content)
    assert code == 1
    assert name in message
    assert word in message


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("docs/page.md", b"DICM stands at the wrong place"),
        ("docs/full.bin", bytes(200_000)),
        ("tests/data/small.dcm", DICOM_HEAD),
    ],
)
def test_sources_and_small_explained_dicom_pass(tmp_path, name, content):
    """200,000 bytes are the limit itself, and tests/data is the one place for DICOM."""
    assert refusal(tmp_path, name, content) == (0, "")


def test_the_plugin_that_crashes_orthanc_is_never_installed():
    """Debian 12's orthanc-gdcm ends Orthanc 1.10.1 with a segmentation fault."""
    lines = (CHECKOUT / "scripts" / "packages.txt").read_text().splitlines()
    rows = [line.split() for line in lines if not line.startswith("#")]
    assert {len(row) for row in rows} == {3}
    assert {row[0] for row in rows} == {"runtime", "test", "faults"}
    assert "orthanc-gdcm" not in {row[1] for row in rows}


def test_browser_libraries_are_locked_by_hash_and_without_an_address():
    """Any registry can serve them, and a changed file is refused."""
    lock = json.loads((CHECKOUT / "package-lock.json").read_text())
    libraries = [entry for name, entry in lock["packages"].items() if name]
    assert libraries
    assert all("integrity" in entry and "resolved" not in entry for entry in libraries)


@pytest.mark.parametrize("lock", ["py311.txt", "py311-test.txt", "py313.txt", "py313-test.txt"])
def test_python_packages_are_locked_by_hash_and_without_an_address(lock):
    """Every pinned line goes on to its hashes; no option names an index."""
    lines = (CHECKOUT / "requirements" / lock).read_text().splitlines()
    pins = [line for line in lines if line and line[0] not in " #"]
    assert all("==" in pin and pin.endswith("\\") for pin in pins)
    assert not [line for line in lines if "://" in line]


@pytest.mark.parametrize("python", ["py311", "py313"])
def test_the_runtime_is_tested_with_the_versions_it_is_installed_with(python):
    """The lock of the tests repeats every pin of the runtime's."""

    def pins(lock: str) -> set[str]:
        lines = (CHECKOUT / "requirements" / lock).read_text().splitlines()
        return {line.split()[0] for line in lines if "==" in line and line[0] not in " #"}

    assert pins(f"{python}.txt") < pins(f"{python}-test.txt")
