"""What a backup takes from the data folder besides the database and Orthanc's storage."""

import shutil
from pathlib import Path

from rtpacs.archive import ledger
from rtpacs.errors import BackupError
from rtpacs.services.backup import Checksum, KeptFile

# Whole folders and files, if they are there. The pool holds ``versions``; the rest of the data
# folder is made anew at every start.
FOLDERS = ("keys", "duplicates", ledger.FOLDER)
SETTINGS_FILE = "rtpacs.toml"
SUFFIX_OF_VERSIONS = ".dcm"


def copy_small(home: Path, folder: Path) -> None:
    """Copy keys, settings and what came again and is not recorded yet.

    What came again goes one by one when it is recorded: a file that left meanwhile is in the
    database, which is read later.

    Raises
    ------
    BackupError
        The disk does not give or take a file.
    """
    try:
        for name in FOLDERS:
            target = folder / name
            shutil.rmtree(target, ignore_errors=True)
            target.mkdir(mode=0o700)
            for path in (home / name).glob("*"):
                try:
                    shutil.copy2(path, target / path.name)
                except FileNotFoundError:
                    continue
        if (home / SETTINGS_FILE).exists():
            shutil.copy2(home / SETTINGS_FILE, folder / SETTINGS_FILE)
    except OSError as exc:
        raise BackupError(f"keys and settings cannot be copied: {exc.strerror}") from exc


def place_small(folder: Path, home: Path) -> None:
    """Bring back what ``copy_small`` took.

    Raises
    ------
    BackupError
        The disk does not give or take a file.
    """
    try:
        for name in FOLDERS:
            if not (folder / name).is_dir():
                continue  # of a version that had none
            shutil.copytree(folder / name, home / name)
            (home / name).chmod(0o700)
        if (folder / SETTINGS_FILE).exists():
            shutil.copy2(folder / SETTINGS_FILE, home / SETTINGS_FILE)
    except OSError as exc:
        raise BackupError(f"keys and settings cannot be brought back: {exc.strerror}") from exc


def version_files(home: Path) -> list[KeptFile]:
    """Contents that only we hold: each is named by the SHA-256 of its bytes."""
    found = []
    for path in sorted((home / "versions").glob(f"*/*{SUFFIX_OF_VERSIONS}")):
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            continue
        checksum = Checksum(f"sha256:{path.stem}")
        relative = path.relative_to(home).as_posix()
        found.append(KeptFile(path=relative, size_bytes=size, checksum=checksum))
    return found
