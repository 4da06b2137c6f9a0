"""Whether a patient is named by a pseudonym of the form that a center agreed to."""

import re


def is_pseudonym(text: str, form: str) -> bool:
    """Whether a name or number has the form: ``#`` is a digit, ``?`` any letter or digit, no more.

    The empty components of a person name (PS3.5 6.2.1.1) do not count.
    """
    signs = {"#": "[0-9]", "?": "[A-Za-z0-9]"}
    pattern = "".join(signs.get(sign, re.escape(sign)) for sign in form)
    return re.fullmatch(pattern, text.strip().rstrip("^=")) is not None


def objection(patient_id: str, name: str, form: str) -> str:
    """Why an object may not come in, or nothing; the text repeats neither name nor number."""
    wrong = [
        attribute
        for attribute, value in (("PatientID", patient_id), ("PatientName", name))
        if not is_pseudonym(value, form)
    ]
    if not wrong:
        return ""
    return (
        f"{' and '.join(wrong)} {'has' if len(wrong) == 1 else 'have'} not the agreed form {form}: "
        "this center uploads pseudonymised data only"
    )
