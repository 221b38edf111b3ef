"""What the papers are written from: how the appliance is set up and stands now, without names and content."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from urllib.parse import urlsplit

from appliance import __version__
from appliance.audit.signatures import signed_notes
from appliance.compliance.erasures import KEY_BACKUPS_KEPT
from appliance.compliance.retention import NOTICE
from appliance.config import PasswordsFor, Provider, Settings
from appliance.doctor import Check, examine
from appliance.domain import DocumentState, Role
from appliance.errors import ApplianceError
from appliance.wiring import Appliance


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A program that the appliance talks to: what it is there for, where, and what it is sent."""

    what: str
    address: str
    is_sent: str
    is_here: bool

    @property
    def where(self) -> str:
        """Where it runs, for people."""
        return f"on this machine ({self.address})" if self.is_here else f"on another machine: {self.address}"


@dataclass(frozen=True, slots=True)
class Facts:
    """How the appliance is set up and stands. `checks` are those of the doctor, by name."""

    made_at: datetime
    release: str
    sources: int
    documents: int
    accounts: int
    people: Mapping[Role, int]
    doors: tuple[str, ...]
    second_factor: str
    sessions: str
    levels: tuple[str, ...]
    model: str
    model_runs: str
    embedding: str
    neighbours: tuple[Neighbour, ...]
    log_size: int
    signed_checkpoints: int
    signer: str
    opening: str
    verification: str
    retention: str
    key_backups: str
    encrypted_transport: str
    programs: str
    checks: Mapping[str, Check]


def facts_of(appliance: Appliance) -> Facts:
    """The facts, as they are now."""
    settings, people = appliance.settings, appliance.accounts.people()
    model, model_runs = _model(appliance)
    return Facts(
        made_at=datetime.now(UTC),
        release=__version__,
        sources=len(appliance.catalog.sources()),
        documents=appliance.catalog.states().get(DocumentState.INDEXED, 0),
        accounts=len(people),
        people={role: sum(role in person.roles for person in people) for role in Role},
        doors=tuple(_doors(settings)),
        second_factor=_second_factor(settings),
        sessions=_sessions(settings),
        levels=settings.access.levels,
        model=model,
        model_runs=model_runs,
        embedding=appliance.embedder.model_id,
        neighbours=tuple(_neighbours(settings)),
        log_size=appliance.log.size(),
        signed_checkpoints=len(signed_notes(appliance.log.path)),
        signer=_signer(appliance),
        opening=f"for {_minutes(settings.log.opening_lasts_s)} after a written reason, which is on record",
        verification=f"every day at {settings.monitoring.verify_at_hour} o'clock, and by officers at any time",
        retention=_retention(settings),
        key_backups=f"{KEY_BACKUPS_KEPT.days} days at most",
        encrypted_transport=_transport(settings),
        programs=_programs(settings),
        checks={check.name: check for check in examine(appliance)},
    )


def _doors(settings: Settings) -> Iterator[str]:
    everybody = settings.sign_in.passwords is PasswordsFor.EVERYBODY
    yield f"passwords kept here (argon2), {'for everybody' if everybody else 'for administrators alone'}"
    if settings.oidc.is_set:
        yield "single sign-on with OpenID Connect"
    if settings.trusted_header.is_set:
        yield "people named by a reverse proxy"
    if settings.ldap.is_set:
        yield "an LDAP directory"


def _second_factor(settings: Settings) -> str:
    roles = ", ".join(role.value for role in settings.sign_in.second_factor_roles)
    return f"a duty for local accounts with the role {roles}" if roles else "offered, and a duty for nobody"


def _sessions(settings: Settings) -> str:
    chosen = settings.sign_in
    idle, most = _minutes(chosen.idle_timeout_s), _minutes(chosen.lifetime_s)
    failures = f"{chosen.max_failures} failed sign-ins from one address, or {chosen.max_failures_per_name} from any"
    return f"end after {idle} without use and after {most} at most; {failures}, make a pause"


def _model(appliance: Appliance) -> tuple[str, str]:
    """Which language model writes, and where it runs."""
    if appliance.model is None:
        return "none: answers are quotations of the documents", "nowhere"
    try:
        card = appliance.model.card()
    except ApplianceError as error:
        return f"{appliance.settings.model.name}, which does not answer now ({error})", _model_address(
            appliance.settings
        )
    named = " ".join(part for part in (card.name, card.quantisation) if part)
    return f"{named} through {card.provider}, digest {card.digest or 'not told'}", _model_address(appliance.settings)


def _model_address(settings: Settings) -> str:
    for neighbour in _neighbours(settings):
        if neighbour.what == _LANGUAGE_MODEL:
            return neighbour.where
    return "in a process of this appliance, on this machine"


_LANGUAGE_MODEL = "language model"


_FED = "that something happened, under a pseudonym, its flags, and alarms; no words of a question, answer or document"


def _neighbours(settings: Settings) -> Iterator[Neighbour]:
    """The programs that are set up, whether they answer or not."""
    provider = settings.model.resolved_provider
    if provider is Provider.OLLAMA:
        yield _neighbour(_LANGUAGE_MODEL, settings.model.ollama_host, "questions and the passages found for them")
    elif provider is Provider.OPENAI:
        yield _neighbour(_LANGUAGE_MODEL, settings.model.base_url, "questions and the passages found for them")
    if settings.index.url:
        yield _neighbour("vector index", settings.index.url, "vectors, words' weights and labels of all passages")
    if settings.cluster.address:
        yield _neighbour("parsing and embedding", settings.cluster.address, "whole documents")
    if settings.ldap.is_set:
        yield _neighbour("directory", ", ".join(settings.ldap.urls), "names and passwords that people sign in with")
    if settings.oidc.is_set:
        yield _neighbour("sign-in provider", settings.oidc.issuer, "that somebody signs in, not what they ask")
    if settings.log.postgresql:
        address = settings.log.postgresql_address
        sent = "the query log: what it holds as ciphertext, heads and tree in the open; keys are not sent"
        yield Neighbour("database of the query log", str(address), sent, address.is_this_machine)
    if settings.monitoring.syslog:
        yield _neighbour("syslog receiver", settings.monitoring.syslog, _FED)
    if settings.monitoring.ocsf_file:
        yield Neighbour("what reads the OCSF file", settings.monitoring.ocsf_file, _FED, is_here=True)


def _neighbour(what: str, address: str, is_sent: str) -> Neighbour:
    shown = without_secrets(address)
    return Neighbour(what, shown, is_sent, is_here=all(_is_here(part) for part in shown.split(", ")))


def without_secrets(address: str) -> str:
    """Addresses without the name and password that may stand in them."""
    return ", ".join(map(_unnamed, address.split(", ")))


def _unnamed(address: str) -> str:
    scheme, separator, rest = address.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}" if separator else address.rpartition("@")[2]


def _is_here(address: str) -> bool:
    if address.startswith("unix://"):
        return True
    host = urlsplit(address if "://" in address else f"//{address}").hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _signer(appliance: Appliance) -> str:
    where = "an account of its own" if appliance.settings.log.signer_folder else "the account of the appliance"
    problem = appliance.signing.problem
    return f"does not sign now: {problem}" if problem else f"signs, under {where}"


def _retention(settings: Settings) -> str:
    kept = settings.retention
    everybodys = _kept(kept.months_of(kept.profile), kept.profile)
    groups = [
        f"what people of '{group}' asked: {_kept(kept.months_of(profile), profile)}"
        for group, profile in sorted(kept.groups.items())
    ]
    told = "; ".join([*groups, f"all else: {everybodys}"]) if groups else everybodys
    if not (kept.profile or groups):
        return told
    return f"{told}; then announced {NOTICE.days} days before and erased, unless a legal hold covers it"


def _kept(months: int | None, profile: str) -> str:
    if months is None:
        return "until somebody has it erased: no retention profile is set (`retention.profile`)"
    return f"{months} whole months after the month itself (profile '{profile}')"


def _transport(settings: Settings) -> str:
    if settings.server.secure_cookie:
        return "set up to be reached by TLS alone (`server.secure_cookie`); a reverse proxy of the organisation ends it"
    return "not demanded (`server.secure_cookie` is off): right only where nobody but this machine reaches it"


def _programs(settings: Settings) -> str:
    highest = settings.access.export_up_to
    return f"are given nothing above the level '{highest}'" if highest else "are given what their owner may read"


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:,.0f} minutes" if seconds < 7200 else f"{seconds / 3600:,.0f} hours"
