"""The access log: whether anybody changed it, and all of it as CSV."""

import csv
import sys

import click

from rtpacs import bootstrap
from rtpacs.cli.recorded import recorded
from rtpacs.rules.access_log import EventType
from rtpacs.rules.spreadsheets import cell
from rtpacs.services.access_log import LogQuery, rows_of

COLUMNS = ("id", "at", "code", "type", "who", "address", "what", "outcome", "patient", "count")
EXIT_CHANGED = 1


@click.group()
def log() -> None:
    """The access log: who looked at what, and whether anybody changed it."""


@log.command()
@recorded(EventType.AUDIT_LOG_USED)
def verify() -> None:
    """Compare all rows with their seals, and the seals with the anchors beside the database.

    The exit code is 1 when rows were changed, removed or put in another order.
    """
    sealing = bootstrap.open_application().access_logging.sealing
    sealing.seal()
    found = sealing.verify()
    for each in found:
        click.echo(f"seal {each.seal}: {each.text}", err=True)
    if found:
        sys.exit(EXIT_CHANGED)
    click.echo(f"{len(sealing.anchors.all())} anchors: nothing was changed")


@log.command()
@click.option("--user", "who", default="", help="Only of this account or AE title.")
@click.option("--patient", default="", help="Only about the patient of this id.")
@recorded(EventType.AUDIT_LOG_USED, "who")
def export(who: str, patient: str) -> None:
    """Print the log as CSV, the newest first."""
    book = bootstrap.open_application().access_logging.book
    writer = csv.writer(sys.stdout)
    writer.writerow(COLUMNS)
    for row in rows_of(book, LogQuery(who=who, patient=patient)):
        values = (getattr(row, name) for name in COLUMNS)
        writer.writerow([cell(str(value)) for value in values])
