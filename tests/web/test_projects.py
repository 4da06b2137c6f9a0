"""The pages of projects, accounts and the own profile, on a real index."""

import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from rtpacs.bootstrap import Application
from rtpacs.rules.access import AccountRole, Action
from rtpacs.rules.access_log import EventType
from rtpacs.rules.projects import EntryKind, ProjectFacts
from rtpacs.services.access_log import LogQuery
from rtpacs.services.desk import NewAccount
from rtpacs.settings import load
from rtpacs.tokens import Tokens, give_token
from tests.contract.databases import Database, FakeClock
from tests.contract.filling import Filling, Sender, a_person
from tests.unit.rules.builders import PLAN_UID, an_rt_set
from tests.web.conftest import SAME_ORIGIN
from webui import create_app

PASSWORD = "correct horse battery"
SEEN = EventType.INSTANCES_ACCESSED
NO_TICK = {"tick:NORTH/guest": []}
ROLES = {
    "boss": (AccountRole.CENTER_MANAGER, "NORTH"),
    "lead": (AccountRole.PROJECT_MANAGER, None),
    "guest": (AccountRole.MEMBER, "SOUTH"),
    "root": (AccountRole.ADMINISTRATOR, None),
}


class Site:
    """NORTH's plan is in P, whose manager is ``lead``; ``guest`` takes part."""

    def __init__(self, home: Path) -> None:
        clock = FakeClock()
        self.application = Application(load({"RTPACS_HOME": str(home)})[0], clock=clock)
        self.filling = Filling(Database(engine=self.application.engine, clock=clock, url=""))
        self.filling.know("NORTH", Sender())
        self.filling.directory.add_center("SOUTH", "")
        self.filling.send(an_rt_set(), patient=a_person("4711", "Muster^Anna"))
        self.filling.work()
        self.desk = self.application.system_desk
        for name, (role, center) in ROLES.items():
            new = NewAccount(name=name, roles=frozenset({role}), center=center)
            self.desk.accounts.add(new, PASSWORD)
        self.desk.projects.make(ProjectFacts(code="P", title="Protocol"))
        self.desk.projects.set_member("P", "lead", manages=True)
        self.desk.projects.set_member("P", "guest")
        self.app = create_app(self.application.desk)

    def browser(self, name: str) -> FlaskClient:
        client = self.app.test_client()
        fields = {"name": name, "password": PASSWORD}
        assert client.post("/sign-in", data=fields, headers=SAME_ORIGIN).status_code == 303
        return client

    def put_plan(self) -> None:
        self.desk.projects.put("P", self.desk.projects.find(EntryKind.PLAN, PLAN_UID))


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = Site(tmp_path)
    yield made
    made.application.engine.dispose()


def post(client: FlaskClient, path: str, **fields: object) -> str:
    """A form sent and the page that follows, as text."""
    answer = client.post(path, data=fields, headers=SAME_ORIGIN, follow_redirects=True)
    assert answer.status_code == 200, answer.text
    return answer.text


def matrix_form(page: str) -> dict[str, list[str]]:
    """The fields that a browser would send for the matrix as it stands."""
    fields: dict[str, list[str]] = {}
    for tag in re.findall(r"<input [^>]*>", page):
        name, value = (re.search(rf'{key}="([^"]*)"', tag) for key in ("name", "value"))
        sent = 'type="checkbox"' not in tag or " checked" in tag
        if name and sent and re.match(r"cell|was:|tick:|until:", name[1]):
            fields.setdefault(name[1], []).append(value[1] if value else "")
    return fields


def test_a_center_manager_ticks_in_one_table_with_presets_history_and_undo(site: Site):
    """Own column only; a stale form changes nothing; the log puts back."""
    site.put_plan()
    boss = site.browser("boss")
    page = boss.get("/projects/P/members").text
    form = matrix_form(page)
    assert {name.partition("/")[0] for name in form["cell"]} == {"NORTH"}
    shown = post(boss, "/projects/P/ticks", **form, **{"preset:guest": "read and send"})
    assert "It counts with the next request" in shown
    assert "Muster" in site.browser("guest").get("/patients").text
    assert "changed the ticks of guest" in post(
        boss, "/projects/P/ticks", **form, **{"preset:guest": "read"}
    )
    undo = re.search(r'action="(/projects/P/log/[0-9a-f]+/undo)"', boss.get("/projects/P/log").text)
    assert "Undone." in post(boss, undo[1])
    assert site.browser("guest").get("/patients").status_code == 403


def test_what_somebody_may_not_do_is_not_offered(site: Site):
    """A member sees no forms, a project's manager none of the matrix, a stranger no project."""
    site.put_plan()
    guest, lead = site.browser("guest"), site.browser("lead")
    for tab in ("", "/data", "/members", "/log"):
        page = guest.get(f"/projects/P{tab}").text
        assert re.findall(r'method="post" action="([^"]*)"', page) == ["/sign-out"], tab
        assert "Muster" not in page
    members = lead.get("/projects/P/members").text
    assert 'name="cell"' not in members
    assert 'name="account"' in members
    assert 'href="/users"' not in members
    unknown = post(lead, "/projects/P/members", account="nobody", what="member")
    assert "There is no account nobody" in unknown


def test_data_goes_in_after_a_preview_and_comes_out_after_a_warning(site: Site):
    """Both say how many objects."""
    site.desk.projects.set_member("P", "boss")
    boss = site.browser("boss")
    preview = boss.get(f"/projects/P/data?kind=plan&name={PLAN_UID}").text
    assert "<b>8 objects</b>: 5 CT, 1 RTDOSE, 1 RTPLAN, 1 RTSTRUCT" in preview
    page = post(boss, "/projects/P/data", kind="plan", name=PLAN_UID)
    assert "Muster, Anna" in page
    leaving = re.search(r'href="(/projects/P/data/[0-9a-f]+/remove)"', page)[1]
    assert "8 objects</b>" in boss.get(leaving).text
    assert "No data yet" in post(boss, leaving)
    assert "only until a day" in boss.get("/projects/P/data?kind=patient&name=4711").text


def test_a_view_as_somebody_shows_their_rights_and_nothing_more(site: Site):
    """The project's manager, who sees no patient, learns yes and no."""
    site.put_plan()
    cell = {"cell": "NORTH/guest", "was:NORTH/guest": "@", "tick:NORTH/guest": "info"}
    post(site.browser("boss"), "/projects/P/ticks", **cell)
    page = site.browser("lead").get("/projects/P/as/guest").text
    rights, row = re.findall(r"<tbody>.*?</tbody>", page, re.DOTALL)[:2]
    assert re.findall(r'class="tag">(\w+)<', rights) == ["info", "open"]
    answers = re.findall(r">(yes|no)<", row)
    assert answers == ["no", "yes", "no"]
    assert "Muster" not in page
    assert "None that both of you see" in page
    assert site.browser("lead").get("/projects/P/as/root").status_code == 404
    # Who sees the patient anyway sees that the member does, and that is a row in the own name.
    page = site.browser("boss").get("/projects/P/as/guest").text
    assert "1 patient of the project that guest sees" in page
    assert "Muster, Anna" in page
    site.desk.recorder.flush()
    row = site.desk.access_log.page(LogQuery(who="boss", type=SEEN)).items[0]
    assert row.what == "GET /projects/<code>/as/<account>: as guest"
    post(site.browser("boss"), "/projects/P/ticks", **cell | {"was:NORTH/guest": "info@"} | NO_TICK)
    assert "None that both of you see" in site.browser("boss").get("/projects/P/as/guest").text
    shown = site.browser("root").get("/users/boss").text
    assert "is center-manager of NORTH" in shown
    assert "any, and in none" in shown


def test_an_administrator_adds_changes_and_deactivates_accounts(site: Site):
    """The first password is shown once; the last administrator stays."""
    root = site.browser("root")
    page = post(root, "/users", name="new", center="SOUTH", role="clinical-reader")
    password = re.search(r'class="token">([^<]+)<', page)[1]
    fields = {"name": "new", "password": password}
    client = site.app.test_client()
    client.post("/sign-in", data=fields, headers=SAME_ORIGIN)
    assert client.get("/patients").headers["Location"] == "/password"
    page = post(root, "/users/new", center="SOUTH", role="clinical-reader")
    assert "deactivated" in page
    assert site.desk.accounts.account("new") is None
    assert "last administrator" in post(root, "/users/root", role="member", active="on")
    assert password not in root.get("/users").text


def test_a_token_is_shown_once_works_narrowed_and_is_revoked(site: Site):
    """From the profile: what it may, and nothing after revoking."""
    boss = site.browser("boss")
    page = post(boss, "/profile/tokens", name="nightly", days="30", action="info")
    headers = {"Authorization": f"Bearer {re.search(r'class=.token.>([^<]+)<', page)[1]}"}
    script = site.app.test_client()
    assert script.get("/api/v1/patients", headers=headers).get_json()["total"] == 1
    assert script.get("/downloads", headers=headers).status_code == 403
    (row,) = script.get("/api/v1/tokens", headers=headers).get_json()["items"]
    for address in (
        "/profile/tokens",
        f"/profile/tokens/{row['id']}/revoke",
        "/profile/tokens/revoke-all",
        "/profile/sign-out-everywhere",
        "/password",
    ):
        assert script.post(address, headers=headers).status_code == 403, address
    own = f"/api/v1/tokens/{row['id']}"
    assert script.delete(own, headers=headers).status_code == 403
    assert script.get("/api/v1/tokens", headers=headers).status_code == 200
    assert row["actions"] == [Action.INFO]
    post(boss, f"/profile/tokens/{row['id']}/revoke")
    assert script.get("/api/v1/patients", headers=headers).status_code == 401
    page = post(boss, "/profile/tokens", name="again", days="30", action="info")
    headers = {"Authorization": f"Bearer {re.search(r'class=.token.>([^<]+)<', page)[1]}"}
    assert script.get("/api/v1/patients", headers=headers).status_code == 200
    assert "1 of your tokens" in post(boss, "/profile/tokens/revoke-all")
    assert script.get("/api/v1/patients", headers=headers).status_code == 401


def test_nobody_gets_a_role_at_a_center_without_its_managers_seeing_it(site: Site):
    """The row names who, what it was and what it is; the manager reads it, others do not."""
    root = site.browser("root")
    post(root, "/users/root", center="NORTH", role=["administrator", "center-manager"], active="on")
    post(root, "/users", name="Eve", center="SOUTH", role="submitter")
    headers = {"Authorization": f"Bearer {token_of(site, 'root')}"}
    body = {"roles": ["member"], "center": "SOUTH", "active": False}
    assert root.put("/api/v1/users/eve", json=body, headers=headers).status_code == 200
    site.desk.recorder.flush()
    rows = [row for row in site.desk.access_log.page(LogQuery()).items if "/users" in row.what]
    assert [(row.type, row.who, row.what) for row in rows] == [
        (
            "Security Alert",
            "root",
            "PUT /api/v1/users/<account>: eve: [SOUTH] submitter → [SOUTH] member, deactivated",
        ),
        ("Security Alert", "root", "POST /users: eve: new → [SOUTH] submitter"),
        (
            "Security Alert",
            "root",
            "POST /users/<account>: root: administrator → [NORTH] administrator, center-manager",
        ),
    ]
    page = site.browser("boss").get("/profile").text
    assert "root: administrator → [NORTH] administrator, center-manager" in page
    assert "eve: " not in page
    assert "People of" not in site.browser("guest").get("/profile").text


def token_of(site: Site, name: str) -> str:
    signing = Tokens(secret_key=site.desk.secret_key, clock=site.desk.clock)
    return give_token(signing, site.desk.accounts, site.desk.accounts.account(name))


def test_signing_out_everywhere_ends_every_session(site: Site):
    """Both browsers have to sign in again."""
    one, other = site.browser("boss"), site.browser("boss")
    assert one.post("/profile/sign-out-everywhere", headers=SAME_ORIGIN).status_code == 303
    assert [client.get("/patients").status_code for client in (one, other)] == [302, 302]


def test_what_ends_soon_is_announced(site: Site):
    """A month before, on the project's first page."""
    projects = site.desk.projects
    ends = site.application.clock().replace(day=20)
    projects.change(ProjectFacts(code="P", title="Protocol", expires_at=ends))
    assert "The project ends on 2026-03-20" in site.browser("guest").get("/projects/P").text
