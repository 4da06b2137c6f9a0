"""Commands around accounts: people, their tokens, and what centers agreed to."""

import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from rtpacs import bootstrap
from rtpacs.cli.recorded import recorded
from rtpacs.errors import InvalidInputError, NotFoundError
from rtpacs.rules.access import AccountRole, Action, Narrowing
from rtpacs.rules.access_log import EventType
from rtpacs.services.access_log import change_text
from rtpacs.services.desk import NewAccount, NewToken, account_row
from rtpacs.tokens import Tokens, give_token

ROLES = {role.value: role for role in AccountRole if role is not AccountRole.NODE}
OTHER_NAMES = {
    "system-administrator": AccountRole.ADMINISTRATOR,
    "reader": AccountRole.CLINICAL_READER,
    "physicist": AccountRole.SUBMITTER,
}
ROLE_HELP = f"{', '.join(ROLES)}; may be given again."


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
def user() -> None:
    """Accounts of people."""


@user.command("add")
@click.argument("name")
@click.option("--center", "center_code", help="Code of its center; roles at a center need it.")
@click.option("--role", "roles", type=RoleName(), multiple=True, required=True, help=ROLE_HELP)
@click.option("--password-stdin", is_flag=True, required=True, help="Read the password.")
@recorded(EventType.SECURITY_ALERT)
def add_user(
    name: str, center_code: str | None, roles: tuple[AccountRole, ...], password_stdin: bool
) -> str:
    """Add an account; its password comes on standard input."""
    password = sys.stdin.readline().rstrip("\n")
    new = NewAccount(name=name, roles=frozenset(roles), center=center_code)
    accounts = bootstrap.open_application().desk.accounts
    accounts.add(new, password)
    click.echo(f"account {name} added")
    return change_text(None, account_row(accounts, name.strip().casefold()))


@user.command("change")
@click.argument("name")
@click.option("--center", "center_code", help="Code of its center.")
@click.option("--role", "roles", type=RoleName(), multiple=True, required=True, help=ROLE_HELP)
@click.option("--inactive", is_flag=True, help="It can no longer sign in; nothing is deleted.")
@recorded(EventType.SECURITY_ALERT)
def change_user(
    name: str, center_code: str | None, roles: tuple[AccountRole, ...], inactive: bool
) -> str:
    """Give an account other roles or another center, or (de)activate it."""
    accounts = bootstrap.open_application().desk.accounts
    before = account_row(accounts, name.strip().casefold())
    accounts.change(name, roles=frozenset(roles), center_code=center_code, active=not inactive)
    click.echo(f"account {name} changed")
    return change_text(before, account_row(accounts, name.strip().casefold()))


@user.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_users(as_json: bool) -> None:
    """List accounts."""
    rows = bootstrap.open_application().desk.accounts.all()
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows], default=str))
        return
    for row in rows:
        state = "" if row.active else "deactivated"
        click.echo(f"{row.name:24} {row.center_code or '':12} {', '.join(row.roles):32} {state}")


@click.group()
def token() -> None:
    """Personal access tokens for scripts."""


@token.command("create")
@click.option("--user", "owner", required=True, help="Whose; the token can only narrow its rights.")
@click.option("--name", default="command line", show_default=True, help="What it is for.")
@click.option("--days", default=90, show_default=True, help="Days until it ends.")
@click.option("--actions", default="", help="Only these, for example info,send; empty: all.")
@click.option("--project", "projects", multiple=True, help="Only what these projects give.")
@recorded(EventType.SECURITY_ALERT, "owner", "name", "actions", "projects")
def create_token(owner: str, name: str, days: int, actions: str, projects: tuple[str, ...]) -> None:
    """Print a new token; it is shown this once."""
    application = bootstrap.open_application()
    account = application.desk.accounts.account(owner)
    if account is None:
        raise NotFoundError(f"there is no active account {owner}")
    tokens = Tokens(secret_key=application.desk.secret_key, clock=application.clock)
    new = NewToken(
        name=name,
        expires_at=datetime.now(UTC) + timedelta(days=days),
        narrowing=Narrowing(
            actions=_actions(actions), projects=frozenset(projects) if projects else None
        ),
    )
    click.echo(give_token(tokens, application.desk.accounts, account, new))


def _actions(text: str) -> frozenset[Action]:
    names = {part.strip() for part in text.split(",") if part.strip()}
    if not names <= set(Action):
        raise InvalidInputError(f"--actions takes {', '.join(Action)}, separated by commas")
    return frozenset(map(Action, names)) if names else frozenset(Action)


@token.command("list")
@click.option("--user", "owner", required=True, help="Whose.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_tokens(owner: str, as_json: bool) -> None:
    """List the personal tokens of an account."""
    rows = bootstrap.open_application().desk.accounts.tokens(owner)
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows], default=str))
        return
    for row in rows:
        click.echo(f"{row.id} {row.name:24} until {row.expires_at:%Y-%m-%d}")


@token.command("revoke")
@click.argument("token_id")
@click.option("--user", "owner", required=True, help="Whose.")
@recorded(EventType.SECURITY_ALERT, "owner", "token_id")
def revoke_token(token_id: str, owner: str) -> None:
    """Let a token open nothing from now on."""
    bootstrap.open_application().desk.accounts.revoke(owner, token_id)
    click.echo("revoked")
