"""The parts of a desk that show, settle or share patients' data, made for whose desk it is."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine

from rtpacs.bootstrap.guarding import Guarding
from rtpacs.bootstrap.removals import RemovalParts
from rtpacs.bootstrap.sendings import Sendings
from rtpacs.bootstrap.viewer import Viewing
from rtpacs.services.authority import Authority
from rtpacs.services.contents import Contents
from rtpacs.services.decisions import Deciding
from rtpacs.services.inspecting import Inspection, TagList
from rtpacs.services.ports import Assemblies, DecisionBook
from rtpacs.services.projects import Projects
from rtpacs.store.catalogue import SqlCatalogue
from rtpacs.store.decision_rows import SqlDecisionLists
from rtpacs.store.doses import SqlDoses
from rtpacs.store.downloads import SqlDownloads
from rtpacs.store.inspecting import SqlInspector
from rtpacs.store.jobs import SqlJobs
from rtpacs.store.operations import SqlOperations
from rtpacs.store.project_data import SqlProjectData
from rtpacs.store.projects import SqlProjects
from rtpacs.store.remote import SqlRemoteQueries
from rtpacs.store.series_versions import SqlSeriesVersions
from rtpacs.store.transfers import SqlTransfers
from rtpacs.store.version_view import SqlVersionView


@dataclass(frozen=True, kw_only=True)
class Readers:
    """Makes them for an authority; ``services.desk.Desk.readers``."""

    engine: Engine
    clock: Callable[[], datetime]
    jobs: SqlJobs
    book: DecisionBook
    assemblies: Assemblies
    viewing: Viewing
    sendings: Sendings
    contents: Contents
    guarding: Guarding
    removals: RemovalParts
    list_tags: Callable[[bytes], TagList]

    def __call__(self, authority: Authority) -> dict[str, Any]:
        """What somebody sees ends at their reach, what they do is done in their name."""
        engine, clock, reach = self.engine, self.clock, authority.reach
        return {
            "catalogue": SqlCatalogue(engine, reach.info),
            "versions": SqlVersionView(engine, reach.info),
            "doses": SqlDoses(engine, reach.info),
            "viewer": self.viewing.desk(reach.info),
            "operations": SqlOperations(engine, clock, self.jobs, reach.jobs),
            "decisions": Deciding(
                book=self.book,
                series=SqlSeriesVersions(engine, clock, self.jobs),
                assemblies=self.assemblies,
                scope=reach.submit,
            ),
            "decision_lists": SqlDecisionLists(engine, reach),
            "dicom": self.guarding.desk(reach),
            "removals": self.removals.requests(authority),
            "transfers": SqlTransfers(engine, clock, self.jobs, authority),
            "inspection": Inspection(
                index=SqlInspector(engine, reach.info),
                read=self.contents.read,
                list_tags=self.list_tags,
            ),
            "remote": SqlRemoteQueries(engine, clock, self.jobs, authority),
            "downloads": self.sendings.downloads(
                SqlDownloads(engine, clock, self.jobs, authority), self.contents
            ),
            "projects": Projects(
                book=SqlProjects(engine, clock),
                data=SqlProjectData(engine, clock, reach.info),
                authority=authority,
            ),
        }
