"""When everything that arrived is calculated."""

from dataclasses import replace

from rtpacs.services.settle import Moving, Settling
from tests.unit.services.fakes import MemoryArchive, MemoryFeed, MemoryInbox, MemoryIndex

QUIET = Moving(arrivals=0, jobs=0)


class Watch:
    """A settling with counts that a test sets."""

    def __init__(self):
        self.archive = MemoryArchive(a=b"")
        inbox = MemoryInbox()
        self.feed = MemoryFeed(MemoryIndex(inbox), inbox)
        self.feed.position = 1
        self.moving = QUIET
        self.repeats = 0
        self.settling = Settling(
            archive=self.archive,
            feed=self.feed,
            archive_name="here",
            moving=lambda: self.moving,
            repeats=lambda: self.repeats,
        )


def test_nothing_moves():
    """Queue empty, cursor at the last change, inbox and jobs empty."""
    assert Watch().settling.pending() == ""


def test_each_thing_that_moves_is_named():
    """In the order of the data flow."""
    watch = Watch()
    watch.moving = replace(QUIET, jobs=3)
    assert "3 jobs" in watch.settling.pending()
    watch.repeats = 5
    assert "5 repeated arrivals" in watch.settling.pending()
    watch.moving = replace(watch.moving, arrivals=4)
    assert "4 arrivals" in watch.settling.pending()
    watch.feed.position = 0
    assert "changes" in watch.settling.pending()
    watch.archive.queued = 7
    assert "not yet in the inbox" in watch.settling.pending()


def test_the_wait_ends_when_its_time_is_over_and_tells_once():
    """The same reason is not repeated."""
    watch = Watch()
    watch.moving = replace(QUIET, arrivals=1)
    told = []

    assert watch.settling.wait(0.5, tell=told.append) is False
    assert told == ["1 arrival not yet indexed"]


def test_a_part_that_does_not_answer_is_waited_for():
    """Orthanc restarts while somebody waits."""
    watch = Watch()
    answers = iter([1, 0])

    def moving():
        return replace(QUIET, arrivals=next(answers, 0))

    settling = replace(watch.settling, moving=moving)
    assert settling.wait(60, tell=lambda text: None)
