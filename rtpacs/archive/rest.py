"""Orthanc over loopback HTTP, as the service account: the ``Archive`` port."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests

from rtpacs.archive.storage import stored_at
from rtpacs.errors import (
    ArchiveError,
    ArchiveFaultError,
    ArchiveUnavailableError,
    NotFoundError,
)
from rtpacs.rules.objects import OrthancId
from rtpacs.rules.queries import UNIQUE_KEYS
from rtpacs.rules.routes import Level
from rtpacs.services.ownership import Owner, owners_of, owners_text
from rtpacs.services.ports import Arrival
from rtpacs.services.storing import NOT_TAKEN

CANARIES = ("/system", "/instances/" + "-".join(["00000000"] * 5) + "/file")
SERVICE_USER = "service"
DOOR_USER = "door"
TIMEOUT_SECONDS = (5, 120)
# For what it answers at once while it is well: the supervisor must not wait for one that is not.
QUICK_SECONDS = (5, 10)
PAGE = 5000
EXPANDED_PAGE = 1000
# Tells our plugin that a file comes back by ``Orphans``.
RECOVERY = {"X-Rtpacs-Recovery": "1"}
# Of orthanc.json's UserMetadata.
OWNERS = "RtpacsOwners"


class OrthancArchive:
    """One Orthanc on this machine.

    Parameters
    ----------
    url
        Base address, such as ``http://127.0.0.1:8142``.
    password
        Of the service account, generated at first start.
    storage
        Orthanc's folder of files, where this machine has it.
    """

    def __init__(self, url: str, password: str, storage: Path | None = None) -> None:
        self._url = url
        self._storage = storage
        self._session = requests.Session()
        self._session.auth = (SERVICE_USER, password)
        # Never through a proxy of the environment: Orthanc is on this machine.
        self._session.trust_env = False
        # Orthanc would deflate every file for us: 60 ms for a CT slice that else takes one.
        self._session.headers["Accept-Encoding"] = "identity"

    def read(self, orthanc_id: OrthancId) -> bytes:
        """The DICOM file as stored.

        Raises
        ------
        NotFoundError
            The archive does not hold it.
        ArchiveUnavailableError
            Orthanc does not answer.
        ArchiveFaultError
            Orthanc lists it but cannot give the file.
        """
        return self._get(f"/instances/{orthanc_id}/file").content

    def arrivals(self, orthanc_ids: Sequence[OrthancId]) -> list[Arrival]:
        """Who sent these and when, from Orthanc's metadata; what left is left out."""
        return [_arrival(OrthancId(one["ID"]), one["Metadata"]) for one in self._all(orthanc_ids)]

    def notes(self, orthanc_ids: Sequence[OrthancId]) -> dict[OrthancId, tuple[Owner, ...]]:
        """Who owns these as it is noted beside them; what is not noted, or left, is left out."""
        found = {
            OrthancId(one["ID"]): owners_of(one["Metadata"].get(OWNERS, ""))
            for one in self._all(orthanc_ids)
        }
        return {orthanc_id: owners for orthanc_id, owners in found.items() if owners}

    def locate(self, orthanc_ids: Sequence[OrthancId]) -> dict[OrthancId, Path]:
        """Where the files of these lie, of those that are in the storage on this machine."""
        if self._storage is None:
            return {}
        paths = {
            OrthancId(one["ID"]): stored_at(self._storage, str(one["FileUuid"]))
            for one in self._all(orthanc_ids)
        }
        return {orthanc_id: path for orthanc_id, path in paths.items() if path.exists()}

    def _all(self, orthanc_ids: Sequence[OrthancId]) -> list[dict[str, Any]]:
        """What Orthanc says of these with their metadata, in one request; what left is left out."""
        if not orthanc_ids:
            return []
        asked = {"Resources": list(orthanc_ids), "Level": "Instance", "Metadata": True}
        answer = self._request("POST", "/tools/bulk-content", data=json.dumps(asked).encode())
        return [one for one in answer.json() if one and one.get("Type") == "Instance"]

    def store(self, data: bytes) -> tuple[OrthancId, bool]:
        """Store a DICOM file; its id, and whether the archive had an object of this id before.

        Raises
        ------
        ArchiveError
            Orthanc does not take it: no DICOM that it can read, or a UID is missing.
        ArchiveUnavailableError, ArchiveFaultError
            Whether it is stored is not known; storing it again is harmless.
        """
        return self._stored(data, None)

    def _stored(self, data: bytes, headers: Mapping[str, str] | None) -> tuple[OrthancId, bool]:
        try:
            answer = self._request("POST", "/instances", data=data, headers=headers).json()
        except NotFoundError as exc:
            raise ArchiveError("Orthanc does not take it: a UID is missing") from exc
        except ArchiveError as exc:
            if exc.retryable:
                raise
            raise ArchiveError(NOT_TAKEN) from exc
        if not isinstance(answer, dict) or "ID" not in answer:
            raise ArchiveError(NOT_TAKEN)
        return OrthancId(answer["ID"]), answer["Status"] == "AlreadyStored"

    def bring_back(self, data: bytes) -> tuple[OrthancId, bool]:
        """Store a file that was here before; its id, and whether the object was there anyway.

        Our plugin notes no arrival: nobody sent it now.

        Raises
        ------
        ArchiveError
            Orthanc does not take it: it is cut off, or no DICOM.
        ArchiveUnavailableError, ArchiveFaultError
            Whether it is stored is not known; storing it again is harmless.
        """
        return self._stored(data, RECOVERY)

    def md5(self, orthanc_id: OrthancId) -> str:
        """The MD5 of the file as stored, in hexadecimal digits."""
        return self._get(f"/instances/{orthanc_id}/attachments/dicom/md5").text

    def note_owners(self, orthanc_id: OrthancId, owners: Sequence[Owner]) -> None:
        """Write beside an object, in Orthanc's own database, who owns it.

        Raises
        ------
        NotFoundError
            The archive does not hold it.
        """
        text = owners_text(owners)
        self._request("PUT", f"/instances/{orthanc_id}/metadata/{OWNERS}", data=text.encode())

    def changes(self, since: int, limit: int) -> tuple[list[OrthancId], int, bool]:
        """New instances after a change number, the last number read, and whether that was all."""
        answer = self._get(f"/changes?since={since}&limit={limit}").json()
        ids = [
            OrthancId(change["ID"])
            for change in answer["Changes"]
            if change["ChangeType"] == "NewInstance"
        ]
        return ids, max(since, int(answer["Last"])), bool(answer["Done"])

    def last_change(self) -> int:
        """Number of the newest change."""
        return int(self._get("/changes?last").json()["Last"])

    def identity(self) -> str:
        """Which archive this is: kept by our plugin in Orthanc's own database.

        Raises
        ------
        NotFoundError
            Orthanc runs without our plugin.
        """
        return str(self.plugin()["archive"])

    def orthanc_ids(self) -> Iterator[OrthancId]:
        """All instances, page by page."""
        since = 0
        while True:
            page = self._get(f"/instances?since={since}&limit={PAGE}").json()
            yield from (OrthancId(orthanc_id) for orthanc_id in page)
            if len(page) < PAGE:
                return
            since += PAGE

    def file_names(self) -> Iterator[str]:
        """Names of the files of all objects, page by page."""
        since = 0
        while True:
            page = self._get(f"/instances?expand&since={since}&limit={EXPANDED_PAGE}").json()
            yield from (str(instance["FileUuid"]) for instance in page)
            if len(page) < EXPANDED_PAGE:
                return
            since += EXPANDED_PAGE

    def file_name(self, orthanc_id: OrthancId) -> str:
        """The name of an object's file.

        Raises
        ------
        NotFoundError
            The archive does not hold it.
        """
        return str(self._get(f"/instances/{orthanc_id}").json()["FileUuid"])

    def count(self) -> int:
        """How many instances the archive holds."""
        return int(self._get("/statistics").json()["CountInstances"])

    def disk_bytes(self) -> int:
        """How much the stored files take."""
        return int(self._get("/statistics").json()["TotalDiskSize"])

    def system(self) -> dict[str, Any]:
        """Orthanc's own description: version, name, AE title."""
        return dict(self._get("/system", timeout=QUICK_SECONDS).json())

    def plugin(self) -> dict[str, Any]:
        """What our plugin says of itself: version, parts, start, arrivals not yet written.

        Raises
        ------
        NotFoundError
            Orthanc runs without our plugin.
        """
        return dict(self._get("/rtpacs/plugin", timeout=QUICK_SECONDS).json())

    def uid_of(self, level: Level, orthanc_id: OrthancId) -> str | None:
        """UID (of a patient its number) of what Orthanc has under one of its ids."""
        try:
            tags = self._get(f"/{level}/{orthanc_id}").json()["MainDicomTags"]
        except NotFoundError:
            return None
        uid: str | None = tags.get(UNIQUE_KEYS[level])
        return uid

    def modalities(self) -> set[str]:
        """Names of the DICOM nodes that it knows."""
        return set(self._get("/modalities").json())

    def set_modality(self, name: str, values: Mapping[str, Any]) -> None:
        """Add or replace a node."""
        data = json.dumps(dict(values)).encode()
        self._request("PUT", f"/modalities/{quote(name, safe='')}", data=data)

    def remove_modality(self, name: str) -> None:
        """Remove a node."""
        self._request("DELETE", f"/modalities/{quote(name, safe='')}")

    def delete(self, orthanc_id: OrthancId) -> None:
        """Remove an object for all; nothing when it is not there."""
        try:
            self._request("DELETE", f"/instances/{orthanc_id}")
        except NotFoundError:
            return

    def overwrite_log(self) -> None:
        """Let our plugin overwrite the log of Orthanc's index, where deleted rows may still stand.

        Raises
        ------
        ArchiveUnavailableError
            Orthanc does not answer.
        """
        self._request("POST", "/rtpacs/overwrite", data=b"")

    def _get(
        self, path: str, *, timeout: tuple[float, float] = TIMEOUT_SECONDS
    ) -> requests.Response:
        return self._request("GET", path, timeout=timeout)

    def _request(
        self,
        method: str,
        path: str,
        *,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: tuple[float, float] = TIMEOUT_SECONDS,
    ) -> requests.Response:
        try:
            answer = self._session.request(
                method, self._url + path, data=data, headers=headers, timeout=timeout
            )
        except requests.RequestException as exc:
            raise ArchiveUnavailableError(f"Orthanc does not answer at {self._url}") from exc
        if answer.status_code == requests.codes.not_found:
            raise NotFoundError(f"Orthanc has nothing at {path}")
        if answer.status_code == requests.codes.service_unavailable:
            raise ArchiveUnavailableError(f"Orthanc is too busy for {path}")
        if answer.status_code >= requests.codes.internal_server_error:
            raise ArchiveFaultError(f"Orthanc answers {answer.status_code} at {path}")
        if not answer.ok:
            raise ArchiveError(f"Orthanc answers {answer.status_code} at {path}")
        return answer


def guard_refuses(url: str, password: str) -> bool:
    """Whether requests as the door are turned away, as they must be (canary).

    One of a route that is never open, and one of a route that is, with a token that nobody issued.

    Raises
    ------
    ArchiveUnavailableError
        Orthanc does not answer.
    """
    session = requests.Session()
    # A proxy of the environment would answer in the guard's place.
    session.trust_env = False
    session.auth = (DOOR_USER, password)
    session.headers["X-Rtpacs-Authorization"] = "Bearer canary"
    try:
        answers = [session.get(url + path, timeout=QUICK_SECONDS) for path in CANARIES]
    except requests.RequestException as exc:
        raise ArchiveUnavailableError(f"Orthanc does not answer at {url}") from exc
    if any(answer.status_code >= requests.codes.internal_server_error for answer in answers):
        raise ArchiveUnavailableError(f"Orthanc fails at {url}: nobody gets anything from it")
    return all(answer.status_code == requests.codes.forbidden for answer in answers)


def _arrival(orthanc_id: OrthancId, metadata: Mapping[str, str]) -> Arrival:
    noted = owners_of(metadata.get(OWNERS, ""))
    if noted:
        return noted[0].arrival(orthanc_id)
    return Arrival(
        orthanc_id=orthanc_id,
        aet=metadata.get("RemoteAET", ""),
        address=metadata.get("RemoteIP", ""),
        origin=metadata.get("Origin", "Unknown"),
        received_at=reception_time(metadata.get("ReceptionDate", "")),
    )


def reception_time(text: str) -> datetime:
    """Orthanc's ReceptionDate (``20261122T194400``, UTC); the epoch when it has none."""
    try:
        return datetime.strptime(text, "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return datetime.fromtimestamp(0, UTC)
