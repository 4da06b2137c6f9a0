"""The parts of the access log."""

from dataclasses import dataclass, replace
from functools import cached_property, partial

from sqlalchemy import Engine

from rtpacs import keyring
from rtpacs.archive.anchors import FileAnchors
from rtpacs.rules.access_log import AccessEvent, EventType, Outcome, Subject, SubjectKind
from rtpacs.rules.jobs import JobKind
from rtpacs.services.access_log import Recorder, Sealing
from rtpacs.services.arrival_log import ArrivalLog
from rtpacs.services.ports import Claim, Clock, Progress
from rtpacs.services.work import Handler
from rtpacs.settings import Settings
from rtpacs.store.access_log import SqlAccessLog
from rtpacs.store.senders import center_code_of


@dataclass(frozen=True, kw_only=True)
class AccessLogging:
    """Writing, reading and sealing the access log."""

    settings: Settings
    engine: Engine
    clock: Clock

    @cached_property
    def book(self) -> SqlAccessLog:
        """The rows."""
        return SqlAccessLog(self.engine, self.clock)

    @cached_property
    def recorder(self) -> Recorder:
        """What this process notes; a long-lived one starts it."""
        return Recorder(self.book)

    @cached_property
    def arrivals(self) -> ArrivalLog:
        """What the worker notes of what came."""
        center_of = partial(center_code_of, self.engine)
        return ArrivalLog(log=self.recorder, clock=self.clock, center_of=center_of)

    @cached_property
    def sealing(self) -> Sealing:
        """Sealing rows and finding changes."""
        key = keyring.secret(self.settings.home, keyring.LOG_KEY).encode("ascii")
        return Sealing(book=self.book, anchors=FileAnchors(self.settings.home), key=key)

    def noting(self, claim: Claim, handler: Handler) -> Handler:
        """A job that sends or packs data, whose beginning and end are noted."""
        is_forward = claim.kind is JobKind.FORWARD
        kind = SubjectKind.TRANSFER if is_forward else SubjectKind.DOWNLOAD
        subject = Subject(kind=kind, id=claim.key)
        event = AccessEvent(
            type=EventType.BEGIN_TRANSFERRING,
            who=self.book.asked_by(subject),
            address="",
            what="C-STORE to a node" if is_forward else "writing a download",
            subject=subject,
        )
        end = EventType.INSTANCES_TRANSFERRED if is_forward else EventType.EXPORT

        def noted(claim: Claim, progress: Progress) -> None:
            self.recorder.note(event)
            outcome = Outcome.FAILED
            try:
                handler(claim, progress)
                outcome = Outcome.SUCCESS
            finally:
                self.recorder.note(replace(event, type=end, outcome=outcome))

        return noted
