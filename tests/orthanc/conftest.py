"""One running system for the tests of this folder; each test has a patient of its own."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from rtpacs.errors import SettingsError
from rtpacs.serve.preflight import find_orthanc_plugins
from tests.live import LiveSystem

PROGRAMS = ("storescu", "echoscu", "findscu", "movescu", "getscu", "nginx")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs a live Orthanc."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.orthanc)


def require_programs() -> None:
    """Skip, and say so, where the programs are not installed."""
    search = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"
    missing = [name for name in (*PROGRAMS, "Orthanc") if not shutil.which(name, path=search)]
    try:
        find_orthanc_plugins("")
    except SettingsError as exc:
        missing.append(str(exc))
    if missing:
        pytest.skip(f"NOT TESTED WITH ORTHANC: {', '.join(missing)} not installed")


def started(live: LiveSystem, *, sender: bool = True) -> Iterator[LiveSystem]:
    """Start a system, with TPS of NORTH as its sender; it is stopped at the end."""
    try:
        live.start()
        if sender:
            live.add_sender("TPS", "NORTH")
        yield live
    finally:
        if live.running:
            live.stop()


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveSystem]:
    """A whole rtpacs with one known sender, TPS of NORTH."""
    require_programs()
    yield from started(LiveSystem(tmp_path_factory.mktemp("live") / "home"))
