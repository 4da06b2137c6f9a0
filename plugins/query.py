"""C-FIND and C-MOVE: what Orthanc hands over, answered from the index."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rtpacs.dicom.answers import QUERY_LEVEL, find_answer
from rtpacs.rules.access_log import AccessEvent, EventType, Outcome
from rtpacs.rules.queries import Match
from rtpacs.services.access_log import Recorder

MOVE_KEYS = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
Move = Callable[[str, str, str, Mapping[str, str]], int]
FindMatches = Callable[[str, str, Mapping[str, str]], list[Match]]


class Queries:
    """Answers queries; an exception makes Orthanc answer with a failure and no match."""

    def __init__(self, find: FindMatches, move: Move, *, our_aet: str, log: Recorder) -> None:
        self._find = find
        self._move = move
        self._our_aet = our_aet
        self._log = log

    def on_find(self, answers: Any, query: Any, issuer_aet: str, called_aet: str) -> None:
        """Orthanc's callback for one C-FIND, on a thread of its own."""
        del called_aet
        keys = {
            query.GetFindQueryTagGroup(number) << 16
            | query.GetFindQueryTagElement(number): query.GetFindQueryValue(number)
            for number in range(query.GetFindQuerySize())
        }
        level_word = keys.get(QUERY_LEVEL, "").strip()
        named = {f"{tag:08X}": value for tag, value in keys.items()}
        with self._noted(EventType.QUERY, issuer_aet, "C-FIND"):
            found = self._find(issuer_aet, level_word, named)
        for match in found:
            answers.FindAddAnswer(find_answer(match, level_word, keys, self._our_aet))

    def on_move(self, **request: Any) -> None:
        """Orthanc's callback for one C-MOVE; it waits until everything has arrived."""
        keys = {name: request[name] for name in MOVE_KEYS if request.get(name)}
        with self._noted(EventType.QUERY, request["OriginatorAET"], "C-MOVE"):
            self._move(request["OriginatorAET"], request["TargetAET"], request["Level"], keys)

    @contextmanager
    def _noted(self, kind: EventType, aet: str, what: str) -> Iterator[None]:
        """Answer only what can be written in the access log, and write how it went."""
        self._log.require_writable()
        outcome = Outcome.REFUSED
        try:
            yield
            outcome = Outcome.SUCCESS
        finally:
            self._log.note(
                AccessEvent(type=kind, who=aet.strip(), address="", what=what, outcome=outcome)
            )
