"""The composition root: the one place that builds concrete things from settings.

It is also the one module of the core that knows the ingestion service: the API starts syncs and draws page images
through what is built here.
"""

from __future__ import annotations

import contextlib
import gc
import itertools
import logging
import os
import secrets
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import assert_never
from weakref import WeakSet

from appliance import __version__
from appliance.access_requests import AccessRequests
from appliance.answering.answerer import Answerer, Record
from appliance.answering.instructions import TEMPLATE
from appliance.answering.searching import Searcher
from appliance.audit.acts import begun
from appliance.audit.entries import ITSELF, AdminAction, LogClosed, LogOpened, SearchState, SettingInForce
from appliance.audit.log import QueryLog
from appliance.audit.signing import Signing
from appliance.audit.stores import store_for
from appliance.auth.accounts import Accounts, now_utc
from appliance.auth.identity import DirectoryTerms, News
from appliance.auth.oidc.sign_on import SingleSignOn
from appliance.auth.sessions import Sessions
from appliance.auth.standing import principal_of
from appliance.auth.steady_clock import SteadyClock
from appliance.catalog import Catalog
from appliance.compliance import log_identity
from appliance.compliance.cases import Cases
from appliance.compliance.evidence import Evidence
from appliance.compliance.exporting import Exporting
from appliance.compliance.four_eyes import FourEyes
from appliance.compliance.impartial import Impartial
from appliance.compliance.naming import Naming
from appliance.compliance.officers import Officers
from appliance.compliance.openings import Openings
from appliance.compliance.protection import Protection
from appliance.compliance.protection import build as build_protection
from appliance.compliance.pseudonyms import Pseudonyms, pseudonyms_of
from appliance.compliance.review_queue import ReviewQueue
from appliance.compliance.sampling_rules import SamplingRules
from appliance.config import ModelSettings, Provider, Settings
from appliance.config.identity import HEADER_DIRECTORY, OIDC_DIRECTORY
from appliance.config.in_force import digest, not_as_delivered
from appliance.conversations import Conversations
from appliance.data_folder import DataFolder, database_in, make_folder, owned
from appliance.domain import DocumentState, Principal, Role
from appliance.errors import AccessDenied, ConfigurationError
from appliance.evaluation.results import NOT_YET
from appliance.evaluation.runner import Examiner, OnRecordAsAWhole
from appliance.evaluation.runs import Evaluations
from appliance.evaluation.store import EvaluationStore
from appliance.history import RunHistory, RunRecord
from appliance.index.port import VectorIndex
from appliance.indexes import Indexes, OpenIndexes
from appliance.inference.embedders import embedder_for
from appliance.inference.file_digest import sha256_of
from appliance.inference.port import Embedder, LanguageModel, Reranker
from appliance.ldap.directory import LdapDirectory
from appliance.ldap.sync import DirectorySync
from appliance.monitoring.monitor import Monitor
from appliance.read_ahead import has_room_for
from appliance.replay.replayer import Replayer
from appliance.replay.state import settings_in_force, state_of
from appliance.retrieval.glossary import Glossary, load_glossary
from appliance.retrieval.retriever import Retriever
from appliance.sealing import seal_what_is_plain
from ingest.changeover import Changeover, ChangeProgress
from ingest.cluster.embedder import ClusterEmbedder
from ingest.cluster.link import Link
from ingest.cluster.parsers import ClusterParsers
from ingest.embedding_cache import CachingEmbedder, delete_cache
from ingest.parse.sandbox import ParserPool
from ingest.pipeline import Outcome, Pipeline
from ingest.removals import Removals
from ingest.runs import Run, Runs, sync_ended
from ingest.twofold import Twofold
from ingest.watch import Watcher
from ingest.whole_texts import WholeTexts

_log = logging.getLogger(__name__)

_DEEDS = frozenset({Outcome.INDEXED, Outcome.RELABELLED, Outcome.DUPLICATE, Outcome.GONE})

WITHHELD = "access.withheld"
"""The act on record that says that the last check of access was not in vain."""

UPLOAD_PREFIX = ".upload-"
"""How the name of a file begins that is still being uploaded."""

_TURN_S = 0.0005
"""How long a thread may keep Python's interpreter while others wait: a tenth of what is usual.

A question gives it up at every row that it reads, and would wait a whole turn of an ingesting thread each time.
"""


@dataclass(frozen=True, slots=True)
class Serving:
    """What answers: an index, the embedding model it was built with (as it is used for taking in), and what uses both.

    They belong together, and are exchanged together when another embedding model takes over.
    """

    index: VectorIndex
    embedder: Embedder
    retriever: Retriever
    searcher: Searcher
    answerer: Answerer
    replayer: Replayer
    examiner: Examiner

    def close(self) -> None:
        """Close the index, and the cache of embeddings if there is one."""
        if isinstance(self.embedder, CachingEmbedder):
            self.embedder.close()
        self.index.close()


@dataclass(slots=True)
class Desk:
    """What serves now."""

    serving: Serving


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
    desk: Desk
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

        The models of the search are loaded, the passages brought into memory if there is room for them (of the index
        that was done on opening it), and what there is by now is left out of garbage collection: to look through it
        takes 70 ms, in seven of a thousand questions.

        Raises:
            ModelUnavailable: A model of the search cannot be loaded.
            CatalogUnavailable: The passages cannot be read.
        """
        self.embedder.embed_query("warm up")
        if self.reranker is not None:
            self.reranker.scores("warm up", ["warm up"])
        gc.collect()
        gc.freeze()
        if has_room_for(self.folder.database.stat().st_size):
            for _ in itertools.takewhile(lambda _: not stopping.is_set(), self.catalog.read_through()):
                pass

    def change(self) -> ChangeProgress | None:
        """How far the change to another embedding model is, None when there is none. Raises IndexUnavailable."""
        return self.changeover.progress() if self.changeover is not None else None

    @property
    def index(self) -> VectorIndex:
        """The index that answers now."""
        return self.desk.serving.index

    @property
    def embedder(self) -> Embedder:
        """The model of that index, as it is used for taking in."""
        return self.desk.serving.embedder

    @property
    def retriever(self) -> Retriever:
        """Searches that index, and leaves no record: what a person asks goes through `searcher` or `answerer`."""
        return self.desk.serving.retriever

    @property
    def searcher(self) -> Searcher:
        """Searches that index for a person, on record."""
        return self.desk.serving.searcher

    @property
    def answerer(self) -> Answerer:
        """Answers from that index."""
        return self.desk.serving.answerer

    @property
    def replayer(self) -> Replayer:
        """Runs questions on record again, in that index."""
        return self.desk.serving.replayer


@contextmanager
def opened(settings: Settings, *, model: LanguageModel | None = None) -> Iterator[Appliance]:
    """The appliance on its data folder, which nobody else may open meanwhile.

    Args:
        settings: What it is built from.
        model: Writes the answers instead of the model that the settings name. It is closed with the appliance.

    Raises:
        DataFolderBusy: Another process owns the data folder.
        ConfigurationError, CatalogUnavailable, IndexUnavailable, ModelUnavailable, AuditUnavailable, AuditBroken: A
            part cannot be opened; the message says which and what to do.
    """
    usual = sys.getswitchinterval()
    with ExitStack() as stack:
        stack.callback(gc.unfreeze)  # what `warm_up` has set aside
        stack.callback(sys.setswitchinterval, usual)
        sys.setswitchinterval(_TURN_S)
        yield _build(settings, stack, model)


def _build(settings: Settings, stack: ExitStack, model: LanguageModel | None) -> Appliance:
    folder = make_folder(settings)
    stack.enter_context(owned(folder))
    _forget_half_uploads(folder)
    database = stack.enter_context(contextlib.closing(database_in(folder)))
    log = stack.enter_context(contextlib.closing(QueryLog(store_for(settings.log, folder.log))))
    log.append(_opening(settings))
    seal_what_is_plain(database, log)
    signing = stack.enter_context(contextlib.closing(_signing(settings, folder, log)))
    monitor = stack.enter_context(contextlib.closing(Monitor(log, signing, settings.monitoring)))
    stack.callback(lambda: log.append(LogClosed(reason="stopped")))
    link = build_link(settings)
    if link is not None:
        stack.enter_context(contextlib.closing(link))
    embedder = build_embedder(settings) if link is None else ClusterEmbedder(build_embedder(settings), link)
    model = model or build_model(settings.model)
    if model is not None:
        stack.enter_context(contextlib.closing(model))
    clock = SteadyClock(database)
    accounts = Accounts(database, clock)
    accounts.set_directories(_directory_terms(settings))
    sign_on = SingleSignOn(settings.oidc) if settings.oidc.is_set else None
    if sign_on is not None:
        stack.enter_context(contextlib.closing(sign_on))
    directory_sync = _directory_sync(settings, accounts, log)
    if directory_sync is not None:
        stack.callback(directory_sync.close)
    catalog = Catalog(database)
    indexes = Indexes(settings, owner=database.installation_id())
    reranker = build_reranker(settings)
    glossary = load_glossary(settings.retrieval.glossary_path)
    own_words = _own_words(settings)  # now, because it is read now, and not again
    build = _Builder(settings, folder, catalog, log, model, reranker, glossary, own_words)
    found = indexes.open(embedder)
    for opened_index in found.indexes:  # not all of `found`, which would keep the former model in memory
        stack.callback(opened_index.close)
    index = found.serving if found.building is None else Twofold(found.serving, found.building)
    desk = Desk(build.serving(index, found.embedder, found.languages))
    stack.callback(lambda: desk.serving.close())
    parsers = ParserPool(settings.ingest, size=settings.ingest.workers) if link is None else ClusterParsers(link)
    stack.callback(parsers.close)  # and once more below, where it has its turn
    renderers = ParserPool(settings.ingest, size=1, urgent=True)  # a picture does not queue behind a long document
    stack.callback(renderers.close)
    pipeline = Pipeline(
        catalog=catalog,
        index=desk.serving.index,
        embedder=desk.serving.embedder,
        parsers=parsers,
        settings=settings.ingest,
        levels=settings.access.scale,
    )
    history = RunHistory(database)
    runs = stack.enter_context(contextlib.closing(Runs(pipeline, history)))
    removals = Removals(
        catalog,
        pipeline,
        runs,
        on_end=lambda source: log.append(
            AdminAction(ITSELF, "source.removal_ended", source.name, "nothing of it is left")
        ),
    )
    stack.callback(removals.close)  # after the syncs were told to end: it waits for its turn behind them
    evaluations = Evaluations(
        lambda: desk.serving.examiner,
        EvaluationStore(database),
        log,
        in_force=_in_force(settings, catalog, desk, pipeline, embedder, model, reranker, own_words),
        is_busy=lambda: desk.serving.answerer.is_busy,
    )
    changeover = _changeover(build, indexes, found, embedder, desk, pipeline, runs, evaluations)
    if changeover is not None:
        stack.callback(changeover.close)
    watcher = Watcher(
        catalog,
        history,
        lambda source: runs.request(source, on_end=lambda run: _record_by_itself(log, run)),
        is_running=runs.is_running,
        settle_s=settings.ingest.settle_s,
    )
    stack.callback(parsers.close)  # before the runs are waited for: a long document is not read to its end
    stack.callback(runs.stop)  # before that: what they were reading is left for the next sync, it did not fail
    stack.callback(watcher.close)  # first of all: it starts no more
    pseudonyms = pseudonyms_of(folder.log)
    interrupted = tuple(runs.resume())
    if found.is_anew:
        _fill(catalog, runs, log)
    stack.enter_context(contextlib.closing(evaluations))
    four_eyes = FourEyes(database, log, clock)
    protection = build_protection(database, log, four_eyes, settings.retention, build.is_answering)
    stack.callback(protection.daily.close)
    impartial = Impartial(accounts, protection.holds, pseudonyms)
    four_eyes.before_every_decision(impartial.require)
    log_identity.adopt(database, log)
    sampling_rules = SamplingRules(database, log)
    cases = Cases(database, log, four_eyes)
    return Appliance(
        settings=settings,
        folder=folder,
        catalog=catalog,
        clock=clock,
        accounts=accounts,
        sessions=Sessions(
            database,
            settings.sign_in,
            clock,
            directories=() if directory_sync is None else (directory_sync.directory,),
            noting=lambda news: begun(log.append, _told_by_directory(news)),
            codes_clock=now_utc,
            accounts=accounts,
        ),
        sign_on=sign_on,
        directory_sync=directory_sync,
        requests=AccessRequests(database, log),
        four_eyes=four_eyes,
        impartial=impartial,
        protection=protection,
        pseudonyms=pseudonyms,
        naming=Naming(four_eyes, log, accounts, pseudonyms, settings.log.naming_lasts_s),
        exporting=Exporting(four_eyes, settings.log.naming_lasts_s),
        officers=Officers(four_eyes, accounts, settings.log.naming_lasts_s),
        openings=Openings(log, settings.log.opening_lasts_s, clock),
        sampling_rules=sampling_rules,
        review_queue=ReviewQueue(database, log, sampling_rules, cases, four_eyes),
        cases=cases,
        evidence=Evidence(log, signing, cases, folder.evidence_key),
        conversations=Conversations(database, log),
        log=log,
        signing=signing,
        monitor=monitor,
        desk=desk,
        changeover=changeover,
        model=model,
        evaluations=evaluations,
        reranker=reranker,
        parsers=parsers,
        renderers=renderers,
        pipeline=pipeline,
        runs=runs,
        removals=removals,
        history=history,
        watcher=watcher,
        interrupted=interrupted,
        operator_token=_operator_token(folder),
    )


def _directory_terms(settings: Settings) -> list[DirectoryTerms]:
    """The directories that the settings name. What another one gave people counts for nothing."""
    terms = []
    if settings.oidc.is_set:
        terms.append(DirectoryTerms(OIDC_DIRECTORY, "oidc", settings.oidc.max_age_s))
    if settings.trusted_header.is_set:
        terms.append(DirectoryTerms(HEADER_DIRECTORY, "header", settings.trusted_header.max_age_s))
    if settings.ldap.is_set:
        terms.append(DirectoryTerms(settings.ldap.name, "ldap", settings.ldap.max_age_s))
    return terms


def _told_by_directory(news: News) -> AdminAction:
    """On record: what a directory changed for somebody who signed in."""
    given = f"roles: {', '.join(sorted(news.roles))}; groups: {', '.join(sorted(news.groups))}"
    action = "person.made_known" if news.is_new else "person.renewed"
    return AdminAction(ITSELF, action, news.name, f"directory: {news.directory}; {given}")


def _directory_sync(settings: Settings, accounts: Accounts, log: QueryLog) -> DirectorySync | None:
    """What syncs the directory that the settings name."""
    if not settings.ldap.is_set:
        return None
    return DirectorySync(LdapDirectory(settings.ldap), accounts, settings.ldap, log.append)


def _opening(settings: Settings) -> LogOpened:
    """On record: that the appliance started, with which settings."""
    differing = not_as_delivered(settings)
    told = tuple(SettingInForce(name, value) for name, value in differing.items())
    return LogOpened(__version__, digest(settings), told)


def _signing(settings: Settings, folder: DataFolder, log: QueryLog) -> Signing:
    elsewhere = settings.log.signer_folder
    return Signing(log, Path(elsewhere) if elsewhere else folder.signer, runs_elsewhere=bool(elsewhere))


def _own_words(settings: Settings) -> str:
    """The digest of the organisation's own glossary, empty without one."""
    glossary = settings.retrieval.glossary_path
    return sha256_of(Path(glossary)) if glossary else ""


def _in_force(
    settings: Settings,
    catalog: Catalog,
    desk: Desk,
    pipeline: Pipeline,
    wanted: Embedder,
    model: LanguageModel | None,
    reranker: Reranker | None,
    own_words: str,
) -> Callable[[bool], Mapping[str, str]]:
    """What the result of an evaluation depends on besides its questions, by name; asked anew for each."""

    def in_force(answers: bool) -> dict[str, str]:
        documents = catalog.states().get(DocumentState.INDEXED, 0)
        is_embedded = desk.serving.embedder.model_id == wanted.model_id
        values = {
            "release": __version__,
            "documents": str(documents),
            NOT_YET: str(pipeline.read_otherwise() if is_embedded else documents),
            "embedding.model": desk.serving.embedder.model_id,
            "ingest.chunk_tokens": str(settings.ingest.chunk_tokens),
            "ingest.overlap_tokens": str(settings.ingest.overlap_tokens),
            "retrieval.glossary": own_words,
            **{f"retrieval.{name}": str(value) for name, value in settings.retrieval.model_dump().items()},
        }
        if reranker is not None:
            values["retrieval.reranker_digest"] = reranker.digest()
        return values | _model_in_force(settings.model, model) if answers else values

    return in_force


def _model_in_force(settings: ModelSettings, model: LanguageModel | None) -> dict[str, str]:
    """The language model and how it is asked. Raises ModelUnavailable: quoted passages would measure something else."""
    if model is None:
        return {"model": "none: answers are quoted passages"}
    card = model.card()
    sampling = {"model.temperature": str(settings.temperature), "model.seed": str(settings.seed)}
    return {
        "model": card.name,
        "model.provider": card.provider,
        "model.digest": card.digest,
        "model.quantisation": card.quantisation,
        "model.context_tokens": str(min(settings.context_tokens, card.context_tokens)),
        "model.max_answer_tokens": str(settings.max_answer_tokens),
        "prompt": TEMPLATE,
        **(sampling if card.takes_sampling else {}),
    }


@dataclass(frozen=True, slots=True)
class _Builder:
    """Builds what stands on an index and its embedding model."""

    settings: Settings
    folder: DataFolder
    catalog: Catalog
    log: QueryLog
    model: LanguageModel | None
    reranker: Reranker | None
    glossary: Glossary
    own_words: str  # the digest of the organisation's part of it
    answerers: WeakSet[Answerer] = field(default_factory=WeakSet)  # those that a change of model replaced too

    def is_answering(self, person_id: str) -> bool:
        """Whether a question of that person is being answered now."""
        return any(answerer.is_answering(person_id) for answerer in list(self.answerers))

    def serving(self, index: VectorIndex, embedder: Embedder, languages: Collection[str]) -> Serving:
        """What answers from an index that was built with `embedder`, which reads `languages` (none: all)."""
        retriever = self._retriever(index, embedder, languages)
        measured = self._retriever(index, embedder, languages, reranking_is_required=True)
        return Serving(
            index,
            self._ingesting(embedder),
            retriever,
            Searcher(retriever, self.log, self._state(embedder)),
            self._answerer(retriever, embedder, self.log),
            self._replayer(retriever, embedder),
            Examiner(measured, self._answerer(measured, embedder, OnRecordAsAWhole())),
        )

    def _retriever(
        self, index: VectorIndex, embedder: Embedder, languages: Collection[str], *, reranking_is_required: bool = False
    ) -> Retriever:
        return Retriever(
            catalog=self.catalog,
            index=index,
            embedder=embedder,
            settings=self.settings.retrieval,
            glossary=self.glossary,
            reranker=self.reranker,
            reranking_is_required=reranking_is_required,
            languages=languages,
            alarm=self.alarm,
        )

    def _answerer(self, retriever: Retriever, embedder: Embedder, record: Record) -> Answerer:
        made = Answerer(
            retriever=retriever,
            log=record,
            embedder=embedder,  # without a cache, which would keep the sentences that answers quote
            model=self.model,
            model_expected=self.settings.model.is_chosen,
            model_settings=self.settings.model,
            settings=self.settings.retrieval,
            state=self._state(embedder),
            alarm=self.alarm,
        )
        self.answerers.add(made)
        return made

    def _replayer(self, retriever: Retriever, embedder: Embedder) -> Replayer:
        return Replayer(
            log=self.log,
            catalog=self.catalog,
            retriever=retriever,
            embedder=embedder,
            model=self.model,
            state=self._state(embedder),
            time_s=self.settings.model.answer_timeout_s,
        )

    def _state(self, embedder: Embedder) -> Callable[[], SearchState]:
        """What tells the state, for every question; its settings are those of this start."""
        return partial(state_of, settings_in_force(self.settings, self.own_words), self.catalog, embedder)

    def alarm(self, what: str) -> None:
        """Put on record that something was kept from a reader at the last moment; `strongroom doctor` says so too."""
        _log.warning("Access: %s", what)
        self.log.append(AdminAction(ITSELF, WITHHELD, "access", what))

    def _ingesting(self, embedder: Embedder) -> Embedder:
        whole, max_bytes = WholeTexts(embedder), self.settings.embedding.cache_bytes
        if max_bytes:
            return CachingEmbedder(whole, self.folder.embeddings, max_bytes=max_bytes)
        self._delete_cache()  # of a time when there was room for one
        return whole

    def _delete_cache(self) -> None:
        try:
            delete_cache(self.folder.embeddings)
        except OSError as error:
            raise ConfigurationError(
                f"The cache of embeddings {self.folder.embeddings} is not used any more (embedding.cache_bytes is 0) "
                f"and cannot be removed ({error.strerror}). Remove it, or check the rights of the data folder."
            ) from error


def _changeover(
    build: _Builder,
    indexes: Indexes,
    found: OpenIndexes,
    embedder: Embedder,
    desk: Desk,
    pipeline: Pipeline,
    runs: Runs,
    evaluations: Evaluations,
) -> Changeover | None:
    """The change to another embedding model, if the index that answers was built with one that is not set any more."""
    building, both = found.building, desk.serving.index
    if building is None or not isinstance(both, Twofold):
        return None
    exchange = _Exchange(
        build=build,
        indexes=indexes,
        embedder=embedder,
        both=Twofold(building, found.serving),
        former_index=found.serving,
        former_model=found.embedder.model_id,
        desk=desk,
        pipeline=pipeline,
        evaluations=evaluations,
    )
    return Changeover(
        catalog=build.catalog,
        both=both,
        building=building,
        embedder=WholeTexts(embedder),
        turns=runs,
        take_over=exchange.take_over,
        in_use=exchange.in_use,
        clear=exchange.clear,
    )


@dataclass(slots=True)
class _Exchange:
    """Puts an index and its embedding model in the place of those that answer, and removes those later.

    `both` is the new index, with the former one beside it for as long as there is anything of that.
    """

    build: _Builder
    indexes: Indexes
    embedder: Embedder
    both: Twofold
    former_index: VectorIndex
    former_model: str
    desk: Desk
    pipeline: Pipeline
    evaluations: Evaluations
    former: Serving | None = None
    announced: bool = False
    recorded: bool = False

    def take_over(self) -> None:
        """From now on the new index answers. Doing it again after a failure is no error."""
        if not self.announced:
            self._record("index.model_changing", f"{self.embedder.model_id} is to replace {self.former_model}")
            self.announced = True
        self.indexes.take_over(self.embedder)
        serving, former = (
            self.build.serving(self.both, self.embedder, self.build.settings.embedding.reads),
            self.desk.serving,
        )
        self.desk.serving, self.former = serving, former
        self.pipeline.use(serving.index, serving.embedder)
        if isinstance(former.embedder, CachingEmbedder):
            former.embedder.close()

    def in_use(self) -> bool:
        """Whether something that began before may still search the former index."""
        former = self.former
        return former is not None and (
            former.answerer.is_busy or former.retriever.is_busy or self.evaluations.is_running
        )

    def clear(self) -> None:
        """Put the change on record, and let nothing stay of the former index and model."""
        if not self.recorded:
            self._record("index.model_changed", f"{self.embedder.model_id} instead of {self.former_model}")
            self.recorded = True
        self.former = None
        with self.both.removing:
            self.former_index.close()
            self.indexes.clear()
            self.both.let_go()

    def _record(self, action: str, told: str) -> None:
        self.build.log.append(AdminAction(ITSELF, action, "index", told))


def _fill(catalog: Catalog, runs: Runs, log: QueryLog) -> None:
    """Have an index that was made anew filled from the catalog, as every sync begins."""
    log.append(AdminAction(ITSELF, "index.made_anew", "index", "an older release had written it in another form"))
    for source in catalog.sources():
        if not source.paused:
            runs.request(source, on_end=lambda run: _record_by_itself(log, run))


def _record_by_itself(log: QueryLog, run: Run) -> None:
    """Put a sync that nobody asked for on record, if it did anything."""
    if run.error or _DEEDS & run.progress.counts.keys():
        log.append(sync_ended(ITSELF, run))


def _forget_half_uploads(folder: DataFolder) -> None:
    """Remove what was being uploaded when the last process ended."""
    for left in folder.uploads.glob(f"*/{UPLOAD_PREFIX}*"):
        left.unlink(missing_ok=True)


def build_embedder(settings: Settings) -> Embedder:
    """The embedding model. Nothing is loaded yet."""
    chosen = settings.embedding
    path = Path(chosen.model_path) if chosen.model_path else None
    return embedder_for(path, backend=chosen.backend, batch_size=chosen.batch_size, threads=chosen.threads)


def build_link(settings: Settings) -> Link | None:
    """The way to the Ray cluster that the settings name, None without one. Nothing is connected yet."""
    if not settings.cluster.address:
        return None
    return Link(settings.cluster, limits=settings.ingest, embedding=settings.embedding)


def build_reranker(settings: Settings) -> Reranker | None:
    """The reranking model the settings name, None without one. Nothing is loaded yet."""
    if not settings.retrieval.reranker_path:
        return None
    from appliance.inference.cross_encoder import CrossEncoderReranker

    return CrossEncoderReranker(Path(settings.retrieval.reranker_path), batch_size=settings.embedding.batch_size)


def build_model(settings: ModelSettings) -> LanguageModel | None:
    """The language model the settings name; None for extractive answers. Nothing is loaded or asked yet."""
    match settings.resolved_provider:
        case Provider.NONE:
            return None
        case Provider.LLAMACPP:
            from appliance.inference.llamacpp import LlamaCppModel

            if not settings.gguf_path:
                raise ConfigurationError("model.provider is 'llamacpp', but model.gguf_path names no GGUF file.")
            return LlamaCppModel(
                Path(settings.gguf_path), context_tokens=settings.context_tokens, threads=settings.threads
            )
        case Provider.OPENAI:
            from appliance.inference.openai_compatible import OpenAICompatibleModel

            if not settings.base_url:
                raise ConfigurationError("model.provider is 'openai', but model.base_url names no server.")
            return OpenAICompatibleModel(
                settings.base_url,
                settings.name,
                settings.api_key.get_secret_value(),
                context_tokens=settings.context_tokens,
                connect_timeout_s=settings.connect_timeout_s,
                token_timeout_s=settings.token_timeout_s,
            )
        case Provider.OLLAMA:
            from appliance.inference.ollama import OllamaModel

            return OllamaModel(
                settings.ollama_host,
                settings.name,
                context_tokens=settings.context_tokens,
                connect_timeout_s=settings.connect_timeout_s,
                token_timeout_s=settings.token_timeout_s,
            )
        case provider:
            assert_never(provider)


def _operator_token(folder: DataFolder) -> str:
    """A new secret for each start, readable by the owner of the data folder alone."""
    token = secrets.token_urlsafe(32)
    descriptor = os.open(folder.operator_token, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(token)
    return token
