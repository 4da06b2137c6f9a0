"""``rtpacs dvh``: DVHs of DICOM files on disk, without server or database."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import click

from rtpacs.cli.dvh_files import Chosen, choose_files, progress
from rtpacs.cli.dvh_print import Calculated, print_csv, print_json, print_table
from rtpacs.cli.plot import write_plot
from rtpacs.dicom.limited import LimitedReader
from rtpacs.dosimetry import AskedMetric, EndCaps, asked_metrics
from rtpacs.errors import CalculationError, DicomError, InvalidInputError, SettingsError
from rtpacs.rules.content import content_errors, content_findings
from rtpacs.rules.file_doses import partial_dose_warning, require_one_dose, require_same_frame
from rtpacs.rules.objects import ParsedObject, Severity
from rtpacs.settings import load

PRINTERS = {"json": print_json, "csv": print_csv, None: print_table}
EXISTING = click.Path(exists=True, path_type=Path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The command line."""

    folders: tuple[Path, ...]
    structures: Path | None
    doses: tuple[Path, ...]
    plan: Path | None
    form: str | None
    plot: Path | None
    slice_spacing: float | None
    caps: str
    metrics: str


@click.command(
    epilog="Example: rtpacs dvh EXPORT --metrics 'D2cc, V20Gy' --plot curves.png",
)
@click.argument("folders", nargs=-1, type=EXISTING, metavar="[FOLDER]...")
@click.option("--structures", type=EXISTING, help="The RT Structure Set; else that of FOLDER.")
@click.option(
    "--dose",
    "doses",
    multiple=True,
    type=EXISTING,
    help="RT Dose, or several: BEAM or FRACTION doses of one plan are summed. Else from FOLDER: "
    "the PLAN dose, or all FRACTION doses, or all BEAM doses.",
)
@click.option("--plan", type=EXISTING, help="The RT Plan, which tells whether all beams are there.")
@click.option("--json", "form", flag_value="json", help="Print JSON with whole curves.")
@click.option("--csv", "form", flag_value="csv", help="Print the metrics as CSV.")
@click.option("--plot", type=click.Path(path_type=Path), help="Write the curves as PNG.")
@click.option("--metrics", default="", help="Further values, such as 'D2cc, D90%, V20Gy'.")
@click.option("--slice-spacing", type=float, help="Image slice spacing in mm.")
@click.option(
    "--caps",
    type=click.Choice([str(caps) for caps in EndCaps]),
    default=str(EndCaps.PROFILE),
    show_default=True,
    help="How structures go on between and beyond contours; 'profile' is what the archive stores.",
)
def dvh(**given: object) -> None:
    """Calculate the DVH of every structure of one RT Structure Set.

    Files are named by options or found in FOLDER and below.
    """
    request = Request(**given)  # type: ignore[arg-type]  # click has checked the types
    if request.plot is not None and not request.plot.absolute().parent.is_dir():
        raise SettingsError(f"cannot write {request.plot} (there is no such folder)")
    result = _calculate(request)
    PRINTERS[request.form](result)
    if request.plot:
        write_plot(
            request.plot,
            result.dvhs,
            unit="%" if result.relative else "Gy",
            notes=(result.end_caps.sentence, *result.remarks),
        )


def _calculate(request: Request) -> Calculated:
    asked = tuple(asked_metrics(request.metrics))
    if not request.folders and not (request.structures and request.doses):
        raise InvalidInputError("name a folder, or files with --structures and --dose")
    settings = load()[0]
    # Not by way of the bootstrap: importing the database would take as long as the calculation.
    reader = LimitedReader(
        memory_mb=settings.parse_memory_mb,
        seconds=settings.parse_seconds,
        total_seconds=settings.calculation_seconds,
        start="fork",
    )
    try:
        chosen = choose_files(
            reader,
            folders=request.folders,
            structures=request.structures,
            doses=request.doses,
            plan=request.plan,
        )
        return _with_dvhs(reader, chosen, request, asked)
    finally:
        reader.close()


def _with_dvhs(
    reader: LimitedReader, chosen: Chosen, request: Request, asked: tuple[AskedMetric, ...]
) -> Calculated:
    path, structures, content = chosen.structures
    _require_usable([(path, structures), *((path, parsed) for path, parsed, _ in chosen.doses)])
    given = [(parsed, dose) for _, parsed, dose in chosen.doses]
    require_one_dose(given)
    require_same_frame((structures, content), [parsed for parsed, _ in given])
    caps = EndCaps(request.caps)
    dvhs = reader.calculate(
        path,
        [path for path, _, _ in chosen.doses],
        request.slice_spacing,
        lambda done, total: progress("structures", done, total),
        end_caps=caps,
    )
    if not dvhs:
        raise CalculationError(f"{path} holds no structures")
    return Calculated(
        dose=given[0][1],
        doses=len(given),
        dvhs=dvhs,
        remarks=_remarks(chosen),
        end_caps=caps,
        asked=asked,
    )


def _require_usable(files: Iterable[tuple[Path, ParsedObject]]) -> None:
    for path, parsed in files:
        if errors := content_errors(parsed):
            raise DicomError(f"{path}: {errors[0].text}")


def _remarks(chosen: Chosen) -> tuple[str, ...]:
    """What is odd about the doses, and whether they are a part of their plan's."""
    odd = [
        finding.text
        for _, parsed, _ in chosen.doses
        for finding in content_findings(parsed)
        if finding.severity is Severity.WARNING
    ]
    part = partial_dose_warning([dose for _, _, dose in chosen.doses], chosen.plan)
    return (*([part] if part else []), *dict.fromkeys(odd))
