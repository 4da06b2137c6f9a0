"""Decimal Strings of up to eight characters, read eight bytes at a time: what contours consist of.

Each value is loaded as one 64-bit word, and three multiplications turn its eight digits into a
number (D. Lemire, *Number parsing at a gigabyte per second*, 2021, section 6). Whole numbers below
10**8 and powers of ten up to 10**7 are exact in float64 and their quotient is rounded once, so that
every value is the nearest float64, as with ``float``.
"""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
WordArray = NDArray[np.uint64]

WIDTH = 8
PLUS, MINUS, BACKSLASH = b"+-\\"
SIGN_OR_DOT = 0x1E  # "." as it stands once "0" is taken off every byte


def _every_byte(value: int) -> np.uint64:
    return np.uint64(int.from_bytes(bytes([value]) * WIDTH))


ZEROS = _every_byte(ord("0"))
# By the number of characters of a value: its bytes in the word, whose first character is lowest.
OWN_BYTES = np.array([2**64 - 2 ** (64 - 8 * count) for count in range(WIDTH + 1)], dtype=np.uint64)
# By the byte that holds the dot, 8 for none: what the digits are divided by, and how far those
# before it move to close the gap.
DIVISORS = 10.0 ** np.array([7, 6, 5, 4, 3, 2, 1, 0, 0])
GAPS = np.array([8] * WIDTH + [0], dtype=np.uint64)


def short_decimals(raw: bytes) -> FloatArray | None:
    """Read a list of short plain decimals; None when any value is longer or something else.

    Values have a sign or none, and up to eight digits with at most one dot among them, which
    counts as a digit here.
    """
    text = np.frombuffer(b"0" * WIDTH + raw + b"\\", dtype=np.uint8)
    ends = np.flatnonzero(text == BACKSLASH)
    starts = np.append(WIDTH, ends[:-1] + 1)
    first = text[starts]
    is_negative = first == MINUS
    lengths = ends - starts - (is_negative | (first == PLUS))
    if lengths.min() < 1 or lengths.max() > WIDTH:
        return None
    words = np.ndarray(text.size - WIDTH + 1, "<u8", text, strides=(1,))[ends - WIDTH]
    words ^= ZEROS
    words &= OWN_BYTES[lengths]
    found = _without_dots(words)
    if found is None:
        return None
    digits, dots = found
    if (lengths[dots < WIDTH] == 1).any():
        return None  # a dot alone
    values = _numbers(digits) / DIVISORS[dots]
    return np.where(is_negative, -values, values)


def _without_dots(words: WordArray) -> tuple[WordArray, NDArray[np.uint8]] | None:
    """Close the gaps that dots leave; give the byte of each dot, 8 where there is none.

    None when a byte is neither digit nor dot or a word has two dots.
    """
    above_31 = words & _every_byte(0xE0)
    other = ((words + _every_byte(0x80 - 10)) & _every_byte(0x80)) >> np.uint64(7)
    after = words & ~(other - np.uint64(1))
    after ^= other * np.uint64(SIGN_OR_DOT)
    strange = above_31 | (other & (other - np.uint64(1))) | (after & (other * np.uint64(0xFF)))
    if strange.any():
        return None
    below = other - np.uint64(1)  # all bytes where there is no dot
    dots = np.bitwise_count(below) >> 3
    return after | (words & below) << GAPS[dots], dots


def _numbers(digits: WordArray) -> WordArray:
    """Join the eight digits of each word, the first being its lowest byte."""
    pairs = (digits * np.uint64(1 + (10 << 8)) >> np.uint64(8)) & np.uint64(0x00FF00FF00FF00FF)
    fours = (pairs * np.uint64(1 + (100 << 16)) >> np.uint64(16)) & np.uint64(0x0000FFFF0000FFFF)
    return np.asarray(fours * np.uint64(1 + (10_000 << 32)) >> np.uint64(32))
