"""Where the verification of files stands, and what it found."""

import json

import sqlalchemy as sa

from rtpacs.rules.damage import DAMAGED, damage
from rtpacs.rules.jobs import JobKind
from rtpacs.rules.objects import Finding, ObjectId, OrthancId, Severity
from rtpacs.services.overview import FilesRead
from rtpacs.services.ports import Clock, JobRequest
from rtpacs.services.verification import Round, Verified
from rtpacs.store.codec import decode, encode, finding_count
from rtpacs.store.engine import Serial, reading, writing
from rtpacs.store.facts import SqlFacts
from rtpacs.store.jobs import SqlJobs
from rtpacs.store.links import linked_patients
from rtpacs.store.rows import decode_findings
from rtpacs.store.schema import dicom_object

VERIFICATION = "verification"


class SqlVerification:
    """``services.verification.VerificationBook`` on SQL."""

    def __init__(self, engine: sa.Engine, clock: Clock, jobs: SqlJobs) -> None:
        self._engine = engine
        self._facts = SqlFacts(engine, clock)
        self._jobs = jobs

    def present(self) -> Round | None:
        """The round as it was last written; None before the first.

        Raises
        ------
        StoreError, StoreUnavailableError
            The database did not answer.
        """
        text = self._facts.value(VERIFICATION)
        return None if text is None else decode(Round, json.loads(text))

    def write(self, state: Round) -> None:
        """Remember where the round stands.

        Raises
        ------
        StoreError, StoreUnavailableError
            Nothing was written.
        """
        self._facts.note(VERIFICATION, json.dumps(encode(state)))

    def count(self) -> int:
        """How many objects there are.

        Raises
        ------
        StoreError, StoreUnavailableError
            The database did not answer.
        """
        with reading(self._engine) as connection:
            return connection.execute(
                sa.select(sa.func.count()).select_from(dicom_object)
            ).scalar_one()

    def files_read(self) -> FilesRead | None:
        """How far the round is, and how many objects are damaged now; None before the first file.

        Raises
        ------
        StoreError, StoreUnavailableError
            The database did not answer.
        """
        state = self.present()
        if state is None:
            return None
        # Few objects have findings at all; their texts are short.
        named = sa.cast(dicom_object.c.findings, sa.Text).contains(f'"{DAMAGED}"')
        damaged = sa.select(sa.func.count()).where(dicom_object.c.finding_count > 0, named)
        with reading(self._engine) as connection:
            found = connection.execute(damaged).scalar_one()
        return FilesRead(
            started_at=state.started_at,
            checked=state.checked,
            objects=self.count(),
            damaged=found,
            # A round over nothing says nothing.
            finished_at=state.finished_at if state.finished_checked else None,
        )

    def following(self, after: ObjectId, limit: int) -> list[Verified]:
        """The next objects in the order of their keys, each with what is known of its damage.

        Raises
        ------
        StoreError, StoreUnavailableError
            The database did not answer.
        """
        with reading(self._engine) as connection:
            rows = connection.execute(
                sa.select(dicom_object)
                .where(dicom_object.c.id > after)
                .order_by(dicom_object.c.id)
                .limit(limit)
            ).all()
        return [
            Verified(
                object_id=ObjectId(row.id),
                orthanc_id=OrthancId(row.orthanc_id),
                version_file=row.version_file,
                is_damaged=any(item.code == DAMAGED for item in decode_findings(row.findings)),
            )
            for row in rows
        ]

    def report(self, object_id: ObjectId, *, is_damaged: bool) -> None:
        """Say on an object, and on what uses it, that its file is damaged, or is whole again.

        Raises
        ------
        StoreError, StoreUnavailableError
            Nothing was written.
        """
        with writing(self._engine, serial=Serial.INDEX) as connection:
            row = connection.execute(
                sa.select(dicom_object).where(dicom_object.c.id == object_id)
            ).first()
            if row is None:
                return
            findings = [item for item in decode_findings(row.findings) if item.code != DAMAGED]
            if is_damaged:
                findings.append(damage(row.role, row.sop_uid))
            _write(connection, object_id, tuple(findings))
            concerned = linked_patients(connection, [object_id])
            if row.patient_id is not None:
                concerned = {*concerned, row.patient_id}
            label = "Assemble after verification"
            self._jobs.ask(
                connection,
                [
                    JobRequest(kind=JobKind.ASSEMBLE, key=str(key), label=label)
                    for key in sorted(concerned)
                ],
            )


def _write(connection: sa.Connection, object_id: int, findings: tuple[Finding, ...]) -> None:
    connection.execute(
        sa.update(dicom_object)
        .where(dicom_object.c.id == object_id)
        .values(
            findings=encode(findings),
            error_count=sum(item.severity is Severity.ERROR for item in findings),
            finding_count=finding_count(findings),
        )
    )
