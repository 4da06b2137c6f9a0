"""Withdrawals and erasures in memory, with the same refusals as the real ones."""

from dataclasses import replace
from datetime import timedelta

from rtpacs.errors import NotFoundError
from rtpacs.rules.access import Action, Resource
from rtpacs.rules.removals import RemovalKind, RemovalState, require_confirmed, require_undoable
from rtpacs.services.removals import RemovalPreview, RemovalRow
from rtpacs.services.views import Page
from tests.web.sample_plans import NOW

WAITING = RemovalRow(
    id="rm1",
    kind=RemovalKind.WITHDRAWAL,
    state=RemovalState.WAITING,
    center_code="NORTH",
    number="4712",
    uid="",
    author="admin",
    reason="wrong patient selected",
    objects=134,
    size_bytes=70_000_000,
    asked_at=NOW,
    due_at=NOW + timedelta(days=7),
    finished_at=None,
    undone_at=None,
    undone_by=None,
)
ERASED = replace(
    WAITING, id="rm2", kind=RemovalKind.ERASURE, state=RemovalState.DONE, number="",
    reason="file 12/26", finished_at=NOW,
)  # fmt: skip


class FakeRemovals:
    """Patient 4711 of NORTH, one waiting withdrawal, one erasure that is done."""

    wait_days = 7.0

    def __init__(self, authority, held=None) -> None:
        self._authority = authority
        self.held = {row.id: row for row in (WAITING, ERASED)} if held is None else held

    def under(self, authority):
        return FakeRemovals(authority, self.held)

    @property
    def center(self):
        actor = self._authority.actor
        if self._authority.may(Action.WITHDRAW) or actor is None:
            return None
        return actor.center or ""

    @property
    def is_open(self):
        return self._authority.may(Action.WITHDRAW, Resource(center=self.center))

    def preview(self, request):
        if (request.center, request.number) != ("NORTH", "4711"):
            raise NotFoundError("no object of this center has this patient number and UID")
        return RemovalPreview(
            center="NORTH",
            objects=213,
            removing=0,
            size_bytes=112_000_000,
            roles=(("image", 204), ("dose", 4), ("structure set", 3), ("plan", 2)),
            plan_sets=2,
            first_received=NOW,
            last_received=NOW,
            others=(("LAKE", 200),),
            elsewhere=("HARBOUR",),
        )

    def ask(self, kind, request, *, confirm, reason):
        self.preview(request)
        require_confirmed(request, confirm, reason)
        made = replace(WAITING, id=f"rm{len(self.held) + 1}", kind=kind, number=request.number)
        self.held[made.id] = made
        return made

    def undo(self, removal_id):
        row = self.one(removal_id)
        require_undoable(row.kind, row.state)
        self.held[removal_id] = replace(
            row, state=RemovalState.UNDONE, undone_at=NOW, undone_by="admin"
        )
        return self.held[removal_id]

    def rows(self, *, offset, limit):
        found = tuple(self.held.values())[offset : offset + limit]
        return Page(items=found, total=len(self.held), offset=offset, limit=limit)

    def one(self, removal_id):
        if removal_id not in self.held:
            raise NotFoundError("there is no such withdrawal or erasure")
        return self.held[removal_id]

    def certificate(self, removal_id):
        if self.one(removal_id).state is not RemovalState.DONE:
            raise NotFoundError("there is no certificate: nothing was erased, or not yet")
        return {"certificate": removal_id, "signature": "00"}
