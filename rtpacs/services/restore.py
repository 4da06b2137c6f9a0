"""A restore: a backup set becomes the data folder of a machine that has none."""

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rtpacs.errors import BackupError
from rtpacs.services.backup import (
    ORTHANC_INDEX,
    Kept,
    KeptFile,
    Pool,
    Sets,
    newest,
    read_files,
    read_summary,
)
from rtpacs.services.ports import Progress

DRAFT = "restoring"
# What may stand in a data folder that counts as empty: a disk's own folder, and the settings.
HARMLESS = ("lost+found", "rtpacs.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreSummary:
    """What came back.

    ``missing`` are files that the backup lacks or that are damaged in it; ``erased`` counts those
    that were erased after the backup and stay out.
    """

    name: str
    files: int
    size_bytes: int
    missing: tuple[str, ...]
    erased: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Restore:
    """Makes a data folder of a set.

    Parameters
    ----------
    place_small
        Brings back keys, settings and the like from a set's folder, and what any set of the backup
        knows of erasures.
    erased
        Which of these files were erased after the backup, by what was brought back: they stay out.
    load_database
        Brings back our database from a set's folder; told whether a restore was cut off before.
    """

    home: Path
    sets: Sets
    pool: Pool
    place_small: Callable[[Path, Path], None]
    erased: Callable[[Path, Sequence[KeptFile]], set[str]]
    load_database: Callable[[Path, Path, bool], None]

    def run(self, name: str | None, progress: Progress) -> RestoreSummary:
        """Restore a set (the newest, if none is named) into an empty data folder.

        Cut off, it is repeated: ``rtpacs serve`` refuses a folder in which it is not finished.

        Raises
        ------
        BackupError
            The data folder is not empty, there is no such set, or a disk or database refuses.
        """
        name = name or newest(self.sets)
        source = self.sets.folder(name)
        read_summary(source)
        files = read_files(source)
        draft = self.home / DRAFT
        try:
            again = self._clear(draft)
            self.place_small(source, draft)
            (draft / "orthanc").mkdir()
            shutil.copyfile(source / ORTHANC_INDEX, draft / "orthanc" / "index")
            left_out = self.erased(draft, files)
            files = [file for file in files if file.path not in left_out]
            missing = []
            for done, file in enumerate(files, start=1):
                if self.pool.take_out(file, draft) is not Kept.COPIED:
                    missing.append(file.path)
                progress(done, len(files))
            self.load_database(source, draft, again)
            self._finish(draft)
        except OSError as exc:
            raise BackupError(f"cannot write to {self.home} ({exc.strerror})") from exc
        return RestoreSummary(
            name=name,
            files=len(files) - len(missing),
            size_bytes=sum(file.size_bytes for file in files if file.path not in missing),
            missing=tuple(missing),
            erased=len(left_out),
        )

    def _clear(self, draft: Path) -> bool:
        """Make the folder in which everything is put together; whether one was left there."""
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        again = draft.exists()
        found = [path for path in self.home.iterdir() if path.name not in (*HARMLESS, DRAFT)]
        if found and not again:
            raise BackupError(
                f"{self.home} is not empty ({found[0].name} is there): restore into an empty folder"
            )
        # The folder was empty when the restore that was cut off began: all this is its work.
        for path in found:
            _remove(path)
        if again:
            shutil.rmtree(draft)
        draft.mkdir(mode=0o700)
        return again

    def _finish(self, draft: Path) -> None:
        os.sync()
        for path in draft.iterdir():
            target = self.home / path.name
            if path.name in HARMLESS and target.exists():
                continue
            path.rename(target)
        os.sync()
        shutil.rmtree(draft)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
