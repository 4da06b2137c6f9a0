"""The pages for people, one blueprint per area, and what every template may use."""

from webui.callers import caller, desk
from webui.pages import auth, jobs, pairs, patients, plans, senders, system

BLUEPRINTS = (
    auth.blueprint,
    patients.blueprint,
    plans.blueprint,
    pairs.blueprint,
    jobs.blueprint,
    senders.blueprint,
    system.blueprint,
)


def globals_for_templates() -> dict[str, object]:
    """What the frame of every page shows."""
    return {"user": caller(), "version": desk().version}
