"""Mutated DICOM for minutes in the reading child, and texts in ten thousand character sets."""

import os
import random
import time
from collections import Counter

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rtpacs.dicom.limited import LimitedReader
from rtpacs.dicom.text import decode, encodings_for
from rtpacs.errors import CalculationError, DicomError, LimitExceededError
from tests.builders import a_dose, a_structure_set, to_bytes
from tests.unit.dicom.test_damaged_files import FILES

MINUTES = float(os.environ.get("RTPACS_FAULT_MINUTES", "2"))
MINUTES_ASKED = 60
HANG_SECONDS = 10.0
SEED = 20261127
ODD = (b"NaN", b"inf", b"1e400", b"-1e308", b"\\\\\\", b"9" * 40, b"\xff\xff\xff\xff", bytes(4))
UNFORESEEN = "unforeseen"


@pytest.mark.fault("A19")
def test_mutated_objects_give_a_value_or_a_reason_in_time(record_property):
    """The child reads, names, and calculates with, what was damaged; nothing else may happen."""
    chance = random.Random(SEED)
    reader = LimitedReader(memory_mb=2048, seconds=60, total_seconds=60)
    outcomes: Counter[str] = Counter()
    slowest = 0.0
    ends_at = time.monotonic() + 60 * MINUTES
    try:
        while time.monotonic() < ends_at:
            begun = time.monotonic()
            outcomes[one_case(reader, chance)] += 1
            slowest = max(slowest, time.monotonic() - begun)
    finally:
        reader.close()
    count = sum(outcomes.values())
    record_property(
        "measured",
        f"{MINUTES:g} min, {count} objects, {outcomes['value']} readable, slowest {slowest:.1f} s",
    )
    if MINUTES < MINUTES_ASKED:
        record_property("partly", "a shorter time than the row asks")
    assert set(outcomes) <= {"value", "DicomError", "CalculationError"}, outcomes
    assert slowest < HANG_SECONDS


def one_case(reader: LimitedReader, chance: random.Random) -> str:
    """Damage an object, use it in one of the ways of the product; how that ended."""
    data = mutated(chance.choice(FILES), chance)
    way = chance.randrange(4)
    try:
        if way == 0:
            reader.digest(data)
        elif way == 1:
            reader.calculate(data, [to_bytes(a_dose())], 3.0)
        elif way == 2:
            reader.calculate(to_bytes(a_structure_set()), [data], 3.0)
        else:
            reader.summarise(data)
    except (DicomError, CalculationError, LimitExceededError) as exc:
        return UNFORESEEN if UNFORESEEN in str(exc) else type(exc).__name__
    return "value"


def mutated(data: bytes, chance: random.Random) -> bytes:
    """One to six changes behind the preamble: bytes, odd values, gaps, doubled and lost parts."""
    made = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 3))):
        start = chance.randrange(132, len(made))
        length = chance.randint(1, 64)
        patch = chance.choice((chance.randbytes(chance.randint(1, 6)), chance.choice(ODD)))
        kind = chance.randrange(5)
        if kind < 2:
            made[start : start + len(patch)] = patch
        elif kind == 2:
            made[start:start] = patch
        elif kind == 3:
            made[start:start] = made[start : start + length]
        elif len(made) - length > 200:
            del made[start : start + length]
    return bytes(made)


def letters(codec: str, *, but: str = "") -> st.SearchStrategy[str]:
    """Words of the letters that a character set has."""
    of_codec = st.characters(
        codec=codec, min_codepoint=0x41, categories=["Lu", "Ll", "Lt", "Lo"], exclude_characters=but
    )
    return st.text(of_codec, min_size=1, max_size=20)


KANA = [chr(code) for code in (*range(0x3041, 0x3094), *range(0x30A1, 0x30F7))]
JAPANESE = st.text(
    st.sampled_from(KANA + list("山田太郎小東中村佐藤鈴木")), min_size=1, max_size=20
)
TEXTS = 10_000
DECLARED = {
    b"ISO_IR 100": ("latin-1", letters("latin-1", but="ªºµ")),
    b"ISO_IR 101": ("iso8859-2", letters("iso8859-2")),
    b"ISO_IR 144": ("iso8859-5", letters("iso8859-5")),
    b"ISO_IR 192": ("utf-8", letters("utf-8")),
    b"GB18030": ("gb18030", letters("utf-8")),
    b"\\ISO 2022 IR 87": ("iso2022_jp", JAPANESE),
}


def is_another_text_in_utf8(raw: bytes, codec: str) -> bool:
    """Whether letters of a Latin set spell, as UTF-8, a text of the same set: read as that."""
    try:
        raw.decode("utf-8").encode(codec)
    except UnicodeError:
        return False
    return codec.startswith("iso8859")


@pytest.mark.fault("A15")
def test_declared_texts_come_back_equal(record_property):
    """Ten thousand texts in the six character sets that hospitals send."""

    @settings(deadline=None, max_examples=TEXTS)
    @given(st.data())
    def come_back_equal(draw):
        declared = draw.draw(st.sampled_from(sorted(DECLARED)))
        codec, texts = DECLARED[declared]
        text = draw.draw(texts)
        raw = text.encode(codec)
        assume(raw.isascii() or not is_another_text_in_utf8(raw, codec))
        assert decode(raw, encodings_for(declared)) == text

    come_back_equal()
    record_property("measured", f"{TEXTS} texts in {len(DECLARED)} character sets came back equal")


@pytest.mark.fault("A15")
def test_texts_under_a_wrong_label_give_a_text(record_property):
    """Ten thousand byte strings under any label, also none: no exception."""

    @settings(deadline=None, max_examples=TEXTS)
    @given(st.sampled_from([None, *DECLARED, b"KLINGON 1"]), st.binary(max_size=60))
    def give_a_text(declared, raw):
        assert isinstance(decode(raw, encodings_for(declared)), str)

    give_a_text()
    record_property("measured", f"{TEXTS} byte strings under any label: 0 exceptions")
