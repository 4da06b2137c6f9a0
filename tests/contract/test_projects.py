"""Projects: closure, matrix with history and undo, and in whose name each thing may be done."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier

import pytest
import sqlalchemy as sa

from rtpacs.errors import AccessDeniedError, InvalidInputError, NotFoundError, StateError
from rtpacs.rules.access import AccountRole, Action, Scope, reach_of
from rtpacs.rules.projects import Cell, EntryKind, ProjectFacts
from rtpacs.services.authority import authority_of, operator
from rtpacs.services.desk import NewAccount, NewNode
from rtpacs.services.projects import Projects
from rtpacs.store.accounts import SqlAccounts
from rtpacs.store.actors import node_actor, node_rows
from rtpacs.store.agreements import SqlAgreements
from rtpacs.store.engine import reading
from rtpacs.store.project_data import SqlProjectData
from rtpacs.store.projects import SqlProjects
from rtpacs.store.schema import dicom_object
from rtpacs.store.sight import OBJECTS, seeing
from tests.contract.databases import CHEAP, START, Database
from tests.contract.filling import Filling, Sender, a_person
from tests.unit.rules.builders import (
    PLAN_UID,
    a_dose,
    a_plan,
    an_rt_set,
)

INFO, SEND = frozenset({Action.INFO}), frozenset({Action.INFO, Action.SEND})
SECOND = a_plan("1.2.3.51")
SECOND_DOSE = a_dose("1.2.3.61", plans=["1.2.3.51"])
LATE_DOSE = a_dose("1.2.3.62", plans=[PLAN_UID])
PERSON = a_person("42", "Muster^Anna")
IN_P = Scope(granted=frozenset({("P", "NORTH")}), at=START)


class Site:
    """NORTH with one patient who has two plans on one structure set, and people."""

    def __init__(self, database: Database) -> None:
        self.database = database
        engine, clock = database.engine, database.clock
        self.filling = Filling(database)
        self.filling.know("NORTH", Sender())
        self.filling.directory.add_center("SOUTH", "")
        self.filling.send([*an_rt_set(), SECOND, SECOND_DOSE], patient=PERSON)
        self.filling.work()
        self.accounts = SqlAccounts(engine, clock, cost=CHEAP)
        for name, role, home in (
            ("boss", AccountRole.CENTER_MANAGER, "NORTH"),
            ("sub", AccountRole.SUBMITTER, "NORTH"),
            ("south", AccountRole.CENTER_MANAGER, "SOUTH"),
            ("lead", AccountRole.PROJECT_MANAGER, None),
            ("root", AccountRole.ADMINISTRATOR, None),
            ("guest", AccountRole.MEMBER, "SOUTH"),
        ):
            self.accounts.add(NewAccount(name=name, roles=frozenset({role}), center=home), "x")

    def projects(self, name: str = "") -> Projects:
        """The use cases in somebody's name, the operator's without one."""
        engine, clock = self.database.engine, self.database.clock
        account = self.accounts.account(name) if name else None
        authority = authority_of(account.actor, clock) if account else operator(clock)
        return Projects(
            book=SqlProjects(engine, clock),
            data=SqlProjectData(engine, clock, authority.reach.info),
            authority=authority,
        )

    def seen(self, scope: Scope = IN_P) -> list[str]:
        """UIDs of the objects in a scope."""
        with seeing(self.database.engine, scope) as sight:
            query = sa.select(dicom_object.c.sop_uid).select_from(OBJECTS).where(sight.objects)
            return sorted(sight.connection.execute(query).scalars())


@pytest.fixture
def site(database: Database) -> Site:
    return Site(database)


@pytest.fixture
def shared(site: Site) -> Site:
    """Project P of ``lead`` with the first plan; boss, sub and guest take part."""
    site.projects("lead").make(ProjectFacts(code="P", title="Protocol"))
    for name in ("boss", "sub", "guest"):
        site.projects("lead").set_member("P", name)
    projects = site.projects("sub")
    projects.put("P", projects.find(EntryKind.PLAN, PLAN_UID))
    return site


def uids(*objects) -> set[str]:
    return {item.parsed.sop_uid for item in objects}


def test_a_plan_brings_its_closure_and_what_joins_it_later(shared: Site):
    """Not the other plan on the same images, nor its dose; a late dose of the plan joins."""
    whole = an_rt_set()
    assert set(shared.seen()) == uids(*whole)
    shared.filling.send([LATE_DOSE], patient=PERSON)
    shared.filling.work()
    assert set(shared.seen()) == uids(*whole, LATE_DOSE)


def test_taking_out_says_what_leaves_and_leaves_what_others_hold(shared: Site):
    """The second plan shares images and structure set with the first."""
    projects = shared.projects("sub")
    second = projects.find(EntryKind.PLAN, "1.2.3.51")
    assert projects.preview("P", second).modalities == (("RTDOSE", 1), ("RTPLAN", 1))
    assert set(shared.seen()) == uids(*an_rt_set())
    projects.put("P", second)
    with pytest.raises(StateError, match="in the project already"):
        projects.put("P", second)
    assert len(shared.seen()) == 10
    newest, first = projects.entries("P").items
    assert (newest.patient, newest.objects, newest.series) == ("Muster^Anna", 3, 1)
    assert shared.projects("guest").entries("P").items[0].patient == ""
    assert projects.leaving("P", first.id).objects == 2
    projects.take("P", first.id)
    assert set(shared.seen()) == {*uids(*an_rt_set(), SECOND, SECOND_DOSE)} - uids(
        a_plan(), a_dose()
    )
    assert [row.kind for row in projects.events("P")][:2] == ["data", "data"]


def test_a_whole_patient_is_in_a_project_until_a_day(shared: Site):
    """A separate act with an end; what arrives later is in it too."""
    projects = shared.projects("sub")
    patient = projects.find(EntryKind.PATIENT, "42")
    with pytest.raises(InvalidInputError, match="until a day"):
        projects.put("P", patient)
    projects.put("P", replace(patient, expires_at=START + timedelta(days=1)))
    shared.filling.send([a_plan("1.2.3.99")], patient=PERSON)
    shared.filling.work()
    assert len(shared.seen()) == 11
    assert set(shared.seen(replace(IN_P, at=START + timedelta(days=1)))) == uids(*an_rt_set())


def test_only_the_centers_manager_ticks_in_its_column(shared: Site):
    """Not the project's manager, a submitter or another center's manager."""
    cell = Cell(account="guest", center="NORTH", ticks=INFO)
    for name in ("lead", "sub", "root"):
        with pytest.raises(AccessDeniedError, match="Only the manager of center NORTH"):
            shared.projects(name).tick("P", [cell])
    with pytest.raises(NotFoundError):
        shared.projects("south").tick("P", [cell])
    shared.projects("boss").tick("P", [cell])
    assert shared.accounts.account("guest").actor.grants[0].actions == INFO
    with pytest.raises(InvalidInputError, match="make it a member first"):
        shared.projects("boss").tick("P", [replace(cell, account="south")])


def test_administrators_tick_under_a_recorded_agreement_until_it_ends(shared: Site):
    """With its reference and end on record."""
    agreements = SqlAgreements(shared.database.engine, shared.database.clock)
    cell = Cell(account="guest", center="NORTH", ticks=INFO)
    with pytest.raises(InvalidInputError):
        agreements.record("NORTH", reference=" ", expires_at=START, author="root")
    ends = START + timedelta(days=30)
    agreements.record("NORTH", reference="Letter 7", expires_at=ends, author="root")
    shared.projects("root").tick("P", [cell])
    (row,) = agreements.all()
    agreements.end(row.id)
    with pytest.raises(AccessDeniedError):
        shared.projects("root").tick("P", [replace(cell, ticks=SEND)])


def test_ticks_are_undone_unless_somebody_changed_them_since(shared: Site):
    """Undo puts back what stood there before, and is itself a change."""
    boss = shared.projects("boss")
    cell = Cell(account="guest", center="NORTH", ticks=INFO)
    boss.tick("P", [cell])
    boss.tick("P", [replace(cell, ticks=SEND)])
    newest, first = [row for row in boss.events("P") if row.kind == "ticks"]
    with pytest.raises(StateError, match="changed since"):
        boss.undo("P", first.id)
    boss.undo("P", newest.id)
    assert frozenset(boss.matrix("P").cell("guest", "NORTH").ticks) == INFO
    assert "guest for data of NORTH: info" in boss.events("P")[0].text


def test_a_removed_member_has_no_rights_and_coming_back_brings_none(shared: Site):
    """The cells go with the membership."""
    shared.projects("boss").tick("P", [Cell(account="guest", center="NORTH", ticks=SEND)])
    shared.projects("lead").remove_member("P", "guest")
    assert shared.accounts.account("guest").actor.grants == ()
    shared.projects("lead").set_member("P", "guest")
    assert shared.accounts.account("guest").actor.grants == ()


def test_strangers_learn_of_no_project(shared: Site):
    """Not theirs and not there are one; a manager of a center with data in it is no stranger."""
    for code in ("P", "NOTHING"):
        with pytest.raises(NotFoundError, match=f"there is no project {code}"):
            shared.projects("south").one(code)
    assert shared.projects("south").mine() == []
    shared.projects("lead").remove_member("P", "boss")
    assert [row.code for row in shared.projects("boss").mine()] == ["P"]


def test_data_is_put_in_by_its_own_center_only(shared: Site):
    """Neither the project's manager nor an administrator, whatever they may see."""
    entry = shared.projects("sub").find(EntryKind.PLAN, "1.2.3.51")
    for name in ("lead", "root"):
        with pytest.raises(NotFoundError):
            shared.projects(name).find(EntryKind.PLAN, "1.2.3.51")
        with pytest.raises(AccessDeniedError):
            shared.projects(name).put("P", entry)


def test_the_last_administrator_stays(site: Site):
    """Neither deactivated nor given other roles; with a second one it goes."""
    admin, member = frozenset({AccountRole.ADMINISTRATOR}), frozenset({AccountRole.MEMBER})
    for roles, active in ((admin, False), (member, True)):
        with pytest.raises(StateError, match="last administrator"):
            site.accounts.change("root", roles=roles, center_code=None, active=active)
    site.accounts.add(NewAccount(name="second", roles=admin), "x")
    site.accounts.change("root", roles=admin, center_code=None, active=False)
    assert site.accounts.account("root") is None
    assert [row.active for row in site.accounts.all() if row.name == "root"] == [False]


def test_of_two_administrators_who_end_each_other_at_once_one_stays(site: Site):
    """Each is the last one for the other: one of two transactions has to see the other's."""
    admin, member = frozenset({AccountRole.ADMINISTRATOR}), frozenset({AccountRole.MEMBER})
    site.accounts.add(NewAccount(name="twin", roles=admin), "x")
    for _ in range(20):
        at_once = Barrier(2)

        def end(name: str, at_once: Barrier = at_once) -> bool:
            at_once.wait()
            try:
                site.accounts.change(name, roles=member, center_code=None, active=True)
            except StateError:
                return False
            return True

        with ThreadPoolExecutor(2) as pool:
            assert sorted(pool.map(end, ("root", "twin"))) == [False, True]
        for name in ("root", "twin"):
            site.accounts.change(name, roles=admin, center_code=None, active=True)


def test_a_node_sees_its_own_center_and_what_was_granted_to_it(shared: Site):
    """Never the union of its users' rights."""
    shared.filling.directory.add_node(
        NewNode(aet="PACS", center_code="SOUTH", host="192.0.2.9", may_query=True)
    )

    def reach():
        with reading(shared.database.engine) as connection:
            (row,) = node_rows(connection, "PACS")
            return reach_of(node_actor(connection, row), START)

    assert reach().info.granted == frozenset()
    assert reach().info.own == {"SOUTH"}
    shared.projects("boss").grant_node("P", "PACS", "NORTH")
    assert reach().send.granted == {("P", "NORTH")}
    with pytest.raises(AccessDeniedError):
        shared.projects("lead").withdraw_node("P", "PACS", "NORTH")
    shared.projects("boss").withdraw_node("P", "PACS", "NORTH")
    assert reach().send.granted == frozenset()
