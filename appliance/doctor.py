"""Examines every part and says what to do about what is not well. Reads; repairs nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from appliance.audit.entries import AdminAction
from appliance.audit.records import LogFilter
from appliance.audit.signatures import checked as checkpoints_of
from appliance.audit.signatures import last_cosigned, signed_notes
from appliance.audit.telling import ACTS
from appliance.audit.verify import verify
from appliance.auth.groups import groups_in_use, written_differently
from appliance.auth.standing import MAX_SKEW
from appliance.compliance.paper import shows_more_than_latin
from appliance.config import OFFLINE_SWITCHES, Provider
from appliance.domain import EVERYONE, SAMPLES, TROUBLED
from appliance.errors import ApplianceError
from appliance.labels import NO_LEVEL
from appliance.monitoring.alarms import TITLES
from appliance.wiring import Appliance
from appliance.wiring.models import WRITE_PROMPTS, unused_prompts
from appliance.wiring.put_on_record import WITHHELD
from appliance.wording import moment, of_threshold, standing
from ingest.reconcile import compare

_ALARMS_OF = timedelta(days=7)
_MOST_ALARMS = 1_000
_MOST_NAMED = 10
_ENOUGH_DISK_BYTES = 2 * 1024**3
_MANY_ADDRESSES = 16
"""More than that are no proxy, but a network."""
_NOTES = 3
_VERIFIED_WITHIN = timedelta(days=2)
_VERIFY_UP_TO = 100_000
"""Entries the doctor still verifies by itself; `strongroom log verify` does any number."""


class Status(StrEnum):
    """How a part is."""

    OK = "ok"
    WARNING = "warning"  # works, but somebody should know
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at. `remedy` says what to do when it is not well."""

    name: str
    status: Status
    detail: str
    remedy: str = ""


def examine(appliance: Appliance) -> list[Check]:
    """Every check, in the order of the parts. A part that fails gives a check, never an exception."""
    parts: tuple[tuple[str, Callable[[Appliance], Iterator[Check]]], ...] = (
        ("data folder", _data_folder),
        ("alarms", _alarms),
        ("query log", _query_log),
        ("signer of the log", _signer),
        ("verification of the log", _verification),
        ("feeds", _feeds),
        ("catalog", _catalog),
        ("sources", _sources),
        ("clock", _clock),
        ("groups", _groups),
        ("retention", _retention),
        ("single sign-on", _single_sign_on),
        ("trusted header", _trusted_header),
        ("directory", _directory),
        ("levels", _levels),
        ("access", _access),
        ("index", _index),
        ("embedding model", _embedding_model),
        ("prompts of the embedding model", _prompts),
        ("reranking model", _reranking_model),
        ("language model", _language_model),
        ("abstention", _abstention),
        ("text recognition", _text_recognition),
        ("printed papers", _papers),
        ("parser sandbox", _sandbox),
        ("offline switches", _offline),
    )
    return [check for name, look in parts for check in _guarded(name, look, appliance)]


def _guarded(name: str, look: Callable[[Appliance], Iterator[Check]], appliance: Appliance) -> list[Check]:
    try:
        return list(look(appliance))
    except ApplianceError as error:
        return [Check(name, Status.ERROR, str(error), "Do what the message says, then run the check again.")]
    except (OSError, subprocess.SubprocessError) as error:
        remedy = (
            "See that the appliance may read its folders and start programs, and that the machine has memory and disk "
            "space left; then run the check again."
        )
        return [Check(name, Status.ERROR, f"could not be examined ({type(error).__name__})", remedy)]


def _data_folder(appliance: Appliance) -> Iterator[Check]:
    free = shutil.disk_usage(appliance.folder.path).free
    detail = f"{appliance.folder.path}, {free / 1024**3:.1f} GiB free"
    if free < _ENOUGH_DISK_BYTES:
        yield Check(
            "data folder",
            Status.WARNING,
            detail,
            "Make room: without it the query log stops, and with it every answer.",
        )
    elif appliance.folder.path.stat().st_mode & 0o077:
        yield Check(
            "data folder",
            Status.WARNING,
            f"{detail}; other accounts of this machine may look into it",
            f"chmod 700 {appliance.folder.path}",
        )
    else:
        yield Check("data folder", Status.OK, detail)


def _signer(appliance: Appliance) -> Iterator[Check]:
    if problem := appliance.signing.problem:
        remedy = "See docs/operations/query-log.md. Until then a log that was cut at its end is harder to tell."
        yield Check("signer of the log", Status.ERROR, problem, remedy)
    else:
        notes = len(signed_notes(appliance.log.path))
        seen = [f"; the witness '{last.name}' saw {last.size:,} entries" for last in last_cosigned(appliance.log.path)]
        yield Check("signer of the log", Status.OK, f"{notes:,} checkpoints signed{''.join(seen)}")


def _alarms(appliance: Appliance) -> Iterator[Check]:
    raised = appliance.monitor.alarms.raised
    for alarm in raised:
        told = f"{TITLES[alarm.name]}, since {moment(alarm.since)}: {alarm.told}"
        yield Check("alarms", Status.ERROR, told, "Do what it says; see docs/operations/monitoring.md.")
    if not raised:
        yield Check("alarms", Status.OK, "none is raised")


def _query_log(appliance: Appliance) -> Iterator[Check]:
    appliance.log.examine()
    size = appliance.log.size()
    where = f"; {appliance.log.store}" if appliance.settings.log.postgresql else ""
    if size > _VERIFY_UP_TO:
        detail = f"{size:,} entries; too many to verify here{where}"
        yield Check("query log", Status.OK, detail, "strongroom log verify")
        return
    checked = verify(appliance.log.store, *checkpoints_of(appliance.log.path))
    yield Check("query log", Status.OK, f"{checked.size:,} entries now, each verified just now{where}")


def _verification(appliance: Appliance) -> Iterator[Check]:
    latest = appliance.monitor.verification.latest
    name, hour = "verification of the log", appliance.settings.monitoring.verify_at_hour
    if latest is None:
        yield Check(name, Status.OK, f"not yet; every day at {hour}:00 while the appliance serves")
    elif not latest.ok:
        remedy = "See docs/operations/monitoring.md. Query log > Verify the log verifies it again."
        yield Check(name, Status.ERROR, f"{moment(latest.at)}: {latest.told}", remedy)
    elif datetime.now(UTC) - latest.at > _VERIFIED_WITHIN:
        remedy = "Let the appliance run at the hour of monitoring.verify_at_hour, or verify it on the page Query log."
        yield Check(name, Status.WARNING, f"last on {moment(latest.at)}: {latest.told}", remedy)
    else:
        detail = f"last on {moment(latest.at)}: no fault in the {latest.size:,} entries that there were then"
        yield Check(name, Status.OK, f"{detail}; again every day at {hour}:00")


def _feeds(appliance: Appliance) -> Iterator[Check]:
    states = [feed.state for feed in appliance.monitor.feeds]
    for state in states:
        detail = f"{state.name}: {state.sent:,} entries sent, {state.behind:,} behind, {state.lost:,} alarms lost"
        if state.problem:
            yield Check("feeds", Status.ERROR, f"{detail}. {state.problem}", "Until then it waits, and nothing else.")
        else:
            yield Check("feeds", Status.OK, detail)
    if not states:
        yield Check("feeds", Status.OK, "none by choice: nobody outside is told of the log")


def _catalog(appliance: Appliance) -> Iterator[Check]:
    states = appliance.catalog.states()
    counts, turned_down = standing(states), appliance.catalog.turned_down()
    if turned_down:  # somebody wanted it so
        counts += f" ({turned_down:,} of them turned down by a curator)"
    if sum(states.get(state, 0) for state in TROUBLED) > turned_down:
        remedy = "Administration > Files, or 'strongroom status --files', says which and why."
        yield Check("catalog", Status.WARNING, counts, remedy)
    else:
        yield Check("catalog", Status.OK, counts or "no documents yet")


def _sources(appliance: Appliance) -> Iterator[Check]:
    sources = appliance.catalog.sources()
    paused = [source.name for source in sources if source.paused and not source.removing]
    going = [source.name for source in sources if source.removing]
    unwatched = appliance.watcher.unwatched()
    problems = [f"'{source.name}': {unwatched[source.id]}" for source in sources if source.id in unwatched]
    if problems:
        remedy = "Check the mount, or fs.inotify.max_user_watches; until then the folder is compared on its schedule."
        yield Check("sources", Status.WARNING, " ".join(problems), remedy)
    elif paused:
        remedy = "Resume them in Administration > Sources when they are to be kept in sync again."
        yield Check("sources", Status.WARNING, f"paused: {', '.join(paused)}", remedy)
    else:
        removed = f"; being removed: {', '.join(going)}" if going else ""
        yield Check("sources", Status.OK, f"{len(sources) - len(going)} kept in sync{removed}")
    stuck = [f"'{source.name}': {why}" for source in sources if (why := appliance.removals.problem(source.id))]
    if stuck:
        remedy = "It is tried again every minute, and nobody sees its documents meanwhile."
        yield Check("removals", Status.WARNING, " ".join(stuck), remedy)


def _clock(appliance: Appliance) -> Iterator[Check]:
    ahead = appliance.clock.ahead()
    if ahead < MAX_SKEW:
        yield Check("clock", Status.OK, "goes on")
    else:
        remedy = (
            "Set the clock of the machine right. Until it has caught up, sessions, tokens, pauses and the word of "
            "directories end by the later time, so that nobody gets back what had ended."
        )
        told = f"was set back by {timedelta(seconds=round(ahead.total_seconds()))}"
        yield Check("clock", Status.WARNING, told, remedy)


def _groups(appliance: Appliance) -> Iterator[Check]:
    in_use = groups_in_use(appliance.accounts, appliance.catalog)
    alike = written_differently(in_use)
    if alike:
        remedy = (
            "They are different groups. Write one name for all: in access files, in Administration > Sources, People."
        )
        told = "; ".join(" and ".join(f"'{name}'" for name in names) for names in alike)
        yield Check("groups", Status.WARNING, f"differ only in upper and lower case: {told}", remedy)
    else:
        yield Check("groups", Status.OK, f"{len(in_use)} in use")
    filled = appliance.accounts.groups() | {EVERYONE}
    if empty := sorted(appliance.catalog.groups(but_of=SAMPLES) - filled):
        told = _several(empty)
        remedy = (
            "Nobody sees a document by them. Correct a name that is misspelt (access files, rules, sources). People of "
            "a directory are in their groups from their first sign-in on."
        )
        yield Check("empty groups", Status.WARNING, f"documents are for groups that nobody is in: {told}", remedy)
    elif meant := sorted(appliance.catalog.groups() - filled):
        told = f"the samples alone are for groups that nobody is in, to show it: {_several(meant)}"
        yield Check("empty groups", Status.OK, told)


def _several(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names[:_MOST_NAMED]) + (", ..." if len(names) > _MOST_NAMED else "")


def _retention(appliance: Appliance) -> Iterator[Check]:
    settings = appliance.settings.retention
    named = settings.groups
    if not named:
        told, remedy = f"by the profile '{settings.profile}'", ""
        if not settings.profile:
            told = "no profile is set: questions and answers are kept for ever"
            remedy = "If that is not meant, set retention.profile; see docs/operations/data-protection.md."
        yield Check("retention", Status.OK, told, remedy)
        return
    unknown = sorted(named.keys() - appliance.accounts.groups() - {EVERYONE})
    if unknown:
        told = _several(unknown)
        remedy = (
            "What people ask falls under the profile of their group as it is written on the page People, letter by "
            "letter. Correct retention.groups. People of a directory are in their groups from their first sign-in on."
        )
        yield Check("retention", Status.WARNING, f"has profiles for groups that nobody is in: {told}", remedy)
    else:
        yield Check("retention", Status.OK, f"groups with a profile: {len(named)}")


def _single_sign_on(appliance: Appliance) -> Iterator[Check]:
    settings = appliance.settings.oidc
    if appliance.sign_on is None:
        return
    condition = appliance.sign_on.examine()
    detail = f"{settings.issuer} answers and publishes {condition.keys} keys"
    if not condition.keys:
        yield Check("single sign-on", Status.ERROR, detail, "Have the provider publish the keys that it signs with.")
    elif condition.ahead_s is not None and abs(condition.ahead_s) > settings.clock_skew_s:
        remedy = "Set the clocks of both machines by the same time server: what is signed would look expired."
        way = "ahead" if condition.ahead_s > 0 else "behind"
        yield Check(
            "single sign-on", Status.ERROR, f"{detail}; its clock is {abs(condition.ahead_s):.0f} s {way}", remedy
        )
    elif settings.public_url.startswith("https://") and not appliance.settings.server.secure_cookie:
        yield Check("single sign-on", Status.WARNING, detail, "People come by TLS: set server.secure_cookie to true.")
    else:
        yield Check("single sign-on", Status.OK, detail)


def _trusted_header(appliance: Appliance) -> Iterator[Check]:
    settings = appliance.settings.trusted_header
    if not settings.is_set:
        return
    detail = f"'{settings.user_header}' is believed from {', '.join(settings.proxies)}"
    if any(network.num_addresses > _MANY_ADDRESSES for network in settings.networks):
        remedy = "Name the proxy's own address in trusted_header.proxies: whoever has one of them can be anybody."
        yield Check("trusted header", Status.WARNING, detail, remedy)
    elif not settings.secret_header and any(network.is_loopback for network in settings.networks):
        remedy = (
            "Every program on this machine can send it. Set trusted_header.secret_header and trusted_header.secret."
        )
        yield Check("trusted header", Status.WARNING, detail, remedy)
    else:
        yield Check("trusted header", Status.OK, detail)


def _directory(appliance: Appliance) -> Iterator[Check]:
    sync = appliance.directory_sync
    if sync is None:
        yield Check("directory", Status.OK, "none by choice: people have accounts here")
        return
    latest = sync.latest
    try:
        address = sync.directory.probe()
    except ApplianceError as error:
        days = appliance.settings.ldap.max_age_s / 86_400
        remedy = f"Until then its people cannot sign in; after {days:g} days what it said of them counts for nothing."
        yield Check("directory", Status.ERROR, str(error), remedy)
        return
    if latest is not None and latest.problem:
        yield Check("directory", Status.ERROR, latest.problem, "Do what it says; until then the last sync stands.")
    elif Path(appliance.settings.ldap.bind_password_file).stat().st_mode & 0o077:
        path = appliance.settings.ldap.bind_password_file
        told = f"other accounts of this machine may read the password of the service account in {path}"
        yield Check("directory", Status.WARNING, told, f"chmod 600 {path}")
    elif latest is not None and latest.notes:
        more = len(latest.notes) - _NOTES
        told = " ".join((*latest.notes[:_NOTES], *([f"There are {more} more."] if more > 0 else [])))
        remedy = "Do what it says, or leave it at that. 'strongroom directory show' says all."
        yield Check("directory", Status.WARNING, told, remedy)
    else:
        yield Check("directory", Status.OK, f"'{sync.directory.name}' at {address} lets the service account in")


def _levels(appliance: Appliance) -> Iterator[Check]:
    levels = appliance.settings.access.levels
    used = appliance.catalog.levels() | {person.clearance for person in appliance.accounts.people()}
    unknown = sorted(used - {NO_LEVEL, *levels})
    if unknown:
        remedy = (
            "Nobody sees what has such a level. Put it into access.levels, or give documents and people another one."
        )
        yield Check("levels", Status.WARNING, f"in use, but not set up: {', '.join(unknown)}", remedy)
    else:
        yield Check("levels", Status.OK, ", ".join(levels))


def _access(appliance: Appliance) -> Iterator[Check]:
    since = datetime.now(UTC) - _ALARMS_OF
    wanted = LogFilter(type=AdminAction.type, text=WITHHELD, since=since)
    acts = [item.entry for item in appliance.log.entries(wanted, limit=_MOST_ALARMS)]
    found = [act.detail for act in acts if isinstance(act, AdminAction) and act.action == WITHHELD]
    if not found:
        yield Check("access", Status.OK, f"nothing had to be withheld at the last moment in {_ALARMS_OF.days} days")
        return
    remedy = "Now and then, when access was just changed, is no matter. If it goes on: strongroom reconcile."
    times = "once" if len(found) == 1 else f"{len(found)} times"
    told = f"{times} in {_ALARMS_OF.days} days something was kept from a reader at the last moment"
    detail = f"{told}; the latest: {found[0]}. The query log has each ({ACTS[WITHHELD]})"
    yield Check("access", Status.WARNING, detail, remedy)


def _index(appliance: Appliance) -> Iterator[Check]:
    difference = compare(appliance.catalog, appliance.index)
    where = appliance.settings.index.url or "Qdrant in this process"
    if difference.surplus or difference.incomplete:
        yield Check(
            "index",
            Status.WARNING,
            f"{where}: {len(difference.incomplete)} documents incomplete, {len(difference.surplus)} surplus",
            "strongroom reconcile (a sync of any source does so too, before anything else)",
        )
    else:
        yield Check("index", Status.OK, f"{where}: {appliance.index.count():,} chunks, agrees with the catalog")


def _embedding_model(appliance: Appliance) -> Iterator[Check]:
    change = appliance.change()
    if change is not None and change.model_id == appliance.embedder.model_id:
        yield Check("embedding model", Status.WARNING, f"{change.model_id} answers. {change.error}", "Do what it says.")
        return
    if change is not None:
        share = (
            f"{change.done:,} of {change.total:,} passages are embedded with {change.model_id}, which is to take over"
        )
        detail = f"{appliance.embedder.model_id} answers; {share}"
        if change.error:
            yield Check("embedding model", Status.ERROR, f"{detail}. It waits: {change.error}", "Do what it says.")
        else:
            remedy = "It goes on by itself while the appliance runs ('strongroom serve')."
            yield Check("embedding model", Status.WARNING, detail, remedy)
        return
    embedder = appliance.embedder
    detail = f"{embedder.model_id}, {embedder.dimension} dimensions, reads {embedder.max_tokens} tokens"
    yield Check("embedding model", Status.OK, detail)


def _prompts(appliance: Appliance) -> Iterator[Check]:
    if unused := unused_prompts(appliance.settings):
        yield Check("prompts of the embedding model", Status.WARNING, unused, WRITE_PROMPTS)


def _reranking_model(appliance: Appliance) -> Iterator[Check]:
    path = appliance.settings.retrieval.reranker_path
    if appliance.reranker is None:
        yield Check("reranking model", Status.OK, "none by choice: hits stay in the order of the search")
        return
    try:
        appliance.reranker.scores("question", ["passage"])
    except ApplianceError as error:
        remedy = "Until then hits stay in the order of the search. Correct or remove retrieval.reranker_path."
        yield Check("reranking model", Status.WARNING, str(error), remedy)
        return
    candidates = appliance.settings.retrieval.rerank_candidates
    yield Check("reranking model", Status.OK, f"{path}, for the best {candidates} hits of a search")


def _language_model(appliance: Appliance) -> Iterator[Check]:
    settings = appliance.settings.model
    if appliance.model is None:
        yield Check("language model", Status.OK, "none by choice: answers quote the passages")
        return
    try:
        card = appliance.model.card()
    except ApplianceError as error:
        remedy = "Until then answers quote the passages."
        if settings.resolved_provider is Provider.OLLAMA:
            remedy = f"Start Ollama and bring the model '{settings.name}' to it (docs/operations/models.md). " + remedy
        yield Check("language model", Status.WARNING, str(error), remedy)
        return
    detail = (
        f"{card.name} through {card.provider}, {min(card.context_tokens, settings.context_tokens):,} tokens of context"
    )
    yield Check("language model", Status.OK, f"{detail}, {card.digest[:19]}")


def _abstention(appliance: Appliance) -> Iterator[Check]:
    threshold = appliance.settings.retrieval.answerable_above
    detail = of_threshold(threshold)
    if appliance.settings.embedding.model_path:
        remedy = "The estimate was fitted for the embedding model that comes along. Try it with questions of your own."
        yield Check("abstention", Status.WARNING, detail, remedy)
    else:
        yield Check("abstention", Status.OK, detail)


def _text_recognition(appliance: Appliance) -> Iterator[Check]:
    remedy = "apt-get install tesseract-ocr tesseract-ocr-eng (and -deu, -fra, -ita, -spa, -osd as needed)"
    program = shutil.which("tesseract")
    if program is None:
        yield Check("text recognition", Status.WARNING, "tesseract is not installed: scans give no text", remedy)
        return
    listing = subprocess.run([program, "--list-langs"], capture_output=True, text=True, timeout=20, check=False)
    installed = set(listing.stdout.split()[1:])
    missing = [name for name in appliance.settings.ingest.ocr_languages if name not in installed]
    if missing:
        yield Check("text recognition", Status.WARNING, f"tesseract lacks: {', '.join(missing)}", remedy)
    else:
        yield Check(
            "text recognition", Status.OK, f"tesseract with {', '.join(appliance.settings.ingest.ocr_languages)}"
        )


def _papers(_appliance: Appliance) -> Iterator[Check]:
    if shows_more_than_latin():
        yield Check("printed papers", Status.OK, "with Latin, Greek, Cyrillic and more letters")
    else:
        remedy = "apt-get install fonts-dejavu-core, and restart the appliance."
        yield Check("printed papers", Status.WARNING, "letters that are not Latin stand by their numbers", remedy)


def _sandbox(appliance: Appliance) -> Iterator[Check]:
    report = appliance.parsers.report()
    if report.missing:
        remedy = "Enable what is named in the kernel, or ingest only documents you trust."
        yield Check("parser sandbox", Status.WARNING, "; ".join(report.missing), remedy)
    else:
        yield Check("parser sandbox", Status.OK, "no network, own namespaces, system calls and files restricted")


def _offline(_appliance: Appliance) -> Iterator[Check]:
    wrong = [name for name, value in OFFLINE_SWITCHES.items() if os.environ.get(name) != value]
    if wrong:
        yield Check("offline switches", Status.ERROR, f"not set: {', '.join(wrong)}", "Start through 'strongroom'.")
    else:
        yield Check("offline switches", Status.OK, f"all {len(OFFLINE_SWITCHES)} set")
