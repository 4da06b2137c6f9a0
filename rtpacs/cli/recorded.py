"""Commands that leave a row in the access log, as the pages do."""

import functools
import getpass
from collections.abc import Callable
from typing import ParamSpec

import click

from rtpacs import bootstrap
from rtpacs.errors import StoreUnavailableError
from rtpacs.rules.access_log import AccessEvent, EventType
from rtpacs.services.authority import OPERATOR

P = ParamSpec("P")


def recorded(
    kind: EventType, *named: str
) -> Callable[[Callable[P, str | None]], Callable[P, None]]:
    """Make a command that ended well leave a row: who at this machine, which command, on what.

    A command may return what it did, in words for the row.

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
            done = command(*args, **kwargs)
            values = " ".join(f"{name} {_words(kwargs[name])}" for name in named if kwargs[name])
            path = click.get_current_context().command_path
            _record(kind, ": ".join(text for text in (path, values, done) if text))

        return run

    return decorate


def _words(value: object) -> str:
    return ", ".join(sorted(map(str, value))) if isinstance(value, tuple) else str(value)


def _record(kind: EventType, what: str) -> None:
    recorder = bootstrap.open_application().access_logging.recorder
    who = f"{OPERATOR} ({getpass.getuser()})"
    recorder.note(AccessEvent(type=kind, who=who, address="", what=what))
    if not recorder.flush():
        raise StoreUnavailableError(f"it is done, but the access log lacks it: {recorder.trouble}")
