"""Orthanc's script for a fault: our plugin as it is, with a hook that fails for each arrival."""

from typing import Any

from plugins import rtpacs_plugin


def fail(arrival: Any) -> None:
    """In the place of the queue's ``put``."""
    raise ZeroDivisionError("injected")


rtpacs_plugin.WRITER.put = fail  # type: ignore[method-assign]  # the fault
