"""Downloads over the pages: at once, later, in parts, and not without rights."""

import io
import zipfile
from dataclasses import replace

from tests.web.conftest import SAME_ORIGIN, signed_in
from webui import create_app


def test_a_small_download_comes_at_once(physicist, desk):
    """A ZIP that every program reads, named by its time and not by a patient."""
    answer = physicist.post("/download", data={"item": "plan:ps1"}, headers=SAME_ORIGIN)
    assert answer.mimetype == "application/zip"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="rtpacs-2')
    names = zipfile.ZipFile(io.BytesIO(answer.data)).namelist()
    assert "DICOMDIR" in names
    assert len(names) == 6
    assert desk.downloads.lists.asked[0][1] is True


def test_a_large_download_is_prepared_first(desk):
    """252 MB where 100 MB may stream: the list of downloads follows."""
    small = replace(desk, downloads=replace(desk.downloads, stream_bytes=100_000_000))
    client = signed_in(create_app(small), "physics")
    answer = client.post("/download", data={"item": "plan:ps1"}, headers=SAME_ORIGIN)
    assert (answer.status_code, answer.location) == (303, "/downloads")
    assert desk.downloads.lists.asked[0][1] is False


def test_the_list_shows_what_is_ready_and_what_is_not(physicist):
    page = physicist.get("/downloads").data.decode()
    assert "120 of 480" in page
    assert page.count("/file") == 1


def test_a_ready_download_is_given_in_parts_too(physicist):
    """A transfer that broke goes on where it stopped (RFC 9110, 14)."""
    whole = physicist.get("/downloads/dl1/file")
    assert (whole.status_code, whole.data) == (200, b"123456789")
    assert whole.headers["Accept-Ranges"] == "bytes"
    part = physicist.get("/downloads/dl1/file", headers={"Range": "bytes=3-"})
    assert (part.status_code, part.data) == (206, b"456789")
    assert part.headers["Content-Range"] == "bytes 3-8/9"
    whole.close()
    part.close()


def test_without_rights_a_ready_download_is_not_there(physicist, desk):
    """They are asked each time, also when the file lies ready."""
    desk.downloads.lists.rights = False
    assert physicist.get("/downloads/dl1/file").status_code == 404


def test_one_that_is_not_ready_says_so(physicist):
    assert physicist.get("/downloads/dl2/file").status_code == 409


def test_an_own_download_can_be_removed(physicist, desk):
    physicist.post("/downloads/dl1/remove", headers=SAME_ORIGIN)
    assert desk.downloads.lists.removed == ["dl1"]
