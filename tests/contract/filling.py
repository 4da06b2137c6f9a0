"""Fills a database through the classes that the running system writes with."""

from dataclasses import dataclass, replace
from itertools import count

import numpy as np

from rtpacs.dosimetry import RoiDvh, RoiStatus
from rtpacs.rules.assembly import assemble
from rtpacs.rules.jobs import JobKind
from rtpacs.rules.objects import Finding, OrthancId, PatientText, Severity, StudyUid
from rtpacs.services.desk import NewNode
from rtpacs.services.ports import Arrival, CalculationResult, Receipt
from rtpacs.store.assemblies import SqlAssemblies
from rtpacs.store.calculations import SqlCalculations
from rtpacs.store.directory import SqlDirectory
from rtpacs.store.inbox import SqlInbox
from rtpacs.store.index import SqlIndex
from rtpacs.store.jobs import SqlJobs

ALGORITHM = "ramp-1"


def a_ramp(number: int, name: str) -> RoiDvh:
    """100 cm³ with doses spread evenly from 0 to 60 Gy: V(d) = 100 (1 - d / 60) cm³."""
    edges = np.arange(6001) * 0.01
    return RoiDvh(
        number=number,
        name=name,
        status=RoiStatus.CALCULATED,
        volume_cm3=110.0,
        covered_volume_cm3=100.0,
        min_gy=0.0,
        max_gy=60.0,
        mean_gy=30.0,
        bin_gy=0.01,
        cumulative_cm3=100.0 * (1 - edges / 60.0),
        warnings=("end slices reach half a slice beyond the outermost contours",),
    )


def a_point(number: int, name: str) -> RoiDvh:
    """A point: no volume, no dose, no curve."""
    return RoiDvh(
        number=number,
        name=name,
        status=RoiStatus.NOT_A_VOLUME,
        volume_cm3=None,
        covered_volume_cm3=None,
        min_gy=None,
        max_gy=None,
        mean_gy=None,
        bin_gy=0.01,
        cumulative_cm3=np.array([]),
        warnings=(),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """From where objects come."""

    aet: str = "ECLIPSE"
    address: str = "192.0.2.7"


KNOWN = Sender()


class Filling:
    """Sends, indexes, assembles and calculates as the worker does."""

    def __init__(self, database):
        engine, clock = database.engine, database.clock
        self.database = database
        self.jobs = SqlJobs(engine, clock, quiet_seconds=0.0, quiet_limit_seconds=0.0)
        self.inbox = SqlInbox(engine, clock)
        self.index = SqlIndex(engine, clock, self.jobs)
        self.assemblies = SqlAssemblies(engine, clock, self.jobs)
        self.calculations = SqlCalculations(engine, clock)
        self.directory = SqlDirectory(engine, clock, self.jobs)
        self._numbers = count(1)

    def know(self, code: str = "AARHUS", sender: Sender = KNOWN) -> None:
        """A center with a node that may send."""
        self.directory.add_center(code, f"Hospital of {code}")
        self.directory.add_node(
            NewNode(aet=sender.aet, center_code=code, networks=(sender.address,), may_store=True)
        )

    def send(self, objects, *, patient: PatientText | None = None, sender: Sender = KNOWN) -> None:
        """Receive and index built objects, as of another patient where one is given."""
        parsed = [item.parsed for item in objects]
        if patient is not None:
            parsed = [replace(item, patient=patient) for item in parsed]
        self._receive(sender, list(parsed))

    def send_unreadable(self, text: str, *, sender: Sender = KNOWN) -> None:
        """Receive a file that cannot be read."""
        finding = Finding(code="unreadable", severity=Severity.ERROR, text=text)
        self._receive(sender, [finding])

    def _receive(self, sender, contents) -> None:
        arrivals = [
            Arrival(
                orthanc_id=OrthancId(f"{next(self._numbers):044d}"),
                aet=sender.aet,
                address=sender.address,
                origin="DicomProtocol",
                received_at=self.database.clock(),
            )
            for _ in contents
        ]
        self.inbox.add(arrivals)
        items = {item.arrival.orthanc_id: item for item in self.inbox.claim(len(arrivals))}
        self.index.record(
            [
                Receipt(
                    item=items[arrival.orthanc_id],
                    parsed=None if isinstance(content, Finding) else content,
                    error=content if isinstance(content, Finding) else None,
                    size_bytes=1000,
                )
                for arrival, content in zip(arrivals, contents, strict=True)
            ]
        )

    def work(self, *, calculate: bool = True) -> list[tuple[str, str]]:
        """Run every job that is due; (kind, key) of each in order."""
        ran = []
        self.database.pass_time(1)
        while (claim := self.jobs.claim()) is not None:
            if claim.kind is JobKind.ASSEMBLE:
                self.assemble(claim)
            elif calculate:
                self.calculate(claim)
            self.jobs.finish(claim)
            ran.append((claim.kind.value, claim.key))
            self.database.pass_time(1)
        return ran

    def work_on(self, kind: JobKind) -> None:
        """Run the next job, which must be of this kind."""
        self.database.pass_time(1)
        claim = self.jobs.claim()
        assert claim.kind is kind
        self.assemble(claim) if kind is JobKind.ASSEMBLE else self.calculate(claim)
        self.jobs.finish(claim)
        self.database.pass_time(1)

    def assemble(self, claim) -> None:
        """Judge a patient's objects."""
        key = int(claim.key)
        found = self.assemblies.objects(key)
        decisions = self.assemblies.decisions(key)
        assembly = assemble(found, patient_key=key, decisions=decisions)
        self.assemblies.save(key, assembly, claim)

    def calculate(
        self, claim, *, dvhs: tuple[RoiDvh, ...] = (), findings: tuple[Finding, ...] = ()
    ) -> None:
        """Store a result of a pair: these DVHs or findings, else the ramp."""
        inputs = self.calculations.input_for(claim.key)
        result = CalculationResult(
            dvhs=dvhs or (() if findings else (a_ramp(1, "PTV"),)),
            findings=findings,
            algorithm=ALGORITHM,
            rtpacs_version="0.1.0",
            calculated_at=self.database.clock(),
        )
        self.calculations.save(inputs, result, claim)


def a_person(number: str, name: str, **changes) -> PatientText:
    """Patient module of one person."""
    text = PatientText(patient_id=number, issuer="", name=name, birth_date="1950-02-03", sex="F")
    return replace(text, **changes)


def in_study(objects, study_uid: str):
    """The same objects in another study."""
    return [
        replace(
            item,
            parsed=replace(
                item.parsed, study=replace(item.parsed.study, study_uid=StudyUid(study_uid))
            ),
        )
        for item in objects
    ]
