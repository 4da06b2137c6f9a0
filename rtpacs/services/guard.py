"""Whether Orthanc may answer one GET request of an account: asked before each of them.

A request names an instance, or a series, study or patient as Orthanc has it, which may hold what
belongs to others: it passes only where everything that Orthanc would give passes. What Orthanc
holds for one center is not what another center sent under the same identifiers (its *variant*):
such an object is not Orthanc's to give.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from rtpacs.rules.access import Actor, Reach, reach_of
from rtpacs.rules.objects import OrthancId
from rtpacs.rules.routes import Asked, Level, asked

# A withdrawn right or token works for this long at most.
TRUST_SECONDS = 5.0
MOST_SESSIONS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Whether what Orthanc holds of an instance may be looked at, and taken away."""

    info: bool
    send: bool


REFUSED = Release(info=False, send=False)
NOWHERE = OrthancId("")
"""Stands for what Orthanc does not have."""


class Releases(Protocol):
    """The index, as far as it says what Orthanc may give."""

    def beside(self, instance: OrthancId, reach: Reach) -> dict[OrthancId, Release]:
        """The instance and, where it passes, others of its series; the rest is refused."""

    def all_of(self, instances: Sequence[OrthancId], reach: Reach) -> Release:
        """What holds for every one of them."""


class Holdings(Protocol):
    """Orthanc's own index, asked from inside."""

    def find(self, level: Level, uid: str) -> OrthancId | None:
        """The one resource with a DICOM UID; None when there is none, or several."""

    def first(self, level: Level, resource: OrthancId) -> OrthancId | None:
        """Any instance of a series, study or patient; None when it is not there."""

    def instances(self, level: Level, resource: OrthancId) -> Sequence[OrthancId]:
        """What a series, study or patient holds; empty when it is not there."""


@dataclass(slots=True)
class _Session:
    """What one token may do, believed until a moment."""

    until: float
    reach: Reach | None
    instances: dict[OrthancId, Release] = field(default_factory=dict)
    resources: dict[tuple[Level, OrthancId, int], Release] = field(default_factory=dict)


class Guard:
    """Answers yes or no; several threads ask at a time.

    Parameters
    ----------
    identify
        The account of a bearer token that counts now, else None.
    arrivals
        A number that changes with each object that Orthanc stores: what was decided about a
        series before says nothing about one that has grown.
    monotonic
        Seconds.
    """

    def __init__(
        self,
        *,
        identify: Callable[[str], Actor | None],
        releases: Releases,
        holdings: Holdings,
        arrivals: Callable[[], int],
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:
        self._identify = identify
        self._releases = releases
        self._holdings = holdings
        self._arrivals = arrivals
        self._clock = clock
        self._monotonic = monotonic
        self._sessions: dict[str, _Session] = {}

    def allows(self, path: str, parameters: Mapping[str, str], credential: str) -> bool:
        """Whether a GET of Orthanc's own path may be answered to a bearer of ``credential``."""
        wanted = asked(path, parameters)
        scheme, _, token = credential.partition(" ")
        if wanted is None or scheme.lower() != "bearer":
            return False
        session = self._session(token.strip())
        if session.reach is None:
            return False
        release = self._release(session, session.reach, wanted)
        return release.send if wanted.sends else release.info

    def _session(self, token: str) -> _Session:
        now = self._monotonic()
        known = self._sessions.get(token)
        if known is not None and now < known.until:
            return known
        if len(self._sessions) >= MOST_SESSIONS:
            self._sessions.clear()
        made = _Session(now + TRUST_SECONDS, self._reach(token))
        self._sessions[token] = made
        return made

    def _reach(self, token: str) -> Reach | None:
        actor = self._identify(token)
        if actor is None:
            return None
        return reach_of(actor, self._clock())

    def _release(self, session: _Session, reach: Reach, wanted: Asked) -> Release:
        arrivals = self._arrivals()
        resource: OrthancId | None = OrthancId(wanted.identifier)
        if wanted.is_uid:
            resource = self._holdings.find(wanted.level, wanted.identifier)
        if resource is None or wanted.level is Level.INSTANCE:
            return self._of_instance(session, reach, resource or NOWHERE)
        key = (wanted.level, resource, arrivals)
        if key in session.resources:
            return session.resources[key]
        first = self._holdings.first(wanted.level, resource)
        release = self._of_instance(session, reach, first or NOWHERE)
        if release != REFUSED:
            held = self._holdings.instances(wanted.level, resource)
            release = self._releases.all_of(held, reach)
            session.resources[key] = release
        return release

    def _of_instance(self, session: _Session, reach: Reach, instance: OrthancId) -> Release:
        """Ask the index, also for what is not there: both refusals take the same time.

        For the same reason no refusal is remembered.
        """
        if instance not in session.instances:
            found = self._releases.beside(instance, reach)
            session.instances |= {one: each for one, each in found.items() if each != REFUSED}
        return session.instances.get(instance, REFUSED)
