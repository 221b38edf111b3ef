"""Everything there is, once the appliance is opened."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from appliance.access_requests import AccessRequests
from appliance.answering.answerer import Answerer
from appliance.answering.searching import Searcher
from appliance.audit.log import QueryLog
from appliance.audit.signing import Signing
from appliance.auth.accounts import Accounts
from appliance.auth.oidc.sign_on import SingleSignOn
from appliance.auth.sessions import Sessions
from appliance.auth.standing import principal_of
from appliance.auth.steady_clock import SteadyClock
from appliance.catalog import Catalog
from appliance.compliance.cases import Cases
from appliance.compliance.evidence import Evidence
from appliance.compliance.exporting import Exporting
from appliance.compliance.four_eyes import FourEyes
from appliance.compliance.impartial import Impartial
from appliance.compliance.naming import Naming
from appliance.compliance.officers import Officers
from appliance.compliance.openings import Openings
from appliance.compliance.protection import Protection
from appliance.compliance.pseudonyms import Pseudonyms
from appliance.compliance.review_queue import ReviewQueue
from appliance.compliance.sampling_rules import SamplingRules
from appliance.config import Settings
from appliance.conversations import Conversations
from appliance.data_folder import DataFolder
from appliance.domain import Principal, Role
from appliance.errors import AccessDenied
from appliance.evaluation.runs import Evaluations
from appliance.history import RunHistory, RunRecord
from appliance.index.port import VectorIndex
from appliance.inference.port import Embedder, LanguageModel, Reranker
from appliance.ldap.sync import DirectorySync
from appliance.monitoring.monitor import Monitor
from appliance.read_ahead import has_room_for
from appliance.replay.replayer import Replayer
from appliance.retrieval.retriever import Retriever
from appliance.wiring import collecting
from appliance.wiring.serving import InService
from ingest.changeover import Changeover, ChangeProgress
from ingest.cluster.parsers import ClusterParsers
from ingest.parse.sandbox import ParserPool
from ingest.pipeline import Pipeline
from ingest.removals import Removals
from ingest.runs import Runs
from ingest.watch import Watcher


@dataclass(frozen=True, slots=True)
class Appliance:
    """Everything there is, built and wired. `changeover` is the change of the embedding model that is under way."""

    settings: Settings
    folder: DataFolder
    catalog: Catalog
    clock: SteadyClock
    accounts: Accounts
    sessions: Sessions
    sign_on: SingleSignOn | None
    directory_sync: DirectorySync | None
    requests: AccessRequests
    four_eyes: FourEyes
    impartial: Impartial
    openings: Openings
    protection: Protection
    sampling_rules: SamplingRules
    review_queue: ReviewQueue
    cases: Cases
    evidence: Evidence
    pseudonyms: Pseudonyms
    naming: Naming
    exporting: Exporting
    officers: Officers
    conversations: Conversations
    log: QueryLog
    signing: Signing
    monitor: Monitor
    in_service: InService
    writes_no_more: threading.Event  # of language models, in every answer to a reader
    changeover: Changeover | None
    model: LanguageModel | None
    evaluations: Evaluations
    reranker: Reranker | None
    parsers: ParserPool | ClusterParsers
    renderers: ParserPool
    pipeline: Pipeline
    runs: Runs
    removals: Removals
    history: RunHistory
    watcher: Watcher
    interrupted: tuple[RunRecord, ...]
    operator_token: str

    def cleared(self, principal: Principal) -> Principal:
        """Somebody with the levels that they are cleared for, as the settings have it."""
        scale = self.settings.access.scale
        return replace(principal, levels=scale.up_to(scale.clearance(principal.clearance, principal.groups)))

    def outside(self, reader: Principal) -> Principal:
        """A reader as far as what they read may leave the screens (`access.export_up_to`)."""
        return replace(reader, levels=self.settings.access.scale.exported(reader.levels))

    def reader(self, name: str) -> Callable[[], Principal]:
        """A person for whom a program reads: at each call as they stand then, as far as texts may leave the screens.

        The call raises NotFound where nobody has this name, and AccessDenied where they may not ask questions any more.
        """

        def as_they_stand() -> Principal:
            person = self.accounts.named(name)
            if person.shut_out or Role.EMPLOYEE not in person.roles:
                raise AccessDenied(f"'{person.name}' may not ask questions any more, and so nothing is read for them.")
            return self.outside(self.cleared(principal_of(person)))

        return as_they_stand

    def warm_up(self, stopping: threading.Event) -> None:
        """Let the first questions wait no longer than those after them, unless it is `stopping` meanwhile.

        The models of the search are loaded, what there is by now is left out of garbage collection (`collecting`), and
        the passages are brought into memory if there is room for them (of the index that was done on opening it). The
        last two are done as well if a model cannot be loaded.

        Raises:
            ModelUnavailable: A model of the search cannot be loaded.
            CatalogUnavailable: The passages cannot be read.
        """
        try:
            if not stopping.is_set():
                self.embedder.embed_query("warm up")
            if self.reranker is not None and not stopping.is_set():
                self.reranker.scores("warm up", ["warm up"])
        finally:
            if not stopping.is_set():
                collecting.set_aside()
                self._read_passages(stopping)

    def _read_passages(self, stopping: threading.Event) -> None:
        if has_room_for(self.folder.database.stat().st_size):
            for _ in itertools.takewhile(lambda _: not stopping.is_set(), self.catalog.read_through()):
                pass

    def change(self) -> ChangeProgress | None:
        """How far the change to another embedding model is, None when there is none. Raises IndexUnavailable."""
        return self.changeover.progress() if self.changeover is not None else None

    @property
    def index(self) -> VectorIndex:
        """The index that answers now."""
        return self.in_service.now.index

    @property
    def embedder(self) -> Embedder:
        """The model of that index, as it is used for taking in."""
        return self.in_service.now.embedder

    @property
    def retriever(self) -> Retriever:
        """Searches that index, and leaves no record: what a person asks goes through `searcher` or `answerer`."""
        return self.in_service.now.retriever

    @property
    def searcher(self) -> Searcher:
        """Searches that index for a person, on record."""
        return self.in_service.now.searcher

    @property
    def answerer(self) -> Answerer:
        """Answers from that index."""
        return self.in_service.now.answerer

    @property
    def replayer(self) -> Replayer:
        """Runs questions on record again, in that index."""
        return self.in_service.now.replayer
