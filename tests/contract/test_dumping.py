"""Both engines are written into a backup and brought back."""

from pathlib import Path

import pytest

from rtpacs.errors import BackupError
from rtpacs.store.dumping import dump_database, load_database
from rtpacs.store.engine import create_engine
from rtpacs.store.facts import SqlFacts
from tests.contract.databases import Database


def test_a_dump_becomes_the_same_database_elsewhere(database: Database, tmp_path: Path, request):
    """What was committed before the dump is there, what came later is not."""
    facts = SqlFacts(database.engine, database.clock)
    facts.note("before", "kept")
    source, home = tmp_path / "set", tmp_path / "home"
    source.mkdir()
    home.mkdir()
    kind = dump_database(database.engine, source)
    facts.note("after", "lost")
    url = an_empty_database(kind, home, request)
    load_database(url, source, home, again=False)
    # Cut off and repeated.
    load_database(url, source, home, again=True)
    engine = create_engine(url)
    try:
        found = SqlFacts(engine, database.clock)
        assert (found.value("before"), found.value("after")) == ("kept", None)
    finally:
        engine.dispose()


def an_empty_database(kind: str, home: Path, request) -> str:
    """Where to bring it back to."""
    if kind == "sqlite":
        return f"sqlite:///{home / 'rtpacs.sqlite'}"
    url: str = request.getfixturevalue("postgres").create_database("restored")
    return url


def test_a_database_in_use_is_not_overwritten(database: Database, tmp_path: Path):
    """PostgreSQL has tables already: all or nothing comes back, here nothing."""
    if not database.is_postgresql:
        pytest.skip("a SQLite file goes into an empty data folder")
    facts = SqlFacts(database.engine, database.clock)
    dump_database(database.engine, tmp_path)
    facts.note("present", "stays")
    with pytest.raises(BackupError, match="pg_restore refused"):
        load_database(database.url, tmp_path, tmp_path, again=False)
    assert facts.value("present") == "stays"


def test_a_backup_of_the_other_kind_is_refused(database: Database, tmp_path: Path):
    """The setting that has to change is named."""
    dump_database(database.engine, tmp_path)
    other = "sqlite:///x" if database.is_postgresql else "postgresql+psycopg://nobody@/nothing"
    with pytest.raises(BackupError, match="RTPACS_DATABASE_URL"):
        load_database(other, tmp_path, tmp_path, again=False)
