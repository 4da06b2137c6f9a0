"""Rows D12 and D13 of the access matrix: slow patterns, and paths made of DICOM values."""

import io
import re
import time
import zipfile

from hypothesis import given, settings
from hypothesis import strategies as st

from rtpacs.rules.pseudonyms import is_pseudonym
from rtpacs.services.contents import ContentName
from rtpacs.services.packing import PackedObject, pack
from rtpacs.store.text import MOST_STARS, line_regex

EVIL = "^(PTV|(_?[A-Za-z]+)+)$"
NAMES = 200
LONGEST_NAME = 64  # LO of PS3.5
OWN_NAME = re.compile(r"(PA\d{6}/ST\d{6}/SE\d{6}/IM\d{6}|DICOMDIR|[A-Za-z0-9._-]+)")


def seconds_of(act) -> float:
    began = time.process_time()
    act()
    return time.process_time() - began


def test_d12_the_worst_pattern_of_a_search_takes_less_than_a_tenth_of_a_second():
    """As many stars as are taken, against 200 names that nearly fit. More stars are no pattern."""
    names = "\n" + "\n".join(["a" * LONGEST_NAME] * NAMES) + "\n"
    worst = line_regex("a*" * MOST_STARS + "b")
    assert seconds_of(lambda: re.search(worst, names)) < 0.1
    assert line_regex("a*" * (MOST_STARS + 1) + "b") is None


def test_d12_nothing_that_a_person_types_is_a_regular_expression():
    """The 26 letters that take minutes in ``re`` take nothing: signs stand for themselves."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    assert seconds_of(lambda: is_pseudonym(f"{letters}!", EVIL)) < 0.01
    search = line_regex(EVIL)
    assert search is not None
    assert seconds_of(lambda: re.search(search, f"\n{letters}!\n")) < 0.01


TEXTS = st.one_of(
    st.text(max_size=80),
    st.sampled_from(["../x", "..\\x", "/etc/passwd", "C:\\x", "a\0b", ".", "..", "~", "%2e%2e/"]),
)


class Directory:
    """Lists nothing."""

    def add(self, data, file_id):
        assert ".." not in file_id

    def to_bytes(self):
        return b""


@settings(max_examples=300)
@given(st.lists(st.tuples(TEXTS, TEXTS, TEXTS, TEXTS), min_size=1, max_size=5))
def test_d13_no_path_is_made_of_a_dicom_value(values):
    """Whatever UIDs, centers and modalities say, names in a ZIP are numbers of ours."""
    objects = tuple(
        PackedObject(
            content=ContentName(f"o{number}"),
            patient_key=1,
            study_key=number,
            series_key=number,
            center_code=center,
            modality=modality,
            sop_class_uid=sop_class,
            sop_uid=sop_uid,
        )
        for number, (center, modality, sop_class, sop_uid) in enumerate(values)
    )
    contents = type("Same", (), {"read": lambda self, name: b"x"})()
    whole = b"".join(pack(objects, contents, Directory(), lambda done, total: None))
    with zipfile.ZipFile(io.BytesIO(whole)) as packed:
        names = packed.namelist()
    assert len(names) >= len(values) + 1
    assert [name for name in names if not OWN_NAME.fullmatch(name)] == []
