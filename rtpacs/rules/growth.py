"""When the disk will be full, from what arrived in the last days."""

from dataclasses import dataclass
from datetime import datetime, timedelta

# Two whole weeks: hospitals send little on weekends.
GROWTH_DAYS = 14
SHORTEST = timedelta(days=1)
# Below this part of the disk, room is an alarm whatever the pace.
LOW_PART = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskForecast:
    """Room and growth; ``days_left`` is None while nothing arrives."""

    total_bytes: int
    free_bytes: int
    bytes_per_day: float
    days_left: float | None

    @property
    def free_part(self) -> float:
        """Free room as a part of the whole disk."""
        return self.free_bytes / self.total_bytes if self.total_bytes else 0.0

    @property
    def is_low(self) -> bool:
        """Whether so little is free that somebody must act now."""
        return self.free_part < LOW_PART


def forecast(
    *,
    total_bytes: int,
    free_bytes: int,
    received_bytes: int,
    first_at: datetime | None,
    now: datetime,
) -> DiskForecast:
    """Free room over the mean growth of the last ``GROWTH_DAYS`` days.

    ``received_bytes`` arrived within these days, the first of them at ``first_at``: an installation
    younger than that is judged by its own age, and by one day at least.
    """
    age = now - first_at if first_at else SHORTEST
    days = min(max(age, SHORTEST), timedelta(days=GROWTH_DAYS)) / timedelta(days=1)
    per_day = received_bytes / days
    return DiskForecast(
        total_bytes=total_bytes,
        free_bytes=free_bytes,
        bytes_per_day=per_day,
        days_left=free_bytes / per_day if per_day else None,
    )
