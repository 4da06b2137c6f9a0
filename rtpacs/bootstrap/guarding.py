"""The parts that answer programs and DICOM nodes within their rights."""

import time
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from functools import cached_property, partial

from sqlalchemy import Engine

from rtpacs import keyring
from rtpacs.archive.rest import OrthancArchive
from rtpacs.archive.spool import FileSpool
from rtpacs.bootstrap.imports import Imports
from rtpacs.bootstrap.uploads import PATIENCE_SECONDS, uploads
from rtpacs.dicom.limited import LimitedReader
from rtpacs.errors import NotFoundError
from rtpacs.rules.access import NOBODY, Actor, Reach, reach_of
from rtpacs.rules.queries import Condition
from rtpacs.services.access_log import Recorder
from rtpacs.services.authority import OPERATOR, Authority, authority_of, operator
from rtpacs.services.contents import Contents
from rtpacs.services.desk import Accounts, DicomDesk
from rtpacs.services.guard import Guard, Holdings
from rtpacs.services.moving import Moves
from rtpacs.services.node_queries import NodeQueries
from rtpacs.services.ports import Clock
from rtpacs.services.storing import Storekeeper
from rtpacs.services.transfers import Transfers
from rtpacs.services.uploads import Uploads
from rtpacs.services.variants import Variants
from rtpacs.services.views import NodeRow
from rtpacs.store.actors import NODE_PREFIX, node_of
from rtpacs.store.finding import SqlFinder, movable_objects
from rtpacs.store.own_contents import own_contents
from rtpacs.store.releases import SqlReleases
from rtpacs.store.selection import keys_in_sight
from rtpacs.store.sight import seeing
from rtpacs.store.variants import SqlVariants
from rtpacs.tokens import Tokens, bearer_account


@dataclass(frozen=True, kw_only=True)
class Guarding:
    """Guard, searches and uploads; ``open_archive`` gives each thread its connection."""

    engine: Engine
    clock: Clock
    contents: Contents
    imports: Imports
    accounts: Accounts
    open_archive: Callable[[], OrthancArchive]
    new_reader: Callable[[], LimitedReader]
    recorder: Recorder
    pseudonym_form: Callable[[str], str]

    def guard(self, holdings: Holdings, arrivals: Callable[[], int]) -> Guard:
        """What decides in Orthanc who may read what."""
        key = keyring.secret(self.imports.settings.home, keyring.SESSION_KEY).encode("ascii")
        tokens = Tokens(secret_key=key, clock=self.clock)

        def identify(token: str) -> Actor | None:
            account = bearer_account(tokens, self.accounts, token)
            return account.actor if account and not account.must_change_password else None

        return Guard(
            identify=identify,
            releases=SqlReleases(self.engine),
            holdings=holdings,
            arrivals=arrivals,
            clock=self.clock,
            monotonic=time.monotonic,
            log=self.recorder,
        )

    def node_queries(self, nodes: Callable[[], Sequence[NodeRow]]) -> NodeQueries:
        """What DICOM nodes find."""
        return NodeQueries(
            nodes=nodes,
            reach_of=lambda aet: reach_of(node_of(self.engine, aet), self.clock()),
            finder=lambda reach: SqlFinder(self.engine, reach.info),
        )

    def may_send(self, name: str, objects: Set[int]) -> Set[int]:
        """Which of these objects an account or node may send away at this moment."""
        with seeing(self.engine, self._reach(name).send) as sight:
            return keys_in_sight(sight, objects)

    def may_download(self, name: str, objects: Set[int]) -> Set[int]:
        """Which of these objects an account may save to disk at this moment."""
        with seeing(self.engine, self._reach(name).download) as sight:
            return keys_in_sight(sight, objects)

    def may_fetch(self, name: str, center_code: str) -> bool:
        """Whether an account may bring in data of a center at this moment."""
        scope = self._reach(name).submit
        return scope.everything or center_code in scope.own

    def _reach(self, name: str) -> Reach:
        account = self.accounts.account(name)
        if account is not None:
            return authority_of(account.actor, self.clock).reach
        if name == OPERATOR:
            return operator(self.clock).reach
        if not name.startswith(NODE_PREFIX):
            return NOBODY
        try:
            node = node_of(self.engine, name.removeprefix(NODE_PREFIX))
        except NotFoundError:
            return NOBODY
        return authority_of(node, self.clock).reach

    def moves(
        self, nodes: Callable[[], Sequence[NodeRow]], transfers: Callable[[Authority], Transfers]
    ) -> Moves:
        """What DICOM nodes have sent to others."""

        def movable(
            conditions: Sequence[Condition], reaches: Sequence[Authority], limit: int
        ) -> list[str]:
            scopes = [authority.reach.send for authority in reaches]
            return movable_objects(self.engine, scopes, conditions, limit)

        return Moves(
            nodes=nodes,
            authority_of=lambda aet: authority_of(node_of(self.engine, aet), self.clock),
            movable=movable,
            transfers=transfers,
        )

    def desk(self, reach: Reach) -> DicomDesk:
        """What DICOMweb and Orthanc's REST are answered with."""
        settings = self.imports.settings
        return DicomDesk(
            finder=SqlFinder(self.engine, reach.info),
            variants=Variants(index=SqlVariants(self.engine, reach), read=self.contents.read),
            uid_of=self._archive.uid_of,
            uploads=self._uploads,
            upload_bytes=settings.upload_mb * 2**20,
        )

    @cached_property
    def _archive(self) -> OrthancArchive:
        return self.open_archive()

    @cached_property
    def _uploads(self) -> Uploads:
        imports = self.imports
        storekeeper = Storekeeper(
            open_archive=self.open_archive,
            files=imports.uploaded_files(self.new_reader()),
            known=partial(own_contents, self.engine),
            read_version=imports.read_version,
            even_out=FileSpool(imports.settings.home).pretend,
            patience_seconds=PATIENCE_SECONDS,
        )
        return uploads(storekeeper, imports, self.new_reader, self.pseudonym_form)
