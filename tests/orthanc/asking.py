"""Questions that several tests ask of a running system."""

import hashlib
import socket

from pydicom.dataset import Dataset

from tests.live import LiveSystem, until
from tests.orthanc.cases import Case

SETTLED_SECONDS = 60.0


def plan_set_of(system: LiveSystem, case: Case) -> dict:
    """The one plan set of a case, as the API lists it."""
    (row,) = system.items(f"plan-sets?plan_uid={case.plan_uid}")
    return row


def dvhs_of(system: LiveSystem, row: dict, *, curves: bool = False) -> dict:
    """The DVH answer of a plan set."""
    answer = system.get(f"plan-sets/{row['id']}/dvhs?curves={str(curves).lower()}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def orthanc_id(dataset: Dataset) -> str:
    """What Orthanc calls an instance: a SHA-1 of its four identifiers."""
    keys = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
    text = "|".join(str(dataset.get(key, "")) for key in keys)
    digest = hashlib.sha1(text.encode("ascii"), usedforsecurity=False).hexdigest()
    return "-".join(digest[start : start + 8] for start in range(0, 40, 8))


def is_indexed(system: LiveSystem, identifier: str) -> bool:
    """Whether the index has an instance of Orthanc."""
    return bool(system.rows("SELECT 1 FROM dicom_object WHERE orthanc_id = ?", identifier))


def await_index_equal_to_archive(system: LiveSystem) -> None:
    """Index and archive hold the same instances within a minute."""

    def equal() -> bool:
        indexed = {identifier for (identifier,) in system.rows(INDEXED)}
        return indexed == set(system.application.archive.orthanc_ids())

    system.await_healthy()
    until(equal, SETTLED_SECONDS, "index and archive to hold the same instances")


INDEXED = "SELECT orthanc_id FROM dicom_object"


def assert_each_pair_is_calculated_once(system: LiveSystem) -> None:
    """One calculation per pair, of its present inputs, and one DVH per structure."""
    counts = system.rows(
        "SELECT pair.public_id, count(calculation.id) FROM pair "
        "LEFT JOIN calculation ON calculation.pair_id = pair.id "
        "AND calculation.input_hash = pair.input_hash GROUP BY pair.public_id"
    )
    assert counts
    assert [row for row in counts if row[1] != 1] == []
    assert system.rows("SELECT pair_id FROM calculation GROUP BY pair_id HAVING count(*) > 1") == []


def assert_nothing_holds_a_port(system: LiveSystem) -> None:
    """Every port of ours can be taken again."""
    names = ("WEB", "WEB_INTERNAL", "ORTHANC", "DICOM")
    for port in (int(system.environment[f"RTPACS_{name}_PORT"]) for name in names):
        until(lambda port=port: _free(port), 10, f"port {port} to be free")


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))
        except OSError:
            return False
    return True
