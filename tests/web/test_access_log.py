"""What requests leave in the access log, and who reads it."""

from rtpacs.rules.access_log import EventType
from tests.web.conftest import PASSWORD, SAME_ORIGIN
from tests.web.fakes import THORAX


def written(desk):
    desk.recorder.flush()
    return [
        (row.type, row.who, row.what, row.outcome, row.patient)
        for row in reversed(desk.access_log.rows)
    ]


def test_signing_in_looking_and_being_refused_are_rows(desk, physicist):
    """The route stands for what was done: what was searched for is in no row."""
    physicist.get("/patients?q=Secret")
    physicist.get(f"/patients/{THORAX.id}")
    physicist.get("/access-log")
    rows = written(desk)
    assert rows == [
        ("User Authentication", "physics", "POST /sign-in", "success", ""),
        ("Query", "physics", "GET /patients", "success", ""),
        (
            "DICOM Instances Accessed",
            "physics",
            "GET /patients/<patient_id>",
            "success",
            THORAX.id,
        ),
        ("Audit Log Used", "physics", "GET /access-log", "refused", ""),
    ]
    assert "Secret" not in str(rows)


def test_a_name_that_is_no_account_is_not_written(desk, anonymous):
    """It may be a password that was typed into the wrong field."""
    form = {"name": "hunter2 hunter2", "password": PASSWORD}
    anonymous.post("/sign-in", data=form, headers=SAME_ORIGIN)
    assert written(desk) == [("User Authentication", "?", "POST /sign-in", "refused", "")]


def test_no_patient_is_shown_while_rows_cannot_be_written(desk, physicist):
    """503 with the reason, until a row was written; pages without patients go on."""
    desk.access_log.broken = True
    assert not desk.recorder.flush()
    answer = physicist.get(f"/patients/{THORAX.id}")
    assert answer.status_code == 503
    assert "access log" in answer.get_data(as_text=True)
    assert physicist.get("/jobs").status_code == 200
    desk.access_log.broken = False
    assert desk.recorder.flush()
    assert physicist.get(f"/patients/{THORAX.id}").status_code == 200


def test_administrators_read_the_log_and_that_is_a_row_too(desk, administrator):
    """On the page, as CSV and over REST; ids of ours stand for patients."""
    desk.recorder.flush()
    page = administrator.get("/access-log").get_data(as_text=True)
    assert "User Authentication" in page
    assert '<span class="badge ok">' in page
    table = administrator.get("/access-log.csv?who=admin").get_data(as_text=True)
    assert table.splitlines()[0].startswith("at (UTC),who,address,code,event")
    assert "110114" in table
    assert [row[0] for row in written(desk)][-2:] == [EventType.AUDIT_LOG_USED] * 2


def test_the_log_of_a_patient_is_for_the_manager_of_its_center(physicist):
    """To everybody else it looks as if there were none."""
    assert physicist.get(f"/patients/{THORAX.id}/access-log").status_code == 404
