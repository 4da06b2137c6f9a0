"""What is checked before anything starts: each failure names the setting to change."""

import os
import shutil
import socket
import stat
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rtpacs.errors import SettingsError
from rtpacs.serve import door, preflight
from rtpacs.settings import Settings

# Of linux/in.h, since Linux 6.3: the lowest and highest port that a connection may be given.
IP_LOCAL_PORT_RANGE = 51


NOBODY = 65534


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A data folder of anybody: pytest's own folders are closed to other users."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


@contextmanager
def without_rights() -> Iterator[None]:
    """As root, become nobody for a while; anybody else is bound by a file's mode anyway."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)


def only(port: int) -> bytes:
    return struct.pack("=I", port | port << 16)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def some_settings(tmp_path, **changes) -> Settings:
    ports = {
        name: free_port()
        for name in ("web_port", "web_internal_port", "orthanc_port", "dicom_port")
    }
    return Settings(home=tmp_path, **{**ports, **changes})


def test_free_ports_are_held_for_our_parts_and_let_go(tmp_path):
    """While they are held a server of ours gets in; afterwards they are free."""
    settings = some_settings(tmp_path)
    address = ("0.0.0.0", settings.dicom_port)
    with socket.socket() as other, preflight.held_ports(settings):
        socket.create_server(address).close()
        with pytest.raises(OSError, match="in use"):
            other.bind(address)
    with socket.socket() as other:
        other.bind(address)


def test_no_outgoing_connection_gets_a_port_of_ours(tmp_path):
    """A client whose kernel may give it only one port gets it, unless it is held."""
    settings = some_settings(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def connect():
            with socket.socket() as client:
                try:
                    client.setsockopt(
                        socket.IPPROTO_IP, IP_LOCAL_PORT_RANGE, only(settings.dicom_port)
                    )
                except OSError:
                    pytest.skip("NOT TESTED: Linux before 6.3 gives a client any port")
                # Closed by the server's end, so that no waiting port is left behind.
                client.connect(server.getsockname())
                server.accept()[0].close()
                assert client.recv(1) == b""

        with (
            preflight.held_ports(settings),
            pytest.raises(OSError, match="Cannot assign requested address"),
        ):
            connect()
        connect()


def test_a_busy_port_names_its_setting(tmp_path):
    """The message holds the port and the variable."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        settings = some_settings(tmp_path, web_port=port)
        with (
            pytest.raises(SettingsError, match=f"port {port} .* set RTPACS_WEB_PORT"),
            preflight.held_ports(settings),
        ):
            pass


def test_an_address_of_another_machine_names_the_host_setting(tmp_path):
    """Another port would not help (RFC 5737: nobody has this address)."""
    settings = some_settings(tmp_path, web_host="203.0.113.7")
    with (
        pytest.raises(SettingsError, match=r"on 203.0.113.7 .* set RTPACS_WEB_HOST"),
        preflight.held_ports(settings),
    ):
        pass


@pytest.mark.parametrize(
    "closed", ["orthanc", "logs", "door", "run", "rtpacs.sqlite", "orthanc/index", "logs/web.log"]
)
def test_what_another_user_left_names_itself_and_the_home_setting(closed, open_folder):
    """A start as root, then one as a person: no part may end up failing for it later."""
    path = open_folder / closed
    for name in ("orthanc", "logs", "door", "run"):
        (open_folder / name).mkdir()
        (open_folder / name).chmod(0o777)
    if not path.exists():
        path.write_text("")
    path.chmod(0o555)
    with (
        without_rights(),
        pytest.raises(SettingsError, match=rf"write to {path}.*RTPACS_HOME"),
    ):
        preflight.prepare_home(open_folder)
    path.chmod(0o777)
    with without_rights():
        preflight.prepare_home(open_folder)


def test_two_settings_with_one_port_are_refused(tmp_path):
    """Both names are in the message."""
    settings = some_settings(tmp_path, web_port=18080, orthanc_port=18080)
    with (
        pytest.raises(SettingsError, match="RTPACS_ORTHANC_PORT and RTPACS_WEB_PORT"),
        preflight.held_ports(settings),
    ):
        pass


def test_a_folder_that_cannot_be_made_names_the_home_setting(tmp_path):
    """A file stands where the folder should be."""
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="RTPACS_HOME"):
        preflight.prepare_home(tmp_path / "file" / "var")


def test_the_data_folder_is_closed_to_other_users(tmp_path):
    """It holds patients' data. A group that was let in, for backups perhaps, stays."""
    new, known = tmp_path / "new", tmp_path / "known"
    known.mkdir()
    known.chmod(0o755)
    for home, mode in ((new, 0o700), (known, 0o750)):
        preflight.prepare_home(home)
        assert stat.S_IMODE(home.stat().st_mode) == mode


def test_a_data_folder_that_cannot_be_entered_names_the_home_setting(open_folder):
    """Its settings file may lie elsewhere, and then this is noticed first."""
    home = open_folder / "home"
    home.mkdir()
    home.chmod(0o600 if os.geteuid() else 0o700)
    with without_rights(), pytest.raises(SettingsError, match=r"write to .*RTPACS_HOME"):
        preflight.prepare_home(home)
    home.chmod(0o700)


def test_a_full_disk_names_the_home_setting(tmp_path, monkeypatch):
    """Too little room is said before anything is written."""
    monkeypatch.setattr(preflight, "FREE_BYTES_NEEDED", 2**62)
    with pytest.raises(SettingsError, match=r"MB are free .* RTPACS_HOME"):
        preflight.prepare_home(tmp_path)


def test_a_second_supervisor_on_the_same_folder_is_refused(tmp_path):
    """The lock ends with its holder."""
    preflight.prepare_home(tmp_path)
    with preflight.lock(tmp_path), pytest.raises(SettingsError, match="already runs"):
        preflight.lock(tmp_path)
    preflight.lock(tmp_path).close()


def test_a_missing_program_says_how_to_get_it():
    """`make setup` installs; a setting names another path."""
    with pytest.raises(SettingsError, match=r"make setup.*RTPACS_ORTHANC_BINARY"):
        preflight.find_program("/nowhere/Orthanc", ("Orthanc",), "orthanc_binary")


def test_a_missing_plugin_stops_the_start(tmp_path):
    """Orthanc 1.10 would start without guard."""
    with pytest.raises(SettingsError, match="RTPACS_ORTHANC_PLUGINS"):
        preflight.find_orthanc_plugins(str(tmp_path))


def test_the_doors_file_is_for_its_owner_only(tmp_path):
    """It holds the credential with which the door knocks at Orthanc."""
    preflight.prepare_home(tmp_path)
    path = door.write_configuration(some_settings(tmp_path))

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
