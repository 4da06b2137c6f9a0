"""What only a person can settle about a plan set, and the answers at hand.

A question is derived from the same facts as the state of its plan set, so it goes when the state
does: by a decision, or by an object that arrives.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rtpacs.rules.catalog import Catalog, Member
from rtpacs.rules.content import content_errors
from rtpacs.rules.decisions import DecisionKind
from rtpacs.rules.frames import FrameMatch, compare, frames_of
from rtpacs.rules.image_matches import ImageMatch
from rtpacs.rules.links import targets
from rtpacs.rules.objects import (
    DoseContent,
    FrameUid,
    PlanContent,
    ReferenceKind,
    RegistrationContent,
    StructureSetContent,
)
from rtpacs.rules.plan_sets import (
    Answer,
    Question,
    QuestionKind,
    Treatment,
    TreatmentStatus,
)
from rtpacs.rules.remarks import Effect, Remark

TO_STRUCTURES = ReferenceKind.PLAN_TO_STRUCTURE_SET
TO_PLAN = ReferenceKind.DOSE_TO_PLAN
TO_SERIES = ReferenceKind.STRUCTURE_SET_TO_SERIES
ACCEPTABLE = {"missing-structure-set", "missing-images", "missing-image-series"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What was found around a plan, as far as questions look at it."""

    plan: Member[PlanContent]
    structure_set: Member[StructureSetContent] | None
    doses: Sequence[Member[DoseContent]]
    images: ImageMatch
    structure_remarks: Sequence[Remark]
    dose_remarks: Sequence[Remark]
    pair_remarks: Sequence[Remark]
    for_patient: bool


def questions_on(
    catalog: Catalog, around: Around, *, prescribed: float | None, treatment: Treatment
) -> tuple[Question, ...]:
    """What a person is asked about one plan set, the most pressing first."""
    questions = [
        *_on_structure_set(catalog, around),
        *_on_images(catalog, around),
        *_on_dose(catalog, around),
        *_on_registration(catalog, around),
    ]
    if prescribed is None and around.for_patient:
        questions.append(
            Question(
                kind=QuestionKind.PRESCRIPTION,
                subject=around.plan.name,
                text="What dose is prescribed?",
                why="The DICOM plan states no prescription (TargetPrescriptionDose).",
            )
        )
    if treatment.status is TreatmentStatus.UNKNOWN:
        questions.append(
            Question(
                kind=QuestionKind.TREATMENT,
                subject=around.plan.name,
                text="Was this plan given?",
                why=f"Delivery is unknown: {treatment.reason}.",
            )
        )
    return tuple(questions)


def _on_structure_set(catalog: Catalog, around: Around) -> list[Question]:
    blocking = _blocking(around.structure_remarks)
    if not blocking:
        return []
    named = targets(around.plan.indexed, TO_STRUCTURES)
    answers = [
        _link(
            around.plan.name,
            TO_STRUCTURES,
            item.name,
            f"Structure set {item.content.label or item.uid}",
            f"{len(item.content.rois)} structures, {item.content.date or 'no date'}"
            + (", named by the plan" if item.uid in named else ""),
        )
        for item in catalog.members(StructureSetContent)
        if not content_errors(item.indexed.parsed) and _fits_plan(catalog, item, around)
    ]
    return [
        Question(
            kind=QuestionKind.STRUCTURE_SET,
            subject=around.plan.name,
            text="Which structure set belongs to this plan?",
            why=blocking[0].finding.text,
            answers=(*answers, *_accept(around.plan.name, TO_STRUCTURES, blocking)),
        )
    ]


def _fits_plan(
    catalog: Catalog, structure_set: Member[StructureSetContent], around: Around
) -> bool:
    frames = frames_of(structure_set)
    places = {around.plan.frame, *(dose.frame for dose in around.doses)} - {None}
    return (
        not frames
        or not places
        or any(place in frames or catalog.settled.accepted(frames, place) for place in places)
    )


def _on_images(catalog: Catalog, around: Around) -> list[Question]:
    blocking = _blocking(around.images.remarks)
    if around.structure_set is None or not blocking:
        return []
    name, frames = around.structure_set.name, frames_of(around.structure_set)
    used = around.images.series.series_uid if around.images.series else None
    answers = [
        _link(
            name,
            TO_SERIES,
            uid,
            f"{series.modality} series of {len(series.images)} images",
            f"slices every {series.spacing_mm:g} mm" if series.spacing_mm else "one slice",
        )
        for uid, series in sorted(catalog.series.items())
        if uid != used
        and (not frames or _same_place(catalog, frames, series.frame_of_reference_uid))
    ]
    return [
        Question(
            kind=QuestionKind.IMAGES,
            subject=name,
            text="On which images was the structure set drawn?",
            why=blocking[0].finding.text,
            answers=(*answers, *_accept(name, TO_SERIES, blocking)),
        )
    ]


def _same_place(catalog: Catalog, frames: frozenset[FrameUid], frame: FrameUid | None) -> bool:
    return frame in frames or catalog.settled.accepted(frames, frame) is not None


def _on_dose(catalog: Catalog, around: Around) -> list[Question]:
    blocking = _blocking(around.dose_remarks)
    if not blocking or not around.for_patient:
        return []
    plan = around.plan
    rivals = blocking[0].effect is Effect.AMBIGUOUS
    if rivals:
        answers = [answer for dose in around.doses for answer in _on_rival(dose, plan)]
        text = "Which doses belong to this plan?"
    else:
        text = "Which dose is the dose of this plan?"
        answers = [
            _link(dose.name, TO_PLAN, plan.name, _dose_label(dose), "not the dose of any plan here")
            for dose in _free_doses(catalog)
            if around.structure_set is None
            or compare(catalog, dose, around.structure_set) is not FrameMatch.DIFFERENT
        ]
        if not answers:
            return []
    return [
        Question(
            kind=QuestionKind.DOSE,
            subject=plan.name,
            text=text,
            why=blocking[0].finding.text,
            answers=tuple(answers),
        )
    ]


def _on_rival(dose: Member[DoseContent], plan: Member[PlanContent]) -> list[Answer]:
    """One of several doses of one plan: it is the one, or it does not belong there."""
    label = _dose_label(dose)
    note = f"made {dose.indexed.parsed.content_date or 'at an unknown time'}"
    out = Answer(
        kind=DecisionKind.UNLINK,
        subject=dose.name,
        target=plan.name,
        label=f"Not {label}",
        note=note,
        relation=TO_PLAN,
    )
    if dose.content.summation_type != "PLAN":
        return [out]
    return [_link(dose.name, TO_PLAN, plan.name, label, note), out]


def _dose_label(dose: Member[DoseContent]) -> str:
    comment = f" ({dose.content.comment})" if dose.content.comment else ""
    return f"{dose.content.summation_type or 'Untyped'} dose …{dose.uid[-8:]}{comment}"


def _free_doses(catalog: Catalog) -> list[Member[DoseContent]]:
    """Doses of the whole plan that belong to no plan that is here."""
    plans = {plan.uid for plan in catalog.members(PlanContent)}
    return [
        dose
        for dose in catalog.members(DoseContent)
        if dose.content.summation_type == "PLAN"
        and dose.content.has_pixels
        and not plans.intersection(dose.content.plan_uids)
        and catalog.settled.link(TO_PLAN, dose.name) is None
        and not content_errors(dose.indexed.parsed)
    ]


def _on_registration(catalog: Catalog, around: Around) -> list[Question]:
    """Dose and structures lie apart, and a registration of their frames is here."""
    if around.structure_set is None or not any(
        item.finding.code == "frame-of-reference-differs" for item in around.pair_remarks
    ):
        return []
    frames = frames_of(around.structure_set)
    places = {dose.frame for dose in around.doses if dose.frame and dose.frame not in frames}
    answers = [
        Answer(
            kind=DecisionKind.REGISTRATION,
            subject=frame,
            target=place,
            label=f"Registration {item.content.label or item.uid}",
            note="joins both frames of reference",
            registration=item.name,
        )
        for item in catalog.members(RegistrationContent)
        for frame in sorted(frames & frames_joined(item.content))
        for place in sorted(places & frames_joined(item.content))
    ]
    if not answers:
        return []
    return [
        Question(
            kind=QuestionKind.REGISTRATION,
            subject=around.structure_set.name,
            text="Do you accept this registration of dose and structures?",
            why="Dose and structure set lie in different frames of reference, and a registration "
            "of the two is here that nobody accepted.",
            answers=tuple(answers),
        )
    ]


def frames_joined(content: RegistrationContent) -> frozenset[FrameUid]:
    """The frames of reference that a registration joins."""
    frames = {content.frame_of_reference_uid, *(i.frame_of_reference_uid for i in content.items)}
    return frozenset(frame for frame in frames if frame)


def _blocking(remarks: Iterable[Remark]) -> list[Remark]:
    """What keeps the plan set from being complete; ambiguity first."""
    found = [remark for remark in remarks if remark.effect is not Effect.NONE]
    return sorted(found, key=lambda remark: remark.effect is not Effect.AMBIGUOUS)


def _accept(subject: str, relation: ReferenceKind, blocking: Sequence[Remark]) -> list[Answer]:
    return [
        Answer(
            kind=DecisionKind.MISSING,
            subject=subject,
            target=remark.finding.uid,
            label="Accept that it is missing",
            note="the plan set no longer waits for it",
            relation=relation,
        )
        for remark in blocking
        if remark.finding.code in ACCEPTABLE and remark.finding.uid
    ]


def _link(subject: str, relation: ReferenceKind, target: str, label: str, note: str) -> Answer:
    return Answer(
        kind=DecisionKind.LINK,
        subject=subject,
        target=target,
        label=label,
        note=note,
        relation=relation,
    )
