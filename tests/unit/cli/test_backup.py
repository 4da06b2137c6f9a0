"""Where a backup may lie."""

import pytest
from click.testing import CliRunner

from rtpacs.cli.backup import backup
from rtpacs.errors import BackupError


@pytest.mark.parametrize("place", ["", "backups", "orthanc/backups"])
def test_a_backup_inside_the_data_folder_is_refused(tmp_path, place):
    """The disk that takes the data would take its backup along; nothing is written."""
    home = tmp_path / "home"
    home.mkdir()
    with pytest.raises(BackupError, match="name another folder"):
        CliRunner(env={"RTPACS_HOME": str(home)}).invoke(
            backup, [str(home / place)], catch_exceptions=False
        )
    assert not (home / "sets").exists()
    assert not (home / "backups").exists()
    assert not (home / "orthanc" / "backups").exists()
