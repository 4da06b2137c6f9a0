"""What follows when one object came with several contents: conflicts, variants, what counts.

Inside a center another content under the same UID is a conflict: nobody guesses which one counts.
Between centers each one's own content counts for itself; that they differ is said on both sides,
without telling either what the other sent.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from rtpacs.rules.objects import Finding, ObjectId, Role, Severity
from rtpacs.rules.plan_sets import (
    Assembly,
    CalculationPair,
    IndexedObject,
    PlanSet,
    PlanSetState,
    Question,
    QuestionKind,
)
from rtpacs.rules.remarks import counted

CONFLICT = "conflict"
SUPERSEDED = "superseded"
SETTLED = "version-chosen"
ELSEWHERE = "other-center-differs"
VARIANT = "variant"
BLOCKING = frozenset({CONFLICT, SUPERSEDED})
"""Findings on an object that make its plan sets ambiguous."""

NAMED_DIFFERENCES = 6

OF_PATIENT_AND_STUDY = frozenset(
    (
        # PS3.3 C.7.1.1, patient module
        *("PatientName", "PatientID", "IssuerOfPatientID", "IssuerOfPatientIDQualifiersSequence"),
        *("PatientBirthDate", "PatientBirthTime", "PatientSex", "TypeOfPatientID"),
        *("OtherPatientIDs", "OtherPatientIDsSequence", "OtherPatientNames", "EthnicGroup"),
        *("EthnicGroups", "EthnicGroupCodeSequence", "PatientComments", "QualityControlSubject"),
        *("PatientBirthDateInAlternativeCalendar", "PatientDeathDateInAlternativeCalendar"),
        *("PatientAlternativeCalendar", "ReferencedPatientSequence"),
        *("ReferencedPatientPhotoSequence", "ResponsiblePerson", "ResponsiblePersonRole"),
        *("ResponsibleOrganization", "PatientSpeciesDescription", "PatientBreedDescription"),
        *(
            "PatientSpeciesCodeSequence",
            "PatientBreedCodeSequence",
            "SourcePatientGroupIdentificationSequence",
        ),
        *(
            "BreedRegistrationSequence",
            "StrainDescription",
            "GroupOfPatientsIdentificationSequence",
        ),
        *("PatientIdentityRemoved", "DeidentificationMethod", "DeidentificationMethodCodeSequence"),
        # C.7.2.1, general study; its UID is part of what the object is
        *("StudyDate", "StudyTime", "StudyID", "AccessionNumber", "StudyDescription"),
        *("IssuerOfAccessionNumberSequence", "ReferringPhysicianName", "ReferencedStudySequence"),
        *("ReferringPhysicianIdentificationSequence", "ConsultingPhysicianName"),
        *("ConsultingPhysicianIdentificationSequence", "PhysiciansOfRecord"),
        *("PhysiciansOfRecordIdentificationSequence", "NameOfPhysiciansReadingStudy"),
        *("PhysiciansReadingStudyIdentificationSequence", "RequestingService"),
        *("RequestingServiceCodeSequence", "ProcedureCodeSequence"),
        *("ReasonForPerformedProcedureCodeSequence",),
        # C.7.2.2, patient study
        *("AdmittingDiagnosesDescription", "AdmittingDiagnosesCodeSequence", "PatientAge"),
        *("PatientSize", "PatientWeight", "PatientBodyMassIndex", "PatientSizeCodeSequence"),
        *("MeasuredAPDimension", "MeasuredLateralDimension", "MedicalAlerts", "Allergies"),
        *("SmokingStatus", "PregnancyStatus", "LastMenstrualDate", "PatientState", "Occupation"),
        *(
            "AdditionalPatientHistory",
            "AdmissionID",
            "IssuerOfAdmissionIDSequence",
            "ReasonForVisit",
        ),
        *("IssuerOfAdmissionID", "ServiceEpisodeID", "ServiceEpisodeDescription"),
        *("IssuerOfServiceEpisodeIDSequence", "PatientSexNeutered", "ReasonForVisitCodeSequence"),
    )
)
"""Attributes in which two centers' copies of one object may differ and still be that object."""

NEWEST_MAY_WIN = frozenset({Role.STRUCTURE_SET, Role.PLAN, Role.DOSE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One attribute in which two contents differ; an empty text is an absent value."""

    path: str
    first: str
    second: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentDigest:
    """Names of a data set: with everything, and without attributes of patient and study.

    ``doubt`` says what could not be compared; empty when everything was.
    """

    whole: str
    clinical: str
    doubt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldVersion:
    """One content of one center's object.

    ``digest`` names the data set whatever its encoding; ``clinical_digest`` leaves out attributes
    of patient and study. ``doubt`` says why a comparison was not possible in full.
    """

    digest: str
    clinical_digest: str
    sender: str
    first_at: datetime
    recorded_at: datetime
    differences: tuple[Difference, ...] = ()
    doubt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """One center's row of an object; without versions it came once and was never compared.

    ``decided`` is the digest that a person, or the center's rule, chose for this UID, and
    ``decided_at`` when: a version that was recorded later was not known then, unless it is one of
    ``known`` that came anew with a rebuilt index.
    """

    object_id: ObjectId
    orthanc_id: str
    center: str
    quarantined: bool
    role: Role
    sop_uid: str
    versions: tuple[HeldVersion, ...]
    decided: str | None = None
    decided_at: datetime | None = None
    known: tuple[str, ...] = ()

    @property
    def is_settled(self) -> bool:
        """Whether one of the versions was chosen, knowing all of them."""
        return (
            self.decided_at is not None
            and self.decided in {item.digest for item in self.versions}
            and all(
                item.recorded_at <= self.decided_at or item.digest in self.known
                for item in self.versions
            )
        )


def counting(holding: Holding) -> HeldVersion | None:
    """The version that is shown and calculated: the decided one, else the first."""
    ordered = sorted(holding.versions, key=lambda item: (item.first_at, item.digest))
    chosen = [item for item in ordered if item.digest == holding.decided]
    return next(iter([*chosen, *ordered]), None)


def conflicts_of(holding: Holding, others: Iterable[Holding]) -> tuple[Finding, ...]:
    """What to say on one center's object because of other contents under its UID.

    Parameters
    ----------
    others
        Every other row with the same SOP Instance UID, of any center and patient.
    """
    same = [item for item in others if item.center == holding.center]
    elsewhere = [item for item in others if item.center != holding.center and not item.quarantined]
    found = [_of_versions(holding), _of_namesakes(holding, same)]
    found.append(_of_centers(holding, elsewhere))
    return tuple(finding for finding in found if finding is not None)


def _of_versions(holding: Holding) -> Finding | None:
    if len(holding.versions) < 2:
        return None
    count = len(holding.versions)
    if holding.is_settled:
        text = f"This {holding.role} came with {count} contents; which one counts was decided."
        return _finding(holding, SETTLED, Severity.INFO, text)
    first, *later = sorted(holding.versions, key=lambda item: (item.first_at, item.digest))
    told = "; ".join(_told(item) for item in later)
    text = (
        f"This {holding.role} came with {count} contents: first from {first.sender} on "
        f"{_time(first.first_at)}; {told}. Decide which one counts; until then the first is shown."
    )
    return _finding(holding, CONFLICT, Severity.WARNING, text)


def _told(item: HeldVersion) -> str:
    names = [difference.path for difference in item.differences]
    more = len(names) - NAMED_DIFFERENCES
    named = ", ".join(names[:NAMED_DIFFERENCES]) + (f" and {more} more" if more > 0 else "")
    text = f"from {item.sender} on {_time(item.first_at)}"
    text += f", which differs in {named}" if named else ""
    return text + (f" ({item.doubt})" if item.doubt else "")


def _of_namesakes(holding: Holding, same: Sequence[Holding]) -> Finding | None:
    """Another object of the same center under the same UID: another patient, study or series."""
    if not same:
        return None
    if holding.is_settled:
        return None
    if any(other.is_settled for other in same):
        text = f"Another object with the UID of this {holding.role} was decided to count."
        return _finding(holding, SUPERSEDED, Severity.WARNING, text)
    text = (
        f"{counted(len(same), 'other object')} of this center, under another patient number, "
        f"study or series, has the UID of this {holding.role}. Decide which one counts."
    )
    return _finding(holding, CONFLICT, Severity.WARNING, text)


def _of_centers(holding: Holding, elsewhere: Sequence[Holding]) -> Finding | None:
    own = counting(holding)
    theirs = [found for item in elsewhere if (found := counting(item)) is not None]
    if own is None:
        return None
    if any(item.clinical_digest != own.clinical_digest for item in theirs):
        text = (
            f"Another center sent another content under the UID of this {holding.role}. Each "
            "center's own counts for itself; ask who changed it."
        )
        return _finding(holding, ELSEWHERE, Severity.WARNING, text)
    if any(item.digest != own.digest for item in theirs):
        text = (
            f"Another center has this {holding.role} too, with other patient or study attributes; "
            "what is shown is this center's own."
        )
        return _finding(holding, VARIANT, Severity.INFO, text)
    return None


def _finding(holding: Holding, code: str, severity: Severity, text: str) -> Finding:
    return Finding(code=code, severity=severity, text=text, uid=holding.sop_uid)


def _time(value: datetime) -> str:
    return f"{value:%Y-%m-%d %H:%M} UTC"


def newest_wins(holding: Holding, newest: HeldVersion) -> bool:
    """Whether a center's setting may decide for what came last: RT objects of one sender."""
    before = [item for item in holding.versions if item.digest != newest.digest]
    return holding.role in NEWEST_MAY_WIN and all(item.sender == newest.sender for item in before)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Blocked:
    """An object of which nobody knows, or nobody said, which content counts."""

    object: IndexedObject
    finding: Finding

    @property
    def series_uid(self) -> str:
        """Of an image; empty for everything else, which is decided one by one."""
        parsed = self.object.parsed
        return parsed.series.series_uid if parsed.role is Role.IMAGE else ""


_AllBlocked = dict[ObjectId, _Blocked]


def mark(assembly: Assembly, objects: Iterable[IndexedObject], *, patient_key: int) -> Assembly:
    """Make plan sets with a conflict ambiguous, and say on each pair that it rests on one.

    Their DVHs stay: they are of the content that counts or came first. What the patient has beside
    plan sets is asked about as well.
    """
    blocked = {
        item.object_id: _Blocked(object=item, finding=finding)
        for item in objects
        for finding in item.parsed.findings
        if finding.code in BLOCKING
    }
    if not blocked:
        return assembly
    plan_sets = tuple(_marked_plan_set(item, blocked) for item in assembly.plan_sets)
    asked = {question.subject for item in plan_sets for question in item.questions}
    rest = [
        item
        for item in blocked.values()
        if item.object.patient_key == patient_key
        and item.finding.code == CONFLICT
        and asked.isdisjoint((item.object.parsed.sop_uid, item.series_uid))
    ]
    return Assembly(
        plan_sets=plan_sets,
        pairs=tuple(_marked_pair(item, blocked) for item in assembly.pairs),
        questions=tuple(_questions(rest)),
    )


def _marked_plan_set(item: PlanSet, blocked: _AllBlocked) -> PlanSet:
    single = [item.plan, *item.doses, *item.records, *item.registrations]
    single += [item.structure_set] if item.structure_set is not None else []
    found = [_on_plan_set(blocked[key].finding) for key in single if key in blocked]
    images = [blocked[key] for key in item.images if key in blocked]
    if images:
        found.append(_on_plan_set(replace(images[0].finding, text=_on_images(len(images)))))
    pair = _marked_pair(item.pair, blocked) if item.pair else None
    if not found:
        return replace(item, pair=pair)
    concerned = [*(blocked[key] for key in single if key in blocked), *images]
    return replace(
        item,
        state=PlanSetState.AMBIGUOUS,
        findings=(*item.findings, *found),
        pair=pair,
        questions=(*_questions(concerned), *item.questions),
    )


def _on_images(count: int) -> str:
    return f"{counted(count, 'image')} came with several contents: decide which counts."


def _questions(items: Iterable[_Blocked]) -> Iterator[Question]:
    """Which content counts, once for all images of a series.

    The answers are versions, which are kept apart from the index.
    """
    groups: dict[str, list[_Blocked]] = defaultdict(list)
    for item in items:
        groups[item.series_uid or item.object.parsed.sop_uid].append(item)
    for together in groups.values():
        several = together[0].series_uid and len(together) > 1
        yield _question_on_series(together) if several else _question(together[0])


def _question(item: _Blocked) -> Question:
    return Question(
        kind=QuestionKind.VERSION,
        subject=item.object.parsed.sop_uid,
        text="Which of these contents counts?",
        why=item.finding.text,
    )


def _question_on_series(items: Sequence[_Blocked]) -> Question:
    return Question(
        kind=QuestionKind.VERSION,
        subject=items[0].series_uid,
        text="Which contents of this series count?",
        why=_on_images(len(items)),
        image=items[0].object.object_id,
    )


def _marked_pair(item: CalculationPair, blocked: _AllBlocked) -> CalculationPair:
    keys = (item.structure_set, *item.doses)
    found = tuple(blocked[key].finding for key in keys if key in blocked)
    return replace(item, findings=(*item.findings, *found)) if found else item


def _on_plan_set(finding: Finding) -> Finding:
    return replace(finding, severity=Severity.ERROR, keeps=PlanSetState.AMBIGUOUS.value)
