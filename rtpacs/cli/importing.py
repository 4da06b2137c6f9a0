"""The command that brings old exports in."""

import csv
import getpass
import json
import socket
import sys
import time
from collections.abc import Iterable
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import click

from rtpacs import bootstrap
from rtpacs.archive.journals import FileJournal, ImportRow
from rtpacs.errors import InvalidInputError
from rtpacs.rules.senders import Importer
from rtpacs.rules.spreadsheets import cell
from rtpacs.services.importing import ImportResult, Tally, preview
from rtpacs.services.storing import TROUBLE, Outcome

EXIT_TROUBLE = 1
LISTED = 20
TELL_SECONDS = 1.0
COLUMNS = ("file", "result", "reason", "orthanc_id")
LONGEST_UPLOADER = 50  # the sender's column has 64 characters


@click.command("import")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--center", help="Code of the center whose data this is.")
@click.option("--dry-run", is_flag=True, help="Only list what would be done.")
@click.option(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a CSV: one line a file.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--list", "as_list", is_flag=True, help="List imports: finished and interrupted ones."
)
@click.option("--forget", metavar="ID", help="Remove the journal of an import; its objects stay.")
def import_(  # noqa: PLR0913 - one for each option
    paths: tuple[Path, ...],
    center: str | None,
    dry_run: bool,
    report: Path | None,
    as_json: bool,
    as_list: bool,
    forget: str | None,
) -> None:
    """Import DICOM files of old exports: folders, DICOMDIRs, ZIPs.

    The same call again goes on where an earlier one ended, and tries once more what could not be
    read. The exit code is 1 when a file was refused, could not be read, or is a conflict.
    """
    application = bootstrap.open_application()
    if forget:
        application.imports.journals.forget(forget)
        return
    if as_list:
        _print_list(application.imports.journals.rows(), as_json=as_json)
        return
    # A named path may be a link; inside it none is followed.
    whole = tuple(path.resolve() for path in paths)
    _check(application, center, whole)
    importer = Importer(center=center or "", uploader=_uploader())
    run = _Run(application, whole, importer, report)
    tally = run.preview() if dry_run else run.send()
    click.echo(json.dumps(run.as_json(tally)) if as_json else run.as_text(tally))
    if sum(tally.outcomes[outcome] for outcome in TROUBLE):
        sys.exit(EXIT_TROUBLE)


def _check(application: bootstrap.Application, center: str | None, paths: tuple[Path, ...]) -> None:
    if not paths or not center:
        raise InvalidInputError("name a center with --center, and at least one path")
    if center not in {row.code for row in application.desk.directory.centers()}:
        raise InvalidInputError(f"there is no center {center}: rtpacs center add {center}")
    for path in paths:
        if not path.exists():
            raise InvalidInputError(f"there is no {path}")


def _uploader() -> str:
    return f"{getpass.getuser()}@{socket.gethostname()}"[:LONGEST_UPLOADER]


class _Run:
    """One call of the command."""

    def __init__(
        self,
        application: bootstrap.Application,
        paths: tuple[Path, ...],
        importer: Importer,
        report: Path | None,
    ) -> None:
        self._application = application
        self._paths = paths
        self._importer = importer
        self._report = report
        self._told = 0.0
        self.id = ""

    def preview(self) -> Tally:
        tally = Tally(total_bytes=0)
        found = self._application.imports.gatherer.gather(self._paths)
        self._write(preview(found, tally))
        return tally

    def send(self) -> Tally:
        application = self._application
        tally = Tally(total_bytes=application.imports.gatherer.total_bytes(self._paths))
        with (
            application.imports.journals.open(self._importer.center, self._paths) as journal,
            closing(application.reader()) as reader,
        ):
            self.id = journal.id
            application.imports.importing(reader).run(
                application.imports.gatherer.gather(self._paths),
                self._importer,
                journal,
                tally,
                self._tell,
            )
            journal.finish(application.clock().isoformat())
            self._list_trouble(journal)
            self._write(journal.results())
        return tally

    def _tell(self, tally: Tally) -> None:
        if not sys.stderr.isatty() or time.monotonic() - self._told < TELL_SECONDS:
            return
        self._told = time.monotonic()
        click.echo(f"\r{_progress(tally)}   ", nl=False, err=True)

    def _list_trouble(self, journal: FileJournal) -> None:
        troubled = [result for result in journal.results() if result.outcome in TROUBLE]
        for result in troubled[:LISTED]:
            click.echo(f"{result.outcome}: {_shown(result.source.name)}: {result.reason}", err=True)
        if len(troubled) > LISTED:
            click.echo(f"{len(troubled) - LISTED} more: see --report FILE", err=True)

    def _write(self, results: Iterable[ImportResult]) -> None:
        if self._report is None:
            # A preview is counted while it is gone through.
            for _ in results:
                pass
            return
        try:
            with self._report.open("w", newline="", encoding="utf-8") as file:
                writer = csv.writer(file)
                writer.writerow(COLUMNS)
                for result in results:
                    name = cell(_shown(result.source.name))
                    reason = cell(_shown(result.reason))
                    writer.writerow((name, result.outcome.value, reason, result.orthanc_id))
        except OSError as exc:
            raise InvalidInputError(f"cannot write {self._report}: {exc.strerror}") from exc

    def as_json(self, tally: Tally) -> dict[str, object]:
        return {
            "import": self.id,
            "center": self._importer.center,
            "files": tally.outcomes.total(),
            "results": {outcome.value: tally.outcomes[outcome] for outcome in Outcome},
            "sent": tally.objects,
            "seconds": round(tally.seconds, 3),
            "per_second": round(tally.per_second, 1),
        }

    def as_text(self, tally: Tally) -> str:
        lines = [
            f"{outcome:12} {tally.outcomes[outcome]:>8}"
            for outcome in Outcome
            if tally.outcomes[outcome]
        ]
        return "\n".join([*lines, _progress(tally)])


def _progress(tally: Tally) -> str:
    left = tally.remaining_seconds
    rest = f", {left / 60:.0f} min left" if left and left >= 1 else ""
    share = 100 * tally.passed_bytes / tally.total_bytes if tally.total_bytes else 100.0
    return f"{tally.objects} sent, {tally.per_second:.0f}/s, {min(share, 100):.0f} %{rest}"


def _print_list(rows: list[ImportRow], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows]))
        return
    for row in rows:
        counts = ", ".join(f"{count} {name}" for name, count in row.outcomes.items())
        end = f"finished {row.finished_at}" if row.finished_at else "not finished"
        paths = " ".join(map(_shown, row.paths))
        click.echo(f"{row.id}  {row.center}  {end}  {counts}\n    {paths}")


def _shown(text: str) -> str:
    """A file name as text: names on old discs are in any encoding."""
    return text.encode("utf-8", "replace").decode("utf-8")
