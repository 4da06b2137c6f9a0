"""How names are folded for search: what is stored and what is typed pass the same function."""

import unicodedata

# Letters that Unicode does not decompose into a base letter and a mark.
_WHOLE_LETTERS = str.maketrans(
    {"ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"}
)
_SEPARATORS = str.maketrans(dict.fromkeys("^=,;", " "))


def fold(text: str) -> str:
    """Return ``text`` in lower case, without diacritics, words separated by single spaces.

    The separators of a DICOM person name (``^`` between components, ``=`` between its
    representations) and commas count as spaces: ``Müller^Jørgen`` becomes ``muller jorgen``.
    """
    spaced = text.translate(_SEPARATORS).casefold()
    decomposed = unicodedata.normalize("NFKD", spaced)
    plain = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return " ".join(plain.translate(_WHOLE_LETTERS).split())
