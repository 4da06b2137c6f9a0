"""Who may do what with which data: deny by default, rights add up, a refusal outweighs them all.

The same rule has two forms: ``decide`` answers for one thing, ``scope_of`` says for lists what
somebody may see. ``docs/access.md`` holds the truth table that the tests read.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Action(StrEnum):
    """What somebody wants to do."""

    SUMMARY = "summary"  # aggregates that a center's data enters; no route gives any yet
    INFO = "info"  # patient-level data: pages, viewer, searches, metadata, values
    SEND = "send"  # every way by which DICOM bytes leave
    DOWNLOAD = "download"  # a file for the disk, where the project allows it
    SUBMIT = "submit"  # upload, put into projects and settle questions of a center's data
    TICK = "tick"  # a center's column of a permission matrix
    START = "start"  # make projects
    OPEN = "open"  # a project's own pages
    MANAGE = "manage"  # a project's members and rules
    ADMINISTER = "administer"  # accounts, centers, nodes, jobs
    WITHDRAW = "withdraw"  # take back what a center sent
    ERASE = "erase"  # remove a person for good


TICKS = (Action.SUMMARY, Action.INFO, Action.SEND)
DATA_ACTIONS = frozenset({*TICKS, Action.DOWNLOAD, Action.SUBMIT})


class AccountRole(StrEnum):
    """What an account is; ``node`` is that of DICOM nodes and given to no account."""

    ADMINISTRATOR = "administrator"
    CENTER_MANAGER = "center-manager"
    SUBMITTER = "submitter"
    CLINICAL_READER = "clinical-reader"
    PROJECT_MANAGER = "project-manager"
    MEMBER = "member"
    NODE = "node"


OWN_CENTER = {
    AccountRole.CENTER_MANAGER: frozenset(
        {*TICKS, Action.DOWNLOAD, Action.SUBMIT, Action.TICK, Action.WITHDRAW}
    ),
    AccountRole.SUBMITTER: frozenset({*TICKS, Action.DOWNLOAD, Action.SUBMIT}),
    AccountRole.CLINICAL_READER: frozenset({Action.SUMMARY, Action.INFO}),
    AccountRole.NODE: frozenset({Action.INFO, Action.SEND}),
}
"""What a role gives with the data of the own center, in projects or not."""

ANYWHERE = {
    AccountRole.ADMINISTRATOR: frozenset(
        {
            Action.ADMINISTER,
            Action.START,
            Action.OPEN,
            Action.MANAGE,
            Action.WITHDRAW,
            Action.ERASE,
        }
    ),
    AccountRole.PROJECT_MANAGER: frozenset({Action.START}),
}
"""What a role gives everywhere; none of it shows a patient."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Ticks of a project for the data of one center, in force before ``until``."""

    project: str
    center: str
    ticks: frozenset[Action]
    until: datetime | None = None
    may_download: bool = False  # the project's switch

    @property
    def actions(self) -> frozenset[Action]:
        """What the ticks give: ``send`` counts only together with ``info``."""
        if Action.INFO not in self.ticks:
            return self.ticks & {Action.SUMMARY}
        to_disk = self.may_download and Action.SEND in self.ticks
        return self.ticks & frozenset(TICKS) | ({Action.DOWNLOAD} if to_disk else set())


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """A center lets administrators tick in its column, before ``until``."""

    center: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowing:
    """What a token leaves of its owner's rights; with ``projects`` only what they give."""

    actions: frozenset[Action] = frozenset(Action)
    projects: frozenset[str] | None = None


WHOLE = Narrowing()


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Somebody who asks: an account, or a DICOM node by its AE title.

    ``member_of`` and ``manages`` are codes of projects.
    """

    name: str
    center: str | None = None
    roles: frozenset[AccountRole] = frozenset()
    grants: tuple[Grant, ...] = ()
    member_of: frozenset[str] = frozenset()
    manages: frozenset[str] = frozenset()
    agreements: tuple[Agreement, ...] = ()
    active: bool = True
    narrowing: Narrowing = WHOLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """What it is about.

    One center's copy of an object, study or plan set, with the projects that it is in; or a
    project (no center), a center's column, or with neither the installation.
    """

    center: str | None = None
    projects: frozenset[str] = frozenset()
    quarantined: bool = False
    expired: bool = False
    erased: bool = False
    in_conflict: bool = False


INSTALLATION = Resource()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Yes or no, with the reason that the access log keeps."""

    allowed: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """Permission for actions; ``center`` or ``project`` None covers every one."""

    actions: frozenset[Action]
    reason: str
    center: str | None = None
    project: str | None = None

    def covers(self, action: Action, resource: Resource) -> bool:
        """Whether this right permits the action on the resource."""
        return (
            action in self.actions
            and (self.center is None or resource.center == self.center)
            and (self.project is None or self.project in resource.projects)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What may be seen, for lists: centers in full, and projects' data by center.

    ``granted`` holds (project, center); what a project holds only until a day counts at ``at``.
    Quarantined and erased data is in no scope.
    """

    own: frozenset[str] = frozenset()
    granted: frozenset[tuple[str, str]] = frozenset()
    at: datetime | None = None
    everything: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all can be seen."""
        return not (self.everything or self.own or self.granted)

    @property
    def centers(self) -> frozenset[str]:
        """Centers of which something may be seen."""
        return self.own | {center for _, center in self.granted}

    def covers(self, resource: Resource) -> bool:
        """Whether one center's copy of something is inside."""
        if self.everything or resource.center in self.own:
            return True
        return any((project, resource.center) in self.granted for project in resource.projects)


NOTHING = Scope()
EVERYTHING = Scope(everything=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What somebody may see, send, download and settle, and of which data they see the jobs."""

    info: Scope = NOTHING
    send: Scope = NOTHING
    download: Scope = NOTHING
    submit: Scope = NOTHING
    jobs: Scope = NOTHING


NOBODY = Reach()
SYSTEM = Reach(
    info=EVERYTHING, send=EVERYTHING, download=EVERYTHING, submit=EVERYTHING, jobs=EVERYTHING
)
"""For the system's own work and the command line of its operator, never for a request."""


def decide(actor: Actor, action: Action, resource: Resource, now: datetime) -> Decision:
    """Deny unless some right allows it and nothing refuses it."""
    refusal = _refusal(actor, action, resource)
    if refusal is not None:
        return Decision(allowed=False, reason=refusal)
    for right in rights_of(actor, now):
        if right.covers(action, resource):
            return Decision(allowed=True, reason=right.reason)
    return Decision(allowed=False, reason="nothing gives this right")


def scope_of(actor: Actor, action: Action, now: datetime) -> Scope:
    """The data with which somebody may do one of ``TICKS`` or submit."""
    if not actor.active:
        return NOTHING
    rights = [right for right in rights_of(actor, now) if action in right.actions]
    return Scope(
        own=frozenset(r.center for r in rights if r.center is not None and r.project is None),
        granted=frozenset(
            (r.project, r.center) for r in rights if r.center is not None and r.project is not None
        ),
        at=now,
    )


def shared_in(project: str, first: Scope, second: Scope) -> Scope:
    """What of a project's data both scopes cover."""
    held = frozenset({project})
    both = frozenset(
        (project, center)
        for center in first.centers | second.centers
        if all(scope.covers(Resource(center=center, projects=held)) for scope in (first, second))
    )
    return Scope(granted=both, at=first.at)


def reach_of(actor: Actor, now: datetime) -> Reach:
    """All scopes of somebody; administrators see every job, but no patient."""
    info = scope_of(actor, Action.INFO, now)
    administers = decide(actor, Action.ADMINISTER, INSTALLATION, now).allowed
    return Reach(
        info=info,
        send=scope_of(actor, Action.SEND, now),
        download=scope_of(actor, Action.DOWNLOAD, now),
        submit=scope_of(actor, Action.SUBMIT, now),
        jobs=EVERYTHING if administers else info,
    )


def rights_of(actor: Actor, now: datetime) -> Iterator[Right]:
    """What gives somebody something now, narrowed by the token that is used."""
    narrowing = actor.narrowing
    for right in _all_rights(actor, now):
        actions = right.actions & narrowing.actions
        inside = narrowing.projects is None or right.project in narrowing.projects
        if actions and inside:
            yield Right(
                actions=actions, reason=right.reason, center=right.center, project=right.project
            )


def _all_rights(actor: Actor, now: datetime) -> Iterator[Right]:
    yield from _role_rights(actor)
    yield from _granted_rights(actor, now)
    for project in sorted(actor.member_of | actor.manages):
        actions = {Action.OPEN, *([Action.MANAGE] if project in actor.manages else [])}
        yield Right(
            actions=frozenset(actions), project=project, reason=f"takes part in project {project}"
        )


def _role_rights(actor: Actor) -> Iterator[Right]:
    for role in sorted(actor.roles):
        if role in ANYWHERE:
            yield Right(actions=ANYWHERE[role], reason=f"is {role}")
        if role in OWN_CENTER and actor.center is not None:
            reason = f"is {role} of {actor.center}"
            yield Right(actions=OWN_CENTER[role], center=actor.center, reason=reason)


def _granted_rights(actor: Actor, now: datetime) -> Iterator[Right]:
    for grant in actor.grants:
        if grant.until is None or now < grant.until:
            yield Right(
                actions=grant.actions,
                center=grant.center,
                project=grant.project,
                reason=f"project {grant.project} for data of {grant.center}",
            )
    if AccountRole.ADMINISTRATOR in actor.roles:
        ticking = frozenset({Action.TICK})
        for agreed in actor.agreements:
            if now < agreed.until:
                reason = f"agreement with {agreed.center}"
                yield Right(actions=ticking, center=agreed.center, reason=reason)


def _refusal(actor: Actor, action: Action, resource: Resource) -> str | None:
    if not actor.active:
        return "the account is deactivated"
    if action not in DATA_ACTIONS:
        return None
    refusals = (
        (resource.quarantined, "the data is in quarantine until its sender is known"),
        (resource.erased, "the data is erased"),
        (resource.expired, "the data's time has expired"),
        (resource.in_conflict, "two patients claim this object: a person has to decide first"),
    )
    return next((reason for refused, reason in refusals if refused), None)
