"""Opens the appliance: builds everything from the settings, chapter by chapter, each on what those before it made.

Rules this module keeps:

1. Whatever is opened is put on the stack at once: if a later part cannot be built, it is closed all the same.
2. The stack closes it the other way round. First nothing more begins, then what goes on is ended, and last of all go
   the log, the database and the lock on the data folder.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from appliance.access_requests import AccessRequests
from appliance.audit.acts import begun
from appliance.audit.entries import LogClosed
from appliance.audit.log import QueryLog
from appliance.audit.signing import Signing
from appliance.audit.stores import store_for
from appliance.auth.accounts import Accounts, now_utc
from appliance.auth.identity import DirectoryTerms
from appliance.auth.oidc.sign_on import SingleSignOn
from appliance.auth.sessions import Sessions
from appliance.auth.steady_clock import SteadyClock
from appliance.catalog import Catalog
from appliance.compliance import log_identity
from appliance.compliance.cases import Cases
from appliance.compliance.clock import steady_clock
from appliance.compliance.evidence import Evidence
from appliance.compliance.exporting import Exporting
from appliance.compliance.four_eyes import FourEyes
from appliance.compliance.impartial import Impartial
from appliance.compliance.naming import Naming
from appliance.compliance.officers import Officers
from appliance.compliance.openings import Openings
from appliance.compliance.protection import build as build_protection
from appliance.compliance.pseudonyms import Pseudonyms, pseudonyms_of
from appliance.compliance.review_queue import ReviewQueue
from appliance.compliance.sampling_rules import SamplingRules
from appliance.config import Settings
from appliance.config.identity import HEADER_DIRECTORY, OIDC_DIRECTORY
from appliance.conversations import Conversations
from appliance.data_folder import (
    DataFolder,
    database_in,
    forget_half_uploads,
    make_folder,
    new_operator_token,
    owned,
)
from appliance.database import Database
from appliance.evaluation.runs import Evaluations
from appliance.evaluation.store import EvaluationStore
from appliance.history import RunHistory
from appliance.indexes import Indexes, OpenIndexes
from appliance.inference.file_digest import sha256_of
from appliance.inference.port import Embedder, LanguageModel, Reranker
from appliance.ldap.directory import LdapDirectory
from appliance.ldap.second_look import SecondLook
from appliance.ldap.sync import DirectorySync
from appliance.monitoring.monitor import Monitor
from appliance.retrieval.glossary import load_glossary
from appliance.sealing import seal_what_is_plain
from appliance.wiring import collecting, put_on_record
from appliance.wiring.appliance import Appliance
from appliance.wiring.evaluated_with import EvaluatedWith
from appliance.wiring.exchange import changeover_of
from appliance.wiring.models import build_embedder, build_link, build_model, build_reranker
from appliance.wiring.serving import InService, Serving, ServingBuilder
from ingest.cluster.link import Link
from ingest.cluster.parsers import ClusterParsers
from ingest.parse.sandbox import ParserPool
from ingest.pipeline import Pipeline
from ingest.removals import Removals
from ingest.runs import Runs
from ingest.twofold import Twofold
from ingest.watch import Watcher
from ingest.withdrawals import Withdrawals

_TURN_S = 0.0005
"""How long a thread may keep Python's interpreter while others wait: a tenth of what is usual.

A question gives it up at every row that it reads, and would wait a whole turn of an ingesting thread each time.
"""


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
        stack.callback(collecting.take_back)  # what `warm_up` has set aside
        stack.callback(sys.setswitchinterval, usual)
        sys.setswitchinterval(_TURN_S)
        yield _build(settings, stack, model)


def _build(settings: Settings, stack: ExitStack, model: LanguageModel | None) -> Appliance:
    folder = make_folder(settings)
    stack.enter_context(owned(folder))
    forget_half_uploads(folder)
    database = stack.enter_context(closing(database_in(folder)))
    records = _records(settings, folder, database, stack)
    log = records.log
    models = _models(settings, model, stack)
    people = _people(settings, database, log, stack)

    catalog = Catalog(database)
    indexes = Indexes(settings, owner=database.installation_id())
    glossary = load_glossary(settings.retrieval.glossary_path)
    own_words = _own_words(settings)  # now, because it is read now, and not again
    writes_no_more = threading.Event()
    builder = ServingBuilder(
        settings, folder, catalog, log, models.language, models.reranker, glossary, own_words, writes_no_more
    )
    found = indexes.open(models.embedder)
    in_service = InService(_serving(found, builder, stack))
    stack.callback(lambda: in_service.now.close())

    history = RunHistory(database)
    intake = _intake(settings, catalog, history, in_service.now, models.link, log, stack)
    runs = intake.runs
    measured = EvaluatedWith(
        settings, catalog, in_service, intake.pipeline, models.embedder, models.language, models.reranker, own_words
    )
    evaluations = Evaluations(
        lambda: in_service.now.examiner,
        EvaluationStore(database),
        log,
        in_force=measured.in_force,
        is_busy=lambda: in_service.now.answerer.is_busy,
    )
    changeover = changeover_of(
        found,
        models.embedder,
        builder=builder,
        indexes=indexes,
        in_service=in_service,
        pipeline=intake.pipeline,
        runs=runs,
        evaluations=evaluations,
    )
    if changeover is not None:
        stack.callback(changeover.close)
    watcher = _watcher(settings, catalog, history, runs, log)
    stack.callback(intake.parsers.close)  # before the runs are waited for: a long document is not read to its end
    stack.callback(runs.stop)  # before that: what they were reading is left for the next sync, it did not fail
    stack.callback(watcher.close)  # first of all: it starts no more
    interrupted = tuple(runs.resume())
    if found.is_anew:
        _fill(catalog, runs, log)
    stack.enter_context(closing(evaluations))

    four_eyes = FourEyes(database, log, people.clock)
    protection = build_protection(database, log, four_eyes, settings.retention, builder.is_answering)
    stack.callback(protection.daily.close)
    impartial = Impartial(people.accounts, protection.holds, records.pseudonyms)
    four_eyes.before_every_decision(impartial.require)
    log_identity.adopt(database, log)
    sampling_rules = SamplingRules(database, log)
    cases = Cases(database, log, four_eyes)
    lasts_s = settings.log.naming_lasts_s
    return Appliance(
        settings=settings,
        folder=folder,
        catalog=catalog,
        clock=people.clock,
        accounts=people.accounts,
        sessions=people.sessions,
        sign_on=people.sign_on,
        directory_sync=people.directory_sync,
        requests=AccessRequests(database, log),
        four_eyes=four_eyes,
        impartial=impartial,
        protection=protection,
        pseudonyms=records.pseudonyms,
        naming=Naming(four_eyes, log, people.accounts, records.pseudonyms, lasts_s),
        exporting=Exporting(four_eyes, lasts_s),
        officers=Officers(four_eyes, people.accounts, lasts_s),
        openings=Openings(log, settings.log.opening_lasts_s, people.clock),
        sampling_rules=sampling_rules,
        review_queue=ReviewQueue(database, log, sampling_rules, cases, four_eyes),
        cases=cases,
        evidence=Evidence(log, records.signing, cases, folder.evidence_key),
        conversations=Conversations(database, log),
        log=log,
        signing=records.signing,
        monitor=records.monitor,
        in_service=in_service,
        writes_no_more=writes_no_more,
        changeover=changeover,
        model=models.language,
        evaluations=evaluations,
        reranker=models.reranker,
        parsers=intake.parsers,
        renderers=intake.renderers,
        pipeline=intake.pipeline,
        runs=runs,
        removals=intake.removals,
        history=history,
        watcher=watcher,
        interrupted=interrupted,
        operator_token=new_operator_token(folder),
    )


@dataclass(frozen=True, slots=True)
class _Records:
    """The query log, what signs it and what watches over it."""

    log: QueryLog
    signing: Signing
    monitor: Monitor
    pseudonyms: Pseudonyms


def _records(settings: Settings, folder: DataFolder, database: Database, stack: ExitStack) -> _Records:
    log = stack.enter_context(closing(QueryLog(store_for(settings.log, folder.log))))
    put_on_record.started(log, settings)
    seal_what_is_plain(database, log)
    elsewhere = settings.log.signer_folder
    signer = Path(elsewhere) if elsewhere else folder.signer
    signing = stack.enter_context(closing(Signing(log, signer, runs_elsewhere=bool(elsewhere))))
    monitor = stack.enter_context(closing(Monitor(log, signing, settings.monitoring)))
    stack.callback(lambda: log.append(LogClosed(reason="stopped")))
    return _Records(log, signing, monitor, pseudonyms_of(folder.log))


@dataclass(frozen=True, slots=True)
class _Models:
    """The models, and the way to the cluster where there is one. `language` writes the answers."""

    link: Link | None
    embedder: Embedder
    language: LanguageModel | None
    reranker: Reranker | None


def _models(settings: Settings, given: LanguageModel | None, stack: ExitStack) -> _Models:
    """As the settings name them, but for a language model that is `given`."""
    link = build_link(settings)
    if link is not None:
        stack.enter_context(closing(link))
    embedder = build_embedder(settings, link)
    language = given or build_model(settings.model)
    if language is not None:
        stack.enter_context(closing(language))
    reranker = build_reranker(settings)
    if reranker is not None:
        stack.enter_context(closing(reranker))
    return _Models(link, embedder, language, reranker)


@dataclass(frozen=True, slots=True)
class _People:
    """Who may come in, and how."""

    clock: SteadyClock
    accounts: Accounts
    sessions: Sessions
    sign_on: SingleSignOn | None
    directory_sync: DirectorySync | None


def _people(settings: Settings, database: Database, log: QueryLog, stack: ExitStack) -> _People:
    clock = steady_clock(database)
    accounts = Accounts(database, clock)
    accounts.set_directories(_directory_terms(settings))
    sign_on = SingleSignOn(settings.oidc) if settings.oidc.is_set else None
    if sign_on is not None:
        stack.enter_context(closing(sign_on))
    directory_sync = _directory_sync(settings, accounts, log, clock)
    if directory_sync is not None:
        stack.callback(directory_sync.close)
    look_again = _second_look(settings, directory_sync, stack)
    sessions = Sessions(
        database,
        settings.sign_in,
        clock,
        directories=() if directory_sync is None else (directory_sync.directory,),
        noting=lambda news: begun(log.append, put_on_record.news_of(news)),
        codes_clock=now_utc,
        accounts=accounts,
        look_again=look_again,
    )
    return _People(clock, accounts, sessions, sign_on, directory_sync)


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


def _directory_sync(settings: Settings, accounts: Accounts, log: QueryLog, clock: SteadyClock) -> DirectorySync | None:
    """What syncs the directory that the settings name."""
    if not settings.ldap.is_set:
        return None
    return DirectorySync(LdapDirectory(settings.ldap, clock), accounts, settings.ldap, log.append)


def _second_look(settings: Settings, sync: DirectorySync | None, stack: ExitStack) -> SecondLook | None:
    """What asks the directory again about somebody who asks for something."""
    if sync is None or not settings.ldap.recheck_s:
        return None
    return stack.enter_context(closing(SecondLook(sync, every_s=settings.ldap.recheck_s)))


def _own_words(settings: Settings) -> str:
    """The digest of the organisation's own glossary, empty without one."""
    glossary = settings.retrieval.glossary_path
    return sha256_of(Path(glossary)) if glossary else ""


def _serving(found: OpenIndexes, builder: ServingBuilder, stack: ExitStack) -> Serving:
    """What answers from the index that was found, with the one being built beside it, if there is one."""
    for index in found.indexes:  # not all of `found`, which would keep the former model in memory
        stack.callback(index.close)
    both = found.serving if found.building is None else Twofold(found.serving, found.building)
    return builder.serving(both, found.embedder, found.languages)


@dataclass(frozen=True, slots=True)
class _Intake:
    """What reads documents and takes them in and out. `renderers` draw pages."""

    parsers: ParserPool | ClusterParsers
    renderers: ParserPool
    pipeline: Pipeline
    runs: Runs
    removals: Removals


def _intake(
    settings: Settings,
    catalog: Catalog,
    history: RunHistory,
    serving: Serving,
    link: Link | None,
    log: QueryLog,
    stack: ExitStack,
) -> _Intake:
    parsers = ParserPool(settings.ingest, size=settings.ingest.workers) if link is None else ClusterParsers(link)
    stack.callback(parsers.close)  # and once more when all is built, where it has its turn
    renderers = ParserPool(settings.ingest, size=1, urgent=True)  # a picture does not queue behind a long document
    stack.callback(renderers.close)
    pipeline = Pipeline(
        catalog=catalog,
        index=serving.index,
        embedder=serving.embedder,
        parsers=parsers,
        settings=settings.ingest,
        levels=settings.access.scale,
    )
    runs = stack.enter_context(closing(Runs(pipeline, history)))
    removals = Removals(catalog, pipeline, runs, on_end=partial(put_on_record.removed, log))
    stack.callback(removals.close)  # after the syncs were told to end: it waits for its turn behind them
    return _Intake(parsers, renderers, pipeline, runs, removals)


def _watcher(settings: Settings, catalog: Catalog, history: RunHistory, runs: Runs, log: QueryLog) -> Watcher:
    return Watcher(
        catalog,
        history,
        lambda source: runs.request(source, on_end=partial(put_on_record.synced, log)),
        withdraw=Withdrawals(catalog, settings.access.scale).look_at,
        is_running=runs.is_running,
        settle_s=settings.ingest.settle_s,
    )


def _fill(catalog: Catalog, runs: Runs, log: QueryLog) -> None:
    """Have an index that was made anew filled from the catalog, as every sync begins."""
    put_on_record.index_made_anew(log)
    for source in catalog.sources():
        if not source.paused:
            runs.request(source, on_end=partial(put_on_record.synced, log))
