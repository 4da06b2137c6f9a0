"""``rtpacs import`` as far as it needs no archive: what it refuses, lists and previews."""

import csv
import json

import pytest
from click.testing import CliRunner

from rtpacs.bootstrap import Application
from rtpacs.cli.importing import import_
from rtpacs.errors import ArchiveUnavailableError, InvalidInputError, NotFoundError
from rtpacs.settings import load
from tests.builders import a_photon_plan, to_bytes


@pytest.fixture
def run(tmp_path, monkeypatch):
    """The command on a data folder with the center NORTH."""
    monkeypatch.setenv("RTPACS_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    application = Application(load()[0])
    application.desk.directory.add_center("NORTH", "")
    application.engine.dispose()

    def command(*arguments, code=0):
        done = CliRunner().invoke(import_, list(map(str, arguments)))
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == code, done.output
        return done.stdout

    return command


@pytest.fixture
def disc(tmp_path):
    """One plan, one text whose name a spreadsheet would calculate, one link."""
    folder = tmp_path / "disc"
    folder.mkdir()
    (folder / "plan").write_bytes(to_bytes(a_photon_plan()))
    (folder / "=1+1.txt").write_text("text")
    (folder / "link").symlink_to(folder / "plan")
    return folder


def test_a_dry_run_lists_every_file_and_leaves_no_trace(run, disc, tmp_path):
    """Neither archive nor journal is needed; a refused file makes the exit code 1."""
    report = tmp_path / "report.csv"
    said = run("--center", "NORTH", "--dry-run", "--json", "--report", report, disc, code=1)
    results = json.loads(said)["results"]
    assert (results["would import"], results["not DICOM"], results["refused"]) == (1, 1, 1)
    with report.open(newline="") as file:
        rows = {row["file"].rpartition("/")[2]: row["result"] for row in csv.DictReader(file)}
    assert rows == {"plan": "would import", "=1+1.txt": "not DICOM", "link": "refused"}
    assert json.loads(run("--list", "--json")) == []


def test_a_path_that_is_a_link_means_what_it_names(run, disc, tmp_path):
    """Only links inside are not followed: the person named this one."""
    (tmp_path / "to-plan").symlink_to(disc / "plan")
    said = run("--center", "NORTH", "--dry-run", "--json", tmp_path / "to-plan")
    assert json.loads(said)["results"]["would import"] == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "name a center"),
        (("--center", "NORTH"), "at least one path"),
        (("--center", "SOUTH", "/"), "there is no center SOUTH"),
        (("--center", "NORTH", "/not/there"), "there is no /not/there"),
    ],
)
def test_what_is_missing_is_named(run, arguments, said):
    """One line, before anything is opened."""
    with pytest.raises(InvalidInputError, match=said):
        run(*arguments)


def test_an_unknown_journal_cannot_be_forgotten(run):
    """Its id is looked up, never used as a path."""
    with pytest.raises(NotFoundError):
        run("--forget", "../rtpacs")


def test_without_an_archive_the_journal_stays_open(run, disc, monkeypatch):
    """The list says that it is not finished; the next call goes on."""
    monkeypatch.setattr("rtpacs.services.importing.PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr("rtpacs.services.storing.RETRY_SECONDS", 0.0)
    monkeypatch.setenv("RTPACS_ORTHANC_PORT", "1")
    with pytest.raises(ArchiveUnavailableError):
        run("--center", "NORTH", disc)
    (row,) = json.loads(run("--list", "--json"))
    assert row["finished_at"] == ""
    assert row["outcomes"] == {"not DICOM": 1, "refused": 1}
    assert "not finished" in run("--list")
    run("--forget", row["id"])
    assert run("--list") == ""
