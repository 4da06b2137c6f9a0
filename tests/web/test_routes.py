"""Every route as everybody: on a real index, with rights that come from real accounts and ticks.

Each route of the map is asked as somebody whose token ended or was revoked, of another center, of
another project, and with all eight subsets of the ticks.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import combinations
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.routing import Rule

from rtpacs.bootstrap import Application
from rtpacs.rules.access import TICKS, AccountRole, Action, Narrowing
from rtpacs.rules.projects import Cell, Entry, EntryKind, ProjectFacts
from rtpacs.services.desk import NewAccount, NewToken, Query
from rtpacs.settings import load
from rtpacs.store.schema import dicom_object, job
from rtpacs.tokens import Tokens, give_token
from tests.contract.databases import START, Database, FakeClock
from tests.contract.filling import Filling, Sender, a_person
from tests.unit.rules.builders import an_rt_set
from tests.web.conftest import SAME_ORIGIN
from webui import create_app
from webui.policy import Need, need_of

SUBSETS = [frozenset(part) for n in range(4) for part in combinations(TICKS, n)]
METHODS = ("GET", "POST", "PUT", "DELETE")
STRANGERS = ("other-center", "other-project")
NOTHING = "nothing-of-this-name"
ABSENT = {  # what stands for each identifier when it names nothing
    "job_id": "999999",
    "study": "1.9.9",
    "series": "1.9.9.9",
    "identifier": "-".join(["00000000"] * 5),
}
CHOICES = {"kind": "plans", "level": "series", "below": "series", "above": "study"}
FIXED = {
    **CHOICES,
    "scope": "all",
    "change": "pause",
    "step": "retry",
    "rest": "x",
    "filename": "css/tokens.css",
    "name": "meta.json",
}


@dataclass
class Installation:
    """NORTH's patient is in P; SOUTH and the members of Q have nothing to do with it."""

    app: Flask
    ids: dict[str, str]
    secrets: tuple[str, ...]
    tokens: dict[str, str]

    def ask(self, who: str, method: str, path: str):
        """One request with somebody's token."""
        headers = {"Authorization": f"Bearer {self.tokens[who]}", **SAME_ORIGIN}
        body = (
            {} if method == "GET" else {"json": {}} if "/api/" in path else {"data": {"title": "x"}}
        )
        with self.app.test_client() as client:
            answer = client.open(path, method=method, headers=headers, **body)
            answer.get_data()
            return answer

    def address(self, rule: Rule, *, there: bool) -> str:
        """An address of a route, with identifiers of NORTH's or of nothing."""
        absent = {name: ABSENT.get(name, NOTHING) for name in rule.arguments}
        names = absent | (self.ids if there else {}) | FIXED
        names = {name: names[name] for name in rule.arguments}
        with self.app.test_request_context():
            return rule.build(names)[1]

    def rules(self) -> Iterator[tuple[str, Rule, Need]]:
        """(method, route, need) of all routes but those for everybody and static files."""
        for rule in self.app.url_map.iter_rules():
            need = need_of(self.app.view_functions[rule.endpoint])
            assert need is not None, f"{rule.rule} declares nobody who may use it"
            if need is not Need.PUBLIC:
                yield from ((m, rule, need) for m in METHODS if m in rule.methods)


def named(rule: Rule) -> bool:
    """Whether an address of the route names something of somebody's."""
    return bool(set(rule.arguments) - set(FIXED))


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Installation:
    """One installation on SQLite; tests here only look."""
    home = tmp_path_factory.mktemp("routes")
    clock = FakeClock()
    application = Application(load({"RTPACS_HOME": str(home)})[0], clock=clock)
    filling = Filling(Database(engine=application.engine, clock=clock, url=""))
    filling.know("NORTH", Sender())
    filling.directory.add_center("SOUTH", "")
    filling.send(an_rt_set(), patient=a_person("4711-NORTH", "Muster^Anna"))
    filling.work()
    for aet in ("WAITING", "ASSIGNED"):
        filling.send_unreadable("no DICOM", sender=Sender(aet=aet, address="192.0.2.66"))
    (assigned,) = (row for row in application.desk.quarantine.waiting() if row.aet == "ASSIGNED")
    application.desk.quarantine.assign_sender(assigned.id, "SOUTH", author="root", reason="known")
    tokens = _people(application)
    ids = _ids(application)
    secrets = ("Muster", "4711-NORTH", ids["patient_id"], ids["plan_set_id"], ids["pair_id"])
    made = Installation(create_app(application.desk), ids, secrets, tokens)
    yield made
    application.engine.dispose()


def _people(application: Application) -> dict[str, str]:
    desk = application.system_desk
    for code in ("P", "Q"):
        desk.projects.make(ProjectFacts(code=code, title=code))
    desk.projects.put("P", _patient_entry())
    people = {
        "own": (AccountRole.SUBMITTER, "NORTH", None),
        "other-center": (AccountRole.CENTER_MANAGER, "SOUTH", None),
        "other-project": (AccountRole.MEMBER, "SOUTH", ("Q", frozenset(TICKS))),
        **{_name(ticks): (AccountRole.MEMBER, "SOUTH", ("P", ticks)) for ticks in SUBSETS},
    }
    for name, (role, center, grant) in people.items():
        desk.accounts.add(NewAccount(name=name, roles=frozenset({role}), center=center), "x")
        if grant:
            desk.projects.tick(grant[0], [Cell(account=name, center="NORTH", ticks=grant[1])])
            desk.projects.set_member(grant[0], name)
    signing = Tokens(secret_key=desk.secret_key, clock=application.clock)
    given = {
        name: give_token(signing, desk.accounts, desk.accounts.account(name)) for name in people
    }
    return given | _dead_tokens(application, signing)


def _patient_entry() -> Entry:
    ends = START + timedelta(days=30)
    return Entry(kind=EntryKind.PATIENT, center="NORTH", patient_id="4711-NORTH", expires_at=ends)


def _name(ticks: frozenset[Action]) -> str:
    return "+".join(sorted(ticks)) or "nothing"


def _dead_tokens(application: Application, signing: Tokens) -> dict[str, str]:
    """A token that ended and one that was revoked, both of somebody who may see NORTH."""
    accounts = application.desk.accounts
    own = accounts.account("own")
    ended = NewToken(name="short", expires_at=START + timedelta(seconds=1))
    late = replace(signing, clock=lambda: START - timedelta(hours=1))
    expired = late.issue(own, "expired", START)
    revoked = give_token(
        signing, accounts, own, replace(ended, expires_at=START + timedelta(days=1))
    )
    (row,) = accounts.tokens("own")
    accounts.revoke("own", row.id)
    return {"expired": expired, "revoked": revoked}


def _ids(application: Application) -> dict[str, str]:
    desk = application.system_desk
    (plan,) = desk.catalogue.plan_sets(Query()).items
    (entry,) = desk.projects.entries("P").items
    with application.engine.connect() as connection:
        row = connection.execute(
            sa.select(dicom_object).where(dicom_object.c.role == "structure set")
        ).one()
        work = connection.execute(sa.select(job.c.id).where(job.c.kind == "dvh")).scalar_one()
    return {
        "patient_id": plan.patient.id,
        "plan_set_id": plan.id,
        "pair_id": plan.pair_id,
        "object_id": row.public_id,
        "series_id": desk.inspection.object(row.public_id).series.id,
        "study_id": desk.inspection.object(row.public_id).series.study_id,
        "key": plan.id,
        "job_id": str(work),
        "code": "P",
        "entry_id": entry.id,
        "event_id": desk.projects.events("P")[0].id,
        "account": "own",
        "study": "1.2.3.1",
        "series": "1.2.3.1.1",
        "identifier": "-".join([row.orthanc_id[n : n + 8] for n in range(0, 40, 8)]),
    }


@pytest.mark.parametrize("number", [2**31 - 1, 2**31, 2**63, 2**70])
@pytest.mark.parametrize("change", ["retry", "cancel"])
def test_a_job_of_an_impossible_number_is_not_there(site: Installation, number: int, change: str):
    """No database knows such numbers: that is no error of the server."""
    for prefix in ("", "/api/v1"):
        assert site.ask("own", "POST", f"{prefix}/jobs/{number}/{change}").status_code == 404


@pytest.mark.parametrize("who", ["expired", "revoked"])
def test_a_dead_token_opens_nothing(site: Installation, who: str):
    """Pages send to sign-in or say 401, scripts get 401: never an answer."""
    for method, rule, _ in site.rules():
        answer = site.ask(who, method, site.address(rule, there=True))
        assert answer.status_code in (301, 302, 308, 401), (method, rule.rule, answer.status)


@pytest.mark.parametrize("who", STRANGERS)
def test_a_stranger_cannot_tell_what_is_there(site: Installation, who: str):
    """Foreign and absent give the same status and body, and never an answer."""
    for method, rule, _ in site.rules():
        if not named(rule):
            continue
        foreign, absent = (
            site.ask(who, method, site.address(rule, there=there)) for there in (True, False)
        )
        place = (method, rule.rule, foreign.status)
        assert foreign.status_code == absent.status_code, place
        # A search among what is not there finds nothing.
        assert foreign.status_code not in (200, 201, 204) or foreign.text == "[]", place
        assert _without_echo(foreign.text) == _without_echo(absent.text), place
        assert not [secret for secret in site.secrets if secret in _body(foreign)], place


def _without_echo(text: str) -> str:
    """A body without its own address and reference number."""
    return re.sub(r"(reference\W+(?:code\W)?)[0-9a-f]{8}|next=[^\"]*|value=\"[^\"]*\"", r"\1", text)


def _body(answer) -> str:
    return _without_echo(answer.text)


@pytest.mark.parametrize("who", STRANGERS)
def test_lists_tell_a_stranger_nothing(site: Installation, who: str):
    """Lists, searches, counts and badges of somebody with nothing to see."""
    for method, rule, _ in site.rules():
        if method == "GET" and not named(rule):
            answer = site.ask(who, method, site.address(rule, there=True))
            found = [secret for secret in site.secrets if secret in answer.text]
            assert not found, (rule.rule, found)


@pytest.mark.parametrize("ticks", SUBSETS, ids=_name)
def test_ticks_open_exactly_their_routes(site: Installation, ticks: frozenset[Action]):
    """Patient-level reads need ``info``; leaving needs ``send`` with it."""
    info = Action.INFO in ticks
    opened = 0
    for method, rule, need in site.rules():
        if method != "GET" or need not in (Need.PATIENTS, Need.SEND, Need.DOWNLOAD):
            continue
        answer = site.ask(_name(ticks), "GET", site.address(rule, there=True))
        # P does not allow saving to disk.
        allowed = info and (need is Need.PATIENTS or (need is Need.SEND and Action.SEND in ticks))
        if not allowed:
            assert answer.status_code in (403, 404), (rule.rule, answer.status)
            assert not [s for s in site.secrets if s in answer.text], rule.rule
        opened += answer.status_code == 200
    assert opened >= 15 if info else opened == 0


@pytest.mark.parametrize("ticks", SUBSETS, ids=_name)
def test_members_change_nothing_of_a_foreign_center(site: Installation, ticks):
    """Whatever they may see: no decision, data, tick or rule is theirs to change."""
    who = _name(ticks)
    for method, path in (
        ("POST", "/api/v1/projects/P/data"),
        ("DELETE", f"/api/v1/projects/P/data/{site.ids['entry_id']}"),
        ("PUT", "/api/v1/projects/P"),
        ("DELETE", "/api/v1/projects/P/members/own"),
        ("POST", f"/projects/P/data/{site.ids['entry_id']}/remove"),
        ("POST", "/projects/P/members"),
        ("POST", "/projects/P"),
        ("POST", "/users"),
    ):
        answer = site.ask(who, method, path)
        assert answer.status_code in (403, 404, 422), (method, path, answer.status)


FOREIGN = (
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
    {"Origin": "http://evil.example"},
    {"Origin": "http://localhost.evil.example"},
    {"Origin": "null"},
    {},
)


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_no_other_site_changes_anything_with_a_cookie(site: Installation, headers: dict[str, str]):
    """Every route that changes something, as a form of another site would call it."""
    desk = site.app.extensions["desk"]
    everything = frozenset(AccountRole) - {AccountRole.NODE}
    if not desk.accounts.exists("all-roles"):
        new = NewAccount(name="all-roles", roles=everything, center="NORTH")
        desk.accounts.add(new, "x")
    client, asked = site.app.test_client(), 0
    signed_in = client.post(
        "/sign-in", data={"name": "all-roles", "password": "x"}, headers=SAME_ORIGIN
    )
    assert signed_in.status_code == 303
    for rule in site.app.url_map.iter_rules():
        for method in sorted(rule.methods - {"GET", "HEAD", "OPTIONS"}):
            address = site.address(rule, there=True)
            answer = client.open(address, method=method, headers=headers, data={"title": "x"})
            assert answer.status_code == 403, (method, rule.rule, answer.status)
            asked += 1
    assert asked >= 100
    assert client.get("/patients").status_code == 200


def test_an_administrator_sees_no_patient(site: Installation):
    """The role runs the installation."""
    desk = site.app.extensions["desk"]
    desk.accounts.add(NewAccount(name="root", roles=frozenset({AccountRole.ADMINISTRATOR})), "x")
    signing = Tokens(secret_key=desk.secret_key, clock=desk.clock)
    site.tokens["root"] = give_token(signing, desk.accounts, desk.accounts.account("root"))
    for method, rule, need in site.rules():
        if method == "GET":
            answer = site.ask("root", "GET", site.address(rule, there=True))
            assert not [s for s in ("Muster", "4711-NORTH") if s in answer.text], rule.rule
            assert need is not Need.PATIENTS or answer.status_code == 403, rule.rule


def test_a_narrowed_token_of_an_administrator_administers_nothing(site: Installation):
    """Whatever its owner is: no route, list, count or form for administrators is open to it."""
    desk = site.app.extensions["desk"]
    roles = frozenset({AccountRole.ADMINISTRATOR})
    desk.accounts.add(NewAccount(name="chief", roles=roles), "x")
    signing = Tokens(secret_key=desk.secret_key, clock=desk.clock)
    account, ends = desk.accounts.account("chief"), START + timedelta(days=1)
    whole = NewToken(name="all", expires_at=ends)
    reads = replace(whole, narrowing=Narrowing(actions=frozenset({Action.INFO})))
    for name, new in (("whole", whole), ("reads", reads)):
        site.tokens[name] = give_token(signing, desk.accounts, account, new)

    for path in ("/to-decide", "/decisions", "/api/v1/decisions", "/help"):
        shown = site.ask("whole", "GET", path).text
        assert "WAITING" in shown or "ASSIGNED" in shown or "1 question" in shown, path
    for method, rule, need in site.rules():
        address = site.address(rule, there=True)
        if need is Need.ADMINISTER:
            assert site.ask("reads", method, address).status_code == 403, (method, rule.rule)
        elif method == "GET":
            shown = site.ask("reads", method, address).text
            told = [text for text in ("WAITING", "ASSIGNED", "1 question") if text in shown]
            told += [path for path in ('"/users"', '"/recalculation') if path in shown]
            assert not told, (rule.rule, told)


def test_a_change_of_rights_counts_with_the_next_request(site: Installation, tmp_path: Path):
    """Ticks, membership and deactivation: no session or token keeps what it had."""
    desk = site.app.extensions["desk"]
    projects = desk.projects
    member, path = _name(frozenset({Action.INFO})), f"/api/v1/patients/{site.ids['patient_id']}"
    assert site.ask(member, "GET", path).status_code == 200
    cell = Cell(account=member, center="NORTH")
    projects.book.tick("P", [cell], author="x")
    assert site.ask(member, "GET", path).status_code == 403
    projects.book.tick("P", [replace(cell, ticks=frozenset({Action.INFO}))], author="x")
    assert site.ask(member, "GET", path).status_code == 200
    roles = frozenset({AccountRole.MEMBER})
    desk.accounts.change(member, roles=roles, center_code="SOUTH", active=False)
    assert site.ask(member, "GET", path).status_code == 401
    desk.accounts.change(member, roles=roles, center_code="SOUTH", active=True)
    assert site.ask(member, "GET", path).status_code == 401  # what ended stays ended
