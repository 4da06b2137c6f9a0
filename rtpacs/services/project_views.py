"""Projects as pages, REST and commands show them."""

from dataclasses import dataclass
from datetime import datetime

from rtpacs.rules.access import Action
from rtpacs.rules.projects import Cell, EntryKind


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectRow:
    """One project; ``expires_at`` is when all its grants end."""

    code: str
    title: str
    description: str
    legal_basis: str
    expires_at: datetime | None
    may_download: bool
    created_at: datetime
    members: int
    entries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRow:
    """Somebody who takes part; ``manages`` is a manager of the project."""

    account: str
    center_code: str | None
    manages: bool
    active: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CellRow:
    """One cell of the permission matrix."""

    account: str
    center_code: str
    ticks: tuple[Action, ...]
    expires_at: datetime | None

    @property
    def cell(self) -> Cell:
        """The same as a value of the rules."""
        return Cell(
            account=self.account,
            center=self.center_code,
            ticks=frozenset(self.ticks),
            expires_at=self.expires_at,
        )


def cell_row(cell: Cell) -> CellRow:
    """A cell of the matrix as it is shown."""
    return CellRow(
        account=cell.account,
        center_code=cell.center,
        ticks=tuple(sorted(cell.ticks)),
        expires_at=cell.expires_at,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeGrantRow:
    """A node may query and fetch a center's data of the project."""

    node_id: str
    aet: str
    center_code: str
    expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixView:
    """Who may do what with whose data; a cell that is not there has no tick."""

    centers: tuple[str, ...]
    members: tuple[MemberRow, ...]
    cells: tuple[CellRow, ...]
    nodes: tuple[NodeGrantRow, ...]

    def cell(self, account: str, center_code: str) -> CellRow:
        """The cell of a member and a center."""
        found = (c for c in self.cells if (c.account, c.center_code) == (account, center_code))
        empty = CellRow(account=account, center_code=center_code, ticks=(), expires_at=None)
        return next(found, empty)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """What somebody did to a project; ``before`` and ``after`` are cells that can be put back."""

    id: str
    kind: str
    author: str
    happened_at: datetime
    text: str
    before: tuple[CellRow, ...] = ()
    after: tuple[CellRow, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRow:
    """What somebody put into a project.

    ``patient`` and ``label`` are empty where the reader may not see them; ``objects`` and
    ``series`` count what it holds now.
    """

    id: str
    kind: EntryKind
    center_code: str
    patient: str
    label: str
    plan_set_id: str | None
    patient_key: str | None
    objects: int
    series: int
    expires_at: datetime | None
    added_at: datetime
    added_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """How much an entry would bring, or its removal take away."""

    objects: int
    modalities: tuple[tuple[str, int], ...]  # modality and number of objects


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementRow:
    """A center lets administrators tick in its column."""

    id: str
    center_code: str
    reference: str
    expires_at: datetime
    recorded_by: str
    recorded_at: datetime
