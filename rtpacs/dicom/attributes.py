"""What an attribute says: typed access by keyword that never raises and notes what is odd."""

import datetime
from collections.abc import Iterable

import numpy as np

from rtpacs.dicom.dictionary import ATTRIBUTES
from rtpacs.dicom.elements import NAMELESS_VRS, PIXEL_TAGS, Item
from rtpacs.dicom.numbers import BINARY_TYPES, FloatArray, binary, decimal, decimals, whole
from rtpacs.dicom.text import decode, encodings_for, person_name
from rtpacs.errors import DicomError
from rtpacs.rules.objects import Finding, Severity

SPECIFIC_CHARACTER_SET = 0x00080005
MAX_FINDINGS = 200  # a broken object repeats itself; the first findings say enough
MAX_UID_CHARACTERS = 64
VRS_THAT_SAY_NOTHING = NAMELESS_VRS | {b"", b"UN", b"OB"}
TEXT_WITH_BACKSLASH = frozenset({"ST", "LT", "UT"})


class Notes:
    """Findings on one object, each said once."""

    def __init__(self) -> None:
        self.sop_uid: str | None = None
        self._findings: dict[tuple[str, str | None, str], Finding] = {}

    def add(
        self, code: str, severity: Severity, text: str, *, attribute: str | None = None
    ) -> None:
        """Note one finding."""
        if len(self._findings) < MAX_FINDINGS:
            finding = Finding(
                code=code, severity=severity, text=text, uid=self.sop_uid, attribute=attribute
            )
            self._findings.setdefault((code, attribute, text), finding)

    def error(self, code: str, text: str, *, attribute: str | None = None) -> None:
        """Note what makes the object unusable for its role."""
        self.add(code, Severity.ERROR, text, attribute=attribute)

    def warn(self, code: str, text: str, *, attribute: str | None = None) -> None:
        """Note what a person should look at."""
        self.add(code, Severity.WARNING, text, attribute=attribute)

    def malformed(self, attribute: str, what: str) -> None:
        """Note a value that cannot be read; it counts as missing."""
        self.warn(
            "malformed-value",
            f"{attribute} is not {what}; it is treated as missing.",
            attribute=attribute,
        )

    def all(self) -> tuple[Finding, ...]:
        """Give the findings in the order of noting."""
        return tuple(self._findings.values())


class Attributes:
    """One data set or item, read by DICOM keyword.

    Every method gives None or nothing for an attribute that is absent, empty or malformed; the
    last is noted with the attribute's keyword, never with its value.
    """

    __slots__ = ("_encodings", "_item", "notes")

    def __init__(self, item: Item, notes: Notes, encodings: tuple[str, ...] | None = None) -> None:
        declared = item.raw(SPECIFIC_CHARACTER_SET)
        self._item = item
        self._encodings = encodings_for(declared) if declared or not encodings else encodings
        self.notes = notes

    @property
    def item(self) -> Item:
        """The elements behind the attributes, for bulk data."""
        return self._item

    def has(self, keyword: str) -> bool:
        """Say whether the attribute is there with a value."""
        tag = _tag(keyword)
        _, start, stop, items = self._item.elements.get(tag, (b"", 0, 0, None))
        # Encapsulated pixel data and sequences of undefined length hold at least a delimiter.
        return stop > start if items is None or tag in PIXEL_TAGS else bool(items)

    def raw(self, keyword: str) -> bytes | None:
        """Give the value as sent."""
        return self._item.raw(_tag(keyword))

    def items(self, keyword: str) -> "list[Attributes]":
        """Give the items of a sequence."""
        return [Attributes(item, self.notes, self._encodings) for item in self.raw_items(keyword)]

    def raw_items(self, keyword: str) -> list[Item]:
        """Give the items of a sequence as elements, where there are very many of them."""
        try:
            return self._item.items(_tag(keyword))
        except DicomError:
            self.notes.malformed(keyword, "a readable sequence")
            return []

    def first(self, keyword: str) -> "Attributes | None":
        """Give the first item of a sequence."""
        items = self.items(keyword)
        return items[0] if items else None

    def nested(self, *keywords: str) -> "list[Attributes]":
        """Give the items reached by going down through several sequences."""
        level = [self]
        for keyword in keywords:
            level = [item for parent in level for item in parent.items(keyword)]
        return level

    def texts(self, keyword: str) -> tuple[str, ...]:
        """Give the values of a text attribute, without padding and empty values."""
        raw = self.raw(keyword)
        if not raw:
            return ()
        text = decode(raw, self._encodings)
        values = [text] if _stated_vr(keyword) in TEXT_WITH_BACKSLASH else text.split("\\")
        return tuple(value.strip() for value in values if value.strip())

    def text(self, keyword: str) -> str | None:
        """Give a text; several values are joined by a comma."""
        return ", ".join(self.texts(keyword)) or None

    def code(self, keyword: str) -> str | None:
        """Give the first value of a code string, in capitals."""
        values = self.texts(keyword)
        return values[0].upper() if values else None

    def name(self, keyword: str) -> str | None:
        """Give a person name."""
        text = self.text(keyword)
        return person_name(text) or None if text else None

    def uid(self, keyword: str) -> str | None:
        """Give a UID; what is no text of up to 64 visible ASCII characters is malformed."""
        raw = (self.raw(keyword) or b"").strip(b" \0")
        if not raw:
            return None
        text = raw.decode("ascii", "replace")
        if len(text) > MAX_UID_CHARACTERS or not all(33 <= byte < 127 for byte in raw):
            self.notes.malformed(keyword, "a UID")
            return None
        return text

    def number(self, keyword: str) -> float | None:
        """Give the first value of a number; None when it is no finite number."""
        values = self._numbers(keyword)
        return values[0] if values else None

    def positive(self, keyword: str) -> float | None:
        """Give a number that must be above zero to make sense."""
        value = self.number(keyword)
        if value is not None and value <= 0:
            self.notes.malformed(keyword, "above zero")
            return None
        return value

    def not_negative(self, keyword: str) -> float | None:
        """Give a number that must not be negative to make sense."""
        value = self.number(keyword)
        if value is not None and value < 0:
            self.notes.malformed(keyword, "zero or above")
            return None
        return value

    def integer(self, keyword: str) -> int | None:
        """Give a whole number; an overflow or a fraction is malformed."""
        raw = self.raw(keyword)
        if not self._is_text(keyword):
            values = self._binary(keyword) if raw else None
            return int(values[0]) if values else None
        if not raw or not raw.strip(b" \0"):
            return None
        value = whole(raw.split(b"\\", 1)[0])
        if value is None:
            self.notes.malformed(keyword, "a whole number")
        return value

    def vector(self, keyword: str, count: int) -> tuple[float, ...] | None:
        """Give exactly `count` numbers."""
        values = self._numbers(keyword)
        if values and len(values) != count:
            what = "one number" if count == 1 else f"a list of {count} numbers"
            self.notes.malformed(keyword, what)
            return None
        return values or None

    def array(self, keyword: str) -> FloatArray:
        """Give a long list of numbers; empty when any of them is malformed."""
        values = decimals(self.raw(keyword) or b"")
        if values is None:
            self.notes.malformed(keyword, "a list of finite numbers")
            return np.empty(0)
        return values

    def date(self, keyword: str) -> str | None:
        """Give a date as ``2026-03-12``; also reads the old form ``2026.03.12``."""
        text = self.text(keyword)
        if text is None:
            return None
        try:
            return datetime.date.fromisoformat(text.replace(".", "").strip()).isoformat()
        except ValueError:
            self.notes.malformed(keyword, "a date")
            return None

    def date_time(self, date_keyword: str, time_keyword: str) -> str | None:
        """Give date and time as ``2026-03-12T10:15:00``, or the date alone."""
        date, time = self.date(date_keyword), self.texts(time_keyword)
        if date is None or not time:
            return date
        try:
            return f"{date}T{datetime.time.fromisoformat(time[0].partition('.')[0]).isoformat()}"
        except ValueError:
            return date

    def _is_text(self, keyword: str) -> bool:
        return self._vr(keyword) not in BINARY_TYPES

    def _vr(self, keyword: str) -> bytes:
        element = self._item.elements.get(_tag(keyword))
        sent = element[0] if element else b""
        return _stated_vr(keyword).encode() if sent in VRS_THAT_SAY_NOTHING else sent

    def _binary(self, keyword: str) -> tuple[float, ...] | None:
        raw = self.raw(keyword) or b""
        values = binary(raw, self._vr(keyword), self._item.encoding.order)
        if values is None:
            self.notes.malformed(keyword, "a finite number")
        return values

    def _numbers(self, keyword: str) -> tuple[float, ...]:
        raw = self.raw(keyword)
        if not raw:
            return ()
        if not self._is_text(keyword):
            return self._binary(keyword) or ()
        if not raw.strip(b" \0"):
            return ()
        values = [decimal(value) for value in raw.split(b"\\")]
        numbers = tuple(value for value in values if value is not None)
        if len(numbers) < len(values):
            self.notes.malformed(keyword, "a finite number")
            return ()
        return numbers


def distinct(values: Iterable[str | None]) -> tuple[str, ...]:
    """Give the values without repeats and gaps, in their order."""
    return tuple(dict.fromkeys(value for value in values if value))


def _tag(keyword: str) -> int:
    return ATTRIBUTES[keyword][0]


def _stated_vr(keyword: str) -> str:
    return ATTRIBUTES[keyword][1]
