"""How much came in lately, and what waits longest: for the disk forecast and the backlog."""

from datetime import datetime

from sqlalchemy import Engine, case, func, select

from rtpacs.rules.plan_sets import PlanSetState
from rtpacs.services.overview import Flow, Incomplete
from rtpacs.store.engine import reading
from rtpacs.store.schema import dicom_object, inbox, patient, plan_set


class SqlFlow:
    """Sums along an index: the archive may be large, the last days are not."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def since(self, moment: datetime) -> Flow:
        """Bytes of all objects that arrived since, co-owned ones once for each owner."""
        received = select(
            func.coalesce(func.sum(dicom_object.c.size_bytes), 0),
            func.min(dicom_object.c.received_at),
        ).where(dicom_object.c.received_at >= moment)
        oldest = select(func.min(inbox.c.received_at)).where(inbox.c.deleted.is_(False))
        with reading(self._engine) as connection:
            size, first = connection.execute(received).one()
            return Flow(
                # A sum is Decimal on PostgreSQL.
                received_bytes=int(size),
                first_at=first,
                oldest_waiting_at=connection.execute(oldest).scalar_one(),
            )

    def incomplete(self, since: datetime) -> Incomplete:
        """Incomplete plan sets, by whether anything of their patient arrived since."""
        old = func.coalesce(func.sum(case((patient.c.last_received < since, 1), else_=0)), 0)
        counted = (
            select(func.count(), old)
            .join(patient, patient.c.id == plan_set.c.patient_id)
            .where(plan_set.c.state == PlanSetState.INCOMPLETE)
        )
        with reading(self._engine) as connection:
            every, given_up = connection.execute(counted).one()
        return Incomplete(awaited=every - given_up, no_longer_awaited=given_up)
