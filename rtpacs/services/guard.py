"""Whether Orthanc may answer one GET request of an account: asked before each of them.

A request names an instance, or a series, study or patient as Orthanc has it, which may hold what
belongs to others: it passes only where everything that Orthanc would give passes. What Orthanc
holds for one center is not what another center sent under the same identifiers (its *variant*):
such an object is not Orthanc's to give.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from rtpacs.rules.access import Actor, Reach, reach_of
from rtpacs.rules.access_log import AccessEvent, EventType, Outcome, Subject, SubjectKind
from rtpacs.rules.objects import OrthancId
from rtpacs.rules.routes import Asked, Level, asked
from rtpacs.services.access_log import Recorder

# A withdrawn right or token works for this long at most.
TRUST_SECONDS = 5.0
MOST_SESSIONS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Whose copies of what Orthanc holds may be looked at, and taken away; empty is a refusal.

    Each maps codes of centers to an instance of theirs in what was asked for.
    """

    info: Mapping[str, OrthancId]
    send: Mapping[str, OrthancId]


REFUSED = Release(info={}, send={})
NOWHERE = OrthancId("")
"""Stands for what Orthanc does not have."""


class Releases(Protocol):
    """The index, as far as it says what Orthanc may give."""

    def sees(self, level: Level, uid: str, reach: Reach) -> bool:
        """Whether anything of a study or series may be looked at."""

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
    who: str
    reach: Reach | None
    # Single instances that passed, by path and address: viewers ask for the same ones again.
    passed: dict[tuple[str, str], tuple[AccessEvent, ...]] = field(default_factory=dict)
    instances: dict[OrthancId, Release] = field(default_factory=dict)
    resources: dict[tuple[Level, OrthancId, int], Release] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
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

    identify: Callable[[str], Actor | None]
    releases: Releases
    holdings: Holdings
    arrivals: Callable[[], int]
    clock: Callable[[], datetime]
    monotonic: Callable[[], float]
    log: Recorder
    _sessions: dict[str, _Session] = field(default_factory=dict, init=False)

    def allows(
        self, path: str, parameters: Mapping[str, str], credential: str, address: str = ""
    ) -> bool:
        """Whether a GET of Orthanc's own path may be answered to a bearer of ``credential``.

        What is not written in the access log is not answered.
        """
        session = self._sessions.get(credential)
        if session is None or session.until <= self.monotonic():
            session = self._begun(credential)
        if session.reach is None or self.log.trouble:
            return False
        if not parameters and (passed := session.passed.get((path, address))):
            self._note(passed)
            return True
        wanted = asked(path, parameters)
        if wanted is None:
            return False
        release = self._release(session, session.reach, wanted)
        given = release.send if wanted.sends else release.info
        events = _events(session.who, address, wanted, given)
        self._note(events)
        if given and not parameters and wanted.level is Level.INSTANCE and not wanted.is_uid:
            session.passed[path, address] = events
        return bool(given)

    def _note(self, events: Sequence[AccessEvent]) -> None:
        for event in events:
            self.log.note(event)

    def _begun(self, credential: str) -> _Session:
        until = self.monotonic() + TRUST_SECONDS
        if len(self._sessions) >= MOST_SESSIONS:
            self._sessions.clear()
        scheme, _, token = credential.partition(" ")
        actor = self.identify(token.strip()) if scheme.lower() == "bearer" else None
        reach = reach_of(actor, self.clock()) if actor is not None else None
        made = _Session(until, actor.name if actor is not None else "?", reach)
        self._sessions[credential] = made
        return made

    def _release(self, session: _Session, reach: Reach, wanted: Asked) -> Release:
        arrivals = self.arrivals()
        is_whole = wanted.level is not Level.INSTANCE
        resource: OrthancId | None = OrthancId(wanted.identifier)
        if wanted.is_uid:
            # The index first: what is asked of Orthanc takes longer where there is something.
            if is_whole and not self.releases.sees(wanted.level, wanted.identifier, reach):
                return REFUSED
            resource = self.holdings.find(wanted.level, wanted.identifier)
        if resource is None or not is_whole:
            return self._of_instance(session, reach, resource or NOWHERE)
        key = (wanted.level, resource, arrivals)
        if key in session.resources:
            return session.resources[key]
        first = self.holdings.first(wanted.level, resource) or NOWHERE
        release = self._of_instance(session, reach, first)
        if release != REFUSED:
            held = self.holdings.instances(wanted.level, resource)
            release = self.releases.all_of(held, reach)
            session.resources[key] = release
        return release

    def _of_instance(self, session: _Session, reach: Reach, instance: OrthancId) -> Release:
        """Ask the index, also for what is not there: both refusals take the same time.

        For the same reason no refusal is remembered.
        """
        if instance not in session.instances:
            found = self.releases.beside(instance, reach)
            session.instances |= {one: each for one, each in found.items() if each != REFUSED}
        return session.instances.get(instance, REFUSED)


def _events(
    who: str, address: str, wanted: Asked, given: Mapping[str, OrthancId]
) -> tuple[AccessEvent, ...]:
    """A row for each center whose copy is given, which names its patient; one for a refusal."""
    event = AccessEvent(
        type=EventType.INSTANCES_ACCESSED,
        who=who,
        address=address,
        what=f"GET {wanted.level} as {'DICOM' if wanted.sends else 'text or picture'}",
        outcome=Outcome.SUCCESS if given else Outcome.REFUSED,
    )
    subjects = (
        Subject(kind=SubjectKind.INSTANCE, id=instance, centers=frozenset({center}))
        for center, instance in given.items()
    )
    return tuple(replace(event, subject=one) for one in subjects) or (event,)
