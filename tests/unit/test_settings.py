"""Settings: where values come from, and that the documents list them all."""

from dataclasses import fields
from pathlib import Path

import pytest

from rtpacs.errors import SettingsError
from rtpacs.settings import CHECKOUT, Settings, load, variable


def test_the_environment_wins_over_the_file_over_the_default(tmp_path):
    """Each row says where its value came from."""
    config = tmp_path / "rtpacs.toml"
    config.write_text('web_port = 9000\ndicom_aet = "FILE"\n')
    settings, rows = load({"RTPACS_DICOM_AET": "ENV"}, config)
    sources = {row.name: row.source for row in rows}

    assert (settings.web_port, settings.dicom_aet, settings.dicom_port) == (9000, "ENV", 11112)
    assert sources["web_port"] == str(config)
    assert sources["dicom_aet"] == "RTPACS_DICOM_AET"
    assert sources["dicom_port"] == "default"


def test_the_file_is_looked_for_in_the_data_folder(tmp_path):
    """RTPACS_HOME decides where rtpacs.toml lies."""
    (tmp_path / "rtpacs.toml").write_text("workers = 3\n")
    assert load({"RTPACS_HOME": str(tmp_path)})[0].workers == 3


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"RTPACS_WEB_PORT": "many"}, "RTPACS_WEB_PORT must be a whole number"),
        ({"RTPACS_WEB_PORT": "70000"}, "RTPACS_WEB_PORT"),
        ({"RTPACS_UNKNOWN_SENDERS": "maybe"}, "RTPACS_UNKNOWN_SENDERS"),
        ({"RTPACS_DICOM_AET": "A" * 17}, "RTPACS_DICOM_AET"),
        ({"RTPACS_WORKERS": "0"}, "RTPACS_WORKERS"),
        ({"RTPACS_TICK_SECONDS": "nan"}, "RTPACS_TICK_SECONDS"),
        ({"RTPACS_QUIET_SECONDS": "30"}, "RTPACS_QUIET_LIMIT_SECONDS"),
        ({"RTPACS_LOG_LEVEL": "LOUD"}, "RTPACS_LOG_LEVEL"),
    ],
)
def test_an_unusable_value_names_its_variable(environment, named, tmp_path):
    """One line says what to change."""
    with pytest.raises(SettingsError, match=named):
        load(environment, tmp_path / "none.toml")


def test_unknown_names_in_the_file_are_refused(tmp_path):
    """A typing error must not silently give the default."""
    config = tmp_path / "rtpacs.toml"
    config.write_text("web_prot = 1\n")
    with pytest.raises(SettingsError, match="web_prot"):
        load({}, config)


def test_a_file_that_cannot_be_read_is_no_traceback(tmp_path):
    """A folder of that name stands for all reasons: rights, a broken disk."""
    (tmp_path / "rtpacs.toml").mkdir()
    with pytest.raises(SettingsError, match=r"cannot read .*rtpacs.toml .*set RTPACS_HOME"):
        load({"RTPACS_HOME": str(tmp_path)})


def test_secrets_are_masked(tmp_path):
    """`rtpacs settings` goes into tickets and chats."""
    rows = load({"RTPACS_ADMIN_PASSWORD": "swordfish"}, tmp_path / "none.toml")[1]
    assert "swordfish" not in str(rows)


def test_every_setting_is_documented():
    """docs/settings.md lists name, default and meaning of each."""
    text = Path(CHECKOUT, "docs", "settings.md").read_text(encoding="utf-8")
    for item in fields(Settings):
        assert f"`{variable(item.name)}`" in text
        assert item.metadata["help"] in text
