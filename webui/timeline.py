"""A patient's treatment on one line of time: what was given, what was only planned, and images."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from rtpacs.rules.courses import GIVEN, course_numbers, given_gy
from rtpacs.rules.objects import StatedSite
from rtpacs.rules.plan_sets import TreatmentStatus
from rtpacs.services.views import PatientDetail, PlanSetRow, PlanSites

LABELS_WIDTH, WIDTH, ROW_STEP, TOP = 250, 1080, 30, 26
RIGHT_MARGIN = 30
SHORTEST_BAR = 6
# Of the longest words beside a bar at their size.
TEXT_WIDTH, TEXT_GAP = 250, 12
LABEL_SHOWN = 30
MOST_TICKS = 9
STEPS_DAYS = (7, 14, 30, 91, 182, 365, 730, 1826, 3652)
IMAGE_MODALITIES = frozenset({"CT", "MR", "PT", "NM"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanLine:
    """One plan: a bar where it was given, a mark on its date where that is not known.

    ``x`` None: it has no date, so it stands in the table only.
    """

    plan: PlanSetRow
    label: str
    kind: str  # given, unknown or not
    course: int | None
    given_gy: float | None
    first: str | None
    last: str | None
    sites: tuple[StatedSite, ...] | None
    imaged: str | None
    x: float | None
    width: float
    y: int

    @property
    def text_place(self) -> str:
        """Where there is room for its words: after, inside or before its bar."""
        if self.x is None or self.x + self.width + TEXT_WIDTH <= WIDTH:
            return "after"
        return "inside" if self.width >= TEXT_WIDTH else "before"

    @property
    def text_x(self) -> float:
        """Where its words begin, or end unless they stand after the bar."""
        start = self.x or 0.0
        places = {
            "after": start + self.width + TEXT_GAP,
            "inside": start + self.width - TEXT_GAP,
            "before": start - TEXT_GAP,
        }
        return places[self.text_place]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageMark:
    """Images of one day."""

    day: str
    text: str
    x: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A line of the axis."""

    x: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """Everything with its place; ``lines`` go from what was given to what was not for treatment."""

    lines: tuple[PlanLine, ...]
    images: tuple[ImageMark, ...]
    ticks: tuple[Tick, ...]
    images_y: int
    height: int
    labels_width: int = LABELS_WIDTH
    width: int = WIDTH


def timeline(detail: PatientDetail) -> Timeline | None:
    """Arrange a patient's plans and images; None when nothing has a date."""
    periods = {row.id: _period(row) for row in detail.plan_sets}
    images = _image_days(detail)
    days = [day for period in periods.values() if period for day in period] + list(images)
    if not days or not detail.plan_sets:
        return None
    scale = _Scale.over(days)
    lines = _lines(detail, periods, scale)
    images_y = TOP + ROW_STEP * len(lines)
    return Timeline(
        lines=lines,
        images=tuple(
            ImageMark(day=day.isoformat(), text=", ".join(sorted(names)), x=scale.x(day))
            for day, names in sorted(images.items())
        ),
        ticks=scale.ticks(),
        images_y=images_y,
        height=images_y + ROW_STEP + 8,
    )


def _lines(
    detail: PatientDetail, periods: dict[str, tuple[date, date] | None], scale: "_Scale"
) -> tuple[PlanLine, ...]:
    rows = detail.plan_sets
    sites = {item.plan_set_id: item for item in detail.sites}
    given = [row for row in rows if _kind(row) == "given" and periods[row.id]]
    numbers = course_numbers([period for row in given if (period := periods[row.id])])
    courses = {row.id: number for row, number in zip(given, numbers, strict=True)}
    order = {"given": 0, "unknown": 1, "not": 2}
    ordered = sorted(
        rows, key=lambda row: (order[_kind(row)], periods[row.id] or (date.max, date.max), row.id)
    )
    return tuple(
        _line(
            row,
            periods[row.id],
            scale,
            course=courses.get(row.id),
            sites=sites.get(row.id),
            y=TOP + ROW_STEP * place,
        )
        for place, row in enumerate(ordered)
    )


def _line(
    row: PlanSetRow,
    period: tuple[date, date] | None,
    scale: "_Scale",
    *,
    course: int | None,
    sites: PlanSites | None,
    y: int,
) -> PlanLine:
    label = row.label or "(no label)"
    start = scale.x(period[0]) if period else None
    return PlanLine(
        plan=row,
        label=label if len(label) <= LABEL_SHOWN else f"{label[: LABEL_SHOWN - 1]}…",
        kind=_kind(row),
        course=course,
        given_gy=given_gy(row.treatment, row.prescribed_gy),
        first=period[0].isoformat() if period else None,
        last=period[1].isoformat() if period else None,
        sites=sites.sites if sites else None,
        imaged=sites.imaged if sites else None,
        x=start,
        width=max(scale.x(period[1]) - start, SHORTEST_BAR) if period and start else 0.0,
        y=y,
    )


def _kind(row: PlanSetRow) -> str:
    if row.treatment.status in GIVEN:
        return "given"
    return "not" if row.treatment.status is TreatmentStatus.NOT_FOR_TREATMENT else "unknown"


def _period(row: PlanSetRow) -> tuple[date, date] | None:
    """From first to last fraction where that is known, else the day of the plan."""
    first, last = _day(row.treatment.first_date), _day(row.treatment.last_date)
    if first:
        return first, last or first
    day = _day(row.date)
    return (day, day) if day else None


def _image_days(detail: PatientDetail) -> dict[date, set[str]]:
    found: dict[date, set[str]] = {}
    for series in detail.series:
        day = _day(series.study_date)
        if day and series.modality in IMAGE_MODALITIES:
            found.setdefault(day, set()).add(series.modality)
    return found


def _day(text: str | None) -> date | None:
    """A date as sent; what is none has no place on the line."""
    try:
        return date.fromisoformat(text[:10]) if text else None
    except ValueError:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scale:
    """Days to pixels, with a little room at both ends."""

    start: date
    days: int

    @classmethod
    def over(cls, days: Sequence[date]) -> "_Scale":
        span = max((max(days) - min(days)).days, 14)
        room = max(span // 20, 2)
        return cls(start=min(days) - timedelta(days=room), days=span + 2 * room)

    def x(self, day: date) -> float:
        inner = WIDTH - LABELS_WIDTH - RIGHT_MARGIN
        return round(LABELS_WIDTH + inner * (day - self.start).days / self.days, 1)

    def ticks(self) -> tuple[Tick, ...]:
        step = next((days for days in STEPS_DAYS if self.days / days <= MOST_TICKS), STEPS_DAYS[-1])
        days = [self.start + timedelta(days=offset) for offset in range(0, self.days, step)]
        return tuple(Tick(x=self.x(day), text=day.isoformat()) for day in days)
