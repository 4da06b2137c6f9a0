"""People settle what DICOM leaves open: check, record, take back."""

from dataclasses import dataclass

from rtpacs.errors import InvalidInputError, NotFoundError
from rtpacs.rules.access import Scope
from rtpacs.rules.decision_checks import objection
from rtpacs.rules.decisions import Decision, DecisionKind, Statement
from rtpacs.services.ports import Assemblies, DecisionBook


@dataclass(frozen=True, slots=True, kw_only=True)
class Deciding:
    """The use cases of deciding; ``services.desk.Decisions`` for pages and REST."""

    book: DecisionBook
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

    def undo(self, decision_id: str, *, author: str, reason: str) -> None:
        """Take a decision back; the one before it counts again.

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
        return self.scope.everything or made.center in self.scope.own


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
