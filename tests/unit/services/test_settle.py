"""When everything that arrived is calculated."""

from dataclasses import replace

from rtpacs.services.settle import Settling
from rtpacs.services.views import StatusCounts
from tests.unit.services.fakes import MemoryArchive, MemoryFeed, MemoryInbox, MemoryIndex

QUIET = StatusCounts(
    inbox=0,
    ready=0,
    running=0,
    retrying=0,
    failed=0,
    objects=1,
    plan_sets=0,
    patients=1,
    findings=0,
    quarantined=0,
)


class Watch:
    """A settling with counts that a test sets."""

    def __init__(self):
        self.archive = MemoryArchive(a=b"")
        inbox = MemoryInbox()
        self.feed = MemoryFeed(MemoryIndex(inbox), inbox)
        self.feed.position = 1
        self.counts = QUIET
        self.settling = Settling(
            archive=self.archive,
            feed=self.feed,
            archive_name="here",
            counts=lambda: self.counts,
        )


def test_nothing_moves():
    """Queue empty, cursor at the last change, inbox and jobs empty."""
    assert Watch().settling.pending() == ""


def test_each_thing_that_moves_is_named():
    """In the order of the data flow."""
    watch = Watch()
    watch.counts = replace(QUIET, ready=1, running=2)
    assert "3 jobs" in watch.settling.pending()
    watch.counts = replace(watch.counts, inbox=4)
    assert "4 arrivals" in watch.settling.pending()
    watch.feed.position = 0
    assert "changes" in watch.settling.pending()
    watch.archive.queued = 7
    assert "not yet in the inbox" in watch.settling.pending()


def test_jobs_that_wait_for_a_retry_or_failed_are_not_waited_for():
    """They are reported by the exit code instead."""
    watch = Watch()
    watch.counts = replace(QUIET, retrying=1, failed=1)
    assert watch.settling.wait(5, tell=lambda text: None)


def test_the_wait_ends_when_its_time_is_over_and_tells_once():
    """The same reason is not repeated."""
    watch = Watch()
    watch.counts = replace(QUIET, inbox=1)
    told = []

    assert watch.settling.wait(0.5, tell=told.append) is False
    assert told == ["1 arrivals not yet indexed"]


def test_a_part_that_does_not_answer_is_waited_for():
    """Orthanc restarts while somebody waits."""
    watch = Watch()
    answers = iter([1, 0])

    def counts():
        return replace(QUIET, inbox=next(answers, 0))

    settling = replace(watch.settling, counts=counts)
    assert settling.wait(5, tell=lambda text: None)
