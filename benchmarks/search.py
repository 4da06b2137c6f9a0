"""The patient search on a filled index: time in the database and of the page, memory of the CSV."""

import resource
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from random import Random
from typing import Any

import sqlalchemy as sa

from benchmarks.report import Result
from rtpacs.bootstrap import Application
from rtpacs.rules.access import SYSTEM, AccountRole
from rtpacs.rules.plan_sets import PlanSetState, TreatmentStatus
from rtpacs.services.desk import NewAccount, Query
from rtpacs.settings import Settings
from rtpacs.store.catalogue import SqlCatalogue
from rtpacs.store.engine import create_engine, writing
from rtpacs.store.migrations import migrate
from rtpacs.store.schema import center, dicom_object, patient, plan_set, sender, series, study
from rtpacs.store.text import folded, lines_of
from tests.contract.postgres import Postgres, binaries
from webui import create_app

GOAL_MS, PAGE_GOAL_MS = 50.0, 300.0
SEED = 7
NOW = datetime(2026, 3, 12, 9, tzinfo=UTC)
BATCH = 5000
FAMILIES = ("Müller", "Jensen", "Åkesson", "Nørgaard", "Smith", "García", "Dubois", "Østergård")
GIVEN = ("Jörg", "Anna", "Søren", "Mary", "José", "Zoë", "Lars", "Inge")
STRUCTURES = ("BODY", "PTV_60", "CTV", "Heart", "Lung_L", "Lung_R", "SpinalCord", "Parotid_L")
MODALITIES = ("CT", "RTSTRUCT", "RTPLAN", "RTDOSE")
ROLES = ("image", "structure set", "plan", "dose")
QUESTIONS = {
    "first page": Query(),
    "two parts of a name": Query(text="jens ann"),
    "a part of a number": Query(text="0042"),
    "wildcards": Query(text="m?ll*"),
    "completeness, sorted by name": Query(state="incomplete", sort="name"),
    "a structure": Query(structure="ptv*"),
    "plans of 60 Gy of a year": Query(
        prescribed_from_gy=59.0, prescribed_to_gy=61.0, date_from="2024-01-01", date_to="2024-12-31"
    ),
    "modalities": Query(modalities=("RTPLAN", "MR")),
    "treatment": Query(treatment=TreatmentStatus.DELIVERED),
    "a page far behind": Query(offset=1500, sort="number"),
    "nobody": Query(text="no such patient"),
}


ADDRESSES = (
    "/patients",
    "/patients?q=jens+ann",
    "/patients?q=0042",
    "/patients?q=m%3Fll*",
    "/patients?state=incomplete&sort=name",
    "/patients?structure=ptv*",
    "/patients?rx_from=59&rx_to=61&from=2024-01-01&to=2024-12-31",
    "/patients?modality=RTPLAN&modality=MR",
    "/patients?treatment=delivered",
    "/patients?sort=number&offset=1500",
    "/patients?q=no+such+patient",
)
"""The same questions as a browser asks them."""
PASSWORD = "benchmark-of-pages"


def measure(
    folder: Path, *, rounds: int, small: tuple[int, int], large: tuple[int, int]
) -> list[Result]:
    """Fill SQLite, and PostgreSQL with more (patients, objects); ask everything several times."""
    sqlite = f"sqlite:///{folder / 'index.sqlite'}"
    results = _measured(sqlite, folder / "sqlite", rounds, small, "SQLite")
    programs = binaries()
    if programs is None:
        print("  SKIPPED PostgreSQL: not installed (apt install postgresql)", flush=True)
        return results
    server = Postgres(programs)
    try:
        url = server.create_database("search")
        return results + _measured(url, folder / "postgresql", rounds, large, "PostgreSQL")
    finally:
        server.stop()


def _measured(
    url: str, home: Path, rounds: int, size: tuple[int, int], engine_name: str
) -> list[Result]:
    engine = create_engine(url)
    migrate(engine)
    began = time.perf_counter()
    fill(engine, patients=size[0], objects=size[1])
    print(f"  {engine_name} filled in {time.perf_counter() - began:.0f} s", flush=True)
    what = f"{size[0]:,} patients, {size[1]:,} objects, {engine_name}"
    results = ask(engine, rounds=rounds, what=what)
    engine.dispose()
    home.mkdir()
    return [*results, *_pages(Settings(home=home, database_url=url), rounds=rounds, what=what)]


def _pages(settings: Settings, *, rounds: int, what: str) -> list[Result]:
    """Time pages for somebody who sees one center, and the memory that the CSV of all takes."""
    application = Application(settings)
    desk = application.desk
    roles = frozenset({AccountRole.SUBMITTER})
    desk.accounts.add(NewAccount(name="physics", roles=roles, center="NORTH"), PASSWORD)
    client = create_app(desk).test_client()
    form = {"name": "physics", "password": PASSWORD}
    client.post("/sign-in", data=form, headers={"Sec-Fetch-Site": "same-origin"})
    times = []
    for number in range(rounds + 1):
        for address in ADDRESSES:
            began = time.perf_counter()
            answer = client.get(address)
            if answer.status_code != 200:
                raise RuntimeError(f"{address} answers {answer.status_code}")
            times += [1000 * (time.perf_counter() - began)] if number else []
    before = _peak_mb()
    began = time.perf_counter()
    answer = client.get("/patients.csv", buffered=False)
    lines = sum(part.count(b"\n") for part in answer.iter_encoded())
    seconds = time.perf_counter() - began
    application.engine.dispose()
    p95 = _percentile(times, 95)
    return [
        Result(
            subject=f"page of the search, {what}: of one center, p95 (median)",
            goal=f"< {PAGE_GOAL_MS:.0f} ms",
            measured=f"{p95:.0f} ms ({statistics.median(times):.0f} ms)",
            met=p95 < PAGE_GOAL_MS,
        ),
        Result(
            subject=f"CSV of the whole result, {what}: {lines:,} lines",
            goal="–",
            measured=f"{seconds:.1f} s, {_peak_mb() - before:.0f} MB more memory",
            met=None,
        ),
    ]


def _percentile(values: Sequence[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def ask(engine: sa.Engine, *, rounds: int, what: str) -> list[Result]:
    """Time every question; each line is the median of the rounds."""
    catalogue = SqlCatalogue(engine, SYSTEM.info)
    found = []
    for name, query in QUESTIONS.items():
        catalogue.patients(query)
        times = []
        for _ in range(rounds):
            began = time.perf_counter()
            total = catalogue.patients(query).total
            times.append(1000 * (time.perf_counter() - began))
        ms = statistics.median(times)
        found.append(
            Result(
                subject=f"search, {what}: {name} ({total:,} fit)",
                goal=f"< {GOAL_MS:.0f} ms",
                measured=f"{ms:.1f} ms ({min(times):.1f}–{max(times):.1f})",
                met=ms < GOAL_MS,
            )
        )
    return found


def fill(engine: sa.Engine, *, patients: int, objects: int) -> None:
    """Invent an index: one or two studies a patient, each with a plan set and its images."""
    chance = Random(SEED)
    per_patient = objects // patients
    with writing(engine) as connection:
        connection.execute(
            sa.insert(center), [_center(code) for code in ("NORTH", "SOUTH", "LAKE")]
        )
        connection.execute(sa.insert(sender), [_sender(key) for key in (1, 2, 3)])
        for table, rows in (
            (patient, (_patient(chance, key) for key in _keys(patients))),
            (study, (_study(chance, key) for key in _keys(patients))),
            (series, _all_series(chance, patients)),
            (dicom_object, _all_objects(patients, per_patient)),
            (plan_set, (_plan_set(chance, key, per_patient) for key in _keys(patients))),
        ):
            (_copy if _is_postgresql(engine) else _insert)(connection, table, rows)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE" if _is_postgresql(engine) else "ANALYZE")


def _keys(count: int) -> range:
    return range(1, count + 1)


def _insert(connection: sa.Connection, table: sa.Table, rows: Iterator[dict[str, Any]]) -> None:
    batch: list[dict[str, Any]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH:
            connection.execute(sa.insert(table), batch)
            batch = []
    if batch:
        connection.execute(sa.insert(table), batch)


def _is_postgresql(engine: sa.Engine) -> bool:
    return engine.dialect.name == "postgresql"


def _copy(connection: sa.Connection, table: sa.Table, rows: Iterator[dict[str, Any]]) -> None:
    """As ``_insert``, ten times as fast."""
    first = next(rows)
    fixed = {
        column.name: column.default.arg
        for column in table.columns
        if column.name not in first and isinstance(column.default, sa.ColumnDefault)
    }
    names = [*first, *fixed]
    bound = [_bound(connection, table.c[name]) for name in names]
    # Rows that we invent refer to each other rightly; looking takes longer than filling.
    connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
    cursor = connection.connection.cursor()
    with cursor.copy(f"COPY {table.name} ({', '.join(names)}) FROM STDIN") as copy:
        for row in chain((first,), rows):
            values = (*(row[name] for name in first), *fixed.values())
            copy.write_row([give(value) for give, value in zip(bound, values, strict=True)])


def _bound(connection: sa.Connection, column: "sa.Column[Any]") -> Callable[[Any], Any]:
    """How a column's value goes to the driver."""
    dialect = connection.dialect
    return column.type.dialect_impl(dialect).bind_processor(dialect) or (lambda value: value)


def _center(code: str) -> dict[str, Any]:
    return {"code": code, "name": code.title(), "quarantined": False, "created_at": NOW}


def _sender(key: int) -> dict[str, Any]:
    return {
        "public_id": f"sd{key}",
        "aet": f"TPS{key}",
        "address": f"192.0.2.{key}",
        "center_id": key,
        "first_seen": NOW,
        "last_seen": NOW,
    }


def _patient(chance: Random, key: int) -> dict[str, Any]:
    name = f"{chance.choice(FAMILIES)}{key % 97}^{chance.choice(GIVEN)}"
    return {
        "id": key,
        "public_id": f"pt{key}",
        "center_id": key % 3 + 1,
        "issuer": "",
        "patient_id": f"{key:07d}",
        "provisional_key": "",
        "name": name,
        "name_folded": folded(name),
        "birth_date": f"19{chance.randrange(30, 99)}-0{chance.randrange(1, 9)}-11",
        "sex": chance.choice("FM"),
        "first_received": NOW - timedelta(minutes=key),
        "last_received": NOW - timedelta(minutes=key),
    }


def _study(chance: Random, key: int) -> dict[str, Any]:
    return {
        "id": key,
        "public_id": f"st{key}",
        "patient_id": key,
        "study_uid": f"1.2.{key}",
        "date": f"20{chance.randrange(10, 26)}-0{chance.randrange(1, 9)}-12",
        "description": "CT planning",
    }


def _all_series(chance: Random, patients: int) -> Iterator[dict[str, Any]]:
    for key in _keys(patients):
        images = "MR" if chance.random() < 0.1 else "CT"
        for place, modality in enumerate((images, *MODALITIES[1:])):
            yield {
                "id": 4 * (key - 1) + place + 1,
                "public_id": f"se{key}.{place}",
                "study_id": key,
                "series_uid": f"1.2.{key}.{place}",
                "modality": modality,
                "description": "series",
            }


def _all_objects(patients: int, per_patient: int) -> Iterator[dict[str, Any]]:
    """Structure set, plan and dose of each patient, then its images."""
    for key in _keys(patients):
        for place in range(per_patient):
            number = (key - 1) * per_patient + place + 1
            kind = place + 1 if place < 3 else 0
            yield {
                "id": number,
                "public_id": f"ob{number}",
                "orthanc_id": f"{number:044d}",
                "center_id": key % 3 + 1,
                "conflict": [],
                "sender_id": key % 3 + 1,
                "patient_id": key,
                "series_id": 4 * (key - 1) + kind + 1,
                "sop_uid": f"1.2.{key}.{kind}.{place}",
                "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2",
                "transfer_syntax_uid": "1.2.840.10008.1.2.1",
                "role": ROLES[kind],
                "size_bytes": 526_000,
                "received_at": NOW - timedelta(minutes=key),
                "findings": [],
            }


def _plan_set(chance: Random, key: int, per_patient: int) -> dict[str, Any]:
    first = (key - 1) * per_patient + 1
    status = chance.choice(list(TreatmentStatus))
    names = chance.sample(STRUCTURES, 5)
    return {
        "public_id": f"ps{key}",
        "patient_id": key,
        "plan_id": first + 1,
        "structure_set_id": first,
        "image_series_id": 4 * (key - 1) + 1,
        "state": chance.choice(list(PlanSetState)),
        "label": f"Plan {key}",
        "kind": "photon",
        "approval_status": chance.choice(("APPROVED", "UNAPPROVED")),
        "date": f"20{chance.randrange(10, 26)}-03-12",
        "tps": chance.choice(("Eclipse 15.6", "Monaco 5.51", "RayStation 12")),
        "prescribed_gy": chance.choice((20.0, 50.0, 60.0, 70.0)),
        "fractions_planned": 30,
        "beams": 2,
        "treatment": {"status": status},
        "treatment_status": status,
        "links": [],
        "findings": [],
        "structures": lines_of(names),
        "settled": [],
        "updated_at": NOW,
    }
