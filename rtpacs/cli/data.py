"""Commands that take data out."""

from pathlib import Path

import click

from rtpacs import bootstrap
from rtpacs.cli.recorded import recorded
from rtpacs.errors import NotFoundError
from rtpacs.rules.access_log import EventType


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--plan-set", "plan_sets", multiple=True, help="Id of a plan set; default: all.")
@click.option("--user", "name", help="Only what this account may see now.")
@recorded(EventType.EXPORT, "plan_sets", "name")
def export(folder: Path, plan_sets: tuple[str, ...], name: str | None) -> None:
    """Write index and DVHs as one SQLite file and as CSV.

    The SQLite file describes itself: every table and column with its unit and meaning.
    """
    application = bootstrap.open_application()
    desk = application.system_desk
    if name is not None:
        account = desk.accounts.account(name)
        if account is None:
            raise NotFoundError(f"there is no active account {name}")
        desk = desk.for_actor(account.actor)
    written = application.write_extract(desk, folder, plan_sets or None)
    click.echo(f"{written} plan set{'' if written == 1 else 's'} written to {folder}")
