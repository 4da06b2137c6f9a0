"""Jobs: what runs, what failed and why; try again or cancel."""

from collections.abc import Callable

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from rtpacs.errors import StateError
from rtpacs.rules.recalculation import RecalculationEvent, Scope
from webui.asking import PAGE_SIZE, pager, whole
from webui.callers import desk
from webui.pages.auth import own_path
from webui.policy import Need, needs

STATES = ("running", "ready", "retrying", "failed", "done", "cancelled")
ACTIVE_STATES = frozenset({"running", "ready", "retrying"})
CHANGES = {
    "pause": RecalculationEvent.PAUSED,
    "resume": RecalculationEvent.RESUMED,
    "cancel": RecalculationEvent.CANCELLED,
}

blueprint = Blueprint("jobs", __name__)


@blueprint.get("/jobs")
@needs(Need.SIGNED_IN)
def listing() -> str:
    """Jobs, newest first, with a filter by state."""
    asked = request.args.get("state", "")
    state = asked if asked in STATES else ""
    offset = whole("offset", 0, 0, 10_000_000)
    page = desk().operations.jobs(state=state, offset=offset, limit=PAGE_SIZE)
    return render_template(
        "jobs.html",
        page=page,
        pager=pager(page),
        state=state,
        states=STATES,
        active=any(job.state in ACTIVE_STATES for job in page.items),
        recalculation=desk().recalculations.present(),
        outdated=desk().recalculations.outdated(),
    )


@blueprint.get("/jobs/badge")
@needs(Need.SIGNED_IN)
def badge() -> str:
    """How many jobs run and failed, for the top bar.

    Every open page asks for it again and again, so the whole archive is not counted for it.
    """
    ask = desk().operations.jobs
    states = (*ACTIVE_STATES, "failed")
    counts = {state: ask(state=state, offset=0, limit=1).total for state in states}
    return render_template("badge.html", counts=counts)


@blueprint.post("/jobs/<int(max=2147483647):job_id>/retry")
@needs(Need.SIGNED_IN)
def retry(job_id: int) -> Response:
    """Let a failed job run again."""
    return _change(lambda: desk().operations.retry(job_id), "The job will run again.")


@blueprint.post("/jobs/<int(max=2147483647):job_id>/cancel")
@needs(Need.SIGNED_IN)
def cancel(job_id: int) -> Response:
    """Cancel a waiting or running job."""
    return _change(lambda: desk().operations.cancel(job_id), "The job is cancelled.")


@blueprint.post("/recalculation/start/<any(all, outdated):scope>")
@needs(Need.ADMINISTER)
def start_recalculation(scope: str) -> Response:
    """Calculate everything again, or what an earlier algorithm calculated."""
    return _change(
        lambda: desk().recalculations.start(Scope(scope)),
        "The recalculation has started; what arrives goes first.",
    )


@blueprint.post("/recalculation/<any(pause, resume, cancel):change>")
@needs(Need.ADMINISTER)
def change_recalculation(change: str) -> Response:
    """Pause, resume or cancel the recalculation."""
    event = CHANGES[change]
    return _change(
        lambda: desk().recalculations.change(event), f"The recalculation is {event.value}."
    )


def _change(act: Callable[[], object], done: str) -> Response:
    try:
        act()
        flash(done, "ok")
    except StateError as error:
        flash(str(error), "bad")
    return redirect(own_path(request.form.get("next")) or url_for("jobs.listing"), 303)
