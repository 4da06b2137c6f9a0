"""Orthanc's script for the hook benchmark: our plugin as it is, its hook under a stopwatch.

``GET /benchmark/hook`` gives, for each call since the last question, its seconds by the wall clock
and of the processor.
"""

import json
from collections.abc import Callable
from time import perf_counter, thread_time
from typing import Any

import orthanc

Hook = Callable[[Any, str], None]
HOOKS: list[Hook] = []
SECONDS: list[tuple[float, float]] = []

# The plugin registers when it is imported; its hook is caught here and registered with the watch.
register = orthanc.RegisterOnStoredInstanceCallback
orthanc.RegisterOnStoredInstanceCallback = HOOKS.append  # type: ignore[assignment] # for a moment
from plugins import rtpacs_plugin  # noqa: E402

orthanc.RegisterOnStoredInstanceCallback = register
if [rtpacs_plugin.on_stored_instance] != HOOKS:
    raise RuntimeError("the plugin registered another hook than on_stored_instance")


def timed(instance: Any, orthanc_id: str) -> None:
    """Call the hook and keep how long it took."""
    began, began_cpu = perf_counter(), thread_time()
    HOOKS[0](instance, orthanc_id)
    SECONDS.append((perf_counter() - began, thread_time() - began_cpu))


def answer(output: Any, uri: str, **request: Any) -> None:
    """Give the measured seconds and forget them."""
    taken = SECONDS.copy()
    SECONDS.clear()
    output.AnswerBuffer(json.dumps(taken), "application/json")


register(timed)
orthanc.RegisterRestCallback("/benchmark/hook", answer)
