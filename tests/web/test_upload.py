"""The upload page: files of a plain form and of the script, each with its result."""

import io

from tests.web.conftest import SAME_ORIGIN

DICOM = bytes(128) + b"DICM" + bytes(100)


def test_the_page_takes_many_files_without_a_script(physicist):
    """Each file has a row with what became of it."""
    files = [(io.BytesIO(DICOM), "ct.dcm"), (io.BytesIO(b"words"), "notes <b>.txt")]
    answer = physicist.post("/upload", data={"file": files}, headers=SAME_ORIGIN)
    page = answer.get_data(as_text=True)
    assert answer.status_code == 200
    assert "ct.dcm" in page
    assert "notes &lt;b&gt;.txt" in page
    assert page.count("not DICOM") == 1


def test_the_script_sends_one_file_as_the_body(physicist):
    """The answer has a row for each object, here one."""
    answer = physicist.post("/upload/file?name=a/ct.dcm", data=DICOM, headers=SAME_ORIGIN)
    assert answer.get_json() == [{"name": "a/ct.dcm", "outcome": "new", "kept": True, "reason": ""}]


def test_who_submits_nothing_finds_no_upload(administrator):
    """Administrators have no center; the navigation does not offer it either."""
    assert administrator.get("/upload").status_code == 403
    assert "/upload" not in administrator.get("/system").get_data(as_text=True)
