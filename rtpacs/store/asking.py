"""Asking for the assembly of patients in the transaction that causes it."""

from collections.abc import Collection

from sqlalchemy import Connection, select

from rtpacs.rules.jobs import JobKind
from rtpacs.services.ports import JobRequest
from rtpacs.store.jobs import SqlJobs
from rtpacs.store.links import linked_patients
from rtpacs.store.schema import dicom_object


def ask_assembly(connection: Connection, jobs: SqlJobs, moved: Collection[int]) -> None:
    """Ask for the assembly of these patients and of all of the center linked with them by UID."""
    if not moved:
        return
    objects = connection.execute(
        select(dicom_object.c.id).where(dicom_object.c.patient_id.in_(moved))
    ).scalars()
    linked = linked_patients(connection, objects.all())
    jobs.ask(
        connection,
        [
            JobRequest(kind=JobKind.ASSEMBLE, key=str(key), label="Assemble after assignment")
            for key in sorted({*moved, *linked})
        ],
    )
