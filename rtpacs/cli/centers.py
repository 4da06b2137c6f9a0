"""Commands on centers."""

import json
from dataclasses import asdict
from datetime import UTC, datetime

import click

from rtpacs import bootstrap
from rtpacs.cli.recorded import recorded
from rtpacs.rules.access_log import EventType
from rtpacs.services.authority import OPERATOR


@click.group()
def center() -> None:
    """Institutions that submit and use data."""


@center.command("add")
@click.argument("code")
@click.option("--name", default="", help="Name for people.")
@recorded(EventType.SECURITY_ALERT, "code")
def add_center(code: str, name: str) -> None:
    """Add a center."""
    bootstrap.open_application().desk.directory.add_center(code, name)
    click.echo(f"center {code} added")


@center.command("newest-wins")
@click.argument("code")
@click.argument("answer", type=click.Choice(["yes", "no"]))
@recorded(EventType.SECURITY_ALERT, "code", "answer")
def newest_wins(code: str, answer: str) -> None:
    """Let the content count that a sender sent last (structure sets, plans and doses).

    Without it, another content under a known UID waits for a person's decision.
    """
    directory = bootstrap.open_application().desk.directory
    directory.let_newest_win(code, newest_wins=answer == "yes")
    click.echo(f"center {code}: newest wins: {answer}")


@center.command("pseudonyms")
@click.argument("code")
@click.argument("form")
@recorded(EventType.SECURITY_ALERT, "code", "form")
def require_pseudonyms(code: str, form: str) -> None:
    """Take uploads of a center only with pseudonyms of this FORM as name and number.

    In FORM # is a digit, ? a letter or digit: TRIAL-##-####. An empty FORM takes everything.
    Whatever else names the patient must then be absent or have the form too.
    """
    bootstrap.open_application().desk.directory.require_pseudonyms(code, form)
    click.echo(f"center {code}: pseudonyms of the form {form}" if form else f"center {code}: any")


@center.command("agreement")
@click.argument("code")
@click.option("--reference", required=True, help="Where the agreement can be read.")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), required=True, help="Its last day.")
@recorded(EventType.SECURITY_ALERT, "code", "reference")
def record_agreement(code: str, reference: str, until: datetime) -> None:
    """Record that administrators may tick in a center's column of permission matrices."""
    application = bootstrap.open_application()
    application.desk.agreements.record(
        code, reference=reference, expires_at=until.replace(tzinfo=UTC), author=OPERATOR
    )
    click.echo(f"agreement with {code} recorded until {until:%Y-%m-%d}")


@center.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_centers(as_json: bool) -> None:
    """List centers."""
    rows = bootstrap.open_application().desk.directory.centers()
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows]))
        return
    for row in rows:
        click.echo(f"{row.code:16} {row.name:32} {row.patients:>6} patients {row.nodes:>4} nodes")
