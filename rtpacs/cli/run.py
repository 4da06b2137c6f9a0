"""Commands that run the system and look at it."""

import json
import logging
import sys
from dataclasses import asdict

import click
from waitress import serve as serve_wsgi

from rtpacs import bootstrap
from rtpacs import worker as worker_module
from rtpacs.cli.first_start import add_accounts, send_demo
from rtpacs.serve import serve as serve_all
from rtpacs.services.views import StatusCounts
from rtpacs.settings import load

EXIT_JOBS_FAILED = 1
EXIT_TIMEOUT = 2
WEB_THREADS = 16
# Somebody waits, and so may all threads: a page that cannot write says so early.
WEB_BUSY_SECONDS = 10.0
LISTED = 50


def _log(level: str) -> None:
    """Log our own words at the chosen level; libraries only when something is wrong."""
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    for ours in ("rtpacs", "webui"):
        logging.getLogger(ours).setLevel(level)


@click.command()
@click.option("--demo", is_flag=True, help="Send the demo data on first start.")
def serve(demo: bool) -> None:
    """Run Orthanc, worker, web and door until Ctrl-C."""
    application = bootstrap.open_application()
    settings = application.settings
    _log(settings.log_level)
    click.echo(f"Starting rtpacs with the data folder {settings.home} …")

    def ready() -> None:
        sign_ins = add_accounts(application, demo=demo)
        click.echo(f"rtpacs is ready at http://{settings.web_host}:{settings.web_port}/")
        click.echo(f"  DICOM: AE title {settings.dicom_aet}, port {settings.dicom_port}")
        for line in sign_ins:
            click.echo(f"  {line}")
        if demo:
            send_demo(application)
        click.echo("Stop with Ctrl-C.")

    serve_all(application, ready=ready)
    click.echo("rtpacs has stopped.")


@click.command()
def worker() -> None:
    """Run one worker: it indexes arrivals and runs jobs."""
    application = bootstrap.open_application()
    _log(application.settings.log_level)
    worker_module.main(application)


@click.command()
def web() -> None:
    """Run the web process behind the door."""
    from webui import create_app

    application = bootstrap.open_application(busy_seconds=WEB_BUSY_SECONDS)
    application.access_logging.recorder.start()
    _log(application.settings.log_level)
    serve_wsgi(
        create_app(application.desk),
        host="127.0.0.1",
        port=application.settings.web_internal_port,
        threads=WEB_THREADS,
        max_request_body_size=application.settings.upload_mb * 2**20,
        trusted_proxy="127.0.0.1",
        trusted_proxy_headers={"x-forwarded-for", "x-forwarded-proto"},
        clear_untrusted_proxy_headers=True,
        ident="rtpacs",
    )


@click.command()
def demo() -> None:
    """Send the demo data to the running system (again is harmless)."""
    send_demo(bootstrap.open_application(), again=True)


@click.command()
@click.option("--wait", is_flag=True, help="Wait until everything that arrived is calculated.")
@click.option("--timeout", default=600.0, show_default=True, help="Seconds to wait.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(wait: bool, timeout: float, as_json: bool) -> None:
    """Print counts, and what failed or is retried.

    With --wait: until every arrival is indexed and no job waits or runs, but for those that wait
    for another try after an error. The exit code is 1 when a job or an arrival is listed, and 2
    when waiting took too long.
    """
    application = bootstrap.open_application()
    settled = True
    if wait:
        settled = application.settling.wait(
            timeout, tell=lambda text: click.echo(f"waiting: {text}", err=True)
        )
    counts = application.desk.operations.status()
    click.echo(json.dumps(_as_json(counts)) if as_json else _as_text(counts))
    troubled = _troubled(application)
    for line in troubled:
        click.echo(line, err=True)
    if not settled:
        click.echo(f"rtpacs: not settled after {timeout:.0f} s", err=True)
        sys.exit(EXIT_TIMEOUT)
    if troubled:
        sys.exit(EXIT_JOBS_FAILED)


def _as_json(counts: StatusCounts) -> dict[str, object]:
    values = asdict(counts)
    jobs = {name: values.pop(name) for name in ("ready", "running", "retrying", "failed")}
    return {"inbox": values.pop("inbox"), "jobs": jobs, **values}


def _as_text(counts: StatusCounts) -> str:
    return "\n".join(f"{name:16} {value:>8}" for name, value in asdict(counts).items())


def _troubled(application: bootstrap.Application) -> list[str]:
    lines = []
    for state in ("failed", "retrying"):
        for job in application.system_desk.operations.jobs(
            state=state, offset=0, limit=LISTED
        ).items:
            lines.append(f"{state} job {job.id} ({job.kind} {job.key}): {job.error}")
    for orthanc_id, error in application.inbox.troubled(LISTED):
        lines.append(f"retrying arrival {orthanc_id}: {error}")
    return lines


@click.command()
@click.option("--reread", is_flag=True, help="Also read once more what could not be read.")
@click.option("--files", is_flag=True, help="Also bring back files that Orthanc's index lost.")
@click.option("--adopt", is_flag=True, help="The archive was replaced on purpose: follow this one.")
def reconcile(reread: bool, adopt: bool, files: bool) -> None:
    """Compare index and archive in full and repair what differs.

    What an earlier version of rtpacs could not read is read once more anyway, when the archive is
    compared after a start; --reread does so with everything unreadable, after a limit was raised.
    """
    application = bootstrap.open_application()
    if adopt:
        application.belonging.adopt()
    if files:
        _sweep(application)

    def progress(done: int, total: int) -> None:
        if total and sys.stderr.isatty():
            click.echo(f"\r{done} of {total} differences put into the inbox", nl=False, err=True)

    found = application.reconciler.run(progress)
    click.echo(
        f"archive {found.archive}, index {found.index}: "
        f"{len(found.unindexed)} to index, {len(found.vanished)} vanished"
    )
    if reread:
        again = application.reconciler.reread(all_unreadable=True)
        click.echo(f"{again} unreadable objects will be read once more")


def _sweep(application: bootstrap.Application) -> None:
    """Compare Orthanc's files with its index; a line for each file that is left over."""
    application.reconciler.require_own_archive()
    found = application.orphans.sweep(lambda done, total: None)
    click.echo(
        f"{found.files} files: {len(found.recovered)} objects brought back, "
        f"{len(found.doubles)} doubles removed"
        + (f", {len(found.erased)} erased ones removed" if found.erased else "")
    )
    for name in found.different:
        click.echo(f"{name} has the identifiers of a known object and other bytes: left", err=True)
    for name in found.unusable:
        click.echo(f"{name} is no object that Orthanc takes: left", err=True)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def settings(as_json: bool) -> None:
    """Print every setting with its value, source and meaning.

    Secrets are masked.
    """
    rows = load()[1]
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows], indent=2))
        return
    for row in rows:
        click.echo(f"{row.variable} = {row.value or '(empty)'}  [{row.source}]\n    {row.help}")
