"""What administrators see first in the morning, and the same as metrics."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from rtpacs.services.overview import Overview
from tests.web.conftest import SAME_ORIGIN, bearer, signed_in
from tests.web.fakes import HEALTHY, NOW, OVERVIEW, a_desk
from webui import create_app
from webui.metrics import Metric, Sample, exposition, system_metrics

METRICS = "/api/v1/metrics"
TOKEN = {"Authorization": "Bearer " + "m" * 43}


def page(name: str, seen: Overview = OVERVIEW) -> str:
    """The System page of an account, as words."""
    client = signed_in(create_app(replace(a_desk(), overview=lambda: seen)), name)
    text = re.sub(r"<[^>]+>", " ", client.get("/system").text)
    return " ".join(text.split())


def test_an_administrator_sees_forecast_backlog_backup_and_nodes() -> None:
    """1340 GB of room at 20 GB a day are 67 days."""
    text = page("admin")
    assert "full in about 67 days at 20.0 GB a day" in text
    assert "Oldest unprocessed object 7 minutes" in text
    assert "Came again, not compared 2" in text
    assert "Conflicts 5" in text
    assert "Prescription 3" in text
    assert "whole 2026-03-1" in text
    assert "never Run rtpacs backup FOLDER --verify" in text
    assert "whole 1 200 of 8 124 since" in text
    assert "Erased objects sent again 3, none kept" in text
    assert "reachable Answers C-ECHO" in text
    assert "not reachable No connection: nothing listens on port 104" in text


def test_never_is_said_plainly_with_what_to_run() -> None:
    text = page("admin", replace(OVERVIEW, backup=None))
    assert "Last backup never Run rtpacs backup FOLDER every night" in text


def test_a_damaged_backup_is_no_whole_one() -> None:
    assert OVERVIEW.backup is not None
    text = page("admin", replace(OVERVIEW, backup=replace(OVERVIEW.backup, damaged=2)))
    assert "Last backup 2 damaged files" in text


def test_damage_in_the_archive_is_counted() -> None:
    assert OVERVIEW.files_read is not None
    text = page("admin", replace(OVERVIEW, files_read=replace(OVERVIEW.files_read, damaged=2)))
    assert "2 damaged objects" in text
    assert "not begun" in page("admin", replace(OVERVIEW, files_read=None))


def test_trouble_of_the_plugin_stands_on_top() -> None:
    text = page("admin", replace(OVERVIEW, trouble="repeats cannot be kept: no room"))
    assert "Plugin in Orthanc: repeats cannot be kept: no room" in text
    assert "Plugin in Orthanc" not in page("admin")


def test_without_arrivals_there_is_no_forecast() -> None:
    disk = replace(OVERVIEW.disk, bytes_per_day=0.0, days_left=None)
    text = page("admin", replace(OVERVIEW, disk=disk, oldest_at=None))
    assert "Nothing arrived in the last 14 days: no forecast." in text
    assert "Oldest unprocessed object none" in text


def test_counts_of_all_centers_are_for_administrators(
    physicist: FlaskClient, administrator: FlaskClient
) -> None:
    """An administrator may not open the questions: there the counts are no links."""
    assert physicist.get("/system").status_code == 403
    assert 'href="/system"' not in physicist.get("/patients").text
    assert 'href="/to-decide?kind=version"' not in administrator.get("/system").text


def test_the_button_asks_for_a_test_and_answers_at_once() -> None:
    desk = a_desk()
    app = create_app(desk)
    client = signed_in(app, "admin")
    answer = client.post("/system/nodes/test", headers=SAME_ORIGIN, follow_redirects=True)
    assert desk.node_tests.asked == [""]
    assert "The nodes are being tested" in answer.text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (TOKEN, 200),
        ({"Authorization": "Bearer " + "n" * 43}, 401),
        ({"Authorization": "Bearer "}, 401),
        ({"Authorization": "Basic " + "m" * 43}, 401),
        ({}, 401),
    ],
)
def test_metrics_are_for_the_token(shared_app: Flask, headers: dict[str, str], status: int) -> None:
    assert shared_app.test_client().get(METRICS, headers=headers).status_code == status


@pytest.mark.parametrize(("name", "status"), [("admin", 200), ("physics", 403)])
def test_metrics_are_for_administrators(shared_app: Flask, name: str, status: int) -> None:
    headers = bearer(shared_app, name)
    assert shared_app.test_client().get(METRICS, headers=headers).status_code == status


@pytest.mark.parametrize("address", ["/api/v1/patients", "/api/v1/status", "/api/v1/nodes"])
def test_the_metrics_token_opens_nothing_else(shared_app: Flask, address: str) -> None:
    assert shared_app.test_client().get(address, headers=TOKEN).status_code == 401


def samples(text: str) -> dict[str, float]:
    """Values by name and labels, with every line of the answer understood."""
    found = {}
    for line in text.splitlines():
        if line.startswith("# "):
            assert re.fullmatch(r"# (HELP [a-z_]+ .+|TYPE [a-z_]+ gauge)", line), line
            continue
        label = r'[a-z]+="(?:[^"\\]|\\[\\"n])*"'
        match = re.fullmatch(rf"([a-z_]+(?:\{{{label}(?:,{label})*\}})?) (\S+)", line)
        assert match, line
        found[match[1]] = float(match[2])
    return found


def test_metrics_say_what_the_page_says(shared_app: Flask) -> None:
    """Prometheus's text format: every sample after help and type; the values of the desk."""
    answer = shared_app.test_client().get(METRICS, headers=TOKEN)
    assert answer.content_type == "text/plain; version=0.0.4; charset=utf-8"
    found = samples(answer.text)
    assert found["rtpacs_disk_full_in_days"] == 67
    assert found["rtpacs_oldest_unprocessed_seconds"] == 420
    assert found['rtpacs_jobs{state="failed"}'] == 1
    assert found['rtpacs_questions{kind="version"}'] == 5
    assert found['rtpacs_part_up{part="worker"}'] == 1
    assert found['rtpacs_incomplete_plan_sets{awaited="yes"}'] == 4
    assert found['rtpacs_incomplete_plan_sets{awaited="no"}'] == 1
    assert found["rtpacs_plugin_trouble"] == 0
    assert found["rtpacs_archive_damaged_objects"] == 0
    assert found["rtpacs_archive_files_read"] == 1200
    assert found["rtpacs_refused_erased"] == 3
    assert found["rtpacs_last_backup_timestamp_seconds"] == (NOW - timedelta(hours=9)).timestamp()
    assert "rtpacs_last_verification_timestamp_seconds" not in found
    label = 'aet="ECLIPSE",center="NORTH",address="192.0.2.14:104"'
    assert found[f"rtpacs_node_reachable{{{label}}}"] == 1
    silent = r'aet="PACS\"1",center="NORTH",address="192.0.2.20:104"'
    assert found[f"rtpacs_node_reachable{{{silent}}}"] == 0


def test_labels_are_escaped() -> None:
    """The exposition format: backslash, quote and line end."""
    metric = Metric(name="x", help="a\nb", samples=(Sample(value=1, labels={"l": 'c\\d"e\nf'}),))
    assert exposition([metric]) == '# HELP x a\\nb\n# TYPE x gauge\nx{l="c\\\\d\\"e\\nf"} 1.0\n'


def test_what_is_not_known_is_left_out() -> None:
    """An absent sample can be alerted on; a 0 would say that all is well."""
    disk = replace(OVERVIEW.disk, days_left=None)
    seen = replace(OVERVIEW, disk=disk, backup=None, trouble=None, nodes=())
    counts = a_desk().operations.status()
    found = samples(exposition(system_metrics(seen, counts, HEALTHY, "0.1.0")))
    names = ("disk_full", "last_backup", "plugin_trouble", "node_")
    assert not [key for key in found for name in names if key.startswith(f"rtpacs_{name}")]
