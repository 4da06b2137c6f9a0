"""The steps from an empty database to the present schema."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from rtpacs.errors import StoreError
from rtpacs.rules.jobs import JobKind
from rtpacs.services.ports import JobRequest
from rtpacs.store import engine as engines
from rtpacs.store.access_schema import account
from rtpacs.store.jobs import SqlJobs
from rtpacs.store.migrations import HERE, migrate
from rtpacs.store.schema import job
from tests.contract.databases import Database, FakeClock

metadata = account.metadata

MIGRATE = """
import sys
from rtpacs.store.engine import create_engine
from rtpacs.store.migrations import migrate
engine = create_engine(sys.argv[1])
sys.stdin.readline()
migrate(engine)
"""
PROCESSES = 4
LATEST = "0013"


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without a table."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.sqlite'}"
    name = f"empty_{abs(hash(request.node.nodeid))}"
    return request.getfixturevalue("postgres").create_database(name)


def tables(url: str) -> set[str]:
    engine = engines.create_engine(url)
    with engines.reading(engine) as connection:
        found = set(sa.inspect(connection).get_table_names())
    engine.dispose()
    return found


def test_migrations_lead_to_the_schema(database: Database):
    """Alembic finds no difference between the migrated database and ``schema.py``."""
    with engines.reading(database.engine) as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_the_comparison_sees_a_missing_column(database: Database):
    """The test above can fail."""
    with engines.writing(database.engine) as connection:
        connection.exec_driver_sql("ALTER TABLE center DROP COLUMN name")
        context = MigrationContext.configure(connection)
        found = compare_metadata(context, metadata)
        assert [(entry[0], entry[2], entry[3].name) for entry in found] == [
            ("add_column", "center", "name")
        ]
        connection.rollback()


def test_processes_that_start_at_once_agree(empty_url: str):
    """Supervisor, web and workers all migrate at start: one works, none fails."""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", MIGRATE, empty_url], stdin=subprocess.PIPE, text=True
        )
        for _ in range(PROCESSES)
    ]
    for process in started:
        process.stdin.write("\n")
        process.stdin.close()
    assert [process.wait(60) for process in started] == [0] * PROCESSES
    assert tables(empty_url) == {*metadata.tables, "alembic_version"}


def test_migrating_again_changes_nothing(database: Database):
    """Every start migrates."""
    migrate(database.engine)
    migrate(database.engine)


def test_a_newer_database_is_left_alone(database: Database):
    """After a downgrade of rtpacs its older code must not touch the newer tables."""
    with engines.writing(database.engine) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'future'")
    try:
        with pytest.raises(StoreError, match="another version"):
            migrate(database.engine)
    finally:
        with engines.writing(database.engine) as connection:
            connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{LATEST}'")


def test_the_first_step_can_be_undone(empty_url: str):
    """Down to nothing and up again."""
    engine = engines.create_engine(empty_url)
    migrate(engine)
    move(engine, command.downgrade, "base")
    assert tables(empty_url) == {"alembic_version"}
    migrate(engine)
    engine.dispose()
    assert tables(empty_url) == {*metadata.tables, "alembic_version"}


FIRST_ROWS = """
INSERT INTO center (id, code, name, quarantined, newest_wins, created_at)
    VALUES (1, 'A', '', {no}, {no}, '2026-01-01 00:00:00');
INSERT INTO sender (id, public_id, aet, address, center_id, first_seen, last_seen)
    VALUES (1, 's', 'TPS', '192.0.2.1', 1, '2026-01-01 00:00:00', '2026-01-01 00:00:00');
INSERT INTO dicom_object
    (id, public_id, orthanc_id, center_id, sender_id, role, size_bytes, received_at, findings,
     conflict, error_count)
    VALUES (1, 'o', 'i', 1, 1, 'other', 1, '2026-01-01 00:00:00', '{findings}', '[]', 1);
INSERT INTO reference (id, dicom_object_id, kind, target_uid) VALUES (1, 1, 'x', '1.2')
"""
FINDINGS = '[{"severity": "error"}, {"severity": "info"}, {"severity": "warning"}]'


def test_the_second_step_counts_what_was_found_before_and_loses_no_row(empty_url: str):
    """One error and one warning count, a remark does not; down again everything is still there."""
    engine = engines.create_engine(empty_url)
    config = configuration()
    no = "0" if engine.dialect.name == "sqlite" else "false"
    with engines.writing(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for statement in FIRST_ROWS.format(no=no, findings=FINDINGS).split(";"):
            connection.exec_driver_sql(statement)
        command.upgrade(config, "0002")
        row = connection.exec_driver_sql("SELECT finding_count, reader_version FROM dicom_object")
        assert tuple(row.one()) == (2, 0)
        command.downgrade(config, "0001")
        counted = "SELECT (SELECT count(*) FROM dicom_object), (SELECT count(*) FROM reference)"
        assert tuple(connection.exec_driver_sql(counted).one()) == (1, 1)
    engine.dispose()


STEPS_BACK = 3


@pytest.mark.fault("B16")
def test_jobs_survive_a_downgrade_and_the_upgrade_after_it(empty_url: str, record_property):
    """Ready, running and failed ones, over each of the last three steps down and up again."""
    engine = engines.create_engine(empty_url)
    migrate(engine)
    jobs = SqlJobs(engine, FakeClock(), quiet_seconds=0, quiet_limit_seconds=0)
    jobs.enqueue([JobRequest(kind=JobKind.DVH, key=key, label="") for key in "abc"])
    jobs.fail(jobs.claim(), "no answer", retryable=False)
    running = jobs.claim()
    before = pending(engine)
    assert sorted(row.state for row in before) == ["failed", "ready", "running"]
    scripts = ScriptDirectory.from_config(configuration())
    latest, *earlier = [script.revision for script in scripts.walk_revisions()]
    for revision in earlier[:STEPS_BACK]:
        move(engine, command.downgrade, revision)
        move(engine, command.upgrade, latest)
        assert pending(engine) == before
    jobs.finish(running)
    assert jobs.claim() is not None
    measured = (
        f"{engine.dialect.name}: {STEPS_BACK} versions down and up, {len(before)} jobs as before"
    )
    record_property("measured", measured)
    engine.dispose()


def pending(engine: sa.Engine) -> list[sa.Row]:
    with engines.reading(engine) as connection:
        return list(connection.execute(job.select().order_by(job.c.id)))


def configuration() -> Config:
    config = Config()
    config.set_main_option("script_location", str(HERE))
    return config


def move(engine: sa.Engine, step: Callable[[Config, str], None], revision: str) -> None:
    """``command.upgrade`` or ``command.downgrade`` to a revision."""
    config = configuration()
    with engines.writing(engine) as connection:
        config.attributes["connection"] = connection
        step(config, revision)
