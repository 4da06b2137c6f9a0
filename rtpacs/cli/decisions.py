"""Commands that take decisions of people out and in."""

from typing import TextIO

import click

from rtpacs import bootstrap
from rtpacs.cli.recorded import recorded
from rtpacs.rules.access_log import EventType
from rtpacs.store.decision_lines import from_lines, to_lines


@click.group()
def decisions() -> None:
    """What people settled: take it out and in."""


@decisions.command("export")
@click.argument("file", type=click.File("w", encoding="utf-8"), default="-")
@recorded(EventType.EXPORT)
def export_decisions(file: TextIO) -> None:
    """Write every decision, undone ones too, as JSON lines."""
    file.writelines(to_lines(bootstrap.open_application().decisions.dump()))


@decisions.command("import")
@click.argument("file", type=click.File("r", encoding="utf-8"))
@recorded(EventType.IMPORT)
def import_decisions(file: TextIO) -> None:
    """Take over the decisions of an export; what is known already stays as it is."""
    changed = bootstrap.open_application().decisions.load(from_lines(file))
    click.echo(f"{changed} decision{'' if changed == 1 else 's'} taken over")
