"""The inbox and the cursor in the archive's change feed."""

import pytest

from rtpacs.services.ports import Receipt
from rtpacs.store.inbox import LEASE, SqlInbox
from rtpacs.store.schema import inbox
from tests.contract.databases import Database
from tests.contract.world import World, an_arrival
from tests.unit.rules.builders import a_dose

LEASE_S = LEASE.total_seconds()


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


class TestInbox:
    def test_an_arrival_comes_back_as_it_was(self, world: World):
        """Claiming gives what was added, with the first attempt counted."""
        sent = an_arrival("a", deleted=True)
        world.inbox.add([sent])
        (item,) = world.inbox.claim(10)
        assert item.arrival == sent
        assert (item.attempt, item.token) == (1, 1)

    def test_a_thousand_repeats_are_one_row(self, world: World):
        """A1: the same instance sent again and again waits once."""
        for _ in range(10):
            world.inbox.add([an_arrival("a")] * 100)
        assert world.inbox.count() == 1

    def test_no_claim_fits_an_arrival_that_came_later(self, world: World):
        """A row's id is never given again: a late worker cannot take what it did not claim."""
        world.inbox.add([an_arrival("a")])
        (late,) = world.inbox.claim(1)
        world.index.forget([late], [])
        world.inbox.add([an_arrival("b")])
        world.inbox.claim(1)
        world.index.forget([late], [])
        assert world.inbox.count() == 1

    def test_what_failed_is_listed_with_its_error_until_it_is_done(self, world: World):
        """`rtpacs status` names it; a claim alone is no trouble."""
        world.inbox.add([an_arrival("a"), an_arrival("b")])
        first, _ = world.inbox.claim(2)
        world.inbox.fail(first, "Orthanc answers 500")
        assert world.inbox.troubled(10) == [("a", "Orthanc answers 500")]
        world.database.pass_time(3600)
        world.index.forget(world.inbox.claim(2), [])
        assert world.inbox.troubled(10) == []

    def test_two_senders_of_one_object_are_two_rows(self, world: World):
        """Who sent it decides co-ownership."""
        world.inbox.add([an_arrival("a"), an_arrival("a", aet="PACS")])
        assert world.inbox.count() == 2

    def test_nothing_to_add_is_no_work(self, world: World):
        world.inbox.add([])
        assert world.inbox.count() == 0

    def test_the_oldest_are_claimed_first(self, world: World):
        """In order of arrival, as many as asked."""
        world.inbox.add([an_arrival(f"{n}") for n in range(5)])
        assert [item.arrival.orthanc_id for item in world.inbox.claim(3)] == ["0", "1", "2"]
        assert [item.arrival.orthanc_id for item in world.inbox.claim(3)] == ["3", "4"]
        assert world.inbox.claim(3) == []
        assert world.inbox.count() == 5

    def test_events_of_one_object_stay_in_order(self, world: World):
        """Its deletion cannot be claimed while its arrival is being worked on."""
        world.inbox.add([an_arrival("a")])
        world.inbox.add([an_arrival("a", deleted=True)])
        (stored,) = world.inbox.claim(10)
        assert world.inbox.claim(10) == []
        world.index.record([Receipt(item=stored, parsed=None, error=None, size_bytes=0)])
        assert world.inbox.claim(10) == []

    def test_an_expired_lease_is_claimed_again(self, world: World):
        """B8: the worker died; the attempt counts."""
        world.inbox.add([an_arrival("a")])
        world.inbox.claim(1)
        world.database.pass_time(LEASE_S + 1)
        (again,) = world.inbox.claim(1)
        assert (again.attempt, again.token) == (2, 2)

    def test_a_renewed_lease_lasts_longer(self, world: World):
        """One object may take minutes: who still works on it keeps it."""
        world.inbox.add([an_arrival("a")])
        items = world.inbox.claim(1)
        world.database.pass_time(LEASE_S - 5)
        world.inbox.renew(items)
        world.database.pass_time(LEASE_S - 5)
        assert world.inbox.claim(1) == []
        world.database.pass_time(10)
        assert len(world.inbox.claim(1)) == 1

    def test_a_late_renewal_does_not_hold_what_another_has(self, world: World):
        """Nor what was given back: it can be claimed at once."""
        world.inbox.add([an_arrival("a")])
        late = world.inbox.claim(1)
        world.database.pass_time(LEASE_S + 1)
        (other,) = world.inbox.claim(1)
        world.inbox.give_back([other])
        world.inbox.renew(late)
        world.inbox.renew([other])
        assert len(world.inbox.claim(1)) == 1

    def test_a_lease_from_a_clock_that_ran_ahead_is_not_believed(self, world: World):
        """B10: the clock was two hours ahead at the claim and is right again now."""
        world.inbox.add([an_arrival("a")])
        world.inbox.claim(1)
        world.database.pass_time(-7200)
        world.inbox.add([an_arrival("b")])
        assert [item.arrival.orthanc_id for item in world.inbox.claim(10)] == ["a", "b"]

    def test_a_failed_arrival_waits_longer_each_time(self, world: World):
        """10 s, then 30 s, each stretched by at most a fifth."""
        world.inbox.add([an_arrival("a")])
        for least, most in ((10, 12), (30, 36)):
            (item,) = world.inbox.claim(1)
            world.inbox.fail(item, "Orthanc does not answer")
            world.database.pass_time(least - 1)
            assert world.inbox.claim(1) == []
            world.database.pass_time(most - least + 2)

    def test_a_late_failure_does_not_take_the_lease_of_another(self, world: World):
        """Fencing: the first worker woke up after the second took over."""
        world.inbox.add([an_arrival("a")])
        (late,) = world.inbox.claim(1)
        world.database.pass_time(LEASE_S + 1)
        world.inbox.claim(1)
        world.inbox.fail(late, "too late")
        world.database.pass_time(LEASE_S - 1)
        assert world.inbox.claim(1) == []

    def test_an_arrival_given_back_is_as_before_its_claim(self, world: World):
        """Orthanc was away: that is not the arrival's fault, so no attempt counts."""
        world.inbox.add([an_arrival("a")])
        world.inbox.give_back(world.inbox.claim(1))
        (again,) = world.inbox.claim(1)
        assert again.attempt == 1

    def test_a_late_give_back_does_not_take_the_lease_of_another(self, world: World):
        """Fencing, as for failures."""
        world.inbox.add([an_arrival("a")])
        late = world.inbox.claim(1)
        world.database.pass_time(LEASE_S + 1)
        world.inbox.claim(1)
        world.inbox.give_back(late)
        assert world.inbox.claim(1) == []

    def test_two_workers_never_claim_the_same(self, world: World):
        """Two connections, alternating."""
        other = SqlInbox(world.database.another_engine(), world.database.clock)
        world.inbox.add([an_arrival(f"{n}") for n in range(20)])
        claimed = [item.id for box in (world.inbox, other) * 5 for item in box.claim(2)]
        assert len(claimed) == len(set(claimed)) == 20

    def test_text_that_a_database_refuses_is_kept_readable(self, world: World):
        """NUL and overlong AE titles from broken peers must not block the inbox."""
        world.inbox.add([an_arrival("a", aet="X\0" * 100)])
        (item,) = world.inbox.claim(1)
        assert item.arrival.aet.startswith("X\ufffdX")
        assert len(item.arrival.aet) == 64


class TestFeed:
    def test_the_first_cursor_is_zero(self, world: World):
        assert world.feed.cursor("orthanc") == 0

    def test_each_archive_has_its_own_cursor(self, world: World):
        world.feed.advance("one", 10, [])
        world.feed.advance("two", 2**40, [])
        assert (world.feed.cursor("one"), world.feed.cursor("two")) == (10, 2**40)

    def test_reading_a_stretch_twice_adds_nothing(self, world: World):
        """A crash between reading and advancing makes the next worker read again."""
        seen = [an_arrival("a"), an_arrival("b")]
        assert world.feed.advance("orthanc", 10, seen) == 2
        assert world.feed.advance("orthanc", 10, seen) == 0
        assert world.inbox.count() == 2

    def test_an_object_noted_by_the_hook_is_left_out(self, world: World):
        """The hook knows the sender; the feed does not."""
        world.inbox.add([an_arrival("a")])
        assert world.feed.advance("orthanc", 1, [an_arrival("a", aet="", address="")]) == 0
        assert world.feed.missing(["a", "b"]) == ["b"]

    def test_an_indexed_object_is_left_out(self, world: World):
        world.receive([("a", a_dose().parsed)])
        assert world.feed.advance("orthanc", 1, [an_arrival("a")]) == 0
        assert world.feed.missing(["a"]) == []

    def test_an_object_that_came_back_during_its_deletion_is_taken(self, world: World):
        """Its old row is about to go, so the new instance must be indexed again."""
        world.receive([("a", a_dose().parsed)])
        world.inbox.add([an_arrival("a", deleted=True)])
        assert world.feed.missing(["a"]) == ["a"]
        assert world.feed.advance("orthanc", 1, [an_arrival("a")]) == 1

    def test_the_deletion_of_an_unknown_object_is_left_out(self, world: World):
        assert world.feed.advance("orthanc", 1, [an_arrival("a", deleted=True)]) == 0

    def test_the_deletion_of_an_indexed_object_is_taken(self, world: World):
        world.receive([("a", a_dose().parsed)])
        assert world.feed.advance("orthanc", 1, [an_arrival("a", deleted=True)]) == 1
        assert world.database.count(inbox) == 1
