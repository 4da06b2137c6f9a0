"""The parts that prepare what the viewer shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from sqlalchemy import Engine

from rtpacs.archive.packs import PackFolder
from rtpacs.dicom.limited import LimitedReader
from rtpacs.rules.access import EVERYTHING, Scope
from rtpacs.rules.jobs import WAITED_FOR_RULE
from rtpacs.services.contents import Contents
from rtpacs.services.ports import JobRequest
from rtpacs.services.viewer_pack import build_pack
from rtpacs.services.viewer_packing import Packing, ViewerDesk
from rtpacs.settings import Settings
from rtpacs.store.jobs import SqlJobs
from rtpacs.store.viewer import SqlViewerInputs


@dataclass(frozen=True, kw_only=True)
class Viewing:
    """Packs: how they are made, kept and read."""

    settings: Settings
    engine: Engine
    contents: Contents
    jobs: SqlJobs

    @cached_property
    def packs(self) -> PackFolder:
        """Packs in the data folder."""
        return PackFolder(self.settings.home, self.settings.viewer_packs_mb)

    def packing(self, reader: LimitedReader) -> Packing:
        """The use case of the job."""
        return Packing(
            inputs=SqlViewerInputs(self.engine, EVERYTHING),
            packs=self.packs,
            contents=self.contents,
            reader=reader,
            build=build_pack,
            jobs=self.jobs,
        )

    def desk(self, scope: Scope) -> ViewerDesk:
        """What the pages ask for, as far as a scope reaches."""
        return ViewerDesk(
            inputs=SqlViewerInputs(self.engine, scope), packs=self.packs, ask=self._ask
        )

    def _ask(self, requests: Sequence[JobRequest]) -> None:
        self.jobs.enqueue(requests, rule=WAITED_FOR_RULE)
