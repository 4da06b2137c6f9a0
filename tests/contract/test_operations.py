"""What is shown of jobs, counts and faults, on both engines."""

import pytest

from rtpacs.errors import InvalidInputError, NotFoundError, StateError
from rtpacs.rules.access import EVERYTHING
from rtpacs.rules.jobs import JobKind
from rtpacs.rules.objects import Finding, Severity
from rtpacs.services.ports import Arrival, JobRequest
from rtpacs.services.settle import Moving
from rtpacs.store.operations import SqlOperations
from tests.contract.databases import START, Database
from tests.contract.filling import Filling, Sender, a_person
from tests.unit.rules.builders import a_dose, a_plan, an_rt_set

PERSON = a_person("1", "A^B")
STRANGER = Sender(aet="NOBODY", address="203.0.113.9")


@pytest.fixture
def filling(database: Database) -> Filling:
    filling = Filling(database)
    filling.know()
    return filling


@pytest.fixture
def operations(filling: Filling) -> SqlOperations:
    return SqlOperations(filling.database.engine, filling.database.clock, filling.jobs, EVERYTHING)


def ask(filling: Filling, *keys: str) -> None:
    filling.jobs.enqueue(JobRequest(kind=JobKind.DVH, key=key, label=f"DVH {key}") for key in keys)
    filling.database.pass_time(1)


def listed(operations, state=""):
    return [(row.key, row.state) for row in operations.jobs(state=state, offset=0, limit=50).items]


def test_what_needs_eyes_comes_first(filling, operations):
    """Running, retrying, failed, waiting, done."""
    ask(filling, "done")
    filling.jobs.finish(filling.jobs.claim())
    ask(filling, "failed")
    filling.jobs.fail(filling.jobs.claim(), "broken", retryable=False)
    ask(filling, "retrying")
    filling.jobs.fail(filling.jobs.claim(), "no answer", retryable=True)
    ask(filling, "running")
    filling.jobs.claim()
    ask(filling, "ready")
    assert listed(operations) == [
        ("running", "running"),
        ("retrying", "retrying"),
        ("failed", "failed"),
        ("ready", "ready"),
        ("done", "done"),
    ]
    for state in ("running", "retrying", "failed", "ready", "done"):
        assert listed(operations, state) == [(state, state)]
    counts = operations.status()
    assert (counts.ready, counts.running, counts.retrying, counts.failed) == (1, 1, 1, 1)


def test_an_unknown_state_is_refused(operations):
    """A filter that names no state is no empty list."""
    with pytest.raises(InvalidInputError):
        operations.jobs(state="walking", offset=0, limit=50)


def test_jobs_are_paged(filling, operations):
    """Total counts all pages."""
    ask(filling, "a", "b", "c")
    page = operations.jobs(state="", offset=1, limit=1)
    assert (len(page.items), page.total) == (1, 3)


def test_a_failed_job_runs_again_after_retry(filling, operations):
    """One click: it is waiting again, and due."""
    ask(filling, "a")
    filling.jobs.fail(filling.jobs.claim(), "broken", retryable=False)
    (row,) = operations.jobs(state="failed", offset=0, limit=50).items
    assert row.error == "broken"
    operations.retry(row.id)
    assert filling.jobs.claim().key == "a"


def test_a_cancelled_job_does_not_run(filling, operations):
    """Cancelling what ended is refused; so is a job that does not exist."""
    ask(filling, "a")
    (row,) = operations.jobs(state="", offset=0, limit=50).items
    operations.cancel(row.id)
    assert filling.jobs.claim() is None
    with pytest.raises(StateError):
        operations.cancel(row.id)
    with pytest.raises(NotFoundError):
        operations.retry(row.id + 1)


def test_status_counts_what_is_stored_and_what_waits(filling, operations):
    """Eight objects of a known patient, one unreadable, one of a stranger, one in the inbox."""
    filling.send(an_rt_set(), patient=PERSON)
    filling.send_unreadable("broken")
    filling.send([a_plan("1.2.3.99")], patient=PERSON, sender=STRANGER)
    filling.work()
    filling.inbox.add(
        [
            Arrival(
                orthanc_id="f" * 44,
                aet="ECLIPSE",
                address="192.0.2.7",
                origin="DicomProtocol",
                received_at=filling.database.clock(),
            )
        ]
    )
    counts = operations.status()
    assert (counts.inbox, counts.objects, counts.plan_sets, counts.patients) == (1, 10, 2, 2)
    assert counts.quarantined == 1


def an_arrival(key: str, aet: str = "ECLIPSE") -> Arrival:
    return Arrival(
        orthanc_id=key * 44,
        aet=aet,
        address="192.0.2.7",
        origin="DicomProtocol",
        received_at=START,
    )


def test_what_waits_after_an_error_does_not_move(filling, operations):
    """An arrival in backoff and one behind it stay; when its time has come it moves again."""
    filling.inbox.add([an_arrival("a")])
    (item,) = filling.inbox.claim(1)
    filling.inbox.fail(item, "its file is lost")
    filling.inbox.add([an_arrival("a", aet="OTHER"), an_arrival("b")])
    assert operations.moving() == Moving(arrivals=1, jobs=0)
    counts = operations.status()
    assert (counts.inbox, counts.inbox_retrying) == (3, 2)
    filling.database.pass_time(13)
    assert operations.moving() == Moving(arrivals=3, jobs=0)
    assert len(filling.inbox.claim(3)) == 2
    assert operations.moving() == Moving(arrivals=3, jobs=0)


def test_jobs_move_until_they_ended_or_wait_after_an_error(filling, operations):
    """Ready, running and handed back move; retrying, failed and done do not."""
    ask(filling, "failed", "retrying", "done")
    for end in (
        lambda claim: filling.jobs.fail(claim, "broken", retryable=False),
        lambda claim: filling.jobs.fail(claim, "no answer", retryable=True),
        filling.jobs.finish,
    ):
        end(filling.jobs.claim())
    assert operations.moving() == Moving(arrivals=0, jobs=0)
    ask(filling, "away", "running", "ready")
    filling.jobs.fail(filling.jobs.claim(), "away", retryable=True, blameless=True)
    filling.jobs.claim()
    assert operations.moving() == Moving(arrivals=0, jobs=3)


def test_status_counts_errors_and_warnings(filling, operations):
    """The unreadable object is one error; a plan set without structures and images adds more."""
    filling.send_unreadable("broken")
    assert operations.status().findings == 1
    filling.send([a_plan(), a_dose()], patient=PERSON)
    filling.work()
    assert operations.status().findings > 1


def test_a_calculation_that_could_not_be_made_is_counted(filling, operations):
    """Its job is done, so only the finding tells of it."""
    filling.send(an_rt_set(), patient=PERSON)
    filling.work_on(JobKind.ASSEMBLE)
    before = operations.status().findings
    claim = filling.jobs.claim()
    error = Finding(code="not-calculated", severity=Severity.ERROR, text="Needs more memory.")
    filling.calculate(claim, findings=(error,))
    filling.jobs.finish(claim)
    counts = operations.status()
    assert (counts.findings, counts.failed) == (before + 1, 0)


def test_everything_without_a_patient_number_is_quarantined(filling, operations):
    """Also what cannot be read, when nobody knows its sender."""
    filling.send(an_rt_set(), patient=a_person("", "A^B"))
    filling.send_unreadable("broken", sender=STRANGER)
    assert operations.status().quarantined == 9


def test_unreadable_objects_are_listed_with_their_reason(filling, operations):
    """The newest first, each with an id for its page."""
    filling.send_unreadable("the file ends inside PixelData")
    filling.send(an_rt_set(), patient=PERSON)
    page = operations.unreadable(offset=0, limit=10)
    assert [(row.text, row.sop_uid) for row in page.items] == [
        ("the file ends inside PixelData", None)
    ]
    assert page.total == 1
    assert len(page.items[0].id) == 32
