"""Taking data out: a center withdraws, a patient is erased."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click

from rtpacs import bootstrap, keyring
from rtpacs.cli.recorded import recorded
from rtpacs.errors import InvalidInputError
from rtpacs.rules.access_log import EventType
from rtpacs.rules.removals import RemovalKind, RemovalRequest, is_signed
from rtpacs.settings import load

CENTER = click.option("--center", required=True, help="Code of the center.")
NUMBER = click.option("--patient", "number", required=True, help="Number of the patient.")
ISSUER = click.option("--issuer", default="", help="Where a center has the number twice.")
UID = click.option("--uid", default="", help="Only this study, series or object.")
REASON = click.option("--reason", required=True, help="Why; no names.")
CONFIRM = click.option("--confirm", help="The patient's number once more; asked for when left out.")
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
LISTED = 500


@click.group()
def removal() -> None:
    """Withdraw what a center sent, or erase a patient."""


@removal.command()
@CENTER
@NUMBER
@ISSUER
@UID
@AS_JSON
def preview(center: str, number: str, issuer: str, uid: str, as_json: bool) -> None:
    """Say what would go; nothing is done."""
    asked = RemovalRequest(center=center, number=number, issuer=issuer, uid=uid)
    found = bootstrap.open_application().system_desk.removals.preview(asked)
    if as_json:
        click.echo(json.dumps(asdict(found), default=str))
        return
    roles = ", ".join(f"{count} {role}" for role, count in found.roles)
    click.echo(f"{found.objects} objects ({found.size_bytes / 1e6:.1f} MB): {roles}")
    click.echo(f"{found.plan_sets} plan sets of the patient")
    for code, count in found.others:
        click.echo(f"{code} owns {count} of these objects too")
    for code in found.elsewhere:
        click.echo(f"{code} has a patient of the same number, which is not touched")


@removal.command()
@CENTER
@NUMBER
@ISSUER
@UID
@REASON
@CONFIRM
@recorded(EventType.STUDY_DELETED, "center")
def withdraw(
    center: str, number: str, issuer: str, uid: str, reason: str, confirm: str | None
) -> None:
    """Take out what a center sent; undone until the days of RTPACS_WITHDRAWAL_DAYS are over."""
    asked = RemovalRequest(center=center, number=number, issuer=issuer, uid=uid)
    _ask(RemovalKind.WITHDRAWAL, asked, reason, confirm)


@removal.command()
@CENTER
@NUMBER
@ISSUER
@REASON
@CONFIRM
@recorded(EventType.STUDY_DELETED, "center")
def erase(center: str, number: str, issuer: str, reason: str, confirm: str | None) -> None:
    """Erase a patient for good, with all copies of the same objects."""
    asked = RemovalRequest(center=center, number=number, issuer=issuer)
    _ask(RemovalKind.ERASURE, asked, reason, confirm)


def _ask(kind: RemovalKind, asked: RemovalRequest, reason: str, confirm: str | None) -> None:
    removals = bootstrap.open_application().system_desk.removals
    found = removals.preview(asked)
    if confirm is None:
        click.echo(f"{kind}: {found.objects} objects of {found.center}", err=True)
        confirm = click.prompt("Type the patient's number to confirm", err=True)
    made = removals.ask(kind, asked, confirm=confirm, reason=reason)
    click.echo(f"{made.id}: {made.objects} objects, {made.state}")


@removal.command("list")
@AS_JSON
def list_removals(as_json: bool) -> None:
    """List withdrawals and erasures, the newest first."""
    rows = bootstrap.open_application().system_desk.removals.rows(offset=0, limit=LISTED).items
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows], default=str))
        return
    for row in rows:
        click.echo(
            f"{row.id}  {row.kind:10} {row.state:8} {row.center_code:16} "
            f"{row.objects:>7} objects  {row.asked_at:%Y-%m-%d %H:%M}"
        )


@removal.command()
@click.argument("removal_id")
@recorded(EventType.STUDY_DELETED, "removal_id")
def undo(removal_id: str) -> None:
    """Take a withdrawal back while it waits."""
    bootstrap.open_application().system_desk.removals.undo(removal_id)
    click.echo("undone")


@removal.command()
@click.argument("removal_id")
def certificate(removal_id: str) -> None:
    """Print the certificate of an erasure."""
    found = bootstrap.open_application().system_desk.removals.certificate(removal_id)
    click.echo(json.dumps(found, indent=1, ensure_ascii=False))


@removal.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def check(file: Path) -> None:
    """Tell whether a certificate is as this installation signed it; exit code 1 when not."""
    try:
        document = dict(json.loads(file.read_text(encoding="utf-8")))
    except ValueError as exc:
        raise InvalidInputError(f"{file} is no certificate") from exc
    key = keyring.secret(load()[0].home, keyring.ERASURE_KEY).encode("ascii")
    if not is_signed(key, document):
        click.echo("not signed here, or changed since", err=True)
        sys.exit(1)
    click.echo("signed here and unchanged")
