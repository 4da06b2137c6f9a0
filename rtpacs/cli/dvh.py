"""``rtpacs dvh``: DVHs of DICOM files on disk, without server or database."""

import csv
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

from rtpacs.bootstrap import Application
from rtpacs.cli.plot import write_plot
from rtpacs.dicom.limited import LimitedReader
from rtpacs.dosimetry import (
    ALGORITHM_VERSION,
    UNCOVERED_SHARE,
    V_DOSES_GY,
    EndCaps,
    RoiDvh,
    reported_metrics,
)
from rtpacs.errors import CalculationError, DicomError
from rtpacs.rules.file_doses import (
    partial_dose_warning,
    require_one_dose,
    require_same_frame,
)
from rtpacs.rules.objects import DoseContent, ParsedObject, Severity, StructureSetContent
from rtpacs.rules.spreadsheets import cell
from rtpacs.settings import load

RELATIVE = "RELATIVE"
FRAME_OFFSETS = "GridFrameOffsetVector"
CONVENTION = (
    "D and V metrics belong to the part inside the dose grid, interpolated linearly in bins of "
    "0.01 Gy."
)
RELATIVE_NOTE = "the dose is RELATIVE (percent): metrics in Gy are not defined"
COLUMNS = (
    "volume_cm3",
    "covered_volume_cm3",
    "min_gy",
    "max_gy",
    "mean_gy",
    "d98_gy",
    "d95_gy",
    "d50_gy",
    "d2_gy",
    "d0_03cm3_gy",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calculated:
    """DVHs with what the dose says of itself."""

    dose: DoseContent
    dvhs: tuple[RoiDvh, ...]
    notes: tuple[str, ...]  # what is odd about the dose as a whole
    end_caps: EndCaps

    @property
    def convention(self) -> str:
        """The conventions of the numbers, as sentences."""
        return f"{self.end_caps.sentence} {CONVENTION}"

    @property
    def relative(self) -> bool:
        """Whether doses are percent."""
        return self.dose.units == RELATIVE


@click.command()
@click.option("--structures", required=True, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--dose",
    "doses",
    required=True,
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="RT Dose; several BEAM or FRACTION doses of one plan are summed.",
)
@click.option("--json", "form", flag_value="json", help="Print JSON with whole curves.")
@click.option("--csv", "form", flag_value="csv", help="Print the metrics as CSV.")
@click.option("--plot", type=click.Path(path_type=Path), help="Write the curves as PNG.")
@click.option("--slice-spacing", type=float, help="Image slice spacing in mm.")
@click.option(
    "--caps",
    type=click.Choice([str(caps) for caps in EndCaps]),
    default=str(EndCaps.HALF_SLICE),
    show_default=True,
    help="How far structures go on beyond their outermost contours.",
)
def dvh(
    structures: Path,
    doses: tuple[Path, ...],
    form: str | None,
    plot: Path | None,
    slice_spacing: float | None,
    caps: str,
) -> None:
    """Calculate the DVH of every structure of one RT Structure Set."""
    result = _calculate(structures, doses, slice_spacing, EndCaps(caps))
    {"json": _print_json, "csv": _print_csv}.get(form or "", _print_table)(result)
    if plot:
        write_plot(plot, result.dvhs, unit="%" if result.relative else "Gy")


def _calculate(
    structures: Path, doses: tuple[Path, ...], spacing: float | None, caps: EndCaps
) -> Calculated:
    reader = Application(load()[0]).reader()
    try:
        structure_bytes = structures.read_bytes()
        dose_bytes = [path.read_bytes() for path in doses]
        drawn = _structure_set(_read(reader, structures, structure_bytes))
        given = [
            _dose(_read(reader, path, data)) for path, data in zip(doses, dose_bytes, strict=True)
        ]
        require_one_dose(given)
        require_same_frame(drawn, [parsed for parsed, _ in given])
        dvhs = reader.calculate(structure_bytes, dose_bytes, spacing, _progress, end_caps=caps)
    finally:
        reader.close()
    if not dvhs:
        raise CalculationError(f"{structures} holds no structures")
    placement = [
        finding.text
        for parsed, _ in given
        for finding in parsed.findings
        if finding.attribute == FRAME_OFFSETS and finding.severity is Severity.WARNING
    ]
    part = partial_dose_warning([content for _, content in given])
    notes = tuple(dict.fromkeys([*([part] if part else []), *placement]))
    return Calculated(dose=given[0][1], dvhs=dvhs, notes=notes, end_caps=caps)


def _read(reader: LimitedReader, path: Path, data: bytes) -> ParsedObject:
    try:
        return reader.summarise(data)
    except DicomError as exc:
        raise DicomError(f"{path}: {exc}") from exc


def _structure_set(parsed: ParsedObject) -> tuple[ParsedObject, StructureSetContent]:
    if not isinstance(parsed.content, StructureSetContent):
        raise DicomError(f"--structures needs an RT Structure Set, this is a {parsed.role}")
    return parsed, parsed.content


def _dose(parsed: ParsedObject) -> tuple[ParsedObject, DoseContent]:
    if not isinstance(parsed.content, DoseContent):
        raise DicomError(f"--dose needs an RT Dose, this is a {parsed.role}")
    return parsed, parsed.content


def _progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r{done} of {total} structures", nl=done == total, err=True)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 5)


def _metrics(result: Calculated, item: RoiDvh) -> dict[str, float | None]:
    values = reported_metrics(item)
    if result.relative:
        values = {name: None if name.endswith("_gy") else v for name, v in values.items()}
    return {name: _rounded(value) for name, value in values.items()}


def _uncovered_as_zero(result: Calculated, item: RoiDvh) -> dict[str, float | None] | None:
    """Percent metrics of the whole volume, its part outside the dose grid as 0 Gy.

    None where less than `UNCOVERED_SHARE` lies outside: then they are those of the covered part.
    """
    if not item.volume_cm3 or result.relative:
        return None
    if 1 - (item.covered_volume_cm3 or 0.0) / item.volume_cm3 <= UNCOVERED_SHARE:
        return None
    return {
        f"d{percent}_gy": _rounded(item.dose_at_whole_volume_percent(percent))
        for percent in (98, 95, 50, 2)
    }


def _warnings(result: Calculated, item: RoiDvh) -> list[str]:
    return [*item.warnings, *result.notes, *([RELATIVE_NOTE] if result.relative else [])]


def _print_json(result: Calculated) -> None:
    step = "bin_percent" if result.relative else "bin_gy"
    structures = [
        {
            "number": item.number,
            "name": item.name,
            "status": str(item.status),
            **_metrics(result, item),
            "v_gy": {}
            if result.relative
            else {str(dose): _rounded(item.volume_cm3_at(dose)) for dose in V_DOSES_GY},
            "uncovered_as_zero": _uncovered_as_zero(result, item),
            "warnings": _warnings(result, item),
            "dvh": {
                step: item.bin_gy,
                "volume_cm3": np.round(item.cumulative_cm3, 6).tolist(),
            },
        }
        for item in result.dvhs
    ]
    head = {
        "algorithm": ALGORITHM_VERSION,
        "dose_units": result.dose.units,
        "dose_type": result.dose.dose_type,
        "dose_summation": result.dose.summation_type,
        "end_caps": str(result.end_caps),
        "convention": result.convention,
    }
    click.echo(json.dumps({**head, "structures": structures}))


def _print_csv(result: Calculated) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["number", "name", "status", *COLUMNS, "warnings"])
    for item in result.dvhs:
        metrics = _metrics(result, item)
        row = [item.number, cell(item.name), item.status, *(metrics[column] for column in COLUMNS)]
        writer.writerow([*row, "; ".join(_warnings(result, item))])


def _print_table(result: Calculated) -> None:
    unit = "percent" if result.relative else "Gy"
    click.echo(
        f"{ALGORITHM_VERSION}  dose in {unit}, {result.dose.dose_type}, "
        f"{result.dose.summation_type}"
    )
    click.echo(
        f"{'Structure':20} {'cm³':>10} {'min':>7} {'mean':>7} {'max':>7} "
        f"{'D98%':>7} {'D95%':>7} {'D50%':>7} {'D2%':>7} {'D0.03cc':>7}"
    )
    order = ("min_gy", "mean_gy", "max_gy", "d98_gy", "d95_gy", "d50_gy", "d2_gy", "d0_03cm3_gy")
    for item in result.dvhs:
        metrics = _metrics(result, item)
        volume = metrics["volume_cm3"]
        shown = " ".join(f"{_number(metrics[name]):>7}" for name in order)
        click.echo(f"{item.name[:20]:20} {_number(volume):>10} {shown}")
        for warning in _warnings(result, item):
            click.echo(f"    {warning}")
    click.echo(result.convention)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
