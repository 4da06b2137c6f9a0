"""Files are read in rounds that are spread over days; what changed is said where it is used."""

import copy
from dataclasses import replace
from datetime import timedelta
from math import ceil

import pytest
import sqlalchemy as sa

from rtpacs.errors import ArchiveFaultError, NotFoundError
from rtpacs.services.verification import Verification
from rtpacs.store.schema import dicom_object, plan_set
from rtpacs.store.verification import SqlVerification
from tests.builders import an_rt_set
from tests.contract.hospitals import Hospitals, orthanc_id

DAYS = timedelta(days=10)


class Disk:
    """Says which files changed."""

    def __init__(self) -> None:
        self.damaged: set[str] = set()
        self.gone: set[str] = set()
        self.asked: list[str] = []

    def is_whole(self, identifier):
        self.asked.append(identifier)
        if identifier in self.gone:
            raise NotFoundError("it left")
        return identifier not in self.damaged

    def read_version(self, name):
        self.asked.append(name)
        if name in self.damaged:
            raise ArchiveFaultError("damaged")
        return b""


@pytest.fixture
def disk():
    """Whole."""
    return Disk()


@pytest.fixture
def hospitals(database):
    """NORTH sent one plan set."""
    found = Hospitals(database)
    for item in an_rt_set():
        found.send("NORTH", item)
    found.work()
    return found


def the(modality):
    """The first object of a modality."""
    return next(item for item in an_rt_set() if item.Modality == modality)


@pytest.fixture
def verification(hospitals, disk):
    """Ten days for a round."""
    database = hospitals.database
    return Verification(
        book=SqlVerification(database.engine, database.clock, hospitals.world.jobs),
        is_whole=disk.is_whole,
        read_version=disk.read_version,
        clock=database.clock,
        period=DAYS,
    )


def pass_round(hospitals, verification) -> int:
    """Steps of a day each until a round ends; how many files were read."""
    read = 0
    for _ in range(14):
        hospitals.database.clock.value += timedelta(days=1)
        read += verification.step()
        if verification.book.present().after == 0:
            break
    return read


def findings(hospitals) -> list[str]:
    """Codes on NORTH's plan set."""
    rows = hospitals.database.rows(sa.select(plan_set.c.findings).order_by(plan_set.c.id))
    return [item["code"] for item in rows[0].findings]


def test_a_round_reads_every_file_once_and_takes_its_days(hospitals, verification, disk):
    """A tenth of the files a day, none twice; within a minute nothing more is due."""
    total = verification.book.count()
    assert verification.step() == 1
    assert verification.step() == 0
    read = 1 + pass_round(hospitals, verification)
    assert read == total
    assert sorted(disk.asked) == sorted(set(disk.asked))
    state = verification.book.present()
    assert (state.finished_checked, state.finished_damaged) == (total, 0)
    assert state.finished_at == hospitals.database.clock()


def test_a_round_of_less_than_ten_minutes_is_read_in_tenths(hospitals, verification):
    """A tenth of a minute's round is due after six seconds, not after a minute."""
    short = replace(verification, period=timedelta(minutes=1))
    tenth = ceil(short.book.count() / 10)
    assert (short.step(), short.step()) == (tenth, 0)
    hospitals.database.clock.value += timedelta(seconds=6)
    assert short.step() == tenth


def test_a_changed_file_is_said_on_object_and_plan_set(hospitals, verification, disk):
    """The dose's byte turned: an error with its remedy; what was calculated stays, as does the
    state. Restored, it is said no more."""
    dose = the("RTDOSE")
    before = findings(hospitals)
    (standing,) = hospitals.database.rows(sa.select(plan_set.c.state, plan_set.c.pair_id))
    disk.damaged = {orthanc_id(dose)}
    pass_round(hospitals, verification)
    hospitals.work()
    assert findings(hospitals) == [*before, "damaged-file"]
    assert verification.book.present().finished_damaged == 1
    row = hospitals.rows(dose)["NORTH"]
    assert (row.finding_count, row.findings[-1]["uid"]) == (1, dose.SOPInstanceUID)
    (after,) = hospitals.database.rows(sa.select(plan_set.c.state, plan_set.c.pair_id))
    assert after == standing
    disk.damaged = set()
    pass_round(hospitals, verification)
    hospitals.work()
    assert findings(hospitals) == before
    assert hospitals.rows(dose)["NORTH"].finding_count == 0


def test_damaged_images_are_one_finding(hospitals, verification, disk):
    """Counted, not listed one by one."""
    disk.damaged = {orthanc_id(item) for item in an_rt_set() if item.Modality == "CT"}
    pass_round(hospitals, verification)
    hospitals.work()
    assert findings(hospitals).count("damaged-file") == 1


def test_contents_that_only_we_hold_are_read_too(hospitals, verification, disk):
    """SOUTH's plan differs in the patient's name: its own file is read, not Orthanc's."""
    plan = the("RTPLAN")
    other = copy.deepcopy(plan)
    other.PatientName = "Other^Name"
    hospitals.send("SOUTH", other)
    hospitals.work()
    name = hospitals.rows(plan)["SOUTH"].version_file
    assert name
    disk.damaged = {name}
    pass_round(hospitals, verification)
    assert name in disk.asked
    assert hospitals.rows(plan)["SOUTH"].findings[-1]["code"] == "damaged-file"
    assert "damaged-file" not in str(hospitals.rows(plan)["NORTH"].findings)


def test_what_left_orthanc_is_no_damage(hospitals, verification, disk):
    """Its deletion is on the way."""
    disk.gone = {row.orthanc_id for row in hospitals.database.rows(sa.select(dicom_object))}
    pass_round(hospitals, verification)
    state = verification.book.present()
    assert (state.finished_checked, state.finished_damaged) == (len(disk.gone), 0)
