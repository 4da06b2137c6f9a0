"""Numbers, names and UIDs as people read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtpacs.rules.plan_sets import LinkStatus, PlanSetState, TreatmentStatus
from webui import words


@pytest.mark.parametrize(
    ("value", "digits", "shown"),
    [
        (None, 1, "–"),
        (0.0, 2, "0.00"),
        (61.349, 1, "61.3"),
        (24120.4, 1, "24\u202f120.4"),
        (-36.2, 1, "\u221236.2"),
    ],
)
def test_numbers_have_fixed_digits_and_thin_spaces(
    value: float | None, digits: int, shown: str
) -> None:
    """Missing is a dash, never 0."""
    assert words.number(value, digits) == shown


@pytest.mark.parametrize(
    ("cm3", "shown"),
    [(None, "–"), (0.032, "0.03"), (7.238, "7.24"), (74.93, "74.9"), (24120.4, "24\u202f120")],
)
def test_volumes_have_sensible_digits(cm3: float | None, shown: str) -> None:
    """7.24 cm³ but 24,120 cm³."""
    assert words.volume(cm3) == shown


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Muster^Anna", "Muster, Anna"),
        ("Muster^Anna^Maria^Dr^", "Muster, Anna Maria"),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "Yamada, Tarou"),
        ("Plain", "Plain"),
        ("", "(no name)"),
        ("^", "(no name)"),
    ],
)
def test_person_names_are_read_as_dicom_means_them(name: str, shown: str) -> None:
    """Family, given and middle name of the alphabetic group (PS3.5 6.2.1)."""
    assert words.person(name) == shown


@given(st.text(max_size=80))
def test_a_shortened_uid_keeps_both_ends(uid: str) -> None:
    """Short ones stay whole."""
    shown = words.middle(uid)
    assert len(shown) <= words.UID_SHOWN
    assert shown == uid or (uid.startswith(shown[:9]) and uid.endswith(shown[-11:]))


@given(st.text(max_size=80))
def test_what_stands_in_a_uid_tag_is_escaped(uid: str) -> None:
    """A UID is text of a stranger."""
    inner = str(words.uid_tag(uid)).removeprefix("<button").removesuffix("</button>")
    assert inner.count("<") == 0


def test_every_state_has_a_tone_of_its_own_table() -> None:
    """A new state must be given its colour and icon."""
    for state in (*PlanSetState, *TreatmentStatus, LinkStatus.RESOLVED, LinkStatus.MISSING):
        assert state in words.STATE_TONES


@pytest.mark.parametrize(
    ("rgb", "hex_color"), [((255, 0, 16), "#ff0010"), ((300, -5, 0), "#ff0000")]
)
def test_colours_are_always_valid(rgb: tuple[int, int, int], hex_color: str) -> None:
    """Files hold values outside 0 to 255."""
    assert words.color_hex(rgb, 1) == hex_color


def test_structures_without_a_colour_can_be_told_apart() -> None:
    """Twelve neighbours get twelve colours, always the same ones."""
    colors = [words.color_hex(None, number) for number in range(1, 13)]
    assert len(set(colors)) == 12
    assert words.color_hex(None, 1) == words.color_hex(None, 13)
