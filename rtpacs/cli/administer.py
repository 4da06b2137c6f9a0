"""Commands of the administrator: centers, nodes, accounts."""

import json
import sys
from dataclasses import asdict
from typing import Any

import click

from rtpacs import bootstrap
from rtpacs.errors import InvalidInputError
from rtpacs.rules.access import AccountRole
from rtpacs.services.desk import NewAccount, NewNode

USES = ("store", "query", "receive")
ROLES = {role.value: role for role in AccountRole if role is not AccountRole.NODE}
OTHER_NAMES = {
    "system-administrator": AccountRole.ADMINISTRATOR,
    "reader": AccountRole.CLINICAL_READER,
    "physicist": AccountRole.SUBMITTER,
}


class RoleName(click.ParamType):  # type: ignore[type-arg]  # generic in newer releases only
    """A role in words; spaces and underscores are as good as hyphens."""

    name = "role"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> AccountRole:
        """The role of a name."""
        text = str(value).strip().lower().replace("_", "-").replace(" ", "-")
        role = ROLES.get(text) or OTHER_NAMES.get(text)
        if role is None:
            self.fail(f"{value} is none of {', '.join(ROLES)}", param, ctx)
        return role


@click.group()
def center() -> None:
    """Institutions that submit and use data."""


@center.command("add")
@click.argument("code")
@click.option("--name", default="", help="Name for people.")
def add_center(code: str, name: str) -> None:
    """Add a center."""
    bootstrap.open_application().desk.directory.add_center(code, name)
    click.echo(f"center {code} added")


@center.command("newest-wins")
@click.argument("code")
@click.argument("answer", type=click.Choice(["yes", "no"]))
def newest_wins(code: str, answer: str) -> None:
    """Let the content count that a sender sent last (structure sets, plans and doses).

    Without it, another content under a known UID waits for a person's decision.
    """
    directory = bootstrap.open_application().desk.directory
    directory.let_newest_win(code, newest_wins=answer == "yes")
    click.echo(f"center {code}: newest wins: {answer}")


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


@click.group()
def node() -> None:
    """DICOM application entities that we know."""


@node.command("add")
@click.argument("aet")
@click.option("--host", required=True, help="Address of the node; it sends from here too.")
@click.option("--port", type=int, help="Port on which it receives.")
@click.option("--center", "center_code", required=True, help="Code of its center.")
@click.option("--may", default="store", show_default=True, help="store,query,receive")
@click.option("--network", multiple=True, help="Further address or network it sends from.")
@click.option("--tls", is_flag=True, help="We call it by TLS, and never without.")
def add_node(aet: str, *, center_code: str, may: str, host: str, **where: Any) -> None:
    """Add a node; data that it already sent moves to its center."""
    uses = {use.strip() for use in may.split(",") if use.strip()}
    if not uses <= set(USES):
        raise InvalidInputError(f"--may takes {', '.join(USES)}, separated by commas")
    bootstrap.open_application().desk.directory.add_node(
        NewNode(
            aet=aet,
            center_code=center_code,
            host=host,
            port=where["port"],
            networks=(host, *where["network"]),
            tls=where["tls"],
            may_store="store" in uses,
            may_query="query" in uses,
            may_receive="receive" in uses,
        )
    )
    click.echo(f"node {aet} of {center_code} added")


@node.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_nodes(as_json: bool) -> None:
    """List nodes."""
    rows = bootstrap.open_application().desk.directory.nodes()
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows]))
        return
    for row in rows:
        click.echo(f"{row.aet:16} {row.center_code:16} {', '.join(row.networks)}")


@click.group()
def user() -> None:
    """Accounts of people."""


@user.command("add")
@click.argument("name")
@click.option("--center", "center_code", help="Code of its center; roles at a center need it.")
@click.option(
    "--role",
    "roles",
    type=RoleName(),
    multiple=True,
    required=True,
    help=f"{', '.join(ROLES)}; may be given again.",
)
@click.option("--password-stdin", is_flag=True, required=True, help="Read the password.")
def add_user(
    name: str, center_code: str | None, roles: tuple[AccountRole, ...], password_stdin: bool
) -> None:
    """Add an account; its password comes on standard input."""
    password = sys.stdin.readline().rstrip("\n")
    new = NewAccount(name=name, roles=frozenset(roles), center=center_code)
    bootstrap.open_application().desk.accounts.add(new, password)
    click.echo(f"account {name} added")
