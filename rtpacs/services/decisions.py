"""People settle what DICOM leaves open: check, record, take back."""

from dataclasses import dataclass

from rtpacs.errors import InvalidInputError, NotFoundError
from rtpacs.rules.access import Scope
from rtpacs.rules.decision_checks import objection
from rtpacs.rules.decisions import Decision, DecisionKind, Statement
from rtpacs.rules.series_versions import Choice
from rtpacs.services.ports import Assemblies, DecisionBook, SeriesBook


@dataclass(frozen=True, slots=True, kw_only=True)
class Deciding:
    """The use cases of deciding; ``services.desk.Decisions`` for pages and REST."""

    book: DecisionBook
    series: SeriesBook
    assemblies: Assemblies
    scope: Scope  # centers whose data the person may settle

    def decide(self, made: Statement, *, author: str, reason: str, seen: str | None) -> str:
        """Record what a person settled; its effects follow by the assembly of the patient.

        Parameters
        ----------
        seen
            Id of the newest decision on the same topic that the person saw; None for none.

        Returns
        -------
        str
            The id of the decision.

        Raises
        ------
        NotFoundError
            What it is about is not here, in quarantine, or of a center that is not the person's.
        InvalidInputError
            It may not be made (other patient, other frame of reference, nothing of that name);
            or author or reason are missing.
        StateError
            Somebody decided meanwhile.
        """
        if made.kind is DecisionKind.SENDER:
            raise InvalidInputError("Assign a sender on the page Senders.")
        patient_key = self.book.patient_of(made) if self._settles(made) else None
        if patient_key is None:
            raise NotFoundError("what this decision is about is not here")
        why_not = objection(
            made,
            self.assemblies.objects(patient_key),
            patient_key=patient_key,
            decisions=self.assemblies.decisions(patient_key),
        )
        if why_not is not None:
            raise InvalidInputError(why_not)
        return self.book.add(made, author=author, reason=require_reason(reason), seen=seen)

    def decide_series(
        self, series_id: str, choice: str, *, author: str, reason: str, seen: str | None
    ) -> str:
        """Choose the contents of all images of a series that came with several, in one act.

        Parameters
        ----------
        choice
            One of ``rules.series_versions.Choice``.
        seen
            What the person saw of it, as the answers to the question give it.

        Returns
        -------
        str
            The id of the first decision: undoing it undoes all.

        Raises
        ------
        NotFoundError
            The series is not here, in quarantine, or of a center that is not the person's.
        InvalidInputError
            There is no such choice; or author or reason are missing.
        StateError
            Another content came, or somebody decided, meanwhile.
        """
        code = self.series.center_of(series_id)
        if code is None or not self._settles_for(code):
            raise NotFoundError("this series is not here")
        if choice not in tuple(Choice):
            raise InvalidInputError(f"Of a series what came {' or '.join(Choice)} can count.")
        return self.series.choose(
            series_id, Choice(choice), author=author, reason=require_reason(reason), seen=seen
        )

    def undo(self, decision_id: str, *, author: str, reason: str) -> None:
        """Take a decision back, and all that were made in one act with it.

        Raises
        ------
        NotFoundError
            No such decision, or one on another center's data.
        StateError
            It was taken back already.
        """
        self.one(decision_id)
        self.book.undo(decision_id, author=author, reason=reason.strip())

    def one(self, decision_id: str) -> Decision:
        """A decision by its id.

        Raises
        ------
        NotFoundError
            No such decision, or one on another center's data.
        """
        found = self.book.one(decision_id)
        # Decisions on senders name no patient; administrators make them.
        if found.statement.kind is not DecisionKind.SENDER and not self._settles(found.statement):
            raise NotFoundError("there is no such decision")
        return found

    def _settles(self, made: Statement) -> bool:
        return self._settles_for(made.center)

    def _settles_for(self, code: str) -> bool:
        return self.scope.everything or code in self.scope.own


def require_reason(text: str) -> str:
    """The reason without spaces around it.

    Raises
    ------
    InvalidInputError
        There is none.
    """
    if not text.strip():
        raise InvalidInputError("Say why: the reason stands beside every number that it touches.")
    return text.strip()
