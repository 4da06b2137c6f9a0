"""Projects: the list, and one with its overview, data, members and rights, and log."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from rtpacs.errors import AccessDeniedError, InvalidInputError, NotFoundError, StateError
from rtpacs.rules.access import TICKS, Action, Reach, Resource, rights_of, shared_in
from rtpacs.rules.projects import Entry, EntryKind, ProjectFacts
from rtpacs.services.desk import Query
from rtpacs.services.project_views import MatrixView, ProjectRow
from webui.asking import PAGE_SIZE, pager, whole
from webui.callers import desk
from webui.matrix import PRESETS, changed_cells, day, field, state
from webui.policy import Need, needs
from webui.recording import says
from webui.words import sentence

LONGEST_TEXT = 2000
ANNOUNCED = timedelta(days=30)

blueprint = Blueprint("projects", __name__)


@blueprint.before_request
def only_theirs() -> None:
    """Answer strangers, whatever they send, as if the project were not there."""
    code = (request.view_args or {}).get("code")
    if code is not None:
        desk().authority.require_open(code)


@blueprint.get("/projects")
@needs(Need.SIGNED_IN)
def listing() -> str:
    """The projects that this account may open."""
    return render_template(
        "projects.html", rows=desk().projects.mine(), may_start=desk().may(Action.START)
    )


@blueprint.post("/projects")
@needs(Need.SIGNED_IN)
def add() -> Response:
    """Make a project."""
    return _change(
        lambda: desk().projects.make(_facts(request.form.get("code", "").strip())),
        "The project is made. Add members, then data.",
        url_for("projects.listing"),
    )


@blueprint.get("/projects/<code>")
@needs(Need.SIGNED_IN)
def overview(code: str) -> str:
    """What it is, who leads it, and what ends soon."""
    row = desk().projects.one(code)
    matrix = desk().projects.matrix(code)
    return _page(row, "overview", matrix=matrix, ending=_ending(row, matrix))


@blueprint.post("/projects/<code>")
@needs(Need.SIGNED_IN)
def change(code: str) -> Response:
    """Change what it is and how long it lasts."""
    return _change(
        lambda: desk().projects.change(_facts(code)),
        "Saved.",
        url_for("projects.overview", code=code),
    )


@blueprint.get("/projects/<code>/data")
@needs(Need.SHOWN)
def data(code: str) -> str:
    """What is in it; with ``kind`` and ``name`` how much that would bring."""
    row = desk().projects.one(code)
    page = desk().projects.entries(code, offset=whole("offset", 0, 0, 10_000_000), limit=PAGE_SIZE)
    asked, held, error = None, None, None
    if request.args.get("name", "").strip():
        try:
            asked = _asked_entry(request.args)
            held = desk().projects.preview(code, asked)
        except NotFoundError:
            error = "There is no such thing among the data of your center."
        except (InvalidInputError, StateError, AccessDeniedError) as refused:
            error = sentence(str(refused))
    return _page(
        row,
        "data",
        page=page,
        pager=pager(page),
        kinds=tuple(EntryKind),
        asked=asked,
        held=held,
        error=error,
        may_take=lambda item: desk().projects.may_take(code, item.center_code),
    )


@blueprint.post("/projects/<code>/data")
@needs(Need.SHOWN)
def put(code: str) -> Response:
    """Put data into it."""
    return _change(
        lambda: desk().projects.put(code, _asked_entry(request.form)),
        "The data is in the project.",
        url_for("projects.data", code=code),
    )


@blueprint.get("/projects/<code>/data/<entry_id>/remove")
@needs(Need.SHOWN)
def leaving(code: str, entry_id: str) -> str:
    """What would leave the project."""
    row = desk().projects.one(code)
    held = desk().projects.leaving(code, entry_id)
    return _page(row, "data", leaving=entry_id, held=held)


@blueprint.post("/projects/<code>/data/<entry_id>/remove")
@needs(Need.SHOWN)
def take(code: str, entry_id: str) -> Response:
    """Take data out of it."""
    return _change(
        lambda: desk().projects.take(code, entry_id),
        "The data is out of the project.",
        url_for("projects.data", code=code),
    )


@blueprint.get("/projects/<code>/members")
@needs(Need.SIGNED_IN)
def members(code: str) -> str:
    """Members and the permission matrix."""
    row = desk().projects.one(code)
    return _page(
        row,
        "members",
        matrix=desk().projects.matrix(code),
        ticks=TICKS,
        presets=tuple(PRESETS),
        may_tick={
            center.code: desk().projects.may_tick(code, center.code)
            for center in desk().directory.centers()
        },
        field=field,
        state=state,
    )


@blueprint.post("/projects/<code>/members")
@needs(Need.SIGNED_IN)
def set_member(code: str) -> Response:
    """Let an account take part, change whether it manages, or let it go."""
    name, what = request.form.get("account", "").strip()[:64], request.form.get("what", "")

    def act() -> None:
        if what == "remove":
            desk().projects.remove_member(code, name)
        else:
            desk().projects.set_member(code, name, manages=what == "manager")

    return _change(act, "Saved.", url_for("projects.members", code=code))


@blueprint.post("/projects/<code>/ticks")
@needs(Need.SIGNED_IN)
def tick(code: str) -> Response:
    """Save the changed cells of the matrix."""

    def act() -> None:
        desk().projects.tick(code, changed_cells(request.form, desk().projects.matrix(code)))

    return _change(
        act, "Saved. It counts with the next request.", url_for("projects.members", code=code)
    )


@blueprint.post("/projects/<code>/nodes")
@needs(Need.SIGNED_IN)
def grant_node(code: str) -> Response:
    """Let a DICOM node fetch a center's data of the project, or no longer."""
    aet, center = request.form.get("aet", "").strip(), request.form.get("center", "").strip()

    def act() -> None:
        if request.form.get("what") == "withdraw":
            desk().projects.withdraw_node(code, aet, center)
        else:
            until = day(request.form.get("until", ""))
            desk().projects.grant_node(code, aet, center, until=until)

    return _change(act, "Saved.", url_for("projects.members", code=code))


@blueprint.get("/projects/<code>/log")
@needs(Need.SIGNED_IN)
def log(code: str) -> str:
    """Who changed what when."""
    row = desk().projects.one(code)
    return _page(row, "log", events=desk().projects.events(code))


@blueprint.post("/projects/<code>/log/<event_id>/undo")
@needs(Need.SIGNED_IN)
def undo(code: str, event_id: str) -> Response:
    """Put back the ticks that a change replaced."""
    return _change(
        lambda: desk().projects.undo(code, event_id),
        "Undone.",
        url_for("projects.log", code=code),
    )


@blueprint.get("/projects/<code>/as/<account>")
@needs(Need.SHOWN)
def view_as(code: str, account: str) -> str:
    """What the project shows to one of its members; no more than the viewer sees anyway.

    Nobody signs in as somebody else: patients are those that both may see, and it is a row of the
    access log in the viewer's name.
    """
    row = desk().projects.one(code)
    found = desk().accounts.account(account)
    matrix = desk().projects.matrix(code)
    if found is None or found.name not in {member.account for member in matrix.members}:
        raise NotFoundError("there is no such member")
    theirs = desk().for_actor(found.actor)
    says(f"as {found.name}")
    shared = shared_in(code, theirs.reach.info, desk().reach.info)
    both = desk().under(replace(theirs.authority, reach=Reach(info=shared)))
    page = desk().projects.entries(code, offset=whole("offset", 0, 0, 10_000_000), limit=PAGE_SIZE)

    def may(action: Action, center_code: str) -> bool:
        return theirs.may(action, Resource(center=center_code, projects=frozenset({code})))

    return _page(
        row,
        "as",
        member=found,
        rights=[
            right
            for right in rights_of(found.actor, desk().clock())
            if right.project == code or (right.center is not None and right.project is None)
        ],
        shown=both.catalogue.patients(Query(project=code, limit=PAGE_SIZE)),
        page=page,
        pager=pager(page),
        may=may,
        ticks=TICKS,
    )


def _page(row: ProjectRow, tab: str, **more: object) -> str:
    mine = Resource(projects=frozenset({row.code}))
    return render_template(
        f"project_{tab}.html",
        project=row,
        tab=tab,
        may_manage=desk().may(Action.MANAGE, mine),
        now=desk().clock(),
        soon=desk().clock() + ANNOUNCED,
        **more,
    )


def _ending(row: ProjectRow, matrix: MatrixView) -> list[str]:
    """What stops working within a month, or has stopped."""
    now = desk().clock()
    last = now + ANNOUNCED
    lines = []
    if row.expires_at is not None and row.expires_at < last:
        verb = "ended" if row.expires_at <= now else "ends"
        lines.append(f"The project {verb} on {row.expires_at:%Y-%m-%d}, and all its ticks with it.")
    for cell in matrix.cells:
        if cell.expires_at is not None and cell.expires_at < last:
            verb = "ended" if cell.expires_at <= now else "end"
            lines.append(
                f"The ticks of {cell.account} for {cell.center_code} {verb} on "
                f"{cell.expires_at:%Y-%m-%d}."
            )
    return lines


def _facts(code: str) -> ProjectFacts:
    form = request.form
    return ProjectFacts(
        code=code,
        title=form.get("title", "").strip()[:200],
        description=form.get("description", "").strip()[:LONGEST_TEXT],
        legal_basis=form.get("legal_basis", "").strip()[:LONGEST_TEXT],
        expires_at=day(form.get("until", "")),
        may_download="download" in form,
    )


def _asked_entry(given: MultiDict[str, str]) -> Entry:
    kind = given.get("kind", "")
    if kind not in set(EntryKind):
        raise InvalidInputError("Choose a plan, a study or a patient.")
    entry = desk().projects.find(
        EntryKind(kind), given.get("name", "")[:200], center_code=given.get("center", "")[:64]
    )
    return replace(entry, expires_at=day(given.get("until", "")))


def _change(act: Callable[[], object], done: str, target: str) -> Response:
    """Do it and say so, or say why not; that the project is theirs is known by now."""
    try:
        act()
        flash(done, "ok")
    except (InvalidInputError, NotFoundError, StateError) as error:
        flash(sentence(str(error)), "bad")
    return redirect(target, 303)
