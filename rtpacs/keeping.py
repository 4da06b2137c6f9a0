"""How backup and restore are wired: a part of ``bootstrap``, for its length."""

import shutil
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine

from rtpacs import __version__, keyring
from rtpacs.archive.frozen import attachments, copy_index
from rtpacs.archive.home_files import copy_small, place_small, version_files
from rtpacs.archive.ledger import FileLedger, merge
from rtpacs.archive.pool import FilePool, FileSets
from rtpacs.services.backup import Backup, KeptFile, Source
from rtpacs.services.overview import LAST_BACKUP, LAST_VERIFICATION
from rtpacs.services.restore import Restore
from rtpacs.store.decision_lines import to_lines
from rtpacs.store.decisions import SqlDecisions
from rtpacs.store.dumping import dump_database, load_database
from rtpacs.store.facts import SqlFacts


def backup(
    home: Path,
    folder: Path,
    *,
    engine: Engine,
    decisions: SqlDecisions,
    facts: SqlFacts,
    clock: Callable[[], datetime],
) -> Backup:
    """Backups of a data folder and its database in one folder."""

    def copy_orthanc_index(target: Path) -> float:
        # Orthanc stands still while it is copied: to its own disk, whatever the backup's is.
        draft = home / "run" / "orthanc-index"
        stopped_seconds = copy_index(home / "orthanc", draft)
        shutil.move(draft, target)
        return stopped_seconds

    def dump(target: Path) -> str:
        kind = dump_database(engine, target)
        with (target / "decisions.jsonl").open("w", encoding="utf-8") as file:
            file.writelines(to_lines(decisions.dump()))
        return kind

    return Backup(
        source=Source(
            versions=lambda: version_files(home),
            copy_orthanc_index=copy_orthanc_index,
            named_files=attachments,
            copy_small=lambda target: copy_small(home, target),
            dump_database=dump,
        ),
        sets=FileSets(folder),
        pool=FilePool(folder, home),
        clock=clock,
        version=__version__,
        note=lambda text: facts.note(LAST_BACKUP, text),
        note_verification=lambda text: facts.note(LAST_VERIFICATION, text),
    )


def erased_files(home: Path, files: Sequence[KeptFile]) -> set[str]:
    """Paths of those that the ledger in a data folder knows as erased."""
    ledger = FileLedger(home, lambda: keyring.secret(home, keyring.ERASURE_KEY).encode("ascii"))
    erased = ledger.holds({file.orthanc_id for file in files if file.orthanc_id})
    return {file.path for file in files if file.orthanc_id in erased}


def restore(home: Path, folder: Path, *, url: str) -> Restore:
    """Bringing a backup back into a data folder and the database of this URL."""
    sets = FileSets(folder)

    def place(source: Path, target: Path) -> None:
        place_small(source, target)
        # The newest set knows of erasures of which the restored one cannot.
        for name in sets.names():
            merge(sets.folder(name), target)

    return Restore(
        home=home,
        sets=sets,
        pool=FilePool(folder, home),
        place_small=place,
        erased=erased_files,
        load_database=lambda source, target, again: load_database(url, source, target, again=again),
    )
