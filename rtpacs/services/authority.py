"""In whose name something is done, and how far that reaches."""

from dataclasses import dataclass

from rtpacs.errors import AccessDeniedError, NotFoundError
from rtpacs.rules.access import (
    INSTALLATION,
    NOBODY,
    SYSTEM,
    Action,
    Actor,
    Reach,
    Resource,
    decide,
    reach_of,
)
from rtpacs.services.ports import Clock

OPERATOR = "command line"


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """Somebody at the moment of a request, or (without an actor) nobody or the operator.

    Whoever can run commands on the data folder holds all of it anyway: the operator may do
    everything, under the name ``command line``.
    """

    actor: Actor | None
    reach: Reach
    clock: Clock

    @property
    def name(self) -> str:
        """Who stands as author in logs."""
        return self.actor.name if self.actor is not None else OPERATOR

    @property
    def is_operator(self) -> bool:
        """Whether this is the command line."""
        return self.actor is None and self.reach == SYSTEM

    def may(self, action: Action, resource: Resource = INSTALLATION) -> bool:
        """Whether the access rules allow it now."""
        if self.actor is None:
            return self.is_operator
        return decide(self.actor, action, resource, self.clock()).allowed

    def require(self, action: Action, resource: Resource = INSTALLATION, *, text: str) -> None:
        """Refuse with a sentence what may not be done.

        Raises
        ------
        AccessDeniedError
            The access rules do not allow it.
        """
        if not self.may(action, resource):
            raise AccessDeniedError(text)

    def require_open(self, project: str) -> None:
        """Let nobody but those who take part know of a project.

        Raises
        ------
        NotFoundError
            Not a project of theirs: not yours and not there look the same.
        """
        if not self.may(Action.OPEN, Resource(projects=frozenset({project}))):
            raise NotFoundError(f"there is no project {project}")


def nobody(clock: Clock) -> Authority:
    """Who is not signed in."""
    return Authority(actor=None, reach=NOBODY, clock=clock)


def operator(clock: Clock) -> Authority:
    """The command line, and the system's own work."""
    return Authority(actor=None, reach=SYSTEM, clock=clock)


def authority_of(actor: Actor, clock: Clock) -> Authority:
    """Somebody, with what their rights reach now."""
    return Authority(actor=actor, reach=reach_of(actor, clock()), clock=clock)
