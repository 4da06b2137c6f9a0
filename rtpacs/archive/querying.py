"""C-FIND and C-MOVE to other nodes (PS3.4 annex C), study root."""

import time
from collections.abc import Callable, Iterator

from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom import evt
from pynetdicom.association import Association

from rtpacs.archive.associations import Address, hang_up, open_association
from rtpacs.archive.sending import UNCOMPRESSED
from rtpacs.errors import PeerError, PeerUnavailableError
from rtpacs.services.forwarding import Recipient
from rtpacs.services.remote import Criteria, FetchState, FoundStudy, MoveCount

FIND = UID("1.2.840.10008.5.1.4.1.2.2.1")
MOVE = UID("1.2.840.10008.5.1.4.1.2.2.2")
FIND_SECONDS = 60.0
SUCCESS, PENDING = 0x0000, (0xFF00, 0xFF01)
SOME_FAILED = 0xB000
# PS3.4 table C.4-2.
REFUSALS = {
    0xA701: "it cannot count the objects: out of resources",
    0xA702: "it cannot send the objects to us: it may not reach us, or has no room",
    0xA801: "it does not know us under the AE title {}: add us there with host and port",
    0xA900: "it does not understand the question",
    0xFE00: "it stopped by a cancel",
}
RETURNED = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "StudyInstanceUID",
    "StudyDate",
    "StudyDescription",
    "ModalitiesInStudy",
    "NumberOfStudyRelatedSeries",
    "NumberOfStudyRelatedInstances",
)


class DicomNodes:
    """``services.remote.RemoteNodes``; ``address_of`` says where a node is."""

    def __init__(self, address_of: Callable[[Recipient], Address]) -> None:
        self._address_of = address_of

    def find(
        self, recipient: Recipient, criteria: Criteria, *, most: int, tell: Callable[[int], None]
    ) -> tuple[list[FoundStudy], bool]:
        """Studies that fit, each once, at most so many, and whether there were more.

        Raises
        ------
        PeerUnavailableError
            The node is away or does not answer.
        PeerError
            It offers no query, or refuses this one.
        """
        association = _called(self._address_of(recipient), FIND, "C-FIND", FIND_SECONDS)
        found: dict[tuple[str, str], FoundStudy] = {}
        try:
            for done, number in enumerate(criteria.numbers or ("",)):
                tell(done)
                for study in _answers(association, _question(criteria, number), recipient.aet):
                    found[study.study_uid, study.patient_id] = study
                    if len(found) > most:
                        return list(found.values())[:most], True
        finally:
            # Also where more answers are on their way: the node may stop.
            if association.is_established:
                association.release() if len(found) <= most else association.abort()
        return list(found.values()), False

    def open(self, recipient: Recipient) -> "DicomMoveLine":
        """Call a node to fetch from it.

        Raises
        ------
        PeerUnavailableError, PeerError
            As ``find``.
        """
        return DicomMoveLine(self._address_of(recipient))


class DicomMoveLine:
    """One association over which studies are asked for."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._reason = ""
        self._busy = False
        self._heard_at = time.monotonic()
        self._association = _called(
            address, MOVE, "C-MOVE", None, [(evt.EVT_DATA_RECV, self._heard)]
        )

    def _heard(self, _: evt.Event) -> None:
        self._heard_at = time.monotonic()

    def silent_seconds(self) -> float:
        """For how long the node has said nothing to a question; 0 while none is open."""
        return time.monotonic() - self._heard_at if self._busy else 0.0

    def move(self, study_uid: str, count: MoveCount) -> tuple[FetchState, str]:
        """Have a study sent here.

        Raises
        ------
        PeerUnavailableError
            The association ended.
        """
        question = Dataset()
        question.QueryRetrieveLevel = "STUDY"
        question.StudyInstanceUID = study_uid
        self._heard_at, self._busy = time.monotonic(), True
        try:
            ours = self._address.calling_aet
            for status, _ in self._association.send_c_move(question, ours, query_model=MOVE):
                code = status.get("Status")
                if code is None:
                    raise PeerUnavailableError(self._ended())
                _count(status, count)
                if code not in PENDING:
                    return self._judged(code, count)
        except (RuntimeError, ValueError) as exc:
            raise PeerUnavailableError(self._ended()) from exc
        finally:
            self._busy = False
        raise PeerUnavailableError(self._ended())

    def _judged(self, code: int, count: MoveCount) -> tuple[FetchState, str]:
        if code in (SUCCESS, SOME_FAILED) and count.failed:
            state = FetchState.PARTLY if count.done else FetchState.FAILED
            return state, f"{count.failed} of {count.done + count.failed} objects could not be sent"
        if code == SUCCESS:
            return FetchState.FETCHED, "" if count.done else "the node had nothing to send"
        words = REFUSALS.get(code, "it refuses").format(self._address.calling_aet)
        return FetchState.FAILED, f"{words} (0x{code:04X})"

    def _ended(self) -> str:
        return f"{self._address.called_aet}: {self._reason or 'it ended the association'}"

    def close(self) -> None:
        """Release the association."""
        self._association.release()

    def cut(self, reason: str) -> None:
        """End it at once, from any thread."""
        self._reason = self._reason or reason
        hang_up(self._association)


def _called(
    address: Address,
    model: str,
    service: str,
    silence_seconds: float | None,
    handlers: list[evt.EventHandlerType] | None = None,
) -> Association:
    try:
        association = open_association(
            address,
            [(model, UNCOMPRESSED)],
            silence_seconds=silence_seconds,
            handlers=handlers or (),
        )
    except PeerUnavailableError as exc:
        raise PeerUnavailableError(f"{address.called_aet}: {exc}") from exc
    if association is None:
        raise PeerError(f"{address.called_aet} offers no {service}")
    return association


def _question(criteria: Criteria, number: str) -> Dataset:
    question = Dataset()
    question.QueryRetrieveLevel = "STUDY"
    for keyword in RETURNED:
        setattr(question, keyword, "")
    question.PatientID = number
    if criteria.name:
        question.SpecificCharacterSet = "ISO_IR 192"
        question.PatientName = criteria.name if "*" in criteria.name else f"{criteria.name}*"
    first, last = (day.replace("-", "") for day in (criteria.date_from, criteria.date_to))
    question.StudyDate = f"{first}-{last}" if first or last else ""
    question.ModalitiesInStudy = criteria.modality
    return question


def _answers(association: Association, question: Dataset, aet: str) -> Iterator[FoundStudy]:
    try:
        for status, answer in association.send_c_find(question, FIND):
            code = status.get("Status")
            if code is None:
                raise PeerUnavailableError(f"{aet}: no answer within {FIND_SECONDS:g} s")
            if code in PENDING and answer is not None:
                if study := _study(answer):
                    yield study
            elif code != SUCCESS:
                words = REFUSALS.get(code, "it refuses the question")
                raise PeerError(f"{aet}: {words} (0x{code:04X})")
    except (RuntimeError, ValueError) as exc:
        raise PeerUnavailableError(f"{aet}: it ended the association") from exc


def _study(answer: Dataset) -> FoundStudy | None:
    uid = _text(answer, "StudyInstanceUID")
    if not uid:
        return None
    return FoundStudy(
        study_uid=uid,
        patient_id=_text(answer, "PatientID"),
        patient_name=_text(answer, "PatientName"),
        birth_date=_iso(_text(answer, "PatientBirthDate")),
        study_date=_iso(_text(answer, "StudyDate")),
        description=_text(answer, "StudyDescription"),
        modalities=_text(answer, "ModalitiesInStudy"),
        series=_whole(_text(answer, "NumberOfStudyRelatedSeries")),
        objects=_whole(_text(answer, "NumberOfStudyRelatedInstances")),
    )


def _text(answer: Dataset, keyword: str) -> str:
    value = answer.get(keyword)
    if value is None or isinstance(value, str):
        return (value or "").strip()
    many = (
        list(value) if hasattr(value, "__iter__") and not hasattr(value, "components") else [value]
    )
    return ", ".join(str(part) for part in many).strip()


def _iso(text: str) -> str:
    return f"{text[:4]}-{text[4:6]}-{text[6:]}" if len(text) == 8 and text.isdecimal() else text


def _whole(text: str) -> int | None:
    return int(text) if text.isdecimal() else None


def _count(status: Dataset, count: MoveCount) -> None:
    done = int(status.get("NumberOfCompletedSuboperations", 0) or 0)
    warned = int(status.get("NumberOfWarningSuboperations", 0) or 0)
    failed = int(status.get("NumberOfFailedSuboperations", 0) or 0)
    left = int(status.get("NumberOfRemainingSuboperations", 0) or 0)
    # A final answer may lack the counts of those before it.
    count.done = max(count.done, done + warned)
    count.failed = max(count.failed, failed)
    count.total = max(count.total, count.done + count.failed + left)
