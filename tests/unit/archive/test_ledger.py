"""The ledger of erasures: what it says, and what a crash or another backup does to it."""

import pytest

from rtpacs import keyring
from rtpacs.archive.ledger import FOLDER, LEDGER, FileLedger, merge
from rtpacs.errors import NotFoundError
from rtpacs.rules.objects import OrthancId
from rtpacs.rules.removals import RemovalRequest, is_signed
from rtpacs.services.erasure import ErasureWork

ONE, TWO = OrthancId("one"), OrthancId("two")
REQUEST = RemovalRequest(center="NORTH", number="N-4711-x")


def a_ledger(home) -> FileLedger:
    """The ledger of a data folder."""
    return FileLedger(home, lambda: key_of(home))


def key_of(home) -> bytes:
    return keyring.secret(home, keyring.ERASURE_KEY).encode("ascii")


def test_it_knows_what_was_erased_and_holds_no_id(tmp_path):
    """By Orthanc's id and by SOP Instance UID; another process that adds is seen."""
    ledger = a_ledger(tmp_path)
    assert ledger.is_empty()
    a_ledger(tmp_path).add("e1", [ONE], ["1.2.3"])
    assert ledger.holds([ONE, TWO]) == {ONE}
    assert (ledger.holds_sop("1.2.3"), ledger.holds_sop("1.2.4")) == (True, False)
    text = (tmp_path / FOLDER / LEDGER).read_text()
    assert "one" not in text
    assert "1.2.3" not in text


def test_it_knows_which_centers_had_an_object_erased(tmp_path):
    """By finished erasures only: an unfinished one has no certificate that says so."""
    ledger = a_ledger(tmp_path)
    ledger.add("e1", [ONE], ["1.2.3"])
    assert ledger.centers_of("1.2.3") == set()
    ledger.certify("e1", REQUEST, {"center": "NORTH"})
    assert ledger.centers_of("1.2.3") == {"NORTH"}
    assert ledger.centers_of("1.2.4") == set()


def test_a_line_that_a_crash_cut_off_does_not_swallow_the_next(tmp_path):
    ledger = a_ledger(tmp_path)
    ledger.add("e1", [ONE], [])
    path = tmp_path / FOLDER / LEDGER
    path.write_bytes(path.read_bytes()[:-5])
    assert ledger.holds([ONE]) == set()
    ledger.add("e1", [TWO], [])
    assert ledger.holds([TWO]) == {TWO}


def test_what_is_being_erased_is_remembered_until_the_certificate(tmp_path):
    """The certificate is signed, and names neither patient nor object."""
    ledger = a_ledger(tmp_path)
    work = ErasureWork(
        request=REQUEST, orthanc_ids=(ONE,), sop_uids=("1.2.3",), traces=("Doe^J",),
        roles=(("plan", 1),), size_bytes=7,
    )  # fmt: skip
    ledger.keep("e1", work)
    assert ledger.unfinished("e1") == work
    with pytest.raises(NotFoundError):
        ledger.certificate("e1")
    ledger.add("e1", work.orthanc_ids, work.sop_uids)
    ledger.certify("e1", REQUEST, {"objects": {"plan": 1}})
    document = ledger.certificate("e1")
    assert ledger.unfinished("e1") is None
    assert len(document["object_hashes"]) == 2
    assert is_signed(key_of(tmp_path), document)
    assert not is_signed(key_of(tmp_path), {**document, "objects": {}})
    assert "N-4711-x" not in str(document)


def test_a_restored_folder_takes_over_what_a_newer_backup_knows(tmp_path):
    """The key too, where the older one has none; twice is once."""
    old, new = tmp_path / "old", tmp_path / "new"
    a_ledger(new).add("e1", [ONE], [])
    a_ledger(new).certify("e1", REQUEST, {})
    assert (merge(new, old), merge(new, old)) == (1, 0)
    assert a_ledger(old).holds([ONE, TWO]) == {ONE}
    assert a_ledger(old).certificate("e1")["certificate"] == "e1"
