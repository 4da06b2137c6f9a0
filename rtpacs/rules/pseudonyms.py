"""Whether a patient is named by pseudonyms of the form that a center agreed to, and nothing else.

The attributes are those of the patient that the Basic Application Level Confidentiality Profile
(DICOM PS3.15 Table E.1-1) removes or replaces, wherever they stand in an object. Free texts of
equipment and private attributes are not judged.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

FIRST_OF_A_YEAR = re.compile(r"[0-9]{4}(0101)?")


class Holds(StrEnum):
    """What an attribute may hold, in the words of a refusal."""

    PSEUDONYM = "must be empty or have the agreed form"
    YEAR = "must be empty or the first of January of the year"
    NOTHING = "must be empty"


ALLOWED: dict[str, Holds] = {
    "PatientID": Holds.PSEUDONYM,
    "PatientName": Holds.PSEUDONYM,
    "OtherPatientIDs": Holds.PSEUDONYM,
    "OtherPatientNames": Holds.PSEUDONYM,
    "PatientBirthName": Holds.PSEUDONYM,
    "PatientMotherBirthName": Holds.PSEUDONYM,
    "PatientBirthDate": Holds.YEAR,
    "PatientBirthTime": Holds.NOTHING,
    "PatientBirthDateInAlternativeCalendar": Holds.NOTHING,
    "PatientAddress": Holds.NOTHING,
    "PatientTelephoneNumbers": Holds.NOTHING,
    "PatientTelecomInformation": Holds.NOTHING,
    "ResponsiblePerson": Holds.NOTHING,
    "InsurancePlanIdentification": Holds.NOTHING,
    "MedicalRecordLocator": Holds.NOTHING,
    "MilitaryRank": Holds.NOTHING,
    "PatientComments": Holds.NOTHING,
}
REQUIRED = ("PatientID", "PatientName")  # of the object itself: in sequences they may be empty


@dataclass(frozen=True, slots=True, kw_only=True)
class Identifier:
    """One value of an attribute of ``ALLOWED``; ``inside`` is the sequence in which it stands."""

    keyword: str
    value: str
    inside: str = ""

    @property
    def place(self) -> str:
        """The attribute as a refusal names it."""
        return f"{self.keyword} in {self.inside}" if self.inside else self.keyword


def is_pseudonym(text: str, form: str) -> bool:
    """Whether a name or number has the form: ``#`` is a digit, ``?`` any letter or digit, no more.

    The empty components of a person name (PS3.5 6.2.1.1) do not count.
    """
    signs = {"#": "[0-9]", "?": "[A-Za-z0-9]"}
    pattern = "".join(signs.get(sign, re.escape(sign)) for sign in form)
    return re.fullmatch(pattern, text.strip().rstrip("^=")) is not None


def objection(found: Iterable[Identifier], form: str) -> str:
    """Why an object may not come in, or nothing; the text repeats no value.

    Parameters
    ----------
    found
        Every value of the attributes of ``ALLOWED``, also those in sequences.
    """
    values = list(found)
    named = {item.keyword for item in values if not item.inside and item.value.strip(" ^=")}
    wrong: dict[str, list[str]] = {}
    for keyword in REQUIRED:
        if keyword not in named:
            wrong.setdefault("must have the agreed form", []).append(keyword)
    for item in values:
        if not _may_stand(item, form):
            wrong.setdefault(ALLOWED[item.keyword].value, []).append(item.place)
    if not wrong:
        return ""
    reasons = "; ".join(
        f"{' and '.join(dict.fromkeys(places))} {what}" for what, places in wrong.items()
    )
    return f"{reasons}: this center uploads pseudonymised data only, of the form {form}"


def _may_stand(item: Identifier, form: str) -> bool:
    value = item.value.strip(" ^=")
    match ALLOWED[item.keyword]:
        case Holds.PSEUDONYM:
            return not value or is_pseudonym(value, form)
        case Holds.YEAR:
            return not value or FIRST_OF_A_YEAR.fullmatch(value) is not None
        case Holds.NOTHING:
            return not value
