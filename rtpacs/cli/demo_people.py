"""The people of the demo: two hospitals, an account of each role, and a project between them."""

from datetime import timedelta

from rtpacs.bootstrap import Application
from rtpacs.demo.cases import CASES
from rtpacs.rules.access import TICKS, AccountRole, Action
from rtpacs.rules.projects import Cell, Entry, EntryKind, ProjectFacts
from rtpacs.services.desk import NewAccount

PHYSICIST = "physicist"
MANAGER = "trial-manager"
GUEST = "guest"
PROJECT = "DEMO"
SHARED_FOR = timedelta(days=365)


def _person(name: str, role: AccountRole, center: str | None) -> NewAccount:
    return NewAccount(name=name, roles=frozenset({role}), center=center)


PEOPLE = (
    _person(PHYSICIST, AccountRole.SUBMITTER, "NORTH"),
    _person("manager-north", AccountRole.CENTER_MANAGER, "NORTH"),
    _person("manager-south", AccountRole.CENTER_MANAGER, "SOUTH"),
    _person("reader-south", AccountRole.CLINICAL_READER, "SOUTH"),
    _person(MANAGER, AccountRole.PROJECT_MANAGER, None),
    _person(GUEST, AccountRole.MEMBER, "NORTH"),
)


def add_centers(application: Application) -> None:
    """The two hospitals, unless they are there."""
    directory = application.desk.directory
    present = {center.code for center in directory.centers()}
    for code in sorted({case.center_code for case in CASES} - present):
        directory.add_center(code, f"Demo hospital {code.title()}")


def share(application: Application) -> None:
    """A project of both hospitals: the physicist works with its data, the guest only reads."""
    projects = application.system_desk.projects
    if PROJECT in {row.code for row in projects.mine()}:
        return
    ends = application.clock() + SHARED_FOR
    projects.make(
        ProjectFacts(
            code=PROJECT,
            title="Demo protocol of two hospitals",
            description="Both hospitals share their demo patients here.",
            legal_basis="Synthetic patients: none is needed",
            expires_at=ends,
            may_download=True,
        )
    )
    projects.set_member(PROJECT, MANAGER, manages=True)
    centers = sorted({case.center_code for case in CASES})
    guest = frozenset({Action.SUMMARY, Action.INFO})
    projects.tick(
        PROJECT,
        [
            Cell(account=name, center=center, ticks=ticks)
            for name, ticks in ((PHYSICIST, frozenset(TICKS)), (GUEST, guest))
            for center in centers
        ],
    )
    for case in CASES:
        projects.put(
            PROJECT,
            Entry(
                kind=EntryKind.PATIENT,
                center=case.center_code,
                patient_id=case.study.patient.patient_id,
                expires_at=ends,
            ),
        )
