"""What commands leave in the access log, also where they did not do what was asked."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from rtpacs import bootstrap
from rtpacs.bootstrap import Application, open_application
from rtpacs.cli import rtpacs
from rtpacs.cli.recorded import recorded
from rtpacs.errors import StoreUnavailableError
from rtpacs.rules.access import AccountRole
from rtpacs.rules.access_log import EventType
from rtpacs.services.access_log import LogQuery
from rtpacs.services.desk import NewAccount
from rtpacs.store.log_schema import access_event


@pytest.fixture
def application(tmp_path: Path, monkeypatch) -> Application:
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("RTPACS_HOME", str(tmp_path / "home"))
    made = open_application()
    yield made
    made.engine.dispose()


def run(*arguments: str, text: str = "") -> click.testing.Result:
    return CliRunner().invoke(rtpacs, arguments, input=text)


def rows(application: Application) -> list[tuple[str, str, str]]:
    found = application.access_logging.book.page(LogQuery()).items
    return [(row.type.value, row.what, row.outcome.value) for row in reversed(found)]


@pytest.mark.parametrize(
    ("arguments", "kind", "what"),
    [
        ("user add jane --role clinical-reader --password-stdin", "Security Alert", "user add"),
        ("user change jane --role member", "Security Alert", "user change"),
        ("token create --user jane", "Security Alert", "token create"),
        ("token revoke s3cret --user jane", "Security Alert", "token revoke"),
        ("center agreement JANE --reference r --until 2030-01-01", "Security Alert", None),
        ("node add TPS --host 192.0.2.1 --center JANE", "Security Alert", "node add"),
        ("node remove JANE", "Security Alert", "node remove"),
        ("project grant P --user jane --center A --ticks info", "Security Alert", None),
        ("project add-data P --study 1.2", "Security Alert", "project add-data"),
        ("export FOLDER --user jane", "Data Export", "export"),
        ("decisions import FOLDER/jane", "Data Import", "decisions import"),
        ("removal undo jane", "DICOM Study Deleted", "removal undo"),
        ("removal erase --center A --patient jane --reason r --confirm jane", None, None),
        ("backup FOLDER/home/jane", "Data Export", "backup"),
    ],
)
def test_a_command_that_is_refused_leaves_a_row_without_what_was_typed(
    application, tmp_path, arguments, kind, what
):
    """Its name and that it was refused; what stands in the wrong place may be a secret."""
    (tmp_path / "jane").write_text("no decisions", encoding="utf-8")
    words = [word.replace("FOLDER", str(tmp_path)) for word in arguments.split()]
    assert run(*words, text="\n").exit_code != 0
    ((found_kind, found_what, outcome),) = rows(application)
    assert (found_kind, outcome) == (kind or found_kind, "refused")
    assert found_what == f"rtpacs {what or ' '.join(words[:2])}"


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, StoreUnavailableError])
def test_a_command_that_breaks_off_leaves_a_row(application, error):
    """Ctrl-C in the middle of an export: some of it is outside already."""

    @click.command()
    @recorded(EventType.EXPORT)
    def take() -> None:
        raise error

    CliRunner().invoke(take, [])
    assert rows(application) == [("Data Export", "take", "failed")]


def test_a_command_that_worked_says_what_it_did(application):
    """Values that are safe to keep, and what became of the account."""
    application.desk.directory.add_center("A", "")
    assert run("user", "add", "Jane", "--role", "member", "--password-stdin", text="x" * 12)
    assert run("center", "newest-wins", "A", "yes").exit_code == 0
    assert rows(application) == [
        ("Security Alert", "rtpacs user add: jane: new → member", "success"),
        ("Security Alert", "rtpacs center newest-wins: code A answer yes", "success"),
    ]


def test_what_cannot_be_written_is_told(application):
    """The log is away: the command was refused for its own reason, and says that too."""
    for name, role in (("jane", AccountRole.MEMBER), ("root", AccountRole.ADMINISTRATOR)):
        new = NewAccount(name=name, roles=frozenset({role}))
        application.desk.accounts.add(new, "x" * 12)
    access_event.drop(application.engine)
    done = run("token", "revoke", "none", "--user", "jane")
    assert "the access log lacks this" in done.output
    assert "token" in str(done.exception)
    done = run("user", "change", "jane", "--role", "member", "--inactive")
    assert "it is done, but the access log lacks it" in str(done.exception)
    assert not bootstrap.open_application().desk.accounts.all()[0].active
