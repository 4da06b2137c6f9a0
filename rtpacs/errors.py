"""The one tree of errors; each branch means one reaction.

RtpacsError
├── SettingsError               start-up stops and names the setting to change
├── DicomError                  the object cannot be used; it is kept, with the reason
├── CalculationError            readable inputs, undefined answer
├── LimitExceededError          an object needs more memory or time than the settings allow
│   └── ReaderKilledError       the reading child was ended from outside: worth a few retries
├── NotFoundError               not there, or not yours: both look the same
├── AccessDeniedError           a refusal, with its reason
├── TooManyAttemptsError        sign-in was tried too often: it says when to come again
├── StateError                  the asked change does not fit the present state
├── InvalidInputError           what a person entered cannot be used; the text says what can
├── LeaseLostError              another worker holds the job: drop the result
├── StoppingError               this process ends: what it held goes back untouched
├── BackupError                 a backup or restore stopped, with the reason; repeat it
├── StoreError                  the database said no
│   ├── UnstorableError         it has no room for a value: what a person entered cannot be used
│   ├── StoreDamagedError       its file is damaged: nothing starts; the text says what to do
│   └── StoreUnavailableError   the database does not answer: worth a retry
├── PeerError                   another node said no, or takes nothing of this kind
│   └── PeerUnavailableError    it cannot be reached, hangs up or is silent: worth a retry
└── ArchiveError                Orthanc said no
    ├── ForeignArchiveError     the database belongs to another Orthanc: nothing is touched
    ├── ArchiveUnavailableError Orthanc does not answer: worth a retry
    └── ArchiveFaultError       Orthanc fails at this one thing: worth a retry, others go on
"""


class RtpacsError(Exception):
    """Base of every error that rtpacs raises on purpose."""

    retryable = False


class SettingsError(RtpacsError):
    """A setting, port, folder or program stops the start; the text names what to change."""


class TooManyAttemptsError(RtpacsError):
    """Too many sign-ins failed; ``seconds`` is when the next one is looked at."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"Too many sign-ins failed. Try again in {seconds} seconds.")
        self.seconds = seconds


class DicomError(RtpacsError):
    """A DICOM object cannot be used.

    Parameters
    ----------
    message
        What is wrong and what to do.
    sop_uid, attribute
        The object and the attribute concerned, where known.
    """

    def __init__(
        self, message: str, *, sop_uid: str | None = None, attribute: str | None = None
    ) -> None:
        super().__init__(message)
        self.sop_uid = sop_uid
        self.attribute = attribute


class CalculationError(RtpacsError):
    """The inputs are readable but the asked quantity is not defined for them."""


class LimitExceededError(RtpacsError):
    """A calculation or parse was stopped because it passed its memory or time limit."""


class ReaderKilledError(LimitExceededError):
    """The child that read or calculated was killed, maybe for another's want of memory."""

    retryable = True


class NotFoundError(RtpacsError):
    """No such thing, or none that the caller may see."""


class AccessDeniedError(RtpacsError):
    """The caller may not do this; the text is the reason."""


class StateError(RtpacsError):
    """The asked change does not fit the present state."""


class InvalidInputError(RtpacsError):
    """What a person or program entered cannot be used; the text says what is allowed."""


class LeaseLostError(RtpacsError):
    """The job was claimed by another worker after our lease ended."""


class StoppingError(RtpacsError):
    """This process is being stopped; the work is whole and waits for the next one."""

    retryable = True


class BackupError(RtpacsError):
    """A backup, its verification or a restore stopped; the text says why and what to do."""


class StoreError(RtpacsError):
    """The database refused an operation."""


class UnstorableError(StoreError):
    """A value that the database cannot hold or compare: too large a number, a NUL in a text."""

    def __init__(self) -> None:
        super().__init__("a value is too large, or has a character that cannot be stored")


class StoreDamagedError(StoreError):
    """The file of the database is damaged: it must be restored, or built anew."""

    def __init__(self) -> None:
        super().__init__(
            "the database file is damaged: stop rtpacs, then restore the last backup, or move the "
            "file away and start, and the index comes back from the archive "
            "(docs/operations.md: When our database is damaged or lost)"
        )


class StoreUnavailableError(StoreError):
    """The database cannot be reached or is locked for too long."""

    retryable = True


class PeerError(RtpacsError):
    """Another node refuses; the text names it and says why."""


class PeerUnavailableError(PeerError):
    """Another node cannot be reached, ends the association or does not answer."""

    retryable = True


class ArchiveError(RtpacsError):
    """Orthanc refused an operation."""


class ForeignArchiveError(ArchiveError):
    """The database belongs to another archive; the text says what to do."""


class ArchiveUnavailableError(ArchiveError):
    """Orthanc does not answer."""

    retryable = True


class ArchiveFaultError(ArchiveError):
    """Orthanc answers, but fails at this one thing: a file that its disk lost, for example."""

    retryable = True
