"""Our tables of attributes and character sets are pydicom's."""

import ast
import subprocess
import sys
from pathlib import Path

from pydicom.charset import python_encoding
from pydicom.datadict import dictionary_VR, tag_for_keyword

import rtpacs.dicom
from rtpacs.dicom.dictionary import ATTRIBUTES
from rtpacs.dicom.text import CHARACTER_SETS
from tests.builders import a_dose, a_structure_set, to_bytes

SOURCES = sorted(Path(rtpacs.dicom.__file__).parent.glob("*.py"))


def keywords_in(source: Path) -> set[str]:
    """The texts of a module that are keywords of the Standard."""
    texts = {
        node.value
        for node in ast.walk(ast.parse(source.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value
    }
    return {text for text in texts if tag_for_keyword(text) is not None}


def test_tags_and_vrs_are_those_of_the_standard():
    """Every row, against pydicom's dictionary."""
    stated = {keyword: (tag_for_keyword(keyword), dictionary_VR(keyword)) for keyword in ATTRIBUTES}
    assert stated == ATTRIBUTES


def test_the_table_holds_what_the_package_names_and_nothing_else():
    """A reader that names an attribute needs its row."""
    others = [source for source in SOURCES if source.stem != "dictionary"]
    assert set().union(*map(keywords_in, others)) == set(ATTRIBUTES)


def test_character_sets_are_those_of_pydicom():
    """By their defined terms."""
    assert python_encoding == CHARACTER_SETS


PROGRAM = """
import sys
from pathlib import Path
from rtpacs.dicom.calculate import calculate
structures, dose = (Path(name).read_bytes() for name in sys.argv[1:])
print(len(calculate(structures, [dose], 3.0)), "pydicom" in sys.modules)
"""


def test_plain_files_are_calculated_without_importing_pydicom(tmp_path):
    """It would take as long as reading the files does."""
    files = tmp_path / "rs.dcm", tmp_path / "rd.dcm"
    for file, dataset in zip(files, (a_structure_set(), a_dose()), strict=True):
        file.write_bytes(to_bytes(dataset))
    command = [sys.executable, "-c", PROGRAM, *files]

    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["2", "False"]
