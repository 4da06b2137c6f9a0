"""The link view as a drawing: who refers to whom, in columns dose → plan → structures → images."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from rtpacs.rules.objects import ReferenceKind
from rtpacs.rules.plan_sets import LinkStatus
from rtpacs.services.views import LinkRow, ObjectRow, PlanSetDetail, SeriesRow
from webui.words import middle, tone

BOX_WIDTH, BOX_HEIGHT = 210, 58
COLUMN_STEP, ROW_STEP = 290, 82
MARGIN = 10
LABEL_SHOWN = 26
COLUMNS = {
    "dose": 0,
    "treatment record": 0,
    "RT image": 0,
    "plan": 1,
    "structure set": 2,
    "registration": 2,
    "segmentation": 2,
    "image": 3,
}
# These come by the dozen; more than a few are drawn as one box.
GATHERED = frozenset({("treatment record", False), ("RT image", False), ("image", True)})
MOST_APART = 3
TARGET_ROLES: dict[str, str] = {
    ReferenceKind.DOSE_TO_PLAN: "plan",
    ReferenceKind.DOSE_TO_STRUCTURE_SET: "structure set",
    ReferenceKind.PLAN_TO_STRUCTURE_SET: "structure set",
    ReferenceKind.PLAN_TO_DOSE: "dose",
    ReferenceKind.PLAN_TO_PLAN: "plan",
    ReferenceKind.RECORD_TO_PLAN: "plan",
    ReferenceKind.RT_IMAGE_TO_PLAN: "plan",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """One object, image series or missing target, with the place of its upper left corner."""

    key: str
    role: str
    label: str
    detail: str
    uid: str
    missing: bool
    x: int
    y: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """One reference as a curve between two boxes."""

    path: str
    tone: str
    required: bool
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagram:
    """Everything to draw, with the size of the drawing."""

    boxes: tuple[Box, ...]
    wires: tuple[Wire, ...]
    width: int
    height: int


def diagram(detail: PlanSetDetail) -> Diagram:
    """Place the objects of a plan set and what they refer to."""
    known = {row.id: row for row in detail.objects}
    for link in detail.links:
        known.update({row.id: row for row in link.to})
    seeds = [_object_seed(row) for row in known.values()]
    for link in detail.links:
        seeds += _target_seeds(link)
    if not _knows_a_dose(detail, seeds):
        seeds.append(MISSING_DOSE)
    unique = {seed.key: seed for seed in reversed(seeds)}
    joined = _gathered([unique[key] for key in reversed(unique)])
    boxes = _place(joined.values())
    by_key = {key: boxes[seed.key] for key, seed in joined.items()}
    wires = dict.fromkeys(wire for link in detail.links for wire in _wires(link, by_key))
    bottom = max((box.y for box in boxes.values()), default=0)
    return Diagram(
        boxes=tuple(boxes.values()),
        wires=tuple(wires),
        width=3 * COLUMN_STEP + BOX_WIDTH + 2 * MARGIN,
        height=bottom + BOX_HEIGHT + MARGIN,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seed:
    key: str
    role: str
    label: str
    detail: str
    uid: str
    missing: bool = False


# Doses name their plan, not the other way round: no reference tells that none is here.
MISSING_DOSE = _Seed(
    key="no dose", role="dose", label="dose not here", detail="export it", uid="", missing=True
)


def _knows_a_dose(detail: PlanSetDetail, seeds: Sequence[_Seed]) -> bool:
    """Whether a dose is a member, a target, or here under another patient number."""
    referring = any(link.from_role == "dose" for link in detail.links)
    return bool(detail.doses) or referring or any(seed.role == "dose" for seed in seeds)


def _object_seed(row: ObjectRow) -> _Seed:
    return _Seed(
        key=row.id,
        role=row.role,
        label=_short(row.label or row.modality),
        detail=" · ".join(part for part in (row.modality, (row.date or "")[:10]) if part),
        uid=row.sop_uid,
    )


def _series_seed(link: LinkRow, series: SeriesRow) -> _Seed:
    found = f"{link.found} of {link.count} images" if link.count > 1 else "image"
    return _Seed(
        key=series.series_uid,
        role="image",
        label=_short(series.description or f"{series.modality} series"),
        detail=f"{series.modality} · {found}",
        uid=series.series_uid,
    )


def _target_seeds(link: LinkRow) -> list[_Seed]:
    """Image series that were found, or a placeholder for what was not."""
    if link.to_series:
        return [_series_seed(link, series) for series in link.to_series]
    if link.to:
        return []
    absent = link.found == 0 or link.status is LinkStatus.MISSING
    role = TARGET_ROLES.get(link.kind, "image")
    many = f"{link.found} of {link.count} images" if link.count > 1 else middle(link.target_uid)
    return [
        _Seed(
            key=link.target_uid,
            role=role,
            label=f"{role} not here" if absent else role,
            detail=many,
            uid=link.target_uid,
            missing=absent,
        )
    ]


def _gathered(seeds: Sequence[_Seed]) -> dict[str, _Seed]:
    """The box of each key: its own, or one for many of a kind."""
    made = {seed.key: seed for seed in seeds}
    for role, missing in GATHERED:
        alike = [seed for seed in seeds if (seed.role, seed.missing) == (role, missing)]
        if len(alike) > MOST_APART:
            words = f"{len(alike)} {role}s" + (" not here" if missing else "")
            detail = "listed below"
            joined = replace(alike[0], key=f"all {role}", label=words, detail=detail, uid=words)
            made.update({seed.key: joined for seed in alike})
    return made


def _place(seeds: Iterable[_Seed]) -> dict[str, Box]:
    """Put each key once into its column, in the order of appearance."""
    filled = [0, 0, 0, 0]
    boxes: dict[str, Box] = {}
    for seed in seeds:
        if seed.key in boxes:
            continue
        column = COLUMNS.get(seed.role, 3)
        boxes[seed.key] = Box(
            key=seed.key,
            role=seed.role,
            label=seed.label,
            detail=seed.detail,
            uid=seed.uid,
            missing=seed.missing,
            x=MARGIN + column * COLUMN_STEP,
            y=MARGIN + filled[column] * ROW_STEP,
        )
        filled[column] += 1
    return boxes


def _wires(link: LinkRow, boxes: dict[str, Box]) -> list[Wire]:
    targets = [series.series_uid for series in link.to_series] or [row.id for row in link.to]
    origin = boxes.get(link.from_id)
    ends = [boxes[key] for key in targets or [link.target_uid] if key in boxes]
    if origin is None:
        return []
    title = f"{link.kind}: {link.status}" + (f". {link.reason}" if link.reason else "")
    return [
        Wire(path=_curve(origin, end), tone=tone(link.status), required=link.required, title=title)
        for end in ends
    ]


def _curve(origin: Box, end: Box) -> str:
    """A smooth line; within a column it bows out on the right, leftwards it starts left."""
    y1, y2 = origin.y + BOX_HEIGHT // 2, end.y + BOX_HEIGHT // 2
    if origin.x < end.x:
        x1, x2, bend = origin.x + BOX_WIDTH, end.x, 46
        if end.x - origin.x > COLUMN_STEP:
            turn = origin.x + COLUMN_STEP
            return f"M{x1},{y1} C{x1 + bend},{y1} {turn - bend},{y2} {turn},{y2} L{x2},{y2}"
        return f"M{x1},{y1} C{x1 + bend},{y1} {x2 - bend},{y2} {x2},{y2}"
    if origin.x == end.x:
        x = origin.x + BOX_WIDTH
        return f"M{x},{y1} C{x + 50},{y1} {x + 50},{y2} {x},{y2}"
    x1, x2 = origin.x, end.x + BOX_WIDTH
    return f"M{x1},{y1 + 12} C{x1 - 46},{y1 + 12} {x2 + 46},{y2 + 12} {x2},{y2 + 12}"


def _short(label: str) -> str:
    return label if len(label) <= LABEL_SHOWN else label[: LABEL_SHOWN - 1] + "…"
