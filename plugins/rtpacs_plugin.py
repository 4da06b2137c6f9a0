"""The script that Orthanc's Python plugin runs: registers guard and intake, nothing else.

An exception here makes Orthanc exit, which is what we want: no archive without guard and intake.
"""

import atexit
import ctypes
import itertools
import json
import logging
import sys
import threading
from datetime import UTC, datetime
from threading import get_ident
from time import monotonic
from typing import Any

import orthanc

from plugins.duplicates import Duplicates, Recognition, process_age_seconds
from plugins.guard import Filter, OrthancHoldings
from plugins.intake import IntakeWriter
from plugins.modalities import Modalities
from plugins.query import Queries
from plugins.senders import KnownSenders
from rtpacs import __version__, bootstrap, keyring
from rtpacs.archive.rest import RECOVERY
from rtpacs.rules.objects import OrthancId
from rtpacs.rules.routes import Level
from rtpacs.serve.connections import callers
from rtpacs.services.node_queries import askers
from rtpacs.services.ports import Arrival
from rtpacs.services.repeats import RepeatedArrival

LOGGER = logging.getLogger("rtpacs.plugin")
logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(name)s %(message)s")
# Of Orthanc's global properties those from 1024 on are for plugins.
IDENTITY_PROPERTY = 5174
OVERWRITE_PROPERTY = 5175
OVERWRITE_MARGIN = 1_000_000
(RECOVERY_HEADER,) = (name.lower() for name in RECOVERY)
STARTED = datetime.now(UTC).isoformat()
APPLICATION = bootstrap.open_application()
RECORDER = APPLICATION.access_logging.recorder
WRITER = IntakeWriter(lambda: APPLICATION.inbox)
SENDERS = KnownSenders(APPLICATION.storing_titles)
STOPPING = threading.Event()
# Threads that serve a request by which ``rtpacs.services.orphans`` brings a file back.
RECOVERING: set[int] = set()
# Threads that serve requests and keep their state in the interpreter.
SERVING: set[int] = set()
RECOGNITION = Recognition(lambda: datetime.now(UTC), age_seconds=process_age_seconds())
DUPLICATES = Duplicates(APPLICATION.spool, stopping=STOPPING.wait)
LOOKUPS = {
    Level.STUDY: orthanc.LookupStudy,
    Level.SERIES: orthanc.LookupSeries,
    Level.INSTANCE: orthanc.LookupInstance,
}
# How many objects were stored: what the guard decided about a series before is then forgotten.
STORED = itertools.count(1)
ARRIVALS = [0]
GUARD = APPLICATION.guarding.guard(
    OrthancHoldings(LOOKUPS, orthanc.RestApiGet), lambda: ARRIVALS[0]
)
FILTER = Filter(GUARD, get=int(orthanc.HttpMethod.GET))
NODES = APPLICATION.desk.directory.nodes
QUERIES = Queries(
    APPLICATION.guarding.node_queries(NODES).find,
    APPLICATION.guarding.moves(NODES, lambda who: APPLICATION.desk.under(who).transfers).move,
    our_aet=APPLICATION.settings.dicom_aet,
    log=RECORDER,
)
MODALITIES = Modalities(lambda: askers(NODES()), APPLICATION.another_archive())


def on_stored_instance(instance: Any, orthanc_id: str) -> None:
    """Note an arrival; also called for repeats, whose bytes Orthanc then drops."""
    ARRIVALS[0] = next(STORED)
    try:
        aet = instance.GetInstanceRemoteAet()
        received = _metadata(instance, "ReceptionDate")
        is_repeat = RECOGNITION.is_repeat(orthanc_id, received, monotonic())
        if not aet and get_ident() in RECOVERING:
            return
        if is_repeat:
            _keep_repeat(instance, orthanc_id, aet)
            return
        WRITER.put(
            Arrival(
                orthanc_id=OrthancId(orthanc_id),
                aet=aet,
                address=_address(instance, aet),
                origin=_metadata(instance, "Origin") or "Unknown",
                received_at=datetime.now(UTC),
            )
        )
    except Exception:
        # Orthanc has stored the object and the change feed still brings it to the index.
        WRITER.errors += 1
        LOGGER.exception("intake of %s", orthanc_id)


def _keep_repeat(instance: Any, orthanc_id: str, aet: str) -> None:
    addresses = callers(APPLICATION.settings.dicom_port) if aet else []
    # The first sender calls again, as far as one can see.
    if (first := _address(instance, aet)) in addresses or not addresses:
        addresses = [first]
    DUPLICATES.keep(
        RepeatedArrival(
            orthanc_id=OrthancId(orthanc_id),
            aet=aet,
            addresses=tuple(addresses),
            origin="DicomProtocol" if aet else "RestApi",
            received_at=datetime.now(UTC),
        ),
        instance.GetInstanceData(),
    )


def on_deleted(output: Any, uri: str, **request: Any) -> None:
    """Note a deletion, of which ``deletions.lua`` tells."""
    WRITER.put(
        Arrival(
            orthanc_id=OrthancId(request["groups"][0]),
            aet="",
            address="",
            origin="Orthanc",
            received_at=datetime.now(UTC),
            deleted=True,
        )
    )
    output.AnswerBuffer("", "text/plain")


def on_stop() -> None:
    """Write what is queued: Orthanc ends the interpreter when it stops."""
    STOPPING.set()
    SENDERS.stop()
    MODALITIES.stop()
    WRITER.stop()
    RECORDER.stop()
    LOGGER.info("stopped; %d arrivals are left to the change feed", WRITER.waiting)


def on_c_store(instance: Any) -> int:
    """Refuse senders that no node names."""
    return SENDERS.judge(instance.GetInstanceRemoteAet())


def on_http(uri: str, **request: Any) -> bool:
    """The guard: Orthanc asks before each request, on the thread that then serves it."""
    thread = get_ident()
    if thread not in SERVING:
        _keep_thread_state(thread)
    if RECOVERY_HEADER in request["headers"]:
        RECOVERING.add(thread)
    else:
        RECOVERING.discard(thread)
    return FILTER.allows(uri, request)


def _keep_thread_state(thread: int) -> None:
    """Make the interpreter's state of this thread outlive the call.

    The plugin makes one for each call and frees it after, memory mapping included, which takes
    longer than judging the request. One hold too many keeps it, for Orthanc's threads stay.
    """
    SERVING.add(thread)
    ctypes.pythonapi.PyGILState_Ensure()


def describe(output: Any, uri: str, **request: Any) -> None:
    """Answer ``/rtpacs/plugin``: the proof that this script is loaded."""
    answer = {
        "version": __version__,
        "archive": _identity(),
        "guard": True,
        "intake": True,
        "waiting": WRITER.waiting,
        "trouble": DUPLICATES.trouble,
        "errors": WRITER.errors,
        "started": STARTED,
    }
    output.AnswerBuffer(json.dumps(answer), "application/json")


def overwrite(output: Any, uri: str, **request: Any) -> None:
    """Overwrite the log of Orthanc's index with rows of ours.

    SQLite overwrites deleted rows in the index itself, but their older images stay in the log until
    it comes round. Of two transactions longer than the log one covers it whole.
    """
    log = APPLICATION.settings.home / "orthanc" / "index-wal"
    length = (log.stat().st_size if log.exists() else 0) + OVERWRITE_MARGIN
    for filling in ("0", "1", ""):
        orthanc.SetGlobalProperty(OVERWRITE_PROPERTY, filling * length)
    output.AnswerBuffer("", "text/plain")


def _identity() -> str:
    """Which archive this is: machines that share Orthanc's index share its identity."""
    if not orthanc.GetGlobalProperty(IDENTITY_PROPERTY, ""):
        ours = keyring.secret(APPLICATION.settings.home, keyring.ARCHIVE_IDENTITY)
        orthanc.SetGlobalProperty(IDENTITY_PROPERTY, ours)
    return orthanc.GetGlobalProperty(IDENTITY_PROPERTY, "")


def _metadata(instance: Any, name: str) -> str:
    # None when the object has none of this name; asking first would cost as much again.
    return instance.GetInstanceMetadata(name) or ""


def _address(instance: Any, aet: str) -> str:
    # For a repeat the metadata are the first sender's: its address says nothing of another AE.
    return _metadata(instance, "RemoteIP") if _metadata(instance, "RemoteAET") == aet else ""


orthanc.RegisterIncomingHttpRequestFilter(on_http)
orthanc.RegisterRestCallback("/rtpacs/plugin", describe)
orthanc.RegisterRestCallback("/rtpacs/overwrite", overwrite)
orthanc.RegisterOnStoredInstanceCallback(on_stored_instance)
orthanc.RegisterRestCallback("/rtpacs/deleted/([0-9a-f-]{44})", on_deleted)
if APPLICATION.settings.unknown_senders == "refuse":
    orthanc.RegisterIncomingCStoreInstanceFilter(on_c_store)
    SENDERS.start()
orthanc.RegisterFindCallback(QUERIES.on_find)
orthanc.RegisterMoveCallback(QUERIES.on_move)
WRITER.start()
RECORDER.start()
MODALITIES.start()
atexit.register(on_stop)
