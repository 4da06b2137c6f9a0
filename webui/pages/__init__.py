"""The pages for people, one blueprint per area, and what every template may use."""

from flask import url_for

from webui.callers import caller, desk
from webui.deciding import waiting_count
from webui.pages import (
    access_log,
    auth,
    decisions,
    downloads,
    jobs,
    objects,
    pairs,
    patients,
    plans,
    profile,
    projects,
    remote,
    removals,
    senders,
    system,
    transfers,
    upload,
    users,
    versions,
    viewer,
)
from webui.policy import submits
from webui.shortcuts import offered, places

BLUEPRINTS = (
    auth.blueprint,
    patients.blueprint,
    plans.blueprint,
    pairs.blueprint,
    viewer.blueprint,
    upload.blueprint,
    versions.blueprint,
    objects.blueprint,
    decisions.blueprint,
    transfers.blueprint,
    downloads.blueprint,
    projects.blueprint,
    remote.blueprint,
    jobs.blueprint,
    users.blueprint,
    profile.blueprint,
    senders.blueprint,
    removals.blueprint,
    access_log.blueprint,
    system.blueprint,
)


def globals_for_templates() -> dict[str, object]:
    """What the frame of every page shows."""
    account = caller()
    return {
        "user": account,
        "desk": desk(),
        "version": desk().version,
        "shortcuts": lambda: offered(desk()),
        "places": lambda: places(offered(desk()), url_for),
        "may_upload": account is not None and submits(desk()),
        "to_decide_count": lambda: waiting_count() if account else None,
    }
