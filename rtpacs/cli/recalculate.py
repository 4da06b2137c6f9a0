"""The command that calculates again what is calculated already."""

import json
import sys
import time
from dataclasses import asdict
from datetime import datetime

import click

from rtpacs import bootstrap
from rtpacs.errors import InvalidInputError
from rtpacs.rules.recalculation import RecalculationEvent, RecalculationState, Scope
from rtpacs.services.recalculate import Watching
from rtpacs.services.views import RecalculationRow

EXIT_INCOMPLETE = 1
LOOK_SECONDS = 0.5
SCOPES = {"all": Scope.ALL, "outdated": Scope.OUTDATED}
EVENTS = {
    "pause": RecalculationEvent.PAUSED,
    "resume": RecalculationEvent.RESUMED,
    "cancel": RecalculationEvent.CANCELLED,
}
STILL = ("waiting", "running")


@click.command()
@click.option("--all", "act", flag_value="all", help="Start with every calculation.")
@click.option(
    "--outdated", "act", flag_value="outdated", help="Start with those of an earlier algorithm."
)
@click.option(
    "--pause", "act", flag_value="pause", help="Pause; what is being calculated is finished."
)
@click.option("--resume", "act", flag_value="resume", help="Go on where it was paused.")
@click.option("--cancel", "act", flag_value="cancel", help="End it; what is calculated stays.")
@click.option("--plan-set", "plan_sets", multiple=True, help="One plan set, by its id; may repeat.")
@click.option("--wait", is_flag=True, help="Wait for the end, with progress.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def recalculate(act: str | None, plan_sets: tuple[str, ...], wait: bool, as_json: bool) -> None:
    """Calculate DVHs again: one plan set, or the whole archive.

    Without options: how far it is. Results stay until new ones replace them; what arrives goes
    first. The exit code of --wait is 1 when a calculation failed, or when it was paused or
    cancelled before its end.
    """
    application = bootstrap.open_application()
    if plan_sets:
        if act:
            raise InvalidInputError(f"--plan-set and --{act} exclude each other")
        _again(application, plan_sets, wait=wait)
        return
    _act(application, act)
    watching = Watching(recalculations=application.recalculations)
    row = watching.wait(tell=_tell) if wait else application.recalculations.present()
    outdated = application.recalculations.outdated()
    click.echo(json.dumps(_as_json(row, outdated)) if as_json else _as_text(row, outdated))
    if wait and row is not None and (row.failed or row.state is not RecalculationState.DONE):
        sys.exit(EXIT_INCOMPLETE)


def _act(application: bootstrap.Application, act: str | None) -> None:
    if act in SCOPES and not application.recalculations.start(SCOPES[act]):
        click.echo("nothing is to be calculated again", err=True)
    if act in EVENTS:
        application.recalculations.change(EVENTS[act])


def _again(application: bootstrap.Application, plan_sets: tuple[str, ...], *, wait: bool) -> None:
    catalogue = application.system_desk.catalogue
    pairs = [catalogue.plan_set(plan_set).row.pair_id for plan_set in plan_sets]
    for plan_set, pair in zip(plan_sets, pairs, strict=True):
        if pair is None:
            raise InvalidInputError(f"plan set {plan_set} has no structure set with a dose")
        application.recalculations.again(pair)
    waiting = list(filter(None, pairs)) if wait else []
    failed = [pair for pair in waiting if _await(application, pair) == "failed"]
    click.echo(f"{len(pairs)} {'calculated' if wait else 'asked for'}, {len(failed)} failed")
    if failed:
        sys.exit(EXIT_INCOMPLETE)


def _await(application: bootstrap.Application, pair: str) -> str:
    while (state := application.system_desk.doses.calculation(pair).state) in STILL:
        time.sleep(LOOK_SECONDS)
    return state


def _tell(row: RecalculationRow) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r{_progress(row)}   ", nl=False, err=True)


def _progress(row: RecalculationRow) -> str:
    rest = ""
    if row.per_hour is not None and row.remaining_s is not None:
        rest = f", {row.per_hour:.0f} per hour, {row.remaining_s / 3600:.1f} h left"
    return f"{row.done} of {row.total} calculated, {row.failed} failed{rest}"


def _as_text(row: RecalculationRow | None, outdated: int) -> str:
    present = "none yet" if row is None else f"{row.state} ({row.scope}): {_progress(row)}"
    return f"recalculation {present}\noutdated      {outdated}"


def _as_json(row: RecalculationRow | None, outdated: int) -> dict[str, object]:
    values = None if row is None else {name: _plain(value) for name, value in asdict(row).items()}
    return {"outdated": outdated, "recalculation": values}


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value
