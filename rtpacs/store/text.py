"""Texts from DICOM files as both engines can keep, compare and search them."""

import hashlib
import re
import unicodedata
from collections.abc import Iterable

HASH_DIGITS = 16
INTEGER_LIMIT = 2**31
MOST_STARS = 3
_REFUSED = re.compile("[\0\ud800-\udfff]")


def fit(text: str | None, length: int | None = None) -> str | None:
    """Return the text as both engines keep it.

    NUL and lone surrogates, which PostgreSQL refuses, become U+FFFD. A text longer than its
    column ends in ``~`` and a hash of the whole, so that two long values stay two.
    """
    if text is None:
        return None
    clean = _REFUSED.sub("\ufffd", text)
    if length is None or len(clean) <= length:
        return clean
    digest = hashlib.sha256(clean.encode()).hexdigest()[:HASH_DIGITS]
    return f"{clean[: length - HASH_DIGITS - 1]}~{digest}"


def fit_integer(number: int | None) -> int | None:
    """Return the number, or None where it does not fit a 32-bit column."""
    return None if number is None or abs(number) >= INTEGER_LIMIT else number


def folded(text: str) -> str:
    """Return the text for searching: lower case, no diacritics, words with one space between.

    ``Müller^Jörg=...`` and ``muller jorg`` meet; ``ß`` becomes ``ss`` and ``ø`` stays.
    """
    parts = unicodedata.normalize("NFKD", text.casefold())
    letters = "".join(c for c in parts if not unicodedata.combining(c))
    return " ".join(letters.replace("^", " ").replace("=", " ").split())


def richer(one: str | None, other: str | None) -> str | None:
    """Return the text that says more: the longer one, of equals the lexicographically first.

    The choice does not depend on which came first, so any order of arrival ends the same.
    """
    texts = [text for text in (one, other) if text]
    return min(texts, key=lambda text: (-len(text), text), default=None)


def lines_of(names: Iterable[str]) -> str:
    """Return names folded, each between line ends, for searching whole ones."""
    folded_names = sorted({folded(name) for name in names} - {""})
    return "\n".join(["", *folded_names, ""]) if folded_names else ""


def like_pattern(text: str) -> str:
    """Return a text with ``*`` and ``?`` as a pattern of LIKE whose escape is a backslash."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return escaped.replace("*", "%").replace("?", "_")


def line_regex(text: str) -> str | None:
    """Return a text with ``*`` and ``?`` as a regular expression that fits one whole line.

    LIKE cannot say that ``*`` ends at a line's end. None where there are so many ``*`` that trying
    them all would take long.
    """
    parts = re.split(r"(\*+|\?)", text)
    if sum(part.startswith("*") for part in parts) > MOST_STARS:
        return None
    marks = {"?": "[^\n]"}
    inner = "".join(
        "[^\n]*" if part.startswith("*") else marks.get(part, re.escape(part)) for part in parts
    )
    return f"\n{inner}\n"


def has_wildcard(text: str) -> bool:
    """Say whether a text holds ``*`` or ``?``."""
    return "*" in text or "?" in text
