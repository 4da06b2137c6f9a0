"""What an extract holds: one self-describing SQLite file and CSV."""

import csv
import json
import sqlite3
from dataclasses import replace

import pytest

from rtpacs.errors import InvalidInputError, NotFoundError
from rtpacs.rules.access import EVERYTHING
from rtpacs.rules.decisions import DecisionKind, StatedTarget, Statement
from rtpacs.rules.objects import Role
from rtpacs.services.desk import Query
from rtpacs.store.catalogue import SqlCatalogue
from rtpacs.store.decisions import SqlDecisions
from rtpacs.store.doses import SqlDoses
from rtpacs.store.extract import DATABASE_NAME, write_extract
from rtpacs.store.extract_tables import TABLES, VIEWS
from tests.contract.databases import START, Database
from tests.contract.filling import Filling, Sender, a_person
from tests.contract.test_doses import a_set_with, a_tps_dvh
from tests.unit.rules.builders import a_roi, an_rt_set
from tests.web.sample_plans import BRACHY_CONTENT, ION_CONTENT

# It reads through catalogue and doses, whose contracts run on both engines.
pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
PERSON = a_person("0102", "Müller^Jörg")
FORMULA = '=HYPERLINK("http://example.org")'


@pytest.fixture
def filling(database: Database) -> Filling:
    filling = Filling(database)
    filling.know()
    return filling


@pytest.fixture
def write(database: Database, tmp_path):
    """Write an extract into a new folder and return (folder, number of plan sets)."""

    def run(folder=None, plan_set_ids=None):
        target = folder or tmp_path / "extract"
        count = write_extract(
            SqlCatalogue(database.engine, EVERYTHING),
            SqlDoses(database.engine, EVERYTHING),
            folder=target,
            plan_set_ids=plan_set_ids,
            about={"rtpacs_version": "0.1.0"},
            written_at=START,
        )
        return target, count

    return run


def ask(folder, query):
    connection = sqlite3.connect(folder / DATABASE_NAME)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def rows_of(folder, name):
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_an_extract_holds_plan_structures_and_metrics(filling, write):
    """Half of the ramp's 100 cm³ receives 30 Gy or more."""
    filling.send(an_rt_set(), patient=PERSON)
    filling.work()
    folder, count = write()
    assert count == 1
    assert ask(folder, "SELECT patient_id, name FROM patients") == [("0102", "Müller^Jörg")]
    assert ask(
        folder, "SELECT patient_id, plan, structure, mean_gy, round(v30gy_cm3, 2) FROM dvh_wide"
    ) == [("0102", "Plan A", "PTV", 30.0, 50.0)]
    # 110 cm³, 100 of them covered: half of the whole, 55 cm³, receives 60 (1 - 0.55) Gy.
    (whole,) = ask(folder, "SELECT whole_d98_gy, round(whole_d50_gy, 2), warnings FROM dvh_wide")
    assert whole[:2] == (0.0, 27.0)
    assert ask(folder, "SELECT DISTINCT warnings FROM dvh_points") == [(whole[2],)]
    assert ask(folder, "SELECT dose_gy FROM prescriptions") == [(60.0,)]
    assert len(ask(folder, "SELECT * FROM beams")) == 3


def test_what_people_stated_stands_beside_the_numbers(filling, write, database):
    """A stated prescription is no DICOM prescription: the column says who stated it."""
    filling.send(an_rt_set(), patient=PERSON)
    filling.work()
    (row,) = SqlCatalogue(database.engine, EVERYTHING).plan_sets(Query()).items
    plan = SqlCatalogue(database.engine, EVERYTHING).plan_set(row.id).plan_object
    made = Statement(
        kind=DecisionKind.PRESCRIPTION,
        center="AARHUS",
        subject=plan.orthanc_id,
        targets=(StatedTarget(name="PTV", dose_gy=66.0),),
    )
    book = SqlDecisions(database.engine, database.clock, filling.jobs)
    book.add(made, author="a.physicist", reason="card", seen=None)
    filling.work()
    folder, _ = write()
    for view in ("plan_overview", "dvh_wide"):
        ((prescribed, stated),) = ask(folder, f"SELECT prescribed_gy, stated FROM {view}")
        assert prescribed == 66.0
        (sentence,) = json.loads(stated)
        assert sentence.startswith("Prescription (PTV 66 Gy) stated by a.physicist, ")


def test_curves_unfold_to_points(filling, write):
    """6,001 edges of 0.01 Gy in the database, every tenth in CSV."""
    filling.send(an_rt_set(), patient=PERSON)
    filling.work()
    folder, _ = write()
    assert ask(
        folder,
        "SELECT count(*), max(dose_gy), max(volume_cm3), min(volume_cm3) FROM dvh_points",
    ) == [(6001, pytest.approx(60.0), 100.0, 0.0)]
    points = rows_of(folder, "dvh_curves")
    assert len(points) == 601
    assert (points[300]["dose_gy"], float(points[300]["volume_cm3"])) == ("30.0", 50.0)


def test_exported_dvhs_stand_in_tables_of_their_own(filling, write):
    """Recalculated and exported numbers are never in one table."""
    filling.send(a_set_with(a_tps_dvh()), patient=PERSON)
    filling.work()
    folder, _ = write()
    assert ask(folder, "SELECT count(*) FROM dvh_metrics") == [(1,)]
    assert ask(folder, "SELECT name, mean, dose_units FROM tps_dvhs") == [("PTV", 20.0, "GY")]
    assert ask(folder, "SELECT dose, volume FROM tps_dvh_points ORDER BY dose") == [
        (0.0, 20.0),
        (10.0, 20.0),
        (30.0, 0.0),
    ]


def test_the_file_describes_itself(filling, write):
    """Every column of every table has a meaning; versions and conventions stand in ``about``."""
    filling.send(an_rt_set(), patient=PERSON)
    filling.work()
    folder, _ = write()
    described = {(t, c) for t, c in ask(folder, 'SELECT "table", "column" FROM columns')}
    for table in TABLES:
        names = [row[1] for row in ask(folder, f"PRAGMA table_info({table.name})")]
        assert {(table.name, name) for name in names} <= described
        assert names == list(table.column_names)
    about = dict(ask(folder, "SELECT name, value FROM about"))
    assert (about["rtpacs_version"], about["plan_sets"]) == ("0.1.0", "1")
    assert "never mixed" in about["two sources"]
    described = dict(ask(folder, "SELECT name, meaning FROM tables"))
    assert set(described) == {*VIEWS, *(table.name for table in TABLES)}
    for view in VIEWS:
        ask(folder, f"SELECT * FROM {view}")


def test_the_csv_files_need_no_database(filling, write):
    """A spreadsheet finds names beside the numbers, V10Gy in a column, and what columns mean."""
    filling.send(an_rt_set(), patient=PERSON)
    filling.work()
    folder, _ = write()
    (wide,) = rows_of(folder, "dvh_wide")
    assert (wide["patient_id"], wide["structure"], wide["mean_gy"]) == ("0102", "PTV", "30.0")
    assert float(wide["v30gy_cm3"]) == pytest.approx(50.0, abs=0.1)
    meanings = {(row["table"], row["column"]): row["unit"] for row in rows_of(folder, "columns")}
    for table in TABLES:
        assert meanings.keys() >= {(table.name, column) for column in table.column_names}
    assert (
        "never mixed"
        in {row["name"]: row["value"] for row in rows_of(folder, "about")}["two sources"]
    )


def an_rt_set_with(plan, **header):
    """The built set whose plan states something else."""
    return [
        replace(item, parsed=replace(item.parsed, content=plan, **header))
        if item.parsed.role is Role.PLAN
        else item
        for item in an_rt_set()
    ]


def test_a_brachy_plan_goes_with_sources_setups_and_channels(filling, write):
    """What is beams for others; channels belong to their setup."""
    filling.send(an_rt_set_with(BRACHY_CONTENT), patient=PERSON)
    filling.work()
    folder, _ = write()
    assert ask(folder, "SELECT brachy_type, brachy_technique, brachy_machines FROM plan_sets") == [
        ("HDR", "INTRACAVITARY", '["Afterloader 1"]')
    ]
    assert ask(
        folder, "SELECT isotope, reference_air_kerma_rate, strength_date FROM brachy_sources"
    ) == [("Ir-192", 40820.0, "2026-03-02T06:00:00")]
    assert ask(
        folder,
        "SELECT s.name, c.applicator, c.dwell_positions, c.total_time_s"
        " FROM brachy_channels c JOIN brachy_setups s ON s.id = c.setup",
    ) == [("T+R", "tandem", 14, 271.4)]
    assert ask(
        folder,
        "SELECT fractions_planned, brachy_setup_numbers, brachy_dose_gy FROM fraction_groups",
    ) == [(4, "[1]", 7.0)]
    assert ask(folder, "PRAGMA foreign_key_check") == []


def test_an_ion_plan_goes_with_what_shapes_its_beams(filling, write):
    """Two fraction groups with one beam; the unit of its meterset stands beside it."""
    filling.send(an_rt_set_with(ION_CONTENT), patient=PERSON)
    filling.work()
    folder, _ = write()
    assert ask(
        folder,
        "SELECT metersets, meterset_unit, scan_mode, range_shifters, compensators, snout"
        " FROM beams",
    ) == [('{"1": 51000.0, "2": 51000.0}', "NP", "MODULATED", 1, 1, "S1")]
    assert ask(folder, "SELECT number, beam_numbers FROM fraction_groups") == [
        (1, "[1]"),
        (2, "[1]"),
    ]


def test_objects_and_images_of_a_plan_set_go_with_it(filling, write):
    """By their UIDs they are found in any other archive."""
    filling.send(an_rt_set(), patient=PERSON)
    filling.work()
    folder, _ = write()
    assert ask(
        folder, "SELECT role, sop_uid, frame_of_reference_uid FROM objects ORDER BY role"
    ) == [
        (item.parsed.role, item.parsed.sop_uid, item.parsed.series.frame_of_reference_uid)
        for item in sorted(an_rt_set(), key=lambda item: item.parsed.role)
        if item.parsed.role is not Role.IMAGE
    ]
    assert ask(folder, "SELECT modality, objects FROM image_series") == [("CT", 5)]


def test_foreign_keys_hold(filling, write):
    """Each row belongs to a plan set, each metric to a structure."""
    filling.send(a_set_with(a_tps_dvh()), patient=PERSON)
    filling.work()
    folder, _ = write()
    assert ask(folder, "PRAGMA foreign_key_check") == []
    assert len(ask(folder, "PRAGMA foreign_key_list(dvh_metrics)")) == 2


def test_structures_and_labels_can_be_searched(filling, write):
    """Full text, without diacritics and by prefix."""
    rois = [replace(a_roi(), name="Rückenmark PRV 3mm")]
    filling.send(a_set_with(rois=rois), patient=PERSON)
    filling.work()
    folder, _ = write()
    for table, words, count in (
        ("structures", "rucken*", 1),
        ("structures", "lung*", 0),
        ("plan_sets", "plan", 1),
    ):
        query = (
            f"SELECT count(*) FROM {table} t JOIN {table}_fts f ON f.rowid = t.rowid"
            f" WHERE {table}_fts MATCH '{words}'"
        )
        assert ask(folder, query) == [(count,)]


def test_a_spreadsheet_finds_no_formula(filling, write):
    """ASVS 1.2.10: such a cell begins with an apostrophe in CSV; the database keeps the text."""
    filling.send(a_set_with(rois=[replace(a_roi(), name=FORMULA)]), patient=PERSON)
    filling.work()
    folder, _ = write()
    assert [row["name"] for row in rows_of(folder, "structures")] == [f"'{FORMULA}"]
    assert ask(folder, "SELECT name FROM structures") == [(FORMULA,)]
    for path in folder.glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            cells = [cell for row in csv.reader(file) for cell in row]
        assert not [c for c in cells if c[:1] in "=+@\t\r" and c[:1]]


def test_csv_follows_rfc_4180(filling, write):
    """Lines end in CR LF; quotes and commas survive."""
    name = 'PTV, "60 Gy"'
    filling.send(a_set_with(rois=[replace(a_roi(), name=name)]), patient=PERSON)
    filling.work()
    folder, _ = write()
    assert [row["name"] for row in rows_of(folder, "structures")] == [name]
    data = (folder / "structures.csv").read_bytes()
    assert data.count(b"\r\n") == data.count(b"\n") == 2
    assert b'"PTV, ""60 Gy"""' in data


def test_two_plan_sets_of_a_patient_share_the_patient(filling, write):
    """Chosen plan sets only, each once, the patient once."""
    filling.send(an_rt_set(), patient=PERSON)
    other = an_rt_set()[6]
    other = replace(other, parsed=replace(other.parsed, sop_uid="1.2.3.51"))
    filling.send([other], patient=PERSON)
    filling.work()
    ids = [
        row.id for row in SqlCatalogue(filling.database.engine, EVERYTHING).plan_sets(Query()).items
    ]
    folder, count = write()
    assert (count, len(ids)) == (2, 2)
    assert ask(folder, "SELECT count(*) FROM patients") == [(1,)]
    folder, count = write(folder.parent / "one", [ids[0], ids[0]])
    assert (count, ask(folder, "SELECT id FROM plan_sets")) == (1, [(ids[0],)])


def test_quarantined_data_is_not_in_an_extract(filling, write):
    """What nobody may see is not taken out either."""
    filling.send(an_rt_set(), patient=PERSON, sender=Sender(aet="NOBODY"))
    filling.send(an_rt_set(), patient=replace(PERSON, patient_id=""))
    filling.work()
    folder, count = write()
    assert count == 0
    assert ask(folder, "SELECT count(*) FROM patients") == [(0,)]


def test_a_folder_in_use_is_never_overwritten(filling, write, tmp_path):
    """An empty folder is taken, one with content refused."""
    (tmp_path / "empty").mkdir()
    assert write(tmp_path / "empty")[1] == 0
    used = tmp_path / "used"
    used.mkdir()
    (used / "thesis.txt").write_text("mine")
    with pytest.raises(InvalidInputError):
        write(used)
    assert [path.name for path in used.iterdir()] == ["thesis.txt"]


def test_an_extract_that_fails_leaves_nothing_behind(filling, write, tmp_path):
    """The folder appears whole or not at all."""
    with pytest.raises(NotFoundError):
        write(tmp_path / "new", ["0" * 32])
    assert not [path for path in tmp_path.iterdir() if "new" in path.name]


def test_findings_and_links_go_with_the_plan(filling, write):
    """An incomplete set says in the extract what it lacks."""
    filling.send(an_rt_set()[6:], patient=PERSON)
    filling.work()
    folder, _ = write()
    assert ask(folder, "SELECT state FROM plan_sets") == [("incomplete",)]
    assert "plan set" in {about for (about,) in ask(folder, "SELECT about FROM findings")}
    missing = ask(folder, "SELECT reason FROM links WHERE status = 'missing' AND required = 1")
    assert missing
    assert all(reason for (reason,) in missing)
    assert json.loads(ask(folder, "SELECT metersets FROM beams LIMIT 1")[0][0]) == {"1": 100.0}
