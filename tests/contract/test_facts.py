"""Small facts that processes leave for each other."""

from datetime import timedelta

import pytest

from rtpacs.store.facts import WORKER_PREFIX, SqlFacts
from tests.contract.databases import Database


@pytest.fixture
def facts(database: Database) -> SqlFacts:
    return SqlFacts(database.engine, database.clock)


def test_the_last_note_counts(facts: SqlFacts, database: Database):
    """Value and time are those of the last writer; what nobody noted is None."""
    facts.note("start", "first")
    database.pass_time(60)
    first = facts.noted_at("start")
    facts.note("start", "second")

    assert facts.value("start") == "second"
    assert facts.noted_at("start") - first >= timedelta(seconds=60)
    assert facts.value("other") is None
    assert facts.noted_at("other") is None


def test_a_long_name_of_a_machine_fits(facts: SqlFacts):
    """PostgreSQL refuses a key of more than 64 characters; two long ones stay two."""
    names = ["start of " + "x" * 70 + end for end in "ab"]
    for name in names:
        facts.note(name, name[-1])

    assert [facts.value(name) for name in names] == ["a", "b"]


def test_only_workers_that_were_heard_lately_are_alive(facts: SqlFacts, database: Database):
    """One fell silent, one left, one lives."""
    facts.note(f"{WORKER_PREFIX}silent", "alive")
    database.pass_time(60)
    for name in ("left", "living"):
        facts.note(f"{WORKER_PREFIX}{name}", "alive")
    facts.forget(f"{WORKER_PREFIX}left")

    assert facts.workers_alive(timedelta(seconds=30)) == 1


def test_one_of_several_processes_takes_a_turn(facts: SqlFacts, database: Database):
    """Once per period, whoever asks; forgetting makes it due."""
    other = SqlFacts(database.another_engine(), database.clock)
    quarter = timedelta(minutes=15)
    taken = [facts.take_turn("turn", quarter), other.take_turn("turn", quarter)]
    database.pass_time(15 * 60 + 1)
    taken += [other.take_turn("turn", quarter), facts.take_turn("turn", quarter)]
    facts.forget("turn")
    taken.append(facts.take_turn("turn", quarter))

    assert taken == [True, False, True, False, True]


def test_facts_of_one_kind_are_listed_by_what_they_are_about(facts: SqlFacts):
    facts.note("node:a", "1")
    facts.note("node:b", "2")
    facts.note("nodes", "3")

    found = facts.noted_under("node:")
    assert {key: value for key, (value, _) in found.items()} == {"a": "1", "b": "2"}
    assert found["a"][1] == facts.noted_at("node:a")


def test_the_database_belongs_to_the_archive_that_came_first(facts: SqlFacts):
    """The second one hears the name of the first, until it is adopted."""
    assert facts.archive("first") == "first"
    assert facts.archive("second") == "first"
    facts.adopt_archive("second")
    assert facts.archive("first") == "second"
