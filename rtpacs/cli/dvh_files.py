"""Which DICOM files ``rtpacs dvh`` calculates: named one by one, or found in a folder."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from rtpacs.dicom.limited import LimitedReader
from rtpacs.errors import ArchiveFaultError, DicomError, InvalidInputError, NotFoundError
from rtpacs.rules.file_doses import PREFERRED, SUMMED
from rtpacs.rules.objects import DoseContent, ParsedObject, PlanContent, StructureSetContent

LISTED = 10  # files that cannot be read, by name


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file that was read; its bytes are read again when they are needed."""

    path: Path
    parsed: ParsedObject

    @property
    def label(self) -> str:
        """How messages name it."""
        content = self.parsed.content
        said = content.label if isinstance(content, StructureSetContent | PlanContent) else None
        return f"{self.path} ({said})" if said else str(self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """One structure set, the doses that make one dose, and their plan where it is known."""

    structures: tuple[Path, ParsedObject, StructureSetContent]
    doses: tuple[tuple[Path, ParsedObject, DoseContent], ...]
    plan: PlanContent | None


def choose_files(
    reader: LimitedReader,
    *,
    folders: Sequence[Path],
    structures: Path | None,
    doses: Sequence[Path],
    plan: Path | None,
) -> Chosen:
    """Read what is named, and look into folders for what is not.

    Files that stand beside named doses are further doses, as a shell writes ``--dose RD*.dcm``.

    Raises
    ------
    DicomError
        A named file is not what it should be.
    InvalidInputError
        Nothing is named, or a folder holds several of what must be one; the text lists them.
    """
    if doses:
        doses = [*doses, *(path for path in folders if path.is_file())]
        folders = [path for path in folders if not path.is_file()]
    found = list(_in_folders(reader, folders))
    drawn = _one_structure_set([_read(reader, structures)] if structures else found)
    chosen = [_read(reader, path) for path in doses] if doses else _plan_dose(found)
    given = tuple(_dose(file) for file in chosen)
    plans = [_read(reader, plan)] if plan else found
    return Chosen(structures=drawn, doses=given, plan=_plan_of(plans, given[0][2]))


def progress(text: str, done: int, total: int) -> None:
    """Show how far a step is, to people only."""
    if sys.stderr.isatty():
        click.echo(f"\r{done} of {total} {text}", nl=done == total, err=True)


def _in_folders(reader: LimitedReader, folders: Sequence[Path]) -> Iterator[File]:
    paths = [path for folder in folders for path in _files(folder)]
    left_out: list[str] = []
    for number, path in enumerate(paths, start=1):
        try:
            yield _read(reader, path)
        except (DicomError, InvalidInputError) as exc:
            left_out.append(str(exc))
        progress("files read", number, len(paths))
    if left_out:
        click.echo(
            f"{len(left_out)} of {len(paths)} files cannot be read and are left out:", err=True
        )
    for reason in left_out[:LISTED]:
        click.echo(f"  {reason}", err=True)
    if len(left_out) > LISTED:
        click.echo(f"  and {len(left_out) - LISTED} more", err=True)


def _files(folder: Path) -> list[Path]:
    if folder.is_file():
        return [folder]
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name[0] != ".")


def _read(reader: LimitedReader, path: Path) -> File:
    try:
        return File(path=path, parsed=reader.summarise(path))
    except DicomError as exc:
        raise DicomError(f"{path}: {exc}") from exc
    except (NotFoundError, ArchiveFaultError) as exc:
        raise InvalidInputError(f"cannot read {path} ({exc})") from exc


def _one_structure_set(files: Sequence[File]) -> tuple[Path, ParsedObject, StructureSetContent]:
    sets = [file for file in files if isinstance(file.parsed.content, StructureSetContent)]
    if not sets and len(files) == 1:
        sets = list(files)
    file = _only(sets, "RT Structure Set", "--structures")
    content = file.parsed.content
    if not isinstance(content, StructureSetContent):
        role = file.parsed.role
        raise DicomError(f"{file.path}: --structures needs an RT Structure Set, this is a {role}")
    return file.path, file.parsed, content


def _plan_dose(files: Sequence[File]) -> list[File]:
    """The plan dose of a folder: PLAN, else all FRACTION doses, else all BEAM doses."""
    doses = [(file, content) for file in files if (content := _pixels(file)) is not None]
    for summation in PREFERRED:
        same = [file for file, content in doses if content.summation_type == summation]
        if same:
            return same if summation in SUMMED else [_only(same, f"{summation} dose", "--dose")]
    return [_only([file for file, _ in doses], "RT Dose with pixels", "--dose")]


def _pixels(file: File) -> DoseContent | None:
    content = file.parsed.content
    return content if isinstance(content, DoseContent) and content.has_pixels else None


def _only(files: Sequence[File], what: str, option: str) -> File:
    if not files:
        raise InvalidInputError(f"no {what} found: name one with {option}")
    if len(files) > 1:
        names = ", ".join(file.label for file in files)
        raise InvalidInputError(f"more than one {what}: name one with {option}: {names}")
    return files[0]


def _dose(file: File) -> tuple[Path, ParsedObject, DoseContent]:
    content = file.parsed.content
    if not isinstance(content, DoseContent):
        raise DicomError(f"{file.path}: --dose needs an RT Dose, this is a {file.parsed.role}")
    return file.path, file.parsed, content


def _plan_of(files: Sequence[File], dose: DoseContent) -> PlanContent | None:
    """The plan that the dose names; a plan of another name says nothing about it."""
    for file in files:
        content = file.parsed.content
        if isinstance(content, PlanContent) and file.parsed.sop_uid in dose.plan_uids:
            return content
    return None
