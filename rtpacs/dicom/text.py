"""How the bytes of texts become readable: character sets and person names (PS3.5 section 6.1).

Decoding never fails. :func:`decode` prefers the declared character set and tolerates, in this
order, UTF-8 labelled as a Latin set, escape sequences that were not declared, and unknown bytes.
"""

import warnings

ESCAPE = b"\x1b"
DEFAULT_ENCODINGS = ("iso8859",)
UTF8_NAMES = frozenset({"ISO_IR 192", "UTF-8", "UTF8"})
DELIMITERS = {0x5C, 0x5E, 0x3D, 0x0A, 0x0C, 0x0D, 0x09}
CHARACTER_SETS = {
    "": "iso8859",
    "ISO_IR 6": "iso8859",
    "ISO_IR 13": "shift_jis",
    "ISO_IR 100": "latin_1",
    "ISO_IR 101": "iso8859_2",
    "ISO_IR 109": "iso8859_3",
    "ISO_IR 110": "iso8859_4",
    "ISO_IR 126": "iso_ir_126",
    "ISO_IR 127": "iso_ir_127",
    "ISO_IR 138": "iso_ir_138",
    "ISO_IR 144": "iso_ir_144",
    "ISO_IR 148": "iso_ir_148",
    "ISO_IR 166": "iso_ir_166",
    "ISO 2022 IR 6": "iso8859",
    "ISO 2022 IR 13": "shift_jis",
    "ISO 2022 IR 87": "iso2022_jp",
    "ISO 2022 IR 100": "latin_1",
    "ISO 2022 IR 101": "iso8859_2",
    "ISO 2022 IR 109": "iso8859_3",
    "ISO 2022 IR 110": "iso8859_4",
    "ISO 2022 IR 126": "iso_ir_126",
    "ISO 2022 IR 127": "iso_ir_127",
    "ISO 2022 IR 138": "iso_ir_138",
    "ISO 2022 IR 144": "iso_ir_144",
    "ISO 2022 IR 148": "iso_ir_148",
    "ISO 2022 IR 149": "euc_kr",
    "ISO 2022 IR 159": "iso2022_jp_2",
    "ISO 2022 IR 166": "iso_ir_166",
    "ISO 2022 IR 58": "iso_ir_58",
    "ISO_IR 192": "UTF8",
    "GB18030": "GB18030",
    "ISO 2022 GBK": "GBK",
    "ISO 2022 58": "GB2312",
    "GBK": "GBK",
}
"""Python's name of each Specific Character Set (PS3.3 section C.12.1.1.2), as pydicom has it."""

ALL_ENCODINGS = tuple(dict.fromkeys(CHARACTER_SETS.values()))
CONTROL_CHARACTERS = dict.fromkeys([*range(9), 11, *range(14, 32), 127])


def encodings_for(terms: bytes | None) -> tuple[str, ...]:
    """Give Python's names for a Specific Character Set (0008,0005); unknown terms are ignored."""
    if not terms:
        return DEFAULT_ENCODINGS
    names = [_python_name(term) for term in terms.decode("ascii", "replace").split("\\")]
    return tuple(name for name in names if name) or DEFAULT_ENCODINGS


def _python_name(term: str) -> str | None:
    """Tolerate the usual misspellings: ISO-IR 100, ISO IR 100, ISO 2022-IR 87, utf8."""
    term = term.strip(" \0").upper()
    if term in UTF8_NAMES:
        return "utf_8"
    spaced = term.replace("-", " ").replace("_", " ")
    for candidate in (term, spaced, spaced.replace("ISO IR", "ISO_IR")):
        if candidate in CHARACTER_SETS:
            return CHARACTER_SETS[candidate]
    return None


def decode(raw: bytes, encodings: tuple[str, ...]) -> str:
    """Decode a text as well as possible, without control characters and padding."""
    if raw.isascii() and ESCAPE not in raw:
        return raw.decode("ascii").translate(CONTROL_CHARACTERS).strip(" \0")
    text = _with_escapes(raw, encodings) if ESCAPE in raw else _plain(raw, encodings[0])
    return text.translate(CONTROL_CHARACTERS).strip(" \0")


def _plain(raw: bytes, encoding: str) -> str:
    """Decode by one character set, or as UTF-8 where its label seems wrong."""
    declared, utf8 = _decoded(raw, encoding), _decoded(raw, "utf_8")
    if declared is None or (encoding in DEFAULT_ENCODINGS and utf8 is not None):
        return utf8 if utf8 is not None else raw.decode("latin_1")
    if not encoding.startswith(("iso8859", "latin", "iso_ir")) or utf8 is None:
        return declared
    # A Latin set fits any bytes. Two letters of it may be valid UTF-8 by chance (a Russian name of
    # two capitals): then UTF-8 spells something that the label does not have.
    means_utf8 = _fits(utf8, encoding) or not all(map(_is_letter, declared))
    return utf8 if means_utf8 else declared


def _decoded(raw: bytes, encoding: str) -> str | None:
    try:
        return raw.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        return None


def _fits(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _is_letter(character: str) -> bool:
    """Whether a name may hold a character: any of ASCII, else letters."""
    return character.isascii() or character.isalpha()


def _with_escapes(raw: bytes, encodings: tuple[str, ...]) -> str:
    """Decode code extensions (PS3.5 section 6.1.2.5), whether all of them were declared or not."""
    # Here, because pydicom takes long to import and most texts have no escapes.
    from pydicom.charset import decode_bytes

    known = tuple(dict.fromkeys(encodings + ALL_ENCODINGS))
    with warnings.catch_warnings():
        # pydicom warns about bytes that it cannot decode and replaces them: that is wanted here.
        warnings.simplefilter("ignore")
        try:
            return decode_bytes(raw, known, DELIMITERS)
        except (UnicodeError, LookupError):
            return raw.decode("latin_1")


def person_name(text: str) -> str:
    """Give the groups of a name that hold something, as ``Family^Given=ideographic=phonetic``."""
    groups = (group.strip(" ^\0") for group in text.split("="))
    return "=".join(group for group in groups if group)
