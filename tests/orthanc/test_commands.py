"""What the command line promises of a running system: status, exit codes, export."""

import csv
import getpass
import json
import os
import secrets
import signal
import sqlite3
from contextlib import closing

import pytest

from rtpacs.rules.jobs import JobKind
from rtpacs.services.ports import JobRequest
from tests.live import until
from tests.orthanc.asking import plan_set_of
from tests.orthanc.associations import store
from tests.orthanc.cases import CENTER_GY, a_case

MEANS = "SELECT name, mean_gy FROM dvh_metrics JOIN structures ON structures.id = structure"
SETTLED, TROUBLED, TIMED_OUT = 0, 1, 2
REFUSED = 2


def test_status_waits_and_counts_as_json(system):
    """Exit code 0 when all is calculated; the keys are those of the contract."""
    case = a_case()
    store(system, case.objects)
    done = system.run("status", "--wait", "--json")
    counts = json.loads(done.stdout)
    assert done.returncode == SETTLED
    assert set(counts) >= {"inbox", "jobs", "objects", "plan_sets", "findings"}
    assert counts["jobs"] == {"ready": 0, "running": 0, "retrying": 0, "failed": 0}
    assert counts["inbox"] == 0
    assert counts["objects"] == system.application.archive.count()
    assert plan_set_of(system, case)["calculated"]


def test_status_names_jobs_in_trouble_and_exits_with_one(system):
    """A job whose patient is no number cannot run: it waits for a retry until it is cancelled."""
    key = f"nobody-{secrets.token_hex(4)}"
    ask = JobRequest(kind=JobKind.ASSEMBLE, key=key, label="of a test")
    system.application.jobs.enqueue([ask])
    try:
        done = system.run("status", "--wait", "--json", check=False)
    finally:
        # Whatever its state is now: left behind, it would trouble every later test.
        job = next(job for job in system.jobs() if job.key == key)
        system.application.operations.cancel(job.id)
    assert done.returncode == TROUBLED
    assert json.loads(done.stdout)["jobs"]["retrying"] == 1
    assert f"retrying job {job.id} (assemble {key})" in done.stderr
    system.settle()


def test_status_gives_up_after_its_time_and_exits_with_two(system):
    """While the worker stands still, arrivals wait."""
    (worker,) = until(lambda: system.children("worker"), what="a worker")
    os.kill(worker, signal.SIGSTOP)
    try:
        store(system, a_case().objects[:1])
        done = system.run("status", "--wait", "--timeout", "1", check=False)
    finally:
        os.kill(worker, signal.SIGCONT)
    assert done.returncode == TIMED_OUT
    assert "not settled after 1 s" in done.stderr
    system.settle()


@pytest.fixture(scope="module")
def extract(system, tmp_path_factory):
    """One case, exported by the command; the case and the folder."""
    case, other = a_case(), a_case()
    store(system, [*case.objects, *other.objects])
    system.settle()
    folder = tmp_path_factory.mktemp("export") / "extract"
    system.run("export", str(folder), "--plan-set", plan_set_of(system, case)["id"])
    return case, folder


def test_export_writes_one_self_describing_database(extract):
    """The chosen plan set alone, its structures with numbers in Gy, and what the columns mean."""
    case, folder = extract
    with closing(sqlite3.connect(folder / "rtpacs.sqlite")) as connection:
        connection.row_factory = sqlite3.Row
        (plan,) = connection.execute("SELECT * FROM plan_sets").fetchall()
        (patient,) = connection.execute("SELECT * FROM patients").fetchall()
        means = dict(connection.execute(MEANS).fetchall())
        described = {row["table"] for row in connection.execute('SELECT * FROM "columns"')}
    assert plan["plan_uid"] == case.plan_uid
    assert patient["patient_id"] == case.patient_id
    assert means == pytest.approx({"PTV": CENTER_GY, "BODY": CENTER_GY}, abs=0.01)
    assert {"plan_sets", "patients", "structures", "dvh_metrics"} <= described


def test_export_writes_the_same_as_csv(extract):
    """One file per table with a header."""
    case, folder = extract
    (plan,) = rows_of(folder / "plan_sets.csv")
    assert plan["plan_uid"] == case.plan_uid
    names = {row["id"]: row["name"] for row in rows_of(folder / "structures.csv")}
    metrics = rows_of(folder / "dvh_metrics.csv")
    means = {names[row["structure"]]: float(row["mean_gy"]) for row in metrics}
    assert means == pytest.approx({"PTV": CENTER_GY, "BODY": CENTER_GY}, abs=0.01)


def rows_of(path):
    """The rows of a CSV file with a header."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_commands_on_rights_and_on_the_log_leave_a_row_of_it(system):
    """Who at the server, which command, on whom; the password and failed commands are not in it."""
    name, password = f"eve-{secrets.token_hex(4)}", secrets.token_hex(12)
    add = ("user", "add", name, "--role", "member", "--password-stdin")
    assert system.run(*add, stdin=password).returncode == SETTLED
    assert system.run(*add, stdin=password, check=False).returncode == REFUSED
    system.run("user", "change", name, "--role", "member", "--inactive")
    system.run("log", "verify")
    exported = system.run("log", "export", "--user", f"command line ({getpass.getuser()})").stdout
    rows = [
        row
        for row in csv.DictReader(exported.splitlines())
        if "log" in row["what"] or name in row["what"]
    ]
    assert [(row["what"], row["type"]) for row in rows[:3]] == [
        ("rtpacs log verify", "Audit Log Used"),
        (f"rtpacs user change: {name}: member → member, deactivated", "Security Alert"),
        (f"rtpacs user add: {name}: new → member", "Security Alert"),
    ]
    assert password not in exported
