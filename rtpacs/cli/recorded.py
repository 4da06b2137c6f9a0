"""Commands that leave a row in the access log, as the pages do."""

import functools
import getpass
from collections.abc import Callable
from typing import ParamSpec

import click

from rtpacs import bootstrap
from rtpacs.errors import RtpacsError, StoreUnavailableError
from rtpacs.rules.access_log import AccessEvent, EventType, Outcome
from rtpacs.services.authority import OPERATOR

P = ParamSpec("P")


def recorded(
    kind: EventType, *named: str
) -> Callable[[Callable[P, str | None]], Callable[P, None]]:
    """Make a command leave a row: who at this machine, which command, on what, how it ended.

    A command may return what it did, in words for the row. What was refused or failed is a row
    without values, as on the pages: a password or a name may stand in the wrong place.

    Parameters
    ----------
    kind
        What the command is in the access log.
    named
        Those of its parameters whose values the row has: nothing of a patient, no secret.
    """

    def decorate(command: Callable[P, str | None]) -> Callable[P, None]:
        @functools.wraps(command)
        def run(*args: P.args, **kwargs: P.kwargs) -> None:
            path = click.get_current_context().command_path
            try:
                done = command(*args, **kwargs)
            except BaseException as exc:  # also what was broken off: some of it may be done
                _record_failure(kind, path, exc)
                raise
            values = " ".join(f"{name} {_words(kwargs[name])}" for name in named if kwargs[name])
            trouble = _record(kind, ": ".join(text for text in (path, values, done) if text))
            if trouble:
                raise StoreUnavailableError(f"it is done, but the access log lacks it: {trouble}")

        return run

    return decorate


def _words(value: object) -> str:
    return ", ".join(sorted(map(str, value))) if isinstance(value, tuple) else str(value)


def _record_failure(kind: EventType, path: str, error: BaseException) -> None:
    refused = isinstance(error, RtpacsError) and not error.retryable
    try:
        trouble = _record(kind, path, Outcome.REFUSED if refused else Outcome.FAILED)
    except RtpacsError as exc:
        trouble = str(exc)
    if trouble:
        click.echo(f"rtpacs: the access log lacks this: {trouble}", err=True)


def _record(kind: EventType, what: str, outcome: Outcome = Outcome.SUCCESS) -> str:
    """Write the row; why it could not be, empty where it was."""
    recorder = bootstrap.open_application().access_logging.recorder
    who = f"{OPERATOR} ({getpass.getuser()})"
    recorder.note(AccessEvent(type=kind, who=who, address="", what=what, outcome=outcome))
    return "" if recorder.flush() else recorder.trouble
