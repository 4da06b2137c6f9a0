"""Searches as DICOM has them (PS3.4 C.2.2.2, PS3.18 8.3.4): attributes, and what fits a key.

The same searches come as QIDO-RS, C-FIND and Orthanc's ``tools/find``; all are answered from the
index, and only with what the index keeps.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from rtpacs.errors import InvalidInputError
from rtpacs.rules.routes import Level

LEVELS = (Level.PATIENT, Level.STUDY, Level.SERIES, Level.INSTANCE)
MOST_VALUES = 1000
UID_TEXT = re.compile(r"[0-9.]{1,64}")
DAY = re.compile(r"\d{8}")


class Fit(StrEnum):
    """How an attribute is matched."""

    ANY = "text with * and ?"
    NAME = "a person's name, letter case and accents aside"
    DATE = "a day, or a range of days"
    UID = "one of several UIDs"
    NUMBER = "a whole number"
    MODALITIES = "a modality of any series"
    NEVER = "is returned, not matched"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """One attribute of the index; ``tag`` has eight hexadecimal digits."""

    keyword: str
    tag: str
    vr: str
    level: Level
    fit: Fit


def _of(level: Level, *rows: tuple[str, str, str, Fit]) -> list[Attribute]:
    return [
        Attribute(keyword=keyword, tag=tag, vr=vr, level=level, fit=fit)
        for keyword, tag, vr, fit in rows
    ]


ATTRIBUTES: tuple[Attribute, ...] = (
    *_of(
        Level.PATIENT,
        ("PatientName", "00100010", "PN", Fit.NAME),
        ("PatientID", "00100020", "LO", Fit.ANY),
        ("IssuerOfPatientID", "00100021", "LO", Fit.ANY),
        ("PatientBirthDate", "00100030", "DA", Fit.DATE),
        ("PatientSex", "00100040", "CS", Fit.ANY),
        ("NumberOfPatientRelatedStudies", "00201200", "IS", Fit.NEVER),
    ),
    *_of(
        Level.STUDY,
        ("StudyDate", "00080020", "DA", Fit.DATE),
        ("AccessionNumber", "00080050", "SH", Fit.ANY),
        ("ModalitiesInStudy", "00080061", "CS", Fit.MODALITIES),
        ("StudyDescription", "00081030", "LO", Fit.ANY),
        ("StudyInstanceUID", "0020000D", "UI", Fit.UID),
        ("StudyID", "00200010", "SH", Fit.ANY),
        ("NumberOfStudyRelatedSeries", "00201206", "IS", Fit.NEVER),
        ("NumberOfStudyRelatedInstances", "00201208", "IS", Fit.NEVER),
    ),
    *_of(
        Level.SERIES,
        ("SeriesDate", "00080021", "DA", Fit.DATE),
        ("Modality", "00080060", "CS", Fit.ANY),
        ("Manufacturer", "00080070", "LO", Fit.ANY),
        ("InstitutionName", "00080080", "LO", Fit.ANY),
        ("SeriesDescription", "0008103E", "LO", Fit.ANY),
        ("ManufacturerModelName", "00081090", "LO", Fit.ANY),
        ("SeriesInstanceUID", "0020000E", "UI", Fit.UID),
        ("SeriesNumber", "00200011", "IS", Fit.NUMBER),
        ("FrameOfReferenceUID", "00200052", "UI", Fit.UID),
        ("NumberOfSeriesRelatedInstances", "00201209", "IS", Fit.NEVER),
    ),
    *_of(
        Level.INSTANCE,
        ("SOPClassUID", "00080016", "UI", Fit.UID),
        ("SOPInstanceUID", "00080018", "UI", Fit.UID),
        ("InstanceNumber", "00200013", "IS", Fit.NUMBER),
    ),
)
BY_KEYWORD: Mapping[str, Attribute] = {one.keyword: one for one in ATTRIBUTES}
BY_TAG: Mapping[str, Attribute] = {one.tag: one for one in ATTRIBUTES}
UNIQUE_KEYS: Mapping[Level, str] = {
    Level.PATIENT: "PatientID",
    Level.STUDY: "StudyInstanceUID",
    Level.SERIES: "SeriesInstanceUID",
    Level.INSTANCE: "SOPInstanceUID",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One key: ``values`` of which one must fit; of a date range two, an open end empty.

    ``loose`` asks of a name only that every word begins a word of it.
    """

    attribute: Attribute
    values: tuple[str, ...]
    loose: bool = False

    @property
    def is_range(self) -> bool:
        """Whether the values are the ends of a range of days."""
        return self.attribute.fit is Fit.DATE and len(self.values) == 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What to look for at one level."""

    level: Level
    conditions: tuple[Condition, ...] = ()
    offset: int = 0
    limit: int = 100


Value = str | int | tuple[str, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """What fits: every attribute of its level and above, by keyword.

    ``orthanc_id`` is that of one instance in it, of which the values are, and ``center`` whose copy
    of it that is.
    """

    level: Level
    values: Mapping[str, Value]
    orthanc_id: str
    center: str


def attribute_of(name: str) -> Attribute | None:
    """The attribute that a keyword or tag (``00100020``, ``0010,0020``) names, of the index."""
    return BY_KEYWORD.get(name) or BY_TAG.get(name.replace(",", "").upper())


def covers(level: Level, attribute: Attribute) -> bool:
    """Whether an attribute belongs to a level or to one above it."""
    return LEVELS.index(attribute.level) <= LEVELS.index(level)


def condition(attribute: Attribute, text: str, *, loose: bool = False) -> Condition | None:
    r"""The condition that a key's value means; None when it fits everything.

    Parameters
    ----------
    text
        As in DICOM, several values with ``\`` between.

    Raises
    ------
    InvalidInputError
        The value cannot be used for this attribute.
    """
    text = text.strip()
    if text.strip("*") == "" or attribute.fit is Fit.NEVER:
        return None
    if attribute.fit is Fit.DATE:
        return Condition(attribute=attribute, values=_days(attribute, text))
    values = tuple(dict.fromkeys(value.strip() for value in text.split("\\") if value.strip()))
    if len(values) > MOST_VALUES:
        raise InvalidInputError(f"{attribute.keyword} has more than {MOST_VALUES} values")
    for value in values:
        _check(attribute, value)
    return Condition(attribute=attribute, values=values, loose=loose)


def _check(attribute: Attribute, value: str) -> None:
    if attribute.fit is Fit.UID and not UID_TEXT.fullmatch(value):
        raise InvalidInputError(f"{attribute.keyword} must be a UID: digits and dots")
    if attribute.fit is Fit.NUMBER and not re.fullmatch(r"[+-]?\d{1,10}", value):
        raise InvalidInputError(f"{attribute.keyword} must be a whole number")


def _days(attribute: Attribute, text: str) -> tuple[str, ...]:
    """ISO dates: one, or the two ends of a range."""
    ends = [end.strip() for end in text.split("-")] if "-" in text else [text]
    if len(ends) > 2 or any(end and not DAY.fullmatch(end) for end in ends) or not any(ends):
        raise InvalidInputError(
            f"{attribute.keyword} must be a day (20260312) or a range (20260301-20260312)"
        )
    return tuple(f"{end[:4]}-{end[4:6]}-{end[6:]}" if end else "" for end in ends)


def search_by_parameters(
    level: Level, given: Iterable[tuple[str, str]], *, fixed: Mapping[str, str]
) -> tuple[Search, frozenset[str]]:
    """A QIDO-RS search: query parameters in their order, and UIDs of the path.

    Returns
    -------
    tuple
        The search, and keywords that ``includefield`` asks for (``all`` for everything).

    Raises
    ------
    InvalidInputError
        An unknown key, one given twice or under two names, or a value that cannot be used.
    """
    keys: dict[str, str] = dict(fixed)
    options: dict[str, str] = {}
    included: set[str] = set()
    for name, value in given:
        if name == "includefield":
            included.update(_included(value))
        elif name in ("limit", "offset", "fuzzymatching"):
            _once(options, name, value)
        else:
            attribute = attribute_of(name)
            if attribute is None:
                raise InvalidInputError(f"searching by {name[:64]} is not supported")
            _once(keys, attribute.keyword, _listed(attribute, value))
    loose = options.get("fuzzymatching", "false").lower() == "true"
    found = [condition(BY_KEYWORD[name], value, loose=loose) for name, value in keys.items()]
    search = Search(
        level=level,
        conditions=tuple(one for one in found if one is not None),
        offset=_count(options, "offset", 0),
        limit=_count(options, "limit", 100),
    )
    return search, frozenset(included)


def _listed(attribute: Attribute, value: str) -> str:
    """QIDO-RS separates UIDs by commas (PS3.18 8.3.4.1)."""
    return value.replace(",", "\\") if attribute.fit is Fit.UID else value


def _included(value: str) -> list[str]:
    """Keywords, or ``all``; what the index does not keep is left out, as the standard allows."""
    names = [name.strip() for name in value.split(",")]
    known = [one.keyword for name in names if (one := attribute_of(name)) is not None]
    return [*known, *(["all"] if "all" in names else [])]


def _once(into: dict[str, str], name: str, value: str) -> None:
    if name in into:
        raise InvalidInputError(f"{name} is given more than once")
    into[name] = value


def _count(options: Mapping[str, str], name: str, default: int) -> int:
    text = options.get(name, str(default))
    if not re.fullmatch(r"\d{1,9}", text):
        raise InvalidInputError(f"{name} must be a whole number from 0")
    return int(text)


def conditions_by_keyword(level: Level, keys: Mapping[str, str]) -> tuple[Condition, ...]:
    """Conditions of a C-FIND or ``tools/find``; keys that the index does not keep fit everything.

    Raises
    ------
    InvalidInputError
        A value cannot be used.
    """
    found: list[Condition | None] = []
    for name, value in keys.items():
        attribute = attribute_of(name)
        if attribute is not None and covers(level, attribute):
            found.append(condition(attribute, value))
    return tuple(one for one in found if one is not None)
