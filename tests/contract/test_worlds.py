"""Random worlds of users, projects, ticks, data and moves, compared with a small oracle.

The oracle is written from the tables of docs/access.md; it knows neither SQL nor ``rules.access``.
"""

import random
from dataclasses import dataclass, field
from datetime import timedelta

import sqlalchemy as sa

from rtpacs.rules.access import NOTHING, TICKS, AccountRole, Action, Resource, decide, reach_of
from rtpacs.rules.projects import Cell, Entry, EntryKind, ProjectFacts
from rtpacs.services.desk import NewAccount, Query
from rtpacs.store.accounts import SqlAccounts
from rtpacs.store.catalogue import SqlCatalogue
from rtpacs.store.project_data import SqlProjectData
from rtpacs.store.projects import SqlProjects
from rtpacs.store.schema import center, dicom_object, pair, patient, plan_set, study
from rtpacs.store.sight import OBJECTS, PAIRS, PATIENTS, PLAN_SETS, STUDIES, Sight, seeing
from tests.contract.databases import CHEAP, START, Database
from tests.contract.filling import Filling, Sender, a_person
from tests.unit.rules.builders import a_dose, a_plan, a_series, a_structure_set, image_uid

CENTERS = ("EAST", "NORTH", "SOUTH")
NUMBERS = ("1", "2")
PROJECTS = ("P", "Q")
USERS = ("ada", "bob", "cyd", "dan", "eve")
ROLES = [role for role in AccountRole if role is not AccountRole.NODE]
ENDS = (None, START + timedelta(days=1), START - timedelta(days=1))
MAIN, OTHER = "main", "other"
CLOSURES = {  # of each patient's data: two plans on one structure set, and a second study
    (EntryKind.PLAN, "p1"): {"ct", "rs", "p1", "d1"},
    (EntryKind.PLAN, "p2"): {"ct", "rs", "p2", "d2"},
    (EntryKind.STUDY, MAIN): {"ct", "rs", "p1", "d1", "p2", "d2"},
    (EntryKind.STUDY, OTHER): {"mr"},
    (EntryKind.PATIENT, ""): {"ct", "rs", "p1", "d1", "p2", "d2", "mr"},
}
STUDY_OF = {name: OTHER if name == "mr" else MAIN for name in CLOSURES[EntryKind.PATIENT, ""]}
Thing = tuple[str, str, str]  # center, patient number, name


@dataclass
class World:
    """Who and what there is, as the oracle keeps it."""

    people: dict[str, tuple[str | None, frozenset[AccountRole], bool]] = field(default_factory=dict)
    ends: dict[str, object] = field(default_factory=dict)  # project → when it ends
    cells: dict[tuple[str, str, str], tuple[frozenset[Action], object]] = field(
        default_factory=dict
    )  # (project, user, center) → ticks, end
    entries: dict[tuple[str, str, str, EntryKind, str], object] = field(default_factory=dict)

    def may(self, user: str, tick: Action, thing: Thing) -> bool:
        """The oracle: docs/access.md in a few lines."""
        home, roles, active = self.people[user]
        place, number, name = thing
        if not active:
            return False
        whole = {AccountRole.CENTER_MANAGER, AccountRole.SUBMITTER}
        reading = whole | {AccountRole.CLINICAL_READER}
        if home == place and roles & (whole if tick is Action.SEND else reading):
            return True
        return any(
            self.counts(project, user, place, tick)
            and (source, patient_number) == (place, number)
            and name in CLOSURES[kind, what]
            and lasts(end)
            for (project, source, patient_number, kind, what), end in self.entries.items()
        )

    def counts(self, project: str, user: str, place: str, tick: Action) -> bool:
        ticks, end = self.cells.get((project, user, place), (frozenset(), None))
        return Action.INFO in ticks and tick in ticks and lasts(end) and lasts(self.ends[project])


def lasts(end) -> bool:
    return end is None or end > START


def patients_data(place: str, number: str):
    """(name, object) of one patient; the UIDs are the same at every center."""
    root = f"1.2.{number}"
    ct, mr = f"{root}.1", f"{root}.2"
    at = {"study_uid": f"{root}.10"}
    positions = (0.0, 3.0, 6.0, 9.0, 12.0)
    uids = [image_uid(z, ct) for z in positions]
    rs = a_structure_set(f"{root}.40", series_uids=[ct], image_uids=uids, **at)
    plans = [a_plan(f"{root}.5{n}", structure_sets=[f"{root}.40"], place=at) for n in (1, 2)]
    doses = [a_dose(f"{root}.6{n}", plans=[f"{root}.5{n}"], place=at) for n in (1, 2)]
    return [
        *(("ct", image) for image in a_series(positions, series_uid=ct, **at)),
        ("rs", rs),
        *zip(("p1", "p2"), plans, strict=True),
        *zip(("d1", "d2"), doses, strict=True),
        *(("mr", i) for i in a_series(positions[:2], series_uid=mr, study_uid=f"{root}.11")),
    ]


@dataclass
class Stage:
    """The same worlds in the database."""

    database: Database

    def __post_init__(self) -> None:
        engine, clock = self.database.engine, self.database.clock
        self.accounts = SqlAccounts(engine, clock, cost=CHEAP)
        self.projects = SqlProjects(engine, clock)
        self.data = SqlProjectData(engine, clock, NOTHING)
        self.world = World()
        self.things: dict[int, Thing] = {}
        self.plans: dict[Thing, str] = {}

    def fill(self) -> None:
        """Three centers with two patients each, five users, two projects."""
        filling = Filling(self.database)
        for place in CENTERS:
            sender = Sender(aet=place, address="192.0.2.7")
            filling.know(place, sender)
            for number in NUMBERS:
                named = patients_data(place, number)
                filling.send(
                    [item for _, item in named], patient=a_person(number, "X^Y"), sender=sender
                )
                self._remember(place, number, [name for name, _ in named])
        filling.work()
        for code in PROJECTS:
            self.projects.add(ProjectFacts(code=code, title=code), author="x")
            self.world.ends[code] = None
        new = frozenset({AccountRole.MEMBER, AccountRole.ADMINISTRATOR})
        for user in (*USERS, "root"):
            self.accounts.add(NewAccount(name=user, roles=new), "x")
            self.world.people[user] = (None, new, True)

    def _remember(self, place: str, number: str, names: list[str]) -> None:
        newest = sa.select(dicom_object.c.id, dicom_object.c.orthanc_id)
        rows = self.database.rows(newest.order_by(dicom_object.c.id.desc()).limit(len(names)))
        for row, name in zip(reversed(rows), names, strict=True):
            self.things[row.id] = (place, number, name)
            self.plans[place, number, name] = row.orthanc_id

    def move(self, rng: random.Random) -> None:
        """Change a person, a cell of the matrix, a project's end or what is in a project."""
        moves = (self._move_person, self._move_cell, self._move_project, self._move_data)
        rng.choice((*moves, self._move_data))(rng)

    def _move_person(self, rng: random.Random) -> None:
        user = rng.choice(USERS)
        home, roles = rng.choice(CENTERS), frozenset(rng.sample(ROLES, rng.choice((1, 1, 2))))
        active = rng.random() < 0.9
        self.world.people[user] = (home, roles, active)
        self.accounts.change(user, roles=roles, center_code=home, active=active)

    def _move_cell(self, rng: random.Random) -> None:
        project = rng.choice(PROJECTS)
        ticks = frozenset(rng.sample(TICKS, rng.randrange(4)))
        cell = Cell(
            account=rng.choice(USERS),
            center=rng.choice(CENTERS),
            ticks=ticks,
            expires_at=rng.choice(ENDS),
        )
        self.world.cells[project, cell.account, cell.center] = (ticks, cell.expires_at)
        self.projects.tick(project, [cell], author="x")

    def _move_project(self, rng: random.Random) -> None:
        project = rng.choice(PROJECTS)
        self.world.ends[project] = rng.choice((None, None, *ENDS))
        facts = ProjectFacts(code=project, title="t", expires_at=self.world.ends[project])
        self.projects.change(facts, author="x")

    def _move_data(self, rng: random.Random) -> None:
        place, number, project = rng.choice(CENTERS), rng.choice(NUMBERS), rng.choice(PROJECTS)
        kind, what = rng.choice(list(CLOSURES))
        key = (project, place, number, kind, what)
        subject = self.plans[place, number, what] if kind is EntryKind.PLAN else ""
        if kind is EntryKind.STUDY:
            subject = f"1.2.{number}.{10 if what == MAIN else 11}"
        if key in self.world.entries:
            del self.world.entries[key]
            rows = self.data.entries(project, offset=0, limit=500).items
            (entry_id,) = [row.id for row in rows if self._key(project, row.id) == key]
            self.data.take(project, entry_id, author="x")
            return
        self.world.entries[key] = rng.choice(ENDS)
        entry = Entry(
            kind=kind,
            center=place,
            subject=subject,
            patient_id="" if kind is EntryKind.PLAN else number,
            expires_at=self.world.entries[key],
        )
        self.data.put(project, entry, author="x")

    def _key(self, project: str, entry_id: str) -> tuple:
        entry = self.data.entry(project, entry_id)
        if entry.kind is EntryKind.PLAN:
            (thing,) = [key for key, plan in self.plans.items() if plan == entry.subject]
            return (project, thing[0], thing[1], entry.kind, thing[2])
        study = OTHER if entry.subject.endswith("11") else MAIN
        what = study if entry.kind is EntryKind.STUDY else ""
        return (project, entry.center, entry.patient_id, entry.kind, what)

    def compare(self, user: str) -> None:
        """Objects, studies, patients, plan sets and pairs of one user, and each single answer."""
        account = self.accounts.account(user)
        if account is None:
            assert not self.world.people[user][2]
            return
        reach = reach_of(account.actor, START)
        for tick, scope in ((Action.INFO, reach.info), (Action.SEND, reach.send)):
            expected = {
                thing for thing in self.things.values() if self.world.may(user, tick, thing)
            }
            with seeing(self.database.engine, scope) as sight:
                assert self._seen(sight) == expected_rows(expected)
            for thing in set(self.things.values()):
                resource = Resource(center=thing[0], projects=self._projects_of(thing))
                answer = decide(account.actor, tick, resource, START)
                assert answer.allowed is (thing in expected), (user, tick, thing)
        self._compare_counts(user, SqlCatalogue(self.database.engine, reach.info))

    def _compare_counts(self, user: str, catalogue: SqlCatalogue) -> None:
        page = catalogue.patients(Query(limit=50))
        counts = {
            (row.center_code, row.patient_id): (row.objects, row.plan_sets) for row in page.items
        }
        wanted: dict[tuple[str, str], tuple[int, int]] = {}
        for place, number, name in self.things.values():
            if self.world.may(user, Action.INFO, (place, number, name)):
                objects, plans = wanted.get((place, number), (0, 0))
                wanted[place, number] = (objects + 1, plans + (name in ("p1", "p2")))
        assert (counts, page.total) == (wanted, len(wanted))

    def _projects_of(self, thing: Thing) -> frozenset[str]:
        place, number, name = thing
        return frozenset(
            project
            for (project, source, patient_number, kind, what), end in self.world.entries.items()
            if (source, patient_number) == (place, number)
            and name in CLOSURES[kind, what]
            and lasts(end)
        )

    def _seen(self, sight: Sight) -> dict[str, set[tuple[str, ...]]]:
        def rows(source, condition, *columns) -> set[tuple[str, ...]]:
            query = sa.select(center.c.code, *columns).select_from(source).where(condition)
            return {tuple(row) for row in sight.connection.execute(query)}

        number, plan = patient.c.patient_id, dicom_object.c.sop_uid
        ids = {key for _, key in rows(OBJECTS, sight.objects, dicom_object.c.id)}
        plans = PLAN_SETS.join(dicom_object, dicom_object.c.id == plan_set.c.plan_id)
        pairs = PAIRS.join(dicom_object, dicom_object.c.id == pair.c.plan_id)
        return {
            "objects": {self.things[key] for key in ids},
            "patients": rows(PATIENTS, sight.patients, number),
            "studies": rows(STUDIES, sight.studies, number, study.c.study_uid),
            "plan sets": rows(plans, sight.plan_sets, number, plan),
            "pairs": rows(pairs, sight.pairs, number, plan),
        }


def expected_rows(seen: set[Thing]) -> dict[str, set[tuple[str, ...]]]:
    """What lists show of these things: a pair only with structure set and dose."""
    plans = {(place, n, f"1.2.{n}.5{name[1]}") for place, n, name in seen if name in ("p1", "p2")}
    pairs = {
        (place, n, f"1.2.{n}.5{name[1]}")
        for place, n, name in seen
        if name in ("d1", "d2") and (place, n, "rs") in seen
    }
    studies = {
        (place, n, f"1.2.{n}.{11 if STUDY_OF[name] == OTHER else 10}") for place, n, name in seen
    }
    return {
        "objects": seen,
        "patients": {(place, n) for place, n, _ in seen},
        "studies": studies,
        "plan sets": plans,
        "pairs": pairs,
    }


def run_worlds(database: Database, worlds: int, seed: int) -> None:
    """After each move all lists, counts and single answers of a user are the oracle's."""
    stage = Stage(database)
    stage.fill()
    rng = random.Random(seed)
    for number in range(worlds):
        stage.move(rng)
        stage.compare(USERS[number % len(USERS)])
    assert stage.world.entries


def test_random_worlds_agree_with_the_oracle(database: Database):
    """``make test-faults`` runs a thousand on each engine."""
    run_worlds(database, 25 if database.is_postgresql else 150, seed=5)
