"""Commands around projects, as the operator of the installation."""

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from rtpacs import bootstrap
from rtpacs.cli.recorded import recorded
from rtpacs.errors import InvalidInputError
from rtpacs.rules.access import TICKS, Action
from rtpacs.rules.access_log import EventType
from rtpacs.rules.projects import Cell, EntryKind, ProjectFacts
from rtpacs.services.projects import Projects

A_YEAR = timedelta(days=365)
DAY = click.DateTime(["%Y-%m-%d"])


def _projects() -> Projects:
    return bootstrap.open_application().system_desk.projects


def _utc(day: datetime | None) -> datetime | None:
    return day.replace(tzinfo=UTC) if day is not None else None


@click.group()
def project() -> None:
    """Projects: who takes part, whose data is in them, and who may what."""


@project.command("add")
@click.argument("code")
@click.option("--title", default="", help="Title; the code where none is given.")
@click.option("--description", default="", help="What it is for.")
@click.option("--legal-basis", default="", help="Protocol, contract or consent it rests on.")
@click.option("--until", type=DAY, help="Day from which none of its grants counts.")
@click.option("--download", is_flag=True, help="Members may save to disk what they may send.")
@recorded(EventType.SECURITY_ALERT, "code")
def add_project(
    code: str,
    title: str,
    description: str,
    legal_basis: str,
    until: datetime | None,
    download: bool,
) -> None:
    """Make a project."""
    _projects().make(
        ProjectFacts(
            code=code,
            title=title or code,
            description=description,
            legal_basis=legal_basis,
            expires_at=_utc(until),
            may_download=download,
        )
    )
    click.echo(f"project {code} added")


@project.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_projects(as_json: bool) -> None:
    """List projects."""
    rows = _projects().mine()
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows], default=str))
        return
    for row in rows:
        click.echo(
            f"{row.code:16} {row.title:40} {row.members:>4} members {row.entries:>6} entries"
        )


@project.command("member")
@click.argument("code")
@click.option("--user", "name", required=True, help="Account.")
@click.option("--manages", is_flag=True, help="As a manager of the project.")
@click.option("--remove", is_flag=True, help="Let it take part no longer; its ticks go too.")
@recorded(EventType.SECURITY_ALERT, "code", "name", "manages", "remove")
def set_member(code: str, name: str, manages: bool, remove: bool) -> None:
    """Let an account take part in a project, or no longer."""
    if remove:
        _projects().remove_member(code, name)
    else:
        _projects().set_member(code, name, manages=manages)
    click.echo(f"{name} {'left' if remove else 'takes part in'} {code}")


@project.command("grant")
@click.argument("code")
@click.option("--user", "name", help="Account; it becomes a member.")
@click.option("--node", "aet", help="AE title of a node that may query and fetch, instead.")
@click.option("--center", "center_code", required=True, help="Whose data.")
@click.option("--ticks", help='summary,info,send; "" takes all away, also from a node.')
@click.option("--until", type=DAY, help="Day from which it no longer counts.")
@recorded(EventType.SECURITY_ALERT, "code", "name", "aet", "center_code", "ticks")
def grant(
    code: str,
    name: str | None,
    aet: str | None,
    center_code: str,
    ticks: str | None,
    until: datetime | None,
) -> None:
    """Set one cell of the permission matrix, or what a node may fetch."""
    if (name is None) == (aet is None):
        raise InvalidInputError("name either --user or --node")
    if aet is not None:
        _grant_node(code, aet, center_code, ticks, until)
        return
    if ticks is None:
        raise InvalidInputError('--user needs --ticks; --ticks "" takes all away')
    cell = Cell(account=str(name), center=center_code, ticks=_ticks(ticks), expires_at=_utc(until))
    _projects().tick(code, [cell])
    shown = ", ".join(sorted(cell.ticks)) or "nothing"
    click.echo(f"{code}: {name} has {shown} for data of {center_code}")
    if Action.SEND in cell.ticks and Action.INFO not in cell.ticks:
        click.echo("send counts only together with info", err=True)


def _grant_node(
    code: str, aet: str, center_code: str, ticks: str | None, until: datetime | None
) -> None:
    """A node has no ticks: it may fetch, or with empty ones no longer."""
    if ticks is None:
        _projects().grant_node(code, aet, center_code, until=_utc(until))
        click.echo(f"{code}: node {aet} may fetch data of {center_code}")
    elif not ticks.strip():
        _projects().withdraw_node(code, aet, center_code)
        click.echo(f"{code}: node {aet} may no longer fetch data of {center_code}")
    else:
        raise InvalidInputError('a node has no ticks: leave them out, or take back with --ticks ""')


def _ticks(text: str) -> frozenset[Action]:
    names = {part.strip() for part in text.split(",") if part.strip()}
    if not names <= set(TICKS):
        raise InvalidInputError(f"--ticks takes {', '.join(TICKS)}, separated by commas")
    return frozenset(Action(name) for name in names)


@project.command("add-data")
@click.argument("code")
@click.option("--plan", help="Plan set id, SOP Instance UID or Orthanc id: with its closure.")
@click.option("--study", help="Study Instance UID: all of its objects.")
@click.option("--patient", help="Id or number: everything, also later, for a year without --until.")
@click.option("--center", "center_code", default="", help="Whose, where several have it.")
@click.option("--until", type=DAY, help="Day on which it leaves the project.")
@click.option("--preview", is_flag=True, help="Only say how much it would bring.")
@recorded(EventType.SECURITY_ALERT, "code", "center_code")
def add_data(
    code: str, center_code: str, until: datetime | None, preview: bool, **named: str | None
) -> None:
    """Put a plan set, a study or a whole patient into a project."""
    projects = _projects()
    ((kind, name),) = _named(named)
    entry = projects.find(kind, name, center_code=center_code)
    if kind is EntryKind.PATIENT and until is None:
        until = datetime.now(UTC) + A_YEAR
    entry = replace(entry, expires_at=_utc(until))
    held = projects.preview(code, entry)
    if not preview:
        projects.put(code, entry)
    kinds = ", ".join(f"{count} {modality}" for modality, count in held.modalities)
    verb = "would bring" if preview else "brought"
    click.echo(f"{code}: this {kind} of {entry.center} {verb} {held.objects} objects ({kinds})")


def _named(named: dict[str, Any]) -> list[tuple[EntryKind, str]]:
    given = [(EntryKind(kind), name) for kind, name in named.items() if name]
    if len(given) != 1:
        raise InvalidInputError("name one of --plan, --study and --patient")
    return given
