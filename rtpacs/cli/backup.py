"""Commands that keep the archive safe and bring it back."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click

from rtpacs import bootstrap
from rtpacs.archive.pool import alone
from rtpacs.cli.recorded import recorded
from rtpacs.errors import BackupError
from rtpacs.rules.access_log import EventType
from rtpacs.services.backup import Backup, read_summary

EXIT_DAMAGED = 1
FOLDER = click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
SET = click.option("--set", "name", help="Name of a backup in the folder; default: the newest.")
EVERY = 1000


def _progress(done: int, total: int) -> None:
    if sys.stderr.isatty() and (done % EVERY == 0 or done == total):
        click.echo(f"\r{done} of {total} files", nl=done == total, err=True)


@click.command()
@FOLDER
@click.option("--keep", type=click.IntRange(min=1), help="Remove all but this many backups.")
@click.option("--verify", is_flag=True, help="Take none: read every file of one.")
@click.option("--list", "listing", is_flag=True, help="Take none: list those in the folder.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@SET
@recorded(EventType.EXPORT, "verify", "listing")
def backup(
    folder: Path, keep: int | None, verify: bool, listing: bool, as_json: bool, name: str | None
) -> None:
    """Back up the running system into FOLDER: each time only what is new.

    Database, decisions, keys, settings, Orthanc's index and every file, consistent, while senders
    send. The exit code is 1 when a file is damaged; it is listed.
    """
    if listing:
        _list(folder, as_json)
        return
    application = bootstrap.open_application()
    if folder.resolve().is_relative_to(application.settings.home):
        raise BackupError("a backup inside the data folder is lost with it: name another folder")
    with alone(folder):
        keeping = application.backup(folder.resolve())
        if verify:
            _verify(keeping, name, as_json)
            return
        summary = keeping.run(_progress)
        if keep:
            keeping.thin_out(keep)
    if as_json:
        click.echo(json.dumps(asdict(summary), default=str))
    else:
        click.echo(
            f"backup {summary.name}: {summary.files} files ({_mb(summary.size_bytes)}), "
            f"{summary.new_files} of them new ({_mb(summary.new_bytes)}), "
            f"{summary.seconds:.1f} s; Orthanc waited {summary.orthanc_stopped_seconds:.3f} s"
        )
    _tell_damage([f"{path}: its bytes changed since it was stored" for path in summary.damaged])


def _verify(keeping: Backup, name: str | None, as_json: bool) -> None:
    found, troubles = keeping.verify(name, _progress)
    if as_json:
        click.echo(json.dumps({"name": found, "damaged": troubles}))
    elif not troubles:
        click.echo(f"backup {found}: every file is there and unchanged")
    _tell_damage(troubles)


def _list(folder: Path, as_json: bool) -> None:
    sets = bootstrap.open_application().backup(folder.resolve()).sets
    found = [read_summary(sets.folder(name)) for name in sets.names()]
    if as_json:
        click.echo(json.dumps(found))
        return
    for one in found:
        click.echo(f"{one['name']}  {one['files']:>9} files  {one['started_at']}")


def _tell_damage(troubles: list[str]) -> None:
    for line in troubles:
        click.echo(f"damaged: {line}", err=True)
    if troubles:
        sys.exit(EXIT_DAMAGED)


@click.command()
@FOLDER
@SET
def restore(folder: Path, name: str | None) -> None:
    """Bring a backup in FOLDER back into an empty data folder (RTPACS_HOME).

    Nothing of rtpacs may run there. Then ``rtpacs serve`` continues where the backup was taken. The
    exit code is 1 when files are missing or damaged in the backup; they are listed.
    """
    summary = bootstrap.open_application().restore(folder.resolve()).run(name, _progress)
    click.echo(f"backup {summary.name}: {summary.files} files ({_mb(summary.size_bytes)}) are back")
    if summary.erased:
        click.echo(f"{summary.erased} files were erased after this backup and stay out")
    _tell_damage(list(summary.missing))


def _mb(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f} MB"
