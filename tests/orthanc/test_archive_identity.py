"""One database belongs to one archive, which may be emptied but not exchanged unseen."""

import shutil

import pytest

from rtpacs.store.facts import ARCHIVE
from tests.live import LiveSystem, until
from tests.orthanc.asking import await_index_equal_to_archive, is_indexed, orthanc_id
from tests.orthanc.associations import SUCCESS, store
from tests.orthanc.cases import a_case
from tests.orthanc.conftest import require_programs


@pytest.fixture
def own_system(tmp_path):
    """A system of its own, since its archive is taken apart; not started."""
    require_programs()
    live = LiveSystem(tmp_path / "home")
    yield live
    if live.running:
        live.stop()


def test_an_emptied_archive_is_followed_anew_and_a_foreign_one_is_refused(own_system):
    """Rows of the old objects go, new ones come; in a foreign archive's place nothing moves."""
    first, second = a_case(), a_case()
    own_system.start()
    assert set(store(own_system, first.objects)) == {SUCCESS}
    own_system.settle()
    identity = own_system.application.archive.identity()
    cursor = own_system.application.feed.cursor(own_system.application.archive_name)
    own_system.stop()

    shutil.rmtree(own_system.home / "orthanc")
    (own_system.home / "orthanc").mkdir()
    own_system.start()
    assert own_system.application.archive.identity() == identity
    until(lambda: not is_indexed(own_system, orthanc_id(first.objects[0])), 60, "the comparison")
    assert store(own_system, second.objects[:1]) == [SUCCESS]
    until(lambda: is_indexed(own_system, orthanc_id(second.objects[0])), 60, "the new object")
    await_index_equal_to_archive(own_system)
    assert own_system.application.feed.cursor(own_system.application.archive_name) < cursor

    own_system.application.facts.note(ARCHIVE, "another-archive")
    refused = own_system.run("reconcile", check=False)
    assert refused.returncode == 2
    assert "belongs to archive another-" in refused.stderr
    own_system.run("reconcile", "--adopt")
    own_system.settle()
