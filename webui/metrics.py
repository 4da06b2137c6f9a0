"""The state of the system as Prometheus reads it (text format 0.0.4); no patient data in it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from rtpacs.services.desk import HealthReport
from rtpacs.services.overview import Overview, Saved
from rtpacs.services.views import StatusCounts

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
JOB_STATES = ("ready", "running", "retrying", "failed")
COUNTS = {
    "inbox": "Arrivals that are not yet in the index",
    "inbox_retrying": "Arrivals that wait for another try after an error",
    "objects": "DICOM objects in the index",
    "plan_sets": "Plan sets",
    "patients": "Patients, each center's own",
    "findings": "Errors and warnings on objects, plan sets and calculations",
    "quarantined": "Objects that nobody sees until an administrator says where they belong",
    "outdated": "Calculations by an earlier algorithm",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One value with its labels."""

    value: float
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A gauge: its name, what it says, and its values; without values it is left out."""

    name: str
    help: str
    samples: tuple[Sample, ...]


def exposition(metrics: Iterable[Metric]) -> str:
    """Metrics as text."""
    return "".join(line + "\n" for metric in metrics for line in _lines(metric))


def system_metrics(
    seen: Overview, counts: StatusCounts, health: HealthReport, version: str
) -> list[Metric]:
    """Everything that the System page says in numbers."""
    return [
        Metric(
            name="rtpacs_info", help="Version of rtpacs", samples=(_sample(1, version=version),)
        ),
        Metric(
            name="rtpacs_part_up",
            help="Whether a part answers",
            samples=tuple(_sample(part.ok, part=part.name) for part in health.parts),
        ),
        *(_gauge(f"rtpacs_{name}", text, getattr(counts, name)) for name, text in COUNTS.items()),
        Metric(
            name="rtpacs_jobs",
            help="Jobs by state",
            samples=tuple(_sample(getattr(counts, state), state=state) for state in JOB_STATES),
        ),
        *_disk(seen),
        *_waiting(seen),
        *_saved("backup", "backup", seen.backup),
        *_saved("verification", "check of a backup", seen.verification),
        *_files(seen),
        *_nodes(seen),
    ]


def _disk(seen: Overview) -> Iterator[Metric]:
    disk = seen.disk
    yield _gauge("rtpacs_disk_total_bytes", "Disk of the data folder", disk.total_bytes)
    yield _gauge("rtpacs_disk_free_bytes", "Room on it", disk.free_bytes)
    yield _gauge("rtpacs_disk_low", "Whether less than a tenth of it is free", disk.is_low)
    yield _gauge("rtpacs_received_bytes_per_day", "Mean of the last 14 days", disk.bytes_per_day)
    yield _gauge(
        "rtpacs_disk_full_in_days", "At this pace; absent while nothing arrives", disk.days_left
    )


def _waiting(seen: Overview) -> Iterator[Metric]:
    yield _gauge("rtpacs_repeats", "Objects that came again, not yet compared", seen.repeats)
    yield _gauge(
        "rtpacs_oldest_unprocessed_seconds",
        "Age of the oldest object that is not yet in the index; 0 for none",
        seen.oldest_seconds,
    )
    yield Metric(
        name="rtpacs_questions",
        help="Open questions that people decide, by kind",
        samples=tuple(_sample(count, kind=kind) for kind, count in seen.questions),
    )
    yield _gauge(
        "rtpacs_senders_waiting",
        "Unknown senders and people without a number, for an administrator",
        seen.senders_waiting,
    )
    yield Metric(
        name="rtpacs_incomplete_plan_sets",
        help="Plan sets that lack something, by whether it is still awaited",
        samples=(
            _sample(seen.incomplete.awaited, awaited="yes"),
            _sample(seen.incomplete.no_longer_awaited, awaited="no"),
        ),
    )
    trouble = None if seen.trouble is None else bool(seen.trouble)
    yield _gauge("rtpacs_plugin_trouble", "Whether the plugin in Orthanc complains", trouble)


def _saved(name: str, what: str, saved: Saved | None) -> Iterator[Metric]:
    yield _gauge(
        f"rtpacs_last_{name}_timestamp_seconds",
        f"When the last {what} ended; absent for never",
        saved.at.timestamp() if saved else None,
    )
    yield _gauge(
        f"rtpacs_last_{name}_damaged_files",
        f"Files that the last {what} found damaged",
        saved.damaged if saved else None,
    )


def _files(seen: Overview) -> Iterator[Metric]:
    read = seen.files_read
    ended = read.finished_at if read else None
    yield _gauge(
        "rtpacs_archive_damaged_objects",
        "Objects whose file is damaged; absent before the first file was read",
        read.damaged if read else None,
    )
    yield _gauge(
        "rtpacs_archive_files_read",
        "Files that the present round of verification has read",
        read.checked if read else None,
    )
    yield _gauge(
        "rtpacs_archive_read_whole_timestamp_seconds",
        "When every file of the archive had been read; absent before the first round ended",
        ended.timestamp() if ended else None,
    )
    yield _gauge(
        "rtpacs_refused_erased", "Erased objects that were sent again", seen.refused_erased
    )


def _nodes(seen: Overview) -> Iterator[Metric]:
    tested = [
        (
            state,
            {
                "aet": state.node.aet,
                "center": state.node.center_code,
                "address": f"{state.node.host}:{state.node.port}",
            },
        )
        for state in seen.nodes
        if state.tested_at is not None
    ]
    yield Metric(
        name="rtpacs_node_reachable",
        help="Whether a node that may receive or query answered its last C-ECHO",
        samples=tuple(Sample(value=bool(state.ok), labels=labels) for state, labels in tested),
    )
    yield Metric(
        name="rtpacs_node_tested_timestamp_seconds",
        help="When it was tested",
        samples=tuple(
            Sample(value=state.tested_at.timestamp(), labels=labels)
            for state, labels in tested
            if state.tested_at
        ),
    )


def _gauge(name: str, text: str, value: float | None) -> Metric:
    return Metric(name=name, help=text, samples=() if value is None else (_sample(value),))


def _sample(value: float, **labels: str) -> Sample:
    return Sample(value=value, labels=labels)


def _lines(metric: Metric) -> Iterator[str]:
    if not metric.samples:
        return
    yield f"# HELP {metric.name} {_escaped(metric.help)}"
    yield f"# TYPE {metric.name} gauge"
    for sample in metric.samples:
        pairs = ",".join(f'{key}="{_quoted(text)}"' for key, text in sample.labels.items())
        labels = f"{{{pairs}}}" if pairs else ""
        # repr keeps every digit of a time of day; a bool is a number in Python.
        yield f"{metric.name}{labels} {float(sample.value)!r}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n")


def _quoted(text: str) -> str:
    return _escaped(text).replace('"', r"\"")
